/* The transition record: what changed when control crossed rings, or passed through a gate, a far transfer or
 * an exception. Filled by the transition code only while somebody listens (vm->hooks.transition). */
#ifndef CPU_TRANSITION_H
#define CPU_TRANSITION_H

#include "cpu/record.h"
#include "cpu/vm.h"

enum transition_kind {
  TR_INT,        /* INT n, INT3, INTO, INT1 */
  TR_EXCEPTION,
  TR_INTERRUPT,
  TR_IRET,
  TR_SYSCALL,
  TR_SYSRET,
  TR_SYSENTER,
  TR_SYSEXIT,
  TR_FAR_CALL,
  TR_FAR_JMP,
  TR_FAR_RET,
  TR_TASK,
  TR_KINDS,
};

struct tr_point { /* one side of a transition */
  u16 cs, ss;
  u64 rip, rsp;
  u32 rflags;
  u8 cpl;
  u8 code_bits; /* 16, 32 or 64 */
};

struct transition {
  enum transition_kind kind;
  enum transition_kind cause; /* TR_TASK: what switched tasks */
  u8 vector;      /* TR_INT, TR_EXCEPTION, TR_INTERRUPT */
  bool has_error;
  u32 error;
  struct tr_point from, to; /* from.rip: the instruction itself for faults and transfers (as pushed: the
                               return address for calls, INT n and traps) */
};

/* The current state as one side of a transition: before (or after) the instruction in progress, if there is
 * one. */
struct tr_point transition_point(const struct cpu *cpu, u64 rip, bool after);
/* The part of transition_end() for a listener. */
COLD void transition_tell(struct cpu *cpu, struct transition *t, u64 rip);
const char *transition_name(enum transition_kind kind);

/* Begins a record before anything changes: fills `from`. */
static inline void transition_begin(struct cpu *cpu, struct transition *t, enum transition_kind kind,
                                    u64 rip) {
  t->kind = kind;
  if (rec_on(cpu)) rec_begin(cpu);
  if (likely(!cpu->vm->hooks.transition)) return;
  t->vector = 0;
  t->has_error = false;
  t->error = 0;
  t->from = transition_point(cpu, rip, false);
}

/* Ends it after the commit and cpu_update_mode(), rip being where control goes: fills `to`, counts it in
 * stat_transitions, and tells the listener. */
static inline void transition_end(struct cpu *cpu, struct transition *t, u64 rip) {
  cpu->stat_transitions[t->kind]++;
  if (unlikely(cpu->vm->hooks.transition != NULL) || rec_on(cpu)) transition_tell(cpu, t, rip);
}

#endif
