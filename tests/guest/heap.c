/* malloc churn: sizes on both sides of the mmap threshold, realloc, alignment; every block's content is
 * checked. */
#include <errno.h>
#include <malloc.h>

#include "guest.h"

enum { SLOTS = 512, STEPS = 8000 };

struct block {
  unsigned char *p;
  size_t n;
  unsigned char fill;
};

static int intact(const struct block *b) {
  for (size_t i = 0; i<b->n; i += b->n> 4096 ? 509 : 1)
    if (b->p[i] != (unsigned char)(b->fill + i))
      return 0;
  return 1;
}

static void paint(struct block *b) {
  for (size_t i = 0; i < b->n; i++)
    b->p[i] = (unsigned char)(b->fill + i);
}

static size_t some_size(uint64_t *s) {
  uint64_t r = next_random(s);
  switch (r & 15) {
  case 0: return 1 + (r >> 8) % 300000;
  case 1:
  case 2: return 1 + (r >> 8) % 20000;
  default: return 1 + (r >> 8) % 600;
  }
}

static int churn(void) {
  static struct block slot[SLOTS];
  uint64_t s = 12345, sum = CHECKSUM_START;
  size_t live = 0, most = 0;
  for (int i = 0; i < STEPS; i++) {
    struct block *b = &slot[next_random(&s) % SLOTS];
    if (b->p && !intact(b))
      return verdict("a block kept its content", 0);
    unsigned what = next_random(&s) & 7;
    if (b->p && what < 4) {
      live -= b->n;
      free(b->p);
      b->p = NULL;
    } else if (b->p) {
      size_t n = some_size(&s), keep = n < b->n ? n : b->n;
      unsigned char *p = realloc(b->p, n);
      struct block kept = {p, keep, b->fill};
      if (!p || !intact(&kept))
        return verdict("realloc kept the content", 0);
      live += n - b->n;
      b->p = p;
      b->n = n;
      paint(b);
    } else {
      b->n = some_size(&s);
      b->fill = (unsigned char)i;
      if (what == 0) {
        b->p = calloc(1, b->n);
        for (size_t k = 0; k < b->n; k++)
          if (b->p[k])
            return verdict("calloc gives zeros", 0);
      } else if (what == 1) {
        size_t align = (size_t)16 << (next_random(&s) % 9);
        if (posix_memalign((void **)&b->p, align, b->n) || (uintptr_t)b->p % align)
          return verdict("posix_memalign aligns", 0);
      } else {
        b->p = malloc(b->n);
      }
      if (!b->p)
        return verdict("malloc", 0);
      live += b->n;
      paint(b);
    }
    if (live > most)
      most = live;
    sum = checksum(sum, &b->n, sizeof(int));
  }
  for (int i = 0; i < SLOTS; i++) {
    if (slot[i].p && !intact(&slot[i]))
      return verdict("a block kept its content to the end", 0);
    free(slot[i].p);
  }
  printf("checksum %016llx, most at once %zu\n", (unsigned long long)sum, most);
  return 1;
}

int main(void) {
  churn();
  char *p = malloc(64 << 20);
  verdict("64 MiB at once", p != NULL);
  memset(p, 0x5a, 64 << 20);
  verdict("filled", p[0] == 0x5a && p[(64 << 20) - 1] == 0x5a);
  free(p);
  /* Three times a little less than half of the address space: the last at least cannot fit. */
  volatile size_t huge = SIZE_MAX / 2 - (64 << 20);
  void *got[3];
  for (int i = 0; i < 3; i++) {
    errno = 0;
    got[i] = malloc(huge);
  }
  verdict("the address space ends with ENOMEM", got[2] == NULL && errno == ENOMEM);
  for (int i = 0; i < 3; i++)
    free(got[i]);
  void *a = aligned_alloc(4096, 8192);
  verdict("aligned_alloc", a && (uintptr_t)a % 4096 == 0);
  verdict("usable size is enough", malloc_usable_size(a) >= 8192);
  free(a);
  char *r = NULL;
  for (size_t n = 1; n < 3000000; n = n * 3 / 2 + 1) {
    r = realloc(r, n);
    if (!r)
      return 1;
    r[n - 1] = (char)n;
  }
  verdict("growing realloc", r != NULL);
  free(r);
  return 0;
}
