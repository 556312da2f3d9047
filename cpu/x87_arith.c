/* x87 arithmetic: ADD SUB SUBR MUL DIV DIVR in all forms, and the operations on ST(0) and ST(1) alone.
 * SDM 1 8.3.5 (Basic Arithmetic Instructions). */
#include "cpu/x87_insn.h"

/* ST(0) op= memory: float, double, 16- and 32-bit integer. */
#define ARITH_MEM(op)                            \
  X87_LOAD(f##op##_m32, 4, "f" #op "s")          \
  X87_LOAD(f##op##_m64, 8, "f" #op "l")          \
  X87_LOAD(fi##op##_m32, 4, "fi" #op "l")        \
  X87_LOAD(fi##op##_m16, 2, "fi" #op "s")
ARITH_MEM(add)
ARITH_MEM(mul)
ARITH_MEM(sub)
ARITH_MEM(subr)
ARITH_MEM(div)
ARITH_MEM(divr)

/* Registers: ST op= ST(i); ST(i) op= ST; the latter with a pop. Those two swap SUB with SUBR and DIV with
 * DIVR. */
#define ARITH_ST(op, st, st_i)                   \
  X87_ST(f##op##_st_sti, 0xd8, st)               \
  X87_ST(f##op##_sti_st, 0xdc, st_i)             \
  X87_ST(f##op##p_sti_st, 0xde, st_i)
ARITH_ST(add, 0xc0, 0xc0)
ARITH_ST(mul, 0xc8, 0xc8)
ARITH_ST(sub, 0xe0, 0xe8)
ARITH_ST(subr, 0xe8, 0xe0)
ARITH_ST(div, 0xf0, 0xf8)
ARITH_ST(divr, 0xf8, 0xf0)

X87_NULLARY(fchs, 0xd9, 0xe0)
X87_NULLARY(fabs, 0xd9, 0xe1)
X87_NULLARY(fsqrt, 0xd9, 0xfa)
X87_NULLARY(frndint, 0xd9, 0xfc)
X87_NULLARY(fscale, 0xd9, 0xfd)
X87_NULLARY(fxtract, 0xd9, 0xf4)
X87_NULLARY(fprem, 0xd9, 0xf8)
X87_NULLARY(fprem1, 0xd9, 0xf5)
