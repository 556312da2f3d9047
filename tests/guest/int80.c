/* INT 80h from 64-bit code is the i386 system call, whatever the width of the caller; only: x86_64 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "guest.h"

uint64_t kept[16]; /* written by the assembly */

/* eax, ebx, ecx, edx, esi, edi as i386 passes them; the other registers are checked for survival. */
static long i386(long nr, long a, long b, long c, long d, long e) {
  long r;
  asm volatile("mov %[a], %%rbx\n mov %[d], %%rsi\n mov %[e], %%rdi\n"
               "movabs $0x8888888888888888, %%r8\n movabs $0x9999999999999999, %%r9\n movabs "
               "$0xaaaaaaaaaaaaaaaa, %%r10\n"
               "movabs $0xbbbbbbbbbbbbbbbb, %%r11\n movabs $0xcccccccccccccccc, %%r12\n movabs "
               "$0xdddddddddddddddd, %%r13\n"
               "int $0x80\n"
               "mov %%r8, kept\n mov %%r9, kept+8\n mov %%r10, kept+16\n mov %%r11, kept+24\n mov %%r12, "
               "kept+32\n mov %%r13, kept+40\n"
               : "=a"(r)
               : "a"(nr), "c"(b), "d"(c), [a] "m"(a), [d] "m"(d), [e] "m"(e)
               : "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "memory");
  return r;
}

int main(void) {
  enum {
    EXIT = 1,
    READ = 3,
    WRITE = 4,
    OPEN = 5,
    GETPID = 20,
    BRK = 45,
    MMAP2 = 192,
    UNAME = 122,
    SIXTY = 39,
    PIPE = 42
  };
  verdict("getpid", i386(GETPID, 0, 0, 0, 0, 0) == getpid());
  int ok = kept[0] == 0x8888888888888888 && kept[1] == 0x9999999999999999 && kept[2] == 0xaaaaaaaaaaaaaaaa &&
           kept[3] == 0xbbbbbbbbbbbbbbbb && kept[4] == 0xcccccccccccccccc && kept[5] == 0xdddddddddddddddd;
  verdict("r8 to r13 survive", ok);
  char *low = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  verdict("memory below 4 GiB", (uintptr_t)low < 0x100000000);
  strcpy(low, "written by int 80h from 64-bit code\n");
  fflush(stdout);
  printf("write gave %ld\n", i386(WRITE, 1, (long)low, (long)strlen(low), 0, 0));
  verdict("the high halves of arguments do not count",
          i386(WRITE | (long)0x7700000000, 1 | (long)0x1200000000, (long)low | (long)0x3400000000, 0, 0, 0) ==
              0);
  struct utsname *u = (void *)(low + 2048);
  verdict("newuname", i386(UNAME, (long)u, 0, 0, 0, 0) == 0 && !strcmp(u->sysname, "Linux"));
  verdict("number 39 is mkdir here, not getpid", i386(SIXTY, 8, 0, 0, 0, 0) == -EFAULT);
  verdict("an unknown number is ENOSYS",
          i386(100000, 0, 0, 0, 0, 0) == -ENOSYS && i386(-1, 0, 0, 0, 0, 0) == -ENOSYS);
  long p = i386(MMAP2, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
  verdict("mmap2 gives an address below 4 GiB", p > 0 && p < 0x100000000);
  int *fds = (int *)(low + 4096);
  verdict("pipe", i386(PIPE, (long)fds, 0, 0, 0, 0) == 0 && write(fds[1], "x", 1) == 1);
  verdict("read", i386(READ, fds[0], (long)(low + 5000), 10, 0, 0) == 1 && low[5000] == 'x');
  fflush(stdout);
  i386(EXIT, 42, 0, 0, 0, 0);
  return 1;
}
