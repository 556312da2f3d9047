/* Architectural checks by name: each is a row of cpu/checks.def and is judged through check(), so that
 * explanations, coverage and `check --invert` see every one. SDM 3A 5 (Protection). */
#ifndef CPU_CHECK_H
#define CPU_CHECK_H

#include "cpu/vm.h"

enum check_id {
#define CHECK(id, rule, cite, fault) CHK_##id,
#include "cpu/checks.def"
#undef CHECK
  CHECKS
};

struct check_row {
  const char *id, *rule, *cite;
  const char *fault; /* as the manual writes it: "#GP(sel)" */
  u8 vector;         /* meaningless when nothing is raised: fault is "" */
  u8 error;          /* enum check_error in check.c */
};
extern const struct check_row check_rows[CHECKS];

/* The verdict when somebody watches checks. */
bool check_watched(struct cpu *cpu, enum check_id id, bool ok);

/* The verdict of a check whose condition is `ok`. */
static inline bool check(struct cpu *cpu, enum check_id id, bool ok) {
  return unlikely(cpu->vm->invert_check != NULL) ? check_watched(cpu, id, ok) : ok;
}

/* Raises the row's fault. operand: the selector, or the vector for #GP(vec) and #NP(vec). EXT is set while an
 * exception or external interrupt is being delivered. */
NORETURN COLD void check_failed(struct cpu *cpu, enum check_id id, u32 operand);

static inline void require(struct cpu *cpu, enum check_id id, bool ok, u32 operand) {
  if (unlikely(!check(cpu, id, ok))) check_failed(cpu, id, operand);
}

#endif
