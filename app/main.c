/* The `ringwalk` command: picks the subcommand. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "app/app.h"

#define RINGWALK_VERSION "0.1.0"

static const struct command {
  const char *name, *usage, *help;
  int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "[options] PROG [ARGS]", "run a static i386 or x86_64 Linux program", app_run},
    {"trace", "[options] PROG [ARGS]", "run it and print its system calls, or its ring changes", app_trace},
    {"check", "[options] FILE.vec...", "run conformance vectors", app_check},
    {"info", "opcodes | syscalls | msrs | cpus | cpuid", "list what is emulated", app_info},
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

int main(int argc, char **argv) {
  if (argc < 2) {
    usage(stderr);
    return APP_CANNOT_RUN;
  }
  const char *word = argv[1];
  if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "help")) {
    usage(stdout);
    return 0;
  }
  if (!strcmp(word, "--version")) {
    puts("ringwalk " RINGWALK_VERSION);
    return 0;
  }
  for (unsigned k = 0; k < ARRAY_SIZE(commands); k++) {
    if (strcmp(word, commands[k].name)) continue;
    for (int a = 2; a < argc && argv[a][0] == '-' && commands[k].run != app_check; a++)
      if (!strcmp(argv[a], "--help")) {
        printf("usage: ringwalk %s %s\n\n%s\n", commands[k].name, commands[k].usage, commands[k].help);
        app_options_help(commands[k].run == app_run     ? APP_RUN
                         : commands[k].run == app_trace ? APP_TRACE
                                                        : APP_INFO);
        return 0;
      }
    return commands[k].run(argc - 1, argv + 1);
  }
  app_error("'%s' is not a command; see ringwalk --help", word);
  return APP_CANNOT_RUN;
}
