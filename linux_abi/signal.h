/* Signals: a program's dispositions, its mask and what waits for it; and how the host's signals become its
 * own. Linux kernel/signal.c, include/linux/signal.h; man 7 signal.
 *
 * The host keeps the books. The program's mask is the host thread's, and every disposition has its like on
 * the host:
 *
 *   the program's        on the host
 *   SIG_IGN              SIG_IGN
 *   SIG_DFL, ends it     our handler (sig_deliver() then ends the program)
 *   SIG_DFL, otherwise   SIG_DFL: stops, continues or does nothing as natively
 *   a handler            our handler
 *
 * So pending signals, their order and their siginfo are the host kernel's, kill() and timers are host
 * calls, and what is blocked interrupts nothing. Our handler takes one signal, blocks the others, and asks
 * for sig_deliver(), which builds the frame and sets the new mask; then the next may come.
 *
 * Two kinds of signals are not given to the host: SIGSEGV and SIGBUS, which are base/hostfault.h's and
 * never blocked there (one sent by a process waits in our own queue), and those for which the embedding
 * program had a handler of its own before sig_setup(): it keeps them. Other threads of the embedding
 * program should block all signals. */
#ifndef LINUX_ABI_SIGNAL_H
#define LINUX_ABI_SIGNAL_H

#include "base/host_sigaction.h"
#include "linux_abi/task.h"

enum { SIG_COUNT = HOST_SIGNALS, SIG_QUEUE = 16 };

/* Dispositions and flags as both ABIs number them: include/uapi/asm-generic/signal-defs.h. */
enum { LX_SIG_DFL = 0, LX_SIG_IGN = 1 };
#define LX_SA_RESTORER 0x04000000u
#define LX_SA_EXPOSE_TAGBITS 0x800u
#define LX_SA_KNOWN (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | LX_SA_RESTORER | SA_ONSTACK | SA_RESTART | \
                     SA_NODEFER | SA_RESETHAND | LX_SA_EXPOSE_TAGBITS)
#define LX_SS_AUTODISARM 0x80000000u

#define SIG_UNBLOCKABLE (host_sigbit(SIGKILL) | host_sigbit(SIGSTOP))
/* Those that the host raises for faults on guest memory. */
#define SIG_HOSTFAULT (host_sigbit(SIGSEGV) | host_sigbit(SIGBUS))

struct sig_action {
  u64 handler, restorer, mask;
  u32 flags;
  bool ia32; /* set by an i386 call: its handler gets an i386 frame */
};

struct sig_entry {
  u8 state; /* atomically, by signal handlers too: SIG_FREE, then SIG_TAKEN, then SIG_READY */
  u32 order;
  siginfo_t info;
};
enum { SIG_FREE, SIG_TAKEN, SIG_READY };

struct sig_state {
  struct sig_action act[SIG_COUNT + 1];
  u64 blocked;
  u64 saved;         /* what becomes `blocked` after the signals of a call with a mask of its own, */
  bool restore;      /* if this is set */
  u64 alt_sp, alt_size; /* sigaltstack; size 0: none */
  u32 alt_flags;
  u32 trapno, error; /* of the last fault */
  u64 cr2;
  bool fault;        /* fault_info waits, before all others */
  siginfo_t fault_info;
  bool held;         /* hooks.hold keeps one waiting behind a hypercall */
  bool told;         /* hooks.hold knows of the one that is delivered next */
  int instead;       /* it is replaced: by this one, 0: none; -1: no */
  u32 order;
  struct sig_entry queue[SIG_QUEUE];

  /* hostsig.c */
  struct host_sigaction before[SIG_COUNT + 1], now[SIG_COUNT + 1];
  u64 theirs;        /* the embedding program's own signals */
  u64 mask_before;
  volatile u64 mask_now; /* the host thread's; all: our handler has just taken a signal */
};

/* A signal whose handler is to be called. */
struct sig_handled {
  int signo;
  struct sig_action act; /* as it was */
  siginfo_t info;
};

/* --- signal.c --- */

/* Changes the mask; KILL and STOP are left out. What this lets in is delivered before ring 3. */
void sig_set_blocked(struct task *t, u64 mask);
/* The same until the signals that it lets in are delivered: sig_deliver() restores the mask or puts the
 * old one into the handler's frame. */
void sig_set_temporary(struct task *t, u64 mask);
/* For calls with a mask of their own (ppoll, pselect6, epoll_pwait): the mask at addr (0: none) is in
 * force from here on, so the host call needs none. 0, -EINVAL for size, or -EFAULT. sig_mask_leave() puts
 * the old mask back, unless result is -EINTR or a restart code: then that comes after the signals. It
 * returns result. */
MUST_CHECK int sig_mask_enter(struct task *t, u64 addr, u64 size);
s64 sig_mask_leave(struct task *t, s64 result);

/* do_sigaction(): 0 or -EINVAL. Either may be NULL. */
int sig_set_action(struct task *t, int signo, const struct sig_action *act, struct sig_action *old);
/* While a debugger may hold signals (lx_hooks.hold). Shall those that wait be taken in ring 3, at the boundary behind the
 * return from this entry? */
bool sig_hold_later(const struct task *t);
/* In ring 3: is the next signal held? Then the machine is asked to stop. */
bool sig_hold_now(struct task *t);
/* Behind a hypercall: one waits there. */
bool sig_held(const struct task *t);
/* SIGSEGV without an address, which cannot be held off: for frames that cannot be written or read. */
void sig_force_segv(struct task *t);
/* Into our own queue. Async-signal-safe. False: an ordinary signal that waits already, or no room. */
bool sig_queue(struct sig_state *s, const siginfo_t *info);
/* Takes a queued signal of the set; 0: none. */
int sig_take(struct sig_state *s, u64 set, siginfo_t *info);
/* What waits in our own queue. */
u64 sig_queued(const struct sig_state *s);
enum sig_default { SIGDFL_TERMINATE, SIGDFL_IGNORE, SIGDFL_STOP, SIGDFL_CONTINUE };
enum sig_default sig_default(int signo);

/* --- hostsig.c --- */

void hostsig_init(struct task *t);
void hostsig_free(struct task *t);
/* Makes the host's disposition follow act[signo]. */
void hostsig_action(struct task *t, int signo);
/* Makes the host's mask follow `blocked`, unless a signal waits to be delivered first. */
void hostsig_mask(struct task *t);

#endif
