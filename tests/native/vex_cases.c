/* Test cases of rows with a VEX or EVEX prefix: variants, fields, registers, the memory form, and encodings
 * that are not allowed. SDM 2A 2.3.5 (The VEX Prefix), 2.7.1 (Instruction Format and EVEX), 2.7.4 (Opmask
 * Register Encoding), 2.7.5 (#UD Equations for EVEX). */
#include "tests/native/vex_cases.h"

#include <stdio.h>

#include "base/bits.h"
#include "tests/native/encoder.h"
#include "tests/native/rows.h"

enum {
  FLAWED = 20,        /* one in so many cases is not encoded as it should be */
  EVEX_REGISTERS = 32, VEX_REGISTERS = 16, LEGACY_REGISTERS = 8, OPMASKS = 8,
};

const char *const mask_names[] = {[MASK_NONE] = "", [MASK_MERGE] = ", masked", [MASK_ZERO] = ", zeroed"};

/* W is the size of a general register. */
static bool w_is_size(const struct oprow *row) {
  struct operand ops[MAX_OPERANDS];
  unsigned n = operands_of(row, ops);
  for (unsigned k = 0; k < n; k++)
    if (ops[k].size == 'y') return row->w == W_IG;
  return false;
}

/* The first operand is the one that ModRM.rm names. */
static bool stores(const struct oprow *row) {
  struct operand ops[MAX_OPERANDS];
  return operands_of(row, ops) && strchr("WME3", ops[0].letter);
}

static unsigned add_masks(const struct oprow *row, struct variant v, struct variant *out) {
  unsigned n = 0;
  bool memory = v.form != AT_REGISTER, zeroes = (row->attrs & A_KZ) && !(memory && stores(row));
  if (!(row->attrs & A_KREQ)) out[n++] = v;
  if (row->enc != ENC_EVEX) return n;
  v.mask = MASK_MERGE;
  if (row->attrs & A_K) out[n++] = v;
  v.mask = MASK_ZERO;
  if ((row->attrs & A_K) && zeroes) out[n++] = v;
  v.mask = MASK_NONE;
  v.b = true;
  bool rounds = (row->attrs & (A_RC | A_SAE)) && (row->vl == L_IG || v.vl == 2);
  if (memory ? row->attrs & A_BC : rounds) out[n++] = v;
  return n;
}

static unsigned add_forms(const struct oprow *row, struct variant v, struct variant *out) {
  unsigned n = 0;
  v.form = AT_REGISTER;
  if (row_takes_register(row) || !(row->modrm & 1)) n += add_masks(row, v, out + n);
  v.form = AT_BASE;
  if (row_takes_memory(row)) n += add_masks(row, v, out + n);
  return n;
}

unsigned vex_variants(const struct oprow *row, enum code_mode mode, struct variant *out) {
  unsigned n = 0;
  for (u8 vl = 0; vl < 3; vl++) {
    struct variant v = {.mode = mode, .vl = vl};
    if (row->vl == L_IG ? vl > 0 : !(row->vl >> vl & 1)) continue;
    n += add_forms(row, v, out + n);
    v.rexw = true;
    if (w_is_size(row) && mode == CODE64) n += add_forms(row, v, out + n);
  }
  return n;
}

const char *vex_variant_name(const struct variant *v, const struct oprow *row) {
  static char text[64];
  bool memory = v->form != AT_REGISTER;
  int n = row->vl == L_IG ? 0 : snprintf(text, sizeof text, "%u bits, ", 128u << v->vl);
  snprintf(text + n, sizeof text - (unsigned)n, "%s%s%s%s", row->enc == ENC_EVEX ? "EVEX, " : "VEX, ",
           memory ? "memory" : "register", mask_names[v->mask],
           !v->b ? "" : memory ? ", broadcast" : ", rounding");
  return text;
}

/* ---- fields ---- */

static void choose_fields(struct test_case *c, struct rng *r) {
  const struct variant *v = &c->variant;
  const struct oprow *row = c->row;
  struct encoding *e = &c->enc;
  bool evex = row->enc == ENC_EVEX;
  e->w = row->w == W_1 || (row->w == W_IG && (w_is_size(row) ? v->rexw : one_in(r, 2)));
  e->b = v->b;
  e->vl = row->vl == L_IG ? (u8)rn(r, evex ? 3 : 2) : v->vl;
  if (v->b && v->form == AT_REGISTER) e->vl = (u8)rn(r, 4);
  enum mask_kind mask = v->mask;
  if (v->b && (row->attrs & A_K)) mask = (enum mask_kind)rn(r, row->attrs & A_KZ ? 3 : 2);
  e->aaa = (u8)(mask == MASK_NONE ? 0 : 1 + rn(r, OPMASKS - 1));
  e->z = mask == MASK_ZERO;
  e->two = one_in(r, 2);
  c->osize = e->w && e->mode == CODE64 ? 8 : 4;
}

/* Draws what the variant leaves open of the memory form. */
static void choose_form(struct test_case *c, struct rng *r) {
  struct encoding *e = &c->enc;
  bool wide = e->mode == CODE64, memory = c->variant.form != AT_REGISTER;
  e->seg = (s8)(one_in(r, 6) ? (int)rn(r, SREG_COUNT) : !wide && one_in(r, 12) ? FS + (int)rn(r, 2) : -1);
  e->p67 = one_in(r, 8);
  e->form = memory ? (enum form_kind)(AT_BASE + rn(r, wide ? 7 : 6)) : AT_REGISTER;
  if (memory && (c->row->attrs & A_VSIB) && !one_in(r, 32)) e->form = one_in(r, 4) ? AT_INDEX : AT_SIB;
  c->memory = memory;
  c->asize = (u8)address_size(e->mode, e->p67);
  e->disp8_shift = 0;
  if (memory && c->row->enc == ENC_EVEX) e->disp8_shift = (u8)__builtin_ctz(vex_memory_size(c->row, e));
}

void vex_choose_form(struct test_case *c, struct rng *r) {
  choose_fields(c, r);
  choose_form(c, r);
}

/* ---- registers ---- */

static unsigned registers_of(const struct test_case *c, char letter) {
  bool wide = c->enc.mode == CODE64;
  if (letter >= '1' && letter <= '3') return OPMASKS;
  if (!wide) return LEGACY_REGISTERS;
  return strchr("VHWU", letter) && c->row->enc == ENC_EVEX ? EVEX_REGISTERS : VEX_REGISTERS;
}

/* A gather wants its registers different: destination, index and, with VEX, mask. SDM 2C VPGATHERDD */
static void choose_vector_index(struct test_case *c, struct rng *r) {
  struct encoding *e = &c->enc;
  do e->index = (u8)rn(r, registers_of(c, 'V'));
  while (!one_in(r, 64) && (e->index == e->reg || (c->row->enc == ENC_VEX && e->index == e->vvvv)));
}

void vex_choose_registers(struct test_case *c, struct rng *r) {
  struct encoding *e = &c->enc;
  struct operand ops[MAX_OPERANDS];
  unsigned n = operands_of(c->row, ops), many = e->mode == CODE64 ? VEX_REGISTERS : LEGACY_REGISTERS;
  for (unsigned k = 0; k < n; k++) {
    u8 reg = (u8)rn(r, registers_of(c, ops[k].letter));
    switch (ops[k].letter) {
      case 'V': case 'G': case '1': e->reg = reg; break;
      case 'H': case 'B': case '2': e->vvvv = reg; break;
      case 'W': case 'U': case 'E': case 'R': case '3': e->rm = reg; break;
      default: break;
    }
  }
  if (one_in(r, 8)) e->rm = e->vvvv & (e->mode == CODE64 && operand_find(c->row, "3") < 0 ? 15 : 7);
  if (c->row->modrm & 8) e->reg = (u8)(c->row->modrm >> 4 & 7);
  if (c->row->modrm & 0x80) e->rm = (u8)(c->row->modrm >> 8 & 7);
  e->base = (u8)rn(r, many);
  do e->index = (u8)rn(r, many);
  while (e->index == RSP || e->index == e->base);
  e->scale = (u8)rn(r, 4);
  if (c->row->attrs & A_VSIB) {
    if (c->row->enc == ENC_VEX && !one_in(r, 64))
      while (e->vvvv == e->reg) e->vvvv = (u8)rn(r, many);
    choose_vector_index(c, r);
  }
  for (unsigned k = 0; k < ARRAY_SIZE(e->imm); k++) e->imm[k] = one_in(r, 4) ? rn(r, 16) : rnd(r);
}

/* ---- the memory operand ---- */

/* Now and then at the edges of what is accessible, most of all where an opmask may leave elements out. */
void vex_choose_target(struct test_case *c, struct rng *r) {
  bool masked = c->enc.aaa || (c->row->attrs & A_VSIB) || strstr(c->row->name, "MASKMOV");
  unsigned n = c->size, often = masked ? 3 : 24;
  static const u16 edges[] = {DATA_AT, DATA_AT + DATA_BYTES, READONLY_AT, READONLY_AT + READONLY_BYTES,
                              DATA_AT + 0x1000, STACK_AT};
  if (one_in(r, often)) c->target = ARENA + edges[rn(r, ARRAY_SIZE(edges))] - rn(r, n + 1);
  else if (!one_in(r, 4)) c->target &= ~(u64)(n - 1);
}

/* What a gather or scatter adds to its base. */
static void choose_indices(struct test_case *c, struct rng *r) {
  bool quad = strstr(c->row->name, "GATHERQ") || strstr(c->row->name, "SCATTERQ");
  u8 *v = c->in.vec[c->enc.index & 31];
  bool tame = !one_in(r, 6);
  for (unsigned k = 0; k < 64; k += quad ? 8 : 4) {
    s64 far = ((s64)rn(r, 0xe00) - 0x700) >> c->enc.scale;
    u64 x = !tame && one_in(r, 12) ? rnd(r) : one_in(r, 4) ? (u64)rn(r, 4) : (u64)far;
    if (quad) st64(v + k, x);
    else st32(v + k, (u32)x);
  }
  bool all = one_in(r, 4); /* VEX: the mask is the sign bits */
  for (unsigned k = 0; k < 32 && c->row->enc == ENC_VEX; k++) {
    u8 *m = &c->in.vec[c->enc.vvvv & 15][k];
    *m = (u8)(all ? *m | 0x80 : rnd(r));
  }
  for (unsigned n = 0; n < 16; n++) memcpy(c->in.fx + FX_XMM + 16 * n, c->in.vec[n], 16);
}

bool vex_address(struct test_case *c, struct rng *r, u64 off) {
  struct encoding *e = &c->enc;
  if (!(c->row->attrs & A_VSIB)) return false;
  choose_indices(c, r);
  bool based = e->form != AT_INDEX;
  e->disp = based && one_in(r, 2) ? (s32)((u32)(s8)rnd(r) << e->disp8_shift) : 0;
  if (!based) e->disp = (s32)off;
  else c->in.gpr[e->base] = off - (u64)(s64)e->disp;
  return true;
}

/* ---- encodings that are not allowed ---- */

enum flaw {
  FLAW_VVVV, FLAW_L, FLAW_W, FLAW_RESERVED, FLAW_AAA, FLAW_Z, FLAW_B, FLAW_R, FLAW_STRAY, FLAW_MAP, FLAWS
};

static void flaw_stray(struct test_case *c, struct rng *r) {
  static const u8 prefixes[] = {0x66, 0xf2, 0xf3, 0xf0, 0x40, 0x48};
  c->enc.stray = prefixes[rn(r, c->enc.mode == CODE64 ? 6 : 4)];
}

static void flaw_map(struct test_case *c, struct rng *r) {
  /* Maps that have no instructions anywhere. */
  c->enc.two = false;
  if (c->row->enc == ENC_EVEX) c->enc.flip[0] = c->row->map; /* map 0 */
  else c->enc.flip[0] = (u8)(c->row->map ^ (one_in(r, 2) ? 0u : 8u + rn(r, 24)));
}

void vex_flaw(struct test_case *c, struct rng *r) {
  struct encoding *e = &c->enc;
  bool evex = c->row->enc == ENC_EVEX, wide = e->mode == CODE64;
  if (!one_in(r, FLAWED)) return;
  switch ((enum flaw)rn(r, FLAWS)) {
    case FLAW_VVVV: /* also V', which a VSIB's index has */
      if (evex && one_in(r, 3)) e->flip[2] = 8;
      else e->flip[1] = (u8)(8u << rn(r, 4));
      break;
    case FLAW_L:
      if (evex) e->flip[2] = (u8)(0x20u << rn(r, 2));
      else e->flip[1] = 4;
      break;
    case FLAW_W: e->two = false, e->flip[1] = 0x80; break;
    case FLAW_RESERVED:
      if (!evex) flaw_map(c, r);
      else if (one_in(r, 2)) e->flip[0] = 8;
      else e->flip[1] = 4;
      break;
    case FLAW_AAA: e->flip[2] = (u8)(1 + rn(r, 7)); break;
    case FLAW_Z: e->flip[2] = 0x80; break;
    case FLAW_B: e->flip[2] = 0x10; break;
    case FLAW_R: /* outside 64-bit mode R and X say that it is not LES or BOUND */
      e->two = false;
      e->flip[0] = (u8)(wide ? 0x10u << rn(r, 4) : evex && one_in(r, 2) ? 0x10 : 0x20);
      if (!evex) e->flip[0] &= 0xe0;
      break;
    case FLAW_STRAY: flaw_stray(c, r); break;
    default: flaw_map(c, r); break;
  }
}
