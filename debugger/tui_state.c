/* The TUI's panes of registers, segments and memory. SDM 1 3.4 (Basic Program Execution Registers); SDM 3A 3.4.3
 * (Segment Registers). */
#include <stdio.h>
#include <string.h>

#include "debugger/tui_inside.h"
#include "debugger/view_fields.h"
#include "explain/explain.h"

/* ---- registers ---- */

static const char *const gpr_names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
static const u8 order[] = {RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP}; /* beside each, R8 and on */

/* "*rax 0000000000000027": the mark is for what has changed. */
static void cell(char *buf, size_t n, const char *name, u64 value, bool changed, int digits) {
  snprintf(buf, n, "%s%c%-3s %0*llx" S_PLAIN, changed ? S_CHANGED : "", changed ? '*' : ' ', name, digits,
           (unsigned long long)value);
}

static void gpr_cell(char *buf, size_t n, const struct cpu *cpu, const struct cpu *before, unsigned r, bool wide) {
  char name[8];
  u64 v = cpu->gpr[r], old = before ? before->gpr[r] : v;
  if (wide) snprintf(name, sizeof name, "%s", gpr_names[r]);
  else snprintf(name, sizeof name, "e%s", gpr_names[r] + 1);
  cell(buf, n, name, wide ? v : (u32)v, wide ? v != old : (u32)v != (u32)old, wide ? 16 : 8);
}

static void control_cell(char *buf, size_t n, const struct cpu *cpu, const struct cpu *before, unsigned k, bool wide) {
  static const char *const names[] = {"cr0", "cr2", "cr3", "cr4", "cr8", "efer", "xcr0", "pkru"};
  const struct cpu *c[2] = {cpu, before ? before : cpu};
  u64 v[2];
  for (unsigned i = 0; i < 2; i++) {
    const u64 of[] = {c[i]->cr0, c[i]->cr2, c[i]->cr3, c[i]->cr4, c[i]->cr8, c[i]->msr[MSR_EFER], c[i]->xcr0, c[i]->pkru};
    v[i] = of[k];
  }
  cell(buf, n, names[k], v[0], v[0] != v[1], k >= 5 && wide ? 15 : wide ? 16 : 8);
}

void fill_registers(struct tui *t, struct pane *p) {
  const struct cpu *cpu = dbg_cpu(t->d), *before = dbg_before(t->d);
  struct cpu *now = dbg_cpu(t->d);
  bool wide = cpu_code64(cpu);
  char a[64], b[64], c[64], name[160], safe[160], flags[200];
  unsigned rows = 8, columns = p->w >= (wide ? 63 : 42) ? 3 : p->w >= (wide ? 42 : 28) ? 2 : 1;
  tui_text_clear(&p->text);
  snprintf(p->note, sizeof p->note, "* changed");
  for (unsigned k = 0; k < rows; k++) {
    unsigned second = wide ? R8 + k : order[k];
    gpr_cell(a, sizeof a, cpu, before, order[k], wide);
    if (wide) gpr_cell(b, sizeof b, cpu, before, second, wide);
    else b[0] = 0;
    control_cell(c, sizeof c, cpu, before, k, wide);
    if (columns == 3 || (columns == 2 && !wide)) tui_text_add(&p->text, "%s%s%s", a, b, c);
    else if (columns == 2) tui_text_add(&p->text, "%s%s", a, b);
    else tui_text_add(&p->text, "%s", a);
  }
  for (unsigned k = 0; wide && columns == 1 && k < 8; k++) {
    gpr_cell(a, sizeof a, cpu, before, R8 + k, wide);
    tui_text_add(&p->text, "%s", a);
  }
  cell(a, sizeof a, wide ? "rip" : "eip", cpu->rip, before && before->rip != cpu->rip, wide ? 16 : 8);
  sym_name(dbg_symbols(t->d), dbg_pc(t->d), name, sizeof name);
  tui_text_add(&p->text, "%s %s", a, tui_text_safe(name, safe, sizeof safe));
  u32 ef = cpu_eflags(cpu);
  explain_flags(flags, sizeof flags, ef);
  bool changed = before && cpu_eflags(before) != ef;
  tui_text_add(&p->text, "%s%c%s %s", changed ? S_CHANGED : "", changed ? '*' : ' ', wide ? "rflags" : "eflags", flags);
  changed = before && (before->cpl != cpu->cpl || view_mode_name(before, NULL) != view_mode_name(cpu, NULL));
  tui_text_add(&p->text, "%s%cring %u, %s, cs %04x, ss %04x", changed ? S_CHANGED : "", changed ? '*' : ' ', cpu->cpl,
           view_mode_name(now, NULL), cpu->seg[CS].sel, cpu->seg[SS].sel);
  for (unsigned k = 0; columns < 3 && (wide || columns == 1) && k < 8; k += columns) {
    control_cell(a, sizeof a, cpu, before, k, wide);
    control_cell(b, sizeof b, cpu, before, k + 1 < 8 ? k + 1 : k, wide);
    tui_text_add(&p->text, "%s%s", a, columns == 2 ? b : "");
  }
}

/* ---- segments ---- */

static bool seg_same(const struct seg *a, const struct seg *b) {
  return a->sel == b->sel && a->attr == b->attr && a->limit == b->limit && a->base == b->base;
}

static void segment(struct pane *p, const struct cpu *cpu, const char *name, const struct seg *s, const struct seg *old) {
  char type[96] = "NULL";
  bool changed = old && !seg_same(s, old), null = s->attr & SEG_NULL;
  if (!null) explain_type(type, sizeof type, s->attr, cpu_long(cpu));
  char mark = changed ? '*' : ' ', dpl = null ? ' ' : (char)('0' + ((s->attr & SEG_DPL) >> SEG_DPL_SHIFT));
  const char *style = changed ? S_CHANGED : null ? S_DIM : "", *absent = null || s->attr & SEG_P ? "" : "not present, ";
  unsigned long long base = s->base;
  if (p->w < 60)
    tui_text_add(&p->text, "%s%c%-4s%04x %c %llx %x %s%s", style, mark, name, s->sel, dpl, base, s->limit, absent, type);
  else
    tui_text_add(&p->text, "%s%c%-3s %04x  %0*llx %08x  %c  %s%s", style, mark, name, s->sel, cpu_long(cpu) ? 16 : 8, base, s->limit,
                 dpl, absent, type);
}

static void table(struct pane *p, const struct cpu *cpu, const char *name, const struct dtable *d, const struct dtable *old) {
  bool changed = old && (d->base != old->base || d->limit != old->limit);
  int digits = p->w < 60 ? 1 : cpu_long(cpu) ? 16 : 8;
  tui_text_add(&p->text, "%s%c%-4s%s%0*llx %0*x", changed ? S_CHANGED : "", changed ? '*' : ' ', name, p->w < 60 ? "       " : "      ",
               digits, (unsigned long long)d->base, p->w < 60 ? 1 : 8, d->limit);
}

void fill_segments(struct tui *t, struct pane *p) {
  static const struct { const char *name; u8 s; } rows[] = {{"cs", CS}, {"ss", SS}, {"ds", DS}, {"es", ES}, {"fs", FS}, {"gs", GS}};
  const struct cpu *cpu = dbg_cpu(t->d), *before = dbg_before(t->d);
  int digits = cpu_long(cpu) ? 16 : 8;
  tui_text_clear(&p->text);
  snprintf(p->note, sizeof p->note, "the hidden parts");
  if (p->w < 60) tui_text_add(&p->text, S_DIM "     sel DPL base limit type");
  else tui_text_add(&p->text, S_DIM "     sel   %-*s %-8s DPL type", digits, "base", "limit");
  for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
    segment(p, cpu, rows[k].name, &cpu->seg[rows[k].s], before ? &before->seg[rows[k].s] : NULL);
  segment(p, cpu, "ldt", &cpu->ldtr, before ? &before->ldtr : NULL);
  segment(p, cpu, "tr", &cpu->tr, before ? &before->tr : NULL);
  table(p, cpu, "gdtr", &cpu->gdtr, before ? &before->gdtr : NULL);
  table(p, cpu, "idtr", &cpu->idtr, before ? &before->idtr : NULL);
}

/* ---- memory ---- */

void memory_remember(struct tui *t) {
  t->memory_seen_at = t->memory & ~UINT64_C(15);
  t->memory_seen_n = dbg_peek(t->d, t->memory_seen_at, t->memory_seen, sizeof t->memory_seen);
}

static void memory_row(struct tui *t, struct pane *p, u64 la, int digits, unsigned per) {
  u8 bytes[16];
  char hex[400] = "", chars[200] = "";
  size_t h = 0, c = 0;
  for (unsigned k = 0; k < per; k++) {
    bool there = dbg_peek(t->d, la + k, &bytes[k], 1) == 1;
    u64 off = la + k - t->memory_seen_at;
    bool changed = there && off < t->memory_seen_n && t->memory_seen[off] != bytes[k];
    char gap = changed ? '*' : k && k % 8 == 0 ? '-' : ' ';
    h += there ? (size_t)snprintf(hex + h, sizeof hex - h, "%s%c%02x" S_PLAIN, changed ? S_CHANGED : "", gap, bytes[k])
               : (size_t)snprintf(hex + h, sizeof hex - h, "%c--", gap);
    chars[c++] = there && bytes[k] >= 0x20 && bytes[k] < 0x7f ? (char)bytes[k] : there ? '.' : ' ';
  }
  chars[c] = 0;
  tui_text_add(&p->text, "%s%0*llx" S_PLAIN "%s  " S_DIM "%s", S_DIM, digits, (unsigned long long)la, hex, chars);
}

void fill_memory(struct tui *t, struct pane *p) {
  char err[160];
  u64 v;
  if (t->memory_text[0] && !dbg_eval(t->d, t->memory_text, &v, err, sizeof err)) t->memory = v;
  unsigned rows = (unsigned)pane_lines(p);
  int digits = t->memory >> 32 ? 16 : 8;
  unsigned per = p->w >= digits + 16 * 4 + 3 ? 16 : 8;
  u64 la = t->memory & ~(u64)(per - 1);
  tui_text_clear(&p->text);
  snprintf(p->note, sizeof p->note, "%.40s", t->memory_text[0] ? t->memory_text : "m: another address");
  for (unsigned k = 0; k < rows; k++) memory_row(t, p, la + k * per, digits, per);
  p->top = 0;
}
