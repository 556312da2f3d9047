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

/* A reserved memory type in any of the eight bytes: #GP(0). `ignore`: bits of each byte outside the type. */
static bool memory_types(u64 v, u8 ignore, bool pat) {
  for (int i = 0; i < 8; i++)
    if (!memory_type((u8)(v >> 8 * i) & (u8)~ignore, pat)) return false;
  return true;
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
  /* MISC_ENABLE's XD disable takes the feature away: SDM 4 2.1 (IA32_MISC_ENABLE[34]) */
  if (env->value[MSR_MISC_ENABLE] & MISC_ENABLE_XD_DISABLE) legal &= ~EFER_NXE;
  return legal;
}

/* LME cannot change while paging is on: #GP(0). SDM 3A 9.8.5 (Initializing IA-32e Mode), APM 2 14.6.1. */
static int check_efer(const struct msr_env *env, u64 old, u64 value) {
  return ((value ^ old) & EFER_LME) && env->cr0_pg ? MSR_GP : MSR_OK;
}

static u64 apic_base_writable(const struct cpu_model *m) {
  return APIC_BASE_BSP | APIC_BASE_EN | (m->has[FEAT_X2APIC] ? APIC_BASE_EXTD : 0) |
         (MASK(51, 12) & MASK(m->maxphyaddr - 1, 0));
}

/* SDM 3A 10.12.5 (x2APIC State Transitions): the states are off (neither bit), xAPIC (EN) and x2APIC (EN and
 * EXTD). EXTD without EN, x2APIC to xAPIC, and off to x2APIC: #GP(0). */
static int check_apic_base(u64 old, u64 value) {
  bool en = value & APIC_BASE_EN, extd = value & APIC_BASE_EXTD;
  bool was_en = old & APIC_BASE_EN, was_extd = old & APIC_BASE_EXTD;
  if ((extd && !en) || (was_extd && en && !extd) || (!was_en && extd)) return MSR_GP;
  return MSR_OK;
}

/* MISC_ENABLE: bits whose feature is absent are reserved. SDM 4 2.1 (IA32_MISC_ENABLE) */
static u64 misc_enable_writable(const struct cpu_model *m, u64 writable) {
  if (!m->has[FEAT_EIST]) writable &= ~BIT(16);
  if (!m->has[FEAT_MONITOR]) writable &= ~MISC_ENABLE_MONITOR;
  if (!m->has[FEAT_NX]) writable &= ~MISC_ENABLE_XD_DISABLE;
  return writable;
}

/* MTRRs of fixed ranges. amd: with SYSCFG.MtrrFixDramModEn, bits 3 and 4 of each byte say where reads and
 * writes go; without, they are reserved. APM 2 7.9.1 (Extended Fixed-Range MTRR Type-Field Encodings) */
static bool fixed_mtrr_types(const struct msr_env *env, u64 value) {
  bool routed = env->model->vendor == VENDOR_AMD && (env->value[MSR_SYSCFG] & BIT(19));
  return memory_types(value, routed ? 0x18 : 0, false);
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
  case MSR_VM_CR_BITS: /* APM 2 15.30.1 (VM_CR MSR): LOCK (3) makes itself and SVMDIS (4) read-only */
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

/* The rule of the row's kind, on a value without reserved bits. May change what is stored in *newval. */
static int check_kind(const struct msr_env *env, const struct msr_row *row, u64 old, u64 value, u64 *newval) {
  const struct cpu_model *m = env->model;
  unsigned width = model_canonical_bits(m);
  switch ((enum msr_kind)row->kind) {
  case MSR_PLAIN:
  case MSR_PHYS:
  case MSR_XD_BITS:
  case MSR_VM_CR_BITS:
    return MSR_OK;
  case MSR_COMMAND:
    *newval = 0;
    return MSR_OK;
  case MSR_CONST: /* a write of a read-only register: #GP(0). SDM 2B WRMSR */
    return MSR_GP;
  case MSR_CANONICAL: /* a non-canonical address: #GP(0). SDM 2B WRMSR, APM 3 WRMSR */
    return canonical(value, width) ? MSR_OK : MSR_GP;
  case MSR_SYSENTER_ADDR: /* a processor without long mode has 32 bits here too */
    if (!model_does(m, RULE_SYSENTER_MSR64) || !m->has[FEAT_LM]) *newval = (u32)value;
    else if (!canonical(value, width)) return MSR_GP;
    return MSR_OK;
  case MSR_LOW32:
    *newval = (u32)value;
    return MSR_OK;
  case MSR_AUX32:
    if (value >> 32 && model_does(m, RULE_TSC_AUX_RESERVED)) return MSR_GP;
    *newval = (u32)value;
    return MSR_OK;
  case MSR_MTRR_BASE: /* a reserved memory type: #GP(0). SDM 3A 11.11.2.1, 11.11.2.2, 11.11.2.3, 11.12.2 */
  case MSR_MTRR_DEF:
    return memory_type(value & 0xff, false) ? MSR_OK : MSR_GP;
  case MSR_MTRR_FIX:
    return fixed_mtrr_types(env, value) ? MSR_OK : MSR_GP;
  case MSR_PAT8:
    return memory_types(value, 0, true) ? MSR_OK : MSR_GP;
  case MSR_EFER_BITS:
    return check_efer(env, old, value);
  case MSR_APIC_ADDR:
    return check_apic_base(old, value);
  case MSR_LOCKED: /* FEATURE_CONTROL once locked: #GP(0). SDM 4 2.1 (IA32_FEATURE_CONTROL[0]) */
    return old & 1 ? MSR_GP : MSR_OK;
  case MSR_MCA_STATUS: /* anything but zero: #GP(0). SDM 3B 15.3.2.2; APM 2 9.3.2.1 */
    return !value || mca_status_writable(env) ? MSR_OK : MSR_GP;
  case MSR_MCA_ADDR:
    return value && model_does(m, RULE_MCA_ADDR_ZERO) ? MSR_GP : MSR_OK;
  }
  return MSR_GP;
}

int msr_check_read(const struct msr_row *row) { return row->kind == MSR_COMMAND ? MSR_GP : MSR_OK; }

int msr_check_write(const struct msr_env *env, const struct msr_row *row, u64 old, u64 value, u64 *newval,
                    u32 *effects) {
  u64 writable = msr_writable(env, row, old), kept = kept_bits(env, row, writable);
  /* A reserved bit that is not zero: #GP(0). SDM 2B WRMSR */
  if (value & ~(writable | kept)) return MSR_GP;
  u64 result = (value & writable) | (old & kept);
  if (check_kind(env, row, old, value, &result)) return MSR_GP;
  *newval = result;
  /* Writing a counter or a base acts even when the number is the same; elsewhere only a change does. */
  bool acts = row->store != MSR_IN_ARRAY || (row->effects & (MSR_EFF_TSC | MSR_EFF_APIC));
  *effects = acts || result != old ? row->effects : 0;
  return MSR_OK;
}
