/* The smallest thing that is a program: standard output, standard error, and an exit status. */
#include <stdio.h>

int main(void) {
  printf("hello from a %d-bit program\n", (int)sizeof(void *) * 8);
  fprintf(stderr, "and a word on standard error\n");
  return 7;
}
