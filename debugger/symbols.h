/* Names for addresses and addresses for names: ELF symbols of every module, source lines and frames from DWARF through
 * libdw. System V gABI 4 (Symbol Table); DWARF 5, 6.2 (Line Number Information), 6.4 (Call Frame Information). */
#ifndef DEBUGGER_SYMBOLS_H
#define DEBUGGER_SYMBOLS_H

#include "base/types.h"

struct dbg_target;
struct symbols;

struct sym {
  const char *name;   /* owned by the table */
  u64 addr, size;     /* linear; size 0: unknown */
  bool function, weak, global;
  const char *module; /* its name */
};

struct sym_line {
  const char *file;   /* as DWARF has it, with its directory if relative */
  unsigned line;
  u64 addr, end;      /* the row's addresses: [addr, end) */
  bool is_stmt;
};

/* Reads the modules of a target. Damaged or absent tables give fewer names. NULL: out of memory. */
MUST_CHECK struct symbols *sym_open(const struct dbg_target *t);
void sym_close(struct symbols *s);
/* Another ELF file at this bias: `symbol-file`. 0, or -1 and one line. */
MUST_CHECK int sym_add(struct symbols *s, const char *path, u64 bias, char *err, size_t n);

/* The linear addresses [lo, hi) of the module of this name, as far as they are known. */
bool sym_module_range(const struct symbols *s, const char *name, u64 *lo, u64 *hi);

/* The symbol that addr is in (of functions first; one without size reaches to the next). False: none. */
bool sym_at(const struct symbols *s, u64 addr, struct sym *out);
/* "main+12" (decimal), "[vdso] __kernel_vsyscall+9"; "" without a name. Control characters become '?'. */
void sym_name(const struct symbols *s, u64 addr, char *buf, size_t n);
/* The same of what ends before addr: where a call at a function's end returns to is that function still. */
void sym_name_behind(const struct symbols *s, u64 addr, char *buf, size_t n);
bool sym_named(const struct symbols *s, const char *name, struct sym *out);
/* The n-th of exactly this name; false beyond the last. */
bool sym_each_named(const struct symbols *s, const char *name, unsigned n, struct sym *out);
enum { SYM_PLACES = 256 };
/* Where functions of this name begin, and inlined copies of them, by address; file: only those declared there (its last
 * parts are enough; NULL: any). prologue: behind it. How many there are; the first `max` are in addr. */
unsigned sym_function_places(struct symbols *s, const char *file, const char *name, bool prologue, u64 *addr, unsigned max);
/* The n-th symbol whose name begins with prefix, in the order of names; false beyond the last. For completion, and
 * `info symbols`. */
bool sym_prefix(const struct symbols *s, const char *prefix, unsigned n, struct sym *out);

bool sym_line_at(struct symbols *s, u64 addr, struct sym_line *out);
/* The n-th address at which a statement of file:line begins (file: its last parts are enough; NULL: that of `near`).
 * False beyond the last. *found: the line that has code, which may be later. */
bool sym_line_addr(struct symbols *s, const char *file, u64 near, unsigned line, unsigned n, u64 *addr, unsigned *found);
/* The address behind a function's prologue, as gdb has it: where the compiler marks its end, else its second row; for
 * optimised code and assembly, the function's own. */
u64 sym_after_prologue(struct symbols *s, const struct sym *f);
/* One line of a source file, without its newline, found as recorded, or under the directories of `directory`. NULL: no
 * such file or line. Valid until the next call. */
const char *sym_source(struct symbols *s, const char *file, unsigned line);
void sym_add_directory(struct symbols *s, const char *dir);

/* The registers of a frame, as far as they are known. */
struct frame_regs {
  u64 gpr[16], rip;
  u64 cs_base, ss_base; /* of code and stack; what is read lies at base + offset */
  u32 known;          /* bit n: gpr[n]; bit 16: rip */
  u8 bits;            /* 16, 32, 64 */
};
/* Reads guest memory; how many bytes were read. */
typedef unsigned frame_read_fn(void *opaque, u64 addr, void *buf, unsigned n);

enum frame_how { FRAME_NONE, FRAME_CFI, FRAME_POINTER };

/* The caller's registers, by call frame information for r->rip (.eh_frame or .debug_frame of its module), else by the frame
 * pointer. call: r->rip is a return address, so the call before it decides. *signal: it was a signal frame (then the
 * caller's rip is not a return address). FRAME_NONE: the outermost, or nothing to go on; and code of a module of
 * labels alone (a kernel's entry points, which no CALL reaches). In 16-bit code near calls alone are seen. *r is then as it was. */
enum frame_how sym_unwind(struct symbols *s, struct frame_regs *r, bool call, bool *signal, frame_read_fn *read,
                          void *opaque);

#endif
