/* The ring-0 entry stubs, run on this machine in ring 3: the privileged instructions are replaced by traps to
 * a signal handler, which plays the host. Expected frames: Linux struct pt_regs; SDM 3A 6.14.2 (64-Bit Mode
 * Stack Frame), SDM 2B SYSCALL and SYSENTER. */
#define _GNU_SOURCE
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/bits.h"
#include "roms/linux_entry.h"

static struct rom_entry64_table table(void) {
  struct rom_entry64_table t;
  memcpy(&t, rom_entry64, sizeof t);
  return t;
}

static void expect_bytes(u32 offset, const char *bytes, size_t n) {
  ck_assert_uint_ge(offset, sizeof(struct rom_entry64_table));
  ck_assert_uint_le(offset + n, rom_entry64_size);
  ck_assert_mem_eq(rom_entry64 + offset, bytes, n);
}

START_TEST(table_points_at_the_instructions) {
  struct rom_entry64_table t = table();
  ck_assert_uint_le(rom_entry64_size, 4096);
  for (int i = 0; i < KIND_COUNT; i++)
    expect_bytes(t.vmcall[i], "\x0f\x01\xc1", 3);
  expect_bytes(t.sysretq, "\x48\x0f\x07", 3);
  expect_bytes(t.sysretl, "\x0f\x07", 2);
  expect_bytes(t.iretq, "\x48\xcf", 2);
  expect_bytes(t.iretq_kernel, "\x48\xcf", 2);
  expect_bytes(t.syscall64, "\x0f\x01\xf8", 3);
  expect_bytes(t.syscall32, "\x0f\x01\xf8", 3);
  expect_bytes(t.sysenter32, "\x0f\x01\xf8", 3);
  expect_bytes(t.int80, "\x0f\x01\xf8", 3);
}
END_TEST

#ifdef __x86_64__

/* Registers before an entry, where ip is the stub's, and after the return. The assembler below and the signal
 * handler have no other way to reach these. */
struct pt_regs entry64_test_state;
u64 entry64_test_own_rsp;
extern const char entry64_test_back[];
void entry64_test_run(void);
void entry64_test_trap(int signal, siginfo_t *info, void *context);
void entry64_test_trap_aligned(int signal, siginfo_t *info, void *context);

/* Loads the state and jumps to its ip; whoever jumps to entry64_test_back has its registers stored there. */
__asm__(
    ".text\n"
    "entry64_test_run:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "  mov %rsp, entry64_test_own_rsp(%rip)\n"
    "  lea entry64_test_state(%rip), %rsp\n"
    "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  pop %r11; pop %r10; pop %r9; pop %r8; pop %rax; pop %rcx; pop %rdx; pop %rsi; pop %rdi\n"
    "  mov entry64_test_own_rsp(%rip), %rsp\n"
    "  push 144+entry64_test_state(%rip)\n"
    "  popfq\n"
    "  mov 152+entry64_test_state(%rip), %rsp\n"
    "  jmp *128+entry64_test_state(%rip)\n"
    ".globl entry64_test_back\n"
    "entry64_test_back:\n"
    "  mov %rsp, 152+entry64_test_state(%rip)\n"
    "  lea 120+entry64_test_state(%rip), %rsp\n"
    "  push %rdi; push %rsi; push %rdx; push %rcx; push %rax; push %r8; push %r9; push %r10; push %r11\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "  mov entry64_test_own_rsp(%rip), %rsp\n"
    "  pushfq\n"
    "  pop 144+entry64_test_state(%rip)\n"
    "  push $2\n"
    "  popfq\n"
    "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n"
    /* Linux leaves AC set in signal handlers, and C code makes unaligned accesses. */
    "entry64_test_trap:\n"
    "  pushfq\n"
    "  andl $~0x40000, (%rsp)\n"
    "  popfq\n"
    "  jmp entry64_test_trap_aligned\n");

#define FLAG_CF 0x1
#define FLAG_AC 0x40000
#define FLAG_NT 0x4000
#define FLAG_IF 0x200

/* What the host saw at the one hypercall, and what it answers. */
static struct {
  u64 percpu[2], kernel_stack[512], user_stack[64];
  u8 *stub;
  struct pt_regs regs;
  gregset_t at_vmcall;
  int hypercalls, swapgs;
  void (*reply)(struct pt_regs *regs);
  u64 eax;
} host;

static u64 stack_top(void) { return (u64)&host.kernel_stack[512] & ~UINT64_C(15); }

void entry64_test_trap_aligned(int signal, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  u64 offset = (u64)uc->uc_mcontext.gregs[REG_RIP] - 1 - (u64)host.stub;
  struct rom_entry64_table t = table();
  (void)signal, (void)info;
  if (offset >= rom_entry64_size)
    abort();
  for (int i = 0; i < KIND_COUNT; i++)
    if (t.vmcall[i] == offset) {
      struct pt_regs *regs = (struct pt_regs *)uc->uc_mcontext.gregs[REG_RDI];
      host.hypercalls++;
      memcpy(host.at_vmcall, uc->uc_mcontext.gregs, sizeof host.at_vmcall);
      host.regs = *regs;
      host.reply(regs);
      uc->uc_mcontext.gregs[REG_RAX] = (greg_t)host.eax;
      return;
    }
  host.swapgs++;
}

static void patch(u32 offset, const char *from, const char *to, size_t n) {
  ck_assert_mem_eq(host.stub + offset, from, n);
  memcpy(host.stub + offset, to, n);
}

/* SWAPGS and VMCALL become INT3, SYSRET becomes JMP *%rcx; IRETQ works between equal levels. */
static void prepare(void) {
  struct rom_entry64_table t = table();
  host.stub = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(host.stub, MAP_FAILED);
  memcpy(host.stub, rom_entry64, rom_entry64_size);
  int found = 0;
  for (u32 i = sizeof t; i + 3 <= rom_entry64_size; i++)
    if (!memcmp(host.stub + i, "\x0f\x01\xf8", 3))
      patch(i, "\x0f\x01\xf8", "\xcc\x90\x90", 3), found++;
  ck_assert_int_eq(found, 9);
  for (int i = 0; i < KIND_COUNT; i++)
    patch(t.vmcall[i], "\x0f\x01\xc1", "\xcc\x90\x90", 3);
  patch(t.sysretq, "\x48\x0f\x07", "\xff\xe1\x90", 3);
  patch(t.sysretl, "\x0f\x07", "\xff\xe1", 2);

  host.percpu[PERCPU_STACK_TOP / 8] = stack_top();
  ck_assert_int_eq(syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, host.percpu), 0);
  static u8 alternate[65536];
  stack_t ss = {.ss_sp = alternate, .ss_size = sizeof alternate};
  ck_assert_int_eq(sigaltstack(&ss, NULL), 0);
  struct sigaction sa = {.sa_sigaction = entry64_test_trap, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  ck_assert_int_eq(sigaction(SIGTRAP, &sa, NULL), 0);
}

/* Recognisable 64-bit values everywhere. */
static void fill(struct pt_regs *r, u64 seed) {
  u64 *word = (u64 *)r;
  for (u64 i = 0; i <= offsetof(struct pt_regs, di) / 8; i++)
    word[i] = seed << 56 | (i + 1) << 40 | (0x80000000 + i);
}

static u64 user_sp(void) { return (u64)&host.user_stack[32]; }
static u64 back(void) { return (u64)entry64_test_back; }

static struct pt_regs user_frame(void) {
  struct pt_regs r = {0};
  fill(&r, 0xa1);
  r.sp = user_sp();
  r.flags = FLAG_IF | 2;
  r.ip = back();
  r.cs = SEL_USER_CS;
  r.ss = SEL_USER_DS;
  return r;
}

/* Enter the stub at `offset` with these registers; -> the registers on the way back. */
static struct pt_regs run(u32 offset, struct pt_regs r, void (*reply)(struct pt_regs *), u64 eax) {
  host.reply = reply;
  host.eax = eax;
  r.ip = (u64)host.stub + offset;
  entry64_test_state = r;
  entry64_test_run();
  ck_assert_int_eq(host.hypercalls, 1);
  return entry64_test_state;
}

static void nothing(struct pt_regs *regs) { (void)regs; }
static void set_result(struct pt_regs *regs) { regs->ax = 0xfedcba9876543210; }

/* A signal handler's or another program's state instead of the caller's. */
static void replace_all(struct pt_regs *regs) {
  fill(regs, 0xb2);
  regs->ip = back();
  regs->cs = SEL_USER_CS;
  regs->ss = SEL_USER_DS;
  regs->sp = user_sp() - 64;
  regs->flags = FLAG_IF | FLAG_CF | 2;
}

static void expect_gprs(const struct pt_regs *got, const struct pt_regs *want) {
  ck_assert_mem_eq(got, want, offsetof(struct pt_regs, orig_ax));
}

static void expect_replaced(const struct pt_regs *got) {
  struct pt_regs want;
  replace_all(&want);
  expect_gprs(got, &want);
  ck_assert_uint_eq(got->sp, want.sp);
  ck_assert_uint_eq(got->flags & FLAG_CF, FLAG_CF);
}

static void expect_frame(const struct pt_regs *want) {
  expect_gprs(&host.regs, want);
  ck_assert_uint_eq(host.regs.orig_ax, want->orig_ax);
  ck_assert_uint_eq(host.regs.ip, want->ip);
  ck_assert_uint_eq(host.regs.cs, want->cs);
  ck_assert_uint_eq(host.regs.flags, want->flags);
  ck_assert_uint_eq(host.regs.sp, want->sp);
  ck_assert_uint_eq(host.regs.ss, want->ss);
}

/* The hypercall's arguments, and every other register cleared. */
static void expect_hypercall(u64 kind, u64 vector) {
  static const int cleared[] = {REG_RBX, REG_RCX, REG_RBP, REG_R8,  REG_R9, REG_R10,
                                REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  const greg_t *g = host.at_vmcall;
  ck_assert_uint_eq((u64)g[REG_RIP] - 1, (u64)host.stub + table().vmcall[kind]);
  ck_assert_uint_eq((u64)g[REG_RSI], kind);
  ck_assert_uint_eq((u64)g[REG_RDX], vector);
  ck_assert_uint_eq((u64)g[REG_RDI], (u64)g[REG_RSP]);
  for (size_t i = 0; i < ARRAY_SIZE(cleared); i++)
    ck_assert_uint_eq((u64)g[cleared[i]], 0);
}

/* SYSCALL leaves the return address in RCX and the flags in R11. */
static struct pt_regs syscall64_entry(void) {
  struct pt_regs r = user_frame();
  r.cx = back();
  r.r11 = r.flags;
  return r;
}

START_TEST(syscall64_returns_by_sysret) {
  prepare();
  struct pt_regs in = syscall64_entry(), want = in;
  struct pt_regs out = run(table().syscall64, in, set_result, RETURN_SYSRET);
  want.orig_ax = in.ax;
  want.ax = (u64)-38;
  expect_frame(&want);
  expect_hypercall(KIND_SYSCALL64, 0);
  ck_assert_uint_eq((u64)host.at_vmcall[REG_RSP], stack_top() - sizeof(struct pt_regs));
  want.ax = 0xfedcba9876543210;
  expect_gprs(&out, &want);
  ck_assert_uint_eq(out.sp, in.sp);
  ck_assert_int_eq(host.swapgs, 2);
}
END_TEST

START_TEST(syscall64_returns_by_iret_with_every_register_changed) {
  prepare();
  struct pt_regs out = run(table().syscall64, syscall64_entry(), replace_all, RETURN_IRET);
  expect_replaced(&out);
  ck_assert_int_eq(host.swapgs, 2);
}
END_TEST

START_TEST(syscall32_takes_argument_2_from_ebp) {
  prepare();
  struct pt_regs in = syscall64_entry(), want = in;
  struct pt_regs out = run(table().syscall32, in, replace_all, RETURN_IRET);
  want.orig_ax = (u32)in.ax;
  want.ax = (u64)-38;
  want.cs = SEL_USER32_CS;
  want.cx = in.bp;
  want.r8 = want.sp = (u32)in.sp;
  expect_frame(&want);
  expect_hypercall(KIND_SYSCALL32, 0);
  expect_replaced(&out);
  ck_assert_int_eq(host.swapgs, 2);
}
END_TEST

static void land(struct pt_regs *regs) {
  regs->ax = (u64)-14;
  regs->ip = back();
  regs->sp = user_sp();
}

static void expect_sysretl(const struct pt_regs *in, const struct pt_regs *out) {
  struct pt_regs want = *in;
  want.ax = (u64)-14;
  want.cx = back();
  want.r11 = host.regs.flags;
  want.r8 = want.r9 = want.r10 = want.r12 = want.r13 = want.r14 = want.r15 = 0;
  expect_gprs(out, &want);
  ck_assert_uint_eq(out->sp, user_sp());
  ck_assert_int_eq(host.swapgs, 2);
}

START_TEST(syscall32_returns_by_sysretl) {
  prepare();
  struct pt_regs in = syscall64_entry(), out = run(table().syscall32, in, land, RETURN_SYSRET);
  expect_sysretl(&in, &out);
}
END_TEST

START_TEST(sysenter32_returns_by_sysretl) {
  prepare();
  struct pt_regs in = user_frame(), want = in;
  in.sp = stack_top() - 2048;
  struct pt_regs out = run(table().sysenter32, in, land, RETURN_SYSRET);
  want.orig_ax = (u32)in.ax;
  want.ax = (u64)-38;
  want.ip = want.sp = 0;
  want.cs = SEL_USER32_CS;
  expect_frame(&want);
  expect_hypercall(KIND_SYSENTER32, 0);
  expect_sysretl(&in, &out);
}
END_TEST

/* With NT set, IRETQ is #GP; with AC set, this machine would check alignment too. */
START_TEST(sysenter32_saves_and_clears_nt_and_ac) {
  static const u64 bad[] = {FLAG_NT, FLAG_AC, FLAG_NT | FLAG_AC};
  prepare();
  struct pt_regs in = user_frame();
  in.flags |= bad[_i] | FLAG_CF;
  struct pt_regs out = run(table().sysenter32, in, replace_all, RETURN_IRET);
  ck_assert_uint_eq(host.regs.flags, in.flags);
  ck_assert_uint_eq((u64)host.at_vmcall[REG_EFL] & (FLAG_NT | FLAG_AC), 0);
  expect_replaced(&out);
}
END_TEST

/* What the processor pushes, and the error code if any; -> the registers to enter with. */
static struct pt_regs interrupted(struct pt_regs *frame, bool has_error, u64 error) {
  u64 *top = (u64 *)stack_top();
  *--top = frame->ss;
  *--top = frame->sp;
  *--top = frame->flags;
  *--top = frame->cs;
  *--top = frame->ip;
  if (has_error)
    *--top = error;
  struct pt_regs in = *frame;
  in.sp = (u64)top;
  return in;
}

START_TEST(int80_keeps_every_register_but_rax) {
  prepare();
  struct pt_regs frame = user_frame(), in = interrupted(&frame, false, 0);
  struct pt_regs out = run(table().int80, in, set_result, _i ? RETURN_SYSRET : RETURN_IRET);
  struct pt_regs want = frame;
  want.orig_ax = (u32)frame.ax;
  want.ax = (u64)-38;
  expect_frame(&want);
  expect_hypercall(KIND_INT80, 0);
  want.ax = 0xfedcba9876543210;
  expect_gprs(&out, &want);
  ck_assert_uint_eq(out.sp, frame.sp);
  ck_assert_int_eq(host.swapgs, 2);
}
END_TEST

/* SDM 3A table 6-1: #DF #TS #NP #SS #GP #PF #AC #CP; APM 2 table 8-1: #VC #SX. */
static bool has_error_code(int vector) {
  return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 ||
         vector == 30;
}

START_TEST(exception_from_ring_3) {
  prepare();
  struct pt_regs frame = user_frame(), want = frame;
  struct pt_regs in = interrupted(&frame, has_error_code(_i), 0x1234);
  struct pt_regs out = run(table().exception[_i], in, nothing, 0);
  want.orig_ax = has_error_code(_i) ? 0x1234 : UINT64_MAX;
  expect_frame(&want);
  expect_hypercall(KIND_EXCEPTION, (u64)_i);
  expect_gprs(&out, &frame);
  ck_assert_uint_eq(out.sp, frame.sp);
  ck_assert_int_eq(host.swapgs, 2);
}
END_TEST

START_TEST(exception_changed_into_a_signal_handler) {
  prepare();
  struct pt_regs frame = user_frame(), in = interrupted(&frame, true, 4);
  struct pt_regs out = run(table().exception[14], in, replace_all, RETURN_SYSRET);
  expect_replaced(&out);
}
END_TEST

/* The host of this test cannot be in ring 0, so it answers with a frame for ring 3. */
START_TEST(exception_from_ring_0_leaves_gs_alone) {
  prepare();
  struct pt_regs frame = user_frame();
  frame.cs = SEL_KERNEL_CS;
  frame.ip = (u64)host.stub + table().sysenter32;
  struct pt_regs want = frame, in = interrupted(&frame, has_error_code(_i), 0x1234);
  struct pt_regs out = run(table().exception[_i], in, replace_all, 0);
  want.orig_ax = has_error_code(_i) ? 0x1234 : UINT64_MAX;
  expect_frame(&want);
  expect_hypercall(KIND_KERNEL_FAULT, (u64)_i);
  expect_replaced(&out);
  ck_assert_int_eq(host.swapgs, 0);
}
END_TEST

START_TEST(failed_iret_is_reported_at_the_place_returned_to) {
  prepare();
  struct pt_regs target = user_frame(), want = target;
  target.cs = 0x57; /* no code segment */
  target.ip = 0x400000;
  u64 iret_frame[5] = {target.ip, target.cs, target.flags, target.sp, target.ss};
  struct pt_regs fault = target;
  fault.cs = SEL_KERNEL_CS;
  fault.ip = (u64)host.stub + table().iretq;
  fault.sp = (u64)iret_frame;
  fault.ss = 0;
  struct pt_regs in = interrupted(&fault, true, 0x54);
  struct pt_regs out = run(table().exception[13], in, replace_all, 0);
  want = target;
  want.orig_ax = 0x54;
  expect_frame(&want);
  expect_hypercall(KIND_EXCEPTION, 13);
  expect_replaced(&out);
  ck_assert_int_eq(host.swapgs, 2);
}
END_TEST
#endif

Suite *suite_entry64(void);
Suite *suite_entry64(void) {
  Suite *s = suite_create("entry64");
  TCase *t = tcase_create("image");
  tcase_add_test(t, table_points_at_the_instructions);
  suite_add_tcase(s, t);
#ifdef __x86_64__
  t = tcase_create("native");
  tcase_add_test(t, syscall64_returns_by_sysret);
  tcase_add_test(t, syscall64_returns_by_iret_with_every_register_changed);
  tcase_add_test(t, syscall32_takes_argument_2_from_ebp);
  tcase_add_test(t, syscall32_returns_by_sysretl);
  tcase_add_test(t, sysenter32_returns_by_sysretl);
  tcase_add_loop_test(t, sysenter32_saves_and_clears_nt_and_ac, 0, 3);
  tcase_add_loop_test(t, int80_keeps_every_register_but_rax, 0, 2);
  tcase_add_loop_test(t, exception_from_ring_3, 0, LINUX_EXCEPTIONS);
  tcase_add_test(t, exception_changed_into_a_signal_handler);
  tcase_add_loop_test(t, exception_from_ring_0_leaves_gs_alone, 0, LINUX_EXCEPTIONS);
  tcase_add_test(t, failed_iret_is_reported_at_the_place_returned_to);
  suite_add_tcase(s, t);
#endif
  return s;
}
