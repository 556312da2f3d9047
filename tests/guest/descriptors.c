/* Every descriptor number below the limit is the program's: none is taken, and none is refused. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

static int is_open(int fd) {
  struct stat st;
  return !fstat(fd, &st);
}

static void first_numbers(void) {
  int a = open("/dev/null", O_RDONLY), b = open("/dev/null", O_RDONLY), others = 0;
  printf("the first two are %d and %d\n", a, b);
  for (int fd = 0; fd < 70000; fd++)
    if (fd > b && is_open(fd))
      others++;
  printf("others open: %d\n", others);
  close(a);
  close(b);
}

static int listed(void) {
  int n = 0;
  DIR *d = opendir("/proc/self/fd");
  while (d && readdir(d))
    n++;
  if (d)
    closedir(d);
  return n;
}

static void all_of(int limit) {
  struct rlimit r;
  getrlimit(RLIMIT_NOFILE, &r);
  rlim_t was = r.rlim_cur;
  r.rlim_cur = (rlim_t)limit;
  printf("limit %d: %d\n", limit, setrlimit(RLIMIT_NOFILE, &r));
  int copied = 0, opened = 0, last = -1, fd;
  for (int i = 3; i < limit; i++)
    copied += dup2(1, i) == i;
  printf("copied to %d, beyond %d, ", copied, dup2(1, limit));
  printf("errno %d\n", errno);
  for (int i = 3; i < limit; i++)
    close(i);
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) {
    opened++;
    last = fd;
  }
  printf("opened %d, last %d, errno %d, then %d\n", opened, last, errno, dup(1));
  close(3);
  printf("listed %d\n", listed());
  printf("close_range %d, ", (int)syscall(SYS_close_range, 3, ~0u, 0));
  printf("left %d\n", is_open(limit - 1));
  printf("F_DUPFD near the end %d, beyond %d\n", fcntl(0, F_DUPFD, limit - 1), fcntl(0, F_DUPFD, limit));
  printf("listed %d\n", listed());
  close(limit - 1);
  r.rlim_cur = was;
  setrlimit(RLIMIT_NOFILE, &r);
}

int main(void) {
  static const int limits[] = {1024, 64, 16, 8};
  first_numbers();
  for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++)
    all_of(limits[i]);
  first_numbers();
  return 0;
}
