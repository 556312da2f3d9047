/* Writes a line, echoes what it reads, and runs on without an end. Without a C library. */
        .globl  _start
_start: mov     $1, %edi
        lea     ready(%rip), %rsi
        mov     $6, %edx
        mov     $1, %eax                /* write */
        syscall
        xor     %edi, %edi
        lea     buffer(%rip), %rsi
        mov     $64, %edx
        xor     %eax, %eax              /* read */
        syscall
        mov     %eax, %edx
        mov     $1, %edi
        mov     $1, %eax
        syscall
spin:   jmp     spin

        .data
ready:  .ascii  "ready\n"
buffer: .skip   64
