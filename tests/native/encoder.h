/* From a row of the opcode table and choices for its operands to instruction bytes: the decoder's inverse,
 * written independently of it. SDM 2A 2 (Instruction Format), 2.2 (IA-32e Mode); cpu/opcodes.h. */
#ifndef TESTS_NATIVE_ENCODER_H
#define TESTS_NATIVE_ENCODER_H

#include "tests/native/case.h"

/* One operand of a row: the manual's letter ('F': a fixed register or constant; '1' '2' '3': KG KV KM), and its
 * size letter or 0. */
struct operand {
  char letter, size, size2;
};
enum { MAX_OPERANDS = 4 };
unsigned operands_of(const struct oprow *row, struct operand out[MAX_OPERANDS]);
/* The first operand with one of the letters; -1: none. */
int operand_find(const struct oprow *row, const char *letters);

/* Sizes in bytes by mode and prefixes. SDM 1 3.6 (Operand-Size and Address-Size Attributes) */
unsigned operand_size(const struct oprow *row, enum code_mode mode, bool p66, bool rexw);
unsigned address_size(enum code_mode mode, bool p67);
/* Bytes at the row's memory operand; its immediates' (0: none). */
unsigned memory_size(const struct oprow *row, unsigned osize);
unsigned immediate_size(const struct oprow *row, unsigned which, unsigned osize, unsigned asize);

/* Can ModRM.rm of this row be a register; memory? */
bool row_takes_register(const struct oprow *row);
bool row_takes_memory(const struct oprow *row);

/* Fills e->bytes and e->n. False: longer than 15 bytes. */
MUST_CHECK bool encode(const struct oprow *row, struct encoding *e);
/* The steps that VEX and EVEX share with the rest. */
void encode_put(struct encoding *e, u64 v, unsigned n);
u8 encode_segment(const struct encoding *e); /* the prefix; 0: none */
void encode_modrm(const struct oprow *row, struct encoding *e, unsigned asize);
void encode_immediates(const struct oprow *row, struct encoding *e, unsigned osize, unsigned asize);

/* Rows with a VEX or EVEX prefix: tests/native/vex_encoder.c */
MUST_CHECK bool encode_vex(const struct oprow *row, struct encoding *e);
/* Bytes at the memory operand, as disp8 counts; and as they may be accessed. */
unsigned vex_access_size(const struct oprow *row, const struct encoding *e);
unsigned vex_memory_size(const struct oprow *row, const struct encoding *e);

#endif
