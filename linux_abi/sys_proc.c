/* Files of /proc/self in which the host would describe the emulator: man 5 proc. Linux fs/proc/base.c,
 * fs/proc/task_mmu.c (show_map_vma).
 *
 * Their contents are made when they are opened. They are known by their names, absolute or relative to a directory
 * of /proc, not by other ways that links may lead to them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "linux_abi/lvm.h"
#include "linux_abi/sys_files.h"

enum { NAME_MAX_HERE = 48, PROC_MAGIC = 0x9fa0 };

/* What follows this number and a slash, or NULL. */
static const char *after_number(const char *p, s32 number) {
  char *end;
  if (*p < '1' || *p > '9') return NULL;
  unsigned long n = strtoul(p, &end, 10);
  return *end == '/' && n == (unsigned long)number ? end + 1 : NULL;
}

/* The part after /proc/self/, /proc/PID/ or these with task/TID/ behind; or NULL. */
static const char *after_self(const struct task *t, const char *path) {
  static const char proc[] = "/proc/", self[] = "self/", thread[] = "thread-self/", task[] = "task/";
  if (strncmp(path, proc, sizeof proc - 1) != 0) return NULL;
  const char *p = path + sizeof proc - 1;
  if (!strncmp(p, thread, sizeof thread - 1)) return p + sizeof thread - 1;
  if (!strncmp(p, self, sizeof self - 1)) p += sizeof self - 1;
  else p = after_number(p, t->pid);
  return p && !strncmp(p, task, sizeof task - 1) ? after_number(p + sizeof task - 1, t->tid) : p;
}

/* The directory that a relative path is looked up in, as an absolute name and a slash. False: unknown, or long. */
static bool name_directory(s64 dirfd, char *buf, size_t n) {
  char link[32];
  s64 len;
  if (dirfd == AT_FDCWD) {
    len = HOST(SYS_getcwd, buf, n - 1) - 1; /* with its zero */
  } else {
    snprintf(link, sizeof link, "/proc/self/fd/%d", (int)dirfd);
    len = HOST(SYS_readlinkat, AT_FDCWD, link, buf, n - 1);
  }
  if (len <= 0 || len >= (s64)n - 1) return false;
  strcpy(buf + len, "/");
  return true;
}

enum proc_file proc_file(const struct task *t, s64 dirfd, u64 path) {
  static const struct {
    const char *name;
    enum proc_file which;
  } known[] = {{"exe", PROC_EXE},   {"cmdline", PROC_CMDLINE}, {"environ", PROC_ENVIRON},
               {"auxv", PROC_AUXV}, {"comm", PROC_COMM},       {"maps", PROC_MAPS}};
  char buf[NAME_MAX_HERE], full[2 * NAME_MAX_HERE];
  if (!path || ua_str(t, buf, path, sizeof buf) < 0) return PROC_OTHER;
  const char *slash = strrchr(buf, '/'), *last = slash ? slash + 1 : buf, *from = buf;
  for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
    if (strcmp(last, known[i].name) != 0) continue;
    if (*buf != '/') {
      if (!name_directory(dirfd, full, NAME_MAX_HERE)) return PROC_OTHER;
      while (!strncmp(from, "./", 2)) from += 2;
      strcat(full, from);
      from = full;
    }
    const char *rest = after_self(t, from);
    return rest && !strcmp(rest, last) ? known[i].which : PROC_OTHER;
  }
  return PROC_OTHER;
}

/* --- Contents --- */

static int put_memory(struct task *t, FILE *out, u64 from, u64 to) {
  char buf[1024];
  while (from < to) {
    u64 n = to - from < sizeof buf ? to - from : sizeof buf;
    if (ua_read(t, buf, from, n)) return -EIO;
    fwrite(buf, 1, n, out);
    from += n;
  }
  return 0;
}

/* Above the first stack pointer: argc, argv, 0, envp, 0, the vector. System V ABI x86-64 3.4.1 (Initial
 * Stack). */
static int put_auxv(struct task *t, FILE *out) {
  unsigned word = t->abi == LX_I386 ? 4 : 8;
  u64 p = t->mm->start_stack, end = t->mm->arg_start, v[2] = {0};
  unsigned zeros = 0;
  for (p += word; p < end && zeros < 2; p += word) {
    v[0] = 0;
    if (ua_read(t, v, p, word)) return -EIO;
    zeros += !v[0];
  }
  for (u64 from = p; p + 2 * word <= end; p += 2 * word) {
    v[0] = 0;
    if (ua_read(t, v, p, word)) return -EIO;
    if (!v[0]) return put_memory(t, out, from, p + 2 * word);
  }
  return -EIO;
}

static const char *mapping_name(const struct task *t, const struct vma *v) {
  if (v->file) return v->file->path;
  if (v->flags & VMA_STACK) return "[stack]";
  if (v->flags & VMA_HEAP) return "[heap]";
  if (v->start == t->lvm->vdso_base) return "[vdso]";
  return v->flags & VMA_SPECIAL ? "[vvar]" : "";
}

static void put_maps(struct task *t, FILE *out) {
  enum { NAME_COLUMN = 25 + 6 * 8 }; /* seq_setwidth(), and a blank */
  for (unsigned i = 0; i < t->mm->vmas.n; i++) {
    const struct vma *v = &t->mm->vmas.v[i];
    u64 dev = v->file ? v->file->dev : 0;
    bool shared = v->flags & VMA_SHARED && !(v->flags & VMA_SPECIAL);
    int n = fprintf(out, "%08" PRIx64 "-%08" PRIx64 " %c%c%c%c %08" PRIx64 " %02x:%02x %" PRIu64 " ",
                    v->start, v->end, v->prot & PROT_READ ? 'r' : '-', v->prot & PROT_WRITE ? 'w' : '-',
                    v->prot & PROT_EXEC ? 'x' : '-', shared ? 's' : 'p', v->file ? v->off : 0, major(dev),
                    minor(dev), v->file ? v->file->ino : 0);
    const char *name = mapping_name(t, v);
    if (*name) fprintf(out, "%*s%s", n < NAME_COLUMN ? NAME_COLUMN - n : 0, "", name);
    fputc('\n', out);
  }
}

static int put(struct task *t, FILE *out, enum proc_file which) {
  const struct mm *mm = t->mm;
  switch (which) {
    case PROC_CMDLINE: return put_memory(t, out, mm->arg_start, mm->arg_end);
    case PROC_ENVIRON: return put_memory(t, out, mm->env_start, mm->env_end);
    case PROC_AUXV: return put_auxv(t, out);
    case PROC_COMM: fprintf(out, "%s\n", t->comm); return 0;
    case PROC_MAPS: put_maps(t, out); return 0;
    default: return -ENOENT;
  }
}

/* A file in memory, opened again so that it can only be read. */
static s64 readable(const char *text, size_t size, int flags) {
  char again[32];
  int fd = memfd_create("proc", MFD_CLOEXEC);
  if (fd < 0) return -errno;
  for (size_t at = 0; at < size;) {
    ssize_t n = write(fd, text + at, size - at);
    if (n <= 0) {
      close(fd);
      return -EIO;
    }
    at += (size_t)n;
  }
  snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
  int twin = open(again, O_RDONLY | (flags & (O_CLOEXEC | O_NONBLOCK)));
  int error = errno;
  close(fd);
  if (twin < 0) return -error;
  /* The lowest free number is the program's due. */
  int low = flags & O_CLOEXEC ? fcntl(twin, F_DUPFD_CLOEXEC, 0) : dup(twin);
  if (low < 0 || low > twin) {
    if (low >= 0) close(low);
    return twin;
  }
  close(twin);
  return low;
}

s64 proc_open(struct task *t, enum proc_file which, int flags) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  if (!out) return -ENOMEM;
  s64 r = put(t, out, which);
  if (fclose(out)) r = -ENOMEM;
  if (!r) r = readable(text, size, flags);
  free(text);
  return r;
}

bool proc_is_fd_dir(struct task *t, int fd) {
  char link[32], path[64];
  struct statfs fs;
  if (HOST(SYS_fstatfs, fd, &fs) || fs.f_type != PROC_MAGIC) return false;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n < 0) return false;
  path[n] = 0;
  const char *rest = after_self(t, path);
  return rest && (!strcmp(rest, "fd") || !strcmp(rest, "fdinfo"));
}
