/* Who the program is: processes, groups, sessions, users. man 2 getpid, setpgid, setsid, 7 credentials. Linux
 * kernel/sys.c, kernel/groups.c, kernel/uid16.c.
 *
 * All are the host's; i386's first calls have 16-bit identities, where a wider one is shown as 65534. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

enum { OVERFLOW_ID = 65534, GROUPS_MAX = 65536 };

static s64 narrow_id(s64 id) { return id >= 0 && id > 0xffff ? OVERFLOW_ID : id; }
/* low2highuid(): -1 stays -1. */
static u32 wide_id(u64 id) { return (u16)id == 0xffff ? ~UINT32_C(0) : (u16)id; }

s64 sys_getpid(struct task *t, const u64 a[6]) {
  (void)a;
  return t->pid;
}
s64 sys_gettid(struct task *t, const u64 a[6]) {
  (void)a;
  return t->tid;
}

/* Calls of the host with a given number of plain 32-bit arguments. */
#define PLAIN0(name)                                 \
  s64 sys_##name(struct task *t, const u64 a[6]) {   \
    (void)t, (void)a;                                \
    return HOST(SYS_##name);                         \
  }
#define PLAIN1(name)                                 \
  s64 sys_##name(struct task *t, const u64 a[6]) {   \
    (void)t;                                         \
    return HOST(SYS_##name, (s32)a[0]);              \
  }
#define PLAIN2(name)                                 \
  s64 sys_##name(struct task *t, const u64 a[6]) {   \
    (void)t;                                         \
    return HOST(SYS_##name, (s32)a[0], (s32)a[1]);   \
  }

PLAIN0(getppid)
PLAIN0(getpgrp)
PLAIN0(setsid)
PLAIN1(getpgid)
PLAIN1(getsid)
PLAIN2(setpgid)
PLAIN0(getuid)
PLAIN0(geteuid)
PLAIN0(getgid)
PLAIN0(getegid)
PLAIN1(setuid)
PLAIN1(setgid)
PLAIN1(setfsuid)
PLAIN1(setfsgid)
PLAIN2(setreuid)
PLAIN2(setregid)

s64 sys_setresuid(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_setresuid, (s32)a[0], (s32)a[1], (s32)a[2]);
}
s64 sys_setresgid(struct task *t, const u64 a[6]) {
  (void)t;
  return HOST(SYS_setresgid, (s32)a[0], (s32)a[1], (s32)a[2]);
}

/* --- i386, 16 bits --- */

#define NARROW0(name) \
  s64 sys_##name##_16(struct task *t, const u64 a[6]) { return narrow_id(sys_##name(t, a)); }
#define NARROW3(name)                                                               \
  s64 sys_##name##_16(struct task *t, const u64 a[6]) {                             \
    return sys_##name(t, (const u64[6]){wide_id(a[0]), wide_id(a[1]), wide_id(a[2])}); \
  }

NARROW0(getuid)
NARROW0(geteuid)
NARROW0(getgid)
NARROW0(getegid)
NARROW3(setuid)
NARROW3(setgid)
NARROW3(setreuid)
NARROW3(setregid)
NARROW3(setresuid)
NARROW3(setresgid)

/* Their answers are whole. */
s64 sys_setfsuid_16(struct task *t, const u64 a[6]) { return sys_setfsuid(t, (const u64[6]){wide_id(a[0])}); }
s64 sys_setfsgid_16(struct task *t, const u64 a[6]) { return sys_setfsgid(t, (const u64[6]){wide_id(a[0])}); }

/* --- Real, effective and saved --- */

static s64 get_three(struct task *t, const u64 a[6], long nr, bool narrow) {
  u32 id[3];
  s64 r = HOST(nr, &id[0], &id[1], &id[2]);
  for (unsigned i = 0; i < 3 && !r; i++)
    r = narrow ? ua_write16(t, a[i], (u16)narrow_id(id[i])) : ua_write32(t, a[i], id[i]);
  return r;
}

s64 sys_getresuid(struct task *t, const u64 a[6]) { return get_three(t, a, SYS_getresuid, false); }
s64 sys_getresgid(struct task *t, const u64 a[6]) { return get_three(t, a, SYS_getresgid, false); }
s64 sys_getresuid_16(struct task *t, const u64 a[6]) { return get_three(t, a, SYS_getresuid, true); }
s64 sys_getresgid_16(struct task *t, const u64 a[6]) { return get_three(t, a, SYS_getresgid, true); }

/* --- Supplementary groups --- */

static u64 groups_bytes(s32 n) { return n > 0 && n <= GROUPS_MAX ? (u64)n * sizeof(u32) : 0; }

s64 sys_getgroups(struct task *t, const u64 a[6]) {
  s32 n = (s32)a[0];
  s64 r = HOST(SYS_getgroups, n, ua_host(t, a[1], groups_bytes(n)));
  if (n && r > 0) ua_wrote(t, a[1], groups_bytes((s32)r));
  return r;
}

s64 sys_setgroups(struct task *t, const u64 a[6]) {
  s32 n = (s32)a[0];
  return HOST(SYS_setgroups, n, ua_host(t, a[1], groups_bytes(n)));
}

s64 sys_getgroups_16(struct task *t, const u64 a[6]) {
  s32 n = (s32)a[0];
  if (n <= 0) return HOST(SYS_getgroups, n, NULL);
  if (n > GROUPS_MAX) n = GROUPS_MAX;
  u32 *wide = malloc(groups_bytes(n));
  if (!wide) return -ENOMEM;
  s64 r = HOST(SYS_getgroups, n, wide), bad = 0;
  for (s64 i = 0; i < r && !bad; i++)
    bad = ua_write16(t, a[1] + (u64)i * sizeof(u16), (u16)narrow_id(wide[i]));
  free(wide);
  return bad ? bad : r;
}

s64 sys_setgroups_16(struct task *t, const u64 a[6]) {
  s32 n = (s32)a[0];
  if (n <= 0 || n > GROUPS_MAX) return HOST(SYS_setgroups, n, NULL);
  u32 *wide = malloc(groups_bytes(n));
  if (!wide) return -ENOMEM;
  s64 r = 0;
  for (s32 i = 0; i < n && !r; i++) {
    u16 id = 0;
    r = ua_read16(t, &id, a[1] + (u64)i * sizeof id);
    wide[i] = wide_id(id);
  }
  if (!r) r = HOST(SYS_setgroups, n, wide);
  free(wide);
  return r;
}

/* --- Capabilities --- */

/* struct __user_cap_header_struct is 8 bytes; the data are 12 (version 1) or 24. */
enum { CAP_HEADER_BYTES = 8, CAP_DATA_BYTES = 24 };

s64 sys_capget(struct task *t, const u64 a[6]) {
  s64 r = HOST(SYS_capget, ua_host(t, a[0], CAP_HEADER_BYTES), ua_opt(t, a[1], CAP_DATA_BYTES));
  ua_wrote(t, a[0], CAP_HEADER_BYTES);
  ua_wrote(t, a[1], CAP_DATA_BYTES);
  return r;
}

s64 sys_capset(struct task *t, const u64 a[6]) {
  s64 r = HOST(SYS_capset, ua_host(t, a[0], CAP_HEADER_BYTES), ua_host(t, a[1], CAP_DATA_BYTES));
  ua_wrote(t, a[0], CAP_HEADER_BYTES);
  return r;
}
