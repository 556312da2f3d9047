/* AVX, AVX2 and AVX-512 packed integers: arithmetic, comparison, logic, shifts, packs and unpacks, as the lanes of MMX and
 * SSE. SDM 1 14.2 (Functional Overview of Intel AVX2), 15.1 (AVX-512 Overview). */
#include "cpu/lane_int.h"
#include "cpu/lane_sse41.h"
#include "cpu/lane_ssse3.h"
#include "cpu/vex.h"

#define VI(esize, name) VEC_LANES(vec_##name, esize, VF_0, op_##name)
/* Whatever the opmask, all of memory is read. SDM 2A Table 2-43 (EVEX Instructions in Each Exception Class): E4NF */
#define VI_NF(esize, name) VEC_LANES(vec_##name, esize, VF_NO_FAULT_SPLIT, op_##name)

VI(1, paddb) VI(2, paddw) VI(4, paddd) VI(8, paddq)
VI(1, paddsb) VI(2, paddsw) VI(1, paddusb) VI(2, paddusw)
VI(1, psubb) VI(2, psubw) VI(4, psubd) VI(8, psubq)
VI(1, psubsb) VI(2, psubsw) VI(1, psubusb) VI(2, psubusw)
VI(1, pavgb) VI(2, pavgw) VI(2, pmulhuw) VI(2, pmulhw) VI(2, pmullw) VI(8, pmuludq) VI(8, pmuldq) VI(4, pmulld)
VI_NF(4, pmaddwd) VI_NF(8, psadbw) VI_NF(2, pmaddubsw) VI(2, pmulhrsw)
VI(2, phaddw) VI(4, phaddd) VI(2, phaddsw) VI(2, phsubw) VI(4, phsubd) VI(2, phsubsw)
VI(1, psignb) VI(2, psignw) VI(4, psignd) VI(1, pabsb) VI(2, pabsw) VI(4, pabsd)
VI(1, pminub) VI(1, pmaxub) VI(2, pminsw) VI(2, pmaxsw) VI(1, pminsb) VI(1, pmaxsb) VI(2, pminuw) VI(2, pmaxuw)
VI(4, pminsd) VI(4, pmaxsd) VI(4, pminud) VI(4, pmaxud)
VI_NF(1, pshufb)

/* Quadwords, which SSE has not. */
#define QWORDS(name, type, member, expr)                                                 \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {                  \
    union lanes x = {.v = a}, y = {.v = b}, r;                                           \
    (void)imm;                                                                           \
    for (unsigned k = 0; k < 2; k++) {                                                   \
      type p = x.member[k], q = y.member[k];                                             \
      (void)p;                                                                           \
      r.q[k] = (u64)(expr);                                                              \
    }                                                                                    \
    return r.v;                                                                          \
  }                                                                                      \
  VI(8, name)
QWORDS(pabsq, u64, q, q >> 63 ? -q : q)
QWORDS(pmullq, u64, q, p * q)
QWORDS(pminsq, s64, sq, p < q ? p : q)
QWORDS(pmaxsq, s64, sq, p > q ? p : q)
QWORDS(pminuq, u64, q, p < q ? p : q)
QWORDS(pmaxuq, u64, q, p > q ? p : q)

/* ---- comparison ---- */
#define COMPARE(esize, name) VI(esize, name) VEC_LANES(vec_##name##_k, esize, VF_MASK, op_##name)
COMPARE(1, pcmpeqb) COMPARE(2, pcmpeqw) COMPARE(4, pcmpeqd) COMPARE(8, pcmpeqq)
COMPARE(1, pcmpgtb) COMPARE(2, pcmpgtw) COMPARE(4, pcmpgtd) COMPARE(8, pcmpgtq)

/* ---- logic ---- */
#define LOGIC(name) VEC_LANES(vec_##name##d, 4, VF_0, op_##name) VEC_LANES(vec_##name##q, 8, VF_0, op_##name)
LOGIC(pand) LOGIC(pandn) LOGIC(por) LOGIC(pxor)

/* ---- shifts ---- */
/* By the low quadword of the second source; by an immediate, the r/m operand. */
#define SHIFT(esize, name)                                                               \
  SIMD_OP(name##_imm, op_##name(b, _mm_cvtsi32_si128((int)imm), 0))                      \
  VEC_LANES(vec_##name, esize, VF_COUNT, op_##name) VI(esize, name##_imm)
ALWAYS_INLINE __m128i shift_right_qwords(__m128i v, __m128i count) {
  union lanes x = {.v = v}, n = {.v = count};
  unsigned by = n.q[0] > 63 ? 63 : (unsigned)n.q[0];
  x.sq[0] >>= by;
  x.sq[1] >>= by;
  return x.v;
}
SIMD_OP(psraq, shift_right_qwords(a, b))
SHIFT(2, psllw) SHIFT(4, pslld) SHIFT(8, psllq) SHIFT(2, psrlw) SHIFT(4, psrld) SHIFT(8, psrlq)
SHIFT(2, psraw) SHIFT(4, psrad) SHIFT(8, psraq)
SIMD_OP(pslldq_imm, op_pslldq(b, b, imm))
SIMD_OP(psrldq_imm, op_psrldq(b, b, imm))
VI(8, pslldq_imm) VI(8, psrldq_imm)

/* ---- packs, unpacks ---- */
VI_NF(1, packsswb) VI_NF(1, packuswb)
VEC_LANES(vec_packssdw, 2, VF_WIDE_IN, op_packssdw) VEC_LANES(vec_packusdw, 2, VF_WIDE_IN, op_packusdw)
VEC_LANES(vec_punpcklbw, 1, VF_NO_FAULT_SPLIT, op_punpckl_bw) VEC_LANES(vec_punpcklwd, 2, VF_NO_FAULT_SPLIT, op_punpckl_wd)
VEC_LANES(vec_punpckldq, 4, VF_NO_FAULT_SPLIT, op_punpckl_dq) VI_NF(8, punpcklqdq)
VI_NF(1, punpckhbw) VI_NF(2, punpckhwd) VI_NF(4, punpckhdq) VI_NF(8, punpckhqdq)
