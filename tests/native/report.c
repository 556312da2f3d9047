/* What came out for each row, and which rows may have no cases.
 *
 * tests/native/uncompared lists the latter: "NAME OPERANDS: why". Its line "machine: FEATURE ..." says what a
 * machine has that must run all others. A row that is skipped for the tester's own reasons is to be listed
 * everywhere, unless it is skipped because of a feature. A line fails if no such row is left out, and so do more
 * lines than "most: N" says. */
#define _GNU_SOURCE
#include "tests/native/report.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/native/native.h"
#include "tests/native/rows.h"
#include "tests/native/sequence.h"

static const char *rule_skips(const struct row_rule *rule) {
  return rule->skip_with && !native_has(rule->skip_with) ? NULL : rule->skip;
}

/* Why a row is not run here; NULL: it is. */
const char *row_skipped(const struct cpu_model *m, const struct oprow *row) {
  const struct row_rule *rule = rule_of(row);
  if (rule_skips(rule)) return rule->skip;
  if (row->feature >= 0 && !rule->anyway &&
      !(native_has((enum feature)row->feature) && model_has(m, row->feature)))
    return "this machine's processor does not have it";
  enum native_vectors unit = native_vector_unit();
  if ((row->attrs & A_AVX512) ? unit < NATIVE_ZMM : (row->attrs & A_AVX) && unit < NATIVE_YMM)
    return "this machine's kernel does not manage its registers";
  return NULL;
}

static bool name_listed(const char *list, const char *name) {
  char pattern[64];
  while (*list) {
    size_t n = strcspn(list, ",");
    snprintf(pattern, sizeof pattern, "%.*s", (int)n, list);
    if (!fnmatch(pattern, name, FNM_CASEFOLD)) return true;
    list += n + (list[n] == ',');
  }
  return false;
}

bool row_wanted(const struct options *o, const struct oprow *row) {
  if (o->feature >= 0 && row->feature != o->feature) return false;
  return !o->row || name_listed(o->row, row->name);
}

unsigned unit_count(void) { return opcode_row_count + POOLS; }
bool unit_wanted(const struct options *o, unsigned unit) {
  if (unit < opcode_row_count) return row_wanted(o, &opcode_rows[unit]);
  return o->feature < 0 && (!o->row || name_listed(o->row, pool_name(unit - opcode_row_count)));
}

/* ---- the list of rows without cases ---- */

enum { LISTED_MAX = 512 };
struct listed {
  char name[64]; /* "NAME OPERANDS" */
  bool exists, used;
};
struct uncompared {
  struct listed row[LISTED_MAX];
  unsigned rows, most;
  bool complete; /* this machine must run all that is not listed */
  bool given;
};

/* Does this machine have all features of the line? */
static bool machine_has(char *words) {
  for (char *w = strtok(words, " \n"); w; w = strtok(NULL, " \n")) {
    int f = model_feature(w);
    if (f < 0 || !native_has((enum feature)f)) return false;
  }
  return true;
}

MUST_CHECK static int read_uncompared(const char *path, struct uncompared *u) {
  static const char machine[] = "machine:", most[] = "most:";
  char line[256];
  FILE *f = fopen(path, "r");
  if (!f) {
    fprintf(stderr, "native: %s: %s\n", path, strerror(errno));
    return -1;
  }
  u->given = true;
  while (fgets(line, sizeof line, f)) {
    char *colon = strchr(line, ':');
    if (*line == '#' || !colon) continue;
    if (!strncmp(line, machine, strlen(machine))) u->complete = machine_has(line + strlen(machine));
    else if (!strncmp(line, most, strlen(most))) u->most = (unsigned)strtoul(line + strlen(most), NULL, 0);
    else if (u->rows < LISTED_MAX)
      snprintf(u->row[u->rows++].name, sizeof u->row[0].name, "%.*s", (int)(colon - line), line);
  }
  (void)fclose(f);
  return 0;
}

static struct listed *find_listed(struct uncompared *u, const struct oprow *row) {
  char name[64];
  int n = snprintf(name, sizeof name, "%s %s", row->name, row->operands);
  while (n > 0 && name[n - 1] == ' ') name[--n] = 0;
  for (unsigned k = 0; k < u->rows; k++)
    if (!strcmp(name, u->row[k].name)) return &u->row[k];
  return NULL;
}

/* May it be left out? */
static bool excused(const struct uncompared *u, const struct oprow *row, const struct listed *line) {
  const struct row_rule *rule = rule_of(row);
  return !u->given || line || rule->skip_with || (!rule->skip && !u->complete);
}

static unsigned bad_lines(const struct uncompared *u) {
  unsigned n = 0;
  for (unsigned k = 0; k < u->rows; k++) {
    const struct listed *l = &u->row[k];
    if (l->exists && (l->used || !u->complete)) continue;
    const char *why = l->exists ? "it could be" : "there is no such row";
    printf("%s: listed as not compared, but %s\n", l->name, why);
    n++;
  }
  if (u->rows > u->most) printf("%u rows listed as not compared; there were %u\n", u->rows, u->most), n++;
  return n;
}

/* ---- the report ---- */

static void row_line(const struct oprow *row, const char *text) {
  static const char *const maps[] = {"", "0F ", "0F 38 ", "0F 3A "};
  static const char *const encodings[] = {[ENC_LEGACY] = "", [ENC_VEX] = "VEX ", [ENC_EVEX] = "EVEX "};
  static const char *const prefixes[] = {
      [P_66] = "66 ", [P_F3] = "F3 ", [P_F2] = "F2 ", [P_W3] = "F3 ", [P_W2] = "F2 ", [P_NOREP] = ""};
  char opcode[32], group[8] = "";
  if (row->modrm & 8) snprintf(group, sizeof group, " /%u", row->modrm >> 4 & 7);
  snprintf(opcode, sizeof opcode, "%s%s%s%02X%s", encodings[row->enc],
           prefixes[row->prefix] ? prefixes[row->prefix] : "", maps[row->map & 3], row->opcode, group);
  printf("%-14s %-18s %-14s %s\n", row->name, opcode, row->operands, text);
}

struct sum {
  unsigned passed, failed, skipped, groups;
  u64 total, variants, least;
  const struct oprow *least_row;
};

static void report_row(const struct options *o, const struct oprow *row, const struct row_result *r,
                       struct sum *s) {
  bool ok = r->cases && !r->failures;
  char text[128];
  *(ok ? &s->passed : &s->failed) += 1;
  s->total += r->cases;
  s->variants += r->variants;
  s->groups += r->groups;
  if (r->least < s->least) s->least = r->least, s->least_row = row;
  int n = snprintf(text, sizeof text, "%8" PRIu64 " cases, %u forms x widths, each %" PRIu64 " or more",
                   r->cases, r->groups, r->least);
  if (!ok) snprintf(text + n, sizeof text - (unsigned)n, ", FAILED: %" PRIu64, r->failures);
  if (!ok || o->list_rows) row_line(row, text);
}

static void report_sequences(const struct options *o, const struct shared *shared, struct sum *s) {
  u64 cases = 0, whole = 0;
  for (unsigned n = 0; n < POOLS; n++) {
    const struct row_result *r = &shared->row[opcode_row_count + n];
    if (!unit_wanted(o, opcode_row_count + n)) continue;
    bool ok = r->cases && !r->failures;
    *(ok ? &s->passed : &s->failed) += 1;
    cases += r->cases;
    whole += r->whole;
    if (ok && !o->list_rows) continue;
    printf("%-48s %8" PRIu64 " sequences, %" PRIu64 " to their end", pool_name(n), r->cases, r->whole);
    if (!ok) printf(", FAILED: %" PRIu64, r->failures);
    printf("\n");
  }
  printf("%" PRIu64 " sequences, %" PRIu64 " to their end\n", cases, whole);
}

int summarise(const struct options *o, const struct shared *shared) {
  static struct uncompared u;
  struct cpu_model model = *model_default(native_vendor());
  struct sum s = {.least = ~UINT64_C(0)};
  bool all = !o->row && o->feature < 0;
  if (o->uncompared && read_uncompared(o->uncompared, &u)) return 2;
  memset(model.has, 1, sizeof model.has);
  for (unsigned n = 0; n < opcode_row_count; n++) {
    const struct oprow *row = &opcode_rows[n];
    const char *why = row_skipped(&model, row);
    char text[128];
    struct listed *line = find_listed(&u, row);
    if (line) line->exists = true, line->used |= why != NULL;
    if (!row_wanted(o, row)) continue;
    if (!why) {
      report_row(o, row, &shared->row[n], &s);
      continue;
    }
    bool may = excused(&u, row, line);
    s.skipped++;
    if (!may) s.failed++;
    snprintf(text, sizeof text, "not compared%s: %s", may ? "" : ", and not listed", why);
    row_line(row, text);
  }
  if (all && u.given) s.failed += bad_lines(&u);
  report_sequences(o, shared, &s);
  printf("%" PRIu64 " cases in %" PRIu64 " variants; %u rows not compared%s\n", s.total, s.variants,
         s.skipped, shared->ldt ? "" : "; no LDT here, so no 16-bit code");
  printf("%u row x form x width; the least in one: %" PRIu64 " (%s %s)\n", s.groups,
         s.least_row ? s.least : 0, s.least_row ? s.least_row->name : "", s.least_row ? s.least_row->operands : "");
  printf("%u passed, %u failed\n", s.passed, s.failed);
  return s.failed || !s.passed;
}
