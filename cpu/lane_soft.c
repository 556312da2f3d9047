/* Rounding and string comparison for hosts without SSE4. SDM 2 ROUNDPS; SDM 2B 4.1 (Imm8 Control Byte Operation for
 * PCMPESTRI/PCMPESTRM/PCMPISTRI/PCMPISTRM). */
#include "cpu/lane_soft.h"

#include "base/bits.h"
#include "cpu/simd_state.h"

const u8 lane_byte_moves[64] = {
  0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
  0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
  0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};

/* ---- shuffles by an immediate ---- */
LANE_TABLE(lane_pshufd, "pshufd $lane_n, %xmm0, %xmm0");
LANE_TABLE(lane_pshuflw, "pshuflw $lane_n, %xmm0, %xmm0");
LANE_TABLE(lane_pshufhw, "pshufhw $lane_n, %xmm0, %xmm0");
LANE_TABLE(lane_shufps, "shufps $lane_n, %xmm1, %xmm0");

/* ---- rounding ---- */
enum { TO_NEAREST, DOWN, UP, TO_ZERO, BY_MXCSR };

/* One element of `bits_` bits, of which the lower `fraction` are the fraction. */
static u64 round_element(u64 v, unsigned bits_, unsigned fraction, unsigned mode, u32 mxcsr, u32 *flags) {
  u64 sign = BIT(bits_ - 1), size = v & (sign - 1), one = (BIT(bits_ - 2 - fraction) - 1) << fraction;
  u64 infinity = (BIT(bits_ - 1 - fraction) - 1) << fraction;
  bool negative = v & sign, away = mode == (negative ? DOWN : UP);
  if (size >= infinity) {
    if (size > infinity && !(v & BIT(fraction - 1))) *flags |= MXCSR_IE;
    return size > infinity ? v | BIT(fraction - 1) : v;
  }
  if (size < BIT(fraction) && (mxcsr & MXCSR_DAZ)) size = 0;
  if (!size) return v & sign;
  if (size < one) {
    *flags |= MXCSR_PE;
    if (mode == TO_NEAREST) away = size > one - BIT(fraction); /* above one half */
    return (v & sign) | (away ? one : 0);
  }
  unsigned exponent = (unsigned)((size - one) >> fraction);
  if (exponent >= fraction) return v;
  u64 unit = BIT(fraction - exponent), rest = size & (unit - 1);
  if (!rest) return v;
  *flags |= MXCSR_PE;
  if (mode == TO_NEAREST) away = rest > unit / 2 || (rest == unit / 2 && (size & unit));
  return (v & sign) | (size - rest + (away ? unit : 0));
}

__m128i soft_round(__m128i v, unsigned n, bool is_double, unsigned imm) {
  union lanes l = {.v = v};
  u32 mxcsr, flags = 0;
  __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
  unsigned mode = imm & BY_MXCSR ? mxcsr >> MXCSR_RC_SHIFT & 3 : imm & 3;
  for (unsigned k = 0; k < n; k++) {
    if (is_double) l.q[k] = round_element(l.q[k], 64, 52, mode, mxcsr, &flags);
    else l.d[k] = (u32)round_element(l.d[k], 32, 23, mode, mxcsr, &flags);
  }
  if (imm & 8) flags &= ~(u32)MXCSR_PE;
  mxcsr |= flags;
  if (flags) __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
  return l.v;
}

/* ---- string comparison ---- */
static s32 string_element(const union lanes *v, unsigned n, unsigned imm) {
  switch (imm & 3) {
    case 0: return v->b[n];
    case 1: return v->w[n];
    case 2: return v->sb[n];
    default: return v->sw[n];
  }
}

struct strings {
  union lanes a, b;
  unsigned na, nb, n, imm;
};
static s32 a_at(const struct strings *s, unsigned k) { return string_element(&s->a, k, s->imm); }
static s32 b_at(const struct strings *s, unsigned k) { return string_element(&s->b, k, s->imm); }

static bool is_any(const struct strings *s, unsigned j) {
  for (unsigned k = 0; j < s->nb && k < s->na; k++)
    if (a_at(s, k) == b_at(s, j)) return true;
  return false;
}
static bool in_a_range(const struct strings *s, unsigned j) {
  for (unsigned k = 0; j < s->nb && k + 1 < s->na; k += 2)
    if (a_at(s, k) <= b_at(s, j) && b_at(s, j) <= a_at(s, k + 1)) return true;
  return false;
}
static bool is_equal(const struct strings *s, unsigned j) {
  if (j < s->na && j < s->nb) return a_at(s, j) == b_at(s, j);
  return j >= s->na && j >= s->nb;
}
/* Does a begin here in b, as far as the lane shows? */
static bool begins(const struct strings *s, unsigned j) {
  for (unsigned k = 0; k < s->na && j + k < s->n; k++)
    if (j + k >= s->nb || a_at(s, k) != b_at(s, j + k)) return false;
  return true;
}

u32 soft_string_compare(__m128i a, unsigned na, __m128i b, unsigned nb, unsigned imm) {
  static bool (*const aggregate[4])(const struct strings *, unsigned) = {is_any, in_a_range, is_equal, begins};
  struct strings s = {.a.v = a, .b.v = b, .na = na, .nb = nb, .n = imm & 1 ? 8 : 16, .imm = imm};
  u32 r = 0;
  for (unsigned j = 0; j < s.n; j++) r |= (u32)aggregate[imm >> 2 & 3](&s, j) << j;
  return r;
}
