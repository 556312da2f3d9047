/* Multiplication and division: MUL IMUL DIV IDIV. SDM 1 7.3.2 (Binary Arithmetic Instructions).
 * A quotient that does not fit is found before dividing: #DE, never a fault of the host. */
#include "base/host_int.h"
#include "cpu/check.h"
#include "cpu/lean.h"

/* rDX:rAX (AX for bytes) = accumulator * E. */
INLINE_BODY multiply(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                     handler_fn *slow, bool sign) {
  E_BIND(e, w, form, ACC_READ);
  u64 a = cpu->gpr[RAX], b = e_get(cpu, i, &e, w, form, ACC_READ);
  u16 hf;
#define MUL_N(n)                                                                                            \
  {                                                                                                         \
    u##n hi, lo = sign ? host_imul##n((u##n)a, (u##n)b, &hi, &hf) : host_mul##n((u##n)a, (u##n)b, &hi, &hf); \
    if (n == 8) {                                                                                           \
      reg_set(cpu, RAX, (u64)hi << 8 | lo, W16);                                                            \
    } else {                                                                                                \
      reg_set(cpu, RAX, lo, w);                                                                             \
      reg_set(cpu, RDX, hi, w);                                                                             \
    }                                                                                                       \
    break;                                                                                                  \
  }
  switch (w) {
    case W8: MUL_N(8)
    case W16: MUL_N(16)
    case W32: MUL_N(32)
    default: MUL_N(64)
  }
#undef MUL_N
  cpu->hf = hf;
  NEXT(cpu, i, form);
}
BODY_LEAN(mul_E, multiply, false)
BODY_LEAN(imul_E, multiply, true)

/* The low half alone: G = G * E, or E * immediate. */
INLINE_BODY imul(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                 handler_fn *slow, bool by_imm) {
  E_BIND(e, w, form, ACC_READ);
  u64 b = e_get_src(cpu, i, &e, w, form), a = by_imm ? insn_imm(i, form) : reg_get(cpu, i->dst, w), r;
  u16 hf;
  switch (w) {
    case W16: r = host_imul2_16((u16)a, (u16)b, &hf); break;
    case W32: r = host_imul2_32((u32)a, (u32)b, &hf); break;
    default: r = host_imul2_64(a, b, &hf);
  }
  reg_set(cpu, i->dst, r, w);
  cpu->hf = hf;
  NEXT(cpu, i, form);
}
BODY_V(imul_G_E, imul, false)
BODY_V(imul_G_E_I, imul, true)

/* hi:lo / d, w bits each, unsigned. False: divisor zero, or the quotient does not fit. */
ALWAYS_INLINE bool divide(u64 hi, u64 lo, u64 d, enum width w, u64 *q, u64 *r) {
  if (unlikely(hi >= d)) return false;
  if (w == W64 && hi) {
    *q = host_div128(hi, lo, d, r);
    return true;
  }
  u64 n = w == W64 ? lo : hi << (WIDTH_BITS(w) & 63) | lo;
  if (n >> 32 == 0 && d >> 32 == 0) { /* a 64-bit division costs several times as much on older hosts */
    *q = (u32)n / (u32)d;
    *r = (u32)n % (u32)d;
  } else {
    *q = n / d;
    *r = n % d;
  }
  return true;
}

/* The same, signed, by magnitudes: the quotient is rounded to zero, the remainder has the dividend's sign. */
ALWAYS_INLINE bool divide_signed(u64 hi, u64 lo, u64 d, enum width w, u64 *q, u64 *r) {
  unsigned n = WIDTH_BITS(w);
  u64 m = WIDTH_MASK(w), half = UINT64_C(1) << (n - 1);
  bool neg_n = hi & half, neg_d = d & half;
  if (neg_n) {
    lo = -lo & m;
    hi = (~hi + !lo) & m;
  }
  if (!divide(hi, lo, neg_d ? -d & m : d, w, q, r)) return false;
  if (unlikely(*q >= half + (neg_n != neg_d))) return false;
  if (neg_n != neg_d) *q = -*q;
  if (neg_n) *r = -*r;
  return true;
}

ALWAYS_INLINE void set_quotient(struct cpu *cpu, u64 q, u64 r, enum width w) {
  if (w == W8) {
    reg_set(cpu, RAX, (u8)q | (u64)(u8)r << 8, W16);
  } else {
    reg_set(cpu, RAX, q, w);
    reg_set(cpu, RDX, r, w);
  }
}

/* A division that faults, and every one when somebody listens: the divisor is not zero; the quotient fits: #DE */
NOINLINE static const struct insn *divide_judged(struct cpu *restrict cpu, const struct insn *restrict i, u64 hi,
                                                 u64 lo, u64 d, unsigned how) {
  enum width w = (enum width)(how >> 1);
  u64 q, r;
  cpu->insn = i;
  require_ab(cpu, CHK_DIVISOR_ZERO, d, 0, d, 0);
  bool fits = d && (how & 1 ? divide_signed(hi, lo, d, w, &q, &r) : divide(hi, lo, d, w, &q, &r));
  require_ab(cpu, CHK_QUOTIENT_FITS, fits, 0, hi, d);
  if (!fits) return cpu_leave(cpu, i); /* inverted: there is no quotient */
  set_quotient(cpu, q, r, w);
  NEXT(cpu, i, FORM_X);
}

/* The flags are undefined: processors leave them alone (measured on Intel Xeon). */
INLINE_BODY div_by(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                   handler_fn *slow, bool sign) {
  E_BIND(e, w, form, ACC_READ);
  u64 d = e_get(cpu, i, &e, w, form, ACC_READ), a = reg_get(cpu, RAX, w == W8 ? W16 : w), hi, lo, q, r;
  lo = w == W8 ? (u8)a : a;
  hi = w == W8 ? a >> 8 : reg_get(cpu, RDX, w);
  bool fits = sign ? divide_signed(hi, lo, d, w, &q, &r) : divide(hi, lo, d, w, &q, &r);
  if (unlikely(!fits) || rec_on(cpu)) return divide_judged(cpu, i, hi, lo, d, (unsigned)w << 1 | sign);
  set_quotient(cpu, q, r, w);
  NEXT(cpu, i, form);
}
BODY_LEAN(div_E, div_by, false)
BODY_LEAN(idiv_E, div_by, true)
