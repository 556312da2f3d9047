/* Vector instructions as the host's own, where it has AVX-512: a body body_NAME may have handlers wide_NAME,
 * whose instruction is the guest's, on whole registers. The result is the host's, so that only operands,
 * lengths, opmasks and faults are left to do here. SDM 1 15 (Programming with AVX-512).
 *
 * Instructions are EVEX-encoded on ZMM16 and above, whose use leaves the upper halves of YMM0 to YMM15 clean:
 * the compiler's own code is legacy SSE, which would suffer. The compiler knows nothing of these registers.
 *   ZMM16  the operand in vvvv
 *   ZMM17  the result; before it the destination's old value
 *   ZMM18  the r/m operand
 *   K1     the elements that are selected
 *   K2     the result of an instruction that makes an opmask
 * A result is stored with 64 bytes, zero above the length: what reads any part of it right after is forwarded. */
#ifndef CPU_WIDE_H
#define CPU_WIDE_H

#include "cpu/vex.h"

/* struct oprow's, where the body has one. By length: registers, flat memory. For any length: with an opmask (or
 * none), memory with one, one element of memory broadcast, embedded rounding by vex_rc(). NULL: the ordinary
 * handlers do it. */
enum wide_form { WIDE_R, WIDE_M = 3, WIDE_RK = 6, WIDE_MK, WIDE_B, WIDE_RC, WIDE_FORMS };
struct wide {
  handler_fn *fn[WIDE_FORMS];
};

/* An archive's members that hold them are linked because these are asked for: rows refer to wide_NAME by
 * weak names. */
extern const bool wide_linked_int, wide_linked_fp, wide_linked_mov;

enum wide_flags {
  WF_0,
  WF_FP = 1 << 0,    /* may raise: not while an exception is unmasked */
  WF_A = 1 << 1,     /* has an operand in vvvv */
  WF_OLD = 1 << 2,   /* the destination's old value is an operand, */
  WF_TO_K = 1 << 3,  /* or it is an opmask */
  WF_COUNT = 1 << 4, /* the r/m operand is 16 bytes whatever the length */
  WF_ALL = 1 << 5,   /* memory is read whole, whatever the opmask */
  WF_ONE = 1 << 7,   /* the r/m operand is one element whatever the length */
  WF_ALIGNED = 1 << 8, /* its memory is */
  WF_BARE = 1 << 6,  /* the host's instruction takes no opmask */
};
/* Of an instruction: bytes of an element as opmasks count them, and of the r/m operand's; how many times shorter
 * than the length the r/m operand and the result are, as powers of two. */
struct wide_shape {
  u32 flags;
  u8 esize, bsize, in, out;
};
typedef void wide_core(struct cpu *cpu, const struct insn *i);

#define WIDE_PART(p, n) (*(u8(*)[n])(void *)(p))
#define WIDE_ASM(text, ...) __asm__ volatile(text : : __VA_ARGS__)
/* So many bytes of memory or a register to register `reg` of the host. What is above is of no use to the
 * caller. */
#define WIDE_LOAD(reg, p, n)                                                                          \
  do {                                                                                                \
    switch (n) {                                                                                      \
      case 1: WIDE_ASM("vpbroadcastb %0, %%xmm" reg, "m"(WIDE_PART(p, 1))); break;                     \
      case 2: WIDE_ASM("vpbroadcastw %0, %%xmm" reg, "m"(WIDE_PART(p, 2))); break;                     \
      case 4: WIDE_ASM("vmovd %0, %%xmm" reg, "m"(WIDE_PART(p, 4))); break;                           \
      case 8: WIDE_ASM("vmovq %0, %%xmm" reg, "m"(WIDE_PART(p, 8))); break;                           \
      case 16: WIDE_ASM("vmovdqu64 %0, %%xmm" reg, "m"(WIDE_PART(p, 16))); break;                     \
      case 32: WIDE_ASM("vmovdqu64 %0, %%ymm" reg, "m"(WIDE_PART(p, 32))); break;                     \
      default: WIDE_ASM("vmovdqu64 %0, %%zmm" reg, "m"(WIDE_PART(p, 64))); break;                     \
    }                                                                                                 \
  } while (0)
#define WIDE_STORE(p) __asm__ volatile("vmovdqa64 %%zmm17, %0" : "=m"(WIDE_PART(p, 64)))
#define WIDE_K(reg, v) WIDE_ASM("kmovq %0, %%k" reg, "r"((u64)(v)))

/* 2^n ones. */
ALWAYS_INLINE u64 wide_ones(unsigned n) {
  static const u64 ones[] = {1, 3, 15, 0xff, 0xffff, 0xffffffff, ~UINT64_C(0)};
  return ones[n];
}
ALWAYS_INLINE unsigned wide_log(unsigned n) { return (unsigned)__builtin_ctz(n); } /* of a constant */

ALWAYS_INLINE void wide_put(struct cpu *cpu, const struct insn *i, u32 flags) {
  if (flags & WF_TO_K) __asm__ volatile("kmovq %%k2, %0" : "=m"(cpu->k[i->dst]));
  else WIDE_STORE(vec_bytes(cpu, i->dst));
}

/* Without opmask, the length known. */
ALWAYS_INLINE void wide_run(struct cpu *cpu, const struct insn *i, const u8 *p, unsigned bytes, unsigned vl,
                            struct wide_shape s, wide_core *core) {
  WIDE_LOAD("18", p, bytes);
  if (s.flags & WF_A) WIDE_LOAD("16", vec_bytes(cpu, vex_vvvv(i)), 16u << vl);
  if (s.flags & WF_OLD) WIDE_LOAD("17", vec_bytes(cpu, i->dst), 16u << vl);
  core(cpu, i);
  wide_put(cpu, i, s.flags);
}
ALWAYS_INLINE unsigned wide_source(struct wide_shape s, unsigned vl) {
  return s.flags & WF_COUNT ? 16 : s.flags & WF_ONE ? s.bsize : (16u << vl) >> s.in;
}

ALWAYS_INLINE u8 *wide_hit(struct cpu *cpu, const struct insn *i, unsigned bytes, struct wide_shape s,
                           enum access acc) {
  return s.flags & WF_ALIGNED ? vex_hit_aligned(cpu, i, bytes, acc) : vex_hit(cpu, i, bytes, acc);
}

ALWAYS_INLINE const struct insn *wide_r(struct cpu *restrict cpu, const struct insn *restrict i, unsigned vl,
                                        struct wide_shape s, wide_core *core, const struct body *body) {
  if ((s.flags & WF_FP) && unlikely(cpu->simd_exact)) return body->fn[0][FORM_X](cpu, i);
  unsigned bytes = wide_source(s, vl);
  wide_run(cpu, i, vec_bytes(cpu, i->src), bytes < 16 ? 16 : bytes, vl, s, core);
  NEXT(cpu, i, FORM_R);
}
ALWAYS_INLINE const struct insn *wide_m(struct cpu *restrict cpu, const struct insn *restrict i, unsigned vl,
                                        struct wide_shape s, wide_core *core, const struct body *body) {
  unsigned bytes = wide_source(s, vl);
  const u8 *p = wide_hit(cpu, i, bytes, s, ACC_READ);
  if (unlikely(!p) || ((s.flags & WF_FP) && unlikely(cpu->simd_exact))) return body->fn[0][FORM_X](cpu, i);
  wide_run(cpu, i, p, bytes, vl, s, core);
  NEXT(cpu, i, FORM_M);
}

/* Elements, of so many bytes, of the length that the opmask selects. */
ALWAYS_INLINE u64 wide_selected(const struct cpu *cpu, const struct insn *i, unsigned size) {
  unsigned aaa = vex_aaa(i);
  return (aaa ? cpu->k[aaa] : ~UINT64_C(0)) & wide_ones(4 - wide_log(size) + vex_vl(i));
}
/* The elements of memory that K1 selects, or the whole operand; nothing else is touched. */
ALWAYS_INLINE void wide_load_selected(const u8 *p, unsigned vl, struct wide_shape s) {
  if (s.flags & (WF_COUNT | WF_ONE)) {
    WIDE_LOAD("18", p, wide_source(s, 0));
  } else if (s.flags & WF_ALL) {
    WIDE_K("3", wide_ones(4 + vl - s.in));
    WIDE_ASM("vmovdqu8 %0, %%zmm18%{%%k3%}%{z%}", "m"(WIDE_PART(p, 64)));
  } else {
    switch (s.bsize) {
      case 1: WIDE_ASM("vmovdqu8 %0, %%zmm18%{%%k1%}%{z%}", "m"(WIDE_PART(p, 64))); break;
      case 2: WIDE_ASM("vmovdqu16 %0, %%zmm18%{%%k1%}%{z%}", "m"(WIDE_PART(p, 64))); break;
      case 4: WIDE_ASM("vmovdqu32 %0, %%zmm18%{%%k1%}%{z%}", "m"(WIDE_PART(p, 64))); break;
      default: WIDE_ASM("vmovdqu64 %0, %%zmm18%{%%k1%}%{z%}", "m"(WIDE_PART(p, 64))); break;
    }
  }
}
/* Zeros in the result's elements that are not selected. */
ALWAYS_INLINE void wide_zero(unsigned esize) {
  switch (esize) {
    case 1: WIDE_ASM("vmovdqu8 %%zmm17, %%zmm17%{%%k1%}%{z%}", ); break;
    case 2: WIDE_ASM("vmovdqu16 %%zmm17, %%zmm17%{%%k1%}%{z%}", ); break;
    case 4: WIDE_ASM("vmovdqu32 %%zmm17, %%zmm17%{%%k1%}%{z%}", ); break;
    default: WIDE_ASM("vmovdqu64 %%zmm17, %%zmm17%{%%k1%}%{z%}", ); break;
  }
}
/* The destination's old value, as far as it is kept or an operand. */
ALWAYS_INLINE void wide_old(struct cpu *cpu, const struct insn *i, struct wide_shape s) {
  u64 keep = (s.flags & WF_OLD) || (vex_aaa(i) && !vex_z(i)) ? wide_ones(4 + vex_vl(i) - s.out) : 0;
  WIDE_K("2", keep);
  WIDE_ASM("vmovdqu8 %0, %%zmm17%{%%k2%}%{z%}", "m"(WIDE_PART(vec_bytes(cpu, i->dst), 64)));
}
/* Any length, opmask or none; by registers of 512 bits, of which K1 has the length's elements at most. */
ALWAYS_INLINE const struct insn *wide_k(struct cpu *restrict cpu, const struct insn *restrict i,
                                        enum wide_form form, struct wide_shape s, wide_core *core,
                                        const struct body *body) {
  unsigned vl = vex_vl(i), each = s.bsize > s.esize && !(s.flags & WF_ALL) ? s.bsize : s.esize;
  u64 k = wide_selected(cpu, i, each);
  const u8 *p = NULL;
  if ((s.flags & WF_FP) && unlikely(cpu->simd_exact)) return body->fn[0][FORM_X](cpu, i);
  if (form == WIDE_MK || form == WIDE_B) {
    p = wide_hit(cpu, i, form == WIDE_B ? s.bsize : wide_source(s, vl), s, ACC_READ);
    if (unlikely(!p || !k)) return body->fn[0][FORM_X](cpu, i);
  }
  WIDE_K("1", k);
  if (form == WIDE_MK) wide_load_selected(p, vl, s);
  else if (form != WIDE_B) WIDE_LOAD("18", vec_bytes(cpu, i->src), 64);
  else if (s.bsize == 4) WIDE_ASM("vpbroadcastd %0, %%zmm18", "m"(WIDE_PART(p, 4)));
  else WIDE_ASM("vpbroadcastq %0, %%zmm18", "m"(WIDE_PART(p, 8)));
  if (s.flags & WF_A) WIDE_LOAD("16", vec_bytes(cpu, vex_vvvv(i)), 64);
  if (!(s.flags & WF_TO_K)) wide_old(cpu, i, s);
  core(cpu, i);
  if ((s.flags & WF_BARE) || ((s.flags & WF_OLD) && vex_z(i))) wide_zero(s.esize);
  wide_put(cpu, i, s.flags);
  NEXT(cpu, i, FORM_R);
}

/* ---- instances ---- */
#define WIDE_H(name, form) \
  static const struct insn *h_wide_##name##_##form(struct cpu *restrict cpu, const struct insn *restrict i)
#define WIDE_CORE(name, how, ...) \
  ALWAYS_INLINE void wide_core_##name##_##how(__attribute__((unused)) struct cpu *cpu, \
      __attribute__((unused)) const struct insn *i) { __VA_ARGS__; }
#define WIDE_SHAPE(name, ...)                                          \
  extern const struct body body_##name;                                \
  ALWAYS_INLINE struct wide_shape wide_shape_of_##name(void) { return (struct wide_shape){__VA_ARGS__}; }
#define WIDE_FAST(name, vl)                                                                              \
  WIDE_H(name, R##vl) {                                                                                  \
    return wide_r(cpu, i, vl, wide_shape_of_##name(), wide_core_##name##_##vl, &body_##name);            \
  }                                                                                                      \
  WIDE_H(name, M##vl) {                                                                                  \
    return wide_m(cpu, i, vl, wide_shape_of_##name(), wide_core_##name##_##vl, &body_##name);            \
  }
#define WIDE_ANY(name, form, FORM)                                                                       \
  WIDE_H(name, form) {                                                                                   \
    return wide_k(cpu, i, FORM, wide_shape_of_##name(), wide_core_##name##_K, &body_##name);             \
  }
#define WIDE_FAST_ROW(name)                                                                                \
  h_wide_##name##_R0, h_wide_##name##_R1, h_wide_##name##_R2, h_wide_##name##_M0, h_wide_##name##_M1,      \
  h_wide_##name##_M2
#define WIDE_ANY_ROW(name)                                                                                 \
  h_wide_##name##_RK, h_wide_##name##_RK, h_wide_##name##_RK, h_wide_##name##_MK, h_wide_##name##_MK,      \
  h_wide_##name##_MK, h_wide_##name##_RK, h_wide_##name##_MK
/* With handlers for each length; for any; with broadcast, too. */
#define WIDE_3(name) WIDE_FAST(name, 0) WIDE_FAST(name, 1) WIDE_FAST(name, 2)
#define WIDE_K2(name) WIDE_ANY(name, RK, WIDE_RK) WIDE_ANY(name, MK, WIDE_MK)
#define WIDE_MASKED_ROW(name) h_wide_##name##_RK, h_wide_##name##_MK
#define WIDE_BODY_3(name)    \
  WIDE_3(name) WIDE_K2(name) \
  const struct wide wide_##name = {{WIDE_FAST_ROW(name), WIDE_MASKED_ROW(name)}};
#define WIDE_BODY_3B(name)                             \
  WIDE_3(name) WIDE_K2(name) WIDE_ANY(name, B, WIDE_B) \
  const struct wide wide_##name = {{WIDE_FAST_ROW(name), WIDE_MASKED_ROW(name), h_wide_##name##_B}};
#define WIDE_BODY_K(name) WIDE_K2(name) const struct wide wide_##name = {{WIDE_ANY_ROW(name)}};
#define WIDE_BODY_KB(name)                \
  WIDE_K2(name) WIDE_ANY(name, B, WIDE_B) \
  const struct wide wide_##name = {{WIDE_ANY_ROW(name), h_wide_##name##_B}};

/* ---- what an instruction is, in the assembler's words ---- */
#define WIDE_INSN3(insn, s) insn " %%" s "mm18, %%" s "mm16, %%" s "mm17"
#define WIDE_INSN2(insn, s) insn " %%" s "mm18, %%" s "mm17"
#define WIDE_INSNC(insn, s) insn " %%xmm18, %%" s "mm16, %%" s "mm17"
#define WIDE_INSNK(insn, s) insn " %%" s "mm18, %%" s "mm16, %%k2"
#define WIDE_MASKED "%{%%k1%}"
#define WIDE_CORES(name, insn, WORDS)                                                               \
  WIDE_CORE(name, 0, WIDE_ASM(WORDS(insn, "x"), )) WIDE_CORE(name, 1, WIDE_ASM(WORDS(insn, "y"), )) \
  WIDE_CORE(name, 2, WIDE_ASM(WORDS(insn, "z"), ))                                                  \
  WIDE_CORE(name, K, WIDE_ASM(WORDS(insn, "z") WIDE_MASKED, ))

/* An instruction with an immediate. */
#define WIDE_TABLE(name, words)        \
  LANE_TABLE(wide_table_##name, words); \
  LANE_TABLE_HERE lane_table wide_table_##name;
ALWAYS_INLINE void wide_call(const u8 *insn) { WIDE_ASM(LANE_CALL, [insn] "r"(insn)); }
#define WIDE_BY_IMM(name, words, imm)  \
  WIDE_TABLE(name, words)              \
  WIDE_CORE(name, K, wide_call(wide_table_##name[imm]))

#endif
