/* AVX and AVX-512 floating point and conversions of whole vectors as the host's own. The guest's MXCSR is the
 * host's (cpu/simd_state.h); elements beyond the length or the opmask raise nothing. SDM 1 14.5
 * (Fused-Multiply-ADD (FMA) Extensions), 15.6.4 (Static Rounding Support); SDM 2 (the instructions' pages). */
#include "cpu/wide.h"

const bool wide_linked_fp = true;

/* ---- embedded rounding: nothing is raised, and no flag set; scalars are the ordinary handlers' ---- */
/* The handlers of a body whose core RC is that. */
#define WIDE_BODY_RC(name)                                                                                \
  WIDE_3(name) WIDE_K2(name) WIDE_ANY(name, B, WIDE_B)                                                    \
  WIDE_H(name, RC) {                                                                                      \
    struct wide_shape s = wide_shape_of_##name();                                                         \
    s.flags &= ~(u32)WF_FP;                                                                               \
    return wide_k(cpu, i, WIDE_RC, s, wide_core_##name##_RC, &body_##name);                               \
  }                                                                                                       \
  const struct wide wide_##name =                                                                         \
    {{WIDE_FAST_ROW(name), WIDE_MASKED_ROW(name), h_wide_##name##_B, h_wide_##name##_RC}};

#define ARITH_ONE(name, esize, insn, flags)                                                               \
  WIDE_SHAPE(name, WF_FP | WF_A | (flags), esize, esize, 0, 0) WIDE_CORES(name, insn, WIDE_INSN3)         \
  WIDE_RC3(name, insn)
#define WIDE_RC3(name, insn) WIDE_CORE(name, RC, switch (vex_rc(i)) {                                     \
    case 0: WIDE_ASM(insn " %{rn-sae%}, %%zmm18, %%zmm16, %%zmm17" WIDE_MASKED, ); break;                 \
    case 1: WIDE_ASM(insn " %{rd-sae%}, %%zmm18, %%zmm16, %%zmm17" WIDE_MASKED, ); break;                 \
    case 2: WIDE_ASM(insn " %{ru-sae%}, %%zmm18, %%zmm16, %%zmm17" WIDE_MASKED, ); break;                 \
    default: WIDE_ASM(insn " %{rz-sae%}, %%zmm18, %%zmm16, %%zmm17" WIDE_MASKED, ); break;                \
  })
#define WIDE_RC2(name, insn, b, r) WIDE_CORE(name, RC, switch (vex_rc(i)) {                               \
    case 0: WIDE_ASM(insn " %{rn-sae%}, %%" b "mm18, %%" r "mm17" WIDE_MASKED, ); break;                  \
    case 1: WIDE_ASM(insn " %{rd-sae%}, %%" b "mm18, %%" r "mm17" WIDE_MASKED, ); break;                  \
    case 2: WIDE_ASM(insn " %{ru-sae%}, %%" b "mm18, %%" r "mm17" WIDE_MASKED, ); break;                  \
    default: WIDE_ASM(insn " %{rz-sae%}, %%" b "mm18, %%" r "mm17" WIDE_MASKED, ); break;                 \
  })
#define ARITH(name) ARITH_ONE(vec_##name##ps, 4, "v" #name "ps", 0) WIDE_BODY_RC(vec_##name##ps)          \
  ARITH_ONE(vec_##name##pd, 8, "v" #name "pd", 0) WIDE_BODY_RC(vec_##name##pd)
ARITH(add) ARITH(sub) ARITH(mul) ARITH(div) ARITH(scalef)
/* Only SAE, which is the ordinary handlers'. */
#define PLAIN3(esize, name, flags) \
  WIDE_SHAPE(vec_##name, WF_A | (flags), esize, esize, 0, 0) WIDE_CORES(vec_##name, "v" #name, WIDE_INSN3) \
      WIDE_BODY_3B(vec_##name)
#define PLAIN2(esize, name, flags) \
  WIDE_SHAPE(vec_##name, flags, esize, esize, 0, 0) WIDE_CORES(vec_##name, "v" #name, WIDE_INSN2) \
      WIDE_BODY_3B(vec_##name)
PLAIN3(4, minps, WF_FP) PLAIN3(8, minpd, WF_FP) PLAIN3(4, maxps, WF_FP) PLAIN3(8, maxpd, WF_FP)
PLAIN2(4, getexpps, WF_FP) PLAIN2(8, getexppd, WF_FP)
PLAIN2(4, rcp14ps, 0) PLAIN2(8, rcp14pd, 0) PLAIN2(4, rsqrt14ps, 0) PLAIN2(8, rsqrt14pd, 0)
#define SQRT(name, esize) \
  WIDE_SHAPE(vec_##name, WF_FP, esize, esize, 0, 0) WIDE_CORES(vec_##name, "v" #name, WIDE_INSN2) \
  WIDE_RC2(vec_##name, "v" #name, "z", "z") WIDE_BODY_RC(vec_##name)
SQRT(sqrtps, 4) SQRT(sqrtpd, 8)

#define FMA_ONE(name, esize) ARITH_ONE(vec_##name, esize, "v" #name, WF_OLD) WIDE_BODY_RC(vec_##name)
#define FMA(name) FMA_ONE(name##132ps, 4) FMA_ONE(name##213ps, 4) FMA_ONE(name##231ps, 4) \
  FMA_ONE(name##132pd, 8) FMA_ONE(name##213pd, 8) FMA_ONE(name##231pd, 8)
FMA(fmadd) FMA(fmsub) FMA(fnmadd) FMA(fnmsub) FMA(fmaddsub) FMA(fmsubadd)

/* ---- with an immediate ---- */
#define IMM2(esize, name, insn, imm)                         \
  WIDE_SHAPE(vec_##name, WF_FP, esize, esize, 0, 0)          \
  WIDE_BY_IMM(vec_##name, insn " $lane_n, %zmm18, %zmm17{%k1}", imm) WIDE_BODY_KB(vec_##name)
#define IMM3(esize, name, insn, flags)                                   \
  WIDE_SHAPE(vec_##name, WF_FP | WF_A | (flags), esize, esize, 0, 0)     \
  WIDE_BY_IMM(vec_##name, insn " $lane_n, %zmm18, %zmm16, %zmm17{%k1}", vex_imm(i)) WIDE_BODY_KB(vec_##name)
IMM2(4, rndscaleps, "vrndscaleps", vex_imm(i)) IMM2(8, rndscalepd, "vrndscalepd", vex_imm(i))
IMM2(4, reduceps, "vreduceps", vex_imm(i)) IMM2(8, reducepd, "vreducepd", vex_imm(i))
IMM2(4, getmantps, "vgetmantps", vex_imm(i)) IMM2(8, getmantpd, "vgetmantpd", vex_imm(i))
IMM3(4, rangeps, "vrangeps", 0) IMM3(8, rangepd, "vrangepd", 0)
IMM3(4, fixupimmps, "vfixupimmps", WF_OLD) IMM3(8, fixupimmpd, "vfixupimmpd", WF_OLD)
/* VROUNDPS is the scale 0. */
#define ROUND(esize, name, table)                            \
  WIDE_SHAPE(vec_##name, WF_FP, esize, esize, 0, 0)          \
  WIDE_CORE(vec_##name, K, wide_call(wide_table_vec_##table[vex_imm(i) & 15])) WIDE_BODY_K(vec_##name)
ROUND(4, roundps, rndscaleps) ROUND(8, roundpd, rndscalepd)
#define CLASS(esize, name)                                   \
  WIDE_SHAPE(vec_##name, WF_TO_K, esize, esize, 0, 0)        \
  WIDE_BY_IMM(vec_##name, "v" #name " $lane_n, %zmm18, %k2{%k1}", vex_imm(i)) WIDE_BODY_KB(vec_##name)
CLASS(4, fpclassps) CLASS(8, fpclasspd)
/* Comparison, into an opmask and, VEX, into a vector. */
#define COMPARE(esize, name, letter)                                                                        \
  WIDE_SHAPE(vec_##name##_k, WF_FP | WF_A | WF_TO_K, esize, esize, 0, 0)                                    \
  WIDE_BY_IMM(vec_##name##_k, "v" #name " $lane_n & 31, %zmm18, %zmm16, %k2{%k1}", vex_imm(i)) \
      WIDE_BODY_KB(vec_##name##_k) \
  WIDE_SHAPE(vec_v##name, WF_FP | WF_A, esize, esize, 0, 0)                                                 \
  WIDE_CORE(vec_v##name, K, wide_call(wide_table_vec_##name##_k[vex_imm(i)]);                               \
            WIDE_ASM("vpmovm2" letter " %%k2, %%zmm17", )) WIDE_BODY_K(vec_v##name)
COMPARE(4, cmpps, "d") COMPARE(8, cmppd, "q")

/* ---- conversions ---- */
#define CVT_SAME(name, esize)                                                                               \
  WIDE_SHAPE(vec_##name, WF_FP, esize, esize, 0, 0) WIDE_CORES(vec_##name, "v" #name, WIDE_INSN2)
#define CVT_CORES(name, insn, b1, b2, r1, r2)                                                               \
  WIDE_CORE(name, 0, WIDE_ASM(insn " %%xmm18, %%xmm17", ))                                                  \
  WIDE_CORE(name, 1, WIDE_ASM(insn " %%" b1 "mm18, %%" r1 "mm17", ))                                        \
  WIDE_CORE(name, 2, WIDE_ASM(insn " %%" b2 "mm18, %%" r2 "mm17", ))                                        \
  WIDE_CORE(name, K, WIDE_ASM(insn " %%" b2 "mm18, %%" r2 "mm17" WIDE_MASKED, ))
#define CVT_WIDEN(name) \
  WIDE_SHAPE(vec_##name, WF_FP, 8, 4, 1, 0) CVT_CORES(vec_##name, "v" #name, "x", "y", "y", "z")
#define CVT_NARROW(name) \
  WIDE_SHAPE(vec_##name, WF_FP, 4, 8, 0, 1) CVT_CORES(vec_##name, "v" #name, "y", "z", "x", "y")
#define SAME_RC(name, esize) CVT_SAME(name, esize) WIDE_RC2(vec_##name, "v" #name, "z", "z") \
    WIDE_BODY_RC(vec_##name)
#define SAME(name, esize) CVT_SAME(name, esize) WIDE_BODY_3B(vec_##name)
#define WIDER_RC(name) CVT_WIDEN(name) WIDE_RC2(vec_##name, "v" #name, "y", "z") WIDE_BODY_RC(vec_##name)
#define WIDER(name) CVT_WIDEN(name) WIDE_BODY_3B(vec_##name)
#define NARROWER_RC(name) CVT_NARROW(name) WIDE_RC2(vec_##name, "v" #name, "z", "y") WIDE_BODY_RC(vec_##name)
#define NARROWER(name) CVT_NARROW(name) WIDE_BODY_3B(vec_##name)
SAME_RC(cvtdq2ps, 4) SAME_RC(cvtudq2ps, 4) SAME_RC(cvtps2dq, 4) SAME_RC(cvtps2udq, 4) SAME(cvttps2dq, 4)
    SAME(cvttps2udq, 4)
SAME_RC(cvtpd2qq, 8) SAME_RC(cvtpd2uqq, 8) SAME(cvttpd2qq, 8) SAME(cvttpd2uqq, 8) SAME_RC(cvtqq2pd, 8)
    SAME_RC(cvtuqq2pd, 8)
WIDER(cvtps2pd) WIDER(cvtdq2pd) WIDER(cvtudq2pd) WIDER_RC(cvtps2qq) WIDER_RC(cvtps2uqq) WIDER(cvttps2qq)
    WIDER(cvttps2uqq)
NARROWER_RC(cvtpd2ps) NARROWER_RC(cvtpd2dq) NARROWER_RC(cvtpd2udq) NARROWER(cvttpd2dq) NARROWER(cvttpd2udq)
NARROWER_RC(cvtqq2ps) NARROWER_RC(cvtuqq2ps)
/* Half precision. */
WIDE_SHAPE(vec_vcvtph2ps, WF_FP, 4, 2, 1, 0) CVT_CORES(vec_vcvtph2ps, "vcvtph2ps", "x", "y", "y", "z")
    WIDE_BODY_3(vec_vcvtph2ps)
