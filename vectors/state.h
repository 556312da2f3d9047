/* The whole state of a vector's machine, named piece by piece: what statements set, expectations change and
 * the comparison walks. SDM 3A 2.1 (Overview of the System-Level Architecture). */
#ifndef VECTORS_STATE_H
#define VECTORS_STATE_H

#include "cpu/regname.h"
#include "cpu/vm.h"

enum vec_mode { VM_LONG64, VM_COMPAT32, VM_COMPAT16, VM_PROT32, VM_PROT16, VM_V86, VM_REAL, VM_MODES };
static inline bool mode_long(enum vec_mode m) { return m <= VM_COMPAT16; }
/* 16-bit code with segments that are not flat. */
static inline bool mode_16bit(enum vec_mode m) {
  return m == VM_COMPAT16 || m == VM_PROT16 || m == VM_V86 || m == VM_REAL;
}

enum { /* the machine's memory: all of it, by address */
  VM_RAM = 0x80000, VM_PML4 = 0x1000, VM_PDPT = 0x2000, VM_PD = 0x3000, VM_PT = 0x4000, VM_GDT = 0x10000,
  VM_GDT_LIMIT = 0x1df, VM_IDT = 0x11000, VM_TSS = 0x13000, VM_LDT = 0x16000,
  /* The I/O permission map, behind the redirection map of virtual-8086 mode; and a byte behind it */
  VM_IOMAP = 104 + 32, VM_TSS_LIMIT = VM_IOMAP + 0x2000,
  VM_TSS_STACK = 0x20000, /* of ring r: + r * 0x1000 */
  VM_IST = 0x24000,       /* ISTn: + n * 0x1000 */
  VM_STACK = 0x30000, VM_CODE = 0x40000, VM_HANDLERS = 0x50000, VM_DATA = 0x60000,
  /* 16-bit segments begin so that code, stack and data are at these offsets */
  VM_CODE16_OFF = 0x100, VM_STACK16_OFF = 0x1000,
};
enum { /* its selectors, without RPL */
  VM_CS32_0 = 0x08, VM_CS64_0 = 0x10, VM_DS_0 = 0x18, VM_CS32_3 = 0x20, VM_DS_3 = 0x28, VM_CS64_3 = 0x30,
  VM_CS32_1 = 0x40, VM_CS64_1 = 0x48, VM_DS_1 = 0x50, VM_CS32_2 = 0x58, VM_CS64_2 = 0x60, VM_DS_2 = 0x68,
  VM_TSS_SEL = 0x70, VM_FREE_SEL = 0x80,
  VM_CS16 = 0x180, VM_SS16 = 0x1a0, VM_DS16 = 0x1c0, /* 16-bit segments of ring r: + r * 8 */
};
static inline u64 vm_handler(u64 vector) { return VM_HANDLERS + (vector & 0xff) * 16; }
u16 vm_cs32(u64 ring);
u16 vm_cs64(u64 ring);
u16 vm_ds(u64 ring);
static inline u16 vm_cs16(u64 ring) { return (u16)(VM_CS16 + (ring & 3) * 9); }
static inline u16 vm_ss16(u64 ring) { return (u16)(VM_SS16 + (ring & 3) * 9); }
static inline u16 vm_ds16(u64 ring) { return (u16)(VM_DS16 + (ring & 3) * 9); }

enum { VS_LDTR = SREG_COUNT, VS_TR, VS_SEGS };

/* What cpu/registers.def names, under the names of struct cpu's fields, the MSRs, and memory. */
struct vstate {
  u64 gpr[16], rip, cpl;
  union { /* EFLAGS is whole here */
    u64 rflags, eflags;
  };
  union {
    struct seg seg[VS_SEGS];
    struct {
      struct seg of_sreg[SREG_COUNT], ldtr, tr;
    };
  };
  struct dtable gdtr, idtr;
  u64 cr0, cr2, cr3, cr4, cr8, xcr0, dr[8];
  u64 pdpte[4];
  u32 pkru;
  u64 msr[MSR_SLOTS];
  struct x87 x87;
  u32 mxcsr;
  union vec vec[32];
  u64 k[8];
  bool nmi_blocked;
  u8 inhibit; /* as in struct cpu */
  u8 *ram;
};

/* The state's registers, by the numbers of cpu/regname.h. */
u64 vstate_get(const struct vstate *st, unsigned id);
void vstate_set(struct vstate *st, unsigned id, u64 v);
/* "es" .. "gs", "ldtr", "tr"; -1: none. */
int vseg_find(const char *name);

/* EFLAGS bits by name; 0: none. iopl has two bits. */
u32 vflag_find(const char *name);
void vflags_text(u64 flags, char *out, size_t n);

MUST_CHECK int vstate_init(struct vstate *st);
void vstate_free(struct vstate *st);
void vstate_copy(struct vstate *to, const struct vstate *from);
/* False: outside the machine's memory. */
MUST_CHECK bool vstate_write(struct vstate *st, u64 at, unsigned size, u64 v);
u64 vstate_read(const struct vstate *st, u64 at, unsigned size); /* 0 outside */

/* A segment cache as the descriptor in the state's GDT decodes, accessed bit set. SDM 3A 3.4.5 */
struct seg vstate_descriptor(const struct vstate *st, u16 sel);

/* A segment of real or virtual-8086 mode. */
struct seg vstate_segment8086(u16 sel, bool v86);

/* The machine a vector starts with. */
void vstate_default(struct vstate *st, const struct cpu_model *model, enum vec_mode mode, unsigned cpl);
/* Are the x87, MMX and SSE as every vector's machine starts with them? */
bool vstate_usual_fpu(const struct vstate *st);
void vstate_gate(struct vstate *st, enum vec_mode mode, unsigned vec, u64 lo, u64 hi);
static inline unsigned mode_gate_size(enum vec_mode m) { return mode_long(m) ? 16 : m == VM_REAL ? 4 : 8; }
/* Where the gates are: the table of real mode begins at 0. */
static inline u64 mode_gates(enum vec_mode m) { return m == VM_REAL ? 0 : VM_IDT; }
const char *vec_mode_name(enum vec_mode m);

/* Into and out of a processor. */
void vstate_load(const struct vstate *st, struct cpu *cpu, u8 *ram);
void vstate_store(struct vstate *st, const struct cpu *cpu, const u8 *ram);

#endif
