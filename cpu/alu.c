/* Two-operand arithmetic and logic: ADD OR ADC SBB AND SUB XOR CMP TEST, INC DEC NEG NOT.
 * SDM 1 7.3.2 (Binary Arithmetic Instructions), 7.3.4 (Logical Instructions). */
#include "cpu/handler.h"

enum alu_op { OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR, OP_CMP, OP_TEST, OP_INC, OP_DEC, OP_NEG, OP_NOT };

#define ALU_WIDTH(n)                                                                   \
  static inline __attribute__((always_inline)) u64 alu##n(enum alu_op op, u##n a, u##n b, u16 *hf) {          \
    switch (op) {                                                                      \
      case OP_ADD: return host_add##n(a, b, hf);                                       \
      case OP_OR: return host_or##n(a, b, hf);                                         \
      case OP_ADC: return host_adc##n(a, b, hf);                                       \
      case OP_SBB: return host_sbb##n(a, b, hf);                                       \
      case OP_AND: return host_and##n(a, b, hf);                                       \
      case OP_SUB: return host_sub##n(a, b, hf);                                       \
      case OP_XOR: return host_xor##n(a, b, hf);                                       \
      case OP_CMP: host_cmp##n(a, b, hf); return a;                                    \
      case OP_TEST: host_test##n(a, b, hf); return a;                                  \
      case OP_NEG: return host_neg##n(a, hf);                                          \
      case OP_NOT: return (u##n)~a;                                                    \
      default: {                                                                       \
        u16 cf = *hf & HF_CF;                                                          \
        u64 r = op == OP_INC ? host_inc##n(a, hf) : host_dec##n(a, hf);                \
        *hf = (u16)((*hf & ~HF_CF) | cf);                                              \
        return r;                                                                      \
      }                                                                                \
    }                                                                                  \
  }
ALU_WIDTH(8)
ALU_WIDTH(16)
ALU_WIDTH(32)
ALU_WIDTH(64)

ALWAYS_INLINE u64 alu(enum alu_op op, u64 a, u64 b, enum width w, u16 *hf) {
  switch (w) {
    case W8: return alu8(op, (u8)a, (u8)b, hf);
    case W16: return alu16(op, (u16)a, (u16)b, hf);
    case W32: return alu32(op, (u32)a, (u32)b, hf);
    default: return alu64(op, a, b, hf);
  }
}

ALWAYS_INLINE bool alu_writes(enum alu_op op) { return op != OP_CMP && op != OP_TEST; }

/* The r/m operand is the destination: op E, b. */
INLINE_BODY alu_e(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                  handler_fn *slow, enum alu_op op, bool b_is_imm) {
  u64 b = b_is_imm ? insn_imm(i, form) : reg_get(cpu, i->src, w), a, r;
  enum access acc = alu_writes(op) ? ACC_WRITE : ACC_READ;
  u16 hf = cpu->hf;
  E_BIND(e, w, form, acc);
  if (form == FORM_L) {
    u16 hf_in = hf;
    E_LOCKED_RMW(e, w, a, r, (hf = hf_in, alu(op, a, b, w, &hf)));
  } else {
    a = e_get(cpu, i, &e, w, form, acc);
    r = alu(op, a, b, w, &hf);
    if (alu_writes(op)) e_set(cpu, i, &e, r, w, form);
  }
  if (op != OP_NOT) cpu->hf = hf;
  NEXT(cpu, i, form);
}

/* The register is the destination: op G, E. */
INLINE_BODY alu_g(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                  handler_fn *slow, enum alu_op op) {
  u16 hf = cpu->hf;
  E_BIND(e, w, form, ACC_READ);
  u64 b = e_get_src(cpu, i, &e, w, form);
  u64 r = alu(op, reg_get(cpu, i->dst, w), b, w, &hf);
  if (alu_writes(op)) reg_set(cpu, i->dst, r, w);
  cpu->hf = hf;
  NEXT(cpu, i, form);
}

#define ALU(name, op)                         \
  BODY_E_LOCK(name##_E_G, alu_e, op, false)   \
  BODY_E_LOCK(name##_E_I, alu_e, op, true)    \
  BODY_E(name##_G_E, alu_g, op)
ALU(add, OP_ADD)
ALU(or, OP_OR)
ALU(adc, OP_ADC)
ALU(sbb, OP_SBB)
ALU(and, OP_AND)
ALU(sub, OP_SUB)
ALU(xor, OP_XOR)
BODY_E(cmp_E_G, alu_e, OP_CMP, false)
BODY_E(cmp_E_I, alu_e, OP_CMP, true)
BODY_E(cmp_G_E, alu_g, OP_CMP)
BODY_E(test_E_G, alu_e, OP_TEST, false)
BODY_E(test_E_I, alu_e, OP_TEST, true)
BODY_E_LOCK(inc_E, alu_e, OP_INC, false)
BODY_E_LOCK(dec_E, alu_e, OP_DEC, false)
BODY_E_LOCK(neg_E, alu_e, OP_NEG, false)
BODY_E_LOCK(not_E, alu_e, OP_NOT, false)
