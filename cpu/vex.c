/* The general handlers of VEX and EVEX instructions: any memory, opmasks with their fault suppression, broadcasts,
 * embedded rounding. SDM 2A 2.3, 2.7.4 (Opmask Register Encoding), 2.7.7 (Embedded Broadcast), 2.7.8 (Static Rounding). */
#include "cpu/seg.h"
#include "cpu/vex.h"

/* The operand is one: it does not wrap at the address size, but at 4 GiB outside 64-bit mode (silicon). */
static u64 vex_offset(const struct cpu *cpu, const struct insn *i, unsigned at) {
  u64 off = cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + i->imm, part = (off & insn_address_mask(i)) + at;
  return cpu_code64(cpu) ? part : (u32)part;
}

u64 vex_span(struct cpu *cpu, const struct insn *i, unsigned bytes, enum access acc) {
  cpu->insn = i;
  return mem_linear(cpu, i->seg, vex_offset(cpu, i, 0), bytes, acc);
}

u64 vex_linear(struct cpu *cpu, const struct insn *i, unsigned at, unsigned bytes, enum access acc) {
  cpu->insn = i;
  u64 la = mem_linear(cpu, i->seg, vex_offset(cpu, i, at), bytes, acc);
  /* Whole vectors are exempt from EFLAGS.AC, as the 16-byte operands of SSE: cpu/simd.h */
  if (bytes <= 8 && unlikely(cpu->mode & MODE_ALIGN))
    require_ab(cpu, CHK_ALIGNMENT, !(la & (bytes - 1)), 0, la, bytes);
  return la;
}

/* Before any check. */
static u64 operand_linear(const struct cpu *cpu, const struct insn *i) {
  bool based = (cpu->mode & MODE_CODE_MASK) != MODE_CODE64 || i->seg >= FS;
  return vex_offset(cpu, i, 0) + (based ? cpu->seg[i->seg].base : 0);
}

void vex_require_aligned(struct cpu *cpu, const struct insn *i, unsigned bytes) {
  u64 la = operand_linear(cpu, i);
  cpu->insn = i;
  require_ab(cpu, CHK_ALIGNED_OPERAND, !(la & (bytes - 1)), 0, la, bytes);
}

u64 vex_mask(const struct cpu *cpu, const struct insn *i, unsigned n) {
  unsigned k = vex_aaa(i);
  return (k ? cpu->k[k] : ~UINT64_C(0)) & low_bits(n);
}

static void broadcast(union vec *v, unsigned n, unsigned size) {
  for (unsigned k = 1; k < n; k++) memcpy(&v->b[k * size], v->b, size);
}

/* One element, broadcast: where an opmask selects, that it leaves the canonical addresses is #GP before EFLAGS.AC counts
 * (silicon). */
static u64 broadcast_linear(struct cpu *cpu, const struct insn *i, unsigned size, bool whole) {
  if (unlikely(cpu->mode & MODE_ALIGN) && cpu_code64(cpu) && vex_aaa(i) && !whole) {
    cpu->insn = i;
    (void)mem_linear(cpu, i->seg, vex_offset(cpu, i, size - 1), 1, ACC_READ);
  }
  return vex_linear(cpu, i, 0, size, ACC_READ);
}

/* Does an expand-up segment of 4 GiB end in the element? */
static bool spans_end(const struct cpu *cpu, const struct insn *i, u64 off, unsigned size) {
  return !cpu_code64(cpu) && off + size > BIT(32) && !(cpu->seg[i->seg].attr & SEG_DOWN);
}

/* The addresses of the elements that are selected: their segment checks come before any page is looked at, but for one
 * in which a 4-GiB segment ends (late_end()). EFLAGS.AC counts for whole operands of at most 8 bytes alone (silicon). */
static void selected_linear(struct cpu *cpu, const struct insn *i, u64 la[64], unsigned n, unsigned size, u64 mask,
                            enum access acc) {
  bool aligns = n * size <= 8 && unlikely(cpu->mode & MODE_ALIGN), late = n > 1;
  cpu->insn = i;
  for (unsigned k = 0; k < n; k++) {
    if (!(mask >> k & 1)) continue;
    /* mem_linear() has #AC first for what straddles the end of the canonical addresses */
    u64 off = vex_offset(cpu, i, k * size);
    if (unlikely(cpu->mode & MODE_ALIGN) && cpu_code64(cpu)) (void)mem_linear(cpu, i->seg, off + size - 1, 1, acc);
    la[k] = mem_linear(cpu, i->seg, off, late && spans_end(cpu, i, off, size) ? 1 : size, acc);
  }
  if (mask && aligns) {
    u64 whole = operand_linear(cpu, i);
    require_ab(cpu, CHK_ALIGNMENT, !(whole & (n * size - 1)), 0, whole, n * size);
  }
}

/* For a load when the elements before it have been read; for a store when they have been written, and all found to be
 * there. */
static void late_end(struct cpu *cpu, const struct insn *i, unsigned at, unsigned size, enum access acc) {
  u64 off = vex_offset(cpu, i, at);
  if (unlikely(spans_end(cpu, i, off, size))) (void)mem_linear(cpu, i->seg, off, size, acc);
}

/* The whole operand in place where it is flat memory that the TLB has: then nothing of it can fault. */
static u8 *in_place(struct cpu *cpu, const struct insn *i, unsigned bytes, enum access acc) {
  if (!vex_flat(cpu, i)) return NULL;
  return vex_hit(cpu, i, bytes, acc);
}

static void fetch(struct cpu *cpu, const struct insn *i, union vec *out, unsigned n, unsigned size, u64 mask, bool whole) {
  const u8 *p;
  if (i->seg == SEG_REG) {
    *out = cpu->vec[i->src];
    return;
  }
  memset(out, 0, sizeof *out);
  if (!vex_b(i) && (p = in_place(cpu, i, n * size, ACC_READ))) {
    if (n * size < 16) memcpy(out, p, n * size);
    else for (unsigned k = 0; k < n * size; k += 16) _mm_storeu_si128((void *)&out->b[k], _mm_loadu_si128((const void *)(p + k)));
  } else if (vex_b(i)) {
    if (!mask) return;
    mem_read_bytes(cpu, broadcast_linear(cpu, i, size, whole), out, size);
    broadcast(out, n, size);
  } else if (whole) {
    mem_read_bytes(cpu, vex_linear(cpu, i, 0, n * size, ACC_READ), out, n * size);
  } else {
    u64 la[64];
    selected_linear(cpu, i, la, n, size, mask, ACC_READ);
    for (unsigned k = 0; k < n; k++) {
      if (!(mask >> k & 1)) continue;
      late_end(cpu, i, k * size, size, ACC_READ);
      mem_read_bytes(cpu, la[k], &out->b[k * size], size);
    }
  }
}

void vex_fetch(struct cpu *cpu, const struct insn *i, union vec *out, unsigned n, unsigned size, u64 mask) {
  fetch(cpu, i, out, n, size, mask, mask == low_bits(n) && !vex_aaa(i));
}
void vex_fetch_selected(struct cpu *cpu, const struct insn *i, union vec *out, unsigned n, unsigned size, u64 mask) {
  fetch(cpu, i, out, n, size, mask, false);
}
void vex_fetch_whole(struct cpu *cpu, const struct insn *i, union vec *out, unsigned n, unsigned size) {
  fetch(cpu, i, out, n, size, low_bits(n), true);
}

/* What a masked store may write: from the first byte selected to the last. A fault on its second page tells the last
 * (silicon). */
static void probe_selected(struct cpu *cpu, const u64 la[64], unsigned size, u64 mask) {
  u64 first = la[__builtin_ctzll(mask)], end = (la[63 - __builtin_clzll(mask)] + size - 1) & cpu->lamask;
  mem_probe(cpu, first, 1, ACC_WRITE);
  if ((first ^ end) >> PAGE_SHIFT) mem_probe(cpu, end, 1, ACC_WRITE);
}

/* No other byte is written: it may be another processor's. */
static void put_selected(u8 *p, const union vec *v, unsigned n, unsigned size, u64 mask) {
  const unsigned each = 16 / size, whole = (1u << each) - 1;
  for (unsigned k = 0; k * 16 < n * size; k++) {
    unsigned bits_ = (unsigned)(mask >> each * k) & whole;
    if (bits_ == whole && (k + 1) * 16 <= n * size) {
      _mm_storeu_si128((void *)(p + 16 * k), _mm_loadu_si128((const void *)&v->b[16 * k]));
      continue;
    }
    for (; bits_; bits_ &= bits_ - 1) {
      unsigned at = 16 * k + size * (unsigned)__builtin_ctz(bits_);
      memcpy(p + at, &v->b[at], size);
    }
  }
}

void vex_store_selected(struct cpu *cpu, const struct insn *i, const union vec *v, unsigned n, unsigned size, u64 mask) {
  if (!mask) return;
  u8 *p = in_place(cpu, i, n * size, ACC_WRITE);
  if (p) {
    put_selected(p, v, n, size, mask);
    return;
  }
  u64 la[64];
  selected_linear(cpu, i, la, n, size, mask, ACC_WRITE);
  probe_selected(cpu, la, size, mask);
  for (unsigned k = 0; k < n; k++) {
    if (!(mask >> k & 1)) continue;
    late_end(cpu, i, k * size, size, ACC_WRITE);
    mem_write_bytes(cpu, la[k], &v->b[k * size], size);
  }
}

void vex_store(struct cpu *cpu, const struct insn *i, const union vec *v, unsigned n, unsigned size, u64 mask) {
  if (!mask) return;
  if (n == 1 || (mask == low_bits(n) && !vex_aaa(i))) {
    mem_write_bytes(cpu, vex_linear(cpu, i, 0, n * size, ACC_WRITE), v, n * size);
    return;
  }
  vex_store_selected(cpu, i, v, n, size, mask);
}

/* All ones in the elements of a lane that bits select. */
static __m128i lane_mask(unsigned bits_, unsigned size) {
  return size == 1 ? lane_mask_b(bits_) : size == 2 ? lane_mask_w(bits_) : size == 4 ? lane_mask_d(bits_) : lane_mask_q(bits_);
}
/* r where mask has a bit, old elsewhere: of the n elements alone. */
static void select_elements(union vec *r, const union vec *old, unsigned n, unsigned size, u64 mask) {
  mask |= ~low_bits(n);
  for (unsigned k = 0; k * 16 < n * size; k++) {
    __m128i m = lane_mask((unsigned)(mask >> (16 / size * k)), size);
    __m128i x = _mm_loadu_si128((const void *)&old->b[16 * k]), y = _mm_loadu_si128((const void *)&r->b[16 * k]);
    _mm_storeu_si128((void *)&r->b[16 * k], lane_select(x, y, m));
  }
}

void vex_commit(struct cpu *cpu, const struct insn *i, const union vec *v, unsigned bytes, unsigned n, unsigned size,
                u64 mask) {
  static const union vec zero;
  union vec r = *v;
  if (mask != low_bits(n)) select_elements(&r, vex_z(i) ? &zero : &cpu->vec[i->dst], n, size, mask);
  for (unsigned k = (bytes + 15) / 16; k < 4; k++) _mm_storeu_si128((void *)&r.b[16 * k], _mm_setzero_si128());
  if (bytes < 16) memset(&r.b[bytes], 0, 16 - bytes);
  cpu->vec[i->dst] = r;
}

/* ---- floating point ---- */

/* All exceptions masked, flags as they come: what happens to them is vex_sae_end()'s. */
u32 vex_sae_begin(struct cpu *cpu, const struct insn *i, bool rounding) {
  u32 saved = _mm_getcsr(), v = (cpu->mxcsr & (MXCSR_DAZ | MXCSR_FTZ | MXCSR_RC)) | MXCSR_MASKS;
  if (rounding) v = (v & ~(u32)MXCSR_RC) | vex_rc(i) << MXCSR_RC_SHIFT;
  _mm_setcsr(v);
  return saved;
}
void vex_sae_end(u32 saved) { _mm_setcsr(saved); }

void vex_put_ones(union vec *v, unsigned n, unsigned size, u64 mask) {
  static const float one = 1;
  static const double one_lf = 1;
  static const u16 one_h = 0x3c00;
  for (unsigned k = 0; k < n; k++)
    if (!(mask >> k & 1)) memcpy(&v->b[k * size], size == 4 ? (const void *)&one : size == 8 ? (const void *)&one_lf : &one_h, size);
}

void vex_lanes_x(struct cpu *cpu, const struct insn *i, const struct vex_lanes *o) {
  bool scalar = o->flags & VF_SCALAR, count = o->flags & VF_COUNT, fp = o->flags & VF_FP;
  unsigned bytes = scalar ? 16 : 16u << vex_vl(i), size = o->esize, n = scalar ? 1 : bytes / size, lanes = bytes / 16;
  u64 mask = vex_mask(cpu, i, n);
  union vec a = cpu->vec[vex_vvvv(i)], b, r = {0};
  if (count) vex_fetch(cpu, i, &b, 1, 16, 1);
  else if (o->flags & VF_WIDE_IN) vex_fetch_whole(cpu, i, &b, n / 2, 2 * size);
  else if (o->flags & VF_WIDE_IN8) vex_fetch_whole(cpu, i, &b, n / 8, 8 * size);
  else if (o->flags & VF_NO_FAULT_SPLIT) vex_fetch_whole(cpu, i, &b, n, size);
  else vex_fetch(cpu, i, &b, n, size, mask);
  if (fp) vex_put_ones(&a, n, size, mask), vex_put_ones(&b, n, size, mask);
  bool exact = fp && cpu->simd_exact && !vex_sae(i);
  u32 saved = fp && vex_sae(i) ? vex_sae_begin(cpu, i, true) : 0;
  if (exact) simd_exact_begin(cpu);
  for (unsigned k = 0; k < lanes; k++) {
    __m128i v = o->op(_mm_loadu_si128((const void *)&a.b[16 * k]), _mm_loadu_si128((const void *)&b.b[count ? 0 : 16 * k]), vex_imm(i));
    _mm_storeu_si128((void *)&r.b[16 * k], v);
  }
  if (exact) simd_exact_end_vector(cpu, i, o->kind, &a, &b, lanes);
  if (fp && vex_sae(i)) vex_sae_end(saved);
  if (o->flags & VF_MASK) {
    u64 bits_ = 0;
    for (unsigned k = 0; k < lanes; k++)
      bits_ |= (u64)lane_signs(_mm_loadu_si128((const void *)&r.b[16 * k]), size) << (16 / size * k);
    cpu->k[i->dst] = bits_ & mask;
    return;
  }
  vex_commit(cpu, i, &r, bytes, n, size, mask);
}

/* Which of n elements are used, when each that is selected uses the one of its number modulo n: broadcasts. */
static u64 folded(u64 mask, unsigned n) {
  u64 r = 0;
  for (; mask; mask = n < 64 ? mask >> n : 0) r |= mask & low_bits(n);
  return r;
}

void vex_whole_x(struct cpu *cpu, const struct insn *i, const struct vex_whole *o) {
  u32 flags = o->flags;
  bool scalar = flags & VF_SCALAR, fp = flags & VF_FP;
  unsigned bytes = scalar ? 16 : 16u << vex_vl(i), size = o->esize, n = scalar ? 1 : bytes / size;
  unsigned in = vex_source_element(flags, size), source = vex_memory_bytes(flags, vex_vl(i), size);
  u64 mask = vex_mask(cpu, i, n), accessed = mask;
  union vec a = cpu->vec[vex_vvvv(i)], b, c = cpu->vec[i->dst], r = {0};
  if (source / in < n) accessed = folded(mask, source / in);
  if (flags & VF_NO_FAULT_SPLIT) vex_fetch_whole(cpu, i, &b, source / in, in);
  else vex_fetch(cpu, i, &b, source / in, in, accessed);
  if (fp) vex_put_ones(&a, n, size, mask), vex_put_ones(&b, n, in, mask), vex_put_ones(&c, n, size, mask);
  bool exact = fp && cpu->simd_exact && !vex_sae(i);
  u32 saved = fp && vex_sae(i) ? vex_sae_begin(cpu, i, true) : 0;
  struct vex_args x = {cpu, i, &a, &b, &c, vex_imm(i), bytes, n, mask};
  if (exact) simd_exact_begin(cpu);
  o->fn(&r, &x);
  if (exact) simd_exact_end_vector(cpu, i, FP_PLAIN, &a, &b, 0);
  if (fp && vex_sae(i)) vex_sae_end(saved);
  if (flags & VF_MASK) cpu->k[i->dst] = flags & VF_OWN_MASK ? r.q[0] : r.q[0] & mask;
  else vex_commit(cpu, i, &r, bytes, n, size, flags & VF_OWN_MASK ? low_bits(n) : mask);
}
