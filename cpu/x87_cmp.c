/* x87 comparison and classification. SDM 1 8.3.6 (Comparison and Classification Instructions). */
#include "cpu/x87_insn.h"

X87_LOAD(fcom_m32, 4, "fcoms")
X87_LOAD(fcom_m64, 8, "fcoml")
X87_LOAD(fcomp_m32, 4, "fcomps")
X87_LOAD(fcomp_m64, 8, "fcompl")
X87_LOAD(ficom_m16, 2, "ficoms")
X87_LOAD(ficom_m32, 4, "ficoml")
X87_LOAD(ficomp_m16, 2, "ficomps")
X87_LOAD(ficomp_m32, 4, "ficompl")

X87_ST(fcom_sti, 0xd8, 0xd0)
X87_ST(fcomp_sti, 0xd8, 0xd8)
X87_ST(fucom_sti, 0xdd, 0xe0)
X87_ST(fucomp_sti, 0xdd, 0xe8)
/* Encodings that processors take but Intel's manual does not name. */
X87_ST(fcom2, 0xdc, 0xd0)
X87_ST(fcomp3, 0xdc, 0xd8)
X87_ST(fcomp5, 0xde, 0xd0)

X87_NULLARY(fcompp, 0xde, 0xd9)
X87_NULLARY(fucompp, 0xda, 0xe9)
X87_NULLARY(ftst, 0xd9, 0xe4)
X87_NULLARY(fxam, 0xd9, 0xe5)

/* FCOMI and its like set all six flags. An unmasked invalid operation may leave them alone, so the X form
 * starts with the guest's. */
#define X87_FLAGS(b0, b1) __asm__ volatile(X87_BYTES(b0, b1) "\n\tlahf\n\tseto %%al" : "=a"(cpu->hf) : : "cc")
#define X87_FLAGS_KEPT(b0, b1)                                                                    \
  do {                                                                                            \
    u16 hf_ = cpu->hf;                                                                            \
    u8 of_ = hf_ & HF_OF ? 0x7f : 0;                                                              \
    __asm__ volatile("addb $1, %b1\n\tsahf\n\t" X87_BYTES(b0, b1) "\n\tlahf\n\tseto %%al"         \
                     : "+a"(hf_), "+q"(of_) : : "cc");                                            \
    cpu->hf = hf_;                                                                                \
  } while (0)
#define X87_COMI_1(name, b0, b1) X87_PAIR2(name, X87_FLAGS(b0, b1), X87_FLAGS_KEPT(b0, b1))
#define X87_COMI(name, b0, b1) X87_EACH_ST(X87_COMI_1, name, b0, b1)
X87_COMI(fcomi, 0xdb, 0xf0)
X87_COMI(fcomip, 0xdf, 0xf0)
X87_COMI(fucomi, 0xdb, 0xe8)
X87_COMI(fucomip, 0xdf, 0xe8)
