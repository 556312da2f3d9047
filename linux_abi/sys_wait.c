/* Waiting for children, of which a program has none yet. man 2 wait4; Linux kernel/exit.c. */
#include <errno.h>
#include <sys/wait.h>

#include "linux_abi/syscalls.h"

enum { WNOTHREAD = 0x20000000, WALL = 0x40000000, WCLONE = (int)0x80000000 };

s64 sys_wait4(struct task *t, const u64 a[6]) {
  (void)t;
  if ((int)a[2] & ~(WNOHANG | WUNTRACED | WCONTINUED | WNOTHREAD | WALL | WCLONE)) return -EINVAL;
  return (int)a[0] == (-2147483647 - 1) ? -ESRCH : -ECHILD;
}
s64 sys_waitpid(struct task *t, const u64 a[6]) { return sys_wait4(t, a); }
s64 sys_waitid(struct task *t, const u64 a[6]) {
  (void)t;
  int options = (int)a[3];
  if (options & ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | WNOTHREAD | WALL | WCLONE)) return -EINVAL;
  if (!(options & (WEXITED | WSTOPPED | WCONTINUED))) return -EINVAL;
  int id = (int)a[1];
  switch ((int)a[0]) {
    case P_ALL: return -ECHILD;
    case P_PID: return id <= 0 ? -EINVAL : -ECHILD;
    case P_PGID: return id < 0 ? -EINVAL : -ECHILD;
    case P_PIDFD: return id < 0 ? -EINVAL : -EBADF; /* there is no way to get one */
    default: return -EINVAL;
  }
}
