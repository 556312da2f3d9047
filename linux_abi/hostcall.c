/* A host system call that begins only if no signal waits: POSIX pselect(), rationale (the race that this closes).
 *
 * A signal that comes between the look at signal_pending and the SYSCALL instruction would go unseen until the call
 * returns. So the handler of host signals looks where it came: from `begin` up to SYSCALL it moves the thread to
 * `interrupted`, which answers -EINTR. The same happens when the host kernel went back to SYSCALL to restart the
 * call behind the handler. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "linux_abi/hostsig.h"
#include "linux_abi/signal.h"

#if defined(__x86_64__)

s64 sig_call_asm(const volatile sig_atomic_t *pending, long nr, const u64 a[6]);
extern const char sig_call_begin[], sig_call_end[], sig_call_interrupted[];

_Static_assert(sizeof(sig_atomic_t) == 4, "compared as a long word");
_Static_assert(EINTR == 4 && SYS_rt_sigreturn == 15, "as below");
__asm__(".pushsection .text\n"
        ".type sig_call_asm, @function\n"
        ".globl sig_call_asm, sig_call_begin, sig_call_end, sig_call_interrupted, sig_host_restorer\n"
        ".hidden sig_call_asm, sig_call_begin, sig_call_end, sig_call_interrupted, sig_host_restorer\n"
        "sig_call_asm:\n"
        "  .cfi_startproc\n"
        "  mov %rsi, %rax\n"
        "  mov %rdi, %rcx\n"
        "  mov %rdx, %r11\n"
        "  mov (%r11), %rdi\n"
        "  mov 8(%r11), %rsi\n"
        "  mov 16(%r11), %rdx\n"
        "  mov 24(%r11), %r10\n"
        "  mov 32(%r11), %r8\n"
        "  mov 40(%r11), %r9\n"
        "sig_call_begin:\n"
        "  cmpl $0, (%rcx)\n"
        "  jne sig_call_interrupted\n"
        "  syscall\n"
        "sig_call_end:\n"
        "  ret\n"
        "sig_call_interrupted:\n"
        "  mov $-4, %rax\n"
        "  ret\n"
        "  .cfi_endproc\n"
        ".size sig_call_asm, . - sig_call_asm\n"
        /* What a handler of host signals returns to; unwinders know these bytes. */
        "  nop\n"
        ".type sig_host_restorer, @function\n"
        "sig_host_restorer:\n"
        "  mov $15, %rax\n"
        "  syscall\n"
        ".size sig_host_restorer, . - sig_host_restorer\n"
        ".popsection\n");

s64 sig_host_call(struct task *t, long nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5) {
  const u64 a[6] = {a0, a1, a2, a3, a4, a5};
  return sig_call_asm(&t->signal_pending, nr, a);
}

void sig_host_interrupted(void *context) {
  greg_t *ip = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
  if (*ip >= (greg_t)sig_call_begin && *ip < (greg_t)sig_call_end) *ip = (greg_t)sig_call_interrupted;
}

#else

/* The race is open here: a signal may wait until the call returns. */
s64 sig_host_call(struct task *t, long nr, u64 a0, u64 a1, u64 a2, u64 a3, u64 a4, u64 a5) {
  if (t->signal_pending) return -EINTR;
  long r = syscall(nr, a0, a1, a2, a3, a4, a5);
  return r < 0 ? -errno : r;
}

void sig_host_interrupted(void *context) { (void)context; }

#endif
