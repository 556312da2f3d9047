/* The tokens of a .vec file's line, and the parser's state. */
#ifndef VECTORS_LEX_H
#define VECTORS_LEX_H

#include "vectors/vec.h"

enum tok_kind { T_END, T_NUM, T_ID, T_OP };

struct tok {
  enum tok_kind kind;
  const char *at;
  u64 num;
  char text[72]; /* identifiers and operators */
};

struct parser {
  struct vec_file *f;
  struct vec_error *err;
  struct vector *v;     /* the vector being read; NULL before the first */
  const char *line, *p, *end;
  unsigned lineno;
  unsigned depth;       /* of the expression */
  bool failed;
  struct tok t;         /* the token in hand */
};

/* Records the first error, at a place in the current line. Returns -1. */
int parse_error(struct parser *ps, const char *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Takes the next token into ps->t. -1: an error was recorded. */
MUST_CHECK int lex_next(struct parser *ps);
/* Is the token in hand this word or operator? */
bool tok_is(const struct parser *ps, const char *text);
/* If it is, goes past it: 1; else 0; -1 on an error. */
MUST_CHECK int tok_accept(struct parser *ps, const char *text);
MUST_CHECK int tok_expect(struct parser *ps, const char *text);

/* Parses an expression into *node. -1: an error was recorded. */
MUST_CHECK int parse_expr(struct parser *ps, s32 *node);
/* The same, but a list of such can follow: no binary operator follows it unless in parentheses. */
MUST_CHECK int parse_item(struct parser *ps, s32 *node);
MUST_CHECK int add_arg(struct parser *ps, u8 key, s32 value);
MUST_CHECK struct stmt *add_stmt(struct parser *ps, enum stmt_kind kind);
/* One statement behind its `if` and `want`; the keyword is the token in hand. */
MUST_CHECK int parse_statement(struct parser *ps, bool want, s32 cond);

/* Grows an array for one more element. -1: out of memory, recorded. */
MUST_CHECK int grow(struct parser *ps, void *array, u32 count, u32 *room, size_t size);

/* "u8" .. "u64" to bytes; 0: no memory. */
unsigned memory_bytes(const char *word);
/* Index of a word in a NULL-terminated list; -1. */
int word_in(const char *const *list, const char *word);

#endif
