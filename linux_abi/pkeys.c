/* Protection keys: which a program has allocated, what its mappings carry, and what PKRU makes of them for
 * accesses of the kernel. Linux arch/x86/mm/pkeys.c, arch/x86/include/asm/pkeys.h; man 7 pkeys; SDM 3A 4.6.2
 * (Protection Keys).
 *
 * In ring 3 the processor judges each access by PKRU. The kernel's own are made through the window, so where
 * a mapping has a key, the host's protection has to follow PKRU: when the kernel is entered, and when the
 * host refuses what PKRU meanwhile allows. What may be executed stays readable there, for the processor to
 * fetch it. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>

#include "cpu/paging.h"
#include "linux_abi/lvm.h"

enum { KEYS = 16, KEY_BITS = 2, KEY_AD = 1, KEY_WD = 2, KEY_ANY = -1 };

static u32 rights(u32 pkru, u32 key) { return pkru >> KEY_BITS * key & (KEY_AD | KEY_WD); }

bool lx_has_keys(const struct cpu_model *m) {
  return model_has(m, FEAT_PKU) && model_has(m, FEAT_XSAVE) && model_has(m, FEAT_LM);
}

bool mm_key_allows(const struct task *t, const struct vma *v, enum access acc) {
  u32 r = rights(t->cpu->pkru, v->key);
  return acc == ACC_EXEC || !(r & KEY_AD || (r & KEY_WD && acc == ACC_WRITE));
}

/* --- The host's protection --- */

int mm_host_prot_keyed(const struct mm *mm, u32 prot, u32 key) {
  u32 r = rights(mm->pkru, key);
  int p = mm_host_prot(prot);
  if (r) p &= ~PROT_WRITE;
  return r & KEY_AD && !(prot & PROT_EXEC) ? PROT_NONE : p;
}

void mm_follow_pkru(struct task *t) {
  struct mm *mm = t->mm;
  const struct mm before = *mm;
  mm->pkru = t->cpu->pkru;
  for (unsigned i = 0; i < mm->vmas.n; i++) {
    const struct vma *v = &mm->vmas.v[i];
    int p = mm_host_prot_keyed(mm, v->prot, v->key);
    if (p == mm_host_prot_keyed(&before, v->prot, v->key)) continue;
    if (mprotect(mm_host(mm, v->start), v->end - v->start, p))
      lx_fail(t->lvm, "the host refuses to protect pages at %llx", (unsigned long long)v->start);
  }
}

void lx_set_pkru(struct task *t, u32 pkru) {
  paging_set_pkru(t->cpu, pkru);
  mm_follow_pkru(t);
}

/* --- Allocation --- */

static bool allocated(const struct mm *mm, int key) {
  return key >= 0 && key < KEYS && key != mm->exec_key && mm->keys >> key & 1;
}

static int allocate(struct mm *mm) {
  for (int key = 0; key < KEYS; key++) {
    if (mm->keys >> key & 1) continue;
    mm->keys |= (u16)(1u << key);
    return key;
  }
  return -1;
}

static void set_rights(struct task *t, int key, u32 r) {
  u32 mask = (u32)(KEY_AD | KEY_WD) << KEY_BITS * key;
  lx_set_pkru(t, (t->cpu->pkru & ~mask) | r << KEY_BITS * key);
}

/* The key of mappings that may be executed and nothing else: allocated for the first, and its data accesses
 * disabled if they are not. 0: there is none. */
static u32 execute_only_key(struct task *t) {
  struct mm *mm = t->mm;
  int key = mm->exec_key;
  if (key < 0) key = allocate(mm);
  if (key < 0) return 0;
  if (mm->exec_key < 0 || !(rights(t->cpu->pkru, (u32)key) & KEY_AD)) set_rights(t, key, KEY_AD);
  mm->exec_key = (s8)key;
  return (u32)key;
}

u32 mm_key(const struct task *t, u64 addr) {
  const struct vma *v = vma_overlap(&t->mm->vmas, addr, addr + 1);
  return v ? v->key : 0;
}

u32 mm_key_for_map(struct task *t, u32 prot) {
  return lx_has_keys(t->cpu->model) && prot == PROT_EXEC ? execute_only_key(t) : 0;
}

/* __arch_override_mprotect_pkey() */
u32 mm_key_for_protect(struct task *t, u32 old_prot, u32 old_key, u32 prot, int key) {
  if (!lx_has_keys(t->cpu->model)) return 0;
  if (key != KEY_ANY) return (u32)key;
  if (prot == PROT_EXEC) {
    u32 k = execute_only_key(t);
    if (k) return k;
  } else if (old_prot == PROT_EXEC && (int)old_key == t->mm->exec_key) {
    return 0;
  }
  return old_key;
}

bool mm_key_usable(const struct task *t, int key) {
  return key == KEY_ANY || (lx_has_keys(t->cpu->model) && allocated(t->mm, key));
}

/* --- The system calls --- */

s64 sys_pkey_mprotect(struct task *t, const u64 a[6]) {
  return mm_pkey_mprotect(t, a[0], a[1], a[2], (int)a[3]);
}

s64 sys_pkey_alloc(struct task *t, const u64 a[6]) {
  if (a[0] || a[1] & ~(u64)(KEY_AD | KEY_WD)) return -EINVAL;
  /* Without keys there is key 0 to be had, but it has no rights to set (measured on Linux 6.18). */
  if (!lx_has_keys(t->cpu->model)) return -EINVAL;
  int key = allocate(t->mm);
  if (key < 0) return -ENOSPC;
  set_rights(t, key, (u32)a[1]);
  return key;
}

/* Rights and mappings stay as they are. */
s64 sys_pkey_free(struct task *t, const u64 a[6]) {
  int key = (int)a[0];
  if (!lx_has_keys(t->cpu->model) || !allocated(t->mm, key)) return -EINVAL;
  t->mm->keys &= (u16)~(1u << key);
  return 0;
}
