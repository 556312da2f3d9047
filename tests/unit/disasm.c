/* Instructions as text with names, and their kinds: encodings of SDM 2 and, where the vendors differ, APM 3. */
#include "tests/unit/view_probe.h"

static const struct dbg_label labels[] = {{"main", 0x40000}, {"counter", 0x60000}};
static bool module(void *opaque, unsigned n, struct dbg_module *m) {
  (void)opaque;
  if (n) return false;
  *m = (struct dbg_module){.name = "test", .label = labels, .labels = ARRAY_SIZE(labels), .lo = 0x40000, .hi = 0x70000};
  return true;
}

struct shown {
  const char *bytes;
  unsigned n, bits;
  const char *att, *intel; /* NULL: not compared */
};

static void shows(struct probe *p, struct disasm *d, const struct shown *c, bool intel) {
  char text[200];
  const char *want = intel ? c->intel : c->att;
  m_code_at(&p->m, CODE, c->bytes, c->n);
  disasm_set_intel(d, intel);
  ck_assert_uint_eq(disasm_one(d, p->m.cpu, p->syms, CODE, CODE, c->bits, text, sizeof text), c->n);
  if (want) ck_assert_str_eq(text, want);
}

START_TEST(disassembly) {
  static const struct shown cases[] = {
      {"\xe8\xff\xff\xff\xff", 5, 64, "callq 0x40004 <main+4>", "call 0x40004 <main+4>"},
      {"\x8b\x05\xfa\xff\x01\x00", 6, 64, "movl 0x1fffa(%rip), %eax  # 0x60000 <counter>",
       "mov eax, dword ptr [rip + 0x1fffa]  # 0x60000 <counter>"},
      {"\xc7\x05\xf6\xff\x01\x00\x05\x00\x00\x00", 10, 64, "movl $5, 0x1fff6(%rip)  # 0x60000 <counter>", NULL},
      {"\xff\x25\xfa\xff\x01\x00", 6, 64, "jmpq *0x1fffa(%rip)  # 0x60000 <counter>", NULL},
      {"\xa1\x04\x00\x06\x00", 5, 32, "movl 0x60004, %eax  # <counter+4>",
       "mov eax, dword ptr [0x60004]  # <counter+4>"},
      {"\xbf\x00\x00\x06\x00", 5, 64, "movl $0x60000, %edi  # <counter>", "mov edi, 0x60000  # <counter>"},
      {"\xbf\x04\x00\x06\x00", 5, 64, "movl $0x60004, %edi", "mov edi, 0x60004"},
      {"\xff\x14\x25\x00\x00\x06\x00", 7, 64, "callq *0x60000  # <counter>", NULL},
      {"\x74\xfe", 2, 32, "je 0x40000 <main>", "je 0x40000 <main>"},
      {"\xcd\x80", 2, 32, "int $0x80", "int 0x80"},
      {"\x0f\x05", 2, 64, "syscall", "syscall"},
      {"\xc3", 1, 64, "retq", "ret"},
      {"\x48\xcf", 2, 64, "iretq", "iretq"},
      {"\xb8\x34\x12", 3, 16, "movw $0x1234, %ax", "mov ax, 0x1234"},
      {"\x66\xe9\x00\x01\x00\x00", 6, 64, "data16 jmp 0x40106 <main+262>", NULL}, /* intel: 66h does not count */
  };
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 3);
  struct dbg_target target = {.cpu = p.m.cpu, .module = module};
  struct disasm *d = disasm_create();
  char text[100];
  unsigned len;
  ck_assert_ptr_nonnull(d);
  p.syms = sym_open(&target);
  ck_assert_ptr_nonnull(p.syms);
  for (unsigned k = 0; k < ARRAY_SIZE(cases); k++)
    for (unsigned intel = 0; intel < 2; intel++) shows(&p, d, &cases[k], intel);
  disasm_set_intel(d, false);
  m_code_at(&p.m, CODE, "\x0f\x1c\xcb\x66\xf3\x68\x90\x6b\x01\x02", 10); /* Capstone knows neither as it is */
  ck_assert_uint_eq(disasm_one(d, p.m.cpu, NULL, CODE, CODE, 64, text, sizeof text), 3);
  ck_assert_str_eq(text, "(NOP)");
  ck_assert_uint_eq(disasm_one(d, p.m.cpu, NULL, CODE + 3, CODE + 3, 64, text, sizeof text), 5);
  ck_assert_str_eq(text, "(PUSH)");
  ck_assert_uint_eq(disasm_one(d, p.m.cpu, NULL, ABSENT_PAGE, ABSENT_PAGE, 64, text, sizeof text), 0);
  ck_assert_str_eq(text, "(unreadable)");
  m_code_at(&p.m, ABSENT_PAGE - 2, "\x0f\x05\xe8", 3);
  ck_assert_uint_eq(disasm_one(d, p.m.cpu, NULL, ABSENT_PAGE - 2, ABSENT_PAGE - 2, 64, text, sizeof text), 2);
  m_code_at(&p.m, ABSENT_PAGE - 1, "\xe8", 1); /* its end cannot be read */
  ck_assert_uint_eq(disasm_one(d, p.m.cpu, NULL, ABSENT_PAGE - 1, ABSENT_PAGE - 1, 64, text, sizeof text), 0);
  ck_assert_str_eq(text, "(bad)");
  m_code_at(&p.m, CODE, "\xf0\xff\xd0\x06", 4); /* LOCK CALL; PUSH ES in 64-bit mode */
  ck_assert_uint_eq(disasm_one(d, p.m.cpu, NULL, CODE, CODE, 64, text, sizeof text), 0);
  ck_assert_int_eq(disasm_class(d, p.m.cpu, CODE, CODE, 64, &len), INSN_OTHER);
  ck_assert_uint_eq(disasm_one(d, p.m.cpu, NULL, CODE + 3, CODE + 3, 64, text, 4), 0);
  ck_assert_str_eq(text, "(ba");
  disasm_destroy(d);
  probe_free(&p);
  /* 16-bit code at a segment's base: names are of linear addresses */
  p = probe_new(VENDOR_INTEL, LEGACY32, 0);
  target.cpu = p.m.cpu;
  p.syms = sym_open(&target);
  d = disasm_create();
  m_code_at(&p.m, 0x40010, "\xe8\xfd\xff", 3);
  disasm_one(d, p.m.cpu, p.syms, 0x40010, 0x10, 16, text, sizeof text);
  ck_assert_str_eq(text, "callw 0x10 <main+16>");
  disasm_destroy(d);
  probe_free(&p);
}
END_TEST

START_TEST(instruction_classes) {
  static const struct {
    const char *bytes;
    unsigned n, bits;
    enum insn_class want;
  } cases[] = {
      {"\xe8\x00\x00\x00\x00", 5, 64, INSN_CALL}, {"\x66\xe8\x00\x00\x00\x00", 6, 64, INSN_CALL},
      {"\xf2\xe8\x00\x00\x00\x00", 6, 64, INSN_CALL}, {"\x66\xe8\x00\x00", 4, 32, INSN_CALL},
      {"\xff\xd0", 2, 64, INSN_CALL}, {"\x2e\x41\xff\xd0", 4, 64, INSN_CALL}, {"\xff\x15\x00\x00\x00\x00", 6, 64, INSN_CALL},
      {"\x67\xff\x10", 3, 32, INSN_CALL}, {"\xff\xe0", 2, 64, INSN_OTHER}, {"\xe9\x00\x00\x00\x00", 5, 64, INSN_OTHER},
      {"\xff\x18", 2, 32, INSN_TRAP}, {"\x48\xff\x18", 3, 64, INSN_TRAP}, {"\xff\x28", 2, 64, INSN_OTHER},
      {"\x9a\x00\x00\x00\x00\x08\x00", 7, 32, INSN_TRAP}, {"\x66\x9a\x00\x00\x08\x00", 6, 32, INSN_TRAP},
      {"\xcd\x80", 2, 64, INSN_TRAP}, {"\x48\xcd\x80", 3, 64, INSN_TRAP}, {"\xcc", 1, 64, INSN_TRAP},
      {"\xf1", 1, 64, INSN_TRAP}, {"\xce", 1, 32, INSN_TRAP}, {"\x0f\x05", 2, 64, INSN_TRAP},
      {"\x66\x0f\x05", 3, 64, INSN_TRAP}, {"\x0f\x34", 2, 32, INSN_TRAP}, {"\xc3", 1, 64, INSN_RET},
      {"\xf3\xc3", 2, 64, INSN_RET}, {"\xc2\x08\x00", 3, 64, INSN_RET}, {"\x48\xcb", 2, 64, INSN_RET},
      {"\x48\xcf", 2, 64, INSN_RET}, {"\xcf", 1, 16, INSN_RET}, {"\x48\x0f\x07", 3, 64, INSN_RET},
      {"\xf3\xa4", 2, 64, INSN_REP}, {"\xf3\x48\xa5", 3, 64, INSN_REP}, {"\x67\xf3\xab", 3, 64, INSN_REP},
      {"\xf2\xae", 2, 64, INSN_REP}, {"\x2e\xf3\x66\xa7", 4, 32, INSN_REP}, {"\xf3\x6c", 2, 64, INSN_REP},
      {"\x64\xf2\x67\xac", 4, 64, INSN_REP}, {"\xa4", 1, 64, INSN_OTHER}, {"\x66\xa5", 2, 32, INSN_OTHER},
      {"\xf3\x90", 2, 64, INSN_OTHER}, {"\xf3\x0f\x10\xc0", 4, 64, INSN_OTHER}, {"\xf0\x48\x0f\xb1\x0f", 5, 64, INSN_OTHER},
      {"\xf4", 1, 64, INSN_OTHER}, {"\xff\x30", 2, 64, INSN_OTHER}, {"\xe2\xfe", 2, 64, INSN_OTHER},
  };
  struct probe p = probe_new(VENDOR_INTEL, LONG64, 3);
  struct disasm *d = disasm_create();
  for (unsigned k = 0; k < ARRAY_SIZE(cases); k++) {
    unsigned len;
    m_code_at(&p.m, CODE, cases[k].bytes, cases[k].n);
    enum insn_class found = disasm_class(d, p.m.cpu, CODE, CODE, cases[k].bits, &len);
    if (found != cases[k].want || len != cases[k].n)
      ck_abort_msg("case %u: class %u, length %u", k, (unsigned)found, len);
  }
  m_code_at(&p.m, CODE, "\x66\xe8\x00\x00\x00\x00", 6); /* amd: a 16-bit displacement. APM 3 1.2.2 */
  p.m.cpu->model = model_default(VENDOR_AMD);
  unsigned len;
  ck_assert_int_eq(disasm_class(d, p.m.cpu, CODE, CODE, 64, &len), INSN_CALL);
  ck_assert_uint_eq(len, 4);
  disasm_destroy(d);
  probe_free(&p);
}
END_TEST

Suite *suite_disasm(void);
Suite *suite_disasm(void) {
  Suite *s = suite_create("disasm");
  TCase *t = tcase_create("disasm");
  tcase_add_test(t, disassembly);
  tcase_add_test(t, instruction_classes);
  suite_add_tcase(s, t);
  return s;
}
