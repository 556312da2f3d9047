/* What the host's processor can, where emulation uses an instruction that not every x86-64 has. SDM 1 14.5.3 (Detection of
 * FMA), 14.4.1 (Detection of F16C Instructions), 15.2 (Detection of AVX-512 Foundation Instructions). */
#ifndef BASE_HOST_CPU_H
#define BASE_HOST_CPU_H

#include "base/types.h"

/* Also: the host's system keeps the registers. False on other architectures. */
#if defined(__x86_64__)
#include <cpuid.h>

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
#endif

#endif
