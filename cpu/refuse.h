/* Opcodes that the decoder refuses: the reason, kept in the instruction for the recorder. SDM 3A 6.15 (Interrupt 6:
 * Invalid Opcode Exception (#UD)). */
#ifndef CPU_REFUSE_H
#define CPU_REFUSE_H

#include "cpu/insn.h"

/* In the order in which they are judged. */
enum refusal {
  REFUSE_NOT,
  REFUSE_UNKNOWN,     /* no such opcode */
  REFUSE_UD,          /* UD0, UD1, UD2 */
  REFUSE_MODE,
  REFUSE_FEATURE,     /* the model does not have it */
  REFUSE_MEMORY,      /* a register where memory must be */
  REFUSE_REGISTER,
  REFUSE_FIELD,       /* a field of the VEX or EVEX prefix that must be something else */
  REFUSE_LOCK,
  REFUSE_LOCK_MEMORY, /* LOCK with a register as destination */
  REFUSE_EM,          /* CR0.EM, of MMX and SSE */
  REFUSE_OSFXSR,
  REFUSE_XCR0,        /* VEX or EVEX state that CR4.OSXSAVE and XCR0 do not enable */
  REFUSE_TS,          /* the last two are #NM */
  REFUSE_X87,         /* CR0.EM or CR0.TS, of the x87 */
};

/* What was refused, in fields of the instruction that nothing else needs then; the decoder adds ModRM (base), and
 * whether there is one (index). sse, vex: how the opcode is encoded. */
static inline void refuse_note(struct insn *o, enum refusal why, unsigned map, u8 opcode, int feature, bool sse, bool vex) {
  static const u32 escape[4] = {0, 0x0f00, 0x0f3800, 0x0f3a00};
  o->src = (u8)why;
  o->scale = vex;
  o->dst = sse;
  o->imm = escape[map & 3] | opcode;
  o->disp = feature;
}

/* #UD or #NM: as refuse_note() says. Also the body of UD0, UD1 and UD2. */
handler_fn raise_refused;
/* #GP(0) of an instruction that is cut by CS's limit (insn->src) or has more than 15 bytes. */
handler_fn raise_cut;
/* #NM of WAIT. */
handler_fn raise_wait;

#endif
