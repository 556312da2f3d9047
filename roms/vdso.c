/* The clock functions of both vDSOs, answered in ring 3 from the TSC and the vvar page: vdso(7); Linux
 * lib/vdso/gettimeofday.c for what each function does with NULL and with clocks it does not know.
 *
 * Guest code, compiled -m64 and -m32. The guest's TSC counts nanoseconds of the host's monotonic clock. */
#include "roms/linux_entry.h"

#define NS_PER_SEC 1000000000u
#define NS_PER_US 1000u

typedef uint64_t u64;
typedef uint32_t u32;

struct timespec {
  long sec, nsec;
};
struct timespec64 {
  int64_t sec, nsec;
};
struct timeval {
  long sec, usec;
};
struct timezone {
  int minuteswest, dsttime;
};

#define EXPORT __attribute__((visibility("default")))
#define unlikely(x) __builtin_expect(!!(x), 0)

#ifdef __x86_64__
enum { NR_GETTIMEOFDAY = 96, NR_TIME = 201, NR_CLOCK_GETTIME = 228, NR_CLOCK_GETRES = 229 };

static const struct vvar *vvar(void) {
  const struct vvar *page;
  __asm__("lea __ehdr_start-%c1(%%rip), %0" : "=r"(page) : "i"(VVAR_BYTES));
  return page;
}

static long system_call(long number, long arg1, void *arg2) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(arg1), "S"(arg2)
                   : "rcx", "r11", "memory");
  return result;
}
#else
enum { NR_TIME = 13, NR_GETTIMEOFDAY = 78, NR_CLOCK_GETTIME = 265, NR_CLOCK_GETRES = 266 };
enum { NR_CLOCK_GETTIME64 = 403 };

/* In vdso32.S: position-independent code without a global offset table needs no relocation. */
__attribute__((visibility("hidden"))) extern const struct vvar *vvar(void);

static long system_call(long number, long arg1, void *arg2) {
  long result;
  __asm__ volatile("call __kernel_vsyscall" : "=a"(result) : "a"(number), "b"(arg1), "c"(arg2) : "memory");
  return result;
}
#endif

static u64 rdtsc(void) {
  u32 low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high)::"memory");
  return (u64)high << 32 | low;
}

/* The clock's time. The host publishes offsets while this runs: take a set that was whole around the TSC. */
static inline u64 now(const struct vvar *v, u32 clock) {
  u32 seq;
  u64 ns;
  do {
    while (unlikely((seq = __atomic_load_n(&v->seq, __ATOMIC_ACQUIRE)) & 1))
      __builtin_ia32_pause();
    ns = vvar_ns(v, clock, rdtsc());
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
  } while (unlikely(seq != __atomic_load_n(&v->seq, __ATOMIC_RELAXED)));
  return ns;
}

EXPORT int __vdso_clock_gettime(u32 clock, struct timespec *out) {
  const struct vvar *v = vvar();
  if (unlikely(!vvar_has(v, clock)))
    return (int)system_call(NR_CLOCK_GETTIME, (long)clock, out);
  u32 rest;
  out->sec = (long)vvar_div(now(v, clock), NS_PER_SEC, &rest);
  out->nsec = (long)rest;
  return 0;
}

#ifdef __i386__
EXPORT int __vdso_clock_gettime64(u32 clock, struct timespec64 *out) {
  const struct vvar *v = vvar();
  if (unlikely(!vvar_has(v, clock)))
    return (int)system_call(NR_CLOCK_GETTIME64, (long)clock, out);
  u32 rest;
  out->sec = (int64_t)vvar_div(now(v, clock), NS_PER_SEC, &rest);
  out->nsec = rest;
  return 0;
}
#endif

EXPORT int __vdso_gettimeofday(struct timeval *tv, struct timezone *tz) {
  const struct vvar *v = vvar();
  if (unlikely(!vvar_has(v, VVAR_REALTIME)))
    return (int)system_call(NR_GETTIMEOFDAY, (long)tv, tz);
  if (tv) {
    u32 rest;
    tv->sec = (long)vvar_div(now(v, VVAR_REALTIME), NS_PER_SEC, &rest);
    tv->usec = (long)(rest / NS_PER_US);
  }
  if (unlikely(tz != NULL)) {
    tz->minuteswest = v->tz_minuteswest;
    tz->dsttime = v->tz_dsttime;
  }
  return 0;
}

/* The seconds of the last tick, as Linux has it. */
EXPORT long __vdso_time(long *out) {
  const struct vvar *v = vvar();
  if (unlikely(!vvar_has(v, VVAR_REALTIME_COARSE)))
    return system_call(NR_TIME, (long)out, NULL);
  u32 rest;
  long seconds = (long)vvar_div(now(v, VVAR_REALTIME_COARSE), NS_PER_SEC, &rest);
  if (out)
    *out = seconds;
  return seconds;
}

EXPORT int __vdso_clock_getres(u32 clock, struct timespec *out) {
  if (unlikely(!vvar_has(vvar(), clock)))
    return (int)system_call(NR_CLOCK_GETRES, (long)clock, out);
  if (out) {
    out->sec = 0;
    out->nsec = (long)vvar_resolution(clock);
  }
  return 0;
}

/* The kernel keeps `cpu | node << 12` as the limit of a data segment, for LSL to read: SDM 2A LSL. */
EXPORT long __vdso_getcpu(u32 *cpu, u32 *node, void *unused) {
  u32 limit;
  (void)unused;
  __asm__("lsl %1, %0" : "=r"(limit) : "r"(SEL_CPUNODE) : "cc");
  if (cpu)
    *cpu = limit & 0xfff;
  if (node)
    *node = limit >> 12;
  return 0;
}

#ifdef __x86_64__
#define WEAK_ALIAS(name, of) EXPORT extern __typeof__(of) name __attribute__((weak, alias(#of)));
WEAK_ALIAS(clock_gettime, __vdso_clock_gettime)
WEAK_ALIAS(gettimeofday, __vdso_gettimeofday)
WEAK_ALIAS(time, __vdso_time)
WEAK_ALIAS(clock_getres, __vdso_clock_getres)
WEAK_ALIAS(getcpu, __vdso_getcpu)
#endif
