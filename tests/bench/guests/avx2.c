/* AVX2 and FMA: a matrix product in single precision, an integer kernel over bytes and words, and a permutation by table.
   usage: avx2 SCALE; exit 3: the processor has no AVX2 or FMA */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 64, LEN = 4096 };
static float a[N][N] __attribute__((aligned(32))), b[N][N] __attribute__((aligned(32))), c[N][N] __attribute__((aligned(32)));
static uint8_t src[LEN + 32] __attribute__((aligned(32))), dst[LEN + 32] __attribute__((aligned(32)));

__attribute__((target("avx2,fma"))) static void product(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j += 16) {
      __m256 s0 = _mm256_setzero_ps(), s1 = _mm256_setzero_ps();
      for (int k = 0; k < N; k++) {
        __m256 x = _mm256_broadcast_ss(&a[i][k]);
        s0 = _mm256_fmadd_ps(x, _mm256_load_ps(&b[k][j]), s0);
        s1 = _mm256_fmadd_ps(x, _mm256_load_ps(&b[k][j + 8]), s1);
      }
      _mm256_store_ps(&c[i][j], s0);
      _mm256_store_ps(&c[i][j + 8], s1);
    }
}

__attribute__((target("avx2"))) static __m256i bytes(const uint8_t *in, uint8_t *out, __m256i acc, int salt) {
  const __m256i zero = _mm256_setzero_si256(), bias = _mm256_set1_epi8((char)salt), coef = _mm256_set1_epi32(0x0007fffb);
  const __m256i swap = _mm256_setr_epi32(7, 2, 5, 0, 3, 6, 1, 4), nibble = _mm256_set1_epi8(15);
  for (int i = 0; i < LEN; i += 32) {
    __m256i v = _mm256_loadu_si256((const void *)(in + i)), s = _mm256_adds_epu8(v, bias);
    __m256i lo = _mm256_unpacklo_epi8(s, zero), hi = _mm256_unpackhi_epi8(s, zero);
    __m256i p = _mm256_add_epi32(_mm256_madd_epi16(lo, coef), _mm256_madd_epi16(hi, coef));
    __m256i m = _mm256_cmpgt_epi8(v, s), t = _mm256_shuffle_epi8(v, _mm256_and_si256(s, nibble));
    __m256i r = _mm256_packus_epi16(_mm256_srai_epi16(_mm256_mullo_epi16(lo, coef), 4), _mm256_slli_epi16(hi, 1));
    r = _mm256_blendv_epi8(t, r, m);
    acc = _mm256_add_epi32(acc, _mm256_permutevar8x32_epi32(p, swap));
    acc = _mm256_add_epi64(acc, _mm256_sad_epu8(r, v));
    acc = _mm256_xor_si256(acc, _mm256_set1_epi32(_mm256_movemask_epi8(m)));
    _mm256_storeu_si256((void *)(out + i), _mm256_avg_epu8(r, _mm256_max_epu8(v, bias)));
  }
  return acc;
}

__attribute__((target("avx2"))) static uint32_t run(unsigned scale) {
  __m256i acc = _mm256_setzero_si256();
  uint32_t out[8], h = 0;
  for (unsigned k = 0; k < scale; k++) {
    acc = bytes(src + (k & 15), dst, acc, (int)k);
    acc = bytes(dst + (k & 7), src, acc, (int)(k ^ 5));
    if (k % 4 == 0) product();
  }
  _mm256_storeu_si256((void *)out, acc);
  for (int i = 0; i < 8; i++) h = (h ^ out[i]) * 16777619u;
  return h;
}

int main(int argc, char **argv) {
  unsigned scale = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 3;
  uint32_t x = 1;
  for (unsigned i = 0; i < sizeof src; i++) src[i] = (uint8_t)((x = x * 1103515245u + 12345u) >> 16);
  for (int i = 0; i < N * N; i++) a[i / N][i % N] = (float)(i % 13) * 0.25f, b[i / N][i % N] = (float)(i % 7) * 0.5f - 1;
  uint32_t h = run(scale);
  float sum = 0;
  for (int i = 0; i < N * N; i++) sum += c[i / N][i % N] * (float)(i % 5);
  printf("avx2 %08x %.1f\n", (unsigned)h, (double)sum);
  return 0;
}
