/* Program files as pure data: what a file asks to have in memory, before any processor or kernel exists.
 *
 * ELF: System V gABI chapter 5 (Program Loading and Dynamic Linking). What is accepted, what is refused and
 * how each segment is split into file pages and zero pages follows Linux (fs/binfmt_elf.c: load_elf_binary,
 * elf_load), with two exceptions: Linux lets a program die of a signal of which the file lacks the first instruction or
 * a page to be cleared, or that has nothing to load; here both are refused with a message.
 *
 * Every address in here is the one in the file. For a position-independent program (`pie`) the caller chooses
 * a bias and adds it. The functions share no state: different images may be used from different threads. */
#ifndef LOADER_LOADER_H
#define LOADER_LOADER_H

#include "base/types.h"

#define LDR_PAGE UINT64_C(4096)

/* Permissions; the bits of p_flags. */
enum { LDR_X = 1, LDR_W = 2, LDR_R = 4 };

/* One PT_LOAD. The second half is how to map it, in this order, in segment order, a later mapping replacing
 * an earlier:
 *
 *   file_lo            vaddr+filesz  file_hi = anon_lo          anon_hi
 *      |--------- file pages ----|---zero---|--- anonymous, zero ---|
 *      ^ file byte file_off      ^ zero_lo  ^ zero_hi
 *
 * An empty part has lo == hi. Zeroing runs to the page's end, past memsz; it is empty when the segment is not
 * writable, for Linux tries, fails, and goes on, leaving the file's bytes there. */
struct ldr_segment {
  u64 vaddr, memsz, offset, filesz;
  u64 align; /* p_align as the file has it, unchecked */
  u8 flags;
  u8 anon_flags; /* zero pages are always readable and writable, and executable if the segment is */
  u16 index;     /* its program header's index */
  u64 file_lo, file_hi, file_off;
  u64 zero_lo, zero_hi;
  u64 anon_lo, anon_hi;
};

/* PT_GNU_STACK. Absent means: for i386 every readable page is executable (READ_IMPLIES_EXEC), for x86_64
 * nothing is changed and the stack is not executable. */
enum ldr_stack { LDR_STACK_ABSENT, LDR_STACK_NOEXEC, LDR_STACK_EXEC };

struct ldr_tls {
  bool present;
  u64 vaddr, filesz, memsz, align, offset;
};

/* A function, or a label in executable memory. */
struct ldr_symbol {
  const char *name; /* owned by the image; not empty; arbitrary bytes if the file is damaged */
  u64 addr;
  u64 size; /* 0: unknown */
  u8 rank;  /* among symbols of one address, the highest is the best name */
};

struct image {
  char *name;    /* as it was given */
  int fd;        /* open for reading and mapping, close-on-exec; -1 for an image in memory, or if closed */
  const u8 *mem; /* the bytes of an image in memory, borrowed; NULL for a file */
  u64 size;      /* bytes in the file */
  u64 dev, ino;  /* which file */

  u8 bits;   /* 32 (i386) or 64 (x86_64) */
  bool pie;  /* ET_DYN: any bias will do, rather than 0 */
  u8 osabi;  /* e_ident[EI_OSABI] */
  u64 entry; /* may lie outside every segment: then the program faults, as on Linux */
  u64 phdr;  /* of the program headers; 0 if no segment holds them, and Linux adds the bias even then */
  u16 phent, phnum;

  struct ldr_segment *seg; /* in the order of the program headers, not sorted; at least one */
  unsigned nseg;
  u64 lo, hi; /* first page of the lowest segment; end (not rounded) of the highest */
  u64 span;   /* bytes from lo to hi rounded up to a page */
  u64 align;  /* what the bias must be a multiple of: a power of two, from a page to 2^63 */
  u64 brk;    /* the first page after every segment: the program break starts at or after it */

  enum ldr_stack stack;
  struct ldr_tls tls;
  char *interp; /* PT_INTERP's path, or NULL */

  struct ldr_symbol *sym; /* by address, then rank; filled by ldr_load_symbols */
  unsigned nsym;
  bool symbols_read;
  char *strings;
};

/* Reads the program at path (of which the descriptor stays open), or the n bytes at buf (which must stay
 * until ldr_close), into *img. 0, or a negative errno value: the one that Linux's execve gives, -ENOEXEC for
 * what is not a program for this machine. On failure *img holds nothing, and err one line: the file, what is
 * wrong, what to do. */
MUST_CHECK int ldr_open(const char *path, struct image *img, char *err, size_t errsz);
MUST_CHECK int ldr_from_memory(const void *buf, size_t n, const char *name, struct image *img, char *err,
                               size_t errsz);
/* Frees what *img holds and closes its descriptor. Harmless when repeated, or after a failure. */
void ldr_close(struct image *img);
/* Closes its descriptor alone. Symbols can still be read, as long as the name leads to the same file. */
void ldr_close_file(struct image *img);

/* Would every segment, and the entry, lie below limit (the end of the user's addresses) if loaded at this
 * bias? 0, or -EINVAL and a message. */
MUST_CHECK int ldr_check_range(const struct image *img, u64 bias, u64 limit, char *err, size_t errsz);

/* The greatest bias that puts the image's first page at or below base and honours its alignment; 0 if there
 * is none, and for a program that is not position-independent. */
u64 ldr_bias(const struct image *img, u64 base);

/* Reads exactly n bytes at offset off of the file. 0, or -EIO. */
MUST_CHECK int ldr_read(const struct image *img, u64 off, void *buf, size_t n);

/* Fills sym and nsym, from .symtab or else .dynsym. A damaged or absent table gives fewer symbols or none,
 * and 0; -ENOMEM is the only failure. Does nothing the second time. */
MUST_CHECK int ldr_load_symbols(struct image *img);

/* After ldr_load_symbols: the function that addr is in, or NULL. A symbol without a size reaches to the next
 * one. */
const struct ldr_symbol *ldr_symbol_at(const struct image *img, u64 addr);

/* After ldr_load_symbols: the best-ranked symbol of this name, or NULL. */
const struct ldr_symbol *ldr_symbol_named(const struct image *img, const char *name);

#endif
