/* The `ringwalk` command: subcommands, their common options, and how errors end. */
#ifndef APP_APP_H
#define APP_APP_H

#include <stdio.h>

#include "linux_abi/linux.h"
#include "msr/model.h"

/* Exit statuses that cannot be taken for the guest's: env(1) and qemu-user use the same range. */
enum {
  APP_FAILED = 125,    /* the emulator failed */
  APP_SIGNALED = 256,  /* + a signal: the program was killed by it, and so shall this process be */
  APP_CANNOT_RUN = 126, /* the program cannot be run, or the command line is wrong */
  APP_NOT_FOUND = 127,
};

#define APP_MEM_DEFAULT (UINT64_C(64) << 20)

/* What `run`, `trace`, `boot` and `info` have in common. */
struct app_options {
  struct cpu_model model;
  const char *argv0;     /* -0 */
  const char *output;    /* -o; NULL: standard error */
  char **env;            /* the guest's environment, NULL-terminated */
  bool stats;            /* --stats */
  bool transitions;      /* --transitions */
  bool explain;          /* --transitions=explain */
  bool coverage;         /* --coverage */
  bool insns;            /* --insns */
  bool json;             /* --json */
  const char *filter;    /* -e trace=...; NULL: all */
  const char *transition_filter; /* -e transitions=...; NULL: all */
  bool seeded;           /* -seed was given: */
  u64 seed;
  u64 mem;               /* --mem, bytes; APP_MEM_DEFAULT */
  const char *append;    /* --append; NULL: nothing */
  s64 at;                /* --at; -1: not given */
  u64 max_insns;         /* --max-insns; 0: no limit */
  bool multiboot;        /* --multiboot */
  bool boot;             /* --boot: PROG is an image for a machine */
  bool batch;            /* --batch */
  bool tui;              /* --tui */
  const char *gdb;       /* --gdb: a port, or the path of a socket; NULL: none */
  struct app_script { bool file; const char *text; } *script; /* -x and -ex, in their order */
  unsigned scripts;
};

/* One option of the table in options.c. */
struct app_option {
  const char *name, *arg, *help; /* arg NULL: takes none */
  int (*set)(struct app_options *o, const char *value);
  unsigned commands; /* APP_RUN, ... */
};
enum { APP_RUN = 1, APP_TRACE = 2, APP_INFO = 4, APP_BOOT = 8, APP_DEBUG = 16 };

/* Reads options up to the first word that is none. Returns its index in argv; -1 after printing one line; or 0, when
 * help was asked for and is printed. */
MUST_CHECK int app_parse(struct app_options *o, unsigned command, int argc, char **argv);
MUST_CHECK int app_options_init(struct app_options *o);
void app_options_free(struct app_options *o);
void app_options_help(unsigned command);
/* Usage and options of a command, to standard output. */
void app_help(const char *command);
/* For commands that print: is there a standard output? If not, 0 would be the number of the next file that is opened:
 * -1, and one line. */
MUST_CHECK int app_output_ready(void);
/* The exit status of a command that says `status`: APP_FAILED, and one line, if what it printed to standard output could
 * not all be written. If it printed nothing, the program may have closed the descriptor: that is its affair. */
int app_finish(int status);
/* A stream of the emulator's own, to a file (NULL: where standard error goes now), on a descriptor that the program
 * cannot reach, so that it may close and dup2() as it likes. NULL, and one line. app_close() ends it; -1, and one line,
 * if not everything could be written. */
MUST_CHECK FILE *app_open(const char *path);
MUST_CHECK int app_close(FILE *f, const char *path);
/* Standard output, likewise; line by line. NULL, and one line. */
MUST_CHECK FILE *app_open_output(void);

/* One line on standard error: "ringwalk: ...". */
void app_error(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* The subcommands: argv[0] is the subcommand's name. They return the exit status. */
int app_run(int argc, char **argv);
int app_trace(int argc, char **argv);
int app_boot(int argc, char **argv);
int app_debug(int argc, char **argv);
int app_info(int argc, char **argv);
int app_check(int argc, char **argv);

/* Registers, segments and control registers, several lines. */
void app_dump_state(FILE *f, struct cpu *cpu);

/* boot.c: the image that `name` means, as the options say, into img. 0, or the exit status after a message. */
struct boot_image;
MUST_CHECK int app_open_image(const struct app_options *o, const char *name, struct boot_image *img);

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
