/* `oracle NAME FILE.vec...`: runs conformance vectors on another implementation of the processor and says who
 * agrees (docs/conformance.md, "Second opinions"). NAME is kvm, qemu or bochs. Last line: "N agreed, N
 * disagreed and judged, N disagreed and NOT judged, N not runnable". Exit status: 0 every disagreement is
 * judged, 1 not so or something went wrong, 77 that implementation is not here. */
#define _GNU_SOURCE
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/event.h"
#include "tests/oracle/judged.h"
#include "tests/oracle/oracle.h"

enum { STATUS_SKIPPED = 77, SHOWN = 2, REASONS = 64 };

struct reason {
  char text[REASON_MAX];
  unsigned count;
};

/* A vector's counts, and what is told of its first disagreements that nobody judged. */
struct tally {
  char name[200];
  unsigned agreed, judged, unjudged, not_run;
  char *shown;
};

struct ask {
  const char *only, *vendor;
  bool all; /* show every disagreement, judged or not */
  struct oracle *oracle;
  struct assembler *as;
  struct engine engine[VENDOR_COUNT];
  struct cpu_model narrowed; /* the model less what the oracle has not */
  const struct vector *narrowed_for;
  enum vendor narrowed_vendor;
  struct vec_plan plan, expected; /* as the vector has it; with `want` what an onlooker sees */
  struct vstate found;
  struct answer answer;
  struct tally *tally;
  unsigned tallies;
  struct reason reason[REASONS];
  unsigned reasons;
  bool counting; /* a round that has no answers counts nothing */
  const char *image, *answers, *judged_path;
  struct judged *judged;
};

/* ---- counting ---- */

static void count_reason(struct ask *a, const char *why) {
  unsigned k = 0;
  while (k < a->reasons && strcmp(a->reason[k].text, why)) k++;
  if (k == REASONS) return;
  if (k == a->reasons) snprintf(a->reason[a->reasons++].text, REASON_MAX, "%s", why);
  a->reason[k].count++;
}

static int not_run(struct ask *a, const char *why) {
  if (!a->counting) return 0;
  a->tally[a->tallies - 1].not_run++;
  count_reason(a, why);
  return 0;
}

static int new_tally(struct ask *a, const struct vec_file *f, const struct vector *v) {
  if (!a->counting) return 0;
  struct tally *more = realloc(a->tally, (a->tallies + 1) * sizeof *more);
  if (!more) return -1;
  a->tally = more;
  struct tally *t = &a->tally[a->tallies++];
  *t = (struct tally){.shown = NULL};
  const char *slash = strrchr(f->name, '/');
  snprintf(t->name, sizeof t->name, "%s:%s", slash ? slash + 1 : f->name, v->name);
  return 0;
}

/* ---- what is expected ---- */

static bool ours_agrees(struct ask *a, struct engine *e, const struct vec_case *c) {
  struct text t = {.s = NULL};
  engine_run(e, &a->plan, &a->found);
  vec_diff(&t, c, &a->plan, &e->found, &a->found);
  bool ok = !t.lines;
  text_free(&t);
  return ok;
}

static void narrow(struct ask *a, struct engine *e, const struct vec_case *c) {
  if (a->narrowed_for == c->v && a->narrowed_vendor == c->vendor) return;
  a->narrowed = *e->cpu->model;
  a->oracle->restrict_model(a->oracle->opaque, &a->narrowed);
  a->narrowed_for = c->v;
  a->narrowed_vendor = c->vendor;
}

/* What an onlooker sees of a fault is its delivery. NULL: a->expected is that. */
static const char *expect_delivery(struct ask *a, struct engine *e) {
  a->plan.outcome.kind = OUT_DELIVER;
  engine_run(e, &a->plan, &a->found);
  a->plan.outcome.kind = OUT_FAULT;
  const struct outcome *w = &a->plan.outcome, *d = &e->found;
  if (d->kind != OUT_DELIVER || d->vector != w->vector || d->has_error != w->has_error ||
      d->error != w->error)
    return "the fault cannot be seen: its delivery faults";
  vstate_copy(&a->expected.want, &a->found);
  return NULL;
}

static void expect(struct ask *a) {
  struct vstate start = a->expected.start, want = a->expected.want;
  a->expected = a->plan;
  a->expected.start = start;
  a->expected.want = want;
  vstate_copy(&a->expected.start, &a->plan.start);
  vstate_copy(&a->expected.want, &a->plan.want);
  enum outcome_kind kind = a->plan.outcome.kind;
  a->expected.outcome = (struct outcome){.kind = kind == OUT_HALT || kind == OUT_SHUTDOWN ? kind : OUT_DONE};
}

/* ---- comparing ---- */

/* Where an answer stands, for a reader: a handler's vector and the error code that is on its stack. */
static void describe(const struct ask *a, const struct vec_case *c, char *out, size_t n) {
  const struct vstate *st = &a->answer.st;
  unsigned v = (unsigned)(st->rip - VM_HANDLERS) / 16;
  if (a->answer.end != OUT_DONE) {
    outcome_text(&(struct outcome){.kind = a->answer.end}, out, n);
  } else if (st->rip - VM_HANDLERS < 256 * 16 && !(st->rip & 15) && st->rip != a->plan.next) {
    const struct vector_row *r = v < EXCEPTION_VECTORS ? &vector_rows[v] : NULL;
    struct outcome o = {.kind = OUT_DELIVER, .vector = (u8)v, .has_error = r && r->error};
    u64 sp = st->gpr[RSP] + (mode_long(c->mode) ? 0 : st->seg[SS].base);
    if (o.has_error) o.error = (u32)vstate_read(st, sp, 4);
    outcome_text(&o, out, n);
    if (a->answer.planted && v == VEC_UD)
      snprintf(out, n, "goes on at %#llx",
               (unsigned long long)vstate_read(st, sp, mode_long(c->mode) ? 8 : 4));
  } else {
    snprintf(out, n, "goes on at %#llx, cpl %llu", (unsigned long long)st->rip, (unsigned long long)st->cpl);
  }
}

static void show(struct ask *a, const struct vec_case *c, struct tally *t, const char *lines) {
  char name[400], wanted[100], got[100];
  vec_case_name(c, name, sizeof name);
  outcome_text(&a->plan.outcome, wanted, sizeof wanted);
  describe(a, c, got, sizeof got);
  char *old = t->shown, *text = NULL;
  int n = asprintf(&text, "%s  %s\n    wanted: %s; %s: %s\n%s", old ? old : "", name, wanted, a->oracle->name,
                   got, lines);
  if (n < 0) return;
  t->shown = text;
  free(old);
}

/* Not compared in the flags that are pushed: what the manual leaves undefined; and RF where a vector has
 * `fault`, or where #UD is planted: it has vectors of its own. */
static void hide_rf(struct ask *a, const struct vec_case *c, bool error) {
  const struct vstate *want = &a->expected.want;
  struct vstate *st = &a->answer.st;
  bool lma = mode_long(c->mode);
  u64 at = want->gpr[RSP] + (lma ? 16 : want->seg[SS].base + 8) + (error ? lma ? 8 : 4 : 0);
  u64 flags = vstate_read(st, at, 4), wanted = vstate_read(want, at, 4), hidden = EF_RF | c->v->undefined;
  if (!vstate_write(st, at, 4, (flags & ~hidden) | (wanted & hidden))) return;
}

static void judge(struct ask *a, const struct vec_case *c, struct tally *t) {
  struct text diff = {.s = NULL};
  struct outcome found = {.kind = a->answer.end};
  vec_diff(&diff, c, &a->expected, &found, &a->answer.st);
  if (!diff.lines) {
    t->agreed++;
  } else {
    char name[600], of[400];
    vec_case_name(c, of, sizeof of);
    snprintf(name, sizeof name, "%s %s", c->v->name, of);
    bool known = judged_covers(a->judged, a->oracle->name, c->v->name, name);
    unsigned n = known ? t->judged++ : t->unjudged++;
    if (a->all || (!known && n < SHOWN)) show(a, c, t, diff.s ? diff.s : "");
  }
  text_free(&diff);
}

static int ask_case(void *opaque, const struct vec_case *c) {
  struct ask *a = opaque;
  struct engine *e = &a->engine[c->vendor];
  struct vec_error err;
  char why[REASON_MAX];
  if (a->vendor && strcmp(vendor_name(c->vendor), a->vendor)) return 0;
  if (engine_model(e, c->v)) return not_run(a, "the vendor's processors cannot have these features");
  int got = vec_plan(c, e->cpu->model, a->as, &a->plan, &err);
  if (got > 0) return 0;
  if (got) return not_run(a, "the vector makes no sense");
  const struct cpu_model *whole = e->cpu->model;
  narrow(a, e, c);
  e->cpu->model = &a->narrowed;
  if (!ours_agrees(a, e, c)) {
    e->cpu->model = whole;
    return not_run(a, ours_agrees(a, e, c)
                          ? "a feature is missing there" : "ringwalk fails this case itself");
  }
  expect(a);
  const char *unseen = a->plan.outcome.kind == OUT_FAULT ? expect_delivery(a, e) : NULL;
  if (unseen) return not_run(a, unseen);
  struct job j = {.c = c, .plan = &a->plan, .want = &a->expected.want, .end = a->expected.outcome.kind,
                  .model = &a->narrowed, .planned = whole, .engine = e};
  vstate_copy(&a->answer.st, &a->expected.want);
  a->answer.want = NULL;
  a->answer.planted = false;
  if (a->oracle->run(a->oracle->opaque, &j, &a->answer, why)) return not_run(a, why);
  if (!a->counting) return 0;
  if (a->answer.want) vstate_copy(&a->expected.want, a->answer.want);
  if (a->answer.end == OUT_DONE && (a->answer.planted || a->plan.outcome.kind == OUT_FAULT))
    hide_rf(a, c, !a->answer.planted && a->plan.outcome.has_error);
  judge(a, c, &a->tally[a->tallies - 1]);
  return 0;
}

/* ---- the report ---- */

static void count(struct tally *sum, const struct tally *t) {
  sum->agreed += t->agreed;
  sum->judged += t->judged;
  sum->unjudged += t->unjudged;
  sum->not_run += t->not_run;
}
static void print_counts(const struct tally *t) {
  printf("%u agreed, %u disagreed and judged, %u disagreed and NOT judged, %u not runnable\n", t->agreed,
         t->judged, t->unjudged, t->not_run);
}

/* Returns whether every disagreement is judged. */
static bool report(const struct ask *a) {
  struct tally sum = {.shown = NULL}, file;
  for (unsigned k = 0; k < a->tallies; k++) {
    printf("%s: ", a->tally[k].name);
    print_counts(&a->tally[k]);
    count(&sum, &a->tally[k]);
  }
  for (unsigned k = 0, from = 0; k < a->tallies; from = k) {
    size_t n = strcspn(a->tally[from].name, ":") + 1;
    file = (struct tally){.shown = NULL};
    for (; k < a->tallies && !strncmp(a->tally[k].name, a->tally[from].name, n); k++)
      count(&file, &a->tally[k]);
    printf("== %.*s ", (int)n, a->tally[from].name);
    print_counts(&file);
  }
  if (sum.judged + sum.unjudged) printf("\nDisagreements (%s):\n", a->oracle->name);
  for (unsigned k = 0; k < a->tallies; k++) {
    const struct tally *t = &a->tally[k];
    unsigned wrong = t->judged + t->unjudged;
    if (t->shown) printf("%s: %u of %u\n%s", t->name, wrong, t->agreed + wrong, t->shown);
  }
  if (a->reasons) printf("\nNot runnable:\n");
  for (unsigned k = 0; k < a->reasons; k++) printf("%7u  %s\n", a->reason[k].count, a->reason[k].text);
  if (a->tallies > 1 && !a->only) judged_idle(a->judged, a->oracle->name, stdout);
  print_counts(&sum);
  return !sum.unjudged;
}

static int ask_file(struct ask *a, const char *path) {
  struct vec_error err;
  struct vec_file *f = vec_load(path, &err);
  if (!f) {
    fprintf(stderr, "%s\n", err.text);
    return -1;
  }
  int status = 0;
  for (u32 k = 0; k < f->vectors && !status; k++) {
    if (a->only && fnmatch(a->only, f->vector[k].name, 0)) continue;
    a->narrowed_for = NULL;
    status = new_tally(a, f, &f->vector[k]) || vec_cases(f, &f->vector[k], ask_case, a, &err) < 0 ? -1 : 0;
  }
  vec_free(f);
  return status;
}

static int prepare(struct ask *a) {
  a->as = assembler_new(true);
  if (!a->as || vec_plan_init(&a->plan) || vec_plan_init(&a->expected) || vstate_init(&a->found) ||
      vstate_init(&a->answer.st))
    return -1;
  for (unsigned v = 0; v < VENDOR_COUNT; v++)
    if (engine_init(&a->engine[v], model_find(v == VENDOR_AMD ? "x86-64-amd" : "x86-64"))) return -1;
  return 0;
}

static void forget(struct ask *a) {
  for (unsigned v = 0; v < VENDOR_COUNT; v++) engine_free(&a->engine[v]);
  for (unsigned k = 0; k < a->tallies; k++) free(a->tally[k].shown);
  assembler_free(a->as);
  vec_plan_free(&a->plan);
  vec_plan_free(&a->expected);
  vstate_free(&a->found);
  vstate_free(&a->answer.st);
  free(a->tally);
  judged_free(a->judged);
}

static int ask_files(struct ask *a, int n, char **path) {
  for (int k = 0; k < n; k++)
    if (ask_file(a, path[k])) return -1;
  return 0;
}

/* A suffix says whose rules are asked for: "qemu-amd". */
static struct oracle *oracle_named(const struct ask *a, const char *name, char why[REASON_MAX]) {
  char word[32];
  snprintf(word, sizeof word, "%.*s", (int)strcspn(name, "-"), name);
  if (!strcmp(word, "kvm")) return oracle_kvm(why);
  return oracle_image(word, strstr(name, "-amd") ? VENDOR_AMD : VENDOR_INTEL, a->image, a->answers, why);
}

static int usage(void) {
  fprintf(stderr, "usage: oracle [--all] [--only VECTOR] [--vendor intel|amd] [--image FILES] [--judged FILE]"
                  " [--answers FILE] ORACLE FILE.vec...\n"
                  "ORACLE: kvm, qemu, qemu-amd, bochs, bochs-amd\n");
  return 126;
}

int main(int argc, char **argv) {
  struct ask a = {.image = "build/oracle", .judged_path = "tests/oracle/judged"};
  char why[REASON_MAX] = "out of memory";
  int k = 1;
  for (; k < argc && argv[k][0] == '-'; k++) {
    if (!strcmp(argv[k], "--all")) a.all = true;
    else if (k + 1 == argc) return usage();
    else if (!strcmp(argv[k], "--only")) a.only = argv[++k];
    else if (!strcmp(argv[k], "--vendor")) a.vendor = argv[++k];
    else if (!strcmp(argv[k], "--image")) a.image = argv[++k];
    else if (!strcmp(argv[k], "--answers")) a.answers = argv[++k];
    else if (!strcmp(argv[k], "--judged")) a.judged_path = argv[++k];
    else return usage();
  }
  if (k + 1 >= argc) return usage();
  const char *name = argv[k++];
  unsigned line;
  a.judged = judged_load(a.judged_path, &line);
  if (!a.judged) {
    fprintf(stderr, "%s:%u: not a judgement\n", a.judged_path, line);
    return 1;
  }
  a.oracle = oracle_named(&a, name, why);
  if (!a.oracle) {
    printf("%s: skipped, there is none: %s\n", name, why);
    judged_free(a.judged);
    return STATUS_SKIPPED;
  }
  a.oracle->name = name;
  if (!a.vendor) a.vendor = strstr(name, "-amd") ? "amd" : "intel";
  int status = prepare(&a);
  if (!status && a.oracle->between) {
    status = ask_files(&a, argc - k, argv + k);
    if (!status && a.oracle->between(a.oracle->opaque, why)) {
      printf("# %s: %s\n", name, why);
      status = -1;
    }
  }
  a.counting = true;
  if (ask_files(&a, argc - k, argv + k)) status = -1;
  if (!report(&a)) status = -1;
  a.oracle->close(a.oracle->opaque);
  forget(&a);
  return status ? 1 : 0;
}
