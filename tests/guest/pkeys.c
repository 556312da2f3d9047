/* Protection keys: pkey_alloc, pkey_free, pkey_mprotect, RDPKRU and WRPKRU, what they do to accesses of the
 * program and of system calls, the signal that says so, and PKRU in signal frames. man 7 pkeys; Linux
 * arch/x86/mm/pkeys.c, mm/mprotect.c. Where there are no keys the same is said of their absence, so that all
 * processors print the same. */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "guest.h"

enum { PAGE = 4096, KEYS = 16, AD = 1, WD = 2, INITIAL = 0x55555554, PKUERR = 4, PKRU_COMPONENT = 9 };
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_PK = 32 };
#ifdef __x86_64__
enum { FSAVE = 0 };
#else
enum { FSAVE = 112 }; /* in front of the FXSAVE image */
#endif
enum { HEADER = 512 };

static uint32_t rdpkru(void) {
  uint32_t v, d;
  __asm__ volatile(".byte 0x0f, 0x01, 0xee" : "=a"(v), "=d"(d) : "c"(0));
  return v;
}
static void wrpkru(uint32_t v) {
  __asm__ volatile(".byte 0x0f, 0x01, 0xef" ::"a"(v), "c"(0), "d"(0) : "memory");
}
static uint32_t rights(int key) { return rdpkru() >> 2 * key & 3; }
static void allow(int key, uint32_t r) { wrpkru((rdpkru() & ~(3u << 2 * key)) | r << 2 * key); }

static int pkey_alloc_(unsigned long flags, unsigned long r) {
  return (int)syscall(SYS_pkey_alloc, flags, r);
}
static int pkey_free_(int key) { return (int)syscall(SYS_pkey_free, key); }
static int pkey_mprotect_(void *p, size_t n, int prot, int key) {
  return (int)syscall(SYS_pkey_mprotect, p, n, prot, key);
}
static int fails(int r, int error) { return r == -1 && errno == error; }

/* ---- faults ---- */

static sigjmp_buf escape;
static volatile struct {
  int signo, code, key;
  unsigned long error, trap;
  void *addr;
  uint32_t pkru, saved, in_use;
} seen;
static volatile int grant = -1; /* the key that the handler gives access by, in the frame */
static volatile int forget;     /* or the frame says that PKRU is not in use */
static unsigned saved_at;

static void handler(int signo, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  unsigned char *area = (unsigned char *)uc->uc_mcontext.fpregs + FSAVE;
  seen.signo = signo;
  seen.code = info->si_code;
  seen.addr = info->si_addr;
  seen.error = (unsigned long)uc->uc_mcontext.gregs[REG_ERR];
  seen.trap = (unsigned long)uc->uc_mcontext.gregs[REG_TRAPNO];
  if (!saved_at) siglongjmp(escape, 1);
  const char *key_at = (const char *)info + (sizeof(long) == 8 ? 32 : 20); /* si_pkey */
  memcpy((void *)(uintptr_t)&seen.key, key_at, sizeof seen.key);
  seen.pkru = rdpkru();
  memcpy((void *)(uintptr_t)&seen.saved, area + saved_at, 4);
  seen.in_use = area[HEADER + 1] >> (PKRU_COMPONENT - 8) & 1;
  if (signo == SIGUSR1) return;
  if (forget) {
    area[HEADER + 1] &= (unsigned char)~(1 << (PKRU_COMPONENT - 8));
    return;
  }
  if (grant >= 0) {
    uint32_t v = seen.saved & ~(3u << 2 * grant);
    memcpy(area + saved_at, &v, 4);
    return;
  }
  wrpkru(seen.saved); /* siglongjmp() does not */
  siglongjmp(escape, 1);
}

enum access { READ, WRITE, EXEC };
static void touch(volatile unsigned char *p, enum access a) {
  if (a == READ) (void)*p;
  else if (a == WRITE) *p = 0xc3;
  else ((void (*)(void))(uintptr_t)p)();
}
/* Does the access fault? */
static int faults(volatile unsigned char *p, enum access a) {
  seen.signo = 0;
  if (sigsetjmp(escape, 1)) return 1;
  touch(p, a);
  return 0;
}
/* By a key, with this error code? */
static int refused(volatile unsigned char *p, enum access a, int key, unsigned long error) {
  uint32_t pkru = rdpkru();
  int by_key = faults(p, a) && seen.signo == SIGSEGV && seen.code == PKUERR && seen.key == key;
  return by_key && seen.addr == (void *)(uintptr_t)p && seen.trap == 14 && seen.error == error &&
         seen.pkru == INITIAL && seen.saved == pkru && seen.in_use && rdpkru() == pkru;
}

static unsigned char *pages(int n, int prot) {
  return mmap(NULL, (size_t)n * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* ---- with keys ---- */

static int allocation(void) {
  int ok = rdpkru() == INITIAL, n = 0, key[KEYS];
  ok &= fails(pkey_alloc_(1, 0), EINVAL) && fails(pkey_alloc_(0, 4), EINVAL);
  ok &= fails(pkey_alloc_(~0ul, ~0ul), EINVAL);
  ok &= pkey_alloc_(0, 0) == 1 && rdpkru() == (INITIAL & ~0xcu);
  ok &= pkey_alloc_(0, WD) == 2 && rights(2) == WD && pkey_alloc_(0, AD | WD) == 3 && rights(3) == (AD | WD);
  while (n < KEYS && (key[n] = pkey_alloc_(0, AD)) >= 0) n++;
  ok &= n == KEYS - 4 && key[0] == 4 && key[n - 1] == 15 && errno == ENOSPC;
  ok &= fails(pkey_free_(-1), EINVAL) && fails(pkey_free_(16), EINVAL);
  ok &= !pkey_free_(7) && fails(pkey_free_(7), EINVAL) && pkey_alloc_(0, 0) == 7;
  for (int k = 1; k < KEYS; k++) ok &= !pkey_free_(k);
  ok &= rights(3) == (AD | WD); /* rights stay */
  wrpkru(INITIAL);
  return ok;
}

static int arguments(void) {
  unsigned char *p = pages(2, PROT_READ);
  int key = pkey_alloc_(0, 0), ok = fails(pkey_mprotect_(p, PAGE, PROT_READ, key + 1), EINVAL);
  ok &= fails(pkey_mprotect_(p, PAGE, PROT_READ, -2), EINVAL);
  ok &= fails(pkey_mprotect_(p, PAGE, PROT_READ, 16), EINVAL);
  ok &= !pkey_mprotect_(p, 0, PROT_READ, 99) && fails(pkey_mprotect_(p + 1, PAGE, PROT_READ, key), EINVAL);
  ok &= fails(pkey_mprotect_(p, PAGE, 0x100, key), EINVAL);
  ok &= !pkey_mprotect_(p, PAGE, PROT_READ, key) && !pkey_mprotect_(p, PAGE, PROT_READ, 0);
  munmap(p, 2 * PAGE);
  ok &= fails(pkey_mprotect_(p, PAGE, PROT_READ, key), ENOMEM);
  return ok & !pkey_free_(key);
}

static int accesses(void) {
  unsigned char *p = pages(3, PROT_READ | PROT_WRITE | PROT_EXEC);
  int key = pkey_alloc_(0, 0), ok = !pkey_mprotect_(p, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, key);
  touch(p, WRITE);
  ok &= !faults(p, READ);
  allow(key, WD);
  ok &= !faults(p, READ) && !faults(p, EXEC) && refused(p, WRITE, key, PF_P | PF_W | PF_U | PF_PK);
  allow(key, AD);
  ok &= refused(p, READ, key, PF_P | PF_U | PF_PK) && refused(p, WRITE, key, PF_P | PF_W | PF_U | PF_PK);
  ok &= !faults(p, EXEC); /* keys know no fetches */
  /* What was never touched is not present. */
  ok &= refused(p + PAGE, READ, key, PF_U) && refused(p + PAGE + 5, WRITE, key, PF_W | PF_U);
  ok &= !faults(p + 2 * PAGE, WRITE);
  allow(key, 0);
  ok &= !faults(p, WRITE) && !faults(p + PAGE, READ);
  munmap(p, 3 * PAGE);
  return ok & !pkey_free_(key);
}

/* Which key a mapping has, as the other calls leave it. */
static int inheritance(void) {
  unsigned char *p = pages(4, PROT_READ | PROT_WRITE), *q;
  int key = pkey_alloc_(0, AD), ok = !pkey_mprotect_(p, 4 * PAGE, PROT_READ | PROT_WRITE, key);
  ok &= !mprotect(p, PAGE, PROT_READ) && !pkey_mprotect_(p + PAGE, PAGE, PROT_NONE, -1);
  ok &= refused(p, WRITE, key, PF_W | PF_U);     /* the key is asked first, */
  ok &= refused(p + PAGE, READ, key, PF_U);      /* even where nothing else would be allowed */
  ok &= mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p && !faults(p, READ);
  q = mremap(p + 2 * PAGE, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE);
  ok &= q != MAP_FAILED && refused(q + 3 * PAGE, READ, key, PF_U);
  ok &= !pkey_free_(key) && refused(q, READ, key, PF_U); /* what carries it goes on to */
  ok &= !pkey_mprotect_(q, 4 * PAGE, PROT_READ | PROT_WRITE, 0) && !faults(q, WRITE);
  munmap(p, 2 * PAGE);
  munmap(q, 4 * PAGE);
  return ok;
}

static int system_calls(void) {
  unsigned char *p = pages(2, PROT_READ | PROT_WRITE);
  int key = pkey_alloc_(0, 0), fd[2], ok = !pipe(fd) && !pkey_mprotect_(p, PAGE, PROT_READ | PROT_WRITE, key);
  p[0] = 'x';
  ok &= write(fd[1], p, 1) == 1 && read(fd[0], p, 1) == 1;
  allow(key, WD);
  ok &= write(fd[1], p, 1) == 1 && fails((int)read(fd[0], p, 1), EFAULT);
  allow(key, AD);
  ok &= fails((int)write(fd[1], p, 1), EFAULT) && refused(p, READ, key, PF_P | PF_U | PF_PK);
  allow(key, 0);
  ok &= p[0] == 'x' && !faults(p, WRITE); /* before any other call */
  ok &= write(fd[1], p, 1) == 1 && read(fd[0], p, 2) == 2 && p[0] == 'x' && p[1] == 0xc3;
  close(fd[0]);
  close(fd[1]);
  munmap(p, 2 * PAGE);
  return ok & !pkey_free_(key);
}

/* The handler changes PKRU in its frame, and the instruction is done when it is tried again. */
static int frames(void) {
  volatile unsigned char *p = pages(1, PROT_READ | PROT_WRITE);
  int key = pkey_alloc_(0, AD), ok = !pkey_mprotect_((void *)(uintptr_t)p, PAGE, PROT_READ | PROT_WRITE, key);
  uint32_t before = rdpkru();
  grant = key;
  ok &= !faults(p, WRITE) && seen.signo == SIGSEGV && seen.saved == before && p[0] == 0xc3;
  ok &= rdpkru() == (before & ~(3u << 2 * key));
  grant = -1;
  allow(key, AD);
  forget = 1; /* as after reset: access by every key */
  ok &= !faults(p, READ) && seen.signo == SIGSEGV && rdpkru() == 0;
  forget = 0;
  raise(SIGUSR1); /* PKRU is in use in a frame even if it is 0 */
  ok &= seen.pkru == INITIAL && seen.saved == 0 && seen.in_use && rdpkru() == 0;
  wrpkru(INITIAL);
  munmap((void *)(uintptr_t)p, PAGE);
  return ok & !pkey_free_(key);
}

/* What may be executed alone has a key of its own, which no call gives away. */
static int execute_only(void) {
  unsigned char *p = pages(2, PROT_READ | PROT_WRITE);
  int ok, key;
  p[0] = p[PAGE] = 0xc3;
  ok = !mprotect(p, PAGE, PROT_EXEC) && !faults(p, EXEC) && faults(p, READ) && seen.code == PKUERR;
  key = seen.key;
  ok &= key > 0 && rights(key) == AD && fails(pkey_free_(key), EINVAL);
  ok &= fails(pkey_mprotect_(p, PAGE, PROT_EXEC, key), EINVAL);
  allow(key, 0); /* the next such mapping closes it again */
  ok &= !faults(p, READ) && !mprotect(p + PAGE, PAGE, PROT_EXEC) && rights(key) == AD;
  ok &= refused(p + PAGE, READ, key, PF_P | PF_U | PF_PK) && faults(p, WRITE) && seen.code == PKUERR;
  ok &= !mprotect(p, PAGE, PROT_READ | PROT_EXEC) && !faults(p, READ) && !faults(p, EXEC);
  ok &= faults(p + PAGE, READ);
  munmap(p, 2 * PAGE);
  p = pages(1, PROT_EXEC);
  ok &= faults(p, READ) && seen.code == PKUERR && seen.key == key;
  munmap(p, PAGE);
  return ok;
}

/* ---- without ---- */

static int absent(void) {
  unsigned char *p = pages(1, PROT_READ);
  int ok = fails(pkey_alloc_(0, 0), EINVAL) && fails(pkey_free_(0), EINVAL);
  ok &= fails(pkey_mprotect_(p, PAGE, PROT_READ, 0), EINVAL) && !pkey_mprotect_(p, 0, PROT_READ, 0);
  ok &= !pkey_mprotect_(p, PAGE, PROT_READ | PROT_WRITE, -1);
  p[0] = 1;
  seen.signo = 0;
  if (!sigsetjmp(escape, 1)) rdpkru();
  return ok & (seen.signo == SIGILL);
}

static int keys;
static void test(const char *what, int (*fn)(void)) { verdict(what, !keys || fn()); }

int main(void) {
  struct sigaction a = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  unsigned eax, ebx, ecx = 0, edx;
  sigaction(SIGSEGV, &a, NULL);
  sigaction(SIGILL, &a, NULL);
  sigaction(SIGUSR1, &a, NULL);
  if (__get_cpuid_max(0, NULL) >= 7) __cpuid_count(7, 0, eax, ebx, ecx, edx);
  keys = ecx >> 4 & 1; /* OSPKE */
  if (keys) {
    __cpuid_count(13, PKRU_COMPONENT, eax, ebx, ecx, edx);
    saved_at = eax == 8 ? ebx : 0;
  }
  verdict("keys, or none", keys ? saved_at != 0 : absent());
  test("allocation", allocation);
  test("arguments of pkey_mprotect", arguments);
  test("accesses by key", accesses);
  test("keys of mappings that change", inheritance);
  test("system calls", system_calls);
  test("PKRU in signal frames", frames);
  test("memory that may only be executed", execute_only);
  return 0;
}
