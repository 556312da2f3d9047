/* Returns to another code segment: the checks and commits that IRET and far RET share.
 * SDM 2A IRET/IRETD/IRETQ, SDM 2B RET (Operation); SDM 3A 5.8.6 (Returning from a Called Procedure). */
#include "cpu/ret.h"

#include "cpu/check.h"

void ret_check_cs(struct cpu *cpu, u16 sel, struct desc *cs) {
  u8 rpl = sel_rpl(sel);
  require_ab(cpu, CHK_RET_CS_NULL, !sel_is_null(sel), 0, sel, 0);
  require_ab(cpu, CHK_RET_CS_LIMIT, desc_read(cpu, sel, cs), sel, sel | 7u, table_limit(cpu, sel));
  require_ab(cpu, CHK_RET_CS_TYPE, seg_is_code(&cs->s), sel, cs->s.attr, 0);
  require_ab(cpu, CHK_RET_CS_RPL, rpl >= cpu->cpl, sel, rpl, cpu->cpl);
  if (seg_is_conforming(&cs->s)) require_ab(cpu, CHK_RET_CS_CONFORMING, seg_dpl(&cs->s) <= rpl, sel, seg_dpl(&cs->s), rpl);
  else require_ab(cpu, CHK_RET_CS_DPL, seg_dpl(&cs->s) == rpl, sel, seg_dpl(&cs->s), rpl);
  if (cpu_long(cpu)) require_ab(cpu, CHK_RET_CS_LD, !seg_l_and_d(&cs->s), sel, seg_is_code64(&cs->s), seg_is_db(&cs->s));
  require_ab(cpu, CHK_RET_CS_PRESENT, seg_present(&cs->s), sel, seg_present(&cs->s), 0);
}

static bool to_code64(const struct cpu *cpu, const struct desc *cs) {
  return cpu_long(cpu) && seg_is_code64(&cs->s);
}

void ret_check_ss(struct cpu *cpu, u16 sel, const struct desc *cs, struct desc *ss) {
  u8 cpl = sel_rpl(cs->s.sel);
  if (sel_is_null(sel)) {
    require_ab(cpu, CHK_RET_SS_NULL, to_code64(cpu, cs), 0, sel, to_code64(cpu, cs));
    require_ab(cpu, CHK_RET_SS_NULL_CPL, cpl < 3, 0, sel, cpl);
    require_ab(cpu, CHK_RET_SS_NULL_RPL, sel_rpl(sel) == cpl, 0, sel_rpl(sel), cpl);
    *ss = (struct desc){.s = seg_null_stack(sel, cpl)};
    return;
  }
  require_ab(cpu, CHK_RET_SS_LIMIT, desc_read(cpu, sel, ss), sel, sel | 7u, table_limit(cpu, sel));
  require_ab(cpu, CHK_RET_SS_RPL, sel_rpl(sel) == cpl, sel, sel_rpl(sel), cpl);
  require_ab(cpu, CHK_RET_SS_TYPE, seg_is_writable(&ss->s), sel, ss->s.attr, 0);
  require_ab(cpu, CHK_RET_SS_DPL, seg_dpl(&ss->s) == cpl, sel, seg_dpl(&ss->s), cpl);
  require_ab(cpu, CHK_RET_SS_PRESENT, seg_present(&ss->s), sel, seg_present(&ss->s), 0);
}

void ret_check_ip(struct cpu *cpu, u64 ip, const struct desc *cs) {
  if (to_code64(cpu, cs)) require_ab(cpu, CHK_RET_RIP_CANONICAL, cpu_canonical(cpu, ip), 0, ip, 0);
  else require_ab(cpu, CHK_RET_EIP_LIMIT, (u32)ip <= cs->s.limit, 0, (u32)ip, cs->s.limit);
}

void ret_commit_cs(struct cpu *cpu, const struct desc *cs) {
  cpu->seg[CS] = cs->s;
  cpu->cpl = sel_rpl(cs->s.sel);
}

/* A data segment or nonconforming code segment more privileged than the new CPL is not left to the outer
 * level; any NULL selector becomes 0. The hidden base stays: 64-bit code keeps its FS and GS bases across a
 * return. */
void ret_clear_data_segments(struct cpu *cpu) {
  static const u8 regs[] = {ES, DS, FS, GS};
  static const char *const cleared[] = {"ES = 0: DPL {a} < new CPL {b}", "DS = 0: DPL {a} < new CPL {b}",
                                        "FS = 0: DPL {a} < new CPL {b}", "GS = 0: DPL {a} < new CPL {b}"};
  for (unsigned k = 0; k < ARRAY_SIZE(regs); k++) {
    struct seg *s = &cpu->seg[regs[k]];
    if (sel_is_null(s->sel)) {
      s->sel = 0;
    } else if (!seg_is_conforming(s) && seg_dpl(s) < cpu->cpl) {
      rec_note(cpu, cleared[k], seg_dpl(s), cpu->cpl);
      seg_clear(cpu, (enum sreg)regs[k]);
    }
  }
}

/* A 16-bit stack segment takes SP only, so the upper half of ESP keeps the inner level's bits. */
void ret_commit_ss(struct cpu *cpu, const struct desc *ss, u64 sp, unsigned add, bool code64) {
  cpu->seg[SS] = ss->s;
  if (code64) cpu->gpr[RSP] = sp + add;
  else if (ss->s.attr & SEG_DB) cpu->gpr[RSP] = (u32)(sp + add);
  else cpu->gpr[RSP] = (cpu->gpr[RSP] & ~UINT64_C(0xffff)) | ((sp + add) & 0xffff);
}
