/* Running vectors: one machine per vendor, one instruction per case, and the report in TAP and JUnit.
 * https://testanything.org/tap-version-13-specification.html */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/event.h"
#include "vectors/diff.h"

struct engine { /* a machine, used for one case after the other */
  struct vm *vm;
  struct cpu *cpu;
  u8 *ram;
  bool stop_at_fault;
  struct outcome found;
};

struct vec_runner {
  struct vec_options o;
  struct engine engine[VENDOR_COUNT];
  struct vec_assembler *as;
  struct vec_plan plan;
  struct vstate found;
  unsigned passed, failed;
  struct text junit;
};

/* ---- the machine ---- */

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
  if (t->kind != TR_EXCEPTION && t->kind != TR_INTERRUPT) return;
  e->found = (struct outcome){.kind = OUT_DELIVER, .vector = t->vector, .has_error = t->has_error,
                              .error = t->has_error ? t->error : 0};
  cpu_stop(cpu);
}

static int engine_init(struct engine *e, const struct cpu_model *model) {
  e->vm = vm_create();
  e->ram = calloc(1, VM_RAM);
  if (!e->vm || !e->ram ||
      phys_add(&e->vm->mem, &(struct phys_region){.base = 0, .size = VM_RAM, .host = e->ram}))
    return -1;
  e->cpu = cpu_create(e->vm, model);
  e->vm->hooks.watcher = e;
  e->vm->hooks.fault = on_fault;
  e->vm->hooks.transition = on_transition;
  return e->cpu ? 0 : -1;
}

static void engine_free(struct engine *e) {
  vm_destroy(e->vm);
  free(e->ram);
}

static void engine_run(struct engine *e, const struct vec_plan *p, struct vstate *found) {
  static const enum outcome_kind ends[] = {[CPU_EXIT_BUDGET] = OUT_DONE, [CPU_EXIT_STOP] = OUT_STUCK,
                                           [CPU_EXIT_SHUTDOWN] = OUT_SHUTDOWN, [CPU_EXIT_HALT] = OUT_HALT};
  cpu_reset(e->cpu);
  vm_code_changed(e->vm, 0, VM_RAM);
  cpu_tlb_flush(e->cpu);
  vstate_load(&p->start, e->cpu, e->ram);
  cpu_update_mode(e->cpu);
  e->stop_at_fault = p->outcome.kind != OUT_DELIVER && p->outcome.kind != OUT_SHUTDOWN;
  e->found = (struct outcome){.kind = OUT_STUCK};
  enum cpu_exit why = cpu_run(e->cpu, 1);
  if (e->found.kind == OUT_STUCK) e->found.kind = e->cpu->halted ? OUT_HALT : ends[why];
  vstate_store(found, e->cpu, e->ram);
}

/* ---- the report ---- */

static void put_quoted(struct text *t, const char *s) {
  for (; *s; s++) {
    if (*s == '<' || *s == '&' || *s == '"') text_add(t, "&#%d;", *s);
    else text_add(t, "%c", *s);
    t->lines = 0;
  }
}

static void junit_case(struct vec_runner *r, const char *name, const char *cases, const char *why) {
  struct text *t = &r->junit;
  if (!r->o.junit) return;
  text_add(t, "  <testcase classname=\"");
  put_quoted(t, name);
  text_add(t, "\" name=\"");
  put_quoted(t, cases);
  text_add(t, why ? "\"><failure>" : "\"/>\n");
  if (why) {
    put_quoted(t, why);
    text_add(t, "</failure></testcase>\n");
  }
  t->lines = 0;
}

/* Reports one case; why: NULL when it passed, else lines. */
static void report(struct vec_runner *r, const struct vec_case *c, const char *why) {
  char name[300], cases[400];
  const struct vector *v = c->v;
  vec_case_name(c, cases, sizeof cases);
  snprintf(name, sizeof name, "%s:%s", c->file->name, v->name);
  if (why) r->failed++;
  else r->passed++;
  junit_case(r, name, cases, why);
  if (!r->o.tap) return;
  fprintf(r->o.tap, "%s %u - %s %s%s%s\n", why ? "not ok" : "ok", r->passed + r->failed, name, cases,
          v->disputed ? " # disputed: " : "", v->disputed ? v->disputed : "");
  if (!why) return;
  fprintf(r->o.tap, "# %s:%u: %s\n", c->file->name, v->line, v->cite);
  for (const char *p = why; *p;) {
    size_t n = strcspn(p, "\n");
    fprintf(r->o.tap, "# %.*s\n", (int)n, p);
    p += n + (p[n] == '\n');
  }
}

static int run_case(void *opaque, const struct vec_case *c) {
  struct vec_runner *r = opaque;
  struct vec_error err;
  const struct cpu_model *model = r->engine[c->vendor].cpu->model;
  if (!(r->o.vendors >> c->vendor & 1)) return 0;
  int got = vec_plan(c, model, r->as, &r->plan, &err);
  if (got > 0) return 0;
  if (got < 0) {
    report(r, c, err.text);
    return 0;
  }
  struct text t = {.s = NULL};
  struct engine *e = &r->engine[c->vendor];
  engine_run(e, &r->plan, &r->found);
  vec_diff(&t, c, &r->plan, &e->found, &r->found);
  report(r, c, !t.lines ? NULL : t.s ? t.s : "out of memory");
  text_free(&t);
  return 0;
}

struct vec_runner *vec_runner_new(const struct vec_options *o) {
  struct vec_runner *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->o = *o;
  r->as = vec_assembler_new();
  bool ok = r->as && !vec_plan_init(&r->plan) && !vstate_init(&r->found);
  for (unsigned v = 0; v < VENDOR_COUNT && ok; v++) {
    const struct cpu_model *m = o->model && o->model->vendor == (enum vendor)v
                                    ? o->model
                                    : model_default((enum vendor)v);
    ok = !engine_init(&r->engine[v], m);
    if (ok) r->engine[v].vm->invert_check = o->invert;
  }
  if (ok) {
    if (o->tap) fprintf(o->tap, "TAP version 13\n");
    return r;
  }
  vec_runner_free(r);
  return NULL;
}

void vec_runner_free(struct vec_runner *r) {
  if (!r) return;
  for (unsigned v = 0; v < VENDOR_COUNT; v++) engine_free(&r->engine[v]);
  vec_assembler_free(r->as);
  vec_plan_free(&r->plan);
  vstate_free(&r->found);
  text_free(&r->junit);
  free(r);
}

int vec_run_file(struct vec_runner *r, const struct vec_file *f) {
  for (u32 k = 0; k < f->vectors; k++) {
    const struct vector *v = &f->vector[k];
    if (r->o.only && fnmatch(r->o.only, v->name, 0)) continue;
    if (vec_cases(f, v, run_case, r)) return -1;
  }
  return 0;
}

void vec_run_refused(struct vec_runner *r, const char *path, const struct vec_error *err) {
  r->failed++;
  junit_case(r, path, "parse", err->text);
  if (r->o.tap) fprintf(r->o.tap, "not ok %u - %s\n# %s\n", r->passed + r->failed, path, err->text);
}

bool vec_run_end(struct vec_runner *r, unsigned *passed, unsigned *failed) {
  *passed = r->passed;
  *failed = r->failed;
  if (r->o.junit)
    fprintf(r->o.junit,
            "<?xml version=\"1.0\"?>\n<testsuite name=\"ringwalk\" tests=\"%u\" failures=\"%u\">\n%s"
            "</testsuite>\n",
            r->passed + r->failed, r->failed, r->junit.s ? r->junit.s : "");
  if (r->o.tap)
    fprintf(r->o.tap, "1..%u\n%u passed, %u failed\n", r->passed + r->failed, r->passed, r->failed);
  return r->passed && !r->failed;
}
