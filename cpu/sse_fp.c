/* SSE and SSE2 floating-point arithmetic, comparison and approximation. SDM 1 10.4.1.2 to 10.4.1.3,
 * 11.4.1.2 to 11.4.1.4 (Arithmetic, Comparison Instructions), 11.5 (SSE, SSE2, and SSE3 Exceptions). */
#include "cpu/lane_fp.h"
#include "cpu/simd.h"

#define ARITH(BODY, name, kind)                                                      \
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

VEC_FP(sqrtps, v_w_fp, V16, FP_PLAIN, op_sqrtps)
VEC_FP(sqrtpd, v_w_fp, V16, FP_PLAIN, op_sqrtpd)
VEC_FP(sqrtss, v_w_fp, V4, FP_PLAIN, op_sqrtss)
VEC_FP(sqrtsd, v_w_fp, V8, FP_PLAIN, op_sqrtsd)

VEC_RM(rcpps, v_w, V16, op_rcpps)
VEC_RM(rsqrtps, v_w, V16, op_rsqrtps)
VEC_RM(rcpss, v_w, V4, op_rcpss)
VEC_RM(rsqrtss, v_w, V4, op_rsqrtss)

VEC_FP(sse_cmpps, v_w_fp, V16, FP_PLAIN, op_cmpps)
VEC_FP(sse_cmppd, v_w_fp, V16, FP_PLAIN, op_cmppd)
VEC_FP(sse_cmpss, v_w_fp, V4, FP_PLAIN, op_cmpss)
VEC_FP(sse_cmpsd, v_w_fp, V8, FP_PLAIN, op_cmpsd)

/* ---- ordered and unordered comparison into EFLAGS ---- */
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
