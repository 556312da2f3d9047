/* FMA: a product and a sum with one rounding, on the host's own FMA. SDM 1 14.5 (Fused-Multiply-ADD (FMA) Extensions),
 * 14.5.1 (FMA Instruction Operand Order and Arithmetic Behavior); SDM 2 (the instructions' pages).
 *
 * Each of the three operand orders is the host's instruction of that order: which of several NaNs is the result depends
 * on it. Models with FMA exist on hosts that have it alone: msr/models.c. */
#include "base/bits.h"
#include "cpu/simd_exact.h"
#include "cpu/vex.h"

/* What an instruction computes, for its flags: x * y + z, with signs. */
enum fma_how {
  FMA_132 = 0, FMA_213 = 1, FMA_231 = 2, /* the destination is x; y; z */
  FMA_ORDER = 3,
  FMA_MINUS_XY = 1 << 2,
  FMA_MINUS_Z = 1 << 3,
  FMA_MINUS_Z_EVEN = 1 << 4, FMA_MINUS_Z_ODD = 1 << 5, /* of the elements of even, of odd number */
};

struct fma_insn {
  simd_op3 *op;
  u8 esize, how;
  bool scalar;
};

/* ---- flags, where overflow or underflow is unmasked ---- */
struct fma_of {
  const union vec *a, *b, *c;
  const struct fma_insn *insn;
  unsigned n;
};

enum { ZERO_EXPONENT = -0x4000 };
struct scaled {
  u64 v; /* in [1,2), or zero, as a number of the format */
  int e;
};
static struct scaled scale(u64 v, unsigned fraction, unsigned bias) {
  u64 sign = v >> (fraction == 52 ? 63 : 31) << (fraction == 52 ? 63 : 31), size = v ^ sign;
  int e = (int)(size >> fraction);
  if (!size) return (struct scaled){v, ZERO_EXPONENT};
  if (!e) {
    unsigned shift = fraction - (63 - (unsigned)__builtin_clzll(size));
    size <<= shift;
    e = 1 - (int)shift;
  }
  return (struct scaled){sign | (size & (BIT(fraction) - 1)) | (u64)bias << fraction, e - (int)bias};
}
/* v * 2^-by; what is much smaller than the other addend counts as not zero only. */
static u64 lowered(u64 v, int by, unsigned fraction, bool zero) {
  int most = fraction == 52 ? 300 : 90;
  return zero ? v : v - ((u64)(by < most ? by : most) << fraction);
}

/* x * y + z on numbers near 1: the rounded result as if exponents had no bounds. */
static u32 fma_element_flags(const struct cpu *cpu, u64 x, u64 y, u64 z, bool dbl) {
  unsigned fraction = dbl ? 52 : 23, bias = dbl ? 1023 : 127;
  struct scaled sx = scale(x, fraction, bias), sy = scale(y, fraction, bias), sz = scale(z, fraction, bias);
  bool no_product = sx.e == ZERO_EXPONENT || sy.e == ZERO_EXPONENT, no_sum = sz.e == ZERO_EXPONENT;
  int ep = sx.e + sy.e, top = no_product || (!no_sum && sz.e > ep) ? sz.e : ep;
  if (no_product && no_sum) return 0;
  u64 r = lowered(sz.v, top - sz.e, fraction, no_sum);
  x = lowered(sx.v, top - ep, fraction, no_product);
  __m128i vr = _mm_cvtsi64_si128((s64)r), vx = _mm_cvtsi64_si128((s64)x), vy = _mm_cvtsi64_si128((s64)sy.v);
  _mm_setcsr((cpu->mxcsr & MXCSR_RC) | MXCSR_MASKS);
  if (dbl) __asm__ volatile("vfmadd231sd %2, %1, %0" : "+x"(vr) : "x"(vx), "x"(vy));
  else __asm__ volatile("vfmadd231ss %2, %1, %0" : "+x"(vr) : "x"(vx), "x"(vy));
  r = (u64)_mm_cvtsi128_si64(vr) << (dbl ? 1 : 33) >> (dbl ? 1 : 33);
  if (!r) return 0;
  int e = (int)(r >> fraction) - (int)bias + top;
  struct wide_result w = {BIT(63) | r << (63 - fraction), (u16)(e + 16383), _mm_getcsr() & MXCSR_PE};
  return simd_result_flags(&w, cpu->mxcsr, dbl ? &fp_double : &fp_single);
}

static u64 element(const union vec *v, unsigned k, bool dbl, bool daz) {
  u64 x = dbl ? v->q[k] : v->d[k];
  u64 exponent = x >> (dbl ? 52 : 23) & (dbl ? 0x7ff : 0xff);
  return daz && !exponent ? x >> (dbl ? 63 : 31) << (dbl ? 63 : 31) : x;
}
static bool is_number(u64 x, bool dbl) { return dbl ? (x >> 52 & 0x7ff) != 0x7ff : (x >> 23 & 0xff) != 0xff; }

static u32 fma_post(const struct cpu *cpu, const void *p) {
  const struct fma_of *of = p;
  bool dbl = of->insn->esize == 8, daz = cpu->mxcsr & MXCSR_DAZ;
  unsigned how = of->insn->how;
  u64 sign = dbl ? BIT(63) : BIT(31);
  u32 f = 0;
  for (unsigned k = 0; k < of->n; k++) {
    u64 a = element(of->a, k, dbl, daz), b = element(of->b, k, dbl, daz), c = element(of->c, k, dbl, daz), x, y, z;
    if (!is_number(a, dbl) || !is_number(b, dbl) || !is_number(c, dbl)) continue;
    switch (how & FMA_ORDER) {
      case FMA_132: x = c, y = b, z = a; break;
      case FMA_213: x = a, y = c, z = b; break;
      default: x = a, y = b, z = c; break;
    }
    if (how & FMA_MINUS_XY) x ^= sign;
    if (how & (FMA_MINUS_Z | (k & 1 ? FMA_MINUS_Z_ODD : FMA_MINUS_Z_EVEN))) z ^= sign;
    f |= fma_element_flags(cpu, x, y, z, dbl);
  }
  return f;
}

/* ---- handlers ---- */
static NOINLINE void fma_x(struct cpu *cpu, const struct insn *i, const struct fma_insn *o) {
  unsigned size = o->esize, bytes = o->scalar ? 16 : 16u << vex_vl(i), n = o->scalar ? 1 : bytes / size;
  u64 mask = vex_mask(cpu, i, n);
  union vec a = cpu->vec[vex_vvvv(i)], b, c = cpu->vec[i->dst], r = {0};
  vex_fetch(cpu, i, &b, n, size, mask);
  vex_put_ones(&a, n, size, mask);
  vex_put_ones(&b, n, size, mask);
  vex_put_ones(&c, n, size, mask);
  bool sae = vex_sae(i), exact = cpu->simd_exact && !sae;
  u32 saved = sae ? vex_sae_begin(cpu, i, true) : 0;
  if (exact) simd_exact_begin(cpu);
  for (unsigned k = 0; k < bytes; k += 16) {
    __m128i v = o->op(_mm_loadu_si128((const void *)&a.b[k]), _mm_loadu_si128((const void *)&b.b[k]),
                      _mm_loadu_si128((const void *)&c.b[k]));
    _mm_storeu_si128((void *)&r.b[k], v);
  }
  struct fma_of of = {&a, &b, &c, o, n};
  if (exact) simd_exact_end_with(cpu, i, fma_post, &of);
  if (sae) vex_sae_end(saved);
  vex_commit(cpu, i, &r, bytes, n, size, mask);
}

ALWAYS_INLINE void fma_run(struct cpu *cpu, const struct insn *i, const u8 *p, unsigned vl, unsigned scalar,
                           simd_op3 *op) {
  unsigned v = vex_vvvv(i);
#pragma GCC unroll 4
  for (unsigned k = 0; k < 1u << vl; k++) {
    __m128i b = host_vload(p + 16 * k, scalar == 4 ? V4 : scalar == 8 ? V8 : V16U);
    lane_set(cpu, i->dst, k, op(lane_get(cpu, v, k), b, lane_get(cpu, i->dst, k)));
  }
  vec_clear_above(cpu, i->dst, vl);
}

/* scalar: bytes of the one element, 0: all of the lanes. */
#define FMA_INST(name, vl, scalar)                                                                            \
  static const struct insn *h_##name##_##vl##_R(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    if (unlikely(cpu->simd_exact)) return h_##name##_X(cpu, i);                                               \
    fma_run(cpu, i, cpu->vec[i->src].b, vl, scalar, op_##name);                                               \
    NEXT(cpu, i, FORM_R);                                                                                     \
  }                                                                                                           \
  static const struct insn *h_##name##_##vl##_M(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    const u8 *p = vex_hit(cpu, i, scalar ? scalar : 16u << vl, ACC_READ);                                     \
    if (unlikely(!p || cpu->simd_exact)) return h_##name##_X(cpu, i);                                         \
    fma_run(cpu, i, p, vl, scalar, op_##name);                                                                \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }
#define FMA_X(name, esize_, how_, scalar_)                                                                    \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, __m128i c) {                                          \
    __asm__ volatile("v" #name " %2, %1, %0" : "+x"(c) : "x"(a), "x"(b));                                     \
    return c;                                                                                                 \
  }                                                                                                           \
  static NOINLINE __m128i f_##name(__m128i a, __m128i b, __m128i c) { return op_##name(a, b, c); }            \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    static const struct fma_insn o = {.op = f_##name, .esize = (esize_), .how = (how_), .scalar = (scalar_)}; \
    fma_x(cpu, i, &o);                                                                                        \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }
#define FMA_PACKED(name, esize, how)                                                                          \
  FMA_X(name, esize, how, false) FMA_INST(name, 0, 0) FMA_INST(name, 1, 0) FMA_INST(name, 2, 0)               \
  VEC_BODY_3(name, vec_##name)
#define FMA_SCALAR(name, esize, how)                                                                          \
  FMA_X(name, esize, how, true) FMA_INST(name, 0, esize)                                                      \
  VEC_BODY_1(name, vec_##name)

#define FMA_ORDERS(M, name, sfx, esize, how)                                                                  \
  M(name##132##sfx, esize, FMA_132 | (how)) M(name##213##sfx, esize, FMA_213 | (how))                        \
  M(name##231##sfx, esize, FMA_231 | (how))
#define FMA_VECTORS(name, how) FMA_ORDERS(FMA_PACKED, name, ps, 4, how) FMA_ORDERS(FMA_PACKED, name, pd, 8, how)
#define FMA_ALL(name, how)                                                                                    \
  FMA_VECTORS(name, how) FMA_ORDERS(FMA_SCALAR, name, ss, 4, how) FMA_ORDERS(FMA_SCALAR, name, sd, 8, how)
FMA_ALL(fmadd, 0)
FMA_ALL(fmsub, FMA_MINUS_Z)
FMA_ALL(fnmadd, FMA_MINUS_XY)
FMA_ALL(fnmsub, FMA_MINUS_XY | FMA_MINUS_Z)
FMA_VECTORS(fmaddsub, FMA_MINUS_Z_EVEN)
FMA_VECTORS(fmsubadd, FMA_MINUS_Z_ODD)
