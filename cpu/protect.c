/* Questions about segments that answer in ZF and never fault on the selector: LAR LSL VERR VERW; and ARPL.
 * SDM 3A 5.10 (Pointer Validation); SDM 2A LAR, LSL, ARPL; SDM 2B VERR/VERW. */
#include "cpu/check.h"
#include "cpu/rare.h"
#include "cpu/seg.h"

static void set_zf(struct cpu *cpu, bool zf) { cpu->hf = (u16)((cpu->hf & ~HF_ZF) | (zf ? HF_ZF : 0)); }

/* Reads the descriptor if there is one; in long mode with the second half of a system descriptor. */
static bool find(struct cpu *cpu, u16 sel, struct desc *d) {
  if (!check(cpu, CHK_ASK_NULL, !sel_is_null(sel))) return false;
  return check(cpu, CHK_ASK_LIMIT, desc_read(cpu, sel, d));
}

/* Types that LAR (gates too) and LSL know. SDM 2A LAR, Table 3-53; LSL, Table 3-56 */
static bool type_known(struct cpu *cpu, struct desc *d, bool gates) {
  const unsigned legacy = 1 << SYS_TSS16 | 1 << SYS_LDT | 1 << SYS_TSS16_BUSY | 1 << SYS_TSS32 |
                          1 << SYS_TSS32_BUSY,
                 legacy_gates = 1 << SYS_CALL16 | 1 << SYS_TASK_GATE | 1 << SYS_CALL32;
  const unsigned wide = 1 << SYS_LDT | 1 << SYS_TSS32 | 1 << SYS_TSS32_BUSY, wide_gates = 1 << SYS_CALL32;
  if (d->s.attr & SEG_S) return true;
  bool lm = cpu_long(cpu);
  unsigned known = lm ? wide | (gates ? wide_gates : 0u) : legacy | (gates ? legacy_gates : 0u);
  if (!(known >> seg_type(&d->s) & 1)) return false;
  return !lm || (desc_read_high(cpu, d) && !bits(d->hi, 44, 40));
}

static bool visible(const struct cpu *cpu, u16 sel, const struct desc *d) {
  u8 level = sel_rpl(sel) > cpu->cpl ? sel_rpl(sel) : cpu->cpl;
  return seg_is_conforming(&d->s) || seg_dpl(&d->s) >= level;
}

INLINE_BODY lar(struct cpu *restrict cpu, const struct insn *restrict i, enum form form) {
  struct desc d;
  u16 sel = rm16_read(cpu, i, form, i->src);
  bool ok = find(cpu, sel, &d) && check(cpu, CHK_LAR_TYPE, type_known(cpu, &d, true)) &&
            check(cpu, CHK_ASK_DPL, visible(cpu, sel, &d));
  if (ok) reg_set(cpu, i->dst, d.lo >> 32 & 0x00ffff00, insn_osize(i));
  set_zf(cpu, ok);
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(lar, lar)

INLINE_BODY lsl(struct cpu *restrict cpu, const struct insn *restrict i, enum form form) {
  struct desc d;
  u16 sel = rm16_read(cpu, i, form, i->src);
  bool ok = find(cpu, sel, &d) && check(cpu, CHK_LSL_TYPE, type_known(cpu, &d, false)) &&
            check(cpu, CHK_ASK_DPL, visible(cpu, sel, &d));
  if (ok) reg_set(cpu, i->dst, d.s.limit, insn_osize(i));
  set_zf(cpu, ok);
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(lsl, lsl)

INLINE_BODY verify(struct cpu *restrict cpu, const struct insn *restrict i, enum form form, bool write) {
  struct desc d;
  u16 sel = rm16_read(cpu, i, form, i->dst);
  bool ok = find(cpu, sel, &d) && check(cpu, CHK_VERIFY_TYPE, write ? seg_is_writable(&d.s) : seg_is_readable(&d.s)) &&
            check(cpu, CHK_ASK_DPL, visible(cpu, sel, &d));
  set_zf(cpu, ok);
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(verr, verify, false)
BODY_RARE(verw, verify, true)

/* #UD in real and virtual-8086 mode; in 64-bit mode the opcode is MOVSXD. */
INLINE_BODY arpl(struct cpu *restrict cpu, const struct insn *restrict i, enum form form) {
  u64 la = 0;
  u16 dst, rpl = reg_get(cpu, i->src, W16) & SEL_RPL;
  if (!cpu_protected(cpu)) return raise_ud(cpu, i);
  cpu->insn = i;
  if (form == FORM_R) {
    dst = (u16)cpu->gpr[i->dst];
  } else {
    la = ea_linear(cpu, i, 2, ACC_WRITE);
    mem_probe(cpu, la, 2, ACC_WRITE);
    dst = mem_read16(cpu, la);
  }
  bool raise = (dst & SEL_RPL) < rpl;
  if (raise) {
    dst = (u16)((dst & ~SEL_RPL) | rpl);
    if (form == FORM_R) reg_set(cpu, i->dst, dst, W16);
    else mem_write16(cpu, la, dst);
  }
  set_zf(cpu, raise);
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(arpl, arpl)
