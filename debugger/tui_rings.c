/* The TUI's panes of the four rings, with the last crossing as an arrow, and of the transitions that were recorded, with
 * their checks' verdicts. SDM 3A 5.5 (Privilege Levels). */
#include <stdio.h>
#include <string.h>

#include "cpu/check.h"
#include "debugger/tui_inside.h"
#include "explain/explain.h"

enum { RINGS = 4, COLUMNS = 120, ROWS = 16 };

void transition_title(char *buf, size_t n, const struct transition *t) {
  char name[64];
  int at = snprintf(buf, n, "%u -> %u  ", t->from.cpl, t->to.cpl);
  if (at < 0 || (size_t)at >= n) return;
  buf += at;
  n -= (size_t)at;
  if (t->kind == TR_EXCEPTION) {
    explain_fault_name(name, sizeof name, t->vector, t->has_error, t->error);
    snprintf(buf, n, "%s", name);
  } else if (t->kind == TR_INT || t->kind == TR_INTERRUPT) {
    snprintf(buf, n, "%s %02Xh", transition_name(t->kind), t->vector);
  } else {
    snprintf(buf, n, "%s", transition_name(t->kind));
  }
}

/* ---- verdicts ---- */

struct verdict {
  unsigned passed, failed;
  const char *rule; /* of the first that failed */
  bool unknown;     /* they were not recorded */
};

static void judge(const struct rec_log *l, struct verdict *v) {
  for (unsigned k = 0; k < l->n; k++) {
    const struct rec_step *s = &l->step[k];
    if (s->kind != REC_CHECK) continue;
    if (s->ok) v->passed++;
    else if (!v->failed++ && s->id < CHECKS) v->rule = check_rows[s->id].id;
  }
}

/* A fault's cause comes first: its checks are why it was raised. */
static struct verdict verdict_of(const struct past *p) {
  struct verdict v = {0};
  v.unknown = !p->recorded;
  if (v.unknown) return v;
  if (p->r.faulted) judge(&p->r.cause, &v);
  judge(&p->r.now, &v);
  return v;
}

static void verdict_words(char *buf, size_t n, const struct verdict *v) {
  if (v->unknown) snprintf(buf, n, S_DIM "not recorded");
  else if (v->failed) snprintf(buf, n, S_GOOD "%u ok " S_BAD "%u FAILED %s", v->passed, v->failed, v->rule ? v->rule : "");
  else snprintf(buf, n, S_GOOD "%u ok", v->passed);
}

/* "0033:401007 _start+7"; brief: "0033 _start+7" if it has a name, and that without its module. */
static void place_words(const struct tui *t, const struct transition *of, bool to, bool brief, char *buf, size_t n) {
  char name[128], safe[128];
  const struct tr_point *p = to ? &of->to : &of->from;
  (!to && tr_behind(of) ? sym_name_behind : sym_name)(dbg_symbols(t->d), tr_linear(p), name, sizeof name);
  const char *module = *name == '[' ? strstr(name, "] ") : NULL;
  if (brief && *name) snprintf(buf, n, "%04x %s", p->cs, tui_text_safe(module ? module + 2 : name, safe, sizeof safe));
  else snprintf(buf, n, "%04x:%llx %s", p->cs, (unsigned long long)p->rip, tui_text_safe(name, safe, sizeof safe));
}

/* The last one that changed ring; else the last one. */
static const struct past *last_crossing(const struct tui *t) {
  for (unsigned k = 0; dbg_past(t->d, k); k++)
    if (dbg_past(t->d, k)->t.from.cpl != dbg_past(t->d, k)->t.to.cpl) return dbg_past(t->d, k);
  return dbg_past(t->d, 0);
}

/* ---- rings, one above the other ---- */

/* The ring's row of the arrow: "o", a line in between, a head. */
static const char *arrow_part(const struct past *p, unsigned ring, char buf[8]) {
  unsigned from = p ? p->t.from.cpl : 0, to = p ? p->t.to.cpl : 0;
  const char down = from > to;
  memcpy(buf, "    ", 5);
  if (!p) return buf;
  if (from == to && ring == from) {
    buf[0] = DRAW_LEFT;
    buf[1] = DRAW_H;
    buf[2] = 'o';
  } else if (ring == from) {
    buf[0] = 'o';
    buf[1] = buf[2] = DRAW_H;
    buf[3] = down ? DRAW_UR : DRAW_LR;
  } else if (ring == to) {
    buf[0] = DRAW_LEFT;
    buf[1] = buf[2] = DRAW_H;
    buf[3] = down ? DRAW_LR : DRAW_UR;
  } else if ((ring < from) != (ring < to)) {
    buf[3] = DRAW_V;
  }
  return buf;
}

static void stacked(struct tui *t, struct pane *p, const struct past *last) {
  unsigned cpl = dbg_cpu(t->d)->cpl;
  char arrow[8], place[200];
  for (unsigned ring = RINGS; ring-- > 0;) {
    place[0] = 0;
    bool to = last && last->t.to.cpl == ring, from = last && last->t.from.cpl == ring;
    if (to || from) place_words(t, &last->t, to, p->w < 60, place, sizeof place);
    const char style[2] = {ring == cpl ? ring ? STYLE_RING3 : STYLE_RING0 : STYLE_PLAIN, 0};
    tui_text_add(&p->text, "%s%c%u %s " S_PLAIN "%s", style, ring == cpl ? '*' : ' ', ring, arrow_part(last, ring, arrow), place);
  }
}

/* ---- rings, one within the other ---- */

struct canvas {
  char c[ROWS][COLUMNS];
  u8 style[ROWS][COLUMNS];
  int w;
};

static void dot(struct canvas *m, int y, int x, char c, u8 style) {
  if (y < 0 || y >= ROWS || x < 0 || x >= m->w) return;
  m->c[y][x] = c;
  m->style[y][x] = style;
}

static void words_at(struct canvas *m, int y, int x, const char *s, u8 style, int end) {
  for (; *s && x < end; s++) dot(m, y, x++, *s, style);
}

static void box(struct canvas *m, int y, int x, int h, int w, u8 style) {
  for (int k = 1; k < w - 1; k++) dot(m, y, x + k, DRAW_H, style), dot(m, y + h - 1, x + k, DRAW_H, style);
  for (int k = 1; k < h - 1; k++) dot(m, y + k, x, DRAW_V, style), dot(m, y + k, x + w - 1, DRAW_V, style);
  dot(m, y, x, DRAW_UL, style);
  dot(m, y, x + w - 1, DRAW_UR, style);
  dot(m, y + h - 1, x, DRAW_LL, style);
  dot(m, y + h - 1, x + w - 1, DRAW_LR, style);
}

/* Ring r's border is row 2 * (3 - r), and what it holds itself is the row below. */
static int ring_row(unsigned ring) { return 2 * (int)(RINGS - 1 - ring) + 1; }

static void concentric(struct tui *t, struct pane *p, const struct past *last) {
  struct canvas m;
  enum { ARROW = 17 };
  unsigned cpl = dbg_cpu(t->d)->cpl;
  char place[200];
  memset(&m, ' ', sizeof m);
  memset(m.style, STYLE_PLAIN, sizeof m.style);
  m.w = p->w < COLUMNS - 2 ? p->w : COLUMNS - 2;
  for (unsigned ring = RINGS; ring-- > 0;) {
    int in = (int)(RINGS - 1 - ring);
    u8 style = ring == cpl ? ring ? STYLE_RING3 : STYLE_RING0 : STYLE_DIM;
    box(&m, 2 * in, 2 * in, 12 - 3 * in, m.w - 4 * in, style);
    snprintf(place, sizeof place, "%s%u%s", ring == cpl ? "ring " : "", ring, ring == cpl ? " *" : "");
    words_at(&m, 2 * in, 2 * in + 2, place, style, m.w - 2 * in);
  }
  if (last) {
    unsigned from = last->t.from.cpl, to = last->t.to.cpl;
    int a = ring_row(from), b = ring_row(to), low = a < b ? a : b, high = a < b ? b : a;
    for (int y = low + 1; y < high; y++) dot(&m, y, ARROW, DRAW_V, STYLE_CHANGED);
    dot(&m, a, ARROW, 'o', STYLE_CHANGED);
    dot(&m, b, ARROW, a == b ? DRAW_LEFT : b > a ? DRAW_DOWN : DRAW_UP, STYLE_CHANGED);
    place_words(t, &last->t, false, true, place, sizeof place);
    if (a != b) words_at(&m, a, ARROW + 2, place, STYLE_PLAIN, m.w - 2 * (int)(RINGS - 1 - from) - 1);
    place_words(t, &last->t, true, true, place, sizeof place);
    words_at(&m, b, ARROW + 2, place, STYLE_STRONG, m.w - 2 * (int)(RINGS - 1 - to) - 1);
  }
  for (int y = 0; y < 12; y++) {
    char line[3 * COLUMNS];
    size_t n = 0;
    u8 style = 0;
    for (int x = 0; x < m.w; x++) {
      if (m.style[y][x] != style) line[n++] = (char)(style = m.style[y][x]);
      line[n++] = m.c[y][x];
    }
    line[n] = 0;
    tui_text_add(&p->text, "%s", line);
  }
}

void fill_rings(struct tui *t, struct pane *p) {
  const struct past *last = last_crossing(t);
  char title[80] = "", words[160] = "";
  tui_text_clear(&p->text);
  snprintf(p->note, sizeof p->note, "CPL %u", dbg_cpu(t->d)->cpl);
  if (last) {
    struct verdict v = verdict_of(last);
    transition_title(title, sizeof title, &last->t);
    verdict_words(words, sizeof words, &v);
  }
  if (pane_lines(p) >= 13 && p->w >= 48) {
    tui_text_add(&p->text, S_STRONG " %s" S_PLAIN "   %s", last ? title : "no crossing yet", words);
    concentric(t, p, last);
    return;
  }
  tui_text_add(&p->text, S_STRONG " %s", last ? title : "no crossing yet");
  stacked(t, p, last);
  if (last) tui_text_add(&p->text, " checks: %s", words);
  if (last && pane_lines(p) > 6)
    tui_text_add(&p->text, S_DIM " ss:rsp %04x:%llx -> %04x:%llx", last->t.from.ss, (unsigned long long)last->t.from.rsp, last->t.to.ss,
                     (unsigned long long)last->t.to.rsp);
}

/* ---- the log ---- */

void fill_log(struct tui *t, struct pane *p) {
  u64 chosen = p->has_cursor && p->cursor < p->text.n ? p->text.line[p->cursor].tag : 0;
  bool kept = p->has_cursor;
  tui_text_clear(&p->text);
  p->has_cursor = false;
  snprintf(p->note, sizeof p->note, "%llu; Enter explains", (unsigned long long)dbg_past_count(t->d));
  const struct past *e;
  for (unsigned k = 0; (e = dbg_past(t->d, k)) != NULL; k++) {
    char title[80], words[160], from[200], to[200];
    struct verdict v = verdict_of(e);
    transition_title(title, sizeof title, &e->t);
    verdict_words(words, sizeof words, &v);
    place_words(t, &e->t, false, false, from, sizeof from);
    place_words(t, &e->t, true, false, to, sizeof to);
    struct tui_line *line = tui_text_add(&p->text, "%4llu %-22s %s" S_PLAIN, (unsigned long long)e->number, title, words);
    if (!line) return;
    line->tag = e->number;
    line->tagged = true;
    if (kept && e->number == chosen) p->cursor = p->text.n - 1;
    tui_text_add(&p->text, S_DIM "       %s " "%c" " %s", from, DRAW_RIGHT, to);
  }
  p->has_cursor = p->text.n > 0;
  if (!p->text.n) tui_text_add(&p->text, S_DIM " (none yet)");
  if (!kept) p->cursor = 0;
  pane_reveal(p, p->cursor, 0);
}
