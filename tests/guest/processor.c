/* On which processor a program runs: every way to ask gives the one that it has bound itself to. */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

enum { CPU_SELECTOR = 0x7b, CPU_BITS = 0xfff };

int main(void) {
  cpu_set_t all, one;
  int count = 0, by_call = 0, by_library = 0, by_limit = 0, by_counter = 0;
  sched_getaffinity(0, sizeof all, &all);
  verdict("it begins on a processor that it may use", CPU_ISSET((unsigned)sched_getcpu(), &all));
  for (unsigned n = 0; n < CPU_SETSIZE; n++) {
    unsigned cpu = ~0u, node = ~0u, limit = 0, aux = 0;
    if (!CPU_ISSET(n, &all))
      continue;
    CPU_ZERO(&one);
    CPU_SET(n, &one);
    count += !sched_setaffinity(0, sizeof one, &one);
    __asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(CPU_SELECTOR) : "cc");
    __asm__ volatile("rdtscp" : "=c"(aux) : : "eax", "edx");
    by_limit += (limit & CPU_BITS) == n;
    by_counter += (aux & CPU_BITS) == n;
    by_library += sched_getcpu() == (int)n;
    by_call += !syscall(SYS_getcpu, &cpu, &node, NULL) && cpu == n && node == limit >> 12;
  }
  verdict("there is a processor", count > 0);
  verdict("getcpu", by_call == count);
  verdict("sched_getcpu", by_library == count);
  verdict("LSL", by_limit == count);
  verdict("RDTSCP", by_counter == count);
  return 0;
}
