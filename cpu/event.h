/* Events: how exceptions, interrupts and software interrupts are delivered, and what cpu_run() and the
 * instructions tell each other about them. SDM 3A 6 (Interrupt and Exception Handling); SDM 3B 17.3 (Debug
 * Exceptions).
 *
 * Contracts
 * - cpu->event_class names what is being delivered and is EVENT_NONE otherwise. A fault raised while it is
 *   not NONE has EXT set in its error code; event_deliver_fault() uses it for the double-fault rule. INT n,
 *   INT3 and INTO are delivered with NONE (EXT = 0, and never a first event of a double fault).
 * - cpu->rip, registers and segments are as before the event until its frame is written; a fault while
 *   delivering unwinds to cpu_run(), which calls event_deliver_fault() again.
 * - Single-step traps: cpu_run() takes one (event_debug_trap() with DR6.BS in cpu->dr6_pending) after an
 *   instruction that began with TF set, unless cpu->step_trap says otherwise; it clears step_trap at each
 *   boundary. Only an instruction that began with TF set stores STEP_NOT. STEP_NOW is stored whether or not TF
 *   was set before, and the instruction then leaves the block loop, so that cpu_run() sees it before anything
 *   else runs.
 * - Faults, INT n and deliveries of any kind never leave a single-step trap behind.
 * - cpu->inhibit is set by STI (INHIBIT_INT), MOV SS and POP SS (both bits), which also set cpu->leave.
 * - REP instructions that stop between iterations set cpu->rep_partial; cpu_run() clears it when it goes on.
 * - EFLAGS.RF, once loaded by IRET, counts until the next instruction is complete: event_settle_rf() at a
 *   boundary clears it when instructions have retired since. cpu_run() calls it before it returns and before
 *   it looks at instruction breakpoints.
 * - A #DB fault (an instruction breakpoint, DR7.GD) is an ordinary fault with vector VEC_DB; its DR6 bits are
 *   put in cpu->dr6_pending first. Without BD among them it counts as a breakpoint: RF stays as it was.
 * - When cpu->shutdown is set, cpu->shutdown_reason says why and event_deliver_fault() does nothing. */
#ifndef CPU_EVENT_H
#define CPU_EVENT_H

#include "cpu/transition.h"

/* SDM 3B 17.2.3, 17.2.4, Figure 17-1 (Debug Registers) */
#define DR6_B UINT64_C(0xf) /* B0..B3 */
#define DR6_FIXED UINT64_C(0xffff0ff0)
#define DR7_GD BIT(13)
#define DR7_FIXED UINT64_C(0x400)

enum event_class { EVENT_NONE, EVENT_BENIGN, EVENT_CONTRIBUTORY, EVENT_PAGE_FAULT, EVENT_DOUBLE_FAULT };

enum step_trap {
  STEP_BY_TF, /* trap if TF was set when the instruction began */
  STEP_NOT,   /* INT n and its like, SYSCALL and SYSENTER that clear TF */
  STEP_NOW,   /* SYSRET that sets TF */
};

enum vector_type { VECTOR_FAULT, VECTOR_TRAP, VECTOR_ABORT, VECTOR_INTERRUPT, VECTOR_EITHER };

struct vector_row {
  const char *mnemonic, *name, *cite; /* NULL: a vector without an exception */
  u8 event_class, type;
  bool error;
};
enum { EXCEPTION_VECTORS = 32 };
extern const struct vector_row vector_rows[EXCEPTION_VECTORS];

/* Delivers a fault at cpu->rip, the faulting instruction. On return the handler's first instruction is at
 * cpu->rip, or cpu->shutdown is set. */
void event_deliver_fault(struct cpu *cpu, const struct fault *f);
/* Delivers #DB at a boundary: cpu->rip is the next instruction, DR6's new bits are in cpu->dr6_pending. */
void event_debug_trap(struct cpu *cpu);
/* Delivers an external interrupt; cpu->rip is the next instruction. The caller has looked at IF and at
 * inhibit. */
void event_interrupt(struct cpu *cpu, u8 vector);
/* Delivers an NMI and blocks further ones until an IRET. */
void event_nmi(struct cpu *cpu);

static inline void event_settle_rf(struct cpu *cpu) {
  if (unlikely(cpu->eflags & EF_RF) && cpu_icount(cpu) != cpu->rf_icount) cpu->eflags &= ~(u32)EF_RF;
}

#endif
