/* Limits, usage and scheduling: man 2 getrlimit, getrusage, getpriority, sched_setaffinity, 7 sched. Linux
 * kernel/sys.c, kernel/sched/syscalls.c, kernel/compat.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux_abi/lvm.h"
#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

/* --- Resource limits --- */

/* Those that the emulator keeps to itself: task.h. */
static bool own_limit(u32 which) {
  return which == RLIMIT_DATA || which == RLIMIT_STACK || which == RLIMIT_AS;
}

static bool may_raise_limits(void) {
  struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct d[2] = {{0}};
  return !HOST(SYS_capget, &h, d) && d[CAP_SYS_RESOURCE / 32].effective >> (CAP_SYS_RESOURCE % 32) & 1;
}

/* do_prlimit() for this process; either may be NULL. */
static s64 limit(struct task *t, u32 which, const struct rlimit *set, struct rlimit *old) {
  if (which >= RLIM_NLIMITS) return -EINVAL;
  if (!own_limit(which)) return HOST(SYS_prlimit64, 0, which, set, old);
  struct lx_limit *l = &t->limit[which], before = *l;
  if (set) {
    if (set->rlim_cur > set->rlim_max) return -EINVAL;
    if (set->rlim_max > l->max && !may_raise_limits()) return -EPERM;
    *l = (struct lx_limit){set->rlim_cur, set->rlim_max};
  }
  if (old) *old = (struct rlimit){before.cur, before.max};
  return 0;
}

s64 sys_prlimit64(struct task *t, const u64 a[6]) {
  struct rlimit set, old;
  s32 pid = (s32)a[0];
  if (a[2] && ua_read(t, &set, a[2], sizeof set)) return -EFAULT;
  s64 r = !pid || pid == t->pid ? limit(t, (u32)a[1], a[2] ? &set : NULL, &old)
                                  : HOST(SYS_prlimit64, pid, (u32)a[1], a[2] ? &set : NULL, &old);
  return r || !a[3] ? r : ua_write(t, a[3], &old, sizeof old);
}

s64 sys_getrlimit(struct task *t, const u64 a[6]) {
  struct rlimit old;
  s64 r = limit(t, (u32)a[0], NULL, &old);
  return r ? r : ua_write(t, a[1], &old, sizeof old);
}

s64 sys_setrlimit(struct task *t, const u64 a[6]) {
  struct rlimit set;
  if (ua_read(t, &set, a[1], sizeof set)) return -EFAULT;
  return limit(t, (u32)a[0], &set, NULL);
}

static s64 get_narrow(struct task *t, const u64 a[6], u32 most) {
  struct rlimit old;
  s64 r = limit(t, (u32)a[0], NULL, &old);
  if (r) return r;
  struct i386_rlimit o = {old.rlim_cur > most ? most : (u32)old.rlim_cur,
                          old.rlim_max > most ? most : (u32)old.rlim_max};
  return ua_write(t, a[1], &o, sizeof o);
}

/* getrlimit's first form had a signed infinity. */
s64 sys_getrlimit_32(struct task *t, const u64 a[6]) { return get_narrow(t, a, INT32_MAX); }
s64 sys_ugetrlimit(struct task *t, const u64 a[6]) { return get_narrow(t, a, UINT32_MAX); }

s64 sys_setrlimit_32(struct task *t, const u64 a[6]) {
  struct i386_rlimit in;
  if (ua_read(t, &in, a[1], sizeof in)) return -EFAULT;
  struct rlimit set = {in.rlim_cur == UINT32_MAX ? RLIM_INFINITY : in.rlim_cur,
                       in.rlim_max == UINT32_MAX ? RLIM_INFINITY : in.rlim_max};
  return limit(t, (u32)a[0], &set, NULL);
}

/* --- Usage --- */

s64 sys_getrusage(struct task *t, const u64 a[6]) {
  struct rusage u;
  s64 r = HOST(SYS_getrusage, (int)a[0], &u);
  if (r) return r;
  if (!t->compat) return ua_write(t, a[1], &u, sizeof u);
  struct i386_rusage o = {
      .ru_utime = {(s32)u.ru_utime.tv_sec, (s32)u.ru_utime.tv_usec},
      .ru_stime = {(s32)u.ru_stime.tv_sec, (s32)u.ru_stime.tv_usec}, .ru_maxrss = (s32)u.ru_maxrss,
      .ru_ixrss = (s32)u.ru_ixrss, .ru_idrss = (s32)u.ru_idrss, .ru_isrss = (s32)u.ru_isrss,
      .ru_minflt = (s32)u.ru_minflt, .ru_majflt = (s32)u.ru_majflt, .ru_nswap = (s32)u.ru_nswap,
      .ru_inblock = (s32)u.ru_inblock, .ru_oublock = (s32)u.ru_oublock, .ru_msgsnd = (s32)u.ru_msgsnd,
      .ru_msgrcv = (s32)u.ru_msgrcv, .ru_nsignals = (s32)u.ru_nsignals, .ru_nvcsw = (s32)u.ru_nvcsw,
      .ru_nivcsw = (s32)u.ru_nivcsw};
  return ua_write(t, a[1], &o, sizeof o);
}

/* --- Priority --- */

s64 sys_getpriority(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_getpriority, (int)a[0], (int)a[1]);
}
s64 sys_setpriority(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_setpriority, (int)a[0], (int)a[1], (int)a[2]);
}

/* The host has it as setpriority() alone, whose error differs. The kernel's getpriority() is 20 - nice. */
s64 sys_nice(struct task *t, const u64 a[6]) {
  enum { LOWEST = -20, HIGHEST = 19, ZERO = 20, STEP = 40 };
  (void)t;
  int step = (int)a[0];
  step = step < -STEP ? -STEP : step > STEP ? STEP : step;
  s64 was = HOST(SYS_getpriority, PRIO_PROCESS, 0);
  if (was < 0) return was;
  s64 nice = ZERO - was + step;
  nice = nice < LOWEST ? LOWEST : nice > HIGHEST ? HIGHEST : nice;
  s64 r = HOST(SYS_setpriority, PRIO_PROCESS, 0, nice);
  return r == -EACCES ? -EPERM : r;
}

s64 sys_ioprio_get(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_ioprio_get, (int)a[0], (int)a[1]);
}
s64 sys_ioprio_set(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_ioprio_set, (int)a[0], (int)a[1], (int)a[2]);
}

/* --- Scheduling --- */

s64 sys_sched_yield(struct task *t, const u64 a[6]) {
  (void)t, (void)a;
  return HOST(SYS_sched_yield);
}

/* struct sched_param is one int; struct sched_attr has its size in it and no pointers or longs. */
enum { SCHED_PARAM_BYTES = 4, SCHED_ATTR_MAX = 4096 };

s64 sys_sched_setparam(struct task *t, const u64 a[6]) {
  return HOST(SYS_sched_setparam, (int)a[0], ua_opt(t, a[1], SCHED_PARAM_BYTES));
}
s64 sys_sched_getparam(struct task *t, const u64 a[6]) {
  s64 r = HOST(SYS_sched_getparam, (int)a[0], ua_opt(t, a[1], SCHED_PARAM_BYTES));
  if (!r) ua_wrote(t, a[1], SCHED_PARAM_BYTES);
  return r;
}
s64 sys_sched_setscheduler(struct task *t, const u64 a[6]) {
  return HOST(SYS_sched_setscheduler, (int)a[0], (int)a[1], ua_opt(t, a[2], SCHED_PARAM_BYTES));
}
s64 sys_sched_getscheduler(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_sched_getscheduler, (int)a[0]);
}
s64 sys_sched_get_priority_max(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_sched_get_priority_max, (int)a[0]);
}
s64 sys_sched_get_priority_min(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_sched_get_priority_min, (int)a[0]);
}
s64 sys_sched_setattr(struct task *t, const u64 a[6]) {
  s64 r = HOST(SYS_sched_setattr, (int)a[0], ua_opt(t, a[1], SCHED_ATTR_MAX), (u32)a[2]);
  if (r == -E2BIG) ua_wrote(t, a[1], SCHED_PARAM_BYTES); /* the size that is known */
  return r;
}
s64 sys_sched_getattr(struct task *t, const u64 a[6]) {
  u32 size = (u32)a[2];
  s64 r = HOST(SYS_sched_getattr, (int)a[0], ua_opt(t, a[1], size), size, (u32)a[3]);
  if (!r) ua_wrote(t, a[1], size);
  return r;
}

static s64 interval(struct task *t, const u64 a[6], enum time_layout l) {
  struct timespec ts;
  s64 r = HOST(SYS_sched_rr_get_interval, (int)a[0], &ts);
  return r ? r : ts_write(t, a[1], &ts, l);
}

s64 sys_sched_rr_get_interval(struct task *t, const u64 a[6]) { return interval(t, a, time_layout(t)); }
s64 sys_sched_rr_get_interval_32(struct task *t, const u64 a[6]) { return interval(t, a, TIME_OLD32); }

/* --- Processors --- */

/* A mask of the host's width, of which i386 may have asked for a half more. */
enum { CPU_MASK_BYTES = 8192 / 8 };

s64 sys_sched_setaffinity(struct task *t, const u64 a[6]) {
  u64 mask[CPU_MASK_BYTES / 8] = {0}, len = (u32)a[1];
  if (len > sizeof mask) len = sizeof mask;
  if (ua_read(t, mask, a[2], len)) return -EFAULT;
  s64 r = HOST(SYS_sched_setaffinity, (int)a[0], sizeof mask, mask);
  if (!r) cpu_number_refresh(t->lvm);
  return r;
}

s64 sys_sched_getaffinity(struct task *t, const u64 a[6]) {
  u64 mask[CPU_MASK_BYTES / 8] = {0}, len = (u32)a[1], word = t->compat ? 4 : 8;
  if (len % word || (u32)(len * 8) == 0) return -EINVAL;
  s64 n = HOST(SYS_sched_getaffinity, (int)a[0], sizeof mask, mask);
  if (n < 0) return n;
  if (len < (u64)n) { /* too short only if processors are left out */
    const u8 *bytes = (const u8 *)mask;
    for (s64 i = (s64)len; i < n; i++)
      if (bytes[i]) return -EINVAL;
    if (!len) return -EINVAL;
    n = (s64)len;
  }
  return ua_write(t, a[2], mask, (u64)n) ? -EFAULT : n;
}

/* The host's, and what the vDSO says by its segment limit is to agree. */
s64 sys_getcpu(struct task *t, const u64 a[6]) {
  u32 cpu = 0, node = 0;
  s64 r = HOST(SYS_getcpu, &cpu, &node, NULL);
  if (r) return r;
  cpu_number_refresh(t->lvm);
  if (a[0] && ua_write32(t, a[0], cpu)) return -EFAULT;
  return a[1] && ua_write32(t, a[1], node) ? -EFAULT : 0;
}
