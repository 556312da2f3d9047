/* Files and descriptors: every way to read, write, copy, map, name, poll and duplicate them. Leaves files
 * behind, which the comparison also looks at. */
#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#include "guest.h"

#define FAILS(call, e) (errno = 0, (call) == -1 && errno == (e))

static char big[100000];

static int make(const char *name, const char *text) {
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
    exit(1);
  return fd;
}

static void show(const char *name) {
  char buf[256];
  int fd = open(name, O_RDONLY);
  ssize_t n = read(fd, buf, sizeof buf);
  printf("%s (%zd): ", name, n);
  for (ssize_t i = 0; i < n; i++)
    putchar(buf[i] == 0 ? '.' : buf[i] == '\n' ? '|' : buf[i]);
  putchar('\n');
  close(fd);
}

static void reading_and_writing(void) {
  int fd = make("plain", "0123456789");
  char b[32];
  verdict("lseek",
          lseek(fd, 4, SEEK_SET) == 4 && lseek(fd, -2, SEEK_CUR) == 2 && lseek(fd, 3, SEEK_END) == 13);
  verdict("lseek before the start is EINVAL", FAILS(lseek(fd, -1, SEEK_SET), EINVAL));
  verdict("write leaves a hole", write(fd, "end", 3) == 3);
  verdict("pwrite, pread", pwrite(fd, "AB", 2, 1) == 2 && pread(fd, b, 4, 0) == 4 && !memcmp(b, "0AB3", 4));
  struct iovec v[3] = {{"one,", 4}, {"", 0}, {"two;", 4}}, r[2] = {{b, 5}, {b + 16, 5}};
  verdict("writev", lseek(fd, 0, SEEK_END) == 16 && writev(fd, v, 3) == 8);
  verdict("readv", lseek(fd, 10, SEEK_SET) == 10 && readv(fd, r, 2) == 10 && !memcmp(b + 16, "done,", 5));
  verdict("pwritev, preadv", pwritev(fd, v, 3, 30) == 8 && preadv(fd, r, 2, 29) == 9);
  verdict("end of file", pread(fd, b, 4, 1000) == 0);
  show("plain");
  verdict("bad descriptor", FAILS(read(77, b, 1), EBADF) && FAILS(close(77), EBADF));
  int ro = open("plain", O_RDONLY);
  verdict("write to a read-only descriptor", FAILS(write(ro, b, 1), EBADF));
  volatile uintptr_t bad = 8;
  verdict("bad buffer", FAILS(read(ro, (void *)bad, 4), EFAULT) && FAILS(write(fd, (void *)bad, 4), EFAULT));
  verdict("bad path", FAILS(open((void *)bad, O_RDONLY), EFAULT) && FAILS(open("", O_RDONLY), ENOENT));
  close(ro);
  close(fd);
  fd = open("appended", O_WRONLY | O_CREAT | O_APPEND, 0600);
  verdict("append", write(fd, "a", 1) == 1 && lseek(fd, 0, SEEK_SET) == 0 && write(fd, "b", 1) == 1 &&
                        lseek(fd, 0, SEEK_CUR) == 2);
  close(fd);
  show("appended");
  verdict("O_EXCL", FAILS(open("plain", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST));
  verdict("O_DIRECTORY", FAILS(open("plain", O_DIRECTORY), ENOTDIR) && FAILS(open(".", O_RDWR), EISDIR));
  verdict("O_NOFOLLOW", !symlink("plain", "sym") && FAILS(open("sym", O_RDONLY | O_NOFOLLOW), ELOOP));
}

static void sizes_and_times(void) {
  int fd = make("sized", "some text that is cut");
  struct stat st;
  verdict("ftruncate", ftruncate(fd, 9) == 0 && fstat(fd, &st) == 0 && st.st_size == 9);
  verdict("truncate up", truncate("sized", 20) == 0 && stat("sized", &st) == 0 && st.st_size == 20);
  show("sized");
  verdict("sparse", ftruncate(fd, 5000000000LL) == 0 && fstat(fd, &st) == 0 && st.st_size == 5000000000LL);
  verdict("beyond 4 GiB", pwrite(fd, "far", 3, 4999999999LL) == 3 && lseek(fd, 0, SEEK_END) == 5000000002LL);
  verdict("and back", ftruncate(fd, 4) == 0);
  struct timespec t[2] = {{1000000000, 123456789}, {1234567890, 987654321}};
  verdict("utimensat", utimensat(AT_FDCWD, "sized", t, 0) == 0 && stat("sized", &st) == 0 &&
                           st.st_mtim.tv_sec == 1234567890 && st.st_mtim.tv_nsec == 987654321 &&
                           st.st_atim.tv_sec == 1000000000);
  verdict("chmod", chmod("sized", 0640) == 0 && stat("sized", &st) == 0 && (st.st_mode & 07777) == 0640);
  verdict("fchmod", fchmod(fd, 04711) == 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 04711);
  verdict("chown to oneself",
          chown("sized", getuid(), getgid()) == 0 && fchown(fd, -1, -1) == 0 && lchown("sym", -1, -1) == 0);
  struct {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, spare;
    uint64_t inode, size, rest[26];
  } sx;
  enum { BASIC = 0x7ff };
  verdict("statx", syscall(SYS_statx, AT_FDCWD, "sized", 0, BASIC, &sx) == 0 && sx.size == 4 &&
                       sx.inode == st.st_ino && (sx.mask & BASIC) == BASIC && sx.mode == (S_IFREG | 0711) &&
                       sx.links == 1 && sx.uid == getuid());
  verdict("umask", umask(077) == 022 && umask(022) == 077);
  fsync(fd);
  fdatasync(fd);
  struct statfs fs;
  verdict("statfs", statfs(".", &fs) == 0 && fs.f_bsize > 0 && fstatfs(fd, &fs) == 0);
  verdict("fallocate", posix_fallocate(fd, 0, 4096) == 0 && fstat(fd, &st) == 0 && st.st_size == 4096);
  verdict("posix_fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
  close(fd);
}

static void naming(void) {
  close(make("old", "the old one"));
  close(make("target", "the target"));
  struct stat a, b;
  verdict("link", link("old", "hard") == 0 && stat("hard", &a) == 0 && a.st_nlink == 2);
  verdict("rename replaces", rename("old", "target") == 0 && stat("target", &b) == 0 &&
                                 a.st_ino == b.st_ino && access("old", F_OK));
  verdict("symlink, readlink", symlink("target", "to-target") == 0);
  char text[32] = "";
  verdict("readlink is cut, not ended", readlink("to-target", text, 3) == 3 && !strcmp(text, "tar"));
  verdict("stat follows, lstat does not",
          !stat("to-target", &a) && !lstat("to-target", &b) && S_ISREG(a.st_mode) && S_ISLNK(b.st_mode));
  verdict("unlink", unlink("hard") == 0 && stat("target", &a) == 0 && a.st_nlink == 1);
  verdict("unlink again is ENOENT", FAILS(unlink("hard"), ENOENT));
  verdict("access", access("target", R_OK | W_OK) == 0 && FAILS(access("none", F_OK), ENOENT));
  int fd = open("unlinked", O_RDWR | O_CREAT, 0600);
  verdict("an unlinked file lives on",
          unlink("unlinked") == 0 && write(fd, "xyz", 3) == 3 && pread(fd, text, 3, 0) == 3);
  close(fd);
  char long_name[300];
  memset(long_name, 'n', 299);
  long_name[299] = 0;
  verdict("a long name is ENAMETOOLONG", FAILS(open(long_name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG));
  verdict("renameat2 without replacing",
          FAILS(syscall(SYS_renameat2, AT_FDCWD, "target", AT_FDCWD, "plain", 1), EEXIST));
}

static void descriptors(void) {
  int fd = make("dups", "abcdef"), other = dup(fd), third;
  char c[4];
  lseek(fd, 0, SEEK_SET);
  verdict("dup shares the position", read(fd, c, 2) == 2 && read(other, c, 1) == 1 && c[0] == 'c');
  verdict("dup2", dup2(fd, 50) == 50 && lseek(50, 0, SEEK_CUR) == 3 && dup2(fd, fd) == fd);
  verdict("dup3 with itself is EINVAL", FAILS(dup3(fd, fd, 0), EINVAL));
  verdict("dup3 close-on-exec",
          dup3(fd, 51, O_CLOEXEC) == 51 && fcntl(51, F_GETFD) == FD_CLOEXEC && fcntl(50, F_GETFD) == 0);
  verdict("F_DUPFD", (third = fcntl(fd, F_DUPFD, 60)) == 60 && fcntl(fd, F_DUPFD_CLOEXEC, 60) == 61);
  verdict("F_GETFL", (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR && fcntl(fd, F_SETFL, O_APPEND) == 0 &&
                         (fcntl(fd, F_GETFL) & O_APPEND));
  verdict("F_SETFD", fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
  verdict("F_SETLK, F_GETLK",
          fcntl(fd, F_SETLK, &lock) == 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
  verdict("flock", flock(fd, LOCK_EX | LOCK_NB) == 0 && flock(fd, LOCK_UN) == 0);
  for (int i = 50; i < 62; i++)
    close(i);
  close(other);
  close(fd);
  verdict("not a terminal", !isatty(make("notty", "")) && errno == ENOTTY &&
                                FAILS(tcgetattr(0 + open("notty", O_RDWR), &(struct termios){0}), ENOTTY));
  int lowest = dup(1);
  close(lowest);
  verdict("the lowest free descriptor", dup(1) == lowest);
}

static void copying(void) {
  for (size_t i = 0; i < sizeof big; i++)
    big[i] = (char)(i * 7 + i / 251);
  int from = make("source", ""), to = make("copy1", ""), to2 = make("copy2", "");
  verdict("a large write", write(from, big, sizeof big) == sizeof big);
  off_t at = 10;
  verdict("sendfile",
          sendfile(to, from, &at, 50000) == 50000 && at == 50010 && lseek(to, 0, SEEK_END) == 50000);
  loff_t in = 100, out = 5;
  verdict("copy_file_range",
          copy_file_range(from, &in, to2, &out, 1234, 0) == 1234 && in == 1334 && out == 1239);
  static char back[sizeof big];
  verdict("the same bytes", pread(to, back, 50000, 0) == 50000 && !memcmp(back, big + 10, 50000) &&
                                pread(to2, back, 1234, 5) == 1234 && !memcmp(back, big + 100, 1234));
  close(from), close(to), close(to2);
}

static void mapping(void) {
  int fd = make("mapped", "mapped file contents, forty bytes or so");
  if (ftruncate(fd, 10000))
    exit(1);
  char *shared = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *private = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  char *second = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096), c[8];
  verdict("mapped", shared != MAP_FAILED && private != MAP_FAILED && !memcmp(shared, "mapped", 6));
  memcpy(shared, "SHARED", 6);
  verdict("a shared store is in the file",
          pread(fd, c, 6, 0) == 6 && !memcmp(c, "SHARED", 6) && !memcmp(private, "SHARED", 6));
  memcpy(private, "private", 7);
  verdict("a private store is not",
          pread(fd, c, 6, 0) == 6 && !memcmp(c, "SHARED", 6) && !memcmp(shared, "SHARED", 6));
  verdict("a write shows in the mapping", pwrite(fd, "WRITE", 5, 5000) == 5 &&
                                              !memcmp(shared + 5000, "WRITE", 5) &&
                                              !memcmp(second + 904, "WRITE", 5));
  verdict("zeros after the end, in the page", shared[10001] == 0);
  shared[9999] = '!';
  verdict("msync", msync(shared, 10000, MS_SYNC) == 0);
  munmap(shared, 10000), munmap(private, 10000), munmap(second, 4096);
  close(fd);
  fd = open("mapped", O_RDONLY);
  verdict("a writable shared mapping needs a writable file",
          mmap(NULL, 100, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES);
  verdict("a private one does not", mmap(NULL, 100, PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
  verdict("an odd offset is EINVAL",
          mmap(NULL, 100, PROT_READ, MAP_PRIVATE, fd, 100) == MAP_FAILED && errno == EINVAL);
  close(fd);
}

static void pipes_and_polling(void) {
  int p[2], q[2], n;
  char c[8];
  verdict("pipe",
          pipe(p) == 0 && pipe2(q, O_NONBLOCK | O_CLOEXEC) == 0 && fcntl(q[0], F_GETFD) == FD_CLOEXEC);
  verdict("an empty pipe is EAGAIN", FAILS(read(q[0], c, 1), EAGAIN));
  struct pollfd f[3] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {99, POLLIN, 0}};
  verdict("poll",
          poll(f, 3, 0) == 2 && f[0].revents == 0 && f[1].revents == POLLOUT && f[2].revents == POLLNVAL);
  verdict("write, FIONREAD", write(p[1], "abc", 3) == 3 && ioctl(p[0], FIONREAD, &n) == 0 && n == 3);
  verdict("poll again", poll(f, 1, 1000) == 1 && f[0].revents == POLLIN);
  fd_set rd, wr;
  FD_ZERO(&rd);
  FD_ZERO(&wr);
  FD_SET(p[0], &rd);
  FD_SET(q[0], &rd);
  FD_SET(q[1], &wr);
  struct timeval tv = {0, 1000};
  verdict("select", select(64, &rd, &wr, NULL, &tv) == 2 && FD_ISSET(p[0], &rd) && !FD_ISSET(q[0], &rd) &&
                        FD_ISSET(q[1], &wr));
  struct timespec ts = {0, 1000000};
  FD_ZERO(&rd);
  FD_SET(q[0], &rd);
  verdict("pselect times out", pselect(64, &rd, NULL, NULL, &ts, NULL) == 0 && !FD_ISSET(q[0], &rd));
  f[0] = (struct pollfd){q[0], POLLIN, 0};
  verdict("ppoll times out", ppoll(f, 1, &ts, NULL) == 0);
  verdict("read takes it", read(p[0], c, 8) == 3 && !memcmp(c, "abc", 3));
  close(p[1]);
  verdict("hang-up", read(p[0], c, 1) == 0 && poll(f, 0, 0) == 0);
  f[0] = (struct pollfd){p[0], POLLIN, 0};
  verdict("POLLHUP", poll(f, 1, 0) == 1 && (f[0].revents & POLLHUP));
  int full = 0;
  while (write(q[1], big, 4096) == 4096)
    full++;
  printf("a pipe holds %d times 4096\n", full);
  verdict("lseek in a pipe is ESPIPE", FAILS(lseek(p[0], 0, SEEK_CUR), ESPIPE));
  close(p[0]), close(q[0]), close(q[1]);
}

static void streams(void) {
  FILE *f = fopen("stream", "w+");
  for (int i = 0; i < 3000; i++)
    fprintf(f, "line %d of a file written through stdio\n", i);
  fflush(f);
  rewind(f);
  char line[128];
  int lines = 0;
  while (fgets(line, sizeof line, f))
    lines++;
  printf("%d lines, last %s", lines, line);
  fseek(f, -6, SEEK_END);
  printf("tell %ld, then %s", ftell(f), fgets(line, sizeof line, f));
  fclose(f);
  f = fopen("stream", "r");
  char *dynamic = NULL;
  size_t room = 0;
  printf("getline %zd\n", getline(&dynamic, &room, f));
  int n, got = fscanf(f, "line %d of", &n);
  printf("fscanf %d %d\n", got, n);
  fclose(f);
  char *mem;
  size_t size;
  f = open_memstream(&mem, &size);
  fprintf(f, "%s-%d", "memory", 5);
  fclose(f);
  printf("%s %zu\n", mem, size);
  f = tmpfile();
  verdict("tmpfile", f && fputs("x", f) >= 0 && fclose(f) == 0);
}

int main(void) {
  umask(022);
  reading_and_writing();
  sizes_and_times();
  naming();
  descriptors();
  copying();
  mapping();
  pipes_and_polling();
  streams();
  return 0;
}
