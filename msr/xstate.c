/* The state components of a model, and where they are in an XSAVE area. SDM 1 13.1 (XSAVE-Supported Features and
 * State-Component Bitmaps), 13.4.3 (Extended Region of an XSAVE Area); APM 2 11.5.2 (XFEATURE_ENABLED_MASK). */
#include "msr/model.h"

#include "base/bits.h"

/* Their offsets in the standard format are fixed, whatever else a model has; none is aligned in the compacted one. */
static const struct {
  u16 bit, size, offset[VENDOR_COUNT];
  s16 feature;
} components[] = {
  {2, 256, {576, 576}, FEAT_AVX},       {3, 64, {960, 0}, FEAT_MPX},          {4, 64, {1024, 0}, FEAT_MPX},
  {5, 64, {1088, 832}, FEAT_AVX512F},   {6, 512, {1152, 896}, FEAT_AVX512F},  {7, 1024, {1664, 1408}, FEAT_AVX512F},
  {9, 8, {2688, 2432}, FEAT_PKU},
};

u64 xstate_supported(const struct cpu_model *m) {
  u64 mask = 3;
  for (unsigned i = 0; i < ARRAY_SIZE(components); i++)
    if (m->has[components[i].feature]) mask |= BIT(components[i].bit);
  return mask;
}

unsigned xstate_component_size(unsigned of) {
  for (unsigned i = 0; i < ARRAY_SIZE(components); i++)
    if (components[i].bit == of) return components[i].size;
  return 0;
}

/* Goes through the components in order; *size grows with those of mask, *offset becomes that of `of`. */
static void lay_out(const struct cpu_model *m, u64 mask, bool compacted, unsigned of, u32 *size, u32 *offset) {
  u32 packed = XSTATE_LEGACY;
  for (unsigned i = 0; i < ARRAY_SIZE(components); i++) {
    if (!m->has[components[i].feature]) continue;
    bool wanted = mask >> components[i].bit & 1;
    u32 at = compacted ? packed : components[i].offset[m->vendor];
    if (wanted) packed += components[i].size;
    if (wanted && at + components[i].size > *size) *size = at + components[i].size;
    if (components[i].bit == of) *offset = at;
  }
}

unsigned xstate_size(const struct cpu_model *m, u64 mask, bool compacted) {
  u32 size = XSTATE_LEGACY, offset = 0;
  lay_out(m, mask, compacted, 0, &size, &offset);
  return size;
}

unsigned xstate_offset(const struct cpu_model *m, u64 mask, bool compacted, unsigned of) {
  u32 size = XSTATE_LEGACY, offset = 0;
  lay_out(m, mask, compacted, of, &size, &offset);
  return offset;
}
