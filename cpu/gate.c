/* Interrupts and exceptions through the IDT (and the real-mode vector table).
 * SDM 3A 6.10 (Interrupt Descriptor Table (IDT)), 6.12.1 (Exception- or Interrupt-Handler Procedures),
 * 6.14 (Exception and Interrupt Handling in 64-bit Mode); SDM 2A INT n. Order of checks: INT n, Operation.
 *
 *   63          48 47 46 45 44 43  40 39      35 34 32 31        16 15          0
 *   offset 31:16    P  DPL   0  type      0       IST   selector     offset 15:0
 *   long mode, second half:  127 .. 96 reserved   95 .. 64 offset 63:32
 */
#include "cpu/gate.h"

#include "cpu/check.h"
#include "cpu/event.h"
#include "cpu/task.h"

struct gate {
  u16 sel;
  u64 offset;
  u8 type, dpl, ist;
  bool present, system; /* system: S = 0, as it must be */
};

static struct gate gate_decode(u64 lo, u64 hi) {
  return (struct gate){
      .sel = (u16)bits(lo, 31, 16),
      .offset = bits(lo, 15, 0) | bits(lo, 63, 48) << 16 | hi << 32,
      .ist = (u8)bits(lo, 34, 32),
      .type = (u8)bits(lo, 43, 40),
      .system = !bits(lo, 44, 44),
      .dpl = (u8)bits(lo, 46, 45),
      .present = bits(lo, 47, 47),
  };
}

static bool gate_is_interrupt(const struct gate *g) { return g->type == SYS_INT16 || g->type == SYS_INT32; }

/* Reads and judges the gate: SDM 2A INT n, PROTECTED-MODE and IA-32e-MODE. */
static struct gate read_gate(struct cpu *cpu, const struct event *ev) {
  bool wide = cpu_long(cpu);
  unsigned size = wide ? 16 : 8, off = ev->vector * size;
  require_ab(cpu, CHK_IDT_LIMIT, off + size - 1 <= cpu->idtr.limit, ev->vector, off + size - 1, cpu->idtr.limit);
  u64 la = sys_linear(cpu, cpu->idtr.base + off);
  u64 lo = mem_read_sys(cpu, la, 8);
  u64 hi = wide ? (u32)mem_read_sys(cpu, sys_linear(cpu, la + 8), 8) : 0;
  struct gate g = gate_decode(lo, hi);
  if (rec_on(cpu))
    rec_add(cpu, (struct rec_step){.kind = REC_GATE, .id = ev->vector, .at = la, .a = lo, .b = hi, .bytes = (u8)size});
  bool type64 = g.type == SYS_INT32 || g.type == SYS_TRAP32;
  if (wide)
    require_ab(cpu, CHK_IDT_TYPE_LONG, g.system && type64, ev->vector, g.type, !g.system);
  else
    require_ab(cpu, CHK_IDT_TYPE,
               g.system && (type64 || g.type == SYS_INT16 || g.type == SYS_TRAP16 || g.type == SYS_TASK_GATE),
               ev->vector, g.type, !g.system);
  if (ev->soft) require_ab(cpu, CHK_IDT_DPL, g.dpl >= cpu->cpl, ev->vector, cpu->cpl, g.dpl);
  require_ab(cpu, CHK_IDT_PRESENT, g.present, ev->vector, g.present, 0);
  if (g.type == SYS_INT16 || g.type == SYS_TRAP16) g.offset &= 0xffff;
  return g;
}

/* Reads and judges the gate's code segment. Returns the privilege level of the handler. */
static u8 read_target(struct cpu *cpu, const struct gate *g, struct desc *cs) {
  require_ab(cpu, CHK_INT_CS_NULL, !sel_is_null(g->sel), 0, g->sel, 0);
  require_ab(cpu, CHK_INT_CS_LIMIT, desc_read(cpu, g->sel, cs), g->sel, g->sel | 7u, table_limit(cpu, g->sel));
  require_ab(cpu, CHK_INT_CS_TYPE, seg_is_code(&cs->s), g->sel, cs->s.attr, 0);
  require_ab(cpu, CHK_INT_CS_DPL, seg_dpl(&cs->s) <= cpu->cpl, g->sel, seg_dpl(&cs->s), cpu->cpl);
  if (cpu_long(cpu)) {
    bool l = seg_is_code64(&cs->s), d = seg_is_db(&cs->s);
    require_ab(cpu, CHK_INT_CS_LONG, l, g->sel, l, d);
    require_ab(cpu, CHK_INT_CS_LONG_D, !d, g->sel, l, d);
  }
  require_ab(cpu, CHK_INT_CS_PRESENT, seg_present(&cs->s), g->sel, seg_present(&cs->s), 0);
  if (cpu_vm86(cpu)) {
    require_ab(cpu, CHK_INT_CS_VM86_NONCONFORMING, !seg_is_conforming(&cs->s), g->sel, cs->s.attr, 0);
    require_ab(cpu, CHK_INT_CS_VM86_DPL, seg_dpl(&cs->s) == 0, g->sel, seg_dpl(&cs->s), 0);
  }
  return seg_is_conforming(&cs->s) ? cpu->cpl : seg_dpl(&cs->s);
}

static u64 tss_read(struct cpu *cpu, u32 off, unsigned bytes, enum rec_word word) {
  u64 la = sys_linear(cpu, cpu->tr.base + off), v = mem_read_sys(cpu, la, bytes);
  rec_tss(cpu, word, cpu->tr.base, la, v, bytes);
  return v;
}

/* SDM 3A 7.2.1 (Task-State Segment (TSS)), Figures 7-2 and 7-10: ESPn and SSn. */
struct stack tss_stack(struct cpu *cpu, u8 cpl, struct seg *ss) {
  struct desc d;
  u16 sel;
  u32 sp;
  if (seg_type(&cpu->tr) & 8) {
    u32 off = 4 + cpl * 8u;
    require_ab(cpu, CHK_TSS_LIMIT, off + 5 <= cpu->tr.limit, cpu->tr.sel, off + 5, cpu->tr.limit);
    sp = (u32)tss_read(cpu, off, 4, WORD_SP);
    sel = (u16)tss_read(cpu, off + 4, 2, WORD_SS);
  } else {
    u32 off = 2 + cpl * 4u;
    require_ab(cpu, CHK_TSS_LIMIT, off + 3 <= cpu->tr.limit, cpu->tr.sel, off + 3, cpu->tr.limit);
    sp = (u32)tss_read(cpu, off, 2, WORD_SP);
    sel = (u16)tss_read(cpu, off + 2, 2, WORD_SS);
  }
  require_ab(cpu, CHK_TSS_SS_NULL, !sel_is_null(sel), 0, sel, 0);
  require_ab(cpu, CHK_TSS_SS_LIMIT, desc_read(cpu, sel, &d), sel, sel | 7u, table_limit(cpu, sel));
  require_ab(cpu, CHK_TSS_SS_RPL, sel_rpl(sel) == cpl, sel, sel_rpl(sel), cpl);
  require_ab(cpu, CHK_TSS_SS_DPL, seg_dpl(&d.s) == cpl, sel, seg_dpl(&d.s), cpl);
  require_ab(cpu, CHK_TSS_SS_TYPE, seg_is_writable(&d.s), sel, d.s.attr, 0);
  require_ab(cpu, CHK_TSS_SS_PRESENT, seg_present(&d.s), sel, seg_present(&d.s), 0);
  desc_mark_accessed(cpu, &d);
  *ss = d.s;
  return stack_in(ss, sp, cpl == 3);
}

/* SDM 3A 7.7 (Task Management in 64-bit Mode), Figure 7-11: RSP0 at 4, IST1 at 36. */
u64 tss_rsp(struct cpu *cpu, unsigned slot) {
  u32 off = slot < TSS_IST ? 4 + slot * 8 : 36 + (slot - TSS_IST - 1) * 8;
  require_ab(cpu, CHK_TSS_LIMIT, off + 7 <= cpu->tr.limit, cpu->tr.sel, off + 7, cpu->tr.limit);
  u64 rsp = tss_read(cpu, off, 8, slot < TSS_IST ? WORD_SP : WORD_IST);
  require_ab(cpu, CHK_TSS_RSP_CANONICAL, cpu_canonical(cpu, rsp), 0, rsp, 0);
  return rsp;
}

/* SDM 3A 6.12.1.3 (Flag Usage By Exception- or Interrupt-Handler Procedure) */
static void clear_flags(struct cpu *cpu, bool interrupt_gate) {
  cpu->eflags &= ~(u32)(EF_TF | EF_VM | EF_RF | EF_NT | (interrupt_gate ? EF_IF : 0));
}

static void commit_cs(struct cpu *cpu, const struct desc *cs, u8 cpl) {
  cpu->seg[CS] = cs->s;
  cpu->seg[CS].sel = (u16)((cs->s.sel & ~SEL_RPL) | cpl);
  cpu->cpl = cpl;
}

/*  Legacy frame, slots of 4 (or 2) bytes:      Long-mode frame, slots of 8 bytes:
 *    GS FS DS ES      from virtual-8086 only      SS
 *    SS ESP           on a switched stack         RSP
 *    EFLAGS CS EIP                                RFLAGS CS RIP
 *    error code       some exceptions             error code
 */
static void legacy_frame(const struct cpu *cpu, const struct event *ev, bool switched, struct frame *f) {
  if (cpu_vm86(cpu)) {
    frame_add(f, WORD_GS, cpu->seg[GS].sel);
    frame_add(f, WORD_FS, cpu->seg[FS].sel);
    frame_add(f, WORD_DS, cpu->seg[DS].sel);
    frame_add(f, WORD_ES, cpu->seg[ES].sel);
  }
  if (switched) {
    frame_add(f, WORD_SS, cpu->seg[SS].sel);
    frame_add(f, WORD_SP, cpu->gpr[RSP]);
  }
  frame_add(f, WORD_FLAGS, ev->flags);
  frame_add(f, WORD_CS, cpu->seg[CS].sel);
  frame_add(f, WORD_IP, ev->rip);
  if (ev->has_error) frame_add(f, WORD_ERROR, ev->error);
}

/* Selectors of virtual-8086 mode name no descriptor. SDM 3B 20.3.1.1 */
static void clear_real_segments(struct cpu *cpu) {
  for (enum sreg r = ES; r < SREG_COUNT; r++)
    if (r != CS && r != SS) seg_clear(cpu, r);
  rec_note(cpu, "ES, DS, FS, GS = 0: their selectors were of virtual-8086 mode", 0, 0);
}

static u64 deliver_legacy(struct cpu *cpu, struct transition *t, const struct event *ev) {
  struct gate g = read_gate(cpu, ev);
  struct desc cs;
  struct seg ss;
  if (g.type == SYS_TASK_GATE) return task_event(cpu, t, g.sel, ev);
  u8 cpl = read_target(cpu, &g, &cs);
  bool switched = cpl != cpu->cpl, vm86 = cpu_vm86(cpu);
  struct stack st = switched ? tss_stack(cpu, cpl, &ss) : stack_current(cpu);
  struct frame f;
  frame_begin(&f, g.type & 8 ? 4 : 2);
  legacy_frame(cpu, ev, switched, &f);
  if (switched) require_ab(cpu, CHK_INT_ROOM_SWITCHED, frame_fits(cpu, &st, &f), ss.sel, st.sp, frame_bytes(&f));
  else require_ab(cpu, CHK_INT_ROOM, frame_fits(cpu, &st, &f), 0, st.sp, frame_bytes(&f));
  require_ab(cpu, CHK_INT_EIP_LIMIT, g.offset <= cs.s.limit, 0, g.offset, cs.s.limit);
  desc_mark_accessed(cpu, &cs);
  frame_probe(cpu, &st, &f);

  frame_push(cpu, &st, &f);
  cpu->gpr[RSP] = frame_sp(&st, &f);
  if (switched) cpu->seg[SS] = ss;
  commit_cs(cpu, &cs, cpl);
  clear_flags(cpu, gate_is_interrupt(&g));
  if (vm86)
    clear_real_segments(cpu);
  cpu_update_mode(cpu);
  return g.offset;
}

static u64 deliver_long(struct cpu *cpu, const struct event *ev) {
  struct gate g = read_gate(cpu, ev);
  struct desc cs;
  u8 cpl = read_target(cpu, &g, &cs);
  bool inner = cpl != cpu->cpl;
  u64 rsp = g.ist ? tss_rsp(cpu, TSS_IST + g.ist) : inner ? tss_rsp(cpu, cpl) : cpu->gpr[RSP];
  if (rsp & 15) rec_sum(cpu, WORD_SP, "RSP & ~Fh", rsp & ~UINT64_C(15));
  struct stack st = {.ss = NULL, .sp = rsp & ~UINT64_C(15), .mask = ~UINT64_C(0), .user = cpl == 3};
  struct frame f;
  frame_begin(&f, 8);
  frame_add(&f, WORD_SS, cpu->seg[SS].sel);
  frame_add(&f, WORD_SP, cpu->gpr[RSP]);
  frame_add(&f, WORD_FLAGS, ev->flags);
  frame_add(&f, WORD_CS, cpu->seg[CS].sel);
  frame_add(&f, WORD_IP, ev->rip);
  if (ev->has_error) frame_add(&f, WORD_ERROR, ev->error);
  require_ab(cpu, CHK_INT_RSP_CANONICAL, frame_fits(cpu, &st, &f), 0, st.sp, frame_bytes(&f));
  require_ab(cpu, CHK_INT_RIP_CANONICAL, cpu_canonical(cpu, g.offset), 0, g.offset, 0);
  desc_mark_accessed(cpu, &cs);
  frame_probe(cpu, &st, &f);

  frame_push(cpu, &st, &f);
  cpu->gpr[RSP] = frame_sp(&st, &f);
  if (inner) cpu->seg[SS] = seg_null_stack(cpl, cpl);
  commit_cs(cpu, &cs, cpl);
  clear_flags(cpu, gate_is_interrupt(&g));
  cpu_update_mode(cpu);
  return g.offset;
}

/* SDM 3B 20.1.4 (Interrupt and Exception Handling): IP and CS at vector * 4; FLAGS, CS, IP are pushed, never
 * an error code. */
static u64 deliver_real(struct cpu *cpu, const struct event *ev) {
  unsigned off = ev->vector * 4u;
  require_ab(cpu, CHK_IVT_LIMIT, off + 3 <= cpu->idtr.limit, 0, off + 3, cpu->idtr.limit);
  u64 la = sys_linear(cpu, cpu->idtr.base + off);
  u32 entry = (u32)mem_read_sys(cpu, la, 4);
  rec_word(cpu, REC_MEM, WORD_IP, la, entry, 4);
  struct stack st = stack_current(cpu);
  struct frame f;
  frame_begin(&f, 2);
  frame_add(&f, WORD_FLAGS, ev->flags);
  frame_add(&f, WORD_CS, cpu->seg[CS].sel);
  frame_add(&f, WORD_IP, ev->rip);
  require_ab(cpu, CHK_INT_ROOM, frame_fits(cpu, &st, &f), 0, st.sp, frame_bytes(&f));
  require_ab(cpu, CHK_INT_EIP_LIMIT, (entry & 0xffff) <= cpu->seg[CS].limit, 0, entry & 0xffff, cpu->seg[CS].limit);
  frame_probe(cpu, &st, &f);

  frame_push(cpu, &st, &f);
  cpu->gpr[RSP] = (cpu->gpr[RSP] & ~cpu->spmask) | (frame_sp(&st, &f) & cpu->spmask);
  seg_load_real(cpu, CS, (u16)(entry >> 16));
  cpu->eflags &= ~(u32)(EF_TF | EF_IF | EF_AC | EF_RF);
  cpu_update_mode(cpu);
  return entry & 0xffff;
}

u64 gate_deliver(struct cpu *cpu, const struct event *ev) {
  struct transition t;
  transition_begin(cpu, &t, ev->kind, ev->rip);
  t.vector = ev->vector;
  t.has_error = ev->has_error;
  t.error = ev->error;
  u64 rip = cpu_long(cpu) ? deliver_long(cpu, ev)
            : cpu->mode & MODE_PE ? deliver_legacy(cpu, &t, ev) : deliver_real(cpu, ev);
  transition_end(cpu, &t, rip);
  return rip;
}
