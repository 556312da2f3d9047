/* The TUI's prompt: a line with history (the command line's own) and completion. editline(3). */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <histedit.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/command.h"
#include "debugger/tui_inside.h"

enum { HISTORY_LINES = 1000, CANDIDATES = 200 };
#define CTRL_KEY(c) ((c) & 0x1f)

/* ---- history ---- */

void history_open(struct tui *t) {
  HistEvent ev;
  const char *home = getenv("HOME");
  History *h = history_init();
  if (!h) return;
  t->history.h = h;
  history(h, &ev, H_SETSIZE, HISTORY_LINES);
  history(h, &ev, H_SETUNIQUE, 1);
  size_t n = home ? strlen(home) + 32 : 0;
  t->history.path = home && *home ? malloc(n) : NULL;
  if (!t->history.path) return;
  snprintf(t->history.path, n, "%s/.ringwalk_history", home);
  history(h, &ev, H_LOAD, t->history.path);
}

void history_close(struct tui *t) {
  HistEvent ev;
  if (!t->history.h) return;
  if (t->history.path) history(t->history.h, &ev, H_SAVE, t->history.path);
  history_end(t->history.h);
  free(t->history.path);
}

/* The n-th last line, from 1; NULL beyond. */
static const char *history_line(struct tui *t, unsigned n) {
  HistEvent ev;
  if (!t->history.h || !n || history(t->history.h, &ev, H_FIRST)) return NULL;
  while (--n)
    if (history(t->history.h, &ev, H_NEXT)) return NULL;
  return ev.str;
}

static void set_line(struct tui *t, const char *s) {
  snprintf(t->line, sizeof t->line, "%.*s", (int)strcspn(s, "\n"), s);
  t->length = t->at = (unsigned)strlen(t->line);
}

/* Older lines begin with what was typed before the first of them was asked for. */
static void recall(struct tui *t, int by) {
  if (!t->history.at) snprintf(t->kept, sizeof t->kept, "%s", t->line);
  for (unsigned n = t->history.at;;) {
    n += (unsigned)by;
    if (!n || (int)n < 0) {
      if (by < 0 && t->history.at) set_line(t, t->kept);
      t->history.at = by < 0 ? 0 : t->history.at;
      return;
    }
    const char *s = history_line(t, n);
    if (!s) return;
    if (strncmp(s, t->kept, strlen(t->kept))) continue;
    t->history.at = n;
    set_line(t, s);
    return;
  }
}

/* ---- completion ---- */

static void insert(struct tui *t, const char *s) {
  size_t n = strlen(s);
  if (t->length + n >= sizeof t->line) return;
  memmove(t->line + t->at + n, t->line + t->at, t->length - t->at + 1);
  memcpy(t->line + t->at, s, n);
  t->length += (unsigned)n;
  t->at += (unsigned)n;
}

/* As much as all candidates have in common; of none, which there are. */
static void complete(struct tui *t) {
  char line[1024], common[256] = "", list[160] = "";
  const char *w;
  unsigned count = 0;
  snprintf(line, sizeof line, "%.*s", (int)t->at, t->line);
  const char *start = line + strlen(line);
  while (start > line && !strchr(" \t*+-(=[,", start[-1])) start--;
  for (; count < CANDIDATES && (w = dbg_complete(t->d, line, count)) != NULL; count++) {
    size_t k = 0, n = strlen(list);
    if (!count) snprintf(common, sizeof common, "%s", w);
    while (common[k] && common[k] == w[k]) k++;
    common[k] = 0;
    snprintf(list + n, sizeof list - n, "%s%s", count ? " " : "", w);
  }
  if (!count) return;
  if (strlen(common) > strlen(start)) insert(t, common + strlen(start));
  else if (count > 1) tui_text_safe(list, t->hint, sizeof t->hint);
  if (count == 1) insert(t, " ");
}

/* ---- keys ---- */

void prompt_open(struct tui *t, const char *text) {
  t->typing = true;
  t->asks_memory = false;
  t->history.at = 0;
  t->hint[0] = 0;
  set_line(t, text);
}

static void close_prompt(struct tui *t) {
  t->typing = t->asks_memory = false;
  t->hint[0] = 0;
  set_line(t, "");
}

/* The panes have a few words of their own, as gdb's TUI has. True: it was one. */
static bool own_command(struct tui *t, const char *line) {
  static const struct { const char *word, *name; } focus[] = {
      {"regs", "registers"}, {"src", "code"}, {"asm", "code"}, {"cmd", "console"}};
  char word[32], rest[96] = "";
  if (sscanf(line, "%31s %95[^\n]", word, rest) < 1) return false;
  bool show = !strcmp(word, "focus") || !strcmp(word, "fs") || !strcmp(word, "layout");
  if (!strcmp(word, "memory") && *rest) {
    snprintf(t->memory_text, sizeof t->memory_text, "%s", rest);
    layout_show(t, PANE_MEMORY);
    tui_fill(t, false);
    return true;
  }
  if (!strcmp(word, "refresh")) {
    (void)clearok(curscr, TRUE);
    return true;
  }
  if (!show) return false;
  for (unsigned k = 0; k < ARRAY_SIZE(focus); k++)
    if (!strcmp(rest, focus[k].word)) snprintf(rest, sizeof rest, "%s", focus[k].name);
  for (unsigned k = 0; k < PANES && *rest; k++)
    if (!strncmp(pane_names[k], rest, strlen(rest))) {
      layout_show(t, k);
      tui_fill(t, false);
      return true;
    }
  tui_say(t, "ringwalk: focus code|registers|rings|segments|stack|transitions|memory|output|console");
  tui_fill(t, false);
  return true;
}

static void enter(struct tui *t) {
  char line[1024];
  HistEvent ev;
  bool empty = !*command_skip(t->line) && !dbg_collecting(t->d);
  snprintf(line, sizeof line, "%s", empty ? t->last : t->line);
  if (t->asks_memory) {
    close_prompt(t);
    if (empty) return;
    snprintf(t->memory_text, sizeof t->memory_text, "%.127s", line);
    layout_show(t, PANE_MEMORY);
    tui_fill(t, false);
    return;
  }
  if (!empty && t->history.h) history(t->history.h, &ev, H_ENTER, line);
  snprintf(t->last, sizeof t->last, "%s", dbg_repeats(line) ? line : "");
  prompt_open(t, "");
  if (!*command_skip(line) && !dbg_collecting(t->d)) return;
  if (!own_command(t, line)) tui_command(t, line, true);
}

static void erase_span(struct tui *t, unsigned from, unsigned to) {
  memmove(t->line + from, t->line + to, t->length - to + 1);
  t->length -= to - from;
  t->at = from;
}

static unsigned word_start(const struct tui *t) {
  unsigned k = t->at;
  while (k && t->line[k - 1] == ' ') k--;
  while (k && t->line[k - 1] != ' ') k--;
  return k;
}

void prompt_key(struct tui *t, int key) {
  t->hint[0] = 0;
  switch (key) {
    case 27: case CTRL_KEY('g'): close_prompt(t); break;
    case CTRL_KEY('c'): t->length ? prompt_open(t, "") : close_prompt(t); break;
    case '\r': case '\n': case KEY_ENTER: enter(t); break;
    case '\t': complete(t); break;
    case KEY_UP: case CTRL_KEY('p'): recall(t, 1); break;
    case KEY_DOWN: case CTRL_KEY('n'): recall(t, -1); break;
    case KEY_LEFT: case CTRL_KEY('b'): t->at -= t->at > 0; break;
    case KEY_RIGHT: case CTRL_KEY('f'): t->at += t->at < t->length; break;
    case KEY_HOME: case CTRL_KEY('a'): t->at = 0; break;
    case KEY_END: case CTRL_KEY('e'): t->at = t->length; break;
    case CTRL_KEY('u'): erase_span(t, 0, t->at); break;
    case CTRL_KEY('k'): t->line[t->length = t->at] = 0; break;
    case CTRL_KEY('w'): erase_span(t, word_start(t), t->at); break;
    case KEY_DC: if (t->at < t->length) erase_span(t, t->at, t->at + 1); break;
    case CTRL_KEY('d'):
      if (!t->length) tui_command(t, "quit", false);
      else if (t->at < t->length) erase_span(t, t->at, t->at + 1);
      break;
    case KEY_BACKSPACE: case 127: case CTRL_KEY('h'):
      if (t->at) erase_span(t, t->at - 1, t->at);
      else if (!t->length) close_prompt(t);
      break;
    default:
      if (key >= ' ' && key < 127) insert(t, (const char[]){(char)key, 0});
  }
}

void prompt_draw(struct tui *t) {
#define KEY(key) " " S_STRONG key S_PLAIN
  static const char keys[] = KEY("s") "tep" KEY("n") "ext" KEY("c") "ontinue" KEY("f") "inish" KEY("r") "ing" KEY("b") "reak"
      KEY("e") "xplain" KEY("w") "hy" KEY(":") "command" KEY("Tab") " panes" KEY("?") " help" KEY("q") "uit";
#undef KEY
  const char *prompt = t->asks_memory ? "memory at: " : dbg_collecting(t->d) ? "> " : "(ringwalk) ";
  int y = t->rows - 1, n = (int)strlen(prompt), room = t->cols - n - 1;
  if (t->busy) {
    tui_text_draw(S_DIM " what you type goes to the program; Ctrl-C stops it", y, 0, t->cols, STYLE_PLAIN);
    return;
  }
  if (!t->typing) {
    static const char more[] = " C-x: o other pane, s prompt or keys, 1 one pane, 2 all panes";
    tui_text_draw(t->control_x ? more : keys, y, 0, t->cols, STYLE_PLAIN);
    return;
  }
  unsigned from = room > 0 && (int)t->at > room ? t->at - (unsigned)room : 0;
  tui_text_draw(prompt, y, 0, n, STYLE_STRONG);
  tui_text_draw(t->line + from, y, n, t->cols - n, STYLE_PLAIN);
  int hint = n + (int)t->length + 3;
  if (t->hint[0]) tui_text_draw(t->hint, y, hint, t->cols - hint, STYLE_DIM);
  (void)move(y, n + (int)(t->at - from));
  (void)curs_set(1);
}
