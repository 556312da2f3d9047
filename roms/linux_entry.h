/* What the emulated Linux kernel and its guest code (entry stubs, vDSOs) agree on: Linux
 * arch/x86/include/asm/{segment,ptrace}.h for the selectors and the frame.
 *
 * The assembler reads this too. The vDSO is also compiled with -m32, where base/types.h has no 128-bit
 * integers, so this header spells the types of <stdint.h>. */
#ifndef ROMS_LINUX_ENTRY_H
#define ROMS_LINUX_ENTRY_H

/* Selectors of the 64-bit kernel's GDT. */
#define SEL_KERNEL32_CS 0x08
#define SEL_KERNEL_CS 0x10
#define SEL_KERNEL_DS 0x18
#define SEL_USER32_CS 0x23
#define SEL_USER_DS 0x2b
#define SEL_USER_CS 0x33
#define SEL_TSS 0x40
#define SEL_LDT 0x50
#define SEL_TLS_FIRST 0x63 /* GDT entries 12, 13, 14 */
#define SEL_CPUNODE 0x7b   /* GDT entry 15: DPL 3 data, byte granular, limit = cpu | node << 12 */

/* STAR and FMASK as Linux programs them. FMASK must hold NT: an IRETQ with NT set is #GP. */
#define LINUX_STAR ((uint64_t)SEL_USER32_CS << 48 | (uint64_t)SEL_KERNEL_CS << 32)
#define LINUX_FMASK 0x257fd5

/* Per-CPU area at the kernel GS base. */
#define PERCPU_STACK_TOP 0 /* u64: RSP0, 16-byte aligned */
#define PERCPU_USER_RSP 8  /* u64: scratch */

/* What ESI says at the hypercall. RDI is the address of the pt_regs, EDX the vector of an exception. */
#define KIND_SYSCALL64 0
#define KIND_SYSCALL32 1  /* amd, CSTAR */
#define KIND_SYSENTER32 2 /* ip and sp are 0, IF is 0: lost by the instruction, the host fills them in */
#define KIND_INT80 3
#define KIND_EXCEPTION 4    /* from ring 3, or the stub's IRETQ to ring 3 failed */
#define KIND_KERNEL_FAULT 5 /* from ring 0; GS base may be the user's. IRETQ to where it came from */
#define KIND_COUNT 6

/* What the host answers in EAX, for kinds 0 to 2; the others always return by IRETQ. */
#define RETURN_IRET 0
#define RETURN_SYSRET 1 /* SYSRETQ for KIND_SYSCALL64, SYSRETL for the 32-bit kinds */

#define LINUX_EXCEPTIONS 32

/* Resolution of the coarse clocks: one tick at CONFIG_HZ=250. */
#define VVAR_TICK_NS 4000000
#define VVAR_BYTES 4096

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The frame on the kernel stack; the last five words are what IRETQ pops.
 * orig_ax: the system call's number, or an exception's error code (-1 where the vector has none). */
struct pt_regs {
  uint64_t r15, r14, r13, r12, bp, bx;
  uint64_t r11, r10, r9, r8, ax, cx, dx, si, di;
  uint64_t orig_ax;
  uint64_t ip, cs, flags, sp, ss;
};

/* The stub image starts with this table; every number is an offset into the image. */
struct rom_entry64_table {
  uint32_t syscall64, syscall32, sysenter32, int80;
  uint32_t vmcall[KIND_COUNT]; /* the hypercall of each kind: VMCALL, 0F 01 C1 */
  uint32_t sysretq, sysretl, iretq, iretq_kernel;
  uint32_t exception[LINUX_EXCEPTIONS];
};

/* Position independent, within one page. entry32: for processors without long mode, with no fast system calls. */
extern const uint8_t rom_entry64[], rom_entry32[];
extern const uint32_t rom_entry64_size, rom_entry32_size;

/* A vDSO image: an ELF shared object to be mapped read and execute at a page boundary, with the vvar page
 * mapped read-only immediately below. The offsets are from the image's start, 0 where the image has none. */
struct rom_vdso {
  const uint8_t *image;
  uint32_t size; /* bytes; at most two pages */
  uint32_t vsyscall, landing_pad, sigreturn, rt_sigreturn;
};

extern const struct rom_vdso rom_vdso64;
extern const struct rom_vdso rom_vdso32_sysenter, rom_vdso32_syscall, rom_vdso32_int80;

/* The clocks, by Linux's numbers (include/uapi/linux/time.h). */
enum vvar_clock {
  VVAR_REALTIME = 0,
  VVAR_MONOTONIC = 1,
  VVAR_MONOTONIC_RAW = 4,
  VVAR_REALTIME_COARSE = 5,
  VVAR_MONOTONIC_COARSE = 6,
  VVAR_BOOTTIME = 7,
  VVAR_TAI = 11,
  VVAR_CLOCKS = 12
};

/* What the host tells ring 3 about time. Clock C shows TSC + offset_ns[C] nanoseconds; for the two coarse
 * clocks the TSC is first rounded down to a tick. All fields but `seq` are valid only while it is even. */
struct vvar {
  uint32_t seq;    /* odd while the host writes */
  uint32_t clocks; /* bit C: clock C is answered from here; 0 sends everything to the system calls */
  int64_t offset_ns[VVAR_CLOCKS];
  int32_t tz_minuteswest, tz_dsttime; /* gettimeofday's second answer */
};

/* n / d and its remainder. The 32-bit guest code has no libgcc, so it divides in two steps: the upper half
 * first, whose remainder is below d, so that the second DIV cannot overflow. */
static inline uint64_t vvar_div(uint64_t n, uint32_t d, uint32_t *rem) {
#ifdef __i386__
  uint32_t hi = (uint32_t)(n >> 32), lo = (uint32_t)n, high_quotient = hi / d;
  hi %= d;
  __asm__("divl %2" : "+a"(lo), "+d"(hi) : "rm"(d) : "cc");
  *rem = hi;
  return (uint64_t)high_quotient << 32 | lo;
#else
  *rem = (uint32_t)(n % d);
  return n / d;
#endif
}

/* Does the vvar page answer for this clock? */
static inline bool vvar_has(const struct vvar *v, uint32_t clock) {
  return clock < VVAR_CLOCKS && (*(const volatile uint32_t *)&v->clocks >> clock & 1);
}

/* The clock's resolution in nanoseconds. */
static inline uint32_t vvar_resolution(uint32_t clock) {
  return clock == VVAR_REALTIME_COARSE || clock == VVAR_MONOTONIC_COARSE ? VVAR_TICK_NS : 1;
}

/* The clock's time at `tsc`; the system calls use it too, so that both ways agree. */
static inline uint64_t vvar_ns(const struct vvar *v, uint32_t clock, uint64_t tsc) {
  uint32_t past_tick = 0;
  if (vvar_resolution(clock) != 1)
    vvar_div(tsc, VVAR_TICK_NS, &past_tick);
  return tsc - past_tick + (uint64_t)v->offset_ns[clock];
}

/* Publish new offsets, for a host that has made sure that nobody else writes. */
static inline void vvar_publish(struct vvar *v, int64_t real, int64_t mono, int64_t raw, int64_t boot,
                                int64_t tai) {
  uint32_t seq = __atomic_load_n(&v->seq, __ATOMIC_RELAXED);
  __atomic_store_n(&v->seq, seq | 1, __ATOMIC_RELAXED);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  v->offset_ns[VVAR_REALTIME] = v->offset_ns[VVAR_REALTIME_COARSE] = real;
  v->offset_ns[VVAR_MONOTONIC] = v->offset_ns[VVAR_MONOTONIC_COARSE] = mono;
  v->offset_ns[VVAR_MONOTONIC_RAW] = raw;
  v->offset_ns[VVAR_BOOTTIME] = boot;
  v->offset_ns[VVAR_TAI] = tai;
  __atomic_store_n(&v->seq, (seq | 1) + 1, __ATOMIC_RELEASE);
}

_Static_assert(sizeof(struct pt_regs) == 21 * 8, "Linux's frame");
_Static_assert(offsetof(struct pt_regs, flags) == 144, "entry64.S tests the flags in place");
_Static_assert(sizeof(struct vvar) <= VVAR_BYTES, "one page");

#endif
#endif
