/* The terminal is put right even if the debugger is killed: by a process that waits for its end. man 2 pidfd_open. */
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#include "debugger/tui.h"

enum { RESTORE_BYTES = 256 };

struct guard {
  int terminal, told, died; /* told: a byte, when all is well */
  struct termios before;
  char restore[RESTORE_BYTES]; /* out of the alternate screen, with a cursor and no attributes */
};

static void add_capability(struct guard *g, const char *name) {
  const char *s = tigetstr((char *)(uintptr_t)name);
  size_t n = strlen(g->restore);
  if (s && s != (const char *)-1) snprintf(g->restore + n, sizeof g->restore - n, "%s", s);
}

/* Signals of the terminal's group are not for it. */
NORETURN static void stand_guard(const struct guard *g) {
  struct pollfd fds[2] = {{.fd = g->told, .events = POLLIN}, {.fd = g->died, .events = POLLIN}};
  char byte;
  for (int n = 1; n < NSIG; n++) (void)signal(n, SIG_IGN);
  while (poll(fds, 2, -1) < 0) continue;
  if (!(fds[0].revents & POLLIN) || read(g->told, &byte, 1) != 1) {
    (void)!write(g->terminal, g->restore, strlen(g->restore));
    (void)tcsetattr(g->terminal, TCSADRAIN, &g->before);
  }
  _exit(0);
}

int tui_guard(int terminal) {
  struct guard g = {.terminal = terminal};
  int ends[2], bad;
  pid_t child;
  if (setupterm(NULL, terminal, &bad) != OK || tcgetattr(terminal, &g.before) || pipe2(ends, O_CLOEXEC)) return -1;
  add_capability(&g, "sgr0");
  add_capability(&g, "rmkx");
  add_capability(&g, "cnorm");
  add_capability(&g, "rmcup");
  g.told = ends[0];
  g.died = (int)syscall(SYS_pidfd_open, getpid(), 0);
  child = g.died < 0 ? -1 : fork(); /* no child of ours, which the program could wait for */
  if (child == 0) {
    if (fork()) _exit(0);
    close(ends[1]);
    for (int fd = 0; fd <= 2; fd++) close(fd);
    stand_guard(&g);
  }
  close(ends[0]);
  if (g.died >= 0) close(g.died);
  if (child > 0) {
    while (waitpid(child, NULL, 0) < 0) continue;
    return ends[1];
  }
  close(ends[1]);
  return -1;
}

void tui_guard_end(int done) {
  char byte = 0;
  if (done < 0) return;
  (void)!write(done, &byte, 1);
  close(done);
}
