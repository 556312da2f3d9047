/* Processor models: which vendor's rules and which CPUID features a processor has, as data.
 * SDM 2A (CPUID), APM 3 appendix E (Obtaining Processor Information Via the CPUID Instruction). */
#ifndef MSR_MODEL_H
#define MSR_MODEL_H

#include "base/types.h"

enum vendor { VENDOR_INTEL, VENDOR_AMD, VENDOR_COUNT };

/* Sets of vendors, for table rows. */
enum {
  VENDORS_INTEL = 1 << VENDOR_INTEL,
  VENDORS_AMD = 1 << VENDOR_AMD,
  VENDORS_BOTH = VENDORS_INTEL | VENDORS_AMD,
};

enum feature {
  FEAT_NONE = -1, /* what every processor has: model_has() is true */
#define FEATURE(e, name, leaf, sub, reg, bit, vendors, cite) FEAT_##e,
#include "msr/features.def"
#undef FEATURE
  FEAT_COUNT
};

enum rule {
#define RULE(e, intel, amd, feature, with, without, cite) RULE_##e,
#include "msr/rules.def"
#undef RULE
  RULE_COUNT
};

enum cpuid_reg { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

struct feature_row {
  const char *id;   /* the enumerator without FEAT_ */
  const char *name; /* as in /proc/cpuinfo */
  u32 leaf, subleaf;
  u8 reg, bit;      /* enum cpuid_reg, bit number */
  u8 vendors;       /* VENDORS_* */
  const char *cite;
};
extern const struct feature_row feature_rows[FEAT_COUNT];

struct rule_row {
  const char *id;
  bool of[VENDOR_COUNT];     /* whether each vendor's models have it */
  const char *with, *without;
  const char *cite;
};
extern const struct rule_row rule_rows[RULE_COUNT];

/* A cache, as leaves 4 and 8000001DH describe it; it holds ways * sets * line bytes. */
enum { CACHE_NONE, CACHE_DATA, CACHE_CODE, CACHE_UNIFIED };
struct cpuid_cache {
  u8 level, type; /* CACHE_* */
  u8 ways, line;
  u32 sets;
  u8 edx; /* inclusive, WBINVD and indexing: that register */
};

/* What a leaf holds beside feature bits, caches and what is computed; only with the feature. */
struct cpuid_row {
  u32 leaf, subleaf;
  s16 feature;
  u32 out[4];
};

struct cpu_model {
  const char *name, *description;
  const char *brand;  /* CPUID brand string, at most 47 characters; NULL: the processor has none */
  const struct cpu_model *instead; /* for hosts that cannot do all of it: model_host_lacks() */
  enum vendor vendor;
  u16 family;
  u8 model, stepping; /* as displayed: extended fields folded in */
  u8 maxphyaddr;
  bool topology;      /* it has leaf 0BH */
  u32 max_basic, max_extended; /* the last leaves; max_extended 0: no extended ones */
  const struct cpuid_cache *caches; /* ends with CACHE_NONE; for leaves 4, 8000001DH, 80000005H, 80000006H */
  const struct cpuid_row *rows;     /* ends with a row all zero */
  u8 unlike[RULE_COUNT]; /* rules in which it differs from its vendor's column, and no CPUID bit says so */
  u8 has[FEAT_COUNT];
  u8 lacks[FEAT_COUNT];  /* the real processor has it, and ours not: feature_not_emulated() says why */
  u8 claims[FEAT_COUNT]; /* the bit is set, but the feature is not there, as on the real one */
  u16 lost_with[FEAT_COUNT]; /* 1 + the feature whose removal by model_parse() took this one; 0: none did */
};

/* Why no model can have a feature; NULL: it is complete here, and the largest model of a vendor that has it has it. */
const char *feature_not_emulated(enum feature f);

/* The models, by place (NULL past the end) and by name (NULL: none); a vendor's name is its largest model's, too. */
const struct cpu_model *model_at(unsigned i);
const struct cpu_model *model_find(const char *name);
/* The model that `-cpu` defaults to for a vendor: all that is complete and that this host can do. */
const struct cpu_model *model_default(enum vendor vendor);

/* "intel", "amd"; and the reverse, -1 for anything else. */
const char *vendor_name(enum vendor vendor);
MUST_CHECK int vendor_parse(const char *s, enum vendor *out);

/* Copies the model that `spec` describes: NAME[,+feature,-feature...], features as in /proc/cpuinfo or by
 * enumerator, case ignored. Adding a feature adds what it needs; removing one removes what needs it. Only
 * features that are emulated can be added. Returns 0, or -1 with one line without newline in err[0..n). */
MUST_CHECK int model_parse(const char *spec, struct cpu_model *out, char *err, size_t n);

/* The feature by that name, as in /proc/cpuinfo or its enumerator, case ignored; FEAT_NONE: there is none. */
int model_feature(const char *word);

/* Makes *m a processor of the vendor named, with the identity, caches and behaviour of that vendor's default model, or
 * of its baseline where *m has no XSAVE.
 * Features that only one of the vendors has are dropped, or taken from that model; the others stay.
 * Returns 0, or -1 with one line in err[0..n) and *m unchanged. */
MUST_CHECK int model_for_vendor(struct cpu_model *m, const char *vendor, char *err, size_t n);

/* Adds or removes one feature with what it needs or what needs it. False: the vendor has no such feature, or
 * not what it needs, and *m is unchanged. */
MUST_CHECK bool model_set(struct cpu_model *m, enum feature f, bool on);

/* A feature of the model that is emulated by the host's own instructions, and that this host has not; NULL: none. */
const char *model_host_lacks(const struct cpu_model *m);

/* The CPUID feature that says that a model follows the rule; FEAT_NONE: there is none. */
static inline int rule_feature(enum rule r) {
  switch (r) {
#define RULE(e, intel, amd, feature, with, without, cite) case RULE_##e: return FEAT_##feature;
#include "msr/rules.def"
#undef RULE
    default: return FEAT_NONE;
  }
}

/* Does the processor have the feature / follow the rule? */
static inline bool model_has(const struct cpu_model *m, int f) { return f < 0 || m->has[f]; }
static inline bool model_does(const struct cpu_model *m, enum rule r) {
  int feature = rule_feature(r);
  return (feature >= 0 && m->has[feature]) || rule_rows[r].of[m->vendor] != (bool)m->unlike[r];
}

/* Bits of a linear address in the processor's widest mode, which is what "canonical" means for an MSR. */
static inline unsigned model_canonical_bits(const struct cpu_model *m) { return m->has[FEAT_LA57] ? 57 : 48; }

/* AT_HWCAP and AT_HWCAP2 as Linux gives them to programs: CPUID.1:EDX; bit 1 for FSGSBASE. */
u32 model_hwcap(const struct cpu_model *m);
u32 model_hwcap2(const struct cpu_model *m);

/* XSAVE's state components, xstate.c. The bits of XCR0 that the model has; IA32_XSS has none on any. The size of an area
 * of the components in mask, and the offset of one of at least 2 in it; XSTATE_LEGACY covers the first two and the header. */
enum { XSTATE_LEGACY = 576, XSTATE_MAX = 2752 };
u64 xstate_supported(const struct cpu_model *m);
unsigned xstate_component_size(unsigned of);
unsigned xstate_size(const struct cpu_model *m, u64 mask, bool compacted);
unsigned xstate_offset(const struct cpu_model *m, u64 mask, bool compacted, unsigned of);

/* What CPUID shows besides the model: register values of the processor that executes it. */
struct cpuid_dynamic {
  u32 apic_id;
  bool code64;              /* executing in 64-bit mode */
  u64 apic_base, misc_enable; /* the MSRs; misc_enable counts for vendor intel only */
  u64 cr4, xcr0, xss;
};

/* The state after reset, in 64-bit code on processor 0. */
struct cpuid_dynamic cpuid_dynamic_reset(const struct cpu_model *m);

/* One CPUID: EAX = leaf, ECX = subleaf; out is EAX, EBX, ECX, EDX. */
void cpuid_leaf(const struct cpu_model *m, const struct cpuid_dynamic *dyn, u32 leaf, u32 subleaf,
                u32 out[4]);

#endif
