/* Decimal adjustment: DAA DAS AAA AAS AAM AAD, outside 64-bit mode. SDM 1 7.3.3 (Decimal Arithmetic
 * Instructions). Flags that the manual leaves undefined are as measured on Intel Xeon: OF clear, SF ZF PF
 * as of the final AL (AAD: as of the addition). */
#include "cpu/check.h"
#include "cpu/handler.h"

static bool low_digit_over(const struct cpu *cpu, u8 al) { return (al & 15) > 9 || (cpu->hf & HF_AF); }

/* AL = r, with its flags. */
static void set_al(struct cpu *cpu, u8 r, bool cf, bool af) {
  cpu->hf = hf_make(r, 8, cf, af, false);
  reg_set(cpu, RAX, r, W8);
}

static const struct insn *h_daa(struct cpu *restrict cpu, const struct insn *restrict i) {
  u8 old = (u8)cpu->gpr[RAX], al = old;
  bool af = low_digit_over(cpu, old), cf = old > 0x99 || (cpu->hf & HF_CF);
  if (af) al = (u8)(al + 0x06);
  if (cf) al = (u8)(al + 0x60);
  set_al(cpu, al, cf, af);
  GO(cpu, i + 1);
}
BODY_1(daa, h_daa)

static const struct insn *h_das(struct cpu *restrict cpu, const struct insn *restrict i) {
  u8 old = (u8)cpu->gpr[RAX], al = old;
  bool af = low_digit_over(cpu, old), high = old > 0x99 || (cpu->hf & HF_CF);
  bool cf = high || (af && old < 6);
  if (af) al = (u8)(al - 0x06);
  if (high) al = (u8)(al - 0x60);
  set_al(cpu, al, cf, af);
  GO(cpu, i + 1);
}
BODY_1(das, h_das)

/* AAA adds to the whole of AX (as the 80286 and later do), AAS subtracts from it. */
static void adjust_ascii(struct cpu *cpu, unsigned step) {
  u16 ax = (u16)cpu->gpr[RAX];
  bool over = low_digit_over(cpu, (u8)ax);
  if (over) ax = (u16)(ax + step);
  reg_set(cpu, RAX, ax, W16);
  set_al(cpu, ax & 15, over, over);
}

static const struct insn *h_aaa(struct cpu *restrict cpu, const struct insn *restrict i) {
  adjust_ascii(cpu, 0x106);
  GO(cpu, i + 1);
}
BODY_1(aaa, h_aaa)

static const struct insn *h_aas(struct cpu *restrict cpu, const struct insn *restrict i) {
  adjust_ascii(cpu, 0u - 0x106);
  GO(cpu, i + 1);
}
BODY_1(aas, h_aas)

ALWAYS_INLINE void adjust_by(struct cpu *cpu, u8 base) {
  u8 al = (u8)cpu->gpr[RAX];
  reg_set(cpu, RAX, (u64)(al / base) << 8, W16);
  set_al(cpu, al % base, false, false);
}

/* SDM 2A AAM: #DE when the immediate is zero; one that is not is recorded for listeners. */
NOINLINE static const struct insn *aam_judged(struct cpu *restrict cpu, const struct insn *restrict i) {
  u8 base = (u8)i->imm;
  cpu->insn = i;
  require_ab(cpu, CHK_DIVISOR_ZERO, base, 0, base, 0);
  if (!base) return cpu_leave(cpu, i); /* inverted */
  adjust_by(cpu, base);
  NEXT(cpu, i, FORM_X);
}

static const struct insn *h_aam(struct cpu *restrict cpu, const struct insn *restrict i) {
  if (unlikely(!(u8)i->imm) || rec_on(cpu)) return aam_judged(cpu, i);
  adjust_by(cpu, (u8)i->imm);
  GO(cpu, i + 1);
}
BODY_1(aam_I, h_aam)

static const struct insn *h_aad(struct cpu *restrict cpu, const struct insn *restrict i) {
  u16 ax = (u16)cpu->gpr[RAX], hf;
  u8 r = host_add8((u8)ax, (u8)((ax >> 8) * (u8)i->imm), &hf);
  reg_set(cpu, RAX, r, W16);
  cpu->hf = hf;
  GO(cpu, i + 1);
}
BODY_1(aad_I, h_aad)
