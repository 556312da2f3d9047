/* One thread of a guest program as the emulated kernel sees it, and what the kernel's parts promise each other.
 * Linux: struct task_struct (include/linux/sched.h), arch/x86/entry/common.c; man 2 syscalls.
 *
 * Who provides what: entry.c brings a task in and out of the kernel; dispatch.c finds the row of syscalls.def and
 * calls its handler; mm.h has the address space, uaccess.h the ways to touch it, kernel.h the tables in guest
 * memory; the functions named sig_* below are in signal*.c. */
#ifndef LINUX_ABI_TASK_H
#define LINUX_ABI_TASK_H

#include <signal.h>

#include "cpu/vm.h"
#include "roms/linux_entry.h"

struct linux_vm;
struct mm;
struct sig_state;  /* signal*.c */
struct file_state; /* sys_file*.c; NULL if they need none */
struct task;

enum lx_abi { LX_I386, LX_X86_64 };
enum { LX_LIMITS = 16 };

/* Handlers answer as Linux's do: a value, or -errno. The four beyond errno ask for the call to be made again once
 * signals are dealt with, and never reach the program (include/linux/errno.h):
 *
 *                          handler runs, SA_RESTART   handler runs, without   no handler runs
 *   ERESTARTSYS            again                      -EINTR                  again
 *   ERESTARTNOINTR         again                      again                   again
 *   ERESTARTNOHAND         -EINTR                     -EINTR                  again
 *   ERESTART_RESTARTBLOCK  -EINTR                     -EINTR                  restart_syscall()
 */
enum { ERESTARTSYS = 512, ERESTARTNOINTR = 513, ERESTARTNOHAND = 514, ERESTART_RESTARTBLOCK = 516 };

/* A system call. a[] is raw: 64 bits each for x86_64; for i386 the low 32 bits, zero-extended (so an int is
 * (int)a[n] and a long offset (s32)a[n]; where the two ABIs differ in more, a row names two handlers). A 32-bit
 * program sees the result's low half; errors are negative in all 64 bits. A handler may replace *t->regs
 * (sigreturn: it then returns t->regs->ax), and may end the task (lx_exit). */
typedef s64 sys_fn(struct task *t, const u64 a[6]);

struct task {
  struct cpu *cpu;
  struct vm *vm;
  struct linux_vm *lvm;
  struct mm *mm;
  enum lx_abi abi;      /* what the program was started as */
  s32 pid, tid;         /* the host's; asked once, as a kernel's own task knows its numbers */

  /* Valid while in the kernel, i.e. inside any handler, sig_fault() and sig_deliver(). */
  struct pt_regs *regs; /* the frame on the kernel stack; write to it to change the program's registers.
                         * orig_ax: the system call's number, or -1 (not in a system call: nothing to restart).
                         * DS ES FS GS, their bases and the FPU are live in *cpu: see kernel.h */
  u8 kind;              /* KIND_*: how it came in */
  bool compat;          /* the call in progress uses the i386 table and layouts (INT 80h from 64-bit code does) */

  /* Signals. Set by lx_signal_arrived(), or by a handler of this task itself; then sig_deliver() is called before
   * the task next returns to ring 3. sig_deliver() clears it. */
  volatile sig_atomic_t signal_pending;
  struct sig_state *sig;
  sys_fn *restart_fn;   /* for ERESTART_RESTARTBLOCK: what restart_syscall() calls with restart_arg */
  u64 restart_arg[6];

  struct file_state *files;
  u8 itimers;           /* bit n: the program has set ITIMER n, which must not outlive it */

  /* The end. exit_signal != 0: killed by that signal, else exit_code (0..255). See lx_exit(), lx_kill(). */
  bool exiting;
  int exit_code, exit_signal;

  u64 clear_child_tid;  /* set_tid_address; 0: none */
  u64 robust_list, robust_list_len;
  u32 personality;

  /* Where the vDSO's trampolines are mapped; 0: it has none (x86_64). */
  u64 sigreturn, rt_sigreturn;

  /* By RLIMIT_*, from the host's at the start. DATA, STACK and AS count here alone (the host's are the emulator's
   * own affair: setting them there would break it); the others belong to the host. */
  struct lx_limit { u64 cur, max; } limit[LX_LIMITS];

  char *exe;            /* absolute path of the program's file, for /proc/self/exe */
  char *comm;           /* its last part, at most 15 bytes: PR_GET_NAME */
};

/* Ends the program at the next return from the kernel. */
void lx_exit(struct task *t, int code);
void lx_kill(struct task *t, int signo);

/* A signal for the task was queued, by a host signal handler or another thread (async-signal-safe): sets
 * signal_pending, and interrupts the program if it is computing in ring 3. */
void lx_signal_arrived(struct task *t);

/* One line on the host's stderr, "ringwalk: ...". */
void lx_log(struct task *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The task whose processor this host thread runs, or NULL: for host signal handlers. */
struct task *lx_current(void);

/* Vvar page of the running program, for the time calls: vvar_ns(v, clock, lx_tsc()). NULL before exec. */
const struct vvar *lx_vvar(const struct task *t);
/* The guest's TSC: CLOCK_MONOTONIC in nanoseconds. */
u64 lx_tsc(const struct task *t);

/* Random bytes: the host's, or those that follow from a seed. -1: the host has none yet. */
MUST_CHECK int lx_random(struct task *t, void *buf, u64 n);

/* Have programs protection keys? As on Linux of 64 bits, where the processor has them and their state can be saved. */
bool lx_has_keys(const struct cpu_model *m);
/* What it begins with, and each handler: key 0 alone gives access. Linux init_pkru_value */
#define PKRU_INITIAL 0x55555554u
/* PKRU, for the program and for what the kernel does from here on. */
void lx_set_pkru(struct task *t, u32 pkru);

/* What the signal code provides. */

/* The state of a task that has just begun a program. 0, or -ENOMEM. sig_free(NULL state) is harmless. */
MUST_CHECK int sig_setup(struct task *t);
void sig_free(struct task *t);
/* A fault of the program: queue signal signo, which cannot be held off (blocked or ignored: the default action).
 * code is si_code (SEGV_MAPERR, ... or SI_KERNEL), addr si_addr; trapno, error and t->cpu->cr2 are for the
 * sigcontext. t->regs is the state to resume; orig_ax is already -1. Sets t->signal_pending. 0. */
int sig_fault(struct task *t, int signo, int code, u64 addr, unsigned trapno, u32 error);
/* Called just before returning to ring 3 when signal_pending is set, or when a call answered with one of the
 * restart codes above (then t->regs->ax holds the code, to be settled here). Takes queued signals until one starts
 * a handler (the frame is built, t->regs changed) or none is left; or ends the task. */
void sig_deliver(struct task *t);
/* SIGSEGV or SIGBUS that a process sent, told from a host signal handler (faults of the program come to sig_fault();
 * the host's handler of these two is base/hostfault.h's and must stay). Async-signal-safe. */
void sig_host(struct task *t, int signo, const siginfo_t *info);
/* AT_MINSIGSTKSZ: the largest frame that sig_deliver() builds, for the task's ABI. */
u32 sig_frame_max(const struct task *t);

#endif
