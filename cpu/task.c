/* Hardware task switches through 16- and 32-bit TSSs. SDM 3A 7.2.1 (Task-State Segment (TSS)), 7.3 (Task
 * Switching), Table 7-1 (Exception Conditions Checked During a Task Switch), 7.4 (Task Linking), 7.6
 * (16-Bit Task-State Segment (TSS)); SDM 2A CALL, JMP, INT n, IRET (Operation).
 *
 *   32-bit TSS, 104 bytes                            16-bit TSS, 44 bytes
 *    0 link   4-1B stacks of rings 0-2  1C CR3        0 link   2-D stacks of rings 0-2
 *   20 EIP   24 EFLAGS  28-47 EAX ECX .. EDI          E IP    10 FLAGS  12-21 AX CX DX BX SP BP SI DI
 *   48-5F ES CS SS DS FS GS   60 LDT  64 T  66 map   22-29 ES CS SS DS  2A LDT
 *
 * Everything that can fault is tried before the commit: checks, and each access to both TSSs and both
 * descriptors. Behind it the selectors are in the registers without descriptors, and those are loaded one
 * by one: LDTR, CS, SS, then the data segments, the mode following each, since a fault of the next is
 * delivered with them. Which of several faults comes first is model-specific. */
#include "cpu/task.h"

#include "cpu/check.h"
#include "cpu/event.h"
#include "cpu/insn.h"
#include "cpu/paging.h"

struct layout {
  u8 bytes;                               /* of a register's slot */
  u8 cr3, ip, flags, gpr, seg, ldt, trap; /* offsets; 0: it has none */
  u8 segs;
  u8 save_last, last; /* the last byte that is saved, and that must lie within the limit */
};
static const struct layout layout16 = {.bytes = 2, .ip = 0x0e, .flags = 0x10, .gpr = 0x12, .seg = 0x22,
                                       .ldt = 0x2a, .segs = 4, .save_last = 0x29, .last = 0x2b};
static const struct layout layout32 = {.bytes = 4, .cr3 = 0x1c, .ip = 0x20, .flags = 0x24, .gpr = 0x28,
                                       .seg = 0x48, .ldt = 0x60, .trap = 0x64, .segs = 6, .save_last = 0x5d,
                                       .last = 0x67};
enum { TSS_LINK = 0, TASK_GPRS = 8, DESC_TYPE = 5, DR7_LOCAL = 0x155 /* L0..L3, LE */ };

static const struct layout *layout_of(const struct seg *tss) {
  return seg_type(tss) & 8 ? &layout32 : &layout16;
}

struct task_switch {
  bool nested; /* CALL, interrupts: the old task stays busy, the new one links to it and has NT */
  bool back;   /* IRET: the new task is busy already */
  u64 rip;     /* saved in the old task */
  u32 flags;
};

struct task_state { /* what a TSS gives the registers */
  u64 cr3;
  u32 ip, flags, gpr[TASK_GPRS];
  u16 seg[SREG_COUNT], ldt;
  bool trap;
};

static u64 at(const struct cpu *cpu, u64 base, unsigned off) { return sys_linear(cpu, base + off); }

/* ---- before the commit ---- */

/* The TSS that a far transfer or a task gate names. It must be available. */
static void read_new(struct cpu *cpu, u16 sel, struct desc *tss) {
  require_ab(cpu, CHK_TASK_TSS_GDT, !(sel & SEL_TI), sel, sel, 0);
  require_ab(cpu, CHK_TASK_TSS_NULL, !sel_is_null(sel), sel, sel, 0);
  require_ab(cpu, CHK_TASK_TSS_LIMIT, desc_read(cpu, sel, tss), sel, sel | 7u, table_limit(cpu, sel));
  unsigned type = seg_type(&tss->s) & ~(unsigned)SYS_TSS_BUSY_BIT;
  require_ab(cpu, CHK_TASK_TSS_TYPE, !(tss->s.attr & SEG_S) && (type == SYS_TSS16 || type == SYS_TSS32), sel,
             tss->s.attr, 0);
  require_ab(cpu, CHK_TASK_TSS_BUSY, !(tss->s.attr & SYS_TSS_BUSY_BIT), sel, tss->s.attr, 0);
  require_ab(cpu, CHK_TASK_TSS_PRESENT, seg_present(&tss->s), sel, seg_present(&tss->s), 0);
}

/* The TSS that the current one links to: it must be busy. SDM 2A IRET (TASK-RETURN) */
static void read_link(struct cpu *cpu, struct desc *tss) {
  u64 la = at(cpu, cpu->tr.base, TSS_LINK);
  u16 sel = (u16)mem_read_sys(cpu, la, 2);
  rec_word(cpu, REC_MEM, WORD_LINK, la, sel, 2);
  require_ab(cpu, CHK_TASK_LINK_GDT, !(sel & SEL_TI), sel, sel, 0);
  require_ab(cpu, CHK_TASK_LINK_NULL, !sel_is_null(sel), sel, sel, 0);
  require_ab(cpu, CHK_TASK_LINK_LIMIT, desc_read(cpu, sel, tss), sel, sel | 7u, table_limit(cpu, sel));
  unsigned type = seg_type(&tss->s);
  require_ab(cpu, CHK_TASK_LINK_TYPE,
             !(tss->s.attr & SEG_S) && (type == SYS_TSS16_BUSY || type == SYS_TSS32_BUSY), sel, tss->s.attr,
             0);
  require_ab(cpu, CHK_TASK_LINK_PRESENT, seg_present(&tss->s), sel, seg_present(&tss->s), 0);
}

static void check_old(struct cpu *cpu) {
  u8 last = layout_of(&cpu->tr)->save_last;
  require_ab(cpu, CHK_TASK_OLD_LIMIT, cpu->tr.limit >= last, cpu->tr.sel, last, cpu->tr.limit);
}

static u64 old_descriptor(const struct cpu *cpu) {
  return at(cpu, cpu->gdtr.base, (cpu->tr.sel & 0xfff8u) + DESC_TYPE);
}

/* SDM 3A 7.3, step 5: all that the switch touches is in memory. PAE paging needs sound PDPTEs at the new
 * CR3. */
static void probe(struct cpu *cpu, const struct task_switch *sw, const struct desc *tss, u64 pdpte[4]) {
  const struct layout *old = layout_of(&cpu->tr), *new = layout_of(&tss->s);
  u64 base = tss->s.base;
  require_ab(cpu, CHK_TASK_NEW_LIMIT, tss->s.limit >= new->last, tss->s.sel, new->last, tss->s.limit);
  mem_probe_sys(cpu, at(cpu, cpu->tr.base, old->ip), old->save_last + 1u - old->ip, ACC_WRITE);
  mem_probe_sys(cpu, at(cpu, base, 0), new->last + 1u, ACC_READ);
  if (sw->nested) mem_probe_sys(cpu, at(cpu, base, TSS_LINK), 2, ACC_WRITE);
  else mem_probe_sys(cpu, old_descriptor(cpu), 1, ACC_WRITE);
  if (!sw->back) mem_probe_sys(cpu, at(cpu, tss->la, DESC_TYPE), 1, ACC_WRITE);
  if (!new->cr3 || !paging_is_pae(cpu->cr0, cpu->cr4, cpu->msr[MSR_EFER])) return;
  u64 la = at(cpu, base, new->cr3), cr3 = mem_read_sys(cpu, la, 4);
  rec_word(cpu, REC_MEM, WORD_CR3, la, cr3, 4);
  require_ab(cpu, CHK_TASK_PDPTE, cr3 == cpu->cr3 || paging_read_pdptes(cpu, cr3, pdpte), 0, cr3, 0);
}

/* ---- the commit ---- */

static void put(struct cpu *cpu, u64 base, unsigned off, const char *what, u64 v, unsigned bytes) {
  u64 la = at(cpu, base, off);
  mem_write_sys(cpu, la, v, bytes);
  rec_store(cpu, what, la, v, bytes);
}

static void save_old(struct cpu *cpu, const struct task_switch *sw) {
  static const char *const gpr[TASK_GPRS] = {"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"};
  static const char *const seg[SREG_COUNT] = {"ES", "CS", "SS", "DS", "FS", "GS"};
  const struct layout *l = layout_of(&cpu->tr);
  u64 base = cpu->tr.base;
  unsigned narrow = l->bytes == 2; /* "IP", "AX" */
  put(cpu, base, l->ip, &"EIP"[narrow], sw->rip, l->bytes);
  put(cpu, base, l->flags, &"EFLAGS"[narrow], sw->flags, l->bytes);
  for (unsigned k = 0; k < TASK_GPRS; k++)
    put(cpu, base, l->gpr + k * l->bytes, &gpr[k][narrow], cpu->gpr[k], l->bytes);
  for (unsigned k = 0; k < l->segs; k++) put(cpu, base, l->seg + k * l->bytes, seg[k], cpu->seg[k].sel, 2);
}

static u32 get(struct cpu *cpu, u64 base, unsigned off, enum rec_word word, unsigned bytes) {
  u64 la = at(cpu, base, off), v = mem_read_sys(cpu, la, bytes);
  rec_tss(cpu, word, base, la, v, bytes);
  return (u32)v;
}

/* A 16-bit TSS says nothing of FS and GS, which become NULL, and of the upper halves of the registers;
 * EFLAGS[31:16] become 0. The general registers' upper halves are undefined: all ones here. */
static void read_state(struct cpu *cpu, const struct desc *tss, struct task_state *s) {
  static const u8 gpr[TASK_GPRS] = {WORD_AX, WORD_CX, WORD_DX, WORD_BX, WORD_SP, WORD_BP, WORD_SI, WORD_DI};
  static const u8 seg[SREG_COUNT] = {WORD_ES, WORD_CS, WORD_SS, WORD_DS, WORD_FS, WORD_GS};
  const struct layout *l = layout_of(&tss->s);
  u64 base = tss->s.base;
  *s = (struct task_state){.cr3 = cpu->cr3};
  if (l->cr3) s->cr3 = get(cpu, base, l->cr3, WORD_CR3, 4);
  s->ip = get(cpu, base, l->ip, WORD_IP, l->bytes);
  s->flags = get(cpu, base, l->flags, WORD_FLAGS, l->bytes);
  for (unsigned k = 0; k < TASK_GPRS; k++)
    s->gpr[k] = get(cpu, base, l->gpr + k * l->bytes, (enum rec_word)gpr[k], l->bytes) |
                (l->bytes == 2 ? 0xffff0000 : 0);
  for (unsigned k = 0; k < l->segs; k++)
    s->seg[k] = (u16)get(cpu, base, l->seg + k * l->bytes, (enum rec_word)seg[k], 2);
  s->ldt = (u16)get(cpu, base, l->ldt, WORD_LDT, 2);
  if (l->trap) s->trap = get(cpu, base, l->trap, WORD_TRAP, 2) & 1;
}

/* SDM 3A 7.3, Table 7-2 (Effect of a Task Switch on Busy Flag, NT Flag, Previous Task Link Field, and TS
 * Flag) */
static void change_links(struct cpu *cpu, const struct task_switch *sw, struct desc *tss) {
  if (sw->nested) {
    put(cpu, tss->s.base, TSS_LINK, "previous task link", cpu->tr.sel, 2);
  } else {
    u64 la = old_descriptor(cpu);
    u8 v = (u8)mem_read_sys(cpu, la, 1) & (u8)~SYS_TSS_BUSY_BIT;
    mem_write_sys(cpu, la, v, 1);
    rec_store(cpu, "busy bit", la, v, 1);
  }
  if (!sw->back) desc_mark_busy(cpu, tss);
}

/* Registers without their descriptors; CPL is that of the new CS. */
static void load_registers(struct cpu *cpu, const struct task_switch *sw, const struct desc *tss,
                           const struct task_state *s, const u64 pdpte[4]) {
  bool paging = cpu->cr0 & CR0_PG, new_cr3 = paging && s->cr3 != cpu->cr3;
  cpu->tr = tss->s;
  cpu->cr0 |= CR0_TS;
  cpu->dr[7] &= ~(u64)DR7_LOCAL;
  rec_note(cpu, "TR = {a:x}, CR0.TS = 1", tss->s.sel, 0);
  if (sw->nested) rec_note(cpu, "EFLAGS.NT = 1: the new task links to the old one", 0, 0);
  for (unsigned k = 0; k < TASK_GPRS; k++) cpu->gpr[k] = s->gpr[k];
  cpu_set_eflags(cpu, s->flags | (sw->nested ? (u32)EF_NT : 0));
  cpu->rf_icount = cpu_icount(cpu);
  for (unsigned r = 0; r < SREG_COUNT; r++) cpu->seg[r] = (struct seg){.sel = s->seg[r], .attr = SEG_NULL};
  cpu->ldtr = (struct seg){.sel = s->ldt, .attr = SEG_NULL};
  cpu->cpl = s->flags & EF_VM ? 3 : sel_rpl(s->seg[CS]);
  if (new_cr3) {
    cpu->cr3 = s->cr3;
    if (paging_is_pae(cpu->cr0, cpu->cr4, cpu->msr[MSR_EFER])) memcpy(cpu->pdpte, pdpte, sizeof cpu->pdpte);
  }
  cpu_update_mode(cpu);
  if (new_cr3) cpu_tlb_flush(cpu);
}

/* ---- in the new task ---- */

static void load_ldt(struct cpu *cpu, u16 sel) {
  struct desc d;
  if (sel_is_null(sel)) {
    rec_note(cpu, "LDTR = NULL", 0, 0);
    return;
  }
  require_ab(cpu, CHK_TASK_LDT_GDT, !(sel & SEL_TI), sel, sel, 0);
  require_ab(cpu, CHK_TASK_LDT_LIMIT, desc_read(cpu, sel, &d), sel, sel | 7u, table_limit(cpu, sel));
  require_ab(cpu, CHK_TASK_LDT_TYPE, !(d.s.attr & SEG_S) && seg_type(&d.s) == SYS_LDT, sel, d.s.attr, 0);
  require_ab(cpu, CHK_TASK_LDT_PRESENT, seg_present(&d.s), sel, seg_present(&d.s), 0);
  cpu->ldtr = d.s;
  rec_note(cpu, "LDTR = {a:x}", sel, 0);
}

static void load_cs(struct cpu *cpu, u16 sel) {
  struct desc d;
  u8 rpl = sel_rpl(sel), dpl;
  require_ab(cpu, CHK_TASK_CS_NULL, !sel_is_null(sel), 0, sel, 0);
  require_ab(cpu, CHK_TASK_CS_LIMIT, desc_read(cpu, sel, &d), sel, sel | 7u, table_limit(cpu, sel));
  require_ab(cpu, CHK_TASK_CS_TYPE, seg_is_code(&d.s), sel, d.s.attr, 0);
  dpl = seg_dpl(&d.s);
  if (seg_is_conforming(&d.s)) require_ab(cpu, CHK_TASK_CS_CONFORMING, dpl <= rpl, sel, dpl, rpl);
  else require_ab(cpu, CHK_TASK_CS_DPL, dpl == rpl, sel, dpl, rpl);
  require_ab(cpu, CHK_TASK_CS_PRESENT, seg_present(&d.s), sel, seg_present(&d.s), 0);
  desc_mark_accessed(cpu, &d);
  cpu->seg[CS] = d.s;
  cpu_update_mode(cpu);
}

static void load_ss(struct cpu *cpu, u16 sel) {
  struct desc d;
  require_ab(cpu, CHK_TASK_SS_NULL, !sel_is_null(sel), 0, sel, 0);
  require_ab(cpu, CHK_TASK_SS_LIMIT, desc_read(cpu, sel, &d), sel, sel | 7u, table_limit(cpu, sel));
  require_ab(cpu, CHK_TASK_SS_TYPE, seg_is_writable(&d.s), sel, d.s.attr, 0);
  require_ab(cpu, CHK_TASK_SS_PRESENT, seg_present(&d.s), sel, seg_present(&d.s), 0);
  require_ab(cpu, CHK_TASK_SS_DPL, seg_dpl(&d.s) == cpu->cpl, sel, seg_dpl(&d.s), cpu->cpl);
  require_ab(cpu, CHK_TASK_SS_RPL, sel_rpl(sel) == cpu->cpl, sel, sel_rpl(sel), cpu->cpl);
  desc_mark_accessed(cpu, &d);
  cpu->seg[SS] = d.s;
  cpu_update_mode(cpu);
}

static void load_data(struct cpu *cpu, enum sreg r, u16 sel) {
  struct desc d;
  if (sel_is_null(sel)) return;
  require_ab(cpu, CHK_TASK_DS_LIMIT, desc_read(cpu, sel, &d), sel, sel | 7u, table_limit(cpu, sel));
  require_ab(cpu, CHK_TASK_DS_TYPE, seg_is_readable(&d.s), sel, d.s.attr, 0);
  bool open = seg_is_conforming(&d.s);
  u8 dpl = seg_dpl(&d.s), rpl = sel_rpl(sel);
  require_ab(cpu, CHK_TASK_DS_DPL, open || dpl >= cpu->cpl, sel, dpl, cpu->cpl);
  require_ab(cpu, CHK_TASK_DS_RPL, open || dpl >= rpl, sel, dpl, rpl);
  require_ab(cpu, CHK_TASK_DS_PRESENT, seg_present(&d.s), sel, seg_present(&d.s), 0);
  desc_mark_accessed(cpu, &d);
  cpu->seg[r] = d.s;
  cpu_update_mode(cpu);
}

static void load_segments(struct cpu *cpu, const struct task_state *s) {
  static const u8 data[] = {DS, ES, FS, GS};
  load_ldt(cpu, s->ldt);
  if (cpu_vm86(cpu)) {
    for (unsigned r = 0; r < SREG_COUNT; r++) seg_load_real(cpu, (enum sreg)r, s->seg[r]);
    cpu_update_mode(cpu);
    return;
  }
  load_cs(cpu, s->seg[CS]);
  load_ss(cpu, s->seg[SS]);
  for (unsigned k = 0; k < ARRAY_SIZE(data); k++) load_data(cpu, (enum sreg)data[k], s->seg[data[k]]);
}

/* SDM 3A 6.13 (Error Code): on the new task's stack, in a slot of its TSS's size. */
static void push_error(struct cpu *cpu, u32 error, unsigned bytes) {
  struct stack st = stack_current(cpu);
  struct frame f;
  frame_begin(&f, bytes);
  frame_add(&f, WORD_ERROR, error);
  require_ab(cpu, CHK_TASK_ROOM, frame_fits(cpu, &st, &f), 0, st.sp, bytes);
  frame_probe(cpu, &st, &f);
  frame_push(cpu, &st, &f);
  cpu->gpr[RSP] = frame_sp(&st, &f);
}

/* From here a fault finds the instruction complete and the new task's first one at cpu->rip. Returns the
 * instruction that was in progress, for resume(). */
static const struct insn *leave_old(struct cpu *cpu, u32 ip) {
  const struct insn *i = cpu->insn;
  if (i) cpu->budget = (s16)(cpu->budget + i->left - 1);
  cpu->insn = NULL;
  cpu->rip = ip;
  if (rec_on(cpu)) cpu->recorder->now.icount = cpu_icount(cpu);
  return i;
}
static void resume(struct cpu *cpu, const struct insn *i) {
  if (!i) return;
  cpu->insn = i;
  cpu->budget = (s16)(cpu->budget - i->left + 1);
  if (rec_on(cpu)) cpu->recorder->now.icount = cpu_icount(cpu) - i->left;
}

/* ev: NULL, or what may have an error code. */
static u64 switch_tasks(struct cpu *cpu, const struct task_switch *sw, struct desc *tss,
                        const struct event *ev) {
  struct task_state s;
  u64 pdpte[4] = {0};
  probe(cpu, sw, tss, pdpte);

  save_old(cpu, sw);
  read_state(cpu, tss, &s); /* behind the save, since an IRET may lead back to the same TSS */
  change_links(cpu, sw, tss);
  load_registers(cpu, sw, tss, &s, pdpte);

  const struct insn *i = leave_old(cpu, s.ip);
  load_segments(cpu, &s);
  if (ev && ev->has_error) push_error(cpu, ev->error, layout_of(&cpu->tr)->bytes);
  require_ab(cpu, CHK_TASK_EIP_LIMIT, s.ip <= cpu->seg[CS].limit, 0, s.ip, cpu->seg[CS].limit);
  resume(cpu, i);
  if (s.trap) { /* SDM 3B 17.3.1.5 (Task-Switch Exception Condition) */
    cpu->dr6_pending |= DR6_BT;
    cpu->leave = 1;
  }
  return s.ip;
}

static void begin(struct transition *t) {
  t->cause = t->kind;
  t->kind = TR_TASK;
}

u64 task_far(struct cpu *cpu, struct transition *t, struct desc *d, bool call, u64 next) {
  const struct task_switch sw = {.nested = call, .rip = next, .flags = cpu_eflags(cpu) & ~(u32)EF_RF};
  struct desc tss = {.lo = 0};
  u16 sel = d->s.sel;
  u8 dpl = seg_dpl(&d->s);
  begin(t);
  require_ab(cpu, CHK_TASK_DPL, dpl >= cpu->cpl, sel, dpl, cpu->cpl);
  require_ab(cpu, CHK_TASK_RPL, dpl >= sel_rpl(sel), sel, dpl, sel_rpl(sel));
  if (seg_type(&d->s) == SYS_TASK_GATE) {
    require_ab(cpu, CHK_TASKGATE_PRESENT, seg_present(&d->s), sel, seg_present(&d->s), 0);
    sel = (u16)bits(d->lo, 31, 16);
  }
  read_new(cpu, sel, &tss);
  check_old(cpu);
  return switch_tasks(cpu, &sw, &tss, NULL);
}

u64 task_event(struct cpu *cpu, struct transition *t, u16 sel, const struct event *ev) {
  const struct task_switch sw = {.nested = true, .rip = ev->rip, .flags = ev->flags};
  struct desc tss = {.lo = 0};
  begin(t);
  read_new(cpu, sel, &tss);
  check_old(cpu);
  return switch_tasks(cpu, &sw, &tss, ev);
}

u64 task_iret(struct cpu *cpu, struct transition *t, u64 next) {
  const struct task_switch sw = {.back = true, .rip = next, .flags = cpu_eflags(cpu) & ~(u32)(EF_RF | EF_NT)};
  struct desc tss = {.lo = 0};
  begin(t);
  check_old(cpu);
  read_link(cpu, &tss);
  return switch_tasks(cpu, &sw, &tss, NULL);
}
