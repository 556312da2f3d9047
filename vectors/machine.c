/* The machine a vector starts with: flat segments for every ring, gates to HLTs, a TSS with a stack for every
 * purpose, and in long mode page tables that show the memory to every ring. All accessed, dirty and busy bits
 * are set, so that what a vector does not name stays as it is. SDM 3A 3.4.5 (Segment Descriptors), 6.11 (IDT
 * Descriptors), 6.14.1 (64-Bit Mode IDT), 7.2.1 (Task-State Segment (TSS)), 7.7 (Task Management in 64-bit Mode). */
#include <string.h>

#include "cpu/seg.h"
#include "cpu/simd_state.h"
#include "cpu/x87.h"
#include "vectors/state.h"

static const char *const mode_names[VM_MODES] = {"long64", "compat32", "compat16", "prot32",
                                                 "prot16", "v86",      "real"};
const char *vec_mode_name(enum vec_mode m) { return mode_names[m]; }

u16 vm_cs32(u64 ring) {
  static const u16 sel[4] = {VM_CS32_0, VM_CS32_1 | 1, VM_CS32_2 | 2, VM_CS32_3 | 3};
  return sel[ring & 3];
}
u16 vm_cs64(u64 ring) {
  static const u16 sel[4] = {VM_CS64_0, VM_CS64_1 | 1, VM_CS64_2 | 2, VM_CS64_3 | 3};
  return sel[ring & 3];
}
u16 vm_ds(u64 ring) {
  static const u16 sel[4] = {VM_DS_0, VM_DS_1 | 1, VM_DS_2 | 2, VM_DS_3 | 3};
  return sel[ring & 3];
}

/* The running code's and its data's. */
static u16 code_sel(enum vec_mode mode, unsigned cpl) {
  return mode == VM_LONG64 ? vm_cs64(cpl) : mode_16bit(mode) ? vm_cs16(cpl) : vm_cs32(cpl);
}

static void put(struct vstate *st, u64 at, unsigned size, u64 v) { memcpy(st->ram + at, &v, size); }

static void descriptor(struct vstate *st, u16 sel, unsigned access, unsigned flags) {
  put(st, VM_GDT + (sel & ~7u), 8, 0xffff | (u64)access << 40 | UINT64_C(15) << 48 | (u64)flags << 52);
}
/* 64 KiB from base. */
static void descriptor16(struct vstate *st, u16 sel, unsigned access, u32 base) {
  put(st, VM_GDT + (sel & ~7u), 8, 0xffff | (u64)base << 16 | (u64)access << 40);
}

static void gdt(struct vstate *st) {
  for (unsigned r = 0; r < 4; r++) {
    descriptor(st, vm_cs32(r), 0x9b | r << 5, 0xc);
    descriptor(st, vm_cs64(r), 0x9b | r << 5, 0xa);
    descriptor(st, vm_ds(r), 0x93 | r << 5, 0xc);
    descriptor16(st, vm_cs16(r), 0x9b | r << 5, VM_CODE - VM_CODE16_OFF);
    descriptor16(st, vm_ss16(r), 0x93 | r << 5, VM_STACK - VM_STACK16_OFF);
    descriptor16(st, vm_ds16(r), 0x93 | r << 5, VM_DATA);
  }
  put(st, VM_GDT + VM_TSS_SEL, 8, VM_TSS_LIMIT | (u64)VM_TSS << 16 | UINT64_C(0x8b) << 40);
}

void vstate_gate(struct vstate *st, enum vec_mode mode, unsigned vec, u64 lo, u64 hi) {
  unsigned size = mode_gate_size(mode);
  put(st, mode_gates(mode) + vec * size, size < 8 ? size : 8, lo);
  if (size == 16) put(st, mode_gates(mode) + vec * size + 8, 8, hi);
}

/* Real mode has a table of far pointers. In virtual-8086 mode there is one more such table, at 0, for the
 * vectors that are redirected to the 8086 program: their handlers lie 4 KiB above. */
static void idt(struct vstate *st, enum vec_mode mode) {
  u16 cs = mode_long(mode) ? VM_CS64_0 : VM_CS32_0;
  for (unsigned v = 0; v < 256; v++) {
    u64 at = vm_handler(v), far = (u64)(VM_HANDLERS >> 4) << 16 | (at & 0xffff);
    st->ram[at] = 0xf4; /* HLT */
    if (mode == VM_V86) put(st, v * 4, 4, far + 0x1000);
    u64 gate = (at & 0xffff) | (u64)cs << 16 | UINT64_C(0x8e) << 40 | (at >> 16) << 48;
    vstate_gate(st, mode, v, mode == VM_REAL ? far : gate, 0);
  }
}

static void tss(struct vstate *st, enum vec_mode mode) {
  for (unsigned r = 0; r < 3; r++) {
    u64 top = VM_TSS_STACK + r * 0x1000;
    if (!mode_long(mode)) {
      put(st, VM_TSS + 4 + r * 8, 4, top);
      put(st, VM_TSS + 8 + r * 8, 2, vm_ds(r));
    } else {
      put(st, VM_TSS + 4 + r * 8, 8, top);
    }
  }
  for (unsigned n = 1; n < 8 && mode_long(mode); n++) put(st, VM_TSS + 28 + n * 8, 8, VM_IST + n * 0x1000);
  put(st, VM_TSS + 102, 2, VM_IOMAP);
  memset(st->ram + VM_TSS + 104, 0xff, VM_TSS_LIMIT + 1 - 104); /* no port is open, no vector redirected */
}

static void pages(struct vstate *st) {
  const u64 all = PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D;
  put(st, VM_PML4, 8, VM_PDPT | (all & ~PTE_D));
  put(st, VM_PDPT, 8, VM_PD | (all & ~PTE_D));
  put(st, VM_PD, 8, VM_PT | (all & ~PTE_D));
  for (unsigned k = 0; k < VM_RAM >> PAGE_SHIFT; k++) put(st, VM_PT + k * 8, 8, (u64)k << PAGE_SHIFT | all);
}

static void msrs(struct vstate *st, const struct cpu_model *model, enum vec_mode mode) {
  msr_reset_all(model, st->msr);
  st->msr[MSR_EFER] = EFER_SCE | EFER_NXE | (mode_long(mode) ? EFER_LME | EFER_LMA : 0);
  st->msr[MSR_STAR] = (u64)(VM_CS32_3 | 3) << 48 | (u64)VM_CS64_0 << 32 | vm_handler(0xf3);
  st->msr[MSR_LSTAR] = vm_handler(0xf0);
  st->msr[MSR_CSTAR] = vm_handler(0xf1);
  st->msr[MSR_FMASK] = EF_TF | EF_IF | EF_DF | EF_NT;
  st->msr[MSR_SYSENTER_CS] = VM_CS64_0;
  st->msr[MSR_SYSENTER_ESP] = VM_TSS_STACK - 0x100;
  st->msr[MSR_SYSENTER_EIP] = vm_handler(0xf2);
}

/* SDM 3B 20.1.1 (Address Translation in Real-Address Mode), 20.2.1 (Enabling Virtual-8086 Mode) */
struct seg vstate_segment8086(u16 sel, bool v86) {
  return (struct seg){.sel = sel, .base = (u64)sel << 4, .limit = 0xffff,
                      .attr = SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED | (v86 ? SEG_DPL : 0)};
}

static void segments(struct vstate *st, enum vec_mode mode, unsigned cpl) {
  u16 data = mode_16bit(mode) ? vm_ds16(cpl) : vm_ds(cpl);
  st->seg[CS] = vstate_descriptor(st, code_sel(mode, cpl));
  st->seg[DS] = st->seg[ES] = st->seg[FS] = st->seg[GS] = vstate_descriptor(st, data);
  st->seg[SS] = vstate_descriptor(st, mode_16bit(mode) ? vm_ss16(cpl) : data);
  if (mode != VM_REAL && mode != VM_V86) return;
  st->seg[CS] = vstate_segment8086((VM_CODE - VM_CODE16_OFF) >> 4, mode == VM_V86);
  st->seg[SS] = vstate_segment8086((VM_STACK - VM_STACK16_OFF) >> 4, mode == VM_V86);
  st->seg[DS] = st->seg[ES] = st->seg[FS] = st->seg[GS] = vstate_segment8086(VM_DATA >> 4, mode == VM_V86);
}

static void registers(struct vstate *st, enum vec_mode mode, unsigned cpl) {
  /* Values that differ in every byte, so that a write of any width to a wrong register shows. */
  unsigned count = mode == VM_LONG64 ? 16 : 8;
  for (unsigned r = 0; r < count; r++) {
    u64 v = UINT64_C(0x1716151413121110) + r * UINT64_C(0x0808080808080808);
    st->gpr[r] = mode == VM_LONG64 ? v : (u32)v;
  }
  if (mode == VM_V86) cpl = 3;
  st->gpr[RSP] = mode_16bit(mode) ? VM_STACK16_OFF : VM_STACK;
  st->rip = mode_16bit(mode) ? VM_CODE16_OFF : VM_CODE;
  st->rflags = EF_1 | EF_IF | (mode == VM_V86 ? (u32)EF_VM : 0);
  st->cpl = cpl;
  segments(st, mode, cpl);
}

/* As after FNINIT, but registers and pointers have values that differ in every byte, so that a change shows.
 * SDM 2A FINIT/FNINIT */
static void floating_point(struct vstate *st) {
  st->x87 = (struct x87){.fcw = FCW_INIT, .empty = 0xff, .fop = 0x123, .fip = 0x21222324, .fcs = 0x2526,
                         .fdp = 0x27282a2b, .fds = 0x2c2d};
  for (unsigned r = 0; r < 8; r++) {
    st->x87.st[r].m = UINT64_C(0x9796959493929190) + r * UINT64_C(0x0808080808080808);
    st->x87.st[r].se = (u16)(0x4001 + r * 0x101);
  }
  for (unsigned r = 0; r < 16; r++)
    for (unsigned k = 0; k < 2; k++)
      st->vec[r].q[k] = UINT64_C(0x3736353433323130) + (2 * r + k) * UINT64_C(0x0404040404040404);
  st->mxcsr = MXCSR_RESET;
}

bool vstate_usual_fpu(const struct vstate *st) {
  struct vstate usual = {.cpl = 0};
  floating_point(&usual);
  int first = regname_find("fcw"), last = regname_find("xmm15.hi");
  for (int id = first; id <= last; id++)
    if (vstate_get(st, (unsigned)id) != vstate_get(&usual, (unsigned)id)) return false;
  return true;
}

void vstate_default(struct vstate *st, const struct cpu_model *model, enum vec_mode mode, unsigned cpl) {
  u8 *ram = st->ram;
  memset(st, 0, sizeof *st);
  st->ram = ram;
  memset(ram, 0, VM_RAM);
  gdt(st);
  idt(st, mode);
  tss(st, mode);
  if (mode_long(mode)) pages(st);
  msrs(st, model, mode);
  st->gdtr = (struct dtable){.base = VM_GDT, .limit = VM_GDT_LIMIT};
  st->idtr = (struct dtable){.base = mode_gates(mode), .limit = (u16)(256 * mode_gate_size(mode) - 1)};
  st->seg[VS_LDTR] = (struct seg){.attr = SEG_NULL};
  st->seg[VS_TR] =
      (struct seg){.sel = VM_TSS_SEL, .attr = SEG_P | SYS_TSS32_BUSY, .limit = VM_TSS_LIMIT, .base = VM_TSS};
  st->cr0 = CR0_ET | CR0_NE | CR0_WP | (mode == VM_REAL ? 0 : CR0_PE) | (mode_long(mode) ? CR0_PG : 0);
  st->cr3 = mode_long(mode) ? VM_PML4 : 0;
  st->cr4 = CR4_OSFXSR | (mode_long(mode) ? CR4_PAE : 0);
  st->xcr0 = XCR0_X87;
  st->dr[6] = UINT64_C(0xffff0ff0);
  st->dr[7] = 0x400;
  floating_point(st);
  registers(st, mode, cpl);
}
