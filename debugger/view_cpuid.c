/* What CPUID says on this processor, with the names of its feature bits. SDM 2A CPUID; APM 3 appendix E (Obtaining
 * Processor Information Via the CPUID Instruction). */
#include <string.h>

#include "debugger/view_fields.h"
#include "msr/info.h"

enum { MOST_LEAVES = 256 };

static struct cpuid_dynamic state_of(const struct cpu *cpu) {
  u32 number = 0;
  for (unsigned n = 0; n < cpu->vm->cpus; n++)
    if (cpu->vm->cpu[n] == cpu) number = n;
  return (struct cpuid_dynamic){.apic_id = number, .code64 = cpu_code64(cpu), .apic_base = cpu->msr[MSR_APIC_BASE],
                                .misc_enable = cpu->msr[MSR_MISC_ENABLE], .cr4 = cpu->cr4, .xcr0 = cpu->xcr0,
                                .xss = cpu->msr[MSR_XSS]};
}

/* Text: lines below 96 columns. */
static void show_features(const struct view *v, u32 leaf, u32 sub, const u32 r[4]) {
  unsigned column = 0;
  out_open_list(v->out, "features");
  for (unsigned f = 0; f < FEAT_COUNT; f++) {
    const struct feature_row *row = &feature_rows[f];
    if (row->leaf != leaf || row->subleaf != sub || !v->cpu->model->has[f] || !(r[row->reg] >> row->bit & 1)) continue;
    unsigned len = (unsigned)strlen(row->name) + 1;
    if (!column || column + len > 96) {
      out_text(v->out, column ? "\n    " : "    ");
      column = 4;
    }
    column += len;
    out_str(v->out, NULL, row->name, " %s");
  }
  out_close(v->out);
  if (column) out_text(v->out, "\n");
}

static void show_leaf(const struct view *v, const struct cpuid_dynamic *dyn, u32 leaf, u32 sub, bool always) {
  u32 r[4];
  cpuid_leaf(v->cpu->model, dyn, leaf, sub, r);
  if (!always && !(r[0] | r[1] | r[2] | r[3])) return;
  out_open(v->out, NULL);
  out_hex(v->out, "leaf", leaf, "%08llx");
  out_num(v->out, "subleaf", sub, " %02llx ");
  out_hex(v->out, "eax", r[CPUID_EAX], " %08llx");
  out_hex(v->out, "ebx", r[CPUID_EBX], " %08llx");
  out_hex(v->out, "ecx", r[CPUID_ECX], " %08llx");
  out_hex(v->out, "edx", r[CPUID_EDX], " %08llx\n");
  show_features(v, leaf, sub, r);
  out_close(v->out);
}

static void show_subleaves(const struct view *v, const struct cpuid_dynamic *dyn, u32 leaf) {
  u32 n = info_subleaves(v->cpu->model, dyn, leaf);
  for (u32 sub = 0; sub < n && sub < MOST_LEAVES; sub++) show_leaf(v, dyn, leaf, sub, sub == 0);
}

static void show_range(const struct view *v, const struct cpuid_dynamic *dyn, u32 first) {
  u32 r[4];
  cpuid_leaf(v->cpu->model, dyn, first, 0, r);
  for (u32 leaf = first; leaf <= r[CPUID_EAX] && leaf - first < MOST_LEAVES; leaf++) show_subleaves(v, dyn, leaf);
}

void view_cpuid(const struct view *v, s64 leaf) {
  const struct cpu_model *m = v->cpu->model;
  struct cpuid_dynamic dyn = state_of(v->cpu);
  out_begin(v->out, "cpuid");
  out_str(v->out, "model", m->name, "%s");
  out_str(v->out, "vendor", vendor_name(m->vendor), ", vendor %s");
  out_num(v->out, "family", m->family, ", family 0x%llx");
  out_num(v->out, "model_number", m->model, ", model 0x%02llx");
  out_num(v->out, "stepping", m->stepping, ", stepping %llu\n");
  out_text(v->out, "%-8s %-3s %-8s %-8s %-8s %s\n", "leaf", "sub", "eax", "ebx", "ecx", "edx");
  out_open_list(v->out, "leaves");
  if (leaf >= 0) {
    show_subleaves(v, &dyn, (u32)leaf);
  } else {
    show_range(v, &dyn, 0);
    show_range(v, &dyn, 0x80000000);
  }
  out_close(v->out);
  out_end(v->out);
}
