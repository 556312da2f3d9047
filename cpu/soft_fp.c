/* Numbers in parts, and their conversion to integers. SDM 1 4.8.4 (Rounding), 4.9.1.1 (Invalid Operation Exception); SDM 2
 * VCVTPS2UDQ, VCVTPD2UQQ. */
#include "cpu/soft_fp.h"

#include <immintrin.h>

struct soft_fp soft_fp_begin(bool dbl) {
  return (struct soft_fp){.mxcsr = _mm_getcsr(), .dbl = dbl, .fraction = dbl ? 52 : 23, .bias = dbl ? 1023 : 127};
}
void soft_fp_end(const struct soft_fp *s) {
  if (s->flags & ~s->mxcsr) _mm_setcsr(_mm_getcsr() | s->flags);
}

u64 soft_quiet(struct soft_fp *s, u64 v) {
  if (soft_is_snan(s, v)) s->flags |= MXCSR_IE;
  return v | soft_quiet_bit(s);
}

u64 soft_operand(struct soft_fp *s, u64 v) {
  v = soft_daz(s, v);
  if (soft_is_denormal(s, v)) s->flags |= MXCSR_DE;
  return v;
}

bool soft_rounds_up(u64 rest, unsigned of, bool odd, bool negative, enum fp_rounding mode) {
  u64 half = BIT(of - 1);
  switch (mode) {
    case ROUND_NEAREST: return rest > half || (rest == half && odd);
    case ROUND_DOWN: return rest && negative;
    case ROUND_UP: return rest && !negative;
    default: return false;
  }
}

int soft_split(const struct soft_fp *s, u64 v, u64 *significand) {
  u64 size = soft_size(s, v);
  int e = (int)(size >> s->fraction);
  if (!e) {
    unsigned shift = s->fraction - (63 - (unsigned)__builtin_clzll(size));
    size <<= shift;
    e = 1 - (int)shift;
  }
  *significand = (size & (BIT(s->fraction) - 1)) | BIT(s->fraction);
  return e - s->bias;
}

/* The magnitude rounded, or false: out of range of 64 bits. */
static bool magnitude(struct soft_fp *s, u64 v, enum fp_rounding mode, u64 *out) {
  u64 sig, size = soft_size(s, soft_daz(s, v));
  *out = 0;
  if (size >= soft_infinity(s)) return false;
  if (!size) return true;
  int shift = soft_split(s, v, &sig) - s->fraction;
  if (shift > 63 - s->fraction) return false;
  if (shift >= 0) {
    *out = sig << shift;
    return true;
  }
  unsigned down = (unsigned)-shift;
  if (down > s->fraction + 2u) sig = 1, down = 3; /* anything below one half */
  u64 rest = sig & (BIT(down) - 1);
  *out = (sig >> down) + soft_rounds_up(rest, down, sig >> down & 1, v & soft_sign(s), mode);
  if (rest) s->flags |= MXCSR_PE;
  return true;
}

u64 soft_to_int(u64 v, bool dbl, unsigned bits_, bool is_signed, bool truncate) {
  struct soft_fp s = soft_fp_begin(dbl);
  u64 r, all = ~UINT64_C(0) >> (64 - bits_), most = is_signed ? all >> 1 : all;
  bool negative = v & soft_sign(&s);
  bool fits = magnitude(&s, v, truncate ? ROUND_TO_ZERO : soft_rounding(&s), &r);
  if (negative) most = is_signed ? most + 1 : 0;
  if (!fits || r > most) {
    s.flags = MXCSR_IE;
    r = is_signed ? BIT(bits_ - 1) : all;
  } else if (negative) {
    r = -r & all;
  }
  soft_fp_end(&s);
  return r;
}
