/* The devices of the whole machine, and how interrupts reach its processor. SDM 3A 6.7, 6.8 (Enabling and Disabling
 * Interrupts); data sheets of the 8254, 8259A and PC16550D. */
#include "tests/unit/machine_sink.h"

START_TEST(serial_and_exit) {
  struct sink s = {0};
  struct machine *m = RUN_CODE(&s, SEND('o'), SEND('k'), OUT_IMM(0xe9, '!'), EXIT_WITH(5));
  struct machine_status st = sink_run(m, 0);
  ck_assert_int_eq(st.how, MACHINE_EXITED);
  ck_assert_uint_eq(st.code, 11); /* 5 << 1 | 1 */
  ck_assert_str_eq(s.out, "ok");
  ck_assert_str_eq(s.debug, "!");
  machine_destroy(m);
}
END_TEST

START_TEST(exit_takes_words) {
  struct sink s = {0};
  struct machine *m = RUN_CODE(&s, 0xb8, 0x34, 0x12, 0xe7, 0xf4); /* mov $1234h,%ax; out %ax,$F4h */
  ck_assert_uint_eq(sink_run(m, 0).code, 0x2469);
  machine_destroy(m);
}
END_TEST

/* A word written to an 8-bit device arrives as two bytes at successive ports: here THR and IER. */
START_TEST(bytes_of_a_word) {
  struct sink s = {0};
  struct machine *m = RUN_CODE(&s, 0xba, 0xf8, 0x03, 0xb8, 'w', 0x02, 0xef,   /* out %ax,(3F8h) */
                               0xba, 0xf9, 0x03, 0xec, 0xe6, 0xf4);           /* in (3F9h),%al: IER */
  ck_assert_uint_eq(sink_run(m, 0).code, 2 << 1 | 1);
  ck_assert_str_eq(s.out, "w");
  machine_destroy(m);
}
END_TEST

START_TEST(absent_port) {
  struct sink s = {0};
  struct machine *m = RUN_CODE(&s, 0xba, 0x00, 0x10, 0xef, 0xed, 0xe7, 0xf4); /* out, in %ax at 1000h */
  ck_assert_uint_eq(sink_run(m, 0).code, 0xffff << 1 | 1);
  machine_destroy(m);
}
END_TEST

START_TEST(serial_identification) {
  struct sink s = {0};
  struct machine *m = RUN_CODE(&s, 0xba, 0xfa, 0x03, 0xec, 0x88, 0xc4, /* IIR before */
                               0xb0, 1, 0xee, 0xec, 0xe7, 0xf4);       /* FCR = 1; IIR after */
  ck_assert_uint_eq(sink_run(m, 0).code, 0x01c1 << 1 | 1);
  machine_destroy(m);
}
END_TEST

START_TEST(serial_loopback) {
  struct sink s = {0};
  struct machine *m = RUN_CODE(&s, 0xba, 0xfc, 0x03, 0xb0, 0x1e, 0xee, /* MCR = 1Eh */
                               0xba, 0xf8, 0x03, 0xb0, 0xae, 0xee, 0xb0, 0, 0xec, 0xe6, 0xf4);
  ck_assert_uint_eq(sink_run(m, 0).code, 0xae << 1 | 1);
  ck_assert_uint_eq(s.outs, 0);
  machine_destroy(m);
}
END_TEST

/* Polls for input and echoes it, until a dot. */
START_TEST(serial_input) {
  struct sink s = {.in = "hello."};
  struct machine *m = RUN_CODE(&s, 0xba, 0xfd, 0x03, 0xec, 0xa8, 1, 0x74, 0xfb, /* 1: in LSR; test $1; jz 1b */
                               0xba, 0xf8, 0x03, 0xec, 0xee, 0x3c, '.', 0x75, 0xef, EXIT_WITH(0));
  ck_assert_int_eq(sink_run(m, 10000).how, MACHINE_EXITED);
  ck_assert_str_eq(s.out, "hello.");
  machine_destroy(m);
}
END_TEST

START_TEST(halted_for_good) {
  static const struct {
    u8 code[8];
    const char *why;
  } rows[] = {
      {{0xfa, 0xf4}, "HLT at 0000:00007c01 with interrupts off"},
      {{0xfb, 0xf4}, "with no interrupt to come"},
      {{0xcd, 0x13, 0xf4}, "interrupt 13h reached the BIOS"},
      {{0x0f, 0x0b}, "interrupt 06h reached the BIOS"},
  };
  for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
    struct sink s = {0};
    struct machine *m = sink_code(&s, rows[k].code, sizeof rows[k].code);
    struct machine_status st = sink_run(m, 1000);
    ck_assert_int_eq(st.how, MACHINE_HALTED);
    ck_assert_msg(strstr(st.why, rows[k].why) != NULL, "%s", st.why);
    machine_destroy(m);
  }
}
END_TEST

START_TEST(limit_and_reset) {
  struct sink s = {0};
  struct machine *m = RUN_CODE(&s, 0xeb, 0xfe); /* jmp . */
  ck_assert_int_eq(sink_run(m, 12345).how, MACHINE_LIMIT);
  ck_assert_uint_eq(cpu_icount(machine_cpu(m)), 12345);
  ck_assert_int_eq(sink_run(m, 1).how, MACHINE_LIMIT);
  ck_assert_uint_eq(cpu_icount(machine_cpu(m)), 12346);
  machine_destroy(m);
  m = RUN_CODE(&s, OUT_IMM(0x92, 1));
  ck_assert_int_eq(sink_run(m, 100).how, MACHINE_RESET);
  machine_destroy(m);
}
END_TEST

START_TEST(triple_fault) {
  struct sink s = {0};
  /* lidt with limit 0, then int3 */
  struct machine *m = RUN_CODE(&s, 0x0f, 0x01, 0x1e, 0x07, 0x7c, 0xcc, 0x90, 0, 0, 0, 0, 0, 0);
  struct machine_status st = sink_run(m, 100);
  ck_assert_int_eq(st.how, MACHINE_SHUTDOWN);
  ck_assert_msg(strstr(st.why, "triple fault") != NULL, "%s", st.why);
  machine_destroy(m);
}
END_TEST

/* ---- interrupts ---- */

#define PIC_SETUP(mask)                                                                             \
  OUT_IMM(0x20, 0x11), OUT_IMM(0x21, 0x20), OUT_IMM(0x21, 4), OUT_IMM(0x21, 1), OUT_IMM(0x21, mask), \
      OUT_IMM(0xa0, 0x11), OUT_IMM(0xa1, 0x28), OUT_IMM(0xa1, 2), OUT_IMM(0xa1, 1), OUT_IMM(0xa1, mask)
enum { PIC_BYTES = 40, VECTOR_BYTES = 12 };
#define AT(offset) (0x7c00 + (offset))

/* An NMI interrupts a loop; the next one waits for IRET. */
START_TEST(nmi) {
  struct sink s = {0};
  /* 0: vector 2 -> 16; 12: jmp .; 16: inc %bx; cmp $2,%bl; je +2; jmp .; 23: iret -- with the first, BX = 1: it
   * loops in the handler, where a second must not come. */
  struct machine *m = RUN_CODE(&s, VECTOR(2, AT(16)), 0xeb, 0xfe, 0x90, 0x90, /* 16: */ 0x43, 0x83, 0xf9, 1, 0x75, 0xfb,
                               0xcf);
  struct cpu *cpu = machine_cpu(m);
  cpu->gpr[RBX] = cpu->gpr[RCX] = 0;
  (void)sink_run(m, 100);
  ck_assert_uint_eq(cpu->gpr[RBX], 0);
  machine_raise_nmi(m);
  (void)sink_run(m, 100);
  ck_assert_uint_eq(cpu->gpr[RBX], 1);
  machine_raise_nmi(m);
  (void)sink_run(m, 100);
  ck_assert_uint_eq(cpu->gpr[RBX], 1);
  ck_assert(cpu->nmi_blocked);
  cpu->gpr[RCX] = 1; /* the handler may return: the second comes at once */
  (void)sink_run(m, 100);
  ck_assert_uint_eq(cpu->gpr[RBX], 2);
  ck_assert(!cpu->nmi_blocked);
  ck_assert_uint_eq(cpu->rip, AT(12));
  machine_destroy(m);
}
END_TEST

/* MOV SS holds off an NMI for one instruction; STI does not. */
START_TEST(nmi_behind_mov_ss) {
  static const struct {
    u8 first, second;
    unsigned later; /* instructions between it and the handler, which is zeros: of two bytes */
  } rows[] = {{0x8e, 0xd0, 1}, {0x90, 0xfb, 0}};
  for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
    struct sink s = {0};
    struct machine *m = RUN_CODE(&s, VECTOR(2, AT(32)), rows[k].first, rows[k].second, 0x90, 0x90, 0x90, 0x90);
    struct cpu *cpu = machine_cpu(m);
    (void)sink_run(m, k ? 4 : 3);
    ck_assert_uint_eq(cpu->rip, AT(14));
    machine_raise_nmi(m);
    (void)sink_run(m, 1);
    ck_assert_uint_eq(cpu->rip, rows[k].later ? AT(15) : AT(34));
    machine_destroy(m);
  }
}
END_TEST

/* HLT with interrupts on waits; a test raises a line; the handler ends the machine with the vector. */
START_TEST(wakes_from_hlt) {
  static const struct {
    u8 line, vector;
  } rows[] = {{1, 0x21}, {7, 0x27}, {8, 0x28}, {15, 0x2f}};
  for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
    struct sink s = {0};
    u8 v = rows[k].vector;
    struct machine *m = RUN_CODE(&s, PIC_SETUP(0), VECTOR(v, AT(PIC_BYTES + VECTOR_BYTES + 3)), 0xfb, 0xf4, 0xf4,
                                 EXIT_WITH(v));
    struct machine_status st = sink_run(m, 0);
    ck_assert_int_eq(st.how, MACHINE_HALTED);
    machine_raise_irq(m, rows[k].line);
    st = sink_run(m, 0);
    ck_assert_int_eq(st.how, MACHINE_EXITED);
    ck_assert_uint_eq(st.code, v << 1 | 1);
    machine_destroy(m);
  }
}
END_TEST

/* A masked line, or interrupts off: nothing happens. */
START_TEST(masked) {
  for (unsigned k = 0; k < 2; k++) {
    struct sink s = {0};
    struct machine *m = RUN_CODE(&s, PIC_SETUP(k ? 0xff : 0), VECTOR(0x21, AT(100)), k ? 0xfb : 0xfa, 0xeb, 0xfe);
    (void)sink_run(m, 100);
    machine_raise_irq(m, 1);
    (void)sink_run(m, 100);
    ck_assert_uint_eq(machine_cpu(m)->rip, AT(PIC_BYTES + 13));
    machine_destroy(m);
  }
}
END_TEST

/* STI opens interrupts one instruction later. SDM 2B STI */
START_TEST(sti_shadow) {
  struct sink s = {0};
  struct machine *m = RUN_CODE(&s, PIC_SETUP(0), VECTOR(0x21, AT(100)), 0xfb, 0x90, 0x90);
  struct cpu *cpu = machine_cpu(m);
  machine_raise_irq(m, 1); /* before the controller is set up: forgotten */
  (void)sink_run(m, 20 + 2);
  ck_assert_uint_eq(cpu->rip, AT(PIC_BYTES + 12));
  machine_raise_irq(m, 1);
  (void)sink_run(m, 1); /* STI */
  ck_assert_uint_eq(cpu->rip, AT(PIC_BYTES + 13));
  (void)sink_run(m, 1); /* NOP */
  ck_assert_uint_eq(cpu->rip, AT(PIC_BYTES + 14));
  (void)sink_run(m, 1);
  ck_assert_uint_eq(cpu->rip, AT(102)); /* behind two bytes of zeros */
  ck_assert_uint_eq(sink_at(m, cpu->gpr[RSP], 2)[0], (PIC_BYTES + 14) & 0xff);
  machine_destroy(m);
}
END_TEST

/* Of two requests the lower line comes first, the other after EOI. Handlers: send a letter, EOI, IRET. */
START_TEST(priority) {
  struct sink s = {0};
  enum { A = PIC_BYTES + 24 + 3, B = A + 11 };
  struct machine *m = RUN_CODE(&s, PIC_SETUP(0), VECTOR(0x21, AT(A)), VECTOR(0x2a, AT(B)), 0xfb, 0xeb, 0xfe,
                               /* A: */ SEND('A'), OUT_IMM(0x20, 0x20), 0xcf,
                               /* B: */ SEND('B'), OUT_IMM(0xa0, 0x20), OUT_IMM(0x20, 0x20), 0xcf);
  (void)sink_run(m, 100);
  machine_raise_irq(m, 10);
  machine_raise_irq(m, 1);
  (void)sink_run(m, 100);
  ck_assert_str_eq(s.out, "AB");
  machine_destroy(m);
}
END_TEST

/* The timer's channel 0 in mode 2 wakes HLT again and again: three times, then the end. */
START_TEST(timer) {
  struct sink s = {0};
  enum { HANDLER = PIC_BYTES + 12 + 12 + 4 };
  struct machine *m = RUN_CODE(&s, PIC_SETUP(0xfe), VECTOR(0x20, AT(HANDLER)), OUT_IMM(0x43, 0x34), OUT_IMM(0x40, 100),
                               OUT_IMM(0x40, 0), 0xfb, 0xf4, 0xeb, 0xfd, SEND('t'), OUT_IMM(0x20, 0x20), 0x43, 0x80,
                               0xfb, 3, 0x74, 1, 0xcf, EXIT_WITH(1));
  machine_cpu(m)->gpr[RBX] = 0;
  struct machine_status st = sink_run(m, 10000);
  ck_assert_int_eq(st.how, MACHINE_EXITED);
  ck_assert_str_eq(s.out, "ttt");
  machine_destroy(m);
}
END_TEST

/* A device of the test's own. */
static u32 count_in(void *opaque, u16 port, unsigned size) {
  (void)size;
  return ++*(u32 *)opaque + port;
}
static void count_out(void *opaque, u16 port, unsigned size, u32 value) {
  (void)port, (void)size;
  *(u32 *)opaque = value;
}
START_TEST(added_device) {
  struct sink s = {0};
  u32 count = 0;
  struct machine *m = RUN_CODE(&s, 0xba, 0x00, 0x20, 0xb8, 0x05, 0x00, 0xef, 0xed, 0xe7, 0xf4);
  struct machine_device d = {0x2000, 0x2000, true, count_in, count_out, &count};
  ck_assert_int_eq(machine_add_device(m, &d), 0);
  ck_assert_uint_eq(sink_run(m, 0).code, 0x2006 << 1 | 1);
  int left = 0;
  while (left < 100 && !machine_add_device(m, &d)) left++;
  ck_assert_int_lt(left, 100);
  machine_destroy(m);
}
END_TEST

Suite *suite_machine_devices(void) {
  Suite *s = suite_create("machine_devices");
  TCase *t = tcase_create("devices");
  tcase_add_test(t, serial_and_exit);
  tcase_add_test(t, exit_takes_words);
  tcase_add_test(t, bytes_of_a_word);
  tcase_add_test(t, absent_port);
  tcase_add_test(t, serial_identification);
  tcase_add_test(t, serial_loopback);
  tcase_add_test(t, serial_input);
  tcase_add_test(t, halted_for_good);
  tcase_add_test(t, limit_and_reset);
  tcase_add_test(t, triple_fault);
  tcase_add_test(t, added_device);
  suite_add_tcase(s, t);
  t = tcase_create("interrupts");
  tcase_add_test(t, nmi);
  tcase_add_test(t, nmi_behind_mov_ss);
  tcase_add_test(t, wakes_from_hlt);
  tcase_add_test(t, masked);
  tcase_add_test(t, sti_shadow);
  tcase_add_test(t, priority);
  tcase_add_test(t, timer);
  suite_add_tcase(s, t);
  return s;
}
