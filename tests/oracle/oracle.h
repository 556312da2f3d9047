/* Second opinions on the conformance vectors (docs/conformance.md, "Second opinions"): a case goes to another
 * implementation of the processor, and what it did is compared with what the vector wants. */
#ifndef TESTS_ORACLE_ORACLE_H
#define TESTS_ORACLE_ORACLE_H

#include "vectors/diff.h"
#include "vectors/engine.h"

enum { REASON_MAX = 160 };

/* A case as an oracle gets it. `want` is the state on the boundary behind the instruction: where it went on,
 * or the first instruction of the handler of what it raised. */
struct job {
  const struct vec_case *c;
  const struct vec_plan *plan;
  const struct vstate *want;
  enum outcome_kind end; /* OUT_DONE: such a boundary is reached; else OUT_HALT or OUT_SHUTDOWN */
  const struct cpu_model *model; /* with the features of the oracle's */
  const struct cpu_model *planned; /* as the vector has it */
  struct engine *engine; /* our own processor, of that model: for what comes after the case */
};

/* What an oracle answers. */
struct answer {
  enum outcome_kind end;
  struct vstate st; /* begins as a copy of `want`: what the oracle cannot see it leaves alone */
  bool planted; /* it stands at the handler of a #UD that the oracle planted */
  struct vstate *want; /* what is compared with it: `want`, or what the oracle makes of it to bring it home */
};

struct oracle {
  const char *name;
  void *opaque;
  /* Makes *m a processor with the features of the oracle's. */
  void (*restrict_model)(void *opaque, struct cpu_model *m);
  /* Does the case. -1: it cannot, and why. */
  int (*run)(void *opaque, const struct job *j, struct answer *a, char why[REASON_MAX]);
  /* NULL, or: the cases are given twice. In the first round run() takes them and gives no answers; this does
   * them; the second round has the answers. -1: it could not, and why. */
  int (*between)(void *opaque, char why[REASON_MAX]);
  void (*close)(void *opaque);
};

/* NULL: there is none here; why says what is missing. The image's parts are IMAGE-boot.bin,
 * IMAGE-monitor.bin. If there is a file `answers`, no case is run, but the answers are taken from it;
 * otherwise they are kept in it. */
struct oracle *oracle_kvm(char why[REASON_MAX]);
struct oracle *oracle_image(const char *emulator, enum vendor vendor, const char *image, const char *answers,
                            char why[REASON_MAX]);

#endif
