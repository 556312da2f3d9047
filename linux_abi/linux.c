/* The emulated kernel as a machine: made, given a program, run to its end. fs/exec.c; man 2 execve, wait. */
#define _GNU_SOURCE
#include "linux_abi/linux.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "linux_abi/lvm.h"
#include "linux_abi/signal.h"
#include "linux_abi/sys_files.h"

_Static_assert((int)LX_LIMITS >= (int)RLIM_NLIMITS, "every RLIMIT has its place");

/* --- The end --- */

void lx_exit(struct task *t, int code) {
  t->exiting = true;
  t->exit_code = code & 0xff;
  cpu_stop(t->cpu);
}

void lx_kill(struct task *t, int signo) {
  t->exiting = true;
  t->exit_signal = signo;
  cpu_stop(t->cpu);
}

void lx_log(struct task *t, const char *fmt, ...) {
  char line[512];
  va_list ap;
  int n = snprintf(line, sizeof line, "ringwalk: ");
  va_start(ap, fmt);
  vsnprintf(line + n, sizeof line - (size_t)n - 1, fmt, ap);
  va_end(ap);
  size_t len = strlen(line);
  line[len++] = '\n';
  int fd = t->lvm->options.log_fd < 0 ? STDERR_FILENO : t->lvm->options.log_fd;
  if (write(fd, line, len) < 0) return; /* nowhere to say it */
}

void lx_fail(struct linux_vm *lvm, const char *fmt, ...) {
  va_list ap;
  if (!lvm->failed) {
    va_start(ap, fmt);
    vsnprintf(lvm->why, sizeof lvm->why, fmt, ap);
    va_end(ap);
  }
  lvm->failed = true;
  if (lvm->task.cpu) cpu_stop(lvm->task.cpu);
}

struct task *lx_current(void) {
  return host_cpu ? &((struct linux_vm *)host_cpu->vm->hooks.opaque)->task : NULL;
}

/* --- Making and destroying --- */

static u64 tsc(void *opaque) { return lx_tsc(&((struct linux_vm *)opaque)->task); }

static bool host_random(void *opaque, u64 *v) {
  (void)opaque;
  return getrandom(v, sizeof *v, GRND_NONBLOCK) == sizeof *v;
}

int lx_random(struct task *t, void *buf, u64 n) {
  if (!t->lvm->options.seeded) return getrandom(buf, n, GRND_NONBLOCK) == (ssize_t)n ? 0 : -1;
  for (u8 *p = buf; n;) {
    u64 v = cpu_random(t->cpu), part = n < sizeof v ? n : sizeof v;
    memcpy(p, &v, part);
    p += part;
    n -= part;
  }
  return 0;
}

static void read_limits(struct task *t) {
  for (int i = 0; i < RLIM_NLIMITS; i++) {
    struct rlimit r;
    if (getrlimit((enum __rlimit_resource)i, &r)) r.rlim_cur = r.rlim_max = RLIM_INFINITY;
    t->limit[i] = (struct lx_limit){r.rlim_cur, r.rlim_max};
  }
}

struct linux_vm *lx_create(const struct lx_options *options, char *err, size_t n) {
  struct linux_vm *lvm = calloc(1, sizeof *lvm);
  if (lvm) lvm->vm = vm_create();
  if (!lvm || !lvm->vm) {
    free(lvm);
    snprintf(err, n, "out of memory (see ulimit -d and -v)");
    return NULL;
  }
  struct task *t = &lvm->task;
  lvm->options = *options;
  lvm->traced = options->hooks.sys_enter || options->hooks.sys_exit;
  lvm->fault_addr = ~UINT64_C(0);
  lvm->image.fd = -1;
  t->lvm = lvm;
  t->vm = lvm->vm;
  t->mm = &lvm->mm;
  lvm->vm->hooks = (struct vm_hooks){.opaque = lvm, .hypercall = entry_hypercall, .event = entry_event, .tsc = tsc,
                                     .random = options->seeded ? NULL : host_random};
  sys_index_init(&lvm->sys);
  read_limits(t);
  t->pid = getpid();
  t->tid = gettid();
  return lvm;
}

/* The host's timers are the emulator's, and would go off in it. */
static void stop_timers(const struct task *t) {
  static const struct itimerval off;
  for (int i = 0; i < 3; i++)
    if (t->itimers >> i & 1) (void)setitimer((enum __itimer_which)i, &off, NULL);
}

void lx_destroy(struct linux_vm *lvm) {
  if (!lvm) return;
  struct task *t = &lvm->task;
  stop_timers(t);
  sig_free(t);
  files_free(t);
  vdso_unmap(lvm);
  vm_destroy(lvm->vm);
  if (lvm->window.hi) host_fault_release();
  kernel_free(&lvm->kernel);
  mm_free(&lvm->mm);
  ldr_close(&lvm->image);
  free(t->exe);
  free(t->comm);
  free(lvm);
}

/* --- Loading --- */

/* The window, the kernel above it, and a processor: for the width of the program. */
static int build(struct linux_vm *lvm, char *err, size_t n) {
  struct task *t = &lvm->task;
  struct mm *mm = &lvm->mm;
  const struct cpu_model *m = lvm->options.model;
  bool legacy = !model_has(m, FEAT_LM);
  u64 most = UINT64_C(1) << (legacy ? 32 : m->maxphyaddr - 1), max = lvm->options.window_max;
  t->abi = lvm->image.bits == 32 ? LX_I386 : LX_X86_64;
  if (legacy && t->abi == LX_X86_64) {
    unsigned lost = m->lost_with[FEAT_LM];
    snprintf(err, n, "%s: is a 64-bit program, and processor model %s%s%s has no long mode (lm)", lvm->image.name,
             m->name, lost ? " without " : "", lost ? feature_rows[lost - 1].name : "");
    return -ENOEXEC;
  }
  if (!max || max > most) max = most;
  if (mm_init(mm, t->abi, max, t->limit[RLIMIT_STACK].cur)) {
    snprintf(err, n, "cannot reserve address space for the program (see ulimit -v)");
    return -ENOMEM;
  }
  if (legacy && mm->task_size > KERNEL32_LINEAR) mm_lay_out(mm, KERNEL32_LINEAR, t->limit[RLIMIT_STACK].cur);
  u64 above = legacy ? KERNEL32_LINEAR : UINT64_C(1) << 33;
  while (above < mm->task_size) above <<= 1;
  struct phys_region user = {.base = 0, .size = mm->task_size, .host = mm->window, .sparse = true};
  t->cpu = cpu_create(lvm->vm, m);
  if (!t->cpu || phys_add(&lvm->vm->mem, &user) || kernel_build(&lvm->kernel, lvm->vm, m, above) || sig_setup(t)) {
    snprintf(err, n, "out of memory (see ulimit -d and -v)");
    return -ENOMEM;
  }
  if (host_fault_acquire()) {
    snprintf(err, n, "cannot install a handler for memory faults");
    return -EIO;
  }
  t->cpu->random = lvm->options.seed;
  lvm->window.lo = (uintptr_t)mm->window;
  lvm->window.hi = lvm->window.lo + mm->window_size;
  return 0;
}

static int name_task(struct task *t, const char *path) {
  enum { COMM_MAX = 15 };
  const char *base = strrchr(path, '/');
  t->exe = realpath(path, NULL);
  if (!t->exe) t->exe = strdup(path);
  t->comm = strndup(base ? base + 1 : path, COMM_MAX);
  if (t->comm) (void)prctl(PR_SET_NAME, t->comm); /* for /proc/self/status and stat */
  return t->exe && t->comm ? 0 : -ENOMEM;
}

/* argv with another name in front, if one was asked for. */
static char **renamed(const char *argv0, char *const argv[]) {
  size_t n = 0;
  while (argv[n]) n++;
  char **v = calloc(n + 2, sizeof *v);
  if (!v) return NULL;
  for (size_t i = 0; i < n; i++) v[i] = argv[i];
  if (argv0) v[0] = (char *)(uintptr_t)argv0;
  return v;
}

int lx_exec(struct linux_vm *lvm, const char *path, char *const argv[], char *const envp[], char *err, size_t n) {
  struct task *t = &lvm->task;
  int r = ldr_open(path, &lvm->image, err, n);
  if (r) return r;
  if (lvm->image.interp) {
    snprintf(err, n, "%s: is dynamically linked (it wants %s); only static programs can be run yet", path,
             lvm->image.interp);
    return -ENOEXEC;
  }
  r = build(lvm, err, n);
  if (r) return r;
  char **args = renamed(lvm->options.argv0, argv);
  if (!args || name_task(t, path)) {
    snprintf(err, n, "out of memory (see ulimit -d and -v)");
    r = -ENOMEM;
  } else {
    r = exec_load(t, &lvm->image, path, args, envp, err, n);
    size_t len = strlen(err);
    u64 granted = lvm->mm.window_size;
    if (r && granted < mm_window_default(t->abi) && len < n) {
      char *advice = strstr(err, "; link it lower"); /* not where the host's limit is the reason */
      if (advice) len = (size_t)(advice - err);
      snprintf(err + len, n - len, ": the host grants only %llu MiB of addresses; raise ulimit -v",
               (unsigned long long)(granted >> 20));
    }
  }
  free(args);
  ldr_close_file(&lvm->image); /* every descriptor is the program's */
  return r;
}

/* --- Running --- */

/* The host refused an access that the page tables allow: a file became shorter. Becomes a page fault of the program,
 * whose handler finds out. */
static void host_fault(void *opaque, uintptr_t addr, int signo, bool write) {
  struct linux_vm *lvm = opaque;
  struct cpu *cpu = host_cpu;
  if (!cpu || lvm->in_kernel) return;
  lvm->fault_addr = addr - lvm->window.lo;
  lvm->fault_signo = signo;
  struct fault f = {.vector = VEC_PF, .has_error = true, .error = PF_P | PF_U | (write ? (u32)PF_W : 0),
                    .cr2 = lvm->fault_addr};
  cpu_raise_fault(cpu, &f);
}

/* SIGSEGV or SIGBUS from a process: the signal code's, like any other. */
static void host_sent(void *opaque, int signo, const siginfo_t *info) {
  struct linux_vm *lvm = opaque;
  sig_host(&lvm->task, signo, info);
}

static bool finished(struct linux_vm *lvm, enum cpu_exit why, struct lx_status *s) {
  struct task *t = &lvm->task;
  const struct cpu *cpu = t->cpu;
  if (!lvm->failed && why == CPU_EXIT_SHUTDOWN)
    lx_fail(lvm, "the processor shut down at %04x:%016" PRIx64 ": %s", cpu->seg[CS].sel, cpu->rip,
            cpu->shutdown_reason ? cpu->shutdown_reason : "triple fault");
  if (!lvm->failed && why == CPU_EXIT_HALT) lx_fail(lvm, "the processor halted at %016" PRIx64, cpu->rip);
  *s = (struct lx_status){.how = LX_STOPPED};
  if (lvm->failed) *s = (struct lx_status){.how = LX_FAILED, .why = lvm->why};
  else if (t->exiting && t->exit_signal) *s = (struct lx_status){.how = LX_SIGNALED, .code = t->exit_signal};
  else if (t->exiting) *s = (struct lx_status){.how = LX_EXITED, .code = t->exit_code};
  else if (why == CPU_EXIT_STOP && !lvm->stop) return false;
  lvm->stop = 0;
  return true;
}

void lx_run_limit(struct linux_vm *lvm, u64 limit, struct lx_status *status) {
  struct task *t = &lvm->task;
  struct cpu *cpu = t->cpu, *outer = host_cpu;
  lvm->window.opaque = lvm;
  lvm->window.fault = host_fault;
  lvm->window.sent = host_sent;
  const struct host_window *before = host_fault_window(&lvm->window);
  host_cpu = cpu;
  u64 end = limit ? cpu_icount(cpu) + limit : 0;
  enum cpu_exit why;
  if (unlikely(sig_held(t))) entry_deliver_held(t);
  do {
    if (t->signal_pending) lx_signal_arrived(t);
    u64 now = cpu_icount(cpu);
    why = end && now >= end ? CPU_EXIT_BUDGET : cpu_run(cpu, end ? end - now : 0);
  } while (!finished(lvm, why, status));
  host_cpu = outer;
  host_fault_window(before);
}

void lx_run(struct linux_vm *lvm, struct lx_status *status) { lx_run_limit(lvm, 0, status); }

void lx_stop(struct linux_vm *lvm) {
  lvm->stop = 1;
  if (lvm->task.cpu) cpu_stop(lvm->task.cpu);
}

struct task *lx_task(struct linux_vm *lvm) { return &lvm->task; }
struct vm *lx_vm(struct linux_vm *lvm) { return lvm->vm; }
struct cpu *lx_cpu(struct linux_vm *lvm) { return lvm->task.cpu; }
struct image *lx_image(struct linux_vm *lvm) { return &lvm->image; }
u64 lx_image_bias(const struct linux_vm *lvm) { return lvm->bias; }
const struct lx_stats *lx_stats(const struct linux_vm *lvm) { return &lvm->stats; }
