/* The values of one system call in strace's text format. man 1 strace. */
#ifndef APP_STRACE_VALUE_H
#define APP_STRACE_VALUE_H

#include <stdio.h>

#include "linux_abi/syscalls.h"

struct strace_call {
  FILE *f;
  struct task *t;
  const struct sys_row *row;
  const u64 *a; /* six words */
  s64 ret;      /* once it has returned */
};

/* The arguments up to the first that the call fills in (first_half), or those from there on. */
void strace_arguments(const struct strace_call *c, bool first_half);
/* What comes after ") = ". */
void strace_result(const struct strace_call *c);

/* NULL or hexadecimal. */
void strace_pointer(FILE *f, u64 v);
/* A structure, or the pointer to it if it cannot be read. False: the letter is none of a structure. */
bool strace_struct(const struct strace_call *c, char letter, unsigned word);
/* What strace adds in parentheses to the result of a call that has filled in something. */
void strace_result_note(const struct strace_call *c);
void strace_siginfo(FILE *f, const siginfo_t *info);

#endif
