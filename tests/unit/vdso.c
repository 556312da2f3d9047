/* The vDSO images as a loader, a linker and an unwinder see them: gABI 5 (Dynamic Linking); LSB 5, 10.6.1 and
 * 10.6.2 (.eh_frame, .eh_frame_hdr); Linux arch/x86/entry/vdso for names, versions and the sigreturn bytes.
 * On an x86-64 host the 64-bit functions also run natively, on this machine's TSC. */
#define _GNU_SOURCE
#include <check.h>
#include <elf.h>
#include <gelf.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "roms/linux_entry.h"

struct symbol {
  const char *name, *version;
  int bind;
};

static const struct symbol symbols64[] = {
    {"__vdso_clock_gettime", "LINUX_2.6", STB_GLOBAL}, {"clock_gettime", "LINUX_2.6", STB_WEAK},
    {"__vdso_gettimeofday", "LINUX_2.6", STB_GLOBAL},  {"gettimeofday", "LINUX_2.6", STB_WEAK},
    {"__vdso_time", "LINUX_2.6", STB_GLOBAL},          {"time", "LINUX_2.6", STB_WEAK},
    {"__vdso_clock_getres", "LINUX_2.6", STB_GLOBAL},  {"clock_getres", "LINUX_2.6", STB_WEAK},
    {"__vdso_getcpu", "LINUX_2.6", STB_GLOBAL},        {"getcpu", "LINUX_2.6", STB_WEAK},
    {0},
};

static const struct symbol symbols32[] = {
    {"__vdso_clock_gettime", "LINUX_2.6", STB_GLOBAL}, {"__vdso_clock_gettime64", "LINUX_2.6", STB_GLOBAL},
    {"__vdso_gettimeofday", "LINUX_2.6", STB_GLOBAL},  {"__vdso_time", "LINUX_2.6", STB_GLOBAL},
    {"__vdso_clock_getres", "LINUX_2.6", STB_GLOBAL},  {"__kernel_vsyscall", "LINUX_2.5", STB_GLOBAL},
    {"__kernel_sigreturn", "LINUX_2.5", STB_GLOBAL},   {"__kernel_rt_sigreturn", "LINUX_2.5", STB_GLOBAL},
    {"__vdso_getcpu", "LINUX_2.6", STB_GLOBAL},
    {0},
};

static const struct {
  const struct rom_vdso *rom;
  const char *soname, *entry; /* entry: the bytes of __kernel_vsyscall up to the landing pad */
  const struct symbol *symbols;
  int class, machine;
} images[] = {
    {&rom_vdso64, "linux-vdso.so.1", "", symbols64, ELFCLASS64, EM_X86_64},
    {&rom_vdso32_sysenter, "linux-gate.so.1", "\x51\x52\x55\x89\xe5\x0f\x34\xcd\x80", symbols32, ELFCLASS32,
     EM_386},
    {&rom_vdso32_syscall, "linux-gate.so.1", "\x51\x52\x55\x89\xcd\x0f\x05\xcd\x80", symbols32, ELFCLASS32,
     EM_386},
    {&rom_vdso32_int80, "linux-gate.so.1", "\x51\x52\x55\xcd\x80", symbols32, ELFCLASS32, EM_386},
};

/* An opened image. Addresses are offsets, because it is linked to 0 and has one segment. */
struct view {
  const struct rom_vdso *rom;
  Elf *elf;
  size_t text_end;
  u64 dynamic, dynamic_size, eh_frame_hdr;
};

static struct view open_image(int i) {
  struct view v = {.rom = images[i].rom};
  ck_assert_int_ne(elf_version(EV_CURRENT), EV_NONE);
  v.elf = elf_memory((char *)(uintptr_t)v.rom->image, v.rom->size);
  ck_assert_ptr_nonnull(v.elf);
  size_t n;
  ck_assert_int_eq(elf_getphdrnum(v.elf, &n), 0);
  for (int p = 0; p < (int)n; p++) {
    GElf_Phdr ph;
    ck_assert_ptr_nonnull(gelf_getphdr(v.elf, p, &ph));
    if (ph.p_type == PT_LOAD)
      v.text_end = ph.p_filesz;
    if (ph.p_type == PT_DYNAMIC)
      v.dynamic = ph.p_vaddr, v.dynamic_size = ph.p_filesz;
    if (ph.p_type == PT_GNU_EH_FRAME)
      v.eh_frame_hdr = ph.p_vaddr;
  }
  return v;
}

/* The bytes at an address, of which `size` must lie in the segment. */
static const u8 *at(const struct view *v, u64 address, u64 size) {
  ck_assert_uint_le(address, v->text_end);
  ck_assert_uint_le(size, v->text_end - address);
  return v->rom->image + address;
}

static u32 word(const struct view *v, u64 address) { return ld32(at(v, address, 4)); }

static bool is64(const struct view *v) { return gelf_getclass(v->elf) == ELFCLASS64; }

/* The value of a dynamic tag, or ~0. */
static u64 dyn(const struct view *v, s64 tag) {
  u64 entry = is64(v) ? 16 : 8;
  for (u64 a = v->dynamic; a + entry <= v->dynamic + v->dynamic_size; a += entry) {
    s64 t = is64(v) ? (s64)ld64(at(v, a, 8)) : (s32)word(v, a);
    if (t == tag)
      return is64(v) ? ld64(at(v, a + 8, 8)) : word(v, a + 4);
  }
  return ~UINT64_C(0);
}

static GElf_Sym symbol_at(const struct view *v, u32 index) {
  u64 size = is64(v) ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
  const u8 *p = at(v, dyn(v, DT_SYMTAB) + index * size, size);
  GElf_Sym s;
  if (is64(v)) {
    memcpy(&s, p, sizeof s);
  } else {
    Elf32_Sym t;
    memcpy(&t, p, sizeof t);
    s = (GElf_Sym){t.st_name, t.st_info, t.st_other, t.st_shndx, t.st_value, t.st_size};
  }
  return s;
}

static const char *string_at(const struct view *v, u64 offset) {
  ck_assert_uint_lt(offset, dyn(v, DT_STRSZ));
  return (const char *)at(v, dyn(v, DT_STRTAB) + offset, 1);
}

static bool named(const struct view *v, u32 index, const char *name) {
  return !strcmp(string_at(v, symbol_at(v, index).st_name), name);
}

/* gABI 5, Hash Table: the symbol's index, or 0. */
static u32 sysv_lookup(const struct view *v, const char *name) {
  u64 table = dyn(v, DT_HASH);
  u32 buckets = word(v, table), chains = word(v, table + 4);
  u32 i = word(v, table + 8 + 4 * (elf_hash(name) % buckets));
  for (u32 steps = 0; i && steps < chains; steps++) {
    if (named(v, i, name))
      return i;
    i = word(v, table + 8 + 4 * (buckets + i));
  }
  return 0;
}

/* binutils' .gnu.hash: a Bloom filter, then chains sorted by bucket whose last entry has bit 0 set. */
static u32 gnu_lookup(const struct view *v, const char *name) {
  u64 table = dyn(v, DT_GNU_HASH), bits_per_word = is64(v) ? 64 : 32;
  u32 buckets = word(v, table), first = word(v, table + 4), words = word(v, table + 8);
  u32 shift = word(v, table + 12);
  u32 hash = elf_gnu_hash(name);
  u64 bloom_at = table + 16 + hash / bits_per_word % words * (bits_per_word / 8);
  u64 bloom = is64(v) ? ld64(at(v, bloom_at, 8)) : word(v, bloom_at);
  u64 bucket_at = table + 16 + words * (bits_per_word / 8);
  u32 i = word(v, bucket_at + 4 * (hash % buckets));
  if (!(bloom >> hash % bits_per_word & 1) || !(bloom >> (hash >> shift) % bits_per_word & 1))
    return 0;
  for (u64 chain_at = bucket_at + 4 * buckets; i; i++) {
    u32 entry = word(v, chain_at + 4 * (i - first));
    if ((entry | 1) == (hash | 1) && named(v, i, name))
      return i;
    if (entry & 1)
      return 0;
  }
  return 0;
}

/* The name of the symbol's version, whose definition must carry the right hash. */
static const char *version_of(const struct view *v, u32 index) {
  u16 wanted = ld16(at(v, dyn(v, DT_VERSYM) + 2 * index, 2));
  u64 a = dyn(v, DT_VERDEF);
  for (u64 n = dyn(v, DT_VERDEFNUM); n; n--) {
    Elf64_Verdef def; /* the same in both classes */
    memcpy(&def, at(v, a, sizeof def), sizeof def);
    ck_assert_int_eq(def.vd_version, VER_DEF_CURRENT);
    ck_assert_int_eq(def.vd_cnt, 1);
    const char *name = string_at(v, word(v, a + def.vd_aux));
    ck_assert_uint_eq(def.vd_hash, elf_hash(name));
    if (def.vd_ndx == wanted)
      return name;
    a += def.vd_next;
  }
  ck_abort_msg("symbol %u has no version definition", index);
}

START_TEST(headers_describe_one_read_execute_segment) {
  struct view v = open_image(_i);
  GElf_Ehdr eh;
  ck_assert_ptr_nonnull(gelf_getehdr(v.elf, &eh));
  ck_assert_int_eq(eh.e_ident[EI_CLASS], images[_i].class);
  ck_assert_int_eq(eh.e_machine, images[_i].machine);
  ck_assert_int_eq(eh.e_type, ET_DYN);
  ck_assert_uint_eq(eh.e_entry, v.rom->vsyscall);
  ck_assert_uint_le(v.rom->size, 2 * 4096);
  int loads = 0, dynamics = 0, eh_frames = 0;
  for (int p = 0; p < eh.e_phnum; p++) {
    GElf_Phdr ph;
    ck_assert_ptr_nonnull(gelf_getphdr(v.elf, p, &ph));
    ck_assert_uint_eq(ph.p_offset, ph.p_vaddr);
    ck_assert_uint_eq(ph.p_filesz, ph.p_memsz);
    ck_assert_uint_eq(ph.p_flags & PF_W, 0);
    ck_assert_uint_le(ph.p_vaddr + ph.p_memsz, v.text_end);
    loads += ph.p_type == PT_LOAD;
    dynamics += ph.p_type == PT_DYNAMIC;
    eh_frames += ph.p_type == PT_GNU_EH_FRAME;
    if (ph.p_type == PT_LOAD) {
      ck_assert_uint_eq(ph.p_vaddr, 0);
      ck_assert_uint_eq(ph.p_flags, PF_R | PF_X);
      ck_assert_uint_eq(ph.p_align, 4096);
    }
  }
  ck_assert_int_eq(loads, 1);
  ck_assert_int_eq(dynamics, 1);
  ck_assert_int_eq(eh_frames, 1);
  elf_end(v.elf);
}
END_TEST

START_TEST(dynamic_section_needs_no_work_of_a_loader) {
  static const s64 absent[] = {DT_NEEDED, DT_REL,  DT_RELA, DT_JMPREL,    DT_PLTGOT,
                               DT_INIT,   DT_FINI, DT_RUNPATH, DT_TEXTREL, DT_RELCOUNT};
  struct view v = open_image(_i);
  for (size_t i = 0; i < ARRAY_SIZE(absent); i++)
    ck_assert_uint_eq(dyn(&v, absent[i]), ~UINT64_C(0));
  ck_assert_str_eq(string_at(&v, dyn(&v, DT_SONAME)), images[_i].soname);
  ck_assert_uint_eq(dyn(&v, DT_SYMENT), is64(&v) ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym));
  elf_end(v.elf);
}
END_TEST

START_TEST(every_symbol_is_found_through_both_hash_tables) {
  struct view v = open_image(_i);
  u32 count = 1;
  for (const struct symbol *want = images[_i].symbols; want->name; want++, count++) {
    u32 index = sysv_lookup(&v, want->name);
    ck_assert_msg(index, "%s not in .hash", want->name);
    ck_assert_uint_eq(gnu_lookup(&v, want->name), index);
    GElf_Sym s = symbol_at(&v, index);
    ck_assert_int_eq(GELF_ST_TYPE(s.st_info), STT_FUNC);
    ck_assert_int_eq(GELF_ST_BIND(s.st_info), want->bind);
    ck_assert_uint_gt(s.st_size, 0);
    at(&v, s.st_value, s.st_size);
    ck_assert_str_eq(version_of(&v, index), want->version);
  }
  /* Nothing else is exported but the versions themselves. */
  u32 versions = (u32)dyn(&v, DT_VERDEFNUM) - 1;
  ck_assert_uint_eq(word(&v, dyn(&v, DT_HASH) + 4), count + versions);
  ck_assert_uint_eq(sysv_lookup(&v, "int80_landing_pad"), 0);
  ck_assert_uint_eq(gnu_lookup(&v, "int80_landing_pad"), 0);
  elf_end(v.elf);
}
END_TEST

/* Unaligned fields of the unwind tables, all DW_EH_PE_sdata4. */
static u64 relative(const struct view *v, u64 field, u64 base) {
  return base + (u64)(s64)(s32)word(v, field);
}

START_TEST(unwind_search_table_is_sorted_and_right) {
  struct view v = open_image(_i);
  u64 hdr = v.eh_frame_hdr;
  ck_assert_uint_eq(word(&v, hdr), 0x3b031b01); /* version 1; pcrel sdata4, udata4, datarel sdata4 */
  u32 count = word(&v, hdr + 8);
  ck_assert_uint_gt(count, 0);
  u64 last = 0;
  for (u32 i = 0; i < count; i++) {
    u64 row = hdr + 12 + 8 * i;
    u64 pc = relative(&v, row, hdr), fde = relative(&v, row + 4, hdr);
    ck_assert_uint_gt(pc, last);
    ck_assert_uint_gt(fde, relative(&v, hdr + 4, hdr + 4));
    ck_assert_uint_eq(relative(&v, fde + 8, fde + 8), pc);
    last = pc + word(&v, fde + 12) - 1;
    at(&v, pc, word(&v, fde + 12));
    u64 cie = fde + 4 - word(&v, fde + 4);
    ck_assert_uint_eq(word(&v, cie + 4), 0);
    ck_assert_uint_eq(*at(&v, cie + 8, 1), 1);
  }
  elf_end(v.elf);
}
END_TEST

/* The FDE that the search table gives for a program counter. */
static u64 fde_of(const struct view *v, u64 pc) {
  u64 hdr = v->eh_frame_hdr, found = 0;
  for (u32 i = 0; i < word(v, hdr + 8); i++)
    if (relative(v, hdr + 12 + 8 * i, hdr) <= pc)
      found = relative(v, hdr + 16 + 8 * i, hdr);
  ck_assert_uint_ne(found, 0);
  u64 start = relative(v, found + 8, found + 8);
  ck_assert_uint_le(start, pc);
  ck_assert_uint_lt(pc - start, word(v, found + 12));
  return found;
}

static const char *augmentation(const struct view *v, u64 fde) {
  return (const char *)at(v, fde + 4 - word(v, fde + 4) + 9, 4);
}

START_TEST(every_function_has_unwind_information) {
  struct view v = open_image(_i);
  for (const struct symbol *want = images[_i].symbols; want->name; want++) {
    GElf_Sym s = symbol_at(&v, sysv_lookup(&v, want->name));
    bool signal = strstr(want->name, "sigreturn") != NULL;
    u64 last = s.st_value + s.st_size - (signal ? 2 : 1); /* the trampolines end in a NOP that never runs */
    u64 fde = fde_of(&v, s.st_value);
    ck_assert_uint_eq(fde_of(&v, last), fde);
    ck_assert_str_eq(augmentation(&v, fde), signal ? "zRS" : "zR");
    /* An unwinder looks for a signal frame at the return address less one. */
    if (signal)
      ck_assert_uint_eq(fde_of(&v, s.st_value - 1), fde);
  }
  elf_end(v.elf);
}
END_TEST

/* What gdb's i386 signal trampoline sniffer looks for, and what Linux has. */
START_TEST(entry_and_trampolines_have_linux_bytes) {
  struct view v = open_image(_i);
  const struct rom_vdso *rom = v.rom;
  if (is64(&v)) {
    ck_assert_uint_eq(rom->vsyscall | rom->landing_pad | rom->sigreturn | rom->rt_sigreturn, 0);
  } else {
    size_t n = strlen(images[_i].entry);
    ck_assert_uint_eq(rom->vsyscall, symbol_at(&v, sysv_lookup(&v, "__kernel_vsyscall")).st_value);
    ck_assert_uint_eq(rom->sigreturn, symbol_at(&v, sysv_lookup(&v, "__kernel_sigreturn")).st_value);
    ck_assert_uint_eq(rom->rt_sigreturn, symbol_at(&v, sysv_lookup(&v, "__kernel_rt_sigreturn")).st_value);
    ck_assert_uint_eq(rom->landing_pad, rom->vsyscall + n);
    ck_assert_mem_eq(at(&v, rom->vsyscall, n), images[_i].entry, n);
    ck_assert_mem_eq(at(&v, rom->landing_pad, 4), "\x5d\x5a\x59\xc3", 4);
    ck_assert_mem_eq(at(&v, rom->sigreturn, 8), "\x58\xb8\x77\x00\x00\x00\xcd\x80", 8);
    ck_assert_mem_eq(at(&v, rom->rt_sigreturn, 7), "\xb8\xad\x00\x00\x00\xcd\x80", 7);
  }
  elf_end(v.elf);
}
END_TEST

START_TEST(vvar_formula) {
  struct vvar v = {0};
  vvar_publish(&v, 1000, -5, 7, 9, 11);
  ck_assert_uint_eq(v.seq, 2);
  ck_assert_uint_eq(vvar_ns(&v, VVAR_REALTIME, 12345678), 12346678);
  ck_assert_uint_eq(vvar_ns(&v, VVAR_REALTIME_COARSE, 12345678), 12001000);
  ck_assert_uint_eq(vvar_ns(&v, VVAR_MONOTONIC, 12345678), 12345673);
  ck_assert_uint_eq(vvar_ns(&v, VVAR_MONOTONIC_COARSE, 12345678), 11999995);
  ck_assert_uint_eq(vvar_ns(&v, VVAR_MONOTONIC_RAW, 0), 7);
  ck_assert_uint_eq(vvar_ns(&v, VVAR_BOOTTIME, 1), 10);
  ck_assert_uint_eq(vvar_ns(&v, VVAR_TAI, 1), 12);
  ck_assert(!vvar_has(&v, VVAR_REALTIME));
  v.clocks = 1u << VVAR_TAI | 1u << 31;
  ck_assert(vvar_has(&v, VVAR_TAI));
  ck_assert(!vvar_has(&v, VVAR_MONOTONIC));
  ck_assert(!vvar_has(&v, 31));
  ck_assert(!vvar_has(&v, UINT32_MAX));
}
END_TEST

#ifdef __x86_64__
/* The 64-bit image mapped as a program has it. */
struct native {
  struct vvar *vvar;
  int (*clock_gettime)(int, struct timespec *), (*clock_getres)(int, struct timespec *);
  int (*gettimeofday)(s64 *, s32 *);
  s64 (*time)(s64 *);
  long (*getcpu)(u32 *, u32 *, void *);
};

static struct native map_native(void) {
  struct view v = open_image(0);
  u8 *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(page, MAP_FAILED);
  u8 *image = page + VVAR_BYTES;
  memcpy(image, rom_vdso64.image, rom_vdso64.size);
  ck_assert_int_eq(mprotect(image, 2 * 4096, PROT_READ | PROT_EXEC), 0);
  struct native n = {.vvar = (struct vvar *)page};
  const struct {
    const char *name;
    void *function;
  } bind[] = {{"__vdso_clock_gettime", &n.clock_gettime}, {"__vdso_clock_getres", &n.clock_getres},
              {"__vdso_gettimeofday", &n.gettimeofday},   {"__vdso_time", &n.time},
              {"__vdso_getcpu", &n.getcpu}};
  for (size_t i = 0; i < ARRAY_SIZE(bind); i++) {
    u8 *address = image + symbol_at(&v, gnu_lookup(&v, bind[i].name)).st_value;
    memcpy(bind[i].function, &address, sizeof address);
  }
  elf_end(v.elf);
  return n;
}

static u64 tsc(void) { return __builtin_ia32_rdtsc(); }

START_TEST(native_clocks_follow_the_vvar_page) {
  struct native n = map_native();
  n.vvar->clocks = UINT32_MAX;
  s64 now = (s64)tsc();
  vvar_publish(n.vvar, INT64_C(1999999999999999999) - now, 0, 17, 3000000007, -now);
  for (u32 clock = 0; clock < VVAR_CLOCKS; clock++) {
    u64 before = vvar_ns(n.vvar, clock, tsc());
    struct timespec t = {-1, -1};
    ck_assert_int_eq(n.clock_gettime((int)clock, &t), 0);
    u64 after = vvar_ns(n.vvar, clock, tsc());
    ck_assert_int_ge(t.tv_nsec, 0);
    ck_assert_int_lt(t.tv_nsec, 1000000000);
    u64 ns = (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
    ck_assert_uint_ge(ns, before);
    ck_assert_uint_le(ns, after);
  }
}
END_TEST

START_TEST(native_clocks_without_a_bit_go_to_the_system_call) {
  struct native n = map_native();
  for (int clock = 0; clock < 16; clock++) {
    struct timespec before, t, after, res = {-1, -1}, want_res = {-1, -1};
    long r = syscall(SYS_clock_gettime, clock, &before);
    ck_assert_int_eq(n.clock_gettime(clock, &t), r ? -22 : 0);
    ck_assert_int_eq(n.clock_getres(clock, &res), r ? -22 : 0);
    if (r)
      continue;
    ck_assert_int_eq(syscall(SYS_clock_gettime, clock, &after), 0);
    ck_assert(before.tv_sec < t.tv_sec || (before.tv_sec == t.tv_sec && before.tv_nsec <= t.tv_nsec));
    ck_assert(t.tv_sec < after.tv_sec || (t.tv_sec == after.tv_sec && t.tv_nsec <= after.tv_nsec));
    ck_assert_int_eq(syscall(SYS_clock_getres, clock, &want_res), 0);
    ck_assert_int_eq(res.tv_nsec, want_res.tv_nsec);
  }
  struct timespec t;
  n.vvar->clocks = UINT32_MAX;
  ck_assert_int_eq(n.clock_gettime(-1, &t), -22);
  ck_assert_int_eq(n.clock_gettime(VVAR_CLOCKS, &t), -22);
}
END_TEST

START_TEST(native_resolutions_and_null_pointers) {
  struct native n = map_native();
  n.vvar->clocks = UINT32_MAX;
  struct timespec res;
  ck_assert_int_eq(n.clock_getres(VVAR_REALTIME, &res), 0);
  ck_assert(res.tv_sec == 0 && res.tv_nsec == 1);
  ck_assert_int_eq(n.clock_getres(VVAR_MONOTONIC_COARSE, &res), 0);
  ck_assert(res.tv_sec == 0 && res.tv_nsec == 4000000);
  ck_assert_int_eq(n.clock_getres(VVAR_MONOTONIC, NULL), 0);
  ck_assert_int_eq(n.gettimeofday(NULL, NULL), 0);
  ck_assert_int_eq(n.getcpu(NULL, NULL, NULL), 0);
}
END_TEST

START_TEST(native_time_of_day) {
  struct native n = map_native();
  n.vvar->clocks = UINT32_MAX;
  n.vvar->tz_minuteswest = -90;
  n.vvar->tz_dsttime = 1;
  s64 tv[2], t = 0;
  s32 tz[2];
  /* A tick after the second begins, the coarse seconds agree with the fine ones. */
  vvar_publish(n.vvar, INT64_C(1700000000500000000) - (s64)tsc(), 0, 0, 0, 0);
  ck_assert_int_eq(n.gettimeofday(tv, tz), 0);
  ck_assert_int_ge(tv[0], 1700000000);
  ck_assert_int_ge(tv[1], 0);
  ck_assert_int_lt(tv[1], 1000000);
  ck_assert(tv[0] > 1700000000 || tv[1] >= 500000);
  ck_assert(tz[0] == -90 && tz[1] == 1);
  ck_assert_int_ge(n.time(&t), tv[0]);
  ck_assert_int_ge(t, tv[0]);
  ck_assert_int_ge(n.time(NULL), t);
}
END_TEST

/* Linux keeps the CPU's number where LSL finds it, on this machine as on ours. */
START_TEST(native_getcpu) {
  struct native n = map_native();
  cpu_set_t one;
  u32 cpu = ~0u, node = ~0u, want_cpu = 0, want_node = 0;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
  ck_assert_int_eq(syscall(SYS_getcpu, &want_cpu, &want_node, NULL), 0);
  ck_assert_int_eq(n.getcpu(&cpu, &node, NULL), 0);
  ck_assert_uint_eq(cpu, want_cpu);
  ck_assert_uint_eq(node, want_node);
}
END_TEST
#endif

Suite *suite_vdso(void);
Suite *suite_vdso(void) {
  Suite *s = suite_create("vdso");
  TCase *t = tcase_create("image");
  int n = (int)ARRAY_SIZE(images);
  tcase_add_loop_test(t, headers_describe_one_read_execute_segment, 0, n);
  tcase_add_loop_test(t, dynamic_section_needs_no_work_of_a_loader, 0, n);
  tcase_add_loop_test(t, every_symbol_is_found_through_both_hash_tables, 0, n);
  tcase_add_loop_test(t, unwind_search_table_is_sorted_and_right, 0, n);
  tcase_add_loop_test(t, every_function_has_unwind_information, 0, n);
  tcase_add_loop_test(t, entry_and_trampolines_have_linux_bytes, 0, n);
  tcase_add_test(t, vvar_formula);
  suite_add_tcase(s, t);
#ifdef __x86_64__
  t = tcase_create("native");
  tcase_add_test(t, native_clocks_follow_the_vvar_page);
  tcase_add_test(t, native_clocks_without_a_bit_go_to_the_system_call);
  tcase_add_test(t, native_resolutions_and_null_pointers);
  tcase_add_test(t, native_time_of_day);
  tcase_add_test(t, native_getcpu);
  suite_add_tcase(s, t);
#endif
  return s;
}
