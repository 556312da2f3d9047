/* AVX, AVX2 and AVX-512: shuffles, permutations, blends, broadcasts, insertion and extraction, widening and narrowing.
 * SDM 1 14.1 (Intel AVX Overview), 14.6 (Overview of AVX2), 15.2 (Detection of AVX-512 Foundation Instructions); SDM 2 (the
 * instructions' pages). */
#include "base/bits.h"
#include "cpu/lane_int.h"
#include "cpu/lane_sse41.h"
#include "cpu/vex.h"

#define NF VF_NO_FAULT_SPLIT
/* r->member[k] = expr for each element k of r; j: its number within its 128-bit lane, l: the lane's first element */
#define EACH(name, member, expr)                                                                    \
  ALWAYS_INLINE void fn_##name(union vec *r, const struct vex_args *x) {                            \
    enum { LANE = 16 / sizeof r->member[0] };                                                       \
    for (unsigned k = 0; k < x->bytes / sizeof r->member[0]; k++) {                                 \
      unsigned j = k % LANE, l = k - j;                                                             \
      (void)j, (void)l;                                                                             \
      r->member[k] = (expr);                                                                        \
    }                                                                                               \
  }
#define A (x->a)
#define B (x->b)
#define C (x->c)
#define IMM (x->imm)
#define LAST(member) (x->bytes / (unsigned)sizeof r->member[0] - 1)

/* ---- within lanes ---- */
VEC_LANES(vec_shufps, 4, NF, op_shufps)
EACH(shufpd, q, j ? B->q[l + (IMM >> k & 1)] : A->q[l + (IMM >> k & 1)])
VEC_WHOLE(vec_shufpd, 8, NF, fn_shufpd)
ALWAYS_INLINE __m128i permute_dwords(__m128i v, __m128i n) {
  union lanes x = {.v = v}, c = {.v = n};
  return _mm_set_epi32(x.sd[c.d[3] & 3], x.sd[c.d[2] & 3], x.sd[c.d[1] & 3], x.sd[c.d[0] & 3]);
}
SIMD_OP(permilps, permute_dwords(a, b))
SIMD_OP(permilps_imm, shuffle_dwords(b, b, imm))
VEC_LANES(vec_permilps, 4, NF, op_permilps)
VEC_LANES(vec_permilps_imm, 4, NF, op_permilps_imm)
EACH(permilpd, q, A->q[l + (B->q[k] >> 1 & 1)])
EACH(permilpd_imm, q, B->q[l + (IMM >> k & 1)])
VEC_WHOLE(vec_permilpd, 8, NF, fn_permilpd)
VEC_WHOLE(vec_permilpd_imm, 8, NF, fn_permilpd_imm)
VEC_LANES(vec_unpcklps, 4, NF, op_punpckl_dq) VEC_LANES(vec_unpckhps, 4, NF, op_punpckhdq)
VEC_LANES(vec_unpcklpd, 8, NF, op_punpcklqdq) VEC_LANES(vec_unpckhpd, 8, NF, op_punpckhqdq)

/* ---- blends ---- */
VEC_LANES(vec_pblendw, 2, VF_0, op_pblendw)
EACH(blendd, d, IMM >> k & 1 ? B->d[k] : A->d[k])
EACH(blendq, q, IMM >> k & 1 ? B->q[k] : A->q[k])
VEC_WHOLE(vec_blendd, 4, VF_0, fn_blendd)
VEC_WHOLE(vec_blendq, 8, VF_0, fn_blendq)
#define CHOOSE (&x->cpu->vec[vex_is4(x->cpu, x->i)])
EACH(blendvb, b, CHOOSE->b[k] >> 7 ? B->b[k] : A->b[k])
EACH(blendvd, d, CHOOSE->d[k] >> 31 ? B->d[k] : A->d[k])
EACH(blendvq, q, CHOOSE->q[k] >> 63 ? B->q[k] : A->q[k])
VEC_WHOLE(vec_blendvb, 1, VF_0, fn_blendvb)
VEC_WHOLE(vec_blendvd, 4, VF_0, fn_blendvd)
VEC_WHOLE(vec_blendvq, 8, VF_0, fn_blendvq)

/* ---- across lanes ---- */
EACH(permd, d, B->d[A->d[k] & LAST(d)])
EACH(permq, q, B->q[A->q[k] & LAST(q)])
EACH(permb, b, B->b[A->b[k] & LAST(b)])
EACH(permw, w, B->w[A->w[k] & LAST(w)])
EACH(permq_imm, q, B->q[(k & ~3u) + (IMM >> 2 * (k & 3) & 3)])
VEC_WHOLE(vec_permd, 4, NF, fn_permd)
VEC_WHOLE(vec_permq, 8, NF, fn_permq)
VEC_WHOLE(vec_permb, 1, NF, fn_permb)
VEC_WHOLE(vec_permw, 2, NF, fn_permw)
VEC_WHOLE(vec_permq_imm, 8, NF, fn_permq_imm)
/* Of two tables, A (or C) and B: the index is C's (I2) or A's (T2). */
#define TWO_TABLES(name, member, esize)                                                                        \
  EACH(permi2##name, member, ((C->member[k] & (LAST(member) + 1)) ? B : A)->member[C->member[k] & LAST(member)]) \
  EACH(permt2##name, member, ((A->member[k] & (LAST(member) + 1)) ? B : C)->member[A->member[k] & LAST(member)]) \
  VEC_WHOLE(vec_permi2##name, esize, NF, fn_permi2##name) VEC_WHOLE(vec_permt2##name, esize, NF, fn_permt2##name)
TWO_TABLES(b, b, 1) TWO_TABLES(w, w, 2) TWO_TABLES(d, d, 4) TWO_TABLES(q, q, 8)

ALWAYS_INLINE void fn_perm2x128(union vec *r, const struct vex_args *x) {
  for (unsigned h = 0; h < x->bytes / 16; h++) {
    unsigned c = x->imm >> 4 * h;
    memcpy(&r->b[16 * h], &(c & 2 ? x->b : x->a)->b[16 * (c & 1)], 16);
    if (c & 8) memset(&r->b[16 * h], 0, 16);
  }
}
VEC_WHOLE(vec_perm2x128, 4, VF_0, fn_perm2x128)
/* The lower half of the lanes from A, the upper from B. */
ALWAYS_INLINE void fn_shuf128(union vec *r, const struct vex_args *x) {
  unsigned lanes = x->bytes / 16, bits_ = lanes / 2;
  for (unsigned k = 0; k < lanes; k++)
    memcpy(&r->b[16 * k], &(k < lanes / 2 ? x->a : x->b)->b[16 * (x->imm >> bits_ * k & (lanes - 1))], 16);
}
VEC_WHOLE(vec_shuf128_d, 4, NF, fn_shuf128)
VEC_WHOLE(vec_shuf128_q, 8, NF, fn_shuf128)

/* ---- insertion ---- */
ALWAYS_INLINE void insert(union vec *r, const struct vex_args *x, unsigned part) {
  *r = *x->a;
  memcpy(&r->b[part * (x->imm & (x->bytes / part - 1))], x->b, part);
}
ALWAYS_INLINE void fn_insert128(union vec *r, const struct vex_args *x) { insert(r, x, 16); }
ALWAYS_INLINE void fn_insert256(union vec *r, const struct vex_args *x) { insert(r, x, 32); }
VEC_WHOLE(vec_insert128_d, 4, VF_16 | NF, fn_insert128)
VEC_WHOLE(vec_insert128_q, 8, VF_16 | NF, fn_insert128)
VEC_WHOLE(vec_insert256_d, 4, VF_32 | NF, fn_insert256)
VEC_WHOLE(vec_insert256_q, 8, VF_32 | NF, fn_insert256)
/* From memory the source's element is the only one there is. */
ALWAYS_INLINE void fn_insertps(union vec *r, const struct vex_args *x) {
  *r = *x->a;
  r->d[x->imm >> 4 & 3] = x->i->seg == SEG_REG ? x->b->d[x->imm >> 6 & 3] : x->b->d[0];
  for (unsigned k = 0; k < 4; k++)
    if (x->imm >> k & 1) r->d[k] = 0;
}
VEC_WHOLE(vec_insertps, 4, VF_4 | NF, fn_insertps)
/* From a general register or memory. */
static void insert_element(struct cpu *cpu, const struct insn *i, unsigned bytes) {
  union vec r = {.q = {cpu->vec[vex_vvvv(i)].q[0], cpu->vec[vex_vvvv(i)].q[1]}};
  u64 v = i->seg == SEG_REG ? cpu->gpr[i->src] : mem_read(cpu, vex_linear(cpu, i, 0, bytes, ACC_READ), bytes);
  memcpy(&r.b[bytes * (vex_imm(i) & (16 / bytes - 1))], &v, bytes);
  cpu->vec[i->dst] = r;
}
/* 4, or 8 with W in 64-bit mode. */
static unsigned gpr_bytes(const struct insn *i) { return WIDTH_BYTES(insn_osize(i)); }
VEC_X_ONLY(vec_pinsrb, insert_element(cpu, i, 1))
VEC_X_ONLY(vec_pinsrw, insert_element(cpu, i, 2))
VEC_X_ONLY(vec_pinsr_y, insert_element(cpu, i, gpr_bytes(i)))

/* ---- extraction: the first operand is r/m ---- */
static void put(struct cpu *cpu, const struct insn *i, const union vec *v, unsigned bytes, unsigned esize) {
  unsigned n = bytes / esize;
  u64 mask = vex_mask(cpu, i, n);
  if (i->seg == SEG_REG) vex_commit(cpu, i, v, bytes, n, esize, mask);
  else vex_store(cpu, i, v, n, esize, mask);
}
/* All of memory must be writable, whatever the opmask. SDM 2A Table 2-43: E6NF */
static void extract(struct cpu *cpu, const struct insn *i, unsigned part, unsigned esize) {
  if (i->seg != SEG_REG) mem_probe(cpu, vex_linear(cpu, i, 0, part, ACC_WRITE), part, ACC_WRITE);
  union vec v = {0};
  unsigned parts = (16u << vex_vl(i)) / part;
  memcpy(&v, &cpu->vec[i->src].b[part * (vex_imm(i) & (parts - 1))], part);
  put(cpu, i, &v, part, esize);
}
VEC_X_ONLY(vec_extract128_d, extract(cpu, i, 16, 4))
VEC_X_ONLY(vec_extract128_q, extract(cpu, i, 16, 8))
VEC_X_ONLY(vec_extract256_d, extract(cpu, i, 32, 4))
VEC_X_ONLY(vec_extract256_q, extract(cpu, i, 32, 8))
/* To a general register, zero-extended, or memory. */
static void extract_element(struct cpu *cpu, const struct insn *i, unsigned bytes) {
  u64 v = 0;
  memcpy(&v, &cpu->vec[i->src].b[bytes * (vex_imm(i) & (16 / bytes - 1))], bytes);
  if (i->seg == SEG_REG) cpu->gpr[i->dst] = v;
  else mem_write(cpu, vex_linear(cpu, i, 0, bytes, ACC_WRITE), v, bytes);
}
VEC_X_ONLY(vec_pextrb, extract_element(cpu, i, 1))
VEC_X_ONLY(vec_pextrw, extract_element(cpu, i, 2))
VEC_X_ONLY(vec_pextrd, extract_element(cpu, i, 4))
VEC_X_ONLY(vec_pextr_y, extract_element(cpu, i, gpr_bytes(i)))
VEC_X_ONLY(vec_pextrw_g, cpu->gpr[i->dst] = cpu->vec[i->src].w[vex_imm(i) & 7])

/* ---- broadcasts ---- */
EACH(broadcast_b, b, B->b[0])
EACH(broadcast_w, w, B->w[0])
EACH(broadcast_d, d, B->d[0])
EACH(broadcast_q, q, B->q[0])
EACH(broadcast_64, d, B->d[k & 1])
EACH(broadcast_128, q, B->q[k & 1])
EACH(broadcast_256, q, B->q[k & 3])
/* Loops are full of these: one lane, stored as often as the length says. */
ALWAYS_INLINE void put_lanes(struct cpu *cpu, const struct insn *i, unsigned vl, __m128i v) {
#pragma GCC unroll 4
  for (unsigned k = 0; k < 1u << vl; k++) lane_set(cpu, i->dst, k, v);
  vec_clear_above(cpu, i->dst, vl);
}
#define SPLAT_INST(name, vl, bytes_, lane)                                                                    \
  static const struct insn *h_##name##_##vl##_R(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    const u8 *p = cpu->vec[i->src].b;                                                                         \
    put_lanes(cpu, i, vl, lane);                                                                              \
    NEXT(cpu, i, FORM_R);                                                                                     \
  }                                                                                                           \
  static const struct insn *h_##name##_##vl##_M(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    const u8 *p = vex_hit(cpu, i, bytes_, ACC_READ);                                                          \
    if (unlikely(!p)) return h_##name##_X(cpu, i);                                                            \
    put_lanes(cpu, i, vl, lane);                                                                              \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }
#define SPLAT(name, esize, flags, fn, lane)                                                                   \
  VEC_WHOLE_X(name, esize, flags, fn)                                                                         \
  SPLAT_INST(name, 0, esize, lane) SPLAT_INST(name, 1, esize, lane) SPLAT_INST(name, 2, esize, lane)          \
  VEC_BODY_3(name, name)
SPLAT(vec_broadcast_b, 1, VF_1, fn_broadcast_b, _mm_set1_epi8((char)*p))
SPLAT(vec_broadcast_w, 2, VF_2, fn_broadcast_w, _mm_set1_epi16((short)ld16(p)))
SPLAT(vec_broadcast_d, 4, VF_4, fn_broadcast_d, _mm_shuffle_epi32(host_vload(p, V4), 0))
SPLAT(vec_broadcast_q, 8, VF_8, fn_broadcast_q, _mm_shuffle_epi32(host_vload(p, V8), 0x44))
VEC_WHOLE(vec_broadcast_64_d, 4, VF_8, fn_broadcast_64)
VEC_WHOLE(vec_broadcast_128_d, 4, VF_16, fn_broadcast_128)
VEC_WHOLE(vec_broadcast_128_q, 8, VF_16, fn_broadcast_128)
VEC_WHOLE(vec_broadcast_256_d, 4, VF_32, fn_broadcast_256)
VEC_WHOLE(vec_broadcast_256_q, 8, VF_32, fn_broadcast_256)
static void broadcast_gpr(struct cpu *cpu, const struct insn *i, unsigned esize) {
  unsigned bytes = 16u << vex_vl(i), n = bytes / esize;
  union vec v = {0};
  for (unsigned k = 0; k < n; k++) memcpy(&v.b[k * esize], &cpu->gpr[i->src], esize);
  vex_commit(cpu, i, &v, bytes, n, esize, vex_mask(cpu, i, n));
}
VEC_X_ONLY(vec_broadcast_gpr_b, broadcast_gpr(cpu, i, 1))
VEC_X_ONLY(vec_broadcast_gpr_w, broadcast_gpr(cpu, i, 2))
VEC_X_ONLY(vec_broadcast_gpr_y, broadcast_gpr(cpu, i, gpr_bytes(i)))

/* ---- widening ---- */
#define WIDEN(types, esize, flags, to, from)                                       \
  EACH(pmovzx##types, to, B->from[k])                                              \
  EACH(pmovsx##types, to, sext(B->from[k], 8 * sizeof B->from[0]))                 \
  VEC_WHOLE(vec_pmovzx##types, esize, flags, fn_pmovzx##types)                     \
  VEC_WHOLE(vec_pmovsx##types, esize, flags, fn_pmovsx##types)
WIDEN(bw, 2, VF_HALF | VF_NARROW_IN, w, b)
WIDEN(bd, 4, VF_QUARTER | VF_NARROW_IN4, d, b)
WIDEN(bq, 8, VF_EIGHTH | VF_NARROW_IN8, q, b)
WIDEN(wd, 4, VF_HALF | VF_NARROW_IN, d, w)
WIDEN(wq, 8, VF_QUARTER | VF_NARROW_IN4, q, w)
WIDEN(dq, 8, VF_HALF | VF_NARROW_IN, q, d)

/* ---- narrowing: the first operand is r/m; opmasks count elements ---- */
enum narrow_how { NARROW_CUT, NARROW_SIGNED, NARROW_UNSIGNED };
static u64 narrowed(u64 v, unsigned from, unsigned to, enum narrow_how how) {
  u64 most = ~UINT64_C(0) >> (64 - 8 * to);
  if (how == NARROW_UNSIGNED) return v > most ? most : v;
  if (how == NARROW_CUT) return v;
  s64 s = sext(v, 8 * from), top = (s64)(most >> 1);
  return (u64)(s > top ? top : s < -top - 1 ? -top - 1 : s);
}
static void narrow(struct cpu *cpu, const struct insn *i, unsigned from, unsigned to, enum narrow_how how) {
  unsigned n = (16u << vex_vl(i)) / from;
  union vec v = {0};
  for (unsigned k = 0; k < n; k++) {
    u64 e = 0;
    memcpy(&e, &cpu->vec[i->src].b[k * from], from);
    e = narrowed(e, from, to, how);
    memcpy(&v.b[k * to], &e, to);
  }
  put(cpu, i, &v, n * to, to);
}
#define NARROW(types, from, to)                                        \
  VEC_X_ONLY(vec_pmov##types, narrow(cpu, i, from, to, NARROW_CUT))         \
  VEC_X_ONLY(vec_pmovs##types, narrow(cpu, i, from, to, NARROW_SIGNED))     \
  VEC_X_ONLY(vec_pmovus##types, narrow(cpu, i, from, to, NARROW_UNSIGNED))
NARROW(wb, 2, 1) NARROW(db, 4, 1) NARROW(dw, 4, 2) NARROW(qb, 8, 1) NARROW(qw, 8, 2) NARROW(qd, 8, 4)

/* ---- tests into EFLAGS: ZF when no bit of both, CF when none of B alone ---- */
static void test(struct cpu *cpu, const struct insn *i, u64 which) {
  union vec b;
  unsigned bytes = 16u << vex_vl(i);
  u64 both = 0, only = 0;
  vex_fetch(cpu, i, &b, bytes / 8, 8, vex_mask(cpu, i, bytes / 8));
  for (unsigned k = 0; k < bytes / 8; k++) {
    both |= cpu->vec[i->dst].q[k] & b.q[k] & which;
    only |= ~cpu->vec[i->dst].q[k] & b.q[k] & which;
  }
  cpu->hf = (u16)((both ? 0 : HF_ZF) | (only ? 0 : HF_CF));
}
VEC_X_ONLY(vec_ptest, test(cpu, i, ~UINT64_C(0)))
VEC_X_ONLY(vec_testps, test(cpu, i, UINT64_C(0x8000000080000000)))
VEC_X_ONLY(vec_testpd, test(cpu, i, BIT(63)))
