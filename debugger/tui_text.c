/* The TUI's lines: text with styles inside, and how it gets to the screen. curs_add_wch(3). */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/tui_inside.h"

enum { LINE_MAX_BYTES = 1024, TAB = 8 };

void tui_text_clear(struct tui_text *t) {
  for (unsigned k = 0; k < t->n; k++) free(t->line[k].text);
  free(t->line);
  *t = (struct tui_text){0};
}

static struct tui_line *add(struct tui_text *t, const char *s) {
  if (t->n == t->room) {
    unsigned room = t->room ? 2 * t->room : 32;
    struct tui_line *more = realloc(t->line, room * sizeof *more);
    if (!more) return NULL;
    t->line = more;
    t->room = room;
  }
  char *copy = strdup(s);
  if (!copy) return NULL;
  t->line[t->n] = (struct tui_line){.text = copy};
  return &t->line[t->n++];
}

struct tui_line *tui_text_add(struct tui_text *t, const char *fmt, ...) {
  char buf[LINE_MAX_BYTES];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(buf, sizeof buf, fmt, ap);
  va_end(ap);
  return add(t, buf);
}

const char *tui_text_safe(const char *s, char *buf, size_t n) {
  size_t k = 0;
  for (; *s && k + 1 < n; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '\t')
      do buf[k++] = ' ';
      while (k % TAB && k + 1 < n);
    else
      buf[k++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
  }
  buf[k] = 0;
  return buf;
}

/* Where a line of at most `width` characters ends: behind a blank, if there is one not too far back. */
static size_t cut_at(const char *s, size_t n, size_t width) {
  if (n <= width) return n;
  for (size_t k = width; k > width * 2 / 3; k--)
    if (s[k - 1] == ' ') return k;
  return width;
}

/* One line; its further rows are indented as it is, and a little more. */
static void wrap_line(struct tui_text *t, const char *style, const char *safe, unsigned width) {
  char row[LINE_MAX_BYTES];
  size_t n = strlen(safe), indent = strspn(safe, " ") + 2, at = 0;
  if (indent > width / 3) indent = 0;
  do {
    size_t in = at ? indent : 0, part = cut_at(safe + at, n - at, width - in);
    snprintf(row, sizeof row, "%s%*s%.*s", style, (int)in, "", (int)part, safe + at);
    if (!add(t, row)) return;
    at += part;
  } while (at < n);
}

void tui_text_wrap(struct tui_text *t, const char *style, const char *s, unsigned width) {
  char part[LINE_MAX_BYTES], safe[LINE_MAX_BYTES];
  if (width < 8) width = 8;
  if (width > LINE_MAX_BYTES / 2) width = LINE_MAX_BYTES / 2;
  while (*s) {
    size_t n = strcspn(s, "\n");
    snprintf(part, sizeof part, "%.*s", (int)(n < sizeof part ? n : sizeof part - 1), s);
    wrap_line(t, style, tui_text_safe(part, safe, sizeof safe), width);
    s += n + (s[n] == '\n');
  }
}

void tui_text_limit(struct tui_text *t, unsigned most) {
  if (t->n <= most) return;
  unsigned gone = t->n - most;
  for (unsigned k = 0; k < gone; k++) free(t->line[k].text);
  memmove(t->line, t->line + gone, most * sizeof *t->line);
  t->n = most;
}

/* ---- on the screen ---- */

static const struct { short colour; attr_t attr, mono; } styles[STYLES] = {
    [STYLE_CHANGED] = {COLOR_YELLOW, A_BOLD, A_BOLD}, [STYLE_DIM] = {COLOR_WHITE, A_DIM, A_DIM},
    [STYLE_TITLE] = {COLOR_CYAN, 0, 0},               [STYLE_HERE] = {COLOR_WHITE, A_REVERSE, A_REVERSE},
    [STYLE_GOOD] = {COLOR_GREEN, 0, 0},               [STYLE_BAD] = {COLOR_RED, A_BOLD, A_BOLD},
    [STYLE_RING0] = {COLOR_RED, A_BOLD, A_BOLD},      [STYLE_RING3] = {COLOR_GREEN, A_BOLD, A_BOLD},
    [STYLE_SOURCE] = {COLOR_CYAN, 0, A_DIM},          [STYLE_STRONG] = {COLOR_WHITE, A_BOLD, A_BOLD},
};

void tui_text_colours(void) {
  if (!has_colors()) return;
  start_color();
  use_default_colors();
  for (short k = STYLE_CHANGED; k < STYLES; k++) init_pair(k, styles[k].colour == COLOR_WHITE ? -1 : styles[k].colour, -1);
}

static void put_drawn(unsigned c) {
  const cchar_t *const drawn[] = {
      WACS_HLINE, WACS_VLINE, WACS_ULCORNER, WACS_URCORNER, WACS_LLCORNER, WACS_LRCORNER,
      WACS_RARROW, WACS_LARROW, WACS_UARROW, WACS_DARROW, WACS_BULLET};
  (void)add_wch(drawn[c - DRAW_FIRST]);
}

static void use_style(unsigned style, unsigned base) {
  bool here = base == STYLE_HERE || style == STYLE_HERE;
  unsigned s = style == STYLE_PLAIN || style >= STYLES ? base : style;
  attr_t a = has_colors() ? styles[s].attr : styles[s].mono;
  short pair = has_colors() && s != STYLE_PLAIN ? (short)s : 0;
  if (here) a |= A_REVERSE;
  (void)attr_set(a, pair, NULL);
}

void tui_text_draw(const char *s, int y, int x, int width, unsigned style) {
  int column = 0;
  if (width <= 0) return;
  use_style(style, style);
  (void)move(y, x);
  for (; *s && column < width; s++) {
    unsigned char c = (unsigned char)*s;
    if (c < DRAW_FIRST) {
      use_style(c, style);
      continue;
    }
    if (c <= DRAW_LAST) put_drawn(c);
    else (void)addch(c >= 0x20 && c < 0x7f ? c : '?');
    column++;
  }
  if (style == STYLE_HERE || style == STYLE_TITLE) {
    use_style(style, style);
    while (column++ < width) (void)addch(' ');
  }
  (void)attr_set(A_NORMAL, 0, NULL);
}
