/* The page tables in guest memory: 4 levels of 8-byte entries, or on processors without long mode 2 of 4-byte ones.
 * SDM 3A 4.3 (32-Bit Paging), 4.5 (4-Level Paging and 5-Level Paging).
 *
 * User entries are a cache of the address space (mm.h): a missing one is made when the program faults on it, so any
 * or all may be dropped at any time, and running out of pages for tables means starting over. */
#ifndef LINUX_ABI_PAGETABLE_H
#define LINUX_ABI_PAGETABLE_H

#include "mmu/mmu.h"

struct pagetable {
  bool legacy;     /* 32-bit paging */
  u8 *host;        /* pages for tables; the first is the root */
  u64 gpa;         /* of host */
  u32 pages, used; /* used: handed out */
  u32 kept;        /* handed out when the kernel's entries were complete */
};

/* Where the entry for va is, or NULL if a table on the way is missing. */
void *pt_find(const struct pagetable *pt, u64 va);
/* As pt_find, but makes the tables (user: reachable from ring 3). NULL: no page left. */
void *pt_make(struct pagetable *pt, u64 va, bool user);
/* What is there, and changing it. */
u64 pt_entry(const struct pagetable *pt, const void *at);
void pt_set(const struct pagetable *pt, void *at, u64 entry);
/* Keeps what is there now through pt_reset(). */
void pt_keep(struct pagetable *pt);
/* Drops everything below the kernel. */
void pt_reset(struct pagetable *pt);
/* Clears the present entries of [start, end), calling gone() for each. */
void pt_clear(struct pagetable *pt, u64 start, u64 end, void (*gone)(void *opaque, u64 va, u64 entry), void *opaque);

#endif
