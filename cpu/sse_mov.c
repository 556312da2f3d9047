/* SSE and SSE2 data movement. SDM 1 10.4.1.1, 11.4.1.1 (Data Movement Instructions), 10.4.6 (Cacheability
 * Control). One body serves the instructions that differ in the type hint alone (MOVAPS, MOVAPD, MOVDQA). */
#include "cpu/lane_int.h"
#include "cpu/simd.h"

/* ---- whole registers ---- */
VEC_RM_HOT(sse_load_a, v_w, V16A, op_src)
VEC_RM_HOT(sse_load_u, v_w, V16U, op_src)
VEC_RM_HOT(sse_store_a, w_v, V16A, op_src) /* and the non-temporal stores */
VEC_RM_HOT(sse_store_u, w_v, V16U, op_src)

/* ---- parts ---- */
VEC_RM_HOT(sse_load_q, v_w, V8, op_low64) /* MOVQ; MOVSD from memory */
VEC_RM_HOT(sse_store_q, w_v, V8, op_low64) /* MOVQ; MOVSD, MOVLPS, MOVLPD to memory */
VEC_M_HOT(sse_load_d, v_w, V4, op_src) /* MOVSS from memory */
VEC_M_HOT(sse_store_d, w_v, V4, op_src)
VEC_R(sse_movss, v_w, V4, op_set_low32)
VEC_R(sse_movsd, v_w, V8, op_set_low64)
VEC_M(movlps_load, v_w, V8, op_set_low64)
VEC_RM(movhps_load, v_w, V8, op_set_high64) /* and MOVLHPS */
VEC_M(movhps_store, w_v, V8, op_high64)
VEC_R(movhlps, v_w, V8, op_high_to_low)

/* ---- general registers ---- */
/* MOVD, MOVQ V,E: zero-extended */
SIMD_BODY(v_e) {
  E_BIND(e, w, form, ACC_READ);
  u64 v = e_get_src(cpu, i, &e, w, form);
  xmm_set(cpu, i->dst, _mm_cvtsi64_si128((s64)v));
  NEXT(cpu, i, form);
}
SIMD_BODY(e_v) {
  E_BIND(e, w, form, ACC_WRITE);
  e_set(cpu, i, &e, w == W32 ? cpu->vec[i->src].d[0] : cpu->vec[i->src].q[0], w, form);
  NEXT(cpu, i, form);
}
VEC_RM_Y(sse_movd_load, v_e)
VEC_RM_Y(sse_movd_store, e_v)

/* MOVNTI M,G */
SIMD_BODY(m_g) {
  E_BIND(e, w, form, ACC_WRITE);
  e_set(cpu, i, &e, reg_get(cpu, i->src, w), w, form);
  NEXT(cpu, i, form);
}
VEC_M_Y(movnti, m_g)

/* ---- masked stores to seg:[rDI], DS unless overridden ---- */
/* An empty mask still needs a writable operand, as silicon has it (family 6 model 167). */
static void store_masked(struct cpu *cpu, const struct insn *i, enum sreg seg, const u8 *v, const u8 *mask, unsigned n) {
  u64 la[2], amask = insn_address_mask(i);
  cpu->insn = i;
  for (unsigned k = n / 8; k-- > 0;) { /* two accesses of 8 bytes, the upper first, as on silicon */
    la[k] = mem_linear(cpu, seg, (cpu->gpr[RDI] + 8 * k) & amask, 8, ACC_WRITE);
    mem_probe(cpu, la[k], 8, ACC_WRITE);
  }
  for (unsigned k = 0; k < n; k++)
    if (mask[k] & 0x80) mem_write8(cpu, (la[k / 8] + k % 8) & cpu->lamask, v[k]);
}

static const struct insn *h_maskmovdqu(struct cpu *restrict cpu, const struct insn *restrict i) {
  store_masked(cpu, i, i->seg, cpu->vec[i->dst].b, cpu->vec[i->src].b, 16);
  NEXT(cpu, i, FORM_X);
}
static const struct insn *h_maskmovq(struct cpu *restrict cpu, const struct insn *restrict i) {
  MMX_WAIT();
  mmx_enter(cpu);
  store_masked(cpu, i, i->seg, (const u8 *)&cpu->x87.st[i->dst].m, (const u8 *)&cpu->x87.st[i->src].m, 8);
  NEXT(cpu, i, FORM_X);
}
static const struct insn *h_vec_maskmovdqu(struct cpu *restrict cpu, const struct insn *restrict i) {
  store_masked(cpu, i, i->base, cpu->vec[i->dst].b, cpu->vec[i->src].b, 16);
  NEXT(cpu, i, FORM_X);
}
BODY_1(maskmovdqu, h_maskmovdqu)
BODY_1(vec_maskmovdqu, h_vec_maskmovdqu)
BODY_1(maskmovq, h_maskmovq)
