/* A task of linux_abi/ without a program, for unit tests: an empty address space, the kernel's tables, a processor. */
#ifndef TESTS_UNIT_LXTASK_H
#define TESTS_UNIT_LXTASK_H

#include <check.h>

#include "linux_abi/lvm.h"

static struct linux_vm *lvm;
static struct task *t;

static void build(enum lx_abi abi) {
  char err[200];
  struct lx_options o = {.model = model_default(VENDOR_INTEL), .log_fd = -1};
  lvm = lx_create(&o, err, sizeof err);
  ck_assert_msg(lvm != NULL, "%s", err);
  t = &lvm->task;
  t->abi = abi;
  t->compat = abi == LX_I386;
  t->cpu = cpu_create(lvm->vm, o.model);
  ck_assert(t->cpu != NULL);
  ck_assert_int_eq(mm_init(&lvm->mm, abi, UINT64_C(1) << 40, t->limit[3].cur), 0);
  struct phys_region user = {.size = lvm->mm.task_size, .host = lvm->mm.window};
  ck_assert_int_eq(phys_add(&lvm->vm->mem, &user), 0);
  ck_assert_int_eq(kernel_build(&lvm->kernel, lvm->vm, o.model, UINT64_C(1) << 44), 0);
  ck_assert_int_eq(host_fault_acquire(), 0);
}
static void build64(void) { build(LX_X86_64); }
static void build32(void) { build(LX_I386); }
static void destroy(void) {
  host_fault_release();
  lx_destroy(lvm);
}

#endif
