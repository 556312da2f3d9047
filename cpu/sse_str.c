/* The string comparisons of SSE4.2. SDM 1 12.11.3 (String and Text Processing Instructions); SDM 2 PCMPESTRI,
 * PCMPESTRM, PCMPISTRI, PCMPISTRM. */
#include "cpu/lane_str.h"
#include "cpu/vex.h"

/* The lengths are in EAX and EDX, RAX and RDX with W, or where the strings end. */
ALWAYS_INLINE void compare_strings(struct cpu *cpu, const struct insn *i, __m128i a, __m128i b, unsigned imm,
                                   bool explicit_length, bool to_mask) {
  unsigned na, nb;
  if (explicit_length) {
    na = string_length_explicit(cpu->gpr[RAX], insn_osize(i) == W64, imm);
    nb = string_length_explicit(cpu->gpr[RDX], insn_osize(i) == W64, imm);
  } else {
    na = string_length_implicit(a, imm);
    nb = string_length_implicit(b, imm);
  }
  u32 r = string_result(a, na, b, nb, imm);
  if (to_mask) xmm_set(cpu, 0, string_mask(r, imm));
  else reg_set(cpu, RCX, string_index(r, imm), W32);
  cpu->hf = string_flags(r, na, nb, imm);
}
SIMD_BODY(pcmpstr, bool explicit_length, bool to_mask) {
  V_BIND(e, V16U, form, ACC_READ);
  __m128i a = xmm_get(cpu, i->dst), b = v_src(cpu, i, &e, V16U, form);
  compare_strings(cpu, i, a, b, (u8)insn_imm(i, form), explicit_length, to_mask);
  NEXT(cpu, i, form);
}
VEC_RM(pcmpestrm, pcmpstr, true, true)
VEC_RM(pcmpestri, pcmpstr, true, false)
VEC_RM(pcmpistrm, pcmpstr, false, true)
VEC_RM(pcmpistri, pcmpstr, false, false)

/* VEX: XMM0 is cleared above the mask. */
#define VEC_STRINGS(name, explicit_length, to_mask)                                                         \
  static NOINLINE void s_##name(struct cpu *cpu, const struct insn *i) {                                    \
    union vec b;                                                                                            \
    vex_fetch(cpu, i, &b, 1, 16, 1);                                                                        \
    compare_strings(cpu, i, xmm_get(cpu, i->dst), _mm_loadu_si128((const void *)&b), vex_imm(i),            \
                    explicit_length, to_mask);                                                              \
    if (to_mask) vec_clear_above(cpu, 0, 0);                                                                \
  }                                                                                                         \
  static const struct insn *h_vec_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {     \
    s_##name(cpu, i);                                                                                       \
    NEXT(cpu, i, FORM_X);                                                                                   \
  }                                                                                                         \
  VEC_BODY_X(vec_##name, vec_##name)
VEC_STRINGS(pcmpestrm, true, true)
VEC_STRINGS(pcmpestri, true, false)
VEC_STRINGS(pcmpistrm, false, true)
VEC_STRINGS(pcmpistri, false, false)
