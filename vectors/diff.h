/* Expected against found. */
#ifndef VECTORS_DIFF_H
#define VECTORS_DIFF_H

#include "vectors/vec.h"

/* A growing text; stays empty when memory runs out, with `lines` still counted. */
struct text {
  char *s;
  size_t n, room;
  unsigned lines;
};
void text_add(struct text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_free(struct text *t);

void outcome_text(const struct outcome *o, char *out, size_t n);
/* Adds a line for everything that differs; t->lines says how many. What p leaves open is copied into
 * p->want. */
void vec_diff(struct text *t, const struct vec_case *c, struct vec_plan *p, const struct outcome *found,
              const struct vstate *st);

#endif
