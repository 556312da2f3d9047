/* How a test case is made: variants, registers and flags, the memory operand's address, the code's place.
 * SDM 1 3.7.5 (Specifying an Offset), 3.4.3 (EFLAGS Register); SDM 2A 2.1.5 (Addressing-Mode Encoding). */
#include "tests/native/cases.h"

#include "base/bits.h"
#include "tests/native/encoder.h"
#include "tests/native/segments.h"
#include "tests/native/sequence.h"
#include "tests/native/vex_cases.h"

const struct arena_part arena_parts[ARENA_PARTS] = {
  {CODE_AT, CODE_BYTES, true, true},
  {DATA_AT, DATA_BYTES, true, false},
  {READONLY_AT, READONLY_BYTES, false, false},
  {STACK_AT, STACK_BYTES, true, false},
};
const char *const form_names[FORM_KINDS] = {
    "register",           "[base]",       "[base+disp8]", "[base+disp]", "[base+index*scale+disp]",
    "[index*scale+disp]", "[disp]",       "[rip+disp]",   "fs:",         "gs:",
    "segment override",   "address size", "lock",         "rep",         "repne"};
const char *const mode_names[CODE_MODES] = {"64-bit", "32-bit", "16-bit"};

/* ---- variants ---- */

static bool row_in_mode(const struct oprow *row, enum code_mode mode) {
  return mode == CODE64 ? row->modes != NO64 : row->modes != ONLY64;
}

static unsigned add_forms(const struct oprow *row, struct variant v, struct variant *out) {
  unsigned n = 0;
  bool moffs = operand_find(row, "O") >= 0, repeats = row->attrs & (A_STR | A_REPOK);
  for (unsigned f = 0; f < FORM_KINDS; f++) {
    bool fits;
    if (f == AT_REGISTER) fits = row_takes_register(row) || !(row->modrm & 1);
    else if (f == AT_ABSOLUTE) fits = row_takes_memory(row);
    else if (f <= AT_RIP) fits = row_takes_memory(row) && !moffs && (f != AT_RIP || v.mode == CODE64);
    else if (f == AT_LOCK) fits = row->modrm & 1;
    else if (f >= AT_REP) fits = repeats;
    else fits = row_takes_memory(row) || !(row->modrm & 1);
    if (moffs && f == AT_REGISTER) fits = false;
    if (!fits) continue;
    v.form = (enum form_kind)f;
    out[n++] = v;
  }
  return n;
}

unsigned variants_of(const struct oprow *row, bool ldt, struct variant *out) {
  unsigned n = 0;
  bool p66 = row->prefix == P_ANY || row->prefix == P_NOREP || row->prefix == P_W3 || row->prefix == P_W2;
  for (unsigned m = 0; m < CODE_MODES; m++) {
    if (!row_in_mode(row, (enum code_mode)m) || (m == CODE16 && !ldt)) continue;
    struct variant v = {.mode = (enum code_mode)m};
    if (row->enc) {
      n += vex_variants(row, (enum code_mode)m, out + n);
      continue;
    }
    n += add_forms(row, v, out + n);
    if (p66) {
      v.p66 = true;
      n += add_forms(row, v, out + n);
      v.p66 = false;
    }
    if (m == CODE64) {
      v.rexw = true;
      n += add_forms(row, v, out + n);
    }
  }
  return n;
}

/* Does the operand size change the instruction? */
static bool has_width(const struct oprow *row) {
  struct operand ops[MAX_OPERANDS];
  unsigned n = operands_of(row, ops);
  bool sized = n == 0;
  for (unsigned k = 0; k < n; k++)
    sized |= ops[k].letter != 'F' && (!ops[k].size || strchr("vzypa", ops[k].size));
  return sized;
}

unsigned variant_group(const struct oprow *row, const struct variant *v) {
  if (row->enc) {
    unsigned form = (v->form == AT_REGISTER ? 0u : 4u) + (v->b ? 3u : (unsigned)v->mask);
    return form * 8 + v->vl * 2u + v->rexw;
  }
  unsigned width = has_width(row) ? operand_size(row, v->mode, v->p66, v->rexw) / 2 : 0; /* 1 2 4 */
  unsigned form = v->form == AT_REGISTER ? 0 : v->form < AT_LOCK ? 1 : 2u + (unsigned)(v->form - AT_LOCK);
  return form * 8 + width;
}

/* ---- memory ---- */

void case_poke(struct test_case *c, u64 la, const void *bytes, unsigned n) {
  const u8 *from = bytes;
  for (unsigned k = 0; k < n; k++) {
    u64 off = la + k - ARENA;
    if (off - DATA_AT < DATA_BYTES || off - STACK_AT < STACK_BYTES) c->arena[off] = from[k];
  }
}
void case_poke_int(struct test_case *c, u64 la, u64 v, unsigned n) {
  u8 bytes[8];
  st64(bytes, v);
  case_poke(c, la, bytes, n);
}

u64 case_data(struct test_case *c, struct rng *r, unsigned n) {
  u64 at = ARENA + DATA_AT + 0x200 + rn(r, DATA_BYTES - 0x400);
  switch (rn(r, 40)) {
    case 0: return ARENA + DATA_AT + 0x1000 - rn(r, n + 1); /* crosses into the next page */
    case 1: return ARENA + DATA_AT + DATA_BYTES - rn(r, 2 * n + 1);
    case 2: return ARENA + DATA_AT - rn(r, n + 1);
    case 3: return ARENA + READONLY_AT + rn(r, READONLY_BYTES - 512);
    case 4: return ARENA + DATA_AT + DATA_BYTES + rn(r, 0x800);
    case 5: { /* around the end of all addresses */
      u64 end = c->variant.mode == CODE64 ? UINT64_C(0x800000000000) : UINT64_C(0x100000000);
      if (c->variant.mode == CODE64 && one_in(r, 2)) return rnd(r) | UINT64_C(0x4000000000000000);
      if (n <= 16) return end - rn(r, 2 * n + 1);
      break;
    }
    case 6: return rn(r, 4096);
    default: break;
  }
  return one_in(r, 4) ? at : at & ~(u64)15;
}

u64 case_base(const struct test_case *c, enum sreg seg) {
  if (seg == FS) return c->in.fs_base;
  if (seg == GS) return c->in.gs_base;
  if (seg >= SREG_COUNT) return 0;
  return c->variant.mode == CODE64 ? 0 : segment_base(c->in.sel[seg]);
}

/* What lies above the part of a register that counts is noise. */
static u64 with_noise(struct rng *r, enum code_mode mode, u64 v, unsigned size) {
  if (size == 2) return (u16)v | (mode == CODE64 ? rnd(r) << 16 : (u32)rnd(r) & 0xffff0000);
  if (size == 4) return (u32)v | (mode == CODE64 ? rnd(r) << 32 : 0);
  return v;
}

void case_point(struct test_case *c, struct rng *r, enum reg reg, enum sreg seg, u64 la, unsigned asize) {
  c->in.gpr[reg] = with_noise(r, c->variant.mode, la - case_base(c, seg), asize);
}

unsigned case_stack_size(const struct test_case *c) {
  if (c->variant.mode == CODE64) return 8;
  u16 sel = c->in.sel[SS];
  return sel == LDT_SEL(LDT_STACK16) || sel == LDT_SEL(LDT_DATA16) ? 2 : 4;
}

u64 case_stack_top(const struct test_case *c) {
  unsigned size = case_stack_size(c);
  u64 sp = c->in.gpr[RSP];
  if (size == 8) return sp;
  return (u32)(case_base(c, SS) + (size == 2 ? (u16)sp : (u32)sp));
}

static void choose_stack(struct test_case *c, struct rng *r) {
  u64 at = ARENA + STACK_AT + 0x400 + (rn(r, STACK_BYTES - 0x800) & ~15u);
  switch (rn(r, 24)) {
    case 0: at = ARENA + STACK_AT + rn(r, 32); break;
    case 1: at = ARENA + STACK_AT + STACK_BYTES - rn(r, 32); break;
    case 2: at = ARENA + STACK_AT + 0x1000 + rn(r, 64) - 32; break;
    case 3: case 4: at += rn(r, 16); break;
    case 5: at = ARENA + READONLY_AT + 0x100; break;
    default: at += rn(r, 2) * 8; break;
  }
  if (c->variant.mode == CODE64 && one_in(r, 64)) at = UINT64_C(0x800000000000) - 16 + rn(r, 32);
  case_point(c, r, RSP, SS, at, case_stack_size(c));
}

/* ---- the state ---- */

static void choose_state(struct test_case *c, struct rng *r) {
  struct state *s = &c->in;
  bool wide = c->variant.mode == CODE64;
  for (unsigned k = 0; k < 16; k++) s->gpr[k] = wide ? value_int(r) : (u32)value_int(r);
  s->eflags = EF_1 | EF_IF | (rnd(r) & EF_STATUS);
  if (one_in(r, 4)) s->eflags |= EF_DF;
  if (one_in(r, 16)) s->eflags |= EF_AC;
  if (one_in(r, 48)) s->eflags |= EF_TF;
  if (one_in(r, 32)) s->eflags |= EF_NT;
  if (one_in(r, 8)) s->eflags |= EF_ID;
  bool x87 = (c->row->attrs & (A_X87 | A_MMX | A_WAIT)) || (c->sequence && one_in(r, 2));
  value_fx(r, row_kind(c->row, r), x87, s->fx);
  if (c->row->enc || one_in(r, 4)) value_vectors(r, row_kind(c->row, r), s);
  if ((c->row->attrs & A_STACK) || !one_in(r, 4)) choose_stack(c, r);
}

/* Draws what the variant leaves open. */
static void choose_form(struct test_case *c, struct rng *r) {
  struct encoding *e = &c->enc;
  enum form_kind f = c->variant.form;
  bool wide = e->mode == CODE64, modrm = c->row->modrm & 1;
  if (c->row->enc) {
    vex_choose_form(c, r);
    return;
  }
  e->seg = -1;
  if (f == AT_FS) e->seg = FS;
  else if (f == AT_GS) e->seg = GS;
  else if (f == AT_SEGMENT) e->seg = (s8)rn(r, 4);
  e->p67 = f == AT_ASIZE || (f > AT_RIP && one_in(r, 6));
  e->lock = f == AT_LOCK;
  e->rep = f == AT_REP ? 0xf3 : f == AT_REPNE ? 0xf2 : 0;
  if (f >= AT_REP && one_in(r, 8)) e->seg = (s8)rn(r, SREG_COUNT);
  if (f > AT_RIP) {
    if (operand_find(c->row, "O") >= 0) f = AT_ABSOLUTE;
    else if (modrm && row_takes_memory(c->row) &&
             !(f == AT_LOCK && row_takes_register(c->row) && one_in(r, 16)))
      f = (enum form_kind)(AT_BASE + rn(r, wide ? 7 : 6));
    else f = AT_REGISTER;
  }
  e->form = f;
  c->memory = f != AT_REGISTER;
  c->asize = (u8)address_size(e->mode, e->p67);
}

static void choose_registers(struct test_case *c, struct rng *r) {
  struct encoding *e = &c->enc;
  unsigned many = e->mode == CODE64 ? 16 : 8;
  if (c->row->enc) {
    vex_choose_registers(c, r);
    return;
  }
  e->reg = (u8)rn(r, many);
  e->rm = (u8)rn(r, many);
  if (c->row->modrm & 8) e->reg = (u8)(c->row->modrm >> 4 & 7);
  if (c->row->modrm & 0x80) e->rm = (u8)(c->row->modrm >> 8 & 7);
  if (operand_find(c->row, "S") >= 0 && e->reg > 5) e->reg &= one_in(r, 4) ? 7 : 5;
  e->base = (u8)rn(r, many);
  do e->index = (u8)rn(r, many);
  while (e->index == RSP || e->index == e->base);
  e->scale = (u8)rn(r, 4);
  if (one_in(r, 3)) e->empty_rex = 0x40;
  for (unsigned k = 0; k < ARRAY_SIZE(e->imm); k++) e->imm[k] = value_int(r);
}

/* Prefixes that change nothing. F2 and F3 have later meanings before 0F and with LOCK and XCHG. */
static void choose_idle_prefixes(struct test_case *c, struct rng *r) {
  static const u8 segments[4] = {0x26, 0x2e, 0x36, 0x3e};
  const struct oprow *row = c->row;
  bool repeats = row->attrs & (A_STR | A_REPOK), counts = repeats || row->enc || row->map;
  if (row->enc && !c->sequence) vex_flaw(c, r);
  if (c->enc.mode == CODE64 && one_in(r, 12)) c->enc.idle[rn(r, 2)] = segments[rn(r, 4)];
  if (!counts && !c->enc.lock && row->prefix == P_ANY && !c->memory && one_in(r, 24))
    c->enc.idle[0] = one_in(r, 2) ? 0xf2 : 0xf3;
}

/* ---- the memory operand's address ---- */

static enum sreg default_segment(const struct test_case *c) {
  const struct encoding *e = &c->enc;
  if (c->asize == 2) {
    unsigned rm = e->base & 7;
    return e->form != AT_ABSOLUTE && (rm == 2 || rm == 3 || rm == 6) ? SS : DS;
  }
  bool based = e->form == AT_BASE || e->form == AT_DISP8 || e->form == AT_DISP || e->form == AT_SIB;
  return based && (e->base == RSP || e->base == RBP) ? SS : DS;
}

static s32 random_disp8(const struct encoding *e, struct rng *r) {
  return (s32)((u32)(s8)rnd(r) << e->disp8_shift);
}

/* 16-bit addressing: SDM 2A Table 2-1. Returns false where the target is too far away. */
static void solve16(struct test_case *c, struct rng *r, u64 off) {
  static const u8 base[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
  static const u8 index[4] = {RSI, RDI, RSI, RDI};
  struct encoding *e = &c->enc;
  if (e->form == AT_ABSOLUTE) {
    e->disp = (s32)off;
    return;
  }
  bool sum = e->form == AT_SIB || e->form == AT_INDEX;
  e->base = (u8)(sum ? e->base & 3 : 4 | (e->base & 3));
  e->disp = e->form == AT_DISP8 ? random_disp8(e, r) : e->form == AT_DISP ? (s16)rnd(r) : 0;
  u64 v = off - (u64)(s64)e->disp;
  if (sum) v -= c->in.gpr[index[e->base]];
  u64 *reg = &c->in.gpr[base[e->base]];
  *reg = (*reg & ~UINT64_C(0xffff)) | (u16)v;
}

static void solve(struct test_case *c, struct rng *r, u64 off) {
  struct encoding *e = &c->enc;
  u64 index;
  if (vex_address(c, r, off)) return;
  switch (e->form) {
    case AT_ABSOLUTE: case AT_RIP: /* AT_RIP: place_code() subtracts the place */
      e->disp = (s32)off;
      return;
    case AT_INDEX: {
      unsigned low = (1u << e->scale) - 1;
      e->disp = (s32)(((u32)value_int(r) & ~low) | ((u32)off & low));
      index = (off - (u64)(s64)e->disp) >> e->scale;
      c->in.gpr[e->index] = with_noise(r, e->mode, index, c->asize);
      return;
    }
    case AT_DISP8: e->disp = random_disp8(e, r); break;
    case AT_DISP: e->disp = (s32)(one_in(r, 2) ? rnd(r) & 0xfff : rnd(r)); break;
    case AT_SIB: e->disp = one_in(r, 3) ? 0 : one_in(r, 2) ? random_disp8(e, r) : (s32)rnd(r); break;
    default: e->disp = 0; break;
  }
  index = e->form == AT_SIB ? c->in.gpr[e->index] << e->scale : 0;
  c->in.gpr[e->base] = with_noise(r, e->mode, off - (u64)(s64)e->disp - index, c->asize);
}

/* An image that wraps at the address size is accessed in parts of its own: not that. */
static u64 without_wrap(const struct test_case *c, u64 off) {
  u64 last = off + c->size - 1, mask = c->asize == 2 ? 0xffff : 0xffffffff;
  bool parts = c->size > 8 && c->size != 10 && !c->row->enc && !(c->size == 16 && (c->row->attrs & A_SSE));
  return c->asize < 8 && parts && (last & mask) < (off & mask) ? off - c->size : off;
}

/* In 64-bit code the base of FS or GS is chosen so that any offset will do. */
static u64 offset_by_base(struct test_case *c, struct rng *r) {
  bool fs = c->enc.seg == FS;
  u64 off = one_in(r, 2) ? rnd(r) & 0xffff : value_int(r) & 0x7fffffffffff;
  bool absolute = c->enc.form == AT_ABSOLUTE || c->enc.form == AT_RIP;
  if (absolute) off = (u64)(s64)(s32)off;
  if (c->enc.form == AT_RIP) off = ARENA + (off & 0x7fffff);
  off = without_wrap(c, off);
  if (c->asize == 4) off = (u32)off;
  u64 base = (u64)sext(c->target - off, 48);
  if (absolute) c->target = base + off; /* not canonical then, when c->target is not */
  else off = c->target - base;
  if (c->asize == 4) off = (u32)off;
  *(fs ? &c->in.fs_base : &c->in.gs_base) = base;
  c->target = base + off;
  return off;
}

static void choose_address(struct test_case *c, struct rng *r) {
  const struct oprow *row = c->row;
  struct encoding *e = &c->enc;
  c->size = row->enc ? vex_access_size(row, e) : memory_size(row, c->osize);
  if (!c->target) c->target = case_data(c, r, c->size);
  if (row->enc && !c->sequence && c->target - ARENA < ARENA_BYTES) vex_choose_target(c, r);
  bool atomic = e->lock || !strcmp(row->name, "XCHG");
  if (atomic && (c->target & 63) + c->size > 64)
    c->target &= ~(u64)63; /* split locks are another machine's business */
  if (!row->enc && c->size >= 28 && !one_in(r, 8)) c->target &= ~(u64)15;
  if ((row->attrs & A_NOSEG) && one_in(r, 2)) { /* LEA reads nothing: any registers */
    e->disp = (s32)value_int(r);
    if (c->asize == 2) solve16(c, r, rnd(r));
    return;
  }
  if ((row->attrs & A_STACK) && e->form < AT_INDEX && e->base == RSP && c->asize != 2)
    c->target = case_stack_top(c) + rn(r, 64) - 32;
  enum sreg seg = e->seg >= 0 && (e->mode != CODE64 || e->seg >= FS) ? (enum sreg)e->seg : default_segment(c);
  if (e->mode != CODE64 && seg >= FS && one_in(r, row->enc ? 3 : 16)) { /* around the last offset */
    u64 end = case_base(c, seg) + (c->asize == 2 ? 0x10000 : 0);
    c->target = (u32)(end - rn(r, 2 * c->size)) & (one_in(r, 2) ? ~UINT64_C(0) : ~UINT64_C(15));
  }
  u64 off;
  if (e->mode == CODE64 && seg >= FS) off = offset_by_base(c, r);
  else off = without_wrap(c, c->target - case_base(c, seg));
  if (operand_find(row, "O") >= 0) e->imm[0] = off;
  else if (c->asize == 2) solve16(c, r, off);
  else solve(c, r, off);
}

static void fill_operand(struct test_case *c, struct rng *r) {
  u8 bytes[512];
  unsigned n = c->size < 64 ? 64 : c->size > sizeof bytes ? sizeof bytes : c->size;
  value_fill(r, row_kind(c->row, r), bytes, n);
  case_poke(c, c->target, bytes, n);
}

/* ---- the code's place ---- */

u64 case_destination(struct test_case *c, struct rng *r) {
  u64 la = ARENA + CODE_AT + 16 + rn(r, CODE_BYTES - 32);
  if (la + 16 >= c->start && la < c->at + 32) la = ARENA + CODE_AT + ((la + 128 - ARENA) & (CODE_BYTES - 1));
  if (one_in(r, 32)) la = ARENA + (one_in(r, 2) ? DATA_AT + rn(r, DATA_BYTES) : READONLY_AT - 16 + rn(r, 32));
  if (c->variant.mode == CODE64 && one_in(r, 48)) la = UINT64_C(0x800000000000) - rn(r, 3);
  return la - (c->variant.mode == CODE64 ? 0 : segment_base(c->in.sel[CS]));
}

/* A direct branch must not lead into the instruction itself. */
static void choose_distance(struct test_case *c, struct rng *r) {
  struct encoding *e = &c->enc;
  u64 next = c->at + e->n;
  unsigned size = immediate_size(c->row, 0, c->osize, c->asize);
  for (unsigned tries = 0; tries < 64; tries++) {
    u64 d = (u64)(size == 1 ? (s64)(s8)rnd(r) : (s64)(case_destination(c, r) + case_base(c, CS) - next));
    u64 to = next + d - ARENA;
    e->imm[0] = d;
    if (next + d + 16 >= c->start && next + d < next) continue;
    if (size != 1 || to - CODE_AT < CODE_BYTES) return;
  }
  e->imm[0] = 0;
}

static void choose_place(struct test_case *c, struct rng *r) {
  u64 room = CODE_BYTES - 0x200;
  c->start = ARENA + CODE_AT + 0x100 + rnd(r) % room;
  if (one_in(r, 16)) c->start = ARENA + CODE_AT + 0x1000 - rn(r, c->enc.n + 1u);
  if ((c->row->attrs & (A_X87 | A_MMX)) && one_in(r, 2) && !(c->in.eflags & EF_TF)) {
    static const u8 fnop[] = {0xd9, 0xd0};
    memcpy(c->before, fnop, sizeof fnop);
    c->before_n = sizeof fnop;
  }
  c->in.rip = c->start - (c->variant.mode == CODE64 ? 0 : segment_base(c->in.sel[CS]));
}

static bool place_code(struct test_case *c, struct rng *r) {
  struct encoding *e = &c->enc;
  if (!encode(c->row, e)) return false;
  if (!c->start) choose_place(c, r);
  c->at = c->start + c->before_n;
  if (e->form == AT_RIP && c->memory) e->disp = (s32)((u64)(s64)e->disp - (c->at + e->n));
  if (operand_find(c->row, "J") >= 0) {
    if (!c->sequence || one_in(r, 8)) choose_distance(c, r);
    else e->imm[0] = 0;
    /* not into the rest of a sequence either */
    if (c->sequence && c->at + e->n + e->imm[0] - c->start < SEQUENCE_BYTES + 16) e->imm[0] = 0;
  }
  return encode(c->row, e);
}

void case_write_code(const struct test_case *c) {
  u8 *p = c->arena + (c->start - ARENA);
  memcpy(p, c->before, c->before_n);
  memcpy(p + c->before_n, c->enc.bytes, c->enc.n);
}
void case_erase_code(const struct test_case *c) {
  memset(c->arena + (c->start - ARENA), ENDING, c->before_n + c->enc.n);
}

/* In sequences registers have changed by the time that they would be used as addresses, and all share little
 * memory. */
static void tame(struct test_case *c, struct rng *r) {
  struct encoding *e = &c->enc;
  if (!c->memory || one_in(r, 6)) return;
  c->target = ARENA + DATA_AT + 0x400 + 16 * rn(r, 24) + (one_in(r, 8) ? rn(r, 16) : 0);
  if (!(c->row->attrs & A_VSIB)) e->form = e->mode == CODE64 && one_in(r, 2) ? AT_RIP : AT_ABSOLUTE;
}

static void set_instruction(struct test_case *c, const struct oprow *row, const struct variant *v,
                            struct rng *r) {
  c->row = row;
  c->rule = rule_of(row);
  c->variant = *v;
  c->memory = false;
  c->target = 0;
  c->enc = (struct encoding){.mode = v->mode, .rexw = v->rexw};
  c->enc.p66 = v->p66 || (v->rexw && row->prefix == P_ANY && one_in(r, 4)); /* REX.W is stronger */
  c->osize = (u8)operand_size(row, v->mode, c->enc.p66, c->enc.rexw);
  choose_form(c, r);
  if (c->sequence) tame(c, r);
}

/* Operands, and the code itself. The state is there, and may change. */
static bool choose_operands(struct test_case *c, struct rng *r) {
  choose_registers(c, r);
  if (c->rule->registers) c->rule->registers(c, r);
  if (c->memory) {
    choose_address(c, r);
    fill_operand(c, r);
  }
  if (c->variant.mode != CODE64)
    for (unsigned k = 0; k < 16; k++) c->in.gpr[k] = (u32)c->in.gpr[k];
  if (case_stack_size(c) == 2) c->in.gpr[RSP] = (c->in.gpr[RSP] & 0xffff) | (ENTRY_STACK_TOP & 0xffff0000);
  choose_idle_prefixes(c, r);
  if (!place_code(c, r)) return false;
  if (c->rule->contents) c->rule->contents(c, r);
  c->part[c->parts].at = c->before_n;
  c->part[c->parts++].rule = c->rule;
  return true;
}

static void choose_ways(struct test_case *c, struct rng *r) {
  state_join(&c->in);
  c->step = one_in(r, 8);
  c->flush = one_in(r, 8);
  c->warm = one_in(r, 4);
}

bool case_make(struct test_case *c, const struct oprow *row, const struct variant *v, u64 seed, u8 *arena) {
  struct rng rng = {seed}, *r = &rng;
  memset(c, 0, sizeof *c);
  c->arena = arena;
  set_instruction(c, row, v, r);
  segments_choose(c, r, one_in(r, 4) || (v->mode == CODE32 && c->asize == 2));
  choose_state(c, r);
  if (!choose_operands(c, r)) return false;
  choose_ways(c, r);
  return true;
}

/* ---- sequences ---- */

/* What there is becomes what is executed before the next. */
static void step_on(struct test_case *c) {
  memcpy(c->before + c->before_n, c->enc.bytes, c->enc.n);
  c->before_n = (u8)(c->before_n + c->enc.n);
}

/* CMP AL, AL, where flags are left undefined: the next may read them. */
static void define_flags(struct test_case *c) {
  static const u8 cmp[] = {0x38, 0xc0};
  if (!*c->row->undefined && !c->rule->undefined) return;
  step_on(c);
  memcpy(c->enc.bytes, cmp, sizeof cmp);
  c->enc.n = sizeof cmp;
  c->at = c->start + c->before_n;
  c->part[c->parts].at = c->before_n;
  c->part[c->parts++].rule = rule_of(c->row);
}

bool case_make_sequence(struct test_case *c, const struct pool *pool, u64 seed, u8 *arena) {
  struct rng rng = {seed}, *r = &rng;
  struct variant v;
  unsigned n = 2 + rn(r, SEQUENCE_MAX - 1);
  memset(c, 0, sizeof *c);
  c->arena = arena;
  c->sequence = true;
  for (unsigned k = 0; k < n; k++) {
    const struct oprow *row = pool_draw(pool, r, &v);
    if (k) step_on(c);
    set_instruction(c, row, &v, r);
    if (!k) {
      segments_choose(c, r, one_in(r, 8) || (v.mode == CODE32 && c->asize == 2));
      choose_state(c, r);
      c->in.eflags &= ~(u64)EF_TF;
    }
    if (!choose_operands(c, r)) return false;
    define_flags(c);
  }
  choose_ways(c, r);
  return true;
}
