/* x87 transcendental instructions. The results are the host's own; vendors and generations differ in the
 * last bit. SDM 1 8.3.7 (Trigonometric Instructions), 8.3.9 (Logarithmic, Exponential, and Scale). */
#include "cpu/x87_insn.h"

X87_NULLARY(f2xm1, 0xd9, 0xf0)
X87_NULLARY(fyl2x, 0xd9, 0xf1)
X87_NULLARY(fyl2xp1, 0xd9, 0xf9)
X87_NULLARY(fptan, 0xd9, 0xf2)
X87_NULLARY(fpatan, 0xd9, 0xf3)
X87_NULLARY(fsincos, 0xd9, 0xfb)
X87_NULLARY(fsin, 0xd9, 0xfe)
X87_NULLARY(fcos, 0xd9, 0xff)
