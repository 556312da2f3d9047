/* The list of a program's mappings: what mmap() made, as /proc/PID/maps would show it. Pure bookkeeping: it touches
 * no memory. Linux: struct vm_area_struct, mm/vma.c. */
#ifndef LINUX_ABI_VMA_H
#define LINUX_ABI_VMA_H

#include "base/types.h"

enum vma_flags {
  VMA_SHARED = 1 << 0,
  VMA_GROWSDOWN = 1 << 1,
  VMA_CHECKED = 1 << 2, /* the host may refuse a page (end of file): touch before trusting it */
  VMA_SPECIAL = 1 << 3, /* vvar, vDSO: cannot be resized or given other contents */
  VMA_LOCKED = 1 << 4,
  VMA_STACK = 1 << 5,   /* for its name alone */
  VMA_HEAP = 1 << 6,
  VMA_NORESERVE = 1 << 7,
  VMA_ACCOUNT = 1 << 8, /* private and writable, now or once: VM_ACCOUNT, which keeps neighbours apart */
};

/* What is mapped, when it is a file. Counted; freed with the last mapping. */
struct vma_file {
  u32 refs;
  u64 dev, ino;
  char path[];
};

struct vma {
  u64 start, end; /* page-aligned, not empty */
  u64 off;        /* of start in the file */
  u32 prot;       /* PROT_* */
  u32 flags;
  u32 key;        /* protection key */
  struct vma_file *file; /* NULL: anonymous */
};

struct vma_list {
  struct vma *v; /* by address */
  unsigned n, room;
  unsigned last; /* of the last search */
};

enum { VMA_MAX = 65530 }; /* Linux's vm.max_map_count */

void vma_free(struct vma_list *l);
/* The first mapping that ends above addr: the one that holds addr, if any does. NULL: none. */
struct vma *vma_find(struct vma_list *l, u64 addr);
/* The one that overlaps [start, end) and is the lowest, or NULL. */
struct vma *vma_overlap(struct vma_list *l, u64 start, u64 end);
/* Are all bytes of [start, end) mapped? */
bool vma_covers(struct vma_list *l, u64 start, u64 end);

/* Makes sure that the next two changes cannot fail. 0, -ENOMEM. To be called before the memory itself is changed. */
MUST_CHECK int vma_reserve(struct vma_list *l);
/* Adds a mapping (nothing may be there), joined with its neighbours where they are alike; takes over the caller's
 * reference to its file. */
void vma_insert(struct vma_list *l, const struct vma *v);
/* Forgets [start, end), splitting what straddles its ends. */
void vma_remove(struct vma_list *l, u64 start, u64 end);
/* Gives [start, end), which must lie in one mapping, other protections, flags and key. */
void vma_change(struct vma_list *l, u64 start, u64 end, u32 prot, u32 flags, u32 key);

/* Room for len bytes with guard free below each stack: the highest place in [low, high), or the lowest. 0: none. */
u64 vma_gap_down(struct vma_list *l, u64 len, u64 low, u64 high, u64 guard);
u64 vma_gap_up(struct vma_list *l, u64 len, u64 low, u64 high, u64 guard);

MUST_CHECK struct vma_file *vma_file_new(const char *path, u64 dev, u64 ino);
struct vma_file *vma_file_ref(struct vma_file *f);
void vma_file_drop(struct vma_file *f);

#endif
