/* Descriptor control and locks: man 2 fcntl, flock. Linux fs/fcntl.c, fs/locks.c.
 *
 *   command               x86_64     i386 (fcntl and fcntl64 are one under a 64-bit kernel)
 *   F_GETLK .. F_SETLKW   flock      i386_flock
 *   F_GETLK64 ..          -EINVAL    i386_flock64
 *   F_OFD_*               flock      i386_flock64
 */
#define _GNU_SOURCE
#include <fcntl.h>

#include <errno.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

/* i386's numbers, which the host does not know. */
enum { I386_GETLK64 = 12, I386_SETLK64 = 13, I386_SETLKW64 = 14 };
enum { LX_O_LARGEFILE = 0100000 };

static bool is_lock(int cmd) {
  return (cmd >= F_GETLK && cmd <= F_SETLKW) || (cmd >= F_OFD_GETLK && cmd <= F_OFD_SETLKW);
}

/* A wait for a lock that has not begun is as good as interrupted: alarms are used to limit such waits. */
static s64 lock_result(int cmd, s64 r) {
  return r == -ERESTARTNOINTR && (cmd == F_SETLKW || cmd == F_OFD_SETLKW) ? -ERESTARTSYS : r;
}

/* The size of what an argument points to, or 0 for a plain value. */
static u64 pointee(int cmd) {
  switch (cmd) {
    case F_SETOWN_EX: case F_GETOWN_EX: return sizeof(struct f_owner_ex);
    case F_GET_RW_HINT: case F_SET_RW_HINT: return sizeof(u64);
    case F_GET_FILE_RW_HINT: case F_SET_FILE_RW_HINT: return sizeof(u64);
    case 17: return 2 * sizeof(u32); /* F_GETOWNER_UIDS */
    default: return is_lock(cmd) ? sizeof(struct flock) : 0;
  }
}

/* Commands that are alike for all. */
static s64 common(struct task *t, int fd, int cmd, u64 arg) {
  u64 size = pointee(cmd);
  if (size) {
    s64 r = lock_result(cmd, WAIT(t, SYS_fcntl, fd, cmd, ua_host(t, arg, size)));
    if (r >= 0) ua_wrote(t, arg, size);
    return r;
  }
  s64 r = WAIT(t, SYS_fcntl, fd, cmd, arg);
  if (r < 0) return r;
  if (cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC) files_set_small(t, (int)r, files_small(t, fd));
  if (cmd == F_GETFL && t->compat && files_small(t, fd)) r &= ~LX_O_LARGEFILE;
  return r;
}

s64 sys_fcntl(struct task *t, const u64 a[6]) { return common(t, fd_arg(t, a[0]), (int)a[1], a[2]); }

/* fixup_compat_flock() */
static s64 lock_narrow(struct task *t, int fd, int cmd, u64 addr) {
  struct i386_flock l;
  if (ua_read(t, &l, addr, sizeof l)) return -EFAULT;
  struct flock f = {.l_type = l.l_type, .l_whence = l.l_whence, .l_start = l.l_start, .l_len = l.l_len,
                    .l_pid = l.l_pid};
  s64 r = lock_result(cmd, WAIT(t, SYS_fcntl, fd, cmd, &f));
  if (r || cmd != F_GETLK) return r;
  if (f.l_start > INT32_MAX) return -EOVERFLOW;
  s32 len = f.l_len > INT32_MAX ? INT32_MAX : (s32)f.l_len;
  l = (struct i386_flock){f.l_type, f.l_whence, (s32)f.l_start, len, f.l_pid};
  return ua_write(t, addr, &l, sizeof l);
}

static s64 lock_wide(struct task *t, int fd, int cmd, u64 addr) {
  struct i386_flock64 l;
  if (ua_read(t, &l, addr, sizeof l)) return -EFAULT;
  struct flock f = {.l_type = l.l_type, .l_whence = l.l_whence, .l_start = l.l_start, .l_len = l.l_len,
                    .l_pid = l.l_pid};
  s64 r = lock_result(cmd, WAIT(t, SYS_fcntl, fd, cmd, &f));
  if (r || (cmd != F_GETLK && cmd != F_OFD_GETLK)) return r;
  l = (struct i386_flock64){f.l_type, f.l_whence, f.l_start, f.l_len, f.l_pid};
  return ua_write(t, addr, &l, sizeof l);
}

s64 sys_fcntl64(struct task *t, const u64 a[6]) {
  int fd = fd_arg(t, a[0]), cmd = (int)a[1];
  if (cmd >= I386_GETLK64 && cmd <= I386_SETLKW64)
    return lock_wide(t, fd, cmd - I386_GETLK64 + F_GETLK, a[2]);
  if (cmd >= F_OFD_GETLK && cmd <= F_OFD_SETLKW) return lock_wide(t, fd, cmd, a[2]);
  if (is_lock(cmd)) return lock_narrow(t, fd, cmd, a[2]);
  return common(t, fd, cmd, a[2]);
}

s64 sys_flock(struct task *t, const u64 a[6]) {
  u32 how = (u32)a[1];
  s64 r = WAIT(t, SYS_flock, fd_arg(t, a[0]), how);
  return r == -ERESTARTNOINTR && !(how & LOCK_NB) ? -ERESTARTSYS : r;
}
