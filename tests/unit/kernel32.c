/* What the emulated kernel builds for a processor without long mode, read as the processor reads it: SDM 3A 3.4.5 (Segment
 * Descriptors), 4.3 (32-Bit Paging), 6.11 (IDT Descriptors), 7.2.1 (Task-State Segment (TSS)). What it does is tested by
 * tests/cli/i586.c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "linux_abi/lvm.h"

enum { PAGES = 16, GPA = 0x10000000 };

static struct pagetable tables(void) {
  struct pagetable pt = {.legacy = true, .host = calloc(PAGES, PAGE_SIZE), .gpa = GPA, .pages = PAGES, .used = 1};
  ck_assert_ptr_nonnull(pt.host);
  return pt;
}

/* SDM 3A 4.3: bits 31:22 of the address choose the directory's entry, 21:12 the table's, of 4 bytes each. */
static u32 walk(const struct pagetable *pt, u32 va, u32 *pde) {
  *pde = ld32(pt->host + (va >> 22) * 4);
  if (!(*pde & 1)) return 0;
  return ld32(pt->host + ((*pde & 0xfffff000) - GPA) + (va >> 12 & 0x3ff) * 4);
}

START_TEST(two_levels) {
  static const u32 pages[] = {0, 0x1000, 0x3ff000, 0x400000, 0x8048000, 0xbffff000, 0xc0003000};
  struct pagetable pt = tables();
  u32 pde;
  for (unsigned k = 0; k < ARRAY_SIZE(pages); k++) {
    void *e = pt_find(&pt, pages[k]);
    bool first = k == 0 || k >= 3;
    ck_assert_int_eq(e == NULL, first);
    bool user = pages[k] < 0xc0000000;
    e = pt_make(&pt, pages[k], user);
    ck_assert_ptr_nonnull(e);
    ck_assert_ptr_eq(e, pt_find(&pt, pages[k]));
    ck_assert_uint_eq(pt_entry(&pt, e), 0);
    pt_set(&pt, e, pages[k] | PTE_P | PTE_RW);
    ck_assert_uint_eq(walk(&pt, pages[k], &pde), pages[k] | 3);
    ck_assert_uint_eq(pde & 0xfff, user ? 0x27 : 0x23); /* P, R/W, U/S, A */
    if (pages[k] >= 0xc0000000) pt_keep(&pt);
  }
  free(pt.host);
}
END_TEST

static unsigned gone_count;
static u64 gone_last;
static void gone(void *opaque, u64 va, u64 entry) {
  ck_assert_ptr_null(opaque);
  ck_assert_uint_eq(entry & 0xfffff000, va);
  gone_count++;
  gone_last = va;
}

START_TEST(ranges_are_cleared_and_the_kernel_is_kept) {
  struct pagetable pt = tables();
  u32 pde;
  pt_set(&pt, pt_make(&pt, 0xc0000000, false), 0xc0000000 | PTE_P);
  pt_keep(&pt);
  for (u32 va = 0x3fc000; va < 0x404000; va += 4096) pt_set(&pt, pt_make(&pt, va, true), va | PTE_P);
  pt_set(&pt, pt_make(&pt, 0xbffff000, true), 0xbffff000 | PTE_P);
  gone_count = 0;
  pt_clear(&pt, 0x3ff000, 0x402000, gone, NULL); /* across two tables */
  ck_assert_uint_eq(gone_count, 3);
  ck_assert_uint_eq(gone_last, 0x401000);
  ck_assert_uint_eq(walk(&pt, 0x3fe000, &pde), 0x3fe001);
  ck_assert_uint_eq(walk(&pt, 0x3ff000, &pde), 0);
  ck_assert_uint_eq(walk(&pt, 0x402000, &pde), 0x402001);
  pt_clear(&pt, 0, 0xc0000000, gone, NULL);
  ck_assert_uint_eq(gone_count, 3 + 3 + 2 + 1);
  pt_reset(&pt);
  for (u32 va = 0; va < 0xc0000000; va += 0x400000) ck_assert_uint_eq(walk(&pt, va, &pde) | pde, 0);
  ck_assert_uint_eq(walk(&pt, 0xc0000000, &pde), 0xc0000001);
  ck_assert_uint_eq(pt.used, 2);
  free(pt.host);
}
END_TEST

START_TEST(tables_run_out) {
  struct pagetable pt = tables();
  u32 va = 0;
  for (unsigned k = 1; k < PAGES; k++, va += 0x400000) ck_assert_ptr_nonnull(pt_make(&pt, va, true));
  ck_assert_ptr_null(pt_make(&pt, va, true));
  ck_assert_ptr_null(pt_find(&pt, va));
  ck_assert_ptr_nonnull(pt_make(&pt, va - 0x1000, true));
  free(pt.host);
}
END_TEST

/* Offset, selector and attributes of a 32-bit gate. SDM 3A Figure 6-2 (IDT Gate Descriptors) */
static void gate_is(const u8 *idt, unsigned vector, u32 to, unsigned attributes) {
  const u8 *g = idt + 8 * vector;
  ck_assert_uint_eq(ld16(g) | (u32)ld16(g + 6) << 16, to);
  ck_assert_uint_eq(ld16(g + 2), SEL_KERNEL32_CS);
  ck_assert_uint_eq(ld16(g + 4), attributes << 8);
}

START_TEST(gates_and_tss) {
  static const char *const models[] = {"pentium", "i686", "max,-lm", "amd,-lm"};
  struct cpu_model m;
  char err[200];
  ck_assert_int_eq(model_parse(models[_i], &m, err, sizeof err), 0);
  struct lx_options o = {.model = &m, .log_fd = -1};
  struct linux_vm *lvm = lx_create(&o, err, sizeof err);
  ck_assert_ptr_nonnull(lvm);
  struct kernel *k = &lvm->kernel;
  ck_assert_int_eq(kernel_build(k, lvm->vm, &m, KERNEL32_LINEAR), 0);
  ck_assert(k->legacy && !kernel_has_nx(k) && k->linear == 0xc0000000);
  const u8 *gdt = k->host + KPAGE_GDT * PAGE_SIZE, *idt = k->host + KPAGE_IDT * PAGE_SIZE;
  const u8 *tss = k->host + KPAGE_TSS * PAGE_SIZE, *stub = k->host + KPAGE_STUB * PAGE_SIZE;
  const struct rom_entry64_table *t = kernel_stub_table(k);
  ck_assert_mem_eq(stub, t, sizeof *t);
  ck_assert(!t->syscall64 && !t->syscall32 && !t->sysenter32 && !t->sysretq && !t->sysretl);
  gate_is(idt, 0x80, (u32)kernel_stubs(k) + t->int80, 0xee);
  gate_is(idt, VEC_BP, (u32)kernel_stubs(k) + t->exception[VEC_BP], 0xee);
  gate_is(idt, VEC_DF, (u32)kernel_stubs(k) + t->exception[VEC_DF], 0x8e);
  gate_is(idt, VEC_PF, (u32)kernel_stubs(k) + t->exception[VEC_PF], 0x8e);
  ck_assert_uint_eq(ld32(tss + 4), 0xc0000000 + KPAGE_IST * PAGE_SIZE); /* ESP0 */
  ck_assert_uint_eq(ld16(tss + 8), SEL_KERNEL_DS);
  ck_assert_uint_eq(ld64(gdt + SEL_KERNEL32_CS), UINT64_C(0x00cf9b000000ffff));
  ck_assert_uint_eq(ld64(gdt + SEL_TSS), UINT64_C(0xc0008b0020000067)); /* busy, at c0002000h, 104 bytes */
  ck_assert_uint_eq(ld64(gdt + SEL_TSS + 8), 0);
  for (unsigned n = 0; n < KPAGE_TABLES; n++) {
    const void *e = pt_find(&k->pt, k->linear + (u64)n * PAGE_SIZE);
    ck_assert_ptr_nonnull(e);
    u64 want = k->gpa + n * PAGE_SIZE + (n == KPAGE_STUB ? 0x161 : 0x163);
    ck_assert_uint_eq(pt_entry(&k->pt, e), want);
  }
  ck_assert_str_eq(kernel_machine(k, &m), m.family == 5 ? "i586" : "i686");
  lx_destroy(lvm);
}
END_TEST

Suite *suite_kernel32(void);
Suite *suite_kernel32(void) {
  Suite *s = suite_create("kernel32");
  TCase *t = tcase_create("kernel32");
  tcase_add_test(t, two_levels);
  tcase_add_test(t, ranges_are_cleared_and_the_kernel_is_kept);
  tcase_add_test(t, tables_run_out);
  tcase_add_loop_test(t, gates_and_tss, 0, 4);
  suite_add_tcase(s, t);
  return s;
}
