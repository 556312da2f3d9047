/* The named fields of registers and table entries, and what the views share: one row a field, for text and for JSON. */
#ifndef DEBUGGER_VIEW_FIELDS_H
#define DEBUGGER_VIEW_FIELDS_H

#include "cpu/seg.h"
#include "debugger/views.h"

enum field_set {
  F_CR0, F_CR4, F_CR8, F_XCR0, F_EFER, F_RFLAGS, F_DR6, F_DR7, F_MXCSR, F_FCW, F_FSW,
  F_APIC_BASE, F_FEATURE_CONTROL, F_SPEC_CTRL, F_ARCH_CAPABILITIES, F_MISC_ENABLE, F_DEBUGCTL, F_MTRRCAP,
  F_MTRR_DEF_TYPE, F_MCG_CAP, F_MCG_STATUS, F_MC_STATUS, F_SYSCFG, F_HWCR, F_VM_CR, F_DE_CFG, F_TOP_MEM, F_NONE
};

struct field {
  u8 set, hi, lo;
  const char *name, *meaning; /* meaning: of a bit that is set, or of the field */
};

/* The fields of a set, from the highest bit down; NULL beyond the last. */
const struct field *field_at(enum field_set set, unsigned n);
/* Text: "PG cd nw WP", a name in capitals where the bit is set, fields of more bits as NAME=value; column: where on its
 * line that begins, for more lines to begin there; 0: on one line, and only what is not 0. JSON: "bits":{"PG":1,..}. */
void fields_show(struct out *o, enum field_set set, u64 v, unsigned column);
/* Text alone: a line for each bit that is set and each field that is not 0, indented. */
void fields_explain(struct out *o, enum field_set set, u64 v);

/* Addresses as the mode writes them: 16 digits in 64-bit mode, else 8. */
static inline int view_digits(const struct cpu *cpu) { return cpu_code64(cpu) ? 16 : 8; }
/* The name of an address: " <main+4>" and "name":"main+4"; nothing when it has none. */
void view_name(const struct view *v, u64 addr);
/* The linear address of an offset in CS. */
static inline u64 view_code(const struct cpu *cpu, u64 rip) {
  return cpu_code64(cpu) ? rip : (u32)(cpu->seg[CS].base + rip);
}
/* "IF ZF PF" in a buffer, from explain_flags(). */
void view_flags_words(char *buf, size_t n, u32 rflags);
/* "64-bit mode", "real-address mode", ...; code_bits may be NULL. */
const char *view_mode_name(const struct cpu *cpu, unsigned *code_bits);
/* "UC", "WB", ...: SDM 3A 11.12.2 (IA32_PAT MSR); 2 and 3 are reserved. */
const char *view_memory_type(unsigned type);

/* A descriptor that was read from a table, or a segment register's hidden part. */
struct view_desc {
  struct seg s;       /* as a segment; base whole, also that of a descriptor of 16 bytes */
  u64 lo, hi;
  bool wide;          /* it has 16 bytes */
  bool high_missing;  /* but the second half is beyond the table or cannot be read */
};
/* type, DPL, base and limit, or where a gate leads; the JSON members of the object in progress. */
void view_desc_show(const struct view *v, const struct view_desc *d);
/* Its JSON members selector, index, table, rpl. */
void view_selector_json(struct out *o, u16 sel);
/* Why the descriptor that sel names cannot be read; NULL: it was. */
const char *view_desc_read(struct cpu *cpu, u16 sel, struct view_desc *d);

#endif
