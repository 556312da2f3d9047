/* What the comparison of decoders speaks about: random encodings, what each decoder says of one, and the list
 * of disagreements that are decided. */
#ifndef TESTS_ENCODING_H
#define TESTS_ENCODING_H

#include <stdio.h>

#include "tests/native/case.h"

enum { BYTES = 24 }; /* more than any instruction has */

/* A place in the opcode maps. */
struct place {
  enum code_mode mode;
  enum opc_encoding enc;
  u8 map, opcode, pp; /* pp: VEX and EVEX 0 to 3; legacy 0, or 1 to 3 for 66 F3 F2 */
};

struct sample {
  struct place at;
  bool lock;
  u8 modrm, rex; /* rex: 0: none */
  u8 bytes[BYTES];
};
/* Random prefixes, ModRM and what follows, for one place. */
void sample_make(struct sample *s, const struct place *at, struct rng *r);

struct verdict {
  bool valid;
  unsigned len;
  char name[40], set[40]; /* mnemonic, and instruction set if it is known */
};

/* The two that are always asked, and this machine's processor. */
enum other { CAPSTONE, ZYDIS, OTHERS, HOST = OTHERS, EVERYBODY };
extern const char *const other_names[EVERYBODY];
/* -1: the library does not work. */
MUST_CHECK int others_open(void);
void others_close(void);
void other_decode(enum other who, const struct sample *s, struct verdict *out);

/* -1: this machine does not allow it. m: a model with its features. */
MUST_CHECK int host_open(struct cpu_model *m);
/* False: not to be tried. */
bool host_decode(const struct sample *s, const struct verdict *ours, struct verdict *out);

/* How the other decoder's verdict differs from ours. */
enum difference { SAME, THEY_VALID, THEY_INVALID, LENGTH, DIFFERENCES };
extern const char *const difference_names[DIFFERENCES];

struct dispute {
  enum other who;
  enum difference kind;
  const struct sample *s;
  const struct verdict *ours, *theirs;
  bool agreed; /* the other one of them says what we say */
  bool row;    /* the opcode table has a row at that place */
};

/* tests/encoding/judged. -1 and a line on stderr: cannot be read. */
MUST_CHECK int judged_read(const char *path);
/* Is it in the list? Counts the line as used. */
bool judged(const struct dispute *d);
/* Prints the lines that nothing used; returns how many there are. */
unsigned judged_unused(FILE *f);

#endif
