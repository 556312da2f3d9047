/* What derives from control registers, EFER, EFLAGS, CPL and segments: the mode word, address masks, paging state.
 * SDM 3A 2.2 (Modes of Operation), 4.1.1 (Four Paging Modes). */
#include "cpu/code.h"
#include "cpu/debugreg.h"
#include "cpu/paging.h"
#include "cpu/seg.h"
#include "cpu/vm.h"

static bool flat_data(const struct seg *s) {
  return !s->base && s->limit == 0xffffffff &&
         (s->attr & (SEG_NULL | SEG_S | SEG_CODE | SEG_DOWN | SEG_WRITABLE | SEG_P)) == (SEG_S | SEG_WRITABLE | SEG_P);
}
/* Any base, but nothing that a check could refuse. */
static bool open_data(const struct seg *s) {
  return s->limit == 0xffffffff &&
         (s->attr & (SEG_NULL | SEG_S | SEG_CODE | SEG_DOWN | SEG_WRITABLE | SEG_P)) == (SEG_S | SEG_WRITABLE | SEG_P);
}

static u32 segment_mode(const struct cpu *cpu, bool long_mode) {
  const struct seg *cs = &cpu->seg[CS], *ss = &cpu->seg[SS];
  if (long_mode && (cs->attr & SEG_L)) return MODE_CODE64 | MODE_FLAT | MODE_CS_FLAT | MODE_FS_OPEN | MODE_GS_OPEN;
  u32 m = cs->attr & SEG_DB ? MODE_CODE32 : MODE_CODE16;
  if (ss->attr & SEG_DB) m |= MODE_STACK32;
  if (flat_data(&cpu->seg[DS]) && flat_data(&cpu->seg[ES]) && flat_data(ss)) m |= MODE_FLAT;
  if (!cs->base && cs->limit == 0xffffffff) m |= MODE_CS_FLAT;
  if (open_data(&cpu->seg[FS])) m |= MODE_FS_OPEN;
  if (open_data(&cpu->seg[GS])) m |= MODE_GS_OPEN;
  return m;
}

static u32 unit_mode(const struct cpu *cpu) {
  u32 m = 0;
  if (cpu->cr0 & (CR0_EM | CR0_TS)) m |= MODE_X87_NM;
  if ((cpu->cr0 & CR0_EM) || !(cpu->cr4 & CR4_OSFXSR)) m |= MODE_SSE_OFF;
  if (cpu->cr0 & CR0_EM) m |= MODE_EM;
  if (cpu->cr0 & CR0_TS) m |= MODE_TS;
  /* SDM 1 14.3 (Detection of AVX Instructions), 15.2 (Detection of AVX-512 Foundation Instructions) */
  u64 enabled = cpu->cr4 & CR4_OSXSAVE ? cpu->xcr0 : 0;
  if ((enabled & XCR0_AVX_ALL) != XCR0_AVX_ALL) m |= MODE_AVX_OFF;
  if ((enabled & XCR0_AVX512_ALL) != XCR0_AVX512_ALL) m |= MODE_AVX512_OFF;
  return m;
}

static void update_paging(struct cpu *cpu, u64 efer) {
  struct mmu_env *e = &cpu->mmu;
  const struct cpu_model *m = cpu->model;
  if (cpu->mmu_key.cr0 == cpu->cr0 && cpu->mmu_key.cr3 == cpu->cr3 && cpu->mmu_key.cr4 == cpu->cr4 &&
      cpu->mmu_key.efer == efer && cpu->mmu_key.pkru == cpu->pkru && cpu->mmu_key.model == m)
    return;
  cpu->mmu_key.cr0 = cpu->cr0;
  cpu->mmu_key.cr3 = cpu->cr3;
  cpu->mmu_key.cr4 = cpu->cr4;
  cpu->mmu_key.efer = efer;
  cpu->mmu_key.pkru = cpu->pkru;
  cpu->mmu_key.model = m;
  e->cr3 = cpu->cr3;
  e->pdpte = cpu->pdpte;
  e->pkru = cpu->pkru;
  e->maxphyaddr = m->maxphyaddr;
  if (!(cpu->cr0 & CR0_PG)) e->levels = 0;
  else if (efer & EFER_LMA) e->levels = cpu->cr4 & CR4_LA57 ? 5 : 4;
  else e->levels = cpu->cr4 & CR4_PAE ? 3 : 2;
  e->wp = cpu->cr0 & CR0_WP;
  e->nxe = efer & EFER_NXE;
  e->pse = cpu->cr4 & CR4_PSE;
  e->pge = cpu->cr4 & CR4_PGE;
  e->smep = cpu->cr4 & CR4_SMEP;
  e->smap = cpu->cr4 & CR4_SMAP;
  e->keys = (cpu->cr4 & CR4_PKE) && e->levels >= 4;
  e->pse36 = model_has(m, FEAT_PSE36);
  e->pat = model_has(m, FEAT_PAT);
  e->gbpages = model_has(m, FEAT_PDPE1GB) && e->levels >= 4;
  e->bit8 = model_does(m, RULE_PML4E_BIT8);
  mmu_configure(e);
}

/* Decoded code is found by RIP, and its bytes were judged against CS.limit once: so another base or limit is another
 * mode. When the numbers run out, all code is forgotten. */
static u32 cs_mode(struct cpu *cpu) {
  const struct seg *s = &cpu->seg[CS];
  unsigned k = 0;
  while (k < cpu->cs_keys && !(cpu->cs_key[k].base == s->base && cpu->cs_key[k].limit == s->limit)) k++;
  if (k == CS_KEYS) {
    code_forget(cpu->vm);
    cpu->leave = 1;
    k = cpu->cs_keys = 0;
  }
  if (k == cpu->cs_keys) {
    cpu->cs_key[k].base = s->base;
    cpu->cs_key[k].limit = s->limit;
    cpu->cs_keys++;
  }
  return (u32)(k + 1) << MODE_CS_SHIFT;
}

static u32 flags_mode(const struct cpu *cpu) {
  u32 m = 0;
  if (cpu->eflags & EF_VM) m |= MODE_VM;
  if ((cpu->cr0 & CR0_AM) && (cpu->eflags & EF_AC) && cpu->cpl == 3) m |= MODE_ALIGN;
  if (cpu->eflags & EF_TF) m |= MODE_STEP;
  if ((cpu->eflags & (EF_VIF | EF_VIP)) == (EF_VIF | EF_VIP) && cpu_virtual_interrupts(cpu)) m |= MODE_STEP;
  return m;
}

void cpu_update_mode(struct cpu *cpu) {
  u64 efer = cpu->msr[MSR_EFER];
  bool lma = efer & EFER_LMA;
  u32 m = segment_mode(cpu, lma) | unit_mode(cpu);
  if (unlikely((cpu->dr[7] & DR7_ENABLED) || cpu->debug.any)) debug_update(cpu);
  if (unlikely(!(m & MODE_CS_FLAT))) m |= cs_mode(cpu);
  if (cpu->cpl == 3) m |= MODE_CPL3;
  if (cpu->cr0 & CR0_PE) m |= MODE_PE;
  if (lma) m |= MODE_LMA;
  if (unlikely(cpu->eflags & (EF_VM | EF_AC | EF_VIP | EF_TF))) m |= flags_mode(cpu);
  if (cpu->inhibit || cpu->step_request || cpu->step_last || cpu->debug.step) m |= MODE_STEP;
  u32 before = cpu->mode;
  cpu->mode = m;
  if (unlikely(cpu->debug.on_mode)) stops_mode_changed(cpu, before);
  bool code64 = (m & MODE_CODE_MASK) == MODE_CODE64;
  cpu->lamask = code64 ? ~UINT64_C(0) : 0xffffffff;
  cpu->spmask = code64 ? ~UINT64_C(0) : m & MODE_STACK32 ? 0xffffffff : 0xffff;
  update_paging(cpu, efer);
  cpu->tlb = &cpu->tlbs[paging_priv(cpu, cpu->cpl == 3)];
}
