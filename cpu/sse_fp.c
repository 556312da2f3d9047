/* SSE and SSE2 floating-point arithmetic, comparison and approximation. SDM 1 10.4.1.2 to 10.4.1.3,
 * 11.4.1.2 to 11.4.1.4 (Arithmetic, Comparison Instructions), 11.5 (SSE, SSE2, and SSE3 Exceptions). */
#include "cpu/simd.h"

/* dst = dst insn src; a scalar instruction keeps the rest of dst */
#define FP_BINARY(name)                                                              \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {              \
    (void)imm;                                                                       \
    __asm__ volatile(#name " %1, %0" : "+x"(a) : "x"(b));                            \
    return a;                                                                        \
  }
/* dst = insn src, all of dst */
#define FP_UNARY(name)                                                               \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {              \
    (void)imm;                                                                       \
    __asm__ volatile(#name " %1, %0" : "=x"(a) : "x"(b));                            \
    return a;                                                                        \
  }

#define ARITH(BODY, name, kind)                                                      \
  FP_BINARY(name##ps) FP_BINARY(name##pd) FP_BINARY(name##ss) FP_BINARY(name##sd)    \
  BODY(name##ps, v_w_fp, V16, kind | FP_SINGLE | FP_PACKED, op_##name##ps)           \
  BODY(name##pd, v_w_fp, V16, kind | FP_DOUBLE | FP_PACKED, op_##name##pd)           \
  BODY(name##ss, v_w_fp, V4, kind | FP_SINGLE | FP_SCALAR, op_##name##ss)            \
  BODY(name##sd, v_w_fp, V8, kind | FP_DOUBLE | FP_SCALAR, op_##name##sd)
ARITH(VEC_FP_HOT, add, FP_ADD)
ARITH(VEC_FP_HOT, sub, FP_SUB)
ARITH(VEC_FP_HOT, mul, FP_MUL)
ARITH(VEC_FP_HOT, div, FP_DIV)
ARITH(VEC_FP, min, FP_PLAIN)
ARITH(VEC_FP, max, FP_PLAIN)

FP_UNARY(sqrtps)
FP_UNARY(sqrtpd)
FP_BINARY(sqrtss)
FP_BINARY(sqrtsd)
VEC_FP(sqrtps, v_w_fp, V16, FP_PLAIN, op_sqrtps)
VEC_FP(sqrtpd, v_w_fp, V16, FP_PLAIN, op_sqrtpd)
VEC_FP(sqrtss, v_w_fp, V4, FP_PLAIN, op_sqrtss)
VEC_FP(sqrtsd, v_w_fp, V8, FP_PLAIN, op_sqrtsd)

/* Approximations raise nothing; their value within the manual's error bound is the host's. */
FP_UNARY(rcpps)
FP_UNARY(rsqrtps)
FP_BINARY(rcpss)
FP_BINARY(rsqrtss)
VEC_RM(rcpps, v_w, V16, op_rcpps)
VEC_RM(rsqrtps, v_w, V16, op_rsqrtps)
VEC_RM(rcpss, v_w, V4, op_rcpss)
VEC_RM(rsqrtss, v_w, V4, op_rsqrtss)

/* The predicate is the immediate's low three bits: EQ LT LE UNORD NEQ NLT NLE ORD. */
#define COMPARE_CASE(insn, n) \
  case n: __asm__ volatile(insn " $" #n ", %1, %0" : "+x"(a) : "x"(b)); break;
#define COMPARE(name)                                                                               \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {                             \
    switch (imm & 7) {                                                                              \
      COMPARE_CASE(#name, 0) COMPARE_CASE(#name, 1) COMPARE_CASE(#name, 2) COMPARE_CASE(#name, 3)   \
      COMPARE_CASE(#name, 4) COMPARE_CASE(#name, 5) COMPARE_CASE(#name, 6) COMPARE_CASE(#name, 7)   \
    }                                                                                               \
    return a;                                                                                       \
  }
COMPARE(cmpps)
COMPARE(cmppd)
COMPARE(cmpss)
COMPARE(cmpsd)
VEC_FP(sse_cmpps, v_w_fp, V16, FP_PLAIN, op_cmpps)
VEC_FP(sse_cmppd, v_w_fp, V16, FP_PLAIN, op_cmppd)
VEC_FP(sse_cmpss, v_w_fp, V4, FP_PLAIN, op_cmpss)
VEC_FP(sse_cmpsd, v_w_fp, V8, FP_PLAIN, op_cmpsd)

/* ---- ordered and unordered comparison into EFLAGS ---- */
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

/* An unmasked exception leaves EFLAGS as they were. */
SIMD_BODY(comis, enum vmem m, u16 (*op)(__m128i, __m128i)) {
  if (!MAY_BE_EXACT(form) && unlikely(cpu->simd_exact)) return slow(cpu, i);
  V_BIND(e, m, form, ACC_READ);
  __m128i a = xmm_get(cpu, i->dst), b = v_src(cpu, i, &e, m, form);
  u16 hf;
  if (MAY_BE_EXACT(form) && cpu->simd_exact) {
    simd_exact_begin(cpu);
    hf = op(a, b);
    simd_exact_end(cpu, i, FP_PLAIN, a, b);
  } else {
    hf = op(a, b);
  }
  cpu->hf = hf;
  NEXT(cpu, i, form);
}
VEC_FP_HOT(comiss, comis, V4, op_comiss)
VEC_FP_HOT(comisd, comis, V8, op_comisd)
VEC_FP_HOT(ucomiss, comis, V4, op_ucomiss)
VEC_FP_HOT(ucomisd, comis, V8, op_ucomisd)
