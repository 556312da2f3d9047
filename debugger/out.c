/* A command's answer as text or as JSON Lines; the tree is Jansson's. */
#include "debugger/out.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 32, LINE = 1024 };
#define ERROR_EVENT "error"
#define JSON_EXACT (UINT64_C(1) << 53)

struct level {
  json_t *node;      /* borrowed: its parent holds it */
  bool part;         /* begun by out_begin() with this event, which may be NULL */
  const char *event;
  bool failed, bold;
};

struct out {
  FILE *f;
  bool json, colour;
  bool failed;                 /* the last answer, or an error outside of any */
  json_t *root;
  struct level level[DEEPEST]; /* of [0] the node is root */
  unsigned depth, too_deep, begun;
  const char *event;
};

struct out *out_create(FILE *f, bool json) {
  struct out *o = calloc(1, sizeof *o);
  if (!o) return NULL;
  o->f = f;
  o->json = json;
  return o;
}

void out_destroy(struct out *o) {
  if (!o) return;
  json_decref(o->root);
  free(o);
}

FILE *out_file(struct out *o) { return o->f; }
void out_set_file(struct out *o, FILE *f) { o->f = f; }
void out_set_json(struct out *o, bool json) { o->json = json; }
bool out_json(const struct out *o) { return o->json; }
void out_set_colour(struct out *o, bool on) { o->colour = on; }

/* ---- the tree ---- */

/* Guest bytes need not be UTF-8: what is not ASCII then becomes '?'. */
static json_t *string_node(const char *s) {
  json_t *node = json_string(s);
  if (node) return node;
  char *copy = strdup(s);
  if (!copy) return NULL;
  for (char *p = copy; *p; p++)
    if (*p & 0x80) *p = '?';
  node = json_string(copy);
  free(copy);
  return node;
}

static json_t *hex_node(u64 v) {
  char buf[24];
  snprintf(buf, sizeof buf, "%#llx", (unsigned long long)v);
  return json_string(v ? buf : "0x0");
}

static json_t *top(const struct out *o) { return o->depth && !o->too_deep ? o->level[o->depth - 1].node : NULL; }

/* Steals node. False: there is no list or object around it, and it is gone. */
static bool add(struct out *o, const char *name, json_t *node) {
  json_t *in = top(o);
  char numbered[128], base[100];
  if (json_is_array(in)) return json_array_append_new(in, node) == 0;
  if (!json_is_object(in) || !node) {
    json_decref(node);
    return false;
  }
  snprintf(base, sizeof base, "%s", name ? name : "value");
  snprintf(numbered, sizeof numbered, "%s", base);
  for (unsigned k = 2; json_object_get(in, numbered); k++) snprintf(numbered, sizeof numbered, "%s_%u", base, k);
  return json_object_set_new(in, numbered, node) == 0;
}

static void enter(struct out *o, struct level l) {
  if (o->depth == DEEPEST || o->too_deep) o->too_deep++;
  else o->level[o->depth++] = l;
}

/* Steals l.node; its parent keeps it. */
static void open_node(struct out *o, const char *name, struct level l) {
  bool kept = add(o, name, json_incref(l.node));
  json_decref(l.node);
  if (!kept) l.node = NULL;
  enter(o, l);
}

static void leave(struct out *o) {
  if (o->too_deep) {
    o->too_deep--;
    return;
  }
  if (!o->depth) return;
  if (o->level[--o->depth].bold) fputs("\033[0m", o->f);
}

/* ---- answers ---- */

/* The level of the part in progress. */
static unsigned part_of(const struct out *o) {
  unsigned k = o->depth ? o->depth - 1 : 0;
  while (k && !o->level[k].part) k--;
  return k;
}

bool out_failed(const struct out *o) { return o->begun && o->depth ? o->level[part_of(o)].failed : o->failed; }

void out_begin(struct out *o, const char *event) {
  struct level part = {.part = true, .event = event};
  if (!o->begun++) {
    json_decref(o->root);
    o->root = part.node = o->json ? json_object() : NULL;
    o->depth = o->too_deep = 0;
    o->failed = false;
    o->event = event;
    enter(o, part);
    if (event) add(o, "event", string_node(event));
    return;
  }
  if (!o->event && event && o->root) { /* the answer takes its first part's name, and is that part */
    o->event = event;
    json_object_set_new(o->root, "event", string_node(event));
    part.node = top(o);
    enter(o, part);
    return;
  }
  part.node = o->json ? json_object() : NULL;
  open_node(o, event ? event : "part", part);
  if (event) add(o, "event", string_node(event));
}

/* An answer that was begun as an error, for the case that there is one, is none without. */
static bool is_silent(const struct out *o) { return o->event && !strcmp(o->event, ERROR_EVENT) && !o->failed; }

void out_end(struct out *o) {
  if (!o->begun) return;
  bool failed = out_failed(o);
  for (unsigned part = part_of(o); o->depth > part + 1;) leave(o); /* what an error left open */
  leave(o);
  if (--o->begun) {
    if (o->depth && failed) o->level[part_of(o)].failed = true;
    return;
  }
  while (o->depth) leave(o);
  o->failed = failed;
  if (o->root && !is_silent(o) && json_dumpf(o->root, o->f, JSON_COMPACT) == 0) {
    fputc('\n', o->f);
    fflush(o->f);
  }
  json_decref(o->root);
  o->root = NULL;
}

void out_open(struct out *o, const char *name) {
  open_node(o, name, (struct level){.node = o->json ? json_object() : NULL});
}
void out_open_list(struct out *o, const char *name) {
  open_node(o, name, (struct level){.node = o->json ? json_array() : NULL});
}
void out_close(struct out *o) { leave(o); }

/* ---- values ---- */

void out_text(struct out *o, const char *fmt, ...) {
  va_list ap;
  if (o->json) return;
  va_start(ap, fmt);
  vfprintf(o->f, fmt, ap);
  va_end(ap);
}

void out_num(struct out *o, const char *name, u64 v, const char *format) {
  if (o->json) add(o, name, v <= JSON_EXACT ? json_integer((json_int_t)v) : hex_node(v));
  else if (format) fprintf(o->f, format, (unsigned long long)v);
}

void out_hex(struct out *o, const char *name, u64 v, const char *format) {
  if (o->json) add(o, name, hex_node(v));
  else if (format) fprintf(o->f, format, (unsigned long long)v);
}

void out_str(struct out *o, const char *name, const char *s, const char *format) {
  if (o->json) add(o, name, string_node(s));
  else if (format) fprintf(o->f, format, s);
}

void out_bool(struct out *o, const char *name, bool v, const char *text_if_true) {
  if (o->json) add(o, name, json_boolean(v));
  else if (v && text_if_true) fputs(text_if_true, o->f);
}

void out_block(struct out *o, const char *name, const char *text) {
  if (o->json) add(o, name, string_node(text));
  else fputs(text, o->f);
}

void out_raw_json(struct out *o, const char *name, const char *json) {
  if (!o->json) return;
  json_t *node = json_loads(json, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
  add(o, name, node ? node : string_node(json));
}

/* ---- errors and marks ---- */

/* Turns an answer, or the part in progress, into its error. */
static void fail(json_t *node, const char *event, const char *message) {
  json_object_clear(node);
  json_object_set_new(node, "event", json_string(ERROR_EVENT));
  if (event && strcmp(event, ERROR_EVENT)) json_object_set_new(node, "command", string_node(event));
  json_object_set_new(node, "message", string_node(message));
}

void out_error(struct out *o, const char *fmt, ...) {
  char message[LINE];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(message, sizeof message, fmt, ap);
  va_end(ap);
  bool alone = !o->begun;
  if (alone) out_begin(o, ERROR_EVENT);
  unsigned part = part_of(o);
  bool first = o->depth && !o->level[part].failed;
  if (o->depth) o->level[part].failed = true;
  if (first && !o->json) fprintf(o->f, "ringwalk: %s\n", message);
  if (first && o->json) {
    fail(o->level[part].node, o->level[part].event, message);
    for (unsigned k = part + 1; k < o->depth; k++) o->level[k].node = NULL; /* they are gone */
  }
  if (alone) out_end(o);
}

void out_changed(struct out *o, bool changed) {
  if (o->json) {
    if (changed) out_bool(o, "changed", true, NULL);
    return;
  }
  fputc(changed && !o->colour ? '*' : ' ', o->f);
  if (!changed || !o->colour || !o->depth || o->too_deep) return;
  fputs("\033[1m", o->f);
  o->level[o->depth - 1].bold = true;
}
