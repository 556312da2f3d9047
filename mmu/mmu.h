/* Linear to physical translation: page walks, permission checks, and the software TLB's layout.
 * SDM 3A 4 (Paging), APM 2 5 (Page Translation and Protection). mmu/ knows no processor: it is given the paging
 * registers and the privilege of the access, and answers with a translation or a fault. */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include "base/bits.h"
#include "mmu/physmem.h"

enum { PAGE_SHIFT = 12, PAGE_SIZE = 4096 };
#define PAGE_MASK (~UINT64_C(0xfff))

enum access { ACC_READ, ACC_WRITE, ACC_EXEC };

/* #PF error code bits. SDM 3A 4.7 (Page-Fault Exceptions) */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16, PF_PK = 32, PF_SS = 64 };

/* Page-table entry bits. SDM 3A 4.5 (4-Level Paging and 5-Level Paging) */
#define PTE_P BIT(0)
#define PTE_RW BIT(1)
#define PTE_US BIT(2)
#define PTE_PWT BIT(3)
#define PTE_PCD BIT(4)
#define PTE_A BIT(5)
#define PTE_D BIT(6)
#define PTE_PS BIT(7)
#define PTE_G BIT(8)
#define PTE_ALIAS BIT(9) /* ignored by hardware: the emulated kernel marks a page other addresses also show */
#define PTE_NX BIT(63)

/* What an instruction raises: filled by whoever finds the fault, delivered by cpu/event.c. */
struct fault {
  u8 vector;
  bool has_error;
  u32 error;
  u64 cr2; /* for #PF */
};

/* The paging state that a walk needs, recomputed by cpu/mode.c when a control register changes. */
struct mmu_env {
  u64 cr3;
  u8 levels;     /* 0: paging off; 2: 32-bit; 3: PAE; 4, 5 */
  u8 maxphyaddr; /* 36..52 */
  bool wp, nxe, pse, pge, smep, smap, gbpages;
};

/* A translation for one page at one privilege. */
struct xlat {
  u64 gpa;         /* of the page containing va (4 KiB granularity) */
  bool read, write, exec; /* write is set only when the dirty bit is set as well */
  bool global, alias;
};

/* Walks the tables for va; user = the access counts as CPL 3. Sets accessed and dirty bits. Returns 0 and fills x,
 * or -1 and fills f (#PF). Canonicality is the caller's check. */
MUST_CHECK int mmu_walk(const struct physmem *pm, const struct mmu_env *env, u64 va, enum access acc, bool user,
                        struct xlat *x, struct fault *f);

/* The software TLB, direct-mapped by page number. An access of `size` bytes at va hits when the page of its last
 * byte equals the tag at the index of its first: an access inside a page hits whatever its alignment, one that
 * crosses a page, or touches MMIO, a watched page or (writes) decoded code, never does. */
enum { TLB_BITS = 12, TLB_SIZE = 1 << TLB_BITS };
#define TLB_NEVER (~UINT64_C(0)) /* no page has this tag: its low bits are set */

struct tlb_entry {
  u64 tag[2];  /* ACC_READ, ACC_WRITE */
  u64 gpa;     /* of the page */
  u64 addend;  /* host address = va + addend */
};

struct tlb {
  struct tlb_entry e[TLB_SIZE];
};

static inline struct tlb_entry *tlb_slot(struct tlb *t, u64 va) { return &t->e[va >> PAGE_SHIFT & (TLB_SIZE - 1)]; }
void tlb_flush(struct tlb *t);
void tlb_flush_page(struct tlb *t, u64 va);

#endif
