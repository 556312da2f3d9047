/* Waiting for signals: sigsuspend, sigtimedwait, sigwaitinfo, and values carried by sigqueue. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static volatile sig_atomic_t taken;

static void on_signal(int sig) { taken = sig; }

int main(void) {
  sigset_t none, usr1, old;
  sigemptyset(&none);
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  signal(SIGUSR1, on_signal);
  sigprocmask(SIG_BLOCK, &usr1, &old);
  raise(SIGUSR1);
  verdict("sigsuspend", sigsuspend(&none) == -1 && errno == EINTR && taken == SIGUSR1);
  sigprocmask(SIG_SETMASK, NULL, &none);
  verdict("and blocks it again", sigismember(&none, SIGUSR1));
  raise(SIGUSR1);
  siginfo_t info;
  struct timespec soon = {0, 1000};
  verdict("sigtimedwait takes it", sigtimedwait(&usr1, &info, &soon) == SIGUSR1 && info.si_signo == SIGUSR1);
  verdict("sigtimedwait gives up", sigtimedwait(&usr1, &info, &soon) == -1 && errno == EAGAIN);
  union sigval v = {.sival_int = 0x12345};
  sigqueue(getpid(), SIGUSR1, v);
  verdict("sigqueue carries a value", sigwaitinfo(&usr1, &info) == SIGUSR1 && info.si_code == SI_QUEUE &&
                                          info.si_value.sival_int == 0x12345);
  sigprocmask(SIG_SETMASK, &old, NULL);
  return 0;
}
