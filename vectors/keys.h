/* The words of statements: kinds and fields of segments, descriptors, gates and pages. Places in these tables
 * are what struct stmt and struct arg hold. */
#ifndef VECTORS_KEYS_H
#define VECTORS_KEYS_H

#include "base/types.h"

enum seg_kind { SK_KEEP, SK_NULL, SK_LOAD, SK_CODE64, SK_CODE32, SK_DATA, SK_REAL, SK_V86 };
enum seg_key { SG_SEL, SG_BASE, SG_LIMIT, SG_ATTR, SG_DPL };
enum gdt_kind { GK_RAW, GK_CODE64, GK_CODE32, GK_CODE16, GK_DATA, GK_LDT, GK_TSS, GK_GATE };
enum gdt_key { GD_BASE, GD_LIMIT, GD_TYPE, GD_DPL, GD_P, GD_S, GD_L, GD_D, GD_G, GD_AVL, GD_RAW,
               GD_SEL, GD_OFFSET, GD_COUNT };
enum idt_kind { IK_INTERRUPT, IK_TRAP, IK_INTERRUPT16, IK_TRAP16, IK_TASK, IK_CALLGATE, IK_GATE };
enum idt_key { ID_DPL, ID_SEL, ID_OFFSET, ID_IST, ID_P, ID_TYPE, ID_S };
enum task_key { TK_LINK, TK_CR3, TK_IP, TK_FLAGS, TK_AX, TK_ES = TK_AX + 8, TK_LDT = TK_ES + 6, TK_TRAP, TK_COUNT };
enum page_key { PG_P, PG_RW, PG_US, PG_A, PG_D, PG_NX };

extern const char *const seg_kinds[], *const seg_keys[], *const gdt_kinds[], *const gdt_keys[];
extern const char *const idt_kinds[], *const idt_keys[], *const page_keys[], *const task_keys[];

struct tss_field {
  const char *name;
  u8 offset, size;
};
extern const struct tss_field tss_fields[];
int tss_field_find(const char *name);

#endif
