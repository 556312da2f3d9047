/* A boot sector for the debugger's tests: traps and their like, frames in 16-bit code, an interrupt within ring 0, CS with a
 * base, a fault that its handler mends, port 92h. */
        .code16
        .globl  _start
_start: cli
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %ss
        mov     $0x7000, %sp
        movw    $handler, 1 * 4
        movw    %ax, 1 * 4 + 2
        movw    $handler, 3 * 4
        movw    %ax, 3 * 4 + 2
        movw    $handler, 4 * 4
        movw    %ax, 4 * 4 + 2
        movw    $mend, 6 * 4
        movw    %ax, 6 * 4 + 2
        movw    $timer, 8 * 4
        movw    %ax, 8 * 4 + 2
        movw    $handler, 0x21 * 4
        movw    %ax, 0x21 * 4 + 2

        pushf                           /* one single step: behind the NOP */
        pop     %bx
        or      $0x100, %bx
        push    %bx
        popf
        nop
stepped:
        pushf
        pop     %bx
        and     $0xfeff, %bx
        push    %bx
        popf
        int3
        mov     $0x7f, %al
        add     $1, %al
        into
        .byte   0xf1                    /* INT1 */
        int     $1
        .byte   0xcd, 3                 /* INT n, not INT3 */

        call    outer
        ljmp    $0x7c0, $(based - 0x7c00)
based:  mov     $1, %ax
        int     $0x21
behind: nop
undefined:
        ud2
mended: nop

        mov     $0x11, %al              /* PIC: vectors from 8, line 0 alone */
        out     %al, $0x20
        mov     $8, %al
        out     %al, $0x21
        mov     $4, %al
        out     %al, $0x21
        mov     $1, %al
        out     %al, $0x21
        mov     $0xfe, %al
        out     %al, $0x21
        mov     $0x34, %al              /* PIT: channel 0, mode 2, count 1000h */
        out     %al, $0x43
        mov     $0, %al
        out     %al, $0x40
        mov     $0x10, %al
        out     %al, $0x40
        sti
wait:   hlt
        nop
        cli
done:   hlt
        nop
again:  hlt
        mov     $1, %al
        out     %al, $0x92
        hlt

handler:
        iret
mend:   push    %bp
        mov     %sp, %bp
        addw    $2, 2(%bp)
        pop     %bp
        iret
timer:  push    %ax
        mov     $0x20, %al
        out     %al, $0x20
        pop     %ax
        iret
outer:  push    %bp
        mov     %sp, %bp
        call    inner
        pop     %bp
        ret
inner:  push    %bp
        mov     %sp, %bp
        nop
        pop     %bp
        ret
        .org    510
        .word   0xaa55
