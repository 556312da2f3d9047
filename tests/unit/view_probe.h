/* What a view of the debugger writes: a machine, a view of it, and its text or JSON to look into. */
#ifndef TESTS_UNIT_VIEW_PROBE_H
#define TESTS_UNIT_VIEW_PROBE_H

#include <jansson.h>

#include "debugger/target.h"
#include "debugger/views.h"
#include "tests/unit/machine.h"

struct probe {
  struct machine m;
  struct view v;
  FILE *f;
  char *text;
  size_t n;
  struct symbols *syms;
};

static inline struct probe probe_of(struct machine m) {
  struct probe p = {.m = m};
  p.v.cpu = p.m.cpu;
  return p;
}
static inline struct probe probe_new(enum vendor vendor, enum machine_mode mode, unsigned cpl) {
  return probe_of(m_new(vendor, mode, cpl));
}
static inline void begin(struct probe *p, bool json) {
  free(p->text);
  p->text = NULL;
  p->f = open_memstream(&p->text, &p->n);
  ck_assert_ptr_nonnull(p->f);
  p->v.out = out_create(p->f, json);
  ck_assert_ptr_nonnull(p->v.out);
}
static inline const char *end(struct probe *p) {
  out_destroy(p->v.out);
  p->v.out = NULL;
  ck_assert_int_eq(fclose(p->f), 0);
  return p->text;
}
static inline void probe_free(struct probe *p) {
  free(p->text);
  if (p->syms) sym_close(p->syms);
  m_free(&p->m);
}

/* The view's text must hold a line. */
static inline void has(const char *text, const char *line) {
  size_t n = strlen(line);
  for (const char *at = text; (at = strstr(at, line)); at++)
    if ((at == text || at[-1] == '\n') && (at[n] == '\n' || !at[n])) return;
  ck_abort_msg("no line\n%s\nin\n%s", line, text);
}
static inline void has_part(const char *text, const char *part) {
  if (!strstr(text, part)) ck_abort_msg("no\n%s\nin\n%s", part, text);
}
#define TEXT(p, call) (begin((p), false), (void)(call), end(p))
#define JSON(p, call) (begin((p), true), (void)(call), parse(end(p)))

/* One line of JSON, an object that names its event. */
static inline json_t *parse(const char *text) {
  json_error_t error;
  size_t n = strlen(text);
  ck_assert_uint_gt(n, 0);
  ck_assert_int_eq(text[n - 1], '\n');
  ck_assert_ptr_eq(strchr(text, '\n'), text + n - 1);
  json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &error);
  if (!j) ck_abort_msg("%s in %s", error.text, text);
  ck_assert(json_is_string(json_object_get(j, "event")));
  return j;
}

/* A member by its path: "entries.0.type". */
static inline json_t *member(json_t *j, const char *path) {
  char buf[200], *save = NULL;
  snprintf(buf, sizeof buf, "%s", path);
  for (char *part = strtok_r(buf, ".", &save); part; part = strtok_r(NULL, ".", &save)) {
    j = json_is_array(j) ? json_array_get(j, (size_t)atoi(part)) : json_object_get(j, part);
    if (!j) ck_abort_msg("no %s in %s", part, path);
  }
  return j;
}
static inline void is_text(json_t *j, const char *path, const char *want) {
  ck_assert_str_eq(json_string_value(member(j, path)), want);
}
static inline void is_num(json_t *j, const char *path, long long want) {
  ck_assert(json_is_integer(member(j, path)));
  ck_assert_int_eq(json_integer_value(member(j, path)), want);
}
static inline void is_bool(json_t *j, const char *path, bool want) {
  ck_assert(json_is_boolean(member(j, path)));
  ck_assert_int_eq(json_is_true(member(j, path)), want);
}
/* The object of a list whose member `key` is `want`. */
static inline json_t *with(json_t *list, const char *key, const char *want) {
  size_t k;
  json_t *e;
  json_array_foreach(list, k, e)
    if (json_is_string(json_object_get(e, key)) && !strcmp(json_string_value(json_object_get(e, key)), want)) return e;
  ck_abort_msg("no element with %s = %s", key, want);
  return NULL;
}

#endif
