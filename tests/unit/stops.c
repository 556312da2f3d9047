/* Where a debugger stops a processor (cpu/stops.h): that none is missed, none comes early or twice, and that the guest and
 * code elsewhere are left alone. Not architecture: the contracts are the header's. */
#include "cpu/stops.h"

#include <pthread.h>
#include <sched.h>

#include "tests/unit/machine.h"

static void stops(struct machine *m, const u64 *code, unsigned codes, const struct stop_range *data, unsigned ranges) {
  ck_assert_int_eq(stops_set(m->vm, code, codes, data, ranges), 0);
}
#define CODE_STOPS(m, ...) stops((m), (const u64[]){__VA_ARGS__}, sizeof((const u64[]){__VA_ARGS__}) / 8, NULL, 0)
#define DATA_STOP(m, at, n, how) stops((m), NULL, 0, &(const struct stop_range){(at), (n), (how)}, 1)

static void expect_stop(struct machine *m, enum cpu_stopped why, u64 rip) {
  stops_pass(m->cpu);
  ck_assert_int_eq(cpu_run(m->cpu, 0), CPU_EXIT_DEBUG);
  ck_assert_int_eq(m->cpu->stopped, why);
  ck_assert_uint_eq(m->cpu->rip, rip);
}
static void expect_halt(struct machine *m) {
  stops_pass(m->cpu);
  ck_assert_int_eq(cpu_run(m->cpu, 0), CPU_EXIT_HALT);
}

/* mov $5, %ecx; 1: mov %ecx, (%rbx); dec %ecx; jnz 1b; hlt */
#define LOOP "\xb9\x05\0\0\0\x89\x0b\xff\xc9\x75\xfa\xf4"

START_TEST(each_pass_of_a_loop_stops_once) {
  static const enum machine_mode modes[] = {LEGACY32, LONG64};
  struct machine m = m_new(VENDOR_INTEL, modes[_i], 0);
  m_code(&m, LOOP);
  m.cpu->gpr[RBX] = DATA;
  CODE_STOPS(&m, CODE + 7);
  for (unsigned k = 5; k > 0; k--) {
    expect_stop(&m, CPU_STOPPED_CODE, CODE + 7);
    ck_assert_uint_eq(m.cpu->gpr[RCX], k);
  }
  expect_halt(&m);
  ck_assert_uint_eq(cpu_icount(m.cpu), 1 + 3 * 5 + 1);
  m_free(&m);
}
END_TEST

/* The block was decoded, and linked to itself, before the stop was set; and is so again afterwards. */
START_TEST(stops_reach_code_that_has_run) {
  struct machine m = m_new(VENDOR_INTEL, LONG64, 0);
  m_code(&m, LOOP);
  m.cpu->gpr[RBX] = DATA;
  ck_assert_int_eq(cpu_run(m.cpu, 4), CPU_EXIT_BUDGET);
  CODE_STOPS(&m, CODE + 9, CODE + 11);
  expect_stop(&m, CPU_STOPPED_CODE, CODE + 9);
  stops(&m, NULL, 0, NULL, 0);
  ck_assert_ptr_null(m.vm->stops);
  expect_halt(&m);
  m_free(&m);
}
END_TEST

START_TEST(neighbours_stop_each) {
  struct machine m = m_new(VENDOR_INTEL, LONG64, 0);
  m_code(&m, "\x90\x90\x90\xf4");
  CODE_STOPS(&m, CODE + 2, CODE, CODE + 1, CODE + 1, CODE + 3);
  ck_assert_uint_eq(m.vm->stops->codes, 4);
  ck_assert_int_eq(cpu_run(m.cpu, 0), CPU_EXIT_DEBUG); /* not passed: stops where it is */
  ck_assert_uint_eq(cpu_icount(m.cpu), 0);
  for (u64 at = CODE + 1; at < CODE + 4; at++) expect_stop(&m, CPU_STOPPED_CODE, at);
  expect_halt(&m);
  m_free(&m);
}
END_TEST

START_TEST(the_guest_sees_its_own_bytes) {
  struct machine m = m_new(VENDOR_INTEL, LONG64, 0);
  m_code(&m, "\x8a\x03\x90\xf4"); /* mov (%rbx), %al; nop; hlt */
  m.cpu->gpr[RBX] = CODE + 2;
  CODE_STOPS(&m, CODE + 2);
  expect_stop(&m, CPU_STOPPED_CODE, CODE + 2);
  ck_assert_uint_eq(m.cpu->gpr[RAX] & 0xff, 0x90);
  ck_assert_uint_eq(m.cpu->dr[7] & 0xff, 0);
  m_free(&m);
}
END_TEST

/* The instruction faults, its handler mends that and returns: it has not been come to anew. */
START_TEST(a_mended_fault_does_not_stop_again) {
  struct machine m = m_new(VENDOR_INTEL, LONG64, 0);
  u64 pte = PT + (ABSENT_PAGE >> PAGE_SHIFT) * 8;
  m_code(&m, "\x89\x03\xf4"); /* mov %eax, (%rbx); hlt */
  /* orb $3, pte; add $8, %rsp; iretq */
  u8 handler[] = {0x80, 0x0c, 0x25, (u8)pte, (u8)(pte >> 8), (u8)(pte >> 16), 0, 3, 0x48, 0x83, 0xc4, 8, 0x48, 0xcf};
  m_put(&m, pte, ABSENT_PAGE, 8);
  m_code_at(&m, HANDLER(14), (const char *)handler, sizeof handler);
  m.cpu->gpr[RBX] = ABSENT_PAGE;
  CODE_STOPS(&m, CODE);
  expect_halt(&m);
  ck_assert_uint_eq(m.cpu->cr2, ABSENT_PAGE);
  m_free(&m);
}
END_TEST

/* REP is one instruction: passing it passes all its iterations, in blocks and in steps. */
START_TEST(rep_is_passed_whole) {
  struct machine m = m_new(VENDOR_INTEL, LONG64, 0);
  m_code(&m, "\xf3\xaa\xf4"); /* rep stosb; hlt */
  m.cpu->gpr[RDI] = DATA;
  m.cpu->gpr[RCX] = 6;
  m.cpu->step_request = _i;
  cpu_update_mode(m.cpu);
  CODE_STOPS(&m, CODE);
  expect_halt(&m);
  ck_assert_uint_eq(m.cpu->gpr[RCX], 0);
  m_free(&m);
}
END_TEST

START_TEST(limits_and_stops_go_together) {
  struct machine m = m_new(VENDOR_INTEL, LONG64, 0);
  m_code(&m, "\x90\x90\x90\x90\xf4");
  CODE_STOPS(&m, CODE + 2);
  ck_assert_int_eq(cpu_run(m.cpu, 2), CPU_EXIT_BUDGET);
  ck_assert_uint_eq(m.cpu->rip, CODE + 2);
  ck_assert_int_eq(cpu_run(m.cpu, 1), CPU_EXIT_DEBUG);
  stops_pass(m.cpu);
  ck_assert_int_eq(cpu_run(m.cpu, 1), CPU_EXIT_BUDGET);
  ck_assert_uint_eq(m.cpu->rip, CODE + 3);
  m_free(&m);
}
END_TEST

START_TEST(memory_stops_behind_the_access) {
  static const struct { u8 how; u64 first; u64 rip; bool write; } cases[] = {
      {STOP_ON_WRITE, DATA, CODE + 7, true},
      {STOP_ON_READ, DATA, CODE + 5, false},
      {STOP_ON_READ | STOP_ON_WRITE, DATA + 3, CODE + 5, false},
  };
  for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
    struct machine m = m_new(VENDOR_INTEL, LONG64, 0);
    m_code(&m, "\x90\x90\x90\x8b\x03\x89\x03\x90\xf4"); /* nops; mov (%rbx), %eax; mov %eax, (%rbx); nop; hlt */
    m.cpu->gpr[RBX] = DATA;
    DATA_STOP(&m, cases[k].first, 1, cases[k].how);
    expect_stop(&m, CPU_STOPPED_DATA, cases[k].rip);
    ck_assert_uint_eq(m.cpu->stop_access.la, DATA);
    ck_assert_uint_eq(m.cpu->stop_access.n, 4);
    ck_assert_int_eq(m.cpu->stop_access.write, cases[k].write);
    if (cases[k].how == (STOP_ON_READ | STOP_ON_WRITE)) expect_stop(&m, CPU_STOPPED_DATA, CODE + 7);
    expect_halt(&m);
    m_free(&m);
  }
}
END_TEST

/* Other bytes of the page, before and behind, do not stop; the page's translation is never cached. */
START_TEST(neighbours_in_the_page_do_not_stop) {
  struct machine m = m_new(VENDOR_INTEL, LONG64, 0);
  m_code(&m, "\x89\x03\x89\x43\x08\xf4"); /* mov %eax, (%rbx); mov %eax, 8(%rbx); hlt */
  m.cpu->gpr[RBX] = DATA;
  DATA_STOP(&m, DATA + 4, 4, STOP_ON_READ | STOP_ON_WRITE);
  expect_halt(&m);
  m_free(&m);
}
END_TEST

/* An instruction that reads a watched byte and then faults has not happened. */
START_TEST(a_faulting_access_does_not_stop) {
  struct machine m = m_new(VENDOR_INTEL, LONG64, 0);
  m_code(&m, "\xff\x33"); /* push (%rbx), of which the push faults */
  m.cpu->gpr[RBX] = DATA;
  m.cpu->gpr[RSP] = ABSENT_PAGE + 0x800;
  m_gate(&m, 14, 0xe, 0, K64_CS, HANDLER(14), 1);
  DATA_STOP(&m, DATA, 8, STOP_ON_READ);
  expect_halt(&m);
  ck_assert_uint_eq(m.cpu->rip, HANDLER(14) + 1);
  m_free(&m);
}
END_TEST

/* A frame that is pushed, and the processor's own write of an accessed bit. */
START_TEST(deliveries_and_descriptors_stop) {
  struct machine m = m_new(VENDOR_INTEL, LONG64, 3);
  m_code(&m, "\xcd\x80");
  DATA_STOP(&m, KSTACK - 16, 8, STOP_ON_WRITE);
  expect_stop(&m, CPU_STOPPED_DATA, HANDLER(0x80));
  ck_assert_uint_eq(m.cpu->cpl, 0);
  m_free(&m);
  m = m_new(VENDOR_INTEL, LONG64, 0);
  m_code(&m, "\x8e\xd8\xf4"); /* mov %eax, %ds; hlt */
  m.cpu->gpr[RAX] = K_DS;
  m_put(&m, GDT + K_DS + 5, 0x92, 1); /* not accessed */
  DATA_STOP(&m, GDT + K_DS + 5, 1, STOP_ON_WRITE);
  expect_stop(&m, CPU_STOPPED_DATA, CODE + 2);
  ck_assert_uint_eq(m_get(&m, GDT + K_DS + 5, 1), 0x93);
  m_free(&m);
}
END_TEST

START_TEST(changes_of_mode_stop) {
  struct machine m = m_new(VENDOR_INTEL, LEGACY32, 0);
  m_code(&m, "\x90\x0f\x22\xc0\xf4"); /* nop; mov %eax, %cr0; hlt */
  m.cpu->gpr[RAX] = m.cpu->cr0 & ~(u64)CR0_PE & ~CR0_PG;
  stops_on_mode(m.cpu, true);
  expect_stop(&m, CPU_STOPPED_MODE, CODE + 4);
  m_free(&m);
}
END_TEST

/* #AC on the misaligned stack of a handler in ring 3, while #AC is delivered to it, for ever (CVE-2015-5307): the run ends at
 * its limit, or when it is asked to, with the state before. */
static void *ask_to_stop(void *cpu) {
  for (unsigned k = 0; k < 1000; k++) sched_yield();
  cpu_stop(cpu);
  return NULL;
}
START_TEST(a_run_ends_though_a_delivery_does_not) {
  struct machine m = m_new(VENDOR_INTEL, LEGACY32, 3);
  pthread_t t;
  m_code(&m, "\x8b\x03"); /* mov (%ebx), %eax */
  m_gate(&m, 17, 0xe, 3, U32_CS, HANDLER(17), 0);
  m.cpu->gpr[RBX] = DATA + 1;
  m.cpu->gpr[RSP] = USTACK - 1;
  m.cpu->cr0 |= CR0_AM;
  m.cpu->eflags |= EF_AC;
  cpu_update_mode(m.cpu);
  ck_assert_int_eq(cpu_run(m.cpu, 100), CPU_EXIT_BUDGET);
  ck_assert_uint_eq(m.cpu->rip, CODE);
  ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK - 1);
  ck_assert_int_eq(pthread_create(&t, NULL, ask_to_stop, m.cpu), 0);
  ck_assert_int_eq(cpu_run(m.cpu, 0), CPU_EXIT_STOP);
  pthread_join(t, NULL);
  ck_assert_uint_eq(m.cpu->rip, CODE);
  m.cpu->gpr[RBX] = DATA;
  ck_assert_int_eq(cpu_run(m.cpu, 1), CPU_EXIT_BUDGET);
  ck_assert_uint_eq(m.cpu->rip, CODE + 2);
  m_free(&m);
}
END_TEST

Suite *suite_stops(void);
Suite *suite_stops(void) {
  Suite *s = suite_create("stops");
  TCase *t = tcase_create("stops");
  tcase_add_loop_test(t, each_pass_of_a_loop_stops_once, 0, 2);
  tcase_add_test(t, stops_reach_code_that_has_run);
  tcase_add_test(t, neighbours_stop_each);
  tcase_add_test(t, the_guest_sees_its_own_bytes);
  tcase_add_test(t, a_mended_fault_does_not_stop_again);
  tcase_add_loop_test(t, rep_is_passed_whole, 0, 2);
  tcase_add_test(t, limits_and_stops_go_together);
  tcase_add_test(t, memory_stops_behind_the_access);
  tcase_add_test(t, neighbours_in_the_page_do_not_stop);
  tcase_add_test(t, a_faulting_access_does_not_stop);
  tcase_add_test(t, deliveries_and_descriptors_stop);
  tcase_add_test(t, changes_of_mode_stop);
  tcase_add_test(t, a_run_ends_though_a_delivery_does_not);
  suite_add_tcase(s, t);
  return s;
}
