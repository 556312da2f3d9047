/* What the host's processor can, where emulation uses an instruction that not every x86-64 has. SDM 1 14.5.3
 * (Detection of FMA), 14.4.1 (Detection of F16C Instructions), 15.2 (Detection of AVX-512 Foundation
 * Instructions). */
#ifndef BASE_HOST_CPU_H
#define BASE_HOST_CPU_H

#include <stdlib.h>
#include <string.h>

#include "base/types.h"

/* Also: the host's system keeps the registers. False on other architectures. */
#if defined(__x86_64__)
#include <cpuid.h>

static inline bool host_has_leaf7_ecx(unsigned bit) {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c & bit);
}
/* AVX-512 as a model may have it: Ice Lake's, Zen 4's. The environment may forbid it, for tests of what is
 * done without. */
static inline bool host_has_avx512_all(void) {
  const char *choice = getenv("RINGWALK_HOST");
  if (choice && !strcmp(choice, "baseline")) return false;
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd") &&
             __builtin_cpu_supports("avx512ifma") &&
         __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bitalg") &&
         __builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("gfni") &&
         __builtin_cpu_supports("vpclmulqdq") && host_has_leaf7_ecx(1u << 9); /* VAES */
}
static inline bool host_has_fma(void) { return __builtin_cpu_supports("fma"); }
static inline bool host_has_avx512vl(void) { return __builtin_cpu_supports("avx512vl"); }
/* Not every compiler knows the name. */
static inline bool host_has_f16c(void) {
  unsigned a, b, c, d;
  return __builtin_cpu_supports("avx") && __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#else
static inline bool host_has_fma(void) { return false; }
static inline bool host_has_f16c(void) { return false; }
static inline bool host_has_avx512vl(void) { return false; }
static inline bool host_has_avx512_all(void) { return false; }
#endif

#endif
