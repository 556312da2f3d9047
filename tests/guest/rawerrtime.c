/* What calls about time refuse, and calls that wait: nothing here waits for more than a moment.
 * only: glibc (musl's headers alone have no linux/futex.h) */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <poll.h>
#include <sys/time.h>
#include <time.h>

#include "rawerr.h"

/* Something ready, for calls that would wait for ever without. */
enum { READY_FD = 10 };

static const struct row rows[] = {
    ROW(clock_gettime, "dp", {CLOCK_MONOTONIC, AT_PAGE}),
    ROW(clock_getres, "dp", {CLOCK_MONOTONIC, AT_PAGE}),
    ROW(clock_nanosleep, "dbpp", {CLOCK_MONOTONIC, 0, AT_PAGE, AT_PAGE_2}),
    ROW(clock_nanosleep, "d.pp", {CLOCK_REALTIME, TIMER_ABSTIME, AT_PAGE, AT_PAGE_2}),
    ROW(nanosleep, "pp", {AT_PAGE, AT_PAGE_2}),
    ROW(gettimeofday, "pp", {AT_PAGE, AT_PAGE_2}),
    ROW(time, "!p", {AT_PAGE}),
    ROW(times, "!p", {AT_PAGE}),
    ROW(getitimer, "dp", {ITIMER_REAL, AT_PAGE}),
    ROW(setitimer, "dpp", {ITIMER_REAL, AT_PAGE, AT_PAGE_2}),
    ROW(alarm, "!d", {0}),
    ROW(poll, "pd", {AT_PAGE, 1, 0}),
    ROW(ppoll, "pdppz", {AT_PAGE, 1, AT_PAGE_2, 0, 8}),
    ROW(ppoll, "...pz", {AT_PAGE, 1, AT_PAGE_2, AT_PAGE_2, 8}),
#ifdef __i386__
    ROW(_newselect, "dpppp", {READY_FD + 1, AT_PAGE, 0, 0, AT_PAGE_2}),
    ROW(_newselect, "..pp", {READY_FD + 1, AT_PAGE, AT_PAGE, AT_PAGE, AT_PAGE_2}),
    ROW(select, ".", {8}),
    ROW(select, ".", {-1}),
    {"clock_gettime64", 403, "dp", {CLOCK_MONOTONIC, AT_PAGE}},
    {"clock_getres_time64", 406, "dp", {CLOCK_MONOTONIC, AT_PAGE}},
    {"clock_nanosleep_time64", 407, "dbpp", {CLOCK_MONOTONIC, 0, AT_PAGE, AT_PAGE_2}},
    {"timerfd_gettime64", 410, "fp", {FD_BOTH, AT_PAGE}},
    {"timerfd_settime64", 411, "fbpp", {FD_BOTH, 0, AT_PAGE, AT_PAGE_2}},
    {"pselect6_time64", 413, "dppppp", {READY_FD + 1, AT_PAGE, 0, 0, AT_PAGE_2, 0}},
    {"ppoll_time64", 414, "pdppz", {AT_PAGE, 1, AT_PAGE_2, 0, 8}},
    {"rt_sigtimedwait_time64", 421, "pp.z", {AT_PAGE_2, AT_PAGE, AT_PAGE_2, 8}},
    {"futex_time64", 422, "p..p", {AT_PAGE_2, FUTEX_WAIT, 1, AT_PAGE_2}},
#else
    ROW(select, "dpppp", {READY_FD + 1, AT_PAGE, 0, 0, AT_PAGE_2}),
    ROW(select, "..pp", {READY_FD + 1, AT_PAGE, AT_PAGE, AT_PAGE, AT_PAGE_2}),
#endif
    ROW(pselect6, "dppppp", {READY_FD + 1, AT_PAGE, 0, 0, AT_PAGE_2, 0}),
    /* The word is never what they wait for. */
    ROW(futex, "pd.p", {AT_PAGE_2, FUTEX_WAIT, 1, 0, AT_PAGE, 0}),
    ROW(futex, "p..p", {AT_PAGE_2, FUTEX_WAIT_BITSET, 1, AT_PAGE_2, 0, -1}),
    ROW(futex, "p", {AT_PAGE_2, FUTEX_WAIT_BITSET, 1, 0, 0, 0}),
    ROW(futex, "p.d", {AT_PAGE_2, FUTEX_WAKE, 1}),
    ROW(futex, "p", {AT_PAGE_2, FUTEX_WAKE_BITSET, 1, 0, 0, 0}),
    ROW(futex, "p.ddp", {AT_PAGE_2, FUTEX_REQUEUE, 1, 1, AT_PAGE}),
    ROW(futex, "p.ddpd", {AT_PAGE_2, FUTEX_CMP_REQUEUE, 1, 1, AT_PAGE, 0}),
    ROW(futex, "p.d.pb", {AT_PAGE_2, FUTEX_WAKE_OP, 1, 1, AT_PAGE, 0}),
    ROW(futex, "p", {AT_PAGE_2, FUTEX_UNLOCK_PI}),
    ROW(rt_sigtimedwait, "pp.z", {AT_PAGE_2, AT_PAGE, AT_PAGE_2, 8}),
    ROW(utimensat, "..p", {AT_FDCWD, S("file"), AT_PAGE_2, 0}),
};

/* The second half of the page is zeros: no time, no signals. */
static void prepare(const struct row *r) {
  if (strstr(r->name, "poll")) {
    ((struct pollfd *)page)->fd = pipe_in;
    ((struct pollfd *)page)->events = POLLOUT;
  } else if (strstr(r->name, "select")) {
    dup2(fd_both, READY_FD);
    *(long *)page = 1l << READY_FD;
  }
}

/* Seconds and a fraction that make no time. */
static void times_of(const char *name, long nr, int at, long a[ARGUMENTS], long most) {
  const struct {
    const char *name;
    long v[4];
  } bad[] = {{"the most", {0, most - 1}},
             {"too many", {0, most}},
             {"negative", {0, -1}},
             {"negative seconds", {-1, 0}},
             {"both negative", {-1, -1}},
             {"least", {0, LONG_MIN}},
             {"far beyond", {0, LONG_MAX}},
             {"first too many", {0, most, 0, 0}},
             {"second too many", {0, 0, 0, most}},
             {"second negative", {0, 0, 0, -1}},
             {"second negative seconds", {0, 0, -1, 0}},
             {"both too many", {0, most, 0, most}}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    make_all();
    prepare(&(struct row){name, nr, "", {0}});
    memcpy(page + PAGE / 2, bad[i].v, sizeof bad[i].v);
    long r[ARGUMENTS];
    for (int k = 0; k < ARGUMENTS; k++) r[k] = k == at ? (long)page + PAGE / 2 : good(a[k]);
    printf("%s: ", bad[i].name);
    errno = 0;
    answer(name, -1, "", syscall(nr, r[0], r[1], r[2], r[3], r[4], r[5]), 0);
  }
}
#define TIMES(call, at, most, ...) times_of(#call, SYS_##call, at, (long[ARGUMENTS]){__VA_ARGS__}, most)

static void wrong_times(void) {
  enum { NS = 1000000000, US = 1000000 };
  TIMES(clock_nanosleep, 2, NS, CLOCK_MONOTONIC, TIMER_ABSTIME, 0, 0);
  TIMES(ppoll, 2, NS, AT_PAGE, 1, 0, 0, 8);
  TIMES(pselect6, 4, NS, READY_FD + 1, AT_PAGE, 0, 0, 0, 0);
#ifdef __i386__
  TIMES(_newselect, 4, US, READY_FD + 1, AT_PAGE, 0, 0, 0);
#else
  TIMES(select, 4, US, READY_FD + 1, AT_PAGE, 0, 0, 0);
#endif
  TIMES(futex, 3, NS, AT_PAGE, FUTEX_WAIT, 1, 0);
  TIMES(futex, 3, NS, AT_PAGE, FUTEX_WAIT_BITSET, 1, 0, 0, -1);
  TIMES(utimes, 1, US, S("file"), 0);
  TIMES(futimesat, 2, US, AT_FDCWD, S("file"), 0);
  TIMES(utimensat, 2, NS, AT_FDCWD, S("file"), 0, 0);
  TIMES(setitimer, 1, US, ITIMER_VIRTUAL, 0, 0);
  TIMES(timerfd_settime, 2, NS, FD_BOTH, 0, 0, 0);
}

/* Sleeps that would be long if they were not refused, with the second above what is asked for. */
static void no_sleep(void) {
  static const long wrong[][2] = {{0, 1000000000}, {0, -1}, {-1, 0}, {-1, 5}, {0, LONG_MIN}, {0, LONG_MAX}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    memcpy(page, wrong[i], sizeof wrong[i]);
    CALL(SYS_nanosleep, page, 0L);
    CALL(SYS_clock_nanosleep, 1, 0, page, 0L);
    CALL(SYS_clock_nanosleep, 99, 0, page, 0L);
    memset(page + 64, 0, 8);
    CALL(SYS_rt_sigtimedwait, page + 64, 0L, page, 8L);
  }
  CALL(SYS_rt_sigtimedwait, page + 64, 0L, BAD, 8L);
  CALL(SYS_nanosleep, BAD, BAD);
}

int main(void) {
  CALL_ALL(rows);
  wrong_times();
  make_all();
  no_sleep();
  return 0;
}
