/* What calls with descriptors refuse. */
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <time.h>

#include "rawerr.h"

static const struct row rows[] = {
    ROW(read, "fpz", {FD_READ, AT_PAGE, 10}),
    ROW(read, "f", {FD_READ, AT_PAGE, 0}),
    ROW(write, "fpz", {FD_WRITE, AT_PAGE, 10}),
    ROW(write, "fp", {FD_WRITE, AT_PAGE, 0}),
    ROW(close, "f", {FD_READ}),
    ROW(lseek, "fod", {FD_READ, 1, SEEK_SET}),
    ROW(lseek, "fo", {FD_READ, 1, SEEK_CUR}),
    ROW(lseek, "fo", {FD_READ, 1, SEEK_END}),
    ROW(lseek, "fo", {FD_READ, 1, SEEK_DATA}),
    ROW(lseek, "fo", {FD_READ, 1, SEEK_HOLE}),
    ROW(readv, "fpd", {FD_READ, AT_PAGE, 1}),
    ROW(writev, "fpd", {FD_WRITE, AT_PAGE, 1}),
    ROW(preadv, "fpdoo", {FD_READ, AT_PAGE, 1, 0, 0}),
    ROW(pwritev, "fpd", {FD_WRITE, AT_PAGE, 1, 0, 0}),
    ROW(preadv2, "fpdoob", {FD_READ, AT_PAGE, 1, 0, 0, 0}),
    ROW(pwritev2, "fpd..b", {FD_WRITE, AT_PAGE, 1, 0, 0, 0}),
    ROW(dup, "f", {FD_READ}),
    ROW(dup2, "ff", {FD_READ, FD_WRITE}),
    ROW(dup3, "ffb", {FD_READ, FD_WRITE, 0}),
    ROW(dup3, "f", {FD_READ, FD_READ, 0}),
    ROW(pipe, "p", {AT_PAGE}),
    ROW(pipe2, "pb", {AT_PAGE, 0}),
    ROW(fsync, "f", {FD_WRITE}),
    ROW(fdatasync, "f", {FD_READ}),
    ROW(syncfs, "f", {99}),
    ROW(ftruncate, "fo", {FD_WRITE, 5}),
    ROW(fchmod, "fb", {FD_BOTH, 0600}),
    ROW(fchown, "f", {FD_BOTH, -1, -1}),
    ROW(fstat, "fp", {FD_READ, AT_PAGE}),
    ROW(fstatfs, "fp", {FD_READ, AT_PAGE}),
    ROW(getdents, "fpz", {FD_DIR, AT_PAGE, PAGE}),
    ROW(getdents64, "fpz", {FD_DIR, AT_PAGE, PAGE}),
    ROW(flock, "fdb", {FD_READ, 4 | 1}),
    ROW(sendfile, "ffpz", {FD_WRITE, FD_READ, AT_PAGE, 5}),
    ROW(sendfile, "ffp", {PIPE_IN, FD_READ, 0, 5}),
    ROW(copy_file_range, "fpfpzb", {FD_READ, AT_PAGE, FD_WRITE, AT_PAGE_2, 5, 0}),
    ROW(copy_file_range, "f.f", {FD_READ, 0, FD_WRITE, 0, 5, 0}),
    ROW(splice, "fpf.zb", {FD_READ, AT_PAGE, PIPE_IN, 0, 5, 0}),
    ROW(splice, "...p", {FD_READ, AT_PAGE, PIPE_IN, 0, 5, 0}),
    ROW(tee, "ffzb", {PIPE_OUT, PIPE_IN, 5, 2}),
    /* Without SPLICE_F_NONBLOCK it would wait for an empty pipe. */
    ROW(vmsplice, "fpd", {PIPE_IN, AT_PAGE, 1, 2}),
    ROW(vmsplice, "...b", {PIPE_IN, AT_PAGE, 1, 0}),
    ROW(poll, ".", {AT_PAGE, 1, 0}),
    ROW(poll, "pd", {AT_PAGE, 1, 0}),
    ROW(epoll_create, "d", {1}),
    ROW(epoll_create1, "b", {0}),
    ROW(epoll_ctl, "fdfp", {FD_BOTH, EPOLL_CTL_ADD, PIPE_OUT, AT_PAGE}),
    ROW(epoll_wait, "fpd", {FD_BOTH, AT_PAGE, 1, 0}),
    ROW(epoll_pwait, "fpd.pz", {FD_BOTH, AT_PAGE, 1, 0, 0, 8}),
    ROW(eventfd, "d", {1}),
    ROW(eventfd2, "db", {1, 0}),
    ROW(memfd_create, "sb", {S("name"), 0}),
    ROW(inotify_init1, "b", {0}),
    ROW(inotify_add_watch, "fsb", {FD_READ, S("file"), 1}),
    ROW(inotify_rm_watch, "fd", {FD_READ, 1}),
    ROW(timerfd_create, "db", {CLOCK_MONOTONIC, 0}),
    ROW(timerfd_settime, "fbpp", {FD_READ, 0, AT_PAGE, AT_PAGE_2}),
    ROW(timerfd_gettime, "fp", {FD_READ, AT_PAGE}),
    ROW(signalfd, "fpz", {-1, AT_PAGE, 8}),
    ROW(signalfd4, "fpzb", {-1, AT_PAGE, 8, 0}),
    ROW(close_range, "..b", {100, 90, 0}),
    ROW(close_range, "..b", {100, 200, 0}),
    ROW(fallocate, "fb", {99, 0, 0, 10}),
#ifdef __i386__
    ROW(_llseek, "fddpd", {FD_READ, 0, 1, AT_PAGE, 0}),
    ROW(pread64, "fpzdd", {FD_READ, AT_PAGE, 5, 0, 0}),
    ROW(pwrite64, "fpzdd", {FD_WRITE, AT_PAGE, 5, 0, 0}),
    ROW(ftruncate64, "fdd", {FD_WRITE, 5, 0}),
    ROW(fchown32, "f", {FD_BOTH, -1, -1}),
    ROW(fstat64, "fp", {FD_READ, AT_PAGE}),
    ROW(oldfstat, "f", {99, AT_PAGE}),
    ROW(fstatfs64, "fzp", {FD_READ, 84, AT_PAGE}),
    ROW(readdir, "fp", {FD_DIR, AT_PAGE, 1}),
    ROW(sendfile64, "ffpz", {FD_WRITE, FD_READ, AT_PAGE, 5}),
    ROW(fcntl64, "fd", {FD_BOTH, F_GETFD, 0}),
    ROW(fcntl64, "f.p", {FD_BOTH, 13, AT_PAGE}),
    ROW(fcntl64, "fp", {FD_BOTH, 12, AT_PAGE}),
    ROW(fcntl64, "f.p", {FD_BOTH, F_OFD_SETLK, AT_PAGE}),
    ROW(fadvise64, "fddd", {FD_READ, 0, 0, 10, 0}),
    ROW(fadvise64_64, "fdddd", {FD_READ, 0, 0, 10, 0, 0}),
    ROW(readahead, "fddz", {FD_READ, 0, 0, 10}),
    ROW(sync_file_range, "fdddd", {FD_WRITE, 0, 0, 10, 0, 0}),
#else
    ROW(pread64, "fpzo", {FD_READ, AT_PAGE, 5, 0}),
    ROW(pwrite64, "fpz", {FD_WRITE, AT_PAGE, 5, 0}),
    ROW(fadvise64, "food", {FD_READ, 0, 10, 0}),
    ROW(readahead, "foz", {FD_READ, 0, 10}),
    ROW(sync_file_range, "foob", {FD_WRITE, 0, 10, 0}),
#endif
    ROW(fcntl, "fdd", {FD_BOTH, F_GETFD, 0}),
    ROW(fcntl, "f.d", {FD_BOTH, F_DUPFD, 10}),
    ROW(fcntl, "f.d", {FD_BOTH, F_DUPFD_CLOEXEC, 10}),
    ROW(fcntl, "f.b", {FD_BOTH, F_SETFD, 0}),
    ROW(fcntl, "f", {FD_BOTH, F_GETFL, 0}),
    ROW(fcntl, "f.b", {FD_BOTH, F_SETFL, 0}),
    ROW(fcntl, "f.p", {FD_BOTH, F_GETLK, AT_PAGE}),
    ROW(fcntl, "f.p", {FD_BOTH, F_SETLK, AT_PAGE}),
    ROW(fcntl, "f.p", {FD_READ, F_SETLK, AT_PAGE}),
    ROW(fcntl, "f.p", {FD_BOTH, F_OFD_GETLK, AT_PAGE}),
    ROW(fcntl, "f.d", {PIPE_IN, F_SETPIPE_SZ, PAGE}),
    ROW(fcntl, "f", {PIPE_IN, F_GETPIPE_SZ, 0}),
    ROW(fcntl, "f.d", {FD_BOTH, F_SETSIG, 0}),
    ROW(fcntl, "f.p", {FD_BOTH, F_GETOWN_EX, AT_PAGE}),
    ROW(fcntl, "f.b", {FD_BOTH, F_ADD_SEALS, 1}),
    ROW(fcntl, "f", {FD_BOTH, F_GET_SEALS, 0}),
    ROW(fcntl, ".d", {FD_BOTH, 0, 0}),
    ROW(ioctl, "f.p", {PIPE_OUT, FIONREAD, AT_PAGE}),
    ROW(ioctl, "f.p", {FD_BOTH, FIONBIO, AT_PAGE}),
    ROW(ioctl, "f", {FD_BOTH, FIOCLEX, 0}),
    ROW(ioctl, "f.p", {FD_BOTH, TCGETS, AT_PAGE}),
    ROW(ioctl, "f.p", {FD_BOTH, TIOCGWINSZ, AT_PAGE}),
    ROW(ioctl, "f.p", {FD_BOTH, TIOCGPGRP, AT_PAGE}),
};

/* A page that is a vector of ten bytes, a write lock over them, or zeros. */
static void prepare(const struct row *r) {
  long *word = (long *)page;
  if (strstr(r->name, "readv") || strstr(r->name, "writev") || !strcmp(r->name, "vmsplice")) {
    word[0] = (long)page + 256;
    word[1] = 10;
  } else if (!strcmp(r->name, "poll")) {
    ((int *)page)[0] = pipe_in;
    ((short *)page)[2] = 4;
  }
}

#define LOCK(fd, cmd, ...) \
  (f = (struct flock){__VA_ARGS__}, printf("%s ", #__VA_ARGS__), CALL(SYS_fcntl, fd, cmd, &f))

static void locks(void) {
  struct flock f;
  static const int commands[] = {F_SETLK, F_GETLK, F_OFD_SETLK, F_OFD_GETLK};
  for (int i = 0; i < 4; i++) {
    int cmd = commands[i];
    make_all();
    LOCK(fd_both, cmd, F_RDLCK, 0, 0, 10, 0);
    LOCK(fd_both, cmd, F_UNLCK, 0, 0, 10, 0);
    LOCK(fd_both, cmd, 3, 0, 0, 10, 0);
    LOCK(fd_both, cmd, -1, 0, 0, 10, 0);
    LOCK(fd_both, cmd, F_WRLCK, 3, 0, 10, 0);
    LOCK(fd_both, cmd, F_WRLCK, -1, 0, 10, 0);
    LOCK(fd_both, cmd, F_WRLCK, 0, -1, 10, 0);
    LOCK(fd_both, cmd, F_WRLCK, 0, 5, -10, 0);
    LOCK(fd_both, cmd, F_WRLCK, 0, 5, -5, 0);
    LOCK(fd_both, cmd, F_WRLCK, 0, LONG_MAX, 2, 0);
    LOCK(fd_both, cmd, F_WRLCK, 2, LONG_MAX, 2, 0);
    LOCK(fd_both, cmd, F_WRLCK, 2, LONG_MIN, 2, 0);
    LOCK(fd_both, cmd, F_WRLCK, 0, 0, 0, 5);
    LOCK(fd_read, cmd, F_WRLCK, 0, 0, 0, 0);
    LOCK(fd_write, cmd, F_RDLCK, 0, 0, 0, 0);
    LOCK(fd_path, cmd, F_RDLCK, 0, 0, 0, 0);
    LOCK(pipe_out, cmd, F_RDLCK, 0, 0, 0, 0);
  }
}

/* openat2(): each of its structure's members. */
static void open_how(void) {
  uint64_t *how = (uint64_t *)page;
  for (int member = 0; member < 4; member++)
    for (int bit = 0; bit < 64; bit++) {
      make_all();
      how[member] = UINT64_C(1) << bit;
      printf("member %d bit %d: ", member, bit);
      CALL(SYS_openat2, AT_FDCWD, "file", how, 32L);
    }
  make_all();
  how[0] = O_CREAT;
  how[1] = 0177777;
  CALL(SYS_openat2, AT_FDCWD, "none", how, 24L);
  how[1] = 0600;
  how[2] = 1 | 8;
  CALL(SYS_openat2, AT_FDCWD, "dir/../none", how, 24L);
  CALL(SYS_openat2, AT_FDCWD, "/proc/self", how, 24L);
}

int main(void) {
  CALL_ALL(rows);
  locks();
  open_how();
  make_all();
  return 0;
}
