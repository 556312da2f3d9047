/* siginfo of both ABIs: Linux kernel/signal.c (siginfo_layout, copy_siginfo_to_external32), man 2
 * sigaction. */
#define _GNU_SOURCE
#include <string.h>

#include "linux_abi/sigframe.h"

_Static_assert(sizeof(siginfo_t) == sizeof(struct siginfo64), "the host's is x86_64's");

enum layout {
  L_KILL, L_TIMER, L_POLL, L_FAULT, L_FAULT_LSB, L_FAULT_BOUND, L_FAULT_KEY, L_CHILD, L_RT, L_SYS
};

/* For which codes of a signal the kernel fills in what. */
static const struct { u8 signo, last; enum layout layout; } of_kernel[] = {
  {SIGILL, 11, L_FAULT}, {SIGFPE, 15, L_FAULT}, {SIGSEGV, 10, L_FAULT}, {SIGBUS, 5, L_FAULT},
  {SIGTRAP, 6, L_FAULT}, {SIGCHLD, 6, L_CHILD}, {SIGPOLL, 6, L_POLL},   {SIGSYS, 2, L_SYS},
};
enum { POLL_CODES = 6 };

static enum layout fault_layout(int signo, int code) {
  if (signo == SIGBUS && (code == BUS_MCEERR_AR || code == BUS_MCEERR_AO)) return L_FAULT_LSB;
  if (signo == SIGSEGV && code == SEGV_BNDERR) return L_FAULT_BOUND;
  if (signo == SIGSEGV && code == SEGV_PKUERR) return L_FAULT_KEY;
  return L_FAULT;
}

static enum layout layout_of(int signo, int code) {
  if (code == SI_TIMER) return L_TIMER;
  if (code == SI_SIGIO) return L_POLL;
  if (code < 0) return L_RT;
  if (code == SI_USER || code >= SI_KERNEL) return L_KILL;
  for (unsigned i = 0; i < ARRAY_SIZE(of_kernel); i++) {
    if (of_kernel[i].signo != signo || code > of_kernel[i].last) continue;
    return of_kernel[i].layout == L_FAULT ? fault_layout(signo, code) : of_kernel[i].layout;
  }
  return code <= POLL_CODES ? L_POLL : L_KILL;
}

void siginfo_to_64(struct siginfo64 *to, const siginfo_t *from) { memcpy(to, from, sizeof *to); }

static u32 low(const void *p) { return (u32)(uintptr_t)p; }

void siginfo_to_32(struct siginfo32 *to, const siginfo_t *from) {
  memset(to, 0, sizeof *to);
  to->signo = from->si_signo;
  to->error = from->si_errno;
  to->code = from->si_code;
  enum layout l = layout_of(from->si_signo, from->si_code);
  switch (l) {
    case L_RT: to->rt.value = low(from->si_value.sival_ptr); /* fallthrough */
    case L_KILL:
      to->rt.pid = (u32)from->si_pid;
      to->rt.uid = from->si_uid;
      break;
    case L_TIMER:
      to->timer.id = (u32)from->si_timerid;
      to->timer.overrun = (u32)from->si_overrun;
      to->timer.value = low(from->si_value.sival_ptr);
      break;
    case L_POLL:
      to->poll.band = (u32)from->si_band;
      to->poll.fd = (u32)from->si_fd;
      break;
    case L_CHILD:
      to->child.pid = (u32)from->si_pid;
      to->child.uid = from->si_uid;
      to->child.status = from->si_status;
      to->child.utime = (s32)from->si_utime;
      to->child.stime = (s32)from->si_stime;
      break;
    case L_SYS:
      to->sys.call_addr = low(from->si_call_addr);
      to->sys.nr = (u32)from->si_syscall;
      to->sys.arch = from->si_arch;
      break;
    default: /* faults */
      to->fault.addr = low(from->si_addr);
      if (l == L_FAULT_LSB) to->fault.lsb = (u16)from->si_addr_lsb;
      if (l == L_FAULT_BOUND) to->fault.bound.lower = low(from->si_lower);
      if (l == L_FAULT_BOUND) to->fault.bound.upper = low(from->si_upper);
      if (l == L_FAULT_KEY) to->fault.key.key = from->si_pkey;
  }
}

static void *wide(u32 v) { return (void *)(uintptr_t)v; }

void siginfo_from_32(siginfo_t *to, const struct siginfo32 *from) {
  memset(to, 0, sizeof *to);
  to->si_signo = from->signo;
  to->si_errno = from->error;
  to->si_code = from->code;
  enum layout l = layout_of(from->signo, from->code);
  switch (l) {
    case L_RT: to->si_value.sival_ptr = wide(from->rt.value); /* fallthrough */
    case L_KILL:
      to->si_pid = (pid_t)from->rt.pid;
      to->si_uid = from->rt.uid;
      break;
    case L_TIMER:
      to->si_timerid = (int)from->timer.id;
      to->si_overrun = (int)from->timer.overrun;
      to->si_value.sival_ptr = wide(from->timer.value);
      break;
    case L_POLL:
      to->si_band = (s32)from->poll.band;
      to->si_fd = (int)from->poll.fd;
      break;
    case L_CHILD:
      to->si_pid = (pid_t)from->child.pid;
      to->si_uid = from->child.uid;
      to->si_status = from->child.status;
      to->si_utime = from->child.utime;
      to->si_stime = from->child.stime;
      break;
    case L_SYS:
      to->si_call_addr = wide(from->sys.call_addr);
      to->si_syscall = (int)from->sys.nr;
      to->si_arch = from->sys.arch;
      break;
    default: /* faults */
      to->si_addr = wide(from->fault.addr);
      if (l == L_FAULT_LSB) to->si_addr_lsb = (short)from->fault.lsb;
      if (l == L_FAULT_BOUND) to->si_lower = wide(from->fault.bound.lower);
      if (l == L_FAULT_BOUND) to->si_upper = wide(from->fault.bound.upper);
      if (l == L_FAULT_KEY) to->si_pkey = from->fault.key.key;
  }
}
