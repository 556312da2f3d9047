/* Model-specific registers, decoded. SDM 4 2.1 (Architectural MSRs); SDM 3A 5.8.7, 5.8.8 (Fast System Calls in
 * 64-Bit Mode), 11.11 (Memory Type Range Registers (MTRRs)), 11.12.2 (IA32_PAT MSR); SDM 2B SYSCALL, SYSRET,
 * SYSENTER, SYSEXIT; APM 2 6.1 (Fast System Call and Return). */
#include <stdlib.h>
#include <string.h>

#include "debugger/view_fields.h"
#include "explain/explain.h"

/* ---- registers that are no sets of bits ---- */

static void show_pair(const struct view *v, const char *name, unsigned sel, const char *format) {
  out_hex(v->out, name, sel & 0xffff, format);
}

/* SYSCALL and SYSRET take their selectors from here, without tables. SDM 2B SYSCALL, SYSRET (Operation) */
static void tell_star(const struct view *v, u64 value) {
  unsigned call = (unsigned)bits(value, 47, 32), ret = (unsigned)bits(value, 63, 48);
  bool forced = model_does(v->cpu->model, RULE_SYSRET_SS_RPL3);
  show_pair(v, "syscall_cs", call & 0xfffc, "\n          SYSCALL: CS 0x%04llx");
  show_pair(v, "syscall_ss", call + 8, ", SS 0x%04llx");
  show_pair(v, "sysret_cs32", ret | 3, "; SYSRET: CS 0x%04llx (32-bit)");
  show_pair(v, "sysret_cs64", (ret + 16) | 3, " or 0x%04llx (64-bit)");
  show_pair(v, "sysret_ss", (ret + 8) | (forced ? 3 : 0), ", SS 0x%04llx");
  out_hex(v->out, "legacy_eip", value & 0xffffffff, value & 0xffffffff ? ";\n          legacy EIP 0x%08llx" : NULL);
}

/* SDM 2B SYSENTER, SYSEXIT (Operation) */
static void tell_sysenter_cs(const struct view *v, u64 value) {
  unsigned cs = (unsigned)value & 0xfffc;
  out_bool(v->out, "usable", cs != 0, NULL);
  if (!cs) {
    out_text(v->out, "  SYSENTER and SYSEXIT are #GP(0)");
    return;
  }
  show_pair(v, "sysenter_cs", cs, "\n          SYSENTER: CS 0x%04llx");
  show_pair(v, "sysenter_ss", cs + 8, ", SS 0x%04llx");
  show_pair(v, "sysexit_cs32", (cs + 16) | 3, "; SYSEXIT: CS 0x%04llx");
  show_pair(v, "sysexit_ss32", (cs + 24) | 3, ", SS 0x%04llx");
  show_pair(v, "sysexit_cs64", (cs + 32) | 3, ", or 64-bit 0x%04llx");
  show_pair(v, "sysexit_ss64", (cs + 40) | 3, ", 0x%04llx");
}

static void tell_fmask(const struct view *v, u64 value) {
  char words[160];
  view_flags_words(words, sizeof words, (u32)value);
  out_str(v->out, "clears", words, "  SYSCALL clears %s");
}

static void tell_address(const struct view *v, u64 value) {
  view_name(v, value);
  if (!cpu_canonical_max(v->cpu, value)) out_text(v->out, " not canonical");
}

static void tell_types(const struct view *v, u64 value) {
  out_open_list(v->out, "types");
  for (unsigned k = 0; k < 8; k++)
    out_str(v->out, NULL, view_memory_type((unsigned)(value >> 8 * k & 0xff)), k ? " %s" : "  %s");
  out_close(v->out);
}

static void tell_def_type(const struct view *v, u64 value) {
  out_str(v->out, "type", view_memory_type((unsigned)(value & 0xff)), "  (type %s)");
}

static void tell_mtrr_base(const struct view *v, u64 value) {
  out_hex(v->out, "base", value & MASK(51, 12), "  base 0x%llx");
  out_str(v->out, "type", view_memory_type((unsigned)(value & 0xff)), ", %s");
}

static void tell_mtrr_mask(const struct view *v, u64 value) {
  u64 mask = value & MASK(51, 12), frame = MASK(v->cpu->model->maxphyaddr - 1u, 12);
  u64 size = mask ? mask & -mask : 0;
  out_bool(v->out, "valid", value & BIT(11), NULL);
  if (!(value & BIT(11))) {
    out_text(v->out, "  off");
    return;
  }
  out_hex(v->out, "mask", mask, "  mask 0x%llx");
  if ((mask | (size - 1)) == (frame | MASK(11, 0))) out_hex(v->out, "size", size, ", 0x%llx bytes");
}

struct decoder_row {
  enum msr_slot slot;
  enum field_set set; /* F_NONE: none */
  void (*tell)(const struct view *v, u64 value); /* with what divides it from the value */
};
#define MTRR_PAIR(n) {MSR_MTRR_PHYSBASE##n, F_NONE, tell_mtrr_base}, {MSR_MTRR_PHYSMASK##n, F_NONE, tell_mtrr_mask}
#define MTRR_FIXED(n) {MSR_MTRR_FIX##n, F_NONE, tell_types}
static const struct decoder_row decoders[] = {
    {MSR_EFER, F_EFER, NULL}, {MSR_STAR, F_NONE, tell_star}, {MSR_LSTAR, F_NONE, tell_address},
    {MSR_CSTAR, F_NONE, tell_address}, {MSR_FMASK, F_NONE, tell_fmask}, {MSR_SYSENTER_CS, F_NONE, tell_sysenter_cs},
    {MSR_SYSENTER_ESP, F_NONE, tell_address}, {MSR_SYSENTER_EIP, F_NONE, tell_address},
    {MSR_FS_BASE, F_NONE, tell_address}, {MSR_GS_BASE, F_NONE, tell_address},
    {MSR_KERNEL_GS_BASE, F_NONE, tell_address},
    {MSR_APIC_BASE, F_APIC_BASE, NULL}, {MSR_FEATURE_CONTROL, F_FEATURE_CONTROL, NULL},
    {MSR_SPEC_CTRL, F_SPEC_CTRL, NULL}, {MSR_SPEC_CTRL_AMD, F_SPEC_CTRL, NULL},
    {MSR_ARCH_CAPABILITIES, F_ARCH_CAPABILITIES, NULL},
    {MSR_MISC_ENABLE, F_MISC_ENABLE, NULL}, {MSR_DEBUGCTL, F_DEBUGCTL, NULL}, {MSR_MTRRCAP, F_MTRRCAP, NULL},
    {MSR_MTRR_DEF_TYPE, F_MTRR_DEF_TYPE, tell_def_type}, {MSR_PAT, F_NONE, tell_types}, {MSR_XSS, F_XCR0, NULL},
    {MSR_MCG_CAP, F_MCG_CAP, NULL}, {MSR_MCG_STATUS, F_MCG_STATUS, NULL}, {MSR_MC0_STATUS, F_MC_STATUS, NULL},
    {MSR_MC1_STATUS, F_MC_STATUS, NULL}, {MSR_MC2_STATUS, F_MC_STATUS, NULL}, {MSR_MC3_STATUS, F_MC_STATUS, NULL},
    {MSR_SYSCFG, F_SYSCFG, NULL}, {MSR_HWCR, F_HWCR, NULL}, {MSR_VM_CR, F_VM_CR, NULL}, {MSR_DE_CFG, F_DE_CFG, NULL},
    {MSR_IORR_BASE0, F_NONE, tell_mtrr_base}, {MSR_IORR_BASE1, F_NONE, tell_mtrr_base},
    {MSR_IORR_MASK0, F_NONE, tell_mtrr_mask}, {MSR_IORR_MASK1, F_NONE, tell_mtrr_mask},
    {MSR_TOP_MEM, F_TOP_MEM, NULL}, {MSR_TOP_MEM2, F_TOP_MEM, NULL},
    MTRR_PAIR(0), MTRR_PAIR(1), MTRR_PAIR(2), MTRR_PAIR(3), MTRR_PAIR(4), MTRR_PAIR(5), MTRR_PAIR(6), MTRR_PAIR(7),
    MTRR_FIXED(64K_00000), MTRR_FIXED(16K_80000), MTRR_FIXED(16K_A0000), MTRR_FIXED(4K_C0000), MTRR_FIXED(4K_C8000),
    MTRR_FIXED(4K_D0000), MTRR_FIXED(4K_D8000), MTRR_FIXED(4K_E0000), MTRR_FIXED(4K_E8000), MTRR_FIXED(4K_F0000),
    MTRR_FIXED(4K_F8000),
};
#undef MTRR_PAIR
#undef MTRR_FIXED

static const struct decoder_row *decoder_of(enum msr_slot slot) {
  for (unsigned k = 0; k < ARRAY_SIZE(decoders); k++)
    if (decoders[k].slot == slot) return &decoders[k];
  return NULL;
}

/* ---- values ---- */

static u64 value_of(const struct cpu *cpu, const struct msr_row *row) {
  const struct vm_hooks *h = &cpu->vm->hooks;
  switch (row->store) {
    case MSR_IN_FS_BASE: return cpu->seg[FS].base;
    case MSR_IN_GS_BASE: return cpu->seg[GS].base;
    case MSR_IN_TSC: return (h->tsc ? h->tsc(h->opaque) : cpu_icount(cpu)) + cpu->msr[msr_slot_of(row)];
    default: return cpu->msr[msr_slot_of(row)];
  }
}

/* The counter runs: only what software adds to it can be changed. */
static bool is_changed(const struct view *v, const struct msr_row *row) {
  if (!v->before) return false;
  if (row->store == MSR_IN_TSC) return v->cpu->msr[MSR_TSC] != v->before->msr[MSR_TSC];
  return value_of(v->cpu, row) != value_of(v->before, row);
}

static void show_msr(const struct view *v, const struct msr_row *row, bool explain) {
  const struct decoder_row *d = decoder_of(msr_slot_of(row));
  u64 value = value_of(v->cpu, row);
  struct out *o = v->out;
  out_open(o, NULL);
  out_changed(o, is_changed(v, row));
  out_hex(o, "index", row->index, "%08llx");
  out_str(o, "name", row->name, " %-23s");
  if (row->kind == MSR_COMMAND) {
    out_bool(o, "write_only", true, " can only be written");
  } else {
    out_hex(o, "value", value, " %016llx");
    if (d && d->set != F_NONE) {
      out_text(o, value ? "  " : "");
      fields_show(o, d->set, value, 0);
    }
    if (d && d->tell) d->tell(v, value);
  }
  out_str(o, "cite", row->cite, NULL);
  out_close(o);
  out_text(o, "\n");
  if (!explain) return;
  if (d && d->set != F_NONE) fields_explain(o, d->set, value);
  out_text(o, "       %s\n", row->cite);
}

/* By a name of the table, or an index. */
static const struct msr_row *find(const struct cpu_model *m, const char *name) {
  const struct msr_row *row = msr_find_name(m, name);
  char *end;
  unsigned long index = strtoul(name, &end, 0);
  if (!row && end != name && !*end && index <= UINT32_MAX) row = msr_find(m, (u32)index);
  return row && msr_exists(m, row) ? row : NULL;
}

int view_msr(const struct view *v, const char *name) {
  const struct cpu_model *m = v->cpu->model;
  const struct msr_row *one = name ? find(m, name) : NULL;
  out_begin(v->out, "msr");
  if (name && !one) {
    out_error(v->out, "no MSR '%s' on this processor; 'info msr' lists them", name);
    out_end(v->out);
    return -1;
  }
  out_open_list(v->out, "msrs");
  if (one) {
    show_msr(v, one, true);
  } else {
    for (const struct msr_row *row = msr_rows; row < msr_rows + MSR_SLOTS; row++)
      if (msr_exists(m, row)) show_msr(v, row, false);
  }
  out_close(v->out);
  out_end(v->out);
  return 0;
}
