/* Where a debugger wants a processor to stop: addresses of code, ranges of memory, changes of mode. Outside the
 * architecture: no byte of the guest is patched, no debug register used, and a guest cannot tell.
 *
 * Contracts
 * - cpu_run() then returns CPU_EXIT_DEBUG, and cpu->stopped says why; it is cleared by the next cpu_run().
 * - An address of code stops before its instruction. Decoding puts a block of its own there, which leaves; so code
 *   elsewhere runs as ever, however many there are. The instruction itself is always done as a step.
 * - A resumed run passes the instruction at which it stopped (stops_pass()) until that has completed: a page fault in
 *   it that its handler mends does not stop there again.
 * - A range of memory stops behind the instruction, or the iteration of REP, or the delivery that accessed it; the
 *   processor's own accesses to descriptor tables and task-state segments count. Its pages never hit in the software
 *   TLBs, as those of DR0-DR3 (cpu/debugreg.h). */
#ifndef CPU_STOPS_H
#define CPU_STOPS_H

#include "cpu/cpu.h"

enum { STOP_ON_READ = 1, STOP_ON_WRITE = 2 };

struct stop_range {
  u64 la, len; /* linear; len is not 0 */
  u8 kinds;    /* STOP_ON_* */
};

struct stops {
  u64 *code; /* linear addresses, sorted, each once */
  unsigned codes;
  struct stop_range *data;
  unsigned ranges;
};

/* Replaces what all processors of vm stop at. The arrays are copied; code may be in any order. While no processor runs.
 * 0, or -1: out of memory, nothing is changed. */
MUST_CHECK int stops_set(struct vm *vm, const u64 *code, unsigned codes, const struct stop_range *data, unsigned ranges);
void stops_free(struct vm *vm);
/* Changes of mode (real, virtual-8086, protected, compatibility, 64-bit) too. */
void stops_on_mode(struct cpu *cpu, bool on);
/* The next run does not stop at the code where the processor is. */
void stops_pass(struct cpu *cpu);

/* For the interpreter. */
bool stops_at_code(const struct cpu *cpu, u64 la);
/* Must the processor stop before the instruction at cpu->rip? */
bool stops_here(struct cpu *cpu);
bool stops_watch_page(const struct cpu *cpu, u64 la);
COLD void stops_data(struct cpu *cpu, u64 la, unsigned n, bool write);
/* Is it the one that stops_pass() named? And once it is complete: */
bool stops_passing(const struct cpu *cpu);
COLD void stops_passed(struct cpu *cpu);
COLD void stops_mode_changed(struct cpu *cpu, u32 before);

#endif
