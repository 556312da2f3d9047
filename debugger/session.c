/* The session: runs the target between stops, and finds out what a stop was for. */
#include "debugger/session.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/assemble.h"
#include "cpu/event.h"
#include "cpu/mem.h"
#include "cpu/stops.h"
#include "cpu/whatif.h"
#include "debugger/dbg.h"
#include "explain/explain.h"

/* ---- access ---- */

struct dbg_target *dbg_target(struct dbg *d) { return &d->target; }
struct cpu *dbg_cpu(struct dbg *d) { return d->cpu; }
struct out *dbg_out(struct dbg *d) { return d->out; }
struct symbols *dbg_symbols(struct dbg *d) { return d->syms; }
struct disasm *dbg_disasm(struct dbg *d) { return d->disasm; }
const struct cpu *dbg_before(const struct dbg *d) { return d->has_before ? d->before : NULL; }
bool dbg_alive(const struct dbg *d) { return d->alive; }
const struct stop *dbg_stop(const struct dbg *d) { return &d->stop; }
const struct explain_names *dbg_names(const struct dbg *d) { return d->names; }
u64 dbg_pc(const struct dbg *d) { return dbg_linear(d->cpu, CS, d->cpu->rip); }
u64 dbg_icount(const struct dbg *d) { return cpu_icount(d->cpu); }
size_t dbg_cpu_bytes(void) { return offsetof(struct cpu, tlbs); }

unsigned dbg_bits(const struct dbg *d) {
  static const u8 bits[4] = {16, 32, 64, 16};
  return bits[d->cpu->mode & MODE_CODE_MASK];
}

unsigned dbg_peek(struct dbg *d, u64 la, void *buf, unsigned n) {
  unsigned done = d->target.read ? d->target.read(d->target.opaque, la, buf, n) : 0;
  return done ? done : mem_peek(d->cpu, la, buf, n);
}
unsigned dbg_poke(struct dbg *d, u64 la, const void *buf, unsigned n) {
  unsigned done = d->target.write ? d->target.write(d->target.opaque, la, buf, n) : 0;
  if (!done) done = mem_poke(d->cpu, la, buf, n);
  dbg_state_changed(d);
  return done;
}

void dbg_state_changed(struct dbg *d) { frames_forget(d); }

struct signal_policy *dbg_signal_policy(struct dbg *d, int signo) {
  return signo > 0 && signo < SIGNALS ? &d->policy[signo] : NULL;
}

void dbg_set_signal(struct dbg *d, int signo) { d->replace_signal = signo; }
void dbg_record(struct dbg *d, bool always) { d->record_always = always; }

void dbg_interrupt(struct dbg *d) {
  d->interrupted = 1;
  d->target.stop(d->target.opaque);
}

/* ---- hooks: while the target runs ---- */

static void caught(struct dbg *d, struct point *p) {
  if (!d->caught) d->caught = p;
  d->target.stop(d->target.opaque);
}

static void on_transition(void *watcher, struct cpu *cpu, const struct transition *t) {
  struct dbg *d = watcher;
  if (d->single && (t->kind == TR_EXCEPTION || t->kind == TR_INTERRUPT)) cpu_end_run(cpu); /* that was the step */
  if (d->listening == LISTEN_ALL) history_transition(d, cpu, t);
  struct point *p = points_at_transition(d, t);
  if (p) {
    d->caught_transition = true;
    caught(d, p);
  }
  if (t->to.cpl > t->from.cpl && (p = points_changed_memory(d, &d->stop)) != NULL) {
    d->caught_by_kernel = true;
    caught(d, p);
  }
  d->told_debug_fault = false;
  bool ring = t->from.cpl != t->to.cpl;
  if ((d->want_ring && ring) || (d->want_cpl >= 0 && ring && t->to.cpl >= d->want_cpl)) {
    d->wanted = true;
    d->target.stop(d->target.opaque);
  }
}

/* One that does not stop. In JSON a line of its own, before that of the command in progress. */
static void print_signal(struct dbg *d, int signo) {
  const char *name = d->target.signal_name ? d->target.signal_name(signo) : NULL;
  if (!out_json(d->out)) {
    out_text(d->out, "Program receives signal %s\n", name ? name : "?");
    return;
  }
  fprintf(out_file(d->out), "{\"event\":\"signal\",\"signal\":\"%s\",\"rip\":\"0x%" PRIx64 "\"}\n", name ? name : "?", d->cpu->rip);
}

/* The program gets a signal from this fault. True: we stop for it; false: it is on its way. */
static bool stops_for_signal(struct dbg *d, const struct fault *f) {
  struct dbg_signal *s = &d->stop.signal;
  if (!d->target.fault_signal || !d->target.fault_signal(d->target.opaque, f, s)) return false;
  const struct signal_policy *policy = dbg_signal_policy(d, s->signo);
  d->caught = points_at_signal(d, s->signo);
  if (d->caught || (policy && policy->stop)) return true;
  if (policy && policy->print) print_signal(d, s->signo);
  d->target.pass_fault(d->target.opaque);
  *s = (struct dbg_signal){0};
  return false;
}

static bool on_fault(void *watcher, struct cpu *cpu, const struct fault *f) {
  struct dbg *d = watcher;
  d->told_debug_fault = f->vector == VEC_DB;
  if (cpu->recorder) history_fault(d, cpu, cpu->recorder);
  d->fault_depth = cpu->event_class == EVENT_NONE ? 0 : d->fault_depth + 1;
  bool let = d->let.on && d->let.rip == cpu->rip;
  if (let && d->fault_depth < d->let.depth) return false; /* it comes to that again */
  if (let && d->fault_depth == d->let.depth && d->let.vector == f->vector) {
    d->let.on = false;
    struct dbg_signal s;
    if (d->target.fault_signal && d->target.fault_signal(d->target.opaque, f, &s)) d->target.pass_fault(d->target.opaque);
    return false;
  }
  d->caught = points_at_exception(d, f);
  if (!d->caught && !stops_for_signal(d, f)) return false;
  d->held_fault = true;
  d->stop.fault = *f;
  d->stop.has_fault = true;
  d->target.stop(d->target.opaque);
  return true;
}

/* Steps, and stops at transitions, keep all of each transition; so does a machine, for the day it shuts down. Else the
 * processor notes the last ones by itself, and a program is as fast as without a debugger. */
static enum listening must_listen(const struct dbg *d, bool stepping) {
  bool outward = d->want_ring || d->want_cpl >= 0;
  return stepping || d->record_always || d->target.machine || outward ? LISTEN_ALL : d->needed;
}

static void listen(struct dbg *d, bool stepping) {
  struct vm_hooks *h = &d->cpu->vm->hooks;
  d->listening = must_listen(d, stepping);
  h->watcher = d;
  h->transition = d->listening == LISTEN_NOT ? NULL : on_transition;
  h->fault = on_fault;
  d->cpu->recorder = d->listening == LISTEN_ALL ? &d->recorder : NULL;
  d->cpu->trail = d->listening == LISTEN_ALL ? NULL : d->trail;
}

/* ---- what a run ended for ---- */

static bool stopped_for(struct dbg *d, enum stop_why why) {
  d->stop.why = why;
  return true;
}

static bool stopped_for_point(struct dbg *d, struct point *p) {
  d->stop.point = p;
  if (p->temporary) d->done_temporary = p;
  if (p->once) {
    p->enabled = p->once = false;
    d->points_dirty = true;
  }
  return stopped_for(d, STOP_POINT);
}

static bool ended(struct dbg *d, const struct dbg_ended *e) {
  static const enum stop_why why[] = {
      [END_EXITED] = STOP_EXITED, [END_KILLED] = STOP_KILLED, [END_HALTED] = STOP_HALTED,
      [END_SHUTDOWN] = STOP_SHUTDOWN, [END_RESET] = STOP_RESET, [END_FAILED] = STOP_FAILED,
  };
  d->alive = e->how == END_HALTED;
  d->stop.code = e->code;
  snprintf(d->stop.text, sizeof d->stop.text, "%s", e->why);
  if (e->how == END_EXITED) d->status = e->code;
  if (e->how == END_KILLED) d->status = 128 + e->code;
  return stopped_for(d, why[e->how]);
}

/* A signal waits. True: we stop for it. */
static bool signal_waits(struct dbg *d) {
  struct dbg_signal s;
  const struct signal_policy *policy;
  if (!d->target.signal(d->target.opaque, &s) || !(policy = dbg_signal_policy(d, s.signo))) return false;
  if (s.signo == d->sent_signal) {
    d->sent_signal = 0;
    return false;
  }
  struct point *p = points_at_signal(d, s.signo);
  if (p || policy->stop) d->stop.signal = s;
  if (p) return stopped_for_point(d, p);
  if (policy->stop) return stopped_for(d, STOP_SIGNAL);
  if (policy->print) print_signal(d, s.signo);
  if (!policy->pass) d->target.set_signal(d->target.opaque, 0);
  return false;
}

static bool is_wanted(struct dbg *d, u64 pc) {
  for (unsigned k = 0; k < d->wants; k++)
    if (d->want[k].addr == pc && d->cpu->gpr[RSP] >= d->want[k].rsp) return true;
  return false;
}

static bool at_code(struct dbg *d) {
  u64 pc = dbg_pc(d);
  struct point *p = points_at_code(d, pc, &d->stop);
  if (p) return stopped_for_point(d, p);
  if (is_wanted(d, pc)) d->wanted = true;
  return false;
}

/* The fault that is held back has no record if nobody listened; a dry run of its instruction gives one. */
static void record_held_fault(struct dbg *d) {
  struct whatif *w = d->listening == LISTEN_ALL ? NULL : malloc(sizeof *w);
  stops_pass(d->cpu);
  if (w && !cpu_whatif(d->cpu, NULL, 0, w) && w->outcome == WHATIF_FAULT) history_fault(d, d->cpu, &w->recorder);
  free(w);
}

static bool stopped(struct dbg *d) {
  struct point *p;
  if (d->held_fault) {
    record_held_fault(d);
    return d->caught ? stopped_for_point(d, d->caught) : stopped_for(d, STOP_SIGNAL);
  }
  if (d->cpu->stopped == CPU_STOPPED_CODE && at_code(d)) return true;
  if (d->cpu->stopped == CPU_STOPPED_DATA && (p = points_at_access(d, &d->stop)) != NULL) return stopped_for_point(d, p);
  if (d->cpu->stopped == CPU_STOPPED_MODE && (p = points_of_kind(d, POINT_MODE)) != NULL && point_hit(d, p))
    return stopped_for_point(d, p);
  if (d->caught) {
    d->stop.has_transition = d->caught_transition;
    d->stop.by_kernel = d->caught_by_kernel;
    return stopped_for_point(d, d->caught);
  }
  if (points_need_steps(d) && (p = points_changed_expression(d, &d->stop)) != NULL) return stopped_for_point(d, p);
  if (d->interrupted) return stopped_for(d, STOP_INTERRUPTED);
  return false;
}

/* Stopped in the kernel's stub by nothing that it did: on to where the program goes on. */
static void leave_stub(struct dbg *d) {
  enum { STEPS = 4096 };
  struct dbg_ended e;
  if (d->target.machine) return;
  for (unsigned n = 0; d->cpu->cpl != 3 && n < STEPS; n++) {
    d->target.run(d->target.opaque, 1, &e);
    if (e.how != END_STOPPED) return;
  }
}

/* What tells a step from none: an interruption that came behind its stop ends the next run before it begins. */
struct progress { u64 icount, rip, rcx, delivered_at; u32 deliveries; };

static struct progress progress_of(const struct dbg *d) {
  const struct cpu *cpu = d->cpu;
  return (struct progress){cpu_icount(cpu), cpu->rip, cpu->gpr[RCX], cpu->delivered_at, cpu->deliveries};
}

static bool is_same(struct progress a, struct progress b) {
  return a.icount == b.icount && a.rip == b.rip && a.rcx == b.rcx && a.delivered_at == b.delivered_at &&
         a.deliveries == b.deliveries;
}

bool dbg_run(struct dbg *d, u64 limit) {
  struct dbg_ended e;
  unsigned idle = 0;
  u64 start = cpu_icount(d->cpu);
  for (;;) {
    bool steps = points_need_steps(d);
    u64 done = cpu_icount(d->cpu) - start, part = steps ? 1 : limit ? limit - done : 0;
    d->caught = NULL;
    d->caught_by_kernel = d->caught_transition = d->held_fault = d->wanted = d->told_debug_fault = false;
    if (points_apply(d)) {
      snprintf(d->stop.text, sizeof d->stop.text, "out of memory");
      return stopped_for(d, STOP_FAILED);
    }
    listen(d, limit != 0);
    stops_pass(d->cpu);
    d->single = part == 1;
    const struct progress before = progress_of(d);
    d->target.run(d->target.opaque, part, &e);
    history_import(d);
    if (e.how == END_SIGNAL ? signal_waits(d) : e.how != END_STOPPED ? ended(d, &e) : stopped(d)) {
      if (d->stop.why == STOP_INTERRUPTED && d->listening != LISTEN_ALL) leave_stub(d);
      return true;
    }
    if (part && e.how == END_STOPPED && d->cpu->vm->stops && stops_here(d->cpu) && at_code(d)) return true; /* stepped to */
    if (d->wanted) return false;
    if (part == 1 && e.how == END_STOPPED && is_same(before, progress_of(d)) && idle++ < 4) continue;
    if (limit && (limit == 1 || cpu_icount(d->cpu) - start >= limit)) return false;
  }
}

bool dbg_begin(struct dbg *d) {
  const struct stop last = d->stop;
  if (!d->alive) return false;
  memcpy(d->before, d->cpu, dbg_cpu_bytes());
  d->has_before = true;
  if (d->done_temporary) {
    dbg_delete_point(d, d->done_temporary);
    d->done_temporary = NULL;
  }
  d->interrupted = 0;
  d->selected = 0;
  d->wants = 0;
  d->want_ring = false;
  d->want_cpl = -1;
  d->let.on = false;
  bool sync = last.has_fault;
  const struct signal_policy *policy = last.signal.signo ? dbg_signal_policy(d, last.signal.signo) : NULL;
  bool passes = d->replace_signal < 0 ? !policy || policy->pass || !last.signal.signo : d->replace_signal == last.signal.signo;
  if (sync && passes) {
    d->let.on = true;
    d->let.rip = d->cpu->rip;
    d->let.vector = last.fault.vector;
    d->let.depth = d->fault_depth;
  } else if (last.signal.signo && !sync && !passes) {
    d->target.set_signal(d->target.opaque, d->replace_signal < 0 ? 0 : d->replace_signal);
  } else if (d->replace_signal > 0 && !passes && d->target.send_signal) {
    d->sent_signal = d->replace_signal;
    d->target.send_signal(d->target.opaque, d->replace_signal);
  }
  d->replace_signal = -1;
  d->stop = (struct stop){0};
  d->runs++;
  points_remember(d);
  frames_forget(d);
  return true;
}

void dbg_done(struct dbg *d, enum stop_why why) {
  if (d->alive) (void)dbg_past_steps(d, 0);
  if (d->stop.why == STOP_NOTHING) d->stop.why = why;
  d->selected = 0;
  frames_forget(d);
}

/* ---- making ---- */

static void name_place(const void *opaque, u64 addr, char *buf, size_t n) {
  const struct dbg *d = opaque;
  sym_name(d->syms, addr, buf, n);
}

static unsigned read_code(void *opaque, u64 la, void *buf, unsigned n) { return dbg_peek(opaque, la, buf, n); }

/* As gdb's: those that a program uses in the ordinary course of things do not stop it. */
static void default_policy(struct dbg *d) {
  static const int quiet[] = {SIGALRM, SIGURG, SIGIO, SIGVTALRM, SIGPROF, SIGCHLD, SIGWINCH};
  for (unsigned n = 1; n < SIGNALS; n++) d->policy[n] = (struct signal_policy){true, true, true};
  for (unsigned k = 0; k < ARRAY_SIZE(quiet); k++) d->policy[quiet[k]] = (struct signal_policy){false, false, true};
  d->policy[SIGINT].pass = d->policy[SIGTRAP].pass = false;
}

static bool make_room(struct dbg *d) {
  d->before = malloc(dbg_cpu_bytes());
  d->past = calloc(HISTORY, sizeof *d->past);
  d->trail = aligned_alloc(alignof(struct trail), sizeof *d->trail);
  d->names = calloc(1, sizeof *d->names);
  if (d->trail) memset(d->trail, 0, sizeof *d->trail);
  return d->before && d->past && d->trail && d->names;
}

struct dbg *dbg_create(const struct dbg_target *t, FILE *out, bool json, char *err, size_t n) {
  struct dbg *d = calloc(1, sizeof *d);
  if (!d) {
    snprintf(err, n, "out of memory");
    return NULL;
  }
  d->target = *t;
  d->cpu = t->cpu;
  d->alive = true;
  d->next_number = 1;
  d->replace_signal = d->want_cpl = -1;
  d->recorder.invert = -1;
  d->points_dirty = true;
  default_policy(d);
  d->out = out_create(out, json);
  d->syms = sym_open(t);
  d->disasm = disasm_create();
  if (commands_create(d) || !make_room(d) || !d->out || !d->syms || !d->disasm) {
    snprintf(err, n, !d->disasm && d->syms ? "Capstone cannot disassemble x86 here" : "out of memory");
    dbg_destroy(d);
    return NULL;
  }
  disasm_set_reader(d->disasm, read_code, d);
  *d->names = (struct explain_names){d, name_place};
  return d;
}

void dbg_destroy(struct dbg *d) {
  if (!d) return;
  points_free(d);
  commands_free(d);
  if (d->past && d->trail) history_clear(d);
  free(d->past);
  free(d->trail);
  free(d->before);
  free(d->names);
  free(d->frames);
  free(d->value);
  assembler_free(d->assembler);
  variables_free(d);
  free(d->text[0]);
  free(d->text[1]);
  sym_close(d->syms);
  disasm_destroy(d->disasm);
  out_destroy(d->out);
  free(d);
}

int dbg_restart(struct dbg *d, char *err, size_t n) {
  history_clear(d);
  d->has_before = d->alive = false;
  d->replace_signal = -1;
  d->sent_signal = 0;
  d->stop = (struct stop){0};
  frames_forget(d);
  if (d->target.restart(d->target.opaque, &d->target, err, n)) return -1;
  d->cpu = d->target.cpu;
  d->alive = d->points_dirty = true;
  struct symbols *syms = sym_open(&d->target);
  if (syms) {
    sym_close(d->syms);
    d->syms = syms;
  }
  return 0;
}
