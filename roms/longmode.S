/* Real mode to protected mode to long mode, and all the way back, saying at each stop what the processor says of
 * itself. SDM 3A 9.9 (Mode Switching), 9.8.5 (Initializing IA-32e Mode). */
#include "roms/demo.inc"

#define CS32 0x08
#define DS32 0x10
#define CS64 0x18
#define CS16 0x20
#define DS16 0x28
#define EFER 0xc0000080

        .data
        .balign 8
gdt:    .quad   0
        DESCRIPTOR 0, 0xfffff, CODE, 0xc        /* CS32 */
        DESCRIPTOR 0, 0xfffff, DATA, 0xc        /* DS32 */
        DESCRIPTOR 0, 0xfffff, CODE, 0xa        /* CS64 */
        DESCRIPTOR ROM_BASE, 0xffff, CODE, 0    /* CS16: as real mode has it, to go back */
        DESCRIPTOR 0, 0xffff, DATA, 0           /* DS16 */
gdtr:   .word   . - gdt - 1
        .long   gdt
real_idtr:
        .word   0x3ff
        .long   0

        .bss
        .balign 4096
pml4:   .skip   4096
pdpt:   .skip   4096
pd:     .skip   4096

/* "name: CR0.PE=1 PG=0 EFER.LMA=0 CS=0008": EBP = name */
        .macro  REPORT_ROUTINE bits
        .code\bits
report\bits:
        call    puts\bits
        SAY     \bits, ": CR0.PE="
        .if     \bits == 64
        mov     %cr0, %rax
        .else
        mov     %cr0, %eax
        .endif
        mov     %eax, %ebp
        and     $1, %eax
        HEX     \bits, 1, %eax
        SAY     \bits, " PG="
        mov     %ebp, %eax
        shr     $31, %eax
        HEX     \bits, 1, %eax
        SAY     \bits, " EFER.LMA="
        mov     $EFER, %ecx
        rdmsr
        shr     $10, %eax
        and     $1, %eax
        HEX     \bits, 1, %eax
        SAY     \bits, " CS="
        mov     %cs, %eax
        HEX     \bits, 4, %eax
        SAY     \bits, "\n"
        ret
        .endm
        .text
        REPORT_ROUTINE 16
        REPORT_ROUTINE 32
        REPORT_ROUTINE 64

        .code16
main:
        REPORT  16, "real mode"
        PROTECTED_MODE CS32, DS32
        REPORT  32, "protected mode"

        /* Four levels of tables for the first 2 MiB, as one page. SDM 3A 4.5 (4-Level Paging and 5-Level Paging) */
        movl    $pdpt + 3, pml4
        movl    $pd + 3, pdpt
        movl    $0x83, pd
        mov     $pml4, %eax
        mov     %eax, %cr3
        mov     %cr4, %eax
        or      $0x20, %eax             /* PAE */
        mov     %eax, %cr4
        mov     $EFER, %ecx
        rdmsr
        or      $0x100, %eax            /* LME */
        wrmsr
        mov     %cr0, %eax
        or      $0x80000000, %eax       /* PG: long mode is active with the next instruction, in a 32-bit segment */
        mov     %eax, %cr0
        REPORT  32, "compatibility mode"
        ljmp    $CS64, $long

        .code64
long:
        REPORT  64, "64-bit mode"
        /* A sum that needs 64 bits. */
        SAY     64, "  0123456789ABCDEFh + FEDCBA9876543210h = "
        movabs  $0x0123456789abcdef, %rax
        movabs  $0xfedcba9876543210, %r8
        add     %rax, %r8
        mov     %r8, %rax
        shr     $32, %rax
        HEX     64, 8, %eax
        HEX     64, 8, %r8d
        SAY     64, "h\n"

        /* Back: a far return to 32-bit code, paging off, LME off. SDM 3A 9.8.5.4 (Switching Out of IA-32e Mode) */
        push    $CS32
        mov     $leave_long, %eax
        push    %rax
        lretq

        .code32
leave_long:
        REPORT  32, "compatibility mode again"
        mov     %cr0, %eax
        and     $0x7fffffff, %eax
        mov     %eax, %cr0
        mov     $EFER, %ecx
        rdmsr
        and     $~0x100, %eax
        wrmsr
        REPORT  32, "protected mode again"
        /* Real mode wants segments with limits of FFFFh. SDM 3A 9.9.2 (Switching Back to Real-Address Mode) */
        ljmp    $CS16, $NEAR(leave_protected)

        .code16
leave_protected:
        mov     $DS16, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        lidtl   real_idtr
        mov     %cr0, %eax
        and     $~1, %eax
        mov     %eax, %cr0
        ljmpl   $0xf000, $NEAR(real)
real:
        xor     %eax, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        REPORT  16, "real mode again"
        EXIT    ALL_WELL
