/* Maps the vDSO and keeps its clocks right: vdso(7); Linux arch/x86/entry/vdso/vma.c, kernel/time/vsyscall.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "linux_abi/lvm.h"
#include "linux_abi/mm_host.h"

#define NS UINT64_C(1000000000)

static u64 clock_ns(clockid_t clock) {
  struct timespec ts;
  if (clock_gettime(clock, &ts)) return 0;
  return (u64)ts.tv_sec * NS + (u64)ts.tv_nsec;
}

u64 lx_tsc(const struct task *t) {
  (void)t;
  return clock_ns(CLOCK_MONOTONIC);
}

const struct vvar *lx_vvar(const struct task *t) { return t->lvm->vvar; }

/* As Linux's alternatives choose __kernel_vsyscall: X86_FEATURE_SYSENTER32, X86_FEATURE_SYSCALL32. */
static const struct rom_vdso *choose(const struct task *t) {
  const struct cpu_model *m = t->cpu->model;
  if (t->abi == LX_X86_64) return &rom_vdso64;
  if (t->lvm->kernel.legacy) return &rom_vdso32_int80; /* entry32.S has no other way in */
  if (model_does(m, RULE_SYSCALL_LEGACY) && model_has(m, FEAT_SYSCALL)) return &rom_vdso32_syscall;
  if (model_does(m, RULE_SYSENTER_LONG) && model_has(m, FEAT_SEP)) return &rom_vdso32_sysenter;
  return &rom_vdso32_int80;
}

/* The same from a file without a name, where the host's mremap() does not double a mapping. */
static void *map_vvar_file(struct task *t, u64 at) {
  void *alias = MAP_FAILED;
  int fd = memfd_create("vvar", MFD_CLOEXEC);
  if (fd < 0) return alias;
  if (!ftruncate(fd, VVAR_BYTES) && !mm_host_map(t->mm, at, VVAR_BYTES, PROT_READ, MAP_SHARED, fd, 0))
    alias = mmap(NULL, VVAR_BYTES, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  return alias;
}

/* The program's read-only vvar page needs a second, writable view: the same shared page again. */
static int map_vvar(struct task *t, u64 at) {
  struct linux_vm *lvm = t->lvm;
  int r = mm_host_map(t->mm, at, VVAR_BYTES, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (r) return r;
  void *alias = mremap(mm_host(t->mm, at), 0, VVAR_BYTES, MREMAP_MAYMOVE);
  if (alias == MAP_FAILED) alias = map_vvar_file(t, at); /* valgrind */
  if (alias == MAP_FAILED) return -errno;
  if (mprotect(alias, VVAR_BYTES, PROT_READ | PROT_WRITE)) {
    munmap(alias, VVAR_BYTES);
    return -ENOMEM;
  }
  lvm->vvar = alias;
  lvm->vvar->clocks = BIT(VVAR_REALTIME) | BIT(VVAR_MONOTONIC) | BIT(VVAR_MONOTONIC_RAW) |
                      BIT(VVAR_REALTIME_COARSE) | BIT(VVAR_MONOTONIC_COARSE) | BIT(VVAR_BOOTTIME) | BIT(VVAR_TAI);
  lvm->vvar_tick = 0;
  vdso_refresh(lvm);
  return 0;
}

int vdso_map(struct task *t) {
  struct linux_vm *lvm = t->lvm;
  const struct rom_vdso *rom = choose(t);
  u64 size = page_up(rom->size), vvar = mm_place(t, 0, VVAR_BYTES + size, 0), base = vvar + VVAR_BYTES;
  if (!vvar) return -ENOMEM;
  int r = mm_map_anon(t, base, base + size, PROT_READ | PROT_WRITE, VMA_SPECIAL);
  if (!r) r = map_vvar(t, vvar);
  if (r) return r;
  memcpy(mm_host(t->mm, base), rom->image, rom->size);
  if (mm_mprotect(t, base, size, PROT_READ | PROT_EXEC) || vma_reserve(&t->mm->vmas)) return -ENOMEM;
  struct vma v = {.start = vvar, .end = base, .prot = PROT_READ, .flags = VMA_SHARED | VMA_SPECIAL};
  vma_insert(&t->mm->vmas, &v);
  lvm->vdso = rom;
  lvm->vdso_base = base;
  lvm->landing_pad = rom->landing_pad ? base + rom->landing_pad : 0;
  t->sigreturn = rom->sigreturn ? base + rom->sigreturn : 0;
  t->rt_sigreturn = rom->rt_sigreturn ? base + rom->rt_sigreturn : 0;
  return 0;
}

void vdso_unmap(struct linux_vm *lvm) {
  if (lvm->vvar) munmap(lvm->vvar, VVAR_BYTES);
  lvm->vvar = NULL;
}

/* A clock's distance from the TSC, by the closest of a few readings; `old` while it is as good, so that the reading's
 * noise does not make the clock go back. */
static s64 offset(clockid_t clock, s64 old) {
  enum { NOISE_NS = 1000 };
  s64 best = 0;
  u64 narrowest = ~UINT64_C(0);
  for (unsigned i = 0; i < 3; i++) {
    u64 before = clock_ns(CLOCK_MONOTONIC), then = clock_ns(clock), after = clock_ns(CLOCK_MONOTONIC);
    if (after - before >= narrowest) continue;
    narrowest = after - before;
    best = (s64)(then - before - narrowest / 2);
  }
  return best - old < NOISE_NS && old - best < NOISE_NS ? old : best;
}

void cpu_number_refresh(struct linux_vm *lvm) {
  unsigned cpu = 0, node = 0;
  if (getcpu(&cpu, &node)) return;
  kernel_set_cpu(&lvm->kernel, lvm->task.cpu, cpu | node << 12);
}

void vdso_refresh(struct linux_vm *lvm) {
  if (!lvm->vvar) return;
  u64 tick = clock_ns(CLOCK_MONOTONIC_COARSE);
  if (tick == lvm->vvar_tick) return;
  lvm->vvar_tick = tick;
  cpu_number_refresh(lvm);
  const s64 *old = lvm->vvar->offset_ns;
  vvar_publish(lvm->vvar, offset(CLOCK_REALTIME, old[VVAR_REALTIME]), 0,
               offset(CLOCK_MONOTONIC_RAW, old[VVAR_MONOTONIC_RAW]), offset(CLOCK_BOOTTIME, old[VVAR_BOOTTIME]),
               offset(CLOCK_TAI, old[VVAR_TAI]));
}
