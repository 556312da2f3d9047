/* Test cases on the emulated processor: a long-mode machine with Linux's GDT, this program's LDT, page tables
 * that map the arena as the host does, and an IDT whose handlers are one HLT each. The state is read back
 * from the frame that delivery pushed. SDM 3A 3.4.5, 4.5 (4-Level Paging and 5-Level Paging), 6.14 (Exception
 * and Interrupt Handling in 64-bit Mode), 7.7 (Task Management in 64-bit Mode). */
#include "tests/native/emulated.h"

#include <stdio.h>
#include <stdlib.h>

#include "cpu/event.h"
#include "cpu/seg.h"
#include "cpu/simd_state.h"
#include "cpu/vm.h"
#include "tests/native/native.h"
#include "tests/native/segments.h"

/* The tables, for the supervisor only: guest-physical at TABLES, linear at KERNEL. */
#define TABLES UINT64_C(0x1000000)
#define KERNEL UINT64_C(0xffff800000000000)
enum {
  TABLES_BYTES = 0x11000,
  PML4 = 0, PDPT = 0x1000, PD = 0x2000, PT = 0x3000,
  KERNEL_PDPT = 0x4000, KERNEL_PD = 0x5000, KERNEL_PT = 0x6000,
  GDT = 0x8000, LDT = 0x9000, IDT = 0xa000, TSS = 0xb000, HANDLERS = 0xc000, SYSCALL_ENTRY = 0xd000,
  KERNEL_STACK = 0x10000, ENTRY_PT = 0x10000,
  LIMIT = 1 << 20, /* instructions */
  STEPPED_LIMIT = 48, /* few enough for one instruction a block */
};

struct emulated {
  struct vm *vm;
  struct cpu *cpu;
  struct cpu_model model;
  u8 *arena, *entry_stack, *tables;
};

/* What rows need beyond SSE2, and this machine has; and what shows in the x87's pointers. */
static void choose_model(struct cpu_model *m) {
  *m = *model_find(native_vendor() == VENDOR_AMD ? "x86-64-amd" : "x86-64");
  for (unsigned k = 0; k < opcode_row_count; k++) {
    int f = opcode_rows[k].feature;
    if (f >= 0 && native_has((enum feature)f)) m->has[f] = 1;
    if (opcode_rows[k].attrs & A_AVX512) m->has[FEAT_AVX512VL] = native_has(FEAT_AVX512VL);
  }
  m->has[FEAT_XGETBV1] = native_has(FEAT_XGETBV1);
  m->has[FEAT_LA57] = native_has(FEAT_LA57); /* FIP's width */
  m->has[FEAT_FDP_EXCPTN] = native_has(FEAT_FDP_EXCPTN);
  m->has[FEAT_ZERO_FCS_FDS] = native_has(FEAT_ZERO_FCS_FDS);
}

static void map_pages(u8 *t) {
  const u64 user = PTE_P | PTE_RW | PTE_US, kernel = PTE_P | PTE_RW;
  unsigned first = ARENA >> 21 & 511;
  st64(t + PML4, (TABLES + PDPT) | user);
  st64(t + PML4 + 8 * 256, (TABLES + KERNEL_PDPT) | kernel);
  st64(t + PDPT + 8 * (ARENA >> 30), (TABLES + PD) | user);
  st64(t + PD + 8 * first, (TABLES + PT) | user);
  st64(t + KERNEL_PDPT, (TABLES + KERNEL_PD) | kernel);
  st64(t + KERNEL_PD, (TABLES + KERNEL_PT) | kernel);
  for (unsigned k = 0; k < TABLES_BYTES; k += PAGE_SIZE)
    st64(t + KERNEL_PT + 8 * (k >> PAGE_SHIFT),
         (TABLES + k) | kernel | (k == HANDLERS || k == SYSCALL_ENTRY ? 0 : PTE_NX));
  u64 entry = ENTRY_STACK_TOP - ENTRY_STACK_BYTES;
  st64(t + PD + 8 * (entry >> 21 & 511), (TABLES + ENTRY_PT) | user);
  st64(t + ENTRY_PT + 8 * (entry >> PAGE_SHIFT & 511), entry | user | PTE_NX);
  for (unsigned k = 0; k < ARENA_PARTS; k++)
    for (unsigned at = 0; at < arena_parts[k].bytes; at += PAGE_SIZE) {
      u64 page = ARENA + arena_parts[k].at + at;
      st64(t + PT + 8 * (page >> PAGE_SHIFT & 511),
           page | PTE_P | PTE_US | (arena_parts[k].write ? PTE_RW : 0) | (arena_parts[k].exec ? 0 : PTE_NX));
    }
}

/* The kernel that SYSCALL enters says ENOSYS to all: mov $-38, %rax; sysretq. */
static void fill_syscall(u8 *t) {
  static const u8 code[] = {0x48, 0xc7, 0xc0, 0xda, 0xff, 0xff, 0xff, 0x48, 0x0f, 0x07};
  memcpy(t + SYSCALL_ENTRY, code, sizeof code);
}

static void fill_tables(u8 *t) {
  map_pages(t);
  fill_syscall(t);
  segments_gdt(t + GDT);
  segments_ldt(t + LDT);
  for (unsigned v = 0; v < 256; v++) {
    u64 to = KERNEL + HANDLERS + 16 * v;
    u64 open = v == VEC_BP || v == VEC_OF ? 3 : 0; /* Linux opens these, and 80h */
    t[HANDLERS + 16 * v] = 0xf4;
    st64(t + IDT + 16 * v,
         (to & 0xffff) | 0x10 << 16 | (u64)(0x8e | open << 5) << 40 | (to >> 16 & 0xffff) << 48);
    st64(t + IDT + 16 * v + 8, to >> 32);
  }
  st64(t + TSS + 4, KERNEL + KERNEL_STACK);
  st16(t + TSS + 102, 104); /* no I/O permission bitmap */
}

static void set_system(struct cpu *cpu) {
  cpu->gdtr = (struct dtable){.base = KERNEL + GDT, .limit = GDT_BYTES - 1};
  cpu->idtr = (struct dtable){.base = KERNEL + IDT, .limit = 0xfff};
  cpu->ldtr =
      (struct seg){.sel = 0x50, .attr = SEG_P | SYS_LDT, .limit = 8 * LDT_SEGMENTS - 1, .base = KERNEL + LDT};
  cpu->tr = (struct seg){.sel = 0x40, .attr = SEG_P | SYS_TSS32_BUSY, .limit = 103, .base = KERNEL + TSS};
  cpu->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
  cpu->cr4 =
      CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | (model_has(cpu->model, FEAT_FSGSBASE) ? CR4_FSGSBASE : 0);
  if (model_has(cpu->model, FEAT_XSAVE)) {
    cpu->cr4 |= CR4_OSXSAVE;
    cpu->xcr0 = native_xcr0() & xstate_supported(cpu->model);
  }
  cpu->cr3 = TABLES + PML4;
  cpu->msr[MSR_EFER] = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
  cpu->msr[MSR_STAR] = (u64)USER32_CS << 48 | (u64)0x10 << 32;
  cpu->msr[MSR_LSTAR] = KERNEL + SYSCALL_ENTRY;
  cpu->msr[MSR_FMASK] = EF_IF | EF_DF | EF_NT | EF_AC;
}

struct emulated *emulated_create(void) {
  struct emulated *e = calloc(1, sizeof *e);
  if (!e) return NULL;
  choose_model(&e->model);
  e->arena = aligned_alloc(PAGE_SIZE, ARENA_BYTES);
  e->entry_stack = aligned_alloc(PAGE_SIZE, ENTRY_STACK_BYTES);
  e->tables = aligned_alloc(PAGE_SIZE, TABLES_BYTES);
  e->vm = vm_create();
  const u64 entry = ENTRY_STACK_TOP - ENTRY_STACK_BYTES;
  if (!e->arena || !e->entry_stack || !e->tables || !e->vm || !(e->cpu = cpu_create(e->vm, &e->model)) ||
      phys_add(&e->vm->mem, &(struct phys_region){.base = ARENA, .size = ARENA_BYTES, .host = e->arena}) ||
      phys_add(&e->vm->mem,
               &(struct phys_region){.base = entry, .size = ENTRY_STACK_BYTES, .host = e->entry_stack}) ||
      phys_add(&e->vm->mem, &(struct phys_region){.base = TABLES, .size = TABLES_BYTES, .host = e->tables})) {
    emulated_destroy(e);
    return NULL;
  }
  memset(e->arena, 0, ARENA_BYTES);
  memset(e->entry_stack, 0, ENTRY_STACK_BYTES);
  memset(e->tables, 0, TABLES_BYTES);
  fill_tables(e->tables);
  set_system(e->cpu);
  return e;
}

void emulated_destroy(struct emulated *e) {
  if (!e) return;
  if (e->vm) vm_destroy(e->vm);
  free(e->arena);
  free(e->entry_stack);
  free(e->tables);
  free(e);
}

const struct cpu_model *emulated_model(const struct emulated *e) { return &e->model; }
u8 *emulated_arena(struct emulated *e) { return e->arena; }
void emulated_code_changed(struct emulated *e, u64 la, unsigned n) { vm_code_changed(e->vm, la, n); }

/* As a kernel leaves them: NULL selectors are unusable, but FS and GS have a base in 64-bit code. */
static void set_segment(struct cpu *cpu, enum sreg r, u16 sel) {
  struct desc d = {.s = {.sel = sel, .attr = SEG_NULL}};
  if (!sel_is_null(sel) && !desc_read(cpu, sel, &d)) fprintf(stderr, "native: no segment %x\n", sel);
  cpu->seg[r] = d.s;
}

static void set_state(struct cpu *cpu, const struct state *s) {
  memcpy(cpu->gpr, s->gpr, sizeof s->gpr);
  cpu->cpl = 0; /* to read the tables */
  cpu_update_mode(cpu);
  for (unsigned k = 0; k < SREG_COUNT; k++) set_segment(cpu, (enum sreg)k, s->sel[k]);
  if (sel_is_null(s->sel[FS])) cpu->seg[FS].base = s->fs_base;
  if (sel_is_null(s->sel[GS])) cpu->seg[GS].base = s->gs_base;
  cpu->cpl = 3;
  cpu->rip = s->rip;
  cpu->halted = cpu->shutdown = false;
  cpu->inhibit = 0;
  cpu->dr[6] = DR6_FIXED;
  cpu->dr6_pending = 0;
  cpu_set_eflags(cpu, (u32)s->eflags);
  if (fxrstor_image(cpu, s->fx, true, 16)) fprintf(stderr, "native: MXCSR has reserved bits\n");
  memcpy(cpu->vec, s->vec, sizeof s->vec);
  memcpy(cpu->k, s->k, sizeof s->k);
  cpu_update_mode(cpu);
}

/* SS RSP RFLAGS CS RIP, and below them the error code if the vector has one. */
static void read_frame(struct emulated *e, struct outcome *out) {
  struct cpu *cpu = e->cpu;
  const u8 *frame = e->tables + KERNEL_STACK - 40;
  bool error = cpu->gpr[RSP] == KERNEL + KERNEL_STACK - 48;
  out->vector = (u8)((cpu->rip - KERNEL - HANDLERS) >> 4);
  out->error = error ? (u32)ld64(frame - 8) : 0;
  out->cr2 = cpu->cr2;
  memcpy(out->st.gpr, cpu->gpr, sizeof out->st.gpr);
  out->st.rip = ld64(frame);
  out->st.eflags = ld64(frame + 16);
  out->st.gpr[RSP] = ld64(frame + 24);
  for (unsigned k = 0; k < SREG_COUNT; k++) out->st.sel[k] = cpu->seg[k].sel;
  out->st.sel[CS] = ld16(frame + 8);
  out->st.sel[SS] = ld16(frame + 32);
  out->st.fs_base = cpu->seg[FS].base;
  out->st.gs_base = cpu->seg[GS].base;
  memset(out->st.fx, 0, sizeof out->st.fx);
  (void)fxsave_image(cpu, out->st.fx, true, 16);
  memcpy(out->st.vec, cpu->vec, sizeof out->st.vec);
  memcpy(out->st.k, cpu->k, sizeof out->st.k);
}

void emulated_run(struct emulated *e, const struct test_case *c, struct outcome *out) {
  struct cpu *cpu = e->cpu;
  set_state(cpu, &c->in);
  if (c->flush) cpu_tlb_flush(cpu);
  enum cpu_exit why;
  u64 left = LIMIT;
  do {
    u64 part = c->step ? STEPPED_LIMIT : left;
    why = cpu_run(cpu, part);
    left -= part < left ? part : left;
  } while (why == CPU_EXIT_BUDGET && left);
  memset(out, 0, sizeof *out);
  out->stuck = why != CPU_EXIT_HALT;
  if (!out->stuck) {
    read_frame(e, out);
  } else {
    memcpy(out->st.gpr, cpu->gpr, sizeof out->st.gpr);
    out->st.rip = cpu->rip;
    out->st.eflags = cpu_eflags(cpu);
  }
}
