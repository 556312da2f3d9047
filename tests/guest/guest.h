/* What the guest programs share: verdict lines, a checksum, a small random generator. */
#ifndef TESTS_GUEST_GUEST_H
#define TESTS_GUEST_GUEST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))
#ifdef __x86_64__
#define WIDTH 64
#else
#define WIDTH 32
#endif

/* Prints a verdict; what varies between machines and runs is judged, never printed. */
static inline int verdict(const char *what, int ok) {
  printf("%-52s %s\n", what, ok ? "ok" : "BAD");
  return ok;
}

/* FNV-1a. */
static inline uint64_t checksum(uint64_t h, const void *p, size_t n) {
  const unsigned char *b = p;
  for (size_t i = 0; i < n; i++)
    h = (h ^ b[i]) * UINT64_C(0x100000001b3);
  return h;
}
#define CHECKSUM_START UINT64_C(0xcbf29ce484222325)

/* xorshift64*, the same everywhere. */
static inline uint64_t next_random(uint64_t *s) {
  *s ^= *s >> 12;
  *s ^= *s << 25;
  *s ^= *s >> 27;
  return *s * UINT64_C(0x2545f4914f6cdd1d);
}

#endif
