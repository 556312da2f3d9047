/* What the tester was asked for, what came out for each row, and how that is told. */
#ifndef TESTS_NATIVE_REPORT_H
#define TESTS_NATIVE_REPORT_H

#include "tests/native/case.h"

struct options {
  const char *row; /* names, with * and ?, by commas; NULL: all */
  int feature;     /* or FEAT_NONE */
  const char *uncompared; /* a file, or NULL */
  u64 seed;
  unsigned cases, jobs;
  long only_case;
  int mode;
  bool list_rows, strict;
};

struct row_result {
  u64 cases, failures;
  u64 whole;         /* sequences that came to their end */
  u64 least;         /* cases of a form x width */
  unsigned variants, groups; /* that were run */
};
/* The rows, and behind them the pools of sequences, are shared out to workers. */
enum { JOBS_MAX = 16, UNIT_NONE = -1 };
struct job {
  u64 beat; /* moves while the worker works; 0: it never began */
  unsigned long index;
  int unit; /* in hand */
};
struct shared {
  unsigned next; /* unit that nobody has taken */
  bool ldt;
  struct job job[JOBS_MAX];
  struct row_result row[];
};
unsigned unit_count(void);
bool unit_wanted(const struct options *o, unsigned unit);

/* Why a row is not run here; NULL: it is. */
const char *row_skipped(const struct cpu_model *m, const struct oprow *row);
bool row_wanted(const struct options *o, const struct oprow *row);

/* Prints all that the options want. Returns the exit status. */
int summarise(const struct options *o, const struct shared *s);

#endif
