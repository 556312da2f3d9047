/* Entry stubs of the emulated Linux kernel on processors without long mode: SDM 3A 6.12 (Exception and Interrupt
 * Handling), 7.2.1 (Task-State Segment (TSS)).
 *
 * As entry64.S, in a kernel of 32 bits: INT 80h and exceptions are the only ways in, IRET the only one out. The host
 * wants the same struct pt_regs, so each word is widened. DS, ES, FS and GS stay the program's: only the stack is used.
 *
 * The image is position independent and starts with struct rom_entry64_table, 0 for what it has not. */
#include "roms/linux_entry.h"

#define ENOSYS 38

/* Offsets into struct pt_regs. */
#define REGS_BP 32
#define REGS_BX 40
#define REGS_AX 80
#define REGS_CX 88
#define REGS_DX 96
#define REGS_SI 104
#define REGS_DI 112
#define REGS_IP 128
#define REGS_CS 136
#define REGS_FLAGS 144
#define REGS_SP 152
#define REGS_SS 160

/* The stack of all stubs from EBP up: PUSHA, what they pushed before, and the processor's frame. */
#define SAVED_DI 0
#define SAVED_SI 4
#define SAVED_BP 8
#define SAVED_BX 16
#define SAVED_DX 20
#define SAVED_CX 24
#define SAVED_AX 28
#define SAVED_VECTOR 32
#define SAVED_ORIG 36
#define SAVED_IP 40
#define SAVED_CS 44
#define SAVED_FLAGS 48
#define SAVED_SP 52
#define SAVED_SS 56

  .code32
  .text
base:
  .long 0, 0, 0, int80 - base
  .long 0, 0, 0
  .long vmcall_int80 - base, vmcall_exception - base, vmcall_kernel - base
  .long 0, 0, iret_insn - base, iret_kernel_insn - base
  .irpc high, 01
  .irpc low, 0123456789abcdef
  .long exception_0x\high\low - base
  .endr
  .endr

.macro PUSH64 what:req high=$0
  push \high
  push \what
.endm

/* From PUSHA on: EBP = the stack as above, EDI = a pt_regs of it, EDX = the vector. \high: orig_ax's upper half. */
.macro PUSH_REGS high:req
  mov %esp, %ebp
  PUSH64 SAVED_SS(%ebp)
  PUSH64 SAVED_SP(%ebp)
  PUSH64 SAVED_FLAGS(%ebp)
  PUSH64 SAVED_CS(%ebp)
  PUSH64 SAVED_IP(%ebp)
  PUSH64 SAVED_ORIG(%ebp), \high
  PUSH64 SAVED_DI(%ebp)
  PUSH64 SAVED_SI(%ebp)
  PUSH64 SAVED_DX(%ebp)
  PUSH64 SAVED_CX(%ebp)
  PUSH64 SAVED_AX(%ebp)
  .rept 4 /* r8 to r11 */
  PUSH64 $0
  .endr
  PUSH64 SAVED_BX(%ebp)
  PUSH64 SAVED_BP(%ebp)
  .rept 4 /* r12 to r15 */
  PUSH64 $0
  .endr
  mov SAVED_VECTOR(%ebp), %edx
  mov %esp, %edi
.endm

/* The words of the stack that the host may have changed in the pt_regs. */
.macro TAKE saved:req from:req
  mov \from(%esp), %eax
  mov %eax, \saved(%ebp)
.endm

/* Vector 80h, gate DPL 3. */
  .balign 16
int80:
  push %eax
  push $0x80
  pusha
  PUSH_REGS $0
  movl $-ENOSYS, REGS_AX(%esp)
  movl $-1, REGS_AX+4(%esp)
  mov $KIND_INT80, %esi
vmcall_int80:
  vmcall
  jmp return_iret

/* From the vectors' stubs: the vector is at the top of the stack, above it the error code or -1. */
#define AT_ERROR 4
#define AT_IP 8
#define AT_CS 12
#define AT_FLAGS 16
#define IN_RING0 12 /* bytes that the processor pushed if the ring did not change */
  .balign 16
exception:
  testb $3, AT_CS(%esp)
  jz from_ring0
from_ring3:
  pusha
  mov SAVED_ORIG(%esp), %eax
  cltd /* EDX = its sign */
  PUSH_REGS %edx
  mov $KIND_EXCEPTION, %esi
vmcall_exception:
  vmcall
return_iret:
  TAKE SAVED_IP, REGS_IP
  TAKE SAVED_CS, REGS_CS
  TAKE SAVED_FLAGS, REGS_FLAGS
  TAKE SAVED_SP, REGS_SP
  TAKE SAVED_SS, REGS_SS
  TAKE SAVED_DI, REGS_DI
  TAKE SAVED_SI, REGS_SI
  TAKE SAVED_BP, REGS_BP
  TAKE SAVED_BX, REGS_BX
  TAKE SAVED_DX, REGS_DX
  TAKE SAVED_CX, REGS_CX
  TAKE SAVED_AX, REGS_AX
  mov %ebp, %esp
  popa
  add $8, %esp
iret_insn:
  iret

/* As in entry64.S: a fault of the IRET above is reported as if it came from where that would have returned to. The
 * frame of the fault is taken out from under the two words. */
from_ring0:
  push %eax
  call 1f
1:
  pop %eax
  add $iret_insn-1b, %eax
  cmp %eax, AT_IP+4(%esp)
  pop %eax
  jne kernel_fault
  push AT_ERROR(%esp)
  pop AT_ERROR+IN_RING0(%esp)
  push (%esp)
  pop IN_RING0(%esp)
  add $IN_RING0, %esp
  jmp from_ring3

/* An error of the emulated kernel. */
kernel_fault:
  pusha
  mov SAVED_ORIG(%esp), %eax
  cltd
  PUSH_REGS %edx
  mov $KIND_KERNEL_FAULT, %esi
vmcall_kernel:
  vmcall
  mov %ebp, %esp
  popa
  add $8, %esp
iret_kernel_insn:
  iret

/* One stub for each vector; #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX bring an error code. */
#define HAS_ERROR_CODE 0x60227d00
.macro VECTOR number:req
  .balign 16
exception_\number:
  .if !(HAS_ERROR_CODE >> \number & 1)
  push $-1
  .endif
  push $\number
  jmp exception
.endm
  .irpc high, 01
  .irpc low, 0123456789abcdef
  VECTOR 0x\high\low
  .endr
  .endr

  .section .note.GNU-stack, "", @progbits
