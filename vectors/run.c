/* Running vectors on one or several threads, and the report in TAP and JUnit, in the order of the file
 * however many threads there are. https://testanything.org/tap-version-13-specification.html */
#include <fnmatch.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/check.h"
#include "vectors/diff.h"
#include "vectors/engine.h"

enum { MAX_JOBS = 64 };

/* What a thread has, and uses for one case after the other. */
struct worker {
  struct vec_runner *runner;
  struct engine engine[VENDOR_COUNT];
  struct assembler *as;
  struct vec_plan plan;
  struct vstate found;
  struct recorder recorder; /* of both engines, if anybody asks about checks */
  struct rec_seen seen[CHECKS];
  struct results *results; /* of the vector in hand */
  u8 told_skipped;         /* VENDORS_* of which it is told that this vector is skipped */
  bool left_out;           /* a case of this vector was, by `skip if` */
};

struct result { /* of a case */
  char *cases;  /* its variables */
  char *why;    /* NULL: it passed */
  bool skipped; /* why: what the model has not */
};
struct results { /* of a vector */
  struct result *r;
  u32 n, room;
  bool skipped;  /* not asked for */
  bool lost;     /* memory ran out */
  bool empty;    /* `skip if` leaves no case on this model */
  bool refused;  /* its cases cannot be enumerated: */
  struct vec_error why;
};

struct vec_runner {
  struct vec_options o;
  struct worker *worker[MAX_JOBS];
  unsigned workers;
  unsigned passed, failed, skipped;
  struct text junit;
  const struct vec_file *file; /* being run: its vectors, and what came out */
  struct results *results;
  atomic_uint next; /* vector to be taken */
  atomic_bool stop; /* something failed, and that is enough */
};

/* ---- the report ---- */

/* The length of a character of UTF-8 that XML 1.0 has; 0: it is none. https://www.w3.org/TR/xml/ 2.2
 * (Characters) */
static unsigned xml_character(const u8 *s) {
  u32 least = *s >= 0xf0 ? 0x10000 : *s >= 0xe0 ? 0x800 : 0x80, c = *s;
  unsigned n = *s < 0x80 ? 1 : *s >= 0xf0 && *s < 0xf8 ? 4 : *s >= 0xe0 ? 3 : 2;
  if (n == 1) return *s >= 0x20 || *s == '\t' || *s == '\n' ? 1 : 0;
  if (*s < 0xc0 || *s >= 0xf8) return 0;
  for (unsigned k = 1; k < n; k++) {
    if ((s[k] & 0xc0) != 0x80) return 0;
    c = c << 6 | (s[k] & 0x3f);
  }
  c &= (1u << (n == 2 ? 11 : n == 3 ? 16 : 21)) - 1;
  return c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || c == 0xfffe || c == 0xffff ? 0 : n;
}

/* Paths and messages may hold any bytes. */
static void put_quoted(struct text *t, const char *s) {
  while (*s) {
    unsigned n = xml_character((const u8 *)s);
    if (strchr("<>&\"", *s)) text_add(t, "&#%d;", *s);
    else if (n) text_add(t, "%.*s", (int)n, s);
    else text_add(t, "?");
    t->lines = 0;
    s += n ? n : 1;
  }
}

/* On a line of its own kind. */
static void put_line(FILE *out, const char *s) {
  for (; *s; s++) fputc((u8)*s < 0x20 || *s == 0x7f ? '?' : *s, out);
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

static unsigned results_told(const struct vec_runner *r) { return r->passed + r->failed + r->skipped; }

/* Reports one case; why: NULL when it passed, else lines. */
static void report(struct vec_runner *r, const struct vec_file *f, const struct vector *v, const char *cases,
                   const char *why) {
  char name[300];
  snprintf(name, sizeof name, "%s:%s", f->name, v->name);
  if (why) r->failed++;
  else r->passed++;
  junit_case(r, name, cases, why);
  if (!r->o.tap || (r->o.quiet && !why)) return;
  fprintf(r->o.tap, "%s %u - ", why ? "not ok" : "ok", results_told(r));
  put_line(r->o.tap, name);
  fprintf(r->o.tap, " %s%s%s\n", cases, v->disputed ? " # disputed: " : "", v->disputed ? v->disputed : "");
  if (!why) return;
  fputs("# ", r->o.tap);
  put_line(r->o.tap, f->name);
  fprintf(r->o.tap, ":%u: %s\n", v->line, v->cite);
  for (const char *p = why; *p;) {
    size_t n = strcspn(p, "\n");
    fprintf(r->o.tap, "# %.*s\n", (int)n, p);
    p += n + (p[n] == '\n');
  }
}

/* Neither passed nor failed, but TAP counts it as passed. */
static void report_skipped(struct vec_runner *r, const struct vec_file *f, const struct vector *v,
                           const char *cases, const char *why) {
  char name[300];
  snprintf(name, sizeof name, "%s:%s", f->name, v->name);
  r->skipped++;
  if (r->o.junit) {
    text_add(&r->junit, "  <testcase classname=\"");
    put_quoted(&r->junit, name);
    text_add(&r->junit, "\" name=\"");
    put_quoted(&r->junit, cases);
    text_add(&r->junit, "\"><skipped message=\"%s\"/></testcase>\n", why);
    r->junit.lines = 0;
  }
  if (!r->o.tap || r->o.quiet) return;
  fprintf(r->o.tap, "ok %u - ", results_told(r));
  put_line(r->o.tap, name);
  fprintf(r->o.tap, " %s # SKIP %s\n", cases, why);
}

/* ---- the work ---- */

static int append_result(struct worker *w, const struct vec_case *c, const char *why) {
  struct results *rs = w->results;
  char cases[400];
  if (rs->n == rs->room) {
    struct result *more = realloc(rs->r, (rs->room * 2 + 64) * sizeof *more);
    if (!more) return -1;
    rs->r = more;
    rs->room = rs->room * 2 + 64;
  }
  vec_case_name(c, cases, sizeof cases);
  struct result *r = &rs->r[rs->n];
  r->skipped = false;
  r->cases = strdup(cases);
  r->why = why ? strdup(why) : NULL;
  if (!r->cases || (why && !r->why)) return -1;
  rs->n++;
  return 0;
}

/* why may be NULL: the case passed. */
static int add_result(struct worker *w, const struct vec_case *c, const char *why) {
  if (append_result(w, c, why)) return -1;
  if (!why || !w->runner->o.fail_fast) return 0;
  atomic_store(&w->runner->stop, true);
  return 1;
}

/* What the case asks for and the model has not, neither by itself nor by the vector's changes (what these take away
 * the vector does not ask for); NULL: nothing. */
static const char *lacking(const struct engine *e, const struct vec_case *c) {
  bool wide = c->mode == VM_LONG64 || c->mode == VM_COMPAT32 || c->mode == VM_COMPAT16;
  for (u32 k = 0; k < c->v->needs + wide; k++) {
    int f = k < c->v->needs ? c->v->need[k] : FEAT_LM;
    if (!model_has(e->model, f) && !model_has(e->cpu->model, f)) return feature_rows[f].name;
  }
  return NULL;
}

/* Once for a vector on a model, with the name of the first case. */
static int add_skipped(struct worker *w, const struct vec_case *c, const char *feature) {
  char why[80];
  if (w->told_skipped >> c->vendor & 1) return 0;
  w->told_skipped |= (u8)(1u << c->vendor);
  snprintf(why, sizeof why, "no %s", feature);
  int r = append_result(w, c, why);
  if (!r) w->results->r[w->results->n - 1].skipped = true;
  return r;
}

static int run_case(void *opaque, const struct vec_case *c) {
  struct worker *w = opaque;
  struct vec_error err;
  struct engine *e = &w->engine[c->vendor];
  if (!(w->runner->o.vendors >> c->vendor & 1)) return 0;
  if (atomic_load(&w->runner->stop)) return 1;
  if (engine_model(e, c->v)) return add_result(w, c, "the vendor's processors cannot have these features\n");
  const char *feature = lacking(e, c);
  if (feature) return add_skipped(w, c, feature);
  int got = vec_plan(c, e->cpu->model, w->as, &w->plan, &err);
  if (got > 0) w->left_out = true;
  if (got) return got > 0 ? 0 : add_result(w, c, err.text);
  struct text t = {.s = NULL};
  engine_run(e, &w->plan, &w->found);
  vec_diff(&t, c, &w->plan, &e->found, &w->found);
  got = add_result(w, c, !t.lines ? NULL : t.s ? t.s : "out of memory");
  text_free(&t);
  return got;
}

static bool asks_model(const struct vec_file *f, s32 node) {
  if (node == VEC_NONE) return false;
  const struct node *n = &f->node[node];
  unsigned operands = n->kind == N_CHOICE ? 3 : n->kind == N_BINARY ? 2 : n->kind == N_UNARY || n->kind == N_MEM || n->kind == N_CALL;
  return n->kind == N_MODEL || (operands > 0 && asks_model(f, n->a)) || (operands > 1 && asks_model(f, n->b)) ||
         (operands > 2 && asks_model(f, n->c));
}

/* `skip if` has left no case. That is a mistake, unless the model decides it, or a vendor is not asked for. */
static void nothing_left(const struct worker *w, const struct vec_file *f, const struct vector *v, struct results *out) {
  const struct stmt *first = NULL;
  bool by_model = false;
  for (u32 k = 0; k < v->stmts; k++) {
    const struct stmt *s = &f->stmt[v->first_stmt + k];
    if (s->kind == ST_SKIP && !first) first = s;
    by_model |= (s->kind == ST_SKIP && asks_model(f, s->cond)) || (s->kind == ST_LET && asks_model(f, s->value));
  }
  out->empty = by_model;
  if (by_model || !first || v->vendors & (u8)~w->runner->o.vendors) return;
  const struct node *at = &f->node[first->cond];
  vec_case_error(&out->why, f, &(struct stmt){.line = at->line, .col = at->col}, "vector %s has no case: 'skip if' leaves out all",
                 v->name);
  out->refused = true;
}

static void run_vector(struct worker *w, const struct vec_file *f, u32 k, struct results *out) {
  struct vec_error err = {""};
  w->results = out;
  w->told_skipped = 0;
  w->left_out = false;
  out->lost = vec_cases(f, &f->vector[k], run_case, w, &err) < 0;
  if (!*err.text && w->left_out && !out->n && !out->lost) nothing_left(w, f, &f->vector[k], out);
  if (out->refused && w->runner->o.fail_fast) atomic_store(&w->runner->stop, true);
  if (!*err.text) return;
  out->lost = false;
  out->refused = true;
  out->why = err;
  if (w->runner->o.fail_fast) atomic_store(&w->runner->stop, true);
}

static void *run_vectors(void *opaque) {
  struct worker *w = opaque;
  struct vec_runner *r = w->runner;
  for (u32 k; (k = atomic_fetch_add(&r->next, 1)) < r->file->vectors;)
    if (!r->results[k].skipped && !atomic_load(&r->stop)) run_vector(w, r->file, k, &r->results[k]);
  return NULL;
}

/* Reports what a vector gave, and forgets it. */
static void settle(struct vec_runner *r, const struct vec_file *f, u32 k, struct results *rs) {
  for (u32 n = 0; n < rs->n; n++) {
    if (rs->r[n].skipped) report_skipped(r, f, &f->vector[k], rs->r[n].cases, rs->r[n].why);
    else report(r, f, &f->vector[k], rs->r[n].cases, rs->r[n].why);
    free(rs->r[n].cases);
    free(rs->r[n].why);
  }
  if (rs->empty) report_skipped(r, f, &f->vector[k], "all cases", "no case for this model");
  if (rs->refused) report(r, f, &f->vector[k], "all cases", rs->why.text);
  free(rs->r);
}

static struct worker *worker_new(struct vec_runner *r) {
  const struct vec_options *o = &r->o;
  struct worker *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  w->runner = r;
  w->recorder.invert = o->invert ? check_find(o->invert) : -1;
  w->recorder.seen = o->seen ? w->seen : NULL;
  w->as = assembler_new(o->hex_only);
  bool ok = w->as && !vec_plan_init(&w->plan) && !vstate_init(&w->found);
  for (unsigned v = 0; v < VENDOR_COUNT && ok; v++) {
    const struct cpu_model *m = o->model && o->model->vendor == (enum vendor)v
                                    ? o->model
                                    : model_default((enum vendor)v);
    ok = !engine_init(&w->engine[v], m);
    if (ok && (o->invert || o->seen)) w->engine[v].cpu->recorder = &w->recorder;
  }
  r->worker[r->workers++] = w; /* also when it is not whole: vec_runner_free() sees to it */
  return ok ? w : NULL;
}

static void worker_free(struct worker *w) {
  for (unsigned v = 0; v < VENDOR_COUNT; v++) engine_free(&w->engine[v]);
  assembler_free(w->as);
  vec_plan_free(&w->plan);
  vstate_free(&w->found);
  free(w);
}

struct vec_runner *vec_runner_new(const struct vec_options *o) {
  struct vec_runner *r = calloc(1, sizeof *r);
  if (!r) return NULL;
  r->o = *o;
  for (unsigned k = 0; k < (o->jobs ? o->jobs : 1) && k < MAX_JOBS; k++)
    if (!worker_new(r)) {
      vec_runner_free(r);
      return NULL;
    }
  if (o->tap) fprintf(o->tap, "TAP version 13\n");
  return r;
}

void vec_runner_free(struct vec_runner *r) {
  if (!r) return;
  while (r->workers) worker_free(r->worker[--r->workers]);
  text_free(&r->junit);
  free(r);
}

/* What the workers saw goes to the caller's counters. */
static void gather_seen(struct vec_runner *r) {
  for (unsigned w = 0; w < r->workers && r->o.seen; w++) {
    for (unsigned k = 0; k < CHECKS; k++) {
      r->o.seen[k].passed += r->worker[w]->seen[k].passed;
      r->o.seen[k].failed += r->worker[w]->seen[k].failed;
    }
    memset(r->worker[w]->seen, 0, sizeof r->worker[w]->seen);
  }
}

int vec_run_vector(struct vec_runner *r, const struct vec_file *f, u32 k) {
  struct results rs = {.r = NULL};
  if (atomic_load(&r->stop)) return 0;
  run_vector(r->worker[0], f, k, &rs);
  gather_seen(r);
  settle(r, f, k, &rs);
  return rs.lost ? -1 : 0;
}

/* Every worker in a thread of its own; one alone needs none. A thread that cannot be had leaves its work to
 * others. */
static void run_all(struct vec_runner *r) {
  pthread_t thread[MAX_JOBS];
  unsigned started = 0;
  for (unsigned k = 1; k < r->workers; k++)
    if (!pthread_create(&thread[started], NULL, run_vectors, r->worker[k])) started++;
  (void)run_vectors(r->worker[0]);
  while (started) (void)pthread_join(thread[--started], NULL);
}

int vec_run_file(struct vec_runner *r, const struct vec_file *f) {
  int status = 0;
  r->file = f;
  r->results = calloc(f->vectors ? f->vectors : 1, sizeof *r->results);
  if (!r->results) return -1;
  for (u32 k = 0; k < f->vectors; k++)
    r->results[k].skipped = r->o.only && fnmatch(r->o.only, f->vector[k].name, 0);
  atomic_store(&r->next, 0);
  run_all(r);
  gather_seen(r);
  for (u32 k = 0; k < f->vectors; k++) {
    settle(r, f, k, &r->results[k]);
    if (r->results[k].lost) status = -1;
  }
  free(r->results);
  return status;
}

void vec_run_refused(struct vec_runner *r, const char *path, const struct vec_error *err) {
  r->failed++;
  junit_case(r, path, "parse", err->text);
  if (!r->o.tap) return;
  fprintf(r->o.tap, "not ok %u - ", results_told(r));
  put_line(r->o.tap, path);
  fputs("\n# ", r->o.tap);
  put_line(r->o.tap, err->text);
  fputc('\n', r->o.tap);
}

bool vec_run_end(struct vec_runner *r, unsigned *passed, unsigned *failed) {
  *passed = r->passed;
  *failed = r->failed;
  char skipped[40] = "";
  if (r->skipped) snprintf(skipped, sizeof skipped, " skipped=\"%u\"", r->skipped);
  if (r->o.junit)
    fprintf(r->o.junit,
            "<?xml version=\"1.0\"?>\n<testsuite name=\"ringwalk\" tests=\"%u\" failures=\"%u\"%s>\n%s"
            "</testsuite>\n",
            results_told(r), r->failed, skipped, r->junit.s ? r->junit.s : "");
  if (r->o.tap)
    fprintf(r->o.tap, "1..%u\n", results_told(r));
  if (r->o.tap && r->skipped)
    fprintf(r->o.tap, "# %u vector%s skipped: the model lacks what they need\n", r->skipped,
            r->skipped == 1 ? "" : "s");
  if (r->o.tap) fprintf(r->o.tap, "%u passed, %u failed\n", r->passed, r->failed);
  return r->passed && !r->failed;
}
