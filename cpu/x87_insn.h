/* The vocabulary of the x87 bodies: operands, pointers, and one fast and one X handler for each
 * instruction. See cpu/x87.h for why a handler is the guest's own instruction. SDM 1 8 (Programming with
 * the x87 FPU). */
#ifndef CPU_X87_INSN_H
#define CPU_X87_INSN_H

#include "cpu/handler.h"
#include "cpu/x87.h"

/* ---- X forms ---- */
/* Sets cpu->insn; an unmasked exception that waits is reported: #MF. Waiting instructions begin with this. */
void x87_wait(struct cpu *cpu, const struct insn *i);
/* Loads the host's x87 if the state is not there. From here to x87_finish() nothing may fault. */
void x87_begin(struct cpu *cpu);
/* Takes the state back when an exception is unmasked. Returns whether a destination in memory is to be
 * written: not after an unmasked exception other than precision. SDM 1 8.5 (x87 FPU Floating-Point
 * Exception Conditions) */
bool x87_finish(struct cpu *cpu, const struct insn *i);
/* Reads the memory operand (waiting first), then x87_begin(). */
void x87_fetch(struct cpu *cpu, const struct insn *i, u8 *buf, unsigned n);
/* A store: begin waits, and with every exception masked checks that the operand can be written, then does x87_begin();
 * end does x87_finish() and writes. With an exception unmasked the operand is looked at last, because a store that is
 * suppressed does not touch it (measured on Intel Xeon); if it faults then, nothing has happened. */
struct x87_operand {
  u64 la, second; /* of the ninth byte on */
};
struct x87_store {
  struct x87_operand at;
  bool last;         /* the operand is looked at last */
  struct x87 before; /* then: the state to go back to */
};
void x87_store_begin(struct cpu *cpu, const struct insn *i, struct x87_store *s, unsigned n);
void x87_store_end(struct cpu *cpu, const struct insn *i, struct x87_store *s, const u8 *buf, unsigned n);
/* The alignment check of an x87 operand: #AC(0). SDM 3A Table 6-7 (Alignment Requirements by Data Type) */
void x87_align(struct cpu *cpu, u64 la, unsigned align);
/* The low three bits of the first opcode byte, and ModRM, of the x87 instruction at CS:rip; -1: there is
 * none. SDM 1 8.1.9 (Last Instruction Opcode) */
int x87_opcode_at(struct cpu *cpu, u64 rip);
/* Ends an X form without a memory operand. */
handler_fn x87_end;

/* ---- instruction and operand pointers, which control instructions leave alone ---- */
/* The decoder leaves the instruction's address in imm, unless that holds the operand's. */
ALWAYS_INLINE void x87_note(struct cpu *cpu, const struct insn *i, enum form form) {
  cpu->x87.fip = form == FORM_P || form == FORM_X ? insn_rip(i) : i->imm;
  cpu->x87.fcs = cpu->seg[CS].sel;
}
ALWAYS_INLINE void x87_note_mem(struct cpu *cpu, const struct insn *i, enum form form, u64 offset) {
  x87_note(cpu, i, form);
  cpu->x87.last_dp = offset;
  cpu->x87.last_ds = cpu->seg[i->seg].sel;
}

/* ---- no operand, or registers: the instruction is the bytes b0 b1 ---- */
#define X87_BYTES(b0, b1) ".byte " #b0 ", " #b1

/* fast_: with every exception masked. */
#define X87_PAIR(name, asm_) X87_PAIR2(name, asm_, asm_)
#define X87_PAIR2(name, fast_, exact_)                                                                   \
  static handler_fn h_##name##_X;                                                                        \
  static const struct insn *h_##name##_R(struct cpu *restrict cpu, const struct insn *restrict i) {      \
    if (unlikely(!cpu->x87.live)) return h_##name##_X(cpu, i);                                           \
    fast_;                                                                                               \
    x87_note(cpu, i, FORM_R);                                                                            \
    NEXT(cpu, i, FORM_R);                                                                                \
  }                                                                                                      \
  COLD static const struct insn *h_##name##_X(struct cpu *restrict cpu, const struct insn *restrict i) { \
    x87_wait(cpu, i);                                                                                    \
    x87_begin(cpu);                                                                                      \
    exact_;                                                                                              \
    return x87_end(cpu, i);                                                                              \
  }
#define X87_TABLE_1(name)                                                    \
  static handler_fn *const t_##name[1][FORMS] = {{[FORM_R] = h_##name##_R}}; \
  const struct body body_##name = {1, t_##name};

#define X87_PLAIN(b0, b1) __asm__ volatile(X87_BYTES(b0, b1))
#define X87_NULLARY(name, b0, b1) X87_PAIR(name, X87_PLAIN(b0, b1)) X87_TABLE_1(name)

/* With ST(i): the body's handlers are by register number. m(name, b0, b1) defines one of them. */
#define X87_TABLE_ST(name)                                                                   \
  static handler_fn *const t_##name[8][FORMS] = {                                            \
      {[FORM_R] = h_##name##_0_R}, {[FORM_R] = h_##name##_1_R}, {[FORM_R] = h_##name##_2_R}, \
      {[FORM_R] = h_##name##_3_R}, {[FORM_R] = h_##name##_4_R}, {[FORM_R] = h_##name##_5_R}, \
      {[FORM_R] = h_##name##_6_R}, {[FORM_R] = h_##name##_7_R}};                             \
  const struct body body_##name = {8, t_##name};
#define X87_EACH_ST(m, name, b0, b1)                                                              \
  m(name##_0, b0, b1) m(name##_1, b0, b1 + 1) m(name##_2, b0, b1 + 2) m(name##_3, b0, b1 + 3)     \
  m(name##_4, b0, b1 + 4) m(name##_5, b0, b1 + 5) m(name##_6, b0, b1 + 6) m(name##_7, b0, b1 + 7) \
  X87_TABLE_ST(name)
#define X87_ST_1(name, b0, b1) X87_PAIR(name, X87_PLAIN(b0, b1))
#define X87_ST(name, b0, b1) X87_EACH_ST(X87_ST_1, name, b0, b1)

/* ---- memory operands ---- */
struct x87_mem2 { u8 b[2]; };
struct x87_mem4 { u8 b[4]; };
struct x87_mem8 { u8 b[8]; };
struct x87_mem10 { u8 b[10]; };

#define X87_MEM_BODY(name)                                                                                \
  H_DECL_X(name, 64)                                                                                      \
  H_INST(name, 64, M, op_##name) H_INST(name, 64, C, op_##name) H_INST(name, 64, N, op_##name)            \
  H_INST(name, 64, P, op_##name) COLD H_INST(name, 64, X, op_##name)                                      \
  static handler_fn *const t_##name[1][FORMS] = {{[FORM_M] = h_##name##_64_M, [FORM_C] = h_##name##_64_C, \
                                                  [FORM_N] = h_##name##_64_N, [FORM_P] = h_##name##_64_P, \
                                                  [FORM_X] = h_##name##_64_X}};                           \
  const struct body body_##name = {1, t_##name};

/* The X form's buffer is in a function of its own: a handler has no tail call if a local's address escapes. */
#define X87_MEM_OP(name)                                                                          \
  INLINE_BODY op_##name(struct cpu *restrict cpu, const struct insn *restrict i,                  \
                        __attribute__((unused)) enum width w, enum form form, handler_fn *slow) { \
    if (!IS_FAST(form)) {                                                                         \
      general_##name(cpu, i);                                                                     \
      NEXT(cpu, i, form);                                                                         \
    }

/* The instruction `text %0` reads n bytes. */
#define X87_LOAD(name, n, text)                                                     \
  NOINLINE COLD static void general_##name(struct cpu *cpu, const struct insn *i) { \
    u8 buf[n];                                                                      \
    x87_fetch(cpu, i, buf, n);                                                      \
    __asm__ volatile(text " %0" : : "m"(*(const struct x87_mem##n *)buf));          \
    x87_note_mem(cpu, i, FORM_X, ea_offset(cpu, i));                                \
    (void)x87_finish(cpu, i);                                                       \
  }                                                                                 \
  X87_MEM_OP(name)                                                                  \
    if (unlikely(!cpu->x87.live)) return slow(cpu, i);                              \
    E_BIND_N(e, n, form, ACC_READ);                                                 \
    u64 offset = ea_fast(cpu, i, form);                                             \
    __asm__ volatile(text " %0" : : "m"(*(const struct x87_mem##n *)e.p));          \
    x87_note_mem(cpu, i, form, offset);                                             \
    NEXT(cpu, i, form);                                                             \
  }                                                                                 \
  X87_MEM_BODY(name)

/* The instruction `text %0` writes n bytes. */
#define X87_STORE(name, n, text)                                                    \
  NOINLINE COLD static void general_##name(struct cpu *cpu, const struct insn *i) { \
    struct x87_mem##n buf = {{0}};                                                  \
    struct x87_store s;                                                             \
    x87_store_begin(cpu, i, &s, n);                                                 \
    __asm__ volatile(text " %0" : "+m"(buf));                                       \
    x87_note_mem(cpu, i, FORM_X, ea_offset(cpu, i));                                \
    x87_store_end(cpu, i, &s, buf.b, n);                                            \
  }                                                                                 \
  X87_MEM_OP(name)                                                                  \
    if (unlikely(!cpu->x87.live)) return slow(cpu, i);                              \
    E_BIND_N(e, n, form, ACC_WRITE);                                                \
    u64 offset = ea_fast(cpu, i, form);                                             \
    __asm__ volatile(text " %0" : "=m"(*(struct x87_mem##n *)e.p));                 \
    x87_note_mem(cpu, i, form, offset);                                             \
    NEXT(cpu, i, form);                                                             \
  }                                                                                 \
  X87_MEM_BODY(name)

#endif
