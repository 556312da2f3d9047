/* A tour of the rings: 0 -> 3 by IRET, 3 -> 1 by a call gate with two parameters, 1 -> 3 by RETF, 3 -> 0 by INT. Each
 * stop prints its CPL, stack and ES, which RETF clears because ring 3 may not keep a ring-1 segment.
 * SDM 3A 5.8.2 (Gate Descriptors), 5.8.5 (Stack Switching), 5.8.6 (Returning from a Called Procedure); 6.12.1
 * (Exception- or Interrupt-Handler Procedures). */
#include "roms/demo.inc"

#define CS0 0x08
#define DS0 0x10
#define CS1 0x19
#define DS1 0x21
#define CS3 0x2b
#define DS3 0x33
#define TSS 0x38
#define GATE1 0x43
#define TOUR_VECTOR 0x30
#define IOPL3 0x3000                    /* so that every ring may use the serial port */

        .data
        .balign 8
gdt:    .quad   0
        DESCRIPTOR 0, 0xfffff, CODE, 0xc
        DESCRIPTOR 0, 0xfffff, DATA, 0xc
        DESCRIPTOR 0, 0xfffff, CODE|DPL(1), 0xc
        DESCRIPTOR 0, 0xfffff, DATA|DPL(1), 0xc
        DESCRIPTOR 0, 0xfffff, CODE|DPL(3), 0xc
        DESCRIPTOR 0, 0xfffff, DATA|DPL(3), 0xc
tss_descriptor:
        DESCRIPTOR 0, 103, TSS32, 0     /* the base is filled in */
gate1:  .quad   0
gdtr:   .word   . - gdt - 1
        .long   gdt
idtr:   .word   256 * 8 - 1
        .long   idt
tss:    .long   0
        .long   stack0_top, DS0         /* SS0:ESP0 */
        .long   stack1_top, DS1
        .long   0, 0
        .skip   102 - 28
        .word   104                     /* no I/O bitmap: it would begin beyond the limit */

        .bss
        .balign 16
idt:    .skip   256 * 8
        .skip   1024
stack0_top:
        .skip   1024
stack1_top:
        .skip   1024
stack3_top:

        .text
        GATE_ROUTINES

        .code32
/* ESI = how we came here. The caller's ESP is 4 more than ours. */
report32:
        lea     4(%esp), %ebp
        call    puts32
        SAY     32, ": CPL "
        mov     %cs, %eax
        and     $3, %eax
        HEX     32, 1, %eax
        SAY     32, ", CS="
        HEX     32, 4, %cs
        SAY     32, " SS="
        HEX     32, 4, %ss
        SAY     32, " ES="
        HEX     32, 4, %es
        SAY     32, ", "
        /* Which of the stacks, and how many bytes are on it. */
        mov     $stack0_top, %edi
        mov     $'0', %al
        mov     %cs, %ecx
        and     $3, %ecx
        jz      1f
        mov     $stack1_top, %edi
        mov     $'1', %al
        dec     %ecx
        jz      1f
        mov     $stack3_top, %edi
        mov     $'3', %al
1:      call    putc32
        SAY     32, "'s stack holds "
        sub     %ebp, %edi
        HEX     32, 2, %edi
        SAY     32, "h bytes\n"
        ret

        .code16
main:
        PROTECTED_MODE CS0, DS0
        mov     $stack0_top, %esp
        mov     $DS3, %eax              /* every ring may keep these */
        mov     %eax, %ds
        mov     %eax, %es

        LOAD_TASK_REGISTER TSS
        GATE    32, gate1, ring1, CS1, CALL_GATE|DPL(3), 2
        GATE    32, idt+TOUR_VECTOR*8, ring0, CS0, INT_GATE|DPL(3)
        lidtl   idtr
        REPORT  32, "reset and far jump"

        push    $DS3
        push    $stack3_top
        push    $IOPL3 | 2
        push    $CS3
        push    $ring3
        iret

ring3:
        REPORT  32, "0 -> 3 by IRET"
        push    $0x1111
        push    $0x2222
        lcall   $GATE1, $0              /* the offset is the gate's */
        REPORT  32, "1 -> 3 by RETF 8"
        int     $TOUR_VECTOR

ring1:
        REPORT  32, "3 -> 1 by call gate"
        SAY     32, "  the parameters, copied from ring 3's stack: "
        HEX     32, 4, 12(%esp)
        SAY     32, "h "
        HEX     32, 4, 8(%esp)
        SAY     32, "h; return to "
        HEX     32, 4, 4(%esp)
        SAY     32, "; ES is now ring 1's\n"
        mov     $DS1, %eax
        mov     %eax, %es
        lret    $8                      /* off both stacks */

ring0:
        REPORT  32, "3 -> 0 by INT 30h"
        SAY     32, "  came from CS="
        HEX     32, 4, 4(%esp)
        SAY     32, " SS="
        HEX     32, 4, 16(%esp)
        SAY     32, "\n"
        EXIT    ALL_WELL
