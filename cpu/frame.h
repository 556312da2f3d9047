/* A stack frame being built: its values, the stack it goes to, and the write that cannot fault once probed.
 * SDM 1 6.2 (Stacks); SDM 3A 6.12.1 (Exception- or Interrupt-Handler Procedures). */
#ifndef CPU_FRAME_H
#define CPU_FRAME_H

#include "cpu/mem.h"
#include "cpu/record.h"
#include "cpu/seg.h"

enum { FRAME_SLOTS = 4 + 31 }; /* a call gate's: SS, ESP, 31 parameters, CS, EIP */

struct frame {
  u64 slot[FRAME_SLOTS]; /* in the order pushed: from high to low addresses */
  u8 n, bytes;           /* slots; size of each */
  u8 word[FRAME_SLOTS];  /* enum rec_word */
};

struct stack { /* the current stack, or one about to be switched to */
  const struct seg *ss; /* NULL: flat 64-bit */
  u64 sp, mask;         /* mask: width of the stack pointer */
  bool user;            /* privilege of the accesses */
};

/* The slots are left as they are: clearing them all would cost more than most deliveries. */
static inline void frame_begin(struct frame *f, unsigned bytes) {
  f->n = 0;
  f->bytes = (u8)bytes;
}
static inline void frame_add(struct frame *f, enum rec_word word, u64 v) {
  f->word[f->n] = word;
  f->slot[f->n++] = v;
}
static inline unsigned frame_bytes(const struct frame *f) { return (unsigned)f->n * f->bytes; }

static inline struct stack stack_current(const struct cpu *cpu) {
  bool wide = cpu_code64(cpu);
  return (struct stack){.ss = wide ? NULL : &cpu->seg[SS], .sp = wide ? cpu->gpr[RSP] : (u32)cpu->gpr[RSP],
                        .mask = cpu->spmask, .user = cpu->cpl == 3};
}
static inline struct stack stack_in(const struct seg *ss, u64 sp, bool user) {
  return (struct stack){.ss = ss, .sp = sp, .mask = ss->attr & SEG_DB ? 0xffffffff : 0xffff, .user = user};
}

/* The stack pointer when the frame is on it. A 16-bit stack keeps the upper bits. */
static inline u64 frame_sp(const struct stack *st, const struct frame *f) {
  return (st->sp & ~st->mask) | ((st->sp - (u64)f->n * f->bytes) & st->mask);
}

/* Linear address of slot k. */
static inline u64 frame_linear(const struct stack *st, const struct frame *f, unsigned k) {
  u64 off = (st->sp - (u64)(k + 1) * f->bytes) & st->mask;
  return st->ss ? (u32)(st->ss->base + off) : off;
}

/* Does every slot lie inside the segment, or at canonical addresses? */
static inline bool frame_fits(const struct cpu *cpu, const struct stack *st, const struct frame *f) {
  if (!st->ss) return cpu_canonical(cpu, st->sp - 1) && cpu_canonical(cpu, st->sp - (u64)f->n * f->bytes);
  for (unsigned k = 0; k < f->n; k++)
    if (!seg_within(st->ss, (st->sp - (u64)(k + 1) * f->bytes) & st->mask, f->bytes)) return false;
  return true;
}

/* Raises the page fault that writing the frame would raise, at the first slot in the order pushed; after it,
 * frame_push() cannot fault. */
static inline void frame_probe(struct cpu *cpu, const struct stack *st, const struct frame *f) {
  u64 low = frame_linear(st, f, f->n - 1u), high = frame_linear(st, f, 0);
  bool one_page = low <= high && low >> PAGE_SHIFT == (high + f->bytes - 1) >> PAGE_SHIFT;
  for (unsigned k = 0; k < (one_page ? 1u : f->n); k++)
    mem_probe_as(cpu, frame_linear(st, f, k), f->bytes, ACC_WRITE, st->user);
}

static inline void frame_push(struct cpu *cpu, const struct stack *st, const struct frame *f) {
  for (unsigned k = 0; k < f->n; k++) {
    u64 la = frame_linear(st, f, k);
    mem_write_as(cpu, la, f->slot[k], f->bytes, st->user);
    rec_word(cpu, REC_PUSH, (enum rec_word)f->word[k], la, f->slot[k], f->bytes);
  }
}

/* One slot of the current stack: read `off` bytes above its top, write below it, drop. A 16-bit stack pointer
 * leaves the upper bits of ESP alone. */
static inline u64 stack_peek(struct cpu *cpu, enum rec_word word, u64 off, unsigned bytes) {
  u64 at = (cpu->gpr[RSP] + off) & cpu->spmask, la = mem_linear(cpu, SS, at, bytes, ACC_READ);
  u64 v = mem_read(cpu, la, bytes);
  rec_word(cpu, REC_POP, word, la, v, bytes);
  return v;
}
static inline void stack_drop(struct cpu *cpu, u64 bytes) {
  u64 sp = cpu_code64(cpu) ? cpu->gpr[RSP] : (u32)cpu->gpr[RSP];
  cpu->gpr[RSP] = (sp & ~cpu->spmask) | ((sp + bytes) & cpu->spmask);
}
static inline void stack_push(struct cpu *cpu, u64 v, unsigned bytes) {
  u64 at = (cpu->gpr[RSP] - bytes) & cpu->spmask;
  mem_write(cpu, mem_linear(cpu, SS, at, bytes, ACC_WRITE), v, bytes);
  stack_drop(cpu, -(u64)bytes);
}

#endif
