/* System calls in strace's text format, each line tagged with its entry path. man 1 strace. */
#ifndef APP_STRACE_H
#define APP_STRACE_H

#include <stdio.h>

#include "linux_abi/linux.h"
#include "linux_abi/syscalls.h"

struct strace {
  FILE *out;
  const bool *chosen; /* by row of sys_rows: to be printed; one more for calls without a row */
  bool json;
  bool open;          /* the first half of a line is printed, */
  size_t column;      /* as far as this, its tag not counted */
};

/* The lx_hooks; opaque is a struct strace. */
void strace_enter(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6]);
void strace_exit(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6], s64 ret);
void strace_signal(void *opaque, struct task *t, const siginfo_t *info);
/* Another line is about to be printed: ends the half-printed one. */
void strace_interrupt(struct strace *s);
/* A JSON string; bytes beyond ASCII as Latin-1. */
void strace_json_string(FILE *out, const char *s, size_t n);
/* "+++ exited with 3 +++" */
void strace_end(struct strace *s, const struct lx_status *status);
/* Marks the rows that -e trace=FILTER names: names and classes separated by commas, "!" first: all but these; "all",
 * "none"; NULL: all. -1 and one line if one is unknown. */
MUST_CHECK int strace_choose(const char *filter, bool *chosen);
/* strace_class.c: is the call in this class, of which the name may begin with % ? -1: there is no such class. */
int strace_class_has(const char *class, const char *call);

#endif
