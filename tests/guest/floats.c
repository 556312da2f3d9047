/* Floating point in three precisions: the C library's functions over fixed inputs, conversions and rounding
 * modes, and the exception flags; printed exactly. The comparison's environment keeps the C library from
 * choosing FMA variants. */
#include <complex.h>
#include <fenv.h>
#include <math.h>

#include "guest.h"

#define COUNT(a) (int)(sizeof(a) / sizeof *(a))

static const double input[] = {
    0.0, -0.0, 1.0, -1.0, 0.5, 0.1, 2.0, 3.0, 10.0, 100.0, 1e-5, 1e5, 1e15, 1e300, 1e-300, 0x1p-1074,
    0x1.fffffffffffffp1023, 3.141592653589793, 2.718281828459045, 0.7853981633974483, 1.5707963267948966,
    -2.5, 7.25, -123.456, 1e22, 0.9999999999999999, 1.0000000000000002, 708.0, -745.0, 88.5, INFINITY,
    -INFINITY, NAN};

/* The sign of a NaN that arithmetic made is not specified by anyone the C library heeds. */
static void put(double v) {
  if (isnan(v))
    printf(" nan");
  else
    printf(" %a", v);
}
static void put_l(long double v) {
  if (isnan(v))
    printf(" nan");
  else
    printf(" %La", v);
}
/* The last bits of the x87's transcendental instructions are each implementation's own; powl multiplies their
 * error. */
static void put_near(long double v) {
  if (isnan(v))
    printf(" nan");
  else
    printf(" %.14Lg", v);
}

static void one_argument(void) {
  static const struct {
    const char *name;
    double (*d)(double);
    float (*f)(float);
    long double (*l)(long double);
    int exact;
  } fn[] = {
#define F(n) {#n, n, n##f, n##l, 0}
#define E(n) \
  { #n, n, n##f, n##l, 1 }
      F(sin),  F(cos),   F(tan),   F(asin),  F(acos),      F(atan), F(sinh),  F(cosh),
      F(tanh), F(asinh), F(acosh), F(atanh), F(exp),       F(exp2), F(expm1), F(log),
      F(log2), F(log10), F(log1p), E(logb),  E(sqrt),      F(cbrt), E(fabs),  E(floor),
      E(ceil), E(trunc), E(round), E(rint),  E(nearbyint), F(erf),  F(erfc),  F(tgamma)};
  for (int k = 0; k < COUNT(fn); k++) {
    printf("%s", fn[k].name);
    uint64_t sum = CHECKSUM_START;
    for (int i = 0; i < COUNT(input); i++) {
      put(fn[k].d(input[i]));
      float f = fn[k].f((float)input[i]);
      if (!isnan(f))
        sum = checksum(sum, &f, 4);
      if (i % 5 == 2) {
        putchar('/');
        (fn[k].exact ? put_l : put_near)(fn[k].l((long double)input[i]));
      }
    }
    printf(" float %016llx\n", (unsigned long long)sum);
  }
}

static void two_arguments(void) {
  static const struct {
    const char *name;
    double (*d)(double, double);
    long double (*l)(long double, long double);
    int exact;
  } fn[] = {
#define G(n) {#n, n, n##l, 1}
      {"pow", pow, powl, 0},
      {"atan2", atan2, atan2l, 0},
      G(fmod),
      G(remainder),
      G(hypot),
      G(fdim),
      G(fmax),
      G(fmin),
      G(copysign),
      G(nextafter)};
  for (int k = 0; k < COUNT(fn); k++) {
    uint64_t sum = CHECKSUM_START;
    printf("%s", fn[k].name);
    for (int i = 0; i < COUNT(input); i++)
      for (int j = 0; j < COUNT(input); j++) {
        double v = fn[k].d(input[i], input[j]);
        if (!isnan(v) && !(v == 0 && (k == 6 || k == 7))) /* fmax(0, -0) may be either */
          sum = checksum(sum, &v, 8);
        if (i % 8 == 4 && j % 7 == 3) {
          put(v);
          (fn[k].exact ? put_l : put_near)(fn[k].l(input[i], input[j]));
        }
      }
    printf(" %016llx\n", (unsigned long long)sum);
  }
  for (int i = 0; i < COUNT(input); i++) {
    int e = 0;
    double part = 0;
    put(frexp(input[i], &e));
    printf(" %d", isfinite(input[i]) ? e : 0);
    put(modf(input[i], &part));
    put(part);
    put(ldexp(input[i], -30));
    put(scalbn(input[i], 40));
    put(fma(input[i], 1.1, -0.3));
    printf(" %d %d\n", isfinite(input[i]) && input[i] != 0 ? ilogb(input[i]) : 0, signbit(input[i]) ? 1 : 0);
  }
}

static void arithmetic(void) {
  static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
  static const char *const names[] = {"nearest", "down", "up", "zero"};
  for (int m = 0; m < 4; m++) {
    fesetround(modes[m]);
    uint64_t d_sum = CHECKSUM_START, f_sum = CHECKSUM_START, l_sum = CHECKSUM_START, i_sum = CHECKSUM_START;
    for (int i = 0; i < COUNT(input); i++)
      for (int j = 0; j < COUNT(input); j++) {
        volatile double a = input[i], b = input[j];
        volatile float fa = (float)a, fb = (float)b;
        volatile long double la = a, lb = b / 3;
        volatile double d[] = {a + b, a - b, a * b, a / b, sqrt(a)};
        volatile float f[] = {fa + fb, fa - fb, fa * fb, fa / fb, sqrtf(fa)};
        volatile long double l[] = {la + lb, la - lb, la * lb, la / lb, sqrtl(la)};
        for (int k = 0; k < 5; k++) {
          double dv = d[k];
          float fv = f[k];
          long double lv = l[k];
          if (!isnan(dv))
            d_sum = checksum(d_sum, &dv, 8);
          if (!isnan(fv))
            f_sum = checksum(f_sum, &fv, 4);
          if (!isnan(lv))
            l_sum = checksum(l_sum, &lv, 10);
        }
        if (fabs(a) < 2e9) {
          long r[] = {(long)a, lrint(a), lround(a), (long)fa, lrintf(fa)};
          long long w[] = {(long long)la, llrintl(la), llrint(a)};
          unsigned u = a >= 0 ? (unsigned)a : 0;
          i_sum = checksum(checksum(checksum(i_sum, r, sizeof r), w, sizeof w), &u, sizeof u);
        }
      }
    fesetround(FE_TONEAREST);
    printf("%s: double %016llx float %016llx long double %016llx integer %016llx\n", names[m],
           (unsigned long long)d_sum, (unsigned long long)f_sum, (unsigned long long)l_sum,
           (unsigned long long)i_sum);
  }
  static const long long ints[] = {
      0, 1, -1, 16777217, 2147483647, -2147483648LL, 9007199254740993LL, INT64_MAX, INT64_MIN};
  for (int i = 0; i < COUNT(ints); i++) {
    volatile long long n = ints[i];
    printf("%lld: %a %a %La %a %a\n", n, (double)n, (double)(float)n, (long double)n,
           (double)(unsigned long long)n, (double)(float)(unsigned)n);
  }
}

static void flags(void) {
  volatile double zero = 0, one = 1, huge = 1e308, tiny = 1e-308, r;
  struct {
    const char *what;
    int set;
  } seen[6];
#define DO(i, text, expr) \
  feclearexcept(FE_ALL_EXCEPT); \
  r = (expr); \
  (void)r; \
  seen[i].what = text; \
  seen[i].set = fetestexcept(FE_ALL_EXCEPT);
  DO(0, "1/0", one / zero)
  DO(1, "0/0", zero / zero)
  DO(2, "huge*huge", huge * huge)
  DO(3, "tiny*tiny", tiny * tiny)
  DO(4, "1/3", one / 3)
  DO(5, "1+1", one + one)
  for (int i = 0; i < 6; i++)
    printf("%s: invalid %d divide %d overflow %d underflow %d inexact %d\n", seen[i].what,
           !!(seen[i].set & FE_INVALID), !!(seen[i].set & FE_DIVBYZERO), !!(seen[i].set & FE_OVERFLOW),
           !!(seen[i].set & FE_UNDERFLOW), !!(seen[i].set & FE_INEXACT));
  volatile double q = NAN;
  printf("comparisons %d %d %d %d %d %d\n", q<one, q> one, q == q, q != q, isless(q, one),
         isunordered(q, one));
  fenv_t env;
  feholdexcept(&env);
  r = one / zero;
  feupdateenv(&env);
  printf("after feupdateenv %d\n", !!fetestexcept(FE_DIVBYZERO));
}

static void algorithms(void) {
  double a[12][12], x = 0.5;
  for (int i = 0; i < 12; i++)
    for (int j = 0; j < 12; j++)
      a[i][j] = 1.0 / (i + j + 1) + (i == j);
  for (int k = 0; k < 12; k++)
    for (int i = k + 1; i < 12; i++) {
      double f = a[i][k] / a[k][k];
      for (int j = k; j < 12; j++)
        a[i][j] -= f * a[k][j];
    }
  double det = 1;
  for (int k = 0; k < 12; k++)
    det *= a[k][k];
  printf("determinant %a\n", det);
  for (int i = 0; i < 1000; i++)
    x = 3.9 * x * (1 - x);
  printf("logistic %a\n", x);
  long double pi = 0;
  for (int k = 0; k < 200; k++)
    pi += powl(16, -k) * (4.0L / (8 * k + 1) - 2.0L / (8 * k + 4) - 1.0L / (8 * k + 5) - 1.0L / (8 * k + 6));
  printf("pi %La\n", pi);
  float h = 0;
  for (int i = 1; i < 100000; i++)
    h += 1.0f / (float)i;
  printf("harmonic %a\n", (double)h);
  double complex z = cexp(1.0 + 2.0 * I), w = csqrt(-3.0 + 4.0 * I);
  printf("complex %a %a %a %a\n", creal(z), cimag(z), creal(w), cimag(w));
  uint64_t s = 1;
  double total = 0;
  for (int i = 0; i < 50000; i++)
    total += sin((double)(next_random(&s) >> 20)) * exp(-(double)(i % 50));
  printf("sum %a\n", total);
}

int main(void) {
  one_argument();
  two_arguments();
  arithmetic();
  flags();
  algorithms();
  return 0;
}
