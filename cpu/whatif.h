/* The dry run of one instruction, or of a delivery: its outcome and its record, with nothing committed. */
#ifndef CPU_WHATIF_H
#define CPU_WHATIF_H

#include "cpu/decode.h"
#include "cpu/transition.h"

enum whatif_outcome {
  WHATIF_DONE,     /* it would complete; `after` is where control would go */
  WHATIF_HALT,     /* likewise, and halt */
  WHATIF_FAULT,    /* it would fault: recorder.fault; `after` is as before */
  WHATIF_SHUTDOWN, /* it would shut the processor down */
};

struct whatif {
  enum whatif_outcome outcome;
  bool changed_ring;         /* transition is valid: a change of ring, far transfer, delivery or task switch */
  bool touched_device;       /* it would read or write a port or device memory, which was left out */
  struct transition transition;
  struct recorder recorder;  /* `now`: its steps; after a fault: `cause` and `fault` */
  struct tr_point before, after;
};

/* Dry-runs the instruction at CS:RIP (a halted processor: as if it were not), or, when n is not 0, these n <= 15 bytes in its place. The processor must not be
 * running. Memory, registers, translations and counters are as before when it returns; hooks but `tsc` are not called.
 * 0, or -1: the bytes cannot be put at CS:RIP (no memory there), or there is no room to remember what it changes. */
MUST_CHECK int cpu_whatif(struct cpu *cpu, const u8 *bytes, unsigned n, struct whatif *out);

/* How many of n <= 15 bytes are the instruction that they begin with, at CS:RIP; 0: they are too few for one. */
unsigned whatif_length(struct cpu *cpu, const u8 *bytes, unsigned n);

/* Dry-runs the delivery of a fault that was raised at CS:RIP; the record says so, and not why. */
MUST_CHECK int cpu_whatif_fault(struct cpu *cpu, const struct fault *f, struct whatif *out);

/* For cpu/mem.c and cpu/paging.c: n bytes at a host address are about to change in a dry run. */
struct undo;
COLD void undo_note(struct cpu *cpu, u8 *at, u64 gpa, unsigned n);
COLD void undo_device(struct cpu *cpu);

#endif
