/* The decoder of VEX and EVEX encodings: their prefixes, which fields must be what, registers, and the choice of handler.
 * SDM 2A 2.3 (Intel Advanced Vector Extensions), 2.7 (Intel AVX-512 Encoding). */
#include "cpu/fetch.h"
#include "cpu/wide.h"

bool vex_begins(const struct fetch *f) {
  if (f->map || (f->opcode != 0xc4 && f->opcode != 0xc5 && f->opcode != 0x62)) return false;
  if (f->code == 2) return true;
  return (f->mode & (MODE_PE | MODE_VM)) == MODE_PE && f->at < f->n && f->p[f->at] >= 0xc0;
}

/* pp, in the place of the prefixes 66, F3 and F2. */
static void take_pp(struct fetch *f, unsigned pp) {
  static const u8 rep[4] = {0, 0, 0xf3, 0xf2};
  f->p66 = pp == 1;
  f->rep = rep[pp];
}
/* W and vvvv. */
static void take_w_vvvv(struct fetch *f, u8 b) {
  f->w = b >> 7;
  f->vvvv = ~b >> 3 & 15;
}
static void take_rxb(struct fetch *f, unsigned rxb) { f->rex = (u8)(f->code == 2 ? rxb & 7 : 0); }

static void read_vex(struct fetch *f) {
  unsigned first = get8(f), last = first;
  f->enc = ENC_VEX;
  f->map = 1;
  if (f->opcode == 0xc4) {
    f->map = (u8)(first & 31);
    last = get8(f);
    take_rxb(f, ~first >> 5 & 7);
    take_w_vvvv(f, (u8)last);
  } else {
    take_rxb(f, ~first >> 5 & 4);
    take_w_vvvv(f, (u8)(first & 0x7f));
  }
  f->vl = last >> 2 & 1;
  take_pp(f, last & 3);
}

/* False: a reserved bit. */
static bool read_evex(struct fetch *f) {
  unsigned p0 = get8(f), p1 = get8(f), p2 = get8(f);
  bool wide = f->code == 2;
  f->enc = ENC_EVEX;
  f->map = (u8)(p0 & 7);
  take_rxb(f, ~p0 >> 5 & 7);
  f->reg4 = wide ? ~p0 & 16 : 0;
  f->rm4 = wide ? (~p0 & 0x40) >> 2 : 0;
  take_w_vvvv(f, (u8)p1);
  take_pp(f, p1 & 3);
  f->z = p2 >> 7;
  f->vl = p2 >> 5 & 3;
  f->b = p2 >> 4 & 1;
  if (wide) f->vvvv |= (u8)(~p2 << 1 & 16);
  f->aaa = p2 & 7;
  return !(p0 & 8) && (p1 & 4) && (wide || (p2 & 8));
}

/* SDM 2A 2.3.2 (VEX and the LOCK prefix), 2.3.3 (VEX and the 66H, F2H, and F3H prefixes), 2.3.4 (VEX and the REX
 * prefix), 2.7.5 (#UD Equations for EVEX) */
enum decode_status vex_prefix(struct fetch *f) {
  bool prefixed = f->p66 || f->rep || f->lock || f->rex, sound = true;
  if (f->opcode == 0x62) sound = read_evex(f);
  else read_vex(f);
  f->opcode = get8(f);
  f->body = f->at;
  if (f->more) return DECODE_OK;
  if (prefixed || !sound) return refuse(f, REFUSE_FIELD);
  if (f->map < 1 || f->map > 3) {
    f->map = 0;
    return refuse(f, REFUSE_UNKNOWN);
  }
  return DECODE_OK;
}

/* Embedded rounding or SAE: L'L is no length then. */
static bool rounds(const struct oprow *row, const struct fetch *f) {
  return f->enc == ENC_EVEX && f->b && f->modrm >> 6 == 3 && (row->attrs & (A_RC | A_SAE));
}
/* A length of 128 bits of a row that has all three needs more than AVX512F: model_has_row(). */
bool vex_matches(const struct oprow *row, const struct fetch *f) {
  unsigned vl = rounds(row, f) ? 2 : f->vl;
  if (row->w != W_IG && f->w != (row->w == W_1)) return false;
  return row->vl == L_IG || (row->vl >> vl & 1);
}

/* SDM 2A 2.7.5 (#UD Equations for EVEX), 2.7.11.3 and following (state-dependent and opcode-dependent #UD) */
static bool evex_fields_fit(const struct fetch *f, const struct oprow *row, const struct operand *ops, bool mem) {
  bool stores = ops[0].cls == O_W || ops[0].cls == O_M;
  if (f->aaa && !(row->attrs & A_K)) return false;
  if (!f->aaa && (row->attrs & A_KREQ)) return false;
  if (f->z && (!f->aaa || !(row->attrs & A_KZ) || (stores && mem))) return false;
  if (f->b && !(row->attrs & (mem ? A_BC : A_RC | A_SAE))) return false;
  return f->vl < 3 || rounds(row, f);
}

static unsigned operand_bytes(const struct fetch *f, const struct operand *op, unsigned vl) {
  switch (op->size) {
    case 'b': return 1;
    case 'w': return 2;
    case 'd': return 4;
    case 'q': return 8;
    case 'y': return f->w && f->code == 2 ? 8 : 4;
    case 'o': return 16;
    case 'u': return 32;
    case 'h': return 8u << vl;
    case 'f': return 4u << vl;
    case 'e': return 2u << vl;
    case 'm': return vl ? 16u << vl : 8;
    default: return 16u << vl;
  }
}

static bool is_rm(const struct operand *op) {
  return op->cls == O_E || op->cls == O_W || op->cls == O_M || op->cls == O_R || op->cls == O_KM;
}

/* Registers: the first operand's to dst, that of the other ModRM field to src. False: no such opmask register. */
static bool bind(const struct fetch *f, const struct operand *ops, struct insn *o) {
  unsigned reg = (f->modrm >> 3 & 7u) | (f->rex & 4u) << 1, rm = (f->modrm & 7u) | (f->rex & 1u) << 3;
  bool opmasks = true;
  for (unsigned k = 0; k < MAX_OPERANDS; k++) {
    unsigned r;
    switch (ops[k].cls) {
      case O_V: r = reg | f->reg4; break;
      case O_G: r = reg, opmasks &= !f->reg4; break;
      case O_KG: r = reg, opmasks &= !(f->rex & 4) && !f->reg4; break;
      case O_H: case O_B: r = f->vvvv; break;
      case O_KV: r = f->vvvv, opmasks &= r < 8; break;
      case O_W: r = rm | f->rm4; break;
      case O_E: case O_R: r = rm; break;
      case O_KM: r = rm & 7; break;
      default: continue;
    }
    if (k == 0) o->dst = (u8)r;
    else if (is_rm(&ops[k]) || is_rm(&ops[0])) o->src = ops[k].cls == O_H || ops[k].cls == O_B ? o->src : (u8)r;
  }
  return opmasks;
}

static bool uses_vvvv(const struct operand *ops) {
  for (unsigned k = 0; k < MAX_OPERANDS; k++)
    if (ops[k].cls == O_H || ops[k].cls == O_B || ops[k].cls == O_KV) return true;
  return false;
}

/* The memory operand. Returns whether its address is relative to RIP. */
static bool read_memory(struct fetch *f, const struct oprow *row, const struct operand *op, struct insn *o) {
  bool rip = false, vsib = row->attrs & A_VSIB;
  unsigned bytes = f->b || vsib ? row->esize : operand_bytes(f, op, f->vl);
  unsigned shift = f->enc == ENC_EVEX ? (unsigned)__builtin_ctz(bytes) : 0;
  if (f->asize == 0) read_mem16(f, o);
  else rip = read_mem32(f, o, shift, vsib);
  if (f->asize == 0 && f->modrm >> 6 == 1) o->disp = (s32)((u32)o->disp << shift);
  if (vsib) o->index |= f->vvvv & 16;
  if (f->seg >= 0) o->seg = (u8)f->seg;
  return rip;
}

/* Flat, so that a handler may add up the address and look into the TLB: cpu/vex.h. */
static bool plain_memory(const struct fetch *f, const struct insn *o) {
  if ((f->mode & MODE_ALIGN) || o->seg >= FS) return false;
  return f->code == 2 ? f->asize == 2 : f->asize && (f->mode & MODE_FLAT) && o->seg != CS;
}

/* The host's own instruction: cpu/wide.h. NULL: not with these operands, or not on this host. */
static handler_fn *wide_handler(const struct fetch *f, const struct oprow *row, const struct insn *o, bool memory) {
  unsigned vl = row->vl == L_IG ? 0 : f->vl;
  if (!f->wide || !row->wide) return NULL;
  if (!memory && f->b) return row->attrs & A_RC ? row->wide->fn[WIDE_RC] : NULL;
  if (!memory) return row->wide->fn[f->aaa ? WIDE_RK : WIDE_R + vl];
  if (!plain_memory(f, o)) return NULL;
  return row->wide->fn[f->b ? WIDE_B : f->aaa ? WIDE_MK : WIDE_M + vl];
}

/* SDM 2 VPGATHERDD (Exceptions): destination, index and mask are different registers. */
static bool gather_overlaps(const struct fetch *f, const struct insn *o) {
  return o->dst == o->index || (f->enc == ENC_VEX && (o->dst == f->vvvv || o->index == f->vvvv));
}

enum decode_status vex_decode_row(struct fetch *f, const struct oprow *row, const struct operand *ops, u64 rip,
                                  struct insn *o) {
  const struct operand *memory = NULL;
  bool rip_relative = false, mod3 = f->modrm >> 6 == 3, has_imm = false;
  unsigned rc = f->vl;
  bool rounding = rounds(row, f);
  f->asize = address_size(f);
  f->osize = f->w && f->code == 2 ? W64 : W32;
  for (unsigned k = 0; k < MAX_OPERANDS; k++) {
    if (is_rm(&ops[k]) && ops[k].cls != O_R && f->has_modrm && !mod3) memory = &ops[k];
    if (ops[k].cls == O_M && mod3) return refuse(f, REFUSE_MEMORY);
    has_imm |= ops[k].cls == O_I || ops[k].cls == O_L;
  }
  if (f->enc == ENC_EVEX && !evex_fields_fit(f, row, ops, memory != NULL)) return refuse(f, REFUSE_FIELD);
  if (rounding) f->vl = row->vl == L_IG ? 0 : 2;
  o->base = memory ? REG_ZERO : f->seg >= 0 ? (u8)f->seg : DS;
  o->index = REG_ZERO;
  o->seg = SEG_REG;
  if (!uses_vvvv(ops) && (row->attrs & A_VSIB ? f->vvvv & 15 : f->vvvv)) return refuse(f, REFUSE_FIELD);
  if (f->code != 2) f->vvvv &= 7; /* eight registers */
  if (!bind(f, ops, o)) return refuse(f, REFUSE_FIELD);
  if (row->attrs & A_VSIB && (!f->asize || (f->modrm & 7) != 4)) return refuse(f, REFUSE_FIELD);
  if (memory) rip_relative = read_memory(f, row, memory, o);
  if (row->attrs & A_VSIB && ops[0].cls == O_V && gather_overlaps(f, o)) return refuse(f, REFUSE_FIELD);
  unsigned imm = has_imm ? get8(f) : 0;
  if (f->more) return DECODE_MORE;
  o->len = (u8)f->at;
  o->flags = (u8)(f->asize | (unsigned)(f->osize - 1) << IF_OSIZE_SHIFT);
  o->imm = (u64)(s64)o->disp + (rip_relative ? rip + f->at : 0);
  o->disp = vex_fields(imm, f->vvvv, f->aaa, f->z, f->b, rc, f->vl);
  enum refusal unit = unit_refusal(f->mode, row->attrs, false);
  if (unit) {
    o->fn = raise_refused;
    refuse_note(o, unit, f->map, f->opcode, row->feature, false, true);
    return DECODE_OK;
  }
  enum form form = memory ? (plain_memory(f, o) ? FORM_M : FORM_X) : FORM_R;
  if (f->aaa || f->z || f->b) form = FORM_X;
  unsigned w = row->body->widths == WIDTHS ? f->osize : row->vl == L_IG ? 0 : f->vl;
  o->fn = wide_handler(f, row, o, memory != NULL);
  if (!o->fn) o->fn = body_handler(row->body, w, form);
  if (!o->fn) o->fn = body_handler(row->body, w, FORM_X);
  return o->fn ? DECODE_OK : refuse(f, memory ? REFUSE_REGISTER : REFUSE_MEMORY);
}
