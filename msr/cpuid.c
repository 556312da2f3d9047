/* The CPUID leaves of a model. SDM 2A (CPUID), APM 3 appendix E (Obtaining Processor Information Via the
 * CPUID Instruction). The topology is one thread in one core in one package, whatever the machine has. */
#include "msr/model.h"

#include <string.h>

#include "base/bits.h"
#include "msr/msr.h"

/* Control register bits that CPUID mirrors: SDM 3A 2.5 (Control Registers) */
enum { CR4_OSXSAVE_BIT = 18, CR4_PKE_BIT = 22 };

enum { CLFLUSH_LINE = 64 };

/* Leaf 0Dh (Processor Extended State Enumeration) */
static void leaf_xsave(const struct cpu_model *m, const struct cpuid_dynamic *dyn, u32 subleaf, u32 out[4]) {
  if (!m->has[FEAT_XSAVE]) return;
  u64 supported = xstate_supported(m);
  if (subleaf == 0) {
    out[CPUID_EAX] = (u32)supported;
    out[CPUID_EBX] = xstate_size(m, dyn->xcr0, false);
    out[CPUID_ECX] = xstate_size(m, supported, false);
    out[CPUID_EDX] = (u32)(supported >> 32);
  } else if (subleaf == 1) {
    if (m->has[FEAT_XSAVEC]) out[CPUID_EBX] = xstate_size(m, dyn->xcr0 | dyn->xss, true);
  } else if (subleaf < 63 && (supported >> subleaf & 1)) {
    out[CPUID_EAX] = xstate_component_size(subleaf);
    out[CPUID_EBX] = xstate_offset(m, supported, false, subleaf);
  }
}

/* Processor signature: family and model with their extended fields. SDM 2A CPUID (Version Information
 * Returned by CPUID in EAX); APM 3 E.3.2 (Fn0000_0001_EAX) */
static u32 signature(const struct cpu_model *m) {
  u32 base = m->family < 15 ? m->family : 15;
  return (u32)(m->family - base) << 20 | (u32)(m->model >> 4) << 16 | base << 8 | (u32)(m->model & 15) << 4 |
         m->stepping;
}

static void leaf_vendor(const struct cpu_model *m, u32 out[4]) {
  const char *id = m->vendor == VENDOR_AMD ? "AuthenticAMD" : "GenuineIntel";
  out[CPUID_EBX] = ld32(id);
  out[CPUID_EDX] = ld32(id + 4);
  out[CPUID_ECX] = ld32(id + 8);
}

static void leaf_1(const struct cpu_model *m, const struct cpuid_dynamic *dyn, u32 out[4]) {
  out[CPUID_EAX] = signature(m);
  /* initial APIC id, one logical processor, CLFLUSH line in 8-byte units; older processors have nothing there */
  if (m->has[FEAT_CLFSH]) out[CPUID_EBX] = dyn->apic_id << 24 | 1 << 16 | CLFLUSH_LINE / 8 << 8;
  if (m->has[FEAT_XSAVE] && (dyn->cr4 >> CR4_OSXSAVE_BIT & 1)) out[CPUID_ECX] |= 1u << 27;
  if (!(dyn->apic_base & APIC_BASE_EN)) out[CPUID_EDX] &= ~(1u << 9);
  bool monitor = m->vendor == VENDOR_AMD || (dyn->misc_enable & MISC_ENABLE_MONITOR);
  if (!monitor) out[CPUID_ECX] &= ~(1u << 3);
}

/* The cache of that number, or the end of the list. */
static const struct cpuid_cache *cache_at(const struct cpu_model *m, u32 n) {
  const struct cpuid_cache *c = m->caches;
  while (n-- && c->type) c++;
  return c;
}

/* Leaf 4 and leaf 8000001Dh have one layout (Deterministic Cache Parameters, Cache Properties). */
static void leaf_cache(const struct cpu_model *m, u32 subleaf, u32 out[4]) {
  const struct cpuid_cache *c = cache_at(m, subleaf);
  if (!c->type) return; /* no more caches */
  out[CPUID_EAX] = c->type | (u32)c->level << 5 | 1u << 8;
  out[CPUID_EBX] = (u32)(c->line - 1) | (u32)(c->ways - 1) << 22;
  out[CPUID_ECX] = c->sets - 1;
  out[CPUID_EDX] = c->edx;
}

/* Leaf 0Bh (Extended Topology Enumeration): levels of one thread and of one core, then none; leaf 80000026h: core,
 * complex, die and socket. */
static void leaf_topology(const struct cpuid_dynamic *dyn, u32 levels, u32 subleaf, u32 out[4]) {
  out[CPUID_ECX] = subleaf & 0xff;
  out[CPUID_EDX] = dyn->apic_id;
  if (subleaf >= levels) return;
  out[CPUID_EBX] = 1;
  out[CPUID_ECX] |= (subleaf + 1) << 8;
}

static u32 cache_kib(const struct cpuid_cache *c) { return c->sets * c->ways * c->line / 1024; }

/* The code for a cache's ways; 7: as leaf 4 says. SDM 2A CPUID (leaf 80000006H), APM 3 E.4.5 */
static u32 ways_code(const struct cpuid_cache *c) {
  return c->ways == 16 ? 8 : c->ways == 8 ? 6 : c->ways <= 4 ? c->ways : 7;
}

/* Fn8000_0005 (L1 Cache and TLB Information): reserved on intel. */
static void leaf_amd_l1(const struct cpu_model *m, u32 out[4]) {
  for (unsigned i = 0; i < 2 && m->vendor == VENDOR_AMD; i++) {
    const struct cpuid_cache *c = cache_at(m, i);
    out[CPUID_ECX + i] |= cache_kib(c) << 24 | (u32)c->ways << 16 | 1 << 8 | c->line;
  }
}

/* Fn8000_0006 (L2 Cache and TLB and L3 Cache Information): on intel L2 only. */
static void leaf_l2(const struct cpu_model *m, u32 out[4]) {
  const struct cpuid_cache *c = cache_at(m, 2);
  bool amd = m->vendor == VENDOR_AMD;
  out[CPUID_ECX] |= cache_kib(c) << 16 | ways_code(c) << 12 | (u32)amd << 8 | c->line;
  if (amd) out[CPUID_EDX] |= cache_kib(cache_at(m, 3)) / 512 << 18;
}

static void leaf_ext_features(const struct cpu_model *m, const struct cpuid_dynamic *dyn, u32 out[4]) {
  if (m->vendor == VENDOR_AMD) {
    /* amd repeats these bits of leaf 1: APM 3 E.4.2 (Fn8000_0001_EDX) */
    u32 leaf1[4];
    cpuid_leaf(m, dyn, 1, 0, leaf1);
    out[CPUID_EAX] = signature(m);
    out[CPUID_EDX] |= leaf1[CPUID_EDX] & 0x0183f3ff;
  } else if (dyn->misc_enable & MISC_ENABLE_XD_DISABLE) {
    out[CPUID_EDX] &= ~(1u << 20);
  }
  if (model_does(m, RULE_CPUID_SYSCALL_64) && !dyn->code64) out[CPUID_EDX] &= ~(1u << 11);
}

static void leaf_brand(const struct cpu_model *m, u32 leaf, u32 out[4]) {
  char text[48] = "";
  size_t len = m->brand ? strlen(m->brand) : 0;
  if (len) memcpy(text, m->brand, len < sizeof text ? len : sizeof text - 1);
  memcpy(out, text + 16 * (leaf - 0x80000002), 16);
}

/* Leaf 80000008h: address widths. The linear width is the widest mode's. */
static u32 address_widths(const struct cpu_model *m) {
  return m->maxphyaddr | (m->has[FEAT_LM] ? model_canonical_bits(m) : 32) << 8;
}

/* The feature bits of a leaf, from the rows. */
static void feature_bits(const struct cpu_model *m, u32 leaf, u32 subleaf, u32 out[4]) {
  for (int f = 0; f < FEAT_COUNT; f++) {
    const struct feature_row *row = &feature_rows[f];
    if (row->leaf == leaf && row->subleaf == subleaf && (m->has[f] | m->claims[f])) out[row->reg] |= 1u << row->bit;
  }
}

/* The highest subleaf of leaf 7 that has a feature; the rows know 0 and 1. */
static u32 last_subleaf_7(const struct cpu_model *m) {
  u32 last = 0;
  for (int f = 0; f < FEAT_COUNT; f++)
    if (m->has[f] && feature_rows[f].leaf == 7 && feature_rows[f].subleaf) last = 1;
  return last;
}

/* SDM 4 2.1 (Architectural MSRs: IA32_MISC_ENABLE[22]: Limit CPUID Maxval) */
static u32 max_basic(const struct cpu_model *m, const struct cpuid_dynamic *dyn) {
  return dyn->misc_enable & MISC_ENABLE_LIMIT_CPUID && m->max_basic > 2 ? 2 : m->max_basic;
}

/* What the model's table has of a leaf. */
static void table_rows(const struct cpu_model *m, u32 leaf, u32 subleaf, u32 out[4]) {
  for (const struct cpuid_row *row = m->rows; row->leaf; row++)
    if (row->leaf == leaf && row->subleaf == subleaf && model_has(m, row->feature))
      for (unsigned r = 0; r < 4; r++) out[r] |= row->out[r];
}

static void basic_leaf(const struct cpu_model *m, const struct cpuid_dynamic *dyn, u32 leaf, u32 subleaf,
                       u32 out[4]) {
  bool intel = m->vendor == VENDOR_INTEL;
  switch (leaf) {
  case 0:
    leaf_vendor(m, out);
    out[CPUID_EAX] = max_basic(m, dyn);
    break;
  case 1:
    leaf_1(m, dyn, out);
    break;
  case 4:
    if (intel) leaf_cache(m, subleaf, out);
    break;
  case 7:
    if (subleaf == 0) out[CPUID_EAX] = last_subleaf_7(m);
    if (subleaf == 0 && m->has[FEAT_PKU] && (dyn->cr4 >> CR4_PKE_BIT & 1)) out[CPUID_ECX] |= 1u << 4;
    break;
  case 0xb:
    if (m->topology) leaf_topology(dyn, 2, subleaf, out);
    break;
  case 0xd:
    leaf_xsave(m, dyn, subleaf, out);
    break;
  }
}

static void extended_leaf(const struct cpu_model *m, const struct cpuid_dynamic *dyn, u32 leaf, u32 subleaf,
                          u32 out[4]) {
  switch (leaf) {
  case 0x80000000:
    if (m->vendor == VENDOR_AMD) leaf_vendor(m, out);
    out[CPUID_EAX] = m->max_extended;
    break;
  case 0x80000001:
    leaf_ext_features(m, dyn, out);
    break;
  case 0x80000002:
  case 0x80000003:
  case 0x80000004:
    leaf_brand(m, leaf, out);
    break;
  case 0x80000005:
    leaf_amd_l1(m, out);
    break;
  case 0x80000006:
    leaf_l2(m, out);
    break;
  case 0x80000008:
    out[CPUID_EAX] = address_widths(m);
    break;
  case 0x8000001d: /* Cache Properties: reserved without TopologyExtensions */
    if (m->has[FEAT_TOPOEXT]) leaf_cache(m, subleaf, out);
    break;
  case 0x8000001e: /* APIC id; core 0 of one thread; node 0 of one */
    if (m->has[FEAT_TOPOEXT]) out[CPUID_EAX] = dyn->apic_id;
    break;
  case 0x80000026:
    if (m->has[FEAT_TOPOEXT]) leaf_topology(dyn, 4, subleaf, out);
    break;
  }
}

void cpuid_leaf(const struct cpu_model *m, const struct cpuid_dynamic *dyn, u32 leaf, u32 subleaf,
                u32 out[4]) {
  struct cpuid_dynamic d = *dyn;
  if (m->vendor != VENDOR_INTEL) d.misc_enable = 0;
  u32 last = leaf >> 31 ? m->max_extended : max_basic(m, &d);
  memset(out, 0, 4 * sizeof out[0]);
  if (leaf > last) {
    if (!model_does(m, RULE_CPUID_LAST_LEAF)) return;
    leaf = max_basic(m, &d);
  }
  /* Leaves whose output does not depend on ECX have their bits under any subleaf. */
  u32 sub = leaf == 7 || leaf == 0xd || leaf == 0x18 ? subleaf : 0;
  feature_bits(m, leaf, sub, out);
  table_rows(m, leaf, sub, out);
  if (leaf >> 31) extended_leaf(m, &d, leaf, subleaf, out);
  else basic_leaf(m, &d, leaf, subleaf, out);
}

struct cpuid_dynamic cpuid_dynamic_reset(const struct cpu_model *m) {
  return (struct cpuid_dynamic){
    .code64 = m->has[FEAT_LM],
    .apic_base = msr_reset_value(m, &msr_rows[MSR_APIC_BASE]),
    .misc_enable = msr_reset_value(m, &msr_rows[MSR_MISC_ENABLE]),
    .xcr0 = 1,
  };
}
