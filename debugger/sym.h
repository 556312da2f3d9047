/* What the symbol files share: modules as they are read, and the tables made of them. Private to debugger/symbols.c,
 * symbols_elf.c, lines.c, source.c, unwind.c and unwind_cfi.c. */
#ifndef DEBUGGER_SYM_H
#define DEBUGGER_SYM_H

#include "debugger/symbols.h"

/* libelf's and libdw's: <elf.h> has macros of names that mmu/mmu.h has, so nobody includes both. */
struct Elf;
struct Dwarf;
struct Dwarf_CFI_s;

/* Symbols of all modules together. */
#define SYM_MAX_ENTRIES (1u << 24)

struct sym_entry {
  const char *name;
  u64 addr, size; /* size 0: unknown */
  u64 limit;      /* no address from here on belongs to it */
  u32 module;
  u8 rank;        /* 8: has a size; 4: has a type; 2, 1, 0: global, weak, local. As in loader/symbols.c */
  bool function, weak;
};

struct sym_span {
  u64 lo, hi;
};

struct sym_row {
  u64 addr, end; /* linear; addr == end when the next row has the same address */
  u32 file, line;
  u32 order;     /* among rows of one address */
  bool is_stmt, prologue_end;
  bool plain;    /* compiled without optimisation: its function's code is in the order of its lines */
};

/* Code of a function, of an inlined copy of one, or of a block within. */
struct sym_scope {
  u64 lo, hi;       /* one of its ranges, linear */
  const char *name; /* of functions; else NULL. It and file are scope_dwarf's */
  const char *file; /* where it is declared, or NULL */
  u32 id;           /* the same for all ranges of one scope; not 0 */
  u16 depth;        /* the inner the greater */
  bool inlined;
  bool entry;       /* its first range: where it is entered */
};

struct sym_module {
  char *name;
  u64 bias, lo, hi;     /* linear addresses [lo, hi) */
  u8 bits;              /* 32 or 64; 0: labels alone */
  u8 *bytes;            /* a private copy of the file: nothing can change or truncate it */
  size_t size;
  struct Elf *elf;
  char *strings;        /* of the names, control characters replaced */
  struct sym_span *exec; /* executable segments, linear */
  unsigned execs;

  bool lines_read;      /* and then: */
  struct sym_row *row;  /* by address, then order */
  u32 rows;
  char **file;
  u32 files;

  bool scopes_read;     /* and then: */
  struct sym_scope *scope;
  u32 scopes;
  struct Dwarf *scope_dwarf;

  bool cfi_read;
  struct Dwarf *dwarf;
  struct Dwarf_CFI_s *eh_frame, *debug_frame;
};

struct sym_source;

struct symbols {
  struct sym_module **module;
  u32 modules;
  struct sym_entry *entry; /* by address, then rank */
  u32 entries;
  u32 *by_name;            /* indices of entry */
  struct sym_source *source;
  char **dir;
  unsigned dirs;
};

/* Reads the ELF file in m->bytes: its width, segments and symbols, which are added to s. 0, or -1: out of memory;
 * 1: no ELF file of these processors, with one line in why. */
MUST_CHECK int sym_read_elf(struct symbols *s, u32 module, const char **why);
void sym_free_elf(struct sym_module *m);
MUST_CHECK struct sym_entry *sym_new_entries(struct symbols *s, size_t n);
struct sym_module *sym_module_at(const struct symbols *s, u64 addr);
bool sym_executable(const struct sym_module *m, u64 addr);
/* Fills row and file. */
void sym_read_lines(struct sym_module *m);
void sym_free_lines(struct sym_module *m);
void sym_read_scopes(struct sym_module *m);
void sym_free_scopes(struct sym_module *m);
/* The innermost scope's id; 0: none is known. */
u32 sym_scope_at(struct sym_module *m, u64 addr);
/* Is `name` the file, by its last parts? */
bool sym_is_file(const char *file, const char *name);
void sym_free_cfi(struct sym_module *m);
void sym_free_source(struct symbols *s);
enum cfi_result {
  CFI_NONE,      /* nothing is said of this address */
  CFI_OUTERMOST, /* it has no caller */
  CFI_BAD,       /* nonsense, or it needs what cannot be read */
  CFI_CALLER,    /* *r is the caller's */
};
/* One step by the call frame information for pc. */
enum cfi_result sym_cfi_unwind(struct sym_module *m, u64 pc, struct frame_regs *r, bool *signal, frame_read_fn *read,
                               void *opaque);
/* A module's address, in its width. */
static inline u64 sym_linear(const struct sym_module *m, u64 addr) {
  return m->bits == 32 ? (u32)(addr + m->bias) : addr + m->bias;
}

#endif
