/* The bootable image that emulators run: what its three parts share. docs/conformance.md, "Second opinions".
 * */
#ifndef TESTS_ORACLE_IMAGE_H
#define TESTS_ORACLE_IMAGE_H

#include <stdio.h>

#include "tests/oracle/handed.h"
#include "tests/oracle/monitor.h"

enum { PATCHES = 8, CPUIDS = 16 };
enum { FATE_NONE, FATE_BACK, FATE_SHUTDOWN, FATE_SILENT };

/* What came back of a case; `changes` are pairs: a state word's number with
 * bit 63, an address, or with bit 62 a word of the FXSAVE image; and the value. */
struct came {
  u64 *change;
  u32 changes;
  u64 key; /* of the case */
  u8 fate, left_by;
};

struct image {
  struct oracle oracle;
  char emulator[32], files[400], dir[64], disk[120], config[120];
  enum vendor vendor;
  struct vstate base[VM_MODES];
  u8 *cases; /* the stream for the disk */
  size_t bytes, room;
  size_t *start; /* of each case in it */
  struct came *came;
  u32 count;
  bool answering;
  const char *answers; /* NULL, or a file: answers are taken from it, or kept in it */
  FILE *keep;
  u32 cpuid[CPUIDS][6];
  unsigned cpuids;
  struct vec_plan after; /* the planted UD2 */
  struct vstate landed;
  struct {
    u32 at, bytes;
    u8 was[16];
  } patch[PATCHES];
  unsigned patches;
  bool planted; /* UD2 where the case goes on */
};

/* image_case.c: makes a case one for the monitor, in *start and im->landed, the state that it is to see. -1:
 * it cannot be, and why. */
MUST_CHECK int image_express(struct image *im, const struct job *j, struct vstate *start,
                             char why[REASON_MAX]);
/* How the monitor enters it: ENTER_*. */
u32 image_entry(const struct vstate *st);
/* Handlers lead to the monitor, and as they were. */
void image_lead_handlers(struct vstate *st, bool code64);
void image_restore_handlers(struct vstate *st, const struct vstate *from);
/* A state as the monitor's words, S_* of monitor.h; and one word back into a state. */
void image_words(const struct vstate *st, u64 s[S_ALL]);
void image_word_back(struct vstate *st, u64 word, u64 v);

/* image_fpu.c: the FXSAVE image, and what of it is seen back into a state; pointers that it has no room for.
 * */
void image_fpu_words(const struct vstate *st, u64 w[FPU_WORDS]);
void image_fpu_back(struct vstate *st, const u64 w[FPU_WORDS], unsigned seen, bool pointers);
bool image_fpu_wide(const struct vstate *st);

/* image_run.c: appends a case to the stream; -1: out of memory. */
MUST_CHECK int image_enqueue(struct image *im, const struct job *j, const struct vstate *start);
/* Cases with the same key are the same to an emulator. */
u64 image_key(const struct vstate *start);
/* Boots once without cases, for CPUID. -1: it does not, and why. */
MUST_CHECK int image_boot(struct image *im, char why[REASON_MAX]);
/* What came back of the case with that key; NULL: there is none. */
const struct came *image_answer(const struct image *im, u64 key);
/* Runs all cases, or takes their answers from im->answers. -1: not all were, and why. */
MUST_CHECK int image_run(struct image *im, char why[REASON_MAX]);

#endif
