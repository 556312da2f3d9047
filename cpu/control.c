/* Control and debug registers, and the instructions that only ring 0 may use on them.
 * SDM 3A 2.5 (Control Registers), 2.8 (System Instruction Summary); SDM 3B 17.2 (Debug Registers);
 * SDM 2B MOV (Control Registers), MOV (Debug Registers); APM 2 3.1 (System-Control Registers); APM 3 MOV CRn. */
#include "cpu/check.h"
#include "cpu/event.h"
#include "cpu/paging.h"
#include "cpu/rare.h"
#include "cpu/seg.h"

#define CR0_VALID                                                                                            \
  (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

static void require_cpl0(struct cpu *cpu, const struct insn *i) {
  cpu->insn = i;
  require_ab(cpu, CHK_CPL0, cpu->cpl == 0, 0, cpu->cpl, 0);
}

/* ---- CR0 ---- */

/* SDM 3A 9.8.5 (Initializing IA-32e Mode): paging switched on with EFER.LME activates long mode. */
static void check_paging_on(struct cpu *cpu) {
  bool tss16 = !(seg_type(&cpu->tr) & 8);
  if (!(cpu->msr[MSR_EFER] & EFER_LME)) return;
  require_ab(cpu, CHK_CR0_LME_PAE, cpu->cr4 & CR4_PAE, 0, cpu->cr4, 0);
  require_ab(cpu, CHK_CR0_LME_CS, !(cpu->seg[CS].attr & SEG_L), 0, !!(cpu->seg[CS].attr & SEG_L), 0);
  require_ab(cpu, CHK_CR0_LME_TR, !tss16, 0, cpu->tr.attr, 0);
}

static void check_paging_off(struct cpu *cpu) {
  require_ab(cpu, CHK_CR0_PG_OFF_64, !cpu_code64(cpu), 0, cpu_code64(cpu), 0);
  require_ab(cpu, CHK_CR0_PG_OFF_PCIDE, !(cpu->cr4 & CR4_PCIDE), 0, cpu->cr4, 0);
}

static void write_cr0(struct cpu *cpu, u64 v) {
  require_ab(cpu, CHK_CR0_HIGH, !(v >> 32), 0, v, 0);
  v = (v & CR0_VALID) | CR0_ET;
  require_ab(cpu, CHK_CR0_PG_PE, !(v & CR0_PG) || (v & CR0_PE), 0, v, 0);
  require_ab(cpu, CHK_CR0_NW_CD, !(v & CR0_NW) || (v & CR0_CD), 0, v, 0);
  u64 changed = v ^ cpu->cr0;
  if (changed & v & CR0_PG) check_paging_on(cpu);
  if (changed & ~v & CR0_PG) check_paging_off(cpu);
  u64 efer = cpu->msr[MSR_EFER];
  if (changed & CR0_PG) efer = (efer & ~EFER_LMA) | ((v & CR0_PG) && (efer & EFER_LME) ? EFER_LMA : 0);
  if ((changed & (CR0_PG | CR0_CD | CR0_NW)) && paging_is_pae(v, cpu->cr4, efer))
    paging_load_pdptes(cpu, cpu->cr3);

  cpu->cr0 = v;
  cpu->msr[MSR_EFER] = efer;
  cpu_update_mode(cpu);
  if (changed & (CR0_PG | CR0_WP | CR0_PE)) cpu_tlb_flush(cpu);
}

/* ---- CR3, CR4, CR8 ---- */

/* Global translations may be kept or forgotten; bit 63 with CR4.PCIDE asks to keep others, which nobody may rely on.
 * SDM 3A 4.10.4.1 (Operations that Invalidate TLBs and Paging-Structure Caches) */
static void write_cr3(struct cpu *cpu, u64 v) {
  if (cpu->cr4 & CR4_PCIDE) v &= ~BIT(63);
  u64 beyond = v & ~MASK(cpu->model->maxphyaddr - 1, 0);
  if (cpu_long(cpu)) require_ab(cpu, CHK_CR3_RESERVED, !beyond, 0, beyond, v);
  if (paging_is_pae(cpu->cr0, cpu->cr4, cpu->msr[MSR_EFER])) paging_load_pdptes(cpu, v);
  cpu->cr3 = v;
  cpu_update_mode(cpu);
  cpu_tlb_flush(cpu);
}

/* The bits of CR4 that a model has. SDM 3A 2.5; APM 2 3.1.3 (CR4 Register) */
static u64 cr4_valid(const struct cpu_model *m) {
  static const struct {
    u64 bit;
    s16 feature;
  } rows[] = {
      {CR4_VME, FEAT_VME},     {CR4_PVI, FEAT_VME},       {CR4_TSD, FEAT_TSC},
      {CR4_DE, FEAT_DE},       {CR4_PSE, FEAT_PSE},       {CR4_PAE, FEAT_PAE},
      {CR4_MCE, FEAT_MCE},     {CR4_PGE, FEAT_PGE},       {CR4_PCE, FEAT_NONE},
      {CR4_OSFXSR, FEAT_FXSR}, {CR4_OSXMMEXCPT, FEAT_SSE}, {CR4_UMIP, FEAT_UMIP},
      {CR4_LA57, FEAT_LA57},   {CR4_FSGSBASE, FEAT_FSGSBASE}, {CR4_PCIDE, FEAT_PCID},
      {CR4_OSXSAVE, FEAT_XSAVE}, {CR4_SMEP, FEAT_SMEP},   {CR4_SMAP, FEAT_SMAP},
      {CR4_PKE, FEAT_PKU},
  };
  u64 v = 0;
  for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
    if (model_has(m, rows[k].feature)) v |= rows[k].bit;
  return v;
}

/* No processor defines these: SDM 3A 2.5 (Control Registers); VMXE, SMXE, KL, CET, PKS and, in later
 * revisions, UINTR, LASS, LAM_SUP and FRED are defined. */
#define CR4_UNDEFINED (BIT(15) | BIT(26) | MASK(31, 29) | MASK(63, 33))

static void check_cr4(struct cpu *cpu, u64 v) {
  u64 changed = v ^ cpu->cr4, undefined = v & CR4_UNDEFINED, absent = v & ~CR4_UNDEFINED & ~cr4_valid(cpu->model);
  require_ab(cpu, CHK_CR4_RESERVED, !undefined, 0, undefined, v);
  require_ab(cpu, CHK_CR4_FEATURE, !absent, 0, absent, v);
  if (cpu_long(cpu)) {
    require_ab(cpu, CHK_CR4_LA57, !(changed & CR4_LA57), 0, v, !!(v & CR4_LA57));
    require_ab(cpu, CHK_CR4_PAE, v & CR4_PAE, 0, v, !!(v & CR4_PAE));
  }
  if (!(changed & v & CR4_PCIDE)) return;
  require_ab(cpu, CHK_CR4_PCIDE, cpu_long(cpu), 0, cpu_long(cpu), 0);
  require_ab(cpu, CHK_CR4_PCIDE_CR3, !(cpu->cr3 & 0xfff), 0, cpu->cr3, 0);
}

static void write_cr4(struct cpu *cpu, u64 v) {
  u64 changed = v ^ cpu->cr4;
  check_cr4(cpu, v);
  if ((changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)) && paging_is_pae(cpu->cr0, v, cpu->msr[MSR_EFER]))
    paging_load_pdptes(cpu, cpu->cr3);
  cpu->cr4 = v;
  cpu_update_mode(cpu);
  if (changed & (CR4_PSE | CR4_PAE | CR4_PGE | CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE))
    cpu_tlb_flush(cpu);
}

/* CR8 is there in 64-bit mode, and elsewhere by LOCK (cpu/decode.c). Returns false for one that does not exist, when
 * that check is turned round. */
static bool cr_access(struct cpu *cpu, const struct insn *i, unsigned n) {
  bool exists = n == 0 || (n >= 2 && n <= 4) || (n == 8 && (cpu_code64(cpu) || (i->flags & IF_LOCK)));
  cpu->insn = i;
  require_ab(cpu, CHK_CR_EXISTS, exists, 0, n, 0);
  require_cpl0(cpu, i);
  return exists;
}

/* The operand is a register whatever ModRM.mod says, of 32 bits, in 64-bit mode of 64. */
static const struct insn *h_mov_R_C(struct cpu *restrict cpu, const struct insn *restrict i) {
  if (!cr_access(cpu, i, i->src)) return cpu_leave(cpu, i);
  const u64 *const at[9] = {&cpu->cr0, NULL, &cpu->cr2, &cpu->cr3, &cpu->cr4, NULL, NULL, NULL, &cpu->cr8};
  u64 v = *at[i->src];
  reg_set(cpu, i->dst, v, cpu_code64(cpu) ? W64 : W32);
  NEXT(cpu, i, FORM_R);
}
BODY_1(mov_R_C, h_mov_R_C)

static const struct insn *h_mov_C_R(struct cpu *restrict cpu, const struct insn *restrict i) {
  u64 next = insn_next_rip(cpu, i);
  if (!cr_access(cpu, i, i->dst)) return cpu_leave(cpu, i);
  u64 v = reg_get(cpu, i->src, cpu_code64(cpu) ? W64 : W32);
  switch (i->dst) {
    case 0: write_cr0(cpu, v); break;
    case 2: cpu->cr2 = v; break;
    case 3: write_cr3(cpu, v); break;
    case 4: write_cr4(cpu, v); break;
    default:
      require_ab(cpu, CHK_CR8_RESERVED, !(v >> 4), 0, v & ~UINT64_C(15), v);
      cpu->cr8 = v;
  }
  return cpu_jump_mode(cpu, i, next);
}
BODY_1(mov_C_R, h_mov_C_R)

/* ---- debug registers ---- */

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE. Order: DR8 to DR15 (measured on Intel Xeon), privilege, existence, then
 * DR7.GD. */
static unsigned dr_access(struct cpu *cpu, const struct insn *i, unsigned n) {
  cpu->insn = i;
  require_ab(cpu, CHK_DR_EXISTS, n < 8, 0, n, 0);
  require_cpl0(cpu, i);
  bool alias = n == 4 || n == 5, de = cpu->cr4 & CR4_DE;
  if (alias) require_ab(cpu, CHK_DR_DE, !de, 0, n, de);
  bool detect = cpu->dr[7] & DR7_GD;
  if (!check_ab(cpu, CHK_DR_GD, !detect, cpu->dr[7], 0)) {
    cpu->dr6_pending |= DR6_BD;
    check_failed(cpu, CHK_DR_GD, 0);
  }
  return alias ? n + 2 : n & 7;
}

static const struct insn *h_mov_R_D(struct cpu *restrict cpu, const struct insn *restrict i) {
  unsigned n = dr_access(cpu, i, i->src);
  reg_set(cpu, i->dst, cpu->dr[n], cpu_code64(cpu) ? W64 : W32);
  NEXT(cpu, i, FORM_R);
}
BODY_1(mov_R_D, h_mov_R_D)

static const struct insn *h_mov_D_R(struct cpu *restrict cpu, const struct insn *restrict i) {
  unsigned n = dr_access(cpu, i, i->dst);
  u64 v = reg_get(cpu, i->src, cpu_code64(cpu) ? W64 : W32);
  if (n >= 6) require_ab(cpu, CHK_DR_HIGH, !(v >> 32), 0, n, v);
  if (n == 6) v = (v & (DR6_B | DR6_BD | DR6_BS | DR6_BT)) | DR6_FIXED;
  if (n == 7) v = (v & 0xffff23ff) | DR7_FIXED;
  cpu->dr[n] = v;
  cpu_update_mode(cpu);
  return cpu_jump_mode(cpu, i, insn_next_rip(cpu, i));
}
BODY_1(mov_D_R, h_mov_D_R)

/* ---- machine status word, TS ---- */

/* SDM 2A LMSW: PE can be set, not cleared. */
INLINE_BODY lmsw(struct cpu *restrict cpu, const struct insn *restrict i, enum form form) {
  u64 next = insn_next_rip(cpu, i);
  require_cpl0(cpu, i);
  u16 v = rm16_read(cpu, i, form, i->dst);
  write_cr0(cpu, (cpu->cr0 & ~UINT64_C(0xe)) | (v & 0xf));
  return cpu_jump_mode(cpu, i, next);
}
BODY_RARE(lmsw, lmsw)

INLINE_BODY smsw(struct cpu *restrict cpu, const struct insn *restrict i, enum form form) {
  cpu->insn = i;
  require_ab(cpu, CHK_UMIP, !(cpu->cr4 & CR4_UMIP) || cpu->cpl == 0, 0, cpu->cpl, !!(cpu->cr4 & CR4_UMIP));
  rm16_write(cpu, i, form, cpu->cr0);
  NEXT(cpu, i, FORM_X);
}
BODY_RARE(smsw, smsw)

static const struct insn *h_clts(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_cpl0(cpu, i);
  cpu->cr0 &= ~CR0_TS;
  cpu_update_mode(cpu);
  return cpu_jump_mode(cpu, i, insn_next_rip(cpu, i));
}
BODY_1(clts, h_clts)

/* ---- translations and caches ---- */

/* The address is not accessed: no segment checks, and a non-canonical one does nothing. */
static const struct insn *h_invlpg(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_cpl0(cpu, i);
  u64 off = ea_offset(cpu, i);
  u64 base = cpu_code64(cpu) && i->seg < FS ? 0 : cpu->seg[i->seg].base;
  u64 la = (off + base) & cpu->lamask;
  cpu_tlb_flush_page(cpu, la);
  return cpu_jump_mode(cpu, i, insn_next_rip(cpu, i));
}
static handler_fn *const t_invlpg[1][FORMS] = {{[FORM_X] = h_invlpg}};
const struct body body_invlpg = {1, t_invlpg};

/* SDM 2A INVPCID: type 0 an address and 1 a PCID, without global translations; 2 and 3 everything. The TLBs hold
 * translations of the current PCID only, since each MOV to CR3 empties them, and may forget more than is asked. */
static const struct insn *h_invpcid(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_cpl0(cpu, i);
  bool wide = cpu_code64(cpu), pcide = cpu->cr4 & CR4_PCIDE;
  u64 la = ea_linear(cpu, i, 16, ACC_READ), type = reg_get(cpu, i->dst, wide ? W64 : W32);
  u64 pcid = mem_read64(cpu, la), addr = mem_read64(cpu, (la + 8) & cpu->lamask);
  require_ab(cpu, CHK_INVPCID_TYPE, type <= 3, 0, type, 0);
  require_ab(cpu, CHK_INVPCID_DESC, !(pcid >> 12), 0, pcid, 0);
  if (type <= 1) require_ab(cpu, CHK_INVPCID_PCID, !pcid || pcide, 0, pcid, 0);
  if (type == 0) require_ab(cpu, CHK_INVPCID_ADDR, cpu_canonical(cpu, addr), 0, addr, 0);
  bool current = type > 1 || pcid == (pcide ? cpu->cr3 & 0xfff : 0);
  if (type == 0 && current) cpu_tlb_flush_page(cpu, addr);
  else if (current) cpu_tlb_flush(cpu);
  return cpu_jump_mode(cpu, i, insn_next_rip(cpu, i));
}
static handler_fn *const t_invpcid[1][FORMS] = {{[FORM_X] = h_invpcid}};
const struct body body_invpcid = {1, t_invpcid};

/* INVD and WBINVD: memory is never different from the caches. */
static const struct insn *h_wbinvd(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_cpl0(cpu, i);
  NEXT(cpu, i, FORM_R);
}
BODY_1(wbinvd, h_wbinvd)

/* ---- HLT, MONITOR, MWAIT; SMAP's AC ---- */

static const struct insn *h_hlt(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_cpl0(cpu, i);
  cpu->halted = true;
  return cpu_leave(cpu, i);
}
BODY_1(hlt, h_hlt)

static void require_cpl0_ud(struct cpu *cpu, const struct insn *i) {
  cpu->insn = i;
  require_ab(cpu, CHK_CPL0_UD, cpu->cpl == 0, 0, cpu->cpl, 0);
}

/* SDM 2B MONITOR: the byte is read as by a load. */
static const struct insn *h_monitor(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_cpl0_ud(cpu, i);
  require_ab(cpu, CHK_MONITOR_ECX, (u32)cpu->gpr[RCX] == 0, 0, (u32)cpu->gpr[RCX], 0);
  (void)mem_read8(cpu, mem_linear(cpu, i->seg, cpu->gpr[RAX] & insn_address_mask(i), 1, ACC_READ));
  NEXT(cpu, i, FORM_X);
}
BODY_1(monitor, h_monitor)

/* SDM 2B MWAIT: the wait may end for any reason; this one ends at once. */
static const struct insn *h_mwait(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_cpl0_ud(cpu, i);
  require_ab(cpu, CHK_MWAIT_ECX, (u32)cpu->gpr[RCX] <= 1, 0, (u32)cpu->gpr[RCX], 0);
  return cpu_leave(cpu, i);
}
BODY_1(mwait, h_mwait)

static const struct insn *set_ac(struct cpu *cpu, const struct insn *i, bool ac) {
  require_cpl0_ud(cpu, i);
  cpu->eflags = (cpu->eflags & ~(u32)EF_AC) | (ac ? (u32)EF_AC : 0);
  cpu_update_mode(cpu);
  return cpu_jump_mode(cpu, i, insn_next_rip(cpu, i));
}
static const struct insn *h_clac(struct cpu *restrict cpu, const struct insn *restrict i) {
  return set_ac(cpu, i, false);
}
BODY_1(clac, h_clac)
static const struct insn *h_stac(struct cpu *restrict cpu, const struct insn *restrict i) {
  return set_ac(cpu, i, true);
}
BODY_1(stac, h_stac)
