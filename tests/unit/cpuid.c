/* The processor models: feature bits where the manuals have them, every CPUID leaf, and the `-cpu` option.
 * SDM 2A (CPUID), APM 3 appendix E (Obtaining Processor Information Via the CPUID Instruction). */
#include <check.h>
#include <stdio.h>
#include <string.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/bits.h"
#include "msr/model.h"
#include "msr/msr.h"
#include "tests/unit/baseline.h"

enum { A, B, C, D };

static void cpuid(const struct cpu_model *m, u32 leaf, u32 subleaf, u32 out[4]) {
  struct cpuid_dynamic dyn = cpuid_dynamic_reset(m);
  cpuid_leaf(m, &dyn, leaf, subleaf, out);
}

static u32 reg(const struct cpu_model *m, u32 leaf, u32 subleaf, int r) {
  u32 out[4];
  cpuid(m, leaf, subleaf, out);
  return out[r];
}

static struct cpu_model with(const char *name, const int *features, size_t n) {
  struct cpu_model m = *model_find(name);
  for (size_t i = 0; i < n; i++) m.has[features[i]] = 1;
  return m;
}
#define WITH(name, ...) with(name, (const int[]){__VA_ARGS__}, ARRAY_SIZE(((const int[]){__VA_ARGS__})))

/* Which bit is which feature: from SDM 2A CPUID (Feature Information Returned in the ECX and EDX Registers)
 * and the leaves' own descriptions, and from APM 3 E.3 and E.4. */
START_TEST(feature_bits_are_the_documented_ones) {
  static const struct {
    int f;
    u32 leaf, sub;
    int r, bit;
  } rows[] = {
    {FEAT_FPU, 1, 0, D, 0}, {FEAT_VME, 1, 0, D, 1}, {FEAT_DE, 1, 0, D, 2}, {FEAT_PSE, 1, 0, D, 3},
    {FEAT_TSC, 1, 0, D, 4}, {FEAT_MSR, 1, 0, D, 5}, {FEAT_PAE, 1, 0, D, 6}, {FEAT_MCE, 1, 0, D, 7},
    {FEAT_CX8, 1, 0, D, 8}, {FEAT_APIC, 1, 0, D, 9}, {FEAT_SEP, 1, 0, D, 11}, {FEAT_MTRR, 1, 0, D, 12},
    {FEAT_PGE, 1, 0, D, 13}, {FEAT_MCA, 1, 0, D, 14}, {FEAT_CMOV, 1, 0, D, 15}, {FEAT_PAT, 1, 0, D, 16},
    {FEAT_PSE36, 1, 0, D, 17}, {FEAT_CLFSH, 1, 0, D, 19}, {FEAT_MMX, 1, 0, D, 23}, {FEAT_FXSR, 1, 0, D, 24},
    {FEAT_SSE, 1, 0, D, 25}, {FEAT_SSE2, 1, 0, D, 26}, {FEAT_HTT, 1, 0, D, 28},
    {FEAT_SSE3, 1, 0, C, 0}, {FEAT_PCLMULQDQ, 1, 0, C, 1}, {FEAT_MONITOR, 1, 0, C, 3}, {FEAT_VMX, 1, 0, C, 5},
    {FEAT_SSSE3, 1, 0, C, 9}, {FEAT_FMA, 1, 0, C, 12}, {FEAT_CX16, 1, 0, C, 13}, {FEAT_PCID, 1, 0, C, 17},
    {FEAT_SSE41, 1, 0, C, 19}, {FEAT_SSE42, 1, 0, C, 20},
    {FEAT_X2APIC, 1, 0, C, 21}, {FEAT_MOVBE, 1, 0, C, 22},
    {FEAT_POPCNT, 1, 0, C, 23}, {FEAT_TSC_DEADLINE, 1, 0, C, 24}, {FEAT_AES, 1, 0, C, 25},
    {FEAT_XSAVE, 1, 0, C, 26}, {FEAT_AVX, 1, 0, C, 28}, {FEAT_F16C, 1, 0, C, 29}, {FEAT_RDRAND, 1, 0, C, 30},
    {FEAT_FSGSBASE, 7, 0, B, 0}, {FEAT_TSC_ADJUST, 7, 0, B, 1},
    {FEAT_BMI1, 7, 0, B, 3}, {FEAT_AVX2, 7, 0, B, 5},
    {FEAT_SMEP, 7, 0, B, 7}, {FEAT_BMI2, 7, 0, B, 8}, {FEAT_ERMS, 7, 0, B, 9}, {FEAT_INVPCID, 7, 0, B, 10},
    {FEAT_AVX512F, 7, 0, B, 16}, {FEAT_RDSEED, 7, 0, B, 18},
    {FEAT_ADX, 7, 0, B, 19}, {FEAT_SMAP, 7, 0, B, 20},
    {FEAT_CLFLUSHOPT, 7, 0, B, 23}, {FEAT_CLWB, 7, 0, B, 24}, {FEAT_SHA, 7, 0, B, 29},
    {FEAT_UMIP, 7, 0, C, 2}, {FEAT_PKU, 7, 0, C, 3}, {FEAT_CET_SS, 7, 0, C, 7}, {FEAT_LA57, 7, 0, C, 16},
    {FEAT_RDPID, 7, 0, C, 22}, {FEAT_CET_IBT, 7, 0, D, 20}, {FEAT_SPEC_CTRL, 7, 0, D, 26},
    {FEAT_FRED, 7, 1, A, 17}, {FEAT_LKGS, 7, 1, A, 18},
    {FEAT_XSAVEOPT, 0xd, 1, A, 0}, {FEAT_XSAVEC, 0xd, 1, A, 1}, {FEAT_XSAVES, 0xd, 1, A, 3},
    {FEAT_LAHF64, 0x80000001, 0, C, 0}, {FEAT_SVM, 0x80000001, 0, C, 2}, {FEAT_LZCNT, 0x80000001, 0, C, 5},
    {FEAT_SSE4A, 0x80000001, 0, C, 6}, {FEAT_PREFETCHW, 0x80000001, 0, C, 8},
    {FEAT_TCE, 0x80000001, 0, C, 17},
    {FEAT_TOPOEXT, 0x80000001, 0, C, 22}, {FEAT_SYSCALL, 0x80000001, 0, D, 11},
    {FEAT_NX, 0x80000001, 0, D, 20},
    {FEAT_MMXEXT, 0x80000001, 0, D, 22}, {FEAT_FFXSR, 0x80000001, 0, D, 25},
    {FEAT_PDPE1GB, 0x80000001, 0, D, 26},
    {FEAT_RDTSCP, 0x80000001, 0, D, 27}, {FEAT_LM, 0x80000001, 0, D, 29}, {FEAT_INVTSC, 0x80000007, 0, D, 8},
    {FEAT_AUTOIBRS, 0x80000021, 0, A, 8},
  };
  for (unsigned k = 0; k < 2; k++)
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
      const struct feature_row *row = &feature_rows[rows[i].f];
      struct cpu_model none = *model_default((enum vendor)k), one;
      if (!(row->vendors >> none.vendor & 1)) continue;
      memset(none.has, 0, sizeof none.has);
      one = none;
      one.has[rows[i].f] = 1;
      u32 lacks[4], has[4];
      struct cpuid_dynamic dyn = cpuid_dynamic_reset(&one);
      dyn.code64 = true;
      cpuid_leaf(&none, &dyn, rows[i].leaf, rows[i].sub, lacks);
      cpuid_leaf(&one, &dyn, rows[i].leaf, rows[i].sub, has);
      ck_assert_msg(!(lacks[rows[i].r] >> rows[i].bit & 1), "%s", row->name);
      ck_assert_msg(has[rows[i].r] >> rows[i].bit & 1, "%s", row->name);
    }
}
END_TEST

/* What the 64-bit baseline has, whole registers: the bits listed by hand from the same tables. */
START_TEST(feature_registers_of_the_baseline) {
  const u32 leaf1 = 0x078bfbff; /* 0-9, 11-17, 19, 23-26 */
  const u32 ext = 1u << 11 | 1u << 20 | 1u << 26 | 1u << 27 | 1u << 29;
  const u32 ecx1[2] = {1u << 13 | 1u << 17 /* PCID */, 1u << 13};
  const u32 ebx7[2] = {1 | 1u << 7 | 1u << 10 | 1u << 20, 1 | 1u << 7 | 1u << 20}; /* SMEP, INVPCID, SMAP */
  for (unsigned k = 0; k < 2; k++) {
    const struct cpu_model *m = baseline(k);
    ck_assert_uint_eq(reg(m, 1, 0, D), leaf1);
    ck_assert_uint_eq(reg(m, 1, 0, C), ecx1[k]);
    ck_assert_uint_eq(reg(m, 7, 0, A), 0);
    ck_assert_uint_eq(reg(m, 7, 0, B), ebx7[k]);
    ck_assert_uint_eq(reg(m, 7, 0, C), k ? 0 : 1u << 3); /* PKU */
    ck_assert_uint_eq(reg(m, 7, 0, D), 0);
    ck_assert_uint_eq(reg(m, 7, 1, B), 0);
    ck_assert_uint_eq(model_hwcap(m), leaf1);
    ck_assert_uint_eq(model_hwcap2(m), 2); /* Linux: HWCAP2_FSGSBASE */
  }
  ck_assert_uint_eq(reg(baseline(0), 0x80000001, 0, C), 1);
  ck_assert_uint_eq(reg(baseline(0), 0x80000001, 0, D), ext);
  ck_assert_uint_eq(reg(baseline(1), 0x80000001, 0, C), 1 | 1u << 4 | 1u << 22);
  /* APM 3 E.4.2: bits 0-9, 12-17, 23 and 24 repeat leaf 1 */
  ck_assert_uint_eq(reg(baseline(1), 0x80000001, 0, D), ext | 1u << 22 | (leaf1 & 0x0183f3ff));
}
END_TEST

START_TEST(no_two_features_share_a_bit) {
  for (int f = 0; f < FEAT_COUNT; f++) {
    const struct feature_row *a = &feature_rows[f];
    ck_assert(a->bit < 32 && a->reg < 4 && a->vendors && *a->name && *a->cite);
    for (int g = 0; g < f; g++) {
      const struct feature_row *b = &feature_rows[g];
      ck_assert_msg(strcmp(a->name, b->name) && strcmp(a->id, b->id), "%s", a->name);
      ck_assert_msg(a->leaf != b->leaf || a->subleaf != b->subleaf || a->reg != b->reg || a->bit != b->bit,
                    "%s and %s", a->name, b->name);
    }
  }
}
END_TEST

START_TEST(models_have_what_their_features_need) {
  static const struct {
    int f, needs;
  } pairs[] = {
#define NEEDS(f, other) {FEAT_##f, FEAT_##other},
#include "msr/features.def"
#undef NEEDS
  };
  const struct cpu_model *m;
  for (unsigned k = 0; (m = model_at(k)); k++) {
    for (unsigned i = 0; i < ARRAY_SIZE(pairs); i++)
      ck_assert_msg(!m->has[pairs[i].f] || m->has[pairs[i].needs], "%s: %s", m->name,
                    feature_rows[pairs[i].f].name);
    for (int f = 0; f < FEAT_COUNT; f++)
      ck_assert_msg(!m->has[f] || (feature_rows[f].vendors >> m->vendor & 1), "%s: %s", m->name,
                    feature_rows[f].name);
    ck_assert(!m->brand || strlen(m->brand) < 48);
    ck_assert_ptr_eq(model_find(m->name), m);
    ck_assert(!m->has[FEAT_HYPERVISOR] && model_has(m, FEAT_NONE));
  }
}
END_TEST

/* On an x86 host: where the kernel lists a feature of our name, the processor has our bit. */
START_TEST(host_agrees_about_feature_bits) {
#if defined(__x86_64__)
  /* names that Linux sets on other grounds than the bit */
  static const char *const synthetic[] = {"nonstop_tsc", "arat", "lfence_rdtsc", "ibpb",
                                         "ibrs", "stibp", "ssbd"};
  static char line[16384];
  unsigned compared = 0, r[4], vendor[4];
  FILE *f = fopen("/proc/cpuinfo", "r");
  if (!f) return;
  while (fgets(line, sizeof line, f) && strncmp(line, "flags", 5)) line[0] = 0;
  fclose(f);
  __cpuid(0, vendor[0], vendor[1], vendor[2], vendor[3]);
  unsigned host = 0;
  if (vendor[1] == signature_AMD_ebx) host = VENDORS_AMD;
  if (vendor[1] == signature_INTEL_ebx) host = VENDORS_INTEL;
  for (int i = 0; i < FEAT_COUNT && line[0]; i++) {
    const struct feature_row *row = &feature_rows[i];
    char word[64];
    bool skip = !(row->vendors & host);
    snprintf(word, sizeof word, " %s ", row->name);
    for (unsigned k = 0; k < ARRAY_SIZE(synthetic); k++) skip |= !strcmp(row->name, synthetic[k]);
    if (skip || !strstr(line, word)) continue;
    __cpuid_count(row->leaf, row->subleaf, r[0], r[1], r[2], r[3]);
    ck_assert_msg(r[row->reg] >> row->bit & 1, "%s", row->name);
    compared++;
  }
  ck_assert_msg(!host || !line[0] || compared > 20, "%u compared", compared);
#endif
}
END_TEST

START_TEST(vendor_and_signature) {
  u32 r[4];
  cpuid(baseline(0), 0, 0, r);
  ck_assert_mem_eq(&r[B], "Genu", 4);
  ck_assert_mem_eq(&r[D], "ineI", 4);
  ck_assert_mem_eq(&r[C], "ntel", 4);
  ck_assert_uint_eq(r[A], 0x16);
  ck_assert_uint_eq(reg(baseline(0), 0x80000000, 0, A), 0x80000008);
  ck_assert_uint_eq(reg(baseline(0), 0x80000000, 0, B), 0);
  for (u32 leaf = 0;; leaf = 0x80000000) {
    cpuid(baseline(1), leaf, 0, r);
    ck_assert_mem_eq(&r[B], "Auth", 4);
    ck_assert_mem_eq(&r[D], "enti", 4);
    ck_assert_mem_eq(&r[C], "cAMD", 4);
    ck_assert_uint_eq(r[A], leaf ? 0x8000001e : 0xd);
    if (leaf) break;
  }
  /* the signatures of Skylake-SP stepping 4 and of a family 17h model 01h stepping 1 */
  ck_assert_uint_eq(reg(baseline(0), 1, 0, A), 0x00050654);
  ck_assert_uint_eq(reg(baseline(1), 1, 0, A), 0x00800f11);
  ck_assert_uint_eq(reg(baseline(1), 0x80000001, 0, A), 0x00800f11);
  ck_assert_uint_eq(reg(baseline(0), 0x80000001, 0, A), 0);
}
END_TEST

START_TEST(brand_string) {
  const struct cpu_model *m;
  for (unsigned k = 0; (m = model_at(k)); k++) {
    char text[49] = "";
    ck_assert_int_eq(m->brand != NULL, m->max_extended != 0);
    for (u32 i = 0; m->brand && i < 3; i++) {
      u32 r[4];
      cpuid(m, 0x80000002 + i, 0, r);
      memcpy(text + 16 * i, r, 16);
    }
    if (m->brand) ck_assert_str_eq(text, m->brand);
  }
}
END_TEST

/* SDM 2A CPUID: beyond the last leaf, the data of the highest basic leaf; APM 3 CPUID: zeros. */
START_TEST(leaves_out_of_range) {
  static const u32 leaves[] = {0x17, 0x40000000, 0x7fffffff, 0x80000022, 0xffffffff};
  for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
    u32 r[4], last[4];
    cpuid(baseline(0), leaves[i], 0, r);
    cpuid(baseline(0), 0x16, 0, last);
    ck_assert_mem_eq(r, last, sizeof r);
    ck_assert_uint_ne(r[A], 0);
    cpuid(baseline(1), leaves[i], 0, r);
    ck_assert(!(r[A] | r[B] | r[C] | r[D]));
  }
  u32 r[4];
  cpuid(baseline(1), 0xe, 0, r);
  ck_assert(!(r[A] | r[B] | r[C] | r[D]));
}
END_TEST

/* SDM 2A CPUID: OSXSAVE and OSPKE mirror CR4, APIC its base's enable bit, SYSCALL (intel) 64-bit mode. */
START_TEST(bits_that_follow_the_processor) {
  u32 r[4];
  for (unsigned k = 0; k < 2; k++) {
    struct cpu_model m = WITH(baseline(k)->name, FEAT_XSAVE, FEAT_PKU);
    struct cpuid_dynamic dyn = cpuid_dynamic_reset(&m);
    dyn.apic_id = 0x5a;
    cpuid_leaf(&m, &dyn, 1, 0, r);
    ck_assert(!(r[C] & 1u << 27) && (r[D] & 1u << 9));
    ck_assert_uint_eq(r[B], 0x5a010800);
    dyn.cr4 = BIT(18) | BIT(22);
    dyn.apic_base &= ~APIC_BASE_EN;
    cpuid_leaf(&m, &dyn, 1, 0, r);
    ck_assert((r[C] & 1u << 27) && !(r[D] & 1u << 9));
    cpuid_leaf(&m, &dyn, 7, 0, r);
    ck_assert_uint_eq(r[C], 1u << 3 | 1u << 4);
    dyn.cr4 = 0;
    cpuid_leaf(&m, &dyn, 7, 0, r);
    ck_assert_uint_eq(r[C], 1u << 3);
    dyn.cr4 = BIT(18) | BIT(22);
    cpuid_leaf(baseline(k), &dyn, 1, 0, r);
    ck_assert(!(r[C] & 1u << 27));
    cpuid_leaf(baseline(k), &dyn, 7, 0, r);
    ck_assert_uint_eq(r[C], baseline(k)->has[FEAT_PKU] ? 1u << 3 | 1u << 4 : 0);
    dyn.code64 = false;
    cpuid_leaf(&m, &dyn, 0x80000001, 0, r);
    ck_assert_uint_eq(r[D] >> 11 & 1, m.vendor == VENDOR_AMD);
  }
}
END_TEST

/* SDM 4 2.1 (Architectural MSRs: IA32_MISC_ENABLE): bits 18, 22 and 34 change what CPUID shows. */
START_TEST(misc_enable_changes_cpuid) {
  u32 r[4];
  struct cpu_model m = WITH("x86-64", FEAT_MONITOR);
  struct cpuid_dynamic dyn = cpuid_dynamic_reset(&m);
  cpuid_leaf(&m, &dyn, 1, 0, r);
  ck_assert(r[C] & 1u << 3);
  dyn.misc_enable = MISC_ENABLE_LIMIT_CPUID | MISC_ENABLE_XD_DISABLE;
  cpuid_leaf(&m, &dyn, 1, 0, r);
  ck_assert(!(r[C] & 1u << 3));
  cpuid_leaf(&m, &dyn, 0, 0, r);
  ck_assert_uint_eq(r[A], 2);
  cpuid_leaf(&m, &dyn, 0x80000001, 0, r);
  ck_assert(!(r[D] & 1u << 20));
  cpuid_leaf(baseline(1), &dyn, 0x80000001, 0, r);
  ck_assert(r[D] & 1u << 20);
}
END_TEST

START_TEST(address_sizes_and_frequency) {
  ck_assert_uint_eq(reg(baseline(0), 0x80000008, 0, A), 48 << 8 | 46);
  ck_assert_uint_eq(reg(baseline(1), 0x80000008, 0, A), 48 << 8 | 48);
  struct cpu_model m = WITH("x86-64", FEAT_LA57);
  ck_assert_uint_eq(reg(&m, 0x80000008, 0, A), 57 << 8 | 46);
  u32 r[4];
  cpuid(baseline(0), 0x15, 0, r); /* the TSC counts nanoseconds */
  ck_assert_uint_eq((u64)r[C] * r[B] / r[A], 1000000000);
  ck_assert_uint_eq(reg(baseline(0), 0x16, 0, A), 1000);
}
END_TEST

/* SDM 1 13.4 (XSAVE Area): 832 bytes with AVX; AVX-512 and PKRU end at 2696. On amd PKRU is at 2432, with AVX-512
 * (family 19h model 11h) and without (model 01h): Fn0000_000D_x09 of both. */
START_TEST(extended_state) {
  u32 r[4];
  struct cpu_model m = WITH("x86-64", FEAT_XSAVE, FEAT_AVX, FEAT_AVX512F, FEAT_PKU, FEAT_XSAVEC);
  struct cpuid_dynamic dyn = cpuid_dynamic_reset(&m);
  cpuid_leaf(&m, &dyn, 0xd, 0, r);
  ck_assert(r[A] == 0x2e7 && r[B] == 576 && r[C] == 2696 && r[D] == 0);
  dyn.xcr0 = 7;
  cpuid_leaf(&m, &dyn, 0xd, 0, r);
  ck_assert_uint_eq(r[B], 832);
  dyn.xcr0 = 0x207;
  cpuid_leaf(&m, &dyn, 0xd, 0, r);
  ck_assert_uint_eq(r[B], 2696);
  cpuid_leaf(&m, &dyn, 0xd, 1, r);
  ck_assert(r[A] == 2 && r[B] == 840);
  cpuid_leaf(&m, &dyn, 0xd, 7, r);
  ck_assert(r[A] == 1024 && r[B] == 1664 && r[C] == 0);
  cpuid_leaf(&m, &dyn, 0xd, 3, r);
  ck_assert(r[A] == 0 && r[B] == 0);
  m = WITH("x86-64-amd", FEAT_XSAVE, FEAT_AVX, FEAT_PKU);
  cpuid_leaf(&m, &dyn, 0xd, 9, r);
  ck_assert(r[A] == 8 && r[B] == 2432);
  m.has[FEAT_AVX512F] = 1;
  cpuid_leaf(&m, &dyn, 0xd, 9, r);
  ck_assert(r[A] == 8 && r[B] == 2432);
  cpuid(baseline(0), 0xd, 0, r);
  ck_assert(!(r[A] | r[B] | r[C] | r[D]));
}
END_TEST

static void parse_fails(const char *spec, const char *message) {
  struct cpu_model m;
  char err[200] = "";
  ck_assert_msg(model_parse(spec, &m, err, sizeof err) == -1, "%s", spec);
  ck_assert_str_eq(err, message);
}

START_TEST(parse_errors_are_precise) {
  char err[8];
  struct cpu_model m;
  parse_fails("foo", "unknown CPU model 'foo'; known models: max, amd, x86-64, x86-64-amd, pentium, i686, core2, "
                     "nehalem, haswell, skylake-server, icelake, zen3, zen4");
  parse_fails("", "the CPU model's name is missing");
  parse_fails(",+sse", "the CPU model's name is missing");
  parse_fails("intel,", "an empty CPU option");
  parse_fails("intel,,+sse", "an empty CPU option");
  parse_fails("intel,sse2", "CPU option 'sse2' does not begin with + or -: write +sse2 or -sse2");
  parse_fails("intel,+", "a CPU feature name is missing after '+'");
  parse_fails("intel,+sse22", "unknown CPU feature 'sse22'; did you mean 'sse2'?");
  parse_fails("amd,-rdtsc", "unknown CPU feature 'rdtsc'; did you mean 'rdtscp'?");
  parse_fails("intel,+mmxext", "CPU feature 'mmxext' does not exist on vendor intel");
  parse_fails("haswell,+rtm", "CPU feature 'rtm' is not emulated: there are no transactions");
  parse_fails("intel,+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
              "the name '+aaaaaaaaaaaaaaaaaaa...' in the CPU model is too long");
  ck_assert_int_eq(model_parse("nothing", &m, err, sizeof err), -1);
  ck_assert_str_eq(err, "unknown");
}
END_TEST

START_TEST(parse_keeps_features_consistent) {
  struct cpu_model m;
  char err[200];
  ck_assert_int_eq(model_parse("INTEL,-sse", &m, err, sizeof err), 0);
  ck_assert(!m.has[FEAT_SSE] && !m.has[FEAT_SSE2] && m.has[FEAT_MMX]);
  ck_assert_int_eq(model_parse("amd,-MMX,+MMXEXT", &m, err, sizeof err), 0);
  ck_assert(m.has[FEAT_MMX] && m.has[FEAT_MMXEXT]);
  ck_assert_int_eq(model_parse("x86-64,-lm", &m, err, sizeof err), 0);
  ck_assert(!m.has[FEAT_LM] && !m.has[FEAT_SYSCALL] && !m.has[FEAT_CX16] && m.has[FEAT_NX]);
  ck_assert_uint_eq(reg(&m, 0x80000008, 0, A), 32 << 8 | 46);
  ck_assert_int_eq(model_parse("intel,-lm,+syscall", &m, err, sizeof err), 0);
  ck_assert(m.has[FEAT_LM] && m.has[FEAT_SYSCALL]);
  ck_assert_int_eq(model_parse("amd,-lm", &m, err, sizeof err), 0);
  ck_assert(!m.has[FEAT_LM] && m.has[FEAT_SYSCALL]); /* amd has SYSCALL in legacy mode */
  ck_assert_int_eq(model_parse("amd,-lahf64,+lahf_lm", &m, err, sizeof err), 0);
  ck_assert(m.has[FEAT_LAHF64]);
}
END_TEST

/* The differences that the transitions read: SDM 2B and APM 3, the instructions' pages. */
START_TEST(vendor_rules) {
  static const struct {
    enum rule r;
    bool intel, amd;
  } rows[] = {
    {RULE_SYSCALL_LEGACY, false, true}, {RULE_SYSENTER_LONG, true, false}, {RULE_SYSENTER_MSR64, true, false},
    {RULE_SYSRET_CANONICAL, true, false}, {RULE_SYSRET_SS_FLAT, true, false},
    {RULE_SYSRET_SS_RPL3, true, false},
    {RULE_NULL_CLEARS_BASE, true, false}, {RULE_FAR_POINTER64, true, false},
    {RULE_NEAR_BRANCH_66, false, true},
  };
  struct cpu_model m = *baseline(0);
  char err[200];
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    ck_assert_int_eq(model_does(baseline(0), rows[i].r), rows[i].intel);
    ck_assert_int_eq(model_does(baseline(1), rows[i].r), rows[i].amd);
  }
  /* A CPUID bit decides where there is one. */
  struct cpu_model later;
  ck_assert_int_eq(model_parse("x86-64-amd,+null_sel_clr_base,+xsaveerptr", &later, err, sizeof err), 0);
  ck_assert(model_does(&later, RULE_NULL_CLEARS_BASE) && model_does(&later, RULE_FX_POINTERS_ALWAYS));
  ck_assert(model_does(model_find("zen4"), RULE_NULL_CLEARS_BASE));
  ck_assert_int_eq(model_parse("zen4,-null_sel_clr_base,-xsaveerptr", &later, err, sizeof err), 0);
  ck_assert(!model_does(&later, RULE_NULL_CLEARS_BASE) && !model_does(&later, RULE_FX_POINTERS_ALWAYS));
  m.unlike[RULE_NULL_CLEARS_BASE] = 1;
  ck_assert(!model_does(&m, RULE_NULL_CLEARS_BASE));
  ck_assert_int_eq(model_for_vendor(&m, "amd", err, sizeof err), 0);
  ck_assert(model_does(&m, RULE_SYSCALL_LEGACY) && !model_does(&m, RULE_NULL_CLEARS_BASE));
  ck_assert(m.has[FEAT_MMXEXT] && m.has[FEAT_NO_LMSLE]);
  ck_assert_uint_eq(reg(&m, 1, 0, A), 0x00800f11);
  ck_assert_int_eq(model_for_vendor(&m, "Intel", err, sizeof err), 0);
  ck_assert(!m.has[FEAT_MMXEXT] && !m.has[FEAT_NO_LMSLE] && !model_does(&m, RULE_SYSCALL_LEGACY));
  ck_assert_int_eq(model_for_vendor(&m, "via", err, sizeof err), -1);
  ck_assert_str_eq(err, "unknown CPU vendor 'via'; known vendors: intel, amd");
  ck_assert_ptr_eq(model_default(VENDOR_INTEL), model_find("intel"));
  ck_assert_ptr_eq(model_default(VENDOR_AMD), model_find("amd"));
}
END_TEST

/* Any leaf and subleaf ends, on any model, without touching more than its four words. */
START_TEST(every_leaf_is_bounded) {
  for (unsigned k = 0; model_at(k); k++)
    for (u32 leaf = 0; leaf < 0x40; leaf++)
      for (u32 sub = 0; sub < 80; sub++) {
        u32 r[6] = {1, 1, 1, 1, 0xabcd, 0xef01};
        cpuid(model_at(k), leaf, sub == 79 ? ~0u : sub, r);
        cpuid(model_at(k), 0x80000000 + leaf, sub == 79 ? ~0u : sub, r);
        ck_assert(r[4] == 0xabcd && r[5] == 0xef01);
      }
}
END_TEST

Suite *suite_cpuid(void);
Suite *suite_cpuid(void) {
  Suite *s = suite_create("cpuid");
  TCase *t = tcase_create("features");
  tcase_add_test(t, feature_bits_are_the_documented_ones);
  tcase_add_test(t, feature_registers_of_the_baseline);
  tcase_add_test(t, no_two_features_share_a_bit);
  tcase_add_test(t, models_have_what_their_features_need);
  tcase_add_test(t, host_agrees_about_feature_bits);
  suite_add_tcase(s, t);
  t = tcase_create("leaves");
  tcase_add_test(t, vendor_and_signature);
  tcase_add_test(t, brand_string);
  tcase_add_test(t, leaves_out_of_range);
  tcase_add_test(t, bits_that_follow_the_processor);
  tcase_add_test(t, misc_enable_changes_cpuid);
  tcase_add_test(t, address_sizes_and_frequency);
  tcase_add_test(t, extended_state);
  tcase_add_test(t, every_leaf_is_bounded);
  suite_add_tcase(s, t);
  t = tcase_create("models");
  tcase_add_test(t, parse_errors_are_precise);
  tcase_add_test(t, parse_keeps_features_consistent);
  tcase_add_test(t, vendor_rules);
  suite_add_tcase(s, t);
  return s;
}
