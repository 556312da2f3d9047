/* Lane operations of SSE4.1's and SSE4.2's integer instructions, blends and insertions. SDM 1 12.10 (SSE4.1
 * Instruction Set), 12.11 (SSE4.2 Instruction Set). */
#ifndef CPU_LANE_SSE41_H
#define CPU_LANE_SSE41_H

#include "cpu/lane_ssse3.h"

/* ---- blends ---- */
SIMD_OP(pblendw, lane_select(a, b, lane_mask_w(imm)))
SIMD_OP(blendps, lane_select(a, b, lane_mask_d(imm)))
SIMD_OP(blendpd, lane_select(a, b, lane_mask_q(imm)))

/* ---- insertion ---- */
/* The dword of b that imm's upper two bits name to the place that the next two name; zeros where the low four
 * bits say. From memory there is but one dword: the caller clears the upper two. */
ALWAYS_INLINE __m128i insert_single(__m128i a, __m128i b, unsigned imm) {
  union lanes v = {.v = b};
  __m128i r = lane_select(a, _mm_set1_epi32(v.sd[imm >> 6 & 3]), lane_mask_d(1u << (imm >> 4 & 3)));
  return _mm_andnot_si128(lane_mask_d(imm), r);
}
SIMD_OP(insertps, insert_single(a, b, imm))
SIMD_OP(insertps_mem, insert_single(a, b, imm & 0x3f))

#ifdef __SSE4_1__
SIMD_OP3(pblendvb, _mm_blendv_epi8(a, b, c))
SIMD_OP3(blendvps, _mm_castps_si128(_mm_blendv_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b), _mm_castsi128_ps(c))))
SIMD_OP3(blendvpd, _mm_castpd_si128(_mm_blendv_pd(_mm_castsi128_pd(a), _mm_castsi128_pd(b), _mm_castsi128_pd(c))))
SIMD_OP(packusdw, _mm_packus_epi32(a, b))
SIMD_OP(pcmpeqq, _mm_cmpeq_epi64(a, b))
SIMD_OP(phminposuw, _mm_minpos_epu16(b))
SIMD_OP(pmaxsb, _mm_max_epi8(a, b))
SIMD_OP(pmaxsd, _mm_max_epi32(a, b))
SIMD_OP(pmaxuw, _mm_max_epu16(a, b))
SIMD_OP(pmaxud, _mm_max_epu32(a, b))
SIMD_OP(pminsb, _mm_min_epi8(a, b))
SIMD_OP(pminsd, _mm_min_epi32(a, b))
SIMD_OP(pminuw, _mm_min_epu16(a, b))
SIMD_OP(pminud, _mm_min_epu32(a, b))
SIMD_OP(pmuldq, _mm_mul_epi32(a, b))
SIMD_OP(pmulld, _mm_mullo_epi32(a, b))
SIMD_OP(pmovsxbw, _mm_cvtepi8_epi16(b))
SIMD_OP(pmovsxbd, _mm_cvtepi8_epi32(b))
SIMD_OP(pmovsxbq, _mm_cvtepi8_epi64(b))
SIMD_OP(pmovsxwd, _mm_cvtepi16_epi32(b))
SIMD_OP(pmovsxwq, _mm_cvtepi16_epi64(b))
SIMD_OP(pmovsxdq, _mm_cvtepi32_epi64(b))
ALWAYS_INLINE __m128i sums_of_differences(__m128i a, __m128i b, unsigned imm) {
  __m128i block = shuffle_dwords(b, b, imm & 3);
  return _mm_mpsadbw_epu8(imm & 4 ? _mm_srli_si128(a, 4) : a, block, 0);
}
#else
/* Whether elements' signs are set, as masks. */
ALWAYS_INLINE __m128i sign_bytes(__m128i v) { return _mm_cmpgt_epi8(_mm_setzero_si128(), v); }
ALWAYS_INLINE __m128i sign_words(__m128i v) { return _mm_srai_epi16(v, 15); }
ALWAYS_INLINE __m128i sign_dwords(__m128i v) { return _mm_srai_epi32(v, 31); }
ALWAYS_INLINE __m128i sign_qwords(__m128i v) { return _mm_shuffle_epi32(_mm_srai_epi32(v, 31), 0xf5); }

SIMD_OP3(pblendvb, lane_select(a, b, sign_bytes(c)))
SIMD_OP3(blendvps, lane_select(a, b, sign_dwords(c)))
SIMD_OP3(blendvpd, lane_select(a, b, sign_qwords(c)))

/* Saturated to 0..FFFFh, and 8000h taken off for the signed pack. */
ALWAYS_INLINE __m128i clamp_dwords(__m128i v) {
  v = _mm_andnot_si128(sign_dwords(v), v);
  v = lane_select(v, _mm_set1_epi32(0xffff), _mm_cmpgt_epi32(v, _mm_set1_epi32(0xffff)));
  return _mm_sub_epi32(v, _mm_set1_epi32(0x8000));
}
SIMD_OP(packusdw, _mm_xor_si128(_mm_packs_epi32(clamp_dwords(a), clamp_dwords(b)), _mm_set1_epi16((short)0x8000)))

ALWAYS_INLINE __m128i equal_qwords(__m128i a, __m128i b) {
  __m128i e = _mm_cmpeq_epi32(a, b);
  return _mm_and_si128(e, _mm_shuffle_epi32(e, 0xb1));
}
SIMD_OP(pcmpeqq, equal_qwords(a, b))

ALWAYS_INLINE __m128i least_word(__m128i b) {
  union lanes v = {.v = b}, r = {.q = {0, 0}};
  unsigned n = 0;
  for (unsigned k = 1; k < 8; k++)
    if (v.w[k] < v.w[n]) n = k;
  r.w[0] = v.w[n];
  r.w[1] = (u16)n;
  return r.v;
}
SIMD_OP(phminposuw, least_word(b))

/* a > b of unsigned doublewords, as a mask. */
ALWAYS_INLINE __m128i above_dwords(__m128i a, __m128i b) {
  const __m128i top = _mm_set1_epi32((int)0x80000000);
  return _mm_cmpgt_epi32(_mm_xor_si128(a, top), _mm_xor_si128(b, top));
}
SIMD_OP(pmaxsb, lane_select(b, a, _mm_cmpgt_epi8(a, b)))
SIMD_OP(pmaxsd, lane_select(b, a, _mm_cmpgt_epi32(a, b)))
SIMD_OP(pmaxuw, _mm_add_epi16(b, _mm_subs_epu16(a, b)))
SIMD_OP(pmaxud, lane_select(b, a, above_dwords(a, b)))
SIMD_OP(pminsb, lane_select(a, b, _mm_cmpgt_epi8(a, b)))
SIMD_OP(pminsd, lane_select(a, b, _mm_cmpgt_epi32(a, b)))
SIMD_OP(pminuw, _mm_sub_epi16(a, _mm_subs_epu16(a, b)))
SIMD_OP(pminud, lane_select(a, b, above_dwords(a, b)))

/* The signed product is the unsigned one less each factor, 32 bits up, where the other is negative. */
ALWAYS_INLINE __m128i multiply_signed(__m128i a, __m128i b) {
  __m128i less = _mm_add_epi32(_mm_and_si128(sign_dwords(a), b), _mm_and_si128(sign_dwords(b), a));
  return _mm_sub_epi64(_mm_mul_epu32(a, b), _mm_slli_epi64(less, 32));
}
SIMD_OP(pmuldq, multiply_signed(a, b))
ALWAYS_INLINE __m128i multiply_dwords(__m128i a, __m128i b) {
  __m128i even = _mm_mul_epu32(a, b), odd = _mm_mul_epu32(_mm_srli_epi64(a, 32), _mm_srli_epi64(b, 32));
  return _mm_unpacklo_epi32(_mm_shuffle_epi32(even, 0x08), _mm_shuffle_epi32(odd, 0x08));
}
SIMD_OP(pmulld, multiply_dwords(a, b))

ALWAYS_INLINE __m128i widen_bw(__m128i v) { return _mm_unpacklo_epi8(v, sign_bytes(v)); }
ALWAYS_INLINE __m128i widen_wd(__m128i v) { return _mm_unpacklo_epi16(v, sign_words(v)); }
ALWAYS_INLINE __m128i widen_dq(__m128i v) { return _mm_unpacklo_epi32(v, sign_dwords(v)); }
SIMD_OP(pmovsxbw, widen_bw(b))
SIMD_OP(pmovsxbd, widen_wd(widen_bw(b)))
SIMD_OP(pmovsxbq, widen_dq(widen_wd(widen_bw(b))))
SIMD_OP(pmovsxwd, widen_wd(b))
SIMD_OP(pmovsxwq, widen_dq(widen_wd(b)))
SIMD_OP(pmovsxdq, widen_dq(b))

/* Eight sums over four neighbours of a, each against the same four bytes of b. */
ALWAYS_INLINE __m128i sums_of_differences(__m128i a, __m128i b, unsigned imm) {
  union lanes x = {.v = a}, y = {.v = b}, r;
  const u8 *from = x.b + (imm & 4), *block = y.b + 4 * (imm & 3);
  for (unsigned k = 0; k < 8; k++) {
    unsigned sum = 0;
    for (unsigned n = 0; n < 4; n++)
      sum += from[k + n] > block[n] ? (unsigned)(from[k + n] - block[n]) : (unsigned)(block[n] - from[k + n]);
    r.w[k] = (u16)sum;
  }
  return r.v;
}
#endif
SIMD_OP(mpsadbw, sums_of_differences(a, b, imm))

#define ZERO _mm_setzero_si128()
SIMD_OP(pmovzxbw, _mm_unpacklo_epi8(b, ZERO))
SIMD_OP(pmovzxbd, _mm_unpacklo_epi16(_mm_unpacklo_epi8(b, ZERO), ZERO))
SIMD_OP(pmovzxbq, _mm_unpacklo_epi32(_mm_unpacklo_epi16(_mm_unpacklo_epi8(b, ZERO), ZERO), ZERO))
SIMD_OP(pmovzxwd, _mm_unpacklo_epi16(b, ZERO))
SIMD_OP(pmovzxwq, _mm_unpacklo_epi32(_mm_unpacklo_epi16(b, ZERO), ZERO))
SIMD_OP(pmovzxdq, _mm_unpacklo_epi32(b, ZERO))
#undef ZERO

#ifdef __SSE4_2__
SIMD_OP(pcmpgtq, _mm_cmpgt_epi64(a, b))
#else
/* Where the upper halves are equal, b - a borrows from them if the lower half of a is greater. */
ALWAYS_INLINE __m128i greater_qwords(__m128i a, __m128i b) {
  __m128i r = _mm_and_si128(_mm_cmpeq_epi32(a, b), _mm_sub_epi64(b, a));
  r = _mm_or_si128(r, _mm_cmpgt_epi32(a, b));
  return _mm_shuffle_epi32(_mm_srai_epi32(r, 31), 0xf5);
}
SIMD_OP(pcmpgtq, greater_qwords(a, b))
#endif

/* PTEST, and the 256-bit forms by parts: is b & a, is b & ~a without a bit? */
ALWAYS_INLINE bool lane_is_zero(__m128i v) {
  return _mm_movemask_epi8(_mm_cmpeq_epi8(v, _mm_setzero_si128())) == 0xffff;
}

#endif
