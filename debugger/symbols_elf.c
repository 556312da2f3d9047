/* One module's symbols, functions and data, from its ELF file: System V gABI 4 (Sections, String Table, Symbol Table).
 * Files may be damaged or hostile: every table is bounded by the file, and what makes no sense is left out. */
#include <gelf.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/sym.h"

/* Longer names are left out: a hostile file's may all be as long as the file, and are compared when sorted. */
#define MAX_NAME 4096
#define MAX_SECTIONS SHN_LORESERVE

struct section {
  u64 lo, hi;
  bool code;
};

struct reading {
  struct symbols *s;
  struct sym_module *m;
  u32 module;
  Elf_Data *syms, *strs;
  struct section *section;
  size_t sections;
};

/* Executable segments, and the module's range if its owner gave none. */
static int read_segments(struct sym_module *m) {
  size_t n;
  bool ranged = m->lo < m->hi;
  if (elf_getphdrnum(m->elf, &n) || !n) return 0;
  if (n > PN_XNUM) n = PN_XNUM;
  if (!(m->exec = calloc(n, sizeof *m->exec))) return -1;
  if (!ranged) m->lo = UINT64_MAX, m->hi = 0;
  for (size_t i = 0; i < n; i++) {
    GElf_Phdr ph;
    if (!gelf_getphdr(m->elf, (int)i, &ph) || ph.p_type != PT_LOAD || !ph.p_memsz) continue;
    u64 lo = sym_linear(m, ph.p_vaddr), hi = lo + ph.p_memsz;
    if (hi < lo) continue;
    if (ph.p_flags & PF_X) m->exec[m->execs++] = (struct sym_span){lo, hi};
    if (ranged) continue;
    if (lo < m->lo) m->lo = lo;
    if (hi > m->hi) m->hi = hi;
  }
  if (!ranged && m->lo > m->hi) m->lo = m->hi = 0;
  return 0;
}

static int read_sections(struct reading *r) {
  size_t n;
  if (elf_getshdrnum(r->m->elf, &n) || !n) return 0;
  if (n > MAX_SECTIONS) n = MAX_SECTIONS;
  if (!(r->section = calloc(n, sizeof *r->section))) return -1;
  r->sections = n;
  for (size_t i = 1; i < n; i++) {
    GElf_Shdr sh;
    if (!gelf_getshdr(elf_getscn(r->m->elf, i), &sh) || !(sh.sh_flags & SHF_ALLOC)) continue;
    u64 lo = sym_linear(r->m, sh.sh_addr);
    if (lo + sh.sh_size < lo) continue;
    r->section[i] = (struct section){lo, lo + sh.sh_size, (sh.sh_flags & SHF_EXECINSTR) != 0};
  }
  return 0;
}

/* The first table of this type, good or bad: a file of many overlapping tables must not have them all tried. */
static bool find_table(struct reading *r, u32 type) {
  for (Elf_Scn *scn = NULL; (scn = elf_nextscn(r->m->elf, scn));) {
    GElf_Shdr sh, str;
    if (!gelf_getshdr(scn, &sh) || sh.sh_type != type) continue;
    Elf_Scn *strscn = elf_getscn(r->m->elf, sh.sh_link);
    if (!strscn || !gelf_getshdr(strscn, &str) || str.sh_type != SHT_STRTAB) return false;
    r->syms = elf_getdata(scn, NULL);
    r->strs = elf_getdata(strscn, NULL);
    return r->syms && r->strs && r->syms->d_buf && r->strs->d_buf && r->strs->d_size;
  }
  return false;
}

/* A copy of the string table that is safe to print and ends. */
static int copy_strings(struct reading *r) {
  size_t n = r->strs->d_size;
  char *to = malloc(n + 1);
  if (!to) return -1;
  memcpy(to, r->strs->d_buf, n);
  to[n] = 0;
  for (size_t i = 0; i < n; i++)
    if ((to[i] > 0 && to[i] < ' ') || to[i] == 0x7f) to[i] = '?';
  r->m->strings = to;
  return 0;
}

static u8 rank(const GElf_Sym *s) {
  u8 r = s->st_size ? 8 : 0;
  if (GELF_ST_TYPE(s->st_info) != STT_NOTYPE) r |= 4;
  if (GELF_ST_BIND(s->st_info) == STB_WEAK) r |= 1;
  else if (GELF_ST_BIND(s->st_info) != STB_LOCAL) r |= 2;
  return r;
}

/* False: not something at an address. Labels of assembly sources often have no type; in code they count as
 * functions. */
static bool take(const struct reading *r, const GElf_Sym *s, struct sym_entry *e) {
  const struct sym_module *m = r->m;
  u8 type = GELF_ST_TYPE(s->st_info);
  if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE && type != STT_OBJECT) return false;
  if (s->st_shndx == SHN_UNDEF || s->st_shndx == SHN_ABS || s->st_name >= r->strs->d_size) return false;
  const char *name = m->strings + s->st_name;
  if (!*name || strnlen(name, MAX_NAME) == MAX_NAME) return false;
  u64 addr = sym_linear(m, s->st_value), limit = m->hi;
  if (addr < m->lo || addr > m->hi) return false;
  bool code = sym_executable(m, addr);
  if (s->st_shndx < r->sections) {
    const struct section *sec = &r->section[s->st_shndx];
    if (addr >= sec->lo && addr <= sec->hi) code = sec->code, limit = sec->hi;
  }
  bool function = type == STT_FUNC || type == STT_GNU_IFUNC || (type == STT_NOTYPE && code);
  *e = (struct sym_entry){.name = name, .addr = addr, .size = s->st_size, .limit = limit, .module = r->module,
                          .rank = rank(s), .function = function, .weak = GELF_ST_BIND(s->st_info) == STB_WEAK};
  return true;
}

static int take_symbols(struct reading *r) {
  size_t n = r->syms->d_size / (r->m->bits == 64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym));
  if (n > INT_MAX) n = INT_MAX; /* gelf_getsym counts with int */
  u32 before = r->s->entries;
  struct sym_entry *e = sym_new_entries(r->s, n);
  if (!e || copy_strings(r)) return -1;
  for (size_t i = 0; i < n; i++) {
    GElf_Sym s;
    if (r->s->entries - before >= n || r->s->entries >= SYM_MAX_ENTRIES) break;
    if (gelf_getsym(r->syms, (int)i, &s) && take(r, &s, &e[r->s->entries])) r->s->entries++;
  }
  return 0;
}

int sym_read_elf(struct symbols *s, u32 module, const char **why) {
  struct reading r = {.s = s, .m = s->module[module], .module = module};
  struct sym_module *m = r.m;
  GElf_Ehdr eh;
  *why = "not an ELF file";
  if (elf_version(EV_CURRENT) == EV_NONE || !(m->elf = elf_memory((char *)m->bytes, m->size))) return 1;
  if (elf_kind(m->elf) != ELF_K_ELF || !gelf_getehdr(m->elf, &eh)) return 1;
  *why = "not a program for x86";
  bool wide = eh.e_ident[EI_CLASS] == ELFCLASS64;
  if (eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != (wide ? EM_X86_64 : EM_386)) return 1;
  m->bits = wide ? 64 : 32;
  *why = "out of memory";
  int e = read_segments(m) || read_sections(&r) ? -1 : 0;
  if (!e && (find_table(&r, SHT_SYMTAB) || find_table(&r, SHT_DYNSYM))) e = take_symbols(&r);
  free(r.section);
  return e;
}

void sym_free_elf(struct sym_module *m) {
  if (m->elf) elf_end(m->elf);
  free(m->exec);
  free(m->strings);
}
