/* XRSTOR and XSAVE, XSAVEOPT, XSAVEC against this machine's own, in 64-bit code: random areas in both formats, sound and
 * not, random masks; compared are the areas written, all state afterwards, the vector of a fault and where a page fault
 * is. SDM 1 13 (Managing State Using the XSAVE Feature Set). */
#define _GNU_SOURCE
#include <check.h>
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "cpu/simd_state.h"
#include "cpu/xsave.h"
#include "tests/unit/machine.h"
#include "tests/unit/random.h"

/* The areas, as offsets from the host's and the guest's memory alike; behind the last page is one without access. */
enum { PRIOR = 0, IN = 0x1000, OUT = 0x2000, FULL = 0x3000, EDGE = 0x5000, KEEP = 0x6000, HOST_BYTES = 0xa000 };
enum { GUEST = SUPERVISOR_PAGE - EDGE, CASES = 60000 };
enum { ALL = 0xe7 };

/* ---- instructions ---- */

struct op {
  const char *name;
  u8 opcode, reg;
};
static const struct op xrstor = {"XRSTOR", 0xae, 5}, xsave = {"XSAVE", 0xae, 4};
static const struct op saves[] = {{"XSAVE", 0xae, 4}, {"XSAVEOPT", 0xae, 6}, {"XSAVEC", 0xc7, 4}};

struct step {
  struct op op;
  bool wide;
  u32 mask, at; /* EAX; the area */
};

/* [RSI]. Returns the length. */
static unsigned encode(const struct step *s, u8 code[4]) {
  unsigned n = 0;
  if (s->wide) code[n++] = 0x48;
  code[n++] = 0x0f;
  code[n++] = s->op.opcode;
  code[n++] = (u8)(s->op.reg << 3 | 6);
  return n;
}

/* ---- this machine ---- */

static u8 *host, *host_code;
static sigjmp_buf unwind;
static volatile int trap;
static volatile u64 fault_at;

static void on_fault(int signo, siginfo_t *info, void *context) {
  const ucontext_t *uc = context;
  (void)signo;
  trap = (int)uc->uc_mcontext.gregs[REG_TRAPNO];
  fault_at = trap == VEC_PF ? (u64)((u8 *)info->si_addr - host) : 0;
  siglongjmp(unwind, 1);
}

static u8 *put(u8 *p, u64 v, unsigned n) {
  memcpy(p, &v, n);
  return p + n;
}

static u8 *assemble(u8 *p, const struct step *s) {
  p = put(p, 0xbe48, 2); /* MOV RSI, area; MOV EAX, mask; XOR EDX, EDX */
  p = put(p, (u64)(uintptr_t)host + s->at, 8);
  *p++ = 0xb8;
  p = put(p, s->mask, 4);
  p = put(p, 0xd231, 2);
  return p + encode(s, p);
}

/* -1, or the vector of the fault. */
static int run_host(const struct step *s, unsigned n) {
  const struct step keep = {xsave, true, ALL, KEEP}, back = {xrstor, true, ALL, KEEP};
  union {
    void *data;
    void (*call)(void);
  } entry = {.data = host_code}, restore = {.data = host_code + 2048};
  u8 *p = assemble(host_code, &keep);
  for (unsigned k = 0; k < n; k++) p = assemble(p, &s[k]);
  p = assemble(p, &back);
  *p = 0xc3;
  *assemble(host_code + 2048, &back) = 0xc3;
  trap = -1;
  if (!sigsetjmp(unwind, 0)) entry.call();
  else restore.call();
  return trap;
}

static void open_host(void) {
  static u8 stack[65536];
  static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
  int prot = PROT_READ | PROT_WRITE;
  host = mmap(NULL, HOST_BYTES, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  host_code = mmap(NULL, 4096, prot | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(host != MAP_FAILED && host_code != MAP_FAILED);
  ck_assert_int_eq(mprotect(host + EDGE, PAGE_SIZE, PROT_NONE), 0);
  ck_assert_int_eq(sigaltstack(&ss, NULL), 0);
  for (unsigned k = 0; k < ARRAY_SIZE(signals); k++) ck_assert_int_eq(sigaction(signals[k], &sa, NULL), 0);
}

/* ---- the emulated one ---- */

static struct machine m;
static struct cpu_model model;

static int run_guest(const struct step *s, unsigned n) {
  for (unsigned k = 0; k < n; k++) {
    char code[4];
    m.cpu->halted = false;
    m_ring(&m, 3);
    m.cpu->gpr[RSI] = GUEST + s[k].at;
    m.cpu->gpr[RAX] = s[k].mask;
    m.cpu->gpr[RDX] = 0;
    m_code_at(&m, CODE, code, encode(&s[k], (u8 *)code));
    cpu_run(m.cpu, 1);
    if (m.cpu->cpl != 3) return (int)((m.cpu->rip - HANDLERS) / 16);
  }
  return -1;
}

static void open_guest(void) {
  u32 a, b, c, d;
  model = *model_find("icelake");
  model.has[FEAT_PKU] = 0;
  model.has[FEAT_AVX] = model.has[FEAT_AVX512F] = 1;
  ck_assert(__get_cpuid_count(7, 0, &a, &b, &c, &d));
  model.has[FEAT_LA57] = c >> 16 & 1;
  model.has[FEAT_ZERO_FCS_FDS] = b >> 13 & 1;
  m = m_new(VENDOR_INTEL, LONG64, 3);
  m.cpu->model = &model;
  m.cpu->cr4 |= CR4_OSXSAVE;
  m.cpu->xcr0 = ALL;
  cpu_update_mode(m.cpu);
}

/* ---- cases ---- */

static u64 pick_mask(void) { return below(4) ? rnd() & ALL : ALL; }

static void random_area(u8 *a) {
  for (unsigned k = 0; k < PAGE_SIZE; k += 8) st64(a + k, rnd() | UINT64_C(0x0100000000000001));
  memset(a + XAREA_HEADER, 0, 64);
  st32(a + 24, (u32)rnd() & MXCSR_VALID);
  if (!below(2)) st32(a + 24, MXCSR_RESET);
}

static u64 unlike; /* what is enabled here and is not the model's */

/* What XRSTOR refuses, one in a few. */
static void spoil(u8 *a) {
  u8 *h = a + XAREA_HEADER;
  switch (below(12)) {
    case 0: h[below(64)] |= (u8)(1u << below(8)); break;
    case 1: st32(a + 24, (u32)rnd()); break;
    case 2: st64(h, ld64(h) ^ BIT(below(12))); break;
    case 3: st64(h + 8, ld64(h + 8) ^ BIT(below(12))); break;
    case 4: st64(h + 8, ld64(h + 8) ^ XCOMP_COMPACT); break;
    default: break;
  }
  st64(h, ld64(h) & ~unlike);
  st64(h + 8, ld64(h + 8) & ~unlike);
}

static void random_image(u8 *a, bool sound) {
  u64 format = pick_mask();
  random_area(a);
  st64(a + XAREA_HEADER, pick_mask());
  if (below(2)) {
    st64(a + XAREA_XCOMP, format | XCOMP_COMPACT);
    st64(a + XAREA_HEADER, ld64(a + XAREA_HEADER) & format);
  }
  if (!sound) spoil(a);
}

/* Near the page without access, or not aligned, now and then. */
static u32 place(u32 usual) {
  if (!below(10)) return EDGE - 64 * (1 + below(46));
  if (!below(20)) return usual + 1 + below(63);
  return usual;
}

static unsigned faults[32];

/* What this machine does. A task switch between two of the instructions may leave a component in use that is in its
 * initial state, as XINUSE may say then (SDM 1 13.6, Processor Tracking of XSAVE-Managed State): so a result unlike the
 * emulated one counts when it comes again. */
static int run_host_again(const struct step *s, unsigned n, int got, const u8 *guest) {
  enum { TRIES = 5 };
  static u8 before[EDGE];
  int want = -1;
  memcpy(before, host, EDGE);
  for (unsigned k = 0; k < TRIES; k++) {
    if (k) memcpy(host, before, EDGE);
    want = run_host(s, n);
    if (want == got && !memcmp(host, guest, EDGE)) break;
  }
  return want;
}

static void one_case(unsigned number) {
  u8 *guest = m.ram + GUEST;
  struct step s[4] = {{xrstor, true, ALL, PRIOR},
                      {xrstor, below(2), (u32)pick_mask(), place(IN)},
                      {saves[below(3)], below(2), (u32)pick_mask(), place(OUT)},
                      {xsave, true, ALL, FULL}};
  if (!below(50)) s[1].mask |= 0xffffff00 & ~(u32)unlike & (u32)rnd(); /* not enabled: ignored */
  random_image(host + PRIOR, true);
  random_image(host + IN, false);
  if (s[1].at != IN) memmove(host + s[1].at, host + IN, EDGE - s[1].at < 3072 ? EDGE - s[1].at : 3072);
  random_area(host + OUT);
  for (unsigned k = 0; k < 16; k++) host[OUT + XAREA_HEADER + k] = (u8)rnd();
  memset(host + FULL, 0, EDGE - FULL);
  memcpy(guest, host, EDGE);
  char what[200];
  snprintf(what, sizeof what, "case %u: XRSTOR%s %x at %x (XSTATE_BV %llx, XCOMP_BV %llx), %s%s %x at %x", number,
           s[1].wide ? "64" : "", s[1].mask, s[1].at, (unsigned long long)ld64(host + IN + XAREA_HEADER),
           (unsigned long long)ld64(host + IN + XAREA_XCOMP), s[2].op.name, s[2].wide ? "64" : "", s[2].mask, s[2].at);
  int got = run_guest(s, 4), want = run_host_again(s, 4, got, guest);
  ck_assert_msg(want == got, "%s: vector %d, want %d", what, got, want);
  if (want >= 0) faults[want]++;
  if (want == VEC_PF)
    ck_assert_msg(m.cpu->cr2 - GUEST == fault_at, "%s: fault at %llx, want %llx", what,
                  (unsigned long long)m.cpu->cr2 - GUEST, (unsigned long long)fault_at);
  for (unsigned k = 0; memcmp(host, guest, EDGE) && k < EDGE; k++)
    ck_assert_msg(host[k] == guest[k], "%s: byte %x is %02x, want %02x", what, k, guest[k], host[k]);
}

/* XCR0 has what is compared, or the processor has no such state. */
static bool host_has_it(void) {
  u32 a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) return false;
  __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  unlike = a & ~(u32)ALL;
  return (a & ALL) == ALL && __get_cpuid_count(13, 1, &a, &b, &c, &d) && (a & 3) == 3;
}

START_TEST(areas_are_the_processor_s) {
  if (!host_has_it()) return;
  open_host();
  open_guest();
  for (unsigned k = 0; k < CASES; k++) one_case(k);
  printf("xsave: %u cases against the processor, %u #GP, %u #PF\n", CASES, faults[VEC_GP], faults[VEC_PF]);
  ck_assert_uint_ge(faults[VEC_GP], CASES / 20);
  ck_assert_uint_ge(faults[VEC_PF], CASES / 100);
  m_free(&m);
}
END_TEST

/* CPUID.0DH: sizes and offsets of this machine's components, which are at intel's places. */
START_TEST(layout_is_the_processor_s) {
  u32 a, b, c, d;
  if (!host_has_it()) return;
  open_guest();
  for (unsigned k = 2; k <= 9; k++) {
    if (!(ALL >> k & 1)) continue;
    ck_assert(__get_cpuid_count(13, k, &a, &b, &c, &d));
    ck_assert_uint_eq(xstate_component_size(k), a);
    ck_assert_uint_eq(xstate_offset(&model, ALL, false, k), b);
    ck_assert_uint_eq(c & 3, 0); /* neither a supervisor's nor aligned */
  }
  m_free(&m);
}
END_TEST

Suite *suite_xsave(void) {
  Suite *s = suite_create("xsave");
  TCase *t = tcase_create("native");
  tcase_set_timeout(t, 120);
  tcase_add_test(t, areas_are_the_processor_s);
  tcase_add_test(t, layout_is_the_processor_s);
  suite_add_tcase(s, t);
  return s;
}
