/* Runs one instruction on this machine's processor with all of its user-visible state given and taken
 * back, faults included: the expected values of differential tests. 64-bit code; RSP is the host's own. */
#ifndef TESTS_UNIT_NATIVE64_H
#define TESTS_UNIT_NATIVE64_H

#include <check.h>
#include <setjmp.h>
#include <signal.h>
#include <stdalign.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/bits.h"

struct native_state {
  alignas(64) u8 fx[512]; /* FXSAVE64's image */
  u64 gpr[16];
  u64 flags;
};
enum { NATIVE_FLAGS_AT = 512 + 128, NATIVE_FX_BYTES = 416, NATIVE_NO_FAULT = -1 };

/* The signal handler's. */
static u8 *native_code;
static struct native_state *native_live;
static sigjmp_buf native_unwind;
static volatile int native_vector;

static void native_fault(int signo, siginfo_t *info, void *context) {
  static const int reg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  const ucontext_t *uc = context;
  (void)signo, (void)info;
  native_vector = (int)uc->uc_mcontext.gregs[REG_TRAPNO];
  memcpy(native_live->fx, uc->uc_mcontext.fpregs, NATIVE_FX_BYTES);
  for (unsigned r = 0; r < 16; r++)
    if (r != 4) native_live->gpr[r] = (u64)uc->uc_mcontext.gregs[reg[r]];
  native_live->flags = (u64)uc->uc_mcontext.gregs[REG_EFL];
  siglongjmp(native_unwind, 1);
}

static inline void native_open(void) {
  static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  static u8 stack[65536];
  struct sigaction sa = {.sa_sigaction = native_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
  native_code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  native_live = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(native_code != MAP_FAILED && native_live != MAP_FAILED);
  ck_assert_int_eq(sigaltstack(&ss, NULL), 0);
  for (unsigned k = 0; k < ARRAY_SIZE(signals); k++) ck_assert_int_eq(sigaction(signals[k], &sa, NULL), 0);
}

static u8 *native_put(u8 *p, u64 v, unsigned n) {
  memcpy(p, &v, n);
  return p + n;
}

/* MOV between a general register and [base + its slot]; RSP and the base are left alone. op: 8B load, 89
 * store. */
static u8 *native_move_gprs(u8 *p, u8 op, unsigned base) {
  for (unsigned r = 0; r < 16; r++) {
    if (r == 4 || r == base) continue;
    *p++ = (u8)(0x48 | (r >> 3) << 2);
    *p++ = op;
    *p++ = (u8)(0x80 | (r & 7) << 3 | base);
    p = native_put(p, 512 + 8 * r, 4);
  }
  return p;
}

static void native_assemble(const u8 *insn, unsigned n) {
  /* PUSH RBX, RBP, R12..R15, and back */
  static const u8 push[] = {0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57};
  static const u8 pop[] = {0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3};
  u8 *p = native_code;
  memcpy(p, push, sizeof push);
  p = native_put(p + sizeof push, 0xbf48, 2); /* MOV RDI, state */
  p = native_put(p, (u64)(uintptr_t)native_live, 8);
  p = native_put(p, 0x0fae0f48, 4); /* FXRSTOR64 [RDI] */
  p = native_put(p, 0xb7ff, 2);     /* PUSH [RDI + flags]; POPF */
  p = native_put(p, NATIVE_FLAGS_AT, 4);
  *p++ = 0x9d;
  p = native_move_gprs(p, 0x8b, 7);
  p = native_put(p, 0xbf8b48, 3); /* MOV RDI, [RDI + its slot] */
  p = native_put(p, 512 + 8 * 7, 4);
  memcpy(p, insn, n);
  p = native_put(p + n, 0xa348, 2); /* MOV [state.rax], RAX */
  p = native_put(p, (u64)(uintptr_t)&native_live->gpr[0], 8);
  p = native_put(p, 0xb848, 2); /* MOV RAX, state */
  p = native_put(p, (u64)(uintptr_t)native_live, 8);
  p = native_move_gprs(p, 0x89, 0);
  p = native_put(p, 0x808f9c, 3); /* PUSHF; POP [RAX + flags] */
  p = native_put(p, NATIVE_FLAGS_AT, 4);
  p = native_put(p, 0x00ae0f48, 4); /* FXSAVE64 [RAX] */
  memcpy(p, pop, sizeof pop);
}

/* Executes insn (n <= 15 bytes) on *s. Returns the vector of its fault, *s then being the state at the
 * fault, or NATIVE_NO_FAULT. */
static inline int native_run(const u8 *insn, unsigned n, struct native_state *s) {
  union {
    void *data;
    void (*call)(void);
  } entry = {.data = native_code};
  native_assemble(insn, n);
  *native_live = *s;
  native_vector = NATIVE_NO_FAULT;
  if (!sigsetjmp(native_unwind, 0)) entry.call();
  __asm__ volatile("fninit; cld");
  __builtin_ia32_ldmxcsr(0x1f80);
  *s = *native_live;
  return native_vector;
}

#endif
