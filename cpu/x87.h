/* Who holds the guest's x87, and its state as others see it. SDM 1 8.1 (x87 FPU Execution Environment).
 *
 * While guest code uses the x87 with every exception masked, the host's x87 unit *is* the guest's:
 * registers, tags, TOP, status and control word. A handler executes the very instruction that the guest has,
 * so results, condition codes, stack faults and sticky flags are the silicon's own, at no cost. What makes
 * that right:
 *   - cpu->x87.live says that the state is there. st, fsw, top, empty, fdp and fds in struct x87 are then stale;
 *     fcw and the other pointers (fip, fcs, fop) are always in struct x87;
 *   - the first x87 instruction takes the state up. x87_leave() brings it back and leaves the host's x87 as
 *     the ABI wants it. Whoever reads or writes struct x87, or may run host code that uses long double,
 *     calls x87_leave() first: simd_leave() does it for hooks, host calls and the end of cpu_run(); FXSAVE,
 *     FXRSTOR and the MMX do it themselves. Other compiled C does not touch the x87 (x86-64 has SSE);
 *   - with an exception unmasked, or one waiting, the state stays in struct x87: each instruction goes to
 *     its X form, which loads the host's x87 with the guest's true control word, executes, and takes the
 *     state back by FNSAVE, before anything could report the exception to the host;
 *   - a host signal handler that jumps out of a handler puts the interrupted x87 back first
 *     (base/hostfault.c).
 *
 * FSW.ES and B always follow from flags and masks. FCW has no reserved bit set but bit 6. */
#ifndef CPU_X87_H
#define CPU_X87_H

#if !defined(__x86_64__)
#error "The x87 runs the host's own instructions: another host needs its own cpu/x87*.c"
#endif

#include "cpu/cpu.h"

enum {
  FSW_IE = 1 << 0, FSW_DE = 1 << 1, FSW_ZE = 1 << 2, FSW_OE = 1 << 3, FSW_UE = 1 << 4, FSW_PE = 1 << 5,
  FSW_FLAGS = 0x3f,
  FSW_SF = 1 << 6, FSW_ES = 1 << 7, FSW_B = 1 << 15,
  FSW_TOP_SHIFT = 11, FSW_TOP = 7 << 11,
  FCW_MASKS = 0x3f, FCW_VALID = 0x1f3f, FCW_FIXED = 0x40,
  FCW_INIT = 0x37f,
  FCW_RESET = 0x40,
};

/* Brings the state into struct x87. */
void x87_save(struct cpu *cpu);
static inline void x87_leave(struct cpu *cpu) {
  if (cpu->x87.live) x87_save(cpu);
}
/* ---- after x87_leave() ---- */

/* FNINIT. SDM 2A FINIT/FNINIT */
void x87_init(struct cpu *cpu);

/* The status word with TOP. ES and B are computed when it is set; set FCW first. */
static inline u16 x87_fsw(const struct cpu *cpu) {
  return (u16)(cpu->x87.fsw | (unsigned)cpu->x87.top << FSW_TOP_SHIFT);
}
void x87_set_fsw(struct cpu *cpu, u16 fsw);
/* Recomputes ES and B. */
void x87_set_fcw(struct cpu *cpu, u16 fcw);
void x87_settle(struct x87 *x);

/* The full tag word as FSTENV stores it, from the contents: two bits for each physical register. And the
 * reverse, which keeps only what is empty. SDM 1 8.1.7 (x87 FPU Tag Word) */
u16 x87_tags(const struct cpu *cpu);
void x87_set_tags(struct cpu *cpu, u16 tags);
/* The abridged form of FXSAVE: bit r set where physical register r is not empty. */
static inline u8 x87_abridged_tags(const struct cpu *cpu) { return (u8)~cpu->x87.empty; }
static inline void x87_set_abridged_tags(struct cpu *cpu, u8 tags) { cpu->x87.empty = (u8)~tags; }

/* An unmasked exception waits to be reported by the next waiting x87 or MMX instruction, and #MF is how:
 * without CR0.NE it would be the FERR# pin, which leads nowhere here, as if IGNNE# were asserted. SDM 1
 * D.2 (Software Exception Handling) */
static inline bool x87_waiting(const struct cpu *cpu) {
  return (cpu->x87.fsw & FSW_ES) && (cpu->cr0 & CR0_NE);
}

/* FOP as the model keeps it: of the last instruction with an unmasked exception, or of every one. cpu/x87_env.c */
u16 x87_last_opcode(struct cpu *cpu);

/* The selectors that FSTENV, FSAVE and FXSAVE store. SDM 1 8.1.8 (x87 FPU Instruction and Data (Operand)
 * Pointers) */
static inline u16 x87_fcs(const struct cpu *cpu) {
  return model_has(cpu->model, FEAT_ZERO_FCS_FDS) ? 0 : cpu->x87.fcs;
}
static inline u16 x87_fds(const struct cpu *cpu) {
  return model_has(cpu->model, FEAT_ZERO_FCS_FDS) ? 0 : cpu->x87.fds;
}

#endif
