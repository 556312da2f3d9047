/* The processor's registers by name: what a person or a program sets and reads from outside. SDM 1 3.4 (Basic Program
 * Execution Registers), SDM 3A 2.1 (Overview of the System-Level Architecture). */
#ifndef CPU_REGNAME_H
#define CPU_REGNAME_H

#include "cpu/cpu.h"

/* Names: those of cpu/registers.def, and MSRs by the manual's name or without its IA32_. Case is ignored; eax and its
 * like name the whole register, cs.sel is cs. A segment's .attr is in the layout of struct seg; ftw is abridged, as in
 * the FXSAVE image; mm0 to mm7 are the significands of the x87's physical registers. -1: none. */
int regname_find(const char *name);
unsigned regname_count(void);
/* NULL beyond the last. */
const char *regname_at(unsigned id);
/* Of the vector registers' upper parts each 64-bit word has a name: ymm3.2 and ymm3.3, zmm3.4 to zmm3.7, zmm16.0 to
 * zmm31.7. A register of more than 64 bits has two names otherwise: xmm3.lo and xmm3.hi; of st3 .lo is the significand, .hi sign and
 * exponent. From "xmm3" or "st3": the id of the lower part, and *hi. -1: no such register. */
int regname_wide(const char *name, unsigned *hi);
/* Is it another name for what a name before it says already? */
bool regname_alias(unsigned id);

u64 regname_get(const struct cpu *cpu, unsigned id);
/* Stores the value as it is, cut to the register's width, without the checks of an instruction; then everything that
 * derives from it. Between instructions only. */
void regname_set(struct cpu *cpu, unsigned id, u64 v);
/* The same without what derives: the caller stores all it has to, then calls cpu_update_mode(). */
void regname_store(struct cpu *cpu, unsigned id, u64 v);
/* Loads a segment register's cache from its selector as the tables have it, or in real and virtual-8086 mode selector *
 * 16, without privilege checks. cpl changes with CS. -1: the selector is beyond its table. */
MUST_CHECK int regname_load_segment(struct cpu *cpu, enum sreg r, u16 sel);

/* ---- for a snapshot of a processor that has the same registers ---- */

enum reg_kind {
  REG_PLAIN, REG_BOOL, REG_MXCSR, REG_FLAGS,
  REG_ALIAS,                                    /* plain, and a second name */
  REG_FCW, REG_FSW, REG_FTW, REG_FOP, REG_ST,   /* of struct x87 */
  REG_MSR, REG_MSR_FS, REG_MSR_GS,              /* in the array by slot; the bases of FS and GS */
};
enum reg_kind regname_kind(unsigned id);
/* Of an MSR. */
unsigned regname_slot(unsigned id);
/* What the register holds of v. */
u64 regname_cut(unsigned id, u64 v);
/* Registers of struct x87 that are more than a field: REG_FCW to REG_ST. */
u64 regname_x87_get(const struct x87 *x, unsigned id);
void regname_x87_set(struct x87 *x, unsigned id, u64 v);

/* The flags of EFLAGS from bit 0 up, by the manual's names; IOPL has two bits. */
struct flag_row {
  const char *name;
  u32 mask;
};
enum { FLAG_ROWS = 17 };
extern const struct flag_row flag_rows[FLAG_ROWS];

#endif
