/* Expressions: C's operators and precedence over unsigned 64-bit numbers. What has no value (a division by 0,
 * a shift by 64) is an error of the case, at the operator. */
#include "vectors/expr.h"

#include <stdarg.h>
#include <string.h>

#include "cpu/seg.h"
#include "vectors/lex.h"

enum { MAX_DEPTH = 60 };

static const struct {
  const char *text;
  u8 op, level;
} binaries[] = {
    {"||", OP_OR, 1},  {"&&", OP_AND, 2}, {"|", OP_BOR, 3},  {"^", OP_XOR, 4}, {"&", OP_BAND, 5},
    {"==", OP_EQ, 6},  {"!=", OP_NE, 6},  {"<", OP_LT, 7},   {"<=", OP_LE, 7}, {">", OP_GT, 7},
    {">=", OP_GE, 7},  {"<<", OP_SHL, 8}, {">>", OP_SHR, 8}, {"+", OP_ADD, 9}, {"-", OP_SUB, 9},
    {"*", OP_MUL, 10}, {"/", OP_DIV, 10}, {"%", OP_MOD, 10},
};

static const char *const functions[FN_COUNT + 1] = {
    "cs32", "cs64", "cs16", "ds", "ss16", "ds16", "handler", "pte", "desc", "gate", "ist", "tss_stack", NULL};

/* By enum expr_model. */
static const char *const of_model[] = {"canonical_bits", "physbits", NULL};

static const struct {
  const char *name;
  u64 value;
} constants[] = {
    {"stack", VM_STACK}, {"code", VM_CODE}, {"data", VM_DATA},     {"gdt", VM_GDT},         {"idt", VM_IDT},
    {"tss", VM_TSS},     {"ldt", VM_LDT},   {"free", VM_FREE_SEL}, {"tss_sel", VM_TSS_SEL}, {"ram", VM_RAM},
    {"iomap", VM_TSS + VM_IOMAP}, {"redirection", VM_TSS + 104},
};

static const struct {
  const char *name;
  u32 modes;
} mode_groups[] = {
    {"long", 1 << VM_LONG64 | 1 << VM_COMPAT32 | 1 << VM_COMPAT16},
    {"compat", 1 << VM_COMPAT32 | 1 << VM_COMPAT16},
    {"prot", 1 << VM_PROT32 | 1 << VM_PROT16},
    {"bits16", 1 << VM_COMPAT16 | 1 << VM_PROT16 | 1 << VM_V86 | 1 << VM_REAL},
};

static int add_node(struct parser *ps, const char *at, struct node n, s32 *out) {
  struct vec_file *f = ps->f;
  n.line = ps->lineno;
  n.col = (u32)(at - ps->line) + 1;
  if (grow(ps, &f->node, f->nodes, &f->node_room, sizeof *f->node)) return -1;
  f->node[f->nodes] = n;
  *out = (s32)f->nodes++;
  return 0;
}

/* feature(NAME), the name being in hand. */
static int parse_feature(struct parser *ps, const char *at, s32 *out) {
  if (tok_expect(ps, "(")) return -1;
  int f = ps->t.kind == T_ID ? model_feature(ps->t.text) : FEAT_NONE;
  if (f < 0) return parse_error(ps, ps->t.at, "expected a CPU feature's name");
  if (lex_next(ps) || tok_expect(ps, ")")) return -1;
  return add_node(ps, at, (struct node){.kind = N_MODEL, .num = MODEL_FEATURE + (u64)f}, out);
}

static int parse_name(struct parser *ps, s32 *out) {
  char name[sizeof ps->t.text];
  const char *at = ps->t.at;
  strcpy(name, ps->t.text);
  if (lex_next(ps)) return -1;
  int fn = word_in(functions, name), of = word_in(of_model, name), c;
  unsigned hi;
  if (fn >= 0 && tok_is(ps, "(")) {
    s32 a;
    if (tok_expect(ps, "(") || parse_expr(ps, &a) || tok_expect(ps, ")")) return -1;
    return add_node(ps, at, (struct node){.kind = N_CALL, .num = (u64)fn, .a = a}, out);
  }
  for (u32 k = 0; ps->v && k < ps->v->vars; k++)
    if (!strcmp(ps->v->var[k], name)) return add_node(ps, at, (struct node){.kind = N_VAR, .num = k}, out);
  if (of >= 0) return add_node(ps, at, (struct node){.kind = N_MODEL, .num = (u64)of}, out);
  if (!strcmp(name, "feature") && tok_is(ps, "(")) return parse_feature(ps, at, out);
  if (!strcmp(name, "next")) return add_node(ps, at, (struct node){.kind = N_NEXT}, out);
  enum vendor vendor;
  if (!vendor_parse(name, &vendor)) return add_node(ps, at, (struct node){.kind = N_VENDOR, .num = vendor}, out);
  for (unsigned m = 0; m < VM_MODES; m++)
    if (!strcmp(name, vec_mode_name((enum vec_mode)m)))
      return add_node(ps, at, (struct node){.kind = N_MODE, .num = 1u << m}, out);
  for (unsigned k = 0; k < ARRAY_SIZE(mode_groups); k++)
    if (!strcmp(mode_groups[k].name, name))
      return add_node(ps, at, (struct node){.kind = N_MODE, .num = mode_groups[k].modes}, out);
  for (unsigned k = 0; k < ARRAY_SIZE(constants); k++)
    if (!strcmp(constants[k].name, name))
      return add_node(ps, at, (struct node){.kind = N_NUM, .num = constants[k].value}, out);
  for (unsigned k = 0; k < FLAG_ROWS; k++)
    if (!strcmp(flag_rows[k].name, name))
      return add_node(ps, at, (struct node){.kind = N_NUM, .num = flag_rows[k].mask}, out);
  if (tok_is(ps, "[") && (name[0] | 0x20) == 'u') {
    unsigned bytes = memory_bytes(name);
    s32 a;
    if (!bytes) return parse_error(ps, at, "memory is u8[], u16[], u32[] or u64[]");
    if (tok_expect(ps, "[") || parse_expr(ps, &a) || tok_expect(ps, "]")) return -1;
    return add_node(ps, at, (struct node){.kind = N_MEM, .num = bytes, .a = a}, out);
  }
  if ((c = regname_find(name)) >= 0) return add_node(ps, at, (struct node){.kind = N_REG, .num = (u64)c}, out);
  if (regname_wide(name, &hi) >= 0)
    return parse_error(ps, at, "'%s' has more than 64 bits: %s.lo and %s.hi are its parts", name, name, name);
  return parse_error(ps, at, "'%s' is no variable, register, constant or function", name);
}

static int parse_primary(struct parser *ps, s32 *out) {
  if (ps->t.kind == T_NUM) {
    struct node n = {.kind = N_NUM, .num = ps->t.num};
    const char *at = ps->t.at;
    return lex_next(ps) || add_node(ps, at, n, out) ? -1 : 0;
  }
  if (ps->t.kind == T_ID) return parse_name(ps, out);
  if (tok_is(ps, "(")) {
    if (lex_next(ps) || parse_expr(ps, out) || tok_expect(ps, ")")) return -1;
    return 0;
  }
  return parse_error(ps, ps->t.at, "expected an expression");
}

int parse_item(struct parser *ps, s32 *out) {
  struct node n = {.kind = N_UNARY};
  const char *at = ps->t.at;
  if (tok_is(ps, "-")) n.op = OP_NEG;
  else if (tok_is(ps, "!")) n.op = OP_NOT;
  else if (tok_is(ps, "~")) n.op = OP_INV;
  else return parse_primary(ps, out);
  if (++ps->depth > MAX_DEPTH) return parse_error(ps, ps->t.at, "the expression is nested too deeply");
  if (lex_next(ps) || parse_item(ps, &n.a)) return -1;
  ps->depth--;
  return add_node(ps, at, n, out);
}

static int parse_binary(struct parser *ps, unsigned level, s32 *out) {
  if (parse_item(ps, out)) return -1;
  for (;;) {
    unsigned k = 0;
    while (k < ARRAY_SIZE(binaries) && !(tok_is(ps, binaries[k].text) && binaries[k].level >= level)) k++;
    if (k == ARRAY_SIZE(binaries) || ps->t.kind != T_OP) return 0;
    struct node n = {.kind = N_BINARY, .op = binaries[k].op, .a = *out};
    const char *at = ps->t.at;
    if (++ps->depth > MAX_DEPTH) return parse_error(ps, ps->t.at, "the expression is nested too deeply");
    if (lex_next(ps) || parse_binary(ps, binaries[k].level + 1u, &n.b)) return -1;
    ps->depth--;
    if (add_node(ps, at, n, out)) return -1;
  }
}

int parse_expr(struct parser *ps, s32 *out) {
  struct node n = {.kind = N_CHOICE};
  if (++ps->depth > MAX_DEPTH) return parse_error(ps, ps->t.at, "the expression is nested too deeply");
  if (parse_binary(ps, 1, out)) return -1;
  if (tok_is(ps, "?")) {
    const char *at = ps->t.at;
    n.a = *out;
    if (lex_next(ps) || parse_expr(ps, &n.b) || tok_expect(ps, ":") || parse_expr(ps, &n.c)) return -1;
    if (add_node(ps, at, n, out)) return -1;
  }
  ps->depth--;
  return 0;
}

/* ---- values ---- */

u64 expr_binary(enum expr_op op, u64 a, u64 b) {
  switch (op) {
  case OP_OR: return a || b;
  case OP_AND: return a && b;
  case OP_BOR: return a | b;
  case OP_XOR: return a ^ b;
  case OP_BAND: return a & b;
  case OP_EQ: return a == b;
  case OP_NE: return a != b;
  case OP_LT: return a < b;
  case OP_LE: return a <= b;
  case OP_GT: return a > b;
  case OP_GE: return a >= b;
  case OP_SHL: return b < 64 ? a << b : 0;
  case OP_SHR: return b < 64 ? a >> b : 0;
  case OP_ADD: return a + b;
  case OP_SUB: return a - b;
  case OP_MUL: return a * b;
  case OP_DIV: return b ? a / b : 0;
  case OP_MOD: return b ? a % b : 0;
  case OP_CLEAR: return 0;
  default: return b; /* OP_ASSIGN */
  }
}

static u64 call(const struct venv *env, enum expr_fn fn, u64 a) {
  switch (fn) {
  case FN_CS32: return vm_cs32(a);
  case FN_CS64: return vm_cs64(a);
  case FN_CS16: return vm_cs16(a);
  case FN_DS: return vm_ds(a);
  case FN_SS16: return vm_ss16(a);
  case FN_DS16: return vm_ds16(a);
  case FN_HANDLER: return vm_handler(a);
  case FN_PTE: return VM_PT + (a >> PAGE_SHIFT & 511) * 8;
  case FN_DESC: return VM_GDT + (a & 0xfff8);
  case FN_GATE: return mode_gates(env->c->mode) + (a & 0xff) * mode_gate_size(env->c->mode);
  case FN_IST: return VM_IST + (a & 7) * 0x1000;
  default: return VM_TSS_STACK + (a & 3) * 0x1000;
  }
}

void vec_trouble(const struct venv *env, s32 node, const char *fmt, ...) {
  const struct node *n = &env->c->file->node[node];
  char text[200];
  va_list ap;
  if (env->trouble->here) return;
  env->trouble->here = true;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  vec_case_error(&env->trouble->err, env->c->file, &(struct stmt){.line = n->line, .col = n->col}, "%s", text);
}

static u64 binary(const struct venv *env, s32 node) {
  const struct node *n = &env->c->file->node[node];
  u64 a = vec_eval(env, n->a), b;
  if (n->op == OP_OR && a) return 1;
  if (n->op == OP_AND && !a) return 0;
  b = vec_eval(env, n->b);
  if ((n->op == OP_DIV || n->op == OP_MOD) && !b)
    vec_trouble(env, node, "division by 0: leave the case out with 'skip if', or guard it with '?'");
  if ((n->op == OP_SHL || n->op == OP_SHR) && b > 63)
    vec_trouble(env, node, "a shift by %llu: 0 to 63 is possible", (unsigned long long)b);
  return expr_binary((enum expr_op)n->op, a, b);
}

static u64 memory(const struct venv *env, s32 node) {
  const struct node *n = &env->c->file->node[node];
  u64 at = vec_eval(env, n->a);
  if (env->st->ram && (at >= VM_RAM || VM_RAM - at < n->num))
    vec_trouble(env, node, "address %#llx is outside the machine's %u KiB", (unsigned long long)at,
                VM_RAM / 1024u);
  return vstate_read(env->st, at, (unsigned)n->num);
}

static u64 of_the_model(const struct venv *env, s32 node) {
  const struct cpu_model *m = env->c->model;
  u64 what = env->c->file->node[node].num;
  if (!m) {
    vec_trouble(env, node, "a 'for' is the same on every model: use 'skip if' or 'let'");
    return 0;
  }
  return what == MODEL_CANONICAL ? model_canonical_bits(m)
         : what == MODEL_PHYSICAL ? m->maxphyaddr
                                  : model_has(m, (int)(what - MODEL_FEATURE));
}

u64 vec_eval_bits(const struct venv *env, s32 node, unsigned bits, const char *what) {
  u64 v = vec_eval(env, node), sign = v >> (bits - 1);
  if (bits < 64 && sign > 1 && sign != UINT64_MAX >> (bits - 1))
    vec_trouble(env, node, "%s: %#llx does not fit in %u bits", what, (unsigned long long)v, bits);
  return bits < 64 ? v & ((UINT64_C(1) << bits) - 1) : v;
}

u64 vec_eval(const struct venv *env, s32 node) {
  const struct node *n = &env->c->file->node[node];
  switch ((enum node_kind)n->kind) {
  case N_NUM: return n->num;
  case N_VAR: return env->c->var[n->num];
  case N_NEXT: return env->next;
  case N_MODEL: return of_the_model(env, node);
  case N_VENDOR: return env->c->vendor == (enum vendor)n->num;
  case N_MODE: return n->num >> env->c->mode & 1;
  case N_REG: return vstate_get(env->st, (unsigned)n->num);
  case N_MEM: return memory(env, node);
  case N_CHOICE: return vec_eval(env, vec_eval(env, n->a) ? n->b : n->c);
  case N_CALL: return call(env, (enum expr_fn)n->num, vec_eval(env, n->a));
  case N_BINARY: return binary(env, node);
  case N_UNARY: break;
  }
  u64 a = vec_eval(env, n->a);
  return n->op == OP_NEG ? -a : n->op == OP_NOT ? !a : ~a;
}
