/* The entry stubs are really executed: when one's way out is overwritten with UD2, the program that needs it fails, as
 * an error of the emulator's (a fault in ring 0) and not of the program's. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "linux_abi/lvm.h"

extern char **environ;

/* Makes a static program that calls getpid by its architecture's way in, and exits with 7. Returns its path. */
static const char *program(int bits) {
  static char path[64];
  static const char *const text[] = {
      "mov $39,%eax; syscall; mov $231,%eax; mov $7,%edi; syscall",
      "mov $20,%eax; int $0x80; mov $252,%eax; mov $7,%ebx; int $0x80"};
  char command[512];
  snprintf(path, sizeof path, "/tmp/ringwalk-stubs-%d-%d", (int)getpid(), bits);
  snprintf(command, sizeof command,
           "printf '%%s\\n' '.globl _start; _start: %s' | gcc -m%d -x assembler - -nostdlib -static -o %s", text[bits == 32],
           bits, path);
  ck_assert_int_eq(system(command), 0);
  return path;
}

/* Runs it, with the byte pair at `at` of the stub page replaced by UD2 unless that is 0. */
static struct lx_status run(int bits, u32 at) {
  char err[256];
  struct lx_options o = {.model = model_default(VENDOR_INTEL), .log_fd = -1};
  struct lx_status end;
  struct linux_vm *lvm = lx_create(&o, err, sizeof err);
  const char *path = program(bits);
  char *argv[] = {(char *)(uintptr_t)path, NULL};
  ck_assert_msg(lvm != NULL, "%s", err);
  ck_assert_msg(!lx_exec(lvm, path, argv, environ, err, sizeof err), "%s", err);
  unlink(path);
  if (at) {
    u64 gpa = lvm->kernel.gpa + KPAGE_STUB * PAGE_SIZE + at;
    memcpy(phys_host(&lvm->vm->mem, gpa, 2), "\x0f\x0b", 2);
    vm_code_changed(lvm->vm, gpa, 2);
  }
  lx_run_limit(lvm, 1000000, &end);
  end.why = NULL; /* dies with the machine */
  lx_destroy(lvm);
  return end;
}

static const struct rom_entry64_table *table(void) { return (const void *)rom_entry64; }

START_TEST(programs_run_through_the_stubs) {
  struct lx_status end = run(64, 0);
  ck_assert_int_eq(end.how, LX_EXITED);
  ck_assert_int_eq(end.code, 7);
  end = run(32, 0);
  ck_assert_int_eq(end.how, LX_EXITED);
  ck_assert_int_eq(end.code, 7);
}
END_TEST

START_TEST(without_sysretq_there_is_no_way_back) {
  ck_assert_int_eq(run(64, table()->sysretq).how, LX_FAILED);
}
END_TEST

/* A fault of IRETQ itself is the program's, as on Linux (error_entry's error_bad_iret): it is killed. */
START_TEST(without_iretq_there_is_no_way_in) {
  ck_assert_int_eq(run(64, table()->iretq).how, LX_SIGNALED);
  ck_assert_int_eq(run(32, table()->iretq).how, LX_SIGNALED);
}
END_TEST

START_TEST(without_the_entry_there_is_no_call) {
  ck_assert_int_eq(run(64, table()->syscall64).how, LX_FAILED);
  ck_assert_int_eq(run(32, table()->int80).how, LX_FAILED);
}
END_TEST

Suite *suite_stubs(void);
Suite *suite_stubs(void) {
  Suite *s = suite_create("stubs");
  TCase *c = tcase_create("overwritten");
  tcase_set_timeout(c, 60);
  tcase_add_test(c, programs_run_through_the_stubs);
  tcase_add_test(c, without_sysretq_there_is_no_way_back);
  tcase_add_test(c, without_iretq_there_is_no_way_in);
  tcase_add_test(c, without_the_entry_there_is_no_call);
  suite_add_tcase(s, c);
  return s;
}
