/* AVX512_BF16: numbers that are the upper half of a single. They neither look at MXCSR nor change it: nearest, denormals
 * are zero, nothing is raised. SDM 2 VCVTNE2PS2BF16, VCVTNEPS2BF16, VDPBF16PS. */
#include "cpu/simd_exact.h"
#include "cpu/vex.h"

static u16 to_bf16(u32 v) {
  u32 size = v & 0x7fffffff;
  if (size > 0x7f800000) return (u16)(v >> 16 | 0x40);
  if (size < 0x00800000) return (u16)(v >> 16 & 0x8000);
  return (u16)((v + 0x7fff + (v >> 16 & 1)) >> 16);
}

/* The lower half of the result from b, the upper from a. */
static void fn_two(union vec *r, const struct vex_args *x) {
  unsigned half = x->bytes / 4;
  for (unsigned k = 0; k < half; k++) {
    r->w[k] = to_bf16(x->b->d[k]);
    r->w[half + k] = to_bf16(x->a->d[k]);
  }
}
VEC_WHOLE(vec_cvtne2ps2bf16, 2, VF_WIDE_IN | VF_NO_FAULT_SPLIT, fn_two)

static NOINLINE void narrow(struct cpu *cpu, const struct insn *i) {
  unsigned n = 4u << vex_vl(i);
  u64 mask = vex_mask(cpu, i, n);
  union vec b, r = {0};
  vex_fetch(cpu, i, &b, n, 4, mask);
  for (unsigned k = 0; k < n; k++) r.w[k] = to_bf16(b.d[k]);
  vex_commit(cpu, i, &r, 2 * n, n, 2, mask);
}
VEC_X_ONLY(vec_cvtneps2bf16, narrow(cpu, i))

/* Two products, which are exact, and two sums; that of the odd elements first. */
static void fn_dot(union vec *r, const struct vex_args *x) {
  u32 saved = _mm_getcsr();
  _mm_setcsr(MXCSR_MASKS | MXCSR_DAZ | MXCSR_FTZ);
  for (unsigned k = 0; k < x->n; k++) {
    __m128i sum = _mm_cvtsi32_si128((int)x->c->d[k]);
    for (unsigned half = 2; half-- > 0;) {
      __m128i a = _mm_cvtsi32_si128((int)((u32)x->a->w[2 * k + half] << 16));
      __m128i b = _mm_cvtsi32_si128((int)((u32)x->b->w[2 * k + half] << 16));
      __asm__ volatile("vfmadd231ss %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    }
    r->d[k] = (u32)_mm_cvtsi128_si32(sum);
  }
  _mm_setcsr(saved);
}
VEC_WHOLE(vec_dpbf16ps, 4, VF_0, fn_dot)
