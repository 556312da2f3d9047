/* What calls about identity, limits, scheduling, signals, thread-local storage and the process itself refuse.
 * Signals go to the program alone, and only numbers that are none. */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "rawerr.h"

enum { NOBODY = INT_MAX };

static const struct row rows[] = {
    ROW(uname, "p", {AT_PAGE}),
    ROW(sysinfo, "p", {AT_PAGE}),
    ROW(getrandom, "!pzb", {AT_PAGE, 16, 0}),
    ROW(umask, "b", {022}),
    ROW(getgroups, "!dp", {64, AT_PAGE}),
    ROW(getresuid, "ppp", {AT_PAGE, AT_PAGE, AT_PAGE}),
    ROW(getresgid, "ppp", {AT_PAGE, AT_PAGE, AT_PAGE}),
    ROW(getrlimit, "dp", {RLIMIT_NOFILE, AT_PAGE}),
    ROW(setrlimit, "dp", {RLIMIT_MSGQUEUE, AT_PAGE}),
    ROW(prlimit64, ".dpp", {0, RLIMIT_MSGQUEUE, 0, AT_PAGE}),
    ROW(prlimit64, "..p", {0, RLIMIT_MSGQUEUE, AT_PAGE, 0}),
    ROW(prlimit64, "d", {NOBODY, 99, 0, AT_PAGE}),
    ROW(getrusage, "dp", {RUSAGE_SELF, AT_PAGE}),
    ROW(sched_getaffinity, ".zp", {0, 128, AT_PAGE}),
    ROW(sched_getaffinity, ".p", {NOBODY, 128, AT_PAGE}),
    ROW(sched_getparam, ".p", {0, AT_PAGE}),
    ROW(sched_rr_get_interval, ".p", {0, AT_PAGE}),
    ROW(sched_get_priority_max, "d", {0}),
    ROW(sched_get_priority_min, "d", {0}),
    ROW(getcpu, "ppp", {AT_PAGE, 0, 0}),
    ROW(set_robust_list, "pz", {AT_PAGE, 3 * WORD}),
    ROW(capget, "pp", {AT_PAGE, AT_PAGE_2}),
    ROW(rt_sigaction, "dppz", {SIGUSR1, AT_PAGE, AT_PAGE_2, 8}),
    ROW(rt_sigaction, ".pp", {SIGUSR1, 0, AT_PAGE, 8}),
    ROW(rt_sigaction, ".pp", {SIGKILL, 0, AT_PAGE, 8}),
    ROW(rt_sigaction, ".pp", {SIGSTOP, AT_PAGE, 0, 8}),
    ROW(rt_sigaction, ".pp", {64, AT_PAGE, 0, 8}),
    ROW(rt_sigaction, ".pp", {65, AT_PAGE, 0, 8}),
    ROW(rt_sigprocmask, "dppz", {SIG_BLOCK, AT_PAGE, AT_PAGE_2, 8}),
    ROW(rt_sigpending, "pz", {AT_PAGE, 8}),
    ROW(rt_sigsuspend, ".", {8, 8}),
    ROW(rt_sigsuspend, ".", {AT_PAGE, 4}),
    ROW(sigaltstack, "pp", {AT_PAGE, AT_PAGE_2}),
    ROW(sigaltstack, "pp", {0, AT_PAGE_2}),
    ROW(get_robust_list, ".pp", {0, AT_PAGE, AT_PAGE_2}),
    ROW(prctl, ".p", {PR_SET_NAME, AT_PAGE}),
    ROW(prctl, ".p", {PR_GET_NAME, AT_PAGE}),
    ROW(prctl, ".p", {PR_GET_PDEATHSIG, AT_PAGE}),
    ROW(prctl, ".p", {PR_GET_CHILD_SUBREAPER, AT_PAGE}),
    ROW(prctl, ".p", {PR_GET_TSC, AT_PAGE}),
    ROW(prctl, ".d", {PR_SET_PDEATHSIG, 0}),
    ROW(prctl, ".d", {PR_SET_DUMPABLE, 1}),
    ROW(prctl, ".d", {PR_SET_KEEPCAPS, 0}),
    ROW(prctl, ".d", {PR_SET_TIMING, 0}),
    ROW(prctl, ".d", {PR_SET_SECUREBITS, 1 << 20}),
    ROW(prctl, ".d", {PR_CAPBSET_READ, 0}),
    ROW(prctl, ".dddd", {PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0}),
    ROW(prctl, ".dddd", {PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0}),
    ROW(prctl, "..ddd", {PR_SET_THP_DISABLE, 0, 0, 0, 0}),
    ROW(prctl, ".dddd", {PR_GET_THP_DISABLE, 0, 0, 0, 0}),
    ROW(prctl, "...dd", {PR_MCE_KILL, 5, 0, 0, 0}),
    ROW(prctl, ".dddd", {PR_MCE_KILL_GET, 0, 0, 0, 0}),
    ROW(prctl, ".d", {PR_GET_DUMPABLE, 0}),
    ROW(prctl, ".", {9999}),
    ROW(prctl, ".", {-1}),
#ifdef __i386__
    ROW(olduname, "p", {AT_PAGE}),
    ROW(oldolduname, "p", {AT_PAGE}),
    ROW(ugetrlimit, "dp", {RLIMIT_NOFILE, AT_PAGE}),
    ROW(getgroups32, "!dp", {64, AT_PAGE}),
    ROW(getresuid32, "ppp", {AT_PAGE, AT_PAGE, AT_PAGE}),
    ROW(getresgid32, "ppp", {AT_PAGE, AT_PAGE, AT_PAGE}),
    ROW(sigaction, "dpp", {SIGUSR1, AT_PAGE, AT_PAGE_2}),
    ROW(signal, "dd", {SIGUSR1, 0}),
    ROW(sigprocmask, "dpp", {SIG_BLOCK, AT_PAGE, AT_PAGE_2}),
    ROW(sigpending, "p", {AT_PAGE}),
    ROW(waitpid, ".pb", {-1, AT_PAGE, 1}),
    ROW(set_thread_area, "p", {AT_PAGE}),
    ROW(get_thread_area, "p", {AT_PAGE}),
    ROW(arch_prctl, "d", {0x1002, 8}),
#else
    ROW(arch_prctl, "dp", {0, AT_PAGE}),
    ROW(arch_prctl, ".p", {0x1003, AT_PAGE}),
    ROW(arch_prctl, ".p", {0x1004, AT_PAGE}),
#endif
    ROW(wait4, ".pbp", {-1, AT_PAGE, 1, AT_PAGE}),
    ROW(waitid, "d", {0, 0, 0, 1 | 4, 0}),
    ROW(waitid, "...b", {0, 0, 0, 4, 0}),
};

/* A limit that is above its maximum, in every width: it cannot be set. Whether no stack is what there was
 * before is inherited, so that is settled first. */
static void prepare(const struct row *r) {
  const stack_t none = {.ss_flags = SS_DISABLE};
  if (!strcmp(r->name, "sigaltstack")) sigaltstack(&none, NULL);
  if (strstr(r->name, "limit"))
    for (unsigned i = 0; i < PAGE / WORD; i++) ((long *)page)[i] = i % 2 ? 0 : 1;
  if (!strcmp(r->name, "prlimit64")) memcpy(page, (uint64_t[]){1, 0}, 16);
  if (!strcmp(r->name, "capget")) *(unsigned *)page = 0x20080522;
}

static void processes(void) {
  long self = getpid();
#define MINE(nr, ...) shown(#nr, syscall(nr, self, ##__VA_ARGS__))
  MINE(SYS_kill, 0);
  MINE(SYS_kill, 65);
  MINE(SYS_kill, -1);
  MINE(SYS_tkill, 0);
  MINE(SYS_tkill, 65);
  MINE(SYS_tgkill, self, 0);
  MINE(SYS_tgkill, self, 65);
  MINE(SYS_tgkill, NOBODY, 0);
  MINE(SYS_tgkill, -1, 0);
  MINE(SYS_rt_sigqueueinfo, 0, BAD);
  MINE(SYS_rt_sigqueueinfo, 65, buf);
  MINE(SYS_rt_tgsigqueueinfo, self, 65, buf);
  MINE(SYS_rt_tgsigqueueinfo, self, 0, BAD);
  CALL(SYS_kill, NOBODY, 0);
  CALL(SYS_kill, INT_MIN, 0);
  CALL(SYS_tkill, NOBODY, 0);
  CALL(SYS_tkill, -1, 0);
  CALL(SYS_tkill, 0, 0);
  CALL(SYS_tgkill, NOBODY, NOBODY, 0);
  CALL(SYS_tgkill, -1, 1, 0);
  CALL(SYS_getpgid, -1);
  CALL(SYS_getpgid, NOBODY);
  CALL(SYS_getsid, -1);
  CALL(SYS_getsid, NOBODY);
  CALL(SYS_setpgid, 0, -1);
  CALL(SYS_setpgid, -1, 0);
  CALL(SYS_setpgid, NOBODY, 0);
  CALL(SYS_getpriority, 3, 0);
  CALL(SYS_getpriority, -1, 0);
  CALL(SYS_getpriority, 0, NOBODY);
  CALL(SYS_setpriority, 3, 0, 0);
  CALL(SYS_setpriority, -1, 0, 0);
  CALL(SYS_setpriority, 0, NOBODY, 0);
  CALL(SYS_sched_getscheduler, NOBODY);
  CALL(SYS_sched_getscheduler, -1);
  CALL(SYS_sched_getparam, -1, buf);
  CALL(SYS_sched_setscheduler, 0, 99, buf);
  CALL(SYS_sched_setscheduler, 0, -1, buf);
  CALL(SYS_sched_setscheduler, 0, 0, 0L);
  CALL(SYS_sched_setscheduler, 0, 0, BAD);
  CALL(SYS_sched_setaffinity, 0, 8, BAD);
  CALL(SYS_sched_setaffinity, 0, 0, buf);
  CALL(SYS_setuid, -1);
  CALL(SYS_setgid, -1);
  CALL(SYS_getgroups, INT_MAX, BAD);
}

/* The alternative stack: man 2 sigaltstack. */
static void stacks(void) {
  struct {
    void *sp;
    int flags;
    size_t size;
  } s = {buf, 0, 1024};
  CALL(SYS_sigaltstack, &s, 0L);
  s.size = 0;
  CALL(SYS_sigaltstack, &s, 0L);
  for (int bit = 0; bit < 32; bit++) {
    s.flags = 1u << bit;
    s.size = sizeof buf;
    CALL(SYS_sigaltstack, &s, 0L);
  }
  s.flags = 2;
  CALL(SYS_sigaltstack, &s, 0L);
}

#ifdef __i386__
/* Neither entry that a C library takes (12) is changed. */
static void thread_areas(void) {
  struct {
    unsigned entry, base, limit, bits;
  } d;
  static const unsigned entries[] = {0, 5, 6, 11, 15, 16, 99, INT_MAX, -2};
  for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
    memset(&d, 0, sizeof d);
    d.entry = entries[i];
    printf("entry %d: ", (int)d.entry);
    CALL(SYS_get_thread_area, &d);
    d.limit = 0xfffff;
    printf("entry %d: ", (int)d.entry);
    CALL(SYS_set_thread_area, &d);
  }
  for (unsigned bits = 0; bits < 128; bits++) {
    d.entry = 13;
    d.base = 0x1000;
    d.limit = 0xfff;
    d.bits = bits;
    printf("bits %x: ", bits);
    CALL(SYS_set_thread_area, &d);
    d.bits = d.base = 0;
    CALL(SYS_get_thread_area, &d);
    printf("  base %x limit %x bits %x\n", d.base, d.limit, d.bits);
  }
}
#else
static void thread_areas(void) {
  CALL(SYS_arch_prctl, 0x1002, -1L);
  CALL(SYS_arch_prctl, 0x1002, LONG_MIN);
  CALL(SYS_arch_prctl, 0x1001, LONG_MIN);
  CALL(SYS_arch_prctl, 0x1001, -4096L);
}
#endif

int main(void) {
  CALL_ALL(rows);
  make_all();
  processes();
  stacks();
  thread_areas();
  return 0;
}
