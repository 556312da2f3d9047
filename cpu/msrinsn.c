/* Model-specific registers, time stamps, identification, and the FS and GS bases.
 * SDM 2B RDMSR, RDPMC, RDTSC, RDTSCP, RDPID, SWAPGS; SDM 2C WRMSR; SDM 2A CPUID; SDM 2B RDFSBASE/RDGSBASE,
 * SDM 2C WRFSBASE/WRGSBASE; APM 3 (the same titles). */
#include "cpu/check.h"
#include "cpu/rare.h"
#include "cpu/seg.h"
#include "cpu/simd_state.h"

/* EDX:EAX, which is how these instructions give 64 bits. */
static void set_edx_eax(struct cpu *cpu, u64 v) {
  cpu->gpr[RAX] = (u32)v;
  cpu->gpr[RDX] = v >> 32;
}

/* The time-stamp counter: the machine's clock, or the instructions retired before this one, whose block has
 * been charged whole; cpu->msr[MSR_TSC] is what software has added to it. cpu->insn is set. */
static u64 tsc_now(const struct cpu *cpu) {
  const struct vm_hooks *h = &cpu->vm->hooks;
  return (h->tsc ? h->tsc(h->opaque) : cpu_icount(cpu) - cpu->insn->left) + cpu->msr[MSR_TSC];
}

/* ---- RDMSR, WRMSR ---- */

static u64 msr_value(const struct cpu *cpu, const struct msr_row *row) {
  switch ((enum msr_store)row->store) {
    case MSR_IN_FS_BASE: return cpu->seg[FS].base;
    case MSR_IN_GS_BASE: return cpu->seg[GS].base;
    case MSR_IN_TSC: return tsc_now(cpu);
    default: return cpu->msr[msr_slot_of(row)];
  }
}

/* SDM 3B 17.17.3 (Time-Stamp Counter Adjustment): a write of either moves both by the same amount. */
static void store_tsc(struct cpu *cpu, const struct msr_row *row, u64 old, u64 v) {
  cpu->msr[MSR_TSC] += v - old;
  if (row->store == MSR_IN_TSC) cpu->msr[MSR_TSC_ADJUST] += v - old;
  else cpu->msr[msr_slot_of(row)] = v;
}

static void msr_store(struct cpu *cpu, const struct msr_row *row, u64 old, u64 v, u32 effects) {
  if (effects & MSR_EFF_TSC) store_tsc(cpu, row, old, v);
  else if (row->store == MSR_IN_FS_BASE) cpu->seg[FS].base = v;
  else if (row->store == MSR_IN_GS_BASE) cpu->seg[GS].base = v;
  else cpu->msr[msr_slot_of(row)] = v;
  if (effects & (MSR_EFF_MODE | MSR_EFF_SEGBASE)) cpu_update_mode(cpu);
  if (effects & MSR_EFF_TLB) cpu_tlb_flush(cpu);
}

static const struct msr_row *msr_addressed(struct cpu *cpu, const struct insn *i) {
  cpu->insn = i;
  require_ab(cpu, CHK_CPL0, cpu->cpl == 0, 0, cpu->cpl, 0);
  const struct msr_row *row = msr_find(cpu->model, (u32)cpu->gpr[RCX]);
  require_ab(cpu, CHK_MSR_EXISTS, row != NULL, 0, (u32)cpu->gpr[RCX], 0);
  if (!row) check_failed(cpu, CHK_MSR_EXISTS, 0); /* inverted: there is still nothing to access */
  return row;
}

static const struct insn *h_rdmsr(struct cpu *restrict cpu, const struct insn *restrict i) {
  const struct msr_row *row = msr_addressed(cpu, i);
  require_ab(cpu, CHK_MSR_READ, msr_check_read(row) == MSR_OK, 0, (u32)cpu->gpr[RCX], 0);
  set_edx_eax(cpu, msr_value(cpu, row));
  NEXT(cpu, i, FORM_R);
}
BODY_1(rdmsr, h_rdmsr)

/* Judges, by name, each reason for which a write of this register may be refused. */
static void require_writable(struct cpu *cpu, const struct msr_row *row, enum msr_refusal why, u64 bits, u64 given) {
  static const u16 check_of[MSR_REFUSALS] = {
      [MSR_READ_ONLY] = CHK_MSR_READ_ONLY,   [MSR_RESERVED_BITS] = CHK_MSR_RESERVED,
      [MSR_NONCANONICAL] = CHK_MSR_CANONICAL, [MSR_MEMORY_TYPE] = CHK_MSR_MEMORY_TYPE,
      [MSR_LME_PAGING] = CHK_MSR_EFER_LME,   [MSR_APIC_STATE] = CHK_MSR_APIC_STATE,
      [MSR_IS_LOCKED] = CHK_MSR_LOCKED,      [MSR_ZERO_ONLY] = CHK_MSR_ZERO_ONLY};
  u32 rules = msr_rules(cpu->model, row);
  for (unsigned k = MSR_READ_ONLY; k < MSR_REFUSALS; k++) {
    if (!(rules >> k & 1)) continue;
    bool failed = k == (unsigned)why;
    u64 a = k == MSR_READ_ONLY ? row->index : failed ? bits : 0;
    require_ab(cpu, (enum check_id)check_of[k], !failed, 0, a, given);
    if (failed) return; /* inverted: what comes behind was not looked at */
  }
}

/* Out of line, like CPUID's: locals whose address escapes would cost the handler its tail call. */
NOINLINE static void do_wrmsr(struct cpu *cpu, const struct insn *i) {
  const struct msr_row *row = msr_addressed(cpu, i);
  const struct msr_env env = {.model = cpu->model, .value = cpu->msr, .cr0_pg = cpu->cr0 & CR0_PG};
  u64 old = msr_value(cpu, row), given = cpu->gpr[RDX] << 32 | (u32)cpu->gpr[RAX];
  struct msr_write w;
  enum msr_refusal why = msr_check_write(&env, row, old, given, &w);
  if (rec_on(cpu)) rec_add(cpu, (struct rec_step){.kind = REC_MSR, .id = (u16)msr_slot_of(row), .a = old});
  require_writable(cpu, row, why, w.bits, given);
  if (why == MSR_OK) msr_store(cpu, row, old, w.value, w.effects);
}

static const struct insn *h_wrmsr(struct cpu *restrict cpu, const struct insn *restrict i) {
  do_wrmsr(cpu, i);
  return cpu_jump_mode(cpu, i, insn_next_rip(cpu, i));
}
BODY_1(wrmsr, h_wrmsr)

/* ---- time stamps, performance counters ---- */

static void require_tsd(struct cpu *cpu, const struct insn *i) {
  cpu->insn = i;
  require_ab(cpu, CHK_TSD, !(cpu->cr4 & CR4_TSD) || cpu->cpl == 0, 0, cpu->cpl, !!(cpu->cr4 & CR4_TSD));
}

static const struct insn *h_rdtsc(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_tsd(cpu, i);
  set_edx_eax(cpu, tsc_now(cpu));
  NEXT(cpu, i, FORM_R);
}
BODY_1(rdtsc, h_rdtsc)

static const struct insn *h_rdtscp(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_tsd(cpu, i);
  set_edx_eax(cpu, tsc_now(cpu));
  cpu->gpr[RCX] = (u32)cpu->msr[MSR_TSC_AUX];
  NEXT(cpu, i, FORM_R);
}
BODY_1(rdtscp, h_rdtscp)

static const struct insn *h_rdpid(struct cpu *restrict cpu, const struct insn *restrict i) {
  reg_set(cpu, i->dst, cpu->msr[MSR_TSC_AUX], cpu_code64(cpu) ? W64 : W32);
  NEXT(cpu, i, FORM_R);
}
BODY_1(rdpid, h_rdpid)

/* AMD's processors have four counters whatever CPUID says. The registers that would start them are not modelled, so
 * they read as 0. CR4.PCE is looked at first. */
static const struct insn *h_rdpmc(struct cpu *restrict cpu, const struct insn *restrict i) {
  cpu->insn = i;
  require_ab(cpu, CHK_PCE, (cpu->cr4 & CR4_PCE) || cpu->cpl == 0, 0, cpu->cpl, !!(cpu->cr4 & CR4_PCE));
  require_ab(cpu, CHK_PMC_EXISTS, model_does(cpu->model, RULE_RDPMC_LEGACY) && (u32)cpu->gpr[RCX] < 4, 0, (u32)cpu->gpr[RCX], 0);
  set_edx_eax(cpu, 0);
  NEXT(cpu, i, FORM_R);
}
BODY_1(rdpmc, h_rdpmc)

/* ---- CPUID ---- */

static u32 processor_number(const struct cpu *cpu) {
  for (unsigned n = 0; n < cpu->vm->cpus; n++)
    if (cpu->vm->cpu[n] == cpu) return n;
  return 0;
}

NOINLINE static void do_cpuid(struct cpu *cpu) {
  u32 out[4];
  struct cpuid_dynamic dyn = {
      .apic_id = processor_number(cpu), .code64 = cpu_code64(cpu), .apic_base = cpu->msr[MSR_APIC_BASE],
      .misc_enable = cpu->msr[MSR_MISC_ENABLE], .cr4 = cpu->cr4, .xcr0 = cpu->xcr0, .xss = cpu->msr[MSR_XSS],
  };
  cpuid_leaf(cpu->model, &dyn, (u32)cpu->gpr[RAX], (u32)cpu->gpr[RCX], out);
  cpu->gpr[RAX] = out[0];
  cpu->gpr[RBX] = out[1];
  cpu->gpr[RCX] = out[2];
  cpu->gpr[RDX] = out[3];
}

static const struct insn *h_cpuid(struct cpu *restrict cpu, const struct insn *restrict i) {
  do_cpuid(cpu);
  return cpu_leave(cpu, i); /* serializing */
}
BODY_1(cpuid, h_cpuid)

/* ---- SWAPGS, RD/WR FS/GS BASE: 64-bit mode only, by their rows ---- */

static const struct insn *h_swapgs(struct cpu *restrict cpu, const struct insn *restrict i) {
  u64 base = cpu->seg[GS].base;
  cpu->insn = i;
  require_ab(cpu, CHK_CPL0, cpu->cpl == 0, 0, cpu->cpl, 0);
  cpu->seg[GS].base = cpu->msr[MSR_KERNEL_GS_BASE];
  cpu->msr[MSR_KERNEL_GS_BASE] = base;
  NEXT(cpu, i, FORM_R);
}
BODY_1(swapgs, h_swapgs)

INLINE_BODY rdbase(struct cpu *restrict cpu, const struct insn *restrict i, enum sreg r) {
  cpu->insn = i;
  require_ab(cpu, CHK_FSGSBASE, cpu->cr4 & CR4_FSGSBASE, 0, !!(cpu->cr4 & CR4_FSGSBASE), 0);
  reg_set(cpu, i->dst, cpu->seg[r].base, insn_osize(i));
  NEXT(cpu, i, FORM_R);
}

/* Canonical for the paging mode in use, unlike the MSRs of the same bases (measured on Intel Xeon). */
INLINE_BODY wrbase(struct cpu *restrict cpu, const struct insn *restrict i, enum sreg r) {
  u64 v = reg_get(cpu, i->dst, insn_osize(i));
  cpu->insn = i;
  require_ab(cpu, CHK_FSGSBASE, cpu->cr4 & CR4_FSGSBASE, 0, !!(cpu->cr4 & CR4_FSGSBASE), 0);
  require_ab(cpu, CHK_BASE_CANONICAL, cpu_canonical(cpu, v), 0, v, 0);
  cpu->seg[r].base = v;
  NEXT(cpu, i, FORM_R);
}

#define BASE_BODY(name, op, r)                                                                             \
  static const struct insn *h_##name(struct cpu *restrict cpu, const struct insn *restrict i) {            \
    return op(cpu, i, r);                                                                                  \
  }                                                                                                        \
  BODY_1(name, h_##name)
BASE_BODY(rdfsbase, rdbase, FS)
BASE_BODY(rdgsbase, rdbase, GS)
BASE_BODY(wrfsbase, wrbase, FS)
BASE_BODY(wrgsbase, wrbase, GS)

/* ---- VMCALL: the emulated kernel's hypercall, inside its page at CPL 0; VMX itself is not modelled ---- */

COLD static void judge_vmcall(struct cpu *cpu, const struct insn *i, bool ours) {
  cpu->insn = i;
  require_ab(cpu, CHK_OP_FEATURE, ours, 0, FEAT_VMX, 0);
}

static const struct insn *h_vmcall(struct cpu *restrict cpu, const struct insn *restrict i) {
  const struct vm *vm = cpu->vm;
  u64 la = insn_rip(i) + (cpu_code64(cpu) ? 0 : cpu->seg[CS].base);
  bool ours = cpu->cpl == 0 && la >= vm->hypercall_first && la <= vm->hypercall_last && vm->hooks.hypercall;
  if (unlikely(!ours) || rec_on(cpu)) judge_vmcall(cpu, i, ours);
  if (!ours) return cpu_leave(cpu, i); /* inverted */
  cpu->rip = insn_next_rip(cpu, i);
  cpu->insn = NULL;
  cpu->leave = 0;
  simd_leave(cpu);
  vm->hooks.hypercall(vm->hooks.opaque, cpu);
  simd_enter(cpu);
  return cpu_jump_mode(cpu, i, cpu->rip);
}
BODY_1(vmcall, h_vmcall)
