/* The XSAVE area: the processor's extended state as an image in memory. SDM 1 13 (Managing State Using the XSAVE Feature
 * Set).
 *
 *   0 x87 (24 MXCSR, 28 MXCSR_MASK)   160 + 16n XMMn   416 software's   512 header: XSTATE_BV, XCOMP_BV, zeros
 *   576 components 2 and up: at the model's offsets, or packed (XCOMP_BV[63])
 */
#ifndef CPU_XSAVE_H
#define CPU_XSAVE_H

#include "cpu/cpu.h"

enum { XAREA_HEADER = 512, XAREA_XCOMP = 520, XAREA_EXTENDED = 576, XAREA_PIECES = 12 };
#define XCOMP_COMPACT BIT(63)

struct xarea {
  alignas(64) u8 b[XSTATE_MAX];
  unsigned pieces; /* what of it was written */
  struct { u16 at, n; } piece[XAREA_PIECES];
};

/* XINUSE: which components are not as after reset, by their contents. Outside 64-bit mode XMM8 and up do not count.
 * SDM 1 13.6 (Processor Tracking of XSAVE-Managed State) */
u64 xsave_in_use(const struct cpu *cpu, bool code64);

/* How an area is written. */
struct xsave_form {
  bool wide;    /* REX.W: 64-bit x87 pointers */
  bool code64;  /* all registers */
  bool init;    /* the init optimization: nothing of components that are not in use */
  bool compact; /* packed, with XCOMP_BV */
};
/* Writes the components of rfbm, after x87_leave(), and in the header XSTATE_BV, which the standard form is to merge
 * with what is in memory. The first piece is the lowest. */
void xsave_image(struct cpu *cpu, struct xarea *a, u64 rfbm, struct xsave_form f);
/* Loads the components of rfbm from an area in order, by its header. MXCSR has been looked at. Then PKRU may have
 * changed, which paging does not know yet: the value is in *pkru. */
void xrstor_image(struct cpu *cpu, const struct xarea *a, u64 rfbm, bool wide, bool code64, u32 *pkru);
/* Where what it reads of an area with that header begins, and ends. */
unsigned xrstor_area_first(const struct xarea *a, u64 rfbm);
unsigned xrstor_area_end(const struct cpu_model *m, u64 rfbm, u64 comp);
/* Does the restore read MXCSR? The standard form with SSE or AVX, whatever XSTATE_BV says. */
bool xrstor_loads_mxcsr(const struct xarea *a, u64 rfbm);

#endif
