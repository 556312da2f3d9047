/* Boot protocols: where each kind of image goes, and the processor's state at its first instruction.
 * SDM 3A 9.1.4 (First Instruction Executed); the BIOS's hand-over to a boot sector; The Multiboot Specification
 * version 0.6.96, 3.2 (Machine state), 3.3 (Boot information format). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "machine/devices.h"

enum {
  MB_LOADED = 0x2badb002,
  MB_HAS_MEMORY = 1 << 0, MB_HAS_CMDLINE = 1 << 2, MB_HAS_MMAP = 1 << 6, MB_HAS_LOADER_NAME = 1 << 9,
  VECTORS_SIZE = 0x400, BIOS_SEGMENT = 0xf000, FIRST_DRIVE = 0x80,
};

/* 3.3: the structure, of which the flags say what is filled in. */
struct mb_info {
  u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr,
      drives_length, drives_addr, config_table, boot_loader_name, apm_table;
};
/* size does not count itself. */
struct mb_mmap {
  u32 size, base_low, base_high, length_low, length_high, type;
};

PRINTF_LIKE(3, 4) static int refuse(char *err, size_t n, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(err, n, fmt, ap);
  va_end(ap);
  return -1;
}

/* ---- ROMs ---- */

static void boot_rom(struct machine *m, const struct boot_image *img) {
  memcpy(m->rom + BOOT_ROM_MAX - img->size, img->bytes, img->size);
}

/* ---- flat images ---- */

static void set_real_segment(struct seg *s, u16 sel) {
  s->sel = sel;
  s->base = (u64)sel << 4;
}

/* As a BIOS leaves the machine, but without one: every vector leads to a HLT at F000:vector, and interrupts are off. */
static void boot_flat(struct machine *m, const struct boot_image *img) {
  struct cpu *cpu = m->cpu;
  u32 at = img->entry;
  memset(m->rom, 0xf4, BOOT_ROM_MAX);
  m->trap_bios = true;
  for (u32 vector = 0; vector < VECTORS_SIZE / 4; vector++) {
    u32 far_pointer = (u32)BIOS_SEGMENT << 16 | vector;
    memcpy(m->ram + 4 * vector, &far_pointer, 4);
  }
  memcpy(m->ram + at, img->bytes, img->size);
  set_real_segment(&cpu->seg[CS], at > 0xffff ? (u16)(at >> 4) : 0);
  cpu->rip = at > 0xffff ? at & 0xf : at;
  cpu->idtr.limit = VECTORS_SIZE - 1;
  cpu->gpr[RSP] = at > VECTORS_SIZE && at <= 0xffff ? at & ~1u : 0xfffe;
  cpu->gpr[RDX] = FIRST_DRIVE;
  cpu->cr0 = CR0_ET; /* caches on */
  cpu_update_mode(cpu);
}

/* ---- multiboot ---- */

static bool ram_at(const struct machine *m, u32 addr, u32 size) {
  u64 end = (u64)addr + size;
  return end <= BOOT_LOW_END || (addr >= 0x100000 && end <= m->mem);
}

static int load_parts(struct machine *m, const struct boot_image *img, char *err, size_t errsz) {
  for (unsigned k = 0; k < img->parts; k++) {
    const struct boot_part *p = &img->part[k];
    if (!ram_at(m, p->addr, p->memsz))
      return refuse(err, errsz, "%s: a segment of %u bytes at %Xh lies outside memory (0-%Xh, 100000h-%llXh); "
                    "--mem SIZE gives more", img->name, p->memsz, p->addr, BOOT_LOW_END - 1,
                    (unsigned long long)m->mem - 1);
    memcpy(m->ram + p->addr, img->bytes + p->off, p->filesz);
  }
  return 0;
}

/* The highest page-aligned place below the end of low memory where the kernel is not. 0: none. */
static u32 free_low(const struct boot_image *img, u32 size) {
  for (u32 at = (BOOT_LOW_END - size) & ~0xfffu; at >= 0x1000; at -= 0x1000) {
    bool clear = true;
    for (unsigned k = 0; k < img->parts; k++) {
      const struct boot_part *p = &img->part[k];
      if (p->addr < at + size && at <= p->addr + (p->memsz - 1)) clear = false;
    }
    if (clear) return at;
  }
  return 0;
}

/* One block: the structure, the memory map, the loader's name, the command line. */
static int put_info(struct machine *m, const struct boot_image *img, const char *cmdline, u32 *where, char *err,
                    size_t errsz) {
  static const char loader[] = "ringwalk";
  u64 high = m->mem > 0x100000 ? m->mem - 0x100000 : 0;
  const struct mb_mmap map[] = {
      {sizeof map[0] - 4, 0, 0, BOOT_LOW_END, 0, 1},
      {sizeof map[0] - 4, 0x100000, 0, (u32)high, 0, 1},
  };
  size_t cmd = strlen(cmdline) + 1, size = sizeof(struct mb_info) + sizeof map + sizeof loader + cmd;
  if (cmd > 0x8000) return refuse(err, errsz, "--append: the command line is too long (%zu bytes)", cmd);
  u32 at = free_low(img, (u32)size);
  if (!at) return refuse(err, errsz, "%s: the kernel leaves no room below %Xh for the multiboot information", img->name,
                         BOOT_LOW_END);
  struct mb_info info = {
      .flags = MB_HAS_MEMORY | MB_HAS_CMDLINE | MB_HAS_MMAP | MB_HAS_LOADER_NAME,
      .mem_lower = BOOT_LOW_END >> 10,
      .mem_upper = (u32)(high >> 10),
      .mmap_length = high ? sizeof map : sizeof map[0],
  };
  u32 to = at + sizeof info;
  memcpy(m->ram + (info.mmap_addr = to), map, sizeof map);
  to += sizeof map;
  memcpy(m->ram + (info.boot_loader_name = to), loader, sizeof loader);
  to += sizeof loader;
  memcpy(m->ram + (info.cmdline = to), cmdline, cmd);
  memcpy(m->ram + at, &info, sizeof info);
  *where = at;
  return 0;
}

/* 3.2 (Machine state). The selectors' values are undefined, and so is GDTR: a kernel loads its own. */
static void flat_state(struct cpu *cpu, u32 entry, u32 info) {
  for (unsigned s = 0; s < SREG_COUNT; s++)
    cpu->seg[s] = (struct seg){.sel = 0x10, .limit = 0xffffffff,
                               .attr = SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED | SEG_DB | SEG_G};
  cpu->seg[CS].sel = 8;
  cpu->seg[CS].attr = SEG_P | SEG_S | SEG_CODE | SEG_READABLE | SEG_ACCESSED | SEG_DB | SEG_G;
  cpu->cr0 = CR0_PE | CR0_ET;
  cpu->gpr[RAX] = MB_LOADED;
  cpu->gpr[RBX] = info;
  cpu->gpr[RDX] = 0;
  cpu->rip = entry;
  cpu_update_mode(cpu);
}

static int boot_multiboot(struct machine *m, const struct boot_image *img, const char *cmdline, char *err,
                          size_t errsz) {
  u32 info = 0;
  if (load_parts(m, img, err, errsz) || put_info(m, img, cmdline, &info, err, errsz)) return -1;
  flat_state(m->cpu, img->entry, info);
  return 0;
}

int machine_boot(struct machine *m, const struct boot_image *img, const char *cmdline, char *err, size_t errsz) {
  machine_clear(m);
  switch (img->kind) {
    case BOOT_ROM: boot_rom(m, img); break;
    case BOOT_FLAT: boot_flat(m, img); break;
    case BOOT_MULTIBOOT: return boot_multiboot(m, img, cmdline ? cmdline : "", err, errsz);
  }
  return 0;
}
