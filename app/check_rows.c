/* What the vectors say of the rows of cpu/checks.def: which were judged, and which a vector would miss if it were
 * turned round. docs/conformance.md */
#include "app/check_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"

/* ---- coverage ---- */

static const char *const side_names[SIDES] = {"passes", "fails"};

int read_unreachable(const char *path, bool excused[CHECKS][SIDES]) {
  char line[400], id[64], side[16], reason[300];
  FILE *f = fopen(path, "r");
  if (!f) {
    app_error("--unreachable %s: cannot be read", path);
    return -1;
  }
  int status = 0;
  for (unsigned n = 1; !status && fgets(line, sizeof line, f); n++) {
    if (*line == '#' || *line == '\n') continue;
    bool whole = sscanf(line, "%63s %15s %299[^\n]", id, side, reason) == 3;
    int check = whole ? check_find(id) : -1, s = whole && !strcmp(side, side_names[FAILS]);
    if (check < 0 || strcmp(side, side_names[s])) {
      app_error("--unreachable %s:%u: expected CHECK_ID passes|fails REASON", path, n);
      status = -1;
    } else {
      excused[check][s] = true;
    }
  }
  (void)fclose(f);
  return status;
}

bool report_coverage(const struct rec_seen seen[CHECKS], bool excused[CHECKS][SIDES]) {
  unsigned reached = 0, left_out = 0, wrong = 0;
  for (unsigned k = 0; k < CHECKS; k++)
    for (unsigned s = 0; s < SIDES; s++) {
      bool met = s == PASSES ? seen[k].passed : seen[k].failed;
      reached += met;
      left_out += excused[k][s];
      if (met != excused[k][s]) continue;
      wrong++;
      printf("# %s never %s%s: %s\n", check_rows[k].id, side_names[s], met ? ", says --unreachable, but it does" : "",
             check_rows[k].rule);
    }
  printf("coverage: %u of %u sides of %u checks, %u unreachable, %u missing\n", reached, SIDES * CHECKS, CHECKS,
         left_out, wrong);
  return !wrong;
}

/* ---- inversion ---- */

struct suite {
  struct vec_file **file;
  int files;
  u8 **judges; /* of a file: for each vector and check, whether the vector judges the check */
};

static void suite_free(struct suite *s) {
  for (int f = 0; f < s->files; f++) {
    vec_free(s->file[f]);
    free(s->judges[f]);
  }
  free(s->file);
  free(s->judges);
}

static int suite_load(struct suite *s, char **paths, int n) {
  struct vec_error err;
  s->file = calloc((size_t)n, sizeof *s->file);
  s->judges = calloc((size_t)n, sizeof *s->judges);
  if (!s->file || !s->judges) return -1;
  for (; s->files < n; s->files++) {
    struct vec_file *f = s->file[s->files] = vec_load(paths[s->files], &err);
    if (!f) {
      app_error("%s", err.text);
      return -1;
    }
    s->judges[s->files] = calloc(f->vectors + 1u, CHECKS);
    if (!s->judges[s->files]) {
      s->files++;
      return -1;
    }
  }
  return 0;
}

/* Which vectors judge which checks; all of them must pass. */
static int learn(struct suite *s, const struct vec_options *given) {
  struct rec_seen seen[CHECKS];
  struct vec_options o = *given;
  unsigned passed, failed;
  o.seen = seen;
  o.tap = NULL;
  struct vec_runner *r = vec_runner_new(&o);
  if (!r) return -1;
  int status = 0;
  for (int f = 0; f < s->files && !status; f++)
    for (u32 k = 0; k < s->file[f]->vectors && !status; k++) {
      memset(seen, 0, sizeof seen);
      status = vec_run_vector(r, s->file[f], k);
      for (unsigned c = 0; c < CHECKS; c++) s->judges[f][k * CHECKS + c] = seen[c].passed || seen[c].failed;
    }
  if (!vec_run_end(r, &passed, &failed) && !status) {
    app_error("--invert all: %u cases fail as it is", failed);
    status = -1;
  }
  vec_runner_free(r);
  return status;
}

/* The first vector that fails with the check turned round; NULL: none. */
static const char *first_to_notice(const struct suite *s, const struct vec_options *given, unsigned check) {
  struct vec_options o = *given;
  unsigned passed, failed = 0;
  o.invert = check_rows[check].id;
  o.fail_fast = true;
  o.tap = NULL;
  struct vec_runner *r = vec_runner_new(&o);
  if (!r) return NULL;
  const char *name = NULL;
  for (int f = 0; f < s->files && !name; f++)
    for (u32 k = 0; k < s->file[f]->vectors && !name; k++) {
      if (!s->judges[f][k * CHECKS + check]) continue;
      if (vec_run_vector(r, s->file[f], k)) break;
      (void)vec_run_end(r, &passed, &failed);
      if (failed) name = s->file[f]->vector[k].name;
    }
  vec_runner_free(r);
  return name;
}

int invert_every_check(const struct vec_options *given, char **paths, int n) {
  struct suite s = {.files = 0};
  struct vec_options o = *given;
  unsigned passed = 0, failed = 0;
  o.hex_only = true;
  o.jobs = 1;
  o.invert = NULL;
  if (suite_load(&s, paths, n) || learn(&s, &o)) {
    suite_free(&s);
    return APP_FAILED;
  }
  printf("TAP version 13\n1..%u\n", CHECKS);
  for (unsigned k = 0; k < CHECKS; k++) {
    const char *by = first_to_notice(&s, &o, k);
    if (by) passed++;
    else failed++;
    printf("%s %u - %s: %s\n", by ? "ok" : "not ok", k + 1, check_rows[k].id, by ? by : "no vector fails");
    (void)fflush(stdout);
  }
  printf("%u passed, %u failed\n", passed, failed);
  suite_free(&s);
  return failed ? 1 : 0;
}
