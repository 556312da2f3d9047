/* The task-state segment field by field, in each of its three formats, and what its I/O permission map opens.
 * SDM 3A 7.2.1 (Task-State Segment (TSS)), Figures 7-2, 7-10 (16-Bit TSS Format), 7-11 (64-Bit TSS Format); SDM 1 19.5.2
 * (I/O Permission Bit Map); SDM 3B 20.3.3 (Class 3: Software Interrupt Handling in Virtual-8086 Mode). */
#include <stdlib.h>
#include <string.h>

#include "cpu/mem.h"
#include "debugger/view_fields.h"

enum tss_format { TSS_16 = 1, TSS_32 = 2, TSS_64 = 4 };
enum tss_kind { PLAIN, STACK, CODE, FLAGS, SELECTOR };

struct tss_field {
  u8 formats, offset, size, kind;
  const char *name;
};
enum { IOMAP_AT = 0x66, PORTS = 0x10000, MAP_BYTES = PORTS / 8, REDIRECTION_BYTES = 32, RANGES_SHOWN = 12 };
static const struct tss_field fields[] = {
    {TSS_64, 0x04, 8, STACK, "RSP0"}, {TSS_64, 0x0c, 8, STACK, "RSP1"}, {TSS_64, 0x14, 8, STACK, "RSP2"},
    {TSS_64, 0x24, 8, STACK, "IST1"}, {TSS_64, 0x2c, 8, STACK, "IST2"}, {TSS_64, 0x34, 8, STACK, "IST3"},
    {TSS_64, 0x3c, 8, STACK, "IST4"}, {TSS_64, 0x44, 8, STACK, "IST5"}, {TSS_64, 0x4c, 8, STACK, "IST6"},
    {TSS_64, 0x54, 8, STACK, "IST7"},

    {TSS_16 | TSS_32, 0x00, 2, SELECTOR, "link"},
    {TSS_32, 0x04, 4, STACK, "ESP0"}, {TSS_32, 0x08, 2, SELECTOR, "SS0"}, {TSS_32, 0x0c, 4, STACK, "ESP1"},
    {TSS_32, 0x10, 2, SELECTOR, "SS1"}, {TSS_32, 0x14, 4, STACK, "ESP2"}, {TSS_32, 0x18, 2, SELECTOR, "SS2"},
    {TSS_32, 0x1c, 4, PLAIN, "CR3"}, {TSS_32, 0x20, 4, CODE, "EIP"}, {TSS_32, 0x24, 4, FLAGS, "EFLAGS"},
    {TSS_32, 0x28, 4, PLAIN, "EAX"}, {TSS_32, 0x2c, 4, PLAIN, "ECX"}, {TSS_32, 0x30, 4, PLAIN, "EDX"},
    {TSS_32, 0x34, 4, PLAIN, "EBX"}, {TSS_32, 0x38, 4, PLAIN, "ESP"}, {TSS_32, 0x3c, 4, PLAIN, "EBP"},
    {TSS_32, 0x40, 4, PLAIN, "ESI"}, {TSS_32, 0x44, 4, PLAIN, "EDI"}, {TSS_32, 0x48, 2, SELECTOR, "ES"},
    {TSS_32, 0x4c, 2, SELECTOR, "CS"}, {TSS_32, 0x50, 2, SELECTOR, "SS"}, {TSS_32, 0x54, 2, SELECTOR, "DS"},
    {TSS_32, 0x58, 2, SELECTOR, "FS"}, {TSS_32, 0x5c, 2, SELECTOR, "GS"}, {TSS_32, 0x60, 2, SELECTOR, "LDT"},
    {TSS_32, 0x64, 2, PLAIN, "T"},

    {TSS_16, 0x02, 2, STACK, "SP0"}, {TSS_16, 0x04, 2, SELECTOR, "SS0"}, {TSS_16, 0x06, 2, STACK, "SP1"},
    {TSS_16, 0x08, 2, SELECTOR, "SS1"}, {TSS_16, 0x0a, 2, STACK, "SP2"}, {TSS_16, 0x0c, 2, SELECTOR, "SS2"},
    {TSS_16, 0x0e, 2, CODE, "IP"}, {TSS_16, 0x10, 2, FLAGS, "FLAGS"}, {TSS_16, 0x12, 2, PLAIN, "AX"},
    {TSS_16, 0x14, 2, PLAIN, "CX"}, {TSS_16, 0x16, 2, PLAIN, "DX"}, {TSS_16, 0x18, 2, PLAIN, "BX"},
    {TSS_16, 0x1a, 2, PLAIN, "SP"}, {TSS_16, 0x1c, 2, PLAIN, "BP"}, {TSS_16, 0x1e, 2, PLAIN, "SI"},
    {TSS_16, 0x20, 2, PLAIN, "DI"}, {TSS_16, 0x22, 2, SELECTOR, "ES"}, {TSS_16, 0x24, 2, SELECTOR, "CS"},
    {TSS_16, 0x26, 2, SELECTOR, "SS"}, {TSS_16, 0x28, 2, SELECTOR, "DS"}, {TSS_16, 0x2a, 2, SELECTOR, "LDT"},

    {TSS_32 | TSS_64, IOMAP_AT, 2, PLAIN, "iomap"},
};

/* Bytes of the TSS at an offset, as far as limit and memory allow. */
static unsigned tss_read(struct cpu *cpu, u32 offset, void *buf, unsigned n) {
  if (offset > cpu->tr.limit) return 0;
  u64 within = (u64)cpu->tr.limit - offset + 1;
  return mem_peek(cpu, sys_linear(cpu, cpu->tr.base + offset), buf, n < within ? n : (unsigned)within);
}

static void show_value(const struct view *v, const struct tss_field *f, u64 value) {
  char words[160];
  out_hex(v->out, "value", value, f->size == 8 ? "0x%016llx" : f->size == 4 ? "0x%08llx" : "0x%04llx");
  if (f->kind == FLAGS) {
    view_flags_words(words, sizeof words, (u32)value);
    out_str(v->out, "set", words, "  %s");
  } else if (f->kind == CODE) {
    view_name(v, value);
  } else if (f->kind == STACK && f->size == 8 && !cpu_canonical(v->cpu, value)) {
    out_text(v->out, "  not canonical: #SS when it is used");
  }
}

/* Text: two fields a line, but for those with words behind them. */
static void show_fields(const struct view *v, unsigned format) {
  bool open_line = false;
  out_open(v->out, "fields");
  for (const struct tss_field *f = fields; f < fields + ARRAY_SIZE(fields); f++) {
    u8 raw[8] = {0};
    if (!(f->formats & format)) continue;
    bool alone = f->kind == FLAGS || f->kind == CODE || f->size == 8;
    if (open_line && alone) out_text(v->out, "\n");
    out_open(v->out, f->name);
    out_text(v->out, " +%02x %-6s ", f->offset, f->name);
    out_num(v->out, "offset", f->offset, NULL);
    if ((u32)f->offset + f->size - 1 > v->cpu->tr.limit) out_str(v->out, "error", "beyond the limit", "%s");
    else if (tss_read(v->cpu, f->offset, raw, f->size) < f->size) out_str(v->out, "error", "cannot be read", "%s");
    else show_value(v, f, ld64(raw));
    out_close(v->out);
    open_line = !open_line && !alone && f->offset != IOMAP_AT;
    if (!open_line) out_text(v->out, "\n");
    else out_text(v->out, "%*s", f->size == 2 ? 6 : 2, "");
  }
  if (open_line) out_text(v->out, "\n");
  out_close(v->out);
}

/* ---- the I/O permission map ---- */

/* A port needs its byte of the map and the one behind it. */
static bool port_open(const u8 *map, unsigned n, unsigned port) {
  return port / 8 + 1 < n && !(map[port / 8] >> (port & 7) & 1);
}

static void show_ports(const struct view *v, const u8 *map, unsigned n) {
  unsigned ranges = 0, open = 0;
  out_open_list(v->out, "open_ports");
  for (unsigned port = 0; port < PORTS; port++) {
    if (!port_open(map, n, port)) continue;
    unsigned last = port;
    while (last + 1 < PORTS && port_open(map, n, last + 1)) last++;
    if (ranges < RANGES_SHOWN) out_text(v->out, "%s0x%x", open ? ", " : ", open: ", port);
    if (ranges++ < RANGES_SHOWN && last > port) out_text(v->out, "-0x%x", last);
    out_open(v->out, NULL);
    out_hex(v->out, "first", port, NULL);
    out_hex(v->out, "last", last, NULL);
    out_close(v->out);
    open += last - port + 1;
    port = last;
  }
  out_close(v->out);
  if (ranges > RANGES_SHOWN) out_text(v->out, " and %u ranges more", ranges - RANGES_SHOWN);
  if (!open) out_text(v->out, ", no port is open");
  else if (open == PORTS) out_text(v->out, " (all)");
}

/* CR4.VME: 32 bytes below the map say which INT n of virtual-8086 mode go to its own vectors (0) or to the monitor. */
static void show_redirection(const struct view *v, u16 at) {
  u8 map[REDIRECTION_BYTES];
  unsigned own = 0;
  if (!(v->cpu->cr4 & CR4_VME) || at < REDIRECTION_BYTES) return;
  if (tss_read(v->cpu, at - REDIRECTION_BYTES, map, sizeof map) < sizeof map) return;
  for (unsigned n = 0; n < 256; n++) own += !(map[n / 8] >> (n & 7) & 1);
  out_num(v->out, "redirected_vectors", own,
          " interrupt redirection map: %llu vectors go to the virtual-8086 program's own table\n");
}

static void show_iomap(const struct view *v) {
  u8 raw[2], *map;
  if (tss_read(v->cpu, IOMAP_AT, raw, 2) < 2) {
    out_text(v->out, " no I/O map: no port is open to rings beyond IOPL %u\n", cpu_iopl(v->cpu));
    return;
  }
  u16 at = ld16(raw);
  out_hex(v->out, "iomap_base", at, " I/O map at +0x%llx");
  map = calloc(1, MAP_BYTES + 1);
  unsigned n = map ? tss_read(v->cpu, at, map, MAP_BYTES + 1) : 0;
  if (at > v->cpu->tr.limit) out_text(v->out, ", beyond the limit: no port is open");
  else show_ports(v, map ? map : raw, n);
  free(map);
  out_text(v->out, " to rings beyond IOPL %u\n", cpu_iopl(v->cpu));
  show_redirection(v, at);
}

void view_tss(const struct view *v) {
  static const char *const names[] = {[TSS_16] = "16-bit", [TSS_32] = "32-bit", [TSS_64] = "64-bit"};
  const struct cpu *cpu = v->cpu;
  const struct seg *tr = &cpu->tr;
  unsigned type = seg_type(tr);
  unsigned format = !(type & 8) ? TSS_16 : cpu_long(cpu) ? TSS_64 : TSS_32;
  bool tss = !(tr->attr & (SEG_NULL | SEG_S)) && (type & 5) == 1;
  out_begin(v->out, "tss");
  out_changed(v->out, v->before && (v->before->tr.sel != tr->sel || v->before->tr.base != tr->base));
  out_hex(v->out, "selector", tr->sel, "TR 0x%04llx");
  if (!tss || !seg_present(tr)) {
    out_bool(v->out, "loaded", false, NULL);
    out_text(v->out, ": no TSS is loaded\n");
    out_end(v->out);
    return;
  }
  out_bool(v->out, "loaded", true, NULL);
  out_str(v->out, "format", names[format], ": %s TSS");
  out_bool(v->out, "busy", type & SYS_TSS_BUSY_BIT, " (busy)");
  out_hex(v->out, "base", tr->base, " at 0x%llx");
  out_hex(v->out, "limit", tr->limit, ", limit 0x%llx\n");
  if (!(cpu->mode & MODE_PE)) out_text(v->out, " (not in use in real-address mode)\n");
  else if (sel_is_null(tr->sel)) out_text(v->out, " (TR is as after a reset: no LTR yet)\n");
  show_fields(v, format);
  if (format != TSS_16) show_iomap(v);
  else out_text(v->out, " no I/O map: no port is open to rings beyond IOPL %u\n", cpu_iopl(cpu));
  out_end(v->out);
}
