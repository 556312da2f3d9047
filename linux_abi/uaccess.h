/* The program's memory as the emulated kernel touches it. Linux: include/linux/uaccess.h.
 *
 * Two ways. A host system call may be given ua_ptr(): the window has the guest's protections, so the host answers
 * -EFAULT by itself where the guest's kernel would. Everything else copies with ua_read() and its friends, which
 * survive any address. After anything but ua_write() has stored into guest memory, call ua_wrote(). */
#ifndef LINUX_ABI_UACCESS_H
#define LINUX_ABI_UACCESS_H

#include "linux_abi/task.h"

/* The host address of [addr, addr+len), or NULL if that does not lie below TASK_SIZE: then -EFAULT. Nothing is said
 * about it being mapped: never touch it directly. A null pointer gives the window's start, so pass on the guest's
 * optional pointers as `addr ? ua_ptr(...) : NULL`, or with ua_opt(). */
void *ua_ptr(const struct task *t, u64 addr, u64 len);
/* As ua_ptr(), but NULL for a null pointer and (void *)-1, which the host refuses with -EFAULT, for a bad one. */
void *ua_opt(const struct task *t, u64 addr, u64 len);
/* As ua_opt() without the exception for null: never NULL. For host calls that take a plain pointer. */
void *ua_host(const struct task *t, u64 addr, u64 len);

/* Copies. 0, or -EFAULT, and then the destination may have been written in part. */
MUST_CHECK int ua_read(const struct task *t, void *dst, u64 addr, u64 n);
MUST_CHECK int ua_write(struct task *t, u64 addr, const void *src, u64 n);
MUST_CHECK int ua_clear(struct task *t, u64 addr, u64 n);
/* A zero-terminated string into dst[0..max): its length, -EFAULT, or -ENAMETOOLONG if no terminator lies within. */
MUST_CHECK s64 ua_str(const struct task *t, char *dst, u64 addr, u64 max);
/* One value of the current call's word width (4 or 8 bytes by t->compat). */
MUST_CHECK int ua_read_word(const struct task *t, u64 *v, u64 addr);
MUST_CHECK int ua_write_word(struct task *t, u64 addr, u64 v);

/* Fixed-width values. */
#define UA_FIXED(n)                                                                          \
  MUST_CHECK static inline int ua_read##n(const struct task *t, u##n *v, u64 addr) {         \
    return ua_read(t, v, addr, sizeof *v);                                                   \
  }                                                                                          \
  MUST_CHECK static inline int ua_write##n(struct task *t, u64 addr, u##n v) {               \
    return ua_write(t, addr, &v, sizeof v);                                                  \
  }
UA_FIXED(8)
UA_FIXED(16)
UA_FIXED(32)
UA_FIXED(64)
#undef UA_FIXED

/* The host's kernel has (or may have) written [addr, addr+len): decoded code there is forgotten. Cheap where there
 * is none. */
void ua_wrote(struct task *t, u64 addr, u64 len);

#endif
