/* Assembly text to bytes through GNU as, when there is one; what was assembled is remembered. info as. */
#ifndef BASE_ASSEMBLE_H
#define BASE_ASSEMBLE_H

#include "base/types.h"

enum { ASSEMBLE_MAX = 256 };

struct assembler;

/* only_where_needed: the caller asks only for text that has no bytes beside it. NULL: out of memory. */
MUST_CHECK struct assembler *assembler_new(bool only_where_needed);
void assembler_free(struct assembler *as);
/* Is there a GNU as? Looked for when it is first asked. */
bool assembler_present(struct assembler *as);
/* Is it to be asked where bytes are given, too? */
bool assembler_compares(const struct assembler *as);
/* AT&T syntax, instructions separated by ';', of 16-, 32- or 64-bit code. The length of the code, or -1 with as's message. */
MUST_CHECK int assemble_text(struct assembler *as, const char *text, unsigned bits, u8 code[ASSEMBLE_MAX], char *err,
                             size_t size);

#endif
