/* Guest-physical memory: the region table. */
#include "mmu/physmem.h"

int phys_add(struct physmem *pm, const struct phys_region *r) {
  if (pm->count == PHYS_MAX_REGIONS || !r->size || r->base + r->size < r->base) return -1;
  for (unsigned i = 0; i < pm->count; i++) {
    const struct phys_region *o = &pm->region[i];
    if (r->base < o->base + o->size && o->base < r->base + r->size) return -1;
  }
  pm->region[pm->count++] = *r;
  return 0;
}
