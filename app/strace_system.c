/* What calls about file systems, memory, processors and groups fill in, as strace prints it. man 2 statfs,
 * sysinfo, getgroups, sched_getaffinity, mincore. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>

#include "app/strace_names.h"
#include "app/strace_value.h"
#include "linux_abi/layout.h"
#include "linux_abi/uaccess.h"

enum { SHOWN = 32 };
#define N(x) \
  { x, #x }

static void put_statfs(FILE *f, const struct i386_statfs64 *s) {
  static const struct strace_name types[] = {N(PROC_SUPER_MAGIC),
                                             {EXT4_SUPER_MAGIC, "EXT2_SUPER_MAGIC"},
                                             N(TMPFS_MAGIC),
                                             N(SYSFS_MAGIC),
                                             N(DEVPTS_SUPER_MAGIC),
                                             N(OVERLAYFS_SUPER_MAGIC),
                                             N(PIPEFS_MAGIC),
                                             N(SOCKFS_MAGIC),
                                             N(BTRFS_SUPER_MAGIC),
                                             N(NFS_SUPER_MAGIC),
                                             N(CGROUP_SUPER_MAGIC),
                                             N(CGROUP2_SUPER_MAGIC),
                                             N(RAMFS_MAGIC),
                                             N(SQUASHFS_MAGIC),
                                             N(DEBUGFS_MAGIC),
                                             N(TRACEFS_MAGIC),
                                             N(HUGETLBFS_MAGIC),
                                             N(ISOFS_SUPER_MAGIC),
                                             N(MSDOS_SUPER_MAGIC),
                                             N(REISERFS_SUPER_MAGIC),
                                             N(ANON_INODE_FS_MAGIC),
                                             N(NSFS_MAGIC),
                                             N(BPF_FS_MAGIC),
                                             {0x58465342, "XFS_SUPER_MAGIC"},
                                             {0x65735546, "FUSE_SUPER_MAGIC"}};
  static const struct strace_name flags[] = {
      {0x20, "ST_VALID"},        N(ST_RDONLY),   N(ST_NOSUID),  N(ST_NODEV),      N(ST_NOEXEC),
      N(ST_SYNCHRONOUS),         N(ST_MANDLOCK), N(ST_NOATIME), N(ST_NODIRATIME), N(ST_RELATIME),
      {0x2000, "ST_NOSYMFOLLOW"}};
  fputs("{f_type=", f);
  STRACE_VALUE(f, types, s->f_type, NULL);
  fprintf(f, ", f_bsize=%u, f_blocks=%" PRIu64 ", f_bfree=%" PRIu64 ", f_bavail=%" PRIu64, s->f_bsize,
          (u64)s->f_blocks, (u64)s->f_bfree, (u64)s->f_bavail);
  fprintf(f, ", f_files=%" PRIu64 ", f_ffree=%" PRIu64 ", f_fsid={val=[%#x, %#x]}", (u64)s->f_files,
          (u64)s->f_ffree, (u32)s->f_fsid[0], (u32)s->f_fsid[1]);
  fprintf(f, ", f_namelen=%u, f_frsize=%u, f_flags=", s->f_namelen, s->f_frsize);
  STRACE_FLAGS(f, flags, s->f_flags, "0");
  fputc('}', f);
}

/* The three layouts have the same fields in different widths; `id` is f_fsid's two words. */
#define WIDEST_STATFS(s, id)                                                                                 \
  ((struct i386_statfs64){.f_type = (u32)(s).f_type, .f_bsize = (u32)(s).f_bsize, .f_blocks = (s).f_blocks,    \
                          .f_bfree = (s).f_bfree, .f_bavail = (s).f_bavail, .f_files = (s).f_files,            \
                          .f_ffree = (s).f_ffree, .f_fsid = {(id)[0], (id)[1]},                                \
                          .f_namelen = (u32)(s).f_namelen, .f_frsize = (u32)(s).f_frsize,                      \
                          .f_flags = (u32)(s).f_flags})

static int read_statfs(const struct strace_call *c, u64 addr, struct i386_statfs64 *w) {
  struct statfs s;
  struct i386_statfs n;
  if (strstr(c->row->name, "64")) return ua_read(c->t, w, addr, sizeof *w);
  if (c->t->compat) {
    if (ua_read(c->t, &n, addr, sizeof n)) return -1;
    *w = WIDEST_STATFS(n, n.f_fsid);
  } else {
    if (ua_read(c->t, &s, addr, sizeof s)) return -1;
    *w = WIDEST_STATFS(s, s.f_fsid.__val);
  }
  return 0;
}

static int put_sysinfo(const struct strace_call *c, u64 addr) {
  struct sysinfo s;
  struct i386_sysinfo n;
  if (c->t->compat) {
    if (ua_read(c->t, &n, addr, sizeof n)) return -1;
    s = (struct sysinfo){.uptime = n.uptime,
                         .loads = {n.loads[0], n.loads[1], n.loads[2]},
                         .totalram = n.totalram,
                         .freeram = n.freeram,
                         .sharedram = n.sharedram,
                         .bufferram = n.bufferram,
                         .totalswap = n.totalswap,
                         .freeswap = n.freeswap,
                         .procs = n.procs,
                         .totalhigh = n.totalhigh,
                         .freehigh = n.freehigh,
                         .mem_unit = n.mem_unit};
  } else if (ua_read(c->t, &s, addr, sizeof s)) {
    return -1;
  }
  fprintf(c->f, "{uptime=%ld, loads=[%lu, %lu, %lu], totalram=%lu, freeram=%lu, sharedram=%lu, bufferram=%lu",
          s.uptime, s.loads[0], s.loads[1], s.loads[2], s.totalram, s.freeram, s.sharedram, s.bufferram);
  fprintf(c->f, ", totalswap=%lu, freeswap=%lu, procs=%u, totalhigh=%lu, freehigh=%lu, mem_unit=%u}",
          s.totalswap, s.freeswap, s.procs, s.totalhigh, s.freehigh, s.mem_unit);
  return 0;
}

/* i386's first calls have identities of 16 bits. */
static bool narrow_ids(const struct strace_call *c) { return c->t->compat && !strstr(c->row->name, "32"); }

static int read_id(const struct strace_call *c, u64 addr, u64 k, u32 *id) {
  u16 narrow;
  if (!narrow_ids(c)) return ua_read32(c->t, id, addr + 4 * k);
  int r = ua_read16(c->t, &narrow, addr + 2 * k);
  *id = narrow == 0xffff ? ~UINT32_C(0) : narrow;
  return r;
}

static int put_id(const struct strace_call *c, u64 addr) {
  u32 id;
  if (read_id(c, addr, 0, &id)) return -1;
  fprintf(c->f, "[%d]", (s32)id);
  return 0;
}

static int put_ids(const struct strace_call *c, u64 addr, u64 count) {
  u32 id;
  if (count > 65536) return -1;
  fputc('[', c->f);
  for (u64 k = 0; k < count && k < SHOWN; k++) {
    if (read_id(c, addr, k, &id)) return -1;
    fprintf(c->f, "%s%d", k ? ", " : "", (s32)id);
  }
  fputs(count > SHOWN ? ", ...]" : "]", c->f);
  return 0;
}

static int put_processors(const struct strace_call *c, u64 addr, u64 bytes) {
  enum { BYTES_MAX = 8192 };
  const char *sep = "";
  u8 byte;
  fputc('[', c->f);
  for (u64 k = 0; k < bytes && k < BYTES_MAX; k++) {
    if (ua_read8(c->t, &byte, addr + k)) return -1;
    for (unsigned bit = 0; bit < 8; bit++) {
      if (!(byte >> bit & 1)) continue;
      fprintf(c->f, "%s%" PRIu64, sep, k * 8 + bit);
      sep = " ";
    }
  }
  fputc(']', c->f);
  return 0;
}

/* mincore's vector: a byte for each page of the call's second argument. */
static int put_pages(const struct strace_call *c, u64 addr, u64 bytes) {
  u64 pages = (bytes >> 12) + !!(bytes & 4095);
  u8 in;
  fputc('[', c->f);
  for (u64 k = 0; k < pages && k < SHOWN; k++) {
    if (ua_read8(c->t, &in, addr + k)) return -1;
    fprintf(c->f, "%s%u", k ? ", " : "", in & 1);
  }
  fputs(pages > SHOWN ? ", ...]" : "]", c->f);
  return 0;
}

int strace_system_struct(const struct strace_call *c, char letter, unsigned word) {
  u64 v = c->a[word], before = word ? c->a[word - 1] : 0;
  bool get = !strncmp(c->row->name, "get", 3) || strstr(c->row->name, "_get");
  struct i386_statfs64 fs;
  switch (letter) {
    case '(':
      if (read_statfs(c, v, &fs)) return -1;
      put_statfs(c->f, &fs);
      return 0;
    case '!': return put_sysinfo(c, v);
    case ':': return put_id(c, v);
    case '[': return put_ids(c, v, get ? (u64)c->ret : (u32)before);
    case ';': return put_processors(c, v, get ? (u64)c->ret : (u32)before);
    case '?': return put_pages(c, v, before);
    default: return -1;
  }
}
