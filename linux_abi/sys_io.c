/* Reading and writing by vectors, at offsets, and from descriptor to descriptor: man 2 readv, pread,
 * sendfile, copy_file_range, splice. Linux fs/read_write.c, fs/splice.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

/* --- At an offset --- */

static s64 read_at(struct task *t, const u64 a[6], s64 off) {
  u64 len = a[2];
  void *buf = buf_arg(t, a[1], &len);
  s64 r = IO(t, fd_arg(t, a[0]), SYS_pread64, buf, len, off);
  if (r > 0) ua_wrote(t, a[1], (u64)r);
  if (r == -EFAULT) ua_wrote(t, a[1], len);
  return r;
}

static s64 write_at(struct task *t, const u64 a[6], s64 off) {
  u64 len = a[2];
  int fd = fd_arg(t, a[0]);
  const void *buf = buf_arg(t, a[1], &len);
  if (t->compat && off >= 0 && files_small(t, fd)) {
    s64 room = files_small_room(t, fd, off, len);
    if (room < 0) return room;
    len = (u64)room;
  }
  return IO(t, fd, SYS_pwrite64, buf, len, off);
}

static s64 pair(u64 low, u64 high) { return (s64)(low | high << 32); }

s64 sys_pread64(struct task *t, const u64 a[6]) { return read_at(t, a, (s64)a[3]); }
s64 sys_pread64_32(struct task *t, const u64 a[6]) { return read_at(t, a, pair(a[3], a[4])); }
s64 sys_pwrite64(struct task *t, const u64 a[6]) { return write_at(t, a, (s64)a[3]); }
s64 sys_pwrite64_32(struct task *t, const u64 a[6]) { return write_at(t, a, pair(a[3], a[4])); }

/* --- Vectors --- */

/* nr: SYS_readv or SYS_preadv2, the latter at off (-1: the descriptor's position) with flags. */
static s64 read_vector(struct task *t, const u64 a[6], long nr, s64 off, u64 flags) {
  struct iovec v[IOV_MAX];
  u64 n = a[2];
  int r = iov_arg(t, v, a[1], &n), fd = fd_arg(t, a[0]);
  if (r) return HOST(SYS_fcntl, fd, F_GETFD, 0) < 0 ? -EBADF : r;
  s64 got = IO(t, fd, nr, v, n, off, 0, flags);
  iov_wrote(t, v, n, got == -EFAULT ? INT64_MAX : got);
  return got;
}

static u64 vector_bytes(const struct iovec v[], u64 n) {
  u64 sum = 0;
  for (u64 i = 0; i < n; i++) sum += v[i].iov_len;
  return sum;
}

static void vector_cut(struct iovec v[], u64 n, u64 bytes) {
  for (u64 i = 0; i < n; i++) {
    if (v[i].iov_len > bytes) v[i].iov_len = bytes;
    bytes -= v[i].iov_len;
  }
}

static s64 write_vector(struct task *t, const u64 a[6], long nr, s64 off, u64 flags) {
  struct iovec v[IOV_MAX];
  u64 n = a[2];
  int r = iov_arg(t, v, a[1], &n), fd = fd_arg(t, a[0]);
  if (r) return HOST(SYS_fcntl, fd, F_GETFD, 0) < 0 ? -EBADF : r;
  if (t->compat && files_small(t, fd)) {
    s64 room = files_small_room(t, fd, nr == SYS_writev ? -1 : off, vector_bytes(v, n));
    if (room < 0) return room;
    vector_cut(v, n, (u64)room);
  }
  return IO(t, fd, nr, v, n, off, 0, flags);
}

s64 sys_readv(struct task *t, const u64 a[6]) { return read_vector(t, a, SYS_readv, 0, 0); }
s64 sys_writev(struct task *t, const u64 a[6]) { return write_vector(t, a, SYS_writev, 0, 0); }

/* The offset is one word of x86_64's two (the second is ignored), both words of i386's. preadv refuses -1,
 * which to preadv2 is the descriptor's position. */
static s64 vector_offset(const struct task *t, const u64 a[6]) {
  return t->compat ? pair(a[3], a[4]) : (s64)a[3];
}

s64 sys_preadv(struct task *t, const u64 a[6]) {
  s64 off = vector_offset(t, a);
  return off < 0 ? -EINVAL : read_vector(t, a, SYS_preadv, off, 0);
}
s64 sys_pwritev(struct task *t, const u64 a[6]) {
  s64 off = vector_offset(t, a);
  return off < 0 ? -EINVAL : write_vector(t, a, SYS_pwritev, off, 0);
}
s64 sys_preadv2(struct task *t, const u64 a[6]) {
  return read_vector(t, a, SYS_preadv2, vector_offset(t, a), a[5]);
}
s64 sys_pwritev2(struct task *t, const u64 a[6]) {
  return write_vector(t, a, SYS_pwritev2, vector_offset(t, a), a[5]);
}

/* --- From descriptor to descriptor --- */

/* A 64-bit offset in the program's memory that the host reads and moves on. */
static s64 *offset_arg(struct task *t, u64 addr) { return ua_opt(t, addr, sizeof(s64)); }
static void offset_wrote(struct task *t, u64 addr) {
  if (addr) ua_wrote(t, addr, sizeof(s64));
}

s64 sys_sendfile(struct task *t, const u64 a[6]) {
  s64 r = WAIT(t, SYS_sendfile, fd_arg(t, a[0]), fd_arg(t, a[1]), offset_arg(t, a[2]), a[3]);
  offset_wrote(t, a[2]);
  return r;
}

s64 sys_sendfile_32(struct task *t, const u64 a[6]) {
  u32 narrow;
  if (!a[2]) return sys_sendfile(t, a);
  if (ua_read32(t, &narrow, a[2])) return -EFAULT;
  s64 off = (s32)narrow;
  s64 r = WAIT(t, SYS_sendfile, fd_arg(t, a[0]), fd_arg(t, a[1]), &off, a[3]);
  return ua_write32(t, a[2], (u32)off) ? -EFAULT : r;
}

s64 sys_copy_file_range(struct task *t, const u64 a[6]) {
  s64 *from = offset_arg(t, a[1]), *to = offset_arg(t, a[3]);
  s64 r = WAIT(t, SYS_copy_file_range, fd_arg(t, a[0]), from, fd_arg(t, a[2]), to, a[4], a[5]);
  offset_wrote(t, a[1]);
  offset_wrote(t, a[3]);
  return r;
}

s64 sys_splice(struct task *t, const u64 a[6]) {
  s64 *from = offset_arg(t, a[1]), *to = offset_arg(t, a[3]);
  s64 r = WAIT(t, SYS_splice, fd_arg(t, a[0]), from, fd_arg(t, a[2]), to, a[4], a[5]);
  offset_wrote(t, a[1]);
  offset_wrote(t, a[3]);
  return r;
}

s64 sys_tee(struct task *t, const u64 a[6]) {
  return WAIT(t, SYS_tee, fd_arg(t, a[0]), fd_arg(t, a[1]), a[2], a[3]);
}

/* The direction is the descriptor's; what was read may be code. */
s64 sys_vmsplice(struct task *t, const u64 a[6]) {
  struct iovec v[IOV_MAX];
  u64 n = a[2];
  int r = iov_arg(t, v, a[1], &n);
  if (r) return r;
  s64 got = WAIT(t, SYS_vmsplice, fd_arg(t, a[0]), v, n, a[3]);
  iov_wrote(t, v, n, got);
  return got;
}
