/* The TUI's keys, as in gdb's TUI (C-x o, C-x s, its single keys) and blink's, and its help screen. */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "debugger/tui_inside.h"

#define CTRL_KEY(c) ((c) & 0x1f)

/* A key that is a command line, and how the help has it. */
static const struct key_row {
  int key, also;
  const char *name, *line, *help;
} rows[] = {
    {'s', KEY_F(7), "s F7", "stepi", "one instruction, into calls and into rings"},
    {'n', KEY_F(8), "n F8", "nexti", "one instruction, over calls and system calls"},
    {'S', 0, "S", "step", "one source line, into functions"},
    {'N', 0, "N", "next", "one source line, over functions"},
    {'c', KEY_F(5), "c F5", "continue", "run on"},
    {'f', KEY_F(9), "f F9", "finish", "out of the frame; from an inner ring, back out of it"},
    {'r', KEY_F(6), "r F6", "ring", "run to the next change of ring"},
    {'e', KEY_F(4), "e F4", "explain", "the last transition, each check of it"},
    {'w', KEY_F(3), "w F3", "why", "why the last fault was raised"},
    {'t', 0, "t", "backtrace", "the frames, back through the rings"},
    {'u', 0, "u", "up", "a frame further out"},
    {'d', 0, "d", "down", "a frame further in"},
};

static const char *const help_text[] = {
    "b F2       set or clear a breakpoint at the chosen instruction",
    "G          run to the chosen instruction",
    "m          memory: another address, or an expression such as $rsi",
    ": /        type a command; so does any key that means nothing else",
    "Esc        from the prompt back to the keys (C-x s: there and back)",
    "Tab, C-x o the next pane; Shift-Tab the one before",
    "1 ... 9    that pane; in place of another if all do not fit",
    "z, C-x 1   the focused pane alone; again, or C-x 2: all",
    "arrows     scroll the focused pane; in code and transitions, choose",
    "PgUp PgDn  a page; Home End: to an end; . back to the program counter",
    "Enter      in transitions: explain the chosen one",
    "Ctrl-L     draw the screen anew",
    "q F10      quit",
    "",
    "At the prompt: every command ('help' lists them); Up and Down: history;",
    "Tab: completion; an empty line does the last one again.",
    "'focus PANE' and 'memory EXPR' as above.",
    "",
    "While the program runs: Ctrl-C stops it; other keys go to the program, which",
    "has a terminal of its own. What it writes is in pane 8, and in the console as",
    "long as that pane is hidden.",
    "",
    "* before a register or segment: it has changed. B: a breakpoint. >: the next",
    "instruction; ^: where the selected frame goes on.",
};

void fill_help(struct tui *t, struct pane *p) {
  (void)t;
  tui_text_clear(&p->text);
  snprintf(p->note, sizeof p->note, "Esc leaves it");
  for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
    tui_text_add(&p->text, "  " S_STRONG "%-10s " S_PLAIN "%-10s %s", rows[k].name, rows[k].line, rows[k].help);
  for (unsigned k = 0; k < ARRAY_SIZE(help_text); k++) tui_text_add(&p->text, "  %s", help_text[k]);
}

static void zoom(struct tui *t, unsigned id) {
  if (t->zoom == PANE_CONSOLE) t->pane[PANE_CONSOLE].scrolled = false;
  t->zoom = (u8)id;
  layout(t);
  tui_fill(t, false);
}

/* ---- the chosen line ---- */

static bool chosen(const struct tui *t, unsigned id, u64 *tag) {
  const struct pane *p = &t->pane[id];
  if (!pane_shown(t, id) || !p->has_cursor || p->cursor >= p->text.n || !p->text.line[p->cursor].tagged) return false;
  *tag = p->text.line[p->cursor].tag;
  return true;
}

static void command_at(struct tui *t, const char *command) {
  char line[64];
  u64 la = dbg_pc(t->d);
  (void)chosen(t, PANE_CODE, &la);
  snprintf(line, sizeof line, "%s *0x%" PRIx64, command, la);
  tui_command(t, line, false);
}

static void toggle_breakpoint(struct tui *t) {
  u64 la = dbg_pc(t->d);
  bool there = false;
  (void)chosen(t, PANE_CODE, &la);
  for (const struct point *p = dbg_points(t->d); p; p = p->next) there |= dbg_point_is_at(p, la);
  command_at(t, there ? "clear" : "break");
}

static void explain_chosen(struct tui *t) {
  char line[64];
  u64 number;
  if (!chosen(t, PANE_LOG, &number)) return;
  snprintf(line, sizeof line, "explain %" PRIu64, dbg_past_count(t->d) - number);
  tui_command(t, line, false);
}

/* ---- keys ---- */

static unsigned shown(const struct tui *t) { return t->zoom != PANE_NONE ? t->zoom : t->focus; }

static bool scroll_key(struct tui *t, int key, bool typing) {
  unsigned id = shown(t);
  int page = pane_lines(&t->pane[id]) - 1;
  switch (key) {
    case KEY_PPAGE: pane_scroll(t, id, page > 0 ? -page : -1); return true;
    case KEY_NPAGE: pane_scroll(t, id, page > 0 ? page : 1); return true;
    default: break;
  }
  if (typing) return false;
  switch (key) {
    case KEY_UP: case 'k': pane_scroll(t, id, -1); return true;
    case KEY_DOWN: case 'j': pane_scroll(t, id, 1); return true;
    case KEY_HOME: pane_scroll(t, id, -1000000); return true;
    case KEY_END: pane_scroll(t, id, 1000000); return true;
    default: return false;
  }
}

static void other_pane(struct tui *t, int by) {
  layout_next(t, by);
  tui_fill(t, false);
}

static void control_x_key(struct tui *t, int key) {
  t->control_x = false;
  switch (key) {
    case 'o': case CTRL_KEY('o'): other_pane(t, 1); break;
    case 's': t->typing = !t->typing; break;
    case '1': zoom(t, shown(t)); break;
    case '2': case 'a': case CTRL_KEY('a'): zoom(t, PANE_NONE); break;
    default: break;
  }
}

static void suspend(void) {
  (void)endwin();
  (void)raise(SIGTSTP);
  (void)refresh();
}

/* Those that mean the same at the prompt. */
static bool common_key(struct tui *t, int key) {
  switch (key) {
    case KEY_F(1): zoom(t, t->zoom == PANE_HELP ? PANE_NONE : PANE_HELP); return true;
    case KEY_F(2): toggle_breakpoint(t); return true;
    case KEY_F(10): tui_command(t, "quit", false); return true;
    case KEY_BTAB: other_pane(t, -1); return true;
    case CTRL_KEY('x'): t->control_x = true; return true;
    case CTRL_KEY('l'): (void)clearok(curscr, TRUE); return true;
    case CTRL_KEY('z'): suspend(); return true;
    default: break;
  }
  for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
    if (rows[k].also && key == rows[k].also) {
      tui_command(t, rows[k].line, false);
      return true;
    }
  return false;
}

static void back_to_pc(struct tui *t) {
  t->pane[PANE_CODE].has_cursor = false;
  if (t->zoom != PANE_NONE) zoom(t, PANE_NONE);
  else tui_fill(t, false);
}

static void single_key(struct tui *t, int key) {
  for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
    if (key == rows[k].key) {
      tui_command(t, rows[k].line, false);
      return;
    }
  if (key >= '1' && key <= '9') {
    layout_show(t, (unsigned)(key - '1'));
    tui_fill(t, false);
    return;
  }
  switch (key) {
    case '?': case 'h': zoom(t, t->zoom == PANE_HELP ? PANE_NONE : PANE_HELP); break;
    case 27: case ' ': case CTRL_KEY('c'): case CTRL_KEY('g'): if (t->zoom != PANE_NONE) zoom(t, PANE_NONE); break;
    case 'z': zoom(t, t->zoom == PANE_NONE ? t->focus : PANE_NONE); break;
    case '\t': other_pane(t, 1); break;
    case 'b': toggle_breakpoint(t); break;
    case 'G': command_at(t, "advance"); break;
    case 'm': prompt_open(t, ""); t->asks_memory = true; break;
    case '.': back_to_pc(t); break;
    case ':': case '/': prompt_open(t, ""); break;
    case 'q': tui_command(t, "quit", false); break;
    case '\r': case '\n': case KEY_ENTER:
      if (shown(t) == PANE_LOG) explain_chosen(t);
      else if (t->zoom == PANE_CONSOLE || t->zoom == PANE_HELP) zoom(t, PANE_NONE);
      else prompt_open(t, "");
      break;
    default:
      if (key > ' ' && key < 127) prompt_open(t, (const char[]){(char)key, 0});
  }
}

void tui_key(struct tui *t, int key) {
  if (t->control_x) control_x_key(t, key);
  else if (common_key(t, key) || scroll_key(t, key, t->typing)) return;
  else if (!t->typing) single_key(t, key);
  else if (key == 27 && t->zoom != PANE_NONE && !t->length) zoom(t, PANE_NONE), prompt_key(t, key);
  else if (key == '\t' && !t->length) other_pane(t, 1);
  else prompt_key(t, key);
}
