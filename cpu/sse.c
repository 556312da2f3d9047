/* MXCSR: where it lives, LDMXCSR and STMXCSR, and floating-point exceptions that are not masked. SDM 1
 * 10.2.3 (MXCSR Control and Status Register), 11.5 (SSE, SSE2, and SSE3 Exceptions), appendix E
 * (Guidelines for Writing SIMD Floating-Point Exception Handlers). */
#include "cpu/check.h"
#include "cpu/simd_exact.h"
#include "cpu/x87.h"

/* Not inlined into handlers: as mem_read_v. */
static NOINLINE u32 host_get(void) {
  u32 v;
  __asm__ volatile("stmxcsr %0" : "=m"(v));
  return v;
}
static NOINLINE void host_set(u32 v) { __asm__ volatile("ldmxcsr %0" : : "m"(v)); }
/* The guest's MXCSR with everything masked: what the host register holds while guest code runs. */
static u32 masked(u32 mxcsr) { return (mxcsr & MXCSR_VALID) | MXCSR_MASKS; }

static void guest_set(struct cpu *cpu) {
  cpu->simd_exact = (cpu->mxcsr & MXCSR_MASKS) != MXCSR_MASKS;
  host_set(masked(cpu->mxcsr));
}

NOINLINE void v_require_aligned(struct cpu *cpu, const struct insn *i) {
  bool based = (cpu->mode & MODE_CODE_MASK) != MODE_CODE64 || i->seg >= FS;
  u64 la = ea_offset(cpu, i) + (based ? cpu->seg[i->seg].base : 0);
  cpu->insn = i;
  require_ab(cpu, CHK_ALIGNED_OPERAND, !(la & 15), 0, la, 16);
}

__m128i mem_read_v(struct cpu *cpu, u64 la, enum vmem m) {
  u8 buf[16];
  mem_read_bytes(cpu, la, buf, VMEM_BYTES(m));
  return host_vload(buf, m);
}
NOINLINE void mem_write_v(struct cpu *cpu, u64 la, __m128i v, enum vmem m) {
  u8 buf[16];
  host_vstore(buf, v, m);
  mem_write_bytes(cpu, la, buf, VMEM_BYTES(m));
}

void simd_enter(struct cpu *cpu) {
  if (cpu->simd_in) return;
  cpu->host_mxcsr = host_get();
  cpu->simd_in = true;
  guest_set(cpu);
}

void simd_leave(struct cpu *cpu) {
  x87_leave(cpu);
  if (!cpu->simd_in) return;
  cpu->mxcsr |= host_get() & MXCSR_FLAGS;
  cpu->simd_in = false;
  host_set(cpu->host_mxcsr);
}

u32 simd_mxcsr(const struct cpu *cpu) {
  return cpu->simd_in ? cpu->mxcsr | (host_get() & MXCSR_FLAGS) : cpu->mxcsr;
}

void simd_set_mxcsr(struct cpu *cpu, u32 v) {
  cpu->mxcsr = v & simd_mxcsr_mask(cpu);
  if (cpu->simd_in) guest_set(cpu);
}

/* ---- one operation with an exception unmasked ---- */
void simd_exact_begin(struct cpu *cpu) {
  cpu->mxcsr |= host_get() & MXCSR_FLAGS;
  u32 v = masked(cpu->mxcsr) & ~(u32)MXCSR_FLAGS;
  /* Results are flushed to zero only while underflow is masked. SDM 1 10.2.3.3 (Flush-To-Zero) */
  if (!(cpu->mxcsr & MXCSR_UE << MXCSR_MASK_SHIFT)) v &= ~(u32)MXCSR_FTZ;
  host_set(v);
}

/* One lane: the operands, as the x87 is to load them. */
struct lane {
  union {
    float f;
    double lf;
    u32 d;
    u64 q;
  } a, b;
};

#define X87_OP(sfx, insn, x, y)                                                                    \
  __asm__ volatile("fnstcw %2\n\tfldcw %3\n\tfnclex\n\tfld" sfx " %4\n\t" insn sfx " %5\n\t"       \
                   "fnstsw %1\n\tfstpt %0\n\tfnclex\n\tfldcw %2"                                   \
                   : "=m"(*r80), "=m"(sw), "=m"(saved) : "m"(cw), "m"(x), "m"(y)                   \
                   : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)")

static void x87_lane(u8 (*r80)[10], u16 *status, u16 cw, unsigned kind, const struct lane *l) {
  static const double one = 1;
  u16 sw, saved;
  if (kind & FP_DOUBLE) {
    switch (kind & FP_OP) {
      case FP_ADD: X87_OP("l", "fadd", l->a.lf, l->b.lf); break;
      case FP_SUB: X87_OP("l", "fsub", l->a.lf, l->b.lf); break;
      case FP_MUL: X87_OP("l", "fmul", l->a.lf, l->b.lf); break;
      case FP_DIV: X87_OP("l", "fdiv", l->a.lf, l->b.lf); break;
      default: X87_OP("l", "fmul", l->b.lf, one); break;
    }
  } else {
    switch (kind & FP_OP) {
      case FP_ADD: X87_OP("s", "fadd", l->a.f, l->b.f); break;
      case FP_SUB: X87_OP("s", "fsub", l->a.f, l->b.f); break;
      case FP_MUL: X87_OP("s", "fmul", l->a.f, l->b.f); break;
      default: X87_OP("s", "fdiv", l->a.f, l->b.f); break;
    }
  }
  *status = sw;
}

/* Flags after the computation of one lane, whose operands are finite, from its result of unbounded exponent.
 * SDM 1 appendix E.4.2 (SSE/SSE2/SSE3 Response To Floating-Point Exceptions): the result that a handler is given. */
u32 simd_result_flags(const struct wide_result *r, u32 mxcsr, const struct fp_format *to) {
  int emin = 1 - to->emax, e = (r->se & 0x7fff) - 16383;
  u32 pe = r->inexact ? MXCSR_PE : 0;
  if (!r->m) return pe;
  if (e > to->emax) return mxcsr & MXCSR_OE << MXCSR_MASK_SHIFT ? MXCSR_OE | MXCSR_PE : MXCSR_OE | pe;
  if (e >= emin) return pe;
  if (!(mxcsr & MXCSR_UE << MXCSR_MASK_SHIFT)) return MXCSR_UE | pe;
  if (mxcsr & MXCSR_FTZ) return MXCSR_UE | MXCSR_PE;
  int kept = to->precision - (emin - e); /* bits of the significand that a denormal result has room for */
  bool lost = kept <= 0 || r->m << kept;
  return pe || lost ? MXCSR_UE | MXCSR_PE : 0;
}

static bool is_finite(u64 v, bool is_double) {
  return is_double ? (v >> 52 & 0x7ff) != 0x7ff : (v >> 23 & 0xff) != 0xff;
}
static u64 denormal_to_zero(u64 v, bool is_double) {
  if (is_double) return v >> 52 & 0x7ff ? v : v & BIT(63);
  return v >> 23 & 0xff ? v : v & BIT(31);
}

/* OE, UE and PE of the whole operation where overflow or underflow is unmasked: masked, the host says
 * less (an exact denormal result is no masked underflow) or more (a masked overflow is always inexact). */
static u32 post_flags(const struct cpu *cpu, unsigned kind, const u8 lane_a[16], const u8 lane_b[16]) {
  bool dbl = kind & FP_DOUBLE, narrow = (kind & FP_OP) == FP_NARROW;
  unsigned lanes = kind & FP_SCALAR ? 1 : dbl ? 2 : 4;
  /* Precision 24 or 53 bits, the guest's rounding, all masked. */
  u16 cw = (u16)((cpu->mxcsr >> MXCSR_RC_SHIFT & 3) << 10 | (dbl && !narrow ? 2 : 0) << 8 | 0x3f);
  union vec a = {0}, b = {0};
  memcpy(&a, lane_a, 16);
  memcpy(&b, lane_b, 16);
  u32 f = 0;
  for (unsigned k = 0; k < lanes; k++) {
    u64 x = dbl ? a.q[k] : a.d[k], y = dbl ? b.q[k] : b.d[k];
    unsigned op = kind & FP_ALTERNATE && !(k & 1) ? (kind & ~(unsigned)FP_OP) | FP_SUB : kind;
    if (kind & FP_PAIRS) {
      const union vec *v = 2 * k < lanes ? &a : &b;
      unsigned n = 2 * k & (lanes - 1);
      x = dbl ? v->q[n] : v->d[n], y = dbl ? v->q[n + 1] : v->d[n + 1];
    }
    if (narrow) x = 0;
    if (cpu->mxcsr & MXCSR_DAZ) x = denormal_to_zero(x, dbl), y = denormal_to_zero(y, dbl);
    if (!is_finite(x, dbl) || !is_finite(y, dbl)) continue;
    if ((kind & FP_OP) == FP_DIV && !(y << (dbl ? 1 : 33))) continue;
    struct lane l = {.a.q = x, .b.q = y};
    u8 r80[10];
    u16 sw;
    x87_lane(&r80, &sw, cw, op, &l);
    struct wide_result r = {ld64(r80), ld16(r80 + 8), sw & 0x20};
    f |= simd_result_flags(&r, cpu->mxcsr, dbl && !narrow ? &fp_double : &fp_single);
  }
  return f;
}

void simd_exact_end(struct cpu *cpu, const struct insn *i, unsigned kind, __m128i a, __m128i b) {
  union vec va, vb;
  _mm_storeu_si128((__m128i *)(void *)&va, a);
  _mm_storeu_si128((__m128i *)(void *)&vb, b);
  simd_exact_end_vector(cpu, i, kind, &va, &vb, 1);
}

struct lanes_of {
  const union vec *a, *b;
  unsigned kind, lanes;
};
static u32 lanes_post(const struct cpu *cpu, const void *of) {
  const struct lanes_of *l = of;
  u32 f = 0;
  for (unsigned k = 0; k < l->lanes; k++) f |= post_flags(cpu, l->kind, &l->a->b[16 * k], &l->b->b[16 * k]);
  return f;
}
void simd_exact_end_vector(struct cpu *cpu, const struct insn *i, unsigned kind, const union vec *a, const union vec *b,
                           unsigned lanes) {
  struct lanes_of of = {a, b, kind, lanes};
  simd_exact_end_with(cpu, i, (kind & FP_OP) == FP_PLAIN ? NULL : lanes_post, &of);
}

void simd_exact_end_with(struct cpu *cpu, const struct insn *i, simd_post_fn *post, const void *of) {
  u32 f = host_get() & MXCSR_FLAGS, unmasked = ~cpu->mxcsr >> MXCSR_MASK_SHIFT & MXCSR_FLAGS;
  /* The exceptions before the computation come first, of all lanes; if one is unmasked nothing is
   * computed. */
  if (f & MXCSR_PRE & unmasked) f &= MXCSR_PRE;
  else if (post && unmasked & (MXCSR_OE | MXCSR_UE)) {
    x87_leave(cpu); /* post_flags() uses the host's */
    f = (f & MXCSR_PRE) | post(cpu, of);
  }
  cpu->mxcsr |= f;
  host_set(masked(cpu->mxcsr));
  bool quiet = !(f & unmasked);
  if (quiet && !rec_on(cpu)) return;
  cpu->insn = i;
  if (check_ab(cpu, CHK_SIMD_UNMASKED, quiet, f & unmasked, cpu->mxcsr)) return;
  require_ab(cpu, CHK_SSE_OSXMMEXCPT, cpu->cr4 & CR4_OSXMMEXCPT, 0, !!(cpu->cr4 & CR4_OSXMMEXCPT), 0);
  check_failed(cpu, CHK_SIMD_UNMASKED, 0);
}

/* ---- LDMXCSR, STMXCSR ---- */
SIMD_BODY(ldmxcsr) {
  E_BIND(e, W32, form, ACC_READ);
  u32 v = (u32)e_get_src(cpu, i, &e, W32, form);
  /* A reserved bit set: #GP(0) */
  cpu->insn = i;
  require_ab(cpu, CHK_MXCSR_RESERVED, !(v & ~simd_mxcsr_mask(cpu)), 0, v, 0);
  simd_set_mxcsr(cpu, v);
  NEXT(cpu, i, form);
}
SIMD_BODY(stmxcsr) {
  E_BIND(e, W32, form, ACC_WRITE);
  e_set(cpu, i, &e, simd_mxcsr(cpu), W32, form);
  NEXT(cpu, i, form);
}
VEC_M(ldmxcsr, ldmxcsr)
VEC_M(stmxcsr, stmxcsr)
