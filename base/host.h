/* What differs between host processors: the arithmetic status flags of an operation, in one 16-bit form.
 *
 * The guest's CF PF AF ZF SF OF live in a "host flags" word (hf):
 *
 *    15 14 13 12 11 10  9  8   7 ........ 0
 *    SF ZF  -  AF  -  PF  -  CF |   OF (0/1)       as LAHF puts them in AH, and SETO in AL
 *
 * On an x86-64 host an operation is `op; lahf; seto %al`, and its undefined flags are the host's own.
 * Elsewhere (or with RW_PORTABLE_FLAGS) the same word is computed in C; tests/unit/hostflags.c compares both.
 * Citation: SDM 1 3.4.3.1 (Status Flags); SDM 2A LAHF.
 */
#ifndef BASE_HOST_H
#define BASE_HOST_H

#include "base/bits.h"

#define HF_OF 0x0001u
#define HF_CF 0x0100u
#define HF_PF 0x0400u
#define HF_AF 0x1000u
#define HF_ZF 0x4000u
#define HF_SF 0x8000u
#define HF_ALL (HF_OF | HF_CF | HF_PF | HF_AF | HF_ZF | HF_SF)

#if defined(__x86_64__) && !defined(RW_PORTABLE_FLAGS)
#define HOST_FLAGS 1
#else
#define HOST_FLAGS 0
#endif

/* The portable form: flags of an addition-like or logical result. carries = carry out of each bit position. */
static inline u16 hf_make(u64 r, unsigned bits_, bool cf, bool af, bool of) {
  u64 m = ~UINT64_C(0) >> (64 - bits_);
  r &= m;
  unsigned f = of ? HF_OF : 0;
  if (cf) f |= HF_CF;
  if (af) f |= HF_AF;
  if (!r) f |= HF_ZF;
  if (r >> (bits_ - 1) & 1) f |= HF_SF;
  if (!__builtin_parity((unsigned)(r & 0xff))) f |= HF_PF;
  return (u16)f;
}

static inline u64 hf_c_add(u64 a, u64 b, unsigned c, unsigned n, u16 *hf) {
  u64 r = a + b + c, carries = (a & b) | ((a | b) & ~r);
  *hf = hf_make(r, n, carries >> (n - 1) & 1, carries >> 3 & 1, ((a ^ r) & (b ^ r)) >> (n - 1) & 1);
  return r;
}

static inline u64 hf_c_sub(u64 a, u64 b, unsigned c, unsigned n, u16 *hf) {
  u64 r = a - b - c, borrows = (~a & b) | ((~a | b) & r);
  *hf = hf_make(r, n, borrows >> (n - 1) & 1, borrows >> 3 & 1, ((a ^ b) & (a ^ r)) >> (n - 1) & 1);
  return r;
}

#if HOST_FLAGS

#define HOST_OP2(name, insn, n, sfx, reg)                                             \
  ALWAYS_INLINE u##n host_##name##n(u##n a, u##n b, u16 *hf) {                        \
    u16 f;                                                                            \
    __asm__(insn sfx " %2, %0\n\tlahf\n\tseto %%al" : "+" reg(a), "=&a"(f) : reg(b) : "cc"); \
    *hf = f;                                                                          \
    return a;                                                                         \
  }
#define HOST_CMP2(name, insn, n, sfx, reg)                                            \
  ALWAYS_INLINE void host_##name##n(u##n a, u##n b, u16 *hf) {                        \
    u16 f;                                                                            \
    __asm__(insn sfx " %2, %1\n\tlahf\n\tseto %%al" : "=&a"(f) : reg(a), reg(b) : "cc"); \
    *hf = f;                                                                          \
  }
/* The carry comes in through bit 8 of the old flags. */
#define HOST_OP2C(name, insn, n, sfx, reg)                                            \
  ALWAYS_INLINE u##n host_##name##n(u##n a, u##n b, u16 *hf) {                        \
    u16 f;                                                                            \
    __asm__("btw $8, %3\n\t" insn sfx " %2, %0\n\tlahf\n\tseto %%al"                  \
            : "+&" reg(a), "=&a"(f) : reg(b), "r"(*hf) : "cc");                       \
    *hf = f;                                                                          \
    return a;                                                                         \
  }
#define HOST_OP1(name, insn, n, sfx, reg)                                             \
  ALWAYS_INLINE u##n host_##name##n(u##n a, u16 *hf) {                                \
    u16 f;                                                                            \
    __asm__(insn sfx " %0\n\tlahf\n\tseto %%al" : "+" reg(a), "=&a"(f) : : "cc");     \
    *hf = f;                                                                          \
    return a;                                                                         \
  }
#define HOST_WIDTHS(M, name, insn) \
  M(name, insn, 8, "b", "q") M(name, insn, 16, "w", "r") M(name, insn, 32, "l", "r") M(name, insn, 64, "q", "r")

#else

#define HOST_C(name, n, expr)                                  \
  ALWAYS_INLINE u##n host_##name##n(u##n a, u##n b, u16 *hf) { \
    u64 r;                                                     \
    expr;                                                      \
    return (u##n)r;                                            \
  }
#define HOST_OP2(name, insn, n, sfx, reg) HOST_C2_##name(n)
#define HOST_OP2C(name, insn, n, sfx, reg) HOST_C2_##name(n)
#define HOST_C2_add(n) HOST_C(add, n, r = hf_c_add(a, b, 0, n, hf))
#define HOST_C2_sub(n) HOST_C(sub, n, r = hf_c_sub(a, b, 0, n, hf))
#define HOST_C2_adc(n) HOST_C(adc, n, r = hf_c_add(a, b, *hf >> 8 & 1, n, hf))
#define HOST_C2_sbb(n) HOST_C(sbb, n, r = hf_c_sub(a, b, *hf >> 8 & 1, n, hf))
#define HOST_C2_and(n) HOST_C(and, n, r = a & b; *hf = hf_make(r, n, 0, 0, 0))
#define HOST_C2_or(n) HOST_C(or, n, r = a | b; *hf = hf_make(r, n, 0, 0, 0))
#define HOST_C2_xor(n) HOST_C(xor, n, r = a ^ b; *hf = hf_make(r, n, 0, 0, 0))
#define HOST_CMP2(name, insn, n, sfx, reg)                                                                 \
  ALWAYS_INLINE void host_##name##n(u##n a, u##n b, u16 *hf) {                                             \
    if (sizeof #name == sizeof "cmp" && #name[0] == 'c') hf_c_sub(a, b, 0, n, hf);                         \
    else *hf = hf_make(a & b, n, 0, 0, 0);                                                                 \
  }
#define HOST_OP1(name, insn, n, sfx, reg) HOST_C1_##name(n)
#define HOST_C1(name, n, expr)                          \
  ALWAYS_INLINE u##n host_##name##n(u##n a, u16 *hf) {  \
    return (u##n)(expr);                                \
  }
#define HOST_C1_neg(n) HOST_C1(neg, n, hf_c_sub(0, a, 0, n, hf))
#define HOST_C1_inc(n) HOST_C1(inc, n, hf_c_add(a, 1, 0, n, hf))
#define HOST_C1_dec(n) HOST_C1(dec, n, hf_c_sub(a, 1, 0, n, hf))
#define HOST_WIDTHS(M, name, insn) \
  M(name, insn, 8, "b", "q") M(name, insn, 16, "w", "r") M(name, insn, 32, "l", "r") M(name, insn, 64, "q", "r")

#endif

HOST_WIDTHS(HOST_OP2, add, "add")
HOST_WIDTHS(HOST_OP2, sub, "sub")
HOST_WIDTHS(HOST_OP2, and, "and")
HOST_WIDTHS(HOST_OP2, or, "or")
HOST_WIDTHS(HOST_OP2, xor, "xor")
HOST_WIDTHS(HOST_OP2C, adc, "adc")
HOST_WIDTHS(HOST_OP2C, sbb, "sbb")
HOST_WIDTHS(HOST_CMP2, cmp, "cmp")
HOST_WIDTHS(HOST_CMP2, test, "test")
HOST_WIDTHS(HOST_OP1, neg, "neg")
HOST_WIDTHS(HOST_OP1, inc, "inc")
HOST_WIDTHS(HOST_OP1, dec, "dec")

/* EFLAGS' status bits <-> the host flags word. INC and DEC of the caller keep CF by merging HF_CF. */
static inline u32 hf_to_eflags(u16 hf) { return (u32)(hf >> 8 & 0xd5u) | (hf & 1u) << 11; }
static inline u16 hf_from_eflags(u32 ef) { return (u16)((ef & 0xd5u) << 8 | (ef >> 11 & 1u)); }

#endif
