/* The command line: a prompt with history and completion on a terminal, lines from standard input otherwise. */
#ifndef DEBUGGER_CLI_H
#define DEBUGGER_CLI_H

#include "debugger/session.h"

/* Commands from standard input until `quit` or its end. out: where the prompt is written. */
void cli_run(struct dbg *d, FILE *out);
/* One script: a file of commands. False: the session is over; *failed: it cannot be read, errno says why. */
bool cli_source(struct dbg *d, const char *path, bool *failed);

#endif
