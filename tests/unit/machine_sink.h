/* For tests of whole machines: one that runs a few bytes of real-mode code at 7C00h, and a console in memory. */
#ifndef TESTS_UNIT_MACHINE_SINK_H
#define TESTS_UNIT_MACHINE_SINK_H

#include <check.h>
#include <string.h>

#include "machine/machine.h"

struct sink {
  char out[256], debug[256];
  unsigned outs, debugs;
  const char *in; /* what is typed; NULL or its end: nothing ever again */
};

static inline void sink_put(void *opaque, u8 byte) {
  struct sink *s = opaque;
  if (s->outs < sizeof s->out - 1) s->out[s->outs++] = (char)byte;
}
static inline void sink_debug(void *opaque, u8 byte) {
  struct sink *s = opaque;
  if (s->debugs < sizeof s->debug - 1) s->debug[s->debugs++] = (char)byte;
}
static inline int sink_get(void *opaque, bool wait) {
  struct sink *s = opaque;
  (void)wait;
  return s->in && *s->in ? (u8)*s->in++ : -2;
}

static inline struct machine *sink_machine(struct sink *s, u64 mem) {
  struct machine_options o = {.model = model_default(VENDOR_INTEL), .mem = mem,
                              .console = {s, sink_put, sink_debug, sink_get}};
  char err[200] = "";
  struct machine *m = machine_create(&o, err, sizeof err);
  ck_assert_msg(m != NULL, "%s", err);
  return m;
}

static inline struct machine *sink_boot(struct sink *s, struct boot_image *img, const char *cmdline) {
  char err[300] = "";
  struct machine *m = sink_machine(s, 4 << 20);
  int e = machine_boot(m, img, cmdline, err, sizeof err);
  ck_assert_msg(!e, "%s", err);
  boot_close(img);
  return m;
}

static inline struct machine *sink_code(struct sink *s, const void *code, size_t n) {
  struct boot_image img;
  char err[300] = "";
  ck_assert_int_eq(boot_from_memory(code, n, "made", &img, err, sizeof err), 0);
  ck_assert_int_eq(boot_as_flat(&img, 0x7c00, err, sizeof err), 0);
  return sink_boot(s, &img, NULL);
}

static inline struct machine_status sink_run(struct machine *m, u64 max) {
  struct machine_status st;
  machine_run(m, max, &st);
  return st;
}

/* Guest memory; the range must be ordinary memory. */
static inline u8 *sink_at(struct machine *m, u64 at, u64 n) {
  u8 *p = phys_host(&machine_vm(m)->mem, at, n);
  ck_assert_ptr_nonnull(p);
  return p;
}

#define CODE_(...) ((const u8[]){__VA_ARGS__})
#define RUN_CODE(sink, ...) sink_code(sink, CODE_(__VA_ARGS__), sizeof CODE_(__VA_ARGS__))

/* Pieces of real-mode code. */
#define OUT_IMM(port, v) 0xb0, v, 0xe6, port                                              /* mov $v,%al; out */
#define SEND(c) 0xba, 0xf8, 0x03, 0xb0, c, 0xee                                           /* to 3F8h */
#define EXIT_WITH(v) OUT_IMM(0xf4, v)
#define VECTOR(n, at) 0xc7, 0x06, (n) * 4, 0, (at) & 0xff, (at) >> 8, 0xc7, 0x06, (n) * 4 + 2, 0, 0, 0 /* 0:at */

#endif
