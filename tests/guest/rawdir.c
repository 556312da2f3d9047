/* Directories and names by raw system calls: getdents of both forms in buffers of every size, positions and
 * seeking, readdir, links and nodes. Directory positions are those of the ABI. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>

#include "rawcall.h"

enum { ENTRIES = 300, KEPT = 40 };

static void make_entries(void) {
  char name[128];
  mkdir("many", 0755);
  for (int i = 0; i < ENTRIES; i++) {
    int n = snprintf(name, sizeof name, "many/file-%d-", i);
    memset(name + n, 'x', i % 100);
    name[n + i % 100] = 0;
    close(creat(name, 0600));
  }
}

/* One pass over the directory; the names are summed up, for their order is the file system's. */
static void walk(int fd, long nr, size_t size, size_t length_at, size_t name_at, int type_last) {
  long count = 0, lengths = 0, types = 0, n;
  uint64_t names = 0;
  lseek(fd, 0, SEEK_SET);
  while ((n = syscall(nr, fd, buf, size)) > 0)
    for (long at = 0; at < n;) {
      unsigned short length;
      memcpy(&length, buf + at + length_at, sizeof length);
      const char *name = (char *)buf + at + name_at;
      names += checksum(CHECKSUM_START, name, strlen(name));
      types += type_last ? buf[at + length - 1] : buf[at + length_at + 2];
      lengths += length;
      count++;
      at += length;
    }
  printf("%zu bytes at once: %ld entries, lengths %ld, types %ld, names %016llx, end %d\n", size, count,
         lengths, types, (unsigned long long)names, n ? errno : 0);
}

/* Seeking to an entry's position leads to the next entry. */
static void seek(int fd) {
  long long position[KEPT];
  char name[KEPT][128];
  int n = 0, good = 1, small = 1;
  lseek(fd, 0, SEEK_SET);
  long r = syscall(SYS_getdents64, fd, buf, 2048);
  for (long at = 0; at < r && n < KEPT; n++) {
    unsigned short length;
    memcpy(&position[n], buf + at + 8, 8);
    memcpy(&length, buf + at + 16, 2);
    snprintf(name[n], sizeof name[n], "%s", (char *)buf + at + 19);
    small &= position[n] >= 0 && position[n] == (long)position[n];
    at += length;
  }
  for (int i = 0; i + 1 < n; i++) {
    good &= lseek(fd, (off_t)position[i], SEEK_SET) == (off_t)position[i];
    good &= syscall(SYS_getdents64, fd, buf, 512) > 0 && !strcmp((char *)buf + 19, name[i + 1]);
  }
  verdict("positions fit a long", small);
  verdict("seeking goes to the next entry", n > 10 && good);
}

static void directories(void) {
  int fd = open("many", O_RDONLY | O_DIRECTORY);
  static const size_t sizes[] = {20, 40, 120, 200, 1024, 4096, 65536};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    walk(fd, SYS_getdents, sizes[i], 2 * WORD, 2 * WORD + 2, 1);
    walk(fd, SYS_getdents64, sizes[i], 16, 19, 0);
  }
  seek(fd);
  CALL(SYS_getdents64, fd, BAD, 4096);
  CALL(SYS_getdents, 0, buf, 4096);
  CALL(SYS_getdents, 99, buf, 4096);
#ifdef __i386__
  long count = 0;
  lseek(fd, 0, SEEK_SET);
  while (syscall(SYS_readdir, fd, buf, 1) == 1) count++;
  printf("readdir: %ld entries\n", count);
#endif
  close(fd);
}

static void names(void) {
  CALL(SYS_mknod, "fifo", 010600, 0);
  CALL(SYS_mknodat, AT_FDCWD, "node", 0100600, 0);
  CALL(SYS_link, "node", "node2");
  CALL(SYS_linkat, AT_FDCWD, "node", AT_FDCWD, "node3", 0);
  CALL(SYS_symlink, "node", "sl");
  CALL(SYS_symlinkat, "node", AT_FDCWD, "sl");
  CALL(SYS_readlink, "sl", buf, 100);
  CALL(SYS_readlink, "sl", buf, 0);
  CALL(SYS_readlink, "sl", buf, -1);
  CALL(SYS_readlinkat, AT_FDCWD, "sl", buf, 2);
  CALL(SYS_readlink, "sl", BAD, 2);
  CALL(SYS_unlink, "node3");
  CALL(SYS_rename, "node2", "node3");
  CALL(SYS_renameat2, AT_FDCWD, "node3", AT_FDCWD, "node", 1);
  CALL(SYS_unlinkat, AT_FDCWD, "node3", 0);
  CALL(SYS_unlink, "fifo");
  CALL(SYS_mkdir, "dd", 0700);
  CALL(SYS_rmdir, "dd");
  CALL(SYS_rmdir, "dd");
  WORKS(SYS_getcwd, buf, 1000);
  CALL(SYS_getcwd, buf, 2);
  CALL(SYS_getcwd, BAD, 1000);
  CALL(SYS_chdir, "many");
  CALL(SYS_chdir, "..");
  CALL(SYS_fchdir, 99);
  CALL(SYS_umask, 022);
  CALL(SYS_access, "node", 0);
  CALL(SYS_access, "node", 8);
  CALL(SYS_faccessat, AT_FDCWD, "none", 0);
  CALL(SYS_faccessat2, AT_FDCWD, "node", 4, AT_EACCESS);
  CALL(SYS_chmod, "node", 0600);
  CALL(SYS_fchmodat, AT_FDCWD, "node", 0644);
}

int main(void) {
  make_entries();
  directories();
  names();
  return 0;
}
