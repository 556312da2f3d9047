/* Guest-physical memory: a short list of regions, each backed by host memory or by device callbacks. */
#ifndef MMU_PHYSMEM_H
#define MMU_PHYSMEM_H

#include "base/types.h"

enum { PHYS_MAX_REGIONS = 16 };

/* An MMIO region's accessors; size is 1, 2, 4 or 8 bytes. */
struct phys_mmio {
  u64 (*read)(void *opaque, u64 offset, unsigned size);
  void (*write)(void *opaque, u64 offset, unsigned size, u64 value);
  void *opaque;
};

struct phys_region {
  u64 base, size;                /* guest-physical, bytes */
  u8 *host;                      /* NULL for MMIO */
  bool readonly;                 /* ROM: writes are dropped */
  bool sparse;                   /* host pages may be missing or refuse a write (a program's): only a run of the processor,
                                    or phys_read() and its like, may touch them */
  const struct phys_mmio *mmio;  /* NULL for memory */
};

struct physmem {
  struct phys_region region[PHYS_MAX_REGIONS]; /* the most used one first; never overlapping */
  unsigned count;
};

/* Adds a region. Returns 0, or -1 when the table is full or the region overlaps another. */
MUST_CHECK int phys_add(struct physmem *pm, const struct phys_region *r);

/* The region that holds gpa, or NULL. */
static inline const struct phys_region *phys_find(const struct physmem *pm, u64 gpa) {
  for (unsigned i = 0; i < pm->count; i++)
    if (gpa - pm->region[i].base < pm->region[i].size) return &pm->region[i];
  return NULL;
}

/* Ordinary memory of one region, also where the host has no page: 0, or -1: it is not (wholly) there. */
MUST_CHECK int phys_read(const struct physmem *pm, u64 gpa, void *buf, unsigned n);
MUST_CHECK int phys_write(const struct physmem *pm, u64 gpa, const void *buf, unsigned n);

/* Host address of [gpa, gpa+len), or NULL when it is not wholly ordinary memory of one region. */
static inline u8 *phys_host(const struct physmem *pm, u64 gpa, u64 len) {
  const struct phys_region *r = phys_find(pm, gpa);
  if (!r || !r->host || r->size - (gpa - r->base) < len) return NULL;
  return r->host + (gpa - r->base);
}

#endif
