/* What single rows need: operands that make sense, flags that depend on data, and why some rows cannot run
 * here. SDM 2 (the instructions' pages); SDM 1 A.1 (EFLAGS and Instructions), for the undefined flags. */
#include "tests/native/rows.h"

#include "base/bits.h"
#include "cpu/simd_state.h"
#include "tests/native/cases.h"
#include "tests/native/encoder.h"
#include "tests/native/native.h"
#include "tests/native/segments.h"

static u64 low(u64 v, unsigned bytes) { return bytes == 8 ? v : v & (BIT(8 * bytes) - 1); }
/* Merges the low bytes of v into a register. */
static void set_low(struct test_case *c, enum reg reg, u64 v, unsigned bytes) {
  u64 mask = bytes == 8 ? ~UINT64_C(0) : BIT(8 * bytes) - 1;
  c->in.gpr[reg] = (c->in.gpr[reg] & ~mask) | (v & mask);
}
/* What the stack holds, n bytes from its top on. */
static void push_int(struct test_case *c, unsigned n, u64 v, unsigned bytes) {
  case_poke_int(c, case_stack_top(c) + n, v, bytes);
}
static unsigned first_size(const struct test_case *c) {
  struct operand ops[MAX_OPERANDS];
  return operands_of(c->row, ops) && ops[0].size == 'b' ? 1 : c->osize;
}

/* ---- shifts: SDM 2B SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD ---- */

/* Counts around the operand's size, and around the mask. */
static u64 shift_count(struct rng *r, unsigned bytes) {
  unsigned bits_ = 8 * bytes;
  switch (rn(r, 4)) {
    case 0: return rn(r, 3);
    case 1: return bits_ - 1 + rn(r, 3);
    case 2: return rn(r, 256);
    default: return rn(r, 34);
  }
}
static void shift_registers(struct test_case *c, struct rng *r) {
  u64 n = shift_count(r, first_size(c));
  set_low(c, RCX, n, 1);
  if (strstr(c->row->operands, "Ib")) c->enc.imm[0] = n;
}
static unsigned shift_masked(const struct test_case *c) {
  unsigned mask = first_size(c) == 8 ? 63 : 31;
  if (strstr(c->row->operands, ",1")) return 1;
  return (unsigned)(strstr(c->row->operands, "Ib") ? c->enc.imm[0] : c->in.gpr[RCX]) & mask;
}
/* A count of 0 changes no flag. OF is defined for counts of 1. */
static u32 shift_undefined(const struct test_case *c, u32 column) {
  unsigned n = shift_masked(c);
  if (n == 0) return 0;
  return n == 1 ? column & ~(u32)EF_OF : column;
}
/* SHLD and SHRD by more than the operand's size leave everything undefined. */
static u32 double_shift_undefined(const struct test_case *c, u32 column) {
  if (shift_masked(c) > 8u * c->osize) return EF_STATUS;
  return shift_undefined(c, column);
}

/* ---- arithmetic ---- */

/* Half of the quotients fit. */
static void div_registers(struct test_case *c, struct rng *r) {
  unsigned n = first_size(c);
  u64 high = one_in(r, 3) ? rn(r, 5) : 0;
  if (one_in(r, 4)) return;
  if (strchr(c->row->name, 'I') == c->row->name && one_in(r, 2))
    high = (u64) - (s64)(low(c->in.gpr[RAX], n) >> (8 * n - 1));
  if (n == 1) c->in.gpr[RAX] = (c->in.gpr[RAX] & ~UINT64_C(0xff00)) | (high & 0xff) << 8;
  else set_low(c, RDX, high, n);
}

/* The comparison succeeds half of the time. SDM 2A CMPXCHG, CMPXCHG8B/CMPXCHG16B */
static void cmpxchg_registers(struct test_case *c, struct rng *r) {
  if (!c->memory && one_in(r, 2)) c->in.gpr[c->enc.rm] = c->in.gpr[RAX];
}
static void cmpxchg_contents(struct test_case *c, struct rng *r) {
  bool pair = c->row->opcode == 0xc7;
  if (!c->memory || one_in(r, 2)) return;
  unsigned n = pair ? c->size / 2 : c->size;
  case_poke_int(c, c->target, c->in.gpr[RAX], n);
  if (pair) case_poke_int(c, c->target + n, c->in.gpr[RDX], n);
}

/* Bit offsets reach beyond the operand in memory. SDM 2A BT */
static void bt_registers(struct test_case *c, struct rng *r) {
  s64 off = (s64)rn(r, 8000) - 4000;
  if (!c->memory || operand_find(c->row, "G") < 0) return;
  if (c->enc.lock) off &= ~(s64)(8 * 64 - 1); /* not to split a cache line */
  set_low(c, c->enc.reg, (u64)off, c->osize);
}

/* ---- strings: SDM 2 REP, MOVS, CMPS, STOS, LODS, SCAS ---- */

static void string_registers(struct test_case *c, struct rng *r) {
  static const u64 endless[] = {0x300, 0x1fff, 0xffff, 0x10000, 0x7fffffff};
  enum sreg from =
      c->enc.seg >= 0 && (c->variant.mode != CODE64 || c->enc.seg >= FS) ? (enum sreg)c->enc.seg : DS;
  u64 a = case_data(c, r, c->osize);
  u64 b = one_in(r, 2) ? a + rn(r, 80) - 40 : case_data(c, r, c->osize);
  c->target = a;
  c->size = c->osize;
  u64 count = one_in(r, 24) ? endless[rn(r, ARRAY_SIZE(endless))] : one_in(r, 6) ? rn(r, 600) : rn(r, 20);
  case_point(c, r, RSI, from, a, c->asize);
  case_point(c, r, RDI, ES, b, c->asize);
  u64 noise = c->in.gpr[RCX];
  c->in.gpr[RCX] = count;
  if (c->asize == 4 && c->variant.mode == CODE64) c->in.gpr[RCX] |= noise << 32;
  if (c->asize == 2) c->in.gpr[RCX] = (u16)count | (u32)noise << 16;
}
/* Runs of equal elements, so that REPE and REPNE go on. */
static void string_contents(struct test_case *c, struct rng *r) {
  u8 fill[512];
  if (one_in(r, 3)) return;
  memset(fill, (u8)rnd(r), sizeof fill);
  u64 a = c->target - 256;
  case_poke(c, a, fill, sizeof fill);
  case_poke(c, case_base(c, ES) + low(c->in.gpr[RDI], c->asize) - 256, fill, sizeof fill);
  if (one_in(r, 2)) case_poke_int(c, a + rn(r, sizeof fill), rnd(r), 1);
  if (one_in(r, 2))
    c->in.gpr[RAX] =
        c->variant.mode == CODE64 ? fill[0] * UINT64_C(0x0101010101010101) : fill[0] * 0x01010101u;
}

static void xlat_registers(struct test_case *c, struct rng *r) {
  enum sreg seg =
      c->enc.seg >= 0 && (c->variant.mode != CODE64 || c->enc.seg >= FS) ? (enum sreg)c->enc.seg : DS;
  c->target = case_data(c, r, 256);
  case_point(c, r, RBX, seg, c->target, c->asize);
}
static void maskmov_registers(struct test_case *c, struct rng *r) {
  enum sreg seg =
      c->enc.seg >= 0 && (c->variant.mode != CODE64 || c->enc.seg >= FS) ? (enum sreg)c->enc.seg : DS;
  c->target = case_data(c, r, 16);
  case_point(c, r, RDI, seg, c->target, c->asize);
}

/* The destination lies on a line's boundary most of the time. SDM 2B MOVDIR64B */
static void line_registers(struct test_case *c, struct rng *r) {
  u64 at = case_data(c, r, 64);
  case_point(c, r, (enum reg)c->enc.reg, ES, one_in(r, 8) ? at : at & ~UINT64_C(63), c->asize);
}

/* ---- stack ---- */

static void enter_registers(struct test_case *c, struct rng *r) {
  c->enc.imm[0] = one_in(r, 8) ? rnd(r) & 0xffff : rnd(r) & 0xff8;
  c->enc.imm[1] = one_in(r, 2) ? rn(r, 3) : rn(r, 40);
  c->in.gpr[RBP] = c->in.gpr[RSP] + rn(r, 0x200);
}
static void leave_registers(struct test_case *c, struct rng *r) {
  c->in.gpr[RBP] = c->in.gpr[RSP] + (one_in(r, 8) ? rnd(r) & 0x1fff : rn(r, 0x200));
}
static void popf_contents(struct test_case *c, struct rng *r) {
  u64 v = rnd(r) & ~(u64)(one_in(r, 8) ? 0 : EF_TF);
  push_int(c, 0, v, 8);
}

/* ---- branches ---- */

static void loop_registers(struct test_case *c, struct rng *r) {
  static const u64 counts[] = {0, 1, 2, 0xffff, 0x10000, 0x10001, 0xffffffff, 0x100000000, 0x100000001};
  c->in.gpr[RCX] = counts[rn(r, ARRAY_SIZE(counts))];
}
static void near_contents(struct test_case *c, struct rng *r) {
  u64 to = case_destination(c, r);
  if (!c->memory) {
    if (c->enc.rm != RSP) c->in.gpr[c->enc.rm] = c->variant.mode == CODE64 ? to : (u32)to;
  } else {
    case_poke_int(c, c->target, to, c->osize);
  }
}
static void ret_contents(struct test_case *c, struct rng *r) {
  push_int(c, 0, case_destination(c, r), c->osize);
}

/* Selectors for far transfers: other code, and what is refused. */
static u16 far_selector(struct rng *r) {
  static const u16 code[] = {USER32_CS,           USER_CS,   LDT_SEL(LDT_CODE16),
                             LDT_SEL(LDT_CODE32), USER32_CS, USER_CS};
  return one_in(r, 4) ? segment_any(r) : code[rn(r, ARRAY_SIZE(code))];
}
/* An offset that leads to the filled code pages, seen from that segment. */
static u64 far_offset(struct test_case *c, struct rng *r, u16 sel) {
  return case_destination(c, r) + case_base(c, CS) - (sel == USER_CS ? 0 : segment_base(sel));
}
static void far_direct_contents(struct test_case *c, struct rng *r) {
  u16 sel = far_selector(r);
  c->enc.imm[0] = low(far_offset(c, r, sel), c->osize) | (u64)sel << 8 * c->osize;
  if (!encode(c->row, &c->enc)) c->enc.imm[0] = 0;
}
static void far_memory_contents(struct test_case *c, struct rng *r) {
  u16 sel = far_selector(r);
  case_poke_int(c, c->target, far_offset(c, r, sel), c->osize);
  case_poke_int(c, c->target + c->osize, sel, 2);
}
static void far_stack_contents(struct test_case *c, struct rng *r) {
  u16 sel = far_selector(r);
  push_int(c, 0, far_offset(c, r, sel), c->osize);
  push_int(c, c->osize, sel, 2);
}
static void iret_contents(struct test_case *c, struct rng *r) {
  unsigned n = c->osize;
  far_stack_contents(c, r);
  u64 never = EF_TF | EF_VM;
  if (case_stack_top(c) & 7) never |= EF_AC; /* it counts at once, and Linux tries again for ever */
  push_int(c, 2 * n, EF_1 | (rnd(r) & EF_VALID & ~never), n);
  push_int(c, 3 * n, case_stack_top(c) + rn(r, 64), n);
  push_int(c, 4 * n, one_in(r, 3) ? segment_any(r) : USER_DS, n == 8 ? 8 : 2);
}
static void int_registers(struct test_case *c, struct rng *r) {
  c->enc.imm[0] = one_in(r, 3) ? rn(r, 32) : rn(r, 256);
  if ((u8)c->enc.imm[0] == 0x80) c->enc.imm[0] = 0x81; /* a system call */
}

/* ---- segments ---- */

static void selector_registers(struct test_case *c, struct rng *r) {
  if (!c->memory && operand_find(c->row, "E") >= 0) set_low(c, c->enc.rm, segment_any(r), 2);
}
static void selector_contents(struct test_case *c, struct rng *r) {
  if (c->memory) case_poke_int(c, c->target, segment_any(r), 2);
}
static void pointer_contents(struct test_case *c, struct rng *r) {
  case_poke_int(c, c->target + c->osize, segment_any(r), 2);
}
static void pop_selector_contents(struct test_case *c, struct rng *r) { push_int(c, 0, segment_any(r), 2); }
static void arpl_contents(struct test_case *c, struct rng *r) {
  if (c->memory) case_poke_int(c, c->target, rnd(r), 2);
}
/* SDM 2A BOUND: the index lies within the bounds most of the time. */
static void bound_contents(struct test_case *c, struct rng *r) {
  s64 index = sext(c->in.gpr[c->enc.reg], 8 * c->osize);
  case_poke_int(c, c->target, (u64)(index - (s64)rn(r, 3) + (one_in(r, 4) ? 1 : 0)), c->osize);
  case_poke_int(c, c->target + c->osize, (u64)(index + (s64)rn(r, 3) - (one_in(r, 4) ? 1 : 0)), c->osize);
}

/* ---- vector operands that are alike ---- */

static u8 *xmm_of(struct test_case *c, unsigned n) { return c->in.fx + FX_XMM + 16 * n; }
/* The second operand of an instruction with two: to be filled in by the caller. */
static void set_source(struct test_case *c, const u8 bytes[16]) {
  if (c->memory) case_poke(c, c->target, bytes, 16);
  else memcpy(xmm_of(c, c->enc.rm), bytes, 16);
}

/* Elements of few kinds, so that some match, with zeros, which end implicit strings. */
static void string_bytes(struct rng *r, unsigned size, u8 out[16]) {
  static const u16 alphabet[] = {'a', 'b', 'c', 0x80, 0xff, 0x7f, 0x8000, 0xffff};
  unsigned many = 2 + rn(r, ARRAY_SIZE(alphabet) - 1), zeros = 2 + rn(r, 40);
  for (unsigned k = 0; k < 16; k += size) {
    u16 v = one_in(r, zeros) ? 0 : one_in(r, 12) ? (u16)rnd(r) : alphabet[rn(r, many)];
    out[k] = (u8)v;
    if (size == 2) out[k + 1] = (u8)(v >> 8);
  }
}
static u64 string_length(struct rng *r) { return one_in(r, 8) ? value_int(r) : (u64)((s64)rn(r, 40) - 20); }
static void pcmpstr_registers(struct test_case *c, struct rng *r) {
  c->enc.imm[0] = rnd(r);
  c->in.gpr[RAX] = string_length(r);
  c->in.gpr[RDX] = string_length(r);
  for (unsigned n = 0; n < 16; n++) string_bytes(r, c->enc.imm[0] & 1 ? 2 : 1, xmm_of(c, n));
  if (one_in(r, 3)) memcpy(xmm_of(c, c->enc.rm), xmm_of(c, c->enc.reg), 12);
}
/* Memory is like the other operand for some elements. */
static void pcmpstr_contents(struct test_case *c, struct rng *r) {
  u8 bytes[16];
  if (!c->memory) return;
  string_bytes(r, c->enc.imm[0] & 1 ? 2 : 1, bytes);
  unsigned from = rn(r, 16);
  if (one_in(r, 2)) memcpy(bytes + from, xmm_of(c, c->enc.reg), 16 - from);
  case_poke(c, c->target, bytes, sizeof bytes);
}

/* Equal elements, or upper halves of them. */
static void compare_contents(struct test_case *c, struct rng *r) {
  u8 bytes[16];
  memcpy(bytes, xmm_of(c, c->enc.reg), 16);
  for (unsigned k = 0; k < 16; k += 4)
    if (one_in(r, 3)) st32(bytes + k, (u32)value_int(r));
  if (one_in(r, 2)) set_source(c, bytes);
}
/* Nothing in common, or nothing besides. SDM 2 PTEST */
static void ptest_contents(struct test_case *c, struct rng *r) {
  u8 bytes[16];
  bool other = one_in(r, 2), exact = !one_in(r, 3);
  for (unsigned k = 0; k < 16; k++) {
    u8 v = xmm_of(c, c->enc.reg)[k];
    bytes[k] = (u8)((other ? ~v : v) & rnd(r));
  }
  if (!exact) bytes[rn(r, 16)] ^= (u8)(1u << rn(r, 8));
  if (one_in(r, 8)) memset(bytes, 0, 16);
  if (!one_in(r, 4)) set_source(c, bytes);
}

/* ---- x87 and SSE state in memory ---- */

static void fxrstor_contents(struct test_case *c, struct rng *r) {
  u8 image[512];
  value_fx(r, KIND_INT, true, image);
  if (one_in(r, 8)) st32(image + FX_MXCSR, (u32)rnd(r)); /* reserved bits */
  case_poke(c, c->target, image, sizeof image);
}
static void mxcsr_contents(struct test_case *c, struct rng *r) {
  case_poke_int(c, c->target, one_in(r, 8) ? rnd(r) : value_mxcsr(r), 4);
}
/* FLDENV and FRSTOR: words at multiples of the operand size. SDM 1 8.1.10, Figures 8-9 to 8-12 */
static void environment_contents(struct test_case *c, struct rng *r) {
  unsigned n = c->osize == 2 ? 2 : 4;
  u8 st[10];
  case_poke_int(c, c->target, one_in(r, 4) ? rnd(r) : (rnd(r) & 0x1f00) | 0x7f, 2);
  case_poke_int(c, c->target + 2 * n, one_in(r, 4) ? 0xffff : rnd(r), 2);
  for (unsigned k = 0; c->row->opcode == 0xdd && k < 8; k++) {
    value_f80(r, st);
    case_poke(c, c->target + 7 * n + 10 * k, st, sizeof st);
  }
}

/* ---- the rules ---- */

static void cpuid_registers(struct test_case *c, struct rng *r) {
  static const u32 leaves[] = {0, 1, 7, 0x80000000, 0x80000001};
  c->in.gpr[RAX] = leaves[rn(r, ARRAY_SIZE(leaves))];
}

/* ---- SSE4.2 strings: SDM 2B PCMPESTRI, PCMPISTRI ---- */

/* Lengths around those of the strings; elements of a small alphabet, with ends. */
static void strings_registers(struct test_case *c, struct rng *r) {
  static const u8 letters[8] = {0, 'a', 'b', 'c', 'z', 0x80, 0xff, 'a'};
  for (unsigned k = 0; k < 2; k++)
    if (!one_in(r, 6)) {
      s64 n = (s64)rn(r, 37) - 18;
      c->in.gpr[k ? RDX : RAX] = c->variant.mode == CODE64 && one_in(r, 2) ? (u64)n : (u32)n;
    }
  if (one_in(r, 6)) return;
  bool words = one_in(r, 2);
  for (unsigned k = 0; k < 16 * 16; k++) {
    unsigned letter = rn(r, one_in(r, 3) ? 8 : 4) | !one_in(r, 8);
    c->in.fx[FX_XMM + k] = words && k % 2 ? 0 : letters[letter];
  }
  state_join(&c->in);
}
static void strings_contents(struct test_case *c, struct rng *r) {
  if (c->memory && !one_in(r, 4)) case_poke(c, c->target, c->in.vec[rn(r, 16)], 16);
}

/* ---- XSAVE: SDM 1 13.4 (XSAVE Area), 13.7 to 13.11 ---- */

enum { XSAVE_BYTES = 2688, XSAVE_HEADER = 512, XSAVE_COMPONENTS = 0xe7 };

/* Everything in use, so that what the host's tracking knows is no matter. */
static void xsave_registers(struct test_case *c, struct rng *r) {
  value_fx(r, KIND_F64, true, c->in.fx);
  value_vectors(r, KIND_INT, &c->in);
  c->in.k[rn(r, 8)] |= 1;
  st16(c->in.fx + FX_FSW, ld16(c->in.fx + FX_FSW) & 0x7f00);
  c->in.gpr[RAX] = one_in(r, 4) ? XSAVE_COMPONENTS : rnd(r) & XSAVE_COMPONENTS;
  c->in.gpr[RDX] = 0;
  if (c->enc.base == RAX || c->enc.base == RDX) c->enc.base = RSI; /* they say what, not where */
  if (c->enc.index == RAX || c->enc.index == RDX) c->enc.index = RDI;
  static const u16 edges[] = {DATA_AT, DATA_AT + DATA_BYTES, READONLY_AT, READONLY_AT + READONLY_BYTES,
                              STACK_AT};
  c->target = ARENA + DATA_AT + rn(r, DATA_BYTES - XSAVE_BYTES);
  if (one_in(r, 4)) c->target = ARENA + edges[rn(r, ARRAY_SIZE(edges))] - rn(r, XSAVE_BYTES);
  if (!one_in(r, 8)) c->target = (c->target + 63) & ~UINT64_C(63);
}
static void xsave_contents(struct test_case *c, struct rng *r) {
  u8 header[64] = {0};
  if (one_in(r, 2)) case_poke(c, c->target + XSAVE_HEADER, header, sizeof header);
}
static void xrstor_contents(struct test_case *c, struct rng *r) {
  struct { alignas(64) u8 b[XSAVE_BYTES]; } area;
  u64 bv = one_in(r, 3) ? XSAVE_COMPONENTS : rnd(r) & XSAVE_COMPONENTS, format = 0;
  value_fill(r, KIND_INT, area.b, sizeof area.b);
  value_fx(r, KIND_INT, true, area.b);
  memset(area.b + XSAVE_HEADER, 0, 64);
  if (one_in(r, 3)) format = BIT(63) | (rnd(r) & XSAVE_COMPONENTS) | (one_in(r, 3) ? 0 : bv);
  /* Components that only this machine has (AMX) are not to be named. */
  const u64 others = native_xcr0() & ~(u64)XSAVE_COMPONENTS;
  if (one_in(r, 24)) format ^= BIT(rn(r, 64)) & ~others;
  if (one_in(r, 24)) bv ^= BIT(rn(r, 64)) & ~others;
  st64(area.b + XSAVE_HEADER, bv);
  st64(area.b + XSAVE_HEADER + 8, format);
  if (one_in(r, 24)) area.b[XSAVE_HEADER + 16 + rn(r, 48)] = 1;
  if (one_in(r, 12)) st32(area.b + FX_MXCSR, (u32)rnd(r));
  case_poke(c, c->target, area.b, sizeof area.b);
}
static void xgetbv_registers(struct test_case *c, struct rng *r) {
  if (!one_in(r, 8)) c->in.gpr[RCX] = rn(r, 2);
}

/* In 64-bit code SYSCALL enters the kernel, with a number that none has, and comes back. Linux takes
 * EFLAGS.TF there for a request of its own. */
static void syscall_registers(struct test_case *c, struct rng *r) {
  (void)r;
  c->in.gpr[RAX] = NO_SYSTEM_CALL;
  c->in.eflags &= ~(u64)EF_TF;
}

static const struct row_rule rules[] = {
  {.names = "SYSENTER", .skip = "the host's kernel returns to its vDSO, not to the program"},
  {.names = "VMCALL", .skip = "the hypervisor below answers, if there is one"},
  {.names = "SGDT SIDT SLDT STR SMSW",
   .skip = "tells of the host's tables, or of what its kernel pretends (UMIP)"},
  {.names = "RDPKRU WRPKRU", .skip = "protection keys rule the tester's own memory", .skip_with = FEAT_PKU,
   .anyway = true},
  {.names = "SYSCALL", .host_gprs = 1 << RAX, .intel = true, .registers = syscall_registers},
  {.names = "MONITOR MWAIT WBNOINVD", .anyway = true},
  {.names = "PREFETCH PREFETCHWT1", .operands = "Mb", .anyway = true},
  {.names = "RDRAND RDSEED", .host_gprs = 0xffff, .host_wide = true},
  {.names = "XGETBV", .host_gprs = 1 << RAX | 1 << RDX, .registers = xgetbv_registers},
  {.names = "XSAVE XSAVEC XSAVEOPT XSAVES", .registers = xsave_registers, .contents = xsave_contents,
   .partial = true},
  {.names = "XRSTOR XRSTORS", .registers = xsave_registers, .contents = xrstor_contents, .partial = true,
   .partial_fx = true},
  {.names = "PCMPESTRI PCMPESTRM PCMPISTRI PCMPISTRM VPCMPESTRI VPCMPESTRM VPCMPISTRI VPCMPISTRM",
   .registers = strings_registers, .contents = strings_contents},
  {.names = "VGATHERDPS VGATHERDPD VGATHERQPS VGATHERQPD VPGATHERDD VPGATHERDQ VPGATHERQD VPGATHERQQ "
            "VSCATTERDPS VSCATTERDPD VSCATTERQPS VSCATTERQPD VPSCATTERDD VPSCATTERDQ VPSCATTERQD VPSCATTERQQ",
   .partial = true},
  {.names = "RDTSC", .host_gprs = 1 << RAX | 1 << RDX},
  {.names = "RDTSCP", .host_gprs = 1 << RAX | 1 << RDX | 1 << RCX},
  {.names = "RDPID", .host_gprs = 0xffff},
  {.names = "CPUID", .host_gprs = 1 << RAX | 1 << RBX | 1 << RCX | 1 << RDX,
   .registers = cpuid_registers, .slow = 8},
  {.names = "ROL ROR RCL RCR SHL SHR SAL SAR", .registers = shift_registers, .undefined = shift_undefined},
  {.names = "SHLD SHRD", .registers = shift_registers, .undefined = double_shift_undefined},
  {.names = "DIV IDIV", .registers = div_registers},
  {.names = "CMPXCHG CMPXCHG8B", .registers = cmpxchg_registers, .contents = cmpxchg_contents},
  {.names = "BT BTS BTR BTC", .registers = bt_registers},
  {.names = "MOVS CMPS STOS LODS SCAS INS OUTS", .registers = string_registers, .contents = string_contents},
  {.names = "XLAT", .registers = xlat_registers},
  {.names = "MOVDIR64B", .registers = line_registers},
  {.names = "MASKMOVQ MASKMOVDQU VMASKMOVDQU", .registers = maskmov_registers},
  {.names = "PCMPESTRI PCMPESTRM PCMPISTRI PCMPISTRM", .registers = pcmpstr_registers,
   .contents = pcmpstr_contents},
  {.names = "PCMPEQQ PCMPGTQ", .operands = "Vx,Wx", .contents = compare_contents},
  {.names = "PTEST", .contents = ptest_contents},
  {.names = "ENTER", .registers = enter_registers, .partial = true},
  {.names = "LEAVE", .registers = leave_registers},
  {.names = "POPF", .contents = popf_contents},
  {.names = "LOOP LOOPE LOOPNE JCXZ", .registers = loop_registers},
  {.names = "PUSHA POPA", .partial = true},
  {.names = "JMP CALL", .operands = "Ev", .contents = near_contents},
  {.names = "JMP CALL", .operands = "Ap", .contents = far_direct_contents, .partial = true},
  {.names = "JMP CALL", .operands = "Mp", .contents = far_memory_contents, .partial = true},
  {.names = "RET", .contents = ret_contents},
  {.names = "RETF", .contents = far_stack_contents},
  {.names = "IRET", .contents = iret_contents},
  {.names = "INT", .registers = int_registers},
  {.names = "MOV", .operands = "Sw,Ew", .registers = selector_registers, .contents = selector_contents},
  {.names = "POP", .operands = "ES", .contents = pop_selector_contents},
  {.names = "POP", .operands = "SS", .contents = pop_selector_contents},
  {.names = "POP", .operands = "DS", .contents = pop_selector_contents},
  {.names = "POP", .operands = "FS", .contents = pop_selector_contents},
  {.names = "POP", .operands = "GS", .contents = pop_selector_contents},
  {.names = "LES LDS LSS LFS LGS", .contents = pointer_contents},
  {.names = "LAR LSL VERR VERW", .registers = selector_registers, .contents = selector_contents},
  {.names = "ARPL", .contents = arpl_contents},
  {.names = "BOUND", .contents = bound_contents},
  {.names = "FSTP FBSTP", .operands = "Mt", .partial = true},
  {.names = "FXRSTOR", .contents = fxrstor_contents},
  {.names = "LDMXCSR VLDMXCSR", .contents = mxcsr_contents},
  {.names = "FLDENV FRSTOR FLDCW", .contents = environment_contents},
  {.names = "UD0 UD1 UD2", .slow = 8},
  {.names = NULL},
};

static bool listed(const char *names, const char *name) {
  size_t n = strlen(name);
  for (const char *s = names; (s = strstr(s, name)); s += n)
    if ((s == names || s[-1] == ' ') && (s[n] == ' ' || !s[n])) return true;
  return false;
}

const struct row_rule *rule_of(const struct oprow *row) {
  const struct row_rule *r = rules;
  while (r->names && !(listed(r->names, row->name) && (!r->operands || !strcmp(r->operands, row->operands))))
    r++;
  return r;
}

static enum value_kind x87_kind(const struct oprow *row, struct rng *r) {
  bool integer = !strncmp(row->name, "FI", 2);
  if (strchr(row->operands, 't')) return strncmp(row->name, "FB", 2) ? KIND_F80 : KIND_BCD;
  if (integer) return one_in(r, 3) ? KIND_SMALL : KIND_INT;
  return strchr(row->operands, 'q') ? KIND_F64 : KIND_F32;
}

/* By what the names say of vector rows: V before those of VEX and EVEX. */
static enum value_kind vector_kind(const char *name, struct rng *r) {
  size_t n = strlen(name);
  const char *end = name + (n > 2 ? n - 2 : 0);
  bool v = *name == 'V';
  if (!strncmp(name + v, "CVT", 3)) {
    if (strstr(name, "PH2")) return KIND_F16;
    return one_in(r, 3) ? KIND_INT : one_in(r, 2) ? KIND_F32 : KIND_F64;
  }
  if (!strncmp(name + v, "PERM", 4) || !strncmp(name + v, "PCONFLICT", 9))
    return one_in(r, 2) ? KIND_COUNT : KIND_INT;
  if (name[v] == 'P') return one_in(r, 4) ? KIND_COUNT : KIND_INT;
  if (!strcmp(end, "PS") || !strcmp(end, "SS")) return KIND_F32;
  if (!strcmp(end, "PD") || !strcmp(end, "SD")) return KIND_F64;
  return one_in(r, 4) ? KIND_COUNT : KIND_INT;
}

enum value_kind row_kind(const struct oprow *row, struct rng *r) {
  static const enum value_kind any[] = {KIND_INT, KIND_F32, KIND_F64, KIND_COUNT};
  if (row->map == 0 && (row->attrs & A_X87)) return x87_kind(row, r);
  if (!(row->attrs & (A_SSE | A_MMX | A_AVX | A_AVX512))) return KIND_INT;
  return one_in(r, 4) ? any[rn(r, ARRAY_SIZE(any))] : vector_kind(row->name, r);
}
