/* Flat boot images: reading the file, ROMs and boot sectors. SDM 3A 9.1.4 (First Instruction Executed). */
#include "loader/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/refuse.h"

static int read_all(int fd, u8 *to, size_t n) {
  for (size_t at = 0; at < n;) {
    ssize_t got = read(fd, to + at, n - at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) return -EIO;
    at += (size_t)got;
  }
  return 0;
}

static int take(struct boot_image *img, int fd, const struct complaint *c) {
  struct stat st;
  if (fstat(fd, &st)) return ldr_complain(c, errno, "%m");
  if (!S_ISREG(st.st_mode)) return ldr_complain(c, EACCES, "not a regular file; name a boot image");
  if (st.st_size == 0) return ldr_complain(c, ENOEXEC, "empty file, nothing to boot");
  if ((u64)st.st_size > BOOT_MAX_FILE)
    return ldr_complain(c, EFBIG, "too big: a boot image has at most %u MiB", (unsigned)(BOOT_MAX_FILE >> 20));
  img->size = (u32)st.st_size;
  img->bytes = malloc(img->size);
  img->name = strdup(c->name);
  if (!img->bytes || !img->name) return ldr_complain(c, ENOMEM, "out of memory");
  int e = read_all(fd, img->bytes, img->size);
  if (e) {
    errno = -e;
    return ldr_complain(c, -e, "cannot be read: %m");
  }
  return 0;
}

int boot_open(const char *path, struct boot_image *img, char *err, size_t errsz) {
  struct complaint c = {path, err, errsz};
  memset(img, 0, sizeof *img);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return ldr_complain(&c, errno, "%m");
  int e = take(img, fd, &c);
  close(fd);
  if (e) boot_close(img);
  return e;
}

int boot_from_memory(const void *buf, size_t n, const char *name, struct boot_image *img, char *err, size_t errsz) {
  struct complaint c = {name, err, errsz};
  memset(img, 0, sizeof *img);
  if (n == 0) return ldr_complain(&c, ENOEXEC, "empty file, nothing to boot");
  if (n > BOOT_MAX_FILE)
    return ldr_complain(&c, EFBIG, "too big: a boot image has at most %u MiB", (unsigned)(BOOT_MAX_FILE >> 20));
  img->size = (u32)n;
  img->bytes = malloc(n);
  img->name = strdup(name);
  if (!img->bytes || !img->name) {
    boot_close(img);
    return ldr_complain(&c, ENOMEM, "out of memory");
  }
  memcpy(img->bytes, buf, n);
  return 0;
}

void boot_close(struct boot_image *img) {
  free(img->bytes);
  free(img->name);
  memset(img, 0, sizeof *img);
}

/* Its last byte lies at FFFFFFFFh, and at FFFFFh. */
int boot_as_rom(struct boot_image *img, char *err, size_t errsz) {
  struct complaint c = {img->name, err, errsz};
  if (img->size >= 4 && !memcmp(img->bytes, "\177ELF", 4))
    return ldr_complain(&c, ENOEXEC, "an ELF file without a multiboot header in its first 8192 bytes; "
                                     "'ringwalk run' runs Linux programs");
  if (img->size > BOOT_ROM_MAX)
    return ldr_complain(&c, ENOEXEC, "%u bytes are too big for a ROM, which has at most 65536; "
                                     "give --at ADDR to place a flat image elsewhere", img->size);
  if (img->size < 16)
    return ldr_complain(&c, ENOEXEC, "truncated: a ROM ends with the reset vector's 16 bytes, this has %u",
                        img->size);
  img->kind = BOOT_ROM;
  img->entry = 0xfffffff0;
  img->part[0] = (struct boot_part){0x100000 - img->size, 0, img->size, img->size};
  img->parts = 1;
  return 0;
}

int boot_as_flat(struct boot_image *img, u32 at, char *err, size_t errsz) {
  struct complaint c = {img->name, err, errsz};
  if (at >= BOOT_LOW_END || BOOT_LOW_END - at < img->size)
    return ldr_complain(&c, ENOEXEC, "%u bytes at %Xh do not fit below %Xh, where a real-mode machine's memory ends",
                        img->size, at, BOOT_LOW_END);
  img->kind = BOOT_FLAT;
  img->entry = at;
  img->part[0] = (struct boot_part){at, 0, img->size, img->size};
  img->parts = 1;
  return 0;
}
