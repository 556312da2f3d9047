/* The assembler half of the 32-bit vDSOs: the system call entry and the signal return trampolines. Linux
 * arch/x86/entry/vdso/vdso32/; Android's and gdb's habits depend on these very bytes.
 *
 * ENTER_SYSENTER (vendor intel), ENTER_SYSCALL (vendor amd) or neither selects the entry. */
#include "roms/linux_entry.h"

#define NR_SIGRETURN 119
#define NR_RT_SIGRETURN 173

/* DWARF numbers and opcodes for the unwind tables: DWARF 4, 7.23 (Call Frame Information); System V ABI i386,
 * table 2.14 (DWARF Register Number Mapping). */
#define CFA_DEF_CFA_EXPRESSION 0x0f
#define CFA_EXPRESSION 0x10
#define OP_BREG4 0x74 /* ESP + SLEB128 */
#define OP_DEREF 0x06

  .code32
  .text

/* EAX = number, EBX ECX EDX ESI EDI EBP = arguments. All but EAX come back unchanged. SYSENTER's kernel side
 * takes ESP from EBP, and both kernel sides take EBP from the top of the stack; each returns to the landing
 * pad, before which the INT 80h lies, so that a restarted call (ip - 2) goes that way. */
  .globl __kernel_vsyscall
  .type __kernel_vsyscall, @function
  .balign 16
__kernel_vsyscall:
  .cfi_startproc
  push %ecx
  .cfi_adjust_cfa_offset 4
  .cfi_rel_offset ecx, 0
  push %edx
  .cfi_adjust_cfa_offset 4
  .cfi_rel_offset edx, 0
  push %ebp
  .cfi_adjust_cfa_offset 4
  .cfi_rel_offset ebp, 0
#if defined(ENTER_SYSENTER)
  mov %esp, %ebp
  sysenter
#elif defined(ENTER_SYSCALL)
  mov %ecx, %ebp
  syscall
#endif
  int $0x80
  .globl int80_landing_pad
  .hidden int80_landing_pad
int80_landing_pad:
  pop %ebp
  .cfi_restore ebp
  .cfi_adjust_cfa_offset -4
  pop %edx
  .cfi_restore edx
  .cfi_adjust_cfa_offset -4
  pop %ecx
  .cfi_restore ecx
  .cfi_adjust_cfa_offset -4
  ret
  .cfi_endproc
  .size __kernel_vsyscall, . - __kernel_vsyscall

/* The registers of the interrupted code, where struct sigcontext (at ESP + \sc) has them; the CFA is its ESP.
 * Offsets below 64 would fit one SLEB128 byte, but two are always right. */
.macro SLEB value:req
  .cfi_escape ((\value) & 0x7f) | 0x80, (\value) >> 7
.endm
.macro CFA_AT offset:req
  .cfi_escape CFA_DEF_CFA_EXPRESSION, 4, OP_BREG4
  SLEB \offset
  .cfi_escape OP_DEREF
.endm
.macro SAVED_AT register:req offset:req
  .cfi_escape CFA_EXPRESSION, \register, 3, OP_BREG4
  SLEB \offset
.endm
.macro IN_SIGCONTEXT sc:req
  CFA_AT \sc+28
  SAVED_AT 0, \sc+44 /* eax */
  SAVED_AT 1, \sc+40 /* ecx */
  SAVED_AT 2, \sc+36 /* edx */
  SAVED_AT 3, \sc+32 /* ebx */
  SAVED_AT 5, \sc+24 /* ebp */
  SAVED_AT 6, \sc+20 /* esi */
  SAVED_AT 7, \sc+16 /* edi */
  SAVED_AT 8, \sc+56 /* eip */
.endm

/* A handler returns here. Unwinders look up the return address less one, so each table starts at the byte
 * before, with the rules already in force: hence the NOP. */
.macro BEGIN_TRAMPOLINE name:req sc:req
  .globl \name
  .type \name, @function
  .balign 16, 0x90
  .skip 15, 0x90
  .cfi_startproc simple
  .cfi_signal_frame
  IN_SIGCONTEXT \sc
  nop
\name:
.endm
.macro END_TRAMPOLINE name:req
  .cfi_endproc
  nop
  .size \name, . - \name
.endm

/* ESP = &frame.sig; the context follows the signal number. */
  BEGIN_TRAMPOLINE __kernel_sigreturn, 4
  pop %eax
  IN_SIGCONTEXT 0
  mov $NR_SIGRETURN, %eax
  int $0x80
  END_TRAMPOLINE __kernel_sigreturn

/* ESP = &frame.sig; then two pointers, a siginfo of 128 bytes, 20 bytes of ucontext, and the context. */
  BEGIN_TRAMPOLINE __kernel_rt_sigreturn, 4+2*4+128+20
  mov $NR_RT_SIGRETURN, %eax
  int $0x80
  END_TRAMPOLINE __kernel_rt_sigreturn

/* const struct vvar *vvar(void): the page below the image. */
  .globl vvar
  .hidden vvar
  .type vvar, @function
  .balign 16
vvar:
  .cfi_startproc
  call 1f
1:
  .cfi_adjust_cfa_offset 4
  pop %eax
  .cfi_adjust_cfa_offset -4
  add $__ehdr_start-VVAR_BYTES-1b, %eax
  ret
  .cfi_endproc
  .size vvar, . - vvar
  .hidden __ehdr_start

  .section .note.GNU-stack, "", @progbits
