/* The first stack and the segments of a program in linux_abi/: against this process's own auxiliary vector, and
 * Linux fs/binfmt_elf.c (create_elf_tables), arch/x86/kernel/tls.c. */
#define _GNU_SOURCE
#include <check.h>
#include <errno.h>
#include <linux/auxvec.h>
#include <stdio.h>
#include <string.h>

#include "linux_abi/uaccess.h"
#include "tests/unit/lxtask.h"

static u64 word(u64 *at) {
  u64 v = 0;
  ck_assert_int_eq(ua_read_word(t, &v, *at), 0);
  *at += t->compat ? 4 : 8;
  return v;
}

static void expect_string(u64 at, const char *want) {
  char s[64];
  ck_assert_int_eq(ua_str(t, s, at, sizeof s), (s64)strlen(want));
  ck_assert_str_eq(s, want);
}

/* The types of this process's own vector, in the host kernel's order. */
static unsigned host_types(u64 *out, unsigned max) {
  FILE *f = fopen("/proc/self/auxv", "rb");
  u64 pair[2];
  unsigned n = 0;
  ck_assert(f != NULL);
  while (n < max && fread(pair, sizeof pair, 1, f) == 1 && pair[0]) out[n++] = pair[0];
  fclose(f);
  return n;
}

enum { AUX_MAX = 64 };
struct vector {
  unsigned n;
  u64 type[AUX_MAX], value[AUX_MAX];
};

static u64 value_of(const struct vector *v, u64 type) {
  for (unsigned i = 0; i < v->n; i++)
    if (v->type[i] == type) return v->value[i];
  ck_abort_msg("no auxiliary entry %u", (unsigned)type);
  return 0;
}

START_TEST(the_stack_is_linux_s) {
  char *argv[] = {"prog", "first", "", NULL}, *envp[] = {"A=b", "HOME=/", NULL};
  struct exec_stack s = {.path = "./a/prog", .argv = argv, .envp = envp, .phdr = 0x400040, .phent = 56, .phnum = 7,
                         .entry = 0x401234};
  u64 sp = 0, at;
  struct vector v = {0};
  ck_assert_int_eq(exec_map_stack(t, &s), 0);
  ck_assert_int_eq(vdso_map(t), 0);
  ck_assert_int_eq(exec_build_stack(t, &s, &sp), 0);
  ck_assert_uint_eq(sp % 16, 0);
  at = sp;
  ck_assert_uint_eq(word(&at), 3);
  u64 arg0 = word(&at);
  expect_string(arg0, "prog");
  expect_string(word(&at), "first");
  expect_string(word(&at), "");
  ck_assert_uint_eq(word(&at), 0);
  u64 env0 = word(&at);
  expect_string(env0, "A=b");
  expect_string(word(&at), "HOME=/");
  ck_assert_uint_eq(word(&at), 0);
  ck_assert_uint_eq(env0, arg0 + sizeof "prog" + sizeof "first" + sizeof "");
  for (u64 type; v.n < AUX_MAX && (type = word(&at)) != 0; v.n++) {
    v.type[v.n] = type;
    v.value[v.n] = word(&at);
  }
  ck_assert_uint_eq(value_of(&v, AT_PHDR), 0x400040);
  ck_assert_uint_eq(value_of(&v, AT_ENTRY), 0x401234);
  ck_assert_uint_eq(value_of(&v, AT_BASE), 0);
  u64 name = value_of(&v, AT_EXECFN);
  expect_string(name, "./a/prog");
  ck_assert_uint_eq(name + sizeof "./a/prog" + 8, t->mm->stack_top);
  expect_string(value_of(&v, AT_PLATFORM), t->compat ? "i686" : "x86_64");
  ck_assert_uint_eq(value_of(&v, AT_RANDOM) + 16, value_of(&v, AT_PLATFORM));
  u64 elf = value_of(&v, 33 /* AT_SYSINFO_EHDR */);
  char magic[4];
  ck_assert_int_eq(ua_read(t, magic, elf, 4), 0);
  ck_assert_mem_eq(magic, "\177ELF", 4);
  /* Ours, less AT_SYSINFO, in the order of the host's; but not all that a newer kernel has. */
  u64 host[AUX_MAX];
  unsigned hosts = host_types(host, AUX_MAX), h = 0;
  for (unsigned i = 0; i < v.n; i++) {
    if (v.type[i] == 32) continue;
    while (h < hosts && host[h] != v.type[i]) h++;
    ck_assert_msg(h < hosts, "auxiliary entry %u is out of order", (unsigned)v.type[i]);
  }
}
END_TEST

START_TEST(too_many_strings_are_refused) {
  static char big[(128 << 10) + 1];
  memset(big, 'x', sizeof big - 1);
  char *one[] = {big, NULL}, *none[] = {NULL};
  struct exec_stack s = {.path = "p", .argv = one, .envp = none};
  ck_assert_int_eq(exec_map_stack(t, &s), -E2BIG);
  char *many[200];
  big[sizeof big - 2] = 0;
  for (unsigned i = 0; i < 199; i++) many[i] = big;
  many[199] = NULL;
  s.argv = many;
  ck_assert_int_eq(exec_map_stack(t, &s), -E2BIG);
}
END_TEST

/* A TLS descriptor set, loaded, read back, and gone again. */
START_TEST(tls_descriptors_are_real) {
  enum { AT = 0x10000000, FLAGS_LIBC = 0x51 /* 32-bit, limit in pages, useable */ };
  u32 d[4] = {~UINT32_C(0), 0x12345678, 0xfffff, FLAGS_LIBC};
  u64 a[6] = {AT};
  ck_assert_int_eq(mm_map_anon(t, AT, AT + 4096, 3, 0), 0);
  ck_assert_int_eq(ua_write(t, AT, d, sizeof d), 0);
  ck_assert_int_eq(sys_set_thread_area(t, a), 0);
  ck_assert_int_eq(ua_read(t, d, AT, sizeof d), 0);
  ck_assert_uint_eq(d[0], 12);
  ck_assert_uint_eq(kernel_tls(&lvm->kernel, 0), UINT64_C(0x12dff3345678ffff));
  ck_assert_int_eq(lx_load_seg(t, GS, 0x63), 0);
  ck_assert_uint_eq(lx_gs_base(t), 0x12345678);
  ck_assert_uint_eq(t->cpu->seg[GS].limit, 0xffffffff);
  d[1] = 0x1000;
  ck_assert_int_eq(ua_write(t, AT, d, sizeof d), 0);
  ck_assert_int_eq(sys_set_thread_area(t, a), 0);
  ck_assert_uint_eq(lx_gs_base(t), 0x1000); /* reloaded, since GS holds it */
  memset(d + 1, 0, 12);
  ck_assert_int_eq(ua_write(t, AT, d, sizeof d), 0);
  ck_assert_int_eq(sys_get_thread_area(t, a), 0);
  ck_assert_int_eq(ua_read(t, d, AT, sizeof d), 0);
  ck_assert_uint_eq(d[1], 0x1000);
  ck_assert_uint_eq(d[2], 0xfffff);
  ck_assert_uint_eq(d[3], FLAGS_LIBC);
  d[0] = 15;
  ck_assert_int_eq(ua_write(t, AT, d, sizeof d), 0);
  ck_assert_int_eq(sys_set_thread_area(t, a), -EINVAL);
  /* Only ring-3 data can be loaded. */
  ck_assert_int_eq(lx_load_seg(t, FS, SEL_KERNEL_DS), -1);
  ck_assert_int_eq(lx_load_seg(t, FS, 0x6b), -1);
  ck_assert_int_eq(lx_load_seg(t, FS, 0xfffb), -1);
  ck_assert_int_eq(lx_load_seg(t, FS, SEL_USER_DS), 0);
  ck_assert_int_eq(lx_load_seg(t, FS, 0), 0);
}
END_TEST

Suite *suite_exec(void) {
  Suite *s = suite_create("exec");
  TCase *c64 = tcase_create("x86_64"), *c32 = tcase_create("i386");
  tcase_add_checked_fixture(c64, build64, destroy);
  tcase_add_checked_fixture(c32, build32, destroy);
  TCase *both[] = {c64, c32};
  for (unsigned i = 0; i < ARRAY_SIZE(both); i++) {
    tcase_add_test(both[i], the_stack_is_linux_s);
    tcase_add_test(both[i], too_many_strings_are_refused);
    tcase_add_test(both[i], tls_descriptors_are_real);
    suite_add_tcase(s, both[i]);
  }
  return s;
}
