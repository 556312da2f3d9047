/* The 4-level page tables in guest memory: SDM 3A 4.5 (4-Level Paging and 5-Level Paging).
 *
 * User entries are a cache of the address space (mm.h): a missing one is made when the program faults on it, so any
 * or all may be dropped at any time, and running out of pages for tables means starting over. */
#ifndef LINUX_ABI_PAGETABLE_H
#define LINUX_ABI_PAGETABLE_H

#include "mmu/mmu.h"

struct pagetable {
  u8 *host;        /* pages for tables; the first is the PML4 */
  u64 gpa;         /* of host */
  u32 pages, used; /* used: handed out */
  u32 kept;        /* handed out when the kernel's entries were complete */
};

/* The entry for va, or NULL if a table on the way is missing. */
u64 *pt_find(const struct pagetable *pt, u64 va);
/* As pt_find, but makes the tables (user: reachable from ring 3). NULL: no page left. */
u64 *pt_make(struct pagetable *pt, u64 va, bool user);
/* Keeps what is there now through pt_reset(). */
void pt_keep(struct pagetable *pt);
/* Drops everything in the lower half. */
void pt_reset(struct pagetable *pt);
/* Clears the present entries of [start, end), calling gone() for each. */
void pt_clear(struct pagetable *pt, u64 start, u64 end, void (*gone)(void *opaque, u64 va, u64 entry), void *opaque);

#endif
