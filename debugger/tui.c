/* The TUI: its beginning and end, its loop, and how a command line is done. ncurses(3). */
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "debugger/command.h"
#include "debugger/tui_inside.h"

enum { CONSOLE_LINES = 3000, ESCAPE_MS = 25, LOOK_MS = 100 /* for a new size */, BRIEF = 4 /* rows of an answer */ };

/* ---- what the panes show ---- */

void tui_fill(struct tui *t, bool stopped) {
  static void (*const fill[PANES])(struct tui *, struct pane *) = {
      fill_code, fill_registers, fill_rings, fill_segments, fill_stack,
      fill_log, fill_memory, fill_output, fill_console, fill_help};
  for (unsigned k = 0; k < PANES; k++) {
    struct pane *p = &t->pane[k];
    if (!pane_shown(t, k)) continue;
    if (stopped && k != PANE_CONSOLE && k != PANE_OUTPUT) p->top = 0, p->has_cursor = false;
    fill[k](t, p);
    pane_reveal(p, p->top, 0);
  }
}

void fill_console(struct tui *t, struct pane *p) {
  tui_text_clear(&p->text);
  t->answer_row = 0;
  for (unsigned k = 0; k < t->console.n; k++) {
    if (k == t->answer) t->answer_row = p->text.n;
    const char *s = t->console.line[k].text;
    char style[2] = {s[0], 0};
    tui_text_wrap(&p->text, style, s[1] ? s + 1 : "\n", (unsigned)p->w);
  }
  pane_end(p);
}

static void say(struct tui *t, const char *style, const char *text) {
  while (*text) {
    size_t n = strcspn(text, "\n");
    tui_text_add(&t->console, "%s%.*s", style, (int)n, text);
    text += n + (text[n] == '\n');
  }
}

void tui_say(struct tui *t, const char *text) { say(t, S_PLAIN, text); }

/* What the program has written since, for those who do not see its pane. */
static void tell_output(struct tui *t) {
  u64 n = t->output.lines;
  if (n && (dbg_alive(t->d) || !output_line(&t->output, n - 1)[0])) n--; /* it is being written */
  if (n > t->output_told + 200) t->output_told = n - 200;
  if (!pane_shown(t, PANE_OUTPUT))
    for (u64 k = t->output_told; k < n; k++) tui_text_add(&t->console, S_SOURCE "| %s", output_line(&t->output, k));
  t->output_told = n;
}

/* ---- commands ---- */

static bool resumes(const char *line) {
  char err[160];
  size_t n = strcspn(line, " \t/");
  const struct command *c = n ? command_find(line, n, err, sizeof err) : NULL;
  return c && c->flags & COMMAND_RESUMES;
}

/* An answer is shown from its beginning; a long one has the screen until the next key that is for something else. */
static void show_answer(struct tui *t, bool may_zoom) {
  struct pane *p = &t->pane[PANE_CONSOLE];
  unsigned rows = (unsigned)pane_lines(p);
  fill_console(t, p);
  if (p->text.n - t->answer_row <= rows) return;
  if (may_zoom && (p->text.n - t->answer_row > BRIEF || !rows)) {
    t->zoom = PANE_CONSOLE;
    layout(t);
    fill_console(t, p);
  }
  p->top = t->answer_row;
  p->scrolled = true;
  pane_end(p);
}

static void told(struct tui *t, const char *line, const char *text, bool echo) {
  char shown[1100];
  unsigned had = t->console.n;
  if (echo) {
    snprintf(shown, sizeof shown, "(ringwalk) %s", line);
    say(t, S_STRONG, shown);
  }
  tell_output(t);
  if (resumes(line)) had = t->console.n;
  say(t, S_PLAIN, text);
  unsigned gone = t->console.n > CONSOLE_LINES ? t->console.n - CONSOLE_LINES : 0;
  tui_text_limit(&t->console, CONSOLE_LINES);
  t->answer = had > gone ? had - gone : 0;
  t->pane[PANE_CONSOLE].scrolled = false;
  t->zoom = PANE_NONE;
  layout(t);
  if (*text) show_answer(t, !resumes(line));
}

/* A command's words, captured; the target's output is read meanwhile. */
static bool captured(struct tui *t, bool (*run)(struct tui *t, const char *line), const char *line, char **text) {
  struct out *o = dbg_out(t->d);
  FILE *before = out_file(o);
  size_t n;
  *text = NULL;
  FILE *f = open_memstream(text, &n);
  if (!f) return true;
  out_set_file(o, f);
  output_watch(t);
  bool go_on = run(t, line);
  output_unwatch(t);
  out_set_file(o, before);
  (void)fclose(f);
  return go_on;
}

static bool run_line(struct tui *t, const char *line) { return dbg_command(t->d, line); }
static bool run_first(struct tui *t, const char *line) {
  (void)line;
  dbg_tell_stop(t->d);
  return !t->io.first || t->io.first(t->io.opaque, t->d);
}

void tui_command(struct tui *t, const char *line, bool echo) {
  char *text;
  if (resumes(line)) memory_remember(t);
  u64 before = dbg_icount(t->d), past = dbg_past_count(t->d);
  unsigned frame = dbg_selected(t->d);
  if (!captured(t, run_line, line, &text)) t->over = true;
  (void)tui_resized(t);
  told(t, line, text ? text : "ringwalk: out of memory\n", echo);
  free(text);
  bool moved = resumes(line) || dbg_icount(t->d) != before || dbg_past_count(t->d) != past;
  if (dbg_selected(t->d) != frame) t->pane[PANE_CODE].has_cursor = false;
  tui_fill(t, moved);
}

/* ---- the terminal ---- */

bool tui_resized(struct tui *t) {
  struct winsize w;
  if (ioctl(t->out, TIOCGWINSZ, &w) || !w.ws_row || !w.ws_col) return false;
  if (w.ws_row == t->rows && w.ws_col == t->cols) return false;
  t->rows = w.ws_row;
  t->cols = w.ws_col;
  (void)resizeterm(t->rows, t->cols);
  (void)clearok(curscr, TRUE);
  layout(t);
  const struct pane *p = &t->pane[PANE_OUTPUT];
  bool shown = pane_shown(t, PANE_OUTPUT);
  struct winsize theirs = {.ws_row = (u16)(shown ? pane_lines(p) : 24), .ws_col = (u16)(shown ? p->w : t->cols)};
  (void)ioctl(t->io.program, TIOCSWINSZ, &theirs);
  return true;
}

static void keys(struct tui *t) {
  int key;
  while (!t->over && (key = getch()) != ERR)
    if (key != KEY_RESIZE) tui_key(t, key);
}

static void loop(struct tui *t) {
  while (!t->over) {
    struct pollfd fds[2] = {{.fd = t->in, .events = POLLIN}, {.fd = t->io.program, .events = POLLIN}};
    tui_draw(t);
    bool again = false;
    while (!again) {
      int n = poll(fds, 2, LOOK_MS);
      if (tui_resized(t)) {
        tui_fill(t, false);
        again = true;
      }
      if (n <= 0) continue;
      if (fds[1].revents & POLLIN && output_drain(t)) {
        tui_fill(t, false);
        again = true;
      }
      if (fds[0].revents & POLLIN) {
        keys(t);
        again = true;
      }
      if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) t->over = again = true;
    }
  }
}

/* No keys that signal while we read them; Ctrl-C alone while the target runs. */
static void terminal_modes(struct tui *t) {
  (void)raw();
  (void)noecho();
  (void)nonl();
  (void)keypad(stdscr, TRUE);
  (void)nodelay(stdscr, TRUE);
  (void)tcgetattr(t->in, &t->idle);
  t->running = t->idle;
  t->running.c_lflag |= ISIG;
  for (unsigned k = 0; k < NCCS; k++)
    if (k == VQUIT || k == VSUSP) t->running.c_cc[k] = _POSIX_VDISABLE;
  (void)def_prog_mode();
}

static void begin(struct tui *t) {
  const char *path = dbg_target(t->d)->name, *base = path ? strrchr(path, '/') : NULL;
  tui_text_safe(base ? base + 1 : path ? path : "?", t->name, sizeof t->name);
  t->zoom = PANE_NONE;
  snprintf(t->memory_text, sizeof t->memory_text, "%s", "$rsp");
  (void)set_escdelay(ESCAPE_MS);
  terminal_modes(t);
  tui_text_colours();
  (void)tui_resized(t);
  history_open(t);
}

static void end(struct tui *t) {
  history_close(t);
  tui_text_clear(&t->console);
  for (unsigned k = 0; k < PANES; k++) tui_text_clear(&t->pane[k].text);
  free(t);
}

int tui_run(struct dbg *d, const struct tui_io *io, char *err, size_t n) {
  struct tui *t = calloc(1, sizeof *t);
  (void)setlocale(LC_CTYPE, "");
  SCREEN *screen = t ? newterm(NULL, io->out, io->in) : NULL;
  int bad = 0;
  if (screen) {
    char *text;
    t->d = d;
    t->io = *io;
    t->in = fileno(io->in);
    t->out = fileno(io->out);
    begin(t);
    if (!captured(t, run_first, "", &text)) t->over = true;
    told(t, "", text ? text : "", false);
    free(text);
    t->zoom = PANE_NONE;
    t->pane[PANE_CONSOLE].scrolled = false;
    layout(t);
    tui_fill(t, true);
    loop(t);
    (void)endwin();
    delscreen(screen);
    end(t);
  } else {
    const char *term = getenv("TERM");
    bad = -1;
    if (t) snprintf(err, n, "this terminal is not known: TERM is %s", term ? term : "not set");
    else snprintf(err, n, "out of memory");
    free(t);
  }
  return bad;
}
