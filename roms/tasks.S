/* Hardware task switches: JMP and CALL to a TSS, IRET through the back link, an interrupt and a fault with an error
 * code through task gates. The task "user" is in ring 3, so its switches change the ring too. Every stop prints TR,
 * the CPL, NT, the back link of its TSS, and which TSSs are busy.
 * SDM 3A 7.2 (Task Management Data Structures), 7.3 (Task Switching), 7.4 (Task Linking). */
#include "roms/demo.inc"

#define CS0 0x08
#define DS0 0x10
#define CS3 0x1b
#define DS3 0x23
#define TSS_MAIN 0x28
#define TSS_USER 0x30
#define TSS_INT 0x38
#define TSS_GP 0x40
#define GATE_USER 0x48
#define VEC_GP 13
#define VEC_TASK 0x31
#define IOPL3 0x3000
#define EF_NT 0x4000
#define BAD_SELECTOR 0x7ff8

        .data
        .balign 8
gdt:    .quad   0
        DESCRIPTOR 0, 0xfffff, CODE, 0xc
        DESCRIPTOR 0, 0xfffff, DATA, 0xc
        DESCRIPTOR 0, 0xfffff, CODE|DPL(3), 0xc
        DESCRIPTOR 0, 0xfffff, DATA|DPL(3), 0xc
descriptor_main:                        /* the bases are filled in */
        DESCRIPTOR 0, 103, TSS32|DPL(3), 0
descriptor_user:
        DESCRIPTOR 0, 103, TSS32, 0
descriptor_int:
        DESCRIPTOR 0, 103, TSS32, 0
descriptor_gp:
        DESCRIPTOR 0, 103, TSS32, 0
gate_user:
        .quad   0
gdtr:   .word   . - gdt - 1
        .long   gdt
idtr:   .word   64 * 8 - 1
        .long   idt

/* SDM 3A 7.2.1 (Task-State Segment (TSS)), Figure 7-2 */
        .macro  TASK_STATE cs, ds, eip, esp, eflags
        .long   0                       /* back link */
        .long   stack0_top, DS0, 0, 0, 0, 0
        .long   0                       /* CR3 */
        .long   \eip, \eflags
        .long   0, 0, 0, 0              /* EAX, ECX, EDX, EBX */
        .long   \esp, 0, 0, 0
        .long   \ds, \cs, \ds, \ds, \ds, \ds
        .long   0                       /* LDT */
        .long   104 << 16               /* no I/O bitmap */
        .endm
#define TSS_EIP 32
tss_main:
        TASK_STATE 0, 0, 0, 0, 0        /* a switch away fills it */
tss_user:
        TASK_STATE CS3, DS3, user, stack_user_top, (IOPL3 + 2)
tss_int:
        TASK_STATE CS0, DS0, on_int, stack_int_top, 2
tss_gp:
        TASK_STATE CS0, DS0, on_gp, stack_gp_top, 2

        .bss
        .balign 16
idt:    .skip   64 * 8
        .skip   1024
stack0_top:
        .skip   1024
stack_user_top:
        .skip   1024
stack_int_top:
        .skip   1024
stack_gp_top:

        .text
        GATE_ROUTINES

        .code32
busy:                                   /* the busy bit of the descriptor at EDI: TSS32 is 89h, busy 8Bh */
        mov     5(%edi), %al
        shr     $1, %al
        and     $1, %eax
        HEX     32, 1, %eax
        ret

report32:                               /* ESI = what happened */
        call    puts32
        SAY     32, ": TR="
        str     %eax
        HEX     32, 2, %eax
        SAY     32, " CPL="
        mov     %cs, %eax
        and     $3, %eax
        HEX     32, 1, %eax
        SAY     32, " NT="
        pushf
        pop     %eax
        shr     $14, %eax
        and     $1, %eax
        HEX     32, 1, %eax
        SAY     32, " link="
        str     %eax
        and     $0xfff8, %eax
        mov     gdt + 2(%eax), %ebx     /* the TSS's base */
        and     $0xffffff, %ebx
        movzwl  (%ebx), %eax
        HEX     32, 2, %eax
        SAY     32, " busy:"
        .macro  BUSY task, selector
        SAY     32, " \task "
        mov     $gdt + \selector, %edi
        call    busy
        .endm
        BUSY    main, TSS_MAIN
        BUSY    user, TSS_USER
        BUSY    int, TSS_INT
        BUSY    gp, TSS_GP
        SAY     32, "\n"
        ret

        .code16
main:
        PROTECTED_MODE CS0, DS0
        mov     $stack0_top, %esp
        .irp    task, main, user, int, gp
        mov     $tss_\task, %eax
        mov     %ax, descriptor_\task + 2
        .endr
        GATE    32, gate_user, 0, TSS_USER, TASK_GATE
        GATE    32, idt+VEC_TASK*8, 0, TSS_INT, TASK_GATE|DPL(3)
        GATE    32, idt+VEC_GP*8, 0, TSS_GP, TASK_GATE
        lidtl   idtr
        mov     $TSS_MAIN, %eax
        ltr     %ax
        clts
        REPORT  32, "main, LTR"

        ljmp    $TSS_USER, $0
        REPORT  32, "main, JMP from user"
        SAY     32, "  CR0.TS="
        mov     %cr0, %eax
        shr     $3, %eax
        and     $1, %eax
        HEX     32, 1, %eax
        SAY     32, "\n"

        lcall   $GATE_USER, $0
        REPORT  32, "main, IRET from user"

        mov     $0x12345678, %ebp
        int     $VEC_TASK
        REPORT  32, "main, IRET from int"
        SAY     32, "  EBP="
        HEX     32, 8, %ebp
        SAY     32, "\n"

        mov     $BAD_SELECTOR, %eax
the_fault:
        mov     %eax, %es               /* two bytes */
        REPORT  32, "main, IRET from gp"
        EXIT    ALL_WELL

user:   REPORT  32, "user, JMP from main"
        ljmp    $TSS_MAIN, $0
        REPORT  32, "user, CALL through a task gate"
        int     $VEC_TASK
        REPORT  32, "user, IRET from int"
        iret                            /* NT: through the back link */
        ud2

on_int: REPORT  32, "int, INT through a task gate"
        mov     $0xbad, %ebp            /* this task's own */
        iret
        jmp     on_int                  /* the next switch goes on here */

on_gp:  REPORT  32, "gp, a fault through a task gate"
        SAY     32, "  error code "
        pop     %eax
        HEX     32, 4, %eax
        SAY     32, "h, EIP "
        cmpl    $the_fault, tss_main + TSS_EIP
        jne     1f
        SAY     32, "at the fault\n"
        addl    $2, tss_main + TSS_EIP
        iret
1:      SAY     32, "elsewhere\n"
        EXIT    1
