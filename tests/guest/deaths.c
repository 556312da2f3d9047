/* Ends of a program. usage: deaths exit N | signal N | CAUSE; a word is left unflushed on purpose where _exit
 * skips it. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

static void on_exit_1(void) { printf("atexit 1\n"); }
static void on_exit_2(void) { printf("atexit 2\n"); }

static void on_signal(int sig) { _exit(sig); }

static void at_once(const char *cause) {
  if (!strcmp(cause, "null"))
    asm volatile("movl $1, (%0)" : : "r"(0L));
  if (!strcmp(cause, "ud2"))
    asm volatile("ud2");
  if (!strcmp(cause, "int3"))
    asm volatile("int3");
  if (!strcmp(cause, "hlt"))
    asm volatile("hlt");
  if (!strcmp(cause, "divide"))
    asm volatile("divl %0" : : "r"(0), "a"(1), "d"(0));
  if (!strcmp(cause, "abort"))
    abort();
  if (!strcmp(cause, "jump"))
    asm volatile("jmp *%0" : : "r"(16L));
  if (!strcmp(cause, "stack"))
    asm volatile("mov $64, %esp\n .byte 0x50"); /* push rax, or eax */
  if (!strcmp(cause, "blocked")) {              /* a fault whose signal is blocked kills all the same */
    sigset_t s;
    sigfillset(&s);
    sigprocmask(SIG_BLOCK, &s, NULL);
    asm volatile("ud2");
  }
  if (!strcmp(cause, "ignored")) {
    signal(SIGSEGV, SIG_IGN);
    asm volatile("movl $1, (%0)" : : "r"(0L));
  }
  if (!strcmp(cause, "badstack")) { /* no room for the signal frame: SIGSEGV, whatever the signal was */
    signal(SIGUSR1, on_signal);
    asm volatile("mov %0, %%"
                 "esp\n mov %1, %%eax\n mov %2, %%ebx\n mov %3, %%ecx\n int $0x80"
                 :
                 : "r"(4096 * 2), "i"(37), "r"(getpid()), "i"(SIGUSR1)
                 : "eax", "ebx", "ecx");
  }
}

int main(int argc, char **argv) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  atexit(on_exit_1);
  atexit(on_exit_2);
  if (argc < 2)
    return 2;
  printf("a line that is always flushed\n");
  fflush(stdout);
  fprintf(stderr, "%s\n", argv[1]);
  printf("a line that only exit() flushes\n");
  int n = argc > 2 ? atoi(argv[2]) : 0;
  if (!strcmp(argv[1], "exit"))
    exit(n);
  if (!strcmp(argv[1], "return"))
    return n;
  if (!strcmp(argv[1], "_exit"))
    _exit(n);
  if (!strcmp(argv[1], "exit_group"))
    syscall(SYS_exit_group, n);
  if (!strcmp(argv[1], "thread_exit"))
    syscall(SYS_exit, n);
  if (!strcmp(argv[1], "signal"))
    raise(n);
  if (!strcmp(argv[1], "kill"))
    kill(getpid(), n);
  at_once(argv[1]);
  printf("still here\n");
  return 0;
}
