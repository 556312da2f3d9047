/* Builds what a Linux kernel, of 64 bits where the processor has them, has in memory for it: GDT, IDT, TSS, page tables,
 * entry stubs. Linux arch/x86/kernel/cpu/common.c (gdt_page, cpu_init, syscall_init), arch/x86/kernel/idt.c;
 * SDM 3A 3.4.5 (Segment Descriptors), 6.14.1 (64-Bit Mode IDT), 7.7 (Task Management in 64-bit Mode). */
#define _GNU_SOURCE
#include "linux_abi/kernel.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "linux_abi/lvm.h"

enum { GDT_ENTRIES = 16, GDT_TLS = 12, GDT_TSS = 8, GDT_LDT = 10, GDT_CPUNODE = 15 };
enum { TSS_RSP0 = 4, TSS_IST1 = 36, TSS_IOMAP = 102, TSS_BYTES = 104 };
enum { TSS32_ESP0 = 4, TSS32_SS0 = 8 };
enum { IST_DF = 1, IST_NMI, IST_DB, IST_MC, IST_COUNT = IST_MC };
enum { GATE_INTERRUPT = 0xe, VEC_SYSCALL = 0x80 };
enum { MAPPED_PAGES = KPAGE_TABLES };

/* A data segment whose limit is the answer of the vDSO's getcpu. Linux setup_getcpu(). */
#define DESC_CPUNODE UINT64_C(0x0040f50000000000)
/* Accessed flat segments, by index. */
static const u64 gdt_flat[] = {
  [SEL_KERNEL32_CS >> 3] = UINT64_C(0x00cf9b000000ffff), [SEL_KERNEL_CS >> 3] = UINT64_C(0x00af9b000000ffff),
  [SEL_KERNEL_DS >> 3] = UINT64_C(0x00cf93000000ffff),   [SEL_USER32_CS >> 3] = UINT64_C(0x00cffb000000ffff),
  [SEL_USER_DS >> 3] = UINT64_C(0x00cff3000000ffff),     [SEL_USER_CS >> 3] = UINT64_C(0x00affb000000ffff),
};

static u8 *page(const struct kernel *k, unsigned n) { return k->host + (size_t)n * PAGE_SIZE; }
static u64 linear(const struct kernel *k, unsigned n) { return k->linear + (u64)n * PAGE_SIZE; }
static u64 stack_top(const struct kernel *k) { return linear(k, KPAGE_IST); }
static u64 ist_top(const struct kernel *k, unsigned n) { return linear(k, KPAGE_IST + n); }
static u16 code_selector(const struct kernel *k) { return k->legacy ? SEL_KERNEL32_CS : SEL_KERNEL_CS; }

u64 kernel_stubs(const struct kernel *k) { return linear(k, KPAGE_STUB); }
const struct rom_entry64_table *kernel_stub_table(const struct kernel *k) {
  return (const struct rom_entry64_table *)(const void *)(k->legacy ? rom_entry32 : rom_entry64);
}

static void build_gdt(struct kernel *k) {
  u64 *gdt = (u64 *)page(k, KPAGE_GDT);
  memcpy(gdt, gdt_flat, sizeof gdt_flat);
  u64 base = linear(k, KPAGE_TSS), limit = TSS_BYTES - 1;
  const u64 busy_tss = 0x8b;
  gdt[GDT_TSS] = bits(limit, 15, 0) | bits(base, 23, 0) << 16 | busy_tss << 40 | bits(base, 31, 24) << 56;
  gdt[GDT_TSS + 1] = base >> 32; /* 0 where descriptors have 8 bytes */
  gdt[GDT_CPUNODE] = DESC_CPUNODE;
}

void kernel_set_cpu(struct kernel *k, struct cpu *cpu, u32 number) {
  u64 *gdt = (u64 *)page(k, KPAGE_GDT);
  gdt[GDT_CPUNODE] = DESC_CPUNODE | bits(number, 15, 0) | bits(number, 19, 16) << 48;
  cpu->msr[MSR_TSC_AUX] = number;
}

/* A 64-bit gate, or the 32-bit one that its first half would be. */
static void set_gate(struct kernel *k, unsigned vector, u32 stub, unsigned ist, unsigned dpl) {
  u64 to = kernel_stubs(k) + stub, *idt = (u64 *)page(k, KPAGE_IDT), *gate = &idt[k->legacy ? vector : vector * 2];
  gate[0] = bits(to, 15, 0) | (u64)code_selector(k) << 16 | (u64)ist << 32 | (u64)GATE_INTERRUPT << 40 |
            (u64)dpl << 45 | BIT(47) | bits(to, 31, 16) << 48;
  if (!k->legacy) gate[1] = to >> 32;
}

static void build_idt(struct kernel *k) {
  static const u8 ist[LINUX_EXCEPTIONS] = {
    [VEC_DF] = IST_DF, [VEC_NMI] = IST_NMI, [VEC_DB] = IST_DB, [VEC_MC] = IST_MC};
  const struct rom_entry64_table *s = kernel_stub_table(k);
  for (unsigned v = 0; v < LINUX_EXCEPTIONS; v++)
    set_gate(k, v, s->exception[v], k->legacy ? 0 : ist[v], v == VEC_BP || v == VEC_OF ? 3 : 0);
  set_gate(k, VEC_SYSCALL, s->int80, 0, 3);
  set_gate(k, KERNEL_VEC_SIGNAL, s->exception[KERNEL_SIGNAL_STUB], 0, 0);
}

static void build_tss(struct kernel *k) {
  u8 *tss = page(k, KPAGE_TSS);
  st16(tss + TSS_IOMAP, TSS_BYTES); /* beyond the limit: no port is open */
  if (k->legacy) {
    st32(tss + TSS32_ESP0, (u32)stack_top(k));
    st32(tss + TSS32_SS0, SEL_KERNEL_DS);
    return;
  }
  st64(tss + TSS_RSP0, stack_top(k));
  for (unsigned i = 0; i < IST_COUNT; i++) st64(tss + TSS_IST1 + 8 * i, ist_top(k, i + 1));
  st64(tss + KERNEL_PERCPU + PERCPU_STACK_TOP, stack_top(k));
}

static int build_tables(struct kernel *k) {
  struct pagetable *pt = &k->pt;
  pt->legacy = k->legacy;
  pt->host = page(k, KPAGE_TABLES);
  pt->gpa = k->gpa + (u64)KPAGE_TABLES * PAGE_SIZE;
  pt->pages = k->size / PAGE_SIZE - KPAGE_TABLES;
  pt->used = 1;
  for (unsigned n = 0; n < MAPPED_PAGES; n++) {
    void *at = pt_make(pt, linear(k, n), false);
    if (!at) return -ENOMEM;
    u64 e = (k->gpa + (u64)n * PAGE_SIZE) | PTE_P | PTE_A | PTE_D | PTE_G;
    if (n != KPAGE_STUB) e |= PTE_RW | (kernel_has_nx(k) ? PTE_NX : 0);
    pt_set(pt, at, e);
  }
  pt_keep(pt);
  return 0;
}

int kernel_build(struct kernel *k, struct vm *vm, const struct cpu_model *model, u64 gpa) {
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void *host = MAP_FAILED;
  for (k->size = KERNEL_REGION_MAX; k->size >= KERNEL_REGION_MIN; k->size /= 2) { /* ulimit -v, -d */
    host = mmap(NULL, k->size, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (host != MAP_FAILED) break;
  }
  if (host == MAP_FAILED) return -ENOMEM;
  k->legacy = !model_has(model, FEAT_LM);
  k->nx = !k->legacy && model_has(model, FEAT_NX);
  k->linear = k->legacy ? KERNEL32_LINEAR : KERNEL_LINEAR;
  k->host = host;
  k->gpa = gpa;
  const u8 *rom = k->legacy ? rom_entry32 : rom_entry64;
  const u32 rom_size = k->legacy ? rom_entry32_size : rom_entry64_size;
  struct phys_region region = {.base = gpa, .size = k->size, .host = k->host};
  if (rom_size > PAGE_SIZE || phys_add(&vm->mem, &region) || build_tables(k)) {
    kernel_free(k);
    return -ENOMEM;
  }
  build_gdt(k);
  build_idt(k);
  build_tss(k);
  memcpy(page(k, KPAGE_STUB), rom, rom_size);
  vm->hypercall_first = kernel_stubs(k);
  vm->hypercall_last = kernel_stubs(k) + PAGE_SIZE - 1;
  return 0;
}

void kernel_free(struct kernel *k) {
  if (k->host) munmap(k->host, k->size);
  k->host = NULL;
}

void *kernel_ptr(const struct kernel *k, u64 at, u64 len) {
  u64 off = at - k->linear, size = (u64)MAPPED_PAGES * PAGE_SIZE;
  return off < size && len <= size - off ? k->host + off : NULL;
}

/* --- The processor --- */

u64 kernel_xcr0(const struct cpu_model *m) {
  if (!model_has(m, FEAT_XSAVE)) return XCR0_X87;
  return xstate_supported(m) & ~(lx_has_keys(m) ? 0 : XCR0_PKRU);
}

/* UMIP stays clear, as in a Linux without CONFIG_X86_UMIP: SGDT, SIDT, SLDT, SMSW and STR tell of this kernel. */
static void set_control_registers(struct kernel *k, struct cpu *cpu) {
  const struct cpu_model *m = cpu->model;
  static const struct { enum feature feature; u64 bit; } optional[] = {
    {FEAT_DE, CR4_DE}, {FEAT_MCE, CR4_MCE}, {FEAT_PGE, CR4_PGE}, {FEAT_FSGSBASE, CR4_FSGSBASE},
    {FEAT_SMEP, CR4_SMEP}, {FEAT_SMAP, CR4_SMAP}, {FEAT_XSAVE, CR4_OSXSAVE}, {FEAT_FXSR, CR4_OSFXSR},
    {FEAT_SSE, CR4_OSXMMEXCPT},
  };
  cpu->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
  cpu->cr3 = k->pt.gpa;
  cpu->cr4 = k->legacy ? 0 : CR4_PAE;
  for (unsigned i = 0; i < ARRAY_SIZE(optional); i++)
    if (model_has(m, optional[i].feature)) cpu->cr4 |= optional[i].bit;
  cpu->xcr0 = kernel_xcr0(m);
  cpu->pkru = 0;
  if (lx_has_keys(m)) {
    cpu->cr4 |= CR4_PKE;
    cpu->pkru = PKRU_INITIAL;
  }
}

static void set_msrs(struct kernel *k, struct cpu *cpu) {
  const struct rom_entry64_table *s = kernel_stub_table(k);
  u64 stub = kernel_stubs(k);
  if (k->legacy) return;
  cpu->msr[MSR_EFER] = EFER_SCE | EFER_LME | EFER_LMA | (kernel_has_nx(k) ? EFER_NXE : 0);
  cpu->msr[MSR_STAR] = LINUX_STAR;
  cpu->msr[MSR_LSTAR] = stub + s->syscall64;
  cpu->msr[MSR_CSTAR] = stub + s->syscall32;
  cpu->msr[MSR_FMASK] = LINUX_FMASK;
  cpu->msr[MSR_SYSENTER_CS] = SEL_KERNEL_CS;
  cpu->msr[MSR_SYSENTER_ESP] = stack_top(k);
  cpu->msr[MSR_SYSENTER_EIP] = stub + s->sysenter32;
  cpu->msr[MSR_KERNEL_GS_BASE] = linear(k, KPAGE_TSS) + KERNEL_PERCPU; /* the user's is in GS already */
}

static struct seg seg_of(u16 sel, u64 d) {
  u32 limit = (u32)(bits(d, 15, 0) | bits(d, 51, 48) << 16);
  struct seg s = {.sel = sel, .attr = (u32)(d >> 40) & 0xf0ffu, .limit = limit};
  if (s.attr & SEG_G) s.limit = limit << 12 | 0xfff;
  s.base = bits(d, 39, 16) | bits(d, 63, 56) << 24;
  return s;
}

static void set_segments(const struct kernel *k, struct cpu *cpu) {
  static const struct seg null = {.attr = SEG_NULL};
  for (unsigned i = 0; i < SREG_COUNT; i++) cpu->seg[i] = null;
  cpu->seg[CS] = seg_of(code_selector(k), gdt_flat[code_selector(k) >> 3]);
  cpu->seg[SS] = seg_of(SEL_KERNEL_DS, gdt_flat[SEL_KERNEL_DS >> 3]);
  cpu->ldtr = null;
  cpu->tr = (struct seg){.sel = SEL_TSS, .attr = 0x8b, .limit = TSS_BYTES - 1, .base = linear(k, KPAGE_TSS)};
  cpu->gdtr = (struct dtable){.base = linear(k, KPAGE_GDT), .limit = GDT_ENTRIES * 8 - 1};
  cpu->idtr = (struct dtable){.base = linear(k, KPAGE_IDT), .limit = PAGE_SIZE - 1};
}

/* What the stub's IRET pops; returns where it is. */
static u64 push_frame(struct kernel *k, const struct pt_regs *r) {
  const u64 words[] = {r->ip, r->cs, r->flags, r->sp, r->ss};
  u64 n = ARRAY_SIZE(words), width = k->legacy ? 4 : 8, at = stack_top(k) - n * width;
  for (u64 i = 0; i < n; i++) memcpy(k->host + (at - k->linear) + i * width, &words[i], width);
  return at;
}

void kernel_enter_user(struct kernel *k, struct cpu *cpu, const struct pt_regs *r) {
  cpu_reset(cpu);
  set_control_registers(k, cpu);
  set_msrs(k, cpu);
  set_segments(k, cpu);
  for (unsigned i = 0; i < REG_ZERO; i++) cpu->gpr[i] = 0;
  cpu->gpr[RSP] = push_frame(k, r);
  cpu->rip = kernel_stubs(k) + kernel_stub_table(k)->iretq;
  cpu->cpl = 0;
  cpu_set_eflags(cpu, EF_1);
  memset(&cpu->x87, 0, sizeof cpu->x87);
  cpu->x87.fcw = 0x37f;
  cpu->x87.empty = 0xff;
  cpu->mxcsr = 0x1f80;
  cpu_update_mode(cpu);
}

/* --- Segments --- */

static bool usable_data(u64 d) {
  u32 attr = (u32)(d >> 40) & 0xffu;
  bool readable = !(attr & SEG_CODE) || (attr & SEG_READABLE);
  return (attr & SEG_P) && (attr & SEG_S) && readable && (attr & SEG_DPL) == SEG_DPL;
}

int lx_load_seg(struct task *t, enum sreg reg, u16 sel) {
  struct cpu *cpu = t->cpu;
  struct seg s = {.attr = SEG_NULL};
  const u64 *gdt = (const u64 *)page(&t->lvm->kernel, KPAGE_GDT);
  bool null = sel < 4, ok = !null && !(sel & 4) && sel >> 3 < GDT_ENTRIES && usable_data(gdt[sel >> 3]);
  if (ok)
    s = seg_of(sel, gdt[sel >> 3]);
  else if (null)
    s.sel = sel;
  if (reg == GS && !t->lvm->kernel.legacy) {
    /* SWAPGS exchanges the base alone, so the rest of GS is the user's already. */
    cpu->msr[MSR_KERNEL_GS_BASE] = s.base;
    s.base = cpu->seg[GS].base;
  }
  cpu->seg[reg] = s;
  cpu_update_mode(cpu);
  return ok || null ? 0 : -1;
}

u64 lx_fs_base(const struct task *t) { return t->cpu->seg[FS].base; }
u64 lx_gs_base(const struct task *t) {
  return t->lvm->kernel.legacy ? t->cpu->seg[GS].base : t->cpu->msr[MSR_KERNEL_GS_BASE];
}

void lx_set_fs_base(struct task *t, u64 base) {
  t->cpu->seg[FS].base = base;
  cpu_update_mode(t->cpu);
}

void lx_set_gs_base(struct task *t, u64 base) {
  if (!t->lvm->kernel.legacy) t->cpu->msr[MSR_KERNEL_GS_BASE] = base;
  else t->cpu->seg[GS].base = base;
}

u64 kernel_tls(const struct kernel *k, unsigned index) {
  return ((const u64 *)page(k, KPAGE_GDT))[GDT_TLS + index];
}

void kernel_set_tls(struct kernel *k, unsigned index, u64 descriptor) {
  ((u64 *)page(k, KPAGE_GDT))[GDT_TLS + index] = descriptor;
}
