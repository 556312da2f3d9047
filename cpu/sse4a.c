/* AMD's SSE4A: bit fields of an XMM register's low quadword. APM 4 EXTRQ, INSERTQ, MOVNTSS, MOVNTSD (which are plain
 * stores: cpu/sse_mov.c). */
#include "cpu/simd.h"

/* A field's length, 0 for 64, and place; what reaches beyond bit 63 is undefined: cut off here. */
ALWAYS_INLINE u64 field_mask(unsigned length) { return ~UINT64_C(0) >> (-length & 63); }
ALWAYS_INLINE u64 field_extract(u64 v, unsigned length, unsigned at) { return v >> (at & 63) & field_mask(length); }
ALWAYS_INLINE u64 field_insert(u64 v, u64 field, unsigned length, unsigned at) {
  u64 mask = field_mask(length);
  return (v & ~(mask << (at & 63))) | (field & mask) << (at & 63);
}

/* The upper quadword becomes undefined: it stays. */
ALWAYS_INLINE void set_low(struct cpu *cpu, unsigned r, u64 v) {
  xmm_set(cpu, r, _mm_set_epi64x((s64)cpu->vec[r].q[1], (s64)v));
}
/* EXTRQ U,Ib,Ib: length, then place. EXTRQ V,U: in the source's first two bytes. */
SIMD_BODY(extrq_imm) {
  set_low(cpu, i->dst, field_extract(cpu->vec[i->dst].q[0], (u8)i->imm, (u8)(i->imm >> 8)));
  NEXT(cpu, i, form);
}
SIMD_BODY(extrq) {
  set_low(cpu, i->dst, field_extract(cpu->vec[i->dst].q[0], cpu->vec[i->src].b[0], cpu->vec[i->src].b[1]));
  NEXT(cpu, i, form);
}
/* INSERTQ V,U,Ib,Ib. INSERTQ V,U: in the first two bytes of the source's upper quadword. */
SIMD_BODY(insertq_imm) {
  set_low(cpu, i->dst, field_insert(cpu->vec[i->dst].q[0], cpu->vec[i->src].q[0], (u8)i->imm, (u8)(i->imm >> 8)));
  NEXT(cpu, i, form);
}
SIMD_BODY(insertq) {
  const union vec *v = &cpu->vec[i->src];
  set_low(cpu, i->dst, field_insert(cpu->vec[i->dst].q[0], v->q[0], v->b[8], v->b[9]));
  NEXT(cpu, i, form);
}
VEC_R(extrq_imm, extrq_imm)
VEC_R(extrq, extrq)
VEC_R(insertq_imm, insertq_imm)
VEC_R(insertq, insertq)
