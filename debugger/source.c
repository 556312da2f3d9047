/* The text of source files, found as the compiler recorded them or under the directories given. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "debugger/sym.h"

#define KEPT 8
#define MAX_SOURCE (64u << 20)
#define MAX_PATH 8192

struct sym_source {
  struct file {
    char *name;  /* as asked for */
    char *text;  /* its lines, each ended by 0; NULL: there is no such file */
    u32 *line;   /* where each begins */
    u32 lines;
  } file[KEPT];
  unsigned next; /* to be replaced */
};

static void forget(struct file *f) {
  free(f->name);
  free(f->text);
  free(f->line);
  *f = (struct file){0};
}

void sym_free_source(struct symbols *s) {
  for (unsigned i = 0; s->source && i < KEPT; i++)
    forget(&s->source->file[i]);
  free(s->source);
  s->source = NULL;
}

void sym_add_directory(struct symbols *s, const char *dir) {
  char **list = realloc(s->dir, (s->dirs + 1) * sizeof *list);
  if (!list) return;
  s->dir = list;
  if ((list[s->dirs] = strdup(dir))) s->dirs++;
  sym_free_source(s); /* what was not found may be now */
}

/* A regular file's text, with a 0 behind it. NULL: none. */
static char *read_text(const char *path, u32 *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat st;
  if (fd < 0) return NULL;
  bool good = !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size >= 0 && st.st_size <= MAX_SOURCE;
  u32 want = good ? (u32)st.st_size : 0, n = 0;
  char *text = good ? malloc(want + 1) : NULL;
  while (text && n < want) {
    ssize_t got = read(fd, text + n, want - n);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    n += (u32)got;
  }
  close(fd);
  if (text) text[n] = 0;
  *size = n;
  return text;
}

/* Under each directory, all of the recorded path, then less and less of its front. */
static char *find_text(const struct symbols *s, const char *name, u32 *size) {
  char *text = read_text(name, size), path[MAX_PATH];
  for (unsigned i = 0; i < s->dirs && !text; i++) {
    for (const char *rest = name; rest && !text; rest = strchr(rest, '/')) {
      rest += strspn(rest, "/");
      int n = snprintf(path, sizeof path, "%s/%s", s->dir[i], rest);
      if (*rest && n > 0 && (size_t)n < sizeof path) text = read_text(path, size);
    }
  }
  return text;
}

/* Cuts f->text, of n bytes, into lines that are safe to print. */
static bool cut(struct file *f, u32 n) {
  u32 lines = 0;
  for (u32 i = 0; i < n; i++)
    lines += f->text[i] == '\n';
  if (n && f->text[n - 1] != '\n') lines++;
  if (!(f->line = malloc((lines + 1) * sizeof *f->line))) return false;
  for (u32 i = 0; i < n && f->lines < lines;) {
    char *start = f->text + i, *end = memchr(start, '\n', n - i);
    u32 len = end ? (u32)(end - start) : n - i;
    f->line[f->lines++] = i;
    start[len] = 0;
    if (len && start[len - 1] == '\r') start[len - 1] = 0;
    for (u32 k = 0; k < len && start[k]; k++)
      if ((start[k] > 0 && start[k] < ' ' && start[k] != '\t') || start[k] == 0x7f) start[k] = '?';
    i += len + 1;
  }
  return true;
}

static struct file *get(struct symbols *s, const char *name) {
  if (!s->source && !(s->source = calloc(1, sizeof *s->source))) return NULL;
  for (unsigned i = 0; i < KEPT; i++)
    if (s->source->file[i].name && !strcmp(s->source->file[i].name, name)) return &s->source->file[i];
  struct file *f = &s->source->file[s->source->next++ % KEPT];
  u32 size = 0;
  char *copy = strdup(name); /* the name may be what is forgotten */
  if (!copy) return NULL;
  forget(f);
  f->name = copy;
  f->text = find_text(s, copy, &size);
  if (f->text && !cut(f, size)) forget(f);
  return f;
}

const char *sym_source(struct symbols *s, const char *file, unsigned line) {
  struct file *f = file ? get(s, file) : NULL;
  return f && f->text && line >= 1 && line <= f->lines ? f->text + f->line[line - 1] : NULL;
}
