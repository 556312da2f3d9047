/* System calls with the arguments that a tracer prints, made without a C library, so that the trace is the
 * same on every machine. calls.x86_64.strace and calls.i386.strace are what strace 6.1 printed of it
 * (tests/cli/record). */
#include <asm/unistd.h>

typedef unsigned long word;
static char memory[4096] __attribute__((aligned(16)));

#ifdef __x86_64__
static long call(long nr, word a, word b, word c, word d, word e, word f) {
  register word r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  long ret;
  __asm__ volatile("syscall" : "=a"(ret) : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return ret;
}
#else
/* All registers are taken, and EBP cannot be named: the six words go by memory. */
static long call(long nr, word a, word b, word c, word d, word e, word f) {
  word args[7] = {(word)nr, a, b, c, d, e, f};
  long ret;
  __asm__ volatile(
      "push %%ebp; push %%ebx; mov 4(%%eax), %%ebx; mov 8(%%eax), %%ecx; mov 12(%%eax), %%edx;"
      "mov 16(%%eax), %%esi; mov 20(%%eax), %%edi; mov 24(%%eax), %%ebp; mov (%%eax), %%eax; int $0x80;"
      "pop %%ebx; pop %%ebp"
      : "=a"(ret)
      : "0"(args)
      : "ecx", "edx", "esi", "edi", "memory");
  return ret;
}
#endif
#define W(x) ((word)(x))
#define CALL(nr, ...) CALL_(nr, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(nr, a, b, c, d, e, f, ...) call(nr, W(a), W(b), W(c), W(d), W(e), W(f))

static void files(void) {
  static int pair[2], poll[4] = {0, 1, -1, 4};
  static struct { char *base; word len; } vector[2] = {{"one,", 4}, {"two\n", 4}};
  enum { AT_FDCWD = -100 };
  CALL(__NR_umask, 022);
  CALL(__NR_openat, AT_FDCWD, "strace.tmp", 01102, 0640); /* O_RDWR|O_CREAT|O_TRUNC */
  CALL(__NR_openat, AT_FDCWD, "no such\tfile\1\0012", 02000000); /* O_CLOEXEC */
  CALL(__NR_openat, AT_FDCWD, 8, 0);
  CALL(__NR_write, 3, "a line, a \"quote\" and \x80\xff of binary: more than is shown\n", 55);
  CALL(__NR_writev, 3, vector, 2);
  CALL(__NR_pread64, 3, memory, 16, 2);
  CALL(__NR_pread64, 77, memory, 16, 2);
#ifdef __x86_64__
  CALL(__NR_lseek, 3, -4, 1);
  CALL(__NR_fstat, 3, memory);
  CALL(__NR_stat, "/dev/null", memory);
  CALL(__NR_newfstatat, AT_FDCWD, "strace.tmp", memory, 0x100); /* AT_SYMLINK_NOFOLLOW */
#else
  CALL(__NR__llseek, 3, -1, -4, memory, 1);
  CALL(__NR_fstat, 3, memory);
  CALL(__NR_fstat64, 3, memory);
  CALL(__NR_stat64, "/dev/null", memory);
  CALL(__NR_fstatat64, AT_FDCWD, "strace.tmp", memory, 0x100);
#endif
  CALL(__NR_access, "strace.tmp", 6);
  CALL(__NR_faccessat2, AT_FDCWD, "strace.tmp", 0, 0x200);
  CALL(__NR_fcntl, 3, 1);
  CALL(__NR_fcntl, 3, 2, 1);
  CALL(__NR_fcntl, 3, 1);
  CALL(__NR_fcntl, 3, 4, 02000);
  CALL(__NR_flock, 3, 2 | 4);
  CALL(__NR_chown, "strace.tmp", -1, -1);
  CALL(__NR_chmod, "strace.tmp", 07);
  CALL(__NR_ioctl, 3, 0x5401, memory); /* TCGETS */
  CALL(__NR_pipe, pair);
  CALL(__NR_pipe2, pair, 02004000);
  CALL(__NR_dup2, 0, 77);
  poll[0] = pair[1];
  CALL(__NR_poll, poll, 2, 10);
  poll[0] = pair[0];
  CALL(__NR_poll, poll, 1, 0);
  CALL(__NR_unlink, "strace.tmp");
  CALL(__NR_unlinkat, AT_FDCWD, "strace.tmp", 0x200);
  CALL(__NR_mknod, "no directory/fifo", 010644, 0);
  CALL(__NR_close, 3);
}

static void memories(void) {
#ifdef __x86_64__
  word at = W(CALL(__NR_mmap, 0, 8192, 3, 0x22, -1, 0));
#else
  word at = W(CALL(__NR_mmap2, 0, 8192, 3, 0x22, -1, 0));
  CALL(__NR_mmap2, 0, 4096, 1, 2, 77, 3);
#endif
  CALL(__NR_mprotect, at, 4096, 0);
  CALL(__NR_madvise, at + 4096, 4096, 4);
  CALL(__NR_mremap, at + 4096, 4096, 4096, 0);
  CALL(__NR_munmap, at, 8192);
  CALL(__NR_brk, 0);
  CALL(__NR_getrandom, memory, 4, 1);
}

static void times(void) {
  static word time[2] = {0, 1000}, timer[4] = {0, 0, 100, 5};
  CALL(__NR_nanosleep, time, 0);
  CALL(__NR_clock_nanosleep, 1, 0, time, 0);
  CALL(__NR_setitimer, 1, timer, 0);
  CALL(__NR_setitimer, 9, timer, 0);
  CALL(__NR_clock_gettime, 1, 0);
  CALL(__NR_clock_gettime, 77, memory);
}

static void signals(void) {
  static word action[6] = {1, 0x10000000};
  static unsigned long long set = 0x200 | 1ULL << 33, none;
  static word stack[3];
  stack[0] = W(memory), stack[2] = sizeof memory;
  CALL(__NR_rt_sigaction, 10, action, 0, 8);
  CALL(__NR_rt_sigaction, 10, 0, memory, 8);
  CALL(__NR_rt_sigprocmask, 0, &set, &none, 8);
  CALL(__NR_rt_sigprocmask, 1, &set, &none, 8);
#ifdef __x86_64__
  CALL(__NR_rt_sigprocmask, 2, &none, 0, 5);
#endif
  CALL(__NR_sigaltstack, stack, 0);
  CALL(__NR_sigaltstack, 0, memory);
#ifdef __i386__
  CALL(__NR_sigaction, 10, 0, memory);
#endif
}

static void others(void) {
  static unsigned long long limit[2] = {1 << 20, ~0ULL};
  CALL(__NR_uname, 8);
  CALL(__NR_prlimit64, 0x7fffffff, 3, limit, 0);
  CALL(__NR_getrlimit, 99, memory);
  CALL(__NR_prctl, 15, "a name", 0, 0, 0);
  CALL(__NR_prctl, 16, memory, 0, 0, 0);
  CALL(__NR_futex, memory + 4000, 129, 1);
  CALL(__NR_statfs, 8, memory);
#ifdef __x86_64__
  CALL(__NR_arch_prctl, 0x1002, 0);
#endif
}

/* Locks, and what follows a command, a request or an option. */
static void structures(void) {
  enum { AT_FDCWD = -100, GETLK = 5, SETLK = 6, SETLKW = 7, OFD_SETLK = 37 };
  static struct { short type, whence; long start, len; int pid; } lock = {1, 0, 2, 3, 0},
                                                                   wrong = {9, 8, 0, 0, 7};
  static int pair[2], number, owner[2] = {1, 0};
  static unsigned modes[16] = {0x506, 0x1805, 0x10bd, 0x8a3b};
  static word offset = 1, far = 100;
  static unsigned long long wide = 2;
  CALL(__NR_open, "strace.tmp", 01102, 0640);
  CALL(__NR_write, 3, "0123456789", 10);
  CALL(__NR_fcntl, 3, SETLK, &lock);
  CALL(__NR_fcntl, 3, GETLK, &lock);
  CALL(__NR_fcntl, 3, SETLKW, &wrong);
  CALL(__NR_fcntl, 3, GETLK, 8);
  CALL(__NR_fcntl, 3, SETLK, 0);
#ifdef __i386__
  static struct { short type, whence; int start[2], len[2], pid; } big = {1, 0, {5, 1}, {7, 0}, 0};
  CALL(__NR_fcntl64, 3, 13, &big);
  CALL(__NR_fcntl64, 3, 12, &big);
  CALL(__NR_fcntl64, 3, OFD_SETLK, &big);
  CALL(__NR_fcntl64, 3, SETLK, &lock);
  CALL(__NR_sendfile64, 99, 3, &wide, 4);
#else
  CALL(__NR_fcntl, 3, OFD_SETLK, &lock);
#endif
  static const short commands[][2] = {
      {8, 0}, {9, 0}, {10, 10}, {11, 0}, {10, 0}, {1024, 1}, {1025, 0}, {1024, 2}, {1026, 1},
      {1033, 3}, {1034, 0}, {2, 1}, {1, 0}, {2, 5}, {4, 02000}, {3, 0}, {99, 5}};
  for (unsigned k = 0; k < sizeof commands / sizeof *commands; k++)
    CALL(__NR_fcntl, 3, commands[k][0], commands[k][1]);
  CALL(__NR_fcntl, 3, 15, owner);
  CALL(__NR_fcntl, 3, 16, owner);
  CALL(__NR_pipe, pair);
  CALL(__NR_sendfile, 5, 3, &offset, 4);
  CALL(__NR_sendfile, 5, 3, &far, 4);
  CALL(__NR_sendfile, 5, 3, 8, 4);
  CALL(__NR_sendfile, 5, 3, 0, 4);
  CALL(__NR_splice, 3, &wide, 5, 0, 4, 3);
  CALL(__NR_copy_file_range, 3, &wide, 99, 0, 4, 0);
  CALL(__NR_ioctl, 4, 0x541b, &number); /* FIONREAD */
  CALL(__NR_ioctl, 4, 0x5421, &number); /* FIONBIO */
  CALL(__NR_ioctl, 4, 0x5451);          /* FIOCLEX */
  CALL(__NR_ioctl, 3, 0x5401, memory);  /* TCGETS */
  CALL(__NR_ioctl, 3, 0x5402, modes);   /* TCSETS */
  CALL(__NR_ioctl, 3, 0x5402, 8);
  CALL(__NR_ioctl, 3, 0x402c542b, modes); /* TCSETS2 */
  CALL(__NR_ioctl, 3, 0x540b, 2);         /* TCFLSH */
  CALL(__NR_ioctl, 3, 0x540e, 0);         /* TIOCSCTTY */
  CALL(__NR_unlinkat, AT_FDCWD, "strace.tmp", 0);
  CALL(__NR_mincore, W(memory) & -4096UL, 100, memory);
  CALL(__NR_mincore, 1, 1, memory);
  CALL(__NR_getgroups, -1, memory);
  CALL(__NR_getresuid, memory, memory, 8);
  CALL(__NR_sysinfo, 8);
  CALL(__NR_sched_setaffinity, 0, 8, memory + 2048);
  CALL(__NR_sched_getaffinity, 0, 3, memory);
}

static void options(void) {
  static const word option[][5] = {
      {1, 10}, {2, 0}, {1, 0}, {3}, {4, 1}, {4, 5}, {7}, {8, 0}, {13}, {14, 1}, {26, 1}, {23, 99}, {24, 99},
      {27}, {28, 1 << 20}, {29, 50000}, {30}, {39, 0, 0, 0, 0}, {38, 2, 0, 0, 0}, {36, 0}, {42, 0, 0, 0, 0},
      {41, 1, 2, 3, 4}, {33, 1, 1, 0, 0}, {34, 0, 0, 0, 0}, {33, 0, 0, 0, 0}, {33, 0, 1, 2, 3},
      {47, 1, 2, 0, 0}, {47, 4, 0, 0, 0}};
  for (unsigned k = 0; k < sizeof option / sizeof *option; k++)
    CALL(__NR_prctl, option[k][0], option[k][1], option[k][2], option[k][3], option[k][4]);
  CALL(__NR_prctl, 15, "a name that is too long");
  CALL(__NR_prctl, 15, 8);
  CALL(__NR_prctl, 16, 8);
  CALL(__NR_prctl, 25, memory);
  CALL(__NR_prctl, 37, memory);
}

/* Maps memory until there is none, and exits with the errno. */
__attribute__((noreturn)) static void take_everything(void) {
  const word chunk = sizeof(word) == 8 ? W(1) << (sizeof(word) * 4 + 2) : W(1) << 26;
  long got;
  do {
#ifdef __x86_64__
    got = CALL(__NR_mmap, 0, chunk, 3, 0x4022, -1, 0);
#else
    got = CALL(__NR_mmap2, 0, chunk, 3, 0x4022, -1, 0);
#endif
  } while (W(got) < -4095UL);
  for (;;) CALL(__NR_exit_group, -got);
}

/* Ends by a write to address 16; with an argument, see above. */
__attribute__((used, noreturn)) static void main_on_aligned_stack(long argc) {
  if (argc > 1) take_everything();
  files();
  memories();
  times();
  signals();
  others();
  structures();
  options();
  for (;;) __asm__ volatile("movl $0, (%0)" : : "r"(16L) : "memory");
}
#ifdef __x86_64__
__asm__(
    ".globl _start\n_start: xor %ebp, %ebp\n mov (%rsp), %rdi\n and $-16, %rsp\n call main_on_aligned_stack");
#else
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov (%esp), %eax\n and $-16, %esp\n sub $12, %esp\n"
        "push %eax\n call main_on_aligned_stack");
#endif
