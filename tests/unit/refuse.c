/* Faults at the beginning of an instruction, in code that runs in blocks: opcodes that the decoder refuses, with the
 * reason that is recorded, and VIF with VIP. What each rule says is in tests/vec/opcodes.vec and v86.vec. SDM 3A 6.15
 * (Interrupt 6: Invalid Opcode Exception); SDM 3B 20.4 (Protected-Mode Virtual Interrupts). */
#include "cpu/check.h"
#include "tests/unit/machine.h"

static const struct {
  const char *bytes;
  size_t n;
  enum machine_mode mode;
  u8 vector;
  u16 check;
  u64 operand;
} refused[] = {
    {"\x0f\x0a", 2, LONG64, VEC_UD, CHK_OP_DEFINED, 0x0f0a},
    {"\x0f\x0b", 2, LONG64, VEC_UD, CHK_OP_UD, 0x0f0b},
    {"\x06", 1, LONG64, VEC_UD, CHK_OP_MODE, 0},
    {"\x0f\xaa", 2, LONG64, VEC_UD, CHK_OP_MODE, 0},
    {"\x0f\xaa", 2, LEGACY32, VEC_UD, CHK_OP_MODE, 0},
    {"\x0f\x01\xf8", 3, LEGACY32, VEC_UD, CHK_OP_MODE, 0},
    {"\xc5\xf8\x77", 3, LONG64, VEC_UD, CHK_OP_FEATURE, FEAT_AVX},
    {"\xc5\xf8\x77", 3, LEGACY32, VEC_UD, CHK_OP_FEATURE, FEAT_AVX},
    {"\x62\xf1\x7c\x48\x58\xc1", 6, LONG64, VEC_UD, CHK_OP_FEATURE, FEAT_AVX512F},
    {"\x0f\x01\xd0", 3, LONG64, VEC_UD, CHK_OP_FEATURE, FEAT_XSAVE},
    {"\x66\x0f\x38\xdc\xc1", 5, LONG64, VEC_UD, CHK_OP_FEATURE, FEAT_AES},
    {"\x0f\x01\xfa", 3, LONG64, VEC_UD, CHK_OP_FEATURE, FEAT_MONITORX},
    {"\xf3\x0f\xae\xe0", 4, LONG64, VEC_UD, CHK_OP_FEATURE, FEAT_PTWRITE},
    {"\xf3\x0f\xae\x23", 4, LEGACY32, VEC_UD, CHK_OP_FEATURE, FEAT_PTWRITE},
    {"\x8d\xc0", 2, LONG64, VEC_UD, CHK_OP_MEMORY, 3},
    {"\x0f\xc7\xc8", 3, LONG64, VEC_UD, CHK_OP_MEMORY, 3},
    {"\x0f\x50\x03", 3, LONG64, VEC_UD, CHK_OP_REGISTER, 0},
    {"\xf0\x90", 2, LONG64, VEC_UD, CHK_OP_LOCK, 0x90},
    {"\xf0\x39\x03", 3, LONG64, VEC_UD, CHK_OP_LOCK, 0x39},
    {"\xf0\x01\xc0", 3, LONG64, VEC_UD, CHK_OP_LOCK_MEMORY, 3},
    {"\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 16, LONG64, VEC_GP, CHK_FETCH_LENGTH, 0},
};

/* The last failed check of the fault's record. */
static const struct rec_step *reason(const struct recorder *r) {
  const struct rec_step *found = NULL;
  for (unsigned k = 0; k < r->cause.n; k++)
    if (r->cause.step[k].kind == REC_CHECK && !r->cause.step[k].ok) found = &r->cause.step[k];
  return found;
}

/* The fault is the same with and without a recorder; a NOP before makes a block of two. */
START_TEST(opcodes_refused) {
  for (unsigned watched = 0; watched < 2; watched++) {
    struct machine m = m_new(VENDOR_INTEL, refused[_i].mode, 0);
    struct recorder *r = calloc(1, sizeof *r);
    ck_assert_ptr_nonnull(r);
    r->invert = -1;
    if (watched) m.cpu->recorder = r;
    m.ram[CODE] = 0x90;
    m_code_at(&m, CODE + 1, refused[_i].bytes, refused[_i].n);
    ck_assert_int_eq(cpu_run(m.cpu, 1000), CPU_EXIT_HALT);
    ck_assert_uint_eq(m.cpu->rip, HANDLER(refused[_i].vector) + 1);
    ck_assert_uint_eq(m_slot(&m, refused[_i].vector == VEC_GP), CODE + 1);
    const struct rec_step *s = reason(r);
    if (watched) {
      ck_assert_ptr_nonnull(s);
      ck_assert_str_eq(check_rows[s->id].id, check_rows[refused[_i].check].id);
      if (refused[_i].operand) ck_assert_uint_eq(s->a, refused[_i].operand);
    }
    m_free(&m);
    free(r);
  }
}
END_TEST

/* A far return to ring 3 with both flags set: under PVI nothing of the outer level is executed. */
START_TEST(vif_and_vip_behind_a_return) {
  for (unsigned pvi = 0; pvi < 2; pvi++) {
    struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LEGACY32, 0);
    enum { OUTER = CODE + 0x100 };
    m_code(&m, "\x90\xcb");
    m_code_at(&m, OUTER, "\x40\x40\xeb\xfc", 4); /* 1: inc %eax; inc %eax; jmp 1b */
    u64 sp = m.cpu->gpr[RSP];
    m_put(&m, sp, OUTER, 4);
    m_put(&m, sp + 4, U32_CS, 4);
    m_put(&m, sp + 8, USTACK, 4);
    m_put(&m, sp + 12, U_DS, 4);
    m.cpu->gpr[RAX] = 0;
    m.cpu->eflags |= EF_VIF | EF_VIP;
    m.cpu->cr4 |= pvi ? CR4_PVI : 0;
    cpu_update_mode(m.cpu);
    enum cpu_exit why = cpu_run(m.cpu, 1000);
    if (pvi) {
      ck_assert_int_eq(why, CPU_EXIT_HALT);
      ck_assert_uint_eq(m.cpu->rip, HANDLER(VEC_GP) + 1);
      ck_assert_uint_eq(m_slot(&m, 0), 0);
      ck_assert_uint_eq(m_slot(&m, 1), OUTER);
      ck_assert_uint_eq(m_slot(&m, 3) & (EF_VIF | EF_VIP), EF_VIF | EF_VIP);
      ck_assert_uint_eq(m.cpu->gpr[RAX], 0);
    } else {
      ck_assert_int_eq(why, CPU_EXIT_BUDGET);
      ck_assert_uint_gt(m.cpu->gpr[RAX], 100);
    }
    m_free(&m);
  }
}
END_TEST

/* The flags cleared by the handler's IRET, execution goes on in blocks. */
START_TEST(vif_and_vip_are_over) {
  struct machine m = m_new(VENDOR_INTEL, LEGACY32, 3);
  m_code(&m, "\x40\x40\xeb\xfc");
  /* add $4, %esp; andl $~VIP, 8(%esp); iret */
  m_code_at(&m, HANDLER(VEC_GP), "\x83\xc4\x04\x81\x64\x24\x08\xff\xff\xef\xff\xcf", 12);
  m.cpu->eflags |= EF_VIF | EF_VIP;
  m.cpu->cr4 |= CR4_PVI;
  m.cpu->gpr[RAX] = 0;
  cpu_update_mode(m.cpu);
  ck_assert(m.cpu->mode & MODE_STEP);
  ck_assert_int_eq(cpu_run(m.cpu, 100000), CPU_EXIT_BUDGET);
  ck_assert_uint_gt(m.cpu->gpr[RAX], 60000);
  ck_assert_uint_eq(m.cpu->eflags & (EF_VIF | EF_VIP), EF_VIF);
  ck_assert(!(m.cpu->mode & MODE_STEP));
  m_free(&m);
}
END_TEST

Suite *suite_refuse(void);
Suite *suite_refuse(void) {
  Suite *s = suite_create("refuse");
  TCase *t = tcase_create("opcodes");
  tcase_add_loop_test(t, opcodes_refused, 0, (int)ARRAY_SIZE(refused));
  suite_add_tcase(s, t);
  t = tcase_create("virtual interrupts");
  tcase_add_loop_test(t, vif_and_vip_behind_a_return, 0, 2);
  tcase_add_test(t, vif_and_vip_are_over);
  suite_add_tcase(s, t);
  return s;
}
