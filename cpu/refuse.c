/* #UD, #NM and #GP(0) of opcodes that the decoder refuses: judged one rule after the other when somebody listens.
 * SDM 3A 6.15 (Interrupt 6: Invalid Opcode Exception), 6.15 (Interrupt 7: Device Not Available Exception), 6.15
 * (Interrupt 13: General Protection Exception). Which of several reasons is named is the decoder's choice: all are
 * #UD. */
#include "cpu/refuse.h"

#include "cpu/check.h"

static enum check_id check_of(enum refusal why) {
  static const u16 row[] = {
      [REFUSE_UNKNOWN] = CHK_OP_DEFINED, [REFUSE_UD] = CHK_OP_UD,         [REFUSE_MODE] = CHK_OP_MODE,
      [REFUSE_FEATURE] = CHK_OP_FEATURE, [REFUSE_MEMORY] = CHK_OP_MEMORY, [REFUSE_REGISTER] = CHK_OP_REGISTER,
      [REFUSE_FIELD] = CHK_OP_FIELD};
  return (enum check_id)row[why];
}

static u64 operand_of(const struct cpu *cpu, const struct insn *i, enum refusal why) {
  switch (why) {
    case REFUSE_MODE: return cpu->mode;
    case REFUSE_FEATURE: return (u64)(s64)i->disp;
    case REFUSE_MEMORY:
    case REFUSE_REGISTER: return i->base >> 6;
    default: return i->imm; /* the opcode */
  }
}

/* Both rules of LOCK. */
static void judge_lock(struct cpu *cpu, const struct insn *i) {
  u64 mod = i->base >> 6;
  bool allowed = check_ab(cpu, CHK_OP_LOCK, i->src != REFUSE_LOCK, i->imm, 0);
  bool memory = !i->index || check_ab(cpu, CHK_OP_LOCK_MEMORY, mod != 3, mod, 0);
  if (!allowed) check_failed(cpu, CHK_OP_LOCK, 0);
  if (!memory) check_failed(cpu, CHK_OP_LOCK_MEMORY, 0);
}

/* The opcode itself, up to and with the rule that was found broken. */
static void judge_opcode(struct cpu *cpu, const struct insn *i) {
  enum refusal found = (enum refusal)i->src;
  for (unsigned k = REFUSE_UNKNOWN; k < REFUSE_LOCK && k <= (unsigned)found; k++) {
    enum refusal rule = (enum refusal)k;
    if ((rule == REFUSE_MEMORY || rule == REFUSE_REGISTER) && !i->index) continue;
    if (rule == REFUSE_FIELD && rule != found && !i->scale) continue;
    require_ab(cpu, check_of(rule), rule != found, 0, operand_of(cpu, i, rule), 0);
  }
  if (found >= REFUSE_LOCK) judge_lock(cpu, i);
}

/* The units' bits in CR0 and CR4. */
static void judge_unit(struct cpu *cpu, const struct insn *i) {
  bool em = cpu->cr0 & CR0_EM, ts = cpu->cr0 & CR0_TS, osfxsr = cpu->cr4 & CR4_OSFXSR;
  if (i->src == REFUSE_X87) {
    bool emulated = !check_ab(cpu, CHK_X87_EM, !em, em, 0), switched = !check_ab(cpu, CHK_UNIT_TS, !ts, ts, 0);
    if (emulated) check_failed(cpu, CHK_X87_EM, 0);
    if (switched) check_failed(cpu, CHK_UNIT_TS, 0);
    return;
  }
  if (i->scale) { /* VEX or EVEX */
    if (!check_ab(cpu, CHK_OP_FIELD, true, i->imm, 0)) check_failed(cpu, CHK_OP_FIELD, 0);
    bool enabled = check_ab(cpu, CHK_AVX_XCR0, i->src != REFUSE_XCR0, cpu->xcr0, !!(cpu->cr4 & CR4_OSXSAVE));
    if (!enabled) check_failed(cpu, CHK_AVX_XCR0, 0);
    require_ab(cpu, CHK_UNIT_TS, !ts, 0, ts, 0);
    return;
  }
  require_ab(cpu, CHK_SIMD_EM, !em, 0, em, 0);
  if (i->dst) require_ab(cpu, CHK_SSE_OSFXSR, osfxsr, 0, osfxsr, 0);
  require_ab(cpu, CHK_UNIT_TS, !ts, 0, ts, 0);
}

const struct insn *raise_refused(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  if (!rec_on(cpu)) cpu_raise(cpu, i->src >= REFUSE_TS ? VEC_NM : VEC_UD);
  if (i->src < REFUSE_EM) judge_opcode(cpu, i);
  else judge_unit(cpu, i);
  return cpu_leave(cpu, i); /* inverted: there is nothing to execute */
}

const struct insn *raise_cut(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  bool within = check_ab(cpu, CHK_FETCH_END, !i->src, cpu->seg[CS].limit, 0);
  bool fits = check(cpu, CHK_FETCH_LENGTH, i->src);
  if (!within) check_failed(cpu, CHK_FETCH_END, 0);
  if (!fits) check_failed(cpu, CHK_FETCH_LENGTH, 0);
  return cpu_leave(cpu, i); /* inverted */
}

const struct insn *raise_wait(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  require_ab(cpu, CHK_UNIT_TS, false, 0, 1, 0);
  return cpu_leave(cpu, i); /* inverted */
}
