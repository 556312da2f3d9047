/* SSE and SSE2 conversions. SDM 1 10.4.5, 11.4.1.6 (Conversion Instructions), 11.6.5 (Compatibility with MMX
 * registers: the change to MMX state); SDM 2 CVTxx. */
#include "cpu/lane_fp.h"
#include "cpu/simd.h"

/* ---- between vectors ---- */
VEC_FP(cvtps2pd, v_w_fp, V8, FP_PLAIN, op_cvtps2pd)
VEC_FP(cvtpd2ps, v_w_fp, V16, FP_NARROW | FP_DOUBLE | FP_PACKED, op_cvtpd2ps)
VEC_FP(cvtdq2ps, v_w_fp, V16, FP_PLAIN, op_cvtdq2ps)
VEC_FP(cvtps2dq, v_w_fp, V16, FP_PLAIN, op_cvtps2dq)
VEC_FP(cvttps2dq, v_w_fp, V16, FP_PLAIN, op_cvttps2dq)
VEC_RM(cvtdq2pd, v_w, V8, op_cvtdq2pd)
VEC_FP(cvtpd2dq, v_w_fp, V16, FP_PLAIN, op_cvtpd2dq)
VEC_FP(cvttpd2dq, v_w_fp, V16, FP_PLAIN, op_cvttpd2dq)
VEC_FP(cvtss2sd, v_w_fp, V4, FP_PLAIN, op_cvtss2sd)
VEC_FP(cvtsd2ss, v_w_fp, V8, FP_NARROW | FP_DOUBLE | FP_SCALAR, op_cvtsd2ss)

/* ---- general registers ---- */
SIMD_BODY(v_e_fp, __m128i (*op)(__m128i, u64, bool)) {
  if (!MAY_BE_EXACT(form) && unlikely(cpu->simd_exact)) return slow(cpu, i);
  V_BIND(e, w == W32 ? V4 : V8, form, ACC_READ);
  u64 v = IS_VREG(form) ? reg_get(cpu, i->src, w) : e_get_src(cpu, i, &e, w, form);
  __m128i a = xmm_get(cpu, i->dst), r;
  if (MAY_BE_EXACT(form) && cpu->simd_exact) {
    simd_exact_begin(cpu);
    r = op(a, v, w == W64);
    simd_exact_end(cpu, i, FP_PLAIN, a, a);
  } else {
    r = op(a, v, w == W64);
  }
  xmm_set(cpu, i->dst, r);
  NEXT(cpu, i, form);
}
VEC_FP_Y(cvtsi2ss, v_e_fp, op_cvtsi2ss)
VEC_FP_Y(cvtsi2sd, v_e_fp, op_cvtsi2sd)

SIMD_BODY(g_w_fp, enum vmem m, u64 (*op)(__m128i, bool)) {
  if (!MAY_BE_EXACT(form) && unlikely(cpu->simd_exact)) return slow(cpu, i);
  V_BIND(e, m, form, ACC_READ);
  __m128i b = v_src(cpu, i, &e, m, form);
  u64 v;
  if (MAY_BE_EXACT(form) && cpu->simd_exact) {
    simd_exact_begin(cpu);
    v = op(b, w == W64);
    simd_exact_end(cpu, i, FP_PLAIN, b, b);
  } else {
    v = op(b, w == W64);
  }
  reg_set(cpu, i->dst, v, w);
  NEXT(cpu, i, form);
}
VEC_FP_Y(cvtss2si, g_w_fp, V4, op_cvtss2si)
VEC_FP_Y(cvtsd2si, g_w_fp, V8, op_cvtsd2si)
VEC_FP_Y(cvttss2si, g_w_fp, V4, op_cvttss2si)
VEC_FP_Y(cvttsd2si, g_w_fp, V8, op_cvttsd2si)

/* ---- MMX registers ---- */
/* The two upper lanes, zero, convert without an exception. */
SIMD_OP(cvtps2pi, op_cvtps2dq(b, lane_low(b), imm))
SIMD_OP(cvttps2pi, op_cvttps2dq(b, lane_low(b), imm))
SIMD_OP(cvtpi2ps, op_set_low64(a, op_cvtdq2ps(b, b, imm), imm))

/* P = op(W) */
SIMD_BODY(p_w_fp, enum vmem m, simd_op *op) {
  MMX_WAIT();
  if (!MAY_BE_EXACT(form) && unlikely(cpu->simd_exact)) return slow(cpu, i);
  V_BIND(e, m, form, ACC_READ);
  __m128i b = v_src(cpu, i, &e, m, form), r;
  mmx_enter(cpu);
  if (MAY_BE_EXACT(form) && cpu->simd_exact) {
    simd_exact_begin(cpu);
    r = op(b, b, 0);
    simd_exact_end(cpu, i, FP_PLAIN, b, b);
  } else {
    r = op(b, b, 0);
  }
  mmx_set(cpu, i->dst, r);
  NEXT(cpu, i, form);
}
VEC_FP(cvtps2pi, p_w_fp, V8, op_cvtps2pi)
VEC_FP(cvttps2pi, p_w_fp, V8, op_cvttps2pi)
VEC_FP(cvtpd2pi, p_w_fp, V16, op_cvtpd2dq)
VEC_FP(cvttpd2pi, p_w_fp, V16, op_cvttpd2dq)

/* V = op(V, Q). From memory nothing of MMX happens, neither the wait nor the change of state; the manual
 * says so of CVTPI2PD only, silicon does the same for CVTPI2PS (measured on family 6 model 167). */
SIMD_BODY(v_q_fp, simd_op *op) {
  if (IS_VREG(form)) {
    MMX_WAIT();
  }
  if (!MAY_BE_EXACT(form) && unlikely(cpu->simd_exact)) return slow(cpu, i);
  V_BIND(e, V8, form, ACC_READ);
  if (IS_VREG(form)) mmx_enter(cpu);
  __m128i a = xmm_get(cpu, i->dst), b = q_src(cpu, i, &e, V8, form), r;
  if (MAY_BE_EXACT(form) && cpu->simd_exact) {
    simd_exact_begin(cpu);
    r = op(a, b, 0);
    simd_exact_end(cpu, i, FP_PLAIN, a, b);
  } else {
    r = op(a, b, 0);
  }
  xmm_set(cpu, i->dst, r);
  NEXT(cpu, i, form);
}
VEC_FP(cvtpi2ps, v_q_fp, op_cvtpi2ps)
VEC_FP(cvtpi2pd, v_q_fp, op_cvtdq2pd)
