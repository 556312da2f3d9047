/* Instructions that move segment registers: MOV, PUSH, POP, LDS LES LFS LGS LSS.
 * SDM 2B MOV, PUSH, POP; SDM 2A LDS/LES/LFS/LGS/LSS; SDM 3A 6.8.3 (Masking Exceptions and Interrupts When
 * Switching Stacks). */
#include "cpu/check.h"
#include "cpu/frame.h"
#include "cpu/rare.h"

/* After MOV SS and POP SS: nothing comes between them and the next instruction, unless they are that
 * instruction. */
static void hold_off_events(struct cpu *cpu) {
  bool second = (cpu->mode & MODE_STEP) && (cpu->inhibit_before & INHIBIT_DEBUG);
  if (second) return;
  cpu->inhibit |= INHIBIT_INT | INHIBIT_DEBUG;
  cpu->leave = 1;
}

INLINE_BODY mov_S_E(struct cpu *restrict cpu, const struct insn *restrict i, enum form form) {
  enum sreg r = (enum sreg)i->dst;
  cpu->insn = i;
  require_ab(cpu, CHK_SREG_EXISTS, r < SREG_COUNT, 0, r, 0);
  require_ab(cpu, CHK_SREG_CS, r != CS, 0, r, 0);
  if (r >= SREG_COUNT) return cpu_leave(cpu, i); /* inverted */
  seg_load(cpu, r, rm16_read(cpu, i, form, i->src));
  if (r == SS) hold_off_events(cpu);
  seg_loaded(cpu);
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(mov_S_E, mov_S_E)

/* Zero-extended in a 32- or 64-bit register. */
INLINE_BODY mov_E_S(struct cpu *restrict cpu, const struct insn *restrict i, enum form form) {
  cpu->insn = i;
  require_ab(cpu, CHK_SREG_EXISTS, i->src < SREG_COUNT, 0, i->src, 0);
  if (i->src >= SREG_COUNT) return cpu_leave(cpu, i); /* inverted */
  rm16_write(cpu, i, form, cpu->seg[i->src].sel);
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(mov_E_S, mov_E_S)

INLINE_BODY push_S(struct cpu *restrict cpu, const struct insn *restrict i, enum sreg r) {
  unsigned n = WIDTH_BYTES(insn_osize(i)), written = n;
  if (n == 4 && model_does(cpu->model, RULE_PUSH_SREG_16)) written = 2;
  u64 at = (cpu->gpr[RSP] - n) & cpu->spmask;
  cpu->insn = i;
  mem_write(cpu, mem_linear(cpu, SS, at, written, ACC_WRITE), cpu->seg[r].sel, written);
  stack_drop(cpu, -(u64)n);
  NEXT(cpu, i, FORM_X);
}

INLINE_BODY pop_S(struct cpu *restrict cpu, const struct insn *restrict i, enum sreg r) {
  unsigned n = WIDTH_BYTES(insn_osize(i));
  u64 mask = cpu->spmask, sp = cpu->gpr[RSP];
  cpu->insn = i;
  seg_load(cpu, r, (u16)stack_peek(cpu, WORD_OTHER, 0, 2)); /* no more of the slot, as on silicon */
  if (mask == 0xffffffff) sp = (u32)sp;
  cpu->gpr[RSP] = (sp & ~mask) | ((sp + n) & mask); /* by the old SS */
  if (r == SS) hold_off_events(cpu);
  seg_loaded(cpu);
  NEXT(cpu, i, FORM_X);
}

INLINE_BODY load_far(struct cpu *restrict cpu, const struct insn *restrict i, enum sreg r) {
  struct far_ptr p = far_ptr_read(cpu, i);
  seg_load(cpu, r, p.sel);
  reg_set(cpu, i->dst, p.off, p.bytes == 2 ? W16 : p.bytes == 4 ? W32 : W64);
  seg_loaded(cpu);
  NEXT(cpu, i, FORM_X);
}

#define SREG_BODY(name, inl, r)                                                                            \
  static const struct insn *h_##name(struct cpu *restrict cpu, const struct insn *restrict i) {            \
    return inl(cpu, i, r);                                                                                 \
  }                                                                                                        \
  BODY_1(name, h_##name)
SREG_BODY(push_ES, push_S, ES)
SREG_BODY(push_CS, push_S, CS)
SREG_BODY(push_SS, push_S, SS)
SREG_BODY(push_DS, push_S, DS)
SREG_BODY(push_FS, push_S, FS)
SREG_BODY(push_GS, push_S, GS)
SREG_BODY(pop_ES, pop_S, ES)
SREG_BODY(pop_SS, pop_S, SS)
SREG_BODY(pop_DS, pop_S, DS)
SREG_BODY(pop_FS, pop_S, FS)
SREG_BODY(pop_GS, pop_S, GS)
SREG_BODY(les, load_far, ES)
SREG_BODY(lds, load_far, DS)
SREG_BODY(lss, load_far, SS)
SREG_BODY(lfs, load_far, FS)
SREG_BODY(lgs, load_far, GS)
