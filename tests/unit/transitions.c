/* Delivery of interrupts and exceptions, and IRET: real effects on a small machine.
 * SDM 3A 6.12 (Exception and Interrupt Handling), 6.13 (Error Code), 6.14 (Exception and Interrupt
 * Handling in 64-bit Mode), 6.15 (Interrupt 8);
 * SDM 2A INT n, IRET. The numbers expected are those manuals' own arithmetic. */
#include "cpu/check.h"
#include "tests/unit/machine.h"

static const enum machine_mode modes[] = {LEGACY32, COMPAT32, LONG64};

#define FOR_MODES(m, cpl)                                       \
  for (unsigned k_ = 0; k_ < ARRAY_SIZE(modes); k_++)           \
    for (struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, modes[k_], (cpl)), *once_ = &m; once_; \
         m_free(&m), once_ = NULL)

/* ---- INT n and gates ---- */

START_TEST(int_to_ring0_switches_stack) {
  FOR_MODES(m, 3) {
    m_code(&m, "\xcd\x80");
    u16 cs = m.cpu->seg[CS].sel;
    m_expect_vector(&m, 0x80);
    ck_assert_uint_eq(m.cpu->cpl, 0);
    ck_assert_uint_eq(m.cpu->seg[CS].sel, m.mode == LEGACY32 ? K32_CS : K64_CS);
    ck_assert_uint_eq(m.cpu->seg[SS].sel, m.mode == LEGACY32 ? K_DS : 0);
    ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 5 * (m.mode == LEGACY32 ? 4 : 8));
    ck_assert_uint_eq(m_slot(&m, 0), CODE + 2);
    ck_assert_uint_eq(m_slot(&m, 1), cs);
    ck_assert_uint_eq(m_slot(&m, 2), EF_1 | EF_IF);
    ck_assert_uint_eq(m_slot(&m, 3), USTACK);
    ck_assert_uint_eq(m_slot(&m, 4), U_DS);
    ck_assert_uint_eq(m.cpu->eflags & EF_IF, 0); /* an interrupt gate */
  }
}
END_TEST

START_TEST(trap_gate_keeps_if) {
  FOR_MODES(m, 3) {
    m_gate(&m, 0x80, 0xf, 3, m.mode == LEGACY32 ? K32_CS : K64_CS, HANDLER(0x80), 0);
    m_code(&m, "\xcd\x80");
    cpu_set_eflags(m.cpu, EF_1 | EF_IF | EF_NT);
    m_expect_vector(&m, 0x80);
    ck_assert_uint_eq(m.cpu->eflags & (EF_IF | EF_NT), EF_IF);
    ck_assert_uint_eq(m_slot(&m, 2), EF_1 | EF_IF | EF_NT);
  }
}
END_TEST

START_TEST(int_at_the_same_level) {
  FOR_MODES(m, 0) {
    m_code(&m, "\xcd\x21");
    m.cpu->gpr[RSP] = KSTACK - 0x803; /* long mode aligns it down to 16 */
    m_expect_vector(&m, 0x21);
    if (m.mode == LEGACY32) {
      ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 0x803 - 12);
    } else {
      ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 0x810 - 40);
      ck_assert_uint_eq(m_slot(&m, 3), KSTACK - 0x803);
      ck_assert_uint_eq(m.cpu->seg[SS].sel, K_DS);
    }
    ck_assert_uint_eq(m_slot(&m, 0), CODE + 2);
  }
}
END_TEST

/* Gate DPL < CPL: #GP(vector * 8 + 2), EXT = 0, at the instruction; before the present check. */
START_TEST(int_checks_gate_dpl_first) {
  FOR_MODES(m, 3) {
    m_code(&m, "\xcd\x21");
    m_gate_absent(&m, 0x21);
    m_expect_fault(&m, VEC_GP, 0x21 * 8 + 2, CODE);
  }
}
END_TEST

START_TEST(int_through_an_absent_gate) {
  FOR_MODES(m, 3) {
    m_code(&m, "\xcd\x80");
    m_gate_absent(&m, 0x80);
    m_expect_fault(&m, VEC_NP, 0x80 * 8 + 2, CODE);
  }
}
END_TEST

START_TEST(int_beyond_the_idt_limit) {
  FOR_MODES(m, 0) {
    m_code(&m, "\xcd\x80");
    m.cpu->idtr.limit = (u16)(0x80 * (m.mode == LEGACY32 ? 8 : 16) + (m.mode == LEGACY32 ? 6 : 14));
    m_expect_fault(&m, VEC_GP, 0x80 * 8 + 2, CODE);
  }
}
END_TEST

START_TEST(int_through_a_wrong_gate) {
  FOR_MODES(m, 0) {
    m_gate(&m, 0x80, 0xc, 3, K32_CS, HANDLER(0x80), 0); /* a call gate */
    m_code(&m, "\xcd\x80");
    m_expect_fault(&m, VEC_GP, 0x80 * 8 + 2, CODE);
  }
}
END_TEST

START_TEST(gate_code_segment) {
  static const struct {
    u16 sel;
    u8 vec;
    u32 error;
  } cases[] = {
      {0, VEC_GP, 0},
      {3, VEC_GP, 0},
      {0x100, VEC_GP, 0x100},
      {K_DS, VEC_GP, K_DS},
      {ABSENT_CS, VEC_NP, ABSENT_CS},
      {U32_CS, VEC_GP, U32_CS & ~3},
      {0x0c, VEC_GP, 0x0c},
  };
  for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
    FOR_MODES(m, 0) {
      if (m.mode != LEGACY32 && cases[c].vec == VEC_NP) /* L = 1 is looked at before P */
        m_put(&m, GDT + ABSENT_CS, m_descriptor(0, 0xfffff, 0x1b, 0xa), 8);
      m_gate(&m, 0x80, 0xe, 3, cases[c].sel, HANDLER(0x80), 0);
      m_code(&m, "\xcd\x80");
      m_expect_fault(&m, cases[c].vec, cases[c].error, CODE);
    }
  }
}
END_TEST

/* A 32-bit code segment in a long-mode gate: #GP(sel). SDM 3A 6.14.1 */
START_TEST(long_gate_needs_64_bit_code) {
  struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LONG64, 0);
  m_gate(&m, 0x80, 0xe, 3, K32_CS, HANDLER(0x80), 0);
  m_code(&m, "\xcd\x80");
  m_expect_fault(&m, VEC_GP, K32_CS, CODE);
  m_free(&m);
}
END_TEST

START_TEST(conforming_handler_keeps_cpl) {
  struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LEGACY32, 3);
  m_gate(&m, 0x80, 0xe, 3, CONF_CS, HANDLER(0x80), 0);
  m_code(&m, "\xcd\x80");
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, HANDLER(0x80));
  ck_assert_uint_eq(m.cpu->cpl, 3);
  ck_assert_uint_eq(m.cpu->seg[CS].sel, CONF_CS | 3);
  ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK - 12);
  m_free(&m);
}
END_TEST

START_TEST(ist_switches_at_the_same_level) {
  struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LONG64, 0);
  m_gate(&m, 0x80, 0xe, 3, K64_CS, HANDLER(0x80), 1);
  m_code(&m, "\xcd\x80");
  m_expect_vector(&m, 0x80);
  ck_assert_uint_eq(m.cpu->gpr[RSP], IST1 - 40);
  ck_assert_uint_eq(m_slot(&m, 3), KSTACK - 0x800);
  ck_assert_uint_eq(m_slot(&m, 4), K_DS);
  m_free(&m);
}
END_TEST

START_TEST(sixteen_bit_gate_pushes_words) {
  struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LEGACY32, 3);
  m_put(&m, 0x100, 0xf4, 1);
  m_gate(&m, 0x80, 6, 3, K32_CS, 0x10100, 0); /* only 16 bits of the offset count */
  m_code(&m, "\xcd\x80");
  ck_assert_int_eq(cpu_run(m.cpu, 100), CPU_EXIT_HALT);
  ck_assert_uint_eq(m.cpu->rip, 0x101);
  ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 10);
  ck_assert_uint_eq(m_get(&m, KSTACK - 10, 2), (CODE + 2) & 0xffff);
  ck_assert_uint_eq(m_get(&m, KSTACK - 2, 2), U_DS);
  m_free(&m);
}
END_TEST

/* A check turned round: the forbidden gate opens, the permitted one does not. Only for tests of tests. */
START_TEST(inverted_check) {
  FOR_MODES(m, 3) {
    struct recorder rec = {.invert = CHK_IDT_DPL};
    m.cpu->recorder = &rec;
    m_code(&m, "\xcd\x21");
    m_expect_vector(&m, 0x21);
    m_ring(&m, 3);
    m_code(&m, "\xcd\x80");
    m_expect_fault(&m, VEC_GP, 0x80 * 8 + 2, CODE);
  }
}
END_TEST

START_TEST(check_rows_are_whole) {
  for (unsigned k = 0; k < CHECKS; k++) {
    const struct check_row *r = &check_rows[k];
    ck_assert_msg(*r->id && *r->rule && *r->cite, "row %u", k);
    for (unsigned o = 0; o < k; o++) ck_assert_str_ne(check_rows[o].id, r->id);
    if (!*r->fault) continue;
    ck_assert_msg(r->vector < EXCEPTION_VECTORS && vector_rows[r->vector].mnemonic, "%s", r->id);
    ck_assert_msg(!strncmp(r->fault, vector_rows[r->vector].mnemonic, 3), "%s", r->id);
    ck_assert_msg(!!strchr(r->fault, '(') == vector_rows[r->vector].error, "%s", r->id);
  }
}
END_TEST

/* ---- stacks from the TSS ---- */

START_TEST(tss_stack_faults) {
  static const struct {
    u16 ss;
    u8 vec;
    u32 error;
  } cases[] = {
      {0, VEC_TS, 0}, {0x100, VEC_TS, 0x100}, {K_DS | 1, VEC_TS, K_DS}, {U_DS & ~3, VEC_TS, U_DS & ~3},
      {K32_CS, VEC_TS, K32_CS},
  };
  for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
    struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LEGACY32, 3);
    m_put(&m, TSS + 8, cases[c].ss, 2);
    m_code(&m, "\xcd\x80");
    /* delivering the #TS needs the same stack: its handler is conforming, so that none is switched */
    m_gate(&m, VEC_TS, 0xe, 0, CONF_CS, HANDLER(VEC_TS), 0);
    m_code_at(&m, HANDLER(VEC_TS), "\x90", 1);
    m_step(&m);
    ck_assert_uint_eq(m.cpu->rip, HANDLER(VEC_TS) + 1);
    ck_assert_uint_eq(m_slot(&m, 0), cases[c].error);
    m_free(&m);
  }
}
END_TEST

START_TEST(tss_limit) {
  FOR_MODES(m, 3) {
    m.cpu->tr.limit = 8;
    m_code(&m, "\xcd\x80");
    if (m.mode == LEGACY32) {
      m_gate(&m, VEC_TS, 0xe, 0, CONF_CS, HANDLER(VEC_TS), 0);
      m_code_at(&m, HANDLER(VEC_TS), "\x90", 1);
      m_step(&m);
      ck_assert_uint_eq(m_slot(&m, 0), TSS_SEL);
    } else {
      ck_assert_int_eq(cpu_run(m.cpu, 10), CPU_EXIT_SHUTDOWN); /* no stack for #TS or #DF either */
    }
  }
}
END_TEST

START_TEST(non_canonical_rsp0_is_ss) {
  struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LONG64, 3);
  m_put(&m, TSS + 4, UINT64_C(0x1000000000000), 8);
  m_gate(&m, VEC_SS, 0xe, 0, K64_CS, HANDLER(VEC_SS), 1);
  m_code(&m, "\xcd\x80");
  m_expect_fault(&m, VEC_SS, 0, CODE);
  m_free(&m);
}
END_TEST

/* From compatibility mode to a stack in the upper half: the frame's linear addresses are not cut to 32 bits,
 * nor where it crosses a page. */
START_TEST(frame_above_4_gib_crosses_a_page) {
  FOR_MODES(m, 3) {
    if (m.mode == LEGACY32) continue;
    const u64 top = UINT64_C(0xffff800040000000) + KSTACK + 16; /* its low half is mapped nowhere */
    m_put(&m, PML4 + 256 * 8, 0x5000 | PTE_P | PTE_RW | PTE_US, 8);
    m_put(&m, 0x5000 + 8, PD | PTE_P | PTE_RW | PTE_US, 8);
    m_put(&m, TSS + 4, top, 8);
    m_code(&m, "\xcd\x80");
    m_expect_vector(&m, 0x80);
    ck_assert_uint_eq(m.cpu->gpr[RSP], top - 40);
    ck_assert_uint_eq(m_get(&m, KSTACK - 24, 8), CODE + 2);
    ck_assert_uint_eq(m_get(&m, KSTACK, 8), USTACK);
    ck_assert_uint_eq(m_get(&m, KSTACK + 8, 8), U_DS);
  }
}
END_TEST

/* ---- exceptions ---- */

START_TEST(undefined_opcode_has_no_error_code) {
  FOR_MODES(m, 3) {
    m_code(&m, "\x0f\x0b");
    m_expect_vector(&m, VEC_UD);
    ck_assert_uint_eq(m_slot(&m, 0), CODE);
    ck_assert_uint_eq(m_slot(&m, 2), EF_1 | EF_IF | EF_RF);
  }
}
END_TEST

START_TEST(page_fault_error_codes) {
  static const struct {
    const char *code; /* mov %al, moffs / mov moffs, %al with 32-bit addresses */
    u32 error;
    u64 cr2;
  } cases[] = {
      {"\x67\xa0\x10\x00\x07\x00", PF_P | PF_U, SUPERVISOR_PAGE + 0x10},
      {"\x67\xa2\x10\x00\x07\x00", PF_P | PF_U | PF_W, SUPERVISOR_PAGE + 0x10},
      {"\x67\xa2\x20\x10\x07\x00", PF_P | PF_U | PF_W, READONLY_PAGE + 0x20},
      {"\x67\xa0\x30\x20\x07\x00", PF_U, ABSENT_PAGE + 0x30},
      {"\x67\xa2\x30\x20\x07\x00", PF_U | PF_W, ABSENT_PAGE + 0x30},
  };
  for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
    struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LONG64, 3);
    m_code_at(&m, CODE, cases[c].code, 6);
    m_expect_fault(&m, VEC_PF, cases[c].error, CODE);
    ck_assert_uint_eq(m.cpu->cr2, cases[c].cr2);
    m_free(&m);
  }
}
END_TEST

/* A fault while an exception is delivered has EXT = 1 (SDM 3A 6.13); a benign first event makes no double
 * fault. */
START_TEST(benign_first_is_served_serially) {
  FOR_MODES(m, 3) {
    m_code(&m, "\x0f\x0b");
    m_gate_absent(&m, VEC_UD);
    m_expect_fault(&m, VEC_NP, VEC_UD * 8 + 2 + 1, CODE);
  }
}
END_TEST

START_TEST(contributory_pair_is_double_fault) {
  FOR_MODES(m, 3) {
    m_code(&m, "\xcd\x21"); /* #GP by the gate's DPL */
    m_gate_absent(&m, VEC_GP);
    m_expect_fault(&m, VEC_DF, 0, CODE);
  }
}
END_TEST

START_TEST(page_fault_then_contributory_is_double_fault) {
  struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LONG64, 3);
  m_code(&m, "\x67\xa0\x30\x20\x07\x00");
  m_gate_absent(&m, VEC_PF);
  m_expect_fault(&m, VEC_DF, 0, CODE);
  ck_assert_uint_eq(m.cpu->cr2, ABSENT_PAGE + 0x30);
  m_free(&m);
}
END_TEST

/* Contributory, then page fault: the page fault is delivered. */
START_TEST(contributory_then_page_fault_is_serial) {
  struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LONG64, 3);
  m_code(&m, "\xcd\x21");
  m_gate(&m, VEC_GP, 0xe, 0, K64_CS, HANDLER(VEC_GP), 1);
  m_put(&m, TSS + 36, ABSENT_PAGE + 0x100, 8);
  m_expect_fault(&m, VEC_PF, PF_W, CODE);
  ck_assert_uint_eq(m.cpu->cr2 & PAGE_MASK, ABSENT_PAGE);
  m_free(&m);
}
END_TEST

START_TEST(triple_fault_shuts_down) {
  FOR_MODES(m, 3) {
    m_code(&m, "\xcd\x21");
    m_gate_absent(&m, VEC_GP);
    m_gate_absent(&m, VEC_DF);
    ck_assert_int_eq(cpu_run(m.cpu, 10), CPU_EXIT_SHUTDOWN);
    ck_assert_ptr_nonnull(m.cpu->shutdown_reason);
    ck_assert_uint_eq(m.cpu->rip, CODE);
    ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK);
    ck_assert_uint_eq(m.cpu->cpl, 3);
  }
}
END_TEST

START_TEST(external_interrupt) {
  FOR_MODES(m, 3) {
    event_interrupt(m.cpu, 0x30); /* DPL 0: not looked at */
    m_expect_vector(&m, 0x30);
    ck_assert_uint_eq(m_slot(&m, 0), CODE);
    ck_assert_uint_eq(m_slot(&m, 2), EF_1 | EF_IF);
    ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 5 * (m.mode == LEGACY32 ? 4 : 8));
  }
}
END_TEST

START_TEST(int3_int1_into) {
  FOR_MODES(m, 3) {
    m_code(&m, "\xcc");
    m_expect_vector(&m, VEC_BP);
    ck_assert_uint_eq(m_slot(&m, 0), CODE + 1);
    m_ring(&m, 3);
    m_code(&m, "\xf1"); /* the gate's DPL is 0: INT1 does not care */
    m_expect_vector(&m, VEC_DB);
    ck_assert_uint_eq(m_slot(&m, 0), CODE + 1);
    ck_assert_uint_eq(m.cpu->dr[6], DR6_FIXED);
    m_ring(&m, 3);
    m_code(&m, "\xce");
    if (m.mode == LONG64) {
      m_expect_vector(&m, VEC_UD);
    } else {
      m_step(&m);
      ck_assert_uint_eq(m.cpu->rip, CODE + 1);
      m_ring(&m, 3);
      m.cpu->hf |= HF_OF;
      m_expect_vector(&m, VEC_OF);
      ck_assert_uint_eq(m_slot(&m, 0), CODE + 1);
    }
  }
}
END_TEST

/* ---- IRET ---- */

/* Builds the frame IP CS FLAGS SP SS of n-byte slots at the stack pointer. */
static void iret_frame(struct machine *m, unsigned n, u64 ip, u16 cs, u32 flags, u64 sp, u16 ss) {
  u64 v[5] = {ip, cs, flags, sp, ss};
  for (unsigned k = 0; k < 5; k++) m_put(m, m->cpu->gpr[RSP] + k * n, v[k], n);
}
static void iret_code(struct machine *m) {
  if (m->mode == LONG64) m_code(m, "\x48\xcf");
  else m_code(m, "\xcf");
}
static unsigned iret_bytes(const struct machine *m) { return m->mode == LONG64 ? 8 : 4; }

START_TEST(iret_to_ring3) {
  FOR_MODES(m, 0) {
    u16 cs = m.mode == LONG64 ? U64_CS : U32_CS;
    iret_code(&m);
    iret_frame(&m, iret_bytes(&m), 0x41000, cs, 0x246 | EF_IOPL | EF_RF | EF_AC | EF_ID, USTACK - 64, U_DS);
    m_load_seg(&m, FS, U_DS);
    m.cpu->seg[GS] = (struct seg){.sel = 3, .attr = SEG_NULL, .base = 0x1234};
    m_step(&m);
    ck_assert_uint_eq(m.cpu->rip, 0x41000);
    ck_assert_uint_eq(m.cpu->cpl, 3);
    ck_assert_uint_eq(m.cpu->seg[CS].sel, cs);
    ck_assert_uint_eq(m.cpu->seg[SS].sel, U_DS);
    ck_assert_uint_eq(m.cpu->gpr[RSP], USTACK - 64);
    ck_assert_uint_eq(cpu_eflags(m.cpu), 0x246 | EF_IOPL | EF_RF | EF_AC | EF_ID);
    ck_assert_uint_eq(m.cpu->seg[DS].sel, 0); /* DPL 0 */
    ck_assert_uint_ne(m.cpu->seg[DS].attr & SEG_NULL, 0);
    ck_assert_uint_eq(m.cpu->seg[FS].sel, U_DS);
    ck_assert_uint_eq(m.cpu->seg[GS].sel, 0); /* NULL selectors lose their RPL, not the base */
    ck_assert_uint_eq(m.cpu->seg[GS].base, 0x1234);
  }
}
END_TEST

START_TEST(iret_faults) {
  static const struct {
    u16 cs, ss;
    u8 vec;
    u32 error;
  } cases[] = {
      {0, U_DS, VEC_GP, 0},
      {3, U_DS, VEC_GP, 0},
      {0x103, U_DS, VEC_GP, 0x100},
      {U_DS, U_DS, VEC_GP, U_DS & ~3},
      {U32_CS & ~3, U_DS, VEC_GP, U32_CS & ~3},
      {K32_CS | 3, U_DS, VEC_GP, K32_CS},
      {U32_CS, 0, VEC_GP, 0},
      {U32_CS, 3, VEC_GP, 0},
      {U32_CS, 0x103, VEC_GP, 0x100},
      {U32_CS, U_DS & ~3, VEC_GP, U_DS & ~3},
      {U32_CS, RO_DS | 3, VEC_GP, RO_DS},
      {U32_CS, K_DS | 3, VEC_GP, K_DS},
      {U32_CS, U32_CS, VEC_GP, U32_CS & ~3},
      {U32_CS, ABSENT_SS, VEC_SS, ABSENT_SS & ~3},
  };
  for (unsigned c = 0; c < ARRAY_SIZE(cases); c++) {
    FOR_MODES(m, 0) {
      iret_code(&m);
      iret_frame(&m, iret_bytes(&m), 0x41000, cases[c].cs, 0x202, USTACK, cases[c].ss);
      m_expect_fault(&m, cases[c].vec, cases[c].error, CODE);
    }
  }
}
END_TEST

START_TEST(iret_absent_code) {
  FOR_MODES(m, 0) {
    iret_code(&m);
    iret_frame(&m, iret_bytes(&m), 0x41000, ABSENT_CS, 0x202, KSTACK - 0x400, K_DS);
    m_expect_fault(&m, VEC_NP, ABSENT_CS, CODE);
  }
}
END_TEST

START_TEST(iret_from_ring3_cannot_go_inward_or_change_iopl) {
  FOR_MODES(m, 3) {
    u16 cs = m.mode == LONG64 ? U64_CS : U32_CS;
    iret_code(&m);
    iret_frame(&m, iret_bytes(&m), 0x41000, cs, 0x002 | EF_IOPL | EF_CF, USTACK - 128, U_DS);
    m_step(&m);
    ck_assert_uint_eq(cpu_eflags(m.cpu), EF_1 | EF_IF | EF_CF);
    m_ring(&m, 3);
    iret_frame(&m, iret_bytes(&m), 0x41000, (u16)(cs & ~3), 0x202, USTACK, U_DS);
    m_expect_fault(&m, VEC_GP, cs & ~3u, CODE);
  }
}
END_TEST

/* At the same level three slots are popped, but five in 64-bit mode. */
START_TEST(iret_at_the_same_level) {
  FOR_MODES(m, 0) {
    u64 sp = m.cpu->gpr[RSP];
    iret_code(&m);
    iret_frame(&m, iret_bytes(&m), 0x41000, m.cpu->seg[CS].sel, 0x002, KSTACK - 0x300, K_DS);
    m_step(&m);
    ck_assert_uint_eq(m.cpu->rip, 0x41000);
    ck_assert_uint_eq(m.cpu->gpr[RSP], m.mode == LONG64 ? KSTACK - 0x300 : sp + 12);
    ck_assert_uint_eq(m.cpu->seg[DS].sel, K_DS);
  }
}
END_TEST

START_TEST(iret_null_ss_to_64_bit_ring0) {
  struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LONG64, 0);
  iret_code(&m);
  iret_frame(&m, 8, 0x41000, K64_CS, 0x202, KSTACK - 0x300, 0);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->seg[SS].sel, 0);
  ck_assert_uint_eq(m.cpu->rip, 0x41000);
  m_ring(&m, 0);
  iret_frame(&m, 8, 0x41000, U64_CS, 0x202, USTACK, 3); /* not at CPL 3 */
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_free(&m);
}
END_TEST

START_TEST(iret_long_mode_refusals) {
  struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LONG64, 0);
  iret_code(&m);
  iret_frame(&m, 8, UINT64_C(0x800000000000), U64_CS, 0x202, USTACK, U_DS);
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_ring(&m, 0);
  iret_frame(&m, 8, 0x41000, LD_CS, 0x202, USTACK, U_DS); /* L and D both set */
  m_expect_fault(&m, VEC_GP, LD_CS & ~3, CODE);
  m_ring(&m, 0);
  cpu_set_eflags(m.cpu, EF_1 | EF_NT);
  iret_frame(&m, 8, 0x41000, U64_CS, 0x202, USTACK, U_DS);
  m_expect_fault(&m, VEC_GP, 0, CODE);
  m_free(&m);
}
END_TEST

/* A 16-bit stack takes SP only (the "espfix" leak); AMD64 behaves the same. */
START_TEST(iret_to_a_16_bit_stack) {
  FOR_MODES(m, 0) {
    iret_code(&m);
    iret_frame(&m, iret_bytes(&m), 0x41000, U32_CS, 0x202, 0xabcd1230, STACK16 | 3);
    m_step(&m);
    ck_assert_uint_eq(m.cpu->gpr[RSP], ((KSTACK - 0x800) & ~0xffffu) | 0x1230);
  }
}
END_TEST

/* ---- single steps: SDM 3B 17.3.1.4; SDM 2B POPF ---- */

START_TEST(tf_acts_one_instruction_later) {
  FOR_MODES(m, 3) {
    m_code(&m, "\x9d\x90\x90"); /* popf; nop; nop */
    m_put(&m, m.cpu->gpr[RSP], 0x302, 8);
    m_expect_vector(&m, VEC_DB);
    ck_assert_uint_eq(m_slot(&m, 0), CODE + 2);
    ck_assert_uint_eq(m_slot(&m, 2), EF_1 | EF_IF | EF_TF);
    ck_assert_uint_eq(m.cpu->dr[6], DR6_FIXED | DR6_BS);
    ck_assert_uint_eq(m.cpu->eflags & EF_TF, 0);
  }
}
END_TEST

START_TEST(int_under_tf_does_not_trap_in_the_handler) {
  FOR_MODES(m, 3) {
    m_code(&m, "\xcd\x80");
    cpu_set_eflags(m.cpu, EF_1 | EF_IF | EF_TF);
    cpu_update_mode(m.cpu);
    m_expect_vector(&m, 0x80);
    ck_assert_uint_eq(m_slot(&m, 2), EF_1 | EF_IF | EF_TF);
    ck_assert_uint_eq(m.cpu->dr[6], DR6_FIXED);
  }
}
END_TEST

START_TEST(fault_under_tf_does_not_trap) {
  FOR_MODES(m, 3) {
    m_code(&m, "\x0f\x0b");
    cpu_set_eflags(m.cpu, EF_1 | EF_IF | EF_TF);
    cpu_update_mode(m.cpu);
    m_expect_vector(&m, VEC_UD);
    ck_assert_uint_eq(m_slot(&m, 2), EF_1 | EF_IF | EF_TF | EF_RF);
    ck_assert_uint_eq(m.cpu->dr[6], DR6_FIXED);
  }
}
END_TEST

/* RF from IRET counts for one instruction only. */
START_TEST(rf_lasts_one_instruction) {
  FOR_MODES(m, 0) {
    u16 cs = m.mode == LONG64 ? U64_CS : U32_CS;
    iret_code(&m);
    m_code_at(&m, 0x41000, "\x90\x90", 2);
    iret_frame(&m, iret_bytes(&m), 0x41000, cs, 0x202 | EF_RF, USTACK, U_DS);
    m_step(&m);
    ck_assert_uint_eq(cpu_eflags(m.cpu) & EF_RF, EF_RF);
    event_interrupt(m.cpu, 0x30);
    ck_assert_uint_eq(m_slot(&m, 2) & EF_RF, EF_RF);
    m_ring(&m, 0);
    m_step(&m);
    m_step(&m);
    ck_assert_uint_eq(cpu_eflags(m.cpu) & EF_RF, 0);
    event_interrupt(m.cpu, 0x30);
    ck_assert_uint_eq(m_slot(&m, 2) & EF_RF, 0);
  }
}
END_TEST

/* ---- real and virtual-8086 mode ---- */

START_TEST(real_mode_int_and_iret) {
  struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LEGACY32, 0);
  cpu_reset(m.cpu);
  m_put(&m, 0x80 * 4, 0x12340010, 4); /* 1234:0010 */
  m_code_at(&m, 0x12350, "\xcf", 1);
  m_code_at(&m, 0x3000, "\xcd\x80", 2);
  seg_load_real(m.cpu, CS, 0x300);
  m.cpu->gpr[RSP] = 0x8000;
  m.cpu->rip = 0;
  cpu_set_eflags(m.cpu, EF_1 | EF_IF | EF_CF);
  cpu_update_mode(m.cpu);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, 0x10);
  ck_assert_uint_eq(m.cpu->seg[CS].sel, 0x1234);
  ck_assert_uint_eq(m.cpu->gpr[RSP], 0x7ffa);
  ck_assert_uint_eq(m_get(&m, 0x7ffa, 2), 2);
  ck_assert_uint_eq(m_get(&m, 0x7ffc, 2), 0x300);
  ck_assert_uint_eq(m_get(&m, 0x7ffe, 2), EF_1 | EF_IF | EF_CF);
  ck_assert_uint_eq(m.cpu->eflags & EF_IF, 0);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->rip, 2);
  ck_assert_uint_eq(m.cpu->seg[CS].base, 0x3000);
  ck_assert_uint_eq(cpu_eflags(m.cpu), EF_1 | EF_IF | EF_CF);
  m_free(&m);
}
END_TEST

START_TEST(virtual_8086_round_trip) {
  struct machine m = m_new(_i ? VENDOR_AMD : VENDOR_INTEL, LEGACY32, 0);
  const u32 frame[9] = {0x20, 0x4000, 0x202 | EF_VM, 0x1000, 0x3000, 0x11, 0x12, 0x13, 0x14};
  for (unsigned k = 0; k < 9; k++) m_put(&m, m.cpu->gpr[RSP] + k * 4, frame[k], 4);
  iret_code(&m);
  m_code_at(&m, 0x40020, "\xcd\x80", 2);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->cpl, 3);
  ck_assert_uint_eq(m.cpu->seg[CS].base, 0x40000);
  ck_assert_uint_eq(m.cpu->seg[ES].sel, 0x11);
  ck_assert_uint_eq(m.cpu->seg[GS].base, 0x140);
  m_expect_fault(&m, VEC_GP, 0, 0x20); /* IOPL 0: INT n is #GP(0) */
  ck_assert_uint_eq(m.cpu->gpr[RSP], KSTACK - 10 * 4);
  for (unsigned k = 1; k < 9; k++) /* above the error code: the same frame, RF set */
    ck_assert_uint_eq(m_slot(&m, k + 1), frame[k] | (k == 2 ? (u32)EF_RF : 0));
  ck_assert_uint_eq(m.cpu->seg[DS].sel, 0);
  ck_assert_uint_eq(m.cpu->eflags & EF_VM, 0);
  m_free(&m);
}
END_TEST

Suite *suite_transitions(void);
Suite *suite_transitions(void) {
  const TTest *const tests[] = {
      int_to_ring0_switches_stack,
      trap_gate_keeps_if,
      int_at_the_same_level,
      int_checks_gate_dpl_first,
      int_through_an_absent_gate,
      int_beyond_the_idt_limit,
      int_through_a_wrong_gate,
      gate_code_segment,
      long_gate_needs_64_bit_code,
      conforming_handler_keeps_cpl,
      ist_switches_at_the_same_level,
      sixteen_bit_gate_pushes_words,
      inverted_check,
      check_rows_are_whole,
      tss_stack_faults,
      tss_limit,
      non_canonical_rsp0_is_ss,
      frame_above_4_gib_crosses_a_page,
      undefined_opcode_has_no_error_code,
      page_fault_error_codes,
      benign_first_is_served_serially,
      contributory_pair_is_double_fault,
      page_fault_then_contributory_is_double_fault,
      contributory_then_page_fault_is_serial,
      triple_fault_shuts_down,
      external_interrupt,
      int3_int1_into,
      iret_to_ring3,
      iret_faults,
      iret_absent_code,
      iret_from_ring3_cannot_go_inward_or_change_iopl,
      iret_at_the_same_level,
      iret_null_ss_to_64_bit_ring0,
      iret_long_mode_refusals,
      iret_to_a_16_bit_stack,
      tf_acts_one_instruction_later,
      int_under_tf_does_not_trap_in_the_handler,
      fault_under_tf_does_not_trap,
      rf_lasts_one_instruction,
      real_mode_int_and_iret,
      virtual_8086_round_trip,
  };
  Suite *s = suite_create("transitions");
  TCase *t = tcase_create("transitions");
  for (unsigned k = 0; k < ARRAY_SIZE(tests); k++) tcase_add_loop_test(t, tests[k], 0, VENDOR_COUNT);
  suite_add_tcase(s, t);
  return s;
}
