/* The variants of the C library's string, memory and vector math functions, one for each kind of processor,
 * over lengths, alignments and the ends of pages. mk/guests.mk links variants.table's list of them.
 *
 *   variants direct [TOKEN...]   each variant that this processor can run, by its own name; but none with a
 *                                TOKEN, as "rtm", in its name
 *   variants chosen              what the IFUNCs have chosen: "chosen NAME ADDRESS"; and a third of it by the
 *                                functions' own names
 *
 * A string function is compared with what the C standard says; each variant's results are one checksum. */
#define _GNU_SOURCE
#include <locale.h>
#include <sys/mman.h>
#include <wchar.h>

#include "guest.h"

#define COUNT(a) (int)(sizeof(a) / sizeof *(a))
typedef void (*any)(void);
typedef unsigned char u8;

struct entry {
  const char *name;
  any fn;
};
#ifdef __GLIBC__
extern const struct entry variant_table[], ifunc_table[];
#else
static const struct entry variant_table[1], ifunc_table[1];
#endif

/* ---- operands ---- */

enum { UNTOUCHED = 0xa5 };

/* Writable memory between two pages that are not there. */
struct arena {
  u8 *start, *end;
};
static struct arena A, B;
enum { ARENA = 512 * 1024, MARGIN = 64 };

static struct arena make_arena(void) {
  u8 *p = mmap(NULL, ARENA + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED || mprotect(p + 4096, ARENA, PROT_READ | PROT_WRITE))
    exit(9);
  return (struct arena){p + 4096, p + 4096 + ARENA};
}

static const int lengths[] = {
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 24, 25, 27, 29, 30, 31, 32,
  33, 34, 35, 39, 40, 45, 47, 48, 49, 55, 56, 57, 60, 63, 64, 65, 66, 71, 79, 80, 81, 95, 96, 97, 111, 112,
  113, 120, 127, 128, 129, 130, 143, 159, 160, 161, 175, 191, 192, 193, 223, 224, 225, 239, 255, 256, 257,
  300, 319, 320, 321, 383, 384, 385, 447, 511, 512, 513, 600, 767, 769, 1023, 1024, 1025
};
/* Where operands lie: so many elements behind a page, with the page's last byte (END), or at its start. */
enum { END = -1, START = -2 };
static const struct {
  int a, b;
} places[] = {{0, 0}, {1, 0}, {0, 5}, {15, 17}, {31, 33}, {63, 1}, {END, END}, {START, END}, {END, 3}};

static u8 *place(const struct arena *in, int where, int len, int w) {
  if (where == END)
    return in->end - (size_t)len * (size_t)w;
  return where == START ? in->start : in->start + 4096 + where * w;
}

struct tally {
  uint64_t sum;
  unsigned checks, bad;
};
static void check(struct tally *t, int ok, long value) {
  t->checks++;
  t->bad += !ok;
  t->sum = checksum(t->sum, &value, 4);
}

static unsigned get(const u8 *p, int w, int i) { return w == 4 ? ((const uint32_t *)p)[i] : p[i]; }
static void put(u8 *p, int w, int i, unsigned v) {
  if (w == 4)
    ((uint32_t *)p)[i] = v;
  else
    p[i] = (u8)v;
}
/* Text without the bytes 0 and Z. */
static void fill(u8 *p, int w, int n) {
  for (int i = 0; i < n; i++)
    put(p, w, i, "the quick brown fox jumps over a lazy dog; 1234567"[i & 31] ^ ((unsigned)i >> 5 & 7));
}
static int clean(const u8 *from, const u8 *to) {
  for (; from < to; from++)
    if (*from != UNTOUCHED)
      return 0;
  return 1;
}
static int sign(long v) { return (v > 0) - (v < 0); }

/* ---- one tester for each kind of function; w is the size of an element ---- */

typedef void tester(struct tally *t, any fn, int w);

static int stride = 1; /* of the lengths */
#define EACH_PLACE(n, k) \
  for (int ni = 0; ni < COUNT(lengths); ni += stride) \
    for (int k = 0, n = lengths[ni]; k < COUNT(places); k++)

static void test_strlen(struct tally *t, any fn, int w) {
  EACH_PLACE(n, k) {
    u8 *s = place(&A, places[k].a, n + 1, w);
    fill(s, w, n);
    put(s, w, n, 0);
    size_t r = ((size_t(*)(const void *))fn)(s);
    check(t, r == (size_t)n, (long)r);
  }
}

static void test_strnlen(struct tally *t, any fn, int w) {
  EACH_PLACE(n, k) {
    u8 *s = place(&A, places[k].a, n + 1, w);
    fill(s, w, n);
    put(s, w, n, 0);
    const size_t limits[] = {(size_t)n, (size_t)n / 2, (size_t)n + 1, (size_t)n + 77, SIZE_MAX, SIZE_MAX / 4};
    for (int i = 0; i < COUNT(limits); i++) {
      size_t r = ((size_t(*)(const void *, size_t))fn)(s, limits[i]);
      check(t, r == (limits[i] < (size_t)n ? limits[i] : (size_t)n), (long)r);
    }
    put(s, w, n, 'x'); /* nothing ends it but the limit */
    size_t r = ((size_t(*)(const void *, size_t))fn)(s, (size_t)n);
    check(t, r == (size_t)n, (long)r);
  }
}

/* How one of the functions that look for an element is called. */
enum { FORWARD = 1, BACKWARD = 2, COUNTED = 4, STRING = 8, OR_END = 16 };

static void look(struct tally *t, any fn, int w, int how) {
  EACH_PLACE(n, k) {
    u8 *s = place(&A, places[k].a, n + 1, w), *found;
    fill(s, w, n);
    put(s, w, n, how & STRING ? 0 : 'Z');
    int at[] = {-1, 0, n / 2, n - 1, n / 3}; /* the last of them stays while others move */
    for (int i = 0; i < COUNT(at); i++) {
      fill(s, w, n);
      if (at[i] >= n || (at[i] < 0 && i))
        continue;
      if (at[i] >= 0)
        put(s, w, at[i], 'Z');
      int second = i == 4 && n > 9 ? n - 2 : at[i], want = how & BACKWARD ? second : at[i];
      if (second >= 0)
        put(s, w, second, 'Z');
      if (how & COUNTED)
        found = ((u8 * (*)(const void *, int, size_t)) fn)(s, 'Z' | (w == 1 ? 0x100 : 0), (size_t)n);
      else if (how & STRING || want >= 0)
        found = ((u8 * (*)(const void *, int)) fn)(s, 'Z');
      else
        found = ((u8 * (*)(const void *, int)) fn)(s, 'Z'), want = n; /* rawmemchr runs into what is behind */
      if (how & OR_END && want < 0)
        want = n;
      check(t, want < 0 ? !found : found == s + want * w, found ? found - s : -1);
    }
    if (how & STRING) {
      found = ((u8 * (*)(const void *, int)) fn)(s, 0);
      check(t, found == s + n * w, found ? found - s : -1);
    } else if (how & COUNTED && how & FORWARD && n > 2) { /* the count may go on where memory does not */
      fill(s, w, n);
      put(s, w, n / 2, 'Z');
      found = ((u8 * (*)(const void *, int, size_t)) fn)(s, 'Z', SIZE_MAX / (size_t)w - 10);
      check(t, found == s + n / 2 * w, found ? found - s : -1);
    }
  }
}
static void test_memchr(struct tally *t, any fn, int w) { look(t, fn, w, FORWARD | COUNTED); }
static void test_memrchr(struct tally *t, any fn, int w) { look(t, fn, w, BACKWARD | COUNTED); }
__attribute__((unused)) static void test_rawmemchr(struct tally *t, any fn, int w) {
  look(t, fn, w, FORWARD);
}
static void test_strchr(struct tally *t, any fn, int w) { look(t, fn, w, FORWARD | STRING); }
static void test_strchrnul(struct tally *t, any fn, int w) { look(t, fn, w, FORWARD | STRING | OR_END); }
static void test_strrchr(struct tally *t, any fn, int w) { look(t, fn, w, BACKWARD | STRING); }

/* Comparisons: of memory or strings, with or without a limit, case or a locale. */
enum { LIMIT = 1, TEXT = 2, FOLD = 4, LOCALE = 8, EQUALITY = 16 };
static locale_t c_locale;

static long compare(any fn, const u8 *a, const u8 *b, size_t n, int how) {
  switch (how & (LIMIT | LOCALE)) {
  case 0: return ((int (*)(const void *, const void *))fn)(a, b);
  case LIMIT: return ((int (*)(const void *, const void *, size_t))fn)(a, b, n);
  case LOCALE: return ((int (*)(const void *, const void *, locale_t))fn)(a, b, c_locale);
  default: return ((int (*)(const void *, const void *, size_t, locale_t))fn)(a, b, n, c_locale);
  }
}
static void judge(struct tally *t, any fn, const u8 *a, const u8 *b, size_t n, int how, int want) {
  long r = compare(fn, a, b, n, how);
  r = how & EQUALITY ? r != 0 : sign(r);
  check(t, r == (how & EQUALITY ? want != 0 : want), r);
}
static void compared(struct tally *t, any fn, int w, int how) {
  EACH_PLACE(n, k) {
    int terminated = !!(how & TEXT), limit = !!(how & LIMIT);
    u8 *a = place(&A, places[k].a, n + terminated, w), *b = place(&B, places[k].b, n + terminated, w);
    fill(a, w, n);
    fill(b, w, n);
    if (terminated)
      put(a, w, n, 0), put(b, w, n, 0);
    if (how & FOLD)
      for (int i = 0; i < n; i++) {
        unsigned c = "ABCXYZ@[`{mnopq"[i % 15];
        put(a, w, i, c);
        put(b, w, i, c >= 'A' && c <= 'Z' && i % 2 ? c | 0x20 : c);
      }
    judge(t, fn, a, b, (size_t)n, how, 0);
    if (limit && terminated)
      judge(t, fn, a, b, (size_t)n + 100, how, 0);
    const int at[] = {0, n / 2, n - 1, n * 3 / 4};
    for (int i = 0; i < COUNT(at) && n; i++) {
      unsigned was = get(b, w, at[i]);
      put(b, w, at[i], 0x7e - 0x60 * (i & 1)); /* above, then below, whatever was there */
      judge(t, fn, a, b, (size_t)n, how, i & 1 ? 1 : -1);
      if (limit)
        judge(t, fn, a, b, (size_t)at[i], how, 0);
      put(b, w, at[i], w == 4 ? 0xf0000000u : 0xf3); /* wide characters are signed, bytes are not */
      judge(t, fn, a, b, (size_t)n, how, w == 4 ? 1 : -1);
      if (terminated) {
        put(b, w, at[i], 0);
        judge(t, fn, a, b, (size_t)n, how, 1);
        judge(t, fn, b, a, (size_t)n, how, -1);
      }
      put(b, w, at[i], was);
    }
  }
}
static void test_memcmp(struct tally *t, any fn, int w) { compared(t, fn, w, LIMIT); }
static void test_memcmpeq(struct tally *t, any fn, int w) { compared(t, fn, w, LIMIT | EQUALITY); }
static void test_strcmp(struct tally *t, any fn, int w) { compared(t, fn, w, TEXT); }
static void test_strncmp(struct tally *t, any fn, int w) { compared(t, fn, w, TEXT | LIMIT); }
static void test_strcasecmp(struct tally *t, any fn, int w) { compared(t, fn, w, TEXT | FOLD); }
static void test_strncasecmp(struct tally *t, any fn, int w) { compared(t, fn, w, TEXT | FOLD | LIMIT); }
static void test_strcasecmp_l(struct tally *t, any fn, int w) { compared(t, fn, w, TEXT | FOLD | LOCALE); }
static void test_strncasecmp_l(struct tally *t, any fn, int w) {
  compared(t, fn, w, TEXT | FOLD | LIMIT | LOCALE);
}

/* What is written must be right, and what is around it as before. */
static u8 *margin_below(const struct arena *in, u8 *p) {
  return p - in->start < MARGIN ? in->start : p - MARGIN;
}
static u8 *margin_above(const struct arena *in, u8 *p) { return in->end - p < MARGIN ? in->end : p + MARGIN; }
static void wipe(const struct arena *in, u8 *d, int bytes) {
  u8 *below = margin_below(in, d);
  memset(below, UNTOUCHED, (size_t)(margin_above(in, d + bytes) - below));
}
static int around(const struct arena *in, u8 *d, int bytes) {
  return clean(margin_below(in, d), d) && clean(d + bytes, margin_above(in, d + bytes));
}

static void copied(struct tally *t, any fn, int n, u8 *d, u8 *s, int past, int chk) {
  for (int i = 0; i < n; i++)
    s[i] = (u8)(i * 13 + (i >> 8) + n);
  if (s != d)
    wipe(&B, d, n);
  u8 *r = chk ? ((u8 * (*)(void *, const void *, size_t, size_t)) fn)(d, s, (size_t)n, (size_t)n)
              : ((u8 * (*)(void *, const void *, size_t)) fn)(d, s, (size_t)n);
  int ok = r == d + (past ? n : 0) && around(&B, d, n);
  for (int i = 0; i < n; i++)
    ok &= d[i] == (u8)(i * 13 + (i >> 8) + n);
  check(t, ok, r - d);
}
static const int long_lengths[] = {
  2047, 2048, 2113, 4095, 4096, 4200, 8192, 8287, 16384, 16511, 33000, 70001, 300011
};

static void copies(struct tally *t, any fn, int past, int chk) {
  EACH_PLACE(n, k) copied(t, fn, n, place(&B, places[k].b, n, 1), place(&A, places[k].a, n, 1), past, chk);
  for (int i = 0; i < COUNT(long_lengths); i++)
    for (int k = 0; k < 7; k += i < 8 ? 1 : 3)
      copied(t, fn, long_lengths[i], place(&B, places[k].b, long_lengths[i], 1),
             place(&A, places[k].a, long_lengths[i], 1), past, chk);
}
static void test_memcpy(struct tally *t, any fn, int w) { copies(t, fn, 0, w == 8); }
static void test_mempcpy(struct tally *t, any fn, int w) { copies(t, fn, 1, w == 8); }

static void test_memmove(struct tally *t, any fn, int w) {
  static const int by[] = {1, 2, 7, 15, 16, 31, 33, 64, 100, 200, 511, 4096};
  copies(t, fn, 0, w == 8);
  static u8 expect[34000];
  for (int i = 0; i < COUNT(lengths) + COUNT(long_lengths) - 2; i++)
    for (int k = 0; k < COUNT(by) * 2; k++) {
      int n = i < COUNT(lengths) ? lengths[i] : long_lengths[i - COUNT(lengths)], off = by[k / 2];
      if (off > n + 40 || (n > 5000 && k % 5))
        continue;
      u8 *low = place(&A, i % 3 ? i % 64 : END, n + off, 1);
      u8 *s = k & 1 ? low : low + off, *d = k & 1 ? low + off : low;
      for (int j = 0; j < n; j++)
        expect[j] = s[j] = (u8)(j * 11 + (j >> 8) + k);
      u8 *r = w == 8 ? ((u8 * (*)(void *, const void *, size_t, size_t)) fn)(d, s, (size_t)n, (size_t)n)
                     : ((u8 * (*)(void *, const void *, size_t)) fn)(d, s, (size_t)n);
      int ok = r == d;
      for (int j = 0; j < n; j++)
        ok &= d[j] == expect[j];
      check(t, ok, r - d);
    }
}

static void set(struct tally *t, any fn, int w, int n, u8 *d, int chk) {
  unsigned v = w == 4 ? 0x81020304u + (unsigned)n : 0x5a;
  wipe(&B, d, n * w);
  void *r = chk ? ((void *(*)(void *, int, size_t, size_t))fn)(d, 0x15a, (size_t)n, (size_t)n)
                : ((void *(*)(void *, int, size_t))fn)(d, (int)v | (w == 1 ? 0x700 : 0), (size_t)n);
  int ok = r == d && around(&B, d, n * w);
  for (int i = 0; i < n; i++)
    ok &= get(d, w, i) == v;
  check(t, ok, n);
}
static void test_memset(struct tally *t, any fn, int w) {
  int chk = w == 8;
  w = chk ? 1 : w;
  EACH_PLACE(n, k) set(t, fn, w, n, place(&B, places[k].b, n, w), chk);
  for (int i = 0; i < COUNT(long_lengths); i++)
    for (int k = 0; k < 7; k += i < 8 ? 1 : 3) {
      int n = long_lengths[i] / w;
      set(t, fn, w, n, place(&B, places[k].b, n, w), chk);
    }
}

/* Strings copied: to their own end or behind what is there, giving the start or the end. */
enum { APPEND = 1, LIMITED = 2, GIVES_END = 4 };

static void string_copied(struct tally *t, any fn, int w, int how, const u8 *s, int n, int limit, int where,
                          int before) {
  int taken = how & LIMITED && limit < n ? limit : n;
  int size = before + (how & APPEND ? taken + 1 : how & LIMITED ? limit : n + 1);
  u8 *d = place(&B, where, size, w), *r;
  if (d < B.start + 4096 && where != START)
    return;
  wipe(&B, d, size * w);
  for (int i = 0; i < before; i++)
    put(d, w, i, 'q');
  if (how & APPEND)
    put(d, w, before, 0);
  r = how & LIMITED ? ((u8 * (*)(void *, const void *, size_t)) fn)(d, s, (size_t)limit)
                    : ((u8 * (*)(void *, const void *)) fn)(d, s);
  int ok = around(&B, d, size * w) && r == d + (how & GIVES_END ? taken * w : 0);
  for (int i = 0; i < size; i++)
    ok &= get(d, w, i) == (i < before ? 'q' : i - before < taken ? get(s, w, i - before) : 0);
  check(t, ok, r - d);
}
static void strings_copied(struct tally *t, any fn, int w, int how) {
  static const int front[] = {0, 1, 5, 16, 33, 63, 100};
  EACH_PLACE(n, k) {
    u8 *s = place(&A, places[k].a, n + 1, w);
    fill(s, w, n);
    put(s, w, n, 0);
    const int limits[] = {n, n + 1, n / 2, n + 40, 0, n > 0 ? n - 1 : 3};
    for (int i = 0; i < (how & LIMITED ? COUNT(limits) : 1); i++) {
      int before = how & APPEND ? front[(ni + k + i) % COUNT(front)] : 0;
      string_copied(t, fn, w, how, s, n, limits[i], places[k].b, before);
    }
    if (how & LIMITED) { /* what the limit keeps it from need not be there */
      u8 *cut = place(&A, END, n, w);
      fill(cut, w, n);
      string_copied(t, fn, w, how, cut, n, n, places[k].b, how & APPEND ? 7 : 0);
    }
  }
}
static void test_strcpy(struct tally *t, any fn, int w) { strings_copied(t, fn, w, 0); }
static void test_stpcpy(struct tally *t, any fn, int w) { strings_copied(t, fn, w, GIVES_END); }
static void test_strncpy(struct tally *t, any fn, int w) { strings_copied(t, fn, w, LIMITED); }
static void test_stpncpy(struct tally *t, any fn, int w) { strings_copied(t, fn, w, LIMITED | GIVES_END); }
static void test_strcat(struct tally *t, any fn, int w) { strings_copied(t, fn, w, APPEND); }
static void test_strncat(struct tally *t, any fn, int w) { strings_copied(t, fn, w, APPEND | LIMITED); }

/* strspn, strcspn and strpbrk: sets of every size around 16, which the SSE4.2 variants hold in a register. */
static void spans(struct tally *t, any fn, int w, int not_in, int pointer) {
  static const int sets[] = {0, 1, 2, 3, 5, 15, 16, 17, 40};
  EACH_PLACE(n, k) {
    int m = sets[(ni + k) % COUNT(sets)], stop = k % 3 == 0 ? n : k % 3 == 1 ? n / 2 : n - 1;
    u8 *s = place(&A, places[k].a, n + 1, w), *set = place(&B, places[k].b, m + 1, w);
    for (int i = 0; i < m; i++)
      put(set, w, i, (unsigned)('0' + i));
    put(set, w, m, 0);
    for (int i = 0; i < n; i++)
      put(s, w, i, not_in || !m ? (unsigned)('a' + i % 26) : (unsigned)('0' + i % m));
    if (!not_in && !m)
      stop = 0;
    else if (stop >= 0 && stop < n && m)
      put(s, w, stop, not_in ? (unsigned)('0' + m / 2) : '~');
    else
      stop = n;
    put(s, w, n, 0);
    if (pointer) {
      u8 *r = ((u8 * (*)(const void *, const void *)) fn)(s, set);
      check(t, r == (stop < n ? s + stop * w : NULL), r ? r - s : -1);
    } else {
      size_t r = ((size_t(*)(const void *, const void *))fn)(s, set);
      check(t, r == (size_t)stop, (long)r);
    }
  }
}
static void test_strspn(struct tally *t, any fn, int w) { spans(t, fn, w, 0, 0); }
static void test_strcspn(struct tally *t, any fn, int w) { spans(t, fn, w, 1, 0); }
static void test_strpbrk(struct tally *t, any fn, int w) { spans(t, fn, w, 1, 1); }

static void searched(struct tally *t, any fn, int w, int counted) {
  static const int needles[] = {0, 1, 2, 3, 4, 7, 8, 9, 16, 31, 33, 65, 300};
  EACH_PLACE(n, k) {
    int m = needles[(ni * 5 + k) % COUNT(needles)];
    int at = m > n || k % 3 == 0 ? -1 : k % 3 == 1 ? (n - m) / 2 : n - m;
    u8 *s = place(&A, places[k].a, n + !counted, w), *x = place(&B, places[k].b, m + !counted, w), *r;
    for (int i = 0; i < n; i++)
      put(s, w, i, (unsigned)("ababcabd"[i % 8]));
    for (int i = 0; i < m; i++)
      put(x, w, i, (unsigned)(i == m - 1 ? 'e' : "ababcabd"[i % 8]));
    if (at >= 0)
      for (int i = 0; i < m; i++)
        put(s, w, at + i, get(x, w, i));
    if (!counted)
      put(s, w, n, 0), put(x, w, m, 0);
    if (counted)
      r = ((u8 * (*)(const void *, size_t, const void *, size_t)) fn)(s, (size_t)n, x, (size_t)m);
    else
      r = ((u8 * (*)(const void *, const void *)) fn)(s, x);
    int want = m ? at : 0;
    check(t, r == (want < 0 ? NULL : s + want * w), r ? r - s : -1);
  }
}
static void test_strstr(struct tally *t, any fn, int w) { searched(t, fn, w, 0); }
/* Of the variants of mathematical functions, which IFUNCs choose and libm.c calls, one that none chooses. */
__attribute__((unused)) static void test_sincos(struct tally *t, any fn, int w) {
  for (double x = w; x > -1e20 && x < 1e20; x *= -1.7) {
    double r[2];
    ((void (*)(double, double *, double *))fn)(x, &r[0], &r[1]);
    t->checks++;
    t->sum = checksum(t->sum, r, sizeof r);
  }
}
static void test_memmem(struct tally *t, any fn, int w) { searched(t, fn, w, 1); }

/* ---- the functions ---- */

/* w is 4 for wide characters, 8 for the checking versions, which have one argument more. */
#define S(name) {#name, test_##name, 1, (any)name}
#define W(name, like) {#name, test_##like, 4, (any)name}
static const struct {
  const char *name;
  tester *test;
  int w;
  any fn;
} functions[] = {
  S(strlen), S(strnlen), S(memchr), S(memrchr), S(strchr), S(strchrnul), S(strrchr), S(memcmp), S(strcmp),
  S(strncmp), S(strcasecmp), S(strncasecmp), S(strcasecmp_l), S(strncasecmp_l), S(memcpy), S(mempcpy),
  S(memmove), S(memset), S(strcpy), S(stpcpy), S(strncpy), S(stpncpy), S(strcat), S(strncat), S(strspn),
  S(strcspn), S(strpbrk), S(strstr), S(memmem), {"index", test_strchr, 1, (any)index},
  {"rindex", test_strrchr, 1, (any)rindex}, {"bcmp", test_memcmpeq, 1, (any)bcmp}, W(wcslen, strlen),
  W(wcsnlen, strnlen), W(wmemchr, memchr), W(wcschr, strchr), W(wcsrchr, strrchr), W(wmemcmp, memcmp),
  W(wcscmp, strcmp), W(wcsncmp, strncmp), W(wmemset, memset), W(wcscpy, strcpy), W(wcpcpy, stpcpy),
  W(wcsncpy, strncpy), W(wcpncpy, stpncpy), W(wcscat, strcat), W(wcsncat, strncat), W(wcsspn, strspn),
  W(wcscspn, strcspn), W(wcspbrk, strpbrk), W(wcsstr, strstr),
#ifdef __GLIBC__
  {"sincos", test_sincos, 1, NULL}, S(rawmemchr), W(wcschrnul, strchrnul),
  {"memcmpeq", test_memcmpeq, 1, NULL}, {"memcpy_chk", test_memcpy, 8, NULL},
  {"mempcpy_chk", test_mempcpy, 8, NULL}, {"memmove_chk", test_memmove, 8, NULL},
  {"memset_chk", test_memset, 8, NULL},
#endif
};

static unsigned run(const char *name, int k, any fn) {
  struct tally t = {CHECKSUM_START, 0, 0};
  functions[k].test(&t, fn, functions[k].w);
  printf("%s: %u checks %016llx %s\n", name, t.checks, (unsigned long long)t.sum, t.bad ? "BAD" : "ok");
  return t.bad;
}

/* ---- variants ---- */

/* What a part of a variant's name asks of the processor. */
static int part_runs(const char *s, size_t n) {
#define PART(text, have) \
  if (n == strlen(text) && !memcmp(s, text, n)) \
    return have;
  int has512 = __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  int has2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2");
  PART("sse2", __builtin_cpu_supports("sse2"))
  PART("ssse3", __builtin_cpu_supports("ssse3"))
  PART("sse41", __builtin_cpu_supports("sse4.1"))
  PART("sse4", __builtin_cpu_supports("sse4.2"))
  PART("sse42", __builtin_cpu_supports("sse4.2"))
  PART("avx", __builtin_cpu_supports("avx"))
  PART("avx2", has2 && __builtin_cpu_supports("fma"))
  PART("movbe", __builtin_cpu_supports("movbe"))
  PART("fma", has2 && __builtin_cpu_supports("fma"))
  PART("fma4", __builtin_cpu_supports("fma4"))
  PART("evex", has512 && has2)
  PART("evex512", has512 && has2)
  PART("avx512", has512 && has2)
  PART("skx", has512 && __builtin_cpu_supports("avx512dq"))
  PART("knl", __builtin_cpu_supports("avx512f"))
  PART("rtm", __builtin_cpu_supports("rtm"))
#undef PART
  return 1;
}

static int runs(const char *name, char **without) {
  /* Of those for AVX512F alone two have instructions of AVX512ER, which their IFUNCs do not ask for. */
  if (!strcmp(name, "_ZGVeN16vv_powf_knl") || !strcmp(name, "_ZGVeN8v_log_knl"))
    return __builtin_cpu_supports("avx512er");
  for (const char *s = name; *s;) {
    size_t n = strcspn(s, "_");
    for (char **w = without; *w; w++)
      if (n == strlen(*w) && !memcmp(s, *w, n))
        return 0;
    if (!part_runs(s, n))
      return 0;
    s += n + (s[n] == '_');
  }
  return 1;
}

/* -> the row of `functions` that a variant __NAME_KIND is of, the longest NAME; -1: none */
static int function_of(const char *name) {
  int best = -1;
  for (int k = 0; k < COUNT(functions); k++) {
    size_t n = strlen(functions[k].name);
    if (!strncmp(name, "__", 2) && !strncmp(name + 2, functions[k].name, n) && name[2 + n] == '_' &&
        (best < 0 || n > strlen(functions[best].name)))
      best = k;
  }
  return best;
}

#ifdef __x86_64__
#include "vectormath.h"
#else
static int vector_math(const char *name, any fn) { return (void)name, (void)fn, 0; }
#endif

static unsigned direct(char **without) {
  unsigned bad = 0;
  for (const struct entry *v = variant_table; v->name; v++) {
    int k = function_of(v->name);
    if (!runs(v->name, without))
      continue;
    if (k >= 0)
      bad += run(v->name, k, v->fn);
    else if (!vector_math(v->name, v->fn))
      printf("%s\n", v->name); /* of a mathematical function */
  }
  return bad;
}

/* The address of an IFUNC may be that of a jump through the pointer that its resolver has filled. */
static uintptr_t behind(any fn) {
  const u8 *p = (const u8 *)(uintptr_t)fn;
  if (p[0] != 0xff || p[1] != 0x25)
    return (uintptr_t)fn;
  int32_t disp;
  uintptr_t to;
  memcpy(&disp, p + 2, 4);
#ifdef __x86_64__
  memcpy(&to, p + 6 + disp, sizeof to);
#else
  memcpy(&to, (const void *)disp, sizeof to);
#endif
  return to;
}

static unsigned chosen(char **without) {
  unsigned bad = 0;
  stride = 3;
  for (const struct entry *f = ifunc_table; f->name; f++) {
    printf("chosen %s %lx\n", f->name, (unsigned long)behind(f->fn));
    int can = 1;
    for (const struct entry *v = variant_table; v->name; v++)
      if ((uintptr_t)v->fn == behind(f->fn) && !runs(v->name, without))
        can = 0;
    if (can && !strncmp(f->name, "_ZGV", 4))
      vector_math(f->name, f->fn);
  }
  for (int k = 0; k < COUNT(functions); k++)
    if (functions[k].fn)
      bad += run(functions[k].name, k, functions[k].fn);
  return bad;
}

int main(int argc, char **argv) {
  __builtin_cpu_init();
  A = make_arena();
  B = make_arena();
  c_locale = newlocale(LC_ALL_MASK, "C", NULL);
  if (argc > 1 && !strcmp(argv[1], "direct"))
    return direct(argv + 2) ? 1 : 0;
  return chosen(argv + argc) ? 1 : 0;
}
