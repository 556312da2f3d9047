/* Opcodes of features that no model here has, so that #UD can name the feature: SDM 2D A.3 (One, Two, and Three-Byte
 * Opcode Maps), A.4 (Opcode Extensions for One-Byte and Two-byte Opcodes); APM 3 A (Opcode and Operand Encodings). */
#include "cpu/opcodes.h"

#define ABSENT(map_, first_, last_, prefix_, modrm_, feature_)                                       \
  {.map = (map_), .first = (first_), .last = (last_), .prefix = (prefix_), .modrm = (u16)(modrm_),  \
   .feature = (s16)FEAT_##feature_},

const struct absent_row absent_rows[] = {
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(2, 0), XSAVE) /* XGETBV, XSETBV */
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(2, 1), XSAVE)
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(2, 5), RTM)
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(2, 6), RTM)
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(0, 2), VMX) /* VMLAUNCH, VMRESUME, VMXOFF */
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(0, 3), VMX)
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(0, 4), VMX)
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(5, 0), SERIALIZE)
  ABSENT(1, 0x01, 0x01, P_ANY, X_GR(3), SVM)
  ABSENT(1, 0x01, 0x01, P_ANY, X_GRM(7, 4), CLZERO)
  ABSENT(1, 0x01, 0x01, P_ANY, X_GRM(7, 5), RDPRU)
  ABSENT(1, 0x0f, 0x0f, P_ANY, X_ANY, 3DNOW)
  ABSENT(1, 0x37, 0x37, P_NP, X_NONE, SMX)
  ABSENT(1, 0x78, 0x79, P_NP, X_ANY, VMX)
  ABSENT(1, 0x78, 0x79, P_F2, X_ANY, SSE4A)
  ABSENT(1, 0xae, 0xae, P_NP, X_GM(4), XSAVE) /* XSAVE, XRSTOR, XSAVEOPT */
  ABSENT(1, 0xae, 0xae, P_NP, X_GM(5), XSAVE)
  ABSENT(1, 0xae, 0xae, P_NP, X_GM(6), XSAVEOPT)
  ABSENT(1, 0xae, 0xae, P_66, X_GM(6), CLWB)
  ABSENT(1, 0xae, 0xae, P_66, X_GM(7), CLFLUSHOPT)
  ABSENT(1, 0xae, 0xae, P_ANY, X_GR(6), WAITPKG)
  ABSENT(1, 0xc7, 0xc7, P_ANY, X_GM(3), XSAVES)
  ABSENT(1, 0xc7, 0xc7, P_ANY, X_GM(4), XSAVEC)
  ABSENT(1, 0xc7, 0xc7, P_ANY, X_GM(5), XSAVES)
  ABSENT(1, 0xc7, 0xc7, P_ANY, X_GM(6), VMX) /* VMPTRLD, VMCLEAR, VMXON; VMPTRST */
  ABSENT(1, 0xc7, 0xc7, P_ANY, X_GM(7), VMX)
  ABSENT(1, 0xc7, 0xc7, P_NOREP, X_GR(6), RDRAND)
  ABSENT(1, 0xc7, 0xc7, P_NOREP, X_GR(7), RDSEED)
  ABSENT(2, 0x00, 0x0b, P_NOREP, X_ANY, SSSE3)
  ABSENT(2, 0x1c, 0x1e, P_NOREP, X_ANY, SSSE3)
  ABSENT(2, 0x10, 0x17, P_66, X_ANY, SSE41)
  ABSENT(2, 0x37, 0x37, P_66, X_ANY, SSE42)
  ABSENT(2, 0x20, 0x41, P_66, X_ANY, SSE41)
  ABSENT(2, 0x80, 0x81, P_66, X_ANY, VMX)
  ABSENT(2, 0xc8, 0xcd, P_NP, X_ANY, SHA)
  ABSENT(2, 0xcf, 0xcf, P_66, X_ANY, GFNI)
  ABSENT(2, 0xdb, 0xdf, P_66, X_ANY, AES)
  ABSENT(2, 0xf0, 0xf1, P_F2, X_ANY, SSE42)
  ABSENT(2, 0xf0, 0xf1, P_NOREP, X_MEM, MOVBE)
  ABSENT(2, 0xf6, 0xf6, P_66, X_ANY, ADX)
  ABSENT(2, 0xf6, 0xf6, P_F3, X_ANY, ADX)
  ABSENT(3, 0x0f, 0x0f, P_NOREP, X_ANY, SSSE3)
  ABSENT(3, 0x08, 0x42, P_66, X_ANY, SSE41)
  ABSENT(3, 0x44, 0x44, P_66, X_ANY, PCLMULQDQ)
  ABSENT(3, 0x60, 0x63, P_66, X_ANY, SSE42)
  ABSENT(3, 0xcc, 0xcc, P_NP, X_ANY, SHA)
  ABSENT(3, 0xce, 0xcf, P_66, X_ANY, GFNI)
  ABSENT(3, 0xdf, 0xdf, P_66, X_ANY, AES)
};
const unsigned absent_row_count = sizeof absent_rows / sizeof absent_rows[0];
