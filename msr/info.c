/* Text listings of the registers, models and CPUID leaves. SDM 4 2.1 (Architectural MSRs), SDM 2A (CPUID). */
#include "msr/info.h"

#include <inttypes.h>
#include <string.h>

#include "base/bits.h"
#include "base/manuals.h"
#include "msr/msr.h"

static const char *vendors_text(unsigned vendors) {
  return vendors == VENDORS_BOTH ? "both" : vendor_name(vendors == VENDORS_AMD ? VENDOR_AMD : VENDOR_INTEL);
}

static const char *kind_text(const struct msr_row *row) {
  switch ((enum msr_kind)row->kind) {
  case MSR_PLAIN: return "";
  case MSR_CONST: return "read-only";
  case MSR_COMMAND: return "write-only";
  case MSR_CANONICAL: return "canonical address";
  case MSR_SYSENTER_ADDR: return "canonical address (intel), 32 bits (amd)";
  case MSR_LOW32: return "keeps 32 bits";
  case MSR_AUX32: return "32 bits, others reserved (intel) or ignored (amd)";
  case MSR_PHYS: return "physical address";
  case MSR_MTRR_BASE: return "physical address and memory type";
  case MSR_MTRR_DEF: return "memory type";
  case MSR_MTRR_FIX:
  case MSR_PAT8: return "eight memory types";
  case MSR_EFER_BITS: return "bits by feature; LME not while paging; LMA ignored";
  case MSR_APIC_ADDR: return "physical address; x2APIC state changes";
  case MSR_XD_BITS: return "bits by feature";
  case MSR_LOCKED: return "read-only once bit 0 is set";
  case MSR_VM_CR_BITS: return "bits 3 and 4 fixed once bit 3 is set";
  case MSR_MCA_STATUS: return "only zero can be written";
  case MSR_MCA_ADDR: return "only zero can be written (intel)";
  }
  return "";
}

/* The writable bits on the default model of the row's (first) vendor, with the row's feature. */
static u64 typical_writable(const struct msr_row *row) {
  struct cpu_model m = *model_default(row->vendors & VENDORS_INTEL ? VENDOR_INTEL : VENDOR_AMD);
  u64 value[MSR_SLOTS];
  msr_reset_all(&m, value);
  struct msr_env env = {.model = &m, .value = value};
  return row->kind == MSR_CONST ? 0 : msr_writable(&env, row, row->reset);
}

void info_msrs(FILE *out) {
  fprintf(out, "%-8s  %-23s %-5s %-18s  %-16s  %-16s %s\n", "index", "name", "on", "feature", "reset",
          "writable", "rules; citation");
  for (const struct msr_row *row = msr_rows; row < msr_rows + MSR_SLOTS; row++) {
    const char *kind = kind_text(row);
    const char *feature = row->feature < 0 ? "-" : feature_rows[row->feature].name;
    fprintf(out, "%08" PRIx32 "  %-23s %-5s %-18s  %016" PRIx64 "  %016" PRIx64 " %s%s%s\n", row->index,
            row->name, vendors_text(row->vendors), feature, row->reset, typical_writable(row), kind,
            *kind ? "; " : "", row->cite);
  }
}

/* Words separated by spaces, wrapped below 100 columns. */
static void print_wrapped(FILE *out, const char *word, int *column) {
  int len = (int)strlen(word) + 1;
  if (*column && *column + len > 96) {
    fputs("\n   ", out);
    *column = 0;
  }
  fprintf(out, " %s", word);
  *column += len;
}

static void print_features(FILE *out, const char *title, const u8 has[FEAT_COUNT]) {
  int column = 0;
  for (int f = 0; f < FEAT_COUNT; f++) {
    if (!has[f]) continue;
    if (!column) fprintf(out, "  %s:\n   ", title);
    print_wrapped(out, feature_rows[f].name, &column);
  }
  if (column) fputc('\n', out);
}

static void print_not_emulated(FILE *out) {
  fputs("features that no model has:\n", out);
  for (int f = 0; f < FEAT_COUNT; f++) {
    const char *why = feature_not_emulated((enum feature)f);
    if (why) fprintf(out, "  - %s: %s\n", feature_rows[f].name, why);
  }
}

void info_cpus(FILE *out) {
  const struct cpu_model *m;
  for (unsigned i = 0; (m = model_at(i)); i++) {
    fprintf(out, "%s: %s\n", m->name, m->description);
    fprintf(out, "  vendor %s, family %xh, model %02xh, stepping %u, %u physical, %u linear address bits\n",
            vendor_name(m->vendor), m->family, m->model, m->stepping, m->maxphyaddr, model_canonical_bits(m));
    for (int r = 0; r < RULE_COUNT; r++)
      fprintf(out, "  - %s\n", model_does(m, (enum rule)r) ? rule_rows[r].with : rule_rows[r].without);
    print_features(out, "features", m->has);
    print_features(out, "bits set without the feature, as on the real one", m->claims);
    print_features(out, "the real one has, and this one not (why: below)", m->lacks);
    const char *lacks = model_host_lacks(m);
    if (lacks) fprintf(out, "  not on this machine, whose own processor has no '%s'\n", lacks);
  }
  print_not_emulated(out);
  fputs("sources of the differences (SDM: " MANUAL_SDM ";\nAPM: " MANUAL_APM "):\n", out);
  for (int r = 0; r < RULE_COUNT; r++) fprintf(out, "  - %s: %s\n", rule_rows[r].with, rule_rows[r].cite);
}

/* One line per leaf and subleaf, and one per register that has feature bits. */
static void print_leaf(FILE *out, const struct cpu_model *m, u32 leaf, u32 subleaf, const u32 r[4]) {
  static const char *const regs[] = {"eax", "ebx", "ecx", "edx"};
  fprintf(out, "%08" PRIx32 " %02" PRIx32 "  %08" PRIx32 " %08" PRIx32 " %08" PRIx32 " %08" PRIx32 "\n", leaf,
          subleaf, r[0], r[1], r[2], r[3]);
  for (int reg = CPUID_EAX; reg <= CPUID_EDX; reg++) {
    int column = 0;
    for (int f = 0; f < FEAT_COUNT; f++) {
      const struct feature_row *row = &feature_rows[f];
      if (row->leaf != leaf || row->subleaf != subleaf || row->reg != reg || !m->has[f]) continue;
      if (!(r[reg] >> row->bit & 1)) continue;
      if (!column) fprintf(out, "    %s:", regs[reg]), column = 8;
      print_wrapped(out, row->name, &column);
    }
    if (column) fputc('\n', out);
  }
}

u32 info_subleaves(const struct cpu_model *m, const struct cpuid_dynamic *dyn, u32 leaf) {
  u32 r[4];
  switch (leaf) {
  case 4:
  case 0x8000001d:
  case 0x80000026: return 4;
  case 7:
    cpuid_leaf(m, dyn, 7, 0, r);
    return r[CPUID_EAX] + 1;
  case 0xb: return m->topology ? 2 : 1;
  case 0xd: return m->has[FEAT_XSAVE] ? 10 : 1;
  case 0x18:
    cpuid_leaf(m, dyn, 0x18, 0, r);
    return r[CPUID_EAX] + 1;
  default: return 1;
  }
}

static void print_range(FILE *out, const struct cpu_model *m, const struct cpuid_dynamic *dyn, u32 first) {
  u32 r[4];
  cpuid_leaf(m, dyn, first, 0, r);
  for (u32 leaf = first, last = r[CPUID_EAX]; leaf <= last; leaf++)
    for (u32 sub = 0, n = info_subleaves(m, dyn, leaf); sub < n; sub++) {
      cpuid_leaf(m, dyn, leaf, sub, r);
      if (r[0] | r[1] | r[2] | r[3] || sub == 0) print_leaf(out, m, leaf, sub, r);
    }
}

void info_cpuid(FILE *out, const struct cpu_model *m) {
  struct cpuid_dynamic dyn = cpuid_dynamic_reset(m);
  u32 r[4];
  char text[13] = "";
  cpuid_leaf(m, &dyn, 0, 0, r);
  memcpy(text, &r[CPUID_EBX], 4);
  memcpy(text + 4, &r[CPUID_EDX], 4);
  memcpy(text + 8, &r[CPUID_ECX], 4);
  fprintf(out, "%s: %s, \"%s\", family %xh, model %02xh, stepping %u\n", m->name, text,
          m->brand ? m->brand : "", m->family, m->model, m->stepping);
  fprintf(out, "%-8s %-2s  %-8s %-8s %-8s %-8s\n", "leaf", "", "eax", "ebx", "ecx", "edx");
  print_range(out, m, &dyn, 0);
  if (m->max_extended) print_range(out, m, &dyn, 0x80000000);
}
