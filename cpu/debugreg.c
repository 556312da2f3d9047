/* Breakpoints in the debug registers: which are enabled, and what they match. SDM 3B 17.2.4 (Debug Control
 * Register (DR7)), 17.2.5 (Breakpoint Field Recognition), 17.3.1.1 (Instruction-Breakpoint Exception
 * Condition), 17.3.1.2 (Data Memory and I/O Breakpoint Exception Conditions).
 *
 *   DR7:  31 30 29 28 .. 19 18 17 16   13   7  6 .. 1  0
 *         LEN3  RW3   .. LEN0  RW0     GD   G3 L3   G0 L0
 *         RW: 0 instruction, 1 write, 2 I/O (CR4.DE), 3 data
 */
#include "cpu/debugreg.h"

#include "cpu/event.h"
#include "cpu/insn.h"
#include "cpu/seg.h"

enum { RW_FETCH, RW_WRITE, RW_IO, RW_DATA };

static unsigned rw_of(const struct cpu *cpu, unsigned n) {
  return (unsigned)(cpu->dr[7] >> (16 + 4 * n) & 3);
}
static unsigned len_of(const struct cpu *cpu, unsigned n) {
  static const u8 bytes[4] = {1, 2, 8, 4};
  return bytes[cpu->dr[7] >> (18 + 4 * n) & 3];
}

void debug_update(struct cpu *cpu) {
  u8 exec = 0, data = 0, io = 0;
  bool moved = false;
  for (unsigned n = 0; n < 4; n++) {
    if (!(cpu->dr[7] >> (2 * n) & 3)) continue;
    unsigned rw = rw_of(cpu, n), bit = 1u << n;
    if (rw == RW_FETCH) exec |= (u8)bit;
    else if (rw != RW_IO) data |= (u8)bit;
    else if (cpu->cr4 & CR4_DE) io |= (u8)bit;
    if ((data & bit) && (!(cpu->debug.data & bit) || cpu->debug.page[n] != (cpu->dr[n] & PAGE_MASK))) {
      cpu->debug.page[n] = cpu->dr[n] & PAGE_MASK;
      moved = true;
    }
  }
  cpu->debug.data = data;
  cpu->debug.exec = exec;
  cpu->debug.io = io;
  cpu->debug.any = exec | data | io;
  cpu->debug.watching = data || (cpu->vm->stops && cpu->vm->stops->ranges);
  cpu->debug.step = (u8)((cpu->debug.step & DEBUG_STEP_ONCE) | (exec ? DEBUG_STEP_ALL : 0));
  if (moved) cpu_tlb_flush(cpu);
}

/* RF suppresses it, and so do MOV SS and POP SS before; and a repetition that goes on has been looked at. */
void debug_fetch(struct cpu *cpu) {
  event_settle_rf(cpu);
  if ((cpu->eflags & EF_RF) || (cpu->inhibit & INHIBIT_DEBUG) || cpu->rep_partial) return;
  u64 la = cpu_code64(cpu) ? cpu->rip : (u32)(cpu->seg[CS].base + cpu->rip), bits = 0;
  for (unsigned n = 0; n < 4; n++)
    if ((cpu->debug.exec >> n & 1) && cpu->dr[n] == la) bits |= 1u << n;
  if (!bits) return;
  cpu->dr6_pending |= bits;
  cpu->insn = NULL;
  cpu_raise(cpu, VEC_DB);
}

/* While an event is delivered no instruction is in progress, and nothing can be done again. */
void debug_approach(struct cpu *cpu) {
  if (!cpu->insn || (cpu->mode & MODE_STEP)) return;
  cpu->debug.retry = true;
  cpu_raise(cpu, VEC_DB); /* only to unwind */
}

/* The low bits of the address that LEN covers do not count; any byte in common is a match. */
static u8 overlaps(const struct cpu *cpu, u8 which, u64 first, unsigned size) {
  u8 hits = 0;
  for (unsigned n = 0; n < 4; n++) {
    u64 len = len_of(cpu, n), at = cpu->dr[n] & ~(len - 1);
    if ((which >> n & 1) && first < at + len && at < first + size) hits |= (u8)(1u << n);
  }
  return hits;
}

void debug_data(struct cpu *cpu, u64 la, unsigned n, bool write) {
  u8 which = cpu->debug.data;
  for (unsigned k = 0; k < 4; k++)
    if (!write && rw_of(cpu, k) == RW_WRITE) which &= (u8)~(1u << k);
  cpu->debug.hits |= overlaps(cpu, which, la, n);
  stops_data(cpu, la, n, write);
}

/* A repetition stops behind the element. */
void debug_io(struct cpu *cpu, u16 port, unsigned size) {
  u8 hits = overlaps(cpu, cpu->debug.io, port, size);
  cpu->debug.hits |= hits;
  if (hits) cpu->leave = 1;
}
