/* A Linux program as the debugger's target. man 2 ptrace, man 5 proc. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "app/debug.h"
#include "cpu/event.h"
#include "cpu/stops.h"
#include "linux_abi/lvm.h"
#include "linux_abi/signal.h"

enum { FDS = 3, LABELS = LINUX_EXCEPTIONS + 16, VMCALL_BYTES = 3 };

struct debug_program {
  const struct app_options *o;
  char **argv;
  char **own_argv;      /* what was given since; the strings are its own but for the first. NULL: nothing */
  struct linux_vm *lvm;
  pid_t owner;          /* the debugger's process; a child of the program's is not debugged */
  u64 start_sp;
  bool held;            /* `signal` waits */
  struct dbg_signal signal;
  int memory;           /* /proc/self/mem */
  int kept[FDS];        /* the standard descriptors, and the directory, for a restart */
  int directory;
  struct dbg_label label[LABELS];
  unsigned labels;
  volatile sig_atomic_t stop; /* asked for between two runs */
};

/* ---- running ---- */

static void describe(const siginfo_t *info, struct dbg_signal *s) {
  *s = (struct dbg_signal){.signo = info->si_signo, .code = info->si_code};
  if (info->si_code > 0) s->addr = (uintptr_t)info->si_addr;
  else s->value = (u32)info->si_pid;
}

static bool hold(void *opaque, struct task *t, const siginfo_t *info) {
  struct debug_program *p = opaque;
  (void)t;
  if (getpid() != p->owner) return false;
  describe(info, &p->signal);
  p->held = true;
  return true;
}

/* A child of fork() goes on without the debugger, to its end. */
NORETURN static void run_child(struct debug_program *p) {
  struct lx_status s;
  struct vm *vm = lx_vm(p->lvm);
  vm->hooks.transition = NULL;
  vm->hooks.fault = NULL;
  lx_cpu(p->lvm)->recorder = NULL;
  lx_cpu(p->lvm)->trail = NULL;
  (void)!stops_set(vm, NULL, 0, NULL, 0);
  stops_on_mode(lx_cpu(p->lvm), false);
  do lx_run(p->lvm, &s);
  while (s.how == LX_STOPPED);
  if (s.how == LX_SIGNALED) {
    (void)signal(s.code, SIG_DFL);
    (void)raise(s.code);
  }
  _exit(s.how == LX_EXITED ? s.code : s.how == LX_SIGNALED ? 128 + s.code : APP_FAILED);
}

static void run(void *opaque, u64 limit, struct dbg_ended *end) {
  struct debug_program *p = opaque;
  struct lx_status s;
  static const enum dbg_end how[] = {
      [LX_EXITED] = END_EXITED, [LX_SIGNALED] = END_KILLED, [LX_FAILED] = END_FAILED, [LX_STOPPED] = END_STOPPED};
  *end = (struct dbg_ended){.how = END_STOPPED};
  p->held = false;
  if (limit) lx_run_limit(p->lvm, limit, &s);
  else lx_run(p->lvm, &s);
  if (getpid() != p->owner) run_child(p);
  end->how = s.how == LX_STOPPED && p->held ? END_SIGNAL : how[s.how];
  end->code = s.code;
  if (s.why) snprintf(end->why, sizeof end->why, "%s", s.why);
}

static void stop(void *opaque) { lx_stop(((struct debug_program *)opaque)->lvm); }

/* ---- signals ---- */

static bool fault_signal(void *opaque, const struct fault *f, struct dbg_signal *s) {
  struct debug_program *p = opaque;
  siginfo_t info;
  if (getpid() != p->owner || !lx_fault_signal(p->lvm, f, &info)) return false;
  describe(&info, s);
  return true;
}

static void pass_fault(void *opaque) { lx_signal_told(((struct debug_program *)opaque)->lvm); }

static bool waiting_signal(void *opaque, struct dbg_signal *s) {
  struct debug_program *p = opaque;
  *s = p->signal;
  return p->held;
}

static void set_signal(void *opaque, int signo) { lx_replace_signal(((struct debug_program *)opaque)->lvm, signo); }
static void send_signal(void *opaque, int signo) { lx_send_signal(((struct debug_program *)opaque)->lvm, signo); }

static const char *signal_name(int signo) {
  static _Thread_local char buf[24];
  const char *abbrev = signo > 0 && signo < 32 ? sigabbrev_np(signo) : NULL;
  if (abbrev) snprintf(buf, sizeof buf, "SIG%s", abbrev);
  else if (signo >= 32 && signo <= SIG_COUNT) snprintf(buf, sizeof buf, "SIG%d", signo);
  else return NULL;
  return buf;
}

static int signal_number(const char *name) {
  for (int n = 1; n <= SIG_COUNT; n++) {
    const char *s = signal_name(n);
    if (s && (!strcasecmp(s, name) || !strcasecmp(s + 3, name))) return n;
  }
  return 0;
}

static bool signal_state(void *opaque, int signo, const char **disposition, u64 *handler, bool *blocked, bool *pending) {
  const struct sig_state *s = lx_task(((struct debug_program *)opaque)->lvm)->sig;
  static const char *const dfl[] = {[SIGDFL_TERMINATE] = "default (ends it)", [SIGDFL_IGNORE] = "default (ignored)",
                                    [SIGDFL_STOP] = "default (stops it)", [SIGDFL_CONTINUE] = "default (continues it)"};
  if (signo < 1 || signo > SIG_COUNT) return false;
  u64 h = s->act[signo].handler;
  *handler = h > LX_SIG_IGN ? h : 0;
  *disposition = h == LX_SIG_IGN ? "ignored" : h == LX_SIG_DFL ? dfl[sig_default(signo)] : "handler";
  *blocked = s->blocked & host_sigbit(signo);
  *pending = sig_queued(s) & host_sigbit(signo);
  return true;
}

/* ---- memory ---- */

/* The program's pages are the host's, at one distance; the host's kernel copies what is shared and reads what the program
 * may not. */
static unsigned user_memory(struct debug_program *p, u64 la, void *buf, unsigned n, bool write) {
  struct mm *mm = &p->lvm->mm;
  unsigned done = 0;
  while (done < n) {
    struct vma *v = la < mm->task_size ? vma_find(&mm->vmas, la) : NULL;
    if (!v || la < v->start) break;
    u64 room = v->end - la, part = n - done < room ? n - done : room;
    off_t at = (off_t)(uintptr_t)mm_host(mm, la);
    ssize_t got = write ? pwrite(p->memory, (char *)buf + done, part, at) : pread(p->memory, (char *)buf + done, part, at);
    if (got <= 0) break;
    if (write) vm_code_changed(lx_vm(p->lvm), la, (u64)got);
    done += (unsigned)got;
    la += (u64)got;
    if ((u64)got < part) break;
  }
  return done;
}
static unsigned read_memory(void *opaque, u64 la, void *buf, unsigned n) { return user_memory(opaque, la, buf, n, false); }
static unsigned write_memory(void *opaque, u64 la, const void *buf, unsigned n) {
  return user_memory(opaque, la, (void *)(uintptr_t)buf, n, true);
}

static bool mapping(void *opaque, unsigned n, struct dbg_mapping *m) {
  const struct debug_program *p = opaque;
  const struct vma_list *l = &p->lvm->mm.vmas;
  if (n == l->n) { /* the kernel's, above all of the program's */
    const u64 at = p->lvm->kernel.linear;
    *m = (struct dbg_mapping){at, at + KPAGE_TABLES * PAGE_SIZE, "ring 0", 0, "[kernel]"};
    return true;
  }
  if (n > l->n) return false;
  const struct vma *v = &l->v[n];
  *m = (struct dbg_mapping){.lo = v->start, .hi = v->end, .offset = v->off};
  snprintf(m->prot, sizeof m->prot, "%c%c%c%c", v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
           v->prot & PROT_EXEC ? 'x' : '-', v->flags & VMA_SHARED ? 's' : 'p');
  u64 vdso = p->lvm->vdso_base;
  const char *name = v->file ? v->file->path : v->flags & VMA_STACK ? "[stack]" : v->flags & VMA_HEAP ? "[heap]"
                     : vdso && v->start <= vdso && vdso < v->end ? "[vdso]" : vdso && v->end == vdso ? "[vvar]" : "";
  snprintf(m->name, sizeof m->name, "%s", name);
  return true;
}

static unsigned auxv(void *opaque, void *buf, unsigned n) {
  struct debug_program *p = opaque;
  unsigned w = lx_task(p->lvm)->abi == LX_I386 ? 4 : 8, done = 0;
  u64 at = p->start_sp, v = 0;
  if (read_memory(p, at, &v, w) != w) return 0;
  at += (v + 2) * w; /* argc, argv[], 0 */
  do {               /* envp[], 0 */
    v = 0;
    if (read_memory(p, at, &v, w) != w) return 0;
    at += w;
  } while (v);
  for (; done + 2 * w <= n; done += 2 * w) {
    u64 key = 0;
    if (read_memory(p, at + done, (char *)buf + done, 2 * w) != 2 * w) break;
    memcpy(&key, (char *)buf + done, w);
    if (!key) return done + 2 * w;
  }
  return done;
}

/* ---- names ---- */

static int by_address(const void *a, const void *b) {
  const struct dbg_label *x = a, *y = b;
  return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void add_label(struct debug_program *p, const char *name, u32 offset) {
  if (p->labels < LABELS && offset) p->label[p->labels++] = (struct dbg_label){name, kernel_stubs(&p->lvm->kernel) + offset};
}

static void label_stubs(struct debug_program *p) {
  const struct rom_entry64_table *t = kernel_stub_table(&p->lvm->kernel);
  p->labels = 0;
  add_label(p, "entry_syscall64", t->syscall64);
  add_label(p, "entry_syscall32", t->syscall32);
  add_label(p, "entry_sysenter32", t->sysenter32);
  add_label(p, "entry_int80", t->int80);
  add_label(p, "return_sysretq", t->sysretq);
  add_label(p, "return_sysretl", t->sysretl);
  add_label(p, "return_iretq", t->iretq);
  add_label(p, "entry_common", t->vmcall[KIND_INT80] + VMCALL_BYTES);
  for (unsigned k = 0; k < LINUX_EXCEPTIONS; k++)
    if (t->exception[k]) {
      static const char *const names[LINUX_EXCEPTIONS] = {
          "exception_DE", "exception_DB", "exception_NMI", "exception_BP", "exception_OF", "exception_BR", "exception_UD",
          "exception_NM", "exception_DF", "exception_9", "exception_TS", "exception_NP", "exception_SS", "exception_GP",
          "exception_PF", "exception_15", "exception_MF", "exception_AC", "exception_MC", "exception_XM", "exception_VE",
          "exception_CP", "exception_22", "exception_23", "exception_24", "exception_25", "exception_26", "exception_27",
          "exception_28", "exception_29", "exception_30", "signal_interrupt"};
      add_label(p, names[k], t->exception[k]);
    }
  qsort(p->label, p->labels, sizeof p->label[0], by_address);
}

static bool module(void *opaque, unsigned n, struct dbg_module *m) {
  struct debug_program *p = opaque;
  const struct image *img = lx_image(p->lvm);
  const u64 stub = kernel_stubs(&p->lvm->kernel);
  const struct rom_vdso *vdso = p->lvm->vdso;
  u64 bias = lx_image_bias(p->lvm), base = p->lvm->vdso_base;
  if (n == 0) {
    *m = (struct dbg_module){.name = img->name, .path = img->name, .bias = bias, .lo = img->lo + bias, .hi = img->hi + bias};
    return true;
  }
  if (n == 1) {
    *m = (struct dbg_module){.name = "[kernel]", .label = p->label, .labels = p->labels, .lo = stub, .hi = stub + PAGE_SIZE};
    return true;
  }
  if (n > 2 || !vdso || !base) return false;
  *m = (struct dbg_module){.name = "[vdso]", .mem = vdso->image, .size = vdso->size, .bias = base, .lo = base,
                           .hi = base + vdso->size};
  return true;
}

/* ---- system calls ---- */

static int syscall_number(void *opaque, const char *name, bool i386) {
  (void)opaque;
  for (unsigned k = 0; k < sys_row_count; k++)
    if (!strcmp(sys_rows[k].name, name)) return i386 ? sys_rows[k].nr32 : sys_rows[k].nr64;
  return -1;
}

static const char *syscall_name(void *opaque, unsigned number, bool i386) {
  const struct sys_row *row = sys_find(&((struct debug_program *)opaque)->lvm->sys, i386, number);
  return row ? row->name : NULL;
}

static bool syscall_site(void *opaque, unsigned n, u64 *at, u64 *behind) {
  const struct kernel *k = &((const struct debug_program *)opaque)->lvm->kernel;
  if (n >= KIND_EXCEPTION) return false;
  *at = kernel_stubs(k) + kernel_stub_table(k)->vmcall[n];
  *behind = *at + VMCALL_BYTES;
  return true;
}

static bool is_pointer(char letter) { return !strchr("diuxoflc", letter); }

static void arguments(const struct sys_row *row, const u64 a[6], unsigned n, char *text, size_t size) {
  size_t at = strlen(text);
  for (unsigned k = 0; k < n && at < size; k++) {
    bool number = row->args[k] && !is_pointer(row->args[k]) && (s64)a[k] > -65536 && (s64)a[k] < 65536;
    at += (size_t)snprintf(text + at, size - at, number ? "%s%" PRId64 : "%s%#" PRIx64, k ? ", " : "", a[k]);
  }
}

static bool syscall_line(void *opaque, bool behind, unsigned *number, bool *i386, char *text, size_t n) {
  struct debug_program *p = opaque;
  const struct cpu *cpu = lx_cpu(p->lvm);
  const struct pt_regs *r = lx_regs(p->lvm);
  u32 kind = (u32)cpu->gpr[RSI];
  if (!r || kind >= KIND_EXCEPTION) return false;
  *i386 = kind != KIND_SYSCALL64;
  u64 nr = *i386 ? (u32)r->orig_ax : r->orig_ax;
  const struct sys_row *row = nr < SYS_NR_LIMIT ? sys_find(&p->lvm->sys, *i386, (u32)nr) : NULL;
  const u64 a64[6] = {r->di, r->si, r->dx, r->r10, r->r8, r->r9};
  const u64 a32[6] = {(u32)r->bx, (u32)r->cx, (u32)r->dx, (u32)r->si, (u32)r->di, (u32)r->bp};
  *number = (unsigned)nr;
  if (row) snprintf(text, n, "%s(", row->name);
  else snprintf(text, n, "call %" PRIu64 "(", nr);
  if (row) arguments(row, *i386 ? a32 : a64, sys_arity(row, *i386), text, n);
  size_t at = strlen(text);
  s64 ret = *i386 ? (s32)r->ax : (s64)r->ax;
  if (!behind) snprintf(text + at, n - at, ")");
  else if (ret < 0 && ret > -4096 && strerrorname_np((int)-ret))
    snprintf(text + at, n - at, ") = -1 %s", strerrorname_np((int)-ret));
  else snprintf(text + at, n - at, ret > -4096 && ret < 65536 ? ") = %" PRId64 : ") = %#" PRIx64, ret);
  return true;
}

static bool under(void *opaque, u64 gpr[16], u64 *rip, u16 *cs) {
  const struct pt_regs *r = lx_regs(((struct debug_program *)opaque)->lvm);
  if (!r || (r->cs & 3) != 3) return false;
  const u64 regs[16] = {r->ax, r->cx, r->dx, r->bx, r->sp, r->bp, r->si, r->di,
                        r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15};
  memcpy(gpr, regs, sizeof regs);
  *rip = r->ip;
  *cs = (u16)r->cs;
  return true;
}

/* ---- making ---- */

/* Loads the program, and lets the kernel's IRETQ take it to its first instruction. */
static int load(struct debug_program *p, struct dbg_target *t, char *err, size_t n) {
  struct lx_options lo = {.model = &p->o->model, .argv0 = p->o->argv0, .log_fd = -1,
                          .seeded = p->o->seeded, .seed = p->o->seed};
  struct lx_status s;
  lo.hooks.opaque = p;
  lo.hooks.hold = hold;
  p->held = false;
  p->lvm = lx_create(&lo, err, n);
  if (!p->lvm) return -ENOMEM;
  int r = lx_exec(p->lvm, p->argv[0], p->argv, p->o->env, err, n);
  if (r) return r;
  label_stubs(p);
  lx_run_limit(p->lvm, 1, &s);
  t->cpu = lx_cpu(p->lvm);
  t->name = lx_image(p->lvm)->name;
  t->pid = lx_task(p->lvm)->pid;
  t->tid = lx_task(p->lvm)->tid;
  p->start_sp = t->cpu->gpr[RSP];
  return 0;
}

static int restart(void *opaque, struct dbg_target *t, char *err, size_t n) {
  struct debug_program *p = opaque;
  lx_destroy(p->lvm);
  p->lvm = NULL;
  for (int k = 0; k < FDS; k++)
    if (p->kept[k] >= 0) (void)dup2(p->kept[k], k);
  if (p->directory >= 0) (void)!fchdir(p->directory);
  return load(p, t, err, n) ? -1 : 0;
}

static void free_arguments(char **argv) {
  for (char **a = argv; a && *a && *++a;) free(*a);
  free(argv);
}

static int set_arguments(void *opaque, unsigned argc, const char *const *argv) {
  struct debug_program *p = opaque;
  char **a = calloc(argc + 2, sizeof *a);
  bool good = a;
  if (a) a[0] = p->argv[0];
  for (unsigned k = 0; good && k < argc; k++) good = (a[k + 1] = strdup(argv[k])) != NULL;
  if (!good) {
    free_arguments(a);
    return -1;
  }
  free_arguments(p->own_argv);
  p->argv = p->own_argv = a;
  return 0;
}

static int out_of_the_way(int fd) {
  return fd >= 0 ? lx_fd_out_of_the_way(fd) : -1;
}

int debug_program_open(const struct app_options *o, char **argv, struct debug_program **out, struct dbg_target *t) {
  char err[512];
  struct debug_program *p = calloc(1, sizeof *p);
  if (!p) {
    app_error("out of memory");
    return APP_FAILED;
  }
  p->o = o;
  p->argv = argv;
  p->owner = getpid();
  p->memory = out_of_the_way(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
  p->directory = out_of_the_way(open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int k = 0; k < FDS; k++) p->kept[k] = out_of_the_way(fcntl(k, F_DUPFD_CLOEXEC, 3));
  *t = (struct dbg_target){
      .opaque = p, .run = run, .stop = stop, .restart = restart, .arguments = set_arguments, .read = read_memory, .write = write_memory,
      .module = module, .mapping = mapping, .auxv = auxv, .fault_signal = fault_signal, .pass_fault = pass_fault,
      .signal = waiting_signal,
      .set_signal = set_signal, .send_signal = send_signal, .signal_name = signal_name, .signal_number = signal_number,
      .signal_state = signal_state, .syscall_number = syscall_number, .syscall_name = syscall_name,
      .syscall_site = syscall_site, .syscall = syscall_line, .under = under,
  };
  int r = load(p, t, err, sizeof err);
  if (!r) {
    *out = p;
    return 0;
  }
  app_error("%s", err);
  debug_program_close(p);
  return r == -ENOENT ? APP_NOT_FOUND : APP_CANNOT_RUN;
}

void debug_program_close(struct debug_program *p) {
  if (!p) return;
  lx_destroy(p->lvm);
  free_arguments(p->own_argv);
  if (p->memory >= 0) close(p->memory);
  if (p->directory >= 0) close(p->directory);
  for (int k = 0; k < FDS; k++)
    if (p->kept[k] >= 0) close(p->kept[k]);
  free(p);
}
