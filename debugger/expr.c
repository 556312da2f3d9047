/* Expressions: C's operators over unsigned 64-bit numbers, with registers, memory and symbols. gdb's names where it has
 * any. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cpu/event.h"
#include "cpu/regname.h"
#include "debugger/dbg.h"

struct variable {
  struct variable *next;
  char name[64];
  u64 v;
};

struct parser {
  struct dbg *d;
  const char *text, *at;
  bool failed;
  bool live; /* it reads what may change */
  unsigned depth;
  char *err;
  size_t n;
};

enum { DEPTH = 64 };

static struct value plain(u64 v) { return (struct value){.v = v}; }

PRINTF_LIKE(2, 3) static struct value fail(struct parser *p, const char *fmt, ...) {
  if (!p->failed) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->err, p->n, fmt, ap);
    va_end(ap);
  }
  p->failed = true;
  return plain(0);
}

static void skip(struct parser *p) {
  while (isspace((unsigned char)*p->at)) p->at++;
}

static bool take(struct parser *p, const char *op) {
  size_t n = strlen(op);
  skip(p);
  if (strncmp(p->at, op, n)) return false;
  p->at += n;
  return true;
}

/* ---- variables and the history of values ---- */

static struct variable *variable(struct dbg *d, const char *name) {
  struct variable *v = d->variables;
  while (v && strcmp(v->name, name)) v = v->next;
  return v;
}

int variables_set(struct dbg *d, const char *name, u64 value) {
  struct variable *v = variable(d, name);
  if (!v) {
    if (!(v = calloc(1, sizeof *v))) return -1;
    snprintf(v->name, sizeof v->name, "%s", name);
    v->next = d->variables;
    d->variables = v;
  }
  v->v = value;
  return 0;
}

void variables_free(struct dbg *d) {
  while (d->variables) {
    struct variable *v = d->variables;
    d->variables = v->next;
    free(v);
  }
}

unsigned variables_keep(struct dbg *d, u64 v) {
  u64 *more = realloc(d->value, (d->values + 1) * sizeof *more);
  if (!more) return 0;
  d->value = more;
  more[d->values++] = v;
  return d->values;
}

/* ---- registers ---- */

/* Parts of the general registers, and the names that gdb adds. */
static bool register_part(struct dbg *d, const char *name, const char **whole, unsigned *shift, unsigned *width) {
  static const char *const legacy[8] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
  static const char *const full[8] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"};
  static const char *const numbered[8] = {"r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
  static const struct { const char *alias, *name; } aliases[] = {
      {"pc", "rip"}, {"sp", "rsp"}, {"fp", "rbp"}, {"eflags", "rflags"}, {"eip", "rip"}, {"ip", "rip"}, {"flags", "rflags"}};
  unsigned narrow = dbg_bits(d) == 64 ? 64 : 32;
  *shift = 0;
  for (unsigned k = 0; k < ARRAY_SIZE(aliases); k++)
    if (!strcmp(name, aliases[k].alias)) {
      *whole = aliases[k].name;
      *width = !strcmp(name, "eip") || !strcmp(name, "eflags") ? 32 : !strcmp(name, "ip") || !strcmp(name, "flags") ? 16 : narrow;
      if (!strcmp(name, "pc") || !strcmp(name, "eflags")) *width = !strcmp(name, "pc") ? 64 : 32;
      return true;
    }
  for (unsigned k = 0; k < 8; k++) {
    const char *l = legacy[k];
    *whole = full[k];
    if (name[0] == 'e' && !strcmp(name + 1, l)) return *width = 32, true;
    if (!strcmp(name, l)) return *width = 16, true;
    if (l[1] == 'x' && name[0] == l[0] && (name[1] == 'l' || name[1] == 'h') && !name[2])
      return *width = 8, *shift = name[1] == 'h' ? 8 : 0, true;
    if (l[1] != 'x' && !strncmp(name, l, 2) && name[2] == 'l' && !name[3]) return *width = 8, true;
    *whole = numbered[k];
    size_t n = strlen(*whole);
    if (!strncmp(name, *whole, n) && name[n] && !name[n + 1]) {
      *width = name[n] == 'd' ? 32 : name[n] == 'w' ? 16 : name[n] == 'b' || name[n] == 'l' ? 8 : 0;
      if (*width) return true;
    }
  }
  return false;
}

static u64 mask(unsigned width) { return width >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << width) - 1; }

/* A general register or RIP of the selected frame; in a condition on a system call, of the program that makes it. */
static bool frame_register(struct dbg *d, const char *whole, u64 *v) {
  struct frame f;
  if (d->under.regs) {
    memcpy(f.regs.gpr, d->under.gpr, sizeof f.regs.gpr);
    f.regs.rip = d->under.rip;
    f.regs.known = 0x1ffff;
  } else if (!d->selected || !dbg_frame(d, d->selected, &f)) {
    return false;
  }
  for (unsigned k = 0; k < 16; k++)
    if (!strcmp(whole, regname_at(k)) && (f.regs.known >> k & 1)) return *v = f.regs.gpr[k], true;
  if (strcmp(whole, "rip") || !(f.regs.known >> 16 & 1)) return false;
  *v = f.regs.rip;
  return true;
}

static bool register_value(struct parser *p, const char *name, struct value *out) {
  const char *whole = name;
  unsigned shift = 0, width = 64;
  struct dbg *d = p->d;
  struct register_field part;
  if (register_field(name, &part)) {
    u64 v = regname_get(d->cpu, (unsigned)part.id);
    *out = (struct value){.v = v >> part.shift & mask(part.width), .kind = VALUE_REGISTER, .id = (unsigned)part.id,
                          .shift = part.shift, .width = part.width, .segment = -1};
    return true;
  }
  if (!register_part(d, name, &whole, &shift, &width)) {
    whole = name;
    shift = 0;
    width = 64;
  }
  if (!strcmp(name, "pc")) {
    struct frame f;
    u64 pc = d->selected && dbg_frame(d, d->selected, &f) ? f.pc : dbg_pc(d);
    *out = (struct value){.v = pc, .kind = VALUE_REGISTER, .id = (unsigned)regname_find("rip"), .width = 64,
                          .bias = dbg_linear(d->cpu, CS, 0), .segment = -1};
    return true;
  }
  int id = regname_find(whole);
  if (id < 0) return false;
  u64 v;
  if (d->under.fault && d->under.fault->vector == VEC_PF && !strcmp(whole, "cr2")) v = d->under.fault->cr2;
  else if (!frame_register(d, whole, &v)) v = regname_get(d->cpu, (unsigned)id);
  *out = (struct value){.v = v >> shift & mask(width), .kind = VALUE_REGISTER, .id = (unsigned)id, .shift = shift, .width = width,
                        .segment = register_segment(name)};
  return true;
}

/* ---- memory ---- */

static struct value memory(struct parser *p, u64 addr, unsigned bytes) {
  u64 v = 0;
  if (p->failed) return plain(0);
  p->live = true;
  if (dbg_peek(p->d, addr, &v, bytes) != bytes) return fail(p, "no memory can be read at %#" PRIx64, addr);
  return (struct value){.v = v, .kind = VALUE_MEMORY, .addr = addr, .bytes = bytes};
}

static unsigned word_bytes(const struct parser *p) { return dbg_bits(p->d) / 8; }

/* "u8" .. "u64": bytes; 0: none. */
static unsigned type_bytes(const char *word, size_t n) {
  static const struct { const char *name; unsigned bytes; } types[] = {
      {"u8", 1}, {"u16", 2}, {"u32", 4}, {"u64", 8}, {"char", 1}, {"short", 2}, {"int", 4}, {"long", 8}};
  for (unsigned k = 0; k < ARRAY_SIZE(types); k++)
    if (strlen(types[k].name) == n && !strncmp(word, types[k].name, n)) return types[k].bytes;
  return 0;
}

/* ---- operands ---- */

static struct value expression(struct parser *p);
static struct value unary(struct parser *p);

static size_t word_length(const char *s, const char *more) {
  size_t n = 0;
  while (isalnum((unsigned char)s[n]) || s[n] == '_' || (s[n] && strchr(more, s[n]))) n++;
  return n;
}

static struct value number(struct parser *p) {
  char *end;
  size_t n = word_length(p->at, "");
  u64 v;
  errno = 0;
  if (n > 1 && (p->at[n - 1] == 'h' || p->at[n - 1] == 'H') && strspn(p->at, "0123456789abcdefABCDEF") == n - 1) {
    v = strtoull(p->at, &end, 16);
    end++;
  } else if (p->at[0] == '0' && (p->at[1] == 'b' || p->at[1] == 'B')) {
    v = strtoull(p->at + 2, &end, 2);
  } else {
    v = strtoull(p->at, &end, 0);
  }
  if (end != p->at + n) return fail(p, "'%.*s' is not a number", (int)n, p->at);
  if (errno == ERANGE) return fail(p, "%.*s has more than 64 bits", (int)n, p->at);
  p->at = end;
  return plain(v);
}

static struct value dollar(struct parser *p) {
  char name[64];
  size_t n = word_length(p->at, ".");
  if (n >= sizeof name) return fail(p, "the name is too long");
  memcpy(name, p->at, n);
  name[n] = 0;
  p->at += n;
  struct dbg *d = p->d;
  if (!n) return d->values ? plain(d->value[d->values - 1]) : plain(0);
  if (isdigit((unsigned char)name[0])) {
    u64 k = strtoull(name, NULL, 10);
    return k && k <= d->values ? plain(d->value[k - 1]) : fail(p, "there is no value $%s yet", name);
  }
  struct value v;
  char lower[64];
  for (size_t k = 0; k <= n; k++) lower[k] = (char)tolower((unsigned char)name[k]);
  if (!strcmp(lower, "icount")) return p->live = true, plain(dbg_icount(d));
  if (register_value(p, lower, &v)) return p->live = true, v;
  if (strchr(lower, '.')) { /* of no register; no variable has a dot */
    char *dot = strchr(lower, '.');
    *dot = 0;
    if (register_value(p, lower, &v))
      return fail(p, "$%s has no part '%s'; segments have base limit attr type s dpl p avl l d g, control registers their bits", lower, dot + 1);
    return fail(p, "$%s is no register", name);
  }
  p->live = true;
  const struct variable *var = variable(d, name);
  v = (struct value){.v = var ? var->v : 0, .kind = VALUE_VARIABLE};
  memcpy(v.name, name, n + 1);
  if (!var) v.id = 1; /* not set yet: only good to be assigned to */
  return v;
}

static struct value word(struct parser *p) {
  size_t n = word_length(p->at, ".@$");
  const char *start = p->at;
  unsigned bytes = type_bytes(start, n);
  p->at += n;
  if (bytes && take(p, "[")) {
    struct value a = expression(p);
    if (!take(p, "]")) return fail(p, "']' is missing behind the address");
    return memory(p, a.v, bytes);
  }
  char name[256];
  struct sym s;
  snprintf(name, sizeof name, "%.*s", (int)n, start);
  if (sym_named(p->d->syms, name, &s)) return plain(s.addr);
  struct value v;
  if (register_value(p, name, &v)) return p->live = true, v; /* the manuals' bare names: rax, cs.base, STAR */
  return fail(p, "'%s' is no symbol and no register", name);
}

static struct value primary(struct parser *p) {
  skip(p);
  if (take(p, "(")) {
    struct value v = expression(p);
    return take(p, ")") ? v : fail(p, "')' is missing");
  }
  if (take(p, "{")) {
    skip(p);
    size_t n = word_length(p->at, "");
    unsigned bytes = type_bytes(p->at, n);
    if (!bytes) return fail(p, "'{' wants a size: u8, u16, u32 or u64");
    p->at += n;
    if (!take(p, "}")) return fail(p, "'}' is missing");
    return memory(p, unary(p).v, bytes);
  }
  if (*p->at == '$') return p->at++, dollar(p);
  if (*p->at == '\'' && p->at[1] && p->at[2] == '\'') return p->at += 3, plain((u8)p->at[-2]);
  if (isdigit((unsigned char)*p->at)) return number(p);
  if (isalpha((unsigned char)*p->at) || *p->at == '_' || *p->at == '.') return word(p);
  return *p->at ? fail(p, "'%s' is not understood here", p->at) : fail(p, "something is missing at the end");
}

static struct value unary(struct parser *p) {
  struct value v;
  skip(p);
  if (++p->depth > DEPTH) return fail(p, "it is nested too deeply");
  if (take(p, "-")) v = plain(-unary(p).v);
  else if (take(p, "~")) v = plain(~unary(p).v);
  else if (*p->at == '!' && p->at[1] != '=') p->at++, v = plain(!unary(p).v);
  else if (take(p, "+")) v = plain(unary(p).v);
  else if (take(p, "&")) {
    v = unary(p);
    if (v.kind == VALUE_MEMORY) v = plain(v.addr);
  } else if (take(p, "*")) v = memory(p, unary(p).v, word_bytes(p));
  else v = primary(p);
  p->depth--;
  if (v.kind == VALUE_VARIABLE && v.id && !p->failed) {
    const char *at = p->at;
    while (isspace((unsigned char)*at)) at++;
    if (*at != '=' || at[1] == '=') return fail(p, "$%s is no register, and has not been set", v.name);
  }
  return v;
}

/* ---- operators, by precedence ---- */

static const struct operator { const char *text; u8 level; } operators[] = {
    {"||", 1}, {"&&", 2}, {"==", 6}, {"!=", 6}, {"<=", 7}, {">=", 7}, {"<<", 8}, {">>", 8}, {"|", 3},
    {"^", 4},  {"&", 5},  {"<", 7},  {">", 7},  {"+", 9},  {"-", 9},  {"*", 10}, {"/", 10}, {"%", 10},
};

static u64 compute(struct parser *p, const char *op, u64 a, u64 b) {
  switch (op[0]) {
    case '|': return op[1] ? a || b : a | b;
    case '&': return op[1] ? a && b : a & b;
    case '^': return a ^ b;
    case '=': return a == b;
    case '!': return a != b;
    case '<':
      if (op[1] == '<' && b > 63) return fail(p, "shifted by %" PRIu64 ": values have 64 bits", b).v;
      return op[1] == '<' ? a << b : op[1] ? a <= b : a < b;
    case '>': return op[1] == '>' ? (b < 64 ? a >> b : 0) : op[1] ? a >= b : a > b;
    case '+': return a + b;
    case '-': return a - b;
    case '*': return a * b;
    default:
      if (!b) return fail(p, "division by zero").v;
      return op[0] == '/' ? a / b : a % b;
  }
}

static const struct operator *next_operator(struct parser *p) {
  skip(p);
  for (unsigned k = 0; k < ARRAY_SIZE(operators); k++)
    if (!strncmp(p->at, operators[k].text, strlen(operators[k].text))) return &operators[k];
  return NULL;
}

static struct value binary(struct parser *p, unsigned level) {
  struct value left = unary(p);
  for (;;) {
    const struct operator *op = p->failed ? NULL : next_operator(p);
    if (!op || op->level < level) return left;
    p->at += strlen(op->text);
    if (++p->depth > DEPTH) return fail(p, "it is nested too deeply");
    struct value right = binary(p, op->level + 1u);
    p->depth--;
    left = plain(p->failed ? 0 : compute(p, op->text, left.v, right.v));
  }
}

/* A register's part, or one of the units whose registers are no numbers of 64 bits: a $variable would seem to be it. */
static bool looks_like_register(const char *name) {
  static const char *const units[] = {"xmm", "ymm", "zmm", "st", "mm", "k"};
  if (strchr(name, '.')) return true;
  for (unsigned k = 0; k < ARRAY_SIZE(units); k++) {
    size_t n = strlen(units[k]), digits = strspn(name + strnlen(name, n), "0123456789");
    if (!strncasecmp(name, units[k], n) && digits && !name[n + digits]) return true;
  }
  return false;
}

static void assign(struct parser *p, const struct value *to, u64 v) {
  struct dbg *d = p->d;
  switch (to->kind) {
    case VALUE_MEMORY:
      if (dbg_poke(d, to->addr, &v, to->bytes) != to->bytes) (void)fail(p, "no memory can be written at %#" PRIx64, to->addr);
      break;
    case VALUE_REGISTER: {
      u64 outer;
      if (frame_register(d, regname_at(to->id), &outer)) {
        (void)fail(p, "$%s belongs to frame 0; select that to set it", regname_at(to->id));
        break;
      }
      if (to->segment >= 0) { /* with its hidden part, as a load does; $ds.sel, $ds.base ... alone */
        if (regname_load_segment(d->cpu, (enum sreg)to->segment, (u16)v))
          (void)fail(p, "selector %#" PRIx64 " is beyond its table; $%s.sel sets the selector alone", v, regname_at(to->id));
        dbg_state_changed(d);
        break;
      }
      u64 old = regname_get(d->cpu, to->id), m = mask(to->width) << to->shift;
      v -= to->bias;
      if (to->bias) v = (u32)v;
      regname_set(d->cpu, to->id, (old & ~m) | (v << to->shift & m));
      if (!strcmp(regname_at(to->id), "rip")) d->cpu->halted = false; /* it goes on there */
      dbg_state_changed(d);
      break;
    }
    case VALUE_VARIABLE:
      if (looks_like_register(to->name)) {
        (void)fail(p, "$%s is no register that can be set, and no $variable's name", to->name);
        break;
      }
      if (variables_set(d, to->name, v)) (void)fail(p, "out of memory");
      break;
    default: (void)fail(p, "only registers, memory and $variables can be set");
  }
}

static struct value expression(struct parser *p) {
  if (++p->depth > DEPTH) return fail(p, "it is nested too deeply");
  struct value left = binary(p, 1);
  skip(p);
  if (!p->failed && *p->at == '=' && p->at[1] != '=') {
    p->at++;
    struct value right = expression(p);
    if (!p->failed) assign(p, &left, right.v);
    left.v = right.v;
  } else if (!p->failed && take(p, "?")) {
    struct value a = expression(p);
    if (!take(p, ":")) return fail(p, "':' is missing");
    struct value b = expression(p);
    left = left.v ? a : b;
  }
  p->depth--;
  return left;
}

int dbg_eval_value(struct dbg *d, const char *text, struct value *out, const char **end, char *err, size_t n) {
  struct parser p = {.d = d, .text = text, .at = text, .err = err, .n = n};
  *out = expression(&p);
  skip(&p);
  if (!p.failed && !end && *p.at) (void)fail(&p, "'%s' is too much", p.at);
  if (end) *end = p.at;
  out->constant = !p.live;
  return p.failed ? -1 : 0;
}

int dbg_eval(struct dbg *d, const char *text, u64 *value, char *err, size_t n) {
  struct value v;
  if (dbg_eval_value(d, text, &v, NULL, err, n)) return -1;
  *value = v.v;
  return 0;
}

/* ---- places ---- */

/* A line's addresses. prologue: where a function begins, behind its prologue. */
static int line_addresses(struct dbg *d, const char *file, const char *number, bool prologue, u64 *addr, unsigned max, char *err,
                          size_t n) {
  struct sym s;
  char *end;
  unsigned long line = strtoul(number, &end, 10);
  unsigned found, count = 0;
  u64 a;
  if (*end || !line) return snprintf(err, n, "'%s' is not a line number", number), -1;
  for (unsigned k = 0; sym_line_addr(d->syms, file, dbg_pc(d), (unsigned)line, k, &a, &found); k++) {
    bool begins = prologue && sym_at(d->syms, a, &s) && s.function && s.addr == a;
    if (count++ < max) addr[count - 1] = begins ? sym_after_prologue(d->syms, &s) : a;
  }
  if (count) return (int)count;
  snprintf(err, n, "no code is known for line %lu of %s; was it compiled with -g?", line, file ? file : "the current file");
  return -1;
}

/* "0x7c0:0x60", "cs:0x10", "$ss:$rsp": 0 and the linear address; 1: it is none of these; -1 and one line. */
int dbg_segment_offset(struct dbg *d, const char *text, u64 *la, char *err, size_t n) {
  char left[64];
  u64 sel, off, base;
  const char *colon = strchr(text, ':');
  size_t len = colon ? (size_t)(colon - text) : 0;
  if (!len || len >= sizeof left) return 1;
  snprintf(left, sizeof left, "%.*s", (int)len, text + (*text == '$'));
  if (*text == '$') left[len - 1] = 0;
  int s = register_segment(left);
  if (s < 0 && (!isdigit((unsigned char)*text) || strspn(left, "0123456789abcdefABCDEFxXhH") != strlen(left))) return 1;
  if (s < 0 && dbg_eval(d, left, &sel, err, n)) return -1;
  if (dbg_eval(d, colon + 1, &off, err, n)) return -1;
  if (s >= 0) return *la = dbg_linear(d->cpu, (enum sreg)s, off), 0;
  if (sel > 0xffff || segment_base(d, (u16)sel, &base)) return snprintf(err, n, "%s is no selector of a segment here", left), -1;
  *la = (base + off) & d->cpu->lamask;
  return 0;
}

int dbg_place(struct dbg *d, const char *text, bool prologue, u64 *addr, unsigned max, char *err, size_t n) {
  struct sym s;
  while (isspace((unsigned char)*text)) text++;
  const char *colon = strrchr(text, ':');
  if (!max) return 0;
  if (!*text) return addr[0] = dbg_pc(d), 1;
  int segmented = dbg_segment_offset(d, text + (*text == '*'), &addr[0], err, n);
  if (segmented <= 0) return segmented ? -1 : 1;
  if (*text == '*') return dbg_eval(d, text + 1, &addr[0], err, n) ? -1 : 1;
  if (colon && colon != text && isdigit((unsigned char)colon[1])) {
    char file[512];
    snprintf(file, sizeof file, "%.*s", (int)(colon - text), text);
    return line_addresses(d, file, colon + 1, prologue, addr, max, err, n);
  }
  if (isdigit((unsigned char)*text) && strspn(text, "0123456789") == strlen(text))
    return line_addresses(d, NULL, text, prologue, addr, max, err, n);
  if (colon && colon != text && colon[1] && word_length(colon + 1, ".@$") == strlen(colon + 1) && colon[-1] != ':') {
    char file[512];
    snprintf(file, sizeof file, "%.*s", (int)(colon - text), text);
    unsigned places = sym_function_places(d->syms, file, colon + 1, prologue, addr, max);
    if (places) return (int)places;
    snprintf(err, n, "no function '%s' is known in %s; was it compiled with -g?", colon + 1, file);
    return -1;
  }
  unsigned places = sym_function_places(d->syms, NULL, text, prologue, addr, max);
  if (places) return (int)places;
  if (sym_named(d->syms, text, &s)) {
    addr[0] = prologue && s.function ? sym_after_prologue(d->syms, &s) : s.addr;
    return 1;
  }
  if (!dbg_eval(d, text, &addr[0], err, n)) return 1;
  size_t word = word_length(text, ".@$");
  if (word == strlen(text)) snprintf(err, n, "no function or variable is called '%s'", text);
  return -1;
}
