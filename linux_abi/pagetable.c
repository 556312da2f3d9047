/* Builds and clears the page tables in guest memory: SDM 3A 4.3 (32-Bit Paging), 4.5 (4-Level Paging and 5-Level
 * Paging). */
#include "linux_abi/pagetable.h"

#include <string.h>

#include "base/bits.h"

#define ADDR_MASK MASK(51, 12)

static unsigned levels(const struct pagetable *pt) { return pt->legacy ? 2 : 4; }
static unsigned entry_bytes(const struct pagetable *pt) { return pt->legacy ? 4 : 8; }
static unsigned index_bits(const struct pagetable *pt) { return pt->legacy ? 10 : 9; }

u64 pt_entry(const struct pagetable *pt, const void *at) { return pt->legacy ? ld32(at) : ld64(at); }
void pt_set(const struct pagetable *pt, void *at, u64 entry) {
  if (pt->legacy) st32(at, (u32)entry);
  else st64(at, entry);
}

/* Bytes that one entry of a level spans: 4 KiB at level 0. */
static u64 span(const struct pagetable *pt, unsigned level) {
  return UINT64_C(1) << (PAGE_SHIFT + index_bits(pt) * level);
}

/* The entry for va in a table of that level. */
static u8 *slot(const struct pagetable *pt, u8 *table, u64 va, unsigned level) {
  u64 index = va >> (PAGE_SHIFT + index_bits(pt) * level) & ((1u << index_bits(pt)) - 1);
  return table + index * entry_bytes(pt);
}

static u8 *table(const struct pagetable *pt, u64 entry) { return pt->host + ((entry & ADDR_MASK) - pt->gpa); }

void *pt_find(const struct pagetable *pt, u64 va) {
  u8 *t = pt->host;
  for (unsigned level = levels(pt) - 1; level; level--) {
    u64 e = pt_entry(pt, slot(pt, t, va, level));
    if (!(e & PTE_P)) return NULL;
    t = table(pt, e);
  }
  return slot(pt, t, va, 0);
}

void *pt_make(struct pagetable *pt, u64 va, bool user) {
  u8 *t = pt->host;
  for (unsigned level = levels(pt) - 1; level; level--) {
    u8 *at = slot(pt, t, va, level);
    u64 e = pt_entry(pt, at);
    if (!(e & PTE_P)) {
      if (pt->used == pt->pages) return NULL;
      u64 off = (u64)pt->used++ * PAGE_SIZE;
      memset(pt->host + off, 0, PAGE_SIZE);
      e = (pt->gpa + off) | PTE_P | PTE_RW | PTE_A | (user ? PTE_US : 0);
      pt_set(pt, at, e);
    }
    t = table(pt, e);
  }
  return slot(pt, t, va, 0);
}

void pt_keep(struct pagetable *pt) { pt->kept = pt->used; }

void pt_reset(struct pagetable *pt) {
  memset(pt->host, 0, pt->legacy ? PAGE_SIZE / 4 * 3 : PAGE_SIZE / 2);
  pt->used = pt->kept;
}

void pt_clear(struct pagetable *pt, u64 start, u64 end, void (*gone)(void *opaque, u64 va, u64 entry), void *opaque) {
  u64 va = start;
  while (va < end) {
    u8 *t = pt->host;
    unsigned level = levels(pt) - 1;
    while (level) {
      u64 e = pt_entry(pt, slot(pt, t, va, level));
      if (!(e & PTE_P)) break;
      t = table(pt, e);
      level--;
    }
    if (level) { /* nothing here: skip what the missing entry spans */
      va = (va | (span(pt, level) - 1)) + 1;
      continue;
    }
    u64 last = va | (span(pt, 1) - 1);
    for (; va <= last && va < end; va += PAGE_SIZE) {
      u8 *at = slot(pt, t, va, 0);
      u64 e = pt_entry(pt, at);
      if (!(e & PTE_P)) continue;
      pt_set(pt, at, 0);
      if (gone) gone(opaque, va, e);
    }
  }
}
