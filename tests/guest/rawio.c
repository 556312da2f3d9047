/* Reading, writing and descriptors by raw system calls: vectors, offsets, pipes, splicing, duplicates, locks,
 * epoll. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "rawcall.h"

struct vec {
  const void *p;
  size_t n;
};

static void vectors(int fd) {
  struct vec v[3] = {{"abc", 3}, {0, 0}, {"defg", 4}}, r[3] = {{buf, 2}, {buf + 100, 3}, {BAD, 4}};
  CALL(SYS_writev, fd, v, 3);
  CALL(SYS_writev, fd, v, 0);
  CALL(SYS_writev, fd, v, 1025);
  CALL(SYS_writev, fd, v, -1);
  lseek(fd, 0, SEEK_SET);
  CALL(SYS_readv, fd, r, 2);
  lseek(fd, 0, SEEK_SET);
  CALL(SYS_readv, fd, r, 3);
  CALL(SYS_writev, 99, v, 3);
  CALL(SYS_writev, fd, BAD, 3);
  CALL(SYS_writev, 99, BAD, 3);
  v[1].n = -1;
  CALL(SYS_writev, fd, v, 3);
  v[1].n = 0;
  CALL(SYS_preadv, fd, r, 2, 1L, 0L);
  CALL(SYS_pwritev, fd, v, 3, 3L, 0L);
  CALL(SYS_preadv, fd, r, 2, -1L, -1L);
  CALL(SYS_preadv2, fd, r, 2, -1L, -1L, 0);
  CALL(SYS_preadv2, fd, r, 2, 0L, 0L, 0);
  CALL(SYS_pwritev2, fd, v, 3, 0L, 0L, 2);
}

static void plain(int fd) {
#ifdef __i386__
  CALL(SYS_pread64, fd, buf, 4, 1, 0);
  CALL(SYS_pread64, fd, buf, 4, -1, -1);
  CALL(SYS_pwrite64, fd, "zz", 2, 6, 0);
#else
  CALL(SYS_pread64, fd, buf, 4L, 1L);
  CALL(SYS_pread64, fd, buf, 4L, -1L);
  CALL(SYS_pwrite64, fd, "zz", 2L, 6L);
#endif
  CALL(SYS_read, fd, buf, -1L);
  CALL(SYS_read, fd, BAD, 10L);
  CALL(SYS_write, fd, BAD, 10L);
  CALL(SYS_read, fd, buf, 0x7fffffffL);
  CALL(SYS_write, fd, 0L, 0L);
  CALL(SYS_read, -1, buf, 1L);
}

static void copies(int fd) {
  int p[2], q[2];
  long off = 1;
  long long in = 2, out = 0;
  struct vec v = {"vmsplice", 8};
  CALL(SYS_pipe2, p, O_NONBLOCK | O_CLOEXEC);
  CALL(SYS_pipe2, p, 1);
  CALL(SYS_pipe, BAD);
  CALL(SYS_read, p[0], buf, 10L);
  CALL(SYS_sendfile, p[1], fd, &off, 4L);
  printf("  %ld\n", off);
  CALL(SYS_read, p[0], buf, 10L);
  CALL(SYS_sendfile, p[1], fd, BAD, 4L);
  lseek(fd, 0, SEEK_SET);
  CALL(SYS_sendfile, p[1], fd, 0L, 3L);
  int to = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600);
  CALL(SYS_copy_file_range, fd, &in, to, 0L, 5L, 0);
  CALL(SYS_splice, p[0], 0L, to, &out, 3L, 0);
  printf("  %lld %lld\n", in, out);
  in = 0;
  CALL(SYS_splice, fd, &in, p[1], 0L, 4L, 0);
  printf("  %lld\n", in);
  CALL(SYS_pipe, q);
  CALL(SYS_tee, p[0], q[1], 4L, 0);
  CALL(SYS_read, q[0], buf, 10L);
  CALL(SYS_vmsplice, q[1], &v, 1L, 0);
  CALL(SYS_read, q[0], buf, 10L);
}

static void duplicates(int fd) {
  struct {
    uint64_t flags, mode, resolve;
  } how = {0, 0, 0};
  CALL(SYS_dup2, fd, 40);
  CALL(SYS_dup2, fd, -1);
  CALL(SYS_dup2, fd, 100000000);
  CALL(SYS_dup3, fd, 41, O_CLOEXEC);
  CALL(SYS_dup3, fd, fd, 0);
  CALL(SYS_close_range, 40, 45, 0);
  CALL(SYS_close_range, 5, 4, 0);
  CALL(SYS_fcntl, 40, F_GETFD);
  CALL(SYS_close_range, 900, 1100, 0);
  CALL(SYS_close_range, 900, 1100, 4);
  CALL(SYS_fcntl, 1000, F_GETFD);
  CALL(SYS_close, 1000);
  CALL(SYS_dup2, fd, 999);
  CALL(SYS_close, 999);
  CALL(SYS_openat2, AT_FDCWD, "io", BAD, 24L);
  CALL(SYS_openat2, AT_FDCWD, "io", &how, 24L);
  CALL(SYS_openat2, AT_FDCWD, "io", &how, 8L);
  CALL(SYS_creat, "io3", 0600);
  CALL(SYS_openat, 99, "x", 0);
  CALL(SYS_openat, AT_FDCWD, BAD, 0);
  CALL(SYS_open, "", 0);
  CALL(SYS_memfd_create, "m", 1);
  CALL(SYS_eventfd, 3);
  CALL(SYS_eventfd2, 3, 04000);
  CALL(SYS_inotify_init1, 0);
}

static void events(void) {
  int q[2], ep = CALL(SYS_epoll_create1, 0);
  struct epoll_event ev = {EPOLLIN, {.u64 = UINT64_C(0x123456789abcdef)}}, out[4];
  if (pipe(q)) return;
  CALL(SYS_epoll_ctl, ep, 1, q[0], &ev);
  CALL(SYS_epoll_wait, ep, out, 4, 0);
  CALL(SYS_write, q[1], "x", 1L);
  CALL(SYS_epoll_wait, ep, out, 4, -1);
  bytes("event", out, 12);
  CALL(SYS_epoll_pwait, ep, out, 4, 0, 0L, 8L);
  CALL(SYS_epoll_wait, ep, out, 0, 0);
  CALL(SYS_epoll_ctl, ep, 1, 99, &ev);
  CALL(SYS_epoll_pwait, ep, out, 4, 0, BAD, 8L);
  CALL(SYS_epoll_pwait, ep, out, 4, 0, buf, 7L);
  CALL(SYS_ioctl, q[0], FIONREAD, buf);
  bytes("bytes", buf, 4);
}

static void locks(void) {
  int fd = open("lock", O_RDWR | O_CREAT, 0600);
  struct flock f = {.l_type = F_WRLCK, .l_whence = 0, .l_start = 10, .l_len = 20};
  CALL(SYS_fcntl, fd, F_SETLK, &f);
  CALL(SYS_fcntl, fd, F_GETLK, &f);
  bytes("lock", &f, sizeof f);
  CALL(SYS_fcntl, fd, F_SETLKW, &f);
  static const int commands[] = {1, 2, 3, 5, 6, 7, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 36, 1024 + 7, 1036};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    memset(buf, 0, 64);
    printf("command %d, ", commands[i]);
    CALL(SYS_fcntl, fd, commands[i], buf);
  }
  CALL(SYS_fcntl, fd, F_GETOWN_EX, BAD);
  CALL(SYS_fcntl, fd, 5, BAD);
#ifdef __i386__
  struct __attribute__((packed, aligned(4))) {
    short type, whence;
    long long start, len;
    int pid;
  } g = {F_WRLCK, 0, 5000000000LL, 10, 0};
  CALL(SYS_fcntl64, fd, 13, &g);
  CALL(SYS_fcntl64, fd, 12, &g);
  bytes("lock", &g, 24);
  g.type = F_WRLCK;
  g.pid = 0;
  CALL(SYS_fcntl64, fd, 37, &g);
#endif
  CALL(SYS_flock, fd, 2 | 4);
  close(fd);
}

int main(void) {
  int fd = open("io", O_RDWR | O_CREAT | O_TRUNC, 0600);
  vectors(fd);
  plain(fd);
  copies(fd);
  duplicates(fd);
  events();
  locks();
  return 0;
}
