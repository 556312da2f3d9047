/* Signal frames as raw system calls get them: the registers a handler starts with, every field of the
 * frame, legacy calls, alternate stacks, order of delivery, masks during waits, and frames that cannot be
 * taken back. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "guest.h"

typedef unsigned long word;
enum { SHOWN_FLAGS = 0x50500 }; /* TF DF RF AC */
#define STR_(x) #x
#define STR(x) STR_(x)

/* What the handler finds in its registers. */
enum { E_AX, E_BX, E_CX, E_DX, E_SI, E_DI, E_BP, E_SP, E_FLAGS, E_CS, E_SS, E_DS, E_ES, E_WORDS };
struct entry {
  word w[E_WORDS];
  unsigned mxcsr;
  unsigned short fcw;
} volatile entry __asm__("entry_state") __attribute__((used));

void handler(int);
void restorer(void);
#ifdef __x86_64__
#define W 8
#define SAVE(reg, n) " mov %" reg ", " STR(n) "*8+entry_state(%rip)\n"
__asm__(".pushsection .text\n"
        "handler:\n" SAVE("rax", 0) SAVE("rbx", 1) SAVE("rcx", 2) SAVE("rdx", 3) SAVE("rsi", 4) SAVE("rdi", 5)
        SAVE("rbp", 6) SAVE("rsp", 7)
        " pushfq\n popq 8*8+entry_state(%rip)\n mov %cs, %eax\n mov %rax, 9*8+entry_state(%rip)\n"
        " mov %ss, %eax\n mov %rax, 10*8+entry_state(%rip)\n"
        " mov %ds, %eax\n mov %rax, 11*8+entry_state(%rip)\n"
        " mov %es, %eax\n mov %rax, 12*8+entry_state(%rip)\n"
        " stmxcsr 13*8+entry_state(%rip)\n fnstcw 13*8+4+entry_state(%rip)\n jmp on_entry\n"
        "restorer: mov $15, %eax\n syscall\n"
        /* send(pid, sig, pattern): kill() with registers full of a pattern */
        "send: push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
        " mov %rdx, %rbx\n mov %rdx, %rbp\n mov %rdx, %r8\n mov %rdx, %r9\n mov %rdx, %r10\n mov %rdx, %r12\n"
        " mov %rdx, %r13\n mov %rdx, %r14\n mov %rdx, %r15\n mov $62, %eax\n syscall\n"
        " pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
        ".popsection\n");
#else
#define W 4
#define SAVE(reg, n) " mov %" reg ", 4*" STR(n) "(%ebx)\n"
__asm__(".pushsection .text\n"
        "handler: push %ebx\n call 1f\n1: pop %ebx\n lea entry_state-1b(%ebx), %ebx\n"
        SAVE("eax", 0) SAVE("ecx", 2) SAVE("edx", 3) SAVE("esi", 4) SAVE("edi", 5) SAVE("ebp", 6)
        " mov (%esp), %eax\n" SAVE("eax", 1) " lea 4(%esp), %eax\n" SAVE("eax", 7)
        " pushfl\n popl 32(%ebx)\n mov %cs, %eax\n" SAVE("eax", 9) " mov %ss, %eax\n" SAVE("eax", 10)
        " mov %ds, %eax\n" SAVE("eax", 11) " mov %es, %eax\n" SAVE("eax", 12)
        " stmxcsr 52(%ebx)\n fnstcw 56(%ebx)\n pop %ebx\n jmp on_entry\n"
        "restorer: mov $173, %eax\n int $0x80\n"
        "old_restorer: pop %eax\n mov $119, %eax\n int $0x80\n"
        "send: push %ebx\n push %ebp\n push %esi\n push %edi\n"
        " mov 20(%esp), %ebx\n mov 24(%esp), %ecx\n mov 28(%esp), %edx\n"
        " mov %edx, %esi\n mov %edx, %edi\n mov %edx, %ebp\n mov $37, %eax\n int $0x80\n"
        " pop %edi\n pop %esi\n pop %ebp\n pop %ebx\n ret\n"
        ".popsection\n");
void old_restorer(void);
#endif
int send(int pid, int sig, word pattern);
void on_entry(int sig) __attribute__((used));

unsigned char image[1024]; /* not static: the C library says that syscall() calls nobody back */
int taken[64], ntaken;
static void (*also)(int sig);

void on_entry(int sig) {
  memcpy(image, (void *)entry.w[E_SP], sizeof image);
  if (ntaken < 64)
    taken[ntaken++] = sig;
  if (also)
    also(sig);
}

#define KEEPS_RESTORER 0x04000000
struct kaction {
  word handler, flags, restorer;
  uint64_t mask;
} __attribute__((packed));

static long action(int sig, void (*h)(int), word flags, void (*r)(void), uint64_t mask) {
  struct kaction a = {(word)h, flags, (word)r, mask};
  return syscall(SYS_rt_sigaction, sig, &a, NULL, 8);
}

static void plain(int sig, word flags) { action(sig, handler, flags | KEEPS_RESTORER, restorer, 0); }

static uint64_t set_mask(uint64_t m) {
  uint64_t old;
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, &m, &old, 8);
  return old;
}

static uint64_t bit(int sig) { return UINT64_C(1) << (sig - 1); }

static word word_at(size_t off) {
  word v;
  memcpy(&v, image + off, sizeof v);
  return v;
}

static unsigned u32_at(size_t off) {
  unsigned v;
  memcpy(&v, image + off, sizeof v);
  return v;
}

/* --- The frame --- */

static void show_info(size_t at) {
  unsigned pid = u32_at(at + (W == 8 ? 16 : 12));
  printf("  info: signo %u errno %u code %d pid %s\n", u32_at(at), u32_at(at + 4), (int)u32_at(at + 8),
         pid == (unsigned)getpid() ? "own" : "other");
}

static void show_entry(size_t info, size_t uc) {
  printf("  entry: cs %lx ss %lx ds %lx es %lx flags %lx mxcsr %x fcw %x aligned %lu\n", entry.w[E_CS],
         entry.w[E_SS], entry.w[E_DS], entry.w[E_ES], entry.w[E_FLAGS] & SHOWN_FLAGS, entry.mxcsr,
         entry.fcw, entry.w[E_SP] % 16);
#ifdef __x86_64__
  printf("  ax %lx di %lx si %ld dx %ld\n", entry.w[E_AX], entry.w[E_DI],
         (long)(entry.w[E_SI] - entry.w[E_SP] - info), (long)(entry.w[E_DX] - entry.w[E_SP] - uc));
#else
  printf("  ax %lx dx %lx cx %lx\n", entry.w[E_AX],
         info ? entry.w[E_DX] - entry.w[E_SP] - info : entry.w[E_DX],
         uc ? entry.w[E_CX] - entry.w[E_SP] - uc : entry.w[E_CX]);
#endif
  word bx = entry.w[E_BX], bp = entry.w[E_BP];
  printf("  bx %s bp %lx\n", bx == (word)getpid() ? "PID" : bx == bp ? "as bp" : "?", bp);
}

static void show_words(const char *what, size_t at, unsigned n, word sp, word fp) {
  printf("  %s:", what);
  for (unsigned i = 0; i < n; i++) {
    word v = word_at(at + i * W);
    if (v == sp)
      printf(" SP");
    else if (v == fp)
      printf(" FP");
    else if (v - sp + 4096 < 8192)
      printf(" SP%+ld", (long)(v - sp));
    else if (v == (word)getpid())
      printf(" PID");
    else if (v == (word)restorer)
      printf(" RESTORER");
    else
      printf(" %lx", v);
  }
  printf("\n");
}

#ifdef __x86_64__
static void show_frame(int with_info) {
  word sp = word_at(8 + 40 + 15 * 8), fp = word_at(8 + 40 + 23 * 8 - 8 + 8);
  printf("  pretcode %s uc_flags %lx link %lx\n", word_at(0) == (word)restorer ? "RESTORER" : "?",
         word_at(8) & ~1ul, word_at(16));
  show_words("stack", 24, 3, sp, fp);
  show_words("r8-r15", 8 + 40, 2, sp, fp); /* r10 and r11 hold what the entry left there */
  show_words("r12-dx", 8 + 40 + 4 * 8, 9, sp, fp);
  printf("  ax %lx sp above %d eflags %lx csgsfsss %lx\n", word_at(8 + 40 + 13 * 8), sp > entry.w[E_SP],
         word_at(8 + 40 + 17 * 8) & SHOWN_FLAGS, word_at(8 + 40 + 18 * 8));
  show_words("err trapno oldmask cr2", 8 + 40 + 19 * 8, 4, sp, fp);
  printf("  fp %s mod 64 %lu, sigmask %lx\n", fp > entry.w[E_SP] && fp < sp ? "below sp" : "?", fp % 64,
         word_at(8 + 296));
  if (with_info)
    show_info(8 + 304);
  show_entry(8 + 304, 8);
}
#else
static void show_context(size_t at) {
  word sp = word_at(at + 7 * 4), fp = word_at(at + 76);
  show_words("gs fs es ds", at, 4, sp, fp);
  show_words("di si bp sp bx dx", at + 16, 6, sp, fp);
  printf("  ax %lx\n", word_at(at + 44));
  show_words("trapno err", at + 48, 2, sp, fp);
  printf("  cs %lx eflags %lx\n", word_at(at + 60), word_at(at + 64) & SHOWN_FLAGS);
  show_words("uesp ss fp oldmask cr2", at + 68, 5, sp, fp);
  printf("  fp %s mod 64 %lu\n", fp > entry.w[E_SP] && fp < sp ? "below sp" : "?", (fp + 112) % 64);
}

static void show_retcode(size_t at) {
  printf("  retcode");
  for (unsigned i = 0; i < 8; i++)
    printf(" %02x", image[at + i]);
  printf("\n");
}

static void show_frame(int with_info) {
  word to = word_at(0);
  printf("  pretcode %s sig %lx\n",
         to == (word)restorer ? "RESTORER" : to == (word)old_restorer ? "OLD_RESTORER" : "the vDSO's",
         word_at(4));
  if (with_info) {
    printf("  pinfo %+ld puc %+ld uc_flags %lx link %lx\n", (long)(word_at(8) - entry.w[E_SP]),
           (long)(word_at(12) - entry.w[E_SP]), word_at(144) & ~1ul, word_at(148));
    show_words("stack", 152, 3, 1, 1);
    show_context(164);
    printf("  sigmask %lx %lx\n", word_at(252), word_at(256));
    show_retcode(260);
    show_info(16);
    show_entry(16, 144);
  } else {
    show_context(8);
    printf("  extramask %lx\n", word_at(720));
    show_retcode(724);
    show_entry(0, 0);
  }
}
#endif

static void frames(void) {
  set_mask(bit(SIGUSR2) | bit(40) | bit(63));
  memset(image, 0, sizeof image);
  plain(SIGUSR1, SA_SIGINFO);
  long r = send(getpid(), SIGUSR1, 0x5a5a1234);
  printf("SA_SIGINFO: %ld\n", r);
  show_frame(1);
  plain(SIGUSR1, 0);
#ifndef __x86_64__
  action(SIGUSR1, handler, KEEPS_RESTORER, old_restorer, 0);
#endif
  r = send(getpid(), SIGUSR1, 0x12345678);
  printf("without: %ld\n", r);
  show_frame(0);
#ifndef __x86_64__
  action(SIGUSR1, handler, SA_SIGINFO, NULL, 0);
  r = send(getpid(), SIGUSR1, 0x5a5a1234);
  printf("SA_SIGINFO, no restorer: %ld\n", r);
  show_frame(1);
  action(SIGUSR1, handler, 0, NULL, 0);
  r = send(getpid(), SIGUSR1, 0x12345678);
  printf("no restorer: %ld\n", r);
  show_frame(0);
  struct { word handler, mask, flags, restorer; } old = {(word)handler, (word)bit(SIGTERM), 0, 0}, was;
  printf("sigaction %ld\n", (long)syscall(SYS_sigaction, SIGUSR1, &old, NULL));
  send(getpid(), SIGUSR1, 1);
  long got_old = syscall(SYS_sigaction, SIGUSR1, NULL, &was);
  printf("sigaction reads %ld: mask %lx flags %lx\n", got_old, was.mask, was.flags);
  printf("signal %d\n", syscall(SYS_signal, SIGUSR1, SIG_IGN) == (long)(word)handler);
  syscall(SYS_sigaction, SIGUSR1, NULL, &was);
  printf("after signal: handler %lx flags %lx\n", was.handler, was.flags);
  printf("sgetmask %lx\n", (long)syscall(SYS_sgetmask));
  printf("ssetmask %lx\n", (long)syscall(SYS_ssetmask, 0xffffffff));
  printf("mask then %llx\n", (unsigned long long)set_mask(bit(63)));
  unsigned m = 0xff, got;
  printf("sigprocmask %ld", (long)syscall(SYS_sigprocmask, SIG_SETMASK, &m, &got));
  printf(" %x, then %llx\n", got, (unsigned long long)set_mask(0));
#endif
  set_mask(0);
}

/* --- Dispositions --- */

static void dispositions(void) {
  struct kaction a = {(word)handler, ~(word)0, 0x1234, ~(uint64_t)0}, b;
  printf("all flags: %ld", (long)syscall(SYS_rt_sigaction, SIGUSR1, &a, NULL, 8));
  syscall(SYS_rt_sigaction, SIGUSR1, NULL, &b, 8);
  printf(" %lx restorer %lx mask %llx\n", b.flags, b.restorer, (unsigned long long)b.mask);
  errno = 0;
  long r[] = {syscall(SYS_rt_sigaction, 0, NULL, &b, 8),        syscall(SYS_rt_sigaction, 65, NULL, &b, 8),
              syscall(SYS_rt_sigaction, SIGKILL, NULL, &b, 8),
              syscall(SYS_rt_sigaction, SIGKILL, &a, NULL, 8),
              syscall(SYS_rt_sigaction, SIGUSR1, &a, NULL, 16),
              syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8)};
  for (unsigned i = 0; i < sizeof r / sizeof *r; i++)
    printf(" %ld", r[i]);
  printf(" errno %d\n", errno);
  plain(32, SA_SIGINFO);
  ntaken = 0;
  syscall(SYS_tgkill, getpid(), getpid(), 32);
  printf("signal 32 taken %d\n", ntaken);
  plain(SIGUSR1, SA_SIGINFO | SA_RESETHAND | SA_NODEFER);
  kill(getpid(), SIGUSR1);
  syscall(SYS_rt_sigaction, SIGUSR1, NULL, &b, 8);
  printf("reset: %lx flags %lx\n", b.handler, b.flags);
}

/* --- Order --- */

static void show_taken(const char *what) {
  printf("%s:", what);
  for (int i = 0; i < ntaken; i++)
    printf(" %d", taken[i]);
  printf("\n");
  ntaken = 0;
}

int values[16], nvalues;
static void note_value(int sig) {
  (void)sig;
  if (nvalues < 16)
    values[nvalues++] = (int)u32_at(W == 8 ? 8 + 304 + 24 : 16 + 20);
}

static void queue(int sig, int value) {
  union sigval v = {.sival_int = value};
  sigqueue(getpid(), sig, v);
}

static void order(void) {
  static const int sigs[] = {SIGTERM, SIGUSR1, SIGSEGV, 50, SIGFPE, 40, SIGHUP, SIGUSR2, 63};
  for (unsigned i = 0; i < sizeof sigs / sizeof *sigs; i++)
    plain(sigs[i], SA_SIGINFO);
  set_mask(~(uint64_t)0);
  for (unsigned i = 0; i < sizeof sigs / sizeof *sigs; i++)
    kill(getpid(), sigs[i]);
  ntaken = 0;
  set_mask(0);
  show_taken("all let in at once");
  for (unsigned i = 0; i < sizeof sigs / sizeof *sigs; i++)
    action(sigs[i], handler, SA_SIGINFO | KEEPS_RESTORER, restorer, ~(uint64_t)0);
  set_mask(~(uint64_t)0);
  for (unsigned i = 0; i < sizeof sigs / sizeof *sigs; i++)
    kill(getpid(), sigs[i]);
  set_mask(0);
  show_taken("and each blocks all");
  set_mask(bit(50) | bit(SIGUSR1));
  also = note_value;
  for (int i = 0; i < 6; i++) {
    queue(50, 100 + i);
    queue(SIGUSR1, 200 + i);
  }
  uint64_t pending = 0;
  syscall(SYS_rt_sigpending, &pending, 8);
  printf("pending %llx\n", (unsigned long long)pending);
  set_mask(0);
  also = NULL;
  show_taken("queued");
  for (int i = 0; i < nvalues; i++)
    printf(" %d", values[i]);
  printf("\n");
  set_mask(bit(SIGSEGV));
  kill(getpid(), SIGSEGV);
  pending = 0;
  syscall(SYS_rt_sigpending, &pending, 8);
  printf("pending SIGSEGV %llx\n", (unsigned long long)pending);
  struct timespec none = {0, 0};
  siginfo_t info;
  sigset_t segv;
  sigemptyset(&segv);
  sigaddset(&segv, SIGSEGV);
  int got = sigtimedwait(&segv, &info, &none);
  printf("waited for %d code %d\n", got, info.si_code);
  set_mask(0);
  show_taken("so it does not come");
}

/* A signal sent to oneself may claim anything. */
static void claims(void) {
  siginfo_t i;
  memset(&i, 0, sizeof i);
  i.si_code = SEGV_ACCERR;
  i.si_addr = (void *)0x1234;
  plain(SIGSEGV, SA_SIGINFO);
  long r = syscall(SYS_rt_sigqueueinfo, getpid(), SIGSEGV, &i);
  size_t at = W == 8 ? 8 + 304 : 16, addr = at + (W == 8 ? 16 : 12);
  printf("claimed fault: %ld, signo %u code %u addr %lx\n", r, u32_at(at), u32_at(at + 8), word_at(addr));
  i.si_code = FPE_INTDIV;
  plain(SIGFPE, SA_SIGINFO);
  r = syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGFPE, &i);
  printf("claimed division: %ld, signo %u code %u addr %lx\n", r, u32_at(at), u32_at(at + 8), word_at(addr));
  show_taken("claims");
}

/* --- Alternate stack --- */

static char alt[32768] __attribute__((aligned(64)));

static long altstack(void *sp, unsigned flags, size_t size) {
  stack_t s;
  memset(&s, 0, sizeof s);
  s.ss_sp = sp;
  s.ss_flags = (int)flags;
  s.ss_size = size;
  long r = syscall(SYS_sigaltstack, &s, NULL);
  return r ? -errno : 0;
}

static void show_alt(const char *what) {
  stack_t s;
  syscall(SYS_sigaltstack, NULL, &s);
  printf("%s: sp %s flags %x size %lu\n", what, s.ss_sp == alt ? "alt" : s.ss_sp ? "?" : "0",
         (unsigned)s.ss_flags, (unsigned long)s.ss_size);
}

static void in_alt(int sig) {
  (void)sig;
  printf("handler %s the alternate stack; ", entry.w[E_SP] - (word)alt <= sizeof alt ? "on" : "off");
  printf("change: %ld; ", altstack(alt, 0, 8192));
  fflush(stdout);
  show_alt("inside");
}

static void alternate(void) {
  printf("%ld", altstack(alt, 0, 2047));
  printf(" %ld", altstack(alt, 8, sizeof alt));
  printf(" %ld", altstack(alt, SS_ONSTACK, 2048));
  printf(" %ld\n", altstack(alt, 0, sizeof alt));
  show_alt("set");
  plain(SIGUSR1, SA_ONSTACK | SA_SIGINFO);
  also = in_alt;
  kill(getpid(), SIGUSR1);
  size_t uc_stack = W == 8 ? 24 : 152;
  printf("saved: sp %d flags %x\n", word_at(uc_stack) == (word)alt, u32_at(uc_stack + W));
  show_alt("after");
  plain(SIGUSR1, SA_SIGINFO);
  kill(getpid(), SIGUSR1);
  printf("autodisarm %ld\n", altstack(alt, 1u << 31, sizeof alt));
  plain(SIGUSR1, SA_ONSTACK | SA_SIGINFO);
  kill(getpid(), SIGUSR1);
  show_alt("after autodisarm");
  also = NULL;
  altstack(NULL, SS_DISABLE, 0);
  show_alt("disabled");
}

/* --- Masks during waits --- */

static void show_wait(const char *what, long r, uint64_t next_mask) {
  int e = errno;
  printf("%s %ld errno %d saved mask %x now %llx\n", what, r, r ? e : 0, u32_at(W == 8 ? 8 + 296 : 252),
         (unsigned long long)set_mask(next_mask));
}

static void waits(void) {
  uint64_t usr1 = bit(SIGUSR1), none = 0;
  struct timespec ms = {0, 1000000}, left = ms;
  plain(SIGUSR1, SA_SIGINFO);
  plain(SIGALRM, SA_SIGINFO);
  set_mask(usr1);
  kill(getpid(), SIGUSR1);
  long r = syscall(SYS_rt_sigsuspend, &none, 8);
  show_wait("sigsuspend", r, usr1);
  kill(getpid(), SIGUSR1);
  r = syscall(SYS_ppoll, NULL, 0, &left, &none, 8);
  show_wait("ppoll", r, usr1);
  left = ms;
  r = syscall(SYS_ppoll, NULL, 0, &left, &none, 8);
  show_wait("ppoll without", r, usr1);
  kill(getpid(), SIGUSR1);
  sigset_t empty;
  sigemptyset(&empty);
  left = ms;
  r = pselect(0, NULL, NULL, NULL, &left, &empty);
  show_wait("pselect", r, usr1);
  show_taken("taken");
  r = syscall(SYS_rt_sigsuspend, &none, 4);
  printf("sizes %ld %ld\n", r, (long)syscall(SYS_ppoll, NULL, 0, &left, &none, 4));
  struct itimerval t = {.it_value = {0, 5000}};
  setitimer(ITIMER_REAL, &t, NULL);
  r = pause();
  printf("pause %ld errno %d code %d\n", r, errno, (int)u32_at((W == 8 ? 8 + 304 : 16) + 8));
  setitimer(ITIMER_REAL, &t, NULL);
  struct timespec second = {1, 0};
  sigset_t s;
  sigemptyset(&s);
  sigaddset(&s, SIGUSR1);
  r = sigtimedwait(&s, NULL, &second);
  printf("sigtimedwait interrupted %ld errno %d\n", r, errno);
  sigaddset(&s, SIGALRM);
  sigprocmask(SIG_BLOCK, &s, NULL);
  setitimer(ITIMER_REAL, &t, NULL);
  siginfo_t info;
  r = sigtimedwait(&s, &info, &second);
  printf("sigtimedwait %ld code %d\n", r, info.si_code);
  second.tv_nsec = 2000000000;
  r = sigtimedwait(&s, &info, &second);
  printf("sigtimedwait with a bad time %ld errno %d\n", r, errno);
  setitimer(ITIMER_REAL, &t, NULL);
  second.tv_nsec = 0;
  int left_over = 0;
  for (int i = 0; i < 3 && !(left_over = sigtimedwait(&s, NULL, &second) == SIGALRM); i++)
    ;
  printf("sigtimedwait without info %d\n", left_over);
  set_mask(0);
  show_taken("taken");
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  /* uc_stack shows the raw flags, which a thread of the parent's may have left behind: execve does not reset them. */
  sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
  frames();
  dispositions();
  order();
  claims();
  alternate();
  waits();
  return 0;
}
