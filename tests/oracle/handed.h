/* What every oracle needs to hand a case over. docs/conformance.md, "Second opinions". */
#ifndef TESTS_ORACLE_HANDED_H
#define TESTS_ORACLE_HANDED_H

#include "tests/oracle/oracle.h"

/* Writes why, and returns -1. */
int decline(char why[REASON_MAX], const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The MSRs that oracles are given and asked for, besides EFER. */
enum { HANDED_MSRS = 8 };
extern const u16 handed_msrs[HANDED_MSRS];
/* -1: the case sets, or wants changed, another one. */
MUST_CHECK int msrs_handed(const struct job *j, char why[REASON_MAX]);
/* -1: the case begins or ends with another XCR0 than 1, or with vector registers wider than SSE's; or it begins with
 * a bit of MXCSR that is reserved there. */
MUST_CHECK int simd_handed(const struct job *j, char why[REASON_MAX]);

#endif
