/* AES, carry-less multiplication, GF(2^8) and SHA for hosts without the instructions. FIPS 197 (Advanced Encryption
 * Standard), FIPS 180-4 (Secure Hash Standard); SDM 1 12.13 (AESNI and PCLMULQDQ); SDM 2 GF2P8MULB and the SHA pages. */
#include "base/bits.h"
#include "cpu/lane_soft.h"

/* ---- GF(2^8), by x^8 + x^4 + x^3 + x + 1 ---- */
static u8 gf_double(u8 v) { return (u8)(v << 1 ^ (v & 0x80 ? 0x1b : 0)); }
static u8 gf_multiply(u8 a, u8 b) {
  u8 r = 0;
  for (; b; b >>= 1, a = gf_double(a))
    if (b & 1) r ^= a;
  return r;
}

/* What each element is multiplied by to give 1; that of 0 is 0. SDM 2 GF2P8AFFINEINVQB, Table "Inverse Byte Listings" */
static const u8 gf_inverse[256] = {
  0x00, 0x01, 0x8d, 0xf6, 0xcb, 0x52, 0x7b, 0xd1, 0xe8, 0x4f, 0x29, 0xc0, 0xb0, 0xe1, 0xe5, 0xc7,
  0x74, 0xb4, 0xaa, 0x4b, 0x99, 0x2b, 0x60, 0x5f, 0x58, 0x3f, 0xfd, 0xcc, 0xff, 0x40, 0xee, 0xb2,
  0x3a, 0x6e, 0x5a, 0xf1, 0x55, 0x4d, 0xa8, 0xc9, 0xc1, 0x0a, 0x98, 0x15, 0x30, 0x44, 0xa2, 0xc2,
  0x2c, 0x45, 0x92, 0x6c, 0xf3, 0x39, 0x66, 0x42, 0xf2, 0x35, 0x20, 0x6f, 0x77, 0xbb, 0x59, 0x19,
  0x1d, 0xfe, 0x37, 0x67, 0x2d, 0x31, 0xf5, 0x69, 0xa7, 0x64, 0xab, 0x13, 0x54, 0x25, 0xe9, 0x09,
  0xed, 0x5c, 0x05, 0xca, 0x4c, 0x24, 0x87, 0xbf, 0x18, 0x3e, 0x22, 0xf0, 0x51, 0xec, 0x61, 0x17,
  0x16, 0x5e, 0xaf, 0xd3, 0x49, 0xa6, 0x36, 0x43, 0xf4, 0x47, 0x91, 0xdf, 0x33, 0x93, 0x21, 0x3b,
  0x79, 0xb7, 0x97, 0x85, 0x10, 0xb5, 0xba, 0x3c, 0xb6, 0x70, 0xd0, 0x06, 0xa1, 0xfa, 0x81, 0x82,
  0x83, 0x7e, 0x7f, 0x80, 0x96, 0x73, 0xbe, 0x56, 0x9b, 0x9e, 0x95, 0xd9, 0xf7, 0x02, 0xb9, 0xa4,
  0xde, 0x6a, 0x32, 0x6d, 0xd8, 0x8a, 0x84, 0x72, 0x2a, 0x14, 0x9f, 0x88, 0xf9, 0xdc, 0x89, 0x9a,
  0xfb, 0x7c, 0x2e, 0xc3, 0x8f, 0xb8, 0x65, 0x48, 0x26, 0xc8, 0x12, 0x4a, 0xce, 0xe7, 0xd2, 0x62,
  0x0c, 0xe0, 0x1f, 0xef, 0x11, 0x75, 0x78, 0x71, 0xa5, 0x8e, 0x76, 0x3d, 0xbd, 0xbc, 0x86, 0x57,
  0x0b, 0x28, 0x2f, 0xa3, 0xda, 0xd4, 0xe4, 0x0f, 0xa9, 0x27, 0x53, 0x04, 0x1b, 0xfc, 0xac, 0xe6,
  0x7a, 0x07, 0xae, 0x63, 0xc5, 0xdb, 0xe2, 0xea, 0x94, 0x8b, 0xc4, 0xd5, 0x9d, 0xf8, 0x90, 0x6b,
  0xb1, 0x0d, 0xd6, 0xeb, 0xc6, 0x0e, 0xcf, 0xad, 0x08, 0x4e, 0xd7, 0xe3, 0x5d, 0x50, 0x1e, 0xb3,
  0x5b, 0x23, 0x38, 0x34, 0x68, 0x46, 0x03, 0x8c, 0xdd, 0x9c, 0x7d, 0xa0, 0xcd, 0x1a, 0x41, 0x1c
};

__m128i soft_gf_multiply(__m128i a, __m128i b) {
  union lanes x = {.v = a}, y = {.v = b};
  for (unsigned k = 0; k < 16; k++) x.b[k] = gf_multiply(x.b[k], y.b[k]);
  return x.v;
}

/* Bit n of the product is the parity of row n, which is byte 7 - n, with the argument. */
__m128i soft_gf_affine(__m128i a, __m128i matrix, bool inverse) {
  union lanes x = {.v = a}, m = {.v = matrix}, r;
  for (unsigned k = 0; k < 16; k++) {
    u8 v = inverse ? gf_inverse[x.b[k]] : x.b[k], out = 0;
    for (unsigned n = 0; n < 8; n++)
      out |= (u8)(__builtin_parity((unsigned)(m.b[(k & 8) + 7 - n] & v)) << n);
    r.b[k] = out;
  }
  return r.v;
}

__m128i soft_clmul(u64 a, u64 b) {
  u128 r = 0;
  for (unsigned k = 0; k < 64; k++)
    if (b >> k & 1) r ^= (u128)a << k;
  return _mm_set_epi64x((s64)(u64)(r >> 64), (s64)(u64)r);
}

/* ---- AES: column c is bytes 4c to 4c + 3, row r within it ---- */
static u8 rotate_byte(u8 v, unsigned n) { return (u8)(v << n | v >> (8 - n)); }
/* FIPS 197 5.1.1 (SubBytes), 5.3.2 (InvSubBytes) */
static u8 substitute(u8 v) {
  v = gf_inverse[v];
  return v ^ rotate_byte(v, 1) ^ rotate_byte(v, 2) ^ rotate_byte(v, 3) ^ rotate_byte(v, 4) ^ 0x63;
}
static u8 substitute_back(u8 v) {
  return gf_inverse[rotate_byte(v, 1) ^ rotate_byte(v, 3) ^ rotate_byte(v, 6) ^ 5];
}
/* A column by the circulant matrix whose first row is m. FIPS 197 5.1.3 (MixColumns), 5.3.3 (InvMixColumns) */
static void mix_columns(union lanes *v, const u8 m[4]) {
  for (unsigned c = 0; c < 16; c += 4) {
    u8 in[4];
    memcpy(in, v->b + c, 4);
    for (unsigned r = 0; r < 4; r++) {
      v->b[c + r] = 0;
      for (unsigned k = 0; k < 4; k++) v->b[c + r] ^= gf_multiply(in[k], m[(k - r) & 3]);
    }
  }
}
static const u8 mix_forward[4] = {2, 3, 1, 1}, mix_back[4] = {14, 11, 13, 9};

__m128i soft_aesenc(__m128i state, __m128i key, bool last) {
  union lanes v = {.v = state}, r;
  for (unsigned k = 0; k < 16; k++) r.b[k] = substitute(v.b[(k + 4 * (k & 3)) & 15]); /* and 5.1.2 (ShiftRows) */
  if (!last) mix_columns(&r, mix_forward);
  return _mm_xor_si128(r.v, key);
}
__m128i soft_aesdec(__m128i state, __m128i key, bool last) {
  union lanes v = {.v = state}, r;
  for (unsigned k = 0; k < 16; k++) r.b[k] = substitute_back(v.b[(k - 4 * (k & 3)) & 15]);
  if (!last) mix_columns(&r, mix_back);
  return _mm_xor_si128(r.v, key);
}
__m128i soft_aesimc(__m128i key) {
  union lanes v = {.v = key};
  mix_columns(&v, mix_back);
  return v.v;
}

__m128i soft_aeskeygen(__m128i key, u8 rcon) {
  union lanes v = {.v = key}, r;
  for (unsigned k = 0; k < 16; k++) v.b[k] = substitute(v.b[k]);
  r.d[0] = v.d[1];
  r.d[1] = (v.d[1] >> 8 | v.d[1] << 24) ^ rcon;
  r.d[2] = v.d[3];
  r.d[3] = (v.d[3] >> 8 | v.d[3] << 24) ^ rcon;
  return r.v;
}

/* ---- SHA ---- */
static u32 rotl(u32 v, unsigned n) { return v << n | v >> (32 - n); }
static u32 choose(u32 x, u32 y, u32 z) { return (x & y) ^ (~x & z); }
static u32 majority(u32 x, u32 y, u32 z) { return (x & y) ^ (x & z) ^ (y & z); }

/* FIPS 180-4 4.1.1 (SHA-1 Functions), 4.2.1 (SHA-1 Constants) */
static u32 sha1_function(unsigned n, u32 x, u32 y, u32 z) {
  static const u32 constant[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
  return constant[n] + (n == 0 ? choose(x, y, z) : n == 2 ? majority(x, y, z) : x ^ y ^ z);
}

/* Elements are in the order of the manual's, first in the uppermost. E is in the first message word already. */
__m128i soft_sha1_rounds(__m128i va, __m128i vb, unsigned imm) {
  union lanes s = {.v = va}, w = {.v = vb};
  u32 a = s.d[3], b = s.d[2], c = s.d[1], d = s.d[0], e = 0;
  for (unsigned k = 0; k < 4; k++) {
    u32 t = sha1_function(imm & 3, b, c, d) + rotl(a, 5) + w.d[3 - k] + e;
    e = d, d = c, c = rotl(b, 30), b = a, a = t;
  }
  return _mm_set_epi32((int)a, (int)b, (int)c, (int)d);
}
__m128i soft_sha1_next(__m128i a, __m128i b) {
  union lanes x = {.v = a}, y = {.v = b};
  y.d[3] += rotl(x.d[3], 30);
  return y.v;
}
__m128i soft_sha1_msg1(__m128i a, __m128i b) { return _mm_xor_si128(a, _mm_unpackhi_epi64(b, _mm_slli_si128(a, 8))); }
__m128i soft_sha1_msg2(__m128i a, __m128i b) {
  union lanes x = {.v = a}, y = {.v = b};
  for (unsigned k = 3; k > 0; k--) x.d[k] = rotl(x.d[k] ^ y.d[k - 1], 1);
  x.d[0] = rotl(x.d[0] ^ x.d[3], 1);
  return x.v;
}

/* FIPS 180-4 4.1.2 (SHA-224 and SHA-256 Functions) */
static u32 rotr3(u32 v, unsigned a, unsigned b, unsigned c) { return rotl(v, 32 - a) ^ rotl(v, 32 - b) ^ rotl(v, 32 - c); }
static u32 sigma0(u32 v) { return rotl(v, 25) ^ rotl(v, 14) ^ v >> 3; }
static u32 sigma1(u32 v) { return rotl(v, 15) ^ rotl(v, 13) ^ v >> 10; }

__m128i soft_sha256_rounds(__m128i va, __m128i vb, __m128i vc) {
  union lanes x = {.v = va}, y = {.v = vb}, w = {.v = vc};
  u32 a = y.d[3], b = y.d[2], c = x.d[3], d = x.d[2], e = y.d[1], f = y.d[0], g = x.d[1], h = x.d[0];
  for (unsigned k = 0; k < 2; k++) {
    u32 t = choose(e, f, g) + rotr3(e, 6, 11, 25) + w.d[k] + h;
    h = g, g = f, f = e, e = d + t;
    t += majority(a, b, c) + rotr3(a, 2, 13, 22);
    d = c, c = b, b = a, a = t;
  }
  return _mm_set_epi32((int)a, (int)b, (int)e, (int)f);
}
__m128i soft_sha256_msg1(__m128i a, __m128i b) {
  union lanes x = {.v = a}, y = {.v = b};
  for (unsigned k = 0; k < 4; k++) x.d[k] += sigma0(k < 3 ? x.d[k + 1] : y.d[0]);
  return x.v;
}
__m128i soft_sha256_msg2(__m128i a, __m128i b) {
  union lanes x = {.v = a}, y = {.v = b};
  for (unsigned k = 0; k < 4; k++) x.d[k] += sigma1(k < 2 ? y.d[k + 2] : x.d[k - 2]);
  return x.v;
}
