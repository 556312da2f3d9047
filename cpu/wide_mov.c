/* AVX and AVX-512 moves as the host's own: whole vectors with and without opmask, first elements, masks,
 * narrowing, compression and expansion, extraction. SDM 2 (the instructions' pages). */
#include "cpu/wide.h"

const bool wide_linked_mov = true;

/* To memory: the low n bytes of the result. */
#define WIDE_SAVE(p, n)                                                                                   \
  do {                                                                                                    \
    switch (n) {                                                                                          \
      case 2: __asm__ volatile("vpextrw $0, %%xmm17, %0" : "=m"(WIDE_PART(p, 2))); break;                 \
      case 4: __asm__ volatile("vmovd %%xmm17, %0" : "=m"(WIDE_PART(p, 4))); break;                       \
      case 8: __asm__ volatile("vmovq %%xmm17, %0" : "=m"(WIDE_PART(p, 8))); break;                       \
      case 16: __asm__ volatile("vmovdqu64 %%xmm17, %0" : "=m"(WIDE_PART(p, 16))); break;                 \
      case 32: __asm__ volatile("vmovdqu64 %%ymm17, %0" : "=m"(WIDE_PART(p, 32))); break;                 \
      default: __asm__ volatile("vmovdqu64 %%zmm17, %0" : "=m"(WIDE_PART(p, 64))); break;                 \
    }                                                                                                     \
  } while (0)
/* The elements of a register that K1 selects. */
#define SAVE_SELECTED(p, size, reg)                                                                       \
  do {                                                                                                    \
    switch (size) {                                                                                       \
      case 1: __asm__ volatile("vmovdqu8 %%zmm" reg ", %0%{%%k1%}" : "+m"(WIDE_PART(p, 64))); break;      \
      case 2: __asm__ volatile("vmovdqu16 %%zmm" reg ", %0%{%%k1%}" : "+m"(WIDE_PART(p, 64))); break;     \
      case 4: __asm__ volatile("vmovdqu32 %%zmm" reg ", %0%{%%k1%}" : "+m"(WIDE_PART(p, 64))); break;     \
      default: __asm__ volatile("vmovdqu64 %%zmm" reg ", %0%{%%k1%}" : "+m"(WIDE_PART(p, 64))); break;    \
    }                                                                                                     \
  } while (0)
#define SLOW(name) return body_##name.fn[0][FORM_X](cpu, i)

/* ---- whole vectors ---- */
#define MOVE(name, esize, flags, insn) WIDE_SHAPE(name, flags, esize, esize, 0, 0) WIDE_CORES(name, insn, \
    WIDE_INSN2)
#define LOAD(name, esize, flags, insn) MOVE(name, esize, flags, insn) WIDE_BODY_3(name)
#define STORE_M(name, vl)                                                                                 \
  WIDE_H(name, M##vl) {                                                                                   \
    u8 *p = wide_hit(cpu, i, 16u << vl, wide_shape_of_##name(), ACC_WRITE);                               \
    if (unlikely(!p)) SLOW(name);                                                                         \
    WIDE_LOAD("17", vec_bytes(cpu, i->src), 16u << vl);                                                   \
    WIDE_SAVE(p, 16u << vl);                                                                              \
    NEXT(cpu, i, FORM_M);                                                                                 \
  }
#define STORE(name, esize, flags, insn)                                                                   \
  MOVE(name, esize, flags, insn)                                                                          \
  WIDE_H(name, R0) { return wide_r(cpu, i, 0, wide_shape_of_##name(), wide_core_##name##_0, &body_##name); } \
  WIDE_H(name, R1) { return wide_r(cpu, i, 1, wide_shape_of_##name(), wide_core_##name##_1, &body_##name); } \
  WIDE_H(name, R2) { return wide_r(cpu, i, 2, wide_shape_of_##name(), wide_core_##name##_2, &body_##name); } \
  STORE_M(name, 0) STORE_M(name, 1) STORE_M(name, 2) WIDE_ANY(name, RK, WIDE_RK)                          \
  WIDE_H(name, MK) {                                                                                      \
    u8 *p = wide_hit(cpu, i, 16u << vex_vl(i), wide_shape_of_##name(), ACC_WRITE);                        \
    u64 k = wide_selected(cpu, i, esize);                                                                 \
    if (unlikely(!p || !k)) SLOW(name);                                                                   \
    WIDE_K("1", k);                                                                                       \
    WIDE_LOAD("18", vec_bytes(cpu, i->src), 64);                                                          \
    SAVE_SELECTED(p, esize, "18");                                                                        \
    NEXT(cpu, i, FORM_M);                                                                                 \
  }                                                                                                       \
  const struct wide wide_##name = {{WIDE_FAST_ROW(name), h_wide_##name##_RK, h_wide_##name##_MK}};
LOAD(vec_load_1, 1, 0, "vmovdqu8") LOAD(vec_load_2, 2, 0, "vmovdqu16") LOAD(vec_load_4, 4, 0, "vmovdqu32")
LOAD(vec_load_8, 8, 0, "vmovdqu64") LOAD(vec_load_a4, 4, WF_ALIGNED, "vmovdqu32") LOAD(vec_load_a8, 8,
    WF_ALIGNED, "vmovdqu64")
STORE(vec_store_1, 1, 0, "vmovdqu8") STORE(vec_store_2, 2, 0, "vmovdqu16") STORE(vec_store_4, 4, 0,
    "vmovdqu32")
STORE(vec_store_8, 8, 0, "vmovdqu64") STORE(vec_store_a4, 4, WF_ALIGNED, "vmovdqu32")
STORE(vec_store_a8, 8, WF_ALIGNED, "vmovdqu64")
LOAD(vec_movsldup, 4, WF_ALL, "vmovsldup") LOAD(vec_movshdup, 4, WF_ALL, "vmovshdup")

/* By the signs of the vector in vvvv. */
#define BY_SIGNS(name, letter, size, act)                                                                 \
  extern const struct body body_##name;                                                                   \
  WIDE_H(name, M) {                                                                                       \
    u8 *p = vex_hit(cpu, i, 16u << vex_vl(i), size < 0 ? ACC_WRITE : ACC_READ);                           \
    u64 k;                                                                                                \
    WIDE_LOAD("16", vec_bytes(cpu, vex_vvvv(i)), 64);                                                     \
    __asm__ volatile("vpmov" letter "2m %%zmm16, %%k1\n\tkmovq %%k1, %0" : "=r"(k));                      \
    k &= wide_ones(4 - wide_log(size < 0 ? -size : size) + vex_vl(i));                                    \
    if (unlikely(!p || !k)) SLOW(name);                                                                   \
    WIDE_K("1", k);                                                                                       \
    act;                                                                                                  \
    NEXT(cpu, i, FORM_M);                                                                                 \
  }                                                                                                       \
  const struct wide wide_##name = {{[WIDE_M] = h_wide_##name##_M, [WIDE_M + 1] = h_wide_##name##_M}};
#define MASK_LOAD(insn) WIDE_ASM(insn " %0, %%zmm17%{%%k1%}%{z%}", "m"(WIDE_PART(p, 64))); \
    WIDE_STORE(vec_bytes(cpu, i->dst))
#define MASK_STORE(size) WIDE_LOAD("18", vec_bytes(cpu, i->src), 64); SAVE_SELECTED(p, size, "18")
BY_SIGNS(vec_maskload_d, "d", 4, MASK_LOAD("vmovdqu32")) BY_SIGNS(vec_maskload_q, "q", 8,
    MASK_LOAD("vmovdqu64"))
BY_SIGNS(vec_maskstore_d, "d", -4, MASK_STORE(4)) BY_SIGNS(vec_maskstore_q, "q", -8, MASK_STORE(8))

/* ---- first elements ---- */
#define ELEMENT(name, form, bytes, from)                                                                  \
  WIDE_H(name, form) {                                                                                    \
    const u8 *p = from;                                                                                   \
    if (unlikely(!p)) SLOW(name);                                                                         \
    WIDE_LOAD("17", p, bytes);                                                                            \
    WIDE_STORE(vec_bytes(cpu, i->dst));                                                                   \
    NEXT(cpu, i, FORM_M);                                                                                 \
  }
extern const struct body body_vec_load_d, body_vec_load_q;
ELEMENT(vec_load_d, M, 4, vex_hit(cpu, i, 4, ACC_READ))
ELEMENT(vec_load_q, M, 8, vex_hit(cpu, i, 8, ACC_READ)) ELEMENT(vec_load_q, R, 8, vec_bytes(cpu, i->src))
const struct wide wide_vec_load_d = {{[WIDE_M] = h_wide_vec_load_d_M}};
const struct wide wide_vec_load_q = {{[WIDE_M] = h_wide_vec_load_q_M, [WIDE_R] = h_wide_vec_load_q_R}};
WIDE_H(vec_from_gpr, R) {
  if (insn_osize(i) == W64) WIDE_ASM("vmovq %0, %%xmm17", "m"(cpu->gpr[i->src]));
  else WIDE_ASM("vmovd %0, %%xmm17", "m"(cpu->gpr[i->src]));
  WIDE_STORE(vec_bytes(cpu, i->dst));
  NEXT(cpu, i, FORM_R);
}
const struct wide wide_vec_from_gpr = {{[WIDE_R] = h_wide_vec_from_gpr_R}};
#define SPLAT_GPR(name, esize, letter, reg, letter64, reg64)                                              \
  ALWAYS_INLINE void splat_##name(struct cpu *cpu, const struct insn *i, unsigned at) {                   \
    WIDE_K("1", wide_selected(cpu, i, at));                                                               \
    wide_old(cpu, i, (struct wide_shape){0, 0, 0, 0, 0});                                                 \
    if (at == 8) WIDE_ASM("vpbroadcast" letter64 " %" reg64 "0, %%zmm17" WIDE_MASKED, \
        "r"(cpu->gpr[i->src])); \
    else WIDE_ASM("vpbroadcast" letter " %" reg "0, %%zmm17" WIDE_MASKED, "r"(cpu->gpr[i->src]));         \
    WIDE_STORE(vec_bytes(cpu, i->dst));                                                                   \
  }                                                                                                       \
  WIDE_H(name, R) {                                                                                       \
    if (esize) splat_##name(cpu, i, esize ? esize : 4);                                                   \
    else if (insn_osize(i) == W64) splat_##name(cpu, i, 8);                                               \
    else splat_##name(cpu, i, 4);                                                                         \
    NEXT(cpu, i, FORM_R);                                                                                 \
  }                                                                                                       \
  const struct wide wide_##name = {{h_wide_##name##_R, h_wide_##name##_R, h_wide_##name##_R, [WIDE_RK] = \
      h_wide_##name##_R}};
SPLAT_GPR(vec_broadcast_gpr_b, 1, "b", "k", "q", "q") SPLAT_GPR(vec_broadcast_gpr_w, 2, "w", "k", "q", "q")
SPLAT_GPR(vec_broadcast_gpr_y, 0, "d", "k", "q", "q")

/* ---- between opmasks and vectors ---- */
#define FROM_K(letter, s) WIDE_ASM("kmovq %0, %%k2\n\tvpmovm2" letter " %%k2, %%" s "mm17", \
    "m"(cpu->k[i->src & 7])); \
  WIDE_STORE(vec_bytes(cpu, i->dst)); NEXT(cpu, i, FORM_R)
#define TO_K(letter, s) WIDE_LOAD("18", vec_bytes(cpu, i->src), 64); WIDE_ASM("vpmov" letter "2m %%" s \
    "mm18, %%k2", ); \
  wide_put(cpu, i, WF_TO_K); NEXT(cpu, i, FORM_R)
#define MASK_MOVES(letter, name, text)                                                                    \
  WIDE_H(pmovm2##name, R0) { FROM_K(text, "x"); } WIDE_H(pmovm2##name, R1) { FROM_K(text, "y"); }         \
  WIDE_H(pmovm2##name, R2) { FROM_K(text, "z"); }                                                         \
  const struct wide wide_vec_pmovm2##name = {{h_wide_pmovm2##name##_R0, h_wide_pmovm2##name##_R1, \
      h_wide_pmovm2##name##_R2}}; \
  WIDE_H(pmov##name##2m, R0) { TO_K(text, "x"); } WIDE_H(pmov##name##2m, R1) { TO_K(text, "y"); }         \
  WIDE_H(pmov##name##2m, R2) { TO_K(text, "z"); }                                                         \
  const struct wide wide_vec_pmov##name##2m = {{h_wide_pmov##name##2m_R0, h_wide_pmov##name##2m_R1, \
      h_wide_pmov##name##2m_R2}};
MASK_MOVES(b, b, "b") MASK_MOVES(w, w, "w") MASK_MOVES(d, d, "d") MASK_MOVES(q, q, "q")

/* ---- the first operand is r/m, and the result shorter than the length ---- */
#define SHORTER_M(name, vl, bytes)                                                                        \
  WIDE_H(name, M##vl) {                                                                                   \
    u8 *p = vex_hit(cpu, i, bytes, ACC_WRITE);                                                            \
    if (unlikely(!p || ((wide_shape_of_##name().flags & WF_FP) && cpu->simd_exact))) SLOW(name);          \
    WIDE_LOAD("18", vec_bytes(cpu, i->src), 16u << vl);                                                   \
    wide_core_##name##_##vl(cpu, i);                                                                      \
    WIDE_SAVE(p, bytes);                                                                                  \
    NEXT(cpu, i, FORM_M);                                                                                 \
  }
#define SHORTER_R(name, vl) \
  WIDE_H(name, R##vl) { return wide_r(cpu, i, vl, wide_shape_of_##name(), wide_core_##name##_##vl, \
      &body_##name); }
#define SHORTER(name, from, to)                                                                           \
  SHORTER_R(name, 0) SHORTER_R(name, 1) SHORTER_R(name, 2) WIDE_ANY(name, RK, WIDE_RK)                    \
  SHORTER_M(name, 0, 16 / from * to) SHORTER_M(name, 1, 32 / from * to) SHORTER_M(name, 2, 64 / from * to) \
  WIDE_H(name, MK) {                                                                                      \
    u8 *p = vex_hit(cpu, i, (16u / from * to) << vex_vl(i), ACC_WRITE);                                   \
    u64 k = wide_selected(cpu, i, from);                                                                  \
    if (unlikely(!p || !k || ((wide_shape_of_##name().flags & WF_FP) && cpu->simd_exact))) SLOW(name);    \
    WIDE_K("1", k);                                                                                       \
    WIDE_LOAD("18", vec_bytes(cpu, i->src), 64);                                                          \
    wide_core_##name##_K(cpu, i);                                                                         \
    SAVE_SELECTED(p, to, "17");                                                                           \
    NEXT(cpu, i, FORM_M);                                                                                 \
  }                                                                                                       \
  const struct wide wide_##name = {{WIDE_FAST_ROW(name), h_wide_##name##_RK, h_wide_##name##_MK}};
#define NARROW_ONE(name, from, to, shift, r2)                                                             \
  WIDE_SHAPE(vec_##name, 0, to, from, 0, shift)                                                           \
  WIDE_CORE(vec_##name, 0, WIDE_ASM("v" #name " %%xmm18, %%xmm17", ))                                     \
  WIDE_CORE(vec_##name, 1, WIDE_ASM("v" #name " %%ymm18, %%xmm17", ))                                     \
  WIDE_CORE(vec_##name, 2, WIDE_ASM("v" #name " %%zmm18, %%" r2 "mm17", ))                                \
  WIDE_CORE(vec_##name, K, WIDE_ASM("v" #name " %%zmm18, %%" r2 "mm17" WIDE_MASKED, )) SHORTER(vec_##name, \
      from, to)
#define NARROW(types, from, to, shift, r2) \
  NARROW_ONE(pmov##types, from, to, shift, r2) NARROW_ONE(pmovs##types, from, to, shift, r2) \
      NARROW_ONE(pmovus##types, from, to, shift, r2)
NARROW(wb, 2, 1, 1, "y") NARROW(db, 4, 1, 2, "x") NARROW(dw, 4, 2, 1, "y") NARROW(qb, 8, 1, 3, "x")
    NARROW(qw, 8, 2, 2, "x")
NARROW(qd, 8, 4, 1, "y")
/* The immediate's low three bits count. */
#define HALF(n, s, r, masked) case n: WIDE_ASM("vcvtps2ph $" #n ", %%" s "mm18, %%" r "mm17" masked, ); break;
#define HALVES(s, r, masked)                                                                              \
  switch (vex_imm(i) & 7) {                                                                               \
    HALF(0, s, r, masked) HALF(1, s, r, masked) HALF(2, s, r, masked) HALF(3, s, r, masked)               \
    default: WIDE_ASM("vcvtps2ph $4, %%" s "mm18, %%" r "mm17" masked, ); break;                          \
  }
WIDE_SHAPE(vec_cvtps2ph, WF_FP, 2, 4, 0, 1)
WIDE_CORE(vec_cvtps2ph, 0, HALVES("x", "x", "")) WIDE_CORE(vec_cvtps2ph, 1, HALVES("y", "x", ""))
WIDE_CORE(vec_cvtps2ph, 2, HALVES("z", "y", "")) WIDE_CORE(vec_cvtps2ph, K, HALVES("z", "y", WIDE_MASKED))
SHORTER(vec_cvtps2ph, 4, 2)

/* A part, by the immediate. */
#define QUARTER(n, insn, s, r) case n: WIDE_ASM(insn " $" #n ", %%" s "mm18, %%" r "mm17", ); break;
#define EXTRACT(name, insn, of)                                                                           \
  WIDE_SHAPE(name, 0, 8, 8, 0, 0)                                                                         \
  WIDE_CORE(name, 1, switch (vex_imm(i) & 1) { QUARTER(0, insn, "y", "x") QUARTER(1, insn, "y", "x") })   \
  WIDE_CORE(name, 2, switch (vex_imm(i) & 3) {                                                            \
    QUARTER(0, insn, "z", "x") QUARTER(1, insn, "z", "x") QUARTER(2, insn, "z", "x") QUARTER(3, insn, "z", \
        "x") }) \
  SHORTER_R(name, 1) SHORTER_R(name, 2) SHORTER_M(name, 1, 16) SHORTER_M(name, 2, 16)                     \
  const struct wide wide_##name = {{[WIDE_R + 1] = h_wide_##name##_R1, h_wide_##name##_R2, NULL, \
      h_wide_##name##_M1, h_wide_##name##_M2}};
EXTRACT(vec_extract128_d, "vextracti32x4", 16) EXTRACT(vec_extract128_q, "vextracti32x4", 16)
#define EXTRACT256(name)                                                                                  \
  WIDE_SHAPE(name, 0, 8, 8, 0, 0)                                                                         \
  WIDE_CORE(name, 2, switch (vex_imm(i) & 1) { QUARTER(0, "vextracti64x4", "z", "y") QUARTER(1, \
      "vextracti64x4", "z", "y") }) \
  SHORTER_R(name, 2) SHORTER_M(name, 2, 32)                                                               \
  const struct wide wide_##name = {{[WIDE_R + 2] = h_wide_##name##_R2, [WIDE_M + 2] = h_wide_##name##_M2}};
EXTRACT256(vec_extract256_d) EXTRACT256(vec_extract256_q)

/* ---- compression and expansion: memory is as long as elements are selected ---- */
#define PACKED_BYTES(size) ((unsigned)__builtin_popcountll(k) * size)
#define COMPRESS(name, size, insn)                                                                        \
  WIDE_SHAPE(name, 0, size, size, 0, 0) WIDE_CORE(name, K, WIDE_ASM(insn " %%zmm18, %%zmm17" WIDE_MASKED, )) \
  WIDE_ANY(name, RK, WIDE_RK)                                                                             \
  WIDE_H(name, M) {                                                                                       \
    u64 k = wide_selected(cpu, i, size);                                                                  \
    unsigned bytes = PACKED_BYTES(size);                                                                  \
    u8 *p = bytes ? vex_hit(cpu, i, bytes, ACC_WRITE) : NULL;                                             \
    if (unlikely(!p)) SLOW(name);                                                                         \
    WIDE_K("1", k);                                                                                       \
    WIDE_LOAD("18", vec_bytes(cpu, i->src), 64);                                                          \
    wide_core_##name##_K(cpu, i);                                                                         \
    WIDE_K("1", ~UINT64_C(0) >> (64 - bytes));                                                            \
    SAVE_SELECTED(p, 1, "17");                                                                            \
    NEXT(cpu, i, FORM_M);                                                                                 \
  }                                                                                                       \
  PACK_ROWS(name)
#define EXPAND(name, size, insn)                                                                          \
  WIDE_SHAPE(name, 0, size, size, 0, 0) WIDE_CORE(name, K, WIDE_ASM(insn " %%zmm18, %%zmm17" WIDE_MASKED, )) \
  WIDE_ANY(name, RK, WIDE_RK)                                                                             \
  WIDE_H(name, M) {                                                                                       \
    u64 k = wide_selected(cpu, i, size);                                                                  \
    unsigned bytes = PACKED_BYTES(size);                                                                  \
    const u8 *p = bytes ? vex_hit(cpu, i, bytes, ACC_READ) : NULL;                                        \
    if (unlikely(!p)) SLOW(name);                                                                         \
    WIDE_K("3", ~UINT64_C(0) >> (64 - bytes));                                                            \
    WIDE_ASM("vmovdqu8 %0, %%zmm18%{%%k3%}%{z%}", "m"(WIDE_PART(p, 64)));                                 \
    WIDE_K("1", k);                                                                                       \
    wide_old(cpu, i, wide_shape_of_##name());                                                             \
    wide_core_##name##_K(cpu, i);                                                                         \
    WIDE_STORE(vec_bytes(cpu, i->dst));                                                                   \
    NEXT(cpu, i, FORM_M);                                                                                 \
  }                                                                                                       \
  PACK_ROWS(name)
#define PACK_ROWS(name)                                                                                   \
  const struct wide wide_##name = {{h_wide_##name##_RK, h_wide_##name##_RK, h_wide_##name##_RK, \
      h_wide_##name##_M, \
    h_wide_##name##_M, h_wide_##name##_M, h_wide_##name##_RK, h_wide_##name##_M}};
COMPRESS(vec_compress_b, 1, "vpcompressb") COMPRESS(vec_compress_w, 2, "vpcompressw")
    COMPRESS(vec_compress_d, 4, "vpcompressd")
COMPRESS(vec_compress_q, 8, "vpcompressq")
EXPAND(vec_expand_b, 1, "vpexpandb") EXPAND(vec_expand_w, 2, "vpexpandw") EXPAND(vec_expand_d, 4, "vpexpandd")
EXPAND(vec_expand_q, 8, "vpexpandq")
