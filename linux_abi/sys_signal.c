/* The system calls about signals: man 2 sigaction, sigprocmask, sigpending, sigsuspend, sigwaitinfo,
 * sigaltstack, kill, tgkill, rt_sigqueueinfo, pause, signalfd. Linux kernel/signal.c, fs/signalfd.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "linux_abi/sigframe.h"
#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

enum { SET_BYTES = 8 }; /* the kernel's sigset_t */

/* --- Dispositions --- */

struct action64 {
  u64 handler, flags, restorer, mask;
};
struct action32 {
  u32 handler, flags, restorer, mask[2];
};
struct old_action32 {
  u32 handler, mask, flags, restorer;
};

s64 sys_rt_sigaction(struct task *t, const u64 a[6]) {
  struct action64 in, out;
  struct sig_action act = {0}, old;
  if (a[3] != SET_BYTES) return -EINVAL;
  if (a[1]) {
    if (ua_read(t, &in, a[1], sizeof in)) return -EFAULT;
    act = (struct sig_action){.handler = in.handler, .restorer = in.restorer, .mask = in.mask};
    act.flags = (u32)in.flags;
  }
  int r = sig_set_action(t, (int)a[0], a[1] ? &act : NULL, &old);
  if (r || !a[2]) return r;
  out = (struct action64){old.handler, old.flags, old.restorer, old.mask};
  return ua_write(t, a[2], &out, sizeof out);
}

s64 sys_rt_sigaction_32(struct task *t, const u64 a[6]) {
  struct action32 in, out;
  struct sig_action act = {0}, old;
  if (a[3] != SET_BYTES) return -EINVAL;
  if (a[1]) {
    if (ua_read(t, &in, a[1], sizeof in)) return -EFAULT;
    act = (struct sig_action){.handler = in.handler, .restorer = in.restorer, .flags = in.flags,
                              .mask = in.mask[0] | (u64)in.mask[1] << 32};
  }
  int r = sig_set_action(t, (int)a[0], a[1] ? &act : NULL, &old);
  if (r || !a[2]) return r;
  out = (struct action32){.handler = (u32)old.handler, .flags = old.flags, .restorer = (u32)old.restorer,
                          .mask = {(u32)old.mask, (u32)(old.mask >> 32)}};
  return ua_write(t, a[2], &out, sizeof out);
}

s64 sys_sigaction_32(struct task *t, const u64 a[6]) {
  struct old_action32 in, out;
  struct sig_action act = {0}, old;
  if (a[1]) {
    if (ua_read(t, &in, a[1], sizeof in)) return -EFAULT;
    act = (struct sig_action){.handler = in.handler, .restorer = in.restorer, .mask = in.mask};
    act.flags = in.flags;
  }
  int r = sig_set_action(t, (int)a[0], a[1] ? &act : NULL, &old);
  if (r || !a[2]) return r;
  out = (struct old_action32){.handler = (u32)old.handler, .mask = (u32)old.mask, .flags = old.flags,
                              .restorer = (u32)old.restorer};
  return ua_write(t, a[2], &out, sizeof out);
}

s64 sys_signal_32(struct task *t, const u64 a[6]) {
  const struct sig_action act = {.handler = a[1], .flags = SA_RESETHAND | SA_NODEFER};
  struct sig_action old;
  int r = sig_set_action(t, (int)a[0], &act, &old);
  return r ? r : (s64)old.handler;
}

/* --- The mask --- */

static int change_mask(struct task *t, int how, u64 set, u64 kept) {
  u64 now = t->sig->blocked;
  switch (how) {
    case SIG_BLOCK: sig_set_blocked(t, now | set); return 0;
    case SIG_UNBLOCK: sig_set_blocked(t, now & ~set); return 0;
    case SIG_SETMASK: sig_set_blocked(t, (now & kept) | set); return 0;
    default: return -EINVAL;
  }
}

s64 sys_rt_sigprocmask(struct task *t, const u64 a[6]) {
  u64 old = t->sig->blocked, set;
  if (a[3] != SET_BYTES) return -EINVAL;
  if (a[1]) {
    if (ua_read64(t, &set, a[1])) return -EFAULT;
    int r = change_mask(t, (int)a[0], set, 0);
    if (r) return r;
  }
  return a[2] ? ua_write64(t, a[2], old) : 0;
}

/* The calls from before there were real-time signals know the first 32. */
s64 sys_sigprocmask_32(struct task *t, const u64 a[6]) {
  u32 old = (u32)t->sig->blocked, set;
  if (a[1]) {
    if (ua_read32(t, &set, a[1])) return -EFAULT;
    int r = change_mask(t, (int)a[0], set, ~(u64)UINT32_MAX);
    if (r) return r;
  }
  return a[2] ? ua_write32(t, a[2], old) : 0;
}

s64 sys_sgetmask_32(struct task *t, const u64 a[6]) {
  (void)a;
  return (u32)t->sig->blocked;
}

s64 sys_ssetmask_32(struct task *t, const u64 a[6]) {
  u32 old = (u32)t->sig->blocked;
  sig_set_blocked(t, (u64)(s64)(s32)a[0]); /* as a negative int becomes a set on Linux */
  return old;
}

/* --- What is pending --- */

static u64 pending(const struct task *t) {
  const struct sig_state *s = t->sig;
  u64 host = 0;
  (void)HOST(SYS_rt_sigpending, &host, sizeof host);
  return ((host & ~s->theirs) | sig_queued(s)) & s->blocked;
}

s64 sys_rt_sigpending(struct task *t, const u64 a[6]) {
  u64 set = pending(t);
  if (a[1] > SET_BYTES) return -EINVAL;
  return ua_write(t, a[0], &set, a[1]);
}

s64 sys_sigpending_32(struct task *t, const u64 a[6]) { return ua_write32(t, a[0], (u32)pending(t)); }

/* --- Waiting --- */

static s64 wait_for_any(struct task *t) {
  (void)HOST_WAIT(&t->signal_pending, SYS_pause, 0);
  return -ERESTARTNOHAND;
}

s64 sys_pause(struct task *t, const u64 a[6]) {
  (void)a;
  return wait_for_any(t);
}

s64 sys_rt_sigsuspend(struct task *t, const u64 a[6]) {
  u64 mask;
  if (a[1] != SET_BYTES) return -EINVAL;
  if (ua_read64(t, &mask, a[0])) return -EFAULT;
  sig_set_temporary(t, mask);
  return wait_for_any(t);
}

s64 sys_sigsuspend_32(struct task *t, const u64 a[6]) {
  sig_set_temporary(t, (u32)a[2]);
  return wait_for_any(t);
}

static int write_info(struct task *t, u64 addr, const siginfo_t *info) {
  struct siginfo32 i32;
  struct siginfo64 i64;
  if (!t->compat) {
    siginfo_to_64(&i64, info);
    return ua_write(t, addr, &i64, sizeof i64);
  }
  siginfo_to_32(&i32, info);
  return ua_write(t, addr, &i32, sizeof i32);
}

static int read_info(struct task *t, siginfo_t *info, u64 addr, int signo) {
  struct siginfo32 i32;
  if (!t->compat) {
    if (ua_read(t, info, addr, sizeof *info)) return -EFAULT;
  } else {
    if (ua_read(t, &i32, addr, sizeof i32)) return -EFAULT;
    i32.signo = signo;
    siginfo_from_32(info, &i32);
  }
  info->si_signo = signo;
  return 0;
}

/* From our own queue, or the host's; a signal outside the set ends the wait, but one of the set goes
 * first. */
static s64 take_or_wait(struct task *t, u64 set, siginfo_t *info, const struct timespec *timeout) {
  const struct timespec none = {0, 0};
  int signo = sig_take(t->sig, set, info);
  if (signo) return signo;
  u64 host = set & ~t->sig->theirs;
  s64 r = HOST_WAIT(&t->signal_pending, SYS_rt_sigtimedwait, &host, info, timeout, sizeof host);
  if (r != HOST_NOT_BEGUN) return r;
  r = HOST(SYS_rt_sigtimedwait, &host, info, &none, sizeof host);
  return r == -EAGAIN ? -EINTR : r;
}

static s64 timed_wait(struct task *t, const u64 a[6], enum time_layout l) {
  u64 set;
  siginfo_t info;
  struct timespec ts;
  if (a[3] != SET_BYTES) return -EINVAL;
  if (ua_read64(t, &set, a[0])) return -EFAULT;
  if (a[2] && ts_read(t, &ts, a[2], l)) return -EFAULT;
  if (a[2] && !ts_valid(&ts)) return -EINVAL;
  s64 r = take_or_wait(t, set & ~SIG_UNBLOCKABLE, &info, a[2] ? &ts : NULL);
  if (r > 0 && a[1] && write_info(t, a[1], &info)) return -EFAULT;
  return r;
}

s64 sys_rt_sigtimedwait(struct task *t, const u64 a[6]) { return timed_wait(t, a, TIME_NATIVE); }
s64 sys_rt_sigtimedwait_32(struct task *t, const u64 a[6]) { return timed_wait(t, a, TIME_OLD32); }
s64 sys_rt_sigtimedwait_time64(struct task *t, const u64 a[6]) { return timed_wait(t, a, TIME_64); }

/* SIGSEGV and SIGBUS are not seen by it when they come while the program blocks them. */
static s64 signal_descriptor(struct task *t, const u64 a[6], u64 flags) {
  u64 set;
  int fd = (int)a[0];
  if (a[2] != SET_BYTES) return -EINVAL;
  if (ua_read64(t, &set, a[1])) return -EFAULT;
  files_ready(t);
  set &= ~(t->sig->theirs | SIG_UNBLOCKABLE);
  if (fd != -1 && lx_fd_hidden(t, fd)) return -EBADF;
  return HOST(SYS_signalfd4, fd, &set, sizeof set, (int)flags);
}

s64 sys_signalfd(struct task *t, const u64 a[6]) { return signal_descriptor(t, a, 0); }
s64 sys_signalfd4(struct task *t, const u64 a[6]) { return signal_descriptor(t, a, a[3]); }

/* --- Sending --- */

s64 sys_kill(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_kill, (int)a[0], (int)a[1]);
}

s64 sys_tkill(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_tkill, (int)a[0], (int)a[1]);
}

s64 sys_tgkill(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_tgkill, (int)a[0], (int)a[1], (int)a[2]);
}

/* A process may send itself what looks like a fault; the host's handler must not take it for one. */
static bool sent_to_self(struct task *t, int pid, int signo, const siginfo_t *info) {
  bool fault = signo == SIGSEGV || signo == SIGBUS || signo == SIGILL || signo == SIGFPE ||
               signo == SIGTRAP || signo == SIGSYS;
  if (!fault || info->si_code <= 0 || pid != t->pid) return false;
  if (sig_queue(t->sig, info)) t->signal_pending = 1;
  return true;
}

s64 sys_rt_sigqueueinfo(struct task *t, const u64 a[6]) {
  siginfo_t info;
  int pid = (int)a[0], signo = (int)a[1];
  if (read_info(t, &info, a[2], signo)) return -EFAULT;
  if (sent_to_self(t, pid, signo, &info)) return 0;
  return HOST(SYS_rt_sigqueueinfo, pid, signo, &info);
}

s64 sys_rt_tgsigqueueinfo(struct task *t, const u64 a[6]) {
  siginfo_t info;
  int signo = (int)a[2];
  if (read_info(t, &info, a[3], signo)) return -EFAULT;
  if ((int)a[1] == t->tid && sent_to_self(t, (int)a[0], signo, &info)) return 0;
  return HOST(SYS_rt_tgsigqueueinfo, (int)a[0], (int)a[1], signo, &info);
}

/* --- The alternate stack --- */

s64 sys_sigaltstack(struct task *t, const u64 a[6]) {
  const struct sig_state *s = t->sig;
  struct stack64 in, out = {.sp = s->alt_sp, .size = s->alt_size};
  out.flags = sigframe_altstack_flags(s, t->regs->sp) | (s->alt_flags & LX_SS_AUTODISARM);
  if (a[0]) {
    if (ua_read(t, &in, a[0], sizeof in)) return -EFAULT;
    int r = sigframe_set_altstack(t, in.sp, in.flags, in.size);
    if (r) return r;
  }
  return a[1] ? ua_write(t, a[1], &out, sizeof out) : 0;
}

s64 sys_sigaltstack_32(struct task *t, const u64 a[6]) {
  const struct sig_state *s = t->sig;
  struct stack32 in, out = {.sp = (u32)s->alt_sp, .size = (u32)s->alt_size};
  out.flags = sigframe_altstack_flags(s, t->regs->sp) | (s->alt_flags & LX_SS_AUTODISARM);
  if (a[0]) {
    if (ua_read(t, &in, a[0], sizeof in)) return -EFAULT;
    int r = sigframe_set_altstack(t, in.sp, in.flags, in.size);
    if (r) return r;
  }
  return a[1] ? ua_write(t, a[1], &out, sizeof out) : 0;
}
