/* The interrupt descriptor table, or real mode's vector table, decoded. SDM 3A 6.10 (Interrupt Descriptor Table (IDT)),
 * 6.11 (IDT Descriptors), 6.14.1 (64-Bit Mode IDT), SDM 3B 20.1.4 (Interrupt and Exception Handling). */
#include <string.h>

#include "cpu/event.h"
#include "cpu/mem.h"
#include "debugger/view_fields.h"
#include "explain/explain.h"

enum { VECTORS = 256 };

struct gate {
  unsigned vector, bytes;
  u64 lo, hi;
};

/* Bytes of an entry: 4 in real mode, 16 in long mode. */
static unsigned entry_bytes(const struct cpu *cpu) {
  if (!(cpu->mode & MODE_PE)) return 4;
  return cpu_long(cpu) ? 16 : 8;
}

static const char *read_gate(struct cpu *cpu, struct gate *g) {
  u8 raw[16] = {0};
  u64 offset = (u64)g->vector * g->bytes;
  g->lo = g->hi = 0;
  if (offset + g->bytes - 1 > cpu->idtr.limit) return "beyond the table's limit";
  if (mem_peek(cpu, sys_linear(cpu, cpu->idtr.base + offset), raw, g->bytes) < g->bytes)
    return "its memory cannot be read";
  g->lo = ld64(raw);
  g->hi = ld64(raw + 8);
  return NULL;
}

static void show_vector_name(const struct view *v, unsigned vector) {
  out_num(v->out, "vector", vector, "[0x%02llx] ");
  if (vector < EXCEPTION_VECTORS && vector_rows[vector].mnemonic)
    out_str(v->out, "exception", vector_rows[vector].mnemonic, "%-4s ");
  else out_text(v->out, "     ");
}

/* Offset and segment: no descriptor, no privilege. */
static void show_pointer(const struct view *v, const struct gate *g) {
  u16 offset = (u16)g->lo, sel = (u16)(g->lo >> 16);
  out_hex(v->out, "target_selector", sel, "0x%04llx");
  out_hex(v->out, "target_offset", offset, ":0x%04llx");
  out_hex(v->out, "linear", ((u64)sel << 4) + offset, " = 0x%05llx");
  view_name(v, ((u64)sel << 4) + offset);
}

/* The ring that the gate leads to: that of a code segment that is not conforming. SDM 3A 6.12.1 */
static void show_ring(const struct view *v, u16 sel) {
  struct view_desc d;
  if (sel_is_null(sel)) out_text(v->out, ", selector NULL: #GP");
  else if (view_desc_read(v->cpu, sel, &d)) out_text(v->out, ", selector beyond its table: #GP");
  else if (!seg_is_code(&d.s)) out_text(v->out, ", no code segment: #GP");
  else if (seg_is_conforming(&d.s)) out_text(v->out, ", conforming: ring unchanged");
  else out_num(v->out, "ring", seg_dpl(&d.s), ", ring %llu");
}

static void show_gate(const struct view *v, const struct gate *g) {
  unsigned kind = (unsigned)bits(g->lo, 43, 40);
  bool wide = g->bytes == 16;
  bool narrow = kind >= SYS_TASK_GATE && kind <= SYS_TRAP16;
  bool valid = !bits(g->lo, 44, 44) && (kind == SYS_INT32 || kind == SYS_TRAP32 || (!wide && narrow));
  struct view_desc d = {.lo = g->lo, .hi = g->hi, .wide = wide};
  d.s = desc_segment(g->lo, 0);
  out_hex(v->out, "raw", g->lo, NULL);
  if (wide) out_hex(v->out, "raw_high", g->hi, NULL);
  out_bool(v->out, "valid", valid, NULL);
  if (!valid) {
    char type[80];
    explain_type(type, sizeof type, d.s.attr, cpu_long(v->cpu));
    out_str(v->out, "type", type, "no interrupt, trap or task gate: %s");
    out_text(v->out, " (0x%016llx)", (unsigned long long)g->lo);
    return;
  }
  d.hi &= UINT64_C(0xffffffff); /* its upper half is reserved */
  view_desc_show(v, &d);
  if (kind != SYS_TASK_GATE) show_ring(v, (u16)bits(g->lo, 31, 16));
}

static void show_entry(const struct view *v, const struct gate *g, const char *why) {
  out_open(v->out, NULL);
  out_text(v->out, g->bytes == 4 ? "IVT" : "IDT");
  show_vector_name(v, g->vector);
  if (why) out_str(v->out, "error", why, "%s");
  else if (g->bytes == 4) show_pointer(v, g);
  else if (!g->lo && !g->hi) out_str(v->out, "type", "empty", "%s");
  else show_gate(v, g);
  out_close(v->out);
  out_text(v->out, "\n");
}

/* A table of which nothing can be read is one line. */
static void show_all(const struct view *v, unsigned bytes) {
  unsigned unreadable = 0, shown = 0;
  for (unsigned k = 0; k < VECTORS; k++) {
    struct gate g = {.vector = k, .bytes = bytes};
    const char *why = read_gate(v->cpu, &g);
    if ((u64)(k + 1) * bytes - 1 > v->cpu->idtr.limit) break;
    if (why) unreadable++;
    else if (g.lo || g.hi) show_entry(v, &g, NULL), shown++;
  }
  if (unreadable) out_text(v->out, "%u entries cannot be read\n", unreadable);
  else if (!shown) out_text(v->out, "no entry is in use\n");
}

void view_idt(const struct view *v, int first, int n) {
  struct cpu *cpu = v->cpu;
  unsigned bytes = entry_bytes(cpu);
  unsigned entries = ((unsigned)cpu->idtr.limit + 1) / bytes;
  out_begin(v->out, "idt");
  out_str(v->out, "table", bytes == 4 ? "IVT" : "IDT", "%s at ");
  out_hex(v->out, "base", cpu->idtr.base, "0x%llx");
  out_hex(v->out, "limit", cpu->idtr.limit, ", limit 0x%llx");
  out_num(v->out, "entry_bytes", bytes, ", entries of %llu bytes");
  out_text(v->out, ", vectors below 0x%x\n", entries < VECTORS ? entries : VECTORS);
  if (cpu_vm86(cpu)) out_text(v->out, "in virtual-8086 mode the gates of protected mode count\n");
  out_open_list(v->out, "entries");
  if (first < 0) show_all(v, bytes);
  for (unsigned k = 0, many = n < 1 ? 1 : (unsigned)n; first >= 0 && k < many && (unsigned)first + k < VECTORS; k++) {
    struct gate g = {.vector = (unsigned)first + k, .bytes = bytes};
    const char *why = read_gate(cpu, &g);
    show_entry(v, &g, why);
  }
  out_close(v->out);
  if (first >= VECTORS) out_error(v->out, "vectors are 0 to 255");
  out_end(v->out);
}
