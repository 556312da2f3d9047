/* Addresses by name: functions of the program and the vDSO, and the kernel's entry stubs. */
#ifndef APP_PLACE_H
#define APP_PLACE_H

#include "linux_abi/linux.h"

struct places {
  struct image *program; /* borrowed; NULL: no names */
  u64 bias;
  struct image vdso;
  u64 vdso_base;         /* 0: none */
  const struct kernel *kernel;
};

/* After the program is loaded. What cannot be read has no names. */
void places_open(struct places *p, struct linux_vm *lvm);
void places_close(struct places *p);
/* "main+12", "vdso: __kernel_vsyscall+9", "kernel: sysenter32"; "" if the address has no name. */
void place_name(const struct places *p, u64 addr, char *buf, size_t n);

#endif
