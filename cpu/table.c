/* Descriptor-table registers: LGDT LIDT SGDT SIDT, LLDT LTR SLDT STR.
 * SDM 3A 2.4 (Memory-Management Registers); SDM 2A LGDT/LIDT, LLDT, LTR; SDM 2B SGDT, SIDT, SLDT, STR. */
#include "cpu/check.h"
#include "cpu/rare.h"
#include "cpu/seg.h"

static void require_cpl0(struct cpu *cpu, const struct insn *i) {
  cpu->insn = i;
  require_ab(cpu, CHK_CPL0, cpu->cpl == 0, 0, cpu->cpl, 0);
}
static void require_umip(struct cpu *cpu, const struct insn *i) {
  cpu->insn = i;
  require_ab(cpu, CHK_UMIP, !(cpu->cr4 & CR4_UMIP) || cpu->cpl == 0, 0, cpu->cpl, !!(cpu->cr4 & CR4_UMIP));
}

/* In memory: 16 bits of limit, then 32 bits of base (24 with a 16-bit operand size; 64 in 64-bit mode). */
static const struct insn *load_table(struct cpu *cpu, const struct insn *i, struct dtable *t) {
  unsigned n = cpu_code64(cpu) ? 8 : 4;
  require_cpl0(cpu, i);
  u64 la = ea_linear(cpu, i, 2 + n, ACC_READ);
  u16 limit = mem_read16(cpu, la);
  u64 base = mem_read(cpu, (la + 2) & cpu->lamask, n);
  if (n == 8) require_ab(cpu, CHK_TABLE_CANONICAL, cpu_canonical_max(cpu, base), 0, base, 0);
  else if (insn_osize(i) == W16) base &= 0xffffff;
  *t = (struct dtable){.base = base, .limit = limit};
  NEXT(cpu, i, FORM_X);
}

NOINLINE static void write_table(struct cpu *cpu, const struct insn *i, const struct dtable *t) {
  unsigned n = cpu_code64(cpu) ? 8 : 4;
  u8 image[10];
  require_umip(cpu, i);
  u64 la = ea_linear(cpu, i, 2 + n, ACC_WRITE);
  st16(image, t->limit);
  st64(image + 2, t->base);
  mem_write_bytes(cpu, la, image, 2 + n);
}

static const struct insn *store_table(struct cpu *cpu, const struct insn *i, const struct dtable *t) {
  write_table(cpu, i, t);
  NEXT(cpu, i, FORM_X);
}

#define TABLE_BODY(name, op, reg)                                                                          \
  static const struct insn *h_##name(struct cpu *restrict cpu, const struct insn *restrict i) {            \
    return op(cpu, i, &cpu->reg);                                                                          \
  }                                                                                                        \
  static handler_fn *const t_##name[1][FORMS] = {{[FORM_X] = h_##name}};                                   \
  const struct body body_##name = {1, t_##name};
TABLE_BODY(lgdt, load_table, gdtr)
TABLE_BODY(lidt, load_table, idtr)
TABLE_BODY(sgdt, store_table, gdtr)
TABLE_BODY(sidt, store_table, idtr)

/* In 64-bit mode, and on Intel in compatibility mode, LDT and TSS descriptors have 16 bytes: base 63:32 in the second
 * half, whose type bits are zero. SDM 3A 3.5.2 (Segment Descriptor Tables in IA-32e Mode); APM 3 LLDT, LTR */
static void system_high(struct cpu *cpu, u16 sel, struct desc *d) {
  if (!cpu_code64(cpu) && !(cpu_long(cpu) && model_does(cpu->model, RULE_SYSTEM_DESC_16))) return;
  require_ab(cpu, CHK_SYSTEM_HIGH_LIMIT, desc_read_high(cpu, d), sel, (sel & 0xfff8u) + 15, table_limit(cpu, sel));
  require_ab(cpu, CHK_SYSTEM_HIGH_TYPE, !bits(d->hi, 44, 40), sel, bits(d->hi, 44, 40), 0);
  d->s.base |= d->hi << 32;
  require_ab(cpu, CHK_SYSTEM_CANONICAL, cpu_canonical_max(cpu, d->s.base), sel, d->s.base, 0);
}

/* Out of line: a descriptor on the stack would cost the handlers their tail calls. */
NOINLINE static void load_ldt(struct cpu *cpu, u16 sel) {
  struct desc d;
  if (sel_is_null(sel)) {
    cpu->ldtr.sel = sel;
    cpu->ldtr.attr = SEG_NULL;
    return;
  }
  require_ab(cpu, CHK_LLDT_TI, !(sel & SEL_TI), sel, sel, 0);
  require_ab(cpu, CHK_LLDT_LIMIT, desc_read(cpu, sel, &d), sel, sel | 7u, table_limit(cpu, sel));
  require_ab(cpu, CHK_LLDT_TYPE, !(d.s.attr & SEG_S) && seg_type(&d.s) == SYS_LDT, sel, d.s.attr, 0);
  require_ab(cpu, CHK_LLDT_PRESENT, seg_present(&d.s), sel, seg_present(&d.s), 0);
  system_high(cpu, sel, &d);
  cpu->ldtr = d.s;
}

NOINLINE static void load_task(struct cpu *cpu, u16 sel) {
  struct desc d;
  require_ab(cpu, CHK_LTR_NULL, !sel_is_null(sel), 0, sel, 0);
  require_ab(cpu, CHK_LTR_TI, !(sel & SEL_TI), sel, sel, 0);
  require_ab(cpu, CHK_LTR_LIMIT, desc_read(cpu, sel, &d), sel, sel | 7u, table_limit(cpu, sel));
  unsigned type = seg_type(&d.s);
  bool tss = !(d.s.attr & SEG_S) && (type == SYS_TSS32 || (type == SYS_TSS16 && !cpu_long(cpu)));
  require_ab(cpu, CHK_LTR_TYPE, tss, sel, d.s.attr, 0);
  require_ab(cpu, CHK_LTR_PRESENT, seg_present(&d.s), sel, seg_present(&d.s), 0);
  system_high(cpu, sel, &d);
  desc_mark_busy(cpu, &d);
  cpu->tr = d.s;
}

INLINE_BODY load_selector(struct cpu *restrict cpu, const struct insn *restrict i, enum form form,
                          bool task) {
  require_cpl0(cpu, i);
  u16 sel = rm16_read(cpu, i, form, i->dst);
  if (task) load_task(cpu, sel);
  else load_ldt(cpu, sel);
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(lldt, load_selector, false)
BODY_RARE(ltr, load_selector, true)

INLINE_BODY store_selector(struct cpu *restrict cpu, const struct insn *restrict i, enum form form,
                           bool task) {
  require_umip(cpu, i);
  rm16_write(cpu, i, form, task ? cpu->tr.sel : cpu->ldtr.sel);
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(sldt, store_selector, false)
BODY_RARE(str, store_selector, true)
