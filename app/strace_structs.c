/* Structures behind system call arguments, in both ABIs' layouts, as strace prints them. man 1 strace; Linux
 * arch/x86/include/uapi/asm/{stat,signal,ldt}.h, include/uapi/linux/{stat,time_types,resource}.h. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "app/strace_names.h"
#include "app/strace_value.h"
#include "linux_abi/layout.h"
#include "linux_abi/sigframe.h"
#include "linux_abi/uaccess.h"

enum { SHOWN_FDS = 32, SHOWN_SET = 1024 };

/* x86_64's layouts, and i386's in calls whose name ends in 64: wide times, limits and offsets. */
static bool wide(const struct strace_call *c) {
  size_t n = strlen(c->row->name);
  return !c->t->compat || (n > 2 && !strcmp(c->row->name + n - 2, "64"));
}
/* Word number k of a structure of `size`-byte words at addr, sign-extended. */
static int read_word(const struct strace_call *c, unsigned size, u64 addr, unsigned k, s64 *v) {
  u32 low;
  if (size == 8) return ua_read64(c->t, (u64 *)v, addr + 8 * k);
  int r = ua_read32(c->t, &low, addr + 4 * k);
  *v = (s32)low;
  return r;
}

/* struct timespec or timeval. */
static int put_time(const struct strace_call *c, u64 addr, const char *fraction, bool wide_words) {
  s64 sec, frac;
  unsigned size = wide_words ? 8 : 4;
  if (read_word(c, size, addr, 0, &sec) || read_word(c, size, addr, 1, &frac)) return -1;
  fprintf(c->f, "{tv_sec=%" PRId64 ", tv_%s=%" PRId64 "}", sec, fraction, frac);
  return 0;
}

/* The two of utimensat(). */
static int put_times(const struct strace_call *c, u64 addr) {
  unsigned size = wide(c) ? 16 : 8;
  fputc('[', c->f);
  if (put_time(c, addr, "nsec", wide(c))) return -1;
  fputs(", ", c->f);
  if (put_time(c, addr + size, "nsec", wide(c))) return -1;
  fputc(']', c->f);
  return 0;
}

/* Two of them; it_interval and it_value, or ru_utime and ru_stime of a longer structure. */
static int put_two_times(const struct strace_call *c, u64 addr, const char *fraction, bool wide_words,
                         const char *names[2], const char *end) {
  s64 v[4];
  for (unsigned k = 0; k < 4; k++)
    if (read_word(c, wide_words ? 8 : 4, addr, k, &v[k])) return -1;
  for (unsigned k = 0; k < 2; k++)
    fprintf(c->f, "%s%s={tv_sec=%" PRId64 ", tv_%s=%" PRId64 "}", k ? ", " : "{", names[k], v[2 * k],
            fraction, v[2 * k + 1]);
  fputs(end, c->f);
  return 0;
}

static int put_stat(const struct strace_call *c, u64 addr) {
  u32 mode;
  u64 rdev, size;
  if (!c->t->compat) {
    struct stat s;
    if (ua_read(c->t, &s, addr, sizeof s)) return -1;
    mode = s.st_mode, rdev = s.st_rdev, size = (u64)s.st_size;
  } else if (wide(c)) {
    struct i386_stat64 s;
    if (ua_read(c->t, &s, addr, sizeof s)) return -1;
    mode = s.st_mode, rdev = s.st_rdev, size = (u64)s.st_size;
  } else {
    struct i386_stat s;
    if (ua_read(c->t, &s, addr, sizeof s)) return -1;
    mode = s.st_mode, rdev = s.st_rdev, size = s.st_size;
  }
  fputs("{st_mode=", c->f);
  strace_mode(c->f, mode);
  if (S_ISCHR(mode) || S_ISBLK(mode))
    fprintf(c->f, ", st_rdev=makedev(%#x, %#x), ...}", major(rdev), minor(rdev));
  else fprintf(c->f, ", st_size=%" PRIu64 ", ...}", size);
  return 0;
}

static int put_statx(const struct strace_call *c, u64 addr) {
  struct statx s;
  if (ua_read(c->t, &s, addr, sizeof s)) return -1;
  fputs("{stx_mask=", c->f);
  strace_named(c->f, 'X', s.stx_mask);
  fprintf(c->f, ", stx_attributes=%#" PRIx64 ", stx_mode=", (u64)s.stx_attributes);
  strace_mode(c->f, s.stx_mode);
  fprintf(c->f, ", stx_size=%" PRIu64 ", ...}", (u64)s.stx_size);
  return 0;
}

static int put_rlimit(const struct strace_call *c, u64 addr) {
  static const char *const names[] = {"{rlim_cur=", ", rlim_max="};
  unsigned size = wide(c) ? 8 : 4;
  s64 v[2];
  if (read_word(c, size, addr, 0, &v[0]) || read_word(c, size, addr, 1, &v[1])) return -1;
  for (unsigned k = 0; k < 2; k++) {
    u64 n = size == 8 ? (u64)v[k] : (u32)v[k];
    fputs(names[k], c->f);
    if (v[k] == -1) fputs(size == 8 ? "RLIM64_INFINITY" : "RLIM_INFINITY", c->f);
    else if (n > 1024 && n % 1024 == 0) fprintf(c->f, "%" PRIu64 "*1024", n / 1024);
    else fprintf(c->f, "%" PRIu64, n);
  }
  fputc('}', c->f);
  return 0;
}

/* The kernel's struct sigaction: handler, flags, restorer, mask; i386's first one: handler, mask, flags,
 * restorer. */
static int put_sigaction(const struct strace_call *c, u64 addr) {
  u64 handler, flags, restorer, mask;
  unsigned n = c->t->compat ? 4 : 8;
  if (!strcmp(c->row->name, "sigaction")) {
    u32 w[4];
    if (ua_read(c->t, w, addr, sizeof w)) return -1;
    handler = w[0], mask = w[1], flags = w[2], restorer = w[3];
  } else if (ua_read_word(c->t, &handler, addr) || ua_read_word(c->t, &flags, addr + n) ||
             ua_read_word(c->t, &restorer, addr + 2 * n) || ua_read64(c->t, &mask, addr + 3 * n)) {
    return -1;
  }
  fputs("{sa_handler=", c->f);
  if (handler > 1) strace_pointer(c->f, handler);
  else fputs(handler ? "SIG_IGN" : "SIG_DFL", c->f);
  fputs(", sa_mask=", c->f);
  strace_sigset(c->f, mask);
  fputs(", sa_flags=", c->f);
  strace_sa_flags(c->f, flags);
  if (flags & 0x04000000) {
    fputs(", sa_restorer=", c->f);
    strace_pointer(c->f, restorer);
  }
  fputc('}', c->f);
  return 0;
}

static int put_sigset(const struct strace_call *c, u64 addr) {
  u64 set = 0;
  const char *args = c->row->args;
  if (args[strlen(args) - 1] == 'U' && c->a[sys_arity(c->row, c->t->compat) - 1] != sizeof set) return -1;
  if (ua_read(c->t, &set, addr, strncmp(c->row->name, "rt_", 3) && c->t->compat ? 4 : 8)) return -1;
  strace_sigset(c->f, set);
  return 0;
}

static int put_altstack(const struct strace_call *c, u64 addr) {
  u64 sp, size;
  u32 flags;
  unsigned n = c->t->compat ? 4 : 8;
  if (ua_read_word(c->t, &sp, addr) || ua_read32(c->t, &flags, addr + n) ||
      ua_read_word(c->t, &size, addr + 2 * n))
    return -1;
  fputs("{ss_sp=", c->f);
  strace_pointer(c->f, sp);
  fprintf(c->f, ", ss_flags=%s", flags == 2 ? "SS_DISABLE" : flags == 1 ? "SS_ONSTACK" : flags ? "" : "0");
  if (flags > 2) fprintf(c->f, "%#x", flags);
  fprintf(c->f, ", ss_size=%" PRIu64 "}", size);
  return 0;
}

static int put_siginfo(const struct strace_call *c, u64 addr) {
  siginfo_t info;
  if (c->t->compat) {
    struct siginfo32 i;
    if (ua_read(c->t, &i, addr, sizeof i)) return -1;
    siginfo_from_32(&info, &i);
  } else if (ua_read(c->t, &info, addr, sizeof info)) {
    return -1;
  }
  strace_siginfo(c->f, &info);
  return 0;
}

void strace_siginfo(FILE *f, const siginfo_t *i) {
  int s = i->si_signo;
  fputs("{si_signo=", f);
  strace_signo(f, s);
  fputs(", si_code=", f);
  strace_si_code(f, s, i->si_code);
  bool sent = i->si_code <= 0;
  if (!sent && (s == SIGILL || s == SIGFPE || s == SIGSEGV || s == SIGBUS || s == SIGTRAP)) {
    fputs(", si_addr=", f);
    strace_pointer(f, (u64)(uintptr_t)i->si_addr);
  } else if (i->si_code == SI_TIMER) {
    fprintf(f, ", si_timerid=%#x, si_overrun=%d", i->si_timerid, i->si_overrun);
  } else if (sent) {
    fprintf(f, ", si_pid=%d, si_uid=%u", i->si_pid, i->si_uid);
    if (i->si_code == SI_QUEUE || (i->si_code == SI_TKILL && i->si_ptr)) {
      fprintf(f, ", si_int=%d, si_ptr=", i->si_int);
      strace_pointer(f, (u64)(uintptr_t)i->si_ptr);
    }
  } else if (s == SIGCHLD) {
    fprintf(f, ", si_pid=%d, si_uid=%u, si_status=%d", i->si_pid, i->si_uid, i->si_status);
  }
  fputc('}', f);
}

static int put_uname(const struct strace_call *c, u64 addr) {
  struct lx_utsname u;
  if (ua_read(c->t, &u, addr, 2 * sizeof u.sysname)) return -1;
  fprintf(c->f, "{sysname=\"%.64s\", nodename=\"%.64s\", ...}", u.sysname, u.nodename);
  return 0;
}

static int put_pair(const struct strace_call *c, u64 addr) {
  s32 v[2];
  if (ua_read(c->t, v, addr, sizeof v)) return -1;
  fprintf(c->f, "[%d, %d]", v[0], v[1]);
  return 0;
}

static int put_offset(const struct strace_call *c, u64 addr) {
  u64 v;
  if (ua_read64(c->t, &v, addr)) return -1;
  fprintf(c->f, "[%" PRId64 "]", (s64)v);
  return 0;
}

/* struct user_desc of set_thread_area(). */
static int put_user_desc(const struct strace_call *c, u64 addr) {
  u32 d[4];
  if (ua_read(c->t, d, addr, sizeof d)) return -1;
  fprintf(c->f,
          "{entry_number=%d, base_addr=%#x, limit=%#08x, seg_32bit=%u, contents=%u, read_exec_only=%u, "
          "limit_in_pages=%u, seg_not_present=%u, useable=%u}",
          (s32)d[0], d[1], d[2], d[3] & 1, d[3] >> 1 & 3, d[3] >> 3 & 1, d[3] >> 4 & 1, d[3] >> 5 & 1,
          d[3] >> 6 & 1);
  return 0;
}

static int put_pollfds(const struct strace_call *c, u64 addr, u64 count) {
  struct pollfd p;
  fputc('[', c->f);
  for (u64 k = 0; k < count && k < SHOWN_FDS; k++) {
    if (ua_read(c->t, &p, addr + k * sizeof p, sizeof p)) return -1;
    fprintf(c->f, "%s{fd=%d", k ? ", " : "", p.fd);
    if (p.fd >= 0) {
      fputs(", events=", c->f);
      strace_poll_events(c->f, (u16)p.events);
    }
    fputc('}', c->f);
  }
  fputs(count > SHOWN_FDS ? ", ...]" : "]", c->f);
  return 0;
}

/* The set of the first count descriptors. */
static int put_fd_set(const struct strace_call *c, u64 addr, u64 count) {
  const char *sep = "";
  u8 byte = 0;
  fputc('[', c->f);
  for (u64 k = 0; k < count && k < SHOWN_SET; k++) {
    if (k % 8 == 0 && ua_read8(c->t, &byte, addr + k / 8)) return -1;
    if (!(byte >> k % 8 & 1)) continue;
    fprintf(c->f, "%s%u", sep, (unsigned)k);
    sep = " ";
  }
  fputc(']', c->f);
  return 0;
}

/* The buffer of getdents and getdents64: how many entries the result's bytes are. */
static int put_dirents(const struct strace_call *c, u64 addr) {
  unsigned at = !wide(c) ? 8 : 16, count = 0; /* d_reclen */
  u16 len;
  for (u64 off = 0; off + at + 2 <= (u64)c->ret; off += len, count++)
    if (ua_read16(c->t, &len, addr + off + at) || !len) return -1;
  strace_pointer(c->f, addr);
  fprintf(c->f, " /* %u entries */", count);
  return 0;
}

/* One structure; -1: it cannot be read, and the caller throws away what was printed. */
static int put_struct(const struct strace_call *c, char letter, unsigned word) {
  static const char *it[] = {"it_interval", "it_value"}, *ru[] = {"ru_utime", "ru_stime"};
  u64 v = c->a[word], next = word < 5 ? c->a[word + 1] : 0;
  bool compat = c->t->compat;
  switch (letter) {
    case 't': return put_time(c, v, "nsec", wide(c));
    case 'T': return put_time(c, v, "usec", !compat);
    case 'z': return put_two_times(c, v, "usec", !compat, it, "}");
    case 'Z': return put_two_times(c, v, "nsec", wide(c), it, "}");
    case 'r': return put_two_times(c, v, "usec", !compat, ru, ", ...}");
    case '+': return put_times(c, v);
    case 'D': return put_stat(c, v);
    case 'V': return put_statx(c, v);
    case 'L': return put_rlimit(c, v);
    case 'y': return put_sigaction(c, v);
    case 'q': return put_sigset(c, v);
    case 'K': return put_altstack(c, v);
    case 'Y': return put_siginfo(c, v);
    case 'W': return put_uname(c, v);
    case 'N': return put_pair(c, v);
    case '8': return put_offset(c, v);
    case 'O': return put_pollfds(c, v, next);
    case '*': return put_fd_set(c, v, c->a[0]);
    case '#': return put_dirents(c, v);
    case '@': return put_user_desc(c, v);
    default: return strace_system_struct(c, letter, word);
  }
}

bool strace_struct(const struct strace_call *c, char letter, unsigned word) {
  char *text = NULL;
  size_t n = 0;
  struct strace_call inner = *c;
  if (!c->a[word]) return false;
  inner.f = open_memstream(&text, &n);
  if (!inner.f) return false;
  bool good = !put_struct(&inner, letter, word);
  good &= !fclose(inner.f);
  if (good) fwrite(text, 1, n, c->f);
  free(text);
  return good;
}

/* ([{fd=0, revents=POLLIN}]) */
static void note_poll(const struct strace_call *c) {
  struct pollfd p;
  const char *sep = "";
  fputs(" ([", c->f);
  for (u64 k = 0; k < c->a[1] && k < SHOWN_FDS; k++) {
    if (ua_read(c->t, &p, c->a[0] + k * sizeof p, sizeof p) || !p.revents) continue;
    fprintf(c->f, "%s{fd=%d, revents=", sep, p.fd);
    strace_poll_events(c->f, (u16)p.revents);
    fputc('}', c->f);
    sep = ", ";
  }
  fputs("])", c->f);
}

/* (in [0], out [1]) */
static void note_select(const struct strace_call *c) {
  static const char *const names[] = {"in ", "out ", "except "};
  const char *sep = " (";
  for (unsigned k = 0; k < 3; k++) {
    u64 addr = c->a[k + 1];
    bool any = false;
    u8 byte;
    for (u64 b = 0; addr && b < (c->a[0] + 7) / 8 && b < SHOWN_SET / 8; b++)
      any |= !ua_read8(c->t, &byte, addr + b) && byte;
    if (!any) continue;
    fprintf(c->f, "%s%s", sep, names[k]);
    (void)put_fd_set(c, addr, c->a[0]);
    sep = ", ";
  }
  if (*sep == ',') fputc(')', c->f);
}

void strace_result_note(const struct strace_call *c) {
  const char *args = c->row->args;
  u32 entry;
  if (strchr(args, 'O')) c->ret ? note_poll(c) : (void)fputs(" (Timeout)", c->f);
  else if (strchr(args, '*')) c->ret ? note_select(c) : (void)fputs(" (Timeout)", c->f);
  else if (!strncmp(c->row->name, "rt_sigtimedwait", 15)) {
    fputs(" (", c->f);
    strace_signo(c->f, (int)c->ret);
    fputc(')', c->f);
  } else if (args[0] == 'J') {
    strace_prctl_note(c);
  } else if (args[0] == '@' && !strcmp(c->row->name, "set_thread_area")) {
    if (!ua_read32(c->t, &entry, c->a[0])) fprintf(c->f, " (entry_number=%u)", entry);
  }
}
