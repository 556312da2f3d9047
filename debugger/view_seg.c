/* Segment registers, and the descriptors of the GDT and LDT, decoded. SDM 3A 3.4.5 (Segment Descriptors), 3.5 (System
 * Descriptor Types), 5.8.3 (Call Gates), 7.2.2 (TSS Descriptor), 7.2.3 (TSS Descriptor in 64-bit mode). */
#include <string.h>

#include "cpu/mem.h"
#include "debugger/view_fields.h"
#include "explain/explain.h"

enum { TABLE_ENTRIES = 8192 }; /* that a selector can name */

static const char *const seg_names[SREG_COUNT] = {"es", "cs", "ss", "ds", "fs", "gs"};

/* ---- one descriptor ---- */

void view_selector_json(struct out *o, u16 sel) {
  out_hex(o, "selector", sel, NULL);
  out_num(o, "index", sel >> 3, NULL);
  out_str(o, "table", sel & SEL_TI ? "LDT" : "GDT", NULL);
  out_num(o, "rpl", sel_rpl(sel), NULL);
}

static bool is_gate(const struct cpu *cpu, u32 attr) {
  unsigned type = attr & SEG_TYPE;
  if (attr & (SEG_S | SEG_NULL)) return false;
  if (cpu_long(cpu)) return type == SYS_CALL32 || type == SYS_INT32 || type == SYS_TRAP32;
  return (type >= SYS_CALL16 && type <= SYS_TRAP16) || type == SYS_CALL32 || type == SYS_INT32 || type == SYS_TRAP32;
}

/* Where a call, interrupt, trap or task gate leads. SDM 3A Figures 5-8, 5-9 (Call-Gate Descriptor), 6-2 (IDT Gate
 * Descriptors), 7-6 (Task-Gate Descriptor) */
static void show_gate(const struct view *v, const struct view_desc *d) {
  unsigned type = (unsigned)bits(d->lo, 43, 40);
  u16 sel = (u16)bits(d->lo, 31, 16);
  bool narrow = type < 8;
  u64 offset = bits(d->lo, 15, 0) | (narrow ? 0 : bits(d->lo, 63, 48) << 16) | (d->wide ? d->hi << 32 : 0);
  out_hex(v->out, "target_selector", sel, type == SYS_TASK_GATE ? ", to TSS 0x%04llx" : ", to 0x%04llx");
  if (type == SYS_TASK_GATE) return;
  out_hex(v->out, "target_offset", offset, d->wide ? ":0x%016llx" : narrow ? ":0x%04llx" : ":0x%08llx");
  view_name(v, offset);
  if ((type & 7) == 4) {
    unsigned n = d->wide ? 0 : (unsigned)bits(d->lo, 36, 32);
    out_num(v->out, "parameters", n, n == 1 ? ", %llu parameter" : n ? ", %llu parameters" : NULL);
  } else if (d->wide) {
    unsigned ist = (unsigned)bits(d->lo, 34, 32);
    out_num(v->out, "ist", ist, ist ? ", IST %llu" : NULL);
  }
}

static void show_segment(const struct view *v, const struct view_desc *d) {
  const struct seg *s = &d->s;
  struct out *o = v->out;
  out_hex(o, "base", s->base, ", base 0x%llx");
  out_hex(o, "limit", s->limit, ", limit 0x%llx");
  out_num(o, "g", !!(s->attr & SEG_G), NULL);
  out_num(o, "avl", !!(s->attr & SEG_AVL), NULL);
  if (!(s->attr & SEG_S)) return;
  out_num(o, "db", seg_is_db(s), NULL);
  out_num(o, "l", seg_is_code64(s), NULL);
  if (seg_is_data(s) && seg_is_db(s)) out_text(o, ", B");
  if (seg_is_code(s) && seg_l_and_d(s)) out_text(o, ", L and D (reserved)");
}

void view_desc_show(const struct view *v, const struct view_desc *d) {
  char type[80];
  struct out *o = v->out;
  explain_type(type, sizeof type, d->s.attr, cpu_long(v->cpu));
  out_str(o, "type", type, "%s");
  if (d->s.attr & SEG_NULL) return;
  out_num(o, "dpl", seg_dpl(&d->s), ", DPL %llu");
  out_bool(o, "present", seg_present(&d->s), NULL);
  if (!seg_present(&d->s)) out_text(o, ", not present");
  if (is_gate(v->cpu, d->s.attr)) show_gate(v, d);
  else show_segment(v, d);
  if (d->high_missing) out_text(o, " (its second half cannot be read)");
  else if (d->wide && bits(d->hi, 44, 40)) out_text(o, " (bits 12:8 of its last doubleword are not 0)");
}

static bool has_16_bytes(const struct cpu *cpu, u64 lo) {
  return cpu_long(cpu) && !bits(lo, 44, 44) && bits(lo, 43, 40);
}

/* The descriptor at an offset of a table, as far as it can be read. */
static const char *read_at(struct cpu *cpu, u64 base, u32 limit, u32 offset, struct view_desc *d) {
  u8 raw[16];
  *d = (struct view_desc){0};
  if ((u64)offset + 7 > limit) return "beyond the table's limit";
  if (mem_peek(cpu, sys_linear(cpu, base + offset), raw, 8) < 8) return "its memory cannot be read";
  d->lo = ld64(raw);
  d->s = desc_segment(d->lo, 0);
  d->wide = has_16_bytes(cpu, d->lo);
  if (!d->wide) return NULL;
  d->high_missing = (u64)offset + 15 > limit || mem_peek(cpu, sys_linear(cpu, base + offset + 8), raw + 8, 8) < 8;
  if (!d->high_missing) d->hi = ld64(raw + 8);
  d->s.base |= d->hi << 32;
  return NULL;
}

static bool ldt_usable(const struct cpu *cpu) { return !(cpu->ldtr.attr & SEG_NULL) && seg_present(&cpu->ldtr); }

const char *view_desc_read(struct cpu *cpu, u16 sel, struct view_desc *d) {
  bool local = sel & SEL_TI;
  *d = (struct view_desc){0};
  if (sel_is_null(sel)) return "a NULL selector names no descriptor";
  if (local && !ldt_usable(cpu)) return "there is no LDT";
  const char *why = read_at(cpu, local ? cpu->ldtr.base : cpu->gdtr.base, local ? cpu->ldtr.limit : cpu->gdtr.limit,
                            sel & 0xfff8u, d);
  d->s.sel = sel;
  return why;
}

/* ---- tables ---- */

/* The registers that were loaded from an entry: " <- cs ds". Selectors of real mode name none. */
static void show_users(const struct view *v, bool local, unsigned index) {
  const struct cpu *cpu = v->cpu;
  const struct seg *regs[SREG_COUNT + 2];
  const char *names[SREG_COUNT + 2];
  bool any = false;
  for (unsigned k = 0; k < SREG_COUNT; k++) regs[k] = &cpu->seg[k], names[k] = seg_names[k];
  regs[SREG_COUNT] = &cpu->ldtr, names[SREG_COUNT] = "ldtr";
  regs[SREG_COUNT + 1] = &cpu->tr, names[SREG_COUNT + 1] = "tr";
  if (!cpu_protected(cpu)) return;
  out_open_list(v->out, "used_by");
  for (unsigned k = 0; k < ARRAY_SIZE(regs); k++) {
    u16 sel = regs[k]->sel;
    if (sel_is_null(sel) || !(sel & SEL_TI) != !local || sel >> 3 != (int)index) continue;
    out_str(v->out, NULL, names[k], any ? " %s" : "  <- %s");
    any = true;
  }
  out_close(v->out);
}

/* Code and data by the selector that their own ring uses, RPL = DPL. */
static u16 usual_selector(const struct view_desc *d, bool local, unsigned index) {
  return (u16)(index << 3 | (local ? SEL_TI : 0) | (d->s.attr & SEG_S ? seg_dpl(&d->s) : 0));
}

static void show_entry(const struct view *v, bool local, unsigned index, const struct view_desc *d, const char *why) {
  u16 sel = usual_selector(d, local, index);
  out_open(v->out, NULL);
  out_text(v->out, "%s[0x%04x] ", local ? "LDT" : "GDT", sel);
  view_selector_json(v->out, sel);
  if (why) {
    out_str(v->out, "error", why, "%s");
  } else if (!d->lo && !d->hi) {
    out_str(v->out, "type", index || local ? "empty" : "NULL", "%s");
    out_hex(v->out, "raw", 0, NULL);
  } else {
    out_hex(v->out, "raw", d->lo, NULL);
    if (d->wide) out_hex(v->out, "raw_high", d->hi, NULL);
    view_desc_show(v, d);
    show_users(v, local, index);
  }
  out_close(v->out);
  out_text(v->out, "\n");
}

struct span { /* entries whose memory cannot be read */
  unsigned first, n;
};

static void show_span(const struct view *v, bool local, struct span *s) {
  if (s->n) {
    out_open(v->out, NULL);
    out_num(v->out, "index", s->first, NULL);
    out_num(v->out, "count", s->n, NULL);
    out_str(v->out, "error", "memory cannot be read", NULL);
    out_text(v->out, "%s[0x%04x]..[0x%04x] cannot be read\n", local ? "LDT" : "GDT", s->first << 3,
             (s->first + s->n - 1) << 3);
    out_close(v->out);
  }
  s->n = 0;
}

static void show_entries(const struct view *v, bool local, u64 base, u32 limit, int first, int n) {
  unsigned count = (unsigned)(((u64)limit + 1) / 8), from = 0, to = count < TABLE_ENTRIES ? count : TABLE_ENTRIES;
  struct span unreadable = {0};
  struct view_desc d;
  bool all = first < 0, any = false;
  if (!all) {
    from = first < TABLE_ENTRIES ? (unsigned)first : TABLE_ENTRIES;
    to = n < 1 ? from + 1 : n < TABLE_ENTRIES ? from + (unsigned)n : TABLE_ENTRIES;
    if (to > TABLE_ENTRIES) to = TABLE_ENTRIES;
    if (to > count) to = count > from ? count : from + 1; /* at least one: beyond the limit */
  }
  out_open_list(v->out, "entries");
  for (unsigned k = from; k < to; k++) {
    const char *why = read_at(v->cpu, base, limit, k << 3, &d);
    if (all && why) {
      if (!unreadable.n++) unreadable.first = k;
      any = true;
      continue;
    }
    show_span(v, local, &unreadable);
    if (!all || d.lo || d.hi) show_entry(v, local, k, &d, why), any = true;
    if (d.wide && !d.high_missing) k++;
  }
  show_span(v, local, &unreadable);
  out_close(v->out);
  if (!any) out_text(v->out, "no entry is in use\n");
}

void view_gdt(const struct view *v, int first, int n) {
  const struct cpu *cpu = v->cpu;
  out_begin(v->out, "gdt");
  out_hex(v->out, "base", cpu->gdtr.base, "GDT at 0x%llx");
  out_hex(v->out, "limit", cpu->gdtr.limit, ", limit 0x%llx\n");
  if (!cpu_protected(cpu)) out_text(v->out, "in this mode segments have no descriptors\n");
  bool never_loaded = !(cpu->mode & MODE_PE) && !cpu->gdtr.base && cpu->gdtr.limit == 0xffff; /* SDM 3A Table 9-1 */
  if (never_loaded && first < 0) out_text(v->out, "GDTR is as after a reset: there is no table yet\n");
  else show_entries(v, false, cpu->gdtr.base, cpu->gdtr.limit, first, n);
  out_end(v->out);
}

void view_ldt(const struct view *v, int first, int n) {
  const struct cpu *cpu = v->cpu;
  out_begin(v->out, "ldt");
  out_hex(v->out, "selector", cpu->ldtr.sel, NULL);
  out_bool(v->out, "loaded", ldt_usable(cpu), NULL);
  if (!(cpu->mode & MODE_PE)) {
    out_text(v->out, "there is no LDT in real-address mode\n");
  } else if (ldt_usable(cpu)) {
    out_text(v->out, "LDTR 0x%04x: ", cpu->ldtr.sel);
    out_hex(v->out, "base", cpu->ldtr.base, "LDT at 0x%llx");
    out_hex(v->out, "limit", cpu->ldtr.limit, ", limit 0x%llx\n");
    show_entries(v, true, cpu->ldtr.base, cpu->ldtr.limit, first, n);
  } else {
    out_text(v->out, "there is no LDT: LDTR is %s\n", cpu->ldtr.attr & SEG_NULL ? "NULL" : "not present");
  }
  out_end(v->out);
}

void view_selector(const struct view *v, u16 sel) {
  struct view_desc d;
  char words[40];
  struct cpu *cpu = v->cpu;
  explain_selector(words, sizeof words, sel);
  out_begin(v->out, "selector");
  view_selector_json(v->out, sel);
  out_text(v->out, "0x%04x: %s: ", sel, words);
  if (!cpu_protected(cpu)) {
    out_hex(v->out, "base", (u64)sel << 4, "in this mode no descriptor: base 0x%llx\n");
    out_end(v->out);
    return;
  }
  const char *why = view_desc_read(cpu, sel, &d);
  if (why) {
    out_str(v->out, "error", why, "%s\n");
  } else {
    u64 table = sel & SEL_TI ? cpu->ldtr.base : cpu->gdtr.base;
    view_desc_show(v, &d);
    out_text(v->out, "\n");
    out_hex(v->out, "address", sys_linear(cpu, table + (sel & 0xfff8u)), "        at 0x%llx:");
    out_hex(v->out, "raw", d.lo, " 0x%016llx");
    if (d.wide) out_hex(v->out, "raw_high", d.hi, " 0x%016llx");
    out_text(v->out, "\n");
  }
  out_end(v->out);
}

/* ---- segment registers ---- */

static bool same_segment(const struct seg *a, const struct seg *b) {
  return a->sel == b->sel && a->attr == b->attr && a->limit == b->limit && a->base == b->base;
}

static void show_register(const struct view *v, const char *name, const struct seg *s, const struct seg *before) {
  struct out *o = v->out;
  char type[80];
  explain_type(type, sizeof type, s->attr, cpu_long(v->cpu));
  out_open(o, name);
  out_changed(o, before && !same_segment(s, before));
  out_text(o, "%-4s 0x%04x  base 0x%0*llx  limit 0x%08x  ", name, s->sel, cpu_long(v->cpu) ? 16 : 8,
           (unsigned long long)s->base, s->limit);
  view_selector_json(o, s->sel);
  out_hex(o, "base", s->base, NULL);
  out_hex(o, "limit", s->limit, NULL);
  out_hex(o, "attr", s->attr, NULL);
  out_bool(o, "null", s->attr & SEG_NULL, NULL);
  if (!(s->attr & SEG_NULL)) {
    out_num(o, "dpl", seg_dpl(s), "DPL %llu  ");
    out_bool(o, "present", seg_present(s), NULL);
    out_num(o, "g", !!(s->attr & SEG_G), NULL);
    out_num(o, "db", seg_is_db(s), NULL);
    out_num(o, "l", seg_is_code64(s), NULL);
    out_num(o, "avl", !!(s->attr & SEG_AVL), NULL);
  }
  out_str(o, "type", type, "%s");
  if (seg_is_data(s) && seg_is_db(s) && !(s->attr & SEG_NULL)) out_text(o, ", B");
  if (!(s->attr & SEG_NULL) && !seg_present(s)) out_text(o, ", not present");
  out_close(o);
  out_text(o, "\n");
}

static void show_table_register(const struct view *v, const char *name, const struct dtable *t,
                                const struct dtable *before) {
  out_open(v->out, name);
  out_changed(v->out, before && (t->base != before->base || t->limit != before->limit));
  out_text(v->out, "%-12s base 0x%0*llx  limit 0x%04x", name, cpu_long(v->cpu) ? 16 : 8, (unsigned long long)t->base,
           t->limit);
  out_hex(v->out, "base", t->base, NULL);
  out_hex(v->out, "limit", t->limit, NULL);
  out_close(v->out);
  out_text(v->out, "\n");
}

void view_sreg(const struct view *v) {
  static const enum sreg order[] = {CS, SS, DS, ES, FS, GS};
  const struct cpu *cpu = v->cpu, *old = v->before;
  out_begin(v->out, "sreg");
  for (unsigned k = 0; k < ARRAY_SIZE(order); k++)
    show_register(v, seg_names[order[k]], &cpu->seg[order[k]], old ? &old->seg[order[k]] : NULL);
  show_register(v, "ldtr", &cpu->ldtr, old ? &old->ldtr : NULL);
  show_register(v, "tr", &cpu->tr, old ? &old->tr : NULL);
  show_table_register(v, "gdtr", &cpu->gdtr, old ? &old->gdtr : NULL);
  show_table_register(v, "idtr", &cpu->idtr, old ? &old->idtr : NULL);
  if (cpu_long(cpu)) {
    out_open(v->out, "kernel_gs_base");
    out_changed(v->out, old && old->msr[MSR_KERNEL_GS_BASE] != cpu->msr[MSR_KERNEL_GS_BASE]);
    out_hex(v->out, "value", cpu->msr[MSR_KERNEL_GS_BASE], "SWAPGS gives base 0x%016llx\n");
    out_close(v->out);
  }
  out_end(v->out);
}
