/* Puts a program into memory and a task at its entry: Linux fs/binfmt_elf.c (load_elf_binary), fs/exec.c,
 * arch/x86/kernel/process_64.c (start_thread). System V gABI chapter 5 (Program Loading and Dynamic Linking). */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>

#include "linux_abi/lvm.h"
#include "linux_abi/mm_host.h"
#include "linux_abi/uaccess.h"

/* ELF_ET_DYN_BASE: where Linux puts the heap of a program that has no place of its own, in the largest layout. */
#define DYN_BASE_I386 UINT64_C(0x56555000)

static u64 dyn_base(const struct task *t) {
  u64 size = t->mm->task_size;
  if (t->abi == LX_I386 && DYN_BASE_I386 < size / 2) return DYN_BASE_I386;
  return page_up(size / 3 * 2);
}

static u32 prot_of(u8 flags) {
  return (flags & LDR_R ? PROT_READ : 0) | (flags & LDR_W ? PROT_WRITE : 0) | (flags & LDR_X ? PROT_EXEC : 0);
}

/* A program without an interpreter goes where mmap() would put it. */
static int choose_bias(struct task *t, const struct image *img, u64 *bias, char *err, size_t n) {
  u64 limit = t->mm->task_size;
  *bias = 0;
  if (img->pie) {
    u64 slack = img->align > PAGE_SIZE ? img->align : 0;
    u64 at = img->span <= limit && slack <= limit - img->span ? mm_place(t, 0, img->span + slack, 0) : 0;
    if (!at) {
      snprintf(err, n, "%s: no room for its %" PRIu64 " bytes of memory", img->name, img->span);
      return -ENOMEM;
    }
    *bias = ldr_bias(img, at + slack);
  }
  int r = ldr_check_range(img, *bias, limit, err, n);
  if (r) return r;
  if (vma_overlap(&t->mm->vmas, img->lo + *bias, img->hi + *bias)) {
    snprintf(err, n, "%s: its addresses are where the stack is", img->name);
    return -EEXIST;
  }
  return 0;
}

/* A file's pages, or a copy of an image in memory. */
static s64 map_file_part(struct task *t, const struct image *img, const struct ldr_segment *s, u64 bias) {
  enum { FIXED = MAP_PRIVATE | MAP_FIXED };
  u64 at = s->file_lo + bias, len = s->file_hi - s->file_lo;
  u32 prot = prot_of(s->flags);
  if (img->fd >= 0) return mm_mmap(t, at, len, prot, FIXED, img->fd, s->file_off);
  int r = mm_map_anon(t, at, at + len, PROT_READ | PROT_WRITE, 0);
  if (r) return r;
  u64 have = s->file_off < img->size ? img->size - s->file_off : 0;
  if (have > len) have = len;
  if (have && ldr_read(img, s->file_off, mm_host(t->mm, at), have)) return -EIO;
  return mm_mprotect(t, at, len, prot);
}

static s64 map_segment(struct task *t, const struct image *img, const struct ldr_segment *s, u64 bias) {
  s64 r = 0;
  if (s->file_lo < s->file_hi) r = map_file_part(t, img, s, bias);
  if (r < 0) return r;
  if (s->zero_lo < s->zero_hi && ua_clear(t, s->zero_lo + bias, s->zero_hi - s->zero_lo)) return -EFAULT;
  if (s->anon_lo >= s->anon_hi) return 0;
  u32 prot = prot_of(s->anon_flags) | (t->personality & READ_IMPLIES_EXEC ? PROT_EXEC : 0);
  return mm_map_anon(t, s->anon_lo + bias, s->anon_hi + bias, prot, 0);
}

/* /proc/PID/stat's and RLIMIT_DATA's idea of code and data. */
static void note_ranges(struct mm *mm, const struct image *img, u64 bias) {
  mm->start_code = ~UINT64_C(0);
  for (unsigned i = 0; i < img->nseg; i++) {
    const struct ldr_segment *s = &img->seg[i];
    u64 start = s->vaddr + bias, end = start + s->filesz;
    if (start < mm->start_code) mm->start_code = start;
    if (start > mm->start_data) mm->start_data = start;
    if ((s->flags & LDR_X) && end > mm->end_code) mm->end_code = end;
    if (end > mm->end_data) mm->end_data = end;
  }
}

static void place_heap(struct task *t, const struct image *img, u64 bias) {
  struct mm *mm = t->mm;
  mm->start_brk = img->brk + bias;
  /* Above the program lie the vDSO and the stack: no room to grow. */
  if (img->pie) mm->start_brk = page_up(dyn_base(t));
  mm->brk = mm->start_brk;
}

static void enter(struct task *t, u64 entry, u64 sp) {
  bool i386 = t->abi == LX_I386;
  struct pt_regs r = {.ip = entry, .sp = sp, .flags = EF_1 | EF_IF, .orig_ax = ~UINT64_C(0), .ss = SEL_USER_DS};
  r.cs = i386 ? SEL_USER32_CS : SEL_USER_CS;
  kernel_enter_user(&t->lvm->kernel, t->cpu, &r);
  mm_follow_pkru(t);
  cpu_number_refresh(t->lvm);
  if (!i386) return;
  if (lx_load_seg(t, DS, SEL_USER_DS) || lx_load_seg(t, ES, SEL_USER_DS))
    lx_fail(t->lvm, "the emulated kernel's data segment cannot be loaded");
}

static int load_failed(const struct image *img, s64 r, char *err, size_t n) {
  snprintf(err, n, "%s: cannot be put into memory: %s", img->name, strerror((int)-r));
  return (int)r;
}

int exec_load(struct task *t, const struct image *img, const char *path, char *const argv[], char *const envp[],
              char *err, size_t n) {
  u64 bias, sp;
  if (img->stack == LDR_STACK_ABSENT && t->abi == LX_I386) t->personality |= READ_IMPLIES_EXEC;
  struct exec_stack s = {.path = path, .argv = argv, .envp = envp};
  int r = exec_map_stack(t, &s);
  if (r) return load_failed(img, r, err, n);
  r = choose_bias(t, img, &bias, err, n);
  if (r) return r;
  t->lvm->bias = bias;
  for (unsigned i = 0; i < img->nseg; i++) {
    s64 e = map_segment(t, img, &img->seg[i], bias);
    if (e < 0) return load_failed(img, e, err, n);
  }
  note_ranges(t->mm, img, bias);
  place_heap(t, img, bias);
  r = vdso_map(t);
  if (r) return load_failed(img, r, err, n);
  s.phdr = img->phdr + bias;
  s.phent = img->phent;
  s.phnum = img->phnum;
  s.entry = img->entry + bias;
  r = exec_build_stack(t, &s, &sp);
  if (r) return load_failed(img, r, err, n);
  enter(t, s.entry, sp);
  return 0;
}
