/* Test cases: which variants a row has, and how one case is made of a row, a variant and a seed. */
#ifndef TESTS_NATIVE_CASES_H
#define TESTS_NATIVE_CASES_H

#include "tests/native/rows.h"

/* The variants of a row: mode x operand size x form. Returns how many; out has room for MAX_VARIANTS. */
enum { MAX_VARIANTS = CODE_MODES * 4 * FORM_KINDS };
unsigned variants_of(const struct oprow *row, bool ldt, struct variant *out);

/* Variants of the same form (register, memory, LOCK, repetition; opmask, broadcast, rounding) and width. */
enum { VARIANT_GROUPS = 64 };
unsigned variant_group(const struct oprow *row, const struct variant *v);

/* Makes a case. False: this draw has no encoding. */
MUST_CHECK bool case_make(struct test_case *c, const struct oprow *row, const struct variant *v, u64 seed,
                          u8 *arena);
/* Makes a sequence of two to eight instructions of a pool (tests/native/sequence.h), in one state. */
struct pool;
MUST_CHECK bool case_make_sequence(struct test_case *c, const struct pool *pool, u64 seed, u8 *arena);
/* Writes the code, or removes it. */
void case_write_code(const struct test_case *c);
void case_erase_code(const struct test_case *c);

/* For the rules: stores into the data and stack pages of the arena, and nowhere else. */
void case_poke(struct test_case *c, u64 la, const void *bytes, unsigned n);
void case_poke_int(struct test_case *c, u64 la, u64 v, unsigned n);
/* Linear address in the data pages, for n bytes, mostly accessible. */
u64 case_data(struct test_case *c, struct rng *r, unsigned n);
/* Sets a register so that seg:reg is the linear address, as far as the address size allows. */
void case_point(struct test_case *c, struct rng *r, enum reg reg, enum sreg seg, u64 la, unsigned asize);
/* The bases of the segments in force. */
u64 case_base(const struct test_case *c, enum sreg seg);
/* An offset in CS for a branch to: mostly the filled code pages. */
u64 case_destination(struct test_case *c, struct rng *r);
/* Stack pointer's width in bytes, and the linear address of the top of stack. */
unsigned case_stack_size(const struct test_case *c);
u64 case_stack_top(const struct test_case *c);

#endif
