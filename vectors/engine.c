/* The machine that cases run on: what ends an instruction, and what its outcome was.
 * SDM 3A 6.15 (Exception and Interrupt Reference). */
#include "vectors/engine.h"

#include <stdlib.h>

#include "cpu/event.h"

/* A fault is the outcome, unless the vector wants to see what is delivered in the end. */
static bool on_fault(void *watcher, struct cpu *cpu, const struct fault *f) {
  struct engine *e = watcher;
  if (!e->stop_at_fault) return false;
  e->found = (struct outcome){.kind = OUT_FAULT, .vector = f->vector, .has_error = f->has_error,
                              .error = f->has_error ? f->error : 0};
  if (f->vector == VEC_PF) cpu->cr2 = f->cr2; /* loaded before delivery: SDM 3A 6.15 (Interrupt 14) */
  cpu_stop(cpu);
  return true;
}

static void on_transition(void *watcher, struct cpu *cpu, const struct transition *t) {
  struct engine *e = watcher;
  enum transition_kind cause = t->kind == TR_TASK ? t->cause : t->kind;
  if (cause != TR_EXCEPTION && cause != TR_INTERRUPT) return;
  e->found = (struct outcome){.kind = OUT_DELIVER, .vector = t->vector, .has_error = t->has_error,
                              .error = t->has_error ? t->error : 0};
  cpu_stop(cpu);
}

static int on_inta(void *opaque, struct cpu *cpu) {
  (void)cpu;
  return ((const struct engine *)opaque)->interrupt;
}

int engine_init(struct engine *e, const struct cpu_model *model) {
  e->vm = vm_create();
  e->ram = calloc(1, VM_RAM);
  if (!e->vm || !e->ram ||
      phys_add(&e->vm->mem, &(struct phys_region){.base = 0, .size = VM_RAM, .host = e->ram}))
    return -1;
  e->model = model;
  e->cpu = cpu_create(e->vm, model);
  e->vm->hooks.opaque = e->vm->hooks.watcher = e;
  e->vm->hooks.inta = on_inta;
  e->vm->hooks.fault = on_fault;
  e->vm->hooks.transition = on_transition;
  return e->cpu ? 0 : -1;
}

void engine_free(struct engine *e) {
  vm_destroy(e->vm);
  free(e->ram);
}

int engine_model(struct engine *e, const struct vector *v) {
  e->cpu->model = e->model;
  if (!v->changes) return 0;
  e->changed = *e->model;
  for (u32 k = 0; k < v->changes; k++)
    if (!model_set(&e->changed, (enum feature)v->change[k].feature, v->change[k].on)) return -1;
  e->cpu->model = &e->changed;
  return 0;
}

void engine_run(struct engine *e, const struct vec_plan *p, struct vstate *found) {
  static const enum outcome_kind ends[] = {[CPU_EXIT_BUDGET] = OUT_DONE, [CPU_EXIT_STOP] = OUT_STUCK,
                                           [CPU_EXIT_SHUTDOWN] = OUT_SHUTDOWN, [CPU_EXIT_HALT] = OUT_HALT};
  cpu_reset(e->cpu);
  vm_code_changed(e->vm, 0, VM_RAM);
  cpu_tlb_flush(e->cpu);
  vstate_load(&p->start, e->cpu, e->ram);
  cpu_update_mode(e->cpu);
  e->stop_at_fault = p->outcome.kind != OUT_DELIVER && p->outcome.kind != OUT_SHUTDOWN;
  e->found = (struct outcome){.kind = OUT_STUCK};
  e->cpu->stop = 0;
  e->interrupt = p->interrupt;
  if (p->interrupt >= 0) cpu_set_intr(e->cpu, true);
  if (p->nmi) cpu_send_nmi(e->cpu);
  enum cpu_exit why = CPU_EXIT_BUDGET;
  for (unsigned n = 0; n < p->steps && why == CPU_EXIT_BUDGET; n++) why = cpu_run(e->cpu, 1); /* an iteration of REP is a step */
  if (e->found.kind == OUT_DELIVER && e->cpu->halted) e->found.kind = OUT_HALT; /* delivered, but not awake */
  if (e->found.kind == OUT_STUCK) e->found.kind = e->cpu->halted ? OUT_HALT : ends[why];
  vstate_store(found, e->cpu, e->ram);
}
