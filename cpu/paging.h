/* Paging as the processor uses it: translation with all its rules, invalidation, PDPTE registers, protection
 * keys. SDM 3A 4 (Paging). */
#ifndef CPU_PAGING_H
#define CPU_PAGING_H

#include "cpu/cpu.h"

/* The privilege of a data access other than the implicit ones to system structures. SDM 3A 4.6 */
static inline enum mmu_priv paging_priv(const struct cpu *cpu, bool user) {
  if (user) return PRIV_USER;
  return cpu->mmu.smap && (cpu->eflags & EF_AC) ? PRIV_SUPER_AC : PRIV_SUPER;
}

/* Translates la, judges the access and sets accessed and dirty bits. -1: *f says what to raise. */
MUST_CHECK int paging_translate(struct cpu *cpu, u64 la, enum access acc, enum mmu_priv priv,
                                struct page_walk *w, struct fault *f);
/* A translation goes into a software TLB, or serves fetches: what invalidation must know of it. */
void paging_cached(struct cpu *cpu, u64 la, const struct page_walk *w);

/* Is PAE paging in use with these control registers? SDM 3A 4.1.1 (Four Paging Modes) */
static inline bool paging_is_pae(u64 cr0, u64 cr4, u64 efer) {
  return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA);
}
/* The four PDPTEs at CR3 = cr3. False: one has P = 1 and a reserved bit set, which is #GP(0). */
MUST_CHECK bool paging_read_pdptes(struct cpu *cpu, u64 cr3, u64 pdpte[4]);
/* PKRU, and what it makes stale; by WRPKRU or XRSTOR. */
void paging_set_pkru(struct cpu *cpu, u32 pkru);
/* Loads the PDPTE registers, or raises #GP(0) before anything has changed. */
void paging_load_pdptes(struct cpu *cpu, u64 cr3);

#endif
