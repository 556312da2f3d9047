/* Lane operations of MMX and SSE2 integer instructions, and of SSE's and SSE2's shuffles. SDM 1 9.4 (MMX
 * Instructions), 10.4.2 (SSE Logical, Shuffle, and Unpack Instructions), 11.4.2 (SSE2 64-Bit and 128-Bit SIMD
 * Integer Instructions).
 *
 * An MMX operation is the low half of the 128-bit one. Those for which that is not so (packs, high unpacks,
 * operations across elements) are op_mmx_NAME. */
#ifndef CPU_LANE_INT_H
#define CPU_LANE_INT_H

#include "cpu/lane.h"

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
SIMD_INT_OPS(SIMD_OP)
SIMD_INT_HOT_OPS(SIMD_OP)
SIMD_OP(src, b)

/* Shifts by an immediate: the count is the low 64 bits of b. */
#define SIMD_SHIFT_OPS(OP) OP(psllw) OP(pslld) OP(psllq) OP(psrlw) OP(psrld) OP(psrlq) OP(psraw) OP(psrad)

/* ---- unpacks and packs. They serve UNPCKLPS and its family too ---- */
SIMD_OP(punpckl_bw, _mm_unpacklo_epi8(a, b))
SIMD_OP(punpckl_wd, _mm_unpacklo_epi16(a, b))
SIMD_OP(punpckl_dq, _mm_unpacklo_epi32(a, b))
#define SIMD_XMM_OPS(OP)                    \
  OP(punpckhbw, _mm_unpackhi_epi8(a, b))    \
  OP(punpckhwd, _mm_unpackhi_epi16(a, b))   \
  OP(punpckhdq, _mm_unpackhi_epi32(a, b))   \
  OP(punpckhqdq, _mm_unpackhi_epi64(a, b))  \
  OP(punpcklqdq, _mm_unpacklo_epi64(a, b))  \
  OP(packsswb, _mm_packs_epi16(a, b))       \
  OP(packssdw, _mm_packs_epi32(a, b))       \
  OP(packuswb, _mm_packus_epi16(a, b))
SIMD_XMM_OPS(SIMD_OP)
/* The upper half of the 128-bit low unpack interleaves the upper halves of the 64-bit operands. */
SIMD_OP(mmx_punpckhbw, _mm_srli_si128(_mm_unpacklo_epi8(a, b), 8))
SIMD_OP(mmx_punpckhwd, _mm_srli_si128(_mm_unpacklo_epi16(a, b), 8))
SIMD_OP(mmx_punpckhdq, _mm_srli_si128(_mm_unpacklo_epi32(a, b), 8))
SIMD_OP(mmx_packsswb, _mm_packs_epi16(lane_join(a, b), a))
SIMD_OP(mmx_packssdw, _mm_packs_epi32(lane_join(a, b), a))
SIMD_OP(mmx_packuswb, _mm_packus_epi16(lane_join(a, b), a))

/* ---- byte shifts of the whole lane; a count above 15 clears it ---- */
ALWAYS_INLINE u128 lane_u128(__m128i v) {
  return (u128)(u64)_mm_cvtsi128_si64(_mm_unpackhi_epi64(v, v)) << 64 | (u64)_mm_cvtsi128_si64(v);
}
ALWAYS_INLINE __m128i lane_from_u128(u128 v) {
  return _mm_unpacklo_epi64(_mm_cvtsi64_si128((s64)(u64)v), _mm_cvtsi64_si128((s64)(u64)(v >> 64)));
}
#ifdef __SSSE3__
/* PSHUFB's control for moving a lane's bytes: up by n is lane_byte_moves + 16 - n, down by n + 16 + n. */
extern const u8 lane_byte_moves[64];
ALWAYS_INLINE __m128i lane_move_bytes(__m128i v, unsigned from) {
  return _mm_shuffle_epi8(v, _mm_loadu_si128((const void *)(lane_byte_moves + from)));
}
SIMD_OP(pslldq, lane_move_bytes(a, imm > 15 ? 0 : 16 - imm))
SIMD_OP(psrldq, lane_move_bytes(a, imm > 15 ? 32 : 16 + imm))
#else
SIMD_OP(pslldq, imm > 15 ? _mm_setzero_si128() : lane_from_u128(lane_u128(a) << 8 * imm))
SIMD_OP(psrldq, imm > 15 ? _mm_setzero_si128() : lane_from_u128(lane_u128(a) >> 8 * imm))
#endif

/* ---- shuffles ---- */
LANE_TABLE_HERE lane_table lane_pshufd, lane_pshuflw, lane_pshufhw, lane_shufps;
/* XMM0 from XMM0, or with XMM1. */
ALWAYS_INLINE __m128i lane_call(const u8 *insn, __m128i a) {
  __asm__(LANE_CALL : "+Yz"(a) : [insn] "r"(insn));
  return a;
}
ALWAYS_INLINE __m128i lane_call2(const u8 *insn, __m128i a, __m128i b) {
  register __m128i second __asm__("xmm1") = b;
  __asm__(LANE_CALL : "+Yz"(a) : [insn] "r"(insn), "x"(second));
  return a;
}
ALWAYS_INLINE __m128i shuffle_dwords(__m128i lo, __m128i hi, unsigned imm) {
  return lane_call2(lane_shufps[imm], lo, hi);
}
ALWAYS_INLINE __m128i shuffle_qwords(__m128i lo, __m128i hi, unsigned imm) {
  return lane_join(lane_qword(lo, imm), lane_qword(hi, imm >> 1));
}
SIMD_OP(pshuflw, lane_call(lane_pshuflw[(u8)imm], b))
SIMD_OP(pshufhw, lane_call(lane_pshufhw[(u8)imm], b))
SIMD_OP(pshufd, lane_call(lane_pshufd[(u8)imm], b))
SIMD_OP(shufps, shuffle_dwords(a, b, imm))
SIMD_OP(shufpd, shuffle_qwords(a, b, imm))

/* ---- parts ---- */
SIMD_OP(low64, lane_low(b))
SIMD_OP(high64, _mm_unpackhi_epi64(b, b))
SIMD_OP(set_low32, _mm_castps_si128(_mm_move_ss(_mm_castsi128_ps(a), _mm_castsi128_ps(b))))
SIMD_OP(set_low64, _mm_castpd_si128(_mm_move_sd(_mm_castsi128_pd(a), _mm_castsi128_pd(b))))
SIMD_OP(set_high64, _mm_unpacklo_epi64(a, b))
SIMD_OP(high_to_low, _mm_unpackhi_epi64(b, a))
/* SSE3's duplications: MOVDDUP, MOVSLDUP, MOVSHDUP */
SIMD_OP(movddup, _mm_unpacklo_epi64(b, b))
SIMD_OP(movsldup, _mm_shuffle_epi32(b, 0xa0))
SIMD_OP(movshdup, _mm_shuffle_epi32(b, 0xf5))

/* Sign bits. */
ALWAYS_INLINE u32 mask_b(__m128i v) { return (u32)_mm_movemask_epi8(v); }
ALWAYS_INLINE u32 mask_ps(__m128i v) { return (u32)_mm_movemask_ps(_mm_castsi128_ps(v)); }
ALWAYS_INLINE u32 mask_pd(__m128i v) { return (u32)_mm_movemask_pd(_mm_castsi128_pd(v)); }

/* Word n (masked by the caller) replaced. */
ALWAYS_INLINE u64 word_insert(u64 q, unsigned n, u16 v) {
  return (q & ~((u64)0xffff << 16 * n)) | (u64)v << 16 * n;
}

#endif
