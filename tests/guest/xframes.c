/* The extended state in a signal frame, where the processor has XSAVE and the kernel uses it: magic numbers, sizes as
 * CPUID has them, and what sigreturn makes of a frame that the handler changed or cut down to its FXSAVE image. Without
 * XSAVE the same is said of the FXSAVE image alone, so that all processors print the same. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef __x86_64__
enum { FSAVE = 0 };
#else
enum { FSAVE = 112 }; /* in front of the FXSAVE image */
#endif
enum { XMM0 = 160, SOFTWARE = 464, HEADER = 512, EXTENDED = 576 };
enum { MAGIC1 = 0x46505853, MAGIC2 = 0x46505845 };
enum action { LEAVE, CHANGE, NO_MAGIC1, NO_MAGIC2, SSE_NOT_IN_USE, ACTIONS };
static const char *const names[ACTIONS] = {"left alone", "changed", "without the first magic number",
                                           "without the second", "without SSE in XSTATE_BV"};

static volatile enum action action;
static int xsave, wrong;

static uint32_t word(const unsigned char *p) {
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}
static void expect(int ok, const char *what) {
  if (ok) return;
  wrong++;
  printf("wrong: %s\n", what);
}

/* Where the last of these components ends. */
static unsigned area_size(uint32_t features) {
  unsigned size = EXTENDED, a, b, c, d;
  for (unsigned k = 2; k < 32; k++) {
    if (!(features >> k & 1)) continue;
    __cpuid_count(13, k, a, b, c, d);
    if (a + b > size) size = a + b;
  }
  return size;
}

static void look(const unsigned char *fx, uint32_t size, uint32_t features) {
  expect(word(fx + SOFTWARE) == MAGIC1, "first magic number");
  expect(word(fx + SOFTWARE + 4) == size + 4 + FSAVE, "extended size");
  expect(word(fx + XMM0) == 0x12345678, "XMM0");
  expect(!((uintptr_t)fx & 63), "alignment");
  if (!xsave) return;
  expect((features & 3) == 3 && size == area_size(features), "size by CPUID");
  expect(word(fx + size) == MAGIC2, "second magic number");
  expect((word(fx + HEADER) & 3) == 3 && !(word(fx + HEADER) & ~features), "XSTATE_BV");
  for (unsigned k = 8; k < 64; k += 4) expect(!word(fx + HEADER + k), "the rest of the header");
}

static void handler(int signo, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  unsigned char *fx = (unsigned char *)uc->uc_mcontext.fpregs + FSAVE;
  uint32_t size = word(fx + SOFTWARE + 16);
  (void)signo, (void)info;
  expect((uc->uc_flags & 1) == (unsigned)xsave, "uc_flags");
  look(fx, size, word(fx + SOFTWARE + 8));
  if (action != LEAVE) fx[XMM0] = 0x99;
  if (!xsave) return;
  if (action == NO_MAGIC1) memset(fx + SOFTWARE, 0, 4);
  if (action == NO_MAGIC2) memset(fx + size, 0, 4);
  if (action == SSE_NOT_IN_USE) fx[HEADER] &= (unsigned char)~2;
}

/* XMM0 across a signal. */
static uint32_t across(void) {
  static const uint32_t in[4] = {0x12345678, 1, 2, 3};
  uint32_t out[4];
  long number = SYS_kill, pid = getpid(), signo = SIGUSR1;
#ifdef __x86_64__
  __asm__ volatile("movdqu %2, %%xmm0\n\tsyscall\n\tmovdqu %%xmm0, %1"
                   : "+a"(number), "=m"(out)
                   : "m"(in), "D"(pid), "S"(signo)
                   : "rcx", "r11", "memory", "xmm0");
#else
  __asm__ volatile("movdqu %2, %%xmm0\n\tint $0x80\n\tmovdqu %%xmm0, %1"
                   : "+a"(number), "=m"(out)
                   : "m"(in), "b"(pid), "c"(signo)
                   : "memory", "xmm0");
#endif
  return out[0];
}

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  unsigned eax, ebx, ecx, edx;
  __cpuid(1, eax, ebx, ecx, edx);
  xsave = ecx >> 27 & 1;
  sigaction(SIGUSR1, &a, NULL);
  for (action = LEAVE; action < ACTIONS; action++) {
    uint32_t want = action == LEAVE ? 0x12345678 : action == SSE_NOT_IN_USE && xsave ? 0 : 0x12345699;
    expect(across() == want, names[action]);
    printf("%s: %s\n", names[action], wrong ? "wrong" : "as expected");
  }
  return wrong != 0;
}
