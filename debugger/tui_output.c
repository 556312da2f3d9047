/* The program's output in the TUI, also while it runs: a thread reads the pseudo-terminal, has the screen meanwhile, and
 * gives the program what is typed. man 7 pty. */
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "debugger/tui_inside.h"

enum { TAB = 8, FLASH_MS = 60 /* what is over sooner is not shown as running */, TYPING_MS = 500, TICK_MS = 50 };

/* ---- what a terminal would do with it, as far as lines go ---- */

static char *current(struct output *o) { return o->line[(o->lines - 1) % OUTPUT_LINES]; }

static void new_line(struct output *o) {
  o->lines++;
  o->column = 0;
  memset(current(o), 0, OUTPUT_COLUMNS);
}

static void put(struct output *o, char c) {
  if (!o->lines || o->column == OUTPUT_COLUMNS - 1) new_line(o);
  char *line = current(o);
  for (unsigned k = 0; k < o->column; k++)
    if (!line[k]) line[k] = ' ';
  line[o->column++] = c;
}

static void one_byte(struct output *o, unsigned char c) {
  if (o->state == OUT_ESCAPE) {
    o->state = c == '[' ? OUT_CSI : c == ']' ? OUT_OSC : OUT_PLAIN;
    return;
  }
  if (o->state != OUT_PLAIN) { /* a control sequence ends with a letter, a title with BEL or ST */
    if (o->state == OUT_CSI ? c >= 0x40 && c < 0x7f : c == 7 || c == '\\') o->state = OUT_PLAIN;
    return;
  }
  switch (c) {
    case 0x1b: o->state = OUT_ESCAPE; break;
    case '\n':
      if (!o->lines) new_line(o);
      new_line(o);
      break;
    case '\r': o->column = 0; break;
    case '\b': o->column -= o->column > 0; break;
    case '\t':
      do put(o, ' ');
      while (o->column % TAB);
      break;
    default:
      if (c >= 0x20) put(o, c < 0x7f ? (char)c : '?');
  }
}

void output_bytes(struct output *o, const char *bytes, size_t n) {
  for (size_t k = 0; k < n; k++) one_byte(o, (unsigned char)bytes[k]);
}

const char *output_line(const struct output *o, u64 n) {
  return n < o->lines && n + OUTPUT_LINES >= o->lines ? o->line[n % OUTPUT_LINES] : "";
}

/* Reads what is there. True: there was something. */
bool output_drain(struct tui *t) {
  char buf[4096];
  bool any = false;
  for (unsigned rounds = 0; rounds < 64; rounds++) {
    ssize_t n = read(t->io.program, buf, sizeof buf); /* it does not wait */
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    output_bytes(&t->output, buf, (size_t)n);
    any = true;
  }
  return any;
}

/* The last line if it is empty is one that is yet to come. */
static u64 lines_written(const struct output *o) {
  return o->lines && !o->line[(o->lines - 1) % OUTPUT_LINES][0] ? o->lines - 1 : o->lines;
}

void fill_output(struct tui *t, struct pane *p) {
  u64 n = lines_written(&t->output), first = n > OUTPUT_LINES - 1 ? n - (OUTPUT_LINES - 1) : 0;
  tui_text_clear(&p->text);
  for (u64 k = first; k < n; k++) {
    const char *line = output_line(&t->output, k);
    tui_text_wrap(&p->text, "", *line ? line : "\n", (unsigned)p->w);
  }
  pane_end(p);
  if (!p->text.n) tui_text_add(&p->text, S_DIM " (the program has written nothing)");
}

/* ---- while the target runs ---- */

/* Without its pane, output is shown where the console is. */
void output_draw_running(struct tui *t) {
  const struct pane *p = &t->pane[pane_shown(t, PANE_OUTPUT) ? PANE_OUTPUT : PANE_CONSOLE];
  int rows = pane_lines(p);
  u64 n = lines_written(&t->output), first = n > (u64)rows ? n - (u64)rows : 0;
  if (!n || (p == &t->pane[PANE_CONSOLE] && n == t->output_told)) return;
  for (int k = 0; k < rows; k++) {
    tui_text_draw("", p->y + 1 + k, p->x, p->w, STYLE_PLAIN);
    for (int c = 0; c < p->w; c++) (void)mvaddch(p->y + 1 + k, p->x + c, ' ');
    tui_text_draw(output_line(&t->output, first + (u64)k), p->y + 1 + k, p->x, p->w, STYLE_PLAIN);
  }
}

static u64 now_ms(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/* What is typed goes to the program, once it has run so long that it was not meant for us. */
static void pass_keys(struct tui *t) {
  char buf[256];
  ssize_t n = read(t->in, buf, sizeof buf);
  if (n <= 0) return;
  for (ssize_t at = 0, done; at < n; at += done) {
    done = write(t->io.program, buf + at, (size_t)(n - at));
    if (done <= 0) break;
  }
}

/* No memory is taken or given here, but for a new size of the terminal: the program may fork meanwhile. */
static void *watch(void *opaque) {
  struct tui *t = opaque;
  struct pollfd fds[3] = {{.fd = t->io.wake[0], .events = POLLIN}, {.fd = t->io.program, .events = POLLIN}, {.events = POLLIN}};
  u64 start = now_ms(), drawn = 0;
  bool fresh = true;
  for (;;) {
    u64 ran = now_ms() - start;
    fds[2].fd = ran >= TYPING_MS && !t->over ? t->in : -1;
    if (poll(fds, 3, TICK_MS) < 0 && errno != EINTR) return NULL;
    if (fds[0].revents) return NULL;
    if (output_drain(t)) fresh = true;
    if (fds[2].fd >= 0 && fds[2].revents & POLLIN) pass_keys(t);
    else if (fds[2].fd >= 0 && fds[2].revents) {
      t->over = true; /* the terminal is gone */
      dbg_interrupt(t->d);
    }
    ran = now_ms() - start;
    if (ran < FLASH_MS || ran - drawn < TICK_MS) continue;
    if (tui_resized(t)) fresh = true;
    if (!fresh) continue;
    t->busy = true;
    tui_draw(t);
    drawn = ran;
    fresh = false;
  }
}

void output_watch(struct tui *t) {
  sigset_t all, before;
  (void)tcsetattr(t->in, TCSANOW, &t->running);
  sigfillset(&all); /* the program's signals are the main thread's */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  t->watching = !pthread_create(&t->watcher, NULL, watch, t);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void output_unwatch(struct tui *t) {
  char byte = 0;
  ssize_t done;
  if (t->watching) {
    do done = write(t->io.wake[1], &byte, 1);
    while (done < 0 && errno == EINTR);
    pthread_join(t->watcher, NULL);
    do done = read(t->io.wake[0], &byte, 1);
    while (done < 0 && errno == EINTR);
  }
  t->watching = t->busy = false;
  (void)output_drain(t);
  (void)tcsetattr(t->in, TCSANOW, &t->idle);
}
