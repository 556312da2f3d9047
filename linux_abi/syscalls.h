/* The system call table: rows of syscalls.def, and the way from a number to a row. man 2 syscalls. */
#ifndef LINUX_ABI_SYSCALLS_H
#define LINUX_ABI_SYSCALLS_H

#include "linux_abi/task.h"

enum sys_level { SYS_NONE, SYS_STUB, SYS_PARTIAL, SYS_FULL };

struct sys_row {
  const char *name;
  s16 nr64, nr32;       /* -1: the architecture has no such call */
  const char *args;     /* the letters of syscalls.def */
  enum sys_level level;
  const char *note;
  sys_fn *fn64, *fn32;
};
extern const struct sys_row sys_rows[];
extern const unsigned sys_row_count;

/* Numbers of both tables lie below this. */
enum { SYS_NR_LIMIT = 512 };

/* From number to row and handler; [1] is i386's. */
struct sys_index {
  sys_fn *fn[2][SYS_NR_LIMIT];
  u16 row[2][SYS_NR_LIMIT]; /* plus one; 0: none */
  bool logged[2][SYS_NR_LIMIT];
  unsigned logged_others;
  unsigned prctl_count;
  u32 prctls[16]; /* unsupported options that were spoken of */
};
void sys_index_init(struct sys_index *ix);

static inline const struct sys_row *sys_find(const struct sys_index *ix, bool compat, u32 nr) {
  return nr < SYS_NR_LIMIT && ix->row[compat][nr] ? &sys_rows[ix->row[compat][nr] - 1] : NULL;
}

/* The number of arguments, in words of the table used. */
unsigned sys_arity(const struct sys_row *row, bool compat);

/* Makes the call in t->regs: orig_ax and the arguments by t->compat. The result is in t->regs->ax. */
void sys_dispatch(struct task *t);

/* The handler of rows without one: -ENOSYS and a line, once per number. */
sys_fn sys_none;
/* Handlers of STUB rows. */
sys_fn sys_enosys, sys_eperm, sys_zero;

#define SYSCALL(name, nr64, nr32, args, level, note, fn64, fn32) sys_fn fn64, fn32;
#include "linux_abi/syscalls.def"
#undef SYSCALL

#endif
