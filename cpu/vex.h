/* The vocabulary of AVX, AVX2, FMA, F16C and AVX-512 bodies: operands, opmasks, and the macros that make bodies of
 * operations on one 128-bit lane (cpu/lane_*.h, shared with SSE) or on a whole vector. SDM 1 14 (Programming with AVX,
 * FMA, and AVX2), 15 (Programming with AVX-512); SDM 2A 2.3, 2.7. What lies where in struct insn: cpu/vex_insn.h.
 *
 * One operation serves VEX and EVEX rows of all lengths:
 *   VEC_LANES(name, esize, flags, op)   dst = op(vvvv, r/m, imm) lane by lane. Fast handlers for registers and flat memory
 *                                       of each length, and one (X) for opmasks, broadcasts, embedded rounding, the rest
 *   VEC_WHOLE(name, esize, flags, fn)   anything else: fn sees whole operands; one handler
 * A write of a vector register clears all of it above the operation's length: SDM 1 14.1.3 (VEX.128). */
#ifndef CPU_VEX_H
#define CPU_VEX_H

#include "cpu/simd.h"
#include "cpu/vex_insn.h"

/* What an operation is like, for the X handlers. */
enum vex_flags {
  VF_0 = 0,
  VF_FP = 1 << 0,     /* floating point: rounds by MXCSR and may raise. Elements that are not selected raise nothing */
  VF_COUNT = 1 << 1,  /* the r/m operand is 16 bytes whatever the length, and every lane is given its low lane */
  VF_SCALAR = 1 << 2, /* one element; the rest of the low lane is op's, that is, the first source's */
  VF_MASK = 1 << 3,   /* the destination is an opmask register: VEC_LANES: the elements' sign bits, VEC_WHOLE: r->q[0] */
  VF_HALF = 1 << 4, VF_QUARTER = 1 << 5, VF_EIGHTH = 1 << 6, /* the r/m operand is that part of the length, */
  VF_16 = 1 << 7, VF_32 = 1 << 8,                            /* or that many bytes, */
  VF_8 = 1 << 9, VF_4 = 1 << 10, VF_2 = 1 << 11, VF_1 = 1 << 12,
  VF_DUP = 1 << 13,    /* or 8 of 128 bits, else all: VMOVDDUP */
  VF_OWN_MASK = 1 << 14, /* VEC_WHOLE: fn applies the opmask itself */
  VF_NO_FAULT_SPLIT = 1 << 15, /* memory is read whole whatever the opmask: permutes and others of fault class E4NF */
  VF_NARROW_IN = 1 << 16, /* elements of the r/m operand have half of esize, */
  VF_NARROW_IN4 = 1 << 17, VF_NARROW_IN8 = 1 << 18, /* a quarter, an eighth, */
  VF_WIDE_IN = 1 << 19,   /* twice of it, */
  VF_WIDE_IN8 = 1 << 20,  /* or eight times of it: VEC_LANES */
};

/* What fn of VEC_WHOLE is given. r, the result, is not one of the operands; it need not be filled above the length. */
struct vex_args {
  struct cpu *cpu;
  const struct insn *i;
  const union vec *a, *b, *c; /* vvvv, r/m, the destination's old value */
  unsigned imm, bytes, n;     /* the length; elements of esize bytes in it */
  u64 mask;                   /* elements that are selected */
};
typedef void vec_fn(union vec *r, const struct vex_args *x);

struct vex_lanes {
  simd_op *op;
  u32 flags;
  u8 esize;
  u8 kind; /* enum fp_kind */
};
struct vex_whole {
  vec_fn *fn;
  u32 flags;
  u8 esize;
};

/* ---- registers ---- */
ALWAYS_INLINE void *vec_at(struct cpu *cpu, unsigned r, unsigned lane) { return vec_bytes(cpu, r) + 16 * lane; }
ALWAYS_INLINE __m128i lane_get(struct cpu *cpu, unsigned r, unsigned lane) {
  return _mm_load_si128(vec_at(cpu, r, lane));
}
ALWAYS_INLINE void lane_set(struct cpu *cpu, unsigned r, unsigned lane, __m128i v) {
  _mm_store_si128(vec_at(cpu, r, lane), v);
}
/* Clears what is above the length. */
ALWAYS_INLINE void vec_clear_above(struct cpu *cpu, unsigned r, unsigned vl) {
  if (vl < 1) lane_set(cpu, r, 1, _mm_setzero_si128());
  if (vl < 2) lane_set(cpu, r, 2, _mm_setzero_si128()), lane_set(cpu, r, 3, _mm_setzero_si128());
}

/* ---- memory ---- */
/* Forms M: flat and of the code's own address size, so the offset is the linear address. */
ALWAYS_INLINE u64 vex_address(const struct cpu *cpu, const struct insn *i) {
  return (cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + i->imm) & cpu->lamask;
}
ALWAYS_INLINE u8 *vex_hit(struct cpu *cpu, const struct insn *i, unsigned bytes, enum access acc) {
  u64 va = vex_address(cpu, i);
  cpu->insn = i; /* a host fault on a hit must find the instruction */
  return mem_hit(cpu, va, bytes, acc);
}
ALWAYS_INLINE u8 *vex_hit_aligned(struct cpu *cpu, const struct insn *i, unsigned bytes, enum access acc) {
  u64 va = vex_address(cpu, i);
  u8 *p;
  cpu->insn = i;
  return mem_hit_aligned(cpu, va, bytes, acc, &p) ? p : NULL;
}

/* Is the operand flat memory, without alignment checks, whatever form its handler has? */
ALWAYS_INLINE bool vex_flat(const struct cpu *cpu, const struct insn *i) {
  unsigned asize = i->flags & IF_ASIZE;
  if (i->seg >= FS || (cpu->mode & MODE_ALIGN)) return false;
  return (cpu->mode & MODE_CODE_MASK) == MODE_CODE64 ? asize == 2 : asize && (cpu->mode & MODE_FLAT) && i->seg != CS;
}

/* Linear address of the memory operand's part at `at`, after the segment checks. Sets cpu->insn. */
u64 vex_linear(struct cpu *cpu, const struct insn *i, unsigned at, unsigned bytes, enum access acc);
/* Linear address of so many bytes from the operand's start on, any number, without alignment check. */
u64 vex_span(struct cpu *cpu, const struct insn *i, unsigned bytes, enum access acc);
/* The operand must lie on a multiple of its size (a power of two): #GP(0). This comes first. */
void vex_require_aligned(struct cpu *cpu, const struct insn *i, unsigned bytes);
/* Elements that are selected: of n, those of the opmask. */
u64 vex_mask(const struct cpu *cpu, const struct insn *i, unsigned n);
/* The r/m operand, zero-extended: a register, memory of n elements of size bytes, or one broadcast. Elements of memory
 * that are not in mask do not fault, and are anything. */
void vex_fetch(struct cpu *cpu, const struct insn *i, union vec *out, unsigned n, unsigned size, u64 mask);
/* Element by element, even if all are selected. */
void vex_fetch_selected(struct cpu *cpu, const struct insn *i, union vec *out, unsigned n, unsigned size, u64 mask);
/* All elements in one access, whatever the opmask. */
void vex_fetch_whole(struct cpu *cpu, const struct insn *i, union vec *out, unsigned n, unsigned size);
/* Elements of v, those in mask, to memory; nothing is written if any faults. */
void vex_store(struct cpu *cpu, const struct insn *i, const union vec *v, unsigned n, unsigned size, u64 mask);
/* The same where a mask is always there: VMASKMOV. */
void vex_store_selected(struct cpu *cpu, const struct insn *i, const union vec *v, unsigned n, unsigned size, u64 mask);
/* The result to register i->dst: elements not in mask are kept, or zeroed; the rest is cleared. */
void vex_commit(struct cpu *cpu, const struct insn *i, const union vec *v, unsigned bytes, unsigned n, unsigned size, u64 mask);

/* The X handlers' whole work. */
void vex_lanes_x(struct cpu *cpu, const struct insn *i, const struct vex_lanes *o);
void vex_whole_x(struct cpu *cpu, const struct insn *i, const struct vex_whole *o);

/* In place of elements that are not selected: nothing that any operation on it would raise. */
void vex_put_ones(union vec *v, unsigned n, unsigned size, u64 mask);
/* Is the instruction one with embedded rounding or SAE? */
ALWAYS_INLINE bool vex_sae(const struct insn *i) { return vex_b(i) && i->seg == SEG_REG; }
/* Embedded rounding and SAE around an operation. Returns what vex_sae_end() needs. */
u32 vex_sae_begin(struct cpu *cpu, const struct insn *i, bool rounding);
void vex_sae_end(u32 saved);

/* ---- bodies ---- */
/* The sign bits of the elements of a vector, as an opmask's bits. */
ALWAYS_INLINE u32 lane_signs(__m128i v, unsigned esize) {
  switch (esize) {
    case 1: return (u32)_mm_movemask_epi8(v);
    case 2: return (u32)_mm_movemask_epi8(_mm_packs_epi16(v, _mm_setzero_si128()));
    case 4: return (u32)_mm_movemask_ps(_mm_castsi128_ps(v));
    default: return (u32)_mm_movemask_pd(_mm_castsi128_pd(v));
  }
}

/* r/m at p: a register or memory. */
ALWAYS_INLINE void vex_run_lanes(struct cpu *cpu, const struct insn *i, const u8 *p, unsigned vl, unsigned esize,
                                 u32 flags, simd_op *op) {
  unsigned v = vex_vvvv(i), imm = vex_imm(i), scalar_bytes = flags & VF_SCALAR ? esize : 16;
  __m128i low = host_vload(p, scalar_bytes == 4 ? V4 : scalar_bytes == 8 ? V8 : V16U);
  u64 bits_ = 0;
#pragma GCC unroll 4
  for (unsigned k = 0; k < 1u << vl; k++) {
    __m128i b = flags & (VF_COUNT | VF_SCALAR) || !k ? low : host_vload(p + 16 * k, V16U);
    __m128i r = op(lane_get(cpu, v, k), b, imm);
    if (flags & VF_MASK) bits_ |= (u64)lane_signs(r, esize) << (16 / esize * k);
    else lane_set(cpu, i->dst, k, r);
  }
  if (flags & VF_MASK) cpu->k[i->dst] = bits_;
  else vec_clear_above(cpu, i->dst, vl);
}

ALWAYS_INLINE const struct insn *vex_lanes_r(struct cpu *restrict cpu, const struct insn *restrict i, unsigned vl,
                                             unsigned esize, u32 flags, simd_op *op, handler_fn *slow) {
  if ((flags & VF_FP) && unlikely(cpu->simd_exact)) return slow(cpu, i);
  vex_run_lanes(cpu, i, cpu->vec[i->src].b, vl, esize, flags, op);
  NEXT(cpu, i, FORM_R);
}
ALWAYS_INLINE const struct insn *vex_lanes_m(struct cpu *restrict cpu, const struct insn *restrict i, unsigned vl,
                                             unsigned esize, u32 flags, simd_op *op, handler_fn *slow) {
  if ((flags & VF_FP) && unlikely(cpu->simd_exact)) return slow(cpu, i);
  const u8 *p = vex_hit(cpu, i, flags & VF_SCALAR ? esize : flags & VF_COUNT ? 16 : 16u << vl, ACC_READ);
  if (unlikely(!p)) return slow(cpu, i);
  vex_run_lanes(cpu, i, p, vl, esize, flags, op);
  NEXT(cpu, i, FORM_M);
}

#define VEC_LANES_INST(name, vl, esize, flags, op)                                                            \
  static const struct insn *h_##name##_##vl##_R(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    return vex_lanes_r(cpu, i, vl, esize, flags, op, h_##name##_X);                                           \
  }                                                                                                           \
  static const struct insn *h_##name##_##vl##_M(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    return vex_lanes_m(cpu, i, vl, esize, flags, op, h_##name##_X);                                           \
  }
#define VEC_LANES_X(name, esize_, flags_, kind_, op_)                                                         \
  static NOINLINE __m128i f_##name(__m128i a, __m128i b, unsigned imm) { return op_(a, b, imm); }             \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    static const struct vex_lanes o = {.op = f_##name, .flags = (flags_), .esize = (esize_), .kind = (kind_)}; \
    vex_lanes_x(cpu, i, &o);                                                                                  \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }
/* Tables of handlers, and the body that has them: of each length; of one, for any length; of X alone, which serves all. */
#define VEC_LANES_ROW(name, vl) {[FORM_R] = h_##name##_##vl##_R, [FORM_M] = h_##name##_##vl##_M, [FORM_X] = h_##name##_X}
#define VEC_BODY_3(name, row)                                                                                \
  static handler_fn *const t_##name[3][FORMS] = {VEC_LANES_ROW(name, 0), VEC_LANES_ROW(name, 1), VEC_LANES_ROW(name, 2)}; \
  const struct body body_##row = {3, t_##name};
#define VEC_BODY_1(name, row)                                                                                \
  static handler_fn *const t_##name[1][FORMS] = {VEC_LANES_ROW(name, 0)};                                     \
  const struct body body_##row = {1, t_##name};
#define VEC_BODY_X(name, row)                                                                                \
  static handler_fn *const t_##name[1][FORMS] = {{[FORM_X] = h_##name##_X}};                                  \
  const struct body body_##row = {1, t_##name};
/* A body of one handler that does `code` whatever the operands are. */
#define VEC_X_ONLY(name, code)                                                                                \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    code;                                                                                                     \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }                                                                                                           \
  VEC_BODY_X(name, name)
/* kind: of enum fp_kind, for unmasked exceptions. */
#define VEC_LANES_FP(name, esize, flags, kind, op)                                                            \
  VEC_LANES_X(name, esize, flags, kind, op)                                                                   \
  VEC_LANES_INST(name, 0, esize, flags, op) VEC_LANES_INST(name, 1, esize, flags, op)                         \
  VEC_LANES_INST(name, 2, esize, flags, op) VEC_BODY_3(name, name)
#define VEC_LANES(name, esize, flags, op) VEC_LANES_FP(name, esize, flags, 0, op)
/* One element, of esize bytes: rows with L_IG. */
#define VEC_SCALAR(name, esize, flags, kind, op)                                                              \
  VEC_LANES_X(name, esize, (flags) | VF_SCALAR, (kind) | FP_SCALAR, op)                                       \
  VEC_LANES_INST(name, 0, esize, (flags) | VF_SCALAR, op) VEC_BODY_1(name, name)

/* Bytes of the r/m operand in memory. */
ALWAYS_INLINE unsigned vex_source_bytes(u32 flags, unsigned bytes, unsigned vl) {
  if (flags & VF_16) return 16;
  if (flags & VF_32) return 32;
  if (flags & VF_8) return 8;
  if (flags & VF_4) return 4;
  if (flags & VF_2) return 2;
  if (flags & VF_1) return 1;
  if (flags & VF_DUP) return vl ? bytes : 8;
  return flags & VF_HALF ? bytes / 2 : flags & VF_QUARTER ? bytes / 4 : flags & VF_EIGHTH ? bytes / 8 : bytes;
}
ALWAYS_INLINE unsigned vex_source_element(u32 flags, unsigned esize) {
  return flags & VF_NARROW_IN ? esize / 2 : flags & VF_NARROW_IN4 ? esize / 4 : flags & VF_NARROW_IN8 ? esize / 8
         : flags & VF_WIDE_IN ? esize * 2 : esize;
}
ALWAYS_INLINE unsigned vex_memory_bytes(u32 flags, unsigned vl, unsigned esize) {
  return flags & VF_SCALAR ? vex_source_element(flags, esize) : vex_source_bytes(flags, 16u << vl, vl);
}

/* Without opmask. p: a register, or memory in place, of which fn reads no more than the instruction does. */
ALWAYS_INLINE void vex_run_whole(struct cpu *cpu, const struct insn *i, const u8 *p, unsigned vl, unsigned esize, u32 flags,
                                 vec_fn *fn) {
  unsigned bytes = flags & VF_SCALAR ? 16 : 16u << vl, n = flags & VF_SCALAR ? 1 : bytes / esize;
  union vec r;
  struct vex_args x = {cpu, i, &cpu->vec[vex_vvvv(i)], (const union vec *)(const void *)p, &cpu->vec[i->dst], vex_imm(i),
                       bytes, n, low_bits(n)};
  fn(&r, &x);
  if (flags & VF_MASK) {
    cpu->k[i->dst] = r.q[0] & (flags & VF_OWN_MASK ? ~UINT64_C(0) : x.mask);
    return;
  }
#pragma GCC unroll 4
  for (unsigned k = 0; k < bytes / 16; k++) lane_set(cpu, i->dst, k, host_vload(&r.b[16 * k], V16U));
  vec_clear_above(cpu, i->dst, bytes == 16 ? 0 : vl);
}
/* The operation in a function of its own: a handler with locals whose address is taken could not tail-call. */
#define VEC_WHOLE_INST(name, vl, esize, flags, fn)                                                            \
  static NOINLINE void w_##name##_##vl(struct cpu *cpu, const struct insn *i, const u8 *p) {                  \
    vex_run_whole(cpu, i, p, vl, esize, flags, fn);                                                           \
  }                                                                                                           \
  static const struct insn *h_##name##_##vl##_R(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    if (((flags) & VF_FP) && unlikely(cpu->simd_exact)) return h_##name##_X(cpu, i);                          \
    w_##name##_##vl(cpu, i, cpu->vec[i->src].b);                                                              \
    NEXT(cpu, i, FORM_R);                                                                                     \
  }                                                                                                           \
  static const struct insn *h_##name##_##vl##_M(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    const u8 *p = vex_hit(cpu, i, vex_memory_bytes(flags, vl, esize), ACC_READ);                              \
    if (unlikely(!p) || (((flags) & VF_FP) && unlikely(cpu->simd_exact))) return h_##name##_X(cpu, i);        \
    w_##name##_##vl(cpu, i, p);                                                                               \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }
#define VEC_WHOLE_X(name, esize_, flags_, fn_)                                                                \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    static const struct vex_whole o = {.fn = (fn_), .flags = (flags_), .esize = (esize_)};                    \
    vex_whole_x(cpu, i, &o);                                                                                  \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }
#define VEC_WHOLE(name, esize_, flags_, fn_)                                                                  \
  VEC_WHOLE_X(name, esize_, flags_, fn_)                                                                      \
  VEC_WHOLE_INST(name, 0, esize_, flags_, fn_) VEC_WHOLE_INST(name, 1, esize_, flags_, fn_)                   \
  VEC_WHOLE_INST(name, 2, esize_, flags_, fn_) VEC_BODY_3(name, name)

/* A general register or memory of 32 or 64 bits (BMI): inl(cpu, i, value, width) is the operation, an expression
 * statement that may set registers and flags. */
#define VEX_GPR_INST(name, w, inl)                                                                            \
  static const struct insn *h_##name##_##w##_R(struct cpu *restrict cpu, const struct insn *restrict i) {     \
    inl(cpu, i, reg_get(cpu, i->src, W##w), W##w);                                                            \
    NEXT(cpu, i, FORM_R);                                                                                     \
  }                                                                                                           \
  static NOINLINE const struct insn *h_##name##_##w##_X(struct cpu *restrict cpu, const struct insn *restrict i) { \
    u64 v = i->seg == SEG_REG ? reg_get(cpu, i->src, W##w)                                                    \
                              : mem_read_w(cpu, vex_linear(cpu, i, 0, w / 8, ACC_READ), W##w);                \
    inl(cpu, i, v, W##w);                                                                                     \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }                                                                                                           \
  static const struct insn *h_##name##_##w##_M(struct cpu *restrict cpu, const struct insn *restrict i) {     \
    const u8 *p = vex_hit(cpu, i, w / 8, ACC_READ);                                                           \
    if (unlikely(!p)) return h_##name##_##w##_X(cpu, i);                                                      \
    inl(cpu, i, host_load(p, W##w), W##w);                                                                    \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }
#define VEX_GPR_ROW(name, w) {[FORM_R] = h_##name##_##w##_R, [FORM_M] = h_##name##_##w##_M, [FORM_X] = h_##name##_##w##_X}
#define VEX_GPR(name, inl)                                                                                    \
  VEX_GPR_INST(name, 32, inl) VEX_GPR_INST(name, 64, inl)                                                     \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {[W32] = VEX_GPR_ROW(name, 32), [W64] = VEX_GPR_ROW(name, 64)}; \
  const struct body body_##name = {WIDTHS, t_##name};

#endif
