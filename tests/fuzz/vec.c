/* Fuzzes conformance vectors: any bytes are a file or an error with its place; what is a file has cases, states and
 * expectations that stay within bounds, and its cases run. docs/conformance.md */
#include <stdlib.h>
#include <string.h>

#include "vectors/diff.h"
#include "vectors/engine.h"

enum { MAX_INPUT = 1 << 15, CASES = 3, STEPS = 20 };

/* The fuzzer takes an abort for a crash, and keeps the input. */
static void must(bool ok) {
  if (!ok) abort();
}

static bool has_place(const struct vec_error *err) {
  unsigned line, col;
  return sscanf(err->text, "f:%u:%u: ", &line, &col) == 2 && line && col && !strpbrk(err->text, "\n\r");
}

static struct machine { /* made once: a case starts from all of its state */
  struct engine engine[VENDOR_COUNT];
  struct vec_plan plan;
  struct vstate found;
  unsigned left;
} *machine;

static void make_machine(void) {
  machine = calloc(1, sizeof *machine);
  must(machine && !vec_plan_init(&machine->plan) && !vstate_init(&machine->found));
  for (unsigned v = 0; v < VENDOR_COUNT; v++) must(!engine_init(&machine->engine[v], model_default((enum vendor)v)));
}

static int run_case(void *opaque, const struct vec_case *c) {
  struct machine *m = opaque;
  struct engine *e = &m->engine[c->vendor];
  struct vec_error err = {""};
  struct text t = {.s = NULL};
  char name[400];
  vec_case_name(c, name, sizeof name);
  must(strlen(name) < sizeof name);
  if (!engine_model(e, c->v)) {
    int r = vec_plan(c, e->cpu->model, NULL, &m->plan, &err);
    must(r >= 0 || has_place(&err));
    if (m->plan.steps > STEPS) m->plan.steps = STEPS;
    if (!r) {
      engine_run(e, &m->plan, &m->found);
      vec_diff(&t, c, &m->plan, &e->found, &m->found);
      text_free(&t);
    }
  }
  return !--m->left;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
  struct vec_error err = {""};
  if (size > MAX_INPUT) return 0;
  if (!machine) make_machine();
  struct vec_file *f = vec_parse("f", (const char *)data, size, &err);
  must(f || has_place(&err));
  machine->left = CASES;
  for (u32 k = 0; f && k < f->vectors && machine->left; k++) {
    err.text[0] = 0;
    int r = vec_cases(f, &f->vector[k], run_case, machine, &err);
    must(r >= 0 || has_place(&err));
  }
  vec_free(f);
  return 0;
}
