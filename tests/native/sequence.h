/* Sequences: of what rows they are drawn. A pool has the rows of one kind that can follow each other in one mode:
 * they stay in the program, and say nothing that only this machine can know. */
#ifndef TESTS_NATIVE_SEQUENCE_H
#define TESTS_NATIVE_SEQUENCE_H

#include "tests/native/case.h"

enum theme { THEME_X87, THEME_INTEGER, THEME_VECTOR, THEME_ANY, THEMES };
enum { POOLS = THEMES * CODE_MODES, POOL_ROWS = 4096 };
struct pool {
  enum code_mode mode;
  bool ldt;
  unsigned rows;
  u16 row[POOL_ROWS]; /* of opcode_rows */
};

/* The n-th of POOLS. */
void pool_fill(struct pool *p, unsigned n, const struct cpu_model *m, bool ldt);
/* "sequence-x87-64" */
const char *pool_name(unsigned n);
/* A row, and one of its variants. */
const struct oprow *pool_draw(const struct pool *p, struct rng *r, struct variant *v);

#endif
