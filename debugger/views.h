/* What `info` shows of a processor and its tables, decoded: each a function of the processor alone, for text and JSON.
 * SDM 3A 2 (System Architecture Overview), 3.4.5 (Segment Descriptors), 6.11 (IDT Descriptors), 7.2 (Task Management
 * Data Structures). Nothing here changes the guest or sets accessed bits. Each view is an answer of its own
 * (out_begin()) named by its topic, and so a part of the one around it. */
#ifndef DEBUGGER_VIEWS_H
#define DEBUGGER_VIEWS_H

#include "cpu/vm.h"
#include "debugger/out.h"
#include "debugger/symbols.h"

/* What a view may compare with and name things by. */
struct view {
  struct out *out;
  struct cpu *cpu;
  const struct cpu *before;   /* the state at the stop before this one (registers, segments, MSRs), or NULL */
  const struct symbols *syms; /* may be NULL */
};

void view_registers(const struct view *v);             /* GPRs, RIP with its name, RFLAGS decoded, CPL and mode */
void view_sreg(const struct view *v);                  /* selectors and hidden parts, decoded; LDTR, TR, GDTR, IDTR */
void view_creg(const struct view *v);                  /* CR0, CR2, CR3, CR4, CR8, XCR0, EFER, PKRU, each bit named */
void view_dreg(const struct view *v);                  /* DR0-DR3, DR6, DR7 decoded */
void view_flags(const struct view *v);                 /* RFLAGS, a line a flag */
void view_mode(const struct view *v);                  /* real, v86, protected 16/32, compatibility, 64-bit; paging mode */
int view_msr(const struct view *v, const char *name);  /* NULL: all; else one, decoded (EFER, STAR, FMASK...). -1: error said */
/* Tables: n entries from first, decoded; first < 0: all that are not zero. */
void view_gdt(const struct view *v, int first, int n);
void view_ldt(const struct view *v, int first, int n);
void view_idt(const struct view *v, int first, int n);
void view_tss(const struct view *v);                   /* fields by its format, I/O map summarised */
void view_selector(const struct view *v, u16 sel);     /* one descriptor, decoded */
/* The page walk for a linear address: each level's entry, where it is, its bits; the translation, who may do what there. */
void view_page(const struct view *v, u64 la);
void view_tlb(const struct view *v);                   /* what the software TLBs hold, by privilege */
void view_cpuid(const struct view *v, s64 leaf);       /* -1: all leaves of the model */
void view_fpu(const struct view *v);                   /* x87 stack, FCW FSW FTW decoded, pointers */
void view_sse(const struct view *v);                   /* XMM as integers and floats, MXCSR decoded */
void view_avx(const struct view *v);                   /* YMM, or ZMM and opmasks: what the model has */

/* Disassembly by Capstone. */
struct disasm;
MUST_CHECK struct disasm *disasm_create(void);         /* NULL: Capstone cannot */
void disasm_destroy(struct disasm *d);
void disasm_set_intel(struct disasm *d, bool intel);   /* else AT&T, the default */
/* Bytes of code come from here, which tells how many it could read, instead of from the page tables: of a program, what is
 * not paged in yet as well. */
void disasm_set_reader(struct disasm *d, unsigned (*read)(void *opaque, u64 la, void *buf, unsigned n), void *opaque);
/* The instruction at linear address la, bits 16, 32 or 64, rip its offset in CS. Its length, the processor's own where
 * its model has the instruction; 0: unreadable or not an instruction, and text says "(bad)" or "(unreadable)". Operands
 * that are addresses get names. */
unsigned disasm_one(struct disasm *d, struct cpu *cpu, const struct symbols *syms, u64 la, u64 rip, unsigned bits,
                    char *text, size_t n);
/* How many of n bytes are an instruction, by the processor's decoder; all of one that it refuses; 0: it does not end there. */
unsigned disasm_length(const struct cpu *cpu, unsigned bits, const u8 *bytes, unsigned n);
/* Is the instruction a near CALL, a REP string instruction, a far transfer or INT n? For `next`. By the processor's
 * decoder; what its model does not have is INSN_OTHER of length 0. */
enum insn_class {
  INSN_OTHER,
  INSN_CALL,
  INSN_RET,  /* near, far, IRET, SYSRET, SYSEXIT */
  INSN_REP,
  INSN_TRAP, /* SYSCALL, SYSENTER, INT n, INT3, INT1, INTO, far call */
};
enum insn_class disasm_class(struct disasm *d, struct cpu *cpu, u64 la, u64 rip, unsigned bits, unsigned *len);

#endif
