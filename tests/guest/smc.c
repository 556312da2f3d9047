/* Code that changes: in its own page, in the running loop, through a second mapping, by read(), across a page
 * boundary. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

enum { PAGE = 4096 };
typedef int function(void);

static const unsigned char returns_0[] = {0xb8, 0, 0, 0, 0, 0xc3}; /* mov $0, %eax; ret */

static int call(const unsigned char *p) { return ((function *)(uintptr_t)p)(); }

static void rewriting(unsigned char *p) {
  int good = 1;
  memcpy(p, returns_0, sizeof returns_0);
  for (int i = 0; i < 3000; i++) {
    memcpy(p + 1, &i, 4);
    good &= call(p) == i;
  }
  verdict("a constant rewritten before each call", good);
  good = 1;
  for (int i = 0; i < 3000; i++) {
    p[PAGE / 2] = (unsigned char)i; /* data in the page of the code */
    good &= call(p) == 2999;
  }
  verdict("data beside code", good);
  good = 1;
  /* Alternate between two instructions of different length. */
  static const unsigned char longer[] = {0x31, 0xc0, 0x83,
                                         0xc0, 0x11, 0xc3}; /* xor %eax, %eax; add $17, %eax; ret */
  for (int i = 0; i < 1000; i++) {
    memcpy(p, i & 1 ? longer : returns_0, sizeof longer);
    good &= call(p) == (i & 1 ? 17 : 0);
  }
  verdict("two lengths in turn", good);
}

/* The store changes the very next instruction, and one a few ahead, in straight-line code. */
static void in_flight(unsigned char *p) {
#ifdef __x86_64__
  static const unsigned char code[] = {0xb8, 1,    0,    0, 0, /* mov $1, %eax */
                                       0xc6, 0x05, 0x01, 0, 0,
                                       0,    9, /* movb $9, 1(%rip): the immediate of the next instruction */
                                       0xb9, 2,    0,    0, 0, /* mov $2, %ecx -> $9 */
                                       0x01, 0xc8,             /* add %ecx, %eax */
                                       0xc3};
  memcpy(p, code, sizeof code);
#else
  static const unsigned char code[] = {0xb8, 1, 0,    0, 0, 0xc6, 0x05, 0,    0,    0,
                                       0,    9, 0xb9, 2, 0, 0,    0,    0x01, 0xc8, 0xc3};
  memcpy(p, code, sizeof code);
  uint32_t target = (uint32_t)p + 13;
  memcpy(p + 7, &target, 4);
#endif
  int first = call(p), second = call(p);
  printf("the next instruction changed: %d then %d\n", first, second);
  /* A loop that increments the constant it adds: 1 + 2 + ... + 100. */
#ifdef __x86_64__
  static const unsigned char loop[] = {0x31, 0xc0, 0xb9, 100,  0,    0,
                                       0,    0x05, 1,    0,    0,    0,    /* 7: add $1, %eax */
                                       0xff, 0x05, 0xf6, 0xff, 0xff, 0xff, /* incl -10(%rip): that constant */
                                       0xff, 0xc9, 0x75, 0xf1,             /* dec %ecx; jnz 7 */
                                       0xc3};
  memcpy(p, loop, sizeof loop);
#else
  static const unsigned char loop[] = {0x31, 0xc0, 0xb9, 100, 0, 0, 0, 0x05, 1,    0,    0,
                                       0,    0xff, 0x05, 0,   0, 0, 0, 0x49, 0x75, 0xf2, 0xc3};
  memcpy(p, loop, sizeof loop);
  target = (uint32_t)p + 8;
  memcpy(p + 14, &target, 4);
#endif
  printf("a loop that changes itself: %d\n", call(p));
}

static void crossing(unsigned char *p) {
  int good = 1;
  unsigned char *at = p + PAGE - 3; /* the constant lies in both pages */
  memcpy(at, returns_0, sizeof returns_0);
  for (int i = 0; i < 2000; i++) {
    int v = (int)(0x01010101u * (unsigned)i);
    memcpy(at + 1, &v, 4);
    good &= call(at) == v;
    at[4] ^= 1;
    good &= call(at) == (v ^ 0x01000000);
  }
  verdict("an instruction across two pages", good);
}

static void by_other_ways(void) {
  int fd = (int)syscall(SYS_memfd_create, "code", 0);
  if (fd < 0 || ftruncate(fd, PAGE)) {
    verdict("memfd", 0);
    return;
  }
  unsigned char *write_side = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  unsigned char *run_side = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  int good = 1;
  memcpy(write_side, returns_0, sizeof returns_0);
  for (int i = 0; i < 500; i++) {
    memcpy(write_side + 1, &i, 4);
    good &= call(run_side) == i;
  }
  verdict("written through another mapping", good);
  good = 1;
  for (int i = 0; i < 500; i++) {
    good &= pwrite(fd, &i, 4, 1) == 4;
    good &= call(run_side) == i;
  }
  verdict("written by pwrite", good);
  unsigned char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(p, returns_0, sizeof returns_0);
  for (int i = 0; i < 500; i++) {
    good &= pwrite(fd, &i, 4, 100) == 4 && pread(fd, p + 1, 4, 100) == 4;
    good &= call(p) == i;
  }
  verdict("read into place by the kernel", good);
  good = 1;
  for (int i = 0; i < 200; i++) {
    mprotect(p, PAGE, PROT_READ | PROT_WRITE);
    memcpy(p + 1, &i, 4);
    mprotect(p, PAGE, PROT_READ | PROT_EXEC);
    good &= call(p) == i;
  }
  verdict("never writable and executable at once", good);
  good = 1;
  munmap(p, PAGE);
  for (int i = 0; i < 200; i++) {
    unsigned char *q =
        mmap(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    memcpy(q, returns_0, sizeof returns_0);
    memcpy(q + 1, &i, 4);
    good &= call(q) == i;
    munmap(q, PAGE);
  }
  verdict("mapped anew each time", good);
  good = 1;
  memcpy(write_side, returns_0, sizeof returns_0);
  good &= call(run_side) == 0;
  madvise(run_side, PAGE, MADV_DONTNEED);
  write_side[1] = 5;
  verdict("after MADV_DONTNEED", good && call(run_side) == 5);
  close(fd);
}

/* A string instruction and an SSE store may also write code. */
static void by_strings(unsigned char *p) {
  int good = 1;
  static unsigned char image[64];
  for (int i = 0; i < 300; i++) {
    memset(image, 0x90, sizeof image);
    memcpy(image + 40, returns_0, sizeof returns_0);
    image[41] = (unsigned char)i;
    unsigned char *to = p, *from = image;
    unsigned long n = sizeof image;
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    good &= call(p) == (i & 255);
    image[41] = (unsigned char)(i + 1);
    asm volatile("movups 32(%0), %%xmm0\n movups %%xmm0, 32(%1)" : : "r"(image), "r"(p) : "memory", "xmm0");
    good &= call(p) == ((i + 1) & 255);
  }
  verdict("written by rep movs and movups", good);
}

int main(void) {
  unsigned char *p =
      mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    return 1;
  rewriting(p);
  in_flight(p);
  crossing(p);
  by_strings(p);
  by_other_ways();
  return 0;
}
