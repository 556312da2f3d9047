/* Test cases of rows with a VEX or EVEX prefix; cases.c calls these in this order. */
#ifndef TESTS_NATIVE_VEX_CASES_H
#define TESTS_NATIVE_VEX_CASES_H

#include "tests/native/case.h"

/* The variants in that mode: length or operand size x register or memory x opmask, broadcast, rounding. */
unsigned vex_variants(const struct oprow *row, enum code_mode mode, struct variant *out);
/* For a person; in a buffer of its own. */
const char *vex_variant_name(const struct variant *v, const struct oprow *row);

/* The prefix's fields, and the memory form. */
void vex_choose_form(struct test_case *c, struct rng *r);
void vex_choose_registers(struct test_case *c, struct rng *r);
/* Moves the memory operand, which is c->size bytes. */
void vex_choose_target(struct test_case *c, struct rng *r);
/* Solves base + index * scale + disp = off for gathers and scatters, element by element; false for others. */
bool vex_address(struct test_case *c, struct rng *r, u64 off);
/* In some cases: an encoding that is not allowed, or hardly. */
void vex_flaw(struct test_case *c, struct rng *r);

#endif
