/* Memory calls, each judged by the content of the pages afterwards and by what faults. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

enum { PAGE = 4096 };
static sigjmp_buf env;

static void on_fault(int sig) { siglongjmp(env, sig); }

/* Can the byte be read, or written? */
static bool readable(volatile char *p) {
  if (sigsetjmp(env, 1))
    return false;
  (void)*p;
  return true;
}

static bool writable(volatile char *p) {
  if (sigsetjmp(env, 1))
    return false;
  *p = *p;
  return true;
}

static bool runs(char *p) {
  if (sigsetjmp(env, 1))
    return false;
  return ((int (*)(void))p)() == 1234;
}

static char *map(size_t n, int prot) { return mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

static bool filled(const char *p, size_t n, char c) {
  for (size_t i = 0; i < n; i++)
    if (p[i] != c)
      return false;
  return true;
}

static void mapping(void) {
  char *p = map(16 * PAGE, PROT_READ | PROT_WRITE);
  verdict("fresh pages are zero", filled(p, 16 * PAGE, 0));
  memset(p, 'a', 16 * PAGE);
  verdict("a hole", munmap(p + 4 * PAGE, 2 * PAGE) == 0 && readable(p + 4 * PAGE - 1) &&
                        !readable(p + 4 * PAGE) && !readable(p + 6 * PAGE - 1) && readable(p + 6 * PAGE));
  char *q = mmap(p + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  verdict("MAP_FIXED fills it with zeros", q == p + 4 * PAGE && filled(q, PAGE, 0));
  q = mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  verdict("MAP_FIXED over a page replaces it", q == p && filled(p, PAGE, 0) && filled(p + PAGE, PAGE, 'a'));
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
  q = mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  verdict("MAP_FIXED_NOREPLACE is EEXIST", q == MAP_FAILED && errno == EEXIST);
  q = mmap(p + 5 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  verdict("a free hint is taken", q == p + 5 * PAGE);
  verdict("length 0 is EINVAL",
          mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
  verdict("munmap of nothing", munmap(p + 4 * PAGE, PAGE) == 0 && munmap(p + 4 * PAGE, PAGE) == 0);
  verdict("munmap of an odd address is EINVAL", munmap(p + 1, PAGE) == -1 && errno == EINVAL);
  munmap(p, 16 * PAGE);
  verdict("shared anonymous memory",
          (p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) != MAP_FAILED &&
              filled(p, PAGE, 0));
  munmap(p, PAGE);
  int bad = 0;
  for (int i = 0; i < 2000; i++) {
    char *m = map((size_t)(i % 7 + 1) * PAGE, PROT_READ | PROT_WRITE);
    m[i % PAGE] = (char)i;
    bad += m[i % PAGE] != (char)i || m[0] != (i % PAGE ? 0 : (char)i);
    munmap(m, (size_t)(i % 7 + 1) * PAGE);
  }
  verdict("many short lives", bad == 0);
}

static void protection(void) {
  char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
  memset(p, 'p', 4 * PAGE);
  verdict("PROT_NONE",
          mprotect(p + PAGE, PAGE, PROT_NONE) == 0 && !readable(p + PAGE) && readable(p + 2 * PAGE));
  verdict("PROT_READ", mprotect(p + PAGE, 2 * PAGE, PROT_READ) == 0 && readable(p + PAGE) &&
                           !writable(p + PAGE) && !writable(p + 2 * PAGE) && writable(p + 3 * PAGE));
  verdict("the content stays", filled(p, 4 * PAGE, 'p'));
  verdict("PROT_WRITE reads too",
          mprotect(p + PAGE, 2 * PAGE, PROT_WRITE) == 0 && writable(p + PAGE) && readable(p + PAGE));
  static const unsigned char code[] = {0xb8, 0xd2, 0x04, 0, 0, 0xc3}; /* mov $1234, %eax; ret */
  memcpy(p, code, sizeof code);
  verdict("data does not run", !runs(p));
  verdict("PROT_EXEC", mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0 && runs(p) && !writable(p));
  verdict("and not any more", mprotect(p, PAGE, PROT_READ) == 0 && !runs(p));
  verdict("PROT_EXEC alone can be read", mprotect(p, PAGE, PROT_EXEC) == 0 && runs(p));
  verdict("over a hole is ENOMEM",
          munmap(p + 2 * PAGE, PAGE) == 0 && mprotect(p, 4 * PAGE, PROT_READ) == -1 && errno == ENOMEM);
  verdict("odd address is EINVAL", syscall(SYS_mprotect, p + 8, PAGE, PROT_READ) == -1 && errno == EINVAL);
  munmap(p, 4 * PAGE);
}

static void moving(void) {
  char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
  for (int i = 0; i < 4; i++)
    memset(p + i * PAGE, '0' + i, PAGE);
  char *q = mremap(p, 4 * PAGE, 2 * PAGE, 0);
  verdict("shrink", q == p && readable(p + PAGE) && !readable(p + 2 * PAGE));
  q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
  verdict("grow", q != MAP_FAILED && filled(q, PAGE, '0') && filled(q + PAGE, PAGE, '1') &&
                      filled(q + 2 * PAGE, 62 * PAGE, 0));
  char *target = map(64 * PAGE, PROT_NONE);
  char *r = mremap(q, 64 * PAGE, 64 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
  verdict("move to a place",
          r == target && filled(r, PAGE, '0') && filled(r + PAGE, PAGE, '1') && !readable(q));
  verdict("growing in place where there is no room is ENOMEM",
          mmap(r + 64 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
                  MAP_FAILED &&
              mremap(r, 64 * PAGE, 65 * PAGE, 0) == MAP_FAILED && errno == ENOMEM);
  munmap(q = map(PAGE, PROT_READ), PAGE);
  verdict("of nothing is EFAULT", mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT);
  munmap(r, 65 * PAGE);
  /* Code that was run stays right when its page moves and another comes in its place. */
  static const unsigned char code[] = {0xb8, 0xd2, 0x04, 0, 0, 0xc3};
  p = map(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
  memcpy(p, code, sizeof code);
  bool ran = runs(p);
  q = mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, map(PAGE, PROT_NONE));
  verdict("moved code", ran && runs(q) && !runs(p));
  p = mmap(q, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  memcpy(p, code, sizeof code);
  p[1] = 0;
  verdict("replaced code", !runs(p));
  munmap(p, PAGE);
}

static void advice(void) {
  char *p = map(8 * PAGE, PROT_READ | PROT_WRITE);
  memset(p, 'm', 8 * PAGE);
  verdict("MADV_DONTNEED empties", madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED) == 0 && filled(p, PAGE, 'm') &&
                                       filled(p + PAGE, 2 * PAGE, 0) && filled(p + 3 * PAGE, PAGE, 'm'));
  verdict("other advice", madvise(p, 8 * PAGE, MADV_WILLNEED) == 0 &&
                              madvise(p, 8 * PAGE, MADV_SEQUENTIAL) == 0 && filled(p + 3 * PAGE, PAGE, 'm'));
  verdict("unknown advice is EINVAL", madvise(p, PAGE, 12345) == -1 && errno == EINVAL);
  unsigned char in[8];
  verdict("mincore", mincore(p, 8 * PAGE, in) == 0 && (in[0] & 1) && (in[4] & 1));
  munmap(p + 2 * PAGE, PAGE);
  verdict("mincore over a hole is ENOMEM", mincore(p, 8 * PAGE, in) == -1 && errno == ENOMEM);
  verdict("msync over a hole is ENOMEM", msync(p, 8 * PAGE, MS_ASYNC) == -1 && errno == ENOMEM);
  verdict("mlock, munlock", mlock(p, PAGE) == 0 && munlock(p, PAGE) == 0);
  munmap(p, 8 * PAGE);
}

static void program_break(void) {
  /* Past malloc, which must not run between these. */
  long here = syscall(SYS_brk, 0);
  long up = syscall(SYS_brk, here + 5 * PAGE + 100);
  bool grew = up == here + 5 * PAGE + 100;
  char *p = (char *)here;
  bool zero = grew && filled(p, 5 * PAGE, 0);
  if (grew)
    memset(p, 'b', 5 * PAGE + 100);
  long down = syscall(SYS_brk, here + PAGE);
  bool kept = grew && filled(p, PAGE, 'b');
  bool gone = !readable((char *)((here + 2 * PAGE) & ~(long)(PAGE - 1)));
  syscall(SYS_brk, here + 3 * PAGE);
  bool fresh = filled((char *)((here + PAGE + PAGE - 1) & ~(long)(PAGE - 1)), PAGE, 0);
  long silly = syscall(SYS_brk, 1);
  syscall(SYS_brk, here);
  verdict("brk grows", grew);
  verdict("with zeros", zero);
  verdict("brk shrinks", down == here + PAGE && kept && gone);
  verdict("and grows with fresh pages", fresh);
  verdict("brk below its start changes nothing", silly == here + 3 * PAGE);
}

static void limits(void) {
  struct rlimit r, stack;
  verdict("getrlimit",
          getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur > 3 && getrlimit(RLIMIT_STACK, &stack) == 0);
  rlim_t was = r.rlim_cur;
  r.rlim_cur = 10;
  verdict("setrlimit",
          setrlimit(RLIMIT_NOFILE, &r) == 0 && dup2(1, 10) == -1 && errno == EBADF && dup2(1, 9) == 9);
  close(9);
  r.rlim_cur = was;
  setrlimit(RLIMIT_NOFILE, &r);
  size_t n = (size_t)1 << (WIDTH == 64 ? 36 : 30);
  char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  verdict("a large sparse mapping", p != MAP_FAILED);
  if (p != MAP_FAILED) {
    for (size_t i = 0; i < n; i += n / 64)
      p[i] = (char)(i / (n / 64) + 1);
    bool ok = true;
    for (size_t i = 0; i < n; i += n / 64)
      ok &= p[i] == (char)(i / (n / 64) + 1);
    verdict("its far ends", ok && munmap(p, n) == 0);
  }
  /* Until the address space is full, which must come as an error. */
  size_t total = 0;
  int maps = 0;
  size_t step = (size_t)1 << (WIDTH == 64 ? 45 : 30);
  while (maps < 100 &&
         (p = mmap(NULL, step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) != MAP_FAILED)
    maps++, total += step;
  verdict("the address space ends in ENOMEM", maps < 100 && errno == ENOMEM);
}

int main(void) {
  struct sigaction a = {.sa_handler = on_fault};
  sigaction(SIGSEGV, &a, NULL);
  sigaction(SIGBUS, &a, NULL);
  setvbuf(stdout, NULL, _IONBF, 0);
  mapping();
  protection();
  moving();
  advice();
  program_break();
  limits();
  return 0;
}
