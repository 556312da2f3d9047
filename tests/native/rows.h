/* What single rows need to be tested: operands that make sense, flags that depend on data, and why some rows
 * cannot run here at all. */
#ifndef TESTS_NATIVE_ROWS_H
#define TESTS_NATIVE_ROWS_H

#include "tests/native/case.h"
#include "tests/native/values.h"

struct row_rule {
  const char *names;    /* the rows' names, separated by spaces */
  const char *operands; /* and their operands; NULL: any */
  const char *skip;     /* why they cannot be compared; NULL: they can */
  enum feature skip_with; /* only where the processor has this, if it is not 0 */
  bool anyway;          /* also where CPUID says that this machine does not have them: refused all the same */
  bool intel;           /* outside 64-bit code, only where the processor is Intel's */
  /* Called in this order; any may be NULL. */
  void (*registers)(struct test_case *c, struct rng *r); /* then the memory operand's registers are chosen */
  void (*contents)(struct test_case *c, struct rng *r);  /* of memory; the code is in place */
  /* Flags left undefined for this input, instead of the row's column. SDM 1 A.1 (EFLAGS and Instructions) */
  u32 (*undefined)(const struct test_case *c, u32 column);
  u32 host_gprs;        /* registers whose low halves say what only this machine can know */
  bool host_wide;       /* or all of them */
  bool partial; /* a fault may find it half done: how far is not defined, so only the fault is compared */
  bool partial_fx; /* the x87 and XMM too */
  u8 slow;              /* divide the number of cases: each is expensive */
};

/* The first rule that fits; never NULL. */
const struct row_rule *rule_of(const struct oprow *row);

/* What memory operands and XMM registers of this row should hold. */
enum value_kind row_kind(const struct oprow *row, struct rng *r);

#endif
