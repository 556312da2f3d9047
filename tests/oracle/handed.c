/* What every oracle needs to hand a case over: its reasons not to, and the MSRs. SDM 4 2.1 (Architectural
 * MSRs). */
#include "tests/oracle/handed.h"

#include <stdarg.h>
#include <stdio.h>

int refuse(char why[REASON_MAX], const char *fmt, ...) {
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
      return refuse(why, "MSR %s is not handed over", msr_rows[n].id);
  return 0;
}
