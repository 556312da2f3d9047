/* Lane operations of AES, PCLMULQDQ, GFNI and SHA. SDM 1 12.13 (AESNI and PCLMULQDQ); SDM 2 the instructions' pages. */
#ifndef CPU_LANE_CRYPT_H
#define CPU_LANE_CRYPT_H

#include "cpu/lane_soft.h"

#ifdef __AES__
SIMD_OP(aesenc, _mm_aesenc_si128(a, b))
SIMD_OP(aesenclast, _mm_aesenclast_si128(a, b))
SIMD_OP(aesdec, _mm_aesdec_si128(a, b))
SIMD_OP(aesdeclast, _mm_aesdeclast_si128(a, b))
SIMD_OP(aesimc, _mm_aesimc_si128(b))
/* The round constant is but XORed to the second and fourth doubleword. */
SIMD_OP(aeskeygenassist,
        _mm_xor_si128(_mm_aeskeygenassist_si128(b, 0), _mm_slli_epi64(_mm_set1_epi64x((s64)imm), 32)))
#else
/* The host's own instruction where it has it. */
#define ON_HOST(name, feature, insn, soft)                                             \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {                \
    (void)imm;                                                                         \
    if (unlikely(!__builtin_cpu_supports(feature))) return soft;                       \
    __asm__(insn " %1, %0" : "+x"(a) : "x"(b));                                        \
    return a;                                                                          \
  }
ON_HOST(aesenc, "aes", "aesenc", soft_aesenc(a, b, false))
ON_HOST(aesenclast, "aes", "aesenclast", soft_aesenc(a, b, true))
ON_HOST(aesdec, "aes", "aesdec", soft_aesdec(a, b, false))
ON_HOST(aesdeclast, "aes", "aesdeclast", soft_aesdec(a, b, true))
ON_HOST(aesimc, "aes", "aesimc", soft_aesimc(b))
SIMD_OP(aeskeygenassist, soft_aeskeygen(b, (u8)imm))
#endif

#ifdef __PCLMUL__
ALWAYS_INLINE __m128i lane_clmul(__m128i a, __m128i b) { return _mm_clmulepi64_si128(a, b, 0); }
#else
ALWAYS_INLINE __m128i lane_clmul(__m128i a, __m128i b) {
  if (unlikely(!__builtin_cpu_supports("pclmul"))) return soft_clmul((u64)_mm_cvtsi128_si64(a), (u64)_mm_cvtsi128_si64(b));
  __asm__("pclmulqdq $0, %1, %0" : "+x"(a) : "x"(b));
  return a;
}
#endif
SIMD_OP(pclmulqdq, lane_clmul(imm & 1 ? _mm_unpackhi_epi64(a, a) : a, imm & 16 ? _mm_unpackhi_epi64(b, b) : b))

#ifdef __GFNI__
SIMD_OP(gf2p8mulb, _mm_gf2p8mul_epi8(a, b))
#define LANE_AFFINE(a, b) _mm_gf2p8affine_epi64_epi8(a, b, 0)
#define LANE_AFFINE_INVERSE(a, b) _mm_gf2p8affineinv_epi64_epi8(a, b, 0)
#else
SIMD_OP(gf2p8mulb, soft_gf_multiply(a, b))
#define LANE_AFFINE(a, b) soft_gf_affine(a, b, false)
#define LANE_AFFINE_INVERSE(a, b) soft_gf_affine(a, b, true)
#endif
SIMD_OP(gf2p8affineqb, _mm_xor_si128(LANE_AFFINE(a, b), _mm_set1_epi8((char)imm)))
SIMD_OP(gf2p8affineinvqb, _mm_xor_si128(LANE_AFFINE_INVERSE(a, b), _mm_set1_epi8((char)imm)))

#ifdef __SHA__
ALWAYS_INLINE __m128i lane_sha1_rounds(__m128i a, __m128i b, unsigned imm) {
  switch (imm & 3) {
    case 0: return _mm_sha1rnds4_epu32(a, b, 0);
    case 1: return _mm_sha1rnds4_epu32(a, b, 1);
    case 2: return _mm_sha1rnds4_epu32(a, b, 2);
    default: return _mm_sha1rnds4_epu32(a, b, 3);
  }
}
SIMD_OP(sha1rnds4, lane_sha1_rounds(a, b, imm))
SIMD_OP(sha1nexte, _mm_sha1nexte_epu32(a, b))
SIMD_OP(sha1msg1, _mm_sha1msg1_epu32(a, b))
SIMD_OP(sha1msg2, _mm_sha1msg2_epu32(a, b))
SIMD_OP3(sha256rnds2, _mm_sha256rnds2_epu32(a, b, c))
SIMD_OP(sha256msg1, _mm_sha256msg1_epu32(a, b))
SIMD_OP(sha256msg2, _mm_sha256msg2_epu32(a, b))
#else
SIMD_OP(sha1rnds4, soft_sha1_rounds(a, b, imm))
SIMD_OP(sha1nexte, soft_sha1_next(a, b))
SIMD_OP(sha1msg1, soft_sha1_msg1(a, b))
SIMD_OP(sha1msg2, soft_sha1_msg2(a, b))
SIMD_OP3(sha256rnds2, soft_sha256_rounds(a, b, c))
SIMD_OP(sha256msg1, soft_sha256_msg1(a, b))
SIMD_OP(sha256msg2, soft_sha256_msg2(a, b))
#endif

#endif
