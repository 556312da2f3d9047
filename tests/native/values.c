/* Operand values: edges and random ones. SDM 1 4.2 (Numeric Data Types), 4.7 (BCD), 8.2 (x87 Data Types). */
#include "tests/native/values.h"

#include "base/bits.h"
#include "base/host.h"
#include "cpu/simd_state.h"

u64 value_int(struct rng *r) {
  static const u64 edges[] = {0, 1, 2, ~UINT64_C(0), 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff,
                              0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000,
                              0xffffffff80000000, 0xffffffffffffff80, 0xffffffffffff8000, 9, 10, 0x99, 0x9a, 0x0f};
  u64 k = rnd(r);
  switch (k % 5) {
    case 0: case 1: return edges[(k >> 8) % ARRAY_SIZE(edges)];
    case 2: return rnd(r) >> (k >> 8 & 63);
    case 3: return ~(rnd(r) >> (k >> 8 & 63));
    default: return rnd(r);
  }
}

u32 value_f32(struct rng *r) {
  static const u32 edges[] = {
      0,          0x80000000, 0x3f800000, 0xbf800000, 0x00800000, 0x80800000, 0x7f7fffff, 0xff7fffff,
      1,          0x80000001, 0x007fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001,
      0xffa00000, 0x3f000000, 0x3fc00000, 0x40200000, 0x3dcccccd, 0x4f000000, 0x4effffff, 0xcf000000,
      0xcf000001, 0x5f000000, 0xdf000000, 0x5effffff, 0x40490fdb, 0x7f000000, 0x00ffffff, 0x00400000,
      0x3f7fffff, 0x3f800001, 0x33800000, 0x34000000, 0x4b800000, 0x4b000001};
  u64 k = rnd(r);
  u32 v = (u32)rnd(r);
  switch (k % 6) {
    case 0: case 1: case 2: return edges[(k >> 8) % ARRAY_SIZE(edges)];
    case 3: return v;
    case 4: return (v & 0x807fffff) | ((u32)(k >> 8) % 30 + 112) << 23;
    default: return (v & 0x807fffff) | (k & 0x100 ? (u32)(k >> 16) % 30 : 254 - (u32)(k >> 16) % 64) << 23;
  }
}

u64 value_f64(struct rng *r) {
  static const u64 edges[] = {
    0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x0010000000000000, 0x8010000000000000,
    0x7fefffffffffffff, 0xffefffffffffffff, 1, 0x8000000000000001, 0x000fffffffffffff, 0x7ff0000000000000,
    0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001, 0xfff4000000000000,
    0x3fe0000000000000, 0x3ff8000000000000, 0x4004000000000000, 0x3fb999999999999a, 0x41e0000000000000,
    0x41dfffffffc00000, 0x41dfffffffe00000, 0xc1e0000000000000, 0xc1e0000000200000, 0x43e0000000000000,
    0xc3e0000000000000, 0x43dfffffffffffff, 0x400921fb54442d18, 0x47efffffe0000000, 0x47efffffefffffff,
    0x47effffff0000000, 0x3810000000000000, 0x380fffffffffffff, 0x36a0000000000000, 0x3690000000000000,
    0x3fefffffffffffff, 0x3ff0000000000001, 0x3ff0000010000000};
  u64 k = rnd(r), v = rnd(r), n = k >> 16;
  switch (k % 6) {
    case 0: case 1: case 2: return edges[(k >> 8) % ARRAY_SIZE(edges)];
    case 3: return v;
    case 4: return (v & 0x800fffffffffffff) | (n % 60 + 1000) << 52;
    default: {
      u64 exponent = k & 0x100 ? n % 60 : k & 0x200 ? 2046 - n % 60 : k & 0x400 ? 1150 - n % 3 : 897 - n % 30;
      return (v & (k & 0x800 ? 0x800fffffffffffff : 0x800fffffe0000000)) | exponent << 52;
    }
  }
}

void value_f80(struct rng *r, u8 out[10]) {
  static const struct {
    u16 se;
    u64 m;
  } edges[] = {
    {0, 0}, {0x3fff, 0x8000000000000000}, {0x3fff, 0xc000000000000000}, {0x4000, 0xc90fdaa22168c235},
    {0x3ffe, 0x8000000000000000}, {0x3ffe, 0xffffffffffffffff}, {0x3ffd, 0xb504f333f9de6484},
    {0, 1}, {0, 0x7fffffffffffffff}, {0, 0x8000000000000000}, {0, 0xffffffffffffffff}, /* denormal, pseudo-denormal */
    {1, 0x8000000000000000}, {1, 0x8000000000000001}, {0x7ffe, 0xffffffffffffffff}, {0x7ffe, 0x8000000000000000},
    {0x7fff, 0x8000000000000000}, {0x7fff, 0xc000000000000000}, {0x7fff, 0xc000000000000123},
    {0x7fff, 0x8000000000000001}, {0x7fff, 0xa000000000000000}, /* infinity, quiet and signalling NaNs */
    {0x7fff, 0}, {0x7fff, 0x4000000000000000}, {0x4000, 0x4000000000000000}, {1, 0}, {0x3fff, 1}, /* unsupported */
    {0x401d, 0xffffffff00000000}, {0x401e, 0x8000000000000000}, {0x400d, 0xfffe000000000000},
    {0x400e, 0x8000000000000000}, {0x403d, 0xffffffffffffffff}, {0x403e, 0x8000000000000000},
    {0x403e, 0x8000000000000001}, {0x403f, 0x8000000000000000}, {0x403a, 0xde0b6b3a763fffff},
    {0x403a, 0xde0b6b3a76400000}, /* FBSTP's bounds */
    {0x3f80, 0xffffff8000000000}, {0x3f81, 0x8000000000000000}, {0x407e, 0xffffff8000000000},
    {0x407e, 0xffffff0000000000}, {0x3c00, 0xfffffffffffffc00}, {0x3c01, 0x8000000000000000},
    {0x43fe, 0xfffffffffffffc00}, {0x43fe, 0xfffffffffffff800}, {0x3f6a, 0x8000000000000000},
    {0x3bcd, 0x8000000000000000}, {0x3fc0, 0x8000000000000001}, {0x4005, 0xb400000000000000},
    {0x5fff, 0x8000000000000000}, {0x1fff, 0x8000000000000000}, {0x4009, 0x8000000000000fff},
    {0x3fc5, 0xd3c21187e7c06e19}};
  u64 k = rnd(r);
  u16 sign = k >> 40 & 1 ? 0x8000 : 0;
  if (k % 4) {
    unsigned n = (unsigned)(k >> 8) % ARRAY_SIZE(edges);
    st64(out, edges[n].m);
    st16(out + 8, edges[n].se | sign);
  } else {
    st64(out, rnd(r) | BIT(63));
    st16(out + 8, (u16)((k & 8 ? 0x3fff - 20 + (k >> 8) % 90 : k >> 8 & 0x7fff) | sign));
  }
}

void value_bcd(struct rng *r, u8 out[10]) {
  bool wild = one_in(r, 8); /* digits above 9 */
  for (unsigned k = 0; k < 10; k++) out[k] = (u8)(wild ? rnd(r) : rn(r, 10) << 4 | rn(r, 10));
  if (!wild) out[9] &= 0x80;
}

/* Half precision: edges, and random ones. */
static u16 value_f16(struct rng *r) {
  static const u16 edges[] = {0, 0x8000, 0x3c00, 0xbc00, 1, 0x03ff, 0x0400, 0x8001, 0x7bff, 0xfbff,
                              0x7c00, 0xfc00, 0x7e00, 0xfe01, 0x7c01, 0xfd00, 0x3555, 0x3bff, 0x3c01};
  return one_in(r, 2) ? edges[rn(r, ARRAY_SIZE(edges))] : (u16)rnd(r);
}

/* Counts and indices around the sizes of elements and the numbers of them. */
static void fill_counts(struct rng *r, u8 item[8]) {
  u64 v = rnd(r);
  switch (v >> 32 & 3) {
    case 0: st64(item, (v & 127) % 80); break;
    case 1: st32(item, (v & 127) % 40), st32(item + 4, (v >> 8 & 127) % 40); break;
    case 2: for (unsigned w = 0; w < 4; w++) st16(item + 2 * w, (u16)(v >> 7 * w & 127) % 70); break;
    default: for (unsigned w = 0; w < 8; w++) item[w] = (u8)(rnd(r) & (v & 1 ? 0xff : 0x8f));
  }
}

void value_fill(struct rng *r, enum value_kind kind, u8 *p, unsigned n) {
  u8 item[16] = {0};
  unsigned size = kind == KIND_F32 ? 4 : kind == KIND_F80 || kind == KIND_BCD ? 10 : 8;
  for (unsigned k = 0; k < n; k += size) {
    switch (kind) {
      case KIND_F32: st32(item, value_f32(r)); break;
      case KIND_F64: st64(item, value_f64(r)); break;
      case KIND_F80: value_f80(r, item); break;
      case KIND_BCD: value_bcd(r, item); break;
      case KIND_COUNT: fill_counts(r, item); break;
      case KIND_F16: for (unsigned w = 0; w < 8; w += 2) st16(item + w, value_f16(r)); break;
      case KIND_SMALL: st64(item, (u64)rn(r, 9) - 4); break;
      default:
        switch (rn(r, 8)) {
          case 0: case 1: case 2: st64(item, value_int(r)); break;
          case 3: for (unsigned w = 0; w < 8; w += 4) st32(item + w, (u32)value_int(r)); break;
          case 4: case 5: for (unsigned w = 0; w < 8; w += 2) st16(item + w, (u16)value_int(r)); break;
          default: for (unsigned w = 0; w < 8; w++) item[w] = (u8)value_int(r);
        }
    }
    memcpy(p + k, item, n - k < size ? n - k : size);
  }
}

u32 value_mxcsr(struct rng *r) {
  u32 v = MXCSR_RESET;
  if (one_in(r, 2)) v |= rn(r, 4) << MXCSR_RC_SHIFT;
  if (one_in(r, 4)) v |= MXCSR_FTZ;
  if (one_in(r, 4)) v |= MXCSR_DAZ;
  if (one_in(r, 4)) v |= rn(r, 64);
  if (one_in(r, 3)) v = (v & ~(u32)MXCSR_MASKS) | (rnd(r) & MXCSR_MASKS);
  return v;
}

static void x87_state(struct rng *r, u8 fx[512]) {
  u64 k = rnd(r);
  u16 fcw = (u16)((k & 0x1f00) | 0x40 | (k & 0x10000 ? 0x3f : k >> 20 & 0x3f));
  u16 fsw = (u16)(rnd(r) & 0x7f7f);
  if (!one_in(r, 8)) fsw &= (u16)~(~fcw & 0x3f); /* rarely is an exception waiting */
  if (fsw & ~fcw & 0x3f) fsw |= 0x8080;
  st16(fx + FX_FCW, fcw);
  st16(fx + FX_FSW, fsw);
  fx[FX_TAGS] = (u8)(k & BIT(40) ? rnd(r) : one_in(r, 4) ? 0 : rnd(r) | rnd(r) | rnd(r));
  st16(fx + FX_FOP, (u16)(rnd(r) & 0x7ff));
  st64(fx + FX_FIP, rnd(r) >> (rnd(r) & 63));
  st64(fx + FX_FDP, rnd(r) >> (rnd(r) & 63));
  for (unsigned n = 0; n < 8; n++) value_f80(r, fx + FX_ST + 16 * n);
  if (one_in(r, 3)) /* as MMX code leaves it */
    for (unsigned n = 0; n < 8; n++) {
      value_fill(r, KIND_INT, fx + FX_ST + 16 * n, 8);
      st16(fx + FX_ST + 16 * n + 8, 0xffff);
    }
}

void value_fx(struct rng *r, enum value_kind vectors, bool x87, u8 fx[512]) {
  memset(fx, 0, 512);
  st16(fx + FX_FCW, 0x37f);
  if (x87) x87_state(r, fx);
  st32(fx + FX_MXCSR, value_mxcsr(r));
  st32(fx + FX_MASK, MXCSR_VALID);
  for (unsigned n = 0; n < 16; n++) value_fill(r, vectors, fx + FX_XMM + 16 * n, 16);
}

u64 value_mask(struct rng *r) {
  u64 v = rnd(r);
  switch (rn(r, 6)) {
    case 0: return 0;
    case 1: return ~UINT64_C(0);
    case 2: return BIT(v & (v & 64 ? 63 : 7));
    case 3: return v & rnd(r) & rnd(r);
    case 4: return ~UINT64_C(0) >> (v & 63);
    default: return v;
  }
}

void value_vectors(struct rng *r, enum value_kind kind, struct state *s) {
  for (unsigned n = 0; n < 32; n++) value_fill(r, kind, s->vec[n], sizeof s->vec[n]);
  for (unsigned n = 0; n < 16; n++) memcpy(s->fx + FX_XMM + 16 * n, s->vec[n], 16);
  for (unsigned n = 0; n < 8; n++) s->k[n] = value_mask(r);
}
