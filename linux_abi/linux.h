/* The emulated Linux kernel as app/ uses it: make a machine, load a program, run it to its end. */
#ifndef LINUX_ABI_LINUX_H
#define LINUX_ABI_LINUX_H

#include <signal.h>

#include "cpu/vm.h"
#include "loader/loader.h"

struct linux_vm;
struct task;
struct sys_row;

/* What a tracer sees; any may be NULL. The return value is final but for restart codes (-512..-516), which strace
 * prints as ERESTARTSYS and so on; a call that does not return (exit) has no exit event. */
struct lx_hooks {
  void *opaque;
  void (*sys_enter)(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6]);
  void (*sys_exit)(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6], s64 ret);
  void (*signal)(void *opaque, struct task *t, const siginfo_t *info);
  /* A signal is about to be delivered, and will call a handler or end the program. True: not now; the run ends as after
   * lx_stop(), between two instructions: of the program if possible, else (a call was interrupted, and whether it is made
   * again hangs on the signal) in the kernel's stub behind its hypercall. The next run delivers it, without asking. */
  bool (*hold)(void *opaque, struct task *t, const siginfo_t *info);
};

struct lx_options {
  const struct cpu_model *model; /* must outlive the machine */
  u64 window_max;                /* at most so many bytes of address space for 64-bit programs; 0: 2^45 */
  const char *argv0;             /* argv[0] instead of the caller's; NULL: none */
  bool seeded;                   /* random numbers are not the host's, but follow from `seed` */
  u64 seed;
  int log_fd;                    /* where the kernel's own lines go; -1: stderr */
  struct lx_hooks hooks;
};

/* Moves a descriptor of the emulator's to where the program cannot reach: at or above its soft limit of descriptors, or
 * if there is no room, to the highest number that there is. Returns where it is now, close-on-exec; or -errno, and then
 * fd is closed. */
MUST_CHECK int lx_fd_out_of_the_way(int fd);

/* NULL: err has one line. The kernel is built when the program's width is known, by lx_exec(). */
MUST_CHECK struct linux_vm *lx_create(const struct lx_options *options, char *err, size_t n);
void lx_destroy(struct linux_vm *lvm);

/* Loads the program at path. 0, or a negative errno value and one line in err: it cannot be run (status 126; 127 for
 * -ENOENT). After a failure the machine can only be destroyed. */
MUST_CHECK int lx_exec(struct linux_vm *lvm, const char *path, char *const argv[], char *const envp[], char *err,
                       size_t n);

struct lx_status {
  enum { LX_EXITED, LX_SIGNALED, LX_FAILED, LX_STOPPED } how;
  int code;         /* LX_EXITED: 0..255; LX_SIGNALED: the signal */
  const char *why;  /* LX_FAILED: one line; the emulator, not the guest (status 125). Owned by the machine */
};

/* Runs until the program ends, or somebody calls lx_stop() (from any thread or a signal handler). */
void lx_run(struct linux_vm *lvm, struct lx_status *status);
/* The same for at most `limit` instructions (0: no limit); LX_STOPPED when they are used up. */
void lx_run_limit(struct linux_vm *lvm, u64 limit, struct lx_status *status);
void lx_stop(struct linux_vm *lvm);

/* Instead of the signal that `hold` held: another one, 0: none. */
void lx_replace_signal(struct linux_vm *lvm, int signo);
/* The fault that is about to be delivered becomes a signal that `hold` need not be asked about. */
void lx_signal_told(struct linux_vm *lvm);
/* A signal for the program, as by kill(). */
void lx_send_signal(struct linux_vm *lvm, int signo);
/* Would this fault of the program, if it were delivered, become a signal? Which: info. False: the kernel serves it, or it
 * is not the program's. For hooks.fault of the machine. */
bool lx_fault_signal(struct linux_vm *lvm, const struct fault *f, siginfo_t *info);
/* The program's registers under an entry stub at its hypercall or right behind it; NULL in ring 3. */
struct pt_regs *lx_regs(struct linux_vm *lvm);

struct task *lx_task(struct linux_vm *lvm);
struct vm *lx_vm(struct linux_vm *lvm);
struct cpu *lx_cpu(struct linux_vm *lvm);
/* The loaded program, for its symbols. */
struct image *lx_image(struct linux_vm *lvm);
/* What was added to the image's addresses. */
u64 lx_image_bias(const struct linux_vm *lvm);

/* Transitions counted by KIND_* (roms/linux_entry.h), and page faults served. */
struct lx_stats {
  u64 kind[6];
  u64 faults, pages, table_resets;
};
const struct lx_stats *lx_stats(const struct linux_vm *lvm);

#endif
