/* The speed of segments that are not flat, of real mode and of 16-bit code, against flat 32-bit code: the same loop of loads,
 * stores, arithmetic, a call and a branch, as bytes for each code size.
 * usage: modes [MILLIONS]      million instructions a mode (default 50)
 * Prints nanoseconds an instruction and the ratio to flat 32-bit code, for each mode; processor time, the least of five. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "include/ringwalk.h"

enum { RAM = 1 << 20, GDT = 0x1000, CODE = 0x8000, DATA = 0x20000, STACK = 0x30000, ROUNDS = 5 };
enum { KCS32 = 0x08, KDS = 0x10, CS16 = 0x18, DS16 = 0x20, DS32 = 0x28 };

static void must(int r, struct rw *m) {
  if (!r) return;
  fprintf(stderr, "modes: %s\n", rw_error(m));
  exit(1);
}
static void put(struct rw *m, uint64_t at, uint64_t v, size_t n) { must(rw_write(m, at, &v, n), m); }
static void set(struct rw *m, const char *reg, uint64_t v) { must(rw_set(m, reg, v), m); }

static const unsigned char loop32[] = {
    0x8b, 0x46, 0x08,             /* top: mov eax, [esi+8] */
    0x01, 0xd8,                   /* add eax, ebx */
    0x89, 0x46, 0x10,             /* mov [esi+16], eax */
    0x50,                         /* push eax */
    0xe8, 0x08, 0x00, 0x00, 0x00, /* call f */
    0x5a,                         /* pop edx */
    0x31, 0xd0,                   /* xor eax, edx */
    0x43,                         /* inc ebx */
    0x75, 0xec,                   /* jnz top */
    0xeb, 0xea,                   /* jmp top */
    0x83, 0xc1, 0x03,             /* f: add ecx, 3 */
    0xc3,                         /* ret */
};
static const unsigned char loop16[] = {
    0x8b, 0x44, 0x08,       /* top: mov ax, [si+8] */
    0x01, 0xd8,             /* add ax, bx */
    0x89, 0x44, 0x10,       /* mov [si+16], ax */
    0x50,                   /* push ax */
    0xe8, 0x08, 0x00,       /* call f */
    0x5a,                   /* pop dx */
    0x31, 0xd0,             /* xor ax, dx */
    0x43,                   /* inc bx */
    0x75, 0xee,             /* jnz top */
    0xeb, 0xec,             /* jmp top */
    0x83, 0xc1, 0x03,       /* f: add cx, 3 */
    0xc3,                   /* ret */
};

enum mode { FLAT32, BASED32, PROT16, REAL16, MODES };
static const char *const names[MODES] = {"flat, 32-bit", "not flat, 32-bit", "protected, 16-bit", "real mode"};

static void build(struct rw *m, enum mode mode) {
  bool wide = mode <= BASED32;
  put(m, GDT + KCS32, UINT64_C(0x00cf9b000000ffff), 8);
  put(m, GDT + KDS, UINT64_C(0x00cf93000000ffff), 8);
  put(m, GDT + CS16, UINT64_C(0x00009b000000ffff), 8);
  put(m, GDT + DS16, UINT64_C(0x000093020000ffff), 8); /* base 20000h, limit FFFFh */
  put(m, GDT + DS32, UINT64_C(0x0041930200000fff) | UINT64_C(0x0008000000000000), 8); /* base 20000h, limit 90FFFh, 32-bit */
  must(rw_write(m, CODE, wide ? loop32 : loop16, wide ? sizeof loop32 : sizeof loop16), m);
  rw_record(m, false);
  set(m, "gdtr.base", GDT);
  set(m, "gdtr.limit", 0x2f);
  if (mode != REAL16) set(m, "cr0", 0x11);
  static const uint16_t code[MODES] = {KCS32, KCS32, CS16, 0}, data[MODES] = {KDS, DS32, DS16, DATA >> 4};
  must(rw_load_segment(m, "cs", code[mode]), m);
  must(rw_load_segment(m, "ds", data[mode]), m);
  must(rw_load_segment(m, "es", data[mode]), m);
  must(rw_load_segment(m, "ss", data[mode]), m);
  set(m, "rip", CODE);
  set(m, "rsi", mode == FLAT32 ? DATA : 0);
  set(m, "rsp", mode == FLAT32 ? STACK : 0x8000);
}

static double seconds(void) {
  struct timespec ts;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  uint64_t n = (argc > 1 ? strtoull(argv[1], NULL, 10) : 50) * 1000000;
  double best[MODES] = {0};
  for (int round = 0; round < ROUNDS; round++)
    for (enum mode mode = 0; mode < MODES; mode++) {
      char err[200];
      struct rw *m = rw_create("intel", RAM, err, sizeof err);
      if (!m) return fprintf(stderr, "modes: %s\n", err), 1;
      build(m, mode);
      double t = seconds();
      enum rw_stop why = rw_run(m, n);
      t = seconds() - t;
      if (why != RW_STOP_BUDGET || rw_instructions(m) != n) return fprintf(stderr, "modes: %s: stopped\n", names[mode]), 1;
      if (!round || t < best[mode]) best[mode] = t;
      rw_destroy(m);
    }
  for (enum mode mode = 0; mode < MODES; mode++)
    printf("%-18s %6.2f ns  %.2fx\n", names[mode], best[mode] * 1e9 / (double)n, best[mode] / best[FLAT32]);
  return 0;
}
