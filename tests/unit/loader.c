/* The loader on real programs, and on every kind of damage: System V gABI chapters 4 and 5. What it accepts
 * and how it lays out pages is also compared with the running kernel, in loader_native.c. */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loader/loader.h"
#include "tests/unit/make_elf.h"

static const unsigned widths[] = {32, 64};
#define FOR_WIDTH(w) for (unsigned w##_i = 0, w; w##_i < 2 && (w = widths[w##_i], true); w##_i++)

/* --- Damage --- */

static void expect_code(int got, int want, const char *err, const char *words) {
  ck_assert_msg(got == want, "code %d, expected %d: %s", got, want, err);
  ck_assert_msg(strstr(err, words) != NULL, "\"%s\" does not contain \"%s\"", err, words);
  ck_assert_msg(!strpbrk(err, "\n\r\t\x1b") && strstr(err, ": "), "not one line with a name: \"%s\"", err);
}

/* These bytes, copied to the end of an allocation of their size, must be refused so. */
static void refused_bytes(const void *bytes, size_t n, int code, const char *words) {
  struct image img;
  char err[256] = "";
  void *exact = malloc(n ? n : 1);
  ck_assert_ptr_nonnull(exact);
  memcpy(exact, bytes, n);
  expect_code(ldr_from_memory(exact, n, "made", &img, err, sizeof err), code, err, words);
  ck_assert_msg(!strncmp(err, "made: ", 6), "%s", err);
  ck_assert(img.fd == -1 && !img.seg && !img.name);
  ldr_close(&img);
  free(exact);
}

static void refused(struct made *m, int code, const char *words) {
  made_finish(m);
  refused_bytes(m->bytes, m->size, code, words);
}

static struct image accepted(struct made *m) {
  struct image img;
  char err[256] = "";
  made_finish(m);
  int e = ldr_from_memory(m->bytes, m->size, "made", &img, err, sizeof err);
  ck_assert_msg(!e, "refused: %s", err);
  return img;
}

START_TEST(not_elf) {
  refused_bytes("", 0, -ENOEXEC, "empty file");
  refused_bytes("\177EL", 3, -ENOEXEC, "not an ELF file");
  refused_bytes("hello, world\n", 13, -ENOEXEC, "not an ELF file");
  refused_bytes("#!/bin/sh\necho hi\n", 18, -ENOEXEC, "script (#!/bin/sh), not an ELF file; run");
  refused_bytes("#! \t/usr/bin/env perl -w", 24, -ENOEXEC, "script (#!/usr/bin/env)");
  refused_bytes("#!", 2, -ENOEXEC, "script (#!)");
  refused_bytes("#!/a\033[31m\nx", 11, -ENOEXEC, "script (#!/a?[31m)");
  refused_bytes("MZ\220\0", 4, -ENOEXEC, "Windows");
  refused_bytes("!<arch>\nabc", 11, -ENOEXEC, "library archive");
  refused_bytes("\xcf\xfa\xed\xfe", 4, -ENOEXEC, "Mach-O");
  refused_bytes("\x1f\x8b\b", 3, -ENOEXEC, "gzip");
  refused_bytes("PK\3\4", 4, -ENOEXEC, "zip archive");
}
END_TEST

START_TEST(foreign) {
  static const struct { u16 machine; const char *words; } rows[] = {
    {EM_AARCH64, "foreign machine aarch64; build it"},
    {EM_ARM, "foreign machine arm;"},
    {EM_RISCV, "foreign machine riscv;"},
    {258, "foreign machine loongarch;"},
    {0x7777, "foreign machine number 30583;"},
  };
  static struct made m;
  FOR_WIDTH(w) {
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
      make_elf(&m, w);
      m.eh.e_machine = rows[i].machine;
      refused(&m, -ENOEXEC, rows[i].words);
    }
    make_elf(&m, w);
    m.eh.e_ident[EI_DATA] = ELFDATA2MSB;
    m.eh.e_machine = __builtin_bswap16(EM_PPC64);
    refused(&m, -ENOEXEC, "foreign machine powerpc64, big-endian;");
    make_elf(&m, w);
    /* What Linux runs: any system's mark, and e_ident bytes that are code rather than a header. */
    m.eh.e_ident[EI_OSABI] = ELFOSABI_FREEBSD;
    struct image img = accepted(&m);
    ck_assert_uint_eq(img.osabi, ELFOSABI_FREEBSD);
    ldr_close(&img);
    memset(m.eh.e_ident + SELFMAG, 0x90, EI_NIDENT - SELFMAG);
    img = accepted(&m);
    ldr_close(&img);
  }
}
END_TEST

START_TEST(wrong_type) {
  static struct made m;
  FOR_WIDTH(w) {
    make_elf(&m, w);
    m.eh.e_type = ET_REL;
    refused(&m, -ENOEXEC, "relocatable object, not an executable; link it with -static");
    m.eh.e_type = ET_CORE;
    refused(&m, -ENOEXEC, "core dump, not an executable");
    m.eh.e_type = ET_NONE;
    refused(&m, -ENOEXEC, "ELF type 0, not an executable");
    m.eh.e_type = 0xfe00;
    refused(&m, -ENOEXEC, "ELF type 65024, not an executable");
  }
}
END_TEST

START_TEST(program_headers) {
  static struct made m;
  FOR_WIDTH(w) {
    make_elf(&m, w);
    m.eh.e_phentsize++;
    refused(&m, -ENOEXEC, "damaged: program headers of");
    make_elf(&m, w);
    m.eh.e_phnum = 0;
    refused(&m, -ENOEXEC, "no program headers");
    m.eh.e_phnum = PN_XNUM;
    refused(&m, -ENOEXEC, w == 64 ? "65535 program headers, Linux allows 1170" : "Linux allows 2048");
    m.eh.e_phnum = w == 64 ? 1171 : 2049;
    refused(&m, -ENOEXEC, "program headers, Linux allows");
    m.eh.e_phnum--;
    refused(&m, -ENOEXEC, "truncated: 655"); /* 65520 and 65536 bytes */
    make_elf(&m, w);
    m.eh.e_phoff = m.size - m.eh.e_phentsize;
    refused(&m, -ENOEXEC, "truncated:");
    m.eh.e_phoff = w == 64 ? UINT64_MAX - 8 : UINT32_MAX - 8;
    refused(&m, -ENOEXEC, "truncated:");
    make_elf(&m, w);
    m.ph[0].p_type = PT_NOTE;
    refused(&m, -ENOEXEC, "no PT_LOAD segment");
  }
  make_elf(&m, 64);
  m.eh.e_ident[EI_CLASS] = ELFCLASS32;
  m.eh.e_phentsize = 0;
  refused(&m, -ENOEXEC, "x32 program");
  make_elf(&m, 32);
  m.eh.e_ident[EI_CLASS] = ELFCLASS64;
  m.eh.e_phentsize = 56;
  refused(&m, -ENOEXEC, "machine i386 in a 64-bit ELF file");
}
END_TEST

START_TEST(bad_segments) {
  static struct made m;
  FOR_WIDTH(w) {
    u64 top = w == 64 ? UINT64_MAX : UINT32_MAX;
    make_elf(&m, w);
    m.ph[0].p_memsz = 0xfff;
    refused(&m, -EINVAL, "segment 0 has 4096 bytes in the file and only 4095 in memory");
    make_elf(&m, w);
    m.ph[0].p_offset = 0x10;
    refused(&m, -EINVAL, "misaligned: segment 0 has address 0x400000 and file offset 0x10,");
    make_elf(&m, w);
    m.ph[0].p_filesz = m.ph[0].p_memsz = 0x1001; /* a page that nobody needs to begin */
    struct image img = accepted(&m);
    ldr_close(&img);
    m.ph[0].p_flags |= PF_W;
    m.ph[0].p_memsz++; /* that must be cleared from its second byte on */
    refused(&m, -ENOEXEC, "truncated: segment 0 ends at byte 4097, file has 4096");
    m.ph[0].p_flags &= ~PF_W;
    m.eh.e_entry = m.ph[0].p_vaddr + 0x1000;
    refused(&m, -ENOEXEC, "truncated: segment 0 ends at byte 4097, file has 4096");
    make_elf(&m, w);
    m.ph[0].p_offset = 0x2000;
    refused(&m, -ENOEXEC, "truncated: segment 0 ends at byte 12288, file has 4096");
    make_elf(&m, w);
    m.ph[0].p_offset = top & ~UINT64_C(0xfff);
    if (w == 64) refused(&m, -EINVAL, "beyond the end of every file");
    else refused(&m, -ENOEXEC, "truncated: segment 0 ends at byte ");
    make_elf(&m, w);
    m.ph[0].p_memsz = top;
    refused(&m, -EINVAL, "segment 0, 0xfffff");
    m.ph[0].p_memsz = 0x1000;
    m.ph[0].p_vaddr = top & ~UINT64_C(0xfff);
    refused(&m, -EINVAL, "wraps around the address space");
    /* An empty segment on the last page could still not be rounded up. */
    make_elf(&m, w);
    made_add(&m, (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = top});
    refused(&m, -EINVAL, "segment 2, 0 bytes at 0xffff");
  }
}
END_TEST

START_TEST(interpreter) {
  static struct made m;
  FOR_WIDTH(w) {
    make_elf(&m, w);
    memcpy(m.bytes + 0x800, "/lib64/ld-linux-x86-64.so.2", 28);
    made_add(&m, (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 0x800, .p_filesz = 28, .p_memsz = 28});
    refused(&m, -ENOEXEC,
            "dynamically linked (needs /lib64/ld-linux-x86-64.so.2): not supported yet, link with -static");
    m.ph[2].p_filesz = 27;
    refused(&m, -ENOEXEC, "does not end in a zero byte");
    m.ph[2].p_filesz = 1;
    refused(&m, -ENOEXEC, "interpreter's name of 1 bytes");
    m.ph[2].p_filesz = 4097;
    refused(&m, -ENOEXEC, "interpreter's name of 4097 bytes");
    m.ph[2].p_filesz = 28;
    m.ph[2].p_offset = m.size - 27;
    refused(&m, -EIO, "truncated: interpreter's name");
    m.ph[2].p_offset = 0x800;
    memcpy(m.bytes + 0x800, "/lib\n\033x", 8);
    refused(&m, -ENOEXEC, "needs /lib??x)");
  }
}
END_TEST

/* A message is cut to the room it has, and none is needed. */
START_TEST(short_message) {
  struct image img;
  char err[16];
  memset(err, '#', sizeof err);
  ck_assert_int_eq(ldr_from_memory("x", 1, "name\nline", &img, err, 12), -ENOEXEC);
  ck_assert_str_eq(err, "name?line: ");
  ck_assert_int_eq(err[12], '#');
  ck_assert_int_eq(ldr_from_memory("x", 1, "a long name of a file", &img, err, 5), -ENOEXEC);
  ck_assert_str_eq(err, "a lo");
  ck_assert_int_eq(ldr_from_memory("x", 1, "n", &img, NULL, 0), -ENOEXEC);
  ck_assert_int_eq(ldr_from_memory(NULL, 0, "n", &img, NULL, 0), -ENOEXEC);
}
END_TEST

/* --- Layout --- */

START_TEST(plain_layout) {
  static struct made m;
  FOR_WIDTH(w) {
    make_elf(&m, w);
    struct image img = accepted(&m);
    ck_assert_uint_eq(img.bits, w);
    ck_assert(!img.pie && !img.interp && !img.tls.present && img.stack == LDR_STACK_NOEXEC);
    ck_assert_uint_eq(img.entry, 0x400400);
    ck_assert_uint_eq(img.phdr, w == 64 ? 0x400040 : 0x400034);
    ck_assert_uint_eq(img.phent, w == 64 ? 56 : 32);
    ck_assert_uint_eq(img.phnum, 2);
    ck_assert_uint_eq(img.nseg, 1);
    ck_assert_uint_eq(img.lo, 0x400000);
    ck_assert_uint_eq(img.hi, 0x401000);
    ck_assert_uint_eq(img.brk, 0x401000);
    ck_assert_uint_eq(img.span, 0x1000);
    ck_assert_uint_eq(img.align, 0x1000);
    u8 b[4];
    ck_assert_int_eq(ldr_read(&img, 0xffc, b, 4), 0);
    ck_assert_int_eq(ldr_read(&img, 0xffd, b, 4), -EIO);
    ck_assert_int_eq(ldr_read(&img, UINT64_MAX, b, 4), -EIO);
    ldr_close(&img);
    ldr_close(&img);
  }
}
END_TEST

/* Every way in which a segment ends: in its last file page, at its end, beyond it; and without file bytes. */
START_TEST(bss_layout) {
  enum { RW = PF_R | PF_W, RX = PF_R | PF_X };
  static const struct {
    u64 vaddr, offset, filesz, memsz;
    u32 flags;
    u64 file_lo, file_hi, file_off, zero_lo, zero_hi, anon_lo, anon_hi;
  } rows[] = {
    {0x600010, 0x10, 0x20, 0x20, RW, 0x600000, 0x601000, 0, 0x600000, 0x600000, 0x601000, 0x601000},
    {0x600010, 0x10, 0x20, 0x30, RW, 0x600000, 0x601000, 0, 0x600030, 0x601000, 0x601000, 0x601000},
    {0x600010, 0x10, 0x20, 0x1000, RW, 0x600000, 0x601000, 0, 0x600030, 0x601000, 0x601000, 0x602000},
    {0x600010, 0x10, 0x20, 0x1000, PF_R, 0x600000, 0x601000, 0, 0x600000, 0x600000, 0x601000, 0x602000},
    {0x600010, 0x10, 0xff0, 0xff1, RW, 0x600000, 0x601000, 0, 0x601000, 0x601000, 0x601000, 0x602000},
    {0x601ff0, 0xff0, 0x10, 0x11, RW, 0x601000, 0x602000, 0, 0x602000, 0x602000, 0x602000, 0x603000},
    {0x600ff0, 0xff0, 0x20, 0x20, RW, 0x600000, 0x602000, 0, 0x600000, 0x600000, 0x602000, 0x602000},
    {0x600123, 0x456, 0, 0x2000, RW, 0x600000, 0x600000, 0, 0x600000, 0x600000, 0x600000, 0x603000},
    {0x600123, 0x123456, 0, 0x2000, PF_R, 0x600000, 0x600000, 0, 0x600000, 0x600000, 0x600000, 0x603000},
    {0x600123, 0, 0, 0, RW, 0x600000, 0x600000, 0, 0x600000, 0x600000, 0x600000, 0x600000},
    {0x600010, 0x1010, 0x10, 0x10, RX, 0x600000, 0x601000, 0x1000, 0x600000, 0x600000, 0x601000, 0x601000},
  };
  static struct made m;
  FOR_WIDTH(w) for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    make_elf(&m, w);
    m.size = 0x2000;
    made_add(&m, (Elf64_Phdr){.p_type = PT_LOAD,
                              .p_vaddr = rows[i].vaddr,
                              .p_offset = rows[i].offset,
                              .p_filesz = rows[i].filesz,
                              .p_memsz = rows[i].memsz,
                              .p_flags = rows[i].flags});
    struct image img = accepted(&m);
    ck_assert_uint_eq(img.nseg, 2);
    const struct ldr_segment *s = &img.seg[1];
    ck_assert_uint_eq(s->index, 2);
    ck_assert_uint_eq(s->flags, rows[i].flags);
    ck_assert_msg(s->file_lo == rows[i].file_lo && s->file_hi == rows[i].file_hi, "row %u: file", i);
    ck_assert_msg(s->file_off == rows[i].file_off, "row %u: offset", i);
    ck_assert_msg(s->zero_hi - s->zero_lo == rows[i].zero_hi - rows[i].zero_lo, "row %u: zeroed bytes", i);
    if (s->zero_hi != s->zero_lo) ck_assert_msg(s->zero_lo == rows[i].zero_lo, "row %u: zero from", i);
    ck_assert_msg(s->anon_lo == rows[i].anon_lo && s->anon_hi == rows[i].anon_hi, "row %u: zero pages", i);
    if (s->anon_lo != s->anon_hi) ck_assert_uint_eq(s->anon_flags & ~LDR_X, LDR_R | LDR_W);
    ck_assert_uint_eq(img.hi, rows[i].vaddr + rows[i].memsz);
    ldr_close(&img);
  }
}
END_TEST

START_TEST(alignment_and_bias) {
  static const struct { u64 align, want; } rows[] = {
    {0, 0x1000}, {1, 0x1000}, {0x10, 0x1000}, {0x1000, 0x1000}, {0x3000, 0x1000}, {0x10000, 0x10000},
    {0x200000, 0x200000}, {0x40000000, 0x40000000}, {0x80000000, 0x80000000}, {0xffffffff, 0x1000},
  };
  static struct made m;
  FOR_WIDTH(w) for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    make_elf(&m, w);
    m.eh.e_type = ET_DYN;
    m.ph[0].p_vaddr = 0x3000;
    m.ph[0].p_align = rows[i].align;
    struct image img = accepted(&m);
    ck_assert(img.pie);
    ck_assert_uint_eq(img.align, rows[i].want);
    ck_assert_uint_eq(img.seg[0].align, rows[i].align);
    u64 bias = ldr_bias(&img, UINT64_C(0x555555554000));
    ck_assert_uint_eq(bias % rows[i].want, 0);
    ck_assert(bias + 0x3000 <= UINT64_C(0x555555554000));
    ck_assert(UINT64_C(0x555555554000) - (bias + 0x3000) < rows[i].want);
    ck_assert_uint_eq(ldr_bias(&img, 0x2fff), 0);
    ldr_close(&img);
  }
  make_elf(&m, 64);
  struct image img = accepted(&m);
  ck_assert_uint_eq(ldr_bias(&img, UINT64_C(0x555555554000)), 0);
  ldr_close(&img);
}
END_TEST

/* Order and overlap are the program's affair; the range is that of all segments. */
START_TEST(unordered_segments) {
  static struct made m;
  FOR_WIDTH(w) {
    make_elf(&m, w);
    m.size = 0x2000;
    made_add(&m, (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = 0x800010, .p_memsz = 0x1234, .p_flags = PF_R});
    made_add(&m, (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = 0x200100, .p_offset = 0x1100, .p_filesz = 0x100,
                              .p_memsz = 0x100, .p_flags = PF_R});
    made_add(&m, (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = 0x800000, .p_memsz = 0x10, .p_flags = PF_R});
    struct image img = accepted(&m);
    ck_assert_uint_eq(img.nseg, 4);
    ck_assert_uint_eq(img.seg[2].vaddr, 0x200100);
    ck_assert_uint_eq(img.lo, 0x200000);
    ck_assert_uint_eq(img.hi, 0x801244);
    ck_assert_uint_eq(img.brk, 0x802000);
    ck_assert_uint_eq(img.span, 0x602000);
    ldr_close(&img);
  }
}
END_TEST

START_TEST(header_fields) {
  static struct made m;
  FOR_WIDTH(w) {
    make_elf(&m, w);
    /* Of several, the last one counts. */
    made_add(&m, (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W | PF_X});
    made_add(&m, (Elf64_Phdr){.p_type = PT_TLS, .p_vaddr = 0x400800, .p_offset = 0x800, .p_filesz = 8,
                              .p_memsz = 0x20, .p_align = 16});
    struct image img = accepted(&m);
    ck_assert_int_eq(img.stack, LDR_STACK_EXEC);
    ck_assert(img.tls.present && img.tls.vaddr == 0x400800 && img.tls.offset == 0x800);
    ck_assert(img.tls.filesz == 8 && img.tls.memsz == 0x20 && img.tls.align == 16);
    ldr_close(&img);

    make_elf(&m, w);
    m.ph[1].p_type = PT_NULL;
    img = accepted(&m);
    ck_assert_int_eq(img.stack, LDR_STACK_ABSENT);
    ldr_close(&img);

    /* No segment holds the program headers; PT_PHDR does not change that. */
    make_elf(&m, w);
    m.size = 0x1400;
    m.ph[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = MADE_BASE + MADE_CODE,
                           .p_offset = MADE_CODE, .p_filesz = 0x1000, .p_memsz = 0x1000};
    m.ph[1] = (Elf64_Phdr){.p_type = PT_PHDR, .p_vaddr = 0x400040, .p_offset = m.eh.e_phoff};
    img = accepted(&m);
    ck_assert_uint_eq(img.phdr, 0);
    ldr_close(&img);
  }
}
END_TEST

static void beyond(const struct image *img, u64 bias, u64 limit, const char *words) {
  char err[256] = "";
  expect_code(ldr_check_range(img, bias, limit, err, sizeof err), -EINVAL, err, words);
}

START_TEST(range) {
  static struct made m;
  FOR_WIDTH(w) {
    make_elf(&m, w);
    struct image img = accepted(&m);
    ck_assert_int_eq(ldr_check_range(&img, 0, 0x401000, NULL, 0), 0);
    beyond(&img, 0, 0x400fff, "segment 0, 0x1000 bytes at 0x400000");
    beyond(&img, 0, 0, "end at 0;");
    ck_assert_int_eq(ldr_check_range(&img, 0x1000, 0x402000, NULL, 0), 0);
    beyond(&img, 0x1001, 0x402000, "at 0x401001");
    beyond(&img, UINT64_MAX, 0x402000, "segment 0");
    ldr_close(&img);
    /* An entry outside every segment is the program's affair, but not outside the user's addresses. */
    m.eh.e_entry = 0x10;
    img = accepted(&m);
    ck_assert_int_eq(ldr_check_range(&img, 0, 0x401000, NULL, 0), 0);
    ldr_close(&img);
    m.eh.e_entry = 0x401000;
    img = accepted(&m);
    beyond(&img, 0, 0x401000, "entry point 0x401000 lies beyond");
    ldr_close(&img);
    /* An empty segment counts. */
    make_elf(&m, w);
    made_add(&m, (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = 0xe0000000});
    img = accepted(&m);
    beyond(&img, 0, 0xe0000000, "segment 2, 0 bytes");
    ck_assert_int_eq(ldr_check_range(&img, 0, 0xe0000001, NULL, 0), 0);
    ldr_close(&img);
  }
}
END_TEST

/* --- Files --- */

static char dir[32];

static void in_dir(void) {
  strcpy(dir, "/tmp/ringwalk-ldr-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(dir));
  ck_assert_int_eq(chdir(dir), 0);
}

static void out_of_dir(void) {
  char cmd[64];
  snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
  ck_assert_int_eq(chdir("/"), 0);
  ck_assert_int_eq(system(cmd), 0);
}

static void sh(const char *cmd) { ck_assert_msg(system(cmd) == 0, "failed: %s", cmd); }

static void refused_file(const char *path, int code, const char *words) {
  struct image img;
  char err[256] = "";
  expect_code(ldr_open(path, &img, err, sizeof err), code, err, words);
  ck_assert_msg(!strncmp(err, path, strlen(path)), "%s", err);
  ck_assert_int_eq(img.fd, -1);
}

static struct image opened(const char *path) {
  struct image img;
  char err[256] = "";
  int e = ldr_open(path, &img, err, sizeof err);
  ck_assert_msg(!e, "refused: %s", err);
  ck_assert_int_ge(img.fd, 0);
  return img;
}

static const char hello_c[] =
  "printf '#include <stdio.h>\\n__thread int t = 3; int z[5000]; int twice(int x) { return 2 * x; }\\n"
  "int main(void) { printf(\"hello %d\\\\n\", twice(t) + z[9]); return 0; }\\n' > hello.c";

START_TEST(wrong_files) {
  static struct made m;
  in_dir();
  refused_file("nothing", -ENOENT, "no such file");
  refused_file("hello.c/x", -ENOENT, "no such file");
  sh("mkdir d && mkfifo fifo && : > empty && ln -s loop loop");
  refused_file("d", -EACCES, "is a directory");
  refused_file("fifo", -EACCES, "not a regular file");
  refused_file("/dev/null", -EACCES, "not a regular file");
  refused_file("empty", -ENOEXEC, "empty file");
  refused_file("empty/x", -ENOTDIR, "Not a directory");
  refused_file("loop", -ELOOP, "cannot open it");
  make_elf(&m, 64);
  m.ph[0].p_offset = 0x1000;
  m.size = 0x2000;
  made_finish(&m);
  ck_assert(write_program("prog", m.bytes, m.size));
  struct image img = opened("prog");
  ldr_close(&img);
  ck_assert_int_eq(chmod("prog", 0644), 0);
  refused_file("prog", -EACCES, "no permission to execute it; chmod +x");
  ck_assert_int_eq(truncate("prog", 0xfff), 0);
  refused_file("prog", -ENOEXEC, "truncated: segment 0 ends at byte 8192, file has 4095; copy it again");
  sh(hello_c);
  sh("gcc -c hello.c && gcc hello.c -o dynamic");
  refused_file("hello.o", -ENOEXEC, "hello.o: relocatable object, not an executable; link it with -static");
  refused_file("dynamic", -ENOEXEC, "dynamic: dynamically linked (needs /lib");
  out_of_dir();
}
END_TEST

/* Another reader's view: what readelf says of the program just built. */
static u64 readelf_number(const char *path, const char *pick) {
  char cmd[256], line[64] = "";
  snprintf(cmd, sizeof cmd, "LC_ALL=C readelf -hlsW %s | awk '%s'", path, pick);
  FILE *f = popen(cmd, "r");
  ck_assert_ptr_nonnull(f);
  ck_assert_msg(fgets(line, sizeof line, f) != NULL, "no output: %s", cmd);
  ck_assert_int_eq(pclose(f), 0);
  return strtoull(line, NULL, 0);
}

static void real_program(const char *path, unsigned bits, bool pie) {
  struct image img = opened(path);
  ck_assert_uint_eq(img.bits, bits);
  ck_assert_int_eq(img.pie, pie);
  ck_assert_int_eq(img.stack, LDR_STACK_NOEXEC);
  ck_assert_uint_eq(img.entry, readelf_number(path, "/Entry point/ {print $NF; exit}"));
  ck_assert_uint_eq(img.phnum, readelf_number(path, "/Number of program headers/ {print $NF; exit}"));
  ck_assert_uint_eq(img.nseg, readelf_number(path, "$1 == \"LOAD\" {n++} END {print n}"));
  const struct ldr_segment *last = &img.seg[img.nseg - 1];
  ck_assert_uint_eq(img.seg[0].vaddr, readelf_number(path, "$1 == \"LOAD\" {print $3; exit}"));
  ck_assert_uint_eq(last->memsz, readelf_number(path, "$1 == \"LOAD\" {n=$6} END {print n}"));
  ck_assert_uint_eq(last->filesz, readelf_number(path, "$1 == \"LOAD\" {n=$5} END {print n}"));
  ck_assert(img.tls.present && img.tls.vaddr == readelf_number(path, "$1 == \"TLS\" {print $3; exit}"));
  ck_assert_uint_eq(img.phdr, img.lo + (bits == 64 ? 64 : 52));

  ck_assert_int_eq(ldr_load_symbols(&img), 0);
  ck_assert_int_eq(ldr_load_symbols(&img), 0);
  const struct ldr_symbol *s = ldr_symbol_named(&img, "twice");
  ck_assert_ptr_nonnull(s);
  ck_assert_uint_eq(s->addr, readelf_number(path, "$8 == \"twice\" {print \"0x\" $2; exit}"));
  ck_assert_uint_eq(s->size, readelf_number(path, "$8 == \"twice\" {print $3; exit}"));
  ck_assert_ptr_eq(ldr_symbol_at(&img, s->addr), s);
  ck_assert_ptr_eq(ldr_symbol_at(&img, s->addr + s->size - 1), s);
  ck_assert_ptr_ne(ldr_symbol_at(&img, s->addr + s->size), s);
  ck_assert_str_eq(ldr_symbol_at(&img, img.entry)->name, "_start");
  ck_assert_ptr_null(ldr_symbol_named(&img, "no such function"));
  ck_assert_ptr_null(ldr_symbol_named(&img, "z")); /* data */
  ck_assert_ptr_null(ldr_symbol_at(&img, 0));
  ck_assert_ptr_null(ldr_symbol_at(&img, UINT64_MAX));
  ck_assert_uint_gt(img.nsym, 500);
  ldr_close(&img);
}

START_TEST(real_programs) {
  in_dir();
  sh(hello_c);
  sh("gcc -O1 -fno-inline -static hello.c -o h64 && gcc -m32 -O1 -fno-inline -static hello.c -o h32");
  sh("gcc -O1 -fno-inline -static-pie hello.c -o p64 && gcc -m32 -O1 -fno-inline -static-pie hello.c -o p32");
  real_program("h64", 64, false);
  real_program("h32", 32, false);
  real_program("p64", 64, true);
  real_program("p32", 32, true);
  /* Stripped, there are no names, and that is no error. */
  sh("strip h64");
  struct image img = opened("h64");
  ck_assert_int_eq(ldr_load_symbols(&img), 0);
  ck_assert_uint_eq(img.nsym, 0);
  ck_assert_ptr_null(ldr_symbol_at(&img, img.entry));
  ldr_close(&img);
  out_of_dir();
}
END_TEST

static u8 *map_file(const char *path, size_t *n) {
  struct stat st;
  ck_assert_int_eq(stat(path, &st), 0);
  FILE *f = fopen(path, "r");
  u8 *p = malloc((size_t)st.st_size);
  ck_assert(f && p && fread(p, 1, (size_t)st.st_size, f) == (size_t)st.st_size);
  fclose(f);
  *n = (size_t)st.st_size;
  return p;
}

/* Up to where a file must reach for Linux to start it: its headers, a byte of the first instruction's page, and one of
 * each page that is to be cleared behind the file's part. */
static size_t needed(const struct image *img, size_t headers) {
  size_t most = headers;
  for (unsigned i = 0; i < img->nseg; i++) {
    const struct ldr_segment *s = &img->seg[i];
    size_t entry = img->entry - s->vaddr < s->filesz ? ((s->offset + img->entry - s->vaddr) & ~UINT64_C(0xfff)) + 1 : 0;
    size_t clear = s->zero_lo < s->zero_hi ? ((s->offset + s->filesz) & ~UINT64_C(0xfff)) + 1 : 0;
    if (entry > most) most = entry;
    if (clear > most) most = clear;
  }
  return most;
}

/* Cut at every byte: a program exactly while it has what it needs. Returns how many cuts were accepted. */
static size_t cut_everywhere(const char *path, bool symbols) {
  size_t size, whole, good = 0;
  u8 *bytes = map_file(path, &size);
  struct image img = opened(path);
  whole = needed(&img, (img.bits == 64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)) + img.phnum * (size_t)img.phent);
  ldr_close(&img);
  for (size_t n = 0; n <= size; n++) {
    char err[256] = "";
    u8 *cut = symbols ? malloc(n ? n : 1) : bytes; /* exact, for the address sanitizer, where it is cheap */
    if (symbols) memcpy(cut, bytes, n);
    int e = ldr_from_memory(cut, n, path, &img, err, sizeof err);
    if (n < whole) expect_code(e, -ENOEXEC, err, n < 4 ? "not an ELF file" : "truncated: ");
    else ck_assert_msg(!e, "cut at %zu of %zu: %s", n, size, err);
    if (!e && symbols) {
      ck_assert_int_eq(ldr_load_symbols(&img), 0);
      if (n == size) ck_assert_ptr_nonnull(ldr_symbol_named(&img, "_start"));
    }
    good += !e;
    ldr_close(&img);
    if (symbols) free(cut);
  }
  free(bytes);
  return good;
}

START_TEST(cut_programs) {
  in_dir();
  sh(hello_c);
  sh("printf '.globl _start\\n_start: nop\\nlabel: ud2\\n.bss\\n.skip 9\\n' > s.s");
  FOR_WIDTH(w) {
    char cmd[160];
    snprintf(cmd, sizeof cmd, "gcc -m%u -static hello.c -o big", w);
    sh(cmd);
    snprintf(cmd, sizeof cmd, "gcc -m%u -nostdlib -static s.s -o small", w);
    sh(cmd);
    ck_assert_uint_gt(cut_everywhere("big", false), 1);
    ck_assert_uint_gt(cut_everywhere("small", true), 1);
  }
  out_of_dir();
}
END_TEST

/* Names damaged in every byte of the tables that lead to them: fewer names, or none, and no harm. */
START_TEST(damaged_symbols) {
  in_dir();
  sh("printf '.globl _start\\n_start: nop\\nlabel: ud2\\n' > s.s");
  FOR_WIDTH(w) {
    char cmd[160];
    size_t n;
    snprintf(cmd, sizeof cmd, "gcc -m%u -nostdlib -static -Wl,-N,--build-id=none s.s -o tiny 2>/dev/null", w);
    sh(cmd);
    u8 *bytes = map_file("tiny", &n);
    for (size_t at = 16; at < n; at++) for (unsigned k = 0; k < 4; k++) {
      static const u8 values[] = {0x00, 0x7f, 0x80, 0xff};
      struct image img;
      u8 keep = bytes[at];
      bytes[at] = values[k];
      if (!ldr_from_memory(bytes, n, "tiny", &img, NULL, 0)) {
        ck_assert_int_eq(ldr_load_symbols(&img), 0);
        for (unsigned i = 0; i < img.nsym; i++) {
          ck_assert_uint_lt(strlen(img.sym[i].name), n);
          (void)ldr_symbol_at(&img, img.sym[i].addr);
        }
        ldr_close(&img);
      }
      bytes[at] = keep;
    }
    free(bytes);
  }
  out_of_dir();
}
END_TEST

START_TEST(symbol_choice) {
  struct image img;
  in_dir();
  sh("printf '.globl outer,alias\\n.type outer,@function\\n.type alias,@function\\n.type inner,@function\\n"
     "outer: alias: nop\\ninner: nop\\n.size inner,1\\nnop\\n.size outer,.-outer\\n.size alias,1\\n"
     ".globl _start\\n_start: nop\\nlocal: nop\\nnop\\n' > s.s");
  sh("gcc -nostdlib -static s.s -o prog");
  img = opened("prog");
  ck_assert_int_eq(ldr_load_symbols(&img), 0);
  u64 at = ldr_symbol_named(&img, "outer")->addr;
  ck_assert_uint_eq(ldr_symbol_at(&img, at)->addr, at);
  ck_assert_str_eq(ldr_symbol_at(&img, at + 1)->name, "inner");
  ck_assert_str_eq(ldr_symbol_at(&img, at + 2)->name, "outer"); /* past the nested one */
  ck_assert_str_eq(ldr_symbol_at(&img, at + 3)->name, "_start");
  ck_assert_str_eq(ldr_symbol_at(&img, at + 4)->name, "local"); /* a label without size or type */
  ck_assert_str_eq(ldr_symbol_at(&img, at + 5)->name, "local");
  ck_assert_ptr_null(ldr_symbol_at(&img, at - 1));
  ldr_close(&img);
  out_of_dir();
}
END_TEST

Suite *suite_loader(void);
Suite *suite_loader(void) {
  Suite *s = suite_create("loader");
  TCase *tc = tcase_create("damage");
  tcase_add_test(tc, not_elf);
  tcase_add_test(tc, foreign);
  tcase_add_test(tc, wrong_type);
  tcase_add_test(tc, program_headers);
  tcase_add_test(tc, bad_segments);
  tcase_add_test(tc, interpreter);
  tcase_add_test(tc, short_message);
  suite_add_tcase(s, tc);
  tc = tcase_create("layout");
  tcase_add_test(tc, plain_layout);
  tcase_add_test(tc, bss_layout);
  tcase_add_test(tc, alignment_and_bias);
  tcase_add_test(tc, unordered_segments);
  tcase_add_test(tc, header_fields);
  tcase_add_test(tc, range);
  suite_add_tcase(s, tc);
  tc = tcase_create("files");
  tcase_set_timeout(tc, 300);
  tcase_add_test(tc, wrong_files);
  tcase_add_test(tc, real_programs);
  tcase_add_test(tc, cut_programs);
  tcase_add_test(tc, damaged_symbols);
  tcase_add_test(tc, symbol_choice);
  suite_add_tcase(s, tc);
  return s;
}
