/* The gdb stub: frames of bytes, replies, and which packet is whose. GDB manual, E.1 (Overview), E.2 (Packets). */
#include "debugger/gdbstub.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/gdbstub_inside.h"

/* ---- reading ---- */

static int digit(u8 c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool gdb_hex(struct gdb_text *t, u64 *v) {
  const u8 *start = t->at;
  *v = 0;
  for (; t->at < t->end && digit(*t->at) >= 0; t->at++) *v = *v << 4 | (u64)digit(*t->at);
  return t->at > start;
}

bool gdb_char(struct gdb_text *t, char c) {
  if (t->at == t->end || *t->at != (u8)c) return false;
  t->at++;
  return true;
}

bool gdb_word(struct gdb_text *t, const char *word) {
  size_t n = strlen(word);
  if (gdb_left(t) < n || memcmp(t->at, word, n)) return false;
  t->at += n;
  return true;
}

size_t gdb_hex_bytes(struct gdb_text *t, u8 *to, size_t room) {
  size_t n = 0;
  for (; n < room && gdb_left(t) >= 2 && digit(t->at[0]) >= 0 && digit(t->at[1]) >= 0; t->at += 2)
    to[n++] = (u8)(digit(t->at[0]) << 4 | digit(t->at[1]));
  return n;
}

/* ---- replies ---- */

void gdb_put(struct gdbstub *g, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  size_t room = sizeof g->reply - g->reply_n;
  int n = vsnprintf(g->reply + g->reply_n, room, fmt, ap);
  va_end(ap);
  if (n < 0 || (size_t)n >= room) g->reply_full = true;
  else g->reply_n += (size_t)n;
}

void gdb_put_hex(struct gdbstub *g, const void *bytes, size_t n) {
  static const char digits[] = "0123456789abcdef";
  const u8 *p = bytes;
  if (n > (sizeof g->reply - g->reply_n - 1) / 2) {
    g->reply_full = true;
    return;
  }
  for (; n--; p++) {
    g->reply[g->reply_n++] = digits[*p >> 4];
    g->reply[g->reply_n++] = digits[*p & 15];
  }
}

size_t gdb_put_binary(struct gdbstub *g, const void *bytes, size_t n) {
  const u8 *p = bytes;
  size_t k = 0;
  for (; k < n && g->reply_n + 2 < sizeof g->reply; k++) {
    bool escape = strchr("#$}*", p[k]) && p[k];
    if (escape) g->reply[g->reply_n++] = '}';
    g->reply[g->reply_n++] = (char)(escape ? p[k] ^ 0x20 : p[k]);
  }
  return k;
}

void gdb_error(struct gdbstub *g, unsigned number) {
  g->reply_n = 0;
  gdb_put(g, "E%02x", number & 0xff);
}

/* How many repetitions one count may say: its character must not be one of the protocol's own. */
static size_t countable(size_t repeats) {
  enum { MOST = 97 };
  size_t n = repeats < MOST ? repeats : MOST;
  switch (n + 29) {
    case '#': return n - 1;
    case '$': return n - 2;
    case '+':
    case '-': return n - 1;
    default: return n;
  }
}

static void send_frame(struct gdbstub *g, const char *body, size_t n) {
  char *to = g->frame;
  u8 sum = 0;
  *to++ = '$';
  for (size_t k = 0; k < n;) {
    size_t run = 1;
    while (k + run < n && body[k + run] == body[k]) run++;
    size_t repeats = run > 3 ? countable(run - 1) : 0;
    *to++ = body[k];
    if (repeats) {
      *to++ = '*';
      *to++ = (char)(repeats + 29);
    }
    k += 1 + repeats;
  }
  for (const char *p = g->frame + 1; p < to; p++) sum = (u8)(sum + (u8)*p);
  to += sprintf(to, "#%02x", sum);
  g->frame_n = (size_t)(to - g->frame);
  g->io.send(g->io.opaque, g->frame, g->frame_n);
}

void gdb_console(struct gdbstub *g, const char *text, size_t n) {
  enum { PART = 1024 };
  static const char digits[] = "0123456789abcdef";
  char body[1 + 2 * PART];
  while (n) {
    size_t part = n < PART ? n : PART, at = 0;
    body[at++] = 'O';
    for (size_t k = 0; k < part; k++) {
      body[at++] = digits[(u8)text[k] >> 4];
      body[at++] = digits[text[k] & 15];
    }
    send_frame(g, body, at);
    text += part;
    n -= part;
  }
}

void gdb_tell(struct gdbstub *g, void (*tell)(struct gdbstub *g, const void *what), const void *what) {
  struct out *o = dbg_out(g->d);
  FILE *before = out_file(o);
  bool json = out_json(o);
  char *text = NULL;
  size_t n = 0;
  FILE *f = open_memstream(&text, &n);
  if (f) {
    out_set_file(o, f);
    out_set_json(o, false);
  }
  tell(g, what);
  out_set_file(o, before);
  out_set_json(o, json);
  if (f && !fclose(f) && text) gdb_console(g, text, n);
  free(text);
}

/* ---- threads: there is one ---- */

void gdb_put_thread(struct gdbstub *g) {
  const struct dbg_target *t = dbg_target(g->d);
  if (g->multiprocess) gdb_put(g, "p%x.", (unsigned)t->pid);
  gdb_put(g, "%x", (unsigned)t->tid);
}

/* 0 and -1 are any and all. */
static bool is_id(struct gdb_text *t, int mine) {
  u64 v;
  if (gdb_word(t, "-1")) return true;
  return gdb_hex(t, &v) && (!v || v == (u64)(unsigned)mine);
}

bool gdb_thread(struct gdb_text *t, const struct gdbstub *g) {
  const struct dbg_target *target = dbg_target(g->d);
  if (!gdb_char(t, 'p')) return is_id(t, target->tid);
  return is_id(t, target->pid) && (!gdb_char(t, '.') || is_id(t, target->tid));
}

/* ---- memory ---- */

u64 gdb_address(const struct gdbstub *g, u64 addr) {
  u64 high = dbg_pc(g->d) & ~UINT64_C(0xffffffff);
  u8 byte;
  if (g->wide) return addr;
  addr &= 0xffffffff;
  return high && !dbg_peek(g->d, addr, &byte, 1) ? high | addr : addr;
}

static void read_memory(struct gdbstub *g, struct gdb_text *t) {
  u8 buf[GDB_PACKET];
  u64 addr, n;
  if (!gdb_hex(t, &addr) || !gdb_char(t, ',') || !gdb_hex(t, &n) || gdb_left(t)) {
    gdb_error(g, GDB_E_BAD);
    return;
  }
  if (n > sizeof buf / 2) n = sizeof buf / 2;
  unsigned done = dbg_peek(g->d, gdb_address(g, addr), buf, (unsigned)n);
  if (!done && n) gdb_error(g, GDB_E_MEMORY);
  else gdb_put_hex(g, buf, done < n ? done : n);
}

/* Bytes behind a '}' are turned round. */
static size_t unescape(const struct gdb_text *t, u8 *to, size_t room) {
  size_t n = 0;
  for (const u8 *p = t->at; p < t->end && n < room; p++) {
    bool escaped = *p == '}' && p + 1 < t->end;
    if (escaped) p++;
    to[n++] = escaped ? *p ^ 0x20 : *p;
  }
  return n;
}

static void write_memory(struct gdbstub *g, struct gdb_text *t, bool binary) {
  u8 buf[GDB_PACKET];
  u64 addr, n;
  if (!gdb_hex(t, &addr) || !gdb_char(t, ',') || !gdb_hex(t, &n) || !gdb_char(t, ':') || n > sizeof buf ||
      (binary ? unescape(t, buf, sizeof buf) : gdb_hex_bytes(t, buf, sizeof buf)) != n) {
    gdb_error(g, GDB_E_BAD);
    return;
  }
  if (n && dbg_poke(g->d, gdb_address(g, addr), buf, (unsigned)n) != n) gdb_error(g, GDB_E_MEMORY);
  else gdb_put(g, "OK");
}

/* ---- packets ---- */

static void end_session(struct gdbstub *g, enum gdb_end how, bool reply) {
  g->end = how;
  if (reply) gdb_put(g, "OK");
  else g->reply_none = true;
}

static void kill_program(struct gdbstub *g, bool reply) {
  if (!g->extended) {
    end_session(g, GDB_KILLED, reply);
    return;
  }
  g->killed = true;
  if (reply) gdb_put(g, "OK");
  else g->reply_none = true;
}

/* Run;FILE[;ARGUMENT...], in hexadecimal: the program of our command line, and its arguments if there are none here. */
static void run_program(struct gdbstub *g, struct gdb_text *t) {
  char file[4096], *real = NULL, *args = (char *)g->packet; /* decoded in place, behind what is read */
  const char *argv[GDB_ARGS];
  unsigned argc = 0;
  size_t n = gdb_hex_bytes(t, (u8 *)file, sizeof file - 1);
  struct dbg_target *target = dbg_target(g->d);
  file[n] = 0;
  if (n && g->path) real = realpath(file, NULL);
  bool ours = !n || !g->path || (real && !strcmp(real, g->path));
  free(real);
  while (ours && argc < GDB_ARGS && gdb_char(t, ';')) {
    argv[argc++] = args;
    args += gdb_hex_bytes(t, (u8 *)args, gdb_left(t));
    *args++ = 0;
  }
  if (!ours || gdb_left(t) || (argc && (!target->arguments || target->arguments(target->opaque, argc, argv)))) {
    static const char text[] = "ringwalk runs the program that it was started with\n";
    if (!ours) gdb_console(g, text, sizeof text - 1);
    gdb_error(g, GDB_E_BAD);
  } else if (gdb_restart(g)) {
    gdb_put_stop(g);
  } else {
    gdb_error(g, GDB_E_GONE);
  }
}

static void v_packet(struct gdbstub *g, struct gdb_text *t) {
  if (gdb_word(t, "Cont?")) gdb_put(g, "vCont;c;C;s;S;r");
  else if (gdb_word(t, "Cont;")) gdb_vcont(g, t);
  else if (gdb_word(t, "File:")) gdb_file_packet(g, t);
  else if (gdb_word(t, "Kill;") || gdb_word(t, "Kill")) kill_program(g, true);
  else if (gdb_word(t, "Run;")) run_program(g, t);
}

/* Registers and memory, which end with the target. */
static bool state_packet(struct gdbstub *g, char kind, struct gdb_text *t) {
  if (!strchr("gGpPmMXZz", kind)) return false;
  if (gdb_gone(g)) {
    gdb_error(g, GDB_E_GONE);
    return true;
  }
  switch (kind) {
    case 'g': gdb_read_all(g); break;
    case 'G': gdb_write_all(g, t); break;
    case 'p': gdb_read_one(g, t); break;
    case 'P': gdb_write_one(g, t); break;
    case 'm': read_memory(g, t); break;
    case 'M': write_memory(g, t, false); break;
    case 'X': write_memory(g, t, true); break;
    default: gdb_point(g, t, kind == 'Z'); break;
  }
  return true;
}

/* A packet that is not known has an empty reply. */
static void packet(struct gdbstub *g, struct gdb_text *t) {
  char kind = t->at < t->end ? (char)*t->at++ : 0;
  if (!kind || state_packet(g, kind, t)) return;
  switch (kind) {
    case '?': gdb_put_stop(g); break;
    case 'c':
    case 'C':
    case 's':
    case 'S': gdb_resume_packet(g, kind, t); break;
    case 'v': v_packet(g, t); break;
    case 'q': gdb_query(g, t); break;
    case 'Q': gdb_set(g, t); break;
    case 'H':
      if (gdb_left(t)) t->at++; /* for which packets: all the same with one thread */
      if (gdb_thread(t, g)) gdb_put(g, "OK");
      else gdb_error(g, GDB_E_GONE);
      break;
    case 'T':
      if (gdb_thread(t, g) && !gdb_gone(g)) gdb_put(g, "OK");
      else gdb_error(g, GDB_E_GONE);
      break;
    case 'D': end_session(g, GDB_DETACHED, true); break;
    case 'k': kill_program(g, false); break;
    case '!':
      g->extended = true;
      gdb_put(g, "OK");
      break;
    case 'R':
      (void)gdb_restart(g);
      g->reply_none = true;
      break;
    default: break;
  }
}

static void answer(struct gdbstub *g) {
  struct gdb_text t = {g->packet, g->packet + g->packet_n};
  g->reply_n = 0;
  g->reply_full = g->reply_none = false;
  if (g->packet_n > GDB_PACKET) gdb_error(g, GDB_E_LONG);
  else packet(g, &t);
  if (g->reply_full) gdb_error(g, GDB_E_LONG);
  if (!g->reply_none) send_frame(g, g->reply, g->reply_n);
}

/* ---- the stream ---- */

static void begin_packet(struct gdbstub *g) {
  g->state = GDB_BODY;
  g->packet_n = 0;
  g->sum = 0;
}

static void end_packet(struct gdbstub *g) {
  bool good = g->sum == g->claimed;
  g->state = GDB_IDLE;
  if (!g->no_ack) g->io.send(g->io.opaque, good ? "+" : "-", 1);
  if (good || g->no_ack) answer(g);
}

static void take(struct gdbstub *g, u8 c) {
  switch (g->state) {
    case GDB_IDLE:
      if (c == '$') begin_packet(g);
      else if (c == GDB_INTERRUPT) g->interrupt = true;
      else if (c == '-' && !g->no_ack && g->frame_n) g->io.send(g->io.opaque, g->frame, g->frame_n);
      break; /* '+', noise */
    case GDB_BODY:
      if (c == '$') { /* the last one was cut off */
        begin_packet(g);
      } else if (c == '#') {
        g->state = GDB_SUM1;
      } else {
        g->sum = (u8)(g->sum + c);
        if (g->packet_n < GDB_PACKET) g->packet[g->packet_n++] = c;
        else g->packet_n = GDB_PACKET + 1;
      }
      break;
    case GDB_SUM1:
    case GDB_SUM2: {
      int v = digit(c);
      g->claimed = (u8)((unsigned)g->claimed << 4 | ((unsigned)v & 15));
      g->state = v >= 0 && g->state == GDB_SUM1 ? GDB_SUM2 : GDB_IDLE;
      if (v >= 0 && g->state == GDB_IDLE) end_packet(g);
      break;
    }
  }
}

enum gdb_end gdbstub_feed(struct gdbstub *g, const void *bytes, size_t n) {
  const u8 *p = bytes;
  while (n-- && g->end == GDB_GOES_ON) take(g, *p++);
  return g->end;
}

/* ---- making ---- */

/* Every signal stops until the client has said otherwise. */
static void stop_for_signals(struct gdbstub *g) {
  for (int n = 1; n < SIGNALS; n++) *dbg_signal_policy(g->d, n) = (struct signal_policy){true, false, true};
}

void gdbstub_connected(struct gdbstub *g) {
  g->state = GDB_IDLE;
  g->end = GDB_GOES_ON;
  g->no_ack = g->multiprocess = g->swbreak = g->hwbreak = g->extended = g->interrupt = false;
  g->frame_n = 0;
  stop_for_signals(g);
}

bool gdbstub_disconnected(struct gdbstub *g) {
  gdb_points_free(g);
  gdb_files_close(g);
  return g->killed;
}

static bool is_wide(struct dbg *d) { return dbg_target(d)->machine || dbg_bits(d) == 64; }

struct gdbstub *gdbstub_create(struct dbg *d, const struct gdb_io *io) {
  struct gdbstub *g = calloc(1, sizeof *g);
  struct dbg_module m;
  const struct dbg_target *t = dbg_target(d);
  if (!g) return NULL;
  g->d = d;
  g->io = *io;
  dbg_forbid_files(d, true);
  g->wide = is_wide(d);
  /* The target may change its directory later. */
  if (!t->machine && t->module && t->module(t->opaque, 0, &m) && m.path) g->path = realpath(m.path, NULL);
  if (gdb_regs_create(g)) {
    gdbstub_destroy(g);
    return NULL;
  }
  gdbstub_connected(g);
  return g;
}

void gdbstub_destroy(struct gdbstub *g) {
  if (!g) return;
  (void)gdbstub_disconnected(g);
  dbg_forbid_files(g->d, false);
  free(g->path);
  free(g->xml);
  free(g);
}
