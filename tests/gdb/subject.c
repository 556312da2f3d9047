/* What gdb looks at. usage: subject WHAT, see main(). Each part prints what it came to. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

volatile int counter, other;
volatile long long wide;
char buffer[64];
volatile double number = 1.5;
static sigjmp_buf env;
static volatile sig_atomic_t seen;

__attribute__((noinline)) int add(int a, int b) { return a + b; }

__attribute__((noinline)) static void bump(int by) {
  counter += by;
  other = counter;
}

__attribute__((noinline)) static int innermost(int n) {
  number = number * 2;
  return n + add(n, counter);
}
__attribute__((noinline)) static int middle(int n) { return innermost(n + 1) + 1; }
__attribute__((noinline)) static int outer(int n) { return middle(n * 2) + 1; }

static void on_segv(int signo, siginfo_t *info, void *context) {
  (void)context;
  seen = signo;
  other = info->si_code;
  siglongjmp(env, 1);
}

static void on_usr1(int signo) { seen = signo; }

static int faults(void) {
  struct sigaction a = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &a, NULL);
  if (!sigsetjmp(env, 1)) *(volatile int *)0x10 = 1;
  printf("handled %d\n", seen);
  return seen == SIGSEGV ? 3 : 1;
}

static int raises(void) {
  signal(SIGUSR1, on_usr1);
  raise(SIGUSR1);
  printf("handled %d\n", seen);
  return seen ? 4 : 5;
}

static int watches(void) {
  bump(1);
  bump(0); /* writes the same */
  bump(41);
  int v = counter;
  wide = v;
  int fd[2];
  if (pipe(fd) || write(fd[1], "written by the kernel", 22) != 22 || read(fd[0], buffer, 22) != 22) return 1;
  printf("counter %d %s\n", v, buffer);
  return 0;
}

static void forever(void) {
  printf("looping\n");
  fflush(stdout);
  for (;;) counter++;
}

static int trap(void) {
  asm volatile("int3");
  printf("behind the trap\n");
  return 6;
}

/* Waits in a system call. */
/* A page that is not there yet, in each line. */
static volatile char pages[1 << 20];
__attribute__((noinline)) static int touches(void) {
  pages[0] = 1;
  pages[40960] = 2;
  pages[81920] = pages[163840];
  return pages[40960];
}

static int waits(void) {
  char c;
  int fd[2];
  printf("waiting\n");
  fflush(stdout);
  if (pipe(fd)) return 1;
  return read(fd[0], &c, 1) == 1;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "deep")) printf("outer %d\n", outer(5));
  if (!strcmp(what, "watch")) return watches();
  if (!strcmp(what, "segv")) return faults();
  if (!strcmp(what, "usr1")) return raises();
  if (!strcmp(what, "loop")) forever();
  if (!strcmp(what, "pages")) return touches();
  if (!strcmp(what, "wait")) return waits();
  if (!strcmp(what, "trap")) return trap();
  if (!strcmp(what, "abort")) abort();
  if (!strcmp(what, "exit")) return atoi(argv[2]);
  return 0;
}
