/* What waits for the program, what becomes of it, and the mask: Linux kernel/signal.c (get_signal,
 * do_sigaction, force_sig_info_to_task), arch/x86/kernel/signal.c (arch_do_signal_or_restart,
 * handle_signal). */
#define _GNU_SOURCE
#include "linux_abi/signal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hostcall.h"
#include "linux_abi/lvm.h"
#include "linux_abi/sigframe.h"
#include "linux_abi/uaccess.h"

/* --- The queue --- */

/* Linux dequeues these before others: kernel/signal.c, next_signal(). */
#define SYNCHRONOUS (host_sigbit(SIGSEGV) | host_sigbit(SIGBUS) | host_sigbit(SIGILL) | \
                     host_sigbit(SIGTRAP) | host_sigbit(SIGFPE) | host_sigbit(SIGSYS))

enum { FIRST_RT = 32 }; /* the kernel's SIGRTMIN: from here on every one sent counts */

static u8 entry_state(const struct sig_entry *e) { return __atomic_load_n(&e->state, __ATOMIC_ACQUIRE); }

u64 sig_queued(const struct sig_state *s) {
  u64 set = 0;
  for (unsigned i = 0; i < SIG_QUEUE; i++)
    if (entry_state(&s->queue[i]) == SIG_READY) set |= host_sigbit(s->queue[i].info.si_signo);
  return set;
}

bool sig_queue(struct sig_state *s, const siginfo_t *info) {
  if (info->si_signo < FIRST_RT && (sig_queued(s) & host_sigbit(info->si_signo))) return false;
  for (unsigned i = 0; i < SIG_QUEUE; i++) {
    struct sig_entry *e = &s->queue[i];
    if (!__sync_bool_compare_and_swap(&e->state, SIG_FREE, SIG_TAKEN)) continue;
    e->info = *info;
    e->order = __atomic_fetch_add(&s->order, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&e->state, SIG_READY, __ATOMIC_RELEASE);
    return true;
  }
  return false;
}

/* The queued signal of the set that comes first, or NULL. */
static const struct sig_entry *sig_first(const struct sig_state *s, u64 set) {
  const struct sig_entry *best = NULL;
  if (sig_queued(s) & set & SYNCHRONOUS) set &= SYNCHRONOUS;
  for (unsigned i = 0; i < SIG_QUEUE; i++) {
    const struct sig_entry *e = &s->queue[i];
    if (entry_state(e) != SIG_READY || !(host_sigbit(e->info.si_signo) & set)) continue;
    if (best && e->info.si_signo > best->info.si_signo) continue;
    if (best && e->info.si_signo == best->info.si_signo && (s32)(e->order - best->order) > 0) continue;
    best = e;
  }
  return best;
}

int sig_take(struct sig_state *s, u64 set, siginfo_t *info) {
  struct sig_entry *best = (struct sig_entry *)(uintptr_t)sig_first(s, set);
  if (!best) return 0;
  *info = best->info;
  __atomic_store_n(&best->state, SIG_FREE, __ATOMIC_RELEASE);
  return info->si_signo;
}

static void forget(struct sig_state *s, int signo) {
  siginfo_t gone;
  while (sig_take(s, host_sigbit(signo), &gone)) continue;
}

static bool deliverable(const struct sig_state *s) { return s->fault || (sig_queued(s) & ~s->blocked); }

/* --- The mask --- */

void sig_set_blocked(struct task *t, u64 mask) {
  struct sig_state *s = t->sig;
  s->blocked = mask & ~SIG_UNBLOCKABLE;
  hostsig_mask(t);
  if (deliverable(s)) t->signal_pending = 1;
}

void sig_set_temporary(struct task *t, u64 mask) {
  struct sig_state *s = t->sig;
  s->saved = s->blocked;
  s->restore = true;
  sig_set_blocked(t, mask);
}

static void restore_mask(struct task *t) {
  if (!t->sig->restore) return;
  t->sig->restore = false;
  sig_set_blocked(t, t->sig->saved);
}

int sig_mask_enter(struct task *t, u64 addr, u64 size) {
  u64 mask;
  if (!addr) return 0;
  if (size != sizeof mask) return -EINVAL;
  if (ua_read64(t, &mask, addr)) return -EFAULT;
  sig_set_temporary(t, mask);
  return 0;
}

s64 sig_mask_leave(struct task *t, s64 result) {
  bool interrupted = result == -EINTR || (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK);
  if (interrupted && t->sig->restore)
    t->signal_pending = 1; /* sig_deliver() has something to restore, even without a signal */
  else
    restore_mask(t);
  return result;
}

/* --- Dispositions --- */

enum sig_default sig_default(int signo) {
  switch (signo) {
    case SIGCHLD: case SIGURG: case SIGWINCH: return SIGDFL_IGNORE;
    case SIGCONT: return SIGDFL_CONTINUE;
    case SIGSTOP: case SIGTSTP: case SIGTTIN: case SIGTTOU: return SIGDFL_STOP;
    default: return SIGDFL_TERMINATE;
  }
}

static bool ignored(const struct sig_action *a, int signo) {
  if (a->handler == LX_SIG_IGN) return true;
  enum sig_default d = sig_default(signo);
  return a->handler == LX_SIG_DFL && (d == SIGDFL_IGNORE || d == SIGDFL_CONTINUE);
}

int sig_set_action(struct task *t, int signo, const struct sig_action *act, struct sig_action *old) {
  struct sig_state *s = t->sig;
  if (signo < 1 || signo > SIG_COUNT || (act && (host_sigbit(signo) & SIG_UNBLOCKABLE))) return -EINVAL;
  if (old) *old = s->act[signo];
  if (!act) return 0;
  s->act[signo] = *act;
  s->act[signo].flags &= LX_SA_KNOWN;
  s->act[signo].mask &= ~SIG_UNBLOCKABLE;
  s->act[signo].ia32 = t->compat;
  hostsig_action(t, signo);
  if (ignored(act, signo)) forget(s, signo);
  return 0;
}

/* --- Faults --- */

/* Blocked or ignored, it takes the default action: force_sig_info_to_task(). */
static void force(struct task *t, const siginfo_t *info) {
  struct sig_state *s = t->sig;
  u64 bit = host_sigbit(info->si_signo);
  struct sig_action *a = &s->act[info->si_signo];
  if ((s->blocked & bit) || a->handler == LX_SIG_IGN) {
    a->handler = LX_SIG_DFL;
    s->blocked &= ~bit;
    hostsig_action(t, info->si_signo);
  }
  if (!s->fault) s->fault_info = *info;
  s->fault = true;
  t->signal_pending = 1;
}

int sig_fault(struct task *t, int signo, int code, u64 addr, unsigned trapno, u32 error) {
  struct sig_state *s = t->sig;
  siginfo_t info = {.si_signo = signo, .si_code = code};
  info.si_addr = (void *)(uintptr_t)addr;
  s->trapno = trapno;
  s->error = error;
  if (trapno == VEC_PF) s->cr2 = t->cpu->cr2;
  force(t, &info);
  return 0;
}

void sig_force_segv(struct task *t) {
  const siginfo_t info = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
  force(t, &info);
}

/* --- Delivery --- */

static void stop_now(struct task *t, int signo) {
  (void)t, (void)signo;
  (void)HOST(SYS_kill, getpid(), SIGSTOP);
}

static bool next(struct sig_state *s, siginfo_t *info) {
  if (!s->fault) return sig_take(s, ~s->blocked, info);
  *info = s->fault_info;
  s->fault = false;
  return true;
}

/* What next() would give; it stays. */
static bool peek(const struct sig_state *s, siginfo_t *info) {
  const struct sig_entry *e = s->fault ? NULL : sig_first(s, ~s->blocked);
  if (!s->fault && !e) return false;
  *info = s->fault ? s->fault_info : e->info;
  return true;
}

/* --- A debugger between --- */

static bool may_hold(const struct task *t) { return t->lvm->options.hooks.hold && !t->sig->told; }

/* Asks about the signal that is next. Those that are ignored are left to next_handled(). */
static bool hold(struct task *t) {
  const struct lx_hooks *hooks = &t->lvm->options.hooks;
  struct sig_state *s = t->sig;
  siginfo_t info;
  if (!may_hold(t) || !peek(s, &info) || ignored(&s->act[info.si_signo], info.si_signo)) return false;
  if (!hooks->hold(hooks->opaque, t, &info)) return false;
  s->told = true;
  s->instead = -1;
  lx_stop(t->lvm);
  return true;
}

/* There is one that will be asked about: not where all are blocked, which would never end. */
bool sig_hold_later(const struct task *t) {
  siginfo_t info;
  return may_hold(t) && peek(t->sig, &info) && !ignored(&t->sig->act[info.si_signo], info.si_signo);
}
bool sig_hold_now(struct task *t) { return hold(t); }
bool sig_held(const struct task *t) { return t->sig->held; }

void lx_signal_told(struct linux_vm *lvm) {
  struct sig_state *s = lvm->task.sig;
  s->told = true;
  s->instead = -1;
}

void lx_replace_signal(struct linux_vm *lvm, int signo) {
  struct sig_state *s = lvm->task.sig;
  if (s && s->told) s->instead = signo;
}

void lx_send_signal(struct linux_vm *lvm, int signo) {
  const siginfo_t info = {.si_signo = signo, .si_code = SI_USER};
  if (signo > 0 && signo <= SIG_COUNT && sig_queue(lvm->task.sig, &info)) lx_signal_arrived(&lvm->task);
}

/* The signal just taken is the one that was held: what a debugger made of it. False: nothing is left of it. */
static bool replaced(struct sig_state *s, siginfo_t *info) {
  int instead = s->told ? s->instead : -1;
  s->told = false;
  if (instead < 0 || instead == info->si_signo) return true;
  *info = (siginfo_t){.si_signo = instead, .si_code = SI_USER};
  return instead > 0 && instead <= SIG_COUNT;
}

/* In the kernel, where only a debugger's hold can leave signals behind. */
static bool hold_here(struct task *t) {
  t->sig->held = hold(t);
  return t->sig->held;
}

/* Takes signals until one has a handler. False: none is left, one is held, or the program has ended. */
static bool next_handled(struct task *t, struct sig_handled *h) {
  struct sig_state *s = t->sig;
  const struct lx_hooks *hooks = &t->lvm->options.hooks;
  while (!hold_here(t) && next(s, &h->info)) {
    if (!replaced(s, &h->info)) continue;
    int signo = h->signo = h->info.si_signo;
    struct sig_action *a = &s->act[signo];
    if (ignored(a, signo)) continue;
    if (hooks->signal) hooks->signal(hooks->opaque, t, &h->info);
    if (a->handler == LX_SIG_DFL && sig_default(signo) == SIGDFL_STOP) {
      stop_now(t, signo);
    } else if (a->handler == LX_SIG_DFL) {
      lx_kill(t, signo);
      return false;
    } else {
      h->act = *a;
      if (a->flags & SA_RESETHAND) {
        a->handler = LX_SIG_DFL;
        hostsig_action(t, signo);
      }
      return true;
    }
  }
  return false;
}

/* The result of the call in progress if it is one of the restart codes; else 0. */
static int restart_code(const struct task *t) {
  const struct pt_regs *r = t->regs;
  s64 code = -(s64)r->ax;
  bool known = code == ERESTARTSYS || code == ERESTARTNOINTR || code == ERESTARTNOHAND ||
               code == ERESTART_RESTARTBLOCK;
  return r->orig_ax != ~UINT64_C(0) && known ? (int)code : 0;
}

/* The instruction before ip is the call: INT 80h, SYSCALL, and the INT 80h before the vDSO's landing pad
 * are all of two bytes. */
static void call_again(struct task *t, u64 nr) {
  t->regs->ax = nr;
  t->regs->ip -= 2;
}

static void settle_with_handler(struct task *t, const struct sig_action *a) {
  int code = restart_code(t);
  if (code == ERESTARTNOINTR || (code == ERESTARTSYS && (a->flags & SA_RESTART)))
    call_again(t, t->regs->orig_ax);
  else if (code)
    t->regs->ax = (u64)(s64)-EINTR;
}

static void settle_without_handler(struct task *t) {
  enum { RESTART_64 = 219, RESTART_32 = 0 };
  int code = restart_code(t);
  if (code == ERESTART_RESTARTBLOCK)
    call_again(t, t->compat ? RESTART_32 : RESTART_64);
  else if (code)
    call_again(t, t->regs->orig_ax);
}

/* handle_signal(), signal_setup_done() */
static void start_handler(struct task *t, const struct sig_handled *h) {
  struct sig_state *s = t->sig;
  settle_with_handler(t, &h->act);
  if (sigframe_push(t, h)) {
    if (h->signo == SIGSEGV) s->act[SIGSEGV].handler = LX_SIG_DFL;
    sig_force_segv(t);
    return;
  }
  t->regs->flags &= ~(u64)(EF_DF | EF_RF | EF_TF);
  sigfpu_reset(t);
  s->restore = false;
  if (s->alt_flags & LX_SS_AUTODISARM) {
    s->alt_sp = s->alt_size = 0;
    s->alt_flags = SS_DISABLE;
  }
  sig_set_blocked(t, s->blocked | h->act.mask | (h->act.flags & SA_NODEFER ? 0 : host_sigbit(h->signo)));
}

void sig_deliver(struct task *t) {
  struct sig_state *s = t->sig;
  struct sig_handled h;
  do {
    t->signal_pending = 0;
    while (next_handled(t, &h)) start_handler(t, &h);
    if (t->exiting || s->held) return;
    settle_without_handler(t);
    restore_mask(t);
    hostsig_mask(t);
  } while (deliverable(s));
}

/* --- Beginning and end --- */

int sig_setup(struct task *t) {
  t->sig = calloc(1, sizeof *t->sig);
  if (!t->sig) return -ENOMEM;
  hostsig_init(t);
  return 0;
}

void sig_free(struct task *t) {
  if (!t->sig) return;
  hostsig_free(t);
  free(t->sig);
  t->sig = NULL;
}
