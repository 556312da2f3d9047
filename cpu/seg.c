/* Descriptor tables and segment-register loads.
 * SDM 3A 3.4.2 (Segment Selectors) to 3.4.5 (Segment Descriptors), 5.6 (Privilege Level Checking When
 * Accessing Data Segments), 5.7 (Privilege Level Checking When Loading the SS Register). */
#include "cpu/seg.h"

#include "cpu/check.h"
#include "cpu/mem.h"

struct seg desc_segment(u64 v, u16 sel) {
  u32 limit = (u32)(bits(v, 15, 0) | bits(v, 51, 48) << 16), attr = (u32)(v >> 40) & 0xf0ff;
  return (struct seg){.sel = sel, .attr = attr, .limit = attr & SEG_G ? limit << 12 | 0xfff : limit,
                      .base = bits(v, 39, 16) | bits(v, 63, 56) << 24};
}

/* The table that sel names; false for an LDT that is not loaded. */
static bool table_of(const struct cpu *cpu, u16 sel, u64 *base, u32 *limit) {
  if (sel & SEL_TI) {
    if ((cpu->ldtr.attr & SEG_NULL) || !seg_present(&cpu->ldtr)) return false;
    *base = cpu->ldtr.base;
    *limit = cpu->ldtr.limit;
  } else {
    *base = cpu->gdtr.base;
    *limit = cpu->gdtr.limit;
  }
  return true;
}

u32 table_limit(const struct cpu *cpu, u16 sel) {
  u64 base;
  u32 limit;
  return table_of(cpu, sel, &base, &limit) ? limit : 0;
}

bool desc_read(struct cpu *cpu, u16 sel, struct desc *d) {
  u64 base;
  u32 limit, index = sel & 0xfff8u;
  *d = (struct desc){.s = {.sel = sel}};
  if (!table_of(cpu, sel, &base, &limit) || index + 7 > limit) return false;
  d->la = sys_linear(cpu, base + index);
  d->lo = mem_read_sys(cpu, d->la, 8);
  if (rec_on(cpu))
    rec_add(cpu, (struct rec_step){.kind = REC_DESC, .id = sel, .at = d->la, .a = d->lo, .bytes = 8, .ok = true});
  d->s = desc_segment(d->lo, sel);
  return true;
}

bool desc_read_high(struct cpu *cpu, struct desc *d) {
  u64 base;
  u32 limit;
  if (!table_of(cpu, d->s.sel, &base, &limit) || (d->s.sel & 0xfff8u) + 15 > limit) return false;
  d->hi = mem_read_sys(cpu, d->la + 8, 8);
  if (rec_on(cpu))
    rec_add(cpu, (struct rec_step){.kind = REC_DESC, .id = d->s.sel, .at = d->la, .a = d->lo, .b = d->hi, .bytes = 16,
                                   .ok = true});
  return true;
}

static void desc_set_type_bit(struct cpu *cpu, struct desc *d, u32 bit) {
  u64 at = sys_linear(cpu, d->la + 5);
  u8 v = (u8)(mem_read_sys(cpu, at, 1) | bit);
  mem_write_sys(cpu, at, v, 1);
  rec_store(cpu, bit == SEG_ACCESSED ? "accessed bit" : "busy bit", at, v, 1);
  d->s.attr |= bit;
}

void desc_mark_accessed(struct cpu *cpu, struct desc *d) {
  if (!(d->s.attr & SEG_ACCESSED)) desc_set_type_bit(cpu, d, SEG_ACCESSED);
}

void desc_mark_busy(struct cpu *cpu, struct desc *d) { desc_set_type_bit(cpu, d, SYS_TSS_BUSY_BIT); }

struct seg seg_flat_code(u16 sel, u8 dpl, bool code64) {
  u32 attr = SEG_CODE | SEG_READABLE | SEG_ACCESSED | SEG_S | SEG_P | SEG_G | (code64 ? SEG_L : SEG_DB);
  return (struct seg){.sel = sel, .attr = attr | (u32)dpl << SEG_DPL_SHIFT, .limit = 0xffffffff};
}

struct seg seg_flat_data(u16 sel, u8 dpl) {
  u32 attr = SEG_WRITABLE | SEG_ACCESSED | SEG_S | SEG_P | SEG_G | SEG_DB;
  return (struct seg){.sel = sel, .attr = attr | (u32)dpl << SEG_DPL_SHIFT, .limit = 0xffffffff};
}

struct seg seg_null_stack(u16 sel, u8 cpl) {
  return (struct seg){.sel = sel, .attr = SEG_NULL | (u32)cpl << SEG_DPL_SHIFT};
}

void seg_clear(struct cpu *cpu, enum sreg r) {
  cpu->seg[r].sel = 0;
  cpu->seg[r].attr = SEG_NULL;
}

/* Real mode keeps limit and attributes ("unreal" mode); virtual-8086 mode has its own.
 * SDM 3B 20.1.1 (Address Translation in Real-Address Mode), 20.2.1 (Enabling Virtual-8086 Mode) */
void seg_load_real(struct cpu *cpu, enum sreg r, u16 sel) {
  struct seg *s = &cpu->seg[r];
  s->sel = sel;
  s->base = (u64)sel << 4;
  if (cpu_vm86(cpu)) {
    s->limit = 0xffff;
    s->attr = SEG_WRITABLE | SEG_ACCESSED | SEG_S | SEG_P | SEG_DPL;
  } else if (r == CS) {
    s->attr = (s->attr & (SEG_DB | SEG_G)) | SEG_WRITABLE | SEG_ACCESSED | SEG_S | SEG_P;
  } else {
    s->attr &= ~SEG_NULL;
  }
}

/* Whether FS and GS lose their hidden base with a NULL selector differs: model data. */
static void load_null(struct cpu *cpu, enum sreg r, u16 sel) {
  struct seg *s = &cpu->seg[r];
  s->sel = sel;
  s->attr = SEG_NULL | (r == SS ? (u32)cpu->cpl << SEG_DPL_SHIFT : 0);
  if (model_does(cpu->model, RULE_NULL_CLEARS_BASE)) {
    s->base = 0;
    s->limit = 0;
  }
}

static void load_stack(struct cpu *cpu, u16 sel) {
  struct desc d;
  if (sel_is_null(sel)) {
    require_ab(cpu, CHK_SS_NULL, cpu_code64(cpu), 0, sel, cpu_code64(cpu));
    require_ab(cpu, CHK_SS_NULL_CPL, cpu->cpl < 3, 0, sel, cpu->cpl);
    require_ab(cpu, CHK_SS_NULL_RPL, sel_rpl(sel) == cpu->cpl, 0, sel_rpl(sel), cpu->cpl);
    load_null(cpu, SS, sel);
    return;
  }
  require_ab(cpu, CHK_SS_LIMIT, desc_read(cpu, sel, &d), sel, sel | 7u, table_limit(cpu, sel));
  require_ab(cpu, CHK_SS_RPL, sel_rpl(sel) == cpu->cpl, sel, sel_rpl(sel), cpu->cpl);
  require_ab(cpu, CHK_SS_TYPE, seg_is_writable(&d.s), sel, d.s.attr, 0);
  require_ab(cpu, CHK_SS_DPL, seg_dpl(&d.s) == cpu->cpl, sel, seg_dpl(&d.s), cpu->cpl);
  require_ab(cpu, CHK_SS_PRESENT, seg_present(&d.s), sel, seg_present(&d.s), 0);
  desc_mark_accessed(cpu, &d);
  cpu->seg[SS] = d.s;
}

void seg_load(struct cpu *cpu, enum sreg r, u16 sel) {
  struct desc d;
  if (!cpu_protected(cpu)) {
    seg_load_real(cpu, r, sel);
    return;
  }
  if (r == SS) {
    load_stack(cpu, sel);
    return;
  }
  if (sel_is_null(sel)) {
    load_null(cpu, r, sel);
    return;
  }
  require_ab(cpu, CHK_DS_LIMIT, desc_read(cpu, sel, &d), sel, sel | 7u, table_limit(cpu, sel));
  require_ab(cpu, CHK_DS_TYPE, seg_is_readable(&d.s), sel, d.s.attr, 0);
  bool open = seg_is_conforming(&d.s);
  u8 dpl = seg_dpl(&d.s), rpl = sel_rpl(sel);
  require_ab(cpu, CHK_DS_DPL, open || dpl >= cpu->cpl, sel, dpl, cpu->cpl);
  require_ab(cpu, CHK_DS_RPL, open || dpl >= rpl, sel, dpl, rpl);
  require_ab(cpu, CHK_DS_PRESENT, seg_present(&d.s), sel, seg_present(&d.s), 0);
  desc_mark_accessed(cpu, &d);
  cpu->seg[r] = d.s;
}
