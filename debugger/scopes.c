/* Functions and the blocks within them, from the debugging information entries of every unit of a module, read by libdw
 * when first asked for: which function's code stands where, its inlined copies too. DWARF 5, 3.3 (Subroutine and Entry
 * Point Entries), 3.3.8 (Inlinable and Inlined Subroutines), 3.5 (Lexical Block Entries). */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "debugger/sym.h"

enum { DEPTH = 256, RANGES = 4096 };
#define MAX_ENTRIES (1u << 22)
#define MAX_SCOPES (1u << 22)
/* Seconds of processor time for one file: siblings of a hostile one may be one another's. */
#define MAX_SECONDS 10

struct reading {
  struct sym_module *m;
  u32 room, visited;
  bool full;
  clock_t since;
};

static bool enough(struct reading *r) {
  enum { OFTEN = 1024 };
  if (r->visited++ >= MAX_ENTRIES) r->full = true;
  if (r->visited % OFTEN == 0 && (clock() - r->since) / CLOCKS_PER_SEC >= MAX_SECONDS) r->full = true;
  return r->full;
}

static void add_scope(struct reading *r, const struct sym_scope *s) {
  struct sym_module *m = r->m;
  if (s->hi <= s->lo || s->lo < m->lo || s->hi > m->hi || !sym_executable(m, s->lo)) return;
  if (m->scopes == r->room) {
    u32 want = r->room ? r->room * 2 : 256;
    struct sym_scope *more = want <= MAX_SCOPES ? realloc(m->scope, (size_t)want * sizeof *more) : NULL;
    if (!more) {
      r->full = true;
      return;
    }
    m->scope = more;
    r->room = want;
  }
  m->scope[m->scopes++] = *s;
}

/* All ranges of one entry; its first begins the function. */
static void add_ranges(struct reading *r, Dwarf_Die *die, int tag, u16 depth) {
  Dwarf_Addr base, lo, hi;
  ptrdiff_t at = 0;
  bool function = tag != DW_TAG_lexical_block;
  struct sym_scope s = {.id = r->visited, .depth = depth, .inlined = tag == DW_TAG_inlined_subroutine};
  if (function) {
    s.name = dwarf_diename(die);
    s.file = dwarf_decl_file(die);
  }
  s.entry = s.name != NULL;
  for (unsigned k = 0; k < RANGES && !r->full && (at = dwarf_ranges(die, at, &base, &lo, &hi)) > 0; k++) {
    s.lo = sym_linear(r->m, lo);
    s.hi = s.lo + (hi - lo);
    if (hi > lo) add_scope(r, &s);
    s.entry = false;
  }
}

static bool is_scope(int tag) {
  return tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block;
}
/* What may hold functions; a type's members are declared there, and defined elsewhere. */
static bool is_entered(int tag) { return is_scope(tag) || tag == DW_TAG_namespace || tag == DW_TAG_compile_unit; }

static void read_unit(struct reading *r, Dwarf_Die unit) {
  Dwarf_Die stack[DEPTH], next;
  unsigned n = 0;
  stack[n++] = unit;
  while (n && !enough(r)) {
    int tag = dwarf_tag(&stack[n - 1]);
    if (is_scope(tag)) add_ranges(r, &stack[n - 1], tag, (u16)n);
    if (is_entered(tag) && n < DEPTH && !dwarf_child(&stack[n - 1], &next)) {
      stack[n++] = next;
      continue;
    }
    while (n > 1 && dwarf_siblingof(&stack[n - 1], &next)) n--;
    if (n == 1) break;
    stack[n - 1] = next;
  }
}

void sym_read_scopes(struct sym_module *m) {
  if (m->scopes_read) return;
  m->scopes_read = true;
  m->scope_dwarf = m->elf ? dwarf_begin_elf(m->elf, DWARF_C_READ, NULL) : NULL;
  if (!m->scope_dwarf) return;
  struct reading r = {.m = m, .since = clock()};
  Dwarf_CU *cu = NULL;
  Dwarf_Die die, split;
  u8 type;
  while (!r.full && !dwarf_get_units(m->scope_dwarf, cu, &cu, NULL, &type, &die, &split))
    if (type == DW_UT_compile) read_unit(&r, die);
    else if (type == DW_UT_skeleton && dwarf_tag(&split) == DW_TAG_compile_unit) read_unit(&r, split);
}

void sym_free_scopes(struct sym_module *m) {
  free(m->scope);
  if (m->scope_dwarf) dwarf_end(m->scope_dwarf);
}

/* --- Questions --- */

u32 sym_scope_at(struct sym_module *m, u64 addr) {
  u32 id = 0, depth = 0;
  sym_read_scopes(m);
  for (u32 i = 0; i < m->scopes; i++) {
    const struct sym_scope *s = &m->scope[i];
    if (addr - s->lo < s->hi - s->lo && s->depth >= depth) id = s->id, depth = s->depth;
  }
  return id;
}

/* Not of the kernel's images, where the program has one of that name. */
static bool is_bracketed(const struct sym_module *m) { return m->name[0] == '['; }

struct found {
  struct symbols *s;
  bool prologue;
  u64 *addr;
  unsigned max, n;
};

static void add_place(struct found *f, u64 addr) {
  for (unsigned k = 0; k < f->n && k < f->max; k++)
    if (f->addr[k] == addr) return;
  if (f->n < f->max) f->addr[f->n] = addr;
  f->n++;
}

static void add_function(struct found *f, u64 addr) {
  struct sym s;
  bool known = f->prologue && sym_at(f->s, addr, &s) && s.addr == addr;
  add_place(f, known ? sym_after_prologue(f->s, &s) : addr);
}

static void add_by_debugging(struct found *f, const char *file, const char *name, bool bracketed) {
  for (u32 k = 0; k < f->s->modules; k++) {
    struct sym_module *m = f->s->module[k];
    if (is_bracketed(m) != bracketed) continue;
    sym_read_scopes(m);
    for (u32 i = 0; i < m->scopes; i++) {
      const struct sym_scope *s = &m->scope[i];
      if (!s->entry || strcmp(s->name, name) || (file && !(s->file && sym_is_file(s->file, file)))) continue;
      if (s->inlined) add_place(f, s->lo);
      else add_function(f, s->lo);
    }
  }
}

/* Of one name: all that are global, or else all. */
static void add_by_symbols(struct found *f, const char *name, bool bracketed) {
  struct sym s;
  bool global = false;
  for (unsigned pass = 0; pass < 2; pass++)
    for (unsigned k = 0; sym_each_named(f->s, name, k, &s); k++) {
      if (!s.function || (s.module[0] == '[') != bracketed) continue;
      if (!pass) global |= s.global;
      else if (!global || s.global) add_function(f, s.addr);
    }
}

static int by_value(const void *pa, const void *pb) {
  const u64 *a = pa, *b = pb;
  return *a < *b ? -1 : *a > *b;
}

unsigned sym_function_places(struct symbols *s, const char *file, const char *name, bool prologue, u64 *addr, unsigned max) {
  struct found f = {s, prologue, addr, max, 0};
  for (unsigned bracketed = 0; bracketed < 2 && !f.n; bracketed++) {
    if (!file) add_by_symbols(&f, name, bracketed);
    add_by_debugging(&f, file, name, bracketed);
  }
  if (f.n) qsort(addr, f.n < max ? f.n : max, sizeof *addr, by_value);
  return f.n;
}
