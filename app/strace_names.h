/* Flags and enumerations of system call arguments by name. */
#ifndef APP_STRACE_NAMES_H
#define APP_STRACE_NAMES_H

#include <stdio.h>

#include "base/types.h"

/* Prints v by the letter's names: o open flags, a access mode, w whence, k clock, S signal, P protection, M mmap
 * flags, c ioctl, C fcntl. False: the letter has no names. */
bool strace_named(FILE *f, char letter, u64 v);
/* AT_FDCWD or a number. */
void strace_dirfd(FILE *f, int fd);

#endif
