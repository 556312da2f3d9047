/* SYSENTER and SYSEXIT. SDM 2B SYSENTER, SYSEXIT (Operation); SDM 3A 5.8.7 (Performing Fast Calls to System
 * Procedures with the SYSENTER and SYSEXIT Instructions); APM 3 SYSENTER, SYSEXIT.
 *
 *   selectors from SYSENTER_CS:  +0 CS, +8 SS of ring 0;  +16 CS, +24 SS (32-bit);  +32 CS, +40 SS (64-bit)
 */
#include "cpu/check.h"
#include "cpu/handler.h"
#include "cpu/seg.h"
#include "cpu/transition.h"

static bool mode_ok(const struct cpu *cpu) {
  return !cpu_long(cpu) || model_does(cpu->model, RULE_SYSENTER_LONG);
}
static u16 sysenter_cs(const struct cpu *cpu) { return (u16)(cpu->msr[MSR_SYSENTER_CS] & 0xfffc); }

/* Out of line, like every transition: locals whose address escapes would cost the handler its tail call. */
NOINLINE static u64 do_sysenter(struct cpu *cpu, const struct insn *i) {
  u16 cs = sysenter_cs(cpu);
  bool wide = cpu_long(cpu);
  struct transition t;
  cpu->insn = i;
  transition_begin(cpu, &t, TR_SYSENTER, insn_next_rip(cpu, i));
  require_ab(cpu, CHK_SYSENTER_MODE, mode_ok(cpu), 0, wide, 0);
  require_ab(cpu, CHK_SYSENTER_PE, cpu->mode & MODE_PE, 0, !!(cpu->mode & MODE_PE), 0);
  rec_msr(cpu, MSR_SYSENTER_CS);
  require_ab(cpu, CHK_SYSENTER_CS, cs != 0, 0, cs, 0);

  u64 rip = cpu->msr[MSR_SYSENTER_EIP], rsp = cpu->msr[MSR_SYSENTER_ESP];
  rec_msr(cpu, MSR_SYSENTER_EIP);
  rec_msr(cpu, MSR_SYSENTER_ESP);
  rec_sum(cpu, WORD_CS, "SYSENTER_CS & FFFCh", cs);
  rec_sum(cpu, WORD_SS, "CS + 8", (u16)(cs + 8));
  rec_sum(cpu, WORD_IP, wide ? "SYSENTER_EIP" : "SYSENTER_EIP[31:0]", wide ? rip : (u32)rip);
  rec_sum(cpu, WORD_SP, wide ? "SYSENTER_ESP" : "SYSENTER_ESP[31:0]", wide ? rsp : (u32)rsp);
  cpu->eflags &= ~(u32)(EF_VM | EF_IF | EF_RF);
  cpu->gpr[RSP] = wide ? rsp : (u32)rsp;
  cpu->seg[CS] = seg_flat_code(cs, 0, wide);
  cpu->seg[SS] = seg_flat_data((u16)(cs + 8), 0);
  cpu->cpl = 0;
  cpu_update_mode(cpu);
  if (!wide) rip = (u32)rip;
  transition_end(cpu, &t, rip);
  return rip;
}

static const struct insn *h_sysenter(struct cpu *restrict cpu, const struct insn *restrict i) {
  return cpu_jump_mode(cpu, i, do_sysenter(cpu, i));
}
BODY_1(sysenter, h_sysenter)

NOINLINE static u64 do_sysexit(struct cpu *cpu, const struct insn *i) {
  u16 cs = sysenter_cs(cpu);
  bool code64 = insn_osize(i) == W64;
  u64 rip = cpu->gpr[RDX], rsp = cpu->gpr[RCX];
  struct transition t;
  cpu->insn = i;
  transition_begin(cpu, &t, TR_SYSEXIT, insn_rip(i));
  require_ab(cpu, CHK_SYSEXIT_MODE, mode_ok(cpu), 0, cpu_long(cpu), 0);
  rec_msr(cpu, MSR_SYSENTER_CS);
  require_ab(cpu, CHK_SYSEXIT_CS, cs != 0, 0, cs, 0);
  require_ab(cpu, CHK_SYSEXIT_PE, cpu->mode & MODE_PE, 0, !!(cpu->mode & MODE_PE), 0);
  require_ab(cpu, CHK_SYSEXIT_CPL, cpu->cpl == 0, 0, cpu->cpl, 0);
  if (code64) {
    require_ab(cpu, CHK_SYSEXIT_RIP_CANONICAL, cpu_canonical(cpu, rip), 0, rip, 0);
    require_ab(cpu, CHK_SYSEXIT_RSP_CANONICAL, cpu_canonical(cpu, rsp), 0, rsp, 0);
  }

  if (!code64) {
    rip = (u32)rip;
    rsp = (u32)rsp;
  }
  cpu->eflags &= ~(u32)EF_RF;
  cpu->gpr[RSP] = rsp;
  cs = (u16)(cs + (code64 ? 32 : 16));
  cpu->seg[CS] = seg_flat_code(cs | 3, 3, code64);
  cpu->seg[SS] = seg_flat_data((u16)(cs + 8) | 3, 3);
  rec_sum(cpu, WORD_CS, code64 ? "(SYSENTER_CS + 32) | 3" : "(SYSENTER_CS + 16) | 3", cpu->seg[CS].sel);
  rec_sum(cpu, WORD_SS, code64 ? "(SYSENTER_CS + 40) | 3" : "(SYSENTER_CS + 24) | 3", cpu->seg[SS].sel);
  rec_sum(cpu, WORD_IP, code64 ? "RDX" : "EDX", rip);
  rec_sum(cpu, WORD_SP, code64 ? "RCX" : "ECX", rsp);
  cpu->cpl = 3;
  cpu_update_mode(cpu);
  transition_end(cpu, &t, rip);
  return rip;
}

static const struct insn *h_sysexit(struct cpu *restrict cpu, const struct insn *restrict i) {
  return cpu_jump_mode(cpu, i, do_sysexit(cpu, i));
}
BODY_1(sysexit, h_sysexit)
