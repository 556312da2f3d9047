/* Waiting for descriptors: man 2 poll, select, select_tut. Linux fs/select.c, kernel/compat.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

/* --- poll --- */

enum { FEW_FDS = 64, MOST_FDS = 1 << 20 };

/* Hidden descriptors look closed. */
static void cover_hidden(struct task *t, struct pollfd *fds, u64 n) {
  for (u64 i = 0; i < n; i++)
    if (fds[i].fd >= 0 && lx_fd_hidden(t, fds[i].fd)) fds[i].fd = INT_MAX;
}

static int write_events(struct task *t, u64 addr, const struct pollfd *fds, u64 n) {
  for (u64 i = 0; i < n; i++) {
    u64 at = addr + i * sizeof *fds + offsetof(struct pollfd, revents);
    if (ua_write16(t, at, (u16)fds[i].revents)) return -EFAULT;
  }
  return 0;
}

/* *left (NULL: wait for ever) becomes what is left. */
static s64 poll_fds(struct task *t, u64 addr, u64 n, struct timespec *left) {
  struct pollfd few[FEW_FDS], *fds = few;
  if (n > MOST_FDS) return -EINVAL;
  if (n > FEW_FDS && !(fds = malloc(n * sizeof *fds))) return -ENOMEM;
  s64 r = ua_read(t, fds, addr, n * sizeof *fds);
  if (!r) {
    cover_hidden(t, fds, n);
    r = SLEEP(t, SYS_ppoll, fds, n, left, 0, 0);
    if (r >= 0 && write_events(t, addr, fds, n)) r = -EFAULT;
  }
  if (fds != few) free(fds);
  return r;
}

/* restart_arg: fds, number, have a deadline, its seconds, its nanoseconds. */
static s64 poll_until(struct task *t, const u64 a[6]) {
  struct timespec end = {(s64)a[3], (s64)a[4]}, left = {0};
  if (a[2]) left = ts_left(CLOCK_MONOTONIC, &end);
  s64 r = poll_fds(t, a[0], a[1], a[2] ? &left : NULL);
  if (r != -EINTR) return r;
  t->restart_fn = poll_until;
  memcpy(t->restart_arg, a, sizeof t->restart_arg);
  return -ERESTART_RESTARTBLOCK;
}

s64 sys_poll(struct task *t, const u64 a[6]) {
  int ms = (int)a[2];
  struct timespec wait = {ms / 1000, ms % 1000 * 1000000L}, end = {0};
  if (ms > 0) end = ts_deadline(CLOCK_MONOTONIC, &wait);
  return poll_until(t, (const u64[6]){a[0], (u32)a[1], ms >= 0, (u64)end.tv_sec, (u64)end.tv_nsec});
}

/* poll_select_finish(): what is left is written back; if it cannot be, the call cannot be made again
 * either. */
static s64 finish_ts(struct task *t, s64 r, u64 addr, const struct timespec *left, enum time_layout l) {
  if (addr && !(t->personality & STICKY_TIMEOUTS) && ts_write(t, addr, left, l)) return r;
  return r == -EINTR ? -ERESTARTNOHAND : r;
}

static s64 poll_masked(struct task *t, const u64 a[6], enum time_layout l) {
  struct timespec left = {0};
  if (a[2] && ts_read(t, &left, a[2], l)) return -EFAULT;
  if (a[2] && !ts_valid(&left)) return -EINVAL;
  int m = sig_mask_enter(t, a[3], a[4]);
  if (m) return m;
  s64 r = poll_fds(t, a[0], (u32)a[1], a[2] ? &left : NULL);
  return sig_mask_leave(t, finish_ts(t, r, a[2], &left, l));
}

s64 sys_ppoll(struct task *t, const u64 a[6]) { return poll_masked(t, a, time_layout(t)); }
s64 sys_ppoll_32(struct task *t, const u64 a[6]) { return poll_masked(t, a, TIME_OLD32); }

/* --- select --- */

enum { FEW_BITS = 1024 };

struct fd_sets {
  u64 few[3][FEW_BITS / 64];
  u64 *set[3]; /* NULL: none given */
  u64 addr[3], bytes;
};

/* Linux looks at no more descriptors than its table has room for. */
static int table_size(void) {
  char line[128];
  int size = FEW_BITS;
  FILE *f = fopen("/proc/self/status", "re");
  while (f && fgets(line, sizeof line, f) && sscanf(line, "FDSize: %d", &size) != 1) continue;
  if (f) fclose(f);
  return size > FEW_BITS ? size : FEW_BITS;
}

static void sets_free(struct fd_sets *s) {
  for (unsigned i = 0; i < 3; i++)
    if (s->set[i] != s->few[i]) free(s->set[i]);
}

/* i386's sets are made of 32-bit words. 0, or -errno, and then there is nothing to free. */
static s64 sets_read(struct task *t, struct fd_sets *s, int n, const u64 addr[3]) {
  u64 bits = t->compat ? 32 : 64, room = ((u64)n + 63) / 64 * 8;
  s64 r = 0;
  s->bytes = ((u64)n + bits - 1) / bits * (bits / 8);
  for (unsigned i = 0; i < 3; i++) {
    s->addr[i] = addr[i];
    s->set[i] = !addr[i] ? NULL : n <= FEW_BITS ? s->few[i] : malloc(room);
    if (!addr[i] || r) continue;
    if (!s->set[i]) {
      r = -ENOMEM;
      continue;
    }
    memset(s->set[i], 0, room);
    r = ua_read(t, s->set[i], addr[i], s->bytes);
  }
  for (int fd = lx_fd_next_hidden(t, 0); !r && fd >= 0 && fd < n; fd = lx_fd_next_hidden(t, fd + 1))
    for (unsigned i = 0; i < 3; i++)
      if (s->set[i] && s->set[i][fd / 64] >> (fd % 64) & 1) r = -EBADF;
  if (r) sets_free(s);
  return r;
}

static s64 select_fds(struct task *t, int n, const u64 addr[3], struct timespec *left) {
  struct fd_sets s;
  if (n < 0) return -EINVAL;
  if (n > FEW_BITS) {
    int most = table_size();
    if (n > most) n = most;
  }
  s64 r = sets_read(t, &s, n, addr);
  if (r) return r;
  r = SLEEP(t, SYS_pselect6, n, s.set[0], s.set[1], s.set[2], left, 0);
  for (unsigned i = 0; i < 3 && r >= 0; i++)
    if (s.set[i] && ua_write(t, s.addr[i], s.set[i], s.bytes)) r = -EFAULT;
  sets_free(&s);
  return r;
}

/* Linux lets microseconds exceed a second here. */
s64 sys_select(struct task *t, const u64 a[6]) {
  struct timeval tv;
  struct timespec left = {0};
  if (a[4]) {
    if (tv_read(t, &tv, a[4])) return -EFAULT;
    left.tv_sec = (time_t)((u64)tv.tv_sec + (u64)(tv.tv_usec / 1000000));
    left.tv_nsec = tv.tv_usec % 1000000 * 1000;
    if (!ts_valid(&left)) return -EINVAL;
  }
  s64 r = select_fds(t, (int)a[0], a + 1, a[4] ? &left : NULL);
  tv = (struct timeval){left.tv_sec, left.tv_nsec / 1000};
  if (a[4] && !(t->personality & STICKY_TIMEOUTS) && tv_write(t, a[4], &tv)) return r;
  return r == -EINTR ? -ERESTARTNOHAND : r;
}

/* i386's first select has its arguments in memory. */
s64 sys_old_select(struct task *t, const u64 a[6]) {
  u32 in[5];
  if (ua_read(t, in, a[0], sizeof in)) return -EFAULT;
  return sys_select(t, (const u64[6]){in[0], in[1], in[2], in[3], in[4]});
}

static s64 select_masked(struct task *t, const u64 a[6], enum time_layout l) {
  struct timespec left = {0};
  u64 mask = 0, size = 0;
  if (a[5] && ua_read_word(t, &mask, a[5])) return -EFAULT;
  if (a[5] && ua_read_word(t, &size, a[5] + (t->compat ? 4 : 8))) return -EFAULT;
  if (a[4] && ts_read(t, &left, a[4], l)) return -EFAULT;
  if (a[4] && !ts_valid(&left)) return -EINVAL;
  int m = sig_mask_enter(t, mask, size);
  if (m) return m;
  s64 r = select_fds(t, (int)a[0], a + 1, a[4] ? &left : NULL);
  return sig_mask_leave(t, finish_ts(t, r, a[4], &left, l));
}

s64 sys_pselect6(struct task *t, const u64 a[6]) { return select_masked(t, a, time_layout(t)); }
s64 sys_pselect6_32(struct task *t, const u64 a[6]) { return select_masked(t, a, TIME_OLD32); }
