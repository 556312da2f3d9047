/* The list of mappings as a sorted array: Linux mm/vma.c. A program has tens of them, seldom thousands. */
#include "linux_abi/vma.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

struct vma_file *vma_file_new(const char *path, u64 dev, u64 ino) {
  size_t n = strlen(path) + 1;
  struct vma_file *f = malloc(sizeof *f + n);
  if (!f) return NULL;
  f->refs = 1;
  f->dev = dev;
  f->ino = ino;
  memcpy(f->path, path, n);
  return f;
}

struct vma_file *vma_file_ref(struct vma_file *f) {
  if (f) f->refs++;
  return f;
}

void vma_file_drop(struct vma_file *f) {
  if (f && !--f->refs) free(f);
}

void vma_free(struct vma_list *l) {
  for (unsigned i = 0; i < l->n; i++) vma_file_drop(l->v[i].file);
  free(l->v);
  memset(l, 0, sizeof *l);
}

/* Index of the first mapping that ends above addr. */
static unsigned lower(const struct vma_list *l, u64 addr) {
  unsigned lo = 0, hi = l->n;
  while (lo < hi) {
    unsigned mid = lo + (hi - lo) / 2;
    if (l->v[mid].end > addr)
      hi = mid;
    else
      lo = mid + 1;
  }
  return lo;
}

struct vma *vma_find(struct vma_list *l, u64 addr) {
  if (l->last < l->n && addr - l->v[l->last].start < l->v[l->last].end - l->v[l->last].start) return &l->v[l->last];
  unsigned i = lower(l, addr);
  if (i == l->n) return NULL;
  l->last = i;
  return &l->v[i];
}

struct vma *vma_overlap(struct vma_list *l, u64 start, u64 end) {
  unsigned i = lower(l, start);
  return i < l->n && l->v[i].start < end ? &l->v[i] : NULL;
}

bool vma_covers(struct vma_list *l, u64 start, u64 end) {
  for (unsigned i = lower(l, start); i < l->n && l->v[i].start <= start; i++) {
    start = l->v[i].end;
    if (start >= end) return true;
  }
  return start >= end;
}

int vma_reserve(struct vma_list *l) {
  enum { NEW_MAX = 4 }; /* two changes, each of which may split one mapping in three */
  if (l->room - l->n >= NEW_MAX) return 0;
  if (l->n + NEW_MAX > VMA_MAX) return -ENOMEM;
  unsigned room = l->room ? l->room * 2 : 32;
  struct vma *v = realloc(l->v, room * sizeof *v);
  if (!v) return -ENOMEM;
  l->v = v;
  l->room = room;
  return 0;
}

/* Opens a place at index i; vma_reserve() has seen to the room. */
static void open_at(struct vma_list *l, unsigned i) {
  memmove(&l->v[i + 1], &l->v[i], (l->n - i) * sizeof l->v[0]);
  l->n++;
}

static void close_range(struct vma_list *l, unsigned first, unsigned end) {
  memmove(&l->v[first], &l->v[end], (l->n - end) * sizeof l->v[0]);
  l->n -= end - first;
}

static bool alike(const struct vma *a, const struct vma *b) {
  if (a->end != b->start || a->prot != b->prot || a->flags != b->flags || a->key != b->key) return false;
  if (a->flags & (VMA_GROWSDOWN | VMA_SPECIAL)) return false;
  if (!a->file && !b->file) return !(a->flags & VMA_SHARED);
  return a->file && b->file && a->file->dev == b->file->dev && a->file->ino == b->file->ino &&
         a->off + (a->end - a->start) == b->off;
}

static void join(struct vma_list *l, unsigned i) { /* i and i + 1, if they are alike */
  if (i + 1 >= l->n || !alike(&l->v[i], &l->v[i + 1])) return;
  l->v[i].end = l->v[i + 1].end;
  vma_file_drop(l->v[i + 1].file);
  close_range(l, i + 1, i + 2);
}

void vma_insert(struct vma_list *l, const struct vma *v) {
  unsigned i = lower(l, v->start);
  open_at(l, i);
  l->v[i] = *v;
  join(l, i);
  if (i) join(l, i - 1);
}

/* Makes addr the end of one mapping and the start of the next, if it lies inside one. */
static void split(struct vma_list *l, u64 addr) {
  unsigned i = lower(l, addr);
  if (i == l->n || l->v[i].start >= addr) return;
  open_at(l, i);
  l->v[i].end = addr;
  l->v[i + 1].off += addr - l->v[i + 1].start;
  l->v[i + 1].start = addr;
  vma_file_ref(l->v[i].file);
}

void vma_remove(struct vma_list *l, u64 start, u64 end) {
  if (!vma_overlap(l, start, end)) return;
  split(l, start);
  split(l, end);
  unsigned i = lower(l, start), j = i;
  for (; j < l->n && l->v[j].start < end; j++) vma_file_drop(l->v[j].file);
  close_range(l, i, j);
}

void vma_change(struct vma_list *l, u64 start, u64 end, u32 prot, u32 flags, u32 key) {
  split(l, start);
  split(l, end);
  unsigned i = lower(l, start);
  l->v[i].prot = prot;
  l->v[i].flags = flags;
  l->v[i].key = key;
  join(l, i);
  if (i) join(l, i - 1);
}

/* Where the room below a mapping ends. */
static u64 room_end(const struct vma *v, u64 guard) {
  if (!(v->flags & VMA_GROWSDOWN)) return v->start;
  return v->start > guard ? v->start - guard : 0;
}

u64 vma_gap_down(struct vma_list *l, u64 len, u64 low, u64 high, u64 guard) {
  if (high < low || high - low < len) return 0;
  unsigned i = lower(l, high);
  u64 top = high;
  for (;;) {
    if (i < l->n && room_end(&l->v[i], guard) < top) top = room_end(&l->v[i], guard);
    u64 bottom = i ? l->v[i - 1].end : 0;
    if (bottom < low) bottom = low;
    if (top >= bottom && top - bottom >= len) return top - len;
    if (!i || l->v[i - 1].start <= low) return 0;
    i--;
    top = high;
  }
}

u64 vma_gap_up(struct vma_list *l, u64 len, u64 low, u64 high, u64 guard) {
  for (unsigned i = lower(l, low); ; i++) {
    u64 end = i < l->n ? room_end(&l->v[i], guard) : high;
    if (end > high) end = high;
    if (end >= low && end - low >= len) return low;
    if (i == l->n || l->v[i].end >= high) return 0;
    if (low < l->v[i].end) low = l->v[i].end;
  }
}
