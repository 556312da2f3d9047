/* RDRAND and RDSEED: operand sizes, flags, no number to be had, and the same numbers from the same seed. SDM
 * 2B RDRAND, RDSEED. */
#include "tests/unit/machine.h"

#define RDRAND_AX "\x66\x0f\xc7\xf0"
#define RDRAND_EAX "\x0f\xc7\xf0"
#define RDRAND_RAX "\x48\x0f\xc7\xf0"
#define RDSEED_R9 "\x49\x0f\xc7\xf9"
#define RDSEED_AX "\x66\x0f\xc7\xf8"

struct source {
  u64 v;
  bool has;
};
static bool draw(void *opaque, u64 *v) {
  const struct source *s = opaque;
  *v = s->v;
  return s->has;
}

static struct cpu_model model;
static struct machine m;
static struct source source;

static void be(const char *name) {
  char err[200];
  ck_assert_int_eq(model_parse(name, &model, err, sizeof err), 0);
  m.cpu->model = &model;
  cpu_update_mode(m.cpu);
}
static void open_machine(void) {
  m = m_new(VENDOR_INTEL, LONG64, 3);
  be("intel,+rdrand,+rdseed");
  source = (struct source){.v = UINT64_C(0x8877665544332211), .has = true};
}
static void close_machine(void) { m_free(&m); }

/* Runs one with all status flags set and -1 in the registers. */
static void step(const char *code, size_t n) {
  m.cpu->gpr[RAX] = m.cpu->gpr[R9] = ~UINT64_C(0);
  m.cpu->rip = CODE;
  cpu_set_eflags(m.cpu, EF_1 | EF_IF | EF_STATUS);
  m_code_at(&m, CODE, code, n);
  m_step(&m);
}
#define STEP(code) step(code, sizeof code)
static u32 status(void) { return cpu_eflags(m.cpu) & EF_STATUS; }

static void listen(void) {
  m.vm->hooks.opaque = &source;
  m.vm->hooks.random = draw;
}

/* SDM 2B RDRAND: the destination's size is 16, 32 or 64 bits; CF = 1, and OF, SF, ZF, AF, PF = 0. SDM 1
 * 3.4.1.1 (General-Purpose Registers in 64-Bit Mode): a 32-bit result clears the upper half, a 16-bit one
 * leaves the rest. */
START_TEST(each_size_takes_its_part) {
  listen();
  STEP(RDRAND_AX);
  ck_assert_uint_eq(m.cpu->gpr[RAX], UINT64_C(0xffffffffffff2211));
  ck_assert_uint_eq(status(), EF_CF);
  STEP(RDRAND_EAX);
  ck_assert_uint_eq(m.cpu->gpr[RAX], 0x44332211);
  ck_assert_uint_eq(status(), EF_CF);
  STEP(RDRAND_RAX);
  ck_assert_uint_eq(m.cpu->gpr[RAX], source.v);
  STEP(RDSEED_R9);
  ck_assert_uint_eq(m.cpu->gpr[R9], source.v);
  ck_assert_uint_eq(m.cpu->gpr[RAX], ~UINT64_C(0));
  STEP(RDSEED_AX);
  ck_assert_uint_eq(m.cpu->gpr[RAX], UINT64_C(0xffffffffffff2211));
  ck_assert_uint_eq(status(), EF_CF);
}
END_TEST

/* SDM 2B RDRAND: CF = 0 and the destination 0, if there is no random value; the other flags are 0 as ever. */
START_TEST(no_number_is_zero_without_carry) {
  listen();
  source.has = false;
  STEP(RDRAND_AX);
  ck_assert_uint_eq(m.cpu->gpr[RAX], UINT64_C(0xffffffffffff0000));
  ck_assert_uint_eq(status(), 0);
  STEP(RDRAND_EAX);
  ck_assert_uint_eq(m.cpu->gpr[RAX], 0);
  STEP(RDRAND_RAX);
  ck_assert_uint_eq(m.cpu->gpr[RAX], 0);
  STEP(RDSEED_R9);
  ck_assert_uint_eq(m.cpu->gpr[R9], 0);
  ck_assert_uint_eq(status(), 0);
}
END_TEST

/* The first numbers of SplitMix64 from 1234567, as published with implementations in other languages. */
START_TEST(a_seed_decides_the_numbers) {
  static const u64 known[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                              UINT64_C(9817491932198370423), UINT64_C(4593380528125082431)};
  for (unsigned again = 0; again < 2; again++) {
    m.cpu->random = 1234567;
    for (unsigned k = 0; k < ARRAY_SIZE(known); k++) {
      if (k & 1) STEP(RDSEED_R9);
      else STEP(RDRAND_RAX);
      ck_assert_uint_eq(m.cpu->gpr[k & 1 ? R9 : RAX], known[k]);
      ck_assert_uint_eq(status(), EF_CF);
    }
    cpu_reset(m.cpu); /* registers, not the sequence */
    ck_assert_uint_eq(cpu_random(m.cpu), UINT64_C(16408922859458223821));
    m.cpu->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
    m.cpu->cr4 = CR4_PAE;
    m.cpu->cr3 = PML4;
    m.cpu->gdtr = (struct dtable){.base = GDT, .limit = GDT_LIMIT};
    m.cpu->msr[MSR_EFER] = EFER_NXE | EFER_LME | EFER_LMA;
    m_ring(&m, 3);
  }
}
END_TEST

/* SDM 2B RDRAND, RDSEED: #UD without their CPUID bits. */
START_TEST(without_the_feature_they_are_undefined) {
  be("intel,-rdrand,-rdseed");
  m_code(&m, RDRAND_RAX);
  m_expect_vector(&m, VEC_UD);
  m_ring(&m, 3);
  m_code(&m, RDSEED_R9);
  m_expect_vector(&m, VEC_UD);
}
END_TEST

Suite *suite_rdrand(void) {
  Suite *s = suite_create("rdrand");
  TCase *tc = tcase_create("random numbers");
  tcase_add_checked_fixture(tc, open_machine, close_machine);
  tcase_add_test(tc, each_size_takes_its_part);
  tcase_add_test(tc, no_number_is_zero_without_carry);
  tcase_add_test(tc, a_seed_decides_the_numbers);
  tcase_add_test(tc, without_the_feature_they_are_undefined);
  suite_add_tcase(s, tc);
  return s;
}
