/* A program for a Pentium, without a C library, since those are built for later processors: what it finds of the
 * processor, and the system's ways that need none of the later instructions. Linux arch/x86/entry/entry_32.S; System V ABI
 * i386 (Process Initialization). With an argument it executes CMOV at the end. */
#include <asm/unistd.h>
#include <elf.h>
#include <signal.h>
#include <stdint.h>

static long call(long nr, long a, long b, long c, long d) {
  long r;
  __asm__ volatile("int $0x80" : "=a"(r) : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
  return r;
}

static void put(const char *s) {
  long n = 0;
  while (s[n]) n++;
  call(__NR_write, 1, (long)s, n, 0);
}

static void put_hex(const char *what, uint32_t v) {
  char line[10];
  for (int k = 0; k < 8; k++) line[k] = "0123456789abcdef"[v >> (28 - 4 * k) & 15];
  line[8] = '\n';
  line[9] = 0;
  put(what);
  put(line);
}

/* Signals: the handler skips the instruction, whose length it is told. */
static volatile unsigned seen, skip;
static void handler(int signo, siginfo_t *info, void *context) {
  (void)info;
  seen = (unsigned)signo;
  ((uint32_t *)context)[19] += skip; /* of the ucontext: EIP */
}
struct action {
  void (*handler)(int, siginfo_t *, void *);
  unsigned long flags;
  void (*restorer)(void);
  unsigned long mask[2];
};
__attribute__((naked)) static void restorer(void) {
  __asm__("mov %0, %%eax\n\tint $0x80" ::"i"(__NR_rt_sigreturn));
}

static void say_signal(const char *what) {
  put(what);
  put(seen == SIGILL ? "SIGILL\n" : seen == SIGSEGV ? "SIGSEGV\n" : seen == SIGFPE ? "SIGFPE\n" : "done\n");
  seen = 0;
}

__attribute__((used)) static void begin(uint32_t *stack) {
  uint32_t argc = stack[0], *p = stack + argc + 2, sysinfo = 0, hwcap = 0, eax = 1, ebx, ecx, edx;
  while (*p) p++;
  for (p++; *p; p += 2) {
    if (*p == AT_PLATFORM) put("platform "), put((const char *)(uintptr_t)p[1]), put("\n");
    if (*p == AT_HWCAP) put_hex("hwcap ", hwcap = p[1]);
    if (*p == AT_SYSINFO) sysinfo = p[1];
  }
  put("machine ");
  static char names[6][65];
  call(__NR_uname, (long)names, 0, 0, 0);
  put(names[4]);
  put("\n");
  __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
  put_hex("signature ", eax);
  put_hex("features ", edx);

  long direct = call(__NR_getpid, 0, 0, 0, 0), fast;
  __asm__ volatile("call *%1" : "=a"(fast) : "r"(sysinfo), "a"(__NR_getpid) : "memory");
  put(direct == fast ? "the vDSO agrees\n" : "the vDSO does not agree\n");

  volatile double x = 2;
  for (int k = 0; k < 5; k++) x = x * x + 1;
  put(x == 210066388901.0 ? "floating point\n" : "no floating point\n");

  struct action a = {handler, SA_SIGINFO | 0x04000000 /* SA_RESTORER */, restorer, {0, 0}};
  call(__NR_rt_sigaction, SIGILL, (long)&a, 0, 8);
  call(__NR_rt_sigaction, SIGSEGV, (long)&a, 0, 8);
  call(__NR_rt_sigaction, SIGFPE, (long)&a, 0, 8);
  skip = 2;
  __asm__ volatile("ud2" ::: "memory");
  say_signal("ud2: ");
  eax = 0;
  __asm__ volatile("mov (%%eax), %%eax" : "+a"(eax)::"memory");
  say_signal("null: ");
  __asm__ volatile("div %%ecx" : "+a"(eax), "+d"(edx) : "c"(0) : "memory");
  say_signal("divide: ");
  if (!(hwcap >> 11 & 1)) __asm__ volatile("sysenter" ::: "memory", "ecx", "edx");
  say_signal("sysenter: ");
  skip = 3;
  __asm__ volatile(".byte 0x0f, 0x28, 0xc1" ::: "memory"); /* movaps %xmm1, %xmm0 */
  say_signal("sse: ");
  __asm__ volatile(".byte 0x0f, 0x44, 0xc1" : "+a"(eax) : "c"(0) : "memory"); /* cmove %ecx, %eax */
  say_signal("cmov: ");
  if (argc > 1) {
    a.handler = 0;
    call(__NR_rt_sigaction, SIGILL, (long)&a, 0, 8);
    __asm__ volatile(".globl last\nlast: .byte 0x0f, 0x44, 0xc1" : "+a"(eax) : "c"(0) : "memory");
  }
  call(__NR_exit, 5, 0, 0, 0);
}

__asm__(".globl _start\n_start: mov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n\tcall begin");
