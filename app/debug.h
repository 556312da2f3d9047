/* What `ringwalk debug` gives the debugger: a Linux program or a machine as its target. */
#ifndef APP_DEBUG_H
#define APP_DEBUG_H

#include "app/app.h"
#include "debugger/session.h"

struct debug_program;
struct debug_machine;

/* A program, loaded and stopped at its first instruction. 0, or the exit status after a message. */
MUST_CHECK int debug_program_open(const struct app_options *o, char **argv, struct debug_program **out, struct dbg_target *t);
void debug_program_close(struct debug_program *p);
/* A machine at its reset state, or where its image starts. */
MUST_CHECK int debug_machine_open(const struct app_options *o, const char *image, struct debug_machine **out,
                                  struct dbg_target *t);
void debug_machine_close(struct debug_machine *m);

/* gdb.c: --gdb PORT, a path with a '/', or '-'. For '-' standard input and output become gdb's, in stdio, and the program
 * gets /dev/null and standard error for them: before it is loaded. 0, or -1 after a message. */
MUST_CHECK int debug_gdb_prepare(const char *where, int stdio[2]);
/* Serves gdb until the program has ended. The exit status. */
int debug_gdb_serve(struct dbg *d, const char *where, const int stdio[2]);

/* tui.c: --tui. The terminal becomes the debugger's, and standard input, output and error a pseudo-terminal for the target:
 * before that is loaded. NULL after a message. */
struct debug_tui;
MUST_CHECK struct debug_tui *debug_tui_prepare(void);
/* Shows the session until it is over; first: commands to begin with, false: it is over. 0, or -1 after a message. */
int debug_tui_serve(struct dbg *d, struct debug_tui *t, bool (*first)(void *opaque, struct dbg *d), void *opaque);
/* The standard descriptors are as they were. */
void debug_tui_end(struct debug_tui *t);

#endif
