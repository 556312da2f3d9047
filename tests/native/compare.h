/* Whether both sides came to the same end, and how they differ. */
#ifndef TESTS_NATIVE_COMPARE_H
#define TESTS_NATIVE_COMPARE_H

#include <stdio.h>

#include "tests/native/case.h"

struct comparison {
  const struct test_case *c;
  const struct outcome *native, *emulated;
  const u8 *native_arena, *emulated_arena;
  bool strict; /* undefined flags too */
  bool pointers; /* does this machine save the x87's pointers always? The emulated models do */
};

/* True: the same in all that is defined. */
MUST_CHECK bool compare(const struct comparison *k);

/* The case, for a person. index: its number, to run it again. */
void compare_show(FILE *f, const struct test_case *c, u64 seed, unsigned long index);
/* What differs. */
void compare_report(FILE *f, const struct comparison *k);

#endif
