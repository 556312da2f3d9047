/* Random code in ring 3, on a machine with real descriptor tables, page tables and handlers: whatever it does must end
 * in a guest fault, a stop or the end of its budget, never in a fault of the host. An input is
 *
 *   byte 0      bits 0-1: 64-bit, compatibility, 32-bit protected, 16-bit protected; bit 2: vendor amd;
 *               bit 3: EFLAGS.AC with CR0.AM; bit 4: TF; bit 5: IOPL 3; bit 6: DS and SS not flat; bit 7: single steps
 *   bytes 1-8   seed of the registers
 *   the rest    code, at CODE
 */
#include <stdlib.h>

#include "cpu/event.h"
#include "cpu/vm.h"

enum {
  RAM = 256 << 10, PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, PT = 0x4000, GDT = 0x5000, IDT = 0x6000, TSS = 0x7000,
  STUB = 0x8000, KSTACK = 0xa000, IST = 0xc000, USER = 0x10000, CODE = 0x20000, READONLY = 0x30000, NOEXEC = 0x31000,
  ABSENT = 0x32000, BUDGET = 400,
};
enum { K32 = 0x08, K64 = 0x10, KDS = 0x18, U32 = 0x23, UDS = 0x2b, U64 = 0x33, TSS_SEL = 0x40, U16 = 0x53, SMALL_DS = 0x5b };

struct bench {
  struct vm *vm;
  struct cpu *cpu;
  u8 *ram, *clean;
  struct cpu_model model[2];
};

static void put(u8 *ram, u64 at, u64 v, unsigned n) { memcpy(ram + at, &v, n); }
static u64 descriptor(u32 base, u32 limit, unsigned access, unsigned flags) {
  return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit >> 16 & 15) << 48 |
         (u64)flags << 52 | (u64)(base >> 24) << 56;
}

/* Supervisor below USER, user above; three pages with less. */
static void build_pages(u8 *ram) {
  put(ram, PML4, PDPT | 7, 8);
  put(ram, PDPT, PD | 7, 8);
  put(ram, PD, PT | 7, 8);
  for (u64 p = 0; p < RAM; p += PAGE_SIZE) put(ram, PT + p / PAGE_SIZE * 8, p | (p >= USER ? 7 : 3), 8);
  put(ram, PT + READONLY / PAGE_SIZE * 8, READONLY | 5, 8);
  put(ram, PT + NOEXEC / PAGE_SIZE * 8, NOEXEC | 7 | PTE_NX, 8);
  put(ram, PT + ABSENT / PAGE_SIZE * 8, 0, 8);
}

static void build_tables(u8 *ram) {
  static const struct { u16 sel; u8 access, flags; } flat[] = {
      {K32, 0x9b, 0xc}, {K64, 0x9b, 0xa}, {KDS, 0x93, 0xc}, {U32, 0xfb, 0xc}, {UDS, 0xf3, 0xc}, {U64, 0xfb, 0xa}};
  for (unsigned k = 0; k < ARRAY_SIZE(flat); k++)
    put(ram, GDT + (flat[k].sel & ~7u), descriptor(0, 0xfffff, flat[k].access, flat[k].flags), 8);
  put(ram, GDT + (U16 & ~7), descriptor(CODE, 0xffff, 0xfb, 0), 8);
  put(ram, GDT + (SMALL_DS & ~7), descriptor(USER, 0x1ffff, 0xf3, 4), 8);
  put(ram, GDT + TSS_SEL, descriptor(TSS, 0x67, 0x8b, 0), 8);
  for (unsigned v = 0; v < 256; v++) {
    u64 to = v == 0x80 ? STUB + 0x10 : STUB; /* 80h returns; the others end the run */
    unsigned dpl = v == 3 || v == 4 || v == 0x80 ? 3 : 0, ist = v == 8 || v == 1;
    put(ram, IDT + v * 16, (to & 0xffff) | (u64)K64 << 16 | (u64)ist << 32 | (u64)(0x8e | dpl << 5) << 40 | (to >> 16) << 48, 8);
    put(ram, IDT + v * 16 + 8, 0, 8);
  }
  put(ram, TSS + 4, KSTACK + 0x1000, 8);
  put(ram, TSS + 0x24, IST + 0x1000, 8);
  static const u8 stub[] = {0x0f, 0x01, 0xc1, 0xf4},                  /* VMCALL; HLT */
      gate80[] = {0x48, 0xcf},                                       /* IRETQ */
      sysret[] = {0x48, 0x0f, 0x07}, sysexit[] = {0x48, 0x0f, 0x35}; /* SYSRETQ; SYSEXIT with REX.W */
  memcpy(ram + STUB, stub, sizeof stub);
  memcpy(ram + STUB + 0x10, gate80, sizeof gate80);
  memcpy(ram + STUB + 0x20, sysret, sizeof sysret);
  memcpy(ram + STUB + 0x30, sysexit, sizeof sysexit);
}

static void on_hypercall(void *opaque, struct cpu *cpu) {
  (void)opaque;
  cpu_stop(cpu);
}

static struct bench *bench_create(void) {
  struct bench *b = calloc(1, sizeof *b);
  if (!b) abort();
  b->model[0] = *model_default(VENDOR_INTEL);
  b->model[1] = *model_default(VENDOR_AMD);
  b->vm = vm_create();
  b->cpu = b->vm ? cpu_create(b->vm, &b->model[0]) : NULL;
  b->ram = aligned_alloc(PAGE_SIZE, RAM);
  b->clean = calloc(1, RAM);
  if (!b->cpu || !b->ram || !b->clean) abort();
  build_pages(b->clean);
  build_tables(b->clean);
  memcpy(b->ram, b->clean, RAM);
  if (phys_add(&b->vm->mem, &(struct phys_region){.size = RAM, .host = b->ram})) abort();
  b->vm->hooks.hypercall = on_hypercall;
  b->vm->hypercall_first = STUB;
  b->vm->hypercall_last = STUB;
  return b;
}

static void flat(struct seg *s, u16 sel, u32 attr) { *s = (struct seg){.sel = sel, .limit = ~UINT32_C(0), .attr = attr}; }

static void set_segments(struct cpu *c, unsigned kind, bool small) {
  enum { DATA = SEG_P | SEG_DPL | SEG_S | SEG_WRITABLE | SEG_ACCESSED | SEG_DB | SEG_G };
  enum { CODE_ = SEG_P | SEG_DPL | SEG_S | SEG_CODE | SEG_READABLE | SEG_ACCESSED };
  for (unsigned s = 0; s < SREG_COUNT; s++) flat(&c->seg[s], UDS, DATA);
  if (kind == 0) flat(&c->seg[CS], U64, CODE_ | SEG_L | SEG_G);
  if (kind == 1 || kind == 2) flat(&c->seg[CS], U32, CODE_ | SEG_DB | SEG_G);
  if (kind == 3) c->seg[CS] = (struct seg){.sel = U16, .base = CODE, .limit = 0xffff, .attr = CODE_};
  if (!small) return;
  c->seg[DS] = (struct seg){.sel = SMALL_DS, .base = USER, .limit = 0x1ffff, .attr = DATA & ~(u32)SEG_G};
  c->seg[SS] = c->seg[DS];
}

static void set_state(struct bench *b, unsigned how, u64 seed) {
  struct cpu *c = b->cpu;
  unsigned kind = how & 3;
  c->model = &b->model[how >> 2 & 1];
  cpu_reset(c);
  c->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | (how & 8 ? CR0_AM : 0);
  c->cr3 = PML4;
  c->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE;
  c->msr[MSR_EFER] = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
  c->msr[MSR_STAR] = (u64)(U32 & ~3) << 48 | (u64)K64 << 32;
  c->msr[MSR_LSTAR] = c->msr[MSR_CSTAR] = STUB + 0x20;
  c->msr[MSR_FMASK] = EF_TF | EF_IF | EF_DF | EF_NT | EF_AC;
  c->msr[MSR_SYSENTER_CS] = K64;
  c->msr[MSR_SYSENTER_EIP] = STUB + 0x30;
  c->msr[MSR_SYSENTER_ESP] = KSTACK + 0x1000;
  c->gdtr = (struct dtable){GDT, 0x5f};
  c->idtr = (struct dtable){IDT, 0xfff};
  c->tr = (struct seg){.sel = TSS_SEL, .base = TSS, .limit = 0x67, .attr = SEG_P | 11};
  c->cpl = 3;
  set_segments(c, kind, how & 0x40 && kind);
  u64 x = seed * 2 + 1;
  for (unsigned r = 0; r < 16; r++) { /* addresses in the user's pages, small numbers, and noise */
    x = x * 6364136223846793005u + 1442695040888963407u;
    c->gpr[r] = r % 3 == 0 ? USER + (x >> 40) % (RAM - USER) : r % 3 == 1 ? x >> 58 : x;
  }
  c->gpr[RSP] = USER + 0x8000 + (x >> 60);
  c->rip = kind == 3 ? 0 : CODE;
  cpu_set_eflags(c, EF_1 | EF_IF | (how & 8 ? EF_AC : 0) | (how & 0x10 ? EF_TF : 0) | (how & 0x20 ? EF_IOPL : 0));
  c->step_request = how & 0x80;
  cpu_update_mode(c);
}

/* Only what the run has written needs restoring: the dirty bits tell. The tables themselves are no page of theirs. */
static void restore_memory(struct bench *b) {
  for (u64 p = 0; p < RAM; p += PAGE_SIZE) {
    u64 entry = PT + p / PAGE_SIZE * 8;
    if (!(ld64(b->ram + entry) & PTE_D)) continue;
    memcpy(b->ram + p, b->clean + p, PAGE_SIZE);
    memcpy(b->ram + entry, b->clean + entry, 8);
    vm_code_changed(b->vm, p, PAGE_SIZE);
    cpu_tlb_flush_page(b->cpu, p);
  }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);
int LLVMFuzzerTestOneInput(const u8 *data, size_t n) {
  static struct bench *b; /* one for the fuzzer's life: making a machine costs more than a run */
  if (n < 10 || n > 9 + 4096) return 0;
  if (!b) b = bench_create();
  restore_memory(b);
  set_state(b, data[0], ld64(data + 1));
  memcpy(b->ram + CODE, data + 9, n - 9);
  vm_code_changed(b->vm, CODE, n - 9);
  (void)cpu_run(b->cpu, BUDGET);
  return 0;
}
