/* The signal frame is the program's state: every register, the flags, x87 and SSE arrive in the handler's
 * context, what the handler changes there comes back, and what it does to its own registers does not. */
#define _GNU_SOURCE
#include <signal.h>
#include <ucontext.h>

#include "guest.h"

#ifdef __x86_64__
typedef uint64_t word;
enum { REGS = 15 };
static const int order[REGS] = {REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP, REG_R8,
                                REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
enum { IP = REG_RIP, SP = REG_RSP, XMMS = 16 };
#define PATTERN(i) (UINT64_C(0x1111111111111111) * (i + 1) ^ UINT64_C(0x8000000000000001))
/* trap_with(in[15], flags, out[15], &out_flags): loads in, traps by int3, stores what it finds. */
asm(".pushsection .text\n"
    "trap_with:\n"
    " push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    " push %rcx\n push %rdx\n push %rsi\n mov %rdi, %rax\n"
    " mov 8(%rax), %rbx\n mov 16(%rax), %rcx\n mov 24(%rax), %rdx\n mov 32(%rax), %rsi\n mov 40(%rax), %rdi\n"
    " mov 48(%rax), %rbp\n mov 56(%rax), %r8\n mov 64(%rax), %r9\n mov 72(%rax), %r10\n mov 80(%rax), %r11\n"
    " mov 88(%rax), %r12\n mov 96(%rax), %r13\n mov 104(%rax), %r14\n mov 112(%rax), %r15\n mov (%rax), "
    "%rax\n"
    " popfq\n int3\n trap_return: push %rax\n pushfq\n cld\n mov 16(%rsp), %rax\n"
    " mov %rbx, 8(%rax)\n mov %rcx, 16(%rax)\n mov %rdx, 24(%rax)\n mov %rsi, 32(%rax)\n mov %rdi, 40(%rax)\n"
    " mov %rbp, 48(%rax)\n mov %r8, 56(%rax)\n mov %r9, 64(%rax)\n mov %r10, 72(%rax)\n mov %r11, 80(%rax)\n"
    " mov %r12, 88(%rax)\n mov %r13, 96(%rax)\n mov %r14, 104(%rax)\n mov %r15, 112(%rax)\n"
    " pop %rcx\n pop %rbx\n mov %rbx, (%rax)\n pop %rdx\n pop %rdx\n mov %rcx, (%rdx)\n"
    " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
    ".popsection\n");
#else
typedef uint32_t word;
enum { REGS = 7 };
static const int order[REGS] = {REG_EAX, REG_EBX, REG_ECX, REG_EDX, REG_ESI, REG_EDI, REG_EBP};
enum { IP = REG_EIP, SP = REG_ESP, XMMS = 8 };
#define PATTERN(i) (0x11111111u * (i + 1) ^ 0x80000001u)
asm(".pushsection .text\n"
    "trap_with:\n"
    " push %ebx\n push %ebp\n push %esi\n push %edi\n"
    " mov 20(%esp), %eax\n push 32(%esp)\n push 32(%esp)\n push 32(%esp)\n"
    " mov 4(%eax), %ebx\n mov 8(%eax), %ecx\n mov 12(%eax), %edx\n mov 16(%eax), %esi\n mov 20(%eax), %edi\n"
    " mov 24(%eax), %ebp\n mov (%eax), %eax\n"
    " popfl\n int3\n trap_return: push %eax\n pushfl\n cld\n mov 8(%esp), %eax\n"
    " mov %ebx, 4(%eax)\n mov %ecx, 8(%eax)\n mov %edx, 12(%eax)\n mov %esi, 16(%eax)\n mov %edi, 20(%eax)\n"
    " mov %ebp, 24(%eax)\n"
    " pop %ecx\n pop %ebx\n mov %ebx, (%eax)\n pop %edx\n pop %edx\n mov %ecx, (%edx)\n"
    " pop %edi\n pop %esi\n pop %ebp\n pop %ebx\n ret\n"
    ".popsection\n");
#endif
void trap_with(const word *in, word flags, word *out, word *out_flags);
extern char trap_return[];

enum { STATUS_FLAGS = 0xcd5, DF = 0x400 }; /* CF PF AF ZF SF DF OF */
static const word *expect;
static word expect_flags, change_flags;
static int change;
static volatile int seen_all, seen_flags, seen_ip, seen_df_clear, seen_traps;

static NOINLINE word flags_now(void) {
  word f;
  asm volatile("pushf\n pop %0" : "=r"(f));
  return f;
}

static void on_trap(int sig, siginfo_t *info, void *context) {
  (void)info;
  word f = flags_now();
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  seen_all = 1;
  for (int i = 0; i < REGS; i++)
    if ((word)r[order[i]] != expect[i])
      seen_all = 0;
  seen_flags = ((word)r[REG_EFL] & STATUS_FLAGS) == expect_flags;
  seen_ip = (char *)r[IP] == trap_return;
  seen_df_clear = !(f & DF);
  seen_traps += sig == SIGTRAP && r[REG_TRAPNO] == 3;
  if (change) {
    for (int i = 0; i < REGS; i++)
      r[order[i]] = (greg_t)~r[order[i]];
    r[REG_EFL] ^= (greg_t)change_flags;
  }
}

static void general(void) {
  word in[REGS], out[REGS], want[REGS], f;
  static const word flags[] = {0x2, 0xcd7, 0x402, 0x803, 0x46, 0x90};
  for (int i = 0; i < REGS; i++)
    in[i] = (word)PATTERN(i);
  expect = in;
  for (size_t k = 0; k < sizeof flags / sizeof *flags; k++)
    for (change = 0; change < 2; change++) {
      for (int i = 0; i < REGS; i++)
        want[i] = change ? ~in[i] : in[i];
      expect_flags = flags[k] & STATUS_FLAGS;
      change_flags = change ? 0x8d5 : 0;
      memset(out, 0, sizeof out);
      trap_with(in, flags[k], out, &f);
      printf("flags %03x change %d: in context %d %d %d, DF clear %d, back %d %d\n", (unsigned)expect_flags,
             change, seen_all, seen_flags, seen_ip, seen_df_clear, !memcmp(out, want, sizeof out),
             (f & STATUS_FLAGS) == (expect_flags ^ change_flags));
    }
  printf("traps %d\n", seen_traps);
}

struct fxsave { /* SDM 1 10.5.1 (FXSAVE Area) */
  uint16_t cwd, swd, twd, fop;
  uint32_t ip[2], dp[2], mxcsr, mxcsr_mask;
  uint8_t st[8][16];
  uint8_t xmm[16][16];
};

static struct fxsave *fp_of(ucontext_t *uc) {
#ifdef __x86_64__
  return (struct fxsave *)uc->uc_mcontext.fpregs;
#else
  return (struct fxsave *)((char *)uc->uc_mcontext.fpregs + 112); /* behind the FSAVE image */
#endif
}

static struct fxsave in_context;
static uint16_t handler_cw;
static uint32_t handler_mxcsr;

static void on_fp_trap(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info;
  asm volatile("fnstcw %0\n stmxcsr %1" : "=m"(handler_cw), "=m"(handler_mxcsr));
  struct fxsave *fx = fp_of(context);
  in_context = *fx;
  memset(fx->xmm[3], 0xab, 16);
  fx->mxcsr = 0x1fa0;
  /* Spoil everything the frame should restore. */
  asm volatile("fninit\n fldpi\n fldpi\n pcmpeqd %%xmm0, %%xmm0\n pxor %%xmm1, %%xmm1\n pcmpeqd %%xmm7, "
               "%%xmm7\n"
               "pxor %%xmm3, %%xmm3\n fninit"
               :
               :
               : "memory");
}

static void floating(void) {
  static uint8_t pattern[XMMS][16], after[XMMS][16];
  static struct {
    long double v __attribute__((aligned(16)));
  } st_in[3] = {{1.25L}, {-3.5L}, {0x1.23456789abcdefp+100L}}, st_out[3];
  uint16_t cw = 0x0f7f & ~0x0300, cw_after = 0; /* single precision, round to zero, all masked */
  uint32_t mxcsr = 0x7f80 | 0x20, mxcsr_after = 0;
  for (int i = 0; i < XMMS; i++)
    for (int j = 0; j < 16; j++)
      pattern[i][j] = (uint8_t)(i * 16 + j + 1);
  asm volatile("fninit\n fldt 0(%2)\n fldt 16(%2)\n fldt 32(%2)\n fldcw %3\n ldmxcsr %4\n"
               "movups 0(%0), %%xmm0\n movups 16(%0), %%xmm1\n movups 32(%0), %%xmm2\n movups 48(%0), "
               "%%xmm3\n"
               "movups 64(%0), %%xmm4\n movups 80(%0), %%xmm5\n movups 96(%0), %%xmm6\n movups 112(%0), "
               "%%xmm7\n"
#ifdef __x86_64__
               "movups 128(%0), %%xmm8\n movups 144(%0), %%xmm9\n movups 160(%0), %%xmm10\n movups 176(%0), "
               "%%xmm11\n"
               "movups 192(%0), %%xmm12\n movups 208(%0), %%xmm13\n movups 224(%0), %%xmm14\n movups "
               "240(%0), %%xmm15\n"
#endif
               "int3\n"
               "movups %%xmm0, 0(%1)\n movups %%xmm1, 16(%1)\n movups %%xmm2, 32(%1)\n movups %%xmm3, "
               "48(%1)\n"
               "movups %%xmm4, 64(%1)\n movups %%xmm5, 80(%1)\n movups %%xmm6, 96(%1)\n movups %%xmm7, "
               "112(%1)\n"
#ifdef __x86_64__
               "movups %%xmm8, 128(%1)\n movups %%xmm9, 144(%1)\n movups %%xmm10, 160(%1)\n movups %%xmm11, "
               "176(%1)\n"
               "movups %%xmm12, 192(%1)\n movups %%xmm13, 208(%1)\n movups %%xmm14, 224(%1)\n movups "
               "%%xmm15, 240(%1)\n"
#endif
               "fstpt 32(%5)\n fstpt 16(%5)\n fstpt 0(%5)\n"
               :
               : "r"(pattern), "r"(after), "r"(st_in), "m"(cw), "m"(mxcsr), "r"(st_out)
               : "memory");
  asm volatile("fnstcw %0\n stmxcsr %1" : "=m"(cw_after), "=m"(mxcsr_after));
  static const uint16_t plain_cw = 0x37f;
  static const uint32_t plain_mxcsr = 0x1f80;
  asm volatile("fninit\n fldcw %0\n ldmxcsr %1" : : "m"(plain_cw), "m"(plain_mxcsr));

  printf("in the handler: cw %x mxcsr %x\n", handler_cw, (unsigned)handler_mxcsr);
  printf("in the context: cw %x mxcsr %x top %d tags %x\n", in_context.cwd, (unsigned)in_context.mxcsr,
         (in_context.swd >> 11) & 7, in_context.twd & 0xff);
  verdict("xmm registers in the context", !memcmp(in_context.xmm, pattern, sizeof pattern));
  verdict("x87 stack in the context", !memcmp(in_context.st[0], &st_in[2], 10) &&
                                          !memcmp(in_context.st[1], &st_in[1], 10) &&
                                          !memcmp(in_context.st[2], &st_in[0], 10));
  memset(pattern[3], 0xab, 16);
  verdict("xmm registers afterwards, one changed", !memcmp(after, pattern, sizeof pattern));
  verdict("x87 stack afterwards", !memcmp(&st_out[0], &st_in[0], 10) && !memcmp(&st_out[1], &st_in[1], 10) &&
                                      !memcmp(&st_out[2], &st_in[2], 10));
  printf("afterwards: cw %x mxcsr %x\n", cw_after, (unsigned)mxcsr_after);
}

int main(void) {
  struct sigaction a = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &a, NULL);
  general();
  a.sa_sigaction = on_fp_trap;
  sigaction(SIGTRAP, &a, NULL);
  floating();
  return 0;
}
