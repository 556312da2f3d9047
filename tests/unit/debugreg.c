/* Breakpoints in code that runs in blocks: that none is missed, none comes early or twice, and that code
 * away from them is left alone. What each matches is in tests/vec/debug.vec. SDM 3B 17.2 (Debug Registers),
 * 17.3.1 (Debug Exception (#DB)). */
#include "cpu/debugreg.h"
#include "tests/unit/machine.h"

enum { WRITES = 1, DATA_RW = 3, PORTS = 2, LEN1 = 0, LEN4 = 3 };

static void breakpoint(struct machine *m, unsigned n, u64 at, unsigned rw, unsigned len) {
  m->cpu->dr[n] = at;
  m->cpu->dr[7] |= UINT64_C(1) << 2 * n | (u64)(rw | len << 2) << (16 + 4 * n);
  cpu_update_mode(m->cpu);
}

struct hits {
  unsigned n;
  u64 rip[64], dr6[64], rcx[64];
  u32 flags[64];
};
static void on_transition(void *watcher, struct cpu *cpu, const struct transition *t) {
  struct hits *h = watcher;
  if (t->kind != TR_EXCEPTION || t->vector != VEC_DB || h->n == 64) return;
  h->rip[h->n] = t->from.rip;
  h->flags[h->n] = t->from.rflags;
  h->dr6[h->n] = cpu->dr[6];
  h->rcx[h->n++] = cpu->gpr[RCX];
}

/* A handler of #DB that returns, with RF set in the image: SDM 3B 17.3.1.1. */
static struct machine counting(int vendor, enum machine_mode mode, unsigned cpl, struct hits *h) {
  struct machine m = m_new(vendor ? VENDOR_AMD : VENDOR_INTEL, mode, cpl);
  h->n = 0;
  m.vm->hooks.watcher = h;
  m.vm->hooks.transition = on_transition;
  if (mode == LEGACY32) m_code_at(&m, HANDLER(1), "\x80\x4c\x24\x0a\x01\xcf", 6); /* orb $1, 10(%esp); iret */
  else m_code_at(&m, HANDLER(1), "\x80\x4c\x24\x12\x01\x48\xcf", 7); /* orb $1, 18(%rsp); iretq */
  return m;
}

/* #DB came as often as there are addresses, with each as RIP. */
#define EXPECT_HITS(h, ...) \
  expect_hits((h), (const u64[]){__VA_ARGS__}, sizeof((const u64[]){__VA_ARGS__}) / sizeof(u64))
static void expect_hits(const struct hits *h, const u64 *rip, size_t n) {
  ck_assert_uint_eq(h->n, n);
  for (size_t k = 0; k < n; k++) ck_assert_uint_eq(h->rip[k], rip[k]);
}

static void run_to_halt(struct machine *m) {
  m->cpu->cpl == 0 ? (void)0 : ck_abort_msg("HLT needs ring 0");
  ck_assert_int_eq(cpu_run(m->cpu, 100000), CPU_EXIT_HALT);
  m->cpu->halted = false;
}

/* mov $100, %ecx; 1: mov %ecx, (%rbx,%rcx,4); dec %ecx; jnz 1b; hlt */
#define LOOP "\xb9\x64\0\0\0\x89\x0c\x8b\xff\xc9\x75\xf9"

START_TEST(a_write_in_a_loop) {
  static const enum machine_mode modes[] = {LEGACY32, LONG64};
  for (unsigned k = 0; k < ARRAY_SIZE(modes); k++) {
    struct hits h;
    struct machine m = counting(_i, modes[k], 0, &h);
    m_code(&m, LOOP);
    m.cpu->gpr[RBX] = DATA;
    run_to_halt(&m); /* everything is decoded and translated before the breakpoint is there */
    ck_assert_uint_eq(h.n, 0);
    breakpoint(&m, 2, DATA + 4 * 40 + 3, WRITES, LEN1);
    ck_assert_uint_eq(m.cpu->mode & MODE_STEP, 0);
    m.cpu->rip = CODE;
    u64 before = cpu_icount(m.cpu);
    run_to_halt(&m);
    EXPECT_HITS(&h, CODE + 8);
    ck_assert_uint_eq(h.rcx[0], 40);
    ck_assert_uint_eq(h.dr6[0] & 0xf, 4);
    ck_assert_uint_eq(cpu_icount(m.cpu) - before, 1 + 300 + 1 + 2); /* each once, and the handler's two */
    ck_assert_uint_eq(m.cpu->mode & MODE_STEP, 0);
    m_free(&m);
  }
}
END_TEST

/* Switched off, and moved elsewhere by MOV to debug registers. */
START_TEST(moved_and_switched_off) {
  struct hits h;
  struct machine m = counting(_i, LONG64, 0, &h);
  m_code(&m, "\x0f\x23\xc0"     /* mov %rax, %dr0 */
             "\x0f\x23\xfa"     /* mov %rdx, %dr7 */
             "\xff\x03"         /* incl (%rbx) */
             "\x0f\x23\xc3"     /* mov %rbx, %dr0 */
             "\xff\x03\xff\x03" /* incl (%rbx); incl (%rbx) */
             "\x0f\x23\xf9"     /* mov %rcx, %dr7 */
             "\xff\x03");
  m.cpu->gpr[RAX] = DATA + 0x1000;
  m.cpu->gpr[RBX] = DATA;
  m.cpu->gpr[RDX] = 0x401 | 1 << 16;
  m.cpu->gpr[RCX] = 0x400;
  run_to_halt(&m);
  EXPECT_HITS(&h, CODE + 13, CODE + 15);
  ck_assert_uint_eq(m_get(&m, DATA, 4), 4);
  m_free(&m);
}
END_TEST

/* Every way to memory: LOCK, pushes, SSE, x87, strings, far calls, ENTER. All write at DATA + 64 or below
 * it. */
START_TEST(every_way_to_write) {
  static const struct {
    const char *code;
    u8 len, next;
  } ways[] = {
      {"\xf0\x01\x03", 3, 3},             /* lock add %eax, (%rbx) */
      {"\xf0\x0f\xc1\x03", 4, 4},         /* lock xadd */
      {"\x87\x03", 2, 2},                 /* xchg */
      {"\x0f\x11\x03", 3, 3},             /* movups %xmm0, (%rbx) */
      {"\x66\x0f\xd6\x03", 4, 4},         /* movq %xmm0, (%rbx) */
      {"\xd9\x3b", 2, 2},                 /* fnstcw */
      {"\xdb\xe3\xd9\xee\xdb\x3b", 6, 6}, /* fninit; fldz; fstpt */
      {"\x0f\xae\x03", 3, 3},             /* fxsave */
      {"\x0f\xba\x2b\x03", 4, 4},         /* btsl $3 */
      {"\x8c\x1b", 2, 2},                 /* mov %ds, (%rbx) */
      {"\x0f\x01\x03", 3, 3},             /* sgdt */
      {"\x89\xdf\xaa", 3, 3},             /* mov %ebx, %edi; stosb */
      {"\x48\x8d\x63\x08\x50", 5, 5},     /* lea 8(%rbx), %rsp; push %rax */
      {"\x48\x8d\x63\x08\x9c", 5, 5},     /* pushf */
      {"\x48\x8d\x63\x08\xe8\0\0\0\0", 9, 9}, /* call */
      {"\x48\x8d\x63\x08\xc8\x00\x00\x00", 8, 8}, /* enter */
  };
  for (unsigned k = 0; k < ARRAY_SIZE(ways); k++) {
    struct hits h;
    struct machine m = counting(_i, LONG64, 0, &h);
    m_put(&m, IDT + 16 + 4, 0x8e01, 2); /* #DB on IST 1, away from the stack in use */
    m.cpu->gpr[RBX] = DATA + 64;
    m.cpu->gpr[RSP] = KSTACK - 0x800;
    m_code_at(&m, CODE, ways[k].code, ways[k].len);
    m_code_at(&m, CODE + ways[k].len, "\x90\xf4", 2);
    breakpoint(&m, 0, DATA + 64, WRITES, LEN1);
    run_to_halt(&m);
    ck_assert_msg(h.n == 1, "way %u: %u hits", k, h.n);
    ck_assert_msg(h.rip[0] == CODE + (u64)ways[k].next, "way %u: rip %lx", k, (unsigned long)h.rip[0]);
    m_free(&m);
  }
}
END_TEST

/* rep movsb over a watched byte, read and written: each traps behind its iteration, with RF in the image. */
START_TEST(repetitions) {
  struct hits h;
  struct machine m = counting(_i, LONG64, 0, &h);
  m_code(&m, "\xf3\xa4");
  m.cpu->gpr[RSI] = DATA + 0x1000 - 8;
  m.cpu->gpr[RDI] = DATA + 0x3000;
  m.cpu->gpr[RCX] = 0x900;
  for (unsigned k = 0; k < 0x900; k++) m_put(&m, DATA + 0x1000 - 8 + k, k & 0xff, 1);
  breakpoint(&m, 0, DATA + 0x1000 + 5, DATA_RW, LEN1); /* read as byte 13 */
  breakpoint(&m, 1, DATA + 0x3000 + 0x700, WRITES, LEN1);
  run_to_halt(&m);
  ck_assert_uint_eq(h.n, 2);
  ck_assert_uint_eq(h.rcx[0], 0x900 - 14);
  ck_assert_uint_eq(h.rcx[1], 0x900 - 0x701);
  ck_assert_uint_eq(h.rip[0], CODE);
  ck_assert_uint_eq(h.dr6[1] & 0xf, 2);
  ck_assert_uint_eq(m.cpu->gpr[RCX], 0);
  for (unsigned k = 0; k < 0x900; k++) ck_assert_uint_eq(m_get(&m, DATA + 0x3000 + k, 1), k & 0xff);
  m_free(&m);
}
END_TEST

START_TEST(instruction_breakpoint_in_a_loop) {
  struct hits h;
  struct machine m = counting(_i, LEGACY32, 0, &h);
  m_code(&m, LOOP);
  m.cpu->gpr[RBX] = DATA;
  run_to_halt(&m);
  breakpoint(&m, 3, CODE + 8, 0, 0);
  m.cpu->rip = CODE;
  u64 before = cpu_icount(m.cpu);
  ck_assert_int_eq(cpu_run(m.cpu, 1 + 3 * 50 + 2 * 50), CPU_EXIT_BUDGET);
  ck_assert_uint_eq(h.n, 50);
  for (unsigned k = 0; k < 50; k++) {
    ck_assert_uint_eq(h.rip[k], CODE + 8);
    ck_assert_uint_eq(h.rcx[k], 100 - k);
  }
  ck_assert_uint_eq(cpu_icount(m.cpu) - before, 251);
  m_free(&m);
}
END_TEST

/* The frame of INT n, and of an exception, meets the breakpoint: #DB on the handler's first instruction. */
START_TEST(frames) {
  for (unsigned fault = 0; fault < 2; fault++) {
    struct hits h;
    struct machine m = counting(_i, LONG64, 3, &h);
    m_put(&m, IDT + 16 + 4, 0x8e01, 2); /* #DB on IST 1 */
    m_code(&m, "\x90\xcd\x80");
    if (fault) m_code(&m, "\x90\x0f\x0b");
    breakpoint(&m, 0, KSTACK - 40, WRITES, LEN4);
    ck_assert_int_eq(cpu_run(m.cpu, 1000), CPU_EXIT_HALT);
    EXPECT_HITS(&h, fault ? HANDLER(VEC_UD) : HANDLER(0x80));
    ck_assert_uint_eq(m.cpu->rip, (fault ? HANDLER(VEC_UD) : HANDLER(0x80)) + 1);
    m_free(&m);
  }
}
END_TEST

static u32 port_reads(void *opaque, struct cpu *cpu, u16 port, unsigned size) {
  (void)opaque, (void)cpu, (void)port, (void)size;
  return 0x5a;
}

/* rep insb from a watched port: behind each iteration. */
START_TEST(ports) {
  struct hits h;
  struct machine m = counting(_i, LEGACY32, 0, &h);
  m.vm->hooks.in = port_reads;
  m_code(&m, "\xf3\x6c\xec");
  m.cpu->cr4 |= CR4_DE;
  m.cpu->gpr[RDX] = 0x80;
  m.cpu->gpr[RDI] = DATA;
  m.cpu->gpr[RCX] = 3;
  breakpoint(&m, 1, 0x80, PORTS, LEN1);
  run_to_halt(&m);
  EXPECT_HITS(&h, CODE, CODE, CODE + 2, CODE + 3);
  ck_assert_uint_eq(m_get(&m, DATA, 4), 0x5a5a5a);
  m_free(&m);
}
END_TEST

/* A fault in the middle: the instruction has met nothing. Its repetition by the handler's IRET does, once. */
START_TEST(a_fault_comes_first) {
  struct hits h;
  struct machine m = counting(_i, LONG64, 0, &h);
  m_code(&m, "\xa4"); /* movsb: reads the watched byte, writes an absent page */
  m.cpu->gpr[RSI] = DATA;
  m.cpu->gpr[RDI] = ABSENT_PAGE;
  breakpoint(&m, 0, DATA, DATA_RW, LEN1);
  m_expect_vector(&m, VEC_PF);
  ck_assert_uint_eq(h.n, 0);
  ck_assert_uint_eq(m_slot(&m, 1), CODE);
  m_free(&m);
}
END_TEST

/* A segment's base is part of the address, in fetches and data. */
START_TEST(linear_addresses) {
  struct hits h;
  struct machine m = counting(_i, LEGACY32, 0, &h);
  m_code(&m, "\x64\xff\x03\x90"); /* incl %fs:(%ebx); nop */
  m.cpu->seg[FS].base = 0x800;
  m.cpu->gpr[RBX] = DATA;
  breakpoint(&m, 0, DATA + 0x800, WRITES, LEN4);
  breakpoint(&m, 1, DATA, DATA_RW, LEN4);
  run_to_halt(&m);
  EXPECT_HITS(&h, CODE + 3);
  ck_assert_uint_eq(h.dr6[0] & 0xf, 1);
  m_free(&m);
}
END_TEST

/* SDM 3B 17.3.1.5: the T bit's trap comes before the first instruction of a task that an NMI has entered. */
START_TEST(t_bit_of_an_interrupt_task) {
  struct hits h;
  struct machine m = counting(_i, LEGACY32, 0, &h);
  m_task(&m, HANDLER(0x60), KSTACK);
  m_put(&m, TSS2 + TSS_T, 1, 2);
  m_put(&m, IDT + 2 * 8, m_task_gate(0), 8);
  m_code(&m, "\x90");
  breakpoint(&m, 0, DATA, DATA_RW, LEN1);
  cpu_send_nmi(m.cpu);
  ck_assert_int_eq(cpu_run(m.cpu, 1000), CPU_EXIT_HALT);
  EXPECT_HITS(&h, HANDLER(0x60));
  ck_assert_uint_eq(h.dr6[0] & DR6_BT, DR6_BT);
  ck_assert_uint_eq(m.cpu->rip, HANDLER(0x60) + 1);
  ck_assert_uint_eq(m.cpu->debug.any, 0); /* L0 is clear: 17.2.4 */
  m_free(&m);
}
END_TEST

Suite *suite_debugreg(void);
Suite *suite_debugreg(void) {
  const TTest *const tests[] = {
      a_write_in_a_loop, moved_and_switched_off, every_way_to_write, repetitions,
      instruction_breakpoint_in_a_loop, frames, ports, a_fault_comes_first, linear_addresses,
      t_bit_of_an_interrupt_task,
  };
  Suite *s = suite_create("debugreg");
  TCase *t = tcase_create("debugreg");
  for (unsigned k = 0; k < ARRAY_SIZE(tests); k++) tcase_add_loop_test(t, tests[k], 0, 2);
  suite_add_tcase(s, t);
  return s;
}
