/* The run loop: boundaries between blocks, budgets, stops, single steps, and where faults unwind to.
 * SDM 3A 6.9 (Prioritization of Concurrent Events). */
#include "cpu/check.h"
#include "cpu/code.h"
#include "cpu/debugreg.h"
#include "cpu/event.h"
#include "cpu/seg.h"
#include "cpu/simd_state.h"

enum { BUDGET_MAX = 30000 };

/* ---- RIP ---- */

static u64 code_mask(const struct cpu *cpu) {
  static const u64 mask[3] = {0xffff, 0xffffffff, ~UINT64_C(0)};
  return mask[cpu->mode & MODE_CODE_MASK];
}

u64 insn_next_rip(const struct cpu *cpu, const struct insn *i) { return (insn_rip(i) + i->len) & code_mask(cpu); }

u64 cpu_rip(const struct cpu *cpu) { return cpu->insn ? insn_rip(cpu->insn) : cpu->rip; }

u64 cpu_icount(const struct cpu *cpu) { return cpu->icount + (u64)(cpu->budget_start - cpu->budget); }

/* ---- leaving and entering blocks ---- */

const struct insn *cpu_leave_at(struct cpu *cpu, const struct insn *i, u64 rip) {
  cpu->budget = (s16)(cpu->budget + i->left - 1);
  cpu->rip = rip;
  cpu->insn = NULL;
  return NULL;
}
const struct insn *cpu_leave_partial(struct cpu *cpu, const struct insn *i) {
  cpu->rep_partial = true;
  cpu->budget++;
  return cpu_leave_at(cpu, i, insn_rip(i));
}

const struct insn *cpu_leave(struct cpu *cpu, const struct insn *i) {
  return cpu_leave_at(cpu, i, insn_next_rip(cpu, i));
}

/* The budget ran out, or somebody wants us, on entry to t: it has not started. */
const struct insn *block_stopped(struct cpu *cpu, const struct insn *t) {
  cpu->budget = (s16)(cpu->budget + t->left);
  cpu->rip = insn_rip(t);
  cpu->insn = NULL;
  return NULL;
}

/* Everything is settled and cpu->rip says where: goes on there unless the run loop has work to do. */
static const struct insn *go_on(struct cpu *cpu) {
  if ((cpu->mode & MODE_STEP) || cpu->leave || cpu->stop || cpu->pending) return NULL;
  const struct insn *t = code_lookup(cpu);
  if (!t) return NULL;
  ENTER(cpu, t);
}

const struct insn *cpu_jump_mode(struct cpu *cpu, const struct insn *i, u64 rip) {
  cpu->budget = (s16)(cpu->budget + i->left - 1);
  cpu->rip = rip;
  cpu->insn = NULL;
  return go_on(cpu);
}

/* SDM 2 JMP, CALL, RET: an offset outside CS.limit or a non-canonical one is #GP(0) at the branch itself. Callers
 * that write registers or memory check with this first. */
void cpu_check_target(struct cpu *cpu, const struct insn *i, u64 rip) {
  cpu->insn = i;
  if ((cpu->mode & MODE_CODE_MASK) == MODE_CODE64) {
    require_ab(cpu, CHK_BRANCH_CANONICAL, canonical(rip, cpu->cr4 & CR4_LA57 ? 57 : 48), 0, rip, 0);
  } else {
    require_ab(cpu, CHK_BRANCH_LIMIT, rip <= cpu->seg[CS].limit, 0, rip, cpu->seg[CS].limit);
  }
}

const struct insn *cpu_jump(struct cpu *cpu, const struct insn *i, u64 rip) {
  cpu_check_target(cpu, i, rip);
  return cpu_jump_mode(cpu, i, rip);
}

/* Finds the code at cpu->rip and makes `from` lead there from now on. */
static const struct insn *link_and_go(struct cpu *cpu, const struct insn *from) {
  cpu->insn = NULL;
  if ((cpu->mode & MODE_STEP) || cpu->leave || cpu->stop) return NULL;
  const struct insn *t = code_lookup(cpu);
  if (!t) return NULL;
  code_link(cpu, from, t);
  ENTER(cpu, t);
}

const struct insn *block_fall(struct cpu *cpu, const struct insn *i) {
  cpu->rip = insn_rip(i) & code_mask(cpu);
  return link_and_go(cpu, i);
}

const struct insn *block_branch(struct cpu *cpu, const struct insn *i, u64 rip) {
  cpu_check_target(cpu, i, rip);
  cpu->budget = (s16)(cpu->budget + i->left - 1);
  cpu->rip = rip;
  return link_and_go(cpu, i);
}

/* ---- faults ---- */

void cpu_raise_fault(struct cpu *cpu, const struct fault *f) {
  cpu->fault = *f;
  longjmp(cpu->unwind, 1);
}
void cpu_raise(struct cpu *cpu, u8 vector) { cpu_raise_fault(cpu, &(struct fault){.vector = vector}); }
void cpu_raise_error(struct cpu *cpu, u8 vector, u32 error) {
  cpu_raise_fault(cpu, &(struct fault){.vector = vector, .has_error = true, .error = error});
}

/* The traps at the boundary that was just reached. SDM 3B 17.3.1.2 (Data Memory and I/O Breakpoint Exception
 * Conditions), 17.3.1.4 (Single-Step Exception Condition). Behind MOV SS and POP SS a breakpoint waits for the next
 * boundary, and a single step is lost: SDM 3A 6.8.3 (Masking Exceptions and Interrupts When Switching Stacks). */
static void boundary_trap(struct cpu *cpu, bool tf_before) {
  enum step_trap how = cpu->step_trap;
  cpu->step_trap = STEP_BY_TF;
  bool single = how == STEP_NOW || (how == STEP_BY_TF && tf_before);
  cpu->dr6_pending |= cpu->debug.hits;
  cpu->debug.hits = 0;
  if (cpu->inhibit & INHIBIT_DEBUG) return;
  if (single) cpu->dr6_pending |= DR6_BS;
  if (cpu->dr6_pending) event_debug_trap(cpu);
}

static void set_step_once(struct cpu *cpu, bool on) {
  cpu->debug.step = (u8)((cpu->debug.step & ~DEBUG_STEP_ONCE) | (on ? DEBUG_STEP_ONCE : 0));
  cpu_update_mode(cpu);
}

/* A fault while a fault is delivered, again and again: benign ones never make a double fault, and a processor hangs (#AC on
 * the stack of a handler in ring 3; CVE-2015-5307). Whoever wants the run to end gets the state before the first of them,
 * whose instruction is not complete. */
static bool endless_delivery(struct cpu *cpu) {
  enum { FAULTS_MAX = 10000 };
  if (++cpu->faults_in_a_row < FAULTS_MAX || !(cpu->limited || (cpu->stop & STOP_REQUEST))) return false;
  cpu->event_class = EVENT_NONE;
  if (cpu->limited) cpu_end_run(cpu);
  return true;
}

/* The instruction in progress did not happen: its RIP, and the budget of it and those behind it, come back. */
static void take_fault(struct cpu *cpu) {
  if (cpu->insn) {
    cpu->budget = (s16)(cpu->budget + cpu->insn->left);
    cpu->rip = insn_rip(cpu->insn);
    cpu->insn = NULL;
  }
  cpu->step_trap = STEP_BY_TF;
  cpu->debug.hits = 0;
  if (cpu->stopped == CPU_STOPPED_DATA) cpu->stopped = CPU_NOT_STOPPED;
  if (unlikely(cpu->debug.retry)) { /* no fault: once more, as a step */
    cpu->debug.retry = false;
    cpu->event_class = EVENT_NONE;
    set_step_once(cpu, true);
    return;
  }
  if (unlikely(cpu->debug.step & DEBUG_STEP_ONCE)) set_step_once(cpu, false);
  if (cpu->inhibit_before) cpu->inhibit_before = cpu->inhibit = 0;
  if (unlikely(endless_delivery(cpu))) return;
  event_deliver_fault(cpu, &cpu->fault);
}

/* ---- the loop ---- */

static void execute(struct cpu *cpu, const struct insn *i) {
  cpu->budget = (s16)(cpu->budget - i->left);
#if RW_TAIL_CALLS
  (void)i->fn(cpu, i);
#else
  while (i) i = i->fn(cpu, i);
#endif
}

/* Hands out the next part of the run's instructions. Returns false when none are left. */
static bool refill(struct cpu *cpu) {
  cpu->icount += (u64)(cpu->budget_start - cpu->budget);
  cpu->icount_limit -= cpu->budget_start - cpu->budget;
  s64 part = cpu->icount_limit < BUDGET_MAX ? cpu->icount_limit : BUDGET_MAX;
  cpu->budget = cpu->budget_start = (s16)(part > 0 ? part : 0);
  return part > 0;
}

/* SDM 3B 20.3.2 (Class 2: Maskable Hardware Interrupt Handling in Virtual-8086 Mode): with both flags set and in force
 * nothing is executed. cpu_update_mode() has made a step of each instruction then. */
static void require_not_vif_vip(struct cpu *cpu) {
  if (!(cpu->eflags & EF_VIP) || !cpu_virtual_interrupts(cpu)) return;
  cpu->insn = NULL;
  require_ab(cpu, CHK_VIF_VIP, !(cpu->eflags & EF_VIF), 0, cpu_eflags(cpu), 0);
}

/* One instruction, and the trap behind it. What the one before held off is over once it is complete. */
static void step(struct cpu *cpu) {
  bool tf = cpu->eflags & EF_TF;
  u8 inhibit = cpu->inhibit;
  bool passing = unlikely(cpu->pass.on) && stops_passing(cpu);
  if (unlikely(cpu->vm->stops) && !passing && stops_here(cpu)) {
    cpu->stopped = CPU_STOPPED_CODE;
    return;
  }
  if (unlikely(cpu->debug.exec)) debug_fetch(cpu);
  require_not_vif_vip(cpu);
  if (cpu->vm->hooks.insn) {
    simd_leave(cpu);
    cpu->vm->hooks.insn(cpu->vm->hooks.watcher, cpu);
    simd_enter(cpu);
  }
  const struct insn *i = code_lookup(cpu);
  if (!i) return;
  u64 next = insn_next_rip(cpu, i);
  bool branches = cpu->msr[MSR_DEBUGCTL] & DEBUGCTL_BTF; /* single steps are of branches only */
  cpu->rep_partial = false;
  cpu->inhibit = 0;
  cpu->inhibit_before = inhibit;
  if (unlikely(cpu->dr6_pending)) cpu->leave = 1; /* a trap waits for the end of this one, wherever it leads */
  execute(cpu, i);
  if (unlikely(cpu->debug.step & DEBUG_STEP_ONCE)) set_step_once(cpu, false);
  else if (inhibit && !cpu->inhibit) cpu_update_mode(cpu);
  if (unlikely(passing)) stops_passed(cpu);
  if (unlikely(cpu->rep_partial && cpu->one_step)) cpu_end_run(cpu);
  boundary_trap(cpu, tf && !(branches && (cpu->rip == next || cpu->rep_partial)));
}

/* At an address of cpu/stops.h: the run ends, or the instruction there is done as a step. */
static void come_to_stop(struct cpu *cpu) {
  cpu->stop_here = false;
  if (stops_here(cpu)) cpu->stopped = CPU_STOPPED_CODE;
  else set_step_once(cpu, true);
}

static bool stop_requested(struct cpu *cpu) {
  u8 stop = __atomic_exchange_n(&cpu->stop, 0, __ATOMIC_ACQ_REL);
  if ((stop & STOP_EVENT) && cpu->vm->hooks.event) {
    simd_leave(cpu);
    cpu->vm->hooks.event(cpu->vm->hooks.opaque, cpu);
    simd_enter(cpu);
    stop |= __atomic_fetch_and(&cpu->stop, (u8)~STOP_REQUEST, __ATOMIC_ACQ_REL);
  }
  return stop & STOP_REQUEST;
}

/* ---- interrupts ----
 *
 * Whoever opens a window for one (STI, POPF, IRET, a task switch) leaves the blocks while cpu->pending is set. */

static int acknowledge(struct cpu *cpu) {
  const struct vm_hooks *h = &cpu->vm->hooks;
  if (!h->inta) return -1;
  simd_leave(cpu);
  int vector = h->inta(h->opaque, cpu);
  simd_enter(cpu);
  return vector;
}

/* NMI before INTR: SDM 3A 6.9 (Prioritization of Concurrent Events). MOV SS and POP SS hold off both, STI holds off
 * INTR: SDM 3A 6.8.1 (Masking Maskable Hardware Interrupts), 6.8.3 (Masking Exceptions and Interrupts When
 * Switching Stacks). True: one was delivered. */
static bool take_interrupt(struct cpu *cpu) {
  if ((cpu->pending & PENDING_NMI) && !cpu->nmi_blocked && !(cpu->inhibit & INHIBIT_DEBUG)) {
    __atomic_fetch_and(&cpu->pending, (u8)~PENDING_NMI, __ATOMIC_ACQ_REL);
    event_nmi(cpu);
    return true;
  }
  if (!(cpu->pending & PENDING_INTR) || !(cpu->eflags & EF_IF) || cpu->inhibit) return false;
  int vector = acknowledge(cpu);
  if (vector < 0) {
    __atomic_fetch_and(&cpu->pending, (u8)~PENDING_INTR, __ATOMIC_ACQ_REL);
    return false;
  }
  event_interrupt(cpu, (u8)vector);
  return true;
}

void cpu_end_run(struct cpu *cpu) { cpu->icount_limit = cpu->budget_start - cpu->budget; }

enum cpu_exit cpu_run(struct cpu *cpu, u64 limit) {
  enum cpu_exit why;
  cpu->limited = limit != 0;
  cpu->one_step = limit == 1;
  cpu->deliveries = 0;
  cpu->icount_limit = limit && limit < (u64)INT64_MAX ? (s64)limit : INT64_MAX;
  cpu->budget = cpu->budget_start = 0;
  cpu->stopped = CPU_NOT_STOPPED;
  simd_enter(cpu);
  if (setjmp(cpu->unwind)) take_fault(cpu);
  for (;;) {
    cpu->leave = 0;
    cpu->faults_in_a_row = 0;
    if (cpu->shutdown) { why = CPU_EXIT_SHUTDOWN; break; }
    if (cpu->stop && stop_requested(cpu)) { why = CPU_EXIT_STOP; break; }
    if (unlikely(cpu->stopped)) { why = CPU_EXIT_DEBUG; break; }
    if (!refill(cpu)) { why = CPU_EXIT_BUDGET; break; }
    if (unlikely(cpu->dr6_pending | cpu->debug.hits) && !(cpu->inhibit & INHIBIT_DEBUG)) { /* by a delivery */
      boundary_trap(cpu, false);
      continue;
    }
    if (cpu->pending && take_interrupt(cpu)) continue;
    if (cpu->halted) { why = CPU_EXIT_HALT; break; }
    bool single = cpu->budget < BLOCK_MAX_INSNS;
    if (single != cpu->step_last) {
      cpu->step_last = single;
      cpu_update_mode(cpu);
    }
    code_collect(cpu->vm);
    if (cpu->mode & MODE_STEP) {
      step(cpu);
      continue;
    }
    const struct insn *i = code_lookup(cpu);
    cpu->rep_partial = false;
    if (i) execute(cpu, i);
    if (unlikely(cpu->stop_here)) {
      come_to_stop(cpu);
      continue;
    }
    if (unlikely(cpu->step_trap == STEP_NOW || cpu->dr6_pending || cpu->debug.hits)) boundary_trap(cpu, false);
  }
  if (cpu->step_last) {
    cpu->step_last = false;
    cpu_update_mode(cpu);
  }
  event_settle_rf(cpu);
  cpu->icount += (u64)(cpu->budget_start - cpu->budget);
  cpu->budget = cpu->budget_start = 0;
  simd_leave(cpu);
  return why;
}

void cpu_stop(struct cpu *cpu) { __atomic_fetch_or(&cpu->stop, STOP_REQUEST, __ATOMIC_RELEASE); }

void cpu_set_intr(struct cpu *cpu, bool asserted) {
  if (!asserted) {
    __atomic_fetch_and(&cpu->pending, (u8)~PENDING_INTR, __ATOMIC_ACQ_REL);
    return;
  }
  __atomic_fetch_or(&cpu->pending, PENDING_INTR, __ATOMIC_RELEASE);
  __atomic_fetch_or(&cpu->stop, STOP_EVENT, __ATOMIC_RELEASE);
}

void cpu_send_nmi(struct cpu *cpu) {
  __atomic_fetch_or(&cpu->pending, PENDING_NMI, __ATOMIC_RELEASE);
  __atomic_fetch_or(&cpu->stop, STOP_EVENT, __ATOMIC_RELEASE);
}
