/* AVX and AVX-512 data movement: whole vectors, parts of them, general registers, masks of signs, clearing.
 * SDM 1 14.1 (Intel AVX Overview), 15.1 (AVX-512 Overview); SDM 2 VMOV*, VZEROALL, VZEROUPPER. */
#include "cpu/lane_int.h"
#include "cpu/vex.h"

/* ---- whole vectors ---- */
ALWAYS_INLINE void copy_vector(struct cpu *cpu, unsigned r, const u8 *p, unsigned vl) {
#pragma GCC unroll 4
  for (unsigned k = 0; k < 1u << vl; k++) lane_set(cpu, r, k, host_vload(p + 16 * k, V16U));
  vec_clear_above(cpu, r, vl);
}
ALWAYS_INLINE u8 *whole_hit(struct cpu *cpu, const struct insn *i, unsigned vl, bool aligned, enum access acc) {
  return aligned ? vex_hit_aligned(cpu, i, 16u << vl, acc) : vex_hit(cpu, i, 16u << vl, acc);
}

static void load_x(struct cpu *cpu, const struct insn *i, unsigned esize, bool aligned) {
  unsigned bytes = 16u << vex_vl(i), n = bytes / esize;
  u64 mask = vex_mask(cpu, i, n);
  union vec v;
  if (aligned && mask && i->seg != SEG_REG) vex_require_aligned(cpu, i, bytes);
  vex_fetch(cpu, i, &v, n, esize, mask);
  vex_commit(cpu, i, &v, bytes, n, esize, mask);
}
/* r/m = reg */
static void store_x(struct cpu *cpu, const struct insn *i, unsigned esize, bool aligned) {
  unsigned bytes = 16u << vex_vl(i), n = bytes / esize;
  u64 mask = vex_mask(cpu, i, n);
  union vec v = cpu->vec[i->src];
  if (i->seg == SEG_REG) {
    vex_commit(cpu, i, &v, bytes, n, esize, mask);
    return;
  }
  if (aligned && mask) vex_require_aligned(cpu, i, bytes);
  vex_store(cpu, i, &v, n, esize, mask);
}

#define MOVE_X(name, esize, aligned, move_x)                                                                  \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    move_x(cpu, i, esize, aligned);                                                                           \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }
#define MOVE_R(name, vl)                                                                                      \
  static const struct insn *h_##name##_##vl##_R(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    copy_vector(cpu, i->dst, cpu->vec[i->src].b, vl);                                                         \
    NEXT(cpu, i, FORM_R);                                                                                     \
  }
#define LOAD_M(name, vl, aligned)                                                                             \
  static const struct insn *h_##name##_##vl##_M(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    const u8 *p = whole_hit(cpu, i, vl, aligned, ACC_READ);                                                   \
    if (unlikely(!p)) return h_##name##_X(cpu, i);                                                            \
    copy_vector(cpu, i->dst, p, vl);                                                                          \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }
ALWAYS_INLINE void put_vector(struct cpu *cpu, const struct insn *i, u8 *p, unsigned vl) {
#pragma GCC unroll 4
  for (unsigned k = 0; k < 1u << vl; k++) host_vstore(p + 16 * k, lane_get(cpu, i->src, k), V16U);
}
#define STORE_M(name, vl, aligned)                                                                            \
  static const struct insn *h_##name##_##vl##_M(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    u8 *p = whole_hit(cpu, i, vl, aligned, ACC_WRITE);                                                        \
    if (unlikely(!p)) return h_##name##_X(cpu, i);                                                            \
    put_vector(cpu, i, p, vl);                                                                                \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }
#define LOAD(name, esize, aligned)                                                                            \
  MOVE_X(name, esize, aligned, load_x) MOVE_R(name, 0) MOVE_R(name, 1) MOVE_R(name, 2)                        \
  LOAD_M(name, 0, aligned) LOAD_M(name, 1, aligned) LOAD_M(name, 2, aligned) VEC_BODY_3(name, name)
#define STORE(name, esize, aligned)                                                                           \
  MOVE_X(name, esize, aligned, store_x) MOVE_R(name, 0) MOVE_R(name, 1) MOVE_R(name, 2)                       \
  STORE_M(name, 0, aligned) STORE_M(name, 1, aligned) STORE_M(name, 2, aligned) VEC_BODY_3(name, name)

LOAD(vec_load_a4, 4, true) LOAD(vec_load_a8, 8, true)
LOAD(vec_load_1, 1, false) LOAD(vec_load_2, 2, false) LOAD(vec_load_4, 4, false) LOAD(vec_load_8, 8, false)
STORE(vec_store_a4, 4, true) STORE(vec_store_a8, 8, true)
STORE(vec_store_1, 1, false) STORE(vec_store_2, 2, false) STORE(vec_store_4, 4, false) STORE(vec_store_8, 8, false)

/* ---- one element, 128 bits: from memory zero-extended, to memory, from a register ---- */
static void element_load_x(struct cpu *cpu, const struct insn *i, unsigned esize) {
  u64 mask = vex_mask(cpu, i, 1);
  union vec v;
  vex_fetch(cpu, i, &v, 1, esize, mask);
  memset(&v.b[esize], 0, sizeof v - esize);
  vex_commit(cpu, i, &v, 16, 1, esize, mask);
}
static void element_store_x(struct cpu *cpu, const struct insn *i, unsigned esize) {
  union vec v = cpu->vec[i->src];
  if (i->seg != SEG_REG) {
    vex_store(cpu, i, &v, 1, esize, vex_mask(cpu, i, 1));
    return;
  }
  memset(&v.b[esize], 0, sizeof v - esize);
  vex_commit(cpu, i, &v, 16, 1, esize, 1);
}
ALWAYS_INLINE void set_low(struct cpu *cpu, const struct insn *i, __m128i v) {
  lane_set(cpu, i->dst, 0, v);
  vec_clear_above(cpu, i->dst, 0);
}
#define ELEMENT_M(name, esize, acc, act)                                                                      \
  static const struct insn *h_##name##_0_M(struct cpu *restrict cpu, const struct insn *restrict i) {         \
    u8 *p = vex_hit(cpu, i, esize, acc);                                                                      \
    if (unlikely(!p)) return h_##name##_X(cpu, i);                                                            \
    act;                                                                                                      \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }
#define ELEMENT_X(name, esize, move_x)                                                                        \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    move_x(cpu, i, esize);                                                                                    \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }
#define ELEMENT_TABLE(name)                                                                                   \
  static handler_fn *const t_##name[1][FORMS] = {{[FORM_M] = h_##name##_0_M, [FORM_X] = h_##name##_X}};       \
  const struct body body_##name = {1, t_##name};
#define ELEMENT_LOAD(name, esize)                                                                             \
  ELEMENT_X(name, esize, element_load_x)                                                                      \
  ELEMENT_M(name, esize, ACC_READ, set_low(cpu, i, host_vload(p, (enum vmem)esize))) ELEMENT_TABLE(name)
#define ELEMENT_STORE(name, esize)                                                                            \
  ELEMENT_X(name, esize, element_store_x)                                                                     \
  ELEMENT_M(name, esize, ACC_WRITE, host_vstore(p, lane_get(cpu, i->src, 0), (enum vmem)esize)) ELEMENT_TABLE(name)
/* With a register: the low element, the rest zero (VMOVQ); VMOVSS and VMOVSD have rows of their own for that. */
ELEMENT_LOAD(vec_load_d, 4)
ELEMENT_LOAD(vec_load_q, 8)
ELEMENT_STORE(vec_store_d, 4)
ELEMENT_STORE(vec_store_q, 8)
VEC_SCALAR(vec_movss, 4, VF_0, 0, op_set_low32)
VEC_SCALAR(vec_movsd, 8, VF_0, 0, op_set_low64)

/* The low quadword of r/m or the high one as half of a register whose other half is vvvv's. */
#define MERGE(name, op_)                                                                                      \
  ELEMENT_X(name, 8, op_##_x)                                                                                 \
  ELEMENT_M(name, 8, ACC_READ, set_low(cpu, i, op_(lane_get(cpu, vex_vvvv(i), 0), host_vload(p, V8), 0))) ELEMENT_TABLE(name)
#define MERGE_X(op_)                                                                                          \
  static void op_##_x(struct cpu *cpu, const struct insn *i, unsigned esize) {                                \
    union vec v;                                                                                              \
    vex_fetch(cpu, i, &v, 1, esize, 1);                                                                       \
    set_low(cpu, i, op_(lane_get(cpu, vex_vvvv(i), 0), _mm_loadu_si128((const void *)&v), 0));                \
  }
MERGE_X(op_set_low64) MERGE_X(op_set_high64)
MERGE(vec_movlps, op_set_low64)
MERGE(vec_movhps, op_set_high64) /* and VMOVLHPS */
VEC_LANES(vec_movhlps, 8, VF_0, op_high_to_low)
static void store_high_x(struct cpu *cpu, const struct insn *i, unsigned esize) {
  union vec v = {.q = {cpu->vec[i->src].q[1]}};
  vex_store(cpu, i, &v, 1, esize, 1);
}
ELEMENT_X(vec_store_high, 8, store_high_x)
ELEMENT_M(vec_store_high, 8, ACC_WRITE, st64(p, cpu->vec[i->src].q[1]))
ELEMENT_TABLE(vec_store_high)

/* ---- duplicates ---- */
VEC_LANES(vec_movsldup, 4, VF_NO_FAULT_SPLIT, op_movsldup)
VEC_LANES(vec_movshdup, 4, VF_NO_FAULT_SPLIT, op_movshdup)
ALWAYS_INLINE void fn_movddup(union vec *r, const struct vex_args *x) {
  for (unsigned k = 0; k < x->n; k++) r->q[k] = x->b->q[k & ~1u];
}
VEC_WHOLE(vec_movddup, 8, VF_DUP | VF_NO_FAULT_SPLIT, fn_movddup)

/* ---- general registers ---- */
#define TO_VECTOR(cpu, i, v, w) set_low(cpu, i, _mm_cvtsi64_si128((s64)(v)))
VEX_GPR(vec_from_gpr, TO_VECTOR)
/* VMOVD, VMOVQ E,V: the first operand is the r/m one. */
ALWAYS_INLINE const struct insn *to_gpr(struct cpu *restrict cpu, const struct insn *restrict i, enum width w) {
  u64 v = w == W32 ? cpu->vec[i->src].d[0] : cpu->vec[i->src].q[0];
  if (i->seg == SEG_REG) reg_set(cpu, i->dst, v, w);
  else mem_write_w(cpu, vex_linear(cpu, i, 0, WIDTH_BYTES(w), ACC_WRITE), v, w);
  NEXT(cpu, i, FORM_X);
}
static const struct insn *h_vec_to_gpr_32(struct cpu *restrict cpu, const struct insn *restrict i) { return to_gpr(cpu, i, W32); }
static const struct insn *h_vec_to_gpr_64(struct cpu *restrict cpu, const struct insn *restrict i) { return to_gpr(cpu, i, W64); }
static handler_fn *const t_vec_to_gpr[WIDTHS][FORMS] = {[W32] = {[FORM_X] = h_vec_to_gpr_32}, [W64] = {[FORM_X] = h_vec_to_gpr_64}};
const struct body body_vec_to_gpr = {WIDTHS, t_vec_to_gpr};

/* ---- masks of signs ---- */
#define SIGNS(name, vl, esize)                                                                                \
  static const struct insn *h_##name##_##vl(struct cpu *restrict cpu, const struct insn *restrict i) {        \
    u32 m = 0;                                                                                                \
    for (unsigned k = 0; k < 1u << vl; k++) m |= lane_signs(lane_get(cpu, i->src, k), esize) << (16 / esize * k); \
    reg_set(cpu, i->dst, m, W32);                                                                             \
    NEXT(cpu, i, FORM_R);                                                                                     \
  }
#define SIGN_MASK(name, esize)                                                                                \
  SIGNS(name, 0, esize) SIGNS(name, 1, esize)                                                                 \
  static handler_fn *const t_##name[3][FORMS] = {{[FORM_R] = h_##name##_0}, {[FORM_R] = h_##name##_1}};       \
  const struct body body_##name = {3, t_##name};
SIGN_MASK(vec_pmovmskb, 1)
SIGN_MASK(vec_movmskps, 4)
SIGN_MASK(vec_movmskpd, 8)

/* ---- VZEROUPPER, VZEROALL: of the registers that the mode has ---- */
static const struct insn *h_vec_zero(struct cpu *restrict cpu, const struct insn *restrict i) {
  unsigned n = (cpu->mode & MODE_CODE_MASK) == MODE_CODE64 ? 16 : 8;
  for (unsigned r = 0; r < n; r++) {
    if (vex_vl(i)) lane_set(cpu, r, 0, _mm_setzero_si128());
    vec_clear_above(cpu, r, 0);
  }
  NEXT(cpu, i, FORM_R);
}
BODY_1(vec_zero, h_vec_zero)
