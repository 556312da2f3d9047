/* Names: directories and what is in them. man 2 getdents, readlink, rename, unlink, mkdir, link, symlink,
 * mknod, getcwd, chdir. Linux fs/readdir.c, fs/namei.c, fs/ext4/dir.c (is_32bit_api). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

/* --- Reading directories --- */

enum { DIR_BUFFER = 32768, DIR_LEAST = 512, EXT4_MAGIC = 0xef53 };

/* Directory entries from the host, as they are to be shown. */
struct dir {
  int fd;
  s64 size;     /* bytes in buf; or -errno */
  bool shifted; /* positions are DIR_SHIFT higher on the host */
  _Alignas(8) u8 buf[DIR_BUFFER];
};

static struct lx_dirent64 *entry_at(struct dir *d, s64 at) { return (struct lx_dirent64 *)(d->buf + at); }

/* Takes the entries of /proc/self/fd that name the emulator's descriptors away. */
static void drop_hidden(struct task *t, struct dir *d) {
  s64 to = 0;
  for (s64 at = 0, len; at < d->size; at += len) {
    const struct lx_dirent64 *e = entry_at(d, at);
    len = e->d_reclen;
    if (e->d_name[0] >= '0' && e->d_name[0] <= '9' && lx_fd_hidden(t, atoi(e->d_name))) continue;
    memmove(d->buf + to, d->buf + at, (size_t)len);
    to += len;
  }
  d->size = to;
}

/* i386 programs see the positions that ext4 would show them. */
static void shift_positions(struct task *t, struct dir *d) {
  struct statfs fs;
  bool high = false;
  for (s64 at = 0; at < d->size; at += entry_at(d, at)->d_reclen) high |= entry_at(d, at)->d_off > INT32_MAX;
  if (!high || HOST(SYS_fstatfs, d->fd, &fs) || fs.f_type != EXT4_MAGIC) return;
  for (s64 at = 0; at < d->size; at += entry_at(d, at)->d_reclen) entry_at(d, at)->d_off >>= DIR_SHIFT;
  files_set_dir_shifted(t);
  d->shifted = true;
}

/* As on Linux a negative size has room for nothing. */
static void dir_read(struct task *t, struct dir *d, int fd, s32 room) {
  d->fd = fd;
  d->shifted = false;
  do {
    d->size = HOST(SYS_getdents64, fd, d->buf, room < 0 ? 0 : room < DIR_BUFFER ? room : DIR_BUFFER);
    if (d->size <= 0 || lx_fd_next_hidden(t, 0) < 0 || !proc_is_fd_dir(t, fd)) break;
    drop_hidden(t, d);
  } while (!d->size); /* nothing left is not the end */
  if (t->compat && d->size > 0) shift_positions(t, d);
}

/* The next read starts where the entry at `at` ends, or at `start`. */
static void dir_go_back(const struct dir *d, const struct lx_dirent64 *last, s64 start) {
  s64 to = !last ? start : d->shifted ? last->d_off << DIR_SHIFT : last->d_off;
  HOST(SYS_lseek, d->fd, to, SEEK_SET);
}

s64 sys_getdents64(struct task *t, const u64 a[6]) {
  struct dir d;
  dir_read(t, &d, fd_arg(t, a[0]), (s32)a[2]);
  if (d.size > 0 && ua_write(t, a[1], d.buf, (u64)d.size)) return -EFAULT;
  return d.size;
}

/* One struct linux_dirent: ino, off and length, the name, and the type in the last byte. Its length; 0: no
 * room. */
static u64 put_entry(u8 *out, u64 room, const struct lx_dirent64 *e, u64 word) {
  u64 name = 2 * word + sizeof(u16), bytes = strlen(e->d_name) + 1;
  u64 len = (name + bytes + 1 + word - 1) & ~(word - 1);
  if (len > room) return 0;
  memset(out, 0, len);
  memcpy(out, &e->d_ino, word);
  memcpy(out + word, &e->d_off, word);
  memcpy(out + 2 * word, &(u16){(u16)len}, sizeof(u16));
  memcpy(out + name, e->d_name, bytes);
  out[len - 1] = e->d_type;
  return len;
}

s64 sys_getdents(struct task *t, const u64 a[6]) {
  struct dir d;
  u8 out[DIR_BUFFER];
  int fd = fd_arg(t, a[0]);
  s32 asked = (s32)a[2];
  u64 room = asked < 0 ? 0 : asked < DIR_BUFFER ? (u64)asked : DIR_BUFFER, used = 0, word = t->compat ? 4 : 8;
  s64 start = HOST(SYS_lseek, fd, 0, SEEK_CUR), error = -EINVAL;
  const struct lx_dirent64 *last = NULL;
  dir_read(t, &d, fd, room < DIR_LEAST ? DIR_LEAST : (s32)room);
  if (d.size <= 0) return d.size;
  for (s64 at = 0; at < d.size; at += last->d_reclen) {
    const struct lx_dirent64 *e = entry_at(&d, at);
    bool wide = word == 4 && e->d_ino > UINT32_MAX;
    u64 n = wide ? 0 : put_entry(out + used, room - used, e, word);
    if (!n) {
      if (wide) error = -EOVERFLOW;
      dir_go_back(&d, last, start);
      break;
    }
    used += n;
    last = e;
  }
  if (!last) return error;
  return ua_write(t, a[1], out, used) ? -EFAULT : (s64)used;
}

/* readdir(2), before getdents: one entry, its d_off its own position and d_reclen its name's length. */
s64 sys_readdir(struct task *t, const u64 a[6]) {
  struct dir d;
  int fd = fd_arg(t, a[0]);
  s64 start = HOST(SYS_lseek, fd, 0, SEEK_CUR);
  dir_read(t, &d, fd, DIR_LEAST);
  if (d.size <= 0) return d.size;
  const struct lx_dirent64 *e = entry_at(&d, 0);
  if (e->d_ino > UINT32_MAX) return -EOVERFLOW;
  u64 bytes = strlen(e->d_name);
  struct i386_old_dirent o = {(u32)e->d_ino, (u32)(d.shifted ? start >> DIR_SHIFT : start), (u16)bytes};
  dir_go_back(&d, e, start);
  u64 name = offsetof(struct i386_old_dirent, d_namlen) + sizeof o.d_namlen;
  if (ua_write(t, a[1], &o, name) || ua_write(t, a[1] + name, e->d_name, bytes + 1)) return -EFAULT;
  return 1;
}

/* --- Links --- */

static s64 read_link(struct task *t, s64 dirfd, u64 path, u64 buf, s32 size) {
  if (size > 0 && proc_file(t, dirfd, path) == PROC_EXE) {
    u64 n = strlen(t->exe);
    if (n > (u64)size) n = (u64)size;
    return ua_write(t, buf, t->exe, n) ? -EFAULT : (s64)n;
  }
  u64 len = size > 0 ? (u64)size : 0;
  s64 r = HOST(SYS_readlinkat, dirfd, path_arg(t, path), buf_room(t, buf, &len), size > 0 ? (s32)len : size);
  if (r > 0) ua_wrote(t, buf, (u64)r);
  return r;
}

s64 sys_readlink(struct task *t, const u64 a[6]) { return read_link(t, AT_FDCWD, a[0], a[1], (s32)a[2]); }
s64 sys_readlinkat(struct task *t, const u64 a[6]) {
  return read_link(t, fd_arg(t, a[0]), a[1], a[2], (s32)a[3]);
}
s64 sys_link(struct task *t, const u64 a[6]) { return HOST(SYS_link, path_arg(t, a[0]), path_arg(t, a[1])); }
s64 sys_linkat(struct task *t, const u64 a[6]) {
  return HOST(SYS_linkat, fd_arg(t, a[0]), path_arg(t, a[1]), fd_arg(t, a[2]), path_arg(t, a[3]), (int)a[4]);
}
s64 sys_symlink(struct task *t, const u64 a[6]) {
  return HOST(SYS_symlink, path_arg(t, a[0]), path_arg(t, a[1]));
}
s64 sys_symlinkat(struct task *t, const u64 a[6]) {
  return HOST(SYS_symlinkat, path_arg(t, a[0]), fd_arg(t, a[1]), path_arg(t, a[2]));
}
s64 sys_unlink(struct task *t, const u64 a[6]) { return HOST(SYS_unlink, path_arg(t, a[0])); }
s64 sys_unlinkat(struct task *t, const u64 a[6]) {
  return HOST(SYS_unlinkat, fd_arg(t, a[0]), path_arg(t, a[1]), (int)a[2]);
}
s64 sys_rename(struct task *t, const u64 a[6]) {
  return HOST(SYS_rename, path_arg(t, a[0]), path_arg(t, a[1]));
}
s64 sys_renameat(struct task *t, const u64 a[6]) {
  return HOST(SYS_renameat, fd_arg(t, a[0]), path_arg(t, a[1]), fd_arg(t, a[2]), path_arg(t, a[3]));
}
s64 sys_renameat2(struct task *t, const u64 a[6]) {
  return HOST(SYS_renameat2, fd_arg(t, a[0]), path_arg(t, a[1]), fd_arg(t, a[2]), path_arg(t, a[3]),
              (u32)a[4]);
}

/* --- Directories and nodes --- */

s64 sys_mkdir(struct task *t, const u64 a[6]) { return HOST(SYS_mkdir, path_arg(t, a[0]), (u32)a[1]); }
s64 sys_mkdirat(struct task *t, const u64 a[6]) {
  return HOST(SYS_mkdirat, fd_arg(t, a[0]), path_arg(t, a[1]), (u32)a[2]);
}
s64 sys_rmdir(struct task *t, const u64 a[6]) { return HOST(SYS_rmdir, path_arg(t, a[0])); }
s64 sys_mknod(struct task *t, const u64 a[6]) {
  return HOST(SYS_mknod, path_arg(t, a[0]), (u32)a[1], (u32)a[2]);
}
s64 sys_mknodat(struct task *t, const u64 a[6]) {
  return HOST(SYS_mknodat, fd_arg(t, a[0]), path_arg(t, a[1]), (u32)a[2], (u32)a[3]);
}
s64 sys_getcwd(struct task *t, const u64 a[6]) {
  u64 len = a[1];
  s64 r = HOST(SYS_getcwd, buf_room(t, a[0], &len), len);
  if (r > 0) ua_wrote(t, a[0], (u64)r);
  return r;
}
s64 sys_chdir(struct task *t, const u64 a[6]) { return HOST(SYS_chdir, path_arg(t, a[0])); }
s64 sys_fchdir(struct task *t, const u64 a[6]) { return HOST(SYS_fchdir, fd_arg(t, a[0])); }
s64 sys_chroot(struct task *t, const u64 a[6]) { return HOST(SYS_chroot, path_arg(t, a[0])); }
