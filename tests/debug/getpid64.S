/* getpid() by SYSCALL, then exit(). Without a C library, so that addresses and registers are the same everywhere. */
        .globl  _start
_start: mov     $39, %eax               /* getpid */
        syscall
        mov     $60, %eax               /* exit(0) */
        xor     %edi, %edi
        syscall
