/* Questions about segments that answer in ZF and never fault on the selector: LAR LSL VERR VERW; and ARPL.
 * SDM 3A 5.10 (Pointer Validation); SDM 2A LAR, LSL, ARPL; SDM 2B VERR/VERW. */
#include "cpu/check.h"
#include "cpu/rare.h"
#include "cpu/seg.h"

static void set_zf(struct cpu *cpu, bool zf) { cpu->hf = (u16)((cpu->hf & ~HF_ZF) | (zf ? HF_ZF : 0)); }

/* Reads the descriptor if there is one; in long mode with the second half of a system descriptor. */
static bool find(struct cpu *cpu, u16 sel, struct desc *d) {
  if (!check_ab(cpu, CHK_ASK_NULL, !sel_is_null(sel), sel, 0)) return false;
  return check_ab(cpu, CHK_ASK_LIMIT, desc_read(cpu, sel, d), sel | 7u, table_limit(cpu, sel));
}

/* Types that LAR (gates too) and LSL know. SDM 2A LAR, Table 3-53; LSL, Table 3-56 */
static bool type_known(const struct cpu *cpu, const struct desc *d, bool gates) {
  const unsigned legacy = 1 << SYS_TSS16 | 1 << SYS_LDT | 1 << SYS_TSS16_BUSY | 1 << SYS_TSS32 |
                          1 << SYS_TSS32_BUSY,
                 legacy_gates = 1 << SYS_CALL16 | 1 << SYS_TASK_GATE | 1 << SYS_CALL32;
  const unsigned wide = 1 << SYS_LDT | 1 << SYS_TSS32 | 1 << SYS_TSS32_BUSY, wide_gates = 1 << SYS_CALL32;
  if (d->s.attr & SEG_S) return true;
  bool lm = cpu_long(cpu);
  unsigned known = lm ? wide | (gates ? wide_gates : 0u) : legacy | (gates ? legacy_gates : 0u);
  return known >> seg_type(&d->s) & 1;
}

/* The second half of a system descriptor, in long mode. */
static bool high_ok(struct cpu *cpu, u16 sel, struct desc *d) {
  if (!cpu_long(cpu) || (d->s.attr & SEG_S)) return true;
  return check_ab(cpu, CHK_ASK_HIGH_LIMIT, desc_read_high(cpu, d), (sel & 0xfff8u) + 15, table_limit(cpu, sel)) &&
         check_ab(cpu, CHK_ASK_HIGH_TYPE, !bits(d->hi, 44, 40), bits(d->hi, 44, 40), 0);
}

static bool visible(struct cpu *cpu, u16 sel, const struct desc *d) {
  bool open = seg_is_conforming(&d->s);
  u8 dpl = seg_dpl(&d->s), rpl = sel_rpl(sel);
  return check_ab(cpu, CHK_ASK_DPL, open || dpl >= cpu->cpl, dpl, cpu->cpl) &&
         check_ab(cpu, CHK_ASK_RPL, open || dpl >= rpl, dpl, rpl);
}

/* The answers, or -1. Out of line: a descriptor on the stack would cost the handlers their tail calls. */
NOINLINE static s64 access_rights(struct cpu *cpu, u16 sel) {
  struct desc d;
  bool ok = find(cpu, sel, &d) && check_ab(cpu, CHK_LAR_TYPE, type_known(cpu, &d, true), d.s.attr, 0) && high_ok(cpu, sel, &d) &&
            visible(cpu, sel, &d);
  return ok ? (s64)(d.lo >> 32 & 0x00ffff00) : -1;
}
NOINLINE static s64 segment_limit(struct cpu *cpu, u16 sel) {
  struct desc d;
  bool ok = find(cpu, sel, &d) && check_ab(cpu, CHK_LSL_TYPE, type_known(cpu, &d, false), d.s.attr, 0) && high_ok(cpu, sel, &d) &&
            visible(cpu, sel, &d);
  return ok ? (s64)d.s.limit : -1;
}
NOINLINE static bool may_access(struct cpu *cpu, u16 sel, bool write) {
  struct desc d;
  return find(cpu, sel, &d) &&
         check_ab(cpu, CHK_VERIFY_TYPE, write ? seg_is_writable(&d.s) : seg_is_readable(&d.s), d.s.attr, 0) &&
         visible(cpu, sel, &d);
}

INLINE_BODY ask(struct cpu *restrict cpu, const struct insn *restrict i, enum form form,
                s64 (*answer)(struct cpu *cpu, u16 sel)) {
  s64 v = answer(cpu, rm16_read(cpu, i, form, i->src));
  if (v >= 0) reg_set(cpu, i->dst, (u64)v, insn_osize(i));
  set_zf(cpu, v >= 0);
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(lar, ask, access_rights)
BODY_RARE(lsl, ask, segment_limit)

INLINE_BODY verify(struct cpu *restrict cpu, const struct insn *restrict i, enum form form, bool write) {
  set_zf(cpu, may_access(cpu, rm16_read(cpu, i, form, i->dst), write));
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(verr, verify, false)
BODY_RARE(verw, verify, true)

/* #UD in real and virtual-8086 mode; in 64-bit mode the opcode is MOVSXD. */
INLINE_BODY arpl(struct cpu *restrict cpu, const struct insn *restrict i, enum form form) {
  u64 la = 0;
  u16 dst, rpl = reg_get(cpu, i->src, W16) & SEL_RPL;
  cpu->insn = i;
  require_ab(cpu, CHK_OP_MODE, cpu_protected(cpu), 0, cpu->mode, 0);
  if (form == FORM_R) {
    dst = (u16)cpu->gpr[i->dst];
  } else {
    la = ea_linear(cpu, i, 2, ACC_READ);
    dst = mem_read16(cpu, la);
  }
  bool raise = (dst & SEL_RPL) < rpl;
  if (raise) {
    dst = (u16)((dst & ~SEL_RPL) | rpl);
    if (form == FORM_R) reg_set(cpu, i->dst, dst, W16);
    else mem_write16(cpu, ea_linear(cpu, i, 2, ACC_WRITE), dst);
  }
  set_zf(cpu, raise);
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(arpl, arpl)
