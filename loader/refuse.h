/* The loader's messages: one line with the file, what is wrong and what to do. Private to loader/. */
#ifndef LOADER_REFUSE_H
#define LOADER_REFUSE_H

#include "base/types.h"

/* Where a message goes: err may be NULL. */
struct complaint {
  const char *name; /* the file's */
  char *err;
  size_t errsz;
};

/* Writes "name: ..." as one line, cut to fit, and returns -code. %m works. */
PRINTF_LIKE(3, 4) COLD int ldr_complain(const struct complaint *c, int code, const char *fmt, ...);

/* The n bytes at head begin a file without ELF's magic number. */
COLD int ldr_refuse_not_elf(const struct complaint *c, const u8 *head, size_t n);
/* e_machine is neither of ours; big: as read, though the file is big-endian. */
COLD int ldr_refuse_machine(const struct complaint *c, u16 machine, bool big);
/* e_type is neither ET_EXEC nor ET_DYN. */
COLD int ldr_refuse_type(const struct complaint *c, u16 type);
/* PT_INTERP names a dynamic linker. */
COLD int ldr_refuse_dynamic(const struct complaint *c, const char *interp);

#endif
