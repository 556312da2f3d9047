/* The reference: test cases on this machine's own processor. */
#ifndef TESTS_NATIVE_NATIVE_H
#define TESTS_NATIVE_NATIVE_H

#include "tests/native/case.h"

/* Maps the arena and installs the signal handlers: -1 and a line on stderr when this machine does not allow
 * it. */
MUST_CHECK int native_open(void);

/* The arena's memory: at ARENA itself. */
u8 *native_arena(void);

/* Starts at in and says how it ended: with the vector of the exception that Linux made a signal of.
 * out->stuck: the timer's tick ended it, perhaps by chance: memory may have changed. */
void native_run(const struct state *in, struct outcome *out);

/* Notes what this program has mapped besides the arena; and whether any of it is in [la, la+n), so that an
 * access there would hit what it should not. */
void native_note_mappings(void);
bool native_owns(u64 la, u64 n);

/* Does this processor have the feature, by CPUID? */
bool native_has(enum feature f);
enum vendor native_vendor(void);

/* What vector registers this machine and its kernel have: XMM, YMM, or ZMM0 to ZMM31 with opmasks. */
enum native_vectors { NATIVE_XMM, NATIVE_YMM, NATIVE_ZMM };
enum native_vectors native_vector_unit(void);
/* XCR0; 0: there is none. */
u64 native_xcr0(void);

#endif
