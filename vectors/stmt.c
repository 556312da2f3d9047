/* Statements of a vector: settings, and what `want` may name. docs/conformance.md */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/event.h"
#include "vectors/expr.h"
#include "vectors/keys.h"
#include "vectors/lex.h"

const char *const seg_kinds[] = {"keep", "null", "load", "code64", "code32", "data", "real", "v86", NULL};
const char *const seg_keys[] = {"sel", "base", "limit", "attr", "dpl", NULL};
const char *const gdt_kinds[] = {"raw", "code64", "code32", "code16", "data", "ldt", "tss", "gate", NULL};
const char *const gdt_keys[] = {"base", "limit", "type", "dpl", "p", "s", "l", "d", "g", "avl", "raw",
                                "sel", "offset", "count", NULL};
const char *const idt_kinds[] = {"interrupt", "trap",     "interrupt16", "trap16",
                                 "task",      "callgate", "gate",        NULL};
const char *const idt_keys[] = {"dpl", "sel", "offset", "ist", "p", "type", "s", NULL};
const char *const page_keys[] = {"p", "rw", "us", "a", "d", "nx", NULL};

const struct tss_field tss_fields[] = {
    {"esp0", 4, 4}, {"ss0", 8, 2}, {"esp1", 12, 4}, {"ss1", 16, 2}, {"esp2", 20, 4}, {"ss2", 24, 2},
    {"rsp0", 4, 8}, {"rsp1", 12, 8}, {"rsp2", 20, 8}, {"ist1", 36, 8}, {"ist2", 44, 8}, {"ist3", 52, 8},
    {"ist4", 60, 8}, {"ist5", 68, 8}, {"ist6", 76, 8}, {"ist7", 84, 8}, {"iomap", 102, 2}, {NULL, 0, 0},
};
int tss_field_find(const char *name) {
  for (int k = 0; tss_fields[k].name; k++)
    if (!strcmp(tss_fields[k].name, name)) return k;
  return -1;
}

/* What an assignment's operator does with the old value and the new. */
static int take_op(struct parser *ps, u8 *op) {
  static const struct {
    const char *text;
    u8 op;
  } ops[] = {{"=", OP_ASSIGN}, {"|=", OP_BOR}, {"&=", OP_BAND},
             {"^=", OP_XOR},   {"+=", OP_ADD}, {"-=", OP_SUB}};
  for (unsigned k = 0; k < ARRAY_SIZE(ops); k++)
    if (tok_is(ps, ops[k].text)) {
      *op = ops[k].op;
      return lex_next(ps);
    }
  return parse_error(ps, ps->t.at, "expected '=', '|=', '&=', '^=', '+=' or '-='");
}

/* xmm3=LOW, xmm3=HIGH:LOW; of st3 HIGH is sign and exponent: an assignment to either part. */
static int wide_assignment(struct parser *ps, struct stmt s, unsigned lo, unsigned hi) {
  struct stmt part[2] = {s, s};
  if (lex_next(ps) || tok_expect(ps, "=") || parse_expr(ps, &part[0].value)) return -1;
  part[1].value = part[0].value;
  int pair = tok_accept(ps, ":");
  if (pair < 0 || (pair && parse_expr(ps, &part[1].value))) return -1;
  for (unsigned k = 0; k < 2; k++) {
    struct stmt *p = add_stmt(ps, ST_SET);
    if (!p) return -1;
    part[k].kind = ST_SET;
    part[k].index = k ? lo : hi;
    part[k].op = k || pair ? OP_ASSIGN : OP_CLEAR;
    *p = part[k];
  }
  return 0;
}

/* NAME op VALUE, u32[ADDRESS] op VALUE */
static int assignment(struct parser *ps, struct stmt head) {
  struct stmt s = head;
  if (ps->t.kind != T_ID) return parse_error(ps, ps->t.at, "expected a name");
  struct tok name = ps->t;
  s.col = (unsigned)(name.at - ps->line) + 1;
  unsigned bytes = memory_bytes(ps->t.text);
  int c = regname_find(name.text);
  unsigned hi;
  int lo = regname_wide(name.text, &hi);
  if (lo >= 0) return wide_assignment(ps, s, (unsigned)lo, hi);
  if (!bytes && c < 0) return parse_error(ps, name.at, "'%s' is nothing that has a value", name.text);
  s.kind = bytes ? ST_MEM : ST_SET;
  s.index = bytes ? bytes : (u32)c;
  if (lex_next(ps)) return -1;
  if (bytes && (tok_expect(ps, "[") || parse_expr(ps, &s.at) || tok_expect(ps, "]"))) return -1;
  if (take_op(ps, &s.op) || parse_expr(ps, &s.value)) return -1;
  struct stmt *p = add_stmt(ps, (enum stmt_kind)s.kind);
  if (!p) return -1;
  s.line = p->line;
  s.first_arg = p->first_arg;
  *p = s;
  return 0;
}

static int assignments(struct parser *ps, struct stmt head) {
  do {
    if (assignment(ps, head)) return -1;
  } while (ps->t.kind == T_ID);
  return 0;
}

#define FIELD(key) (1u << (key))
enum { ALL_FIELDS = -1 };

/* Fields KEY=VALUE as long as keys of the table come; then the statement itself, so that its arguments follow
 * each other. What the kind has no use for (not in `allowed`) is an error. */
static int fields(struct parser *ps, struct stmt s, const char *const *keys, u32 allowed, const char *kind) {
  u32 given = 0;
  u8 key[16];
  s32 value[16];
  u32 n = 0;
  while (ps->t.kind == T_ID) {
    int k = word_in(keys, ps->t.text);
    if (k < 0 && s.want) break;
    if (k < 0) return parse_error(ps, ps->t.at, "'%s' is no field here", ps->t.text);
    if (!(allowed & FIELD(k))) return parse_error(ps, ps->t.at, "'%s' is no field of %s", ps->t.text, kind);
    if (given & FIELD(k)) return parse_error(ps, ps->t.at, "'%s' is given already", ps->t.text);
    if (n == ARRAY_SIZE(key)) return parse_error(ps, ps->t.at, "too many fields");
    given |= FIELD(k);
    key[n] = (u8)k;
    if (lex_next(ps) || tok_expect(ps, "=") || parse_expr(ps, &value[n])) return -1;
    n++;
  }
  struct stmt *p = add_stmt(ps, (enum stmt_kind)s.kind);
  if (!p) return -1;
  s.first_arg = ps->f->args;
  s.args = n;
  *p = s;
  for (u32 k = 0; k < n; k++)
    if (add_arg(ps, key[k], value[k])) return -1;
  return 0;
}

static int kind_of(struct parser *ps, const char *const *kinds, u8 *sub, bool optional) {
  int k = ps->t.kind == T_ID ? word_in(kinds, ps->t.text) : -1;
  if (k < 0 && optional) return 0;
  if (k < 0)
    return parse_error(ps, ps->t.at, "expected a kind: %s, %s, %s, ...", kinds[0], kinds[1], kinds[2]);
  *sub = (u8)k;
  return lex_next(ps);
}

static int st_seg(struct parser *ps, struct stmt s) {
  int k = ps->t.kind == T_ID ? vseg_find(ps->t.text) : -1;
  if (k < 0) return parse_error(ps, ps->t.at, "expected a segment register, ldtr or tr");
  s.kind = ST_SEG;
  s.index = (u32)k;
  if (lex_next(ps) || kind_of(ps, seg_kinds, &s.sub, true)) return -1;
  bool has_dpl = s.sub != SK_NULL && s.sub != SK_LOAD && s.sub != SK_REAL && s.sub != SK_V86;
  return fields(ps, s, seg_keys, has_dpl ? (u32)ALL_FIELDS : ~FIELD(SG_DPL), seg_kinds[s.sub]);
}
static int st_gdt(struct parser *ps, struct stmt s) {
  s.kind = ST_GDT;
  if (parse_expr(ps, &s.at) || kind_of(ps, gdt_kinds, &s.sub, false)) return -1;
  u32 either = FIELD(GD_BASE) | FIELD(GD_TYPE) | FIELD(GD_DPL) | FIELD(GD_P) | FIELD(GD_S);
  u32 gate = either | FIELD(GD_SEL) | FIELD(GD_OFFSET) | FIELD(GD_COUNT);
  u32 segment = either | FIELD(GD_LIMIT) | FIELD(GD_L) | FIELD(GD_D) | FIELD(GD_G) | FIELD(GD_AVL);
  return fields(ps, s, gdt_keys, s.sub == GK_RAW ? FIELD(GD_RAW) : s.sub == GK_GATE ? gate : segment, gdt_kinds[s.sub]);
}
static int st_idt(struct parser *ps, struct stmt s) {
  s.kind = ST_IDT;
  if (parse_expr(ps, &s.at) || kind_of(ps, idt_kinds, &s.sub, false)) return -1;
  return fields(ps, s, idt_keys, (u32)ALL_FIELDS, idt_kinds[s.sub]);
}
static int st_page(struct parser *ps, struct stmt s) {
  s.kind = ST_PAGE;
  return parse_expr(ps, &s.at) ? -1 : fields(ps, s, page_keys, (u32)ALL_FIELDS, "page");
}

/* A switch saves no CR3, LDT, T and link; a 16-bit TSS has fewer fields. But of the registers after a switch any may be
 * named. */
static int st_task(struct parser *ps, struct stmt s) {
  u32 unsaved = FIELD(TK_LINK) | FIELD(TK_CR3) | FIELD(TK_LDT) | FIELD(TK_TRAP);
  u32 not16 = FIELD(TK_CR3) | FIELD(TK_ES + FS) | FIELD(TK_ES + GS) | FIELD(TK_TRAP);
  u32 without = s.kind == ST_SAVED ? unsaved : 0;
  if (s.index == 2 && (s.kind == ST_SAVED || !s.want)) without |= not16;
  return parse_expr(ps, &s.at) ? -1
                               : fields(ps, s, task_keys, ~without, s.kind == ST_SAVED ? "what is saved" : "this TSS");
}

static int st_tss(struct parser *ps, struct stmt head) {
  do {
    struct stmt s = head;
    int k = ps->t.kind == T_ID ? tss_field_find(ps->t.text) : -1;
    if (k < 0)
      return parse_error(ps, ps->t.at, "expected a field of the TSS: rsp0, esp0, ss0, ist1, iomap, ...");
    s.kind = ST_TSS;
    s.index = (u32)k;
    s.col = (unsigned)(ps->t.at - ps->line) + 1;
    if (lex_next(ps) || take_op(ps, &s.op) || parse_expr(ps, &s.value)) return -1;
    struct stmt *p = add_stmt(ps, ST_TSS);
    if (!p) return -1;
    *p = s;
  } while (ps->t.kind == T_ID);
  return 0;
}

/* The value in `iopl=3 +nt`: it ends where a sign stands apart from it and next to a flag's name. */
static int parse_iopl(struct parser *ps, s32 *value) {
  const char *end = ps->end, *stop = end;
  for (const char *p = ps->t.at; p + 2 < end && stop == end; p++) {
    char word[8] = "";
    size_t n = 0;
    if ((p[0] != ' ' && p[0] != '\t') || (p[1] != '+' && p[1] != '-')) continue;
    for (const char *q = p + 2; q < end && isalpha((u8)*q) && n + 1 < sizeof word; q++) word[n++] = *q;
    if (n && islower((u8)*word) && vflag_find(word)) stop = p;
  }
  ps->end = stop;
  int r = parse_expr(ps, value);
  bool whole = ps->t.kind == T_END;
  ps->end = end;
  if (r || !whole || stop == end) return r;
  ps->p = stop;
  return lex_next(ps);
}

/* +FLAG, -FLAG, iopl=N */
static int st_flags(struct parser *ps, struct stmt head) {
  do {
    struct stmt s = head;
    s.kind = ST_FLAGS;
    bool plus = tok_is(ps, "+"), minus = tok_is(ps, "-");
    if ((plus || minus) && lex_next(ps)) return -1;
    s.set = plus;
    s.mask = ps->t.kind == T_ID ? vflag_find(ps->t.text) : 0;
    if (!s.mask) return parse_error(ps, ps->t.at, "expected a flag's name");
    if (!plus && !minus && s.mask != EF_IOPL)
      return parse_error(ps, ps->t.at, "expected +FLAG, -FLAG or iopl=N");
    if (lex_next(ps)) return -1;
    if (!plus && !minus && (tok_expect(ps, "=") || parse_iopl(ps, &s.value))) return -1;
    struct stmt *p = add_stmt(ps, ST_FLAGS);
    if (!p) return -1;
    *p = s;
  } while (tok_is(ps, "+") || tok_is(ps, "-") || tok_is(ps, "iopl"));
  return 0;
}

/* fault #GP(0x10), deliver #UD */
static int st_fault(struct parser *ps, struct stmt s) {
  int v = 0;
  const char *at = ps->t.at;
  if (!tok_is(ps, "#") && s.kind == ST_DELIVER) { /* an external interrupt's vector */
    if (parse_expr(ps, &s.at)) return -1;
    struct stmt *p = add_stmt(ps, ST_DELIVER);
    if (p) *p = s;
    return p ? 0 : -1;
  }
  if (!tok_is(ps, "#")) return parse_error(ps, at, "expected an exception: #GP(0), #UD, ...");
  if (lex_next(ps)) return -1;
  for (; v < EXCEPTION_VECTORS; v++)
    if (vector_rows[v].mnemonic && !strcmp(vector_rows[v].mnemonic + 1, ps->t.text)) break;
  if (v == EXCEPTION_VECTORS || ps->t.kind != T_ID) return parse_error(ps, at, "there is no such exception");
  s.index = (u32)v;
  if (lex_next(ps)) return -1;
  if (vector_rows[v].error && (tok_expect(ps, "(") || parse_expr(ps, &s.value) || tok_expect(ps, ")")))
    return -1;
  struct stmt *p = add_stmt(ps, (enum stmt_kind)s.kind);
  if (!p) return -1;
  *p = s;
  return 0;
}

/* steps N, interrupt VECTOR, nmi */
static int st_run(struct parser *ps, struct stmt s) {
  if (s.kind != ST_NMI && parse_expr(ps, &s.value)) return -1;
  struct stmt *p = add_stmt(ps, (enum stmt_kind)s.kind);
  if (p) *p = s;
  return p ? 0 : -1;
}

/* any NAME u64[ADDRESS] ...: the manual leaves it open */
static int st_any(struct parser *ps, struct stmt head) {
  do {
    struct stmt s = head;
    s.kind = ST_ANY;
    unsigned bytes = memory_bytes(ps->t.text);
    int c = ps->t.kind == T_ID ? regname_find(ps->t.text) : -1;
    unsigned hi;
    int lo = ps->t.kind == T_ID ? regname_wide(ps->t.text, &hi) : -1;
    if (!bytes && c < 0 && lo < 0) return parse_error(ps, ps->t.at, "expected a name, or memory");
    if (lo >= 0) {
      struct stmt *p = add_stmt(ps, ST_ANY);
      if (!p) return -1;
      *p = s;
      p->index = hi;
      c = lo;
    }
    s.index = bytes ? bytes : (u32)c;
    if (lex_next(ps)) return -1;
    if (bytes && (tok_expect(ps, "[") || parse_expr(ps, &s.at) || tok_expect(ps, "]"))) return -1;
    struct stmt *p = add_stmt(ps, ST_ANY);
    if (!p) return -1;
    *p = s;
  } while (ps->t.kind == T_ID);
  return 0;
}

/* frame8 TOP: WORD WORD ... from high to low addresses, to the end of the line */
static int st_frame(struct parser *ps, struct stmt s) {
  s32 word[16];
  u32 n = 0;
  s.kind = ST_FRAME;
  if (parse_expr(ps, &s.at) || tok_expect(ps, ":")) return -1;
  while (ps->t.kind != T_END) {
    if (n == ARRAY_SIZE(word)) return parse_error(ps, ps->t.at, "more than 16 words in a frame");
    if (parse_expr(ps, &word[n++])) return -1;
  }
  struct stmt *p = add_stmt(ps, ST_FRAME);
  if (!p) return -1;
  s.first_arg = ps->f->args;
  s.args = n;
  *p = s;
  for (u32 k = 0; k < n; k++)
    if (add_arg(ps, 0, word[k])) return -1;
  return 0;
}

/* Assembly text to the end of the line; {EXPRESSION} stands for its value. */
static int st_asm(struct parser *ps, struct stmt s) {
  const char *start = ps->t.at, *end = ps->end;
  s32 value[8];
  u32 n = 0;
  s.kind = ST_ASM;
  for (const char *p = start; p < end; p++) {
    if (*p != '{') continue;
    ps->p = p + 1;
    if (n == ARRAY_SIZE(value)) return parse_error(ps, p, "more than 8 values");
    if (lex_next(ps) || parse_expr(ps, &value[n++])) return -1;
    if (!tok_is(ps, "}")) return parse_error(ps, ps->t.at, "expected '}'");
    p = ps->t.at;
  }
  s.text = malloc((size_t)(end - start) + 1);
  if (!s.text) return parse_error(ps, start, "out of memory");
  memcpy(s.text, start, (size_t)(end - start));
  s.text[end - start] = 0;
  ps->p = end;
  ps->t = (struct tok){.kind = T_END, .at = end};
  struct stmt *p = add_stmt(ps, ST_ASM);
  if (!p) {
    free(s.text);
    return -1;
  }
  s.first_arg = ps->f->args;
  s.args = n;
  *p = s;
  if (start == end) return parse_error(ps, start, "expected assembly text");
  for (u32 k = 0; k < n; k++)
    if (add_arg(ps, 0, value[k])) return -1;
  return 0;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte, two digits or {EXPRESSION}; key 1: the number itself. */
static int hex_byte(struct parser *ps, u8 *key, s32 *value) {
  const char *p = ps->p;
  if (*p == '{') {
    ps->p++;
    if (lex_next(ps) || parse_expr(ps, value)) return -1;
    *key = 0;
    return tok_is(ps, "}") ? 0 : parse_error(ps, ps->t.at, "expected '}'");
  }
  if (ps->end - p < 2 || hex_digit(p[0]) < 0 || hex_digit(p[1]) < 0)
    return parse_error(ps, p, "expected bytes of two hexadecimal digits");
  *key = 1;
  *value = hex_digit(p[0]) << 4 | hex_digit(p[1]);
  ps->p += 2;
  return 0;
}

static int st_hex(struct parser *ps, struct stmt s) {
  u8 key[VEC_MAX_CODE];
  s32 value[VEC_MAX_CODE];
  u32 n = 0;
  s.kind = ST_HEX;
  ps->p = ps->t.at;
  for (;;) {
    while (ps->p < ps->end && *ps->p == ' ') ps->p++;
    if (ps->p == ps->end) break;
    if (n == VEC_MAX_CODE) return parse_error(ps, ps->p, "more than %d bytes", VEC_MAX_CODE);
    if (hex_byte(ps, &key[n], &value[n])) return -1;
    n++;
  }
  ps->t = (struct tok){.kind = T_END, .at = ps->end};
  if (!n) return parse_error(ps, ps->end, "expected bytes");
  struct stmt *p = add_stmt(ps, ST_HEX);
  if (!p) return -1;
  s.first_arg = ps->f->args;
  s.args = n;
  *p = s;
  for (u32 k = 0; k < n; k++)
    if (add_arg(ps, key[k], value[k])) return -1;
  return 0;
}

/* Words without a statement of their own: each says what kind of thing is assigned to, for the reader. */
static const char *const plain[] = {"reg", "cr", "msr", "mem", NULL};

int parse_statement(struct parser *ps, bool want, s32 cond) {
  static const struct {
    const char *word;
    int (*parse)(struct parser *ps, struct stmt s);
    u8 kind, index;
    bool setting, wanted;
  } words[] = {
      {"seg", st_seg, ST_SEG, 0, true, true},        {"flags", st_flags, ST_FLAGS, 0, true, true},
      {"gdt", st_gdt, ST_GDT, 0, true, false},       {"idt", st_idt, ST_IDT, 0, true, false},
      {"tss", st_tss, ST_TSS, 0, true, false},       {"page", st_page, ST_PAGE, 0, true, false},
      {"task16", st_task, ST_TASK, 2, true, true},   {"task32", st_task, ST_TASK, 4, true, true},
      {"saved16", st_task, ST_SAVED, 2, false, true}, {"saved32", st_task, ST_SAVED, 4, false, true},
      {"asm", st_asm, ST_ASM, 0, true, false},       {"hex", st_hex, ST_HEX, 0, true, false},
      {"fault", st_fault, ST_FAULT, 0, false, true}, {"deliver", st_fault, ST_DELIVER, 0, false, true},
      {"any", st_any, ST_ANY, 0, false, true},       {"steps", st_run, ST_STEPS, 0, true, false},
      {"interrupt", st_run, ST_INTERRUPT, 0, true, false}, {"nmi", st_run, ST_NMI, 0, true, false},
      {"frame2", st_frame, ST_FRAME, 2, false, true}, {"frame4", st_frame, ST_FRAME, 4, false, true},
      {"frame8", st_frame, ST_FRAME, 8, false, true},
  };
  struct stmt s = {.want = want, .cond = cond, .at = VEC_NONE, .value = VEC_NONE, .line = ps->lineno,
                   .col = (unsigned)(ps->t.at - ps->line) + 1};
  if (want && (tok_is(ps, "shutdown") || tok_is(ps, "halt"))) {
    s.index = tok_is(ps, "halt");
    struct stmt *p = add_stmt(ps, ST_SHUTDOWN);
    if (!p) return -1;
    s.kind = ST_SHUTDOWN;
    *p = s;
    return lex_next(ps);
  }
  if (ps->t.kind == T_ID && word_in(plain, ps->t.text) >= 0) {
    if (lex_next(ps)) return -1;
    return want ? assignment(ps, s) : assignments(ps, s);
  }
  for (unsigned k = 0; k < ARRAY_SIZE(words); k++) {
    if (!tok_is(ps, words[k].word) || !(want ? words[k].wanted : words[k].setting)) continue;
    s.kind = words[k].kind;
    s.index = words[k].index;
    if (s.kind == ST_ASM || s.kind == ST_HEX) { /* not in tokens */
      while (ps->p < ps->end && (*ps->p == ' ' || *ps->p == '\t')) ps->p++;
      ps->t.at = ps->p;
      return words[k].parse(ps, s);
    }
    return lex_next(ps) ? -1 : words[k].parse(ps, s);
  }
  if (want) return assignment(ps, s);
  return parse_error(ps, ps->t.at, ps->t.kind == T_ID ? "'%s' begins no line" : "expected a word%.0s",
                     ps->t.text);
}
