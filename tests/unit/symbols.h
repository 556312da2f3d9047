/* What the tests of the debugger's symbols and of its frames share: opening a module, the guest programs, registers. */
#ifndef TESTS_UNIT_SYMBOLS_H
#define TESTS_UNIT_SYMBOLS_H

#include <check.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "debugger/symbols.h"
#include "debugger/target.h"

static inline bool one_module(void *opaque, unsigned n, struct dbg_module *m) {
  *m = n ? (struct dbg_module){0} : *(struct dbg_module *)opaque;
  return n == 0;
}

static inline struct symbols *open_module(struct dbg_module m) {
  struct dbg_target t = {.opaque = &m, .module = one_module};
  struct symbols *s = sym_open(&t);
  ck_assert_ptr_nonnull(s);
  return s;
}

static inline struct symbols *open_file(const char *path) {
  return open_module((struct dbg_module){.name = path, .path = path});
}

static inline struct sym named(const struct symbols *s, const char *name) {
  struct sym f = {0};
  ck_assert_msg(sym_named(s, name, &f), "no symbol %s", name);
  ck_assert_str_eq(f.name, name);
  return f;
}

/* tests/guest's program, beside this one. */
static inline const char *guest(const char *name) {
  static char path[PATH_MAX + 64];
  char self[PATH_MAX] = "";
  ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof self - 1), 0);
  snprintf(path, sizeof path, "%s/guest/%s", dirname(self), name);
  ck_assert_msg(!access(path, R_OK), "%s: run make guests", path);
  return path;
}

/* Registers of values that nothing else has. */
static inline struct frame_regs marked(unsigned bits, u64 rip, u64 rsp) {
  struct frame_regs r = {.rip = rip, .known = bits == 64 ? 0x1ffff : 0x100ff, .bits = (u8)bits};
  for (unsigned i = 0; i < 16; i++)
    r.gpr[i] = 0xc0de0000 + i;
  r.gpr[4] = rsp;
  return r;
}

#endif
