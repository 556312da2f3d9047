/* The transition record for people and for programs: what was checked, read, pushed and computed, in the manual's
 * order; why a fault was raised; as text and as JSON Lines. Reads cpu/record.h; changes nothing. */
#ifndef EXPLAIN_EXPLAIN_H
#define EXPLAIN_EXPLAIN_H

#include <stdio.h>

#include "cpu/transition.h"

/* Names for addresses; explanations without it have none. Writes "" for an address that has no name. */
struct explain_names {
  const void *opaque;
  void (*name)(const void *opaque, u64 addr, char *buf, size_t n);
};

/* A transition, told from the hook vm->hooks.transition; r: what recorded it, or NULL: a heading, the fault that caused it,
 * its steps, the state on both sides. */
void explain_transition(FILE *out, const struct cpu *cpu, const struct recorder *r, const struct transition *t,
                        const struct explain_names *names);
/* The same as one JSON object on one line: {"event":"transition",...}. Without a recorder it has no steps. */
void explain_json(FILE *out, const struct cpu *cpu, const struct recorder *r, const struct transition *t,
                  const struct explain_names *names);
/* As explain_why(), one JSON object on one line: {"event":"fault",...,"steps":[...]}; the faults whose delivery it ended
 * are "earlier":[...], oldest first. */
void explain_why_json(FILE *out, const struct cpu *cpu, const struct recorder *r);
/* Why the fault now being delivered (or refused to be: hooks.fault) was raised, after those whose delivery it ended. */
void explain_why(FILE *out, const struct cpu *cpu, const struct recorder *r);

/* The faults of a recorder: those whose delivery another ended, oldest first, and the last one. */
struct explain_raised {
  const struct rec_log *cause;
  const struct fault *fault;
  const struct rec_walk *walk;
  u64 rip, dr6;
  u16 cs;
  u8 during; /* enum event_class */
};
enum { EXPLAIN_RAISED = REC_CHAIN + 1 };
unsigned explain_raised(const struct recorder *r, struct explain_raised raised[EXPLAIN_RAISED]);
/* The step that read what a failed check judged; NULL: no memory was. */
const struct rec_step *explain_judged(const struct rec_log *log, const struct rec_step *check);

/* Words. All write at most n bytes and end with 0. */

/* "#GP(0402h)", "#PF", "#UD" */
void explain_fault_name(char *buf, size_t n, u8 vector, bool has_error, u32 error);
/* "code, readable, accessed", "32-bit TSS (busy)": the type of a descriptor's attributes (struct seg's). */
void explain_type(char *buf, size_t n, u32 attr, bool long_mode);
/* "0246h [IF ZF PF]" */
void explain_flags(char *buf, size_t n, u32 rflags);
/* "GDT 0033h, RPL 3" or "LDT ...", "NULL" */
void explain_selector(char *buf, size_t n, u16 sel);
/* An error code decoded: "selector 0010h in the GDT, EXT", "vector 80h in the IDT", "write, user, not present" */
void explain_error(char *buf, size_t n, u8 vector, u32 error);
/* A row's operands with their values: "CPL 3, gate DPL 0" */
void explain_operands(char *buf, size_t n, const struct cpu *cpu, const struct rec_step *check);
/* What it raises: "#GP(sel)", "#PF(0007h)"; "" for nothing. */
void explain_raises(char *buf, size_t n, const struct rec_step *check);
/* DR6's conditions: "B0, execution at DR0 = 7C00h; BS, a single step" */
void explain_debug(char *buf, size_t n, const struct cpu *cpu, u64 dr6);
/* Which rights a page fault found missing, from its failed checks: "R/W = 0 of a write". "" when none. */
void explain_rights(char *buf, size_t n, const struct rec_log *log);
/* "check", "descriptor", "push", ... */
const char *explain_kind(const struct rec_step *s);
/* One step as a line without its newline: "check IDT_DPL FAILED ...". */
void explain_step(char *buf, size_t n, const struct cpu *cpu, const struct rec_step *s);

#endif
