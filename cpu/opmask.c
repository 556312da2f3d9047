/* AVX-512 opmask instructions: moves, logic, shifts, tests on k0 to k7. SDM 1 15.1 (AVX-512 Overview); SDM 2 (the
 * instructions' pages). SDM 1 15.6.1: a result narrower than 64 bits clears the rest. */
#include "cpu/vex.h"

/* Of 8, 16, 32 and 64 bits. */
#define OPMASK_WIDTHS(M, ...) M(8, __VA_ARGS__) M(16, __VA_ARGS__) M(32, __VA_ARGS__) M(64, __VA_ARGS__)

/* ---- moves ---- */
#define KMOV(w, ...)                                                                                                \
  static const struct insn *h_kmov_k_##w(struct cpu *restrict cpu, const struct insn *restrict i) {              \
    cpu->k[i->dst] = (u##w)cpu->k[i->src];                                                                       \
    NEXT(cpu, i, FORM_R);                                                                                        \
  }                                                                                                              \
  static const struct insn *h_kmov_k_##w##_X(struct cpu *restrict cpu, const struct insn *restrict i) {          \
    cpu->k[i->dst] = mem_read_w(cpu, vex_linear(cpu, i, 0, w / 8, ACC_READ), W##w);                              \
    NEXT(cpu, i, FORM_X);                                                                                        \
  }                                                                                                              \
  static handler_fn *const t_kmov_k_##w[1][FORMS] = {{[FORM_R] = h_kmov_k_##w, [FORM_X] = h_kmov_k_##w##_X}};    \
  const struct body body_kmov_k_##w = {1, t_kmov_k_##w};                                                         \
  static const struct insn *h_kmov_m_##w(struct cpu *restrict cpu, const struct insn *restrict i) {              \
    mem_write_w(cpu, vex_linear(cpu, i, 0, w / 8, ACC_WRITE), cpu->k[i->src], W##w);                             \
    NEXT(cpu, i, FORM_X);                                                                                        \
  }                                                                                                              \
  static handler_fn *const t_kmov_m_##w[1][FORMS] = {{[FORM_X] = h_kmov_m_##w}};                                 \
  const struct body body_kmov_m_##w = {1, t_kmov_m_##w};                                                         \
  static const struct insn *h_kmov_from_gpr_##w(struct cpu *restrict cpu, const struct insn *restrict i) {       \
    cpu->k[i->dst] = (u##w)cpu->gpr[i->src];                                                                     \
    NEXT(cpu, i, FORM_R);                                                                                        \
  }                                                                                                              \
  BODY_1(kmov_from_gpr_##w, h_kmov_from_gpr_##w)                                                                 \
  static const struct insn *h_kmov_to_gpr_##w(struct cpu *restrict cpu, const struct insn *restrict i) {         \
    cpu->gpr[i->dst] = (u##w)cpu->k[i->src];                                                                     \
    NEXT(cpu, i, FORM_R);                                                                                        \
  }                                                                                                              \
  BODY_1(kmov_to_gpr_##w, h_kmov_to_gpr_##w)
OPMASK_WIDTHS(KMOV, )

/* ---- a: the opmask in vvvv, b: the one in r/m ---- */
#define K_OP(w, name, expr)                                                                                      \
  static const struct insn *h_##name##_##w(struct cpu *restrict cpu, const struct insn *restrict i) {            \
    u##w a = (u##w)cpu->k[vex_vvvv(i) & 7], b = (u##w)cpu->k[i->src];                                            \
    (void)a;                                                                                                     \
    cpu->k[i->dst] = (u##w)(expr);                                                                               \
    NEXT(cpu, i, FORM_R);                                                                                        \
  }                                                                                                              \
  BODY_1(name##_##w, h_##name##_##w)
OPMASK_WIDTHS(K_OP, kand, a & b)
OPMASK_WIDTHS(K_OP, kandn, ~a & b)
OPMASK_WIDTHS(K_OP, kor, a | b)
OPMASK_WIDTHS(K_OP, kxor, a ^ b)
OPMASK_WIDTHS(K_OP, kxnor, ~(a ^ b))
OPMASK_WIDTHS(K_OP, knot, ~b)
OPMASK_WIDTHS(K_OP, kadd, a + b)
/* The low halves, that of r/m below. The name has the half's width, the result twice of it. */
K_OP(16, kunpck, a << 8 | (u8)b)
K_OP(32, kunpck, a << 16 | (u16)b)
K_OP(64, kunpck, a << 32 | (u32)b)
/* All eight bits of the immediate count. */
#define K_SHIFT(w, ...)                                                                                          \
  K_OP(w, kshiftl, vex_imm(i) < w ? (u64)b << (vex_imm(i) & 63) : 0)                                             \
  K_OP(w, kshiftr, vex_imm(i) < w ? b >> (vex_imm(i) & (w - 1)) : 0)
OPMASK_WIDTHS(K_SHIFT, )

/* ---- into EFLAGS: a is in ModRM.reg. The flags that are not named are cleared ---- */
#define K_FLAGS(w, name, zero, carry)                                                                            \
  static const struct insn *h_##name##_##w(struct cpu *restrict cpu, const struct insn *restrict i) {            \
    u##w a = (u##w)cpu->k[i->dst], b = (u##w)cpu->k[i->src];                                                     \
    cpu->hf = (u16)(((u##w)(zero) ? 0 : HF_ZF) | ((u##w)(carry) ? 0 : HF_CF));                                   \
    NEXT(cpu, i, FORM_R);                                                                                        \
  }                                                                                                              \
  BODY_1(name##_##w, h_##name##_##w)
OPMASK_WIDTHS(K_FLAGS, kortest, a | b, ~(a | b))
OPMASK_WIDTHS(K_FLAGS, ktest, a & b, ~a & b)
