/* Which model-specific registers a processor has, and what RDMSR and WRMSR may do with each.
 * SDM 2B (RDMSR, WRMSR), SDM 4 2.1 (Architectural MSRs), APM 2 appendix A (MSR Cross-Reference). */
#include "msr/msr.h"

#include <string.h>
#include <strings.h>

/* The table's names for MSR_EFF_*. */
enum {
  NONE = 0,
  MODE = MSR_EFF_MODE,
  TLB = MSR_EFF_TLB,
  SEGBASE = MSR_EFF_SEGBASE,
  TSC = MSR_EFF_TSC,
  APIC = MSR_EFF_APIC
};

const struct msr_row msr_rows[MSR_SLOTS] = {
#define MSR(e, index, name, reset, writable, kept, kind, store, feature, effects, vendors, cite)          \
  [MSR_##e] = {index, #e, name, reset, writable, kept, MSR_##kind, MSR_IN_##store, VENDORS_##vendors,     \
               effects, FEAT_##feature, cite},
#include "msr/msr.def"
#undef MSR
};

bool msr_exists(const struct cpu_model *m, const struct msr_row *row) {
  if (!(row->vendors >> m->vendor & 1) || !model_has(m, row->feature)) return false;
  /* EFER exists where a feature that it enables does. */
  if (row == &msr_rows[MSR_EFER]) return m->has[FEAT_SYSCALL] || m->has[FEAT_NX] || m->has[FEAT_LM];
  return true;
}

const struct msr_row *msr_find(const struct cpu_model *m, u32 index) {
  unsigned lo = 0, hi = MSR_SLOTS;
  while (lo < hi) { /* the first row at or above the index */
    unsigned mid = (lo + hi) / 2;
    if (msr_rows[mid].index < index) lo = mid + 1;
    else hi = mid;
  }
  for (; lo < MSR_SLOTS && msr_rows[lo].index == index; lo++)
    if (msr_exists(m, &msr_rows[lo])) return &msr_rows[lo];
  return NULL;
}

const struct msr_row *msr_find_name(const struct cpu_model *m, const char *name) {
  for (const struct msr_row *row = msr_rows; row < msr_rows + MSR_SLOTS; row++)
    if (msr_exists(m, row) && (!strcasecmp(row->name, name) || !strcasecmp(row->id, name))) return row;
  return NULL;
}

u64 msr_reset_value(const struct cpu_model *m, const struct msr_row *row) {
  if (!msr_exists(m, row)) return 0;
  bool monitor = row == &msr_rows[MSR_MISC_ENABLE] && m->has[FEAT_MONITOR];
  return row->reset | (monitor ? MISC_ENABLE_MONITOR : 0);
}

void msr_reset_all(const struct cpu_model *m, u64 value[MSR_SLOTS]) {
  for (int i = 0; i < MSR_SLOTS; i++) value[i] = msr_reset_value(m, &msr_rows[i]);
}

/* Memory types: SDM 3A 11.3 (Methods of Caching Available), 11.12.2 (IA32_PAT MSR). 2 and 3 are reserved, and
 * 7 (UC-) exists in PAT only. */
static bool memory_type(u64 type, bool pat) {
  return type == 0 || type == 1 || (type >= 4 && type <= 6) || (pat && type == 7);
}

/* The bytes that hold a reserved memory type: #GP(0). `ignore`: bits of each byte outside the type. */
static u64 bad_memory_types(u64 v, u8 ignore, bool pat) {
  u64 bad = 0;
  for (int i = 0; i < 8; i++)
    if (!memory_type((u8)(v >> 8 * i) & (u8)~ignore, pat)) bad |= MASK(8 * i + 7, 8 * i);
  return bad;
}

/* The reserved bits of EFER are those whose feature is absent. SDM 3A 2.2.1 (Extended Feature Enable
 * Register), APM 2 3.1.7 (Extended Feature Enable Register). LMSLE is reserved on every model: there are no
 * segment limits in 64-bit mode, as CPUID Fn8000_0008_EBX[20] says. */
static u64 efer_writable(const struct msr_env *env) {
  static const struct {
    u64 bit;
    s16 feature;
  } rows[] = {
    {EFER_SCE, FEAT_SYSCALL}, {EFER_LME, FEAT_LM}, {EFER_NXE, FEAT_NX},
    {EFER_SVME, FEAT_SVM}, {EFER_FFXSR, FEAT_FFXSR}, {EFER_TCE, FEAT_TCE}, {EFER_MCOMMIT, FEAT_MCOMMIT},
    {EFER_INTWB, FEAT_INT_WBINVD}, {EFER_UAIE, FEAT_UAI}, {EFER_AIBRSE, FEAT_AUTOIBRS},
  };
  u64 legal = 0;
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
    if (env->model->has[rows[i].feature]) legal |= rows[i].bit;
  /* MISC_ENABLE's XD disable takes the feature away: SDM 4 2.1 (Architectural MSRs: IA32_MISC_ENABLE[34]) */
  if (env->value[MSR_MISC_ENABLE] & MISC_ENABLE_XD_DISABLE) legal &= ~EFER_NXE;
  return legal;
}

static u64 apic_base_writable(const struct cpu_model *m) {
  return APIC_BASE_BSP | APIC_BASE_EN | (m->has[FEAT_X2APIC] ? APIC_BASE_EXTD : 0) |
         (MASK(51, 12) & MASK(m->maxphyaddr - 1, 0));
}

/* SDM 3A 10.12.5 (x2APIC State Transitions): the states are off (neither bit), xAPIC (EN) and x2APIC (EN and
 * EXTD). EXTD without EN, x2APIC to xAPIC, and off to x2APIC: #GP(0). */
static bool apic_state_follows(u64 old, u64 value) {
  bool en = value & APIC_BASE_EN, extd = value & APIC_BASE_EXTD;
  bool was_en = old & APIC_BASE_EN, was_extd = old & APIC_BASE_EXTD;
  return !((extd && !en) || (was_extd && en && !extd) || (!was_en && extd));
}

/* MISC_ENABLE: bits whose feature is absent are reserved. SDM 4 2.1 (Architectural MSRs: IA32_MISC_ENABLE) */
static u64 misc_enable_writable(const struct cpu_model *m, u64 writable) {
  if (!m->has[FEAT_EIST]) writable &= ~BIT(16);
  if (!m->has[FEAT_MONITOR]) writable &= ~MISC_ENABLE_MONITOR;
  if (!m->has[FEAT_NX]) writable &= ~MISC_ENABLE_XD_DISABLE;
  return writable;
}

/* MTRRs of fixed ranges. amd: with SYSCFG.MtrrFixDramModEn, bits 3 and 4 of each byte say where reads and
 * writes go; without, they are reserved. APM 2 7.9.1 (Extended Fixed-Range MTRR Type-Field Encodings) */
static u64 bad_fixed_mtrr_types(const struct msr_env *env, u64 value) {
  bool routed = env->model->vendor == VENDOR_AMD && (env->value[MSR_SYSCFG] & BIT(19));
  return bad_memory_types(value, routed ? 0x18 : 0, false);
}

/* APM 2 3.2.10 (Hardware Configuration Register (HWCR)): McStatusWrEn, for software that injects errors. */
static bool mca_status_writable(const struct msr_env *env) {
  return env->model->vendor == VENDOR_AMD && (env->value[MSR_HWCR] & HWCR_MCSTATUS_WREN);
}

u64 msr_writable(const struct msr_env *env, const struct msr_row *row, u64 old) {
  switch ((enum msr_kind)row->kind) {
  case MSR_PHYS:
  case MSR_MTRR_BASE:
    return row->writable & MASK(env->model->maxphyaddr - 1, 0);
  case MSR_APIC_ADDR:
    return apic_base_writable(env->model);
  case MSR_EFER_BITS:
    return efer_writable(env);
  case MSR_XD_BITS:
    return misc_enable_writable(env->model, row->writable);
  case MSR_VM_CR_BITS: /* APM 2 15.30.1 (VM_CR MSR (C001_0114h)): LOCK (3) makes itself and SVMDIS (4) read-only */
    return old & BIT(3) ? row->writable & ~MASK(4, 3) : row->writable;
  default:
    return row->writable;
  }
}

/* Bits that may be written with anything and keep their value. */
static u64 kept_bits(const struct msr_env *env, const struct msr_row *row, u64 writable) {
  if (row->kind == MSR_VM_CR_BITS) return row->writable & ~writable;
  /* EFER.LMA is the processor's: what is written to it is ignored. */
  if (row->kind == MSR_EFER_BITS && env->model->has[FEAT_LM]) return EFER_LMA;
  return row->kept;
}

/* Bits that differ from the address's sign, bit width - 1; 0: it is canonical. SDM 1 3.3.7.1 */
static u64 noncanonical_bits(u64 value, unsigned width) {
  u64 high = MASK(63, width - 1), sign = value & BIT(width - 1) ? high : 0;
  return (value ^ sign) & high;
}

/* What the row's kind keeps of a value that it accepts. */
static u64 stored(const struct cpu_model *m, const struct msr_row *row, u64 value) {
  switch ((enum msr_kind)row->kind) {
  case MSR_COMMAND:
    return 0;
  case MSR_SYSENTER_ADDR: /* a processor without long mode has 32 bits here too */
    return model_does(m, RULE_SYSENTER_MSR64) && m->has[FEAT_LM] ? value : (u32)value;
  case MSR_LOW32:
  case MSR_AUX32:
    return (u32)value;
  default:
    return value;
  }
}

/* The rule of the row's kind beside its reserved bits; MSR_OK: it has none. */
static enum msr_refusal kind_rule(const struct cpu_model *m, const struct msr_row *row) {
  switch ((enum msr_kind)row->kind) {
  case MSR_CONST: /* a write of a read-only register: #GP(0). SDM 2B WRMSR */
    return MSR_READ_ONLY;
  case MSR_CANONICAL: /* a non-canonical address: #GP(0). SDM 2B WRMSR, APM 3 WRMSR */
    return MSR_NONCANONICAL;
  case MSR_SYSENTER_ADDR:
    return model_does(m, RULE_SYSENTER_MSR64) && m->has[FEAT_LM] ? MSR_NONCANONICAL : MSR_OK;
  case MSR_MTRR_BASE: /* a reserved memory type: #GP(0). SDM 3A 11.11.2.1, 11.11.2.2, 11.11.2.3, 11.12.2 */
  case MSR_MTRR_DEF:
  case MSR_MTRR_FIX:
  case MSR_PAT8:
    return MSR_MEMORY_TYPE;
  case MSR_EFER_BITS: /* SDM 3A 9.8.5 (Initializing IA-32e Mode), APM 2 14.6.1: #GP(0) */
    return MSR_LME_PAGING;
  case MSR_APIC_ADDR:
    return MSR_APIC_STATE;
  case MSR_LOCKED: /* FEATURE_CONTROL once locked: #GP(0). SDM 4 2.1 (Architectural MSRs: IA32_FEATURE_CONTROL[0]) */
    return MSR_IS_LOCKED;
  case MSR_MCA_STATUS: /* anything but zero: #GP(0). SDM 3B 15.3.2.2; APM 2 9.3.2.1 */
    return MSR_ZERO_ONLY;
  case MSR_MCA_ADDR:
    return model_does(m, RULE_MCA_ADDR_ZERO) ? MSR_ZERO_ONLY : MSR_OK;
  default:
    return MSR_OK;
  }
}

/* The bits of a value without reserved bits that break the rule of the row's kind; 0: none. */
static u64 kind_breaks(const struct msr_env *env, const struct msr_row *row, enum msr_refusal rule, u64 old, u64 value) {
  const u64 apic_state = APIC_BASE_EN | APIC_BASE_EXTD;
  switch (rule) {
  case MSR_NONCANONICAL:
    return noncanonical_bits(value, model_canonical_bits(env->model));
  case MSR_MEMORY_TYPE:
    if (row->kind == MSR_MTRR_FIX) return bad_fixed_mtrr_types(env, value);
    if (row->kind == MSR_PAT8) return bad_memory_types(value, 0, true);
    return memory_type(value & 0xff, false) ? 0 : 0xff;
  case MSR_LME_PAGING:
    return env->cr0_pg ? (value ^ old) & EFER_LME : 0;
  case MSR_APIC_STATE:
    return apic_state_follows(old, value) ? 0 : (value ^ old) & apic_state ? (value ^ old) & apic_state : apic_state;
  case MSR_IS_LOCKED:
    return old & 1;
  case MSR_ZERO_ONLY:
    return row->kind == MSR_MCA_STATUS && mca_status_writable(env) ? 0 : value;
  default:
    return 0;
  }
}

u32 msr_rules(const struct cpu_model *m, const struct msr_row *row) {
  return 1u << MSR_READ_ONLY | 1u << MSR_RESERVED_BITS | 1u << kind_rule(m, row);
}

enum msr_refusal msr_check_read(const struct msr_row *row) {
  return row->kind == MSR_COMMAND ? MSR_WRITE_ONLY : MSR_OK;
}

enum msr_refusal msr_check_write(const struct msr_env *env, const struct msr_row *row, u64 old, u64 value,
                                 struct msr_write *w) {
  enum msr_refusal rule = kind_rule(env->model, row);
  u64 writable = msr_writable(env, row, old), kept = kept_bits(env, row, writable), reserved = ~(writable | kept);
  w->bits = value;
  if (rule == MSR_READ_ONLY) return MSR_READ_ONLY;
  /* A reserved bit that is not zero: #GP(0). SDM 2B WRMSR */
  if (row->kind == MSR_AUX32 && model_does(env->model, RULE_TSC_AUX_RESERVED)) reserved |= MASK(63, 32);
  w->bits = value & reserved;
  if (w->bits) return MSR_RESERVED_BITS;
  w->bits = kind_breaks(env, row, rule, old, value);
  if (w->bits) return rule;
  w->value = stored(env->model, row, (value & writable) | (old & kept));
  /* Writing a counter or a base acts even when the number is the same; elsewhere only a change does. */
  bool acts = row->store != MSR_IN_ARRAY || (row->effects & (MSR_EFF_TSC | MSR_EFF_APIC));
  w->effects = acts || w->value != old ? row->effects : 0;
  return MSR_OK;
}
