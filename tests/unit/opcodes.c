/* The opcode table: no two rows claim the same instruction, and the feature bits that models show have
 * bodies. */
#include <check.h>
#include <stdio.h>

#include "cpu/decode.h"
#include "cpu/opcodes.h"

/* Can one instruction match both rows? Prefix classes that exclude each other never do. */
static bool prefixes_meet(u8 a, u8 b) {
  static const u8 allows[] = {
      [P_ANY] = 15, [P_NP] = 1, [P_66] = 2, [P_F3] = 4, [P_F2] = 8, [P_NOREP] = 3, [P_W3] = 4};
  return allows[a] & allows[b];
}
static bool modrm_meet(u16 a, u16 b) {
  if (!(a & 1) || !(b & 1)) return true;
  for (unsigned m = 0; m < 256; m++) {
    bool hit[2];
    u16 want[2] = {a, b};
    for (unsigned k = 0; k < 2; k++) {
      u16 w = want[k];
      bool reg = m >> 6 == 3;
      hit[k] = !((w & 2) && !reg) && !((w & 4) && reg) && !((w & 8) && (w >> 4 & 7u) != (m >> 3 & 7)) &&
               !((w & 0x80) && (w >> 8 & 7u) != (m & 7));
    }
    if (hit[0] && hit[1]) return true;
  }
  return false;
}
static bool modes_meet(u8 a, u8 b) { return !((a == NO64 && b == ONLY64) || (a == ONLY64 && b == NO64)); }
static bool opcodes_meet(const struct oprow *a, const struct oprow *b) {
  unsigned na = a->attrs & A_ZREG ? 8 : 1, nb = b->attrs & A_ZREG ? 8 : 1;
  return a->map == b->map && a->opcode < b->opcode + nb && b->opcode < a->opcode + na;
}

START_TEST(rows_do_not_overlap) {
  unsigned overlaps = 0;
  for (unsigned i = 0; i < opcode_row_count; i++)
    for (unsigned j = i + 1; j < opcode_row_count; j++) {
      const struct oprow *a = &opcode_rows[i], *b = &opcode_rows[j];
      if (!opcodes_meet(a, b) || !prefixes_meet(a->prefix, b->prefix) || !modes_meet(a->modes, b->modes) ||
          !modrm_meet(a->modrm, b->modrm))
        continue;
      /* A feature's row may stand before the one that serves processors without it. */
      if (a->feature >= 0 && b->feature < 0) continue;
      fprintf(stderr, "rows %s %s and %s %s overlap at map %u opcode %02x\n", a->name, a->operands, b->name,
              b->operands, a->map, a->opcode);
      overlaps++;
    }
  ck_assert_uint_gt(opcode_row_count, 400);
  ck_assert_uint_eq(overlaps, 0);
}
END_TEST

START_TEST(every_row_has_a_handler_and_a_citation) {
  for (unsigned i = 0; i < opcode_row_count; i++) {
    const struct oprow *r = &opcode_rows[i];
    bool any = false;
    for (unsigned w = 0; w < r->body->widths; w++)
      for (unsigned f = 0; f < FORMS; f++) any |= r->body->fn[w][f] != NULL;
    ck_assert_msg(any, "%s: no handler", r->name);
    ck_assert_msg(r->cite[0] && r->name[0], "row %u: no name or no citation", i);
    for (const char *p = r->undefined; *p; p++)
      ck_assert_msg(strchr(r->modified, *p) != NULL, "%s: undefined flag %c is not among the modified",
                    r->name, *p);
  }
}
END_TEST

/* What belongs to each feature, by the manual's lists of instructions; "" are features without instructions
 * of their own. SDM 1 5.2 (x87 FPU), 5.4 (MMX), 5.5 (SSE), 5.6 (SSE2), 5.1 and 5.10 (general-purpose,
 * system); APM 3 appendix D (Instruction Subsets and CPUID Feature Flags). A row may serve several features:
 * CMPXCHG8B is CMPXCHG16B with REX.W, PREFETCH has all four hints. */
static const struct {
  enum feature feature;
  const char *names;
} groups[] = {
    {FEAT_FPU,
     "FLD FST FSTP FILD FIST FISTP FBLD FBSTP FXCH FADD FADDP FIADD FSUB FSUBP FISUB FSUBR FSUBRP FISUBR "
     "FMUL "
     "FMULP FIMUL FDIV FDIVP FIDIV FDIVR FDIVRP FIDIVR FPREM FPREM1 FABS FCHS FRNDINT FSCALE FSQRT FXTRACT "
     "FCOM "
     "FCOMP FCOMPP FUCOM FUCOMP FUCOMPP FICOM FICOMP FTST FXAM FSIN FCOS FSINCOS FPTAN FPATAN F2XM1 FYL2X "
     "FYL2XP1 FLD1 FLDZ FLDPI FLDL2E FLDLN2 FLDL2T FLDLG2 FINCSTP FDECSTP FFREE FNINIT FNCLEX FNSTCW FLDCW "
     "FNSTENV FLDENV FNSAVE FRSTOR FNSTSW WAIT FNOP"},
    {FEAT_TSC, "RDTSC"},
    {FEAT_MSR, "RDMSR WRMSR"},
    {FEAT_CX8, "CMPXCHG8B"},
    {FEAT_SEP, "SYSENTER SYSEXIT"},
    {FEAT_CMOV,
     "CMOVO CMOVNO CMOVB CMOVAE CMOVE CMOVNE CMOVBE CMOVA CMOVS CMOVNS CMOVP CMOVNP CMOVL CMOVGE CMOVLE "
     "CMOVG "
     "FCMOVB FCMOVE FCMOVBE FCMOVU FCMOVNB FCMOVNE FCMOVNBE FCMOVNU FCOMI FCOMIP FUCOMI FUCOMIP"},
    {FEAT_CLFSH, "CLFLUSH"},
    {FEAT_MMX,
     "MOVD MOVQ PACKSSWB PACKSSDW PACKUSWB PUNPCKHBW PUNPCKHWD PUNPCKHDQ PUNPCKLBW PUNPCKLWD PUNPCKLDQ PADDB "
     "PADDW PADDD PADDSB PADDSW PADDUSB PADDUSW PSUBB PSUBW PSUBD PSUBSB PSUBSW PSUBUSB PSUBUSW PMULHW "
     "PMULLW "
     "PMADDWD PCMPEQB PCMPEQW PCMPEQD PCMPGTB PCMPGTW PCMPGTD PAND PANDN POR PXOR PSLLW PSLLD PSLLQ PSRLW "
     "PSRLD "
     "PSRLQ PSRAW PSRAD EMMS"},
    {FEAT_FXSR, "FXSAVE FXRSTOR"},
    {FEAT_SSE,
     "MOVAPS MOVUPS MOVHPS MOVHLPS MOVLPS MOVLHPS MOVMSKPS MOVSS ADDPS ADDSS SUBPS SUBSS MULPS MULSS DIVPS "
     "DIVSS "
     "RCPPS RCPSS SQRTPS SQRTSS RSQRTPS RSQRTSS MAXPS MAXSS MINPS MINSS CMPPS CMPSS COMISS UCOMISS ANDPS "
     "ANDNPS "
     "ORPS XORPS SHUFPS UNPCKHPS UNPCKLPS CVTPI2PS CVTSI2SS CVTPS2PI CVTTPS2PI CVTSS2SI CVTTSS2SI LDMXCSR "
     "STMXCSR PAVGB PAVGW PEXTRW PINSRW PMAXUB PMAXSW PMINUB PMINSW PMOVMSKB PMULHUW PSADBW PSHUFW MASKMOVQ "
     "MOVNTQ MOVNTPS PREFETCH SFENCE"},
    {FEAT_SSE2,
     "MOVAPD MOVUPD MOVHPD MOVLPD MOVMSKPD MOVSD ADDPD ADDSD SUBPD SUBSD MULPD MULSD DIVPD DIVSD SQRTPD "
     "SQRTSD "
     "MAXPD MAXSD MINPD MINSD ANDPD ANDNPD ORPD XORPD CMPPD CMPSD COMISD UCOMISD SHUFPD UNPCKHPD UNPCKLPD "
     "CVTPD2PI CVTTPD2PI CVTPI2PD CVTPD2DQ CVTTPD2DQ CVTDQ2PD CVTPS2PD CVTPD2PS CVTSS2SD CVTSD2SS CVTSD2SI "
     "CVTTSD2SI CVTSI2SD CVTDQ2PS CVTPS2DQ CVTTPS2DQ MOVDQA MOVDQU MOVQ2DQ MOVDQ2Q PMULUDQ PADDQ PSUBQ "
     "PSHUFLW "
     "PSHUFHW PSHUFD PSLLDQ PSRLDQ PUNPCKHQDQ PUNPCKLQDQ CLFLUSH LFENCE MFENCE MASKMOVDQU MOVNTPD MOVNTDQ "
     "MOVNTI"},
    {FEAT_SYSCALL, "SYSCALL SYSRET"},
    {FEAT_LM, "SWAPGS MOVSXD"},
    {FEAT_RDTSCP, "RDTSCP"},
    {FEAT_LAHF64, "LAHF SAHF"},
    {FEAT_CX16, "CMPXCHG8B"},
    {FEAT_FSGSBASE, "RDFSBASE RDGSBASE WRFSBASE WRGSBASE"},
    {FEAT_MMXEXT, "PAVGB PEXTRW PINSRW PMAXSW PMINUB PSHUFW MASKMOVQ MOVNTQ SFENCE PREFETCH"},
    {FEAT_VME, ""},
    {FEAT_DE, ""},
    {FEAT_PSE, ""},
    {FEAT_PAE, ""},
    {FEAT_MCE, ""},
    {FEAT_APIC, ""},
    {FEAT_MTRR, ""},
    {FEAT_PGE, ""},
    {FEAT_MCA, ""},
    {FEAT_PAT, ""},
    {FEAT_PSE36, ""},
    {FEAT_NX, ""},
    {FEAT_TOPOEXT, ""},
    {FEAT_NO_LMSLE, ""},
    {FEAT_SMEP, ""},
    {FEAT_SMAP, "CLAC STAC"},
    {FEAT_PDPE1GB, ""},
    {FEAT_PCID, ""},
    {FEAT_INVPCID, "INVPCID"},
    {FEAT_PKU, "RDPKRU WRPKRU"},
    {FEAT_LA57, ""},
    {FEAT_UMIP, ""},
    {FEAT_RDPID, "RDPID"},
    {FEAT_NULL_SEL_CLR_BASE, ""},
};
/* Instructions that are there for programs which ask by other means, or for models still to come: no model
 * may show the feature before all of it has rows, and then it belongs in the list above. */
static const enum feature not_shown[] = {FEAT_SSE3, FEAT_MONITOR, FEAT_POPCNT};

static bool some_model_has(int f) {
  for (unsigned i = 0; model_at(i); i++)
    if (model_at(i)->has[f]) return true;
  return false;
}
static bool row_exists(const char *name, size_t n) {
  for (unsigned i = 0; i < opcode_row_count; i++)
    if (strlen(opcode_rows[i].name) == n && !strncmp(opcode_rows[i].name, name, n)) return true;
  return false;
}

START_TEST(every_feature_of_a_model_has_its_instructions) {
  for (int f = 0; f < FEAT_COUNT; f++) {
    const char *names = NULL;
    for (unsigned g = 0; g < ARRAY_SIZE(groups); g++)
      if (groups[g].feature == (enum feature)f) names = groups[g].names;
    if (!some_model_has(f)) continue;
    ck_assert_msg(names != NULL, "a model shows %s, of which this test knows no instructions",
                  feature_rows[f].name);
    for (size_t n; *names; names += n + (names[n] == ' ')) {
      n = strcspn(names, " ");
      ck_assert_msg(row_exists(names, n), "a model shows %s without %.*s", feature_rows[f].name, (int)n,
                    names);
    }
  }
}
END_TEST

START_TEST(features_of_rows_are_in_a_model_or_known_not_to_be) {
  for (int f = 0; f < FEAT_COUNT; f++) {
    bool used = false, listed = false;
    for (unsigned i = 0; i < opcode_row_count; i++) used |= opcode_rows[i].feature == f;
    for (unsigned i = 0; i < ARRAY_SIZE(not_shown); i++) listed |= not_shown[i] == (enum feature)f;
    if (some_model_has(f)) ck_assert_msg(!listed, "%s is in a model now", feature_rows[f].name);
    else
      ck_assert_msg(used == listed, "%s has rows and is in no model, or the reverse", feature_rows[f].name);
  }
}
END_TEST

Suite *suite_opcodes(void) {
  Suite *s = suite_create("opcodes");
  TCase *c = tcase_create("table");
  tcase_add_test(c, rows_do_not_overlap);
  tcase_add_test(c, every_row_has_a_handler_and_a_citation);
  tcase_add_test(c, every_feature_of_a_model_has_its_instructions);
  tcase_add_test(c, features_of_rows_are_in_a_model_or_known_not_to_be);
  suite_add_tcase(s, c);
  return s;
}
