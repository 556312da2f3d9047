/* The system's name and state, random bytes, and odds and ends: man 2 uname, sysinfo, getrandom, prctl,
 * membarrier, memfd_create. Linux kernel/sys.c, kernel/compat.c, arch/x86/include/asm/elf.h
 * (COMPAT_ELF_PLATFORM). */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "linux_abi/lvm.h"
#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

/* --- uname --- */

/* override_architecture(): only PER_LINUX32 shows another machine, not the program's width. */
static s64 read_names(const struct task *t, struct lx_utsname *u) {
  s64 r = HOST(SYS_uname, u);
  if (r) return r;
  memset(u->machine, 0, sizeof u->machine);
  bool linux32 = (t->personality & PER_MASK) == PER_LINUX32;
  strcpy(u->machine, linux32 ? "i686" : kernel_machine(&t->lvm->kernel, t->cpu->model));
  return 0;
}

s64 sys_uname(struct task *t, const u64 a[6]) {
  struct lx_utsname u;
  s64 r = read_names(t, &u);
  return r ? r : ua_write(t, a[0], &u, sizeof u);
}

s64 sys_olduname(struct task *t, const u64 a[6]) {
  struct lx_utsname u;
  s64 r = read_names(t, &u);
  return r ? r : ua_write(t, a[0], &u, sizeof(struct i386_old_utsname));
}

/* The first form has eight characters each. */
s64 sys_oldolduname(struct task *t, const u64 a[6]) {
  struct lx_utsname u;
  struct i386_oldold_utsname o = {{0}, {0}, {0}, {0}, {0}};
  if (!a[0]) return -EFAULT;
  s64 r = read_names(t, &u);
  if (r) return r;
  memcpy(o.sysname, u.sysname, sizeof o.sysname - 1);
  memcpy(o.nodename, u.nodename, sizeof o.nodename - 1);
  memcpy(o.release, u.release, sizeof o.release - 1);
  memcpy(o.version, u.version, sizeof o.version - 1);
  memcpy(o.machine, u.machine, sizeof o.machine - 1);
  return ua_write(t, a[0], &o, sizeof o);
}

/* --- sysinfo --- */

static s64 put_narrow_sysinfo(struct task *t, u64 to, const struct sysinfo *host) {
  struct sysinfo s = *host;
  u64 unit = s.mem_unit;
  unsigned shift = 0;
  if (s.totalram >> 32 || s.totalswap >> 32)
    for (; unit < 4096; unit <<= 1) shift++;
  struct i386_sysinfo o = {
      .uptime = (s32)s.uptime, .loads = {(u32)s.loads[0], (u32)s.loads[1], (u32)s.loads[2]},
      .totalram = (u32)(s.totalram >> shift), .freeram = (u32)(s.freeram >> shift),
      .sharedram = (u32)(s.sharedram >> shift), .bufferram = (u32)(s.bufferram >> shift),
      .totalswap = (u32)(s.totalswap >> shift), .freeswap = (u32)(s.freeswap >> shift), .procs = s.procs,
      .totalhigh = (u32)(s.totalhigh >> shift), .freehigh = (u32)(s.freehigh >> shift),
      .mem_unit = (u32)unit};
  return ua_write(t, to, &o, sizeof o);
}

s64 sys_sysinfo(struct task *t, const u64 a[6]) {
  struct sysinfo s;
  s64 r = HOST(SYS_sysinfo, &s);
  if (r) return r;
  return t->compat ? put_narrow_sysinfo(t, a[0], &s) : ua_write(t, a[0], &s, sizeof s);
}

/* --- Random bytes, memory files, barriers --- */

/* In place of the host's bytes, where a seed was given. */
static s64 put_seeded(struct task *t, u64 at, s64 n) {
  enum { CHUNK = 256 };
  u8 chunk[CHUNK];
  for (s64 done = 0; done < n; done += CHUNK) {
    u64 part = n - done < CHUNK ? (u64)(n - done) : CHUNK;
    if (lx_random(t, chunk, part) || ua_write(t, at + (u64)done, chunk, part)) return done ? done : -EFAULT;
  }
  return n;
}

s64 sys_getrandom(struct task *t, const u64 a[6]) {
  enum { MAX_RW_COUNT = 0x7ffff000 }; /* more is not looked at */
  u64 len = a[1] < MAX_RW_COUNT ? a[1] : MAX_RW_COUNT;
  void *buf = buf_arg(t, a[0], &len);
  s64 r = WAIT(t, SYS_getrandom, buf, len, (u32)a[2]);
  if (r > 0 && t->lvm->options.seeded) return put_seeded(t, a[0], r);
  if (r > 0) ua_wrote(t, a[0], (u64)r);
  return r;
}

s64 sys_memfd_create(struct task *t, const u64 a[6]) {
  files_ready(t);
  return HOST(SYS_memfd_create, path_arg(t, a[0]), (u32)a[1]);
}

s64 sys_membarrier(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_membarrier, (int)a[0], (u32)a[1], (int)a[2]);
}

/* --- prctl --- */

enum { COMM_BYTES = 16 };

static s64 set_name(struct task *t, u64 addr) {
  char name[COMM_BYTES] = {0};
  s64 n = ua_str(t, name, addr, COMM_BYTES);
  if (n == -ENAMETOOLONG) n = ua_read(t, name, addr, COMM_BYTES - 1);
  if (n < 0) return n;
  char *copy = strdup(name);
  if (!copy) return -ENOMEM;
  free(t->comm);
  t->comm = copy;
  return HOST(SYS_prctl, PR_SET_NAME, name, 0, 0, 0);
}

static s64 get_name(struct task *t, u64 addr) {
  char name[COMM_BYTES] = {0};
  strncpy(name, t->comm ? t->comm : "", COMM_BYTES - 1);
  return ua_write(t, addr, name, sizeof name);
}

/* The host stores an int at a[1]. */
static s64 get_int(struct task *t, const u64 a[6]) {
  s64 r = HOST(SYS_prctl, (int)a[0], ua_host(t, a[1], sizeof(int)), a[2], a[3], a[4]);
  if (r >= 0) ua_wrote(t, a[1], sizeof(int));
  return r;
}

/* One line for each option, and no more after many. */
static s64 unsupported_option(struct task *t, u32 option) {
  struct sys_index *ix = &t->lvm->sys;
  if (ix->prctl_count == ARRAY_SIZE(ix->prctls)) return -EINVAL;
  for (unsigned i = 0; i < ix->prctl_count; i++)
    if (ix->prctls[i] == option) return -EINVAL;
  ix->prctls[ix->prctl_count++] = option;
  lx_log(t, "unsupported prctl option %d", (int)option);
  return -EINVAL;
}

s64 sys_prctl(struct task *t, const u64 a[6]) {
  switch ((int)a[0]) {
    case PR_SET_NAME: return set_name(t, a[1]);
    case PR_GET_NAME: return get_name(t, a[1]);
    case PR_GET_PDEATHSIG: case PR_GET_CHILD_SUBREAPER: return get_int(t, a);
    case PR_GET_TSC: return ua_write32(t, a[1], PR_TSC_ENABLE);
    case PR_SET_TSC: return (u32)a[1] == PR_TSC_ENABLE ? 0 : -EINVAL;
    case PR_GET_TID_ADDRESS: return ua_write_word(t, a[1], t->clear_child_tid);
    case PR_GET_SECCOMP: return 0;
    case PR_SET_PDEATHSIG: case PR_GET_DUMPABLE: case PR_SET_DUMPABLE:
    case PR_GET_KEEPCAPS: case PR_SET_KEEPCAPS:
    case PR_GET_TIMING: case PR_SET_TIMING: case PR_GET_SECUREBITS: case PR_SET_SECUREBITS:
    case PR_GET_TIMERSLACK: case PR_SET_TIMERSLACK: case PR_SET_CHILD_SUBREAPER: case PR_GET_NO_NEW_PRIVS:
    case PR_SET_NO_NEW_PRIVS: case PR_CAPBSET_READ: case PR_CAPBSET_DROP: case PR_CAP_AMBIENT:
    case PR_GET_THP_DISABLE: case PR_SET_THP_DISABLE: case PR_SET_PTRACER:
    case PR_MCE_KILL: case PR_MCE_KILL_GET:
      return HOST(SYS_prctl, (int)a[0], a[1], a[2], a[3], a[4]);
    default: return unsupported_option(t, (u32)a[0]);
  }
}
