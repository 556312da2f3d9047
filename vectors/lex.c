/* Tokens of a .vec line: numbers, names, operators; and where an error is. */
#include "vectors/lex.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int parse_error(struct parser *ps, const char *at, const char *fmt, ...) {
  va_list ap;
  if (ps->failed) return -1;
  ps->failed = true;
  int n = snprintf(ps->err->text, sizeof ps->err->text, "%.200s:%u:%u: ", ps->f->name, ps->lineno,
                   (unsigned)(at - ps->line) + 1);
  if (n < 0 || (size_t)n >= sizeof ps->err->text) return -1;
  va_start(ap, fmt);
  vsnprintf(ps->err->text + n, sizeof ps->err->text - (size_t)n, fmt, ap);
  va_end(ap);
  return -1;
}

static bool id_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool digit(char c) { return c >= '0' && c <= '9'; }
static int hex_value(char c) {
  if (digit(c)) return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int lex_number(struct parser *ps) {
  bool hex = ps->p[0] == '0' && ps->end - ps->p > 2 && (ps->p[1] | 0x20) == 'x' && hex_value(ps->p[2]) >= 0;
  if (hex) ps->p += 2;
  for (; ps->p < ps->end; ps->p++) {
    int d = hex ? hex_value(*ps->p) : digit(*ps->p) ? *ps->p - '0' : -1;
    unsigned base = hex ? 16 : 10;
    if (*ps->p == '_') continue;
    if (d < 0) break;
    if (ps->t.num > (UINT64_MAX - (unsigned)d) / base)
      return parse_error(ps, ps->t.at, "the number does not fit in 64 bits");
    ps->t.num = ps->t.num * base + (unsigned)d;
  }
  if (ps->p < ps->end && id_start(*ps->p)) return parse_error(ps, ps->p, "a letter in a number");
  ps->t.kind = T_NUM;
  return 0;
}

static int lex_name(struct parser *ps) {
  size_t n = 0;
  while (ps->p < ps->end && (id_start(*ps->p) || digit(*ps->p) || *ps->p == '.')) {
    if (ps->p + 1 < ps->end && ps->p[0] == '.' && ps->p[1] == '.') break; /* a range */
    if (n + 1 >= sizeof ps->t.text) return parse_error(ps, ps->t.at, "the name is too long");
    ps->t.text[n++] = *ps->p++;
  }
  ps->t.text[n] = 0;
  ps->t.kind = T_ID;
  return 0;
}

int lex_next(struct parser *ps) {
  static const char *const ops[] = {
      "<<=", ">>=", "..", "<<", ">>", "<=", ">=", "==", "!=", "&&", "||", "|=", "&=", "^=", "+=", "-="};
  while (ps->p < ps->end && (*ps->p == ' ' || *ps->p == '\t')) ps->p++;
  ps->t = (struct tok){.kind = T_END, .at = ps->p};
  if (ps->p == ps->end) return 0;
  if (digit(*ps->p)) return lex_number(ps);
  if (id_start(*ps->p)) return lex_name(ps);
  size_t left = (size_t)(ps->end - ps->p), n = 1;
  for (unsigned k = 0; k < ARRAY_SIZE(ops); k++)
    if (strlen(ops[k]) <= left && !memcmp(ops[k], ps->p, strlen(ops[k]))) {
      n = strlen(ops[k]);
      break;
    }
  if (n == 1 && !strchr("+-*/%&|^~!<>=()[]{}?:,#", *ps->p)) {
    unsigned char c = (unsigned char)*ps->p;
    if (c < 0x20 || c > 0x7e) return parse_error(ps, ps->p, "a stray byte %02Xh", c);
    return parse_error(ps, ps->p, "a stray '%c'", c);
  }
  memcpy(ps->t.text, ps->p, n);
  ps->t.text[n] = 0;
  ps->t.kind = T_OP;
  ps->p += n;
  return 0;
}

bool tok_is(const struct parser *ps, const char *text) {
  return (ps->t.kind == T_ID || ps->t.kind == T_OP) && !strcmp(ps->t.text, text);
}
int tok_accept(struct parser *ps, const char *text) {
  if (!tok_is(ps, text)) return 0;
  return lex_next(ps) ? -1 : 1;
}
int tok_expect(struct parser *ps, const char *text) {
  int r = tok_accept(ps, text);
  if (r) return r < 0 ? -1 : 0;
  return parse_error(ps, ps->t.at, "expected '%s'", text);
}

int grow(struct parser *ps, void *array, u32 count, u32 *room, size_t size) {
  void **a = array;
  if (count < *room) return 0;
  u32 want = *room ? *room * 2 : 64;
  void *more = want <= 1u << 22 ? realloc(*a, want * size) : NULL;
  if (!more) return parse_error(ps, ps->p, "out of memory");
  *a = more;
  *room = want;
  return 0;
}

int word_in(const char *const *list, const char *word) {
  for (int k = 0; list[k]; k++)
    if (!strcmp(list[k], word)) return k;
  return -1;
}

unsigned memory_bytes(const char *word) {
  static const char *const words[] = {"u8", "u16", "u32", "u64", NULL};
  int k = word_in(words, word);
  return k < 0 ? 0 : 1u << k;
}
