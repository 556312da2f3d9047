/* Which rows sequences are drawn from. SDM 2 (the instructions' pages). */
#include "tests/native/sequence.h"

#include <stdio.h>

#include "base/bits.h"
#include "tests/native/cases.h"
#include "tests/native/encoder.h"
#include "tests/native/report.h"

static bool name_among(const char *name, const char *const *list) {
  for (; *list; list++)
    if (!strncmp(name, *list, strlen(*list))) return true;
  return false;
}

/* Not: branches away, what ring 3 may not do, and where values are the host's own (XINUSE hangs on its
 * history). */
static bool can_follow(const struct oprow *row) {
  static const char *const never[] = {"XSAVE", "XRSTOR", "XGETBV", "POPF", "CLI", "STI", "UD", "RDPMC", NULL};
  const struct row_rule *rule = rule_of(row);
  if (rule->host_gprs || rule->skip || (row->attrs & A_CPL0) || name_among(row->name, never)) return false;
  return !(row->attrs & A_END) || operand_find(row, "J") >= 0;
}

static bool of_theme(const struct oprow *row, enum theme t) {
  bool x87 = row->attrs & (A_X87 | A_MMX | A_WAIT | A_FX), vector = row->attrs & (A_SSE | A_AVX | A_AVX512);
  if (t == THEME_ANY) return true;
  return t == THEME_X87 ? x87 : t == THEME_VECTOR ? vector : !x87 && !vector;
}

void pool_fill(struct pool *p, unsigned n, const struct cpu_model *m, bool ldt) {
  p->mode = (enum code_mode)(n % CODE_MODES);
  p->ldt = ldt;
  p->rows = 0;
  for (unsigned k = 0; k < opcode_row_count && p->rows < POOL_ROWS; k++) {
    const struct oprow *row = &opcode_rows[k];
    bool mode = p->mode == CODE64 ? row->modes != NO64 : row->modes != ONLY64;
    if (mode && !row_skipped(m, row) && can_follow(row) && of_theme(row, (enum theme)(n / CODE_MODES)))
      p->row[p->rows++] = (u16)k;
  }
}

const char *pool_name(unsigned n) {
  static const char *const themes[THEMES] = {"x87", "integer", "vector", "any"};
  static const char *const modes[CODE_MODES] = {"64", "32", "16"};
  static char text[32];
  snprintf(text, sizeof text, "sequence-%s-%s", themes[n / CODE_MODES], modes[n % CODE_MODES]);
  return text;
}

static bool variant_fits(const struct pool *p, const struct oprow *row, const struct variant *v) {
  if (v->mode != p->mode || v->form == AT_REP || v->form == AT_REPNE) return false;
  return v->form != AT_LOCK || (row->attrs & A_LOCK);
}

const struct oprow *pool_draw(const struct pool *p, struct rng *r, struct variant *v) {
  static struct variant all[MAX_VARIANTS];
  const struct oprow *row;
  unsigned n;
  do {
    row = &opcode_rows[p->row[rn(r, p->rows)]];
    n = variants_of(row, p->ldt, all);
    if (n) *v = all[rn(r, n)];
  } while (!n || !variant_fits(p, row, v));
  return row;
}
