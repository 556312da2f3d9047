/* Single bits and bit scans: BT BTS BTR BTC BSF BSR POPCNT. SDM 1 7.3.6 (Bit and Byte Instructions). */
#include "base/host_int.h"
#include "cpu/lean.h"

enum bit_op { OP_BT, OP_BTS, OP_BTR, OP_BTC };

ALWAYS_INLINE u64 bit_result(enum bit_op op, u64 v, u64 bit) {
  switch (op) {
    case OP_BTS: return v | bit;
    case OP_BTR: return v & ~bit;
    case OP_BTC: return v ^ bit;
    default: return v;
  }
}

/* The other flags are undefined, ZF apart, which is kept: processors keep them all (measured on Intel
 * Xeon). */
ALWAYS_INLINE void set_cf(struct cpu *cpu, u64 v, unsigned n) {
  cpu->hf = (u16)((cpu->hf & ~HF_CF) | (v >> n & 1) << 8);
}

/* Bit number by immediate: modulo the operand's size. */
INLINE_BODY bit_imm(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                    handler_fn *slow, enum bit_op op) {
  unsigned n = insn_imm(i, form) & (WIDTH_BITS(w) - 1);
  u64 bit = UINT64_C(1) << n, v, r;
  enum access acc = op == OP_BT ? ACC_READ : ACC_WRITE;
  E_BIND(e, w, form, acc);
  if (form == FORM_L) {
    E_LOCKED_RMW(e, w, v, r, bit_result(op, v, bit));
  } else {
    v = e_get(cpu, i, &e, w, form, acc);
    r = bit_result(op, v, bit);
    if (op != OP_BT) e_set(cpu, i, &e, r, w, form);
  }
  set_cf(cpu, v, n);
  NEXT(cpu, i, form);
}

/* Bit number by register. With a memory operand it is signed and reaches beyond the operand: the access is
 * to the operand-sized word that holds the bit. SDM 2A BT (Operation), 1 3.1.1.9 of volume 2 (Bit(BitBase,
 * BitOffset)) */
INLINE_BODY bit_reg(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                    handler_fn *slow, enum bit_op op) {
  (void)slow;
  u64 at = reg_get(cpu, i->src, w), v, r;
  unsigned n = at & (WIDTH_BITS(w) - 1);
  u64 bit = UINT64_C(1) << n;
  enum access acc = op == OP_BT ? ACC_READ : ACC_WRITE;
  struct eref e = {0};
  if (form != FORM_R) {
    s64 word = sext(at, WIDTH_BITS(w)) >> (w + 3);
    u64 off = (ea_offset(cpu, i) + (u64)word * WIDTH_BYTES(w)) & insn_address_mask(i);
    cpu->insn = i;
    e.la = mem_linear(cpu, i->seg, off, WIDTH_BYTES(w), acc);
  }
  if (form == FORM_L) {
    E_LOCKED_RMW(e, w, v, r, bit_result(op, v, bit));
  } else {
    v = e_get(cpu, i, &e, w, form, acc);
    r = bit_result(op, v, bit);
    if (op != OP_BT) e_set(cpu, i, &e, r, w, form);
  }
  set_cf(cpu, v, n);
  NEXT(cpu, i, form);
}
#define BIT_FORMS(name, w, op)                                                                     \
  H_DECL_X(name, w) H_INST(name, w, R, bit_reg, op) H_INST(name, w, X, bit_reg, op)                \
  H_INST(name, w, L, bit_reg, op)
#define BIT_ROW(name, w)                                                                           \
  [W##w] = {[FORM_R] = h_##name##_##w##_R, [FORM_X] = h_##name##_##w##_X, [FORM_L] = h_##name##_##w##_L}
#define BIT_BODY(name, op)                                                                         \
  BIT_FORMS(name, 16, op) BIT_FORMS(name, 32, op) BIT_FORMS(name, 64, op)                          \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                                      \
      BIT_ROW(name, 16), BIT_ROW(name, 32), BIT_ROW(name, 64)};                                             \
  const struct body body_##name = {WIDTHS, t_##name};
BIT_BODY(bt_E_G, OP_BT)
BIT_BODY(bts_E_G, OP_BTS)
BIT_BODY(btr_E_G, OP_BTR)
BIT_BODY(btc_E_G, OP_BTC)
BODY_LEAN_V(bt_E_I, bit_imm, OP_BT)
BODY_LEAN_V_LOCK(bts_E_I, bit_imm, OP_BTS)
BODY_LEAN_V_LOCK(btr_E_I, bit_imm, OP_BTR)
BODY_LEAN_V_LOCK(btc_E_I, bit_imm, OP_BTC)

/* A zero source leaves the whole destination as it was, the upper half of a 32-bit one too: so APM 3 BSF,
 * BSR, and so Intel's processors (measured on Intel Xeon). */
INLINE_BODY bit_scan(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                     handler_fn *slow, bool reverse) {
  E_BIND(e, w, form, ACC_READ);
  u64 v = e_get_src(cpu, i, &e, w, form), r;
  u16 hf;
  switch (w) {
    case W16: r = reverse ? host_bsr16((u16)v, &hf) : host_bsf16((u16)v, &hf); break;
    case W32: r = reverse ? host_bsr32((u32)v, &hf) : host_bsf32((u32)v, &hf); break;
    default: r = reverse ? host_bsr64(v, &hf) : host_bsf64(v, &hf);
  }
  if (v) reg_set(cpu, i->dst, r, w);
  cpu->hf = hf;
  NEXT(cpu, i, form);
}
BODY_LEAN_V(bsf_G_E, bit_scan, false)
BODY_LEAN_V(bsr_G_E, bit_scan, true)

INLINE_BODY popcnt(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                   handler_fn *slow) {
  E_BIND(e, w, form, ACC_READ);
  u64 v = e_get_src(cpu, i, &e, w, form);
  reg_set(cpu, i->dst, (u64)__builtin_popcountll(v), w);
  cpu->hf = v ? 0 : HF_ZF;
  NEXT(cpu, i, form);
}
BODY_LEAN_V(popcnt_G_E, popcnt)
