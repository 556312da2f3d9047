/* From instruction bytes to struct insn, by the rows of the opcode table. SDM 2A 2 (Instruction Format). */
#ifndef CPU_DECODE_H
#define CPU_DECODE_H

#include "cpu/insn.h"
#include "cpu/opcodes.h"

enum { INSN_MAX_BYTES = 15 };

enum decode_status {
  DECODE_OK,
  DECODE_MORE,     /* the instruction does not end within the bytes given */
  DECODE_INVALID,  /* #UD; insn->len holds the bytes looked at, refuse_note() the reason */
  DECODE_TOO_LONG, /* more than 15 bytes: #GP(0) */
};

/* The opcode table, indexed: built once a machine. NULL: out of memory. */
MUST_CHECK struct decoder *decoder_create(void);
void decoder_destroy(struct decoder *d);

/* Decodes one instruction of n bytes at most. rip is its offset in CS. Fills out (all but off, left, idx) and *row.
 * With *row's A_BRANCH, out->disp is the distance. Opcode, operand and mode rules apply; nothing of cpu is read. */
enum decode_status decode_insn(const struct decoder *d, const struct cpu_model *model, u32 mode, u64 rip,
                               const u8 *bytes, unsigned n, struct insn *out, const struct oprow **row);

#endif
