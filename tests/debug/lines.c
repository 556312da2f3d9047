/* Functions, lines, variables and loops, for stepping by source lines. */
typedef unsigned long word;

volatile int counter;
int table[4] = {1, 2, 3, 4};

static word call(word number, word a, word b, word c) {
  word r;
#ifdef __x86_64__
  __asm__ volatile("syscall" : "=a"(r) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#else
  __asm__ volatile("int $0x80" : "=a"(r) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
#endif
  return r;
}

#ifdef __x86_64__
enum { WRITE = 1, EXIT = 60 };
#else
enum { WRITE = 4, EXIT = 1 };
#endif

int factorial(int n) {
  if (n < 2)
    return 1;
  return n * factorial(n - 1);
}

int sum(const int *v, int n) {
  int s = 0;
  for (int k = 0; k < n; k++)
    s += v[k];
  return s;
}

int main(void) {
  counter = factorial(4);
  counter += sum(table, 4);
  call(WRITE, 1, (word)"done\n", 5);
  return counter;
}

void _start(void) { call(EXIT, (word)main(), 0, 0); }
