/* The second file of tests/debug/places.c. */
#include "tests/debug/places.h"

static int same(int n) { return n + 2; }

int other(int n) { return same(n); }

void leave(int status) {
#ifdef __x86_64__
  __asm__ volatile("syscall" : : "a"(60L), "D"((long)status) : "rcx", "r11", "memory");
#else
  __asm__ volatile("int $0x80" : : "a"(1), "b"(status) : "memory");
#endif
}
