/* The session: one target under control, and everything that the faces of the debugger (command line, TUI, gdb stub) share:
 * stepping, stopping, what was recorded. The faces hold no logic of their own. */
#ifndef DEBUGGER_SESSION_H
#define DEBUGGER_SESSION_H

#include "cpu/transition.h"
#include "debugger/symbols.h"
#include "debugger/target.h"
#include "debugger/views.h"

/* ---- what stops ---- */

enum point_kind {
  POINT_BREAK,      /* before the instruction at addr */
  POINT_WATCH,      /* behind a write that changes [addr, addr+len) */
  POINT_RWATCH,     /* behind a read */
  POINT_AWATCH,     /* behind either */
  POINT_EXPRESSION, /* behind an instruction that changes the expression's value: registers, MSRs */
  POINT_SYSCALL,    /* at a call's entry and its return */
  POINT_SIGNAL,     /* before a signal is delivered */
  POINT_EXCEPTION,  /* before an exception is delivered */
  POINT_TRANSITION, /* behind a transition */
  POINT_MODE,       /* behind a change of mode */
};

struct point {
  struct point *next;   /* by number */
  unsigned number;
  enum point_kind kind;
  bool enabled, temporary;
  bool once;            /* disabled behind its next stop: `enable once` */
  char *text;           /* what was asked for: "main", "*0x401000", "syscall write" */
  char *condition;      /* an expression, or NULL */
  u64 hits, ignore;
  char **commands;      /* lines, NULL-terminated, or NULL */
  u64 addr, len;        /* BREAK, the first place; WATCH, RWATCH, AWATCH */
  struct point_place { u64 addr; bool off; } *place; /* BREAK: all of them, by address; NULL: addr alone */
  unsigned places;
  u64 old_value;        /* EXPRESSION */
  u8 old_bytes[64];     /* WATCH: the first bytes */
  int from_cpl, to_cpl; /* TRANSITION; -1: any */
  u32 kinds;            /* TRANSITION: a bit for each enum transition_kind; 0: any */
  bool call_gate;       /* TRANSITION: only those through a call gate */
  int number_of;        /* vector, signal, or system call; -1: any */
  bool i386;            /* SYSCALL: of that table */
};

/* ---- what happened ---- */

enum stop_why {
  STOP_NOTHING,     /* not run yet */
  STOP_STEPPED,     /* what was asked for is done */
  STOP_POINT,
  STOP_SIGNAL,      /* about to be delivered to the program */
  STOP_INTERRUPTED, /* somebody asked */
  STOP_EXITED,
  STOP_KILLED,
  STOP_HALTED,
  STOP_SHUTDOWN,
  STOP_RESET,
  STOP_FAILED,
};

struct stop {
  enum stop_why why;
  struct point *point;      /* STOP_POINT: the first; still there even if temporary, until the next run */
  u64 old_value, new_value; /* of a watched expression; of a watch, the first 8 bytes */
  u64 access_addr;          /* of a watch: the access */
  unsigned access_len;
  bool access_write;
  bool by_kernel;           /* of a watch: the emulated kernel changed it, in a system call */
  bool has_transition;      /* it is what stopped us: history entry 0 */
  bool has_fault;           /* `fault` is about to be delivered */
  struct fault fault;
  struct dbg_signal signal; /* STOP_SIGNAL */
  bool syscall_return;      /* POINT_SYSCALL: behind the call, */
  char syscall[256];        /* and its line */
  int code;                 /* EXITED, KILLED */
  char text[256];           /* HALTED, SHUTDOWN, RESET, FAILED */
};

/* A transition: noted, or recorded with the processor's registers right behind it (not beyond struct cpu's `tlbs`). */
struct past {
  u64 number;               /* from 1 */
  u64 icount;               /* 0: not kept */
  struct transition t;
  u64 cr2;                  /* of #PF */
  bool recorded;            /* else r and cpu say nothing, nor do registers of `t` in ring 0 */
  bool derived;             /* recorded behind the event, by a dry run from the same state */
  struct recorder r;
  struct cpu *cpu;
};
enum { HISTORY = 256 };

struct dbg;

/* ---- making ---- */

/* A session over a target, stopped where that is. NULL and one line: out of memory, or Capstone is missing. */
MUST_CHECK struct dbg *dbg_create(const struct dbg_target *t, FILE *out, bool json, char *err, size_t n);
void dbg_destroy(struct dbg *d);

struct dbg_target *dbg_target(struct dbg *d);
struct cpu *dbg_cpu(struct dbg *d);
struct out *dbg_out(struct dbg *d);
struct symbols *dbg_symbols(struct dbg *d);
struct disasm *dbg_disasm(struct dbg *d);
/* The processor as it was when the session last resumed, for what has changed; NULL before. */
const struct cpu *dbg_before(const struct dbg *d);
/* The target can go on. */
bool dbg_alive(const struct dbg *d);
const struct stop *dbg_stop(const struct dbg *d);
/* Starts the target over; points stay. 0, or -1 and one line. */
MUST_CHECK int dbg_restart(struct dbg *d, char *err, size_t n);

/* ---- where we are ---- */

/* Linear address of the next instruction, and the code's width. */
u64 dbg_pc(const struct dbg *d);
unsigned dbg_bits(const struct dbg *d);
static inline u64 dbg_linear(const struct cpu *cpu, enum sreg s, u64 off) {
  return (cpu->mode & MODE_CODE_MASK) == MODE_CODE64 && s < FS ? off : (cpu->seg[s].base + off) & cpu->lamask;
}

/* ---- running: each returns when the target has stopped, for dbg_stop() ---- */

void dbg_continue(struct dbg *d);
void dbg_stepi(struct dbg *d, u64 n);
/* Over calls, system calls, deliveries of faults that the handler mends, and REP. */
void dbg_nexti(struct dbg *d, u64 n);
/* To another source line; without lines, out of the function. into: functions with lines are entered. */
void dbg_step_line(struct dbg *d, u64 n, bool into);
/* Until the frame with this stack pointer above and this return address is left. 0, or -1 and an error: outermost. */
MUST_CHECK int dbg_finish(struct dbg *d, unsigned frame);
/* To addr, or out of the current frame (frame: that too ends it). */
void dbg_until(struct dbg *d, u64 addr, bool frame);
/* Out to ring `cpl`. */
void dbg_out_to(struct dbg *d, u8 cpl);
/* To the next change of CPL. */
void dbg_ring(struct dbg *d);
/* Ends any of these soon; from a signal handler too. */
void dbg_interrupt(struct dbg *d);
/* Instructions done by the session's runs. */
u64 dbg_icount(const struct dbg *d);
/* What becomes of a signal: stop before it is delivered; say so; give it to the program. */
struct signal_policy { bool stop, print, pass; };
struct signal_policy *dbg_signal_policy(struct dbg *d, int signo); /* NULL: no such signal */
/* Resuming delivers this signal instead of the one that stopped us; 0: none. */
void dbg_set_signal(struct dbg *d, int signo);

/* ---- points ---- */

/* Adds one, with the fields of `like`; its strings and places are copied. NULL: out of memory. */
struct point *dbg_add_point(struct dbg *d, const struct point *like);
struct point *dbg_point(struct dbg *d, unsigned number);
struct point *dbg_points(struct dbg *d); /* the first */
void dbg_delete_point(struct dbg *d, struct point *p);
/* Is addr a place of this breakpoint, that is on? */
bool dbg_point_is_at(const struct point *p, u64 addr);
/* After changing enabled, addr, place, kind or len of one. */
void dbg_points_changed(struct dbg *d);
int dbg_set_condition(struct dbg *d, struct point *p, const char *condition);

/* ---- what was recorded ---- */

/* The n-th last transition, 0 the latest; NULL beyond what is kept. */
const struct past *dbg_past(const struct dbg *d, unsigned n);
/* The same; if it was only noted, its steps are derived if they can be. While the target stands. */
const struct past *dbg_past_steps(struct dbg *d, unsigned n);
/* How many happened since the start. */
u64 dbg_past_count(const struct dbg *d);
/* Why the last fault was raised, after those whose delivery it ended, as text; "": none has been. In JSON, one object. */
const char *dbg_why_text(const struct dbg *d);
const char *dbg_why_json(const struct dbg *d);
/* Names for the explanations. */
const struct explain_names *dbg_names(const struct dbg *d);
/* Recording: always, or (the default) where a transition may stop the target, and in steps. */
void dbg_record(struct dbg *d, bool always);

/* ---- frames: across rings, from the innermost, 0 ---- */

struct frame {
  struct frame_regs regs;
  u16 cs;
  u8 cpl;
  u64 pc;                 /* linear address of regs.rip */
  bool call;              /* pc is a return address, */
  bool behind;            /* or behind the instruction that left it by a gate or system call */
  bool signal;            /* a signal handler's frame is below it */
  const struct past *in;  /* how the ring of the frame below was entered from here; NULL: by a call */
  enum frame_how how;     /* how it was found */
};
/* An address of the instruction that a frame is in: its name and line are the frame's. */
static inline u64 frame_at(const struct frame *f) { return f->pc - (f->call || f->behind); }
/* What a selector that a transition pushed means: of the mode it came from. */
void dbg_slot_selector(const struct past *in, u16 sel, char *buf, size_t n);
/* False: beyond the outermost. */
bool dbg_frame(struct dbg *d, unsigned n, struct frame *f);
/* There may be more than are looked for. Behind a dbg_frame() that was false. */
bool dbg_frames_cut(const struct dbg *d);
/* The one that `frame`, `up` and `down` chose; 0 after each stop. */
unsigned dbg_selected(const struct dbg *d);
void dbg_select(struct dbg *d, unsigned n);

/* ---- expressions and places: debugger/expr.c ---- */

/* C's operators over 64-bit numbers: registers ($rax, $eflags.cf, $cs.base, $cpl, $STAR ...), memory (*ADDR as a word of
 * the code's width, {u8..u64} ADDR or u8[ADDR]), symbols, $1 and $name (convenience variables), and '=' to set any of
 * these. 0, or -1 and one line with where it went wrong. */
MUST_CHECK int dbg_eval(struct dbg *d, const char *text, u64 *value, char *err, size_t n);
/* A place in code: *EXPR, SYMBOL, SYMBOL+N, FILE:LINE, FILE:FUNCTION, LINE; "" is here. prologue: behind a function's. More than one
 * address may be found: the first `max` are put into addr, how many there are is returned; -1 and one line. */
int dbg_segment_offset(struct dbg *d, const char *text, u64 *la, char *err, size_t n);
MUST_CHECK int dbg_place(struct dbg *d, const char *text, bool prologue, u64 *addr, unsigned max, char *err, size_t n);

/* ---- commands: debugger/command.c ---- */

/* One command line, by whichever face. False: the session is over (`quit`). */
bool dbg_command(struct dbg *d, const char *line);
/* Commands that read files of the host are refused: they come from a client that may read none. */
void dbg_forbid_files(struct dbg *d, bool on);
/* Did the last one fail? */
bool dbg_failed(const struct dbg *d);
/* Is a body being read (`commands`, `define`)? Then the prompt is another. */
bool dbg_collecting(const struct dbg *d);
/* Forgets that body. */
void dbg_drop_body(struct dbg *d);
/* Does an empty line behind this one do it again? */
bool dbg_repeats(const char *line);
/* What that is: of commands that go on where they ended, such as `x`, without their address. "": nothing. */
void dbg_repetition(const char *line, char *buf, size_t n);
/* The exit status that the last `quit`, or the program, asks for. */
int dbg_status(const struct dbg *d);
/* Words that could stand where `line` ends; n-th, NULL beyond. Valid until the next call. */
const char *dbg_complete(struct dbg *d, const char *line, unsigned n);
/* How the last stop is told: to text or as one JSON line. */
void dbg_tell_stop(struct dbg *d);

#endif
