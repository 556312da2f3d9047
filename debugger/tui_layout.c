/* Where the TUI's panes are: by the terminal's size, in bands of columns of panes; scrolling, and drawing them. */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <stdio.h>
#include <string.h>

#include "debugger/tui_inside.h"
#include "debugger/view_fields.h"

const char *const pane_names[PANES] = {
    [PANE_CODE] = "code", [PANE_REGISTERS] = "registers", [PANE_RINGS] = "rings", [PANE_SEGMENTS] = "segments",
    [PANE_STACK] = "stack", [PANE_LOG] = "transitions", [PANE_MEMORY] = "memory", [PANE_OUTPUT] = "output",
    [PANE_CONSOLE] = "console", [PANE_HELP] = "help",
};

/* A slot: which pane is there at first, the fewest rows (its title is one), and its share of the rows that are left. */
struct slot_row { u8 pane, least, share; };
/* A column: its width; 0: what is left. A band ends with a column without slots. */
struct column_row { u8 width; struct slot_row slot[4]; };
struct layout_row {
  int rows, cols; /* that it needs */
  struct { u8 least, share; struct column_row column[3]; } band[3];
};

#define SLOT(pane, least, share) {PANE_##pane, least, share}
static const struct layout_row layouts[] = {
    {50, 180, {{48, 1, {{0, {SLOT(CODE, 20, 3), SLOT(CONSOLE, 12, 2)}},
                        {64, {SLOT(REGISTERS, 13, 0), SLOT(RINGS, 14, 0), SLOT(SEGMENTS, 13, 0), SLOT(OUTPUT, 4, 1)}},
                        {64, {SLOT(STACK, 14, 3), SLOT(LOG, 12, 2), SLOT(MEMORY, 10, 2)}}}}}},
    {36, 124, {{34, 1, {{0, {SLOT(CODE, 14, 3), SLOT(STACK, 11, 2), SLOT(CONSOLE, 9, 2)}},
                        {62, {SLOT(REGISTERS, 13, 0), SLOT(RINGS, 8, 1), SLOT(SEGMENTS, 11, 0)}}}}}},
    {22, 76, {{11, 3, {{0, {SLOT(CODE, 3, 1)}}, {42, {SLOT(REGISTERS, 3, 1)}}}},
              {7, 1, {{32, {SLOT(RINGS, 3, 1)}}, {0, {SLOT(STACK, 3, 1)}}}},
              {4, 2, {{0, {SLOT(CONSOLE, 2, 1)}}}}}},
    {0, 0, {{3, 3, {{0, {SLOT(CODE, 2, 1)}}}}, {2, 2, {{0, {SLOT(RINGS, 2, 1)}}}}, {2, 1, {{0, {SLOT(CONSOLE, 2, 1)}}}}}},
};
#undef SLOT

bool pane_shown(const struct tui *t, unsigned id) { return t->pane[id].h > 0; }
int pane_lines(const struct pane *p) { return p->h > 1 ? p->h - 1 : 0; }

/* How many rows part k of n gets of `height`: its least and its share, the last one also what is left. */
static int part_of(const u8 *least, const u8 *share, unsigned n, unsigned k, int height) {
  int sum = 0, shares = 0, given = 0, mine = 0;
  for (unsigned j = 0; j < n; j++) sum += least[j], shares += share[j];
  int spare = height - sum;
  for (unsigned j = 0; j < n; j++) {
    int h = least[j] + (spare > 0 ? shares ? spare * share[j] / shares : 0 : spare * least[j] / sum);
    if (j == n - 1) h = height - given;
    given += h;
    if (j == k) mine = h;
  }
  return mine > 0 ? mine : 0;
}

static void place(struct tui *t, unsigned slot, int y, int x, int h, int w) {
  struct pane *p = &t->pane[t->slot[slot]];
  if (h < 2 || w < 4) h = 0;
  p->y = y;
  p->x = x;
  p->h = h;
  p->w = w;
}

static unsigned slots_of(const struct column_row *c) {
  unsigned n = 0;
  while (n < ARRAY_SIZE(c->slot) && c->slot[n].least) n++;
  return n;
}

static void place_column(struct tui *t, const struct column_row *c, unsigned *slot, int y, int x, int h, int w) {
  u8 least[4], share[4];
  unsigned n = slots_of(c);
  for (unsigned k = 0; k < n; k++) least[k] = c->slot[k].least, share[k] = c->slot[k].share;
  for (unsigned k = 0; k < n; k++) {
    int part = part_of(least, share, n, k, h);
    place(t, (*slot)++, y, x, part, w);
    y += part;
  }
}

static void place_band(struct tui *t, const struct column_row *c, unsigned n, unsigned *slot, int y, int h) {
  int fixed = 0, x = 0;
  unsigned columns = 0;
  while (columns < n && slots_of(&c[columns])) fixed += c[columns++].width;
  for (unsigned k = 0; k < columns; k++) {
    int w = c[k].width ? c[k].width : t->cols - fixed - (int)(columns - 1);
    place_column(t, &c[k], slot, y, x, h, w);
    x += w + 1;
  }
}

/* Each slot has the pane that the layout begins with, or the one that was brought there since. */
static void begin_layout(struct tui *t, const struct layout_row *l) {
  unsigned which = (unsigned)(l - layouts) + 1;
  if (t->layout == which) return;
  t->layout = which;
  t->slots = 0;
  for (unsigned b = 0; b < ARRAY_SIZE(l->band); b++)
    for (unsigned c = 0; c < ARRAY_SIZE(l->band[b].column); c++)
      for (unsigned k = 0; k < slots_of(&l->band[b].column[c]); k++)
        t->slot[t->slots] = t->home[t->slots] = l->band[b].column[c].slot[k].pane, t->slots++;
}

void layout(struct tui *t) {
  const struct layout_row *l = layouts;
  u8 least[3], share[3];
  unsigned bands = 0, slot = 0;
  int y = 1, height = t->rows - 2;
  while (t->rows < l->rows || t->cols < l->cols) l++;
  begin_layout(t, l);
  for (unsigned k = 0; k < PANES; k++) t->pane[k].h = 0;
  if (t->zoom != PANE_NONE) {
    t->pane[t->zoom].y = 1;
    t->pane[t->zoom].x = 0;
    t->pane[t->zoom].h = height > 1 ? height : 0;
    t->pane[t->zoom].w = t->cols;
    return;
  }
  for (; bands < ARRAY_SIZE(l->band) && l->band[bands].least; bands++)
    least[bands] = l->band[bands].least, share[bands] = l->band[bands].share;
  for (unsigned b = 0; b < bands; b++) {
    int h = part_of(least, share, bands, b, height);
    place_band(t, l->band[b].column, ARRAY_SIZE(l->band[b].column), &slot, y, h);
    y += h;
  }
  if (!pane_shown(t, t->focus)) t->focus = t->slot[0];
}

/* Where a pane goes that is not shown: to its own slot, or to the one of a pane that it can stand in for. */
static unsigned slot_for(const struct tui *t, unsigned id) {
  static const u8 instead[PANES] = {[PANE_SEGMENTS] = PANE_REGISTERS, [PANE_MEMORY] = PANE_STACK, [PANE_LOG] = PANE_STACK,
                                    [PANE_OUTPUT] = PANE_CONSOLE, [PANE_STACK] = PANE_CODE, [PANE_REGISTERS] = PANE_CODE};
  for (unsigned k = 0; k < t->slots; k++)
    if (t->home[k] == id) return k;
  for (unsigned k = 0; k < t->slots; k++)
    if (t->home[k] == instead[id]) return k;
  return 0;
}

void layout_show(struct tui *t, unsigned id) {
  t->zoom = PANE_NONE;
  layout(t);
  if (!pane_shown(t, id)) t->slot[slot_for(t, id)] = (u8)id;
  t->focus = (u8)id;
  layout(t);
}

void layout_next(struct tui *t, int by) {
  t->zoom = PANE_NONE;
  layout(t);
  for (unsigned k = 0; k < t->slots; k++)
    if (t->slot[k] == t->focus) {
      t->focus = t->slot[((int)(k + t->slots) + by) % (int)t->slots];
      return;
    }
}

/* ---- scrolling ---- */

static unsigned last_top(const struct pane *p) {
  unsigned rows = (unsigned)pane_lines(p);
  return p->text.n > rows ? p->text.n - rows : 0;
}

void pane_end(struct pane *p) {
  if (!p->scrolled || p->top > last_top(p)) p->top = last_top(p);
}

void pane_reveal(struct pane *p, unsigned k, unsigned above) {
  unsigned rows = (unsigned)pane_lines(p);
  if (k < p->top || k >= p->top + rows) p->top = k > above ? k - above : 0;
  if (p->top > last_top(p)) p->top = last_top(p);
}

/* The cursor goes to the next line that stands for something. */
static void move_cursor(struct pane *p, int by) {
  int step = by < 0 ? -1 : 1;
  for (int left = by * step; left > 0; left--) {
    int k = (int)p->cursor + step;
    while (k >= 0 && k < (int)p->text.n && !p->text.line[k].tagged) k += step;
    if (k < 0 || k >= (int)p->text.n) break;
    p->cursor = (unsigned)k;
  }
  pane_reveal(p, p->cursor, step < 0 ? 0 : (unsigned)(pane_lines(p) > 0 ? pane_lines(p) - 1 : 0));
}

void pane_scroll(struct tui *t, unsigned id, int by) {
  struct pane *p = &t->pane[id];
  if (id == PANE_MEMORY) {
    t->memory += (u64)(s64)(by * 16);
    t->memory_text[0] = 0;
    fill_memory(t, p);
  } else if (p->has_cursor) {
    move_cursor(p, by);
  } else if (by < 0) {
    p->top = p->top > (unsigned)-by ? p->top - (unsigned)-by : 0;
  } else {
    p->top += (unsigned)by;
    if (p->top > last_top(p)) p->top = last_top(p);
  }
  p->scrolled = p->top < last_top(p);
}

/* ---- drawing ---- */

static void draw_title(const struct tui *t, unsigned id) {
  const struct pane *p = &t->pane[id];
  char text[512];
  bool focused = id == t->focus || id == t->zoom, more = last_top(p) > 0;
  unsigned n = (unsigned)snprintf(text, sizeof text, "%s%c%c", focused ? S_STRONG : S_TITLE, DRAW_H, focused ? '[' : ' ');
  if (id < 9) n += (unsigned)snprintf(text + n, sizeof text - n, "%u ", id + 1);
  n += (unsigned)snprintf(text + n, sizeof text - n, "%s%s%s%c", pane_names[id], *p->note ? ": " : "", p->note,
                          focused ? ']' : ' ');
  unsigned shown = n - 1; /* without the style */
  char where[32] = "";
  if (more && !p->has_cursor && id != PANE_MEMORY)
    snprintf(where, sizeof where, " %u-%u/%u ", p->top + 1, p->top + (unsigned)pane_lines(p), p->text.n);
  if (shown + strlen(where) + 2 > (unsigned)p->w) where[0] = 0;
  while (shown + strlen(where) + 1 < (unsigned)p->w && n + 40 < sizeof text) {
    text[n++] = DRAW_H;
    shown++;
  }
  snprintf(text + n, sizeof text - n, "%s%c", where, DRAW_H);
  tui_text_draw(text, p->y, p->x, p->w, STYLE_PLAIN);
}

static void draw_pane(const struct tui *t, unsigned id) {
  const struct pane *p = &t->pane[id];
  draw_title(t, id);
  for (int k = 0; k < pane_lines(p); k++) {
    unsigned n = p->top + (unsigned)k;
    if (n >= p->text.n) break;
    bool chosen = p->has_cursor && n == p->cursor && id == t->focus && !t->busy;
    tui_text_draw(p->text.line[n].text, p->y + 1 + k, p->x, p->w, chosen ? STYLE_HERE : STYLE_PLAIN);
  }
  for (int k = 0; p->x + p->w < t->cols && k < p->h; k++)
    tui_text_draw((const char[]){STYLE_DIM, k ? DRAW_V : DRAW_H, 0}, p->y + k, p->x + p->w, 1, STYLE_PLAIN);
}

static void state_words(const struct tui *t, char *buf, size_t n) {
  static const char *const words[] = {
      [STOP_NOTHING] = "at its start", [STOP_STEPPED] = "stopped", [STOP_POINT] = "stopped", [STOP_SIGNAL] = "signal",
      [STOP_INTERRUPTED] = "interrupted", [STOP_EXITED] = "exited", [STOP_KILLED] = "killed", [STOP_HALTED] = "halted",
      [STOP_SHUTDOWN] = "shutdown", [STOP_RESET] = "reset", [STOP_FAILED] = "cannot go on"};
  const struct stop *s = dbg_stop(t->d);
  if (t->busy) snprintf(buf, n, "RUNNING: Ctrl-C stops it");
  else if (s->why == STOP_EXITED) snprintf(buf, n, "exited, status %d", s->code);
  else if (s->why == STOP_POINT && s->point) snprintf(buf, n, "stopped by %u", s->point->number);
  else snprintf(buf, n, "%s", words[s->why]);
}

static void draw_status(const struct tui *t) {
  struct cpu *cpu = dbg_cpu(t->d);
  char text[512], state[64];
  state_words(t, state, sizeof state);
  if (t->busy) snprintf(text, sizeof text, " %.40s | %s", t->name, state);
  else
    snprintf(text, sizeof text, " %.40s | ring %u | %s | %s | %llu instructions", t->name, cpu->cpl,
             view_mode_name(cpu, NULL), state, (unsigned long long)dbg_icount(t->d));
  tui_text_draw(text, 0, 0, t->cols, STYLE_HERE);
  if (strlen(text) + 10 < (size_t)t->cols) tui_text_draw("F1 help ", 0, t->cols - 8, 8, STYLE_HERE);
}

void tui_draw(struct tui *t) {
  (void)erase();
  (void)curs_set(0);
  draw_status(t);
  for (unsigned k = 0; k < PANES; k++)
    if (pane_shown(t, k)) draw_pane(t, k);
  if (t->busy) output_draw_running(t);
  prompt_draw(t);
  (void)refresh();
}
