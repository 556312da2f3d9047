/* Guest memory as an instruction sees it: the inlined software-TLB hit, and the slow paths behind it.
 * All of the slow paths may raise (unwind); cpu->insn must name the instruction in progress first. */
#ifndef CPU_MEM_H
#define CPU_MEM_H

#include "cpu/cpu.h"

/* Host address of [va, va+size) if the software TLB grants acc, else NULL. va is linear. */
ALWAYS_INLINE u8 *mem_hit(struct cpu *cpu, u64 va, unsigned size, enum access acc) {
  const struct tlb_entry *e = &cpu->tlb->e[va >> PAGE_SHIFT & (TLB_SIZE - 1)];
  if (unlikely(((va + size - 1) & PAGE_MASK) != e->tag[acc])) return NULL;
  u8 *p = (u8 *)(va + e->addend);
  if (!p) __builtin_unreachable(); /* spares the caller's test of it */
  return p;
}

/* Linear address of [off, off+size) in a segment, after limit, type and canonical checks: #GP(0), #SS(0).
 * SDM 3A 5.3 (Limit Checking), 5.4 (Type Checking) */
u64 mem_linear(struct cpu *cpu, enum sreg seg, u64 off, unsigned size, enum access acc);

/* Would they pass? */
bool mem_linear_passes(const struct cpu *cpu, enum sreg seg, u64 off, unsigned size, enum access acc);

/* The same; inlined for what passes in segments of expand-up data outside 64-bit mode. */
ALWAYS_INLINE u64 mem_linear_quick(struct cpu *cpu, enum sreg seg, u64 off, unsigned size, enum access acc) {
  const struct seg *g = &cpu->seg[seg];
  u32 must = acc == ACC_WRITE ? SEG_WRITABLE : 0, must_not = SEG_NULL | SEG_CODE | SEG_DOWN;
  bool plain = (g->attr & (must_not | must)) == must && off + size - 1 <= g->limit &&
               (cpu->mode & MODE_CODE_MASK) != MODE_CODE64 && !cpu->recorder;
  return likely(plain) ? (g->base + off) & cpu->lamask : mem_linear(cpu, seg, off, size, acc);
}

/* Reads and writes at a linear address with the current privilege; any alignment, page crossing allowed. A faulting
 * write changes nothing. Writes to decoded code set cpu->leave. */
u8 mem_read8(struct cpu *cpu, u64 la);
u16 mem_read16(struct cpu *cpu, u64 la);
u32 mem_read32(struct cpu *cpu, u64 la);
u64 mem_read64(struct cpu *cpu, u64 la);
void mem_write8(struct cpu *cpu, u64 la, u8 v);
void mem_write16(struct cpu *cpu, u64 la, u16 v);
void mem_write32(struct cpu *cpu, u64 la, u32 v);
void mem_write64(struct cpu *cpu, u64 la, u64 v);
/* By size in bytes (1, 2, 4, 8). */
u64 mem_read(struct cpu *cpu, u64 la, unsigned size);
void mem_write(struct cpu *cpu, u64 la, u64 v, unsigned size);
/* Blocks of n <= 4096 bytes. Writes fault before the first byte changes. */
void mem_read_bytes(struct cpu *cpu, u64 la, void *buf, unsigned n);
void mem_write_bytes(struct cpu *cpu, u64 la, const void *buf, unsigned n);
/* Faults as the access would, without making it. n <= 4096. Sets accessed (and dirty) bits. */
void mem_probe(struct cpu *cpu, u64 la, unsigned n, enum access acc);
/* As mem_read and mem_write with the privilege given (system structures: descriptor tables, TSS: supervisor). */
u64 mem_read_sys(struct cpu *cpu, u64 la, unsigned size);
void mem_write_sys(struct cpu *cpu, u64 la, u64 v, unsigned size);
void mem_probe_sys(struct cpu *cpu, u64 la, unsigned n, enum access acc);
void mem_probe_as(struct cpu *cpu, u64 la, unsigned n, enum access acc, bool user);
void mem_write_as(struct cpu *cpu, u64 la, u64 v, unsigned size, bool user);
u64 mem_read_as(struct cpu *cpu, u64 la, unsigned size, bool user);

/* A LOCKed read-modify-write of 1..16 bytes at a linear address: returns a pointer that host atomics may be used on
 * until mem_lock_end(), which makes the result visible. Raises as a write would. */
u8 *mem_lock_begin(struct cpu *cpu, u64 la, unsigned size);
void mem_lock_end(struct cpu *cpu, unsigned size);

/* Debugger and host-side access: no faults, no accessed bits, no effects. Number of bytes done. */
unsigned mem_peek(struct cpu *cpu, u64 la, void *buf, unsigned n);
unsigned mem_poke(struct cpu *cpu, u64 la, const void *buf, unsigned n);

#endif
