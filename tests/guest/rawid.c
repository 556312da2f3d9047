/* Identity, limits, names and scheduling by raw system calls, in their 16-bit, 32-bit and 64-bit forms. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/prctl.h>

#include "rawcall.h"

static void show_ids(long nr) {
  stain(64);
  CALL(nr, buf, buf + 8, buf + 16);
  bytes("three", buf, 24);
}

static void ids(void) {
  show_ids(SYS_getresuid);
  CALL(SYS_getuid);
  CALL(SYS_geteuid);
  CALL(SYS_getgid);
  CALL(SYS_getegid);
  CALL(SYS_getgroups, 0, 0L);
  CALL(SYS_getgroups, -1, buf);
  CALL(SYS_getpgid, 99999999);
  CALL(SYS_getsid, 99999999);
  CALL(SYS_setpgid, 0, -1);
}

static void change_ids(void) {
#ifdef __i386__
  unsigned short narrow[3] = {1, 2, 3};
#endif
  unsigned wide[3] = {1, 200000, 3};
  if (getuid()) return;
#ifdef __i386__
  CALL(SYS_setgroups, 3, narrow);
  CALL(SYS_getgroups, 32, buf);
  CALL(SYS_setgroups32, 3, wide);
  stain(64);
  CALL(SYS_getgroups, 32, buf);
  bytes("groups", buf, 16);
  CALL(SYS_getgroups32, 32, buf);
  bytes("groups", buf, 16);
  CALL(SYS_setregid32, -1, 300000);
  CALL(SYS_getegid);
  CALL(SYS_getegid32);
  CALL(SYS_setfsgid, 0xffff);
  CALL(SYS_setfsgid32, -1);
  CALL(SYS_setregid, 0xffff, 0);
  CALL(SYS_setresgid, 0xffff, 5, 0xffff);
  show_ids(SYS_getresgid);
  show_ids(SYS_getresgid32);
  CALL(SYS_setresgid32, 0, 0, 0);
#else
  CALL(SYS_setgroups, 3, wide);
  CALL(SYS_getgroups, 32, buf);
  bytes("groups", buf, 16);
  CALL(SYS_setregid, -1, 300000);
  CALL(SYS_getegid);
  CALL(SYS_setfsgid, -1);
  CALL(SYS_setresgid, 0, 0, 0);
#endif
}

static void limits(void) {
  unsigned long rl[2] = {100000000, 200000000};
  uint64_t both[2] = {~UINT64_C(0), ~UINT64_C(0)};
  for (int i = 0; i < 17; i++) {
    stain(16);
    CALL(SYS_getrlimit, i, buf);
    bytes("limit", buf, 16);
  }
#ifdef __i386__
  for (int i = 0; i < 4; i++) {
    stain(16);
    CALL(SYS_ugetrlimit, i, buf);
    bytes("limit", buf, 16);
  }
#endif
  CALL(SYS_setrlimit, 2, rl);
  CALL(SYS_getrlimit, 2, buf);
  bytes("data", buf, 16);
  rl[0] = 300000000;
  CALL(SYS_setrlimit, 2, rl);
  CALL(SYS_prlimit64, 0, 2, both, buf);
  bytes("data", buf, 16);
  CALL(SYS_prlimit64, 0, 9, 0L, buf);
  CALL(SYS_prlimit64, 99999999, 9, 0L, buf);
  rl[0] = rl[1] = 500;
  CALL(SYS_setrlimit, 7, rl);
  CALL(SYS_getrlimit, 7, buf);
  bytes("files", buf, 2 * WORD);
  CALL(SYS_getrusage, 0, buf);
  CALL(SYS_getrusage, 5, buf);
  CALL(SYS_getrusage, 0, BAD);
}

static void names(void) {
  stain(512);
  CALL(SYS_uname, buf);
  printf("  %s %s %s\n", buf, buf + 130, buf + 260);
#ifdef __i386__
  stain(512);
  CALL(SYS_olduname, buf);
  bytes("end", buf + 325, 4);
  stain(512);
  CALL(SYS_oldolduname, buf);
  bytes("short names", buf, 48);
#endif
  CALL(SYS_personality, 0xffffffff);
  CALL(SYS_personality, 8 /* PER_LINUX32 */);
  CALL(SYS_uname, buf);
  printf("  %s\n", buf + 260);
  CALL(SYS_personality, 0);
  stain(200);
  CALL(SYS_sysinfo, buf);
  bytes("memory", buf + (WORD == 8 ? 32 : 16), WORD);
  bytes("end", buf + (WORD == 8 ? 104 : 52), WORD == 8 ? 12 : 16);
  CALL(SYS_prctl, PR_SET_NAME, "a-name-that-is-too-long");
  CALL(SYS_prctl, PR_GET_NAME, buf);
  printf("  %s\n", buf);
  int fd = open("/proc/self/comm", O_RDONLY);
  printf("  %zd\n", read(fd, buf, 100));
  close(fd);
  fd = open("/proc/self/auxv", O_RDONLY);
  long n = read(fd, buf, sizeof buf);
  verdict("auxv ends with a pair of zeros", n > 0 && !(n % (2 * WORD)) && !buf[n - 2 * WORD]);
  close(fd);
}

static void scheduling(void) {
  CALL(SYS_getpriority, 0, 0);
  CALL(SYS_setpriority, 0, 0, 3);
  CALL(SYS_getpriority, 0, 0);
#ifdef __i386__
  CALL(SYS_nice, 2);
  CALL(SYS_getpriority, 0, 0);
  CALL(SYS_nice, 100);
  CALL(SYS_getpriority, 0, 0);
#endif
  memset(buf, 0, sizeof buf);
  CALL(SYS_sched_getaffinity, 0, 8, buf);
  bytes("processors", buf, 12);
  CALL(SYS_sched_getaffinity, 0, 1024, buf);
  CALL(SYS_sched_getaffinity, 0, 3, buf);
  CALL(SYS_sched_getaffinity, 0, 0, buf);
  CALL(SYS_sched_setaffinity, 0, 8, buf + 1900);
  CALL(SYS_sched_getscheduler, 0);
  CALL(SYS_sched_getparam, 0, buf);
  CALL(SYS_sched_getparam, 0, 0L);
  CALL(SYS_sched_get_priority_max, 1);
  CALL(SYS_sched_get_priority_max, 17);
  CALL(SYS_sched_yield);
  CALL(SYS_sched_getattr, 0, buf, 48, 0);
  CALL(SYS_sched_rr_get_interval, 0, buf);
  WORKS(SYS_getcpu, 0L, buf + 4, 0L);
  CALL(SYS_ioprio_get, 1, 0);
}

static void process(void) {
  struct {
    unsigned version;
    int pid;
  } header = {0x20080522, 0};
  CALL(SYS_prctl, PR_SET_PDEATHSIG, 9);
  CALL(SYS_prctl, PR_GET_PDEATHSIG, buf);
  bytes("signal", buf, 4);
  CALL(SYS_prctl, PR_SET_PDEATHSIG, 0);
  CALL(SYS_prctl, PR_GET_DUMPABLE);
  CALL(SYS_prctl, PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  CALL(SYS_prctl, PR_GET_SECCOMP);
  CALL(SYS_prctl, PR_CAPBSET_READ, 1);
  CALL(SYS_prctl, PR_GET_KEEPCAPS);
  CALL(SYS_prctl, 9999);
  CALL(SYS_getrandom, buf, 16L, 0);
  CALL(SYS_getrandom, buf, 16L, 99);
  CALL(SYS_getrandom, BAD, 16L, 0);
  CALL(SYS_capget, &header, buf);
  bytes("capabilities", buf, 24);
  header.version = 5;
  CALL(SYS_capget, &header, 0L);
  printf("  %x\n", header.version);
  CALL(SYS_capget, BAD, 0L);
}

int main(void) {
  ids();
  change_ids();
  limits();
  names();
  scheduling();
  process();
  return 0;
}
