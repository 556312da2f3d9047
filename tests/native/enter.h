/* Layout of struct state (tests/native/case.h) for enter.S; native.c checks it. */
#ifndef TESTS_NATIVE_ENTER_H
#define TESTS_NATIVE_ENTER_H

#define STATE_GPR 0
#define STATE_RIP 128
#define STATE_EFLAGS 136
#define STATE_FS_BASE 144
#define STATE_GS_BASE 152
#define STATE_SEL 160 /* ES CS SS DS FS GS */
#define STATE_FX 176
#define STATE_K 688
#define STATE_VEC 768 /* 64 bytes each */
#define ENTRY_STACK 0x2fffe000

#endif
