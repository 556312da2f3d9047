/* The host's system calls as the kernel answers them (a value or -errno), and waits that no signal slips
 * past. syscall(2), sigaction(2), signal(7) (Interruption of system calls); System V ABI x86-64 A.2.1.
 *
 * A thread that looks at a flag set by a signal handler and then blocks sleeps for ever if the signal
 * comes in between. host_wait() looks at the flag in a few instructions that end in SYSCALL, and
 * host_wait_signal(), which the handler calls, turns an interrupted host_wait() that has not reached the
 * kernel away from it. */
#ifndef BASE_HOSTCALL_H
#define BASE_HOSTCALL_H

#include <signal.h>

#include "base/types.h"

/* What host_wait() answers when *pending kept it from making the call at all. No errno value. */
enum { HOST_NOT_BEGUN = -513 };

s64 host_call(long nr, const s64 a[6]);
s64 host_wait(const volatile sig_atomic_t *pending, long nr, const s64 a[6]);

/* For a handler that has set some thread's `pending`, running on that thread, with the ucontext_t it was
 * given. The handler must be installed without SA_RESTART: a wait that the kernel began is then answered
 * with -EINTR. */
void host_wait_signal(void *ucontext);

/* The same with up to six arguments, pointers or integers. */
#define HOST_ARGS_(a, b, c, d, e, f, ...) \
  (const s64[6]) { (s64)(a), (s64)(b), (s64)(c), (s64)(d), (s64)(e), (s64)(f) }
#define HOST_ARGS(...) HOST_ARGS_(__VA_ARGS__)
#define HOST(nr, ...) host_call(nr, HOST_ARGS(__VA_ARGS__ __VA_OPT__(,) 0, 0, 0, 0, 0, 0))
#define HOST_WAIT(pending, nr, ...) \
  host_wait(pending, nr, HOST_ARGS(__VA_ARGS__ __VA_OPT__(,) 0, 0, 0, 0, 0, 0))

#endif
