/* System calls in strace's text format, each line tagged with its entry path. man 1 strace. */
#ifndef APP_STRACE_H
#define APP_STRACE_H

#include <stdio.h>

#include "linux_abi/linux.h"
#include "linux_abi/syscalls.h"

struct strace {
  FILE *out;
  const char *filter; /* names separated by commas, "!" first: all but these; NULL: all */
  bool json;
  bool open;          /* the first half of a line is printed */
};

/* The lx_hooks; opaque is a struct strace. */
void strace_enter(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6]);
void strace_exit(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6], s64 ret);
void strace_signal(void *opaque, struct task *t, const siginfo_t *info);
/* "+++ exited with 3 +++" */
void strace_end(struct strace *s, const struct lx_status *status);
/* Does the filter want the call? An unknown name in it is an error of the person's: -1 and one line. */
MUST_CHECK int strace_check_filter(const char *filter);

#endif
