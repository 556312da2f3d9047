/* `ringwalk debug --tui`: the terminal is the debugger's, and the target has a pseudo-terminal. man 7 pty. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/debug.h"
#include "debugger/tui.h"

struct debug_tui {
  struct tui_io io;
  int in, out;   /* the terminal */
  int stderr_fd; /* what standard error was */
};

static int own(int fd) { return fd < 0 ? -1 : lx_fd_out_of_the_way(fd); }
static int own_copy(int fd) { return own(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

/* The target's standard input, output and error. */
static int open_pty(struct debug_tui *t) {
  char name[64];
  t->io.program = own(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (t->io.program < 0 || grantpt(t->io.program) || unlockpt(t->io.program)) return -1;
  if (ptsname_r(t->io.program, name, sizeof name)) return -1;
  int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return -1;
  int bad = dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0;
  if (fd > STDERR_FILENO) close(fd);
  return bad ? -1 : 0;
}

static int open_all(struct debug_tui *t) {
  int ends[2];
  t->in = own_copy(STDIN_FILENO);
  t->out = own_copy(STDOUT_FILENO);
  t->stderr_fd = own_copy(STDERR_FILENO);
  if (t->in < 0 || t->out < 0 || t->stderr_fd < 0) return -1;
  t->io.in = fdopen(t->in, "r");
  t->io.out = fdopen(t->out, "w");
  if (!t->io.in || !t->io.out) return -1;
  t->io.guard = tui_guard(t->out);
  if (t->io.guard >= 0) t->io.guard = own(t->io.guard);
  if (pipe2(ends, O_CLOEXEC)) return -1;
  t->io.wake[0] = own(ends[0]);
  t->io.wake[1] = own(ends[1]);
  return t->io.wake[0] < 0 || t->io.wake[1] < 0 ? -1 : open_pty(t);
}

struct debug_tui *debug_tui_prepare(void) {
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
    app_error("--tui needs a terminal as standard input and output");
    return NULL;
  }
  struct debug_tui *t = calloc(1, sizeof *t);
  if (t) t->io = (struct tui_io){.guard = -1, .wake = {-1, -1}, .program = -1};
  if (t) t->in = t->out = t->stderr_fd = -1;
  if (t && !open_all(t)) return t;
  int e = errno;
  debug_tui_end(t);
  app_error("--tui: %s", strerror(e));
  return NULL;
}

int debug_tui_serve(struct dbg *d, struct debug_tui *t, bool (*first)(void *, struct dbg *), void *opaque) {
  char err[256];
  t->io.first = first;
  t->io.opaque = opaque;
  if (!tui_run(d, &t->io, err, sizeof err)) return 0;
  (void)dup2(t->stderr_fd, STDERR_FILENO);
  app_error("--tui: %s", err);
  return -1;
}

static void restore(int from, int to) {
  if (from >= 0) (void)dup2(from, to);
}

void debug_tui_end(struct debug_tui *t) {
  char buf[1024];
  ssize_t n;
  if (!t) return;
  const int fds[] = {t->io.in ? -1 : t->in, t->io.out ? -1 : t->out, t->stderr_fd, t->io.wake[0], t->io.wake[1], t->io.program};
  (void)fflush(stdout);
  restore(t->in, STDIN_FILENO);
  restore(t->out, STDOUT_FILENO);
  restore(t->stderr_fd, STDERR_FILENO);
  /* What nobody has seen: why the program could not be loaded. */
  while (t->io.program >= 0 && (n = read(t->io.program, buf, sizeof buf)) > 0)
    if (write(STDERR_FILENO, buf, (size_t)n) < 0) break;
  tui_guard_end(t->io.guard);
  for (unsigned k = 0; k < ARRAY_SIZE(fds); k++)
    if (fds[k] >= 0) close(fds[k]);
  if (t->io.in) (void)fclose(t->io.in);
  if (t->io.out) (void)fclose(t->io.out);
  free(t);
}
