/* Commands that look at values, memory, code and frames, and that change them. */
#define _GNU_SOURCE
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cpu/mem.h"
#include "debugger/command.h"
#include "mmu/physmem.h"

/* ---- formats ---- */

struct format { u64 count; char how, unit; };

/* "/4xg": moves args on. Letters that are not there keep their value. */
static bool format(struct dbg *d, const char **args, struct format *f) {
  enum { MOST = 1 << 20 };
  const char *s = *args;
  if (*s != '/') return true;
  s++;
  if (isdigit((unsigned char)*s)) {
    f->count = 0;
    for (; isdigit((unsigned char)*s); s++)
      if (f->count <= MOST) f->count = f->count * 10 + (u64)(*s - '0');
    if (f->count > MOST) {
      out_error(d->out, "so many? at most %d", MOST);
      return false;
    }
  }
  for (; *s && !isspace((unsigned char)*s); s++) {
    if (strchr("bhwg", *s)) f->unit = *s;
    else if (strchr("xduotcasizf", *s)) f->how = *s;
    else {
      out_error(d->out, "'%c' is no format: x d u o t c a z f, s for strings, i for instructions; units b h w g", *s);
      return false;
    }
  }
  *args = command_skip(s);
  return true;
}

static unsigned unit_bytes(char unit) { return unit == 'b' ? 1 : unit == 'h' ? 2 : unit == 'w' ? 4 : 8; }

static void binary(char *buf, size_t n, u64 v) {
  char bits[65];
  unsigned k = 64;
  bits[64] = 0;
  do bits[--k] = (char)('0' + (v & 1)), v >>= 1;
  while (v && k);
  snprintf(buf, n, "%s", bits + k);
}

/* As a number of the unit's own format: single or double precision; other sizes as integers, as gdb has it. */
static void floating(char *buf, size_t n, u64 v, unsigned bytes) {
  u32 low = (u32)v;
  float single;
  double wide;
  memcpy(&single, &low, sizeof single);
  memcpy(&wide, &v, sizeof wide);
  if (bytes == 4) snprintf(buf, n, "%.9g", (double)single);
  else if (bytes == 8) snprintf(buf, n, "%.17g", wide);
  else snprintf(buf, n, "%" PRIu64, v);
}

static void show(struct dbg *d, char *buf, size_t n, char how, u64 v, unsigned bytes) {
  unsigned shift = 64 - 8 * bytes;
  s64 s = (s64)(v << shift) >> shift;
  char place[160] = "";
  switch (how) {
    case 'd': snprintf(buf, n, "%" PRId64, s); break;
    case 'u': snprintf(buf, n, "%" PRIu64, v); break;
    case 'o': snprintf(buf, n, "0%" PRIo64, v); break;
    case 't': binary(buf, n, v); break;
    case 'f': floating(buf, n, v, bytes); break;
    case 'z': snprintf(buf, n, "0x%0*" PRIx64, (int)bytes * 2, v); break;
    case 'c': snprintf(buf, n, isprint((int)(v & 0xff)) ? "%" PRId64 " '%c'" : "%" PRId64, s, (char)v); break;
    case 'a':
      sym_name(d->syms, v, place, sizeof place);
      snprintf(buf, n, *place ? "0x%" PRIx64 " <%s>" : "0x%" PRIx64, v, place);
      break;
    default: snprintf(buf, n, "0x%" PRIx64, v);
  }
}

static void print(struct dbg *d, const char *args, bool keep) {
  struct format f = {1, 0, 0};
  struct value v;
  char err[256], text[256];
  if (!format(d, &args, &f)) return;
  if (!*args) {
    out_error(d->out, "what? an expression such as $rax, main, u32[$rsp]");
    return;
  }
  if (dbg_eval_value(d, args, &v, NULL, err, sizeof err)) {
    out_error(d->out, "%s", err);
    return;
  }
  unsigned bytes = v.kind == VALUE_MEMORY ? v.bytes : v.kind == VALUE_REGISTER && v.width >= 8 ? v.width / 8 : 8;
  if (!f.how) {
    char hex[64], decimal[64];
    show(d, hex, sizeof hex, 'a', v.v, bytes);
    show(d, decimal, sizeof decimal, 'd', v.v, bytes);
    snprintf(text, sizeof text, v.v < 10 ? "%s" : "%s = %s", v.v < 10 ? decimal : hex, decimal);
  } else {
    show(d, text, sizeof text, f.how, v.v, bytes);
  }
  if (keep) {
    unsigned number = variables_keep(d, v.v);
    out_num(d->out, "number", number, "$%llu = ");
  }
  out_hex(d->out, "value", v.v, NULL);
  out_str(d->out, "text", text, keep ? "%s\n" : "%s");
}
void cmd_print(struct dbg *d, const char *args) { print(d, args, true); }
void cmd_output(struct dbg *d, const char *args) { print(d, args, false); }

/* ---- memory ---- */

enum space { LINEAR, PHYSICAL, VIRTUAL };

static unsigned peek(struct dbg *d, enum space space, u64 addr, void *buf, unsigned n) {
  if (space != PHYSICAL) return dbg_peek(d, addr, buf, n);
  struct iovec to = {buf, n}, from = {phys_host(&d->cpu->vm->mem, addr, n), n};
  /* By the host's kernel: of a program, most of physical memory is not there, though it has an address. */
  return from.iov_base && process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)n ? n : 0;
}

static bool unreadable(struct dbg *d, u64 addr) {
  out_error(d->out, "no memory can be read at 0x%" PRIx64, addr);
  return false;
}

/* One string, with C's escapes. Its bytes, the end counted; 0: unreadable. */
static unsigned string_at(struct dbg *d, enum space space, u64 addr, char *buf, size_t size) {
  enum { MOST = 200 };
  size_t at = 0;
  unsigned n = 0;
  u8 c = 0;
  for (; n < MOST && at + 8 < size; n++) {
    if (peek(d, space, addr + n, &c, 1) != 1) break;
    if (!c) break;
    if (c == '"' || c == '\\') at += (size_t)snprintf(buf + at, size - at, "\\%c", c);
    else if (c == '\n') at += (size_t)snprintf(buf + at, size - at, "\\n");
    else if (isprint(c)) buf[at++] = (char)c;
    else at += (size_t)snprintf(buf + at, size - at, "\\%03o", c);
  }
  buf[at] = 0;
  return c || !n ? n + (n && peek(d, space, addr, &c, 1) != 1 ? 0u : 0u) + (n ? 0u : peek(d, space, addr, &c, 1)) : n + 1;
}

static u64 examine_strings(struct dbg *d, enum space space, u64 addr, u64 count) {
  char text[900];
  for (u64 k = 0; k < count; k++) {
    unsigned n = string_at(d, space, addr, text, sizeof text);
    if (!n) return unreadable(d, addr), addr;
    out_open(d->out, NULL);
    command_address(d, addr, "at");
    out_str(d->out, "text", text, ":\t\"%s\"\n");
    out_close(d->out);
    addr += n;
  }
  return addr;
}

static u64 examine_code(struct dbg *d, u64 addr, u64 count) {
  unsigned bits = dbg_code_bits(d, addr);
  u64 base = dbg_linear(d->cpu, CS, 0);
  for (u64 k = 0; k < count; k++) {
    out_open(d->out, NULL);
    unsigned n = command_instruction(d, addr, addr - base, bits, addr == dbg_pc(d));
    out_close(d->out);
    addr += n ? n : 1;
    if (!n) break;
  }
  return addr;
}

static u64 examine_words(struct dbg *d, enum space space, u64 addr, const struct format *f) {
  unsigned bytes = unit_bytes(f->unit), a_line = f->how == 't' ? 1 : f->how == 'a' || bytes == 8 ? 2 : bytes == 1 ? 8 : bytes == 2 ? 8 : 4;
  for (u64 k = 0; k < f->count; k += a_line) {
    u64 first;
    if (peek(d, space, addr, &first, bytes) != bytes) return unreadable(d, addr), addr;
    out_open(d->out, NULL);
    command_address(d, addr, "at");
    out_text(d->out, ":");
    out_open_list(d->out, "values");
    for (unsigned j = 0; j < a_line && k + j < f->count; j++) {
      u64 v = 0;
      char text[200];
      if (peek(d, space, addr, &v, bytes) != bytes) {
        out_text(d->out, "\n");
        out_close(d->out);
        out_close(d->out);
        return unreadable(d, addr), addr;
      }
      show(d, text, sizeof text, f->how == 'x' ? 'z' : f->how, v, bytes);
      out_str(d->out, NULL, text, "\t%s");
      addr += bytes;
    }
    out_close(d->out);
    out_text(d->out, "\n");
    out_close(d->out);
  }
  return addr;
}

static void examine(struct dbg *d, const char *args, enum space space) {
  struct commands *c = d->commands;
  struct format f = {1, c->x_format, c->x_size};
  u64 addr = c->next_x;
  if (!format(d, &args, &f)) return;
  char err[200];
  int segmented = space == PHYSICAL ? 1 : dbg_segment_offset(d, args, &addr, err, sizeof err);
  if (segmented < 0) {
    out_error(d->out, "%s", err);
    return;
  }
  if (segmented && space == VIRTUAL && strchr(args, ':')) {
    out_error(d->out, "'%.*s' is no segment register, and no selector", (int)strcspn(args, ":"), args);
    return;
  }
  if (segmented && *args && !command_value(d, args, &addr)) return;
  c->x_format = f.how;
  c->x_size = f.unit ? f.unit : 'w';
  out_open_list(d->out, "memory");
  if (f.how == 'i') addr = examine_code(d, addr, f.count);
  else if (f.how == 's') addr = examine_strings(d, space, addr, f.count);
  else addr = examine_words(d, space, addr, &f);
  out_close(d->out);
  c->next_x = addr;
  if (variables_set(d, "_", addr)) out_error(d->out, "out of memory");
}
void cmd_x(struct dbg *d, const char *args) { examine(d, args, LINEAR); }
void cmd_xp(struct dbg *d, const char *args) { examine(d, args, PHYSICAL); }
void cmd_xv(struct dbg *d, const char *args) { examine(d, args, VIRTUAL); }

/* Where memory may be readable next, behind a: a program's next mapping. */
static u64 next_readable(struct dbg *d, u64 a, unsigned chunk) {
  struct dbg_mapping m;
  u64 next = UINT64_MAX;
  if (!d->target.mapping) return a + chunk;
  for (unsigned n = 0; d->target.mapping(d->target.opaque, n, &m); n++)
    if (m.lo > a && m.lo < next) next = m.lo;
  return next;
}

/* find[/bhwg] START, +LENGTH|END, VALUE */
void cmd_find(struct dbg *d, const char *args) {
  enum { CHUNK = 4096, MOST = 100 };
  struct format f = {1, 'x', 'w'};
  struct value start, end, what;
  const char *at;
  char err[200];
  u8 buf[CHUNK + 8];
  if (!format(d, &args, &f)) return;
  bool good = !dbg_eval_value(d, args, &start, &at, err, sizeof err) && *at == ',';
  bool relative = good && *command_skip(at + 1) == '+';
  good = good && !dbg_eval_value(d, at + 1, &end, &at, err, sizeof err) && *at == ',' &&
         !dbg_eval_value(d, at + 1, &what, NULL, err, sizeof err);
  if (!good) {
    out_error(d->out, "it reads: find/w START, +LENGTH, VALUE (or START, END, VALUE)");
    return;
  }
  unsigned bytes = unit_bytes(f.unit), found = 0;
  u64 last = relative ? start.v + end.v : end.v, next;
  if (relative && last < start.v) last = UINT64_MAX;
  if (!d->target.mapping && last > start.v && last - start.v > UINT64_C(1) << 32) {
    out_error(d->out, "that is more than 4 GiB");
    return;
  }
  d->interrupted = 0;
  out_open_list(d->out, "found");
  for (u64 a = start.v; a < last && found < MOST; a = next) {
    unsigned want = last - a < CHUNK ? (unsigned)(last - a) : CHUNK, got = dbg_peek(d, a, buf, want + bytes - 1);
    if (got < bytes) got = dbg_peek(d, a, buf, want);
    next = got ? a + CHUNK : next_readable(d, a, CHUNK);
    if (next < a) next = UINT64_MAX;
    for (unsigned k = 0; k + bytes <= got && k < want && found < MOST; k++)
      if (!memcmp(buf + k, &what.v, bytes)) {
        command_address(d, a + k, NULL);
        out_text(d->out, "\n");
        found++;
      }
    if (d->interrupted) break;
  }
  out_close(d->out);
  out_text(d->out, found == MOST ? "the first %u; there may be more\n" : "%u found\n", found);
}

/* ---- code ---- */

static bool range(struct dbg *d, const char *args, u64 *from, u64 *to) {
  struct sym s;
  char place[256];
  const char *comma = strchr(args, ',');
  snprintf(place, sizeof place, "%.*s", comma ? (int)(comma - args) : (int)strlen(args), args);
  if (!*args && d->commands->next_disassemble) {
    *from = d->commands->next_disassemble;
    *to = *from + 64;
    return true;
  }
  if (!command_place(d, place, false, from)) return false;
  if (comma) {
    const char *end = command_skip(comma + 1);
    u64 v;
    if (!command_value(d, end + (*end == '+'), &v)) return false;
    *to = *end == '+' ? *from + v : v;
    return true;
  }
  bool function = sym_at(d->syms, *from, &s) && s.size && s.size < 1 << 20;
  *to = function ? s.addr + s.size : *from + 48;
  if (function) *from = s.addr;
  return true;
}

void cmd_disassemble(struct dbg *d, const char *args) {
  enum { MOST = 4096 };
  u64 from, to, base = dbg_linear(d->cpu, CS, 0);
  bool raw = false;
  if (*args == '/') {
    raw = strchr(args, 'r') != NULL;
    args = command_skip(args + strcspn(args, " \t"));
  }
  if (!range(d, args, &from, &to)) return;
  out_open_list(d->out, "instructions");
  for (unsigned k = 0; from < to && k < MOST; k++) {
    u8 bytes[16];
    out_open(d->out, NULL);
    if (raw) {
      char text[256], hex[64] = "";
      unsigned n = disasm_one(d->disasm, d->cpu, d->syms, from, from - base, dbg_code_bits(d, from), text, sizeof text);
      unsigned got = dbg_peek(d, from, bytes, n);
      for (unsigned j = 0; j < got; j++) snprintf(hex + 3 * j, sizeof hex - 3 * j, "%02x ", bytes[j]);
      out_str(d->out, "bytes", hex, "%-31s");
    }
    unsigned n = command_instruction(d, from, from - base, dbg_code_bits(d, from), from == dbg_pc(d));
    out_close(d->out);
    from += n ? n : 1;
    if (!n) break;
  }
  out_close(d->out);
  d->commands->next_disassemble = from;
}

/* "12", "FILE:12": the line that was asked for, which need not have code. 0: not one of these. */
static unsigned line_named(const char *args) {
  const char *colon = strrchr(args, ':'), *digits = colon ? colon + 1 : args;
  size_t n = strspn(digits, "0123456789");
  return n && n < 9 && !digits[n] ? (unsigned)strtoul(digits, NULL, 10) : 0;
}

/* "20,30": the lines from one to another of the file that was listed last, or is stopped in. */
static bool line_range(const char *args, unsigned *first, unsigned *last) {
  int end = 0;
  return sscanf(args, "%9u , %9u%n", first, last, &end) == 2 && !args[end] && *first && *last >= *first;
}

void cmd_list(struct dbg *d, const char *args) {
  struct commands *c = d->commands;
  unsigned from = 0, to = 0;
  char start[32];
  if (line_range(args, &from, &to)) {
    snprintf(start, sizeof start, "%u", from);
    args = start;
  }
  struct sym_line line;
  u64 addr;
  unsigned first;
  if (*args || !c->list_line) {
    struct frame f;
    if (!*args && d->selected && dbg_frame(d, d->selected, &f)) addr = frame_at(&f);
    else if (!command_place(d, args, false, &addr)) return;
    if (!sym_line_at(d->syms, addr, &line)) {
      out_error(d->out, "no source line is known for 0x%" PRIx64 "; was it compiled with -g?", addr);
      return;
    }
    free(c->list_file);
    c->list_file = strdup(line.file);
    if (line_named(args)) line.line = line_named(args);
    first = to ? from : line.line > c->list_size / 2 ? line.line - c->list_size / 2 : 1;
  } else {
    first = c->list_line;
  }
  if (!c->list_file) return;
  out_str(d->out, "file", c->list_file, NULL);
  out_open_list(d->out, "lines");
  unsigned k = 0;
  for (; k < (to ? to - from + 1 : c->list_size); k++) {
    const char *text = sym_source(d->syms, c->list_file, first + k);
    if (!text) break;
    out_open(d->out, NULL);
    out_num(d->out, "line", first + k, "%llu\t");
    out_str(d->out, "text", text, "%s\n");
    out_close(d->out);
  }
  out_close(d->out);
  if (!k) out_error(d->out, "%s has no line %u, or cannot be found; 'directory' says where to look", c->list_file, first);
  c->list_line = first + k;
}

void topic_line(struct dbg *d, const char *args) {
  struct sym_line line;
  u64 addr;
  if (!command_place(d, args, false, &addr)) return;
  if (!sym_line_at(d->syms, addr, &line)) {
    out_error(d->out, "no source line is known for 0x%" PRIx64, addr);
    return;
  }
  out_str(d->out, "file", line.file, "%s");
  out_num(d->out, "line", line.line, ":%llu is at ");
  command_address(d, line.addr, "first");
  out_text(d->out, " up to ");
  command_address(d, line.end, "end");
  out_text(d->out, "\n");
}

void topic_symbol(struct dbg *d, const char *args) {
  struct sym s;
  u64 addr;
  if (!command_value(d, args, &addr)) return;
  if (!sym_at(d->syms, addr, &s)) {
    out_error(d->out, "no symbol holds 0x%" PRIx64, addr);
    return;
  }
  out_str(d->out, "symbol", s.name, "%s");
  out_num(d->out, "offset", addr - s.addr, " + %llu");
  out_str(d->out, "module", s.module, " of %s\n");
}

void topic_symbols(struct dbg *d, const char *args) {
  enum { MOST = 500 };
  struct sym s;
  unsigned n = 0;
  out_open_list(d->out, "symbols");
  for (; n < MOST && sym_prefix(d->syms, args, n, &s); n++) {
    out_open(d->out, NULL);
    out_hex(d->out, "address", s.addr, "0x%012llx ");
    out_num(d->out, "size", s.size, "%6llu ");
    out_str(d->out, "kind", s.function ? "function" : "data", "%-8s ");
    out_str(d->out, "name", s.name, "%s\n");
    out_close(d->out);
  }
  out_close(d->out);
  if (n == MOST) out_text(d->out, "the first %u; give a longer beginning for others\n", n);
  if (!n) out_text(d->out, "No symbol begins with '%s'.\n", args);
}

/* ---- frames ---- */

void cmd_backtrace(struct dbg *d, const char *args) {
  u64 most = 200;
  struct frame f;
  unsigned n = 0;
  const bool outer = *args == '-';
  if (*args && !command_value(d, args + outer, &most)) return;
  if (outer) { /* the outermost alone */
    while (dbg_frame(d, n, &f)) n++;
    n = n > most ? n - (unsigned)most : 0;
    most = UINT64_MAX;
  }
  out_open_list(d->out, "frames");
  for (; n < most && dbg_frame(d, n, &f); n++) {
    out_open(d->out, NULL);
    command_frame(d, n, &f);
    out_close(d->out);
  }
  out_close(d->out);
  if (dbg_frame(d, n, &f)) out_text(d->out, "(more frames follow)\n");
  else if (dbg_frames_cut(d)) out_text(d->out, "(more frames follow, which are not looked for)\n");
}

static void select_frame(struct dbg *d, s64 n) {
  struct frame f;
  if (n < 0 || !dbg_frame(d, (unsigned)n, &f)) {
    out_error(d->out, n < 0 ? "this is the innermost frame" : "there is no frame %" PRId64, n);
    return;
  }
  dbg_select(d, (unsigned)n);
  command_frame(d, (unsigned)n, &f);
  command_source_line(d, frame_at(&f));
}

void cmd_frame(struct dbg *d, const char *args) {
  u64 n = dbg_selected(d);
  if (*args && !command_value(d, args, &n)) return;
  if (n <= INT32_MAX) select_frame(d, (s64)n);
  else out_error(d->out, "there is no frame %s", args);
}
void cmd_up(struct dbg *d, const char *args) {
  u64 n;
  if (command_count(d, args, &n)) select_frame(d, (s64)dbg_selected(d) + (s64)(n & 0xffff));
}
void cmd_down(struct dbg *d, const char *args) {
  u64 n;
  if (command_count(d, args, &n)) select_frame(d, (s64)dbg_selected(d) - (s64)(n & 0xffff));
}

/* ---- displays ---- */

void command_displays(struct dbg *d) {
  if (!d->commands->displays) return;
  out_open_list(d->out, "displays");
  for (struct display *s = d->commands->displays; s; s = s->next) {
    if (!s->enabled) continue;
    out_open(d->out, NULL);
    out_num(d->out, "number", s->number, "%llu: ");
    out_str(d->out, "what", s->text, *s->text == '/' ? "x%s\n" : "%s = ");
    const char *args = s->text;
    struct format f = {1, 0, 0};
    if (*args == '/' && format(d, &args, &f) && (f.how == 'i' || f.how == 's' || f.unit)) {
      examine(d, s->text, LINEAR);
    } else {
      print(d, s->text, false);
      out_text(d->out, "\n");
    }
    out_close(d->out);
  }
  out_close(d->out);
}

void cmd_display(struct dbg *d, const char *args) {
  struct commands *c = d->commands;
  struct display **at = &c->displays;
  if (!*args) {
    command_displays(d);
    return;
  }
  const char *expression = args;
  struct format f = {1, 0, 0};
  u64 v;
  char err[256];
  if (!format(d, &expression, &f)) return;
  if (dbg_eval(d, expression, &v, err, sizeof err) && !strstr(err, "no memory can be read")) { /* not now */
    out_error(d->out, "%s", err);
    return;
  }
  struct display *s = calloc(1, sizeof *s);
  if (!s || !(s->text = strdup(args))) {
    free(s);
    out_error(d->out, "out of memory");
    return;
  }
  s->number = ++c->displays_made;
  s->enabled = true;
  while (*at) at = &(*at)->next;
  *at = s;
  command_displays(d);
}

void topic_display(struct dbg *d, const char *args) {
  (void)args;
  out_open_list(d->out, "displays");
  for (const struct display *s = d->commands->displays; s; s = s->next) {
    out_open(d->out, NULL);
    out_num(d->out, "number", s->number, "%llu: ");
    out_bool(d->out, "enabled", s->enabled, NULL);
    out_str(d->out, "what", s->text, "%s");
    out_text(d->out, s->enabled ? "\n" : "  (off)\n");
    out_close(d->out);
  }
  out_close(d->out);
  if (!d->commands->displays) out_text(d->out, "Nothing is displayed at stops.\n");
}
