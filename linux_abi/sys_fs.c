/* File systems, sizes, write-back and extended attributes: man 2 statfs, truncate, fallocate, sync,
 * posix_fadvise, 7 xattr. Linux fs/statfs.c, fs/open.c, fs/sync.c, fs/xattr.c, arch/x86/kernel/sys_ia32.c
 * (the split offsets). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

/* An i386 offset in two words. */
static s64 pair(const u64 a[2]) { return (s64)(a[0] | a[1] << 32); }

/* --- statfs --- */

s64 sys_statfs(struct task *t, const u64 a[6]) {
  s64 r = HOST(SYS_statfs, path_follow(t, a[0]), ua_host(t, a[1], sizeof(struct statfs)));
  if (!r) ua_wrote(t, a[1], sizeof(struct statfs));
  return r;
}

s64 sys_fstatfs(struct task *t, const u64 a[6]) {
  s64 r = HOST(SYS_fstatfs, fd_arg(t, a[0]), ua_host(t, a[1], sizeof(struct statfs)));
  if (!r) ua_wrote(t, a[1], sizeof(struct statfs));
  return r;
}

/* put_compat_statfs(): "unknown" (-1) numbers of inodes may be cut. */
static bool fits_inodes(u64 n) { return n <= UINT32_MAX || n == ~UINT64_C(0); }

static s64 put_statfs_32(struct task *t, u64 to, const struct statfs *s) {
  if ((s->f_blocks | s->f_bfree | s->f_bavail | (u64)s->f_bsize | (u64)s->f_frsize) >> 32) return -EOVERFLOW;
  if (!fits_inodes(s->f_files) || !fits_inodes(s->f_ffree)) return -EOVERFLOW;
  struct i386_statfs o = {
      .f_type = (u32)s->f_type, .f_bsize = (u32)s->f_bsize, .f_blocks = (u32)s->f_blocks,
      .f_bfree = (u32)s->f_bfree, .f_bavail = (u32)s->f_bavail, .f_files = (u32)s->f_files,
      .f_ffree = (u32)s->f_ffree, .f_fsid = {s->f_fsid.__val[0], s->f_fsid.__val[1]},
      .f_namelen = (u32)s->f_namelen,
      .f_frsize = (u32)s->f_frsize, .f_flags = (u32)s->f_flags};
  return ua_write(t, to, &o, sizeof o);
}

static s64 put_statfs_64(struct task *t, u64 to, const struct statfs *s) {
  if (((u64)s->f_bsize | (u64)s->f_frsize) >> 32) return -EOVERFLOW;
  struct i386_statfs64 o = {
      .f_type = (u32)s->f_type, .f_bsize = (u32)s->f_bsize, .f_blocks = s->f_blocks, .f_bfree = s->f_bfree,
      .f_bavail = s->f_bavail, .f_files = s->f_files, .f_ffree = s->f_ffree,
      .f_fsid = {s->f_fsid.__val[0], s->f_fsid.__val[1]},
      .f_namelen = (u32)s->f_namelen,
      .f_frsize = (u32)s->f_frsize, .f_flags = (u32)s->f_flags};
  return ua_write(t, to, &o, sizeof o);
}

s64 sys_statfs_32(struct task *t, const u64 a[6]) {
  struct statfs s;
  s64 r = HOST(SYS_statfs, path_follow(t, a[0]), &s);
  return r ? r : put_statfs_32(t, a[1], &s);
}
s64 sys_fstatfs_32(struct task *t, const u64 a[6]) {
  struct statfs s;
  s64 r = HOST(SYS_fstatfs, fd_arg(t, a[0]), &s);
  return r ? r : put_statfs_32(t, a[1], &s);
}
s64 sys_statfs64(struct task *t, const u64 a[6]) {
  struct statfs s;
  if (a[1] != sizeof(struct i386_statfs64)) return -EINVAL;
  s64 r = HOST(SYS_statfs, path_follow(t, a[0]), &s);
  return r ? r : put_statfs_64(t, a[2], &s);
}
s64 sys_fstatfs64(struct task *t, const u64 a[6]) {
  struct statfs s;
  if (a[1] != sizeof(struct i386_statfs64)) return -EINVAL;
  s64 r = HOST(SYS_fstatfs, fd_arg(t, a[0]), &s);
  return r ? r : put_statfs_64(t, a[2], &s);
}

/* --- Sizes --- */

s64 sys_truncate(struct task *t, const u64 a[6]) { return WAIT(t, SYS_truncate, path_follow(t, a[0]), a[1]); }
s64 sys_truncate_32(struct task *t, const u64 a[6]) {
  return WAIT(t, SYS_truncate, path_follow(t, a[0]), (s64)(s32)a[1]);
}
s64 sys_truncate64(struct task *t, const u64 a[6]) {
  return WAIT(t, SYS_truncate, path_follow(t, a[0]), pair(a + 1));
}
s64 sys_ftruncate(struct task *t, const u64 a[6]) { return WAIT(t, SYS_ftruncate, fd_arg(t, a[0]), a[1]); }
s64 sys_ftruncate_32(struct task *t, const u64 a[6]) {
  return WAIT(t, SYS_ftruncate, fd_arg(t, a[0]), (s64)(s32)a[1]);
}
/* ksys_ftruncate(): a descriptor without O_LARGEFILE cannot make a large file. */
s64 sys_ftruncate64(struct task *t, const u64 a[6]) {
  int fd = fd_arg(t, a[0]);
  if (files_small(t, fd) && pair(a + 1) > INT32_MAX) return -EINVAL;
  return WAIT(t, SYS_ftruncate, fd, pair(a + 1));
}
s64 sys_fallocate(struct task *t, const u64 a[6]) {
  return WAIT(t, SYS_fallocate, fd_arg(t, a[0]), (int)a[1], a[2], a[3]);
}
s64 sys_fallocate_32(struct task *t, const u64 a[6]) {
  return WAIT(t, SYS_fallocate, fd_arg(t, a[0]), (int)a[1], pair(a + 2), pair(a + 4));
}

/* --- Write-back and read-ahead --- */

s64 sys_sync(struct task *t, const u64 a[6]) {
  (void)t, (void)a;
  return HOST(SYS_sync);
}
s64 sys_syncfs(struct task *t, const u64 a[6]) { return HOST(SYS_syncfs, fd_arg(t, a[0])); }
s64 sys_fsync(struct task *t, const u64 a[6]) { return WAIT(t, SYS_fsync, fd_arg(t, a[0])); }
s64 sys_fdatasync(struct task *t, const u64 a[6]) { return WAIT(t, SYS_fdatasync, fd_arg(t, a[0])); }
s64 sys_sync_file_range(struct task *t, const u64 a[6]) {
  return WAIT(t, SYS_sync_file_range, fd_arg(t, a[0]), a[1], a[2], (u32)a[3]);
}
s64 sys_sync_file_range_32(struct task *t, const u64 a[6]) {
  return WAIT(t, SYS_sync_file_range, fd_arg(t, a[0]), pair(a + 1), pair(a + 3), (u32)a[5]);
}
s64 sys_fadvise64(struct task *t, const u64 a[6]) {
  return HOST(SYS_fadvise64, fd_arg(t, a[0]), a[1], a[2], (int)a[3]);
}
s64 sys_fadvise64_32(struct task *t, const u64 a[6]) {
  return HOST(SYS_fadvise64, fd_arg(t, a[0]), pair(a + 1), a[3], (int)a[4]);
}
s64 sys_fadvise64_64(struct task *t, const u64 a[6]) {
  return HOST(SYS_fadvise64, fd_arg(t, a[0]), pair(a + 1), pair(a + 3), (int)a[5]);
}
s64 sys_readahead(struct task *t, const u64 a[6]) { return HOST(SYS_readahead, fd_arg(t, a[0]), a[1], a[2]); }
s64 sys_readahead_32(struct task *t, const u64 a[6]) {
  return HOST(SYS_readahead, fd_arg(t, a[0]), pair(a + 1), a[3]);
}

/* --- Extended attributes --- */

s64 sys_setxattr(struct task *t, const u64 a[6]) {
  return HOST(SYS_setxattr, path_follow(t, a[0]), path_arg(t, a[1]), ua_opt(t, a[2], a[3]), a[3], (int)a[4]);
}
s64 sys_lsetxattr(struct task *t, const u64 a[6]) {
  return HOST(SYS_lsetxattr, path_arg(t, a[0]), path_arg(t, a[1]), ua_opt(t, a[2], a[3]), a[3], (int)a[4]);
}
s64 sys_fsetxattr(struct task *t, const u64 a[6]) {
  return HOST(SYS_fsetxattr, fd_arg(t, a[0]), path_arg(t, a[1]), ua_opt(t, a[2], a[3]), a[3], (int)a[4]);
}

/* What the host has filled in at `to`. */
static s64 filled(struct task *t, u64 to, s64 r) {
  if (r > 0) ua_wrote(t, to, (u64)r);
  return r;
}

s64 sys_getxattr(struct task *t, const u64 a[6]) {
  s64 r = HOST(SYS_getxattr, path_follow(t, a[0]), path_arg(t, a[1]), ua_opt(t, a[2], a[3]), a[3]);
  return filled(t, a[2], r);
}
s64 sys_lgetxattr(struct task *t, const u64 a[6]) {
  s64 r = HOST(SYS_lgetxattr, path_arg(t, a[0]), path_arg(t, a[1]), ua_opt(t, a[2], a[3]), a[3]);
  return filled(t, a[2], r);
}
s64 sys_fgetxattr(struct task *t, const u64 a[6]) {
  s64 r = HOST(SYS_fgetxattr, fd_arg(t, a[0]), path_arg(t, a[1]), ua_opt(t, a[2], a[3]), a[3]);
  return filled(t, a[2], r);
}
s64 sys_listxattr(struct task *t, const u64 a[6]) {
  return filled(t, a[1], HOST(SYS_listxattr, path_follow(t, a[0]), ua_opt(t, a[1], a[2]), a[2]));
}
s64 sys_llistxattr(struct task *t, const u64 a[6]) {
  return filled(t, a[1], HOST(SYS_llistxattr, path_arg(t, a[0]), ua_opt(t, a[1], a[2]), a[2]));
}
s64 sys_flistxattr(struct task *t, const u64 a[6]) {
  return filled(t, a[1], HOST(SYS_flistxattr, fd_arg(t, a[0]), ua_opt(t, a[1], a[2]), a[2]));
}
s64 sys_removexattr(struct task *t, const u64 a[6]) {
  return HOST(SYS_removexattr, path_follow(t, a[0]), path_arg(t, a[1]));
}
s64 sys_lremovexattr(struct task *t, const u64 a[6]) {
  return HOST(SYS_lremovexattr, path_arg(t, a[0]), path_arg(t, a[1]));
}
s64 sys_fremovexattr(struct task *t, const u64 a[6]) {
  return HOST(SYS_fremovexattr, fd_arg(t, a[0]), path_arg(t, a[1]));
}
