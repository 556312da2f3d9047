/* What a file is, and changing that: man 2 stat, statx, access, chmod, chown, utimensat, umask. Linux
 * fs/stat.c, arch/x86/kernel/sys_ia32.c (cp_stat64), fs/utimes.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <utime.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

enum { STATX_BYTES = 256 };

/* --- stat --- */

/* A path to look at, as newfstatat takes it. */
static const char *stat_path(const struct task *t, s64 dirfd, u64 path, int flags) {
  return flags & AT_SYMLINK_NOFOLLOW ? path_arg(t, path) : path_follow_at(t, dirfd, path);
}

/* The host's structure, straight to the program. */
static s64 stat_native(struct task *t, s64 dirfd, u64 path, u64 to, int flags) {
  s64 r = HOST(SYS_newfstatat, dirfd, stat_path(t, dirfd, path, flags), ua_host(t, to, sizeof(struct stat)), flags);
  if (!r) ua_wrote(t, to, sizeof(struct stat));
  return r;
}

static u16 narrow_id(u32 id) {
  enum { OVERFLOW_ID = 65534 };
  return id > 0xffff ? OVERFLOW_ID : (u16)id;
}

/* old_encode_dev() */
static u16 narrow_dev(dev_t dev) { return (u16)((major(dev) & 0xff) << 8 | (minor(dev) & 0xff)); }

static s64 put_old(struct task *t, u64 to, const struct stat *st) {
  struct i386_oldstat o = {
      .st_dev = narrow_dev(st->st_dev), .st_ino = (u16)st->st_ino, .st_mode = (u16)st->st_mode,
      .st_nlink = (u16)st->st_nlink, .st_uid = narrow_id(st->st_uid), .st_gid = narrow_id(st->st_gid),
      .st_rdev = narrow_dev(st->st_rdev), .st_size = (u32)st->st_size, .st_atime_ = (u32)st->st_atim.tv_sec,
      .st_mtime_ = (u32)st->st_mtim.tv_sec, .st_ctime_ = (u32)st->st_ctim.tv_sec};
  if (o.st_ino != st->st_ino || o.st_nlink != st->st_nlink) return -EOVERFLOW;
  return ua_write(t, to, &o, sizeof o);
}

static s64 put_middle(struct task *t, u64 to, const struct stat *st) {
  struct i386_stat o = {
      .st_dev = (u32)st->st_dev, .st_ino = (u32)st->st_ino, .st_mode = (u16)st->st_mode,
      .st_nlink = (u16)st->st_nlink, .st_uid = narrow_id(st->st_uid), .st_gid = narrow_id(st->st_gid),
      .st_rdev = (u32)st->st_rdev, .st_size = (u32)st->st_size, .st_blksize = (u32)st->st_blksize,
      .st_blocks = (u32)st->st_blocks, .st_atime_ = (u32)st->st_atim.tv_sec,
      .st_atime_nsec = (u32)st->st_atim.tv_nsec,
      .st_mtime_ = (u32)st->st_mtim.tv_sec, .st_mtime_nsec = (u32)st->st_mtim.tv_nsec,
      .st_ctime_ = (u32)st->st_ctim.tv_sec,
      .st_ctime_nsec = (u32)st->st_ctim.tv_nsec};
  if (o.st_ino != st->st_ino || o.st_nlink != st->st_nlink || st->st_size > INT32_MAX) return -EOVERFLOW;
  return ua_write(t, to, &o, sizeof o);
}

static s64 put_64(struct task *t, u64 to, const struct stat *st) {
  struct i386_stat64 o = {
      .st_dev = st->st_dev, .low_ino = (u32)st->st_ino, .st_mode = st->st_mode, .st_nlink = (u32)st->st_nlink,
      .st_uid = st->st_uid, .st_gid = st->st_gid, .st_rdev = st->st_rdev, .st_size = st->st_size,
      .st_blksize = (u32)st->st_blksize, .st_blocks = (u64)st->st_blocks,
      .st_atime_ = (u32)st->st_atim.tv_sec, .st_atime_nsec = (u32)st->st_atim.tv_nsec,
      .st_mtime_ = (u32)st->st_mtim.tv_sec, .st_mtime_nsec = (u32)st->st_mtim.tv_nsec,
      .st_ctime_ = (u32)st->st_ctim.tv_sec,
      .st_ctime_nsec = (u32)st->st_ctim.tv_nsec, .st_ino = st->st_ino};
  /* cp_stat64() leaves the padding alone. */
  enum { PAD = sizeof(u32), PAD0 = offsetof(struct i386_stat64, pad0) };
  enum { PAD3 = offsetof(struct i386_stat64, pad3) };
  const u8 *b = (const u8 *)&o;
  if (ua_write(t, to, b, PAD0)) return -EFAULT;
  if (ua_write(t, to + PAD0 + PAD, b + PAD0 + PAD, PAD3 - PAD0 - PAD)) return -EFAULT;
  return ua_write(t, to + PAD3 + PAD, b + PAD3 + PAD, sizeof o - PAD3 - PAD);
}

typedef s64 put_fn(struct task *t, u64 to, const struct stat *st);

static s64 stat_path_32(struct task *t, s64 dirfd, u64 path, u64 to, int flags, put_fn *put) {
  struct stat st;
  s64 r = HOST(SYS_newfstatat, dirfd, stat_path(t, dirfd, path, flags), &st, flags);
  return r ? r : put(t, to, &st);
}

static s64 stat_fd_32(struct task *t, const u64 a[6], put_fn *put) {
  struct stat st;
  s64 r = HOST(SYS_fstat, fd_arg(t, a[0]), &st);
  return r ? r : put(t, a[1], &st);
}

s64 sys_stat(struct task *t, const u64 a[6]) { return stat_native(t, AT_FDCWD, a[0], a[1], 0); }
s64 sys_lstat(struct task *t, const u64 a[6]) {
  return stat_native(t, AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW);
}
s64 sys_newfstatat(struct task *t, const u64 a[6]) {
  return stat_native(t, fd_arg(t, a[0]), a[1], a[2], (int)a[3]);
}
s64 sys_fstat(struct task *t, const u64 a[6]) {
  s64 r = HOST(SYS_fstat, fd_arg(t, a[0]), ua_host(t, a[1], sizeof(struct stat)));
  if (!r) ua_wrote(t, a[1], sizeof(struct stat));
  return r;
}

s64 sys_oldstat(struct task *t, const u64 a[6]) { return stat_path_32(t, AT_FDCWD, a[0], a[1], 0, put_old); }
s64 sys_oldlstat(struct task *t, const u64 a[6]) {
  return stat_path_32(t, AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW, put_old);
}
s64 sys_oldfstat(struct task *t, const u64 a[6]) { return stat_fd_32(t, a, put_old); }
s64 sys_stat_32(struct task *t, const u64 a[6]) {
  return stat_path_32(t, AT_FDCWD, a[0], a[1], 0, put_middle);
}
s64 sys_lstat_32(struct task *t, const u64 a[6]) {
  return stat_path_32(t, AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW, put_middle);
}
s64 sys_fstat_32(struct task *t, const u64 a[6]) { return stat_fd_32(t, a, put_middle); }
s64 sys_stat64(struct task *t, const u64 a[6]) { return stat_path_32(t, AT_FDCWD, a[0], a[1], 0, put_64); }
s64 sys_lstat64(struct task *t, const u64 a[6]) {
  return stat_path_32(t, AT_FDCWD, a[0], a[1], AT_SYMLINK_NOFOLLOW, put_64);
}
s64 sys_fstat64(struct task *t, const u64 a[6]) { return stat_fd_32(t, a, put_64); }
s64 sys_fstatat64(struct task *t, const u64 a[6]) {
  return stat_path_32(t, fd_arg(t, a[0]), a[1], a[2], (int)a[3], put_64);
}

s64 sys_statx(struct task *t, const u64 a[6]) {
  int flags = (int)a[2];
  s64 r = HOST(SYS_statx, fd_arg(t, a[0]), stat_path(t, fd_arg(t, a[0]), a[1], flags), flags, (u32)a[3],
               ua_host(t, a[4], STATX_BYTES));
  if (!r) ua_wrote(t, a[4], STATX_BYTES);
  return r;
}

/* --- access, chmod, umask --- */

s64 sys_access(struct task *t, const u64 a[6]) { return HOST(SYS_access, path_follow(t, a[0]), (int)a[1]); }
s64 sys_faccessat(struct task *t, const u64 a[6]) {
  return HOST(SYS_faccessat, fd_arg(t, a[0]), path_follow_at(t, fd_arg(t, a[0]), a[1]), (int)a[2]);
}
s64 sys_faccessat2(struct task *t, const u64 a[6]) {
  return HOST(SYS_faccessat2, fd_arg(t, a[0]), stat_path(t, fd_arg(t, a[0]), a[1], (int)a[3]), (int)a[2], (int)a[3]);
}
s64 sys_chmod(struct task *t, const u64 a[6]) { return HOST(SYS_chmod, path_follow(t, a[0]), (u32)a[1]); }
s64 sys_fchmod(struct task *t, const u64 a[6]) { return HOST(SYS_fchmod, fd_arg(t, a[0]), (u32)a[1]); }
s64 sys_fchmodat(struct task *t, const u64 a[6]) {
  return HOST(SYS_fchmodat, fd_arg(t, a[0]), path_follow_at(t, fd_arg(t, a[0]), a[1]), (u32)a[2]);
}
s64 sys_fchmodat2(struct task *t, const u64 a[6]) {
  return HOST(SYS_fchmodat2, fd_arg(t, a[0]), stat_path(t, fd_arg(t, a[0]), a[1], (int)a[3]), (u32)a[2], (u32)a[3]);
}
s64 sys_umask(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_umask, (u32)a[0]);
}

/* --- chown --- */

s64 sys_chown(struct task *t, const u64 a[6]) {
  return HOST(SYS_chown, path_follow(t, a[0]), (u32)a[1], (u32)a[2]);
}
s64 sys_lchown(struct task *t, const u64 a[6]) {
  return HOST(SYS_lchown, path_arg(t, a[0]), (u32)a[1], (u32)a[2]);
}
s64 sys_fchown(struct task *t, const u64 a[6]) {
  return HOST(SYS_fchown, fd_arg(t, a[0]), (u32)a[1], (u32)a[2]);
}
s64 sys_fchownat(struct task *t, const u64 a[6]) {
  int dir = fd_arg(t, a[0]), flags = (int)a[4];
  return HOST(SYS_fchownat, dir, stat_path(t, dir, a[1], flags), (u32)a[2], (u32)a[3], flags);
}

/* low2highuid(): -1 stays -1. */
static u32 wide_id(u64 id) { return (u16)id == 0xffff ? ~UINT32_C(0) : (u16)id; }

s64 sys_chown_16(struct task *t, const u64 a[6]) {
  return sys_chown(t, (const u64[6]){a[0], wide_id(a[1]), wide_id(a[2])});
}
s64 sys_lchown_16(struct task *t, const u64 a[6]) {
  return sys_lchown(t, (const u64[6]){a[0], wide_id(a[1]), wide_id(a[2])});
}
s64 sys_fchown_16(struct task *t, const u64 a[6]) {
  return sys_fchown(t, (const u64[6]){a[0], wide_id(a[1]), wide_id(a[2])});
}

/* --- Times --- */

s64 sys_utime(struct task *t, const u64 a[6]) {
  return HOST(SYS_utime, path_follow(t, a[0]), ua_opt(t, a[1], sizeof(struct utimbuf)));
}
s64 sys_utime_32(struct task *t, const u64 a[6]) {
  struct i386_utimbuf in;
  if (!a[1]) return sys_utime(t, a);
  if (ua_read(t, &in, a[1], sizeof in)) return -EFAULT;
  struct utimbuf b = {in.actime, in.modtime};
  return HOST(SYS_utime, path_follow(t, a[0]), &b);
}

static s64 set_timevals(struct task *t, s64 dirfd, u64 path, u64 times) {
  struct timeval tv[2];
  u64 size = t->compat ? sizeof(struct i386_timeval) : sizeof(struct timeval);
  if (times && (tv_read(t, &tv[0], times) || tv_read(t, &tv[1], times + size))) return -EFAULT;
  return HOST(SYS_futimesat, dirfd, path_follow_at(t, dirfd, path), times ? tv : NULL);
}

s64 sys_utimes(struct task *t, const u64 a[6]) { return set_timevals(t, AT_FDCWD, a[0], a[1]); }
s64 sys_futimesat(struct task *t, const u64 a[6]) { return set_timevals(t, fd_arg(t, a[0]), a[1], a[2]); }

static s64 set_timespecs(struct task *t, const u64 a[6], enum time_layout l) {
  struct timespec ts[2];
  u64 size = l == TIME_OLD32 ? sizeof(struct i386_timespec) : sizeof(struct timespec);
  if (a[2] && (ts_read(t, &ts[0], a[2], l) || ts_read(t, &ts[1], a[2] + size, l))) return -EFAULT;
  int dir = fd_arg(t, a[0]), flags = (int)a[3];
  return HOST(SYS_utimensat, dir, stat_path(t, dir, a[1], flags), a[2] ? ts : NULL, flags);
}

s64 sys_utimensat(struct task *t, const u64 a[6]) { return set_timespecs(t, a, time_layout(t)); }
s64 sys_utimensat_32(struct task *t, const u64 a[6]) { return set_timespecs(t, a, TIME_OLD32); }
