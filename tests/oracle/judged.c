/* Reads tests/oracle/judged: one row for each cause of a disagreement between the vectors and an oracle, with
 * who is right by the manual. docs/conformance.md, "Second opinions", shows the same rows. */
#include "tests/oracle/judged.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 2000, FIELDS = 5, F_ORACLES = 0, F_PATTERNS, F_DOES, F_VERDICT, F_RULE };

struct row {
  char *text;
  const char *field[FIELDS];
  unsigned line;
  bool used;
};
struct judged {
  struct row *row;
  unsigned rows;
};

static const char *const verdicts[] = {"vectors", "open"};

/* Cuts " | " separated fields. */
static bool split(struct row *r) {
  char *at = r->text;
  for (unsigned k = 0; k < FIELDS; k++) {
    char *bar = strstr(at, " | ");
    if (!bar != (k == FIELDS - 1)) return false;
    r->field[k] = at;
    if (bar) *bar = 0, at = bar + 3;
  }
  for (unsigned k = 0; k < sizeof verdicts / sizeof verdicts[0]; k++)
    if (!strcmp(r->field[F_VERDICT], verdicts[k]))
      return strstr(r->field[F_RULE], "SDM") || strstr(r->field[F_RULE], "APM");
  return false;
}

static bool add(struct judged *j, const char *text, unsigned line) {
  struct row *more = realloc(j->row, (j->rows + 1) * sizeof *more);
  if (!more) return false;
  j->row = more;
  j->row[j->rows] = (struct row){.text = strdup(text), .line = line};
  return j->row[j->rows].text && split(&j->row[j->rows++]);
}

struct judged *judged_load(const char *path, unsigned *line) {
  char text[LINE_MAX_BYTES];
  FILE *f = fopen(path, "r");
  struct judged *j = calloc(1, sizeof *j);
  bool ok = f && j;
  for (*line = 0; ok && fgets(text, sizeof text, f);) {
    ++*line;
    text[strcspn(text, "\n")] = 0;
    if (*text && *text != '#') ok = add(j, text, *line);
  }
  if (f) fclose(f);
  if (ok) return j;
  judged_free(j);
  return NULL;
}

void judged_free(struct judged *j) {
  for (unsigned k = 0; j && k < j->rows; k++) free(j->row[k].text);
  if (j) free(j->row);
  free(j);
}

/* Is a word of the list the name? */
static bool listed(const char *list, const char *name) {
  size_t n = strlen(name);
  for (const char *at = list; (at = strstr(at, name)); at += n)
    if ((at == list || at[-1] == ' ') && (!at[n] || at[n] == ' ')) return true;
  return false;
}

/* Patterns are separated by ", "; one with a space in it is about the whole name of a case. */
static bool matches(const char *patterns, const char *vector, const char *name) {
  char one[LINE_MAX_BYTES];
  for (const char *at = patterns; *at;) {
    const char *comma = strstr(at, ", ");
    size_t n = comma ? (size_t)(comma - at) : strlen(at);
    memcpy(one, at, n);
    one[n] = 0;
    if (!fnmatch(one, strchr(one, ' ') ? name : vector, 0)) return true;
    at += n + (comma ? 2 : 0);
  }
  return false;
}

bool judged_covers(struct judged *j, const char *oracle, const char *vector, const char *name) {
  bool covered = false;
  for (unsigned k = 0; k < j->rows; k++) {
    struct row *r = &j->row[k];
    if (!listed(r->field[F_ORACLES], oracle) || !matches(r->field[F_PATTERNS], vector, name)) continue;
    r->used = covered = true;
  }
  return covered;
}

unsigned judged_idle(const struct judged *j, const char *oracle, FILE *to) {
  unsigned idle = 0;
  for (unsigned k = 0; k < j->rows; k++) {
    const struct row *r = &j->row[k];
    if (r->used || !listed(r->field[F_ORACLES], oracle)) continue;
    fprintf(to, "line %u covers no disagreement: %s\n", r->line, r->field[F_PATTERNS]);
    idle++;
  }
  return idle;
}
