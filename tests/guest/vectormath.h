/* Callers for the vector math functions of libmvec, _ZGV<b|d|e>N<lanes><v...>_NAME as the x86-64 vector ABI
 * has them: 128-, 256- and 512-bit registers, lanes of float or double. */
#ifndef TESTS_GUEST_VECTORMATH_H
#define TESTS_GUEST_VECTORMATH_H

#include <math.h>

#include "guest.h"

static const double vector_inputs[] = {
  0.0, -0.0, 0.5, -0.5, 1.0, -1.0, 0.1, 0.9375, -0.25, 2.0, 3.0, -7.5, 10.0, 1e-5, -1e-10, 0x1p-30,
  0.7853981633974483, 1.5707963267948966, 3.141592653589793, 100.0, -123.456, 1e5, 1e15, 88.5, -88.5,
  709.5, -745.0, 1e300, -1e-300, 0x1p-1074, 0x1.fffffffffffffp1023, 0x1p-149, 0x1.fffffep127, INFINITY,
  -INFINITY, NAN, 0.9999999999999999, 1.0000000000000002, 37.25, -38.5
};

/* Calls fn over the inputs, a vector at a time, and adds every lane of the results to a checksum. T: a lane;
 * V: a vector of them; P: a vector of pointers; sincos takes vectors of pointers, for floats two halves. */
#define CALLER(name, isa, T, bytes) \
  __attribute__((target(isa), noinline)) static uint64_t name(any fn, int args, int pointers, int halves) { \
    typedef T V __attribute__((vector_size(bytes))); \
    typedef long P __attribute__((vector_size(bytes))); \
    enum { LANES = bytes / sizeof(T), INPUTS = COUNT(vector_inputs) }; \
    uint64_t sum = CHECKSUM_START; \
    for (int at = 0; at < 3 * INPUTS; at += LANES) { \
      V x, y, r[2] = {{0}, {0}}; \
      P p[4] = {{0}, {0}, {0}, {0}}; \
      for (int i = 0; i < (int)LANES; i++) { \
        x[i] = (T)vector_inputs[(at + i) % INPUTS] * (T)(at >= INPUTS ? 1.0625 : 1); \
        y[i] = (T)vector_inputs[((at + i) * 7 + at / INPUTS) % INPUTS]; \
      } \
      for (int k = 0; k < 2; k++) \
        for (int i = 0; i < (int)LANES; i++) \
          p[k * (1 + halves) + i * 8 / bytes][i % (bytes / 8)] = (long)((T *)&r[k] + i); \
      if (pointers && halves) \
        ((void (*)(V, P, P, P, P))fn)(x, p[0], p[1], p[2], p[3]); \
      else if (pointers) \
        ((void (*)(V, P, P))fn)(x, p[0], p[1]); \
      else if (args == 2) \
        r[0] = ((V(*)(V, V))fn)(x, y); \
      else \
        r[0] = ((V(*)(V))fn)(x); \
      sum = checksum(sum, r, sizeof r); \
    } \
    return sum; \
  }
CALLER(call_2_double, "sse2", double, 16)
CALLER(call_4_float, "sse2", float, 16)
CALLER(call_4_double, "avx2", double, 32)
CALLER(call_8_float, "avx2", float, 32)
CALLER(call_8_double, "avx512f", double, 64)
CALLER(call_16_float, "avx512f", float, 64)

/* Calls one, if the processor has the registers, and prints a checksum. */
static int vector_math(const char *name, any fn) {
  static const struct {
    const char *prefix;
    uint64_t (*call)(any, int, int, int);
    int halves;
  } rows[] = {{"_ZGVbN2v", call_2_double, 0}, {"_ZGVbN4v", call_4_float, 1},  {"_ZGVdN4v", call_4_double, 0},
              {"_ZGVdN8v", call_8_float, 1},  {"_ZGVeN8v", call_8_double, 0},
              {"_ZGVeN16v", call_16_float, 1}};
  for (int i = 0; i < COUNT(rows); i++) {
    size_t n = strlen(rows[i].prefix);
    if (strncmp(name, rows[i].prefix, n) || !strcmp(rows[i].prefix, name))
      continue;
    if ((i >= 2 && !__builtin_cpu_supports("avx2")) || (i >= 4 && !__builtin_cpu_supports("avx512f")))
      return 0;
    size_t vs = strspn(name + n, "v") + 1;
    uint64_t sum = rows[i].call(fn, (int)vs, vs == 3, rows[i].halves);
    printf("%s: %016llx\n", name, (unsigned long long)sum);
    return 1;
  }
  return 0;
}

#endif
