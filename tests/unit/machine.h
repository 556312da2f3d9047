/* A small machine for tests of the processor: 4 MiB of memory, descriptor tables, a TSS, page tables, and a
 * handler of one HLT for every vector. Layouts: SDM 3A 3.4.5 (Segment Descriptors), 6.11 (IDT
 * Descriptors), 6.14.1 (64-Bit Mode IDT), 7.2.1 (Task-State Segment (TSS)), 7.7 (Task Management in 64-bit Mode). */
#ifndef TESTS_UNIT_MACHINE_H
#define TESTS_UNIT_MACHINE_H

#include <check.h>
#include <stdlib.h>

#include "cpu/event.h"
#include "cpu/seg.h"
#include "tests/unit/baseline.h"

enum machine_mode { LEGACY32, COMPAT32, LONG64 };

enum { /* selectors, laid out as SYSCALL, SYSENTER and their returns want them */
  K32_CS = 0x08, K64_CS = 0x10, K_DS = 0x18, U32_CS = 0x23, U_DS = 0x2b, U64_CS = 0x33, CONF_CS = 0x38,
  TSS_SEL = 0x40, ABSENT_DS = 0x50, ABSENT_CS = 0x58, RO_DS = 0x60, STACK16 = 0x68, GATE = 0x70,
  LDT_SEL = 0x80, XO_CS = 0x90, U1_DS = 0x99, LD_CS = 0xa3, ABSENT_SS = 0xab, GDT_LIMIT = 0xff,
};
enum { /* guest-physical, and linear, addresses */
  RAM = 4 << 20, PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, PT = 0x4000, GDT = 0x10000, IDT = 0x11000,
  TSS = 0x13000, KSTACK = 0x20000, IST1 = 0x24000, USTACK = 0x30000, CODE = 0x40000, HANDLERS = 0x50000,
  DATA = 0x60000, SUPERVISOR_PAGE = 0x70000, READONLY_PAGE = 0x71000, ABSENT_PAGE = 0x72000,
};
#define HANDLER(vec) (HANDLERS + (vec) * 16u)

struct machine {
  struct vm *vm;
  struct cpu *cpu;
  u8 *ram;
  enum machine_mode mode;
};

static inline u64 m_get(const struct machine *m, u64 at, unsigned n) {
  u64 v = 0;
  ck_assert_uint_le(at + n, RAM);
  memcpy(&v, m->ram + at, n);
  return v;
}
static inline void m_put(struct machine *m, u64 at, u64 v, unsigned n) {
  ck_assert_uint_le(at + n, RAM);
  memcpy(m->ram + at, &v, n);
  vm_code_changed(m->vm, at, n);
}

/* access: the descriptor's byte 5; flags: G D/B L AVL. */
static inline u64 m_descriptor(u32 base, u32 limit, unsigned access, unsigned flags) {
  return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit >> 16 & 15) << 48 |
         (u64)flags << 52 | (u64)(base >> 24) << 56;
}

static inline void m_gdt(struct machine *m) {
  static const struct {
    u16 sel;
    u8 access, flags;
  } flat[] = {
      {K32_CS, 0x9b, 0xc},    {K64_CS, 0x9b, 0xa},    {K_DS, 0x93, 0xc},    {U32_CS, 0xfb, 0xc},
      {U_DS, 0xf3, 0xc},      {U64_CS, 0xfb, 0xa},    {CONF_CS, 0x9f, 0xc}, {ABSENT_DS, 0x73, 0xc},
      {ABSENT_CS, 0x1b, 0xc}, {RO_DS, 0xf1, 0xc},     {XO_CS, 0xf9, 0xc},   {U1_DS, 0xb3, 0xc},
      {LD_CS, 0xfb, 0xe},     {ABSENT_SS, 0x73, 0xc},
  };
  for (unsigned k = 0; k < ARRAY_SIZE(flat); k++)
    m_put(m, GDT + (flat[k].sel & ~7u), m_descriptor(0, 0xfffff, flat[k].access, flat[k].flags), 8);
  m_put(m, GDT + STACK16, m_descriptor(0, 0xffff, 0xf3, 0), 8);
  m_put(m, GDT + TSS_SEL, m_descriptor(TSS, 0x2067, 0x8b, 0), 8);
  m_put(m, GDT + LDT_SEL, m_descriptor(DATA, 0xff, 0x82, 0), 8);
}

/* type: 0xe interrupt gate, 0xf trap gate, ... */
static inline void m_gate(struct machine *m, u8 vec, unsigned type, unsigned dpl, u16 sel, u64 offset,
                          unsigned ist) {
  u64 lo = (offset & 0xffff) | (u64)sel << 16 | (u64)ist << 32 | (u64)(type | dpl << 5 | 0x80) << 40 |
           (offset >> 16 & 0xffff) << 48;
  if (m->mode == LEGACY32) {
    m_put(m, IDT + vec * 8u, lo, 8);
  } else {
    m_put(m, IDT + vec * 16u, lo, 8);
    m_put(m, IDT + vec * 16u + 8, offset >> 32, 8);
  }
}
static inline void m_gate_absent(struct machine *m, u8 vec) {
  u64 at = IDT + vec * (m->mode == LEGACY32 ? 8u : 16u) + 5;
  m_put(m, at, m_get(m, at, 1) & ~UINT64_C(0x80), 1);
}

/* A second task for 32-bit mode, in ring 0, and a slot of the GDT for its TSS. SDM 3A 7.2.1, Figure 7-2 (32-Bit
 * Task-State Segment (TSS)) */
enum { TSS2 = 0x62000, TSS2_SEL = 0x70 };
enum { TSS_LINK = 0, TSS_EIP = 0x20, TSS_EFLAGS = 0x24, TSS_EAX = 0x28, TSS_ESP = 0x38, TSS_ES = 0x48, TSS_T = 0x64 };
static inline void m_task(struct machine *m, u32 eip, u32 esp) {
  static const u16 segs[6] = {K_DS, K32_CS, K_DS, K_DS, K_DS, K_DS};
  m_put(m, GDT + TSS2_SEL, m_descriptor(TSS2, 0x67, 0xe9, 0), 8); /* not busy, DPL 3 */
  m_put(m, TSS2 + TSS_EIP, eip, 4);
  m_put(m, TSS2 + TSS_EFLAGS, EF_1, 4);
  m_put(m, TSS2 + TSS_ESP, esp, 4);
  for (unsigned k = 0; k < 6; k++) m_put(m, TSS2 + TSS_ES + 4 * k, segs[k], 2);
}
/* A task gate to it, as the GDT and the IDT hold one. */
static inline u64 m_task_gate(unsigned dpl) {
  return (u64)(0x85 | dpl << 5) << 40 | (u64)TSS2_SEL << 16;
}

static inline void m_tables(struct machine *m) {
  const u64 user = PTE_P | PTE_RW | PTE_US;
  m_gdt(m);
  for (unsigned v = 0; v < 256; v++) {
    m_put(m, HANDLER(v), 0xf4, 1); /* HLT */
    m_gate(m, (u8)v, 0xe, v == 0x80 || v == 3 || v == 4 ? 3 : 0, m->mode == LEGACY32 ? K32_CS : K64_CS,
           HANDLER(v), 0);
  }
  m_put(m, PML4, PDPT | user, 8);
  m_put(m, PML4 + 256 * 8, PDPT | user, 8); /* the lowest addresses of the upper half show the same memory */
  m_put(m, PML4 + 255 * 8, PDPT | user, 8); /* and the 512 GiB below the hole */
  m_put(m, PDPT, PD | user, 8);
  m_put(m, PDPT + 511 * 8, PD | user, 8);
  m_put(m, PD, PT | user, 8);
  m_put(m, PD + 511 * 8, PT | user, 8);
  for (unsigned k = 0; k < 512; k++) m_put(m, PT + k * 8, k << PAGE_SHIFT | user, 8);
  m_put(m, PT + (SUPERVISOR_PAGE >> PAGE_SHIFT) * 8, SUPERVISOR_PAGE | PTE_P | PTE_RW, 8);
  m_put(m, PT + (READONLY_PAGE >> PAGE_SHIFT) * 8, READONLY_PAGE | PTE_P | PTE_US, 8);
  m_put(m, PT + (ABSENT_PAGE >> PAGE_SHIFT) * 8, 0, 8);
  if (m->mode == LEGACY32) {
    m_put(m, TSS + 4, KSTACK, 4);
    m_put(m, TSS + 8, K_DS, 2);
  } else {
    m_put(m, TSS + 4, KSTACK, 8);
    m_put(m, TSS + 36, IST1, 8);
  }
  m_put(m, TSS + 102, 104, 2); /* I/O map base: all ports closed below */
  memset(m->ram + TSS + 104, 0xff, 0x2000);
}

static inline void m_load_seg(struct machine *m, enum sreg r, u16 sel) {
  struct desc d;
  u8 cpl = m->cpu->cpl;
  ck_assert(desc_read(m->cpu, sel, &d));
  m->cpu->seg[r] = d.s;
  m->cpu->cpl = cpl;
}

/* Puts the processor at CODE with the segments of the mode and ring (0 or 3). */
static inline void m_ring(struct machine *m, unsigned cpl) {
  struct cpu *cpu = m->cpu;
  u16 cs = cpl ? (m->mode == LONG64 ? U64_CS : U32_CS) : m->mode == LONG64 ? K64_CS : K32_CS;
  u16 ds = cpl ? U_DS : K_DS;
  cpu->cpl = (u8)cpl;
  m_load_seg(m, CS, cs);
  m_load_seg(m, SS, ds);
  m_load_seg(m, DS, ds);
  m_load_seg(m, ES, ds);
  m_load_seg(m, FS, ds);
  m_load_seg(m, GS, ds);
  cpu->gpr[RSP] = cpl ? USTACK : KSTACK - 0x800;
  cpu->rip = CODE;
  cpu_set_eflags(cpu, EF_1 | EF_IF);
  cpu_update_mode(cpu);
}

static inline void m_msrs(struct cpu *cpu) {
  cpu->msr[MSR_STAR] = (u64)0x23 << 48 | (u64)K64_CS << 32 | HANDLERS;
  cpu->msr[MSR_LSTAR] = HANDLER(0xf0);
  cpu->msr[MSR_CSTAR] = HANDLER(0xf1);
  cpu->msr[MSR_FMASK] = EF_TF | EF_IF | EF_DF | EF_NT;
  cpu->msr[MSR_SYSENTER_CS] = K64_CS;
  cpu->msr[MSR_SYSENTER_ESP] = KSTACK - 0x100;
  cpu->msr[MSR_SYSENTER_EIP] = HANDLER(0xf2);
}

static inline struct machine m_new(enum vendor vendor, enum machine_mode mode, unsigned cpl) {
  struct machine m = {.mode = mode, .vm = vm_create(), .ram = calloc(1, RAM)};
  ck_assert_ptr_nonnull(m.vm);
  ck_assert_ptr_nonnull(m.ram);
  ck_assert_int_eq(phys_add(&m.vm->mem, &(struct phys_region){.base = 0, .size = RAM, .host = m.ram}), 0);
  struct cpu *cpu = m.cpu = cpu_create(m.vm, baseline(vendor));
  ck_assert_ptr_nonnull(cpu);
  m_tables(&m);
  cpu->gdtr = (struct dtable){.base = GDT, .limit = GDT_LIMIT};
  cpu->idtr = (struct dtable){.base = IDT, .limit = mode == LEGACY32 ? 0x7ff : 0xfff};
  cpu->tr = (struct seg){.sel = TSS_SEL, .attr = SEG_P | SYS_TSS32_BUSY, .limit = 0x2067, .base = TSS};
  cpu->ldtr = (struct seg){.attr = SEG_NULL};
  cpu->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | (mode == LEGACY32 ? 0 : CR0_PG);
  cpu->cr4 = CR4_PAE | CR4_OSFXSR;
  cpu->cr3 = PML4;
  cpu->msr[MSR_EFER] = EFER_SCE | EFER_NXE | (mode == LEGACY32 ? 0 : EFER_LME | EFER_LMA);
  m_msrs(cpu);
  cpu_update_mode(cpu);
  m_ring(&m, cpl);
  return m;
}

static inline void m_free(struct machine *m) {
  vm_destroy(m->vm);
  free(m->ram);
}

/* Writes code at CODE, and a HLT behind it. */
#define m_code(m, bytes) m_code_at((m), CODE, (bytes "\xf4"), sizeof(bytes))
static inline void m_code_at(struct machine *m, u64 at, const char *bytes, size_t n) {
  memcpy(m->ram + at, bytes, n);
  vm_code_changed(m->vm, at, n);
}

/* Runs one instruction. */
static inline void m_step(struct machine *m) { ck_assert_int_eq(cpu_run(m->cpu, 1), CPU_EXIT_BUDGET); }

/* Runs until a handler's HLT, which must be that of `vec`. */
static inline void m_expect_vector(struct machine *m, u8 vec) {
  ck_assert_int_eq(cpu_run(m->cpu, 100), CPU_EXIT_HALT);
  ck_assert_uint_eq(m->cpu->rip, HANDLER(vec) + 1);
  m->cpu->halted = false;
}

/* Slot k (0: the lowest) of the frame on the current stack. */
static inline u64 m_slot(const struct machine *m, unsigned k) {
  unsigned n = m->mode == LEGACY32 ? 4 : 8;
  return m_get(m, m->cpu->gpr[RSP] + k * n, n);
}

/* Runs into a fault at `rip` whose error code is as given. */
static inline void m_expect_fault(struct machine *m, u8 vec, u64 error, u64 rip) {
  m_expect_vector(m, vec);
  ck_assert_uint_eq(m_slot(m, 0), error);
  ck_assert_uint_eq(m_slot(m, 1), rip);
  ck_assert_uint_eq(m_slot(m, 3) & EF_RF, EF_RF); /* SDM 3B 17.3.1.1: set for faults */
}

#endif
