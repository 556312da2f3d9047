/* Lane operations that need more than a few instructions where the host has none for them, as functions. */
#ifndef CPU_LANE_SOFT_H
#define CPU_LANE_SOFT_H

#include "cpu/lane.h"

/* ROUNDPS and its family: n elements of v rounded to integers, the rest of v kept. Adds to the host MXCSR's flags.
 * SDM 2 ROUNDPS */
__m128i soft_round(__m128i v, unsigned n, bool is_double, unsigned imm);

/* IntRes1 of the string comparisons, imm's low four bits: a's first na elements, b's first nb. SDM 1 4.1 of volume 2B
 * (Imm8 Control Byte Operation for PCMPESTRI/PCMPESTRM/PCMPISTRI/PCMPISTRM) */
u32 soft_string_compare(__m128i a, unsigned na, __m128i b, unsigned nb, unsigned imm);

/* SDM 2 AESENC, AESENCLAST, AESDEC, AESDECLAST, AESIMC, AESKEYGENASSIST; FIPS 197 */
__m128i soft_aesenc(__m128i state, __m128i key, bool last);
__m128i soft_aesdec(__m128i state, __m128i key, bool last);
__m128i soft_aesimc(__m128i key);
__m128i soft_aeskeygen(__m128i key, u8 rcon);

/* The 128-bit product of two polynomials over GF(2). SDM 2 PCLMULQDQ */
__m128i soft_clmul(u64 a, u64 b);

/* Bytes as elements of GF(2^8) by x^8 + x^4 + x^3 + x + 1; eight bits of each by a matrix of 8 x 8. SDM 2 GF2P8MULB,
 * GF2P8AFFINEQB, GF2P8AFFINEINVQB */
__m128i soft_gf_multiply(__m128i a, __m128i b);
__m128i soft_gf_affine(__m128i a, __m128i matrix, bool inverse);

/* SDM 2 SHA1RNDS4, SHA1NEXTE, SHA1MSG1, SHA1MSG2, SHA256RNDS2, SHA256MSG1, SHA256MSG2 */
__m128i soft_sha1_rounds(__m128i a, __m128i b, unsigned imm);
__m128i soft_sha1_next(__m128i a, __m128i b);
__m128i soft_sha1_msg1(__m128i a, __m128i b);
__m128i soft_sha1_msg2(__m128i a, __m128i b);
__m128i soft_sha256_rounds(__m128i a, __m128i b, __m128i c);
__m128i soft_sha256_msg1(__m128i a, __m128i b);
__m128i soft_sha256_msg2(__m128i a, __m128i b);

#endif
