/* The gdb stub's files: the program's own, and what gdb reads of /proc. Nothing else of this system, and nothing can
 * be written. GDB manual, E.7 (Host I/O Packets), E.13 (File-I/O Remote Protocol Extension: struct stat). */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "debugger/gdbstub_inside.h"

static void result(struct gdbstub *g, s64 v, int error) {
  if (v >= 0) gdb_put(g, "F%" PRIx64, (u64)v);
  else gdb_put(g, "F-1,%x", (unsigned)error);
}

/* ---- what there is ---- */

static void write_maps(struct gdbstub *g, FILE *f) {
  struct dbg_target *t = dbg_target(g->d);
  struct dbg_mapping m;
  for (unsigned k = 0; t->mapping && t->mapping(t->opaque, k, &m); k++) {
    if (strlen(m.prot) != 4) continue; /* the kernel's */
    fprintf(f, "%08" PRIx64 "-%08" PRIx64 " %s %08" PRIx64 " 00:00 0", m.lo, m.hi, m.prot, m.offset);
    fprintf(f, *m.name ? "          %s\n" : "\n", m.name);
  }
}

static bool open_text(struct gdbstub *g, struct gdb_file *file, void (*write)(struct gdbstub *g, FILE *f)) {
  FILE *f = open_memstream(&file->text, &file->size);
  if (!f) return false;
  write(g, f);
  return !fclose(f) && file->text;
}

static void write_name(struct gdbstub *g, FILE *f) {
  const char *name = dbg_target(g->d)->name;
  fputs(name ? name : "", f);
  fputc(0, f);
}

/* Is it /proc/PID/WHAT of the program? */
static bool is_proc(const struct gdbstub *g, const char *name, const char *what) {
  char path[64];
  const struct dbg_target *t = dbg_target(g->d);
  snprintf(path, sizeof path, "/proc/%d/%s", t->pid, what);
  if (!strcmp(name, path)) return true;
  snprintf(path, sizeof path, "/proc/%d/task/%d/%s", t->pid, t->tid, what);
  return !strcmp(name, path);
}

static bool open_file(struct gdbstub *g, struct gdb_file *file, const char *name) {
  if (dbg_target(g->d)->machine) return false;
  if (is_proc(g, name, "maps")) return open_text(g, file, write_maps);
  if (is_proc(g, name, "cmdline")) return open_text(g, file, write_name);
  if (!g->path || (strcmp(name, g->path) && !is_proc(g, name, "exe"))) return false;
  file->file = fopen(g->path, "re");
  return file->file;
}

/* ---- packets ---- */

static void close_one(struct gdb_file *f) {
  if (f->file) fclose(f->file);
  free(f->text);
  *f = (struct gdb_file){0};
}

void gdb_files_close(struct gdbstub *g) {
  for (unsigned k = 0; k < GDB_FILES; k++) close_one(&g->file[k]);
}

static struct gdb_file *by_number(struct gdbstub *g, struct gdb_text *t) {
  u64 n;
  return gdb_hex(t, &n) && n < GDB_FILES && g->file[n].open ? &g->file[n] : NULL;
}

/* open:HEXNAME,FLAGS,MODE */
static void open_packet(struct gdbstub *g, struct gdb_text *t) {
  char name[4096];
  u64 flags;
  size_t n = gdb_hex_bytes(t, (u8 *)name, sizeof name - 1);
  name[n] = 0;
  if (!gdb_char(t, ',') || !gdb_hex(t, &flags)) {
    result(g, -1, EINVAL);
    return;
  }
  unsigned k = 0;
  while (k < GDB_FILES && g->file[k].open) k++;
  if (k == GDB_FILES) result(g, -1, EMFILE);
  else if (flags & 3) result(g, -1, EROFS);
  else if (!open_file(g, &g->file[k], name)) close_one(&g->file[k]), result(g, -1, ENOENT);
  else g->file[k].open = true, result(g, k, 0);
}

/* pread:FD,COUNT,OFFSET */
static void pread_packet(struct gdbstub *g, struct gdb_text *t) {
  u8 buf[GDB_PACKET / 2];
  u64 n, offset;
  const struct gdb_file *f = by_number(g, t);
  size_t got = 0;
  if (!f || !gdb_char(t, ',') || !gdb_hex(t, &n) || !gdb_char(t, ',') || !gdb_hex(t, &offset) ||
      offset > INT64_MAX) {
    result(g, -1, f ? EINVAL : EBADF);
    return;
  }
  if (n > sizeof buf) n = sizeof buf;
  if (f->file && !fseeko(f->file, (off_t)offset, SEEK_SET)) got = fread(buf, 1, n, f->file);
  if (f->text && offset < f->size) {
    got = n < f->size - offset ? n : f->size - offset;
    memcpy(buf, f->text + offset, got);
  }
  result(g, (s64)got, 0);
  gdb_put(g, ";");
  gdb_put_binary(g, buf, got);
}

static void big_endian(u8 *to, u64 v, unsigned n) {
  while (n--) to[n] = (u8)v, v >>= 8;
}

/* Six words of 4 bytes, then size, block size and blocks of 8, and three times of 4. */
static void put_stat(struct gdbstub *g, const struct stat *st) {
  u8 buf[64] = {0};
  big_endian(buf + 8, st->st_mode, 4);
  big_endian(buf + 12, 1, 4);
  big_endian(buf + 28, (u64)st->st_size, 8);
  big_endian(buf + 36, 512, 8);
  big_endian(buf + 44, ((u64)st->st_size + 511) / 512, 8);
  big_endian(buf + 56, (u64)st->st_mtime, 4);
  result(g, sizeof buf, 0);
  gdb_put(g, ";");
  gdb_put_binary(g, buf, sizeof buf);
}

static void fstat_packet(struct gdbstub *g, struct gdb_text *t) {
  const struct gdb_file *f = by_number(g, t);
  struct stat st = {.st_mode = S_IFREG | 0444};
  if (f && !f->file) st.st_size = (off_t)f->size;
  if (!f || (f->file && fstat(fileno(f->file), &st))) result(g, -1, EBADF);
  else put_stat(g, &st);
}

static void close_packet(struct gdbstub *g, struct gdb_text *t) {
  struct gdb_file *f = by_number(g, t);
  if (f) close_one(f);
  result(g, f ? 0 : -1, EBADF);
}

static void readlink_packet(struct gdbstub *g, struct gdb_text *t) {
  char name[4096];
  name[gdb_hex_bytes(t, (u8 *)name, sizeof name - 1)] = 0;
  if (!g->path || !is_proc(g, name, "exe")) {
    result(g, -1, ENOENT);
    return;
  }
  result(g, (s64)strlen(g->path), 0);
  gdb_put(g, ";");
  gdb_put_binary(g, g->path, strlen(g->path));
}

void gdb_file_packet(struct gdbstub *g, struct gdb_text *t) {
  if (gdb_word(t, "setfs:")) result(g, 0, 0);
  else if (gdb_word(t, "open:")) open_packet(g, t);
  else if (gdb_word(t, "pread:")) pread_packet(g, t);
  else if (gdb_word(t, "fstat:")) fstat_packet(g, t);
  else if (gdb_word(t, "close:")) close_packet(g, t);
  else if (gdb_word(t, "readlink:")) readlink_packet(g, t);
}
