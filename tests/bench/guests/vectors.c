/* Groups of vector instructions, each in a loop of its own over a few cache lines: what no program consists of,
   but some are full of. A group's answer is a hash of its last values.
   usage: vectors GROUP SCALE; exit 3: the processor has not what the group needs */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 1024, STEP = 64 };
static uint8_t in[BYTES + 64] __attribute__((aligned(4096))), out[BYTES + 64] __attribute__((aligned(4096)));
static float fin[BYTES / 4] __attribute__((aligned(64)));
static double din[BYTES / 8] __attribute__((aligned(64)));

#define GROUP(name, features) __attribute__((target(features), noinline)) static void name(unsigned n)
#define EACH(at) for (unsigned k_ = 0; k_ < n; k_++) for (unsigned at = 0; at < BYTES; at += STEP)
#define X(p) _mm_loadu_si128((const void *)(p))
#define Y(p) _mm256_loadu_si256((const void *)(p))
#define Z(p) _mm512_loadu_si512((const void *)(p))
#define PUTX(p, v) _mm_storeu_si128((void *)(p), (v))
#define PUTY(p, v) _mm256_storeu_si256((void *)(p), (v))
#define PUTZ(p, v) _mm512_storeu_si512((void *)(p), (v))

/* ---- SSE4, AES, SHA ---- */
GROUP(sse4, "sse4.2") {
  const __m128i order = _mm_set_epi8(0, 15, 1, 14, 2, 13, 3, 12, 4, 11, 5, 10, 6, 9, 7, 8);
  EACH(at) {
    __m128i a = X(in + at), b = X(in + at + 16), c = _mm_shuffle_epi8(a, order);
    __m128i m = _mm_mullo_epi32(a, b), w = _mm_maddubs_epi16(c, b);
    m = _mm_min_epi32(_mm_max_epu32(m, c), _mm_cvtepi8_epi32(b));
    w = _mm_add_epi16(_mm_abs_epi16(w), _mm_hadd_epi16(w, _mm_cvtepu8_epi16(a)));
    m = _mm_blendv_epi8(m, w, c);
    m = _mm_add_epi64(m, _mm_cmpgt_epi64(a, b));
    m = _mm_xor_si128(m, _mm_packus_epi32(m, _mm_alignr_epi8(a, b, 5)));
    m = _mm_insert_epi32(m, _mm_extract_epi32(w, 2), 1);
    __m128 f = _mm_cvtepi32_ps(m);
    f = _mm_round_ps(_mm_mul_ps(f, _mm_set1_ps(0.125f)), 1);
    PUTX(out + at, _mm_add_epi32(_mm_cvttps_epi32(_mm_dp_ps(f, f, 0x71)), _mm_blend_epi16(m, w, 0x5a)));
  }
}
GROUP(strings, "sse4.2,popcnt") {
  const __m128i set = X("aeiou0123456789."), range = X("azAZ09__\0\0\0\0\0\0\0");
  unsigned sum = 0;
  EACH(at) {
    __m128i v = X(in + at);
    sum += (unsigned)_mm_cmpestri(set, 16, v, 16, _SIDD_CMP_EQUAL_ANY);
    sum += (unsigned)_mm_cmpistri(range, v, _SIDD_CMP_RANGES | _SIDD_LEAST_SIGNIFICANT);
    sum ^= (unsigned)_mm_popcnt_u32((unsigned)_mm_cvtsi128_si32(_mm_cmpistrm(v, X(in + at + 16),
        _SIDD_CMP_EQUAL_EACH)));
    sum += _mm_crc32_u32(sum, (unsigned)at);
  }
  memcpy(out, &sum, 4);
}
GROUP(aes, "aes,pclmul,sse4.1") {
  __m128i s[4], h = X(in + 64), k = X(in + 80);
  for (int j = 0; j < 4; j++) s[j] = X(in + 16 * j);
  EACH(at) {
    __m128i key = _mm_xor_si128(k, X(in + at));
    for (int j = 0; j < 4; j++) s[j] = _mm_aesenc_si128(s[j], key);
    for (int j = 0; j < 4; j++) s[j] = _mm_aesenc_si128(s[j], h);
    for (int j = 0; j < 4; j++) s[j] = _mm_aesdec_si128(s[j], k);
    k = _mm_xor_si128(_mm_clmulepi64_si128(k, h, 0x00), _mm_clmulepi64_si128(k, h, 0x11));
    k = _mm_xor_si128(k, _mm_aesenclast_si128(s[0], key));
  }
  for (int j = 0; j < 4; j++) PUTX(out + 16 * j, s[j]);
}
GROUP(sha, "sha,sse4.1") {
  __m128i a = X(in), b = X(in + 16), c = X(in + 32), d = X(in + 48);
  EACH(at) {
    __m128i m = X(in + at);
    a = _mm_sha256rnds2_epu32(a, b, m);
    b = _mm_sha256rnds2_epu32(b, a, _mm_shuffle_epi32(m, 0x0e));
    m = _mm_sha256msg2_epu32(_mm_sha256msg1_epu32(m, c), d);
    c = _mm_sha1rnds4_epu32(c, _mm_sha1nexte_epu32(d, m), 1);
    d = _mm_sha1msg2_epu32(_mm_sha1msg1_epu32(d, m), c);
  }
  PUTX(out, a), PUTX(out + 16, b), PUTX(out + 32, c), PUTX(out + 48, d);
}

/* ---- AVX2 ---- */
GROUP(permute, "avx2") {
  const __m256i swap = _mm256_setr_epi32(7, 2, 5, 0, 3, 6, 1, 4);
  EACH(at) {
    __m256i a = Y(in + at), b = Y(in + at + 32), c = _mm256_shuffle_epi8(a, b), d = _mm256_alignr_epi8(a,
        b, 7);
    c = _mm256_unpacklo_epi16(_mm256_permute2x128_si256(c, d, 0x21), _mm256_permute4x64_epi64(d, 0x4e));
    d = _mm256_blend_epi16(_mm256_permutevar8x32_epi32(d, swap), _mm256_shuffle_epi32(c, 0x1b), 0x35);
    c = _mm256_inserti128_si256(c, _mm256_extracti128_si256(d, 1), 0);
    d = _mm256_blend_epi32(_mm256_packus_epi32(c, d), _mm256_broadcastd_epi32(_mm256_castsi256_si128(a)),
        0x42);
    d = _mm256_blendv_epi8(d, _mm256_broadcastsi128_si256(_mm256_castsi256_si128(b)), a);
    __m256 f = _mm256_shuffle_ps(_mm256_castsi256_ps(c), _mm256_castsi256_ps(d), 0x93);
    f = _mm256_permutevar_ps(_mm256_permute2f128_ps(f, f, 1), b);
    PUTY(out + at, _mm256_unpackhi_epi64(_mm256_castps_si256(f), d));
  }
}
GROUP(masked, "avx2") {
  EACH(at) {
    __m256i m = Y(in + at), v = _mm256_maskload_epi32((const int *)(in + at), m);
    __m256d d = _mm256_maskload_pd((const double *)(in + at + 32), m);
    _mm256_maskstore_epi32((int *)(out + at), m, _mm256_add_epi32(v, m));
    _mm256_maskstore_pd((double *)(out + at + 32), v, d);
  }
}
GROUP(gather, "avx2") {
  __m256i sum = _mm256_setzero_si256();
  EACH(at) {
    __m256i index = _mm256_and_si256(Y(in + at), _mm256_set1_epi32(BYTES / 4 - 1));
    sum = _mm256_add_epi32(sum, _mm256_i32gather_epi32((const int *)in, index, 4));
    __m128i half = _mm_and_si128(_mm256_castsi256_si128(index), _mm_set1_epi32(BYTES / 8 - 1));
    __m256d d = _mm256_i32gather_pd((const double *)in, half, 8);
    sum = _mm256_xor_si256(sum, _mm256_castpd_si256(d));
    __m256i wide = _mm256_cvtepu32_epi64(half);
    sum = _mm256_add_epi64(sum, _mm256_i64gather_epi64((const long long *)in, wide, 8));
  }
  PUTY(out, sum);
}
GROUP(convert, "avx2,f16c") {
  EACH(at) {
    __m256i v = Y(in + at);
    __m256 f = _mm256_cvtepi32_ps(v), g = _mm256_cvtph_ps(X(in + at + 32));
    __m256d d = _mm256_cvtps_pd(_mm256_castps256_ps128(f)), e = _mm256_cvtepi32_pd(_mm256_castsi256_si128(v));
    PUTX(out + at, _mm256_cvtps_ph(f, 0));
    f = _mm256_mul_ps(f, g);
    __m128i w = _mm_add_epi32(_mm256_cvttpd_epi32(d), _mm256_cvtpd_epi32(e));
    __m256i x = _mm256_add_epi32(_mm256_cvtps_epi32(f), _mm256_cvttps_epi32(g));
    x = _mm256_add_epi16(x, _mm256_cvtepi8_epi16(_mm_castps_si128(_mm256_cvtpd_ps(d))));
    PUTY(out + at + 32, _mm256_add_epi64(x, _mm256_cvtepu16_epi64(w)));
  }
}
GROUP(arith, "avx2,fma") {
  float s = 1;
  double t = 1;
  EACH(at) {
    __m256 a = _mm256_load_ps(fin + at / 4), b = _mm256_load_ps(fin + at / 4 + 8);
    __m256d c = _mm256_load_pd(din + at / 8), d = _mm256_load_pd(din + at / 8 + 4);
    a = _mm256_fmsub_ps(a, b, _mm256_max_ps(a, _mm256_div_ps(b, a)));
    c = _mm256_add_pd(_mm256_sqrt_pd(d), _mm256_fnmadd_pd(c, d, _mm256_hadd_pd(c, d)));
    a = _mm256_blendv_ps(a, b, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
    c = _mm256_and_pd(_mm256_round_pd(c, 1), _mm256_cmp_pd(c, d, _CMP_NLE_US));
    s = s * 0.5f + fin[at / 4];
    t = t * 0.25 + din[at / 8] / 3;
    _mm256_store_ps((float *)(out + at), _mm256_add_ps(a, _mm256_set1_ps(s)));
    _mm256_store_pd((double *)(out + at + 32), _mm256_sub_pd(c, _mm256_set1_pd(t)));
  }
}
GROUP(shifts, "avx2") {
  EACH(at) {
    __m256i a = Y(in + at), b = Y(in + at + 32), n = _mm256_and_si256(b, _mm256_set1_epi32(31));
    a = _mm256_add_epi32(_mm256_sllv_epi32(a, n), _mm256_srav_epi32(b, n));
    a = _mm256_xor_si256(a, _mm256_srlv_epi64(b, _mm256_and_si256(a, _mm256_set1_epi64x(63))));
    a = _mm256_or_si256(_mm256_slli_epi32(a, 7), _mm256_srli_epi64(a, 9));
    a = _mm256_add_epi16(_mm256_srl_epi16(a, _mm256_castsi256_si128(n)), _mm256_mulhrs_epi16(a, b));
    a = _mm256_sub_epi32(_mm256_slli_si256(a, 3), _mm256_mullo_epi32(a, b));
    PUTY(out + at, _mm256_add_epi64(_mm256_mul_epi32(a, b), _mm256_srai_epi32(a, 3)));
  }
}

/* ---- AVX-512 ---- */
#define F512 "avx512f,avx512bw,avx512vl,avx512dq"
GROUP(opmask, F512) {
  __mmask16 carry = 3;
  EACH(at) {
    __m512i a = Z(in + at), b = _mm512_rol_epi32(a, 9);
    __mmask16 m = _mm512_cmplt_epi32_mask(a, b), o = _mm512_mask_test_epi32_mask((__mmask16)~m, a, b);
    __m512i c = _mm512_mask_add_epi32(a, m, a, b), d = _mm512_maskz_sub_epi32(o, a, b);
    c = _mm512_mask_mullo_epi16(c, _mm512_movepi16_mask(b), c, d);
    d = _mm512_mask_blend_epi32(_kxor_mask16(m, carry), c, d);
    d = _mm512_mask_max_epu8(d, _mm512_cmpneq_epu8_mask(a, d), d, b);
    c = _mm512_maskz_loadu_epi32(_kandn_mask16(o, m), in + at);
    _mm512_mask_storeu_epi32(out + at, _kor_mask16(m, o), _mm512_mask_xor_epi64(c, (__mmask8)o, c, d));
    carry = _kadd_mask16(_kshiftli_mask16(carry, 1), m);
    if (_kortestz_mask16_u8(carry, o)) carry = 1;
  }
}
GROUP(maskedfp, F512) {
  EACH(at) {
    __m512 a = _mm512_load_ps(fin + at / 4), b = _mm512_rcp14_ps(a);
    __mmask16 m = _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ);
    a = _mm512_mask_fmadd_ps(a, m, b, _mm512_set1_ps(fin[at / 4]));
    a = _mm512_maskz_mul_ps(m, a, b);
    b = _mm512_mask_div_ps(b, m, a, b);
    a = _mm512_add_round_ps(a, b, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
    b = _mm512_mask_sqrt_ps(a, _mm512_fpclass_ps_mask(b, 0x19), b);
    __m512d c = _mm512_mul_pd(_mm512_load_pd(din + at / 8), _mm512_set1_pd(din[0]));
    c = _mm512_mask_sub_pd(c, (__mmask8)m, c, _mm512_set1_pd(din[1]));
    _mm512_store_ps((float *)(out + at), _mm512_mask_min_ps(a, m, b, _mm512_castpd_ps(c)));
  }
}
GROUP(permute512, F512 ",avx512vbmi") {
  EACH(at) {
    __m512i a = Z(in + at), b = _mm512_alignr_epi32(a, Z(in), 5), c = _mm512_permutexvar_epi32(a, b);
    c = _mm512_permutex2var_epi32(c, a, b);
    c = _mm512_permutex2var_epi8(c, a, b);
    b = _mm512_shuffle_i32x4(_mm512_permutexvar_epi16(a, c), b, 0x4e);
    c = _mm512_unpackhi_epi8(_mm512_permutex_epi64(b, 0x1b), _mm512_permutexvar_epi8(b, c));
    c = _mm512_inserti64x4(c, _mm512_extracti64x4_epi64(b, 1), 0);
    b = _mm512_broadcast_i32x4(_mm512_extracti32x4_epi32(c, 2));
    PUTZ(out + at, _mm512_mask_permutexvar_epi64(c, 0x5a, a, b));
  }
}
GROUP(compress, F512 ",avx512vbmi2") {
  unsigned to = 0;
  EACH(at) {
    __m512i a = Z(in + at);
    __mmask16 m = _mm512_cmpgt_epi32_mask(a, _mm512_setzero_si512());
    _mm512_mask_compressstoreu_epi32(out + (to & (BYTES - 64)), m, a);
    to += 4 * (unsigned)__builtin_popcount(m);
    __m512i b = _mm512_maskz_compress_epi8(_mm512_movepi8_mask(a), a);
    b = _mm512_mask_expand_epi32(b, m, a);
    b = _mm512_add_epi32(b, _mm512_maskz_expandloadu_epi64((__mmask8)m, in + at));
    PUTZ(out + at, _mm512_mask_compress_epi64(b, (__mmask8)(m >> 8), a));
  }
}
GROUP(convert512, F512) {
  EACH(at) {
    __m512i a = Z(in + at);
    __m512 f = _mm512_cvtepu32_ps(a);
    __m512d d = _mm512_cvtepi64_pd(a), e = _mm512_cvtps_pd(_mm512_castps512_ps256(f));
    a = _mm512_add_epi64(_mm512_cvtpd_epi64(e), _mm512_cvttpd_epu64(e));
    a = _mm512_add_epi32(a, _mm512_cvtps_epu32(f));
    f = _mm512_add_ps(f, _mm512_castsi512_ps(_mm512_cvttps_epi32(f)));
    _mm512_mask_cvtusepi32_storeu_epi8(out + at, 0x7777, a);
    PUTY(out + at + 16, _mm512_cvtepi32_epi16(_mm512_add_epi32(a, _mm512_castps_si512(f))));
    PUTX(out + at + 48, _mm_add_epi8(_mm512_cvtsepi32_epi8(a),
        _mm512_cvtepi64_epi16(_mm512_castpd_si512(d))));
  }
}
GROUP(bits512, F512 ",avx512cd,avx512vpopcntdq,avx512bitalg,avx512vbmi2") {
  EACH(at) {
    __m512i a = Z(in + at), b = _mm512_lzcnt_epi32(a), c = _mm512_popcnt_epi64(a);
    b = _mm512_ternarylogic_epi32(b, _mm512_rorv_epi32(a, b), c, 0xd8);
    c = _mm512_add_epi8(_mm512_popcnt_epi8(c), _mm512_conflict_epi32(a));
    b = _mm512_shldv_epi32(b, c, a);
    c = _mm512_shrdi_epi64(c, b, 11);
    b = _mm512_add_epi16(_mm512_sllv_epi16(b, c), _mm512_srav_epi64(c, b));
    b = _mm512_min_epi64(_mm512_mullo_epi64(b, c), _mm512_abs_epi64(c));
    PUTZ(out + at, _mm512_ternarylogic_epi64(a, b, c, 0x96));
  }
}
GROUP(special512, F512) {
  EACH(at) {
    __m512 a = _mm512_load_ps(fin + at / 4), b = _mm512_getmant_ps(a, 0, 0), c = _mm512_getexp_ps(a);
    a = _mm512_scalef_ps(b, _mm512_roundscale_ps(c, 0x10));
    a = _mm512_range_ps(a, _mm512_reduce_ps(b, 0x20), 1);
    b = _mm512_fixupimm_ps(b, a, _mm512_set1_epi32(0x21433210), 0);
    a = _mm512_mul_ps(_mm512_rsqrt14_ps(b), a);
    _mm512_store_ps((float *)(out + at), a);
  }
}
GROUP(products512, F512 ",avx512vnni,avx512ifma") {
  __m512i s = _mm512_setzero_si512(), t = s, u = s;
  EACH(at) {
    __m512i a = Z(in + at), b = Z(in + at + 1);
    s = _mm512_dpbusd_epi32(s, a, b);
    t = _mm512_dpwssds_epi32(t, a, b);
    u = _mm512_madd52hi_epu64(_mm512_madd52lo_epu64(u, a, b), b, a);
    s = _mm512_add_epi32(s, _mm512_madd_epi16(a, b));
    t = _mm512_add_epi64(t, _mm512_mul_epu32(a, b));
  }
  PUTZ(out, _mm512_xor_si512(s, _mm512_add_epi64(t, u)));
}
GROUP(crypt512, F512 ",vaes,vpclmulqdq,gfni") {
  __m512i s = Z(in), t = Z(in + 64), u = s;
  EACH(at) {
    __m512i k = Z(in + at);
    s = _mm512_aesenc_epi128(s, k), t = _mm512_aesdec_epi128(t, k);
    u = _mm512_xor_si512(u, _mm512_clmulepi64_epi128(s, k, 0x10));
    u = _mm512_gf2p8affine_epi64_epi8(_mm512_gf2p8mul_epi8(u, k), t, 0x63);
  }
  PUTZ(out, _mm512_add_epi64(s, _mm512_add_epi64(t, u)));
}
GROUP(scatter, F512) {
  EACH(at) {
    __m512i index = _mm512_and_si512(Z(in + at), _mm512_set1_epi32(BYTES / 4 - 1));
    __m512i v = _mm512_mask_i32gather_epi32(index, 0x7fff, index, in, 4);
    _mm512_mask_i32scatter_epi32(out, 0xfff7, index, v, 4);
  }
}

/* ---- */
static int have(const char *feature) {
#define CASE(f) if (!strcmp(feature, f)) return __builtin_cpu_supports(f)
  CASE("sse4.2"); CASE("aes"); CASE("avx2"); CASE("fma"); CASE("avx512f"); CASE("avx512bw");
      CASE("avx512vl"); CASE("avx512dq");
  CASE("avx512vbmi"); CASE("avx512vbmi2"); CASE("avx512cd"); CASE("avx512vpopcntdq"); CASE("avx512bitalg");
  CASE("avx512vnni"); CASE("avx512ifma"); CASE("vpclmulqdq"); CASE("gfni"); CASE("pclmul");
  unsigned a, b, c, d;
  if (!strcmp(feature, "f16c")) return __builtin_cpu_supports("avx2");
  __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "0"(7), "2"(0));
  if (!strcmp(feature, "sha")) return b >> 29 & 1;
  if (!strcmp(feature, "vaes")) return c >> 9 & 1;
  return 1;
}
static const struct {
  const char *name, *features;
  void (*run)(unsigned);
} groups[] = {
#define G(name, features) {#name, features, name}
    G(sse4, "sse4.2"), G(strings, "sse4.2"), G(aes, "aes,pclmul"), G(sha, "sha"), G(permute, "avx2"),
        G(masked, "avx2"),
    G(gather, "avx2"), G(convert, "avx2,f16c"), G(arith, "avx2,fma"), G(shifts, "avx2"), G(opmask, F512),
        G(maskedfp, F512),
    G(permute512, F512 ",avx512vbmi"), G(compress, F512 ",avx512vbmi2"), G(convert512, F512),
    G(bits512, F512 ",avx512cd,avx512vpopcntdq,avx512bitalg,avx512vbmi2"), G(special512, F512),
    G(products512, F512 ",avx512vnni,avx512ifma"), G(crypt512, F512 ",vaes,vpclmulqdq,gfni"), G(scatter,
        F512),
};

int main(int argc, char **argv) {
  uint32_t x = 1, h = 0;
  for (unsigned k = 0; k < sizeof in; k++) in[k] = (uint8_t)((x = x * 1103515245u + 12345u) >> 16);
  for (unsigned k = 0; k < BYTES / 4; k++) fin[k] = (float)(k % 13 + 1) * 0.375f;
  for (unsigned k = 0; k < BYTES / 8; k++) din[k] = (double)(k % 11 + 1) * 1.25;
  for (unsigned g = 0; argc > 2 && g < sizeof groups / sizeof groups[0]; g++) {
    char list[100], *f;
    if (strcmp(argv[1], groups[g].name)) continue;
    strcpy(list, groups[g].features);
    for (f = strtok(list, ","); f; f = strtok(NULL, ","))
      if (!have(f)) return 3;
    groups[g].run((unsigned)atoi(argv[2]));
    for (unsigned k = 0; k < sizeof out; k++) h = (h ^ out[k]) * 16777619u;
    printf("%s %08x\n", argv[1], (unsigned)h);
    return 0;
  }
  return 2;
}
