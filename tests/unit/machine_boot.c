/* Boot images: ROMs, flat images, multiboot kernels, and everything that is wrong with damaged ones. SDM 3A 9.1.4
 * (First Instruction Executed); The Multiboot Specification version 0.6.96, 3.1 to 3.3. */
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/machine_sink.h"

#include <elf.h> /* last: its macros PF_W and PF_X are mmu/mmu.h's enumerators */

/* ---- ROMs and flat images ---- */

/* The last 16 bytes run first, at F000:FFF0 with CS.base FFFF0000h; a far jump leads to the same bytes below 1 MiB;
 * writes to them vanish. */
START_TEST(rom) {
  static const u8 start[] = {0xb8, 0x00, 0xf0, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0xff, 0x77, /* movb $77h,(FF00h) */
                             0xa0, 0x00, 0xff, 0xe6, 0xf4};
  static const u8 reset[] = {0xea, 0x01, 0xff, 0x00, 0xf0}; /* ljmp $F000h,$FF01h */
  u8 bytes[0x100] = {0};
  bytes[0] = 0x21;
  memcpy(bytes + 1, start, sizeof start);
  memcpy(bytes + 0xf0, reset, sizeof reset);
  struct boot_image img;
  char err[200];
  struct sink s = {0};
  ck_assert_int_eq(boot_from_memory(bytes, sizeof bytes, "made", &img, err, sizeof err), 0);
  ck_assert_int_eq(boot_as_rom(&img, err, sizeof err), 0);
  struct machine *m = sink_boot(&s, &img, NULL);
  const struct cpu *cpu = machine_cpu(m);
  ck_assert_uint_eq(cpu->seg[CS].sel, 0xf000);
  ck_assert_uint_eq(cpu->seg[CS].base, 0xffff0000);
  ck_assert_uint_eq(cpu->rip, 0xfff0);
  (void)sink_run(m, 1);
  ck_assert_uint_eq(cpu->seg[CS].base, 0xf0000);
  ck_assert_uint_eq(sink_run(m, 0).code, 0x21 << 1 | 1);
  machine_destroy(m);
}
END_TEST

START_TEST(boot_sector) {
  struct sink s = {0};
  struct machine *m = RUN_CODE(&s, 0x90);
  const struct cpu *cpu = machine_cpu(m);
  ck_assert_uint_eq(cpu->seg[CS].sel, 0);
  ck_assert_uint_eq(cpu->rip, 0x7c00);
  ck_assert_uint_eq(cpu->gpr[RDX] & 0xff, 0x80);
  ck_assert_uint_eq(*sink_at(m, 0x7c00, 1), 0x90);
  machine_destroy(m);
}
END_TEST

START_TEST(flat_above_64k) {
  struct sink s = {0};
  struct boot_image img;
  char err[200];
  ck_assert_int_eq(boot_from_memory(CODE_(EXIT_WITH(3)), 4, "made", &img, err, sizeof err), 0);
  ck_assert_int_eq(boot_as_flat(&img, 0x12345, err, sizeof err), 0);
  struct machine *m = sink_boot(&s, &img, NULL);
  ck_assert_uint_eq(machine_cpu(m)->seg[CS].base + machine_cpu(m)->rip, 0x12345);
  ck_assert_uint_eq(sink_run(m, 0).code, 7);
  machine_destroy(m);
}
END_TEST

static void expect(int got, const char *err, const char *words) {
  ck_assert_msg(got == -ENOEXEC, "%d, %s", got, err);
  ck_assert_msg(strstr(err, words) != NULL, "\"%s\" does not contain \"%s\"", err, words);
  ck_assert_msg(!strncmp(err, "made: ", 6) && !strchr(err, '\n'), "\"%s\"", err);
}

START_TEST(bad_flat) {
  static const struct {
    u32 size, at;
    const char *words;
  } rows[] = {{0x10000, 0x90001, "do not fit below A0000h"}, {1, 0xa0000, "do not fit"}, {1, 0xffffffff, "do not fit"}};
  char err[300];
  struct boot_image img;
  u8 *bytes = calloc(1, BOOT_ROM_MAX + 1);
  ck_assert_ptr_nonnull(bytes);
  for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
    ck_assert_int_eq(boot_from_memory(bytes, rows[k].size, "made", &img, err, sizeof err), 0);
    expect(boot_as_flat(&img, rows[k].at, err, sizeof err), err, rows[k].words);
    boot_close(&img);
  }
  ck_assert_int_eq(boot_from_memory(bytes, BOOT_ROM_MAX + 1, "made", &img, err, sizeof err), 0);
  expect(boot_as_rom(&img, err, sizeof err), err, "65537 bytes are too big for a ROM");
  boot_close(&img);
  ck_assert_int_eq(boot_from_memory(bytes, 15, "made", &img, err, sizeof err), 0);
  expect(boot_as_rom(&img, err, sizeof err), err, "truncated");
  boot_close(&img);
  expect(boot_from_memory(bytes, 0, "made", &img, err, sizeof err), err, "empty file");
  free(bytes);
}
END_TEST

/* A machine is started over by another image: nothing of the first is left. */
START_TEST(again) {
  struct sink s = {0};
  struct boot_image img;
  char err[200];
  struct machine *m = RUN_CODE(&s, OUT_IMM(0x21, 0x55), 0xc6, 0x06, 0x00, 0x05, 0x77, EXIT_WITH(1)); /* (500h) = 77h */
  ck_assert_uint_eq(sink_run(m, 0).code, 3);
  ck_assert_int_eq(boot_from_memory(CODE_(0xa0, 0x00, 0x05, 0x88, 0xc4, 0xe4, 0x21, 0xe7, 0xf4), 9, "made", &img, err,
                                    sizeof err), 0);
  ck_assert_int_eq(boot_as_flat(&img, 0x7c00, err, sizeof err), 0);
  for (unsigned k = 0; k < 2; k++) {
    ck_assert_int_eq(machine_boot(m, &img, NULL, err, sizeof err), 0);
    ck_assert_uint_eq(sink_run(m, 0).code, 0 << 1 | 1); /* memory and mask are 0 */
  }
  boot_close(&img);
  machine_destroy(m);
}
END_TEST

/* ---- multiboot ---- */

enum { ENTRY = 0x100000, CODE_OFF = 0x1000 };

struct kernel { /* one page of headers, then code */
  Elf32_Ehdr eh;
  Elf32_Phdr ph[2];
  u32 mb[8];
  u8 pad[CODE_OFF - sizeof(Elf32_Ehdr) - 2 * sizeof(Elf32_Phdr) - 32];
  u8 code[16];
};

static void make_kernel(struct kernel *k, u32 flags) {
  memset(k, 0, sizeof *k);
  memcpy(k->eh.e_ident, ELFMAG, SELFMAG);
  k->eh.e_ident[EI_CLASS] = ELFCLASS32;
  k->eh.e_ident[EI_DATA] = ELFDATA2LSB;
  k->eh.e_type = ET_EXEC;
  k->eh.e_machine = EM_386;
  k->eh.e_entry = ENTRY;
  k->eh.e_phoff = offsetof(struct kernel, ph);
  k->eh.e_phentsize = sizeof k->ph[0];
  k->eh.e_phnum = 1;
  k->ph[0] = (Elf32_Phdr){.p_type = PT_LOAD, .p_offset = CODE_OFF, .p_vaddr = 0xc0100000, .p_paddr = ENTRY,
                          .p_filesz = sizeof k->code, .p_memsz = 0x2000};
  k->mb[0] = 0x1badb002;
  k->mb[1] = flags;
  k->mb[2] = -(k->mb[0] + flags);
  memcpy(k->code, CODE_(EXIT_WITH(9)), 4);
}

static int load(const void *bytes, size_t n, struct boot_image *img, char *err, size_t errsz) {
  int e = boot_from_memory(bytes, n, "made", img, err, errsz);
  if (!e) e = boot_as_multiboot(img, err, errsz);
  if (e) boot_close(img);
  return e;
}

START_TEST(machine_state) {
  static struct kernel k;
  struct boot_image img;
  struct sink s = {0};
  char err[300];
  make_kernel(&k, 3);
  ck_assert_msg(!load(&k, sizeof k, &img, err, sizeof err), "%s", err);
  struct machine *m = sink_boot(&s, &img, "root=none quiet");
  const struct cpu *cpu = machine_cpu(m);
  ck_assert_uint_eq(cpu->gpr[RAX], 0x2badb002);
  ck_assert_uint_eq(cpu->rip, ENTRY);
  ck_assert_uint_eq(cpu->cr0 & (CR0_PE | CR0_PG), CR0_PE);
  ck_assert_uint_eq(cpu_eflags(cpu) & (EF_VM | EF_IF), 0);
  for (unsigned r = 0; r < SREG_COUNT; r++) {
    ck_assert_uint_eq(cpu->seg[r].base, 0);
    ck_assert_uint_eq(cpu->seg[r].limit, 0xffffffff);
    ck_assert(cpu->seg[r].attr & SEG_DB);
  }
  u32 info[22];
  memcpy(info, sink_at(m, cpu->gpr[RBX], sizeof info), sizeof info);
  ck_assert_uint_eq(info[0] & 0x45, 0x45);
  ck_assert_uint_eq(info[1], 640);
  ck_assert_uint_eq(info[2], 3 << 10); /* of 4 MiB */
  ck_assert_str_eq((char *)sink_at(m, info[4], 16), "root=none quiet");
  ck_assert_uint_eq(info[11], 48); /* mmap_length */
  u32 map[12];
  memcpy(map, sink_at(m, info[12], sizeof map), sizeof map);
  const u32 want[12] = {20, 0, 0, 0xa0000, 0, 1, 20, 0x100000, 0, 0x300000, 0, 1};
  ck_assert_mem_eq(map, want, sizeof want);
  ck_assert_uint_eq(sink_run(m, 0).code, 19);
  machine_destroy(m);
}
END_TEST

/* The header's own addresses, in a file that is no ELF. */
START_TEST(address_fields) {
  u8 file[64] = {0};
  u32 h[8] = {0x1badb002, 0x10000, 0, 0x200010, 0x200008, 0x200040, 0x201000, 0x200030};
  h[2] = -(h[0] + h[1]);
  memcpy(file + 16, h, sizeof h);
  memcpy(file + 16 + 32, CODE_(EXIT_WITH(4)), 4);
  struct boot_image img;
  struct sink s = {0};
  char err[300];
  h[5] = 0x200038; /* the file has 38h bytes from offset 8 on */
  memcpy(file + 16, h, sizeof h);
  ck_assert_msg(!load(file, sizeof file, &img, err, sizeof err), "%s", err);
  ck_assert_uint_eq(img.part[0].addr, 0x200008);
  ck_assert_uint_eq(img.part[0].off, 8);
  ck_assert_uint_eq(img.part[0].filesz, 0x30);
  ck_assert_uint_eq(img.part[0].memsz, 0xff8);
  struct machine *m = sink_boot(&s, &img, NULL);
  ck_assert_uint_eq(sink_run(m, 0).code, 9);
  machine_destroy(m);

  const struct {
    unsigned word;
    u32 value;
    const char *words;
  } bad[] = {
      {4, 0x200011, "load_addr"}, {4, 0x1fff00, "load_addr"}, {5, 0x200041, "truncated"},
      {5, 0x200000, "load_end_addr"}, {6, 0x200020, "bss_end_addr"},
      {6, 0x100000, "bss_end_addr"}, {7, 0x300000, "entry point"},
  };
  for (unsigned k = 0; k < ARRAY_SIZE(bad); k++) {
    u32 g[8];
    memcpy(g, h, sizeof g);
    g[bad[k].word] = bad[k].value;
    memcpy(file + 16, g, sizeof g);
    expect(load(file, sizeof file, &img, err, sizeof err), err, bad[k].words);
  }
  memcpy(file + 16, h, sizeof h);
  expect(load(file, 40, &img, err, sizeof err), err, "truncated");
}
END_TEST

START_TEST(bad_kernels) {
  static struct kernel k;
  struct boot_image img;
  char err[300];
#define BAD(words, ...)                                                          \
  do {                                                                           \
    make_kernel(&k, 0);                                                          \
    __VA_ARGS__;                                                                 \
    expect(load(&k, sizeof k, &img, err, sizeof err), err, words);               \
  } while (0)
  BAD("no multiboot header", k.mb[2]++);
  BAD("no multiboot header", k.mb[0] = 0);
  BAD("video mode", make_kernel(&k, 4));
  BAD("requires what multiboot", make_kernel(&k, 8));
  BAD("not ELF", k.eh.e_ident[0] = 0);
  BAD("64-bit ELF", k.eh.e_ident[EI_CLASS] = ELFCLASS64);
  BAD("not for i386", k.eh.e_machine = EM_ARM);
  BAD("ELF type 3", k.eh.e_type = ET_DYN);
  BAD("program headers of", k.eh.e_phentsize--);
  BAD("program headers of", k.eh.e_phnum = 0);
  BAD("truncated", k.eh.e_phnum = 0xfffe);
  BAD("truncated", k.eh.e_phoff = 0xfffffff0);
  BAD("no segment", k.ph[0].p_type = PT_NOTE);
  BAD("truncated", k.ph[0].p_offset = sizeof k);
  BAD("truncated", k.ph[0].p_offset = 0xffffffff);
  BAD("in the file and", k.ph[0].p_memsz = 1);
  BAD("passes 4 GiB", k.ph[0].p_paddr = 0xfffff000);
  BAD("entry point 123h", k.eh.e_entry = 0x123);
  BAD("overlap", k.eh.e_phnum = 2; k.ph[1] = k.ph[0]; k.ph[1].p_paddr += 0x1fff);
  make_kernel(&k, 0);
  expect(load(&k, sizeof k.eh + 8, &img, err, sizeof err), err, "no multiboot header");
}
END_TEST

/* What a file asks for and the machine does not have. */
START_TEST(no_memory_there) {
  static const struct {
    u32 addr, size;
  } rows[] = {{0x400000, 0x1000}, {0x3ff000, 0x2000}, {0x9f000, 0x2000}, {0xb8000, 0x1000}, {0xfffff000, 0x1000}};
  static struct kernel k;
  for (unsigned r = 0; r < ARRAY_SIZE(rows); r++) {
    struct boot_image img;
    struct sink s = {0};
    char err[300] = "";
    make_kernel(&k, 0);
    k.eh.e_entry = k.ph[0].p_paddr = rows[r].addr;
    k.ph[0].p_memsz = rows[r].size;
    ck_assert_msg(!load(&k, sizeof k, &img, err, sizeof err), "%s", err);
    struct machine *m = sink_machine(&s, 4 << 20);
    ck_assert_int_eq(machine_boot(m, &img, NULL, err, sizeof err), -1);
    ck_assert_msg(strstr(err, "made: ") && strstr(err, "lies outside memory"), "%s", err);
    machine_destroy(m);
    boot_close(&img);
  }
}
END_TEST

/* The information goes where the kernel is not; a kernel that fills all of low memory leaves no room. */
START_TEST(room_for_info) {
  static struct kernel k;
  struct boot_image img;
  struct sink s = {0};
  char err[300] = "";
  make_kernel(&k, 0);
  k.eh.e_entry = k.ph[0].p_paddr = 0x3000;
  k.ph[0].p_memsz = 0xa0000 - 0x3000;
  ck_assert_msg(!load(&k, sizeof k, &img, err, sizeof err), "%s", err);
  struct machine *m = sink_boot(&s, &img, "x");
  ck_assert_uint_lt(machine_cpu(m)->gpr[RBX], 0x3000);
  machine_destroy(m);
  k.eh.e_entry = k.ph[0].p_paddr = 0;
  k.ph[0].p_memsz = 0xa0000;
  ck_assert_msg(!load(&k, sizeof k, &img, err, sizeof err), "%s", err);
  m = sink_machine(&s, 4 << 20);
  ck_assert_int_eq(machine_boot(m, &img, NULL, err, sizeof err), -1);
  ck_assert_msg(strstr(err, "no room") != NULL, "%s", err);
  machine_destroy(m);
  boot_close(&img);
}
END_TEST

START_TEST(memory_sizes) {
  static const u64 bad[] = {0, 4096, MACHINE_MIN_MEM - 1, MACHINE_MAX_MEM + 1, ~UINT64_C(0)};
  for (unsigned k = 0; k < ARRAY_SIZE(bad); k++) {
    char err[200] = "";
    struct machine_options o = {.model = model_default(VENDOR_AMD), .mem = bad[k]};
    ck_assert(!machine_create(&o, err, sizeof err));
    ck_assert_msg(strstr(err, "memory must be") != NULL, "%s", err);
  }
  struct sink s = {0};
  machine_destroy(sink_machine(&s, MACHINE_MIN_MEM));
  machine_destroy(sink_machine(&s, MACHINE_MAX_MEM));
  machine_destroy(NULL);
}
END_TEST

Suite *suite_machine_boot(void) {
  Suite *s = suite_create("machine_boot");
  TCase *t = tcase_create("flat");
  tcase_add_test(t, rom);
  tcase_add_test(t, boot_sector);
  tcase_add_test(t, flat_above_64k);
  tcase_add_test(t, bad_flat);
  tcase_add_test(t, again);
  suite_add_tcase(s, t);
  t = tcase_create("multiboot");
  tcase_add_test(t, machine_state);
  tcase_add_test(t, address_fields);
  tcase_add_test(t, bad_kernels);
  tcase_add_test(t, no_memory_there);
  tcase_add_test(t, room_for_info);
  tcase_add_test(t, memory_sizes);
  suite_add_tcase(s, t);
  return s;
}
