/* The page walk. SDM 3A 4.5 (4-Level Paging and 5-Level Paging), 4.6 (Access Rights), 4.7 (Page-Fault Exceptions),
 * 4.8 (Accessed and Dirty Flags). */
#include "mmu/mmu.h"

static int page_fault(struct fault *f, u64 va, enum access acc, bool user, const struct mmu_env *env, u32 bits_) {
  u32 e = bits_;
  if (acc == ACC_WRITE) e |= PF_W;
  if (user) e |= PF_U;
  if (acc == ACC_EXEC && (env->nxe || env->smep)) e |= PF_I;
  *f = (struct fault){.vector = 14, .has_error = true, .error = e, .cr2 = va};
  return -1;
}

/* Sets bits in an entry atomically: other processors and the guest itself may change it meanwhile. */
static void entry_set(u8 *entry, u64 old, u64 set) {
  if ((old & set) != set) __atomic_or_fetch((u64 *)(void *)entry, set, __ATOMIC_RELAXED);
}

/* Physical-address bits of an entry at or above MAXPHYADDR, bit 63 without NXE, PS where it must be 0. */
static u64 reserved_bits(const struct mmu_env *env, unsigned level, u64 e) {
  u64 r = MASK(51, 0) & ~MASK(env->maxphyaddr - 1u, 0);
  if (!env->nxe) r |= PTE_NX;
  if (level >= 4 || (level == 3 && !env->gbpages)) r |= PTE_PS;
  else if (level == 3 && (e & PTE_PS)) r |= MASK(29, 13);
  else if (level == 2 && (e & PTE_PS)) r |= MASK(20, 13);
  return e & r;
}

static int walk_long(const struct physmem *pm, const struct mmu_env *env, u64 va, enum access acc, bool user,
                     struct xlat *x, struct fault *f) {
  u64 table = env->cr3 & MASK(env->maxphyaddr - 1u, 12);
  u64 rights = PTE_RW | PTE_US, nx = 0, e = 0;
  u8 *entry = NULL;
  u64 value[5];
  u8 *where[5];
  unsigned level = env->levels;
  for (;; level--) {
    unsigned shift = PAGE_SHIFT + 9 * (level - 1);
    entry = phys_host(pm, table + (va >> shift & 511) * 8, 8);
    if (!entry) return page_fault(f, va, acc, user, env, 0); /* tables outside memory read as not present */
    e = __atomic_load_n((u64 *)(void *)entry, __ATOMIC_RELAXED);
    if (!(e & PTE_P)) return page_fault(f, va, acc, user, env, 0);
    if (reserved_bits(env, level, e)) return page_fault(f, va, acc, user, env, PF_P | PF_RSVD);
    rights &= e;
    nx |= e & PTE_NX;
    value[level - 1] = e;
    where[level - 1] = entry;
    if (level == 1 || (level <= 3 && (e & PTE_PS))) break;
    table = e & MASK(env->maxphyaddr - 1u, 12);
  }
  bool page_user = rights & PTE_US, writable = rights & PTE_RW;
  bool may_write = writable || (!user && !env->wp);
  if ((user && !page_user) || (acc == ACC_WRITE && !may_write) || (acc == ACC_EXEC && nx) ||
      (acc == ACC_EXEC && !user && page_user && env->smep))
    return page_fault(f, va, acc, user, env, PF_P);
  for (unsigned l = env->levels; l > level; l--) entry_set(where[l - 1], value[l - 1], PTE_A);
  entry_set(entry, e, acc == ACC_WRITE ? PTE_A | PTE_D : PTE_A);
  u64 size = UINT64_C(1) << (PAGE_SHIFT + 9 * (level - 1));
  u64 base = e & MASK(env->maxphyaddr - 1u, 12) & ~(size - 1);
  *x = (struct xlat){
      .gpa = base | (va & (size - 1) & PAGE_MASK),
      .read = true,
      .write = may_write && (acc == ACC_WRITE || (e & PTE_D)),
      .exec = !nx && !(env->smep && !user && page_user),
      .global = e & PTE_G,
      .alias = e & PTE_ALIAS,
  };
  return 0;
}

int mmu_walk(const struct physmem *pm, const struct mmu_env *env, u64 va, enum access acc, bool user, struct xlat *x,
             struct fault *f) {
  if (!env->levels) {
    *x = (struct xlat){.gpa = va & PAGE_MASK, .read = true, .write = true, .exec = true};
    return 0;
  }
  if (env->levels < 4) return page_fault(f, va, acc, user, env, PF_P | PF_RSVD);
  return walk_long(pm, env, va, acc, user, x, f);
}
