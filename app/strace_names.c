/* Flags and enumerations of system call arguments by name. man 2 open, mmap, lseek, clock_gettime, ioctl_tty, fcntl. */
#define _GNU_SOURCE
#include "app/strace_names.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct name {
  u64 value;
  const char *text;
};
#define N(x) {x, #x}
/* The guests' values are those of the x86 hosts' headers: both ABIs share them. */
static const struct name open_flags[] = {N(O_CREAT), N(O_EXCL), N(O_NOCTTY), N(O_TRUNC), N(O_APPEND), N(O_NONBLOCK),
                                         N(O_CLOEXEC), N(O_NOFOLLOW), N(O_TMPFILE), N(O_DIRECTORY), N(O_SYNC),
                                         N(O_DSYNC), N(O_NOATIME), N(O_PATH), N(O_DIRECT), {0100000, "O_LARGEFILE"}};
static const struct name access_modes[] = {N(R_OK), N(W_OK), N(X_OK)};
static const struct name whences[] = {N(SEEK_SET), N(SEEK_CUR), N(SEEK_END), N(SEEK_DATA), N(SEEK_HOLE)};
static const struct name clocks[] = {N(CLOCK_REALTIME), N(CLOCK_MONOTONIC), N(CLOCK_PROCESS_CPUTIME_ID),
                                     N(CLOCK_THREAD_CPUTIME_ID), N(CLOCK_MONOTONIC_RAW), N(CLOCK_REALTIME_COARSE),
                                     N(CLOCK_MONOTONIC_COARSE), N(CLOCK_BOOTTIME), N(CLOCK_TAI)};
static const struct name protections[] = {N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC), N(PROT_GROWSDOWN)};
static const struct name map_flags[] = {N(MAP_SHARED), N(MAP_PRIVATE), N(MAP_FIXED), N(MAP_ANONYMOUS),
                                        N(MAP_GROWSDOWN), N(MAP_DENYWRITE), N(MAP_NORESERVE), N(MAP_POPULATE),
                                        N(MAP_STACK), N(MAP_HUGETLB), N(MAP_FIXED_NOREPLACE)};
static const struct name ioctls[] = {N(TCGETS), N(TCSETS), N(TCSETSW), N(TCSETSF), N(TIOCGWINSZ), N(TIOCSWINSZ),
                                     N(TIOCGPGRP), N(TIOCSPGRP), N(FIONREAD), N(FIONBIO), N(TIOCGPTN)};
static const struct name fcntls[] = {N(F_DUPFD), N(F_GETFD), N(F_SETFD), N(F_GETFL), N(F_SETFL), N(F_GETLK),
                                     N(F_SETLK), N(F_SETLKW), N(F_SETOWN), N(F_GETOWN), N(F_DUPFD_CLOEXEC),
                                     N(F_GETPIPE_SZ), N(F_SETPIPE_SZ), {12, "F_GETLK64"}, {13, "F_SETLK64"}};
#undef N

/* Bits by name, what is left in hexadecimal; zero is `none`. */
static void put_flags(FILE *f, const struct name *n, size_t count, u64 v, const char *none) {
  const char *sep = "";
  if (!v) fputs(none, f);
  for (size_t k = 0; k < count; k++) {
    if (!n[k].value || (v & n[k].value) != n[k].value) continue;
    fprintf(f, "%s%s", sep, n[k].text);
    v &= ~n[k].value;
    sep = "|";
  }
  if (v) fprintf(f, "%s0x%" PRIx64, sep, v);
}

static void put_value(FILE *f, const struct name *n, size_t count, u64 v) {
  for (size_t k = 0; k < count; k++)
    if (n[k].value == v) {
      fputs(n[k].text, f);
      return;
    }
  fprintf(f, "0x%" PRIx64, v);
}

static void put_open_flags(FILE *f, u64 v) {
  static const char *const mode[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  fputs(mode[v & O_ACCMODE], f);
  v &= ~(u64)O_ACCMODE;
  if (!v) return;
  fputc('|', f);
  put_flags(f, open_flags, sizeof open_flags / sizeof *open_flags, v, "");
}

void strace_dirfd(FILE *f, int fd) {
  if (fd == AT_FDCWD) fputs("AT_FDCWD", f);
  else fprintf(f, "%d", fd);
}

#define FLAGS(table, none) put_flags(f, table, sizeof table / sizeof *table, v, none)
#define VALUE(table) put_value(f, table, sizeof table / sizeof *table, v)
bool strace_named(FILE *f, char letter, u64 v) {
  switch (letter) {
    case 'o': put_open_flags(f, v); return true;
    case 'a': FLAGS(access_modes, "F_OK"); return true;
    case 'w': VALUE(whences); return true;
    case 'k': VALUE(clocks); return true;
    case 'P': FLAGS(protections, "PROT_NONE"); return true;
    case 'M': FLAGS(map_flags, "0"); return true;
    case 'c': VALUE(ioctls); return true;
    case 'C': VALUE(fcntls); return true;
    case 'S': {
      const char *abbrev = v < 65 ? sigabbrev_np((int)v) : NULL;
      if (abbrev) fprintf(f, "SIG%s", abbrev);
      else fprintf(f, "%" PRIu64, v);
      return true;
    }
    default: return false;
  }
}
