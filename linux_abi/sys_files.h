/* What the files of system calls about descriptors, paths and time share. Linux fs/file.c, fs/namei.c,
 * kernel/time/. */
#ifndef LINUX_ABI_SYS_FILES_H
#define LINUX_ABI_SYS_FILES_H

#include <sys/uio.h>
#include <time.h>

#include "base/hostcall.h"
#include "linux_abi/layout.h"
#include "linux_abi/signal.h"
#include "linux_abi/task.h"
#include "linux_abi/uaccess.h"

/* --- Host calls that may block; what comes after a signal does not begin (base/hostcall.h) --- */

/* For calls that wait only at times: not begun gives -ERESTARTNOINTR, ended by a signal -ERESTARTSYS. */
s64 wait_result(s64 r);
#define WAIT(t, nr, ...) wait_result(HOST_WAIT(&(t)->signal_pending, nr, __VA_ARGS__))
/* For reading and writing: not begun is as good as ended by the signal, unless fd is a regular file, on which
 * no call is ever interrupted. */
s64 io_result(int fd, s64 r);
#define IO(t, fd, nr, ...) io_result(fd, HOST_WAIT(&(t)->signal_pending, nr, fd __VA_OPT__(,) __VA_ARGS__))
/* For what sleeps: -EINTR in both cases. */
s64 sleep_result(s64 r);
#define SLEEP(t, nr, ...) sleep_result(HOST_WAIT(&(t)->signal_pending, nr, __VA_ARGS__))

/* --- Descriptors: the host's own --- */

/* What is kept about them. Made at the first use. */
struct file_state;
void files_free(struct task *t);

/* The descriptors that the emulator had open when the program first asked for one: they are not the
 * program's, which gets -EBADF for them. They are told by close-on-exec, which no inherited descriptor
 * has: what the emulator opens must have it. */
bool lx_fd_hidden(struct task *t, int fd);
/* The lowest hidden descriptor at or above fd, or -1. */
int lx_fd_next_hidden(struct task *t, int fd);
/* For calls that make descriptors: hidden ones are known before the program's own could be taken for one. */
void files_ready(struct task *t);

/* i386: a file opened without O_LARGEFILE stays below 2 GiB. */
void files_set_small(struct task *t, int fd, bool is_small);
bool files_small(const struct task *t, int fd);
/* What may be written there of len bytes at off (-1: at the descriptor's position): the length, or -EFBIG. */
s64 files_small_room(struct task *t, int fd, s64 off, u64 len);

/* i386: ext4 gives 64-bit programs directory positions of 63 bits, 32-bit ones their upper half. */
enum { DIR_SHIFT = 32 };
void files_set_dir_shifted(struct task *t);
bool files_dir_shifted(struct task *t, int fd);
/* The same where a position has been seen that only such a directory has. */
bool files_see_dir_shifted(struct task *t, int fd);

/* Is this the first time that the program asks for this unsupported ioctl request? (False, too, after very
 * many.) */
bool files_first_ioctl(struct task *t, u32 request);

/* A descriptor argument to pass on: -1, which the host refuses with -EBADF, for a hidden one. AT_FDCWD
 * stays. */
static inline int fd_arg(struct task *t, u64 a) {
  int fd = (int)a;
  return lx_fd_hidden(t, fd) ? -1 : fd;
}

/* --- Memory --- */

/* A buffer for the host to read or write; *len is cut at the window's end. The host answers -EFAULT where
 * Linux would: at once if the buffer cannot be a user's, else when it comes to what is not mapped. */
void *buf_arg(const struct task *t, u64 addr, u64 *len);
/* The same for calls that look only at what they store, not at *len. */
void *buf_room(const struct task *t, u64 addr, u64 *len);
/* Fetches an iovec array of the call's ABI into v[UIO_MAXIOV], as host addresses; n becomes the number to
 * pass on. 0, or -EINVAL, -EFAULT. */
MUST_CHECK int iov_arg(const struct task *t, struct iovec v[], u64 addr, u64 *n);
/* The host has written `bytes` into them. */
void iov_wrote(struct task *t, const struct iovec v[], u64 n, s64 bytes);

/* --- Paths --- */

/* The host's pointer to a path argument, as it is. */
static inline const char *path_arg(const struct task *t, u64 addr) { return ua_opt(t, addr, 1); }
/* The same for calls that follow a last symbolic link: /proc/self/exe is the program. */
const char *path_follow(const struct task *t, u64 addr);
const char *path_follow_at(const struct task *t, s64 dirfd, u64 addr);

/* Files of /proc/self that speak of the emulator where the program should hear of itself. */
enum proc_file { PROC_OTHER, PROC_EXE, PROC_CMDLINE, PROC_ENVIRON, PROC_AUXV, PROC_COMM, PROC_MAPS };
enum proc_file proc_file(const struct task *t, s64 dirfd, u64 path);
/* A descriptor with the contents of one of these, but PROC_EXE. */
s64 proc_open(struct task *t, enum proc_file which, int flags);
/* Is this directory /proc/self/fd? */
bool proc_is_fd_dir(struct task *t, int fd);

/* --- Time --- */

/* The layout of a timespec: x86_64's, i386's with 32 bits, i386's with 64 (whose tv_nsec has 32 and
 * padding). */
enum time_layout { TIME_NATIVE, TIME_OLD32, TIME_64 };
static inline enum time_layout time_layout(const struct task *t) { return t->compat ? TIME_64 : TIME_NATIVE; }

MUST_CHECK int ts_read(const struct task *t, struct timespec *ts, u64 addr, enum time_layout l);
MUST_CHECK int ts_write(struct task *t, u64 addr, const struct timespec *ts, enum time_layout l);
/* A timeval by the call's ABI (i386: 32-bit). */
MUST_CHECK int tv_read(const struct task *t, struct timeval *tv, u64 addr);
MUST_CHECK int tv_write(struct task *t, u64 addr, const struct timeval *tv);
static inline bool ts_valid(const struct timespec *ts) {
  return ts->tv_sec >= 0 && (u64)ts->tv_nsec < 1000000000;
}
/* When a wait that begins now is over, by this clock of the host; the end of time if that overflows. */
struct timespec ts_deadline(clockid_t clock, const struct timespec *wait);
/* What is left, not less than nothing. */
struct timespec ts_left(clockid_t clock, const struct timespec *deadline);

#endif
