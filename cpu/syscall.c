/* SYSCALL and SYSRET of both vendors. SDM 2B SYSCALL, SYSRET (Operation); SDM 3A 5.8.8 (Fast System Calls in
 * 64-Bit Mode); APM 3 SYSCALL, SYSRET; APM 2 6.1.1 (SYSCALL and SYSRET).
 *
 *   STAR:  63 . . . . 48  47 . . . . . 32  31 . . . . 0
 *          SYSRET CS, SS  SYSCALL CS, SS   legacy EIP (amd)
 */
#include "cpu/check.h"
#include "cpu/event.h"
#include "cpu/handler.h"
#include "cpu/seg.h"

enum { SYSRET_FLAGS = 0x3c7fd7 };

/* Legal mode: 64-bit, and for some models any protected mode. */
static inline void require_mode(struct cpu *cpu, enum check_id id) {
  if (likely(cpu_code64(cpu)) && !rec_on(cpu)) return;
  bool legacy = model_does(cpu->model, RULE_SYSCALL_LEGACY);
  require_ab(cpu, id, cpu_code64(cpu) || legacy, 0, cpu_long(cpu), cpu_code64(cpu));
}

/* The return address and flags go to registers. Returns the entry point. */
static u64 syscall_long(struct cpu *cpu, u64 next) {
  u32 flags = cpu_eflags(cpu) & ~(u32)EF_RF;
  enum msr_slot entry_msr = cpu_code64(cpu) ? MSR_LSTAR : MSR_CSTAR;
  u64 entry = cpu->msr[entry_msr];
  if (rec_on(cpu)) {
    rec_msr(cpu, entry_msr);
    rec_msr(cpu, MSR_FMASK);
    rec_sum(cpu, WORD_CX, "next RIP", next);
    rec_sum(cpu, WORD_R11, "RFLAGS with RF = 0", flags);
    rec_sum(cpu, WORD_FLAGS, "RFLAGS & ~FMASK", flags & ~(u32)cpu->msr[MSR_FMASK]);
    rec_sum(cpu, WORD_IP, entry_msr == MSR_LSTAR ? "LSTAR" : "CSTAR", entry);
  }
  cpu->gpr[RCX] = next;
  cpu->gpr[R11] = flags;
  cpu_set_eflags(cpu, flags & ~(u32)cpu->msr[MSR_FMASK]);
  return entry;
}

static u64 syscall_legacy(struct cpu *cpu, u64 next) {
  rec_sum(cpu, WORD_CX, "next EIP", (u32)next);
  rec_sum(cpu, WORD_IP, "STAR[31:0]", (u32)cpu->msr[MSR_STAR]);
  cpu->gpr[RCX] = (u32)next;
  cpu->eflags &= ~(u32)(EF_VM | EF_IF | EF_RF);
  return (u32)cpu->msr[MSR_STAR];
}

/* Out of line, like every transition: locals whose address escapes would cost the handler its tail call. */
NOINLINE static u64 do_syscall(struct cpu *cpu, const struct insn *i) {
  u64 star = cpu->msr[MSR_STAR], next = insn_next_rip(cpu, i);
  bool stepping = cpu->eflags & EF_TF;
  struct transition t;
  cpu->insn = i;
  transition_begin(cpu, &t, TR_SYSCALL, next);
  rec_msr(cpu, MSR_EFER);
  require_ab(cpu, CHK_SYSCALL_SCE, cpu->msr[MSR_EFER] & EFER_SCE, 0, cpu->msr[MSR_EFER] & EFER_SCE, 0);
  require_mode(cpu, CHK_SYSCALL_MODE);
  if (!cpu_code64(cpu))
    require_ab(cpu, CHK_SYSCALL_PE, cpu_protected(cpu), 0, !!(cpu->mode & MODE_PE), cpu_vm86(cpu));
  rec_msr(cpu, MSR_STAR);

  u64 rip = cpu_long(cpu) ? syscall_long(cpu, next) : syscall_legacy(cpu, next);
  cpu->seg[CS] = seg_flat_code((u16)(bits(star, 47, 32) & 0xfffc), 0, cpu_long(cpu));
  cpu->seg[SS] = seg_flat_data((u16)(bits(star, 47, 32) + 8), 0);
  if (rec_on(cpu)) {
    rec_sum(cpu, WORD_CS, "STAR[47:32] & FFFCh", cpu->seg[CS].sel);
    rec_sum(cpu, WORD_SS, "STAR[47:32] + 8", cpu->seg[SS].sel);
  }
  cpu->cpl = 0;
  if (stepping && !(cpu->eflags & EF_TF)) cpu->step_trap = STEP_NOT;
  cpu_update_mode(cpu);
  transition_end(cpu, &t, rip);
  return rip;
}

static const struct insn *h_syscall(struct cpu *restrict cpu, const struct insn *restrict i) {
  return cpu_jump_mode(cpu, i, do_syscall(cpu, i));
}
BODY_1(syscall, h_syscall)

static void sysret_segments(struct cpu *cpu, u64 star, bool code64) {
  u16 base = (u16)bits(star, 63, 48);
  u16 ss = (u16)(base + 8);
  if (model_does(cpu->model, RULE_SYSRET_SS_RPL3)) ss |= 3;
  cpu->seg[CS] = seg_flat_code((u16)((base + (code64 ? 16 : 0)) | 3), 3, code64);
  if (model_does(cpu->model, RULE_SYSRET_SS_FLAT)) cpu->seg[SS] = seg_flat_data(ss, 3);
  else cpu->seg[SS].sel = ss;
  if (!rec_on(cpu)) return;
  rec_sum(cpu, WORD_CS, code64 ? "(STAR[63:48] + 16) | 3" : "STAR[63:48] | 3", cpu->seg[CS].sel);
  rec_sum(cpu, WORD_SS, model_does(cpu->model, RULE_SYSRET_SS_RPL3) ? "(STAR[63:48] + 8) | 3" : "STAR[63:48] + 8", ss);
}

NOINLINE static u64 do_sysret(struct cpu *cpu, const struct insn *i) {
  bool code64 = insn_osize(i) == W64, stepping = cpu->eflags & EF_TF;
  u64 rip = code64 ? cpu->gpr[RCX] : (u32)cpu->gpr[RCX];
  struct transition t;
  cpu->insn = i;
  transition_begin(cpu, &t, TR_SYSRET, insn_rip(i));
  rec_msr(cpu, MSR_EFER);
  require_ab(cpu, CHK_SYSRET_SCE, cpu->msr[MSR_EFER] & EFER_SCE, 0, cpu->msr[MSR_EFER] & EFER_SCE, 0);
  require_mode(cpu, CHK_SYSRET_MODE);
  if (unlikely(!(cpu->mode & MODE_PE) || cpu->cpl) || rec_on(cpu)) {
    require_ab(cpu, CHK_SYSRET_PE, cpu->mode & MODE_PE, 0, !!(cpu->mode & MODE_PE), 0);
    require_ab(cpu, CHK_SYSRET_CPL, cpu->cpl == 0, 0, cpu->cpl, 0);
  }
  if (code64 && model_does(cpu->model, RULE_SYSRET_CANONICAL))
    require_ab(cpu, CHK_SYSRET_CANONICAL, cpu_canonical(cpu, rip), 0, rip, 0);
  rec_msr(cpu, MSR_STAR);
  rec_sum(cpu, WORD_IP, code64 ? "RCX" : "ECX", rip);

  if (cpu_code64(cpu)) {
    u32 flags = (u32)cpu->gpr[R11] & SYSRET_FLAGS & ~(u32)(EF_RF | EF_VM);
    rec_sum(cpu, WORD_FLAGS, "R11 & 3C7FD7h | 2, RF = VM = 0", flags | EF_1);
    cpu_set_eflags(cpu, flags);
  }
  else cpu->eflags |= EF_IF;
  sysret_segments(cpu, cpu->msr[MSR_STAR], code64);
  cpu->cpl = 3;
  cpu_update_mode(cpu);
  transition_end(cpu, &t, rip);
  if (cpu->eflags & EF_TF) cpu->step_trap = STEP_NOW;
  else if (stepping) cpu->step_trap = STEP_NOT;
  return rip;
}

static const struct insn *h_sysret(struct cpu *restrict cpu, const struct insn *restrict i) {
  u64 rip = do_sysret(cpu, i);
  if (cpu->step_trap == STEP_NOW) return cpu_leave_at(cpu, i, rip);
  return cpu_jump_mode(cpu, i, rip);
}
BODY_1(sysret, h_sysret)
