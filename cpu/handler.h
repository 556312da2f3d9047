/* The vocabulary in which instruction bodies are written: registers, the r/m operand in all its forms, and the
 * macros that instantiate one inline body for every width and form.
 *
 * A body is an ALWAYS_INLINE function
 *     const struct insn *NAME(struct cpu *restrict cpu, const struct insn *restrict i,
 *                             enum width w, enum form form, handler_fn *slow [, more constants])
 * in which w, form and the further arguments are compile-time constants, so each instance is straight-line code.
 * `slow` is the X instance of the same body: a fast form that misses tail-calls it.
 *
 *     E_BIND(e, w, form, ACC_WRITE);       the r/m operand: may leave through `slow`
 *     u64 a = e_get(cpu, i, &e, w, form, ACC_WRITE);
 *     e_set(cpu, i, &e, a, w, form);
 *     NEXT(cpu, i, form);
 *
 * Registers and flags are written only after the last thing that can fault.
 */
#ifndef CPU_HANDLER_H
#define CPU_HANDLER_H

#include "cpu/insn.h"
#include "cpu/mem.h"

#define IS_FAST(form) ((form) >= FORM_B && (form) <= FORM_S)
#define IS_MEM(form) ((form) != FORM_R)

/* ---- general registers; r is an insn's dst or src ---- */
ALWAYS_INLINE u64 reg_get(const struct cpu *cpu, unsigned r, enum width w) {
  switch (w) {
    case W8: return ((const u8 *)cpu->gpr)[r];
    case W16: return (u16)cpu->gpr[r];
    case W32: return (u32)cpu->gpr[r];
    default: return cpu->gpr[r];
  }
}

/* A 32-bit write clears the upper half; narrower ones merge. Partial writes store all 64 bits, so that a wider read
 * right after forwards from the store buffer. */
ALWAYS_INLINE void reg_set(struct cpu *cpu, unsigned r, u64 v, enum width w) {
  switch (w) {
    case W8: {
      u64 *p = &cpu->gpr[r >> 3];
      unsigned sh = (r & 1) << 3;
      *p = (*p & ~((u64)0xff << sh)) | (u64)(u8)v << sh;
      break;
    }
    case W16: cpu->gpr[r] = (cpu->gpr[r] & ~UINT64_C(0xffff)) | (u16)v; break;
    case W32: cpu->gpr[r] = (u32)v; break;
    default: cpu->gpr[r] = v;
  }
}

/* ---- the r/m operand ---- */
struct eref {
  u8 *p;  /* fast forms */
  u64 la; /* X and L */
};

/* The immediate, wherever the form keeps it. */
ALWAYS_INLINE u64 insn_imm(const struct insn *i, enum form form) {
  if (form == FORM_P) return (u64)(s64)i->disp;
  if (form == FORM_X || form == FORM_L) return i->flags & IF_ABS ? (u64)(s64)i->disp : i->imm;
  return i->imm;
}

/* Effective address (offset) and linear address are the same in these. */
ALWAYS_INLINE u64 ea_fast(const struct cpu *cpu, const struct insn *i, enum form form) {
  u64 disp = (u64)(s64)i->disp;
  switch (form) {
    case FORM_B: return cpu->gpr[i->base] + disp;
    case FORM_M: return cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + disp;
    case FORM_P: return i->imm;
    case FORM_C: return (u32)(cpu->gpr[i->base] + disp);
    case FORM_N: return (u32)(cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + disp);
    default: return (cpu->seg[i->seg].base + cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + disp) & cpu->lamask;
  }
}

/* Offset of the memory operand in its segment, any address size. */
u64 ea_offset(const struct cpu *cpu, const struct insn *i);
/* Linear address of the memory operand after the segment checks; sets cpu->insn. */
u64 ea_linear(struct cpu *cpu, const struct insn *i, unsigned size, enum access acc);

ALWAYS_INLINE bool e_bind(struct cpu *cpu, const struct insn *i, struct eref *e, unsigned size, enum form form,
                          enum access acc) {
  if (IS_FAST(form)) {
    u64 va = ea_fast(cpu, i, form);
    if (form == FORM_S) { /* an offset that wraps is beyond the limit of 4 GiB: the X form says which fault */
      u64 off = cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + (u64)(s64)i->disp;
      if (unlikely((off & cpu->lamask) > cpu->lamask - (size - 1))) return false;
    }
    cpu->insn = i; /* a host fault on a hit (a truncated file) must find the instruction */
    e->p = mem_hit(cpu, va, size, acc);
    return e->p != NULL;
  }
  if ((form == FORM_X && i->seg != SEG_REG) || form == FORM_L) e->la = ea_linear(cpu, i, size, acc);
  return true;
}

/* Binds the r/m operand of WIDTH_BYTES(w) bytes; acc ACC_READ, or ACC_WRITE for stores and read-modify-writes. */
#define E_BIND(e, w, form, acc) E_BIND_N(e, WIDTH_BYTES(w), form, acc)
#define E_BIND_N(e, size, form, acc)                                      \
  struct eref e = {0};                                                    \
  if (unlikely(!e_bind(cpu, i, &(e), (size), (form), (acc)))) return slow(cpu, i)

ALWAYS_INLINE u64 host_load(const u8 *p, enum width w) {
  switch (w) {
    case W8: return ld8(p);
    case W16: return ld16(p);
    case W32: return ld32(p);
    default: return ld64(p);
  }
}
ALWAYS_INLINE void host_store(u8 *p, u64 v, enum width w) {
  switch (w) {
    case W8: st8(p, (u8)v); break;
    case W16: st16(p, (u16)v); break;
    case W32: st32(p, (u32)v); break;
    default: st64(p, v);
  }
}

/* mem_read() and mem_write() with the TLB's hit inlined, for bodies that run outside flat segments. */
ALWAYS_INLINE u64 mem_read_hit(struct cpu *cpu, u64 la, enum width w) {
  const u8 *p = mem_hit(cpu, la, WIDTH_BYTES(w), ACC_READ);
  return likely(p && !(cpu->mode & MODE_ALIGN)) ? host_load(p, w) : mem_read(cpu, la, WIDTH_BYTES(w));
}
ALWAYS_INLINE void mem_write_hit(struct cpu *cpu, u64 la, u64 v, enum width w) {
  u8 *p = mem_hit(cpu, la, WIDTH_BYTES(w), ACC_WRITE);
  if (likely(p && !(cpu->mode & MODE_ALIGN))) host_store(p, v, w);
  else mem_write(cpu, la, v, WIDTH_BYTES(w));
}

/* By a width that is a constant: no dispatch on the size. */
ALWAYS_INLINE u64 mem_read_w(struct cpu *cpu, u64 la, enum width w) {
  return w == W8 ? mem_read8(cpu, la) : w == W16 ? mem_read16(cpu, la) : w == W32 ? mem_read32(cpu, la) : mem_read64(cpu, la);
}
ALWAYS_INLINE void mem_write_w(struct cpu *cpu, u64 la, u64 v, enum width w) {
  if (w == W8) mem_write8(cpu, la, (u8)v);
  else if (w == W16) mem_write16(cpu, la, (u16)v);
  else if (w == W32) mem_write32(cpu, la, (u32)v);
  else mem_write64(cpu, la, v);
}

/* Reads the operand. In form R the register is i->dst when reg_is_dst, else i->src. */
ALWAYS_INLINE u64 e_load(struct cpu *cpu, const struct insn *i, const struct eref *e, enum width w, enum form form,
                         enum access acc, bool reg_is_dst) {
  if (form == FORM_R || (form == FORM_X && i->seg == SEG_REG)) return reg_get(cpu, reg_is_dst ? i->dst : i->src, w);
  if (IS_FAST(form)) return host_load(e->p, w);
  if (acc == ACC_WRITE) mem_probe(cpu, e->la, WIDTH_BYTES(w), ACC_WRITE);
  return mem_read_w(cpu, e->la, w);
}
/* E is the first operand (destination, or the only one): register in dst. */
#define e_get(cpu, i, e, w, form, acc) e_load(cpu, i, e, w, form, acc, true)
/* E is the second operand: register in src; memory is only read. */
#define e_get_src(cpu, i, e, w, form) e_load(cpu, i, e, w, form, ACC_READ, false)

ALWAYS_INLINE void e_set(struct cpu *cpu, const struct insn *i, const struct eref *e, u64 v, enum width w,
                         enum form form) {
  if (form == FORM_R || (form == FORM_X && i->seg == SEG_REG)) reg_set(cpu, i->dst, v, w);
  else if (IS_FAST(form)) host_store(e->p, v, w);
  else mem_write_w(cpu, e->la, v, w);
}

/* Atomic read-modify-write in form L: retries until no other processor came between. `expr` computes the new value
 * u64 from `old` (u64, the w bits at the operand); it may set local variables but nothing of cpu. */
ALWAYS_INLINE bool host_cas(u8 *p, u64 old, u64 new_, enum width w) {
  u8 o8 = (u8)old;
  u16 o16 = (u16)old;
  u32 o32 = (u32)old;
  switch (w) {
    case W8: return __atomic_compare_exchange_n(p, &o8, (u8)new_, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    case W16: return __atomic_compare_exchange_n((u16 *)(void *)p, &o16, (u16)new_, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    case W32: return __atomic_compare_exchange_n((u32 *)(void *)p, &o32, (u32)new_, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    default: return __atomic_compare_exchange_n((u64 *)(void *)p, &old, new_, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  }
}
#define E_LOCKED_RMW(e, w, old, new_, expr)                        \
  do {                                                             \
    u8 *lp_ = mem_lock_begin(cpu, (e).la, WIDTH_BYTES(w));         \
    do {                                                           \
      (old) = host_load(lp_, (w));                                 \
      (new_) = (expr);                                             \
    } while (!host_cas(lp_, (old), (new_), (w)));                  \
    mem_lock_end(cpu, WIDTH_BYTES(w));                             \
  } while (0)

/* ---- instances ---- */

/* One handler h_NAME_w_form running `inl(cpu, i, w, form, slow, ...)`. */
#define H_INST(name, w, form, inl, ...)                                                             \
  static const struct insn *h_##name##_##w##_##form(struct cpu *restrict cpu, const struct insn *restrict i) { \
    return inl(cpu, i, W##w, FORM_##form, h_##name##_##w##_X __VA_OPT__(, ) __VA_ARGS__);           \
  }
#define H_DECL_X(name, w) static handler_fn h_##name##_##w##_X;

#define H_ALL_FORMS(name, w, inl, ...)                                       \
  H_DECL_X(name, w)                                                          \
  H_INST(name, w, R, inl, __VA_ARGS__) H_MEM_FORMS(name, w, inl, __VA_ARGS__)
#define H_MEM_FORMS(name, w, inl, ...)                                       \
  H_INST(name, w, B, inl, __VA_ARGS__) H_INST(name, w, M, inl, __VA_ARGS__)  \
  H_INST(name, w, P, inl, __VA_ARGS__) H_INST(name, w, C, inl, __VA_ARGS__)  \
  H_INST(name, w, N, inl, __VA_ARGS__) H_INST(name, w, S, inl, __VA_ARGS__)  \
  H_INST(name, w, X, inl, __VA_ARGS__)

#define H_ROW_MEM(name, w)                                                                         \
  [FORM_B] = h_##name##_##w##_B, [FORM_M] = h_##name##_##w##_M, [FORM_P] = h_##name##_##w##_P,     \
  [FORM_C] = h_##name##_##w##_C, [FORM_N] = h_##name##_##w##_N, [FORM_S] = h_##name##_##w##_S,     \
  [FORM_X] = h_##name##_##w##_X
#define H_ROW(name, w) [FORM_R] = h_##name##_##w##_R, H_ROW_MEM(name, w)

/* BODY_E: r/m operand in every form, widths 8..64 (BODY_E_LOCK: with form L too). */
#define BODY_E(name, inl, ...)                                                                    \
  H_ALL_FORMS(name, 8, inl, __VA_ARGS__) H_ALL_FORMS(name, 16, inl, __VA_ARGS__)                  \
  H_ALL_FORMS(name, 32, inl, __VA_ARGS__) H_ALL_FORMS(name, 64, inl, __VA_ARGS__)                 \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                            \
      {H_ROW(name, 8)}, {H_ROW(name, 16)}, {H_ROW(name, 32)}, {H_ROW(name, 64)}};                 \
  const struct body body_##name = {WIDTHS, t_##name};
#define BODY_E_LOCK(name, inl, ...)                                                               \
  H_ALL_FORMS(name, 8, inl, __VA_ARGS__) H_ALL_FORMS(name, 16, inl, __VA_ARGS__)                  \
  H_ALL_FORMS(name, 32, inl, __VA_ARGS__) H_ALL_FORMS(name, 64, inl, __VA_ARGS__)                 \
  H_INST(name, 8, L, inl, __VA_ARGS__) H_INST(name, 16, L, inl, __VA_ARGS__)                      \
  H_INST(name, 32, L, inl, __VA_ARGS__) H_INST(name, 64, L, inl, __VA_ARGS__)                     \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                            \
      {H_ROW(name, 8), [FORM_L] = h_##name##_8_L}, {H_ROW(name, 16), [FORM_L] = h_##name##_16_L}, \
      {H_ROW(name, 32), [FORM_L] = h_##name##_32_L}, {H_ROW(name, 64), [FORM_L] = h_##name##_64_L}}; \
  const struct body body_##name = {WIDTHS, t_##name};
/* BODY_E1: one width whatever the operand size (SSE, x87, fixed-size operands): instances of width w. */
#define BODY_E1(name, w, inl, ...)                                            \
  H_ALL_FORMS(name, w, inl, __VA_ARGS__)                                      \
  static handler_fn *const t_##name[1][FORMS] = {{H_ROW(name, w)}};           \
  const struct body body_##name = {1, t_##name};
/* BODY_M1: as BODY_E1 with memory forms only. */
#define BODY_M1(name, w, inl, ...)                                            \
  H_DECL_X(name, w) H_MEM_FORMS(name, w, inl, __VA_ARGS__)                    \
  static handler_fn *const t_##name[1][FORMS] = {{H_ROW_MEM(name, w)}};       \
  const struct body body_##name = {1, t_##name};
/* BODY_R: no memory operand; widths 8..64, form R; X is the same body where something is not flat (stack, string). */
#define BODY_RX(name, inl, ...)                                                                             \
  H_DECL_X(name, 8) H_DECL_X(name, 16) H_DECL_X(name, 32) H_DECL_X(name, 64)                                \
  H_INST(name, 8, R, inl, __VA_ARGS__) H_INST(name, 16, R, inl, __VA_ARGS__)                                \
  H_INST(name, 32, R, inl, __VA_ARGS__) H_INST(name, 64, R, inl, __VA_ARGS__)                               \
  H_INST(name, 8, X, inl, __VA_ARGS__) H_INST(name, 16, X, inl, __VA_ARGS__)                                \
  H_INST(name, 32, X, inl, __VA_ARGS__) H_INST(name, 64, X, inl, __VA_ARGS__)                               \
  static handler_fn *const t_##name[WIDTHS][FORMS] = {                                                      \
      {[FORM_R] = h_##name##_8_R, [FORM_X] = h_##name##_8_X}, {[FORM_R] = h_##name##_16_R, [FORM_X] = h_##name##_16_X}, \
      {[FORM_R] = h_##name##_32_R, [FORM_X] = h_##name##_32_X}, {[FORM_R] = h_##name##_64_R, [FORM_X] = h_##name##_64_X}}; \
  const struct body body_##name = {WIDTHS, t_##name};
/* BODY_1: a plain handler for form R (and X: register or no operand), any width: the row's operand size is in
 * insn_osize(i). */
#define BODY_1(name, handler)                                                                     \
  static handler_fn *const t_##name[1][FORMS] = {{[FORM_R] = (handler), [FORM_X] = (handler)}};   \
  const struct body body_##name = {1, t_##name};

#define INLINE_BODY ALWAYS_INLINE __attribute__((unused)) const struct insn *

#endif
