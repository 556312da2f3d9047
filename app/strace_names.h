/* Flags and enumerations of system call arguments by name. */
#ifndef APP_STRACE_NAMES_H
#define APP_STRACE_NAMES_H

#include <stdio.h>

#include "base/types.h"

struct strace_name {
  u64 value;
  const char *text;
};
/* Bits by name, what is left in hexadecimal; zero is `none`. */
void strace_flags(FILE *f, const struct strace_name *n, size_t count, u64 v, const char *none);
/* One value by name. kind: what to call one that has none, as "F" in "F_???"; or NULL. */
void strace_value(FILE *f, const struct strace_name *n, size_t count, u64 v, const char *kind);
#define STRACE_FLAGS(f, table, v, none) strace_flags(f, table, ARRAY_SIZE(table), v, none)
#define STRACE_VALUE(f, table, v, kind) strace_value(f, table, ARRAY_SIZE(table), v, kind)

/* Prints v by the names of a letter of linux_abi/syscalls.def. False: the letter has no names. */
bool strace_named(FILE *f, char letter, u64 v);
/* AT_FDCWD or a number. */
void strace_dirfd(FILE *f, int fd);
/* SIGUSR1, SIGRT_3 or a number. */
void strace_signo(FILE *f, int signo);
/* SEGV_MAPERR and its like, by signal; or a number. */
void strace_si_code(FILE *f, int signo, int code);
/* S_IFREG|0644 */
void strace_mode(FILE *f, u32 mode);
/* O_RDONLY|O_CLOEXEC */
void strace_open_flags(FILE *f, u64 v);
/* [USR1 CHLD], or ~[] of those left out where most are in. */
void strace_sigset(FILE *f, u64 set);
void strace_sa_flags(FILE *f, u64 v);
void strace_poll_events(FILE *f, u64 v);

#endif
