/* Descriptors that tell of events: man 7 epoll, 2 eventfd, timerfd_create, 7 inotify. Linux
 * fs/eventpoll.c, fs/eventfd.c, fs/timerfd.c, fs/notify/inotify. Their structures are alike in both ABIs
 * but for timespecs; struct epoll_event is packed. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

_Static_assert(sizeof(struct epoll_event) == 12, "packed");

s64 sys_epoll_create(struct task *t, const u64 a[6]) {
  files_ready(t);
  return HOST(SYS_epoll_create, (int)a[0]);
}
s64 sys_epoll_create1(struct task *t, const u64 a[6]) {
  files_ready(t);
  return HOST(SYS_epoll_create1, (int)a[0]);
}
s64 sys_epoll_ctl(struct task *t, const u64 a[6]) {
  return HOST(SYS_epoll_ctl, fd_arg(t, a[0]), (int)a[1], fd_arg(t, a[2]),
              ua_opt(t, a[3], sizeof(struct epoll_event)));
}

/* A signal always ends it with -EINTR. */
static s64 wait_events(struct task *t, const u64 a[6], const struct timespec *timeout) {
  int most = (int)a[2], fd = fd_arg(t, a[0]);
  u64 bytes = most > 0 ? (u64)most * sizeof(struct epoll_event) : 0;
  void *events = ua_host(t, a[1], bytes);
  s64 r = SLEEP(t, SYS_epoll_pwait2, fd, events, most, timeout, 0, 8);
  if (r > 0) ua_wrote(t, a[1], (u64)r * sizeof(struct epoll_event));
  return r;
}

static s64 wait_ms(struct task *t, const u64 a[6]) {
  int ms = (int)a[3];
  struct timespec timeout = {ms / 1000, ms % 1000 * 1000000L};
  return wait_events(t, a, ms < 0 ? NULL : &timeout);
}

s64 sys_epoll_wait(struct task *t, const u64 a[6]) { return wait_ms(t, a); }

s64 sys_epoll_pwait(struct task *t, const u64 a[6]) {
  int m = sig_mask_enter(t, a[4], a[5]);
  return m ? m : sig_mask_leave(t, wait_ms(t, a));
}

s64 sys_epoll_pwait2(struct task *t, const u64 a[6]) {
  struct timespec timeout;
  if (a[3] && ts_read(t, &timeout, a[3], time_layout(t))) return -EFAULT;
  if (a[3] && !ts_valid(&timeout)) return -EINVAL;
  int m = sig_mask_enter(t, a[4], a[5]);
  return m ? m : sig_mask_leave(t, wait_events(t, a, a[3] ? &timeout : NULL));
}

s64 sys_eventfd(struct task *t, const u64 a[6]) {
  files_ready(t);
  return HOST(SYS_eventfd2, (u32)a[0], 0);
}
s64 sys_eventfd2(struct task *t, const u64 a[6]) {
  files_ready(t);
  return HOST(SYS_eventfd2, (u32)a[0], (int)a[1]);
}

/* --- timerfd --- */

s64 sys_timerfd_create(struct task *t, const u64 a[6]) {
  files_ready(t);
  return HOST(SYS_timerfd_create, (int)a[0], (int)a[1]);
}

static u64 spec_half(enum time_layout l) {
  return l == TIME_OLD32 ? sizeof(struct i386_timespec) : sizeof(struct timespec);
}

static int spec_write(struct task *t, u64 addr, const struct itimerspec *its, enum time_layout l) {
  if (ts_write(t, addr, &its->it_interval, l)) return -EFAULT;
  return ts_write(t, addr + spec_half(l), &its->it_value, l);
}

static s64 timer_set(struct task *t, const u64 a[6], enum time_layout l) {
  struct itimerspec its, old;
  if (ts_read(t, &its.it_interval, a[2], l)) return -EFAULT;
  if (ts_read(t, &its.it_value, a[2] + spec_half(l), l)) return -EFAULT;
  s64 r = HOST(SYS_timerfd_settime, fd_arg(t, a[0]), (int)a[1], &its, &old);
  return !r && a[3] ? spec_write(t, a[3], &old, l) : r;
}

static s64 timer_get(struct task *t, const u64 a[6], enum time_layout l) {
  struct itimerspec its;
  s64 r = HOST(SYS_timerfd_gettime, fd_arg(t, a[0]), &its);
  return r ? r : spec_write(t, a[1], &its, l);
}

s64 sys_timerfd_settime(struct task *t, const u64 a[6]) { return timer_set(t, a, time_layout(t)); }
s64 sys_timerfd_settime_32(struct task *t, const u64 a[6]) { return timer_set(t, a, TIME_OLD32); }
s64 sys_timerfd_gettime(struct task *t, const u64 a[6]) { return timer_get(t, a, time_layout(t)); }
s64 sys_timerfd_gettime_32(struct task *t, const u64 a[6]) { return timer_get(t, a, TIME_OLD32); }

/* --- inotify --- */

s64 sys_inotify_init(struct task *t, const u64 a[6]) {
  (void)a;
  files_ready(t);
  return HOST(SYS_inotify_init1, 0);
}
s64 sys_inotify_init1(struct task *t, const u64 a[6]) {
  files_ready(t);
  return HOST(SYS_inotify_init1, (int)a[0]);
}
s64 sys_inotify_add_watch(struct task *t, const u64 a[6]) {
  return HOST(SYS_inotify_add_watch, fd_arg(t, a[0]), path_arg(t, a[1]), (u32)a[2]);
}
s64 sys_inotify_rm_watch(struct task *t, const u64 a[6]) {
  return HOST(SYS_inotify_rm_watch, fd_arg(t, a[0]), (int)a[1]);
}
