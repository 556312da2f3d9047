/* What virtual-8086 mode does in its own way. SDM 3B 20.2 (Virtual-8086 Mode), 20.3 (Interrupt and Exception
 * Handling in Virtual-8086 Mode). */
#ifndef CPU_VM86_H
#define CPU_VM86_H

#include "cpu/insn.h"

/* INT n: raises #GP(0), or delivers to the 8086 program's own handler (true, *rip = the handler), or leaves
 * it to the IDT (false). next: the return address. */
bool vm86_int(struct cpu *cpu, u8 vector, u64 next, u64 *rip);

/* EFLAGS as PUSHF and INT n store it under VME with IOPL < 3: VIF stands in for IF, IOPL reads 3. */
u32 vm86_flags_image(const struct cpu *cpu);
/* POPF and IRET (16-bit) under VME with IOPL < 3: IF goes to VIF. Raises #GP(0). Returns EFLAGS as they
 * become. */
u32 vm86_flags_load(struct cpu *cpu, u16 image);

#endif
