/* AVX and AVX-512 floating-point arithmetic and comparison, as the lanes of SSE. SDM 1 14.1 (Intel AVX Overview),
 * 15.6 (Memory Alignment ... of AVX-512: static rounding and SAE are cpu/vex.c's); SDM 2 (the instructions' pages). */
#include "cpu/lane_fp.h"
#include "cpu/simd_exact.h"
#include "cpu/vex.h"

#define ARITH(name, kind)                                                                   \
  VEC_LANES_FP(vec_##name##ps, 4, VF_FP, kind | FP_SINGLE, op_##name##ps)                   \
  VEC_LANES_FP(vec_##name##pd, 8, VF_FP, kind | FP_DOUBLE, op_##name##pd)                   \
  VEC_SCALAR(vec_##name##ss, 4, VF_FP, kind | FP_SINGLE, op_##name##ss)                     \
  VEC_SCALAR(vec_##name##sd, 8, VF_FP, kind | FP_DOUBLE, op_##name##sd)
ARITH(add, FP_ADD) ARITH(sub, FP_SUB) ARITH(mul, FP_MUL) ARITH(div, FP_DIV)
ARITH(min, FP_PLAIN) ARITH(max, FP_PLAIN) ARITH(sqrt, FP_PLAIN)
VEC_LANES(vec_rcpps, 4, VF_0, op_rcpps) VEC_LANES(vec_rsqrtps, 4, VF_0, op_rsqrtps)
VEC_SCALAR(vec_rcpss, 4, VF_0, 0, op_rcpss) VEC_SCALAR(vec_rsqrtss, 4, VF_0, 0, op_rsqrtss)

VEC_LANES_FP(vec_addsubps, 4, VF_FP, FP_ADD | FP_SINGLE | FP_ALTERNATE, op_addsubps)
VEC_LANES_FP(vec_addsubpd, 8, VF_FP, FP_ADD | FP_DOUBLE | FP_ALTERNATE, op_addsubpd)
VEC_LANES_FP(vec_haddps, 4, VF_FP, FP_ADD | FP_SINGLE | FP_PAIRS, op_haddps)
VEC_LANES_FP(vec_haddpd, 8, VF_FP, FP_ADD | FP_DOUBLE | FP_PAIRS, op_haddpd)
VEC_LANES_FP(vec_hsubps, 4, VF_FP, FP_SUB | FP_SINGLE | FP_PAIRS, op_hsubps)
VEC_LANES_FP(vec_hsubpd, 8, VF_FP, FP_SUB | FP_DOUBLE | FP_PAIRS, op_hsubpd)
#define PLAIN(esize, name) VEC_LANES_FP(vec_##name, esize, VF_FP, FP_PLAIN, op_##name)
PLAIN(4, roundps) PLAIN(8, roundpd)
VEC_SCALAR(vec_roundss, 4, VF_FP, FP_PLAIN, op_roundss)
VEC_SCALAR(vec_roundsd, 8, VF_FP, FP_PLAIN, op_roundsd)

/* ---- dot products ---- */
/* With an exception unmasked each multiplication and addition raises its own, of all lanes together. SDM 2 DPPS (SIMD
 * Floating-Point Exceptions) */
static void each_lane(union vec *r, const union vec *a, const union vec *b, unsigned lanes, unsigned imm, simd_op *op) {
  for (unsigned k = 0; k < lanes; k++) {
    __m128i x = _mm_loadu_si128((const void *)&a->b[16 * k]), y = _mm_loadu_si128((const void *)&b->b[16 * k]);
    _mm_storeu_si128((void *)&r->b[16 * k], op(x, y, imm));
  }
}
static void each_lane_exact(struct cpu *cpu, const struct insn *i, union vec *r, const union vec *a, const union vec *b,
                            unsigned lanes, unsigned kind, simd_op *op) {
  union vec v = *a;
  simd_exact_begin(cpu);
  each_lane(&v, a, b, lanes, 0, op);
  simd_exact_end_vector(cpu, i, kind, a, b, lanes);
  *r = v;
}
void dpps_exact(struct cpu *cpu, const struct insn *i, union vec *a, union vec *b, unsigned lanes, unsigned imm) {
  union vec t;
  each_lane(a, a, a, lanes, imm, op_dp_factor_ps);
  each_lane(b, b, b, lanes, imm, op_dp_factor_ps);
  each_lane_exact(cpu, i, a, a, b, lanes, FP_MUL | FP_SINGLE, op_mulps);
  each_lane(&t, a, a, lanes, 0, op_dp_other_1);
  each_lane_exact(cpu, i, a, &t, a, lanes, FP_ADD | FP_SINGLE, op_addps);
  each_lane(&t, a, a, lanes, 0, op_dp_other_2);
  each_lane_exact(cpu, i, a, a, &t, lanes, FP_ADD | FP_SINGLE, op_addps);
  each_lane(a, a, a, lanes, imm, op_dp_result_ps);
}
void dppd_exact(struct cpu *cpu, const struct insn *i, union vec *a, union vec *b, unsigned lanes, unsigned imm) {
  union vec t;
  each_lane(a, a, a, lanes, imm, op_dp_factor_pd);
  each_lane(b, b, b, lanes, imm, op_dp_factor_pd);
  each_lane_exact(cpu, i, a, a, b, lanes, FP_MUL | FP_DOUBLE, op_mulpd);
  each_lane(&t, a, a, lanes, 0, op_dp_other_2);
  each_lane_exact(cpu, i, a, a, &t, lanes, FP_ADD | FP_DOUBLE, op_addpd);
  each_lane(a, a, a, lanes, imm, op_dp_result_pd);
}
static void dot_product_x(struct cpu *cpu, const struct insn *i, unsigned esize, simd_op *op,
                          dot_product_fn *exact) {
  unsigned bytes = 16u << vex_vl(i), n = bytes / esize;
  union vec a = cpu->vec[vex_vvvv(i)], b;
  vex_fetch(cpu, i, &b, n, esize, vex_mask(cpu, i, n));
  if (cpu->simd_exact) exact(cpu, i, &a, &b, 1u << vex_vl(i), vex_imm(i));
  else each_lane(&a, &a, &b, 1u << vex_vl(i), vex_imm(i), op);
  vex_commit(cpu, i, &a, bytes, 0, esize, 0);
}
#define DOT_PRODUCT(name, esize)                                                                              \
  static NOINLINE const struct insn *h_vec_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) { \
    dot_product_x(cpu, i, esize, op_##name, name##_exact);                                                    \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }                                                                                                           \
  VEC_BODY_X(vec_##name, vec_##name)
DOT_PRODUCT(dpps, 4) DOT_PRODUCT(dppd, 8)

/* ---- comparison ---- */
/* Predicates 0 to 31 by what is true of them: bit 0 less, 1 equal, 2 greater, 3 unordered; 4: signals a QNaN. SDM 2A
 * CMPPD, Table 3-1 (Comparison Predicate for CMPPD and CMPPS Instructions) */
static const u8 predicates[32] = {
    0x02, 0x11, 0x13, 0x08, 0x0d, 0x1e, 0x1c, 0x07, 0x0a, 0x19, 0x1b, 0x00, 0x05, 0x16, 0x14, 0x0f,
    0x12, 0x01, 0x03, 0x18, 0x1d, 0x0e, 0x0c, 0x17, 0x1a, 0x09, 0x0b, 0x10, 0x15, 0x06, 0x04, 0x1f};

/* In SSE's predicates: EQ 0, LT 1, UNORD 3. Unordered elements are taken out before the comparisons that would signal. */
#define COMPARE_WIDE(sfx)                                                                                     \
  static NOINLINE __m128i compare_wide_##sfx(__m128i a, __m128i b, unsigned imm) {                            \
    unsigned p = predicates[imm & 31];                                                                        \
    __m128i un = op_cmp##sfx(a, b, 3), zero = _mm_setzero_si128(), ones = _mm_cmpeq_epi32(zero, zero);        \
    if (p & 16) (void)op_cmp##sfx(a, b, 1);                                                                   \
    __m128i x = _mm_andnot_si128(un, a), y = _mm_andnot_si128(un, b);                                         \
    __m128i lt = op_cmp##sfx(x, y, 1), eq = _mm_andnot_si128(un, op_cmp##sfx(x, y, 0));                       \
    __m128i gt = _mm_andnot_si128(_mm_or_si128(_mm_or_si128(lt, eq), un), ones), r = zero;                    \
    if (p & 1) r = _mm_or_si128(r, lt);                                                                       \
    if (p & 2) r = _mm_or_si128(r, eq);                                                                       \
    if (p & 4) r = _mm_or_si128(r, gt);                                                                       \
    return p & 8 ? _mm_or_si128(r, un) : r;                                                                   \
  }
COMPARE_WIDE(ps) COMPARE_WIDE(pd)
ALWAYS_INLINE __m128i op_vcmpps(__m128i a, __m128i b, unsigned imm) { return (imm & 31) < 8 ? op_cmpps(a, b, imm) : compare_wide_ps(a, b, imm); }
ALWAYS_INLINE __m128i op_vcmppd(__m128i a, __m128i b, unsigned imm) { return (imm & 31) < 8 ? op_cmppd(a, b, imm) : compare_wide_pd(a, b, imm); }
/* The elements that do not count are made equal zeros, of which no predicate signals. */
ALWAYS_INLINE __m128i op_vcmpss(__m128i a, __m128i b, unsigned imm) {
  const __m128i zero = _mm_setzero_si128();
  return op_set_low32(a, op_vcmpps(op_set_low32(zero, a, 0), op_set_low32(zero, b, 0), imm), 0);
}
ALWAYS_INLINE __m128i op_vcmpsd(__m128i a, __m128i b, unsigned imm) {
  const __m128i zero = _mm_setzero_si128();
  return op_set_low64(a, op_vcmppd(op_set_low64(zero, a, 0), op_set_low64(zero, b, 0), imm), 0);
}
PLAIN(4, vcmpps) PLAIN(8, vcmppd)
VEC_SCALAR(vec_cmpss, 4, VF_FP, FP_PLAIN, op_vcmpss) VEC_SCALAR(vec_cmpsd, 8, VF_FP, FP_PLAIN, op_vcmpsd)
VEC_LANES_FP(vec_cmpps_k, 4, VF_FP | VF_MASK, FP_PLAIN, op_vcmpps)
VEC_LANES_FP(vec_cmppd_k, 8, VF_FP | VF_MASK, FP_PLAIN, op_vcmppd)
/* The lane's other elements' signs must not be seen. */
SIMD_OP(vcmpss_k, op_set_low32(_mm_setzero_si128(), op_vcmpss(a, b, imm), 0))
SIMD_OP(vcmpsd_k, op_set_low64(_mm_setzero_si128(), op_vcmpsd(a, b, imm), 0))
VEC_SCALAR(vec_cmpss_k, 4, VF_FP | VF_MASK, FP_PLAIN, op_vcmpss_k) VEC_SCALAR(vec_cmpsd_k, 8, VF_FP | VF_MASK, FP_PLAIN, op_vcmpsd_k)

/* ---- into EFLAGS ---- */
/* An unmasked exception leaves EFLAGS as they were. */
typedef u16 compare_op(__m128i a, __m128i b);
static NOINLINE void compare_x(struct cpu *cpu, const struct insn *i, unsigned esize, compare_op *op) {
  union vec a = cpu->vec[i->dst], b;
  bool sae = vex_b(i) && i->seg == SEG_REG, exact = cpu->simd_exact && !sae;
  vex_fetch(cpu, i, &b, 1, esize, 1);
  u32 saved = sae ? vex_sae_begin(cpu, i, false) : 0;
  if (exact) simd_exact_begin(cpu);
  u16 hf = op(_mm_loadu_si128((const void *)&a), _mm_loadu_si128((const void *)&b));
  if (exact) simd_exact_end_vector(cpu, i, FP_PLAIN, &a, &b, 1);
  if (sae) vex_sae_end(saved);
  cpu->hf = hf;
}
#define COMPARE(name, esize)                                                                                  \
  static NOINLINE u16 f_##name(__m128i a, __m128i b) { return op_##name(a, b); }                              \
  static NOINLINE const struct insn *h_vec_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) { \
    compare_x(cpu, i, esize, f_##name);                                                                       \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }                                                                                                           \
  static const struct insn *h_vec_##name##_0_R(struct cpu *restrict cpu, const struct insn *restrict i) {     \
    if (unlikely(cpu->simd_exact)) return h_vec_##name##_X(cpu, i);                                           \
    cpu->hf = op_##name(lane_get(cpu, i->dst, 0), lane_get(cpu, i->src, 0));                                  \
    NEXT(cpu, i, FORM_R);                                                                                     \
  }                                                                                                           \
  static const struct insn *h_vec_##name##_0_M(struct cpu *restrict cpu, const struct insn *restrict i) {     \
    const u8 *p = vex_hit(cpu, i, esize, ACC_READ);                                                           \
    if (unlikely(!p || cpu->simd_exact)) return h_vec_##name##_X(cpu, i);                                     \
    cpu->hf = op_##name(lane_get(cpu, i->dst, 0), host_vload(p, (enum vmem)esize));                           \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }                                                                                                           \
  VEC_BODY_1(vec_##name, vec_##name)
COMPARE(ucomiss, 4) COMPARE(ucomisd, 8) COMPARE(comiss, 4) COMPARE(comisd, 8)
