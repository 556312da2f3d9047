/* The transition record: what a change of ring read, judged, pushed, popped and computed, step by step, and how often
 * each architectural check passed and failed. cpu->recorder is NULL when nobody listens; then a step costs one test of
 * that pointer, in transitions only. The explanations read it (explain/); coverage and `check --invert` too. */
#ifndef CPU_RECORD_H
#define CPU_RECORD_H

#include "cpu/cpu.h"

enum rec_kind {
  REC_CHECK, /* id: enum check_id; ok: the verdict; a, b: the operands its row names */
  REC_DESC,  /* id: selector; at, a, b: where, and its halves (b: of 16 bytes); ok: it lies within its table */
  REC_GATE,  /* id: vector; at, a, b likewise */
  REC_TSS,   /* a word of a task-state segment; word, at, a, bytes; b: its base */
  REC_MEM,   /* another word of a system structure (vector table, bitmap) */
  REC_PUSH,  /* word, at, a, bytes */
  REC_POP,
  REC_MSR,   /* id: enum msr_slot; a: its value */
  REC_SUM,   /* word: what was computed; a: the result; text: the manual's formula */
  REC_STORE, /* what changed in a system structure: accessed and busy bits, a saved task; text, at, a, bytes */
  REC_NOTE,  /* what was decided, or set from no formula; text, its {a} and {b} as in a check's operands */
};

/* What a word of a frame or of the TSS means. */
enum rec_word {
  WORD_SS, WORD_SP, WORD_FLAGS, WORD_CS, WORD_IP, WORD_ERROR, WORD_ES, WORD_DS, WORD_FS, WORD_GS, WORD_PARAM,
  WORD_IST, WORD_CX, WORD_R11, WORD_OTHER,
  WORD_LINK, WORD_CR3, WORD_AX, WORD_DX, WORD_BX, WORD_BP, WORD_SI, WORD_DI, WORD_LDT, WORD_TRAP, /* of a TSS */
};

struct rec_step {
  u8 kind;  /* enum rec_kind */
  u8 bytes; /* size of the word or descriptor */
  bool ok;
  u8 word;  /* enum rec_word */
  u16 id;
  u64 at;   /* linear address */
  u64 a, b;
  const char *text;
};

enum { REC_STEPS = 256 };

struct rec_log {
  struct rec_step step[REC_STEPS];
  unsigned n, lost; /* steps beyond the room */
  u64 icount;       /* of the instruction (or boundary) that they belong to */
};

/* Of a page fault: what the page tables said then. Its host addresses mean nothing later. */
struct rec_walk { bool known; struct page_walk w; };

/* A fault that was raised while another was delivered leaves the other here. */
enum { REC_CHAIN = 3 };
struct rec_raised {
  struct rec_log cause;
  struct fault fault;
  struct rec_walk walk;
  u64 rip, dr6;
  u16 cs;
  u8 during;
};

struct rec_seen { u64 failed, passed; };

struct recorder {
  int invert;            /* enum check_id whose verdict is turned round; -1: none */
  struct rec_seen *seen; /* of CHECKS elements: coverage; NULL: not counted */
  struct rec_log now;    /* the instruction or delivery in progress */
  struct rec_log cause;  /* what led to the fault that is being delivered; n = 0: nothing was judged */
  struct rec_walk refused; /* the last walk that refused an access, until a fault is raised for it */
  struct rec_walk walk;  /* of the fault: */
  struct fault fault;    /* that fault, */
  u64 fault_rip;         /* and where it was raised */
  u16 fault_cs;
  bool faulted;          /* cause, fault and fault_rip are of the delivery in progress */
  u8 during;             /* enum event_class of what was being delivered when it was raised */
  u64 dr6;               /* of #DB: the conditions */
  unsigned chain;        /* faults before it whose delivery it ended, oldest first */
  struct rec_raised earlier[REC_CHAIN];
};

/* Adds a step to `now`, emptying it first when another instruction has begun. */
COLD void rec_add(struct cpu *cpu, struct rec_step step);
/* A transition begins: what its instruction judged before stays. */
COLD void rec_begin(struct cpu *cpu);
/* The fetch of code that is not decoded yet begins, between instructions; when it is over its checks are forgotten: most
 * instructions need no such fetch, and a record is not to depend on that. */
COLD void rec_fetch(struct cpu *cpu, bool over);
/* It is over, and its listener told. */
COLD void rec_end(struct cpu *cpu);
/* A fault was raised: `now` becomes `cause`. */
COLD void rec_fault(struct cpu *cpu, const struct fault *f);

/* What `from` holds, with nobody's coverage and no inversion: the steps in use alone, since a whole recorder is large. */
void rec_copy(struct recorder *to, const struct recorder *from);

/* The words popped since `from` (rec_mark()) were read from the last to the first: in the manual's order. */
COLD void rec_pops_reversed(struct cpu *cpu, unsigned from);

static inline bool rec_on(const struct cpu *cpu) { return unlikely(cpu->recorder != NULL); }

static inline void rec_word(struct cpu *cpu, enum rec_kind kind, enum rec_word word, u64 at, u64 v, unsigned bytes) {
  if (rec_on(cpu)) rec_add(cpu, (struct rec_step){.kind = kind, .word = word, .at = at, .a = v, .bytes = (u8)bytes});
}
static inline void rec_tss(struct cpu *cpu, enum rec_word word, u64 base, u64 at, u64 v, unsigned bytes) {
  if (rec_on(cpu))
    rec_add(cpu, (struct rec_step){.kind = REC_TSS, .word = word, .at = at, .a = v, .b = base, .bytes = (u8)bytes});
}
static inline void rec_msr(struct cpu *cpu, unsigned slot) {
  if (rec_on(cpu)) rec_add(cpu, (struct rec_step){.kind = REC_MSR, .id = (u16)slot, .a = cpu->msr[slot]});
}
static inline void rec_sum(struct cpu *cpu, enum rec_word word, const char *formula, u64 v) {
  if (rec_on(cpu)) rec_add(cpu, (struct rec_step){.kind = REC_SUM, .word = word, .a = v, .text = formula});
}
static inline void rec_store(struct cpu *cpu, const char *what, u64 at, u64 v, unsigned bytes) {
  if (rec_on(cpu)) rec_add(cpu, (struct rec_step){.kind = REC_STORE, .at = at, .a = v, .bytes = (u8)bytes, .text = what});
}
static inline void rec_note(struct cpu *cpu, const char *text, u64 a, u64 b) {
  if (rec_on(cpu)) rec_add(cpu, (struct rec_step){.kind = REC_NOTE, .a = a, .b = b, .text = text});
}

/* Where the next step comes; back there, forgetting those since. */
static inline unsigned rec_mark(const struct cpu *cpu) { return rec_on(cpu) ? cpu->recorder->now.n : 0; }
static inline void rec_forget(struct cpu *cpu, unsigned from) {
  if (rec_on(cpu)) cpu->recorder->now.n = from;
}
static inline void rec_reversed(struct cpu *cpu, unsigned from) {
  if (rec_on(cpu)) rec_pops_reversed(cpu, from);
}

#endif
