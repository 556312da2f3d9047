/* The process's SIGSEGV and SIGBUS handler, and copies that survive them: POSIX sigaction(2), siglongjmp(3). */
#define _GNU_SOURCE /* REG_ERR */
#include "base/hostfault.h"

#include <pthread.h>
#include <setjmp.h>
#include <string.h>
#include <ucontext.h>

#include "base/hostcall.h"

_Thread_local struct cpu *host_cpu;
static _Thread_local sigjmp_buf *volatile guard; /* of the copy in progress */
static _Thread_local const struct host_window *window;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned users;
static struct sigaction before[2]; /* SIGSEGV, SIGBUS */

/* Was the faulting access a write? Page-fault error code bit 1: SDM 3A 4.7 (Page-Fault Exceptions). */
static bool was_write(const ucontext_t *uc) {
#ifdef __x86_64__
  return uc->uc_mcontext.gregs[REG_ERR] >> 1 & 1;
#else
  (void)uc;
  return false;
#endif
}

/* The kernel starts a handler with a fresh MXCSR and x87. A jump out of the handler goes on with the interrupted
 * code's, in which the guest's may live. */
static void keep_fpu(const ucontext_t *uc) {
#ifdef __x86_64__
  if (uc->uc_mcontext.fpregs) __asm__ volatile("fxrstor64 %0" : : "m"(*uc->uc_mcontext.fpregs));
#else
  (void)uc;
#endif
}

static void pass_on(int signo, siginfo_t *info, void *uc) {
  const struct sigaction *old = &before[signo == SIGBUS];
  if (old->sa_flags & SA_SIGINFO) {
    old->sa_sigaction(signo, info, uc);
  } else if (old->sa_handler != SIG_DFL && old->sa_handler != SIG_IGN) {
    old->sa_handler(signo);
  } else {
    /* The default action, when the instruction is tried again, or when the signal is sent once more. */
    sigaction(signo, old, NULL);
    if (info->si_code <= 0) raise(signo);
  }
}

static void on_fault(int signo, siginfo_t *info, void *uc) {
  if (info->si_code <= 0) { /* sent by a process */
    if (window && window->sent) {
      window->sent(window->opaque, signo, info);
      host_wait_signal(uc);
    } else {
      pass_on(signo, info, uc);
    }
    return;
  }
  keep_fpu(uc);
  if (guard) siglongjmp(*guard, 1);
  uintptr_t addr = (uintptr_t)info->si_addr;
  if (window && addr - window->lo < window->hi - window->lo)
    window->fault(window->opaque, addr, signo, was_write(uc));
  pass_on(signo, info, uc);
}

int host_fault_acquire(void) {
  int r = 0;
  pthread_mutex_lock(&lock);
  if (!users) {
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    sigemptyset(&sa.sa_mask);
    if (sigaction(SIGSEGV, &sa, &before[0])) {
      r = -1;
    } else if (sigaction(SIGBUS, &sa, &before[1])) {
      sigaction(SIGSEGV, &before[0], NULL);
      r = -1;
    }
  }
  if (!r) users++;
  pthread_mutex_unlock(&lock);
  return r;
}

void host_fault_release(void) {
  pthread_mutex_lock(&lock);
  if (users && !--users) {
    sigaction(SIGSEGV, &before[0], NULL);
    sigaction(SIGBUS, &before[1], NULL);
  }
  pthread_mutex_unlock(&lock);
}

const struct host_window *host_fault_window(const struct host_window *w) {
  const struct host_window *old = window;
  window = w;
  return old;
}

/* The compiler must not move the guarded accesses out from between the assignments. */
#define BARRIER() __asm__ volatile("" ::: "memory")

int host_copy(void *dst, const void *src, size_t n) {
  sigjmp_buf env;
  if (sigsetjmp(env, 0)) {
    guard = NULL;
    return -1;
  }
  guard = &env;
  BARRIER();
  memcpy(dst, src, n);
  BARRIER();
  guard = NULL;
  return 0;
}

int host_clear(void *dst, size_t n) {
  sigjmp_buf env;
  if (sigsetjmp(env, 0)) {
    guard = NULL;
    return -1;
  }
  guard = &env;
  BARRIER();
  memset(dst, 0, n);
  BARRIER();
  guard = NULL;
  return 0;
}

s64 host_strnlen(const char *src, size_t max) {
  sigjmp_buf env;
  if (sigsetjmp(env, 0)) {
    guard = NULL;
    return -1;
  }
  guard = &env;
  BARRIER();
  size_t n = strnlen(src, max);
  BARRIER();
  guard = NULL;
  return (s64)n;
}

int host_touch(void *p, bool write) {
  sigjmp_buf env;
  if (sigsetjmp(env, 0)) {
    guard = NULL;
    return -1;
  }
  guard = &env;
  BARRIER();
  if (write)
    __atomic_fetch_or((u8 *)p, 0, __ATOMIC_RELAXED);
  else
    (void)*(volatile u8 *)p;
  BARRIER();
  guard = NULL;
  return 0;
}
