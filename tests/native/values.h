/* Operand values: edges and random ones, of integers, floating point and BCD, and whole vector and x87
 * states. */
#ifndef TESTS_NATIVE_VALUES_H
#define TESTS_NATIVE_VALUES_H

#include "tests/native/case.h"

u64 value_int(struct rng *r);
u32 value_f32(struct rng *r);
u64 value_f64(struct rng *r);
void value_f80(struct rng *r, u8 out[10]);
void value_bcd(struct rng *r, u8 out[10]);

enum value_kind { KIND_INT, KIND_F32, KIND_F64, KIND_F80, KIND_BCD, KIND_COUNT, KIND_SMALL, KIND_F16 };
/* For opmask registers. */
u64 value_mask(struct rng *r);
/* Vector and opmask registers. */
void value_vectors(struct rng *r, enum value_kind kind, struct state *s);
/* Fills n bytes. */
void value_fill(struct rng *r, enum value_kind kind, u8 *p, unsigned n);

u32 value_mxcsr(struct rng *r);
/* x87, MMX, XMM and MXCSR: vectors holds what the XMM registers should. */
void value_fx(struct rng *r, enum value_kind vectors, bool x87, u8 fx[512]);

#endif
