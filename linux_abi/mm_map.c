/* mmap, munmap, mprotect and brk: Linux mm/mmap.c, mm/mprotect.c; man 2 mmap, munmap, mprotect, brk. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux_abi/lvm.h"
#include "linux_abi/mm_host.h"

/* --- The host's side --- */

int mm_host_map(const struct mm *mm, u64 start, u64 len, int prot, int flags, int fd, u64 off) {
  void *at = mm_host(mm, start);
  if (mmap(at, len, prot, flags | MAP_FIXED, fd, (off_t)off) != MAP_FAILED) return 0;
  int err = errno;
  /* Linux may have unmapped what was there before it failed; a hole must not stay. */
  mm_host_refill(mm, start, len);
  return -err;
}

void mm_host_refill(const struct mm *mm, u64 start, u64 len) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  void *at = mm_host(mm, start);
  if (mmap(at, len, PROT_NONE, flags, -1, 0) == MAP_FAILED) errno = 0;
}

int mm_host_unmap(const struct mm *mm, u64 start, u64 len) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
  if (mmap(mm_host(mm, start), len, PROT_NONE, flags, -1, 0) != MAP_FAILED) return 0;
  if (errno != ENOMEM || munmap(mm_host(mm, start), len)) return -errno;
  mm_host_refill(mm, start, len); /* at the host's limit of mappings it gives one back before it takes another */
  return 0;
}

/* --- Limits --- */

static bool counts_as_data(u32 prot, u32 flags) {
  return (prot & PROT_WRITE) && !(flags & (VMA_SHARED | VMA_GROWSDOWN));
}

/* Linux accountable_mapping(), and mprotect_fixup(), which leaves the mark when writing is forbidden again. */
static u32 account(u32 prot, u32 flags) {
  bool counts = (prot & PROT_WRITE) && !(flags & (VMA_SHARED | VMA_NORESERVE));
  return counts ? flags | VMA_ACCOUNT : flags;
}

/* Linux may_expand_vm() */
bool mm_within_limits(const struct task *t, u64 more, u32 prot, u32 flags) {
  u64 as = t->limit[RLIMIT_AS].cur, data = t->limit[RLIMIT_DATA].cur, all = more, writable = more;
  if (as == RLIM_INFINITY && data == RLIM_INFINITY) return true;
  const struct vma_list *l = &t->mm->vmas;
  for (unsigned i = 0; i < l->n; i++) {
    u64 size = l->v[i].end - l->v[i].start;
    all += size;
    if (counts_as_data(l->v[i].prot, l->v[i].flags)) writable += size;
  }
  return all <= as && (!counts_as_data(prot, flags) || writable <= data);
}

/* --- Placement --- */

u64 mm_place(struct task *t, u64 hint, u64 len, u64 flags) {
  enum { LOW32 = 0x40000000 };
  struct mm *mm = t->mm;
  if (len > mm->task_size) return 0;
  if ((flags & MAP_32BIT) && t->abi == LX_X86_64) {
    u64 high = UINT64_C(2) * LOW32;
    return vma_gap_up(&mm->vmas, len, LOW32, high < mm->task_size ? high : mm->task_size, MM_STACK_GUARD);
  }
  hint = page_down(hint);
  if (hint && hint < MM_MIN_ADDR) hint = MM_MIN_ADDR;
  if (hint && hint <= mm->task_size - len &&
      vma_gap_up(&mm->vmas, len, hint, hint + len, MM_STACK_GUARD) == hint)
    return hint;
  u64 base = t->compat && t->abi == LX_X86_64 ? mm->mmap_base32 : mm->mmap_base;
  u64 at = vma_gap_down(&mm->vmas, len, MM_MIN_ADDR, base, MM_STACK_GUARD);
  if (at || base != mm->mmap_base) return at;
  return vma_gap_up(&mm->vmas, len, mm->mmap_bottom, mm->task_size, MM_STACK_GUARD);
}

/* --- mmap --- */

struct mapping { /* a mmap() whose arguments have been judged */
  u64 start, len, off;
  u32 prot;
  int host_flags, fd;
  struct vma vma;
};

static int name_file(struct mapping *m) {
  char link[32], path[4096];
  struct stat st;
  if (fstat(m->fd, &st)) return -errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", m->fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  path[n > 0 ? n : 0] = 0;
  m->vma.file = vma_file_new(path, st.st_dev, st.st_ino);
  return m->vma.file ? 0 : -ENOMEM;
}

/* Puts a judged mapping in place of whatever is there. */
static int commit(struct task *t, struct mapping *m) {
  struct mm *mm = t->mm;
  u64 end = m->start + m->len;
  int r = vma_reserve(&mm->vmas);
  if (!r && m->fd >= 0) r = name_file(m);
  if (r) return r;
  int prot = mm_host_prot_keyed(mm, m->prot, m->vma.key);
  r = mm_host_map(mm, m->start, m->len, prot, m->host_flags, m->fd, m->off);
  if (r) {
    vma_file_drop(m->vma.file);
    return r;
  }
  mm_forget(t, m->start, end);
  vma_remove(&mm->vmas, m->start, end);
  m->vma.start = m->start;
  m->vma.end = end;
  m->vma.off = m->fd >= 0 ? m->off : 0;
  m->vma.prot = m->prot;
  m->vma.flags = account(m->prot, m->vma.flags);
  vma_insert(&mm->vmas, &m->vma);
  return 0;
}

int mm_map_anon(struct task *t, u64 start, u64 end, u32 prot, u32 vma_flags) {
  struct mapping m = {.start = start, .len = end - start, .prot = prot, .fd = -1,
                      .host_flags = MAP_PRIVATE | MAP_ANONYMOUS, .vma = {.flags = vma_flags}};
  if (vma_flags & VMA_NORESERVE) m.host_flags |= MAP_NORESERVE;
  return commit(t, &m);
}

/* The address, by hint, MAP_FIXED and what is free. 0 and m->start, or -errno. */
static int settle_address(struct task *t, struct mapping *m, u64 addr, u64 flags) {
  const struct mm *mm = t->mm;
  if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
    if (addr >= (u64)-4095) return (int)addr; /* taken for an error on Linux: IS_ERR_VALUE() */
    if (m->len > mm->task_size || addr > mm->task_size - m->len) return -ENOMEM;
    if (addr & ~PAGE_MASK) return -EINVAL;
    if (addr < MM_MIN_ADDR && geteuid()) return -EPERM;
    if ((flags & MAP_FIXED_NOREPLACE) && vma_overlap(&t->mm->vmas, addr, addr + m->len)) return -EEXIST;
    m->start = addr;
    return 0;
  }
  m->start = mm_place(t, addr, m->len, flags);
  return m->start ? 0 : -ENOMEM;
}

/* The flags that there were before those that a file system has to know: include/linux/mman.h. */
#define LEGACY_MAP_MASK                                                                                   \
  (MAP_TYPE | MAP_FIXED | MAP_ANONYMOUS | MAP_DENYWRITE | MAP_EXECUTABLE | MAP_GROWSDOWN | MAP_LOCKED |    \
   MAP_NORESERVE | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_HUGETLB | MAP_32BIT | 0x80 /* ABOVE4G */ | \
   0x4000000 /* UNINITIALIZED */ | 21 << 26 /* HUGE_2MB */ | 30 << 26 /* HUGE_1GB */)

static int judge_flags(struct task *t, struct mapping *m, u64 prot, u64 flags) {
  enum { PASSED = MAP_ANONYMOUS | MAP_NORESERVE | MAP_LOCKED | MAP_POPULATE | MAP_NONBLOCK | MAP_STACK | MAP_SYNC };
  unsigned type = flags & MAP_TYPE;
  bool anon = flags & MAP_ANONYMOUS;
  if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE) return -EINVAL;
  if (anon && type == MAP_SHARED_VALIDATE) return -EINVAL;
  if (type == MAP_SHARED_VALIDATE && flags & ~(u64)(LEGACY_MAP_MASK | MAP_SYNC)) return -EOPNOTSUPP;
  if (flags & MAP_HUGETLB) return -ENOMEM; /* none are set aside, as on most machines */
  if ((flags & MAP_GROWSDOWN) && (!anon || type != MAP_PRIVATE)) return -EINVAL;
  if ((t->personality & READ_IMPLIES_EXEC) && (prot & PROT_READ)) prot |= PROT_EXEC;
  m->prot = prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
  m->host_flags = (int)(flags & (MAP_TYPE | PASSED));
  if (type != MAP_PRIVATE) m->vma.flags |= VMA_SHARED | VMA_CHECKED;
  if (!anon) m->vma.flags |= VMA_CHECKED;
  if (flags & MAP_GROWSDOWN) m->vma.flags |= VMA_GROWSDOWN;
  if (flags & MAP_NORESERVE) m->vma.flags |= VMA_NORESERVE;
  if (t->mm->lock_future) m->host_flags |= MAP_LOCKED;
  if (m->host_flags & MAP_LOCKED) m->vma.flags |= VMA_LOCKED;
  return 0;
}

s64 mm_mmap(struct task *t, u64 addr, u64 len, u64 prot, u64 flags, int fd, u64 off) {
  bool anon = flags & MAP_ANONYMOUS;
  struct mapping m = {.fd = anon ? -1 : fd, .off = anon ? 0 : off, .len = page_up(len)};
  if (off & ~PAGE_MASK) return -EINVAL;
  int how = anon ? 0 : fcntl(fd, F_GETFL);
  if (how < 0 || how & O_PATH) return -EBADF;
  if (!len) return -EINVAL;
  if (!m.len) return -ENOMEM;
  if (off + m.len < off) return -EOVERFLOW;
  int r = settle_address(t, &m, addr, flags);
  if (!r) r = judge_flags(t, &m, prot, flags);
  if (!r && !mm_within_limits(t, m.len, m.prot, m.vma.flags)) r = -ENOMEM;
  if (r) return r;
  m.vma.key = mm_key_for_map(t, m.prot);
  r = commit(t, &m);
  return r ? r : (s64)m.start;
}

/* --- munmap, mprotect --- */

s64 mm_munmap(struct task *t, u64 addr, u64 len) {
  struct mm *mm = t->mm;
  len = page_up(len);
  if (addr & ~PAGE_MASK || addr > mm->task_size || len > mm->task_size - addr || !len) return -EINVAL;
  if (!vma_overlap(&mm->vmas, addr, addr + len)) return 0;
  int r = vma_reserve(&mm->vmas);
  if (!r) r = mm_host_unmap(mm, addr, len);
  if (r) return r;
  mm_forget(t, addr, addr + len);
  vma_remove(&mm->vmas, addr, addr + len);
  return 0;
}

/* Applies to the part of [start, end) that is mapped without a hole. */
static s64 protect_range(struct task *t, u64 start, u64 end, u32 prot, int key) {
  struct mm *mm = t->mm;
  while (start < end) {
    struct vma *v = vma_find(&mm->vmas, start);
    if (!v || v->start > start) return -ENOMEM;
    u64 stop = v->end < end ? v->end : end;
    u32 p = prot;
    if ((t->personality & READ_IMPLIES_EXEC) && (p & PROT_READ)) p |= PROT_EXEC;
    u32 k = mm_key_for_protect(t, v->prot, v->key, p, key);
    if (p != v->prot || k != v->key) {
      int r = vma_reserve(&mm->vmas);
      if (r) return r;
      v = vma_find(&mm->vmas, start);
      if (mprotect(mm_host(mm, start), stop - start, mm_host_prot_keyed(mm, p, k))) return -errno;
      mm_forget(t, start, stop);
      vma_change(&mm->vmas, start, stop, p, account(p, v->flags), k);
    }
    start = stop;
  }
  return 0;
}

s64 mm_pkey_mprotect(struct task *t, u64 addr, u64 len, u64 prot, int key) {
  enum { PROT_SEM_BIT = 8, ALL = PROT_READ | PROT_WRITE | PROT_EXEC };
  bool down = prot & PROT_GROWSDOWN, up = prot & PROT_GROWSUP;
  prot &= ~(u64)(PROT_GROWSDOWN | PROT_GROWSUP);
  if ((down && up) || addr & ~PAGE_MASK) return -EINVAL;
  if (!len) return 0;
  u64 end = addr + page_up(len);
  if (end <= addr) return -ENOMEM;
  if (prot & ~(u64)(ALL | PROT_SEM_BIT) || !mm_key_usable(t, key)) return -EINVAL;
  struct vma *v = vma_find(&t->mm->vmas, addr);
  if (!v || v->start >= end) return -ENOMEM;
  if (!down && v->start > addr) return -ENOMEM;
  if (up || (down && !(v->flags & VMA_GROWSDOWN))) return -EINVAL;
  if (down) addr = v->start;
  return protect_range(t, addr, end, prot & ALL, key);
}

s64 mm_mprotect(struct task *t, u64 addr, u64 len, u64 prot) { return mm_pkey_mprotect(t, addr, len, prot, -1); }

/* --- brk --- */

static bool grow_heap(struct task *t, u64 from, u64 to, u64 brk) {
  struct mm *mm = t->mm;
  u64 limit = t->limit[RLIMIT_DATA].cur, used = mm->end_data - mm->start_data;
  u32 prot = PROT_READ | PROT_WRITE | (t->personality & READ_IMPLIES_EXEC ? PROT_EXEC : 0);
  u32 flags = VMA_HEAP | (mm->lock_future ? VMA_LOCKED : 0);
  if (limit != RLIM_INFINITY && brk - mm->start_brk + used > limit) return false;
  u64 end = to + PAGE_SIZE; /* a page stays free behind */
  if (end > mm->task_size || vma_gap_up(&mm->vmas, end - from, from, end, MM_STACK_GUARD) != from) return false;
  if (!mm_within_limits(t, to - from, prot, flags)) return false;
  return !mm_map_anon(t, from, to, prot, flags);
}

s64 mm_brk(struct task *t, u64 brk) {
  struct mm *mm = t->mm;
  u64 from = page_up(mm->brk), to = page_up(brk);
  if (brk < mm->start_brk || to < brk) return (s64)mm->brk;
  if (to < from && mm_munmap(t, to, from - to)) return (s64)mm->brk;
  if (to > from && !grow_heap(t, from, to, brk)) return (s64)mm->brk;
  mm->brk = brk;
  return (s64)brk;
}
