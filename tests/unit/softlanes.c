/* The operations that cpu/lane_soft.h has for hosts without the instructions, against the instructions: this machine's
 * own, where it has them. SDM 1 12.11.3 (String and Text Processing Instructions), 12.13 (AESNI and PCLMULQDQ). */
#include <check.h>

#include "cpu/lane_soft.h"
#include "tests/unit/random.h"

enum { ROUNDS = 20000 };

static __m128i any(void) { return _mm_set_epi64x((s64)rnd(), (s64)rnd()); }
static bool same(__m128i a, __m128i b) { return _mm_movemask_epi8(_mm_cmpeq_epi8(a, b)) == 0xffff; }

#define AES(name, insn, soft)                                       \
  START_TEST(name) {                                                \
    if (!__builtin_cpu_supports("aes")) return;                     \
    for (unsigned n = 0; n < ROUNDS; n++) {                         \
      __m128i a = any(), b = any(), want = a;                       \
      __asm__(insn " %1, %0" : "+x"(want) : "x"(b));                \
      ck_assert(same(soft, want));                                  \
    }                                                               \
  }                                                                 \
  END_TEST
AES(aesenc, "aesenc", soft_aesenc(a, b, false))
AES(aesenclast, "aesenclast", soft_aesenc(a, b, true))
AES(aesdec, "aesdec", soft_aesdec(a, b, false))
AES(aesdeclast, "aesdeclast", soft_aesdec(a, b, true))
AES(aesimc, "aesimc", soft_aesimc(b))
AES(aeskeygen, "aeskeygenassist $0x1b,", soft_aeskeygen(b, 0x1b))

START_TEST(clmul) {
  if (!__builtin_cpu_supports("pclmul")) return;
  for (unsigned n = 0; n < ROUNDS; n++) {
    __m128i a = any(), b = any(), want = a;
    __asm__("pclmulqdq $0, %1, %0" : "+x"(want) : "x"(b));
    ck_assert(same(soft_clmul((u64)_mm_cvtsi128_si64(a), (u64)_mm_cvtsi128_si64(b)), want));
  }
}
END_TEST

/* Elements that are often equal, or zero. */
static __m128i text(void) {
  union lanes v = {.v = any()};
  for (unsigned k = 0; k < 16; k++) v.b[k] = (u8)(v.b[k] & (rnd() & 1 ? 3 : 0x83));
  return v.v;
}
#define CASE(n) \
  case n: __asm__("pcmpestrm $" #n ", %1, %2" : "=Yz"(r) : "x"(b), "x"(a), "a"(na), "d"(nb) : "ecx", "cc"); break;
static __attribute__((noinline)) u32 on_host(__m128i a, unsigned na, __m128i b, unsigned nb, unsigned imm) {
  __m128i r = a;
  switch (imm) {
    CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)
    CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14) CASE(15)
  }
  return (u32)_mm_cvtsi128_si32(r);
}
START_TEST(strings) {
  if (!__builtin_cpu_supports("sse4.2")) return;
  for (unsigned n = 0; n < ROUNDS; n++)
    for (unsigned imm = 0; imm < 16; imm++) {
      unsigned most = imm & 1 ? 8 : 16, na = below(most + 1), nb = below(most + 1);
      __m128i a = text(), b = text();
      ck_assert_uint_eq(soft_string_compare(a, na, b, nb, imm), on_host(a, na, b, nb, imm));
    }
}
END_TEST

Suite *suite_softlanes(void);
Suite *suite_softlanes(void) {
  Suite *s = suite_create("softlanes");
  TCase *t = tcase_create("against the host");
  tcase_add_test(t, aesenc);
  tcase_add_test(t, aesenclast);
  tcase_add_test(t, aesdec);
  tcase_add_test(t, aesdeclast);
  tcase_add_test(t, aesimc);
  tcase_add_test(t, aeskeygen);
  tcase_add_test(t, clmul);
  tcase_add_test(t, strings);
  suite_add_tcase(s, t);
  return s;
}
