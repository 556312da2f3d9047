/* `ringwalk check`: runs conformance vectors. docs/conformance.md */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/check_rows.h"

struct check_options {
  struct vec_options v;
  struct cpu_model model;
  const char *junit;
  const char *unreachable; /* of --coverage */
  bool list, coverage, invert_all;
};

static void check_help(void) {
  puts("usage: ringwalk check [options] FILE.vec...\n\n"
       "  --list               list the vectors and their number of cases\n"
       "  --only NAME          run the vectors of that name (a shell pattern)\n"
       "  --vendor intel|amd   run that vendor's cases\n"
       "  -cpu MODEL[,+F,-F]   run the cases of that model's vendor on it; vectors that need what it lacks are skipped\n"
       "  --junit FILE         write a JUnit report too\n"
       "  -j N                 run in N threads\n"
       "  -q                   only what fails, and the sum\n"
       "  --fail-fast          the first failure is enough\n"
       "  --invert CHECK_ID    turn one architectural check round: some vector must fail\n"
       "  --invert all         so for each check; prints the checks that no vector would miss\n"
       "  --coverage           which checks the vectors judged, passing and failing; all must be, on both sides\n"
       "  --unreachable FILE   lines 'CHECK_ID passes|fails REASON': sides that no vector can reach\n\n"
       "Prints TAP; the last line is 'N passed, N failed'. Exit status: 0 all passed, 1 some failed\n"
       "or nothing ran, 126 the command line is wrong.");
}

static int known_check(const char *id) {
  if (check_find(id) >= 0) return 0;
  app_error("--invert %s: there is no such check in cpu/checks.def", id);
  return -1;
}

static int set_cpu(struct check_options *o, const char *v) {
  char err[256];
  if (model_parse(v, &o->model, err, sizeof err)) {
    app_error("-cpu: %s", err);
    return -1;
  }
  o->v.model = &o->model;
  o->v.vendors = (u8)(1u << o->model.vendor);
  return 0;
}

static int set_vendor(struct check_options *o, const char *v) {
  enum vendor vendor;
  if (vendor_parse(v, &vendor)) {
    app_error("--vendor %s: expected intel or amd", v);
    return -1;
  }
  o->v.vendors = (u8)(1u << vendor);
  return 0;
}

static int set_jobs(struct check_options *o, const char *v) {
  char *end;
  unsigned long n = strtoul(v, &end, 10);
  if (*v < '1' || *v > '9' || *end || n > 64) {
    app_error("-j %s: expected a number of threads, 1 to 64", v);
    return -1;
  }
  o->v.jobs = (unsigned)n;
  return 0;
}

/* Returns the index of the first file, or -1. */
static int parse_options(struct check_options *o, int argc, char **argv) {
  int a = 1;
  for (; a < argc && argv[a][0] == '-'; a++) {
    const char *w = argv[a], *v = a + 1 < argc ? argv[a + 1] : NULL;
    bool *flag = !strcmp(w, "--list")        ? &o->list
                 : !strcmp(w, "--coverage")  ? &o->coverage
                 : !strcmp(w, "--fail-fast") ? &o->v.fail_fast
                 : !strcmp(w, "-q")          ? &o->v.quiet
                                             : NULL;
    if (flag) {
      *flag = true;
      continue;
    }
    if (w[1] == 'j' && w[2]) { /* -j2 */
      if (set_jobs(o, w + 2)) return -1;
      continue;
    }
    bool known = !strcmp(w, "-j") || !strcmp(w, "--only") || !strcmp(w, "--vendor") || !strcmp(w, "-cpu") ||
                 !strcmp(w, "--junit") || !strcmp(w, "--invert") || !strcmp(w, "--unreachable");
    if (!known || !v) {
      app_error(known ? "%s: an argument is missing" : "check: '%s' is no option; see ringwalk check --help",
                w);
      return -1;
    }
    a++;
    if (!strcmp(w, "--only")) o->v.only = v;
    else if (!strcmp(w, "--junit")) o->junit = v;
    else if (!strcmp(w, "--invert")) o->v.invert = v;
    else if (!strcmp(w, "-j")) {
      if (set_jobs(o, v)) return -1;
    }
    else if (!strcmp(w, "--unreachable")) o->unreachable = v;
    else if (!strcmp(w, "-cpu") ? set_cpu(o, v) : !strcmp(w, "--vendor") && set_vendor(o, v)) return -1;
  }
  o->invert_all = o->v.invert && !strcmp(o->v.invert, "all");
  if (o->v.invert && !o->invert_all && known_check(o->v.invert)) return -1;
  if (a == argc) {
    app_error("check: no vector files; see ringwalk check --help");
    return -1;
  }
  return a;
}

static int count_case(void *opaque, const struct vec_case *c) {
  (void)c;
  ++*(unsigned *)opaque;
  return 0;
}

static int list_file(const char *path, const char *only) {
  struct vec_error err;
  struct vec_file *f = vec_load(path, &err);
  int status = 0;
  if (!f) {
    app_error("%s", err.text);
    return -1;
  }
  for (u32 k = 0; k < f->vectors; k++) {
    const struct vector *v = &f->vector[k];
    unsigned cases = 0;
    if (only && fnmatch(only, v->name, 0)) continue;
    if (vec_cases(f, v, count_case, &cases, &err)) {
      app_error("%s", err.text);
      status = -1;
      continue;
    }
    bool fewer = false;
    for (u32 n = 0; n < v->stmts; n++) fewer |= f->stmt[v->first_stmt + n].kind == ST_SKIP;
    printf("%s:%u: %s, %s%u cases: %s%s%s\n", path, v->line, v->name, fewer ? "at most " : "", cases, v->cite,
           v->disputed ? "; disputed: " : "", v->disputed ? v->disputed : "");
  }
  vec_free(f);
  return status;
}

static int run_files(const struct check_options *o, bool excused[CHECKS][SIDES], int argc, char **argv, int a) {
  unsigned passed = 0, failed = 0;
  struct vec_error err;
  struct vec_runner *r = vec_runner_new(&o->v);
  if (!r) {
    app_error("check: out of memory");
    return APP_FAILED;
  }
  for (; a < argc; a++) {
    struct vec_file *f = vec_load(argv[a], &err);
    if (f && vec_run_file(r, f)) {
      snprintf(err.text, sizeof err.text, "%.200s: out of memory", argv[a]);
      vec_run_refused(r, argv[a], &err);
    } else if (!f) {
      vec_run_refused(r, argv[a], &err);
    }
    vec_free(f);
  }
  if (o->coverage && !report_coverage(o->v.seen, excused)) {
    snprintf(err.text, sizeof err.text, "some checks were not judged on both sides");
    vec_run_refused(r, "coverage", &err);
  }
  bool ok = vec_run_end(r, &passed, &failed);
  if (!passed && !failed) app_error("check: no case was run");
  vec_runner_free(r);
  return ok ? 0 : 1;
}

int app_check(int argc, char **argv) {
  struct check_options o = {.v = {.vendors = VENDORS_BOTH, .tap = stdout}};
  struct rec_seen seen[CHECKS] = {{0}};
  bool excused[CHECKS][SIDES] = {{false}};
  for (int a = 1; a < argc && argv[a][0] == '-'; a++)
    if (!strcmp(argv[a], "--help") || !strcmp(argv[a], "-h")) {
      if (app_output_ready()) return APP_FAILED;
      check_help();
      return 0;
    }
  int a = parse_options(&o, argc, argv);
  if (a < 0) return APP_CANNOT_RUN;
  if (app_output_ready()) return APP_FAILED;
  if (o.list) {
    int status = 0;
    for (; a < argc; a++)
      if (list_file(argv[a], o.v.only)) status = 1;
    return status;
  }
  if (o.unreachable && read_unreachable(o.unreachable, excused)) return APP_CANNOT_RUN;
  if (o.invert_all) return invert_every_check(&o.v, argv + a, argc - a);
  if (o.coverage) o.v.seen = seen;
  if (o.junit && !(o.v.junit = fopen(o.junit, "w"))) {
    app_error("--junit %s: cannot be written", o.junit);
    return APP_CANNOT_RUN;
  }
  int status = run_files(&o, excused, argc, argv, a);
  bool lost = o.v.junit && ferror(o.v.junit);
  if (o.v.junit && (fclose(o.v.junit) || lost)) {
    app_error("--junit %s: not everything could be written", o.junit);
    return APP_FAILED;
  }
  return status;
}
