/* What the kernel hands a new program: arguments, environment, the auxiliary vector, and the calls that agree
 * with it. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "guest.h"

extern char **environ;
extern char __ehdr_start[];

static const char *base_name(const char *s) {
  const char *slash = strrchr(s, '/');
  return slash ? slash + 1 : s;
}

static void vectors(int argc, char **argv) {
  printf("argc %d, argv ends with NULL: %d\n", argc, argv[argc] == NULL);
  printf("argv[0] %s\n", base_name(argv[0]));
  for (int i = 1; i < argc; i++)
    printf("argv[%d] [%s]\n", i, argv[i]);
  verdict("the environment follows the arguments", environ == argv + argc + 1);
  for (char **e = environ; *e; e++)
    printf("env [%s]\n", *e);
  int together = 1;
  for (int i = 1; i < argc; i++)
    together &= argv[i] == argv[i - 1] + strlen(argv[i - 1]) + 1;
  verdict("the strings lie one behind the other", together);
}

static void auxiliary(void) {
  char **e = environ;
  while (*e)
    e++;
  static const char *const names[] = {
      [AT_PHDR] = "PHDR",      [AT_PHENT] = "PHENT",   [AT_PHNUM] = "PHNUM",
      [AT_PAGESZ] = "PAGESZ",  [AT_BASE] = "BASE",     [AT_FLAGS] = "FLAGS",
      [AT_ENTRY] = "ENTRY",    [AT_UID] = "UID",       [AT_EUID] = "EUID",
      [AT_GID] = "GID",        [AT_EGID] = "EGID",     [AT_PLATFORM] = "PLATFORM",
      [AT_HWCAP] = "HWCAP",    [AT_CLKTCK] = "CLKTCK", [AT_SECURE] = "SECURE",
      [AT_RANDOM] = "RANDOM",  [AT_EXECFN] = "EXECFN", [AT_SYSINFO_EHDR] = "SYSINFO_EHDR",
      [AT_SYSINFO] = "SYSINFO"};
  unsigned long seen[64] = {0}, hwcap = 0;
  int ended = 0;
  for (ElfW(auxv_t) *a = (void *)(e + 1); !ended; a++) {
    ended = a->a_type == AT_NULL;
    if (a->a_type < 64)
      seen[a->a_type]++;
    if (a->a_type == AT_HWCAP)
      hwcap = a->a_un.a_val; /* glibc's getauxval has its own idea of it */
  }
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i] && (i != AT_SYSINFO || WIDTH == 32))
      printf("AT_%s present %lu\n", names[i], seen[i]);
  const ElfW(Ehdr) *eh = (void *)__ehdr_start;
  verdict("AT_PHDR", getauxval(AT_PHDR) == (uintptr_t)__ehdr_start + eh->e_phoff);
  verdict("AT_PHENT, AT_PHNUM", getauxval(AT_PHENT) == eh->e_phentsize && getauxval(AT_PHNUM) == eh->e_phnum);
  verdict("AT_ENTRY",
          getauxval(AT_ENTRY) == eh->e_entry + (eh->e_type == ET_DYN ? (uintptr_t)__ehdr_start : 0));
  printf("AT_PAGESZ %lu AT_BASE %lu AT_FLAGS %lu AT_CLKTCK %lu AT_SECURE %lu\n", getauxval(AT_PAGESZ),
         getauxval(AT_BASE), getauxval(AT_FLAGS), getauxval(AT_CLKTCK), getauxval(AT_SECURE));
  printf("AT_PLATFORM %s\n", (char *)getauxval(AT_PLATFORM));
  printf("AT_EXECFN %s\n", base_name((char *)getauxval(AT_EXECFN)));
  verdict("ids", getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid() &&
                     getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
  verdict("AT_HWCAP has the FPU, TSC, CX8, CMOV, SSE2", (hwcap & 0x04008111) == 0x04008111);
  static const unsigned char zeros[16];
  verdict("AT_RANDOM is not zero", memcmp((void *)getauxval(AT_RANDOM), zeros, 16) != 0);
  verdict("the vDSO is an ELF",
          getauxval(AT_SYSINFO_EHDR) && !memcmp((void *)getauxval(AT_SYSINFO_EHDR), ELFMAG, SELFMAG));
}

static void identity(void) {
  struct utsname u;
  verdict("uname", uname(&u) == 0 && !strcmp(u.sysname, "Linux"));
  printf("machine %s\n", u.machine);
  verdict("process ids", getpid() > 0 && getppid() >= 0 && getpgid(0) >= 0 && getsid(0) >= 0);
  uid_t r, e, s;
  verdict("getresuid", getresuid(&r, &e, &s) == 0 && r == getuid() && e == geteuid() && s == e);
  gid_t groups[256];
  verdict("getgroups", getgroups(256, groups) >= 0);
  struct sysinfo si;
  verdict("sysinfo", sysinfo(&si) == 0 && si.totalram > 0 && si.mem_unit > 0);
  cpu_set_t cpus;
  verdict("sched_getaffinity", sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) >= 1);
  verdict("sched_yield, getcpu", sched_yield() == 0 && sched_getcpu() >= 0);
  errno = 0;
  int priority = getpriority(PRIO_PROCESS, 0);
  verdict("getpriority", priority >= -20 && priority <= 19 && errno == 0);
  struct rlimit l;
  verdict("limits", getrlimit(RLIMIT_STACK, &l) == 0 && getrlimit(99, &l) == -1 && errno == EINVAL);
  unsigned char random[32] = {0}, more[32] = {0};
  verdict("getentropy", getentropy(random, 32) == 0 && getentropy(more, 32) == 0 && memcmp(random, more, 32));
}

int main(int argc, char **argv) {
  vectors(argc, argv);
  auxiliary();
  identity();
  return 0;
}
