/* Breakpoints in the debug registers. SDM 3B 17.2 (Debug Registers), 17.3.1 (Debug Exception (#DB)).
 *
 * Contracts
 * - cpu->debug follows DR0-DR3, DR7 and CR4.DE by cpu_update_mode(). With no breakpoint enabled it is all zero,
 *   and costs a test in slow paths only.
 * - Instruction breakpoints make every instruction a step: cpu_run() asks debug_fetch() before each.
 * - Pages with a data breakpoint never hit in the software TLBs. An instruction that comes to one inside a block
 *   is given up like one that faults, and done again as a step; then each of its accesses is compared. So code
 *   that keeps away from those pages runs as ever.
 * - What an access, a port or a delivery meets is collected in cpu->debug.hits, joins cpu->dr6_pending when the
 *   instruction is complete, and is lost when it faults. */
#ifndef CPU_DEBUGREG_H
#define CPU_DEBUGREG_H

#include "cpu/stops.h"

#define DR7_ENABLED UINT64_C(0xff)                /* L0 G0 .. L3 G3 */
enum { DEBUG_STEP_ALL = 1, DEBUG_STEP_ONCE = 2 }; /* cpu->debug.step */

/* Recomputes cpu->debug; forgets translations when other pages are watched. */
COLD void debug_update(struct cpu *cpu);
/* Raises #DB, a fault, for an instruction breakpoint at cpu->rip. */
COLD void debug_fetch(struct cpu *cpu);
/* An instruction comes to a watched page: does not return when it must be done again as a step. */
COLD void debug_approach(struct cpu *cpu);
/* An access to [la, la+n) that was made. */
COLD void debug_data(struct cpu *cpu, u64 la, unsigned n, bool write);
COLD void debug_io(struct cpu *cpu, u16 port, unsigned size);

static inline bool debug_watched(const struct cpu *cpu, u64 la) {
  if (likely(!cpu->debug.watching)) return false;
  for (unsigned n = 0; n < 4; n++)
    if ((cpu->debug.data >> n & 1) && !((la ^ cpu->dr[n]) >> PAGE_SHIFT)) return true;
  return stops_watch_page(cpu, la);
}

#endif
