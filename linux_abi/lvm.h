/* The whole of one emulated kernel: the machine it owns, and its one task. For linux_abi's own files. */
#ifndef LINUX_ABI_LVM_H
#define LINUX_ABI_LVM_H

#include "base/hostfault.h"
#include "linux_abi/kernel.h"
#include "linux_abi/linux.h"
#include "linux_abi/mm.h"
#include "linux_abi/syscalls.h"
#include "linux_abi/task.h"

struct linux_vm {
  struct vm *vm;
  struct lx_options options;
  bool traced;              /* somebody listens to system calls */
  struct task task;
  struct mm mm;
  struct kernel kernel;
  struct image image;
  u64 bias;
  struct sys_index sys;
  struct lx_stats stats;

  struct host_window window; /* what lx_run() tells base/hostfault.h */
  volatile sig_atomic_t stop;
  u64 fault_addr;            /* guest address at which the host faulted under the interpreter; ~0: none */
  int fault_signo;
  bool followed;             /* at this entry the host's protections were behind PKRU */

  const struct rom_vdso *vdso;
  u64 vdso_base, landing_pad;
  struct vvar *vvar;         /* the host's writable view of the program's page */
  u64 vvar_tick;             /* when it was filled: CLOCK_MONOTONIC_COARSE, ns */

  bool in_kernel;             /* host code acts for the program: no host fault is the interpreter's */
  bool failed;
  char why[256];
};

/* The emulator cannot go on: lx_run() returns LX_FAILED with this line. */
void lx_fail(struct linux_vm *lvm, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* entry.c */
void entry_hypercall(void *opaque, struct cpu *cpu);
/* After sig_held(): delivers it, from behind the hypercall. */
void entry_deliver_held(struct task *t);
/* The event hook: enters the kernel from ring 3 when a signal is pending. */
void entry_event(void *opaque, struct cpu *cpu);

/* vdso.c */
/* Maps the vDSO and its vvar page, or nothing if there is no room. */
MUST_CHECK int vdso_map(struct task *t);
void vdso_unmap(struct linux_vm *lvm);
/* Refreshes the clocks' offsets and the processor's number, at most once a tick. */
void vdso_refresh(struct linux_vm *lvm);

/* The emulated processor has the number of the host's that it runs on now. */
void cpu_number_refresh(struct linux_vm *lvm);

/* exec.c */
MUST_CHECK int exec_load(struct task *t, const struct image *img, const char *path, char *const argv[],
                         char *const envp[], char *err, size_t n);

/* stack.c: argc, argv, envp and the auxiliary vector. */
struct exec_stack {
  const char *path;        /* AT_EXECFN */
  char *const *argv, *const *envp;
  u64 phdr, phent, phnum, entry, base; /* AT_PHDR and so on, biased */
};
/* Maps a stack that everything below fits on. 0, or -errno: -E2BIG. */
MUST_CHECK int exec_map_stack(struct task *t, const struct exec_stack *s);
/* Fills it; the initial stack pointer goes to *sp. 0, or -errno. */
MUST_CHECK int exec_build_stack(struct task *t, const struct exec_stack *s, u64 *sp);

#endif
