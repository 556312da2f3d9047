/* Guest-physical memory: the region table, and accesses by the host. */
#include "mmu/physmem.h"

#include <string.h>

#include "base/hostfault.h"

int phys_add(struct physmem *pm, const struct phys_region *r) {
  if (pm->count == PHYS_MAX_REGIONS || !r->size || r->base + r->size < r->base) return -1;
  for (unsigned i = 0; i < pm->count; i++) {
    const struct phys_region *o = &pm->region[i];
    if (r->base < o->base + o->size && o->base < r->base + r->size) return -1;
  }
  pm->region[pm->count++] = *r;
  return 0;
}

static int copy(const struct phys_region *r, void *to, const void *from, unsigned n) {
  if (r->sparse) return host_copy(to, from, n);
  memcpy(to, from, n);
  return 0;
}

int phys_read(const struct physmem *pm, u64 gpa, void *buf, unsigned n) {
  const u8 *host = phys_host(pm, gpa, n);
  return host ? copy(phys_find(pm, gpa), buf, host, n) : -1;
}

int phys_write(const struct physmem *pm, u64 gpa, const void *buf, unsigned n) {
  u8 *host = phys_host(pm, gpa, n);
  return host ? copy(phys_find(pm, gpa), host, buf, n) : -1;
}
