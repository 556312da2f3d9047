/* `ringwalk debug`: a program or a machine under the debugger. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app/debug.h"
#include "debugger/cli.h"

/* Ctrl-C stops the target, and is not the end of the debugger. The emulated kernel leaves a signal alone that had a handler
 * before it began. */
static struct dbg *session;

static void on_interrupt(int signo) {
  (void)signo;
  if (session) dbg_interrupt(session);
}

static void catch_interrupt(void) {
  struct sigaction a = {.sa_handler = on_interrupt};
  (void)sigaction(SIGINT, &a, NULL);
}

/* -x and -ex in their order. False: the session is over. bad: the last one failed. */
static bool scripts(struct dbg *d, const struct app_options *o, bool *bad) {
  for (unsigned k = 0; k < o->scripts; k++) {
    const struct app_script *s = &o->script[k];
    bool failed = false, go_on = s->file ? cli_source(d, s->text, &failed) : dbg_command(d, s->text);
    if (failed) app_error("-x %s: %s", s->text, strerror(errno));
    *bad = failed || dbg_failed(d);
    if (!go_on) return false;
  }
  return true;
}

/* Who talks to the session, if not the command line. */
struct face {
  int stdio[2];          /* gdb's, of --gdb - */
  struct debug_tui *tui; /* or NULL */
};

static bool scripts_of(void *opaque, struct dbg *d) {
  bool bad;
  return scripts(d, opaque, &bad);
}

static int run_tui(const struct app_options *o, struct dbg *d, struct debug_tui *tui) {
  int bad = debug_tui_serve(d, tui, scripts_of, (void *)(uintptr_t)o);
  return bad ? APP_CANNOT_RUN : dbg_status(d);
}

/* As gdb's of --batch, when its last command failed. */
enum { SCRIPT_FAILED = 1 };

static int run_lines(const struct app_options *o, struct dbg *d, FILE *out, const struct face *face) {
  if (!o->gdb && (!o->batch || !o->scripts)) dbg_tell_stop(d);
  bool bad = false, go_on = scripts(d, o, &bad);
  if (go_on && o->batch && bad) return SCRIPT_FAILED;
  if (go_on && !o->gdb && !o->batch) cli_run(d, out);
  return go_on && o->gdb ? debug_gdb_serve(d, o->gdb, face->stdio) : dbg_status(d);
}

static int run_session(const struct app_options *o, const struct dbg_target *t, const struct face *face) {
  char err[256];
  int status;
  FILE *out = app_open_output();
  struct dbg *d = out ? dbg_create(t, out, o->json, err, sizeof err) : NULL;
  if (!d) {
    if (out) app_error("%s", err);
    if (out) fclose(out);
    return APP_FAILED;
  }
  session = d;
  out_set_colour(dbg_out(d), isatty(fileno(out)) && !o->json && !o->gdb && !face->tui);
  status = face->tui ? run_tui(o, d, face->tui) : run_lines(o, d, out, face);
  session = NULL;
  dbg_destroy(d);
  errno = 0;
  bool lost = ferror(out);
  if (fclose(out) || lost) {
    app_error("standard output: %s", errno && !lost ? strerror(errno) : "not everything could be written");
    return APP_FAILED;
  }
  return status;
}

static int debug_machine(const struct app_options *o, const char *image, const struct face *face) {
  struct debug_machine *m;
  struct dbg_target t;
  int status = debug_machine_open(o, image, &m, &t);
  if (status) return status;
  status = run_session(o, &t, face);
  debug_machine_close(m);
  return status;
}

static int debug_program(const struct app_options *o, char **argv, const struct face *face) {
  struct debug_program *p;
  struct dbg_target t;
  int status = debug_program_open(o, argv, &p, &t);
  if (status) return status;
  status = run_session(o, &t, face);
  debug_program_close(p);
  return status;
}

static bool prepare(const struct app_options *o, struct face *face) {
  if (!o->boot && (o->append || o->mem != APP_MEM_DEFAULT)) {
    app_error("debug: --mem and --append go with --boot");
    return false;
  }
  if (o->tui && (o->gdb || o->json || o->batch)) {
    app_error("debug: --tui goes with none of --gdb, --json and --batch");
    return false;
  }
  if (debug_gdb_prepare(o->gdb, face->stdio)) return false;
  return !o->tui || (face->tui = debug_tui_prepare()) != NULL;
}

int app_debug(int argc, char **argv) {
  struct app_options o;
  struct face face = {{-1, -1}, NULL};
  if (app_options_init(&o)) return APP_FAILED;
  int a = app_parse(&o, APP_DEBUG, argc, argv), status = a ? APP_CANNOT_RUN : 0;
  if (a > 0) catch_interrupt();
  if (a >= argc) app_error("debug: no program given; see ringwalk debug --help");
  else if (a > 0 && o.boot && a + 1 < argc) app_error("debug: one image, not also %s; options come first", argv[a + 1]);
  else if (a > 0 && prepare(&o, &face))
    status = o.boot ? debug_machine(&o, argv[a], &face) : debug_program(&o, argv + a, &face);
  debug_tui_end(face.tui);
  app_options_free(&o);
  return status;
}
