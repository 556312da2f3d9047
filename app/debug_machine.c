/* A machine as the debugger's target. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/console.h"
#include "app/debug.h"
#include "machine/machine.h"

struct debug_machine {
  const struct app_options *o;
  struct boot_image image;
  struct machine *machine;
  struct console console;
  char *name, *symbols; /* of the image; of an ELF file beside it that has symbols, or NULL */
};

static void run(void *opaque, u64 limit, struct dbg_ended *end) {
  struct debug_machine *m = opaque;
  struct machine_status st;
  static const enum dbg_end how[] = {
      [MACHINE_EXITED] = END_EXITED, [MACHINE_HALTED] = END_HALTED, [MACHINE_SHUTDOWN] = END_SHUTDOWN,
      [MACHINE_LIMIT] = END_STOPPED, [MACHINE_STOPPED] = END_STOPPED, [MACHINE_RESET] = END_RESET,
  };
  if (limit == 1) machine_step(m->machine, &st);
  else machine_run(m->machine, limit, &st);
  fflush(stdout);
  *end = (struct dbg_ended){.how = how[st.how], .code = (int)(st.code & 0xff)};
  snprintf(end->why, sizeof end->why, "%s", st.why);
}

static void stop(void *opaque) { machine_stop(((struct debug_machine *)opaque)->machine); }

static int restart(void *opaque, struct dbg_target *t, char *err, size_t n) {
  struct debug_machine *m = opaque;
  t->cpu = machine_cpu(m->machine);
  t->cpu->recorder = NULL;
  return machine_boot(m->machine, &m->image, m->o->append, err, n);
}

/* An image that was linked from an ELF file has its symbols: NAME.elf beside NAME.bin, or what our own build leaves there,
 * NAME.demo.elf. A multiboot kernel is an ELF file itself. */
static bool module(void *opaque, unsigned n, struct dbg_module *out) {
  const struct debug_machine *m = opaque;
  if (n || !m->symbols) return false;
  *out = (struct dbg_module){.name = m->symbols, .path = m->symbols}; /* where its segments are */
  return true;
}

static bool device(void *opaque, unsigned n, char *text, size_t size) {
  return machine_describe(((struct debug_machine *)opaque)->machine, n, text, size);
}

static char *symbols_of(const char *path, bool elf) {
  static const char *const endings[] = {".elf", ".demo.elf"};
  size_t n = strlen(path), stem = n > 4 && !strcmp(path + n - 4, ".bin") ? n - 4 : n;
  char *s = malloc(n + 16);
  if (!s) return NULL;
  snprintf(s, n + 16, "%s", path);
  if (elf) return s;
  for (unsigned k = 0; k < ARRAY_SIZE(endings); k++) {
    snprintf(s, n + 16, "%.*s%s", (int)stem, path, endings[k]);
    if (!access(s, R_OK)) return s;
  }
  free(s);
  return NULL;
}

int debug_machine_open(const struct app_options *o, const char *image, struct debug_machine **out, struct dbg_target *t) {
  char err[512];
  struct debug_machine *m = calloc(1, sizeof *m);
  if (!m) {
    app_error("out of memory");
    return APP_FAILED;
  }
  m->o = o;
  int status = app_open_image(o, image, &m->image);
  if (status) {
    free(m);
    return status;
  }
  m->name = strdup(m->image.name);
  m->symbols = symbols_of(m->image.name, m->image.kind == BOOT_MULTIBOOT);
  struct machine_options mo = {.model = &o->model, .mem = o->mem, .seed = o->seed,
                               .console = console_open(&m->console)};
  m->machine = machine_create(&mo, err, sizeof err);
  if (!m->machine || machine_boot(m->machine, &m->image, o->append, err, sizeof err)) {
    app_error("%s", err);
    debug_machine_close(m);
    return APP_CANNOT_RUN;
  }
  *t = (struct dbg_target){.opaque = m, .cpu = machine_cpu(m->machine), .machine = true, .name = m->name, .run = run, .stop = stop,
                           .restart = restart, .module = module, .device = device, .pid = 1, .tid = 1};
  *out = m;
  return 0;
}

void debug_machine_close(struct debug_machine *m) {
  if (!m) return;
  machine_destroy(m->machine);
  boot_close(&m->image);
  free(m->name);
  free(m->symbols);
  free(m);
}
