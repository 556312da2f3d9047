/* Flags of floating-point operations with an exception unmasked, for instructions whose operands are not two of equal
 * lanes: cpu/simd.h has those. SDM 1 appendix E.4.2 (SSE/SSE2/SSE3 Response To Floating-Point Exceptions). */
#ifndef CPU_SIMD_EXACT_H
#define CPU_SIMD_EXACT_H

#include "cpu/simd.h"

/* A result rounded to the destination's precision with an unbounded exponent (15 bits hold it). */
struct wide_result {
  u64 m;  /* significand, explicit integer bit */
  u16 se; /* biased by 16383; the sign does not matter */
  bool inexact;
};
/* A destination's format: its largest exponent, and bits of a significand with the integer bit. */
struct fp_format {
  s16 emax;
  u8 precision;
};
static const struct fp_format fp_half = {15, 11}, fp_single = {127, 24}, fp_double = {1023, 53};

/* OE, UE, PE of one result. */
u32 simd_result_flags(const struct wide_result *r, u32 mxcsr, const struct fp_format *to);

/* Ends what simd_exact_begin() began. post(cpu, of): OE, UE and PE of the operation, asked for only when overflow or
 * underflow is unmasked and nothing before the computation is to be raised; it may change the host's MXCSR. NULL: the
 * operation neither overflows nor underflows. */
typedef u32 simd_post_fn(const struct cpu *cpu, const void *of);
void simd_exact_end_with(struct cpu *cpu, const struct insn *i, simd_post_fn *post, const void *of);

/* DPPS, DPPD of so many lanes; the result is in a. cpu/avx_fp.c */
typedef void dot_product_fn(struct cpu *cpu, const struct insn *i, union vec *a, union vec *b, unsigned lanes,
                            unsigned imm);
dot_product_fn dpps_exact, dppd_exact;

#endif
