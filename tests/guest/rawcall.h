/* Raw system calls, printed with their results: what a C library would hide or convert is compared as the
 * kernel gives it. man 2 syscall. */
#ifndef TESTS_GUEST_RAWCALL_H
#define TESTS_GUEST_RAWCALL_H

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

/* Not an address of anything. */
#define BAD ((void *)8)
#define WORD (sizeof(long))

static unsigned char buf[65536];

static inline long shown(const char *text, long r) {
  if (r == -1)
    printf("%s: error %d\n", text, errno);
  else
    printf("%s: %ld\n", text, r);
  return r;
}
#define CALL(nr, ...) shown(#nr "(" #__VA_ARGS__ ")", syscall(nr, ##__VA_ARGS__))
/* When the value itself varies. */
#define WORKS(nr, ...) verdict(#nr "(" #__VA_ARGS__ ")", syscall(nr, ##__VA_ARGS__) != -1)

static inline void bytes(const char *name, const void *p, size_t n) {
  printf("  %s:", name);
  for (size_t i = 0; i < n; i++) printf("%s%02x", i % 4 ? "" : " ", ((const unsigned char *)p)[i]);
  putchar('\n');
}

/* So that bytes which the kernel leaves alone are seen. */
static inline void stain(size_t n) { memset(buf, 0xaa, n); }

#endif
