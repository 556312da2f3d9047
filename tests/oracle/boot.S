/* The boot sector of the oracle's image: loads the monitor by the BIOS and enters it in protected mode. Its
 * ELF image is flat, at 7C00h. SDM 3A 9.9.1 (Switching to Protected Mode). */
#include "tests/oracle/monitor.h"

  .code16
  .globl _start
_start:
  cli
  xor %ax, %ax
  mov %ax, %ds
  mov %ax, %es
  mov %ax, %ss
  mov $0x7c00, %sp
  mov %dl, drive
  mov $0x2401, %ax /* A20 */
  int $0x15
  in $0x92, %al
  or $2, %al
  and $0xfe, %al
  out %al, $0x92
  mov $BOOT_SECTORS / 8, %cx
1:push %cx
  mov drive, %dl
  mov $packet, %si
  mov $0x42, %ah
  int $0x13
  jc 2f
  addw $8, packet + 8
  addw $0x100, packet + 6
  pop %cx
  loop 1b
  cli
  lgdt gdtr
  mov %cr0, %eax
  or $1, %al
  mov %eax, %cr0
  ljmp $8, $start32
2:hlt
  jmp 2b

  .code32
start32:
  mov $16, %eax
  mov %eax, %ds
  mov %eax, %es
  mov %eax, %ss
  mov $0x10000, %esi
  mov $MON_BASE, %edi
  mov $BOOT_SECTORS * SECTOR / 4, %ecx
  cld
  rep movsl
  mov $MON_BASE, %eax
  jmp *%eax

packet:
  .byte 16, 0
  .word 8, 0, 0x1000
  .long 1, 0
drive: .byte 0
  .balign 8
gdt: .quad 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:
  .word 23
  .long gdt
  .org 510
  .word 0xaa55
