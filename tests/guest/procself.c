/* What /proc/self says of the program: its name, its file by every way to name it, its mappings. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"

static char self[4096];

static void first_line(const char *path, char end) {
  char buf[64] = "";
  int fd = open(path, O_RDONLY);
  if (read(fd, buf, sizeof buf - 1) < 0)
    strcpy(buf, "?");
  close(fd);
  char *p = end == ')' ? strchr(buf, '(') : buf, *stop;
  p = p ? p : buf;
  stop = strchr(p, end);
  if (stop)
    *stop = 0;
  printf("%s: %s\n", path, p);
}

static void is_exe(const char *what, int fd, const char *path) {
  char buf[4096];
  struct stat a, b;
  ssize_t n = readlinkat(fd, path, buf, sizeof buf - 1);
  buf[n > 0 ? n : 0] = 0;
  int opened = openat(fd, path, O_RDONLY);
  verdict(what, !strcmp(buf, self) && !stat(self, &a) && !fstatat(fd, path, &b, 0) && a.st_ino == b.st_ino &&
                    !fstat(opened, &b) && a.st_ino == b.st_ino);
  close(opened);
}

/* The mappings of the program's own file, and what lies right behind them, from the first on. */
static void mappings(const char *what) {
  char line[4400], rights[5], name[4096];
  unsigned long start, end, off, base = 0, last = 0;
  FILE *f = fopen("/proc/self/maps", "r");
  printf("mappings %s:\n", what);
  while (f && fgets(line, sizeof line, f)) {
    *name = 0;
    if (sscanf(line, "%lx-%lx %4s %lx %*s %*s %4095s", &start, &end, rights, &off, name) < 4)
      continue;
    int own = !strcmp(name, self);
    base = base ? base : start;
    if (own || (start == last && !*name))
      printf("  %lx-%lx %s %lx %s\n", start - base, end - base, rights, off, own ? "its file" : "");
    if (own || start == last)
      last = end;
  }
  if (f)
    fclose(f);
}

static void own_mappings(void) {
  char *p = mmap(NULL, 0x40000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char line[256];
  mprotect(p + 0x10000, 0x10000, PROT_READ | PROT_WRITE);
  p[0x10000] = 1;
  mprotect(p + 0x10000, 0x8000, PROT_READ);
  FILE *f = fopen("/proc/self/maps", "r");
  while (f && fgets(line, sizeof line, f)) {
    unsigned long start = strtoul(line, NULL, 16), end = strtoul(strchr(line, '-') + 1, NULL, 16);
    if (start > (unsigned long)p && start < (unsigned long)p + 0x40000)
      printf("  %lx-%lx %.4s\n", start - (unsigned long)p,
             end <= (unsigned long)p + 0x40000 ? end - (unsigned long)p : 0, strchr(line, ' ') + 1);
  }
  if (f)
    fclose(f);
}

int main(void) {
  char path[64];
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
    return 1;
  static const char *const files[] = {"/proc/self/comm", "/proc/thread-self/comm", "/proc/self/status"};
  for (int renamed = 0; renamed < 2; renamed++) {
    for (unsigned i = 0; i < 3; i++)
      first_line(files[i], '\n');
    first_line("/proc/self/stat", ')');
    prctl(PR_SET_NAME, "another name, too long");
  }
  is_exe("/proc/self/exe", AT_FDCWD, "/proc/self/exe");
  snprintf(path, sizeof path, "/proc/%d/exe", getpid());
  is_exe("/proc/PID/exe", AT_FDCWD, path);
  snprintf(path, sizeof path, "/proc/%d/task/%d/exe", getpid(), getpid());
  is_exe("/proc/PID/task/TID/exe", AT_FDCWD, path);
  is_exe("self/exe from /proc", open("/proc", O_RDONLY), "self/exe");
  is_exe("exe from /proc/self", open("/proc/self", O_RDONLY), "exe");
  mappings("from the start");
  own_mappings();
  if (chdir("/proc/self"))
    return 1;
  is_exe("exe", AT_FDCWD, "exe");
  is_exe("./exe", AT_FDCWD, "./exe");
  first_line("comm", '\n');
  first_line("stat", ')');
  return 0;
}
