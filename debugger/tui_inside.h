/* The TUI's inside, for its own files. */
#ifndef DEBUGGER_TUI_INSIDE_H
#define DEBUGGER_TUI_INSIDE_H

#include <pthread.h>
#include <termios.h>

#include "debugger/dbg.h"
#include "debugger/tui.h"

/* ---- text: tui_text.c ---- */

/* Bytes below 20h in a line change the style of what follows, or are a drawn character. */
enum tui_style {
  STYLE_PLAIN = 1, STYLE_CHANGED, STYLE_DIM, STYLE_TITLE, STYLE_HERE, STYLE_GOOD, STYLE_BAD, STYLE_RING0, STYLE_RING3,
  STYLE_SOURCE, STYLE_STRONG, STYLES,
  DRAW_FIRST = 0x10,
  DRAW_H = DRAW_FIRST, DRAW_V, DRAW_UL, DRAW_UR, DRAW_LL, DRAW_LR, DRAW_RIGHT, DRAW_LEFT, DRAW_UP, DRAW_DOWN, DRAW_BLOB,
  DRAW_LAST = DRAW_BLOB,
};
#define S_PLAIN "\001"
#define S_CHANGED "\002"
#define S_DIM "\003"
#define S_TITLE "\004"
#define S_HERE "\005"
#define S_GOOD "\006"
#define S_BAD "\007"
#define S_SOURCE "\012"
#define S_STRONG "\013"

struct tui_line {
  char *text;
  u64 tag;     /* what the line stands for: an address, an entry's number */
  bool tagged;
};
struct tui_text {
  struct tui_line *line;
  unsigned n, room;
};

void tui_text_clear(struct tui_text *t);
/* Adds a line; without memory, none. */
struct tui_line *tui_text_add(struct tui_text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Adds foreign text, cut into lines at its ends and at `width`: its control characters are no styles. */
void tui_text_wrap(struct tui_text *t, const char *style, const char *s, unsigned width);
/* Forgets the first lines beyond `most`. */
void tui_text_limit(struct tui_text *t, unsigned most);
/* A copy of s that is safe within a line. */
const char *tui_text_safe(const char *s, char *buf, size_t n);
/* Draws a line into width columns, in a style to begin with. */
void tui_text_draw(const char *s, int y, int x, int width, unsigned style);
void tui_text_colours(void);

/* ---- panes: tui_layout.c ---- */

enum pane_id {
  PANE_CODE, PANE_REGISTERS, PANE_RINGS, PANE_SEGMENTS, PANE_STACK, PANE_LOG, PANE_MEMORY, PANE_OUTPUT, PANE_CONSOLE,
  PANE_HELP, PANES, PANE_NONE = PANES, SLOTS = 9
};

struct pane {
  struct tui_text text;
  int y, x, h, w;     /* with its title; h = 0: it is not shown */
  unsigned top;       /* the first line shown */
  unsigned cursor;    /* the chosen line, of code and of the log */
  bool has_cursor;
  bool scrolled;      /* of what grows: not at its end */
  char note[64];      /* in the title */
};

/* ---- the program's output: tui_output.c ---- */

enum { OUTPUT_LINES = 1024, OUTPUT_COLUMNS = 256 };
struct output {
  char line[OUTPUT_LINES][OUTPUT_COLUMNS]; /* a ring; the last one is being written */
  u64 lines;                               /* that were begun */
  unsigned column;
  enum { OUT_PLAIN, OUT_ESCAPE, OUT_CSI, OUT_OSC } state;
};

struct tui {
  struct dbg *d;
  struct tui_io io;
  char name[160];     /* the target's, without its folders */
  struct pane pane[PANES];
  u8 slot[SLOTS];     /* which pane is shown there, */
  u8 home[SLOTS];     /* and which belongs there */
  unsigned slots, layout;
  u8 focus, zoom;     /* zoom: the one that has the screen; PANE_NONE: none */
  int rows, cols;
  int in, out;        /* the terminal */
  struct termios idle, running;

  struct tui_text console; /* as it was written, before it is cut to the pane's width */
  unsigned answer;    /* its first line of the last answer, */
  unsigned answer_row; /* and where that is in the pane */
  struct output output;
  u64 output_told;    /* lines of it that are in the console */
  u64 memory;         /* the memory pane's address */
  char memory_text[128]; /* what it follows; "": memory stays */
  u8 memory_seen[1024];  /* its bytes at the last stop, */
  u64 memory_seen_at;    /* from this address */
  unsigned memory_seen_n;

  bool typing;        /* at the prompt, else keys are commands */
  bool asks_memory;   /* the prompt asks for the memory pane's address */
  bool control_x;     /* C-x was pressed */
  char line[1024], kept[1024], last[1024], hint[160];
  unsigned length, at;
  struct { char **line; unsigned n, at; void *h; char *path; } history;

  bool busy, over;
  /* While a command is at work a thread of ours has the screen: */
  pthread_t watcher;
  bool watching;
};

/* tui_layout.c */
extern const char *const pane_names[PANES];
void layout(struct tui *t);
bool pane_shown(const struct tui *t, unsigned id);
/* Shows a pane, and turns to it. */
void layout_show(struct tui *t, unsigned id);
void layout_next(struct tui *t, int by);
int pane_lines(const struct pane *p);  /* rows for text */
void pane_end(struct pane *p);         /* shows the last lines, unless it is scrolled */
void pane_scroll(struct tui *t, unsigned id, int by);
/* Makes line k visible, `above` rows below the top if it was not. */
void pane_reveal(struct pane *p, unsigned k, unsigned above);
void tui_draw(struct tui *t);

/* What the panes show: each fills its text for the width and height that the pane has. */
void fill_code(struct tui *t, struct pane *p);
void fill_registers(struct tui *t, struct pane *p);
void fill_segments(struct tui *t, struct pane *p);
void fill_rings(struct tui *t, struct pane *p);
void fill_log(struct tui *t, struct pane *p);
void fill_stack(struct tui *t, struct pane *p);
void fill_memory(struct tui *t, struct pane *p);
/* What it has now is what later bytes are compared with. */
void memory_remember(struct tui *t);
void fill_output(struct tui *t, struct pane *p);
void fill_console(struct tui *t, struct pane *p);
void fill_help(struct tui *t, struct pane *p);
/* All that are shown; stopped: the target has run. */
void tui_fill(struct tui *t, bool stopped);
/* "3 -> 0  syscall", "0 -> 0  #PF(0014h)" */
void transition_title(char *buf, size_t n, const struct transition *t);

/* tui_output.c */
void output_bytes(struct output *o, const char *bytes, size_t n);
const char *output_line(const struct output *o, u64 n); /* "" when it is gone */
bool output_drain(struct tui *t);
void output_watch(struct tui *t);
void output_unwatch(struct tui *t);
void output_draw_running(struct tui *t);

/* tui.c */
/* Does a command line. echo: it shows in the console. */
void tui_command(struct tui *t, const char *line, bool echo);
void tui_say(struct tui *t, const char *text);
/* Follows the terminal's size. True: it has changed. */
bool tui_resized(struct tui *t);

/* tui_keys.c, tui_prompt.c */
void tui_key(struct tui *t, int key);
void prompt_open(struct tui *t, const char *text);
void prompt_key(struct tui *t, int key);
void prompt_draw(struct tui *t);
void history_open(struct tui *t);
void history_close(struct tui *t);

#endif
