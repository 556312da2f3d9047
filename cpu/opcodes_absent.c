/* Opcodes of features that no model here has, so that #UD can name the feature: SDM 2D A.3 (One, Two, and Three-Byte
 * Opcode Maps), A.4 (Opcode Extensions for One-Byte and Two-byte Opcodes); APM 3 A (Opcode and Operand Encodings). */
#include "cpu/opcodes.h"

#define ABSENT(map_, first_, last_, prefix_, modrm_, feature_)                                       \
  {.map = (map_), .first = (first_), .last = (last_), .prefix = (prefix_), .modrm = (u16)(modrm_),  \
   .feature = (s16)FEAT_##feature_},

const struct absent_row absent_rows[] = {
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(2, 5), RTM)
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(2, 6), RTM)
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(0, 2), VMX) /* VMLAUNCH, VMRESUME, VMXOFF */
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(0, 3), VMX)
  ABSENT(1, 0x01, 0x01, P_NP, X_GRM(0, 4), VMX)
  ABSENT(1, 0x01, 0x01, P_ANY, X_GR(3), SVM)
  ABSENT(1, 0x01, 0x01, P_ANY, X_GRM(7, 5), RDPRU)
  ABSENT(1, 0x0f, 0x0f, P_ANY, X_ANY, 3DNOW)
  ABSENT(1, 0x37, 0x37, P_NP, X_NONE, SMX)
  ABSENT(1, 0x78, 0x79, P_NP, X_ANY, VMX)
  ABSENT(1, 0xae, 0xae, P_F3, X_G(4), PTWRITE)
  ABSENT(1, 0xae, 0xae, P_ANY, X_GR(6), WAITPKG)
  ABSENT(1, 0xc7, 0xc7, P_ANY, X_GM(6), VMX) /* VMPTRLD, VMCLEAR, VMXON; VMPTRST */
  ABSENT(1, 0xc7, 0xc7, P_ANY, X_GM(7), VMX)
  ABSENT(2, 0x80, 0x81, P_66, X_ANY, VMX)
};
const unsigned absent_row_count = sizeof absent_rows / sizeof absent_rows[0];
