/* IRET, IRETD, IRETQ. SDM 2A IRET/IRETD/IRETQ; SDM 3A 6.12.1, 6.14.3 (IRET in IA-32e Mode); APM 3 IRET.
 *
 *   popped, from low to high:  IP CS FLAGS | SP SS (outer level, or 64-bit mode) | ES DS FS GS (to VM86)
 */
#include "cpu/check.h"
#include "cpu/event.h"
#include "cpu/frame.h"
#include "cpu/handler.h"
#include "cpu/ret.h"
#include "cpu/task.h"
#include "cpu/vm86.h"

/* SDM 2A IRET (Operation): which flags an image may change; the CPL is the one before the return. */
static u32 iret_flag_mask(const struct cpu *cpu, unsigned bytes) {
  u32 mask = EF_STATUS | EF_TF | EF_DF | EF_NT;
  if (bytes > 2) mask |= EF_RF | EF_AC | EF_ID;
  if (cpu->cpl <= cpu_iopl(cpu)) mask |= EF_IF;
  if (cpu->cpl == 0) mask |= EF_IOPL | (bytes > 2 ? (u32)(EF_VIF | EF_VIP) : 0);
  return mask;
}

static void load_flags(struct cpu *cpu, u32 image, u32 mask) {
  cpu_set_eflags(cpu, (cpu_eflags(cpu) & ~(mask | EF_RF)) | (image & mask));
  cpu->rf_icount = cpu_icount(cpu);
}

/* Real mode: IRETD keeps VM, VIF and VIP. */
static u64 iret_real(struct cpu *cpu, unsigned n) {
  u64 ip = stack_peek(cpu, WORD_IP, 0, n);
  u16 cs = (u16)stack_peek(cpu, WORD_CS, n, n);
  u32 image = (u32)stack_peek(cpu, WORD_FLAGS, 2u * n, n);
  require_ab(cpu, CHK_RET_EIP_LIMIT, ip <= cpu->seg[CS].limit, 0, ip, cpu->seg[CS].limit);
  stack_drop(cpu, 3u * n);
  seg_load_real(cpu, CS, cs);
  load_flags(cpu, image, n == 2 ? 0xffff : EF_VALID & ~(u32)(EF_VM | EF_VIF | EF_VIP));
  return ip;
}

/* SDM 3B 20.2.7 (Sensitive Instructions): IOPL 3, or a 16-bit IRET with VME. */
static u64 iret_vm86(struct cpu *cpu, unsigned n) {
  bool iopl3 = cpu_iopl(cpu) == 3;
  bool vme = cpu->cr4 & CR4_VME;
  require_ab(cpu, CHK_VM86_IRET_IOPL, iopl3 || vme, 0, cpu_iopl(cpu), vme);
  if (!iopl3) require_ab(cpu, CHK_VM86_IRET_SIZE, n == 2, 0, n * 8, 0);
  u64 ip = stack_peek(cpu, WORD_IP, 0, n);
  u16 cs = (u16)stack_peek(cpu, WORD_CS, n, n);
  u32 image = (u32)stack_peek(cpu, WORD_FLAGS, 2u * n, n);
  require_ab(cpu, CHK_RET_EIP_LIMIT, ip <= cpu->seg[CS].limit, 0, ip, cpu->seg[CS].limit);
  u32 virtual_flags = iopl3 ? 0 : vm86_flags_load(cpu, (u16)image);
  stack_drop(cpu, 3u * n);
  seg_load_real(cpu, CS, cs);
  if (iopl3)
    load_flags(cpu, image,
               EF_STATUS | EF_TF | EF_IF | EF_DF | EF_NT | (n > 2 ? (u32)(EF_RF | EF_AC | EF_ID) : 0));
  else cpu_set_eflags(cpu, virtual_flags);
  return ip;
}

/* RETURN-TO-VIRTUAL-8086-MODE: nine doublewords. The upper half of EIP is dropped: so Bochs's authors found of
 * processors, against the SDM's #GP(0). */
static u64 iret_to_vm86(struct cpu *cpu) {
  static const u8 order[] = {CS, SS, ES, DS, FS, GS};
  static const u8 word[9] = {WORD_IP, WORD_CS, WORD_FLAGS, WORD_SP, WORD_SS, WORD_ES, WORD_DS, WORD_FS, WORD_GS};
  u32 slot[9];
  for (unsigned k = 0; k < 9; k++) {
    slot[k] = (u32)stack_peek(cpu, (enum rec_word)word[k], k * 4u, 4);
    if (k == 2) rec_note(cpu, "VM = 1 in the popped EFLAGS at CPL {a}: to virtual-8086 mode", cpu->cpl, 0);
  }
  load_flags(cpu, slot[2], EF_VALID);
  cpu->cpl = 3;
  cpu->gpr[RSP] = slot[3];
  cpu_update_mode(cpu);
  for (unsigned k = 0; k < ARRAY_SIZE(order); k++)
    seg_load_real(cpu, (enum sreg)order[k], (u16)slot[k ? k + 3 : 1]);
  return slot[0] & 0xffff;
}

static u64 iret_protected(struct cpu *cpu, unsigned n) {
  struct desc cs, ss = {.lo = 0};
  unsigned mark = rec_mark(cpu);
  u32 image = (u32)stack_peek(cpu, WORD_FLAGS, 2u * n, n), mask = iret_flag_mask(cpu, n); /* in the order of silicon's faults */
  u16 cs_sel = (u16)stack_peek(cpu, WORD_CS, n, 2);
  u64 ip = stack_peek(cpu, WORD_IP, 0, n), sp = 0;
  if ((image & EF_VM) && cpu->cpl == 0 && n == 4 && !cpu_long(cpu)) {
    rec_forget(cpu, mark); /* it reads them again */
    return iret_to_vm86(cpu);
  }
  rec_reversed(cpu, mark);
  ret_check_cs(cpu, cs_sel, &cs);
  bool outer = sel_rpl(cs_sel) > cpu->cpl, new_stack = outer || cpu_code64(cpu);
  if (new_stack) {
    mark = rec_mark(cpu);
    u16 ss_sel = (u16)stack_peek(cpu, WORD_SS, 4u * n, 2);
    sp = stack_peek(cpu, WORD_SP, 3u * n, n);
    rec_reversed(cpu, mark);
    ret_check_ss(cpu, ss_sel, &cs, &ss);
  }
  ret_check_ip(cpu, ip, &cs);
  desc_mark_accessed(cpu, &cs);
  if (new_stack && !(ss.s.attr & SEG_NULL)) desc_mark_accessed(cpu, &ss);

  bool code64 = cpu_long(cpu) && seg_is_code64(&cs.s);
  if (new_stack) ret_commit_ss(cpu, &ss, sp, 0, code64);
  else stack_drop(cpu, 3u * n);
  ret_commit_cs(cpu, &cs);
  load_flags(cpu, image, mask);
  if (outer) ret_clear_data_segments(cpu);
  return code64 ? ip : (u32)ip;
}

/* Out of line, like every transition: locals whose address escapes would cost the handler its tail call. */
NOINLINE static u64 do_iret(struct cpu *cpu, const struct insn *i) {
  unsigned n = WIDTH_BYTES(insn_osize(i));
  struct transition t;
  u64 ip;
  cpu->insn = i;
  if (cpu->eflags & EF_TF) cpu->leave = 1; /* the trap behind IRET comes first, whatever TF becomes */
  if (model_does(cpu->model, RULE_IRET_FAULT_UNBLOCKS_NMI)) cpu->nmi_blocked = false;
  transition_begin(cpu, &t, TR_IRET, insn_rip(i));
  if (!(cpu->mode & MODE_PE)) {
    ip = iret_real(cpu, n);
  } else if (cpu_vm86(cpu)) {
    ip = iret_vm86(cpu, n);
  } else {
    if (cpu_long(cpu)) require_ab(cpu, CHK_IRET_NT_LONG, !(cpu->eflags & EF_NT), 0, !!(cpu->eflags & EF_NT), 0);
    else rec_note(cpu, cpu->eflags & EF_NT ? "EFLAGS.NT = 1: back to the previous task"
                                           : "EFLAGS.NT = 0: a return within the task", 0, 0);
    ip = cpu->eflags & EF_NT && !cpu_long(cpu) ? task_iret(cpu, &t, insn_next_rip(cpu, i)) : iret_protected(cpu, n);
  }
  cpu->nmi_blocked = false;
  cpu_update_mode(cpu);
  transition_end(cpu, &t, ip);
  return ip;
}

static const struct insn *h_iret(struct cpu *restrict cpu, const struct insn *restrict i) {
  return cpu_jump_mode(cpu, i, do_iret(cpu, i));
}
BODY_1(iret, h_iret)
