/* The SYSRET trap (CVE-2012-0217): a kernel that returns to a non-canonical RCX. It has loaded the user's RSP already.
 * Intel faults at the SYSRET, at CPL 0, and the #GP handler's frame is written wherever the user's RSP points; AMD
 * returns first, and the fetch faults at CPL 3, on the kernel's stack. IRETQ, which Linux uses in that case, faults at
 * CPL 0 on both, but on the kernel's stack. SDM 2B SYSRET; APM 3 SYSRET; SDM 2A IRET/IRETD/IRETQ. */
#include "roms/demo64.inc"

#define NOT_CANONICAL 0x0000800000000000

        .bss
        .balign 16
        .skip   256
chosen_top:                             /* what the user's RSP points to: any memory of its choice */
next:   .skip   8

        .text
long_main:
        GATE    64, idt+VEC_GP*16, general_protection, CS0, INT_GATE
        WRITE_MSR STAR, USER_BASE<<16|CS0, 0

        SAY     64, "SYSRET to 0000800000000000h\n"
        movq    $next_iret, next
        movabs  $NOT_CANONICAL, %rcx
        mov     $2, %r11d               /* RFLAGS */
        mov     $chosen_top, %esp
the_sysret:
        sysretq

next_iret:
        SAY     64, "IRETQ to 0000800000000000h\n"
        movq    $over, next
        movabs  $NOT_CANONICAL, %rcx
        push    $DS3
        push    $chosen_top
        push    $2
        push    $CS3
        push    %rcx
the_iret:
        iretq

over:   EXIT    ALL_WELL

general_protection:                     /* error code, RIP, CS, RFLAGS, RSP, SS */
        mov     %rsp, %rbp
        SAY     64, "  #GP("
        HEX     64, 4, (%rbp)
        SAY     64, ") at CPL "
        mov     16(%rbp), %eax
        and     $3, %eax
        HEX     64, 1, %eax
        SAY     64, ", RIP = "
        mov     8(%rbp), %rdi
        cmp     $the_sysret, %rdi
        je      1f
        cmp     $the_iret, %rdi
        je      2f
        HEX_QUAD %rdi
        jmp     3f
1:      SAY     64, "the SYSRET"
        jmp     3f
2:      SAY     64, "the IRETQ"
3:      cmp     $chosen_top, %rbp
        ja      4f
        cmp     $chosen_top - 256, %rbp
        jb      4f
        SAY     64, "; its frame lies where the user's RSP pointed\n"
        jmp     5f
4:      SAY     64, "; its frame lies on the kernel's stack\n"
5:      mov     $stack0_top, %esp
        jmp     *next
