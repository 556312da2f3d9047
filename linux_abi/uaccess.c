/* The program's memory as the emulated kernel touches it: Linux lib/usercopy.c, arch/x86/include/asm/uaccess.h. */
#include "linux_abi/uaccess.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/hostfault.h"
#include "linux_abi/lvm.h"

/* A pointer that the host refuses: not canonical, and aligned like the program's. */
static void *refused(u64 addr) { return (void *)(uintptr_t)(UINT64_C(1) << 62 | (addr & ~PAGE_MASK)); }

void *ua_ptr(const struct task *t, u64 addr, u64 len) {
  const struct mm *mm = t->mm;
  if (addr >= mm->task_size || len > mm->task_size - addr) return NULL;
  /* A buffer may reach below what has been used of the stack; the host would see nothing there. */
  if (unlikely(addr < mm->stack_low && mm->stack_low - addr < t->limit[RLIMIT_STACK].cur))
    mm_reach((struct task *)(uintptr_t)t, addr);
  return mm_host(mm, addr);
}

void *ua_opt(const struct task *t, u64 addr, u64 len) { return addr ? ua_host(t, addr, len) : NULL; }

/* access_ok() of a 64-bit kernel: all of a 32-bit program's addresses pass. */
static bool user_range(const struct task *t, u64 addr, u64 len) {
  const u64 end = (UINT64_C(1) << 47) - PAGE_SIZE;
  return t->compat || (addr <= end && len <= end - addr);
}

/* The window ends in pages where nothing is mapped: they stand for the rest of what may be a user's. */
void *ua_host(const struct task *t, u64 addr, u64 len) {
  const struct mm *mm = t->mm;
  void *p = ua_ptr(t, addr, len);
  if (p) return p;
  if (!user_range(t, addr, len)) return refused(addr);
  return mm_host(mm, addr < mm->task_size ? addr : mm->task_size + (addr & ~PAGE_MASK));
}

int ua_read(const struct task *t, void *dst, u64 addr, u64 n) {
  if (!n) return 0;
  const void *p = ua_ptr(t, addr, n);
  return p && !host_copy(dst, p, n) ? 0 : -EFAULT;
}

int ua_write(struct task *t, u64 addr, const void *src, u64 n) {
  if (!n) return 0;
  void *p = ua_ptr(t, addr, n);
  if (!p) return -EFAULT;
  int r = host_copy(p, src, n);
  ua_wrote(t, addr, n);
  return r ? -EFAULT : 0;
}

int ua_clear(struct task *t, u64 addr, u64 n) {
  if (!n) return 0;
  void *p = ua_ptr(t, addr, n);
  if (!p) return -EFAULT;
  int r = host_clear(p, n);
  ua_wrote(t, addr, n);
  return r ? -EFAULT : 0;
}

s64 ua_str(const struct task *t, char *dst, u64 addr, u64 max) {
  const char *p = ua_ptr(t, addr, 1);
  if (!p) return -EFAULT;
  u64 room = t->mm->task_size - addr, limit = max < room ? max : room;
  s64 n = host_strnlen(p, limit);
  if (n < 0) return -EFAULT;
  if ((u64)n == limit) return limit == max ? -ENAMETOOLONG : -EFAULT;
  if (host_copy(dst, p, (u64)n)) return -EFAULT;
  dst[n] = 0;
  return n;
}

int ua_read_word(const struct task *t, u64 *v, u64 addr) {
  u32 low;
  if (!t->compat) return ua_read64(t, v, addr);
  int r = ua_read32(t, &low, addr);
  if (!r) *v = low;
  return r;
}

int ua_write_word(struct task *t, u64 addr, u64 v) {
  return t->compat ? ua_write32(t, addr, (u32)v) : ua_write64(t, addr, v);
}

/* Only executable mappings can hold decoded code: mm_forget() dropped it when a mapping ceased to be one. Without NX
 * every mapping is. */
void ua_wrote(struct task *t, u64 addr, u64 len) {
  struct mm *mm = t->mm;
  if (!len || addr >= mm->task_size) return;
  u64 end = len > mm->task_size - addr ? mm->task_size : addr + len;
  bool nx = kernel_has_nx(&t->lvm->kernel);
  while (addr < end) {
    const struct vma *v = vma_find(&mm->vmas, addr);
    if (!v || v->start >= end) return;
    u64 from = addr > v->start ? addr : v->start, to = v->end < end ? v->end : end;
    if ((v->prot & PROT_EXEC) || !nx) vm_code_changed(t->vm, from, to - from);
    addr = to;
  }
}
