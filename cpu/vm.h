/* What the processors of one machine share: memory, the decode cache, and the hooks of whoever owns the machine. */
#ifndef CPU_VM_H
#define CPU_VM_H

#include "cpu/cpu.h"
#include "mmu/physmem.h"

struct decoder;
struct code_cache;
struct stops;
struct transition;

enum { VM_MAX_CPUS = 64 };

struct vm_hooks {
  void *opaque;  /* the owner's: hypercall, event, in, out, inta, tsc, random */
  void *watcher; /* of transition, fault and insn, who only look */
  /* VMCALL at CPL 0 with RIP inside [hypercall_first, hypercall_last]; elsewhere VMCALL does what the manual says. */
  void (*hypercall)(void *opaque, struct cpu *cpu);
  /* Called for every recorded transition; NULL: nobody listens. */
  void (*transition)(void *watcher, struct cpu *cpu, const struct transition *t);
  /* Called with every fault before it is delivered, cpu->rip at the faulting instruction. True: the watcher has seen
   * enough; nothing is delivered, and the watcher calls cpu_stop(). NULL: none. */
  bool (*fault)(void *watcher, struct cpu *cpu, const struct fault *f);
  /* Called before each instruction while stepping; NULL: none. */
  void (*insn)(void *watcher, struct cpu *cpu);
  /* Called at block ends when cpu->stop has STOP_EVENT. May change any state of cpu (it is between instructions). */
  void (*event)(void *opaque, struct cpu *cpu);
  /* Port I/O. NULL: reads give all ones, writes vanish. */
  u32 (*in)(void *opaque, struct cpu *cpu, u16 port, unsigned size);
  void (*out)(void *opaque, struct cpu *cpu, u16 port, unsigned size, u32 value);
  /* The interrupt controller's acknowledge cycle: the vector, or -1 when the request is gone. NULL: -1. */
  int (*inta)(void *opaque, struct cpu *cpu);
  /* RDTSC's clock in ticks; NULL: the instruction count. */
  u64 (*tsc)(void *opaque);
  /* RDRAND's and RDSEED's 64 bits. False: there are none now. NULL: cpu_random(). */
  bool (*random)(void *opaque, u64 *v);
};

struct vm {
  struct physmem mem;
  struct vm_hooks hooks;
  u64 hypercall_first, hypercall_last; /* linear addresses; first > last: disabled */
  struct cpu *cpu[VM_MAX_CPUS];
  unsigned cpus;
  struct decoder *decoder;   /* the opcode table, indexed */
  struct code_cache *code;   /* decoded blocks */
  struct stops *stops;       /* a debugger's, or NULL */
};

MUST_CHECK struct vm *vm_create(void);
void vm_destroy(struct vm *vm);

/* The host changed [gpa, gpa+len) behind the processors' backs: forget decoded code there. */
void vm_code_changed(struct vm *vm, u64 gpa, u64 len);

#endif
