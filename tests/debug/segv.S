/* A store to address 0; the handler of SIGSEGV gives the instruction another address, and it is done again. */
        .globl  _start
_start: mov     $13, %eax               /* rt_sigaction(SIGSEGV, &action, NULL, 8) */
        mov     $11, %edi
        mov     $action, %esi
        xor     %edx, %edx
        mov     $8, %r10d
        syscall
        xor     %edi, %edi
store:  movl    $42, (%rdi)
        mov     $60, %eax               /* exit(counter) */
        mov     counter, %edi
        syscall

handler:                                /* RDX: ucontext; its RDI is 104 bytes in */
        movq    $counter, 104(%rdx)
        ret
restorer:
        mov     $15, %eax               /* rt_sigreturn */
        syscall

        .data
        .balign 8
action: .quad   handler, 0x04000004, restorer, 0        /* SA_SIGINFO | SA_RESTORER */
        .globl  counter
        .type   counter, @object
        .size   counter, 4
counter:
        .long   0
