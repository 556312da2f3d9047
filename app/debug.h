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

#endif
