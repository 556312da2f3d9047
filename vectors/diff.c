/* Expected against found: every piece of the state that differs, by name. */
#include "vectors/diff.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/event.h"

enum { MAX_LINES = 40, MAX_MEMORY_LINES = 16 };

void text_add(struct text *t, const char *fmt, ...) {
  va_list ap;
  char line[512];
  va_start(ap, fmt);
  int n = vsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  if (t->lines++ >= MAX_LINES || n < 0) return;
  size_t len = strlen(line);
  if (t->n + len + 1 > t->room) {
    char *more = realloc(t->s, t->room + len + 1024);
    if (!more) return;
    t->s = more;
    t->room += len + 1024;
  }
  memcpy(t->s + t->n, line, len + 1);
  t->n += len;
}
void text_free(struct text *t) {
  free(t->s);
  *t = (struct text){.s = NULL};
}

void outcome_text(const struct outcome *o, char *out, size_t n) {
  static const char *const kind[] = {"the instruction completes", "fault", "deliver", "shutdown", "halt",
                                     "no end of the instruction"};
  if (o->kind != OUT_FAULT && o->kind != OUT_DELIVER) {
    snprintf(out, n, "%s", kind[o->kind]);
    return;
  }
  const char *name = o->vector < EXCEPTION_VECTORS ? vector_rows[o->vector].mnemonic : NULL;
  char error[24] = "";
  if (o->has_error) snprintf(error, sizeof error, "(%#x)", o->error);
  if (name) snprintf(out, n, "%s %s%s", kind[o->kind], name, error);
  else snprintf(out, n, "%s of vector %u%s", kind[o->kind], o->vector, error);
}

/* What an unusable segment holds besides its selector is of no consequence, but for the bases that 64-bit
 * code uses. SDM 3A 3.4.4 (Segment Loading Instructions in IA-32e Mode) */
static void settle_null(const struct vec_case *c, unsigned s, const struct seg *want, struct seg *found) {
  if (!(want->attr & found->attr & SEG_NULL)) return;
  found->attr = want->attr;
  found->limit = want->limit;
  if ((s != FS && s != GS) || !mode_long(c->mode)) found->base = want->base;
}

static void diff_pieces(struct text *t, const struct vec_case *c, const struct vstate *want,
                        const struct vstate *found) {
  for (unsigned k = 0; k < regname_count(); k++) {
    if (regname_alias(k)) continue;
    u64 w = vstate_get(want, k), f = vstate_get(found, k);
    bool flags = regname_kind(k) == REG_FLAGS;
    if (flags) w &= ~(u64)c->v->undefined, f &= ~(u64)c->v->undefined;
    if (w == f) continue;
    char names[2][80] = {"", ""};
    if (flags) {
      vflags_text(w & ~f, names[0], sizeof names[0]);
      vflags_text(f & ~w, names[1], sizeof names[1]);
    }
    text_add(t, "  %-14s expected %#llx%s%s found %#llx%s%s\n", regname_at(k), (unsigned long long)w,
             *names[0] ? ":" : "", names[0], (unsigned long long)f, *names[1] ? ":" : "", names[1]);
  }
}

static void diff_memory(struct text *t, const struct vstate *want, const struct vstate *found) {
  unsigned lines = 0;
  if (!memcmp(want->ram, found->ram, VM_RAM)) return;
  for (u64 at = 0; at < VM_RAM && lines <= MAX_MEMORY_LINES; at += 8) {
    u64 w = vstate_read(want, at, 8), f = vstate_read(found, at, 8);
    if (w == f) continue;
    if (lines++ == MAX_MEMORY_LINES) text_add(t, "  ... and more memory\n");
    else text_add(t, "  u64[%#llx] expected 0x%016llx found 0x%016llx\n", (unsigned long long)at,
                  (unsigned long long)w, (unsigned long long)f);
  }
}

void vec_diff(struct text *t, const struct vec_case *c, struct vec_plan *p, const struct outcome *found,
              const struct vstate *st) {
  const struct outcome *w = &p->outcome;
  if (w->kind != found->kind || w->vector != found->vector || w->has_error != found->has_error ||
      w->error != found->error) {
    char a[80], b[80];
    outcome_text(w, a, sizeof a);
    outcome_text(found, b, sizeof b);
    text_add(t, "  %-14s expected %s, found %s\n", "outcome", a, b);
  }
  for (unsigned k = 0; k < p->anys; k++) {
    u64 at = p->any[k].at;
    if (!p->any[k].bytes) vstate_set(&p->want, (unsigned)at, vstate_get(st, (unsigned)at));
    else if (!vstate_write(&p->want, at, p->any[k].bytes, vstate_read(st, at, p->any[k].bytes))) t->lines++;
  }
  struct vstate settled = *st;
  for (unsigned s = 0; s < VS_SEGS; s++) settle_null(c, s, &p->want.seg[s], &settled.seg[s]);
  diff_pieces(t, c, &p->want, &settled);
  diff_memory(t, &p->want, st);
}
