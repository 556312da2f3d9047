/* `ringwalk boot`: an image on a bare machine, its serial port on standard input and output, its exit status from the
 * exit port. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "app/console.h"
#include "explain/explain.h"
#include "machine/machine.h"

/* ---- transitions ---- */

struct watch {
  FILE *out;
  const struct app_options *options;
  struct recorder recorder;
  struct explain_names names;
};

static void no_name(const void *opaque, u64 addr, char *buf, size_t n) {
  (void)opaque, (void)addr;
  if (n) *buf = 0;
}

static void put_point(FILE *f, const struct tr_point *p) {
  int digits = p->code_bits == 64 ? 16 : 8;
  fprintf(f, "%u  %04x:%0*" PRIx64 "  %04x:%0*" PRIx64 "  %2u-bit", p->cpl, p->cs, digits, p->rip, p->ss, digits,
          p->rsp, p->code_bits);
}

static void on_transition(void *opaque, struct cpu *cpu, const struct transition *t) {
  struct watch *w = opaque;
  if (w->options->json) {
    explain_json(w->out, cpu, &w->recorder, t, &w->names);
    return;
  }
  if (w->options->explain) {
    explain_transition(w->out, cpu, &w->recorder, t, &w->names);
    return;
  }
  bool vector = t->kind == TR_INT || t->kind == TR_EXCEPTION || t->kind == TR_INTERRUPT;
  char cause[64];
  snprintf(cause, sizeof cause, vector ? "%s %02Xh" : "%s", transition_name(t->kind), t->vector);
  fprintf(w->out, "%-13s  ", cause);
  put_point(w->out, &t->from);
  fputs("  ->  ", w->out);
  put_point(w->out, &t->to);
  if (t->has_error) fprintf(w->out, "  error %04xh", t->error);
  fputc('\n', w->out);
}

/* -1 after a message. */
static int watch_open(struct watch *w, const struct app_options *o, struct machine *m) {
  *w = (struct watch){.out = stderr, .options = o, .recorder.invert = -1, .names.name = no_name};
  if (!o->transitions && !o->json) return 0;
  if (o->output && !(w->out = fopen(o->output, "we"))) {
    app_error("%s: %s", o->output, strerror(errno));
    return -1;
  }
  machine_vm(m)->hooks.watcher = w;
  machine_vm(m)->hooks.transition = on_transition;
  if (o->explain || o->json) machine_cpu(m)->recorder = &w->recorder;
  return 0;
}

/* A processor that shut down delivered nothing that on_transition() could have told. */
static void tell_shutdown(struct watch *w, const struct cpu *cpu) {
  if (!cpu->recorder || !w->recorder.faulted) return;
  if (w->options->json) {
    explain_why_json(w->out, cpu, &w->recorder);
    return;
  }
  fprintf(w->out, "shutdown: %s\n", cpu->shutdown_reason);
  explain_why(w->out, cpu, &w->recorder);
}

static int watch_close(struct watch *w) {
  bool bad = ferror(w->out);
  if (w->out != stderr && fclose(w->out)) bad = true;
  if (bad) app_error("%s: not everything could be written", w->options->output ? w->options->output : "the trace");
  return bad ? -1 : 0;
}

/* ---- the image ---- */

/* NAME as it is, NAME.bin, or among the demonstration ROMs that were built beside this program. */
static const char *find(const char *name, char *buf, size_t n) {
  if (!access(name, F_OK)) return name;
  int len = snprintf(buf, n, "%s.bin", name);
  if (len > 0 && (size_t)len < n && !access(buf, F_OK)) return buf;
  char self[PATH_MAX];
  ssize_t got = readlink("/proc/self/exe", self, sizeof self - 1);
  if (got <= 0) return name;
  self[got] = 0;
  char *slash = strrchr(self, '/');
  const char *base = strrchr(name, '/');
  if (!slash) return name;
  len = snprintf(buf, n, "%.*s/roms/%s.bin", (int)(slash - self), self, base ? base + 1 : name);
  return len > 0 && (size_t)len < n && !access(buf, F_OK) ? buf : name;
}

int app_open_image(const struct app_options *o, const char *name, struct boot_image *img) {
  char path[2 * PATH_MAX], err[512];
  int e = boot_open(find(name, path, sizeof path), img, err, sizeof err);
  if (e) {
    app_error("%s", err);
    return e == -ENOENT ? APP_NOT_FOUND : APP_CANNOT_RUN;
  }
  if (o->multiboot || (o->at < 0 && boot_is_multiboot(img))) e = boot_as_multiboot(img, err, sizeof err);
  else if (o->at >= 0) e = boot_as_flat(img, (u32)o->at, err, sizeof err);
  else e = boot_as_rom(img, err, sizeof err);
  if (!e && o->append && img->kind != BOOT_MULTIBOOT) {
    snprintf(err, sizeof err, "--append: only a multiboot kernel has a command line");
    e = -EINVAL;
  }
  if (!e) return 0;
  app_error("%s", err);
  boot_close(img);
  return APP_CANNOT_RUN;
}

/* ---- the command ---- */

static int run(const struct app_options *o, struct machine *m) {
  struct machine_status st;
  struct watch w;
  if (watch_open(&w, o, m)) return APP_FAILED;
  machine_run(m, o->max_insns, &st);
  fflush(stdout);
  if (st.how == MACHINE_SHUTDOWN) tell_shutdown(&w, machine_cpu(m));
  int bad = watch_close(&w);
  if (st.how == MACHINE_EXITED) return bad ? APP_FAILED : (int)(st.code & 0xff);
  app_error("%s", st.why);
  if (st.how == MACHINE_SHUTDOWN) app_dump_state(stderr, machine_cpu(m));
  return APP_FAILED;
}

static int boot(const struct app_options *o, const char *name) {
  struct console console;
  struct machine_options mo = {.model = &o->model, .mem = o->mem, .seed = o->seed,
                               .console = console_open(&console)};
  struct boot_image img;
  char err[512];
  int status = app_open_image(o, name, &img);
  if (status) return status;
  status = APP_CANNOT_RUN;
  struct machine *m = machine_create(&mo, err, sizeof err);
  if (!m || machine_boot(m, &img, o->append, err, sizeof err)) app_error("%s", err);
  else status = run(o, m);
  machine_destroy(m);
  boot_close(&img);
  return status;
}

int app_boot(int argc, char **argv) {
  struct app_options o;
  if (app_options_init(&o)) return APP_FAILED;
  int a = app_parse(&o, APP_BOOT, argc, argv), status = a ? APP_CANNOT_RUN : 0;
  if (a >= argc) app_error("boot: no image given; see ringwalk boot --help");
  else if (a > 0 && a + 1 < argc) app_error("boot: one image, not also %s; options come first", argv[a + 1]);
  else if (a > 0) status = boot(&o, argv[a]);
  app_options_free(&o);
  return status;
}
