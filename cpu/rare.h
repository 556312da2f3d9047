/* Instances for instructions that are too rare for forms of their own: register and general memory form only,
 * the operand size found at run time. */
#ifndef CPU_RARE_H
#define CPU_RARE_H

#include "cpu/handler.h"

#define RARE_INST(name, form, inl, ...)                                                                      \
  static const struct insn *h_##name##_##form(struct cpu *restrict cpu, const struct insn *restrict i) {     \
    return inl(cpu, i, FORM_##form __VA_OPT__(, ) __VA_ARGS__);                                              \
  }
/* inl(cpu, i, form, ...): forms R and X. */
#define BODY_RARE(name, inl, ...)                                                                            \
  RARE_INST(name, R, inl, __VA_ARGS__) RARE_INST(name, X, inl, __VA_ARGS__)                                  \
  static handler_fn *const t_##name[1][FORMS] = {{[FORM_R] = h_##name##_R, [FORM_X] = h_##name##_X}};        \
  const struct body body_##name = {1, t_##name};

/* A 16-bit r/m operand, register number r in form R. Sets cpu->insn. */
ALWAYS_INLINE u16 rm16_read(struct cpu *cpu, const struct insn *i, enum form form, unsigned r) {
  cpu->insn = i;
  if (form == FORM_R) return (u16)cpu->gpr[r];
  return mem_read16(cpu, ea_linear(cpu, i, 2, ACC_READ));
}
/* A destination of which memory takes 16 bits and a register the operand size. */
ALWAYS_INLINE void rm16_write(struct cpu *cpu, const struct insn *i, enum form form, u64 v) {
  cpu->insn = i;
  if (form == FORM_R) reg_set(cpu, i->dst, v, insn_osize(i));
  else mem_write16(cpu, ea_linear(cpu, i, 2, ACC_WRITE), (u16)v);
}

/* The part of the memory operand that lies `at` bytes behind its start: the offset wraps at the address size. */
static inline u64 ea_linear_part(struct cpu *cpu, const struct insn *i, unsigned at, unsigned size, enum access acc) {
  cpu->insn = i;
  return mem_linear(cpu, i->seg, (ea_offset(cpu, i) + at) & insn_address_mask(i), size, acc);
}

/* m16:16, m16:32, and with REX.W m16:64 where the model has it: the offset, and the selector behind it. */
struct far_ptr {
  u16 sel;
  u8 bytes; /* of the offset */
  u64 off;
};
static inline struct far_ptr far_ptr_read(struct cpu *cpu, const struct insn *i) {
  struct far_ptr p = {.bytes = (u8)WIDTH_BYTES(insn_osize(i))};
  if (p.bytes == 8 && !model_does(cpu->model, RULE_FAR_POINTER64)) p.bytes = 4;
  p.off = mem_read(cpu, ea_linear_part(cpu, i, 0, p.bytes, ACC_READ), p.bytes);
  p.sel = mem_read16(cpu, ea_linear_part(cpu, i, p.bytes, 2, ACC_READ));
  return p;
}

#endif
