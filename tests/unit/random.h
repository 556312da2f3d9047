/* Pseudo-random numbers for tests, the same in each run: xorshift64* (Vigna, "An experimental exploration of
 * Marsaglia's xorshift generators, scrambled"). */
#ifndef TESTS_UNIT_RANDOM_H
#define TESTS_UNIT_RANDOM_H

#include "base/types.h"

/* A state must not be 0. */
static inline u64 random_next(u64 *state) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return *state * UINT64_C(0x2545f4914f6cdd1d);
}

/* One sequence for each test program that draws without a state of its own. */
static inline u64 rnd(void) {
  static u64 state = UINT64_C(0x853c49e6748fea9b);
  return random_next(&state);
}
static inline unsigned below(unsigned n) { return (unsigned)((rnd() >> 33) % n); }

#endif
