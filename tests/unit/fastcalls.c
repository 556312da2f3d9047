/* SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS of both vendors, and the hypercall: real effects on a small
 * machine. SDM 2B SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS; APM 3 (the same titles); APM 2 6.1 (Fast System
 * Call and Return). The numbers expected are those manuals' own arithmetic. */
#include "tests/unit/machine.h"

#define VENDOR (_i ? VENDOR_AMD : VENDOR_INTEL)

static void expect_flat(const struct seg *s, u16 sel, u32 attr) {
  ck_assert_uint_eq(s->sel, sel);
  ck_assert_uint_eq(s->base, 0);
  ck_assert_uint_eq(s->limit, 0xffffffff);
  ck_assert_uint_eq(s->attr, attr);
}
enum { /* access rights: type, S, DPL, P; D/B, L, G */
  CODE64_0 = 0xa09b, CODE32_0 = 0xc09b, DATA_0 = 0xc093,
  CODE64_3 = 0xa0fb, CODE32_3 = 0xc0fb, DATA_3 = 0xc0f3,
};

/* ---- SYSCALL ---- */

START_TEST(syscall_from_64_bit_code) {
  struct machine m = m_new(VENDOR, LONG64, 3);
  m_code(&m, "\x0f\x05");
  cpu_set_eflags(m.cpu, EF_1 | EF_IF | EF_DF | EF_CF | EF_RF | EF_AC);
  m.cpu->gpr[RCX] = m.cpu->gpr[R11] = ~UINT64_C(0);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, HANDLER(0xf0));
  ck_assert_uint_eq(m.cpu->gpr[RCX], CODE + 2);
  ck_assert_uint_eq(m.cpu->gpr[R11], EF_1 | EF_IF | EF_DF | EF_CF | EF_AC);
  ck_assert_uint_eq(cpu_eflags(m.cpu), EF_1 | EF_CF | EF_AC); /* FMASK: TF IF DF NT */
  ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK);
  ck_assert_uint_eq(m.cpu->cpl, 0);
  expect_flat(&m.cpu->seg[CS], K64_CS, CODE64_0);
  expect_flat(&m.cpu->seg[SS], K64_CS + 8, DATA_0);
  ck_assert_uint_eq(m.cpu->seg[DS].sel, U_DS);
  m_free(&m);
}
END_TEST

/* Nothing is read from the GDT, CS loses its RPL, SS does not. */
START_TEST(syscall_selectors_are_star_arithmetic) {
  struct machine m = m_new(VENDOR, LONG64, 3);
  m_code(&m, "\x0f\x05");
  m.cpu->gdtr.limit = 0;
  m.cpu->msr[MSR_STAR] = UINT64_C(0xfffb) << 32;
  m_step(&m);
  ck_assert_uint_eq(m.cpu->seg[CS].sel, 0xfff8);
  ck_assert_uint_eq(m.cpu->seg[SS].sel, 0x0003);
  m_free(&m);
}
END_TEST

START_TEST(syscall_without_sce) {
  struct machine m = m_new(VENDOR, LONG64, 3);
  m_code(&m, "\x0f\x05");
  m.cpu->msr[MSR_EFER] &= ~EFER_SCE;
  m_expect_vector(&m, VEC_UD);
  ck_assert_uint_eq(m_slot(&m, 0), CODE);
  m_free(&m);
}
END_TEST

START_TEST(syscall_from_compatibility_mode) {
  struct machine m = m_new(VENDOR, COMPAT32, 3);
  m_code(&m, "\x0f\x05");
  if (_i) {
    m_step(&m);
    ck_assert_uint_eq(m.cpu->rip, HANDLER(0xf1));
    ck_assert_uint_eq(m.cpu->gpr[RCX], CODE + 2);
    expect_flat(&m.cpu->seg[CS], K64_CS, CODE64_0);
  } else {
    m_expect_vector(&m, VEC_UD);
  }
  m_free(&m);
}
END_TEST

START_TEST(syscall_in_legacy_mode) {
  struct machine m = m_new(VENDOR, LEGACY32, 3);
  m_code(&m, "\x0f\x05");
  cpu_set_eflags(m.cpu, EF_1 | EF_IF | EF_DF);
  m.cpu->gpr[R11] = 5;
  if (_i) {
    m_step(&m);
    ck_assert_uint_eq(m.cpu->rip, HANDLERS); /* STAR[31:0] */
    ck_assert_uint_eq(m.cpu->gpr[RCX], CODE + 2);
    ck_assert_uint_eq(m.cpu->gpr[R11], 5);
    ck_assert_uint_eq(cpu_eflags(m.cpu), EF_1 | EF_DF); /* FMASK plays no part */
    expect_flat(&m.cpu->seg[CS], K64_CS, CODE32_0);
    expect_flat(&m.cpu->seg[SS], K64_CS + 8, DATA_0);
  } else {
    m_expect_vector(&m, VEC_UD);
  }
  m_free(&m);
}
END_TEST

/* TF that FMASK leaves set traps at the handler's first boundary; TF that it clears does not trap. */
START_TEST(syscall_and_tf) {
  struct machine m = m_new(VENDOR, LONG64, 3);
  m_code(&m, "\x0f\x05");
  cpu_set_eflags(m.cpu, EF_1 | EF_TF);
  cpu_update_mode(m.cpu);
  m_expect_vector(&m, 0xf0);
  ck_assert_uint_eq(m.cpu->dr[6], DR6_FIXED);
  m_ring(&m, 3);
  cpu_set_eflags(m.cpu, EF_1 | EF_TF);
  m.cpu->msr[MSR_FMASK] = 0;
  cpu_update_mode(m.cpu);
  m.cpu->gpr[RSP] = KSTACK - 64; /* the user's stack pointer is what the trap finds */
  m_expect_vector(&m, VEC_DB);
  ck_assert_uint_eq(m_slot(&m, 0), HANDLER(0xf0));
  ck_assert_uint_eq(m_slot(&m, 1), K64_CS);
  ck_assert_uint_eq(m.cpu->dr[6], DR6_FIXED | DR6_BS);
  m_free(&m);
}
END_TEST

/* ---- SYSRET ---- */

START_TEST(sysret_to_64_bit_code) {
  struct machine m = m_new(VENDOR, LONG64, 0);
  m_code(&m, "\x48\x0f\x07");
  m.cpu->gpr[RCX] = 0x41000;
  m.cpu->gpr[R11] = ~UINT64_C(0) & ~(u64)EF_TF;
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, 0x41000);
  ck_assert_uint_eq(m.cpu->cpl, 3);
  ck_assert_uint_eq(cpu_eflags(m.cpu), (0x3c7fd7 & ~(EF_TF | EF_RF | EF_VM)) | EF_1);
  expect_flat(&m.cpu->seg[CS], U64_CS, CODE64_3);
  ck_assert_uint_eq(m.cpu->seg[SS].sel, U_DS);
  expect_flat(&m.cpu->seg[SS], U_DS, _i ? DATA_0 : DATA_3); /* amd: attributes as they were */
  ck_assert_uint_eq(m.cpu->seg[DS].sel, K_DS);
  ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 0x800);
  m_free(&m);
}
END_TEST

START_TEST(sysret_to_32_bit_code) {
  struct machine m = m_new(VENDOR, LONG64, 0);
  m_code(&m, "\x0f\x07");
  m.cpu->gpr[RCX] = UINT64_C(0xffffffff00041000);
  m.cpu->gpr[R11] = 0x202;
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, 0x41000);
  expect_flat(&m.cpu->seg[CS], U32_CS, CODE32_3);
  ck_assert_uint_eq(m.cpu->seg[SS].sel, U_DS);
  m_free(&m);
}
END_TEST

/* amd: the RPL of SS is STAR's, and a NULL SS stays unusable (what Linux calls SYSRET_SS_ATTRS). */
START_TEST(sysret_ss) {
  struct machine m = m_new(VENDOR, LONG64, 0);
  m_code(&m, "\x48\x0f\x07");
  m.cpu->gpr[RCX] = 0x41000;
  m.cpu->gpr[R11] = 0x202;
  m.cpu->msr[MSR_STAR] = UINT64_C(0x20) << 48;
  m.cpu->seg[SS] = seg_null_stack(0, 0);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->seg[CS].sel, 0x33);
  ck_assert_uint_eq(m.cpu->seg[SS].sel, _i ? 0x28 : 0x2b);
  ck_assert_uint_eq(!!(m.cpu->seg[SS].attr & SEG_NULL), _i);
  m_free(&m);
}
END_TEST

/* intel: #GP(0) at CPL 0, on the stack that RSP names; amd: #GP(0) at CPL 3, on the kernel's. */
START_TEST(sysret_to_a_non_canonical_address) {
  struct machine m = m_new(VENDOR, LONG64, 0);
  m_code(&m, "\x48\x0f\x07");
  m.cpu->gpr[RCX] = UINT64_C(0x800000000000);
  m.cpu->gpr[R11] = 0x202;
  m.cpu->gpr[RSP] = USTACK;
  m_expect_vector(&m, VEC_GP);
  ck_assert_uint_eq(m_slot(&m, 0), 0);
  if (_i) {
    ck_assert_uint_eq(m_slot(&m, 1), UINT64_C(0x800000000000));
    ck_assert_uint_eq(m_slot(&m, 2), U64_CS);
    ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 48);
  } else {
    ck_assert_uint_eq(m_slot(&m, 1), CODE);
    ck_assert_uint_eq(m_slot(&m, 2), K64_CS);
    ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK - 48);
  }
  m_free(&m);
}
END_TEST

START_TEST(sysret_privilege) {
  struct machine m = m_new(VENDOR, LONG64, 3);
  m_code(&m, "\x48\x0f\x07");
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_ring(&m, 3);
  m.cpu->msr[MSR_EFER] &= ~EFER_SCE; /* #UD comes first */
  m_expect_vector(&m, VEC_UD);
  m_free(&m);
}
END_TEST

/* R11.TF: #DB immediately, before any user instruction. */
START_TEST(sysret_and_tf) {
  struct machine m = m_new(VENDOR, LONG64, 0);
  m_code(&m, "\x48\x0f\x07");
  m_code_at(&m, 0x41000, "\x0f\x0b", 2);
  m.cpu->gpr[RCX] = 0x41000;
  m.cpu->gpr[R11] = 0x202 | EF_TF;
  m_expect_vector(&m, VEC_DB);
  ck_assert_uint_eq(m_slot(&m, 0), 0x41000);
  ck_assert_uint_eq(m_slot(&m, 1), U64_CS);
  ck_assert_uint_eq(m_slot(&m, 2), 0x202 | EF_TF);
  ck_assert_uint_eq(m.cpu->dr[6], DR6_FIXED | DR6_BS);
  m_free(&m);
}
END_TEST

/* amd, legacy mode: EIP = ECX, and of the flags only IF is set. */
START_TEST(sysret_in_legacy_mode) {
  struct machine m = m_new(VENDOR, LEGACY32, 0);
  m_code(&m, "\x0f\x07");
  m.cpu->gpr[RCX] = 0x41000;
  m.cpu->gpr[R11] = 0;
  cpu_set_eflags(m.cpu, EF_1 | EF_CF);
  if (_i) {
    m_step(&m);
    ck_assert_uint_eq(m.cpu->rip, 0x41000);
    ck_assert_uint_eq(cpu_eflags(m.cpu), EF_1 | EF_CF | EF_IF);
    expect_flat(&m.cpu->seg[CS], U32_CS, CODE32_3);
  } else {
    m_expect_vector(&m, VEC_UD);
  }
  m_free(&m);
}
END_TEST

/* ---- SYSENTER, SYSEXIT ---- */

START_TEST(sysenter_in_legacy_mode) {
  for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
    struct machine m = m_new(VENDOR, LEGACY32, cpl);
    m_code(&m, "\x0f\x34");
    cpu_set_eflags(m.cpu, EF_1 | EF_IF | EF_DF | EF_AC | EF_RF);
    m_step(&m);
    ck_assert_uint_eq(m.cpu->rip, HANDLER(0xf2));
    ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 0x100);
    ck_assert_uint_eq(m.cpu->cpl, 0);
    ck_assert_uint_eq(cpu_eflags(m.cpu), EF_1 | EF_DF | EF_AC);
    expect_flat(&m.cpu->seg[CS], K64_CS, CODE32_0);
    expect_flat(&m.cpu->seg[SS], K64_CS + 8, DATA_0);
    m_free(&m);
  }
}
END_TEST

START_TEST(sysenter_in_long_mode) {
  for (unsigned k = 0; k < 2; k++) {
    struct machine m = m_new(VENDOR, k ? LONG64 : COMPAT32, 3);
    m_code(&m, "\x0f\x34");
    m.cpu->msr[MSR_SYSENTER_CS] = K64_CS | 3;
    m.cpu->msr[MSR_SYSENTER_ESP] = UINT64_C(0xffff800000001000);
    if (_i) {
      m_expect_vector(&m, VEC_UD);
    } else {
      m_step(&m);
      ck_assert_uint_eq(m.cpu->rip, HANDLER(0xf2));
      ck_assert_uint_eq(m.cpu->gpr[RSP], UINT64_C(0xffff800000001000));
      expect_flat(&m.cpu->seg[CS], K64_CS, CODE64_0);
      expect_flat(&m.cpu->seg[SS], K64_CS + 8, DATA_0);
    }
    m_free(&m);
  }
}
END_TEST

/* TF leaks into the handler and traps at its first boundary. */
START_TEST(sysenter_and_tf) {
  struct machine m = m_new(VENDOR, LEGACY32, 3);
  m_code(&m, "\x0f\x34");
  cpu_set_eflags(m.cpu, EF_1 | EF_IF | EF_TF);
  cpu_update_mode(m.cpu);
  m_expect_vector(&m, VEC_DB);
  ck_assert_uint_eq(m_slot(&m, 0), HANDLER(0xf2));
  ck_assert_uint_eq(m_slot(&m, 2), EF_1 | EF_TF);
  m_free(&m);
}
END_TEST

START_TEST(sysenter_needs_its_msr_and_protection) {
  struct machine m = m_new(VENDOR, LEGACY32, 3);
  m_code(&m, "\x0f\x34");
  m.cpu->msr[MSR_SYSENTER_CS] = 0x10003; /* bits 15:2 are zero */
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_free(&m);
}
END_TEST

START_TEST(sysexit_in_legacy_mode) {
  struct machine m = m_new(VENDOR, LEGACY32, 0);
  m_code(&m, "\x0f\x35");
  m.cpu->gpr[RDX] = 0x41000;
  m.cpu->gpr[RCX] = 0x2fff0;
  cpu_set_eflags(m.cpu, EF_1 | EF_CF | EF_RF);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, 0x41000);
  ck_assert_uint_eq(m.cpu->gpr[RSP], 0x2fff0);
  ck_assert_uint_eq(m.cpu->cpl, 3);
  ck_assert_uint_eq(cpu_eflags(m.cpu), EF_1 | EF_CF);
  expect_flat(&m.cpu->seg[CS], U32_CS, CODE32_3);
  expect_flat(&m.cpu->seg[SS], U_DS, DATA_3);
  ck_assert_uint_eq(m.cpu->seg[DS].sel, K_DS); /* not nulled */
  m_free(&m);
}
END_TEST

START_TEST(sysexit_in_long_mode) {
  struct machine m = m_new(VENDOR, LONG64, 0);
  m.cpu->gpr[RDX] = 0x41000;
  m.cpu->gpr[RCX] = UINT64_C(0x100002fff0);
  m_code(&m, "\x48\x0f\x35");
  if (_i) {
    m_expect_vector(&m, VEC_UD);
  } else {
    m_step(&m);
    ck_assert_uint_eq(m.cpu->gpr[RSP], UINT64_C(0x100002fff0));
    expect_flat(&m.cpu->seg[CS], U64_CS, CODE64_3);
    expect_flat(&m.cpu->seg[SS], 0x3b, DATA_3);
    m_ring(&m, 0);
    m_code(&m, "\x0f\x35");
    m_step(&m);
    ck_assert_uint_eq(m.cpu->gpr[RSP], 0x2fff0);
    expect_flat(&m.cpu->seg[CS], U32_CS, CODE32_3);
    expect_flat(&m.cpu->seg[SS], U_DS, DATA_3);
    m_ring(&m, 0);
    m_code(&m, "\x48\x0f\x35");
    m.cpu->gpr[RDX] = UINT64_C(0x800000000000);
    m_expect_fault(&m, VEC_GP, 0, CODE);
  }
  m_free(&m);
}
END_TEST

START_TEST(sysexit_privilege) {
  struct machine m = m_new(VENDOR, LEGACY32, 3);
  m_code(&m, "\x0f\x35");
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_ring(&m, 0);
  m.cpu->msr[MSR_SYSENTER_CS] = 0;
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_free(&m);
}
END_TEST

/* ---- SWAPGS, the hypercall ---- */

START_TEST(swapgs) {
  struct machine m = m_new(VENDOR, LONG64, 0);
  m_code(&m, "\x0f\x01\xf8");
  m.cpu->seg[GS].base = 0x1111;
  m.cpu->msr[MSR_KERNEL_GS_BASE] = 0x2222;
  m_step(&m);
  ck_assert_uint_eq(m.cpu->seg[GS].base, 0x2222);
  ck_assert_uint_eq(m.cpu->msr[MSR_KERNEL_GS_BASE], 0x1111);
  m_ring(&m, 3);
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_free(&m);
  m = m_new(VENDOR, COMPAT32, 0);
  m_code(&m, "\x0f\x01\xf8");
  m_expect_vector(&m, VEC_UD);
  m_free(&m);
}
END_TEST

static void hypercall(void *opaque, struct cpu *cpu) {
  ck_assert_uint_eq(cpu->rip, CODE + 3);
  *(unsigned *)opaque += 1;
  cpu->gpr[RAX] = 42;
  cpu->rip = 0x41000;
  cpu_stop(cpu);
}

START_TEST(hypercall_only_from_its_page_at_cpl0) {
  unsigned calls = 0;
  struct machine m = m_new(VENDOR, LONG64, 0);
  m.vm->hooks.opaque = &calls;
  m.vm->hooks.hypercall = hypercall;
  m_code(&m, "\x0f\x01\xc1");
  m_expect_vector(&m, VEC_UD); /* not enabled */
  m.vm->hypercall_first = CODE;
  m.vm->hypercall_last = CODE + 0xfff;
  m_ring(&m, 3);
  m_expect_vector(&m, VEC_UD);
  m_ring(&m, 0);
  m.vm->hypercall_first = CODE + 1;
  m_expect_vector(&m, VEC_UD);
  ck_assert_uint_eq(calls, 0);
  m.vm->hypercall_first = CODE;
  m_ring(&m, 0);
  ck_assert_int_eq(cpu_run(m.cpu, 10), CPU_EXIT_STOP);
  ck_assert_uint_eq(calls, 1);
  ck_assert_uint_eq(m.cpu->gpr[RAX], 42);
  ck_assert_uint_eq(m.cpu->rip, 0x41000);
  m_free(&m);
}
END_TEST

static void listener(void *watcher, struct cpu *cpu, const struct transition *t) {
  (void)cpu;
  *(struct transition *)watcher = *t;
}

START_TEST(transition_record_of_syscall) {
  struct transition t = {.vector = 1};
  struct machine m = m_new(VENDOR, LONG64, 3);
  m.vm->hooks.watcher = &t;
  m.vm->hooks.transition = listener;
  m_code(&m, "\x0f\x05");
  m_step(&m);
  ck_assert_int_eq(t.kind, TR_SYSCALL);
  ck_assert_uint_eq(t.from.rip, CODE + 2);
  ck_assert_uint_eq(t.from.cs, U64_CS);
  ck_assert_uint_eq(t.from.cpl, 3);
  ck_assert_uint_eq(t.to.rip, HANDLER(0xf0));
  ck_assert_uint_eq(t.to.cs, K64_CS);
  ck_assert_uint_eq(t.to.ss, K_DS);
  ck_assert_uint_eq(t.to.cpl, 0);
  ck_assert_uint_eq(t.to.code_bits, 64);
  ck_assert_uint_eq(m.cpu->stat_transitions[TR_SYSCALL], 1);
  m_free(&m);
}
END_TEST

Suite *suite_fastcalls(void);
Suite *suite_fastcalls(void) {
  const TTest *const tests[] = {
      syscall_from_64_bit_code,
      syscall_selectors_are_star_arithmetic,
      syscall_without_sce,
      syscall_from_compatibility_mode,
      syscall_in_legacy_mode,
      syscall_and_tf,
      sysret_to_64_bit_code,
      sysret_to_32_bit_code,
      sysret_ss,
      sysret_to_a_non_canonical_address,
      sysret_privilege,
      sysret_and_tf,
      sysret_in_legacy_mode,
      sysenter_in_legacy_mode,
      sysenter_in_long_mode,
      sysenter_and_tf,
      sysenter_needs_its_msr_and_protection,
      sysexit_in_legacy_mode,
      sysexit_in_long_mode,
      sysexit_privilege,
      swapgs,
      hypercall_only_from_its_page_at_cpl0,
      transition_record_of_syscall,
  };
  Suite *s = suite_create("fastcalls");
  TCase *t = tcase_create("fastcalls");
  for (unsigned k = 0; k < ARRAY_SIZE(tests); k++) tcase_add_loop_test(t, tests[k], 0, VENDOR_COUNT);
  suite_add_tcase(s, t);
  return s;
}
