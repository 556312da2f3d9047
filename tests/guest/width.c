/* One program, two widths: a 32-bit program far-jumps to 64-bit code (CS 33h), a 64-bit one far-returns to
 * 32-bit code (CS 23h), and each comes back. The same bytes run in both, where they mean different things. */
#define _GNU_SOURCE
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

/* 48 FF C0 C3: 64-bit INC RAX, RET; 32-bit DEC EAX, INC EAX, RET. */
asm(".pushsection .text\n both_ways: .byte 0x48, 0xff, 0xc0, 0xc3\n.popsection\n");

/* Written by the assembly. */
struct {
  uint32_t cs, ss;
  uint64_t product, pid, sum;
} results;

#ifdef __x86_64__
uint32_t bcd, pushed, bytes_there;
uint64_t kept_rsp;
void excursion(void *low_stack);
asm(".pushsection .text\n"
    "excursion:\n"
    " push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
    " mov %rsp, kept_rsp\n movabs $0x123456789abcdef0, %r15\n"
    " mov %rdi, %rsp\n"
    " mov %ds, %r12d\n mov %es, %r13d\n" /* 0 in a 64-bit program, and useless in 32-bit code */
    " mov $0x2b, %eax\n mov %eax, %ds\n mov %eax, %es\n"
    " pushq $0x23\n lea narrow(%rip), %rax\n push %rax\n lretq\n"
    "narrow: .code32\n"
    " mov %cs, %eax\n mov %eax, results\n"
    " mov %ss, %eax\n mov %eax, results+4\n"
    " mov $20, %eax\n int $0x80\n mov %eax, results+16\n"
    " mov $0x19, %al\n add $0x28, %al\n daa\n movzbl %al, %eax\n mov %eax, bcd\n"
    " mov $7, %ecx\n pusha\n mov 24(%esp), %eax\n mov %eax, pushed\n popa\n"
    " mov $1000, %eax\n call both_ways\n mov %eax, bytes_there\n"
    " push $0x33\n push $wide\n lret\n"
    "wide: .code64\n"
    " mov %r12d, %ds\n mov %r13d, %es\n"
    " mov kept_rsp, %rsp\n mov $1000, %eax\n call both_ways\n mov %rax, results+24\n mov %r15, results+8\n"
    " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
    ".popsection\n");

static bool once(void) {
  static char *low;
  if (!low)
    low = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  excursion(low + 65536);
  return results.cs == 0x23 && results.ss == 0x2b && results.pid == (uint64_t)getpid() && bcd == 0x47 &&
         pushed == 7 && bytes_there == 1000 && results.sum == 1001 && results.product == 0x123456789abcdef0;
}
#else
uint32_t bytes_here;
void excursion(void);
/* What the 64-bit code needs comes in registers: a 32-bit object file cannot hold its relocations. */
asm(".pushsection .text\n"
    "excursion:\n"
    " push %ebx\n push %ebp\n push %esi\n push %edi\n"
    " mov $1000, %eax\n call both_ways\n mov %eax, bytes_here\n"
    " mov $results, %ebx\n mov $narrow, %ebp\n mov $both_ways, %esi\n"
    " ljmp $0x33, $wide\n"
    "wide: .code64\n"
    " mov %cs, %eax\n mov %eax, (%rbx)\n"
    " mov %ss, %eax\n mov %eax, 4(%rbx)\n"
    " movabs $0x100000001, %r8\n movabs $0x123456789, %r9\n imul %r9, %r8\n mov %r8, 8(%rbx)\n"
    " mov $39, %eax\n syscall\n mov %rax, 16(%rbx)\n"
    " mov $1000, %eax\n call *%rsi\n mov %rax, 24(%rbx)\n"
    " sub $8, %rsp\n movl $0x23, 4(%rsp)\n mov %ebp, (%rsp)\n lretl\n"
    "narrow: .code32\n"
    " pop %edi\n pop %esi\n pop %ebp\n pop %ebx\n ret\n"
    ".popsection\n");

static bool once(void) {
  excursion();
  return results.cs == 0x33 && results.ss == 0x2b && results.pid == (uint64_t)getpid() &&
         results.product == 0x100000001 * UINT64_C(0x123456789) && bytes_here == 1000 && results.sum == 1001;
}
#endif

int main(void) {
  verdict("there and back", once());
  printf("cs %x ss %x product %llx sum %llu\n", results.cs, results.ss, (unsigned long long)results.product,
         (unsigned long long)results.sum);
  bool all = true;
  for (int i = 0; i < 2000; i++)
    all &= once();
  verdict("two thousand times", all);
  return 0;
}
