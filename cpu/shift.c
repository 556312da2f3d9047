/* Shifts and rotates: ROL ROR RCL RCR SHL SHR SAR by 1, CL or an immediate; SHLD SHRD.
 * SDM 1 7.3.5 (Shift and Rotate Instructions). A masked count of zero changes no flag. */
#include "base/host_int.h"
#include "cpu/lean.h"

enum shift_op { OP_ROL, OP_ROR, OP_RCL, OP_RCR, OP_SHL, OP_SHR, OP_SAR };
enum shift_by { BY_1, BY_CL, BY_IMM };

#define SHIFT_CASE(OP, name, n) \
  case OP: return by_1 ? host_##name##1_##n(a, hf) : host_##name##n(a, count, hf);
#define SHIFT_WIDTH(n)                                                                            \
  ALWAYS_INLINE u64 shift##n(enum shift_op op, u##n a, unsigned count, bool by_1, u16 *hf) {      \
    switch (op) {                                                                                 \
      SHIFT_CASE(OP_ROL, rol, n)                                                                  \
      SHIFT_CASE(OP_ROR, ror, n)                                                                  \
      SHIFT_CASE(OP_RCL, rcl, n)                                                                  \
      SHIFT_CASE(OP_RCR, rcr, n)                                                                  \
      SHIFT_CASE(OP_SHL, shl, n)                                                                  \
      SHIFT_CASE(OP_SHR, shr, n)                                                                  \
      SHIFT_CASE(OP_SAR, sar, n)                                                                  \
    }                                                                                             \
    return a;                                                                                     \
  }
SHIFT_WIDTH(8)
SHIFT_WIDTH(16)
SHIFT_WIDTH(32)
SHIFT_WIDTH(64)

ALWAYS_INLINE unsigned shift_count(const struct cpu *cpu, const struct insn *i, enum form form,
                                   enum shift_by by) {
  return (u8)(by == BY_CL ? cpu->gpr[RCX] : insn_imm(i, form));
}

INLINE_BODY shift(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                  handler_fn *slow, enum shift_op op, enum shift_by by) {
  unsigned count = by == BY_1 ? 1 : shift_count(cpu, i, form, by);
  u16 hf = cpu->hf;
  E_BIND(e, w, form, ACC_WRITE);
  u64 a = e_get(cpu, i, &e, w, form, ACC_WRITE), r;
  switch (w) {
    case W8: r = shift8(op, (u8)a, count, by == BY_1, &hf); break;
    case W16: r = shift16(op, (u16)a, count, by == BY_1, &hf); break;
    case W32: r = shift32(op, (u32)a, count, by == BY_1, &hf); break;
    default: r = shift64(op, a, count, by == BY_1, &hf);
  }
  e_set(cpu, i, &e, r, w, form);
  cpu->hf = hf;
  NEXT(cpu, i, form);
}

#define SHIFT(name, op)                        \
  BODY_LEAN(name##_E_1, shift, op, BY_1)       \
  BODY_LEAN(name##_E_CL, shift, op, BY_CL)     \
  BODY_LEAN(name##_E_I, shift, op, BY_IMM)
SHIFT(rol, OP_ROL)
SHIFT(ror, OP_ROR)
SHIFT(rcl, OP_RCL)
SHIFT(rcr, OP_RCR)
SHIFT(shl, OP_SHL)
SHIFT(shr, OP_SHR)
SHIFT(sar, OP_SAR)

INLINE_BODY double_shift(struct cpu *restrict cpu, const struct insn *restrict i, enum width w,
                         enum form form, handler_fn *slow, bool left, enum shift_by by) {
  unsigned count = shift_count(cpu, i, form, by);
  u64 b = reg_get(cpu, i->src, w);
  u16 hf = cpu->hf;
  E_BIND(e, w, form, ACC_WRITE);
  u64 a = e_get(cpu, i, &e, w, form, ACC_WRITE), r;
#define SHIFT2(n) (left ? host_shld##n : host_shrd##n)((u##n)a, (u##n)b, count, &hf)
  r = w == W16 ? SHIFT2(16) : w == W32 ? SHIFT2(32) : SHIFT2(64);
#undef SHIFT2
  e_set(cpu, i, &e, r, w, form);
  cpu->hf = hf;
  NEXT(cpu, i, form);
}
BODY_LEAN_V(shld_E_G_I, double_shift, true, BY_IMM)
BODY_LEAN_V(shld_E_G_CL, double_shift, true, BY_CL)
BODY_LEAN_V(shrd_E_G_I, double_shift, false, BY_IMM)
BODY_LEAN_V(shrd_E_G_CL, double_shift, false, BY_CL)
