/* What every oracle needs to hand a case over: its reasons not to, the MSRs, and what only XSAVE knows. SDM 4
 * 2.1 (Architectural MSRs); SDM 1 13.1 (XSAVE-Supported Features and State-Component Bitmaps). */
#include "tests/oracle/handed.h"

#include <stdarg.h>
#include <stdio.h>

#include "cpu/simd_state.h"

int decline(char why[REASON_MAX], const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(why, REASON_MAX, fmt, ap);
  va_end(ap);
  return -1;
}

const u16 handed_msrs[HANDED_MSRS] = {MSR_STAR,        MSR_LSTAR,        MSR_CSTAR,        MSR_FMASK,
                                      MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
                                      MSR_KERNEL_GS_BASE};

int msrs_handed(const struct job *j, char why[REASON_MAX]) {
  const struct vstate *st = &j->plan->start;
  bool seen[MSR_SLOTS] = {[MSR_EFER] = true};
  u64 reset[MSR_SLOTS];
  for (unsigned n = 0; n < HANDED_MSRS; n++) seen[handed_msrs[n]] = true;
  msr_reset_all(j->planned, reset);
  for (unsigned n = 0; n < MSR_SLOTS; n++)
    if (!seen[n] && (st->msr[n] != reset[n] || j->want->msr[n] != st->msr[n]))
      return decline(why, "MSR %s is not handed over", msr_rows[n].id);
  return 0;
}

static bool beyond_sse(const struct vstate *st) {
  u64 all = 0;
  for (unsigned n = 0; n < 32; n++)
    for (unsigned q = n < 16 ? 2 : 0; q < 8; q++) all |= st->vec[n].q[q];
  for (unsigned n = 0; n < 8; n++) all |= st->k[n];
  return all;
}

int simd_handed(const struct job *j, char why[REASON_MAX]) {
  if (j->plan->start.xcr0 != 1 || j->want->xcr0 != 1) return decline(why, "XCR0 is not handed over");
  if (!j->model->has[FEAT_MISALIGNSSE] && (j->plan->start.mxcsr & MXCSR_MM))
    return decline(why, "a feature is missing there");
  if (beyond_sse(&j->plan->start) || beyond_sse(j->want))
    return decline(why, "registers of AVX and AVX-512 are not handed over");
  return 0;
}
