/* Exceptions, interrupts and software interrupts: what is pushed, the double-fault rule, and INT n and its
 * kin. SDM 3A 6.4 (Sources of Exceptions), 6.13 (Error Code), 6.15 (Interrupt 8: Double Fault Exception); SDM
 * 3B 17.3.1 (Debug Exception (#DB)). */
#include "cpu/event.h"

#include "cpu/check.h"
#include "cpu/gate.h"
#include "cpu/handler.h"
#include "cpu/vm86.h"

const struct vector_row vector_rows[EXCEPTION_VECTORS] = {
#define VECTOR(n, mnemonic_, name_, class_, type_, error_, cite_) \
  [n] = {"#" #mnemonic_, name_, cite_, EVENT_##class_, VECTOR_##type_, error_},
#include "cpu/vectors.def"
#undef VECTOR
};

static u8 class_of(u8 vector) {
  u8 c = vector < EXCEPTION_VECTORS ? vector_rows[vector].event_class : (u8)EVENT_NONE;
  return c == EVENT_NONE ? (u8)EVENT_BENIGN : c;
}

/* Deliveries that follow one another without an instruction between (a handler whose first instruction faults) retire
 * nothing: they must not keep a run with a limit from ending. */
static void count_delivery(struct cpu *cpu) {
  enum { FRUITLESS_MAX = 10000 };
  u64 now = cpu_icount(cpu);
  if (now != cpu->delivered_at) cpu->deliveries = 0;
  cpu->delivered_at = now;
  if (++cpu->deliveries > FRUITLESS_MAX && cpu->limited) cpu_end_run(cpu);
}

/* Delivers at a boundary and goes on at the handler. */
static void deliver(struct cpu *cpu, const struct event *ev, u8 event_class) {
  cpu->event_class = event_class;
  cpu->inhibit = 0; /* before the mode is computed */
  cpu->halted = false; /* any event ends HLT, a debug exception too: SDM 2A HLT */
  count_delivery(cpu);
  cpu->rip = gate_deliver(cpu, ev);
  cpu->event_class = EVENT_NONE;
  cpu->rep_partial = false;
  cpu->step_trap = STEP_BY_TF;
}

/* SDM 3A Table 6-5 (Conditions for Generating a Double Fault). While #DF itself is delivered, a contributory exception or
 * a page fault is a shutdown; a benign one, #AC on the stack of a handler in ring 3, is served. */
static bool is_double_fault(u8 first, u8 second) {
  if (first == EVENT_CONTRIBUTORY) return second == EVENT_CONTRIBUTORY;
  return first == EVENT_PAGE_FAULT && (second == EVENT_CONTRIBUTORY || second == EVENT_PAGE_FAULT);
}

/* SDM 3B 17.2.3 (Debug Status Register (DR6)), 17.2.4 (Debug Control Register (DR7)): B0..B3 are rewritten,
 * the others stay set; entering the handler clears DR7.GD, and DEBUGCTL.BTF. */
static void record_debug_conditions(struct cpu *cpu) {
  if (rec_on(cpu)) cpu->recorder->dr6 = cpu->dr6_pending;
  cpu->dr[6] = (cpu->dr[6] & ~(u64)DR6_B) | cpu->dr6_pending;
  cpu->dr6_pending = 0;
  cpu->dr[7] &= ~DR7_GD;
  cpu->msr[MSR_DEBUGCTL] &= ~DEBUGCTL_BTF;
}

/* RF in the image of a fault is 1, so that an instruction breakpoint on it is not taken again; a fault by
 * such a breakpoint leaves RF to the handler. SDM 3B 17.3.1.1 (Instruction-Breakpoint Exception Condition) */
static u32 fault_flags(const struct cpu *cpu, const struct fault *f, u64 debug_conditions) {
  bool breakpoint = f->vector == VEC_DB && !(debug_conditions & DR6_BD);
  return cpu_eflags(cpu) | (breakpoint ? 0 : (u32)EF_RF);
}

void event_deliver_fault(struct cpu *cpu, const struct fault *f) {
  if (cpu->shutdown) return;
  if (rec_on(cpu)) rec_fault(cpu, f);
  if (unlikely(cpu->vm->hooks.fault != NULL) && cpu->vm->hooks.fault(cpu->vm->hooks.watcher, cpu, f)) {
    cpu->event_class = EVENT_NONE;
    if (f->vector == VEC_DB) cpu->dr6_pending = 0;
    return;
  }
  cpu->insn = NULL;
  u8 first = cpu->event_class, class_ = class_of(f->vector);
  u64 debug_conditions = cpu->dr6_pending;
  struct event ev = {.kind = TR_EXCEPTION, .vector = f->vector, .has_error = f->has_error, .error = f->error,
                     .rip = cpu->rip};
  if (first == EVENT_DOUBLE_FAULT && class_ != EVENT_BENIGN) {
    cpu->event_class = EVENT_NONE;
    cpu->shutdown = true;
    cpu->shutdown_reason = "triple fault: a fault while delivering #DF";
    return;
  }
  if (f->vector == VEC_PF) cpu->cr2 = f->cr2;
  if (f->vector == VEC_DB) record_debug_conditions(cpu);
  ev.flags = fault_flags(cpu, f, debug_conditions);
  if (is_double_fault(first, class_)) {
    ev.vector = VEC_DF;
    ev.has_error = true;
    ev.error = 0;
    class_ = EVENT_DOUBLE_FAULT;
  }
  deliver(cpu, &ev, class_);
}

/* RF of an interrupt or trap: 1 between the iterations of a REP instruction, else what it is. */
static u32 boundary_flags(struct cpu *cpu) {
  event_settle_rf(cpu);
  return cpu_eflags(cpu) | (cpu->rep_partial ? (u32)EF_RF : 0);
}

void event_debug_trap(struct cpu *cpu) {
  cpu->insn = NULL;
  record_debug_conditions(cpu);
  struct event ev = {.kind = TR_EXCEPTION, .vector = VEC_DB, .rip = cpu->rip, .flags = boundary_flags(cpu)};
  deliver(cpu, &ev, EVENT_BENIGN);
}

void event_interrupt(struct cpu *cpu, u8 vector) {
  cpu->insn = NULL;
  struct event ev = {.kind = TR_INTERRUPT, .vector = vector, .rip = cpu->rip, .flags = boundary_flags(cpu)};
  deliver(cpu, &ev, EVENT_BENIGN);
}

void event_nmi(struct cpu *cpu) {
  cpu->nmi_blocked = true; /* SDM 3A 6.7.1 (Handling Multiple NMIs) */
  event_interrupt(cpu, VEC_NMI);
}

/* ---- INT n, INT3, INTO, INT1. SDM 2A INT n/INTO/INT3/INT1 ---- */

/* Returns the handler's RIP. Out of line: locals whose address escapes would cost the handlers their tail
 * calls. */
NOINLINE static u64 software_interrupt(struct cpu *cpu, const struct insn *i, u8 vector, bool soft) {
  bool stepping = cpu->eflags & EF_TF;
  struct event ev = {.kind = TR_INT, .vector = vector, .soft = soft, .rip = insn_next_rip(cpu, i),
                     .flags = cpu_eflags(cpu) & ~(u32)EF_RF};
  u64 rip = gate_deliver(cpu, &ev);
  cpu->event_class = EVENT_NONE;
  if (stepping) cpu->step_trap = STEP_NOT;
  return rip;
}

NOINLINE static u64 int_n(struct cpu *cpu, const struct insn *i) {
  u64 rip;
  bool stepping = cpu->eflags & EF_TF;
  if (cpu_vm86(cpu) && vm86_int(cpu, (u8)i->imm, insn_next_rip(cpu, i), &rip)) {
    if (stepping) cpu->step_trap = STEP_NOT;
    return rip;
  }
  return software_interrupt(cpu, i, (u8)i->imm, true);
}

static const struct insn *h_int(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  return cpu_jump_mode(cpu, i, int_n(cpu, i));
}
BODY_1(int, h_int)

static const struct insn *h_int3(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  return cpu_jump_mode(cpu, i, software_interrupt(cpu, i, VEC_BP, true));
}
BODY_1(int3, h_int3)

static const struct insn *h_into(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  bool of = cpu->hf & HF_OF;
  if (!check_ab(cpu, CHK_INTO_OVERFLOW, of, of, 0)) return cpu_leave(cpu, i);
  return cpu_jump_mode(cpu, i, software_interrupt(cpu, i, VEC_OF, true));
}
BODY_1(into, h_into)

/* INT1 skips the DPL check, and faults while it is delivered have EXT = 1. */
static const struct insn *h_int1(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  cpu->event_class = EVENT_BENIGN;
  return cpu_jump_mode(cpu, i, software_interrupt(cpu, i, VEC_DB, false));
}
BODY_1(int1, h_int1)
