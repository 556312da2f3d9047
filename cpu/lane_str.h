/* The string comparisons of SSE4.2 on one lane. SDM 2B 4.1 (Imm8 Control Byte Operation for
 * PCMPESTRI/PCMPESTRM/PCMPISTRI/PCMPISTRM).
 *
 *   imm bit 0: words, not bytes   1: signed   2, 3: any, ranges, each, ordered   4: complement
 *       5: of what is valid only  6: the last index, not the first; a mask of elements, not of bits */
#ifndef CPU_LANE_STR_H
#define CPU_LANE_STR_H

#include "base/host.h"
#include "cpu/lane_soft.h"

ALWAYS_INLINE unsigned string_elements(unsigned imm) { return imm & 1 ? 8 : 16; }

/* Valid elements of an operand: up to a zero; or as many as a register of 32 or 64 bits says, sign ignored. */
ALWAYS_INLINE unsigned string_length_implicit(__m128i v, unsigned imm) {
  const __m128i zero = _mm_setzero_si128();
  __m128i end = imm & 1 ? _mm_cmpeq_epi16(v, zero) : _mm_cmpeq_epi8(v, zero);
  return (unsigned)__builtin_ctz((unsigned)_mm_movemask_epi8(end) | 0x10000) >> (imm & 1);
}
ALWAYS_INLINE unsigned string_length_explicit(u64 reg, bool wide, unsigned imm) {
  u64 v = wide ? reg : (u64)(s64)(s32)reg, n = string_elements(imm);
  if (v >> 63) v = -v;
  return (unsigned)(v < n ? v : n);
}

#ifdef __SSE4_2__
#define STRING_CASE(n) \
  case n: return (u32)_mm_cvtsi128_si32(_mm_cmpestrm(a, (int)na, b, (int)nb, n));
ALWAYS_INLINE u32 string_compare(__m128i a, unsigned na, __m128i b, unsigned nb, unsigned imm) {
  switch (imm & 15) {
    STRING_CASE(0) STRING_CASE(1) STRING_CASE(2) STRING_CASE(3) STRING_CASE(4) STRING_CASE(5) STRING_CASE(6)
    STRING_CASE(7) STRING_CASE(8) STRING_CASE(9) STRING_CASE(10) STRING_CASE(11) STRING_CASE(12) STRING_CASE(13)
    STRING_CASE(14) STRING_CASE(15)
  }
  __builtin_unreachable();
}
#else
/* The host's own instruction where it has it. */
#define STRING_CASE(n)                                                                                          \
  case n: __asm__("pcmpestrm $" #n ", %1, %2" : "=Yz"(r) : "x"(b), "x"(a), "a"(na), "d"(nb) : "ecx", "cc"); break;
ALWAYS_INLINE u32 string_compare(__m128i a, unsigned na, __m128i b, unsigned nb, unsigned imm) {
  __m128i r = a;
  if (unlikely(!__builtin_cpu_supports("sse4.2"))) return soft_string_compare(a, na, b, nb, imm);
  switch (imm & 15) {
    STRING_CASE(0) STRING_CASE(1) STRING_CASE(2) STRING_CASE(3) STRING_CASE(4) STRING_CASE(5) STRING_CASE(6)
    STRING_CASE(7) STRING_CASE(8) STRING_CASE(9) STRING_CASE(10) STRING_CASE(11) STRING_CASE(12) STRING_CASE(13)
    STRING_CASE(14) STRING_CASE(15)
  }
  return (u32)_mm_cvtsi128_si32(r);
}
#endif

/* IntRes2, one bit for each element. */
ALWAYS_INLINE u32 string_result(__m128i a, unsigned na, __m128i b, unsigned nb, unsigned imm) {
  u32 r = string_compare(a, na, b, nb, imm), all = imm & 1 ? 0xff : 0xffff;
  return imm & 0x10 ? r ^ (imm & 0x20 ? (1u << nb) - 1 : all) : r;
}
ALWAYS_INLINE u32 string_index(u32 r, unsigned imm) {
  if (!r) return string_elements(imm);
  return (u32)(imm & 0x40 ? 31 - __builtin_clz(r) : __builtin_ctz(r));
}
ALWAYS_INLINE __m128i string_mask(u32 r, unsigned imm) {
  if (!(imm & 0x40)) return _mm_cvtsi32_si128((int)r);
  if (imm & 1) return lane_mask_w(r);
  const __m128i bit = _mm_set1_epi64x((s64)0x8040201008040201);
  __m128i bytes = _mm_set_epi64x((s64)((r >> 8) * UINT64_C(0x0101010101010101)),
                                 (s64)((r & 0xff) * UINT64_C(0x0101010101010101)));
  return _mm_cmpeq_epi8(_mm_and_si128(bytes, bit), bit);
}
/* CF: a result; ZF, SF: b, a has an end; OF: the result's first bit. */
ALWAYS_INLINE u16 string_flags(u32 r, unsigned na, unsigned nb, unsigned imm) {
  unsigned n = string_elements(imm);
  return (u16)((r ? HF_CF : 0) | (nb < n ? HF_ZF : 0) | (na < n ? HF_SF : 0) | (r & 1 ? HF_OF : 0));
}

#endif
