/* Clocks, sleeping and interval timers: man 2 clock_gettime, nanosleep, gettimeofday, setitimer. Linux
 * kernel/time/posix-timers.c, hrtimer.c (hrtimer_nanosleep), time.c, itimer.c.
 *
 * The clocks that the vvar page has are answered by its formula, so that system calls and vDSO agree; the
 * others are the host's. Interval timers are the host's, and so are their signals. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

enum { NS_PER_SEC = 1000000000, NS_PER_US = 1000 };

/* --- Layouts --- */

int ts_read(const struct task *t, struct timespec *ts, u64 addr, enum time_layout l) {
  struct i386_timespec narrow;
  if (l == TIME_OLD32) {
    if (ua_read(t, &narrow, addr, sizeof narrow)) return -EFAULT;
    *ts = (struct timespec){narrow.tv_sec, narrow.tv_nsec};
    return 0;
  }
  if (ua_read(t, ts, addr, sizeof *ts)) return -EFAULT;
  /* get_timespec64(): the padding counts for nothing. */
  if (l == TIME_64) ts->tv_nsec = (long)(u32)ts->tv_nsec;
  return 0;
}

int ts_write(struct task *t, u64 addr, const struct timespec *ts, enum time_layout l) {
  struct i386_timespec narrow = {(s32)ts->tv_sec, (s32)ts->tv_nsec};
  return l == TIME_OLD32 ? ua_write(t, addr, &narrow, sizeof narrow) : ua_write(t, addr, ts, sizeof *ts);
}

int tv_read(const struct task *t, struct timeval *tv, u64 addr) {
  struct i386_timeval narrow;
  if (!t->compat) return ua_read(t, tv, addr, sizeof *tv);
  if (ua_read(t, &narrow, addr, sizeof narrow)) return -EFAULT;
  *tv = (struct timeval){narrow.tv_sec, narrow.tv_usec};
  return 0;
}

int tv_write(struct task *t, u64 addr, const struct timeval *tv) {
  struct i386_timeval narrow = {(s32)tv->tv_sec, (s32)tv->tv_usec};
  return t->compat ? ua_write(t, addr, &narrow, sizeof narrow) : ua_write(t, addr, tv, sizeof *tv);
}

/* --- Waits with an end --- */

struct timespec ts_deadline(clockid_t clock, const struct timespec *wait) {
  struct timespec now = {0, 0}, end;
  HOST(SYS_clock_gettime, clock, &now);
  end.tv_nsec = now.tv_nsec + wait->tv_nsec;
  bool carry = end.tv_nsec >= NS_PER_SEC;
  if (carry) end.tv_nsec -= NS_PER_SEC;
  if (__builtin_add_overflow(now.tv_sec, wait->tv_sec, &end.tv_sec) ||
      __builtin_add_overflow(end.tv_sec, carry, &end.tv_sec))
    end = (struct timespec){INT64_MAX, NS_PER_SEC - 1};
  return end;
}

struct timespec ts_left(clockid_t clock, const struct timespec *deadline) {
  struct timespec now = {0, 0}, left;
  HOST(SYS_clock_gettime, clock, &now);
  left.tv_sec = deadline->tv_sec - now.tv_sec;
  left.tv_nsec = deadline->tv_nsec - now.tv_nsec;
  if (left.tv_nsec < 0) {
    left.tv_nsec += NS_PER_SEC;
    left.tv_sec--;
  }
  return left.tv_sec < 0 ? (struct timespec){0, 0} : left;
}

/* --- Reading clocks --- */

static s64 read_clock(struct task *t, s32 clock, struct timespec *ts) {
  const struct vvar *v = lx_vvar(t);
  if (!v || !vvar_has(v, (u32)clock)) return HOST(SYS_clock_gettime, clock, ts);
  u64 ns = vvar_ns(v, (u32)clock, lx_tsc(t));
  *ts = (struct timespec){(time_t)(ns / NS_PER_SEC), (long)(ns % NS_PER_SEC)};
  return 0;
}

static s64 get_clock(struct task *t, const u64 a[6], enum time_layout l) {
  struct timespec ts;
  s64 r = read_clock(t, (s32)a[0], &ts);
  return r ? r : ts_write(t, a[1], &ts, l);
}

s64 sys_clock_gettime(struct task *t, const u64 a[6]) { return get_clock(t, a, time_layout(t)); }
s64 sys_clock_gettime_32(struct task *t, const u64 a[6]) { return get_clock(t, a, TIME_OLD32); }

static s64 get_resolution(struct task *t, const u64 a[6], enum time_layout l) {
  const struct vvar *v = lx_vvar(t);
  struct timespec ts = {0, 0};
  s64 r = 0;
  if (v && vvar_has(v, (u32)a[0]))
    ts.tv_nsec = vvar_resolution((u32)a[0]);
  else
    r = HOST(SYS_clock_getres, (s32)a[0], &ts);
  return r || !a[1] ? r : ts_write(t, a[1], &ts, l);
}

s64 sys_clock_getres(struct task *t, const u64 a[6]) { return get_resolution(t, a, time_layout(t)); }
s64 sys_clock_getres_32(struct task *t, const u64 a[6]) { return get_resolution(t, a, TIME_OLD32); }

static s64 set_clock(struct task *t, const u64 a[6], enum time_layout l) {
  struct timespec ts;
  if (ts_read(t, &ts, a[1], l)) return -EFAULT;
  return HOST(SYS_clock_settime, (s32)a[0], &ts);
}

s64 sys_clock_settime(struct task *t, const u64 a[6]) { return set_clock(t, a, time_layout(t)); }
s64 sys_clock_settime_32(struct task *t, const u64 a[6]) { return set_clock(t, a, TIME_OLD32); }

s64 sys_gettimeofday(struct task *t, const u64 a[6]) {
  struct timespec ts;
  struct timezone tz = {0};
  if (a[0]) {
    s64 r = read_clock(t, CLOCK_REALTIME, &ts);
    if (r) return r;
    struct timeval tv = {ts.tv_sec, ts.tv_nsec / NS_PER_US};
    if (tv_write(t, a[0], &tv)) return -EFAULT;
  }
  if (!a[1]) return 0;
  HOST(SYS_gettimeofday, NULL, &tz);
  return ua_write(t, a[1], &tz, sizeof tz);
}

s64 sys_settimeofday(struct task *t, const u64 a[6]) {
  struct timeval tv;
  struct timezone tz;
  if (a[0] && tv_read(t, &tv, a[0])) return -EFAULT;
  if (a[1] && ua_read(t, &tz, a[1], sizeof tz)) return -EFAULT;
  return HOST(SYS_settimeofday, a[0] ? &tv : NULL, a[1] ? &tz : NULL);
}

/* The seconds of the last tick. */
s64 sys_time(struct task *t, const u64 a[6]) {
  struct timespec ts;
  s64 r = read_clock(t, CLOCK_REALTIME_COARSE, &ts);
  if (r) return r;
  return a[0] && ua_write_word(t, a[0], (u64)ts.tv_sec) ? -EFAULT : ts.tv_sec;
}

s64 sys_stime(struct task *t, const u64 a[6]) {
  u32 seconds;
  if (ua_read32(t, &seconds, a[0])) return -EFAULT;
  struct timespec ts = {(s32)seconds, 0};
  return HOST(SYS_clock_settime, CLOCK_REALTIME, &ts);
}

s64 sys_times(struct task *t, const u64 a[6]) {
  struct tms b = {0};
  s64 ticks = HOST(SYS_times, &b);
  if (!a[0]) return ticks;
  struct i386_tms narrow = {(s32)b.tms_utime, (s32)b.tms_stime, (s32)b.tms_cutime, (s32)b.tms_cstime};
  int r = t->compat ? ua_write(t, a[0], &narrow, sizeof narrow) : ua_write(t, a[0], &b, sizeof b);
  return r ? r : ticks;
}

/* --- Sleeping --- */

/* restart_arg: clock, the deadline's seconds and nanoseconds, where to write what is left (0: nowhere),
 * its layout. */
static s64 sleep_until(struct task *t, const u64 a[6]) {
  struct timespec end = {(time_t)a[1], (long)a[2]};
  clockid_t clock = (clockid_t)a[0];
  s64 r = SLEEP(t, SYS_clock_nanosleep, clock, TIMER_ABSTIME, &end, NULL);
  if (r != -EINTR) return r;
  struct timespec left = ts_left(clock, &end);
  if (!left.tv_sec && !left.tv_nsec) return 0;
  if (a[3] && ts_write(t, a[3], &left, (enum time_layout)a[4])) return -EFAULT;
  t->restart_fn = sleep_until;
  memcpy(t->restart_arg, a, sizeof t->restart_arg);
  return -ERESTART_RESTARTBLOCK;
}

static s64 sleep_for(struct task *t, clockid_t clock, u64 wait, u64 left, enum time_layout l) {
  struct timespec ts;
  if (ts_read(t, &ts, wait, l)) return -EFAULT;
  if (!ts_valid(&ts)) return -EINVAL;
  /* hrtimer_nanosleep(): setting the clock does not shorten a sleep by it. */
  if (clock == CLOCK_REALTIME) clock = CLOCK_MONOTONIC;
  struct timespec end = ts_deadline(clock, &ts);
  return sleep_until(t, (const u64[6]){(u64)clock, (u64)end.tv_sec, (u64)end.tv_nsec, left, l});
}

s64 sys_nanosleep(struct task *t, const u64 a[6]) {
  return sleep_for(t, CLOCK_MONOTONIC, a[0], a[1], t->compat ? TIME_OLD32 : TIME_NATIVE);
}

static s64 clock_sleep(struct task *t, const u64 a[6], enum time_layout l) {
  struct timespec end;
  if (!((int)a[1] & TIMER_ABSTIME)) return sleep_for(t, (clockid_t)a[0], a[2], a[3], l);
  if (ts_read(t, &end, a[2], l)) return -EFAULT;
  s64 r = SLEEP(t, SYS_clock_nanosleep, (clockid_t)a[0], TIMER_ABSTIME, &end, NULL);
  return r == -EINTR ? -ERESTARTNOHAND : r;
}

s64 sys_clock_nanosleep(struct task *t, const u64 a[6]) { return clock_sleep(t, a, time_layout(t)); }
s64 sys_clock_nanosleep_32(struct task *t, const u64 a[6]) { return clock_sleep(t, a, TIME_OLD32); }

/* --- Interval timers --- */

s64 sys_alarm(struct task *t, const u64 a[6]) {
  t->itimers |= 1u << ITIMER_REAL;
  return HOST(SYS_alarm, (u32)a[0]);
}

static u64 timeval_size(const struct task *t) {
  return t->compat ? sizeof(struct i386_timeval) : sizeof(struct timeval);
}

static s64 put_timer(struct task *t, u64 addr, const struct itimerval *it) {
  if (tv_write(t, addr, &it->it_interval)) return -EFAULT;
  return tv_write(t, addr + timeval_size(t), &it->it_value);
}

s64 sys_getitimer(struct task *t, const u64 a[6]) {
  struct itimerval it;
  s64 r = HOST(SYS_getitimer, (int)a[0], &it);
  return r ? r : put_timer(t, a[1], &it);
}

s64 sys_setitimer(struct task *t, const u64 a[6]) {
  struct itimerval it = {0}, old;
  if (a[1] && tv_read(t, &it.it_interval, a[1])) return -EFAULT;
  if (a[1] && tv_read(t, &it.it_value, a[1] + timeval_size(t))) return -EFAULT;
  s64 r = HOST(SYS_setitimer, (int)a[0], &it, &old);
  if (!r) t->itimers |= 1u << (unsigned)a[0];
  return r || !a[2] ? r : put_timer(t, a[2], &old);
}
