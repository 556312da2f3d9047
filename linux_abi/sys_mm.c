/* The memory system calls: man 2 brk, mmap, mprotect, mremap, madvise, mincore, msync, mlock.
 * Linux mm/mmap.c, mm/madvise.c, mm/mincore.c, mm/msync.c, mm/mlock.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <sys/syscall.h>

#include "linux_abi/lvm.h"
#include "linux_abi/sys_files.h"

s64 sys_brk(struct task *t, const u64 a[6]) { return mm_brk(t, a[0]); }

/* The host never maps anything to be executed, so it has to be asked whether it would: path_noexec(). */
static bool not_executable(u64 prot, u64 flags, int fd) {
  void *p = mmap(NULL, PAGE_SIZE, (int)prot, (int)(flags & MAP_TYPE), fd, 0);
  if (p == MAP_FAILED) return errno == EPERM;
  munmap(p, PAGE_SIZE);
  return false;
}

static s64 map(struct task *t, u64 addr, u64 len, u64 prot, u64 flags, u64 fd_word, u64 off) {
  int fd = fd_arg(t, fd_word);
  bool ask = prot & PROT_EXEC && !(flags & MAP_ANONYMOUS) && len && !(off & ~PAGE_MASK);
  if (ask && not_executable(prot, flags, fd)) return -EPERM;
  return mm_mmap(t, addr, len, prot, flags, fd, off);
}

s64 sys_mmap(struct task *t, const u64 a[6]) { return map(t, a[0], a[1], a[2], a[3], a[4], a[5]); }

/* The offset is in pages. */
s64 sys_mmap2(struct task *t, const u64 a[6]) {
  return map(t, a[0], a[1], a[2], a[3], a[4], a[5] << PAGE_SHIFT);
}

/* i386's first one: the six arguments are in memory. */
s64 sys_old_mmap(struct task *t, const u64 a[6]) {
  u32 m[6];
  if (ua_read(t, m, a[0], sizeof m)) return -EFAULT;
  return map(t, m[0], m[1], m[2], m[3], m[4], m[5]);
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

static int host_madvise(void *host, u64 len, u64 advice) { return madvise(host, len, (int)advice); }

s64 sys_madvise(struct task *t, const u64 a[6]) {
  enum { DONTNEED_LOCKED = 24, LAST = 25 /* MADV_COLLAPSE */, FIRST_GAP = MADV_DONTNEED + 1, GAP_END = MADV_FREE };
  u64 start = a[0], len = page_up(a[1]), advice = (u32)a[2];
  if (advice > LAST || (advice >= FIRST_GAP && advice < GAP_END)) return -EINVAL;
  if (start & ~PAGE_MASK || len < a[1] || start + len < start) return -EINVAL;
  if (!len) return 0;
  bool populate = advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
  s64 r = for_range(t, start, start + len, populate, host_madvise, advice);
  bool drop = advice == MADV_DONTNEED || advice == MADV_REMOVE || advice == MADV_FREE || advice == DONTNEED_LOCKED;
  if (drop) ua_wrote(t, start, len);
  return r;
}

static int host_msync(void *host, u64 len, u64 flags) { return msync(host, len, (int)flags); }

s64 sys_msync(struct task *t, const u64 a[6]) {
  u64 start = a[0], end = start + page_up(a[1]), flags = (u32)a[2];
  if (flags & ~(u64)(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || (flags & MS_ASYNC && flags & MS_SYNC)) return -EINVAL;
  if (start & ~PAGE_MASK) return -EINVAL;
  return end < start ? -ENOMEM : for_range(t, start, end, false, host_msync, flags);
}

/* Mapping by mapping: what lies before a hole is stored first. */
s64 sys_mincore(struct task *t, const u64 a[6]) {
  enum { CHUNK = 1024 };
  u8 vec[CHUNK];
  u64 addr = a[0], end = addr + page_up(a[1]), out = a[2];
  if (addr & ~PAGE_MASK) return -EINVAL;
  if (page_up(a[1]) < a[1] || end < addr || end > t->mm->task_size) return -ENOMEM;
  while (addr < end) {
    const struct vma *v = vma_find(&t->mm->vmas, addr);
    if (!v || v->start > addr) return -ENOMEM;
    u64 pages = ((v->end < end ? v->end : end) - addr) >> PAGE_SHIFT, n = pages < CHUNK ? pages : CHUNK;
    if (mincore(mm_host(t->mm, addr), n << PAGE_SHIFT, vec)) return -errno;
    if (ua_write(t, out, vec, n)) return -EFAULT;
    addr += n << PAGE_SHIFT;
    out += n;
  }
  return 0;
}

/* --- Locking --- */

static int host_mlock(void *host, u64 len, u64 onfault) {
  enum { LOCK_ONFAULT = 1 };
  /* Not by libc's names, which a sanitizer makes do nothing. */
  return (int)(onfault ? syscall(SYS_mlock2, host, len, LOCK_ONFAULT) : syscall(SYS_mlock, host, len));
}
static int host_munlock(void *host, u64 len, u64 arg) {
  (void)arg;
  return (int)syscall(SYS_munlock, host, len);
}

/* Whole pages around any address. */
static s64 lock_range(struct task *t, u64 addr, u64 len, range_fn *fn, u64 arg) {
  u64 start = page_down(addr), end = start + page_up(len + (addr & ~PAGE_MASK));
  return end < start ? -EINVAL : for_range(t, start, end, true, fn, arg);
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
    if (host_munlock(mm_host(t->mm, l->v[i].start), l->v[i].end - l->v[i].start, 0)) return -errno;
  return 0;
}
