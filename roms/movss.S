/* The MOV SS trap (CVE-2018-8897): MOV SS holds off debug exceptions for one instruction, so that a breakpoint on the
 * memory it reads is reported behind that instruction. If that one enters the kernel, #DB arrives at the kernel's first
 * instruction, at CPL 0; behind SYSCALL, on the user's stack as well. The single-step trap of MOV SS is lost instead.
 * SDM 3A 6.8.3 (Masking Exceptions and Interrupts When Switching Stacks); SDM 3B 17.3.1.2 (Data Memory and I/O
 * Breakpoint Exception Conditions), 17.3.1.4 (Single-Step Exception Condition). */
#include "roms/demo64.inc"

#define VEC_CALL 0x80
#define EF_TF 0x100
#define DR7_BREAK 0x00070401            /* DR0: two bytes, read or written */

        .data
        .balign 8
selector:
        .word   DS3

        .bss
        .balign 8
next:   .skip   8
stepping:
        .skip   8

        .text
/* At CPL 3 at `label`, on stack3_top, with these flags; whatever then enters the kernel ends in `after`. */
        .macro  ENTER_USER label, after, flags
        movq    $\after, next
        mov     $stack0_top, %esp
        push    $DS3
        push    $stack3_top
        push    $\flags | 2
        push    $CS3
        mov     $\label, %eax
        push    %rax
        iretq
        .endm

long_main:
        GATE    64, idt+VEC_DB*16, on_debug, CS0, INT_GATE
        GATE    64, idt+VEC_BP*16, on_int3, CS0, INT_GATE|DPL(3)
        GATE    64, idt+VEC_CALL*16, on_int80, CS0, INT_GATE|DPL(3)
        WRITE_MSR STAR, USER_BASE<<16|CS0, 0
        WRITE_MSR LSTAR, 0, on_syscall
        WRITE_MSR FMASK, 0, 0x4700

        SAY     64, "single steps through NOP, MOV SS, NOP, NOP end at"
        movq    $1, stepping
        ENTER_USER user_steps, steps_over, EF_TF
steps_over:
        SAY     64, "\n"
        movq    $0, stepping

        mov     $selector, %eax
        mov     %rax, %dr0
        mov     $DR7_BREAK, %eax
        mov     %rax, %dr7
        SAY     64, "MOV SS, NOP:     "
        ENTER_USER user_nop, 1f, 0
1:      SAY     64, "MOV SS, INT 80h: "
        ENTER_USER user_int80, 1f, 0
1:      SAY     64, "MOV SS, INT3:    "
        ENTER_USER user_int3, 1f, 0
1:      SAY     64, "MOV SS, SYSCALL: "
        ENTER_USER user_syscall, 1f, 0
1:      EXIT    ALL_WELL

/* ---- ring 3 ---- */
user_steps:
        nop                             /* TF as IRET loads it acts one instruction later: behind this */
        mov     %eax, %ss
        nop
        nop
        int     $VEC_CALL
user_nop:
        mov     selector, %ss
        nop
behind_nop:
        int     $VEC_CALL
user_int80:
        mov     selector, %ss
        int     $VEC_CALL
user_int3:
        mov     selector, %ss
        int3
user_syscall:
        mov     selector, %ss
        syscall

/* ---- ring 0 ---- */
on_int80:
        nop
        cmpq    $0, stepping
        jne     done
        jmp     no_trap
on_int3:
        nop
        jmp     no_trap
on_syscall:
        nop
no_trap:
        SAY     64, "no #DB\n"
done:   mov     $stack0_top, %esp
        jmp     *next

on_debug:                               /* RIP, CS, RFLAGS, RSP, SS */
        cmpq    $0, stepping
        jne     on_step
        mov     %rsp, %rbp
        SAY     64, "#DB at CPL "
        mov     8(%rbp), %eax
        and     $3, %eax
        HEX     64, 1, %eax
        mov     (%rbp), %rdi
        .macro  PLACE at, name:vararg
        cmp     $\at, %rdi
        jne     1f
        SAY     64, \name
1:
        .endm
        PLACE   behind_nop, ", behind the NOP"
        PLACE   on_int80, ", at the first instruction of INT 80h's handler"
        PLACE   on_int3, ", at the first instruction of INT3's handler"
        PLACE   on_syscall, ", at the first instruction behind SYSCALL"
        cmp     $stack3_top, %rbp
        ja      1f
        cmp     $stack0_top, %rbp
        jbe     1f
        SAY     64, ", on the user's stack"
1:      SAY     64, "; DR6 has B0="
        mov     %dr6, %rax
        and     $1, %eax
        HEX     64, 1, %eax
        SAY     64, "\n"
        xor     %eax, %eax
        mov     %rax, %dr6
        jmp     done

on_step:
        SAY     64, " +"
        mov     (%rsp), %eax
        sub     $user_steps, %eax
        HEX     64, 1, %eax
        mov     $DS3, %eax              /* for the MOV SS */
        iretq
