/* The sixteen conditions of Jcc, SETcc and CMOVcc, tested on the host flags word (base/host.h).
 * SDM 1 B (EFLAGS Condition Codes). */
#ifndef CPU_COND_H
#define CPU_COND_H

#include "base/host.h"

/* cc is the low four bits of the opcode: O NO B AE E NE BE A S NS P NP L GE LE G. A constant cc costs one
 * test of hf, or a shift and a XOR more for the signed ones. */
ALWAYS_INLINE bool cond(u16 hf, unsigned cc) {
  unsigned f = hf, less = f >> 15 ^ f; /* bit 0: SF <> OF */
  bool c;
  switch (cc >> 1 & 7) {
    case 0: c = f & HF_OF; break;
    case 1: c = f & HF_CF; break;
    case 2: c = f & HF_ZF; break;
    case 3: c = f & (HF_CF | HF_ZF); break;
    case 4: c = f & HF_SF; break;
    case 5: c = f & HF_PF; break;
    case 6: c = less & 1; break;
    default: c = (less | f >> 14) & 1; break;
  }
  return c != (cc & 1);
}

#endif
