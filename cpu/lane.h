/* The vocabulary of operations on one 128-bit lane, of which MMX, SSE, AVX and AVX-512 instructions are made.
 * SDM 1 4.6.2 (128-Bit SIMD Data Types).
 *
 * op_NAME(a, b, imm) is what an instruction makes of one lane: a is the first source (the destination of an
 * instruction with two operands), b the second, imm its immediate byte. An instruction of 64 bits uses the low
 * half; one of 256 or 512 bits does the same to each lane.
 *
 * Integer operations are intrinsics, whose result cannot depend on the compiler; floating point is inline
 * assembly, because the compiler may swap operands (which NaN wins) or fold. Every operation has a form for the
 * baseline x86-64 (SSE2), and where the compiler may use more, that. Files that contain nothing but instances
 * of these may thus be compiled for several processors. */
#ifndef CPU_LANE_H
#define CPU_LANE_H

#if !defined(__x86_64__)
#error "lanes are the host's own vector registers: another host needs its own cpu/lane*.h"
#endif

#include <immintrin.h>

#include "base/types.h"

/* One operation. Unused arguments cost nothing. */
typedef __m128i simd_op(__m128i a, __m128i b, unsigned imm);
/* One with a third source. */
typedef __m128i simd_op3(__m128i a, __m128i b, __m128i c);

#define SIMD_OP(name, expr)                                              \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {  \
    (void)a, (void)b, (void)imm;                                         \
    return (expr);                                                       \
  }
#define SIMD_OP3(name, expr)                                            \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, __m128i c) {    \
    (void)a, (void)b, (void)c;                                          \
    return (expr);                                                      \
  }
/* By a function of the same arguments. */
#define SIMD_OP_CALL(name, function) SIMD_OP(name, function(a, b, imm))

/* A lane in parts. */
union lanes {
  __m128i v;
  u8 b[16];
  s8 sb[16];
  u16 w[8];
  s16 sw[8];
  u32 d[4];
  s32 sd[4];
  u64 q[2];
  s64 sq[2];
};

/* An instruction with an immediate operand: a table of it with each of the 256, and a return, in eight bytes; called. The
 * instruction has its own fixed registers. The stack's red zone is the compiler's. */
#define LANE_TABLE(name, words)                                                                          \
  __asm__(".pushsection .text\n\t.p2align 6\n\t.globl " #name "\n\t.hidden " #name "\n" #name ":\n\t" \
          ".set lane_n, 0\n\t.rept 256\n\t.p2align 3\n\t" words                                         \
          "\n\tret\n\t.set lane_n, lane_n + 1\n\t.endr\n\t.p2align 3\n\t.popsection")
#define LANE_CALL "lea -128(%%rsp), %%rsp\n\tcall *%[insn]\n\tlea 128(%%rsp), %%rsp"
typedef const u8 lane_table[256][8];
#define LANE_TABLE_HERE extern __attribute__((visibility("hidden")))

/* Bits of b where mask has ones, of a elsewhere. */
ALWAYS_INLINE __m128i lane_select(__m128i a, __m128i b, __m128i mask) {
  return _mm_or_si128(_mm_andnot_si128(mask, a), _mm_and_si128(mask, b));
}
ALWAYS_INLINE __m128i lane_qword(__m128i v, unsigned n) { return n & 1 ? _mm_unpackhi_epi64(v, v) : v; }
ALWAYS_INLINE __m128i lane_low(__m128i v) { return _mm_move_epi64(v); }
/* The low halves of two lanes as one: the operands of an MMX operation across elements. */
ALWAYS_INLINE __m128i lane_join(__m128i lo, __m128i hi) { return _mm_unpacklo_epi64(lo, hi); }

/* Two, four, eight or sixteen elements' masks from the low bits of imm. */
ALWAYS_INLINE __m128i lane_mask_b(unsigned imm) {
  const __m128i bit = _mm_set1_epi64x((s64)UINT64_C(0x8040201008040201));
  __m128i v = _mm_cvtsi32_si128((int)imm);
  v = _mm_shufflelo_epi16(_mm_unpacklo_epi8(v, v), 0x50);
  return _mm_cmpeq_epi8(_mm_and_si128(_mm_unpacklo_epi32(v, v), bit), bit);
}
ALWAYS_INLINE __m128i lane_mask_q(unsigned imm) {
  const __m128i bit = _mm_set_epi32(2, 2, 1, 1);
  return _mm_cmpeq_epi32(_mm_and_si128(_mm_set1_epi32((int)imm), bit), bit);
}
ALWAYS_INLINE __m128i lane_mask_d(unsigned imm) {
  const __m128i bit = _mm_set_epi32(8, 4, 2, 1);
  return _mm_cmpeq_epi32(_mm_and_si128(_mm_set1_epi32((int)imm), bit), bit);
}
ALWAYS_INLINE __m128i lane_mask_w(unsigned imm) {
  const __m128i bit = _mm_set_epi16(128, 64, 32, 16, 8, 4, 2, 1);
  return _mm_cmpeq_epi16(_mm_and_si128(_mm_set1_epi16((short)imm), bit), bit);
}

#endif
