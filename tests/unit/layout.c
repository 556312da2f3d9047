/* i386's structures as linux_abi/layout.h has them, against what gcc -m32 makes of Linux's own headers:
 * this file is also the 32-bit program that is built and asked at test time. Linux include/uapi,
 * arch/x86/include/uapi.
 *
 * One list names every structure and member in both worlds. */
#include <stddef.h>
#include <stdio.h>

/* SIZE(ours, Linux's), FIELD(ours, member, Linux's, member) */
#define LAYOUTS \
  SIZE(struct i386_oldstat, struct __old_kernel_stat) \
  FIELD(struct i386_oldstat, st_dev, struct __old_kernel_stat, st_dev) \
  FIELD(struct i386_oldstat, st_ino, struct __old_kernel_stat, st_ino) \
  FIELD(struct i386_oldstat, st_mode, struct __old_kernel_stat, st_mode) \
  FIELD(struct i386_oldstat, st_nlink, struct __old_kernel_stat, st_nlink) \
  FIELD(struct i386_oldstat, st_uid, struct __old_kernel_stat, st_uid) \
  FIELD(struct i386_oldstat, st_gid, struct __old_kernel_stat, st_gid) \
  FIELD(struct i386_oldstat, st_rdev, struct __old_kernel_stat, st_rdev) \
  FIELD(struct i386_oldstat, st_size, struct __old_kernel_stat, st_size) \
  FIELD(struct i386_oldstat, st_atime_, struct __old_kernel_stat, st_atime) \
  FIELD(struct i386_oldstat, st_mtime_, struct __old_kernel_stat, st_mtime) \
  FIELD(struct i386_oldstat, st_ctime_, struct __old_kernel_stat, st_ctime) \
  SIZE(struct i386_stat, struct stat) \
  FIELD(struct i386_stat, st_dev, struct stat, st_dev) \
  FIELD(struct i386_stat, st_ino, struct stat, st_ino) \
  FIELD(struct i386_stat, st_mode, struct stat, st_mode) \
  FIELD(struct i386_stat, st_nlink, struct stat, st_nlink) \
  FIELD(struct i386_stat, st_uid, struct stat, st_uid) \
  FIELD(struct i386_stat, st_gid, struct stat, st_gid) \
  FIELD(struct i386_stat, st_rdev, struct stat, st_rdev) \
  FIELD(struct i386_stat, st_size, struct stat, st_size) \
  FIELD(struct i386_stat, st_blksize, struct stat, st_blksize) \
  FIELD(struct i386_stat, st_blocks, struct stat, st_blocks) \
  FIELD(struct i386_stat, st_atime_, struct stat, st_atime) \
  FIELD(struct i386_stat, st_atime_nsec, struct stat, st_atime_nsec) \
  FIELD(struct i386_stat, st_mtime_, struct stat, st_mtime) \
  FIELD(struct i386_stat, st_mtime_nsec, struct stat, st_mtime_nsec) \
  FIELD(struct i386_stat, st_ctime_, struct stat, st_ctime) \
  FIELD(struct i386_stat, st_ctime_nsec, struct stat, st_ctime_nsec) \
  SIZE(struct i386_stat64, struct stat64) \
  FIELD(struct i386_stat64, st_dev, struct stat64, st_dev) \
  FIELD(struct i386_stat64, pad0, struct stat64, __pad0) \
  FIELD(struct i386_stat64, low_ino, struct stat64, __st_ino) \
  FIELD(struct i386_stat64, st_mode, struct stat64, st_mode) \
  FIELD(struct i386_stat64, st_nlink, struct stat64, st_nlink) \
  FIELD(struct i386_stat64, st_uid, struct stat64, st_uid) \
  FIELD(struct i386_stat64, st_gid, struct stat64, st_gid) \
  FIELD(struct i386_stat64, st_rdev, struct stat64, st_rdev) \
  FIELD(struct i386_stat64, pad3, struct stat64, __pad3) \
  FIELD(struct i386_stat64, st_size, struct stat64, st_size) \
  FIELD(struct i386_stat64, st_blksize, struct stat64, st_blksize) \
  FIELD(struct i386_stat64, st_blocks, struct stat64, st_blocks) \
  FIELD(struct i386_stat64, st_atime_, struct stat64, st_atime) \
  FIELD(struct i386_stat64, st_atime_nsec, struct stat64, st_atime_nsec) \
  FIELD(struct i386_stat64, st_mtime_, struct stat64, st_mtime) \
  FIELD(struct i386_stat64, st_mtime_nsec, struct stat64, st_mtime_nsec) \
  FIELD(struct i386_stat64, st_ctime_, struct stat64, st_ctime) \
  FIELD(struct i386_stat64, st_ctime_nsec, struct stat64, st_ctime_nsec) \
  FIELD(struct i386_stat64, st_ino, struct stat64, st_ino) \
  SIZE(struct i386_statfs, struct statfs) \
  FIELD(struct i386_statfs, f_type, struct statfs, f_type) \
  FIELD(struct i386_statfs, f_bsize, struct statfs, f_bsize) \
  FIELD(struct i386_statfs, f_blocks, struct statfs, f_blocks) \
  FIELD(struct i386_statfs, f_bfree, struct statfs, f_bfree) \
  FIELD(struct i386_statfs, f_bavail, struct statfs, f_bavail) \
  FIELD(struct i386_statfs, f_files, struct statfs, f_files) \
  FIELD(struct i386_statfs, f_ffree, struct statfs, f_ffree) \
  FIELD(struct i386_statfs, f_fsid, struct statfs, f_fsid) \
  FIELD(struct i386_statfs, f_namelen, struct statfs, f_namelen) \
  FIELD(struct i386_statfs, f_frsize, struct statfs, f_frsize) \
  FIELD(struct i386_statfs, f_flags, struct statfs, f_flags) \
  SIZE(struct i386_statfs64, struct statfs64) \
  FIELD(struct i386_statfs64, f_type, struct statfs64, f_type) \
  FIELD(struct i386_statfs64, f_bsize, struct statfs64, f_bsize) \
  FIELD(struct i386_statfs64, f_blocks, struct statfs64, f_blocks) \
  FIELD(struct i386_statfs64, f_bfree, struct statfs64, f_bfree) \
  FIELD(struct i386_statfs64, f_bavail, struct statfs64, f_bavail) \
  FIELD(struct i386_statfs64, f_files, struct statfs64, f_files) \
  FIELD(struct i386_statfs64, f_ffree, struct statfs64, f_ffree) \
  FIELD(struct i386_statfs64, f_fsid, struct statfs64, f_fsid) \
  FIELD(struct i386_statfs64, f_namelen, struct statfs64, f_namelen) \
  FIELD(struct i386_statfs64, f_frsize, struct statfs64, f_frsize) \
  FIELD(struct i386_statfs64, f_flags, struct statfs64, f_flags) \
  SIZE(struct i386_flock, struct flock) \
  FIELD(struct i386_flock, l_type, struct flock, l_type) \
  FIELD(struct i386_flock, l_whence, struct flock, l_whence) \
  FIELD(struct i386_flock, l_start, struct flock, l_start) \
  FIELD(struct i386_flock, l_len, struct flock, l_len) \
  FIELD(struct i386_flock, l_pid, struct flock, l_pid) \
  SIZE(struct i386_flock64, struct flock64) \
  FIELD(struct i386_flock64, l_type, struct flock64, l_type) \
  FIELD(struct i386_flock64, l_whence, struct flock64, l_whence) \
  FIELD(struct i386_flock64, l_start, struct flock64, l_start) \
  FIELD(struct i386_flock64, l_len, struct flock64, l_len) \
  FIELD(struct i386_flock64, l_pid, struct flock64, l_pid) \
  SIZE(struct i386_timespec, struct __kernel_old_timespec) \
  FIELD(struct i386_timespec, tv_sec, struct __kernel_old_timespec, tv_sec) \
  FIELD(struct i386_timespec, tv_nsec, struct __kernel_old_timespec, tv_nsec) \
  SIZE(struct i386_timeval, struct __kernel_old_timeval) \
  FIELD(struct i386_timeval, tv_sec, struct __kernel_old_timeval, tv_sec) \
  FIELD(struct i386_timeval, tv_usec, struct __kernel_old_timeval, tv_usec) \
  SIZE(struct i386_itimerval, struct __kernel_old_itimerval) \
  FIELD(struct i386_itimerval, it_interval, struct __kernel_old_itimerval, it_interval) \
  FIELD(struct i386_itimerval, it_value, struct __kernel_old_itimerval, it_value) \
  SIZE(struct timespec, struct __kernel_timespec) \
  FIELD(struct timespec, tv_sec, struct __kernel_timespec, tv_sec) \
  FIELD(struct timespec, tv_nsec, struct __kernel_timespec, tv_nsec) \
  SIZE(struct itimerspec, struct __kernel_itimerspec) \
  FIELD(struct itimerspec, it_value, struct __kernel_itimerspec, it_value) \
  SIZE(struct i386_utimbuf, struct utimbuf) \
  FIELD(struct i386_utimbuf, actime, struct utimbuf, actime) \
  FIELD(struct i386_utimbuf, modtime, struct utimbuf, modtime) \
  SIZE(struct i386_tms, struct tms) \
  FIELD(struct i386_tms, tms_utime, struct tms, tms_utime) \
  FIELD(struct i386_tms, tms_stime, struct tms, tms_stime) \
  FIELD(struct i386_tms, tms_cutime, struct tms, tms_cutime) \
  FIELD(struct i386_tms, tms_cstime, struct tms, tms_cstime) \
  SIZE(struct i386_rusage, struct rusage) \
  FIELD(struct i386_rusage, ru_utime, struct rusage, ru_utime) \
  FIELD(struct i386_rusage, ru_stime, struct rusage, ru_stime) \
  FIELD(struct i386_rusage, ru_maxrss, struct rusage, ru_maxrss) \
  FIELD(struct i386_rusage, ru_minflt, struct rusage, ru_minflt) \
  FIELD(struct i386_rusage, ru_nswap, struct rusage, ru_nswap) \
  FIELD(struct i386_rusage, ru_oublock, struct rusage, ru_oublock) \
  FIELD(struct i386_rusage, ru_nsignals, struct rusage, ru_nsignals) \
  FIELD(struct i386_rusage, ru_nivcsw, struct rusage, ru_nivcsw) \
  SIZE(struct i386_rlimit, struct rlimit) \
  FIELD(struct i386_rlimit, rlim_cur, struct rlimit, rlim_cur) \
  FIELD(struct i386_rlimit, rlim_max, struct rlimit, rlim_max) \
  SIZE(struct rlimit, struct rlimit64) \
  SIZE(struct i386_iovec, struct iovec) \
  FIELD(struct i386_iovec, iov_base, struct iovec, iov_base) \
  FIELD(struct i386_iovec, iov_len, struct iovec, iov_len) \
  SIZE(struct i386_sysinfo, struct sysinfo) \
  FIELD(struct i386_sysinfo, uptime, struct sysinfo, uptime) \
  FIELD(struct i386_sysinfo, loads, struct sysinfo, loads) \
  FIELD(struct i386_sysinfo, totalram, struct sysinfo, totalram) \
  FIELD(struct i386_sysinfo, freeram, struct sysinfo, freeram) \
  FIELD(struct i386_sysinfo, sharedram, struct sysinfo, sharedram) \
  FIELD(struct i386_sysinfo, bufferram, struct sysinfo, bufferram) \
  FIELD(struct i386_sysinfo, totalswap, struct sysinfo, totalswap) \
  FIELD(struct i386_sysinfo, freeswap, struct sysinfo, freeswap) \
  FIELD(struct i386_sysinfo, procs, struct sysinfo, procs) \
  FIELD(struct i386_sysinfo, totalhigh, struct sysinfo, totalhigh) \
  FIELD(struct i386_sysinfo, freehigh, struct sysinfo, freehigh) \
  FIELD(struct i386_sysinfo, mem_unit, struct sysinfo, mem_unit) \
  SIZE(struct lx_utsname, struct new_utsname) \
  FIELD(struct lx_utsname, domainname, struct new_utsname, domainname) \
  SIZE(struct i386_old_utsname, struct old_utsname) \
  FIELD(struct i386_old_utsname, machine, struct old_utsname, machine) \
  SIZE(struct i386_oldold_utsname, struct oldold_utsname) \
  FIELD(struct i386_oldold_utsname, machine, struct oldold_utsname, machine) \
  SIZE(struct lx_termios, struct termios) \
  FIELD(struct lx_termios, c_line, struct termios, c_line) \
  FIELD(struct lx_termios, c_cc, struct termios, c_cc) \
  SIZE(struct lx_termios2, struct termios2) \
  FIELD(struct lx_termios2, c_ispeed, struct termios2, c_ispeed) \
  FIELD(struct lx_termios2, c_ospeed, struct termios2, c_ospeed) \
  SIZE(struct epoll_event, struct epoll_event) \
  SIZE(struct pollfd, struct pollfd)

#ifdef LAYOUT_OF_LINUX

#include <asm/ioctls.h>
#include <asm/poll.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/termbits.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/times.h>
#include <linux/uio.h>
#include <linux/utime.h>
#include <linux/utsname.h>

#define SIZE(ours, theirs) printf("%s: %u bytes\n", #ours, (unsigned)sizeof(theirs));
#define FIELD(ours, m, theirs, n) \
  printf("%s.%s: %u at %u\n", #ours, #m, (unsigned)sizeof((theirs *)0)->n, (unsigned)offsetof(theirs, n));

int main(void) {
  LAYOUTS
  return 0;
}

#else

#include <check.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "linux_abi/layout.h"

static const struct {
  const char *what;
  unsigned size, offset;
} ours[] = {
#define SIZE(o, theirs) {#o, sizeof(o), 0},
#define FIELD(o, m, theirs, n) {#o "." #m, sizeof((o *)0)->m, offsetof(o, m)},
    LAYOUTS
};

/* The answers of the 32-bit program, one line each. */
static FILE *ask_linux(char *dir) {
  char command[256];
  ck_assert_ptr_nonnull(mkdtemp(dir));
  snprintf(command, sizeof command,
           "gcc -m32 -static -DLAYOUT_OF_LINUX -o %s/ask tests/unit/layout.c && %s/ask", dir, dir);
  FILE *f = popen(command, "r");
  ck_assert_ptr_nonnull(f);
  return f;
}

START_TEST(i386_structures_are_those_of_linux) {
  char dir[] = "/tmp/ringwalk-layout-XXXXXX", line[256], mine[256], program[64];
  FILE *f = ask_linux(dir);
  unsigned n = 0;
  for (; fgets(line, sizeof line, f); n++) {
    ck_assert_uint_lt(n, ARRAY_SIZE(ours));
    const char *what = ours[n].what;
    if (strchr(what, '.'))
      snprintf(mine, sizeof mine, "%s: %u at %u\n", what, ours[n].size, ours[n].offset);
    else
      snprintf(mine, sizeof mine, "%s: %u bytes\n", what, ours[n].size);
    ck_assert_str_eq(mine, line);
  }
  ck_assert_int_eq(pclose(f), 0);
  ck_assert_uint_eq(n, ARRAY_SIZE(ours));
  snprintf(program, sizeof program, "%s/ask", dir);
  unlink(program);
  rmdir(dir);
}
END_TEST

/* Which no header shows to programs: man 2 getdents, readdir. */
START_TEST(directory_entries_have_their_names_where_the_manual_says) {
  ck_assert_uint_eq(offsetof(struct i386_dirent, d_off), 4);
  ck_assert_uint_eq(offsetof(struct i386_dirent, d_reclen) + sizeof(u16), 10);
  ck_assert_uint_eq(offsetof(struct i386_old_dirent, d_namlen) + sizeof(u16), 10);
  ck_assert_uint_eq(offsetof(struct lx_dirent64, d_reclen), 16);
  ck_assert_uint_eq(offsetof(struct lx_dirent64, d_type), 18);
  ck_assert_uint_eq(offsetof(struct lx_dirent64, d_name), 19);
}
END_TEST

Suite *suite_layout(void);
Suite *suite_layout(void) {
  Suite *s = suite_create("layout");
  TCase *c = tcase_create("i386");
  tcase_add_test(c, i386_structures_are_those_of_linux);
  tcase_add_test(c, directory_entries_have_their_names_where_the_manual_says);
  suite_add_tcase(s, c);
  return s;
}

#endif
