/* The segments that test cases run with: Linux's own in the GDT, and those this program puts into its LDT. */
#ifndef TESTS_NATIVE_SEGMENTS_H
#define TESTS_NATIVE_SEGMENTS_H

#include "tests/native/case.h"

/* Linux arch/x86/include/asm/segment.h: the GDT of a 64-bit kernel. */
enum { USER32_CS = 0x23, USER_DS = 0x2b, USER_CS = 0x33, CPUNODE = 0x7b, GDT_BYTES = 0x80 };

enum ldt_entry {
  LDT_CODE16, LDT_DATA16, LDT_STACK16, LDT_EXTRA16, LDT_CODE32, LDT_DATA32, LDT_STACK32, LDT_EXTRA32,
  LDT_OPEN, LDT_ODD, LDT_SMALL, LDT_DOWN, LDT_DOWN16, LDT_READONLY, LDT_EXECONLY, LDT_ABSENT, LDT_BACK,
  LDT_SEGMENTS
};
#define LDT_SEL(n) ((u16)((n) << 3 | 7))

/* Puts them into this process's LDT. False: the kernel refuses, so that only its own segments can be used. */
MUST_CHECK bool segments_install(void);

/* The same tables as the emulated processor reads them. SDM 3A 3.4.5 (Segment Descriptors) */
void segments_gdt(u8 *out); /* GDT_BYTES; without the TSS and the LDT */
void segments_ldt(u8 *out); /* 8 * LDT_SEGMENTS */

/* The base of a selector's segment; 0 for what has none. */
u64 segment_base(u16 sel);

/* A selector for an instruction that takes one: of any quality. */
u16 segment_any(struct rng *r);

/* Chooses the selectors and bases of a case by mode and form. */
void segments_choose(struct test_case *c, struct rng *r, bool based);

#endif
