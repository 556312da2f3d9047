/* A program's address space: where it lies, what is mapped, and the page tables' entries made on demand.
 * Linux mm/mmap.c, mm/mprotect.c, mm/mremap.c, arch/x86/mm/mmap.c, arch/x86/mm/fault.c.
 *
 * User address V is guest-physical address V and host address window + V. Every user page that is not mapped is
 * reserved on the host (PROT_NONE), and every mapped one has the guest's protection there, without PROT_EXEC. */
#ifndef LINUX_ABI_MM_H
#define LINUX_ABI_MM_H

#include "linux_abi/task.h"
#include "linux_abi/vma.h"

enum { MM_STACK_GUARD = 256 * PAGE_SIZE }; /* free below each stack: stack_guard_gap */

struct mm {
  u8 *window;        /* host address of user address 0 */
  u64 window_size;   /* reserved on the host: task_size and a guard */
  u64 task_size;     /* first address that is not the user's */
  u64 stack_top;     /* end of the first stack, */
  u64 stack_low;     /* and where it starts so far */
  u64 mmap_base;     /* new mappings go below, */
  u64 mmap_bottom;   /* or, when that is full, above this */
  u64 mmap_base32;   /* for i386 calls of an x86_64 program */
  struct vma_list vmas;
  u64 start_brk, brk;
  u64 start_stack, start_code, end_code, start_data, end_data, arg_start, arg_end, env_start, env_end;
  bool lock_future;  /* mlockall(MCL_FUTURE) */
  u16 keys;          /* protection keys allocated, a bit each, */
  s8 exec_key;       /* one of them for what may only be executed; -1: not yet */
  u32 pkru;          /* that the host's protections follow */
};

/* Reserves a window and lays it out for a program of this ABI: at most max bytes (0: as much as Linux has, or 2^45).
 * 0, or -ENOMEM. */
MUST_CHECK int mm_init(struct mm *mm, enum lx_abi abi, u64 max, u64 stack_limit);
/* An empty address space gets another end, within the window. */
void mm_lay_out(struct mm *mm, u64 task_size, u64 stack_limit);
void mm_free(struct mm *mm);
/* Bytes of the largest window that Linux's layout would have, or the design's limit. */
u64 mm_window_default(enum lx_abi abi);

/* The system calls, with their results; addresses and lengths are raw, off is in bytes. */
s64 mm_mmap(struct task *t, u64 addr, u64 len, u64 prot, u64 flags, int fd, u64 off);
s64 mm_munmap(struct task *t, u64 addr, u64 len);
s64 mm_mprotect(struct task *t, u64 addr, u64 len, u64 prot);
s64 mm_pkey_mprotect(struct task *t, u64 addr, u64 len, u64 prot, int key); /* key -1: none is asked for */
s64 mm_mremap(struct task *t, u64 old, u64 old_len, u64 new_len, u64 flags, u64 new_addr);
s64 mm_brk(struct task *t, u64 brk);

/* Places len bytes as mmap(hint, len) would. 0: no room. */
u64 mm_place(struct task *t, u64 hint, u64 len, u64 flags);
/* Maps anonymous memory at exactly [start, end), over whatever is there. 0, or -errno. */
MUST_CHECK int mm_map_anon(struct task *t, u64 start, u64 end, u32 prot, u32 vma_flags);
/* Forgets translations and decoded code of [start, end). */
void mm_forget(struct task *t, u64 start, u64 end);

/* What a fault on addr comes to. */
enum mm_fault { MM_OK, MM_MAPERR, MM_ACCERR, MM_PKERR, MM_BUS };
/* Makes addr accessible in the page tables, if the program may access it so. */
enum mm_fault mm_fault(struct task *t, u64 addr, enum access acc);
/* What mm_fault() would answer, with nothing changed. */
enum mm_fault mm_would_fault(const struct task *t, u64 addr, enum access acc);

/* Would the page of addr be present in the page tables of a kernel that fills them as Linux does? The host's are
 * filled by the same accesses, so ask there: ours have more (neighbours) and less (after changes). */
bool mm_present(struct mm *mm, u64 addr);

/* Lets the first stack grow down to addr, as the program's touching it would: for addresses given to the kernel. */
void mm_reach(struct task *t, u64 addr);

/* --- pkeys.c --- */

/* Does PKRU allow this access to the mapping? */
bool mm_key_allows(const struct task *t, const struct vma *v, enum access acc);
/* The key of a new mapping, and of one that mprotect() is about to change. */
u32 mm_key_for_map(struct task *t, u32 prot);
u32 mm_key_for_protect(struct task *t, u32 old_prot, u32 old_key, u32 prot, int key);
/* The key of the mapping at addr; 0 if there is none. */
u32 mm_key(const struct task *t, u64 addr);
/* May pkey_mprotect() name it? */
bool mm_key_usable(const struct task *t, int key);
/* PKRU is not mm->pkru: makes the host's protections follow it. */
void mm_follow_pkru(struct task *t);
/* The host protection of guest memory with a key. */
int mm_host_prot_keyed(const struct mm *mm, u32 prot, u32 key);

/* The host protection of guest memory. */
static inline int mm_host_prot(u32 prot) {
  enum { R = 1, W = 2, X = 4 };
  return (prot & (R | X) ? R : 0) | (prot & W ? R | W : 0);
}
static inline void *mm_host(const struct mm *mm, u64 addr) { return mm->window + addr; }
static inline u64 page_up(u64 v) { return (v + PAGE_SIZE - 1) & PAGE_MASK; }
static inline u64 page_down(u64 v) { return v & PAGE_MASK; }

#endif
