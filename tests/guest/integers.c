/* Integer instructions with edge operands: results and defined flags, one checksum a line for each
 * instruction and width. */
#include <limits.h>

#include "guest.h"

enum { CF = 1, PF = 4, AF = 16, ZF = 64, SF = 128, OF = 2048, ALL = CF | PF | AF | ZF | SF | OF };
typedef unsigned long word;

static const uint64_t edge[] = {
    0, 1, 2, 3, 7, 8, 0x0f, 0x10, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff, 0x100, 0x7fff, 0x8000, 0x8001, 0xffff,
    0x10000, 0x12345678, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff, 0x100000000,
    0x123456789abcdef0, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa, 0x7fffffffffffffff, 0x8000000000000000,
    0x8000000000000001, 0xffffffffffffffff};
enum { EDGES = sizeof edge / sizeof *edge };

#define PUSHF "pushf\n pop %[f]\n"
static uint64_t sum;
static void start(void) { sum = CHECKSUM_START; }
static void add(word r, word f, word mask) {
  r &= ~(word)0;
  f &= mask;
  sum = checksum(sum, &r, sizeof r);
  sum = checksum(sum, &f, sizeof(int));
}
static void done(const char *name) { printf("%-22s %016llx\n", name, (unsigned long long)sum); }

/* name dst, src for each width; carry in is both 0 and 1. */
#define BINARY(name, suffix, type, constraint, mask) \
  do { \
    start(); \
    for (int i = 0; i < EDGES; i++) \
      for (int j = 0; j < EDGES; j++) \
        for (int c = 0; c < 2; c++) { \
          type a = (type)edge[i], b = (type)edge[j]; \
          word f; \
          char carry = (char)c; \
          asm volatile("neg %[c]\n" name suffix " %[b], %[a]\n" PUSHF \
                       : [a] "+" constraint(a), [f] "=&r"(f), [c] "+q"(carry) \
                       : [b] constraint(b) \
                       : "cc"); \
          add((word)a, f, mask); \
        } \
    done(name suffix); \
  } while (0)

#define UNARY(name, suffix, type, constraint, mask) \
  do { \
    start(); \
    for (int i = 0; i < EDGES; i++) \
      for (int c = 0; c < 2; c++) { \
        type a = (type)edge[i]; \
        word f; \
        char carry = (char)c; \
        asm volatile("neg %[c]\n" name suffix " %[a]\n" PUSHF \
                     : [a] "+" constraint(a), [f] "=&r"(f), [c] "+q"(carry) \
                     : \
                     : "cc"); \
        add((word)a, f, mask); \
      } \
    done(name suffix); \
  } while (0)

/* Shifts and rotates: OF is defined for a count of 1, the others if the masked count is not 0; AF never for
 * shifts. */
#define SHIFT(name, suffix, type, constraint, bits, rotate) \
  do { \
    start(); \
    for (int i = 0; i < EDGES; i++) \
      for (int n = 0; n < 70; n++) \
        for (int c = 0; c < 2; c++) { \
          type a = (type)edge[i]; \
          word f; \
          char carry = (char)c; \
          int masked = n & (bits == 64 ? 63 : 31); \
          word mask = rotate ? (masked == 1 || !masked ? ALL : ALL & ~OF) \
                             : (masked == 0   ? ALL \
                                : masked == 1 ? ALL & ~AF \
                                              : ALL & ~(AF | OF)); \
          if (!rotate && masked > bits) \
            mask &= ~(word)CF; \
          asm volatile("neg %[c]\n" name suffix " %%cl, %[a]\n" PUSHF \
                       : [a] "+" constraint(a), [f] "=&r"(f), [c] "+q"(carry) \
                       : "c"(n) \
                       : "cc"); \
          add((word)a, f, mask &(masked ? ALL : ALL & ~(word)0)); \
        } \
    done(name suffix); \
  } while (0)

#define DOUBLE_SHIFT(name, suffix, type, bits) \
  do { \
    start(); \
    for (int i = 0; i < EDGES; i++) \
      for (int j = 0; j < EDGES; j += 3) \
        for (int n = 0; n < 70; n++) { \
          type a = (type)edge[i], b = (type)edge[j]; \
          word f; \
          int masked = n & (bits == 64 ? 63 : 31); \
          if (masked > bits) \
            continue; \
          asm volatile(name suffix " %%cl, %[b], %[a]\n" PUSHF \
                       : [a] "+r"(a), [f] "=&r"(f) \
                       : "c"(n), [b] "r"(b) \
                       : "cc"); \
          add((word)a, f, masked == 0 ? 0 : masked == 1 ? ALL & ~AF : ALL & ~(AF | OF)); \
        } \
    done(name suffix); \
  } while (0)

/* Bit scans leave only ZF defined; of 0, the destination is not. */
#define SCAN(name, suffix, type) \
  do { \
    start(); \
    for (int i = 0; i < EDGES; i++) { \
      type a = (type)edge[i], r = 0; \
      word f; \
      asm volatile(name suffix " %[a], %[r]\n" PUSHF : [r] "+r"(r), [f] "=&r"(f) : [a] "r"(a) : "cc"); \
      add(a ? (word)r : 0, f, ZF); \
    } \
    done(name suffix); \
  } while (0)

#define BIT_TEST(name, suffix, type) \
  do { \
    start(); \
    for (int i = 0; i < EDGES; i++) \
      for (int n = 0; n < 130; n++) { \
        type a = (type)edge[i]; \
        word f; \
        asm volatile(name suffix " %[n], %[a]\n" PUSHF \
                     : [a] "+r"(a), [f] "=&r"(f) \
                     : [n] "r"((type)n) \
                     : "cc"); \
        add((word)a, f, CF); \
      } \
    done(name suffix); \
  } while (0)

#define WIDTHS(macro, name, ...) \
  macro(name, "b", uint8_t, "q", ##__VA_ARGS__); \
  macro(name, "w", uint16_t, "r", ##__VA_ARGS__); \
  macro(name, "l", uint32_t, "r", ##__VA_ARGS__); \
  WIDE(macro, name, ##__VA_ARGS__)
#ifdef __x86_64__
#define WIDE(macro, name, ...) macro(name, "q", uint64_t, "r", ##__VA_ARGS__)
#define ONLY_64(...) __VA_ARGS__
#else
#define WIDE(macro, name, ...) (void)0
#define ONLY_64(...)
#endif

static void arithmetic(void) {
  WIDTHS(BINARY, "add", ALL);
  WIDTHS(BINARY, "adc", ALL);
  WIDTHS(BINARY, "sub", ALL);
  WIDTHS(BINARY, "sbb", ALL);
  WIDTHS(BINARY, "cmp", ALL);
  WIDTHS(BINARY, "and", ALL & ~AF);
  WIDTHS(BINARY, "or", ALL & ~AF);
  WIDTHS(BINARY, "xor", ALL & ~AF);
  WIDTHS(BINARY, "test", ALL & ~AF);
  WIDTHS(BINARY, "xadd", ALL);
  WIDTHS(UNARY, "inc", ALL);
  WIDTHS(UNARY, "dec", ALL);
  WIDTHS(UNARY, "neg", ALL);
  WIDTHS(UNARY, "not", ALL);
  BINARY("imul", "w", uint16_t, "r", CF | OF);
  BINARY("imul", "l", uint32_t, "r", CF | OF);
  WIDE(BINARY, "imul", CF | OF);
}

static void shifts(void) {
#define FOUR(name, rotate) \
  SHIFT(name, "b", uint8_t, "q", 8, rotate); \
  SHIFT(name, "w", uint16_t, "r", 16, rotate); \
  SHIFT(name, "l", uint32_t, "r", 32, rotate); \
  ONLY_64(SHIFT(name, "q", uint64_t, "r", 64, rotate);)
  FOUR("shl", 0)
  FOUR("shr", 0)
  FOUR("sar", 0)
  FOUR("rol", 1)
  FOUR("ror", 1)
  FOUR("rcl", 1)
  FOUR("rcr", 1)
  DOUBLE_SHIFT("shld", "w", uint16_t, 16);
  DOUBLE_SHIFT("shld", "l", uint32_t, 32);
  DOUBLE_SHIFT("shrd", "w", uint16_t, 16);
  DOUBLE_SHIFT("shrd", "l", uint32_t, 32);
  ONLY_64(DOUBLE_SHIFT("shld", "q", uint64_t, 64); DOUBLE_SHIFT("shrd", "q", uint64_t, 64);)
}

static void bits(void) {
#define THREE(macro, name) \
  macro(name, "w", uint16_t); \
  macro(name, "l", uint32_t); \
  ONLY_64(macro(name, "q", uint64_t);)
  THREE(SCAN, "bsf")
  THREE(SCAN, "bsr")
  THREE(BIT_TEST, "bt")
  THREE(BIT_TEST, "bts")
  THREE(BIT_TEST, "btr")
  THREE(BIT_TEST, "btc")
  /* With a memory operand the bit may lie anywhere around. */
  start();
  static uint32_t field[64];
  for (int n = -1000; n < 1000; n += 13) {
    word f;
    asm volatile("btcl %[n], %[m]\n" PUSHF : [m] "+m"(field[32]), [f] "=&r"(f) : [n] "r"(n) : "cc", "memory");
    add((word)(unsigned)n, f, CF);
  }
  sum = checksum(sum, field, sizeof field);
  done("btcl memory");
}

/* Multiplication and division by the widening forms, where they do not fault. */
static void widening(void) {
  start();
  for (int i = 0; i < EDGES; i++)
    for (int j = 0; j < EDGES; j++) {
      word lo, hi, f;
      asm volatile("mull %[b]\n" PUSHF
                   : "=a"(lo), "=&d"(hi), [f] "=&r"(f)
                   : "a"((word)(uint32_t)edge[i]), [b] "r"((uint32_t)edge[j])
                   : "cc");
      add(lo, f, CF | OF), add(hi, 0, 0);
      asm volatile("imull %[b]\n" PUSHF
                   : "=a"(lo), "=&d"(hi), [f] "=&r"(f)
                   : "a"((word)(uint32_t)edge[i]), [b] "r"((uint32_t)edge[j])
                   : "cc");
      add(lo, f, CF | OF), add(hi, 0, 0);
      hi = (word)edge[j];
      asm volatile("mulw %w[b]\n" PUSHF
                   : "=a"(lo), "+d"(hi), [f] "=&r"(f)
                   : "a"((word)edge[i]), [b] "r"((uint32_t)edge[j])
                   : "cc");
      add(lo, f, CF | OF), add(hi, 0, 0);
      asm volatile("imulb %b[b]\n" PUSHF
                   : "=a"(lo), [f] "=&r"(f)
                   : "a"((word)edge[i]), [b] "q"((uint32_t)edge[j])
                   : "cc");
      add(lo, f, CF | OF);
#ifdef __x86_64__
      asm volatile("mulq %[b]\n" PUSHF
                   : "=a"(lo), "=&d"(hi), [f] "=&r"(f)
                   : "a"(edge[i]), [b] "r"(edge[j])
                   : "cc");
      add(lo, f, CF | OF), add(hi, 0, 0);
      asm volatile("imulq %[b]\n" PUSHF
                   : "=a"(lo), "=&d"(hi), [f] "=&r"(f)
                   : "a"(edge[i]), [b] "r"(edge[j])
                   : "cc");
      add(lo, f, CF | OF), add(hi, 0, 0);
      if (edge[j]) {
        uint64_t h = edge[(i + j) % EDGES] % edge[j];
        asm volatile("divq %[b]" : "=a"(lo), "=d"(hi) : "a"(edge[i]), "d"(h), [b] "r"(edge[j]) : "cc");
        add(lo, 0, 0), add(hi, 0, 0);
      }
#endif
      uint32_t d = (uint32_t)edge[j];
      if (d) {
        uint32_t h = (uint32_t)edge[(i + j) % EDGES] % d;
        asm volatile("divl %[b]"
                     : "=a"(lo), "=d"(hi)
                     : "a"((word)(uint32_t)edge[i]), "d"((word)h), [b] "r"(d)
                     : "cc");
        add(lo, 0, 0), add(hi, 0, 0);
        int32_t a = (int32_t)edge[i];
        if (!(a == INT_MIN && d == 0xffffffff)) {
          asm volatile("cltd\n idivl %[b]" : "=a"(lo), "=&d"(hi) : "a"((word)(uint32_t)a), [b] "r"(d) : "cc");
          add(lo, 0, 0), add(hi, 0, 0);
        }
      }
    }
  done("mul, div");
}

static void conditions(void) {
  start();
  for (unsigned flags = 0; flags < 32; flags++) {
    word f = (flags & 1 ? CF : 0) | (flags & 2 ? PF : 0) | (flags & 4 ? ZF : 0) | (flags & 8 ? SF : 0) |
             (flags & 16 ? OF : 0);
    uint8_t set[16];
    uint32_t moved[16];
#define CC(n, cc) \
  asm volatile("push %2\n popf\n set" cc " %0\n mov $1, %1\n cmov" cc " %k3, %1" \
               : "=q"(set[n]), "=&r"(moved[n]) \
               : "r"(f), "r"(99) \
               : "cc"); \
  asm volatile goto("push %0\n popf\n j" cc " %l1" : : "r"(f) : "cc" : taken##n); \
  set[n] += 2; \
  taken##n:;
    CC(0, "o")
    CC(1, "no")
    CC(2, "b")
    CC(3, "ae")
    CC(4, "e")
    CC(5, "ne")
    CC(6, "be")
    CC(7, "a")
    CC(8, "s")
    CC(9, "ns")
    CC(10, "p")
    CC(11, "np")
    CC(12, "l")
    CC(13, "ge")
    CC(14, "le")
    CC(15, "g")
    sum = checksum(sum, set, sizeof set);
    sum = checksum(sum, moved, sizeof moved);
  }
  done("setcc, cmovcc, jcc");
}

static void the_rest(void) {
  start();
  for (int i = 0; i < EDGES; i++) {
    word r, f;
    uint32_t x = (uint32_t)edge[i];
    asm volatile("bswap %0" : "=r"(x) : "0"(x));
    add(x, 0, 0);
    asm volatile("movsbl %b1, %k0" : "=r"(r) : "q"((uint32_t)edge[i]));
    add(r, 0, 0);
    asm volatile("movzwl %w1, %k0" : "=r"(r) : "r"((uint32_t)edge[i]));
    add(r, 0, 0);
    asm volatile("cbtw\n cwtl" : "=a"(r) : "a"((word)edge[i]));
    add(r, 0, 0);
    asm volatile("sahf\n lahf\n" PUSHF : "=a"(r), [f] "=&r"(f) : "a"((word)edge[i]) : "cc");
    add(r & 0xff00, f, ALL & ~OF);
    asm volatile("xchg %%al, %%ah" : "=a"(r) : "a"((word)edge[i]));
    add(r, 0, 0);
    asm volatile("stc\n cmc\n" PUSHF "clc\n cmc\n adc $0, %0"
                 : "=r"(r), [f] "=&r"(f)
                 : "0"((word)edge[i])
                 : "cc");
    add(r, f, CF);
    word table_sum;
    static const unsigned char table[256] = {[0x7f] = 5, [0xff] = 9, [1] = 3};
    asm volatile("xlatb" : "=a"(table_sum) : "a"((word)(unsigned char)edge[i]), "b"(table) : "memory");
    add(table_sum, 0, 0);
    for (int j = 0; j < EDGES; j++) {
      uint32_t memory = (uint32_t)edge[j], expected = (uint32_t)edge[i];
      asm volatile("lock cmpxchgl %[n], %[m]\n" PUSHF
                   : [m] "+m"(memory), "+a"(expected), [f] "=&r"(f)
                   : [n] "r"(77)
                   : "cc", "memory");
      add(memory ^ expected, f, ALL);
      uint64_t wide = edge[j];
      uint32_t lo = (uint32_t)edge[i], hi = (uint32_t)(edge[i] >> 32);
      char zf;
      asm volatile("lock cmpxchg8b %[m]\n setz %[z]"
                   : [m] "+m"(wide), "+a"(lo), "+d"(hi), [z] "=m"(zf)
                   : "b"(5), "c"(6)
                   : "cc", "memory");
      add(lo ^ hi ^ (word)wide ^ (word)(wide >> 32), 0, 0), add((word)zf, 0, 0);
    }
  }
  done("moves and exchanges");
  start();
  for (word n = 1; n < 300; n += 7) {
    word r, count = n;
    asm volatile("xor %0, %0\n 1: inc %0\n loop 1b" : "=&r"(r), "+c"(count) : : "cc");
    add(r, 0, 0);
  }
  word a, c;
  asm volatile("mov $100, %%ecx\n xor %%eax, %%eax\n 1: inc %%eax\n cmp $42, %%eax\n loopne 1b"
               : "=a"(a), "=c"(c)
               :
               : "cc");
  add(a, 0, 0), add(c, 0, 0);
  asm volatile("mov $0, %%ecx\n mov $1, %%eax\n jecxz 1f\n mov $2, %%eax\n 1:" : "=a"(a) : : "ecx", "cc");
  add(a, 0, 0);
  asm volatile("enter $32, $0\n leave\n enter $16, $3\n leave" : : : "memory");
  done("loops");
}

#ifndef __x86_64__
/* Decimal instructions: every AL, AF and CF; then AAM and AAD with many bases. */
#define DECIMAL(name, mask) \
  do { \
    start(); \
    for (unsigned i = 0; i < 0x10000; i += i < 0x400 ? 1 : 37) \
      for (unsigned c = 0; c < 4; c++) { \
        word a = i, f = (c & 1 ? CF : 0) | (c & 2 ? AF : 0); \
        asm volatile("push %[f]\n popf\n" name "\n" PUSHF : "+a"(a), [f] "+r"(f) : : "cc"); \
        add(a & 0xffff, f, mask); \
      } \
    done(name); \
  } while (0)

static void decimal(void) {
  DECIMAL("daa", ALL & ~OF);
  DECIMAL("das", ALL & ~OF);
  DECIMAL("aaa", CF | AF);
  DECIMAL("aas", CF | AF);
  DECIMAL("aam", PF | ZF | SF);
  DECIMAL("aad", PF | ZF | SF);
  DECIMAL("aam $7", PF | ZF | SF);
  DECIMAL("aad $0x21", PF | ZF | SF);
  DECIMAL(".byte 0xd6", 0); /* salc */
  start();
  static word all[8]; /* named by address: the stack pointer moves */
  asm volatile("pusha\n mov $1, %%eax\n mov $2, %%ebx\n mov $3, %%ecx\n mov $4, %%edx\n mov $5, %%esi\n mov "
               "$6, %%edi\n mov $7, %%ebp\n"
               "pusha\n pop %c0\n pop %c0+4\n pop %c0+8\n pop %%eax\n pop %c0+16\n pop %c0+20\n pop %c0+24\n "
               "pop %c0+28\n popa"
               :
               : "i"(all)
               : "memory");
  all[3] = 0; /* the stack pointer */
  sum = checksum(sum, all, sizeof all);
  done("pusha, popa");
}
#else
static void decimal(void) {
  start();
  for (int i = 0; i < EDGES; i++)
    for (int j = 0; j < EDGES; j++) {
      __int128 a = (__int128)edge[i] << 64 | edge[j], b = (__int128)edge[j] << 32 | edge[(i + 5) % EDGES];
      unsigned __int128 ua = (unsigned __int128)a, ub = (unsigned __int128)b;
      unsigned __int128 r[] = {
          ua + ub,         ua - ub,         ua * ub,         b ? ua / ub : 0,
          b ? ua % ub : 0, ua << (j & 127), ua >> (j & 127), (unsigned __int128)(a >> (j & 127))};
      sum = checksum(sum, r, sizeof r);
      uint64_t m[2] = {edge[i], edge[j]}, lo = edge[i], hi = edge[(j + 1) % EDGES];
      char zf;
      static uint64_t target[2] __attribute__((aligned(16)));
      memcpy(target, m, 16);
      asm volatile("lock cmpxchg16b %[m]\n setz %[z]"
                   : [m] "+m"(target), "+a"(lo), "+d"(hi), [z] "=m"(zf)
                   : "b"(5UL), "c"(6UL)
                   : "cc", "memory");
      sum = checksum(sum, target, 16);
      add(lo ^ hi, 0, 0), add((word)zf, 0, 0);
    }
  done("128 bits");
}
#endif

int main(void) {
  arithmetic();
  shifts();
  bits();
  widening();
  conditions();
  the_rest();
  decimal();
  return 0;
}
