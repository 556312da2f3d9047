# For the assembler, of either width.
  .text
  .globl start
  .macro twice op, r
  \op $1, \r
  \op $0x12345, \r
  .endm
start:
  twice addl, %eax
  twice xorl, %ebp
  movl table(,%ecx,4), %edx
  vfmadd231ps %ymm1, %ymm2, %ymm3
  vpternlogd $0x96, %zmm1, %zmm2, %zmm3{%k1}{z}
  lock cmpxchg8b (%edi)
1: rep movsb
  jne 1b
  jmp far_away
  fldt table+8
  .skip 300, 0x90
far_away:
  call start
  ret
  .data
table: .long 1, 2, far_away, . - table
  .rept 20
  .quad 0x123456789abcdef
  .endr
  .double 3.14159, -1e300, 4.9e-324
  .asciz "text\n"
  .section .note.GNU-stack,"",@progbits
