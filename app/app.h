/* The `ringwalk` command: subcommands, their common options, and how errors end. */
#ifndef APP_APP_H
#define APP_APP_H

#include <stdio.h>

#include "linux_abi/linux.h"
#include "msr/model.h"

/* Exit statuses that cannot be taken for the guest's: env(1) and qemu-user use the same range. */
enum {
  APP_FAILED = 125,    /* the emulator failed */
  APP_CANNOT_RUN = 126, /* the program cannot be run, or the command line is wrong */
  APP_NOT_FOUND = 127,
};

/* What `run`, `trace` and `info` have in common. */
struct app_options {
  struct cpu_model model;
  const char *argv0;     /* -0 */
  const char *output;    /* -o; NULL: standard error */
  char **env;            /* the guest's environment, NULL-terminated */
  bool stats;            /* --stats */
  bool transitions;      /* --transitions */
  bool insns;            /* --insns */
  bool json;             /* --json */
  const char *filter;    /* -e trace=...; NULL: all */
  const char *transition_filter; /* -e transitions=...; NULL: all */
};

/* One option of the table in options.c. */
struct app_option {
  const char *name, *arg, *help; /* arg NULL: takes none */
  int (*set)(struct app_options *o, const char *value);
  unsigned commands; /* APP_RUN, ... */
};
enum { APP_RUN = 1, APP_TRACE = 2, APP_INFO = 4 };

/* Reads options up to the first word that is none. Returns its index in argv, or -1 after printing one line. */
MUST_CHECK int app_parse(struct app_options *o, unsigned command, int argc, char **argv);
MUST_CHECK int app_options_init(struct app_options *o);
void app_options_free(struct app_options *o);
void app_options_help(unsigned command);

/* One line on standard error: "ringwalk: ...". */
void app_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* The subcommands: argv[0] is the subcommand's name. They return the exit status. */
int app_run(int argc, char **argv);
int app_trace(int argc, char **argv);
int app_info(int argc, char **argv);
int app_check(int argc, char **argv);

/* Registers, segments and control registers, several lines. */
void app_dump_state(FILE *f, struct cpu *cpu);

/* Runs the program to its end with these hooks, and turns its end into an exit status. */
struct app_listener {
  struct lx_hooks hooks;
  /* Called once the program is loaded, before its first instruction. */
  void (*ready)(void *opaque, struct linux_vm *lvm);
  /* Called at the end. */
  void (*done)(void *opaque, struct linux_vm *lvm, const struct lx_status *status);
};
int app_run_program(const struct app_options *o, char **argv, const struct app_listener *listener);

#endif
