/* Every stat, statfs, chown, utime and size call of both ABIs, raw, and what i386 refuses of large files. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "rawcall.h"

enum { LARGEFILE = 0100000 };

/* Takes what varies from run to run out of the structure in buf: inode number and time of change. */
static void show_stat(size_t n, size_t ino, size_t ino_bytes, size_t ctime) {
  memset(buf + ino, 0, ino_bytes);
  memset(buf + ctime, 0, 2 * WORD);
  bytes("stat", buf, n);
}

static void stats(int fd) {
  int wide = WORD == 8;
  stain(512);
  CALL(SYS_stat, "plain", buf);
  show_stat(wide ? 144 : 64, wide ? 8 : 4, WORD, wide ? 104 : 48);
  stain(512);
  CALL(SYS_lstat, "link", buf);
  stain(512);
  CALL(SYS_fstat, fd, buf);
  CALL(SYS_stat, "/dev/null", buf);
  bytes("null", buf + 8, 32);
  CALL(SYS_stat, "/dev/null", BAD);
  CALL(SYS_stat, BAD, buf);
  CALL(SYS_fstat, 99, buf);
  CALL(SYS_stat, "/proc/self/exe", buf);
#ifdef __i386__
  CALL(SYS_oldstat, "/proc/self", buf);
  stain(128);
  CALL(SYS_stat64, "plain", buf);
  memset(buf + 12, 0, 4);
  show_stat(96, 88, 8, 80);
  CALL(SYS_fstat64, fd, buf);
  CALL(SYS_lstat64, "link", buf);
  CALL(SYS_fstatat64, AT_FDCWD, "plain", buf, 0);
  CALL(SYS_fstatat64, fd, "", buf, AT_EMPTY_PATH);
  CALL(SYS_fstatat64, AT_FDCWD, "plain", buf, 0x80000);
#else
  CALL(SYS_newfstatat, AT_FDCWD, "plain", buf, 0);
  CALL(SYS_newfstatat, fd, "", buf, AT_EMPTY_PATH);
  CALL(SYS_newfstatat, AT_FDCWD, "plain", buf, 0x80000);
#endif
  stain(256);
  CALL(SYS_statx, AT_FDCWD, "plain", 0, 0x7ff, buf);
  bytes("statx", buf, 32);
}

static void file_systems(int fd) {
  stain(128);
  CALL(SYS_statfs, "/proc", buf);
  bytes("statfs", buf, WORD == 8 ? 128 : 68);
  WORKS(SYS_fstatfs, fd, buf);
  CALL(SYS_statfs, "none", buf);
  CALL(SYS_fstatfs, 99, buf);
#ifdef __i386__
  stain(128);
  CALL(SYS_statfs64, "/proc", 84, buf);
  bytes("statfs64", buf, 88);
  CALL(SYS_statfs64, "/", 88, buf);
  CALL(SYS_fstatfs64, fd, 84, buf);
#endif
}

#ifdef __i386__
static void large_files(int fd) {
  long long at;
  CALL(SYS_ftruncate64, fd, 3000000000u, 0);
  CALL(SYS_stat, "plain", buf);
  CALL(SYS_open, "plain", O_RDONLY);
  CALL(SYS_open, "plain", O_RDWR | O_TRUNC);
  close(CALL(SYS_open, "plain", O_RDONLY | LARGEFILE));
  close(CALL(SYS_open, "plain", O_PATH));
  CALL(SYS_lseek, fd, -5, SEEK_SET);
  CALL(SYS_lseek, fd, 0, SEEK_END);
  CALL(SYS__llseek, fd, 0, 0, &at, SEEK_END);
  printf("  %lld\n", at);
  CALL(SYS__llseek, fd, -1, -3, &at, SEEK_END);
  printf("  %lld\n", at);
  CALL(SYS__llseek, fd, 0, 0, BAD, SEEK_SET);
}

/* Without O_LARGEFILE a descriptor ends at 2 GiB. */
static void small_files(void) {
  struct {
    const char *p;
    unsigned n;
  } v[2] = {{"ab", 2}, {"cdef", 4}};
  long long at;
  int fd = syscall(SYS_open, "small", O_RDWR | O_CREAT, 0600), twin;
  CALL(SYS_fcntl64, fd, F_GETFL, 0);
  twin = dup(fd);
  CALL(SYS_fcntl64, twin, F_GETFL, 0);
  CALL(SYS__llseek, fd, 0, 0x7ffffffe, &at, 0);
  CALL(SYS_write, fd, "abcd", 4);
  CALL(SYS_write, fd, "abcd", 4);
  CALL(SYS_pwrite64, fd, "abcd", 4, 0x7ffffffd, 0);
  CALL(SYS_pwrite64, fd, "abcd", 4, 0, 1);
  CALL(SYS_pwritev, fd, v, 2, 0x7ffffffc, 0);
  CALL(SYS_lseek, fd, 0, SEEK_SET);
  CALL(SYS_writev, fd, v, 2);
  CALL(SYS_lseek, fd, 0, SEEK_END);
  CALL(SYS_ftruncate64, fd, -1, 0);
  CALL(SYS_ftruncate64, fd, -1, -1);
  CALL(SYS_truncate64, "small", 0, 2);
  CALL(SYS_ftruncate64, fd, 5, 0);
  close(fd);
  close(twin);
}

static void narrow_owners(int fd) {
  CALL(SYS_ftruncate, fd, 0);
  CALL(SYS_fchown, fd, 0xffff, -1);
  if (getuid()) return;
  CALL(SYS_chown, "plain", 100000, 7);
  CALL(SYS_stat64, "plain", buf);
  bytes("owners", buf + 24, 8);
  CALL(SYS_chown32, "plain", 100000, 200000);
  CALL(SYS_stat64, "plain", buf);
  bytes("owners", buf + 24, 8);
  CALL(SYS_stat, "plain", buf);
  bytes("narrow", buf + 12, 4);
  CALL(SYS_lchown, "plain", 5, 6);
  CALL(SYS_fchown, fd, 0, 0);
  CALL(SYS_lchown32, "plain", 5, 6);
  CALL(SYS_fchown32, fd, 0, 0);
}
#endif

static void ranges(int fd) {
#ifdef __i386__
  CALL(SYS_ftruncate, fd, 0);
  CALL(SYS_fadvise64, fd, 0, 0, 100, 3);
  CALL(SYS_fadvise64_64, fd, 0, 0, 100, 0, 3);
  CALL(SYS_fadvise64_64, fd, 0, 0, 100, 0, 77);
  CALL(SYS_fallocate, fd, 0, 0, 0, 100, 0);
  CALL(SYS_sync_file_range, fd, 0, 0, 10, 0, 7);
  CALL(SYS_readahead, fd, 0, 0, 10);
#else
  CALL(SYS_fallocate, fd, 0, 0L, 100L);
  CALL(SYS_fadvise64, fd, 0L, 100L, 3);
  CALL(SYS_fadvise64, fd, 0L, 100L, 33);
  CALL(SYS_sync_file_range, fd, 0L, 10L, 7);
  CALL(SYS_readahead, fd, 0L, 10L);
#endif
  CALL(SYS_truncate, "plain", 3L);
  CALL(SYS_truncate, "plain", -3L);
  CALL(SYS_ftruncate, fd, 6L);
  CALL(SYS_ftruncate, fd, -6L);
  CALL(SYS_fsync, fd);
  CALL(SYS_fdatasync, fd);
}

static void times(int fd) {
  long seconds[2] = {1000000, 2000000}, tv[4] = {1, 500000, 2, 999999}, ts[4] = {5, UTIME_OMIT, 6, 7};
  CALL(SYS_utime, "plain", seconds);
  CALL(SYS_utime, "plain", 0L);
  CALL(SYS_utime, "plain", BAD);
  CALL(SYS_utimes, "plain", tv);
  tv[3] = 1000000;
  CALL(SYS_utimes, "plain", tv);
  tv[3] = -1;
  CALL(SYS_futimesat, AT_FDCWD, "plain", tv);
  CALL(SYS_utimensat, AT_FDCWD, "plain", ts, 0);
  CALL(SYS_utimensat, fd, 0L, ts, 0);
  CALL(SYS_utimensat, fd, 0L, 0L, 0);
  ts[3] = 1000000000;
  CALL(SYS_utimensat, AT_FDCWD, "plain", ts, 0);
#ifdef __i386__
  struct {
    long long sec;
    int nsec, pad;
  } wide[2] = {{5, 6, 99}, {7, 8, -99}};
  CALL(412 /* utimensat_time64 */, AT_FDCWD, "plain", wide, 0);
#endif
}

static void attributes(int fd) {
  CALL(SYS_setxattr, "plain", "user.x", "val", 3L, 0);
  CALL(SYS_getxattr, "plain", "user.x", buf, 10L);
  CALL(SYS_listxattr, "plain", buf, 100L);
  CALL(SYS_getxattr, "plain", "user.x", 0L, 0L);
  CALL(SYS_fremovexattr, fd, "user.x");
  CALL(SYS_fgetxattr, fd, "user.x", buf, 10L);
}

int main(void) {
  struct timespec ts[2] = {{1000000000, 5}, {1100000000, 7}};
  int fd = syscall(SYS_open, "plain", O_RDWR | O_CREAT | O_TRUNC | LARGEFILE, 0644);
  if (write(fd, "hello world", 11) != 11 || symlink("plain", "link")) return 1;
  futimens(fd, ts);
  stats(fd);
  file_systems(fd);
#ifdef __i386__
  large_files(fd);
  small_files();
  narrow_owners(fd);
#endif
  ranges(fd);
  times(fd);
  attributes(fd);
  return 0;
}
