/* The emulated kernel's tables in guest memory, and segment loading by them.
 * Linux arch/x86/include/asm/segment.h, arch/x86/kernel/cpu/common.c; SDM 3A 3.4.5 (Segment Descriptors). */
#ifndef LINUX_ABI_KERNEL_H
#define LINUX_ABI_KERNEL_H

#include "linux_abi/pagetable.h"
#include "linux_abi/task.h"

/* The kernel's region, at guest-physical kernel.gpa, above the window, and mapped for ring 0 at KERNEL_LINEAR, or, for
 * a processor without long mode, at KERNEL32_LINEAR:
 *
 *     0  GDT        1  IDT       2  TSS, per-CPU area    3  entry stubs (the only executable page)
 *  4..7  stack (RSP0, and SYSENTER's until it has switched)
 * 8..11  IST stacks: #DF, NMI, #DB, #MC
 * 12...  page tables, not mapped
 */
#define KERNEL_LINEAR UINT64_C(0xffff800000000000)
#define KERNEL32_LINEAR UINT64_C(0xc0000000) /* and physical; Linux's PAGE_OFFSET, where programs end */
enum {
  KPAGE_GDT, KPAGE_IDT, KPAGE_TSS, KPAGE_STUB, KPAGE_STACK,
  KPAGE_IST = 8, KPAGE_TABLES = 12,
  KERNEL_PERCPU = 0x800, /* in the TSS's page */
  KERNEL_REGION_MAX = 64 << 20, KERNEL_REGION_MIN = 4 << 20,
};

/* The interrupt by which the host makes the program look at its signals, as a timer's would: it enters by the stub of
 * a vector that has no exception. */
enum { KERNEL_VEC_SIGNAL = 0xec, KERNEL_SIGNAL_STUB = 31 };

struct kernel {
  bool legacy; /* one of 32 bits: roms/entry32.S, 32-bit paging, no NX */
  bool nx;
  u64 linear;
  u8 *host;  /* the region */
  u64 size;
  u64 gpa;
  struct pagetable pt;
};

/* The state that the kernel lets programs use, as in XCR0; without XSAVE the x87's. */
u64 kernel_xcr0(const struct cpu_model *m);

/* Reserves the region and builds everything in it for one processor of this model; adds it to vm at gpa. 0, or
 * -ENOMEM. */
MUST_CHECK int kernel_build(struct kernel *k, struct vm *vm, const struct cpu_model *model, u64 gpa);
void kernel_free(struct kernel *k);

/* Puts a processor into ring 0 with these tables, about to execute the stub's IRETQ to r, with all registers zero and
 * the FPU reset. DS, ES, FS and GS are NULL; lx_load_seg() may load the first three. */
void kernel_enter_user(struct kernel *k, struct cpu *cpu, const struct pt_regs *r);

/* The processor's number and its node's, as `cpu | node << 12`: for LSL of selector 7Bh and RDTSCP. */
void kernel_set_cpu(struct kernel *k, struct cpu *cpu, u32 number);

/* Where the stubs are, and the table that they start with: entries that are 0 do not exist. */
u64 kernel_stubs(const struct kernel *k);
const struct rom_entry64_table *kernel_stub_table(const struct kernel *k);

/* What uname() calls the machine: Linux init_utsname_machine(); a kernel of 32 bits: identify_cpu(). */
static inline const char *kernel_machine(const struct kernel *k, const struct cpu_model *m) {
  return !k->legacy ? "x86_64" : m->family >= 6 ? "i686" : "i586";
}

static inline bool kernel_has_nx(const struct kernel *k) { return k->nx; }

/* Host address of [linear, linear+len) in the mapped part of the region, or NULL. */
void *kernel_ptr(const struct kernel *k, u64 linear, u64 len);

/* --- Segments of a task in the kernel --- */

/* Loads DS, ES, FS or GS as MOV would in the kernel, for ring 3 to find (GS: base to KERNEL_GS_BASE, which is the
 * user's while in the kernel). 0, or -1 if the selector is no usable ring-3 data segment: then the register is as
 * after loading NULL. Takes effect on return to ring 3. */
int lx_load_seg(struct task *t, enum sreg reg, u16 sel);
/* The user's FS and GS base while in the kernel. */
u64 lx_fs_base(const struct task *t);
u64 lx_gs_base(const struct task *t);
void lx_set_fs_base(struct task *t, u64 base);
void lx_set_gs_base(struct task *t, u64 base);

/* One of the three TLS entries of the GDT (index 0..2), as a descriptor. */
u64 kernel_tls(const struct kernel *k, unsigned index);
void kernel_set_tls(struct kernel *k, unsigned index, u64 descriptor);

#endif
