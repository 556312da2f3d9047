/* The opcode table itself: cpu/opcodes.def as data. */
#include "cpu/opcodes.h"

#define ROW(b_, map_, opcode_, prefix_, modrm_, operands_, modes_, attrs_, mod_, undef_, feature_, name_, cite_) \
  extern const struct body body_##b_;
#include "cpu/opcodes.def"
#undef ROW

#define ROW(b_, map_, opcode_, prefix_, modrm_, operands_, modes_, attrs_, mod_, undef_, feature_, name_, cite_) \
  {.body = &body_##b_, .map = (map_), .opcode = (opcode_), .prefix = (prefix_), .modes = (modes_),              \
   .modrm = (modrm_), .attrs = (attrs_), .operands = (operands_), .modified = (mod_), .undefined = (undef_),       \
   .name = (name_), .cite = (cite_), .feature = (s16)FEAT_##feature_},
const struct oprow opcode_rows[] = {
#include "cpu/opcodes.def"
};
#undef ROW
const unsigned opcode_row_count = sizeof opcode_rows / sizeof opcode_rows[0];
