/* Lines and names that stand at several places: a function that is inlined, and two of one name. */
#include "tests/debug/places.h"

volatile int counter;
volatile double real = 1.5;

static inline __attribute__((always_inline)) void bump(int n) {
  counter += n;
}

static int same(int n) { return n + 1; }

void _start(void) {
  for (int k = 0; k < 3; k++)
    bump(1);
  bump(2);
  bump(same(3));
  bump(other(4));
  leave(counter);
}
