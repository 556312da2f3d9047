/* A machine's serial port on standard input and output, its debug console on standard error. */
#ifndef APP_CONSOLE_H
#define APP_CONSOLE_H

#include "machine/machine.h"

struct console {
  unsigned asked; /* for input since the last output: then somebody waits, and wants to see what there is */
  bool eof;
};

/* c must outlive the machine. */
struct machine_console console_open(struct console *c);

#endif
