/* The `ringwalk` command: picks the subcommand. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "app/app.h"

#define RINGWALK_VERSION "0.1.0"

static const struct command {
  const char *name, *usage, *help;
  int (*run)(int argc, char **argv);
  unsigned options; /* APP_RUN, ...; 0: it has its own */
} commands[] = {
    {"run", "[options] PROG [ARGS]", "run a static i386 or x86_64 Linux program", app_run, APP_RUN},
    {"trace", "[options] PROG [ARGS]", "run it and print its system calls, or its ring changes", app_trace,
     APP_TRACE},
    {"boot", "[options] IMAGE", "boot a flat real-mode image or a multiboot kernel on a bare machine", app_boot,
     APP_BOOT},
    {"debug", "[options] PROG [ARGS] | --boot IMAGE", "step across its ring changes, one check at a time", app_debug,
     APP_DEBUG},
    {"check", "[options] FILE.vec...", "run conformance vectors", app_check, 0},
    {"info", "opcodes | syscalls | msrs | cpus | cpuid", "list what is emulated", app_info, APP_INFO},
};

void app_error(const char *fmt, ...) {
  va_list ap;
  fputs("ringwalk: ", stderr);
  va_start(ap, fmt);
  vfprintf(stderr, fmt, ap);
  va_end(ap);
  fputc('\n', stderr);
}

static void usage(FILE *out) {
  fputs("ringwalk: an x86 emulator for the privilege transition\n\nusage:\n", out);
  for (unsigned k = 0; k < ARRAY_SIZE(commands); k++)
    fprintf(out, "  ringwalk %-6s %-42s %s\n", commands[k].name, commands[k].usage, commands[k].help);
  fputs(
      "  ringwalk COMMAND --help                          the command's options\n"
      "  ringwalk --version\n\n"
      "exit status: the program's own, 128 + signal if one killed it; 125 the emulator failed, 126 the "
      "program\n"
      "cannot be run or the command line is wrong, 127 the program was not found\n",
      out);
}

/* Whoever waits for the program sees by which signal it died: a shell ends its loop on Ctrl-C. No core file of the
 * emulator. */
static int die_of(int signo) {
  static const struct rlimit no_core;
  sigset_t set;
  (void)fflush(NULL);
  (void)setrlimit(RLIMIT_CORE, &no_core);
  (void)signal(signo, SIG_DFL);
  (void)sigemptyset(&set);
  (void)sigaddset(&set, signo);
  (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
  (void)raise(signo);
  return 128 + signo;
}

void app_help(const char *command) {
  for (unsigned k = 0; k < ARRAY_SIZE(commands); k++) {
    const struct command *c = &commands[k];
    if (strcmp(c->name, command) != 0) continue;
    printf("usage: ringwalk %s %s\n\n%s\n", c->name, c->usage, c->help);
    app_options_help(c->options);
  }
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c) {
  return !strcmp(word, a) || !strcmp(word, b) || !strcmp(word, c);
}

static int run_command(int argc, char **argv) {
  for (unsigned k = 0; k < ARRAY_SIZE(commands); k++)
    if (!strcmp(argv[0], commands[k].name)) return commands[k].run(argc, argv);
  app_error("'%s' is not a command; see ringwalk --help", argv[0]);
  return APP_CANNOT_RUN;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    usage(stderr);
    return APP_CANNOT_RUN;
  }
  bool help = is_one_of(argv[1], "--help", "-h", "help");
  if (!help && !is_one_of(argv[1], "--version", "-V", "version")) {
    int status = app_finish(run_command(argc - 1, argv + 1));
    return status >= APP_SIGNALED ? die_of(status - APP_SIGNALED) : status;
  }
  if (argc > 2) {
    app_error("%s takes no argument, but '%s' is given", argv[1], argv[2]);
    return APP_CANNOT_RUN;
  }
  if (app_output_ready()) return APP_FAILED;
  if (help) usage(stdout);
  else puts("ringwalk " RINGWALK_VERSION);
  return app_finish(0);
}
