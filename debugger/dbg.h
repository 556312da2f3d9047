/* The session's inside, for the debugger's own files. */
#ifndef DEBUGGER_DBG_H
#define DEBUGGER_DBG_H

#include "debugger/session.h"

enum { SIGNALS = 65, CROSSINGS = 64, WANTS = 8 };

/* A way into ring N that has not been left again: what a backtrace goes back through. */
struct crossing {
  u64 number; /* of its history entry */
  struct transition t;
  u64 gpr[16]; /* before it */
  u16 unknown; /* bit n: gpr[n] is lost: SYSCALL's RCX and R11 */
};

/* What a run keeps of its transitions. */
enum listening {
  LISTEN_NOT,   /* they are noted by the processor (struct trail): a run at full speed */
  LISTEN_HEAR,  /* noted, and looked at: something may stop there */
  LISTEN_ALL,   /* each with its record and registers */
};

/* A place where a step in progress ends: before the instruction at addr, when RSP is at least `rsp` (0: any). */
struct want { u64 addr, rsp; };

struct dbg {
  struct dbg_target target;
  struct cpu *cpu;
  struct out *out;
  struct symbols *syms;
  struct disasm *disasm;
  struct explain_names *names;
  struct point *points;
  unsigned next_number;
  bool points_dirty;
  u32 kinds;             /* while not dirty: a bit for each kind of which one is enabled, */
  enum listening needed; /* and what they need */
  bool alive;
  struct stop stop;
  struct cpu *before;
  bool has_before;
  u64 runs;              /* commands that resumed */
  struct signal_policy policy[SIGNALS];
  volatile int interrupted; /* sig_atomic_t in effect */

  /* The run in progress. */
  struct want want[WANTS];
  unsigned wants;
  bool single;           /* it is one step */
  bool want_ring;        /* any change of CPL */
  int want_cpl;          /* a change to this CPL or outward of it; -1: none */
  bool wanted;           /* one of these was met */
  struct point *caught;  /* by a hook */
  bool caught_by_kernel, caught_transition, held_fault;
  struct point *done_temporary;
  bool told_debug_fault; /* a #DB that is a fault, not a trap, is being delivered */
  unsigned fault_depth;  /* of the last fault: while so many others were delivered */
  struct { bool on; u64 rip; u8 vector; unsigned depth; } let; /* the fault that shall be delivered now */
  int replace_signal;    /* -1: no */
  int sent_signal;       /* by a command, and not to be asked about; 0: none */

  bool record_always;
  enum listening listening;
  struct recorder recorder;
  struct trail *trail;
  u64 trail_seen;        /* of its entries, those that are in `past` */
  struct past *past;     /* HISTORY of them */
  u64 past_count;
  struct crossing crossing[CROSSINGS];
  unsigned crossings;
  struct past fault;     /* the last one: number 0: none */
  char *text[2];         /* of dbg_why_text(), dbg_why_json() */

  /* While a condition is judged at a place where the registers are not yet, or no more, what it is about: */
  struct { bool regs; u64 gpr[16], rip; const struct fault *fault; } under;

  unsigned selected;
  struct frame *frames;  /* since the stop */
  unsigned frames_known;
  bool frames_end;

  struct commands *commands;
  struct variable *variables;
  u64 *value;            /* history: $1 is value[0] */
  unsigned values;
  struct assembler *assembler; /* of `whatif` */
  int status;
};

/* session.c */
/* One run of at most `limit` instructions (0: none). True: it has ended for a reason that the command must stop for, in
 * d->stop; false: the limit was reached, or one of the wants was met (d->wanted). */
bool dbg_run(struct dbg *d, u64 limit);
/* A command that resumes begins and ends. False: the target cannot run; said in d->stop. */
bool dbg_begin(struct dbg *d);
void dbg_done(struct dbg *d, enum stop_why why);
/* Memory as the debugger sees and changes it: no faults, no accessed bits. How many bytes were done. */
unsigned dbg_peek(struct dbg *d, u64 la, void *buf, unsigned n);
unsigned dbg_poke(struct dbg *d, u64 la, const void *buf, unsigned n);
/* After changing registers or memory. */
void dbg_state_changed(struct dbg *d);
size_t dbg_cpu_bytes(void); /* of struct cpu, without its caches */

/* history.c */
void history_transition(struct dbg *d, struct cpu *cpu, const struct transition *t);
void history_fault(struct dbg *d, struct cpu *cpu, const struct recorder *r);
/* p was only noted; this is what it was, and its steps. */
void history_derived(struct dbg *d, struct past *p, const struct transition *t, const struct recorder *r);
/* What the trail has since it was last looked at. */
void history_import(struct dbg *d);
void history_clear(struct dbg *d);

/* expr.c */
void variables_free(struct dbg *d);
/* Keeps a value as $1, $2, ...: its number; 0: out of memory. */
unsigned variables_keep(struct dbg *d, u64 v);
MUST_CHECK int variables_set(struct dbg *d, const char *name, u64 v);
/* A value with where it is: for `set`, `watch` and `display`. */
enum value_kind { VALUE_PLAIN, VALUE_MEMORY, VALUE_REGISTER, VALUE_VARIABLE };
struct value {
  u64 v;
  enum value_kind kind;
  u64 addr;          /* MEMORY */
  unsigned bytes;    /* MEMORY */
  unsigned id;       /* REGISTER: of cpu/regname.h */
  unsigned shift, width; /* REGISTER: the part that was named */
  u64 bias;          /* REGISTER: what is added to it: $pc is linear */
  int segment;       /* REGISTER: one of seg[], which is loaded; else -1 */
  bool constant;     /* nothing of it can change */
  char name[64];     /* VARIABLE */
};
MUST_CHECK int dbg_eval_value(struct dbg *d, const char *text, struct value *out, const char **end, char *err, size_t n);

/* regpart.c */
/* A field by its name: "cs.dpl", "cr0.pe", "efer.lma": the register that it is in, and which of its bits. */
struct register_field { int id; u8 shift, width; };
bool register_field(const char *name, struct register_field *out);
int register_segment(const char *name);
/* Where SEL:0 is; in 64-bit mode 0. -1: no such descriptor. */
MUST_CHECK int segment_base(struct dbg *d, u16 sel, u64 *base);

/* command.c */
MUST_CHECK int commands_create(struct dbg *d);
void commands_free(struct dbg *d);

/* frames.c */
void frames_forget(struct dbg *d);
/* The width of a program's code, from within the kernel as well; and of the code at an address, as a guess. */
unsigned dbg_program_bits(struct dbg *d);
unsigned dbg_code_bits(struct dbg *d, u64 la);

/* points.c */
MUST_CHECK int points_apply(struct dbg *d);
void points_free(struct dbg *d);
void points_remember(struct dbg *d); /* values of what is watched, now */
/* What is there to stop for, at this pc, access or transition. */
struct point *points_at_code(struct dbg *d, u64 pc, struct stop *s);
struct point *points_at_access(struct dbg *d, struct stop *s);
struct point *points_at_transition(struct dbg *d, const struct transition *t);
struct point *points_at_exception(struct dbg *d, const struct fault *f);
struct point *points_at_signal(struct dbg *d, int signo);
struct point *points_changed_memory(struct dbg *d, struct stop *s);
struct point *points_changed_expression(struct dbg *d, struct stop *s);
bool points_need_steps(const struct dbg *d);
struct point *points_of_kind(const struct dbg *d, enum point_kind kind); /* the first enabled */
/* Counts a hit: its condition, its ignore count. True: it stops. */
bool point_hit(struct dbg *d, struct point *p);

#endif
