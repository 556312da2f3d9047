/* SSE3's floating-point arithmetic and duplications, and SSSE3, in XMM and MMX registers. SDM 1 12.3 (Overview of
 * SSE3 Instructions), 12.6 (SSSE3 Instructions). */
#include "cpu/lane_fp.h"
#include "cpu/lane_ssse3.h"
#include "cpu/simd.h"

VEC_FP(addsubps, v_w_fp, V16, FP_ADD | FP_SINGLE | FP_ALTERNATE, op_addsubps)
VEC_FP(addsubpd, v_w_fp, V16, FP_ADD | FP_DOUBLE | FP_ALTERNATE, op_addsubpd)
VEC_FP(haddps, v_w_fp, V16, FP_ADD | FP_SINGLE | FP_PAIRS, op_haddps)
VEC_FP(haddpd, v_w_fp, V16, FP_ADD | FP_DOUBLE | FP_PAIRS, op_haddpd)
VEC_FP(hsubps, v_w_fp, V16, FP_SUB | FP_SINGLE | FP_PAIRS, op_hsubps)
VEC_FP(hsubpd, v_w_fp, V16, FP_SUB | FP_DOUBLE | FP_PAIRS, op_hsubpd)
VEC_RM(movddup, v_w, V8, op_movddup)
VEC_RM(movsldup, v_w, V16, op_movsldup)
VEC_RM(movshdup, v_w, V16, op_movshdup)

/* BODY(name, operation in MMX registers) */
#define SSSE3_OPS(BODY)          \
  BODY(pshufb, mmx_pshufb)       \
  BODY(phaddw, mmx_phaddw)       \
  BODY(phaddd, mmx_phaddd)       \
  BODY(phaddsw, mmx_phaddsw)     \
  BODY(pmaddubsw, pmaddubsw)     \
  BODY(phsubw, mmx_phsubw)       \
  BODY(phsubd, mmx_phsubd)       \
  BODY(phsubsw, mmx_phsubsw)     \
  BODY(psignb, psignb)           \
  BODY(psignw, psignw)           \
  BODY(psignd, psignd)           \
  BODY(pmulhrsw, pmulhrsw)       \
  BODY(pabsb, pabsb)             \
  BODY(pabsw, pabsw)             \
  BODY(pabsd, pabsd)             \
  BODY(palignr, mmx_palignr)
#define SSSE3_BOTH(name, mmx_name)            \
  VEC_RM(sse_##name, v_w, V16, op_##name)     \
  VEC_RM(mmx_##name, p_q, V8, op_##mmx_name)
SSSE3_OPS(SSSE3_BOTH)
