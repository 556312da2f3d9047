/* Architectural checks by name: each is a row of cpu/checks.def and is judged through check(), so that
 * explanations, coverage and `check --invert` see every one. SDM 3A 5 (Protection). */
#ifndef CPU_CHECK_H
#define CPU_CHECK_H

#include "cpu/record.h"
#include "cpu/vm.h"

enum check_id {
#define CHECK(id, rule, cite, fault, operands, from) CHK_##id,
#include "cpu/checks.def"
#undef CHECK
  CHECKS
};

/* Where the bytes come from that a check judges: the step before it that read them. */
enum check_from {
  FROM_NOTHING, /* registers, or the instruction's own operand */
  FROM_DESC,    /* the descriptor read last */
  FROM_GATE,    /* the gate of the IDT or of a descriptor table, or the entry of the real-mode vector table */
  FROM_CS, FROM_SS, FROM_IP, FROM_FLAGS, FROM_LDT, FROM_LINK, FROM_CR3, FROM_OTHER, /* that word, popped or of the TSS */
  FROM_SP,      /* the stack pointer, of the TSS */
  FROM_DATA,    /* the TSS's selector that the check names */
};

struct check_row {
  const char *id, *rule, *cite;
  const char *fault; /* as the manual writes it: "#GP(sel)" */
  const char *operands; /* what was compared, for check_ab(): "CPL {a}, gate DPL {b}"; {a:x} hexadecimal, {a:t} the
                         * type of a descriptor, {a:b} the numbers of the bits that are set, {a:o} an opcode's bytes,
                         * {a:m} a mode (cpu->mode), {a:f} an enum feature, {b:k} a key and PKRU; "" when there is nothing to show */
  u8 vector;         /* meaningless when nothing is raised: fault is "" */
  u8 error;          /* enum check_error in check.c */
  u8 from;           /* enum check_from */
};
extern const struct check_row check_rows[CHECKS];
/* The check of that name, or -1. */
int check_find(const char *id);

/* The verdict when somebody watches checks. */
COLD bool check_watched(struct cpu *cpu, enum check_id id, bool ok, u64 a, u64 b);

/* The verdict of a check whose condition is `ok`. */
static inline bool check_ab(struct cpu *cpu, enum check_id id, bool ok, u64 a, u64 b) {
  return rec_on(cpu) ? check_watched(cpu, id, ok, a, b) : ok;
}
static inline bool check(struct cpu *cpu, enum check_id id, bool ok) { return check_ab(cpu, id, ok, 0, 0); }

/* Raises the row's fault. operand: the selector, or the vector for #GP(vec) and #NP(vec). EXT is set while an
 * exception or external interrupt is being delivered. */
NORETURN COLD void check_failed(struct cpu *cpu, enum check_id id, u32 operand);

/* a, b: what the row's `operands` shows. */
static inline void require_ab(struct cpu *cpu, enum check_id id, bool ok, u32 operand, u64 a, u64 b) {
  if (unlikely(!check_ab(cpu, id, ok, a, b))) check_failed(cpu, id, operand);
}
static inline void require(struct cpu *cpu, enum check_id id, bool ok, u32 operand) {
  require_ab(cpu, id, ok, operand, 0, 0);
}

#endif
