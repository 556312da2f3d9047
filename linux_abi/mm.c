/* The address space as a whole: its reservation and layout, faults, and forgetting translations.
 * Linux arch/x86/mm/mmap.c (arch_pick_mmap_layout), arch/x86/mm/fault.c (do_user_addr_fault), mm/mmap.c
 * (expand_downwards). */
#define _GNU_SOURCE
#include "linux_abi/mm.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "linux_abi/lvm.h"

#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)
/* IA32_PAGE_OFFSET: what a 64-bit kernel leaves to 32-bit programs. */
#define TASK_SIZE_I386 UINT64_C(0xffffe000)
#define WINDOW_MAX (UINT64_C(1) << 45)
#define WINDOW_MIN (64 * MIB)
/* Between the user's end and the reservation's, so that host copies of strings stop. */
#define WINDOW_GUARD (64 * UINT64_C(1024))
/* The window's place in a host huge page matches the guest's. */
#define WINDOW_ALIGN (2 * MIB)

u64 mm_window_default(enum lx_abi abi) { return abi == LX_I386 ? 4 * GIB : WINDOW_MAX; }

/* What the emulator itself needs besides, when the host's addresses are short (ulimit -v). */
#define HEADROOM_MAX (128 * MIB)

static void *reserve(u64 size) {
  u64 headroom = size / 4 < HEADROOM_MAX ? size / 4 : HEADROOM_MAX;
  enum { FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };
  u64 all = size + WINDOW_ALIGN + headroom;
  u8 *p = mmap(NULL, all, PROT_NONE, FLAGS, -1, 0);
  if (p == MAP_FAILED) return NULL;
  munmap(p + size + WINDOW_ALIGN, headroom);
  u64 head = -(uintptr_t)p & (WINDOW_ALIGN - 1);
  if (head) munmap(p, head);
  if (WINDOW_ALIGN - head) munmap(p + head + size, WINDOW_ALIGN - head);
  return p + head;
}

/* Linux mmap_base(): below the stack's largest size, within limits, with room for the guard gap. */
static u64 pick_mmap_base(u64 task_size, u64 stack_limit) {
  u64 gap = stack_limit, pad = MM_STACK_GUARD, least = 128 * MIB, most = task_size / 6 * 5;
  if (gap + pad > gap) gap += pad;
  if (least > most) least = most;
  if (gap < least) gap = least;
  if (gap > most) gap = most;
  return page_up(task_size - gap);
}

void mm_lay_out(struct mm *mm, u64 task_size, u64 stack_limit) {
  mm->task_size = mm->stack_top = task_size;
  mm->mmap_base = pick_mmap_base(task_size, stack_limit);
  mm->mmap_bottom = page_up(task_size / 3);
  mm->mmap_base32 = pick_mmap_base(TASK_SIZE_I386, stack_limit);
  if (mm->mmap_base32 > mm->mmap_base) mm->mmap_base32 = mm->mmap_base;
}

int mm_init(struct mm *mm, enum lx_abi abi, u64 max, u64 stack_limit) {
  memset(mm, 0, sizeof *mm);
  u64 size = mm_window_default(abi);
  while (max && size > max && size > WINDOW_MIN) size /= 2;
  for (; size >= WINDOW_MIN; size /= 2) {
    mm->window = reserve(size + WINDOW_GUARD);
    if (mm->window) break;
  }
  if (!mm->window) return -ENOMEM;
  mm->window_size = size + WINDOW_GUARD;
  mm_lay_out(mm, abi == LX_I386 && size > TASK_SIZE_I386 ? TASK_SIZE_I386 : size - PAGE_SIZE, stack_limit);
  mm->keys = 1;
  mm->exec_key = -1;
  return 0;
}

void mm_free(struct mm *mm) {
  vma_free(&mm->vmas);
  if (mm->window) munmap(mm->window, mm->window_size);
  mm->window = NULL;
}

/* --- Translations --- */

static void entry_gone(void *opaque, u64 va, u64 entry) {
  struct task *t = opaque;
  if (!(entry & PTE_NX)) vm_code_changed(t->vm, va, PAGE_SIZE);
  for (unsigned i = 0; i < t->vm->cpus; i++) cpu_tlb_flush_page(t->vm->cpu[i], va);
}

void mm_forget(struct task *t, u64 start, u64 end) {
  pt_clear(&t->lvm->kernel.pt, start, end, entry_gone, t);
}

/* No page is left for tables: drop them all, and let the program fault in again what it uses. */
static void start_tables_over(struct task *t) {
  struct pagetable *pt = &t->lvm->kernel.pt;
  pt_clear(pt, 0, t->mm->task_size, entry_gone, t);
  pt_reset(pt);
  for (unsigned i = 0; i < t->vm->cpus; i++) cpu_tlb_flush(t->vm->cpu[i]);
  t->lvm->stats.table_resets++;
}

static u64 entry_for(const struct task *t, const struct vma *v, u64 va) {
  u64 e = va | PTE_P | PTE_US;
  if (v->prot & PROT_WRITE) e |= PTE_RW;
  if (!(v->prot & PROT_EXEC) && kernel_has_nx(&t->lvm->kernel)) e |= PTE_NX;
  if (v->flags & VMA_SHARED) e |= PTE_ALIAS;
  e |= (u64)v->key << PTE_KEY_SHIFT;
  return e;
}

/* Makes the entry of one page of v. False: out of table pages (nothing done). */
static bool map_page(struct task *t, const struct vma *v, u64 va, u64 bits_) {
  void *e = pt_make(&t->lvm->kernel.pt, va, true);
  if (!e) return false;
  pt_set(&t->lvm->kernel.pt, e, entry_for(t, v, va) | bits_);
  t->lvm->stats.pages++;
  return true;
}

/* Pages beyond a file's end look mapped until the host refuses them. */
static bool host_refuses(const struct mm *mm, const struct vma *v, u64 va, bool write) {
  return (v->flags & VMA_CHECKED) && host_touch(mm_host(mm, va), write);
}

/* The neighbours of a page that is being mapped, so that a walk through memory does not fault on each page. */
static void map_around(struct task *t, const struct vma *v, u64 page) {
  enum { AROUND = 16 * PAGE_SIZE };
  u64 start = page & ~(u64)(AROUND - 1), end = start + AROUND;
  if (start < v->start) start = v->start;
  if (end > v->end) end = v->end;
  for (u64 va = start; va < end; va += PAGE_SIZE) {
    const void *e = pt_find(&t->lvm->kernel.pt, va);
    if (va == page || !e || pt_entry(&t->lvm->kernel.pt, e) & PTE_P) continue;
    if (host_refuses(t->mm, v, va, false)) return;
    if (!map_page(t, v, va, 0)) return;
  }
}

static enum mm_fault fill(struct task *t, const struct vma *v, u64 page, enum access acc) {
  bool write = acc == ACC_WRITE;
  if (host_refuses(t->mm, v, page, write)) return MM_BUS;
  u64 used = PTE_A | (write ? PTE_D : 0);
  const void *old = pt_find(&t->lvm->kernel.pt, page);
  bool stale = old && pt_entry(&t->lvm->kernel.pt, old) & PTE_P;
  if (!map_page(t, v, page, used)) {
    start_tables_over(t);
    if (!map_page(t, v, page, used)) return MM_BUS; /* cannot be: four pages suffice */
  }
  for (unsigned i = 0; stale && i < t->vm->cpus; i++) cpu_tlb_flush_page(t->vm->cpu[i], page);
  map_around(t, v, page);
  return MM_OK;
}

/* --- Faults --- */

static bool may_access(const struct task *t, const struct vma *v, enum access acc) {
  if (acc == ACC_WRITE) return v->prot & PROT_WRITE;
  if (acc == ACC_EXEC && kernel_has_nx(&t->lvm->kernel)) return v->prot & PROT_EXEC;
  return v->prot & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* Linux expand_downwards(): a stack grows to the page of addr unless it would become larger than its limit, or come
 * too near to the mapping below. */
static bool may_grow(const struct task *t, const struct vma *v, u64 addr) {
  u64 start = page_down(addr), end = v->start;
  if (!(v->flags & VMA_GROWSDOWN) || v->end - start > t->limit[RLIMIT_STACK].cur) return false;
  u64 low = start > MM_STACK_GUARD ? start - MM_STACK_GUARD : 0;
  const struct vma *below = vma_overlap(&t->mm->vmas, low, end);
  return !below || (below->end <= start && ((below->flags & VMA_GROWSDOWN) || !below->prot));
}

static struct vma *grow_stack(struct task *t, struct vma *v, u64 addr) {
  struct mm *mm = t->mm;
  u64 start = page_down(addr), end = v->start;
  if (!may_grow(t, v, addr)) return NULL;
  /* The reservation is private zero pages already. */
  if (mprotect(mm_host(mm, start), end - start, mm_host_prot_keyed(mm, v->prot, v->key))) return NULL;
  v->start = start;
  if (v->flags & VMA_STACK) mm->stack_low = start;
  return v;
}

void mm_reach(struct task *t, u64 addr) {
  struct vma *v = vma_find(&t->mm->vmas, addr);
  if (v && addr < v->start && (v->flags & VMA_STACK)) (void)grow_stack(t, v, addr);
}

bool mm_present(struct mm *mm, u64 addr) {
  const struct vma *v = vma_find(&mm->vmas, addr);
  if (!v || addr < v->start || !v->prot) return false;
  int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  u64 e = 0;
  off_t at = (off_t)((uintptr_t)mm_host(mm, addr) / PAGE_SIZE * sizeof e);
  bool known = fd >= 0 && pread(fd, &e, sizeof e, at) == sizeof e;
  if (fd >= 0) close(fd);
  return known && e >> 63; /* man 5 proc_pid_pagemap: present */
}

enum mm_fault mm_would_fault(const struct task *t, u64 addr, enum access acc) {
  const struct vma *v = addr < t->mm->task_size ? vma_find(&t->mm->vmas, addr) : NULL;
  if (!v || (addr < v->start && !may_grow(t, v, addr))) return MM_MAPERR;
  if (!mm_key_allows(t, v, acc)) return MM_PKERR;
  if (!may_access(t, v, acc)) return MM_ACCERR;
  return addr >= v->start && host_refuses(t->mm, v, page_down(addr), acc == ACC_WRITE) ? MM_BUS : MM_OK;
}

enum mm_fault mm_fault(struct task *t, u64 addr, enum access acc) {
  struct mm *mm = t->mm;
  if (addr >= mm->task_size) return MM_MAPERR;
  struct vma *v = vma_find(&mm->vmas, addr);
  if (!v) return MM_MAPERR;
  if (addr < v->start) {
    if (!grow_stack(t, v, addr)) return MM_MAPERR;
  }
  if (!mm_key_allows(t, v, acc)) return MM_PKERR;
  if (!may_access(t, v, acc)) {
    /* A page that may not be executed is brought in before that is found: Linux access_error(). */
    return acc == ACC_EXEC && v->prot && host_touch(mm_host(mm, page_down(addr)), false) ? MM_BUS : MM_ACCERR;
  }
  t->lvm->stats.faults++;
  return fill(t, v, page_down(addr), acc);
}
