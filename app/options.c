/* Options as people know them from qemu-user and strace: one table for the parser and the help. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"

extern char **environ;

static int set_cpu(struct app_options *o, const char *v) {
  char err[256];
  if (!model_parse(v, &o->model, err, sizeof err)) return 0;
  app_error("-cpu: %s", err);
  return -1;
}
static int set_vendor(struct app_options *o, const char *v) {
  char err[256];
  if (!model_for_vendor(&o->model, v, err, sizeof err)) return 0;
  app_error("--vendor: %s", err);
  return -1;
}
static int set_argv0(struct app_options *o, const char *v) {
  o->argv0 = v;
  return 0;
}
static int set_output(struct app_options *o, const char *v) {
  o->output = v;
  return 0;
}
static int set_filter(struct app_options *o, const char *v) {
  const char *is = strchr(v, '=');
  if (!is || !strncmp(v, "trace=", 6) || !strncmp(v, "t=", 2)) {
    o->filter = is ? is + 1 : v;
    return 0;
  }
  if (!strncmp(v, "transitions=", 12)) {
    o->transition_filter = v + 12;
    o->transitions = true;
    return 0;
  }
  app_error("-e %s: only -e trace=NAMES and -e transitions=KINDS are known; see ringwalk trace --help", v);
  return -1;
}

/* Sets or replaces VAR=VALUE in the guest's environment. */
static int set_env(struct app_options *o, const char *v) {
  const char *eq = strchr(v, '=');
  size_t n = 0, key = eq && eq > v ? (size_t)(eq - v) + 1 : 0;
  if (!key) {
    app_error("-E %s: not VAR=VALUE", v);
    return -1;
  }
  while (o->env[n] && strncmp(o->env[n], v, key)) n++;
  if (!o->env[n]) {
    char **more = realloc(o->env, (n + 2) * sizeof *more);
    if (!more) return -1;
    o->env = more;
    o->env[n + 1] = NULL;
  }
  o->env[n] = (char *)(uintptr_t)v;
  return 0;
}
static int unset_env(struct app_options *o, const char *v) {
  size_t n = 0, key = strlen(v), to = 0;
  for (; o->env[n]; n++)
    if (strncmp(o->env[n], v, key) || o->env[n][key] != '=') o->env[to++] = o->env[n];
  o->env[to] = NULL;
  return 0;
}
#define FLAG(field)                                                   \
  static int set_##field(struct app_options *o, const char *v) {      \
    (void)v;                                                          \
    o->field = true;                                                  \
    return 0;                                                         \
  }
FLAG(stats)
FLAG(transitions)
static int set_explain(struct app_options *o, const char *v) {
  (void)v;
  o->transitions = o->explain = true;
  return 0;
}
FLAG(insns)
FLAG(coverage)
FLAG(json)

FLAG(multiboot)
FLAG(boot)
FLAG(batch)
FLAG(tui)
static int set_gdb(struct app_options *o, const char *v) {
  o->gdb = v;
  return 0;
}
static int add_script(struct app_options *o, const char *v, bool file) {
  struct app_script *more = realloc(o->script, (o->scripts + 1) * sizeof *more);
  if (!more) {
    app_error("out of memory");
    return -1;
  }
  o->script = more;
  more[o->scripts++] = (struct app_script){file, v};
  return 0;
}
static int set_script(struct app_options *o, const char *v) { return add_script(o, v, true); }
static int set_command(struct app_options *o, const char *v) { return add_script(o, v, false); }

/* A whole number in this base, with nothing behind it but what *end then points to. */
static bool number(const char *v, int base, u64 *out, char **end) {
  errno = 0;
  *out = strtoull(v, end, base);
  return *end != v && !errno && strchr("0123456789abcdefABCDEF", *v);
}
static int set_seed(struct app_options *o, const char *v) {
  char *end;
  o->seeded = true;
  if (number(v, 0, &o->seed, &end) && !*end) return 0;
  app_error("-seed %s: not a number of 64 bits", v);
  return -1;
}
static int set_mem(struct app_options *o, const char *v) {
  static const char units[] = "KMG";
  char *end;
  u64 n;
  bool good = number(v, 10, &n, &end) && n < 1 << 20;
  const char *unit = good && *end ? strchr(units, *end & ~0x20) : &units[1];
  if (!good || !unit || (*end && end[1])) {
    app_error("--mem %s: not a size such as 64, 512K, 64M or 1G", v);
    return -1;
  }
  o->mem = n << 10 * (1 + (unit - units));
  return 0;
}
static int set_append(struct app_options *o, const char *v) {
  o->append = v;
  return 0;
}
static int set_at(struct app_options *o, const char *v) {
  char *end;
  u64 n;
  if (!number(v, 16, &n, &end) || (*end && strcmp(end, "h") != 0) || n > UINT32_MAX) {
    app_error("--at %s: not an address in hexadecimal such as 7C00", v);
    return -1;
  }
  o->at = (s64)n;
  return 0;
}
static int set_max_insns(struct app_options *o, const char *v) {
  char *end;
  if (number(v, 10, &o->max_insns, &end) && !*end && o->max_insns) return 0;
  app_error("--max-insns %s: not a number of instructions", v);
  return -1;
}

static const struct app_option options[] = {
    {"-cpu", "MODEL[,+F,-F]", "the processor: ringwalk info cpus lists them", set_cpu,
     APP_RUN | APP_TRACE | APP_INFO | APP_BOOT | APP_DEBUG},
    {"--vendor", "intel|amd", "the same processor by the other vendor's rules", set_vendor,
     APP_RUN | APP_TRACE | APP_INFO | APP_BOOT | APP_DEBUG},
    {"-E", "VAR=VALUE", "set an environment variable of the program", set_env, APP_RUN | APP_TRACE | APP_DEBUG},
    {"-U", "VAR", "unset one", unset_env, APP_RUN | APP_TRACE | APP_DEBUG},
    {"-0", "ARG0", "argv[0] for the program", set_argv0, APP_RUN | APP_TRACE | APP_DEBUG},
    {"-seed", "N", "RDRAND, RDSEED, getrandom() and AT_RANDOM give what follows from N, the same in each run", set_seed,
     APP_RUN | APP_TRACE | APP_DEBUG | APP_BOOT},
    {"--stats", NULL, "count instructions, blocks, TLB misses and transitions, on standard error", set_stats,
     APP_RUN | APP_TRACE},
    {"-o", "FILE", "print the trace there instead of on standard error", set_output,
     APP_TRACE | APP_BOOT},
    {"-e", "[trace=]NAMES",
     "only these system calls: comma-separated, ! first for all but these; all; none; and classes: %file, %desc,\n"
     "                                    %memory, %process, %network, %signal, %ipc, %creds, %clock, %stat, %%stat, ...",
     set_filter, APP_TRACE},
    {"--transitions", NULL, "print each ring change: CS:RIP, SS:RSP and CPL on both sides", set_transitions,
     APP_TRACE | APP_BOOT},
    {"--transitions=explain", NULL,
     "and how: each check, descriptor, frame word and MSR sum; on a fault, why", set_explain,
     APP_TRACE | APP_BOOT},
    {"-e", "transitions=KINDS",
     "only these ways into ring 0, and their returns: syscall, int, exception, PF, ...", set_filter,
     APP_TRACE},
    {"--coverage", NULL, "at the end, how often each architectural check passed and failed", set_coverage, APP_TRACE},
    {"--insns", NULL, "print each instruction", set_insns, APP_TRACE},
    {"--json", NULL, "one JSON object a line", set_json, APP_TRACE | APP_BOOT | APP_DEBUG},
    {"--mem", "SIZE", "memory, in MiB or with K, M or G behind; 64M if not given", set_mem, APP_BOOT | APP_DEBUG},
    {"--append", "TEXT", "the command line of a multiboot kernel", set_append, APP_BOOT | APP_DEBUG},
    {"--at", "ADDR", "a flat image for that address (hexadecimal), as 7C00 for a boot sector", set_at, APP_BOOT | APP_DEBUG},
    {"--multiboot", NULL, "a multiboot kernel, and nothing else", set_multiboot, APP_BOOT | APP_DEBUG},
    {"--boot", NULL, "a machine that boots an image, instead of a program", set_boot, APP_DEBUG},
    {"-ex", "COMMAND", "do this first; may be given again", set_command, APP_DEBUG},
    {"-x", "FILE", "do the commands in this file, in its turn", set_script, APP_DEBUG},
    {"--batch", NULL, "no prompt: end behind the commands given", set_batch, APP_DEBUG},
    {"--tui", NULL, "in panes on the whole terminal; F1 or ? for help", set_tui, APP_DEBUG},
    {"--gdb", "PORT", "wait for gdb on this port of 127.0.0.1, or at a socket if it is a path", set_gdb, APP_DEBUG},
    {"--max-insns", "N", "end after so many instructions, with status 125", set_max_insns, APP_BOOT},
};

int app_options_init(struct app_options *o) {
  size_t n = 0;
  *o = (struct app_options){.model = *model_default(VENDOR_INTEL), .mem = APP_MEM_DEFAULT, .at = -1};
  while (environ[n]) n++;
  o->env = malloc((n + 1) * sizeof *o->env);
  if (!o->env) {
    app_error("out of memory");
    return -1;
  }
  memcpy(o->env, environ, (n + 1) * sizeof *o->env);
  return 0;
}
void app_options_free(struct app_options *o) {
  free(o->env);
  free(o->script);
}

void app_options_help(unsigned command) {
  puts("\noptions:");
  for (unsigned k = 0; k < ARRAY_SIZE(options); k++)
    if (options[k].commands & command)
      printf("  %-14s %-18s %s\n", options[k].name, options[k].arg ? options[k].arg : "", options[k].help);
}

/* The value of an option: the next word, or what follows "=" in "--name=value". NULL: it is another option.
 */
static const char *match(const struct app_option *opt, const char *word, const char *next, bool *took_next) {
  size_t n = strlen(opt->name);
  *took_next = false;
  if (strncmp(word, opt->name, n)) return NULL;
  if (!opt->arg) return word[n] ? NULL : "";
  if (word[n] == '=' && word[1] == '-') return word + n + 1;
  if (word[n]) return NULL;
  *took_next = true;
  return next ? next : "";
}

int app_parse(struct app_options *o, unsigned command, int argc, char **argv) {
  int a = 1;
  for (; a < argc && argv[a][0] == '-' && argv[a][1]; a++) {
    if (!strcmp(argv[a], "--")) return a + 1;
    if (!strcmp(argv[a], "--help") || !strcmp(argv[a], "-h")) {
      app_help(argv[0]);
      return 0;
    }
    const char *value = NULL;
    const struct app_option *opt = options;
    bool took = false;
    for (; opt < options + ARRAY_SIZE(options); opt++) {
      if (!(opt->commands & command)) continue;
      value = match(opt, argv[a], a + 1 < argc ? argv[a + 1] : NULL, &took);
      if (value) break;
    }
    if (!value) {
      app_error("%s: no such option; see ringwalk %s --help", argv[a], argv[0]);
      return -1;
    }
    if (took && a + 1 >= argc) {
      app_error("%s needs %s", opt->name, opt->arg);
      return -1;
    }
    if (opt->set(o, value)) return -1;
    a += took;
  }
  return a;
}
