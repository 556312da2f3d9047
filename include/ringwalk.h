/* ringwalk as a library: one x86 processor and its memory, for tests and tools that must see every effect of a change
 * of ring. Link with libringwalk.a.
 *
 *     struct rw *m = rw_create("intel", 1 << 20, err, sizeof err);
 *     rw_write(m, 0x1000, code, sizeof code);
 *     rw_set(m, "rip", 0x1000);
 *     if (rw_step(m) == RW_STOP_BUDGET && rw_transition(m)) puts(rw_explain(m));
 *
 * Addresses are 64-bit; a call that can fail returns 0, or -1 with rw_error() saying why. A machine may be used by one
 * thread at a time, but for rw_stop(); any number of machines may live side by side. */
#ifndef RINGWALK_H
#define RINGWALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct rw;

/* Why rw_run() and rw_step() returned. */
enum rw_stop {
  RW_STOP_BUDGET,   /* the instructions asked for are done */
  RW_STOP_REQUEST,  /* rw_stop() */
  RW_STOP_HALT,     /* HLT, and no interrupt to end it */
  RW_STOP_SHUTDOWN, /* triple fault: rw_error() says of what */
  RW_STOP_FAULT,    /* rw_whatif() only: the instruction would fault */
};

/* One side of a transition. */
struct rw_point {
  uint16_t cs, ss;
  uint64_t rip, rsp;
  uint32_t rflags;
  uint8_t cpl, bits; /* bits: 16, 32 or 64, of the code segment */
};

/* A change of ring, far transfer, delivery of an event, or task switch. */
struct rw_transition {
  const char *kind; /* "int", "exception", "interrupt", "iret", "syscall", "sysret", "sysenter", "sysexit", "far call",
                     * "far jmp", "far ret", "task switch" */
  int vector;       /* -1: none */
  bool has_error;
  uint32_t error;
  struct rw_point from, to;
  unsigned steps;   /* of rw_step_at() */
};

/* What the processor did for it, in order. */
struct rw_record_step {
  const char *kind; /* "check", "descriptor", "gate", "tss", "memory", "push", "pop", "msr", "set", "write", "note" */
  const char *id;   /* of a check: cpu/checks.def; else "" */
  bool ok;          /* of a check: its verdict */
  uint64_t address, value;
  unsigned bytes;
  const char *text; /* the step as a line; valid until the next call on the machine */
};

/* Creates a machine: a processor after RESET and ram_bytes of memory from physical address 0 (at most 1 << 40, a
 * multiple of 4096). cpu: "intel" (also NULL), "amd", or a model with features, as for the command's -cpu. NULL: err says why. */
struct rw *rw_create(const char *cpu, uint64_t ram_bytes, char *err, size_t err_size);
void rw_destroy(struct rw *m);
/* RESET: registers, not memory. SDM 3A 9.1.1 (Processor State After Reset) */
void rw_reset(struct rw *m);
/* The last error's line; "" before the first. */
const char *rw_error(const struct rw *m);

/* Registers by name: rax .. r15, rip, rflags, cpl, cs and cs.base .limit .attr (so for the others, ldtr and tr),
 * gdtr.base .limit, idtr, cr0 .. cr8, dr0 .. dr7, xcr0, pkru, fcw, fsw, ftw (abridged), fop, fip, fcs, fdp, fds, mm0 .. mm7,
 * mxcsr, and MSRs by the manual's name. Of st0 .. st7 and xmm0 .. xmm15 there are the parts .hi and .lo; above those the
 * 64-bit words ymm0.2 and ymm0.3, zmm0.4 .. zmm0.7, zmm16.0 .. zmm16.7 and so on; k0 .. k7. Stores without the
 * checks of an instruction; a value is cut to the bits that the register has (of cpl 2). -1: no such register. */
int rw_get(struct rw *m, const char *reg, uint64_t *value);
int rw_set(struct rw *m, const char *reg, uint64_t value);
/* The name of register n, or NULL beyond the last. */
const char *rw_register(unsigned n);
/* Loads "cs" .. "gs" from the descriptor tables (real mode: selector * 16) without privilege checks; CS sets CPL.
 * -1: no such register, or the selector is beyond its table. */
int rw_load_segment(struct rw *m, const char *reg, uint16_t selector);

/* Physical memory. -1: not all of [address, address + n) is memory; nothing is done. */
int rw_read(struct rw *m, uint64_t address, void *buf, size_t n);
int rw_write(struct rw *m, uint64_t address, const void *buf, size_t n);
/* The same at linear addresses, through the page tables as a supervisor, without accessed bits. */
int rw_read_linear(struct rw *m, uint64_t address, void *buf, size_t n);
int rw_write_linear(struct rw *m, uint64_t address, const void *buf, size_t n);

/* Port I/O; without these, reads give all ones. size: 1, 2 or 4 bytes. */
void rw_on_port(struct rw *m, uint32_t (*in)(void *opaque, uint16_t port, unsigned size),
                void (*out)(void *opaque, uint16_t port, unsigned size, uint32_t value), void *opaque);

/* RW_STOP_HALT and RW_STOP_SHUTDOWN last: HLT ends by an interrupt, by setting "rip" or by rw_reset(), a shutdown by
 * rw_reset() alone. */
/* Runs at most `limit` instructions; 0: no limit. A delivered fault counts as no instruction. */
enum rw_stop rw_run(struct rw *m, uint64_t limit);
/* One instruction, or the delivery of the fault that it raises. */
enum rw_stop rw_step(struct rw *m);
/* Ends rw_run() soon; from any thread or signal handler. */
void rw_stop(struct rw *m);
/* Instructions completed so far. */
uint64_t rw_instructions(const struct rw *m);
/* An external interrupt, delivered before the next instruction at which IF and the STI and MOV SS shadows allow it; one
 * can wait. -1: one is waiting. */
int rw_interrupt(struct rw *m, uint8_t vector);
void rw_nmi(struct rw *m);

/* Whether transitions are recorded: steps, explanations, check counts. On at first; a long run is faster without, and
 * then rw_transition() has no steps. */
void rw_record(struct rw *m, bool on);
/* The last transition; NULL before the first. Valid until the next call on the machine. */
const struct rw_transition *rw_transition(struct rw *m);
/* Step n of it. -1: beyond the last. */
int rw_step_at(struct rw *m, unsigned n, struct rw_record_step *step);
/* It as text, with the reason if a fault caused it; or as one JSON object. After RW_STOP_SHUTDOWN the last fault of those
 * that led to it. "" before the first; NULL: out of memory. Valid until
 * the next call on the machine. */
const char *rw_explain(struct rw *m);
const char *rw_explain_json(struct rw *m);
/* Calls fn for every transition as it happens; fn may use rw_transition(), rw_step_at(), rw_explain() and rw_stop(). */
void rw_on_transition(struct rw *m, void (*fn)(void *opaque, struct rw *m), void *opaque);

/* Dry-runs the instruction at CS:RIP, or the one of these n <= 15 bytes in its place (n must be its length), and gives its outcome (outcome may be NULL).
 * rw_transition() is then the transition it would make, NULL if none (also if it would fault); rw_step_at() and
 * rw_explain() tell how, or why it would fault. The machine is as before. Ports and devices are left out, reads of them
 * give ones: rw_error() says so then, and is "" otherwise. Where CS:RIP cannot be fetched from, the outcome is that fault
 * whatever the bytes, and rw_error() says so. After HLT the outcome is that of the instruction behind it. -1: rw_error(),
 * and there is no record. */
int rw_whatif(struct rw *m, const void *code, size_t n, enum rw_stop *outcome);

/* How often a check of cpu/checks.def passed and failed on this machine. -1: no such check. */
int rw_check_count(struct rw *m, const char *id, uint64_t *passed, uint64_t *failed);

#ifdef __cplusplus
}
#endif
#endif
