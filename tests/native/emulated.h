/* The other side: test cases on the emulated processor, in a machine made like this one. */
#ifndef TESTS_NATIVE_EMULATED_H
#define TESTS_NATIVE_EMULATED_H

#include "tests/native/case.h"

struct emulated;

/* A processor of this machine's vendor with the features of this machine that the opcode table knows. NULL:
 * out of memory. */
MUST_CHECK struct emulated *emulated_create(void);
void emulated_destroy(struct emulated *e);
const struct cpu_model *emulated_model(const struct emulated *e);

/* The host memory behind the arena's addresses. */
u8 *emulated_arena(struct emulated *e);

/* The bytes at [la, la+n) of the arena were changed. */
void emulated_code_changed(struct emulated *e, u64 la, unsigned n);

void emulated_run(struct emulated *e, const struct test_case *c, struct outcome *out);

#endif
