/* From the registers of a system call to its handler and back: Linux arch/x86/entry/common.c (do_syscall_64,
 * do_syscall_32_irqs_on); System V ABI x86-64 A.2.1 (Calling Conventions). */
#include "linux_abi/syscalls.h"

#include <errno.h>
#include <string.h>

#include "linux_abi/lvm.h"

const struct sys_row sys_rows[] = {
#define SYSCALL(name, nr64, nr32, args, level, note, fn64, fn32) \
  {#name, nr64, nr32, args, SYS_##level, note, fn64, fn32},
#include "linux_abi/syscalls.def"
#undef SYSCALL
};
const unsigned sys_row_count = ARRAY_SIZE(sys_rows);

static void index_row(struct sys_index *ix, bool compat, s16 nr, sys_fn *fn, unsigned row) {
  if (nr < 0 || nr >= SYS_NR_LIMIT) return;
  ix->fn[compat][nr] = fn;
  ix->row[compat][nr] = (u16)(row + 1);
}

void sys_index_init(struct sys_index *ix) {
  memset(ix, 0, sizeof *ix);
  for (unsigned i = 0; i < SYS_NR_LIMIT; i++) ix->fn[0][i] = ix->fn[1][i] = sys_none;
  for (unsigned i = 0; i < sys_row_count; i++) {
    index_row(ix, false, sys_rows[i].nr64, sys_rows[i].fn64, i);
    index_row(ix, true, sys_rows[i].nr32, sys_rows[i].fn32, i);
  }
}

unsigned sys_arity(const struct sys_row *row, bool compat) {
  unsigned n = 0;
  for (const char *p = row->args; *p && *p != '='; p++)
    if (*p != '>') n += (compat && *p == 'Q') || *p == '7' ? 2 : 1;
  return n;
}

/* Numbers that no row has: a few lines are enough. */
enum { LOGGED_OTHERS_MAX = 16 };

s64 sys_none(struct task *t, const u64 a[6]) {
  (void)a;
  struct sys_index *ix = &t->lvm->sys;
  u32 nr = (u32)t->regs->orig_ax;
  if (nr >= SYS_NR_LIMIT) {
    if (ix->logged_others++ < LOGGED_OTHERS_MAX) lx_log(t, "unsupported system call %u", nr);
    return -ENOSYS;
  }
  if (ix->logged[t->compat][nr]) return -ENOSYS;
  ix->logged[t->compat][nr] = true;
  const struct sys_row *row = sys_find(ix, t->compat, nr);
  if (row)
    lx_log(t, "unsupported system call %s(%u)", row->name, nr);
  else
    lx_log(t, "unsupported system call %u", nr);
  return -ENOSYS;
}

s64 sys_enosys(struct task *t, const u64 a[6]) {
  (void)t, (void)a;
  return -ENOSYS;
}

s64 sys_eperm(struct task *t, const u64 a[6]) {
  (void)t, (void)a;
  return -EPERM;
}

s64 sys_zero(struct task *t, const u64 a[6]) {
  (void)t, (void)a;
  return 0;
}

static NOINLINE s64 traced_call(struct task *t, sys_fn *fn, u32 nr, const u64 a[6]) {
  static const struct sys_row unknown = {"syscall", -1, -1, "xxxxxx", SYS_NONE, "", sys_none, sys_none};
  const struct lx_hooks *h = &t->lvm->options.hooks;
  bool compat = t->compat;
  const struct sys_row *row = sys_find(&t->lvm->sys, compat, nr);
  if (!row) row = &unknown;
  if (h->sys_enter) h->sys_enter(h->opaque, t, row, a);
  s64 r = fn(t, a);
  if (h->sys_exit && !t->exiting) h->sys_exit(h->opaque, t, row, a, compat ? (s32)r : r);
  return r;
}

void sys_dispatch(struct task *t) {
  struct pt_regs *r = t->regs;
  u32 nr = (u32)r->orig_ax;
  u64 a[6];
  if (t->compat) {
    const u64 in[6] = {r->bx, r->cx, r->dx, r->si, r->di, r->bp};
    for (unsigned i = 0; i < 6; i++) a[i] = (u32)in[i];
  } else {
    const u64 in[6] = {r->di, r->si, r->dx, r->r10, r->r8, r->r9};
    memcpy(a, in, sizeof a);
  }
  /* -1 is what a tracer leaves to skip a call: no call, and nothing to restart. */
  if (nr == ~UINT32_C(0)) {
    r->ax = (u64)(s64)-ENOSYS;
    return;
  }
  sys_fn *fn = nr < SYS_NR_LIMIT ? t->lvm->sys.fn[t->compat][nr] : sys_none;
  s64 ret;
  if (unlikely(t->lvm->traced))
    ret = traced_call(t, fn, nr, a);
  else
    ret = fn(t, a);
  /* All 64 bits, by INT 80h too: 64-bit code sees a high address positive and an error negative. */
  r->ax = (u64)ret;
}
