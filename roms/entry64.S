/* Entry stubs of the emulated Linux kernel: SDM 3A 5.8.7, 5.8.8 (Fast System Calls in 64-Bit Mode),
 * 6.14 (Exception and Interrupt Handling in 64-bit Mode).
 *
 * What Linux's arch/x86/entry does that a program can see: SWAPGS, the stack switch, struct pt_regs, the
 * cleared registers, and the return instruction that Linux would choose. The kernel itself is the host,
 * reached by the VMCALLs here. It reads and writes the pt_regs in memory and may change no register but RAX.
 * CLD, CLAC, speculation barriers and page table switches are left out: no program can tell.
 *
 * The image is position independent and starts with struct rom_entry64_table. */
#include "roms/linux_entry.h"

#define ENOSYS 38
#define FLAGS_FIXED 0x2
#define FLAGS_TF_NT_AC 0x44100

/* Offsets into struct pt_regs, and the same counted from its orig_ax. */
#define REGS_BP 32
#define REGS_BX 40
#define REGS_AX 80
#define REGS_IP 128
#define REGS_FLAGS 144
#define ORIG_AX_TO_SP 32

  .code64
  .text
base:
  .long syscall64 - base, syscall32 - base, sysenter32 - base, int80 - base
  .long vmcall_syscall64 - base, vmcall_syscall32 - base, vmcall_sysenter32 - base
  .long vmcall_int80 - base, vmcall_exception - base, vmcall_kernel - base
  .long sysretq_insn - base, sysretl_insn - base, iretq_insn - base, iretq_kernel_insn - base
  .irpc high, 01
  .irpc low, 0123456789abcdef
  .long exception_0x\high\low - base
  .endr
  .endr

/* Push ax to r15 of the pt_regs, below dx, and clear what no argument of the hypercall needs. */
.macro PUSH_AX_TO_R15 ax:req
  push \ax
  push %r8
  push %r9
  push %r10
  push %r11
  push %rbx
  push %rbp
  push %r12
  push %r13
  push %r14
  push %r15
  xor %ecx, %ecx
  xor %r8d, %r8d
  xor %r9d, %r9d
  xor %r10d, %r10d
  xor %r11d, %r11d
  xor %ebx, %ebx
  xor %ebp, %ebp
  xor %r12d, %r12d
  xor %r13d, %r13d
  xor %r14d, %r14d
  xor %r15d, %r15d
.endm

/* The same for a system call, from orig_ax on; the arguments of the hypercall but RDI are set. */
.macro PUSH_SYSCALL kind:req cx=%rcx
  push %rax
  push %rdi
  push %rsi
  push %rdx
  push \cx
  PUSH_AX_TO_R15 ax=$-ENOSYS
  .if \kind
  mov $\kind, %esi
  .else
  xor %esi, %esi
  .endif
  xor %edx, %edx
.endm

/* Reload everything up to orig_ax, which is left at the top of the stack. */
.macro POP_REGS
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbp
  pop %rbx
  pop %r11
  pop %r10
  pop %r9
  pop %r8
  pop %rax
  pop %rcx
  pop %rdx
  pop %rsi
  pop %rdi
.endm

/* LSTAR. RCX = return address, R11 = flags, RSP still the user's. */
  .balign 16
syscall64:
  swapgs
  mov %rsp, %gs:PERCPU_USER_RSP
  mov %gs:PERCPU_STACK_TOP, %rsp
  push $SEL_USER_DS
  push %gs:PERCPU_USER_RSP
  push %r11
  push $SEL_USER_CS
  push %rcx
  PUSH_SYSCALL kind=KIND_SYSCALL64
  mov %rsp, %rdi
vmcall_syscall64:
  vmcall
  test %eax, %eax
  jz return_iret
  POP_REGS
  mov ORIG_AX_TO_SP(%rsp), %rsp
  swapgs
sysretq_insn:
  sysretq

/* SYSENTER_EIP. Nothing was saved: the vDSO keeps ESP in EBP, and the return address is its landing pad. With
 * TF set this is stepped through to the POPFQ, and the kernel ignores the traps. */
  .balign 16
sysenter32:
  swapgs
  mov %gs:PERCPU_STACK_TOP, %rsp
  push $SEL_USER_DS
  push $0
  pushfq
  push $SEL_USER32_CS
  push $0
  mov %eax, %eax
  PUSH_SYSCALL kind=KIND_SYSENTER32
  /* SYSENTER filters no flags: NT would make the IRETQ fail, TF would step through the kernel. */
  testl $FLAGS_TF_NT_AC, REGS_FLAGS(%rsp)
  jnz sysenter_fix_flags
sysenter_flags_fixed:
  mov %rsp, %rdi
vmcall_sysenter32:
  vmcall
  test %eax, %eax
  jz return_iret
/* R12 to R15 are still clear and stay so; ECX and R11 are SYSRET's, and the landing pad restores ECX. */
return_sysretl:
  mov REGS_BX(%rsp), %rbx
  mov REGS_BP(%rsp), %rbp
  mov REGS_FLAGS(%rsp), %r11
  mov REGS_IP(%rsp), %rcx
  add $REGS_AX, %rsp
  pop %rax
  pop %rdx /* cx, skipped */
  pop %rdx
  pop %rsi
  pop %rdi
  mov ORIG_AX_TO_SP(%rsp), %rsp
  xor %r8d, %r8d
  xor %r9d, %r9d
  xor %r10d, %r10d
  swapgs
sysretl_insn:
  sysretl

sysenter_fix_flags:
  push $FLAGS_FIXED
  popfq
  jmp sysenter_flags_fixed

/* CSTAR, from compatibility mode (amd). As for SYSCALL, but argument 2 is in EBP, and EBP, argument 6, is on
 * the user's stack, where the host fetches it. The saved ip is the vDSO's INT 80h, which the host skips. */
  .balign 16
syscall32:
  swapgs
  mov %esp, %r8d
  mov %gs:PERCPU_STACK_TOP, %rsp
  push $SEL_USER_DS
  push %r8
  push %r11
  push $SEL_USER32_CS
  push %rcx
  mov %eax, %eax
  PUSH_SYSCALL kind=KIND_SYSCALL32 cx=%rbp
  mov %rsp, %rdi
vmcall_syscall32:
  vmcall
  test %eax, %eax
  jnz return_sysretl
  jmp return_iret

/* Vector 80h, gate DPL 3, from either width; the processor pushed ss to ip. Linux keeps R8 to R11 and the
 * upper halves for the program; the host truncates the arguments. */
  .balign 16
int80:
  swapgs
  mov %eax, %eax
  PUSH_SYSCALL kind=KIND_INT80
  mov %rsp, %rdi
vmcall_int80:
  vmcall
  jmp return_iret

/* From the vectors' stubs, with the pt_regs built from dx up and EDX = vector. */
#define AT_IP 32
#define AT_CS 40
#define AT_FLAGS 48
#define AT_SP 56
#define AT_SS 64
  .balign 16
exception:
  testb $3, AT_CS(%rsp)
  jz from_ring0
  swapgs
from_ring3:
  push %rcx
  PUSH_AX_TO_R15 ax=%rax
  mov $KIND_EXCEPTION, %esi
  mov %rsp, %rdi
vmcall_exception:
  vmcall
return_iret:
  POP_REGS
  add $8, %rsp
  swapgs
iretq_insn:
  iretq

/* The only fault in ring 0 that a program can cause is the IRETQ above failing on what a signal handler or a
 * debugger put into the frame. Linux reports it as if it came from the place returned to: take the frame that
 * IRETQ did not pop, under the user's registers, which are all loaded by now. */
from_ring0:
  lea iretq_insn(%rip), %rdi
  cmp %rdi, AT_IP(%rsp)
  jne kernel_fault
  swapgs
  mov AT_SP(%rsp), %rdi
  .irp word, AT_IP, AT_CS, AT_FLAGS, AT_SP, AT_SS
  mov \word-AT_IP(%rdi), %rsi
  mov %rsi, \word(%rsp)
  .endr
  jmp from_ring3

/* A single-step trap in sysenter32, or an error of the emulated kernel. Whose GS base is loaded is unknown,
 * and the host has no need of it. */
kernel_fault:
  push %rcx
  PUSH_AX_TO_R15 ax=%rax
  mov $KIND_KERNEL_FAULT, %esi
  mov %rsp, %rdi
vmcall_kernel:
  vmcall
  POP_REGS
  add $8, %rsp
iretq_kernel_insn:
  iretq

/* One stub for each vector; #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX bring an error code. */
#define HAS_ERROR_CODE 0x60227d00
.macro VECTOR number:req
  .balign 16
exception_\number:
  .if !(HAS_ERROR_CODE >> \number & 1)
  push $-1
  .endif
  push %rdi
  push %rsi
  push %rdx
  mov $\number, %edx
  jmp exception
.endm
  .irpc high, 01
  .irpc low, 0123456789abcdef
  VECTOR 0x\high\low
  .endr
  .endr

  .section .note.GNU-stack, "", @progbits
