/* The fields of control, debug, flag and model-specific registers by name, and words that several views use.
 * SDM 3A 2.5 (Control Registers), 2.2.1 (Extended Feature Enable Register), 2.6 (Extended Control Registers);
 * SDM 1 3.4.3 (EFLAGS Register), 8.1.3 (x87 FPU Status Register), 8.1.5 (x87 FPU Control Word), 10.2.3 (MXCSR
 * Control and Status Register); SDM 3B 17.2 (Debug Registers); SDM 4 2.1 (Architectural MSRs); APM 2 3.1.7, 3.2
 * (Model-Specific Registers). */
#include "debugger/view_fields.h"

#include <ctype.h>
#include <string.h>

#include "cpu/event.h"
#include "cpu/x87.h"
#include "explain/explain.h"

enum { LINE_COLUMNS = 98 };

#define B(set, bit, name, meaning) {F_##set, bit, bit, name, meaning}
#define F(set, hi, lo, name, meaning) {F_##set, hi, lo, name, meaning}
static const struct field rows[] = {
    B(CR0, 31, "PG", "paging is on"), B(CR0, 30, "CD", "caches are off"), B(CR0, 29, "NW", "no write-through"),
    B(CR0, 18, "AM", "EFLAGS.AC at CPL 3 turns alignment checks on"),
    B(CR0, 16, "WP", "rings 0-2 may not write read-only pages"), B(CR0, 5, "NE", "x87 errors raise #MF"),
    B(CR0, 4, "ET", "always 1"), B(CR0, 3, "TS", "the next x87, MMX or SSE instruction is #NM"),
    B(CR0, 2, "EM", "no x87: its instructions are #NM, SSE is #UD"), B(CR0, 1, "MP", "WAIT obeys TS"),
    B(CR0, 0, "PE", "protected mode"),

    B(CR4, 24, "PKS", "protection keys for supervisor pages"), B(CR4, 23, "CET", "control-flow enforcement"),
    B(CR4, 22, "PKE", "protection keys for user pages (PKRU)"),
    B(CR4, 21, "SMAP", "rings 0-2 access user pages only with EFLAGS.AC"),
    B(CR4, 20, "SMEP", "rings 0-2 do not execute user pages"), B(CR4, 19, "KL", "Key Locker"),
    B(CR4, 18, "OSXSAVE", "XSAVE, XGETBV and XSETBV work"),
    B(CR4, 17, "PCIDE", "CR3[11:0] is the process-context ID"),
    B(CR4, 16, "FSGSBASE", "RDFSBASE, WRGSBASE, .. work in every ring"),
    B(CR4, 14, "SMXE", "safer mode extensions"), B(CR4, 13, "VMXE", "VMX"),
    B(CR4, 12, "LA57", "5-level paging, 57-bit linear addresses"),
    B(CR4, 11, "UMIP", "SGDT, SIDT, SLDT, SMSW and STR are #GP(0) above ring 0"),
    B(CR4, 10, "OSXMMEXCPT", "SSE exceptions raise #XM"),
    B(CR4, 9, "OSFXSR", "SSE works, FXSAVE saves its registers"), B(CR4, 8, "PCE", "RDPMC works in every ring"),
    B(CR4, 7, "PGE", "global pages"), B(CR4, 6, "MCE", "machine checks raise #MC"),
    B(CR4, 5, "PAE", "page-table entries of 8 bytes"), B(CR4, 4, "PSE", "4-MiB pages in 32-bit paging"),
    B(CR4, 3, "DE", "I/O breakpoints; DR4 and DR5 are #UD"), B(CR4, 2, "TSD", "RDTSC in ring 0 only"),
    B(CR4, 1, "PVI", "virtual interrupts in protected mode"), B(CR4, 0, "VME", "virtual-8086 mode extensions"),

    F(CR8, 3, 0, "TPL", "external interrupts of this priority class and below wait"),

    B(XCR0, 9, "PKRU", "PKRU's state"), B(XCR0, 7, "Hi16_ZMM", "ZMM16-ZMM31"),
    B(XCR0, 6, "ZMM_Hi256", "upper halves of ZMM0-15"), B(XCR0, 5, "opmask", "k0-k7"),
    B(XCR0, 4, "BNDCSR", "MPX configuration"), B(XCR0, 3, "BNDREG", "MPX bounds"),
    B(XCR0, 2, "AVX", "upper halves of YMM"), B(XCR0, 1, "SSE", "XMM and MXCSR"),
    B(XCR0, 0, "x87", "x87 and MMX"),

    B(EFER, 21, "AIBRSE", "automatic IBRS"), B(EFER, 20, "UAIE", "upper address ignore"),
    B(EFER, 18, "INTWB", "WBINVD can be interrupted"), B(EFER, 17, "MCOMMIT", "MCOMMIT works"),
    B(EFER, 15, "TCE", "translation cache extension"),
    B(EFER, 14, "FFXSR", "FXSAVE leaves XMM out in 64-bit ring 0"),
    B(EFER, 13, "LMSLE", "data segment limits in 64-bit mode"), B(EFER, 12, "SVME", "SVM"),
    B(EFER, 11, "NXE", "bit 63 of a page-table entry forbids execution"),
    B(EFER, 10, "LMA", "long mode is active (LME and CR0.PG)"), B(EFER, 8, "LME", "paging will be long mode's"),
    B(EFER, 0, "SCE", "SYSCALL and SYSRET work"),

    B(RFLAGS, 21, "ID", "CPUID exists when this can be changed"),
    B(RFLAGS, 20, "VIP", "a virtual interrupt waits"), B(RFLAGS, 19, "VIF", "virtual interrupt flag"),
    B(RFLAGS, 18, "AC", "alignment checks at CPL 3; under SMAP, ring 0 may access user pages"),
    B(RFLAGS, 17, "VM", "virtual-8086 mode"),
    B(RFLAGS, 16, "RF", "no instruction breakpoint for one instruction"),
    B(RFLAGS, 14, "NT", "IRET returns to the task that the TSS links to"),
    F(RFLAGS, 13, 12, "IOPL", "rings up to this may do I/O and change IF"),
    B(RFLAGS, 11, "OF", "signed overflow"), B(RFLAGS, 10, "DF", "string instructions go down"),
    B(RFLAGS, 9, "IF", "external interrupts are let in"), B(RFLAGS, 8, "TF", "#DB after each instruction"),
    B(RFLAGS, 7, "SF", "sign: the result's highest bit"), B(RFLAGS, 6, "ZF", "zero: the result was 0"),
    B(RFLAGS, 4, "AF", "carry out of the low four bits"),
    B(RFLAGS, 2, "PF", "even number of ones in the low byte"), B(RFLAGS, 0, "CF", "carry, unsigned overflow"),

    B(DR6, 15, "BT", "a task switch to a TSS with T set"), B(DR6, 14, "BS", "a single step (TF)"),
    B(DR6, 13, "BD", "an access to a debug register while DR7.GD"),
    B(DR6, 3, "B3", "the condition of DR3 was met"), B(DR6, 2, "B2", "the condition of DR2 was met"),
    B(DR6, 1, "B1", "the condition of DR1 was met"), B(DR6, 0, "B0", "the condition of DR0 was met"),

    F(DR7, 31, 30, "LEN3", NULL), F(DR7, 29, 28, "RW3", NULL), F(DR7, 27, 26, "LEN2", NULL),
    F(DR7, 25, 24, "RW2", NULL), F(DR7, 23, 22, "LEN1", NULL), F(DR7, 21, 20, "RW1", NULL),
    F(DR7, 19, 18, "LEN0", NULL), F(DR7, 17, 16, "RW0", NULL),
    B(DR7, 13, "GD", "accesses to debug registers are #DB"),
    B(DR7, 11, "RTM", "advanced debugging of transactions"), B(DR7, 9, "GE", "exact (no effect)"),
    B(DR7, 8, "LE", "exact (no effect)"), B(DR7, 7, "G3", NULL), B(DR7, 6, "L3", NULL), B(DR7, 5, "G2", NULL),
    B(DR7, 4, "L2", NULL), B(DR7, 3, "G1", NULL), B(DR7, 2, "L1", NULL), B(DR7, 1, "G0", NULL),
    B(DR7, 0, "L0", NULL),

    B(MXCSR, 15, "FZ", "results that are denormal become 0"), F(MXCSR, 14, 13, "RC", "rounding"),
    B(MXCSR, 12, "PM", "precision exceptions are masked"),
    B(MXCSR, 11, "UM", "underflow exceptions are masked"), B(MXCSR, 10, "OM", "overflow exceptions are masked"),
    B(MXCSR, 9, "ZM", "divisions by zero are masked"), B(MXCSR, 8, "DM", "denormal operands are masked"),
    B(MXCSR, 7, "IM", "invalid operations are masked"), B(MXCSR, 6, "DAZ", "denormal operands count as 0"),
    B(MXCSR, 5, "PE", "a result was inexact"), B(MXCSR, 4, "UE", "a result underflowed"),
    B(MXCSR, 3, "OE", "a result overflowed"), B(MXCSR, 2, "ZE", "there was a division by zero"),
    B(MXCSR, 1, "DE", "there was a denormal operand"), B(MXCSR, 0, "IE", "there was an invalid operation"),

    F(FCW, 11, 10, "RC", "rounding"), F(FCW, 9, 8, "PC", "precision"),
    B(FCW, 5, "PM", "precision exceptions are masked"), B(FCW, 4, "UM", "underflow exceptions are masked"),
    B(FCW, 3, "OM", "overflow exceptions are masked"), B(FCW, 2, "ZM", "divisions by zero are masked"),
    B(FCW, 1, "DM", "denormal operands are masked"), B(FCW, 0, "IM", "invalid operations are masked"),

    B(FSW, 15, "B", "busy: as ES"), B(FSW, 14, "C3", "condition code"),
    F(FSW, 13, 11, "TOP", "the register that is ST(0)"), B(FSW, 10, "C2", "condition code"),
    B(FSW, 9, "C1", "condition code"), B(FSW, 8, "C0", "condition code"),
    B(FSW, 7, "ES", "an unmasked exception waits"), B(FSW, 6, "SF", "the stack over- or underflowed (C1)"),
    B(FSW, 5, "PE", "a result was inexact"), B(FSW, 4, "UE", "a result underflowed"),
    B(FSW, 3, "OE", "a result overflowed"), B(FSW, 2, "ZE", "there was a division by zero"),
    B(FSW, 1, "DE", "there was a denormal operand"), B(FSW, 0, "IE", "there was an invalid operation"),

    F(APIC_BASE, 51, 12, "BASE", "page of the local APIC's registers"),
    B(APIC_BASE, 11, "EN", "the local APIC is on"), B(APIC_BASE, 10, "EXTD", "x2APIC mode"),
    B(APIC_BASE, 8, "BSP", "the bootstrap processor"), B(FEATURE_CONTROL, 2, "VMXOUT", "VMX outside SMX"),
    B(FEATURE_CONTROL, 1, "VMXIN", "VMX inside SMX"),
    B(FEATURE_CONTROL, 0, "LOCK", "no more writes until RESET"),
    B(SPEC_CTRL, 2, "SSBD", "no speculative store bypass"),
    B(SPEC_CTRL, 1, "STIBP", "predictions not shared by threads"),
    B(SPEC_CTRL, 0, "IBRS", "indirect branch speculation is restricted"),
    B(ARCH_CAPABILITIES, 5, "MDS_NO", "no MDS"),
    B(ARCH_CAPABILITIES, 4, "SSB_NO", "no speculative store bypass"),
    B(ARCH_CAPABILITIES, 3, "SKIP_L1DFL", "VM entry need not flush L1D"),
    B(ARCH_CAPABILITIES, 2, "RSBA", "RET may use other predictors"),
    B(ARCH_CAPABILITIES, 1, "IBRS_ALL", "enhanced IBRS"), B(ARCH_CAPABILITIES, 0, "RDCL_NO", "no Meltdown"),
    B(MISC_ENABLE, 34, "XD_DISABLE", "no execute-disable bit"),
    B(MISC_ENABLE, 22, "LIMIT_CPUID", "CPUID ends at leaf 2"),
    B(MISC_ENABLE, 18, "MONITOR", "MONITOR and MWAIT work"), B(MISC_ENABLE, 16, "EIST", "SpeedStep"),
    B(MISC_ENABLE, 12, "NO_PEBS", "no event-based sampling"),
    B(MISC_ENABLE, 11, "NO_BTS", "no branch trace store"),
    B(MISC_ENABLE, 0, "FAST_STRINGS", "fast string operation"),
    B(DEBUGCTL, 1, "BTF", "TF steps from branch to branch"), B(DEBUGCTL, 0, "LBR", "last-branch recording"),
    B(MTRRCAP, 11, "SMRR", "SMM range registers"), B(MTRRCAP, 10, "WC", "write combining"),
    B(MTRRCAP, 8, "FIX", "fixed ranges"), F(MTRRCAP, 7, 0, "VCNT", "variable ranges"),
    B(MTRR_DEF_TYPE, 11, "E", "MTRRs are on"), B(MTRR_DEF_TYPE, 10, "FE", "fixed ranges are on"),
    F(MTRR_DEF_TYPE, 7, 0, "TYPE", "of memory that no range holds"),
    B(MCG_CAP, 24, "SER_P", "software error recovery"), B(MCG_CAP, 8, "CTL_P", "MCG_CTL exists"),
    F(MCG_CAP, 7, 0, "COUNT", "banks"), B(MCG_STATUS, 2, "MCIP", "a machine check is in progress"),
    B(MCG_STATUS, 1, "EIPV", "RIP is of the error"), B(MCG_STATUS, 0, "RIPV", "the program can go on at RIP"),
    B(MC_STATUS, 63, "VAL", "the bank holds an error"), B(MC_STATUS, 62, "OVER", "errors were lost"),
    B(MC_STATUS, 61, "UC", "uncorrected"), B(MC_STATUS, 60, "EN", "reporting was on"),
    B(MC_STATUS, 59, "MISCV", "MISC is valid"), B(MC_STATUS, 58, "ADDRV", "ADDR is valid"),
    B(MC_STATUS, 57, "PCC", "processor context corrupt"), F(MC_STATUS, 31, 16, "MODEL", "model-specific code"),
    F(MC_STATUS, 15, 0, "CODE", "error code"), B(SYSCFG, 22, "Tom2ForceMemTypeWB", "write-back above 4 GiB"),
    B(SYSCFG, 21, "MtrrTom2En", "TOP_MEM2 is on"), B(SYSCFG, 20, "MtrrVarDramEn", "IORRs and TOP_MEM are on"),
    B(SYSCFG, 19, "MtrrFixDramModEn", "RdMem and WrMem can be changed"),
    B(SYSCFG, 18, "MtrrFixDramEn", "RdMem and WrMem are on"),
    B(HWCR, 24, "TscFreqSel", "the TSC counts at P0's rate"),
    B(HWCR, 18, "McStatusWrEn", "MCi_STATUS can be written"), B(HWCR, 8, "IgnneEm", "IGNNE# is emulated"),
    B(HWCR, 6, "FPUDIS", "the x87 is off"), B(HWCR, 4, "INVDWBINVD", "INVD writes back"),
    B(HWCR, 3, "TlbCacheDis", "page tables are not cached"), B(VM_CR, 4, "SVMDIS", "EFER.SVME cannot be set"),
    B(VM_CR, 3, "LOCK", "SVMDIS and LOCK are fixed"), B(VM_CR, 2, "DIS_A20M", "no A20 masking"),
    B(VM_CR, 1, "R_INIT", "INIT is redirected"), B(VM_CR, 0, "DPD", "no external debugging"),
    B(DE_CFG, 1, "LFENCE", "LFENCE waits for all before it"), F(TOP_MEM, 51, 23, "TOM", "8-MiB units"),
};
#undef B
#undef F

const struct field *field_at(enum field_set set, unsigned n) {
  for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
    if (rows[k].set == set) return k + n < ARRAY_SIZE(rows) && rows[k + n].set == set ? &rows[k + n] : NULL;
  return NULL;
}

/* One field; *at: the column that text has come to. */
static void show_field(struct out *o, const struct field *f, u64 value, unsigned column, unsigned *at) {
  char text[40];
  bool flag = f->hi == f->lo;
  if (flag) snprintf(text, sizeof text, "%s", f->name);
  else snprintf(text, sizeof text, value < 10 ? "%s=%llu" : "%s=0x%llx", f->name, (unsigned long long)value);
  for (char *p = text; flag && !value && *p; p++) *p = (char)tolower((unsigned char)*p);
  out_num(o, f->name, value, NULL);
  if (!value && !column) return;
  unsigned len = (unsigned)strlen(text);
  if (column && *at > column && *at + 1 + len > LINE_COLUMNS) {
    out_text(o, "\n%*s", (int)column, "");
    *at = column;
  } else if (*at > column) {
    out_text(o, " ");
    len++;
  }
  out_text(o, "%s", text);
  *at += len;
}

/* Bits that the manual gives no name, but for those that are always 1. */
static u64 fixed_bits(enum field_set set) {
  return set == F_RFLAGS ? EF_1 : set == F_DR6 ? DR6_FIXED : set == F_DR7 ? DR7_FIXED : set == F_FCW ? FCW_FIXED : 0;
}

void fields_show(struct out *o, enum field_set set, u64 v, unsigned column) {
  const struct field *f;
  u64 known = fixed_bits(set);
  unsigned at = column;
  out_open(o, "bits");
  for (unsigned n = 0; (f = field_at(set, n)); n++) {
    known |= MASK(f->hi, f->lo);
    show_field(o, f, bits(v, f->hi, f->lo), column, &at);
  }
  out_close(o);
  if (v & ~known) out_hex(o, "other_bits", v & ~known, at > column ? " and 0x%llx" : "0x%llx");
}

void fields_explain(struct out *o, enum field_set set, u64 v) {
  const struct field *f;
  for (unsigned n = 0; (f = field_at(set, n)); n++)
    if (bits(v, f->hi, f->lo) && f->meaning) out_text(o, "       %-10s %s\n", f->name, f->meaning);
}

/* ---- words ---- */

void view_name(const struct view *v, u64 addr) {
  char name[160] = "";
  if (v->syms) sym_name(v->syms, addr, name, sizeof name);
  if (*name) out_str(v->out, "name", name, " <%s>");
}

void view_flags_words(char *buf, size_t n, u32 rflags) {
  char text[160];
  explain_flags(text, sizeof text, rflags);
  const char *from = strchr(text, '[');
  snprintf(buf, n, "%s", from ? from : "");
}

const char *view_mode_name(const struct cpu *cpu, unsigned *code_bits) {
  static const u8 bits_of[] = {16, 32, 64, 64};
  unsigned width = bits_of[cpu->mode & MODE_CODE_MASK];
  if (code_bits) *code_bits = width;
  if (!(cpu->mode & MODE_PE)) return width == 32 ? "real-address mode (32-bit code)" : "real-address mode";
  if (cpu_long(cpu))
    return width == 64 ? "64-bit mode" : width == 32 ? "compatibility mode, 32-bit" : "compatibility mode, 16-bit";
  if (cpu_vm86(cpu)) return "virtual-8086 mode";
  return width == 32 ? "protected mode, 32-bit" : "protected mode, 16-bit";
}

const char *view_memory_type(unsigned type) {
  static const char *const names[] = {"UC", "WC", "reserved", "reserved", "WT", "WP", "WB", "UC-"};
  return type < ARRAY_SIZE(names) ? names[type] : "reserved";
}
