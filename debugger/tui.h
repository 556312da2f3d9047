/* The TUI: the session in panes on a terminal. It shows the session and sends it command lines; nothing else. */
#ifndef DEBUGGER_TUI_H
#define DEBUGGER_TUI_H

#include "debugger/session.h"

struct tui_io {
  FILE *in, *out; /* the terminal */
  int guard;    /* of tui_guard(), or -1 */
  int wake[2];  /* a pipe */
  int program;  /* the master of the pseudo-terminal that the target has for its standard input and output */
  void *opaque; /* of first() */
  /* Commands to do before the first key; false: the session is over. NULL: none. */
  bool (*first)(void *opaque, struct dbg *d);
};

/* A process that puts the terminal right should ours die without doing so: to be called before the target is loaded. The
 * descriptor to give to tui_run(); -1: there is none. tui_guard_end() when all is well. */
int tui_guard(int terminal);
void tui_guard_end(int guard);

/* All descriptors are the caller's, and where the target cannot reach them; reading `program` does not wait. Ends with
 * `quit`, or when the terminal is gone; then it is as it was. 0, or -1 and one line. */
MUST_CHECK int tui_run(struct dbg *d, const struct tui_io *io, char *err, size_t n);

#endif
