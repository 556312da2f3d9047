/* Port I/O, the interrupt flag, and PUSHF/POPF: what IOPL and the I/O permission bitmap govern.
 * SDM 1 19.5 (Protected-Mode I/O); SDM 2 IN, OUT, INS, OUTS, CLI, STI, PUSHF, POPF; SDM 3B 20.4
 * (Protected-Mode Virtual Interrupts). */
#include "cpu/check.h"
#include "cpu/debugreg.h"
#include "cpu/frame.h"
#include "cpu/rare.h"
#include "cpu/simd_state.h"
#include "cpu/vm86.h"

/* ---- ports ---- */

/* Beyond IOPL: two bytes are read, and both lie within the TSS. SDM 1 19.5.2 (I/O Permission Bit Map) */
static void require_port(struct cpu *cpu, u16 port, unsigned size) {
  const struct seg *tr = &cpu->tr;
  if (!(cpu->mode & MODE_PE)) return;
  if (!cpu_vm86(cpu) && cpu->cpl <= cpu_iopl(cpu)) return;
  require_ab(cpu, CHK_IO_TSS, seg_type(tr) & 8, 0, tr->attr, 0);
  require_ab(cpu, CHK_IO_TSS_LIMIT, tr->limit >= 103, 0, tr->limit, 0);
  u64 base = sys_linear(cpu, tr->base + 102);
  u32 at = (u32)mem_read_sys(cpu, base, 2);
  rec_tss(cpu, WORD_OTHER, tr->base, base, at, 2);
  at += port / 8u;
  require_ab(cpu, CHK_IO_MAP_LIMIT, at + 1 <= tr->limit, 0, at + 1, tr->limit);
  u64 la = sys_linear(cpu, tr->base + at);
  u32 map = (u32)mem_read_sys(cpu, la, 2);
  rec_tss(cpu, WORD_OTHER, tr->base, la, map, 2);
  require_ab(cpu, CHK_IO_BITMAP, !(map >> (port & 7) & ((1u << size) - 1)), 0, port, map);
}

static u32 port_in(struct cpu *cpu, u16 port, unsigned size) {
  const struct vm_hooks *h = &cpu->vm->hooks;
  if (unlikely(cpu->debug.io)) debug_io(cpu, port, size);
  if (!h->in) return 0xffffffff;
  simd_leave(cpu);
  u32 v = h->in(h->opaque, cpu, port, size);
  simd_enter(cpu);
  return v;
}
static void port_out(struct cpu *cpu, u16 port, unsigned size, u32 v) {
  const struct vm_hooks *h = &cpu->vm->hooks;
  if (unlikely(cpu->debug.io)) debug_io(cpu, port, size);
  if (!h->out) return;
  simd_leave(cpu);
  h->out(h->opaque, cpu, port, size, v);
  simd_enter(cpu);
}

static enum width io_width(const struct insn *i, bool byte) {
  return byte ? W8 : insn_osize(i) == W16 ? W16 : W32;
}

INLINE_BODY in_out(struct cpu *restrict cpu, const struct insn *restrict i, bool out, bool byte, bool imm) {
  enum width w = io_width(i, byte);
  u16 port = imm ? (u8)i->imm : (u16)cpu->gpr[RDX];
  cpu->insn = i;
  require_port(cpu, port, WIDTH_BYTES(w));
  if (out)
    port_out(cpu, port, WIDTH_BYTES(w), (u32)reg_get(cpu, RAX, w)); /* AL: byte offset 0, RAX: number 0 */
  else reg_set(cpu, RAX, port_in(cpu, port, WIDTH_BYTES(w)), w);
  return cpu_leave(cpu, i);
}

/* One element of INS or OUTS; rSI or rDI moves by DF. */
static void string_io_step(struct cpu *cpu, const struct insn *i, bool out, unsigned size) {
  u64 mask = insn_address_mask(i), *reg = &cpu->gpr[out ? RSI : RDI];
  u16 port = (u16)cpu->gpr[RDX];
  require_port(cpu, port, size);
  if (out) {
    u64 la = mem_linear(cpu, i->seg, *reg & mask, size, ACC_READ);
    port_out(cpu, port, size, (u32)mem_read(cpu, la, size));
  } else {
    u64 la = mem_linear(cpu, ES, *reg & mask, size, ACC_WRITE);
    mem_probe(cpu, la, size, ACC_WRITE); /* the port is read only when its value can be stored */
    mem_write(cpu, la, port_in(cpu, port, size), size);
  }
  u64 next = *reg + (cpu->eflags & EF_DF ? -(u64)size : size);
  *reg = mask == 0xffff ? (*reg & ~mask) | (next & mask) : next & mask;
}

INLINE_BODY string_io(struct cpu *restrict cpu, const struct insn *restrict i, bool out, bool byte) {
  u64 mask = insn_address_mask(i);
  unsigned size = WIDTH_BYTES(io_width(i, byte));
  cpu->insn = i;
  if (!(i->flags & (IF_REP | IF_REPNE))) {
    string_io_step(cpu, i, out, size);
    return cpu_leave(cpu, i);
  }
  require_port(cpu, (u16)cpu->gpr[RDX], size); /* also when nothing is left to do */
  while (cpu->gpr[RCX] & mask) {
    string_io_step(cpu, i, out, size);
    u64 left = (cpu->gpr[RCX] - 1) & mask;
    cpu->gpr[RCX] = mask == 0xffff ? (cpu->gpr[RCX] & ~mask) | left : left;
    if (left && (cpu->stop || cpu->leave || (cpu->mode & MODE_STEP))) return cpu_leave_partial(cpu, i);
  }
  return cpu_leave(cpu, i);
}

#define IO_BODY(name, op, ...)                                                                             \
  static const struct insn *h_##name(struct cpu *restrict cpu, const struct insn *restrict i) {            \
    return op(cpu, i, __VA_ARGS__);                                                                        \
  }                                                                                                        \
  BODY_1(name, h_##name)
IO_BODY(in_b_I, in_out, false, true, true)
IO_BODY(in_v_I, in_out, false, false, true)
IO_BODY(in_b_DX, in_out, false, true, false)
IO_BODY(in_v_DX, in_out, false, false, false)
IO_BODY(out_b_I, in_out, true, true, true)
IO_BODY(out_v_I, in_out, true, false, true)
IO_BODY(out_b_DX, in_out, true, true, false)
IO_BODY(out_v_DX, in_out, true, false, false)
IO_BODY(ins_b, string_io, false, true)
IO_BODY(ins_v, string_io, false, false)
IO_BODY(outs_b, string_io, true, true)
IO_BODY(outs_v, string_io, true, false)

/* ---- CLI, STI. SDM 2A CLI, SDM 2B STI, Decision Table for ... Results ---- */

/* Where IOPL does not reach, VIF is acted on if virtual interrupts are in force. */
static bool if_permitted(const struct cpu *cpu) { return cpu->cpl <= cpu_iopl(cpu); }

static const struct insn *h_cli(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  if (!(cpu->mode & MODE_PE) || if_permitted(cpu)) {
    cpu->eflags &= ~(u32)EF_IF;
  } else {
    require_ab(cpu, CHK_CLI_IOPL, cpu_virtual_interrupts(cpu), 0, cpu->cpl, cpu_iopl(cpu));
    cpu->eflags &= ~(u32)EF_VIF;
  }
  NEXT(cpu, i, FORM_R);
}
BODY_1(cli, h_cli)

static const struct insn *h_sti(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  if (!(cpu->mode & MODE_PE) || if_permitted(cpu)) {
    if (cpu->eflags & EF_IF) NEXT(cpu, i, FORM_R);
    cpu->eflags |= EF_IF;
    cpu->inhibit |= INHIBIT_INT;
    cpu_update_mode(cpu);
    return cpu_leave(cpu, i);
  }
  require_ab(cpu, CHK_CLI_IOPL, cpu_virtual_interrupts(cpu), 0, cpu->cpl, cpu_iopl(cpu));
  require_ab(cpu, CHK_STI_VIP, !(cpu->eflags & EF_VIP), 0, !!(cpu->eflags & EF_VIP), 0);
  cpu->eflags |= EF_VIF;
  NEXT(cpu, i, FORM_R);
}
BODY_1(sti, h_sti)

/* ---- PUSHF, POPF ---- */

static bool vm86_below_iopl3(const struct cpu *cpu) { return cpu_vm86(cpu) && cpu_iopl(cpu) < 3; }
static void require_virtual_flags(struct cpu *cpu, unsigned n) {
  bool vme = cpu->cr4 & CR4_VME;
  require_ab(cpu, CHK_VM86_FLAGS_IOPL, vme, 0, cpu_iopl(cpu), vme);
  require_ab(cpu, CHK_VM86_FLAGS_SIZE, n == 2, 0, n * 8, 0);
}

static const struct insn *h_pushf(struct cpu *restrict cpu, const struct insn *restrict i) {
  unsigned n = WIDTH_BYTES(insn_osize(i));
  u32 image = cpu_eflags(cpu) & ~(u32)(EF_VM | EF_RF);
  cpu->insn = i;
  if (vm86_below_iopl3(cpu)) {
    require_virtual_flags(cpu, n);
    image = vm86_flags_image(cpu);
  }
  stack_push(cpu, image, n);
  NEXT(cpu, i, FORM_X);
}
BODY_1(pushf, h_pushf)

/* SDM 2B POPF, Table 4-16 (Effect of POPF/POPFD on the EFLAGS Register) */
static u32 popf_mask(const struct cpu *cpu, unsigned n) {
  u32 mask = EF_STATUS | EF_TF | EF_DF | EF_NT | (n > 2 ? (u32)(EF_AC | EF_ID) : 0);
  if (!(cpu->mode & MODE_PE) || cpu->cpl == 0) return mask | EF_IF | EF_IOPL;
  return cpu->cpl <= cpu_iopl(cpu) ? mask | EF_IF : mask;
}

static const struct insn *h_popf(struct cpu *restrict cpu, const struct insn *restrict i) {
  unsigned n = WIDTH_BYTES(insn_osize(i));
  const u32 modal = EF_TF | EF_AC;
  u32 before = cpu->eflags, ef;
  cpu->insn = i;
  if (vm86_below_iopl3(cpu)) {
    require_virtual_flags(cpu, n);
    ef = vm86_flags_load(cpu, (u16)stack_peek(cpu, WORD_FLAGS, 0, n));
  } else {
    u32 image = (u32)stack_peek(cpu, WORD_FLAGS, 0, n), mask = popf_mask(cpu, n);
    ef = (cpu_eflags(cpu) & ~mask) | (image & mask);
  }
  stack_drop(cpu, n);
  cpu_set_eflags(cpu, ef & ~(u32)EF_RF);
  if ((before ^ cpu->eflags) & modal) cpu_update_mode(cpu);
  if ((before ^ cpu->eflags) & (modal | EF_IF)) return cpu_leave(cpu, i);
  NEXT(cpu, i, FORM_R);
}
BODY_1(popf, h_popf)
