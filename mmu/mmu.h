/* Linear to physical translation: page walks, access rights, and the software TLB's layout.
 * SDM 3A 4 (Paging), APM 2 5 (Page Translation and Protection). mmu/ knows no processor: it is given the paging
 * registers and the privilege of the access, and answers with facts, which rules they break, and an error code. */
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
#define PTE_KEY_SHIFT 59 /* protection key, bits 62:59 */
#define PTE_NX BIT(63)

/* What an instruction raises: filled by whoever finds the fault, delivered by cpu/event.c. */
struct fault {
  u8 vector;
  bool has_error;
  u32 error;
  u64 cr2; /* for #PF */
};

/* Who accesses: the distinctions of SDM 3A 4.6 (Access Rights). Each has a software TLB of its own. */
enum mmu_priv {
  PRIV_SUPER,    /* supervisor; under SMAP: implicit accesses, and explicit ones with EFLAGS.AC clear */
  PRIV_USER,
  PRIV_SUPER_AC, /* under SMAP: explicit supervisor accesses with EFLAGS.AC set */
  PRIVS
};

/* The paging state that a walk needs, recomputed by cpu/mode.c when a control register changes. The fields after
 * `smep` derive from those before: mmu_configure(). */
struct mmu_env {
  u64 cr3;
  const u64 *pdpte; /* PAE paging: the four PDPTE registers */
  u32 pkru;
  u8 levels;     /* 0: paging off; 2: 32-bit; 3: PAE; 4, 5 */
  u8 maxphyaddr; /* 32..52 */
  bool wp, nxe, pse, pge, smap, keys; /* keys: CR4.PKE with 4 or 5 levels */
  bool pse36, pat, gbpages, bit8;     /* the model's; bit8: bit 8 of PML4 and PML5 entries is reserved */
  bool smep;
  u64 frame;            /* address bits of CR3 and of an entry that names a table */
  u64 large[6];         /* by level: the bit that makes an entry map a page, 0 where none does */
  u64 table_reserved[6], page_reserved[6]; /* by level: bits that must be 0 */
  u16 rules[3][PRIVS];  /* by kind of access: bits by enum page_rule */
};
void mmu_configure(struct mmu_env *env);

/* Bits that must be 0 in a PDPTE register whose P is 1. SDM 3A 4.4.1 (PDPTE Registers), Table 4-8 */
static inline u64 pdpte_reserved(u8 maxphyaddr) { return MASK(8, 5) | MASK(2, 1) | MASK(63, maxphyaddr); }

/* How a walk ended: at a page, at an entry with P = 0, or at one with a reserved bit set. */
enum walk_end { WALK_PAGE, WALK_ABSENT, WALK_RESERVED };

/* What the tables say of a linear address. */
struct page_walk {
  u64 gpa;     /* of the 4-KiB page that holds it */
  u8 end;      /* enum walk_end; without WALK_PAGE only the entries below are meaningful */
  u8 shift;    /* log2 of the page's size in the tables: 12, 21, 22, 30 */
  u8 entry_size; /* 4, 8 */
  u8 key;      /* protection key */
  bool user, writable, nx, global, dirty, alias;
  u8 entries;  /* read, from the root on */
  struct {
    u8 *at;    /* NULL: not in memory that can be written */
    u64 value;
  } entry[5];
};

/* Walks the tables for va, without any effect. Canonicality is the caller's check. */
void mmu_walk(const struct physmem *pm, const struct mmu_env *env, u64 va, struct page_walk *w);

/* Rules of an access, as bits: SDM 3A 4.6 (Access Rights), 4.7 (Page-Fault Exceptions). */
enum page_rule {
  PAGE_PRESENT,  /* every entry has P = 1 */
  PAGE_RESERVED, /* and no reserved bit */
  PAGE_USER,     /* user accesses: U/S = 1 in every entry */
  PAGE_WRITE,    /* writes, user or under CR0.WP: R/W = 1 in every entry */
  PAGE_NX,       /* fetches: XD = 0 in every entry */
  PAGE_SMEP,     /* supervisor fetches under CR4.SMEP: not from user pages */
  PAGE_SMAP,     /* supervisor data accesses under CR4.SMAP: not to user pages, unless explicit with EFLAGS.AC */
  PAGE_KEY,      /* data accesses to user pages under CR4.PKE: what PKRU grants to the page's key */
  PAGE_RULES
};
/* The rules that concern this access to what the walk found, and those of them that it breaks. */
u32 mmu_rules(const struct mmu_env *env, const struct page_walk *w, enum access acc, enum mmu_priv priv);
u32 mmu_broken(const struct mmu_env *env, const struct page_walk *w, enum access acc, enum mmu_priv priv);
/* #PF's error code for broken rules. */
u32 mmu_error_code(const struct mmu_env *env, enum access acc, enum mmu_priv priv, u32 broken);

/* Sets the accessed bits of a walk that found a page, and the dirty bit for a write, atomically. False: somebody
 * changed an entry since it was read, and the walk must be made again. */
MUST_CHECK bool mmu_mark(const struct page_walk *w, bool write);
/* The accessed bits of the entries that name tables, which a protection violation sets as well. */
void mmu_mark_tables(const struct page_walk *w);

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
/* One 4-KiB page. */
void tlb_flush_page(struct tlb *t, u64 va);

#endif
