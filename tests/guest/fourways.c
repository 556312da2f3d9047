/* The ways into the kernel, by hand. usage: fourways WAY [exit]; WAY is int80, sysenter, gs, syscall. Prints
 * whether the process id that came back that way is right, or exits with status 42 that way. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

enum { I386_EXIT = 1, I386_GETPID = 20, X86_64_GETPID = 39, X86_64_EXIT = 60 };

static long by_int80(long number, long arg) {
  long r;
  asm volatile("int $0x80" : "=a"(r) : "a"(number), "b"(arg) : "memory");
  return r;
}

#ifdef __x86_64__
static long by_syscall(long number, long arg) {
  long r;
  asm volatile("syscall" : "=a"(r) : "a"(number), "D"(arg) : "rcx", "r11", "memory");
  return r;
}
#else
/* The kernel returns to the vDSO's landing pad, which pops this frame and returns to our caller. SYSCALL
 * outside of 64-bit mode exists on AMD's processors only; it destroys ECX, so EBP carries that. */
long by_sysenter(long number, long arg);
long by_syscall(long number, long arg);
#define FAST(name, enter) \
  name ":\n push %ebx\n mov 8(%esp), %eax\n mov 12(%esp), %ebx\n call 1f\n pop %ebx\n ret\n" \
       "1: push %ecx\n push %edx\n push %ebp\n " enter "\n ud2\n"
asm(".pushsection .text\n" FAST("by_sysenter", "mov %esp, %ebp\n sysenter")
        FAST("by_syscall", "mov %ecx, %ebp\n syscall") ".popsection\n");

static long by_gs(long number, long arg) {
  long r;
  asm volatile("call *%%gs:0x10" : "=a"(r) : "a"(number), "b"(arg) : "memory");
  return r;
}
#endif

static sigjmp_buf env;
static void on_ill(int sig) { siglongjmp(env, sig); }

static const struct way {
  const char *name;
  long (*call)(long, long);
  long getpid, exit;
} ways[] = {
    {"int80", by_int80, I386_GETPID, I386_EXIT},
#ifdef __x86_64__
    {"syscall", by_syscall, X86_64_GETPID, X86_64_EXIT},
#else
    {"sysenter", by_sysenter, I386_GETPID, I386_EXIT},
    {"syscall", by_syscall, I386_GETPID, I386_EXIT},
    {"gs", by_gs, I386_GETPID, I386_EXIT},
#endif
};

static int go(const struct way *way, int and_exit) {
  int sig = sigsetjmp(env, 1);
  if (sig) {
    printf("%s: not on this processor, signal %d\n", way->name, sig);
    return 3;
  }
  if (and_exit)
    way->call(way->exit, 42);
  for (int k = 0; k < 1000; k++)
    if (way->call(way->getpid, 0) != getpid()) {
      printf("%s: wrong process id\n", way->name);
      return 1;
    }
  printf("%s: the process id agrees a thousand times\n", way->name);
  return 0;
}

int main(int argc, char **argv) {
  signal(SIGILL, on_ill);
  signal(SIGSEGV, on_ill);
  for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
    if (argc > 1 && !strcmp(argv[1], ways[i].name))
      return go(&ways[i], argc > 2);
  fprintf(stderr, "usage: fourways int80|%s [exit]\n", WIDTH == 64 ? "syscall" : "sysenter|gs|syscall");
  return 2;
}
