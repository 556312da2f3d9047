/* AVX, AVX2 and AVX-512 instructions whose memory is not one operand: masked moves, gathers and scatters, compression and
 * expansion; and MXCSR. SDM 2A 2.3.12 (Vector SIB (VSIB) Memory Addressing); SDM 2 (the instructions'
 * pages). */
#include "base/bits.h"
#include "cpu/paging.h"
#include "cpu/seg.h"
#include "cpu/vex.h"

static u64 element(const union vec *v, unsigned k, unsigned size) {
  u64 r = 0;
  memcpy(&r, &v->b[k * size], size);
  return r;
}

/* ---- by the signs of a vector ---- */
static u64 sign_mask(const union vec *v, unsigned n, unsigned size) {
  u64 m = 0;
  for (unsigned k = 0; k < n; k++) m |= (element(v, k, size) >> (8 * size - 1)) << k;
  return m;
}
static void masked_load(struct cpu *cpu, const struct insn *i, unsigned size) {
  unsigned bytes = 16u << vex_vl(i), n = bytes / size;
  u64 mask = sign_mask(&cpu->vec[vex_vvvv(i)], n, size);
  union vec v;
  vex_fetch_selected(cpu, i, &v, n, size, mask);
  for (unsigned k = 0; k < n; k++)
    if (!(mask >> k & 1)) memset(&v.b[k * size], 0, size);
  cpu->vec[i->dst] = v;
}
static void masked_store(struct cpu *cpu, const struct insn *i, unsigned size) {
  unsigned n = (16u << vex_vl(i)) / size;
  vex_store_selected(cpu, i, &cpu->vec[i->src], n, size, sign_mask(&cpu->vec[vex_vvvv(i)], n, size));
}
VEC_X_ONLY(vec_maskload_d, masked_load(cpu, i, 4))
VEC_X_ONLY(vec_maskload_q, masked_load(cpu, i, 8))
VEC_X_ONLY(vec_maskstore_d, masked_store(cpu, i, 4))
VEC_X_ONLY(vec_maskstore_q, masked_store(cpu, i, 8))

/* ---- gathers and scatters: EFLAGS.AC does not count for their elements (silicon). An element that is done leaves the mask: a fault at a later one can be returned from ---- */
static u64 indexed_offset(const struct cpu *cpu, const struct insn *i, unsigned k, unsigned index_size) {
  u64 index = (u64)sext(element(&cpu->vec[i->index], k, index_size), 8 * index_size);
  return (cpu->gpr[i->base] + (index << i->scale) + i->imm) & insn_address_mask(i);
}
static unsigned elements(const struct insn *i, unsigned index_size, unsigned size) {
  return (16u << vex_vl(i)) / (index_size > size ? index_size : size);
}
static void clear_vector_above(union vec *v, unsigned bytes) { memset(&v->b[bytes], 0, sizeof *v - bytes); }

/* A single-step trap that waits when an element faults is taken first, once one was done: the instruction goes on behind it,
 * with RF set. SDM 2 VPGATHERDD (Operation notes on faults and traps) */
static bool trap_first(struct cpu *cpu, const struct insn *i, u64 off, unsigned size, enum access acc, bool begun) {
  struct page_walk w;
  struct fault f;
  enum mmu_priv priv = paging_priv(cpu, cpu->cpl == 3);
  if (!begun || likely(!(cpu->eflags & EF_TF))) return false;
  if (!mem_linear_passes(cpu, i->seg, off, size, acc)) return true;
  u64 la = mem_linear(cpu, i->seg, off, size, acc);
  return paging_translate(cpu, la, acc, priv, &w, &f) || paging_translate(cpu, (la + size - 1) & cpu->lamask, acc, priv, &w, &f);
}

/* How many elements, and which; what remembers that one is done. */
struct indexed {
  unsigned index_size, size, n;
  u64 todo, *k;    /* EVEX */
  union vec *mask; /* AVX2: the signs of vvvv */
};
static struct indexed indexed(struct cpu *cpu, const struct insn *i, unsigned index_size, unsigned size, bool by_vector) {
  struct indexed x = {.index_size = index_size, .size = size, .n = elements(i, index_size, size)};
  cpu->insn = i;
  if (!by_vector) {
    x.k = &cpu->k[vex_aaa(i)];
    x.todo = vex_mask(cpu, i, x.n);
    return x;
  }
  x.mask = &cpu->vec[vex_vvvv(i)];
  x.todo = sign_mask(x.mask, x.n, size);
  for (unsigned k = 0; k < x.n; k++) memset(&x.mask->b[k * size], x.todo >> k & 1 ? 0xff : 0, size);
  return x;
}
static void element_done(const struct indexed *x, unsigned k) {
  if (x->mask) memset(&x->mask->b[k * x->size], 0, x->size);
  else *x->k &= ~BIT(k);
}

/* False: given up for a trap, to go on later. */
static bool move_indexed(struct cpu *cpu, const struct insn *i, struct indexed x, enum access acc) {
  union vec *v = &cpu->vec[acc == ACC_READ ? i->dst : i->src];
  bool begun = false;
  for (unsigned k = 0; k < x.n; k++) {
    if (!(x.todo >> k & 1)) continue;
    u64 e = 0, off = indexed_offset(cpu, i, k, x.index_size);
    if (trap_first(cpu, i, off, x.size, acc, begun)) return false;
    if (unlikely(cpu->mode & MODE_ALIGN) && cpu_code64(cpu))
      (void)mem_linear(cpu, i->seg, off + x.size - 1, 1, acc); /* no #AC of its start */
    u64 la = mem_linear(cpu, i->seg, off, x.size, acc);
    if (acc == ACC_READ) {
      mem_read_bytes(cpu, la, &e, x.size);
      memcpy(&v->b[k * x.size], &e, x.size);
    } else {
      mem_write_bytes(cpu, la, &v->b[k * x.size], x.size);
    }
    element_done(&x, k);
    begun = true;
  }
  if (x.mask) memset(x.mask, 0, sizeof *x.mask);
  else *x.k = 0;
  if (acc == ACC_READ) clear_vector_above(v, x.n * x.size);
  return true;
}
static const u8 zero_element[4];
/* Where each element is: that of memory, or, not selected, the register's own. False: some is not in the TLB. */
ALWAYS_INLINE bool find_elements(struct cpu *cpu, const struct insn *i, const u8 *at[16], const u8 *v, unsigned n, unsigned index_size,
                                 unsigned size, u64 todo, enum access acc) {
  const union vec *index = &cpu->vec[i->index];
  u64 base = cpu->gpr[i->base] + i->imm;
  for (unsigned k = 0; k < n; k++) {
    u64 offset = index_size == 4 ? (u64)(s64)(s32)index->d[k] : index->q[k];
    at[k] = v + k * size;
    if (!(todo >> k & 1)) continue;
    at[k] = mem_hit(cpu, (base + (offset << i->scale)) & cpu->lamask, size, acc);
    if (unlikely(!at[k])) return false;
  }
  return true;
}
/* All at once, where nothing can fault; else false, and nothing has changed. */
ALWAYS_INLINE bool move_indexed_quick(struct cpu *cpu, const struct insn *i, unsigned index_size, unsigned size,
                                      bool by_vector, enum access acc) {
  unsigned n = elements(i, index_size, size), lanes = 1u << vex_vl(i);
  union vec *v = &cpu->vec[acc == ACC_READ ? i->dst : i->src];
  const u8 *at[16];
  u64 todo = 0;
  if (unlikely(!vex_flat(cpu, i) || (cpu->eflags & EF_TF))) return false;
  if (!by_vector) todo = vex_mask(cpu, i, n);
  else for (unsigned k = 0; k < lanes; k++) todo |= (u64)lane_signs(lane_get(cpu, vex_vvvv(i), k), size) << (16 / size * k);
  cpu->insn = i;
  if (!find_elements(cpu, i, at, v->b, n, index_size, size, todo, acc)) return false;
  if (acc == ACC_WRITE) {
    for (unsigned k = 0; k < n; k++) memcpy((u8 *)(uintptr_t)at[k], v->b + k * size, size); /* those not selected to themselves */
  } else {
    for (unsigned k = 0; size == 8 && k < n; k += 2)
      lane_set(cpu, i->dst, k / 2, lane_join(host_vload(at[k], V8), host_vload(at[k + 1], V8)));
    for (unsigned k = 0; size == 4 && k < n; k += 4)
      lane_set(cpu, i->dst, k / 4,
               _mm_set_epi32((int)ld32(n > 3 ? at[k + 3] : zero_element), (int)ld32(n > 3 ? at[k + 2] : zero_element),
                             (int)ld32(at[k + 1]), (int)ld32(at[k])));
    for (unsigned k = (n * size + 15) / 16; k < 4; k++) lane_set(cpu, i->dst, k, _mm_setzero_si128());
  }
  if (by_vector) memset(&cpu->vec[vex_vvvv(i)], 0, sizeof *v);
  else cpu->k[vex_aaa(i)] = 0;
  return true;
}
#define INDEXED_ONE(name, index_size, size, by_vector, acc)                                                   \
  static NOINLINE bool quick_##name(struct cpu *cpu, const struct insn *i) {                                  \
    return move_indexed_quick(cpu, i, index_size, size, by_vector, acc);                                      \
  }                                                                                                           \
  static NOINLINE const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) {  \
    if (!quick_##name(cpu, i) &&                                                                              \
        !move_indexed(cpu, i, indexed(cpu, i, index_size, size, by_vector), acc)) return cpu_leave_partial(cpu, i); \
    NEXT(cpu, i, FORM_X);                                                                                     \
  }                                                                                                           \
  VEC_BODY_X(name, name)
#define INDEXED(name, index_size, size)                                      \
  INDEXED_ONE(vec_gather_##name, index_size, size, true, ACC_READ)            \
  INDEXED_ONE(vec_gather_k_##name, index_size, size, false, ACC_READ)         \
  INDEXED_ONE(vec_scatter_##name, index_size, size, false, ACC_WRITE)
INDEXED(dd, 4, 4) INDEXED(dq, 4, 8) INDEXED(qd, 8, 4) INDEXED(qq, 8, 8)

/* ---- compression and expansion ---- */
/* Under an opmask the elements are stored one by one (silicon). */
static void store_packed(struct cpu *cpu, const struct insn *i, const union vec *v, unsigned n, unsigned size, unsigned count) {
  if (vex_aaa(i)) vex_store_selected(cpu, i, v, n, size, low_bits(count));
  else mem_write_bytes(cpu, vex_span(cpu, i, n * size, ACC_WRITE), v, n * size);
}
/* Without branches: each element is stored, and the next over it unless it counts. */
#define PACK(member)                                   \
  for (unsigned k = 0; k < n; k++) {                   \
    to->member[count] = from->member[k];               \
    count += mask >> k & 1;                            \
  }
static unsigned pack(union vec *to, const union vec *from, unsigned n, unsigned size, u64 mask) {
  unsigned count = 0;
  if (size == 1) PACK(b) else if (size == 2) PACK(w) else if (size == 4) PACK(d) else PACK(q)
  return count;
}
static void compress(struct cpu *cpu, const struct insn *i, unsigned size) {
  unsigned bytes = 16u << vex_vl(i), n = bytes / size;
  u64 mask = vex_mask(cpu, i, n);
  union vec v;
  unsigned count = pack(&v, &cpu->vec[i->src], n, size, mask);
  if (i->seg == SEG_REG) vex_commit(cpu, i, &v, bytes, n, size, low_bits(count));
  else store_packed(cpu, i, &v, n, size, count);
}
static void expand(struct cpu *cpu, const struct insn *i, unsigned size) {
  unsigned bytes = 16u << vex_vl(i), n = bytes / size, from = 0;
  u64 mask = vex_mask(cpu, i, n);
  unsigned count = (unsigned)__builtin_popcountll(mask);
  union vec v = {0}, r = {0};
  if (i->seg == SEG_REG) v = cpu->vec[i->src];
  else if (vex_aaa(i)) vex_fetch(cpu, i, &v, n, size, low_bits(count));
  else mem_read_bytes(cpu, vex_span(cpu, i, bytes, ACC_READ), &v, bytes);
  for (unsigned k = 0; k < n; k++)
    if (mask >> k & 1) memcpy(&r.b[k * size], &v.b[size * from++], size);
  vex_commit(cpu, i, &r, bytes, n, size, mask);
}
VEC_X_ONLY(vec_compress_b, compress(cpu, i, 1)) VEC_X_ONLY(vec_expand_b, expand(cpu, i, 1))
VEC_X_ONLY(vec_compress_w, compress(cpu, i, 2)) VEC_X_ONLY(vec_expand_w, expand(cpu, i, 2))
VEC_X_ONLY(vec_compress_d, compress(cpu, i, 4)) VEC_X_ONLY(vec_expand_d, expand(cpu, i, 4))
VEC_X_ONLY(vec_compress_q, compress(cpu, i, 8)) VEC_X_ONLY(vec_expand_q, expand(cpu, i, 8))

/* ---- MXCSR ---- */
static void load_mxcsr(struct cpu *cpu, const struct insn *i) {
  u32 v = mem_read32(cpu, vex_linear(cpu, i, 0, 4, ACC_READ));
  require_ab(cpu, CHK_MXCSR_RESERVED, !(v & ~(u32)MXCSR_VALID), 0, v, 0);
  simd_set_mxcsr(cpu, v);
}
VEC_X_ONLY(vec_ldmxcsr, load_mxcsr(cpu, i))
VEC_X_ONLY(vec_stmxcsr, mem_write32(cpu, vex_linear(cpu, i, 0, 4, ACC_WRITE), simd_mxcsr(cpu)))
