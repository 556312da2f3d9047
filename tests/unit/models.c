/* The models against the processors that they are named after: signature, feature registers, caches, topology, XSAVE
 * areas, and which model is the default. The values are those of the processors' own CPUID, as their specification
 * updates, programming references and owners publish them; the layouts are of SDM 2A (CPUID) and APM 3 appendix E
 * (Obtaining Processor Information Via the CPUID Instruction). */
#include <check.h>
#include <string.h>

#include "base/bits.h"
#include "base/host_cpu.h"
#include "msr/model.h"

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

static struct cpu_model parsed(const char *spec) {
  struct cpu_model m;
  char err[200] = "";
  ck_assert_msg(!model_parse(spec, &m, err, sizeof err), "%s: %s", spec, err);
  return m;
}

/* Feature registers of the real processors. */
static const struct {
  const char *model;
  u32 leaf, subleaf;
  int r;
  u32 real;
} registers[] = {
  {"pentium", 1, 0, C, 0}, {"pentium", 1, 0, D, 0x000001bf},
  {"i686", 1, 0, C, 0}, {"i686", 1, 0, D, 0x0000fbff},
  {"core2", 1, 0, C, 0x0000e3bd}, {"core2", 1, 0, D, 0xbfebfbff}, {"core2", 6, 0, A, 1}, {"core2", 6, 0, C, 1},
  {"core2", 0x80000001, 0, C, 1}, {"core2", 0x80000001, 0, D, 0x20100800},
  {"nehalem", 1, 0, C, 0x0098e3bd}, {"nehalem", 1, 0, D, 0xbfebfbff}, {"nehalem", 6, 0, A, 3},
  {"nehalem", 6, 0, C, 1}, {"nehalem", 0x80000001, 0, C, 1}, {"nehalem", 0x80000001, 0, D, 0x28100800},
  {"nehalem", 0x80000007, 0, D, 0x100},
  {"haswell", 1, 0, C, 0x77fafbbf}, {"haswell", 1, 0, D, 0xbfebfbff}, {"haswell", 6, 0, A, 0x77},
  {"haswell", 6, 0, C, 9}, {"haswell", 7, 0, B, 0x00002fbb}, {"haswell", 7, 0, C, 0}, {"haswell", 7, 0, D, 0},
  {"haswell", 0xd, 1, A, 1}, {"haswell", 0x80000001, 0, C, 0x21}, {"haswell", 0x80000001, 0, D, 0x2c100800},
  {"haswell", 0x80000007, 0, D, 0x100},
  {"skylake-server", 1, 0, C, 0x77fefbff}, {"skylake-server", 1, 0, D, 0xbfebfbff},
  {"skylake-server", 6, 0, A, 0x77}, {"skylake-server", 6, 0, C, 9}, {"skylake-server", 7, 0, B, 0xd39ffffb},
  {"skylake-server", 7, 0, C, 8}, {"skylake-server", 7, 0, D, 0}, {"skylake-server", 0xd, 1, A, 0xf},
  {"skylake-server", 0x80000001, 0, C, 0x121}, {"skylake-server", 0x80000001, 0, D, 0x2c100800},
  {"skylake-server", 0x80000007, 0, D, 0x100},
  {"icelake", 1, 0, C, 0x77fefbff}, {"icelake", 1, 0, D, 0xbfebfbff}, {"icelake", 7, 0, B, 0xf3bfbfff},
  {"icelake", 7, 0, C, 0x40417f4e}, {"icelake", 7, 0, D, 0xbc040410}, {"icelake", 7, 1, A, 0},
  {"icelake", 0xd, 1, A, 0xf}, {"icelake", 0x80000001, 0, C, 0x121}, {"icelake", 0x80000001, 0, D, 0x2c100800},
  {"icelake", 0x80000008, 0, B, 0x200},
  {"zen3", 1, 0, C, 0x7eda320b}, {"zen3", 1, 0, D, 0x178bfbff}, {"zen3", 6, 0, A, 4}, {"zen3", 6, 0, C, 1},
  {"zen3", 7, 0, B, 0x219c97a9}, {"zen3", 7, 0, C, 0x0040068c}, {"zen3", 7, 0, D, 0x10}, {"zen3", 0xd, 1, A, 0xf},
  {"zen3", 0x80000001, 0, C, 0x75c237ff}, {"zen3", 0x80000001, 0, D, 0x2fd3fbff}, {"zen3", 0x80000007, 0, D, 0x6799},
  {"zen3", 0x80000008, 0, B, 0x91bef75f}, {"zen3", 0x8000001f, 0, A, 0x0001fc3f},
  {"zen3", 0x80000021, 0, A, 0x204d},
  {"zen4", 1, 0, C, 0x7efa320b}, {"zen4", 1, 0, D, 0x178bfbff}, {"zen4", 7, 0, B, 0xf1bf97a9},
  {"zen4", 7, 0, C, 0x00415fce}, {"zen4", 7, 0, D, 0x10000010}, {"zen4", 7, 1, A, 0x20}, {"zen4", 0xd, 1, A, 0xf},
  {"zen4", 0x80000001, 0, C, 0x75c237ff}, {"zen4", 0x80000001, 0, D, 0x2fd3fbff}, {"zen4", 0x80000007, 0, D, 0x6799},
  {"zen4", 0x80000008, 0, B, 0x79bef25f}, {"zen4", 0x8000001f, 0, A, 0x030ffffb},
  {"zen4", 0x80000021, 0, A, 0x00062fcf},
};

/* Each bit that has a row of features.def is as on the real processor: shown, or listed as lacking. */
START_TEST(feature_registers_are_the_real_ones) {
  for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
    const struct cpu_model *m = model_find(registers[i].model);
    ck_assert_ptr_nonnull(m);
    u32 shown = reg(m, registers[i].leaf, registers[i].subleaf, registers[i].r);
    for (int f = 0; f < FEAT_COUNT; f++) {
      const struct feature_row *row = &feature_rows[f];
      bool here = row->leaf == registers[i].leaf && row->subleaf == registers[i].subleaf && row->reg == registers[i].r;
      if (!here || !(row->vendors >> m->vendor & 1)) continue;
      bool real = registers[i].real >> row->bit & 1;
      ck_assert_msg(real == (m->has[f] || m->lacks[f] || m->claims[f]), "%s: %s", m->name, row->name);
      ck_assert_msg((shown >> row->bit & 1) == (m->has[f] || m->claims[f]), "%s shows %s", m->name, row->name);
    }
  }
}
END_TEST

/* What a model lacks says why, what it has has no such reason, and no feature is both or neither. */
START_TEST(every_feature_is_complete_or_says_why_not) {
  const struct cpu_model *m;
  for (unsigned k = 0; (m = model_at(k)); k++)
    for (int f = 0; f < FEAT_COUNT; f++) {
      const char *why = feature_not_emulated((enum feature)f);
      ck_assert_msg(m->has[f] + m->lacks[f] + m->claims[f] <= 1, "%s: %s", m->name, feature_rows[f].name);
      ck_assert_msg(!m->has[f] || !why, "%s has %s", m->name, feature_rows[f].name);
      ck_assert_msg(!m->lacks[f] || why, "%s lacks %s", m->name, feature_rows[f].name);
    }
  for (int f = 0; f < FEAT_COUNT; f++)
    for (unsigned v = 0; v < VENDOR_COUNT; v++) {
      bool may = feature_rows[f].vendors >> v & 1 && !feature_not_emulated((enum feature)f);
      bool host = !model_default((enum vendor)v)->instead && model_host_lacks(&(struct cpu_model){.has[FEAT_FMA] = 1});
      if (host) continue; /* the largest is smaller here */
      /* what the other vendor's processors have and none of this one's */
      bool foreign = v == VENDOR_AMD && (f == FEAT_ZERO_FCS_FDS);
      ck_assert_msg(may == model_default((enum vendor)v)->has[f] || foreign, "%s: %s", vendor_name((enum vendor)v),
                    feature_rows[f].name);
    }
}
END_TEST

START_TEST(signatures_leaves_and_widths) {
  static const struct {
    const char *name;
    u32 signature, basic, extended, widths;
  } rows[] = {
    {"pentium", 0x0000052c, 1, 0, 0},
    {"i686", 0x00000619, 2, 0, 0},
    {"core2", 0x000006f6, 0xa, 0x80000008, 0x3024},
    {"nehalem", 0x000106a4, 0xb, 0x80000008, 0x3024},
    {"haswell", 0x000306c3, 0xd, 0x80000008, 0x3027},
    {"skylake-server", 0x00050654, 0x16, 0x80000008, 0x302e},
    {"icelake", 0x000606a6, 0x1b, 0x80000008, 0x392e},
    {"zen3", 0x00a00f11, 0x10, 0x80000023, 0x3030},
    {"zen4", 0x00a10f11, 0x10, 0x80000028, 0x3934},
  };
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    const struct cpu_model *m = model_find(rows[i].name);
    ck_assert_uint_eq(reg(m, 1, 0, A), rows[i].signature);
    ck_assert_uint_eq(reg(m, 0, 0, A), rows[i].basic);
    if (!rows[i].extended) { /* SDM 2A CPUID: then the answer is that of the highest basic leaf */
      u32 r[4], last[4];
      cpuid(m, 0x80000000, 0, r);
      cpuid(m, rows[i].basic, 0, last);
      ck_assert_mem_eq(r, last, sizeof r);
      continue;
    }
    ck_assert_uint_eq(reg(m, 0x80000000, 0, A), rows[i].extended);
    ck_assert_uint_eq(reg(m, 0x80000008, 0, A), rows[i].widths);
    bool amd = m->vendor == VENDOR_AMD;
    ck_assert_uint_eq(reg(m, 0x80000001, 0, A), amd ? rows[i].signature : 0);
    ck_assert_uint_eq(reg(m, 0x80000001, 0, B), amd ? 0x40000000 : 0);
  }
}
END_TEST

/* Leaf 2 of the real ones, to the word. SDM 2A CPUID (leaf 02H) */
START_TEST(descriptors) {
  static const struct {
    const char *name;
    u32 r[4];
  } rows[] = {
    {"i686", {0x03020101, 0, 0, 0x06040a42}},
    {"core2", {0x05b0b101, 0x005657f0, 0, 0x2cb43049}},
    {"nehalem", {0x55035a01, 0x00f0b2e4, 0, 0x09ca212c}},
    {"haswell", {0x76036301, 0x00f0b5ff, 0, 0x00c10000}},
    {"skylake-server", {0x76036301, 0x00f0b5ff, 0, 0x00c30000}},
    {"icelake", {0x00feff01, 0x000000f0, 0, 0}},
    {"zen3", {0, 0, 0, 0}},
    {"zen4", {0, 0, 0, 0}},
  };
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    u32 r[4];
    cpuid(model_find(rows[i].name), 2, 0, r);
    ck_assert_mem_eq(r, rows[i].r, sizeof r);
  }
}
END_TEST

/* Size in bytes from the layout of leaf 4: SDM 2A CPUID (leaf 04H), APM 3 E.4.15 (Fn8000_001D). */
static u32 cache_size(const u32 r[4]) {
  return ((r[B] >> 22) + 1) * ((r[B] >> 12 & 0x3ff) + 1) * ((r[B] & 0xfff) + 1) * (r[C] + 1);
}

enum { KIB = 1024 };

/* Leaves 4 and 8000001DH: EBX, ECX and EDX of the real ones; EAX but for who shares them, which is nobody. */
START_TEST(caches) {
  static const struct {
    const char *name;
    u32 subleaf, type, level, r[3], size;
  } rows[] = {
    {"core2", 0, 1, 1, {0x01c0003f, 0x3f, 1}, 32 * KIB}, {"core2", 1, 2, 1, {0x01c0003f, 0x3f, 1}, 32 * KIB},
    {"core2", 2, 3, 2, {0x03c0003f, 0xfff, 1}, 4096 * KIB},
    {"nehalem", 0, 1, 1, {0x01c0003f, 0x3f, 0}, 32 * KIB}, {"nehalem", 1, 2, 1, {0x00c0003f, 0x7f, 0}, 32 * KIB},
    {"nehalem", 2, 3, 2, {0x01c0003f, 0x1ff, 0}, 256 * KIB},
    {"nehalem", 3, 3, 3, {0x03c0003f, 0x1fff, 2}, 8192 * KIB},
    {"haswell", 0, 1, 1, {0x01c0003f, 0x3f, 0}, 32 * KIB}, {"haswell", 1, 2, 1, {0x01c0003f, 0x3f, 0}, 32 * KIB},
    {"haswell", 2, 3, 2, {0x01c0003f, 0x1ff, 0}, 256 * KIB},
    {"haswell", 3, 3, 3, {0x03c0003f, 0x1fff, 6}, 8192 * KIB},
    {"skylake-server", 0, 1, 1, {0x01c0003f, 0x3f, 0}, 32 * KIB},
    {"skylake-server", 1, 2, 1, {0x01c0003f, 0x3f, 0}, 32 * KIB},
    {"skylake-server", 2, 3, 2, {0x03c0003f, 0x3ff, 0}, 1024 * KIB},
    {"skylake-server", 3, 3, 3, {0x0280003f, 0x4fff, 4}, 14080 * KIB},
    {"icelake", 0, 1, 1, {0x02c0003f, 0x3f, 0}, 48 * KIB}, {"icelake", 1, 2, 1, {0x01c0003f, 0x3f, 0}, 32 * KIB},
    {"icelake", 2, 3, 2, {0x04c0003f, 0x3ff, 0}, 1280 * KIB},
    {"icelake", 3, 3, 3, {0x02c0003f, 0x13fff, 4}, 60 * 1024 * KIB},
    {"zen3", 0, 1, 1, {0x01c0003f, 0x3f, 0}, 32 * KIB}, {"zen3", 1, 2, 1, {0x01c0003f, 0x3f, 0}, 32 * KIB},
    {"zen3", 2, 3, 2, {0x01c0003f, 0x3ff, 2}, 512 * KIB},
    {"zen3", 3, 3, 3, {0x03c0003f, 0x7fff, 1}, 32 * 1024 * KIB},
    {"zen4", 2, 3, 2, {0x01c0003f, 0x7ff, 2}, 1024 * KIB},
    {"zen4", 3, 3, 3, {0x03c0003f, 0x7fff, 1}, 32 * 1024 * KIB},
  };
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    const struct cpu_model *m = model_find(rows[i].name);
    u32 r[4];
    cpuid(m, m->vendor == VENDOR_AMD ? 0x8000001d : 4, rows[i].subleaf, r);
    ck_assert_msg(r[A] == (rows[i].type | rows[i].level << 5 | 1 << 8), "%s", m->name);
    ck_assert_msg(!memcmp(&r[B], rows[i].r, sizeof rows[i].r), "%s", m->name);
    ck_assert_msg(cache_size(r) == rows[i].size, "%s: %u", m->name, cache_size(r));
  }
}
END_TEST

/* The older leaves about the same caches, and TLBs. APM 3 E.4.4, E.4.5, E.4.12; SDM 2A CPUID (leaf 80000006H). L3 is
 * one complex's. */
START_TEST(caches_by_older_leaves) {
  static const struct {
    const char *name;
    u32 leaf, r[4];
  } rows[] = {
    {"core2", 0x80000006, {0, 0, 0x10008040, 0}},
    {"nehalem", 0x80000006, {0, 0, 0x01006040, 0}},
    {"haswell", 0x80000006, {0, 0, 0x01006040, 0}},
    {"skylake-server", 0x80000006, {0, 0, 1024u << 16 | 8 << 12 | 64, 0}},
    {"icelake", 0x80000006, {0, 0, 1280u << 16 | 7 << 12 | 64, 0}},
    {"zen3", 0x80000005, {0xff40ff40, 0xff40ff40, 0x20080140, 0x20080140}},
    {"zen3", 0x80000006, {0x48002200, 0x68004200, 0x02006140, 64u << 18 | 0x9140}},
    {"zen3", 0x80000019, {0xf040f040, 0xf0400000, 0, 0}},
    {"zen3", 0x8000001a, {6, 0, 0, 0}},
    {"zen4", 0x80000005, {0xff48ff40, 0xff48ff40, 0x20080140, 0x20080140}},
    {"zen4", 0x80000006, {0x5c002200, 0x6c004200, 0x04006140, 64u << 18 | 0x9140}},
    {"zen4", 0x80000019, {0xf048f040, 0xf0400000, 0, 0}},
    {"x86-64-amd", 0x80000005, {0xff40ff40, 0xff40ff40, 0x20080140, 0x40040140}},
    {"x86-64-amd", 0x80000006, {0x26006400, 0x66006400, 0x02006140, 0x00408140}},
  };
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    u32 r[4];
    cpuid(model_find(rows[i].name), rows[i].leaf, 0, r);
    ck_assert_msg(!memcmp(r, rows[i].r, sizeof r), "%s %x: %08x %08x %08x %08x", rows[i].name, rows[i].leaf, r[A], r[B],
                  r[C], r[D]);
  }
}
END_TEST

/* One thread in one core in one package, by every leaf that says something of it. */
START_TEST(topology_is_one_core_of_one_thread) {
  const struct cpu_model *m;
  for (unsigned k = 0; (m = model_at(k)); k++) {
    bool amd = m->vendor == VENDOR_AMD;
    u32 r[4], cache = amd ? 0x8000001d : 4, last = reg(m, 0, 0, A);
    ck_assert(!(reg(m, 1, 0, D) & BIT(28))); /* HTT */
    ck_assert_uint_eq(reg(m, 1, 0, B), m->has[FEAT_CLFSH] ? 0x00010800 : 0);
    u32 n = 0;
    for (; (amd ? m->has[FEAT_TOPOEXT] : last >= 4) && (reg(m, cache, n, A) & 31); n++)
      ck_assert_uint_eq(reg(m, cache, n, A) >> 14, 0);
    ck_assert_uint_le(n, 4);
    if (amd) {
      ck_assert_uint_eq(reg(m, 0x80000008, 0, C), 0);
      cpuid(m, 0x8000001e, 0, r);
      ck_assert(!(r[A] | r[B] | r[C] | r[D]));
    }
    bool levels = !strcmp(m->name, "x86-64-amd") ? false : last >= 0xb;
    for (u32 i = 0; i < 3 && last >= 0xb; i++) {
      cpuid(m, 0xb, i, r);
      u32 type = i < 2 && levels ? (i + 1) << 8 | i : levels ? i : 0;
      ck_assert(r[A] == 0 && r[B] == (levels && i < 2) && r[C] == type && r[D] == 0);
    }
    for (u32 i = 0; i < 5 && reg(m, 0x80000000, 0, A) >= 0x80000026 && amd; i++) {
      cpuid(m, 0x80000026, i, r);
      ck_assert(r[A] == 0 && r[B] == (i < 4) && r[C] == (i < 4 ? (i + 1) << 8 | i : i) && r[D] == 0);
    }
  }
}
END_TEST

/* The places of components in the standard format, and its size with all: as on the real ones, but for those of MPX and
 * CET, which ours have not. SDM 1 13.5 (XSAVE-Managed State), APM 3 E.3.8 */
START_TEST(xsave_areas) {
  static const struct {
    const char *name;
    u32 mask, size, at[10];
  } rows[] = {
    {"haswell", 7, 832, {[2] = 576}},
    {"skylake-server", 0x2e7, 0xa88, {[2] = 0x240, [5] = 0x440, [6] = 0x480, [7] = 0x680, [9] = 0xa80}},
    {"icelake", 0x2e7, 0xa88, {[2] = 0x240, [5] = 0x440, [6] = 0x480, [7] = 0x680, [9] = 0xa80}},
    {"zen3", 0x207, 0x988, {[2] = 0x240, [9] = 0x980}},
    {"zen4", 0x2e7, 0x988, {[2] = 0x240, [5] = 0x340, [6] = 0x380, [7] = 0x580, [9] = 0x980}},
  };
  static const u32 sizes[10] = {[2] = 256, [5] = 64, [6] = 512, [7] = 1024, [9] = 8};
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    const struct cpu_model *m = model_find(rows[i].name);
    struct cpuid_dynamic dyn = cpuid_dynamic_reset(m);
    u32 r[4];
    dyn.xcr0 = rows[i].mask;
    cpuid_leaf(m, &dyn, 0xd, 0, r);
    ck_assert(r[A] == rows[i].mask && r[B] == rows[i].size && r[C] == rows[i].size && r[D] == 0);
    u32 compact = 576;
    for (u32 n = 2; n < 10; n++) {
      bool has = rows[i].mask >> n & 1;
      cpuid_leaf(m, &dyn, 0xd, n, r);
      ck_assert(r[A] == (has ? sizes[n] : 0) && r[B] == rows[i].at[n] && r[C] == 0 && r[D] == 0);
      if (has) compact += sizes[n];
    }
    cpuid_leaf(m, &dyn, 0xd, 1, r);
    ck_assert(r[B] == (m->has[FEAT_XSAVEC] ? compact : 0) && r[C] == 0 && r[D] == 0); /* IA32_XSS has no bits */
  }
  static const char *const without[] = {"pentium", "i686", "core2", "nehalem", "x86-64", "x86-64-amd"};
  for (unsigned i = 0; i < ARRAY_SIZE(without); i++) ck_assert(!model_find(without[i])->has[FEAT_XSAVE]);
}
END_TEST

/* SDM 2A CPUID (leaves 05H, 15H, 16H): MONITOR's line, and a TSC in nanoseconds whatever tells its frequency. */
START_TEST(monitor_and_frequency) {
  const struct cpu_model *m;
  for (unsigned k = 0; (m = model_at(k)); k++) {
    u32 r[4];
    if (reg(m, 0, 0, A) >= 5) {
      cpuid(m, 5, 0, r);
      u32 line = m->has[FEAT_MONITOR] ? 64 : 0;
      ck_assert(r[A] == line && r[B] == line && r[C] == 0 && r[D] == 0);
    }
    if (reg(m, 0, 0, A) < 0x16) continue;
    cpuid(m, 0x15, 0, r);
    ck_assert_uint_eq((u64)r[C] * r[B] / r[A], 1000000000);
    ck_assert_uint_eq(reg(m, 0x16, 0, A), 1000);
  }
}
END_TEST

/* SDM 2B SYSENTER: a Pentium Pro says SEP and has none; Linux knows. */
START_TEST(pentium_pro_claims_sep) {
  const struct cpu_model *m = model_find("i686");
  ck_assert(reg(m, 1, 0, D) & BIT(11));
  ck_assert(!m->has[FEAT_SEP]);
  ck_assert_uint_eq(model_hwcap(m), 0xfbff & ~(u32)BIT(11));
  struct cpu_model later = parsed("i686,+sep");
  ck_assert(later.has[FEAT_SEP] && !later.claims[FEAT_SEP]);
  ck_assert_uint_eq(model_hwcap(&later), 0xfbff);
}
END_TEST

/* What is added brings what it needs, and CPUID reaches as far as its leaf. */
START_TEST(features_bring_what_they_need) {
  static const struct {
    const char *spec, *has, *not; /* names separated by spaces */
    u32 basic, extended;
  } rows[] = {
    {"pentium,+sse2", "sse2 sse fxsr mmx fpu", "cmov pae pni", 1, 0},
    {"pentium,+cmov", "cmov", "pae mmx", 1, 0},
    {"pentium,+lm", "lm pae pge cx8 msr syscall", "nx sse2 cx16", 1, 0x80000008},
    {"i686,+avx2", "avx2 avx xsave sse4_2 ssse3", "fma avx512f lm", 0xd, 0},
    {"core2,+rdseed", "rdseed", "rdrand", 0xa, 0x80000008},
    {"nehalem,+avx512vl", "avx512vl avx512f avx2 fma f16c xsave", "avx512bw xsavec", 0xd, 0x80000008},
    {"core2,+avx_vnni,-avx2", "avx", "avx_vnni avx2", 0xd, 0x80000008},
    {"max,-avx512f", "avx2 fma vaes avx_vnni", "avx512f avx512vl avx512bw avx512_bf16", 0x1b, 0x80000008},
    {"max,-xsave", "sse4_2", "avx avx2 avx512f xsaveopt xsavec xsaves xgetbv1 vaes fma", 0x1b, 0x80000008},
    {"max,-sse", "mmx fpu", "sse sse2 sse4_2 avx aes sha_ni", 0x1b, 0x80000008},
    {"haswell,-lm", "nx avx2", "lm syscall cx16 lahf_lm pcid pdpe1gb fsgsbase", 0xd, 0x80000008},
    {"zen3,-lm", "nx avx2 syscall", "lm cx16 lahf_lm", 0x10, 0x80000023},
    {"zen3,+avx512f", "avx512f", "avx512vl", 0x10, 0x80000023},
    {"x86-64-amd,+null_sel_clr_base", "null_sel_clr_base", "lfence_rdtsc", 0xd, 0x80000021},
  };
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    struct cpu_model m = parsed(rows[i].spec);
    for (int k = 0; k < 2; k++)
      for (const char *p = k ? rows[i].not : rows[i].has; *p; p += strcspn(p, " "), p += *p == ' ') {
        char name[40] = "";
        memcpy(name, p, strcspn(p, " "));
        ck_assert_int_ge(model_feature(name), 0);
        ck_assert_msg(m.has[model_feature(name)] == !k, "%s: %s", rows[i].spec, name);
      }
    ck_assert_msg(m.max_basic == rows[i].basic && m.max_extended == rows[i].extended, "%s: %x %x", rows[i].spec,
                  m.max_basic, m.max_extended);
  }
}
END_TEST

/* What cannot be had says why. */
START_TEST(refusals_say_why) {
  static const struct {
    const char *spec, *why;
  } rows[] = {
    {"haswell,+rtm", "CPU feature 'rtm' is not emulated: there are no transactions"},
    {"core2,+vmx", "CPU feature 'vmx' is not emulated: virtualization is not emulated"},
    {"zen4,+svm", "CPU feature 'svm' is not emulated: virtualization is not emulated"},
    {"zen3,+3dnow", "CPU feature '3dnow' is not emulated: 3DNow! is not written; its PREFETCH and PREFETCHW are, under "
                    "3dnowprefetch"},
    {"zen3,+serialize", "CPU feature 'serialize' does not exist on vendor amd"},
    {"pentium,+sse5", "unknown CPU feature 'sse5'; did you mean 'sse'?"},
  };
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    struct cpu_model m;
    char err[200] = "";
    ck_assert_int_eq(model_parse(rows[i].spec, &m, err, sizeof err), -1);
    ck_assert_str_eq(err, rows[i].why);
  }
}
END_TEST

/* The default is all that is complete; on hosts without FMA or F16C, all of it that goes without. */
START_TEST(default_is_the_largest_that_the_host_can_do) {
  ck_assert_ptr_eq(model_default(VENDOR_INTEL), model_find("max"));
  ck_assert_ptr_eq(model_default(VENDOR_INTEL), model_find("Intel"));
  ck_assert_ptr_eq(model_default(VENDOR_AMD), model_find("AMD"));
  ck_assert_ptr_eq(model_default(VENDOR_INTEL), model_at(0));
  ck_assert_ptr_eq(model_default(VENDOR_AMD), model_at(1));
  bool fused = host_has_fma() && host_has_f16c();
  for (unsigned v = 0; v < VENDOR_COUNT; v++) {
    const struct cpu_model *m = model_default((enum vendor)v);
    ck_assert_ptr_null(model_host_lacks(m));
    ck_assert_int_eq(m->has[FEAT_AVX512F], fused);
    ck_assert_int_eq(m->instead != NULL, fused);
    ck_assert(m->has[FEAT_AVX2] && m->has[FEAT_VAES]);
    if (!fused) continue;
    struct cpu_model less = parsed(v == VENDOR_AMD ? "amd,-fma,-f16c" : "max,-fma,-f16c");
    ck_assert_mem_eq(less.has, m->instead->has, sizeof less.has);
    ck_assert_mem_eq(less.lacks, m->instead->lacks, sizeof less.lacks);
    ck_assert(less.max_basic == m->instead->max_basic && less.max_extended == m->instead->max_extended);
    ck_assert(less.caches == m->instead->caches && less.rows == m->instead->rows);
  }
  /* and nothing that another model of the vendor has is missing in it */
  const struct cpu_model *m;
  for (unsigned k = 0; fused && (m = model_at(k)); k++)
    for (int f = 0; f < FEAT_COUNT; f++)
      ck_assert_msg(!m->has[f] || model_default(m->vendor)->has[f], "%s: %s", m->name, feature_rows[f].name);
}
END_TEST

START_TEST(the_other_vendors_largest) {
  struct cpu_model m = parsed("max");
  char err[100];
  ck_assert_int_eq(model_for_vendor(&m, "amd", err, sizeof err), 0);
  const struct cpu_model *amd = model_default(VENDOR_AMD);
  for (int f = 0; f < FEAT_COUNT; f++) {
    bool both = feature_rows[f].vendors == VENDORS_BOTH && model_find("max")->has[f];
    ck_assert_msg(m.has[f] == (amd->has[f] || both), "%s", feature_rows[f].name);
  }
  ck_assert_uint_eq(reg(&m, 1, 0, A), reg(amd, 1, 0, A));
  ck_assert_uint_eq(reg(&m, 0x80000000, 0, A), reg(amd, 0x80000000, 0, A));
  m = parsed("x86-64");
  ck_assert_int_eq(model_for_vendor(&m, "amd", err, sizeof err), 0);
  ck_assert_mem_eq(m.caches, model_find("x86-64-amd")->caches, sizeof *m.caches);
  ck_assert_uint_eq(reg(&m, 1, 0, A), 0x00800f11);
}
END_TEST

Suite *suite_models(void);
Suite *suite_models(void) {
  Suite *s = suite_create("models");
  TCase *t = tcase_create("leaves");
  tcase_add_test(t, feature_registers_are_the_real_ones);
  tcase_add_test(t, every_feature_is_complete_or_says_why_not);
  tcase_add_test(t, signatures_leaves_and_widths);
  tcase_add_test(t, descriptors);
  tcase_add_test(t, caches);
  tcase_add_test(t, caches_by_older_leaves);
  tcase_add_test(t, topology_is_one_core_of_one_thread);
  tcase_add_test(t, xsave_areas);
  tcase_add_test(t, monitor_and_frequency);
  tcase_add_test(t, pentium_pro_claims_sep);
  suite_add_tcase(s, t);
  t = tcase_create("choice");
  tcase_add_test(t, features_bring_what_they_need);
  tcase_add_test(t, refusals_say_why);
  tcase_add_test(t, default_is_the_largest_that_the_host_can_do);
  tcase_add_test(t, the_other_vendors_largest);
  suite_add_tcase(s, t);
  return s;
}
