/* Host faults on guest memory: SIGSEGV and SIGBUS that an interpreter or a kernel's copy must survive.
 * POSIX sigaction(2), siglongjmp(3).
 *
 * The one place with process-wide state: signal dispositions belong to the process, and a handler finds its thread
 * only through thread-local variables. The handler is installed with the first window and removed with the last;
 * a fault that is nobody's goes to whoever handled the signal before. */
#ifndef BASE_HOSTFAULT_H
#define BASE_HOSTFAULT_H

#include <signal.h>

#include "base/types.h"

struct cpu;

/* What a thread does about faults in [lo, hi) of host memory. fault() is called in the signal handler, with
 * SIGSEGV and SIGBUS unblocked, and may leave it by a jump; returning means that the fault is not its own.
 * sent(), which may be NULL, takes SIGSEGV and SIGBUS that a process sent. */
struct host_window {
  uintptr_t lo, hi;
  void *opaque;
  void (*fault)(void *opaque, uintptr_t addr, int signo, bool write);
  void (*sent)(void *opaque, int signo, const siginfo_t *info);
};

/* The processor whose code this thread runs; NULL: none. */
extern _Thread_local struct cpu *host_cpu;

/* Installs the handler. 0, or -1. Every success needs one host_fault_release(). */
MUST_CHECK int host_fault_acquire(void);
void host_fault_release(void);

/* Sets this thread's window (borrowed; NULL: none); returns the one before. */
const struct host_window *host_fault_window(const struct host_window *w);

/* Copies that may touch anything: 0, or -1 after a host fault (then dst may have been written in part). The handler
 * must be installed. */
MUST_CHECK int host_copy(void *dst, const void *src, size_t n);
MUST_CHECK int host_clear(void *dst, size_t n);
/* Length of the string at src if its terminator is within max bytes, max if it is not, -1 after a fault. */
MUST_CHECK s64 host_strnlen(const char *src, size_t max);
/* Reads one byte, and with `write` stores it again (atomically): 0, or -1. */
MUST_CHECK int host_touch(void *p, bool write);

#endif
