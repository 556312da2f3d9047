/* AVX-512: a matrix product in double precision, and bytes filtered by opmasks and compressed.
   usage: avx512 SCALE; exit 3: the processor has no AVX-512 F, BW, VL and VBMI2 */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { N = 64, LEN = 4096 };
static double a[N][N] __attribute__((aligned(64))), b[N][N] __attribute__((aligned(64))), c[N][N] __attribute__((aligned(64)));
static uint8_t src[LEN + 64] __attribute__((aligned(64))), dst[LEN + 64] __attribute__((aligned(64)));

__attribute__((target("avx512f"))) static void product(void) {
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j += 16) {
      __m512d s0 = _mm512_setzero_pd(), s1 = _mm512_setzero_pd();
      for (int k = 0; k < N; k++) {
        __m512d x = _mm512_set1_pd(a[i][k]);
        s0 = _mm512_fmadd_pd(x, _mm512_load_pd(&b[k][j]), s0);
        s1 = _mm512_fmadd_pd(x, _mm512_load_pd(&b[k][j + 8]), s1);
      }
      _mm512_store_pd(&c[i][j], s0);
      _mm512_store_pd(&c[i][j + 8], s1);
    }
}

__attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2"))) static __m512i bytes(const uint8_t *in, uint8_t *out,
                                                                                      __m512i acc, int salt) {
  const __m512i bias = _mm512_set1_epi8((char)salt), low = _mm512_set1_epi8(15);
  for (int i = 0; i < LEN; i += 64) {
    __m512i v = _mm512_loadu_si512(in + i), s = _mm512_adds_epu8(v, bias);
    __mmask64 m = _mm512_cmpgt_epu8_mask(v, s), odd = _mm512_test_epi8_mask(v, _mm512_set1_epi8(1));
    __m512i t = _mm512_mask_shuffle_epi8(s, m | odd, v, _mm512_and_si512(s, low));
    __m512i p = _mm512_maskz_compress_epi8(odd, t);
    acc = _mm512_add_epi64(acc, _mm512_sad_epu8(p, v));
    acc = _mm512_ternarylogic_epi64(acc, p, t, 0x96);
    _mm512_mask_storeu_epi8(out + i, m | ~odd, _mm512_avg_epu8(t, _mm512_max_epu8(v, bias)));
  }
  return acc;
}

__attribute__((target("avx512f"))) static uint32_t run(unsigned scale) {
  __m512i acc = _mm512_setzero_si512();
  uint32_t out[16], h = 0;
  for (unsigned k = 0; k < scale; k++) {
    acc = bytes(src + (k & 15), dst, acc, (int)k);
    acc = bytes(dst + (k & 7), src, acc, (int)(k ^ 5));
    if (k % 4 == 0) product();
  }
  _mm512_storeu_si512(out, acc);
  for (int i = 0; i < 16; i++) h = (h ^ out[i]) * 16777619u;
  return h;
}

int main(int argc, char **argv) {
  unsigned scale = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512vbmi2"))
    return 3;
  uint32_t x = 1;
  for (unsigned i = 0; i < sizeof src; i++) src[i] = (uint8_t)((x = x * 1103515245u + 12345u) >> 16);
  for (int i = 0; i < N * N; i++) a[i / N][i % N] = (double)(i % 13) * 0.25, b[i / N][i % N] = (double)(i % 7) * 0.5 - 1;
  uint32_t h = run(scale);
  double sum = 0;
  for (int i = 0; i < N * N; i++) sum += c[i / N][i % N] * (double)(i % 5);
  printf("avx512 %08x %.1f\n", (unsigned)h, sum);
  return 0;
}
