/* FXSAVE and FXRSTOR. SDM 1 10.5 (FXSAVE and FXRSTOR Instructions); SDM 2 FXSAVE, FXRSTOR.
 *
 *   0 FCW   2 FSW   4 abridged tags   6 FOP   8 FIP (32 bits, FCS at 12; REX.W: 64)   16 FDP (FDS at 20)
 *  24 MXCSR   28 MXCSR_MASK   32 + 16n ST(n), from the top   160 + 16n XMMn   416 reserved, then software's
 */
#include "cpu/check.h"
#include "cpu/handler.h"
#include "cpu/simd_state.h"
#include "cpu/x87.h"

enum { FX_FOP = 6, FX_MXCSR = 24, FX_ST = 32, FX_XMM = 160 };
#define FSW_ES_B (FSW_ES | FSW_B)

void fxsave_x87(const struct cpu *cpu, u8 img[FXSAVE_X87], bool wide) {
  const struct x87 *x = &cpu->x87;
  memset(img, 0, FXSAVE_X87);
  st16(img, x->fcw);
  st16(img + 2, (u16)((x->fsw & ~FSW_TOP) | (unsigned)x->top << 11));
  img[4] = (u8)~x->empty;
  st16(img + 6, x->fop);
  if (wide) {
    st64(img + 8, x->fip);
    st64(img + 16, x->fdp);
  } else {
    st32(img + 8, (u32)x->fip);
    st16(img + 12, x87_fcs(cpu));
    st32(img + 16, (u32)x->fdp);
    st16(img + 20, x87_fds(cpu));
  }
  for (unsigned n = 0; n < 8; n++) {
    unsigned r = (x->top + n) & 7;
    st64(img + FX_ST + 16 * n, x->st[r].m);
    st16(img + FX_ST + 16 * n + 8, x->st[r].se);
  }
}

unsigned fxsave_image(const struct cpu *cpu, u8 img[FXSAVE_WRITTEN], bool wide, unsigned xmms) {
  fxsave_x87(cpu, img, wide);
  if (!xmms) return FX_XMM;
  st32(img + FX_MXCSR, simd_mxcsr(cpu));
  st32(img + FX_MXCSR + 4, simd_mxcsr_mask(cpu));
  for (unsigned n = 0; n < xmms; n++) memcpy(img + FX_XMM + 16 * n, &cpu->vec[n], 16);
  return FX_XMM + 16 * xmms;
}

void fxrstor_x87(struct cpu *cpu, const u8 img[FXSAVE_X87], bool wide) {
  struct x87 *x = &cpu->x87;
  /* Reserved bits of FCW do not stick, and ES and B follow from flags and masks (measured on family 6
   * model 167). */
  x->fcw = (ld16(img) & 0x1f3f) | 0x40;
  u16 fsw = ld16(img + 2);
  x->top = fsw >> 11 & 7;
  fsw &= (u16)~(FSW_TOP | FSW_ES_B);
  x->fsw = fsw & ~x->fcw & 0x3f ? fsw | FSW_ES_B : fsw;
  x->empty = (u8)~img[4];
  x->fop = ld16(img + 6) & 0x7ff;
  /* FIP has the width of linear addresses, unlike FDP (measured likewise). */
  x->fip = wide ? (u64)sext(ld64(img + 8), model_canonical_bits(cpu->model)) : ld32(img + 8);
  x->fdp = wide ? ld64(img + 16) : ld32(img + 16);
  x->fcs = wide ? 0 : ld16(img + 12);
  x->fds = wide ? 0 : ld16(img + 20);
  for (unsigned n = 0; n < 8; n++) {
    unsigned r = (x->top + n) & 7;
    x->st[r].m = ld64(img + FX_ST + 16 * n);
    x->st[r].se = ld16(img + FX_ST + 16 * n + 8);
  }
}

int fxrstor_image(struct cpu *cpu, const u8 img[FXSAVE_WRITTEN], bool wide, unsigned xmms) {
  u32 mxcsr = ld32(img + FX_MXCSR);
  if (xmms && mxcsr & ~simd_mxcsr_mask(cpu)) return -1;
  fxrstor_x87(cpu, img, wide);
  if (!xmms) return 0;
  simd_set_mxcsr(cpu, mxcsr);
  for (unsigned n = 0; n < xmms; n++) memcpy(&cpu->vec[n], img + FX_XMM + 16 * n, 16);
  return 0;
}

bool fx_pointers_left_out(const struct cpu *cpu) {
  return !model_does(cpu->model, RULE_FX_POINTERS_ALWAYS) && !(cpu->x87.fsw & FSW_ES);
}

void fx_keep_pointers(struct x87 *to, const struct x87 *from) {
  to->fop = from->fop;
  to->fip = from->fip;
  to->fdp = from->fdp;
  to->fcs = from->fcs;
  to->fds = from->fds;
}

/* Without CR4.OSFXSR neither MXCSR nor XMM registers take part. */
static unsigned xmm_count(const struct cpu *cpu) {
  if (!(cpu->cr4 & CR4_OSFXSR)) return 0;
  return (cpu->mode & MODE_CODE_MASK) == MODE_CODE64 ? 16 : 8;
}

/* The operand's linear address. Not on a 16-byte boundary: #GP(0), or with alignment checks #AC(0) if not even on a 4-byte
 * one. That comes behind what a read would raise and before what a write does; a page fault is looked for at the last
 * byte first (all measured on Intel Xeon). */
static u64 fx_operand(struct cpu *cpu, const struct insn *i, enum access acc) {
  u64 la = ea_linear(cpu, i, FXSAVE_BYTES, ACC_READ);
  if (cpu->mode & MODE_ALIGN) require_ab(cpu, CHK_ALIGNMENT, !(la & 3), 0, la, 4);
  require_ab(cpu, CHK_ALIGNED_OPERAND, !(la & 15), 0, la, 16);
  la = ea_linear(cpu, i, FXSAVE_BYTES, acc);
  mem_probe(cpu, (la + FXSAVE_BYTES - 1) & cpu->lamask, 1, acc);
  mem_probe(cpu, la, FXSAVE_BYTES, acc);
  return la;
}

static NOINLINE void save(struct cpu *cpu, const struct insn *i) {
  u8 img[FXSAVE_WRITTEN];
  u64 la = fx_operand(cpu, i, ACC_WRITE);
  x87_leave(cpu);
  unsigned n = fxsave_image(cpu, img, insn_osize(i) == W64, xmm_count(cpu));
  if (fx_pointers_left_out(cpu)) /* memory keeps what it has there */
    mem_read_bytes(cpu, (la + FX_FOP) & cpu->lamask, img + FX_FOP, FX_MXCSR - FX_FOP);
  else st16(img + FX_FOP, x87_last_opcode(cpu));
  mem_write_bytes(cpu, la, img, n);
}

static NOINLINE void restore(struct cpu *cpu, const struct insn *i) {
  u8 img[FXSAVE_WRITTEN];
  mem_read_bytes(cpu, fx_operand(cpu, i, ACC_READ), img, sizeof img);
  x87_leave(cpu);
  struct x87 before = cpu->x87;
  /* A reserved bit of MXCSR set: #GP(0) */
  bool sound = !fxrstor_image(cpu, img, insn_osize(i) == W64, xmm_count(cpu));
  require_ab(cpu, CHK_MXCSR_RESERVED, sound, 0, ld32(img + FX_MXCSR), 0);
  if (fx_pointers_left_out(cpu)) fx_keep_pointers(&cpu->x87, &before);
}

static const struct insn *h_fxsave(struct cpu *restrict cpu, const struct insn *restrict i) {
  save(cpu, i);
  NEXT(cpu, i, FORM_X);
}

static const struct insn *h_fxrstor(struct cpu *restrict cpu, const struct insn *restrict i) {
  restore(cpu, i);
  NEXT(cpu, i, FORM_X);
}
BODY_1(fxsave, h_fxsave)
BODY_1(fxrstor, h_fxrstor)
