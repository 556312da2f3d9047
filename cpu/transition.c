/* The transition record: the points on both sides, and their names. */
#include "cpu/transition.h"

#include "cpu/simd_state.h"

#include "cpu/insn.h"

/* EFLAGS with RF only while it is in force (cpu/event.h). */
static u32 flags_now(const struct cpu *cpu, bool after) {
  u64 retired = cpu_icount(cpu) - (cpu->insn ? cpu->insn->left - (after ? 1u : 0u) : 0u);
  u32 ef = cpu_eflags(cpu);
  return retired == cpu->rf_icount ? ef : ef & ~(u32)EF_RF;
}

struct tr_point transition_point(const struct cpu *cpu, u64 rip, bool after) {
  static const u8 code_bits[4] = {16, 32, 64, 16};
  return (struct tr_point){
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

const char *transition_name(enum transition_kind kind) {
  static const char *const names[TR_KINDS] = {
      [TR_INT] = "int",           [TR_EXCEPTION] = "exception", [TR_INTERRUPT] = "interrupt",
      [TR_IRET] = "iret",         [TR_SYSCALL] = "syscall",     [TR_SYSRET] = "sysret",
      [TR_SYSENTER] = "sysenter", [TR_SYSEXIT] = "sysexit",     [TR_FAR_CALL] = "far call",
      [TR_FAR_JMP] = "far jmp",   [TR_FAR_RET] = "far ret",     [TR_TASK] = "task switch",
  };
  return (unsigned)kind < TR_KINDS ? names[kind] : "?";
}
