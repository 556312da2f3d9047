/* Single and double precision numbers in parts: what AVX-512 does with them and SSE does not. SDM 1 4.2.2
 * (Floating-Point Data Types), 4.8.4 (Rounding).
 *
 * Values are their encodings, a single in the low 32 bits. Exceptions are added to the host's MXCSR, whose control bits
 * are the guest's (cpu/simd_state.h). */
#ifndef CPU_SOFT_FP_H
#define CPU_SOFT_FP_H

#include "base/bits.h"
#include "cpu/simd_state.h"

enum fp_rounding { ROUND_NEAREST, ROUND_DOWN, ROUND_UP, ROUND_TO_ZERO };

/* One element's operation: the formats, the controls, and the exceptions so far. */
struct soft_fp {
  u32 mxcsr, flags;
  bool dbl;
  u8 fraction; /* bits of it */
  u16 bias;
};
struct soft_fp soft_fp_begin(bool dbl);
/* Adds the exceptions to the host's. */
void soft_fp_end(const struct soft_fp *s);

static inline u64 soft_sign(const struct soft_fp *s) { return s->dbl ? BIT(63) : BIT(31); }
static inline u64 soft_infinity(const struct soft_fp *s) { return (u64)(2 * s->bias + 1) << s->fraction; }
static inline u64 soft_one(const struct soft_fp *s) { return (u64)s->bias << s->fraction; }
static inline u64 soft_size(const struct soft_fp *s, u64 v) { return v & (soft_sign(s) - 1); }
static inline u64 soft_quiet_bit(const struct soft_fp *s) { return BIT(s->fraction - 1); }
/* What an invalid operation results in. */
static inline u64 soft_indefinite(const struct soft_fp *s) { return soft_sign(s) | soft_infinity(s) | soft_quiet_bit(s); }
static inline bool soft_is_nan(const struct soft_fp *s, u64 v) { return soft_size(s, v) > soft_infinity(s); }
static inline bool soft_is_snan(const struct soft_fp *s, u64 v) { return soft_is_nan(s, v) && !(v & soft_quiet_bit(s)); }
static inline bool soft_is_denormal(const struct soft_fp *s, u64 v) {
  return soft_size(s, v) - 1 < BIT(s->fraction) - 1;
}
/* A NaN made quiet; a signalling one is invalid. */
u64 soft_quiet(struct soft_fp *s, u64 v);
/* A denormal becomes zero under DAZ. */
static inline u64 soft_daz(const struct soft_fp *s, u64 v) {
  return (s->mxcsr & MXCSR_DAZ) && soft_is_denormal(s, v) ? v & soft_sign(s) : v;
}
/* The same, and else raises DE. */
u64 soft_operand(struct soft_fp *s, u64 v);
static inline enum fp_rounding soft_rounding(const struct soft_fp *s) {
  return (enum fp_rounding)(s->mxcsr >> MXCSR_RC_SHIFT & 3);
}
/* Is a magnitude with this rest, of one with 2^of possible, rounded up? odd: its lowest bit that stays is set. */
bool soft_rounds_up(u64 rest, unsigned of, bool odd, bool negative, enum fp_rounding mode);
/* The exponent and the fraction with its integer bit of a number that is not zero, denormal ones too. */
int soft_split(const struct soft_fp *s, u64 v, u64 *significand);

/* To an integer of 32 or 64 bits. */
u64 soft_to_int(u64 v, bool dbl, unsigned bits_, bool is_signed, bool truncate);

#endif
