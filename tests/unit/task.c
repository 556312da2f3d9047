/* Hardware task switches as a whole: there and back again, the transition record, and what the conformance
 * vectors (tests/vec/task.vec) cannot see. SDM 3A 7.3 (Task Switching), 7.4 (Task Linking), 6.7.1 (Handling
 * Multiple NMIs). */
#include "cpu/check.h"
#include "cpu/record.h"
#include "tests/unit/machine.h"

enum { TASK_GATE = 0x78, CODE2 = 0x68000, STACK2 = 0x6a000, PROBE = 0x6c000 };

static struct machine task_machine(int vendor, unsigned cpl) {
  struct machine m = m_new(vendor ? VENDOR_AMD : VENDOR_INTEL, LEGACY32, cpl);
  m_task(&m, CODE2, STACK2);
  m_put(&m, TSS2 + TSS_EAX, 0x11223344, 4);
  m_put(&m, GDT + TASK_GATE, m_task_gate(3), 8);
  m.cpu->gpr[RAX] = 0x55667788;
  return m;
}

struct seen { /* the last transition */
  struct transition t;
  unsigned count, reads, stores;
  u32 eip_saved;
};

static void on_transition(void *watcher, struct cpu *cpu, const struct transition *t) {
  struct seen *s = watcher;
  s->t = *t;
  s->count++;
  s->reads = s->stores = 0;
  if (!cpu->recorder) return;
  for (unsigned k = 0; k < cpu->recorder->now.n; k++) {
    const struct rec_step *step = &cpu->recorder->now.step[k];
    if (step->kind == REC_TSS) s->reads++;
    if (step->kind == REC_STORE) s->stores++;
    if (step->kind == REC_STORE && !strcmp(step->text, "EIP")) s->eip_saved = (u32)step->a;
  }
}

/* Watches and records the machine, until recorded_free(). */
static struct recorder *recorded(struct machine *m, struct seen *seen) {
  struct recorder *r = calloc(1, sizeof *r);
  ck_assert_ptr_nonnull(r);
  r->invert = -1;
  m->cpu->recorder = r;
  m->vm->hooks.watcher = seen;
  m->vm->hooks.transition = on_transition;
  return r;
}
static void recorded_free(struct machine *m) {
  free(m->cpu->recorder);
  m->cpu->recorder = NULL;
  m_free(m);
}

/* CALL saves, links and enters; the new task's IRET comes back behind the CALL with everything as it was. */
START_TEST(call_and_return) {
  struct machine m = task_machine(_i, 3);
  m_code(&m, "\x9a\0\0\0\0\x73\0\x90"); /* lcall $0x73, $0; nop; hlt */
  m_code_at(&m, CODE2, "\x40\xcf\x42\xcf", 4); /* inc %eax; iret; inc %edx; iret */
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, CODE2);
  ck_assert_uint_eq(m.cpu->gpr[RAX], 0x11223344);
  ck_assert_uint_eq(m.cpu->cpl, 0);
  ck_assert_uint_eq(m.cpu->tr.sel, TSS2_SEL | 3);
  ck_assert_uint_eq(m.cpu->eflags & EF_NT, EF_NT);
  ck_assert_uint_eq(m_get(&m, TSS2 + TSS_LINK, 2), TSS_SEL);
  ck_assert_uint_eq(m_get(&m, GDT + TSS_SEL + 5, 1), 0x8b);
  ck_assert_uint_eq(m_get(&m, GDT + TSS2_SEL + 5, 1), 0xeb);
  m_step(&m);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, CODE + 7);
  ck_assert_uint_eq(m.cpu->gpr[RAX], 0x55667788);
  ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK);
  ck_assert_uint_eq(m.cpu->cpl, 3);
  ck_assert_uint_eq(m.cpu->tr.sel, TSS_SEL);
  ck_assert_uint_eq(m.cpu->eflags & EF_NT, 0);
  ck_assert_uint_eq(m_get(&m, GDT + TSS2_SEL + 5, 1), 0xe9);
  /* what the task left behind: EIP behind its IRET, NT clear */
  ck_assert_uint_eq(m_get(&m, TSS2 + TSS_EIP, 4), CODE2 + 2);
  ck_assert_uint_eq(m_get(&m, TSS2 + TSS_EAX, 4), 0x11223345);
  ck_assert_uint_eq(m_get(&m, TSS2 + TSS_EFLAGS, 4) & EF_NT, 0);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, CODE + 8);
  m_free(&m);
}
END_TEST

/* Two tasks that jump to each other: neither is busy when it is jumped to, and each goes on where it was. */
START_TEST(two_tasks) {
  struct machine m = task_machine(_i, 0);
  m_code(&m, "\xea\0\0\0\0\x78\0\x43\xeb\xf6");              /* 1: ljmp $0x78 (the gate); inc %ebx; jmp 1b */
  m_code_at(&m, CODE2, "\x46\xea\0\0\0\0\x40\0\xeb\xf6", 10); /* 1: inc %esi; ljmp $0x40; jmp 1b */
  m.cpu->gpr[RBX] = 0;
  /* 7 rounds of ljmp, inc, ljmp, inc, jmp, jmp */
  ck_assert_int_eq(cpu_run(m.cpu, 5 + 7 * 6), CPU_EXIT_BUDGET);
  ck_assert_uint_eq(m_get(&m, GDT + TSS_SEL + 5, 1) & 2, m.cpu->tr.sel == TSS_SEL ? 2 : 0);
  ck_assert_uint_eq(m_get(&m, GDT + TSS2_SEL + 5, 1) & 2, m.cpu->tr.sel == TSS2_SEL ? 2 : 0);
  ck_assert_uint_ge(m.cpu->stat_transitions[TR_TASK], 14);
  m_free(&m);
}
END_TEST

START_TEST(the_record) {
  struct machine m = task_machine(_i, 3);
  struct seen seen = {.count = 0};
  recorded(&m, &seen);
  m_code(&m, "\x9a\0\0\0\0\x7b\0");
  m_code_at(&m, CODE2, "\xcf", 1);
  m_step(&m);
  ck_assert_uint_eq(seen.count, 1);
  ck_assert_int_eq(seen.t.kind, TR_TASK);
  ck_assert_int_eq(seen.t.cause, TR_FAR_CALL);
  ck_assert_uint_eq(seen.t.from.cpl, 3);
  ck_assert_uint_eq(seen.t.from.rsp, USTACK);
  ck_assert_uint_eq(seen.t.to.cpl, 0);
  ck_assert_uint_eq(seen.t.to.rip, CODE2);
  ck_assert_uint_eq(seen.t.to.cs, K32_CS);
  ck_assert_uint_eq(seen.reads, 3 + 8 + 6 + 2); /* CR3, EIP, EFLAGS; registers; selectors; LDT, T */
  ck_assert_uint_eq(seen.stores, 2 + 8 + 6 + 2); /* saved; link, busy bit */
  ck_assert_uint_eq(seen.eip_saved, CODE + 7);
  m_step(&m);
  ck_assert_uint_eq(seen.count, 2);
  ck_assert_int_eq(seen.t.cause, TR_IRET);
  ck_assert_uint_eq(seen.t.to.rip, CODE + 7);
  recorded_free(&m);
}
END_TEST

/* The steps of a switch that failed behind the commit are the cause of its fault. */
START_TEST(the_record_of_a_fault_behind_the_commit) {
  struct machine m = task_machine(_i, 0);
  struct seen seen = {.count = 0};
  struct recorder *r = recorded(&m, &seen);
  m_put(&m, TSS2 + TSS_ES, 0x1f8, 2);
  m_code(&m, "\xea\0\0\0\0\x70\0");
  u64 before = cpu_icount(m.cpu);
  m_expect_fault(&m, VEC_TS, 0x1f8, CODE2);
  ck_assert_uint_eq(cpu_icount(m.cpu) - before, 2); /* JMP is complete; the handler's HLT */
  ck_assert_int_eq(seen.t.kind, TR_EXCEPTION);
  ck_assert_uint_gt(r->cause.n, 20);
  bool found = false;
  for (unsigned k = 0; k < r->cause.n; k++) {
    const struct rec_step *s = &r->cause.step[k];
    if (s->kind == REC_CHECK && s->id == CHK_TASK_DS_LIMIT) found |= !s->ok;
  }
  ck_assert(found);
  recorded_free(&m);
}
END_TEST

/* An NMI through a task gate blocks further ones until the IRET that ends its task. */
START_TEST(nmi_task) {
  struct machine m = task_machine(_i, 0);
  m_put(&m, IDT + 2 * 8, m_task_gate(0), 8);
  m_code(&m, "\x90\x90");
  m_code_at(&m, CODE2, "\x90\xcf", 2);
  m_step(&m);
  event_nmi(m.cpu);
  ck_assert_uint_eq(m.cpu->rip, CODE2);
  ck_assert(m.cpu->nmi_blocked);
  ck_assert_uint_eq(m_get(&m, TSS + TSS_EIP, 4), CODE + 1);
  m_step(&m);
  ck_assert(m.cpu->nmi_blocked);
  m_step(&m);
  ck_assert(!m.cpu->nmi_blocked);
  ck_assert_uint_eq(m.cpu->rip, CODE + 1);
  m_free(&m);
}
END_TEST

/* The instruction that switches tasks had TF set: its trap comes in the new task. INT n leaves none behind.
 * SDM 3B 17.3.1.4 (Single-Step Exception Condition) */
START_TEST(tf_of_the_old_task) {
  for (unsigned by_int = 0; by_int < 2; by_int++) {
    struct machine m = task_machine(_i, 0);
    m_put(&m, IDT + 0x80 * 8, m_task_gate(3), 8);
    if (by_int) m_code(&m, "\xcd\x80");
    else m_code(&m, "\xea\0\0\0\0\x70\0");
    cpu_set_eflags(m.cpu, EF_1 | EF_TF);
    cpu_update_mode(m.cpu);
    m_step(&m);
    ck_assert_uint_eq(m.cpu->rip, by_int ? CODE2 : HANDLER(VEC_DB));
    ck_assert_uint_eq(m.cpu->dr[6] & DR6_BS, by_int ? 0 : DR6_BS);
    ck_assert_uint_eq(m_get(&m, TSS + TSS_EFLAGS, 4) & EF_TF, EF_TF);
    m_free(&m);
  }
}
END_TEST

/* A TSS across two pages, of which the second is not there: nothing has changed. */
START_TEST(tss_across_pages) {
  struct machine m = task_machine(_i, 0);
  u32 pd = PROBE, pt = PROBE + 0x1000;
  m_put(&m, pd, pt | PTE_P | PTE_RW, 4);
  for (unsigned k = 0; k < 1024; k++) m_put(&m, pt + 4 * k, k << PAGE_SHIFT | PTE_P | PTE_RW, 4);
  m_put(&m, pt + 4 * ((TSS2 + 0x1000) >> PAGE_SHIFT), 0, 4);
  u64 base = TSS2 + 0xfd0;
  memcpy(m.ram + base, m.ram + TSS2, 0x68);
  m_put(&m, GDT + TSS2_SEL, m_descriptor((u32)base, 0x67, 0x89, 0), 8);
  m.cpu->cr3 = pd;
  m.cpu->cr4 &= ~CR4_PAE;
  m.cpu->cr0 |= CR0_PG;
  cpu_update_mode(m.cpu);
  cpu_tlb_flush(m.cpu);
  m_code(&m, "\xea\0\0\0\0\x70\0");
  m_expect_fault(&m, VEC_PF, 0, CODE);
  ck_assert_uint_eq(m.cpu->cr2, TSS2 + 0x1000);
  ck_assert_uint_eq(m.cpu->tr.sel, TSS_SEL);
  ck_assert_uint_eq(m_get(&m, TSS + TSS_EIP, 4), 0);
  ck_assert_uint_eq(m_get(&m, GDT + TSS2_SEL + 5, 1), 0x89);
  m_free(&m);
}
END_TEST

Suite *suite_task(void);
Suite *suite_task(void) {
  Suite *s = suite_create("task");
  TCase *t = tcase_create("task");
  suite_add_tcase(s, t);
  tcase_add_loop_test(t, call_and_return, 0, 2);
  tcase_add_loop_test(t, two_tasks, 0, 2);
  tcase_add_loop_test(t, the_record, 0, 2);
  tcase_add_loop_test(t, the_record_of_a_fault_behind_the_commit, 0, 2);
  tcase_add_loop_test(t, nmi_task, 0, 2);
  tcase_add_loop_test(t, tf_of_the_old_task, 0, 2);
  tcase_add_loop_test(t, tss_across_pages, 0, 2);
  return s;
}
