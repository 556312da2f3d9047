/* The memory system calls: man 2 brk, mmap, mprotect, mremap, madvise, mincore, msync, mlock, pkey_alloc.
 * Linux mm/mmap.c, mm/madvise.c, mm/mincore.c, mm/msync.c, mm/mlock.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "linux_abi/lvm.h"
#include "linux_abi/uaccess.h"

s64 sys_brk(struct task *t, const u64 a[6]) { return mm_brk(t, a[0]); }

s64 sys_mmap(struct task *t, const u64 a[6]) { return mm_mmap(t, a[0], a[1], a[2], a[3], (int)a[4], a[5]); }

/* The offset is in pages. */
s64 sys_mmap2(struct task *t, const u64 a[6]) {
  return mm_mmap(t, a[0], a[1], a[2], a[3], (int)a[4], a[5] << PAGE_SHIFT);
}

/* i386's first one: the six arguments are in memory. */
s64 sys_old_mmap(struct task *t, const u64 a[6]) {
  u32 m[6];
  if (ua_read(t, m, a[0], sizeof m)) return -EFAULT;
  return mm_mmap(t, m[0], m[1], m[2], m[3], (int)m[4], m[5]);
}

s64 sys_munmap(struct task *t, const u64 a[6]) { return mm_munmap(t, a[0], a[1]); }
s64 sys_mprotect(struct task *t, const u64 a[6]) { return mm_mprotect(t, a[0], a[1], a[2]); }
s64 sys_mremap(struct task *t, const u64 a[6]) { return mm_mremap(t, a[0], a[1], a[2], a[3], a[4]); }

/* --- What works through a range, mapping by mapping --- */

typedef int range_fn(void *host, u64 len, u64 arg);

/* Calls fn for each mapped part of [start, end). Its first error ends the walk (-errno); holes are told at the end
 * (-ENOMEM), or at once. */
static s64 for_range(struct task *t, u64 start, u64 end, bool stop_at_hole, range_fn *fn, u64 arg) {
  struct mm *mm = t->mm;
  s64 r = 0;
  while (start < end) {
    const struct vma *v = vma_find(&mm->vmas, start);
    if (!v || v->start > start) {
      r = -ENOMEM;
      if (!v || v->start >= end || stop_at_hole) return r;
      start = v->start;
    }
    u64 stop = v->end < end ? v->end : end;
    if (fn(mm_host(mm, start), stop - start, arg)) return -errno;
    start = stop;
  }
  return r;
}

/* A page range as most of these calls take it. 0, or -EINVAL, -ENOMEM. */
static s64 range_of(u64 addr, u64 len, u64 *end) {
  if (addr & ~PAGE_MASK) return -EINVAL;
  *end = addr + page_up(len);
  return page_up(len) < len || *end < addr ? -ENOMEM : 0;
}

static int host_madvise(void *host, u64 len, u64 advice) { return madvise(host, len, (int)advice); }

s64 sys_madvise(struct task *t, const u64 a[6]) {
  enum { LAST = 25 /* MADV_COLLAPSE */, FIRST_GAP = MADV_DONTNEED + 1, GAP_END = MADV_FREE };
  u64 end, advice = (u32)a[2];
  if (advice > LAST || (advice >= FIRST_GAP && advice < GAP_END)) return -EINVAL;
  s64 r = range_of(a[0], a[1], &end);
  if (r) return -EINVAL;
  if (end == a[0]) return 0;
  r = for_range(t, a[0], end, false, host_madvise, advice);
  if (advice == MADV_DONTNEED || advice == MADV_REMOVE || advice == MADV_FREE || advice == 24 /* DONTNEED_LOCKED */)
    ua_wrote(t, a[0], end - a[0]);
  return r;
}

static int host_msync(void *host, u64 len, u64 flags) { return msync(host, len, (int)flags); }

s64 sys_msync(struct task *t, const u64 a[6]) {
  u64 end, flags = (u32)a[2];
  if (flags & ~(u64)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || (flags & MS_ASYNC && flags & MS_SYNC)) return -EINVAL;
  s64 r = range_of(a[0], a[1], &end);
  return r ? r : for_range(t, a[0], end, false, host_msync, flags);
}

s64 sys_mincore(struct task *t, const u64 a[6]) {
  enum { CHUNK = 1024 };
  u8 vec[CHUNK];
  u64 addr = a[0], end, out = a[2];
  s64 r = range_of(addr, a[1], &end);
  if (r) return r;
  if (end > t->mm->task_size) return -ENOMEM;
  while (addr < end) {
    u64 pages = (end - addr) >> PAGE_SHIFT, n = pages < CHUNK ? pages : CHUNK, bytes = n << PAGE_SHIFT;
    if (!vma_covers(&t->mm->vmas, addr, addr + bytes)) return -ENOMEM;
    if (mincore(mm_host(t->mm, addr), bytes, vec)) return -errno;
    if (ua_write(t, out, vec, n)) return -EFAULT;
    addr += bytes;
    out += n;
  }
  return 0;
}

/* --- Locking --- */

static int host_mlock(void *host, u64 len, u64 onfault) {
  enum { LOCK_ONFAULT = 1 };
  return onfault ? mlock2(host, len, LOCK_ONFAULT) : mlock(host, len);
}
static int host_munlock(void *host, u64 len, u64 arg) {
  (void)arg;
  return munlock(host, len);
}

/* mlock() takes whole pages around any address. */
static s64 lock_range(struct task *t, u64 addr, u64 len, range_fn *fn, u64 arg) {
  u64 end;
  s64 r = range_of(page_down(addr), len + (addr & ~PAGE_MASK), &end);
  if (r) return r;
  return for_range(t, page_down(addr), end, true, fn, arg);
}

s64 sys_mlock(struct task *t, const u64 a[6]) { return lock_range(t, a[0], a[1], host_mlock, 0); }
s64 sys_munlock(struct task *t, const u64 a[6]) { return lock_range(t, a[0], a[1], host_munlock, 0); }

s64 sys_mlock2(struct task *t, const u64 a[6]) {
  u32 flags = (u32)a[2];
  return flags > 1 ? -EINVAL : lock_range(t, a[0], a[1], host_mlock, flags);
}

/* The host's own mlockall() would lock the emulator. */
s64 sys_mlockall(struct task *t, const u64 a[6]) {
  enum { KNOWN = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT };
  u32 flags = (u32)a[0];
  if (!flags || flags & ~(u32)KNOWN || flags == MCL_ONFAULT) return -EINVAL;
  t->mm->lock_future = flags & MCL_FUTURE;
  if (!(flags & MCL_CURRENT)) return 0;
  const struct vma_list *l = &t->mm->vmas;
  for (unsigned i = 0; i < l->n; i++) {
    if (!l->v[i].prot) continue;
    if (host_mlock(mm_host(t->mm, l->v[i].start), l->v[i].end - l->v[i].start, flags & MCL_ONFAULT)) return -errno;
  }
  return 0;
}

s64 sys_munlockall(struct task *t, const u64 a[6]) {
  (void)a;
  t->mm->lock_future = false;
  const struct vma_list *l = &t->mm->vmas;
  for (unsigned i = 0; i < l->n; i++)
    if (munlock(mm_host(t->mm, l->v[i].start), l->v[i].end - l->v[i].start)) return -errno;
  return 0;
}

/* --- Protection keys, on a processor without them: arch/x86/mm/pkeys.c --- */

s64 sys_pkey_mprotect(struct task *t, const u64 a[6]) {
  return (int)a[3] == -1 ? mm_mprotect(t, a[0], a[1], a[2]) : -EINVAL;
}

s64 sys_pkey_alloc(struct task *t, const u64 a[6]) {
  enum { KNOWN_RIGHTS = 3 };
  (void)t;
  return a[0] || a[1] & ~(u64)KNOWN_RIGHTS ? -EINVAL : -ENOSPC;
}

s64 sys_pkey_free(struct task *t, const u64 a[6]) {
  (void)t, (void)a;
  return -EINVAL;
}
