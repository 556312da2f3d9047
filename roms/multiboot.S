/* A multiboot 1 kernel that says how it was started, judging what loaders may choose freely instead of printing it.
 * The Multiboot Specification version 0.6.96, 3.2 (Machine state), 3.3 (Boot information format). */
#include "roms/text.inc"

#define MAGIC 0x1badb002
#define FLAGS 0x10002                   /* memory information wanted; address fields given */
#define LOADED 0x2badb002

        .section .header, "a"
        .balign 4
header: .long   MAGIC, FLAGS, -(MAGIC + FLAGS)
        .long   header, header, load_end, bss_end, start

        .bss
        .skip   4096
stack_top:
zeros:  .skip   4096

        .text
        TEXT_ROUTINES 32, esi
        .macro  JUDGE condition, text:vararg     /* by the flags of the last comparison */
        set\condition %cl
        push    %ecx
        SAY     32, \text
        pop     %ecx
        call    verdict
        .endm
verdict:
        test    %cl, %cl
        jz      1f
        SAY     32, ": yes\n"
        ret
1:      SAY     32, ": NO\n"
        ret

        .globl  start
start:  mov     $stack_top, %esp
        mov     %eax, %edi
        mov     %ebx, %ebp              /* the information */
        cld
        cmp     $LOADED, %edi
        JUDGE   e, "EAX is 2BADB002h"
        mov     %cr0, %eax
        and     $0x80000001, %eax
        cmp     $1, %eax
        JUDGE   e, "protected mode, no paging"
        pushf
        pop     %eax
        test    $0x20200, %eax
        JUDGE   e, "interrupts off, not virtual-8086"
        movl    $0x12345678, 0x200000   /* without A20, 3 MiB would be 2 MiB */
        movl    $0, 0x300000
        cmpl    $0x12345678, 0x200000
        JUDGE   e, "A20 is open"
        mov     $zeros, %edi
        mov     $1024, %ecx
        xor     %eax, %eax
        repe scasl
        JUDGE   e, "the bss is zero"
        mov     (%ebp), %eax
        and     $0x45, %eax
        cmp     $0x45, %eax
        JUDGE   e, "memory sizes, command line and memory map are there"
        cmpl    $600, 4(%ebp)
        JUDGE   a, "more than 600 KiB of lower memory"
        cmpl    $63 << 10, 8(%ebp)
        setbe   %al
        cmpl    $60 << 10, 8(%ebp)
        seta    %ah
        test    %al, %ah
        JUDGE   ne, "some 63 MiB of upper memory"

        mov     48(%ebp), %esi          /* the map: find memory at 1 MiB */
        mov     44(%ebp), %ecx
        add     %esi, %ecx
1:      cmp     %ecx, %esi
        jae     2f
        cmpl    $0x100000, 4(%esi)
        jne     3f
        cmpl    $1, 20(%esi)
        je      2f
3:      add     (%esi), %esi
        add     $4, %esi
        jmp     1b
2:      cmp     %ecx, %esi
        JUDGE   b, "the map has memory at 1 MiB"

        mov     16(%ebp), %esi          /* the command line's last seven characters; a loader may put its name first */
        mov     %esi, %edi
        xor     %eax, %eax
        mov     $-1, %ecx
        repne scasb
        lea     -8(%edi), %esi
        mov     $wanted, %edi
        mov     $8, %ecx
        repe cmpsb
        JUDGE   e, "the command line ends in 'one two'"
        EXIT    ALL_WELL
wanted: .asciz  "one two"
