/* Data transfer: MOV MOVZX MOVSX MOVSXD LEA XCHG BSWAP CMOVcc SETcc CBW CWD XLAT and their wider forms.
 * SDM 1 7.3.1 (Data Transfer Instructions), 7.3.6 (Bit and Byte Instructions), 7.3.17.1 (LEA). */
#include "cpu/cond.h"
#include "cpu/lean.h"

INLINE_BODY mov_store(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                      handler_fn *slow, bool is_imm) {
  E_BIND(e, w, form, ACC_WRITE);
  u64 v = is_imm ? insn_imm(i, form) : reg_get(cpu, i->src, w);
  e_set(cpu, i, &e, v, w, form);
  NEXT(cpu, i, form);
}

INLINE_BODY mov_load(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                     handler_fn *slow) {
  E_BIND(e, w, form, ACC_READ);
  reg_set(cpu, i->dst, e_get_src(cpu, i, &e, w, form), w);
  NEXT(cpu, i, form);
}
BODY_E(mov_E_G, mov_store, false)
BODY_E(mov_E_I, mov_store, true)
BODY_E(mov_G_E, mov_load)

/* The source, of width sw, is extended to the destination's w. */
INLINE_BODY mov_extend(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                       handler_fn *slow, enum width sw, bool sign) {
  E_BIND(e, sw, form, ACC_READ);
  u64 v = e_get_src(cpu, i, &e, sw, form);
  reg_set(cpu, i->dst, sign ? (u64)sext(v, WIDTH_BITS(sw)) : v, w);
  NEXT(cpu, i, form);
}
BODY_V(movzx_b, mov_extend, W8, false)
BODY_V(movzx_w, mov_extend, W16, false)
BODY_V(movsx_b, mov_extend, W8, true)
BODY_V(movsx_w, mov_extend, W16, true)

/* MOVSXD extends 32 bits to 64; with a smaller operand size it is MOV of that size. */
INLINE_BODY movsxd(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                   handler_fn *slow) {
  return mov_extend(cpu, i, w, form, slow, w == W16 ? W16 : W32, true);
}
BODY_V(movsxd, movsxd)

/* The offset alone: no segment, no check. SDM 2A LEA: truncated to the address size, then to the operand
 * size. */
INLINE_BODY lea(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                handler_fn *slow) {
  (void)slow;
  reg_set(cpu, i->dst, IS_FAST(form) ? ea_fast(cpu, i, form) : ea_offset(cpu, i), w);
  NEXT(cpu, i, FORM_R);
}
#define H_LEA(w)                                                                                      \
  H_DECL_X(lea, w) H_INST(lea, w, B, lea) H_INST(lea, w, M, lea) H_INST(lea, w, P, lea)               \
  H_INST(lea, w, C, lea) H_INST(lea, w, N, lea) H_INST(lea, w, X, lea)
#define H_LEA_ROW(w)                                                                                  \
  [FORM_B] = h_lea_##w##_B, [FORM_M] = h_lea_##w##_M, [FORM_P] = h_lea_##w##_P,                       \
  [FORM_C] = h_lea_##w##_C, [FORM_N] = h_lea_##w##_N, [FORM_X] = h_lea_##w##_X
H_LEA(16) H_LEA(32) H_LEA(64)
static handler_fn *const t_lea[WIDTHS][FORMS] = {
    [W16] = {H_LEA_ROW(16)}, [W32] = {H_LEA_ROW(32)}, [W64] = {H_LEA_ROW(64)}};
const struct body body_lea = {WIDTHS, t_lea};

ALWAYS_INLINE u64 host_exchange(u8 *p, u64 v, enum width w) {
  switch (w) {
    case W8: return __atomic_exchange_n(p, (u8)v, __ATOMIC_SEQ_CST);
    case W16: return __atomic_exchange_n((u16 *)(void *)p, (u16)v, __ATOMIC_SEQ_CST);
    case W32: return __atomic_exchange_n((u32 *)(void *)p, (u32)v, __ATOMIC_SEQ_CST);
    default: return __atomic_exchange_n((u64 *)(void *)p, v, __ATOMIC_SEQ_CST);
  }
}

/* With memory XCHG is atomic, LOCK or not (SDM 3A 8.1.2.1 (Automatic Locking)). Aligned hits are exchanged
 * in place. */
INLINE_BODY xchg(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                 handler_fn *slow) {
  u64 v = reg_get(cpu, i->src, w), old;
  if (form == FORM_R) {
    old = reg_get(cpu, i->dst, w);
    reg_set(cpu, i->src, old, w);
    reg_set(cpu, i->dst, v, w);
  } else {
    E_BIND(e, w, form, ACC_WRITE);
    if (IS_FAST(form)) {
      if (unlikely((uintptr_t)e.p & (WIDTH_BYTES(w) - 1))) return slow(cpu, i);
      old = host_exchange(e.p, v, w);
    } else {
      u64 new_;
      E_LOCKED_RMW(e, w, old, new_, v);
    }
    reg_set(cpu, i->src, old, w);
  }
  NEXT(cpu, i, form);
}
BODY_LEAN_LOCK(xchg_E_G, xchg)

/* 90..97. XCHG rAX, rAX is NOP: it does not clear the upper half of RAX, as 87 C0 does. F3 90 is PAUSE, with REX.B
 * too (measured on Intel Xeon), where 90 alone is XCHG R8, rAX. */
INLINE_BODY xchg_acc(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                     handler_fn *slow) {
  (void)slow;
  bool pause = i->dst == R8 && (i->flags & IF_REP);
  if (i->dst != i->src && !pause) {
    u64 a = reg_get(cpu, i->src, w), z = reg_get(cpu, i->dst, w);
    reg_set(cpu, i->src, z, w);
    reg_set(cpu, i->dst, a, w);
  }
  NEXT(cpu, i, form);
}
BODY_RV(xchg_Z_A, xchg_acc)

/* With a 16-bit operand the result is undefined: processors clear it (measured on Intel Xeon). */
INLINE_BODY bswap(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                  handler_fn *slow) {
  (void)slow;
  u64 v = cpu->gpr[i->dst];
  reg_set(cpu, i->dst, w == W64 ? __builtin_bswap64(v) : w == W32 ? __builtin_bswap32((u32)v) : 0, w);
  NEXT(cpu, i, form);
}
BODY_RV(bswap_Z, bswap)

/* The source is read whatever the condition, and a 32-bit destination's upper half cleared. SDM 2A CMOVcc */
INLINE_BODY cmov(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                 handler_fn *slow, unsigned cc) {
  E_BIND(e, w, form, ACC_READ);
  u64 v = e_get_src(cpu, i, &e, w, form);
  reg_set(cpu, i->dst, cond(cpu->hf, cc) ? v : reg_get(cpu, i->dst, w), w);
  NEXT(cpu, i, form);
}

INLINE_BODY setcc(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                  handler_fn *slow, unsigned cc) {
  E_BIND(e, w, form, ACC_WRITE);
  e_set(cpu, i, &e, cond(cpu->hf, cc), w, form);
  NEXT(cpu, i, form);
}
#define CONDITION(NAME, cc)               \
  BODY_LEAN_V(cmov##NAME##_G_E, cmov, cc) \
  BODY_LEAN1(set##NAME##_E, 8, setcc, cc)
CONDITION(O, 0)
CONDITION(NO, 1)
CONDITION(B, 2)
CONDITION(AE, 3)
CONDITION(E, 4)
CONDITION(NE, 5)
CONDITION(BE, 6)
CONDITION(A, 7)
CONDITION(S, 8)
CONDITION(NS, 9)
CONDITION(P, 10)
CONDITION(NP, 11)
CONDITION(L, 12)
CONDITION(GE, 13)
CONDITION(LE, 14)
CONDITION(G, 15)

/* CBW CWDE CDQE: the accumulator's lower half, sign-extended. */
INLINE_BODY cbw(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                handler_fn *slow) {
  (void)slow;
  reg_set(cpu, RAX, (u64)sext(cpu->gpr[RAX], WIDTH_BITS(w) / 2), w);
  NEXT(cpu, i, form);
}
BODY_RV(cbw, cbw)

/* CWD CDQ CQO: the accumulator's sign fills rDX. */
INLINE_BODY cwd(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                handler_fn *slow) {
  (void)slow;
  reg_set(cpu, RDX, (u64)(sext(cpu->gpr[RAX], WIDTH_BITS(w)) >> 63), w);
  NEXT(cpu, i, form);
}
BODY_RV(cwd, cwd)

static const struct insn *h_xlat(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  u64 off = (cpu->gpr[RBX] + (u8)cpu->gpr[RAX]) & insn_address_mask(i);
  reg_set(cpu, RAX, mem_read8(cpu, mem_linear(cpu, i->seg, off, 1, ACC_READ)), W8);
  NEXT(cpu, i, FORM_X);
}
BODY_1(xlat, h_xlat)
