/* The rest of what differs between host processors in integer code: shifts, rotates, double shifts,
 * multiplication and bit scans with their status flags, as in base/host.h.
 *
 * On an x86-64 host each is the instruction itself, with the host's own undefined flags. The portable
 * forms hf_c_* are always compiled; tests/unit/hostflags.c compares both. Counts are as the instruction
 * gets them; a count that masks to zero leaves *hf alone.
 * Citation: SDM 2B SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD, MUL, IMUL, BSF, BSR.
 */
#ifndef BASE_HOST_INT_H
#define BASE_HOST_INT_H

#include "base/host.h"

#define HOST_COUNT_MASK(n) ((n) == 64 ? 63u : 31u)

/* ---- portable forms. n: operand bits; a: zero-extended. The undefined OF of counts above 1 is that of a
 * count of 1, as measured on Intel Xeon. ---- */
enum shift_kind { SHIFT_ROL, SHIFT_ROR, SHIFT_RCL, SHIFT_RCR, SHIFT_SHL, SHIFT_SHR, SHIFT_SAR };

static inline u64 hf_c_shift(enum shift_kind k, u64 a, unsigned count, unsigned n, u16 *hf) {
  unsigned c = count & HOST_COUNT_MASK(n), msb = a >> (n - 1) & 1, left = c < n ? c : n;
  u128 v = a;
  bool cf, of;
  if (!c) return a;
  if (k == SHIFT_SHL) {
    v <<= c;
    cf = v >> n & 1;
    of = msb ^ (a >> (n - 2) & 1);
  } else {
    if (k == SHIFT_SAR) v = (u64)sext(a, n);
    cf = (k == SHIFT_SAR ? (u64)((s64)v >> (left - 1)) : (u64)(v >> (c - 1))) & 1;
    of = k == SHIFT_SHR && msb;
    v = k == SHIFT_SAR ? (u64)((s64)v >> (left < 64 ? left : 63)) : (u64)(v >> c);
  }
  *hf = hf_make((u64)v, n, cf, false, of);
  return (u64)v & (~UINT64_C(0) >> (64 - n));
}

/* Rotates change CF and OF alone. */
static inline u64 hf_c_rotate(enum shift_kind k, u64 a, unsigned count, unsigned n, u16 *hf) {
  unsigned carry = *hf >> 8 & 1, msb = a >> (n - 1) & 1, c = count & HOST_COUNT_MASK(n);
  bool through = k == SHIFT_RCL || k == SHIFT_RCR, cf, of;
  unsigned ring = through ? n + 1 : n; /* bits that turn */
  u128 v = through ? (u128)carry << n | a : a, m = ((u128)1 << ring) - 1;
  if (!c || (through && !(c % ring))) return a;
  c %= ring;
  unsigned left = k == SHIFT_ROL || k == SHIFT_RCL ? c : ring - c;
  if (c) v = (v << left | v >> (ring - left)) & m;
  if (through) cf = v >> n & 1;
  else cf = k == SHIFT_ROL ? v & 1 : v >> (n - 1) & 1;
  switch (k) {
    case SHIFT_ROL: case SHIFT_RCL: of = msb ^ (a >> (n - 2) & 1); break;
    case SHIFT_ROR: of = msb ^ (a & 1); break;
    default: of = msb ^ carry;
  }
  *hf = (u16)((*hf & ~(HF_CF | HF_OF)) | (cf ? HF_CF : 0) | (of ? HF_OF : 0));
  return (u64)v & (~UINT64_C(0) >> (64 - n));
}

/* A 16-bit double shift by more than 16 goes on with a copy of the first operand, as measured on Intel
 * Xeon. */
static inline u64 hf_c_shld(u64 a, u64 b, unsigned count, unsigned n, u16 *hf) {
  unsigned c = count & HOST_COUNT_MASK(n);
  u64 m = ~UINT64_C(0) >> (64 - n), r;
  bool cf;
  if (!c) return a;
  if (c <= n) {
    cf = a >> (n - c) & 1;
    r = (c < n ? a << c : 0) | b >> (n - c);
  } else {
    cf = b >> (2 * n - c) & 1;
    r = b << (c - n) | a >> (2 * n - c);
  }
  *hf = hf_make(r, n, cf, false, (a >> (n - 1) ^ a >> (n - 2)) & 1);
  return r & m;
}
static inline u64 hf_c_shrd(u64 a, u64 b, unsigned count, unsigned n, u16 *hf) {
  unsigned c = count & HOST_COUNT_MASK(n);
  u64 m = ~UINT64_C(0) >> (64 - n), r;
  bool cf;
  if (!c) return a;
  if (c <= n) {
    cf = a >> (c - 1) & 1;
    r = (c < n ? a >> c : 0) | b << (n - c);
  } else {
    cf = b >> (c - n - 1) & 1;
    r = b >> (c - n) | a << (2 * n - c);
  }
  *hf = hf_make(r, n, cf, false, (a >> (n - 1) ^ b) & 1);
  return r & m;
}

/* Multiplication: lo and hi are n bits each. CF = OF: the product does not fit in lo. The other flags are
 * undefined: SF and PF as of lo, ZF and AF clear, as measured on Intel Xeon. */
static inline u16 hf_c_mul_flags(u64 lo, unsigned n, bool over) {
  return (u16)(hf_make(lo, n, over, false, over) & ~HF_ZF);
}
static inline u64 hf_c_mul(u64 a, u64 b, unsigned n, u64 *hi, u16 *hf) {
  u128 p = (u128)a * b;
  u64 m = ~UINT64_C(0) >> (64 - n), lo = (u64)p & m;
  *hi = (u64)(p >> n) & m;
  *hf = hf_c_mul_flags(lo, n, *hi != 0);
  return lo;
}
static inline u64 hf_c_imul(u64 a, u64 b, unsigned n, u64 *hi, u16 *hf) {
  s128 p = (s128)sext(a, n) * sext(b, n);
  u64 m = ~UINT64_C(0) >> (64 - n), lo = (u64)p & m;
  *hi = (u64)((u128)p >> n) & m;
  *hf = hf_c_mul_flags(lo, n, p != sext(lo, n));
  return lo;
}

/* Bit scans of a nonzero or zero source; the result of a zero source is 0 here (no register is written).
 * Only ZF is defined: PF is that of the result, or set for a zero source, the rest clear, as measured on
 * Intel Xeon. */
static inline u64 hf_c_bsf(u64 a, u16 *hf) {
  u64 r = a ? (unsigned)__builtin_ctzll(a) : 0;
  *hf = (u16)((hf_make(r, 64, false, false, false) & ~HF_ZF) | (a ? 0 : HF_ZF));
  return r;
}
static inline u64 hf_c_bsr(u64 a, u16 *hf) {
  u64 r = a ? 63 ^ (unsigned)__builtin_clzll(a) : 0;
  *hf = (u16)((hf_make(r, 64, false, false, false) & ~HF_ZF) | (a ? 0 : HF_ZF));
  return r;
}

#if HOST_FLAGS

/* Keeps the old flags by a branch: a conditional move would make each shift wait for the one before. */
#define HOST_UNLESS_ZERO(count, n)             \
  if (unlikely(!(count & HOST_COUNT_MASK(n)))) { \
    f = *hf;                                   \
    __asm__("" : "+r"(f));                     \
  }                                            \
  *hf = f;
/* SHL SHR SAR by a count in CL, and by 1. */
#define HOST_SHIFT(name, insn, n, sfx, reg)                                                  \
  ALWAYS_INLINE u##n host_##name##n(u##n a, unsigned count, u16 *hf) {                       \
    u16 f;                                                                                   \
    __asm__(insn sfx " %%cl, %0\n\tlahf\n\tseto %%al" : "+" reg(a), "=&a"(f) : "c"(count) : "cc"); \
    HOST_UNLESS_ZERO(count, n)                                                               \
    return a;                                                                                \
  }                                                                                          \
  ALWAYS_INLINE u##n host_##name##1_##n(u##n a, u16 *hf) {                                   \
    u16 f;                                                                                   \
    __asm__(insn sfx " $1, %0\n\tlahf\n\tseto %%al" : "+" reg(a), "=&a"(f) : : "cc");        \
    *hf = f;                                                                                 \
    return a;                                                                                \
  }
/* Rotates keep the other flags, and RCL and RCR need CF: the flags go in as they come out. */
#define HOST_FLAGS_IN "addb $127, %%al\n\tsahf\n\t"
#define HOST_ROTATE(name, insn, n, sfx, reg)                                                 \
  ALWAYS_INLINE u##n host_##name##n(u##n a, unsigned count, u16 *hf) {                       \
    u16 f = *hf;                                                                             \
    __asm__(HOST_FLAGS_IN insn sfx " %%cl, %0\n\tlahf\n\tseto %%al"                          \
            : "+&" reg(a), "+a"(f) : "c"(count) : "cc");                                     \
    *hf = f;                                                                                 \
    return a;                                                                                \
  }                                                                                          \
  ALWAYS_INLINE u##n host_##name##1_##n(u##n a, u16 *hf) {                                   \
    u16 f = *hf;                                                                             \
    __asm__(HOST_FLAGS_IN insn sfx " $1, %0\n\tlahf\n\tseto %%al" : "+" reg(a), "+a"(f) : : "cc"); \
    *hf = f;                                                                                 \
    return a;                                                                                \
  }
#define HOST_SHIFT2(name, insn, n, sfx, reg)                                                 \
  ALWAYS_INLINE u##n host_##name##n(u##n a, u##n b, unsigned count, u16 *hf) {               \
    u16 f;                                                                                   \
    __asm__(insn sfx " %%cl, %2, %0\n\tlahf\n\tseto %%al"                                    \
            : "+" reg(a), "=&a"(f) : reg(b), "c"(count) : "cc");                             \
    HOST_UNLESS_ZERO(count, n)                                                               \
    return a;                                                                                \
  }
/* The low half is moved away before LAHF takes AH. */
#define HOST_MUL(name, insn, n, sfx)                                                         \
  ALWAYS_INLINE u##n host_##name##n(u##n a, u##n b, u##n *hi, u16 *hf) {                     \
    u64 f = a;                                                                               \
    u##n lo, h;                                                                              \
    __asm__(insn sfx " %3\n\tmov" sfx " " HOST_A_##n ", %0\n\tlahf\n\tseto %%al"            \
            : "=&r"(lo), "+&a"(f), "=&d"(h) : "r"(b) : "cc");                                \
    *hf = (u16)f;                                                                            \
    *hi = h;                                                                                 \
    return lo;                                                                               \
  }
#define HOST_A_16 "%%ax"
#define HOST_A_32 "%%eax"
#define HOST_A_64 "%%rax"
#define HOST_MUL8(name, insn)                                                                \
  ALWAYS_INLINE u8 host_##name##8(u8 a, u8 b, u8 *hi, u16 *hf) {                             \
    u16 f = a, p;                                                                            \
    __asm__(insn "b %b2\n\tmovw %%ax, %0\n\tlahf\n\tseto %%al" : "=&r"(p), "+&a"(f) : "q"(b) : "cc"); \
    *hf = f;                                                                                 \
    *hi = (u8)(p >> 8);                                                                      \
    return (u8)p;                                                                            \
  }
/* The destination goes in as well: a zero source leaves it (both vendors' processors do). */
#define HOST_SCAN(name, insn, n, sfx, reg)                                                   \
  ALWAYS_INLINE u##n host_##name##n(u##n src, u16 *hf) {                                     \
    u16 f;                                                                                   \
    u##n r = 0;                                                                              \
    __asm__(insn sfx " %2, %0\n\tlahf\n\tseto %%al" : "+r"(r), "=&a"(f) : "r"(src) : "cc");  \
    *hf = f;                                                                                 \
    return r;                                                                                \
  }

#else

#define HOST_SHIFT(name, insn, n, sfx, reg) HOST_C_SHIFT(name, hf_c_shift, n, HOST_KIND_##name)
#define HOST_ROTATE(name, insn, n, sfx, reg) HOST_C_SHIFT(name, hf_c_rotate, n, HOST_KIND_##name)
#define HOST_C_SHIFT(name, fn, n, kind)                                                      \
  ALWAYS_INLINE u##n host_##name##n(u##n a, unsigned count, u16 *hf) {                       \
    return (u##n)fn(kind, a, count, n, hf);                                                  \
  }                                                                                          \
  ALWAYS_INLINE u##n host_##name##1_##n(u##n a, u16 *hf) { return (u##n)fn(kind, a, 1, n, hf); }
#define HOST_KIND_rol SHIFT_ROL
#define HOST_KIND_ror SHIFT_ROR
#define HOST_KIND_rcl SHIFT_RCL
#define HOST_KIND_rcr SHIFT_RCR
#define HOST_KIND_shl SHIFT_SHL
#define HOST_KIND_shr SHIFT_SHR
#define HOST_KIND_sar SHIFT_SAR
#define HOST_SHIFT2(name, insn, n, sfx, reg)                                                 \
  ALWAYS_INLINE u##n host_##name##n(u##n a, u##n b, unsigned count, u16 *hf) {               \
    return (u##n)hf_c_##name(a, b, count, n, hf);                                            \
  }
#define HOST_MUL(name, insn, n, sfx)                                                         \
  ALWAYS_INLINE u##n host_##name##n(u##n a, u##n b, u##n *hi, u16 *hf) {                     \
    u64 h, lo = hf_c_##name(a, b, n, &h, hf);                                                \
    *hi = (u##n)h;                                                                           \
    return (u##n)lo;                                                                         \
  }
#define HOST_MUL8(name, insn) HOST_MUL(name, insn, 8, "b")
#define HOST_SCAN(name, insn, n, sfx, reg) \
  ALWAYS_INLINE u##n host_##name##n(u##n src, u16 *hf) { return (u##n)hf_c_##name(src, hf); }

#endif

#define HOST_WIDTHS_V(M, name, insn) \
  M(name, insn, 16, "w", "r") M(name, insn, 32, "l", "r") M(name, insn, 64, "q", "r")

HOST_WIDTHS(HOST_SHIFT, shl, "shl")
HOST_WIDTHS(HOST_SHIFT, shr, "shr")
HOST_WIDTHS(HOST_SHIFT, sar, "sar")
HOST_WIDTHS(HOST_ROTATE, rol, "rol")
HOST_WIDTHS(HOST_ROTATE, ror, "ror")
HOST_WIDTHS(HOST_ROTATE, rcl, "rcl")
HOST_WIDTHS(HOST_ROTATE, rcr, "rcr")
HOST_WIDTHS_V(HOST_SHIFT2, shld, "shld")
HOST_WIDTHS_V(HOST_SHIFT2, shrd, "shrd")
HOST_MUL8(mul, "mul")
HOST_MUL(mul, "mul", 16, "w")
HOST_MUL(mul, "mul", 32, "l")
HOST_MUL(mul, "mul", 64, "q")
HOST_MUL8(imul, "imul")
HOST_MUL(imul, "imul", 16, "w")
HOST_MUL(imul, "imul", 32, "l")
HOST_MUL(imul, "imul", 64, "q")
HOST_WIDTHS_V(HOST_SCAN, bsf, "bsf")
HOST_WIDTHS_V(HOST_SCAN, bsr, "bsr")

/* Sixteen aligned bytes: stores new_ if they are old. Returns what was there; atomic. */
ALWAYS_INLINE u128 host_cas128(void *p, u128 old, u128 new_) {
#if defined(__x86_64__)
  u64 lo = (u64)old, hi = (u64)(old >> 64);
  __asm__ volatile("lock cmpxchg16b (%2)"
                   : "+a"(lo), "+d"(hi) : "r"(p), "b"((u64)new_), "c"((u64)(new_ >> 64)) : "cc", "memory");
  return (u128)hi << 64 | lo;
#else
  __atomic_compare_exchange_n((u128 *)p, &old, new_, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return old;
#endif
}

/* hi:lo / d; hi < d, so that the quotient fits. */
ALWAYS_INLINE u64 host_div128(u64 hi, u64 lo, u64 d, u64 *rem) {
#if HOST_FLAGS
  __asm__("divq %2" : "+a"(lo), "+d"(hi) : "r"(d) : "cc");
  *rem = hi;
  return lo;
#else
  u128 n = (u128)hi << 64 | lo;
  *rem = (u64)(n % d);
  return (u64)(n / d);
#endif
}

/* IMUL with two or three operands: the low half alone. */
#if HOST_FLAGS
HOST_WIDTHS_V(HOST_OP2, imul2_, "imul")
#else
#define HOST_C2_imul2_(n) HOST_C(imul2_, n, u64 hi; r = hf_c_imul(a, b, n, &hi, hf))
HOST_WIDTHS_V(HOST_OP2, imul2_, "imul")
#endif

#endif
