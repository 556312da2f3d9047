/* Conformance vectors: what the machine is, what runs, what must be true after (docs/conformance.md has the
 * format). A file is parsed into vectors; a vector is enumerated into cases; a case gives an initial and an
 * expected state, and is run. */
#ifndef VECTORS_VEC_H
#define VECTORS_VEC_H

#include <stdio.h>

#include "base/assemble.h"
#include "vectors/state.h"

enum {
  VEC_VARS = 32, VEC_LOOPS = 12, VEC_MAX_CASES = 200000, VEC_MAX_CODE = ASSEMBLE_MAX, VEC_MAX_STEPS = 10000,
  VEC_CHANGES = 8, VEC_NEEDS = 16, VEC_NONE = -1,
};

/* What went wrong, "FILE:LINE:COL: text" (of a case: the statement's place). */
struct vec_error {
  char text[400];
};

/* Expressions: 64-bit unsigned arithmetic over numbers, the vector's variables and the machine's state. */
enum node_kind { N_NUM, N_VAR, N_REG, N_MEM, N_UNARY, N_BINARY, N_CHOICE, N_CALL, N_NEXT, N_VENDOR, N_MODE, N_MODEL };
struct node {
  u8 kind, op;
  s32 a, b, c; /* operands: places in vec_file.node */
  u32 line, col;
  u64 num;     /* the number; which variable, register, function, vendor, mode or property of the model */
};

enum stmt_kind {
  ST_LET,     /* index: variable; value */
  ST_SKIP,    /* cond */
  ST_ASM,     /* text; args: the values of its {} */
  ST_HEX,     /* args: the bytes */
  ST_SET,     /* index: register (cpu/regname.h); op; value */
  ST_MEM,     /* index: bytes; at; op; value */
  ST_TSS,     /* index: field; op; value */
  ST_FLAGS,   /* mask, value 0 or ~0 (VEC_NONE: see set), op */
  ST_SEG,     /* index: segment; sub: kind; args */
  ST_GDT,     /* at: selector; sub: kind; args */
  ST_IDT,     /* at: vector; sub: kind; args */
  ST_PAGE,    /* at: address; args */
  ST_FRAME,   /* index: bytes; at: top; args: words from high to low */
  ST_TASK,    /* a TSS, index: 2 or 4 (16 or 32 bits); at: address; args. want: the registers that it gives */
  ST_SAVED,   /* want: the same, as a switch away leaves it */
  ST_FAULT,   /* index: vector; value: error code or VEC_NONE */
  ST_DELIVER, /* the same, or at: vector */
  ST_SHUTDOWN, /* index 1: halt */
  ST_ANY,     /* index: register, or with `at` bytes of memory there: not compared */
  ST_STEPS,   /* value: instructions to run */
  ST_INTERRUPT, /* value: the vector that is pending */
  ST_NMI,
};

struct arg {
  u8 key; /* of the statement's key table; 0 in plain lists */
  s32 value;
};

struct stmt {
  u8 kind, sub, op;
  bool want, set;
  s32 cond, at, value;
  u32 index, mask;
  u32 first_arg, args;
  unsigned line, col;
  char *text;
};

struct loop {
  u32 var;
  u32 first_arg, args;
  unsigned line, col;
};

struct vector {
  char *name, *cite, *disputed; /* disputed: NULL, or who says otherwise */
  unsigned line, col;
  u8 vendors;  /* VENDORS_* */
  struct {
    s16 feature; /* enum feature */
    bool on;
  } change[VEC_CHANGES]; /* features that the model gets or loses */
  u32 changes;
  s16 need[VEC_NEEDS]; /* features without which the vector is skipped */
  u32 needs;
  u8 modes;    /* bit per enum vec_mode */
  s32 cpl;
  u32 undefined; /* flags that are not compared */
  u32 vars;
  char *var[VEC_VARS];
  u32 loops;
  struct loop loop[VEC_LOOPS];
  u32 first_stmt, stmts;
};

struct vec_file {
  char *name, *text;
  struct node *node;
  struct arg *arg;
  struct stmt *stmt;
  struct vector *vector;
  u32 nodes, args, stmts, vectors;
  u32 node_room, arg_room, stmt_room, vector_room;
};

/* Parses n bytes of text. NULL: *err says where and why. */
MUST_CHECK struct vec_file *vec_parse(const char *name, const char *text, size_t n, struct vec_error *err);
MUST_CHECK struct vec_file *vec_load(const char *path, struct vec_error *err);
void vec_free(struct vec_file *f);

/* One case of a vector. */
struct vec_case {
  const struct vec_file *file;
  const struct vector *v;
  enum vendor vendor;
  enum vec_mode mode;
  const struct cpu_model *model; /* NULL in loops: they are the same on every model */
  u64 var[VEC_VARS];
};

/* Calls fn for every case of v, in order; stops when it returns non-zero, and returns that. -1: too many cases, or
 * loops that make no sense; *err says it. */
int vec_cases(const struct vec_file *f, const struct vector *v,
              int (*fn)(void *opaque, const struct vec_case *c), void *opaque, struct vec_error *err);

/* The variables of a case as text: "intel long64 cpl=3 dpl=0". */
void vec_case_name(const struct vec_case *c, char *out, size_t n);

enum outcome_kind { OUT_DONE, OUT_FAULT, OUT_DELIVER, OUT_SHUTDOWN, OUT_HALT, OUT_STUCK };
struct outcome {
  enum outcome_kind kind;
  u8 vector;
  bool has_error;
  u32 error;
};

/* What the case starts from and must end with. -1: *err says why it makes no sense. 1: the case is skipped.
 */
enum { VEC_ANYS = 16 };
struct vec_plan {
  struct vstate start, want;
  struct { /* what is not compared: a register, or with `bytes` memory at `at` */
    u64 at;
    u32 bytes;
  } any[VEC_ANYS];
  unsigned anys;
  struct outcome outcome;
  u64 next;
  u64 steps;     /* instructions to run */
  int interrupt; /* the vector of an external interrupt that is pending all the time; -1: none */
  bool nmi;      /* one is pending */
};
MUST_CHECK int vec_plan(const struct vec_case *c, const struct cpu_model *model, struct assembler *as,
                        struct vec_plan *p, struct vec_error *err);
MUST_CHECK int vec_plan_init(struct vec_plan *p);
void vec_plan_free(struct vec_plan *p);

/* Evaluation. An expression without a value (a division by 0) gives 0 and leaves the first such trouble behind. */
struct vec_trouble {
  bool here;
  struct vec_error err;
};
struct venv {
  const struct vec_case *c;
  const struct vstate *st; /* what state means in an expression */
  u64 next;
  struct vec_trouble *trouble;
};
u64 vec_eval(const struct venv *env, s32 node);
/* The same for a place of so many bits, signed or not: more do not fit. what: "dpl" */
u64 vec_eval_bits(const struct venv *env, s32 node, unsigned bits, const char *what);
/* Trouble at an expression's place. */
void vec_trouble(const struct venv *env, s32 node, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The assembly text of a statement with its {} replaced. -1: too long. */
MUST_CHECK int vec_asm_text(const struct venv *env, const struct stmt *s, char *out, size_t n);
/* Applies one statement to st. -1: an address outside the machine. */
MUST_CHECK int vec_apply(const struct venv *env, const struct stmt *s, struct vstate *st,
                         struct vec_error *err);
MUST_CHECK int vec_apply_task(const struct venv *env, const struct stmt *s, struct vstate *st, struct vec_error *err);
void vec_case_error(struct vec_error *err, const struct vec_file *f, const struct stmt *s, const char *fmt,
                    ...) PRINTF_LIKE(4, 5);

/* The runner. */
struct vec_options {
  const char *only;          /* NULL, or a name or shell pattern of vectors */
  const char *invert;        /* NULL, or a check of cpu/checks.def turned round */
  struct rec_seen *seen;     /* NULL, or of CHECKS elements: counts verdicts (cpu/record.h) */
  u8 vendors;                /* VENDORS_* to run */
  const struct cpu_model *model; /* NULL: each vendor's default */
  FILE *tap, *junit;         /* NULL: none */
  unsigned jobs;             /* threads; 0: 1 */
  bool quiet;                /* cases that pass are not told of in tap */
  bool fail_fast;            /* the first failure is enough */
  bool hex_only;             /* GNU as is asked only where there is no hex */
};
struct vec_runner;
struct vec_runner *vec_runner_new(const struct vec_options *o);
void vec_runner_free(struct vec_runner *r);
/* Runs vector k of a file, alone. -1: out of memory. A vector whose cases cannot be enumerated is one failure. */
MUST_CHECK int vec_run_vector(struct vec_runner *r, const struct vec_file *f, u32 k);
/* Runs a file's vectors. -1: the same. */
MUST_CHECK int vec_run_file(struct vec_runner *r, const struct vec_file *f);
/* A file that could not be read counts as one failure. */
void vec_run_refused(struct vec_runner *r, const char *path, const struct vec_error *err);
/* Prints the plan and the sum; counts are final. Returns whether all passed and something ran. */
bool vec_run_end(struct vec_runner *r, unsigned *passed, unsigned *failed);

#endif
