/* Signals: a program's dispositions, its mask and what waits for it; and how the host's signals become its own.
 * Linux kernel/signal.c, arch/x86/kernel/signal.c; man 7 signal.
 *
 * The host keeps the books. The program's mask is the host thread's, and every disposition has its like on the host:
 *
 *   program's            on the host
 *   SIG_IGN              SIG_IGN
 *   SIG_DFL, ends it     our handler (sig_deliver() then ends the program)
 *   SIG_DFL, otherwise   SIG_DFL: stops, continues or does nothing as natively
 *   a handler            our handler
 *
 * So pending signals, their order and their siginfo are the host kernel's, kill() and timers are host calls, and what
 * is blocked interrupts nothing. Our handler takes one signal, blocks the others, and asks for sig_deliver(), which
 * builds the frame and sets the new mask; then the next may come.
 *
 * Two kinds of signals are not given to the host: SIGSEGV and SIGBUS, which are base/hostfault.h's and never blocked
 * there (one sent by a process waits in our own queue), and those for which the embedding program had a handler of its
 * own before sig_init(): it keeps them. */
#ifndef LINUX_ABI_SIGNAL_H
#define LINUX_ABI_SIGNAL_H

#include "base/bits.h"
#include "linux_abi/task.h"

/* --- For calls that block --- */

/* A host system call, raw: the result, or -errno. It does not begin when a signal waits, however late it came:
 * then -EINTR, as when it comes while the call waits. The caller turns -EINTR into the restart code that Linux has
 * for the call (task.h). Every host call that may wait for long goes through here; others need not. */
s64 sig_host_call(struct task *t, long nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5);

/* For calls with a mask of their own (ppoll, pselect6, epoll_pwait): the mask is in force from sig_mask_enter() on, so
 * the host call gets none. addr is the program's, 0: no mask. 0, -EINVAL for size, or -EFAULT.
 * sig_mask_leave() puts the old mask back; but when result is -EINTR or a restart code, only after the signals that
 * the mask let in. It returns result. */
MUST_CHECK int sig_mask_enter(struct task *t, u64 addr, u64 size);
s64 sig_mask_leave(struct task *t, s64 result);

/* --- Host signals --- */

/* Queues a host signal for the program: host_window.sent, for SIGSEGV and SIGBUS. Async-signal-safe. */
void sig_from_host(struct task *t, int signo, const siginfo_t *info);
/* For a host signal handler other than ours that wants blocked calls to return: moves an interrupted
 * sig_host_call() past its system call. context is the handler's ucontext_t. */
void sig_host_interrupted(void *context);

#endif
