/* The list of decided disagreements, tests/encoding/judged: its format is told there. */
#define _GNU_SOURCE
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "tests/encoding/encoding.h"

enum { LINES_MAX = 1024, LINE_BYTES = 320, KEYS_MAX = 10 };

static struct line {
  char text[LINE_BYTES], words[LINE_BYTES];
  char *key[KEYS_MAX], *value[KEYS_MAX];
  unsigned keys;
  u8 who; /* a bit for each */
  bool used;
} lines[LINES_MAX];
static unsigned line_count;

const char *const difference_names[DIFFERENCES] = {"same", "valid", "invalid", "length"};

static bool parse(struct line *l, const char *path) {
  char *colon = strstr(l->words, ": "), *save = NULL;
  if (colon) *colon = 0;
  char *who = strtok_r(l->words, " \n", &save);
  if (!colon || !who) {
    fprintf(stderr, "%s: no reason: %s", path, l->text);
    return false;
  }
  bool both = !strcmp(who, "both");
  for (unsigned k = 0; k < EVERYBODY; k++)
    if ((both && k < OTHERS) || !strcmp(who, other_names[k])) l->who |= (u8)(1 << k);
  for (char *w; (w = strtok_r(NULL, " ", &save));) {
    char *eq = strchr(w, '=');
    if (!eq || l->keys == KEYS_MAX) {
      fprintf(stderr, "%s: what is %s in %s", path, w, l->text);
      return false;
    }
    *eq = 0;
    l->key[l->keys] = w;
    l->value[l->keys++] = eq + 1;
  }
  return l->who != 0;
}

int judged_read(const char *path) {
  FILE *f = fopen(path, "r");
  if (!f) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return -1;
  }
  bool ok = true;
  char text[LINE_BYTES];
  while (ok && fgets(text, sizeof text, f)) {
    if (*text == '#' || *text == '\n') continue;
    if (line_count == LINES_MAX) break;
    struct line *l = &lines[line_count++];
    snprintf(l->text, sizeof l->text, "%s", text);
    snprintf(l->words, sizeof l->words, "%s", text);
    ok = parse(l, path);
  }
  (void)fclose(f);
  return ok ? 0 : -1;
}

/* "0d,18-1f": hexadecimal numbers and ranges. */
static bool in_ranges(const char *s, unsigned v) {
  while (*s) {
    char *end;
    unsigned long lo = strtoul(s, &end, 16), hi = lo;
    if (*end == '-') hi = strtoul(end + 1, &end, 16);
    if (v >= lo && v <= hi) return true;
    if (*end != ',') return false;
    s = end + 1;
  }
  return false;
}

static bool fits(const struct dispute *d, const char *key, const char *value) {
  static const char *const encodings[] = {"legacy", "vex", "evex"};
  const struct sample *s = d->s;
  if (!strcmp(key, "kind")) return !strcmp(value, difference_names[d->kind]);
  if (!strcmp(key, "enc")) return !strcmp(value, encodings[s->at.enc]);
  if (!strcmp(key, "map")) return in_ranges(value, s->at.map);
  if (!strcmp(key, "op")) return in_ranges(value, s->at.opcode);
  if (!strcmp(key, "pp")) return in_ranges(value, s->at.pp);
  if (!strcmp(key, "mode")) return atoi(value) == 64 >> s->at.mode;
  if (!strcmp(key, "mod")) return (*value == 'r') == (s->modrm >= 0xc0);
  if (!strcmp(key, "reg")) return in_ranges(value, s->modrm >> 3 & 7);
  if (!strcmp(key, "rm")) return in_ranges(value, s->modrm & 7);
  if (!strcmp(key, "lock")) return (*value == '1') == s->lock;
  if (!strcmp(key, "name")) return !fnmatch(value, d->theirs->name, 0);
  if (!strcmp(key, "other")) return d->agreed;
  if (!strcmp(key, "row")) return d->row == !strcmp(value, "some");
  if (!strcmp(key, "set")) return !fnmatch(value, d->theirs->set, 0);
  return false;
}

bool judged(const struct dispute *d) {
  for (struct line *l = lines; l < lines + line_count; l++) {
    bool all = l->who >> d->who & 1;
    for (unsigned k = 0; k < l->keys && all; k++) all = fits(d, l->key[k], l->value[k]);
    if (!all) continue;
    return l->used = true;
  }
  return false;
}

unsigned judged_unused(FILE *f) {
  unsigned n = 0;
  for (const struct line *l = lines; l < lines + line_count; l++)
    if (!l->used && l->who != 1 << HOST) fprintf(f, "judged, but nothing is like it: %s", l->text), n++;
  return n;
}
