/* The page walk in every paging mode, access rights, and accessed and dirty bits.
 * SDM 3A 4.3 (32-Bit Paging), 4.4 (PAE Paging), 4.5 (4-Level Paging and 5-Level Paging), 4.6 (Access Rights),
 * 4.7 (Page-Fault Exceptions), 4.8 (Accessed and Dirty Flags); APM 2 5 (Page Translation and Protection).
 *
 *   entry of 8 bytes:  63  62..59  58..52   51..12     8  7  6  5  4   3   2   1   0
 *                      XD  key     ignored  address    G  PS D  A PCD PWT U/S R/W  P
 *   entry of 4 bytes:  31..12 address, then the same; a 4-MiB page has address bits 39..32 in 20..13
 */
#include "mmu/mmu.h"

#include "base/hostfault.h"

/* ---- reserved bits ---- */

static void configure_32bit(struct mmu_env *env) {
  env->frame = MASK(31, 12);
  if (!env->pse) return; /* no bit is reserved, and PS is ignored */
  unsigned m = env->maxphyaddr < 40 ? env->maxphyaddr : 40;
  env->large[2] = PTE_PS;
  env->page_reserved[2] = env->pse36 ? MASK(21, m - 19) : MASK(21, 13);
  if (!env->pat) {
    env->page_reserved[2] |= BIT(12);
    env->page_reserved[1] |= BIT(7);
  }
}

/* PAE reserves bits 62:52, which 4 and 5 levels ignore. Where no entry maps a page, PS must be 0. */
static void configure_64bit(struct mmu_env *env) {
  bool pae = env->levels == 3;
  u64 high = MASK(51, 0) & ~MASK(env->maxphyaddr - 1u, 0);
  if (!env->nxe) high |= PTE_NX;
  if (pae) high |= MASK(62, 52);
  env->frame = MASK(env->maxphyaddr - 1u, 12);
  for (unsigned level = 1; level <= 5; level++) env->table_reserved[level] = env->page_reserved[level] = high;
  env->large[2] = PTE_PS;
  env->page_reserved[2] |= MASK(20, 13);
  if (pae && !env->pat) {
    env->page_reserved[2] |= BIT(12);
    env->page_reserved[1] |= BIT(7);
  }
  if (env->gbpages) env->large[3] = PTE_PS;
  else env->table_reserved[3] |= PTE_PS;
  env->page_reserved[3] |= MASK(29, 13);
  for (unsigned level = 4; level <= 5; level++)
    env->table_reserved[level] |= PTE_PS | (env->bit8 ? BIT(8) : 0);
}

/* ---- which rules concern an access ---- */

/* SDM 3A 4.6.1 (Determination of Access Rights) */
static u16 rules_of(const struct mmu_env *env, enum access acc, enum mmu_priv priv) {
  bool user = priv == PRIV_USER;
  u32 r = 1u << PAGE_PRESENT | 1u << PAGE_RESERVED;
  if (!env->levels) return 0;
  if (user) r |= 1u << PAGE_USER;
  if (acc == ACC_EXEC) {
    if (env->nxe && env->levels > 2) r |= 1u << PAGE_NX;
    if (env->smep && !user) r |= 1u << PAGE_SMEP;
    return (u16)r;
  }
  if (acc == ACC_WRITE && (user || env->wp)) r |= 1u << PAGE_WRITE;
  if (env->smap && priv == PRIV_SUPER) r |= 1u << PAGE_SMAP;
  if (env->keys) r |= 1u << PAGE_KEY;
  return (u16)r;
}

void mmu_configure(struct mmu_env *env) {
  memset(env->large, 0, sizeof env->large);
  memset(env->table_reserved, 0, sizeof env->table_reserved);
  memset(env->page_reserved, 0, sizeof env->page_reserved);
  if (env->levels == 2) configure_32bit(env);
  else if (env->levels) configure_64bit(env);
  for (enum access acc = ACC_READ; acc <= ACC_EXEC; acc++)
    for (enum mmu_priv priv = 0; priv < PRIVS; priv++) env->rules[acc][priv] = rules_of(env, acc, priv);
}

/* ---- the walk ---- */

/* A program's own memory holds no tables of its kernel's, but CR3 can be set to anything. */
COLD static u64 read_sparse(struct page_walk *w, u8 *host, unsigned size) {
  u64 e = size == 8 ? ~UINT64_C(0) : UINT32_MAX, read = 0;
  if (!host_copy(&read, host, size)) e = read;
  w->entry[w->entries].at = host_touch(host, true) ? NULL : host;
  w->entry[w->entries++].value = e;
  return e;
}

/* An entry as it is in memory; where nothing answers the bus floats high. */
ALWAYS_INLINE u64 read_entry(const struct physmem *pm, struct page_walk *w, u64 at, unsigned size) {
  const struct phys_region *r = phys_find(pm, at);
  u8 *host = r && r->host && r->size - (at - r->base) >= size ? r->host + (at - r->base) : NULL;
  u64 e = size == 8 ? ~UINT64_C(0) : UINT32_MAX;
  if (unlikely(host && r->sparse)) return read_sparse(w, host, size);
  if (host && size == 8) e = __atomic_load_n((u64 *)(void *)host, __ATOMIC_RELAXED);
  else if (host) e = __atomic_load_n((u32 *)(void *)host, __ATOMIC_RELAXED);
  w->entry[w->entries].at = host && !r->readonly ? host : NULL;
  w->entry[w->entries++].value = e;
  return e;
}

/* The page that the last entry maps; rights are those of all entries. */
ALWAYS_INLINE void found(const struct mmu_env *env, struct page_walk *w, u64 va, u64 e, u64 rights, u64 nx,
                         bool wide) {
  u64 offset = (UINT64_C(1) << w->shift) - 1, base = e & env->frame & ~offset;
  if (!wide && w->shift > PAGE_SHIFT) base |= bits(e, 20, 13) << 32; /* without PSE-36 reserved, and so 0 */
  w->end = WALK_PAGE;
  w->gpa = base | (va & offset & PAGE_MASK);
  w->user = rights & PTE_US;
  w->writable = rights & PTE_RW;
  w->nx = nx & PTE_NX;
  w->global = env->pge && (e & PTE_G);
  w->dirty = e & PTE_D;
  w->alias = e & PTE_ALIAS;
  w->key = wide ? (u8)bits(e, 62, 59) : 0;
}

ALWAYS_INLINE void walk_tables(const struct physmem *pm, const struct mmu_env *env, u64 va,
                               struct page_walk *w, bool wide) {
  const unsigned index_bits = wide ? 9 : 10, size = wide ? 8 : 4;
  u64 table = env->cr3 & env->frame, rights = PTE_RW | PTE_US, nx = 0, e;
  unsigned level = env->levels;
  w->entry_size = size;
  w->entries = 0;
  w->key = 0;
  if (wide && level == 3) { /* no rights, no accessed bit; reserved bits were refused on loading */
    e = env->pdpte[va >> 30 & 3];
    w->end = WALK_ABSENT;
    if (!(e & PTE_P)) return;
    table = e & env->frame;
    level = 2;
  }
  for (;; level--) {
    w->shift = (u8)(PAGE_SHIFT + index_bits * (level - 1));
    e = read_entry(pm, w, table + (va >> w->shift & MASK(index_bits - 1, 0)) * size, size);
    w->end = WALK_ABSENT;
    if (!(e & PTE_P)) return;
    bool page = level == 1 || (e & env->large[level]);
    w->end = WALK_RESERVED;
    if (e & (page ? env->page_reserved[level] : env->table_reserved[level])) return;
    rights &= e;
    nx |= e;
    if (page) break;
    table = e & env->frame;
  }
  found(env, w, va, e, rights, nx, wide);
}

void mmu_walk(const struct physmem *pm, const struct mmu_env *env, u64 va, struct page_walk *w) {
  if (env->levels > 2) walk_tables(pm, env, va, w, true);
  else if (env->levels) walk_tables(pm, env, va, w, false);
  else
    *w = (struct page_walk){.gpa = va & PAGE_MASK, .end = WALK_PAGE, .shift = PAGE_SHIFT, .user = true,
                            .writable = true, .dirty = true};
}

/* ---- access rights ---- */

/* SDM 3A 4.6.2 (Protection Keys): ADi forbids data accesses, WDi writes, to supervisors under CR0.WP only. */
static bool key_denies(const struct mmu_env *env, u8 key, enum access acc, bool user) {
  u32 rights = env->pkru >> 2 * key;
  return (rights & 1) || ((rights & 2) && acc == ACC_WRITE && (user || env->wp));
}

u32 mmu_rules(const struct mmu_env *env, const struct page_walk *w, enum access acc, enum mmu_priv priv) {
  u32 r = env->rules[acc][priv];
  if (w->end == WALK_ABSENT) return r & 1u << PAGE_PRESENT;
  if (w->end == WALK_RESERVED) return r & (1u << PAGE_PRESENT | 1u << PAGE_RESERVED);
  return w->user ? r : r & ~(1u << PAGE_KEY);
}

u32 mmu_broken(const struct mmu_env *env, const struct page_walk *w, enum access acc, enum mmu_priv priv) {
  u32 b = 0, rules = env->rules[acc][priv];
  if (w->end != WALK_PAGE) return 1u << (w->end == WALK_ABSENT ? PAGE_PRESENT : PAGE_RESERVED);
  if (!w->writable) b |= 1u << PAGE_WRITE;
  if (w->nx) b |= 1u << PAGE_NX;
  b |= w->user ? 1u << PAGE_SMEP | 1u << PAGE_SMAP : 1u << PAGE_USER;
  if ((rules & 1u << PAGE_KEY) && w->user && key_denies(env, w->key, acc, priv == PRIV_USER))
    b |= 1u << PAGE_KEY;
  return b & rules;
}

/* SDM 3A 4.7, Figure 4-12 (Page-Fault Error Code) */
u32 mmu_error_code(const struct mmu_env *env, enum access acc, enum mmu_priv priv, u32 broken) {
  u32 e = broken & 1u << PAGE_PRESENT ? 0 : PF_P;
  if (broken & 1u << PAGE_RESERVED) e |= PF_RSVD;
  if (broken & 1u << PAGE_KEY) e |= PF_PK;
  if (acc == ACC_WRITE) e |= PF_W;
  if (priv == PRIV_USER) e |= PF_U;
  if (acc == ACC_EXEC && (env->smep || (env->nxe && env->levels > 2))) e |= PF_I;
  return e;
}

/* ---- accessed and dirty bits ---- */

static bool replace(u8 *at, u64 old, u64 new_, unsigned size) {
  u32 old32 = (u32)old;
  if (size == 8)
    return __atomic_compare_exchange_n((u64 *)(void *)at, &old, new_, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
  return __atomic_compare_exchange_n((u32 *)(void *)at, &old32, (u32)new_, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED);
}

/* Sets bits in entry k as it was read. */
static bool mark(const struct page_walk *w, unsigned k, u64 set) {
  u64 old = w->entry[k].value;
  if ((old & set) == set || !w->entry[k].at) return true;
  return replace(w->entry[k].at, old, old | set, w->entry_size);
}

void mmu_mark_tables(const struct page_walk *w) {
  for (unsigned k = 0; k + 1 < w->entries; k++)
    if (!mark(w, k, PTE_A)) return;
}

bool mmu_mark(const struct page_walk *w, bool write) {
  for (unsigned k = 0; k < w->entries; k++)
    if (!mark(w, k, write && k == w->entries - 1u ? PTE_A | PTE_D : PTE_A)) return false;
  return true;
}
