/* SSE4.1 and SSE4.2 but for the string comparisons. SDM 1 12.10 (SSE4.1 Instruction Set), 12.11 (SSE4.2 Instruction
 * Set). */
#include "base/host.h"
#include "cpu/lane_fp.h"
#include "cpu/lane_sse41.h"
#include "cpu/simd_exact.h"

#define SSE4_V16(name) VEC_RM(name, v_w, V16, op_##name)
SSE4_V16(pblendw)
SSE4_V16(blendps)
SSE4_V16(blendpd)
SSE4_V16(packusdw)
SSE4_V16(pcmpeqq)
SSE4_V16(pcmpgtq)
SSE4_V16(phminposuw)
SSE4_V16(pmaxsb)
SSE4_V16(pmaxsd)
SSE4_V16(pmaxuw)
SSE4_V16(pmaxud)
SSE4_V16(pminsb)
SSE4_V16(pminsd)
SSE4_V16(pminuw)
SSE4_V16(pminud)
SSE4_V16(pmuldq)
SSE4_V16(pmulld)
SSE4_V16(mpsadbw)
VEC_RM(pblendvb, v_w_x0, V16, op_pblendvb)
VEC_RM(blendvps, v_w_x0, V16, op_blendvps)
VEC_RM(blendvpd, v_w_x0, V16, op_blendvpd)

#define SSE4_EXTEND(types, m)                             \
  VEC_RM(pmovsx##types, v_w, m, op_pmovsx##types)         \
  VEC_RM(pmovzx##types, v_w, m, op_pmovzx##types)
SSE4_EXTEND(bw, V8)
SSE4_EXTEND(bd, V4)
SSE4_EXTEND(bq, V2)
SSE4_EXTEND(wd, V8)
SSE4_EXTEND(wq, V4)
SSE4_EXTEND(dq, V8)

/* ---- floating point ---- */
VEC_FP(roundps, v_w_fp, V16, FP_PLAIN, op_roundps)
VEC_FP(roundpd, v_w_fp, V16, FP_PLAIN, op_roundpd)
VEC_FP(roundss, v_w_fp, V4, FP_PLAIN, op_roundss)
VEC_FP(roundsd, v_w_fp, V8, FP_PLAIN, op_roundsd)

/* With an exception unmasked. */
static NOINLINE __m128i dot_product_exact(struct cpu *cpu, const struct insn *i, __m128i a, __m128i b, unsigned imm,
                                          dot_product_fn *exact) {
  union vec x, y;
  _mm_storeu_si128((void *)&x, a);
  _mm_storeu_si128((void *)&y, b);
  exact(cpu, i, &x, &y, 1, imm);
  return _mm_loadu_si128((const void *)&x);
}
SIMD_BODY(v_w_dp, simd_op *op, dot_product_fn *exact) {
  if (!MAY_BE_EXACT(form) && unlikely(cpu->simd_exact)) return slow(cpu, i);
  V_BIND(e, V16, form, ACC_READ);
  __m128i a = xmm_get(cpu, i->dst), b = v_src(cpu, i, &e, V16, form);
  unsigned imm = (u8)insn_imm(i, form);
  xmm_set(cpu, i->dst, MAY_BE_EXACT(form) && cpu->simd_exact ? dot_product_exact(cpu, i, a, b, imm, exact) : op(a, b, imm));
  NEXT(cpu, i, form);
}
VEC_FP(dpps, v_w_dp, op_dpps, dpps_exact)
VEC_FP(dppd, v_w_dp, op_dppd, dppd_exact)

/* ---- PTEST ---- */
SIMD_BODY(ptest) {
  V_BIND(e, V16, form, ACC_READ);
  __m128i b = v_src(cpu, i, &e, V16, form), a = xmm_get(cpu, i->dst);
  cpu->hf = (u16)((lane_is_zero(_mm_and_si128(a, b)) ? HF_ZF : 0) | (lane_is_zero(_mm_andnot_si128(a, b)) ? HF_CF : 0));
  NEXT(cpu, i, form);
}
VEC_RM(ptest, ptest)

/* ---- extraction and insertion ---- */
ALWAYS_INLINE u64 vec_element(const struct cpu *cpu, unsigned r, unsigned n, enum width w) {
  const union vec *v = &cpu->vec[r];
  switch (w) {
    case W8: return v->b[n & 15];
    case W16: return v->w[n & 7];
    case W32: return v->d[n & 3];
    default: return v->q[n & 1];
  }
}
/* E = element of V: a register's upper bits become zero. element_w is the element's width, W64: the operand's. */
SIMD_BODY(e_element, enum width element_w) {
  enum width ew = element_w == W64 ? w : element_w;
  E_BIND(e, ew, form, ACC_WRITE);
  u64 v = vec_element(cpu, i->src, (unsigned)insn_imm(i, form), ew);
  if (form == FORM_R) reg_set(cpu, i->dst, v, ew == W64 ? W64 : W32);
  else e_set(cpu, i, &e, v, ew, form);
  NEXT(cpu, i, form);
}
VEC_RM(pextrb, e_element, W8)
VEC_RM(pextrw_rm, e_element, W16)
VEC_RM(extractps, e_element, W32)
VEC_RM_Y(pextrdq, e_element, W64)

/* V's element = E; a register is wider than an element of 8 bits. */
SIMD_BODY(v_element, enum width element_w) {
  enum width ew = element_w == W64 ? w : element_w;
  E_BIND(e, ew, form, ACC_READ);
  u64 v = form == FORM_R ? reg_get(cpu, i->src, ew == W64 ? W64 : W32) : e_get_src(cpu, i, &e, ew, form);
  unsigned n = (unsigned)insn_imm(i, form) & (16 / WIDTH_BYTES(ew) - 1), sh = n * WIDTH_BITS(ew) & 63;
  u64 q[2] = {cpu->vec[i->dst].q[0], cpu->vec[i->dst].q[1]};
  u64 mask = WIDTH_MASK(ew) << sh, *at = &q[n * WIDTH_BYTES(ew) / 8];
  *at = (*at & ~mask) | (v << sh & mask);
  xmm_set(cpu, i->dst, _mm_set_epi64x((s64)q[1], (s64)q[0]));
  NEXT(cpu, i, form);
}
VEC_RM(pinsrb, v_element, W8)
VEC_RM_Y(pinsrdq, v_element, W64)
VEC_R(insertps_reg, v_w, V4, op_insertps)
VEC_M(insertps_mem, v_w, V4, op_insertps_mem)
