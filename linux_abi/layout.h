/* What i386 programs exchange with the kernel by memory, where it differs from x86_64: Linux
 * arch/x86/include/asm/compat.h, arch/x86/include/uapi/asm/{stat,statfs}.h,
 * include/linux/{compat,compat_time}.h.
 *
 * x86_64's structures are the host's own, and host system calls read and write them in the program's
 * memory. i386 aligns 64-bit members to 4 bytes. tests/unit/layout.c compares all this with what gcc -m32
 * makes of Linux's headers. */
#ifndef LINUX_ABI_LAYOUT_H
#define LINUX_ABI_LAYOUT_H

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>

#include "base/types.h"

/* Accessed by copies only, so the alignment does not matter. */
#define I386_LAYOUT __attribute__((packed, aligned(4)))

/* The three structures of stat(2): of Linux 0.x, of 1.x and 64-bit. */
struct i386_oldstat {
  u16 st_dev, st_ino, st_mode, st_nlink, st_uid, st_gid, st_rdev, pad;
  u32 st_size, st_atime_, st_mtime_, st_ctime_;
};
struct i386_stat {
  u32 st_dev, st_ino;
  u16 st_mode, st_nlink, st_uid, st_gid;
  u32 st_rdev, st_size, st_blksize, st_blocks;
  u32 st_atime_, st_atime_nsec, st_mtime_, st_mtime_nsec, st_ctime_, st_ctime_nsec;
  u32 unused[2];
};
struct i386_stat64 {
  u64 st_dev;
  u32 pad0;
  u32 low_ino; /* the inode number's low half */
  u32 st_mode, st_nlink, st_uid, st_gid;
  u64 st_rdev;
  u32 pad3;
  s64 st_size;
  u32 st_blksize;
  u64 st_blocks;
  u32 st_atime_, st_atime_nsec, st_mtime_, st_mtime_nsec, st_ctime_, st_ctime_nsec;
  u64 st_ino;
} I386_LAYOUT;

struct i386_statfs {
  u32 f_type, f_bsize, f_blocks, f_bfree, f_bavail, f_files, f_ffree;
  s32 f_fsid[2];
  u32 f_namelen, f_frsize, f_flags, f_spare[4];
};
struct i386_statfs64 {
  u32 f_type, f_bsize;
  u64 f_blocks, f_bfree, f_bavail, f_files, f_ffree;
  s32 f_fsid[2];
  u32 f_namelen, f_frsize, f_flags, f_spare[4];
} I386_LAYOUT;

/* Directory entries: the name follows, ended by a zero, and d_type is the entry's last byte. */
struct i386_dirent {
  u32 d_ino, d_off;
  u16 d_reclen;
};
/* readdir(2): d_off is the entry's own place, d_reclen the name's length. */
struct i386_old_dirent {
  u32 d_ino, d_off;
  u16 d_namlen;
};
/* The same for both. */
struct lx_dirent64 {
  u64 d_ino;
  s64 d_off;
  u16 d_reclen;
  u8 d_type;
  char d_name[];
};

struct i386_flock {
  s16 l_type, l_whence;
  s32 l_start, l_len, l_pid;
};
struct i386_flock64 {
  s16 l_type, l_whence;
  s64 l_start, l_len;
  s32 l_pid;
} I386_LAYOUT;

struct i386_timespec {
  s32 tv_sec, tv_nsec;
};
struct i386_timeval {
  s32 tv_sec, tv_usec;
};
struct i386_itimerval {
  struct i386_timeval it_interval, it_value;
};
struct i386_itimerspec {
  struct i386_timespec it_interval, it_value;
};
struct i386_utimbuf {
  s32 actime, modtime;
};
struct i386_tms {
  s32 tms_utime, tms_stime, tms_cutime, tms_cstime;
};
struct i386_rusage {
  struct i386_timeval ru_utime, ru_stime;
  s32 ru_maxrss, ru_ixrss, ru_idrss, ru_isrss, ru_minflt, ru_majflt, ru_nswap, ru_inblock, ru_oublock;
  s32 ru_msgsnd, ru_msgrcv, ru_nsignals, ru_nvcsw, ru_nivcsw;
};
struct i386_rlimit {
  u32 rlim_cur, rlim_max;
};
struct i386_iovec {
  u32 iov_base, iov_len;
};
struct i386_sysinfo {
  s32 uptime;
  u32 loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
  u16 procs, pad;
  u32 totalhigh, freehigh, mem_unit;
  u8 f[8];
};

/* uname(2) of both, and i386's two older forms. */
struct lx_utsname {
  char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};
struct i386_old_utsname {
  char sysname[65], nodename[65], release[65], version[65], machine[65];
};
struct i386_oldold_utsname {
  char sysname[9], nodename[9], release[9], version[9], machine[9];
};

/* ioctl's terminals; the C library's struct termios is another. asm-generic/termbits.h */
struct lx_termios {
  u32 c_iflag, c_oflag, c_cflag, c_lflag;
  u8 c_line, c_cc[19];
};
struct lx_termios2 {
  u32 c_iflag, c_oflag, c_cflag, c_lflag;
  u8 c_line, c_cc[19];
  u32 c_ispeed, c_ospeed;
};

_Static_assert(sizeof(struct stat) == 144 && sizeof(struct statfs) == 120 && sizeof(struct sysinfo) == 112,
               "the host's structures are x86_64's");

#endif
