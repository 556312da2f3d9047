/* Segment descriptors and segment registers: reading tables, decoding, loading.
 * SDM 3A 3.4 (Logical and Linear Addresses), 3.5 (System Descriptor Types), 5 (Protection).
 *
 *   63      56 55 54 53 52  51     48 47  46 45 44  43   40 39            16 15            0
 *   base 31:24  G D/B L AVL limit19:16 P   DPL   S   type    base 23:0        limit 15:0
 */
#ifndef CPU_SEG_H
#define CPU_SEG_H

#include "cpu/cpu.h"

#define SEL_RPL 3u
#define SEL_TI 4u
static inline bool sel_is_null(u16 sel) { return !(sel & 0xfffc); }
static inline u8 sel_rpl(u16 sel) { return sel & SEL_RPL; }

/* System descriptor types. SDM 3A 3.5, Table 3-2 (System-Segment and Gate-Descriptor Types) */
enum {
  SYS_TSS16 = 1, SYS_LDT = 2, SYS_TSS16_BUSY = 3, SYS_CALL16 = 4, SYS_TASK_GATE = 5, SYS_INT16 = 6,
  SYS_TRAP16 = 7, SYS_TSS32 = 9, SYS_TSS32_BUSY = 11, SYS_CALL32 = 12, SYS_INT32 = 14, SYS_TRAP32 = 15,
  SYS_TSS_BUSY_BIT = 2,
};

static inline unsigned seg_type(const struct seg *s) { return s->attr & SEG_TYPE; }
static inline u8 seg_dpl(const struct seg *s) { return (u8)(s->attr >> SEG_DPL_SHIFT & 3); }
static inline bool seg_present(const struct seg *s) { return s->attr & SEG_P; }
static inline bool seg_is_code(const struct seg *s) {
  return (s->attr & (SEG_S | SEG_CODE)) == (SEG_S | SEG_CODE);
}
static inline bool seg_is_data(const struct seg *s) { return (s->attr & (SEG_S | SEG_CODE)) == SEG_S; }
static inline bool seg_is_conforming(const struct seg *s) {
  return seg_is_code(s) && (s->attr & SEG_CONFORMING);
}
static inline bool seg_is_writable(const struct seg *s) { return seg_is_data(s) && (s->attr & SEG_WRITABLE); }
static inline bool seg_is_readable(const struct seg *s) {
  return seg_is_data(s) || (seg_is_code(s) && (s->attr & SEG_READABLE));
}
/* L and D of a code segment; both set is reserved in long mode. */
static inline bool seg_is_code64(const struct seg *s) { return s->attr & SEG_L; }
static inline bool seg_is_db(const struct seg *s) { return s->attr & SEG_DB; }
static inline bool seg_l_and_d(const struct seg *s) { return (s->attr & SEG_L) && (s->attr & SEG_DB); }

static inline bool cpu_code64(const struct cpu *cpu) { return (cpu->mode & MODE_CODE_MASK) == MODE_CODE64; }
static inline bool cpu_long(const struct cpu *cpu) { return cpu->mode & MODE_LMA; }
static inline bool cpu_vm86(const struct cpu *cpu) { return cpu->mode & MODE_VM; }
/* Protected mode, long mode included; neither real nor virtual-8086. */
static inline bool cpu_protected(const struct cpu *cpu) {
  return (cpu->mode & (MODE_PE | MODE_VM)) == MODE_PE;
}
static inline u8 cpu_iopl(const struct cpu *cpu) { return (u8)(cpu->eflags >> EF_IOPL_SHIFT & 3); }
/* Are VIF and VIP in force: VME in virtual-8086 mode, PVI at CPL 3, both with IOPL < 3? Of EFLAGS and CPL, which may be
 * newer than the mode. SDM 3B 20.3.2, 20.4 (Protected-Mode Virtual Interrupts) */
static inline bool cpu_virtual_interrupts(const struct cpu *cpu) {
  if (!(cpu->cr0 & CR0_PE) || cpu_iopl(cpu) == 3) return false;
  if (cpu->eflags & EF_VM) return cpu->cr4 & CR4_VME;
  return cpu->cpl == 3 && (cpu->cr4 & CR4_PVI);
}

/* Canonical for the paging mode in use. SDM 1 3.3.7.1 (Canonical Addressing) */
static inline bool cpu_canonical(const struct cpu *cpu, u64 la) {
  return canonical(la, cpu->cr4 & CR4_LA57 ? 57 : 48);
}
/* Canonical for the widest mode that the processor has: MSRs, descriptor-table bases. */
static inline bool cpu_canonical_max(const struct cpu *cpu, u64 la) {
  return canonical(la, model_canonical_bits(cpu->model));
}
/* A linear address in a system structure wraps at 4 GiB except in long mode. */
static inline u64 sys_linear(const struct cpu *cpu, u64 la) { return cpu_long(cpu) ? la : (u32)la; }

/* A descriptor as read from its table. */
struct desc {
  struct seg s; /* decoded as a segment; sel as asked for */
  u64 lo, hi;   /* raw; hi: second half of a 16-byte descriptor */
  u64 la;       /* where it is */
};

/* The first 8 bytes of a descriptor as a segment. */
struct seg desc_segment(u64 v, u16 sel);
/* Reads the descriptor that sel names in the GDT or LDT. False: beyond the table. sel must not be NULL. */
MUST_CHECK bool desc_read(struct cpu *cpu, u16 sel, struct desc *d);
/* The limit of the table that sel names; 0 for an LDT that is not loaded. */
u32 table_limit(const struct cpu *cpu, u16 sel);
/* The second half of a 16-byte descriptor in long mode. False: it is beyond the table. */
MUST_CHECK bool desc_read_high(struct cpu *cpu, struct desc *d);
/* Sets the accessed bit in memory (and in d) if it is clear. May fault: before the commit. */
void desc_mark_accessed(struct cpu *cpu, struct desc *d);
/* Sets the busy bit of a TSS descriptor in memory and in d. */
void desc_mark_busy(struct cpu *cpu, struct desc *d);

/* Is [off, off+size) inside the segment's limit? SDM 3A 5.3 (Limit Checking): expand-down segments are valid above the
 * limit, up to FFFFh or FFFFFFFFh by B. Beyond 4 GiB the check is the implementation's choice: none for flat segments,
 * the access wraps (measured on Intel Xeon). */
static inline bool seg_within(const struct seg *s, u64 off, unsigned size) {
  u64 last = off + size - 1;
  if ((s->attr & (SEG_CODE | SEG_DOWN | SEG_S)) == (SEG_DOWN | SEG_S))
    return off > s->limit && last <= (s->attr & SEG_DB ? UINT64_C(0xffffffff) : 0xffff);
  return last <= s->limit || (s->limit == 0xffffffff && !s->base && off <= s->limit);
}

/* Flat 4-GiB segments as SYSCALL, SYSENTER and their returns make them, without a table. */
struct seg seg_flat_code(u16 sel, u8 dpl, bool code64);
struct seg seg_flat_data(u16 sel, u8 dpl);
/* SS after a change of privilege in 64-bit mode: NULL with RPL = CPL. */
struct seg seg_null_stack(u16 sel, u8 cpl);
/* What a return to an outer level does to a data segment it may not keep: selector 0, unusable. */
void seg_clear(struct cpu *cpu, enum sreg r);

/* Loads a segment register other than CS as MOV does, with all checks of the current mode. Changes nothing
 * when it faults. The caller calls cpu_update_mode(). */
void seg_load(struct cpu *cpu, enum sreg r, u16 sel);
/* CS or a data segment in real mode or virtual-8086 mode: base = selector * 16. */
void seg_load_real(struct cpu *cpu, enum sreg r, u16 sel);

/* After an instruction has loaded a segment register: a changed mode ends the block. */
static inline void seg_loaded(struct cpu *cpu) {
  u32 before = cpu->mode;
  cpu_update_mode(cpu);
  if (cpu->mode != before) cpu->leave = 1;
}

#endif
