/* The .vec runner itself: where errors are reported, what is refused, that no damaged file does harm, how
 * many cases a matrix has, and above all that a wrong expectation fails. docs/conformance.md has the format.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/types.h"
#include "vectors/vec.h"

#define HEAD "# SDM 2A NOP\nvector v\ncpu intel amd\nmode long64 compat32 prot32\n"

static struct vec_file *parse(const char *text, struct vec_error *err) {
  return vec_parse("f.vec", text, strlen(text), err);
}

static struct vec_file *parse_good(const char *text) {
  struct vec_error err;
  struct vec_file *f = parse(text, &err);
  ck_assert_msg(f != NULL, "%s", err.text);
  return f;
}

struct sum {
  unsigned passed, failed;
};

static struct sum run(const char *text, const char *invert) {
  struct sum s;
  struct vec_file *f = parse_good(text);
  struct vec_options o = {.vendors = VENDORS_BOTH, .invert = invert};
  struct vec_runner *r = vec_runner_new(&o);
  ck_assert_ptr_nonnull(r);
  ck_assert_int_eq(vec_run_file(r, f), 0);
  bool ok = vec_run_end(r, &s.passed, &s.failed);
  ck_assert_int_eq(ok, s.passed && !s.failed);
  vec_runner_free(r);
  vec_free(f);
  return s;
}

/* ---- errors ---- */

static const struct {
  const char *text, *starts; /* the message's beginning */
} refused[] = {
    {"nop\n", "f.vec:1:1: "},
    {"vector v\n", "f.vec:1:8: vector v has no citation"},
    {"# SDM 2A NOP\n\nvector v\n", "f.vec:3:8: vector v has no citation"},
    {"# what a NOP does\nvector v\n", "f.vec:2:8: the comment above vector v cites no section"},
    {"# SDM \nvector v\n", "f.vec:2:8: the comment above vector v cites no section"},
    {"# SDM 2A NOP\nvector\n", "f.vec:2:7: expected the vector's name"},
    {"# SDM 2A NOP\nvector v\ncpu intel via\n", "f.vec:3:11: expected intel or amd"},
    {"# SDM 2A NOP\nvector v\nmode long64 vm86\n", "f.vec:3:13: expected a mode"},
    {HEAD "steps\n", "f.vec:5:6: expected an expression"},
    {HEAD "want steps 2\n", "f.vec:5:6: 'steps' is nothing that has a value"},
    {HEAD "interrupt\n", "f.vec:5:10: expected an expression"},
    {HEAD "nmi 2\n", "f.vec:5:5: something is left over"},
    {HEAD "let cpl=3\n", "f.vec:5:5: the privilege level is not set by 'let'"},
    {HEAD "gdt 0x80 raw type=9\n", "f.vec:5:14: 'type' is no field of raw"},
    {HEAD "gdt 0x90 data offset=5\n", "f.vec:5:15: 'offset' is no field of data"},
    {HEAD "gdt 0x90 data raw=5\n", "f.vec:5:15: 'raw' is no field of data"},
    {HEAD "gdt 0xa0 gate p=0 limit=2\n", "f.vec:5:19: 'limit' is no field of gate"},
    {HEAD "gdt 0xa0 code64 dpl=1 dpl=2\n", "f.vec:5:23: 'dpl' is given already"},
    {HEAD "seg ss null sel=0 dpl=3\n", "f.vec:5:19: 'dpl' is no field of null"},
    {HEAD "want seg cs load sel=8 dpl=3\n", "f.vec:5:24: 'dpl' is no field of load"},
    {HEAD "task16 data fs=8\n", "f.vec:5:13: 'fs' is no field of this TSS"},
    {HEAD "want saved32 data cr3=8\n", "f.vec:5:19: 'cr3' is no field of what is saved"},
    {"# SDM 2A NOP\nvector v\nmode flat\n", "f.vec:3:6: expected a mode"},
    {"# SDM 2A NOP\nvector v\nmode long64\nhex 90\nwant rip=next\n", "f.vec:2:8: vector v: no 'cpu' line"},
    {"# SDM 2A NOP\nvector v\ncpu amd\nhex 90\nwant rip=next\n", "f.vec:2:8: vector v: no 'mode' line"},
    {HEAD "want rip=next\n", "f.vec:2:8: vector v runs nothing"},
    {HEAD "hex 90\n", "f.vec:2:8: vector v has no 'want' line"},
    {HEAD "hex 90\nwant rip=next\n# SDM 2A NOP\nvector v\n",
     "f.vec:8:8: vector v is there already, on line 2"},
    {HEAD "hex 9\n", "f.vec:5:5: expected bytes"},
    {HEAD "hex 90 9g\n", "f.vec:5:8: expected bytes"},
    {HEAD "hex\n", "f.vec:5:4: expected bytes"},
    {HEAD "asm\n", "f.vec:5:4: expected assembly text"},
    {HEAD "  reg rax = 1 +\n", "f.vec:5:16: expected an expression"},
    {HEAD "reg rax = (1\n", "f.vec:5:13: expected ')'"},
    {HEAD "reg raxx = 1\n", "f.vec:5:5: 'raxx' is nothing that has a value"},
    {HEAD "reg rax = bogus\n", "f.vec:5:11: 'bogus' is no variable"},
    {HEAD "reg rax = 18446744073709551616\n", "f.vec:5:11: the number does not fit"},
    {HEAD "reg rax = 1z\n", "f.vec:5:12: a letter in a number"},
    {HEAD "reg rax = 1 ; 2\n", "f.vec:5:13: a stray ';'"},
    {HEAD "reg rax = 1\001\n", "f.vec:5:12: a stray byte 01h"},
    {HEAD "reg rax 1\n", "f.vec:5:9: expected '='"},
    {HEAD "flags +xf\n", "f.vec:5:8: expected a flag's name"},
    {HEAD "flags cf\n", "f.vec:5:7: expected +FLAG"},
    {HEAD "seg xs null\n", "f.vec:5:5: expected a segment register"},
    {HEAD "seg ds nul\n", "f.vec:5:8: 'nul' is no field here"},
    {HEAD "gdt 0x80 thing\n", "f.vec:5:10: expected a kind"},
    {HEAD "idt 0x80 trap dlp=3\n", "f.vec:5:15: 'dlp' is no field here"},
    {HEAD "tss rsp9=1\n", "f.vec:5:5: expected a field of the TSS"},
    {HEAD "want fault GP(0)\n", "f.vec:5:12: expected an exception"},
    {HEAD "want fault #XX\n", "f.vec:5:12: there is no such exception"},
    {HEAD "want fault #GP\n", "f.vec:5:15: expected '('"},
    {HEAD "want fault #UD(0)\n", "f.vec:5:15: "},
    {HEAD "want\n", "f.vec:5:5: expected what must hold"},
    {HEAD "want if 1\n", "f.vec:5:10: expected what must hold"},
    {HEAD "want if fault #UD\n", "f.vec:5:9: 'fault' is no variable"},
    {HEAD "fault #UD\n", "f.vec:5:1: 'fault' begins no line"},
    {HEAD "want gdt 1 data\n", "f.vec:5:6: 'gdt' is nothing that has a value"},
    {HEAD "for x in\n", "f.vec:5:9: expected values"},
    {HEAD "for x 1 2\n", "f.vec:5:7: expected 'in'"},
    {HEAD "for x in 1\nfor x in 2\n", "f.vec:6:5: 'x' has a value already"},
    {HEAD "let y = y\n", "f.vec:5:9: 'y' is no variable"},
    {HEAD "cpl 3 4\n", "f.vec:5:7: something is left over"},
    {HEAD "cpl 3\ncpl 3\n", "f.vec:6:1: cpl is given already"},
    {HEAD "skip 1\n", "f.vec:5:6: expected 'if'"},
    {HEAD "mem u24[0]=1\n", "f.vec:5:5: 'u24' is nothing that has a value"},
    {HEAD "want frame8 rsp rip\n", "f.vec:5:17: expected ':'"},
    {HEAD "undefined xf\n", "f.vec:5:11: expected a flag's name"},
    {HEAD "disputed\n", "f.vec:5:9: expected who"},
};

START_TEST(errors_have_their_place) {
  struct vec_error err;
  struct vec_file *f = parse(refused[_i].text, &err);
  ck_assert_msg(f == NULL, "accepted: %s", refused[_i].text);
  ck_assert_msg(!strncmp(err.text, refused[_i].starts, strlen(refused[_i].starts)), "%s\nexpected %s",
                err.text, refused[_i].starts);
}
END_TEST

/* A file with every kind of line; it passes. */
static const char whole[] =
    "# A file with every kind of line.\n"
    "\n"
    "# SDM 2A INT n (Operation); APM 3 INT: one line,\n"
    "# and another.\n"
    "vector everything\n"
    "disputed nobody\n"
    "cpu intel amd\n"
    "mode long64 compat32\r\n"
    "for cpl in 3 0..1\n"
    "for vec in 0x80\n"
    "let top = cpl ? ist(2) : rsp & ~15\n"
    "undefined cf of\n"
    "skip if cpl == 1 && amd\n"
    "asm int ${vec}; nop\n"
    "hex cd {vec} 90\n"
    "reg rax=5 rbx|=(1 << 40) rcx^=0xff\n"
    "flags +df -zf iopl=2\n"
    "cr cr0|=0x40000 cr2=code\n"
    "msr STAR=1 << 32\n"
    "seg ds null sel=2\n"
    "seg es load sel=ds(3)\n"
    "seg fs data sel=0x99 base=0x123 limit=0xffff attr=0xf3\n"
    "gdt 0x80 data type=3 dpl=3 p=1 s=1 l=0 d=1 g=1 avl=0 base=0 limit=0xfffff\n"
    "gdt 0x88 raw raw=0\n"
    "idt vec trap dpl=3 sel=cs64(0) offset=handler(vec) ist=(cpl ? 2 : 0) p=1\n"
    "tss rsp0=0 ist2=ist(2)\n"
    "mem u8[data]=1 u16[data+2]=2 u32[data+4]=u8[data] u64[data+8]=gdt\n"
    "page data+0x1000 p=0 rw=0 us=0 a=0 d=0 nx=1\n"
    "if amd mem u64[data+16]=pte(data)\n"
    "want if cpl == 9 fault #PF(4) cr2=0\n"
    "want if cpl == 8 shutdown\n"
    "want rip=handler(vec) cpl=0\n"
    "want seg cs code64 sel=cs64(0) dpl=0\n"
    "want if cpl seg ss null sel=0\n"
    "want if cpl == 7 deliver #DF(0)\n"
    "want any u64[data+64] dr0\n"
    "want frame8 top: ss rsp rflags cs code+2\n";

START_TEST(every_kind_of_line) {
  struct sum s = run(whole, NULL);
  ck_assert_uint_eq(s.failed, 0);
  ck_assert_uint_eq(s.passed, 10); /* 2 vendors, 2 modes, 3 rings, but amd without ring 1 */
}
END_TEST

struct some_plans {
  struct vec_plan plan;
  unsigned left;
};

/* Makes the states of a file's first cases: whatever it says, that ends and stays within bounds. */
static int plan_case(void *opaque, const struct vec_case *c) {
  struct some_plans *p = opaque;
  struct vec_error err = {""};
  if (vec_plan(c, model_default(c->vendor), NULL, &p->plan, &err) < 0) ck_assert_str_ne(err.text, "");
  return !p->left--;
}

static void plan_some(const struct vec_file *f) {
  struct some_plans p = {.left = 2};
  ck_assert_int_eq(vec_plan_init(&p.plan), 0);
  for (u32 k = 0; k < f->vectors; k++) {
    struct vec_error err = {""};
    if (vec_cases(f, &f->vector[k], plan_case, &p, &err) < 0) ck_assert_msg(!strncmp(err.text, "f.vec:", 6), "%s", err.text);
  }
  vec_plan_free(&p.plan);
}

static void parse_bytes(const char *text, size_t n) {
  struct vec_error err;
  char *copy = malloc(n ? n : 1); /* its end is where an overrun is seen */
  ck_assert_ptr_nonnull(copy);
  memcpy(copy, text, n);
  struct vec_file *f = vec_parse("f.vec", copy, n, &err);
  if (f) plan_some(f);
  else ck_assert_msg(!strncmp(err.text, "f.vec:", 6), "%s", err.text);
  vec_free(f);
  free(copy);
}

START_TEST(truncated_anywhere) {
  for (size_t n = 0; n < sizeof whole; n++) parse_bytes(whole, n);
}
END_TEST

START_TEST(damaged_anywhere) {
  u64 x = UINT64_C(0x9e3779b97f4a7c15);
  char text[sizeof whole];
  for (unsigned round = 0; round < 10000; round++) {
    memcpy(text, whole, sizeof whole);
    for (unsigned k = 0; k <= round % 4; k++) {
      x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
      size_t at = (size_t)(x >> 33) % (sizeof whole - 1);
      static const char bytes[] = "\0\n #(){}[]=|~+-09axz.:,?\xff";
      text[at] = bytes[(x >> 20) % sizeof bytes];
    }
    parse_bytes(text, sizeof whole - 1);
  }
}
END_TEST

/* Depth and length of expressions are bounded. */
START_TEST(bounded_expressions) {
  static const char *const units[] = {"(", "-", "~", "1?", "u8[", "1+", "1-(", "handler("};
  for (unsigned k = 0; k < ARRAY_SIZE(units); k++)
    for (unsigned count = 10; count < 9000; count *= 4) {
      size_t head = strlen(HEAD "reg rax="), unit = strlen(units[k]);
      char *text = malloc(head + count * unit + 4);
      ck_assert_ptr_nonnull(text);
      strcpy(text, HEAD "reg rax=");
      for (unsigned c = 0; c < count; c++) memcpy(text + head + c * unit, units[k], unit);
      strcpy(text + head + count * unit, "1\n");
      parse_bytes(text, strlen(text));
      free(text);
    }
}
END_TEST

/* ---- matrices ---- */

static int count_case(void *opaque, const struct vec_case *c) {
  (void)c;
  ++*(unsigned *)opaque;
  return 0;
}

static int count_cases(const char *text, unsigned *cases) {
  struct vec_file *f = parse_good(text);
  *cases = 0;
  struct vec_error err = {""};
  int r = vec_cases(f, &f->vector[0], count_case, cases, &err);
  vec_free(f);
  return r;
}

START_TEST(matrices_have_all_cases) {
  static const struct {
    const char *lines;
    unsigned cases;
  } t[] = {
      {"", 6},
      {"for a in 1\n", 6},
      {"for a in 0 1 2 3\n", 24},
      {"for a in 0..3\n", 24},
      {"for a in 0..3 9 11..12\n", 42},
      {"for a in 0..3\nfor b in 0 1\nfor c in 5 6 7\n", 144},
      {"for a in 0..3\nfor b in 0..a\n", 60},
      {"for a in u8[0] rax\n", 12},
  };
  for (unsigned k = 0; k < ARRAY_SIZE(t); k++) {
    char text[512];
    unsigned cases;
    snprintf(text, sizeof text, HEAD "%shex 90\nwant rip=next\n", t[k].lines);
    ck_assert_int_eq(count_cases(text, &cases), 0);
    ck_assert_uint_eq(cases, t[k].cases);
    struct sum s = run(text, NULL);
    ck_assert_uint_eq(s.passed, t[k].cases);
    ck_assert_uint_eq(s.failed, 0);
  }
}
END_TEST

START_TEST(too_many_cases_are_refused) {
  unsigned cases;
  ck_assert_int_eq(count_cases(HEAD "for a in 0..999\nfor b in 0..999\nhex 90\nwant rip=next\n", &cases), -1);
  ck_assert_int_eq(count_cases(HEAD "for a in 0..0xffffffffffffffff\nhex 90\nwant rip=next\n", &cases), -1);
  ck_assert_int_eq(count_cases(HEAD "for a in 3..1\nhex 90\nwant rip=next\n", &cases), -1);
}
END_TEST

START_TEST(a_case_has_a_name) {
  struct vec_file *f = parse_good(HEAD "for cpl in 3\nfor sel in 0x33\nhex 90\nwant rip=next\n");
  struct vec_case c = {
      .file = f, .v = &f->vector[0], .vendor = VENDOR_AMD, .mode = VM_COMPAT32, .var = {3, 0x33}};
  char name[80];
  vec_case_name(&c, name, sizeof name);
  ck_assert_str_eq(name, "amd compat32 cpl=3 sel=0x33");
  vec_free(f);
}
END_TEST

/* ---- the check can fail ---- */

/* What the lines say is wrong, so every case fails. */
static const char *const wrong[] = {
    "hex 90\nwant rip=next+1\n",
    "hex 90\nwant rip=next rax=1\n",
    "hex 90\nwant rip=next flags +cf\n",
    "hex 90\nwant rip=next u8[data]=1\n",
    "hex 90\nwant rip=next seg ds sel=0\n",
    "hex 90\nwant rip=next seg es limit=5\n",
    "hex 90\nwant rip=next seg fs attr=0x93\n",
    "hex 90\nwant rip=next seg gs null sel=0\n",
    "hex 90\nwant rip=next STAR=0\n",
    "hex 90\nwant rip=next cr2=1\n",
    "hex 90\nwant rip=next cpl=2\n",
    "hex 90\nwant fault #UD\n",
    "hex 90\nwant rip=next deliver #UD\n",
    "hex 90\nwant shutdown\n",
    "hex 90\nwant any cr2\n",                        /* RIP is not named */
    "hex b0 01\nwant rip=next\n",                    /* AL is not */
    "hex f9\nwant rip=next\n",                       /* CF is not */
    "hex 50\nwant rip=next rsp=rsp-(long64 ? 8 : 4)\n", /* the word on the stack is not */
    "hex 0f 0b\nwant rip=next\n",
    "hex 0f 0b\nwant fault #GP(0)\n",
    "hex 0f 0b\nwant fault #UD rax=1\n",
    "hex f4\ncpl 3\nwant fault #GP(8)\n",
    "hex f4\ncpl 3\nwant fault #NP(0)\n",
    "hex f4\ncpl 3\nwant deliver #GP(0)\n",          /* the frame is not named */
    "hex 90\nmem u8[ram]=1\nwant rip=next\n",        /* outside the machine */
    "hex 90\nwant rip=next u64[ram-4]=1\n",
    "if cpl == 1 hex 90\nwant rip=next\n",           /* nothing to run */
};

START_TEST(a_wrong_expectation_fails) {
  char text[512];
  snprintf(text, sizeof text, HEAD "%s", wrong[_i]);
  struct sum s = run(text, NULL);
  ck_assert_msg(s.passed == 0 && s.failed == 6, "%s: %u passed", wrong[_i], s.passed);
}
END_TEST

START_TEST(an_inverted_check_fails) {
  static const char
      text[] = "# SDM 3A 6.12.1.2\nvector v\ncpu intel\nmode long64\ncpl 3\nfor dpl in 0 3\nhex cd 80\n"
               "idt 0x80 trap dpl=dpl\nwant if dpl < cpl fault #GP(0x402)\n"
               "want rip=handler(0x80) cpl=0\nwant seg cs code64 sel=0x10 dpl=0\nwant seg ss null sel=0\n"
               "want frame8 tss_stack(0): ss rsp rflags cs next\n";
  struct sum s = run(text, NULL);
  ck_assert_uint_eq(s.passed, 2);
  ck_assert_uint_eq(s.failed, 0);
  s = run(text, "IDT_DPL");
  ck_assert_uint_eq(s.passed, 0);
  ck_assert_uint_eq(s.failed, 2);
}
END_TEST

START_TEST(undefined_flags_are_masked) {
  struct sum s = run(HEAD "undefined cf\nhex f9\nwant rip=next\n", NULL);
  ck_assert_uint_eq(s.passed, 6);
  s = run(HEAD "undefined zf\nhex f9\nwant rip=next\n", NULL);
  ck_assert_uint_eq(s.failed, 6);
}
END_TEST

/* The first outcome that holds ends the list; what stands behind it is for the other cases. */
START_TEST(wants_are_a_list_of_decisions) {
  struct sum s = run(HEAD "for cpl in 0 3\nhex f4\nwant if cpl fault #GP(0)\nwant if cpl rax=1\n"
                          "want halt rip=next\n", NULL);
  ck_assert_uint_eq(s.passed, 12);
  s = run(HEAD "for cpl in 0 3\nhex f4\nwant if cpl fault #GP(0)\nwant rip=next\n", NULL);
  ck_assert_uint_eq(s.passed, 6);
  ck_assert_uint_eq(s.failed, 6); /* a halt is no end that was asked for */
}
END_TEST

START_TEST(asm_and_hex_agree) {
  struct assembler *as = assembler_new(false);
  ck_assert_ptr_nonnull(as);
  bool present = assembler_present(as);
  assembler_free(as);
  struct sum s = run(HEAD "asm nop\nhex 90\nwant rip=next\n", NULL);
  ck_assert_uint_eq(s.passed, 6);
  if (!present) return;
  s = run(HEAD "asm nop\nhex 66 90\nwant rip=next\n", NULL);
  ck_assert_uint_eq(s.failed, 6);
  s = run(HEAD "asm mov ${5+1},%al\nwant rip=next rax=(rax & ~0xff) | 6\n", NULL);
  ck_assert_uint_eq(s.passed, 6);
  s = run(HEAD "asm no such instruction\nwant rip=next\n", NULL);
  ck_assert_uint_eq(s.failed, 6);
  s = run(HEAD "asm jmp elsewhere\nwant rip=next\n", NULL);
  ck_assert_uint_eq(s.failed, 6);
}
END_TEST

START_TEST(reports) {
  struct vec_file *f = parse_good(
      "# SDM 2A NOP: a < b & \"c\"\nvector v\ncpu intel\nmode long64\nfor good in 1 0\nhex 90\n"
      "want if good rip=next\nwant if !good rip=1\n");
  char *tap = NULL, *junit = NULL;
  size_t tap_n, junit_n;
  struct vec_options o = {.vendors = VENDORS_BOTH, .tap = open_memstream(&tap, &tap_n),
                          .junit = open_memstream(&junit, &junit_n)};
  ck_assert(o.tap && o.junit);
  struct vec_runner *r = vec_runner_new(&o);
  struct sum s;
  ck_assert_ptr_nonnull(r);
  ck_assert_int_eq(vec_run_file(r, f), 0);
  ck_assert(!vec_run_end(r, &s.passed, &s.failed));
  vec_runner_free(r);
  vec_free(f);
  fclose(o.tap);
  fclose(o.junit);
  ck_assert_str_eq(tap, "TAP version 13\n"
                        "ok 1 - f.vec:v intel long64 good=1\n"
                        "not ok 2 - f.vec:v intel long64 good=0\n"
                        "# f.vec:2: SDM 2A NOP: a < b & \"c\"\n"
                        "#   rip            expected 0x1 found 0x40001\n"
                        "1..2\n1 passed, 1 failed\n");
  ck_assert_ptr_nonnull(strstr(junit, "<testsuite name=\"ringwalk\" tests=\"2\" failures=\"1\">"));
  ck_assert_ptr_nonnull(strstr(junit, "<testcase classname=\"f.vec:v\" name=\"intel long64 good=1\"/>"));
  ck_assert_ptr_nonnull(strstr(junit, "<failure>  rip            expected 0x1 found 0x40001"));
  free(tap);
  free(junit);
}
END_TEST

/* ---- modes, steps, interrupts, threads ---- */

START_TEST(every_mode) {
  struct sum s = run("# SDM 2A MOV; SDM 2B NOP\nvector v\ncpu intel amd\n"
                     "mode long64 compat32 compat16 prot32 prot16 v86 real\nhex 8a 07\n"
                     "if bits16 reg rbx=0x10\nif !bits16 reg rdi=data+0x10\nmem u8[data+0x10]=0x5a\n"
                     "want rax=rax&~0xff|0x5a rip=next\n", NULL);
  ck_assert_uint_eq(s.passed, 14);
  ck_assert_uint_eq(s.failed, 0);
  s = run("# SDM 2B PUSH\nvector v\ncpu intel\nmode compat16 prot16 v86 real\nhex 50\n"
          "want rip=0x101 frame2 stack: rax\n", NULL);
  ck_assert_uint_eq(s.passed, 4);
}
END_TEST

START_TEST(several_instructions) {
  struct sum s = run(HEAD "hex 90 90 90 90\nsteps 3\nwant rip=code+3\n", NULL);
  ck_assert_uint_eq(s.passed, 6);
  s = run(HEAD "for n in 0 10000 10001\nhex eb fe\nsteps n\nwant rip=rip\n", NULL);
  ck_assert_uint_eq(s.passed, 6);
  ck_assert_uint_eq(s.failed, 12); /* out of bounds */
  s = run(HEAD "hex 90 0f 0b\nsteps 2\nwant rip=code+1 fault #UD\n", NULL);
  ck_assert_uint_eq(s.passed, 6);
}
END_TEST

START_TEST(pending_interrupts) {
  struct sum s = run("# SDM 3A 6.3.2\nvector v\ncpu intel\nmode real\nfor nmi in 0 1\nfor open in 0 1\n"
                     "hex 90\nif nmi nmi\nif !nmi interrupt 0x21\nif !open flags -if\n"
                     "want if !nmi && !open rip=next\nwant if nmi rip=0x20 nmi_blocked=1\n"
                     "want if !nmi && open rip=0x210\nwant if nmi || open flags -if\n"
                     "want if nmi || open seg cs real sel=0x5000\n"
                     "want if nmi || open frame2 stack: rflags cs rip\nwant if nmi deliver 2\n"
                     "want if open deliver 0x21\n", NULL);
  ck_assert_uint_eq(s.passed, 4);
}
END_TEST

/* Runs text in `jobs` threads; what was printed, for the caller to free. */
static char *printed(const char *text, unsigned jobs, bool quiet, bool fail_fast, struct sum *s) {
  struct vec_file *f = parse_good(text);
  char *tap = NULL;
  size_t n;
  struct vec_options o = {.vendors = VENDORS_BOTH, .jobs = jobs, .quiet = quiet, .fail_fast = fail_fast,
                          .tap = open_memstream(&tap, &n)};
  struct vec_runner *r = vec_runner_new(&o);
  ck_assert(o.tap && r);
  ck_assert_int_eq(vec_run_file(r, f), 0);
  (void)vec_run_end(r, &s->passed, &s->failed);
  vec_runner_free(r);
  vec_free(f);
  fclose(o.tap);
  return tap;
}

#define MANY(name) "# SDM 2A NOP\nvector " name "\ncpu intel amd\nmode long64\nfor x in 0..20\nhex 90\nwant rip=next\n" \
                   "want if x == 7 rip=0\n"
static const char many[] = MANY("a") MANY("b") MANY("c") MANY("d") MANY("e");

START_TEST(threads_change_nothing) {
  struct sum one, four;
  char *a = printed(many, 1, false, false, &one), *b = printed(many, 4, false, false, &four);
  ck_assert_str_eq(a, b);
  ck_assert_uint_eq(one.failed, 10);
  ck_assert_uint_eq(four.passed, 200);
  free(a);
  free(b);
}
END_TEST

START_TEST(quiet_and_fail_fast) {
  struct sum s;
  char *tap = printed(many, 1, true, true, &s);
  ck_assert_uint_eq(s.failed, 1);
  ck_assert_uint_eq(s.passed, 7);
  ck_assert(!strstr(tap, "\nok "));
  ck_assert_ptr_nonnull(strstr(tap, "\nnot ok 8 - f.vec:a intel long64 x=7"));
  free(tap);
}
END_TEST

/* The examples of docs/conformance.md run. The test program is started from the top of the tree. */
START_TEST(documented_examples_run) {
  FILE *in = fopen("docs/conformance.md", "r");
  ck_assert_msg(in != NULL, "docs/conformance.md: start this from the top of the tree");
  char line[512], text[8192] = "";
  bool inside = false;
  unsigned examples = 0;
  while (fgets(line, sizeof line, in)) {
    if (!strncmp(line, "```", 3)) {
      inside = !strcmp(line, "```vec\n");
      if (!inside) continue;
      examples++;
      ck_assert_uint_lt(strlen(text) + 2, sizeof text);
      strcat(text, "\n");
    } else if (inside) {
      ck_assert_uint_lt(strlen(text) + strlen(line) + 1, sizeof text);
      strcat(text, line);
    }
  }
  fclose(in);
  ck_assert_uint_eq(examples, 3);
  struct sum s = run(text, NULL);
  ck_assert_uint_eq(s.failed, 0);
  ck_assert_uint_eq(s.passed, 192 + 2 + 12);
}
END_TEST

/* Every piece of the state can be found by its own name. */
START_TEST(pieces_have_names) {
  struct vstate st = {.cpl = 0};
  for (unsigned k = 0; k < regname_count(); k++) {
    const char *name = regname_at(k);
    ck_assert_msg(regname_find(name) == (int)k, "%s", name);
    u64 v = !strcmp(name, "fcw") ? 0x37f : 1;
    vstate_set(&st, k, v);
    ck_assert_msg(vstate_get(&st, k) == v, "%s", name);
    if (v == 1) vstate_set(&st, k, 0);
  }
  ck_assert_ptr_null(regname_at(regname_count()));
  ck_assert_int_eq(regname_find("esp"), regname_find("rsp"));
  ck_assert_int_eq(regname_find("cs"), regname_find("CS.sel"));
  ck_assert_int_eq(regname_find("nothing"), -1);
}
END_TEST

Suite *suite_vectors(void);
Suite *suite_vectors(void) {
  const TTest *const tests[] = {
      every_kind_of_line,
      truncated_anywhere,
      damaged_anywhere,
      bounded_expressions,
      matrices_have_all_cases,
      too_many_cases_are_refused,
      a_case_has_a_name,
      an_inverted_check_fails, every_mode, several_instructions, pending_interrupts,
      threads_change_nothing, quiet_and_fail_fast,
      undefined_flags_are_masked,
      wants_are_a_list_of_decisions,
      asm_and_hex_agree,
      reports,
      documented_examples_run,
      pieces_have_names,
  };
  Suite *s = suite_create("vectors");
  TCase *t = tcase_create("vectors");
  tcase_set_timeout(t, 60);
  tcase_add_loop_test(t, errors_have_their_place, 0, ARRAY_SIZE(refused));
  tcase_add_loop_test(t, a_wrong_expectation_fails, 0, ARRAY_SIZE(wrong));
  for (unsigned k = 0; k < ARRAY_SIZE(tests); k++) tcase_add_test(t, tests[k]);
  suite_add_tcase(s, t);
  return s;
}
