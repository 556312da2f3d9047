/* MMX: 64-bit packed integers in the x87's significands. SDM 1 9 (Programming with Intel MMX Technology),
 * and the SSE and SSE2 additions to it; SDM 3A 12 (Intel MMX Technology System Programming).
 *
 * Every MMX instruction reports a waiting x87 exception first, and when it completes sets TOP to 0 and
 * all tags valid (EMMS: all empty); the exponent field of a register it writes becomes all ones. Where a
 * load faults, nothing of this has happened; where a store does, TOP is 0; where MASKMOVQ or a
 * conversion's #XM does, all of it (measured on family 6 model 167; the manual is silent). */
#include "cpu/check.h"
#include "cpu/lane_int.h"
#include "cpu/simd.h"
#include "cpu/x87.h"

NOINLINE const struct insn *mmx_wait(struct cpu *restrict cpu, const struct insn *restrict i) {
  if (cpu->x87.live) { /* bring the registers back, then again */
    x87_leave(cpu);
    GO(cpu, i);
  }
  cpu->insn = i;
  require_ab(cpu, CHK_X87_PENDING, false, 0, cpu->x87.fsw, 1);
  return cpu_leave(cpu, i); /* inverted */
}

/* N = op(N, immediate) */
SIMD_BODY(n_imm, simd_op *op) {
  MMX_WAIT();
  mmx_set(cpu, i->dst, op(mmx_get(cpu, i->dst), _mm_cvtsi32_si128((u8)i->imm), 0));
  mmx_enter(cpu);
  NEXT(cpu, i, form);
}

/* Q = P: MOVQ, MOVNTQ */
SIMD_BODY(q_p) {
  MMX_WAIT();
  if (form == FORM_X) cpu->x87.top = 0;
  V_BIND(e, V8, form, ACC_WRITE);
  __m128i v = mmx_get(cpu, i->src);
  if (IS_VREG(form)) mmx_set(cpu, i->dst, v);
  else v_write(cpu, &e, v, V8, form);
  mmx_enter(cpu);
  NEXT(cpu, i, form);
}

/* P = E, 32 (zero-extended) or 64 bits */
SIMD_BODY(p_e) {
  MMX_WAIT();
  E_BIND(e, w, form, ACC_READ);
  u64 v = e_get_src(cpu, i, &e, w, form);
  mmx_set(cpu, i->dst, _mm_cvtsi64_si128((s64)v));
  mmx_enter(cpu);
  NEXT(cpu, i, form);
}
/* E = P */
SIMD_BODY(e_p) {
  MMX_WAIT();
  if (form == FORM_X) cpu->x87.top = 0;
  E_BIND(e, w, form, ACC_WRITE);
  e_set(cpu, i, &e, w == W32 ? (u32)cpu->x87.st[i->src].m : cpu->x87.st[i->src].m, w, form);
  mmx_enter(cpu);
  NEXT(cpu, i, form);
}

#define MMX_V8(name, expr) VEC_RM(mmx_##name, p_q, V8, op_##name)
SIMD_INT_OPS(MMX_V8)
SIMD_INT_HOT_OPS(MMX_V8)
/* Low unpacks read 32 bits of memory. */
VEC_RM(mmx_punpcklbw, p_q, V4, op_punpckl_bw)
VEC_RM(mmx_punpcklwd, p_q, V4, op_punpckl_wd)
VEC_RM(mmx_punpckldq, p_q, V4, op_punpckl_dq)
VEC_RM(mmx_punpckhbw, p_q, V8, op_mmx_punpckhbw)
VEC_RM(mmx_punpckhwd, p_q, V8, op_mmx_punpckhwd)
VEC_RM(mmx_punpckhdq, p_q, V8, op_mmx_punpckhdq)
VEC_RM(mmx_packsswb, p_q, V8, op_mmx_packsswb)
VEC_RM(mmx_packssdw, p_q, V8, op_mmx_packssdw)
VEC_RM(mmx_packuswb, p_q, V8, op_mmx_packuswb)
VEC_RM(mmx_pshufw, p_q, V8, op_pshuflw)

#define MMX_SHIFT_IMM(name) VEC_R(mmx_##name##_imm, n_imm, op_##name)
SIMD_SHIFT_OPS(MMX_SHIFT_IMM)

VEC_RM(mmx_movq_load, p_q, V8, op_src)
VEC_RM(mmx_movq_store, q_p)
VEC_M(mmx_movntq, q_p)
VEC_RM_Y(mmx_movd_load, p_e)
VEC_RM_Y(mmx_movd_store, e_p)

/* PINSRW P,Rd/Mw,Ib */
SIMD_BODY(p_pinsrw) {
  MMX_WAIT();
  E_BIND(e, W16, form, ACC_READ);
  u64 v = e_get_src(cpu, i, &e, W16, form);
  u64 r = word_insert(cpu->x87.st[i->dst].m, insn_imm(i, form) & 3, (u16)v);
  mmx_set(cpu, i->dst, _mm_cvtsi64_si128((s64)r));
  mmx_enter(cpu);
  NEXT(cpu, i, form);
}
VEC_RM(mmx_pinsrw, p_pinsrw)

/* PEXTRW Gd,N,Ib */
SIMD_BODY(g_pextrw) {
  MMX_WAIT();
  reg_set(cpu, i->dst, (u16)(cpu->x87.st[i->src].m >> 16 * (i->imm & 3)), W32);
  mmx_enter(cpu);
  NEXT(cpu, i, form);
}
VEC_R(mmx_pextrw, g_pextrw)

/* PMOVMSKB Gd,N */
SIMD_BODY(g_pmovmskb) {
  MMX_WAIT();
  reg_set(cpu, i->dst, (u64)_mm_movemask_epi8(mmx_get(cpu, i->src)), W32); /* the upper half is zero */
  mmx_enter(cpu);
  NEXT(cpu, i, form);
}
VEC_R(mmx_pmovmskb, g_pmovmskb)

/* MOVQ2DQ V,N and MOVDQ2Q P,U */
SIMD_BODY(v_n) {
  MMX_WAIT();
  xmm_set(cpu, i->dst, mmx_get(cpu, i->src));
  mmx_enter(cpu);
  NEXT(cpu, i, form);
}
SIMD_BODY(p_u) {
  MMX_WAIT();
  mmx_set(cpu, i->dst, xmm_get(cpu, i->src));
  mmx_enter(cpu);
  NEXT(cpu, i, form);
}
VEC_R(movq2dq, v_n)
VEC_R(movdq2q, p_u)

/* EMMS. It clears TOP too, though the manual names the tags alone (measured on family 6 model 167). */
SIMD_BODY(emms) {
  MMX_WAIT();
  cpu->x87.top = 0;
  cpu->x87.empty = 0xff;
  NEXT(cpu, i, form);
}
VEC_R(emms, emms)
