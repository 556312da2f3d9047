/* Control and debug registers, bit by bit. SDM 3A 2.5 (Control Registers), 2.6 (Extended Control Registers), 4.6.2
 * (Protection Keys), 4.5 (4-Level Paging and 5-Level Paging); SDM 3B 17.2 (Debug Registers). */
#include <string.h>

#include "cpu/event.h"
#include "debugger/view_fields.h"

enum { VALUE_END = 27 }; /* columns */

/* Opens the object and shows " CR0   0x... "; the caller adds the rest of the line and closes it. */
static void open_register(const struct view *v, const char *name, u64 value, u64 before) {
  out_open(v->out, name);
  out_changed(v->out, v->before && value != before);
  out_text(v->out, "%-5s 0x%016llx", name, (unsigned long long)value);
  out_hex(v->out, "value", value, NULL);
}

static void show_bits(const struct view *v, const char *name, enum field_set set, u64 value, u64 before) {
  open_register(v, name, value, before);
  out_text(v->out, "  ");
  fields_show(v->out, set, value, VALUE_END);
  out_close(v->out);
  out_text(v->out, "\n");
  fields_explain(v->out, set, value);
}

/* SDM 3A Table 4-12 (Use of CR3 with 4-Level Paging and CR4.PCIDE = 0), 4-13, 4.3, 4.4.1 */
static void show_cr3(const struct view *v) {
  static const char *const table[] = {"no table while paging is off", "", "page directory", "PDPT", "PML4", "PML5"};
  const struct cpu *cpu = v->cpu;
  unsigned levels = cpu->mmu.levels <= 5 ? cpu->mmu.levels : 0;
  open_register(v, "CR3", cpu->cr3, v->before ? v->before->cr3 : 0);
  out_str(v->out, "table", table[levels], "  %s");
  if (levels) out_hex(v->out, "base", levels == 3 ? cpu->cr3 & MASK(31, 5) : cpu->cr3 & cpu->mmu.frame, " at 0x%llx");
  if (levels >= 4 && (cpu->cr4 & CR4_PCIDE)) {
    out_hex(v->out, "PCID", cpu->cr3 & 0xfff, ", PCID 0x%llx");
  } else {
    out_num(v->out, "PCD", cpu->cr3 >> 4 & 1, ", PCD=%llu");
    out_num(v->out, "PWT", cpu->cr3 >> 3 & 1, " PWT=%llu");
  }
  out_close(v->out);
  out_text(v->out, "\n");
  for (unsigned k = 0; levels == 3 && k < 4; k++) {
    char name[8];
    snprintf(name, sizeof name, "PDPTE%u", k);
    open_register(v, name, cpu->pdpte[k], v->before ? v->before->pdpte[k] : 0);
    out_bool(v->out, "present", cpu->pdpte[k] & PTE_P, "  present");
    if (cpu->pdpte[k] & PTE_P) out_hex(v->out, "base", cpu->pdpte[k] & cpu->mmu.frame, ", page directory at 0x%llx");
    else out_text(v->out, "  not present");
    out_close(v->out);
    out_text(v->out, "\n");
  }
}

/* Text alone: the keys of which `which` (1: access disable, 2: write disable alone) holds. */
static void show_keys(struct out *o, u32 pkru, unsigned which, const char *label) {
  bool any = false;
  for (unsigned key = 0; key < 16; key++) {
    unsigned rights = pkru >> 2 * key & 3;
    if (which == 1 ? !(rights & 1) : rights != 2) continue;
    if (any) out_text(o, " %u", key);
    else out_text(o, "  %s %u", label, key);
    any = true;
  }
}

/* Two bits a key: access disable, write disable. */
static void show_pkru(const struct view *v) {
  u32 pkru = v->cpu->pkru;
  open_register(v, "PKRU", pkru, v->before ? v->before->pkru : 0);
  show_keys(v->out, pkru, 1, "no access by key");
  show_keys(v->out, pkru, 2, "no writes by key");
  out_open_list(v->out, "denied");
  for (unsigned key = 0; key < 16; key++) {
    unsigned rights = pkru >> 2 * key & 3;
    if (!rights) continue;
    out_open(v->out, NULL);
    out_num(v->out, "key", key, NULL);
    out_str(v->out, "what", rights & 1 ? "access" : "writes", NULL);
    out_close(v->out);
  }
  out_close(v->out);
  if (!pkru) out_text(v->out, "  no key refuses anything");
  out_bool(v->out, "in_use", v->cpu->mmu.keys, NULL);
  if (!v->cpu->mmu.keys) out_text(v->out, " (not in use)");
  out_close(v->out);
  out_text(v->out, "\n");
}

void view_creg(const struct view *v) {
  const struct cpu *cpu = v->cpu, *old = v->before;
  out_begin(v->out, "creg");
  show_bits(v, "CR0", F_CR0, cpu->cr0, old ? old->cr0 : 0);
  open_register(v, "CR2", cpu->cr2, old ? old->cr2 : 0);
  out_text(v->out, "  the last page fault's linear address");
  view_name(v, cpu->cr2);
  out_close(v->out);
  out_text(v->out, "\n");
  show_cr3(v);
  show_bits(v, "CR4", F_CR4, cpu->cr4, old ? old->cr4 : 0);
  show_bits(v, "CR8", F_CR8, cpu->cr8, old ? old->cr8 : 0);
  show_bits(v, "XCR0", F_XCR0, cpu->xcr0, old ? old->xcr0 : 0);
  show_bits(v, "EFER", F_EFER, cpu->msr[MSR_EFER], old ? old->msr[MSR_EFER] : 0);
  show_pkru(v);
  out_end(v->out);
}

/* ---- debug registers ---- */

/* SDM 3B 17.2.4 (Debug Control Register (DR7)): R/W 2 is I/O with CR4.DE, undefined without; LEN 2 is 8 bytes. */
static void show_breakpoint(const struct view *v, unsigned n) {
  static const char *const kinds[] = {"execution", "writes", "I/O", "reads and writes"};
  static const u8 lengths[] = {1, 2, 8, 4};
  const struct cpu *cpu = v->cpu;
  u64 dr7 = cpu->dr[7];
  unsigned rw = (unsigned)(dr7 >> (16 + 4 * n) & 3), len = lengths[dr7 >> (18 + 4 * n) & 3];
  unsigned enable = (unsigned)(dr7 >> 2 * n & 3);
  char name[4];
  u64 size_mask = len - 1u;
  snprintf(name, sizeof name, "DR%u", n);
  open_register(v, name, cpu->dr[n], v->before ? v->before->dr[n] : 0);
  out_bool(v->out, "local", enable & 1, "  local");
  out_bool(v->out, "global", enable & 2, enable & 1 ? ", global" : "  global");
  if (!enable) out_text(v->out, "  off");
  out_str(v->out, "breaks_on", rw == 2 && !(cpu->cr4 & CR4_DE) ? "undefined (CR4.DE = 0)" : kinds[rw], ", %s");
  if (rw == 0) {
    out_num(v->out, "length", len, len == 1 ? NULL : ", LEN of %llu bytes is undefined for execution");
  } else {
    out_num(v->out, "length", len, len == 1 ? " of %llu byte" : " of %llu bytes");
    if (cpu->dr[n] & size_mask)
      out_hex(v->out, "aligned", cpu->dr[n] & ~size_mask,
              ", from 0x%llx (address bits below the length do not count)");
  }
  if (enable && rw != 2) view_name(v, cpu->dr[n]);
  out_close(v->out);
  out_text(v->out, "\n");
}

void view_dreg(const struct view *v) {
  const struct cpu *cpu = v->cpu, *old = v->before;
  out_begin(v->out, "dreg");
  for (unsigned n = 0; n < 4; n++) show_breakpoint(v, n);
  show_bits(v, "DR6", F_DR6, cpu->dr[6], old ? old->dr[6] : 0);
  show_bits(v, "DR7", F_DR7, cpu->dr[7], old ? old->dr[7] : 0);
  if (cpu->dr6_pending)
    out_hex(v->out, "pending", cpu->dr6_pending, " conditions that wait for the next boundary: 0x%llx\n");
  out_end(v->out);
}
