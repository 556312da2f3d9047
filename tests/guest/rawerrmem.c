/* What calls about memory refuse. Addresses are in a region of the program's own, with a hole behind it. */
#define _GNU_SOURCE
#include "rawerr.h"

#ifdef __i386__
#define MMAP SYS_mmap2
#define IN_PAGES(n) (n)
#else
#define MMAP SYS_mmap
#define IN_PAGES(n) ((n)*PAGE)
#endif

enum { PAGES = 6 };
static const int unmapped = MAP_PRIVATE | MAP_ANONYMOUS;

/* Two pages to read and write, a hole, one to read, one shared, one that cannot be touched; then nothing. */
static unsigned char *region;

static void fresh(void) {
  int fixed = unmapped | MAP_FIXED;
  if (!region) region = mmap(0, (PAGES + 8) * PAGE, PROT_NONE, unmapped, -1, 0);
  mmap(region, (PAGES + 8) * PAGE, PROT_NONE, fixed, -1, 0);
  mprotect(region, 2 * PAGE, PROT_READ | PROT_WRITE);
  munmap(region + 2 * PAGE, PAGE);
  mprotect(region + 3 * PAGE, PAGE, PROT_READ);
  mmap(region + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  munmap(region + PAGES * PAGE, 8 * PAGE);
}

static void prepare(const struct row *r) { (void)r; }

struct place {
  const char *name;
  long at, length;
};
/* Relative to the region. */
static const struct place places[] = {{"two pages", 0, 2 * PAGE},
                                      {"one byte", 0, 1},
                                      {"nothing", 0, 0},
                                      {"odd", 1, PAGE},
                                      {"into the hole", PAGE, 2 * PAGE},
                                      {"over the hole", 0, 4 * PAGE},
                                      {"the hole", 2 * PAGE, PAGE},
                                      {"from the hole", 2 * PAGE, 2 * PAGE},
                                      {"read only", 3 * PAGE, PAGE},
                                      {"shared", 4 * PAGE, PAGE},
                                      {"untouchable", 5 * PAGE, PAGE},
                                      {"behind", PAGES * PAGE, PAGE},
                                      {"into what is behind", 5 * PAGE, 2 * PAGE},
                                      {"all lengths", 0, -1},
                                      {"a page less", 0, -PAGE},
                                      {"half of all", 0, LONG_MIN}};

static long at(const struct place *p) { return (long)region + p->at; }

static void say(const char *text, const char *where, long more, long r) {
  printf("%s %s %lx: ", text, where, more);
  if (r == -1) printf("error %d\n", errno);
  else if (r >= 0 && r < 100) printf("%ld\n", r);
  else printf("good\n");
}

#define EACH_PLACE(p) \
  for (const struct place *p = places; p < places + sizeof places / sizeof *places; p++)
#define SAY(call, p, more, ...) \
  (fresh(), say(#call, (p)->name, more, syscall(SYS_##call, at(p), (p)->length, __VA_ARGS__)))

static void ranges(void) {
  EACH_PLACE(p) {
    SAY(munmap, p, 0, 0);
    for (int prot = 0; prot < 9; prot++) SAY(mprotect, p, prot, prot);
    SAY(mprotect, p, 0x10, 0x10);
    SAY(mprotect, p, PROT_GROWSDOWN, PROT_GROWSDOWN | PROT_READ);
    SAY(mprotect, p, PROT_GROWSUP, PROT_GROWSUP | PROT_READ);
    SAY(mprotect, p, 3, PROT_GROWSUP | PROT_GROWSDOWN);
    for (int flags = 0; flags < 9; flags++) SAY(msync, p, flags, flags);
    SAY(munlock, p, 0, 0);
    /* These would go on through all other memory, or up to the limit of what may be locked. */
    if (p->length < 0) continue;
    SAY(mlock, p, 0, 0);
    SAY(mlock2, p, 0, 0);
    SAY(mlock2, p, 1, 1);
    SAY(mlock2, p, 2, 2);
    SAY(mincore, p, 0, buf);
    SAY(mincore, p, 1, BAD);
    SAY(mincore, p, 2, 0);
    SAY(mincore, p, 3, frozen);
  }
}

static void advices(void) {
  /* Not those that depend on the kernel's configuration: merging, huge pages, poison. */
  static const int advice[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                               16, 17, 18, 19, 20, 21, 22, 23, 26, 50, 99, -1};
  EACH_PLACE(p) {
    if (p->length < 0) continue;
    for (size_t i = 0; i < sizeof advice / sizeof *advice; i++) SAY(madvise, p, advice[i], advice[i]);
  }
  SAY(madvise, &places[13], 0, 0);
  SAY(madvise, &places[14], 99, 99);
}

static void map(const char *what, long addr, long length, long prot, long flags, long fd, long off) {
  long r = syscall(MMAP, addr, length, prot, flags, fd, off);
  say("mmap", what, flags, r);
  if (r != -1 && (addr ? r != addr : 1)) munmap((void *)r, length);
}

static void mappings(void) {
  const int rw = PROT_READ | PROT_WRITE;
  make_all();
  fresh();
  const long here = (long)region;
  static const char *const names[] = {"read", "write", "both", "dir", "path", "pipe", "99", "-1"};
  const long fds[] = {fd_read, fd_write, fd_both, fd_dir, fd_path, pipe_out, 99, -1};
  for (int i = 0; i < 8; i++)
    for (int prot = 0; prot < 8; prot++)
      for (int type = 0; type < 5; type++) {
        printf("%d ", prot);
        map(names[i], 0, PAGE, prot, type, fds[i], 0);
      }
  for (int bit = 0; bit < 31; bit++) {
    if (bit == 18) continue; /* MAP_HUGETLB */
    map("anonymous, a bit", here, PAGE, rw, unmapped | 1 << bit, -1, 0);
    fresh();
    if (bit == 4 || bit == 20) continue;
    map("shared, a bit", 0, PAGE, rw, MAP_SHARED | 1 << bit, fd_both, 0);
    map("validated, a bit", 0, PAGE, rw, MAP_SHARED_VALIDATE | 1 << bit, fd_both, 0);
    if (bit != 3)
      map("anonymous alone", 0, PAGE, rw, MAP_ANONYMOUS | 1 << bit, -1, 0); /* MAP_DROPPABLE is new */
  }
  for (int bit = 3; bit < 31; bit++) map("a protection", 0, PAGE, 1 << bit, unmapped, -1, 0);
  map("no length", 0, 0, rw, unmapped, -1, 0);
  map("all lengths", 0, -1, rw, unmapped, -1, 0);
  map("a page less", 0, -PAGE, rw, unmapped, -1, 0);
  map("odd, fixed", here + 1, PAGE, rw, unmapped | MAP_FIXED, -1, 0);
  map("not to replace", here, PAGE, rw, unmapped | MAP_FIXED_NOREPLACE, -1, 0);
  map("into the hole", here + 2 * PAGE, PAGE, rw, unmapped | MAP_FIXED_NOREPLACE, -1, 0);
  map("at the end", -PAGE, PAGE, rw, unmapped | MAP_FIXED, -1, 0);
  map("beyond the end", -PAGE, 2 * PAGE, rw, unmapped | MAP_FIXED, -1, 0);
  map("odd beyond the end", -PAGE + 1, PAGE, rw, unmapped | MAP_FIXED, -1, 0);
  map("offset", 0, PAGE, rw, MAP_SHARED, fd_both, IN_PAGES(100));
  map("no descriptor, no length", 0, 0, rw, MAP_PRIVATE, 99, 0);
#ifdef __i386__
  unsigned arguments[6] = {0, PAGE, rw, MAP_PRIVATE, fd_both, 1};
  say("old mmap", "odd offset", 0, syscall(SYS_mmap, arguments));
  say("old mmap", "bad", 0, syscall(SYS_mmap, BAD));
#else
  map("odd offset", 0, PAGE, rw, MAP_PRIVATE, fd_both, 1);
  map("offset of all", 0, PAGE, rw, MAP_PRIVATE, fd_both, -PAGE);
  map("two behind all", 0, 3 * PAGE, rw, MAP_PRIVATE, fd_both, -PAGE);
  map("large offset", 0, PAGE, rw, MAP_PRIVATE, fd_both, LONG_MIN);
#endif
}

static void remap(const char *what, long old, long old_size, long size, long flags, long to) {
  fresh();
  if (old >= 0) old += (long)region;
  if (to >= 0) to += (long)region;
  long r = syscall(SYS_mremap, old, old_size, size, flags, to);
  say("mremap", what, flags, r == to ? 1 : r == old ? 2 : r);
  if (r != -1 && r != to && r != old && size > 0) munmap((void *)r, size);
}

static void remappings(void) {
  EACH_PLACE(p) {
    for (int flags = 0; flags < 9; flags++) {
      if (p->length < 0 && flags > 1) continue;
      remap(p->name, p->at, p->length, PAGE, flags, (PAGES + 2) * PAGE);
      remap(p->name, p->at, p->length, 3 * PAGE, flags, (PAGES + 2) * PAGE);
    }
  }
  remap("no new size", 0, PAGE, 0, 1, 0);
  remap("onto itself", 0, 2 * PAGE, 2 * PAGE, 3, PAGE);
  remap("onto itself, all", 0, 2 * PAGE, 2 * PAGE, 3, 0);
  remap("to an odd place", 0, PAGE, PAGE, 3, (PAGES + 2) * PAGE + 1);
  remap("to the end", 0, PAGE, PAGE, 3, -PAGE);
  remap("a shared page again", 4 * PAGE, 0, PAGE, 1, 0);
  remap("a private page again", 0, 0, PAGE, 1, 0);
  remap("from the end", -PAGE, PAGE, PAGE, 1, 0);
  remap("all sizes", 0, PAGE, -1, 1, 0);
  remap("almost all sizes", 0, PAGE, -PAGE, 1, 0);
}

/* A mapping that grows where it is keeps what was written. */
static void growing(void) {
  static const int types[] = {MAP_PRIVATE, MAP_SHARED, MAP_SHARED | MAP_ANONYMOUS,
                              MAP_PRIVATE | MAP_ANONYMOUS};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    make_all();
    fresh();
    munmap(region, PAGES * PAGE);
    if (ftruncate(fd_both, 3 * PAGE) || pwrite(fd_both, "A", 1, PAGE) != 1) exit(1);
    if (pwrite(fd_both, "B", 1, 2 * PAGE + 5) != 1) exit(1);
    unsigned char *p = mmap(region, PAGE, PROT_READ | PROT_WRITE, types[i] | MAP_FIXED, fd_both, 0);
    p[1] = 'x';
    int there = mremap(p, PAGE, 3 * PAGE, 0) == p;
    printf("growing %x: %d %c%c", types[i], there, p[0] ? p[0] : '.', p[1]);
    if (there && !(types[i] == (MAP_SHARED | MAP_ANONYMOUS))) printf(" %d %d", p[PAGE], p[2 * PAGE + 5]);
    putchar('\n');
  }
}

/* No descriptor but the program's own can be mapped. */
static void closed_descriptors(void) {
  int mapped = 0;
  for (int fd = 3; fd < 2000; fd++) {
    close(fd);
    mapped += mmap(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) != MAP_FAILED || errno != EBADF;
  }
  printf("closed descriptors that can be mapped: %d\n", mapped);
}

static void others(void) {
  for (int flags = 0; flags < 9; flags++) {
    if (flags & 2) continue; /* MCL_FUTURE would change what follows */
    say("mlockall", "", flags, syscall(SYS_mlockall, flags));
    syscall(SYS_munlockall);
  }
  say("brk", "0", 0, syscall(SYS_brk, 0) != -1 ? 1 : 0);
  long now = syscall(SYS_brk, 0);
  say("brk", "too far", 0, syscall(SYS_brk, -PAGE) == now);
  say("brk", "below", 0, syscall(SYS_brk, PAGE) == now);
  say("brk", "odd", 0, syscall(SYS_brk, now + 1) == now + 1);
  syscall(SYS_brk, now);
#ifdef SYS_pkey_alloc
  say("pkey_mprotect", "no key", 0, syscall(SYS_pkey_mprotect, region, PAGE, 1, -1));
  say("pkey_mprotect", "odd", 0, syscall(SYS_pkey_mprotect, region + 1, PAGE, 1, -1));
#endif
}

int main(void) {
  call_all(0, 0);
  ranges();
  advices();
  mappings();
  remappings();
  growing();
  others();
  closed_descriptors();
  return 0;
}
