/* A .vec file's lines: vectors, what they enumerate, and the citations above them. docs/conformance.md */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vectors/lex.h"

enum { MAX_FILE = 4 << 20, MAX_LINE = 4096, MAX_CITE = 1000 };

int add_arg(struct parser *ps, u8 key, s32 value) {
  struct vec_file *f = ps->f;
  if (grow(ps, &f->arg, f->args, &f->arg_room, sizeof *f->arg)) return -1;
  f->arg[f->args++] = (struct arg){.key = key, .value = value};
  return 0;
}

struct stmt *add_stmt(struct parser *ps, enum stmt_kind kind) {
  struct vec_file *f = ps->f;
  if (grow(ps, &f->stmt, f->stmts, &f->stmt_room, sizeof *f->stmt)) return NULL;
  struct stmt *s = &f->stmt[f->stmts++];
  *s = (struct stmt){.kind = (u8)kind,
                     .cond = VEC_NONE,
                     .at = VEC_NONE,
                     .value = VEC_NONE,
                     .line = ps->lineno,
                     .col = (unsigned)(ps->t.at - ps->line) + 1,
                     .first_arg = f->args};
  ps->v->stmts++;
  return s;
}

static char *copy(struct parser *ps, const char *s, size_t n) {
  char *c = malloc(n + 1);
  if (!c) {
    (void)parse_error(ps, ps->p, "out of memory");
    return NULL;
  }
  memcpy(c, s, n);
  c[n] = 0;
  return c;
}

/* ---- the lines above the statements ---- */

/* A citation names a manual and a section of it, or an instruction's page. */
static bool cites(const char *s) {
  const char *m = strstr(s, "SDM "), *a = strstr(s, "APM ");
  if (!m) m = a;
  return m && m[4] >= '1' && m[4] <= '5' && strlen(m) > 8;
}

/* After the last line of a vector: is it one? */
static int end_vector(struct parser *ps) {
  struct vector *v = ps->v;
  bool runs = false, wants = false;
  ps->v = NULL;
  if (!v) return 0;
  for (u32 k = 0; k < v->stmts; k++) {
    const struct stmt *s = &ps->f->stmt[v->first_stmt + k];
    runs |= s->kind == ST_ASM || s->kind == ST_HEX;
    wants |= s->want;
  }
  ps->lineno = v->line;
  ps->line = ps->f->text; /* only for the column */
  ps->p = ps->line + v->col - 1;
  if (!v->vendors) return parse_error(ps, ps->p, "vector %s: no 'cpu' line", v->name);
  if (!v->modes) return parse_error(ps, ps->p, "vector %s: no 'mode' line", v->name);
  if (!runs) return parse_error(ps, ps->p, "vector %s runs nothing: no 'asm' or 'hex' line", v->name);
  if (!wants) return parse_error(ps, ps->p, "vector %s has no 'want' line", v->name);
  return 0;
}

static int line_vector(struct parser *ps, char **cite) {
  struct vec_file *f = ps->f;
  const char *at = ps->t.at;
  if (ps->t.kind != T_ID) return parse_error(ps, at, "expected the vector's name");
  if (!*cite)
    return parse_error(ps, at, "vector %s has no citation: put '# SDM ...' directly above it", ps->t.text);
  if (!cites(*cite))
    return parse_error(ps, at, "the comment above vector %s cites no section of the SDM or the APM",
                       ps->t.text);
  for (u32 k = 0; k < f->vectors; k++)
    if (!strcmp(f->vector[k].name, ps->t.text))
      return parse_error(ps, at, "vector %s is there already, on line %u", ps->t.text, f->vector[k].line);
  if (grow(ps, &f->vector, f->vectors, &f->vector_room, sizeof *f->vector)) return -1;
  char *name = copy(ps, ps->t.text, strlen(ps->t.text));
  if (!name) return -1;
  ps->v = &f->vector[f->vectors++];
  *ps->v = (struct vector){.name = name,
                           .cite = *cite,
                           .line = ps->lineno,
                           .col = (unsigned)(at - ps->line) + 1,
                           .cpl = VEC_NONE,
                           .first_stmt = f->stmts};
  *cite = NULL;
  return lex_next(ps);
}

/* +FEATURE, -FEATURE */
static int feature_change(struct parser *ps) {
  struct vector *v = ps->v;
  bool on = tok_is(ps, "+");
  if (v->changes == VEC_CHANGES) return parse_error(ps, ps->t.at, "more than %d features", VEC_CHANGES);
  if (lex_next(ps)) return -1;
  int f = ps->t.kind == T_ID ? model_feature(ps->t.text) : FEAT_NONE;
  if (f < 0) return parse_error(ps, ps->t.at, "expected a CPU feature's name");
  v->change[v->changes].feature = (s16)f;
  v->change[v->changes++].on = on;
  return lex_next(ps);
}

static int line_cpu(struct parser *ps) {
  enum vendor vendor;
  for (; ps->t.kind != T_END;) {
    if (tok_is(ps, "+") || tok_is(ps, "-")) {
      if (feature_change(ps)) return -1;
      continue;
    }
    if (ps->t.kind != T_ID || vendor_parse(ps->t.text, &vendor))
      return parse_error(ps, ps->t.at, "expected intel or amd");
    ps->v->vendors |= (u8)(1u << vendor);
    if (lex_next(ps)) return -1;
  }
  return 0;
}

static int line_needs(struct parser *ps) {
  struct vector *v = ps->v;
  do {
    int f = ps->t.kind == T_ID ? model_feature(ps->t.text) : FEAT_NONE;
    if (f < 0) return parse_error(ps, ps->t.at, "expected a CPU feature's name");
    if (v->needs == VEC_NEEDS) return parse_error(ps, ps->t.at, "more than %d features", VEC_NEEDS);
    v->need[v->needs++] = (s16)f;
    if (lex_next(ps)) return -1;
  } while (ps->t.kind != T_END);
  return 0;
}

static int line_mode(struct parser *ps) {
  for (; ps->t.kind != T_END;) {
    unsigned m = 0;
    while (m < VM_MODES && !tok_is(ps, vec_mode_name((enum vec_mode)m))) m++;
    if (m == VM_MODES)
      return parse_error(ps, ps->t.at, "expected a mode: long64, compat32, compat16, prot32, prot16, v86, real");
    ps->v->modes |= (u8)(1u << m);
    if (lex_next(ps)) return -1;
  }
  return 0;
}

static int add_var(struct parser *ps, u32 *index) {
  struct vector *v = ps->v;
  if (ps->t.kind != T_ID) return parse_error(ps, ps->t.at, "expected a name");
  if (strchr(ps->t.text, '.')) return parse_error(ps, ps->t.at, "no dots in a variable's name");
  for (u32 k = 0; k < v->vars; k++)
    if (!strcmp(v->var[k], ps->t.text))
      return parse_error(ps, ps->t.at, "'%s' has a value already", ps->t.text);
  if (v->vars == VEC_VARS) return parse_error(ps, ps->t.at, "more than %d variables", VEC_VARS);
  char *name = copy(ps, ps->t.text, strlen(ps->t.text));
  if (!name) return -1;
  *index = v->vars;
  v->var[v->vars++] = name;
  return lex_next(ps);
}

static int line_for(struct parser *ps) {
  struct vector *v = ps->v;
  struct loop l = {.line = ps->lineno, .col = (unsigned)(ps->t.at - ps->line) + 1};
  if (v->loops == VEC_LOOPS) return parse_error(ps, ps->t.at, "more than %d loops", VEC_LOOPS);
  if (add_var(ps, &l.var) || tok_expect(ps, "in")) return -1;
  l.first_arg = ps->f->args;
  u32 first = 0;
  s32 value[VEC_MAX_CODE];
  u8 key[VEC_MAX_CODE];
  while (ps->t.kind != T_END) { /* gathered first: nothing else may add arguments between */
    if (first + 2 > VEC_MAX_CODE) return parse_error(ps, ps->t.at, "too many values");
    if (parse_expr(ps, &value[first])) return -1;
    key[first++] = 0;
    int range = tok_accept(ps, "..");
    if (range < 0) return -1;
    if (!range) continue;
    key[first - 1] = 1;
    if (parse_expr(ps, &value[first])) return -1;
    key[first++] = 0;
  }
  if (!first) return parse_error(ps, ps->t.at, "expected values");
  l.first_arg = ps->f->args;
  l.args = first;
  for (u32 k = 0; k < first; k++)
    if (add_arg(ps, key[k], value[k])) return -1;
  v->loop[v->loops++] = l;
  return 0;
}

static int line_let(struct parser *ps) {
  u32 var = 0;
  s32 value;
  struct tok at = ps->t;
  char name[sizeof at.text];
  strcpy(name, at.text);
  if (at.kind != T_ID) return parse_error(ps, at.at, "expected a name");
  if (!strcmp(name, "cpl")) return parse_error(ps, at.at, "the privilege level is not set by 'let': write 'cpl EXPR'");
  if (lex_next(ps) || tok_expect(ps, "=") || parse_expr(ps, &value)) return -1;
  struct tok after = ps->t; /* the name is known only behind its value */
  ps->t = at;
  const char *p = ps->p;
  if (add_var(ps, &var)) return -1;
  ps->t = after;
  ps->p = p;
  struct stmt *s = add_stmt(ps, ST_LET);
  if (!s) return -1;
  s->index = var;
  s->value = value;
  return 0;
}

static int line_undefined(struct parser *ps) {
  while (ps->t.kind != T_END) {
    u32 mask = ps->t.kind == T_ID ? vflag_find(ps->t.text) : 0;
    if (!mask) return parse_error(ps, ps->t.at, "expected a flag's name");
    ps->v->undefined |= mask;
    if (lex_next(ps)) return -1;
  }
  return 0;
}

static int line_disputed(struct parser *ps) {
  if (ps->t.kind == T_END) return parse_error(ps, ps->t.at, "expected who says otherwise");
  if (ps->v->disputed) return parse_error(ps, ps->t.at, "disputed already");
  ps->v->disputed = copy(ps, ps->t.at, (size_t)(ps->end - ps->t.at));
  ps->p = ps->end;
  ps->t = (struct tok){.kind = T_END, .at = ps->end};
  return ps->v->disputed ? 0 : -1;
}

static int line_skip(struct parser *ps) {
  s32 cond;
  if (tok_expect(ps, "if") || parse_expr(ps, &cond)) return -1;
  struct stmt *s = add_stmt(ps, ST_SKIP);
  if (!s) return -1;
  s->cond = cond;
  return 0;
}

/* The rest of the line: `if COND` and statements. */
static int line_statements(struct parser *ps) {
  s32 cond = VEC_NONE;
  int want = tok_accept(ps, "want");
  int conditional = want < 0 ? -1 : tok_accept(ps, "if");
  if (conditional < 0 || (conditional && parse_expr(ps, &cond))) return -1;
  if (ps->t.kind == T_END)
    return parse_error(ps, ps->t.at, want ? "expected what must hold" : "expected a statement");
  do {
    if (parse_statement(ps, want, cond)) return -1;
  } while (ps->t.kind != T_END && want);
  return 0;
}

static int parse_line(struct parser *ps, char **cite) {
  static const struct {
    const char *word;
    int (*parse)(struct parser *ps);
  } lines[] = {{"cpu", line_cpu}, {"mode", line_mode}, {"for", line_for}, {"let", line_let},
               {"undefined", line_undefined}, {"disputed", line_disputed}, {"skip", line_skip},
               {"needs", line_needs}};
  if (lex_next(ps)) return -1;
  int r = tok_accept(ps, "vector");
  if (r < 0) return -1;
  if (r) {
    const char *p = ps->p, *line = ps->line;
    struct tok t = ps->t;
    unsigned lineno = ps->lineno;
    if (end_vector(ps)) return -1;
    ps->p = p;
    ps->line = line;
    ps->t = t;
    ps->lineno = lineno;
    r = line_vector(ps, cite);
  } else {
    if (!ps->v) return parse_error(ps, ps->t.at, "expected 'vector NAME'");
    unsigned k = 0;
    while (k < ARRAY_SIZE(lines) && !tok_is(ps, lines[k].word)) k++;
    if (k < ARRAY_SIZE(lines)) r = lex_next(ps) ? -1 : lines[k].parse(ps);
    else if (tok_is(ps, "cpl")) r = ps->v->cpl != VEC_NONE ? parse_error(ps, ps->t.at, "cpl is given already")
                                    : lex_next(ps) ? -1 : parse_expr(ps, &ps->v->cpl);
    else r = line_statements(ps);
  }
  if (r < 0) return -1;
  return ps->t.kind == T_END ? 0 : parse_error(ps, ps->t.at, "something is left over on this line");
}

/* ---- the file ---- */

/* Adds a comment's text to the citation in the making. */
static int add_comment(struct parser *ps, char **cite) {
  const char *s = ps->p + 1;
  while (s < ps->end && (*s == ' ' || *s == '#')) s++;
  size_t n = (size_t)(ps->end - s), had = *cite ? strlen(*cite) : 0;
  if (had + n + 2 > MAX_CITE) return parse_error(ps, ps->p, "a comment of more than %d characters", MAX_CITE);
  char *more = realloc(*cite, had + n + 2);
  if (!more) return parse_error(ps, ps->p, "out of memory");
  if (had) more[had++] = ' ';
  memcpy(more + had, s, n);
  more[had + n] = 0;
  *cite = more;
  return 0;
}

static int parse_text(struct parser *ps, size_t size) {
  const char *s = ps->f->text, *stop = s + size;
  char *cite = NULL;
  int r = 0;
  for (; !r && s < stop; s = ps->end + 1) {
    const char *nl = memchr(s, '\n', (size_t)(stop - s));
    ps->lineno++;
    ps->line = ps->p = s;
    ps->end = nl ? nl : stop;
    const char *tail = ps->end;
    if (tail > s && tail[-1] == '\r') tail--;
    if (tail - s > MAX_LINE) {
      r = parse_error(ps, s, "a line of more than %d characters", MAX_LINE);
      break;
    }
    const char *real_end = ps->end;
    while (tail > s && (tail[-1] == ' ' || tail[-1] == '\t')) tail--;
    ps->end = tail;
    while (ps->p < tail && (*ps->p == ' ' || *ps->p == '\t')) ps->p++;
    if (ps->p == tail || *ps->p != '#') {
      if (ps->p < tail) r = parse_line(ps, &cite);
      free(cite); /* whatever it was, it is not directly above the next line */
      cite = NULL;
    } else {
      r = add_comment(ps, &cite);
    }
    ps->end = real_end;
    ps->depth = 0;
  }
  free(cite);
  return r ? r : end_vector(ps);
}

struct vec_file *vec_parse(const char *name, const char *text, size_t n, struct vec_error *err) {
  struct vec_file *f = calloc(1, sizeof *f);
  struct parser ps = {.f = f, .err = err};
  err->text[0] = 0;
  if (f && n <= MAX_FILE) {
    f->name = strdup(name);
    f->text = malloc(n + 1);
  }
  if (!f || !f->name || !f->text) {
    snprintf(err->text, sizeof err->text, "%.200s: %s", name,
             n > MAX_FILE ? "too large for a vector file" : "out of memory");
    vec_free(f);
    return NULL;
  }
  memcpy(f->text, text, n);
  f->text[n] = 0;
  if (!parse_text(&ps, n)) return f;
  vec_free(f);
  return NULL;
}

struct vec_file *vec_load(const char *path, struct vec_error *err) {
  FILE *in = fopen(path, "rb");
  char *text = in ? malloc(MAX_FILE + 1) : NULL;
  struct vec_file *f = NULL;
  if (text) {
    size_t n = fread(text, 1, MAX_FILE + 1, in);
    if (ferror(in)) snprintf(err->text, sizeof err->text, "%.200s: cannot be read: %s", path, strerror(errno));
    else f = vec_parse(path, text, n, err);
  } else {
    snprintf(err->text, sizeof err->text, "%.200s: cannot be opened: %s", path, strerror(errno));
  }
  free(text);
  if (in) fclose(in);
  return f;
}

void vec_free(struct vec_file *f) {
  if (!f) return;
  for (u32 k = 0; k < f->vectors; k++) {
    struct vector *v = &f->vector[k];
    free(v->name);
    free(v->cite);
    free(v->disputed);
    for (u32 n = 0; n < v->vars; n++) free(v->var[n]);
  }
  for (u32 k = 0; k < f->stmts; k++) free(f->stmt[k].text);
  free(f->node);
  free(f->arg);
  free(f->stmt);
  free(f->vector);
  free(f->name);
  free(f->text);
  free(f);
}
