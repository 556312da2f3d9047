/* setjmp and longjmp: registers kept, volatile locals kept, signal masks restored, jumps out of deep calls.
 */
#include <setjmp.h>
#include <signal.h>

#include "guest.h"

static jmp_buf env;
static sigjmp_buf sig_env;
static volatile int depth_reached;

static NOINLINE void dive(int depth) {
  volatile char ballast[200];
  ballast[0] = (char)depth;
  depth_reached = depth;
  if (depth == 500)
    longjmp(env, 42);
  dive(depth + 1);
  ballast[1] = ballast[0];
}

static void on_signal(int sig) { siglongjmp(sig_env, sig); }

static int blocked(int sig) {
  sigset_t s;
  sigprocmask(SIG_BLOCK, NULL, &s);
  return sigismember(&s, sig);
}

int main(void) {
  volatile int count = 0;
  int got = setjmp(env);
  if (!got)
    dive(0);
  printf("longjmp gave %d from depth %d\n", got, depth_reached);

  volatile long sum = 0;
  got = setjmp(env);
  sum += got;
  if (count++ < 1000)
    longjmp(env, count);
  printf("count %d sum %ld\n", count, sum);

  got = setjmp(env);
  if (!got)
    longjmp(env, 0);
  printf("longjmp with 0 gives %d\n", got);

  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR2);
  sigprocmask(SIG_BLOCK, &s, NULL);
  if (!sigsetjmp(sig_env, 1)) {
    sigprocmask(SIG_UNBLOCK, &s, NULL);
    siglongjmp(sig_env, 1);
  }
  verdict("sigsetjmp with mask restores it", blocked(SIGUSR2) == 1);
  if (!sigsetjmp(sig_env, 0)) {
    sigprocmask(SIG_UNBLOCK, &s, NULL);
    siglongjmp(sig_env, 1);
  }
  verdict("sigsetjmp without mask leaves it", blocked(SIGUSR2) == 0);

  struct sigaction a = {.sa_handler = on_signal};
  sigaction(SIGUSR1, &a, NULL);
  for (volatile int i = 0; i < 3; i++) {
    got = sigsetjmp(sig_env, 1);
    if (!got)
      raise(SIGUSR1);
    printf("out of the handler with %d, blocked %d\n", got, blocked(SIGUSR1));
  }
  return 0;
}
