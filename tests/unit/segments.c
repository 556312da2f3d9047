/* Segment registers, far transfers, and privileged and IOPL-sensitive instructions: real effects on a small
 * machine. SDM 3A 5 (Protection), SDM 1 19.5 (Protected-Mode I/O), and the instructions' pages in SDM 2. */
#include "tests/unit/machine.h"

#define VENDOR (_i ? VENDOR_AMD : VENDOR_INTEL)

static const enum machine_mode modes[] = {LEGACY32, COMPAT32, LONG64};

#define FOR_MODES(m, cpl)                                       \
  for (unsigned k_ = 0; k_ < ARRAY_SIZE(modes); k_++)           \
    for (struct machine m = m_new(VENDOR, modes[k_], (cpl)), *once_ = &m; once_; m_free(&m), once_ = NULL)

static void put_descriptor(struct machine *m, u16 sel, u64 d) { m_put(m, GDT + (sel & ~7u), d, 8); }

/* ---- loads ---- */

START_TEST(mov_to_data_segment) {
  static const struct {
    u16 sel;
    u8 vec; /* 0: no fault */
  } cases[] = {
      {U_DS, 0},
      {0, 0},
      {3, 0},
      {U32_CS, 0},
      {K_DS, VEC_GP},
      {K_DS | 3, VEC_GP},
      {0x103, VEC_GP},
      {ABSENT_DS | 3, VEC_NP},
      {XO_CS | 3, VEC_GP},
      {CONF_CS, 0},
      {TSS_SEL, VEC_GP},
      {RO_DS | 3, 0},
      {U1_DS, VEC_GP},
      {7, VEC_GP},
  };
  for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
    FOR_MODES(m, 3) {
      m_code(&m, "\x8e\xe0"); /* mov %eax, %fs */
      m.cpu->gpr[RAX] = cases[c].sel;
      if (cases[c].vec) {
        m_expect_fault(&m, cases[c].vec, cases[c].sel & ~3u, CODE);
        ck_assert_uint_eq(m.cpu->seg[FS].sel, U_DS);
      } else {
        m_step(&m);
        ck_assert_uint_eq(m.cpu->seg[FS].sel, cases[c].sel);
        ck_assert_uint_eq(!!(m.cpu->seg[FS].attr & SEG_NULL), !(cases[c].sel & ~3));
      }
    }
  }
}
END_TEST

START_TEST(mov_to_ss) {
  static const struct {
    u16 sel;
    u8 vec;
    u32 error;
  } cases[] = {
      {U_DS, 0, 0},
      {0, VEC_GP, 0},
      {3, VEC_GP, 0},
      {U_DS & ~3, VEC_GP, U_DS & ~3},
      {K_DS | 3, VEC_GP, K_DS},
      {RO_DS | 3, VEC_GP, RO_DS},
      {U32_CS, VEC_GP, U32_CS & ~3},
      {0x103, VEC_GP, 0x100},
      {ABSENT_SS, VEC_SS, ABSENT_SS & ~3},
  };
  for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
    FOR_MODES(m, 3) {
      put_descriptor(&m, ABSENT_SS, m_descriptor(0, 0xfffff, 0x73, 0xc));
      m_code(&m, "\x8e\xd0");
      m.cpu->gpr[RAX] = cases[c].sel;
      if (cases[c].vec) {
        m_expect_fault(&m, cases[c].vec, cases[c].error, CODE);
      } else {
        m_step(&m);
        ck_assert_uint_eq(m.cpu->seg[SS].sel, cases[c].sel);
      }
    }
  }
}
END_TEST

START_TEST(null_ss_in_64_bit_ring0) {
  struct machine m = m_new(VENDOR, LONG64, 0);
  m_code(&m, "\x8e\xd0\x90\x50"); /* mov %eax, %ss; nop; push %rax */
  m.cpu->gpr[RAX] = 0;
  for (unsigned k = 0; k < 3; k++) m_step(&m);
  ck_assert_uint_eq(m.cpu->seg[SS].sel, 0);
  ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 0x808);
  m_free(&m);
}
END_TEST

START_TEST(mov_to_cs_and_unknown_segments) {
  static const char *const code[] = {"\x8e\xc8", "\x8e\xf0", "\x8e\xf8", "\x8c\xf0", "\x8c\xf8"};
  for (unsigned c = 0; c < ARRAY_SIZE(code); c++) {
    FOR_MODES(m, 0) {
      m_code_at(&m, CODE, code[c], 2);
      m_expect_vector(&m, VEC_UD);
    }
  }
}
END_TEST

START_TEST(accessed_bit_is_set_in_memory) {
  FOR_MODES(m, 3) {
    put_descriptor(&m, U_DS, m_descriptor(0x1000, 0xfffff, 0xf2, 0xc));
    m_code(&m, "\x8e\xe0");
    m.cpu->gpr[RAX] = U_DS;
    m_step(&m);
    ck_assert_uint_eq(m_get(&m, GDT + (U_DS & ~7) + 5, 1), 0xf3);
    ck_assert_uint_eq(m.cpu->seg[FS].base, 0x1000);
    ck_assert_uint_eq(m.cpu->seg[FS].limit, 0xffffffff);
  }
}
END_TEST

/* RULE_NULL_CLEARS_BASE */
START_TEST(null_fs_and_its_base) {
  struct machine m = m_new(VENDOR, LONG64, 3);
  m_code(&m, "\x8e\xe0");
  m.cpu->seg[FS].base = 0x123456789a;
  m.cpu->gpr[RAX] = 0;
  m_step(&m);
  ck_assert_uint_eq(m.cpu->seg[FS].base, model_does(m.cpu->model, RULE_NULL_CLEARS_BASE) ? 0 : 0x123456789a);
  m_free(&m);
}
END_TEST

START_TEST(null_segment_faults_on_use) {
  FOR_MODES(m, 3) {
    m_code(&m, "\x8e\xe0\x64\x8a\x00"); /* mov %eax, %fs; mov %fs:(%rax), %al */
    m.cpu->gpr[RAX] = 0;
    m_step(&m);
    m.cpu->seg[FS].base = 0;
    m.cpu->gpr[RAX] = DATA;
    if (m.mode == LONG64) m_step(&m);
    else m_expect_fault(&m, VEC_GP, 0, CODE + 2);
  }
}
END_TEST

START_TEST(push_pop_and_load_far_pointers) {
  FOR_MODES(m, 3) {
    unsigned n = m.mode == LONG64 ? 8 : 4;
    m_code(&m, "\x0f\xa0\x0f\xa9\x0f\xb4\x18"); /* push %fs; pop %gs; lfs (%eax), %ebx */
    m.cpu->seg[FS].sel = U32_CS;
    m.cpu->gpr[RAX] = DATA;
    m_put(&m, DATA, 0x89abcdef, 4);
    m_put(&m, DATA + 4, U_DS, 2);
    m_step(&m);
    ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK - n);
    ck_assert_uint_eq(m_get(&m, USTACK - n, n), U32_CS);
    m_step(&m);
    ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK);
    ck_assert_uint_eq(m.cpu->seg[GS].sel, U32_CS);
    m_step(&m);
    ck_assert_uint_eq(m.cpu->seg[FS].sel, U_DS);
    ck_assert_uint_eq(m.cpu->gpr[RBX], 0x89abcdef);
  }
}
END_TEST

/* ---- far transfers ---- */

/* jmp m16:32 to the other width of ring-3 code and back, as one program may change it. */
START_TEST(far_jmp_between_widths) {
  struct machine m = m_new(VENDOR, COMPAT32, 3);
  m_put(&m, DATA, 0x41000, 4);
  m_put(&m, DATA + 4, U64_CS, 2);
  m_put(&m, DATA + 8, 0x42000, 4);
  m_put(&m, DATA + 12, U32_CS, 2);
  m_code(&m, "\xff\x2d\x00\x00\x06\x00");
  m_code_at(&m, 0x41000, "\xff\x2c\x25\x08\x00\x06\x00", 7);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, 0x41000);
  ck_assert_uint_eq(m.cpu->mode & MODE_CODE_MASK, MODE_CODE64);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, 0x42000);
  ck_assert_uint_eq(m.cpu->mode & MODE_CODE_MASK, MODE_CODE32);
  ck_assert_uint_eq(m.cpu->cpl, 3);
  m_free(&m);
}
END_TEST

START_TEST(far_jmp_faults) {
  static const struct {
    u16 sel;
    u8 vec;
    u32 error;
  } cases[] = {
      {0, VEC_GP, 0},           {0x103, VEC_GP, 0x100},       {U_DS, VEC_GP, U_DS & ~3},
      {K32_CS, VEC_GP, K32_CS}, {K32_CS | 3, VEC_GP, K32_CS}, {LDT_SEL, VEC_GP, LDT_SEL},
  };
  for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
    FOR_MODES(m, 3) {
      m_put(&m, DATA, 0x41000, 4);
      m_put(&m, DATA + 4, cases[c].sel, 2);
      m.cpu->gpr[RBX] = DATA;
      m_code(&m, "\xff\x2b");
      m_expect_fault(&m, cases[c].vec, cases[c].error, CODE);
    }
  }
}
END_TEST

START_TEST(far_jmp_checks_limit_and_presence) {
  struct machine m = m_new(VENDOR, LEGACY32, 0);
  m_code(&m, "\xea\x00\x10\x04\x00\x58\x00"); /* ljmp $ABSENT_CS, $0x41000 */
  m_expect_fault(&m, VEC_NP, ABSENT_CS, CODE);
  m_ring(&m, 0);
  put_descriptor(&m, ABSENT_CS, m_descriptor(0, 0x40fff, 0x9b, 4));
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_ring(&m, 0);
  put_descriptor(&m, ABSENT_CS, m_descriptor(0, 0x41000, 0x9b, 4));
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, 0x41000);
  m_free(&m);
}
END_TEST

START_TEST(far_call_and_return) {
  struct machine m = m_new(VENDOR, COMPAT32, 3);
  m_code(&m, "\x9a\x00\x10\x04\x00\x33\x00"); /* lcall $U64_CS, $0x41000 */
  m_code_at(&m, 0x41000, "\xcb", 1);          /* lretl */
  m_step(&m);
  ck_assert_uint_eq(m.cpu->seg[CS].sel, U64_CS);
  ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK - 8);
  ck_assert_uint_eq(m_get(&m, USTACK - 8, 4), CODE + 7);
  ck_assert_uint_eq(m_get(&m, USTACK - 4, 4), U32_CS);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, CODE + 7);
  ck_assert_uint_eq(m.cpu->seg[CS].sel, U32_CS);
  ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK);
  m_free(&m);
}
END_TEST

START_TEST(retf_to_ring3_drops_parameters_on_both_stacks) {
  FOR_MODES(m, 0) {
    unsigned n = m.mode == LONG64 ? 8 : 4;
    u16 cs = m.mode == LONG64 ? U64_CS : U32_CS;
    u64 sp = m.cpu->gpr[RSP];
    m_put(&m, sp, 0x41000, n);
    m_put(&m, sp + n, cs, n);
    m_put(&m, sp + 2 * n + 16, USTACK - 256, n);
    m_put(&m, sp + 3 * n + 16, U_DS, n);
    m_code_at(&m, CODE, m.mode == LONG64 ? "\x48\xca\x10" : "\xca\x10\x00", 4); /* lret $16 */
    m_step(&m);
    ck_assert_uint_eq(m.cpu->rip, 0x41000);
    ck_assert_uint_eq(m.cpu->cpl, 3);
    ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK - 256 + 16);
    ck_assert_uint_eq(m.cpu->seg[ES].sel, 0);
    m_ring(&m, 3);
    m.cpu->gpr[RSP] = USTACK - 0x100;
    m_put(&m, USTACK - 0x100, 0x41000, n);
    m_put(&m, USTACK - 0x100 + n, cs & ~3, n); /* inward */
    m_expect_fault(&m, VEC_GP, cs & ~3u, CODE);
  }
}
END_TEST

START_TEST(call_gate_copies_parameters) {
  struct machine m = m_new(VENDOR, LEGACY32, 3);
  put_descriptor(&m, GATE,
                 0x1000 | (u64)K32_CS << 16 | UINT64_C(2) << 32 | UINT64_C(0xec) << 40 | UINT64_C(4) << 48);
  m_code(&m, "\x9a\x00\x00\x00\x00\x73\x00"); /* lcall $GATE | 3, $0 */
  m.cpu->gpr[RSP] = USTACK - 16;
  m_put(&m, USTACK - 16, 0x11111111, 4);
  m_put(&m, USTACK - 12, 0x22222222, 4);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, 0x41000);
  ck_assert_uint_eq(m.cpu->seg[CS].sel, K32_CS);
  ck_assert_uint_eq(m.cpu->seg[SS].sel, K_DS);
  ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 24);
  const u32 want[6] = {CODE + 7, U32_CS, 0x11111111, 0x22222222, USTACK - 16, U_DS};
  for (unsigned k = 0; k < 6; k++) ck_assert_uint_eq(m_slot(&m, k), want[k]);
  m_ring(&m, 3);
  m_put(&m, GDT + GATE + 5, 0x8c, 1); /* DPL 0 */
  m_expect_fault(&m, VEC_GP, GATE, CODE);
  m_ring(&m, 3);
  m_put(&m, GDT + GATE + 5, 0x6c, 1); /* not present */
  m_expect_fault(&m, VEC_NP, GATE, CODE);
  m_free(&m);
}
END_TEST

START_TEST(call_gate_in_long_mode) {
  struct machine m = m_new(VENDOR, COMPAT32, 3);
  put_descriptor(&m, GATE, 0x1000 | (u64)K64_CS << 16 | UINT64_C(0xec) << 40 | UINT64_C(4) << 48);
  m_put(&m, GDT + GATE + 8, 0, 8);
  m_code(&m, "\x9a\x00\x00\x00\x00\x73\x00");
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, 0x41000);
  ck_assert_uint_eq(m.cpu->seg[CS].sel, K64_CS);
  ck_assert_uint_eq(m.cpu->seg[SS].sel, 0);
  ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 32);
  const u64 want[4] = {CODE + 7, U32_CS, USTACK, U_DS};
  for (unsigned k = 0; k < 4; k++) ck_assert_uint_eq(m_slot(&m, k), want[k]);
  m_ring(&m, 3);
  m_put(&m, GDT + GATE + 13, 1, 1); /* a type in the second half */
  m_expect_fault(&m, VEC_GP, GATE, CODE);
  m_free(&m);
}
END_TEST

/* ---- questions ---- */

START_TEST(lar_and_lsl) {
  static const struct {
    u16 sel;
    bool lar, lsl;
    u32 rights, limit;
  } cases[] = {
      {U_DS, true, true, 0xcff300, 0xffffffff},
      {K_DS, false, false, 0, 0},
      {CONF_CS, true, true, 0xcf9f00, 0xffffffff},
      {0, false, false, 0, 0},
      {0x103, false, false, 0, 0},
      {STACK16 | 3, true, true, 0x00f300, 0xffff},
      {ABSENT_DS | 3, true, true, 0xcf7300, 0xffffffff},
  };
  for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
    FOR_MODES(m, 3) {
      m_code(&m, "\x0f\x02\xd8\x0f\x03\xc8"); /* lar %ax, %ebx; lsl %ax, %ecx */
      m.cpu->gpr[RAX] = cases[c].sel;
      m.cpu->gpr[RBX] = m.cpu->gpr[RCX] = 0x77;
      m_step(&m);
      ck_assert_uint_eq(!!(m.cpu->hf & HF_ZF), cases[c].lar);
      ck_assert_uint_eq(m.cpu->gpr[RBX], cases[c].lar ? cases[c].rights : 0x77);
      m_step(&m);
      ck_assert_uint_eq(!!(m.cpu->hf & HF_ZF), cases[c].lsl);
      ck_assert_uint_eq(m.cpu->gpr[RCX], cases[c].lsl ? cases[c].limit : 0x77);
    }
  }
}
END_TEST

START_TEST(verr_verw_arpl) {
  struct machine m = m_new(VENDOR, LEGACY32, 3);
  static const struct {
    u16 sel;
    bool verr, verw;
  } cases[] = {{U_DS, true, true}, {RO_DS | 3, true, false}, {XO_CS | 3, false, false}, {U32_CS, true, false},
               {TSS_SEL, false, false}, {K_DS, false, false}, {0, false, false}};
  m_code(&m, "\x0f\x00\xe0\x0f\x00\xe8\x63\xd8"); /* verr %ax; verw %ax; arpl %bx, %ax */
  for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
    m_ring(&m, 3);
    m.cpu->gpr[RAX] = cases[c].sel;
    m.cpu->gpr[RBX] = 2;
    m_step(&m);
    ck_assert_uint_eq(!!(m.cpu->hf & HF_ZF), cases[c].verr);
    m_step(&m);
    ck_assert_uint_eq(!!(m.cpu->hf & HF_ZF), cases[c].verw);
    m_step(&m);
    ck_assert_uint_eq(!!(m.cpu->hf & HF_ZF), (cases[c].sel & 3) < 2);
    ck_assert_uint_eq(m.cpu->gpr[RAX], (cases[c].sel & 3) < 2 ? (cases[c].sel & ~3u) | 2 : cases[c].sel);
  }
  m_free(&m);
}
END_TEST

/* ---- privileges ---- */

START_TEST(privileged_instructions_at_ring3) {
  static const char code[][4] = {
      "\xf4",         "\x0f\x06",     "\x0f\x09",     "\x0f\x08",     "\x0f\x20\xc0",
      "\x0f\x22\xd8", "\x0f\x21\xc0", "\x0f\x23\xc0", "\x0f\x30",     "\x0f\x32",
      "\x0f\x01\x38", "\x0f\x01\x10", "\x0f\x01\x18", "\x0f\x01\xf0", "\x0f\x00\xd0",
      "\x0f\x00\xd8", "\xfa",         "\xfb",         "\xe4\x10",     "\xee",
  };
  for (unsigned c = 0; c < ARRAY_SIZE(code); c++) {
    FOR_MODES(m, 3) {
      m.cpu->gpr[RAX] = DATA;
      m_code_at(&m, CODE, code[c], 4);
      m_expect_fault(&m, VEC_GP, 0, CODE);
    }
  }
}
END_TEST

START_TEST(umip) {
  static const char *const code[] = {"\x0f\x01\x00", "\x0f\x01\x08", "\x0f\x00\xc0", "\x0f\x00\xc8",
                                     "\x0f\x01\xe0"};
  for (unsigned c = 0; c < ARRAY_SIZE(code); c++) {
    FOR_MODES(m, 3) {
      m.cpu->gpr[RAX] = DATA;
      m_code_at(&m, CODE, code[c], 3);
      m_step(&m);
      m_ring(&m, 3);
      m.cpu->cr4 |= CR4_UMIP;
      m.cpu->gpr[RAX] = DATA;
      m_expect_fault(&m, VEC_GP, 0, CODE);
    }
  }
}
END_TEST

START_TEST(io_permission_bitmap) {
  FOR_MODES(m, 3) {
    m_code(&m, "\xed"); /* in (%dx), %eax */
    m.cpu->gpr[RDX] = 0x3f8;
    m_put(&m, TSS + 104 + 0x3f8 / 8, 0xf0, 1); /* 3F8h to 3FBh */
    m_step(&m);
    ck_assert_uint_eq(m.cpu->gpr[RAX], 0xffffffff); /* nobody answers */
    m_ring(&m, 3);
    m.cpu->gpr[RDX] = 0x3f9;
    m_expect_fault(&m, VEC_GP, 0, CODE);
    m_ring(&m, 3);
    m.cpu->gpr[RDX] = 0x3f8;
    m.cpu->tr.limit = 104 + 0x3f8 / 8; /* the second byte read is beyond it */
    m_expect_fault(&m, VEC_GP, 0, CODE);
    m_ring(&m, 3);
    m.cpu->eflags |= EF_IOPL;
    m_step(&m);
  }
}
END_TEST

START_TEST(popf_and_iopl) {
  FOR_MODES(m, 3) {
    m_code(&m, "\x9d\x9c"); /* popf; pushf */
    m_put(&m, USTACK, EF_VALID & ~(EF_TF | EF_AC), 8);
    m_step(&m);
    ck_assert_uint_eq(cpu_eflags(m.cpu), EF_1 | EF_STATUS | EF_IF | EF_DF | EF_NT | EF_ID);
    m_step(&m);
    ck_assert_uint_eq(m_get(&m, USTACK, 4), EF_1 | EF_STATUS | EF_IF | EF_DF | EF_NT | EF_ID);
    ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK);
    m_ring(&m, 3);
    m.cpu->eflags |= EF_IOPL;
    m_put(&m, USTACK, 2, 8);
    m_step(&m);
    ck_assert_uint_eq(cpu_eflags(m.cpu), EF_1 | EF_IOPL); /* IF changes, IOPL does not */
  }
}
END_TEST

START_TEST(sti_holds_off_interrupts_once) {
  struct machine m = m_new(VENDOR, LONG64, 0);
  m_code(&m, "\xfb\x90\xfb\x90");
  m.cpu->eflags &= ~(u32)EF_IF;
  m_step(&m);
  ck_assert_uint_eq(m.cpu->inhibit, INHIBIT_INT);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->inhibit, 0);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->inhibit, 0); /* IF was 1 already */
  m_free(&m);
}
END_TEST

/* The single-step trap behind MOV SS is lost, the next one is not; the second of two MOV SS holds nothing
 * off. */
START_TEST(mov_ss_holds_off_traps_once) {
  FOR_MODES(m, 3) {
    m_code(&m, "\x8e\xd0\x90\x90");
    m.cpu->gpr[RAX] = U_DS;
    m.cpu->eflags |= EF_TF;
    cpu_update_mode(m.cpu);
    m_expect_vector(&m, VEC_DB);
    ck_assert_uint_eq(m_slot(&m, 0), CODE + 3);
    m_ring(&m, 3);
    m_code(&m, "\x8e\xd0\x8e\xd0\x90");
    m.cpu->gpr[RAX] = U_DS;
    m.cpu->eflags |= EF_TF;
    cpu_update_mode(m.cpu);
    m_expect_vector(&m, VEC_DB);
    ck_assert_uint_eq(m_slot(&m, 0), CODE + 4);
  }
}
END_TEST

/* ---- control registers, MSRs ---- */

START_TEST(cr0_cr4_reserved_combinations) {
  static const struct {
    const char *code;
    u64 set, clear; /* of the register's present value */
  } cases[] = {
      {"\x0f\x22\xc0", BIT(32), 0},  {"\x0f\x22\xc0", 0, CR0_PE},  {"\x0f\x22\xc0", CR0_NW, 0},
      {"\x0f\x22\xc0", 0, CR0_PG},   {"\x0f\x22\xe0", BIT(63), 0}, {"\x0f\x22\xe0", 0, CR4_PAE},
      {"\x0f\x22\xe0", CR4_LA57, 0}, {"\x0f\x22\xe0", BIT(15), 0},
  };
  for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
    struct machine m = m_new(VENDOR, LONG64, 0);
    u64 now = cases[c].code[2] == '\xc0' ? m.cpu->cr0 : m.cpu->cr4;
    m_code_at(&m, CODE, cases[c].code, 3);
    m.cpu->gpr[RAX] = (now | cases[c].set) & ~cases[c].clear;
    m_expect_fault(&m, VEC_GP, 0, CODE);
    m_free(&m);
  }
}
END_TEST

/* SDM 3A 9.8.5: PAE, CR3, EFER.LME, CR0.PG, then a far jump. */
START_TEST(entering_and_leaving_long_mode) {
  struct machine m = m_new(VENDOR, LEGACY32, 0);
  m_code(&m, "\x0f\x22\xc0\xea\x00\x10\x04\x00\x10\x00"); /* mov %eax, %cr0; ljmp $K64_CS, $0x41000 */
  m.cpu->msr[MSR_EFER] |= EFER_LME;
  m.cpu->cr4 &= ~CR4_PAE;
  m.cpu->gpr[RAX] = m.cpu->cr0 | CR0_PG;
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_ring(&m, 0);
  m.cpu->cr4 |= CR4_PAE;
  m_step(&m);
  ck_assert_uint_eq(m.cpu->msr[MSR_EFER] & EFER_LMA, EFER_LMA);
  ck_assert_uint_eq(m.cpu->mode & (MODE_LMA | MODE_CODE_MASK), MODE_LMA | MODE_CODE32);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, 0x41000);
  ck_assert_uint_eq(m.cpu->mode & MODE_CODE_MASK, MODE_CODE64);
  m_ring(&m, 0); /* compatibility mode again */
  m.cpu->gpr[RAX] = m.cpu->cr0 & ~CR0_PG;
  m_step(&m);
  ck_assert_uint_eq(m.cpu->msr[MSR_EFER] & EFER_LMA, 0);
  m_free(&m);
}
END_TEST

START_TEST(rdmsr_and_wrmsr) {
  struct machine m = m_new(VENDOR, LONG64, 0);
  m_code(&m, "\x0f\x30\x0f\x32"); /* wrmsr; rdmsr */
  m.cpu->gpr[RCX] = 0xc0000100;   /* FS_BASE */
  m.cpu->gpr[RAX] = 0x9abcdef0;
  m.cpu->gpr[RDX] = 0x1234;
  m_step(&m);
  ck_assert_uint_eq(m.cpu->seg[FS].base, UINT64_C(0x12349abcdef0));
  m.cpu->gpr[RAX] = m.cpu->gpr[RDX] = ~UINT64_C(0);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->gpr[RAX], 0x9abcdef0);
  ck_assert_uint_eq(m.cpu->gpr[RDX], 0x1234);
  m_ring(&m, 0);
  m.cpu->gpr[RDX] = 0x8000; /* not canonical */
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_ring(&m, 0);
  m.cpu->gpr[RCX] = 0x12345678; /* no such register */
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_ring(&m, 0);
  m.cpu->gpr[RCX] = 0xc0000080; /* EFER: a reserved bit */
  m.cpu->gpr[RDX] = 0;
  m.cpu->gpr[RAX] = (u32)m.cpu->msr[MSR_EFER] | 2;
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_free(&m);
}
END_TEST

START_TEST(fs_and_gs_base_instructions) {
  struct machine m = m_new(VENDOR, LONG64, 3);
  m_code(&m, "\xf3\x48\x0f\xae\xd0\xf3\x0f\xae\xc3"); /* wrfsbase %rax; rdfsbase %ebx */
  m_expect_vector(&m, VEC_UD);
  m_ring(&m, 3);
  m.cpu->cr4 |= CR4_FSGSBASE;
  m.cpu->gpr[RAX] = UINT64_C(0x7fff12345678);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->seg[FS].base, UINT64_C(0x7fff12345678));
  m_step(&m);
  ck_assert_uint_eq(m.cpu->gpr[RBX], 0x12345678);
  m_ring(&m, 3);
  m.cpu->gpr[RAX] = UINT64_C(0x800000000000);
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_free(&m);
}
END_TEST

START_TEST(debug_registers) {
  FOR_MODES(m, 0) {
    m_code(&m, "\x0f\x23\xf8\x0f\x21\xe3"); /* mov %eax, %dr7; mov %dr4, %ebx */
    m.cpu->gpr[RAX] = 0;
    m_step(&m);
    ck_assert_uint_eq(m.cpu->dr[7], DR7_FIXED);
    m_step(&m);
    ck_assert_uint_eq(m.cpu->gpr[RBX], m.cpu->dr[6]);
    m_ring(&m, 0);
    m.cpu->dr[7] |= DR7_GD;
    m_expect_vector(&m, VEC_DB);
    ck_assert_uint_eq(m_slot(&m, 0), CODE);
    ck_assert_uint_eq(m_slot(&m, 2) & EF_RF, EF_RF);
    ck_assert_uint_eq(m.cpu->dr[6], DR6_FIXED | DR6_BD);
    ck_assert_uint_eq(m.cpu->dr[7], DR7_FIXED);
    m_ring(&m, 0);
    m.cpu->rip = CODE + 3;
    m.cpu->cr4 |= CR4_DE;
    m_expect_vector(&m, VEC_UD);
  }
}
END_TEST

START_TEST(descriptor_table_registers) {
  FOR_MODES(m, 0) {
    m_code(
        &m,
        "\x0f\x01\x18\x0f\x01\x0b\x0f\x00\xd9\x0f\x00\xca"); /* lidt (%eax); sidt (%ebx); ltr %cx; str %edx */
    m.cpu->gpr[RAX] = DATA;
    m.cpu->gpr[RBX] = DATA + 32;
    m.cpu->gpr[RCX] = TSS_SEL;
    m_put(&m, DATA, 0x7ff, 2);
    m_put(&m, DATA + 2, IDT, 8);
    m_step(&m);
    ck_assert_uint_eq(m.cpu->idtr.limit, 0x7ff);
    ck_assert_uint_eq(m.cpu->idtr.base, IDT);
    m_step(&m);
    ck_assert_uint_eq(m_get(&m, DATA + 32, 2), 0x7ff);
    ck_assert_uint_eq(m_get(&m, DATA + 34, 4), IDT);
    m_expect_fault(&m, VEC_GP, TSS_SEL, CODE + 6); /* busy */
    m_ring(&m, 0);
    m.cpu->rip = CODE + 6;
    m.cpu->gpr[RCX] = TSS_SEL;
    m_put(&m, GDT + TSS_SEL + 5, 0x89, 1);
    m_put(&m, GDT + TSS_SEL + 8, 0, 8);
    m_step(&m);
    ck_assert_uint_eq(m_get(&m, GDT + TSS_SEL + 5, 1), 0x8b);
    ck_assert_uint_eq(m.cpu->tr.base, TSS);
    m_step(&m);
    ck_assert_uint_eq(m.cpu->gpr[RDX], TSS_SEL);
  }
}
END_TEST

Suite *suite_segments(void);
Suite *suite_segments(void) {
  const TTest *const tests[] = {
      mov_to_data_segment,
      mov_to_ss,
      null_ss_in_64_bit_ring0,
      mov_to_cs_and_unknown_segments,
      accessed_bit_is_set_in_memory,
      null_fs_and_its_base,
      null_segment_faults_on_use,
      push_pop_and_load_far_pointers,
      far_jmp_between_widths,
      far_jmp_faults,
      far_jmp_checks_limit_and_presence,
      far_call_and_return,
      retf_to_ring3_drops_parameters_on_both_stacks,
      call_gate_copies_parameters,
      call_gate_in_long_mode,
      lar_and_lsl,
      verr_verw_arpl,
      privileged_instructions_at_ring3,
      umip,
      io_permission_bitmap,
      popf_and_iopl,
      sti_holds_off_interrupts_once,
      mov_ss_holds_off_traps_once,
      cr0_cr4_reserved_combinations,
      entering_and_leaving_long_mode,
      rdmsr_and_wrmsr,
      fs_and_gs_base_instructions,
      debug_registers,
      descriptor_table_registers,
  };
  Suite *s = suite_create("segments");
  TCase *t = tcase_create("segments");
  for (unsigned k = 0; k < ARRAY_SIZE(tests); k++) tcase_add_loop_test(t, tests[k], 0, VENDOR_COUNT);
  suite_add_tcase(s, t);
  return s;
}
