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

static const char *const not_emulated[FEAT_COUNT] = {
#define NOT_EMULATED(e, why) [FEAT_##e] = why,
#include "msr/features.def"
#undef NOT_EMULATED
};

/* Feature lists, each in the order of the leaves: what a generation adds, then (NO) what it adds and nobody here has.
 * The whole registers are in tests/unit/models.c. */
#define HAS(f) .has[FEAT_##f] = 1
#define NO(f) .lacks[FEAT_##f] = 1
#define PENTIUM HAS(FPU), HAS(VME), HAS(DE), HAS(PSE), HAS(TSC), HAS(MSR), HAS(MCE), HAS(CX8)
#define I686 PENTIUM, HAS(PAE), HAS(APIC), HAS(MTRR), HAS(PGE), HAS(MCA), HAS(CMOV)
#define SSE2_64 \
  I686, HAS(SEP), HAS(PAT), HAS(PSE36), HAS(CLFSH), HAS(MMX), HAS(FXSR), HAS(SSE), HAS(SSE2), HAS(SYSCALL), \
  HAS(NX), HAS(LM)

#define CORE2                                                                                              \
  SSE2_64, NO(DS), NO(ACPI), HAS(SS), NO(HTT), NO(TM), NO(PBE), HAS(SSE3), NO(DTES64), HAS(MONITOR),       \
  NO(DSCPL), NO(VMX), NO(EIST), NO(TM2), HAS(SSSE3), HAS(CX16), NO(XTPR), NO(PDCM), NO(DTHERM),        \
  NO(APERFMPERF), HAS(LAHF64)
#define NEHALEM CORE2, HAS(SSE41), HAS(SSE42), HAS(POPCNT), NO(IDA), HAS(RDTSCP), HAS(INVTSC)
#define HASWELL                                                                                            \
  NEHALEM, HAS(PCLMULQDQ), NO(SDBG), HAS(FMA), HAS(PCID), NO(X2APIC), HAS(MOVBE), NO(TSC_DEADLINE), HAS(AES), \
  HAS(XSAVE), HAS(AVX), HAS(F16C), HAS(RDRAND), NO(ARAT), NO(PLN), NO(PTS), NO(EPB),       \
  HAS(FSGSBASE), HAS(TSC_ADJUST), HAS(BMI1), NO(HLE), HAS(AVX2), HAS(SMEP), HAS(BMI2), HAS(ERMS),          \
  HAS(INVPCID), NO(RTM), HAS(ZERO_FCS_FDS), HAS(XSAVEOPT), HAS(LZCNT), HAS(PDPE1GB)
#define SKYLAKE_SERVER                                                                                     \
  HASWELL, NO(SMX), NO(DCA), HAS(FDP_EXCPTN), NO(PQM), NO(PQE), HAS(AVX512F), HAS(AVX512DQ),                \
  HAS(RDSEED), HAS(ADX), HAS(SMAP), HAS(CLFLUSHOPT), HAS(CLWB), NO(INTEL_PT), HAS(AVX512CD), HAS(AVX512BW), \
  HAS(AVX512VL), HAS(PKU), HAS(XSAVEC), HAS(XGETBV1), HAS(XSAVES), HAS(PREFETCHW)
#define ICELAKE                                                                                            \
  SKYLAKE_SERVER, NO(SGX), HAS(AVX512IFMA), HAS(SHA), HAS(AVX512_VBMI), HAS(UMIP), HAS(AVX512_VBMI2),      \
  HAS(GFNI), HAS(VAES), HAS(VPCLMULQDQ), HAS(AVX512_VNNI), HAS(AVX512_BITALG), NO(TME),                    \
  HAS(AVX512_VPOPCNTDQ), HAS(LA57), HAS(RDPID), NO(SGX_LC), HAS(FSRM), NO(MD_CLEAR), NO(PCONFIG),          \
  NO(SPEC_CTRL), NO(STIBP), NO(FLUSH_L1D), NO(ARCH_CAPABILITIES), NO(SSBD), HAS(WBNOINVD)
/* The largest: all that is complete, of processors before and after. */
#define MAX_INTEL                                                                                          \
  ICELAKE, HAS(PREFETCHWT1), HAS(CLDEMOTE), HAS(MOVDIRI), HAS(MOVDIR64B), HAS(SERIALIZE), HAS(AVX_VNNI),   \
  HAS(AVX512_BF16)

#define ZEN3                                                                                               \
  SSE2_64, NO(HTT), HAS(SSE3), HAS(PCLMULQDQ), HAS(MONITOR), HAS(SSSE3), HAS(FMA), HAS(CX16), HAS(PCID),   \
  HAS(SSE41), HAS(SSE42), HAS(MOVBE), HAS(POPCNT), HAS(AES), HAS(XSAVE), HAS(AVX), HAS(F16C), HAS(RDRAND), \
  NO(ARAT), NO(APERFMPERF), HAS(FSGSBASE), HAS(BMI1), HAS(AVX2), HAS(SMEP), HAS(BMI2), HAS(ERMS),          \
  HAS(INVPCID), NO(PQM), NO(PQE), HAS(RDSEED), HAS(ADX), HAS(SMAP), HAS(CLFLUSHOPT), HAS(CLWB), HAS(SHA),  \
  HAS(UMIP), HAS(PKU), NO(CET_SS), HAS(VAES), HAS(VPCLMULQDQ), HAS(RDPID), HAS(FSRM), HAS(XSAVEOPT),       \
  HAS(XSAVEC), HAS(XGETBV1), HAS(XSAVES), HAS(LAHF64), NO(CMP_LEGACY), NO(SVM), NO(EXTAPIC),               \
  HAS(CR8_LEGACY), HAS(LZCNT), HAS(SSE4A), HAS(MISALIGNSSE), HAS(PREFETCHW), NO(OSVW), NO(IBS), NO(SKINIT), \
  NO(WDT), HAS(TCE), HAS(TOPOEXT), NO(PERFCTR_CORE), NO(PERFCTR_NB), NO(BPEXT), NO(PERFCTR_LLC),           \
  HAS(MONITORX), NO(ADDR_MASK_EXT), HAS(MMXEXT), NO(FFXSR), HAS(PDPE1GB), HAS(RDTSCP), HAS(INVTSC),        \
  HAS(CLZERO), NO(IRPERF), HAS(XSAVEERPTR), NO(RDPRU), HAS(WBNOINVD), NO(AMD_IBPB), HAS(INT_WBINVD),       \
  NO(AMD_IBRS), NO(AMD_STIBP), HAS(NO_LMSLE), NO(AMD_SSBD), NO(SME), NO(SEV), NO(SEV_ES),                  \
  HAS(LFENCE_SERIALIZING), HAS(NULL_SEL_CLR_BASE)
#define ZEN4                                                                                               \
  ZEN3, NO(X2APIC), HAS(AVX512F), HAS(AVX512DQ), HAS(AVX512IFMA), HAS(AVX512CD), HAS(AVX512BW),            \
  HAS(AVX512VL), HAS(AVX512_VBMI), HAS(AVX512_VBMI2), HAS(GFNI), HAS(AVX512_VNNI), HAS(AVX512_BITALG),     \
  HAS(AVX512_VPOPCNTDQ), HAS(LA57), NO(FLUSH_L1D), HAS(AVX512_BF16), NO(UAI), NO(AUTOIBRS)
#define MAX_AMD ZEN4, HAS(MOVDIRI), HAS(MOVDIR64B), HAS(AVX_VNNI)

#define BASELINE_64 SSE2_64, HAS(CX16), HAS(FSGSBASE), HAS(SMEP), HAS(SMAP), HAS(LAHF64), HAS(PDPE1GB), HAS(RDTSCP)

/* Caches and TLBs: SDM 2A CPUID (leaf 02H, Table 3-12; leaf 04H); APM 3 E.4.4, E.4.5, E.4.15; the optimization manuals
 * and processor programming references. A server's L3 is that of one of its core complexes or sockets. */
#define CACHES(name, ...) static const struct cpuid_cache caches_##name[] = {__VA_ARGS__, {.type = CACHE_NONE}}
CACHES(pentium, {1, CACHE_DATA, 2, 32, 128, 0}, {1, CACHE_CODE, 2, 32, 128, 0});
CACHES(i686, {1, CACHE_DATA, 2, 32, 128, 0}, {1, CACHE_CODE, 4, 32, 64, 0}, {2, CACHE_UNIFIED, 4, 32, 2048, 0});
CACHES(core2, {1, CACHE_DATA, 8, 64, 64, 1}, {1, CACHE_CODE, 8, 64, 64, 1}, {2, CACHE_UNIFIED, 16, 64, 4096, 1});
CACHES(nehalem, {1, CACHE_DATA, 8, 64, 64, 0}, {1, CACHE_CODE, 4, 64, 128, 0}, {2, CACHE_UNIFIED, 8, 64, 512, 0},
       {3, CACHE_UNIFIED, 16, 64, 8192, 2});
CACHES(haswell, {1, CACHE_DATA, 8, 64, 64, 0}, {1, CACHE_CODE, 8, 64, 64, 0}, {2, CACHE_UNIFIED, 8, 64, 512, 0},
       {3, CACHE_UNIFIED, 16, 64, 8192, 6});
CACHES(skylake_server, {1, CACHE_DATA, 8, 64, 64, 0}, {1, CACHE_CODE, 8, 64, 64, 0},
       {2, CACHE_UNIFIED, 16, 64, 1024, 0}, {3, CACHE_UNIFIED, 11, 64, 20480, 4});
CACHES(icelake, {1, CACHE_DATA, 12, 64, 64, 0}, {1, CACHE_CODE, 8, 64, 64, 0}, {2, CACHE_UNIFIED, 20, 64, 1024, 0},
       {3, CACHE_UNIFIED, 12, 64, 81920, 4});
CACHES(zen, {1, CACHE_DATA, 8, 64, 64, 0}, {1, CACHE_CODE, 4, 64, 256, 0}, {2, CACHE_UNIFIED, 8, 64, 1024, 2},
       {3, CACHE_UNIFIED, 16, 64, 8192, 0});
CACHES(zen3, {1, CACHE_DATA, 8, 64, 64, 0}, {1, CACHE_CODE, 8, 64, 64, 0}, {2, CACHE_UNIFIED, 8, 64, 1024, 2},
       {3, CACHE_UNIFIED, 16, 64, 32768, 1});
CACHES(zen4, {1, CACHE_DATA, 8, 64, 64, 0}, {1, CACHE_CODE, 8, 64, 64, 0}, {2, CACHE_UNIFIED, 8, 64, 2048, 2},
       {3, CACHE_UNIFIED, 16, 64, 32768, 1});

/* Leaf 2: descriptors. Leaf 5: a line for MONITOR, no extensions, no deeper states. Leaf 15H: the TSC counts
 * nanoseconds, as a crystal of 25 MHz times 40; leaf 16H in MHz. Leaf 18H: TLBs by sets, ways and page sizes. On AMD:
 * the package in 80000001H, TLBs in 80000005H, 80000006H (with L3's ways and line) and 80000019H, the width of the units
 * in 8000001AH. */
#define ROWS(name, ...) static const struct cpuid_row rows_##name[] = {__VA_ARGS__, {.leaf = 0}}
#define DESCRIPTORS(a, b, c, d) {2, 0, FEAT_NONE, {a, b, c, d}}
#define MONITOR_LINE {5, 0, FEAT_MONITOR, {64, 64, 0, 0}}
#define FREQUENCIES {0x15, 0, FEAT_TSC, {1, 40, 25000000, 0}}, {0x16, 0, FEAT_NONE, {1000, 1000, 100, 0}}
#define LEAF(leaf, a, b, c, d) {leaf, 0, FEAT_NONE, {a, b, c, d}}
ROWS(pentium, LEAF(0, 0, 0, 0, 0));
ROWS(i686, DESCRIPTORS(0x03020101, 0, 0, 0x06040a42));
ROWS(baseline, DESCRIPTORS(0xf0b50301, 0xff, 0, 0), MONITOR_LINE, FREQUENCIES);
ROWS(core2, DESCRIPTORS(0x05b0b101, 0x005657f0, 0, 0x2cb43049), MONITOR_LINE);
ROWS(nehalem, DESCRIPTORS(0x55035a01, 0x00f0b2e4, 0, 0x09ca212c), MONITOR_LINE);
ROWS(haswell, DESCRIPTORS(0x76036301, 0x00f0b5ff, 0, 0x00c10000), MONITOR_LINE);
ROWS(skylake_server, DESCRIPTORS(0x76036301, 0x00f0b5ff, 0, 0x00c30000), MONITOR_LINE, FREQUENCIES);
ROWS(icelake, DESCRIPTORS(0x00feff01, 0xf0, 0, 0), MONITOR_LINE, FREQUENCIES,
     {0x18, 0, FEAT_NONE, {7, 0, 0, 0}}, {0x18, 1, FEAT_NONE, {0, 0x00080001, 16, 0x4022}},
     {0x18, 2, FEAT_NONE, {0, 0x00080006, 2, 0x4022}}, {0x18, 3, FEAT_NONE, {0, 0x00040001, 16, 0x4021}},
     {0x18, 4, FEAT_NONE, {0, 0x00040006, 8, 0x4021}}, {0x18, 5, FEAT_NONE, {0, 0x00080008, 1, 0x4021}},
     {0x18, 6, FEAT_NONE, {0, 0x00080007, 128, 0x4043}}, {0x18, 7, FEAT_NONE, {0, 0x00080009, 128, 0x4043}});
ROWS(zen, LEAF(0x80000005, 0xff40ff40, 0xff40ff40, 0, 0), LEAF(0x80000006, 0x26006400, 0x66006400, 0, 0x8140),
     LEAF(0x8000001a, 3, 0, 0, 0), MONITOR_LINE);
ROWS(zen3, LEAF(0x80000001, 0, 0x40000000, 0, 0), LEAF(0x80000005, 0xff40ff40, 0xff40ff40, 0, 0),
     LEAF(0x80000006, 0x48002200, 0x68004200, 0, 0x9140),
     LEAF(0x80000019, 0xf040f040, 0xf0400000, 0, 0), LEAF(0x8000001a, 6, 0, 0, 0), MONITOR_LINE);
ROWS(zen4, LEAF(0x80000001, 0, 0x40000000, 0, 0), LEAF(0x80000005, 0xff48ff40, 0xff48ff40, 0, 0),
     LEAF(0x80000006, 0x5c002200, 0x6c004200, 0, 0x9140),
     LEAF(0x80000019, 0xf048f040, 0xf0400000, 0, 0), LEAF(0x8000001a, 6, 0, 0, 0), MONITOR_LINE);

#define IDENTITY(v, fam, mod, step, width) \
  .vendor = VENDOR_##v, .family = fam, .model = mod, .stepping = step, .maxphyaddr = width
#define LEAVES(basic, extended, caches_name, rows_name) \
  .max_basic = basic, .max_extended = extended, .caches = caches_##caches_name, .rows = rows_##rows_name
#define IDENTITY_MAX IDENTITY(INTEL, 6, 0x6a, 6, 46), LEAVES(0x1b, 0x80000008, icelake, icelake), .topology = true
#define IDENTITY_AMD IDENTITY(AMD, 0x19, 0x11, 1, 52), LEAVES(0x10, 0x80000028, zen4, zen4), .topology = true

/* Without FMA and F16C, and what needs them. */
#define NOT(f) .has[FEAT_##f] = 0
#define NOT_FUSED                                                                                          \
  NOT(FMA), NOT(F16C), NOT(AVX512F), NOT(AVX512DQ), NOT(AVX512IFMA), NOT(AVX512CD), NOT(AVX512BW),         \
  NOT(AVX512VL), NOT(AVX512_VBMI), NOT(AVX512_VBMI2), NOT(AVX512_VNNI), NOT(AVX512_BITALG),                \
  NOT(AVX512_VPOPCNTDQ), NOT(AVX512_BF16)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init" /* what is taken away was listed */
static const struct cpu_model lesser_max = {.name = "max", .description = "Intel, all that this machine can emulate",
  .brand = "ringwalk Intel 64 processor", IDENTITY_MAX, MAX_INTEL, NOT_FUSED};
static const struct cpu_model lesser_amd = {.name = "amd", .description = "AMD, all that this machine can emulate",
  .brand = "ringwalk AMD64 processor", IDENTITY_AMD, MAX_AMD, NOT_FUSED};
#pragma GCC diagnostic pop

/* The identities are those of real processors that follow their vendor's column of rules.def, or say by a CPUID bit
 * or in `unlike` where not. Brand strings leave out the frequency that Intel's end with: ours is the TSC's. */
static const struct cpu_model models[] = {
  {.name = "max", .description = "Intel, all that is emulated", .brand = "ringwalk Intel 64 processor",
   .instead = &lesser_max, IDENTITY_MAX, MAX_INTEL},
  {.name = "amd", .description = "AMD, all that is emulated", .brand = "ringwalk AMD64 processor",
   .instead = &lesser_amd, IDENTITY_AMD, MAX_AMD},
  {.name = "x86-64", .description = "Intel, 64 bits with SSE2", .brand = "ringwalk Intel 64 processor",
   IDENTITY(INTEL, 6, 0x55, 4, 46), LEAVES(0x16, 0x80000008, skylake_server, baseline), .topology = true,
   BASELINE_64, HAS(PCID), HAS(INVPCID), HAS(PKU)},
  {.name = "x86-64-amd", .description = "AMD, 64 bits with SSE2", .brand = "ringwalk AMD64 processor",
   IDENTITY(AMD, 0x17, 1, 1, 48), LEAVES(0xd, 0x8000001e, zen, zen),
   BASELINE_64, HAS(CR8_LEGACY), HAS(TOPOEXT), HAS(MMXEXT), HAS(NO_LMSLE)},
  {.name = "pentium", .description = "Pentium, 1994 (P54C)", IDENTITY(INTEL, 5, 2, 12, 32),
   LEAVES(1, 0, pentium, pentium), PENTIUM, .unlike[RULE_FOP_ALWAYS] = 1},
  /* SDM 2B SYSENTER: the Pentium Pro's SEP bit is set, and it has no SYSENTER. */
  {.name = "i686", .description = "Pentium Pro, 1995", IDENTITY(INTEL, 6, 1, 9, 36),
   LEAVES(2, 0, i686, i686), I686, .claims[FEAT_SEP] = 1, .unlike[RULE_FOP_ALWAYS] = 1},
  {.name = "core2", .description = "Core 2, 2006 (Conroe)", .brand = "Intel(R) Core(TM)2 CPU          6420",
   IDENTITY(INTEL, 6, 0x0f, 6, 36), LEAVES(0xa, 0x80000008, core2, core2), CORE2},
  {.name = "nehalem", .description = "Core i7, 2008 (Bloomfield)", .brand = "Intel(R) Core(TM) i7 CPU         920",
   IDENTITY(INTEL, 6, 0x1a, 4, 36), LEAVES(0xb, 0x80000008, nehalem, nehalem), .topology = true, NEHALEM},
  {.name = "haswell", .description = "Core i7, 2013 (Haswell)", .brand = "Intel(R) Core(TM) i7-4770 CPU",
   IDENTITY(INTEL, 6, 0x3c, 3, 39), LEAVES(0xd, 0x80000008, haswell, haswell), .topology = true, HASWELL},
  {.name = "skylake-server", .description = "Xeon, 2017 (Skylake-SP)", .brand = "Intel(R) Xeon(R) Silver 4114 CPU",
   IDENTITY(INTEL, 6, 0x55, 4, 46), LEAVES(0x16, 0x80000008, skylake_server, skylake_server), .topology = true,
   SKYLAKE_SERVER, NO(MPX)},
  {.name = "icelake", .description = "Xeon, 2021 (Ice Lake-SP)", .brand = "Intel(R) Xeon(R) Platinum 8380 CPU",
   IDENTITY(INTEL, 6, 0x6a, 6, 46), LEAVES(0x1b, 0x80000008, icelake, icelake), .topology = true, ICELAKE},
  {.name = "zen3", .description = "EPYC, 2021 (Milan)", .brand = "AMD EPYC 7713 64-Core Processor",
   IDENTITY(AMD, 0x19, 1, 1, 48), LEAVES(0x10, 0x80000023, zen3, zen3), .topology = true,
   ZEN3, NO(INVLPGB), NO(MCOMMIT)},
  {.name = "zen4", .description = "EPYC, 2022 (Genoa)", .brand = "AMD EPYC 9654 96-Core Processor",
   IDENTITY(AMD, 0x19, 0x11, 1, 52), LEAVES(0x10, 0x80000028, zen4, zen4), .topology = true, ZEN4, NO(INVLPGB)},
};

/* The model, or what is instead of it on this host. */
static const struct cpu_model *here(const struct cpu_model *m) {
  return m->instead && model_host_lacks(m) ? m->instead : m;
}

const struct cpu_model *model_at(unsigned i) { return i < ARRAY_SIZE(models) ? here(&models[i]) : NULL; }

const struct cpu_model *model_find(const char *name) {
  enum vendor vendor;
  if (!vendor_parse(name, &vendor)) return model_default(vendor);
  for (unsigned i = 0; i < ARRAY_SIZE(models); i++)
    if (!strcasecmp(models[i].name, name)) return here(&models[i]);
  return NULL;
}

const struct cpu_model *model_default(enum vendor vendor) {
  for (unsigned i = 0; i < ARRAY_SIZE(models); i++)
    if (models[i].vendor == vendor) return here(&models[i]);
  return NULL;
}

const char *feature_not_emulated(enum feature f) { return not_emulated[f]; }

const char *vendor_name(enum vendor vendor) { return vendor == VENDOR_AMD ? "amd" : "intel"; }

int vendor_parse(const char *s, enum vendor *out) {
  for (int v = 0; v < VENDOR_COUNT; v++)
    if (!strcasecmp(s, vendor_name((enum vendor)v))) {
      *out = (enum vendor)v;
      return 0;
    }
  return -1;
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

/* CPUID reaches as far as the leaves of what the model has. */
static void reach(struct cpu_model *m, u32 leaf) {
  u32 *last = leaf >> 31 ? &m->max_extended : &m->max_basic;
  if (*last < leaf) *last = leaf;
}

static void gain(struct cpu_model *m, enum feature f) {
  m->has[f] = 1;
  m->claims[f] = m->lacks[f] = 0;
  reach(m, feature_rows[f].leaf);
  if (f == FEAT_XSAVE) reach(m, 0xd);
  if (f == FEAT_MONITOR) reach(m, 5);
  if (f == FEAT_LM) reach(m, 0x80000008);
  /* SDM 3A 4.1.4 (Enumeration of Paging Features by CPUID): with PAE the width is 36 bits at least. */
  if (f == FEAT_PAE && m->maxphyaddr < 36) m->maxphyaddr = 36;
  if (f == FEAT_TOPOEXT) reach(m, 0x8000001e);
}

static bool add_feature(struct cpu_model *m, enum feature f) {
  if (!vendor_has(m, f)) return false;
  gain(m, f);
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
  const char *baseline = v == VENDOR_AMD ? "x86-64-amd" : "x86-64";
  const struct cpu_model *like = m->has[FEAT_XSAVE] ? model_default(v) : model_find(baseline);
  struct cpu_model old = *m;
  unsigned had = 1u << m->vendor;
  *m = *like;
  m->name = old.name;
  m->description = old.description;
  m->maxphyaddr = old.maxphyaddr;
  memcpy(m->has, old.has, sizeof m->has);
  memcpy(m->lost_with, old.lost_with, sizeof m->lost_with);
  for (int f = 0; f < FEAT_COUNT; f++)
    if (m->has[f]) gain(m, (enum feature)f);
  for (int f = 0; f < FEAT_COUNT; f++) {
    if (m->has[f] && !vendor_has(m, (enum feature)f)) remove_feature(m, (enum feature)f);
    if (like->has[f] && !(feature_rows[f].vendors & had)) gain(m, (enum feature)f);
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
    for (int k = 0; k < 2 && !not_emulated[f]; k++) {
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
  if (on && not_emulated[f]) return fail(err, n, "CPU feature '%s' is not emulated: %s", word, not_emulated[f]);
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
  for (int f = 0; f < FEAT_COUNT; f++) /* Linux knows better, too: init_intel() */
    if (m->claims[f] && feature_rows[f].leaf == 1) out[CPUID_EDX] &= ~(1u << feature_rows[f].bit);
  return out[CPUID_EDX];
}

u32 model_hwcap2(const struct cpu_model *m) { return m->has[FEAT_FSGSBASE] ? 1u << 1 : 0; }
