/* AVX2 and AVX-512 integer instructions, permutations and cryptography as the host's own. SDM 1 15.1 (AVX-512
 * Overview); SDM 2 (the instructions' pages). */
#include "cpu/wide.h"

const bool wide_linked_int = true;

/* name, which is the mnemonic without its v, and bytes of an element. */
#define I3(esize, name) \
  WIDE_SHAPE(vec_##name, WF_A, esize, esize, 0, 0) WIDE_CORES(vec_##name, "v" #name, WIDE_INSN3)
#define I2(esize, name) \
  WIDE_SHAPE(vec_##name, 0, esize, esize, 0, 0) WIDE_CORES(vec_##name, "v" #name, WIDE_INSN2)
#define ALU(esize, name) I3(esize, name) WIDE_BODY_3(vec_##name)
#define ALU_B(esize, name) I3(esize, name) WIDE_BODY_3B(vec_##name)
#define ALU2(esize, name) I2(esize, name) WIDE_BODY_3(vec_##name)
#define ALU2_B(esize, name) I2(esize, name) WIDE_BODY_3B(vec_##name)
/* All of memory is read. */
#define ALL(esize, bsize, name) \
  WIDE_SHAPE(vec_##name, WF_A | WF_ALL, esize, bsize, 0, 0) WIDE_CORES(vec_##name, "v" #name, WIDE_INSN3)
#define ALU_NF(esize, name) ALL(esize, esize, name) WIDE_BODY_3(vec_##name)
#define ALU_NFB(esize, bsize, name) ALL(esize, bsize, name) WIDE_BODY_3B(vec_##name)

ALU(1, paddb) ALU(2, paddw) ALU_B(4, paddd) ALU_B(8, paddq)
ALU(1, psubb) ALU(2, psubw) ALU_B(4, psubd) ALU_B(8, psubq)
ALU(1, paddsb) ALU(2, paddsw) ALU(1, paddusb) ALU(2, paddusw) ALU(1, psubsb) ALU(2, psubsw) ALU(1, psubusb)
ALU(2, psubusw)
ALU(1, pavgb) ALU(2, pavgw) ALU(2, pmulhuw) ALU(2, pmulhw) ALU(2, pmullw) ALU(2, pmulhrsw)
ALU_B(8, pmuludq) ALU_B(8, pmuldq) ALU_B(4, pmulld) ALU_B(8, pmullq) ALU_NF(4, pmaddwd) ALU_NF(2, pmaddubsw)
ALU(1, pminub) ALU(1, pmaxub) ALU(1, pminsb) ALU(1, pmaxsb) ALU(2, pminsw) ALU(2, pmaxsw) ALU(2, pminuw)
ALU(2, pmaxuw)
ALU_B(4, pminsd) ALU_B(4, pmaxsd) ALU_B(4, pminud) ALU_B(4, pmaxud)
ALU_B(8, pminsq) ALU_B(8, pmaxsq) ALU_B(8, pminuq) ALU_B(8, pmaxuq)
ALU2(1, pabsb) ALU2(2, pabsw) ALU2_B(4, pabsd) ALU2_B(8, pabsq)
ALU_B(4, pandd) ALU_B(8, pandq) ALU_B(4, pandnd) ALU_B(8, pandnq) ALU_B(4, pord) ALU_B(8, porq)
ALU_B(4, pxord) ALU_B(8, pxorq)
ALU_NF(1, packsswb) ALU_NF(1, packuswb) ALU_NFB(2, 4, packssdw) ALU_NFB(2, 4, packusdw)
ALU_NF(1, pshufb) ALU_NF(1, punpcklbw) ALU_NF(2, punpcklwd) ALU_NFB(4, 4, punpckldq) ALU_NFB(8, 8, punpcklqdq)
ALU_NF(1, punpckhbw) ALU_NF(2, punpckhwd) ALU_NFB(4, 4, punpckhdq) ALU_NFB(8, 8, punpckhqdq)
ALU_NFB(4, 4, unpcklps) ALU_NFB(8, 8, unpcklpd) ALU_NFB(4, 4, unpckhps) ALU_NFB(8, 8, unpckhpd)
/* ---- shifts and rotations ---- */
#define COUNT(esize, name)                                                                                  \
  WIDE_SHAPE(vec_##name, WF_A | WF_COUNT, esize, esize, 0, 0) WIDE_CORES(vec_##name, "v" #name, WIDE_INSNC) \
  WIDE_BODY_3(vec_##name)
COUNT(2, psllw) COUNT(4, pslld) COUNT(8, psllq) COUNT(2, psrlw) COUNT(4, psrld) COUNT(8, psrlq)
COUNT(2, psraw) COUNT(4, psrad) COUNT(8, psraq)
/* By the immediate. */
#define IMM_WORDS(insn, imm) insn " $" imm ", %zmm18, %zmm17{%k1}"
#define IMM_WORDS3(insn, imm) insn " $" imm ", %zmm18, %zmm16, %zmm17{%k1}"
#define IMM2(esize, name, insn) \
  WIDE_SHAPE(vec_##name, 0, esize, esize, 0, 0) WIDE_BY_IMM(vec_##name, IMM_WORDS(insn, "lane_n"), vex_imm(i))
#define IMM2_NF(esize, name, insn) \
  WIDE_SHAPE(vec_##name, WF_ALL, esize, esize, 0, 0)   \
  WIDE_BY_IMM(vec_##name, IMM_WORDS(insn, "lane_n"), vex_imm(i))
#define IMM3(flags, esize, bsize, name, insn) \
  WIDE_SHAPE(vec_##name, flags, esize, bsize, 0, 0)   \
  WIDE_BY_IMM(vec_##name, IMM_WORDS3(insn, "lane_n"), vex_imm(i))
/* Shifts without a call: by a count in a register, which all of the immediate is. */
#define SHIFT_CORE(name, how, insn, s, masked) \
  WIDE_CORE(name, how, WIDE_ASM("vmovd %0, %%xmm19\n\t" insn " %%xmm19, %%" s "mm18, %%" s "mm17" masked, \
      "r"(vex_imm(i))))
#define SHIFT(esize, name, BODY)                                                            \
  WIDE_SHAPE(vec_##name##_imm, 0, esize, esize, 0, 0)                                       \
  SHIFT_CORE(vec_##name##_imm, 0, "v" #name, "x", "") SHIFT_CORE(vec_##name##_imm, 1, "v" #name, "y", "") \
  SHIFT_CORE(vec_##name##_imm, 2, "v" #name, "z", "") SHIFT_CORE(vec_##name##_imm, K, "v" #name, "z", \
      WIDE_MASKED) \
  BODY(vec_##name##_imm)
SHIFT(2, psllw, WIDE_BODY_3) SHIFT(4, pslld, WIDE_BODY_3B) SHIFT(8, psllq, WIDE_BODY_3B)
SHIFT(2, psrlw, WIDE_BODY_3) SHIFT(4, psrld, WIDE_BODY_3B) SHIFT(8, psrlq, WIDE_BODY_3B)
SHIFT(2, psraw, WIDE_BODY_3) SHIFT(4, psrad, WIDE_BODY_3B) SHIFT(8, psraq, WIDE_BODY_3B)
#define BYTE_SHIFT(name, insn)                         \
  WIDE_SHAPE(vec_##name, WF_BARE, 8, 8, 0, 0)          \
  WIDE_BY_IMM(vec_##name, insn " $lane_n, %zmm18, %zmm17", vex_imm(i)) WIDE_BODY_K(vec_##name)
BYTE_SHIFT(pslldq_imm, "vpslldq") BYTE_SHIFT(psrldq_imm, "vpsrldq")
ALU_B(4, psllvd) ALU_B(8, psllvq) ALU_B(4, psrlvd) ALU_B(8, psrlvq) ALU_B(4, psravd) ALU_B(8, psravq)
ALU(2, psllvw) ALU(2, psrlvw) ALU(2, psravw)
ALU_B(4, prolvd) ALU_B(8, prolvq) ALU_B(4, prorvd) ALU_B(8, prorvq)
IMM2(4, prold, "vprold") WIDE_BODY_KB(vec_prold) IMM2(8, prolq, "vprolq") WIDE_BODY_KB(vec_prolq)
IMM2(4, prord, "vprord") WIDE_BODY_KB(vec_prord) IMM2(8, prorq, "vprorq") WIDE_BODY_KB(vec_prorq)

/* With the destination as a third source. */
#define OLD(esize, bsize, flags, name) \
  WIDE_SHAPE(vec_##name, WF_A | WF_OLD | (flags), esize, bsize, 0, 0) WIDE_CORES(vec_##name, "v" #name, \
      WIDE_INSN3)
#define OLD_3(esize, name) OLD(esize, esize, 0, name) WIDE_BODY_3(vec_##name)
#define OLD_3B(esize, name) OLD(esize, esize, 0, name) WIDE_BODY_3B(vec_##name)
OLD_3(2, pshldvw) OLD_3B(4, pshldvd) OLD_3B(8, pshldvq)
OLD_3(2, pshrdvw) OLD_3B(4, pshrdvd) OLD_3B(8, pshrdvq)
IMM3(WF_A, 2, 2, pshldw, "vpshldw") WIDE_BODY_K(vec_pshldw)
IMM3(WF_A, 4, 4, pshldd, "vpshldd") WIDE_BODY_KB(vec_pshldd)
IMM3(WF_A, 8, 8, pshldq, "vpshldq") WIDE_BODY_KB(vec_pshldq)
IMM3(WF_A, 2, 2, pshrdw, "vpshrdw") WIDE_BODY_K(vec_pshrdw)
IMM3(WF_A, 4, 4, pshrdd, "vpshrdd") WIDE_BODY_KB(vec_pshrdd)
IMM3(WF_A, 8, 8, pshrdq, "vpshrdq") WIDE_BODY_KB(vec_pshrdq)
IMM3(WF_A | WF_OLD, 4, 4, pternlogd, "vpternlogd") WIDE_BODY_KB(vec_pternlogd)
IMM3(WF_A | WF_OLD, 8, 8, pternlogq, "vpternlogq") WIDE_BODY_KB(vec_pternlogq)
OLD_3B(4, pdpbusd) OLD_3B(4, pdpbusds) OLD_3B(4, pdpwssd) OLD_3B(4, pdpwssds) OLD_3B(8, pmadd52luq)
    OLD_3B(8, pmadd52huq)

/* ---- counts, conflicts ---- */
ALU2(1, popcntb) ALU2(2, popcntw)
ALU2_B(4, popcntd) ALU2_B(8, popcntq) ALU2_B(4, plzcntd) ALU2_B(8, plzcntq)
#define CONFLICT(esize, name) \
  WIDE_SHAPE(vec_##name, WF_ALL, esize, esize, 0, 0) WIDE_CORES(vec_##name, "v" #name, WIDE_INSN2) \
      WIDE_BODY_3B(vec_##name)
CONFLICT(4, pconflictd) CONFLICT(8, pconflictq)

/* ---- comparison and tests into opmasks; VEX: into a vector ---- */
#define TO_K(esize, name, insn) \
  WIDE_SHAPE(vec_##name, WF_A | WF_TO_K, esize, esize, 0, 0) WIDE_CORES(vec_##name, insn, WIDE_INSNK)
#define TO_VECTOR(insn, s, letter) insn " %%" s "mm18, %%" s "mm16, %%k2\n\tvpmovm2" letter " %%k2, %%" s \
    "mm17"
#define COMPARE(esize, letter, name, BODY)                                                           \
  TO_K(esize, name##letter##_k, "v" #name #letter) BODY(vec_##name##letter##_k)                      \
  WIDE_SHAPE(vec_##name##letter, WF_A, esize, esize, 0, 0)                                           \
  WIDE_CORE(vec_##name##letter, 0, WIDE_ASM(TO_VECTOR("v" #name #letter, "x", #letter), ))           \
  WIDE_CORE(vec_##name##letter, 1, WIDE_ASM(TO_VECTOR("v" #name #letter, "y", #letter), ))           \
  WIDE_CORE(vec_##name##letter, 2, WIDE_ASM(TO_VECTOR("v" #name #letter, "z", #letter), ))           \
  WIDE_3(vec_##name##letter) const struct wide wide_vec_##name##letter = \
      {{WIDE_FAST_ROW(vec_##name##letter)}};
COMPARE(1, b, pcmpeq, WIDE_BODY_3) COMPARE(2, w, pcmpeq, WIDE_BODY_3) COMPARE(4, d, pcmpeq, WIDE_BODY_3B)
COMPARE(8, q, pcmpeq, WIDE_BODY_3B)
COMPARE(1, b, pcmpgt, WIDE_BODY_3) COMPARE(2, w, pcmpgt, WIDE_BODY_3) COMPARE(4, d, pcmpgt, WIDE_BODY_3B)
COMPARE(8, q, pcmpgt, WIDE_BODY_3B)
#define TEST(esize, name, BODY) TO_K(esize, name, "v" #name) BODY(vec_##name)
TEST(1, ptestmb, WIDE_BODY_3) TEST(2, ptestmw, WIDE_BODY_3) TEST(4, ptestmd, WIDE_BODY_3B) TEST(8, ptestmq,
    WIDE_BODY_3B)
TEST(1, ptestnmb, WIDE_BODY_3) TEST(2, ptestnmw, WIDE_BODY_3) TEST(4, ptestnmd, WIDE_BODY_3B) TEST(8,
    ptestnmq, WIDE_BODY_3B)
TEST(1, pshufbitqmb, WIDE_BODY_3)
/* Predicates are a choice of eight. */
#define PREDICATE(n, insn, s, masked) case n: WIDE_ASM(insn " $" #n ", %%" s "mm18, %%" s "mm16, %%k2" \
    masked, ); break;
#define PREDICATES(insn, s, masked)                                                                        \
  switch (vex_imm(i) & 7) {                                                                                \
    PREDICATE(0, insn, s, masked) PREDICATE(1, insn, s, masked) PREDICATE(2, insn, s, masked) PREDICATE(3, \
        insn, s, masked) \
    PREDICATE(4, insn, s, masked) PREDICATE(5, insn, s, masked) PREDICATE(6, insn, s, masked) PREDICATE(7, \
        insn, s, masked) \
  }
#define COMPARE_IMM(esize, name, BODY)                           \
  WIDE_SHAPE(vec_##name, WF_A | WF_TO_K, esize, esize, 0, 0)     \
  WIDE_CORE(vec_##name, K, PREDICATES("v" #name, "z", WIDE_MASKED)) BODY(vec_##name)
COMPARE_IMM(1, pcmpb, WIDE_BODY_K) COMPARE_IMM(2, pcmpw, WIDE_BODY_K) COMPARE_IMM(4, pcmpd, WIDE_BODY_KB)
COMPARE_IMM(8, pcmpq, WIDE_BODY_KB)
COMPARE_IMM(1, pcmpub, WIDE_BODY_K) COMPARE_IMM(2, pcmpuw, WIDE_BODY_K) COMPARE_IMM(4, pcmpud, WIDE_BODY_KB)
COMPARE_IMM(8, pcmpuq, WIDE_BODY_KB)

/* ---- blends ---- */
/* Elements that are not selected are the first source's, or zero. */
#define BLEND(esize, name, mov, BODY)                                                        \
  WIDE_SHAPE(vec_##name, WF_A | WF_OLD, esize, esize, 0, 0)                                  \
  WIDE_CORE(vec_##name, K, wide_above(i); WIDE_ASM("v" #name " %%zmm18, %%zmm17, %%zmm17%{%%k1%}", )) \
      BODY(vec_##name)
/* The first source in place of the destination's old value, without what is above the length. */
ALWAYS_INLINE void wide_above(const struct insn *i) {
  (void)i;
  WIDE_ASM("vmovdqu8 %%zmm16, %%zmm17%{%%k2%}%{z%}", );
}
BLEND(1, pblendmb, "vmovdqu8", WIDE_BODY_K) BLEND(2, pblendmw, "vmovdqu16", WIDE_BODY_K)
BLEND(4, pblendmd, "vmovdqu32", WIDE_BODY_KB) BLEND(8, pblendmq, "vmovdqu64", WIDE_BODY_KB)
/* By the immediate's bits. */
#define BLEND_ASM(insn, s, bits) WIDE_ASM("kmovd %0, %%k2\n\t" insn " %%" s "mm18, %%" s "mm16, %%" s \
    "mm17%{%%k2%}", "r"(bits))
#define BLEND_IMM(name, esize, insn, bits)                                                  \
  WIDE_SHAPE(vec_##name, WF_A, esize, esize, 0, 0)                                          \
  WIDE_CORE(vec_##name, 0, BLEND_ASM(insn, "x", bits)) WIDE_CORE(vec_##name, 1, BLEND_ASM(insn, "y", bits)) \
  WIDE_CORE(vec_##name, 2, BLEND_ASM(insn, "z", bits)) WIDE_3(vec_##name)                   \
  const struct wide wide_vec_##name = {{WIDE_FAST_ROW(vec_##name)}};
BLEND_IMM(pblendw, 2, "vpblendmw", vex_imm(i) * 0x101) BLEND_IMM(blendd, 4, "vpblendmd", vex_imm(i))
BLEND_IMM(blendq, 8, "vpblendmq", vex_imm(i))
/* By the signs of a fourth register. */
#define BLEND_SIGNS(s, letter) \
  WIDE_LOAD("19", vec_bytes(cpu, vex_is4(cpu, i)), 64); \
  WIDE_ASM("vpmov" letter "2m %%" s "mm19, %%k2\n\tvpblendm" letter " %%" s "mm18, %%" s "mm16, %%" s \
      "mm17%{%%k2%}", )
#define BLEND_VAR(name, esize, letter) \
  WIDE_SHAPE(vec_##name, WF_A, esize, esize, 0, 0) \
  WIDE_CORE(vec_##name, 0, BLEND_SIGNS("x", letter)) WIDE_CORE(vec_##name, 1, BLEND_SIGNS("y", letter)) \
  WIDE_CORE(vec_##name, 2, BLEND_SIGNS("z", letter)) WIDE_3(vec_##name) \
  const struct wide wide_vec_##name = {{WIDE_FAST_ROW(vec_##name)}};
BLEND_VAR(blendvb, 1, "b") BLEND_VAR(blendvd, 4, "d") BLEND_VAR(blendvq, 8, "q")

/* ---- permutations ---- */
IMM2_NF(4, pshufd, "vpshufd") WIDE_BODY_KB(vec_pshufd)
IMM2_NF(2, pshufhw, "vpshufhw") WIDE_BODY_K(vec_pshufhw) IMM2_NF(2, pshuflw, "vpshuflw")
    WIDE_BODY_K(vec_pshuflw)
IMM2_NF(4, permilps_imm, "vpermilps") WIDE_BODY_KB(vec_permilps_imm)
IMM2_NF(8, permilpd_imm, "vpermilpd") WIDE_BODY_KB(vec_permilpd_imm)
IMM2_NF(8, permq_imm, "vpermq") WIDE_BODY_KB(vec_permq_imm)
IMM3(WF_A | WF_ALL, 4, 4, shufps, "vshufps") WIDE_BODY_KB(vec_shufps)
IMM3(WF_A | WF_ALL, 8, 8, shufpd, "vshufpd") WIDE_BODY_KB(vec_shufpd)
IMM3(WF_A | WF_ALL, 1, 1, palignr, "vpalignr") WIDE_BODY_K(vec_palignr)
ALU_NFB(4, 4, permilps) ALU_NFB(8, 8, permilpd)
/* Across lanes: only of the length itself, as indices count from its start. */
#define LENGTHS(name, esize, bsize, flags, insn, WORDS) \
  WIDE_SHAPE(vec_##name, flags, esize, bsize, 0, 0) WIDE_CORES_BY(vec_##name, insn, WORDS)
#define WIDE_CORES_BY(name, insn, WORDS)                                                             \
  WIDE_CORE(name, 0, WIDE_ASM(WORDS(insn, "x"), )) WIDE_CORE(name, 1, WIDE_ASM(WORDS(insn, "y"), )) \
  WIDE_CORE(name, 2, WIDE_ASM(WORDS(insn, "z"), ))                                                  \
  WIDE_CORE(name, K, switch (vex_vl(i)) {                                                           \
    case 0: WIDE_ASM(WORDS(insn, "x") WIDE_MASKED, ); break;                                        \
    case 1: WIDE_ASM(WORDS(insn, "y") WIDE_MASKED, ); break;                                        \
    default: WIDE_ASM(WORDS(insn, "z") WIDE_MASKED, ); break;                                       \
  })
#define ACROSS(name, esize, flags, BODY) LENGTHS(name, esize, esize, WF_A | WF_ALL | (flags), "v" #name, \
    WIDE_INSN3) BODY(vec_##name)
ACROSS(permb, 1, 0, WIDE_BODY_3) ACROSS(permw, 2, 0, WIDE_BODY_3)
ACROSS(permi2b, 1, WF_OLD, WIDE_BODY_3) ACROSS(permi2w, 2, WF_OLD, WIDE_BODY_3)
ACROSS(permi2d, 4, WF_OLD, WIDE_BODY_3B) ACROSS(permi2q, 8, WF_OLD, WIDE_BODY_3B)
ACROSS(permt2b, 1, WF_OLD, WIDE_BODY_3) ACROSS(permt2w, 2, WF_OLD, WIDE_BODY_3)
ACROSS(permt2d, 4, WF_OLD, WIDE_BODY_3B) ACROSS(permt2q, 8, WF_OLD, WIDE_BODY_3B)
ALU_NFB(1, 8, pmultishiftqb)
#define ACROSS_256(name, esize)                                                                           \
  WIDE_SHAPE(vec_##name, WF_A | WF_ALL, esize, esize, 0, 0)                                               \
  WIDE_CORE(vec_##name, 1, WIDE_ASM(WIDE_INSN3("v" #name, "y"), ))                                        \
  WIDE_CORE(vec_##name, 2, WIDE_ASM(WIDE_INSN3("v" #name, "z"), ))                                        \
  WIDE_CORE(vec_##name, K, if (vex_vl(i) == 1) WIDE_ASM(WIDE_INSN3("v" #name, "y") WIDE_MASKED, );        \
            else WIDE_ASM(WIDE_INSN3("v" #name, "z") WIDE_MASKED, ))                                      \
  WIDE_FAST(vec_##name, 1) WIDE_FAST(vec_##name, 2) WIDE_K2(vec_##name) WIDE_ANY(vec_##name, B, WIDE_B)   \
  const struct wide wide_vec_##name = {{NULL, h_wide_vec_##name##_R1, h_wide_vec_##name##_R2, NULL, \
      h_wide_vec_##name##_M1, \
    h_wide_vec_##name##_M2, h_wide_vec_##name##_RK, h_wide_vec_##name##_MK, h_wide_vec_##name##_B}};
ACROSS_256(permd, 4) ACROSS_256(permq, 8)

/* From element imm on of the second source, the first above it: as a permutation of two tables. */
static const u32 dword_numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const u64 qword_numbers[8] = {0, 1, 2, 3, 4, 5, 6, 7};
#define ALIGN_WORDS(letter, s)                                                                            \
  "vpadd" letter " %%" s "mm20, %%" s "mm19, %%" s "mm20\n\tvmovdqa64 %%" s "mm18, %%" s "mm19\n\t"       \
  "vpermt2" letter " %%" s "mm16, %%" s "mm20, %%" s "mm19"
#define ALIGN(name, esize, bits_, letter, reg, numbers)                                                   \
  WIDE_SHAPE(vec_##name, WF_A | WF_ALL, esize, esize, 0, 0)                                               \
  WIDE_CORE(vec_##name, K,                                                                                \
            WIDE_ASM("vpbroadcast" letter " %" reg "0, %%zmm20", "r"(vex_imm(i) & ((16u << vex_vl(i)) / \
                esize - 1))); \
            WIDE_LOAD("19", numbers, 64);                                                                 \
            switch (vex_vl(i)) {                                                                          \
              case 0: WIDE_ASM(ALIGN_WORDS(letter, "x"), ); break;                                        \
              case 1: WIDE_ASM(ALIGN_WORDS(letter, "y"), ); break;                                        \
              default: WIDE_ASM(ALIGN_WORDS(letter, "z"), ); break;                                       \
            }                                                                                             \
            WIDE_ASM("vmovdqa" #bits_ " %%zmm19, %%zmm17" WIDE_MASKED, ))                                 \
  WIDE_BODY_KB(vec_##name)
ALIGN(alignd, 4, 32, "d", "k", dword_numbers) ALIGN(alignq, 8, 64, "q", "q", qword_numbers)

/* 128-bit parts: the immediate counts by the length. */
#define QUARTERS(insn, s, imm, masked)                                                                    \
  switch ((imm) & 3) {                                                                                    \
    case 0: WIDE_ASM(insn " $0, %%" s ", %%zmm17" masked, ); break;                                       \
    case 1: WIDE_ASM(insn " $1, %%" s ", %%zmm17" masked, ); break;                                       \
    case 2: WIDE_ASM(insn " $2, %%" s ", %%zmm17" masked, ); break;                                       \
    default: WIDE_ASM(insn " $3, %%" s ", %%zmm17" masked, ); break;                                      \
  }
#define SHUF_256(n, insn) case n: WIDE_ASM(insn " $" #n ", %%ymm18, %%ymm16, %%ymm17" WIDE_MASKED, ); break;
#define SHUF128(name, esize, insn)                                                                        \
  WIDE_SHAPE(vec_##name, WF_A | WF_ALL, esize, esize, 0, 0)                                               \
  WIDE_TABLE(vec_##name, IMM_WORDS3(insn, "lane_n"))                                                      \
  WIDE_CORE(vec_##name, K,                                                                                \
            if (vex_vl(i) == 2) wide_call(wide_table_vec_##name[vex_imm(i)]);                             \
            else switch (vex_imm(i) & 3) { SHUF_256(0, insn) SHUF_256(1, insn) SHUF_256(2, insn) \
                SHUF_256(3, insn) }) \
  WIDE_BODY_KB(vec_##name)
SHUF128(shuf128_d, 4, "vshufi32x4") SHUF128(shuf128_q, 8, "vshufi64x2")
#define INSERT128(name, esize, insn)                                                                      \
  WIDE_SHAPE(vec_##name, WF_A | WF_COUNT | WF_ALL, esize, esize, 0, 0)                                    \
  WIDE_CORE(vec_##name, K, QUARTERS(insn, "xmm18, %%zmm16", vex_imm(i) & ((1u << vex_vl(i)) - 1), \
      WIDE_MASKED)) \
  WIDE_BODY_K(vec_##name)
INSERT128(insert128_d, 4, "vinserti32x4") INSERT128(insert128_q, 8, "vinserti64x2")
#define INSERT256(name, esize, insn)                                                                      \
  WIDE_SHAPE(vec_##name, WF_A | WF_ALL, esize, esize, 1, 0)                                               \
  WIDE_CORE(vec_##name, K, if (vex_imm(i) & 1) WIDE_ASM(insn " $1, %%ymm18, %%zmm16, %%zmm17" WIDE_MASKED, \
      ); \
            else WIDE_ASM(insn " $0, %%ymm18, %%zmm16, %%zmm17" WIDE_MASKED, ))                           \
  WIDE_BODY_K(vec_##name)
INSERT256(insert256_d, 4, "vinserti32x8") INSERT256(insert256_q, 8, "vinserti64x4")
/* VPERM2F128, VPERM2I128: two of four parts, or zero. */
WIDE_SHAPE(vec_perm2x128, WF_A | WF_ALL, 8, 8, 0, 0)
ALWAYS_INLINE void perm2x128(unsigned imm) {
  u64 lo = imm & 3, hi = imm >> 4 & 3, qwords = lo * 0x0202 + (hi * 0x0202 << 16) + 0x01000100;
  WIDE_ASM("vmovd %k0, %%xmm19\n\tvpmovzxbq %%xmm19, %%ymm19", "r"(qwords));
  WIDE_K("2", (imm & 8 ? 0 : 3) | (imm & 0x80 ? 0 : 12));
  WIDE_ASM("vmovdqa64 %%ymm16, %%ymm17\n\tvmovdqa64 %%ymm19, %%ymm20\n\t"
           "vpermt2q %%ymm18, %%ymm20, %%ymm17%{%%k2%}%{z%}", );
}
WIDE_CORE(vec_perm2x128, 1, perm2x128(vex_imm(i)))
WIDE_FAST(vec_perm2x128, 1)
const struct wide wide_vec_perm2x128 = {{[WIDE_R + 1] = h_wide_vec_perm2x128_R1, [WIDE_M + 1] =
    h_wide_vec_perm2x128_M1}};

/* ---- broadcasts ---- */
#define SPLAT(name, esize, bsize, flags, insn, from)                                                      \
  WIDE_SHAPE(vec_##name, WF_ONE | (flags), esize, bsize, 0, 0)                                            \
  WIDE_CORE(vec_##name, 0, WIDE_ASM(insn " %%" from ", %%xmm17", ))                                       \
  WIDE_CORE(vec_##name, 1, WIDE_ASM(insn " %%" from ", %%ymm17", ))                                       \
  WIDE_CORE(vec_##name, 2, WIDE_ASM(insn " %%" from ", %%zmm17", ))                                       \
  WIDE_CORE(vec_##name, K, WIDE_ASM(insn " %%" from ", %%zmm17" WIDE_MASKED, )) WIDE_BODY_3(vec_##name)
SPLAT(broadcast_b, 1, 1, 0, "vpbroadcastb", "xmm18") SPLAT(broadcast_w, 2, 2, 0, "vpbroadcastw", "xmm18")
SPLAT(broadcast_d, 4, 4, 0, "vpbroadcastd", "xmm18") SPLAT(broadcast_q, 8, 8, 0, "vpbroadcastq", "xmm18")
#define SPLAT_K(name, esize, bsize, insn, from)                                                           \
  WIDE_SHAPE(vec_##name, WF_ONE | WF_ALL, esize, bsize, 0, 0)                                             \
  WIDE_CORE(vec_##name, K, WIDE_ASM(insn " %%" from ", %%zmm17" WIDE_MASKED, )) WIDE_BODY_K(vec_##name)
SPLAT_K(broadcast_64_d, 4, 8, "vbroadcasti32x2", "xmm18")
SPLAT_K(broadcast_128_d, 4, 16, "vshufi32x4 $0, %%zmm18,", "zmm18") SPLAT_K(broadcast_128_q, 8, 16,
    "vshufi64x2 $0, %%zmm18,", "zmm18")
SPLAT_K(broadcast_256_d, 4, 32, "vshufi32x4 $0x44, %%zmm18,", "zmm18")
SPLAT_K(broadcast_256_q, 8, 32, "vshufi64x2 $0x44, %%zmm18,", "zmm18")

/* ---- widening ---- */
#define WIDEN(types, esize, shift, b1, b2)                                                                \
  WIDEN_ONE(pmovzx##types, esize, shift, b1, b2) WIDEN_ONE(pmovsx##types, esize, shift, b1, b2)
#define WIDEN_ONE(name, esize, shift, b1, b2)                                                             \
  WIDE_SHAPE(vec_##name, 0, esize, esize >> shift, shift, 0)                                              \
  WIDE_CORE(vec_##name, 0, WIDE_ASM("v" #name " %%xmm18, %%xmm17", ))                                     \
  WIDE_CORE(vec_##name, 1, WIDE_ASM("v" #name " %%" b1 "mm18, %%ymm17", ))                                \
  WIDE_CORE(vec_##name, 2, WIDE_ASM("v" #name " %%" b2 "mm18, %%zmm17", ))                                \
  WIDE_CORE(vec_##name, K, WIDE_ASM("v" #name " %%" b2 "mm18, %%zmm17" WIDE_MASKED, )) WIDE_BODY_3(vec_##name)
WIDEN(bw, 2, 1, "x", "y") WIDEN(bd, 4, 2, "x", "x") WIDEN(bq, 8, 3, "x", "x")
WIDEN(wd, 4, 1, "x", "y") WIDEN(wq, 8, 2, "x", "x") WIDEN(dq, 8, 1, "x", "y")

/* ---- AES, carry-less multiplication, GF(2^8) ---- */
#define LANES_BARE(name)                                                                                  \
  WIDE_SHAPE(vec_##name, WF_A, 8, 8, 0, 0)                                                                \
  WIDE_CORE(vec_##name, 0, WIDE_ASM(WIDE_INSN3("v" #name, "x"), )) WIDE_CORE(vec_##name, 1, \
      WIDE_ASM(WIDE_INSN3("v" #name, "y"), )) \
  WIDE_CORE(vec_##name, 2, WIDE_ASM(WIDE_INSN3("v" #name, "z"), ))                                        \
  WIDE_3(vec_##name) const struct wide wide_vec_##name = {{WIDE_FAST_ROW(vec_##name)}};
LANES_BARE(psadbw) LANES_BARE(aesenc) LANES_BARE(aesenclast) LANES_BARE(aesdec) LANES_BARE(aesdeclast)
#define CLMUL(s) \
  switch (vex_imm(i) & 17) { \
    case 0: WIDE_ASM("vpclmulqdq $0, %%" s "mm18, %%" s "mm16, %%" s "mm17", ); break; \
    case 1: WIDE_ASM("vpclmulqdq $1, %%" s "mm18, %%" s "mm16, %%" s "mm17", ); break; \
    case 16: WIDE_ASM("vpclmulqdq $16, %%" s "mm18, %%" s "mm16, %%" s "mm17", ); break; \
    default: WIDE_ASM("vpclmulqdq $17, %%" s "mm18, %%" s "mm16, %%" s "mm17", ); break; \
  }
WIDE_SHAPE(vec_pclmulqdq, WF_A, 8, 8, 0, 0)
WIDE_CORE(vec_pclmulqdq, 0, CLMUL("x")) WIDE_CORE(vec_pclmulqdq, 1, CLMUL("y")) WIDE_CORE(vec_pclmulqdq, 2,
    CLMUL("z"))
WIDE_3(vec_pclmulqdq) const struct wide wide_vec_pclmulqdq = {{WIDE_FAST_ROW(vec_pclmulqdq)}};
ALU(1, gf2p8mulb)
IMM3(WF_A | WF_ALL, 1, 8, gf2p8affineqb, "vgf2p8affineqb") WIDE_BODY_KB(vec_gf2p8affineqb)
IMM3(WF_A | WF_ALL, 1, 8, gf2p8affineinvqb, "vgf2p8affineinvqb") WIDE_BODY_KB(vec_gf2p8affineinvqb)
IMM3(WF_A | WF_ALL, 2, 2, dbpsadbw, "vdbpsadbw") WIDE_BODY_K(vec_dbpsadbw)
