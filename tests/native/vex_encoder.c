/* From a row of the opcode table with a VEX or EVEX prefix, and choices for its fields, to instruction bytes.
 * SDM 2A 2.3.5 (The VEX Prefix), 2.7.1 (Instruction Format and EVEX). */
#include "tests/native/encoder.h"

unsigned vex_memory_size(const struct oprow *row, const struct encoding *e) {
  struct operand ops[MAX_OPERANDS];
  int k = operand_find(row, "EMW3");
  unsigned whole = 16u << e->vl;
  if (e->b || (row->attrs & A_VSIB)) return row->esize;
  if (k < 0) return whole;
  (void)operands_of(row, ops);
  switch (ops[k].size) {
    case 'b': return 1;
    case 'w': return 2;
    case 'd': return 4;
    case 'q': return 8;
    case 'y': return e->w && e->mode == CODE64 ? 8 : 4;
    case 'o': return 16;
    case 'u': return 32;
    case 'h': return whole / 2;
    case 'f': return whole / 4;
    case 'e': return whole / 8;
    case 'm': return e->vl ? whole : 8;
    default: return whole;
  }
}

unsigned vex_access_size(const struct oprow *row, const struct encoding *e) {
  bool packs = strstr(row->name, "COMPRESS") || strstr(row->name, "EXPAND"); /* disp8 counts elements */
  return packs ? 16u << e->vl : vex_memory_size(row, e);
}

/* Bits 3 and up of the registers, where the prefix has them. */
struct high {
  unsigned reg, index, base; /* 0 to 3: bit 0 is the register's bit 3 */
  bool vector_rm, vsib;
};
static struct high high_bits(const struct oprow *row, const struct encoding *e) {
  struct high h = {0};
  bool memory = e->form != AT_REGISTER, absolute = e->form == AT_RIP || e->form == AT_ABSOLUTE;
  if (!(row->modrm & 8)) h.reg = e->reg >> 3 & 3u;
  if (memory && (e->form == AT_SIB || e->form == AT_INDEX)) h.index = e->index >> 3 & 3u;
  if (memory && !absolute && e->form != AT_INDEX) h.base = e->base >> 3 & 1u;
  if (!memory) h.base = e->rm >> 3 & 3u;
  h.vector_rm = !memory;
  h.vsib = memory && (row->attrs & A_VSIB);
  return h;
}

static unsigned pp_of(const struct oprow *row) {
  return row->prefix == P_66 ? 1 : row->prefix == P_F3 ? 2 : row->prefix == P_F2 ? 3 : 0;
}

/* The fields are stored inverted: R X B, vvvv, and EVEX's R' and V'. */
static void put_vex(const struct oprow *row, struct encoding *e) {
  struct high h = high_bits(row, e);
  unsigned rxb = (h.reg & 1) << 2 | (h.index & 1) << 1 | (h.base & 1);
  unsigned last = (~e->vvvv & 15u) << 3 | (e->vl & 1u) << 2 | pp_of(row);
  if (e->two && row->map == 1 && !e->w && !(rxb & 3)) {
    encode_put(e, 0xc5, 1);
    encode_put(e, (((~rxb & 4) << 5) | last) ^ (e->flip[1] & 0x7f), 1);
    return;
  }
  encode_put(e, 0xc4, 1);
  encode_put(e, ((~rxb & 7) << 5 | row->map) ^ e->flip[0], 1);
  encode_put(e, ((e->w ? 0x80u : 0) | last) ^ e->flip[1], 1);
}

static void put_evex(const struct oprow *row, struct encoding *e) {
  struct high h = high_bits(row, e);
  unsigned x = h.vector_rm ? h.base >> 1 : h.index & 1, v4 = h.vsib ? h.index >> 1 : e->vvvv >> 4 & 1u;
  unsigned rxb = (h.reg & 1) << 2 | x << 1 | (h.base & 1);
  encode_put(e, 0x62, 1);
  encode_put(e, ((~rxb & 7) << 5 | (~h.reg & 2) << 3 | row->map) ^ e->flip[0], 1);
  encode_put(e, ((e->w ? 0x80u : 0) | (~e->vvvv & 15u) << 3 | 4 | pp_of(row)) ^ e->flip[1], 1);
  unsigned last = (e->z ? 0x80u : 0) | (e->vl & 3u) << 5 | (e->b ? 0x10u : 0) | (v4 ? 0 : 8) | e->aaa;
  encode_put(e, last ^ e->flip[2], 1);
}

bool encode_vex(const struct oprow *row, struct encoding *e) {
  unsigned asize = address_size(e->mode, e->p67);
  e->n = 0;
  if (e->idle[0]) encode_put(e, e->idle[0], 1);
  if (e->p67) encode_put(e, 0x67, 1);
  if (e->seg >= 0) encode_put(e, encode_segment(e), 1);
  if (e->stray) encode_put(e, e->stray, 1);
  if (row->enc == ENC_EVEX) put_evex(row, e);
  else put_vex(row, e);
  encode_put(e, row->opcode, 1);
  if (row->modrm & 1) encode_modrm(row, e, asize);
  encode_immediates(row, e, e->w && e->mode == CODE64 ? 8 : 4, asize);
  return e->n <= 15;
}
