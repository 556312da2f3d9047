/* The packed-integer operations that MMX and SSE2 share: one definition serves both register files. SDM 1
 * 9.4 (MMX Instructions), 11.4.2 (SSE2 64-Bit and 128-Bit SIMD Integer Instructions).
 *
 * An MMX operation is the low half of the 128-bit one. Operations for which that is not so (packs, high
 * unpacks) are written where they are used. */
#ifndef CPU_SIMD_INT_H
#define CPU_SIMD_INT_H

#include "cpu/simd.h"

/* OP(name, expression in a (destination) and b (source)) */
#define SIMD_INT_OPS(OP)               \
  OP(paddb, _mm_add_epi8(a, b))        \
  OP(paddw, _mm_add_epi16(a, b))       \
  OP(paddsb, _mm_adds_epi8(a, b))      \
  OP(paddsw, _mm_adds_epi16(a, b))     \
  OP(paddusb, _mm_adds_epu8(a, b))     \
  OP(paddusw, _mm_adds_epu16(a, b))    \
  OP(psubb, _mm_sub_epi8(a, b))        \
  OP(psubw, _mm_sub_epi16(a, b))       \
  OP(psubq, _mm_sub_epi64(a, b))       \
  OP(psubsb, _mm_subs_epi8(a, b))      \
  OP(psubsw, _mm_subs_epi16(a, b))     \
  OP(psubusb, _mm_subs_epu8(a, b))     \
  OP(psubusw, _mm_subs_epu16(a, b))    \
  OP(pmaddwd, _mm_madd_epi16(a, b))    \
  OP(pmulhw, _mm_mulhi_epi16(a, b))    \
  OP(pmullw, _mm_mullo_epi16(a, b))    \
  OP(pmulhuw, _mm_mulhi_epu16(a, b))   \
  OP(pmuludq, _mm_mul_epu32(a, b))     \
  OP(psadbw, _mm_sad_epu8(a, b))       \
  OP(pavgb, _mm_avg_epu8(a, b))        \
  OP(pavgw, _mm_avg_epu16(a, b))       \
  OP(pminsw, _mm_min_epi16(a, b))      \
  OP(pmaxub, _mm_max_epu8(a, b))       \
  OP(pmaxsw, _mm_max_epi16(a, b))      \
  OP(pcmpeqw, _mm_cmpeq_epi16(a, b))   \
  OP(pcmpgtb, _mm_cmpgt_epi8(a, b))    \
  OP(pcmpgtw, _mm_cmpgt_epi16(a, b))   \
  OP(psllw, _mm_sll_epi16(a, b))       \
  OP(pslld, _mm_sll_epi32(a, b))       \
  OP(psllq, _mm_sll_epi64(a, b))       \
  OP(psrlw, _mm_srl_epi16(a, b))       \
  OP(psrld, _mm_srl_epi32(a, b))       \
  OP(psrlq, _mm_srl_epi64(a, b))       \
  OP(psraw, _mm_sra_epi16(a, b))       \
  OP(psrad, _mm_sra_epi32(a, b))
/* Those that compiled loops are full of: more memory forms. */
#define SIMD_INT_HOT_OPS(OP)           \
  OP(paddd, _mm_add_epi32(a, b))       \
  OP(paddq, _mm_add_epi64(a, b))       \
  OP(psubd, _mm_sub_epi32(a, b))       \
  OP(pand, _mm_and_si128(a, b))        \
  OP(pandn, _mm_andnot_si128(a, b))    \
  OP(por, _mm_or_si128(a, b))          \
  OP(pxor, _mm_xor_si128(a, b))        \
  OP(pminub, _mm_min_epu8(a, b))       \
  OP(pcmpeqb, _mm_cmpeq_epi8(a, b))    \
  OP(pcmpeqd, _mm_cmpeq_epi32(a, b))   \
  OP(pcmpgtd, _mm_cmpgt_epi32(a, b))

#define SIMD_OP(name, expr) \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) { \
    (void)a, (void)b, (void)imm; \
    return (expr); \
  }
SIMD_INT_OPS(SIMD_OP)
SIMD_INT_HOT_OPS(SIMD_OP)
SIMD_OP(punpckl_bw, _mm_unpacklo_epi8(a, b))
SIMD_OP(punpckl_wd, _mm_unpacklo_epi16(a, b))
SIMD_OP(punpckl_dq, _mm_unpacklo_epi32(a, b))
SIMD_OP(src, b)

/* Shifts by an immediate: the count is the low 64 bits of b. */
#define SIMD_SHIFT_OPS(OP) OP(psllw) OP(pslld) OP(psllq) OP(psrlw) OP(psrld) OP(psrlq) OP(psraw) OP(psrad)

/* Word n (masked by the caller) replaced. */
ALWAYS_INLINE u64 word_insert(u64 q, unsigned n, u16 v) {
  return (q & ~((u64)0xffff << 16 * n)) | (u64)v << 16 * n;
}
/* Four words of v, from the low or high half, picked by imm, two bits each. */
union word_lanes {
  __m128i v;
  u16 w[8];
};
#define SHUFFLE_WORDS(v_, imm, first)                                               \
  union word_lanes l = {.v = (v_)};                                                 \
  __m128i r = (v_);                                                                 \
  r = _mm_insert_epi16(r, l.w[(first) + ((imm) & 3)], (first));                     \
  r = _mm_insert_epi16(r, l.w[(first) + ((imm) >> 2 & 3)], (first) + 1);            \
  r = _mm_insert_epi16(r, l.w[(first) + ((imm) >> 4 & 3)], (first) + 2);            \
  return _mm_insert_epi16(r, l.w[(first) + ((imm) >> 6 & 3)], (first) + 3)
ALWAYS_INLINE __m128i shuffle_low_words(__m128i v, unsigned imm) { SHUFFLE_WORDS(v, imm, 0); }
ALWAYS_INLINE __m128i shuffle_high_words(__m128i v, unsigned imm) { SHUFFLE_WORDS(v, imm, 4); }
SIMD_OP(pshuflw, shuffle_low_words(b, imm))

#endif
