/* What explanations say of a fault: the bytes that the failed check judged, the faults before it, and the steps of returns.
 * The addresses are those of the frames and structures: SDM 2A INT n, IRET (Operation); SDM 2B RET; SDM 3A 3.5.1
 * (Segment Descriptor Tables), 6.11 (IDT Descriptors), 7.2.1 (Task-State Segment (TSS)). */
#include "cpu/check.h"
#include "explain/explain.h"
#include "tests/unit/machine.h"

enum { STACK0 = KSTACK - 0x800, SMALL_CS = 0x78 }; /* SMALL_CS: ring 0, limit FFFh */

static char told[1 << 16];
static unsigned last_check;

static bool on_fault(void *watcher, struct cpu *cpu, const struct fault *f) {
  (void)watcher, (void)f;
  FILE *out = fmemopen(told, sizeof told, "w");
  ck_assert_ptr_nonnull(out);
  explain_why(out, cpu, cpu->recorder);
  fclose(out);
  const struct rec_log *log = &cpu->recorder->cause;
  last_check = CHECKS;
  for (unsigned k = 0; k < log->n; k++)
    if (log->step[k].kind == REC_CHECK && !log->step[k].ok) last_check = log->step[k].id;
  cpu_stop(cpu);
  return true;
}

static struct recorder *listen(struct machine *m) {
  struct recorder *r = calloc(1, sizeof *r);
  ck_assert_ptr_nonnull(r);
  r->invert = -1;
  m->cpu->recorder = r;
  *told = 0;
  m_put(m, GDT + SMALL_CS, m_descriptor(0, 0xfff, 0x9b, 4), 8);
  return r;
}

/* ---- the bytes that were judged ---- */

struct poke { u32 at; u64 v; u8 n; };
static const struct judged {
  enum machine_mode mode;
  u8 cpl;
  const char *code; /* 8 bytes of it */
  struct poke poke[5];
  enum check_id check;
  unsigned bytes, at; /* 0: none */
} judged[] = {
#define IRETD(cs, flags, ss) {{STACK0, CODE, 4}, {STACK0 + 4, cs, 4}, {STACK0 + 8, flags, 4}, {STACK0 + 12, USTACK, 4}, {STACK0 + 16, ss, 4}}
    {LEGACY32, 0, "\xcf\0\0\0\0\0\0", IRETD(0, 2, 0), CHK_RET_CS_NULL, 2, STACK0 + 4},
    {LEGACY32, 0, "\xcf\0\0\0\0\0\0", IRETD(0x200, 2, 0), CHK_RET_CS_LIMIT, 2, STACK0 + 4},
    {LEGACY32, 0, "\xcf\0\0\0\0\0\0", IRETD(K_DS, 2, 0), CHK_RET_CS_TYPE, 8, GDT + K_DS},
    {LEGACY32, 0, "\xcf\0\0\0\0\0\0", IRETD(U32_CS, 2, 0), CHK_RET_SS_NULL, 2, STACK0 + 16},
    {LEGACY32, 0, "\xcf\0\0\0\0\0\0", IRETD(U32_CS, 2, 0x203), CHK_RET_SS_LIMIT, 2, STACK0 + 16},
    {LEGACY32, 0, "\xcf\0\0\0\0\0\0", IRETD(U32_CS, 2, K_DS), CHK_RET_SS_RPL, 2, STACK0 + 16},
    {LEGACY32, 0, "\xcf\0\0\0\0\0\0", IRETD(U32_CS, 2, RO_DS | 3), CHK_RET_SS_TYPE, 8, GDT + RO_DS},
    {LEGACY32, 0, "\xcf\0\0\0\0\0\0", IRETD(SMALL_CS, 2, 0), CHK_RET_EIP_LIMIT, 4, STACK0},
    {LEGACY32, 3, "\xcf\0\0\0\0\0\0", {{USTACK, CODE, 4}, {USTACK + 4, K32_CS, 4}, {USTACK + 8, 2, 4}}, CHK_RET_CS_RPL, 2,
     USTACK + 4},
    {LONG64, 0, "\x48\xcf\0\0\0\0\0",
     {{STACK0, UINT64_C(1) << 47, 8}, {STACK0 + 8, K64_CS, 8}, {STACK0 + 16, 2, 8}, {STACK0 + 24, STACK0, 8},
      {STACK0 + 32, K_DS, 8}}, CHK_RET_RIP_CANONICAL, 8, STACK0},
    {LEGACY32, 0, "\xcb\0\0\0\0\0\0",
     {{STACK0, CODE, 4}, {STACK0 + 4, U32_CS, 4}, {STACK0 + 8, USTACK, 4}, {STACK0 + 12, K_DS, 4}}, CHK_RET_SS_RPL, 4,
     STACK0 + 12},
    {LEGACY32, 0, "\xca\x08\0\0\0\0\0",
     {{STACK0, CODE, 4}, {STACK0 + 4, U32_CS, 4}, {STACK0 + 16, USTACK, 4}, {STACK0 + 20, 0, 4}}, CHK_RET_SS_NULL, 4,
     STACK0 + 20},
    {LEGACY32, 3, "\xcd\x80\0\0\0\0\0", {{IDT + 0x80 * 8 + 2, 0, 2}}, CHK_INT_CS_NULL, 8, IDT + 0x80 * 8},
    {LEGACY32, 3, "\xcd\x80\0\0\0\0\0", {{IDT + 0x80 * 8 + 2, 0x200, 2}}, CHK_INT_CS_LIMIT, 8, IDT + 0x80 * 8},
    {LEGACY32, 3, "\xcd\x80\0\0\0\0\0", {{IDT + 0x80 * 8 + 2, K_DS, 2}}, CHK_INT_CS_TYPE, 8, GDT + K_DS},
    {LEGACY32, 3, "\xcd\x80\0\0\0\0\0", {{IDT + 0x80 * 8 + 2, SMALL_CS, 2}}, CHK_INT_EIP_LIMIT, 8, IDT + 0x80 * 8},
    {LEGACY32, 3, "\xcd\x21\0\0\0\0\0", {{0}}, CHK_IDT_DPL, 8, IDT + 0x21 * 8},
    {LONG64, 3, "\xcd\x80\0\0\0\0\0", {{IDT + 0x80 * 16 + 8, 0x8000, 4}}, CHK_INT_RIP_CANONICAL, 16, IDT + 0x80 * 16},
    {LONG64, 3, "\xcd\x80\0\0\0\0\0", {{TSS + 4, UINT64_C(1) << 47, 8}}, CHK_TSS_RSP_CANONICAL, 8, TSS + 4},
    {LEGACY32, 3, "\xcd\x80\0\0\0\0\0", {{TSS + 8, 0, 2}}, CHK_TSS_SS_NULL, 2, TSS + 8},
    {LEGACY32, 3, "\xcd\x80\0\0\0\0\0", {{TSS + 8, 0x200, 2}}, CHK_TSS_SS_LIMIT, 2, TSS + 8},
    {LEGACY32, 3, "\xcd\x80\0\0\0\0\0", {{TSS + 8, K_DS | 1, 2}}, CHK_TSS_SS_RPL, 2, TSS + 8},
    {LEGACY32, 3, "\xcd\x80\0\0\0\0\0", {{TSS + 8, U_DS & ~3u, 2}}, CHK_TSS_SS_DPL, 8, GDT + (U_DS & ~3u)},
#define LJMP "\xea\0\0\0\0\x70\0"
    {LEGACY32, 0, LJMP, {{TSS2 + TSS_ES + 4, 0, 2}}, CHK_TASK_CS_NULL, 2, TSS2 + 0x4c},
    {LEGACY32, 0, LJMP, {{TSS2 + TSS_ES + 4, 0x200, 2}}, CHK_TASK_CS_LIMIT, 2, TSS2 + 0x4c},
    {LEGACY32, 0, LJMP, {{TSS2 + TSS_ES + 8, 0, 2}}, CHK_TASK_SS_NULL, 2, TSS2 + 0x50},
    {LEGACY32, 0, LJMP, {{TSS2 + TSS_ES + 8, K_DS | 1, 2}}, CHK_TASK_SS_RPL, 2, TSS2 + 0x50},
    {LEGACY32, 0, LJMP, {{TSS2 + TSS_ES, 0x200, 2}}, CHK_TASK_DS_LIMIT, 2, TSS2 + 0x48},
    {LEGACY32, 0, LJMP, {{TSS2 + TSS_ES + 20, 0x200, 2}}, CHK_TASK_DS_LIMIT, 2, TSS2 + 0x5c},
    {LEGACY32, 0, LJMP, {{TSS2 + 0x60, 4, 2}}, CHK_TASK_LDT_GDT, 2, TSS2 + 0x60},
    {LEGACY32, 0, LJMP, {{TSS2 + TSS_ES + 4, SMALL_CS, 2}}, CHK_TASK_EIP_LIMIT, 4, TSS2 + 0x20},
    {LEGACY32, 0, "\xea\0\0\0\0\0\0", {{0}}, CHK_FAR_CS_NULL, 0, 0},
};

START_TEST(the_bytes_judged) {
  const struct judged *j = &judged[_i];
  char want[64];
  struct machine m = m_new(VENDOR_INTEL, j->mode, j->cpl);
  if (j->mode == LEGACY32) m_task(&m, CODE, KSTACK - 0x900);
  struct recorder *r = listen(&m);
  m.vm->hooks.fault = on_fault;
  m_code_at(&m, CODE, j->code, 7);
  for (unsigned k = 0; k < 5; k++)
    if (j->poke[k].n) m_put(&m, j->poke[k].at, j->poke[k].v, j->poke[k].n);
  cpu_run(m.cpu, 1);
  ck_assert_msg(last_check == j->check, "%s, not %s\n%s", last_check < CHECKS ? check_rows[last_check].id : "none",
                check_rows[j->check].id, told);
  snprintf(want, sizeof want, "; from %u bytes at %Xh\n", j->bytes, j->at);
  if (j->bytes) ck_assert_msg(strstr(told, want) != NULL, "%s:%s%s", check_rows[j->check].id, want, told);
  else ck_assert_msg(!strstr(told, "; from "), "%s", told);
  free(r);
  m_free(&m);
}
END_TEST

/* SDM 2A INT n (TSSstackAddress): TR.limit is no memory. */
START_TEST(a_limit_is_no_memory) {
  struct machine m = m_new(VENDOR_INTEL, LEGACY32, 3);
  struct recorder *r = listen(&m);
  m.vm->hooks.fault = on_fault;
  m.cpu->tr.limit = 8;
  m_code(&m, "\xcd\x80");
  cpu_run(m.cpu, 1);
  ck_assert_uint_eq(last_check, CHK_TSS_LIMIT);
  ck_assert_ptr_nonnull(strstr(told, "found: the word ends at 9h, limit 8h\n"));
  free(r);
  m_free(&m);
}
END_TEST

/* ---- faults in the delivery of faults ---- */

/* SDM 3A 6.15 (Interrupt 8: Double Fault Exception). HLT in ring 3 is #GP(0), whose gate is beyond the limit, and so is
 * that of #DF. */
START_TEST(a_triple_fault) {
  struct machine m = m_new(VENDOR_INTEL, LEGACY32, 3);
  struct recorder *r = listen(&m);
  m.cpu->idtr.limit = 7;
  m_code(&m, "");
  ck_assert_int_eq(cpu_run(m.cpu, 10), CPU_EXIT_SHUTDOWN);
  FILE *out = fmemopen(told, sizeof told, "w");
  explain_why(out, m.cpu, r);
  fclose(out);
  char *second = strstr(told, "  why   #GP(006Bh) at 0023:40000, general protection, while #GP was delivered\n");
  char *third = strstr(told, "  why   #GP(0043h) at 0023:40000, general protection, while #DF was delivered\n");
  ck_assert_msg(!strncmp(told, "  why   #GP(0) at 0023:40000, general protection\n", 49), "%s", told);
  ck_assert_msg(second && third && second < third, "%s", told);
  ck_assert_ptr_nonnull(strstr(told, "found: CPL 3\n"));
  out = fmemopen(told, sizeof told, "w");
  explain_why_json(out, m.cpu, r);
  fclose(out);
  ck_assert_ptr_nonnull(strstr(told, "{\"event\":\"fault\",\"vector\":13,\"error\":67,"));
  ck_assert_ptr_nonnull(strstr(told, "\"earlier\":[{\"vector\":13,\"error\":0,"));
  ck_assert_ptr_nonnull(strstr(told, "},{\"vector\":13,\"error\":107,"));
  free(r);
  m_free(&m);
}
END_TEST

/* ---- steps ---- */

static u8 popped[32];
static unsigned pops;

static void on_transition(void *watcher, struct cpu *cpu, const struct transition *t) {
  (void)watcher;
  FILE *out = fmemopen(told, sizeof told, "w");
  ck_assert_ptr_nonnull(out);
  explain_transition(out, cpu, cpu->recorder, t, NULL);
  fclose(out);
  const struct rec_log *log = &cpu->recorder->now;
  pops = 0;
  for (unsigned k = 0; k < log->n && pops < sizeof popped; k++)
    if (log->step[k].kind == REC_POP) popped[pops++] = log->step[k].word;
}

static void one(struct machine *m, const char *code, size_t n, const u32 *stack, unsigned words) {
  struct recorder *r = listen(m);
  m->vm->hooks.transition = on_transition;
  m_code_at(m, CODE, code, n);
  for (unsigned k = 0; k < words; k++) m_put(m, STACK0 + 4 * k, stack[k], 4);
  cpu_run(m->cpu, 1);
  free(r);
  m->cpu->recorder = NULL;
}

static void expect_pops(const u8 *words, unsigned n) {
  ck_assert_msg(pops == n, "%u pops\n%s", pops, told);
  for (unsigned k = 0; k < n; k++) ck_assert_msg(popped[k] == words[k], "pop %u\n%s", k, told);
}

START_TEST(steps_of_returns) {
  static const u8 outer[] = {WORD_IP, WORD_CS, WORD_FLAGS, WORD_SP, WORD_SS};
  static const u8 far_ret[] = {WORD_IP, WORD_CS, WORD_SP, WORD_SS};
  static const u8 vm86[] = {WORD_IP, WORD_CS, WORD_FLAGS, WORD_SP, WORD_SS, WORD_ES, WORD_DS, WORD_FS, WORD_GS};
  struct machine m = m_new(VENDOR_INTEL, LEGACY32, 0);
  one(&m, "\xcf", 1, (const u32[]){CODE, U32_CS, 2, USTACK, U_DS}, 5);
  expect_pops(outer, 5);
  ck_assert_ptr_nonnull(strstr(told, "note  EFLAGS.NT = 0"));
  ck_assert_ptr_nonnull(strstr(told, "note  DS = 0: DPL 0 < new CPL 3\n"));
  m_ring(&m, 0);
  one(&m, "\xca\x08\x00", 3, (const u32[]){CODE, U32_CS, 1, 2, USTACK, U_DS}, 6);
  expect_pops(far_ret, 4);
  ck_assert_ptr_nonnull(strstr(told, "note  stack pointer + 8h"));
  ck_assert_ptr_nonnull(strstr(told, "note  stack pointer of the outer level = popped one + 8h"));
  m_ring(&m, 0);
  one(&m, "\xcf", 1, (const u32[]){0, 0x1000, EF_VM | 2, 0x100, 0x2000, 1, 2, 3, 4}, 9);
  expect_pops(vm86, 9);
  ck_assert_ptr_nonnull(strstr(told, "note  VM = 1 in the popped EFLAGS at CPL 0"));
  m_free(&m);
}
END_TEST

START_TEST(reasons_of_debug_and_page_faults) {
  struct machine m = m_new(VENDOR_INTEL, LONG64, 3);
  m.cpu->eflags |= EF_TF;
  cpu_update_mode(m.cpu);
  one(&m, "\x90\x90", 2, NULL, 0); /* the trap comes behind it, before the next */
  ck_assert_msg(strstr(told, "DR6 += 4000h: BS, a single step\n") != NULL, "%s", told);
  m_ring(&m, 3);
  m.cpu->gpr[RAX] = READONLY_PAGE;
  struct recorder *r = listen(&m);
  m.vm->hooks.transition = NULL;
  m.vm->hooks.fault = on_fault;
  m_code(&m, "\x88\x00"); /* mov %al, (%rax) */
  cpu_run(m.cpu, 1);
  ck_assert_msg(strstr(told, "error code 0007h: write by user, a right is missing: R/W = 0 of a write\n") != NULL, "%s", told);
  ck_assert_msg(strstr(told, " -> #PF(0007h)  [PAGE_WRITE;") != NULL, "%s", told);
  free(r);
  m_free(&m);
}
END_TEST

Suite *suite_explain(void);
Suite *suite_explain(void) {
  Suite *s = suite_create("explain");
  TCase *t = tcase_create("explain");
  tcase_add_loop_test(t, the_bytes_judged, 0, ARRAY_SIZE(judged));
  tcase_add_test(t, a_limit_is_no_memory);
  tcase_add_test(t, a_triple_fault);
  tcase_add_test(t, steps_of_returns);
  tcase_add_test(t, reasons_of_debug_and_page_faults);
  suite_add_tcase(s, t);
  return s;
}
