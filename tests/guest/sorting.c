/* qsort, bsearch, and the other functions that call back into the program. */
#include <search.h>

#include "guest.h"

static int calls;

static int by_int(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  calls++;
  return (x > y) - (x < y);
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

struct wide_record {
  double key;
  char pad[53];
  int order;
};

static int by_key(const void *a, const void *b) {
  const struct wide_record *x = a, *y = b;
  if (x->key != y->key)
    return x->key < y->key ? -1 : 1;
  return x->order - y->order;
}

static void visit(const void *node, VISIT which, int depth) {
  (void)depth;
  if (which == postorder || which == leaf)
    printf("%d ", **(int *const *)node);
}

int main(void) {
  static int v[20000];
  uint64_t s = 99;
  for (size_t i = 0; i < 20000; i++)
    v[i] = (int)next_random(&s) % 100000;
  qsort(v, 20000, sizeof *v, by_int);
  int sorted = 1;
  for (size_t i = 1; i < 20000; i++)
    sorted &= v[i - 1] <= v[i];
  verdict("sorted", sorted && calls > 100000);
  printf("checksum %016llx\n", (unsigned long long)checksum(CHECKSUM_START, v, sizeof v));
  int found = 0;
  for (int k = 0; k < 1000; k++) {
    int *p = bsearch(&k, v, 20000, sizeof *v, by_int);
    found += p && *p == k;
  }
  printf("bsearch found %d of 1000\n", found);

  const char *names[] = {"syscall",   "iret",    "sysenter", "int80", "call gate",
                         "task gate", "sysexit", "sysret",   "vm86"};
  qsort(names, sizeof names / sizeof *names, sizeof *names, by_text);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    printf("%s%c", names[i], i + 1 < sizeof names / sizeof *names ? ',' : '\n');

  static struct wide_record r[3000];
  for (int i = 0; i < 3000; i++)
    r[i] = (struct wide_record){.key = (double)(next_random(&s) % 500) / 7, .order = i};
  qsort(r, 3000, sizeof *r, by_key);
  sorted = 1;
  for (size_t i = 1; i < 3000; i++)
    sorted &= by_key(&r[i - 1], &r[i]) < 0;
  verdict("records sorted", sorted);

  void *root = NULL;
  static int keys[] = {50, 20, 80, 10, 30, 70, 90, 60, 40};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    tsearch(&keys[i], &root, by_int);
  twalk(root, visit);
  printf("\n");
  return 0;
}
