/* The host kernel's rt_sigaction() and rt_sigprocmask(): all 64 signals, where the C library keeps two for
 * itself and has a longer set. man 2 rt_sigaction, rt_sigprocmask, signal(7). */
#ifndef BASE_HOST_SIGACTION_H
#define BASE_HOST_SIGACTION_H

#include <signal.h>

#include "base/types.h"

enum { HOST_SIGNALS = 64, HOST_SIG_DFL = 0, HOST_SIG_IGN = 1 };

/* Bit n-1 is signal n. */
static inline u64 host_sigbit(int signo) { return UINT64_C(1) << (signo - 1); }

struct host_sigaction {
  uintptr_t handler; /* HOST_SIG_DFL, HOST_SIG_IGN, or a function */
  unsigned long flags;
  void (*restorer)(void);
  u64 mask;
};

/* Either may be NULL. The restorer is filled in. 0, or -errno. */
int host_sigaction(int signo, const struct host_sigaction *set, struct host_sigaction *old);
/* Replaces this thread's mask (NULL: not); the one before goes to *old if not NULL. */
void host_sigmask(const u64 *set, u64 *old);
/* The mask in a handler's context: in force when the handler returns. */
u64 *host_context_mask(void *ucontext);

#endif
