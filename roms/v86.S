/* A virtual-8086 monitor: runs a small 8086 program at CPL 3 with IOPL 0, so that CLI, STI, PUSHF, POPF, INT, IRET, HLT
 * and most ports fault, and does for it what an 8086 would have done: interrupts go to the 8086's own handlers, IF is
 * virtual. The serial port is open to it by the I/O permission bitmap.
 * SDM 3B 20.2 (Virtual-8086 Mode), 20.2.7 (Sensitive Instructions), 20.2.8.1 (I/O-Port-Mapped I/O), 20.3.1.1
 * (Handling an Interrupt or Exception Through a Protected-Mode Trap or Interrupt Gate). */
#include "roms/demo.inc"

#define CS0 0x08
#define DS0 0x10
#define TSS 0x18
#define VEC_UD 6
#define VEC_GP 13
#define EF_IF 0x200
#define EF_TF 0x100
#define EF_VM 0x20000
#define POPF_KEEPS 0x00037200           /* EFLAGS that the program's POPF and IRET do not reach: VM, RF, NT, IOPL, IF */
#define SERIAL_LAST 0x3ff
#define PORT_TRAPPED 0x61
#define PORT_ANSWER 0x5a

        .data
        .balign 8
gdt:    .quad   0
        DESCRIPTOR 0, 0xfffff, CODE, 0xc
        DESCRIPTOR 0, 0xfffff, DATA, 0xc
tss_descriptor:
        DESCRIPTOR 0, (tss_end - tss - 1), TSS32, 0
gdtr:   .word   . - gdt - 1
        .long   gdt
idtr:   .word   32 * 8 - 1
        .long   idt
tss:    .long   0
        .long   stack0_top, DS0
        .skip   102 - 12
        .word   bitmap - tss
bitmap: .fill   SERIAL / 8, 1, 0xff
        .byte   0                       /* 3F8h-3FFh: allowed */
        .byte   0xff                    /* the byte behind the last is read too */
tss_end:

        .bss
        .balign 16
idt:    .skip   32 * 8
        .skip   4096
stack0_top:
        .skip   4096
stack86_top:                            /* below 64 KiB: SS = 0 */
vif:    .skip   4
count_int: .skip 4
count_iret: .skip 4
count_pushf: .skip 4
count_popf: .skip 4

        .text
        GATE_ROUTINES

/* ---- the 8086's side: its program, its "DOS" and its "BIOS", all in the ROM, DS = CS ---- */
        .code16
program:
        mov     $9, %ah
        mov     $NEAR(hello), %edx
        int     $0x21
        cli
        call    print_if
        sti
        call    print_if
        pushf
        pop     %ax
        and     $~EF_IF, %ax
        push    %ax
        popf                            /* clears IF, as CLI does */
        call    print_if
        in      $PORT_TRAPPED, %al
        push    %ax
        mov     $9, %ah
        mov     $NEAR(in_gave), %edx
        int     $0x21
        pop     %ax
        call    print_byte
        mov     $0x4c00, %ax
        int     $0x21

print_if:
        pushf
        mov     $9, %ah
        mov     $NEAR(if_reads), %edx
        int     $0x21
        pop     %bx
        mov     $'0', %dl
        test    $EF_IF, %bx
        jz      1f
        inc     %dl
1:      mov     $2, %ah
        int     $0x21
        mov     $'\n', %dl
        mov     $2, %ah
        int     $0x21
        ret
print_byte:                             /* AL */
        mov     %al, %bl
        mov     $2, %cx
1:      rol     $4, %bl
        mov     %bl, %dl
        and     $15, %dl
        add     $'0', %dl
        cmp     $'9', %dl
        jbe     2f
        add     $7, %dl
2:      mov     $2, %ah
        int     $0x21
        loop    1b
        mov     $'\n', %dl
        mov     $2, %ah
        int     $0x21
        ret

dos:                                    /* INT 21h: AH = 2: DL; 9: the string at DX, up to "$"; 4Ch: the end */
        push    %si
        cmp     $2, %ah
        je      3f
        cmp     $9, %ah
        jne     9f
        mov     %dx, %si
1:      mov     (%si), %al
        inc     %si
        cmp     $'$', %al
        je      8f
        mov     $0xe, %ah
        int     $0x10
        jmp     1b
3:      mov     %dl, %al
        mov     $0xe, %ah
        int     $0x10
8:      pop     %si
        iret
9:      hlt

bios:                                   /* INT 10h, AH = Eh: writes AL */
        push    %dx
        call    putc16                  /* IN and OUT on the serial port: no trap */
        pop     %dx
        iret

hello:  .ascii  "8086: letters by INT 21h, INT 10h and OUT\n$"
if_reads:
        .ascii  "8086: PUSHF shows IF=$"
in_gave:
        .ascii  "8086: IN gave $"

/* ---- the monitor ---- */
main:
        movl    $NEAR(bios) + 0xf0000000, 0x10 * 4      /* F000:bios */
        movl    $NEAR(dos) + 0xf0000000, 0x21 * 4
        PROTECTED_MODE CS0, DS0
        mov     $stack0_top, %esp
        LOAD_TASK_REGISTER TSS
        GATE    32, idt+VEC_GP*8, general_protection, CS0, INT_GATE
        GATE    32, idt+VEC_UD*8, unexpected, CS0, INT_GATE
        lidtl   idtr
        SAY     32, "monitor: entering virtual-8086 mode\n"
        movl    $EF_IF, vif
        push    $0                      /* GS, FS, DS, ES */
        push    $0
        push    $0xf000
        push    $0xf000
        push    $0                      /* SS:SP */
        push    $stack86_top
        push    $EF_VM | 2              /* IOPL 0 */
        push    $0xf000
        push    $NEAR(program)
        iret

/* What the fault pushed, above the registers that PUSHA pushes. */
#define V_AL 28(%ebp)
#define V_EIP 36(%ebp)
#define V_CS 40(%ebp)
#define V_FLAGS 44(%ebp)
#define V_ESP 48(%ebp)
#define V_SS 52(%ebp)

unexpected:
        push    $0
general_protection:
        pusha
        mov     %esp, %ebp
        mov     $DS0, %eax
        mov     %eax, %ds
        mov     %eax, %es
        testl   $EF_VM, V_FLAGS
        jz      give_up
        movzwl  V_CS, %edi
        shl     $4, %edi
        add     V_EIP, %edi             /* the instruction's linear address */
        mov     (%edi), %al
        cmp     $0xcd, %al
        je      do_int
        cmp     $0xcf, %al
        je      do_iret
        cmp     $0x9c, %al
        je      do_pushf
        cmp     $0x9d, %al
        je      do_popf
        cmp     $0xfa, %al
        je      do_cli
        cmp     $0xfb, %al
        je      do_sti
        cmp     $0xe4, %al
        je      do_in
        cmp     $0xf4, %al
        je      do_hlt
give_up:
        SAY     32, "monitor: a fault that it cannot handle, at "
        HEX     32, 4, V_CS
        SAY     32, ":"
        HEX     32, 8, V_EIP
        SAY     32, "\n"
        EXIT    1

resume: popa
        add     $4, %esp                /* the error code */
        iret

push86: subw    $2, V_ESP               /* AX; changes EBX and ECX */
        movzwl  V_ESP, %ecx
        movzwl  V_SS, %ebx
        shl     $4, %ebx
        mov     %ax, (%ebx, %ecx)
        ret
pop86:  movzwl  V_ESP, %ecx
        movzwl  V_SS, %ebx
        shl     $4, %ebx
        movzwl  (%ebx, %ecx), %eax
        addw    $2, V_ESP
        ret
push86_flags:                           /* IF as the program thinks it is */
        mov     V_FLAGS, %eax
        and     $~EF_IF, %eax
        or      vif, %eax
        jmp     push86
pop86_flags:
        call    pop86
        mov     %eax, %edx
        and     $EF_IF, %edx
        mov     %edx, vif
        and     $0xffff & ~POPF_KEEPS, %eax
        andl    $0xffff0000 | POPF_KEEPS, V_FLAGS
        or      %eax, V_FLAGS
        ret

do_int: incl    count_int
        movzbl  1(%edi), %esi           /* the vector */
        call    push86_flags
        mov     V_CS, %eax
        call    push86
        mov     V_EIP, %eax
        add     $2, %eax
        call    push86
        movl    $0, vif
        andl    $~EF_TF, V_FLAGS
        movzwl  (, %esi, 4), %eax
        mov     %eax, V_EIP
        movzwl  2(, %esi, 4), %eax
        mov     %eax, V_CS
        jmp     resume
do_iret:
        incl    count_iret
        call    pop86
        mov     %eax, V_EIP
        call    pop86
        mov     %eax, V_CS
        call    pop86_flags
        jmp     resume
do_pushf:
        incl    count_pushf
        call    push86_flags
        jmp     next1
do_popf:
        incl    count_popf
        call    pop86_flags
        jmp     next1
do_cli: SAY     32, "monitor: CLI\n"
        movl    $0, vif
        jmp     next1
do_sti: SAY     32, "monitor: STI\n"
        movl    $EF_IF, vif
next1:  incw    V_EIP
        jmp     resume
do_in:  mov     1(%edi), %al
        mov     %al, %cl
        movb    $PORT_ANSWER, V_AL
        push    %ecx
        SAY     32, "monitor: IN, answered, from port "
        pop     %eax
        HEX     32, 2, %eax
        SAY     32, "h\n"
        addw    $2, V_EIP
        jmp     resume
do_hlt: SAY     32, "monitor: HLT, the program is over. Emulated: INT "
        HEX     32, 3, count_int
        SAY     32, "h, IRET "
        HEX     32, 3, count_iret
        SAY     32, "h, PUSHF "
        HEX     32, 1, count_pushf
        SAY     32, ", POPF "
        HEX     32, 1, count_popf
        SAY     32, "\n"
        EXIT    ALL_WELL
