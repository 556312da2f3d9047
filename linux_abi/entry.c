/* In and out of the emulated kernel: the hypercall of the entry stubs, exceptions, and the way back.
 * Linux arch/x86/entry/common.c, arch/x86/kernel/traps.c, arch/x86/mm/fault.c; SDM 3A 6.15 (Exception and Interrupt
 * Reference). */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "cpu/event.h"
#include "linux_abi/lvm.h"
#include "linux_abi/signal.h"
#include "linux_abi/uaccess.h"

#define DR6_RESET UINT64_C(0xffff0ff0)
#define DR6_TRAPS UINT64_C(0xf)
#define DR6_STEP_OR_TASK (BIT(14) | BIT(15))

/* --- The way back --- */

/* Signals, then whether the short return instruction would do: Linux do_syscall_64(), do_fast_syscall_32(). */
static void settle_signals(struct task *t) {
  s64 r = (s64)t->regs->ax;
  bool restart = t->regs->orig_ax != ~UINT64_C(0) && r <= -ERESTARTSYS && r >= -ERESTART_RESTARTBLOCK;
  if (likely(!t->signal_pending && !restart)) return;
  /* Of an IRETQ to nowhere: nothing could be held behind that. Behind a trap it can. */
  bool fault = t->sig->fault && t->sig->fault_info.si_signo != SIGTRAP;
  if (!restart && !fault && sig_hold_later(t)) lx_signal_arrived(t);
  else sig_deliver(t);
}

static bool may_sysretq(const struct task *t) {
  const struct pt_regs *r = t->regs;
  return r->cx == r->ip && r->r11 == r->flags && r->cs == SEL_USER_CS && r->ss == SEL_USER_DS &&
         r->ip < t->mm->task_size && !(r->flags & (EF_RF | EF_TF));
}

static bool may_sysretl(const struct task *t) {
  const struct pt_regs *r = t->regs;
  return r->cs == SEL_USER32_CS && r->ss == SEL_USER_DS && r->ip == t->lvm->landing_pad &&
         !(r->flags & (EF_RF | EF_TF | EF_VM));
}

/* --- System calls --- */

static u32 syscall64(struct task *t) {
  t->compat = false;
  sys_dispatch(t);
  settle_signals(t);
  return may_sysretq(t) ? RETURN_SYSRET : RETURN_IRET;
}

static void call32(struct task *t) {
  t->compat = true;
  t->regs->orig_ax = (u32)t->regs->orig_ax;
  sys_dispatch(t);
  settle_signals(t);
}

/* SYSENTER and compat SYSCALL: the return address is the vDSO's, whoever calls; argument 6 is on the user's stack. */
static u32 fast_call32(struct task *t) {
  struct pt_regs *r = t->regs;
  u32 arg6;
  if (t->kind == KIND_SYSENTER32) {
    r->sp = r->bp;
    r->flags |= EF_IF;
  }
  r->ip = t->lvm->landing_pad;
  if (ua_read32(t, &arg6, (u32)r->sp)) {
    r->ax = (u64)(s64)-EFAULT;
    r->orig_ax = ~UINT64_C(0);
    settle_signals(t);
    return RETURN_IRET;
  }
  r->bp = arg6;
  call32(t);
  return may_sysretl(t) ? RETURN_SYSRET : RETURN_IRET;
}

/* --- Exceptions --- */

#define VSYSCALL_PAGE UINT64_C(0xffffffffff600000)

/* Calls through the page that 64-bit programs of old jump into: time, gettimeofday and getcpu at fixed addresses.
 * False: not a jump to that page. Linux arch/x86/entry/vsyscall/vsyscall_64.c */
static bool vsyscall(struct task *t, u64 addr, u32 error) {
  static const u16 numbers[] = {96, 201, 309};
  const u64 slot = (addr - VSYSCALL_PAGE) >> 10;
  struct pt_regs *r = t->regs;
  u64 caller, a[6] = {r->di, r->si};
  s64 ret = -EFAULT;
  if (!(error & PF_I) || t->abi != LX_X86_64 || addr - VSYSCALL_PAGE >= PAGE_SIZE) return false;
  if (slot < 3 && !(addr & 0x3ff) && !ua_read64(t, &caller, r->sp)) {
    t->compat = false;
    r->orig_ax = numbers[slot];
    r->ax = (u64)(s64)-ENOSYS;
    ret = t->lvm->sys.fn[false][numbers[slot]](t, a);
    r->orig_ax = ~UINT64_C(0);
  }
  if (ret == -EFAULT) {
    sig_force_segv(t);
    return true;
  }
  r->ax = (u64)ret;
  r->ip = caller;
  r->sp += 8;
  return true;
}

/* The first address that is no program's, of either width, under 4-level paging: Linux TASK_SIZE_MAX. */
#define LINUX_TASK_SIZE_MAX UINT64_C(0x7ffffffff000)

static enum access fault_access(u32 error) { return error & PF_I ? ACC_EXEC : error & PF_W ? ACC_WRITE : ACC_READ; }

static int fault_code(enum mm_fault m) {
  return m == MM_BUS ? BUS_ADRERR : m == MM_MAPERR ? SEGV_MAPERR : m == MM_PKERR ? SEGV_PKUERR : SEGV_ACCERR;
}

static void page_fault(struct task *t, u32 error) {
  struct linux_vm *lvm = t->lvm;
  u64 addr = t->cpu->cr2;
  enum access acc = fault_access(error);
  bool host = lvm->fault_addr == addr;
  lvm->fault_addr = ~UINT64_C(0);
  if (host && lvm->followed && lvm->fault_signo == SIGSEGV) return; /* by PKRU of before: try again */
  enum mm_fault m = host && lvm->fault_signo == SIGBUS ? MM_BUS : mm_fault(t, addr, acc);
  if (m == MM_OK && !host) return;
  if (m == MM_MAPERR && vsyscall(t, addr, error)) return;
  /* Linux says the kernel's half is present, whatever is: sanitize_error_code(). */
  bool judged = m == MM_ACCERR || m == MM_PKERR;
  bool present = addr >= (lvm->kernel.legacy ? KERNEL32_LINEAR : LINUX_TASK_SIZE_MAX) || (judged && mm_present(t->mm, addr));
  error = (error & ~(u32)(PF_P | PF_PK)) | PF_U | (present ? (u32)PF_P : 0) | (present && m == MM_PKERR ? PF_PK : 0);
  (void)sig_fault(t, m == MM_BUS ? SIGBUS : SIGSEGV, fault_code(m), addr, VEC_PF, error);
  if (m == MM_PKERR) t->sig->fault_info.si_pkey = mm_key(t, addr);
}

static void debug_trap(struct task *t) {
  u64 dr6 = t->cpu->dr[6] ^ DR6_RESET;
  t->cpu->dr[6] = DR6_RESET;
  int code = dr6 & DR6_STEP_OR_TASK ? TRAP_TRACE : dr6 & DR6_TRAPS ? TRAP_HWBKPT : TRAP_BRKPT;
  (void)sig_fault(t, SIGTRAP, code, t->regs->ip, VEC_DB, 0);
}

/* The highest-ranking of the unmasked exceptions: Linux fpu__exception_code(). */
static void fpu_error(struct task *t, unsigned vector) {
  const struct cpu *cpu = t->cpu;
  u32 pending = vector == VEC_MF ? cpu->x87.fsw & ~(u32)cpu->x87.fcw : ~(cpu->mxcsr >> 7) & cpu->mxcsr;
  int code;
  if (pending & 1) code = FPE_FLTINV;
  else if (pending & 4) code = FPE_FLTDIV;
  else if (pending & 8) code = FPE_FLTOVF;
  else if (pending & 0x12) code = FPE_FLTUND;
  else if (pending & 0x20) code = FPE_FLTRES;
  else return;
  (void)sig_fault(t, SIGFPE, code, t->regs->ip, vector, 0);
}

enum { VEC_X87_SEGMENT = 9, LINUX_SEGV_CPERR = 10 };

struct trap_row {
  u8 signo;
  int code;
  bool at_ip; /* si_addr is the instruction; else 0 */
};

/* Linux arch/x86/kernel/traps.c; those with more to it are above. */
static const struct trap_row traps[LINUX_EXCEPTIONS] = {
  [VEC_DE] = {SIGFPE, FPE_INTDIV, true},
  [VEC_BP] = {SIGTRAP, SI_KERNEL, false},
  [VEC_OF] = {SIGSEGV, SI_KERNEL, false},
  [VEC_BR] = {SIGSEGV, SI_KERNEL, false},
  [VEC_UD] = {SIGILL, ILL_ILLOPN, true},
  [VEC_X87_SEGMENT] = {SIGFPE, SI_KERNEL, false},
  [VEC_TS] = {SIGSEGV, SI_KERNEL, false},
  [VEC_NP] = {SIGBUS, SI_KERNEL, false},
  [VEC_SS] = {SIGBUS, SI_KERNEL, false},
  [VEC_GP] = {SIGSEGV, SI_KERNEL, false},
  [VEC_AC] = {SIGBUS, BUS_ADRALN, false},
  [VEC_CP] = {SIGSEGV, LINUX_SEGV_CPERR, false},
};

bool lx_fault_signal(struct linux_vm *lvm, const struct fault *f, siginfo_t *info) {
  const struct task *t = &lvm->task;
  memset(info, 0, sizeof *info);
  if (t->cpu->cpl != 3 || f->vector >= LINUX_EXCEPTIONS) return false;
  if (f->vector == VEC_PF) {
    bool host = lvm->fault_addr == f->cr2;
    if (host && lvm->fault_signo == SIGSEGV && t->cpu->pkru != lvm->mm.pkru) return false;
    enum mm_fault m = !host ? mm_would_fault(t, f->cr2, fault_access(f->error))
                      : lvm->fault_signo == SIGBUS ? MM_BUS : MM_ACCERR;
    bool vsyscall_page = (f->error & PF_I) && t->abi == LX_X86_64 && f->cr2 - VSYSCALL_PAGE < PAGE_SIZE;
    if (m == MM_OK || vsyscall_page) return false;
    info->si_signo = m == MM_BUS ? SIGBUS : SIGSEGV;
    info->si_code = fault_code(m);
    info->si_addr = (void *)(uintptr_t)f->cr2;
    if (m == MM_PKERR) info->si_pkey = mm_key(t, f->cr2);
    return true;
  }
  const struct trap_row *row = &traps[f->vector];
  info->si_signo = f->vector == VEC_DB ? SIGTRAP : f->vector == VEC_MF || f->vector == VEC_XM ? SIGFPE : row->signo;
  info->si_code = row->code;
  if (row->at_ip || !row->signo) info->si_addr = (void *)(uintptr_t)t->cpu->rip;
  return info->si_signo != 0;
}

static void exception(struct task *t, unsigned vector) {
  struct pt_regs *r = t->regs;
  u32 error = (u32)r->orig_ax;
  r->orig_ax = ~UINT64_C(0);
  if (vector == VEC_PF) {
    page_fault(t, error);
  } else if (vector == VEC_DB) {
    debug_trap(t);
  } else if (vector == VEC_MF || vector == VEC_XM) {
    fpu_error(t, vector);
  } else if (vector < LINUX_EXCEPTIONS && traps[vector].signo) {
    const struct trap_row *row = &traps[vector];
    (void)sig_fault(t, row->signo, row->code, row->at_ip ? r->ip : 0, vector, error == ~UINT32_C(0) ? 0 : error);
  } else if (vector != KERNEL_SIGNAL_STUB) {
    lx_fail(t->lvm, "exception %u from the program at %04" PRIx64 ":%016" PRIx64 ", which no kernel expects", vector,
            r->cs, r->ip);
  }
  settle_signals(t);
}

/* A single step through the start of sysenter32 is the program's doing, and ignored: Linux exc_debug_kernel(). */
static void kernel_fault(struct task *t, unsigned vector) {
  struct pt_regs *r = t->regs;
  if (vector == VEC_DB) {
    t->cpu->dr[6] = DR6_RESET;
    return;
  }
  lx_fail(t->lvm, "exception %u (error code %" PRIx64 ", address %016" PRIx64 ") inside the emulated kernel, at %04"
          PRIx64 ":%016" PRIx64, vector, r->orig_ax, t->cpu->cr2, r->cs, r->ip);
}

void entry_hypercall(void *opaque, struct cpu *cpu) {
  struct linux_vm *lvm = opaque;
  struct task *t = &lvm->task;
  u32 kind = (u32)cpu->gpr[RSI], answer = RETURN_IRET;
  struct pt_regs *r = kernel_ptr(&lvm->kernel, cpu->gpr[RDI], sizeof *r);
  if (!r || kind >= KIND_COUNT) {
    lx_fail(lvm, "a hypercall that no stub makes: kind %u, registers at %016" PRIx64, kind, cpu->gpr[RDI]);
    return;
  }
  t->regs = r;
  t->kind = (u8)kind;
  lvm->stats.kind[kind]++;
  lvm->in_kernel = true;
  lvm->followed = t->cpu->pkru != lvm->mm.pkru;
  if (unlikely(lvm->followed)) mm_follow_pkru(t);
  vdso_refresh(lvm);
  switch (kind) {
    case KIND_SYSCALL64: answer = syscall64(t); break;
    case KIND_SYSCALL32:
    case KIND_SYSENTER32: answer = fast_call32(t); break;
    case KIND_INT80: call32(t); break;
    case KIND_EXCEPTION: exception(t, (unsigned)cpu->gpr[RDX]); break;
    default: kernel_fault(t, (unsigned)cpu->gpr[RDX]);
  }
  lvm->in_kernel = false;
  t->regs = NULL;
  cpu->gpr[RAX] = unlikely(t->sig->held) ? RETURN_IRET : answer; /* it may yet change what IRET returns to */
}

/* The program's registers under a stub that has made its hypercall, or is about to. */
struct pt_regs *lx_regs(struct linux_vm *lvm) {
  const struct cpu *cpu = lvm->task.cpu;
  return cpu->cpl ? NULL : kernel_ptr(&lvm->kernel, cpu->gpr[RDI], sizeof(struct pt_regs));
}

void entry_deliver_held(struct task *t) {
  t->regs = lx_regs(t->lvm);
  if (!t->regs) return;
  t->lvm->in_kernel = true;
  sig_deliver(t);
  t->lvm->in_kernel = false;
  t->regs = NULL;
}

/* --- Signals that come while the program computes --- */

void lx_signal_arrived(struct task *t) {
  t->signal_pending = 1;
  __atomic_fetch_or(&t->cpu->stop, STOP_EVENT, __ATOMIC_RELEASE);
}

/* As a timer's interrupt makes a kernel look at its signals. In ring 0 they are seen on the way out, or missed by a
 * few instructions: so try again until ring 3 is reached. */
void entry_event(void *opaque, struct cpu *cpu) {
  struct task *t = &((struct linux_vm *)opaque)->task;
  if (!t->signal_pending) return;
  if (cpu->cpl != 3 || (cpu->inhibit & INHIBIT_INT)) lx_signal_arrived(t);
  else if (!sig_hold_now(t)) event_interrupt(cpu, KERNEL_VEC_SIGNAL);
}
