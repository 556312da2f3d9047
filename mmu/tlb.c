/* The software TLB: invalidation. SDM 3A 4.10 (Caching Translation Information) */
#include "mmu/mmu.h"

void tlb_flush(struct tlb *t) { memset(t, 0xff, sizeof *t); }

void tlb_flush_page(struct tlb *t, u64 va) {
  struct tlb_entry *e = tlb_slot(t, va);
  va &= PAGE_MASK;
  if (e->tag[ACC_READ] == va || e->tag[ACC_WRITE] == va) memset(e, 0xff, sizeof *e);
}
