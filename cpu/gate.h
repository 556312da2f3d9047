/* Delivery through the IVT and the IDT, and stack pointers from the TSS.
 * SDM 3A 6.10 (Interrupt Descriptor Table (IDT)), 6.12 (Exception and Interrupt Handling). */
#ifndef CPU_GATE_H
#define CPU_GATE_H

#include "cpu/frame.h"
#include "cpu/transition.h"

struct event {
  enum transition_kind kind; /* TR_INT, TR_EXCEPTION, TR_INTERRUPT */
  u8 vector;
  bool soft;      /* INT n, INT3, INTO: the gate's DPL counts */
  bool has_error;
  u32 error;
  u64 rip;        /* the return address that is pushed */
  u32 flags;      /* the flags image that is pushed */
};

/* Delivers the event: checks, frame, commit, cpu_update_mode(). Returns the handler's RIP; faults unwind with
 * nothing changed. */
MUST_CHECK u64 gate_deliver(struct cpu *cpu, const struct event *ev);

/* The inner stack of a level that a 16-bit or 32-bit TSS names, after all checks of SS; the accessed bit is
 * set. */
struct stack tss_stack(struct cpu *cpu, u8 cpl, struct seg *ss);
/* RSPn of a 64-bit TSS (slot = level), or ISTn (slot = 3 + n). */
u64 tss_rsp(struct cpu *cpu, unsigned slot);
enum { TSS_IST = 3 };

#endif
