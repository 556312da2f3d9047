/* The decode cache: guest code as blocks of pre-decoded instructions, found by physical address and mode, and
 * forgotten when the bytes change. SDM 3A 11.6 (Self-Modifying Code). */
#ifndef CPU_CODE_H
#define CPU_CODE_H

#include "cpu/insn.h"
#include "cpu/vm.h"

MUST_CHECK struct code_cache *code_create(void);
void code_destroy(struct code_cache *c);

/* The code at cpu->rip in the current mode, decoding it if need be. Raises fetch faults with cpu->insn = NULL. */
const struct insn *code_lookup(struct cpu *cpu);

/* Does decoded code come from this page of guest-physical memory? */
bool code_page_present(const struct vm *vm, u64 gpa);
/* The guest wrote [gpa, gpa+n), inside one page: kills the blocks there; sets cpu->leave when the running block may
 * be one of them. */
void code_written(struct cpu *cpu, u64 gpa, unsigned n);
/* A translation used for fetches is gone: the jump cache and the links across pages no longer hold. */
void code_mapping_gone(struct cpu *cpu);
/* Everything that is decoded shall be forgotten by the next code_collect(). */
void code_forget(struct vm *vm);
/* Frees dead and surplus blocks; only while no processor is inside a block. */
void code_collect(struct vm *vm);

/* The fetch translation of a linear address; raises #PF. */
const struct exec_page *mem_fetch_page(struct cpu *cpu, u64 la);

/* Remembers a link so that code_mapping_gone() can cut it. */
void code_link(struct cpu *cpu, const struct insn *from, const struct insn *to);

static inline struct jump_entry *jump_slot(struct cpu *cpu, u64 rip) {
  return &cpu->jump[(rip ^ rip >> JUMP_BITS) & ((1 << JUMP_BITS) - 1)];
}

#endif
