/* Cases: a vector's loops unrolled, and what one case starts from and must end with. */
#include <string.h>

#include "cpu/event.h"
#include "vectors/vec.h"

/* ---- enumeration ---- */

struct walk {
  struct vec_case c;
  int (*fn)(void *opaque, const struct vec_case *c);
  void *opaque;
  u32 cases;
  struct vec_trouble trouble;
  struct vstate none; /* loops see variables only */
};

/* How many values a loop has, those of the loops around it being what they are; no more than VEC_MAX_CASES + 1. */
static u64 loop_values(struct walk *w, const struct loop *l) {
  struct venv env = {.c = &w->c, .st = &w->none, .trouble = &w->trouble};
  u64 n = 0;
  for (u32 k = 0; k < l->args && n <= VEC_MAX_CASES; k++, n++) {
    const struct arg *a = &w->c.file->arg[l->first_arg + k];
    if (!a->key) continue;
    u64 more = vec_eval(&env, w->c.file->arg[l->first_arg + ++k].value) - vec_eval(&env, a->value);
    n += more > VEC_MAX_CASES ? VEC_MAX_CASES : more;
  }
  return n;
}

/* The loop that crosses the limit. */
static const struct loop *crossing(struct walk *w) {
  const struct vector *v = w->c.v;
  u64 cases = (u64)__builtin_popcount(v->vendors) * (u64)__builtin_popcount(v->modes);
  for (u32 k = 0; k + 1 < v->loops; k++)
    if ((cases *= loop_values(w, &v->loop[k])) > VEC_MAX_CASES) return &v->loop[k];
  return &v->loop[v->loops - 1];
}

static int too_many(struct walk *w) {
  const struct vector *v = w->c.v;
  if (w->trouble.here) return -1;
  const struct loop *l = crossing(w);
  w->trouble.here = true;
  vec_case_error(&w->trouble.err, w->c.file, &(struct stmt){.line = l->line, .col = l->col},
                 "vector %s has more than %d cases: narrow a 'for', or make several vectors of it", v->name,
                 VEC_MAX_CASES);
  return -1;
}

static int walk_loop(struct walk *w, u32 level) {
  const struct vector *v = w->c.v;
  if (level == v->loops) return ++w->cases > VEC_MAX_CASES ? too_many(w) : w->fn(w->opaque, &w->c);
  const struct loop *l = &v->loop[level];
  struct venv env = {.c = &w->c, .st = &w->none, .trouble = &w->trouble};
  for (u32 k = 0; k < l->args; k++) {
    const struct arg *a = &w->c.file->arg[l->first_arg + k];
    u64 first = vec_eval(&env, a->value), last = first;
    if (a->key) last = vec_eval(&env, w->c.file->arg[l->first_arg + ++k].value);
    if (last < first)
      vec_trouble(&env, a->value, "the range %#llx..%#llx runs backwards", (unsigned long long)first,
                  (unsigned long long)last);
    if (w->trouble.here || last - first >= VEC_MAX_CASES) return too_many(w);
    for (u64 x = first;; x++) {
      w->c.var[l->var] = x;
      int r = walk_loop(w, level + 1);
      if (r) return r;
      if (x == last) break;
    }
  }
  return 0;
}

int vec_cases(const struct vec_file *f, const struct vector *v,
              int (*fn)(void *opaque, const struct vec_case *c), void *opaque, struct vec_error *err) {
  struct walk w = {.c = {.file = f, .v = v}, .fn = fn, .opaque = opaque};
  for (unsigned vendor = 0; vendor < VENDOR_COUNT; vendor++)
    for (unsigned mode = 0; mode < VM_MODES; mode++) {
      if (!(v->vendors >> vendor & 1) || !(v->modes >> mode & 1)) continue;
      w.c.vendor = (enum vendor)vendor;
      w.c.mode = (enum vec_mode)mode;
      int r = walk_loop(&w, 0);
      if (w.trouble.here) *err = w.trouble.err;
      if (r) return r;
    }
  return 0;
}

void vec_case_name(const struct vec_case *c, char *out, size_t n) {
  int at = snprintf(out, n, "%s %s", vendor_name(c->vendor), vec_mode_name(c->mode));
  for (u32 k = 0; k < c->v->loops && at > 0 && (size_t)at < n; k++) {
    u32 var = c->v->loop[k].var;
    unsigned long long x = c->var[var];
    at += snprintf(out + at, n - (size_t)at, x < 10 ? " %s=%llu" : " %s=%#llx", c->v->var[var], x);
  }
}

/* ---- one case ---- */

int vec_plan_init(struct vec_plan *p) {
  if (vstate_init(&p->start)) return -1;
  if (!vstate_init(&p->want)) return 0;
  vstate_free(&p->start);
  return -1;
}
void vec_plan_free(struct vec_plan *p) {
  vstate_free(&p->start);
  vstate_free(&p->want);
}

static bool holds(const struct venv *env, const struct stmt *s) {
  return s->cond == VEC_NONE || vec_eval(env, s->cond);
}

struct code {
  u8 asm_bytes[VEC_MAX_CODE], hex_bytes[VEC_MAX_CODE];
  int asm_len, hex_len; /* -1: not given */
  const struct stmt *asm_at;
};

static int read_code(const struct venv *env, const struct stmt *s, struct assembler *as,
                     struct code *code, struct vec_error *err) {
  const struct vec_case *c = env->c;
  if (s->kind == ST_HEX) {
    for (u32 k = 0; k < s->args; k++) {
      const struct arg *a = &c->file->arg[s->first_arg + k];
      code->hex_bytes[k] = (u8)(a->key ? (u64)a->value : vec_eval_bits(env, a->value, 8, "byte"));
    }
    code->hex_len = (int)s->args;
    return 0;
  }
  char text[4096];
  char as_err[300];
  code->asm_at = s;
  if (code->hex_len >= 0 && !assembler_compares(as)) return 0;
  if (!assembler_present(as)) return 0;
  if (vec_asm_text(env, s, text, sizeof text)) {
    vec_case_error(err, c->file, s, "the assembly text is too long");
    return -1;
  }
  unsigned bits = c->mode == VM_LONG64 ? 64 : mode_16bit(c->mode) ? 16 : 32;
  code->asm_len = assemble_text(as, text, bits, code->asm_bytes, as_err, sizeof as_err);
  if (code->asm_len >= 0) return 0;
  vec_case_error(err, c->file, s, "%s", as_err);
  return -1;
}

/* Variables and code, which see no state; fills the machine's code. */
static int plan_code(struct venv *env, struct vec_case *c, struct assembler *as, struct vec_plan *p,
                     struct vec_error *err) {
  struct code code = {.asm_len = -1, .hex_len = -1};
  for (unsigned kind = ST_HEX; kind; kind = kind == ST_HEX ? ST_ASM : 0)
    for (u32 k = 0; k < c->v->stmts; k++) {
      const struct stmt *s = &c->file->stmt[c->v->first_stmt + k];
      if (s->kind == ST_LET) c->var[s->index] = vec_eval(env, s->value);
      else if (s->kind == kind && holds(env, s) && read_code(env, s, as, &code, err)) return -1;
    }
  const struct stmt first = {.line = c->v->line, .col = c->v->col};
  if (code.asm_len >= 0 && code.hex_len >= 0 &&
      (code.asm_len != code.hex_len || memcmp(code.asm_bytes, code.hex_bytes, (size_t)code.asm_len))) {
    char text[64] = "";
    for (int k = 0, at = 0; k < code.asm_len && k < 16; k++)
      at += snprintf(text + at, sizeof text - (size_t)at, " %02x", code.asm_bytes[k]);
    vec_case_error(err, c->file, code.asm_at, "asm and hex disagree: asm is%s", text);
    return -1;
  }
  int len = code.hex_len >= 0 ? code.hex_len : code.asm_len;
  if (len < 0) {
    vec_case_error(err, c->file, code.asm_at ? code.asm_at : &first,
                   code.asm_at ? "there is no GNU as here: give the bytes with 'hex' too"
                               : "this case runs nothing");
    return -1;
  }
  memcpy(p->start.ram + VM_CODE, code.hex_len >= 0 ? code.hex_bytes : code.asm_bytes, (size_t)len);
  p->next = p->start.rip + (u64)len;
  return 0;
}

static u64 cpl_given(const struct venv *env, bool *given) {
  const struct vector *v = env->c->v;
  *given = true;
  if (v->cpl != VEC_NONE) return vec_eval_bits(env, v->cpl, 2, "cpl");
  for (u32 k = 0; k < v->vars; k++)
    if (!strcmp(v->var[k], "cpl")) return env->c->var[k];
  *given = false;
  return 0;
}

/* Real mode has CPL 0, virtual-8086 mode 3: SDM 3B 20.1.1, 20.2.1. */
static int check_cpl(const struct venv *env, struct vec_error *err) {
  const struct vec_case *c = env->c;
  bool given;
  u64 value = cpl_given(env, &given);
  unsigned fixed = c->mode == VM_REAL ? 0 : 3;
  for (u32 k = 0; value > 3 && k < c->v->loops; k++) {
    const struct loop *l = &c->v->loop[k];
    if (strcmp(c->v->var[l->var], "cpl")) continue;
    vec_case_error(err, c->file, &(struct stmt){.line = l->line, .col = l->col}, "cpl: %#llx does not fit in 2 bits",
                   (unsigned long long)value);
    return -1;
  }
  if (!given || (c->mode != VM_REAL && c->mode != VM_V86) || value == fixed) return 0;
  vec_case_error(err, c->file, &(struct stmt){.line = c->v->line, .col = c->v->col},
                 "cpl %llu in %s mode, which has CPL %u: leave the case out with 'skip if'",
                 (unsigned long long)value, vec_mode_name(c->mode), fixed);
  return -1;
}

/* Applies the settings in order. 1: the case is skipped. */
static int plan_start(struct venv *env, struct vec_case *c, struct vec_plan *p, struct vec_error *err) {
  p->steps = 1;
  p->interrupt = -1;
  p->nmi = false;
  for (u32 k = 0; k < c->v->stmts; k++) {
    const struct stmt *s = &c->file->stmt[c->v->first_stmt + k];
    if (s->want) continue;
    if (s->kind == ST_LET) c->var[s->index] = vec_eval(env, s->value);
    else if (s->kind == ST_SKIP) {
      if (vec_eval(env, s->cond)) return 1;
    } else if (s->kind == ST_STEPS || s->kind == ST_INTERRUPT || s->kind == ST_NMI) {
      if (!holds(env, s)) continue;
      if (s->kind == ST_STEPS) p->steps = vec_eval(env, s->value);
      if (p->steps < 1 || p->steps > VEC_MAX_STEPS) {
        vec_case_error(err, c->file, s, "steps are 1 to %d", VEC_MAX_STEPS);
        return -1;
      }
      if (s->kind == ST_INTERRUPT) p->interrupt = (int)vec_eval_bits(env, s->value, 8, "vector");
      if (s->kind == ST_NMI) p->nmi = true;
    } else if (holds(env, s) && vec_apply(env, s, &p->start, err)) return -1;
  }
  return 0;
}

static bool is_outcome(const struct stmt *s) {
  return s->kind == ST_FAULT || s->kind == ST_DELIVER || s->kind == ST_SHUTDOWN;
}

/* Does the statement say what place k of those not compared must be? A frame may have an open word. */
static bool says(const struct venv *env, const struct vec_plan *p, unsigned k, const struct stmt *s) {
  u64 at = p->any[k].at, bytes = p->any[k].bytes;
  if (s->kind == ST_SET) return !bytes && at == s->index;
  if (s->kind == ST_FLAGS) return !bytes && regname_kind((unsigned)at) == REG_FLAGS;
  if (s->kind != ST_MEM || !bytes) return false;
  u64 from = vec_eval(env, s->at);
  return from < at + bytes && at < from + s->index;
}

/* What was left open is so no more when a later line says what it is. Of memory the whole of it. */
static int close_open(const struct venv *env, struct vec_plan *p, const struct stmt *s, struct vec_error *err) {
  for (unsigned k = p->anys; k-- > 0;) {
    if (!says(env, p, k, s)) continue;
    u64 at = p->any[k].at, from = p->any[k].bytes ? vec_eval(env, s->at) : at;
    if (p->any[k].bytes && (at < from || at + p->any[k].bytes > from + s->index)) {
      vec_case_error(err, env->c->file, s, "of %u bytes that 'any' leaves open this is a part", p->any[k].bytes);
      return -1;
    }
    p->any[k] = p->any[--p->anys];
  }
  return 0;
}

/* Applies the expectations in order; an outcome that holds is the last of them, but for the rest of its
 * line. */
static int plan_want(struct venv *env, struct vec_plan *p, struct vec_error *err) {
  const struct vec_case *c = env->c;
  unsigned last = 0;
  p->outcome = (struct outcome){.kind = OUT_DONE};
  p->anys = 0;
  for (u32 k = 0; k < c->v->stmts; k++) {
    const struct stmt *s = &c->file->stmt[c->v->first_stmt + k];
    if (!s->want || (last && s->line != last) || !holds(env, s)) continue;
    if (is_outcome(s)) {
      last = s->line;
      p->outcome = (struct outcome){
          .kind = s->kind == ST_FAULT ? OUT_FAULT : s->kind == ST_DELIVER ? OUT_DELIVER : s->index ? OUT_HALT
                                                                                          : OUT_SHUTDOWN,
          .vector = s->kind == ST_SHUTDOWN ? 0 : s->at != VEC_NONE ? (u8)vec_eval_bits(env, s->at, 8, "vector")
                                                                          : (u8)s->index,
          .has_error = s->value != VEC_NONE,
          .error = s->value == VEC_NONE ? 0 : (u32)vec_eval_bits(env, s->value, 32, "error code")};
    } else if (s->kind == ST_ANY) {
      if (p->anys == VEC_ANYS) {
        vec_case_error(err, c->file, s, "more than %d things are left open", VEC_ANYS);
        return -1;
      }
      p->any[p->anys].bytes = s->at == VEC_NONE ? 0 : s->index;
      p->any[p->anys++].at = s->at == VEC_NONE ? s->index : vec_eval(env, s->at);
    } else if (close_open(env, p, s, err) || vec_apply(env, s, &p->want, err)) {
      return -1;
    }
  }
  return 0;
}

static int plan(struct venv *env, struct vec_case *c, const struct cpu_model *model, struct assembler *as,
                struct vec_plan *p, struct vec_error *err) {
  vstate_default(&p->start, model, c->mode, 0);
  bool given;
  u64 cpl = cpl_given(env, &given);
  vstate_default(&p->start, model, c->mode, (unsigned)(cpl & 3));
  if (plan_code(env, c, as, p, err)) return -1;
  env->next = p->next;
  int r = plan_start(env, c, p, err);
  if (r || check_cpl(env, err)) return r ? r : -1;
  vstate_copy(&p->want, &p->start);
  return plan_want(env, p, err);
}

int vec_plan(const struct vec_case *given, const struct cpu_model *model, struct assembler *as,
             struct vec_plan *p, struct vec_error *err) {
  struct vec_case c = *given;
  c.model = model;
  struct vec_trouble trouble = {.here = false};
  struct venv env = {.c = &c, .st = &p->start, .trouble = &trouble};
  int r = plan(&env, &c, model, as, p, err);
  if (!trouble.here || r > 0) return r;
  *err = trouble.err; /* it came first */
  return -1;
}
