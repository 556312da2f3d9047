/* External interrupts in real mode: the timer (8254) through the interrupt controller (8259A). HLT is woken; STI opens
 * interrupts one instruction later, POPF and IRET at once; STI, CLI lets none in.
 * SDM 3A 6.8.1 (Masking Maskable Hardware Interrupts); SDM 2B STI. */
#include "roms/demo.inc"

#define PIC 0x20
#define PIC2 0xa0
#define PIT 0x40
#define BASE 0x20
#define EOI 0x20
#define EF_IF 0x200

        .bss
ticks:  .skip   2
where:  .skip   2                       /* the IP that the last interrupt pushed */

        .text
        .code16
timer:  push    %bp
        mov     %sp, %bp
        push    %ax
        incw    ticks
        mov     2(%bp), %ax
        mov     %ax, where
        mov     $EOI, %al
        out     %al, $PIC
        pop     %ax
        pop     %bp
        iret

/* One tick is asked for, with interrupts off, and waited for until the controller requests it. */
request:
        movw    $0, where
        mov     $0x30, %al              /* channel 0, low and high byte, mode 0: one shot */
        out     %al, $PIT + 3
        mov     $100, %al
        out     %al, $PIT
        mov     $0, %al
        out     %al, $PIT
        mov     $0x0a, %al              /* OCW3: read the request register */
        out     %al, $PIC
1:      in      $PIC, %al
        test    $1, %al
        jz      1b
        ret

        .macro  RESULT text, label
        SAY     16, "\text"
        mov     where, %ax
        test    %ax, %ax
        jz      1f
        sub     $NEAR(\label), %eax
        and     $0xff, %eax
        push    %ax
        SAY     16, "interrupted "
        pop     %ax
        HEX     16, 1, %eax
        SAY     16, " bytes behind it\n"
        jmp     2f
1:      SAY     16, "not interrupted\n"
2:
        .endm

main:
        movl    $NEAR(timer) + 0xf0000000, BASE * 4
        .irp    port, PIC, PIC2         /* ICW1..ICW4: edge-triggered, cascaded; vectors BASE and BASE + 8 */
        mov     $0x11, %al
        out     %al, $\port
        .if     \port == PIC
        mov     $BASE, %al
        .else
        mov     $BASE + 8, %al
        .endif
        out     %al, $\port + 1
        .if     \port == PIC
        mov     $4, %al
        .else
        mov     $2, %al
        .endif
        out     %al, $\port + 1
        mov     $1, %al
        out     %al, $\port + 1
        .endr
        mov     $0xfe, %al              /* the timer only */
        out     %al, $PIC + 1
        mov     $0xff, %al
        out     %al, $PIC2 + 1

        mov     $0x34, %al              /* mode 2: 1193 clocks, a millisecond, again and again */
        out     %al, $PIT + 3
        mov     $1193 & 0xff, %al
        out     %al, $PIT
        mov     $1193 >> 8, %al
        out     %al, $PIT
        sti
1:      hlt
        cmpw    $3, ticks
        jb      1b
        cli
        SAY     16, "HLT: three ticks have woken it\n"

        call    request
        sti
after_sti:
        nop
        nop
        cli
        RESULT  "STI, NOP, NOP: ", after_sti

        call    request
        sti
after_sti_cli:
        cli
        nop
        RESULT  "STI, CLI: ", after_sti_cli
        sti                             /* let it go */
        nop
        nop
        cli

        call    request
        pushf
        pop     %ax
        or      $EF_IF, %ax
        push    %ax
        popf
after_popf:
        nop
        cli
        RESULT  "POPF that sets IF: ", after_popf

        call    request
        pushf
        pop     %ax
        or      $EF_IF, %ax
        push    %ax
        push    %cs
        mov     $NEAR(after_iret), %eax
        push    %ax
        iret
after_iret:
        nop
        cli
        RESULT  "IRET that sets IF: ", after_iret
        EXIT    ALL_WELL
