/* System calls with bad arguments: each argument in turn takes every bad value of its class while the others
 * are good, and the answer is printed. Everything is made afresh for each call. man 2 syscalls (Errors). */
#ifndef TESTS_GUEST_RAWERR_H
#define TESTS_GUEST_RAWERR_H

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "rawcall.h"

enum { PAGE = 4096, LARGEFILE = 0100000, ARGUMENTS = 6, LAST_FD = 40 };

struct value {
  const char *name;
  long v;
};

/* The page, behind which nothing is mapped, and one that cannot be written. */
static unsigned char *page, *frozen, *edge;

/* Descriptors, the same numbers every time. */
static int fd_read, fd_write, fd_both, fd_dir, fd_path, pipe_out, pipe_in, fd_append;

static char long_name[300], long_path[4200], full_path[4097];

static void make_memory(void) {
  unsigned char *p = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) exit(1);
  page = p + PAGE;
  edge = page + PAGE;
  frozen = p;
  mprotect(frozen, PAGE, PROT_READ);
  munmap(edge, PAGE);
  memset(long_name, 'n', 256);
  for (size_t i = 0; i < 4100; i++) long_path[i] = i % 2 ? '/' : '.';
  for (size_t i = 0; i < 4090; i++) full_path[i] = i % 2 ? '/' : '.';
  strcpy(full_path + 4090, "file"); /* 4094, and the terminator */
}

/* The files and descriptors that the calls meet. */
static void make_all(void) {
  int p[2];
  for (int fd = 3; fd < LAST_FD; fd++) close(fd);
  umask(022);
  /* "dir" stays if it can: on some file systems removing one takes long. */
  static const char *const gone[] = {"dir/x", "dir/none", "none",     "target",
                                     "file",  "loop",     "dangling", "link"};
  for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
    if (unlink(gone[i]) && errno != ENOENT) rmdir(gone[i]);
  unlink("dir");
  if ((mkdir("dir", 0755) && errno != EEXIST) || chmod("dir", 0755)) exit(1);
  int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0644);
  if (write(fd, "0123456789", 10) != 10) exit(1);
  close(fd);
  if (symlink("loop", "loop") || symlink("target", "dangling") || symlink("file", "link")) exit(1);
  fd_read = open("file", O_RDONLY);
  fd_write = open("file", O_WRONLY);
  fd_both = open("file", O_RDWR);
  fd_dir = open("dir", O_RDONLY | O_DIRECTORY);
  fd_path = open("file", O_PATH);
  fd_append = open("file", O_RDWR | O_APPEND);
  if (pipe2(p, O_NONBLOCK)) exit(1);
  pipe_out = p[0];
  pipe_in = p[1];
  memset(page, 0, PAGE);
  edge[-1] = 'u';
}

/* A class's value number k; 0: there is no more. */
static int value_of(char class, int k, struct value *v) {
  static char text[32];
  const struct value fds[] = {
      {"-1", -1},          {"99", 99},        {"most", INT_MAX}, {"cwd", AT_FDCWD}, {"read", fd_read},
      {"write", fd_write}, {"both", fd_both}, {"dir", fd_dir},   {"path", fd_path}, {"append", fd_append},
      {"out", pipe_out},   {"in", pipe_in}};
  const struct value paths[] = {{"null", 0},
                                {"bad", 8},
                                {"-1", -1},
                                {"\"\"", (long)""},
                                {"none", (long)"none"},
                                {"none/", (long)"none/"},
                                {"none/x", (long)"none/x"},
                                {"file", (long)"file"},
                                {"file/", (long)"file/"},
                                {"file/.", (long)"file/."},
                                {"file/x", (long)"file/x"},
                                {"dir", (long)"dir"},
                                {"dir/", (long)"dir/"},
                                {"dir/.", (long)"dir/."},
                                {"dir/..", (long)"dir/.."},
                                {"dir/x/", (long)"dir/x/"},
                                {".", (long)"."},
                                {"loop", (long)"loop"},
                                {"loop/x", (long)"loop/x"},
                                {"dangling", (long)"dangling"},
                                {"dangling/", (long)"dangling/"},
                                {"link", (long)"link"},
                                {"link/", (long)"link/"},
                                {"long name", (long)long_name},
                                {"long path", (long)long_path},
                                {"full path", (long)full_path},
                                {"unterminated", (long)edge - 1}};
  const struct value pointers[] = {{"null", 0},
                                   {"bad", 8},
                                   {"-1", -1},
                                   {"-4096", -4096},
                                   {"frozen", (long)frozen},
                                   {"end-1", (long)edge - 1},
                                   {"end-4", (long)edge - 4},
                                   {"end-8", (long)edge - 8},
                                   {"end-12", (long)edge - 12},
                                   {"end", (long)edge},
                                   {"odd", (long)page + 1}};
  const struct value numbers[] = {{"0", 0},   {"1", 1},   {"2", 2},          {"3", 3},          {"4", 4},
                                  {"5", 5},   {"7", 7},   {"8", 8},          {"10", 10},        {"-1", -1},
                                  {"-2", -2}, {"99", 99}, {"most", INT_MAX}, {"least", INT_MIN}};
  const struct value offsets[] = {
      {"0", 0},          {"1", 1},       {"-1", -1},           {"-5", -5},
      {"100", 100},      {"4096", 4096}, {"int max", INT_MAX}, {"least", LONG_MIN},
      {"most", LONG_MAX}};
  const struct value sizes[] = {{"0", 0},
                                {"1", 1},
                                {"3", 3},
                                {"4", 4},
                                {"8", 8},
                                {"12", 12},
                                {"16", 16},
                                {"24", 24},
                                {"30", 30},
                                {"128", 128},
                                {"4096", PAGE},
                                {"4097", PAGE + 1},
                                {"int max", INT_MAX},
                                {"least", LONG_MIN},
                                {"most", LONG_MAX},
                                {"-1", -1}};
#define OF(table)                                         \
  if (k >= (int)(sizeof table / sizeof *table)) return 0; \
  *v = table[k];                                          \
  return 1
  switch (class) {
    case 'f': OF(fds);
    case 's': OF(paths);
    case 'p': OF(pointers);
    case 'd': OF(numbers);
    case 'o': OF(offsets);
    case 'z': OF(sizes);
    case 'b': /* each bit */
      if (k > 32) return 0;
      *v = k == 32 ? (struct value){"all", -1} : (struct value){text, (long)(1u << k)};
      snprintf(text, sizeof text, "bit %d", k);
      return 1;
    default: return 0;
  }
#undef OF
}

struct row {
  const char *name;
  long nr;
  const char *classes; /* one letter each; '.': always good. '!' first: the result's value varies */
  long good[ARGUMENTS];
};

/* The good values, where they are not constants: what a descriptor or the page is now. */
enum { FD_BOTH = INT_MIN + 1, FD_READ, FD_WRITE, FD_DIR, PIPE_OUT, PIPE_IN, AT_PAGE, AT_PAGE_2 };
static long good(long v) {
  switch (v) {
    case FD_BOTH: return fd_both;
    case FD_READ: return fd_read;
    case FD_WRITE: return fd_write;
    case FD_DIR: return fd_dir;
    case PIPE_OUT: return pipe_out;
    case PIPE_IN: return pipe_in;
    case AT_PAGE: return (long)page;
    case AT_PAGE_2: return (long)page + PAGE / 2;
    default: return v;
  }
}

/* What the page holds when the call is made: each program has its own. */
static void prepare(const struct row *r);

static void answer(const char *name, int argument, const char *value, long r, int varies) {
  printf("%s", name);
  if (argument >= 0) printf(" %d=%s", argument + 1, value);
  if (r == -1) printf(": error %d\n", errno);
  else if (varies) printf(": good\n");
  else printf(": %ld\n", r);
}

static void call(const struct row *r, int argument, const struct value *bad) {
  long a[ARGUMENTS];
  make_all();
  prepare(r);
  int varies = r->classes[0] == '!';
  for (int i = 0; i < ARGUMENTS; i++) a[i] = i == argument ? bad->v : good(r->good[i]);
  errno = 0;
  long result = syscall(r->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  answer(r->name, argument, argument < 0 ? "" : bad->name, result, varies);
}

static void call_all(const struct row *rows, size_t n) {
  static const int quiet[] = {SIGPIPE, SIGIO, SIGALRM, SIGXFSZ, SIGVTALRM, SIGPROF};
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++) signal(quiet[i], SIG_IGN);
  make_memory();
  make_all();
  int home = fcntl(open(".", O_RDONLY), F_DUPFD, LAST_FD);
  for (size_t i = 0; i < n; i++) {
    struct value v;
    const char *classes = rows[i].classes + (rows[i].classes[0] == '!');
    call(&rows[i], -1, NULL);
    if (fchdir(home)) exit(1);
    for (int arg = 0; classes[arg]; arg++)
      for (int k = 0; value_of(classes[arg], k, &v); k++) {
        call(&rows[i], arg, &v);
        if (fchdir(home)) exit(1);
      }
  }
  make_all();
  close(home);
}
#define S(text) ((long)(text))
#define CALL_ALL(rows) call_all(rows, sizeof rows / sizeof *rows)
#define ROW(call, ...) \
  { #call, SYS_##call, __VA_ARGS__ }

#endif
