/* The first stack of a program: strings, argc, argv, envp and the auxiliary vector.
 * Linux fs/exec.c (copy_strings), fs/binfmt_elf.c (create_elf_tables), arch/x86/include/asm/elf.h; getauxval(3).
 *
 *   stack_top -> 8 zero bytes
 *                AT_EXECFN's string, envp's strings, argv's strings (argv[0] lowest)
 *                (down to a multiple of 16) AT_PLATFORM's string, AT_RANDOM's 16 bytes
 *                auxiliary vector, 0, envp[], 0, argv[]
 *   sp ->        argc                                              sp is a multiple of 16
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/auxvec.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "linux_abi/lvm.h"
#include "linux_abi/uaccess.h"

/* As the host's headers may not have them. */
enum { AUX_SYSINFO = 32, AUX_SYSINFO_EHDR = 33, AUX_MINSIGSTKSZ = 51, AUX_PAIRS = 24, CLOCK_TICKS = 100 };
#define STACK_ROOM (UINT64_C(128) << 10) /* what Linux maps below the strings */

struct building {
  struct task *t;
  u64 p;           /* everything from here up is in use */
  u64 *words;      /* argc ... auxiliary vector */
  unsigned n;
  bool failed;
};

static unsigned count(char *const v[]) {
  unsigned n = 0;
  while (v[n]) n++;
  return n;
}

static u64 bytes_of(char *const v[]) {
  u64 n = 0;
  for (; *v; v++) n += strlen(*v) + 1;
  return n;
}

static u64 push(struct building *b, const void *data, u64 n) {
  b->p -= n;
  if (ua_write(b->t, b->p, data, n)) b->failed = true;
  return b->p;
}

/* Pushes the strings so that the first is the lowest, and leaves their addresses from words[at]. */
static void push_strings(struct building *b, char *const v[], unsigned at) {
  for (unsigned i = count(v); i--;) b->words[at + i] = push(b, v[i], strlen(v[i]) + 1);
}

static void aux(struct building *b, u64 type, u64 value) {
  b->words[b->n++] = type;
  b->words[b->n++] = value;
}

static void aux_vector(struct building *b, const struct exec_stack *s, u64 execfn, u64 platform, u64 random) {
  struct task *t = b->t;
  const struct linux_vm *lvm = t->lvm;
  const struct cpu_model *m = t->cpu->model;
  if (t->abi == LX_I386 && lvm->vdso) aux(b, AUX_SYSINFO, lvm->vdso_base + lvm->vdso->vsyscall);
  if (lvm->vdso) aux(b, AUX_SYSINFO_EHDR, lvm->vdso_base);
  aux(b, AUX_MINSIGSTKSZ, sig_frame_max(t));
  aux(b, AT_HWCAP, model_hwcap(m));
  aux(b, AT_PAGESZ, PAGE_SIZE);
  aux(b, AT_CLKTCK, CLOCK_TICKS);
  aux(b, AT_PHDR, s->phdr);
  aux(b, AT_PHENT, s->phent);
  aux(b, AT_PHNUM, s->phnum);
  aux(b, AT_BASE, s->base);
  aux(b, AT_FLAGS, 0);
  aux(b, AT_ENTRY, s->entry);
  aux(b, AT_UID, getuid());
  aux(b, AT_EUID, geteuid());
  aux(b, AT_GID, getgid());
  aux(b, AT_EGID, getegid());
  aux(b, AT_SECURE, 0);
  aux(b, AT_RANDOM, random);
  aux(b, AT_HWCAP2, model_hwcap2(m));
  aux(b, AT_EXECFN, execfn);
  aux(b, AT_PLATFORM, platform);
  aux(b, AT_NULL, 0);
}

static u64 push_words(struct building *b) {
  unsigned width = b->t->abi == LX_I386 ? 4 : 8;
  u64 sp = (b->p - (u64)b->n * width) & ~UINT64_C(15);
  if (width == 4)
    for (unsigned i = 0; i < b->n; i++) ((u32 *)b->words)[i] = (u32)b->words[i];
  if (ua_write(b->t, sp, b->words, (u64)b->n * width)) b->failed = true;
  return sp;
}

static int map_stack(struct task *t, u64 used) {
  const struct linux_vm *lvm = t->lvm;
  struct mm *mm = t->mm;
  enum ldr_stack kind = lvm->image.stack;
  bool exec = kind == LDR_STACK_EXEC || (kind == LDR_STACK_ABSENT && t->abi == LX_I386);
  u64 size = page_up(used) + STACK_ROOM, limit = t->limit[RLIMIT_STACK].cur;
  if (size > limit && limit > page_up(used)) size = page_down(limit);
  u32 prot = PROT_READ | PROT_WRITE | (exec ? PROT_EXEC : 0);
  mm->stack_low = mm->stack_top - size;
  return mm_map_anon(t, mm->stack_low, mm->stack_top, prot, VMA_GROWSDOWN | VMA_STACK | VMA_NORESERVE);
}

static void fill(struct building *b, const struct exec_stack *s, unsigned argc, unsigned envc) {
  struct task *t = b->t;
  struct mm *mm = t->mm;
  /* a kernel of 64 bits says i686 to every program of 32 */
  const struct kernel *k = &t->lvm->kernel;
  const char *name = t->abi == LX_I386 && !k->legacy ? "i686" : kernel_machine(k, t->cpu->model);
  u8 seed[16];
  if (lx_random(t, seed, sizeof seed)) memset(seed, 0x5a, sizeof seed);
  b->p = mm->stack_top - 8;
  u64 execfn = push(b, s->path, strlen(s->path) + 1);
  mm->env_end = execfn;
  push_strings(b, s->envp, 1 + argc + 1);
  mm->env_start = mm->arg_end = b->p;
  push_strings(b, s->argv, 1);
  mm->arg_start = b->p;
  b->p &= ~UINT64_C(15);
  u64 platform = push(b, name, strlen(name) + 1), random = push(b, seed, sizeof seed);
  b->words[0] = argc;
  b->n = 1 + argc + 1 + envc + 1;
  aux_vector(b, s, execfn, platform, random);
}

/* Upper limits of everything above the first stack pointer. */
static u64 string_bytes(const struct exec_stack *s) {
  return bytes_of(s->argv) + bytes_of(s->envp) + strlen(s->path) + 1;
}
static u64 word_count(const struct exec_stack *s) {
  return (u64)count(s->argv) + count(s->envp) + 3 + 2 * AUX_PAIRS;
}

int exec_map_stack(struct task *t, const struct exec_stack *s) {
  enum { MOST = 6 << 20, LEAST = 128 << 10, STRING_MAX = 128 << 10, ODDS = 128 };
  u64 used = string_bytes(s) + word_count(s) * 8, room = t->limit[RLIMIT_STACK].cur / 4;
  if (room > MOST) room = MOST;
  if (room < LEAST) room = LEAST;
  if (used > room) return -E2BIG;
  for (char *const *v = s->argv; *v; v++)
    if (strlen(*v) >= STRING_MAX) return -E2BIG;
  for (char *const *v = s->envp; *v; v++)
    if (strlen(*v) >= STRING_MAX) return -E2BIG;
  return map_stack(t, used + ODDS);
}

int exec_build_stack(struct task *t, const struct exec_stack *s, u64 *sp) {
  struct building b = {.t = t, .words = calloc(word_count(s), 8)};
  if (!b.words) return -ENOMEM;
  fill(&b, s, count(s->argv), count(s->envp));
  *sp = push_words(&b);
  t->mm->start_stack = *sp;
  free(b.words);
  return b.failed ? -EFAULT : 0;
}
