/* Bit helpers: masks, field extraction, sign extension, unaligned loads and stores. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include <string.h>

#include "base/types.h"

#define BIT(n) (UINT64_C(1) << (n))
/* Bits hi..lo set. */
#define MASK(hi, lo) ((~UINT64_C(0) >> (63 - (hi))) & (~UINT64_C(0) << (lo)))

/* The lowest n (0..64) bits set. */
static inline u64 low_bits(unsigned n) { return n < 64 ? BIT(n) - 1 : ~UINT64_C(0); }

/* Bits hi..lo of v, shifted down. */
static inline u64 bits(u64 v, unsigned hi, unsigned lo) { return (v & MASK(hi, lo)) >> lo; }

/* Sign-extend the low n (1..64) bits of v. */
static inline s64 sext(u64 v, unsigned n) { return (s64)(v << (64 - n)) >> (64 - n); }

/* Is va canonical for an address width of n (48 or 57) bits? SDM 1 3.3.7.1 (Canonical Addressing) */
static inline bool canonical(u64 va, unsigned n) { return (u64)sext(va, n) == va; }

#define DEFINE_LOAD_STORE(n) \
  static inline u##n ld##n(const void *p) { u##n v; memcpy(&v, p, sizeof v); return v; } \
  static inline void st##n(void *p, u##n v) { memcpy(p, &v, sizeof v); }
DEFINE_LOAD_STORE(8)
DEFINE_LOAD_STORE(16)
DEFINE_LOAD_STORE(32)
DEFINE_LOAD_STORE(64)
#undef DEFINE_LOAD_STORE

#endif
