/* A pre-decoded instruction, the block that holds it, and how handlers hand over to one another.
 *
 * A handler is a small function that is given (cpu, insn) in registers, does the instruction, and tail-calls the
 * next one's handler. Builds without tail calls (-O0, -O1, sanitizers) return the next instruction to a small loop
 * instead: RW_TAIL_CALLS decides, in this file alone. */
#ifndef CPU_INSN_H
#define CPU_INSN_H

#include "cpu/cpu.h"

#ifndef RW_TAIL_CALLS
#define RW_TAIL_CALLS 0
#endif

/* Returns NULL to leave the loop (cpu->rip is then valid), else the instruction to go on with. */
typedef const struct insn *handler_fn(struct cpu *restrict cpu, const struct insn *restrict i);

/* How a handler reaches its r/m operand. The decoder picks the form; a body that has no handler for a form falls
 * back B -> M -> X, C -> N -> X, P -> X, S -> X.
 *   R  register                                            fast forms: a software-TLB hit, else the X form
 *   B  [base + disp], 64-bit, flat                         M  [base + index*scale + disp], 64-bit, flat
 *   P  [absolute] (RIP-relative, or no base and index): the address is in insn->imm, an immediate in insn->disp
 *   C  [base + disp], 32-bit, flat                         N  [base + index*scale + disp], 32-bit, flat
 *   S  FS or GS with any base, default address size
 *   X  anything: segment limits and types, 16-bit addresses, TLB misses, page crossing, MMIO, code pages
 *   L  as X, with LOCK */
enum form { FORM_R, FORM_B, FORM_M, FORM_P, FORM_C, FORM_N, FORM_S, FORM_X, FORM_L, FORMS };

enum width { W8, W16, W32, W64, WIDTHS };
#define WIDTH_BYTES(w) (1u << (w))
#define WIDTH_BITS(w) (8u << (w))
#define WIDTH_MASK(w) (~UINT64_C(0) >> (64 - WIDTH_BITS(w)))

/* insn->flags */
enum {
  IF_ASIZE = 3,      /* address size: 0 = 16, 1 = 32, 2 = 64 bits */
  IF_ABS = 1 << 2,   /* the address is in imm, an immediate in disp */
  IF_REP = 1 << 3,   /* F3 */
  IF_REPNE = 1 << 4, /* F2 */
  IF_LOCK = 1 << 5,
  IF_OSIZE_SHIFT = 6, /* operand size: enum width - 1 */
};
static inline enum width insn_osize(const struct insn *i);

struct insn {
  handler_fn *fn;
  /* Registers by number; an 8-bit GPR as its byte offset in cpu->gpr (AL 0, AH 1, CL 8, ...).
   * dst: the first operand if a register. src: the second. No base or index: REG_ZERO. scale: log2. */
  u8 dst, src, base, index, scale, seg, len, flags;
  union {
    u64 imm;                 /* sign-extended as the manual says for the row's operand */
    const struct insn *link; /* direct branches: the target's code once known */
  };
  s32 disp;                  /* displacement, or a direct branch's distance from the next instruction */
  u16 off;                   /* from the block's start, bytes */
  u8 left;                   /* instructions from this one to the block's end, this one counted */
  u8 idx;                    /* place in the block */
};
_Static_assert(sizeof(struct insn) == 32, "two to a cache line");

static inline enum width insn_osize(const struct insn *i) { return (enum width)((i->flags >> IF_OSIZE_SHIFT) + 1); }

/* The bits of an offset that the address size keeps. */
static inline u64 insn_address_mask(const struct insn *i) {
  static const u64 mask[] = {0xffff, 0xffffffff, ~UINT64_C(0), ~UINT64_C(0)};
  return mask[i->flags & IF_ASIZE];
}

enum { BLOCK_MAX_INSNS = 64 };
#define SEG_REG 0xfe  /* insn->seg in form X when the r/m operand is a register (the stack was not flat) */
#define SEG_LINK 0xff /* insn->seg of those that use insn->link */

struct block {
  u64 rip;            /* offset in CS of the first instruction */
  u64 gpa;            /* its guest-physical address */
  u64 gpa2;           /* page of the last byte, when the (only) instruction crosses a page; else that of gpa */
  u32 mode;
  u16 bytes;          /* of guest code */
  u8 count;
  bool crosses, dead;
  bool linked_across; /* branches on other pages lead here */
  bool linked_within; /* branches on its own page do */
  bool compares;      /* starts with a pseudo-instruction that compares the bytes; not counted */
  struct block *hash_next;
  struct block *page_next[2];
  struct insn insn[]; /* count of them, and one pseudo-instruction that goes on or leaves */
};

static inline const struct block *insn_block(const struct insn *i) {
  return (const struct block *)((const char *)(i - i->idx) - offsetof(struct block, insn));
}
static inline u64 insn_rip(const struct insn *i) { return insn_block(i)->rip + i->off; }
u64 insn_next_rip(const struct cpu *cpu, const struct insn *i); /* wrapped to the code size */

#if RW_TAIL_CALLS
/* The compiler would load the function through the old i, and need two registers and two moves more. */
#define GO(cpu, i)                        \
  do {                                    \
    const struct insn *go_ = (i);         \
    __asm__("" : "+r"(go_));              \
    return go_->fn((cpu), go_);           \
  } while (0)
#else
#define GO(cpu, i) return (i)
#endif

/* Ends a handler: go on with the following instruction. Forms X and L may have to leave the block (self-modified
 * code, a pending event). */
#define NEXT(cpu, i, form)                                                                         \
  do {                                                                                             \
    if (((form) == FORM_X || (form) == FORM_L) && unlikely((cpu)->leave)) return cpu_leave((cpu), (i)); \
    GO(cpu, (i) + 1);                                                                              \
  } while (0)

/* Enters a block at its first instruction: charge its instructions to the budget, look for a stop. */
#define ENTER(cpu, t)                                                                              \
  do {                                                                                             \
    const struct insn *enter_ = (t);                                                               \
    (cpu)->budget = (s16)((cpu)->budget - enter_->left);                                           \
    if (unlikely((cpu)->budget < 0 || (cpu)->stop)) return block_stopped((cpu), enter_);           \
    GO(cpu, enter_);                                                                               \
  } while (0)

/* Leaves the block after i, which is complete: cpu->rip = the next instruction. */
const struct insn *cpu_leave(struct cpu *cpu, const struct insn *i);
/* Leaves the loop at cpu->rip, which the handler has set. Gives the budget of the instructions after i back. */
const struct insn *cpu_leave_at(struct cpu *cpu, const struct insn *i, u64 rip);
/* Leaves at i itself, of which a part is done and a part to do: not retired yet. */
const struct insn *cpu_leave_partial(struct cpu *cpu, const struct insn *i);
const struct insn *block_stopped(struct cpu *cpu, const struct insn *t);
/* First arrival at the end of a block that simply goes on (i is the pseudo-instruction), or at a direct branch to
 * rip whose target is not linked yet (i is complete): finds the target, links it, goes there. */
const struct insn *block_fall(struct cpu *cpu, const struct insn *i);
const struct insn *block_branch(struct cpu *cpu, const struct insn *i, u64 rip);
/* Goes on at an address known at run time only (near indirect branches, returns). i is complete. */
/* #GP(0) at i when rip lies outside CS.limit or is not canonical. */
void cpu_check_target(struct cpu *cpu, const struct insn *i, u64 rip);
const struct insn *cpu_jump(struct cpu *cpu, const struct insn *i, u64 rip);
/* As cpu_jump() after any change of mode, privilege or segments; the budget is settled. i is complete. */
const struct insn *cpu_jump_mode(struct cpu *cpu, const struct insn *i, u64 rip);

/* The handlers of one instruction: by width, by form. widths is 1 (any width: [0]), 4, or 8: by ModRM.rm instead.
 * NULL: falls back; no handler at all in the chain of fallbacks: #UD. */
struct body {
  u8 widths;
  handler_fn *const (*fn)[FORMS];
};

#endif
