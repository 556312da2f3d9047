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
/* As explain_why(), one JSON object on one line: {"event":"fault",...,"steps":[...]}. */
void explain_why_json(FILE *out, const struct cpu *cpu, const struct recorder *r);
/* Why the fault now being delivered (or refused to be: hooks.fault) was raised. */
void explain_why(FILE *out, const struct cpu *cpu, const struct recorder *r);

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
/* "check", "descriptor", "push", ... */
const char *explain_kind(const struct rec_step *s);
/* One step as a line without its newline: "check IDT_DPL FAILED ...". */
void explain_step(char *buf, size_t n, const struct cpu *cpu, const struct rec_step *s);

#endif
