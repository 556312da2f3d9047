/* The processor's registers by name: what a person or a program sets and reads from outside. SDM 1 3.4 (Basic Program
 * Execution Registers), SDM 3A 2.1 (Overview of the System-Level Architecture). */
#ifndef CPU_REGNAME_H
#define CPU_REGNAME_H

#include "cpu/cpu.h"

/* Names: rax to r15, rip, rflags, cpl; es cs ss ds fs gs ldtr tr (the selector) and their .base .limit .attr (in the
 * layout of struct seg); gdtr and idtr .base .limit; cr0 cr2 cr3 cr4 cr8 xcr0 dr0 to dr7 pkru mxcsr; MSRs by the
 * manual's name or without its IA32_. Case is ignored; eax and its like name the whole register. -1: none. */
int regname_find(const char *name);
unsigned regname_count(void);
/* NULL beyond the last. */
const char *regname_at(unsigned id);
u64 regname_get(const struct cpu *cpu, unsigned id);
/* Stores the value as it is, cut to the register's width, without the checks of an instruction; then everything that
 * derives from it. Between instructions only. */
void regname_set(struct cpu *cpu, unsigned id, u64 v);
/* Loads a segment register's cache from its selector as the tables have it, or in real and virtual-8086 mode selector *
 * 16, without privilege checks. cpl changes with CS. -1: the selector is beyond its table. */
MUST_CHECK int regname_load_segment(struct cpu *cpu, enum sreg r, u16 sel);

#endif
