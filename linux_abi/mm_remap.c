/* mremap: Linux mm/mremap.c; man 2 mremap. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "linux_abi/lvm.h"
#include "linux_abi/mm_host.h"

struct remap {
  u64 old, old_len, new_len, flags, to;
  struct vma vma; /* of old: a copy, its file borrowed */
};

static bool anonymous(const struct vma *v) { return !v->file && !(v->flags & VMA_SHARED); }

static void describe(struct mm *mm, const struct remap *r, u64 start) {
  struct vma v = r->vma;
  v.start = start;
  v.end = start + r->new_len;
  v.off = r->vma.file || r->vma.flags & VMA_SHARED ? r->vma.off + (r->old - r->vma.start) : 0;
  vma_file_ref(v.file);
  vma_insert(&mm->vmas, &v);
}

/* The host keeps the pieces of one anonymous mapping apart when they have been touched apart, and then refuses to
 * move them at once. */
static int move_by_copy(struct task *t, const struct remap *r) {
  struct mm *mm = t->mm;
  u64 n = r->old_len < r->new_len ? r->old_len : r->new_len;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  int e = mm_host_map(mm, r->to, r->new_len, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (e) return e;
  if (!(mm_host_prot_keyed(mm, r->vma.prot, r->vma.key) & PROT_READ)) mprotect(mm_host(mm, r->old), n, PROT_READ);
  if (host_copy(mm_host(mm, r->to), mm_host(mm, r->old), n)) return -EFAULT;
  if (mprotect(mm_host(mm, r->to), r->new_len, mm_host_prot_keyed(mm, r->vma.prot, r->vma.key))) return -errno;
  return r->flags & MREMAP_DONTUNMAP ? -EFAULT : mm_host_unmap(mm, r->old, r->old_len);
}

static int move_host(struct task *t, const struct remap *r) {
  struct mm *mm = t->mm;
  int flags = MREMAP_MAYMOVE | MREMAP_FIXED | (int)(r->flags & MREMAP_DONTUNMAP);
  if (mremap(mm_host(mm, r->old), r->old_len, r->new_len, flags, mm_host(mm, r->to)) != MAP_FAILED) {
    if (!(r->flags & MREMAP_DONTUNMAP) && r->old_len) mm_host_refill(mm, r->old, r->old_len);
    return 0;
  }
  int e = errno;
  mm_host_refill(mm, r->to, r->new_len);
  return e == EFAULT && anonymous(&r->vma) ? move_by_copy(t, r) : -e;
}

static s64 move(struct task *t, struct remap *r) {
  struct mm *mm = t->mm;
  struct vma_file *f = vma_file_ref(r->vma.file);
  int e = vma_reserve(&mm->vmas);
  if (!e) e = move_host(t, r);
  if (!e) {
    mm_forget(t, r->old, r->old + r->old_len);
    mm_forget(t, r->to, r->to + r->new_len);
    vma_remove(&mm->vmas, r->to, r->to + r->new_len);
    if (!(r->flags & MREMAP_DONTUNMAP)) vma_remove(&mm->vmas, r->old, r->old + r->old_len);
    describe(mm, r, r->to);
  }
  vma_file_drop(f);
  return e ? e : (s64)r->to;
}

/* A file's mapping becomes larger at another place, and comes back over itself and the reservation behind
 * it: at no time is there a hole where the host could put something of its own. */
static int grow_host(const struct mm *mm, const struct remap *r) {
  enum { BACK = MREMAP_MAYMOVE | MREMAP_FIXED };
  void *old = mm_host(mm, r->old);
  void *away = mremap(old, r->old_len, r->old_len, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  if (away == MAP_FAILED) return -errno;
  void *grown = mremap(away, r->old_len, r->new_len, MREMAP_MAYMOVE);
  if (grown != MAP_FAILED && mremap(grown, r->new_len, r->new_len, BACK, old) != MAP_FAILED) return 0;
  int e = errno;
  u64 len = grown == MAP_FAILED ? r->old_len : r->new_len;
  return mremap(grown == MAP_FAILED ? away : grown, len, r->old_len, BACK, old) == MAP_FAILED ? -errno : -e;
}

/* Grows where it is, if what follows is free. */
static bool grow_in_place(struct task *t, const struct remap *r) {
  struct mm *mm = t->mm;
  u64 end = r->old + r->old_len, new_end = r->old + r->new_len;
  if (end != r->vma.end || new_end > mm->task_size || new_end < end) return false;
  if (vma_gap_up(&mm->vmas, new_end - end, end, new_end, MM_STACK_GUARD) != end) return false;
  if (vma_reserve(&mm->vmas)) return false;
  if (anonymous(&r->vma)) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | (r->vma.flags & VMA_NORESERVE ? MAP_NORESERVE : 0);
    int prot = mm_host_prot_keyed(mm, r->vma.prot, r->vma.key);
    if (mm_host_map(mm, end, new_end - end, prot, flags, -1, 0)) return false;
  } else if (grow_host(mm, r)) {
    return false;
  }
  struct vma v = r->vma;
  v.end = new_end;
  vma_file_ref(v.file);
  vma_remove(&mm->vmas, v.start, end);
  vma_insert(&mm->vmas, &v);
  return true;
}

/* Linux vma_to_resize() */
static int may_resize(const struct task *t, const struct remap *r) {
  if (!r->old_len && !(r->vma.flags & VMA_SHARED)) return -EINVAL;
  if (r->old_len > r->vma.end - r->old) return -EFAULT;
  if (r->vma.flags & VMA_SPECIAL) return r->new_len == r->old_len ? 0 : -EFAULT;
  if (r->new_len > r->old_len && !mm_within_limits(t, r->new_len - r->old_len, r->vma.prot, r->vma.flags))
    return -ENOMEM;
  return 0;
}

static bool bad_target(const struct mm *mm, const struct remap *r) {
  if (r->to & ~PAGE_MASK || r->new_len > mm->task_size || r->to > mm->task_size - r->new_len) return true;
  return r->old + r->old_len > r->to && r->to + r->new_len > r->old;
}

static s64 remap_to(struct task *t, struct remap *r) {
  bool fixed = r->flags & MREMAP_FIXED;
  if (fixed) {
    s64 e = mm_munmap(t, r->to, r->new_len);
    if (e) return e;
  }
  if (r->old_len > r->new_len) {
    s64 e = mm_munmap(t, r->old + r->new_len, r->old_len - r->new_len);
    if (e) return e;
    r->old_len = r->new_len;
  }
  const struct vma *v = vma_find(&t->mm->vmas, r->old);
  if (!v || v->start > r->old) return -EFAULT;
  r->vma = *v;
  int e = may_resize(t, r);
  if (e) return e;
  if (!fixed && !(r->to = mm_place(t, r->to, r->new_len, 0))) return -ENOMEM;
  return move(t, r);
}

s64 mm_mremap(struct task *t, u64 old, u64 old_len, u64 new_len, u64 flags, u64 new_addr) {
  enum { KNOWN = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP };
  bool may_move = flags & MREMAP_MAYMOVE;
  if (flags & ~(u64)KNOWN || (flags & MREMAP_FIXED && !may_move)) return -EINVAL;
  if (flags & MREMAP_DONTUNMAP && !may_move) return -EINVAL;
  if (old & ~PAGE_MASK) return -EINVAL;
  struct remap r = {.old = old, .old_len = page_up(old_len), .new_len = page_up(new_len), .flags = flags,
                    .to = new_addr};
  if (!r.new_len || r.new_len > t->mm->task_size) return -EINVAL;
  if (flags & MREMAP_DONTUNMAP && r.old_len != r.new_len) return -EINVAL;
  bool to = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
  if (to && bad_target(t->mm, &r)) return -EINVAL;
  const struct vma *v = vma_find(&t->mm->vmas, old);
  if (!v || v->start > old) return -EFAULT;
  r.vma = *v;
  if (to) return remap_to(t, &r);
  if (r.old_len >= r.new_len) {
    s64 e = r.old_len == r.new_len ? 0 : mm_munmap(t, old + r.new_len, r.old_len - r.new_len);
    return e ? e : (s64)old;
  }
  int e = may_resize(t, &r);
  if (e) return e;
  if (r.old_len && grow_in_place(t, &r)) return (s64)old;
  if (!may_move || !(r.to = mm_place(t, 0, r.new_len, 0))) return -ENOMEM;
  return move(t, &r);
}
