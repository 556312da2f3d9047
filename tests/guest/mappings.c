/* Uses up what the host grants of mappings, then goes on computing: mmap(2), /proc/sys/vm/max_map_count. The number of
 * them is the host's affair and not printed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, MOST = 200000 };

static unsigned long work(unsigned long n) {
  unsigned long a = 1;
  for (unsigned long k = 0; k < n; k++) a = a * 6364136223846793005ul + (a >> 7) + k;
  return a;
}

int main(void) {
  char *base = (char *)(sizeof(long) == 8 ? 0x100000000000 : 0x20000000); /* far from everything else */
  unsigned long n = 0;
  int error = 0;
  for (; n < MOST && !error; n++)
    if (mmap(base + n * 2 * PAGE, PAGE, n & 1 ? PROT_READ : PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
      error = errno;
  printf("%s: %s\n", n > 20000 ? "many" : "few", error ? strerror(error) : "no end");
  printf("%#lx\n", work(1000) & 0xffff);
  memset(base, 1, PAGE);
  for (unsigned long k = 0; k < n / 2; k++) munmap(base + k * 2 * PAGE, PAGE);
  void *again = mmap(base, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  printf("%s\n", again == (void *)base ? "mapped again" : strerror(errno));
  return 0;
}
