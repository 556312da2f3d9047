/* The host kernel's view of signals: man 2 rt_sigaction, rt_sigprocmask; Linux
 * include/uapi/asm-generic/signal.h. */
#define _GNU_SOURCE
#include "base/host_sigaction.h"

#include <sys/syscall.h>
#include <ucontext.h>

#include "base/hostcall.h"

#ifdef __x86_64__

#define RESTORER_FLAG 0x04000000ul

/* What handlers return to. Unwinders know a signal frame by these very bytes. */
void host_sigrestorer(void);
_Static_assert(SYS_rt_sigreturn == 15, "below");
__asm__(".pushsection .text\n"
        "  nop\n"
        ".globl host_sigrestorer\n"
        ".type host_sigrestorer, @function\n"
        "host_sigrestorer:\n"
        "  mov $15, %rax\n"
        "  syscall\n"
        ".size host_sigrestorer, . - host_sigrestorer\n"
        ".popsection\n");

int host_sigaction(int signo, const struct host_sigaction *set, struct host_sigaction *old) {
  struct host_sigaction with;
  if (set) {
    with = *set;
    with.flags |= RESTORER_FLAG;
    with.restorer = host_sigrestorer;
  }
  return (int)HOST(SYS_rt_sigaction, signo, set ? &with : NULL, old, sizeof with.mask);
}

#else
#error "host_sigaction(): the kernel's structure differs from one processor to the next"
#endif

void host_sigmask(const u64 *set, u64 *old) {
  (void)HOST(SYS_rt_sigprocmask, SIG_SETMASK, set, old, sizeof *set);
}

/* The C library's sigset_t is longer than what the kernel puts there. */
u64 *host_context_mask(void *ucontext) { return (u64 *)&((ucontext_t *)ucontext)->uc_sigmask; }
