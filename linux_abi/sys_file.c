/* Opening, closing, duplicating, reading and writing files: man 2 open, close, dup, read, write, lseek,
 * pipe. Linux fs/open.c, fs/file.c, fs/read_write.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

/* Which glibc defines as 0 for 64-bit programs. */
enum { LX_O_LARGEFILE = 0100000 };

/* --- open --- */

static bool is_large(const struct stat *st) { return S_ISREG(st->st_mode) && st->st_size > INT32_MAX; }

/* A 32-bit program did not ask for O_LARGEFILE: generic_file_open()'s -EOVERFLOW. */
static s64 keep_small(struct task *t, s64 fd, int flags) {
  struct stat st;
  if (fd < 0 || flags & O_PATH || HOST(SYS_fstat, fd, &st)) return fd;
  if (is_large(&st)) {
    HOST(SYS_close, fd);
    return -EOVERFLOW;
  }
  files_set_small(t, (int)fd, true);
  return fd;
}

static s64 open_at(struct task *t, u64 dirfd, u64 path, int flags, u32 mode) {
  files_ready(t);
  int dir = fd_arg(t, dirfd);
  enum proc_file special = proc_file(t, dir, path);
  const char *host = flags & O_NOFOLLOW ? path_arg(t, path) : path_follow_at(t, dir, path);
  bool small = t->compat && !(flags & LX_O_LARGEFILE);
  struct stat st;
  if (special > PROC_EXE && (flags & O_ACCMODE) == O_RDONLY && !(flags & (O_DIRECTORY | O_PATH)))
    return proc_open(t, special, flags);
  /* The host would have cut it before it could be looked at. */
  if (small && flags & O_TRUNC && !HOST(SYS_newfstatat, dir, host, &st, 0) && is_large(&st))
    return -EOVERFLOW;
  s64 fd = WAIT(t, SYS_openat, dir, host, flags, mode);
  return small ? keep_small(t, fd, flags) : fd;
}

s64 sys_open(struct task *t, const u64 a[6]) {
  return open_at(t, (u64)AT_FDCWD, a[0], (int)a[1], (u32)a[2]);
}

s64 sys_creat(struct task *t, const u64 a[6]) {
  return open_at(t, (u64)AT_FDCWD, a[0], O_CREAT | O_WRONLY | O_TRUNC, (u32)a[1]);
}

s64 sys_openat(struct task *t, const u64 a[6]) { return open_at(t, a[0], a[1], (int)a[2], (u32)a[3]); }

s64 sys_openat2(struct task *t, const u64 a[6]) {
  struct open_how how = {0};
  files_ready(t);
  enum proc_file special = proc_file(t, fd_arg(t, a[0]), a[1]);
  bool plain = special > PROC_EXE && a[3] >= sizeof how && !ua_read(t, &how, a[2], sizeof how) &&
      !how.resolve;
  if (plain && !(how.flags & (O_ACCMODE | O_DIRECTORY | O_PATH)))
    return proc_open(t, special, (int)how.flags);
  return WAIT(t, SYS_openat2, fd_arg(t, a[0]), path_arg(t, a[1]), ua_host(t, a[2], a[3]), a[3]);
}

/* --- Descriptors --- */

s64 sys_close(struct task *t, const u64 a[6]) {
  int fd = fd_arg(t, a[0]);
  files_set_small(t, fd, false);
  return HOST(SYS_close, fd);
}

/* In pieces, around the hidden ones. */
s64 sys_close_range(struct task *t, const u64 a[6]) {
  u32 first = (u32)a[0], last = (u32)a[1];
  s64 r = 0;
  files_ready(t);
  if (first > last) return -EINVAL;
  while (!r) {
    int hidden = first <= INT_MAX ? lx_fd_next_hidden(t, (int)first) : -1;
    if (hidden < 0 || (u32)hidden > last) return HOST(SYS_close_range, first, last, a[2]);
    if ((u32)hidden > first) r = HOST(SYS_close_range, first, (u32)hidden - 1, a[2]);
    if ((u32)hidden == last) break;
    first = (u32)hidden + 1;
  }
  return r;
}

static s64 duplicated(struct task *t, int from, s64 fd) {
  if (fd >= 0) files_set_small(t, (int)fd, files_small(t, from));
  return fd;
}

s64 sys_dup(struct task *t, const u64 a[6]) {
  int fd = fd_arg(t, a[0]);
  return duplicated(t, fd, HOST(SYS_dup, fd));
}

s64 sys_dup2(struct task *t, const u64 a[6]) {
  int fd = fd_arg(t, a[0]);
  return duplicated(t, fd, HOST(SYS_dup2, fd, fd_arg(t, a[1])));
}

s64 sys_dup3(struct task *t, const u64 a[6]) {
  int fd = fd_arg(t, a[0]);
  return duplicated(t, fd, HOST(SYS_dup3, fd, fd_arg(t, a[1]), a[2]));
}

static s64 make_pipe(struct task *t, u64 addr, int flags) {
  files_ready(t);
  s64 r = HOST(SYS_pipe2, ua_host(t, addr, 2 * sizeof(int)), flags);
  if (!r) ua_wrote(t, addr, 2 * sizeof(int));
  return r;
}

s64 sys_pipe(struct task *t, const u64 a[6]) { return make_pipe(t, a[0], 0); }
s64 sys_pipe2(struct task *t, const u64 a[6]) { return make_pipe(t, a[0], (int)a[1]); }

/* --- read, write, lseek --- */

s64 sys_read(struct task *t, const u64 a[6]) {
  u64 len = a[2];
  void *buf = buf_arg(t, a[1], &len);
  s64 r = IO(t, fd_arg(t, a[0]), SYS_read, buf, len);
  if (r > 0) ua_wrote(t, a[1], (u64)r);
  if (r == -EFAULT) ua_wrote(t, a[1], len);
  return r;
}

s64 sys_write(struct task *t, const u64 a[6]) {
  u64 len = a[2];
  int fd = fd_arg(t, a[0]);
  const void *buf = buf_arg(t, a[1], &len);
  if (t->compat && files_small(t, fd)) {
    s64 room = files_small_room(t, fd, -1, len);
    if (room < 0) return room;
    len = (u64)room;
  }
  return IO(t, fd, SYS_write, buf, len);
}

/* Positions of directories are those that i386's getdents showed. */
static s64 seek(struct task *t, u64 fd_word, s64 off, u32 whence) {
  int fd = fd_arg(t, fd_word);
  bool shifted = t->compat && files_dir_shifted(t, fd);
  if (shifted && whence == SEEK_SET && off > 0 && off <= INT32_MAX) off <<= DIR_SHIFT;
  s64 r = HOST(SYS_lseek, fd, off, whence);
  if (t->compat && !shifted && r > UINT32_MAX) shifted = files_see_dir_shifted(t, fd);
  return shifted && r > INT32_MAX ? r >> DIR_SHIFT : r;
}

s64 sys_lseek(struct task *t, const u64 a[6]) { return seek(t, a[0], (s64)a[1], (u32)a[2]); }
s64 sys_lseek_32(struct task *t, const u64 a[6]) { return seek(t, a[0], (s32)a[1], (u32)a[2]); }

s64 sys__llseek(struct task *t, const u64 a[6]) {
  s64 r = seek(t, a[0], (s64)(a[1] << 32 | a[2]), (u32)a[4]);
  if (r < 0) return r;
  return ua_write64(t, a[3], (u64)r);
}
