/* The processor models, and the `-cpu` option that picks and changes one.
 * SDM 2A (CPUID), APM 3 appendix E (Obtaining Processor Information Via the CPUID Instruction). */
#include "msr/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/host_cpu.h"

const struct feature_row feature_rows[FEAT_COUNT] = {
#define FEATURE(e, name, leaf, sub, reg, bit, vendors, cite) \
  [FEAT_##e] = {#e, name, leaf, sub, CPUID_##reg, bit, VENDORS_##vendors, cite},
#include "msr/features.def"
#undef FEATURE
};

const struct rule_row rule_rows[RULE_COUNT] = {
#define RULE(e, intel, amd, feature, with, without, cite) [RULE_##e] = {#e, {intel, amd}, with, without, cite},
#include "msr/rules.def"
#undef RULE
};

static const struct {
  s16 feature, needs;
} needs_rows[] = {
#define NEEDS(e, other) {FEAT_##e, FEAT_##other},
#include "msr/features.def"
#undef NEEDS
};

/* Feature lists. What is listed must be complete: every instruction and register of the feature. */
#define HAS(f) [FEAT_##f] = 1
#define FEATURES_64BIT                                                                                  \
  HAS(FPU), HAS(VME), HAS(DE), HAS(PSE), HAS(TSC), HAS(MSR), HAS(PAE), HAS(MCE), HAS(CX8), HAS(APIC),   \
  HAS(SEP), HAS(MTRR), HAS(PGE), HAS(MCA), HAS(CMOV), HAS(PAT), HAS(PSE36), HAS(CLFSH), HAS(MMX),       \
  HAS(FXSR), HAS(SSE), HAS(SSE2), HAS(SYSCALL), HAS(NX), HAS(LM), HAS(RDTSCP), HAS(LAHF64), HAS(CX16),  \
  HAS(FSGSBASE)
#define FEATURES_AMD HAS(MMXEXT), HAS(TOPOEXT), HAS(NO_LMSLE), HAS(CR8_LEGACY)
#define FEATURES_PAGING HAS(SMEP), HAS(SMAP), HAS(PDPE1GB)
#define FEATURES_PCID HAS(PCID), HAS(INVPCID), HAS(PKU)
#define FEATURES_XSAVE HAS(XSAVE), HAS(XSAVEOPT), HAS(XSAVEC), HAS(XGETBV1), HAS(XSAVES)
#define FEATURES_LA57 HAS(LA57), HAS(UMIP), HAS(RDPID)
#define FEATURES_SSE4 \
  HAS(SSE3), HAS(SSSE3), HAS(SSE41), HAS(SSE42), HAS(AES), HAS(PCLMULQDQ), HAS(SHA), HAS(GFNI)
#define FEATURES_BMI                                                                                    \
  HAS(POPCNT), HAS(LZCNT), HAS(MOVBE), HAS(BMI1), HAS(BMI2), HAS(ADX), HAS(RDRAND), HAS(RDSEED),        \
  HAS(CLFLUSHOPT), HAS(CLWB), HAS(PREFETCHW)

#define FEATURES_AVX HAS(AVX), HAS(AVX2), HAS(FMA), HAS(F16C), HAS(VAES), HAS(VPCLMULQDQ)
#define FEATURES_AVX512                                                                                  \
  HAS(AVX512F), HAS(AVX512CD), HAS(AVX512BW), HAS(AVX512DQ), HAS(AVX512VL), HAS(AVX512IFMA),             \
  HAS(AVX512_VBMI), HAS(AVX512_VBMI2), HAS(AVX512_VNNI), HAS(AVX512_BITALG), HAS(AVX512_VPOPCNTDQ)

/* The identities are those of real processors (06_55H stepping 4, 17h model 01h stepping 1; 06_6AH stepping 6, 19h
 * model 11h stepping 1) that follow their vendor's column of rules.def, or say by a CPUID bit or in `unlike` where
 * not, for software that looks at family and model; the features are fewer. */
static const struct cpu_model models[] = {
  {.name = "intel", .description = "64-bit Intel processor with SSE2", .brand = "ringwalk Intel 64 processor",
   .vendor = VENDOR_INTEL, .family = 6, .model = 0x55, .stepping = 4, .maxphyaddr = 46,
   .has = {FEATURES_64BIT, FEATURES_PAGING, FEATURES_PCID}},
  {.name = "amd", .description = "64-bit AMD processor with SSE2", .brand = "ringwalk AMD64 processor",
   .vendor = VENDOR_AMD, .family = 0x17, .model = 1, .stepping = 1, .maxphyaddr = 48,
   .has = {FEATURES_64BIT, FEATURES_AMD, FEATURES_PAGING}},
  {.name = "icelake", .description = "Intel processor with 5-level paging", .brand = "ringwalk Intel 64 processor",
   .vendor = VENDOR_INTEL, .family = 6, .model = 0x6a, .stepping = 6, .maxphyaddr = 46,
   .has = {FEATURES_64BIT, FEATURES_PAGING, FEATURES_PCID, FEATURES_LA57, FEATURES_XSAVE,
           FEATURES_SSE4, FEATURES_BMI, FEATURES_AVX, FEATURES_AVX512}},
  {.name = "zen4", .description = "AMD processor with 5-level paging", .brand = "ringwalk AMD64 processor",
   .vendor = VENDOR_AMD, .family = 0x19, .model = 0x11, .stepping = 1, .maxphyaddr = 52,
   .has = {FEATURES_64BIT, FEATURES_AMD, FEATURES_PAGING, FEATURES_PCID, FEATURES_LA57, FEATURES_XSAVE,
           FEATURES_SSE4, FEATURES_BMI, FEATURES_AVX, FEATURES_AVX512, HAS(SSE4A), HAS(MISALIGNSSE),
           HAS(NULL_SEL_CLR_BASE), HAS(XSAVEERPTR)}},
};

const struct cpu_model *model_at(unsigned i) { return i < ARRAY_SIZE(models) ? &models[i] : NULL; }

const struct cpu_model *model_find(const char *name) {
  for (unsigned i = 0; i < ARRAY_SIZE(models); i++)
    if (!strcasecmp(models[i].name, name)) return &models[i];
  return NULL;
}

const struct cpu_model *model_default(enum vendor vendor) {
  for (unsigned i = 0; i < ARRAY_SIZE(models); i++)
    if (models[i].vendor == vendor) return &models[i];
  return NULL;
}

const char *vendor_name(enum vendor vendor) { return vendor == VENDOR_AMD ? "amd" : "intel"; }

int vendor_parse(const char *s, enum vendor *out) {
  for (int v = 0; v < VENDOR_COUNT; v++)
    if (!strcasecmp(s, vendor_name((enum vendor)v))) {
      *out = (enum vendor)v;
      return 0;
    }
  return -1;
}

/* A feature some model of any vendor has is one whose instructions and registers exist here. */
static bool implemented(enum feature f) {
  for (unsigned i = 0; i < ARRAY_SIZE(models); i++)
    if (models[i].has[f]) return true;
  return false;
}

static bool vendor_has(const struct cpu_model *m, enum feature f) {
  return feature_rows[f].vendors >> m->vendor & 1;
}

static void remove_feature(struct cpu_model *m, enum feature f) {
  if (!m->has[f]) return;
  m->has[f] = 0;
  for (unsigned i = 0; i < ARRAY_SIZE(needs_rows); i++)
    if (needs_rows[i].needs == (int)f) remove_feature(m, (enum feature)needs_rows[i].feature);
  /* Where SYSCALL exists in 64-bit mode only, a processor without long mode has none. */
  if (f == FEAT_LM && !model_does(m, RULE_SYSCALL_LEGACY)) remove_feature(m, FEAT_SYSCALL);
}

static bool add_feature(struct cpu_model *m, enum feature f) {
  if (!vendor_has(m, f)) return false;
  m->has[f] = 1;
  for (unsigned i = 0; i < ARRAY_SIZE(needs_rows); i++) {
    enum feature needs = (enum feature)needs_rows[i].needs;
    if (needs_rows[i].feature == (int)f && !m->has[needs] && !add_feature(m, needs)) return false;
  }
  bool only64 = f == FEAT_SYSCALL && !model_does(m, RULE_SYSCALL_LEGACY);
  return !only64 || m->has[FEAT_LM] || add_feature(m, FEAT_LM);
}

bool model_set(struct cpu_model *m, enum feature f, bool on) {
  if (!on) {
    remove_feature(m, f);
    return true;
  }
  struct cpu_model staged = *m;
  if (!add_feature(&staged, f)) return false;
  *m = staged;
  return true;
}

const char *model_host_lacks(const struct cpu_model *m) {
  if (m->has[FEAT_FMA] && !host_has_fma()) return feature_rows[FEAT_FMA].name;
  return m->has[FEAT_F16C] && !host_has_f16c() ? feature_rows[FEAT_F16C].name : NULL;
}

PRINTF_LIKE(3, 4) static int fail(char *err, size_t n, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(err, n, fmt, ap);
  va_end(ap);
  return -1;
}

int model_for_vendor(struct cpu_model *m, const char *vendor, char *err, size_t n) {
  enum vendor v;
  if (vendor_parse(vendor, &v))
    return fail(err, n, "unknown CPU vendor '%.40s'; known vendors: intel, amd", vendor);
  if (v == m->vendor) return 0;
  const struct cpu_model *like = model_default(v);
  unsigned had = 1u << m->vendor;
  m->vendor = v;
  m->family = like->family;
  m->model = like->model;
  m->stepping = like->stepping;
  m->brand = like->brand;
  memcpy(m->unlike, like->unlike, sizeof m->unlike);
  for (int f = 0; f < FEAT_COUNT; f++) {
    if (m->has[f] && !vendor_has(m, (enum feature)f)) remove_feature(m, (enum feature)f);
    if (like->has[f] && !(feature_rows[f].vendors & had)) m->has[f] = 1;
  }
  /* What `like` has may need what *m was given without. */
  for (unsigned i = 0; i < ARRAY_SIZE(needs_rows); i++)
    if (!m->has[needs_rows[i].needs]) remove_feature(m, (enum feature)needs_rows[i].feature);
  if (!m->has[FEAT_LM] && !model_does(m, RULE_SYSCALL_LEGACY)) remove_feature(m, FEAT_SYSCALL);
  return 0;
}

enum { NAME_MAX_LEN = 40 }; /* longer words in a specification are unknown without looking */

int model_feature(const char *word) {
  for (int f = 0; f < FEAT_COUNT; f++)
    if (!strcasecmp(feature_rows[f].name, word) || !strcasecmp(feature_rows[f].id, word)) return f;
  return FEAT_NONE;
}

/* Levenshtein distance, case ignored; both words are at most NAME_MAX_LEN long. */
static unsigned distance(const char *a, const char *b) {
  unsigned row[NAME_MAX_LEN + 1];
  size_t nb = strlen(b);
  for (unsigned j = 0; j <= nb; j++) row[j] = j;
  for (unsigned i = 0; a[i]; i++) {
    unsigned diagonal = row[0];
    row[0] = i + 1;
    for (unsigned j = 0; j < nb; j++) {
      unsigned best = diagonal + !!strncasecmp(&a[i], &b[j], 1);
      if (row[j] + 1 < best) best = row[j] + 1;
      if (row[j + 1] + 1 < best) best = row[j + 1] + 1;
      diagonal = row[j + 1];
      row[j + 1] = best;
    }
  }
  return row[nb];
}

/* A feature that a person can have meant: an emulated one, more than half of whose letters are right; or
 * NULL. */
static const char *nearest_feature(const char *word) {
  const char *nearest = NULL;
  unsigned least = ((unsigned)strlen(word) + 1) / 2;
  for (int f = 0; f < FEAT_COUNT; f++) {
    const char *names[] = {feature_rows[f].name, feature_rows[f].id};
    for (int k = 0; k < 2 && implemented((enum feature)f); k++) {
      unsigned d = distance(word, names[k]);
      if (d < least) least = d, nearest = names[k];
    }
  }
  return nearest;
}

static int unknown_feature(const char *word, char *err, size_t n) {
  const char *nearest = nearest_feature(word);
  if (!nearest) return fail(err, n, "unknown CPU feature '%s'; ringwalk info cpuid lists them", word);
  return fail(err, n, "unknown CPU feature '%s'; did you mean '%s'?", word, nearest);
}

static int parse_change(struct cpu_model *m, const char *word, char *err, size_t n) {
  if (*word != '+' && *word != '-')
    return fail(err, n, "CPU option '%s' does not begin with + or -: write +%s or -%s", word, word, word);
  bool on = *word++ == '+';
  int f = model_feature(word);
  if (!*word) return fail(err, n, "a CPU feature name is missing after '%c'", word[-1]);
  if (f < 0) return unknown_feature(word, err, n);
  if (on && !vendor_has(m, (enum feature)f))
    return fail(err, n, "CPU feature '%s' does not exist on vendor %s", word, vendor_name(m->vendor));
  if (on && !implemented((enum feature)f))
    return fail(err, n, "CPU feature '%s' is not emulated: no model has it", word);
  struct cpu_model before = *m;
  if (!model_set(m, (enum feature)f, on))
    return fail(err, n, "CPU feature '%s' needs one that %s does not have", word, vendor_name(m->vendor));
  for (int k = 0; k < FEAT_COUNT; k++)
    if (before.has[k] && !m->has[k]) m->lost_with[k] = (u16)(f + 1);
  return 0;
}

static int unknown_model(const char *name, char *err, size_t n) {
  char known[256] = "";
  size_t len = 0;
  for (unsigned i = 0; i < ARRAY_SIZE(models) && len < sizeof known; i++)
    len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", i ? ", " : "", models[i].name);
  return fail(err, n, "unknown CPU model '%s'; known models: %s", name, known);
}

int model_parse(const char *spec, struct cpu_model *out, char *err, size_t n) {
  char word[NAME_MAX_LEN + 1];
  struct cpu_model m;
  bool first = true;
  for (;; first = false) {
    size_t len = strcspn(spec, ",");
    if (len > NAME_MAX_LEN) return fail(err, n, "the name '%.20s...' in the CPU model is too long", spec);
    memcpy(word, spec, len);
    word[len] = 0;
    if (!len) return fail(err, n, "%s", first ? "the CPU model's name is missing" : "an empty CPU option");
    if (first) {
      const struct cpu_model *base = model_find(word);
      if (!base) return unknown_model(word, err, n);
      m = *base;
    } else if (parse_change(&m, word, err, n)) {
      return -1;
    }
    if (!spec[len]) break;
    spec += len + 1;
  }
  const char *lacks = model_host_lacks(&m);
  if (lacks)
    return fail(err, n, "this machine's own processor has no '%s', which emulating it takes; -cpu %s,-%s does without",
                lacks, m.name, lacks);
  *out = m;
  return 0;
}

u32 model_hwcap(const struct cpu_model *m) {
  struct cpuid_dynamic dyn = cpuid_dynamic_reset(m);
  u32 out[4];
  cpuid_leaf(m, &dyn, 1, 0, out);
  return out[CPUID_EDX];
}

u32 model_hwcap2(const struct cpu_model *m) { return m->has[FEAT_FSGSBASE] ? 1u << 1 : 0; }
