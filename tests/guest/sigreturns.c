/* Handlers that change the frame they return by, to good and to impossible values, and stacks that no
 * frame fits on: what the program goes on with, or the fault it gets instead. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "guest.h"

#ifdef __x86_64__
enum { IP = REG_RIP, SP = REG_RSP, CS = REG_CSGSFS };
#define SEGMENTS(cs, ss) ((greg_t)(cs) | (greg_t)(ss) << 48)
#else
enum { IP = REG_EIP, SP = REG_ESP, CS = REG_CS };
#endif

static sigjmp_buf env;
static char alt[65536];

static unsigned char *fxsave_of(ucontext_t *u) {
  unsigned char *f = (void *)u->uc_mcontext.fpregs;
  return sizeof(long) == 4 ? f + 112 : f;
}

static void fp_null(ucontext_t *u) { u->uc_mcontext.fpregs = NULL; }
static void fp_unmapped(ucontext_t *u) { u->uc_mcontext.fpregs = (void *)8; }
static void fp_misaligned(ucontext_t *u) {
  u->uc_mcontext.fpregs = (void *)((char *)u->uc_mcontext.fpregs + 8);
}
static void fp_beyond(ucontext_t *u) { u->uc_mcontext.fpregs = (void *)(-4096L + 0xfe0); }
static void mxcsr_reserved(ucontext_t *u) { memset(fxsave_of(u) + 24, 0xff, 4); }
static void mxcsr_round(ucontext_t *u) { memcpy(fxsave_of(u) + 24, "\x80\x7f", 2); }
static void ip_zero(ucontext_t *u) { u->uc_mcontext.gregs[IP] = 0; }
static void sp_low(ucontext_t *u) { u->uc_mcontext.gregs[SP] = 16; }
static void all_flags(ucontext_t *u) { u->uc_mcontext.gregs[REG_EFL] = ~(greg_t)0x40100; } /* not AC, TF */
static void no_flags(ucontext_t *u) { u->uc_mcontext.gregs[REG_EFL] = 0; }
static void step(ucontext_t *u) { u->uc_mcontext.gregs[REG_EFL] |= 0x100; }
static void mask_all(ucontext_t *u) { sigfillset(&u->uc_sigmask); }
static void other_stack(ucontext_t *u) {
  u->uc_stack = (stack_t){.ss_sp = alt + 4096, .ss_size = 8192};
}
static void bad_stack(ucontext_t *u) {
  u->uc_stack = (stack_t){.ss_sp = alt + 4096, .ss_size = 12};
}
#ifdef __x86_64__
static void cs_zero(ucontext_t *u) { u->uc_mcontext.gregs[CS] = SEGMENTS(0, 0x2b); }
static void cs_kernel(ucontext_t *u) { u->uc_mcontext.gregs[CS] = SEGMENTS(0x10, 0x2b); }
static void ss_zero(ucontext_t *u) { u->uc_mcontext.gregs[CS] = SEGMENTS(0x33, 0); }
static void ss_code(ucontext_t *u) { u->uc_mcontext.gregs[CS] = SEGMENTS(0x33, 0x33); }
static void ss_code_lax(ucontext_t *u) { ss_code(u), u->uc_flags &= ~4ul; }
static void not_canonical(ucontext_t *u) { u->uc_mcontext.gregs[IP] = (greg_t)(1ul << 63); }
static void first_kernel(ucontext_t *u) { u->uc_mcontext.gregs[IP] = (greg_t)(1ul << 47); }
#else
static void cs_zero(ucontext_t *u) { u->uc_mcontext.gregs[CS] = 0; }
static void cs_kernel(ucontext_t *u) { u->uc_mcontext.gregs[CS] = 0x10; }
static void ss_zero(ucontext_t *u) { u->uc_mcontext.gregs[REG_SS] = 0; }
static void ss_code(ucontext_t *u) { u->uc_mcontext.gregs[REG_SS] = 0x23; }
static void ds_kernel(ucontext_t *u) { u->uc_mcontext.gregs[REG_DS] = 0x10; }
static void ds_zero(ucontext_t *u) { u->uc_mcontext.gregs[REG_DS] = 0; }
static void fs_data(ucontext_t *u) { u->uc_mcontext.gregs[REG_FS] = 0x2b; }
static void fs_unused(ucontext_t *u) { u->uc_mcontext.gregs[REG_FS] = 0x73; }
#endif
static void nothing(ucontext_t *u) { (void)u; }

static void (*change)(ucontext_t *);

static void on_usr1(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info;
  change(context);
}

static int blocked(int sig) {
  sigset_t s;
  sigprocmask(SIG_SETMASK, NULL, &s);
  return sigismember(&s, sig);
}

static void on_fault(int sig, siginfo_t *info, void *context) {
  ucontext_t *u = context;
  uintptr_t addr = (uintptr_t)info->si_addr;
  printf("signal %d code %d addr %s trap %ld err %lx cs %lx, usr1 blocked now %d, before %d\n", sig,
         info->si_code, addr == 0 ? "0" : addr == (uintptr_t)u->uc_mcontext.gregs[IP] ? "ip" : "other",
         (long)u->uc_mcontext.gregs[REG_TRAPNO], (long)u->uc_mcontext.gregs[REG_ERR],
         (long)u->uc_mcontext.gregs[CS] & 0xffff, blocked(SIGUSR1), sigismember(&u->uc_sigmask, SIGUSR1));
  siglongjmp(env, 1);
}

static void show_state(long r) {
  unsigned short cw, ds, ss, fs;
  unsigned mxcsr;
  unsigned long flags;
  asm volatile("pushf\n pop %0\n cld" : "=r"(flags));
  asm volatile("mov %%ds, %0\n mov %%ss, %1\n mov %%fs, %2" : "=r"(ds), "=r"(ss), "=r"(fs));
#ifndef __x86_64__
  asm volatile("mov %0, %%ds" : : "r"(0x2b));
#endif
  asm volatile("fnstcw %0\n stmxcsr %1" : "=m"(cw), "=m"(mxcsr));
  stack_t now;
  sigaltstack(NULL, &now);
  printf("back %ld: fcw %x mxcsr %x flags %lx ds %x ss %x fs %x stack %ld %lu, usr2 blocked %d\n", r, cw,
         mxcsr, flags & 0xffff3700, ds, ss, fs, (long)((char *)now.ss_sp - alt), (unsigned long)now.ss_size,
         blocked(SIGUSR2));
  asm volatile("ldmxcsr %0" : : "m"(*(const unsigned[]){0x1f80}));
}

static void fresh(void) {
  stack_t s = {.ss_sp = alt, .ss_size = sizeof alt};
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  sigaltstack(&s, NULL);
  struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  const int faults[] = {SIGSEGV, SIGBUS, SIGTRAP, SIGILL};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
    sigaction(faults[i], &a, NULL);
  a = (struct sigaction){.sa_sigaction = on_usr1, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &a, NULL);
}

/* kill(getpid(), SIGUSR1), or a system call without arguments, with the stack pointer anywhere. */
static NOINLINE void call_on(void *sp, long nr) {
  static volatile int pid;
  pid = getpid();
#ifdef __x86_64__
  asm volatile("mov %0, %%rsp\n syscall" : : "r"(sp), "a"(nr), "D"((long)pid), "S"((long)SIGUSR1));
#else
  asm volatile("mov %0, %%esp\n int $0x80" : : "r"(sp), "a"(nr), "b"((long)pid), "c"((long)SIGUSR1));
#endif
  _exit(99);
}

static void stacks(void) {
  char *m = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(m, 4096, PROT_NONE);
  const struct { const char *what; void *sp; long nr; } c[] = {
    {"no stack", (void *)8192, SYS_kill}, {"at the edge of a mapping", m + 4096 + 700, SYS_kill},
    {"at the end of the world", (void *)-64L, SYS_kill},
    {"rt_sigreturn from nowhere", (void *)8192, SYS_rt_sigreturn},
#ifndef __x86_64__
    {"sigreturn from nowhere", (void *)8192, SYS_sigreturn},
#endif
  };
  for (volatile size_t i = 0; i < sizeof c / sizeof *c; i++) {
    fresh();
    printf("%s: ", c[i].what);
    if (!sigsetjmp(env, 1))
      call_on(c[i].sp, c[i].nr);
  }
}

#define CASE(f) {#f, f}
static const struct { const char *what; void (*change)(ucontext_t *); } cases[] = {
  CASE(nothing), CASE(fp_null), CASE(fp_unmapped), CASE(fp_misaligned), CASE(fp_beyond), CASE(mxcsr_reserved),
  CASE(mxcsr_round), CASE(ip_zero), CASE(sp_low), CASE(all_flags), CASE(no_flags), CASE(step), CASE(mask_all),
  CASE(other_stack), CASE(bad_stack), CASE(cs_zero), CASE(cs_kernel), CASE(ss_zero), CASE(ss_code),
#ifdef __x86_64__
  CASE(ss_code_lax), CASE(not_canonical), CASE(first_kernel),
#else
  CASE(ds_kernel), CASE(ds_zero), CASE(fs_data), CASE(fs_unused),
#endif
};

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  for (volatile size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    fresh();
    change = cases[i].change;
    printf("%s: ", cases[i].what);
    if (!sigsetjmp(env, 1))
      show_state(kill(getpid(), SIGUSR1));
  }
  stacks();
  return 0;
}
