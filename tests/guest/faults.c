/* Every fault a program can make by itself: signal, si_code, si_addr, trap number, error code and CR2 as the
 * handler sees them; the handler resumes elsewhere by changing the instruction pointer in its context. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "guest.h"

#ifdef __x86_64__
#define IP REG_RIP
#define COUNT REG_RCX
#define FROM REG_RSI
#define TO REG_RDI
#define REMEMBER \
  "lea 2f(%%rip), %%r10\n mov %%r10, fault_at(%%rip)\n lea 1f(%%rip), %%r10\n mov %%r10, resume_at(%%rip)\n"
#define CLOBBERS "r10", "memory", "cc"
#define AX "rax"
#define ax "%%rax"
#else
#define IP REG_EIP
#define COUNT REG_ECX
#define FROM REG_ESI
#define TO REG_EDI
#define REMEMBER "movl $2f, fault_at\n movl $1f, resume_at\n"
#define CLOBBERS "memory", "cc"
#define AX "eax"
#define ax "%%eax"
#endif
/* Remembers the faulting instruction (label 2) and where the handler goes on (label 1). */
#define FAULT_AROUND(before, insn, after, ...) \
  asm volatile(REMEMBER before "\n2: " insn "\n1: " after : : __VA_ARGS__)
#define FAULT(insn, ...) FAULT_AROUND("", insn, "", __VA_ARGS__)
#define FAULT_STRING(before, insn, count, from, to) \
  do { \
    unsigned long c_ = (count), s_ = (unsigned long)(from), d_ = (unsigned long)(to); \
    asm volatile(REMEMBER before "\n2: " insn "\n1: cld" \
                 : "+c"(c_), "+S"(s_), "+D"(d_) \
                 : "a"(0x77L) \
                 : CLOBBERS); \
  } while (0)
#ifdef __x86_64__
#define SET_FLAG(bit) "pushfq\n orl $" bit ", (%%rsp)\n popfq\n"
#else
#define SET_FLAG(bit) "pushfl\n orl $" bit ", (%%esp)\n popfl\n"
#endif

/* Written by the assembly above, so they have names the linker knows. */
uintptr_t fault_at, resume_at;

static struct seen {
  int sig, code, trapno, err;
  uintptr_t addr, ip, cr2;
  unsigned long count, from, to;
} seen;

static void on_fault(int sig, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  greg_t *r = uc->uc_mcontext.gregs;
  seen = (struct seen){
      .sig = sig,
      .code = info->si_code,
      .addr = (uintptr_t)info->si_addr,
      .trapno = (int)r[REG_TRAPNO],
      .err = (int)r[REG_ERR],
      .ip = (uintptr_t)r[IP],
      .count = (unsigned long)r[COUNT],
      .from = (unsigned long)r[FROM],
      .to = (unsigned long)r[TO],
#ifdef __x86_64__
      .cr2 = (uintptr_t)r[REG_CR2],
#else
      .cr2 = uc->uc_mcontext.cr2,
#endif
  };
  r[IP] = (greg_t)resume_at;
  r[REG_EFL] &= ~(greg_t)(0x100 | 0x40000); /* TF, AC */
}

/* Prints what the handler saw; addresses relative to what they should be near. CR2 only belongs to page
 * faults. */
static void report(const char *what, uintptr_t near) {
  printf("%-34s signal %2d code %3d trap %2d err %#x", what, seen.sig, seen.code, seen.trapno,
         (unsigned)seen.err);
  if (seen.addr == 0)
    printf(" addr 0");
  else if (seen.addr == fault_at)
    printf(" addr insn");
  else
    printf(" addr +%#lx", (unsigned long)(seen.addr - near));
  if (seen.trapno == 14)
    printf(" cr2 +%#lx", (unsigned long)(seen.cr2 - near));
  printf(" ip +%ld\n", (long)(seen.ip - fault_at));
  seen = (struct seen){0};
}

static char *pages;
enum { PAGE = 4096 };

/* pages: 0 read-write, 1 read-only, 2 none, 3 read-write, 4 unmapped */
static void map_pages(void) {
  pages = mmap(NULL, 5 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(pages, 0x11, 5 * PAGE);
  mprotect(pages + PAGE, PAGE, PROT_READ);
  mprotect(pages + 2 * PAGE, PAGE, PROT_NONE);
  munmap(pages + 4 * PAGE, PAGE);
}

static void page_faults(void) {
  uintptr_t base = (uintptr_t)pages;
  FAULT("movb (%0), %%al", "r"(0L) : AX, CLOBBERS);
  report("read at 0", 0);
  FAULT("movb $1, (%0)", "r"(0x1000L) : CLOBBERS);
  report("write at 0x1000", 0);
  FAULT("incl 8(%0)", "r"(base + 4 * PAGE) : CLOBBERS);
  report("read-modify-write, unmapped", base + 4 * PAGE);
  FAULT("movl $1, 12(%0)", "r"(base + PAGE) : CLOBBERS);
  report("write to a read-only page", base + PAGE);
  FAULT("addl $1, 12(%0)", "r"(base + PAGE) : CLOBBERS);
  report("add to a read-only page", base + PAGE);
  FAULT("movl 16(%0), %%eax", "r"(base + 2 * PAGE) : AX, CLOBBERS);
  report("read of a PROT_NONE page", base + 2 * PAGE);
  FAULT("movl %%eax, 16(%0)", "r"(base + 2 * PAGE) : CLOBBERS);
  report("write to a PROT_NONE page", base + 2 * PAGE);
  FAULT("movl %%eax, -2(%0)", "r"(base + PAGE) : CLOBBERS);
  report("write across into read-only", base + PAGE);
  FAULT("movl -2(%0), %%eax", "r"(base + 4 * PAGE) : AX, CLOBBERS);
  report("read across into unmapped", base + 4 * PAGE);
  verdict("nothing of the crossing write was stored", pages[PAGE - 1] == 0x11 && pages[PAGE - 2] == 0x11);
  FAULT("movups %%xmm0, -8(%0)", "r"(base + 4 * PAGE) : CLOBBERS);
  report("SSE write across into unmapped", base + 4 * PAGE);
  FAULT("fldt -4(%0)", "r"(base + 4 * PAGE) : CLOBBERS);
  report("x87 load across into unmapped", base + 4 * PAGE);
  FAULT("push (%0)", "r"(base + 4 * PAGE) : CLOBBERS);
  report("push of unmapped", base + 4 * PAGE);
  FAULT("lock cmpxchg %%ecx, 4(%0)", "r"(base + PAGE) : CLOBBERS);
  report("locked exchange, read-only", base + PAGE);
  FAULT("jmp *%0", "r"(base + PAGE) : CLOBBERS);
  seen.ip = fault_at + (seen.ip - base); /* the fault is at the target */
  report("jump to a page without execute", base);
  FAULT("jmp *%0", "r"(base + 4 * PAGE + 5) : CLOBBERS);
  seen.ip = fault_at + (seen.ip - base);
  report("jump to an unmapped page", base);
}

/* Repeated strings stop in the middle with their registers at the faulting element. */
static void string_faults(void) {
  char *from = pages + 3 * PAGE, *to = pages + 3 * PAGE + 512;
  FAULT_STRING("", "rep movsb", 8192, from, to);
  printf("rep movsb: %lu left, from +%ld, to +%ld\n", seen.count, (long)(seen.from - (uintptr_t)from),
         (long)(seen.to - (uintptr_t)to));
  report("rep movsb into unmapped", (uintptr_t)pages + 4 * PAGE);
  FAULT_STRING("", "repne scasb", 9000, 0, pages + 3 * PAGE + 4000);
  printf("repne scasb: %lu left\n", seen.count);
  report("repne scasb into unmapped", (uintptr_t)pages + 4 * PAGE);
  to = pages + 4 * PAGE - 6;
  FAULT_STRING("", "rep stosl", 100, 0, to);
  printf("rep stosl: %lu left, to +%ld\n", seen.count, (long)(seen.to - (uintptr_t)to));
  report("rep stosl across into unmapped", (uintptr_t)pages + 4 * PAGE);
  from = pages + 3 * PAGE + 32;
  FAULT_STRING("std", "rep lodsw", 9000, from, 0);
  printf("std rep lodsw: %lu left, from %ld\n", seen.count, (long)(seen.from - (uintptr_t)from));
  report("rep lodsw down into PROT_NONE", (uintptr_t)pages + 2 * PAGE);
  FAULT_STRING("", "repe cmpsb", 9000, pages + 3 * PAGE + 4000, pages + 3 * PAGE + 4000);
  printf("repe cmpsb: %lu left\n", seen.count);
  report("repe cmpsb into unmapped", (uintptr_t)pages + 4 * PAGE);
}

static void general_protection(void) {
  FAULT("hlt", "i"(0) : CLOBBERS);
  report("hlt", 0);
  FAULT("cli", "i"(0) : CLOBBERS);
  report("cli", 0);
  FAULT("sti", "i"(0) : CLOBBERS);
  report("sti", 0);
  FAULT("in %%dx, %%al", "d"(0x80) : AX, CLOBBERS);
  report("in", 0);
  FAULT("outb %%al, $0x80", "i"(0) : CLOBBERS);
  report("out", 0);
  FAULT("mov %%cr0, " ax, "i"(0) : AX, CLOBBERS);
  report("mov from cr0", 0);
  FAULT("mov " ax ", %%cr3", "i"(0) : CLOBBERS);
  report("mov to cr3", 0);
  FAULT("mov %%dr7, " ax, "i"(0) : AX, CLOBBERS);
  report("mov from dr7", 0);
  FAULT("rdmsr", "c"(0xc0000080)
        : AX, CLOBBERS,
          "%"
          "edx");
  report("rdmsr", 0);
  FAULT("wrmsr", "c"(0xc0000080) : CLOBBERS);
  report("wrmsr", 0);
  FAULT("lidt (%0)", "r"(pages) : CLOBBERS);
  report("lidt", 0);
  FAULT("ltr %%ax", "a"(0x40) : CLOBBERS);
  report("ltr", 0);
  FAULT("invlpg (%0)", "r"(pages) : CLOBBERS);
  report("invlpg", 0);
  FAULT("wbinvd", "i"(0) : CLOBBERS);
  report("wbinvd", 0);
  FAULT("clts", "i"(0) : CLOBBERS);
  report("clts", 0);
  FAULT("mov %0, %%ds", "r"(0x18) : CLOBBERS);
  report("ds = kernel data", 0);
  FAULT("mov %0, %%es", "r"(0x10) : CLOBBERS);
  report("es = kernel code", 0);
  FAULT("mov %0, %%ds", "r"(0xfff8) : CLOBBERS);
  report("ds beyond the table", 0);
  FAULT("mov %0, %%ss", "r"(0x28) : CLOBBERS);
  report("ss with RPL 0", 0);
  FAULT("mov %0, %%ss", "r"(0) : CLOBBERS);
  report("ss = 0", 0);
  FAULT("movaps %%xmm0, 1(%0)", "r"(pages) : CLOBBERS);
  report("movaps misaligned", 0);
  FAULT("int $0x20", "i"(0) : CLOBBERS);
  report("int 20h", 0);
  FAULT("int $1", "i"(0) : CLOBBERS);
  report("int 1", 0);
  FAULT("int $14", "i"(0) : CLOBBERS);
  report("int 14", 0);
  FAULT("int $0xff", "i"(0) : CLOBBERS);
  report("int FFh", 0);
#ifdef __x86_64__
  FAULT("movb (%0), %%al", "D"(0x8000000000000000L) : AX, CLOBBERS);
  report("read, not canonical", 0);
  FAULT("movb %%al, (%0)", "D"(0x800000000000L) : CLOBBERS);
  report("write, just not canonical", 0);
  FAULT_AROUND("push %%rbp\n mov %0, %%rbp", "mov (%%rbp), %%rax", "pop %%rbp", "r"(0x8000000000000000L)
               : AX, CLOBBERS);
  report("read through rbp, not canonical", 0);
  FAULT("cmpxchg16b 8(%0)", "r"(pages) : AX, "rdx", CLOBBERS);
  report("cmpxchg16b misaligned", 0);
#else
  FAULT("ljmp $0x10, $0x1000", "i"(0) : CLOBBERS);
  report("far jump to kernel code", 0);
  FAULT("lcall $0x2b, $0x1000", "i"(0) : CLOBBERS);
  report("far call to data", 0);
  FAULT("ljmp $0, $0x1000", "i"(0) : CLOBBERS);
  report("far jump to selector 0", 0);
#endif
}

static void traps_and_undefined(void) {
  FAULT("int3", "i"(0) : CLOBBERS);
  report("int3", 0);
  FAULT(".byte 0xcd, 3", "i"(0) : CLOBBERS);
  report("int 3, two bytes", 0);
  FAULT(".byte 0xf1", "i"(0) : CLOBBERS);
  report("int1", fault_at);
  FAULT_AROUND(SET_FLAG("0x100") " nop", "nop", "", "i"(0) : CLOBBERS);
  report("single step by TF", 0);
  FAULT("ud2", "i"(0) : CLOBBERS);
  report("ud2", 0);
  FAULT(".byte 0x0f, 0xff, 0xc0", "i"(0) : CLOBBERS);
  report("ud0", 0);
  FAULT(".byte 0xf0, 0x89, 0xc0", "i"(0) : CLOBBERS);
  report("lock mov", 0);
  FAULT(".byte 0x8c, 0xf8", "i"(0) : CLOBBERS);
  report("mov from segment register 7", 0);
  FAULT(".byte 0x8e, 0xc8", "i"(0) : CLOBBERS);
  report("mov to cs", 0);
  FAULT(".byte 0x8d, 0xc0", "i"(0) : CLOBBERS);
  report("lea of a register", 0);
#ifdef __x86_64__
  FAULT(".byte 0x06", "i"(0) : CLOBBERS);
  report("push es, 64-bit", 0);
  FAULT(".byte 0x27", "i"(0) : CLOBBERS);
  report("daa, 64-bit", 0);
  FAULT(".byte 0xce", "i"(0) : CLOBBERS);
  report("into, 64-bit", 0);
#else
  FAULT_AROUND("movb $0x7f, %%al\n addb $1, %%al", "into", "", "i"(0) : AX, CLOBBERS);
  report("into", 0);
  static const int limits[2] = {1, 9};
  FAULT("bound %0, (%1)", "r"(10), "r"(limits) : CLOBBERS);
  report("bound", 0);
  FAULT(".byte 0x0f, 0x01, 0xf8", "i"(0) : CLOBBERS);
  report("swapgs, 32-bit", 0);
#endif
  FAULT("divl %0", "r"(0), "a"(5), "d"(0) : CLOBBERS);
  report("divide by zero", 0);
  FAULT("idivl %0", "r"(-1), "a"(INT32_MIN), "d"(-1) : CLOBBERS);
  report("divide overflow", 0);
  FAULT("divb %0", "q"((char)1), "a"(0x1234) : CLOBBERS);
  report("divide overflow, byte", 0);
#ifndef __x86_64__
  FAULT("aam $0", "a"(5) : CLOBBERS);
  report("aam 0", 0);
#endif
}

static void floating_point(void) {
  static const unsigned short x87_all = 0x0340, x87_default = 0x037f;
  static const unsigned mxcsr_all = 0x0000, mxcsr_default = 0x1f80;
  static const double zero = 0, one = 1, huge = 1e308, tiny = 1e-308;
  FAULT_AROUND("fldcw %0\n fld1\n fldz\n fdivrp", "fwait", "", "m"(x87_all) : CLOBBERS);
  asm volatile("fnclex\n fninit\n fldcw %0" : : "m"(x87_default));
  report("x87 divide by zero, at fwait", 0);
  FAULT_AROUND("fldcw %0\n fld1\n fchs\n fsqrt", "fld1", "", "m"(x87_all) : CLOBBERS);
  asm volatile("fnclex\n fninit\n fldcw %0" : : "m"(x87_default));
  report("x87 invalid, at the next load", 0);
  struct {
    const char *what;
    const double *a, *b;
    int op;
  } c[] = {{"SSE divide by zero", &one, &zero, 0},
           {"SSE invalid", &zero, &zero, 0},
           {"SSE overflow", &huge, &huge, 1},
           {"SSE underflow", &tiny, &tiny, 1},
           {"SSE inexact", &one, &huge, 2}};
  for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
    asm volatile("ldmxcsr %0\n movsd %1, %%xmm0" : : "m"(mxcsr_all), "m"(*c[i].a));
    if (c[i].op == 0)
      FAULT("divsd %0, %%xmm0", "m"(*c[i].b) : CLOBBERS);
    else if (c[i].op == 1)
      FAULT("mulsd %0, %%xmm0", "m"(*c[i].b) : CLOBBERS);
    else
      FAULT("addsd %0, %%xmm0", "m"(*c[i].b) : CLOBBERS);
    asm volatile("ldmxcsr %0" : : "m"(mxcsr_default));
    report(c[i].what, 0);
  }
}

static void bus_errors(void) {
  char name[] = "fault-file";
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, 100))
    exit(1);
  char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  p[0] = 'x';
  FAULT("movb 8(%0), %%al", "r"(p + PAGE) : AX, CLOBBERS);
  report("read past the end of a file", (uintptr_t)p + PAGE);
  FAULT("movb %%al, 8(%0)", "r"(p + PAGE) : CLOBBERS);
  report("write past the end of a file", (uintptr_t)p + PAGE);
  if (ftruncate(fd, 0))
    exit(1);
  FAULT("movb 5(%0), %%al", "r"(p) : AX, CLOBBERS);
  report("read of a truncated page", (uintptr_t)p);
  FAULT("jmp *%0", "r"(p + PAGE) : CLOBBERS); /* not executable, but that is looked at later */
  seen.ip = fault_at + (seen.ip - (uintptr_t)p);
  report("jump past the end of a file", (uintptr_t)p);
  munmap(p, 2 * PAGE);
  close(fd);
  unlink(name);
}

/* Pages never touched before, and addresses that are not the program's. */
static void absent_pages(void) {
  char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(p + PAGE, PAGE, PROT_NONE);
  FAULT("jmp *%0", "r"(p + 5) : CLOBBERS);
  seen.ip = fault_at + (seen.ip - (uintptr_t)p);
  report("jump to an absent page", (uintptr_t)p);
  FAULT("jmp *%0", "r"(p + PAGE) : CLOBBERS);
  seen.ip = fault_at + (seen.ip - (uintptr_t)p);
  report("jump to a PROT_NONE page", (uintptr_t)p);
  munmap(p, 2 * PAGE);
#ifdef __x86_64__
  const uintptr_t top = 0x7fffffffe000;
  FAULT("movl 16(%0), %%eax", "r"(0xffff800000000000) : AX, CLOBBERS);
  report("read of the kernel's half", 0xffff800000000000);
#else
  const uintptr_t top = 0xfffff000;
#endif
  FAULT("movl 16(%0), %%eax", "r"(top) : AX, CLOBBERS);
  report("read of the last page", top);
  FAULT("movl %%eax, 16(%0)", "r"(top) : CLOBBERS);
  report("write to the last page", top);
}

/* Operands of 2 to 8 bytes are checked whatever the instruction; unaligned 16-byte moves are not. */
#define UNALIGNED(what, insn) \
  FAULT_AROUND(SET_FLAG("0x40000"), insn, "", "r"(pages) : AX, CLOBBERS); \
  if (!seen.sig) /* no handler has cleared the flag */ \
    asm volatile("pushf\n andl $~0x40000, (%%" STACK ")\n popf" : : : "memory", "cc"); \
  if (seen.sig) \
    report(what, 0); \
  else \
    printf("%-34s allowed\n", what)
#ifdef __x86_64__
#define STACK "rsp"
#else
#define STACK "esp"
#endif

static void alignment_checks(void) {
  UNALIGNED("alignment: mov", "movl 1(%0), %%eax");
  UNALIGNED("alignment: movss load", "movss 2(%0), %%xmm0");
  UNALIGNED("alignment: movss store", "movss %%xmm0, 2(%0)");
  UNALIGNED("alignment: movsd", "movsd 4(%0), %%xmm0");
  UNALIGNED("alignment: movhps", "movhps %%xmm0, 4(%0)");
  UNALIGNED("alignment: addss", "addss 1(%0), %%xmm0");
  UNALIGNED("alignment: cvtps2pd", "cvtps2pd 4(%0), %%xmm0");
  UNALIGNED("alignment: ucomisd", "ucomisd 4(%0), %%xmm0");
  UNALIGNED("alignment: cvttsd2si", "cvttsd2si 4(%0), %%eax");
  UNALIGNED("alignment: movq, xmm", "movq %%xmm0, 4(%0)");
  UNALIGNED("alignment: movq, mm", "movq 4(%0), %%mm0");
  UNALIGNED("alignment: paddb, mm", "paddb 4(%0), %%mm0");
  asm volatile("emms");
  UNALIGNED("alignment: fldl", "fldl 4(%0)");
  UNALIGNED("alignment: movups", "movups 4(%0), %%xmm0");
  UNALIGNED("alignment: movdqu", "movdqu %%xmm0, 1(%0)");
  UNALIGNED("alignment: none needed", "movss 4(%0), %%xmm0");
}

int main(void) {
  struct sigaction a = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  int sigs[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
  for (size_t i = 0; i < sizeof sigs / sizeof *sigs; i++)
    sigaction(sigs[i], &a, NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  map_pages();
  page_faults();
  string_faults();
  general_protection();
  traps_and_undefined();
  floating_point();
  bus_errors();
  absent_pages();
  alignment_checks();
  return 0;
}
