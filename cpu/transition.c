/* The transition record: the points on both sides, and their names. */
#include "cpu/transition.h"

#include "cpu/simd_state.h"

#include "cpu/insn.h"

static const u8 code_bits[4] = {16, 32, 64, 16}; /* by MODE_CODE_MASK */

/* EFLAGS with RF only while it is in force (cpu/event.h). */
static u32 flags_now(const struct cpu *cpu, bool after) {
  u64 retired = cpu_icount(cpu) - (cpu->insn ? cpu->insn->left - (after ? 1u : 0u) : 0u);
  u32 ef = cpu_eflags(cpu);
  return retired == cpu->rf_icount ? ef : ef & ~(u32)EF_RF;
}

struct tr_point transition_point(const struct cpu *cpu, u64 rip, bool after) {
  bool flat = (cpu->mode & MODE_CODE_MASK) == MODE_CODE64;
  return (struct tr_point){
      .cs_base = flat ? 0 : cpu->seg[CS].base,
      .ss_base = flat ? 0 : cpu->seg[SS].base,
      .cs = cpu->seg[CS].sel,
      .ss = cpu->seg[SS].sel,
      .rip = rip,
      .rsp = cpu->gpr[RSP],
      .rflags = flags_now(cpu, after),
      .cpl = cpu->cpl,
      .code_bits = code_bits[cpu->mode & MODE_CODE_MASK],
  };
}

void transition_tell(struct cpu *cpu, struct transition *t, u64 rip) {
  t->to = transition_point(cpu, rip, true);
  if (cpu->vm->hooks.transition) {
    simd_leave(cpu);
    cpu->vm->hooks.transition(cpu->vm->hooks.watcher, cpu, t);
    simd_enter(cpu);
  }
  if (cpu->recorder) rec_end(cpu);
}

/* ---- the trail ---- */

void trail_event(const struct cpu *cpu, struct trail *l, const struct transition *t) {
  unsigned k = (l->n - 1) % TRAIL;
  l->entry[k].to.vector = t->vector;
  l->event[k] = (struct trail_event){.has_error = t->has_error, .error = t->error, .cr2 = cpu->cr2, .icount = cpu_icount(cpu)};
}

/* RF is left out: it is in force for one instruction at most. */
static struct tr_point point_of(const struct trail_point *p) {
  struct tr_point out = {.rip = p->rip, .code_bits = code_bits[p->mode & MODE_CODE_MASK]};
  if (!(p->mode & MODE_CPL3)) return out;
  out.cpl = 3;
  out.cs = p->cs;
  out.ss = p->ss;
  out.rsp = p->rsp;
  out.rflags = (p->eflags | hf_to_eflags(p->hf)) & ~(u32)EF_RF;
  return out;
}

struct transition trail_transition(const struct trail *l, u64 n) {
  const struct trail_entry *e = &l->entry[n % TRAIL];
  enum transition_kind kind = (enum transition_kind)e->to.kind;
  struct transition t = {.kind = kind, .cause = kind, .from = point_of(&e->from), .to = point_of(&e->to)};
  if (kind > TR_INTERRUPT) return t;
  t.vector = e->to.vector;
  t.has_error = l->event[n % TRAIL].has_error;
  t.error = l->event[n % TRAIL].error;
  return t;
}

const char *transition_name(enum transition_kind kind) {
  static const char *const names[TR_KINDS] = {
      [TR_INT] = "int",           [TR_EXCEPTION] = "exception", [TR_INTERRUPT] = "interrupt",
      [TR_IRET] = "iret",         [TR_SYSCALL] = "syscall",     [TR_SYSRET] = "sysret",
      [TR_SYSENTER] = "sysenter", [TR_SYSEXIT] = "sysexit",     [TR_FAR_CALL] = "far call",
      [TR_FAR_JMP] = "far jmp",   [TR_FAR_RET] = "far ret",     [TR_TASK] = "task switch",
  };
  return (unsigned)kind < TR_KINDS ? names[kind] : "?";
}
