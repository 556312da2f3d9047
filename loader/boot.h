/* Images that a bare machine boots, as pure data: flat real-mode images, and multiboot 1 kernels (The Multiboot
 * Specification version 0.6.96, 3.1 OS image format; System V gABI chapter 5, Program Header, for ELF). */
#ifndef LOADER_BOOT_H
#define LOADER_BOOT_H

#include "base/types.h"

enum boot_kind {
  BOOT_ROM,       /* 64 KiB or less, ends with the reset vector */
  BOOT_FLAT,      /* to be placed at `entry` and started there in real mode */
  BOOT_MULTIBOOT, /* started in 32-bit protected mode */
};

/* filesz bytes from `off` in the file go to physical address addr; zeros follow, memsz bytes in all. */
struct boot_part {
  u32 addr, off, filesz, memsz;
};

enum { BOOT_MAX_PARTS = 64, BOOT_ROM_MAX = 0x10000 };
#define BOOT_MAX_FILE (UINT64_C(256) << 20)
#define BOOT_LOW_END 0xa0000u /* where memory that flat images may use ends */

struct boot_image {
  char *name;
  u8 *bytes;
  u32 size;
  enum boot_kind kind;
  u32 entry;    /* physical */
  u32 mb_flags; /* the multiboot header's */
  struct boot_part part[BOOT_MAX_PARTS]; /* memsz > 0; not overlapping */
  unsigned parts;
};

/* Reads the file at path. 0, or a negative errno value and one line in err; *img is then empty. */
MUST_CHECK int boot_open(const char *path, struct boot_image *img, char *err, size_t errsz);
/* Copies n bytes instead. */
MUST_CHECK int boot_from_memory(const void *buf, size_t n, const char *name, struct boot_image *img, char *err,
                                size_t errsz);
void boot_close(struct boot_image *img);

/* Is there a multiboot 1 header? */
bool boot_is_multiboot(const struct boot_image *img);

/* Each decides what the image is, and fills the rest. 0, or -ENOEXEC and one line: what is wrong, what to do. */
MUST_CHECK int boot_as_rom(struct boot_image *img, char *err, size_t errsz);
MUST_CHECK int boot_as_flat(struct boot_image *img, u32 at, char *err, size_t errsz);
MUST_CHECK int boot_as_multiboot(struct boot_image *img, char *err, size_t errsz);

#endif
