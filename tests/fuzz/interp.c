/* Random code in every mode, on a machine with real descriptor tables, page tables, tasks and handlers:
 * whatever it does must end in a guest fault, a stop or the end of its budget, never in a fault of the host.
 * An input is
 *
 *   byte 0      bits 0-2: enum kind; bits 3-4: paging, in long mode 4 or 5 levels, else none, 32-bit, with
 *               PSE, PAE; bit 5: ring 0, else ring 3; bit 6: vendor amd; bit 7: TF
 *   byte 1      bit 0: EFLAGS.AC with CR0.AM; bit 1: IOPL 3; bit 2: DS and SS not flat; bit 3: single steps;
 *               bit 4: debug registers; bit 5: CR0.WP clear; bit 6: with a recorder; bit 7: a dry run of the
 *               first instruction before
 *   byte 2      CR4: SMEP, SMAP, PKE, UMIP, VME and PVI, DE, TSD, PCIDE (in long mode)
 *   byte 3      bit 0: an interrupt is pending, bit 1: an NMI; bit 2: IF; bit 3: NT; bit 4: DEBUGCTL.BTF;
 *               bit 5: all accessed bits of the GDT clear; bit 6: the GDT's page is read-only; bit 7: a
 *               16-bit TSS (not in long mode)
 *   bytes 4-11  seed of the registers
 *   the rest    code, at CODE
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "cpu/event.h"
#include "cpu/record.h"
#include "cpu/vm.h"
#include "cpu/whatif.h"

enum {
  RAM = 256 << 10, PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, PT = 0x4000, GDT = 0x5000, LDT = 0x5800,
  PDPTES = 0x5c00, IDT = 0x6000, TSS = 0x7000, TSS_OLD = 0x7100, TASK_A = 0x7200, TASK_B = 0x7300,
  TASK_C = 0x7400, STUB = 0x8000, IDT_OLD = 0x9000, KSTACK = 0xa000, PT32 = 0xb000, IST = 0xc000,
  PML5 = 0xd000, PD32 = 0xe000, USER = 0x10000, CODE = 0x20000, READONLY = 0x30000, NOEXEC = 0x31000,
  ABSENT = 0x32000, RESERVED = 0x33000, BUDGET = 400, HEADER = 12, GDT_LIMIT = 0xff,
};
enum {
  K32 = 0x08, K64 = 0x10, KDS = 0x18, U32 = 0x23, UDS = 0x2b, U64 = 0x33, TSS_SEL = 0x40, U16 = 0x53,
  SMALL_DS = 0x5b, K16 = 0x60, CONFORMING = 0x68, LDT_SEL = 0x70, TASK_A_SEL = 0x80, TASK_B_SEL = 0x88,
  TASK_GATE = 0x90, CALL_GATE64 = 0x98, DOWN_DS = 0xa8, STACK16 = 0xb3, NO_DS = 0xb8, CALL_GATE32 = 0xc0,
  CALL_GATE16 = 0xc8, TASK_C_SEL = 0xd0, TSS_OLD_SEL = 0xd8, UNUSED_LDT = 0xe0,
};
enum kind { LONG64, COMPAT32, COMPAT16, PROT32, PROT16, VM86, REAL, UNREAL };

struct bench {
  struct vm *vm;
  struct cpu *cpu;
  u8 *ram, *clean;
  struct cpu_model model[2];
  struct recorder recorder;
  struct whatif dry;
};

struct setup { /* the header */
  enum kind kind;
  unsigned paging;
  bool ring0, amd;
  u8 how, cr4, more;
  u64 seed;
};

static void put(u8 *ram, u64 at, u64 v, unsigned n) { memcpy(ram + at, &v, n); }
static u64 descriptor(u32 base, u32 limit, unsigned access, unsigned flags) {
  return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit >> 16 & 15) << 48 |
         (u64)flags << 52 | (u64)(base >> 24) << 56;
}
static u64 gate(unsigned sel, u32 offset, unsigned access, unsigned low) {
  return (offset & 0xffff) | (u64)sel << 16 | (u64)low << 32 | (u64)access << 40 | (u64)(offset >> 16) << 48;
}

/* Supervisor below USER, user above; some pages with less. The same once more at 2 MiB (32-bit paging: 4 MiB)
 * and at 1 GiB, by large pages. */
static void build_pages(u8 *ram) {
  put(ram, PML5, PML4 | 7, 8);
  put(ram, PML4, PDPT | 7, 8);
  put(ram, PDPT, PD | 7, 8);
  put(ram, PDPT + 8, 0x187, 8);
  put(ram, PD, PT | 7, 8);
  put(ram, PD + 8, 0x187, 8);
  put(ram, PDPTES, PD | 1, 8);
  put(ram, PDPTES + 8, PD | 1, 8);
  put(ram, PD32, PT32 | 7, 4);
  put(ram, PD32 + 4, 0x187, 4);
  for (u64 p = 0; p < RAM; p += PAGE_SIZE) {
    u64 rights = p == READONLY ? 5 : p == ABSENT ? 0 : p >= USER ? 7 : 3;
    u64 high = p == NOEXEC ? PTE_NX : p == RESERVED ? BIT(51) : p == USER ? UINT64_C(3) << 60 : 0;
    put(ram, PT + p / PAGE_SIZE * 8, p | rights | high, 8);
    put(ram, PT32 + p / PAGE_SIZE * 4, p | rights, 4);
  }
}

static void build_gdt(u8 *ram) {
  static const struct { u8 sel, access, flags; u16 limit; u32 base; } seg[] = {
      {K32, 0x9b, 0xc, 0xffff, 0},
      {K64, 0x9b, 0xa, 0xffff, 0},
      {KDS, 0x93, 0xc, 0xffff, 0},
      {U32, 0xfb, 0xc, 0xffff, 0},
      {UDS, 0xf3, 0xc, 0xffff, 0},
      {U64, 0xfb, 0xa, 0xffff, 0},
      {TSS_SEL, 0x8b, 0, 0xef, TSS},
      {U16, 0xfb, 0, 0xffff, CODE},
      {SMALL_DS, 0xf3, 5, 0x1fff, USER},
      {K16, 0x9b, 0, 0xffff, CODE},
      {CONFORMING, 0x9f, 0xc, 0xffff, 0},
      {LDT_SEL, 0xe2, 0, 0x1f, LDT},
      {TASK_A_SEL, 0xe9, 0, 0x67, TASK_A},
      {TASK_B_SEL, 0xe1, 0, 0x2b, TASK_B},
      {DOWN_DS, 0xf7, 4, 0x1fff, USER},
      {STACK16, 0xf3, 0, 0xffff, USER},
      {NO_DS, 0x73, 0xc, 0xffff, 0},
      {TASK_C_SEL, 0xeb, 0, 0x67, TASK_C},
      {TSS_OLD_SEL, 0x8b, 0, 0xef, TSS_OLD},
      {UNUSED_LDT, 0x82, 0, 7, LDT}};
  for (unsigned k = 0; k < ARRAY_SIZE(seg); k++) {
    u32 limit = seg[k].limit | (seg[k].flags & 8 ? 0xf0000u : 0);
    put(ram, GDT + (seg[k].sel & ~7u), descriptor(seg[k].base, limit, seg[k].access, seg[k].flags), 8);
  }
  put(ram, GDT + TASK_GATE, gate(TASK_A_SEL, 0, 0xe5, 0), 8);
  put(ram, GDT + CALL_GATE64, gate(K64, STUB + 0x10, 0xec, 0), 8);
  put(ram, GDT + CALL_GATE32, gate(K32, STUB + 0x50, 0xec, 2), 8);
  put(ram, GDT + CALL_GATE16, gate(K16, 0x100, 0xe4, 3), 8);
  put(ram, LDT, descriptor(0, 0xfffff, 0xf3, 0xc), 8);
  put(ram, LDT + 8, descriptor(0, 0xfffff, 0xfb, 0xc), 8);
}

/* 80h returns, 81h and 82h are task gates where there are tasks; the others end the run. */
static void build_idts(u8 *ram) {
  for (unsigned v = 0; v < 256; v++) {
    unsigned open = v == 3 || v == 4 || (v >= 0x80 && v < 0x90) ? 0x60 : 0, ist = v == 8 || v == 1;
    u32 to = v == 0x80 ? STUB + 0x10 : STUB, to32 = v == 0x80 ? STUB + 0x40 : STUB;
    put(ram, IDT + v * 16, gate(K64, to, 0x8e | open, ist), 8);
    put(ram, IDT + v * 16 + 8, 0, 8);
    put(ram, IDT_OLD + v * 8, gate(K32, to32, 0x8e | open, 0), 8);
    put(ram, v * 4, (v == 0x80 ? 0x40 : 0) | STUB >> 4 << 16, 4);
  }
  put(ram, IDT_OLD + 0x81 * 8, gate(TASK_A_SEL, 0, 0xe5, 0), 8);
  put(ram, IDT_OLD + 0x82 * 8, gate(TASK_B_SEL, 0, 0xe5, 0), 8);
  put(ram, IDT_OLD + 0x83 * 8, gate(K16, 0x200, 0xe6, 0), 8);
}

static void build_task32(u8 *ram, u64 at, u32 flags, bool vm86) {
  static const u16 segs[2][6] = {{UDS, U32, UDS, UDS, SMALL_DS, 0},
                                 {0x1000, 0x2000, 0x1000, 0x3000, 0xffff, 0}};
  put(ram, at + 0x20, vm86 ? 0x10 : CODE + 0x10, 4);
  put(ram, at + 0x24, flags | (vm86 ? (u32)EF_VM : 0), 4);
  put(ram, at + 0x38, vm86 ? 0x800 : USER + 0x4000, 4);
  for (unsigned k = 0; k < 6; k++) put(ram, at + 0x48 + k * 4, segs[vm86][k], 2);
  put(ram, at + 0x60, vm86 ? 0 : LDT_SEL, 2);
}

static void build_tasks(u8 *ram) {
  put(ram, TSS + 4, KSTACK + 0x1000, 8);
  put(ram, TSS + 0x24, IST + 0x1000, 8);
  put(ram, TSS + 0x66, 0x88, 2);
  put(ram, TSS_OLD, TASK_C_SEL, 2);
  put(ram, TSS_OLD + 4, KSTACK + 0x1000, 4);
  put(ram, TSS_OLD + 8, KDS, 2);
  put(ram, TSS_OLD + 0x66, 0x88, 2);
  build_task32(ram, TASK_A, 0x202, false);
  build_task32(ram, TASK_C, 0x3002, true);
  put(ram, TASK_A + 0x64, 1, 2);
  put(ram, TASK_B + 0x0e, 0x20, 2);
  put(ram, TASK_B + 0x10, 0x102, 2);
  put(ram, TASK_B + 0x1a, 0x3000, 2);
  static const u16 segs[4] = {STACK16, U16, STACK16, UDS};
  for (unsigned k = 0; k < 4; k++) put(ram, TASK_B + 0x22 + k * 2, segs[k], 2);
}

static void build_stubs(u8 *ram) {
  static const u8 stub[] = {0x0f, 0x01, 0xc1, 0xf4},                  /* VMCALL; HLT */
      gate80[] = {0x48, 0xcf},                                       /* IRETQ */
      sysret[] = {0x48, 0x0f, 0x07}, sysexit[] = {0x48, 0x0f, 0x35}, /* SYSRETQ; SYSEXIT with REX.W */
      iret[] = {0xcf}, retf[] = {0xca, 8, 0};
  memcpy(ram + STUB, stub, sizeof stub);
  memcpy(ram + STUB + 0x10, gate80, sizeof gate80);
  memcpy(ram + STUB + 0x20, sysret, sizeof sysret);
  memcpy(ram + STUB + 0x30, sysexit, sizeof sysexit);
  memcpy(ram + STUB + 0x40, iret, sizeof iret);
  memcpy(ram + STUB + 0x50, retf, sizeof retf);
}

static void on_hypercall(void *opaque, struct cpu *cpu) {
  (void)opaque;
  cpu_stop(cpu);
}
static int on_acknowledge(void *opaque, struct cpu *cpu) {
  (void)opaque;
  cpu_set_intr(cpu, false);
  return 0x80;
}

/* One repetition may be four thousand million iterations. It looks at cpu_stop() between them, and gets one
 * when a run lasts beyond the second tick. */
static struct watchdog {
  struct cpu *cpu;
  volatile sig_atomic_t ticks;
} watchdog;

static void on_tick(int sig) {
  (void)sig;
  watchdog.ticks = watchdog.ticks + 1;
  if (watchdog.ticks > 1) cpu_stop(watchdog.cpu);
}

static void watchdog_start(struct cpu *cpu) {
  struct sigaction act = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  struct itimerspec every = {.it_interval.tv_nsec = 20000000, .it_value.tv_nsec = 20000000};
  timer_t timer;
  watchdog.cpu = cpu;
  if (sigaction(SIGRTMIN, &act, NULL) || timer_create(CLOCK_MONOTONIC, &how, &timer) ||
      timer_settime(timer, 0, &every, NULL))
    abort();
}

static void add_features(struct cpu_model *m) {
  static const s16 more[] = {FEAT_LA57, FEAT_PKU, FEAT_PCID, FEAT_INVPCID,
                             FEAT_UMIP, FEAT_SMEP, FEAT_SMAP, FEAT_MONITOR};
  for (unsigned k = 0; k < ARRAY_SIZE(more); k++) m->has[more[k]] = true;
}

static struct bench *bench_create(void) {
  struct bench *b = calloc(1, sizeof *b);
  if (!b) abort();
  b->model[0] = *model_default(VENDOR_INTEL);
  b->model[1] = *model_default(VENDOR_AMD);
  add_features(&b->model[0]);
  add_features(&b->model[1]);
  b->vm = vm_create();
  b->cpu = b->vm ? cpu_create(b->vm, &b->model[0]) : NULL;
  b->ram = aligned_alloc(PAGE_SIZE, RAM);
  b->clean = calloc(1, RAM);
  if (!b->cpu || !b->ram || !b->clean) abort();
  build_pages(b->clean);
  build_gdt(b->clean);
  build_idts(b->clean);
  build_tasks(b->clean);
  build_stubs(b->clean);
  memcpy(b->ram, b->clean, RAM);
  if (phys_add(&b->vm->mem, &(struct phys_region){.size = RAM, .host = b->ram})) abort();
  b->vm->hooks.hypercall = on_hypercall;
  b->vm->hooks.inta = on_acknowledge;
  b->vm->hypercall_first = STUB;
  b->vm->hypercall_last = STUB;
  watchdog_start(b->cpu);
  return b;
}

/* ---- one run ---- */

static bool is_long(const struct setup *s) { return s->kind <= COMPAT16; }
static bool is_8086(const struct setup *s) { return s->kind >= VM86; }

/* A segment register as its descriptor says. */
static void load(struct bench *b, enum sreg r, u16 sel) {
  u64 d = ld64(b->clean + GDT + (sel & 0xfff8));
  u32 attr = (u32)(d >> 40) & 0xf0ff, limit = (u32)(bits(d, 15, 0) | bits(d, 51, 48) << 16);
  b->cpu->seg[r] = (struct seg){.sel = sel, .attr = attr, .base = bits(d, 39, 16) | bits(d, 63, 56) << 24,
                                .limit = attr & SEG_G ? limit << 12 | 0xfff : limit};
}

static void set_8086_segments(struct cpu *c, const struct setup *s) {
  static const u16 sel[SREG_COUNT] = {0x1000, CODE >> 4, 0x1000, 0x1000, 0x2fff, 0xffff};
  u32 attr = SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED | (s->kind == VM86 ? SEG_DPL : 0);
  u32 limit = s->kind == UNREAL ? ~UINT32_C(0) : 0xffff;
  for (unsigned r = 0; r < SREG_COUNT; r++)
    c->seg[r] = (struct seg){.sel = sel[r], .base = (u64)sel[r] << 4, .limit = limit, .attr = attr};
}

static void set_segments(struct bench *b, const struct setup *s) {
  static const u16 code[2][5] = {{U64, U32, U16, U32, U16}, {K64, K32, K16, K32, K16}};
  struct cpu *c = b->cpu;
  c->cpl = s->kind == VM86 || (s->kind < VM86 && !s->ring0) ? 3 : 0;
  if (is_8086(s)) {
    set_8086_segments(c, s);
    return;
  }
  u16 data = s->ring0 ? KDS : UDS;
  for (unsigned r = 0; r < SREG_COUNT; r++) load(b, (enum sreg)r, data);
  load(b, CS, code[s->ring0][s->kind]);
  if (!(s->how & 4)) return;
  load(b, DS, DOWN_DS | 3);
  load(b, FS, SMALL_DS);
  if (!s->ring0 && s->kind != LONG64) load(b, SS, s->seed & 1 ? SMALL_DS : STACK16);
}

static void set_control(struct cpu *c, const struct setup *s) {
  static const u32 bits4[8] = {CR4_SMEP, CR4_SMAP, CR4_PKE, CR4_UMIP, CR4_VME | CR4_PVI, CR4_DE, CR4_TSD, 0};
  bool wide = is_long(s), paged = wide || (s->paging && s->kind < REAL);
  c->cr0 = CR0_NE | CR0_ET | CR0_MP | (s->kind < REAL ? CR0_PE : 0) | (paged ? CR0_PG : 0) |
           (s->how & 1 ? CR0_AM : 0) | (s->how & 0x20 ? 0 : CR0_WP);
  c->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_PGE;
  for (unsigned k = 0; k < 8; k++)
    if (s->cr4 >> k & 1) c->cr4 |= bits4[k];
  c->pkru = (u32)(s->seed >> 32);
  c->msr[MSR_EFER] = EFER_SCE | EFER_NXE | (wide ? EFER_LME | EFER_LMA : 0);
  if (wide) {
    c->cr3 = s->paging & 1 ? PML5 : PML4;
    c->cr4 |= CR4_PAE | (s->paging & 1 ? CR4_LA57 : 0) | (s->cr4 & 0x80 ? CR4_PCIDE : 0);
  } else {
    c->cr3 = s->paging == 3 ? PDPTES : PD32;
    c->cr4 |= s->paging == 3 ? CR4_PAE : s->paging == 2 ? CR4_PSE : 0;
    c->pdpte[0] = c->pdpte[1] = PD | 1;
  }
}

static void set_system(struct cpu *c, const struct setup *s) {
  bool wide = is_long(s);
  c->msr[MSR_STAR] = (u64)(U32 & ~3) << 48 | (u64)(wide ? K64 : K32) << 32 | STUB;
  c->msr[MSR_LSTAR] = c->msr[MSR_CSTAR] = STUB + 0x20;
  c->msr[MSR_FMASK] = EF_TF | EF_IF | EF_DF | EF_NT | EF_AC;
  c->msr[MSR_SYSENTER_CS] = wide ? K64 : K32;
  c->msr[MSR_SYSENTER_EIP] = STUB + 0x30;
  c->msr[MSR_SYSENTER_ESP] = KSTACK + 0x1000;
  c->msr[MSR_DEBUGCTL] = s->more & 0x10 ? DEBUGCTL_BTF : 0;
  c->gdtr = (struct dtable){GDT, GDT_LIMIT};
  c->idtr = wide              ? (struct dtable){IDT, 0xfff}
            : s->kind >= REAL ? (struct dtable){0, 0x3ff}
                              : (struct dtable){IDT_OLD, 0x7ff};
  c->ldtr = (struct seg){.sel = LDT_SEL, .base = LDT, .limit = 0x1f, .attr = SEG_P | 2};
  u32 tss = SEG_P | (s->more & 0x80 && !wide ? 3 : 11);
  c->tr = (struct seg){.sel = TSS_OLD_SEL, .base = TSS_OLD, .limit = 0xef, .attr = tss};
  if (wide) c->tr = (struct seg){.sel = TSS_SEL, .base = TSS, .limit = 0xef, .attr = tss};
  if (!(s->how & 0x10)) return;
  c->dr[0] = CODE + (s->seed >> 8 & 15);
  c->dr[1] = USER + (s->seed >> 16 & 0xffff);
  c->dr[2] = s->seed >> 24 & 0xff;
  c->dr[3] = USER + 0x7ff0 + (s->seed >> 12 & 31);
  c->dr[7] = (s->seed >> 32 & 0xffff23ff) | DR7_FIXED;
}

static void set_registers(struct cpu *c, const struct setup *s) {
  static const u32 above[16] = {[6] = 0x200000, [9] = 0x400000, [12] = 0x40000000};
  u64 x = s->seed * 2 + 1;
  for (unsigned r = 0; r < 16; r++) { /* addresses, in large pages too, small numbers, and noise */
    x = x * 6364136223846793005u + 1442695040888963407u;
    c->gpr[r] = r % 3 == 0 ? USER + (x >> 40) % (RAM - USER) + above[r] : r % 3 == 1 ? x >> 58 : x;
    if (!is_long(s)) c->gpr[r] = (u32)c->gpr[r];
  }
  c->gpr[RSP] = (is_8086(s) ? 0 : USER) + 0x8000 + (x >> 60);
  c->rip = is_8086(s) || s->kind == COMPAT16 || s->kind == PROT16 ? 0 : CODE;
  u32 flags = EF_1;
  if (s->kind == VM86) flags |= EF_VM;
  if (s->how & 1) flags |= EF_AC;
  if (s->how & 2) flags |= EF_IOPL;
  if (s->more & 4) flags |= EF_IF;
  if (s->more & 8) flags |= EF_NT;
  cpu_set_eflags(c, flags);
}

static void set_state(struct bench *b, const struct setup *s, bool tf) {
  struct cpu *c = b->cpu;
  c->model = &b->model[s->amd];
  cpu_reset(c);
  set_control(c, s);
  set_system(c, s);
  set_segments(b, s);
  set_registers(c, s);
  if (tf) c->eflags |= EF_TF;
  c->step_request = s->how & 8;
  c->recorder = s->how & 0x40 ? &b->recorder : NULL;
  b->recorder = (struct recorder){.invert = -1};
  cpu_update_mode(c);
  cpu_tlb_flush(c);
  c->stop = 0; /* a late tick of the run before */
  cpu_set_intr(c, s->more & 1);
  if (s->more & 2) cpu_send_nmi(c);
}

/* Memory as it was built, but for the code and what the header changes. Ring 0's code is in a supervisor's
 * page. */
static void set_memory(struct bench *b, const struct setup *s, const u8 *code, size_t n) {
  for (u64 p = 0; p < RAM; p += PAGE_SIZE) {
    if (!memcmp(b->ram + p, b->clean + p, PAGE_SIZE)) continue;
    memcpy(b->ram + p, b->clean + p, PAGE_SIZE);
    vm_code_changed(b->vm, p, PAGE_SIZE);
  }
  memcpy(b->ram + CODE, code, n);
  vm_code_changed(b->vm, CODE, n);
  if (s->ring0 && s->kind < VM86) {
    b->ram[PT + CODE / PAGE_SIZE * 8] &= (u8)~PTE_US;
    b->ram[PT32 + CODE / PAGE_SIZE * 4] &= (u8)~PTE_US;
  }
  if (s->more & 0x40) {
    b->ram[PT + GDT / PAGE_SIZE * 8] &= (u8)~PTE_RW;
    b->ram[PT32 + GDT / PAGE_SIZE * 4] &= (u8)~PTE_RW;
  }
  for (unsigned k = 0; k < GDT_LIMIT && s->more & 0x20; k += 8)
    if (b->ram[GDT + k + 5] & 0x10) b->ram[GDT + k + 5] &= (u8)~SEG_ACCESSED;
  u32 cr3 = s->paging == 3 ? PDPTES : PD32;
  put(b->ram, TASK_A + 0x1c, cr3, 4);
  put(b->ram, TASK_C + 0x1c, cr3 | (s->seed >> 60), 4);
}

/* The dry run leaves everything as it is. */
static void dry_run(struct bench *b, const struct setup *s, const u8 *code, size_t n) {
  u64 gpr[16], rip = b->cpu->rip;
  u32 flags = cpu_eflags(b->cpu);
  u8 *before = malloc(RAM);
  if (!before) abort();
  memcpy(gpr, b->cpu->gpr, sizeof gpr);
  memcpy(before, b->ram, RAM);
  unsigned bytes = !(s->seed & 2) ? 0 : n < INSN_MAX_BYTES ? (unsigned)n : INSN_MAX_BYTES;
  (void)!cpu_whatif(b->cpu, bytes ? code : NULL, bytes, &b->dry);
  bool same = b->cpu->rip == rip && cpu_eflags(b->cpu) == flags && !memcmp(gpr, b->cpu->gpr, sizeof gpr);
  if (!same || memcmp(before, b->ram, RAM)) abort();
  free(before);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t n);
int LLVMFuzzerTestOneInput(const u8 *data, size_t n) {
  static struct bench *b; /* one for the fuzzer's life: making a machine costs more than a run */
  if (n <= HEADER || n > HEADER + 4096) return 0;
  if (!b) b = bench_create();
  struct setup s = {.kind = data[0] & 7, .paging = data[0] >> 3 & 3, .ring0 = data[0] >> 5 & 1,
                    .amd = data[0] >> 6 & 1, .how = data[1], .cr4 = data[2], .more = data[3],
                    .seed = ld64(data + 4)};
  set_memory(b, &s, data + HEADER, n - HEADER);
  set_state(b, &s, data[0] >> 7);
  if (s.how & 0x80) dry_run(b, &s, data + HEADER, n - HEADER);
  watchdog.ticks = 0;
  (void)cpu_run(b->cpu, BUDGET);
  return 0;
}
