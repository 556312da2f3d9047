/* The host's system calls, and waits that no signal slips past: syscall(2); System V ABI x86-64 A.2.1. */
#define _GNU_SOURCE /* REG_RIP */
#include "base/hostcall.h"

#include <errno.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

s64 host_call(long nr, const s64 a[6]) {
  static const volatile sig_atomic_t never = 0;
  s64 r;
  /* A handler turns this wait away like any other; but it is none. */
  do r = host_wait(&never, nr, a);
  while (r == HOST_NOT_BEGUN);
  return r;
}

#ifdef __x86_64__

/* From host_wait_begin to host_wait_end (the instruction after SYSCALL) nothing has happened yet. */
__asm__(
    ".text\n"
    ".globl host_wait\n"
    ".type host_wait, @function\n"
    "host_wait:\n"
    "  .cfi_startproc\n"
    "  mov %rdi, %r11\n"
    "  mov %rsi, %rax\n"
    "  mov %rdx, %rcx\n"
    "  mov (%rcx), %rdi\n"
    "  mov 8(%rcx), %rsi\n"
    "  mov 16(%rcx), %rdx\n"
    "  mov 24(%rcx), %r10\n"
    "  mov 32(%rcx), %r8\n"
    "  mov 40(%rcx), %r9\n"
    "host_wait_begin:\n"
    "  cmpl $0, (%r11)\n"
    "  jne host_wait_refuse\n"
    "  syscall\n"
    "host_wait_end:\n"
    "  ret\n"
    "host_wait_refuse:\n"
    "  mov $-513, %rax\n"
    "  ret\n"
    "  .cfi_endproc\n"
    ".size host_wait, . - host_wait\n");

_Static_assert(sizeof(sig_atomic_t) == 4, "cmpl");

extern const char host_wait_begin[], host_wait_end[], host_wait_refuse[];

void host_wait_signal(void *ucontext) {
  ucontext_t *uc = ucontext;
  uintptr_t ip = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
  if (ip >= (uintptr_t)host_wait_begin && ip < (uintptr_t)host_wait_end)
    uc->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)host_wait_refuse;
}

#else

/* Without the guarantee. */
s64 host_wait(const volatile sig_atomic_t *pending, long nr, const s64 a[6]) {
  if (*pending) return HOST_NOT_BEGUN;
  long r = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  return r == -1 ? -errno : r;
}

void host_wait_signal(void *ucontext) { (void)ucontext; }

#endif
