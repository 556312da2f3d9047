/* The stack: PUSH POP PUSHA POPA ENTER LEAVE. SDM 1 6.2 (Stacks), SDM 1 6.5 (Procedure Calls for
 * Block-Structured Languages). Forms other than X run on a flat 32- or 64-bit stack. */
#include "cpu/check.h"
#include "cpu/lean.h"

/* The stack pointer moved by delta, as wide as the stack is. */
static u64 sp_moved(const struct cpu *cpu, u64 sp, s64 delta) {
  return (sp & ~cpu->spmask) | ((sp + (u64)delta) & cpu->spmask);
}
static u64 stack_linear(struct cpu *cpu, u64 sp, enum width w, enum access acc) {
  return mem_linear_quick(cpu, SS, sp & cpu->spmask, WIDTH_BYTES(w), acc);
}
static void stack_write(struct cpu *cpu, u64 sp, u64 v, enum width w) {
  mem_write_hit(cpu, stack_linear(cpu, sp, w, ACC_WRITE), v, w);
}
static u64 stack_read(struct cpu *cpu, u64 sp, enum width w) {
  return mem_read_hit(cpu, stack_linear(cpu, sp, w, ACC_READ), w);
}

/* On a flat stack; 64-bit operands exist in 64-bit mode only, where nothing is masked. */
ALWAYS_INLINE u64 flat_mask(const struct cpu *cpu, enum width w) {
  return w == W64 ? ~UINT64_C(0) : cpu->spmask;
}

ALWAYS_INLINE const struct insn *push_value(struct cpu *restrict cpu, const struct insn *restrict i, u64 v,
                                            enum width w, enum form form, handler_fn *slow) {
  cpu->insn = i;
  if (form == FORM_X) {
    u64 sp = sp_moved(cpu, cpu->gpr[RSP], -(s64)WIDTH_BYTES(w));
    stack_write(cpu, sp, v, w);
    cpu->gpr[RSP] = sp;
  } else {
    u64 sp = (cpu->gpr[RSP] - WIDTH_BYTES(w)) & flat_mask(cpu, w);
    u8 *p = mem_hit(cpu, sp, WIDTH_BYTES(w), ACC_WRITE);
    if (unlikely(!p)) return slow(cpu, i);
    host_store(p, v, w);
    cpu->gpr[RSP] = sp;
  }
  NEXT(cpu, i, form);
}

INLINE_BODY push_reg(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                     handler_fn *slow) {
  return push_value(cpu, i, reg_get(cpu, i->dst, w), w, form, slow);
}
INLINE_BODY push_imm(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                     handler_fn *slow) {
  return push_value(cpu, i, i->imm, w, form, slow);
}
BODY_RV(push_Z, push_reg)
BODY_RV(push_I, push_imm)

/* The X handlers of the register rows, for register operands of PUSH Ev and POP Ev: form X of these rows
 * takes a register only when the decoder chose it (SEG_REG). */
#define REG_SLOW(name, w) ((w) == W16 ? h_##name##_16_X : (w) == W32 ? h_##name##_32_X : h_##name##_64_X)

/* The operand is read before RSP changes. */
INLINE_BODY push_e(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                   handler_fn *slow) {
  if (form == FORM_R || (form == FORM_X && i->seg == SEG_REG))
    return push_reg(cpu, i, w, form, REG_SLOW(push_Z, w));
  E_BIND(e, w, form, ACC_READ);
  return push_value(cpu, i, e_get(cpu, i, &e, w, form, ACC_READ), w, form, slow);
}
BODY_V(push_E, push_e)

/* POP RSP leaves what was popped. */
INLINE_BODY pop_reg(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                    handler_fn *slow) {
  u64 v;
  cpu->insn = i;
  if (form == FORM_X) {
    v = stack_read(cpu, cpu->gpr[RSP], w);
    cpu->gpr[RSP] = sp_moved(cpu, cpu->gpr[RSP], WIDTH_BYTES(w));
  } else {
    u64 sp = cpu->gpr[RSP] & flat_mask(cpu, w);
    const u8 *p = mem_hit(cpu, sp, WIDTH_BYTES(w), ACC_READ);
    if (unlikely(!p)) return slow(cpu, i);
    v = host_load(p, w);
    cpu->gpr[RSP] = (sp + WIDTH_BYTES(w)) & flat_mask(cpu, w);
  }
  reg_set(cpu, i->dst, v, w);
  NEXT(cpu, i, form);
}
BODY_RV(pop_Z, pop_reg)

/* To memory. SDM 2B POP: an address that uses RSP is computed with the incremented RSP. */
static void pop_memory(struct cpu *cpu, const struct insn *i, enum width w) {
  u64 v = stack_read(cpu, cpu->gpr[RSP], w), sp = sp_moved(cpu, cpu->gpr[RSP], WIDTH_BYTES(w));
  u64 off = ea_offset(cpu, i);
  if (i->base == RSP) off = (off + sp - cpu->gpr[RSP]) & insn_address_mask(i);
  mem_write(cpu, mem_linear(cpu, i->seg, off, WIDTH_BYTES(w), ACC_WRITE), v, WIDTH_BYTES(w));
  cpu->gpr[RSP] = sp;
}
INLINE_BODY pop_e(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                  handler_fn *slow) {
  (void)slow;
  if (form == FORM_R || i->seg == SEG_REG) return pop_reg(cpu, i, w, form, REG_SLOW(pop_Z, w));
  cpu->insn = i;
  pop_memory(cpu, i, w);
  NEXT(cpu, i, form);
}
BODY_RV(pop_E, pop_e)

/* Stack pointers at which a word would lie across the end of the segment. SDM 2B PUSHA/PUSHAD (Real-Address Mode
 * Exceptions): 1, 3 and 5, with no room for a frame either, are #SS and so a shutdown in real mode. */
static void require_even_sp(struct cpu *cpu) {
  u64 sp = cpu->gpr[RSP] & cpu->spmask;
  if ((cpu->cr0 & CR0_PE && !(cpu->eflags & EF_VM)) || !model_does(cpu->model, RULE_PUSHA_ODD_SP)) return;
  require_ab(cpu, CHK_PUSHA_SP, !(sp & 1) || sp < 7 || sp > 15, 0, sp, 0);
}

/* All eight places are checked before the first is written. */
static const struct insn *h_pusha(struct cpu *restrict cpu, const struct insn *restrict i) {
  enum width w = insn_osize(i);
  u64 sp = cpu->gpr[RSP];
  s64 size = WIDTH_BYTES(w);
  cpu->insn = i;
  require_even_sp(cpu);
  for (int k = 1; k <= 8; k++)
    mem_probe(cpu, stack_linear(cpu, sp_moved(cpu, sp, -k * size), w, ACC_WRITE), WIDTH_BYTES(w), ACC_WRITE);
  for (int k = 1; k <= 8; k++) stack_write(cpu, sp_moved(cpu, sp, -k * size), cpu->gpr[k - 1], w);
  cpu->gpr[RSP] = sp_moved(cpu, sp, -8 * size);
  NEXT(cpu, i, FORM_X);
}
BODY_1(pusha, h_pusha)

/* The saved rSP is passed over. */
static const struct insn *h_popa(struct cpu *restrict cpu, const struct insn *restrict i) {
  enum width w = insn_osize(i);
  u64 sp = cpu->gpr[RSP], v[8];
  s64 size = WIDTH_BYTES(w);
  cpu->insn = i;
  for (int k = 0; k < 8; k++) /* the slot of rSP too: it may fault */
    v[7 - k] = stack_read(cpu, sp_moved(cpu, sp, k * size), w);
  for (unsigned r = 0; r < 8; r++)
    if (r != RSP) reg_set(cpu, r, v[r], w);
  cpu->gpr[RSP] = sp_moved(cpu, sp, 8 * size);
  NEXT(cpu, i, FORM_X);
}
BODY_1(popa, h_popa)

/* SDM 2A ENTER: the frame pointers of the enclosing procedures are copied, then the new one; at the end a
 * write at the final stack pointer must be possible (#PF, #SS). rBP is written as wide as the operand, rSP
 * as wide as the stack: on a 16-bit stack a 32-bit frame pointer has ESP's upper half, with the borrow
 * (measured on Intel Xeon). */
static const struct insn *h_enter(struct cpu *restrict cpu, const struct insn *restrict i) {
  enum width w = insn_osize(i);
  s64 size = WIDTH_BYTES(w);
  u16 alloc = (u16)i->imm;
  unsigned level = i->imm >> 16 & 31;
  cpu->insn = i;
  u64 frame = cpu->gpr[RSP] - (u64)size, sp = sp_moved(cpu, cpu->gpr[RSP], -size), bp = cpu->gpr[RBP];
  stack_write(cpu, sp, bp, w);
  for (unsigned k = 1; k < level; k++) {
    bp = sp_moved(cpu, bp, -size);
    u64 link = stack_read(cpu, bp, w);
    sp = sp_moved(cpu, sp, -size);
    stack_write(cpu, sp, link, w);
  }
  if (level) {
    sp = sp_moved(cpu, sp, -size);
    stack_write(cpu, sp, frame, w);
  }
  sp = sp_moved(cpu, sp, -(s64)alloc);
  mem_probe(cpu, stack_linear(cpu, sp, w, ACC_WRITE), WIDTH_BYTES(w), ACC_WRITE);
  reg_set(cpu, RBP, frame, w);
  cpu->gpr[RSP] = sp;
  NEXT(cpu, i, FORM_X);
}
BODY_1(enter_I, h_enter)

INLINE_BODY leave(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                  handler_fn *slow) {
  u64 v, bp = cpu->gpr[RBP] & flat_mask(cpu, w);
  cpu->insn = i;
  if (form == FORM_X) {
    v = stack_read(cpu, bp, w);
    cpu->gpr[RSP] = sp_moved(cpu, (cpu->gpr[RSP] & ~cpu->spmask) | bp, WIDTH_BYTES(w));
  } else {
    const u8 *p = mem_hit(cpu, bp, WIDTH_BYTES(w), ACC_READ);
    if (unlikely(!p)) return slow(cpu, i);
    v = host_load(p, w);
    cpu->gpr[RSP] = (bp + WIDTH_BYTES(w)) & flat_mask(cpu, w);
  }
  reg_set(cpu, RBP, v, w);
  NEXT(cpu, i, form);
}
BODY_RV(leave, leave)
