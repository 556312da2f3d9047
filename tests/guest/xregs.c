/* Vector and opmask registers across signals: kept over a system call's signal and a fault's, as after reset
 * when a handler begins, in the frame where CPUID says, and on return as the handler left them there. Frames
 * that sigreturn refuses, and an alternate stack that is too small. Linux arch/x86/kernel/fpu/signal.c,
 * arch/x86/kernel/signal.c; SDM 1 13.4 (XSAVE Area). As far as the processor has registers: the lines are the
 * same everywhere. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/auxv.h>
#include <ucontext.h>
#include <unistd.h>

#include "guest.h"

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#ifdef __x86_64__
enum { FSAVE = 0, VECTORS = 32, LOW = 16 };
#else
enum { FSAVE = 112, VECTORS = 8, LOW = 8 };
#endif
enum { MXCSR = 24, XMM0 = 160, SOFTWARE = 464, HEADER = 512 };
enum { X87, SSE, AVX, OPMASK = 5, ZMM_HI256, HI16_ZMM, COMPONENTS = 10 };
enum { NO_XSAVE, SSE_ONLY, YMM, ZMM };

struct regs {
  unsigned char v[32][64];
  uint64_t k[8];
  uint32_t mxcsr, spare[15];
};

/* across_*(in, out, pid, signo): loads all registers, sends the signal, or without a pid executes UD2, and
 * stores them. enter_*: handlers that store what they find in `entered` first. */
#ifdef __x86_64__
#define ALL "0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15"
#define MORE ",16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31"
#define TAKE_ARGUMENTS \
  "push %rbx\n push %rbp\n mov %rdi, %rbx\n mov %rsi, %rbp\n mov %rdx, %rdi\n mov %rcx, %rsi\n"
#define TRAP "test %rdi, %rdi\n jz 1f\n mov $62, %eax\n syscall\n jmp 2f\n 1: ud2\n 2:\n"
#define LEAVE_ "pop %rbp\n pop %rbx\n ret\n"
#define IN "%rbx"
#define OUT "%rbp"
#define FOUND "mov $entered, %eax\n"
#define FOUND_AT "%rax"
#else
#define ALL "0,1,2,3,4,5,6,7"
#define MORE ""
#define TAKE_ARGUMENTS                                                                        \
  "push %ebx\n push %ebp\n push %esi\n push %edi\n mov 20(%esp), %esi\n mov 24(%esp), %ebp\n" \
  " mov 28(%esp), %ebx\n"                                                                    \
  " mov 32(%esp), %ecx\n"
#define TRAP "test %ebx, %ebx\n jz 1f\n mov $37, %eax\n int $0x80\n jmp 2f\n 1: ud2\n 2:\n"
#define LEAVE_ "pop %edi\n pop %esi\n pop %ebp\n pop %ebx\n ret\n"
#define IN "%esi"
#define OUT "%ebp"
#define FOUND "mov $entered, %eax\n"
#define FOUND_AT "%eax"
#endif
#define EACH(list, what) " .irp r," list "\n " what "\n .endr\n"
#define LOAD_SSE EACH(ALL, "movups 64*\\r(" IN "), %xmm\\r") " ldmxcsr 2112(" IN ")\n"
#define STORE_SSE(at) EACH(ALL, "movups %xmm\\r, 64*\\r(" at ")") " stmxcsr 2112(" at ")\n"
#define LOAD_AVX EACH(ALL, "vmovups 64*\\r(" IN "), %ymm\\r") " ldmxcsr 2112(" IN ")\n"
#define STORE_AVX(at) EACH(ALL, "vmovups %ymm\\r, 64*\\r(" at ")") " stmxcsr 2112(" at ")\n"
#define MASKS "0,1,2,3,4,5,6,7"
#define LOAD_512 \
  EACH(ALL MORE, "vmovups 64*\\r(" IN "), %zmm\\r") EACH(MASKS, "kmovw 2048+8*\\r(" IN "), %k\\r") \
  " ldmxcsr 2112(" IN ")\n"
#define STORE_512(at) \
  EACH(ALL MORE, "vmovups %zmm\\r, 64*\\r(" at ")") EACH(MASKS, "kmovw %k\\r, 2048+8*\\r(" at ")") \
  " stmxcsr 2112(" at ")\n"
#define LEVEL(name, load, store_out, store_found, clear)                                          \
  "across_" name ":\n" TAKE_ARGUMENTS load TRAP store_out clear LEAVE_ "enter_" name ":\n" FOUND store_found \
  clear " jmp handler\n"
__asm__(".pushsection .text\n"
        LEVEL("sse", LOAD_SSE, STORE_SSE(OUT), STORE_SSE(FOUND_AT), "")
        LEVEL("avx", LOAD_AVX, STORE_AVX(OUT), STORE_AVX(FOUND_AT), " vzeroupper\n")
        LEVEL("512", LOAD_512, STORE_512(OUT), STORE_512(FOUND_AT), " vzeroupper\n")
        ".popsection\n");
typedef void across_fn(const struct regs *in, struct regs *out, long pid, long signo);
across_fn across_sse, across_avx, across_512;
void enter_sse(int), enter_avx(int), enter_512(int);
void handler(int signo, siginfo_t *info, void *context) __attribute__((used));
struct regs entered __attribute__((used));

static int level;
static across_fn *across;
static unsigned offset[COMPONENTS];

static void detect(void) {
  unsigned a, b, c, d, low = 0, high;
  level = NO_XSAVE;
  __cpuid(1, a, b, c, d);
  if (c >> 27 & 1) {
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    level = (low & 0xe4) == 0xe4 ? ZMM : low & 4 ? YMM : SSE_ONLY;
  }
  for (unsigned k = 2; k < COMPONENTS && level != NO_XSAVE; k++) {
    __cpuid_count(13, k, a, b, c, d);
    offset[k] = b;
  }
  across = level == ZMM ? across_512 : level == YMM ? across_avx : across_sse;
}

/* Only what there is counts: the rest is made the same. */
static void trim(struct regs *r) {
  unsigned bytes = level == ZMM ? 64 : level == YMM ? 32 : 16;
  for (unsigned n = 0; n < 32; n++) {
    unsigned keep = n < LOW || (level == ZMM && n < VECTORS) ? bytes : 0;
    memset(r->v[n] + keep, 0, 64 - keep);
  }
  for (unsigned n = 0; n < 8; n++) r->k[n] = level == ZMM ? r->k[n] & 0xffff : 0;
  memset(r->spare, 0, sizeof r->spare);
}
static void fill(struct regs *r, uint64_t seed) {
  unsigned char *p = (unsigned char *)r;
  for (unsigned n = 0; n < sizeof *r; n += 8) {
    uint64_t v = next_random(&seed);
    memcpy(p + n, &v, 8);
  }
  r->mxcsr = 0x1f80 | (uint32_t)(seed & 3) << 13; /* a rounding mode */
  trim(r);
}
static int same(const struct regs *a, const struct regs *b) { return !memcmp(a, b, sizeof *a); }

/* ---- registers in a frame ---- */

/* Where `part` of register n is, and which bytes of it: 0 XMM, 1 YMM's upper half, 2 ZMM's. NULL: nowhere. */
static unsigned char *place(unsigned char *fx, unsigned n, unsigned part, unsigned *from, unsigned *bytes) {
  *from = part == 0 ? 0 : part == 1 ? 16 : 32;
  *bytes = part == 2 ? 32 : 16;
  if (n >= 16) {
    *from = 0;
    *bytes = 64;
    return part || level < ZMM ? NULL : fx + offset[HI16_ZMM] + 64 * (n - 16);
  }
  if (part == 0) return fx + XMM0 + 16 * n;
  if (part == 1) return level < YMM ? NULL : fx + offset[AVX] + 16 * n;
  return level < ZMM ? NULL : fx + offset[ZMM_HI256] + 32 * n;
}

static int frame_has(unsigned char *fx, const struct regs *want) {
  int ok = !memcmp(fx + MXCSR, &want->mxcsr, 4);
  for (unsigned n = 0; n < VECTORS; n++)
    for (unsigned part = 0; part < 3; part++) {
      unsigned from, bytes;
      const unsigned char *p = place(fx, n, part, &from, &bytes);
      if (p) ok &= !memcmp(p, want->v[n] + from, bytes);
    }
  for (unsigned n = 0; n < 8 && level == ZMM; n++) ok &= !memcmp(fx + offset[OPMASK] + 8 * n, &want->k[n], 8);
  return ok;
}

static void put_frame(unsigned char *fx, const struct regs *r) {
  memcpy(fx + MXCSR, &r->mxcsr, 4);
  for (unsigned n = 0; n < VECTORS; n++)
    for (unsigned part = 0; part < 3; part++) {
      unsigned from, bytes;
      unsigned char *p = place(fx, n, part, &from, &bytes);
      if (p) memcpy(p, r->v[n] + from, bytes);
    }
  if (level == ZMM) memcpy(fx + offset[OPMASK], r->k, sizeof r->k);
}

/* What is left when a component is as after reset. */
static void reset_component(struct regs *r, unsigned c) {
  for (unsigned n = 0; n < 32; n++) {
    if (c == SSE && n < 16) memset(r->v[n], 0, 16);
    if (c == AVX && n < 16) memset(r->v[n] + 16, 0, 16);
    if (c == ZMM_HI256 && n < 16) memset(r->v[n] + 32, 0, 32);
    if (c == HI16_ZMM && n >= 16) memset(r->v[n], 0, 64);
  }
  if (c == OPMASK) memset(r->k, 0, sizeof r->k);
}

/* ---- the handler ---- */

enum action {
  KEEP, CHANGE, NOT_IN_USE, NOT_WANTED, NO_MAGIC1, NO_MAGIC2, NESTED, /* these return */
  BAD_FEATURE, BAD_HEADER, BAD_MXCSR, BAD_COMPACT                     /* these cannot */
};
static volatile enum action action;
static volatile unsigned component;
static struct regs interrupted, changed;
static volatile int well, calls;
static sigjmp_buf escape;
static volatile uintptr_t frame;
static uint32_t area;

static void flip(unsigned char *p, unsigned bit) { p[bit / 8] ^= (unsigned char)(1 << bit % 8); }

static int reset_state(void) {
  struct regs zero = {.mxcsr = 0x1f80};
  trim(&entered);
  return same(&entered, &zero);
}

static void nested(void) {
  struct regs in, out = {.mxcsr = 0}, outer = interrupted;
  fill(&in, 99);
  action = KEEP;
  interrupted = in;
  across(&in, &out, getpid(), SIGUSR2);
  trim(&out);
  well &= same(&in, &out);
  interrupted = outer;
}

void handler(int signo, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  unsigned char *fx = (unsigned char *)uc->uc_mcontext.fpregs + FSAVE;
  calls++;
  (void)info;
  frame = (uintptr_t)uc;
  memcpy(&area, fx + SOFTWARE + 16, 4); /* less than CPUID says, where there is AMX to ask for */
  well &= reset_state() && frame_has(fx, &interrupted);
  if (level != NO_XSAVE) well &= uc->uc_flags & 1;
#ifdef __x86_64__
  if (signo == SIGILL) uc->uc_mcontext.gregs[REG_RIP] += 2;
#else
  if (signo == SIGILL) uc->uc_mcontext.gregs[REG_EIP] += 2;
#endif
  switch (action) {
    case KEEP: break;
    case CHANGE: put_frame(fx, &changed); break;
    case NOT_IN_USE: flip(fx + HEADER, component); break;
    case NOT_WANTED: flip(fx + SOFTWARE + 8, component); break;
    case NO_MAGIC1: memset(fx + SOFTWARE, 0, 4); break;
    case NO_MAGIC2: {
      uint32_t size;
      memcpy(&size, fx + SOFTWARE + 16, 4);
      memset(fx + size, 0, 4);
      break;
    }
    case NESTED: nested(); break;
    case BAD_FEATURE: flip(fx + HEADER, 62); break;
    case BAD_HEADER: flip(fx + HEADER + 16, 5); break;
    case BAD_MXCSR: flip(fx + MXCSR, 31); break;
    case BAD_COMPACT: flip(fx + HEADER + 8, 3); break;
  }
}

static void on_segv(int signo, siginfo_t *info, void *context) {
  (void)signo, (void)context;
  well &= info->si_code == SI_KERNEL;
  siglongjmp(escape, 1);
}

static void handle(int signo, int flags) {
  struct sigaction a = {.sa_flags = SA_SIGINFO | flags};
  a.sa_handler = signo == SIGSEGV ? (void (*)(int))(uintptr_t)on_segv
                 : level == ZMM   ? enter_512
                 : level == YMM   ? enter_avx
                                  : enter_sse;
  sigaction(signo, &a, NULL);
}

/* ---- the tests ---- */

/* Registers after a signal of this kind, against `want`. */
static int arrives(int fault, const struct regs *want) {
  struct regs out = {.mxcsr = 0};
  int before = calls;
  well = 1;
  across(&interrupted, &out, fault ? 0 : getpid(), SIGUSR1);
  trim(&out);
  return well && calls > before && same(&out, want);
}

static int kept(int fault) {
  int ok = 1;
  action = KEEP;
  for (unsigned k = 1; k < 50; k++) {
    fill(&interrupted, k * 12345);
    ok &= arrives(fault, &interrupted);
  }
  memset(&interrupted, 0, sizeof interrupted);
  interrupted.mxcsr = 0x1f80;
  return ok & arrives(fault, &interrupted);
}

static int changes(void) {
  fill(&interrupted, 77);
  fill(&changed, 78);
  action = CHANGE;
  return arrives(0, &changed) & arrives(1, &changed);
}

/* Linux then keeps its areas in the compacted form, which has no MXCSR for AVX. */
static int compacts(void) {
  unsigned a, b, c, d;
  __cpuid_count(13, 1, a, b, c, d);
  return a >> 1 & 1;
}

/* Of components that the header leaves out, or that the frame's first words do not name, nothing is loaded.
 * */
static int left_out(enum action how) {
  static const unsigned char of[] = {SSE, AVX, OPMASK, ZMM_HI256, HI16_ZMM};
  int ok = 1;
  action = how;
  for (unsigned k = 0; k < sizeof of; k++) {
    if (level == NO_XSAVE || (of[k] >= AVX && level < YMM) || (of[k] > AVX && level < ZMM)) continue;
    if (of[k] == SSE) continue; /* MXCSR goes its own ways: xframes.c */
    fill(&interrupted, k + 5);
    changed = interrupted;
    reset_component(&changed, of[k]);
    if (how == NOT_WANTED && FSAVE == 0 && of[k] == AVX && !compacts()) changed.mxcsr = 0x1f80;
    component = of[k];
    ok &= arrives(0, &changed);
  }
  return ok;
}

/* Without its magic numbers a frame is an FXSAVE image. */
static int cut_down(enum action how) {
  if (level == NO_XSAVE) return 1;
  fill(&interrupted, 7);
  changed = interrupted;
  for (unsigned c = AVX; c < COMPONENTS; c++) reset_component(&changed, c);
  action = how;
  return arrives(0, &changed);
}

static int within(void) {
  fill(&interrupted, 4321);
  action = NESTED;
  return arrives(0, &interrupted);
}

/* SIGSEGV in place of a return. */
static int refused(enum action how) {
  struct regs out;
  if (level == NO_XSAVE && how != BAD_MXCSR) return 1;
  fill(&interrupted, 11);
  action = how;
  well = 1;
  if (sigsetjmp(escape, 1)) return well;
  across(&interrupted, &out, getpid(), SIGUSR1);
  return 0;
}

/* How far below `top` the handler's stack pointer is when it begins: get_sigframe(). */
static unsigned frame_bytes(uintptr_t top, unsigned area) {
  uintptr_t fx = (top - area) & ~(uintptr_t)63, sp;
#ifdef __x86_64__
  sp = ((fx - 440) & ~(uintptr_t)15) - 8;
#else
  sp = ((fx - FSAVE - 268 + 4) & ~(uintptr_t)15) - 4;
#endif
  return (unsigned)(top - sp);
}

/* The frame fits on the stack, or there is SIGSEGV; AT_MINSIGSTKSZ is enough for any. The handler itself goes
 * on below. */
static int stacks(void) {
  static unsigned char stack[65536] __attribute__((aligned(64)));
  volatile int ok = 1;
  unsigned long least = getauxval(AT_MINSIGSTKSZ);
  unsigned need = frame_bytes((uintptr_t)stack + sizeof stack, level == NO_XSAVE ? 512 : area + 4);
  ok &= least >= need;
  handle(SIGUSR1, SA_ONSTACK);
  action = KEEP;
  fill(&interrupted, 31);
  for (unsigned size = 2048; size < 16384; size += 64) {
    stack_t ss = {.ss_sp = stack + sizeof stack - size, .ss_size = size};
    struct regs out;
    volatile int fits = 0;
    well = 1;
    frame = 0;
    ok &= !sigaltstack(&ss, NULL);
    if (!sigsetjmp(escape, 1)) {
      across(&interrupted, &out, getpid(), SIGUSR1);
      fits = frame > (uintptr_t)ss.ss_sp && frame < (uintptr_t)stack + sizeof stack;
    }
    ok &= well && fits == (size > need);
  }
  handle(SIGUSR1, 0);
  return ok;
}

int main(void) {
  detect();
  handle(SIGUSR1, 0);
  handle(SIGUSR2, 0);
  handle(SIGILL, 0);
  handle(SIGSEGV, 0);
  verdict("kept over a signal in a system call", kept(0));
  verdict("kept over a fault", kept(1));
  verdict("changed in the frame", changes());
  verdict("not in use by the header", left_out(NOT_IN_USE));
  verdict("not wanted by the software's bytes", left_out(NOT_WANTED));
  verdict("without the first magic number", cut_down(NO_MAGIC1));
  verdict("without the second", cut_down(NO_MAGIC2));
  verdict("a handler within a handler", within());
  verdict("a component that does not exist", refused(BAD_FEATURE));
  verdict("a header with a reserved bit", refused(BAD_HEADER));
  verdict("a header with XCOMP_BV", refused(BAD_COMPACT));
  verdict("MXCSR with a reserved bit", refused(BAD_MXCSR));
  verdict("alternate stacks of every size", stacks());
  return 0;
}
