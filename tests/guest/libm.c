/* Every function of the C library's <math.h> and <complex.h> in three precisions and four rounding modes,
 * over edges and pseudo-random numbers: results, status flags and errno to the last bit, as checksums.
 *
 *   libm [COUNT]                       COUNT random arguments each (default 100)
 *   libm COUNT FUNCTION TYPE [MODE]    the calls of one function, each on a line
 */
#define _GNU_SOURCE
#include <complex.h>
#include <errno.h>
#include <fenv.h>
#include <math.h>

#include "guest.h"

#define COUNT(a) (int)(sizeof(a) / sizeof *(a))

enum type { DOUBLE, FLOAT, LONG_DOUBLE };
static const char *const type_name[] = {"double", "float", "long double"};
static const size_t type_size[] = {8, 4, 10};
static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
static const char *const mode_name[] = {"nearest", "down", "up", "zero"};

/* One value of any of the types. */
union number {
  double d;
  float f;
  long double l;
  unsigned char bytes[16];
};
struct numbers {
  int n;
  union number v[3000];
};

/* ---- the functions, by what they take and give ---- */

enum shape {
  R_R,    /* x -> x */
  R_RR,   /* x, x -> x */
  R_RRR,  /* x, x, x -> x */
  R_RI,   /* x, int -> x */
  R_RN,   /* x, long -> x */
  R_IR,   /* int, x -> x */
  I_R,    /* x -> int */
  N_R,    /* x -> long */
  Q_R,    /* x -> long long */
  R_RPI,  /* x, *int -> x, int */
  R_RPR,  /* x, *x -> x, x */
  R_RRPI, /* x, x, *int -> x, int */
  V_RPP,  /* x, *x, *x */
  R_RL,   /* x, long double -> x */
  C_C,    /* complex -> complex */
  C_CC,   /* complex, complex -> complex */
  R_C,    /* complex -> x */
};
struct function {
  const char *name;
  enum shape shape;
  void (*fn[3])(void);
};
typedef void (*any)(void);
#define F(shape, name) {#name, shape, {(any)name, (any)name##f, (any)name##l}}

static const struct function functions[] = {
  F(R_R, sin), F(R_R, cos), F(R_R, tan), F(R_R, asin), F(R_R, acos), F(R_R, atan), F(R_R, sinh),
  F(R_R, cosh), F(R_R, tanh), F(R_R, asinh), F(R_R, acosh), F(R_R, atanh), F(R_R, exp), F(R_R, exp2),
  F(R_R, expm1), F(R_R, log), F(R_R, log2), F(R_R, log10), F(R_R, log1p), F(R_R, sqrt), F(R_R, cbrt),
  F(R_R, erf), F(R_R, erfc), F(R_R, tgamma), F(R_R, lgamma), F(R_R, fabs), F(R_R, ceil), F(R_R, floor),
  F(R_R, trunc), F(R_R, round), F(R_R, rint), F(R_R, nearbyint), F(R_R, logb), F(R_RR, pow),
  F(R_RR, atan2), F(R_RR, fmod), F(R_RR, remainder), F(R_RR, hypot), F(R_RR, fdim), F(R_RR, fmax),
  F(R_RR, fmin), F(R_RR, copysign), F(R_RR, nextafter), F(R_RL, nexttoward), F(R_RRR, fma), F(R_RI, ldexp),
  F(R_RI, scalbn), F(R_RN, scalbln), F(I_R, ilogb), F(N_R, lrint), F(N_R, lround), F(Q_R, llrint),
  F(Q_R, llround), F(R_RPI, frexp), F(R_RPR, modf), F(R_RRPI, remquo), F(V_RPP, sincos), F(C_C, csin),
  F(C_C, ccos), F(C_C, ctan), F(C_C, casin), F(C_C, cacos), F(C_C, catan), F(C_C, csinh), F(C_C, ccosh),
  F(C_C, ctanh), F(C_C, casinh), F(C_C, cacosh), F(C_C, catanh), F(C_C, cexp), F(C_C, clog), F(C_C, csqrt),
  F(C_C, cproj), F(C_C, conj), F(C_CC, cpow), F(R_C, cabs), F(R_C, carg), F(R_C, creal), F(R_C, cimag),
  F(R_R, exp10), {"lgamma_r", R_RPI, {(any)lgamma_r, (any)lgammaf_r, (any)lgammal_r}},
#ifdef __GLIBC__
  F(R_R, j0), F(R_R, j1), F(R_R, y0), F(R_R, y1), F(R_IR, jn), F(R_IR, yn), F(R_RR, drem), F(R_RR, scalb),
  F(R_R, significand), F(R_R, roundeven), F(R_R, nextup), F(R_R, nextdown), F(R_RR, fmaxmag),
  F(R_RR, fminmag), F(N_R, llogb), F(R_RR, fmaximum), F(R_RR, fminimum), F(R_RR, fmaximum_num),
  F(R_RR, fminimum_num), F(R_RR, fmaximum_mag), F(R_RR, fminimum_mag), F(C_C, clog10),
#else
  {"j0", R_R, {(any)j0, (any)j0f, NULL}}, {"j1", R_R, {(any)j1, (any)j1f, NULL}},
  {"y0", R_R, {(any)y0, (any)y0f, NULL}}, {"y1", R_R, {(any)y1, (any)y1f, NULL}},
  {"jn", R_IR, {(any)jn, (any)jnf, NULL}}, {"yn", R_IR, {(any)yn, (any)ynf, NULL}},
  {"drem", R_RR, {(any)drem, (any)dremf, NULL}}, {"scalb", R_RR, {(any)scalb, (any)scalbf, NULL}},
  {"significand", R_R, {(any)significand, (any)significandf, NULL}},
#endif
};

/* ---- one call ---- */

struct result {
  union number r[2];
  int numbers;   /* how many of r count */
  long long i;   /* the integer result, if any */
  unsigned flags; /* x87 and MXCSR: invalid, denormal, zero divide, overflow, underflow, inexact */
  int error;
};

static void clear_flags(void) {
  unsigned mxcsr;
  __asm__ volatile("fnclex; stmxcsr %0; andl $~0x3f, %0; ldmxcsr %0" : "=m"(mxcsr));
}
static unsigned get_flags(void) {
  unsigned mxcsr;
  unsigned short status;
  __asm__ volatile("stmxcsr %0; fnstsw %1" : "=m"(mxcsr), "=a"(status));
  return (mxcsr & 0x3f) << 6 | (status & 0x3f);
}

enum { type_of_d = DOUBLE, type_of_f = FLOAT, type_of_l = LONG_DOUBLE };
/* The callers for one type T, whose member of union number is m, and complex type C. */
#define CALLERS(T, C, m) \
  static void call_##m(const struct function *f, const union number *a, long k, struct result *out) { \
    any fn = f->fn[type_of_##m]; \
    T x = a[0].m, y = a[1].m, z = a[2].m, p = 0, q = 0; \
    C c = 0, u, w; \
    int i = 0; \
    __real__ u = x, __imag__ u = y; \
    __real__ w = z, __imag__ w = a[3].m; \
    switch (f->shape) { \
    case R_R: p = ((T(*)(T))fn)(x); break; \
    case R_RR: p = ((T(*)(T, T))fn)(x, y); break; \
    case R_RRR: p = ((T(*)(T, T, T))fn)(x, y, z); break; \
    case R_RI: p = ((T(*)(T, int))fn)(x, (int)k); break; \
    case R_RN: p = ((T(*)(T, long))fn)(x, k); break; \
    case R_IR: p = ((T(*)(int, T))fn)((int)k, x); break; \
    case I_R: out->i = ((int (*)(T))fn)(x); out->numbers = 0; return; \
    case N_R: out->i = ((long (*)(T))fn)(x); out->numbers = 0; return; \
    case Q_R: out->i = ((long long (*)(T))fn)(x); out->numbers = 0; return; \
    case R_RPI: p = ((T(*)(T, int *))fn)(x, &i); break; \
    case R_RPR: p = ((T(*)(T, T *))fn)(x, &q); break; \
    case R_RRPI: p = ((T(*)(T, T, int *))fn)(x, y, &i); break; \
    case V_RPP: ((void (*)(T, T *, T *))fn)(x, &p, &q); break; \
    case R_RL: p = ((T(*)(T, long double))fn)(x, (long double)y); break; \
    case C_C: c = ((C(*)(C))fn)(u); p = __real__ c; q = __imag__ c; break; \
    case C_CC: c = ((C(*)(C, C))fn)(u, w); p = __real__ c; q = __imag__ c; break; \
    case R_C: p = ((T(*)(C))fn)(u); break; \
    } \
    out->i = i; \
    out->r[0].m = p; \
    out->r[1].m = q; \
    out->numbers = f->shape == R_RPR || f->shape == V_RPP || f->shape == C_C || f->shape == C_CC ? 2 : 1; \
  }
CALLERS(double, double complex, d)
CALLERS(float, float complex, f)
CALLERS(long double, long double complex, l)

static struct result call(const struct function *f, enum type t, const union number *a, long k) {
  static void (*const caller[])(const struct function *, const union number *, long, struct result *) = {
    call_d, call_f, call_l};
  struct result r = {.error = 0};
  errno = 0;
  clear_flags();
  caller[t](f, a, k, &r);
  r.flags = get_flags();
  r.error = errno;
  return r;
}

/* ---- the arguments ---- */

/* Finite edges, both signs of each, and each with its neighbours. */
static const long double edges[] = {
  0, 0.125L, 0.25L, 1 / 3.0L, 0.46875L, 0.5L, 0.7071067811865475244L, 0.75L, 0.9375L, 1, 1.25L, 1.5L, 2,
  2.5L, 2.71828182845904523536L, 3, 3.5L, 4, 4.5L, 6, 7.5L, 8, 10, 15.5L, 27, 64.5L, 100, 127, 170.624L,
  171.7L, 1755.5L, 22050, 0x1p24L, 0x1p31L, 0x1p32L, 0x1p52L, 0x1.8p52L, 0x1p53L, 0x1p62L, 0x1p63L,
  0x1p64L, 0x1p100L, 1e22L, 1e30L, 0.78539816339744830962L, 1.57079632679489661923L,
  2.35619449019234492885L, 3.14159265358979323846L, 4.71238898038468985769L, 6.28318530717958647693L,
  157.0796326794896619L, 1e6L * 3.14159265358979323846L, 2.4048255576957727686L, 3.8317059702075123156L,
  0.89357696627916752158L, 88.72283905206835L, 87.33654475L, 103.97L, 104.5L, 128, 149, 150,
  709.78271289338399684L, 708.39641853226410622L, 745.13321910194110842L, 746, 1023, 1024, 1074,
  11356.523406294143949L, 11355.1371119332L, 11399.4985L, 16384, 16445, 38.53183945L, 308.254715L,
  4932.0754L, 1e-3L, 1e-5L, 0x1p-12L, 0x1p-26L, 0x1p-27L, 0x1p-28L, 0x1p-32L, 0x1p-53L, 0x1p-54L, 0x1p-63L,
  0x1p-64L, 0x1p-70L, 0x1p-100L
};
static const long whole[] = {
  0, 1, -1, 2, 3, 5, 10, -7, 24, 52, 63, 64, 126, -126, -149, -150, 127, 1023, 1024, -1022, -1074, -1075,
  2046, -2100, 16383, -16445, 16446, -16500, 33000, -33000, 2147483647, -2147483647 - 1
};
static const long orders[] = {0, 1, -1, 2, -2, 3, 7, 20, -11, 45};

static void add(struct numbers *list, union number v) {
  if (list->n < COUNT(list->v))
    list->v[list->n++] = v;
}

/* The nearest number of the type, and its neighbours, by their bits. */
static void add_near(struct numbers *list, enum type t, long double v) {
  union number n = {.bytes = {0}};
  for (int k = -1; k <= 1; k++) {
    if (t == DOUBLE) {
      uint64_t u;
      n.d = (double)v;
      memcpy(&u, &n, 8);
      u += (uint64_t)(v == 0 ? k & 1 : k);
      memcpy(&n, &u, 8);
    } else if (t == FLOAT) {
      uint32_t u;
      n.f = (float)v;
      memcpy(&u, &n, 4);
      u += (uint32_t)(v == 0 ? k & 1 : k);
      memcpy(&n, &u, 4);
    } else {
      uint64_t u;
      n.l = v;
      memcpy(&u, &n, 8);
      if (v != 0 && !(k < 0 && u << 1 == 0)) /* not an unnormal below a power of two */
        u += (uint64_t)k;
      memcpy(&n, &u, 8);
    }
    add(list, n);
  }
}

/* A number from its sign, biased exponent and fraction; of long double the fraction holds the integer bit. */
static union number make(enum type t, unsigned sign, unsigned exponent, uint64_t fraction) {
  union number n = {.bytes = {0}};
  if (t == DOUBLE) {
    uint64_t u = (uint64_t)sign << 63 | (uint64_t)exponent << 52 | (fraction & (((uint64_t)1 << 52) - 1));
    memcpy(&n, &u, 8);
  } else if (t == FLOAT) {
    uint32_t u = sign << 31 | exponent << 23 | (uint32_t)(fraction & 0x7fffff);
    memcpy(&n, &u, 4);
  } else {
    uint16_t e = (uint16_t)(sign << 15 | exponent);
    memcpy(&n, &fraction, 8);
    memcpy(n.bytes + 8, &e, 2);
  }
  return n;
}

static const unsigned last_exponent[] = {0x7ff, 0xff, 0x7fff};
static const int fraction_bits[] = {52, 23, 63};

/* Denormals, the ends of the range, infinities and NaNs. */
static void add_special(struct numbers *list, enum type t) {
  uint64_t one = t == LONG_DOUBLE ? (uint64_t)1 << 63 : 0, all = ((uint64_t)1 << fraction_bits[t]) - 1;
  uint64_t quiet = (uint64_t)1 << (fraction_bits[t] - 1);
  unsigned last = last_exponent[t];
  for (unsigned s = 0; s < 2; s++) {
    add(list, make(t, s, 0, 1));
    add(list, make(t, s, 0, quiet | 0x123));
    add(list, make(t, s, 0, all));
    add(list, make(t, s, 1, one));
    add(list, make(t, s, 1, one | 1));
    add(list, make(t, s, 2, one | all));
    add(list, make(t, s, last - 1, one | all));
    add(list, make(t, s, last - 1, one));
    add(list, make(t, s, last - 2, one | quiet | 5));
    add(list, make(t, s, last, one));
    add(list, make(t, s, last, one | quiet));
    add(list, make(t, s, last, one | quiet | 0x55));
    add(list, make(t, s, last, one | 0x77)); /* signalling */
  }
}

static void add_edges(struct numbers *list, enum type t) {
  for (int i = 0; i < COUNT(edges); i++) {
    add_near(list, t, edges[i]);
    add_near(list, t, -edges[i]);
  }
  add_special(list, t);
}

/* Half of any exponent, half between -32 and 32. */
static union number any_number(enum type t, uint64_t *seed) {
  uint64_t r = next_random(seed), s = next_random(seed);
  uint64_t one = t == LONG_DOUBLE ? (uint64_t)1 << 63 : 0;
  unsigned bias = last_exponent[t] / 2;
  unsigned e = s & 1 ? (unsigned)(s >> 8) % last_exponent[t] : bias - 11 + (unsigned)(s >> 8) % 16;
  return make(t, s >> 1 & 1, e, e ? one | r >> (64 - fraction_bits[t]) : r >> (64 - fraction_bits[t]));
}

/* ---- what is printed ---- */

struct tally {
  uint64_t sum;
  unsigned calls;
  int verbose;
};

static void put_number(enum type t, const union number *n) {
  for (int i = (int)type_size[t] - 1; i >= 0; i--)
    printf("%02x", n->bytes[i]);
}

static void one(struct tally *to, const struct function *f, enum type t, const union number *a, int args,
                long k) {
  struct result r = call(f, t, a, k);
  for (int i = 0; i < r.numbers; i++)
    to->sum = checksum(to->sum, &r.r[i], type_size[t]);
  to->sum = checksum(to->sum, &r.i, sizeof r.i);
  to->sum = checksum(to->sum, &r.flags, sizeof r.flags);
  to->sum = checksum(to->sum, &r.error, sizeof r.error);
  to->calls++;
  if (!to->verbose)
    return;
  printf("%s", f->name);
  for (int i = 0; i < args; i++) {
    putchar(' ');
    put_number(t, &a[i]);
  }
  printf(" %ld =", k);
  for (int i = 0; i < r.numbers; i++) {
    putchar(' ');
    put_number(t, &r.r[i]);
  }
  printf(" %lld flags %03x errno %d\n", r.i, r.flags, r.error);
}

static int arity(enum shape s) {
  switch (s) {
  case R_RR: case R_RRPI: case R_RL: case C_C: case R_C: return 2;
  case R_RRR: return 3;
  case C_CC: return 4;
  default: return 1;
  }
}

static void over_edges(struct tally *to, const struct function *f, enum type t, const struct numbers *list) {
  union number a[4] = {{.bytes = {0}}};
  const long *ks = f->shape == R_IR ? orders : whole;
  int nk = f->shape == R_IR ? COUNT(orders) : f->shape == R_RI || f->shape == R_RN ? COUNT(whole) : 1;
  int args = arity(f->shape), step = nk > 1 ? 5 : 1;
  if (args == 1) {
    for (int i = 0; i < list->n; i += step)
      for (int k = 0; k < nk; k++) {
        a[0] = list->v[i];
        one(to, f, t, a, 1, nk > 1 ? ks[k] : 0);
      }
    return;
  }
  /* Pairs: every special one, and every so many of the others; the further arguments go along. */
  for (int i = 0; i < list->n; i += i < list->n - 26 ? 13 : 1)
    for (int j = 0; j < list->n; j += j < list->n - 26 ? 17 : 1) {
      a[0] = list->v[i];
      a[1] = list->v[j];
      a[2] = list->v[(i * 7 + j * 3) % list->n];
      a[3] = list->v[(i * 5 + j * 11 + 1) % list->n];
      one(to, f, t, a, args, 0);
    }
}

static void over_random(struct tally *to, const struct function *f, enum type t, int count) {
  uint64_t seed = 0x1234567 + (uint64_t)t;
  for (int i = 0; i < count; i++) {
    union number a[4];
    for (int k = 0; k < 4; k++)
      a[k] = any_number(t, &seed);
    long k = (long)(next_random(&seed) % 41) - 20;
    one(to, f, t, a, arity(f->shape), k);
  }
}

int main(int argc, char **argv) {
  static struct numbers list;
  int count = argc > 1 ? atoi(argv[1]) : 100;
  unsigned calls = 0;
  for (int k = 0; k < COUNT(functions); k++) {
    const struct function *f = &functions[k];
    for (enum type t = DOUBLE; t <= LONG_DOUBLE; t++) {
      if (!f->fn[t] || (argc > 3 && (strcmp(argv[2], f->name) || strcmp(argv[3], type_name[t]))))
        continue;
      list.n = 0;
      add_edges(&list, t);
      printf("%s %s:", f->name, type_name[t]);
      for (int m = 0; m < COUNT(modes); m++) {
        struct tally tally = {CHECKSUM_START, 0, argc > 3 && (argc < 5 || !strcmp(argv[4], mode_name[m]))};
        fesetround(modes[m]);
        over_edges(&tally, f, t, &list);
        over_random(&tally, f, t, m ? count / 4 : count);
        fesetround(FE_TONEAREST);
        printf(" %s %016llx", mode_name[m], (unsigned long long)tally.sum);
        calls += tally.calls;
      }
      printf("\n");
    }
  }
  printf("%u calls\n", calls);
  return 0;
}
