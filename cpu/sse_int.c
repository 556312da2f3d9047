/* SSE2 packed integers in XMM registers. SDM 1 11.4.2 (SSE2 64-Bit and 128-Bit SIMD Integer Instructions). */
#include "cpu/lane_int.h"
#include "cpu/simd.h"

#define SSE_V16(name, expr) VEC_RM(sse_##name, v_w, V16, op_##name)
#define SSE_V16_HOT(name, expr) VEC_RM_HOT(sse_##name, v_w, V16, op_##name)
SIMD_INT_OPS(SSE_V16)
SIMD_INT_HOT_OPS(SSE_V16_HOT)

SIMD_XMM_OPS(SSE_V16)
VEC_RM(sse_punpcklbw, v_w, V16, op_punpckl_bw)
VEC_RM(sse_punpcklwd, v_w, V16, op_punpckl_wd)
VEC_RM(sse_punpckldq, v_w, V16, op_punpckl_dq)

/* ---- shifts by an immediate ---- */
/* U = op(U, immediate) */
SIMD_BODY(u_imm, simd_op *op) {
  xmm_set(cpu, i->dst, op(xmm_get(cpu, i->dst), _mm_cvtsi32_si128((u8)i->imm), (u8)i->imm));
  NEXT(cpu, i, form);
}
#define SSE_SHIFT_IMM(name) VEC_R(sse_##name##_imm, u_imm, op_##name)
SIMD_SHIFT_OPS(SSE_SHIFT_IMM)

VEC_R(sse_pslldq_imm, u_imm, op_pslldq)
VEC_R(sse_psrldq_imm, u_imm, op_psrldq)

/* ---- shuffles ---- */
VEC_RM(sse_pshufd, v_w, V16, op_pshufd)
VEC_RM(sse_pshuflw, v_w, V16, op_pshuflw)
VEC_RM(sse_pshufhw, v_w, V16, op_pshufhw)
VEC_RM(sse_shufps, v_w, V16, op_shufps)
VEC_RM(sse_shufpd, v_w, V16, op_shufpd)

/* ---- words, masks ---- */
/* PINSRW V,Rd/Mw,Ib */
SIMD_BODY(v_pinsrw) {
  E_BIND(e, W16, form, ACC_READ);
  u16 v = (u16)e_get_src(cpu, i, &e, W16, form);
  unsigned n = insn_imm(i, form) & 7;
  u64 q0 = cpu->vec[i->dst].q[0], q1 = cpu->vec[i->dst].q[1];
  if (n < 4) q0 = word_insert(q0, n, v);
  else q1 = word_insert(q1, n - 4, v);
  xmm_set(cpu, i->dst, _mm_set_epi64x((s64)q1, (s64)q0));
  NEXT(cpu, i, form);
}
VEC_RM(sse_pinsrw, v_pinsrw)

/* PEXTRW Gd,U,Ib */
SIMD_BODY(g_pextrw) {
  reg_set(cpu, i->dst, cpu->vec[i->src].w[i->imm & 7], W32);
  NEXT(cpu, i, form);
}
VEC_R(sse_pextrw, g_pextrw)

SIMD_BODY(g_mask, u32 (*mask)(__m128i)) {
  reg_set(cpu, i->dst, mask(xmm_get(cpu, i->src)), W32); /* the upper half is zero */
  NEXT(cpu, i, form);
}
VEC_R(sse_pmovmskb, g_mask, mask_b)
VEC_R(movmskps, g_mask, mask_ps)
VEC_R(movmskpd, g_mask, mask_pd)
