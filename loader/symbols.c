/* Function names for trace and debugger, read by libelf: System V gABI chapter 4 (Symbol Table). They are a
 * convenience: a damaged table gives fewer names, never an error. */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/loader.h"

/* How far back ldr_symbol_at looks for a function that encloses its address, past nested or overlapping ones.
 * */
#define LOOK_BACK 64

struct table {
  Elf_Data *syms;
  Elf_Data *strs;
};

/* The executable segment that holds addr. */
static const struct ldr_segment *code_segment(const struct image *img, u64 addr) {
  for (unsigned i = 0; i < img->nseg; i++) {
    const struct ldr_segment *s = &img->seg[i];
    if ((s->flags & LDR_X) && addr >= s->vaddr && addr - s->vaddr < s->memsz) return s;
  }
  return NULL;
}

/* By address, the best name of an address last, where ldr_symbol_at meets it first. Ties go by the name's
 * place, not its text: in a hostile file every name may be as long as the file. */
static int by_address(const void *pa, const void *pb) {
  const struct ldr_symbol *a = pa, *b = pb;
  if (a->addr != b->addr) return a->addr < b->addr ? -1 : 1;
  if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
  return a->name < b->name ? -1 : a->name > b->name;
}

/* The first table of this type, good or bad: libelf allocates for each section read, so a file of many
 * overlapping tables must not have them all tried. */
static bool find_table(Elf *elf, u32 type, struct table *t) {
  for (Elf_Scn *scn = NULL; (scn = elf_nextscn(elf, scn));) {
    GElf_Shdr sh, str;
    if (!gelf_getshdr(scn, &sh) || sh.sh_type != type) continue;
    Elf_Scn *strscn = elf_getscn(elf, sh.sh_link);
    if (!strscn || !gelf_getshdr(strscn, &str) || str.sh_type != SHT_STRTAB) return false;
    t->syms = elf_getdata(scn, NULL);
    t->strs = elf_getdata(strscn, NULL);
    return t->syms && t->strs && t->syms->d_buf && t->strs->d_buf && t->strs->d_size;
  }
  return false;
}

/* 8: has a size; 4: is marked as a function; 2, 1, 0: global, weak, local. */
static u8 rank(const GElf_Sym *s) {
  u8 r = s->st_size ? 8 : 0;
  if (GELF_ST_TYPE(s->st_info) != STT_NOTYPE) r |= 4;
  if (GELF_ST_BIND(s->st_info) == STB_GLOBAL) r |= 2;
  else if (GELF_ST_BIND(s->st_info) == STB_WEAK) r |= 1;
  return r;
}

/* Labels of assembly sources often have no type; in code they count as functions. */
static bool is_function(const struct image *img, const GElf_Sym *s) {
  u8 type = GELF_ST_TYPE(s->st_info);
  if (type != STT_FUNC && type != STT_GNU_IFUNC && type != STT_NOTYPE) return false;
  return s->st_shndx != SHN_UNDEF && s->st_shndx != SHN_ABS && code_segment(img, s->st_value);
}

static int take_symbols(struct image *img, const struct table *t) {
  size_t strsz = t->strs->d_size;
  size_t ent = img->bits == 64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
  size_t n = t->syms->d_size / ent;
  if (n > INT_MAX) n = INT_MAX; /* gelf_getsym counts with int */
  if (!n) return 0;
  /* A private copy, so that the names outlive libelf and the last one ends. */
  img->strings = malloc(strsz + 1);
  img->sym = malloc(n * sizeof *img->sym);
  if (!img->strings || !img->sym) return -ENOMEM;
  memcpy(img->strings, t->strs->d_buf, strsz);
  img->strings[strsz] = 0;

  for (size_t i = 0; i < n; i++) {
    GElf_Sym s;
    if (!gelf_getsym(t->syms, (int)i, &s) || s.st_name >= strsz || !img->strings[s.st_name]) continue;
    if (!is_function(img, &s)) continue;
    img->sym[img->nsym++] = (struct ldr_symbol){.name = img->strings + s.st_name, .addr = s.st_value,
                                                .size = s.st_size, .rank = rank(&s)};
  }
  if (img->nsym) qsort(img->sym, img->nsym, sizeof *img->sym, by_address);
  return 0;
}

/* The image's file once more; -1 if its name leads to another one by now. */
static int open_again(const struct image *img) {
  struct stat st;
  int fd = open(img->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return -1;
  if (!fstat(fd, &st) && st.st_dev == img->dev && st.st_ino == img->ino) return fd;
  close(fd);
  return -1;
}

int ldr_load_symbols(struct image *img) {
  struct table t;
  int e = 0;
  if (img->symbols_read || elf_version(EV_CURRENT) == EV_NONE) return 0;
  img->symbols_read = true;
  int again = !img->mem && img->fd < 0 ? open_again(img) : -1, fd = again < 0 ? img->fd : again;
  /* elf_memory wants a writable pointer, but only its writing functions use it so. */
  Elf *elf = img->mem ? elf_memory((char *)(uintptr_t)img->mem, img->size)
                      : fd < 0 ? NULL : elf_begin(fd, ELF_C_READ, NULL);
  /* libelf goes by the class in e_ident, the loader by the machine. */
  int class = img->bits == 64 ? ELFCLASS64 : ELFCLASS32;
  if (elf && elf_kind(elf) == ELF_K_ELF && gelf_getclass(elf) == class &&
      (find_table(elf, SHT_SYMTAB, &t) || find_table(elf, SHT_DYNSYM, &t)))
    e = take_symbols(img, &t);
  if (elf) elf_end(elf);
  if (again >= 0) close(again);
  return e;
}

const struct ldr_symbol *ldr_symbol_at(const struct image *img, u64 addr) {
  unsigned lo = 0, hi = img->nsym; /* the first symbol above addr */
  while (lo < hi) {
    unsigned mid = lo + (hi - lo) / 2;
    if (img->sym[mid].addr <= addr) lo = mid + 1;
    else hi = mid;
  }
  if (!lo) return NULL;
  u64 nearest = img->sym[lo - 1].addr;
  for (unsigned i = lo; i-- > 0 && lo - i <= LOOK_BACK;) {
    const struct ldr_symbol *s = &img->sym[i];
    if (s->size && addr - s->addr < s->size) return s;
    if (!s->size && s->addr == nearest && code_segment(img, s->addr) == code_segment(img, addr)) return s;
  }
  return NULL;
}

const struct ldr_symbol *ldr_symbol_named(const struct image *img, const char *name) {
  const struct ldr_symbol *best = NULL;
  for (unsigned i = 0; i < img->nsym; i++)
    if (!strcmp(img->sym[i].name, name) && (!best || img->sym[i].rank > best->rank)) best = &img->sym[i];
  return best;
}
