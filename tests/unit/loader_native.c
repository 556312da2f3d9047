/* The loader against the running kernel: programs made at random, or damaged, are executed natively, and what
 * happens (the error of execve, the signal, the byte that the program reads) must be what struct image says.
 * Linux's fs/binfmt_elf.c (load_elf_binary) is the reference, and this asks it rather than quote it. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loader/loader.h"
#include "tests/unit/make_elf.h"

static const unsigned widths[] = {32, 64};

/* The end of the user's addresses under a 64-bit kernel: TASK_SIZE_MAX, and IA32_PAGE_OFFSET. */
static u64 task_size(unsigned bits) { return bits == 64 ? UINT64_C(0x7ffffffff000) : UINT64_C(0xffffe000); }

/* How a native run ended: an error of execve, an exit status, or a signal. */
struct ending {
  int error, status, signal;
};

static struct ending run(const char *path, int out) {
  int p[2], st, error = 0;
  ck_assert_int_eq(pipe(p), 0);
  pid_t pid = fork();
  ck_assert_int_ge(pid, 0);
  if (!pid) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    personality(ADDR_NO_RANDOMIZE);
    fcntl(p[1], F_SETFD, FD_CLOEXEC);
    if (out >= 0) dup2(out, 1);
    execl(path, path, (char *)NULL);
    error = errno;
    if (write(p[1], &error, sizeof error) < 0) _exit(1);
    _exit(0);
  }
  close(p[1]);
  if (read(p[0], &error, sizeof error) != sizeof error) error = 0;
  close(p[0]);
  ck_assert_int_eq(waitpid(pid, &st, 0), pid);
  if (error) return (struct ending){.error = error};
  return WIFEXITED(st) ? (struct ending){.status = WEXITSTATUS(st)} : (struct ending){.signal = WTERMSIG(st)};
}

static struct ending run_made(struct made *m) {
  char path[] = "/tmp/ringwalk-native-XXXXXX";
  int fd = mkstemp(path);
  ck_assert_int_ge(fd, 0);
  close(fd);
  made_finish(m);
  ck_assert(write_program(path, m->bytes, m->size));
  struct ending e = run(path, -1);
  unlink(path);
  return e;
}

/* Some kernels run no i386 programs, and before 6.7 Linux treated a middle segment's zero pages otherwise (to
 * 6.10, a static position-independent program's place): there is nothing to compare with then. */
static bool runs_natively(unsigned bits) {
  static struct made m;
  struct utsname u;
  unsigned major = 0, minor = 0;
  if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2) return false;
  if (major < 6 || (major == 6 && minor < 10)) return false;
  make_elf(&m, bits);
  struct ending e = run_made(&m);
  ck_assert(bits == 32 || e.status == 42);
  return e.status == 42;
}

/* --- Acceptance --- */

/* Refusals before the old program is gone are errors of execve; later ones kill. */
static void same_verdict(struct made *m, const char *what) {
  struct image img;
  char err[256] = "";
  struct ending native = run_made(m);
  int e = ldr_from_memory(m->bytes, m->size, what, &img, err, sizeof err);
  if (!e) e = ldr_check_range(&img, 0, task_size(m->bits), err, sizeof err);
  if (!e) ck_assert_msg(!native.error && native.status == 42, "%s: accepted, natively %d, signal %d", what,
                        native.error, native.signal);
  else if (e == -EINVAL) ck_assert_msg(native.signal, "%s: %s; natively status %d, error %d", what, err,
                                       native.status, native.error);
  else ck_assert_msg(native.error == -e, "%s: %s; natively error %d, signal %d", what, err, native.error,
                     native.signal);
  ldr_close(&img);
}

/* One header field changed at a time. What Linux starts and this loader refuses on purpose (a file cut short,
 * nothing to load) is in loader.c. */
START_TEST(verdicts) {
  static struct made m;
  unsigned w = widths[_i];
  u64 top = w == 64 ? UINT64_MAX : UINT32_MAX;
  if (!runs_natively(w)) return;
#define TRY(change) do { make_elf(&m, w); m.size = 0x2000; change; same_verdict(&m, #change); } while (0)
#define LOAD(...) made_add(&m, (Elf64_Phdr){.p_type = PT_LOAD, __VA_ARGS__})
  TRY((void)0);
  TRY(m.eh.e_ident[0] = 0);
  TRY(memset(m.eh.e_ident + 4, 0xcc, 12));
  TRY(m.eh.e_ident[EI_OSABI] = ELFOSABI_GNU);
  for (unsigned osabi = 1; osabi < 256; osabi = osabi < 18 ? osabi + 1 : osabi * 2 + 1)
    TRY(m.eh.e_ident[EI_OSABI] = (u8)osabi);
  TRY(m.eh.e_version = 77);
  TRY(m.eh.e_ehsize = 0);
  TRY(m.eh.e_shoff = UINT32_MAX);
  TRY(m.eh.e_shnum = 0xffff);
  TRY(m.eh.e_type = ET_REL);
  TRY(m.eh.e_type = ET_CORE);
  TRY(m.eh.e_type = ET_DYN);
  TRY(m.eh.e_machine = EM_AARCH64);
  TRY(m.eh.e_machine = w == 64 ? EM_386 : EM_X86_64);
  TRY(if (w == 32) m.eh.e_machine = 6); /* EM_486 */
  TRY(m.eh.e_phentsize = 0);
  TRY(m.eh.e_phentsize += 8);
  TRY(m.eh.e_phnum = 0);
  TRY(m.eh.e_phnum = 1);
  TRY(m.eh.e_phnum = PN_XNUM);
  TRY(m.eh.e_phoff = 0x1fff);
  TRY(m.eh.e_phoff = top);
  TRY(m.ph[0].p_align = 3);
  TRY(m.ph[0].p_align = 0);
  TRY(m.ph[0].p_align = top);
  TRY(m.ph[0].p_align = UINT64_C(1) << (w - 1));
  TRY(m.ph[0].p_paddr = 0x123);
  TRY(m.ph[0].p_memsz = 0xfff);
  TRY(m.ph[0].p_memsz = 0x100001);
  TRY(m.ph[0].p_offset = 0x10);
  TRY(m.ph[0].p_vaddr = task_size(w));
  TRY(LOAD(.p_vaddr = 0x600000));
  TRY(LOAD(.p_vaddr = 0x600000, .p_memsz = 1, .p_offset = 0x777777));
  TRY(LOAD(.p_vaddr = 0x600010, .p_offset = 0x1010, .p_filesz = 0x10, .p_memsz = 0x10));
  TRY(LOAD(.p_vaddr = 0x600010, .p_offset = 0x1011, .p_filesz = 0x10, .p_memsz = 0x10));
  TRY(LOAD(.p_vaddr = 0x200010, .p_offset = 0x1010, .p_filesz = 0x10, .p_memsz = 0x10));
  TRY(LOAD(.p_vaddr = 0x600010, .p_offset = 0x1010, .p_filesz = 0x10, .p_memsz = 0xf));
  TRY(LOAD(.p_vaddr = 0x600010, .p_memsz = 0x10));
  /* Beyond the file's end, where nobody looks. */
  TRY(LOAD(.p_vaddr = 0x600000, .p_offset = 0x2000, .p_filesz = 0x1000, .p_memsz = 0x1000));
  TRY(LOAD(.p_vaddr = 0x600000, .p_offset = 0x7654000, .p_filesz = 0x1000, .p_memsz = 0x1000));
  TRY(LOAD(.p_vaddr = 0x600000, .p_offset = 0x1000, .p_filesz = 0x9876, .p_memsz = 0x9876));
  TRY(LOAD(.p_vaddr = 0x600000, .p_offset = 0x1000, .p_filesz = 0x9000, .p_memsz = 0x12345, .p_flags = PF_R | PF_W));
  TRY(LOAD(.p_vaddr = 0x600000, .p_offset = 0x1000, .p_filesz = 0x9876, .p_memsz = 0x12345, .p_flags = PF_R));
  TRY(LOAD(.p_vaddr = 0x600000, .p_offset = 0x1000, .p_filesz = 0x1234, .p_memsz = 0x12345, .p_flags = PF_R | PF_W);
      m.size = 0x2001);
  TRY(if (w == 64) LOAD(.p_vaddr = 0x600000, .p_offset = top - 0xfff, .p_filesz = 1, .p_memsz = 1));
  TRY(LOAD(.p_vaddr = task_size(w)));
  TRY(LOAD(.p_vaddr = task_size(w) - 1));
  TRY(LOAD(.p_vaddr = 0x600000, .p_memsz = task_size(w)));
  TRY(LOAD(.p_vaddr = 0x600000, .p_memsz = top));
  TRY(LOAD(.p_vaddr = top, .p_memsz = 0));
  TRY(LOAD(.p_vaddr = top, .p_memsz = 2));
  TRY(LOAD(.p_vaddr = top & ~UINT64_C(0xfff), .p_memsz = 0x1000));
  TRY(made_add(&m, (Elf64_Phdr){.p_type = PT_TLS, .p_vaddr = top, .p_filesz = top, .p_offset = top}));
  TRY(made_add(&m, (Elf64_Phdr){.p_type = PT_PHDR, .p_vaddr = top, .p_filesz = top, .p_offset = top}));
  TRY(made_add(&m, (Elf64_Phdr){.p_type = 0x60000000, .p_vaddr = top, .p_filesz = top}));
  TRY(made_add(&m, (Elf64_Phdr){.p_type = PT_INTERP, .p_filesz = 1, .p_offset = 0x1800}));
  TRY(made_add(&m, (Elf64_Phdr){.p_type = PT_INTERP, .p_filesz = 4097, .p_offset = 0x800}));
  TRY(made_add(&m, (Elf64_Phdr){.p_type = PT_INTERP, .p_filesz = 9, .p_offset = 0x2000}));
  TRY(memset(m.bytes + 0x1800, 'x', 9); made_add(&m, (Elf64_Phdr){.p_type = PT_INTERP, .p_filesz = 9,
                                                                  .p_offset = 0x1800}));
#undef LOAD
#undef TRY
}
END_TEST

/* An entry that nothing maps is accepted, and faults; one beyond the user's addresses is not. */
START_TEST(entries) {
  static struct made m;
  unsigned w = widths[_i];
  if (!runs_natively(w)) return;
  const u64 at[] = {0, 0x10000, 0x3fffff, 0x402000, task_size(w) - 1, task_size(w)};
  for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
    struct image img;
    make_elf(&m, w);
    m.eh.e_entry = at[i];
    struct ending native = run_made(&m);
    ck_assert_int_eq(native.signal, SIGSEGV);
    ck_assert_int_eq(ldr_from_memory(m.bytes, m.size, "made", &img, NULL, 0), 0);
    int e = ldr_check_range(&img, 0, task_size(w), NULL, 0);
    ck_assert_int_eq(e, at[i] < task_size(w) ? 0 : -EINVAL);
    ldr_close(&img);
  }
}
END_TEST

/* --- Memory --- */

/* A program that loads a byte and exits with it, or stores 7 there first. */
static void put_code(struct made *m, u64 addr, bool store) {
  u8 *p = m->bytes + MADE_CODE;
  if (m->bits == 64) *p++ = 0x48;
  *p++ = 0xbe; /* mov $addr,%esi or %rsi */
  memcpy(p, &addr, m->bits / 8);
  p += m->bits / 8;
  if (store) {
    static const u8 mov7[] = {0xc6, 0x06, 7}; /* movb $7,(%rsi) */
    memcpy(p, mov7, 3);
    p += 3;
  }
  /* movzbl (%rsi),%edi; mov $60,%eax; syscall  and  movzbl (%esi),%ebx; mov $1,%eax; int $0x80 */
  static const u8 exit64[] = {0x0f, 0xb6, 0x3e, 0xb8, 60, 0, 0, 0, 0x0f, 0x05};
  static const u8 exit32[] = {0x0f, 0xb6, 0x1e, 0xb8, 1, 0, 0, 0, 0xcd, 0x80};
  memcpy(p, m->bits == 64 ? exit64 : exit32, sizeof exit64);
}

/* What struct image says of an address: the byte there, and may it be read and written. */
struct place {
  bool mapped;
  u8 flags, byte;
};

static struct place look(const struct image *img, u64 a) {
  struct place p = {0};
  for (unsigned i = 0; i < img->nseg; i++) {
    const struct ldr_segment *s = &img->seg[i];
    if (a >= s->file_lo && a < s->file_hi) {
      p = (struct place){.mapped = true, .flags = s->flags};
      /* Beyond the file's end, its last page is zero. */
      if (ldr_read(img, s->file_off + (a - s->file_lo), &p.byte, 1)) p.byte = 0;
    }
    if (a >= s->zero_lo && a < s->zero_hi) p.byte = 0;
    if (a >= s->anon_lo && a < s->anon_hi) p = (struct place){.mapped = true, .flags = s->anon_flags};
  }
  return p;
}

static u32 rnd(u32 *seed) { return (*seed = *seed * 1664525 + 1013904223) >> 8; }

/* Segments of 0 to 2 pages in an area of 8, so that they adjoin, overlap and come in any order. */
static void random_segments(struct made *m, u32 *seed) {
  static const u8 flags[] = {PF_R | PF_W, PF_R | PF_W, PF_R, PF_R | PF_X, PF_R | PF_W | PF_X, 0, PF_W};
  static const u64 sizes[] = {0, 1, 0x20, 0xfff, 0x1000, 0x1001};
  unsigned n = 1 + rnd(seed) % 4;
  m->size = 0x5000 - rnd(seed) % 3 * 0x7d0;
  for (size_t i = 0x1000; i < m->size; i++) m->bytes[i] = (u8)(1 + (i * 37 + (i >> 8)) % 251);
  while (n--) {
    u64 vaddr = 0x600000 + rnd(seed) % 8 * 0x1000 + (rnd(seed) % 2 ? rnd(seed) % 0x1000 : 0);
    u64 offset = 0x1000 + rnd(seed) % 4 * 0x1000 + (vaddr & 0xfff);
    u64 filesz = rnd(seed) % 2 ? rnd(seed) % 0x1800 : sizes[rnd(seed) % ARRAY_SIZE(sizes)];
    if (offset > m->size) offset = 0x1000 + (vaddr & 0xfff);
    if (filesz > m->size - offset) filesz = m->size - offset;
    made_add(m, (Elf64_Phdr){.p_type = PT_LOAD,
                             .p_flags = flags[rnd(seed) % ARRAY_SIZE(flags)],
                             .p_vaddr = vaddr,
                             .p_offset = offset,
                             .p_filesz = filesz,
                             .p_memsz = filesz + (rnd(seed) % 2 ? rnd(seed) % 0x2000 : 0)});
  }
}

/* The addresses where something may change. */
static u64 interesting(const struct made *m, u32 *seed) {
  const Elf64_Phdr *p = &m->ph[2 + rnd(seed) % (m->nph - 2)];
  const u64 at[] = {p->p_vaddr, p->p_vaddr + p->p_filesz, p->p_vaddr + p->p_memsz,
                    (p->p_vaddr + p->p_filesz) | 0xfff, (p->p_vaddr + p->p_memsz + 0xfff) & ~UINT64_C(0xfff),
                    p->p_vaddr & ~UINT64_C(0xfff), 0x600000 + rnd(seed) % 0xa000};
  return at[rnd(seed) % ARRAY_SIZE(at)] - rnd(seed) % 2;
}

START_TEST(random_layouts) {
  static struct made m;
  unsigned w = widths[_i], faults = 0, bytes = 0;
  u32 seed = 12345 + w;
  if (!runs_natively(w)) return;
  for (unsigned n = 0; n < 500; n++) {
    struct image img;
    char err[256] = "";
    make_elf(&m, w);
    random_segments(&m, &seed);
    u64 addr = interesting(&m, &seed);
    bool store = rnd(&seed) % 3 == 0;
    put_code(&m, addr, store);
    struct ending native = run_made(&m);
    ck_assert_int_eq(native.error, 0);
    int e = ldr_from_memory(m.bytes, m.size, "made", &img, err, sizeof err);
    ck_assert_msg(!e, "refused: %s", err);
    struct place p = look(&img, addr);
    ldr_close(&img);
    /* An x86 page that can be written or executed can be read. */
    bool ok = p.mapped && p.flags && (!store || (p.flags & LDR_W));
    int byte = store ? 7 : p.byte;
    bool same = ok ? !native.signal && native.status == byte : native.signal == SIGSEGV;
    ck_assert_msg(same, "%u: %s %#llx: %s %d, natively status %d, signal %d", n, store ? "store" : "load",
                  (unsigned long long)addr, ok ? "byte" : "fault, not", byte, native.status, native.signal);
    if (ok) bytes++;
    else faults++;
  }
  ck_assert_uint_gt(bytes, 100);
  ck_assert_uint_gt(faults, 100);
}
END_TEST

/* --- What the program is told --- */

/* The auxiliary vector and the program break of a real program: PHDR PHENT PHNUM ENTRY BRK. */
static const char asks_c[] =
  "#include <stdio.h>\n"
  "#include <stdlib.h>\n"
  "#include <string.h>\n"
  "#include <sys/auxv.h>\n"
  "int main(void) {\n"
  "  char l[200];\n"
  "  unsigned long brk = 0;\n"
  "  free(malloc(99999));\n"
  "  FILE *f = fopen(\"/proc/self/maps\", \"r\");\n"
  "  while (!brk && fgets(l, 200, f)) if (strstr(l, \"[heap]\")) brk = strtoul(l, 0, 16);\n"
  "  printf(\"%#lx %lu %lu %#lx %#lx\\n\", getauxval(3), getauxval(4), getauxval(5), getauxval(9), brk);\n"
  "  return 0;\n"
  "}\n";

static void compare_auxv(unsigned w, const char *flags, bool pie) {
  char dir[] = "/tmp/ringwalk-auxv-XXXXXX", cmd[160], err[256] = "";
  ck_assert(mkdtemp(dir) && !chdir(dir));
  ck_assert(write_program("asks.c", asks_c, strlen(asks_c)));
  snprintf(cmd, sizeof cmd, "gcc -m%u %s asks.c -o asks", w, flags);
  ck_assert_msg(!system(cmd), "failed: %s", cmd);
  int out = open("out", O_CREAT | O_RDWR, 0600);
  struct ending native = run("./asks", out);
  close(out);
  ck_assert(!native.error && !native.signal && !native.status);
  unsigned long long phdr, entry, brk;
  unsigned phent, phnum;
  FILE *f = fopen("out", "r");
  ck_assert(f && fscanf(f, "%llx %u %u %llx %llx", &phdr, &phent, &phnum, &entry, &brk) == 5);
  fclose(f);

  struct image img;
  ck_assert_msg(!ldr_open("asks", &img, err, sizeof err), "%s", err);
  u64 bias = pie ? entry - img.entry : 0;
  ck_assert_int_eq(img.pie, pie);
  ck_assert_uint_eq(bias % LDR_PAGE, 0);
  ck_assert_uint_eq(phdr, img.phdr + bias);
  ck_assert_uint_eq(entry, img.entry + bias);
  ck_assert_uint_eq(phent, img.phent);
  ck_assert_uint_eq(phnum, img.phnum);
  /* Linux may move a position-independent program's break to another place altogether. */
  if (!pie) ck_assert_uint_eq(brk, img.brk);
  ldr_close(&img);
  snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
  ck_assert(!chdir("/") && !system(cmd));
}

START_TEST(auxiliary_vector) {
  unsigned w = widths[_i];
  if (!runs_natively(w)) return;
  compare_auxv(w, "-static", false);
  compare_auxv(w, "-static-pie", true);
  compare_auxv(w, "-static -Wl,-z,noseparate-code -Wl,-Ttext-segment=0x10000000", false);
}
END_TEST

Suite *suite_loader_native(void);
Suite *suite_loader_native(void) {
  Suite *s = suite_create("loader_native");
  TCase *tc = tcase_create("kernel");
  tcase_set_timeout(tc, 300);
  tcase_add_loop_test(tc, verdicts, 0, 2);
  tcase_add_loop_test(tc, entries, 0, 2);
  tcase_add_loop_test(tc, random_layouts, 0, 2);
  tcase_add_loop_test(tc, auxiliary_vector, 0, 2);
  suite_add_tcase(s, tc);
  return s;
}
