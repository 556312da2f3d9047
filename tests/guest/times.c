/* Clocks, sleeps and calendars. What differs between runs is judged, not printed. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static int64_t ns(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

static int64_t clock_ns(clockid_t c) {
  struct timespec t;
  if (clock_gettime(c, &t))
    return -1;
  return ns(t);
}

static void clocks(void) {
  static const struct {
    const char *name;
    clockid_t id;
  } c[] = {{"CLOCK_REALTIME", CLOCK_REALTIME},
           {"CLOCK_MONOTONIC", CLOCK_MONOTONIC},
           {"CLOCK_MONOTONIC_RAW", CLOCK_MONOTONIC_RAW},
           {"CLOCK_BOOTTIME", CLOCK_BOOTTIME},
           {"CLOCK_REALTIME_COARSE", CLOCK_REALTIME_COARSE},
           {"CLOCK_MONOTONIC_COARSE", CLOCK_MONOTONIC_COARSE},
           {"CLOCK_TAI", CLOCK_TAI},
           {"CLOCK_PROCESS_CPUTIME_ID", CLOCK_PROCESS_CPUTIME_ID},
           {"CLOCK_THREAD_CPUTIME_ID", CLOCK_THREAD_CPUTIME_ID}};
  for (size_t i = 0; i < sizeof c / sizeof *c; i++) {
    int64_t last = clock_ns(c[i].id);
    int forward = last >= 0;
    for (int k = 0; k < 2000; k++) {
      int64_t now = clock_ns(c[i].id);
      forward &= now >= last;
      last = now;
    }
    struct timespec res;
    forward &= clock_getres(c[i].id, &res) == 0 && res.tv_sec == 0 && res.tv_nsec > 0;
    verdict(c[i].name, forward);
  }
  struct timespec t;
  verdict("an unknown clock is EINVAL", clock_gettime(77, &t) == -1 && errno == EINVAL);
  int64_t a = clock_ns(CLOCK_MONOTONIC), b;
  do
    b = clock_ns(CLOCK_MONOTONIC);
  while (b - a < 3000000);
  verdict("monotonic time passes while we look", b - a < 2000000000);
}

static void agreement(void) {
  struct timeval tv;
  struct timespec before, after, raw;
  clock_gettime(CLOCK_REALTIME, &before);
  gettimeofday(&tv, NULL);
  time_t now = time(NULL);
  clock_gettime(CLOCK_REALTIME, &after);
  int64_t us = (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
  verdict("gettimeofday lies between", us >= ns(before) / 1000 && us <= ns(after) / 1000);
  verdict("time agrees", now >= before.tv_sec - 1 && now <= after.tv_sec);
  verdict("the year is plausible", now > 1700000000);
  clock_gettime(CLOCK_MONOTONIC, &before);
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &raw); /* past the vDSO; the old layout has the width of long */
  clock_gettime(CLOCK_MONOTONIC, &after);
#ifndef __x86_64__
  struct {
    int32_t sec, nsec;
  } narrow;
  clock_gettime(CLOCK_MONOTONIC, &before);
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &narrow);
  clock_gettime(CLOCK_MONOTONIC, &after);
  raw = (struct timespec){.tv_sec = narrow.sec, .tv_nsec = narrow.nsec};
#endif
  verdict("the system call and the vDSO agree", ns(before) <= ns(raw) && ns(raw) <= ns(after));
}

static void sleeps(void) {
  struct timespec t = {0, 5000000}, left;
  int64_t a = clock_ns(CLOCK_MONOTONIC);
  verdict("nanosleep", nanosleep(&t, &left) == 0);
  int64_t b = clock_ns(CLOCK_MONOTONIC);
  verdict("slept at least 5 ms", b - a >= 5000000);
  usleep(2000);
  verdict("usleep at least 2 ms", clock_ns(CLOCK_MONOTONIC) - b >= 2000000);
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_nsec += 4000000;
  if (until.tv_nsec >= 1000000000)
    until.tv_nsec -= 1000000000, until.tv_sec++;
  verdict("clock_nanosleep until", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0 &&
                                       clock_ns(CLOCK_MONOTONIC) >= ns(until));
  t.tv_nsec = 1000000000;
  verdict("too many nanoseconds is EINVAL", nanosleep(&t, NULL) == -1 && errno == EINVAL);
}

static void processor_time(void) {
  struct tms tm;
  clock_t c0 = clock(), t0 = times(&tm);
  int64_t p0 = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  for (volatile long i = 0; i < 3000000; i++)
    ;
  verdict("the process clock advances", clock_ns(CLOCK_PROCESS_CPUTIME_ID) > p0);
  verdict("clock()", clock() >= c0 && c0 >= 0);
  verdict("times()", times(&tm) >= t0 && tm.tms_utime >= 0 && tm.tms_cutime == 0);
  struct rusage r;
  verdict("getrusage", getrusage(RUSAGE_SELF, &r) == 0 && r.ru_maxrss > 0);
  verdict("clock ticks", sysconf(_SC_CLK_TCK) == 100);
  struct itimerval it = {.it_value = {100, 0}}, old;
  verdict("setitimer", setitimer(ITIMER_VIRTUAL, &it, &old) == 0 && old.it_value.tv_sec == 0);
  verdict("getitimer",
          getitimer(ITIMER_VIRTUAL, &old) == 0 && old.it_value.tv_sec >= 90 && old.it_value.tv_sec <= 100);
}

static void calendar(void) {
  static const long long when[] = {0,          1,          86399,      86400, 951782400,   1000000000,
                                   1234567890, 1709164800, 2147483647, -1,    -2147483647, 1582934400};
  static const char *const zones[] = {"UTC0", "CET-1CEST,M3.5.0,M10.5.0/3", "EST5EDT,M3.2.0,M11.1.0",
                                      "XYZ-5:45"};
  for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
    setenv("TZ", zones[z], 1);
    tzset();
    for (size_t i = 0; i < sizeof when / sizeof *when; i++) {
      time_t t = (time_t)when[i];
      char line[128];
      struct tm tm;
      localtime_r(&t, &tm);
      strftime(line, sizeof line,
               "%Y-%m-%d %H:%M:%S %a %A %b %B %j %U %W %u %w %y %C %p %I %Z %z %s %G-W%V-%u %%", &tm);
      printf("%lld: %s, mktime %s\n", when[i], line, mktime(&tm) == t ? "agrees" : "differs");
    }
  }
  struct tm tm = {0};
  char *rest = strptime("2024-02-29 23:59:58", "%Y-%m-%d %H:%M:%S", &tm);
  printf("strptime: %d %d %d %d %d %d wday %d yday %d rest %s\n", tm.tm_year, tm.tm_mon, tm.tm_mday,
         tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_wday, tm.tm_yday, rest && !*rest ? "none" : "some");
  setenv("TZ", "UTC0", 1);
  tm = (struct tm){.tm_year = 124, .tm_mon = 13, .tm_mday = 40, .tm_hour = 30};
  time_t t = mktime(&tm);
  printf("normalised %lld %s", (long long)t, asctime(&tm));
  printf("%s", ctime(&t));
}

int main(void) {
  clocks();
  agreement();
  sleeps();
  processor_time();
  calendar();
  return 0;
}
