/* Integer instructions that AVX2 and AVX-512 brought or SSE has in other files: comparison and tests into opmasks,
 * ternary logic, rotations, variable and double shifts, counts, conflicts, dot products, AES, carry-less
 * multiplication, GF(2^8). SDM 1 14.2 (Functional Overview of Intel AVX2), 15.1 (AVX-512 Overview); SDM 2 (the instructions' pages). */
#include "cpu/lane_crypt.h"
#include "cpu/lane_int.h"
#include "cpu/lane_sse41.h"
#include "cpu/lane_ssse3.h"
#include "cpu/vex.h"

#define LANES(esize, name) VEC_LANES(vec_##name, esize, VF_0, op_##name)
/* Whatever the opmask, all of memory is read. SDM 2A Table 2-43 (EVEX Instructions in Each Exception Class): E4NF */
#define LANES_NF(esize, name) VEC_LANES(vec_##name, esize, VF_NO_FAULT_SPLIT, op_##name)

/* Seldom executed: one handler. */
#define RARE(esize, name, flags)                                                         \
  VEC_LANES_X(vec_##name, esize, flags, 0, op_##name)                                    \
  VEC_BODY_X(vec_##name, vec_##name)

/* One lane's elements: p of a, q of b, o of c. */
#define ELEMENTS(name, type, member, n, expr)                                            \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, unsigned imm) {                  \
    union lanes x = {.v = a}, y = {.v = b}, r;                                           \
    (void)imm;                                                                           \
    for (unsigned k = 0; k < n; k++) {                                                   \
      type p = x.member[k], q = y.member[k];                                             \
      (void)p, (void)q;                                                                  \
      r.member[k] = (type)(expr);                                                        \
    }                                                                                    \
    return r.v;                                                                          \
  }
#define ELEMENTS_W(name, expr) ELEMENTS(name, u16, w, 8, expr)
#define ELEMENTS_D(name, expr) ELEMENTS(name, u32, d, 4, expr)
#define ELEMENTS_Q(name, expr) ELEMENTS(name, u64, q, 2, expr)

/* ---- with the destination's old value as a third source, c ---- */
typedef __m128i lane_op3(__m128i a, __m128i b, __m128i c, unsigned imm);

ALWAYS_INLINE void run_lanes3(struct cpu *cpu, const struct insn *i, const u8 *p, unsigned vl, lane_op3 *op) {
  unsigned v = vex_vvvv(i), imm = vex_imm(i), dst = i->dst;
#pragma GCC unroll 4
  for (unsigned k = 0; k < 1u << vl; k++)
    lane_set(cpu, dst, k, op(lane_get(cpu, v, k), host_vload(p + 16 * k, V16U), lane_get(cpu, dst, k), imm));
  vec_clear_above(cpu, dst, vl);
}
ALWAYS_INLINE void whole_lanes3(union vec *r, const struct vex_args *x, lane_op3 *op) {
  for (unsigned at = 0; at < x->bytes; at += 16) {
    __m128i a = _mm_loadu_si128((const void *)&x->a->b[at]), b = _mm_loadu_si128((const void *)&x->b->b[at]);
    _mm_storeu_si128((void *)&r->b[at], op(a, b, _mm_loadu_si128((const void *)&x->c->b[at]), x->imm));
  }
}
#define LANES3_INST(name, vl, op)                                                                             \
  static const struct insn *h_##name##_##vl##_R(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    run_lanes3(cpu, i, cpu->vec[i->src].b, vl, op);                                                           \
    NEXT(cpu, i, FORM_R);                                                                                     \
  }                                                                                                           \
  static const struct insn *h_##name##_##vl##_M(struct cpu *restrict cpu, const struct insn *restrict i) {    \
    const u8 *p = vex_hit(cpu, i, 16u << vl, ACC_READ);                                                       \
    if (unlikely(!p)) return h_##name##_X(cpu, i);                                                            \
    run_lanes3(cpu, i, p, vl, op);                                                                            \
    NEXT(cpu, i, FORM_M);                                                                                     \
  }
#define LANES3_BODY(name, esize_, op)                                                                         \
  static void fn_##name(union vec *r, const struct vex_args *x) { whole_lanes3(r, x, op); }                   \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    static const struct vex_whole o = {.fn = fn_##name, .flags = VF_0, .esize = (esize_)};                    \
    vex_whole_x(cpu, i, &o);                                                                                  \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }                                                                                                           \
  LANES3_INST(name, 0, op) LANES3_INST(name, 1, op) LANES3_INST(name, 2, op)                                  \
  VEC_BODY_3(name, name)
#define LANES3(esize, name) LANES3_BODY(vec_##name, esize, op_##name)
#define RARE3(esize, name)                                                               \
  static void fn_##name(union vec *r, const struct vex_args *x) { whole_lanes3(r, x, op_##name); } \
  VEC_WHOLE(vec_##name, esize, VF_0, fn_##name)
#define ELEMENTS3(name, type, member, n, expr)                                           \
  ALWAYS_INLINE __m128i op_##name(__m128i a, __m128i b, __m128i c, unsigned imm) {       \
    union lanes x = {.v = a}, y = {.v = b}, z = {.v = c}, r;                             \
    (void)imm;                                                                           \
    for (unsigned k = 0; k < n; k++) {                                                   \
      type p = x.member[k], q = y.member[k], o = z.member[k];                            \
      r.member[k] = (type)(expr);                                                        \
    }                                                                                    \
    return r.v;                                                                          \
  }

/* ---- comparison into opmasks ---- */
/* Predicates 0 to 7: EQ LT LE FALSE, and their contraries. SDM 2C VPCMPD/VPCMPUD, Table 5-8 (Pseudo-Op) */
ALWAYS_INLINE __m128i by_predicate(__m128i eq, __m128i lt, unsigned imm) {
  __m128i use_eq = _mm_set1_epi32((int)(imm & 1) - 1), use_lt = _mm_set1_epi32(-(int)((imm ^ imm >> 1) & 1));
  __m128i r = _mm_or_si128(_mm_and_si128(eq, use_eq), _mm_and_si128(lt, use_lt));
  return _mm_xor_si128(r, _mm_set1_epi32(-(int)(imm >> 2 & 1)));
}
#define FLIP(v, sign) _mm_xor_si128(v, sign)
#define COMPARE(esize, letter, eq, gt, sign)                                             \
  SIMD_OP(pcmp##letter, by_predicate(eq(a, b), gt(b, a), imm))                           \
  SIMD_OP(pcmpu##letter, by_predicate(eq(a, b), gt(FLIP(b, sign), FLIP(a, sign)), imm))  \
  VEC_LANES(vec_pcmp##letter, esize, VF_MASK, op_pcmp##letter)                           \
  VEC_LANES(vec_pcmpu##letter, esize, VF_MASK, op_pcmpu##letter)
#define EQUAL_Q(a, b) op_pcmpeqq(a, b, 0)
#define GREATER_Q(a, b) op_pcmpgtq(a, b, 0)
COMPARE(1, b, _mm_cmpeq_epi8, _mm_cmpgt_epi8, _mm_set1_epi8((char)0x80))
COMPARE(2, w, _mm_cmpeq_epi16, _mm_cmpgt_epi16, _mm_set1_epi16((short)0x8000))
COMPARE(4, d, _mm_cmpeq_epi32, _mm_cmpgt_epi32, _mm_set1_epi32((int)0x80000000))
COMPARE(8, q, EQUAL_Q, GREATER_Q, _mm_set1_epi64x((s64)(UINT64_C(1) << 63)))

#define NO_BIT(eq) eq(_mm_and_si128(a, b), _mm_setzero_si128())
#define TESTS(esize, letter, eq)                                                         \
  SIMD_OP(ptestnm##letter, NO_BIT(eq))                                                   \
  SIMD_OP(ptestm##letter, _mm_xor_si128(NO_BIT(eq), _mm_set1_epi32(-1)))                 \
  VEC_LANES(vec_ptestnm##letter, esize, VF_MASK, op_ptestnm##letter)                     \
  VEC_LANES(vec_ptestm##letter, esize, VF_MASK, op_ptestm##letter)
TESTS(1, b, _mm_cmpeq_epi8) TESTS(2, w, _mm_cmpeq_epi16) TESTS(4, d, _mm_cmpeq_epi32) TESTS(8, q, EQUAL_Q)

/* Each byte of b picks a bit of a's quadword. */
ALWAYS_INLINE __m128i op_pshufbitqmb(__m128i a, __m128i b, unsigned imm) {
  union lanes x = {.v = a}, y = {.v = b}, r;
  (void)imm;
  for (unsigned k = 0; k < 16; k++) r.b[k] = x.q[k / 8] >> (y.b[k] & 63) & 1 ? 0x80 : 0;
  return r.v;
}
RARE(1, pshufbitqmb, VF_MASK)

/* ---- between opmasks and vectors ---- */
VEC_LANES(vec_pmovb2m, 1, VF_MASK, op_src)
VEC_LANES(vec_pmovw2m, 2, VF_MASK, op_src)
VEC_LANES(vec_pmovd2m, 4, VF_MASK, op_src)
VEC_LANES(vec_pmovq2m, 8, VF_MASK, op_src)
#define FROM_OPMASK(letter, esize, type, member)                                         \
  static void fn_pmovm2##letter(union vec *r, const struct vex_args *x) {                \
    u64 m = x->cpu->k[x->i->src & 7];                                                    \
    for (unsigned k = 0; k < x->n; k++) r->member[k] = m >> k & 1 ? (type)-1 : 0;        \
  }                                                                                      \
  VEC_WHOLE(vec_pmovm2##letter, esize, VF_0, fn_pmovm2##letter)
FROM_OPMASK(b, 1, u8, b) FROM_OPMASK(w, 2, u16, w) FROM_OPMASK(d, 4, u32, d) FROM_OPMASK(q, 8, u64, q)
static void fn_pbroadcastmb2q(union vec *r, const struct vex_args *x) {
  for (unsigned k = 0; k < x->n; k++) r->q[k] = (u8)x->cpu->k[x->i->src & 7];
}
static void fn_pbroadcastmw2d(union vec *r, const struct vex_args *x) {
  for (unsigned k = 0; k < x->n; k++) r->d[k] = (u16)x->cpu->k[x->i->src & 7];
}
VEC_WHOLE(vec_pbroadcastmb2q, 8, VF_0, fn_pbroadcastmb2q)
VEC_WHOLE(vec_pbroadcastmw2d, 4, VF_0, fn_pbroadcastmw2d)

/* Elements that are not selected are the first source's, or zero. */
#define BLEND(name, esize)                                                               \
  static void fn_##name(union vec *r, const struct vex_args *x) {                        \
    *r = *x->b;                                                                          \
    for (unsigned k = 0; k < x->n; k++) {                                                \
      if (x->mask >> k & 1) continue;                                                    \
      if (vex_z(x->i)) memset(&r->b[k * esize], 0, esize);                               \
      else memcpy(&r->b[k * esize], &x->a->b[k * esize], esize);                         \
    }                                                                                    \
  }                                                                                      \
  VEC_WHOLE(vec_##name, esize, VF_OWN_MASK, fn_##name)
BLEND(pblendmb, 1) BLEND(pblendmw, 2) BLEND(pblendmd, 4) BLEND(pblendmq, 8)

/* ---- ternary logic ---- */
/* The immediate is the truth table: bit 4 * destination + 2 * first source + second. */
ALWAYS_INLINE __m128i table_bit(unsigned imm, unsigned n) { return _mm_set1_epi32(-(int)(imm >> n & 1)); }
ALWAYS_INLINE __m128i table_pair(__m128i b, unsigned imm, unsigned n) {
  return lane_select(table_bit(imm, n), table_bit(imm, n + 1), b);
}
ALWAYS_INLINE __m128i op_pternlog(__m128i a, __m128i b, __m128i c, unsigned imm) {
  __m128i low = lane_select(table_pair(b, imm, 0), table_pair(b, imm, 2), a);
  __m128i high = lane_select(table_pair(b, imm, 4), table_pair(b, imm, 6), a);
  return lane_select(low, high, c);
}
LANES3_BODY(vec_pternlogd, 4, op_pternlog)
LANES3_BODY(vec_pternlogq, 8, op_pternlog)

/* ---- rotations, variable shifts ---- */
ELEMENTS_D(prolvd, p << (q & 31) | p >> (-q & 31))
ELEMENTS_D(prorvd, p >> (q & 31) | p << (-q & 31))
ELEMENTS_Q(prolvq, p << (q & 63) | p >> (-q & 63))
ELEMENTS_Q(prorvq, p >> (q & 63) | p << (-q & 63))
RARE(4, prolvd, VF_0) RARE(4, prorvd, VF_0) RARE(8, prolvq, VF_0) RARE(8, prorvq, VF_0)
/* The r/m operand by the immediate. */
ALWAYS_INLINE __m128i rotate_dwords(__m128i v, unsigned n) {
  return _mm_or_si128(_mm_sll_epi32(v, _mm_cvtsi32_si128((int)n)), _mm_srl_epi32(v, _mm_cvtsi32_si128((int)(32 - n))));
}
ALWAYS_INLINE __m128i rotate_qwords(__m128i v, unsigned n) {
  return _mm_or_si128(_mm_sll_epi64(v, _mm_cvtsi32_si128((int)n)), _mm_srl_epi64(v, _mm_cvtsi32_si128((int)(64 - n))));
}
SIMD_OP(prold, rotate_dwords(b, imm & 31))
SIMD_OP(prord, rotate_dwords(b, -imm & 31))
SIMD_OP(prolq, rotate_qwords(b, imm & 63))
SIMD_OP(prorq, rotate_qwords(b, -imm & 63))
LANES(4, prold) LANES(4, prord) LANES(8, prolq) LANES(8, prorq)

#ifdef __AVX2__
SIMD_OP(psllvd, _mm_sllv_epi32(a, b))
SIMD_OP(psllvq, _mm_sllv_epi64(a, b))
SIMD_OP(psrlvd, _mm_srlv_epi32(a, b))
SIMD_OP(psrlvq, _mm_srlv_epi64(a, b))
SIMD_OP(psravd, _mm_srav_epi32(a, b))
#else
ELEMENTS_D(psllvd, q > 31 ? 0 : p << q)
ELEMENTS_Q(psllvq, q > 63 ? 0 : p << q)
ELEMENTS_D(psrlvd, q > 31 ? 0 : p >> q)
ELEMENTS_Q(psrlvq, q > 63 ? 0 : p >> q)
ELEMENTS_D(psravd, (s32)p >> (q > 31 ? 31 : q))
#endif
ELEMENTS_W(psllvw, q > 15 ? 0 : p << q)
ELEMENTS_W(psrlvw, q > 15 ? 0 : p >> q)
ELEMENTS_W(psravw, (s16)p >> (q > 15 ? 15 : q))
ELEMENTS_Q(psravq, (s64)p >> (q > 63 ? 63 : q))
LANES(4, psllvd) LANES(8, psllvq) LANES(4, psrlvd) LANES(8, psrlvq) LANES(4, psravd) LANES(8, psravq)
RARE(2, psllvw, VF_0) RARE(2, psrlvw, VF_0) RARE(2, psravw, VF_0)

/* ---- double shifts: the upper half of p:q to the left, the lower half of q:p to the right; the count is taken
 * modulo the element's size ---- */
#define MODULO(n, bits_) ((unsigned)(n) & (bits_ - 1))
#define UP(p, q, n, bits_) \
  (MODULO(n, bits_) ? (p) << MODULO(n, bits_) | (q) >> (bits_ - MODULO(n, bits_)) : (p))
#define DOWN(p, q, n, bits_) \
  (MODULO(n, bits_) ? (p) >> MODULO(n, bits_) | (q) << (bits_ - MODULO(n, bits_)) : (p))
#define DOUBLE_SHIFTS(letter, type, member, count, bits_)                                \
  ELEMENTS(pshld##letter, type, member, count, UP(p, q, imm, bits_))                     \
  ELEMENTS(pshrd##letter, type, member, count, DOWN(p, q, imm, bits_))                   \
  ELEMENTS3(pshldv##letter, type, member, count, UP(o, p, q, bits_))                     \
  ELEMENTS3(pshrdv##letter, type, member, count, DOWN(o, p, q, bits_))                   \
  RARE(bits_ / 8, pshld##letter, VF_0) RARE(bits_ / 8, pshrd##letter, VF_0)              \
  RARE3(bits_ / 8, pshldv##letter) RARE3(bits_ / 8, pshrdv##letter)
DOUBLE_SHIFTS(w, u16, w, 8, 16) DOUBLE_SHIFTS(d, u32, d, 4, 32) DOUBLE_SHIFTS(q, u64, q, 2, 64)

/* Each byte of a is the number of a bit of b's quadword, from which eight are taken. */
ALWAYS_INLINE __m128i op_pmultishiftqb(__m128i a, __m128i b, unsigned imm) {
  union lanes x = {.v = a}, y = {.v = b}, r;
  (void)imm;
  for (unsigned k = 0; k < 16; k++) {
    unsigned n = x.b[k] & 63;
    r.b[k] = (u8)(y.q[k / 8] >> n | y.q[k / 8] << (-n & 63));
  }
  return r.v;
}
RARE(1, pmultishiftqb, VF_WIDE_IN8)

/* ---- counts, conflicts ---- */
ELEMENTS_D(plzcntd, q ? (unsigned)__builtin_clz(q) : 32)
ELEMENTS_Q(plzcntq, q ? (unsigned)__builtin_clzll(q) : 64)
RARE(4, plzcntd, VF_0) RARE(8, plzcntq, VF_0)
ALWAYS_INLINE __m128i count_bits(__m128i v) { /* of each byte */
  const __m128i m1 = _mm_set1_epi8(0x55), m2 = _mm_set1_epi8(0x33), m4 = _mm_set1_epi8(0x0f);
  v = _mm_sub_epi8(v, _mm_and_si128(_mm_srli_epi64(v, 1), m1));
  v = _mm_add_epi8(_mm_and_si128(v, m2), _mm_and_si128(_mm_srli_epi64(v, 2), m2));
  return _mm_and_si128(_mm_add_epi8(v, _mm_srli_epi64(v, 4)), m4);
}
ALWAYS_INLINE __m128i count_word_bits(__m128i v) {
  v = count_bits(v);
  return _mm_add_epi16(_mm_and_si128(v, _mm_set1_epi16(0xff)), _mm_srli_epi16(v, 8));
}
SIMD_OP(popcntb, count_bits(b))
SIMD_OP(popcntw, count_word_bits(b))
SIMD_OP(popcntd, _mm_madd_epi16(count_word_bits(b), _mm_set1_epi16(1)))
SIMD_OP(popcntq, _mm_sad_epu8(count_bits(b), _mm_setzero_si128()))
LANES(1, popcntb) LANES(2, popcntw) LANES(4, popcntd) LANES(8, popcntq)
#define CONFLICT(letter, esize, type, member)                                            \
  static void fn_pconflict##letter(union vec *r, const struct vex_args *x) {             \
    for (unsigned k = 0; k < x->n; k++) {                                                \
      type equal = 0;                                                                    \
      for (unsigned j = 0; j < k; j++)                                                   \
        if (x->b->member[j] == x->b->member[k]) equal |= (type)1 << j;                   \
      r->member[k] = equal;                                                              \
    }                                                                                    \
  }                                                                                      \
  VEC_WHOLE(vec_pconflict##letter, esize, VF_NO_FAULT_SPLIT, fn_pconflict##letter)
CONFLICT(d, 4, u32, d) CONFLICT(q, 8, u64, q)

/* ---- multiplication and addition ---- */
#define LOW52(v) ((v) & ((UINT64_C(1) << 52) - 1))
ELEMENTS3(pmadd52luq, u64, q, 2, o + LOW52(LOW52(p) * LOW52(q)))
ELEMENTS3(pmadd52huq, u64, q, 2, o + (u64)((u128)LOW52(p) * LOW52(q) >> 52))
LANES3(8, pmadd52luq) LANES3(8, pmadd52huq)

/* Four products of an unsigned byte of p and a signed one of q; two of signed words. */
ALWAYS_INLINE s32 dot_bytes(u32 p, u32 q) {
  s32 sum = 0;
  for (unsigned k = 0; k < 32; k += 8) sum += (s32)(u8)(p >> k) * (s8)(q >> k);
  return sum;
}
ALWAYS_INLINE s64 dot_words(u32 p, u32 q) { return (s64)((s16)p * (s16)q) + (s16)(p >> 16) * (s16)(q >> 16); }
ALWAYS_INLINE u32 saturate32(s64 v) { return (u32)(v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : v); }
ELEMENTS3(pdpbusd, u32, d, 4, o + (u32)dot_bytes(p, q))
ELEMENTS3(pdpbusds, u32, d, 4, saturate32((s64)(s32)o + dot_bytes(p, q)))
ELEMENTS3(pdpwssd, u32, d, 4, o + (u32)dot_words(p, q))
ELEMENTS3(pdpwssds, u32, d, 4, saturate32((s64)(s32)o + dot_words(p, q)))
LANES3(4, pdpbusd) LANES3(4, pdpbusds) LANES3(4, pdpwssd) LANES3(4, pdpwssds)

/* ---- sums of differences ---- */
/* Of four bytes of a and four of b, whose dwords the immediate shuffles first. */
ALWAYS_INLINE __m128i op_dbpsadbw(__m128i a, __m128i b, unsigned imm) {
  union lanes x = {.v = a}, y = {.v = shuffle_dwords(b, b, imm)}, r;
  for (unsigned k = 0; k < 8; k++) {
    const u8 *p = &x.b[k / 2 * 4], *q = &y.b[(k & 4) * 2 + (k & 3)];
    unsigned sum = 0;
    for (unsigned n = 0; n < 4; n++) sum += (unsigned)(p[n] > q[n] ? p[n] - q[n] : q[n] - p[n]);
    r.w[k] = (u16)sum;
  }
  return r.v;
}
RARE(2, dbpsadbw, VF_NO_FAULT_SPLIT)
/* The upper lane has three bits of the immediate to itself. */
static void fn_mpsadbw(union vec *r, const struct vex_args *x) {
  for (unsigned at = 0; at < x->bytes; at += 16) {
    __m128i a = _mm_loadu_si128((const void *)&x->a->b[at]), b = _mm_loadu_si128((const void *)&x->b->b[at]);
    _mm_storeu_si128((void *)&r->b[at], op_mpsadbw(a, b, (at ? x->imm >> 3 : x->imm) & 7));
  }
}
VEC_WHOLE(vec_mpsadbw, 1, VF_0, fn_mpsadbw)

/* ---- moves of elements ---- */
LANES_NF(4, pshufd) LANES_NF(2, pshufhw) LANES_NF(2, pshuflw) LANES_NF(1, palignr) RARE(2, phminposuw, VF_0)
#define ALIGN(name, esize, member)                                                       \
  static void fn_##name(union vec *r, const struct vex_args *x) {                        \
    for (unsigned k = 0; k < x->n; k++) {                                                \
      unsigned from = k + (x->imm & (x->n - 1));                                         \
      r->member[k] = from < x->n ? x->b->member[from] : x->a->member[from - x->n];       \
    }                                                                                    \
  }                                                                                      \
  VEC_WHOLE(vec_##name, esize, VF_NO_FAULT_SPLIT, fn_##name)
ALIGN(alignd, 4, d) ALIGN(alignq, 8, q)

/* ---- AES, carry-less multiplication, GF(2^8) ---- */
LANES(8, aesenc) LANES(8, aesenclast) LANES(8, aesdec) LANES(8, aesdeclast)
RARE(8, aesimc, VF_0) RARE(8, aeskeygenassist, VF_0)
LANES(8, pclmulqdq) LANES(1, gf2p8mulb)
/* Matrices are quadwords; opmasks count bytes. */
VEC_LANES(vec_gf2p8affineqb, 1, VF_WIDE_IN8, op_gf2p8affineqb)
VEC_LANES(vec_gf2p8affineinvqb, 1, VF_WIDE_IN8, op_gf2p8affineinvqb)
