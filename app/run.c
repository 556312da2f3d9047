/* `ringwalk run`: a Linux program under emulation, its exit status passed through. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "app/app.h"
#include "cpu/transition.h"

static void print_count(FILE *f, const char *what, u64 n, const char *more, u64 m) {
  fprintf(f, "  %-22s %12" PRIu64, what, n);
  if (more) fprintf(f, "  %s %" PRIu64, more, m);
  fputc('\n', f);
}

static void print_stats(FILE *f, struct linux_vm *lvm) {
  static const char *const path[] = {"syscall", "syscall32", "sysenter", "int80"};
  struct cpu *cpu = lx_cpu(lvm);
  const struct lx_stats *s = lx_stats(lvm);
  u64 calls = 0, transitions = 0;
  for (unsigned k = 0; k < ARRAY_SIZE(path); k++) calls += s->kind[k];
  for (unsigned k = 0; k < TR_KINDS; k++) transitions += cpu->stat_transitions[k];
  fputs("ringwalk: statistics\n", f);
  print_count(f, "instructions", cpu_icount(cpu), NULL, 0);
  print_count(f, "blocks", cpu->stat_blocks, "of decoded instructions:", cpu->stat_decoded);
  print_count(f, "TLB misses", cpu->stat_tlb_misses, NULL, 0);
  print_count(f, "page faults", s->faults, "pages mapped:", s->pages);
  print_count(f, "system calls", calls, NULL, 0);
  for (unsigned k = 0; k < ARRAY_SIZE(path); k++)
    if (s->kind[k]) fprintf(f, "    by %-17s %12" PRIu64 "\n", path[k], s->kind[k]);
  print_count(f, "transitions", transitions, NULL, 0);
  for (unsigned k = 0; k < TR_KINDS; k++)
    if (cpu->stat_transitions[k])
      fprintf(f, "    %-20s %12" PRIu64 "\n", transition_name((enum transition_kind)k),
              cpu->stat_transitions[k]);
  fputs("  every transition ran in full; none was fused\n", f);
}

static int run_program(const struct app_options *o, char **argv, const struct app_listener *listener, FILE *stats) {
  char err[512];
  struct lx_options lo = {.model = &o->model, .argv0 = o->argv0, .log_fd = -1, .seeded = o->seeded, .seed = o->seed};
  if (listener) lo.hooks = listener->hooks;
  struct linux_vm *lvm = lx_create(&lo, err, sizeof err);
  if (!lvm) {
    app_error("%s", err);
    return APP_CANNOT_RUN;
  }
  int status, r = lx_exec(lvm, argv[0], argv, o->env, err, sizeof err);
  if (r) {
    app_error("%s", err);
    status = r == -ENOENT ? APP_NOT_FOUND : APP_CANNOT_RUN;
  } else {
    struct lx_status end;
    if (listener && listener->ready) listener->ready(listener->hooks.opaque, lvm);
    lx_run(lvm, &end);
    if (listener && listener->done) listener->done(listener->hooks.opaque, lvm, &end);
    if (stats) print_stats(stats, lvm);
    switch (end.how) {
      case LX_EXITED: status = end.code; break;
      case LX_SIGNALED: status = APP_SIGNALED + end.code; break;
      default:
        app_error("%s", end.why ? end.why : "stopped");
        app_dump_state(stderr, lx_cpu(lvm));
        status = APP_FAILED;
    }
  }
  lx_destroy(lvm);
  return status;
}

int app_run_program(const struct app_options *o, char **argv, const struct app_listener *listener) {
  FILE *stats = o->stats ? app_open(NULL) : NULL;
  if (o->stats && !stats) return APP_FAILED;
  int status = run_program(o, argv, listener, stats);
  return stats && app_close(stats, NULL) ? APP_FAILED : status;
}

int app_run(int argc, char **argv) {
  struct app_options o;
  if (app_options_init(&o)) return APP_FAILED;
  int a = app_parse(&o, APP_RUN, argc, argv), status = a ? APP_CANNOT_RUN : 0;
  if (a >= argc) app_error("run: no program given; see ringwalk run --help");
  else if (a > 0) status = app_run_program(&o, argv + a, NULL);
  app_options_free(&o);
  return status;
}
