/* Names for addresses and addresses for names, over all modules of a target: two sorted tables of their symbols.
 * What is read may be damaged or hostile, and gives fewer names. System V gABI 4 (Symbol Table). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "debugger/sym.h"
#include "debugger/target.h"

#define MAX_MODULES 4096
#define MAX_FILE (UINT64_C(1) << 32)
/* How far back sym_at looks for what encloses an address, past nested and overlapping symbols. */
#define LOOK_BACK 256

/* --- Modules --- */

static void free_module(struct sym_module *m) {
  if (!m) return;
  sym_free_lines(m);
  sym_free_scopes(m);
  sym_free_cfi(m);
  sym_free_elf(m);
  free(m->bytes);
  free(m->name);
  free(m);
}

void sym_close(struct symbols *s) {
  if (!s) return;
  for (u32 i = 0; i < s->modules; i++)
    free_module(s->module[i]);
  sym_free_source(s);
  for (unsigned i = 0; i < s->dirs; i++)
    free(s->dir[i]);
  free(s->dir);
  free(s->module);
  free(s->entry);
  free(s->by_name);
  free(s);
}

/* The whole file, so that it may be truncated or replaced meanwhile, and no descriptor stays open beside the guest's.
 * 0, or an errno value. */
static int read_file(const char *path, u8 **bytes, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), e = 0;
  struct stat st;
  if (fd < 0) return errno;
  if (fstat(fd, &st)) e = errno;
  else if (!S_ISREG(st.st_mode)) e = EINVAL;
  else if (st.st_size <= 0 || (u64)st.st_size > MAX_FILE) e = ENOEXEC;
  size_t n = 0, want = e ? 0 : (size_t)st.st_size;
  u8 *buf = e ? NULL : malloc(want);
  if (!e && !buf) e = ENOMEM;
  while (!e && n < want) {
    ssize_t got = read(fd, buf + n, want - n);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) e = errno;
    if (got <= 0) break;
    n += (size_t)got;
  }
  close(fd);
  if (!e && !n) e = ENOEXEC;
  if (e) free(buf);
  else *bytes = buf, *size = n;
  return e;
}

/* An empty module. NULL: out of memory. */
static struct sym_module *new_module(struct symbols *s, const struct dbg_module *d) {
  struct sym_module **list = realloc(s->module, (s->modules + 1) * sizeof *list);
  struct sym_module *m = calloc(1, sizeof *m);
  if (list) s->module = list;
  if (m) m->name = strdup(d->name ? d->name : d->path ? d->path : "?");
  if (!list || !m || !m->name) {
    free_module(m);
    return NULL;
  }
  m->bias = d->bias;
  m->lo = d->lo;
  m->hi = d->hi;
  s->module[s->modules++] = m;
  return m;
}

struct sym_entry *sym_new_entries(struct symbols *s, size_t n) {
  if (n > SYM_MAX_ENTRIES - s->entries) n = SYM_MAX_ENTRIES - s->entries;
  struct sym_entry *e = realloc(s->entry, (s->entries + n + 1) * sizeof *e);
  if (e) s->entry = e;
  return e;
}

static int add_labels(struct symbols *s, u32 module, const struct dbg_module *d) {
  struct sym_module *m = s->module[module];
  struct sym_entry *e = sym_new_entries(s, d->labels);
  if (!e) return -1;
  for (unsigned i = 0; i < d->labels && s->entries < SYM_MAX_ENTRIES; i++) {
    u64 addr = d->label[i].addr + d->bias;
    e[s->entries++] = (struct sym_entry){.name = d->label[i].name, .addr = addr, .limit = m->hi, .module = module,
                                         .rank = 4 | 2, .function = true};
  }
  return 0;
}

/* 0; -1: out of memory. What cannot be read has no names. */
static int add_module(struct symbols *s, const struct dbg_module *d) {
  const char *why;
  struct sym_module *m = new_module(s, d);
  if (!m) return -1;
  u32 index = s->modules - 1;
  if (d->label && add_labels(s, index, d)) return -1;
  if (d->path) {
    int e = read_file(d->path, &m->bytes, &m->size);
    if (e) return e == ENOMEM ? -1 : 0;
  } else if (d->mem && d->size) {
    if (!(m->bytes = malloc(d->size))) return -1;
    memcpy(m->bytes, d->mem, m->size = d->size);
  } else return 0;
  return sym_read_elf(s, index, &why) < 0 ? -1 : 0;
}

/* --- The tables --- */

/* By address, the best name of an address last, where sym_at meets it first. C libraries give each function several:
 * "write" is weak, "__libc_write" global. The plainest is what a program calls, before the strongest. */
static int by_address(const void *pa, const void *pb) {
  const struct sym_entry *a = pa, *b = pb;
  if (a->addr != b->addr) return a->addr < b->addr ? -1 : 1;
  if (a->rank >> 2 != b->rank >> 2) return a->rank < b->rank ? -1 : 1;
  size_t ua = strspn(a->name, "_"), ub = strspn(b->name, "_");
  if (ua != ub) return ua > ub ? -1 : 1;
  if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
  int names = strcmp(b->name, a->name);
  return names ? names : a->module < b->module ? -1 : a->module > b->module;
}

/* The best of one name first: the program's and its libraries' before those of the kernel's images in brackets. */
static int by_name(const void *pa, const void *pb, void *opaque) {
  const struct symbols *s = opaque;
  const struct sym_entry *a = &s->entry[*(const u32 *)pa], *b = &s->entry[*(const u32 *)pb];
  int names = strcmp(a->name, b->name);
  if (names) return names;
  bool ka = s->module[a->module]->name[0] == '[', kb = s->module[b->module]->name[0] == '[';
  if (ka != kb) return ka ? 1 : -1;
  if (a->rank != b->rank) return a->rank > b->rank ? -1 : 1;
  return a->addr < b->addr ? -1 : a->addr > b->addr;
}

static int make_tables(struct symbols *s) {
  if (!s->entries) return 0;
  qsort(s->entry, s->entries, sizeof *s->entry, by_address);
  u32 n = 0;
  for (u32 i = 0; i < s->entries; i++) /* the dynamic table's and a second file's are the same names once more */
    if (!n || s->entry[n - 1].addr != s->entry[i].addr || strcmp(s->entry[n - 1].name, s->entry[i].name))
      s->entry[n++] = s->entry[i];
    else
      s->entry[n - 1] = s->entry[i];
  s->entries = n;
  u32 *index = realloc(s->by_name, n * sizeof *index);
  if (!index) return -1;
  s->by_name = index;
  for (u32 i = 0; i < n; i++)
    index[i] = i;
  qsort_r(index, n, sizeof *index, by_name, s);
  return 0;
}

struct symbols *sym_open(const struct dbg_target *t) {
  struct symbols *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  struct dbg_module d = {0};
  for (unsigned i = 0; i < MAX_MODULES && t->module && t->module(t->opaque, i, &d); i++) {
    if (add_module(s, &d)) goto fail;
    d = (struct dbg_module){0};
  }
  if (!make_tables(s)) return s;
fail:
  sym_close(s);
  return NULL;
}

/* Takes back what the last module added. */
static void drop_module(struct symbols *s, u32 entries) {
  free_module(s->module[--s->modules]);
  s->entries = entries;
}

int sym_add(struct symbols *s, const char *path, u64 bias, char *err, size_t n) {
  struct dbg_module d = {.name = path, .path = path, .bias = bias};
  const char *why = "out of memory";
  struct sym_module *m = s->modules < MAX_MODULES ? new_module(s, &d) : NULL;
  if (!m) {
    snprintf(err, n, "%s: out of memory", path);
    return -1;
  }
  u32 entries = s->entries;
  int e = read_file(path, &m->bytes, &m->size);
  if (e) why = e == EINVAL ? "not a file" : e == ENOEXEC ? "empty, or larger than 4 GiB" : strerror(e);
  if (!e) e = sym_read_elf(s, s->modules - 1, &why);
  if (e) {
    drop_module(s, entries);
    snprintf(err, n, "%s: %s", path, why);
    return -1;
  }
  if (!make_tables(s)) return 0;
  snprintf(err, n, "%s: out of memory", path);
  return -1;
}

struct sym_module *sym_module_at(const struct symbols *s, u64 addr) {
  for (u32 i = s->modules; i-- > 0;) /* a file added by hand before what the target has there */
    if (s->module[i]->bits && addr >= s->module[i]->lo && addr < s->module[i]->hi) return s->module[i];
  return NULL;
}

bool sym_module_range(const struct symbols *s, const char *name, u64 *lo, u64 *hi) {
  for (u32 i = 0; i < s->modules; i++)
    if (!strcmp(s->module[i]->name, name)) return *lo = s->module[i]->lo, *hi = s->module[i]->hi, true;
  return false;
}

bool sym_executable(const struct sym_module *m, u64 addr) {
  for (unsigned i = 0; i < m->execs; i++)
    if (addr >= m->exec[i].lo && addr < m->exec[i].hi) return true;
  return false;
}

/* --- Questions --- */

static void tell(const struct symbols *s, const struct sym_entry *e, struct sym *out) {
  *out = (struct sym){.name = e->name, .addr = e->addr, .size = e->size, .function = e->function, .weak = e->weak,
                      .global = e->rank & 3,
                      .module = s->module[e->module]->name};
}

/* What addr is in, the better the lower; 0: not in it. nearest: the greatest address of a symbol up to addr. */
static unsigned holds(const struct sym_entry *e, u64 addr, u64 nearest) {
  if (addr >= e->limit) return 0;
  if (e->size) return addr - e->addr < e->size ? (e->function ? 1 : 3) : 0;
  return e->addr == nearest ? (e->function ? 2 : 4) : 0;
}

bool sym_at(const struct symbols *s, u64 addr, struct sym *out) {
  u32 lo = 0, hi = s->entries; /* the first symbol above addr */
  while (lo < hi) {
    u32 mid = lo + (hi - lo) / 2;
    if (s->entry[mid].addr <= addr) lo = mid + 1;
    else hi = mid;
  }
  if (!lo) return false;
  const struct sym_entry *best = NULL;
  unsigned how = 5;
  u64 nearest = s->entry[lo - 1].addr;
  for (u32 i = lo; i-- > 0 && lo - i <= LOOK_BACK && how > 1;) {
    unsigned h = holds(&s->entry[i], addr, nearest);
    if (h && h < how) best = &s->entry[i], how = h;
  }
  if (best) tell(s, best, out);
  return best != NULL;
}

static void name_by(const struct symbols *s, u64 in, u64 addr, char *buf, size_t n) {
  struct sym f;
  if (!n) return;
  buf[0] = 0;
  if (!s || !sym_at(s, in, &f)) return;
  bool kernel = f.module[0] == '[';
  if (addr == f.addr) snprintf(buf, n, "%s%s%s", kernel ? f.module : "", kernel ? " " : "", f.name);
  else
    snprintf(buf, n, "%s%s%s+%llu", kernel ? f.module : "", kernel ? " " : "", f.name,
             (unsigned long long)(addr - f.addr));
}

void sym_name(const struct symbols *s, u64 addr, char *buf, size_t n) { name_by(s, addr, addr, buf, n); }
void sym_name_behind(const struct symbols *s, u64 addr, char *buf, size_t n) { name_by(s, addr - 1, addr, buf, n); }

/* The first place in by_name whose name is not below the n bytes at name. */
static u32 first_named(const struct symbols *s, const char *name, size_t n) {
  u32 lo = 0, hi = s->entries;
  while (lo < hi) {
    u32 mid = lo + (hi - lo) / 2;
    if (strncmp(s->entry[s->by_name[mid]].name, name, n) < 0) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

/* What GCC calls a function that it has changed: "f.isra.0". */
static bool is_clone(const char *suffix) {
  static const char *const clones[] = {".isra.", ".constprop.", ".part.", ".lto_priv."};
  for (unsigned i = 0; i < ARRAY_SIZE(clones); i++)
    if (!strncmp(suffix, clones[i], strlen(clones[i]))) return true;
  return false;
}

bool sym_named(const struct symbols *s, const char *name, struct sym *out) {
  size_t n = strlen(name);
  for (u32 i = first_named(s, name, n), end = i + LOOK_BACK; n && i < s->entries && i < end; i++) {
    const struct sym_entry *e = &s->entry[s->by_name[i]];
    if (strncmp(e->name, name, n) || (e->name[n] && e->name[n] > '.')) break;
    if (e->name[n] && !(e->function && is_clone(e->name + n))) continue;
    tell(s, e, out);
    return true;
  }
  return false;
}

bool sym_each_named(const struct symbols *s, const char *name, unsigned n, struct sym *out) {
  u64 i = (u64)first_named(s, name, strlen(name)) + n;
  if (i >= s->entries || strcmp(s->entry[s->by_name[i]].name, name)) return false;
  tell(s, &s->entry[s->by_name[i]], out);
  return true;
}

bool sym_prefix(const struct symbols *s, const char *prefix, unsigned n, struct sym *out) {
  size_t len = strlen(prefix);
  u64 i = (u64)first_named(s, prefix, len) + n;
  if (i >= s->entries || strncmp(s->entry[s->by_name[i]].name, prefix, len)) return false;
  tell(s, &s->entry[s->by_name[i]], out);
  return true;
}
