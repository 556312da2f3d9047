/* One virtual processor: its architectural state, and the few calls that others make on it.
 * SDM 1 3 (Basic Execution Environment), SDM 3A 2 (System Architecture Overview). */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include <setjmp.h>
#include <stdalign.h>

#include "base/host.h"
#include "mmu/mmu.h"
#include "msr/model.h"
#include "msr/msr.h"

struct insn;
struct recorder;
struct trail;
struct undo;
struct vm;

enum reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, REG_ZERO };
enum sreg { ES, CS, SS, DS, FS, GS, SREG_COUNT };

/* Segment attributes as the descriptor has them, in the layout of the VMX access rights:
 *
 *     16   15 14 13  12  11 . . 8   7  6 5  4   3 . . 0
 *    NULL   G D/B L  AVL    0       P  DPL  S    type
 */
#define SEG_TYPE 0x000fu
#define SEG_S 0x0010u
#define SEG_DPL 0x0060u
#define SEG_P 0x0080u
#define SEG_AVL 0x1000u
#define SEG_L 0x2000u
#define SEG_DB 0x4000u
#define SEG_G 0x8000u
#define SEG_NULL 0x10000u /* unusable: a NULL selector was loaded */
#define SEG_DPL_SHIFT 5
/* Code and data types. SDM 3A 3.4.5.1 (Code- and Data-Segment Descriptor Types) */
#define SEG_CODE 0x8u
#define SEG_WRITABLE 0x2u /* data */
#define SEG_READABLE 0x2u /* code */
#define SEG_DOWN 0x4u     /* data: expand-down */
#define SEG_CONFORMING 0x4u
#define SEG_ACCESSED 0x1u

struct seg {
  u16 sel;
  u32 attr;
  u32 limit; /* in bytes, granularity applied */
  u64 base;
};

struct dtable {
  u64 base;
  u16 limit;
};

/* EFLAGS. SDM 1 3.4.3 (EFLAGS Register) */
enum {
  EF_CF = 1 << 0, EF_1 = 1 << 1, EF_PF = 1 << 2, EF_AF = 1 << 4, EF_ZF = 1 << 6, EF_SF = 1 << 7, EF_TF = 1 << 8,
  EF_IF = 1 << 9, EF_DF = 1 << 10, EF_OF = 1 << 11, EF_IOPL = 3 << 12, EF_NT = 1 << 14, EF_RF = 1 << 16,
  EF_VM = 1 << 17, EF_AC = 1 << 18, EF_VIF = 1 << 19, EF_VIP = 1 << 20, EF_ID = 1 << 21,
  EF_STATUS = EF_CF | EF_PF | EF_AF | EF_ZF | EF_SF | EF_OF,
  EF_VALID = 0x3f7fd7,
};
#define EF_IOPL_SHIFT 12

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)
#define CR4_VME BIT(0)
#define CR4_PVI BIT(1)
#define CR4_TSD BIT(2)
#define CR4_DE BIT(3)
#define CR4_PSE BIT(4)
#define CR4_PAE BIT(5)
#define CR4_MCE BIT(6)
#define CR4_PGE BIT(7)
#define CR4_PCE BIT(8)
#define CR4_OSFXSR BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP BIT(11)
#define CR4_LA57 BIT(12)
#define CR4_FSGSBASE BIT(16)
#define CR4_PCIDE BIT(17)
#define CR4_OSXSAVE BIT(18)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE BIT(22)
/* State components of XCR0. SDM 1 13.1 (XSAVE-Supported Features and State-Component Bitmaps) */
#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)
#define XCR0_OPMASK BIT(5)
#define XCR0_ZMM_HI256 BIT(6)
#define XCR0_HI16_ZMM BIT(7)
#define XCR0_PKRU BIT(9)
#define XCR0_AVX_ALL (XCR0_SSE | XCR0_AVX)
#define XCR0_AVX512_ALL (XCR0_AVX_ALL | XCR0_OPMASK | XCR0_ZMM_HI256 | XCR0_HI16_ZMM)
#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)

/* Exception vectors. SDM 3A 6.3.1 (External Interrupts), Table 6-1 */
enum {
  VEC_DE = 0, VEC_DB = 1, VEC_NMI = 2, VEC_BP = 3, VEC_OF = 4, VEC_BR = 5, VEC_UD = 6, VEC_NM = 7, VEC_DF = 8,
  VEC_TS = 10, VEC_NP = 11, VEC_SS = 12, VEC_GP = 13, VEC_PF = 14, VEC_MF = 16, VEC_AC = 17, VEC_MC = 18,
  VEC_XM = 19, VEC_VE = 20, VEC_CP = 21,
};

union vec { /* a vector register; SSE uses the low 16 bytes */
  u8 b[64];
  u16 w[32];
  u32 d[16];
  u64 q[8];
  float f[16];
  double lf[8];
};

/* The x87. Registers are physical (R0..R7); ST(i) is st[(top + i) & 7]. MMX registers are the significands of
 * R0..R7. SDM 1 8.1 (x87 FPU Execution Environment) */
struct x87 {
  struct {
    u64 m;  /* significand, explicit integer bit */
    u16 se; /* sign and exponent */
  } st[8];
  u16 fcw;
  u16 fsw; /* without TOP */
  u8 top;
  u8 empty; /* bit r: physical register r is tagged empty */
  u16 fop;
  u16 fcs, fds;
  bool live;    /* st, fsw, top and empty are in the host's x87 and stale here: cpu/x87.h */
  u16 host_fcw; /* the caller's, meanwhile */
  u64 fip, fdp;
  u64 last_dp;  /* of the last operand in memory: what FDP may become (cpu/x87.c) */
  u16 last_ds;
};

/* The execution mode: everything outside an instruction's bytes that decides how it decodes and which handler
 * serves it. It is part of a block's key, so handlers need not test it. */
enum {
  MODE_CODE16 = 0, MODE_CODE32 = 1, MODE_CODE64 = 2, MODE_CODE_MASK = 3,
  MODE_STACK32 = 1 << 2,  /* SS.B (not in 64-bit mode) */
  MODE_CPL3 = 1 << 3,
  MODE_PE = 1 << 4,
  MODE_VM = 1 << 5,       /* virtual-8086 */
  MODE_LMA = 1 << 6,
  MODE_FLAT = 1 << 7,     /* DS, ES, SS: base 0, limit 4 GiB, writable; always in 64-bit mode */
  MODE_CS_FLAT = 1 << 8,  /* base 0, limit 4 GiB */
  MODE_FS_OPEN = 1 << 9,  /* FS: any base, no limit or type check can fail */
  MODE_GS_OPEN = 1 << 10,
  MODE_STEP = 1 << 11,    /* blocks of one instruction */
  MODE_ALIGN = 1 << 12,   /* alignment checks: CR0.AM, EFLAGS.AC, CPL 3 */
  MODE_X87_NM = 1 << 13,  /* x87 and MMX: CR0.TS or CR0.EM */
  MODE_SSE_OFF = 1 << 14, /* SSE: CR4.OSFXSR clear, or CR0.EM */
  MODE_EM = 1 << 15,
  MODE_TS = 1 << 16,
  MODE_AVX_OFF = 1 << 17,    /* VEX: CR4.OSXSAVE clear, or XCR0 without SSE and AVX state */
  MODE_AVX512_OFF = 1 << 18, /* EVEX and opmask instructions: likewise, or XCR0 without all AVX-512 state */
  MODE_CS_SHIFT = 24,     /* 0, or which base and limit CS has: cpu->cs_key */
};

/* Why cpu_run() returned. */
enum cpu_exit {
  CPU_EXIT_BUDGET,   /* the instruction budget is used up */
  CPU_EXIT_STOP,     /* cpu_stop() was called */
  CPU_EXIT_SHUTDOWN, /* triple fault */
  CPU_EXIT_HALT,     /* HLT with nothing to wake it */
  CPU_EXIT_DEBUG,    /* cpu->stopped: what a debugger asked for, cpu/stops.h */
};
enum cpu_stopped { CPU_NOT_STOPPED, CPU_STOPPED_CODE, CPU_STOPPED_DATA, CPU_STOPPED_MODE };

enum { STOP_REQUEST = 1 /* leave cpu_run() */, STOP_EVENT = 2 /* look at pending work, then go on */ };

enum { PENDING_INTR = 1, PENDING_NMI = 2 };

#define DR6_BD BIT(13)
#define DR6_BS BIT(14)
#define DR6_BT BIT(15)

/* Bits of cpu->inhibit: what the last instruction holds off for one instruction boundary. */
enum { INHIBIT_INT = 1 /* STI */, INHIBIT_DEBUG = 2 /* MOV SS, POP SS: #DB too */ };

struct jump_entry { /* the jump cache: RIP and mode -> decoded code */
  u64 rip;
  const struct insn *insn;
  u32 mode;
  u32 pad;
};
enum { CS_KEYS = 255 };
enum { JUMP_BITS = 12, XPAGES = 256, XUSED = 8192 };

struct exec_page { /* a translation for fetches */
  u64 page; /* linear; TLB_NEVER: none */
  u64 gpa;
  const u8 *host; /* NULL: not ordinary memory */
  bool alias;
};

struct cpu {
  /* What the hot path touches, within reach of a one-byte displacement. */
  u16 hf;      /* arithmetic flags, base/host.h */
  u8 leave;    /* set by a slow path: end the block after this instruction */
  u8 cpl;
  /* Block ends: instructions left, and the request to stop. Other threads store `stop` only. */
  s16 budget;
  volatile u8 stop;
  u8 inhibit;  /* INHIBIT_* */
  struct tlb *tlb; /* the current privilege's */
  const struct insn *insn; /* the instruction in progress, as far as slow paths need it */
  u64 spmask;  /* stack-pointer width: FFFFh, FFFFFFFFh, or all ones */
  u64 gpr[17]; /* [REG_ZERO] is always 0 */
  u64 lamask;  /* linear-address width: FFFFFFFFh outside 64-bit mode */
  u32 mode;    /* MODE_* */
  u32 eflags;  /* all but the arithmetic flags; bit 1 set */
  u64 rip;     /* valid between blocks; inside one: cpu_rip() */
  struct seg seg[SREG_COUNT];
  struct vm *vm;
  struct recorder *recorder; /* NULL: nobody listens; cpu/record.h */
  struct trail *trail;       /* NULL, or where transitions are noted: cpu/transition.h */
  struct undo *undo;         /* NULL, or the dry run in progress: cpu/whatif.h */

  struct seg ldtr, tr;
  struct dtable gdtr, idtr;
  u64 cr0, cr2, cr3, cr4, cr8, xcr0, dr[8];
  u64 pdpte[4]; /* the PDPTE registers of PAE paging */
  u32 pkru;
  struct mmu_env mmu;
  u64 msr[MSR_SLOTS];
  const struct cpu_model *model;
  u64 icount;          /* instructions retired up to the last refill of the budget */
  s64 icount_limit;    /* instructions left for this cpu_run(), beyond the current budget */
  u64 delivered_at;    /* the last delivery of an event: instructions retired then, */
  u32 deliveries;      /* and how many there were at that count */
  u32 faults_in_a_row; /* raised without a boundary between */
  bool limited;        /* this cpu_run() has a limit, */
  bool one_step;       /* of one instruction */
  s16 budget_start;
  bool nmi_blocked, halted, shutdown;
  volatile u8 pending; /* PENDING_*: what waits to interrupt; cpu_set_intr(), cpu_send_nmi() */
  bool step_last;      /* the run's budget ends within a block's length */
  bool step_request;   /* the owner wants to see every instruction */
  u64 dr6_pending;     /* debug conditions that wait for the next boundary */
  struct {             /* cpu/debugreg.h; a bit for each of DR0-DR3 that is enabled for it */
    u8 any, exec, data, io;
    u8 hits;           /* met by the instruction in progress */
    u8 step;           /* DEBUG_STEP_*: why each instruction, or this one, is a step */
    bool retry;        /* the instruction in progress is given up, to be done again as a step */
    bool watching;     /* some page has a data breakpoint or belongs to a range of cpu/stops.h */
    bool on_mode;      /* a change of mode stops */
    u64 page[4];       /* linear pages of data breakpoints */
  } debug;
  u8 stopped;          /* enum cpu_stopped */
  bool stop_here;      /* the block at cpu->rip stands for a stop */
  struct { u64 la; unsigned n; bool write; } stop_access; /* of CPU_STOPPED_DATA */
  struct { bool on; u64 la, rsp; } pass; /* the instruction that stops_pass() named */
  struct fault fault;  /* the fault being raised */
  jmp_buf unwind;      /* cpu_run()'s; faults inside cpu/ jump here */
  u64 lock_la, lock_gpa;
  alignas(16) u8 lock_buf[16];
  u64 stat_transitions[32]; /* by enum transition_kind */
  u64 stat_blocks, stat_decoded, stat_tlb_misses;
  u64 random;          /* the state of cpu_random(): its owner may set it */
  u8 event_class;      /* enum event_class: what is being delivered, or was when the fault came; cpu/event.h */
  u8 inhibit_before;   /* what held off the instruction in progress: over, should it fault */
  u8 step_trap;        /* enum step_trap: what the last instruction says about its single-step trap; cpu/event.h */
  bool rep_partial;    /* cpu->rip is a REP instruction with iterations done and to do: pushed RF is 1 */
  u64 rf_icount;       /* EFLAGS.RF is in force only while cpu_icount() is this */
  const char *shutdown_reason; /* why cpu->shutdown is set */

  struct x87 x87;
  u32 mxcsr;           /* cpu/simd_state.h says when this is the whole truth */
  u32 host_mxcsr;      /* the caller's, while the guest's is in the host register */
  bool simd_in;        /* it is */
  bool simd_exact;     /* an SSE exception is unmasked */
  u64 k[8];            /* opmask registers */
  alignas(64) union vec vec[32];

  /* What invalidation needs to know of the translations that are cached: cpu/paging.c */
  struct {
    u64 cr0, cr3, cr4, efer;
    const struct cpu_model *model;
    u32 pkru;
  } mmu_key;           /* what mmu was computed from */
  u64 large_first, large_last; /* linear addresses that all large pages lie between */
  struct { u64 base; u32 limit; } cs_key[CS_KEYS]; /* those of CS that were in use, where it is not flat */
  unsigned cs_keys;
  u16 keys_cached;     /* protection keys of user pages, a bit each */
  bool tlb_ac_clean;   /* tlbs[PRIV_SUPER_AC] is empty */

  struct tlb tlbs[PRIVS];
  struct exec_page xpage[2][XPAGES]; /* supervisor, user */
  u8 xused[XUSED / 8]; /* hashed linear pages that code was fetched from since code_mapping_gone() */
  bool walias[XUSED];  /* hashed guest-physical pages that were made writable at another linear address */
  struct jump_entry jump[1 << JUMP_BITS];
};

/* Creates a processor in its reset state and adds it to vm. The model must outlive it. NULL: out of memory. */
MUST_CHECK struct cpu *cpu_create(struct vm *vm, const struct cpu_model *model);
void cpu_destroy(struct cpu *cpu);
/* RESET: SDM 3A 9.1.1 (Processor State After Reset) */
void cpu_reset(struct cpu *cpu);

/* Runs at most `limit` instructions (0: no limit). A limit of 1 is one step, as EFLAGS.TF would make it: an iteration of REP
 * ends it, though the instruction counts when its last one is done. */
enum cpu_exit cpu_run(struct cpu *cpu, u64 limit);
/* From inside a run with a limit: the limit counts as reached at the next boundary. */
void cpu_end_run(struct cpu *cpu);
/* Asks a processor, from any thread or a signal handler, to return from cpu_run() at its next block end. */
void cpu_stop(struct cpu *cpu);

/* The INTR pin, a level: while it is asserted, the owner's hook `inta` is asked for a vector at the first boundary
 * where interrupts are open. The NMI pin, an edge. Both from any thread, or from a hook. A halted processor is woken
 * by the next cpu_run(). SDM 3A 6.3.1 (External Interrupts), 6.7 (Nonmaskable Interrupt (NMI)) */
void cpu_set_intr(struct cpu *cpu, bool asserted);
void cpu_send_nmi(struct cpu *cpu);

/* Recomputes what derives from control registers, EFER, EFLAGS, CPL and segments (mode, masks, TLB, paging).
 * To be called after writing those fields directly. */
void cpu_update_mode(struct cpu *cpu);

/* EFLAGS/RFLAGS as software sees them. */
static inline u32 cpu_eflags(const struct cpu *cpu) { return cpu->eflags | hf_to_eflags(cpu->hf); }
static inline void cpu_set_eflags(struct cpu *cpu, u32 ef) { /* the caller calls cpu_update_mode() if AC, TF, VM change */
  cpu->hf = hf_from_eflags(ef);
  cpu->eflags = (ef & EF_VALID & ~(u32)EF_STATUS) | EF_1;
}

/* The linear address of the instruction in progress (cpu->insn), or cpu->rip between instructions, as an offset in
 * CS: what a fault pushes. */
u64 cpu_rip(const struct cpu *cpu);

/* 64 bits of the processor's own generator, whose sequence follows from cpu->random. */
u64 cpu_random(struct cpu *cpu);

/* Forgets translations: after page-table changes by the host side, or by the instructions that say so. */
void cpu_tlb_flush(struct cpu *cpu);
void cpu_tlb_flush_page(struct cpu *cpu, u64 va);

/* Total instructions retired. */
u64 cpu_icount(const struct cpu *cpu);

/* Raises an exception from inside an instruction: unwinds to cpu_run(), which delivers it. */
NORETURN COLD void cpu_raise(struct cpu *cpu, u8 vector);
NORETURN COLD void cpu_raise_error(struct cpu *cpu, u8 vector, u32 error);
NORETURN COLD void cpu_raise_fault(struct cpu *cpu, const struct fault *f);

#endif
