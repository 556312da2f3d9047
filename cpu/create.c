/* Machines and processors: creation, and the state after RESET. SDM 3A 9.1.1 (Processor State After Reset). */
#include <stdlib.h>

#include "cpu/code.h"
#include "cpu/decode.h"
#include "cpu/stops.h"

struct vm *vm_create(void) {
  struct vm *vm = calloc(1, sizeof *vm);
  if (!vm) return NULL;
  vm->hypercall_first = 1;
  vm->decoder = decoder_create();
  vm->code = code_create();
  if (!vm->decoder || !vm->code) {
    vm_destroy(vm);
    return NULL;
  }
  return vm;
}

void vm_destroy(struct vm *vm) {
  if (!vm) return;
  while (vm->cpus) cpu_destroy(vm->cpu[vm->cpus - 1]);
  stops_free(vm);
  code_destroy(vm->code);
  decoder_destroy(vm->decoder);
  free(vm);
}

struct cpu *cpu_create(struct vm *vm, const struct cpu_model *model) {
  if (vm->cpus == VM_MAX_CPUS) return NULL;
  struct cpu *cpu = aligned_alloc(4096, (sizeof *cpu + 4095) & ~(size_t)4095);
  if (!cpu) return NULL;
  memset(cpu, 0, offsetof(struct cpu, tlbs));
  cpu->vm = vm;
  cpu->model = model;
  vm->cpu[vm->cpus++] = cpu;
  cpu_reset(cpu);
  cpu_tlb_flush(cpu);
  return cpu;
}

void cpu_destroy(struct cpu *cpu) {
  if (!cpu) return;
  struct vm *vm = cpu->vm;
  for (unsigned n = 0; n < vm->cpus; n++)
    if (vm->cpu[n] == cpu) {
      vm->cpu[n] = vm->cpu[--vm->cpus];
      break;
    }
  free(cpu);
}

void cpu_reset(struct cpu *cpu) {
  memset(cpu->gpr, 0, sizeof cpu->gpr);
  struct cpuid_dynamic dyn = cpuid_dynamic_reset(cpu->model);
  u32 leaf1[4];
  cpuid_leaf(cpu->model, &dyn, 1, 0, leaf1);
  cpu->gpr[RDX] = leaf1[0]; /* the signature, as BIOSes find it */
  cpu_set_eflags(cpu, EF_1);
  cpu->rip = 0xfff0;
  cpu->insn = NULL;
  cpu->cpl = 0;
  for (unsigned s = 0; s < SREG_COUNT; s++)
    cpu->seg[s] = (struct seg){.attr = SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED, .limit = 0xffff};
  cpu->seg[CS] = (struct seg){.sel = 0xf000, .base = 0xffff0000, .limit = 0xffff,
                              .attr = SEG_P | SEG_S | SEG_CODE | SEG_READABLE | SEG_ACCESSED};
  cpu->ldtr = (struct seg){.attr = SEG_P | 2, .limit = 0xffff};
  cpu->tr = (struct seg){.attr = SEG_P | 11, .limit = 0xffff};
  cpu->gdtr = cpu->idtr = (struct dtable){.limit = 0xffff};
  cpu->cr0 = CR0_CD | CR0_NW | CR0_ET;
  cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->cr8 = 0;
  cpu->xcr0 = 1;
  memset(cpu->pdpte, 0, sizeof cpu->pdpte);
  cpu->pkru = 0;
  cpu->mmu_key.model = NULL; /* a processor between runs may be given another model */
  memset(cpu->dr, 0, sizeof cpu->dr);
  cpu->dr[6] = 0xffff0ff0;
  cpu->dr[7] = 0x400;
  msr_reset_all(cpu->model, cpu->msr);
  cpu->x87 = (struct x87){.fcw = 0x40, .empty = 0};
  cpu->mxcsr = 0x1f80;
  memset(cpu->vec, 0, sizeof cpu->vec);
  memset(cpu->k, 0, sizeof cpu->k);
  cpu->shutdown = cpu->halted = cpu->nmi_blocked = false;
  cpu->pending = 0;
  cpu->dr6_pending = 0;
  cpu->debug.hits = 0;
  cpu->inhibit = cpu->leave = 0;
  cpu_update_mode(cpu);
}
