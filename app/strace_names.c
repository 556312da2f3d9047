/* Flags and enumerations of system call arguments by name, in strace's order. man 2 open, mmap, lseek,
 * clock_gettime, ioctl_tty, fcntl, prctl, arch_prctl, futex, statx, getrlimit, sigaction, poll. */
#define _GNU_SOURCE
#include "app/strace_names.h"
#include "app/strace_value.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define N(x) {x, #x}
/* The guests' values are those of the x86 hosts' headers: both ABIs share them. */
static const struct strace_name open_flags[] = {N(O_CREAT),
                                         N(O_EXCL),
                                         N(O_NOCTTY),
                                         N(O_TRUNC),
                                         N(O_APPEND),
                                         N(O_NONBLOCK),
                                         N(O_SYNC),
                                                                                  N(O_DSYNC),
                                         N(O_DIRECT),
                                         {0100000, "O_LARGEFILE"},
                                         N(O_NOFOLLOW),
                                         N(O_NOATIME),
                                         N(O_CLOEXEC),
                                         N(O_PATH),
                                         N(O_TMPFILE),
                                         N(O_DIRECTORY),
                                         {O_ASYNC, "FASYNC"}};
static const struct strace_name access_modes[] = {N(R_OK), N(W_OK), N(X_OK)};
static const struct strace_name whences[] = {
    N(SEEK_SET), N(SEEK_CUR), N(SEEK_END), N(SEEK_DATA), N(SEEK_HOLE)};
static const struct strace_name clocks[] = {
    N(CLOCK_REALTIME), N(CLOCK_MONOTONIC), N(CLOCK_PROCESS_CPUTIME_ID), N(CLOCK_THREAD_CPUTIME_ID),
    N(CLOCK_MONOTONIC_RAW), N(CLOCK_REALTIME_COARSE), N(CLOCK_MONOTONIC_COARSE), N(CLOCK_BOOTTIME),
    N(CLOCK_REALTIME_ALARM), N(CLOCK_BOOTTIME_ALARM), N(CLOCK_TAI)};
static const struct strace_name protections[] = {
    N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC), N(PROT_GROWSDOWN)};
static const struct strace_name map_flags[] = {{MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE"},
                                        N(MAP_SHARED),
                                        N(MAP_PRIVATE),
                                        N(MAP_FIXED),
                                        N(MAP_ANONYMOUS),
                                        N(MAP_32BIT),
                                        N(MAP_GROWSDOWN),
                                        N(MAP_DENYWRITE),
                                        N(MAP_NORESERVE),
                                        N(MAP_POPULATE),
                                        N(MAP_STACK),
                                        N(MAP_HUGETLB),
                                        N(MAP_FIXED_NOREPLACE)};
static const struct strace_name fcntls[] = {
    N(F_DUPFD),         N(F_GETFD),      N(F_SETFD),      N(F_GETFL),        N(F_SETFL),
    {5, "F_GETLK"},     {6, "F_SETLK"},  {7, "F_SETLKW"}, N(F_SETOWN),       N(F_GETOWN),
    N(F_DUPFD_CLOEXEC), N(F_GETPIPE_SZ), N(F_SETPIPE_SZ), {12, "F_GETLK64"}, {13, "F_SETLK64"},
    {14, "F_SETLKW64"}, N(F_OFD_GETLK),  N(F_OFD_SETLK),  N(F_OFD_SETLKW),   N(F_ADD_SEALS),
    N(F_GET_SEALS),     N(F_SETSIG),     N(F_GETSIG),     N(F_SETOWN_EX),    N(F_GETOWN_EX),
    N(F_SETLEASE),      N(F_GETLEASE),   N(F_NOTIFY),     {17, "F_GETOWNER_UIDS"}};
static const struct strace_name at_flags[] = {N(AT_SYMLINK_NOFOLLOW),
                                       N(AT_SYMLINK_FOLLOW),
                                       N(AT_NO_AUTOMOUNT),
                                       N(AT_EMPTY_PATH),
                                       {0x8000, "AT_RECURSIVE"}};
static const struct strace_name unlink_flags[] = {N(AT_REMOVEDIR)};
static const struct strace_name access_flags[] = {N(AT_SYMLINK_NOFOLLOW), N(AT_EACCESS), N(AT_EMPTY_PATH)};
static const struct strace_name lock_operations[] = {N(LOCK_SH), N(LOCK_EX), N(LOCK_NB), N(LOCK_UN)};
static const struct strace_name rename_flags[] = {
    {1, "RENAME_NOREPLACE"}, {2, "RENAME_EXCHANGE"}, {4, "RENAME_WHITEOUT"}};
static const struct strace_name splice_flags[] = {
    N(SPLICE_F_MOVE), N(SPLICE_F_NONBLOCK), N(SPLICE_F_MORE), N(SPLICE_F_GIFT)};
static const struct strace_name statx_mask[] = {{0xfff, "STATX_ALL"},
                                         N(STATX_BASIC_STATS),
                                         N(STATX_TYPE),
                                         N(STATX_MODE),
                                         N(STATX_NLINK),
                                         N(STATX_UID),
                                         N(STATX_GID),
                                         N(STATX_ATIME),
                                         N(STATX_MTIME),
                                         N(STATX_CTIME),
                                         N(STATX_INO),
                                         N(STATX_SIZE),
                                         N(STATX_BLOCKS),
                                         N(STATX_BTIME),
                                         {0x1000, "STATX_MNT_ID"},
                                         {0x2000, "STATX_DIOALIGN"}};
static const struct strace_name mask_hows[] = {N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK)};
static const struct strace_name resources[] = {
    N(RLIMIT_CPU),      N(RLIMIT_FSIZE), N(RLIMIT_DATA),   N(RLIMIT_STACK),
    N(RLIMIT_CORE),     N(RLIMIT_RSS),   N(RLIMIT_NPROC),  N(RLIMIT_NOFILE),
    N(RLIMIT_MEMLOCK),  N(RLIMIT_AS),    N(RLIMIT_LOCKS),  N(RLIMIT_SIGPENDING),
    N(RLIMIT_MSGQUEUE), N(RLIMIT_NICE),  N(RLIMIT_RTPRIO), N(RLIMIT_RTTIME)};
static const struct strace_name random_flags[] = {N(GRND_NONBLOCK), N(GRND_RANDOM), {4, "GRND_INSECURE"}};
static const struct strace_name advice[] = {
    N(MADV_NORMAL),      N(MADV_RANDOM),     N(MADV_SEQUENTIAL), N(MADV_WILLNEED), N(MADV_DONTNEED),
    N(MADV_FREE),        N(MADV_REMOVE),     N(MADV_DONTFORK),   N(MADV_DOFORK),   N(MADV_MERGEABLE),
    N(MADV_UNMERGEABLE), N(MADV_HUGEPAGE),   N(MADV_NOHUGEPAGE), N(MADV_DONTDUMP), N(MADV_DODUMP),
    N(MADV_WIPEONFORK),  N(MADV_KEEPONFORK), N(MADV_COLD),       N(MADV_PAGEOUT)};
static const struct strace_name arch_codes[] = {
    {0x1001, "ARCH_SET_GS"}, {0x1002, "ARCH_SET_FS"}, {0x1003, "ARCH_GET_FS"}, {0x1004, "ARCH_GET_GS"},
    {0x1011, "ARCH_GET_CPUID"}, {0x1012, "ARCH_SET_CPUID"}, {0x3001, "ARCH_CET_STATUS"}};
static const struct strace_name timers[] = {N(ITIMER_REAL), N(ITIMER_VIRTUAL), N(ITIMER_PROF)};
static const struct strace_name usages[] = {N(RUSAGE_SELF), {(u32)-1, "RUSAGE_CHILDREN"}, N(RUSAGE_THREAD)};
static const struct strace_name remap_flags[] = {N(MREMAP_MAYMOVE), N(MREMAP_FIXED), {4, "MREMAP_DONTUNMAP"}};
static const struct strace_name sync_flags[] = {N(MS_ASYNC), N(MS_INVALIDATE), N(MS_SYNC)};
static const struct strace_name time_flags[] = {N(TIMER_ABSTIME)};
static const struct strace_name futexes[] = {
    {0, "FUTEX_WAIT"},           {1, "FUTEX_WAKE"},         {2, "FUTEX_FD"},
    {3, "FUTEX_REQUEUE"},        {4, "FUTEX_CMP_REQUEUE"},  {5, "FUTEX_WAKE_OP"},
    {6, "FUTEX_LOCK_PI"},        {7, "FUTEX_UNLOCK_PI"},    {8, "FUTEX_TRYLOCK_PI"},
    {9, "FUTEX_WAIT_BITSET"},    {10, "FUTEX_WAKE_BITSET"}, {11, "FUTEX_WAIT_REQUEUE_PI"},
    {12, "FUTEX_CMP_REQUEUE_PI"}};
static const struct strace_name sa_flags[] = {
    {0x04000000, "SA_RESTORER"}, {SA_ONSTACK, "SA_ONSTACK"}, N(SA_RESTART), {SA_INTERRUPT, "SA_INTERRUPT"},
    N(SA_NODEFER), {SA_RESETHAND, "SA_RESETHAND"}, N(SA_SIGINFO), N(SA_NOCLDSTOP), N(SA_NOCLDWAIT)};
static const struct strace_name poll_events[] = {
    N(POLLIN), N(POLLPRI), N(POLLOUT), N(POLLRDNORM), N(POLLRDBAND), N(POLLWRNORM), N(POLLWRBAND), N(POLLERR),
    N(POLLHUP), N(POLLNVAL), N(POLLRDHUP)};

/* si_code above 0, by signal. */
static const struct strace_name ill_codes[] = {N(ILL_ILLOPC), N(ILL_ILLOPN), N(ILL_ILLADR), N(ILL_ILLTRP),
                                        N(ILL_PRVOPC), N(ILL_PRVREG), N(ILL_COPROC), N(ILL_BADSTK)};
static const struct strace_name fpe_codes[] = {N(FPE_INTDIV), N(FPE_INTOVF), N(FPE_FLTDIV), N(FPE_FLTOVF),
                                        N(FPE_FLTUND), N(FPE_FLTRES), N(FPE_FLTINV), N(FPE_FLTSUB)};
static const struct strace_name segv_codes[] = {
    N(SEGV_MAPERR), N(SEGV_ACCERR), {3, "SEGV_BNDERR"}, {4, "SEGV_PKUERR"}};
static const struct strace_name bus_codes[] = {N(BUS_ADRALN), N(BUS_ADRERR), N(BUS_OBJERR)};
static const struct strace_name trap_codes[] = {N(TRAP_BRKPT), N(TRAP_TRACE), {4, "TRAP_HWBKPT"}};
static const struct strace_name any_codes[] = {N(SI_USER),
                                        N(SI_KERNEL),
                                        {(u64)(s64)SI_QUEUE, "SI_QUEUE"},
                                        {(u64)(s64)SI_TIMER, "SI_TIMER"},
                                        {(u64)(s64)SI_TKILL, "SI_TKILL"},
                                        {(u64)(s64)SI_ASYNCIO, "SI_ASYNCIO"},
                                        {(u64)(s64)SI_MESGQ, "SI_MESGQ"}};
#undef N

void strace_flags(FILE *f, const struct strace_name *n, size_t count, u64 v, const char *none) {
  const char *sep = "";
  if (!v) fputs(none, f);
  for (size_t k = 0; k < count; k++) {
    if (!n[k].value || (v & n[k].value) != n[k].value) continue;
    fprintf(f, "%s%s", sep, n[k].text);
    v &= ~n[k].value;
    sep = "|";
  }
  if (v) fprintf(f, "%s0x%" PRIx64, sep, v);
}

static const char *name_of(const struct strace_name *n, size_t count, u64 v) {
  for (size_t k = 0; k < count; k++)
    if (n[k].value == v) return n[k].text;
  return NULL;
}
void strace_value(FILE *f, const struct strace_name *n, size_t count, u64 v, const char *kind) {
  const char *text = name_of(n, count, v);
  if (text) fputs(text, f);
  else fprintf(f, kind ? "%#" PRIx64 " /* %s_??? */" : "%#" PRIx64, v, kind);
}
#define FLAGS(table, none) strace_flags(f, table, ARRAY_SIZE(table), v, none)
#define VALUE(table, kind) strace_value(f, table, ARRAY_SIZE(table), v, kind)

void strace_open_flags(FILE *f, u64 v) {
  static const char *const mode[] = {"O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"};
  fputs(mode[v & O_ACCMODE], f);
  v &= ~(u64)O_ACCMODE;
  if (!v) return;
  fputc('|', f);
  FLAGS(open_flags, "");
}
void strace_sa_flags(FILE *f, u64 v) { FLAGS(sa_flags, "0"); }
void strace_poll_events(FILE *f, u64 v) { FLAGS(poll_events, "0"); }

void strace_dirfd(FILE *f, int fd) {
  if (fd == AT_FDCWD) fputs("AT_FDCWD", f);
  else fprintf(f, "%d", fd);
}

/* Linux's first real-time signal; the C library keeps some for itself. */
enum { FIRST_RT = 32, SIGNALS = 64 };

/* Without the "SIG". */
static void put_signal(FILE *f, int signo, const char *prefix) {
  const char *abbrev = signo > 0 && signo < FIRST_RT ? sigabbrev_np(signo) : NULL;
  if (abbrev) fprintf(f, "%s%s", prefix, abbrev);
  else if (signo == FIRST_RT) fprintf(f, "%sRTMIN", prefix);
  else if (signo > FIRST_RT && signo <= SIGNALS) fprintf(f, "%sRT_%d", prefix, signo - FIRST_RT);
  else fprintf(f, "%d", signo);
}
void strace_signo(FILE *f, int signo) { put_signal(f, signo, "SIG"); }

void strace_sigset(FILE *f, u64 set) {
  bool most = __builtin_popcountll(set) >= SIGNALS * 2 / 3;
  const char *sep = "";
  if (most) set = ~set;
  fputs(most ? "~[" : "[", f);
  for (int k = 1; k <= SIGNALS; k++) {
    if (!(set >> (k - 1) & 1)) continue;
    fputs(sep, f);
    put_signal(f, k, "");
    sep = " ";
  }
  fputc(']', f);
}

void strace_si_code(FILE *f, int signo, int code) {
  static const struct {
    int signo;
    const struct strace_name *names;
    size_t count;
  } own[] = {{SIGILL, ill_codes, ARRAY_SIZE(ill_codes)},    {SIGFPE, fpe_codes, ARRAY_SIZE(fpe_codes)},
             {SIGSEGV, segv_codes, ARRAY_SIZE(segv_codes)}, {SIGBUS, bus_codes, ARRAY_SIZE(bus_codes)},
             {SIGTRAP, trap_codes, ARRAY_SIZE(trap_codes)}};
  const char *text = name_of(any_codes, ARRAY_SIZE(any_codes), (u64)(s64)code);
  for (size_t k = 0; k < ARRAY_SIZE(own) && !text; k++)
    if (own[k].signo == signo) text = name_of(own[k].names, own[k].count, (u64)(s64)code);
  if (text) fputs(text, f);
  else fprintf(f, "%d", code);
}

void strace_mode(FILE *f, u32 mode) {
  static const struct strace_name types[] = {{S_IFREG, "S_IFREG"}, {S_IFDIR, "S_IFDIR"}, {S_IFCHR, "S_IFCHR"},
                                      {S_IFBLK, "S_IFBLK"}, {S_IFIFO, "S_IFIFO"}, {S_IFLNK, "S_IFLNK"},
                                      {S_IFSOCK, "S_IFSOCK"}};
  const char *type = name_of(types, ARRAY_SIZE(types), mode & S_IFMT);
  if (type) fprintf(f, "%s|", type);
  fprintf(f, "%s%s%s%#03o", mode & S_ISUID ? "S_ISUID|" : "", mode & S_ISGID ? "S_ISGID|" : "",
          mode & S_ISVTX ? "S_ISVTX|" : "", mode & (type ? 0777u : ~0u));
}

/* The synchronisation is two bits with a name for zero. */
static void put_statx_flags(FILE *f, u64 v) {
  static const char *const sync[] = {"AT_STATX_SYNC_AS_STAT", "AT_STATX_FORCE_SYNC", "AT_STATX_DONT_SYNC",
                                     "AT_STATX_SYNC_TYPE"};
  fputs(sync[v >> 13 & 3], f);
  v &= ~UINT64_C(0x6000);
  if (!v) return;
  fputc('|', f);
  FLAGS(at_flags, "");
}

static void put_futex(FILE *f, u64 v) {
  enum { PRIVATE = 128, REALTIME = 256 };
  const char *text = name_of(futexes, ARRAY_SIZE(futexes), v & ~(u64)(PRIVATE | REALTIME));
  if (!text) fprintf(f, "%#" PRIx64, v);
  else fprintf(f, "%s%s%s", text, v & PRIVATE ? "_PRIVATE" : "", v & REALTIME ? "|FUTEX_CLOCK_REALTIME" : "");
}

bool strace_named(FILE *f, char letter, u64 v) {
  switch (letter) {
    case 'o': strace_open_flags(f, v); return true;
    case 'e': FLAGS(open_flags, "0"); return true;
    case 'a': FLAGS(access_modes, "F_OK"); return true;
    case 'w': VALUE(whences, "SEEK"); return true;
    case 'k': VALUE(clocks, "CLOCK"); return true;
    case 'P': FLAGS(protections, "PROT_NONE"); return true;
    case 'M': FLAGS(map_flags, "0"); return true;
    case 'c': strace_ioctl_request(f, (u32)v); return true;
    case 'C': VALUE(fcntls, "F"); return true;
    case 'A': FLAGS(at_flags, "0"); return true;
    case 'X': FLAGS(statx_mask, "0"); return true;
    case 'h': VALUE(mask_hows, "SIG"); return true;
    case 'R': VALUE(resources, "RLIMIT"); return true;
    case 'g': FLAGS(random_flags, "0"); return true;
    case 'v': VALUE(advice, "MADV"); return true;
    case 'j': VALUE(arch_codes, "ARCH"); return true;
    case 'J': strace_prctl_option(f, (u32)v); return true;
    case 'E': VALUE(timers, "ITIMER"); return true;
    case '2': VALUE(usages, "RUSAGE"); return true;
    case '3': FLAGS(remap_flags, "0"); return true;
    case '0': FLAGS(sync_flags, "0"); return true;
    case 'n': FLAGS(time_flags, "0"); return true;
    case '%': put_statx_flags(f, v); return true;
    case '&': FLAGS(unlink_flags, "0"); return true;
    case '^': FLAGS(access_flags, "0"); return true;
    case '|': FLAGS(lock_operations, "0"); return true;
    case '~': FLAGS(rename_flags, "0"); return true;
    case '/': FLAGS(splice_flags, "0"); return true;
    case '_': strace_mode(f, (u32)v); return true;
    case '4': put_futex(f, v); return true;
    case 'S': strace_signo(f, (int)v); return true;
    default: return false;
  }
}
