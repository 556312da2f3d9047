/* What the emulator knows of the program's descriptors, and the arguments that many calls share: Linux
 * fs/file.c (files_struct), lib/iov_iter.c (import_iovec). */
#define _GNU_SOURCE
#include "linux_abi/sys_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <string.h>
#include <unistd.h>

#include "linux_abi/linux.h"
#include "linux_abi/mm.h"

enum { HIDDEN_MAX = 32, SMALL_FDS = 4096, IOCTLS_MAX = 32, EXT4_MAGIC = 0xef53 };

struct file_state {
  unsigned hidden_count;
  int hidden[HIDDEN_MAX]; /* ascending */
  bool dir_shifted;       /* some directory's positions were */
  bool any_small;
  u64 small[SMALL_FDS / 64];
  unsigned ioctl_count;
  u32 ioctls[IOCTLS_MAX]; /* unsupported ones that were spoken of */
};

_Static_assert(HOST_NOT_BEGUN == -ERESTARTNOINTR, "a call that has not begun is simply made again");

s64 wait_result(s64 r) { return r == -EINTR ? -ERESTARTSYS : r; }
s64 io_result(int fd, s64 r) {
  struct stat st;
  if (r != -EINTR && r != HOST_NOT_BEGUN) return r;
  return !HOST(SYS_fstat, fd, &st) && S_ISREG(st.st_mode) ? -ERESTARTNOINTR : -ERESTARTSYS;
}

s64 sleep_result(s64 r) { return r == HOST_NOT_BEGUN ? -EINTR : r; }

/* --- Hidden descriptors --- */

/* The limit is asked for when a number is given out, not later: raised for a moment, it leaves room above the
 * program's numbers, and is the program's own again. The superuser has that room above the hard limit, others
 * up to it; and if that is the limit already, one of the program's highest numbers it must be. Very high
 * limits would cost the host's kernel a table of that size. */
int lx_fd_out_of_the_way(int fd) {
  enum { ROOM = 16, HIGHEST = 65536 };
  struct rlimit was = {HIGHEST, HIGHEST};
  (void)getrlimit(RLIMIT_NOFILE, &was);
  rlim_t top = was.rlim_max < HIGHEST ? was.rlim_max : HIGHEST;
  struct rlimit beyond = {top + ROOM, was.rlim_max > top + ROOM ? was.rlim_max : top + ROOM};
  struct rlimit within = {was.rlim_max, was.rlim_max};
  rlim_t least = was.rlim_cur < top && top - was.rlim_cur < ROOM ? was.rlim_cur : top > ROOM ? top - ROOM : 0;
  int to = -1;
  if (!setrlimit(RLIMIT_NOFILE, &beyond)) to = fcntl(fd, F_DUPFD_CLOEXEC, (int)top);
  if (to < 0) (void)setrlimit(RLIMIT_NOFILE, &within);
  for (rlim_t at = top; to < 0 && at-- > least;) to = fcntl(fd, F_DUPFD_CLOEXEC, (int)at);
  int error = errno;
  (void)setrlimit(RLIMIT_NOFILE, &was);
  close(fd);
  return to >= 0 ? to : -error;
}

static void hide(struct file_state *f, int fd) {
  unsigned i = f->hidden_count;
  if (i == HIDDEN_MAX) return;
  for (; i && f->hidden[i - 1] > fd; i--) f->hidden[i] = f->hidden[i - 1];
  f->hidden[i] = fd;
  f->hidden_count++;
}

static void hide_if_ours(struct file_state *f, int fd) {
  s64 flags = HOST(SYS_fcntl, fd, F_GETFD, 0);
  if (flags >= 0 && flags & FD_CLOEXEC) hide(f, fd);
}

static void find_ours(struct file_state *f) {
  enum { GUESSED = 1024 };
  char buf[2048] __attribute__((aligned(8)));
  int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) {
    for (int fd = 0; fd < GUESSED; fd++) hide_if_ours(f, fd);
    return;
  }
  s64 n;
  while ((n = HOST(SYS_getdents64, dir, buf, sizeof buf)) > 0)
    for (s64 at = 0; at < n;) {
      const struct lx_dirent64 *d = (void *)(buf + at);
      int fd = atoi(d->d_name);
      if (d->d_name[0] != '.' && fd != dir) hide_if_ours(f, fd);
      at += d->d_reclen;
    }
  close(dir);
}

static struct file_state *files_of(struct task *t) {
  if (likely(t->files != NULL)) return t->files;
  t->files = calloc(1, sizeof *t->files);
  if (t->files) find_ours(t->files);
  return t->files;
}

void files_ready(struct task *t) { (void)files_of(t); }

void files_free(struct task *t) {
  free(t->files);
  t->files = NULL;
}

bool lx_fd_hidden(struct task *t, int fd) {
  const struct file_state *f = files_of(t);
  for (unsigned i = 0; f && i < f->hidden_count; i++)
    if (f->hidden[i] == fd) return true;
  return false;
}

int lx_fd_next_hidden(struct task *t, int fd) {
  const struct file_state *f = files_of(t);
  for (unsigned i = 0; f && i < f->hidden_count; i++)
    if (f->hidden[i] >= fd) return f->hidden[i];
  return -1;
}

bool files_first_ioctl(struct task *t, u32 request) {
  struct file_state *f = files_of(t);
  if (!f || f->ioctl_count == IOCTLS_MAX) return false;
  for (unsigned i = 0; i < f->ioctl_count; i++)
    if (f->ioctls[i] == request) return false;
  f->ioctls[f->ioctl_count++] = request;
  return true;
}

/* --- i386's files below 2 GiB --- */

void files_set_small(struct task *t, int fd, bool is_small) {
  struct file_state *f = files_of(t);
  if (!f || fd < 0 || fd >= SMALL_FDS || (!is_small && !f->any_small)) return;
  u64 bit = UINT64_C(1) << (fd % 64), *word = &f->small[fd / 64];
  *word = is_small ? *word | bit : *word & ~bit;
  f->any_small |= is_small;
}

bool files_small(const struct task *t, int fd) {
  const struct file_state *f = t->files;
  return f && f->any_small && fd >= 0 && fd < SMALL_FDS && f->small[fd / 64] >> (fd % 64) & 1;
}

/* generic_write_checks(): MAX_NON_LFS. */
s64 files_small_room(struct task *t, int fd, s64 off, u64 len) {
  (void)t;
  struct stat st;
  if (off < 0) off = HOST(SYS_lseek, fd, 0, SEEK_CUR);
  s64 flags = HOST(SYS_fcntl, fd, F_GETFL, 0);
  if (flags >= 0 && flags & O_APPEND && !HOST(SYS_fstat, fd, &st)) off = st.st_size;
  if (off < 0 || !len) return (s64)len;
  if (off >= INT32_MAX) return -EFBIG;
  u64 room = (u64)(INT32_MAX - off);
  return (s64)(len < room ? len : room);
}

/* --- i386's directory positions --- */

void files_set_dir_shifted(struct task *t) {
  struct file_state *f = files_of(t);
  if (f) f->dir_shifted = true;
}

static bool is_shifted_dir(int fd) {
  struct stat st;
  struct statfs fs;
  if (HOST(SYS_fstat, fd, &st) || !S_ISDIR(st.st_mode)) return false;
  return !HOST(SYS_fstatfs, fd, &fs) && fs.f_type == EXT4_MAGIC;
}

bool files_dir_shifted(struct task *t, int fd) {
  const struct file_state *f = t->files;
  return f && f->dir_shifted && is_shifted_dir(fd);
}

bool files_see_dir_shifted(struct task *t, int fd) {
  if (!is_shifted_dir(fd)) return false;
  files_set_dir_shifted(t);
  return true;
}

/* --- Buffers --- */

/* Into the pages at the window's end where nothing is mapped: there the host stops. */
static void cut(const struct task *t, u64 addr, u64 *len) {
  u64 size = t->mm->task_size, most = (addr < size ? size - addr : 0) + PAGE_SIZE;
  if (*len > most) *len = most;
}

void *buf_arg(const struct task *t, u64 addr, u64 *len) {
  void *p = ua_host(t, addr, *len);
  cut(t, addr, len);
  return p;
}

void *buf_room(const struct task *t, u64 addr, u64 *len) {
  cut(t, addr, len);
  return ua_host(t, addr, *len);
}

static int iov_element(const struct task *t, struct iovec *v, u64 base, u64 len, bool *cut) {
  if ((t->compat ? (s64)(s32)len : (s64)len) < 0) return -EINVAL;
  u64 want = len;
  v->iov_base = buf_arg(t, base, &len);
  v->iov_len = len;
  *cut = len < want;
  return 0;
}

int iov_arg(const struct task *t, struct iovec v[], u64 addr, u64 *n) {
  bool cut = false;
  u64 i, count = *n;
  if (count > IOV_MAX) return -EINVAL;
  u64 width = t->compat ? sizeof(struct i386_iovec) : sizeof(struct iovec);
  if (ua_read(t, v, addr, count * width)) return -EFAULT;
  if (t->compat) { /* from the end: the wide elements cover the narrow ones */
    const u8 *narrow = (const u8 *)v;
    for (i = count; i--;) {
      struct i386_iovec e;
      memcpy(&e, narrow + i * sizeof e, sizeof e);
      v[i] = (struct iovec){(void *)(uintptr_t)e.iov_base, e.iov_len};
    }
  }
  for (i = 0; i < count; i++) {
    int r = iov_element(t, &v[i], (uintptr_t)v[i].iov_base, v[i].iov_len, &cut);
    if (r) return r;
    if (cut && i + 1 < count) { /* nothing after the cut is reached, but all are checked */
      for (u64 k = i + 1; k < count; k++)
        if ((s32)v[k].iov_len < 0) return -EINVAL;
      count = i + 1;
    }
  }
  *n = count;
  return 0;
}

void iov_wrote(struct task *t, const struct iovec v[], u64 n, s64 bytes) {
  const u8 *window = t->mm->window;
  for (u64 i = 0; i < n && bytes > 0; i++) {
    u64 len = v[i].iov_len < (u64)bytes ? v[i].iov_len : (u64)bytes;
    if (len) ua_wrote(t, (u64)((const u8 *)v[i].iov_base - window), len);
    bytes -= (s64)len;
  }
}

/* --- Paths --- */

const char *path_follow_at(const struct task *t, s64 dirfd, u64 addr) {
  return proc_file(t, dirfd, addr) == PROC_EXE ? t->exe : path_arg(t, addr);
}

const char *path_follow(const struct task *t, u64 addr) { return path_follow_at(t, AT_FDCWD, addr); }
