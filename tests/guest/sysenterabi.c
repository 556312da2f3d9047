/* The ABI of the fast system call of i386 programs; only: i386
 *
 * SYSENTER saves no return address, and no stack pointer. So Linux gives it a contract, which __kernel_vsyscall of the
 * vDSO keeps for programs:
 *
 *   EBP -> saved EBP, which is also the sixth argument
 *          saved EDX
 *          saved ECX
 *          the caller's return address
 *
 * Wherever SYSENTER stands, the kernel returns behind the INT 80h in the vDSO, where those words are popped. A program
 * that executes SYSENTER itself thus never comes to its own next instruction. Processors without SYSENTER in long mode
 * (AMD's) have SYSCALL, with EBP carrying ECX, and the same contract. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

enum { I386_GETPID = 20, I386_MMAP2 = 192 };

/* In: the registers at the entry. Out: those at the return, and whether it came back by the frame. */
struct registers {
  uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
} regs;
uint32_t pop_ecx, pop_edx, pop_ebp; /* the words of the frame */
uint32_t use_syscall, fell_through;

void enter(void);
asm(".pushsection .text\n"
    "enter: push %ebp\n push %ebx\n push %esi\n push %edi\n"
    " mov regs+4, %ebx\n mov regs+8, %ecx\n mov regs+12, %edx\n mov regs+16, %esi\n mov regs+20, %edi\n"
    " push $1f\n" /* the return address */
    " push pop_ecx\n push pop_edx\n push pop_ebp\n"
    " mov regs, %eax\n"
    " cmpl $0, use_syscall\n jne 2f\n"
    " mov %esp, %ebp\n sysenter\n jmp 3f\n"
    "2: mov %ecx, %ebp\n syscall\n"
    "3: movl $1, fell_through\n add $16, %esp\n" /* never */
    "1: mov %eax, regs\n mov %ebx, regs+4\n mov %ecx, regs+8\n mov %edx, regs+12\n mov %esi, regs+16\n"
    " mov %edi, regs+20\n mov %ebp, regs+24\n"
    " pop %edi\n pop %esi\n pop %ebx\n pop %ebp\n ret\n"
    ".popsection\n");

/* INT 80h; POP EBP; POP EDX; POP ECX; RET */
static int vdso_has_landing_pad(void) {
  static const unsigned char pad[] = {0xcd, 0x80, 0x5d, 0x5a, 0x59, 0xc3};
  const unsigned char *vdso = (const void *)getauxval(AT_SYSINFO_EHDR);
  return vdso && memmem(vdso, 4096, pad, sizeof pad) != NULL;
}

static int vendor_is_amd(void) {
  unsigned a, b, c, d;
  return __get_cpuid(0, &a, &b, &c, &d) && (b == signature_AMD_ebx || b == 0x6f677948 /* Hygon */);
}

int main(void) {
  use_syscall = (uint32_t)vendor_is_amd();
  verdict("the vDSO has a landing pad behind INT 80h", vdso_has_landing_pad());

  pop_ecx = 0xc1c1c1c1;
  pop_edx = 0xd2d2d2d2;
  pop_ebp = 0xb3b3b3b3;
  regs = (struct registers){.eax = I386_GETPID, .ebx = 1, .ecx = 2, .edx = 3, .esi = 4, .edi = 5};
  enter();
  verdict("the call was made", (pid_t)regs.eax == getpid());
  verdict("it did not come back behind the instruction", !fell_through);
  verdict("ECX, EDX, EBP are what the frame holds",
          regs.ecx == 0xc1c1c1c1 && regs.edx == 0xd2d2d2d2 && regs.ebp == 0xb3b3b3b3);
  verdict("EBX, ESI, EDI are as they were", regs.ebx == 1 && regs.esi == 4 && regs.edi == 5);

  /* Six arguments: the last, a page offset, is the word at the stack's top. */
  int fd = open("/proc/self/exe", O_RDONLY);
  char want[64];
  if (fd < 0 || pread(fd, want, sizeof want, 2 * 4096) != sizeof want) return 1;
  pop_ebp = 2;
  regs = (struct registers){I386_MMAP2, 0, 4096, PROT_READ, MAP_PRIVATE, (uint32_t)fd, 0};
  enter();
  verdict("the sixth argument is in the frame", regs.eax < 0xfffff000 && !memcmp((void *)regs.eax, want, sizeof want));
  return 0;
}
