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
/* As strace_struct(), for those of strace_system.c: file systems, groups, processors, memory. -1: it cannot
 * be read. */
int strace_system_struct(const struct strace_call *c, char letter, unsigned word);

/* Calls whose last argument is what another says: its kind, itself; and whether the call fills it in. */
void strace_ioctl_request(FILE *f, u32 request);
bool strace_ioctl_absent(u32 request);
bool strace_ioctl_fills(u32 request);
void strace_ioctl_argument(const struct strace_call *c, u32 request, u64 v);
bool strace_fcntl_absent(u64 cmd);
bool strace_fcntl_fills(u64 cmd);
void strace_fcntl_argument(const struct strace_call *c, u64 cmd, u64 v);
/* True: this is the whole result. */
bool strace_fcntl_result(const struct strace_call *c, u64 cmd, u64 bits);
void strace_prctl_option(FILE *f, u32 option);
bool strace_prctl_fills(u32 option);
/* All that follow the option. */
void strace_prctl_arguments(const struct strace_call *c);
/* Is the result in hexadecimal? */
bool strace_prctl_bits(const struct strace_call *c);
void strace_prctl_note(const struct strace_call *c);

/* At most `most` characters of a string, "..." behind more. */
void strace_string(const struct strace_call *c, u64 addr, u64 most);
/* Prints what fn() does, or if that fails the pointer alone. */
typedef int strace_put(const struct strace_call *c, u64 addr);
void strace_or_pointer(const struct strace_call *c, u64 addr, strace_put *fn);

/* What strace adds in parentheses to the result of a call that has filled in something. */
void strace_result_note(const struct strace_call *c);
void strace_siginfo(FILE *f, const siginfo_t *info);

#endif
