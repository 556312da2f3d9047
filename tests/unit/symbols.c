/* The debugger's symbols and lines, on programs made here by the compiler, on the guest programs, and damaged:
 * what nm(1) lists, and what labels in a source say. */
#define _GNU_SOURCE
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/unit/symbols.h"

static char dir[] = "/tmp/ringwalk-symbols-XXXXXX";
static char path[200];

static const char *in_dir(const char *name) {
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return path;
}

static void write_file(const char *name, const void *bytes, size_t n) {
  FILE *f = fopen(in_dir(name), "w");
  ck_assert_ptr_nonnull(f);
  ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
  fclose(f);
}

/* --- A program whose labels stand in known lines --- */

#define MARK(label) "__asm__ volatile(\".globl " label "\\n" label ":\\n nop\");"
static const char *const lines[] = {
    "static int data = 3;",                                     /* 1 */
    "int pair[2] = {1, 2};",                                    /* 2 */
    "",                                                         /* 3 */
    "__attribute__((noinline)) static int leaf(int n) {",       /* 4 */
    "  " MARK("leaf_5"),                                        /* 5 */
    "  return n + data;",                                       /* 6 */
    "}",                                                        /* 7 */
    "int other(int n, int m)",                                  /* 8 */
    "{",                                                        /* 9 */
    "  " MARK("other_10"),                                      /* 10 */
    "  int sum = leaf(n) + m;",                                 /* 11 */
    "  /* nothing here,",                                       /* 12 */
    "     nor here */",                                         /* 13 */
    "  " MARK("other_14"),                                      /* 14 */
    "  return sum + pair[0];",                                  /* 15 */
    "}",                                                        /* 16 */
    "__attribute__((weak)) int thin(void) { return 4; }",       /* 17 */
    "int _start(void) {",                                       /* 18 */
    "  int x = other(1, 2) + thin();",                          /* 19 */
    "  for (;;) " MARK("start_20"),                             /* 20 */
    "  return x;",                                              /* 21 */
    "}",                                                        /* 22 */
};

static const char *const builds[] = {
    "-m64 -gdwarf-5 -no-pie -static",
    "-m64 -gdwarf-4 -no-pie -static",
    "-m32 -gdwarf-5 -no-pie -static",
    "-m32 -gdwarf-4 -static-pie -fpie",
    "-m64 -gdwarf-5 -static-pie -fpie -gz",
    "-m64 -gdwarf-3 -no-pie -static -fno-asynchronous-unwind-tables", /* .debug_frame alone */
};
/* Where position-independent ones are put. */
static const u64 biases[] = {0, 0, 0, 0x56555000, UINT64_C(0x555555554000), 0};

static void make_programs(void) {
  char command[600];
  ck_assert_ptr_nonnull(mkdtemp(dir));
  FILE *f = fopen(in_dir("made.c"), "w");
  ck_assert_ptr_nonnull(f);
  for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
    fprintf(f, "%s\n", lines[i]);
  fclose(f);
  for (unsigned i = 0; i < ARRAY_SIZE(builds); i++) {
    snprintf(command, sizeof command, "cd %s && gcc -O0 -fno-stack-protector -nostdlib %s -o made%u made.c", dir,
             builds[i], i);
    ck_assert_msg(!system(command), "%s", command);
  }
}

static void remove_programs(void) {
  char command[100];
  snprintf(command, sizeof command, "rm -rf %s", dir);
  if (system(command)) fprintf(stderr, "%s remains\n", dir);
  strcpy(dir + strlen(dir) - 6, "XXXXXX");
}

static struct symbols *open_made(int i) {
  char name[20];
  snprintf(name, sizeof name, "made%d", i);
  return open_module((struct dbg_module){.name = "made", .path = in_dir(name), .bias = biases[i]});
}

START_TEST(functions_data_and_labels) {
  struct symbols *s = open_made(_i);
  struct sym f, g;
  ck_assert(named(s, "_start").addr >= biases[_i]);
  ck_assert(named(s, "leaf").function && !named(s, "leaf").weak && named(s, "thin").weak);
  ck_assert(!named(s, "data").function && !named(s, "pair").function);
  ck_assert_uint_eq(named(s, "pair").size, 8);
  ck_assert_str_eq(named(s, "pair").module, "made");
  ck_assert(named(s, "leaf_5").function && !named(s, "leaf_5").size); /* in code, without a type */
  ck_assert(!sym_named(s, "leaf_", &f) && !sym_named(s, "", &f) && !sym_named(s, "nonsense", &f));
  /* A label within a function is not what its bytes are in. */
  ck_assert(sym_at(s, named(s, "leaf_5").addr + 1, &f));
  ck_assert_str_eq(f.name, "leaf");
  f = named(s, "other");
  ck_assert(sym_at(s, f.addr, &g) && g.addr == f.addr && sym_at(s, f.addr + f.size - 1, &g) && g.addr == f.addr);
  char text[40];
  sym_name(s, f.addr, text, sizeof text);
  ck_assert_str_eq(text, "other");
  sym_name(s, f.addr + 12, text, sizeof text);
  ck_assert_str_eq(text, "other+12");
  sym_name(s, f.addr + 12, text, 5);
  ck_assert_str_eq(text, "othe");
  sym_name(s, named(s, "pair").addr + 4, text, sizeof text);
  ck_assert_str_eq(text, "pair+4");
  sym_name(s, 16, text, sizeof text);
  ck_assert_str_eq(text, "");
  sym_name(s, UINT64_MAX, text, sizeof text);
  ck_assert_str_eq(text, "");
  ck_assert(!sym_at(s, 0, &f));
  sym_close(s);
}
END_TEST

START_TEST(names_by_prefix_in_order) {
  struct symbols *s = open_made(0);
  struct sym f;
  static const char *const want[] = {"other", "other_10", "other_14"};
  for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
    ck_assert(sym_prefix(s, "oth", i, &f));
    ck_assert_str_eq(f.name, want[i]);
  }
  ck_assert(!sym_prefix(s, "oth", 3, &f) && !sym_prefix(s, "oth", UINT_MAX, &f) && !sym_prefix(s, "zzz", 0, &f));
  unsigned n = 0;
  char last[100] = "";
  while (sym_prefix(s, "", n, &f)) {
    ck_assert_int_le(strcmp(last, f.name), 0);
    snprintf(last, sizeof last, "%s", f.name);
    n++;
  }
  ck_assert_uint_gt(n, 10);
  sym_close(s);
}
END_TEST

/* The line at a label. */
static void expect_line(struct symbols *s, const char *label, unsigned line) {
  struct sym_line l;
  u64 addr = named(s, label).addr;
  ck_assert_msg(sym_line_at(s, addr, &l), "no line at %s", label);
  ck_assert_msg(l.line == line && addr >= l.addr && addr < l.end, "%s is in line %u", label, l.line);
  const char *base = strrchr(l.file, '/');
  ck_assert_str_eq(base ? base + 1 : l.file, "made.c");
}

START_TEST(lines_of_addresses) {
  struct symbols *s = open_made(_i);
  struct sym_line l;
  expect_line(s, "leaf_5", 5);
  expect_line(s, "other_10", 10);
  expect_line(s, "other_14", 14);
  expect_line(s, "start_20", 20);
  expect_line(s, "leaf", 4);
  expect_line(s, "other", 9);
  expect_line(s, "_start", 18);
  ck_assert(!sym_line_at(s, named(s, "pair").addr, &l) && !sym_line_at(s, 0, &l) && !sym_line_at(s, UINT64_MAX, &l));
  sym_close(s);
}
END_TEST

START_TEST(addresses_of_lines) {
  struct symbols *s = open_made(_i);
  unsigned found = 0;
  u64 addr = 0, here = named(s, "other").addr;
  struct sym_line l;
  ck_assert(sym_line_addr(s, "made.c", 0, 10, 0, &addr, &found));
  ck_assert(found == 10 && addr == named(s, "other_10").addr);
  ck_assert(!sym_line_addr(s, "made.c", 0, 10, 1, &addr, &found)); /* once a function */
  ck_assert(sym_line_addr(s, NULL, here, 5, 0, &addr, &found) && found == 5 && addr == named(s, "leaf_5").addr);
  ck_assert(sym_line_addr(s, "./made.c", 0, 12, 0, &addr, &found)); /* the next with code */
  ck_assert(found == 14 && addr == named(s, "other_14").addr);
  ck_assert(sym_line_addr(s, "made.c", 0, 9, 0, &addr, &found) && found == 9 && addr == here);
  ck_assert(sym_line_at(s, addr, &l) && l.line == 9);
  ck_assert(sym_line_addr(s, l.file, 0, 9, 0, &addr, &found) && addr == here);
  ck_assert(!sym_line_addr(s, "ade.c", 0, 10, 0, &addr, &found));
  ck_assert(!sym_line_addr(s, "x/made.c", 0, 10, 0, &addr, &found));
  ck_assert(!sym_line_addr(s, "made.c", 0, 23, 0, &addr, &found));
  ck_assert(!sym_line_addr(s, "made.c", 0, 0, 0, &addr, &found));
  ck_assert(!sym_line_addr(s, "", 0, 10, 0, &addr, &found));
  ck_assert(!sym_line_addr(s, NULL, 1, 10, 0, &addr, &found));
  sym_close(s);
}
END_TEST

START_TEST(prologues_are_passed) {
  struct symbols *s = open_made(_i);
  struct sym f = named(s, "other");
  ck_assert_uint_eq(sym_after_prologue(s, &f), named(s, "other_10").addr);
  f = named(s, "leaf");
  ck_assert_uint_eq(sym_after_prologue(s, &f), named(s, "leaf_5").addr);
  f = named(s, "_start");
  u64 addr, body = sym_after_prologue(s, &f);
  unsigned found;
  ck_assert(sym_line_addr(s, "made.c", 0, 19, 0, &addr, &found) && addr == body);
  f = named(s, "pair");
  ck_assert_uint_eq(sym_after_prologue(s, &f), f.addr);
  f = (struct sym){.addr = 5};
  ck_assert_uint_eq(sym_after_prologue(s, &f), 5);
  sym_close(s);
}
END_TEST

START_TEST(source_text) {
  struct symbols *s = open_made(0);
  struct sym_line l;
  ck_assert(sym_line_at(s, named(s, "leaf_5").addr, &l));
  for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
    ck_assert_str_eq(sym_source(s, l.file, i + 1), lines[i]);
  ck_assert(!sym_source(s, l.file, 0) && !sym_source(s, l.file, ARRAY_SIZE(lines) + 1) && !sym_source(s, NULL, 1));
  /* Moved: found again under a directory, by as much of its path as is left. */
  char sub[200], moved[260];
  snprintf(sub, sizeof sub, "%s/a/src", dir);
  snprintf(moved, sizeof moved, "%s/text.c", sub);
  mkdir(in_dir("a"), 0700);
  mkdir(sub, 0700);
  write_file("a/src/text.c", "first\r\n\x1b[31mred\tx\nlast", 22);
  ck_assert_ptr_null(sym_source(s, "/gone/src/text.c", 1));
  sym_add_directory(s, "/nonexistent");
  sym_add_directory(s, in_dir("a"));
  ck_assert_str_eq(sym_source(s, "/gone/src/text.c", 1), "first");
  ck_assert_str_eq(sym_source(s, "/gone/src/text.c", 2), "?[31mred\tx");
  ck_assert_str_eq(sym_source(s, "/gone/src/text.c", 3), "last");
  ck_assert_ptr_null(sym_source(s, "/gone/src/text.c", 4));
  ck_assert_str_eq(sym_source(s, moved, 1), "first");
  ck_assert_ptr_null(sym_source(s, "/dev/zero", 1));
  ck_assert_ptr_null(sym_source(s, "/tmp", 1));
  for (unsigned i = 0; i < 30; i++) { /* more files than are kept */
    char name[30];
    snprintf(name, sizeof name, "/none/%u", i);
    ck_assert_ptr_null(sym_source(s, name, 1));
  }
  ck_assert_str_eq(sym_source(s, l.file, 2), lines[1]);
  sym_close(s);
}
END_TEST

START_TEST(labels_and_a_file_by_hand) {
  static const struct dbg_label label[] = {{"entry", 0x1000}, {"leave", 0x1040}};
  struct dbg_module m = {.name = "[kernel]", .label = label, .labels = 2, .bias = 0x100000,
                         .lo = 0x101000, .hi = 0x102000};
  struct symbols *s = open_module(m);
  char text[300], err[300] = "";
  sym_name(s, 0x101000, text, sizeof text);
  ck_assert_str_eq(text, "[kernel] entry");
  sym_name(s, 0x10103f, text, sizeof text);
  ck_assert_str_eq(text, "[kernel] entry+63");
  sym_name(s, 0x101fff, text, sizeof text);
  ck_assert_str_eq(text, "[kernel] leave+4031");
  sym_name(s, 0x102000, text, sizeof text);
  ck_assert_str_eq(text, "");
  ck_assert_int_eq(sym_add(s, in_dir("made0"), 0x10000000, err, sizeof err), 0);
  struct symbols *made = open_made(0);
  ck_assert_uint_eq(named(s, "other").addr, named(made, "other").addr + 0x10000000);
  ck_assert_uint_eq(named(s, "entry").addr, 0x101000);
  expect_line(s, "other_10", 10);
  sym_close(made);
  ck_assert_int_eq(sym_add(s, in_dir("made.c"), 0, err, sizeof err), -1);
  ck_assert_msg(strstr(err, "not an ELF file") && !strncmp(err, dir, strlen(dir)), "%s", err);
  ck_assert_int_eq(sym_add(s, "/nonexistent", 0, err, sizeof err), -1);
  ck_assert_str_eq(err, "/nonexistent: No such file or directory");
  ck_assert_int_eq(sym_add(s, "/tmp", 0, err, sizeof err), -1);
  ck_assert_str_eq(err, "/tmp: not a file");
  ck_assert_uint_eq(named(s, "entry").addr, 0x101000);
  sym_close(s);
  s = open_file("/nonexistent");
  ck_assert(!sym_at(s, 0x401000, &(struct sym){0}) && !sym_prefix(s, "", 0, &(struct sym){0}));
  sym_close(s);
}
END_TEST

/* --- The guest programs --- */

static const char *const guests[] = {"x86_64/sorting", "i386/sorting", "x86_64-pie/formats", "i386-pie/hello",
                                     "musl/sorting"};

/* Each function that nm lists has its name, and its bytes are in a function of that place. */
START_TEST(what_nm_lists) {
  char command[PATH_MAX + 100], line[1000], name[900], type;
  struct symbols *s = open_file(guest(guests[_i]));
  snprintf(command, sizeof command, "nm -S --defined-only %s", guest(guests[_i]));
  FILE *p = popen(command, "r");
  ck_assert_ptr_nonnull(p);
  unsigned n = 0;
  while (fgets(line, sizeof line, p)) {
    unsigned long long addr, size;
    struct sym f = {0}, g = {0};
    if (sscanf(line, "%llx %llx %c %899s", &addr, &size, &type, name) != 4 || !strchr("tTwWdDrRbB", type)) continue;
    if (strchr("dDbB", type) && addr < 4096) continue; /* thread-local */
    if (strchr(name, '@')) *strchr(name, '@') = 0;
    if (strchr("TDRB", type)) ck_assert_msg(sym_named(s, name, &f) && f.addr == addr && f.size == size, "%s", line);
    if (size && strchr("tTwW", type)) /* two functions may overlap */
      ck_assert_msg(sym_at(s, addr + size / 2, &g) && g.addr >= addr && g.addr < addr + size, "%s", line);
    n++;
  }
  ck_assert_uint_gt(n, 100);
  pclose(p);
  sym_close(s);
}
END_TEST

/* Of a function's many names, the one that a program calls it by; and GCC's clone by its function's. */
START_TEST(plain_names_of_library_functions) {
  static const char *const names[] = {"write", "malloc", "exit", "fwrite", "raise"};
  struct symbols *s = open_file(guest("x86_64/signals"));
  char text[60];
  for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
    sym_name(s, named(s, names[i]).addr, text, sizeof text);
    ck_assert_str_eq(text, names[i]);
  }
  struct sym f = {0}, clone = {0};
  unsigned n = 0;
  while (sym_prefix(s, "", n++, &clone))
    if (strstr(clone.name, ".constprop.0")) {
      snprintf(text, sizeof text, "%.*s", (int)(strstr(clone.name, ".constprop.0") - clone.name), clone.name);
      ck_assert_msg(sym_named(s, text, &f), "%s", text);
    }
  ck_assert_ptr_nonnull(f.name);
  sym_close(s);
}
END_TEST

/* --- Damage --- */

/* Memory that is the same everywhere: the address, in each word. */
static unsigned any_read(void *opaque, u64 addr, void *buf, unsigned n) {
  (void)opaque;
  for (unsigned i = 0; i < n; i++)
    ((u8 *)buf)[i] = (u8)((addr + 8) >> (i % 8 * 8));
  return n;
}

/* Asks everything of these bytes; what comes back is nobody's business. */
static void ask_all(const u8 *bytes, size_t n, u64 bias) {
  struct symbols *s = open_module((struct dbg_module){.name = "damaged", .mem = bytes, .size = n, .bias = bias});
  struct sym f;
  struct sym_line l;
  char text[64];
  u64 addr;
  unsigned found;
  for (unsigned i = 0; i < 40 && sym_prefix(s, "", i, &f); i++) {
    for (u64 at = f.addr; at < f.addr + 40; at += 3) {
      sym_name(s, at, text, sizeof text);
      if (sym_line_at(s, at, &l) && i == 0) (void)sym_source(s, l.file, l.line);
      for (unsigned bits = 32; bits <= 64; bits += 32) {
        struct frame_regs r = marked(bits, at, 0x70000);
        bool signal;
        for (unsigned depth = 0; depth < 4; depth++)
          if (sym_unwind(s, &r, depth, &signal, any_read, NULL) == FRAME_NONE) break;
      }
    }
    sym_after_prologue(s, &f);
  }
  for (unsigned i = 1; i < 25; i++)
    sym_line_addr(s, "made.c", 0, i, i % 2, &addr, &found);
  sym_close(s);
}

static u8 *made_bytes(int i, size_t *n) {
  char name[20];
  struct stat st;
  snprintf(name, sizeof name, "made%d", i);
  FILE *f = fopen(in_dir(name), "r");
  ck_assert(f && !fstat(fileno(f), &st));
  u8 *bytes = malloc((size_t)st.st_size);
  ck_assert(bytes && fread(bytes, 1, (size_t)st.st_size, f) == (size_t)st.st_size);
  fclose(f);
  *n = (size_t)st.st_size;
  return bytes;
}

START_TEST(truncated_files) {
  size_t n;
  u8 *bytes = made_bytes(_i, &n);
  for (size_t k = 0; k < n; k += k < 0x100 ? 3 : 61)
    ask_all(bytes, k, biases[_i]);
  free(bytes);
}
END_TEST

/* From one to eight bytes changed, each time from the whole file. FLIPS in the environment: how often. */
START_TEST(flipped_bytes) {
  size_t n;
  u8 *bytes = made_bytes(_i, &n), *copy = malloc(n);
  const char *env = getenv("FLIPS");
  unsigned times = env ? (unsigned)atoi(env) : 300;
  u32 x = 12345 + (u32)_i;
  ck_assert_ptr_nonnull(copy);
  for (unsigned i = 0; i < times; i++) {
    memcpy(copy, bytes, n);
    for (unsigned k = 0; k <= i % 8; k++) {
      x = x * 1664525 + 1013904223;
      u32 at = (x >> 8) % n;
      x = x * 1664525 + 1013904223;
      static const u8 nasty[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe};
      copy[at] = x >> 31 ? nasty[(x >> 8) % sizeof nasty] : (u8)(x >> 16);
    }
    ask_all(copy, n, biases[_i]);
  }
  free(copy);
  free(bytes);
}
END_TEST

Suite *suite_symbols(void) {
  Suite *s = suite_create("symbols");
  TCase *made = tcase_create("made");
  tcase_add_unchecked_fixture(made, make_programs, remove_programs);
  tcase_add_loop_test(made, functions_data_and_labels, 0, ARRAY_SIZE(builds));
  tcase_add_test(made, names_by_prefix_in_order);
  tcase_add_loop_test(made, lines_of_addresses, 0, ARRAY_SIZE(builds));
  tcase_add_loop_test(made, addresses_of_lines, 0, ARRAY_SIZE(builds));
  tcase_add_loop_test(made, prologues_are_passed, 0, ARRAY_SIZE(builds));
  tcase_add_test(made, source_text);
  tcase_add_test(made, labels_and_a_file_by_hand);
  suite_add_tcase(s, made);
  TCase *damage = tcase_create("damage");
  tcase_add_unchecked_fixture(damage, make_programs, remove_programs);
  tcase_set_timeout(damage, 120);
  tcase_add_loop_test(damage, truncated_files, 0, ARRAY_SIZE(builds));
  tcase_add_loop_test(damage, flipped_bytes, 0, ARRAY_SIZE(builds));
  suite_add_tcase(s, damage);
  TCase *programs = tcase_create("programs");
  tcase_set_timeout(programs, 60);
  tcase_add_loop_test(programs, what_nm_lists, 0, ARRAY_SIZE(guests));
  tcase_add_test(programs, plain_names_of_library_functions);
  suite_add_tcase(s, programs);
  return s;
}
