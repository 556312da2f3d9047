/* AVX-512 floating point that has no counterpart in SSE: exponents and significands, rounding to fractions, classes,
 * ranges, tables. SDM 1 15.2 (Detection of AVX-512 Foundation Instructions); SDM 2 (the instructions' pages). */
#include "base/host_cpu.h"
#include "cpu/simd_exact.h"
#include "cpu/soft_fp.h"
#include "cpu/vex.h"

/* One element: of vvvv, r/m, the old destination. */
typedef u64 fp_element(struct soft_fp *s, u64 a, u64 b, u64 c, unsigned imm);
struct fp512 {
  fp_element *fn;
  simd_post_fn *post;
  u8 esize;
  bool scalar, rounds, to_mask; /* rounds: EVEX.b with registers is embedded rounding, not SAE alone */
};
struct fp512_of {
  const union vec *a, *b;
  u64 mask;
  unsigned n, size;
};

static u64 element_get(const union vec *v, unsigned k, unsigned size) { return size == 8 ? v->q[k] : v->d[k]; }
static void element_set(union vec *v, unsigned k, unsigned size, u64 x) {
  if (size == 8) v->q[k] = x;
  else v->d[k] = (u32)x;
}

static NOINLINE void fp512_x(struct cpu *cpu, const struct insn *i, const struct fp512 *o) {
  unsigned size = o->esize, bytes = o->scalar ? 16 : 16u << vex_vl(i), n = o->scalar ? 1 : bytes / size;
  u64 mask = vex_mask(cpu, i, n), bits_ = 0;
  union vec a = cpu->vec[vex_vvvv(i)], b, c = cpu->vec[i->dst], r = a;
  bool sae = vex_sae(i), exact = cpu->simd_exact && !sae;
  vex_fetch(cpu, i, &b, n, size, mask);
  u32 saved = sae ? vex_sae_begin(cpu, i, o->rounds) : 0;
  if (exact) simd_exact_begin(cpu);
  struct soft_fp s = soft_fp_begin(size == 8);
  s.mxcsr |= cpu->mxcsr & MXCSR_FTZ; /* VREDUCE flushes also while underflow is unmasked (family 6 model 167) */
  for (unsigned k = 0; k < n; k++) {
    if (!(mask >> k & 1)) continue;
    u64 v = o->fn(&s, element_get(&a, k, size), element_get(&b, k, size), element_get(&c, k, size), vex_imm(i));
    if (o->to_mask) bits_ |= v << k;
    else element_set(&r, k, size, v);
  }
  soft_fp_end(&s);
  struct fp512_of of = {&a, &b, mask, n, size};
  if (exact) simd_exact_end_with(cpu, i, o->post, &of);
  if (sae) vex_sae_end(saved);
  if (o->to_mask) cpu->k[i->dst] = bits_;
  else vex_commit(cpu, i, &r, bytes, n, size, mask);
}

/* ---- rounding to a number of fraction bits ---- */
enum { IMM_BY_MXCSR = 4, IMM_NO_PRECISION = 8 };
static enum fp_rounding imm_rounding(const struct soft_fp *s, unsigned imm) {
  return imm & IMM_BY_MXCSR ? soft_rounding(s) : (enum fp_rounding)(imm & 3);
}
/* A finite number to a multiple of 2^-m, m < 16; *rest says whether that was inexact. */
static u64 round_to(const struct soft_fp *s, u64 v, unsigned m, enum fp_rounding mode, bool *rest) {
  u64 sign = v & soft_sign(s), size = soft_size(s, soft_daz(s, v)), unit = (u64)(s->bias - m) << s->fraction;
  *rest = false;
  if (!size) return sign;
  if (size < unit) {
    u64 half = unit - BIT(s->fraction), part = size > half ? 3 : size == half ? 2 : 1; /* of four */
    *rest = true;
    return sign | (soft_rounds_up(part, 2, false, sign, mode) ? unit : 0);
  }
  unsigned e = (unsigned)((size - unit) >> s->fraction);
  if (e >= s->fraction) return v;
  unsigned low = s->fraction - e;
  u64 part = size & (BIT(low) - 1);
  *rest = part;
  return sign | (size - part + (soft_rounds_up(part, low, size >> low & 1, sign, mode) ? BIT(low) : 0));
}
/* NaNs and infinities, of which the first are made quiet. */
static bool special(struct soft_fp *s, u64 v, u64 *out) {
  if (soft_size(s, v) < soft_infinity(s)) return false;
  *out = soft_is_nan(s, v) ? soft_quiet(s, v) : v;
  return true;
}

static u64 rndscale(struct soft_fp *s, u64 a, u64 b, u64 c, unsigned imm) {
  u64 r;
  bool rest;
  (void)a, (void)c;
  if (special(s, b, &r)) return r;
  r = round_to(s, b, imm >> 4, imm_rounding(s, imm), &rest);
  if (rest && !(imm & IMM_NO_PRECISION)) s->flags |= MXCSR_PE;
  return r;
}

/* What the rounding takes away. */
static u64 reduce(struct soft_fp *s, u64 a, u64 b, u64 c, unsigned imm) {
  u64 r;
  bool rest;
  (void)a, (void)c;
  if (special(s, b, &r)) return soft_is_nan(s, b) ? r : 0;
  enum fp_rounding mode = imm_rounding(s, imm);
  r = round_to(s, b, imm >> 4, mode, &rest);
  u32 saved = _mm_getcsr();
  __m128i x = _mm_cvtsi64_si128((s64)b), y = _mm_cvtsi64_si128((s64)r);
  _mm_setcsr((s->mxcsr & (MXCSR_DAZ | MXCSR_FTZ)) | MXCSR_MASKS | (u32)mode << MXCSR_RC_SHIFT);
  if (s->dbl) __asm__ volatile("subsd %1, %0" : "+x"(x) : "x"(y));
  else __asm__ volatile("subss %1, %0" : "+x"(x) : "x"(y));
  bool inexact = _mm_getcsr() & MXCSR_PE;
  _mm_setcsr(saved);
  if (inexact && !(imm & IMM_NO_PRECISION)) s->flags |= MXCSR_PE;
  return (u64)_mm_cvtsi128_si64(x);
}

/* ---- exponents and significands ---- */
static u64 from_small_int(const struct soft_fp *s, int n) {
  unsigned m = (unsigned)(n < 0 ? -n : n);
  if (!n) return 0;
  unsigned e = 31 - (unsigned)__builtin_clz(m);
  u64 fraction = (u64)(m ^ 1u << e) << (s->fraction - e);
  return (n < 0 ? soft_sign(s) : 0) | (u64)(s->bias + e) << s->fraction | fraction;
}
static u64 getexp(struct soft_fp *s, u64 a, u64 b, u64 c, unsigned imm) {
  u64 r, sig;
  (void)a, (void)c, (void)imm;
  if (special(s, b, &r)) return soft_is_nan(s, b) ? r : soft_infinity(s);
  b = soft_operand(s, b);
  if (!soft_size(s, b)) return soft_sign(s) | soft_infinity(s);
  return from_small_int(s, soft_split(s, b, &sig));
}

/* imm: the interval in bits 0 and 1; bit 2: no sign; bit 3: a negative number is invalid. */
static u64 getmant(struct soft_fp *s, u64 a, u64 b, u64 c, unsigned imm) {
  u64 sign = imm & 4 ? 0 : b & soft_sign(s), sig;
  bool negative = b & soft_sign(s);
  (void)a, (void)c;
  if (soft_is_nan(s, b)) return soft_quiet(s, b);
  if (!soft_size(s, soft_daz(s, b))) return sign | soft_one(s);
  if (negative && (imm & 8)) {
    s->flags |= MXCSR_IE;
    return soft_indefinite(s);
  }
  if (soft_size(s, b) == soft_infinity(s)) return sign | soft_one(s);
  int e = soft_split(s, soft_operand(s, b), &sig);
  bool halved = false;
  switch (imm & 3) { /* [1,2) [1/2,2) [1/2,1) [3/4,3/2) */
    case 0: break;
    case 1: halved = e & 1; break;
    case 2: halved = true; break;
    default: halved = sig & soft_quiet_bit(s); break;
  }
  return sign | (u64)(s->bias - halved) << s->fraction | (sig & (BIT(s->fraction) - 1));
}

/* ---- a * 2^floor(b) ---- */
enum { SCALE_MOST = 8192 };
static int floor_of(const struct soft_fp *s, u64 b) {
  u64 sig, size = soft_size(s, b);
  bool negative = b & soft_sign(s);
  if (!size) return 0;
  int e = soft_split(s, b, &sig);
  if (e > 12) return negative ? -SCALE_MOST : SCALE_MOST;
  if (e < 0) return negative ? -1 : 0;
  unsigned low = s->fraction - (unsigned)e;
  int n = (int)(sig >> low);
  return !negative ? n : sig & (BIT(low) - 1) ? -n - 1 : -n;
}
static u64 scalef_special(struct soft_fp *s, u64 a, u64 b) {
  u64 sign = a & soft_sign(s), inf = soft_infinity(s), size_a = soft_size(s, a), size_b = soft_size(s, b);
  bool up = b == inf, down = b == (inf | soft_sign(s));
  if (soft_is_nan(s, a)) {
    if (soft_is_snan(s, a) || soft_is_nan(s, b)) {
      if (soft_is_snan(s, b)) s->flags |= MXCSR_IE;
      return soft_quiet(s, a);
    }
    return up ? inf : down ? 0 : a;
  }
  if (size_b > inf) return soft_quiet(s, b);
  if ((size_a == inf && down) || (!size_a && up)) {
    s->flags |= MXCSR_IE;
    return soft_indefinite(s);
  }
  if (size_a == inf || !size_a) return a;
  return up ? sign | inf : sign;
}
/* Is the result an ordinary number; then its exponent and significand. */
static bool scalef_parts(const struct soft_fp *s, u64 a, u64 b, int *e, u64 *sig) {
  if (!soft_size(s, a) || soft_size(s, a) >= soft_infinity(s) || soft_size(s, b) >= soft_infinity(s)) return false;
  *e = soft_split(s, a, sig) + floor_of(s, b);
  return true;
}
static u64 scalef(struct soft_fp *s, u64 a, u64 b, u64 c, unsigned imm) {
  int e, least = 1 - s->bias;
  u64 sig, x, y;
  (void)c, (void)imm;
  if (!soft_is_nan(s, a) && !soft_is_nan(s, b)) a = soft_operand(s, a), b = soft_daz(s, b);
  if (!scalef_parts(s, a, b, &e, &sig)) return scalef_special(s, a, b);
  u64 sign = a & soft_sign(s), fraction = sig & (BIT(s->fraction) - 1);
  if (e >= least && e <= s->bias) return sign | (u64)(e + s->bias) << s->fraction | fraction;
  /* Too large or too small: one multiplication, that the host rounds. */
  if (e > s->bias) x = (u64)(2 * s->bias) << s->fraction, y = (u64)(s->bias + 1) << s->fraction;
  else x = (u64)((e - least < -64 ? -64 : e - least) + s->bias) << s->fraction, y = (u64)1 << s->fraction;
  __m128i vx = _mm_cvtsi64_si128((s64)(sign | x | fraction)), vy = _mm_cvtsi64_si128((s64)y);
  if (s->dbl) __asm__ volatile("mulsd %1, %0" : "+x"(vx) : "x"(vy));
  else __asm__ volatile("mulss %1, %0" : "+x"(vx) : "x"(vy));
  return (u64)_mm_cvtsi128_si64(vx);
}
static u32 scalef_post(const struct cpu *cpu, const void *p) {
  const struct fp512_of *of = p;
  struct soft_fp s = soft_fp_begin(of->size == 8);
  u32 f = 0;
  for (unsigned k = 0; k < of->n; k++) {
    int e;
    u64 sig, a = element_get(of->a, k, of->size), b = element_get(of->b, k, of->size);
    if (!(of->mask >> k & 1)) continue;
    if (!scalef_parts(&s, soft_daz(&s, a), soft_daz(&s, b), &e, &sig)) continue;
    struct wide_result r = {sig << (63 - s.fraction), (u16)(e + 16383), false};
    f |= simd_result_flags(&r, cpu->mxcsr, s.dbl ? &fp_double : &fp_single);
  }
  return f;
}

/* ---- ranges ---- */
enum { RANGE_MAX = 1, RANGE_ABS = 2 };
/* -1, 0, 1: a is less, equal, greater; zeros by their signs. */
static int order(const struct soft_fp *s, u64 a, u64 b) {
  s64 x = (s64)soft_size(s, a), y = (s64)soft_size(s, b);
  if (a & soft_sign(s)) x = ~x;
  if (b & soft_sign(s)) y = ~y;
  return x < y ? -1 : x > y;
}
static u64 range_of(const struct soft_fp *s, u64 a, u64 b, unsigned imm) {
  u64 x = soft_size(s, a), y = soft_size(s, b);
  bool less = (imm & RANGE_ABS) && x != y ? x < y : order(s, a, b) < 0;
  return less == !(imm & RANGE_MAX) ? a : b;
}
static u64 range(struct soft_fp *s, u64 a, u64 b, u64 c, unsigned imm) {
  u64 r, sign = soft_sign(s);
  (void)c;
  if (soft_is_snan(s, a)) return soft_quiet(s, a);
  if (soft_is_snan(s, b)) return soft_quiet(s, b);
  if (soft_is_nan(s, a) && soft_is_nan(s, b)) r = a;
  else if (soft_is_nan(s, a)) r = soft_daz(s, b);
  else if (soft_is_nan(s, b)) r = soft_daz(s, a);
  else a = soft_operand(s, a), b = soft_operand(s, b), r = range_of(s, a, b, imm);
  switch (imm >> 2 & 3) {
    case 0: return soft_is_nan(s, r) ? r : (r & ~sign) | (a & sign);
    case 1: return r;
    case 2: return r & ~sign;
    default: return r | sign;
  }
}

/* ---- tables ---- */
enum { TOKEN_QNAN, TOKEN_SNAN, TOKEN_ZERO, TOKEN_ONE, TOKEN_MINUS_INF, TOKEN_INF, TOKEN_NEGATIVE, TOKEN_POSITIVE };
static unsigned token_of(const struct soft_fp *s, u64 v) {
  bool negative = v & soft_sign(s);
  if (soft_is_nan(s, v)) return soft_is_snan(s, v) ? TOKEN_SNAN : TOKEN_QNAN;
  if (!soft_size(s, v)) return TOKEN_ZERO;
  if (v == soft_one(s)) return TOKEN_ONE;
  if (soft_size(s, v) == soft_infinity(s)) return negative ? TOKEN_MINUS_INF : TOKEN_INF;
  return negative ? TOKEN_NEGATIVE : TOKEN_POSITIVE;
}
/* b, the table: a response for each token. imm: which tokens are exceptions. */
static u64 fixupimm(struct soft_fp *s, u64 a, u64 b, u64 c, unsigned imm) {
  static const u8 invalid[8] = {[TOKEN_ZERO] = 1 << 1, [TOKEN_ONE] = 1 << 3, [TOKEN_SNAN] = 1 << 4,
                                [TOKEN_MINUS_INF] = 1 << 5, [TOKEN_NEGATIVE] = 1 << 6, [TOKEN_INF] = 1 << 7};
  static const u8 by_zero[8] = {[TOKEN_ZERO] = 1 << 0, [TOKEN_ONE] = 1 << 2};
  u64 inf = soft_infinity(s), sign = soft_sign(s), one = soft_one(s);
  a = soft_daz(s, a);
  unsigned token = token_of(s, a);
  if (imm & invalid[token]) s->flags |= MXCSR_IE;
  if (imm & by_zero[token]) s->flags |= MXCSR_ZE;
  switch (b >> 4 * token & 15) {
    case 0: return c;
    case 1: return a;
    case 2: return a | inf | soft_quiet_bit(s);
    case 3: return soft_indefinite(s);
    case 4: return sign | inf;
    case 5: return inf;
    case 6: return (a & sign) | inf;
    case 7: return sign;
    case 8: return 0;
    case 9: return sign | one;
    case 10: return one;
    case 11: return one - BIT(s->fraction);
    case 12: return s->dbl ? UINT64_C(0x4056800000000000) : 0x42b40000; /* 90 */
    case 13: return s->dbl ? UINT64_C(0x3ff921fb54442d18) : 0x3fc90fdb; /* pi / 2 */
    case 14: return inf - 1;
    default: return sign | (inf - 1);
  }
}

static u64 fpclass(struct soft_fp *s, u64 a, u64 b, u64 c, unsigned imm) {
  (void)a, (void)c;
  b = soft_daz(s, b);
  bool negative = b & soft_sign(s), zero = !soft_size(s, b), inf = soft_size(s, b) == soft_infinity(s);
  unsigned is = 0;
  if (soft_is_nan(s, b)) is = soft_is_snan(s, b) ? 1 << 7 : 1 << 0;
  else if (zero) is = negative ? 1 << 2 : 1 << 1;
  else if (inf) is = negative ? 1 << 4 : 1 << 3;
  else is = (soft_is_denormal(s, b) ? 1u << 5 : 0) | (negative ? 1u << 6 : 0);
  return (imm & is) != 0;
}

/* ---- bodies ---- */
#define FP512_ONE(name, sfx, size_, scalar_, fn_, post_, ...)                                                 \
  static NOINLINE const struct insn *h_##name##sfx##_X(struct cpu *restrict cpu, const struct insn *restrict i) { \
    static const struct fp512 o = {.fn = fn_, .post = post_, .esize = (size_),                                \
                                   .scalar = (scalar_) __VA_OPT__(, ) __VA_ARGS__};                           \
    fp512_x(cpu, i, &o);                                                                                      \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }                                                                                                           \
  VEC_BODY_X(name##sfx, vec_##name##sfx)
#define FP512(name, fn, post, ...)                                                                            \
  FP512_ONE(name, ps, 4, false, fn, post, __VA_ARGS__) FP512_ONE(name, pd, 8, false, fn, post, __VA_ARGS__)   \
  FP512_ONE(name, ss, 4, true, fn, post, __VA_ARGS__) FP512_ONE(name, sd, 8, true, fn, post, __VA_ARGS__)
FP512(rndscale, rndscale, NULL)
FP512(reduce, reduce, NULL)
FP512(getexp, getexp, NULL)
FP512(getmant, getmant, NULL)
FP512(scalef, scalef, scalef_post, .rounds = true)
FP512(range, range, NULL)
FP512(fixupimm, fixupimm, NULL)
FP512(fpclass, fpclass, NULL, .to_mask = true)

/* ---- approximations: they raise nothing ---- */
/* The host's own, bit for bit, where it has them; else 1 / x or 1 / sqrt(x), closer than the 2^-14 that the manual
 * promises but not the same bits. */
static u64 approximation(u64 b, bool dbl, bool root) {
  u32 saved = _mm_getcsr();
  __m128i x = _mm_cvtsi64_si128((s64)b), r = _mm_cvtsi64_si128(0x3ff0000000000000);
  /* The square root heeds DAZ, neither heeds FTZ (family 6 model 167). */
  _mm_setcsr((root ? saved & MXCSR_DAZ : 0) | MXCSR_MASKS);
  if (!dbl) __asm__ volatile("cvtss2sd %0, %0" : "+x"(x));
  if (root) __asm__ volatile("sqrtsd %0, %0" : "+x"(x));
  __asm__ volatile("divsd %1, %0" : "+x"(r) : "x"(x));
  if (!dbl) __asm__ volatile("cvtsd2ss %0, %0" : "+x"(r));
  _mm_setcsr(saved);
  return (u64)_mm_cvtsi128_si64(r);
}
static void approximate_soft(union vec *r, const struct vex_args *x, unsigned size, bool root) {
  for (unsigned k = 0; k < x->n; k++)
    element_set(r, k, size, approximation(element_get(x->b, k, size), size == 8, root));
}
#define APPROXIMATE(name, root)                                                                               \
  APPROXIMATE_PACKED(name, ps, 4, root) APPROXIMATE_PACKED(name, pd, 8, root)                                 \
  APPROXIMATE_SCALAR(name, ss, 4, root) APPROXIMATE_SCALAR(name, sd, 8, root)
#define APPROXIMATE_PACKED(name, sfx, size, root)                                                             \
  static void fn_##name##sfx(union vec *r, const struct vex_args *x) {                                        \
    if (!host_has_avx512vl()) approximate_soft(r, x, size, root);                                             \
    else                                                                                                      \
      for (unsigned k = 0; k < x->bytes; k += 16) {                                                           \
        __m128i v = _mm_loadu_si128((const void *)&x->b->b[k]);                                               \
        __asm__ volatile("v" #name #sfx " %0, %0" : "+x"(v));                                                 \
        _mm_storeu_si128((void *)&r->b[k], v);                                                                \
      }                                                                                                       \
  }                                                                                                           \
  VEC_WHOLE(vec_##name##sfx, size, VF_0, fn_##name##sfx)
#define APPROXIMATE_SCALAR(name, sfx, size, root)                                                             \
  static void fn_##name##sfx(union vec *r, const struct vex_args *x) {                                        \
    __m128i a = _mm_loadu_si128((const void *)x->a), b = _mm_loadu_si128((const void *)x->b);                 \
    if (host_has_avx512vl()) __asm__ volatile("v" #name #sfx " %1, %0, %0" : "+x"(a) : "x"(b));               \
    _mm_storeu_si128((void *)r, a);                                                                           \
    if (!host_has_avx512vl()) approximate_soft(r, x, size, root);                                             \
  }                                                                                                           \
  VEC_WHOLE(vec_##name##sfx, size, VF_SCALAR, fn_##name##sfx)
APPROXIMATE(rcp14, false)
APPROXIMATE(rsqrt14, true)
