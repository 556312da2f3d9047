/* Source lines and addresses: the line number tables of every unit of a module, read by libdw when first asked for, as
 * one table sorted by address. DWARF 5, 6.2 (Line Number Information), and versions 2 to 4 of it. */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "debugger/sym.h"

#define MAX_ROWS (1u << 24)
#define MAX_FILES (1u << 20)
#define MAX_FILE_NAME 4096
/* Seconds of processor time for one file's tables. Units of a hostile file may share one another's bytes, so that
 * the time grows with the square of its size; beyond this the rest has no lines. */
#define MAX_SECONDS 20
/* How far back a row that is still in force may lie behind rows that end before the address. */
#define LOOK_BACK 256

/* --- Reading --- */

struct unit {
  u64 table; /* the offset of its line table */
  Dwarf_Die die;
};

struct reading {
  struct sym_module *m;
  u32 row_room, file_room;
  u32 *file_of; /* of this unit's file numbers: the module's, plus one */
  size_t unit_files;
  bool plain;   /* this unit's rows */
  bool full;
};

/* Room for one more of *n elements. */
static bool room(void **list, u32 n, u32 *have, u32 max, size_t size) {
  if (n < *have) return true;
  if (n >= max) return false;
  u32 want = *have ? *have * 2 : 256;
  void *more = realloc(*list, (size_t)want * size);
  if (!more) return false;
  *list = more;
  *have = want;
  return true;
}

/* The module's number for a row's file, plus one; 0: none. */
static u32 file_of(struct reading *r, Dwarf_Line *line) {
  Dwarf_Files *files;
  size_t index;
  const char *name = dwarf_linesrc(line, NULL, NULL);
  if (!name || dwarf_line_file(line, &files, &index) || index >= r->unit_files) return 0;
  if (r->file_of[index]) return r->file_of[index];
  if (strnlen(name, MAX_FILE_NAME) == MAX_FILE_NAME) return 0;
  if (!room((void **)&r->m->file, r->m->files, &r->file_room, MAX_FILES, sizeof(char *))) return 0;
  char *copy = strdup(name);
  if (!copy) return 0;
  for (char *c = copy; *c; c++)
    if ((*c > 0 && *c < ' ') || *c == 0x7f) *c = '?';
  r->m->file[r->m->files++] = copy;
  return r->file_of[index] = r->m->files;
}

/* The row at a line table's entry, which reaches to the next. False: it says nothing of this module. */
static bool read_row(struct reading *r, Dwarf_Line *line, Dwarf_Line *next, struct sym_row *row) {
  Dwarf_Addr addr, end;
  int number;
  bool stop = true, stmt = false, prologue = false;
  if (dwarf_lineendsequence(line, &stop) || stop) return false;
  if (dwarf_lineaddr(line, &addr) || dwarf_lineaddr(next, &end) || end < addr) return false;
  if (dwarf_lineno(line, &number) || number < 0) return false;
  if (dwarf_linebeginstatement(line, &stmt) || dwarf_lineprologueend(line, &prologue)) return false;
  u64 at = sym_linear(r->m, addr), to = at + (end - addr);
  /* Functions that the linker dropped have rows near 0, or at all ones. */
  if (to < at || at < r->m->lo || to > r->m->hi || !sym_executable(r->m, at)) return false;
  u32 file = file_of(r, line);
  if (!file) return false;
  *row = (struct sym_row){.addr = at, .end = to, .file = file - 1, .line = (u32)number, .order = r->m->rows,
                          .is_stmt = stmt, .prologue_end = prologue,
                          .plain = r->plain};
  return true;
}

/* Compiled, and without optimisation? GCC records its options; assemblers have no prologues. */
static bool is_plain(Dwarf_Die *unit) {
  Dwarf_Attribute attr;
  Dwarf_Word language;
  if (dwarf_attr(unit, DW_AT_language, &attr) && !dwarf_formudata(&attr, &language) &&
      language == DW_LANG_Mips_Assembler)
    return false;
  const char *producer = dwarf_attr(unit, DW_AT_producer, &attr) ? dwarf_formstring(&attr) : NULL;
  char level = '0';
  for (const char *o = producer; o && (o = strstr(o, " -O")); o += 3)
    level = o[3];
  return level == '0';
}

static void read_unit(struct reading *r, Dwarf_Die *unit) {
  Dwarf_Lines *lines;
  Dwarf_Files *files;
  size_t n;
  if (dwarf_getsrclines(unit, &lines, &n) || dwarf_getsrcfiles(unit, &files, &r->unit_files)) return;
  if (!(r->file_of = calloc(r->unit_files + 1, sizeof *r->file_of))) return;
  r->plain = is_plain(unit);
  for (size_t i = 0; i + 1 < n; i++) {
    struct sym_row row;
    if (!read_row(r, dwarf_onesrcline(lines, i), dwarf_onesrcline(lines, i + 1), &row)) continue;
    r->full = !room((void **)&r->m->row, r->m->rows, &r->row_room, MAX_ROWS, sizeof row);
    if (r->full) break;
    r->m->row[r->m->rows++] = row;
  }
  free(r->file_of);
}

static int by_table(const void *pa, const void *pb) {
  const struct unit *a = pa, *b = pb;
  return a->table < b->table ? -1 : a->table > b->table;
}

static int by_address(const void *pa, const void *pb) {
  const struct sym_row *a = pa, *b = pb;
  if (a->addr != b->addr) return a->addr < b->addr ? -1 : 1;
  return a->order < b->order ? -1 : a->order > b->order;
}

static bool late(clock_t since) { return (clock() - since) / CLOCKS_PER_SEC >= MAX_SECONDS; }

/* The units that have a line table, each table once. */
static struct unit *find_units(Dwarf *dwarf, u32 *count, clock_t since) {
  struct unit *unit = NULL;
  u32 n = 0, have = 0;
  Dwarf_CU *cu = NULL;
  Dwarf_Die die;
  while (!dwarf_get_units(dwarf, cu, &cu, NULL, NULL, &die, NULL) && !late(since)) {
    Dwarf_Attribute attr;
    Dwarf_Word table;
    if (!dwarf_attr(&die, DW_AT_stmt_list, &attr) || dwarf_formudata(&attr, &table)) continue;
    if (!room((void **)&unit, n, &have, MAX_FILES, sizeof *unit)) break;
    unit[n++] = (struct unit){table, die};
  }
  if (n) qsort(unit, n, sizeof *unit, by_table);
  *count = n;
  return unit;
}

void sym_read_lines(struct sym_module *m) {
  if (m->lines_read) return;
  m->lines_read = true;
  Dwarf *dwarf = m->elf ? dwarf_begin_elf(m->elf, DWARF_C_READ, NULL) : NULL;
  if (!dwarf) return;
  struct reading r = {.m = m};
  clock_t since = clock();
  u32 n;
  struct unit *unit = find_units(dwarf, &n, since);
  for (u32 i = 0; i < n && !r.full && !late(since); i++)
    if (!i || unit[i].table != unit[i - 1].table) read_unit(&r, &unit[i].die);
  free(unit);
  dwarf_end(dwarf);
  if (m->rows) qsort(m->row, m->rows, sizeof *m->row, by_address);
}

void sym_free_lines(struct sym_module *m) {
  for (u32 i = 0; i < m->files; i++)
    free(m->file[i]);
  free(m->file);
  free(m->row);
}

/* --- Questions --- */

/* The first row at or behind addr. */
static u32 first_row(const struct sym_module *m, u64 addr) {
  u32 lo = 0, hi = m->rows;
  while (lo < hi) {
    u32 mid = lo + (hi - lo) / 2;
    if (m->row[mid].addr < addr) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

bool sym_line_at(struct symbols *s, u64 addr, struct sym_line *out) {
  struct sym_module *m = sym_module_at(s, addr);
  if (!m) return false;
  sym_read_lines(m);
  u32 from = addr == UINT64_MAX ? m->rows : first_row(m, addr + 1);
  for (u32 i = from; i-- > 0 && from - i <= LOOK_BACK;) {
    const struct sym_row *r = &m->row[i];
    if (addr >= r->end) continue;
    if (!r->line) return false; /* code of no line */
    *out = (struct sym_line){.file = m->file[r->file], .line = r->line, .addr = r->addr, .end = r->end,
                             .is_stmt = r->is_stmt};
    return true;
  }
  return false;
}

bool sym_is_file(const char *file, const char *name) {
  size_t n = strlen(file), k = strlen(name);
  return k <= n && !strcmp(file + n - k, name) && (k == n || file[n - k - 1] == '/' || name[0] == '/');
}

/* For each of a module's files, whether it is meant. NULL: none is. */
static bool *meant_files(const struct sym_module *m, const char *name) {
  bool *meant = calloc(m->files + 1, sizeof *meant), any = false;
  for (u32 i = 0; meant && i < m->files; i++)
    any |= meant[i] = sym_is_file(m->file[i], name);
  if (any) return meant;
  free(meant);
  return NULL;
}

/* The least line from `line` on that has a statement in a file meant; 0: none. */
static u32 line_with_code(const struct sym_module *m, const bool *meant, u32 line) {
  u32 best = 0;
  for (u32 i = 0; i < m->rows; i++) {
    const struct sym_row *r = &m->row[i];
    if (r->is_stmt && r->line && r->line >= line && (!best || r->line < best) && meant[r->file]) best = r->line;
  }
  return best;
}

/* What tells places of one line apart: the block they are in, or without its like the function, or that the one before
 * reaches here. */
static u64 block_of(struct symbols *s, struct sym_module *m, const struct sym_row *r, u64 before, u64 end) {
  struct sym f;
  u32 scope = sym_scope_at(m, r->addr);
  if (scope) return scope;
  if (sym_at(s, r->addr, &f) && f.function) return f.addr;
  return r->addr == end ? before : r->addr;
}

/* The n-th place of exactly this line, each block's first alone, as gdb has them; otherwise *n less those passed over. */
static bool place(struct symbols *s, struct sym_module *m, const bool *meant, u32 line, unsigned *n, u64 *addr) {
  u64 block[SYM_PLACES], end = 0;
  unsigned blocks = 0, k;
  for (u32 i = 0; i < m->rows && blocks < SYM_PLACES; i++) {
    const struct sym_row *r = &m->row[i];
    if (!r->is_stmt || r->line != line || !meant[r->file]) continue;
    u64 in = block_of(s, m, r, blocks ? block[blocks - 1] : 0, end);
    end = r->end;
    for (k = 0; k < blocks && block[k] != in; k++) {}
    if (k < blocks) continue;
    block[blocks++] = in;
    if ((*n)-- == 0) {
      *addr = r->addr;
      return true;
    }
  }
  return false;
}

/* What a line number alone means: the file at `near`, else that of main. */
static const char *default_file(struct symbols *s, u64 near) {
  struct sym_line l;
  struct sym f;
  if (sym_line_at(s, near, &l)) return l.file;
  return sym_named(s, "main", &f) && sym_line_at(s, f.addr, &l) ? l.file : NULL;
}

bool sym_line_addr(struct symbols *s, const char *file, u64 near, unsigned line, unsigned n, u64 *addr,
                   unsigned *found) {
  bool got = false;
  u32 best = 0;
  if (!file) file = default_file(s, near);
  while (file && file[0] == '.' && file[1] == '/')
    file += 2;
  if (!file || !*file || !line) return false;
  for (u32 i = 0; i < s->modules; i++) {
    sym_read_lines(s->module[i]);
    bool *meant = meant_files(s->module[i], file);
    u32 l = meant ? line_with_code(s->module[i], meant, line) : 0;
    if (l && (!best || l < best)) best = l;
    free(meant);
  }
  for (u32 i = 0; best && !got && i < s->modules; i++) {
    bool *meant = meant_files(s->module[i], file);
    got = meant && place(s, s->module[i], meant, best, &n, addr);
    free(meant);
  }
  if (got) *found = best;
  return got;
}

/* Where a compiler does not mark the prologue's end, it begins a second row there: of another line, or of the same once
 * more. Optimised code has no such place: its second row may not even be reached, so its first instruction serves. */
u64 sym_after_prologue(struct symbols *s, const struct sym *f) {
  struct sym_module *m = sym_module_at(s, f->addr);
  if (!m) return f->addr;
  sym_read_lines(m);
  u64 end = f->size && f->size <= m->hi - f->addr ? f->addr + f->size : m->hi, second = f->addr;
  u32 i = first_row(m, f->addr), rows = 0;
  if (i == m->rows || m->row[i].addr != f->addr) return f->addr;
  for (; i < m->rows && m->row[i].addr < end; i++) {
    const struct sym_row *r = &m->row[i];
    struct sym in;
    if (!f->size && (!sym_at(s, r->addr, &in) || in.addr != f->addr)) break;
    if (r->prologue_end && r->is_stmt) return r->addr;
    if (r->line && r->is_stmt && r->plain && ++rows == 2) second = r->addr;
  }
  return second;
}
