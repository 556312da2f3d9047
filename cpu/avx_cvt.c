/* Conversions of AVX, F16C and AVX-512: between floating-point formats, and with integers. SDM 1 14.1.2 (AVX
 * conversions), 14.4 (Half-Precision Floating-Point Conversion); SDM 2 (the instructions' pages).
 *
 * A vector is converted in steps: the lane operation makes up to 16 bytes of up to 16 bytes, as many elements as the
 * wider format has in a lane. Half precision is the host's F16C: models with F16C exist on hosts that have it alone. */
#include "cpu/lane_fp.h"
#include "cpu/simd_exact.h"
#include "cpu/soft_fp.h"
#include "cpu/vex.h"

/* ---- lanes ---- */
#define EACH_PART(name, n, to, expr)                                             \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {          \
    union lanes x = {.v = b}, r = {.v = _mm_setzero_si128()};                    \
    (void)a, (void)imm;                                                          \
    for (unsigned k = 0; k < n; k++) r.to[k] = (expr);                           \
    return r.v;                                                                  \
  }
#define TO_INT(name, n, to, from, dbl, bits_, is_signed)                                           \
  EACH_PART(cvt##name, n, to, (u##bits_)soft_to_int(x.from[k], dbl, bits_, is_signed, false))      \
  EACH_PART(cvtt##name, n, to, (u##bits_)soft_to_int(x.from[k], dbl, bits_, is_signed, true))
TO_INT(ps2udq, 4, d, d, false, 32, false)
TO_INT(pd2udq, 2, d, q, true, 32, false)
TO_INT(ps2uqq, 2, q, d, false, 64, false)
TO_INT(pd2uqq, 2, q, q, true, 64, false)
TO_INT(ps2qq, 2, q, d, false, 64, true)
TO_INT(pd2qq, 2, q, q, true, 64, true)

/* An unsigned integer of 64 bits: half of it, with a lowest bit that says whether anything is below, twice. */
#define FROM_UNSIGNED(sfx)                                                                         \
  ALWAYS_INLINE __m128i op_cvtusi2##sfx(__m128i a, u64 v, bool wide) {                             \
    if (!wide) return op_cvtsi2##sfx(a, (u32)v, true);                                             \
    if (!(v >> 63)) return op_cvtsi2##sfx(a, v, true);                                             \
    a = op_cvtsi2##sfx(a, v >> 1 | (v & 1), true);                                                 \
    return op_add##sfx(a, a, 0);                                                                   \
  }
FROM_UNSIGNED(ss) FROM_UNSIGNED(sd)
static u32 single_of(__m128i v) { return (u32)_mm_cvtsi128_si32(v); }
static u64 double_of(__m128i v) { return (u64)_mm_cvtsi128_si64(v); }
#define ZERO _mm_setzero_si128()
EACH_PART(cvtqq2ps, 2, d, single_of(op_cvtsi2ss(ZERO, x.q[k], true)))
EACH_PART(cvtqq2pd, 2, q, double_of(op_cvtsi2sd(ZERO, x.q[k], true)))
EACH_PART(cvtuqq2ps, 2, d, single_of(op_cvtusi2ss(ZERO, x.q[k], true)))
EACH_PART(cvtuqq2pd, 2, q, double_of(op_cvtusi2sd(ZERO, x.q[k], true)))
EACH_PART(cvtudq2ps, 4, d, single_of(op_cvtusi2ss(ZERO, x.d[k], false)))
EACH_PART(cvtudq2pd, 2, q, double_of(op_cvtusi2sd(ZERO, x.d[k], false)))
FP_UNARY(vcvtph2ps)

/* ---- memory of halves ---- */
/* Four halves in memory are exempt from EFLAGS.AC, unlike other operands of 8 bytes (family 6 model 167): they are
 * accessed by bytes then. */
static bool halves_exempt(const struct cpu *cpu, const struct insn *i, unsigned n) {
  return n == 4 && i->seg != SEG_REG && unlikely(cpu->mode & MODE_ALIGN);
}
/* Which bytes are selected. */
static u32 halves_bytes(u64 mask) {
  u32 r = 0;
  for (unsigned k = 0; k < 4; k++) r |= mask >> k & 1 ? 3u << 2 * k : 0;
  return r;
}
static void halves_fetch(struct cpu *cpu, const struct insn *i, union vec *out, unsigned n, u64 mask) {
  if (!halves_exempt(cpu, i, n)) {
    vex_fetch(cpu, i, out, n, 2, mask);
    return;
  }
  u32 which = halves_bytes(mask);
  u64 la[8];
  memset(out, 0, sizeof *out);
  if (!vex_aaa(i)) {
    (void)vex_linear(cpu, i, 7, 1, ACC_READ); /* no #AC where it leaves the canonical addresses */
    mem_read_bytes(cpu, vex_span(cpu, i, 8, ACC_READ), out, 8);
    return;
  }
  for (unsigned k = 0; k < 8; k++)
    if (which >> k & 1) la[k] = vex_linear(cpu, i, k, 1, ACC_READ);
  for (unsigned k = 0; k < 8; k++)
    if (which >> k & 1) mem_read_bytes(cpu, la[k], &out->b[k], 1);
}
static void halves_store(struct cpu *cpu, const struct insn *i, const union vec *v, unsigned n, u64 mask) {
  u32 which = halves_bytes(mask);
  if (!halves_exempt(cpu, i, n)) {
    vex_store(cpu, i, v, n, 2, mask);
    return;
  }
  if (!vex_aaa(i)) {
    (void)vex_linear(cpu, i, 7, 1, ACC_WRITE); /* no #AC where it leaves the canonical addresses either */
    mem_write_bytes(cpu, vex_span(cpu, i, 8, ACC_WRITE), v, 8);
    return;
  }
  if (!which) return;
  u64 la[8];
  for (unsigned k = 0; k < 8; k++)
    if (which >> k & 1) la[k] = vex_linear(cpu, i, k, 1, ACC_WRITE);
  mem_probe(cpu, la[__builtin_ctz(which)], 1, ACC_WRITE);
  mem_probe(cpu, la[31 - __builtin_clz(which)], 1, ACC_WRITE);
  for (unsigned k = 0; k < 8; k++)
    if (which >> k & 1) mem_write_bytes(cpu, la[k], &v->b[k], 1);
}

/* ---- vectors ---- */
struct vex_cvt {
  simd_op *op;
  u8 in, out; /* bytes of elements */
  u8 kind;    /* enum fp_kind */
};

static NOINLINE void cvt_x(struct cpu *cpu, const struct insn *i, const struct vex_cvt *o) {
  unsigned wide = o->in > o->out ? o->in : o->out, lanes = 1u << vex_vl(i), part = 16 / wide, n = lanes * part;
  u64 mask = vex_mask(cpu, i, n);
  union vec b, r = {0};
  bool sae = vex_sae(i), exact = cpu->simd_exact && !sae;
  if (o->in == 2) halves_fetch(cpu, i, &b, n, mask);
  else vex_fetch(cpu, i, &b, n, o->in, mask);
  vex_put_ones(&b, n, o->in, mask);
  u32 saved = sae ? vex_sae_begin(cpu, i, true) : 0;
  if (exact) simd_exact_begin(cpu);
  for (unsigned k = 0; k < lanes; k++) {
    union lanes v = {.v = _mm_loadu_si128((const void *)&b.b[k * part * o->in])};
    v.v = o->op(v.v, v.v, 0);
    memcpy(&r.b[k * part * o->out], &v, part * o->out);
  }
  if (exact) simd_exact_end_vector(cpu, i, o->kind, &b, &b, lanes);
  if (sae) vex_sae_end(saved);
  vex_commit(cpu, i, &r, n * o->out, n, o->out, mask);
}

ALWAYS_INLINE void cvt_run(struct cpu *cpu, const struct insn *i, const u8 *p, unsigned vl, unsigned in, unsigned out,
                           simd_op *op) {
  unsigned part = 16 / (in > out ? in : out);
  __m128i r[4];
#pragma GCC unroll 4
  for (unsigned k = 0; k < 1u << vl; k++) {
    __m128i v = host_vload(p + k * part * in, part * in == 16 ? V16U : V8);
    r[k] = op(v, v, 0);
  }
  if (part * out == 16) {
#pragma GCC unroll 4
    for (unsigned k = 0; k < 1u << vl; k++) lane_set(cpu, i->dst, k, r[k]);
    vec_clear_above(cpu, i->dst, vl);
  } else {
    lane_set(cpu, i->dst, 0, vl ? lane_join(r[0], r[vl ? 1 : 0]) : lane_low(r[0]));
    if (vl == 2) lane_set(cpu, i->dst, 1, lane_join(r[2], r[3]));
    vec_clear_above(cpu, i->dst, vl == 2);
  }
}

#define CVT_INST(name, vl, in, out)                                                                           \
  static const struct insn *h_##name##_##vl##_R(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    if (unlikely(cpu->simd_exact)) return h_##name##_X(cpu, i);                                               \
    cvt_run(cpu, i, cpu->vec[i->src].b, vl, in, out, op_##name);                                              \
    NEXT(cpu, i, FORM_R);                                                                                     \
  }                                                                                                           \
  static const struct insn *h_##name##_##vl##_M(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    const u8 *p = vex_hit(cpu, i, (in < out ? 16u * in / out : 16u) << vl, ACC_READ);                         \
    if (unlikely(!p || cpu->simd_exact)) return h_##name##_X(cpu, i);                                         \
    cvt_run(cpu, i, p, vl, in, out, op_##name);                                                               \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }
#define CVT_X(name, in_, out_, kind_)                                                                         \
  static NOINLINE __m128i f_##name(__m128i a, __m128i b, unsigned imm) { return op_##name(a, b, imm); }       \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    static const struct vex_cvt o = {.op = f_##name, .in = (in_), .out = (out_), .kind = (kind_)};            \
    cvt_x(cpu, i, &o);                                                                                        \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }
/* With handlers for registers and flat memory. */
#define CVT_HOT(name, in, out, kind)                                                                          \
  CVT_X(name, in, out, kind) CVT_INST(name, 0, in, out) CVT_INST(name, 1, in, out) CVT_INST(name, 2, in, out) \
  VEC_BODY_3(name, vec_##name)
#define CVT(name, in, out)                                                                                    \
  CVT_X(name, in, out, FP_PLAIN)                                                                              \
  VEC_BODY_X(name, vec_##name)
CVT_HOT(cvtps2pd, 4, 8, FP_PLAIN) CVT_HOT(cvtpd2ps, 8, 4, FP_NARROW | FP_DOUBLE)
CVT_HOT(cvtdq2ps, 4, 4, FP_PLAIN) CVT_HOT(cvtps2dq, 4, 4, FP_PLAIN) CVT_HOT(cvttps2dq, 4, 4, FP_PLAIN)
CVT_HOT(cvtdq2pd, 4, 8, FP_PLAIN) CVT_HOT(cvtpd2dq, 8, 4, FP_PLAIN) CVT_HOT(cvttpd2dq, 8, 4, FP_PLAIN)
CVT_HOT(vcvtph2ps, 2, 4, FP_PLAIN)
CVT(cvtps2udq, 4, 4) CVT(cvttps2udq, 4, 4) CVT(cvtpd2udq, 8, 4) CVT(cvttpd2udq, 8, 4)
CVT(cvtps2uqq, 4, 8) CVT(cvttps2uqq, 4, 8) CVT(cvtpd2uqq, 8, 8) CVT(cvttpd2uqq, 8, 8)
CVT(cvtps2qq, 4, 8) CVT(cvttps2qq, 4, 8) CVT(cvtpd2qq, 8, 8) CVT(cvttpd2qq, 8, 8)
CVT(cvtqq2ps, 8, 4) CVT(cvtqq2pd, 8, 8) CVT(cvtuqq2ps, 8, 4) CVT(cvtuqq2pd, 8, 8)
CVT(cvtudq2ps, 4, 4) CVT(cvtudq2pd, 4, 8)

/* ---- scalars ---- */
static NOINLINE void cvt_scalar_x(struct cpu *cpu, const struct insn *i, const struct vex_cvt *o) {
  u64 mask = vex_mask(cpu, i, 1);
  union vec a = cpu->vec[vex_vvvv(i)], b, r;
  bool sae = vex_sae(i), exact = cpu->simd_exact && !sae;
  vex_fetch(cpu, i, &b, 1, o->in, mask);
  vex_put_ones(&b, 1, o->in, mask);
  u32 saved = sae ? vex_sae_begin(cpu, i, true) : 0;
  if (exact) simd_exact_begin(cpu);
  _mm_storeu_si128((void *)&r, o->op(_mm_loadu_si128((const void *)&a), _mm_loadu_si128((const void *)&b), 0));
  if (exact) simd_exact_end_vector(cpu, i, o->kind, &a, &b, 1);
  if (sae) vex_sae_end(saved);
  vex_commit(cpu, i, &r, 16, 1, o->out, mask);
}
#define CVT_SCALAR(name, in_, out_, kind_)                                                                    \
  static NOINLINE __m128i f_##name(__m128i a, __m128i b, unsigned imm) { return op_##name(a, b, imm); }       \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    static const struct vex_cvt o = {.op = f_##name, .in = (in_), .out = (out_), .kind = (kind_)};            \
    cvt_scalar_x(cpu, i, &o);                                                                                 \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }                                                                                                           \
  static const struct insn *h_##name##_0_R(struct cpu *restrict cpu, const struct insn *restrict i) {         \
    return vex_lanes_r(cpu, i, 0, in_, VF_FP | VF_SCALAR, op_##name, h_##name##_X);                           \
  }                                                                                                           \
  static const struct insn *h_##name##_0_M(struct cpu *restrict cpu, const struct insn *restrict i) {         \
    return vex_lanes_m(cpu, i, 0, in_, VF_FP | VF_SCALAR, op_##name, h_##name##_X);                           \
  }                                                                                                           \
  VEC_BODY_1(name, vec_##name)
CVT_SCALAR(cvtss2sd, 4, 8, FP_PLAIN)
CVT_SCALAR(cvtsd2ss, 8, 4, FP_NARROW | FP_DOUBLE | FP_SCALAR)

/* ---- general registers ---- */
typedef u64 to_gpr_op(__m128i b, bool wide);
typedef __m128i from_gpr_op(__m128i a, u64 v, bool wide);
#define TO_UNSIGNED(name, dbl, get, truncate)                                                                 \
  ALWAYS_INLINE u64 op_##name(__m128i b, bool wide) {                                                         \
    return soft_to_int(get(b), dbl, wide ? 64 : 32, false, truncate);                                         \
  }
TO_UNSIGNED(cvtss2usi, false, single_of, false) TO_UNSIGNED(cvttss2usi, false, single_of, true)
TO_UNSIGNED(cvtsd2usi, true, double_of, false) TO_UNSIGNED(cvttsd2usi, true, double_of, true)

static NOINLINE void to_gpr_x(struct cpu *cpu, const struct insn *i, unsigned in, to_gpr_op *op) {
  enum width w = insn_osize(i);
  union vec b;
  bool sae = vex_sae(i), exact = cpu->simd_exact && !sae;
  vex_fetch(cpu, i, &b, 1, in, 1);
  u32 saved = sae ? vex_sae_begin(cpu, i, true) : 0;
  if (exact) simd_exact_begin(cpu);
  u64 v = op(_mm_loadu_si128((const void *)&b), w == W64);
  if (exact) simd_exact_end_vector(cpu, i, FP_PLAIN, &b, &b, 1);
  if (sae) vex_sae_end(saved);
  reg_set(cpu, i->dst, v, w);
}
#define TO_GPR_INST(name, w, in)                                                                              \
  static const struct insn *h_##name##_##w##_R(struct cpu *restrict cpu, const struct insn *restrict i) {     \
    if (unlikely(cpu->simd_exact)) return h_##name##_X(cpu, i);                                               \
    reg_set(cpu, i->dst, op_##name(lane_get(cpu, i->src, 0), w == 64), W##w);                                 \
    NEXT(cpu, i, FORM_R);                                                                                     \
  }                                                                                                           \
  static const struct insn *h_##name##_##w##_M(struct cpu *restrict cpu, const struct insn *restrict i) {     \
    const u8 *p = vex_hit(cpu, i, in, ACC_READ);                                                              \
    if (unlikely(!p || cpu->simd_exact)) return h_##name##_X(cpu, i);                                         \
    reg_set(cpu, i->dst, op_##name(host_vload(p, (enum vmem)in), w == 64), W##w);                             \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }
#define GPR_TABLE(name)                                                                                       \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {[W32] = VEC_LANES_ROW(name, 32), [W64] = VEC_LANES_ROW(name, 64)}; \
  const struct body body_vec_##name = {WIDTHS, t_##name};
#define TO_GPR(name, in)                                                                                      \
  static NOINLINE u64 f_##name(__m128i b, bool wide) { return op_##name(b, wide); }                           \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    to_gpr_x(cpu, i, in, f_##name);                                                                           \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }                                                                                                           \
  TO_GPR_INST(name, 32, in) TO_GPR_INST(name, 64, in) GPR_TABLE(name)
TO_GPR(cvtss2si, 4) TO_GPR(cvttss2si, 4) TO_GPR(cvtsd2si, 8) TO_GPR(cvttsd2si, 8)
TO_GPR(cvtss2usi, 4) TO_GPR(cvttss2usi, 4) TO_GPR(cvtsd2usi, 8) TO_GPR(cvttsd2usi, 8)

static NOINLINE void from_gpr_x(struct cpu *cpu, const struct insn *i, from_gpr_op *op) {
  enum width w = insn_osize(i);
  unsigned bytes = WIDTH_BYTES(w);
  union vec r = {0};
  bool sae = vex_sae(i), exact = cpu->simd_exact && !sae;
  u64 v = i->seg == SEG_REG ? reg_get(cpu, i->src, w) : mem_read(cpu, vex_linear(cpu, i, 0, bytes, ACC_READ), bytes);
  u32 saved = sae ? vex_sae_begin(cpu, i, true) : 0;
  if (exact) simd_exact_begin(cpu);
  _mm_storeu_si128((void *)&r, op(lane_get(cpu, vex_vvvv(i), 0), v, w == W64));
  if (exact) simd_exact_end_vector(cpu, i, FP_PLAIN, &r, &r, 1);
  if (sae) vex_sae_end(saved);
  cpu->vec[i->dst] = r;
}
#define FROM_GPR_INST(name, w)                                                                                \
  static const struct insn *h_##name##_##w##_R(struct cpu *restrict cpu, const struct insn *restrict i) {     \
    if (unlikely(cpu->simd_exact)) return h_##name##_X(cpu, i);                                               \
    lane_set(cpu, i->dst, 0, op_##name(lane_get(cpu, vex_vvvv(i), 0), reg_get(cpu, i->src, W##w), w == 64));  \
    vec_clear_above(cpu, i->dst, 0);                                                                          \
    NEXT(cpu, i, FORM_R);                                                                                     \
  }                                                                                                           \
  static const struct insn *h_##name##_##w##_M(struct cpu *restrict cpu, const struct insn *restrict i) {     \
    const u8 *p = vex_hit(cpu, i, w / 8, ACC_READ);                                                           \
    if (unlikely(!p || cpu->simd_exact)) return h_##name##_X(cpu, i);                                         \
    lane_set(cpu, i->dst, 0, op_##name(lane_get(cpu, vex_vvvv(i), 0), host_load(p, W##w), w == 64));          \
    vec_clear_above(cpu, i->dst, 0);                                                                          \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }
#define FROM_GPR(name)                                                                                        \
  static NOINLINE __m128i f_##name(__m128i a, u64 v, bool wide) { return op_##name(a, v, wide); }             \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    from_gpr_x(cpu, i, f_##name);                                                                             \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }                                                                                                           \
  FROM_GPR_INST(name, 32) FROM_GPR_INST(name, 64) GPR_TABLE(name)
FROM_GPR(cvtsi2ss) FROM_GPR(cvtsi2sd) FROM_GPR(cvtusi2ss) FROM_GPR(cvtusi2sd)

/* ---- to half precision: the first operand is r/m ---- */
#define HALF_CASE(n) case n: __asm__ volatile("vcvtps2ph $" #n ", %1, %0" : "=x"(r) : "x"(v)); break;
static __m128i to_half(__m128i v, unsigned imm) {
  __m128i r;
  switch (imm & 7) {
    HALF_CASE(0) HALF_CASE(1) HALF_CASE(2) HALF_CASE(3)
    default: HALF_CASE(4)
  }
  return r;
}

struct halves_of {
  const union vec *v;
  unsigned n, imm;
};
static u32 half_post(const struct cpu *cpu, const void *p) {
  const struct halves_of *of = p;
  struct soft_fp s = soft_fp_begin(false);
  enum { DROPPED = 13 };
  u32 f = 0;
  for (unsigned k = 0; k < of->n; k++) {
    u64 v = of->v->d[k], sig;
    if (soft_size(&s, v) >= soft_infinity(&s)) continue;
    if (!soft_size(&s, soft_daz(&s, v))) continue;
    int e = soft_split(&s, v, &sig);
    u64 rest = sig & (BIT(DROPPED) - 1), m = sig >> DROPPED;
    unsigned mode = of->imm & 4 ? cpu->mxcsr >> MXCSR_RC_SHIFT & 3 : of->imm & 3;
    m += soft_rounds_up(rest, DROPPED, m & 1, v & soft_sign(&s), (enum fp_rounding)mode);
    if (m >> 11) m >>= 1, e++;
    /* A denormal operand, which the manual lets be exact, is inexact too (family 6 model 167). */
    struct wide_result r = {m << 53, (u16)(e + 16383), rest || soft_is_denormal(&s, v)};
    f |= simd_result_flags(&r, cpu->mxcsr & ~(u32)MXCSR_FTZ, &fp_half); /* FTZ does not count: SDM 2 VCVTPS2PH */
  }
  return f;
}

static NOINLINE void to_halves(struct cpu *cpu, const struct insn *i) {
  unsigned lanes = 1u << vex_vl(i), n = 4 * lanes, imm = vex_imm(i);
  u64 mask = vex_mask(cpu, i, n);
  union vec b = cpu->vec[i->src], r = {0};
  bool sae = vex_sae(i), exact = cpu->simd_exact && !sae;
  vex_put_ones(&b, n, 4, mask);
  u32 saved = sae ? vex_sae_begin(cpu, i, false) : 0;
  if (exact) simd_exact_begin(cpu);
  for (unsigned k = 0; k < lanes; k++)
    _mm_storel_epi64((void *)&r.b[8 * k], to_half(_mm_loadu_si128((const void *)&b.b[16 * k]), imm));
  struct halves_of of = {&b, n, imm};
  if (exact) simd_exact_end_with(cpu, i, half_post, &of);
  if (sae) vex_sae_end(saved);
  if (i->seg == SEG_REG) vex_commit(cpu, i, &r, 2 * n, n, 2, mask);
  else halves_store(cpu, i, &r, n, mask);
}
VEC_X_ONLY(vec_cvtps2ph, to_halves(cpu, i))
