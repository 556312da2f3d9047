/* What a .vec file may get wrong beyond its grammar (values that there are none of, or that do not fit), inputs of any
 * bytes, registers of more than 64 bits, and reports about files of any name. docs/conformance.md has the format. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "vectors/vec.h"

#define HEAD "# SDM 2A NOP\nvector v\ncpu intel\nmode long64\n"

static struct vec_file *parse_good(const char *name, const char *text) {
  struct vec_error err;
  struct vec_file *f = vec_parse(name, text, strlen(text), &err);
  ck_assert_msg(f != NULL, "%s", err.text);
  return f;
}

/* Runs a file of that name; what TAP and JUnit say, for the caller to free. */
static void run(const char *name, const char *text, char **tap, char **junit, unsigned *passed, unsigned *failed) {
  struct vec_file *f = parse_good(name, text);
  size_t tap_n, junit_n;
  struct vec_options o = {.vendors = VENDORS_BOTH, .tap = open_memstream(tap, &tap_n),
                          .junit = open_memstream(junit, &junit_n)};
  struct vec_runner *r = vec_runner_new(&o);
  ck_assert(o.tap && o.junit && r);
  ck_assert_int_eq(vec_run_file(r, f), 0);
  (void)vec_run_end(r, passed, failed);
  vec_runner_free(r);
  vec_free(f);
  fclose(o.tap);
  fclose(o.junit);
}

/* ---- errors of a case ---- */

static const struct {
  const char *lines, *says;
} senseless[] = {
    {"reg rax=1/0\n", "f:5:10: division by 0"},
    {"for n in 0\nreg rax=3 % n\n", "f:6:11: division by 0"},
    {"reg rax=1 << 64\n", "f:5:11: a shift by 64"},
    {"reg rax=rbx >> (1 - 2)\n", "f:5:13: a shift by 18446744073709551615"},
    {"if 1/0 reg rax=1\n", "f:5:5: division by 0"},
    {"for n in 8/0\n", "f:5:11: division by 0"},
    {"want rax=1/0\n", "f:5:11: division by 0"},
    {"want if 1/0 fault #UD\n", "f:5:10: division by 0"},
    {"cpl 4\n", "f:5:5: cpl: 0x4 does not fit in 2 bits"},
    {"reg rax=u64[ram]\n", "f:5:9: address 0x80000 is outside"},
    {"mem u8[ram]=1\n", "f:5:5: address 0x80000 is outside"},
    {"gdt 0x1e0 code64\n", "f:5:5: selector 0x1e0 is beyond gdtr.limit, 0x1df: set that first"},
    {"gdt 0x10000 code64\n", "f:5:5: selector: 0x10000 does not fit in 16 bits"},
    {"gdt 0x80 code64 dpl=4\n", "f:5:21: dpl: 0x4 does not fit in 2 bits"},
    {"gdt 0x80 data limit=0x100000\n", "f:5:21: limit: 0x100000 does not fit in 20 bits"},
    {"idt 256 trap\n", "f:5:5: vector: 0x100 does not fit in 8 bits"},
    {"idt 0x80 trap ist=8\n", "f:5:19: ist: 0x8 does not fit in 3 bits"},
    {"interrupt 0x100\n", "f:5:11: vector: 0x100 does not fit in 8 bits"},
    {"want deliver 0x100\n", "f:5:14: vector: 0x100 does not fit in 8 bits"},
    {"for x in 3..1\n", "f:5:10: the range 0x3..0x1 runs backwards"},
    {"for x in 0..199999\nfor y in 0 1\n", "f:6:5: vector v has more than 200000 cases: narrow a 'for'"},
    {"for x in 0..0xffffffffffffffff\n", "f:5:5: vector v has more than 200000 cases"},
    {"steps 0\n", "f:5:1: steps are 1 to 10000"},
    {"page ram p=0\n", "f:5:1: address 0x80000 is outside"},
    {"gdt 0x14 data\n", "f:5:5: no LDT is loaded"},
    {"tss esp0=7\n", "f:5:5: the TSS of mode long64 has no esp0"},
    {"mode prot32\nskip if long\ntss iomap=0x88 ist1=5\n", "f:7:16: the TSS of mode prot32 has no ist1"},
    {"mode prot32\nskip if long\nidt 3 interrupt ist=5\n", "f:7:21: mode prot32 has no ist in a gate"},
    {"mode prot32\nskip if long\nidt 3 interrupt offset=0x100000000\n", "f:7:24: offset: 0x100000000 does not fit in 32 bits"},
    {"mode real\nskip if long\nidt 3 interrupt dpl=3\n", "f:7:21: mode real has no dpl in a gate"},
    {"want any u64[data]\nwant u32[data+4]=5\n", "f:6:6: of 8 bytes that 'any' leaves open this is a part"},
    {"for cpl in 2..4\nskip if cpl < 4\n", "f:5:5: cpl: 0x4 does not fit in 2 bits"},
};

static int plan_case(void *opaque, const struct vec_case *c) {
  struct vec_plan plan;
  ck_assert_int_eq(vec_plan_init(&plan), 0);
  int r = vec_plan(c, model_default(c->vendor), NULL, &plan, opaque);
  vec_plan_free(&plan);
  return r <= 0; /* 1: on to the next case */
}

static int pass_by(void *opaque, const struct vec_case *c) {
  (void)opaque, (void)c;
  return 0;
}

START_TEST(senseless_values_have_their_place) {
  char text[512];
  struct vec_error err = {""}, planned = {""};
  snprintf(text, sizeof text, HEAD "%shex 90\nwant rip=next\n", senseless[_i].lines);
  struct vec_file *f = parse_good("f", text);
  bool many = vec_cases(f, &f->vector[0], pass_by, NULL, &err) < 0;
  if (!many) (void)vec_cases(f, &f->vector[0], plan_case, &planned, &err);
  const char *said = many ? err.text : planned.text;
  ck_assert_msg(!strncmp(said, senseless[_i].says, strlen(senseless[_i].says)), "%s\nexpected %s", said, senseless[_i].says);
  vec_free(f);
}
END_TEST

/* Each has a way out. */
START_TEST(ways_out) {
  static const char *const fine[] = {
      "for n in 0 1\nskip if !n\nreg rax=1/n\n", "for n in 0 1\nreg rax=n ? 1/n : 0\n", "for n in 0 1\nif n && 1/n reg rax=2\n",
      "reg gdtr.limit=0x1e7\ngdt 0x1e0 code64\n", "seg ldtr null sel=0\ngdt 0x14 data\n",
      "want if 1 any u64[data]\nwant u64[data+8]+=0 u8[data-1]+=0\n", "for n in 0 1\nskip if feature(fpu) && n\n",
      "reg rax=-1 rbx=~0\n", "gdt 0x80 code64 dpl=-1\n",
  };
  for (unsigned k = 0; k < ARRAY_SIZE(fine); k++) {
    char text[512], *tap, *junit;
    unsigned passed, failed;
    snprintf(text, sizeof text, HEAD "%shex 90\nwant rip=next\n", fine[k]);
    run("f", text, &tap, &junit, &passed, &failed);
    ck_assert_msg(passed && !failed, "%s: %s", fine[k], tap);
    free(tap);
    free(junit);
  }
}
END_TEST

/* A vector whose cases cannot be counted is one failure; the others run. */
START_TEST(the_rest_of_the_file_runs) {
  char *tap, *junit;
  unsigned passed, failed;
  run("f", HEAD "for x in 3..1\nhex 90\nwant rip=next\n# SDM 2A NOP\nvector w\ncpu intel\nmode long64\nhex 90\nwant rip=next\n",
      &tap, &junit, &passed, &failed);
  ck_assert_uint_eq(passed, 1);
  ck_assert_uint_eq(failed, 1);
  ck_assert_ptr_nonnull(strstr(tap, "not ok 1 - f:v all cases\n"));
  ck_assert_ptr_nonnull(strstr(tap, "# f:5:10: the range"));
  free(tap);
  free(junit);
}
END_TEST

/* A `skip if` that leaves nothing is a failure with a place, unless it is for the model, or for a vendor not asked for. */
START_TEST(no_case_is_left) {
  static const struct {
    const char *lines, *says;
    unsigned failed;
  } t[] = {
      {"for x in 1 2\nskip if x < 3\n", "# f:6:11: vector v has no case: 'skip if' leaves out all\n", 1},
      {"let x = 2\nskip if !amd\nskip if x\n", "# f:6:9: vector v has no case", 1},
      {"skip if feature(fpu)\n", "ok 1 - f:v all cases # SKIP no case for this model\n", 0},
      {"let x = canonical_bits\nskip if x >= 48\n", "# SKIP no case for this model\n", 0},
  };
  for (unsigned k = 0; k < ARRAY_SIZE(t); k++) {
    char text[512], *tap, *junit;
    unsigned passed, failed;
    snprintf(text, sizeof text, HEAD "%shex 90\nwant rip=next\n", t[k].lines);
    run("f", text, &tap, &junit, &passed, &failed);
    ck_assert_msg(!passed && failed == t[k].failed && strstr(tap, t[k].says), "%s: %s", t[k].lines, tap);
    free(tap);
    free(junit);
  }
}
END_TEST

/* Of `any` and a value the later line counts. */
START_TEST(open_and_expected) {
  static const struct {
    const char *lines;
    bool good;
  } t[] = {
      {"want any rax\nwant rax=12345\n", false},
      {"want rax=12345\nwant any rax\n", true},
      {"want any rax rbx\nwant rax+=0\n", true},
      {"want any rflags\nwant flags +cf\n", false},
      {"want any xmm0\nwant xmm0=5\n", false},
      {"want any u32[data] u8[data+4]\nwant u64[data]=1\n", false},
      {"want u64[data]=1\nwant any u64[data]\n", true},
  };
  for (unsigned k = 0; k < ARRAY_SIZE(t); k++) {
    char text[512], *tap, *junit;
    unsigned passed, failed;
    snprintf(text, sizeof text, HEAD "hex 90\nwant rip=next\n%s", t[k].lines);
    run("f", text, &tap, &junit, &passed, &failed);
    ck_assert_msg(passed == t[k].good && failed == !t[k].good, "%s: %s", t[k].lines, tap);
    free(tap);
    free(junit);
  }
}
END_TEST

/* ---- any bytes ---- */

#define TEXT(s) {s, sizeof s - 1}
static const struct {
  const char *bytes;
  size_t n;
} damaged[] = {
    TEXT(""), TEXT("\0"), TEXT("\n\n\n"), TEXT("\r\n\r\n"), TEXT("\xef\xbb\xbf# SDM 2A NOP\nvector v\n"), TEXT("#"), TEXT("##\0#"),
    TEXT("vector"), TEXT("vector \xff"), TEXT("vector v v"), TEXT("# SDM 2A NOP\nvector v.w\n"), TEXT("# SDM 2A NOP\nvector ..\n"),
    TEXT("# SDM 2A NOP\nvector 0\n"), TEXT("# SDM 2A NOP\nvector v\ncpu\nmode\n"), TEXT("# SDM 2A NOP\nvector v\ncpu +\n"),
    TEXT("# SDM 2A NOP\nvector v\ncpu intel +nothing\n"), TEXT("# SDM 2A NOP\nvector v\ncpu +-+-\n"),
    TEXT(HEAD "hex {\n"), TEXT(HEAD "hex {1\n"), TEXT(HEAD "hex {}\n"), TEXT(HEAD "hex {{1}}\n"), TEXT(HEAD "hex 9 0\n"), TEXT(HEAD "hex 90\0"),
    TEXT(HEAD "asm {\n"), TEXT(HEAD "asm }{\n"), TEXT(HEAD "asm {1}{2}{3}{4}{5}{6}{7}{8}{9}\n"), TEXT(HEAD "asm mov {\xff}\n"),
    TEXT(HEAD "for\n"), TEXT(HEAD "for x\n"), TEXT(HEAD "for x in ..\n"), TEXT(HEAD "for x in 1..\n"), TEXT(HEAD "for x in 1....2\n"),
    TEXT(HEAD "let\n"), TEXT(HEAD "let x\n"), TEXT(HEAD "let x=\n"), TEXT(HEAD "let rax=1\nlet rax=2\n"), TEXT(HEAD "skip if\n"),
    TEXT(HEAD "if\n"), TEXT(HEAD "if 1\n"), TEXT(HEAD "if 1 if 1 hex 90\n"), TEXT(HEAD "want want\n"), TEXT(HEAD "want if if\n"),
    TEXT(HEAD "reg xmm0=\n"), TEXT(HEAD "reg xmm0=1:\n"), TEXT(HEAD "reg xmm0=:1\n"), TEXT(HEAD "reg xmm0|=1\n"), TEXT(HEAD "reg xmm0.mid=1\n"),
    TEXT(HEAD "reg rax=st0\n"), TEXT(HEAD "reg xmm16=1\n"), TEXT(HEAD "reg st8=1\n"), TEXT(HEAD "reg .lo=1\n"), TEXT(HEAD "reg rax=0x\n"),
    TEXT(HEAD "mem u64[\n"), TEXT(HEAD "mem u64[]=1\n"), TEXT(HEAD "reg rax=u64[u64[u64[\n"), TEXT(HEAD "gdt\n"), TEXT(HEAD "idt 1\n"),
    TEXT(HEAD "want frame8 rsp:\n"), TEXT(HEAD "want frame8 rsp: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"), TEXT(HEAD "want any\n"),
    TEXT(HEAD "want any 5\n"), TEXT(HEAD "want fault\n"), TEXT(HEAD "want fault #\n"), TEXT(HEAD "want fault ##\n"),
    TEXT(HEAD "want deliver\n"), TEXT(HEAD "task32\n"), TEXT(HEAD "want saved32 0 link=\n"), TEXT(HEAD "disputed \0\n"),
    TEXT(HEAD "reg rax=1?2\n"), TEXT(HEAD "reg rax=1?2:\n"), TEXT(HEAD "reg rax=handler\n"), TEXT(HEAD "reg rax=handler(\n"),
    TEXT(HEAD "reg rax=99999999999999999999999999\n"), TEXT(HEAD "reg rax=0x1_0000_0000_0000_0000\n"), TEXT(HEAD "flags\n"), TEXT(HEAD "flags +\n"),
    TEXT(HEAD "flags iopl=\n"), TEXT(HEAD "seg\n"), TEXT(HEAD "seg cs.sel sel=1\n"), TEXT(HEAD "seg rax sel=1\n"), TEXT(HEAD "steps 1 2\n"),
};

START_TEST(any_bytes_are_refused) {
  struct vec_error err = {""};
  unsigned line = 0, col = 0;
  char *copy = malloc(damaged[_i].n ? damaged[_i].n : 1); /* its end is where an overrun is seen */
  ck_assert_ptr_nonnull(copy);
  memcpy(copy, damaged[_i].bytes, damaged[_i].n);
  struct vec_file *f = vec_parse("f", copy, damaged[_i].n, &err);
  free(copy);
  if (f) ck_assert_msg(!f->vectors, "accepted: %s", damaged[_i].bytes); /* nothing but comments and empty lines */
  else ck_assert_msg(sscanf(err.text, "f:%u:%u: ", &line, &col) == 2 && line && col, "%s", err.text);
  vec_free(f);
}
END_TEST

/* ---- registers of more than 64 bits ---- */

START_TEST(wide_registers) {
  static const struct {
    const char *lines;
    bool good;
  } t[] = {
      {"hex 0f 28 c1\nreg xmm1=0x1122334455667788:5\nwant rip=next xmm0=0x1122334455667788:5\n", true}, /* MOVAPS */
      {"hex 0f 28 c1\nreg xmm1=7\nwant rip=next xmm0.lo=7 xmm0.hi=0\n", true},
      {"hex 0f 28 c1\nwant rip=next xmm0=xmm1.hi:xmm1.lo\n", true},
      {"hex 0f 28 c1\nwant rip=next any xmm0\n", true},
      {"hex 0f 28 c1\nwant rip=next\n", false},
      {"hex 0f 28 c1\nwant rip=next xmm0.lo=xmm1.lo\n", false},
      {"hex d9 e8\nwant rip=next fsw=0x3800 ftw=0x80 st0=0x3fff:0x8000000000000000 any fip fcs fop fdp fds\n", true}, /* FLD1 */
      {"hex d9 e8\nwant rip=next fsw=0x3800 ftw=0x80 st0=0x3fff:0x8000000000000001 any fip fcs fop fdp fds\n", false},
      {"hex d9 e8\nwant rip=next fsw=0x3800 st0=0x3fff:0x8000000000000000 any fip fcs fop fdp fds\n", false},
      {"hex 0f 6f c1\nreg mm1=0x99\nwant rip=next fsw=0 ftw=0xff mm0=0x99 st0.hi=0xffff\n", true}, /* MOVQ */
      {"hex 0f ae 17\nreg rdi=data\nmem u32[data]=0x1f00\nwant rip=next mxcsr=0x1f00\n", true}, /* LDMXCSR */
      {"hex 0f ae 17\nreg rdi=data\nmem u32[data]=0x1f00\nwant rip=next\n", false},
      {"hex 90\nreg fcw=0x37e fsw=1\nwant rip=next fsw=0x8081\n", true}, /* ES and B follow */
  };
  for (unsigned k = 0; k < ARRAY_SIZE(t); k++) {
    char text[512], *tap, *junit;
    unsigned passed, failed;
    snprintf(text, sizeof text, HEAD "%s", t[k].lines);
    run("f", text, &tap, &junit, &passed, &failed);
    ck_assert_msg(passed == t[k].good && failed == !t[k].good, "%s: %s", t[k].lines, tap);
    free(tap);
    free(junit);
  }
}
END_TEST

START_TEST(the_parts_have_names) {
  char *tap, *junit;
  unsigned passed, failed;
  run("f", HEAD "hex 0f 57 c0\nwant rip=next st3.lo=1\n", &tap, &junit, &passed, &failed); /* XORPS */
  ck_assert_ptr_nonnull(strstr(tap, "#   xmm0.lo        expected 0x3736353433323130 found 0\n"));
  ck_assert_ptr_nonnull(strstr(tap, "#   st3.lo         expected 0x1 found 0xaf"));
  ck_assert_ptr_null(strstr(tap, "mm3 ")); /* the same, once */
  free(tap);
  free(junit);
}
END_TEST

/* ---- reports ---- */

START_TEST(files_of_any_name) {
  char *tap, *junit;
  unsigned passed, failed;
  run("a<b>&\"'\n\x01\x1b\xff\xc3\xa9\xed\xa0\x80]]>.vec", HEAD "for x in 0 1\nhex 90\nwant rip=next+x\n", &tap, &junit, &passed, &failed);
  ck_assert_ptr_nonnull(strstr(junit, "classname=\"a&#60;b&#62;&#38;&#34;'\n???\xc3\xa9???]]&#62;.vec:v\""));
  ck_assert_ptr_nonnull(strstr(tap, "ok 1 - a<b>&\"'???\xff\xc3\xa9"));
  for (const char *p = junit; *p; p++) ck_assert((u8)*p >= 0x20 || *p == '\n');
  free(tap);
  free(junit);
}
END_TEST

Suite *suite_vectors_errors(void);
Suite *suite_vectors_errors(void) {
  Suite *s = suite_create("vectors_errors");
  TCase *t = tcase_create("vectors_errors");
  tcase_set_timeout(t, 60);
  tcase_add_loop_test(t, senseless_values_have_their_place, 0, ARRAY_SIZE(senseless));
  tcase_add_loop_test(t, any_bytes_are_refused, 0, ARRAY_SIZE(damaged));
  tcase_add_test(t, ways_out);
  tcase_add_test(t, the_rest_of_the_file_runs);
  tcase_add_test(t, no_case_is_left);
  tcase_add_test(t, open_and_expected);
  tcase_add_test(t, wide_registers);
  tcase_add_test(t, the_parts_have_names);
  tcase_add_test(t, files_of_any_name);
  suite_add_tcase(s, t);
  return s;
}
