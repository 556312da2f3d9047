/* What the host and the monitor of the bootable image share: the layout of the disk and of a case's state.
 * docs/conformance.md, "Second opinions". */
#ifndef TESTS_ORACLE_MONITOR_H
#define TESTS_ORACLE_MONITOR_H

/* 64-bit words of a state, as the assembly addresses them too. */
#define S_GPR 0
#define S_RIP 16
#define S_FLAGS 17
#define S_SEG 18 /* es cs ss ds fs gs ldtr tr: selectors */
#define S_FSBASE 26
#define S_GSBASE 27
#define S_CR0 28
#define S_CR2 29
#define S_CR3 30
#define S_CR4 31
#define S_EFER 32
#define S_MSR 33 /* STAR LSTAR CSTAR FMASK SYSENTER_CS _ESP _EIP KERNEL_GS_BASE */
#define S_MSRS 8
#define S_DR 41 /* 0 to 3, 6 */
#define S_GDTBASE 46
#define S_GDTLIMIT 47
#define S_IDTBASE 48
#define S_IDTLIMIT 49
#define S_COUNT 50
#define S_DESC 50 /* only inwards: descriptors that fill the segment registers */
#define S_ALL 58

/* The x87, MMX and SSE: 64-bit words of an FXSAVE image, and how many of them there are to see. */
#define FPU_WORDS 64
#define FPU_SEEN 36
#define FPU_SEEN_LONG 52

#define MON_BASE 0x1000000 /* where the monitor runs; also its linear address in a case's page tables */
#define MON_STUBS 0x1000   /* its ways in from handlers, 16 bytes for each vector: 64-bit code, then 32-bit */
#define MON_STUBS32 0x2000
#define MON_SS 0xffb8 /* the stack to enter an outer ring from */
#define MON_CS32 0xffc0
#define MON_DS 0xffc8
#define MON_CS64 0xffd0

#define SECTOR 512
#define BOOT_SECTORS 120 /* of the monitor, from sector 1 */
#define HEAD_LBA 127
#define BASES_LBA 128
#define BASE_BYTES 0x80000
#define IMAGE_MAGIC 0x6b6c6177

#define ENTER_LONG 1
#define ENTER_V86 2
#define ENTER_OUTER 4 /* CPL > 0 */
#define ENTER_FPU 8 /* it has its own x87, MMX and SSE */

#ifndef __ASSEMBLER__
struct image_head {
  unsigned magic, bases, cases, first; /* first: bytes from the first case to the one to begin with */
  __UINT64_TYPE__ fpu[FPU_SEEN_LONG];  /* of cases without their own */
};
/* A case: this, then `words` of struct image_word, which differ from the base; then, with ENTER_FPU,
 * FPU_WORDS. */
struct image_case {
  unsigned serial, base, enter, words;
  __UINT64_TYPE__ s[S_ALL];
};
struct image_word {
  unsigned at, low, high;
};
#endif

#endif
