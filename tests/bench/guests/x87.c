/* x87: a polynomial, a dot product and Newton's square roots in long double, with conversions from and to integers.
   usage: x87 SCALE */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEN = 1024 };
static long double a[LEN], b[LEN];
static int32_t n[LEN];

static long double pass(long double x) {
  long double dot = 0, p = 1;
  for (int i = 0; i < LEN; i++) {
    dot += a[i] * b[i];
    p = p * x + a[i];
    if (p > 4 || p < -4) p *= 0.125L;
    long double r = b[i] + 1, y = r;
    y = 0.5L * (y + r / y);
    y = 0.5L * (y + r / y);
    n[i] += (int32_t)(y * 8);
    b[i] = b[i] * 0.75L + (long double)(n[i] & 7) * 0.125L;
  }
  return dot + p;
}

int main(int argc, char **argv) {
  unsigned scale = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
  long double s = 0;
  uint32_t h = 0;
  for (int i = 0; i < LEN; i++) a[i] = (long double)(i % 17) / 7 - 1, b[i] = (long double)(i % 11) / 3;
  for (unsigned k = 0; k < scale; k++) s = s * 0.5L + pass(0.25L + (long double)(k % 3) * 0.125L);
  for (int i = 0; i < LEN; i++) h = (h ^ (uint32_t)n[i]) * 16777619u;
  printf("x87 %.15Lg %08x\n", s, (unsigned)h);
  return 0;
}
