/* The opcode table itself: cpu/opcodes.def as data. */
#include "cpu/opcodes.h"
#include "cpu/wide.h"

#define ROW(b_, ...) extern const struct body body_##b_;
#define VEX(b_, ...) extern const struct body body_##b_; extern const struct wide wide_##b_ __attribute__((weak));
#define EVEX(b_, ...) VEX(b_, )
#include "cpu/opcodes.def"
#undef ROW
#undef VEX
#undef EVEX

#define ROW_(b_, map_, opcode_, prefix_, modrm_, operands_, modes_, attrs_, mod_, undef_, feature_, name_, cite_, ...) \
  {.body = &body_##b_, .map = (map_), .opcode = (opcode_), .prefix = (prefix_), .modes = (modes_),              \
   .modrm = (modrm_), .attrs = (attrs_), .operands = (operands_), .modified = (mod_), .undefined = (undef_),       \
   .name = (name_), .cite = (cite_), .feature = (s16)FEAT_##feature_ __VA_OPT__(, ) __VA_ARGS__},
#define ROW(...) ROW_(__VA_ARGS__)
#define VEX(b_, map_, opcode_, prefix_, modrm_, operands_, vl_, w_, attrs_, mod_, undef_, feature_, name_, cite_)    \
  ROW_(b_, map_, opcode_, prefix_, modrm_, operands_, ALL, attrs_, mod_, undef_, feature_, name_, cite_,           \
       .wide = &wide_##b_, .enc = ENC_VEX, .vl = (vl_), .w = (w_))
#define EVEX(b_, map_, opcode_, prefix_, modrm_, operands_, vl_, w_, esize_, attrs_, mod_, undef_, feature_, name_, cite_) \
  ROW_(b_, map_, opcode_, prefix_, modrm_, operands_, ALL, attrs_, mod_, undef_, feature_, name_, cite_,           \
       .wide = &wide_##b_, .enc = ENC_EVEX, .vl = (vl_), .w = (w_), .esize = (esize_))
const struct oprow opcode_rows[] = {
#include "cpu/opcodes.def"
};
const unsigned opcode_row_count = sizeof opcode_rows / sizeof opcode_rows[0];
