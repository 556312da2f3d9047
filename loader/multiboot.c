/* Multiboot 1 kernels: the header, and the parts to load, from ELF's program headers or from the header's own
 * address fields. The Multiboot Specification version 0.6.96, 3.1 (OS image format). */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "loader/boot.h"
#include "loader/refuse.h"

enum { MB_SEARCH = 8192 };
#define MB_MAGIC 0x1badb002u
#define MB_VIDEO (UINT32_C(1) << 2)
#define MB_ADDRESSES (UINT32_C(1) << 16)
#define MB_REQUIRED UINT32_C(0xffff) /* flags that a loader must understand */
#define MB_KNOWN UINT32_C(0x3)       /* of these: modules on pages, memory information */

struct header {
  u32 magic, flags, checksum;
  u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr; /* with MB_ADDRESSES */
};
enum { HEADER_SHORT = 12, HEADER_LONG = 32 };

/* 4-byte aligned, wholly in the first 8192 bytes. Returns its offset, or -1. */
static s64 find_header(const struct boot_image *img, struct header *h) {
  u32 end = img->size < MB_SEARCH ? img->size : MB_SEARCH;
  for (u32 at = 0; at + HEADER_SHORT <= end; at += 4) {
    memset(h, 0, sizeof *h);
    memcpy(h, img->bytes + at, HEADER_SHORT);
    if (h->magic != MB_MAGIC || h->magic + h->flags + h->checksum) continue;
    if ((h->flags & MB_ADDRESSES) && at + HEADER_LONG <= end) memcpy(h, img->bytes + at, HEADER_LONG);
    return at;
  }
  return -1;
}

bool boot_is_multiboot(const struct boot_image *img) {
  struct header h;
  return find_header(img, &h) >= 0;
}

static int add_part(struct boot_image *img, const struct boot_part *p, const struct complaint *c) {
  if (!p->memsz) return 0;
  if (img->parts == BOOT_MAX_PARTS)
    return ldr_complain(c, ENOEXEC, "more than %u segments to load", BOOT_MAX_PARTS);
  if (p->filesz > p->memsz)
    return ldr_complain(c, ENOEXEC, "damaged: a segment of %u bytes in the file and %u in memory", p->filesz, p->memsz);
  if (p->off > img->size || img->size - p->off < p->filesz)
    return ldr_complain(c, ENOEXEC, "truncated: a segment's %u bytes at offset %u lie beyond the end (%u)", p->filesz,
                        p->off, img->size);
  if (p->addr + (p->memsz - 1) < p->addr)
    return ldr_complain(c, ENOEXEC, "damaged: a segment of %u bytes at %Xh passes 4 GiB", p->memsz, p->addr);
  for (unsigned k = 0; k < img->parts; k++) {
    const struct boot_part *o = &img->part[k];
    if (p->addr <= o->addr + (o->memsz - 1) && o->addr <= p->addr + (p->memsz - 1))
      return ldr_complain(c, ENOEXEC, "damaged: segments at %Xh and %Xh overlap", o->addr, p->addr);
  }
  img->part[img->parts++] = *p;
  return 0;
}

/* 3.1.3 (The address fields of Multiboot header) */
static int load_addresses(struct boot_image *img, const struct header *h, u32 at, const struct complaint *c) {
  u32 before = h->header_addr - h->load_addr; /* bytes of the file, from load_addr on, ahead of the header */
  if (at + HEADER_LONG > img->size || at + HEADER_LONG > MB_SEARCH)
    return ldr_complain(c, ENOEXEC, "truncated: the multiboot header's address fields are cut off");
  if (h->load_addr > h->header_addr || before > at)
    return ldr_complain(c, ENOEXEC, "damaged multiboot header: load_addr %Xh, header_addr %Xh, found at offset %u",
                        h->load_addr, h->header_addr, at);
  struct boot_part p = {.addr = h->load_addr, .off = at - before};
  p.filesz = h->load_end_addr ? h->load_end_addr - h->load_addr : img->size - p.off;
  p.memsz = h->bss_end_addr ? h->bss_end_addr - h->load_addr : p.filesz;
  if (h->load_end_addr && h->load_end_addr < h->load_addr)
    return ldr_complain(c, ENOEXEC, "damaged multiboot header: load_end_addr %Xh lies below load_addr %Xh",
                        h->load_end_addr, h->load_addr);
  if (h->bss_end_addr && (h->bss_end_addr < h->load_addr || p.memsz < p.filesz))
    return ldr_complain(c, ENOEXEC, "damaged multiboot header: bss_end_addr %Xh lies inside the file's part",
                        h->bss_end_addr);
  img->entry = h->entry_addr;
  return add_part(img, &p, c);
}

static int check_elf(const struct boot_image *img, const Elf32_Ehdr *eh, const struct complaint *c) {
  if (img->size < sizeof *eh || memcmp(img->bytes, ELFMAG, SELFMAG))
    return ldr_complain(c, ENOEXEC, "a multiboot header without address fields (flags bit 16), in a file "
                                    "that is not ELF");
  if (eh->e_ident[EI_CLASS] == ELFCLASS64)
    return ldr_complain(c, ENOEXEC, "a 64-bit ELF file: multiboot 1 loads 32-bit ones; "
                                    "use objcopy -O elf32-i386, or the header's address fields");
  if (eh->e_ident[EI_CLASS] != ELFCLASS32 || eh->e_ident[EI_DATA] != ELFDATA2LSB || eh->e_machine != EM_386)
    return ldr_complain(c, ENOEXEC, "an ELF file, but not for i386");
  if (eh->e_type != ET_EXEC)
    return ldr_complain(c, ENOEXEC, "ELF type %u, not an executable; link it without -r, -shared or -pie", eh->e_type);
  if (eh->e_phentsize != sizeof(Elf32_Phdr) || eh->e_phnum == 0 || eh->e_phnum == PN_XNUM)
    return ldr_complain(c, ENOEXEC, "damaged: %u program headers of %u bytes", eh->e_phnum, eh->e_phentsize);
  if (eh->e_phoff > img->size || (img->size - eh->e_phoff) / sizeof(Elf32_Phdr) < eh->e_phnum)
    return ldr_complain(c, ENOEXEC, "truncated: the program headers lie beyond the end");
  return 0;
}

static int load_elf(struct boot_image *img, const struct complaint *c) {
  Elf32_Ehdr eh = {0};
  memcpy(&eh, img->bytes, img->size < sizeof eh ? img->size : sizeof eh);
  int e = check_elf(img, &eh, c);
  for (unsigned k = 0; !e && k < eh.e_phnum; k++) {
    Elf32_Phdr ph;
    memcpy(&ph, img->bytes + eh.e_phoff + k * sizeof ph, sizeof ph);
    if (ph.p_type != PT_LOAD) continue;
    e = add_part(img, &(struct boot_part){ph.p_paddr, ph.p_offset, ph.p_filesz, ph.p_memsz}, c);
  }
  if (!e && !img->parts) e = ldr_complain(c, ENOEXEC, "no segment to load");
  img->entry = eh.e_entry;
  return e;
}

int boot_as_multiboot(struct boot_image *img, char *err, size_t errsz) {
  struct complaint c = {img->name, err, errsz};
  struct header h;
  s64 at = find_header(img, &h);
  img->parts = 0;
  if (at < 0)
    return ldr_complain(&c, ENOEXEC, "no multiboot header (1BADB002h, 4-byte aligned, with a right checksum) in the "
                                     "first 8192 bytes");
  if (h.flags & MB_VIDEO)
    return ldr_complain(&c, ENOEXEC, "asks for a video mode (flags bit 2), and there is no video");
  if (h.flags & MB_REQUIRED & ~MB_KNOWN)
    return ldr_complain(&c, ENOEXEC, "requires what multiboot 0.6.96 does not define (flags %Xh)", h.flags);
  img->kind = BOOT_MULTIBOOT;
  img->mb_flags = h.flags;
  int e = h.flags & MB_ADDRESSES ? load_addresses(img, &h, (u32)at, &c) : load_elf(img, &c);
  if (e) return e;
  for (unsigned k = 0; k < img->parts; k++)
    if (img->entry - img->part[k].addr < img->part[k].memsz) return 0;
  return ldr_complain(&c, ENOEXEC, "the entry point %Xh lies outside every segment", img->entry);
}
