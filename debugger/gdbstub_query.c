/* The gdb stub: queries, settings, and the objects that gdb reads in parts. GDB manual, E.4 (General Query Packets). */
#define _GNU_SOURCE
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/gdbstub_inside.h"

/* ---- objects ---- */

/* The part that was asked for: 'm' if there is more, 'l' if not. */
static void put_part(struct gdbstub *g, const void *bytes, size_t size, u64 offset, u64 length) {
  if (offset > size) {
    gdb_error(g, GDB_E_BAD);
    return;
  }
  size_t left = size - (size_t)offset, part = length < left ? (size_t)length : left;
  if (part > GDB_PACKET / 2) part = GDB_PACKET / 2; /* each byte may become two */
  gdb_put(g, part < left ? "m" : "l");
  gdb_put_binary(g, (const u8 *)bytes + offset, part);
}

static void put_auxv(struct gdbstub *g, u64 offset, u64 length) {
  u8 buf[1024];
  struct dbg_target *t = dbg_target(g->d);
  unsigned n = t->auxv ? t->auxv(t->opaque, buf, sizeof buf) : 0;
  if (n) put_part(g, buf, n, offset, length);
  else gdb_error(g, GDB_E_BAD);
}

/* What stopped the program, as the kernel would tell a debugger: a signal, or a trap as INT3, TF or DR7 make it. */
static struct dbg_signal signal_of(struct gdbstub *g) {
  const struct stop *s = dbg_stop(g->d);
  enum point_kind kind = s->why == STOP_POINT && s->point ? s->point->kind : POINT_BREAK;
  if (s->why == STOP_SIGNAL || kind == POINT_SIGNAL) return s->signal;
  if (s->why == STOP_INTERRUPTED) return (struct dbg_signal){.signo = SIGINT, .code = SI_KERNEL};
  if (s->why == STOP_POINT && kind == POINT_BREAK)
    return (struct dbg_signal){.signo = SIGTRAP, .code = SI_KERNEL};
  bool watch = kind == POINT_WATCH || kind == POINT_RWATCH || kind == POINT_AWATCH;
  return (struct dbg_signal){.signo = SIGTRAP, .code = watch ? TRAP_HWBKPT : TRAP_TRACE, .addr = dbg_pc(g->d)};
}

/* struct siginfo as Linux has it for either ABI. man 2 sigaction */
static void put_siginfo(struct gdbstub *g, u64 offset, u64 length) {
  struct dbg_signal sig = signal_of(g);
  u8 info[128] = {0};
  s32 head[3] = {sig.signo, 0, sig.code};
  memcpy(info, head, sizeof head);
  u64 rest = sig.code > 0 ? sig.addr : sig.value;
  memcpy(info + (g->wide ? 16 : 12), &rest, g->wide ? 8 : 4);
  put_part(g, info, sizeof info, offset, length);
}

static void put_threads(struct gdbstub *g, u64 offset, u64 length) {
  const struct dbg_target *t = dbg_target(g->d);
  char text[256], id[32];
  if (g->multiprocess) snprintf(id, sizeof id, "p%x.%x", (unsigned)t->pid, (unsigned)t->tid);
  else snprintf(id, sizeof id, "%x", (unsigned)t->tid);
  char thread[64] = "";
  if (!gdb_gone(g)) snprintf(thread, sizeof thread, "<thread id=\"%s\" core=\"0\"/>\n", id);
  int n = snprintf(text, sizeof text, "<?xml version=\"1.0\"?>\n<threads>\n%s</threads>\n", thread);
  put_part(g, text, (size_t)n, offset, length);
}

/* A machine's linear addresses lead wherever its page tables say: all of them may be memory. */
static void put_memory_map(struct gdbstub *g, u64 offset, u64 length) {
  static const char map[] =
      "<?xml version=\"1.0\"?>\n"
      "<!DOCTYPE memory-map PUBLIC \"+//IDN gnu.org//DTD GDB Memory Map V1.0//EN\" "
      "\"http://sourceware.org/gdb/gdb-memory-map.dtd\">\n"
      "<memory-map>\n<memory type=\"ram\" start=\"0x0\" length=\"0x8000000000000000\"/>\n"
      "<memory type=\"ram\" start=\"0x8000000000000000\" length=\"0x8000000000000000\"/>\n</memory-map>\n";
  put_part(g, map, sizeof map - 1, offset, length);
}

/* Xfer:OBJECT:read:ANNEX:OFFSET,LENGTH */
static void transfer(struct gdbstub *g, struct gdb_text *t) {
  struct gdb_text object = *t, annex;
  u64 offset, length;
  bool machine = dbg_target(g->d)->machine;
  while (t->at < t->end && *t->at != ':') t->at++;
  object.end = t->at;
  if (!gdb_word(t, ":read:")) return; /* nothing can be written so */
  annex = *t;
  while (t->at < t->end && *t->at != ':') t->at++;
  annex.end = t->at;
  if (!gdb_char(t, ':') || !gdb_hex(t, &offset) || !gdb_char(t, ',') || !gdb_hex(t, &length)) {
    gdb_error(g, GDB_E_BAD);
    return;
  }
  if (gdb_word(&object, "features")) {
    if (gdb_word(&annex, "target.xml")) put_part(g, g->xml, g->xml_n, offset, length);
    else gdb_put(g, "E00");
  } else if (gdb_word(&object, "auxv") && !machine) {
    put_auxv(g, offset, length);
  } else if (gdb_word(&object, "exec-file") && g->path) {
    put_part(g, g->path, strlen(g->path), offset, length);
  } else if (gdb_word(&object, "siginfo") && !machine) {
    put_siginfo(g, offset, length);
  } else if (gdb_word(&object, "threads")) {
    put_threads(g, offset, length);
  } else if (gdb_word(&object, "memory-map") && machine) {
    put_memory_map(g, offset, length);
  }
}

/* ---- queries ---- */

/* Supported:FEATURE;... : what the client can. And what we can. */
static void supported(struct gdbstub *g, struct gdb_text *t) {
  bool machine = dbg_target(g->d)->machine;
  gdb_char(t, ':');
  while (gdb_left(t)) {
    if (gdb_word(t, "multiprocess+")) g->multiprocess = true;
    else if (gdb_word(t, "swbreak+")) g->swbreak = true;
    else if (gdb_word(t, "hwbreak+")) g->hwbreak = true;
    while (t->at < t->end && *t->at++ != ';') {}
  }
  gdb_put(g, "PacketSize=%x;QStartNoAckMode+;multiprocess+;swbreak+;hwbreak+;vContSupported+;"
             "qXfer:features:read+;qXfer:threads:read+", GDB_PACKET);
  if (machine) gdb_put(g, ";qXfer:memory-map:read+");
  else gdb_put(g, ";qXfer:auxv:read+;qXfer:siginfo:read+;QPassSignals+;QCatchSyscalls+");
  if (g->path) gdb_put(g, ";qXfer:exec-file:read+");
}

static void command(struct gdbstub *g, const void *line) {
  if (!dbg_command(g->d, line)) g->end = GDB_KILLED;
}

/* Rcmd,HEX: a command line of ours. */
static void monitor(struct gdbstub *g, struct gdb_text *t) {
  char line[1024];
  size_t n = gdb_hex_bytes(t, (u8 *)line, sizeof line - 1);
  line[n] = 0;
  if (gdb_left(t)) {
    gdb_error(g, GDB_E_BAD);
    return;
  }
  if (g->io.running) g->io.running(g->io.opaque, true); /* it may be a command that runs */
  gdb_tell(g, command, line);
  if (g->io.running) g->io.running(g->io.opaque, false);
  gdb_put(g, "OK");
}

/* Where the program is loaded, beyond what its file says. */
static void offsets(struct gdbstub *g) {
  struct dbg_target *t = dbg_target(g->d);
  struct dbg_module m;
  if (t->machine || !t->module || !t->module(t->opaque, 0, &m)) return;
  gdb_put(g, "Text=%" PRIx64 ";Data=%" PRIx64 ";Bss=%" PRIx64, m.bias, m.bias, m.bias);
}

void gdb_query(struct gdbstub *g, struct gdb_text *t) {
  if (gdb_word(t, "Supported")) {
    supported(g, t);
  } else if (gdb_word(t, "Xfer:")) {
    transfer(g, t);
  } else if (gdb_word(t, "Rcmd,")) {
    monitor(g, t);
  } else if (gdb_word(t, "fThreadInfo")) {
    gdb_put(g, "%s", gdb_gone(g) ? "l" : "m");
    if (!gdb_gone(g)) gdb_put_thread(g);
  } else if (gdb_word(t, "sThreadInfo")) {
    gdb_put(g, "l");
  } else if (gdb_word(t, "ThreadExtraInfo,")) {
    char text[32];
    int n = snprintf(text, sizeof text, "ring %u", dbg_cpu(g->d)->cpl);
    gdb_put_hex(g, text, (size_t)n);
  } else if (gdb_word(t, "Attached")) {
    gdb_put(g, "0"); /* gdb's end is the program's */
  } else if (gdb_word(t, "Offsets")) {
    offsets(g);
  } else if (gdb_word(t, "Symbol:")) {
    gdb_put(g, "OK");
  } else if (gdb_word(t, "C") && !gdb_left(t) && !gdb_gone(g)) {
    gdb_put(g, "QC");
    gdb_put_thread(g);
  }
}

void gdb_set(struct gdbstub *g, struct gdb_text *t) {
  bool machine = dbg_target(g->d)->machine;
  if (gdb_word(t, "StartNoAckMode")) {
    g->no_ack = true;
    gdb_put(g, "OK");
  } else if (gdb_word(t, "PassSignals:") && !machine) {
    gdb_pass_signals(g, t);
  } else if (gdb_word(t, "CatchSyscalls:") && !machine) {
    gdb_catch_syscalls(g, t);
  } else if (gdb_word(t, "NonStop:0")) {
    gdb_put(g, "OK");
  }
}
