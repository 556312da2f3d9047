/* Who holds the guest's MXCSR, and the FXSAVE image. SDM 1 10.2.3 (MXCSR Control and Status Register),
 * 10.5 (FXSAVE and FXRSTOR Instructions).
 *
 * While cpu_run() runs guest code, the host's own MXCSR register holds the guest's control bits and
 * collects the guest's exception flags; its exceptions are all masked. So a handler executes the host's
 * instruction and has the guest's rounding, DAZ, FTZ and flags without a word of bookkeeping. What makes
 * that right:
 *   - between simd_enter() and simd_leave() no host code but the SSE handlers does SSE floating-point
 *     arithmetic. Hooks and host calls, which may, are called between simd_leave() and simd_enter();
 *   - a host signal handler starts with a MXCSR of its own; base/hostfault.c puts the interrupted one
 *     back before it jumps out;
 *   - flags are sticky: the guest's are cpu->mxcsr's ORed with the host register's, at any time;
 *   - when the guest unmasks an exception, cpu->simd_exact sends every floating-point handler to its
 *     exact form, which looks at the flags of that one operation before it writes anything.
 * After simd_leave() cpu->mxcsr is the guest's MXCSR and may be written freely; simd_enter() takes it up
 * again. */
#ifndef CPU_SIMD_STATE_H
#define CPU_SIMD_STATE_H

#include "cpu/cpu.h"

enum {
  MXCSR_IE = 1 << 0, MXCSR_DE = 1 << 1, MXCSR_ZE = 1 << 2,
  MXCSR_OE = 1 << 3, MXCSR_UE = 1 << 4, MXCSR_PE = 1 << 5,
  MXCSR_FLAGS = 0x3f,
  MXCSR_PRE = MXCSR_IE | MXCSR_DE | MXCSR_ZE, /* found before the computation */
  MXCSR_DAZ = 1 << 6,
  MXCSR_MASK_SHIFT = 7, /* from a flag to its mask */
  MXCSR_MASKS = 0x1f80,
  MXCSR_RC_SHIFT = 13, MXCSR_RC = 3 << 13,
  MXCSR_FTZ = 1 << 15,
  MXCSR_VALID = 0xffff, /* MXCSR_MASK; what the host's register may hold */
  MXCSR_MM = 1 << 17,   /* APM 2 MISALIGNSSE: operands of 16 bytes need no alignment, moves apart. Never in the host's */
  MXCSR_RESET = 0x1f80,
};

/* The bits that the processor has: MXCSR_MASK. */
static inline u32 simd_mxcsr_mask(const struct cpu *cpu) {
  return MXCSR_VALID | (model_has(cpu->model, FEAT_MISALIGNSSE) ? (u32)MXCSR_MM : 0);
}

/* Both do nothing when already done, so cpu_run() may call simd_enter() after an unwinding of unknown
 * depth. */
void simd_enter(struct cpu *cpu);
void simd_leave(struct cpu *cpu);

/* The guest's MXCSR, inside or outside; and to change it from inside or outside. v has no reserved bits. */
u32 simd_mxcsr(const struct cpu *cpu);
void simd_set_mxcsr(struct cpu *cpu, u32 v);

enum { FXSAVE_BYTES = 512, FXSAVE_WRITTEN = 416, FXSAVE_X87 = 160 };
/* The FXSAVE image: wide = the REX.W format with 64-bit pointers; xmms = how many XMM registers (0, 8,
 * 16), 0 leaving MXCSR out too. Returns how many bytes of img are valid. */
unsigned fxsave_image(const struct cpu *cpu, u8 img[FXSAVE_WRITTEN], bool wide, unsigned xmms);
/* Loads it. -1 and nothing changed when MXCSR has reserved bits (#GP(0)). */
MUST_CHECK int fxrstor_image(struct cpu *cpu, const u8 img[FXSAVE_WRITTEN], bool wide, unsigned xmms);
/* The x87's part alone. */
void fxsave_x87(const struct cpu *cpu, u8 img[FXSAVE_X87], bool wide);
void fxrstor_x87(struct cpu *cpu, const u8 img[FXSAVE_X87], bool wide);
/* Are opcode and pointers neither saved nor, now that FSW is loaded, restored? RULE_FX_POINTERS_ALWAYS */
bool fx_pointers_left_out(const struct cpu *cpu);
void fx_keep_pointers(struct x87 *to, const struct x87 *from);

#endif
