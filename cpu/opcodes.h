/* What a row of the opcode table means. The rows are in cpu/opcodes*.def, in the manual's operand letters
 * (SDM 2D A.2 (Key to Abbreviations)); decoder, listings, coverage and tests all read them.
 *
 *   ROW(body, map, opcode, prefix, modrm, "operands", modes, attrs, modified, undefined, feature, "NAME", "cite")
 *
 * body      the const struct body body_NAME of an instruction file: a row without one fails the link
 * map       0: one byte   1: 0F   2: 0F 38   3: 0F 3A
 * prefix    P_ANY: 66 is the operand size, F2/F3 are REP or ignored
 *           P_NP: none of 66 F2 F3   P_66, P_F3, P_F2: mandatory   P_NOREP: not F2 or F3; 66 is the operand size
 *           P_W3: F3 with 66 ignored/allowed as operand size (POPCNT style)   P_W2: F2 likewise
 * modrm     X_NONE, X_ANY, X_REG (mod = 3), X_MEM (mod != 3), X_G(n) (reg field), X_GR(n), X_GM(n), X_GRM(n, rm)
 * operands  "Ev,Gv": E r/m, G reg, M memory, I immediate, J branch distance, O moffs, Z opcode's low three bits,
 *           S sreg, C CRn, D DRn, V xmm reg, W xmm r/m, U xmm rm (mod 3), P mmx reg, Q mmx r/m, N mmx rm (mod 3),
 *           R GPR rm, A far pointer, X/Y string operands, AL CL DX rAX eAX: fixed registers, 1: constant.
 *           sizes: b w d q v (operand size) z (16 or 32) y (32 or 64) x (128) others are text only.
 *           The first operand's register goes to insn->dst, the second's to insn->src; an immediate to insn->imm.
 *           A fixed GPR is put in dst or src by its place as well.
 * modes     ALL NO64 ONLY64 NOREAL (#UD in real and virtual-8086 mode)
 * attrs     A_* below
 * modified, undefined   arithmetic flags: letters of "OSZAPC", for tests and listings
 * feature   CPUID feature, without FEAT_; NONE for the base set
 *
 *   VEX(body, map, opcode, prefix, modrm, "operands", vl, w, attrs, modified, undefined, feature, "NAME", "cite")
 *   EVEX(the same, with esize after w)
 *
 * operands  besides V W U M: H the vector register in vvvv, B the GPR there, L that in an immediate's high half; opmasks
 *           KG (ModRM.reg), KV (vvvv), KM (r/m). sizes: x the vector, h f e its half, quarter, eighth; o 16 and
 *           u 32 bytes; b w d q of memory or of a scalar; m: q of 128 bits, else x. An EVEX disp8 is multiplied by the
 *           bytes of memory that this says. Where the r/m operand is, insn->src says its register, or dst if it is the
 *           first operand; cpu/vex.h says where the rest is.
 * vl, w     L_*, W_*
 */
#ifndef CPU_OPCODES_H
#define CPU_OPCODES_H

#include "cpu/insn.h"

enum opc_prefix { P_ANY, P_NP, P_66, P_F3, P_F2, P_NOREP, P_W3, P_W2 };
enum opc_modes { ALL, NO64, ONLY64, NOREAL };

#define X_NONE 0u
#define X_ANY 1u
#define X_REG (1u | 2u)
#define X_MEM (1u | 4u)
#define X_G(n) (1u | 8u | (unsigned)(n) << 4)
#define X_GR(n) (X_G(n) | 2u)
#define X_GM(n) (X_G(n) | 4u)
#define X_GRM(n, rm) (X_GR(n) | 0x80u | (unsigned)(rm) << 8)

enum opc_attrs {
  A_0 = 0,
  A_END = 1 << 0,    /* ends a block */
  A_LOCK = 1 << 1,   /* LOCK allowed with a memory destination */
  A_D64 = 1 << 2,    /* operand size is 64 by default in 64-bit mode (66: 16) */
  A_F64 = 1 << 3,    /* operand size is 64 in 64-bit mode whatever the prefixes */
  A_WV = 1 << 4,     /* width by operand size, not by the first operand */
  A_STACK = 1 << 5,  /* uses the stack: form X unless SS is flat and 32- or 64-bit */
  A_STR = 1 << 6,    /* string instruction: form X when repeated, or with non-default segment or address size */
  A_NOSEG = 1 << 7,  /* LEA: the operand's address only */
  A_X87 = 1 << 8,    /* #NM with CR0.TS or EM */
  A_MMX = 1 << 9,    /* #UD with CR0.EM, #NM with CR0.TS */
  A_SSE = 1 << 10,   /* #UD with CR0.EM or without CR4.OSFXSR, #NM with CR0.TS */
  A_CPL0 = 1 << 11,  /* listing: privileged (the body checks) */
  A_ZREG = 1 << 12,  /* the row covers eight opcodes: register in the low three bits */
  A_REPOK = 1 << 13, /* listing: REP prefixes act */
  A_WAIT = 1 << 14,  /* #NM with CR0.TS and CR0.MP (WAIT) */
  A_BRANCH = 1 << 15, /* direct near branch: disp = distance, link slot in the insn */
  A_FX = 1 << 16,    /* FXSAVE, FXRSTOR: CR0.EM by RULE_FX_EM_UD */
  A_AVX = 1 << 18,   /* #UD by MODE_AVX_OFF, #NM with CR0.TS */
  A_AVX512 = 1 << 19, /* likewise by MODE_AVX512_OFF */
  A_K = 1 << 20,     /* EVEX: an opmask may select elements; the others are kept, */
  A_KZ = 1 << 21,    /* or zeroed */
  A_KREQ = 1 << 22,  /* it must (not k0): gathers, scatters */
  A_BC = 1 << 23,    /* EVEX.b with memory: one element of esize bytes, broadcast */
  A_RC = 1 << 24,    /* EVEX.b with registers: embedded rounding */
  A_SAE = 1 << 25,   /* or only no exceptions */
  A_VSIB = 1 << 26,  /* the index is a vector register */
  A_P6 = 1 << 27,    /* from the P6 on: RULE_P6_OPCODES */
  A_CRN = 1 << 17,   /* MOV CRn: with FEAT_CR8_LEGACY, LOCK makes CR0 CR8 */
};

enum opc_encoding { ENC_LEGACY, ENC_VEX, ENC_EVEX, ENCODINGS };
/* The lengths that a VEX or EVEX row takes. */
enum opc_length { L_128 = 1, L_256 = 2, L_512 = 4, L_0 = L_128, L_1 = L_256, L_AVX = L_128 | L_256, L_ALL = L_AVX | L_512, L_IG = 15 };
enum opc_w { W_IG, W_0, W_1 };

struct oprow {
  const struct body *body;
  const struct wide *wide; /* cpu/wide.h, or NULL */
  u8 map, opcode, prefix, modes;
  u8 enc, vl, w; /* enum opc_encoding, opc_length, opc_w */
  u8 esize;      /* EVEX: bytes of an element, as masks and broadcasts count them */
  u16 modrm;
  u32 attrs;
  const char *operands, *modified, *undefined, *name, *cite;
  s16 feature; /* enum feature, -1: none */
};

/* All rows, in table order. */
extern const struct oprow opcode_rows[];
extern const unsigned opcode_row_count;

/* Opcodes of features whose instructions have no rows, so that #UD can name the feature. Columns as above. */
struct absent_row {
  u8 map, first, last, prefix;
  u16 modrm;
  s16 feature;
};
extern const struct absent_row absent_rows[];
extern const unsigned absent_row_count;

#endif
