/* Into a state of ring 3 by IRETQ, and out of it by a signal handler. SDM 2A IRET (IA-32e-MODE); signal(7).
 *
 * IRETQ reaches every code segment, with any flags and all registers loaded. The signal handler is entered with the
 * interrupted DS, ES, FS and GS, flags like AC, and no thread-local storage: it takes them down and puts this
 * program's back before C runs. */
#include <asm/prctl.h>
#include <asm/unistd_64.h>

#include "tests/native/enter.h"

        .bss
        .balign 8
saved_rsp:      .skip 8

        .text
/* Loads FS and GS: selectors by MOV, then their bases if the selector is NULL (64-bit code). In: %edi, %esi the
 * selectors, %rdx, %rcx the bases. */
load_fs_gs:
        mov     %edi, %fs
        mov     %esi, %gs
        cmpb    $0, native_fsgsbase(%rip)
        je      1f
        test    %edi, %edi
        jnz     2f
        wrfsbase %rdx
2:      test    %esi, %esi
        jnz     3f
        wrgsbase %rcx
3:      ret
1:      push    %rcx
        push    %rsi
        test    %edi, %edi
        jnz     4f
        mov     $ARCH_SET_FS, %edi
        mov     %rdx, %rsi
        mov     $__NR_arch_prctl, %eax
        syscall
4:      pop     %rcx
        pop     %rsi
        test    %ecx, %ecx
        jnz     5f
        mov     $ARCH_SET_GS, %edi
        mov     $__NR_arch_prctl, %eax
        syscall
5:      ret

/* The vector and opmask registers, as far as native_vectors says that there are any. In: %rbx the state. */
load_vectors:
        cmpb    $1, native_vectors(%rip)
        jb      2f
        ja      1f
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        vmovdqu STATE_VEC + 64 * \n(%rbx), %ymm\n
        .endr
        ret
1:      .irp    n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        vmovdqu64 STATE_VEC + 64 * \n(%rbx), %zmm\n
        .endr
        .irp    n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
        vmovdqu64 STATE_VEC + 64 * \n(%rbx), %zmm\n
        .endr
        .irp    n, 0, 1, 2, 3, 4, 5, 6, 7
        kmovq   STATE_K + 8 * \n(%rbx), %k\n
        .endr
2:      ret

/* void native_enter(const struct state *): returns by native_resume(). */
        .globl  native_enter
        .type   native_enter, @function
native_enter:
        push    %rbx
        push    %rbp
        push    %r12
        push    %r13
        push    %r14
        push    %r15
        mov     %rsp, saved_rsp(%rip)
        movb    $1, native_inside(%rip) /* from here on a signal has a way back */
        mov     %rdi, %rbx
        movzwl  STATE_SEL + 0(%rbx), %eax
        mov     %eax, %es
        movzwl  STATE_SEL + 6(%rbx), %eax
        mov     %eax, %ds
        movzwl  STATE_SEL + 8(%rbx), %edi
        movzwl  STATE_SEL + 10(%rbx), %esi
        mov     STATE_FS_BASE(%rbx), %rdx
        mov     STATE_GS_BASE(%rbx), %rcx
        call    load_fs_gs
        fxrstor64 STATE_FX(%rbx)
        call    load_vectors
        mov     $ENTRY_STACK, %esp
        movzwl  STATE_SEL + 4(%rbx), %eax
        push    %rax
        push    STATE_GPR + 8 * 4(%rbx)
        push    STATE_EFLAGS(%rbx)
        movzwl  STATE_SEL + 2(%rbx), %eax
        push    %rax
        push    STATE_RIP(%rbx)
        mov     STATE_GPR + 8 * 0(%rbx), %rax
        mov     STATE_GPR + 8 * 1(%rbx), %rcx
        mov     STATE_GPR + 8 * 2(%rbx), %rdx
        mov     STATE_GPR + 8 * 5(%rbx), %rbp
        mov     STATE_GPR + 8 * 6(%rbx), %rsi
        mov     STATE_GPR + 8 * 7(%rbx), %rdi
        mov     STATE_GPR + 8 * 8(%rbx), %r8
        mov     STATE_GPR + 8 * 9(%rbx), %r9
        mov     STATE_GPR + 8 * 10(%rbx), %r10
        mov     STATE_GPR + 8 * 11(%rbx), %r11
        mov     STATE_GPR + 8 * 12(%rbx), %r12
        mov     STATE_GPR + 8 * 13(%rbx), %r13
        mov     STATE_GPR + 8 * 14(%rbx), %r14
        mov     STATE_GPR + 8 * 15(%rbx), %r15
        mov     STATE_GPR + 8 * 3(%rbx), %rbx
        iretq

/* The handler of every signal that a case can end in. */
        .globl  native_signal
        .type   native_signal, @function
native_signal:
        push    $0x202
        popfq
        cmpb    $0, native_inside(%rip)
        je      9f
        push    %rdi
        push    %rsi
        push    %rdx
        mov     %es, native_selectors + 0(%rip)
        mov     %cs, native_selectors + 2(%rip)
        mov     %ss, native_selectors + 4(%rip)
        mov     %ds, native_selectors + 6(%rip)
        mov     %fs, native_selectors + 8(%rip)
        mov     %gs, native_selectors + 10(%rip)
        cmpb    $0, native_fsgsbase(%rip)
        je      6f
        rdfsbase %rax
        mov     %rax, native_bases(%rip)
        rdgsbase %rax
        mov     %rax, native_bases + 8(%rip)
        jmp     7f
6:      mov     $ARCH_GET_FS, %edi
        lea     native_bases(%rip), %rsi
        mov     $__NR_arch_prctl, %eax
        syscall
        mov     $ARCH_GET_GS, %edi
        lea     native_bases + 8(%rip), %rsi
        mov     $__NR_arch_prctl, %eax
        syscall
7:      xor     %edi, %edi
        xor     %esi, %esi
        mov     native_own_fs(%rip), %rdx
        xor     %ecx, %ecx
        call    load_fs_gs
        pop     %rdx
        pop     %rsi
        pop     %rdi
9:      jmp     native_on_signal

/* void native_resume(void): as if native_enter() returned. */
        .globl  native_resume
        .type   native_resume, @function
native_resume:
        mov     saved_rsp(%rip), %rsp
        pop     %r15
        pop     %r14
        pop     %r13
        pop     %r12
        pop     %rbp
        pop     %rbx
        ret

        .section .note.GNU-stack, "", @progbits
