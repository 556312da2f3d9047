/* The monitor's ways into a case and back: everything that is not C. A case is entered by IRET, or in ring 0
 * of legacy protected mode by a far jump; it comes back from a handler, whose first bytes jump here. Nothing
 * of the case's memory is touched. SDM 3A 9.8.5 (Initializing IA-32e Mode), 5.8.1 (Direct Calls or Jumps to
 * Code Segments). */
#include "tests/oracle/monitor.h"

#define W(k) ((k) * 8)
#define CR0_EM_TS 0xc
#define CR4_OSFXSR 0x200

  .macro CASE_REGISTERS segment /* all but ESP */
  mov %\segment:in + W(0), %eax
  mov %\segment:in + W(1), %ecx
  mov %\segment:in + W(2), %edx
  mov %\segment:in + W(3), %ebx
  mov %\segment:in + W(5), %ebp
  mov %\segment:in + W(6), %esi
  mov %\segment:in + W(7), %edi
  .endm

  .macro FPU_USABLE /* in 64-bit mode; RAX is lost */
  mov %cr0, %rax
  and $~CR0_EM_TS, %eax
  mov %rax, %cr0
  mov %cr4, %rax
  or $CR4_OSFXSR, %eax
  mov %rax, %cr4
  .endm

  .code32
  .section .first, "ax"
  .globl _start
_start:
  mov $stack_top, %esp
  call monitor
1:hlt
  jmp 1b

  .org MON_STUBS
  .code64
  .set v, 0
  .rept 256
  .balign 16
  movb $v, left_by(%rip)
  jmp back64
  .set v, v + 1
  .endr
  .org MON_STUBS32
  .code32
  .set v, 0
  .rept 256
  .balign 16
  movb $v, %ss:left_by
  jmp back32
  .set v, v + 1
  .endr

/* void enter(unsigned how) */
  .text
  .globl enter
enter:
  mov 4(%esp), %edx
  pushal
  mov %esp, own_stack
  mov $CR4_OSFXSR, %eax
  mov %eax, %cr4
  fxrstor in_fpu
  mov in + W(S_CR4), %eax
  mov %eax, %cr4
  mov in + W(S_CR3), %eax
  mov %eax, %cr3
  mov in + W(S_CR0), %eax
  mov %eax, %cr0
  jmp 1f
1:test $ENTER_LONG, %edx
  jnz enter_long
  test $ENTER_V86, %edx
  jnz enter_v86
  mov in + W(S_SEG + 0), %es
  mov in + W(S_SEG + 3), %ds
  test $ENTER_OUTER, %edx
  jz enter_inner
  /* IRET to a 16-bit stack leaves ESP's upper half alone: a stack whose ESP has it */
  mov $MON_SS, %eax
  mov %eax, %ss
  mov %cs:in_esp, %esp
  pushl %cs:in + W(S_SEG + 2)
  pushl %cs:in + W(4)
leave32:
  pushl %cs:in + W(S_FLAGS)
  pushl %cs:in + W(S_SEG + 1)
  pushl %cs:in + W(S_RIP)
  lgdt %cs:in_gdtr
  lidt %cs:in_idtr
  CASE_REGISTERS cs
  iretl
enter_v86:
  pushl in + W(S_SEG + 5)
  pushl in + W(S_SEG + 4)
  pushl in + W(S_SEG + 3)
  pushl in + W(S_SEG + 0)
  pushl in + W(S_SEG + 2)
  pushl in + W(4)
  jmp leave32
enter_inner:
  /* POPF would leave VIF and VIP */
  pushl %ss:in + W(S_FLAGS)
  pushl $MON_CS32
  pushl $1f
  iretl
1:lgdt %ss:in_gdtr
  lidt %ss:in_idtr
  CASE_REGISTERS ss
  mov %cs:in + W(S_SEG + 2), %ss
  mov %cs:in + W(4), %esp
  ljmp *%cs:in_far

enter_long:
  ljmp $MON_CS64, $1f
  .code64
1:mov %cr0, %rbx /* again: XMM8 to XMM15 are 64-bit mode's */
  mov %cr4, %rsi
  FPU_USABLE
  fxrstor in_fpu(%rip)
  mov %rsi, %cr4
  mov %rbx, %cr0
  mov in + W(S_SEG + 0)(%rip), %es
  mov in + W(S_FSBASE)(%rip), %eax
  mov in + W(S_FSBASE) + 4(%rip), %edx
  mov $0xc0000100, %ecx
  wrmsr
  mov in + W(S_GSBASE)(%rip), %eax
  mov in + W(S_GSBASE) + 4(%rip), %edx
  mov $0xc0000101, %ecx
  wrmsr
  mov in + W(S_SEG + 3)(%rip), %ds
  pushq in + W(S_SEG + 2)(%rip)
  pushq in + W(4)(%rip)
  pushq in + W(S_FLAGS)(%rip)
  pushq in + W(S_SEG + 1)(%rip)
  pushq in + W(S_RIP)(%rip)
  lgdt in_gdtr(%rip)
  lidt in_idtr(%rip)
  mov in + W(0)(%rip), %rax
  mov in + W(1)(%rip), %rcx
  mov in + W(2)(%rip), %rdx
  mov in + W(3)(%rip), %rbx
  mov in + W(5)(%rip), %rbp
  mov in + W(6)(%rip), %rsi
  mov in + W(7)(%rip), %rdi
  mov in + W(8)(%rip), %r8
  mov in + W(9)(%rip), %r9
  mov in + W(10)(%rip), %r10
  mov in + W(11)(%rip), %r11
  mov in + W(12)(%rip), %r12
  mov in + W(13)(%rip), %r13
  mov in + W(14)(%rip), %r14
  mov in + W(15)(%rip), %r15
  iretq

  .macro READ_MSR index, word
  mov $\index, %ecx
  rdmsr
  mov %eax, out + W(\word)(%rip)
  mov %edx, out + W(\word) + 4(%rip)
  .endm
back64:
  mov %rax, out + W(0)(%rip)
  mov %rcx, out + W(1)(%rip)
  mov %rdx, out + W(2)(%rip)
  mov %rbx, out + W(3)(%rip)
  mov %rsp, out + W(4)(%rip)
  mov %rbp, out + W(5)(%rip)
  mov %rsi, out + W(6)(%rip)
  mov %rdi, out + W(7)(%rip)
  mov %r8, out + W(8)(%rip)
  mov %r9, out + W(9)(%rip)
  mov %r10, out + W(10)(%rip)
  mov %r11, out + W(11)(%rip)
  mov %r12, out + W(12)(%rip)
  mov %r13, out + W(13)(%rip)
  mov %r14, out + W(14)(%rip)
  mov %r15, out + W(15)(%rip)
  mov own_stack(%rip), %esp
  pushfq
  popq out + W(S_FLAGS)(%rip)
  mov %es, out + W(S_SEG + 0)(%rip)
  mov %cs, out + W(S_SEG + 1)(%rip)
  mov %ss, out + W(S_SEG + 2)(%rip)
  mov %ds, out + W(S_SEG + 3)(%rip)
  mov %fs, out + W(S_SEG + 4)(%rip)
  mov %gs, out + W(S_SEG + 5)(%rip)
  sldt out + W(S_SEG + 6)(%rip)
  str out + W(S_SEG + 7)(%rip)
  sgdt out_gdtr(%rip)
  sidt out_idtr(%rip)
  mov %cr0, %rax
  mov %rax, out + W(S_CR0)(%rip)
  mov %cr2, %rax
  mov %rax, out + W(S_CR2)(%rip)
  mov %cr3, %rax
  mov %rax, out + W(S_CR3)(%rip)
  mov %cr4, %rax
  mov %rax, out + W(S_CR4)(%rip)
  FPU_USABLE
  fxsave out_fpu_long(%rip)
  READ_MSR 0xc0000100, S_FSBASE
  READ_MSR 0xc0000101, S_GSBASE
  READ_MSR 0xc0000080, S_EFER
  lgdt own_gdtr(%rip)
  pushq $MON_CS32
  lea 1f(%rip), %rax
  push %rax
  lretq
  .code32
1:mov $MON_DS, %eax
  mov %eax, %ss
  mov %eax, %ds
  mov $0x11, %eax
  mov %eax, %cr0
  jmp 1f
1:mov $0xc0000080, %ecx
  xor %eax, %eax
  xor %edx, %edx
  wrmsr
  jmp own_again

back32:
  mov %eax, %ss:out + W(0)
  mov %ecx, %ss:out + W(1)
  mov %edx, %ss:out + W(2)
  mov %ebx, %ss:out + W(3)
  mov %esp, %ss:out + W(4)
  mov %ebp, %ss:out + W(5)
  mov %esi, %ss:out + W(6)
  mov %edi, %ss:out + W(7)
  mov %ss:own_stack, %esp
  pushfl
  popl %ss:out + W(S_FLAGS)
  mov %es, %ss:out + W(S_SEG + 0)
  mov %cs, %ss:out + W(S_SEG + 1)
  mov %ss, %ss:out + W(S_SEG + 2)
  mov %ds, %ss:out + W(S_SEG + 3)
  mov %fs, %ss:out + W(S_SEG + 4)
  mov %gs, %ss:out + W(S_SEG + 5)
  sldt %ss:out + W(S_SEG + 6)
  str %ss:out + W(S_SEG + 7)
  sgdt %ss:out_gdtr
  sidt %ss:out_idtr
  mov %cr0, %eax
  mov %eax, %ss:out + W(S_CR0)
  mov %cr2, %eax
  mov %eax, %ss:out + W(S_CR2)
  mov %cr3, %eax
  mov %eax, %ss:out + W(S_CR3)
  mov %cr4, %eax
  mov %eax, %ss:out + W(S_CR4)
  lgdt %ss:own_gdtr
  ljmp $MON_CS32, $1f
1:mov $MON_DS, %eax
  mov %eax, %ss
  mov %eax, %ds
  mov $0x11, %eax
  mov %eax, %cr0
  jmp 1f
1:mov $0xc0000080, %ecx
  rdmsr
  mov %eax, out + W(S_EFER)
  xor %eax, %eax
  xor %edx, %edx
  wrmsr
own_again:
  mov $MON_DS, %eax
  mov %eax, %es
  mov %eax, %fs
  mov %eax, %gs
  mov $CR4_OSFXSR, %eax
  mov %eax, %cr4
  fxsave out_fpu
  xor %eax, %eax
  mov %eax, %cr4
  mov own_stack, %esp
  pushl $2 /* NT first, or IRET would be a task's return; then VIF and VIP, which POPF leaves */
  popfl
  pushl $2
  pushl $MON_CS32
  pushl $1f
  iretl
1:popal
  ret

  .bss
  .balign 4096
  .globl tables
tables: /* the monitor's GDT, and an LDT: descriptors that fill the segment registers */
  .skip 0x20000
  .balign 16
  .globl in, out, in_gdtr, in_idtr, out_gdtr, out_idtr, own_gdtr, in_far, in_esp, entry_stack, left_by
  .globl in_fpu, out_fpu, out_fpu_long
in_fpu: .skip W(FPU_WORDS)
out_fpu: .skip W(FPU_WORDS)
out_fpu_long: .skip W(FPU_WORDS)
in: .skip W(S_ALL)
out: .skip W(S_ALL)
in_gdtr: .skip 16
in_idtr: .skip 16
out_gdtr: .skip 16
out_idtr: .skip 16
own_gdtr: .skip 16
in_far: .skip 8
in_esp: .skip 8
  .skip 0x100
entry_stack: .skip 8
own_stack: .skip 8
left_by: .skip 8
  .skip 0x4000
stack_top:
  .section .note.GNU-stack, "", @progbits
