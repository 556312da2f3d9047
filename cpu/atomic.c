/* Exchange and compare: XADD CMPXCHG CMPXCHG8B CMPXCHG16B. SDM 1 7.3.1.2 (Exchange Instructions),
 * SDM 3A 8.1 (Locked Atomic Operations). XCHG is in cpu/mov.c. */
#include "base/host_int.h"
#include "cpu/check.h"
#include "cpu/lean.h"

ALWAYS_INLINE u64 add_flags(u64 a, u64 b, enum width w, u16 *hf) {
  switch (w) {
    case W8: return host_add8((u8)a, (u8)b, hf);
    case W16: return host_add16((u16)a, (u16)b, hf);
    case W32: return host_add32((u32)a, (u32)b, hf);
    default: return host_add64(a, b, hf);
  }
}
ALWAYS_INLINE void cmp_flags(u64 a, u64 b, enum width w, u16 *hf) {
  switch (w) {
    case W8: host_cmp8((u8)a, (u8)b, hf); break;
    case W16: host_cmp16((u16)a, (u16)b, hf); break;
    case W32: host_cmp32((u32)a, (u32)b, hf); break;
    default: host_cmp64(a, b, hf);
  }
}

/* The source receives the old value first: XADD of a register with itself leaves the sum. */
INLINE_BODY xadd(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                 handler_fn *slow) {
  u64 b = reg_get(cpu, i->src, w), a, r;
  u16 hf;
  E_BIND(e, w, form, ACC_WRITE);
  if (form == FORM_L) {
    E_LOCKED_RMW(e, w, a, r, add_flags(a, b, w, &hf));
    reg_set(cpu, i->src, a, w);
  } else {
    a = e_get(cpu, i, &e, w, form, ACC_WRITE);
    r = add_flags(a, b, w, &hf);
    if (form != FORM_R) e_set(cpu, i, &e, r, w, form);
    reg_set(cpu, i->src, a, w);
    if (form == FORM_R) reg_set(cpu, i->dst, r, w);
  }
  cpu->hf = hf;
  NEXT(cpu, i, form);
}
BODY_LEAN_LOCK(xadd_E_G, xadd)

/* Memory is written in either case, so that it faults in either case; a register only when equal. Unequal:
 * the accumulator is loaded, and with 32-bit operands its upper half cleared (measured on Intel Xeon: only
 * then). */
INLINE_BODY cmpxchg(struct cpu *restrict cpu, const struct insn *restrict i, enum width w, enum form form,
                    handler_fn *slow) {
  u64 acc = reg_get(cpu, RAX, w), b = reg_get(cpu, i->src, w), a;
  u16 hf;
  E_BIND(e, w, form, ACC_WRITE);
  if (form == FORM_L) {
    u64 r;
    E_LOCKED_RMW(e, w, a, r, a == acc ? b : a);
  } else {
    a = e_get(cpu, i, &e, w, form, ACC_WRITE);
    if (form != FORM_R) e_set(cpu, i, &e, a == acc ? b : a, w, form);
    else if (a == acc) reg_set(cpu, i->dst, b, w);
  }
  cmp_flags(acc, a, w, &hf);
  if (a != acc) reg_set(cpu, RAX, a, w);
  cpu->hf = hf;
  NEXT(cpu, i, form);
}
BODY_LEAN_LOCK(cmpxchg_E_G, cmpxchg)

static void set_zf(struct cpu *cpu, bool zf) { cpu->hf = (u16)(zf ? cpu->hf | HF_ZF : cpu->hf & ~HF_ZF); }

static void compare_exchange_8(struct cpu *cpu, const struct insn *i) {
  u64 la = ea_linear(cpu, i, 8, ACC_WRITE);
  u64 want = cpu->gpr[RDX] << 32 | (u32)cpu->gpr[RAX], with = cpu->gpr[RCX] << 32 | (u32)cpu->gpr[RBX], old;
  if (i->flags & IF_LOCK) {
    u64 r;
    struct eref e = {.la = la};
    E_LOCKED_RMW(e, W64, old, r, old == want ? with : old);
  } else {
    mem_probe(cpu, la, 8, ACC_WRITE);
    old = mem_read64(cpu, la);
    mem_write64(cpu, la, old == want ? with : old);
  }
  if (old != want) {
    reg_set(cpu, RAX, (u32)old, W32);
    reg_set(cpu, RDX, old >> 32, W32);
  }
  set_zf(cpu, old == want);
}

/* SDM 2A CMPXCHG8B/CMPXCHG16B: #GP(0) if the operand is not aligned on 16 bytes, which is judged before the address is
 * (#SS(0); measured on Intel Xeon). Atomic with or without LOCK. */
static void compare_exchange_16(struct cpu *cpu, const struct insn *i) {
  cpu->insn = i;
  u64 la = ea_offset(cpu, i) + (i->seg >= FS ? cpu->seg[i->seg].base : 0);
  require_ab(cpu, CHK_ALIGNED_OPERAND, !(la & 15), 0, la, 16);
  la = ea_linear(cpu, i, 16, ACC_WRITE);
  u128 want = (u128)cpu->gpr[RDX] << 64 | cpu->gpr[RAX], with = (u128)cpu->gpr[RCX] << 64 | cpu->gpr[RBX];
  u128 old = host_cas128(mem_lock_begin(cpu, la, 16), want, with);
  mem_lock_end(cpu, 16);
  if (old != want) {
    cpu->gpr[RAX] = (u64)old;
    cpu->gpr[RDX] = (u64)(old >> 64);
  }
  set_zf(cpu, old == want);
}

static const struct insn *h_cmpxchg8b(struct cpu *restrict cpu, const struct insn *restrict i) {
  if (insn_osize(i) == W64) {
    cpu->insn = i;
    require_ab(cpu, CHK_OP_FEATURE, model_has(cpu->model, FEAT_CX16), 0, FEAT_CX16, 0);
    compare_exchange_16(cpu, i);
  } else {
    compare_exchange_8(cpu, i);
  }
  NEXT(cpu, i, FORM_X);
}
static handler_fn *const t_cmpxchg8b[1][FORMS] = {{[FORM_X] = h_cmpxchg8b, [FORM_L] = h_cmpxchg8b}};
const struct body body_cmpxchg8b = {1, t_cmpxchg8b};
