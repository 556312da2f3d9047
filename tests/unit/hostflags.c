/* The host's own arithmetic flags against the portable form of the same operation (base/host.h,
 * base/host_int.h): results, and every flag that SDM 2 defines, over edge and random values in all widths. */
#include <check.h>

#include "base/host_int.h"
#include "tests/unit/random.h"

enum { RANDOM_ROUNDS = 20000 };

typedef u64 op_fn(u64 a, u64 b, unsigned count, u16 *hf);

enum op_class { CLASS_ARITH, CLASS_LOGIC, CLASS_SHIFT, CLASS_ROTATE, CLASS_DOUBLE, CLASS_MUL, CLASS_SCAN };

struct op {
  const char *name;
  unsigned n;
  enum op_class kind;
  op_fn *host, *portable;
};

/* Two functions of one shape: the host form and the portable one. */
#define OP(name, n, host_expr, c_expr)                                       \
  static u64 host_op_##name##n(u64 a, u64 b, unsigned count, u16 *hf) {      \
    (void)b; (void)count;                                                    \
    return (u##n)(host_expr);                                                \
  }                                                                          \
  static u64 c_op_##name##n(u64 a, u64 b, unsigned count, u16 *hf) {         \
    (void)b; (void)count;                                                    \
    return (u##n)(c_expr);                                                   \
  }
#define WIDTHS_OF(M) M(8) M(16) M(32) M(64)
#define WIDTHS_OF_V(M) M(16) M(32) M(64)

static u64 logic(u64 r, unsigned n, u16 *hf) {
  *hf = hf_make(r, n, false, false, false);
  return r;
}
static u64 keep_cf(u64 r, u16 old, u16 *hf) {
  *hf = (u16)((*hf & ~HF_CF) | (old & HF_CF));
  return r;
}

#define ARITH_OPS(n)                                                                                       \
  OP(add, n, host_add##n((u##n)a, (u##n)b, hf), hf_c_add(a, b, 0, n, hf))                                  \
  OP(sub, n, host_sub##n((u##n)a, (u##n)b, hf), hf_c_sub(a, b, 0, n, hf))                                  \
  OP(adc, n, host_adc##n((u##n)a, (u##n)b, hf), hf_c_add(a, b, *hf >> 8 & 1, n, hf))                       \
  OP(sbb, n, host_sbb##n((u##n)a, (u##n)b, hf), hf_c_sub(a, b, *hf >> 8 & 1, n, hf))                       \
  OP(cmp, n, (host_cmp##n((u##n)a, (u##n)b, hf), 0), (hf_c_sub(a, b, 0, n, hf), 0))                        \
  OP(neg, n, host_neg##n((u##n)a, hf), hf_c_sub(0, a, 0, n, hf))                                           \
  OP(inc, n, keep_cf(host_inc##n((u##n)a, hf), 0, hf), keep_cf(hf_c_add(a, 1, 0, n, hf), 0, hf))           \
  OP(dec, n, keep_cf(host_dec##n((u##n)a, hf), 0, hf), keep_cf(hf_c_sub(a, 1, 0, n, hf), 0, hf))           \
  OP(and, n, host_and##n((u##n)a, (u##n)b, hf), logic(a & b, n, hf))                                       \
  OP(or, n, host_or##n((u##n)a, (u##n)b, hf), logic(a | b, n, hf))                                         \
  OP(xor, n, host_xor##n((u##n)a, (u##n)b, hf), logic(a ^ b, n, hf))                                       \
  OP(test, n, (host_test##n((u##n)a, (u##n)b, hf), 0), (logic(a & b, n, hf), 0))
WIDTHS_OF(ARITH_OPS)

#define SHIFT_OP(name, n, fn, kind)                                              \
  OP(name, n, host_##name##n((u##n)a, count, hf), fn(kind, a, count, n, hf))     \
  OP(name##1_, n, host_##name##1_##n((u##n)a, hf), fn(kind, a, 1, n, hf))
#define SHIFT_OPS(n)                           \
  SHIFT_OP(shl, n, hf_c_shift, SHIFT_SHL)      \
  SHIFT_OP(shr, n, hf_c_shift, SHIFT_SHR)      \
  SHIFT_OP(sar, n, hf_c_shift, SHIFT_SAR)      \
  SHIFT_OP(rol, n, hf_c_rotate, SHIFT_ROL)     \
  SHIFT_OP(ror, n, hf_c_rotate, SHIFT_ROR)     \
  SHIFT_OP(rcl, n, hf_c_rotate, SHIFT_RCL)     \
  SHIFT_OP(rcr, n, hf_c_rotate, SHIFT_RCR)
WIDTHS_OF(SHIFT_OPS)

/* A product's halves are folded into one value, so that both are compared. */
#define MUL_OP(name, n)                                                                   \
  static u64 fold_##name##n(u64 a, u64 b, u16 *hf) {                                      \
    u##n hi, lo = host_##name##n((u##n)a, (u##n)b, &hi, hf);                              \
    return (u64)lo * 31 + hi;                                                             \
  }                                                                                       \
  static u64 fold_c_##name##n(u64 a, u64 b, u16 *hf) {                                    \
    u64 hi, lo = hf_c_##name(a, b, n, &hi, hf);                                           \
    return lo * 31 + hi;                                                                  \
  }                                                                                       \
  OP(name, n, fold_##name##n(a, b, hf), fold_c_##name##n(a, b, hf))
#define MUL_OPS(n) MUL_OP(mul, n) MUL_OP(imul, n)
WIDTHS_OF(MUL_OPS)

static u64 low_half(u64 a, u64 b, unsigned n, u16 *hf) {
  u64 hi;
  return hf_c_imul(a, b, n, &hi, hf);
}
#define WORD_OPS(n)                                                                               \
  OP(shld, n, host_shld##n((u##n)a, (u##n)b, count, hf), hf_c_shld(a, b, count, n, hf))           \
  OP(shrd, n, host_shrd##n((u##n)a, (u##n)b, count, hf), hf_c_shrd(a, b, count, n, hf))           \
  OP(imul2_, n, host_imul2_##n((u##n)a, (u##n)b, hf), low_half(a, b, n, hf))                      \
  OP(bsf, n, host_bsf##n((u##n)a, hf), hf_c_bsf(a, hf))                                           \
  OP(bsr, n, host_bsr##n((u##n)a, hf), hf_c_bsr(a, hf))
WIDTHS_OF_V(WORD_OPS)

#define ENTRY(name, n, kind) {#name, n, kind, host_op_##name##n, c_op_##name##n},
#define ENTRIES(n)                                                                                          \
  ENTRY(add, n, CLASS_ARITH) ENTRY(sub, n, CLASS_ARITH)                                                     \
  ENTRY(adc, n, CLASS_ARITH) ENTRY(sbb, n, CLASS_ARITH)                                                     \
  ENTRY(cmp, n, CLASS_ARITH) ENTRY(neg, n, CLASS_ARITH)                                                     \
  ENTRY(inc, n, CLASS_ARITH) ENTRY(dec, n, CLASS_ARITH)                                                     \
  ENTRY(and, n, CLASS_LOGIC) ENTRY(or, n, CLASS_LOGIC)                                                      \
  ENTRY(xor, n, CLASS_LOGIC) ENTRY(test, n, CLASS_LOGIC)                                                    \
  ENTRY(shl, n, CLASS_SHIFT) ENTRY(shr, n, CLASS_SHIFT) ENTRY(sar, n, CLASS_SHIFT)                          \
  ENTRY(shl1_, n, CLASS_SHIFT) ENTRY(shr1_, n, CLASS_SHIFT) ENTRY(sar1_, n, CLASS_SHIFT)                    \
  ENTRY(rol, n, CLASS_ROTATE) ENTRY(ror, n, CLASS_ROTATE) ENTRY(rcl, n, CLASS_ROTATE)                       \
  ENTRY(rcr, n, CLASS_ROTATE) ENTRY(rol1_, n, CLASS_ROTATE) ENTRY(ror1_, n, CLASS_ROTATE)                   \
  ENTRY(rcl1_, n, CLASS_ROTATE) ENTRY(rcr1_, n, CLASS_ROTATE)                                               \
  ENTRY(mul, n, CLASS_MUL) ENTRY(imul, n, CLASS_MUL)
#define ENTRIES_V(n)                                                                                        \
  ENTRY(shld, n, CLASS_DOUBLE) ENTRY(shrd, n, CLASS_DOUBLE) ENTRY(imul2_, n, CLASS_MUL)                     \
  ENTRY(bsf, n, CLASS_SCAN) ENTRY(bsr, n, CLASS_SCAN)
static const struct op ops[] = {WIDTHS_OF(ENTRIES) WIDTHS_OF_V(ENTRIES_V)};

/* The flags that the manual leaves undefined. */
static u16 undefined_flags(const struct op *op, unsigned count) {
  unsigned c = count & HOST_COUNT_MASK(op->n);
  bool by_1 = op->name[strlen(op->name) - 1] == '_' || c == 1;
  switch (op->kind) {
    case CLASS_ARITH: return 0;
    case CLASS_LOGIC: return HF_AF;
    case CLASS_SHIFT: /* CF too for counts from the operand's size up, of SHL and SHR */
      if (by_1) return HF_AF;
      return c ? HF_AF | HF_OF | (c >= op->n ? HF_CF : 0) : 0;
    case CLASS_ROTATE: return by_1 || !c ? 0 : HF_OF;
    case CLASS_DOUBLE:
      if (c > op->n) return HF_ALL;
      return c ? c == 1 ? HF_AF : HF_AF | HF_OF : 0;
    case CLASS_MUL: return HF_SF | HF_ZF | HF_AF | HF_PF;
    default: return HF_ALL & ~HF_ZF;
  }
}

static void compare(const struct op *op, u64 a, u64 b, unsigned count, u16 flags) {
  u64 m = ~UINT64_C(0) >> (64 - op->n);
  u16 h = flags, c = flags, mask = (u16)(HF_ALL & ~undefined_flags(op, count));
  a &= m;
  b &= m;
  u64 rh = op->host(a, b, count, &h), rc = op->portable(a, b, count, &c);
  bool result_defined = op->kind != CLASS_DOUBLE || (count & HOST_COUNT_MASK(op->n)) <= op->n;
  if ((rh == rc || !result_defined) && !((h ^ c) & mask)) return; /* an assertion that holds costs a write */
  ck_abort_msg("%s%u a=%llx b=%llx count=%u flags=%04x: host %llx %04x, portable %llx %04x", op->name, op->n,
               (unsigned long long)a, (unsigned long long)b, count, flags, (unsigned long long)rh, h & mask,
               (unsigned long long)rc, c & mask);
}

static u16 flags_of(u64 r) { return (u16)(r & HF_ALL); }

START_TEST(edges) {
  static const u64 edge[] = {0, 1, 2, 3, 0xf, 0x10, 0x55, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x100, 0x7fff, 0x8000,
                             0xfffe, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
                             0x100000000,
                             0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffffffe, 0xffffffffffffffff,
                             0xaaaaaaaaaaaaaaaa};
  const struct op *op = &ops[_i];
  for (unsigned i = 0; i < ARRAY_SIZE(edge); i++)
    for (unsigned j = 0; j < ARRAY_SIZE(edge); j++)
      for (unsigned count = 0; count < 256; count += count < 70 ? 1 : 37) {
        compare(op, edge[i], edge[j], count, 0);
        compare(op, edge[i], edge[j], count, HF_ALL);
      }
}
END_TEST

START_TEST(random_values) {
  const struct op *op = &ops[_i];
  u64 s = UINT64_C(0x9e3779b97f4a7c15);
  for (unsigned i = 0; i < RANDOM_ROUNDS; i++) {
    u64 a = random_next(&s), b = random_next(&s), r = random_next(&s);
    a >>= r & 63;
    b >>= r >> 6 & 63;
    compare(op, r >> 12 & 1 ? a : ~a, r >> 13 & 1 ? b : ~b, r >> 16 & 0xff, flags_of(r >> 24));
  }
}
END_TEST

START_TEST(eflags_round_trip) {
  for (unsigned ef = 0; ef < 0x1000; ef++) ck_assert_uint_eq(hf_to_eflags(hf_from_eflags(ef)), ef & 0x8d5);
}
END_TEST

Suite *suite_hostflags(void);
Suite *suite_hostflags(void) {
  Suite *s = suite_create("hostflags");
  TCase *t = tcase_create("hostflags");
  tcase_add_loop_test(t, edges, 0, ARRAY_SIZE(ops));
  tcase_add_loop_test(t, random_values, 0, ARRAY_SIZE(ops));
  tcase_add_test(t, eflags_round_trip);
  suite_add_tcase(s, t);
  return s;
}
