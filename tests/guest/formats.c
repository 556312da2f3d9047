/* printf and scanf of every conversion: integers, floating point at its edges, strings, wide characters,
 * positions. */
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <wchar.h>

#include "guest.h"

static void integers(void) {
  static const long long v[] = {0,       1,       -1,        42,        -42,
                                INT_MAX, INT_MIN, LLONG_MAX, LLONG_MIN, 0x123456789abcdefLL};
  for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
    long long x = v[i];
    printf("[%d][%i][%u][%o][%x][%X]\n", (int)x, (int)x, (unsigned)x, (unsigned)x, (unsigned)x, (unsigned)x);
    printf("[%lld][%llu][%llo][%#llx][%#llX]\n", x, (unsigned long long)x, (unsigned long long)x,
           (unsigned long long)x, (unsigned long long)x);
    printf("[%hhd][%hd][%jd][%hhu][%hu][%ju]\n", (signed char)x, (short)x, (intmax_t)x, (unsigned char)x,
           (unsigned short)x, (uintmax_t)x);
    printf("[%12d][%-12d][%012d][%+d][% d][%+.8d][%-+12.4d]\n", (int)x, (int)x, (int)x, (int)x, (int)x,
           (int)x, (int)x);
    printf("[%#o][%#x][%#10x][%#-10x][%#010x][%.0d][%.3x]\n", (unsigned)x, (unsigned)x, (unsigned)x,
           (unsigned)x, (unsigned)x, (int)x, (unsigned)x);
  }
}

static void doubles(void) {
  static const double v[] = {0.0,       -0.0,        1.0,
                             -1.0,      0.1,         1.0 / 3,
                             2.5,       3.5,         0.5,
                             1e10,      1.5e-10,     123456789.123456789,
                             1e100,     1e-100,      9.999999e99,
                             DBL_MAX,   DBL_MIN,     DBL_EPSILON,
                             0x1p-1074, 0x1.8p-1060, -0x0.fffffp-1022,
                             INFINITY,  -INFINITY,   99999.95,
                             999999.5,  0.00001,     0.0001,
                             123456.0,  1234567.0};
  for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
    double x = v[i];
    printf("[%f][%e][%g][%a]\n", x, x, x, x);
    printf("[%F][%E][%G][%A]\n", x, x, x, x);
    printf("[%.0f][%.1f][%.10f][%.20e][%.17g][%.3a]\n", x, x, x, x, x, x);
    printf("[%20.5f][%-20.5e][%+020.5g][%#.0f][%#g][% g]\n", x, x, x, x, x, x);
  }
  printf("[%f][%F][%g][%5.1f]\n", (double)NAN, (double)NAN, copysign(NAN, -1), (double)NAN);
  for (int e = -320; e <= 308; e += 17)
    printf("%.15g ", 7.0 * pow(10, e));
  printf("\n");
}

static void long_doubles(void) {
  static const long double v[] = {
      0.0L, -1.0L, 0.1L, 1.0L / 3, LDBL_MAX, LDBL_MIN, LDBL_EPSILON, 0x1p-16445L, 0x1.23456789abcdefp+5000L,
      1e4000L, 3.14159265358979323846264338327950288L};
  for (size_t i = 0; i < sizeof v / sizeof *v; i++)
    printf("[%Lg][%.20Lg][%.6Le][%La]\n", v[i], v[i], v[i], v[i]);
  printf("[%Lf][%.3Lf][%Lf]\n", 1e30L, 1e-5L, (long double)INFINITY);
}

static void strings(void) {
  printf("[%s][%10s][%-10s][%.3s][%10.3s][%-10.3s][%.*s][%*s]\n", "string", "right", "left", "truncated",
         "both", "both", 4, "star-precision", 9, "star");
  printf("[%c][%5c][%-5c][%%]\n", 'a', 'b', 'c');
  printf("[%p][%10p]\n", (void *)0x1234, (void *)0xabc);
  int n = -1;
  printf("twelve chars%n", &n);
  printf(" -> %d\n", n);
  printf("[%3$s][%1$s][%2$s][%1$s]\n", "one", "two", "three");
  printf("[%2$*1$d][%4$.*3$f]\n", 8, 42, 2, 3.14159);
  printf("[%zu][%td][%zx]\n", sizeof(int), (ptrdiff_t)-5, (size_t)255);
  char small[8];
  int want = snprintf(small, sizeof small, "%s", "does not fit");
  printf("snprintf %d [%s]\n", want, small);
}

static void wide(void) {
  wchar_t buf[64];
  printf("[%ls][%8ls][%-8ls][%.2ls][%lc]\n", L"wide", L"right", L"left", L"cut", (wint_t)L'w');
  int n = swprintf(buf, 64, L"%d %s %ls %.2f", 5, "narrow", L"wide", 1.25);
  printf("swprintf %d [%ls] wcslen %zu\n", n, buf, wcslen(buf));
  printf("wcstol %ld wcscmp %d\n", wcstol(L"-123xyz", NULL, 10), wcscmp(L"abc", L"abd") < 0);
}

static void via_va_list(const char *format, ...) {
  va_list ap, again;
  va_start(ap, format);
  va_copy(again, ap);
  vprintf(format, ap);
  vprintf(format, again);
  va_end(again);
  va_end(ap);
}

static void scans(void) {
  int a, b;
  unsigned x;
  double d;
  float f;
  long double ld;
  char word[16], set[16];
  int n = sscanf(" 12 -34 0xff 2.5e3 -1.25 0x1.8p1 word abcXYZ", "%d%i%x%lf%f%Lf%15s %15[a-c]", &a, &b, &x,
                 &d, &f, &ld, word, set);
  printf("%d: %d %d %x %g %g %Lg %s %s\n", n, a, b, x, d, f, ld, word, set);
  static const char *const text[] = {
      "1e400", "-1e400", "1e-400", "nan", "-inf", "0x1p-1074", "4.9e-324", "1.7976931348623157e308",
      "2.2250738585072011e-308", "0.1", "123456789012345678901234567890", ".5.5", "  7x"};
  for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
    char *end;
    double v = strtod(text[i], &end);
    float vf = strtof(text[i], NULL);
    long double vl = strtold(text[i], NULL);
    if (isnan(v))
      printf("%s -> nan, rest [%s]\n", text[i], end);
    else
      printf("%s -> %a %a %La, rest [%s]\n", text[i], v, (double)vf, vl, end);
  }
  printf("%ld %ld %ld %lu %lld\n", strtol("0x7f", NULL, 0), strtol("-077", NULL, 0), strtol("zz", NULL, 36),
         strtoul("4294967295", NULL, 10), strtoll("-9223372036854775808", NULL, 10));
}

int main(void) {
  integers();
  doubles();
  long_doubles();
  strings();
  wide();
  via_va_list("%s %d %.3f %lld %Lg %c\n", "va_list", 1, 2.5, 3LL, 4.5L, 'x');
  scans();
  return 0;
}
