/* A triple fault, as a kernel's first minutes are full of them: the IDT's gate for #GP names a selector that is not in the
 * GDT. An instruction that faults cannot be delivered, nor can the double fault, and the processor shuts down.
 * SDM 3A 6.15 (Interrupt 8: Double Fault Exception). */
#include "roms/demo.inc"

#define CS32 0x08
#define DS32 0x10
#define WRONG 0x18                      /* beyond the GDT */
#define VEC_DF 8
#define VEC_GP 13

        .data
        .balign 8
gdt:    .quad   0
        DESCRIPTOR 0, 0xfffff, CODE, 0xc        /* CS32 */
        DESCRIPTOR 0, 0xfffff, DATA, 0xc        /* DS32 */
gdtr:   .word   . - gdt - 1
        .long   gdt
idtr:   .word   (VEC_GP + 1) * 8 - 1
        .long   idt

        .bss
        .balign 8
idt:    .skip   (VEC_GP + 1) * 8

        .text
        GATE_ROUTINES
        .code16
main:
        SAY     16, "about to load a segment that is not there\n"
        PROTECTED_MODE CS32, DS32
        GATE    32, idt+VEC_GP*8, on_gp, WRONG, INT_GATE
        GATE    32, idt+VEC_DF*8, on_df, CS32, 0x0e
        lidt    idtr
        mov     $WRONG, %eax
load:   mov     %eax, %ds
on_gp:  jmp     on_gp
on_df:  jmp     on_df
