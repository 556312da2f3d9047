/* How a VEX or EVEX instruction lies in struct insn: what its registers, fields and address are kept in.
 *
 *   dst   register of the first operand
 *   src   register of the r/m operand, or, where that is the first, of ModRM.reg
 *   disp  the other fields: vex_fields()
 *   imm   the displacement, with RIP where the address is relative to it; address: base + index * scale + imm
 *   seg   SEG_REG when the r/m operand is a register; base is then the segment of an implicit operand (VMASKMOVDQU)
 *
 * Forms: R and M (flat memory, 32- or 64-bit addresses) without opmask, broadcast or embedded rounding; X is everything.
 * Handlers by length: body->widths is 3 (128, 256, 512 bits), 4 (by operand size: general registers) or 1. */
#ifndef CPU_VEX_INSN_H
#define CPU_VEX_INSN_H

#include "cpu/insn.h"

static inline s32 vex_fields(unsigned imm, unsigned vvvv, unsigned aaa, bool z, bool b, unsigned rc, unsigned vl) {
  return (s32)(imm | vvvv << 8 | aaa << 16 | (unsigned)z << 19 | (unsigned)b << 20 | rc << 21 | vl << 24);
}
static inline unsigned vex_imm(const struct insn *i) { return (u8)i->disp; }
static inline unsigned vex_vvvv(const struct insn *i) { return (u8)((unsigned)i->disp >> 8); }
/* Number of the opmask register, 0: every element. */
static inline unsigned vex_aaa(const struct insn *i) { return (unsigned)i->disp >> 16 & 7; }
/* Elements that are not selected become zero. */
static inline bool vex_z(const struct insn *i) { return i->disp >> 19 & 1; }
/* EVEX.b: memory is one element; registers: no exceptions, and with A_RC rounding by vex_rc() */
static inline bool vex_b(const struct insn *i) { return i->disp >> 20 & 1; }
static inline unsigned vex_rc(const struct insn *i) { return (unsigned)i->disp >> 21 & 3; }
/* 0, 1, 2: 128, 256, 512 bits. */
static inline unsigned vex_vl(const struct insn *i) { return (unsigned)i->disp >> 24 & 3; }
/* The register of an is4 operand (L). Outside 64-bit mode its highest bit is ignored. */
static inline unsigned vex_is4(const struct cpu *cpu, const struct insn *i) {
  return vex_imm(i) >> 4 & ((cpu->mode & MODE_CODE_MASK) == MODE_CODE64 ? 15 : 7);
}

#endif
