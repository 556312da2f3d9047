/* Thread-local storage and the other calls that are x86's own or a thread's own: Linux arch/x86/kernel/tls.c,
 * arch/x86/kernel/process_64.c (do_arch_prctl_64); man 2 arch_prctl, set_thread_area, set_tid_address. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "linux_abi/lvm.h"
#include "linux_abi/uaccess.h"

/* asm/prctl.h */
enum {
  ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, ARCH_GET_GS = 0x1004, ARCH_GET_CPUID = 0x1011,
  ARCH_SET_CPUID = 0x1012, ARCH_GET_XCOMP_SUPP = 0x1021, ARCH_GET_XCOMP_PERM = 0x1022, ARCH_REQ_XCOMP_PERM = 0x1023,
  ARCH_GET_XCOMP_GUEST_PERM = 0x1024, ARCH_REQ_XCOMP_GUEST_PERM = 0x1025,
};

/* What both widths have: arch/x86/kernel/process.c (do_arch_prctl_common), arch/x86/kernel/fpu/xstate.c
 * (fpu_xstate_prctl). Component 18 alone needs to be asked for, and no model has it. */
static s64 arch_prctl_common(struct task *t, int option, u64 arg) {
  enum { LAST_COMPONENT = 19 };
  switch (option) {
    case ARCH_GET_CPUID: return 1;
    case ARCH_SET_CPUID: return -ENODEV; /* the processor cannot make CPUID fault */
    case ARCH_GET_XCOMP_SUPP:
    case ARCH_GET_XCOMP_PERM:
    case ARCH_GET_XCOMP_GUEST_PERM: return ua_write64(t, arg, t->cpu->xcr0 | XCR0_X87 | XCR0_SSE);
    case ARCH_REQ_XCOMP_PERM:
    case ARCH_REQ_XCOMP_GUEST_PERM: return arg > LAST_COMPONENT ? -EINVAL : -EOPNOTSUPP;
    default: return -EINVAL;
  }
}

s64 sys_arch_prctl(struct task *t, const u64 a[6]) {
  u64 addr = a[1];
  switch ((int)a[0]) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
      if (addr >= t->mm->task_size) return -EPERM;
      if ((int)a[0] == ARCH_SET_FS) {
        (void)lx_load_seg(t, FS, 0);
        lx_set_fs_base(t, addr);
      } else {
        (void)lx_load_seg(t, GS, 0);
        lx_set_gs_base(t, addr);
      }
      return 0;
    case ARCH_GET_FS: return ua_write64(t, addr, lx_fs_base(t));
    case ARCH_GET_GS: return ua_write64(t, addr, lx_gs_base(t));
    default: return arch_prctl_common(t, (int)a[0], addr);
  }
}

s64 sys_arch_prctl_i386(struct task *t, const u64 a[6]) { return arch_prctl_common(t, (int)a[0], a[1]); }

/* --- set_thread_area, get_thread_area --- */

struct user_desc { /* asm/ldt.h; flags:
                    *   6 useable  5 not present  4 limit in pages  3 read or execute only  2..1 contents  0 32-bit */
  u32 entry, base, limit, flags;
};
enum { UD_32BIT = 1, UD_CONTENTS = 6, UD_READ_ONLY = 8, UD_PAGES = 16, UD_NOT_PRESENT = 32, UD_USEABLE = 64 };
enum { TLS_FIRST = SEL_TLS_FIRST >> 3, TLS_COUNT = 3, TLS_ANY = -1 };

static bool means_empty(const struct user_desc *d) {
  enum { ALL = 0x7f, LDT_EMPTY = UD_READ_ONLY | UD_NOT_PRESENT };
  return !d->base && !d->limit && ((d->flags & ALL) == LDT_EMPTY || !(d->flags & ALL));
}

static bool acceptable(const struct user_desc *d) {
  if (means_empty(d)) return true;
  return (d->flags & UD_32BIT) && (d->flags & UD_CONTENTS) <= 1 << 1 && !(d->flags & UD_NOT_PRESENT);
}

static u64 descriptor_of(const struct user_desc *d) {
  if (means_empty(d)) return 0;
  u32 f = d->flags, type = (f & UD_READ_ONLY ? 0 : SEG_WRITABLE) | (f & UD_CONTENTS) << 1 | SEG_ACCESSED;
  u32 attr = type | SEG_S | SEG_DPL | SEG_P | (f & UD_USEABLE ? SEG_AVL : 0) | (f & UD_32BIT ? SEG_DB : 0) |
             (f & UD_PAGES ? SEG_G : 0);
  return bits(d->limit, 15, 0) | (u64)bits(d->base, 23, 0) << 16 | (u64)attr << 40 | bits(d->limit, 19, 16) << 48 |
         (u64)bits(d->base, 31, 24) << 56;
}

static void describe(struct user_desc *d, u64 desc) {
  u32 attr = (u32)(desc >> 40) & 0xf0ff;
  d->base = (u32)(bits(desc, 39, 16) | bits(desc, 63, 56) << 24);
  d->limit = (u32)(bits(desc, 15, 0) | bits(desc, 51, 48) << 16);
  d->flags = (attr & SEG_DB ? UD_32BIT : 0) | (attr >> 1 & UD_CONTENTS) | (attr & SEG_WRITABLE ? 0 : UD_READ_ONLY) |
             (attr & SEG_G ? UD_PAGES : 0) | (attr & SEG_P ? 0 : UD_NOT_PRESENT) | (attr & SEG_AVL ? UD_USEABLE : 0);
}

/* The segment registers that hold a changed descriptor take its new contents. */
static void reload(struct task *t, u16 sel) {
  static const enum sreg data[] = {DS, ES, FS, GS};
  for (unsigned i = 0; i < ARRAY_SIZE(data); i++)
    if (t->cpu->seg[data[i]].sel == sel) (void)lx_load_seg(t, data[i], sel);
}

s64 sys_set_thread_area(struct task *t, const u64 a[6]) {
  struct kernel *k = &t->lvm->kernel;
  struct user_desc d;
  if (ua_read(t, &d, a[0], sizeof d)) return -EFAULT;
  if (!acceptable(&d)) return -EINVAL;
  if ((int)d.entry == TLS_ANY) {
    unsigned i = 0;
    while (i < TLS_COUNT && kernel_tls(k, i)) i++;
    if (i == TLS_COUNT) return -ESRCH;
    d.entry = TLS_FIRST + i;
    if (ua_write32(t, a[0], d.entry)) return -EFAULT;
  }
  if (d.entry - TLS_FIRST >= TLS_COUNT) return -EINVAL;
  kernel_set_tls(k, d.entry - TLS_FIRST, descriptor_of(&d));
  reload(t, (u16)(d.entry << 3 | 3));
  return 0;
}

s64 sys_get_thread_area(struct task *t, const u64 a[6]) {
  struct user_desc d;
  if (ua_read(t, &d, a[0], sizeof d.entry)) return -EFAULT;
  if (d.entry - TLS_FIRST >= TLS_COUNT) return -EINVAL;
  describe(&d, kernel_tls(&t->lvm->kernel, d.entry - TLS_FIRST));
  return ua_write(t, a[0], &d, sizeof d);
}

/* --- A thread's own --- */

s64 sys_set_tid_address(struct task *t, const u64 a[6]) {
  t->clear_child_tid = a[0];
  return t->tid;
}

/* struct robust_list_head is three words. */
s64 sys_set_robust_list(struct task *t, const u64 a[6]) {
  if (a[1] != (t->compat ? 12u : 24u)) return -EINVAL;
  t->robust_list = a[0];
  t->robust_list_len = a[1];
  return 0;
}

s64 sys_get_robust_list(struct task *t, const u64 a[6]) {
  int pid = (int)a[0];
  if (pid && pid != t->tid) return -ESRCH;
  if (ua_write_word(t, a[2], t->compat ? 12 : 24) || ua_write_word(t, a[1], t->robust_list)) return -EFAULT;
  return 0;
}

s64 sys_exit(struct task *t, const u64 a[6]) {
  lx_exit(t, (int)a[0]);
  return 0;
}

s64 sys_restart_syscall(struct task *t, const u64 a[6]) {
  (void)a;
  return t->restart_fn ? t->restart_fn(t, t->restart_arg) : -EINTR;
}

s64 sys_personality(struct task *t, const u64 a[6]) {
  u32 old = t->personality;
  if ((u32)a[0] != ~UINT32_C(0)) t->personality = (u32)a[0];
  return old;
}
