/* The host's signals as the program's: dispositions and the mask carried over to the host, and the handler
 * that takes what comes. man 2 sigaction, sigprocmask; man 7 signal-safety. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/hostcall.h"
#include "linux_abi/signal.h"

/* The task that this thread made, for signals that come while it does not run: like base/hostfault.h's, a
 * handler has only its thread to start from. */
static _Thread_local struct task *owner;

#define ALL_SIGNALS (~(SIG_UNBLOCKABLE | SIG_HOSTFAULT))

static u64 holdable(const struct sig_state *s) { return ALL_SIGNALS & ~s->theirs; }

/* A fault of the emulator itself: not the program's affair. */
static bool own_fault(int signo, const siginfo_t *info) {
  bool synchronous = signo == SIGILL || signo == SIGFPE || signo == SIGTRAP || signo == SIGSYS;
  return synchronous && info->si_code > 0;
}

static void default_action(int signo) {
  const struct host_sigaction dfl = {0};
  (void)host_sigaction(signo, &dfl, NULL);
}

/* The faulting instruction is about to be repeated, or the signal to be raised again, in front of whoever
 * handled it before. */
static void not_ours(const struct task *t, int signo, const siginfo_t *info) {
  if (t)
    (void)host_sigaction(signo, &t->sig->before[signo], NULL);
  else
    default_action(signo);
  if (!own_fault(signo, info)) (void)raise(signo);
}

static void on_signal(int signo, siginfo_t *info, void *context) {
  int saved_errno = errno;
  struct task *t = lx_current();
  if (!t || !t->sig) t = owner;
  if (!t || own_fault(signo, info)) {
    not_ours(t, signo, info);
  } else {
    /* One at a time: the others wait in the host's kernel, which knows their order. */
    *host_context_mask(context) |= holdable(t->sig);
    t->sig->mask_now = ~UINT64_C(0);
    sig_host(t, signo, info);
    host_wait_signal(context);
  }
  errno = saved_errno;
}

void sig_host(struct task *t, int signo, const siginfo_t *info) {
  struct sig_state *s = t->sig;
  u64 bit = host_sigbit(signo);
  siginfo_t known = *info;
  if (!s) return;
  if ((bit & SIG_HOSTFAULT) && !(s->blocked & bit) && s->act[signo].handler == LX_SIG_IGN) return;
  known.si_signo = signo;
  if (sig_queue(s, &known)) lx_signal_arrived(t);
}

/* --- Dispositions --- */

static bool mirrored(const struct sig_state *s, int signo) { return holdable(s) & host_sigbit(signo); }

static struct host_sigaction like(const struct sig_action *act, int signo) {
  struct host_sigaction h = {.flags = SA_SIGINFO, .mask = ALL_SIGNALS};
  if (signo == SIGCHLD) h.flags |= act->flags & (SA_NOCLDSTOP | SA_NOCLDWAIT);
  bool catch = act->handler > LX_SIG_IGN || sig_default(signo) == SIGDFL_TERMINATE;
  if (act->handler == LX_SIG_IGN)
    h.handler = HOST_SIG_IGN;
  else if (catch)
    h.handler = (uintptr_t)on_signal;
  return h;
}

void hostsig_action(struct task *t, int signo) {
  struct sig_state *s = t->sig;
  if (!mirrored(s, signo)) return;
  struct host_sigaction h = like(&s->act[signo], signo), *now = &s->now[signo];
  /* Ignoring also forgets what is pending, so that is always done. */
  bool drops = h.handler != (uintptr_t)on_signal;
  if (h.handler == now->handler && h.flags == now->flags && !drops) return;
  *now = h;
  (void)host_sigaction(signo, &h, NULL);
}

/* --- The mask --- */

void hostsig_mask(struct task *t) {
  struct sig_state *s = t->sig;
  /* Those of base/hostfault.h take their turn among the others. */
  if (s->fault || (sig_queued(s) & ~s->blocked & ~SIG_HOSTFAULT)) return;
  u64 want = (s->blocked & holdable(s)) | (s->mask_before & ~holdable(s));
  if (want == s->mask_now) return;
  /* In this order: should our handler come in between, then mask_now says so afterwards. */
  s->mask_now = want;
  host_sigmask(&want, NULL);
}

/* --- Beginning and end --- */

void hostsig_init(struct task *t) {
  struct sig_state *s = t->sig;
  host_sigmask(NULL, &s->mask_before);
  s->mask_now = s->mask_before;
  s->blocked = s->mask_before & ~SIG_UNBLOCKABLE;
  if (!owner) owner = t;
  for (int n = 1; n <= SIG_COUNT; n++) {
    if (!(ALL_SIGNALS & host_sigbit(n))) continue;
    (void)host_sigaction(n, NULL, &s->before[n]);
    s->now[n] = s->before[n];
    bool synchronous = n == SIGILL || n == SIGFPE || n == SIGTRAP || n == SIGSYS || n == SIGABRT;
    if (s->before[n].handler == HOST_SIG_IGN)
      s->act[n].handler = LX_SIG_IGN; /* inherited, as by execve() */
    else if (s->before[n].handler && !synchronous)
      s->theirs |= host_sigbit(n);
    hostsig_action(t, n);
  }
}

/* A signal that the program left pending ends with it, and must not hit the emulator. */
static void forget_pending(const struct sig_state *s) {
  const struct timespec none = {0, 0};
  u64 pending = 0;
  for (int n = 0; n < 1024; n++) {
    if (HOST(SYS_rt_sigpending, &pending, sizeof pending) < 0) return;
    pending &= holdable(s) & ~s->mask_before;
    if (!pending || HOST(SYS_rt_sigtimedwait, &pending, NULL, &none, sizeof pending) < 0) return;
  }
}

void hostsig_free(struct task *t) {
  struct sig_state *s = t->sig;
  const u64 all = ~UINT64_C(0) & ~SIG_HOSTFAULT;
  host_sigmask(&all, NULL);
  forget_pending(s);
  for (int n = 1; n <= SIG_COUNT; n++)
    if (mirrored(s, n)) (void)host_sigaction(n, &s->before[n], NULL);
  if (owner == t) owner = NULL;
  host_sigmask(&s->mask_before, NULL);
}
