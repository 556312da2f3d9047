/* The machine that cases run on, one after the other. */
#ifndef VECTORS_ENGINE_H
#define VECTORS_ENGINE_H

#include "vectors/vec.h"

struct engine {
  struct vm *vm;
  struct cpu *cpu;
  u8 *ram;
  const struct cpu_model *model; /* without a vector's changes */
  struct cpu_model changed;      /* with them */
  bool stop_at_fault;
  int interrupt; /* the vector that its interrupt controller gives; -1: none */
  struct outcome found;
};

/* -1: out of memory. */
MUST_CHECK int engine_init(struct engine *e, const struct cpu_model *model);
void engine_free(struct engine *e);
/* The engine's processor as the vector wants it. -1: its vendor has no such feature. */
MUST_CHECK int engine_model(struct engine *e, const struct vector *v);
/* Runs a case; e->found is its outcome. */
void engine_run(struct engine *e, const struct vec_plan *p, struct vstate *found);

#endif
