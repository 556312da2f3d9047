/* MMX, SSE and SSE2 against this machine's own: every row of the opcode table in every operand form, over
 * edge values, rounding modes, masks and faults. Compared are all registers, MXCSR, the x87 state,
 * EFLAGS, memory and the vector of a fault. Then what a comparison cannot reach: modes, control bits, and
 * who holds MXCSR. SDM 1 9, 10, 11. */
#define _GNU_SOURCE
#include <stdio.h>

#include "cpu/opcodes.h"
#include "cpu/simd_state.h"
#include "tests/unit/machine.h"
#include "tests/unit/native64.h"
#include "tests/unit/random.h"

enum {
  ROUNDS = 120, /* per row */
  WINDOW = 0x10000000, /* where the guest's memory shows again, and the host has pages of its own */
  BUF = 0x6e000, BUF_BYTES = 0x2000, /* up to the supervisor's page */
};
#define BUF_AT ((u64)WINDOW + BUF)

/* ---- operand values ---- */

static u32 a_single(void) {
  static const u32 edge[] = {
      0,          0x80000000, 0x3f800000, 0xbf800000, 0x00800000, 0x80800000, 0x7f7fffff, 0xff7fffff, 1,
      0x80000001, 0x007fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001, 0xffa00000,
      0x3f000000, 0x3fc00000, 0x40200000, 0x3dcccccd, 0x4f000000, 0x4effffff, 0xcf000000, 0xcf000001,
      0x5f000000, 0xdf000000, 0x5effffff, 0x7f000000, 0x00ffffff, 0x00400000, 0x3f7fffff, 0x3f800001,
      0x33800000, 0x4b000001};
  u32 v = (u32)rnd() & 0x807fffff;
  switch (below(5)) {
    case 0: return (u32)rnd();
    case 1: return v | (below(30) + 112) << 23;
    case 2: return v | (below(2) ? below(30) : 254 - below(64)) << 23;
    default: return edge[below(ARRAY_SIZE(edge))];
  }
}

static u64 a_double(void) {
  static const u64 edge[] = {
      0, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x0010000000000000, 0x8010000000000000,
      0x7fefffffffffffff, 0xffefffffffffffff, 1, 0x8000000000000001, 0x000fffffffffffff, 0x7ff0000000000000,
      0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001, 0xfff4000000000000,
      0x3fe0000000000000, 0x3ff8000000000000, 0x4004000000000000, 0x3fb999999999999a, 0x41e0000000000000,
      0x41dfffffffc00000, 0x41dfffffffe00000, 0xc1e0000000000000, 0xc1e0000000200000, 0x43e0000000000000,
      0xc3e0000000000000, 0x43dfffffffffffff, 0x47efffffe0000000, 0x47efffffefffffff, 0x47effffff0000000,
      0x3810000000000000, 0x380fffffffffffff, 0x36a0000000000000, 0x3690000000000000, 0x3ff0000010000000};
  u64 v = rnd() & (below(2) ? 0x800fffffffffffff : 0x800fffffe0000000);
  switch (below(6)) {
    case 0: return rnd();
    case 1: return v | (u64)(below(60) + 1000) << 52;
    case 2: return v | (u64)(below(2) ? below(60) : 2046 - below(60)) << 52;
    case 3: /* at float's ends */
      return v | (u64)(below(2) ? 1023 + 127 - below(3) : 1023 - 126 - below(30)) << 52;
    default: return edge[below(ARRAY_SIZE(edge))];
  }
}

static u64 an_integer(void) {
  static const u16 edge[] = {0,      1,      0xffff, 0x7fff, 0x8000, 0x7f80,
                             0x807f, 0x00ff, 0xff00, 0x0080, 0xff7f, 0x8001};
  u64 v = 0;
  if (below(2)) return rnd();
  for (unsigned k = 0; k < 4; k++) v = v << 16 | edge[below(ARRAY_SIZE(edge))];
  return v;
}

enum kind { INTEGERS, SINGLES, DOUBLES, COUNTS, KINDS };
static void fill(u8 *p, unsigned n, enum kind kind) {
  for (unsigned k = 0; k < n; k += 8) {
    u64 lo = a_single();
    st64(p + k, kind == INTEGERS ? an_integer() : kind == SINGLES ? lo | (u64)a_single() << 32
                : kind == DOUBLES ? a_double() : below(80));
  }
}

/* ---- one case ---- */

struct test_case {
  u8 code[16];
  unsigned n;
  bool mem;
  u64 target; /* of a memory operand */
  struct native_state s;
};

static bool is_fx(const struct oprow *row) { return row->feature == FEAT_FXSR; }
static bool is_masked_store(const struct oprow *row) { return !strncmp(row->name, "MASKMOV", 7); }

static u64 pick_target(const struct oprow *row) {
  unsigned align = below(8) ? 16 : below(3) ? 8 : 1;
  u64 at = !below(8) ? 4096 - 16 + below(17)
           : !below(10) ? BUF_BYTES - 32 + below(33) : below(BUF_BYTES - 600);
  if (is_fx(row)) return BUF_AT + (below(6) ? below(BUF_BYTES - 512) & ~15u : BUF_BYTES - 16 * below(40));
  return BUF_AT + (at & ~(u64)(align - 1));
}

/* ModRM, SIB and displacement for [RSI + disp8], [RSI + RCX * scale + disp32] or [disp32]. */
static void put_memory(struct test_case *t, unsigned reg, bool a32) {
  u8 *p = t->code + t->n;
  unsigned scale = below(4);
  s32 disp = (s32)rnd() >> 8;
  u64 *rsi = &t->s.gpr[RSI];
  switch (below(3)) {
    case 0:
      p = native_put(p, 0x46 | reg << 3 | (disp & 0xff) << 8, 2);
      *rsi = t->target - (u64)(s8)disp;
      if (a32) *rsi = (u32)*rsi | rnd() << 32;
      break;
    case 1:
      p = native_put(p, 0x84 | reg << 3 | (scale << 6 | 0x0e) << 8, 2);
      p = native_put(p, (u32)disp, 4);
      *rsi = t->target - (u64)disp - (t->s.gpr[RCX] << scale);
      break;
    default:
      p = native_put(p, 0x04 | reg << 3 | 0x2500, 2);
      p = native_put(p, t->target, 4);
  }
  t->n = (unsigned)(p - t->code);
}

static void encode(struct test_case *t, const struct oprow *row) {
  bool a32 = t->mem && !below(3), wide = (strchr(row->operands, 'y') || is_fx(row)) && below(2);
  unsigned reg = row->modrm & 8 ? row->modrm >> 4 & 7 : below(8), rm = below(8);
  bool reg_is_gpr = strchr(row->operands, 'G'), rm_is_gpr = strchr(row->operands, 'E');
  u8 rex = (u8)(below(2) || wide ? 0x40 | (wide ? 8 : 0) | below(2) << 2 | (t->mem ? 0 : below(2)) : 0);
  if (reg_is_gpr && reg == RSP && !(rex & 4)) reg = RBP;
  if (rm_is_gpr && rm == RSP && !(rex & 1)) rm = RBP;
  if (a32) t->code[t->n++] = 0x67;
  if (row->prefix != P_NP) t->code[t->n++] = row->prefix == P_66 ? 0x66 : row->prefix == P_F3 ? 0xf3 : 0xf2;
  if (rex) t->code[t->n++] = rex;
  t->code[t->n++] = 0x0f;
  t->code[t->n++] = row->opcode;
  if (t->mem) put_memory(t, reg, a32);
  else if (row->modrm & 1) t->code[t->n++] = (u8)(0xc0 | reg << 3 | rm);
  if (strstr(row->operands, "Ib")) t->code[t->n++] = (u8)(below(2) ? rnd() : below(24));
}

static u32 pick_mxcsr(void) {
  u32 v = MXCSR_RESET;
  if (below(2)) v |= below(4) << MXCSR_RC_SHIFT;
  if (!below(4)) v |= MXCSR_FTZ;
  if (!below(4)) v |= MXCSR_DAZ;
  if (!below(4)) v |= below(64);
  if (!below(3)) v = (v & ~(u32)MXCSR_MASKS) | ((u32)rnd() & MXCSR_MASKS);
  return v;
}

static enum kind pick_kind(const char *name) {
  if (!strncmp(name, "CVT", 3)) return below(2) ? SINGLES : DOUBLES;
  if (!below(4)) return below(KINDS);
  return strstr(name, "PS") || strstr(name, "SS") ? SINGLES
         : strstr(name, "PD") || strstr(name, "SD") ? DOUBLES : below(KINDS);
}

static void pick_state(struct test_case *t, const struct oprow *row, u8 *buf) {
  u8 *fx = t->s.fx;
  enum kind kind = pick_kind(row->name);
  st16(fx, (u16)(below(3) ? 0x37f : 0x340 | below(64)));
  st16(fx + 2, (u16)(below(8) << 11 | (below(8) ? 0 : rnd() & 0x477f)));
  fx[4] = (u8)rnd();
  st32(fx + 24, pick_mxcsr());
  st32(fx + 28, MXCSR_VALID);
  for (unsigned r = 0; r < 8; r++) {
    fill(fx + 32 + 16 * r, 8, kind);
    st16(fx + 40 + 16 * r, (u16)rnd());
  }
  fill(fx + 160, 256, kind);
  for (unsigned r = 0; r < 16; r++) t->s.gpr[r] = below(2) ? an_integer() : a_double();
  t->s.flags = 0x202 | (rnd() & EF_STATUS);
  t->target = pick_target(row);
  fill(buf, BUF_BYTES, kind);
  u64 at = t->target - BUF_AT;
  if (at + 512 > BUF_BYTES) return;
  if (!strcmp(row->name, "LDMXCSR") && below(4)) st32(buf + at, (u32)rnd() & MXCSR_VALID);
  if (is_fx(row)) {
    memset(buf + at + 6, 0, 18); /* FOP and the pointers: what sticks of them is the model's */
    st32(buf + at + 24, (u32)rnd() & (below(5) ? MXCSR_VALID : 0xffffffff));
  }
}

/* ---- both sides ---- */

static struct machine m;
static u8 *host_buf;

/* The vector, or NATIVE_NO_FAULT. */
static int emulate(struct test_case *t) {
  struct cpu *cpu = m.cpu;
  if (!below(4)) cpu_tlb_flush(cpu);
  cpu->halted = false;
  m_ring(&m, 3);
  for (unsigned r = 0; r < 16; r++)
    if (r != RSP) cpu->gpr[r] = t->s.gpr[r];
  cpu_set_eflags(cpu, (u32)t->s.flags);
  ck_assert_int_eq(fxrstor_image(cpu, t->s.fx, true, 16), 0);
  m_code_at(&m, CODE, (const char *)t->code, t->n);
  cpu_run(cpu, 1);
  fxsave_image(cpu, t->s.fx, true, 16);
  for (unsigned r = 0; r < 16; r++) t->s.gpr[r] = cpu->gpr[r];
  t->s.flags = cpu_eflags(cpu);
  if (cpu->cpl == 3) return NATIVE_NO_FAULT;
  /* The handler started with the status flags of the faulting instruction. */
  return (int)((cpu->rip - HANDLERS) / 16);
}

static const char *difference(const struct test_case *a, const struct test_case *b) {
  if (memcmp(a->s.fx, b->s.fx, 28)) return "x87 control or MXCSR";
  if (memcmp(a->s.fx + 32, b->s.fx + 32, 128)) return "MMX registers";
  if (memcmp(a->s.fx + 160, b->s.fx + 160, 256)) return "XMM registers";
  for (unsigned r = 0; r < 16; r++)
    if (r != RSP && a->s.gpr[r] != b->s.gpr[r]) return "general registers";
  return (a->s.flags ^ b->s.flags) & EF_STATUS ? "EFLAGS" : NULL;
}

static unsigned rows, cases, faults;

static void one_case(const struct oprow *row) {
  struct test_case t = {.mem = !(row->modrm & 2) && (row->modrm & 1) && ((row->modrm & 4) || below(2))};
  char bytes[40] = "";
  pick_state(&t, row, host_buf);
  if (is_masked_store(row)) t.s.gpr[RDI] = t.target;
  memcpy(m.ram + BUF, host_buf, BUF_BYTES);
  encode(&t, row);
  struct test_case host = t, guest = t;
  for (unsigned k = 0; k < t.n; k++) sprintf(bytes + 2 * k, "%02x", t.code[k]);
  int want = native_run(t.code, t.n, &host.s), got = emulate(&guest);
  ck_assert_msg(want == got, "%s %s (%s): vector %d, want %d", row->name, row->operands, bytes, got, want);
  const char *what = difference(&host, &guest);
  ck_assert_msg(!what, "%s %s (%s): %s differ", row->name, row->operands, bytes, what);
  /* A faulting FXSAVE may have written some of its image. */
  if (!(is_fx(row) && want >= 0))
    ck_assert_msg(!memcmp(host_buf, m.ram + BUF, BUF_BYTES), "%s (%s): memory differs", row->name, bytes);
  cases++;
  faults += want >= 0;
}

static bool in_scope(const struct oprow *row) {
  return (row->feature == FEAT_MMX || row->feature == FEAT_SSE || row->feature == FEAT_SSE2 || is_fx(row)) &&
         ((row->attrs & (A_MMX | A_SSE)) || is_fx(row) || !strcmp(row->name, "MOVNTI"));
}

static void open_machine(void) {
  m = m_new(VENDOR_INTEL, LONG64, 3);
  m_put(&m, PD + (WINDOW >> 21) * 8, PT | PTE_P | PTE_RW | PTE_US, 8);
  m.cpu->cr4 |= CR4_OSXMMEXCPT;
  cpu_update_mode(m.cpu);
}
static void close_machine(void) { m_free(&m); }

START_TEST(every_row_is_the_processor_s) {
  u8 *p = mmap((void *)(uintptr_t)BUF_AT, BUF_BYTES + PAGE_SIZE, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  ck_assert_ptr_eq(p, (u8 *)(uintptr_t)BUF_AT);
  ck_assert_int_eq(mprotect(p + BUF_BYTES, PAGE_SIZE, PROT_NONE), 0);
  host_buf = p;
  native_open();
  for (unsigned r = 0; r < opcode_row_count; r++) {
    if (!in_scope(&opcode_rows[r])) continue;
    rows++;
    for (unsigned k = 0; k < ROUNDS; k++) one_case(&opcode_rows[r]);
  }
  printf("sse: %u rows, %u cases against the processor, %u of them faults\n", rows, cases, faults);
  ck_assert_uint_ge(rows, 270);
  ck_assert_uint_ge(faults, rows);
}
END_TEST

/* ---- what the host cannot show ---- */

static u32 host_mxcsr(void) { return __builtin_ia32_stmxcsr(); }

/* DIVSS XMM0, XMM1 of 1 / 3: inexact. SDM 1 4.8.4 (Rounding): 3EAAAAAB to nearest, 3EAAAAAA down. */
#define DIVSS "\xf3\x0f\x5e\xc1"
static void one_third(u32 mxcsr) {
  m.cpu->mxcsr = mxcsr;
  m.cpu->vec[0].d[0] = 0x3f800000;
  m.cpu->vec[1].d[0] = 0x40400000;
  m_code(&m, DIVSS);
}

START_TEST(mxcsr_is_the_guest_s_inside_and_the_host_s_outside) {
  const u32 up = MXCSR_RESET | 2 << MXCSR_RC_SHIFT, down = MXCSR_RESET | 1 << MXCSR_RC_SHIFT;
  __builtin_ia32_ldmxcsr(up);
  one_third(down);
  m_step(&m);
  ck_assert_uint_eq(host_mxcsr(), up);
  __builtin_ia32_ldmxcsr(MXCSR_RESET);
  ck_assert_uint_eq(m.cpu->mxcsr, down | MXCSR_PE);
  ck_assert_uint_eq(m.cpu->vec[0].d[0], 0x3eaaaaaa);
  m_ring(&m, 3);
  one_third(MXCSR_RESET);
  m_step(&m);
  ck_assert_uint_eq(m.cpu->mxcsr, MXCSR_RESET | MXCSR_PE);
  ck_assert_uint_eq(m.cpu->vec[0].d[0], 0x3eaaaaab);
}
END_TEST

/* SDM 2 LDMXCSR: #GP for a reserved bit; SDM 3A 2.5 (Control Registers): CR4.OSXMMEXCPT. */
START_TEST(reserved_mxcsr_bits_and_unmasked_exceptions) {
  m.cpu->gpr[RSI] = DATA;
  m_put(&m, DATA, 0x10000 | MXCSR_RESET, 4);
  m_code(&m, "\x0f\xae\x16");
  m_expect_fault(&m, VEC_GP, 0, CODE);
  ck_assert_uint_eq(m.cpu->mxcsr, MXCSR_RESET);
  m_ring(&m, 3);
  one_third(0);
  m_expect_vector(&m, VEC_XM);
  ck_assert_uint_eq(m.cpu->mxcsr, MXCSR_PE);
  ck_assert_uint_eq(m.cpu->vec[0].d[0], 0x3f800000);
  m.cpu->cr4 &= ~CR4_OSXMMEXCPT;
  m_ring(&m, 3);
  one_third(0);
  m_expect_vector(&m, VEC_UD);
}
END_TEST

/* SDM 3A Tables 12-1 (MMX) and 13-1 (SSE), SDM 2 MOVNTI, FXSAVE: what CR0.EM, CR0.TS and CR4.OSFXSR
 * refuse. */
static const struct {
  const char *code;
  u64 cr0, cr4_off;
  int vector;
} refused[] = {
    {"\x0f\x58\xc1", CR0_EM, 0, VEC_UD},         {"\x0f\x58\xc1", CR0_TS, 0, VEC_NM},
    {"\x0f\x58\xc1", 0, CR4_OSFXSR, VEC_UD},     {"\x0f\xfc\xc1", CR0_EM, 0, VEC_UD},
    {"\x0f\xfc\xc1", CR0_TS, 0, VEC_NM},         {"\x0f\xfc\xc1", 0, CR4_OSFXSR, NATIVE_NO_FAULT},
    {"\x0f\x2a\xc1", 0, CR4_OSFXSR, VEC_UD},     {"\x0f\xae\x1e", 0, CR4_OSFXSR, VEC_UD},
    {"\x0f\xc3\x06", CR0_EM | CR0_TS, CR4_OSFXSR, NATIVE_NO_FAULT},
    {"\x0f\xae\x06", CR0_EM, 0, VEC_UD},         {"\x0f\xae\x06", CR0_TS, 0, VEC_NM},
    {"\x0f\xae\x06", 0, CR4_OSFXSR, NATIVE_NO_FAULT},
};
START_TEST(control_registers_refuse) {
  m.cpu->gpr[RSI] = DATA;
  m.cpu->cr0 |= refused[_i].cr0;
  m.cpu->cr4 &= ~refused[_i].cr4_off;
  cpu_update_mode(m.cpu);
  m_code_at(&m, CODE, refused[_i].code, 3);
  if (refused[_i].vector == NATIVE_NO_FAULT) m_step(&m);
  else m_expect_vector(&m, (u8)refused[_i].vector);
  if (refused[_i].vector == NATIVE_NO_FAULT) ck_assert_uint_eq(m.cpu->rip, CODE + 3);
}
END_TEST

/* #UD for a repeat prefix where none is defined, and for 66 on EMMS and MOVNTI (measured on family 6
 * model 167). */
static const char *const undefined[] = {
    "\xf3\x0f\xfc\xc1", "\xf2\x0f\xfc\xc1", "\xf3\x0f\x54\xc1", "\x66\x0f\x77",
    "\x66\x0f\xc3\x06", "\xf3\x0f\xae\x06", "\x66\x0f\xae\x06", "\xf2\x0f\x2e\xc1"};
START_TEST(undefined_prefixes) {
  m.cpu->gpr[RSI] = DATA;
  m_code_at(&m, CODE, undefined[_i], strlen(undefined[_i]));
  m_expect_vector(&m, VEC_UD);
}
END_TEST

/* SDM 2 FXSAVE: outside 64-bit mode XMM0 to XMM7 only. */
START_TEST(fxsave_in_32_bit_code) {
  close_machine();
  m = m_new(VENDOR_INTEL, COMPAT32, 3);
  for (unsigned r = 0; r < 16; r++) m.cpu->vec[r].q[0] = 0x1111 * (r + 1);
  memset(m.ram + DATA, 0xcc, FXSAVE_BYTES);
  m.cpu->gpr[RSI] = DATA;
  m_code(&m, "\x0f\xae\x06");
  m_step(&m);
  ck_assert_uint_eq(m_get(&m, DATA + 160 + 7 * 16, 8), 0x8888);
  ck_assert_uint_eq(m_get(&m, DATA + 160 + 8 * 16, 8), 0xcccccccccccccccc);
  m_put(&m, DATA + 160, 0x1234, 8);
  m_put(&m, DATA + 160 + 8 * 16, 0x5678, 8);
  m_ring(&m, 3);
  m_code(&m, "\x0f\xae\x0e");
  m_step(&m);
  ck_assert_uint_eq(m.cpu->vec[0].q[0], 0x1234);
  ck_assert_uint_eq(m.cpu->vec[8].q[0], 0x9999);
}
END_TEST

/* PSHUFD XMM0, [RIP + 1000h], 1Bh: the immediate lies behind the displacement. */
START_TEST(rip_relative_operand_with_immediate) {
  for (unsigned k = 0; k < 4; k++) m_put(&m, CODE + 0x1010 + 4 * k, k + 1, 4);
  m_code(&m, "\x66\x0f\x70\x05\x07\x10\x00\x00\x1b");
  m_step(&m);
  for (unsigned k = 0; k < 4; k++) ck_assert_uint_eq(m.cpu->vec[0].d[k], 4 - k);
}
END_TEST

/* MASKMOVDQU FS:[EDI]: the override and the address size act on the implied operand. */
START_TEST(masked_store_segment_and_address_size) {
  m.cpu->seg[FS].base = DATA;
  m.cpu->gpr[RDI] = 0xffffffff00000010;
  m.cpu->vec[0].q[0] = 0x8877665544332211;
  m.cpu->vec[1].q[0] = 0x80007f0080ff0080;
  m.cpu->vec[1].q[1] = m.cpu->vec[0].q[1] = 0;
  memset(m.ram + DATA, 0, 64);
  m_code(&m, "\x64\x67\x66\x0f\xf7\xc1");
  m_step(&m);
  ck_assert_uint_eq(m_get(&m, DATA + 16, 8), 0x8800000044330011);
}
END_TEST

/* A vector store into the instruction behind it is seen. SDM 3A 11.6 (Self-Modifying Code) */
START_TEST(vector_store_into_the_next_instruction) {
  close_machine();
  m = m_new(VENDOR_INTEL, LONG64, 0);
  m.cpu->gpr[RSI] = CODE + 4;
  m.cpu->vec[0].q[0] = UINT64_C(0xf400000002b8);
  m_code(&m, "\xf3\x0f\x7f\x06\xb8\x01\x00\x00\x00");
  ck_assert_int_eq(cpu_run(m.cpu, 200), CPU_EXIT_HALT);
  ck_assert_uint_eq(m.cpu->gpr[RAX], 2);
}
END_TEST

Suite *suite_sse(void);
Suite *suite_sse(void) {
  Suite *s = suite_create("sse");
  TCase *native = tcase_create("native"), *own = tcase_create("rules");
  tcase_set_timeout(native, 120);
  tcase_add_checked_fixture(native, open_machine, close_machine);
  tcase_add_test(native, every_row_is_the_processor_s);
  tcase_add_checked_fixture(own, open_machine, close_machine);
  tcase_add_test(own, mxcsr_is_the_guest_s_inside_and_the_host_s_outside);
  tcase_add_test(own, reserved_mxcsr_bits_and_unmasked_exceptions);
  tcase_add_loop_test(own, control_registers_refuse, 0, ARRAY_SIZE(refused));
  tcase_add_loop_test(own, undefined_prefixes, 0, ARRAY_SIZE(undefined));
  tcase_add_test(own, fxsave_in_32_bit_code);
  tcase_add_test(own, rip_relative_operand_with_immediate);
  tcase_add_test(own, masked_store_segment_and_address_size);
  tcase_add_test(own, vector_store_into_the_next_instruction);
  suite_add_tcase(s, native);
  suite_add_tcase(s, own);
  return s;
}
