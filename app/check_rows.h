/* What the vectors say of the rows of cpu/checks.def: coverage, and inversion. docs/conformance.md */
#ifndef APP_CHECK_ROWS_H
#define APP_CHECK_ROWS_H

#include "cpu/check.h"
#include "vectors/vec.h"

enum { PASSES, FAILS, SIDES };

/* Reads "ID passes|fails REASON" lines into excused[]. -1: told. */
MUST_CHECK int read_unreachable(const char *path, bool excused[CHECKS][SIDES]);
/* Prints the sides that no vector reached. Returns whether every one was, or is excused and was not. */
bool report_coverage(const struct rec_seen seen[CHECKS], bool excused[CHECKS][SIDES]);
/* Turns round one check after the other, and runs the vectors that judge it until one fails; TAP. Returns the exit
 * status. */
int invert_every_check(const struct vec_options *o, char **paths, int n);

#endif
