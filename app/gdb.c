/* `ringwalk debug --gdb`: where gdb connects, and how it interrupts what runs. man 7 tcp, man 7 unix. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/debug.h"
#include "debugger/gdbstub.h"

enum { ROOM = 1 << 16, INSISTS_MS = 10 };

struct client {
  struct dbg *d;
  int in, out;
  bool lost;
  /* While the target runs, a thread of ours reads: */
  pthread_t main, watcher;
  bool watching;
  int wake[2];
  volatile sig_atomic_t interrupted;
  u8 ahead[ROOM]; /* what came, from ahead_at to ahead_n */
  size_t ahead_at, ahead_n;
};

/* ---- bytes ---- */

/* A pipe whose reader is gone is no reason to die. */
static ssize_t put_some(int fd, const void *bytes, size_t n) {
  ssize_t done = send(fd, bytes, n, MSG_NOSIGNAL);
  if (done >= 0 || errno != ENOTSOCK) return done;
  sigset_t pipe, before;
  struct timespec now = {0};
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  done = write(fd, bytes, n);
  int e = errno;
  if (done < 0 && e == EPIPE) (void)sigtimedwait(&pipe, NULL, &now);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = e;
  return done;
}

static void put(void *opaque, const void *bytes, size_t n) {
  struct client *c = opaque;
  const char *p = bytes;
  while (n && !c->lost) {
    ssize_t done = put_some(c->out, p, n);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) c->lost = true;
    else p += done, n -= (size_t)done;
  }
}

/* ---- while the target runs ---- */

/* 03h is the client's Ctrl-C; the rest waits. */
static void find_interrupts(struct client *c, size_t from) {
  enum { INTERRUPT = 3 };
  size_t end = from;
  for (size_t k = from; k < c->ahead_n; k++) {
    if (c->ahead[k] == INTERRUPT) c->interrupted = 1;
    else c->ahead[end++] = c->ahead[k];
  }
  c->ahead_n = end;
}

/* More of what the client sends. There is room: one who sends so much while the target runs is as good as gone. */
static void read_ahead(struct client *c) {
  ssize_t n = read(c->in, c->ahead + c->ahead_n, ROOM - c->ahead_n);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) c->lost = true;
  else c->ahead_n += (size_t)n;
}

/* SIGINT is what a person's Ctrl-C would be, and ends a system call that waits, unless the program has it blocked; again,
 * as long as it has not helped. */
static void *watch(void *opaque) {
  struct client *c = opaque;
  struct pollfd fds[2] = {{.fd = c->wake[0], .events = POLLIN}, {.fd = c->in, .events = POLLIN}};
  for (;;) {
    fds[1].fd = c->lost ? -1 : c->in;
    if (poll(fds, 2, c->interrupted ? INSISTS_MS : -1) < 0 && errno != EINTR) return NULL;
    if (fds[0].revents) return NULL;
    if (fds[1].fd >= 0 && fds[1].revents) {
      size_t from = c->ahead_n;
      read_ahead(c);
      find_interrupts(c, from);
      if (c->lost) c->interrupted = 1;
    }
    if (!c->interrupted) continue;
    dbg_interrupt(c->d);
    (void)pthread_kill(c->main, SIGINT);
  }
}

static void start_watching(struct client *c) {
  sigset_t all, before;
  c->interrupted = c->lost; /* then there is nobody to run for */
  c->ahead_n -= c->ahead_at;
  memmove(c->ahead, c->ahead + c->ahead_at, c->ahead_n);
  c->ahead_at = 0;
  find_interrupts(c, 0); /* one may have come with the packet that resumes */
  sigfillset(&all); /* the program's signals are the main thread's */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  c->watching = !pthread_create(&c->watcher, NULL, watch, c);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void stop_watching(struct client *c) {
  char byte = 0;
  ssize_t done;
  if (!c->watching) return;
  do done = write(c->wake[1], &byte, 1);
  while (done < 0 && errno == EINTR);
  pthread_join(c->watcher, NULL);
  do done = read(c->wake[0], &byte, 1);
  while (done < 0 && errno == EINTR);
  c->watching = false;
}

static void running(void *opaque, bool on) {
  if (on) start_watching(opaque);
  else stop_watching(opaque);
}

static bool interrupted(void *opaque) { return ((struct client *)opaque)->interrupted; }

/* ---- one client ---- */

/* A byte at a time: what is behind a packet that resumes is still ours to look at. */
static enum gdb_end feed_ahead(struct client *c, struct gdbstub *g) {
  enum gdb_end end = GDB_GOES_ON;
  while (c->ahead_at < c->ahead_n && end == GDB_GOES_ON && !c->lost)
    end = gdbstub_feed(g, &c->ahead[c->ahead_at++], 1);
  c->ahead_at = c->ahead_n = 0;
  return end;
}

static enum gdb_end serve(struct client *c, struct gdbstub *g) {
  enum gdb_end end = GDB_GOES_ON;
  c->lost = false;
  c->ahead_at = c->ahead_n = 0;
  gdbstub_connected(g);
  while (!c->lost && end == GDB_GOES_ON) {
    read_ahead(c);
    end = feed_ahead(c, g);
  }
  bool killed = gdbstub_disconnected(g);
  if (killed && end == GDB_GOES_ON) end = GDB_KILLED;
  return end;
}

/* ---- where it comes from ---- */

/* On a descriptor that the program cannot reach. -1, and errno. */
static int own(int fd) {
  int moved = fd < 0 ? -errno : lx_fd_out_of_the_way(fd);
  if (moved >= 0) return moved;
  errno = -moved;
  return -1;
}

static int listen_path(const char *path) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  struct stat st;
  if (strlen(path) >= sizeof a.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(a.sun_path, path);
  int fd = own(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd < 0) return -1;
  if (!lstat(path, &st) && S_ISSOCK(st.st_mode)) (void)unlink(path); /* of a run before */
  if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 1)) return -1;
  fprintf(stderr, "ringwalk: waiting for gdb; in it: target remote %s\n", path);
  return fd;
}

static int listen_port(const char *text) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t n = sizeof a;
  char *end;
  int on = 1;
  unsigned long port = strtoul(*text == ':' ? text + 1 : text, &end, 10);
  if (*end || end == text || port > 0xffff) {
    errno = EINVAL;
    return -1;
  }
  a.sin_port = htons((u16)port);
  int fd = own(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd < 0) return -1;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr *where = (struct sockaddr *)&a;
  if (bind(fd, where, sizeof a) || listen(fd, 1) || getsockname(fd, where, &n)) return -1;
  fprintf(stderr, "ringwalk: waiting for gdb; in it: target remote localhost:%u\n", ntohs(a.sin_port));
  return fd;
}

/* The next client; -1: none, and there will be none. */
static int next_client(int listening) {
  int on = 1, fd = own(accept4(listening, NULL, NULL, SOCK_CLOEXEC));
  if (fd >= 0) (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* fails on a path: no matter */
  return fd;
}

/* ---- the whole ---- */

int debug_gdb_prepare(const char *where, int stdio[2]) {
  if (!where || strcmp(where, "-")) return 0;
  stdio[0] = own(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  stdio[1] = own(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  bool good = stdio[0] >= 0 && stdio[1] >= 0 && nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
              dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
  if (nothing > STDERR_FILENO) close(nothing);
  if (!good) app_error("--gdb -: %s", strerror(errno));
  return good ? 0 : -1;
}

static enum gdb_end serve_stdio(struct client *c, struct gdbstub *g, const int stdio[2]) {
  c->in = stdio[0];
  c->out = stdio[1];
  enum gdb_end end = serve(c, g);
  close(c->in);
  close(c->out);
  return end == GDB_DETACHED ? end : GDB_KILLED;
}

/* Closed with something unread, the connection would be reset, and our last reply perhaps lost. */
static void linger(int fd) {
  enum { PATIENCE_MS = 500 };
  u8 buf[512];
  struct pollfd p = {.fd = fd, .events = POLLIN};
  (void)shutdown(fd, SHUT_WR);
  while (poll(&p, 1, PATIENCE_MS) > 0 && read(fd, buf, sizeof buf) > 0) {}
}

/* A client that goes without a word leaves everything as it is, for the next. */
static enum gdb_end serve_listening(struct client *c, struct gdbstub *g, struct dbg *d, int listening) {
  enum gdb_end end = GDB_GOES_ON;
  while (end == GDB_GOES_ON && dbg_alive(d)) {
    int fd = next_client(listening);
    if (fd < 0) return GDB_KILLED;
    c->in = c->out = fd;
    end = serve(c, g);
    linger(fd);
    (void)shutdown(fd, SHUT_RDWR); /* a child of the program's has it too */
    close(fd);
  }
  close(listening);
  return end;
}

int debug_gdb_serve(struct dbg *d, const char *where, const int stdio[2]) {
  struct client *c = calloc(1, sizeof *c);
  struct gdb_io io = {c, put, running, interrupted};
  struct gdbstub *g = c ? gdbstub_create(d, &io) : NULL;
  bool standard = !strcmp(where, "-"), path = strchr(where, '/');
  int listening = standard ? -1 : path ? listen_path(where) : listen_port(where), status = APP_FAILED;
  if (c) {
    c->main = pthread_self();
    c->d = d;
  }
  if (!standard && listening < 0) {
    app_error("--gdb %s: %s", where, strerror(errno));
    status = APP_CANNOT_RUN;
  } else if (!g || pipe2(c->wake, O_CLOEXEC)) {
    app_error("out of memory");
  } else {
    c->wake[0] = own(c->wake[0]);
    c->wake[1] = own(c->wake[1]);
    enum gdb_end end = standard ? serve_stdio(c, g, stdio) : serve_listening(c, g, d, listening);
    if (path) (void)unlink(where);
    const struct signal_policy pass = {false, false, true};
    for (int n = 1; dbg_signal_policy(d, n); n++) *dbg_signal_policy(d, n) = pass;
    while (end == GDB_DETACHED && dbg_alive(d) && dbg_stop(d)->why != STOP_HALTED) dbg_continue(d);
    status = dbg_stop(d)->why == STOP_FAILED ? APP_FAILED : dbg_status(d);
    close(c->wake[0]);
    close(c->wake[1]);
  }
  gdbstub_destroy(g);
  free(c);
  return status;
}
