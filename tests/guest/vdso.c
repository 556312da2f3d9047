/* The vDSO, parsed by hand from AT_SYSINFO_EHDR: well-formed, with versions and hashes, and its functions
 * agree with the system calls. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static const char *base, *strings;
static const ElfW(Sym) * symbols;
static const uint32_t *hash, *gnu_hash;
static const uint16_t *versym;
static const ElfW(Verdef) * verdef;
static intptr_t bias;

static int parse(void) {
  base = (const char *)getauxval(AT_SYSINFO_EHDR);
  if (!base)
    return 0;
  const ElfW(Ehdr) *eh = (const void *)base;
  verdict("ELF header", !memcmp(eh->e_ident, ELFMAG, SELFMAG) && eh->e_type == ET_DYN &&
                            eh->e_ident[EI_CLASS] == (WIDTH == 64 ? ELFCLASS64 : ELFCLASS32) &&
                            eh->e_machine == (WIDTH == 64 ? EM_X86_64 : EM_386));
  const ElfW(Phdr) *ph = (const void *)(base + eh->e_phoff), *dynamic = NULL;
  int load = 0, frame = 0;
  for (int i = 0; i < eh->e_phnum; i++) {
    if (ph[i].p_type == PT_LOAD && !load++)
      bias = (intptr_t)base + (intptr_t)ph[i].p_offset - (intptr_t)ph[i].p_vaddr;
    if (ph[i].p_type == PT_DYNAMIC)
      dynamic = &ph[i];
    frame += ph[i].p_type == PT_GNU_EH_FRAME;
  }
  verdict("one loadable segment, dynamic, unwind tables", load == 1 && dynamic && frame == 1);
  if (!dynamic)
    return 0;
  const char *soname = NULL;
  for (const ElfW(Dyn) *d = (const void *)(bias + dynamic->p_vaddr); d->d_tag != DT_NULL; d++) {
    const void *p = (const void *)(bias + d->d_un.d_ptr);
    switch (d->d_tag) {
    case DT_STRTAB: strings = p; break;
    case DT_SYMTAB: symbols = p; break;
    case DT_HASH: hash = p; break;
    case DT_GNU_HASH: gnu_hash = p; break;
    case DT_VERSYM: versym = p; break;
    case DT_VERDEF: verdef = p; break;
    case DT_SONAME: soname = (const char *)d->d_un.d_val; break;
    }
  }
  verdict("strings, symbols, versions", strings && symbols && versym && verdef);
  verdict("a hash table", hash || gnu_hash);
  if (soname)
    printf("soname %s\n", strings + (uintptr_t)soname);
  return strings && symbols && versym && verdef && (hash || gnu_hash);
}

static const char *version_of(unsigned index) {
  for (const ElfW(Verdef) *v = verdef;; v = (const void *)((const char *)v + v->vd_next)) {
    if (v->vd_ndx == (index & 0x7fff))
      return strings + ((const ElfW(Verdaux) *)((const char *)v + v->vd_aux))->vda_name;
    if (!v->vd_next)
      return "none";
  }
}

static uint32_t gnu_hash_of(const char *s) {
  uint32_t h = 5381;
  while (*s)
    h = h * 33 + (unsigned char)*s++;
  return h;
}

static uint32_t sysv_hash_of(const char *s) {
  uint32_t h = 0, g;
  while (*s) {
    h = (h << 4) + (unsigned char)*s++;
    g = h & 0xf0000000;
    h = (h ^ g >> 24) & ~g;
  }
  return h;
}

static void *found(uint32_t i, const char *name) {
  if (strcmp(strings + symbols[i].st_name, name) || symbols[i].st_shndx == SHN_UNDEF)
    return NULL;
  printf("%s version %s type %d\n", name, version_of(versym[i]), symbols[i].st_info & 15);
  return (void *)(bias + symbols[i].st_value);
}

/* By the table the dynamic linker would use. */
static void *lookup(const char *name) {
  if (gnu_hash) {
    uint32_t n = gnu_hash[0], first = gnu_hash[1], bloom = gnu_hash[2], h = gnu_hash_of(name);
    const ElfW(Addr) *filter = (const void *)(gnu_hash + 4);
    const uint32_t *buckets = (const void *)(filter + bloom), *chain = buckets + n;
    ElfW(Addr) word = filter[h / (8 * sizeof *filter) & (bloom - 1)];
    unsigned bits = 8 * sizeof word;
    if (!(word >> h % bits & 1) || !(word >> (h >> gnu_hash[3]) % bits & 1))
      return NULL;
    for (uint32_t i = buckets[h % n]; i >= first; i++) {
      void *p = (chain[i - first] | 1) == (h | 1) ? found(i, name) : NULL;
      if (p || (chain[i - first] & 1))
        return p;
    }
    return NULL;
  }
  for (uint32_t i = hash[2 + sysv_hash_of(name) % hash[0]]; i; i = hash[2 + hash[0] + i])
    if (!strcmp(strings + symbols[i].st_name, name))
      return found(i, name);
  return NULL;
}

#ifdef __x86_64__
typedef struct timespec kernel_timespec;
enum { GETTIME = SYS_clock_gettime };
#else
typedef struct {
  int32_t tv_sec, tv_nsec;
} kernel_timespec;
enum { GETTIME = 265 };
#endif
typedef struct {
  long tv_sec, tv_usec;
} kernel_timeval;

static int64_t ns(kernel_timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

static void clocks(void) {
  int (*gettime)(clockid_t, kernel_timespec *) = lookup("__vdso_clock_gettime");
  int (*getres)(clockid_t, kernel_timespec *) = lookup("__vdso_clock_getres");
  int (*gettimeofday)(kernel_timeval *, struct timezone *) = lookup("__vdso_gettimeofday");
  long (*get_time)(long *) = lookup("__vdso_time");
  if (!verdict("all are there", gettime && getres && gettimeofday && get_time))
    return;
  static const clockid_t ids[] = {
      CLOCK_REALTIME,      CLOCK_MONOTONIC, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
      CLOCK_MONOTONIC_RAW, CLOCK_TAI};
  for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
    int agree = 1, coarse = ids[i] == CLOCK_REALTIME_COARSE || ids[i] == CLOCK_MONOTONIC_COARSE;
    for (int k = 0; k < 200; k++) {
      kernel_timespec a, b, c;
      agree &= gettime(ids[i], &a) == 0 && syscall(GETTIME, ids[i], &b) == 0 && gettime(ids[i], &c) == 0;
      agree &= ns(a) <= ns(b) && ns(b) <= ns(c) + (coarse ? 20000000 : 0);
    }
    printf("clock %d ", ids[i]);
    verdict("agrees with the system call", agree);
  }
  kernel_timespec r, s;
  verdict("the resolution", getres(CLOCK_MONOTONIC, &r) == 0 && r.tv_sec == 0 && r.tv_nsec == 1);
  kernel_timeval tv;
  struct timezone tz = {7, 7};
  gettime(CLOCK_REALTIME, &r);
  int got = gettimeofday(&tv, &tz);
  gettime(CLOCK_REALTIME, &s);
  int64_t us = (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
  verdict("gettimeofday", got == 0 && us >= ns(r) / 1000 && us <= ns(s) / 1000 && tz.tz_minuteswest == 0);
  long t = 0, now = get_time(&t);
  verdict("time", now == t && now - s.tv_sec <= 1 && s.tv_sec - now <= 1 && get_time(NULL) >= now);
  verdict("a clock it does not know goes to the kernel", gettime(1000, &r) == -EINVAL);
  verdict("nanoseconds are below a second", s.tv_nsec >= 0 && s.tv_nsec < 1000000000);
}

/* Older kernels have none for i386. */
static void which_processor(void) {
  long (*getcpu)(unsigned *, unsigned *, void *) = lookup("__vdso_getcpu");
  unsigned cpu = 999999, node = 999999;
  int good = getcpu && getcpu(&cpu, &node, NULL) == 0 && cpu < 4096 && node < 1024;
  verdict("getcpu", good || (WIDTH == 32 && !getcpu));
}

#ifdef __x86_64__
static void rest(void) { which_processor(); }
#else
static void rest(void) {
  which_processor();
  struct {
    int64_t sec, nsec;
  } a, b;
  int (*gettime64)(clockid_t, void *) = lookup("__vdso_clock_gettime64");
  verdict("clock_gettime64", gettime64 && gettime64(CLOCK_MONOTONIC, &a) == 0 &&
                                 syscall(403, CLOCK_MONOTONIC, &b) == 0 &&
                                 a.sec * 1000000000 + a.nsec <= b.sec * 1000000000 + b.nsec);
  void *vsyscall = lookup("__kernel_vsyscall");
  verdict("__kernel_vsyscall is AT_SYSINFO", vsyscall && (uintptr_t)vsyscall == getauxval(AT_SYSINFO));
  long pid = 0;
  asm volatile("call *%1" : "=a"(pid) : "r"(vsyscall), "0"(SYS_getpid) : "memory");
  verdict("it calls the kernel", pid == getpid());
  const unsigned char *sigreturn = lookup("__kernel_sigreturn"), *rt = lookup("__kernel_rt_sigreturn");
  static const unsigned char plain[] = {0x58, 0xb8, 119, 0, 0, 0, 0xcd, 0x80},
                             real_time[] = {0xb8, 173, 0, 0, 0, 0xcd, 0x80};
  verdict("__kernel_sigreturn has the known bytes", sigreturn && !memcmp(sigreturn, plain, sizeof plain));
  verdict("__kernel_rt_sigreturn too", rt && !memcmp(rt, real_time, sizeof real_time));
}
#endif

int main(void) {
  if (!verdict("the vDSO was found", parse()))
    return 1;
  clocks();
  rest();
  verdict("no such symbol", !lookup("__vdso_nonsense"));
  return 0;
}
