/* Near control transfer: JMP, CALL, RET, Jcc, LOOP, JCXZ. SDM 1 7.3.8 (Control Transfer Instructions),
 * SDM 1 6.4 (Calling Procedures Using CALL and RET). */
#include "cpu/code.h"
#include "cpu/cond.h"
#include "cpu/handler.h"

/* Enters t from the middle of a block: the instructions behind i are not run and cost nothing. */
#define BRANCH_TO(cpu, i, t)                                                               \
  do {                                                                                     \
    const struct insn *to_ = (t);                                                          \
    (cpu)->budget = (s16)((cpu)->budget + (i)->left - 1 - to_->left);                      \
    if (unlikely((cpu)->budget < 0 || (cpu)->stop)) return block_stopped((cpu), to_);      \
    GO(cpu, to_);                                                                          \
  } while (0)

/* Target of a direct branch, as wide as its operand size. */
static u64 branch_target(const struct cpu *cpu, const struct insn *i) {
  return (insn_next_rip(cpu, i) + (u64)(s64)i->disp) & WIDTH_MASK(insn_osize(i));
}

static NOINLINE const struct insn *take_branch(struct cpu *cpu, const struct insn *i) {
  return block_branch(cpu, i, branch_target(cpu, i));
}

INLINE_BODY jcc(struct cpu *restrict cpu, const struct insn *restrict i, unsigned cc) {
  if (cond(cpu->hf, cc)) {
    const struct insn *t = i->link;
    if (unlikely(!t)) return take_branch(cpu, i);
    BRANCH_TO(cpu, i, t);
  }
  GO(cpu, i + 1);
}
#define JCC(n, cc)                                                                                         \
  static const struct insn *h_j##n(struct cpu *restrict cpu, const struct insn *restrict i) { return jcc(cpu, i, cc); } \
  BODY_1(j##n, h_j##n)
JCC(o, 0) JCC(no, 1) JCC(b, 2) JCC(ae, 3) JCC(e, 4) JCC(ne, 5) JCC(be, 6) JCC(a, 7)
JCC(s, 8) JCC(ns, 9) JCC(p, 10) JCC(np, 11) JCC(l, 12) JCC(ge, 13) JCC(le, 14) JCC(g, 15)

static const struct insn *h_jmp(struct cpu *restrict cpu, const struct insn *restrict i) {
  const struct insn *t = i->link;
  if (unlikely(!t)) return take_branch(cpu, i);
  ENTER(cpu, t);
}
BODY_1(jmp_J, h_jmp)

/* LOOP counts in CX, ECX or RCX by address size, and changes no flags. SDM 2 LOOP/LOOPcc, Jcc (JCXZ) */
enum count_branch { LOOPNE, LOOPE, LOOP, JCXZ };
static const struct insn *count_branch(struct cpu *cpu, const struct insn *i, enum count_branch op) {
  enum width aw = (enum width)((i->flags & IF_ASIZE) + 1);
  bool zf = cpu->hf & HF_ZF, taken;
  u64 count = reg_get(cpu, RCX, aw);
  if (op != JCXZ) count = (count - 1) & WIDTH_MASK(aw);
  switch (op) {
    case LOOPNE: taken = count && !zf; break;
    case LOOPE: taken = count && zf; break;
    case LOOP: taken = count; break;
    default: taken = !count;
  }
  if (taken && !i->link) cpu_check_target(cpu, i, branch_target(cpu, i));
  if (op != JCXZ) reg_set(cpu, RCX, count, aw);
  if (!taken) GO(cpu, i + 1);
  const struct insn *t = i->link;
  if (unlikely(!t)) return take_branch(cpu, i);
  BRANCH_TO(cpu, i, t);
}
#define COUNT_BRANCH(name, op)                                                                            \
  static const struct insn *h_##name(struct cpu *restrict cpu, const struct insn *restrict i) {           \
    return count_branch(cpu, i, op);                                                                      \
  }                                                                                                       \
  BODY_1(name, h_##name)
COUNT_BRANCH(loopne, LOOPNE)
COUNT_BRANCH(loope, LOOPE)
COUNT_BRANCH(loop, LOOP)
COUNT_BRANCH(jcxz, JCXZ)

/* ---- CALL ---- */

/* The stack through segment checks: any stack width. The return address is written before the target is judged, as on
 * silicon. */
ALWAYS_INLINE void push_slow(struct cpu *cpu, const struct insn *i, u64 v, u64 target, enum width w, bool judged) {
  u64 sp = (cpu->gpr[RSP] - WIDTH_BYTES(w)) & cpu->spmask;
  cpu->insn = i;
  mem_write_hit(cpu, mem_linear_quick(cpu, SS, sp, WIDTH_BYTES(w), ACC_WRITE), v, w);
  if (!judged) cpu_check_target(cpu, i, target);
  cpu->gpr[RSP] = (cpu->spmask == 0xffff ? cpu->gpr[RSP] & ~UINT64_C(0xffff) : 0) | sp;
}

INLINE_BODY call_j(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                   handler_fn *slow) {
  u64 back = i[1].imm;
  if (form == FORM_R) {
    const struct insn *t = i->link;
    u64 sp = (cpu->gpr[RSP] - WIDTH_BYTES(w)) & cpu->spmask;
    cpu->insn = i;
    u8 *p = mem_hit(cpu, sp, WIDTH_BYTES(w), ACC_WRITE);
    if (unlikely(!p || !t)) return slow(cpu, i);
    host_store(p, back, w);
    cpu->gpr[RSP] = sp;
    ENTER(cpu, t);
  }
  const struct insn *t = i->link; /* then its target was judged */
  push_slow(cpu, i, back, branch_target(cpu, i), w, t != NULL);
  t = i->link; /* the push may have killed it */
  if (unlikely(!t || cpu->leave)) return take_branch(cpu, i);
  ENTER(cpu, t);
}
BODY_RX(call_J, call_j)

/* ---- indirect ---- */

/* The jump cache knows only targets that were reached, so a hit needs no check. Evaluates to the target or NULL. */
ALWAYS_INLINE const struct insn *jump_hit(struct cpu *cpu, u64 rip) {
  const struct jump_entry *e = jump_slot(cpu, rip);
  if (unlikely(e->rip != rip || e->mode != cpu->mode)) return NULL;
  const struct insn *t = e->insn;
  if (!t) __builtin_unreachable();
  return t;
}

INLINE_BODY jmp_e(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                  handler_fn *slow) {
  E_BIND(e, w, form, ACC_READ);
  u64 rip = e_get(cpu, i, &e, w, form, ACC_READ);
  const struct insn *t = jump_hit(cpu, rip);
  if (unlikely(!t)) return cpu_jump(cpu, i, rip);
  ENTER(cpu, t);
}
BODY_E(jmp_E, jmp_e)

/* With the target at hand; the X instance would read it from memory. */
static NOINLINE const struct insn *call_slow(struct cpu *cpu, const struct insn *i, u64 rip, enum width w) {
  push_slow(cpu, i, i[1].imm, rip, w, false);
  return cpu_jump(cpu, i, rip);
}

INLINE_BODY call_e(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                   handler_fn *slow) {
  u64 back = i[1].imm;
  E_BIND(e, w, form, ACC_READ);
  u64 rip = e_get(cpu, i, &e, w, form, ACC_READ);
  if (form == FORM_X) return call_slow(cpu, i, rip, w);
  u64 sp = (cpu->gpr[RSP] - WIDTH_BYTES(w)) & cpu->spmask;
  u8 *p = mem_hit(cpu, sp, WIDTH_BYTES(w), ACC_WRITE);
  const struct insn *t = jump_hit(cpu, rip);
  if (unlikely(!p || !t)) return call_slow(cpu, i, rip, w);
  cpu->insn = i;
  host_store(p, back, w);
  cpu->gpr[RSP] = sp;
  ENTER(cpu, t);
}
BODY_E(call_E, call_e)

/* ---- RET ---- */

INLINE_BODY ret(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                handler_fn *slow) {
  u64 sp = cpu->gpr[RSP] & cpu->spmask;
  if (form == FORM_R) {
    cpu->insn = i;
    u8 *p = mem_hit(cpu, sp, WIDTH_BYTES(w), ACC_READ);
    if (unlikely(!p)) return slow(cpu, i);
    const struct insn *t = jump_hit(cpu, host_load(p, w));
    if (unlikely(!t)) return slow(cpu, i);
    cpu->gpr[RSP] = (sp + WIDTH_BYTES(w) + (u16)i->imm) & cpu->spmask;
    ENTER(cpu, t);
  }
  cpu->insn = i;
  u64 rip = mem_read_hit(cpu, mem_linear_quick(cpu, SS, sp, WIDTH_BYTES(w), ACC_READ), w);
  const struct insn *t = jump_hit(cpu, rip);
  if (unlikely(!t)) cpu_check_target(cpu, i, rip);
  sp = (sp + WIDTH_BYTES(w) + (u16)i->imm) & cpu->spmask;
  cpu->gpr[RSP] = (cpu->spmask == 0xffff ? cpu->gpr[RSP] & ~UINT64_C(0xffff) : 0) | sp;
  if (unlikely(!t)) return cpu_jump_mode(cpu, i, rip);
  ENTER(cpu, t);
}
BODY_RX(ret, ret)
