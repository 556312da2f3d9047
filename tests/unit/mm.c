/* The address space of linux_abi/: its list of mappings against a map of pages, its system calls against the host's
 * (man 2 mmap, munmap, mprotect, mremap), faults, and the page tables. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "linux_abi/mm_host.h"
#include "linux_abi/uaccess.h"
#include "tests/unit/lxtask.h"
#include "tests/unit/random.h"

enum { ANON = MAP_PRIVATE | MAP_ANONYMOUS, RW = PROT_READ | PROT_WRITE };

/* --- The list --- */

START_TEST(list_matches_a_map_of_pages) {
  enum { PAGES = 64, STEPS = 20000 };
  struct vma_list l = {0};
  u8 prot[PAGES] = {0};
  for (unsigned n = 0; n < STEPS; n++) {
    unsigned from = below(PAGES), to = from + 1 + below(PAGES - from), p = 1 + below(3);
    ck_assert_int_eq(vma_reserve(&l), 0);
    vma_remove(&l, from * 4096, to * 4096);
    if (below(3)) {
      struct vma v = {.start = from * 4096, .end = to * 4096, .prot = p};
      vma_insert(&l, &v);
    } else {
      p = 0;
    }
    memset(prot + from, (int)p, to - from);
    unsigned runs = 0;
    for (unsigned i = 0; i < PAGES; i++) {
      const struct vma *v = vma_find(&l, i * 4096);
      ck_assert_uint_eq(v && v->start <= i * 4096 ? v->prot : 0, prot[i]);
      runs += prot[i] && (!i || prot[i - 1] != prot[i]);
    }
    ck_assert_uint_eq(l.n, runs);
  }
  vma_free(&l);
}
END_TEST

/* The definition of a gap, by looking at every page. */
static bool free_pages(const u8 *used, unsigned from, unsigned n, unsigned limit) {
  for (unsigned i = from; i < from + n; i++)
    if (i >= limit || used[i]) return false;
  return true;
}

START_TEST(gaps_are_the_highest_and_lowest) {
  enum { PAGES = 64 };
  for (unsigned n = 0; n < 2000; n++) {
    struct vma_list l = {0};
    u8 used[PAGES] = {0};
    for (unsigned k = below(8); k--;) {
      unsigned at = below(PAGES), len = 1 + below(6);
      if (!free_pages(used, at, len, PAGES)) continue;
      struct vma v = {.start = at * 4096, .end = (at + len) * 4096, .prot = 1 + below(2)};
      memset(used + at, 1, len);
      ck_assert_int_eq(vma_reserve(&l), 0);
      vma_insert(&l, &v);
    }
    unsigned want = 1 + below(10), low = 1 + below(20), high = 40 + below(PAGES - 40), down = 0, up = 0;
    for (unsigned i = low; i < high; i++) {
      if (!free_pages(used, i, want, high)) continue;
      if (!up) up = i;
      down = i;
    }
    ck_assert_uint_eq(vma_gap_down(&l, want * 4096, low * 4096, high * 4096, 0), down * 4096);
    ck_assert_uint_eq(vma_gap_up(&l, want * 4096, low * 4096, high * 4096, 0), up * 4096);
    vma_free(&l);
  }
}
END_TEST

/* --- The calls, against the host's --- */

enum { ARENA_PAGES = 48 };
#define ARENA_BYTES ((u64)ARENA_PAGES * 4096)
static u8 *host_arena; /* the host's own, while the guest's is at GUEST_ARENA */
#define GUEST_ARENA UINT64_C(0x10000000)

/* Protection of each page, or 9: not mapped. */
static void host_pages(u8 *out) {
  char line[512];
  FILE *f = fopen("/proc/self/maps", "r");
  ck_assert(f != NULL);
  memset(out, 9, ARENA_PAGES);
  while (fgets(line, sizeof line, f)) {
    unsigned long lo, hi;
    char r, w, x;
    if (sscanf(line, "%lx-%lx %c%c%c", &lo, &hi, &r, &w, &x) != 5) continue;
    for (unsigned i = 0; i < ARENA_PAGES; i++) {
      unsigned long at = (unsigned long)(uintptr_t)host_arena + i * 4096ul;
      if (at >= lo && at < hi) out[i] = (u8)((r == 'r') | (w == 'w') << 1 | (x == 'x') << 2);
    }
  }
  fclose(f);
}

static void guest_pages(u8 *out) {
  for (unsigned i = 0; i < ARENA_PAGES; i++) {
    u64 at = GUEST_ARENA + i * 4096u;
    const struct vma *v = vma_find(&t->mm->vmas, at);
    out[i] = v && v->start <= at ? (u8)v->prot : 9;
  }
}

static s64 host_result(const void *p) { return p == MAP_FAILED ? -errno : (const u8 *)p - host_arena; }
static s64 guest_result(s64 r) { return r < 0 ? r : r - (s64)GUEST_ARENA; }

static void one_call(unsigned from, unsigned len, unsigned what) {
  u8 *h = host_arena + from * 4096u;
  u64 g = GUEST_ARENA + from * 4096u, n = len * 4096u;
  unsigned prot = below(4), to = below(ARENA_PAGES), len2 = 1 + below(ARENA_PAGES - to);
  s64 want = 0, got = 0;
  if (what == 0) {
    int flags = ANON | MAP_FIXED | (below(4) ? 0 : MAP_FIXED_NOREPLACE);
    want = host_result(mmap(h, n, (int)prot, flags, -1, 0));
    got = guest_result(mm_mmap(t, g, n, prot, (u64)flags, -1, 0));
  } else if (what == 1) {
    want = munmap(h, n) ? -errno : 0;
    got = mm_munmap(t, g, n);
  } else if (what == 2) {
    want = mprotect(h, n, (int)prot) ? -errno : 0;
    got = mm_mprotect(t, g, n, prot);
  } else {
    /* Kernels differ in how many old mappings one mremap may take: give it a single one. */
    ck_assert(mmap(h, n, RW, ANON | MAP_FIXED, -1, 0) == h);
    ck_assert_int_eq(mm_mmap(t, g, n, RW, ANON | MAP_FIXED, -1, 0), (s64)g);
    bool fixed = what == 3;
    int flags = fixed ? MREMAP_MAYMOVE | MREMAP_FIXED : 0;
    if (!fixed && from + len2 > ARENA_PAGES) return;
    want = host_result(mremap(h, n, len2 * 4096u, flags, host_arena + to * 4096u));
    got = guest_result(mm_mremap(t, g, n, len2 * 4096u, (u64)flags, GUEST_ARENA + to * 4096u));
  }
  ck_assert_msg(want == got, "call %u at %u for %u: host %lld, guest %lld", what, from, len, (long long)want,
                (long long)got);
}

START_TEST(calls_answer_as_the_hosts) {
  u8 host[ARENA_PAGES], guest[ARENA_PAGES];
  host_arena = mmap(NULL, ARENA_BYTES + 8192, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
  ck_assert(host_arena != MAP_FAILED);
  /* A border at each end, so that neither side finds room beyond. */
  munmap(host_arena + 4096, ARENA_BYTES);
  host_arena += 4096;
  ck_assert(mm_mmap(t, GUEST_ARENA - 4096, 4096, 0, ANON | MAP_FIXED, -1, 0) > 0);
  ck_assert(mm_mmap(t, GUEST_ARENA + ARENA_BYTES, 4096, 0, ANON | MAP_FIXED, -1, 0) > 0);
  for (unsigned n = 0; n < 3000; n++) {
    unsigned from = below(ARENA_PAGES), len = 1 + below(ARENA_PAGES - from > 8 ? 8 : ARENA_PAGES - from);
    one_call(from, len, below(5));
    host_pages(host);
    guest_pages(guest);
    ck_assert_mem_eq(host, guest, ARENA_PAGES);
  }
  munmap(host_arena - 4096, ARENA_BYTES + 8192);
}
END_TEST

START_TEST(odd_arguments_answer_as_linux) {
  ck_assert_int_eq(mm_mmap(t, 0, 0, RW, ANON, -1, 0), -EINVAL);
  ck_assert_int_eq(mm_mmap(t, 0, 4096, RW, MAP_ANONYMOUS, -1, 0), -EINVAL);
  ck_assert_int_eq(mm_mmap(t, 0, 4096, RW, MAP_PRIVATE, 9999, 0), -EBADF);
  ck_assert_int_eq(mm_mmap(t, 0, 4096, RW, ANON, -1, 1), -EINVAL);
  ck_assert_int_eq(mm_mmap(t, 0, ~UINT64_C(0), RW, ANON, -1, 0), -ENOMEM);
  ck_assert_int_eq(mm_mmap(t, 4096, 4096, RW, ANON | MAP_FIXED, -1, 0), geteuid() ? -EPERM : 4096);
  ck_assert_int_eq(mm_mmap(t, 0x10001, 4096, RW, ANON | MAP_FIXED, -1, 0), -EINVAL);
  ck_assert_int_eq(mm_mmap(t, t->mm->task_size, 4096, RW, ANON | MAP_FIXED, -1, 0), -ENOMEM);
  ck_assert_int_eq(mm_munmap(t, 1, 4096), -EINVAL);
  ck_assert_int_eq(mm_munmap(t, 0x10000, 0), -EINVAL);
  ck_assert_int_eq(mm_munmap(t, t->mm->task_size, 4096), -EINVAL);
  ck_assert_int_eq(mm_munmap(t, 0x5000000, 4096), 0);
  ck_assert_int_eq(mm_mprotect(t, 0x5000000, 4096, RW), -ENOMEM);
  ck_assert_int_eq(mm_mprotect(t, 0x5000000, 4096, 0x100), -EINVAL);
  ck_assert_int_eq(mm_mprotect(t, 0x5000001, 4096, RW), -EINVAL);
  ck_assert_int_eq(mm_mprotect(t, 0x5000000, 0, RW), 0);
  ck_assert_int_eq(mm_mremap(t, 0x5000000, 4096, 8192, 0, 0), -EFAULT);
  ck_assert_int_eq(mm_mremap(t, 0x5000000, 4096, 0, 0, 0), -EINVAL);
  ck_assert_int_eq(mm_mremap(t, 0x5000000, 4096, 8192, MREMAP_FIXED, 0x6000000), -EINVAL);
}
END_TEST

START_TEST(mappings_go_below_mmap_base) {
  u64 base = t->mm->mmap_base;
  ck_assert_int_eq(mm_mmap(t, 0, 8192, RW, ANON, -1, 0), (s64)base - 8192);
  ck_assert_int_eq(mm_mmap(t, 0, 1, RW, ANON, -1, 0), (s64)base - 12288);
  ck_assert_int_eq(mm_mmap(t, 0x7000123, 4096, RW, ANON, -1, 0), 0x7000000);
  ck_assert_int_eq(mm_mmap(t, 0x7000000, 4096, RW, ANON, -1, 0), (s64)base - 16384);
  s64 low = mm_mmap(t, 0, 4096, RW, ANON | MAP_32BIT, -1, 0);
  ck_assert(t->abi == LX_I386 || (low >= 0x40000000 && low < 0x80000000u));
}
END_TEST

/* Without randomisation, with an 8 MiB stack limit, on Linux 6: the stack ends at fffe000h + f0000000h. */
START_TEST(i386_layout_is_linux_s) {
  ck_assert_uint_eq(t->mm->task_size, 0xffffe000);
  ck_assert_uint_eq(t->mm->stack_top, 0xffffe000);
  if (t->limit[3].cur <= 100 << 20) ck_assert_uint_eq(t->mm->mmap_base, 0xf7ffe000);
}
END_TEST

START_TEST(all_memory_ends_in_enomem) {
  s64 r = 0;
  unsigned n = 0;
  while (n < 100000 && r >= 0) r = mm_mmap(t, 0, 1 << 26, RW, ANON | MAP_NORESERVE, -1, 0), n++;
  ck_assert_int_eq(r, -ENOMEM);
  ck_assert_uint_gt(n, 50);
}
END_TEST

START_TEST(too_many_mappings_end_in_enomem) {
  s64 r = 0;
  u64 at = UINT64_C(0x20000000);
  ck_assert_int_ge(mm_mmap(t, at, UINT64_C(400000) << 12, PROT_READ, ANON | MAP_FIXED | MAP_NORESERVE, -1, 0), 0);
  unsigned n = 0;
  for (; n < 200000 && !r; n++) r = mm_mprotect(t, at + UINT64_C(8192) * n, 4096, RW);
  ck_assert_int_eq(r, -ENOMEM);
  ck_assert_uint_gt(n, 10000);
  ck_assert_int_eq(mm_munmap(t, at, UINT64_C(400000) << 12), 0);
  ck_assert_int_ge(mm_mmap(t, 0, 4096, RW, ANON, -1, 0), 0);
}
END_TEST

START_TEST(remap_keeps_the_contents) {
  u64 at = GUEST_ARENA;
  ck_assert_int_eq(mm_mmap(t, at, 8192, RW, ANON | MAP_FIXED, -1, 0), (s64)at);
  ck_assert_int_eq(ua_write(t, at + 5000, "content", 8), 0);
  ck_assert_int_eq(mm_mmap(t, at + 8192, 4096, PROT_READ, ANON | MAP_FIXED, -1, 0), (s64)at + 8192);
  ck_assert_int_eq(mm_mremap(t, at, 8192, 20480, 0, 0), -ENOMEM);
  s64 to = mm_mremap(t, at, 8192, 20480, MREMAP_MAYMOVE, 0);
  char buf[8];
  ck_assert_int_gt(to, 0);
  ck_assert_int_eq(ua_read(t, buf, (u64)to + 5000, 8), 0);
  ck_assert_str_eq(buf, "content");
  ck_assert_int_eq(ua_read(t, buf, at, 8), -EFAULT);
  ck_assert_int_eq(ua_clear(t, (u64)to + 16384, 4096), 0);
  ck_assert_int_eq(mm_mremap(t, (u64)to, 20480, 4096, 0, 0), to);
  ck_assert_int_eq(ua_read(t, buf, (u64)to + 4096, 8), -EFAULT);
}
END_TEST

START_TEST(brk_grows_and_shrinks) {
  t->mm->start_brk = t->mm->brk = 0x900000;
  ck_assert_int_eq(mm_brk(t, 0), 0x900000);
  ck_assert_int_eq(mm_brk(t, 0x912345), 0x912345);
  ck_assert_int_eq(ua_clear(t, 0x900000, 0x13000), 0);
  ck_assert_int_eq(ua_write8(t, 0x913000, 1), -EFAULT);
  ck_assert_int_eq(mm_brk(t, 0x901000), 0x901000);
  ck_assert_int_eq(ua_write8(t, 0x901000, 1), -EFAULT);
  ck_assert_int_ge(mm_mmap(t, 0xa00000, 4096, RW, ANON | MAP_FIXED, -1, 0), 0);
  ck_assert_int_eq(mm_brk(t, 0xa00000), 0x901000); /* a page must stay free below the next mapping */
  ck_assert_int_eq(mm_brk(t, 0x9ff000), 0x9ff000);
  ck_assert_int_eq(mm_brk(t, ~UINT64_C(0)), 0x9ff000);
}
END_TEST

/* --- Faults and page tables --- */

static u64 entry(u64 va) {
  const u64 *e = pt_find(&lvm->kernel.pt, va);
  return e ? *e : 0;
}

START_TEST(faults_follow_protections) {
  u64 at = GUEST_ARENA;
  ck_assert_int_eq(mm_mmap(t, at, 4096 * 40, PROT_READ, ANON | MAP_FIXED, -1, 0), (s64)at);
  ck_assert_int_eq(mm_fault(t, at - 1, ACC_READ), MM_MAPERR);
  ck_assert_int_eq(mm_fault(t, at + 4096 * 40, ACC_READ), MM_MAPERR);
  ck_assert_int_eq(mm_fault(t, t->mm->task_size, ACC_READ), MM_MAPERR);
  ck_assert_int_eq(mm_fault(t, ~UINT64_C(0), ACC_READ), MM_MAPERR);
  ck_assert_int_eq(mm_fault(t, at + 17 * 4096, ACC_WRITE), MM_ACCERR);
  ck_assert_int_eq(mm_fault(t, at + 17 * 4096, ACC_EXEC), MM_ACCERR);
  ck_assert_int_eq(mm_fault(t, at + 17 * 4096, ACC_READ), MM_OK);
  ck_assert_uint_eq(entry(at + 17 * 4096), (at + 17 * 4096) | PTE_P | PTE_US | PTE_NX | PTE_A);
  ck_assert_uint_eq(entry(at + 16 * 4096), (at + 16 * 4096) | PTE_P | PTE_US | PTE_NX); /* a neighbour */
  ck_assert_uint_eq(entry(at + 15 * 4096), 0);
  ck_assert_int_eq(mm_mprotect(t, at, 4096 * 40, RW), 0);
  ck_assert_uint_eq(entry(at + 17 * 4096), 0);
  ck_assert_int_eq(mm_fault(t, at + 17 * 4096, ACC_WRITE), MM_OK);
  ck_assert_uint_eq(entry(at + 17 * 4096), (at + 17 * 4096) | PTE_P | PTE_US | PTE_RW | PTE_NX | PTE_A | PTE_D);
  ck_assert_int_eq(mm_munmap(t, at, 4096 * 40), 0);
  ck_assert_uint_eq(entry(at + 17 * 4096), 0);
}
END_TEST

START_TEST(a_page_behind_the_file_s_end_is_a_bus_error) {
  FILE *f = tmpfile();
  ck_assert(f != NULL);
  ck_assert_int_eq(ftruncate(fileno(f), 5000), 0);
  u64 at = GUEST_ARENA;
  ck_assert_int_eq(mm_mmap(t, at, 16384, RW, MAP_SHARED | MAP_FIXED, fileno(f), 0), (s64)at);
  ck_assert_int_eq(mm_fault(t, at, ACC_READ), MM_OK);
  ck_assert_uint_eq(entry(at + 4096) & (PTE_P | PTE_ALIAS), PTE_P | PTE_ALIAS);
  ck_assert_uint_eq(entry(at + 8192), 0);
  ck_assert_int_eq(mm_fault(t, at + 8192, ACC_READ), MM_BUS);
  ck_assert_int_eq(mm_fault(t, at + 8192, ACC_WRITE), MM_BUS);
  ck_assert_int_eq(ua_write8(t, at + 8192, 1), -EFAULT);
  ck_assert_int_eq(ftruncate(fileno(f), 9000), 0);
  ck_assert_int_eq(mm_fault(t, at + 8192, ACC_WRITE), MM_OK);
  fclose(f);
}
END_TEST

START_TEST(stacks_grow_to_their_limit) {
  u64 top = GUEST_ARENA + (UINT64_C(64) << 20), limit = 1 << 20;
  t->limit[3].cur = limit;
  ck_assert_int_eq(mm_map_anon(t, top - 4096, top, RW, VMA_GROWSDOWN), 0);
  ck_assert_int_eq(mm_fault(t, top - 40000, ACC_WRITE), MM_OK);
  ck_assert_int_eq(ua_write8(t, top - 40000, 1), 0);
  ck_assert_int_eq(mm_fault(t, top - limit - 1, ACC_WRITE), MM_MAPERR);
  ck_assert_int_eq(mm_fault(t, top - limit, ACC_WRITE), MM_OK);
  /* Not into the guard gap of what lies below. */
  t->limit[3].cur = 8 << 20;
  ck_assert_int_ge(mm_mmap(t, top - (5 << 20), 4096, RW, ANON | MAP_FIXED, -1, 0), 0);
  ck_assert_int_eq(mm_fault(t, top - (4 << 20), ACC_WRITE), MM_MAPERR);
  ck_assert_int_eq(mm_fault(t, top - (4 << 20) + 4096, ACC_WRITE), MM_OK);
}
END_TEST

/* read() into a large buffer on the stack, before the program has touched it. */
START_TEST(the_kernel_s_copies_grow_the_stack) {
  struct mm *mm = t->mm;
  u64 top = mm->stack_top;
  char buf[4] = "";
  t->limit[3].cur = 8 << 20;
  mm->stack_low = top - 8192;
  ck_assert_int_eq(mm_map_anon(t, mm->stack_low, top, RW, VMA_GROWSDOWN | VMA_STACK), 0);
  ck_assert_int_eq(ua_write(t, top - 1000000, "abc", 4), 0);
  ck_assert_int_eq(ua_read(t, buf, top - 1000000, 4), 0);
  ck_assert_str_eq(buf, "abc");
  ck_assert_int_eq(ua_write8(t, top - (8 << 20), 1), 0);
  ck_assert_int_eq(ua_write8(t, top - (8 << 20) - 1, 1), -EFAULT);
}
END_TEST

START_TEST(running_out_of_table_pages_starts_over) {
  struct pagetable *pt = &lvm->kernel.pt;
  u64 at = GUEST_ARENA, step = UINT64_C(2) << 20, n = 100;
  ck_assert_int_ge(mm_mmap(t, at, step * n, RW, ANON | MAP_FIXED | MAP_NORESERVE, -1, 0), 0);
  pt->pages = pt->used + 8;
  for (u64 i = 0; i < n; i++) ck_assert_int_eq(mm_fault(t, at + i * step, ACC_WRITE), MM_OK);
  ck_assert_uint_gt(lvm->stats.table_resets, 5);
  ck_assert_uint_eq(entry(at), 0);
  ck_assert_uint_ne(entry(at + (n - 1) * step), 0);
  ck_assert_uint_ne(entry(KERNEL_LINEAR) & PTE_P, 0);
}
END_TEST

/* --- Copies --- */

START_TEST(copies_survive_any_address) {
  static const u64 bad[] = {0, 4096, 0x5000000, ~UINT64_C(0), UINT64_C(1) << 63, UINT64_C(0x800000000000)};
  u8 buf[64];
  char s[16];
  for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
    ck_assert_int_eq(ua_read(t, buf, bad[i], sizeof buf), -EFAULT);
    ck_assert_int_eq(ua_write(t, bad[i], buf, sizeof buf), -EFAULT);
    ck_assert_int_eq(ua_clear(t, bad[i], sizeof buf), -EFAULT);
    ck_assert_int_eq(ua_str(t, s, bad[i], sizeof s), -EFAULT);
    ck_assert_int_eq(ua_read(t, buf, bad[i], 0), 0);
  }
  u64 end = t->mm->task_size;
  ck_assert_int_eq(mm_map_anon(t, end - 4096, end, RW, 0), 0);
  ck_assert_int_eq(ua_write(t, end - 4, "abcd", 4), 0);
  ck_assert_int_eq(ua_str(t, s, end - 4, sizeof s), -EFAULT);
  ck_assert_int_eq(ua_read(t, buf, end - 4, 5), -EFAULT);
  ck_assert_int_eq(ua_write(t, end - 4, "abc", 4), 0);
  ck_assert_int_eq(ua_str(t, s, end - 4, sizeof s), 3);
  ck_assert_str_eq(s, "abc");
  ck_assert_int_eq(ua_str(t, s, end - 4, 3), -ENAMETOOLONG);
  ck_assert_int_eq(ua_str(t, s, end - 4, 4), 3);
  ck_assert_int_eq(mm_mprotect(t, end - 4096, 4096, PROT_READ), 0);
  ck_assert_int_eq(ua_write8(t, end - 4, 1), -EFAULT);
  ck_assert_int_eq(mm_mprotect(t, end - 4096, 4096, PROT_NONE), 0);
  ck_assert_int_eq(ua_read(t, buf, end - 4, 1), -EFAULT);
}
END_TEST

Suite *suite_mm(void) {
  Suite *s = suite_create("mm");
  TCase *list = tcase_create("list"), *c64 = tcase_create("x86_64"), *c32 = tcase_create("i386");
  tcase_add_test(list, list_matches_a_map_of_pages);
  tcase_add_test(list, gaps_are_the_highest_and_lowest);
  tcase_add_checked_fixture(c64, build64, destroy);
  tcase_add_checked_fixture(c32, build32, destroy);
  tcase_set_timeout(c64, 60);
  tcase_set_timeout(c32, 60);
  TCase *both[] = {c64, c32};
  for (unsigned i = 0; i < ARRAY_SIZE(both); i++) {
    tcase_add_test(both[i], odd_arguments_answer_as_linux);
    tcase_add_test(both[i], mappings_go_below_mmap_base);
    tcase_add_test(both[i], remap_keeps_the_contents);
    tcase_add_test(both[i], brk_grows_and_shrinks);
    tcase_add_test(both[i], faults_follow_protections);
    tcase_add_test(both[i], a_page_behind_the_file_s_end_is_a_bus_error);
    tcase_add_test(both[i], stacks_grow_to_their_limit);
    tcase_add_test(both[i], the_kernel_s_copies_grow_the_stack);
    tcase_add_test(both[i], running_out_of_table_pages_starts_over);
    tcase_add_test(both[i], copies_survive_any_address);
  }
  tcase_add_test(c64, calls_answer_as_the_hosts);
  tcase_add_test(c64, too_many_mappings_end_in_enomem);
  tcase_add_test(c32, i386_layout_is_linux_s);
  tcase_add_test(c32, all_memory_ends_in_enomem);
  suite_add_tcase(s, list);
  suite_add_tcase(s, c64);
  suite_add_tcase(s, c32);
  return s;
}
