/* Builds and clears the page tables in guest memory: SDM 3A 4.5 (4-Level Paging and 5-Level Paging). */
#include "linux_abi/pagetable.h"

#include <string.h>

enum { LEVELS = 4, ENTRIES = 512, INDEX_BITS = 9 };
#define ADDR_MASK MASK(51, 12)

/* Bytes that one entry of a level spans: 4 KiB at level 0. */
static u64 span(unsigned level) { return UINT64_C(1) << (PAGE_SHIFT + INDEX_BITS * level); }

static unsigned slot(u64 va, unsigned level) {
  return va >> (PAGE_SHIFT + INDEX_BITS * level) & (ENTRIES - 1);
}

static u64 *table(const struct pagetable *pt, u64 entry) {
  return (u64 *)(pt->host + ((entry & ADDR_MASK) - pt->gpa));
}

u64 *pt_find(const struct pagetable *pt, u64 va) {
  u64 *t = (u64 *)pt->host;
  for (unsigned level = LEVELS - 1; level; level--) {
    u64 e = t[slot(va, level)];
    if (!(e & PTE_P)) return NULL;
    t = table(pt, e);
  }
  return &t[slot(va, 0)];
}

u64 *pt_make(struct pagetable *pt, u64 va, bool user) {
  u64 *t = (u64 *)pt->host;
  for (unsigned level = LEVELS - 1; level; level--) {
    u64 *e = &t[slot(va, level)];
    if (!(*e & PTE_P)) {
      if (pt->used == pt->pages) return NULL;
      u64 off = (u64)pt->used++ * PAGE_SIZE;
      memset(pt->host + off, 0, PAGE_SIZE);
      *e = (pt->gpa + off) | PTE_P | PTE_RW | PTE_A | (user ? PTE_US : 0);
    }
    t = table(pt, *e);
  }
  return &t[slot(va, 0)];
}

void pt_keep(struct pagetable *pt) { pt->kept = pt->used; }

void pt_reset(struct pagetable *pt) {
  memset(pt->host, 0, PAGE_SIZE / 2);
  pt->used = pt->kept;
}

void pt_clear(struct pagetable *pt, u64 start, u64 end, void (*gone)(void *opaque, u64 va, u64 entry), void *opaque) {
  u64 va = start;
  while (va < end) {
    u64 *t = (u64 *)pt->host;
    unsigned level = LEVELS - 1;
    while (level) {
      u64 e = t[slot(va, level)];
      if (!(e & PTE_P)) break;
      t = table(pt, e);
      level--;
    }
    if (level) { /* nothing here: skip what the missing entry spans */
      va = (va | (span(level) - 1)) + 1;
      continue;
    }
    for (unsigned i = slot(va, 0); i < ENTRIES && va < end; i++, va += PAGE_SIZE) {
      u64 e = t[i];
      if (!(e & PTE_P)) continue;
      t[i] = 0;
      if (gone) gone(opaque, va, e);
    }
  }
}
