/* The model-specific registers: which exist, and each rule of WRMSR on its passing and its faulting side.
 * SDM 2B (WRMSR), SDM 4 2.1 (Architectural MSRs), APM 2 appendix A (MSR Cross-Reference). */
#include <check.h>

#include "msr/msr.h"
#include "tests/unit/baseline.h"

#define A48 UINT64_C(0x00007fffffffffff) /* the canonical border of 48 bits, and of 57 */
#define N48 UINT64_C(0xffff800000000000)
#define A57 UINT64_C(0x00ffffffffffffff)
#define N57 UINT64_C(0xff00000000000000)

enum { MSR_GP = -1 }; /* refused, for any reason; enum msr_refusal: for this one */

struct write {
  int slot;
  u64 old, value;
  int rc;
  u64 newval;
};

/* Performs the writes on a processor whose other registers hold `value`. */
static void check_writes(const struct cpu_model *m, const u64 *value, bool pg, const struct write *w,
                         size_t n) {
  struct msr_env env = {.model = m, .value = value, .cr0_pg = pg};
  for (size_t i = 0; i < n; i++) {
    const struct msr_row *row = &msr_rows[w[i].slot];
    struct msr_write out = {.value = 0x5a5a, .effects = 0x5a5a};
    ck_assert_msg(msr_exists(m, row), "%s on %s", row->name, m->name);
    int rc = (int)msr_check_write(&env, row, w[i].old, w[i].value, &out);
    bool refused = rc != MSR_OK, may = refused && (msr_rules(m, row) >> rc & 1);
    ck_assert_msg(w[i].rc == MSR_GP ? refused : rc == w[i].rc, "%s on %s: write %#llx over %#llx: %d", row->name, m->name,
                  (unsigned long long)w[i].value, (unsigned long long)w[i].old, rc);
    if (refused) ck_assert(out.value == 0x5a5a && out.effects == 0x5a5a && may && (out.bits || rc == MSR_READ_ONLY));
    else ck_assert_msg(out.value == w[i].newval, "%s on %s: wrote %#llx, holds %#llx", row->name, m->name,
                       (unsigned long long)w[i].value, (unsigned long long)out.value);
  }
}

static void writes(const struct cpu_model *m, bool pg, const struct write *w, size_t n) {
  u64 value[MSR_SLOTS];
  msr_reset_all(m, value);
  check_writes(m, value, pg, w, n);
}
#define WRITES(m, pg, ...)                                       \
  do {                                                           \
    const struct write w_[] = {__VA_ARGS__};                     \
    writes(m, pg, w_, ARRAY_SIZE(w_));                           \
  } while (0)

static struct cpu_model model(const char *spec) {
  struct cpu_model m;
  char err[200] = "";
  ck_assert_msg(model_parse(spec, &m, err, sizeof err) == 0, "%s", err);
  return m;
}

/* A model with features that no listed model has, to reach the rules that depend on them. */
static struct cpu_model model_with(const char *name, const int *features, size_t n) {
  struct cpu_model m = *model_find(name);
  for (size_t i = 0; i < n; i++) m.has[features[i]] = 1;
  return m;
}
#define MODEL_WITH(name, ...) \
  model_with(name, (const int[]){__VA_ARGS__}, ARRAY_SIZE(((const int[]){__VA_ARGS__})))

START_TEST(table_is_sorted_and_unambiguous) {
  for (int i = 0; i < MSR_SLOTS; i++) {
    const struct msr_row *row = &msr_rows[i];
    ck_assert_int_eq(msr_slot_of(row), i);
    ck_assert(row->vendors && row->cite && *row->cite && *row->name);
    ck_assert_msg(!(row->reset & ~(row->writable | row->kept)) || row->kind == MSR_CONST, "%s", row->name);
    if (!i) continue;
    ck_assert_msg(row->index >= row[-1].index, "%s", row->name);
    for (int j = i; j-- > 0 && msr_rows[j].index == row->index;)
      ck_assert_msg(!(msr_rows[j].vendors & row->vendors), "%s and %s", msr_rows[j].name, row->name);
  }
}
END_TEST

START_TEST(every_register_is_found_by_index_and_name) {
  const struct cpu_model *m;
  for (unsigned k = 0; (m = model_at(k)); k++) {
    unsigned found = 0;
    for (int i = 0; i < MSR_SLOTS; i++) {
      const struct msr_row *row = &msr_rows[i];
      if (!msr_exists(m, row)) continue;
      ck_assert_ptr_eq(msr_find(m, row->index), row);
      ck_assert_ptr_eq(msr_find_name(m, row->name), row);
      ck_assert_ptr_eq(msr_find_name(m, row->id), row);
      found++;
    }
    ck_assert_uint_gt(found, m->has[FEAT_MCA] ? 55 : 5); /* the Pentium has few */
  }
}
END_TEST

/* SDM 2B RDMSR, WRMSR: a reserved or unimplemented address is #GP(0), which the caller raises on NULL. */
START_TEST(unknown_registers_are_not_found) {
  static const u32 indexes[] = {0x0, 0x11, 0x12345, 0xc0000085, 0xc00000ff, 0xc0000104, 0xffffffff,
  0x4b564d00,
                                0x40000000, 0x48, 0x49, 0x10a, 0x3a, 0x3b, 0x6e0, 0xda0, 0xc0010114};
  for (unsigned k = 0; k < 2; k++)
    for (unsigned i = 0; i < ARRAY_SIZE(indexes); i++)
      ck_assert_msg(!msr_find(baseline(k), indexes[i]), "%#x", indexes[i]);
  ck_assert_ptr_null(msr_find(baseline(1), 0x1a0));        /* MISC_ENABLE is intel's */
  ck_assert_ptr_null(msr_find(baseline(1), 0x17));
  ck_assert_ptr_null(msr_find(baseline(0), 0xc0010010)); /* SYSCFG is amd's */
  ck_assert_ptr_null(msr_find(baseline(0), 0xc0010015));
  ck_assert_str_eq(msr_find(baseline(0), 0x8b)->name, "IA32_BIOS_SIGN_ID");
  ck_assert_str_eq(msr_find(baseline(1), 0x8b)->name, "PATCH_LEVEL");
}
END_TEST

/* The indexes in SDM 4 table 2-2 and APM 2 appendix A. */
START_TEST(documented_indexes) {
  static const struct {
    u32 index;
    int slot;
  } rows[] = {
    {0x10, MSR_TSC}, {0x1b, MSR_APIC_BASE}, {0xfe, MSR_MTRRCAP}, {0x174, MSR_SYSENTER_CS},
    {0x175, MSR_SYSENTER_ESP}, {0x176, MSR_SYSENTER_EIP}, {0x179, MSR_MCG_CAP}, {0x1d9, MSR_DEBUGCTL},
    {0x200, MSR_MTRR_PHYSBASE0}, {0x20f, MSR_MTRR_PHYSMASK7}, {0x250, MSR_MTRR_FIX64K_00000},
    {0x259, MSR_MTRR_FIX16K_A0000}, {0x268, MSR_MTRR_FIX4K_C0000}, {0x26f, MSR_MTRR_FIX4K_F8000},
    {0x277, MSR_PAT}, {0x2ff, MSR_MTRR_DEF_TYPE}, {0x400, MSR_MC0_CTL}, {0xc0000080, MSR_EFER},
    {0xc0000081, MSR_STAR}, {0xc0000082, MSR_LSTAR}, {0xc0000083, MSR_CSTAR}, {0xc0000084, MSR_FMASK},
    {0xc0000100, MSR_FS_BASE}, {0xc0000101, MSR_GS_BASE}, {0xc0000102, MSR_KERNEL_GS_BASE},
    {0xc0000103, MSR_TSC_AUX},
  };
  for (unsigned k = 0; k < 2; k++)
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
      ck_assert_ptr_eq(msr_find(baseline(k), rows[i].index), &msr_rows[rows[i].slot]);
  ck_assert_ptr_eq(msr_find(baseline(0), 0x1a0), &msr_rows[MSR_MISC_ENABLE]);
  ck_assert_ptr_eq(msr_find(baseline(1), 0xc0010015), &msr_rows[MSR_HWCR]);
}
END_TEST

START_TEST(registers_follow_features) {
  struct cpu_model m = model("x86-64,-sep,-rdtscp,-mtrr,-lm");
  ck_assert_ptr_null(msr_find(&m, 0x174));
  ck_assert_ptr_null(msr_find(&m, 0xc0000103));
  ck_assert_ptr_null(msr_find(&m, 0x200));
  ck_assert_ptr_null(msr_find(&m, 0xc0000082));
  ck_assert_ptr_nonnull(msr_find(&m, 0xc0000080)); /* NX alone: SDM 4 2.1 (Architectural MSRs: IA32_EFER) */
  m = model("x86-64,-lm,-nx");
  ck_assert_ptr_null(msr_find(&m, 0xc0000080));
  m = model("x86-64-amd,-lm,-nx"); /* SYSCALL alone */
  ck_assert_ptr_nonnull(msr_find(&m, 0xc0000080));
  m = MODEL_WITH("x86-64", FEAT_TSC_DEADLINE, FEAT_TSC_ADJUST, FEAT_XSAVES, FEAT_VMX);
  ck_assert_ptr_nonnull(msr_find(&m, 0x6e0));
  ck_assert_ptr_nonnull(msr_find(&m, 0x3b));
  ck_assert_ptr_nonnull(msr_find(&m, 0xda0));
  ck_assert_ptr_nonnull(msr_find(&m, 0x3a));
}
END_TEST

/* SDM 3A 9.1.1 (Processor State After Reset), 10.4.4, 11.12.4; APM 2 14.1.3 */
START_TEST(reset_values) {
  for (unsigned k = 0; k < 2; k++) {
    u64 v[MSR_SLOTS];
    msr_reset_all(baseline(k), v);
    ck_assert(v[MSR_EFER] == 0 && v[MSR_STAR] == 0 && v[MSR_DEBUGCTL] == 0 && v[MSR_MTRR_DEF_TYPE] == 0);
    ck_assert(v[MSR_PAT] == UINT64_C(0x0007040600070406));
    ck_assert(v[MSR_APIC_BASE] == 0xfee00900);
    ck_assert(v[MSR_SYSENTER_CS] == 0);
  }
}
END_TEST

/* SDM 3A 2.2.1, APM 2 3.1.7: SCE, LME and NXE by feature; reserved bits #GP(0). */
START_TEST(efer_bits) {
  for (unsigned k = 0; k < 2; k++)
    WRITES(baseline(k), false, {MSR_EFER, 0, EFER_SCE, MSR_OK, EFER_SCE},
           {MSR_EFER, 0, EFER_LME, MSR_OK, EFER_LME},
           {MSR_EFER, 0, EFER_NXE, MSR_OK, EFER_NXE}, {MSR_EFER, 0x901, 0, MSR_OK, 0},
           {MSR_EFER, 0, BIT(1), MSR_GP, 0}, {MSR_EFER, 0, BIT(7), MSR_GP, 0},
           {MSR_EFER, 0, BIT(9), MSR_GP, 0},
           {MSR_EFER, 0, BIT(16), MSR_GP, 0}, {MSR_EFER, 0, BIT(63), MSR_GP, 0},
           {MSR_EFER, 0, EFER_SVME, MSR_GP, 0},
           {MSR_EFER, 0, EFER_LMSLE, MSR_GP, 0}, {MSR_EFER, 0, EFER_FFXSR, MSR_GP, 0},
           {MSR_EFER, 0, EFER_TCE, MSR_GP, 0}, {MSR_EFER, 0, EFER_AIBRSE, MSR_GP, 0});
  struct cpu_model m = model("x86-64,-nx");
  WRITES(&m, false, {MSR_EFER, 0, EFER_NXE, MSR_GP, 0}, {MSR_EFER, 0, EFER_SCE, MSR_OK, EFER_SCE});
  m = model("x86-64-amd,-lm");
  WRITES(&m, false, {MSR_EFER, 0, EFER_LME, MSR_GP, 0}, {MSR_EFER, 0, EFER_LMA, MSR_GP, 0},
         {MSR_EFER, 0, EFER_SCE, MSR_OK, EFER_SCE});
  m = model("x86-64-amd,-syscall");
  WRITES(&m, false, {MSR_EFER, 0, EFER_SCE, MSR_GP, 0}, {MSR_EFER, 0, EFER_NXE, MSR_OK, EFER_NXE});
  m = MODEL_WITH("x86-64-amd", FEAT_SVM, FEAT_FFXSR, FEAT_TCE, FEAT_AUTOIBRS, FEAT_UAI, FEAT_MCOMMIT,
                 FEAT_INT_WBINVD);
  u64 all = EFER_SVME | EFER_FFXSR | EFER_TCE | EFER_AIBRSE | EFER_UAIE | EFER_MCOMMIT | EFER_INTWB;
  WRITES(&m, false, {MSR_EFER, 0, all, MSR_OK, all}, {MSR_EFER, 0, all | EFER_LMSLE, MSR_GP, 0});
}
END_TEST

/* LME cannot change with paging on; LMA keeps its value whatever is written. SDM 3A 9.8.5, APM 2 14.6.1 */
START_TEST(efer_lme_and_lma) {
  const u64 on = EFER_LME | EFER_LMA;
  for (unsigned k = 0; k < 2; k++) {
    WRITES(baseline(k), true, {MSR_EFER, on, EFER_LMA, MSR_GP, 0}, {MSR_EFER, 0, EFER_LME, MSR_GP, 0},
           {MSR_EFER, on, on | EFER_SCE, MSR_OK, on | EFER_SCE}, {MSR_EFER, on, EFER_LME, MSR_OK, on},
           {MSR_EFER, 0, EFER_LMA, MSR_OK, 0}, {MSR_EFER, 0, EFER_NXE, MSR_OK, EFER_NXE});
    WRITES(baseline(k), false, {MSR_EFER, EFER_LME, 0, MSR_OK, 0}, {MSR_EFER, 0, on, MSR_OK, EFER_LME});
  }
}
END_TEST

/* SDM 4 2.1 (Architectural MSRs: IA32_MISC_ENABLE[34]): XD disable makes EFER.NXE reserved. */
START_TEST(efer_nxe_under_xd_disable) {
  const struct cpu_model *m = baseline(0);
  u64 v[MSR_SLOTS];
  msr_reset_all(m, v);
  v[MSR_MISC_ENABLE] |= MISC_ENABLE_XD_DISABLE;
  const struct write w[] = {{MSR_EFER, 0, EFER_NXE, MSR_GP, 0}, {MSR_EFER, 0, EFER_SCE, MSR_OK, EFER_SCE}};
  check_writes(m, v, false, w, ARRAY_SIZE(w));
}
END_TEST

/* SDM 2B WRMSR, APM 3 WRMSR: addresses must be canonical for the widest mode, on both vendors. */
START_TEST(canonical_addresses) {
  static const int slots[] = {MSR_LSTAR, MSR_CSTAR, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE};
  for (unsigned k = 0; k < 2; k++)
    for (unsigned i = 0; i < ARRAY_SIZE(slots); i++) {
      int s = slots[i];
      WRITES(baseline(k), true, {s, 0, A48, MSR_OK, A48}, {s, 0, A48 + 1, MSR_GP, 0},
             {s, 0, N48 - 1, MSR_GP, 0},
             {s, 1, N48, MSR_OK, N48}, {s, 0, ~UINT64_C(0), MSR_OK, ~UINT64_C(0)},
             {s, 0, BIT(63), MSR_GP, 0});
      struct cpu_model wide = MODEL_WITH(baseline(k)->name, FEAT_LA57);
      WRITES(&wide, true, {s, 0, A48 + 1, MSR_OK, A48 + 1}, {s, 0, A57, MSR_OK, A57},
             {s, 0, A57 + 1, MSR_GP, 0},
             {s, 0, N57 - 1, MSR_GP, 0}, {s, 0, N57, MSR_OK, N57});
    }
}
END_TEST

/* SDM 3A 5.8.7, APM 2 6.1.2: intel has 64-bit canonical SYSENTER_ESP and EIP, amd drops the upper half.
 * Without long mode there are 32 bits. SYSENTER_CS and FMASK keep their low half everywhere. */
START_TEST(sysenter_registers) {
  const u64 wild = UINT64_C(0x1234567800000010);
  for (int s = MSR_SYSENTER_ESP; s <= MSR_SYSENTER_EIP; s++) {
    WRITES(baseline(0), true, {s, 0, N48, MSR_OK, N48}, {s, 0, A48 + 1, MSR_GP, 0},
           {s, 0, wild, MSR_GP, 0});
    WRITES(baseline(1), true, {s, 0, N48 | 5, MSR_OK, 5}, {s, 0, A48 + 1, MSR_OK, 0},
           {s, 0, wild, MSR_OK, 0x10});
    struct cpu_model m = model("x86-64,-lm");
    WRITES(&m, true, {s, 0, wild, MSR_OK, 0x10});
  }
  for (unsigned k = 0; k < 2; k++)
    WRITES(baseline(k), true, {MSR_SYSENTER_CS, 0, wild, MSR_OK, 0x10},
           {MSR_SYSENTER_CS, 0, 0xffffffff, MSR_OK, 0xffffffff},
           {MSR_FMASK, 0, UINT64_C(0xffffffff00047700), MSR_OK, 0x47700},
           {MSR_STAR, 0, ~UINT64_C(0), MSR_OK, ~UINT64_C(0)});
}
END_TEST

/* SDM 4 2.1 (Architectural MSRs: IA32_TSC_AUX: bits 63:32 reserved); APM 3 RDTSCP: amd has 32 bits and drops the rest. */
START_TEST(tsc_registers) {
  WRITES(baseline(0), true, {MSR_TSC_AUX, 0, 0xffffffff, MSR_OK, 0xffffffff},
         {MSR_TSC_AUX, 0, BIT(32), MSR_GP, 0});
  WRITES(baseline(1), true, {MSR_TSC_AUX, 0, 0xffffffff, MSR_OK, 0xffffffff},
         {MSR_TSC_AUX, 7, BIT(32) | 3, MSR_OK, 3});
  for (unsigned k = 0; k < 2; k++) WRITES(baseline(k), true,
  {MSR_TSC, 0, ~UINT64_C(0), MSR_OK, ~UINT64_C(0)});
}
END_TEST

/* SDM 3A 10.4.4 (Local APIC Status and Location), 10.12.5 (x2APIC State Transitions) */
START_TEST(apic_base) {
  const u64 def = 0xfee00900, xapic = def, x2 = def | APIC_BASE_EXTD, off = def & ~APIC_BASE_EN;
  for (unsigned k = 0; k < 2; k++)
    WRITES(baseline(k), true, {MSR_APIC_BASE, def, off, MSR_OK, off}, {MSR_APIC_BASE, off, def, MSR_OK, def},
           {MSR_APIC_BASE, def, x2, MSR_GP, 0}, {MSR_APIC_BASE, def, def | 1, MSR_GP, 0},
           {MSR_APIC_BASE, def, def | BIT(9), MSR_GP, 0}, {MSR_APIC_BASE, def, def | BIT(52), MSR_GP, 0});
  WRITES(baseline(0), true, {MSR_APIC_BASE, def, def | BIT(45), MSR_OK, def | BIT(45)},
         {MSR_APIC_BASE, def, def | BIT(46), MSR_GP, 0});
  WRITES(baseline(1), true, {MSR_APIC_BASE, def, def | BIT(47), MSR_OK, def | BIT(47)},
         {MSR_APIC_BASE, def, def | BIT(48), MSR_GP, 0});
  struct cpu_model m = MODEL_WITH("x86-64", FEAT_X2APIC);
  WRITES(&m, true, {MSR_APIC_BASE, xapic, x2, MSR_OK, x2}, {MSR_APIC_BASE, x2, off, MSR_OK, off},
         {MSR_APIC_BASE, x2, xapic, MSR_GP, 0}, {MSR_APIC_BASE, off, x2, MSR_GP, 0},
         {MSR_APIC_BASE, xapic, off | APIC_BASE_EXTD, MSR_GP, 0});
}
END_TEST

/* SDM 3A 11.12.2: PAT encodings 2, 3 and above 7 are reserved, 7 is UC-. */
START_TEST(pat_types) {
  for (unsigned k = 0; k < 2; k++)
    for (unsigned field = 0; field < 8; field++)
      for (u64 type = 0; type < 256; type++) {
        bool ok = type <= 7 && type != 2 && type != 3;
        WRITES(baseline(k), true, {MSR_PAT, 0, type << 8 * field, ok ? MSR_OK : MSR_GP, type << 8 * field});
      }
}
END_TEST

/* SDM 3A 11.11.2: types 0, 1, 4, 5, 6 only; reserved bits and bits from MAXPHYADDR up are #GP(0). */
START_TEST(mtrrs) {
  for (unsigned k = 0; k < 2; k++) {
    for (u64 type = 0; type < 256; type++) {
      int rc = type == 0 || type == 1 || (type >= 4 && type <= 6) ? MSR_OK : MSR_GP;
      WRITES(baseline(k), true, {MSR_MTRR_PHYSBASE3, 0, 0x1000 | type, rc, 0x1000 | type},
             {MSR_MTRR_DEF_TYPE, 0, 0xc00 | type, rc, 0xc00 | type},
             {MSR_MTRR_FIX4K_C8000, 0, type << 56, rc, type << 56},
             {MSR_MTRR_FIX64K_00000, 0, type, rc, type});
    }
    WRITES(baseline(k), true, {MSR_MTRR_PHYSBASE0, 0, 0x106, MSR_GP, 0},
           {MSR_MTRR_PHYSMASK0, 0, 0x800, MSR_OK, 0x800},
           {MSR_MTRR_PHYSMASK0, 0, 0x400, MSR_GP, 0}, {MSR_MTRR_DEF_TYPE, 0, 0x206, MSR_GP, 0},
           {MSR_MTRR_DEF_TYPE, 0, 0x1006, MSR_GP, 0}, {MSR_MTRRCAP, 0x508, 0x508, MSR_GP, 0});
  }
  WRITES(baseline(0), true, {MSR_MTRR_PHYSMASK7, 0, MASK(45, 11), MSR_OK, MASK(45, 11)},
         {MSR_MTRR_PHYSMASK7, 0, MASK(46, 11), MSR_GP, 0});
  WRITES(baseline(1), true, {MSR_MTRR_PHYSMASK7, 0, MASK(47, 11), MSR_OK, MASK(47, 11)},
         {MSR_MTRR_PHYSMASK7, 0, MASK(48, 11), MSR_GP, 0});
}
END_TEST

/* APM 2 7.9.1: with MtrrFixDramModEn, RdMem and WrMem (bits 4 and 3 of each byte) can be written. */
START_TEST(fixed_mtrr_routing_bits) {
  const struct cpu_model *m = baseline(1);
  u64 v[MSR_SLOTS];
  msr_reset_all(m, v);
  v[MSR_SYSCFG] = BIT(19);
  const u64 routed = UINT64_C(0x1e1e18180806060e);
  const struct write w[] = {{MSR_MTRR_FIX16K_80000, 0, routed, MSR_OK, routed},
                            {MSR_MTRR_FIX16K_80000, 0, 0x26, MSR_GP, 0},
                            {MSR_MTRR_FIX16K_80000, 0, 0x1a, MSR_GP, 0}};
  check_writes(m, v, true, w, ARRAY_SIZE(w));
  WRITES(m, true, {MSR_MTRR_FIX16K_80000, 0, routed, MSR_GP, 0}, {MSR_SYSCFG, 0, BIT(19), MSR_OK, BIT(19)},
         {MSR_SYSCFG, 0, BIT(23), MSR_GP, 0}, {MSR_SYSCFG, 0, BIT(0), MSR_GP, 0});
}
END_TEST

/* SDM 4 2.1: IA32_MISC_ENABLE (bits 11 and 12 are read-only), IA32_DEBUGCTL, IA32_FEATURE_CONTROL. */
START_TEST(intel_registers) {
  const struct cpu_model *m = baseline(0);
  WRITES(m, true, {MSR_MISC_ENABLE, 0x1801, 0, MSR_OK, 0x1800},
         {MSR_MISC_ENABLE, 0x1801, BIT(22) | 1, MSR_OK, BIT(22) | 0x1801},
         {MSR_MISC_ENABLE, 0x1801, BIT(34) | 1, MSR_OK, BIT(34) | 0x1801},
         {MSR_MISC_ENABLE, 0x1801, BIT(18), MSR_GP, 0},
         {MSR_MISC_ENABLE, 0x1801, BIT(63), MSR_GP, 0}, {MSR_MISC_ENABLE, 0x1801, BIT(16), MSR_GP, 0},
         {MSR_PLATFORM_ID, 0, 0, MSR_GP, 0}, {MSR_BIOS_SIGN_ID, 0, 0, MSR_OK, 0},
         {MSR_BIOS_SIGN_ID, 0, BIT(40), MSR_OK, 0},
         {MSR_PLATFORM_INFO, 0, 0, MSR_GP, 0}, {MSR_CORE_THREAD_COUNT, 0x10001, 0x10001, MSR_GP, 0});
  struct cpu_model wide = MODEL_WITH("x86-64", FEAT_MONITOR, FEAT_EIST, FEAT_VMX, FEAT_TSC_ADJUST,
                 FEAT_TSC_DEADLINE);
  WRITES(&wide, true, {MSR_MISC_ENABLE, 0, BIT(18) | BIT(16), MSR_OK, BIT(18) | BIT(16)},
         {MSR_FEATURE_CONTROL, 0, 5, MSR_OK, 5}, {MSR_FEATURE_CONTROL, 0, 8, MSR_GP, 0},
         {MSR_FEATURE_CONTROL, 5, 5, MSR_GP, 0}, {MSR_FEATURE_CONTROL, 4, 1, MSR_OK, 1},
         {MSR_TSC_ADJUST, 0, ~UINT64_C(0), MSR_OK, ~UINT64_C(0)}, {MSR_TSC_DEADLINE, 0, 9, MSR_OK, 9});
  for (unsigned k = 0; k < 2; k++)
    WRITES(baseline(k), true, {MSR_DEBUGCTL, 0, DEBUGCTL_BTF, MSR_OK, DEBUGCTL_BTF},
           {MSR_DEBUGCTL, 2, 0, MSR_OK, 0},
           {MSR_DEBUGCTL, 0, BIT(0), MSR_GP, 0}, {MSR_DEBUGCTL, 0, BIT(63), MSR_GP, 0});
}
END_TEST

/* APM 2 3.2.10 (Hardware Configuration Register (HWCR)), 7.9.4 (Top of Memory), 15.30.1 (VM_CR MSR
 * (C001_0114h)), 7.9.2 (IORRs) */
START_TEST(amd_registers) {
  WRITES(baseline(1), true, {MSR_HWCR, BIT(24), BIT(18), MSR_OK, BIT(18) | BIT(24)},
         {MSR_HWCR, BIT(24), BIT(6) | BIT(24), MSR_OK, BIT(24)}, {MSR_HWCR, BIT(24), BIT(1), MSR_GP, 0},
         {MSR_PATCH_LEVEL, 0, 0, MSR_GP, 0}, {MSR_TOP_MEM, 0, BIT(31), MSR_OK, BIT(31)},
         {MSR_TOP_MEM, 0, BIT(22), MSR_GP, 0},
         {MSR_TOP_MEM2, 0, BIT(48), MSR_GP, 0}, {MSR_IORR_BASE0, 0, 0xa0018, MSR_OK, 0xa0018},
         {MSR_IORR_BASE0, 0, 4, MSR_GP, 0}, {MSR_IORR_MASK1, 0, 0xfffffff800, MSR_OK, 0xfffffff800},
         {MSR_DE_CFG, 0, 2, MSR_OK, 2}, {MSR_DE_CFG, 0, 1, MSR_GP, 0});
  struct cpu_model m = MODEL_WITH("x86-64-amd", FEAT_SVM);
  WRITES(&m, true, {MSR_VM_CR, 0, 0x18, MSR_OK, 0x18}, {MSR_VM_CR, 8, 0x12, MSR_OK, 0xa},
         {MSR_VM_CR, 0x18, 0, MSR_OK, 0x18},
         {MSR_VM_CR, 0, 0x20, MSR_GP, 0}, {MSR_VM_HSAVE_PA, 0, 0x1000, MSR_OK, 0x1000},
         {MSR_VM_HSAVE_PA, 0, 0x1001, MSR_GP, 0}, {MSR_VM_HSAVE_PA, 0, BIT(48), MSR_GP, 0});
}
END_TEST

/* SDM 3B 15.3.2, APM 2 9.3.2: the banks. */
START_TEST(machine_check_banks) {
  for (unsigned k = 0; k < 2; k++)
    WRITES(baseline(k), true, {MSR_MC0_CTL, 0, ~UINT64_C(0), MSR_OK, ~UINT64_C(0)},
           {MSR_MC1_STATUS, 5, 0, MSR_OK, 0},
           {MSR_MC1_STATUS, 0, 1, MSR_GP, 0}, {MSR_MC2_ADDR, 5, 0, MSR_OK, 0},
           {MSR_MC2_MISC, 5, 0, MSR_OK, 0},
           {MSR_MCG_STATUS, 0, 4, MSR_OK, 4}, {MSR_MCG_STATUS, 0, BIT(10), MSR_GP, 0},
           {MSR_MCG_CAP, 0x104, 0, MSR_GP, 0});
  WRITES(baseline(0), true, {MSR_MC2_ADDR, 0, 1, MSR_GP, 0}, {MSR_MC2_MISC, 0, 1, MSR_GP, 0});
  WRITES(baseline(1), true, {MSR_MC2_ADDR, 0, 1, MSR_OK, 1}, {MSR_MC2_MISC, 0, 1, MSR_OK, 1});
  u64 v[MSR_SLOTS];
  msr_reset_all(baseline(1), v);
  v[MSR_HWCR] |= HWCR_MCSTATUS_WREN;
  const struct write w = {MSR_MC3_STATUS, 0, 77, MSR_OK, 77};
  check_writes(baseline(1), v, true, &w, 1);
  ck_assert_uint_eq(msr_rows[MSR_MCG_CAP].reset & 0xff, (MSR_MC3_MISC - MSR_MC0_CTL + 1) / 4);
}
END_TEST

/* SDM 4 2.1 (Architectural MSRs: IA32_PRED_CMD): write-only; a read is #GP(0). */
START_TEST(write_only_registers) {
  struct cpu_model m = MODEL_WITH("x86-64", FEAT_SPEC_CTRL, FEAT_FLUSH_L1D);
  WRITES(&m, true, {MSR_PRED_CMD, 0, 1, MSR_OK, 0}, {MSR_PRED_CMD, 0, 2, MSR_GP, 0},
         {MSR_FLUSH_CMD, 0, 1, MSR_OK, 0},
         {MSR_SPEC_CTRL, 0, 7, MSR_OK, 7}, {MSR_SPEC_CTRL, 0, BIT(11), MSR_GP, 0});
  ck_assert_int_eq(msr_check_read(&msr_rows[MSR_PRED_CMD]), MSR_WRITE_ONLY);
  ck_assert_int_eq(msr_check_read(&msr_rows[MSR_SPEC_CTRL]), MSR_OK);
  ck_assert_int_eq(msr_check_read(&msr_rows[MSR_PLATFORM_ID]), MSR_OK);
  m = MODEL_WITH("x86-64-amd", FEAT_AMD_IBPB);
  WRITES(&m, true, {MSR_PRED_CMD_AMD, 0, 1, MSR_OK, 0});
}
END_TEST

/* SDM 2C WRMSR: each reason for #GP(0) by its name, and the bits to blame. */
START_TEST(reasons) {
  static const struct {
    int slot;
    u64 old, value;
    int why;
    u64 bits;
  } rows[] = {
    {MSR_MTRRCAP, 0x508, 0, MSR_READ_ONLY, 0}, {MSR_EFER, 0, BIT(1) | BIT(63) | 1, MSR_RESERVED_BITS, BIT(1) | BIT(63)},
    {MSR_TSC_AUX, 0, BIT(40) | 5, MSR_RESERVED_BITS, BIT(40)}, {MSR_LSTAR, 0, BIT(47), MSR_NONCANONICAL, MASK(63, 48)},
    {MSR_LSTAR, 0, BIT(63), MSR_NONCANONICAL, BIT(63)}, {MSR_PAT, 0, UINT64_C(0x0700030000), MSR_MEMORY_TYPE, 0xff0000},
    {MSR_MTRR_DEF_TYPE, 0, 0xc02, MSR_MEMORY_TYPE, 0xff}, {MSR_EFER, 0x500, 1, MSR_LME_PAGING, EFER_LME},
    {MSR_MC0_STATUS, 0, 6, MSR_ZERO_ONLY, 6},
  };
  const struct cpu_model *m = baseline(0);
  u64 v[MSR_SLOTS];
  msr_reset_all(m, v);
  struct msr_env env = {.model = m, .value = v, .cr0_pg = true};
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    struct msr_write out;
    int why = (int)msr_check_write(&env, &msr_rows[rows[i].slot], rows[i].old, rows[i].value, &out);
    ck_assert_msg(why == rows[i].why && out.bits == rows[i].bits, "row %u: %d, bits %llx", i, why,
                  (unsigned long long)out.bits);
  }
  struct cpu_model other = MODEL_WITH("x86-64", FEAT_VMX, FEAT_X2APIC);
  env.model = &other;
  WRITES(&other, true, {MSR_FEATURE_CONTROL, 5, 5, MSR_IS_LOCKED, 0},
         {MSR_APIC_BASE, 0xfee00d00, 0xfee00900, MSR_APIC_STATE, 0});
}
END_TEST

START_TEST(effects) {
  static const struct {
    int slot;
    u64 old, value;
    u32 effects;
  } rows[] = {
    {MSR_EFER, 0, EFER_LME, MSR_EFF_MODE | MSR_EFF_TLB}, {MSR_EFER, EFER_SCE, EFER_SCE, 0},
    {MSR_FS_BASE, 8, 8, MSR_EFF_SEGBASE}, {MSR_GS_BASE, 0, 8, MSR_EFF_SEGBASE}, {MSR_KERNEL_GS_BASE, 0, 8, 0},
    {MSR_TSC, 5, 5, MSR_EFF_TSC}, {MSR_APIC_BASE, 0xfee00900, 0xfee00900, MSR_EFF_APIC}, {MSR_LSTAR, 0, 1, 0},
    {MSR_PAT, 0, 6, MSR_EFF_TLB}, {MSR_PAT, 6, 6, 0}, {MSR_DEBUGCTL, 0, DEBUGCTL_BTF, MSR_EFF_MODE},
    {MSR_MTRR_DEF_TYPE, 0, 0x806, MSR_EFF_TLB},
  };
  const struct cpu_model *m = baseline(0);
  u64 v[MSR_SLOTS];
  msr_reset_all(m, v);
  struct msr_env env = {.model = m, .value = v};
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    struct msr_write out;
    ck_assert_int_eq(msr_check_write(&env, &msr_rows[rows[i].slot], rows[i].old, rows[i].value, &out), MSR_OK);
    ck_assert_msg(out.effects == rows[i].effects, "row %u: %x", i, out.effects);
  }
  ck_assert_int_eq(msr_rows[MSR_FS_BASE].store, MSR_IN_FS_BASE);
  ck_assert_int_eq(msr_rows[MSR_GS_BASE].store, MSR_IN_GS_BASE);
  ck_assert_int_eq(msr_rows[MSR_TSC].store, MSR_IN_TSC);
  ck_assert_int_eq(msr_rows[MSR_EFER].store, MSR_IN_ARRAY);
}
END_TEST

Suite *suite_msr(void);
Suite *suite_msr(void) {
  Suite *s = suite_create("msr");
  TCase *t = tcase_create("table");
  tcase_add_test(t, table_is_sorted_and_unambiguous);
  tcase_add_test(t, every_register_is_found_by_index_and_name);
  tcase_add_test(t, unknown_registers_are_not_found);
  tcase_add_test(t, documented_indexes);
  tcase_add_test(t, registers_follow_features);
  tcase_add_test(t, reset_values);
  suite_add_tcase(s, t);
  t = tcase_create("write");
  tcase_add_test(t, efer_bits);
  tcase_add_test(t, efer_lme_and_lma);
  tcase_add_test(t, efer_nxe_under_xd_disable);
  tcase_add_test(t, canonical_addresses);
  tcase_add_test(t, sysenter_registers);
  tcase_add_test(t, tsc_registers);
  tcase_add_test(t, apic_base);
  tcase_add_test(t, pat_types);
  tcase_add_test(t, mtrrs);
  tcase_add_test(t, fixed_mtrr_routing_bits);
  tcase_add_test(t, intel_registers);
  tcase_add_test(t, amd_registers);
  tcase_add_test(t, machine_check_banks);
  tcase_add_test(t, write_only_registers);
  tcase_add_test(t, reasons);
  tcase_add_test(t, effects);
  suite_add_tcase(s, t);
  return s;
}
