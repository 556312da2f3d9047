/* What IRET and far RET share: the code and stack segment that are returned to.
 * SDM 3A 5.8.6 (Returning from a Called Procedure), 6.12.1 (Exception- or Interrupt-Handler Procedures). */
#ifndef CPU_RET_H
#define CPU_RET_H

#include "cpu/seg.h"

/* Reads and judges CS; the accessed bit is not set yet. */
void ret_check_cs(struct cpu *cpu, u16 sel, struct desc *cs);
/* Reads and judges SS for a return to the code segment cs; may be NULL where 64-bit code allows it. */
void ret_check_ss(struct cpu *cpu, u16 sel, const struct desc *cs, struct desc *ss);
/* The new IP: within CS.limit, or canonical. */
void ret_check_ip(struct cpu *cpu, u64 ip, const struct desc *cs);

/* Commit: CS, CPL, and for an outer return the data segments that it may not keep. */
void ret_commit_cs(struct cpu *cpu, const struct desc *cs);
void ret_clear_data_segments(struct cpu *cpu);
/* Commit: SS and the stack pointer that was popped (`add` bytes more: RETF imm16). */
void ret_commit_ss(struct cpu *cpu, const struct desc *ss, u64 sp, unsigned add, bool to_code64);

#endif
