/* SSE2 packed integers in XMM registers. SDM 1 11.4.2 (SSE2 64-Bit and 128-Bit SIMD Integer Instructions). */
#include "cpu/simd_int.h"

#define SSE_V16(name, expr) VEC_RM(sse_##name, v_w, V16, op_##name)
#define SSE_V16_HOT(name, expr) VEC_RM_HOT(sse_##name, v_w, V16, op_##name)
SIMD_INT_OPS(SSE_V16)
SIMD_INT_HOT_OPS(SSE_V16_HOT)

/* Unpacks serve the packed-single and packed-double unpacks too; logic serves ANDPS and its family. */
#define SSE_ONLY(OP)                        \
  OP(punpckhbw, _mm_unpackhi_epi8(a, b))    \
  OP(punpckhwd, _mm_unpackhi_epi16(a, b))   \
  OP(punpckhdq, _mm_unpackhi_epi32(a, b))   \
  OP(punpckhqdq, _mm_unpackhi_epi64(a, b))  \
  OP(punpcklqdq, _mm_unpacklo_epi64(a, b))  \
  OP(packsswb, _mm_packs_epi16(a, b))       \
  OP(packssdw, _mm_packs_epi32(a, b))       \
  OP(packuswb, _mm_packus_epi16(a, b))
SSE_ONLY(SIMD_OP)
SSE_ONLY(SSE_V16)
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

ALWAYS_INLINE u128 vec_u128(__m128i v) {
  return (u128)(u64)_mm_cvtsi128_si64(_mm_unpackhi_epi64(v, v)) << 64 | (u64)_mm_cvtsi128_si64(v);
}
ALWAYS_INLINE __m128i vec_from_u128(u128 v) {
  return _mm_unpacklo_epi64(_mm_cvtsi64_si128((s64)(u64)v), _mm_cvtsi64_si128((s64)(u64)(v >> 64)));
}
/* Byte shifts of the whole register; a count above 15 clears it. */
SIMD_OP(pslldq, imm > 15 ? _mm_setzero_si128() : vec_from_u128(vec_u128(a) << 8 * imm))
SIMD_OP(psrldq, imm > 15 ? _mm_setzero_si128() : vec_from_u128(vec_u128(a) >> 8 * imm))
VEC_R(sse_pslldq_imm, u_imm, op_pslldq)
VEC_R(sse_psrldq_imm, u_imm, op_psrldq)

/* ---- shuffles ---- */
union lanes {
  __m128i v;
  s32 d[4];
  s64 q[2];
};
ALWAYS_INLINE __m128i shuffle_dwords(__m128i lo, __m128i hi, unsigned imm) {
  union lanes l = {.v = lo}, h = {.v = hi};
  return _mm_set_epi32(h.d[imm >> 6 & 3], h.d[imm >> 4 & 3], l.d[imm >> 2 & 3], l.d[imm & 3]);
}
ALWAYS_INLINE __m128i shuffle_qwords(__m128i lo, __m128i hi, unsigned imm) {
  union lanes l = {.v = lo}, h = {.v = hi};
  return _mm_set_epi64x(h.q[imm >> 1 & 1], l.q[imm & 1]);
}

SIMD_OP(pshufd, shuffle_dwords(b, b, imm))
SIMD_OP(pshufhw, shuffle_high_words(b, imm))
SIMD_OP(shufps, shuffle_dwords(a, b, imm))
SIMD_OP(shufpd, shuffle_qwords(a, b, imm))
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
ALWAYS_INLINE u32 mask_b(__m128i v) { return (u32)_mm_movemask_epi8(v); }
ALWAYS_INLINE u32 mask_ps(__m128i v) { return (u32)_mm_movemask_ps(_mm_castsi128_ps(v)); }
ALWAYS_INLINE u32 mask_pd(__m128i v) { return (u32)_mm_movemask_pd(_mm_castsi128_pd(v)); }
VEC_R(sse_pmovmskb, g_mask, mask_b)
VEC_R(movmskps, g_mask, mask_ps)
VEC_R(movmskpd, g_mask, mask_pd)
