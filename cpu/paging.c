/* Paging as the processor uses it: each access judged by its rules, the software TLBs and what makes them
 * forget, the PDPTE registers of PAE paging, and PKRU. SDM 3A 4.4.1 (PDPTE Registers), 4.6 (Access Rights), 4.7
 * (Page-Fault Exceptions), 4.10 (Caching Translation Information); APM 2 5.5 (Translation-Lookaside Buffer (TLB)). */
#include "cpu/paging.h"

#include "cpu/whatif.h"

#include "cpu/check.h"
#include "cpu/code.h"
#include "cpu/event.h"
#include "cpu/handler.h"

/* ---- translation ---- */

static const u16 rule_check[PAGE_RULES] = {
    [PAGE_PRESENT] = CHK_PAGE_PRESENT, [PAGE_RESERVED] = CHK_PAGE_RESERVED, [PAGE_USER] = CHK_PAGE_USER,
    [PAGE_WRITE] = CHK_PAGE_WRITE,     [PAGE_NX] = CHK_PAGE_NX,             [PAGE_SMEP] = CHK_PAGE_SMEP,
    [PAGE_SMAP] = CHK_PAGE_SMAP,       [PAGE_KEY] = CHK_PAGE_KEY,
};

/* Each rule that concerns the access, judged by its name. Without a page there is nothing to access, whatever
 * the verdict. */
COLD static u32 judged_rules(struct cpu *cpu, const struct page_walk *w, enum access acc, enum mmu_priv priv) {
  u32 rules = mmu_rules(&cpu->mmu, w, acc, priv), facts = mmu_broken(&cpu->mmu, w, acc, priv), broken = 0;
  while (rules) {
    unsigned k = (unsigned)__builtin_ctz(rules);
    rules &= rules - 1;
    u32 error = mmu_error_code(&cpu->mmu, acc, priv, facts | 1u << k);
    if (!check_ab(cpu, (enum check_id)rule_check[k], !(facts >> k & 1), error, w->key | (u64)cpu->pkru << 32))
      broken |= 1u << k;
  }
  return w->end == WALK_PAGE ? broken : broken | facts;
}

/* Addresses in system structures may come from a table whose base was canonical for 57 bits. */
static bool canonical_here(const struct cpu *cpu, u64 la) {
  return cpu->mmu.levels < 4 || canonical(la, cpu->mmu.levels == 5 ? 57 : 48);
}

int paging_translate(struct cpu *cpu, u64 la, enum access acc, enum mmu_priv priv, struct page_walk *w,
                     struct fault *f) {
  if (unlikely(!canonical_here(cpu, la))) {
    *f = (struct fault){.vector = VEC_GP, .has_error = true, .error = cpu->event_class != EVENT_NONE};
    return -1;
  }
  do {
    mmu_walk(&cpu->vm->mem, &cpu->mmu, la, w);
    u32 broken = rec_on(cpu) ? judged_rules(cpu, w, acc, priv) : mmu_broken(&cpu->mmu, w, acc, priv);
    for (unsigned k = 0; unlikely(cpu->undo) && k < w->entries; k++)
      if (w->entry[k].at) undo_note(cpu, w->entry[k].at, ~UINT64_C(0), w->entry_size);
    if (unlikely(broken)) {
      if (rec_on(cpu)) cpu->recorder->refused = (struct rec_walk){true, *w};
      if (w->end == WALK_PAGE) mmu_mark_tables(w); /* SDM 3A 6.15 (Interrupt 14: Page-Fault Exception) */
      u32 error = mmu_error_code(&cpu->mmu, acc, priv, broken);
      *f = (struct fault){.vector = VEC_PF, .has_error = true, .error = error, .cr2 = la};
      return -1;
    }
  } while (unlikely(!mmu_mark(w, acc == ACC_WRITE)));
  return 0;
}

/* ---- invalidation ---- */

/* INVLPG forgets a large page whole (SDM 3A 4.10.4.1), but the software TLBs hold it in 4-KiB pieces: the
 * range that all large pages lie in is remembered, and forgotten as one. */
void paging_cached(struct cpu *cpu, u64 la, const struct page_walk *w) {
  if (w->user) cpu->keys_cached |= (u16)(1u << w->key);
  if (w->shift == PAGE_SHIFT) return;
  u64 size = UINT64_C(1) << w->shift, first = la & ~(size - 1), last = first + (size - 1);
  if (cpu->large_first > cpu->large_last) {
    cpu->large_first = first;
    cpu->large_last = last;
    return;
  }
  if (first < cpu->large_first) cpu->large_first = first;
  if (last > cpu->large_last) cpu->large_last = last;
}

static void flush_data(struct cpu *cpu) {
  tlb_flush(&cpu->tlbs[PRIV_SUPER]);
  tlb_flush(&cpu->tlbs[PRIV_USER]);
  if (!cpu->tlb_ac_clean) tlb_flush(&cpu->tlbs[PRIV_SUPER_AC]);
  cpu->tlb_ac_clean = true;
  memset(cpu->walias, 0, sizeof cpu->walias);
  cpu->keys_cached = 0;
}

void cpu_tlb_flush(struct cpu *cpu) {
  flush_data(cpu);
  cpu->large_first = ~UINT64_C(0);
  cpu->large_last = 0;
  code_mapping_gone(cpu);
}

void cpu_tlb_flush_page(struct cpu *cpu, u64 va) {
  if (va >= cpu->large_first && va <= cpu->large_last) {
    cpu_tlb_flush(cpu);
    return;
  }
  for (unsigned k = 0; k < PRIVS; k++) tlb_flush_page(&cpu->tlbs[k], va);
  if (cpu->xused[(va >> PAGE_SHIFT & (XUSED - 1)) / 8] >> (va >> PAGE_SHIFT & 7) & 1) code_mapping_gone(cpu);
}

/* ---- PDPTE registers ---- */

bool paging_read_pdptes(struct cpu *cpu, u64 cr3, u64 pdpte[4]) {
  u64 table[4];
  bool there = !phys_read(&cpu->vm->mem, cr3 & MASK(31, 5), table, sizeof table);
  u64 reserved = pdpte_reserved(cpu->model->maxphyaddr);
  bool ok = true;
  for (unsigned k = 0; k < 4; k++) {
    pdpte[k] = ~UINT64_C(0);
    if (there) pdpte[k] = table[k];
    if ((pdpte[k] & PTE_P) && (pdpte[k] & reserved)) ok = false;
  }
  return ok;
}

void paging_load_pdptes(struct cpu *cpu, u64 cr3) {
  u64 pdpte[4];
  require_ab(cpu, CHK_PDPTE_RESERVED, paging_read_pdptes(cpu, cr3, pdpte), 0, cr3, 0);
  memcpy(cpu->pdpte, pdpte, sizeof pdpte);
}

/* ---- RDPKRU, WRPKRU. SDM 2B RDPKRU; SDM 2C WRPKRU; SDM 3A 4.6.2 (Protection Keys) ---- */

static void require_pku(struct cpu *cpu, const struct insn *i) {
  cpu->insn = i;
  require_ab(cpu, CHK_PKE, cpu->cr4 & CR4_PKE, 0, !!(cpu->cr4 & CR4_PKE), 0);
  require_ab(cpu, CHK_PKRU_ECX, (u32)cpu->gpr[RCX] == 0, 0, (u32)cpu->gpr[RCX], 0);
}

static const struct insn *h_rdpkru(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_pku(cpu, i);
  cpu->gpr[RAX] = cpu->pkru;
  cpu->gpr[RDX] = 0;
  NEXT(cpu, i, FORM_R);
}
BODY_1(rdpkru, h_rdpkru)

/* Fetches know no keys, so decoded code and its links stay. */
void paging_set_pkru(struct cpu *cpu, u32 pkru) {
  u32 old = cpu->pkru, stale = 0;
  cpu->pkru = pkru;
  cpu_update_mode(cpu);
  for (unsigned k = 0; k < 16; k++)
    if ((old ^ pkru) >> 2 * k & 3) stale |= 1u << k;
  if (cpu->mmu.keys && (stale & cpu->keys_cached)) flush_data(cpu);
}

static const struct insn *h_wrpkru(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_pku(cpu, i);
  require_ab(cpu, CHK_PKRU_EDX, (u32)cpu->gpr[RDX] == 0, 0, (u32)cpu->gpr[RDX], 0);
  paging_set_pkru(cpu, (u32)cpu->gpr[RAX]);
  NEXT(cpu, i, FORM_R);
}
BODY_1(wrpkru, h_wrpkru)
