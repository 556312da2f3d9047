/* Small ELF programs made in memory, of either width, for the tests of the loader and its comparison with the
 * running kernel: System V gABI chapters 4 and 5. */
#ifndef TESTS_UNIT_MAKE_ELF_H
#define TESTS_UNIT_MAKE_ELF_H

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/types.h"

#define MADE_MAX 0x8000
#define MADE_PHDRS 12
#define MADE_CODE 0x400 /* where the code lies in the file */
#define MADE_BASE UINT64_C(0x400000)

/* What make_elf_bytes writes out: headers in their 64-bit form, whatever the width. */
struct made {
  unsigned bits;
  Elf64_Ehdr eh;
  Elf64_Phdr ph[MADE_PHDRS];
  unsigned nph;
  u8 bytes[MADE_MAX];
  size_t size;
};

/* A program of one R-X segment that covers the file from 0 to 0x1000 and exits with status 42. */
static inline void make_elf(struct made *m, unsigned bits) {
  /* mov $60,%eax; mov $42,%edi; syscall   and   mov $1,%eax; mov $42,%ebx; int $0x80 */
  static const u8 exit64[] = {0xb8, 60, 0, 0, 0, 0xbf, 42, 0, 0, 0, 0x0f, 0x05};
  static const u8 exit32[] = {0xb8, 1, 0, 0, 0, 0xbb, 42, 0, 0, 0, 0xcd, 0x80};
  memset(m, 0, sizeof *m);
  m->bits = bits;
  memcpy(m->eh.e_ident, ELFMAG, SELFMAG);
  m->eh.e_ident[EI_CLASS] = bits == 64 ? ELFCLASS64 : ELFCLASS32;
  m->eh.e_ident[EI_DATA] = ELFDATA2LSB;
  m->eh.e_ident[EI_VERSION] = EV_CURRENT;
  m->eh.e_type = ET_EXEC;
  m->eh.e_machine = bits == 64 ? EM_X86_64 : EM_386;
  m->eh.e_version = EV_CURRENT;
  m->eh.e_entry = MADE_BASE + MADE_CODE;
  m->eh.e_ehsize = bits == 64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
  m->eh.e_phoff = m->eh.e_ehsize;
  m->eh.e_phentsize = bits == 64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
  m->nph = 2;
  m->ph[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = MADE_BASE, .p_filesz = 0x1000,
                          .p_memsz = 0x1000, .p_align = 0x1000};
  m->ph[1] = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W};
  m->eh.e_phnum = 2;
  m->size = 0x1000;
  memcpy(m->bytes + MADE_CODE, bits == 64 ? exit64 : exit32, sizeof exit64);
}

static inline void made_add(struct made *m, Elf64_Phdr p) {
  m->ph[m->nph++] = p;
  m->eh.e_phnum++;
}

/* Puts the headers into the bytes; fields too wide for ELF32 are cut. */
static inline void made_finish(struct made *m) {
  Elf32_Ehdr e = {.e_type = m->eh.e_type,
                  .e_machine = m->eh.e_machine,
                  .e_version = m->eh.e_version,
                  .e_entry = (u32)m->eh.e_entry,
                  .e_phoff = (u32)m->eh.e_phoff,
                  .e_shoff = (u32)m->eh.e_shoff,
                  .e_ehsize = m->eh.e_ehsize,
                  .e_phentsize = m->eh.e_phentsize,
                  .e_phnum = m->eh.e_phnum,
                  .e_shentsize = m->eh.e_shentsize,
                  .e_shnum = m->eh.e_shnum,
                  .e_shstrndx = m->eh.e_shstrndx};
  memcpy(e.e_ident, m->eh.e_ident, EI_NIDENT);
  if (m->bits == 64) memcpy(m->bytes, &m->eh, sizeof m->eh);
  else memcpy(m->bytes, &e, sizeof e);
  for (unsigned i = 0; i < m->nph; i++) {
    const Elf64_Phdr *p = &m->ph[i];
    Elf32_Phdr q = {.p_type = p->p_type,
                    .p_offset = (u32)p->p_offset,
                    .p_vaddr = (u32)p->p_vaddr,
                    .p_filesz = (u32)p->p_filesz,
                    .p_memsz = (u32)p->p_memsz,
                    .p_flags = p->p_flags,
                    .p_align = (u32)p->p_align};
    if (m->bits == 64) memcpy(m->bytes + sizeof(Elf64_Ehdr) + i * sizeof *p, p, sizeof *p);
    else memcpy(m->bytes + sizeof(Elf32_Ehdr) + i * sizeof q, &q, sizeof q);
  }
}

/* Writes n bytes as an executable file. */
static inline bool write_program(const char *path, const void *bytes, size_t n) {
  FILE *f = fopen(path, "w");
  if (!f) return false;
  bool ok = fwrite(bytes, 1, n, f) == n;
  ok = !fclose(f) && ok;
  return ok && !chmod(path, 0755);
}

#endif
