/* Signal handling: siginfo, masks, nesting, SA_RESETHAND, SA_NODEFER, the alternate stack, interrupted calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static volatile sig_atomic_t count, depth, deepest;
static char trail[256];
static sigjmp_buf env;
static char alt_stack[65536] __attribute__((aligned(16)));
static int pipe_fds[2];

static void note(const char *s) { strncat(trail, s, sizeof trail - strlen(trail) - 1); }

static void show_trail(const char *what) {
  printf("%s:%s\n", what, trail);
  trail[0] = 0;
}

static void install(int sig, void (*handler)(int, siginfo_t *, void *), int flags, int also_blocked) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
  if (also_blocked)
    sigaddset(&a.sa_mask, also_blocked);
  if (sigaction(sig, &a, NULL))
    verdict("sigaction", 0);
}

static int is_blocked(int sig) {
  sigset_t s;
  sigprocmask(SIG_SETMASK, NULL, &s);
  return sigismember(&s, sig);
}

static void block(int how, int sig) {
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, sig);
  sigprocmask(how, &s, NULL);
}

static void on_info(int sig, siginfo_t *i, void *c) {
  (void)c;
  char line[128];
  snprintf(line, sizeof line, " [sig %d signo %d code %d pid %s uid %s blocked %d]", sig, i->si_signo,
           i->si_code, i->si_pid == getpid() ? "own" : "other", i->si_uid == getuid() ? "own" : "other",
           is_blocked(sig));
  note(line);
}

static void sources(void) {
  install(SIGUSR1, on_info, 0, 0);
  raise(SIGUSR1);
  show_trail("raise");
  kill(getpid(), SIGUSR1);
  show_trail("kill");
  syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), SIGUSR1);
  show_trail("tgkill");
  verdict("kill with signal 0", kill(getpid(), 0) == 0);
  verdict("kill with signal 65 is EINVAL", kill(getpid(), 65) == -1 && errno == EINVAL);
  verdict("SIGKILL has no handler", signal(SIGKILL, SIG_IGN) == SIG_ERR && errno == EINVAL);
  verdict("not blocked afterwards", !is_blocked(SIGUSR1));
}

static void on_tag(int sig, siginfo_t *i, void *c) {
  (void)i, (void)c;
  char tag[16];
  snprintf(tag, sizeof tag, " %d", sig);
  note(tag);
}

static void blocking(void) {
  install(SIGUSR1, on_tag, 0, 0);
  install(SIGUSR2, on_tag, 0, 0);
  install(SIGTERM, on_tag, 0, 0);
  sigset_t all, old, pending;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &old);
  raise(SIGUSR2);
  raise(SIGUSR1);
  raise(SIGTERM);
  raise(SIGUSR1);
  note(" before");
  sigpending(&pending);
  verdict("pending",
          sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGTERM) && !sigismember(&pending, SIGINT));
  verdict("SIGKILL cannot be blocked", !is_blocked(SIGKILL));
  sigprocmask(SIG_SETMASK, &old, NULL);
  note(" after");
  show_trail("three at once");
  block(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  signal(SIGUSR1, SIG_IGN);
  install(SIGUSR1, on_tag, 0, 0);
  block(SIG_UNBLOCK, SIGUSR1);
  note(" none");
  show_trail("ignored while pending");
}

static void on_nested(int sig, siginfo_t *i, void *c) {
  (void)i, (void)c;
  char line[64];
  snprintf(line, sizeof line, " <%d usr1 %d usr2 %d", sig, is_blocked(SIGUSR1), is_blocked(SIGUSR2));
  note(line);
  if (sig == SIGUSR1) {
    raise(SIGUSR1); /* waits until this one returns */
    raise(SIGUSR2); /* comes now */
    signal(SIGUSR1, SIG_DFL);
    install(SIGUSR1, on_tag, 0, 0);
  }
  snprintf(line, sizeof line, " %d>", sig);
  note(line);
}

static void nesting(void) {
  install(SIGUSR1, on_nested, 0, 0);
  install(SIGUSR2, on_nested, 0, 0);
  raise(SIGUSR1);
  show_trail("nested");
  install(SIGUSR1, on_nested, 0, SIGUSR2);
  raise(SIGUSR1);
  show_trail("nested, masked");
}

static void on_deep(int sig, siginfo_t *i, void *c) {
  (void)i, (void)c;
  depth++;
  if (depth > deepest)
    deepest = depth;
  count++;
  if (depth < 5)
    raise(sig);
  depth--;
}

static void flags(void) {
  install(SIGUSR1, on_deep, SA_NODEFER, 0);
  count = deepest = 0;
  raise(SIGUSR1);
  printf("SA_NODEFER: count %d deepest %d\n", (int)count, (int)deepest);
  install(SIGUSR1, on_tag, SA_RESETHAND, 0);
  raise(SIGUSR1);
  struct sigaction now;
  sigaction(SIGUSR1, NULL, &now);
  printf("SA_RESETHAND:%s, then default %d\n", trail, now.sa_handler == SIG_DFL);
  trail[0] = 0;
  install(SIGUSR1, on_tag, SA_RESTART | SA_NODEFER | SA_ONSTACK, SIGTERM);
  sigaction(SIGUSR1, NULL, &now);
  verdict("flags and mask read back",
          (now.sa_flags & ~0x04000000) == (SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_ONSTACK) &&
              sigismember(&now.sa_mask, SIGTERM) && !sigismember(&now.sa_mask, SIGHUP));
  signal(SIGURG, SIG_DFL);
  signal(SIGCHLD, SIG_DFL);
  raise(SIGURG);
  raise(SIGCHLD);
  signal(SIGTERM, SIG_IGN);
  raise(SIGTERM);
  verdict("ignored signals are ignored", 1);
}

static void on_alt(int sig, siginfo_t *i, void *c) {
  (void)i, (void)c;
  char here;
  stack_t now;
  sigaltstack(NULL, &now);
  note(&here >= alt_stack && &here < alt_stack + sizeof alt_stack ? " on" : " off");
  note(now.ss_flags & SS_ONSTACK ? " SS_ONSTACK" : " not SS_ONSTACK");
  stack_t other = {.ss_flags = SS_DISABLE};
  note(sigaltstack(&other, NULL) == -1 && errno == EPERM ? " EPERM" : " changed");
  if (sig == SIGSEGV)
    siglongjmp(env, 1);
}

static NOINLINE int overflow(int n) {
  volatile char ballast[4096];
  ballast[0] = (char)n;
  return overflow(n + 1) + ballast[0];
}

static void alternate(void) {
  stack_t s = {.ss_sp = alt_stack, .ss_size = sizeof alt_stack}, old;
  verdict("sigaltstack", sigaltstack(&s, &old) == 0 && old.ss_flags == SS_DISABLE);
  install(SIGUSR2, on_alt, SA_ONSTACK, 0);
  raise(SIGUSR2);
  show_trail("alternate stack");
  install(SIGSEGV, on_alt, SA_ONSTACK, 0);
  if (!sigsetjmp(env, 1))
    overflow(0);
  show_trail("stack overflow");
  s.ss_size = 100;
  verdict("too small is ENOMEM", sigaltstack(&s, NULL) == -1 && errno == ENOMEM);
  s = (stack_t){.ss_flags = SS_DISABLE};
  sigaltstack(&s, NULL);
  install(SIGUSR2, on_alt, SA_ONSTACK, 0);
  raise(SIGUSR2);
  show_trail("disabled");
  signal(SIGSEGV, SIG_DFL);
}

static void on_alarm(int sig, siginfo_t *i, void *c) {
  (void)sig, (void)i, (void)c;
  count++;
  if (write(pipe_fds[1], "x", 1) != 1)
    _exit(9);
}

static void timer(long usec, long every) {
  struct itimerval t = {.it_value.tv_usec = usec, .it_interval.tv_usec = every};
  setitimer(ITIMER_REAL, &t, NULL);
}

static void interrupted(void) {
  if (pipe(pipe_fds))
    exit(1);
  char c[16];
  install(SIGALRM, on_alarm, 0, 0);
  count = 0;
  timer(20000, 0);
  ssize_t n = read(pipe_fds[0], c, 1);
  verdict("read is interrupted", n == -1 && errno == EINTR && count == 1);
  n = read(pipe_fds[0], c, sizeof c);
  verdict("the handler had written", n == 1);
  install(SIGALRM, on_alarm, SA_RESTART, 0);
  timer(20000, 0);
  n = read(pipe_fds[0], c, sizeof c);
  verdict("with SA_RESTART it reads on", n == 1 && c[0] == 'x' && count == 2);
  struct timespec t = {5, 0}, left = {0, 0};
  timer(20000, 0);
  verdict("nanosleep is interrupted", nanosleep(&t, &left) == -1 && errno == EINTR && left.tv_sec == 4);
  timer(2000, 2000);
  for (volatile unsigned long i = 0; count < 13 && i < 4000000000UL; i++)
    ;
  timer(0, 0);
  verdict("a running loop is interrupted again and again", count >= 13);
  alarm(1);
  unsigned left_seconds = alarm(0);
  verdict("alarm reports what was left", left_seconds == 1);
}

int main(void) {
  sources();
  blocking();
  nesting();
  flags();
  alternate();
  interrupted();
  return 0;
}
