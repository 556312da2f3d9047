/* Waiting by raw system calls, to the end, interrupted and restarted: poll, select, sleeps, futexes, epoll;
 * and the clocks' and timers' arguments. man 7 signal (Interruption of system calls).
 * only: glibc (musl's headers alone have no linux/futex.h) */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <time.h>

#include "rawcall.h"

#ifdef __i386__
#define SELECT SYS__newselect
#else
#define SELECT SYS_select
#endif

static int p[2];
static struct pollfd f[3];

static void on_alarm(int sig) { (void)sig; }

static void alarm_soon(void) {
  struct {
    long interval[2], value[2];
  } it = {{0, 0}, {0, 20000}};
  syscall(SYS_setitimer, 0, &it, 0);
}

static void set_of(unsigned long *set, int fd) {
  memset(set, 0, 128);
  set[fd / (8 * WORD)] |= 1ul << fd % (8 * WORD);
}

static void polls(void) {
  long ts[2] = {0, 1000000};
  CALL(SYS_poll, f, 3, 0);
  printf("  %x %x %x\n", f[0].revents, f[1].revents, f[2].revents);
  CALL(SYS_poll, f, 1, 10);
  CALL(SYS_poll, BAD, 1, 10);
  CALL(SYS_poll, f, 0, 1);
  CALL(SYS_poll, f, -1, 1);
  CALL(SYS_ppoll, f, 1, ts, 0L, 8L);
  printf("  left %ld %ld\n", ts[0], ts[1]);
  ts[1] = -1;
  CALL(SYS_ppoll, f, 1, ts, 0L, 8L);
  ts[1] = 1;
  CALL(SYS_ppoll, f, 1, ts, buf, 5L);
  CALL(SYS_ppoll, f, 3, 0L, 0L, 0L);
#ifdef __i386__
  struct {
    long long sec;
    int nsec, pad;
  } wide = {0, 1000, 0x12345};
  CALL(414 /* ppoll_time64 */, f, 1, &wide, 0L, 8L);
  CALL(413 /* pselect6_time64 */, 1, 0L, 0L, 0L, &wide, 0L);
#endif
}

static void selects(void) {
  unsigned long in[128 / WORD], out[128 / WORD];
  long tv[2] = {0, 2000}, ts[2] = {0, 100}, six[2] = {0, 8};
  set_of(in, p[0]);
  set_of(out, p[1]);
  CALL(SELECT, p[1] + 1, in, out, 0L, tv);
  printf("  %lx %lx\n", in[0], out[0]);
  set_of(in, p[0]);
  CALL(SELECT, p[0] + 1, in, 0L, 0L, tv);
  printf("  %ld %ld %lx\n", tv[0], tv[1], in[0]);
  CALL(SELECT, -1, in, 0L, 0L, tv);
  set_of(in, 29);
  CALL(SELECT, 30, in, 0L, 0L, tv);
  CALL(SELECT, 4, BAD, 0L, 0L, tv);
  tv[1] = -1;
  CALL(SELECT, 4, 0L, 0L, 0L, tv);
  set_of(in, p[0]);
  CALL(SYS_pselect6, p[0] + 1, in, 0L, 0L, ts, 0L);
  CALL(SYS_pselect6, p[0] + 1, in, 0L, 0L, ts, six);
  six[0] = 8;
  CALL(SYS_pselect6, p[0] + 1, in, 0L, 0L, ts, six);
  six[1] = 4;
  CALL(SYS_pselect6, p[0] + 1, in, 0L, 0L, ts, six);
#ifdef __i386__
  tv[1] = 0;
  long arguments[5] = {p[1] + 1, 0, (long)out, 0, (long)tv};
  set_of(out, p[1]);
  CALL(SYS_select, arguments);
  printf("  %lx\n", out[0]);
#endif
}

/* Each of these meets an alarm. */
static void interrupted(int restart) {
  unsigned long in[128 / WORD];
  long ts[2] = {0, 100000000}, tv[2] = {0, 100000}, wait[2] = {0, 100000000}, left[2] = {0, 0}, end[2];
  struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = restart ? SA_RESTART : 0};
  sigaction(SIGALRM, &sa, NULL);
  alarm_soon();
  CALL(SYS_poll, f, 1, 100);
  alarm_soon();
  CALL(SYS_poll, f, 1, -1);
  alarm_soon();
  CALL(SYS_ppoll, f, 1, ts, 0L, 8L);
  verdict("ppoll says what is left", ts[1] > 0 && ts[1] < 90000000);
  alarm_soon();
  set_of(in, p[0]);
  CALL(SELECT, p[0] + 1, in, 0L, 0L, tv);
  verdict("select says what is left", tv[1] > 0 && tv[1] < 90000);
  alarm_soon();
  CALL(SYS_nanosleep, wait, left);
  verdict("nanosleep says what is left", left[1] > 0 && left[1] < 90000000);
  alarm_soon();
  CALL(SYS_clock_nanosleep, 1, 0, wait, left);
  CALL(SYS_clock_nanosleep, 1, 0, wait, BAD);
  syscall(SYS_clock_gettime, 1, end);
  end[0]++;
  alarm_soon();
  CALL(SYS_clock_nanosleep, 1, 1, end, 0L);
  if (!restart) {
    alarm_soon();
    CALL(SYS_read, p[0], buf, 1L);
    alarm_soon();
    CALL(SYS_futex, buf, FUTEX_WAIT, *(int *)buf, 0L);
  }
  alarm_soon();
  CALL(SYS_futex, buf, FUTEX_WAIT, *(int *)buf, wait);
  int ep = epoll_create1(0);
  struct epoll_event ev = {EPOLLIN, {0}};
  epoll_ctl(ep, 1, p[0], &ev);
  alarm_soon();
  CALL(SYS_epoll_wait, ep, &ev, 1, 100);
  close(ep);
}

/* A signal that waits, blocked, and is let in by the wait's own mask. */
static void masked(void) {
  sigset_t none, alarms, pending;
  long ts[2] = {1, 0}, six[2] = {(long)&none, 8};
  sigemptyset(&none);
  sigemptyset(&alarms);
  sigaddset(&alarms, SIGALRM);
  sigprocmask(SIG_BLOCK, &alarms, NULL);
  raise(SIGALRM);
  CALL(SYS_ppoll, f, 1, ts, &none, 8L);
  raise(SIGALRM);
  CALL(SYS_pselect6, 0, 0L, 0L, 0L, ts, six);
  raise(SIGALRM);
  if (write(p[1], "x", 1) != 1) return;
  CALL(SYS_ppoll, f, 1, ts, &alarms, 8L);
  CALL(SYS_read, p[0], buf, 1L);
  sigpending(&pending);
  verdict("a blocked signal waits on", sigismember(&pending, SIGALRM));
  sigprocmask(SIG_UNBLOCK, &alarms, NULL);
}

static void futexes(void) {
  int *word = (int *)buf, *other = word + 1;
  long ts[2] = {0, 1000};
  memset(buf, 0, 16);
  CALL(SYS_futex, word, FUTEX_WAIT, 1, 0L);
  CALL(SYS_futex, word, FUTEX_WAIT, 0, ts);
  CALL(SYS_futex, word, FUTEX_WAKE, 1);
  CALL(SYS_futex, buf + 1, FUTEX_WAKE, 1);
  CALL(SYS_futex, BAD, FUTEX_WAIT, 0, 0L);
  CALL(SYS_futex, word, 99, 0, 0L);
  CALL(SYS_futex, word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 0, ts);
  CALL(SYS_futex, word, FUTEX_WAIT_BITSET, 0, ts, 0L, -1);
  ts[1] = -1;
  CALL(SYS_futex, word, FUTEX_WAIT, 0, ts);
  *other = 5;
  CALL(SYS_futex, word, FUTEX_WAKE_OP, 1, 1L, other, 7 << 12 | 5);
  printf("  %d\n", *other);
  CALL(SYS_futex, word, FUTEX_CMP_REQUEUE, 1, 1L, other, 0);
}

static void clocks(void) {
  long ts[2], wait[2] = {0, -1}, it[4] = {0, 0, 1000, 500}, old[4];
  for (int c = -3; c < 16; c++) {
    printf("clock %d: ", c);
    CALL(SYS_clock_gettime, c, ts);
    stain(16);
    CALL(SYS_clock_getres, c, buf);
    if (c != 5 && c != 6) bytes("resolution", buf, 2 * WORD);
  }
  CALL(SYS_clock_gettime, 0, BAD);
  CALL(SYS_clock_getres, 0, 0L);
  CALL(SYS_gettimeofday, 0L, buf);
  CALL(SYS_gettimeofday, BAD, 0L);
  CALL(SYS_clock_settime, 1, ts);
  CALL(SYS_clock_settime, 0, BAD);
  CALL(SYS_times, BAD);
  CALL(SYS_setitimer, 1, it, 0L);
  CALL(SYS_setitimer, 1, it, old);
  verdict("setitimer's old value", old[2] >= 999 && old[2] <= 1000);
  it[3] = 1000000;
  CALL(SYS_setitimer, 1, it, old);
  CALL(SYS_setitimer, 7, it, old);
  it[2] = it[3] = 0;
  CALL(SYS_setitimer, 1, it, 0L);
  CALL(SYS_alarm, 100);
  CALL(SYS_alarm, 0);
  CALL(SYS_nanosleep, wait, 0L);
  wait[1] = 1000;
  CALL(SYS_nanosleep, wait, 0L);
  CALL(SYS_nanosleep, BAD, 0L);
  /* Not the process's own clock: that stands still while it sleeps. */
  static const int sleepers[] = {0, 1, 3, 4, 5, 7, 11, 99};
  for (size_t i = 0; i < sizeof sleepers / sizeof *sleepers; i++) {
    printf("clock %d: ", sleepers[i]);
    CALL(SYS_clock_nanosleep, sleepers[i], 0, wait, 0L);
  }
}

static void timer_descriptors(void) {
  int fd = syscall(SYS_timerfd_create, 1, 0);
  long its[4] = {0, 0, 0, 1000000}, old[4];
  CALL(SYS_timerfd_settime, fd, 0, its, old);
  CALL(SYS_read, fd, buf, 8L);
  bytes("ticks", buf, 8);
  CALL(SYS_timerfd_gettime, fd, old);
  printf("  %ld %ld\n", old[2], old[3]);
#ifdef __i386__
  struct {
    long long sec;
    int nsec, pad;
  } wide = {0, 1000, 77};
  CALL(407 /* clock_nanosleep_time64 */, 1, 0, &wide, 0L);
  CALL(403 /* clock_gettime64 */, 1, &wide);
  printf("  %d\n", wide.pad);
  CALL(406 /* clock_getres_time64 */, 0, &wide);
  long long spec[4] = {0, 0, 0, 1000};
  CALL(411 /* timerfd_settime64 */, fd, 0, spec, 0L);
  CALL(410 /* timerfd_gettime64 */, fd, spec);
  wide.sec = wide.nsec = 0;
  *(int *)buf = 1;
  CALL(422 /* futex_time64 */, buf, 0, 1, &wide);
#endif
  close(fd);
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  if (pipe(p)) return 1;
  f[0] = (struct pollfd){p[0], POLLIN, 7};
  f[1] = (struct pollfd){p[1], POLLOUT, 7};
  f[2] = (struct pollfd){77, POLLIN, 7};
  polls();
  selects();
  f[0].fd = p[0];
  for (int restart = 0; restart < 2; restart++) {
    interrupted(restart);
    masked();
  }
  futexes();
  clocks();
  timer_descriptors();
  return 0;
}
