/* fcntl()'s arguments and results as strace prints them. man 2 fcntl; Linux include/uapi/asm-generic/fcntl.h.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>

#include "app/strace_names.h"
#include "app/strace_value.h"
#include "linux_abi/layout.h"
#include "linux_abi/uaccess.h"

enum { GETLK64 = 12, SETLKW64 = 14 };
#define N(x) \
  { x, #x }

static bool is_lock(u64 cmd) {
  return (cmd >= F_GETLK && cmd <= F_SETLKW) || (cmd >= F_OFD_GETLK && cmd <= F_OFD_SETLKW);
}

bool strace_fcntl_absent(u64 cmd) {
  return cmd == F_GETFD || cmd == F_GETFL || cmd == F_GETOWN || cmd == F_GETSIG || cmd == F_GETLEASE ||
         cmd == F_GETPIPE_SZ || cmd == F_GET_SEALS;
}

bool strace_fcntl_fills(u64 cmd) {
  return cmd == F_GETLK || cmd == F_OFD_GETLK || cmd == GETLK64 || cmd == F_GETOWN_EX;
}

static void put_lock_type(FILE *f, u64 v) {
  static const struct strace_name types[] = {N(F_RDLCK), N(F_WRLCK), N(F_UNLCK)};
  STRACE_VALUE(f, types, v, "F");
}

static int put_lock(const struct strace_call *c, u64 addr) {
  u64 cmd = c->a[1];
  struct flock l;
  bool narrow = c->t->compat && cmd <= F_SETLKW, wide = c->t->compat && !narrow;
  if (narrow) {
    struct i386_flock n;
    if (ua_read(c->t, &n, addr, sizeof n)) return -1;
    l = (struct flock){n.l_type, n.l_whence, n.l_start, n.l_len, n.l_pid};
  } else if (wide) {
    struct i386_flock64 n;
    if (ua_read(c->t, &n, addr, sizeof n)) return -1;
    l = (struct flock){n.l_type, n.l_whence, n.l_start, n.l_len, n.l_pid};
  } else if (ua_read(c->t, &l, addr, sizeof l)) {
    return -1;
  }
  fputs("{l_type=", c->f);
  put_lock_type(c->f, (u16)l.l_type);
  fputs(", l_whence=", c->f);
  strace_named(c->f, 'w', (u16)l.l_whence);
  fprintf(c->f, ", l_start=%" PRId64 ", l_len=%" PRId64, (s64)l.l_start, (s64)l.l_len);
  if (strace_fcntl_fills(cmd)) fprintf(c->f, ", l_pid=%d", l.l_pid);
  fputc('}', c->f);
  return 0;
}

static int put_owner(const struct strace_call *c, u64 addr) {
  static const struct strace_name types[] = {N(F_OWNER_TID), N(F_OWNER_PID), N(F_OWNER_PGRP)};
  u32 v[2];
  if (ua_read(c->t, v, addr, sizeof v)) return -1;
  fputs("{type=", c->f);
  STRACE_VALUE(c->f, types, v[0], "F_OWNER");
  fprintf(c->f, ", pid=%d}", (s32)v[1]);
  return 0;
}

void strace_fcntl_argument(const struct strace_call *c, u64 cmd, u64 v) {
  static const struct strace_name fd_flags[] = {N(FD_CLOEXEC)},
                                  seals[] = {N(F_SEAL_SEAL),
                                             N(F_SEAL_SHRINK),
                                             N(F_SEAL_GROW),
                                             N(F_SEAL_WRITE),
                                             {16, "F_SEAL_FUTURE_WRITE"}},
                                  notify[] = {N(DN_ACCESS),
                                              N(DN_MODIFY),
                                              N(DN_CREATE),
                                              N(DN_DELETE),
                                              N(DN_RENAME),
                                              N(DN_ATTRIB),
                                              {0x80000000, "DN_MULTISHOT"}};
  if (is_lock(cmd) || (c->t->compat && cmd >= GETLK64 && cmd <= SETLKW64)) {
    strace_or_pointer(c, v, put_lock);
    return;
  }
  switch (cmd) {
    case F_SETFD: STRACE_FLAGS(c->f, fd_flags, v, "0"); break;
    case F_SETFL: strace_open_flags(c->f, v); break;
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
    case F_SETOWN:
    case F_SETPIPE_SZ: fprintf(c->f, "%d", (int)v); break;
    case F_SETSIG: strace_signo(c->f, (int)v); break;
    case F_SETLEASE: put_lock_type(c->f, v); break;
    case F_NOTIFY: STRACE_FLAGS(c->f, notify, v, "0"); break;
    case F_ADD_SEALS: STRACE_FLAGS(c->f, seals, v, "0"); break;
    case F_SETOWN_EX:
    case F_GETOWN_EX: strace_or_pointer(c, v, put_owner); break;
    default: fprintf(c->f, "%#" PRIx64, v);
  }
}

bool strace_fcntl_result(const struct strace_call *c, u64 cmd, u64 bits) {
  if (!bits && cmd != F_GETLEASE) return false;
  switch (cmd) {
    case F_GETFL:
      fprintf(c->f, "0x%" PRIx64 " (flags ", bits);
      strace_open_flags(c->f, bits);
      break;
    case F_GETFD: fprintf(c->f, "0x%" PRIx64 " (flags FD_CLOEXEC", bits); break;
    case F_GETSIG:
      fprintf(c->f, "%" PRIu64 " (", bits);
      strace_signo(c->f, (int)bits);
      break;
    case F_GETLEASE:
      fprintf(c->f, "%#" PRIx64 " (", bits);
      put_lock_type(c->f, bits);
      break;
    default: return false;
  }
  fputc(')', c->f);
  return true;
}
