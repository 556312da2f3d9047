/* Lane operations of floating-point arithmetic, comparison, approximation and rounding, SSE to SSE4.1. SDM 1
 * 10.4.1 (SSE Packed and Scalar Floating-Point Instructions), 11.4.1 (Packed and Scalar Double-Precision
 * Floating-Point Instructions), 12.5 (SSE3 Instructions), 12.10 (SSE4.1 Instruction Set).
 *
 * They use the host's MXCSR, which is the guest's with all exceptions masked, and collect its flags
 * (cpu/simd_state.h). A scalar operation keeps the rest of a. */
#ifndef CPU_LANE_FP_H
#define CPU_LANE_FP_H

#include "base/bits.h"
#include "cpu/lane_int.h"
#include "cpu/lane_soft.h"

/* a = a insn b */
#define FP_BINARY(name)                                                              \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {              \
    (void)imm;                                                                       \
    __asm__ volatile(#name " %1, %0" : "+x"(a) : "x"(b));                            \
    return a;                                                                        \
  }
/* insn b, all of the lane */
#define FP_UNARY(name)                                                               \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {              \
    (void)imm;                                                                       \
    __asm__ volatile(#name " %1, %0" : "=x"(a) : "x"(b));                            \
    return a;                                                                        \
  }

#define FP_BINARY_4(name) FP_BINARY(name##ps) FP_BINARY(name##pd) FP_BINARY(name##ss) FP_BINARY(name##sd)
FP_BINARY_4(add)
FP_BINARY_4(sub)
FP_BINARY_4(mul)
FP_BINARY_4(div)
FP_BINARY_4(min)
FP_BINARY_4(max)
FP_UNARY(sqrtps)
FP_UNARY(sqrtpd)
FP_BINARY(sqrtss)
FP_BINARY(sqrtsd)
/* Approximations raise nothing; their value within the manual's error bound is the host's. */
FP_UNARY(rcpps)
FP_UNARY(rsqrtps)
FP_BINARY(rcpss)
FP_BINARY(rsqrtss)

/* The predicate is the immediate's low three bits: EQ LT LE UNORD NEQ NLT NLE ORD. */
#define COMPARE_CASE(insn, n) \
  case n: __asm__ volatile(insn " $" #n ", %1, %0" : "+x"(a) : "x"(b)); break;
#define FP_COMPARE(name)                                                                            \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {                             \
    switch (imm & 7) {                                                                              \
      COMPARE_CASE(#name, 0) COMPARE_CASE(#name, 1) COMPARE_CASE(#name, 2) COMPARE_CASE(#name, 3)   \
      COMPARE_CASE(#name, 4) COMPARE_CASE(#name, 5) COMPARE_CASE(#name, 6) COMPARE_CASE(#name, 7)   \
    }                                                                                               \
    return a;                                                                                       \
  }
FP_COMPARE(cmpps)
FP_COMPARE(cmppd)
FP_COMPARE(cmpss)
FP_COMPARE(cmpsd)

/* Ordered and unordered comparison: the host flags word of base/host.h. */
#define COMPARE_FLAGS(name)                                                                         \
  ALWAYS_INLINE u16 op_##name(__m128i a, __m128i b) {                                               \
    u16 hf;                                                                                         \
    __asm__ volatile(#name " %2, %1\n\tlahf\n\tseto %%al" : "=a"(hf) : "x"(a), "x"(b) : "cc");      \
    return hf;                                                                                      \
  }
COMPARE_FLAGS(comiss)
COMPARE_FLAGS(comisd)
COMPARE_FLAGS(ucomiss)
COMPARE_FLAGS(ucomisd)

/* ---- conversions: the result fills the lane (zeros above a narrower one), or its low part (scalar) ---- */
FP_UNARY(cvtps2pd)
FP_UNARY(cvtpd2ps)
FP_UNARY(cvtdq2ps)
FP_UNARY(cvtps2dq)
FP_UNARY(cvttps2dq)
FP_UNARY(cvtdq2pd)
FP_UNARY(cvtpd2dq)
FP_UNARY(cvttpd2dq)
FP_BINARY(cvtss2sd)
FP_BINARY(cvtsd2ss)

#define CVT_FROM_INT(name)                                                           \
  ALWAYS_INLINE __m128i op_##name(__m128i a, u64 v, bool wide) {                     \
    if (wide) __asm__ volatile(#name "q %1, %0" : "+x"(a) : "r"(v));                 \
    else __asm__ volatile(#name "l %1, %0" : "+x"(a) : "r"((u32)v));                 \
    return a;                                                                        \
  }
CVT_FROM_INT(cvtsi2ss)
CVT_FROM_INT(cvtsi2sd)
#define CVT_TO_INT(name)                                                             \
  ALWAYS_INLINE u64 op_##name(__m128i b, bool wide) {                                \
    u64 v;                                                                           \
    if (wide) __asm__ volatile(#name " %1, %q0" : "=r"(v) : "x"(b));                 \
    else __asm__ volatile(#name " %1, %k0" : "=r"(v) : "x"(b));                      \
    return v;                                                                        \
  }
CVT_TO_INT(cvtss2si)
CVT_TO_INT(cvtsd2si)
CVT_TO_INT(cvttss2si)
CVT_TO_INT(cvttsd2si)

/* ---- SSE3: neighbours, and addition with subtraction ---- */
#define SHUFFLE_PS(a, b, n) _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), (n)))
/* Elements of even and of odd number, of a and b: the operands of the horizontal operations. */
SIMD_OP(even_ps, SHUFFLE_PS(a, b, 0x88))
SIMD_OP(odd_ps, SHUFFLE_PS(a, b, 0xdd))
SIMD_OP(even_pd, _mm_unpacklo_epi64(a, b))
SIMD_OP(odd_pd, _mm_unpackhi_epi64(a, b))
#ifdef __SSE3__
FP_BINARY(haddps)
FP_BINARY(haddpd)
FP_BINARY(hsubps)
FP_BINARY(hsubpd)
FP_BINARY(addsubps)
FP_BINARY(addsubpd)
#else
SIMD_OP(haddps, op_addps(op_even_ps(a, b, 0), op_odd_ps(a, b, 0), 0))
SIMD_OP(haddpd, op_addpd(op_even_pd(a, b, 0), op_odd_pd(a, b, 0), 0))
SIMD_OP(hsubps, op_subps(op_even_ps(a, b, 0), op_odd_ps(a, b, 0), 0))
SIMD_OP(hsubpd, op_subpd(op_even_pd(a, b, 0), op_odd_pd(a, b, 0), 0))
/* a - b is a + -b, but for the sign of a NaN that b is. */
ALWAYS_INLINE __m128i negate_even_ps(__m128i v) {
  __m128i nan = _mm_cmpgt_epi32(_mm_and_si128(v, _mm_set1_epi32(0x7fffffff)), _mm_set1_epi32(0x7f800000));
  return _mm_xor_si128(v, _mm_andnot_si128(nan, _mm_set_epi32(0, (int)0x80000000, 0, (int)0x80000000)));
}
ALWAYS_INLINE __m128i negate_even_pd(__m128i v) {
  u64 q = (u64)_mm_cvtsi128_si64(v);
  bool nan = (q & ~BIT(63)) > UINT64_C(0x7ff0000000000000);
  return _mm_xor_si128(v, _mm_cvtsi64_si128(nan ? 0 : (s64)BIT(63)));
}
SIMD_OP(addsubps, op_addps(a, negate_even_ps(b), 0))
SIMD_OP(addsubpd, op_addpd(a, negate_even_pd(b), 0))
#endif

/* ---- SSE4.1: rounding, dot products ---- */
#ifdef __SSE4_1__
#define ROUND_CASE(insn, n) COMPARE_CASE(insn, n)
#define FP_ROUND(name)                                                                          \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {                         \
    switch (imm & 15) {                                                                         \
      ROUND_CASE(#name, 0) ROUND_CASE(#name, 1) ROUND_CASE(#name, 2) ROUND_CASE(#name, 3)       \
      ROUND_CASE(#name, 8) ROUND_CASE(#name, 9) ROUND_CASE(#name, 10) ROUND_CASE(#name, 11)     \
      case 4: case 5: case 6:                                                                   \
      ROUND_CASE(#name, 7)                                                                      \
      case 12: case 13: case 14:                                                                \
      ROUND_CASE(#name, 15)                                                                     \
    }                                                                                           \
    return a;                                                                                   \
  }
FP_ROUND(roundps)
FP_ROUND(roundpd)
FP_ROUND(roundss)
FP_ROUND(roundsd)
#else
SIMD_OP(roundps, soft_round(b, 4, false, imm))
SIMD_OP(roundpd, soft_round(b, 2, true, imm))
SIMD_OP(roundss, lane_select(a, soft_round(b, 1, false, imm), _mm_set_epi32(0, 0, 0, -1)))
SIMD_OP(roundsd, lane_select(a, soft_round(b, 1, true, imm), _mm_set_epi32(0, 0, -1, -1)))
#endif

/* The steps of a dot product: the factors that imm's bits 4.. leave, their products, sums with the neighbour and
 * then (single) with the other half, and the destinations that imm's low bits name. Elements that do not take part
 * are 0 * 0. Each destination is a sum of its own: in the order of addition, which decides between NaNs, they
 * differ (measured on family 6 model 167; the manual has one sum for all). */
SIMD_OP(dp_factor_ps, _mm_and_si128(b, lane_mask_d(imm >> 4)))
SIMD_OP(dp_factor_pd, _mm_and_si128(b, lane_mask_q(imm >> 4)))
SIMD_OP(dp_result_ps, _mm_and_si128(b, lane_mask_d(imm)))
SIMD_OP(dp_result_pd, _mm_and_si128(b, lane_mask_q(imm)))
SIMD_OP(dp_other_1, _mm_shuffle_epi32(b, 0xb1))
SIMD_OP(dp_other_2, _mm_shuffle_epi32(b, 0x4e))
ALWAYS_INLINE __m128i dot_product_ps(__m128i a, __m128i b, unsigned imm) {
  __m128i t = op_mulps(op_dp_factor_ps(a, a, imm), op_dp_factor_ps(b, b, imm), 0);
  t = op_addps(op_dp_other_1(t, t, 0), t, 0);
  t = op_addps(t, op_dp_other_2(t, t, 0), 0);
  return op_dp_result_ps(t, t, imm);
}
ALWAYS_INLINE __m128i dot_product_pd(__m128i a, __m128i b, unsigned imm) {
  __m128i t = op_mulpd(op_dp_factor_pd(a, a, imm), op_dp_factor_pd(b, b, imm), 0);
  t = op_addpd(t, op_dp_other_2(t, t, 0), 0);
  return op_dp_result_pd(t, t, imm);
}
SIMD_OP_CALL(dpps, dot_product_ps)
SIMD_OP_CALL(dppd, dot_product_pd)

#endif
