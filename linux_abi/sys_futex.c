/* Futexes: man 2 futex. Linux kernel/futex/syscalls.c, kernel/futex/waitwake.c.
 *
 * A futex is the host's, at the word's host address, so other processes that share the memory meet it
 * there. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

/* restart_arg: address, operation, value, the deadline's seconds and nanoseconds, bits. */
static s64 wait_until(struct task *t, const u64 a[6]) {
  struct timespec end = {(time_t)a[3], (long)a[4]};
  s64 r = SLEEP(t, SYS_futex, ua_host(t, a[0], 4), (int)a[1], (u32)a[2], &end, 0, (u32)a[5]);
  if (r != -EINTR) return r;
  t->restart_fn = wait_until;
  memcpy(t->restart_arg, a, sizeof t->restart_arg);
  return -ERESTART_RESTARTBLOCK;
}

/* A wait with a timeout: relative for FUTEX_WAIT, else a point of time. */
static s64 timed_wait(struct task *t, const u64 a[6], int op, const struct timespec *ts) {
  bool relative = (op & FUTEX_CMD_MASK) == FUTEX_WAIT;
  struct timespec end = relative ? ts_deadline(CLOCK_MONOTONIC, ts) : *ts;
  if (relative) op = (op & ~FUTEX_CMD_MASK) | FUTEX_WAIT_BITSET;
  u64 bits = relative ? FUTEX_BITSET_MATCH_ANY : (u32)a[5];
  return wait_until(t, (const u64[6]){a[0], (u32)op, (u32)a[2], (u64)end.tv_sec, (u64)end.tv_nsec, bits});
}

static bool takes_timeout(int cmd) {
  return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET || cmd == FUTEX_LOCK_PI || cmd == FUTEX_LOCK_PI2 ||
         cmd == FUTEX_WAIT_REQUEUE_PI;
}

static s64 futex(struct task *t, const u64 a[6], enum time_layout l) {
  struct timespec ts;
  int op = (int)a[1], cmd = op & FUTEX_CMD_MASK;
  u32 val = (u32)a[2], val3 = (u32)a[5];
  void *word = ua_host(t, a[0], 4), *other = ua_host(t, a[4], 4);
  if (takes_timeout(cmd) && a[3]) {
    if (ts_read(t, &ts, a[3], l)) return -EFAULT;
    if (!ts_valid(&ts)) return -EINVAL;
    /* FUTEX_CLOCK_REALTIME with FUTEX_WAIT is the host's to refuse. */
    bool refused = cmd == FUTEX_WAIT && op & FUTEX_CLOCK_REALTIME;
    if ((cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET) && !refused) return timed_wait(t, a, op, &ts);
  }
  u64 fourth = takes_timeout(cmd) ? (u64)(uintptr_t)(a[3] ? &ts : NULL) : (u32)a[3];
  s64 r = SLEEP(t, SYS_futex, word, op, val, fourth, other, val3);
  if (r == -EINTR) return cmd == FUTEX_WAIT || cmd == FUTEX_WAIT_BITSET ? -ERESTARTSYS : -ERESTARTNOINTR;
  /* Locks and FUTEX_WAKE_OP store. */
  if (cmd >= FUTEX_WAKE_OP && r >= 0) {
    ua_wrote(t, a[0], 4);
    ua_wrote(t, a[4], 4);
  }
  return r;
}

s64 sys_futex(struct task *t, const u64 a[6]) { return futex(t, a, time_layout(t)); }
s64 sys_futex_32(struct task *t, const u64 a[6]) { return futex(t, a, TIME_OLD32); }
