/* Flag control: CLC STC CMC CLD STD LAHF SAHF SALC. SDM 1 7.3.14 (Flag Control (EFLAG) Instructions). */
#include "cpu/handler.h"

#define FLAG_INSN(name, statement)                                                                      \
  static const struct insn *h_##name(struct cpu *restrict cpu, const struct insn *restrict i) {         \
    statement;                                                                                          \
    GO(cpu, i + 1);                                                                                     \
  }                                                                                                     \
  BODY_1(name, h_##name)

FLAG_INSN(clc, cpu->hf &= (u16)~HF_CF)
FLAG_INSN(stc, cpu->hf |= HF_CF)
FLAG_INSN(cmc, cpu->hf ^= HF_CF)
FLAG_INSN(cld, cpu->eflags &= ~(u32)EF_DF)
FLAG_INSN(std, cpu->eflags |= EF_DF)

/* AH = SF ZF 0 AF 0 PF 1 CF; AH is byte 1 of the registers. */
enum { REG_AH = 1, AH_FLAGS = EF_SF | EF_ZF | EF_AF | EF_PF | EF_CF };
FLAG_INSN(lahf, reg_set(cpu, REG_AH, (hf_to_eflags(cpu->hf) & AH_FLAGS) | EF_1, W8))
FLAG_INSN(sahf, cpu->hf = (u16)((cpu->hf & HF_OF) | hf_from_eflags((u32)reg_get(cpu, REG_AH, W8) & AH_FLAGS)))

/* AL = CF ? FFh : 0 */
FLAG_INSN(salc, reg_set(cpu, RAX, cpu->hf & HF_CF ? 0xff : 0, W8))
