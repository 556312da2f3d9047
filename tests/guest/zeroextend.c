/* The missing zero-extension of CVE-2007-4573, back as CVE-2010-3301; only: x86_64
 *
 * INT 80h from 64-bit code is an i386 system call: its number is EAX. A 64-bit kernel whose entry compared EAX with
 * the table's size, but called through table + 8 * RAX, could be led to a pointer of the program's choice by the high
 * half of RAX. So could one that extended RAX first and was handed another by a tracer afterwards. Whatever stands
 * there must not count, for the number as for the arguments; and a bad low half is ENOSYS, however the high half
 * would complete it. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

enum { I386_WRITE = 4, I386_GETPID = 20 };

static long int80(uint64_t rax, uint64_t rbx, uint64_t rcx, uint64_t rdx) {
  long r;
  asm volatile("int $0x80" : "=a"(r) : "a"(rax), "b"(rbx), "c"(rcx), "d"(rdx) : "r8", "r9", "r10", "r11", "memory");
  return r;
}

int main(void) {
  static const uint64_t high[] = {
      0x0000000100000000, /* one more than fits */
      0x1fffffff00000000, /* 8 * RAX is just below 2^64: an index below the table */
      0x2000000000000000, /* 8 * RAX wraps to 8 * EAX: the one that a vulnerable kernel would get right */
      0x00001fff00000000, /* into the upper half of user addresses */
      0x8000000000000000, 0xffffffff00000000, 0xdeadbeef00000000,
  };
  enum { N = sizeof high / sizeof *high };
  long pid = getpid();
  int right = 0, refused = 0;
  for (int k = 0; k < N; k++) right += int80(high[k] | I386_GETPID, 0, 0, 0) == pid;
  for (int k = 0; k < N; k++) refused += int80(high[k] | 0x7fffffff, 0, 0, 0) == -ENOSYS;
  printf("%d of %d high halves reach the call of the low half\n", right, N);
  printf("%d of %d are no way past the end of the table\n", refused, N);

  char *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (low == MAP_FAILED) return 1;
  strcpy(low, "written with nothing but high halves in the way\n");
  fflush(stdout);
  long n = int80(high[6] | I386_WRITE, high[5] | 1, high[6] | (uintptr_t)low, high[0] | strlen(low));
  verdict("write", n == (long)strlen(low));
  verdict("the result is sign-extended", int80(high[6] | I386_WRITE, 1, high[4], 1) == -EFAULT);
  return 0;
}
