/* What the differential tester speaks about: processor states, the memory both sides see, and one test case:
 * the bytes of one instruction, or of a sequence of few, the state to start from, and where it may be compared.
 *
 * One case is run twice from the same state, by this machine's processor and by the emulated one. Both
 * execute the same bytes at the same linear addresses, in ring 3, and end at an exception: the INT3 that
 * fills the code pages, or one that the instruction under test raised. */
#ifndef TESTS_NATIVE_CASE_H
#define TESTS_NATIVE_CASE_H

#include <stdalign.h>

#include "cpu/cpu.h"
#include "cpu/opcodes.h"

/* The arena: linear addresses below 4 GiB, so that 32-bit code reaches them, in 64 KiB, so that 16-bit code
 * does. What is not listed is absent: touching it is #PF.
 *
 *   0000-1fff code   4000-5fff data   7000-7fff read-only data   9000-afff stack
 */
#define ARENA UINT64_C(0x20000000)
enum {
  ARENA_BYTES = 0x10000,
  CODE_AT = 0, CODE_BYTES = 0x2000,
  DATA_AT = 0x4000, DATA_BYTES = 0x2000,
  READONLY_AT = 0x7000, READONLY_BYTES = 0x1000,
  STACK_AT = 0x9000, STACK_BYTES = 0x2000,
  ENDING = 0xcc, /* INT3 */
};
/* Just below it lies the stack from which native cases are entered. IRET to a 16-bit stack segment loads SP
 * only, so the rest of RSP is then this. Both sides have the page, for cases that leave the segment; it is
 * not compared. */
#define ENTRY_STACK_TOP UINT64_C(0x2fffe000)
enum { ENTRY_STACK_BYTES = 4096 };
/* The number of a system call that no Linux has: ENOSYS. */
enum { NO_SYSTEM_CALL = 1000000 };
struct arena_part {
  u16 at, bytes;
  bool write, exec;
};
enum { ARENA_PARTS = 4 };
extern const struct arena_part arena_parts[ARENA_PARTS];

enum code_mode { CODE64, CODE32, CODE16, CODE_MODES };

/* The state of a processor, as far as ring 3 has one. */
struct state {
  u64 gpr[16];
  u64 rip; /* as an offset in CS */
  u64 eflags;
  u64 fs_base, gs_base; /* in 64-bit code; elsewhere the selectors' */
  u16 sel[SREG_COUNT];
  alignas(16) u8 fx[512]; /* FXSAVE64's image */
  u64 k[8];               /* opmask registers */
  alignas(64) u8 vec[32][64]; /* vector registers; of the first 16, the low 16 bytes are fx's: state_join() */
};
enum { /* places in it. SDM 2A FXSAVE, Table 3-46 (Layout of the 64-bit-mode FXSAVE Map, REX.W = 1) */
  FX_FCW = 0, FX_FSW = 2, FX_TAGS = 4, FX_FOP = 6, FX_FIP = 8, FX_FDP = 16, FX_MXCSR = 24, FX_MASK = 28,
  FX_ST = 32, FX_XMM = 160, FX_END = 416,
};

/* The XMM registers of fx into vec. */
void state_join(struct state *s);

struct outcome {
  struct state st;
  u64 cr2;
  u32 error;
  u8 vector;
  /* emulated: no exception within many instructions, or shutdown; native: none that Linux tells */
  bool stuck;
};

/* Where the operand is. The last five are modifications of a form drawn at random. */
enum form_kind {
  AT_REGISTER, AT_BASE, AT_DISP8, AT_DISP, AT_SIB, AT_INDEX, AT_ABSOLUTE, AT_RIP, AT_FS, AT_GS, AT_SEGMENT,
  AT_ASIZE, AT_LOCK, AT_REP, AT_REPNE, FORM_KINDS
};
extern const char *const form_names[FORM_KINDS];
extern const char *const mode_names[CODE_MODES];

/* Elements selected by an opmask: the others are kept, or zeroed. */
enum mask_kind { MASK_NONE, MASK_MERGE, MASK_ZERO };
extern const char *const mask_names[];

/* A row's variants. Those of VEX and EVEX rows have AT_REGISTER, or AT_BASE for memory of any form. */
struct variant {
  enum code_mode mode;
  bool p66, rexw; /* operand-size prefixes; VEX: rexw is W where that is an operand's size */
  enum form_kind form;
  u8 vl;          /* VEX, EVEX: 0, 1, 2: 128, 256, 512 bits */
  enum mask_kind mask;
  bool b;         /* broadcast; with registers rounding. Any mask then */
  bool left_out;  /* not run this time */
};

/* An instruction to encode: encoder.c fills bytes and n from the rest. */
struct encoding {
  enum code_mode mode;
  bool p66, p67, lock, rexw;
  u8 rep;        /* F2, F3 or 0 */
  s8 seg;        /* override: enum sreg, or -1 */
  u8 empty_rex;  /* 40h when a REX without bits is wanted */
  u8 idle[2];    /* further prefixes that do nothing here, or 0 */
  enum form_kind form; /* AT_REGISTER .. AT_RIP */
  u8 reg, rm;    /* ModRM registers 0..15; rm also that of the opcode's low bits */
  u8 base, index, scale; /* scale: log2. 16-bit addressing: base is ModRM.rm */
  s32 disp;      /* AT_RIP: from the next instruction */
  u64 imm[2];    /* in order */
  /* VEX and EVEX, whose registers go up to 31: fields, not inverted */
  u8 vl, vvvv, aaa; /* vl: L'L, or the rounding */
  bool w, z, b;
  bool two;         /* the two-byte prefix, where it says all */
  u8 disp8_shift;   /* EVEX: log2 of what an 8-bit displacement is multiplied by */
  u8 flip[3];       /* bits of the prefix's bytes turned round, and a byte before it: neither is allowed */
  u8 stray;
  u8 bytes[24];
  unsigned n;
};

/* A sequence: up to eight instructions, some followed by one that makes all flags defined. */
enum { SEQUENCE_MAX = 8, SEQUENCE_PARTS = 2 * SEQUENCE_MAX, SEQUENCE_BYTES = SEQUENCE_MAX * (15 + 2) };

struct test_case {
  const struct oprow *row;
  const struct row_rule *rule; /* tests/native/rows.h */
  struct variant variant;
  struct encoding enc;
  u8 osize, asize; /* in bytes */
  struct state in;
  u64 start;       /* linear address of the first byte executed: enc.bytes, or what is put before them */
  u64 at;          /* of enc.bytes */
  u8 before[SEQUENCE_BYTES]; /* executed first: FNOP, or all of a sequence but its last instruction */
  u8 before_n;
  struct {
    u8 at;         /* from start on */
    const struct row_rule *rule;
  } part[SEQUENCE_PARTS]; /* where each instruction is; the last is enc */
  u8 parts;
  bool sequence;
  bool memory;     /* an explicit memory operand */
  u64 target;      /* its linear address, or that of an implicit one; 0: none */
  unsigned size;   /* bytes of the operand at target */
  bool step, flush; /* emulated one instruction a block; with an empty TLB */
  bool warm;        /* emulated once before: blocks are decoded and linked, pages in the TLB */
  u8 *arena;       /* where preparations store memory contents */
};

/* A generator of numbers: SplitMix64. */
struct rng {
  u64 s;
};
static inline u64 rnd(struct rng *r) {
  u64 z = r->s += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}
static inline unsigned rn(struct rng *r, unsigned n) { return (unsigned)((rnd(r) >> 32) * n >> 32); }
static inline bool one_in(struct rng *r, unsigned n) { return rn(r, n) == 0; }

#endif
