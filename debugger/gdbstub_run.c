/* The gdb stub: resuming, why it stopped, breakpoints and what else stops. GDB manual, E.3 (Stop Reply Packets), E.2
 * (Packets: vCont, Z), E.4 (General Query Packets: QCatchSyscalls, QPassSignals). */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/gdbstub_inside.h"

/* ---- signals ---- */

/* gdb's numbers of Linux's first 31 signals. GDB manual, E.3: "GDB_SIGNAL_*", as gdb/signals.def numbers them. */
enum { GDB_SIGTRAP = 5, GDB_SIGABRT = 6, GDB_SIGKILL = 9, GDB_SIGINT = 2, GDB_SIGNAL_UNKNOWN = 143 };
static const u8 gdb_number[32] = {
    [SIGHUP] = 1, [SIGINT] = 2, [SIGQUIT] = 3, [SIGILL] = 4, [SIGTRAP] = 5, [SIGABRT] = 6, [SIGFPE] = 8, [SIGKILL] = 9,
    [SIGBUS] = 10, [SIGSEGV] = 11, [SIGSYS] = 12, [SIGPIPE] = 13, [SIGALRM] = 14, [SIGTERM] = 15, [SIGURG] = 16,
    [SIGSTOP] = 17, [SIGTSTP] = 18, [SIGCONT] = 19, [SIGCHLD] = 20, [SIGTTIN] = 21, [SIGTTOU] = 22, [SIGIO] = 23,
    [SIGXCPU] = 24, [SIGXFSZ] = 25, [SIGVTALRM] = 26, [SIGPROF] = 27, [SIGWINCH] = 28, [SIGUSR1] = 30, [SIGUSR2] = 31,
    [SIGPWR] = 32,
};

/* Real-time signals: 33 to 63 are 45 to 75, 32 is 77, 64 is 78. */
int gdb_signal(int n) {
  if (n <= 0) return 0;
  if (n < 32) return gdb_number[n] ? gdb_number[n] : GDB_SIGNAL_UNKNOWN;
  return n == 32 ? 77 : n < 64 ? n + 12 : n == 64 ? 78 : GDB_SIGNAL_UNKNOWN;
}

/* And back; 0: none. */
static int linux_signal(u64 gdb) {
  for (int n = 1; n < SIGNALS; n++)
    if ((u64)gdb_signal(n) == gdb && gdb != GDB_SIGNAL_UNKNOWN) return n;
  return 0;
}

/* Those on the list go to the program without a stop. */
void gdb_pass_signals(struct gdbstub *g, struct gdb_text *t) {
  u64 number;
  for (int n = 1; n < SIGNALS; n++) *dbg_signal_policy(g->d, n) = (struct signal_policy){true, false, true};
  while (gdb_hex(t, &number)) {
    int n = linux_signal(number);
    if (n) dbg_signal_policy(g->d, n)->stop = false;
    if (!gdb_char(t, ';')) break;
  }
  gdb_put(g, "OK");
}

/* ---- stops ---- */

bool gdb_gone(const struct gdbstub *g) {
  if (g->killed) return true;
  enum stop_why why = dbg_stop(g->d)->why;
  return why == STOP_EXITED || why == STOP_KILLED || why == STOP_FAILED;
}

static struct gdb_point *owned(struct gdbstub *g, unsigned number) {
  for (unsigned k = 0; k < g->points; k++)
    if (g->point[k].number == number) return &g->point[k];
  return NULL;
}

static struct gdb_point *code_point_here(struct gdbstub *g) {
  u64 pc = dbg_pc(g->d);
  for (unsigned k = 0; k < g->points; k++)
    if (g->point[k].type < 2 && g->point[k].addr == pc) return &g->point[k];
  return NULL;
}

static bool owns_catch(const struct gdbstub *g, unsigned number) {
  for (unsigned k = 0; k < g->caughts; k++)
    if (g->caught[k] == number) return true;
  return false;
}

static void put_syscall(struct gdbstub *g, const struct stop *s) {
  struct dbg_target *t = dbg_target(g->d);
  char text[256];
  unsigned number;
  bool i386;
  if (t->syscall && t->syscall(t->opaque, s->syscall_return, &number, &i386, text, sizeof text))
    gdb_put(g, "syscall_%s:%x;", s->syscall_return ? "return" : "entry", number);
}

static void put_breakpoint(struct gdbstub *g, const struct gdb_point *p) {
  if (p->type == 0 && g->swbreak) gdb_put(g, "swbreak:;");
  if (p->type == 1 && g->hwbreak) gdb_put(g, "hwbreak:;");
}

/* Why a point stopped. A stop by one of the session's own is a plain trap: for a breakpoint that gdb does not know, it
 * would go on. */
static void put_reason(struct gdbstub *g, const struct stop *s) {
  static const char *const watch[] = {[2] = "watch", [3] = "rwatch", [4] = "awatch"};
  const struct gdb_point *p = owned(g, s->point->number);
  if (s->point->kind == POINT_BREAK) {
    p = code_point_here(g);
    if (p) put_breakpoint(g, p);
  } else if (p && p->type >= 2) { /* gdb looks for the address inside of what it watches */
    u64 at = s->access_addr < p->addr || s->access_addr - p->addr >= p->len ? p->addr : s->access_addr;
    gdb_put(g, "%s:%llx;", watch[p->type], (unsigned long long)at);
  } else if (owns_catch(g, s->point->number)) {
    put_syscall(g, s);
  }
}

static void begin_trap(struct gdbstub *g, int signal) {
  gdb_put(g, "T%02xthread:", (unsigned)signal & 0xff);
  gdb_put_thread(g);
  gdb_put(g, ";core:0;");
}

static void put_trap(struct gdbstub *g, int signal) {
  begin_trap(g, signal);
  if (dbg_stop(g->d)->why == STOP_POINT && dbg_stop(g->d)->point) put_reason(g, dbg_stop(g->d));
  gdb_put_expedited(g);
}

static void put_end(struct gdbstub *g, char how, int code) {
  gdb_put(g, "%c%02x", how, (unsigned)code & 0xff);
  if (g->multiprocess) gdb_put(g, ";process:%x", (unsigned)dbg_target(g->d)->pid);
}

void gdb_put_stop(struct gdbstub *g) {
  const struct stop *s = dbg_stop(g->d);
  if (g->killed) {
    put_end(g, 'X', GDB_SIGKILL);
    return;
  }
  switch (s->why) {
    case STOP_EXITED: put_end(g, 'W', s->code); break;
    case STOP_KILLED: put_end(g, 'X', gdb_signal(s->code)); break;
    case STOP_FAILED: put_end(g, 'X', GDB_SIGABRT); break;
    case STOP_RESET:
    case STOP_SHUTDOWN: put_trap(g, GDB_SIGABRT); break;
    case STOP_INTERRUPTED: put_trap(g, GDB_SIGINT); break;
    case STOP_SIGNAL: put_trap(g, gdb_signal(s->signal.signo)); break;
    case STOP_POINT:
      put_trap(g, s->point && s->point->kind == POINT_SIGNAL ? gdb_signal(s->signal.signo) : GDB_SIGTRAP);
      break;
    default: put_trap(g, GDB_SIGTRAP);
  }
}

/* Stops that gdb has no words for. */
static bool needs_words(struct gdbstub *g) {
  const struct stop *s = dbg_stop(g->d);
  switch (s->why) {
    case STOP_HALTED:
    case STOP_SHUTDOWN:
    case STOP_RESET:
    case STOP_FAILED: return true;
    case STOP_POINT:
      return s->point && !owned(g, s->point->number) && !owns_catch(g, s->point->number) &&
             !(s->point->kind == POINT_BREAK && code_point_here(g));
    default: return false;
  }
}

static void tell_stop(struct gdbstub *g, const void *what) {
  (void)what;
  dbg_tell_stop(g->d);
}

/* ---- resuming ---- */

/* Is what stopped us only that a step is done? */
static bool only_stepped(const struct gdbstub *g) { return dbg_stop(g->d)->why == STOP_STEPPED; }

/* One step of a program as a kernel under gdb would have it: a page that was not there is, and the instruction done; a
 * signal that is passed on ends at its handler. In a range a call of the kernel is a step too; else it leads to ring 0. */
static void step_once(struct gdbstub *g, int signal, bool range) {
  enum { TRIES = 64 };
  const struct cpu *cpu = dbg_cpu(g->d);
  bool program = !dbg_target(g->d)->machine;
  for (unsigned n = 0; n < TRIES; n++) {
    u8 cpl = dbg_cpu(g->d)->cpl;
    u64 pc = dbg_pc(g->d);
    dbg_stepi(g->d, 1);
    if (!program || !only_stepped(g) || cpu->cpl == 3 || (cpl != 3 && !signal)) return;
    const struct past *way = dbg_past(g->d, 0);
    bool fault = cpl == 3 && way && way->t.kind == TR_EXCEPTION;
    if (!fault && !signal && !range) return;
    dbg_out_to(g->d, 3);
    if (!only_stepped(g) || signal || !fault || dbg_pc(g->d) != pc) return;
  }
}

static void run(struct gdbstub *g, bool step, int signal, u64 lo, u64 hi) {
  if (g->killed || !dbg_alive(g->d)) {
    if (gdb_gone(g)) gdb_put_stop(g);
    else put_end(g, 'X', GDB_SIGABRT);
    return;
  }
  const struct gdb_point *here = signal ? NULL : code_point_here(g);
  if (here) { /* to step over it gdb would have taken it away */
    begin_trap(g, GDB_SIGTRAP);
    put_breakpoint(g, here);
    gdb_put_expedited(g);
    return;
  }
  if (g->interrupt) { /* it came while nothing ran */
    g->interrupt = false;
    put_trap(g, GDB_SIGINT);
    return;
  }
  dbg_set_signal(g->d, signal);
  if (g->io.running) g->io.running(g->io.opaque, true);
  if (!step) dbg_continue(g->d);
  else step_once(g, signal, hi > lo);
  /* A range: as long as it is not left, without a word each time. */
  while (step && only_stepped(g) && dbg_pc(g->d) >= lo && dbg_pc(g->d) < hi &&
         !(g->io.interrupted && g->io.interrupted(g->io.opaque)))
    step_once(g, 0, true);
  if (g->io.running) g->io.running(g->io.opaque, false);
  if (needs_words(g)) gdb_tell(g, tell_stop, NULL);
  gdb_put_stop(g);
}

void gdb_resume(struct gdbstub *g, bool step, int signal) { run(g, step, signal, 0, 0); }

/* The program anew. Breakpoints stay. */
bool gdb_restart(struct gdbstub *g) {
  char err[256];
  if (dbg_restart(g->d, err, sizeof err)) {
    gdb_console(g, err, strlen(err));
    gdb_console(g, "\n", 1);
    return false;
  }
  g->killed = g->interrupt = false;
  return true;
}

/* c [ADDR], s [ADDR], C SIG[;ADDR], S SIG[;ADDR] */
void gdb_resume_packet(struct gdbstub *g, char how, struct gdb_text *t) {
  u64 signal = 0, addr;
  bool upper = how == 'C' || how == 'S';
  if (upper && !gdb_hex(t, &signal)) {
    gdb_error(g, GDB_E_BAD);
    return;
  }
  if ((!upper || gdb_char(t, ';')) && gdb_hex(t, &addr) && dbg_alive(g->d)) gdb_set_pc(g, addr);
  gdb_resume(g, how == 's' || how == 'S', linux_signal(signal));
}

/* ACTION[:THREAD][;...]: the first that is for our thread. */
void gdb_vcont(struct gdbstub *g, struct gdb_text *t) {
  do {
    char how = t->at < t->end ? (char)*t->at++ : 0;
    u64 signal = 0, lo = 0, hi = 0;
    bool good = strchr("cCsSr", how) && how;
    if (good && (how == 'C' || how == 'S')) good = gdb_hex(t, &signal);
    if (good && how == 'r') good = gdb_hex(t, &lo) && gdb_char(t, ',') && gdb_hex(t, &hi);
    if (!good) break;
    if (gdb_char(t, ':') && !gdb_thread(t, g)) {
      while (t->at < t->end && *t->at != ';') t->at++;
      continue;
    }
    run(g, how != 'c' && how != 'C', linux_signal(signal), gdb_address(g, lo), gdb_address(g, hi));
    return;
  } while (gdb_char(t, ';'));
  gdb_error(g, GDB_E_BAD);
}

/* ---- points ---- */

static void remove_point(struct gdbstub *g, unsigned k) {
  struct point *p = dbg_point(g->d, g->point[k].number);
  if (p) dbg_delete_point(g->d, p);
  g->point[k] = g->point[--g->points];
}

static bool make_room(struct gdbstub *g) {
  if (g->points < g->points_room) return true;
  unsigned room = g->points_room ? 2 * g->points_room : 32;
  struct gdb_point *p = room <= GDB_POINTS ? realloc(g->point, room * sizeof *p) : NULL;
  if (!p) return false;
  g->point = p;
  g->points_room = room;
  return true;
}

static bool add_point(struct gdbstub *g, struct gdb_point p) {
  static const u8 kind[] = {POINT_BREAK, POINT_BREAK, POINT_WATCH, POINT_RWATCH, POINT_AWATCH};
  char text[64];
  snprintf(text, sizeof text, "gdb's at 0x%llx", (unsigned long long)p.addr);
  struct point like = {.kind = (enum point_kind)kind[p.type], .enabled = true, .text = text, .addr = p.addr,
                       .len = p.len};
  const struct point *made = make_room(g) ? dbg_add_point(g->d, &like) : NULL;
  if (!made) return false;
  p.number = made->number;
  g->point[g->points++] = p;
  return true;
}

/* An i386 program's address may have been in ring 0's half when it was given, and not now. */
static bool same_point(const struct gdbstub *g, const struct gdb_point *a, const struct gdb_point *b) {
  bool same = g->wide ? a->addr == b->addr : (u32)a->addr == (u32)b->addr;
  return same && a->type == b->type && a->len == b->len;
}

/* TYPE,ADDR,KIND: a watchpoint's kind is its length. */
void gdb_point(struct gdbstub *g, struct gdb_text *t, bool insert) {
  u64 type, addr, kind;
  if (!gdb_hex(t, &type) || !gdb_char(t, ',') || !gdb_hex(t, &addr) || !gdb_char(t, ',') ||
      !gdb_hex(t, &kind)) {
    gdb_error(g, GDB_E_BAD);
    return;
  }
  if (type > 4) return; /* not known */
  struct gdb_point p = {.type = (u8)type, .addr = gdb_address(g, addr), .len = type < 2 ? 1 : kind};
  unsigned k = 0;
  while (k < g->points && !same_point(g, &g->point[k], &p)) k++;
  bool there = k < g->points;
  if (there && insert && !dbg_point(g->d, g->point[k].number)) { /* the user has deleted it */
    remove_point(g, k);
    there = false;
  }
  if (!p.len || p.addr + (p.len - 1) < p.addr) gdb_error(g, GDB_E_BAD);
  else if (insert && !there && !add_point(g, p)) gdb_error(g, GDB_E_LONG);
  else gdb_put(g, "OK");
  if (!insert && there) remove_point(g, k);
}

static void catch_nothing(struct gdbstub *g) {
  for (unsigned k = 0; k < g->caughts; k++) {
    struct point *p = dbg_point(g->d, g->caught[k]);
    if (p) dbg_delete_point(g->d, p);
  }
  free(g->caught);
  g->caught = NULL;
  g->caughts = 0;
}

static bool catch_call(struct gdbstub *g, int number) {
  struct point like = {.kind = POINT_SYSCALL, .enabled = true, .text = (char *)(uintptr_t)"gdb's catch syscall",
                       .number_of = number, .i386 = !g->wide};
  unsigned *grown = realloc(g->caught, (g->caughts + 1) * sizeof *grown);
  if (!grown) return false;
  g->caught = grown;
  const struct point *p = dbg_add_point(g->d, &like);
  if (p) g->caught[g->caughts++] = p->number;
  return p;
}

/* 0, or 1[;NUMBER...] */
void gdb_catch_syscalls(struct gdbstub *g, struct gdb_text *t) {
  u64 number;
  bool good = true;
  catch_nothing(g);
  if (gdb_char(t, '0') && !gdb_left(t)) {
    gdb_put(g, "OK");
    return;
  }
  if (!gdb_char(t, '1')) good = false;
  else if (!gdb_left(t)) good = catch_call(g, -1);
  while (good && gdb_char(t, ';'))
    good = gdb_hex(t, &number) && number < 1 << 16 && catch_call(g, (int)number);
  if (good && !gdb_left(t)) gdb_put(g, "OK");
  else gdb_error(g, GDB_E_BAD);
}

void gdb_points_free(struct gdbstub *g) {
  while (g->points) remove_point(g, g->points - 1);
  free(g->point);
  g->point = NULL;
  g->points_room = 0;
  catch_nothing(g);
}
