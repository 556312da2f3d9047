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
  u64 cs_base, ss_base; /* of their segments: 0 in 64-bit mode */
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

/* The linear address of a side's RIP. */
static inline u64 tr_linear(const struct tr_point *p) { return p->code_bits == 64 ? p->rip : (u32)(p->cs_base + p->rip); }
/* Is from.rip behind the instruction that made the transition? */
static inline bool tr_behind(const struct transition *t) {
  enum transition_kind cause = t->kind == TR_TASK ? t->cause : t->kind;
  return cause == TR_INT || cause == TR_SYSCALL || cause == TR_SYSENTER || cause == TR_FAR_CALL;
}

/* The last transitions of a program while nobody listens, so cheap that they are kept in a run at full speed: no steps, and
 * of a side that is not in ring 3 the address alone. cpu->trail is NULL, or a debugger's. What was not completed does not
 * count. */
struct trail_point {
  u64 rip;
  u32 mode, eflags; /* as in the processor. All but rip and mode: if mode has MODE_CPL3 */
  u64 rsp;
  u16 hf, cs, ss;
  u8 kind, vector;  /* of `to`. The vector, and struct trail_event: of TR_INT, TR_EXCEPTION, TR_INTERRUPT */
};
struct trail_entry {
  struct trail_point from, to;
};
_Static_assert(sizeof(struct trail_entry) == 64, "a line of the cache");
struct trail_event {
  bool has_error;
  u32 error;
  u64 icount, cr2;
};
enum { TRAIL = 64 }; /* a power of two */
struct trail {
  alignas(64) struct trail_entry entry[TRAIL];
  struct trail_event event[TRAIL];
  u64 n; /* transitions so far; the last is entry[(n - 1) % TRAIL], entry[n % TRAIL] may be begun */
};
/* The rest of an entry that has a vector. */
void trail_event(const struct cpu *cpu, struct trail *l, const struct transition *t);
/* The nth, as a listener would have been told of it, but for what is not kept: 0. */
struct transition trail_transition(const struct trail *l, u64 n);

ALWAYS_INLINE void trail_put(const struct cpu *cpu, struct trail_point *p, u64 rip) {
  p->rip = rip;
  if (!(cpu->mode & MODE_CPL3)) { /* that is a 64-bit kernel's */
    p->mode = MODE_CODE64;
    return;
  }
  p->mode = cpu->mode;
  p->eflags = cpu->eflags;
  p->rsp = cpu->gpr[RSP];
  p->hf = cpu->hf;
  p->cs = cpu->seg[CS].sel;
  p->ss = cpu->seg[SS].sel;
}

ALWAYS_INLINE void trail_end(const struct cpu *cpu, struct trail *l, const struct transition *t, u64 rip) {
  struct trail_entry *e = &l->entry[l->n++ % TRAIL];
  e->to.kind = (u8)t->kind;
  trail_put(cpu, &e->to, rip);
  if (t->kind <= TR_INTERRUPT) trail_event(cpu, l, t);
}

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
  struct trail *trail = cpu->trail;
  if (unlikely(trail != NULL)) trail_put(cpu, &trail->entry[trail->n % TRAIL].from, rip);
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
  struct trail *trail = cpu->trail;
  if (unlikely(trail != NULL)) trail_end(cpu, trail, t, rip);
  if (unlikely(cpu->vm->hooks.transition != NULL) || rec_on(cpu)) transition_tell(cpu, t, rip);
}

#endif
