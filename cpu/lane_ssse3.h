/* Lane operations of SSSE3. SDM 1 12.6 (SSSE3 Instructions). */
#ifndef CPU_LANE_SSSE3_H
#define CPU_LANE_SSSE3_H

#include "cpu/lane_int.h"

#ifdef __SSSE3__
SIMD_OP(pshufb, _mm_shuffle_epi8(a, b))
SIMD_OP(phaddw, _mm_hadd_epi16(a, b))
SIMD_OP(phaddd, _mm_hadd_epi32(a, b))
SIMD_OP(phaddsw, _mm_hadds_epi16(a, b))
SIMD_OP(phsubw, _mm_hsub_epi16(a, b))
SIMD_OP(phsubd, _mm_hsub_epi32(a, b))
SIMD_OP(phsubsw, _mm_hsubs_epi16(a, b))
SIMD_OP(pmaddubsw, _mm_maddubs_epi16(a, b))
SIMD_OP(pmulhrsw, _mm_mulhrs_epi16(a, b))
SIMD_OP(psignb, _mm_sign_epi8(a, b))
SIMD_OP(psignw, _mm_sign_epi16(a, b))
SIMD_OP(psignd, _mm_sign_epi32(a, b))
SIMD_OP(pabsb, _mm_abs_epi8(b))
SIMD_OP(pabsw, _mm_abs_epi16(b))
SIMD_OP(pabsd, _mm_abs_epi32(b))
/* Bytes n to n + 15 of a above b; what lies beyond is zero. */
ALWAYS_INLINE __m128i lane_align(__m128i a, __m128i b, unsigned n) {
  if (n > 32) n = 32;
  return _mm_or_si128(lane_move_bytes(b, n < 16 ? 16 + n : 32), lane_move_bytes(a, n));
}
#else
ALWAYS_INLINE __m128i shuffle_bytes(__m128i a, __m128i b) {
  union lanes v = {.v = a}, n = {.v = b}, r;
  for (unsigned k = 0; k < 16; k++) r.b[k] = n.b[k] & 0x80 ? 0 : v.b[n.b[k] & 15];
  return r.v;
}
/* The host's own instruction where it has it: this one is in the loops of everything from string functions to codecs. */
ALWAYS_INLINE __m128i shuffle_bytes_on_host(__m128i a, __m128i b) {
  if (unlikely(!__builtin_cpu_supports("ssse3"))) return shuffle_bytes(a, b);
  __asm__("pshufb %1, %0" : "+x"(a) : "x"(b));
  return a;
}
SIMD_OP(pshufb, shuffle_bytes_on_host(a, b))

/* Elements of even and odd number of two lanes as one. */
ALWAYS_INLINE __m128i even_words(__m128i a, __m128i b) {
  return _mm_packs_epi32(_mm_srai_epi32(_mm_slli_epi32(a, 16), 16), _mm_srai_epi32(_mm_slli_epi32(b, 16), 16));
}
ALWAYS_INLINE __m128i odd_words(__m128i a, __m128i b) {
  return _mm_packs_epi32(_mm_srai_epi32(a, 16), _mm_srai_epi32(b, 16));
}
#define DWORDS_OF(a, b, which) \
  _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), (which)))
SIMD_OP(phaddw, _mm_add_epi16(even_words(a, b), odd_words(a, b)))
SIMD_OP(phaddd, _mm_add_epi32(DWORDS_OF(a, b, 0x88), DWORDS_OF(a, b, 0xdd)))
SIMD_OP(phaddsw, _mm_adds_epi16(even_words(a, b), odd_words(a, b)))
SIMD_OP(phsubw, _mm_sub_epi16(even_words(a, b), odd_words(a, b)))
SIMD_OP(phsubd, _mm_sub_epi32(DWORDS_OF(a, b, 0x88), DWORDS_OF(a, b, 0xdd)))
SIMD_OP(phsubsw, _mm_subs_epi16(even_words(a, b), odd_words(a, b)))

/* Unsigned bytes of a by signed bytes of b: no product overflows 16 bits. */
ALWAYS_INLINE __m128i multiply_bytes(__m128i a, __m128i b) {
  __m128i even = _mm_mullo_epi16(_mm_and_si128(a, _mm_set1_epi16(0xff)), _mm_srai_epi16(_mm_slli_epi16(b, 8), 8));
  __m128i odd = _mm_mullo_epi16(_mm_srli_epi16(a, 8), _mm_srai_epi16(b, 8));
  return _mm_adds_epi16(even, odd);
}
SIMD_OP(pmaddubsw, multiply_bytes(a, b))

/* ((product >> 14) + 1) >> 1, the low 16 bits. */
ALWAYS_INLINE __m128i round_product(__m128i p) {
  p = _mm_srai_epi32(_mm_add_epi32(_mm_srai_epi32(p, 14), _mm_set1_epi32(1)), 1);
  return _mm_srai_epi32(_mm_slli_epi32(p, 16), 16);
}
ALWAYS_INLINE __m128i multiply_round(__m128i a, __m128i b) {
  __m128i lo = _mm_mullo_epi16(a, b), hi = _mm_mulhi_epi16(a, b);
  return _mm_packs_epi32(round_product(_mm_unpacklo_epi16(lo, hi)), round_product(_mm_unpackhi_epi16(lo, hi)));
}
SIMD_OP(pmulhrsw, multiply_round(a, b))

/* a with its sign changed where b is negative, zero where b is zero. */
#define LANE_SIGN(bits_, sub)                                                       \
  ALWAYS_INLINE __m128i apply_sign##bits_(__m128i a, __m128i b) {                   \
    const __m128i zero = _mm_setzero_si128();                                       \
    __m128i minus = _mm_cmpgt_epi##bits_(zero, b);                                  \
    return _mm_andnot_si128(_mm_cmpeq_epi##bits_(b, zero), sub(_mm_xor_si128(a, minus), minus)); \
  }                                                                                 \
  ALWAYS_INLINE __m128i absolute##bits_(__m128i b) {                                \
    __m128i minus = _mm_cmpgt_epi##bits_(_mm_setzero_si128(), b);                   \
    return sub(_mm_xor_si128(b, minus), minus);                                     \
  }
LANE_SIGN(8, _mm_sub_epi8)
LANE_SIGN(16, _mm_sub_epi16)
LANE_SIGN(32, _mm_sub_epi32)
SIMD_OP(psignb, apply_sign8(a, b))
SIMD_OP(psignw, apply_sign16(a, b))
SIMD_OP(psignd, apply_sign32(a, b))
SIMD_OP(pabsb, absolute8(b))
SIMD_OP(pabsw, absolute16(b))
SIMD_OP(pabsd, absolute32(b))

ALWAYS_INLINE __m128i lane_align(__m128i a, __m128i b, unsigned n) {
  if (n == 0) return b;
  if (n < 16) return lane_from_u128(lane_u128(b) >> 8 * n | lane_u128(a) << 8 * (16 - n));
  return n < 32 ? lane_from_u128(lane_u128(a) >> 8 * (n - 16)) : _mm_setzero_si128();
}
#endif
SIMD_OP(palignr, lane_align(a, b, imm))

/* ---- the 64-bit forms that are not the low half ---- */
SIMD_OP(mmx_pshufb, op_pshufb(a, _mm_and_si128(b, _mm_set1_epi8((char)0x87)), 0))
SIMD_OP(mmx_palignr, lane_align(_mm_setzero_si128(), lane_join(b, a), imm))
#define MMX_ACROSS(name) SIMD_OP(mmx_##name, op_##name(lane_join(a, b), a, 0))
MMX_ACROSS(phaddw)
MMX_ACROSS(phaddd)
MMX_ACROSS(phaddsw)
MMX_ACROSS(phsubw)
MMX_ACROSS(phsubd)
MMX_ACROSS(phsubsw)
#undef MMX_ACROSS

#endif
