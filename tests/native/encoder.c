/* From a row of the opcode table and choices for its operands to instruction bytes.
 * SDM 2A 2 (Instruction Format), 2.2 (IA-32e Mode), Tables 2-1 to 2-3 (Addressing Forms). */
#include "tests/native/encoder.h"

#include "base/bits.h"

unsigned operands_of(const struct oprow *row, struct operand out[MAX_OPERANDS]) {
  const char *s = row->operands;
  unsigned n = 0;
  while (*s && n < MAX_OPERANDS) {
    size_t len = strcspn(s, ",");
    bool lower = len == 1 || (s[1] >= 'a' && s[1] <= 'z');
    struct operand o = {'F', 0, 0};
    if (len > 1 && s[0] == 'K')
      o = (struct operand){s[1] == 'G' ? '1' : s[1] == 'V' ? '2' : '3', len > 2 ? s[2] : 0, 0};
    else if (len && lower && strchr("EGMIJOASCDVWUPQNRZXYHBL", s[0]))
      o = (struct operand){s[0], len > 1 ? s[1] : 0, len > 2 ? s[2] : 0};
    out[n++] = o;
    s += len + (s[len] == ',');
  }
  return n;
}

int operand_find(const struct oprow *row, const char *letters) {
  struct operand ops[MAX_OPERANDS];
  unsigned n = operands_of(row, ops);
  for (unsigned k = 0; k < n; k++)
    if (strchr(letters, ops[k].letter)) return (int)k;
  return -1;
}

unsigned operand_size(const struct oprow *row, enum code_mode mode, bool p66, bool rexw) {
  bool mandatory = row->prefix == P_66 || row->prefix == P_F3 || row->prefix == P_F2;
  if (mode == CODE64) {
    if (rexw || (row->attrs & A_F64)) return 8;
    if (p66 && !mandatory) return 2;
    return row->attrs & A_D64 ? 8 : 4;
  }
  return (mode == CODE32) != (p66 && !mandatory) ? 4 : 2;
}

unsigned address_size(enum code_mode mode, bool p67) {
  if (mode == CODE64) return p67 ? 4 : 8;
  return (mode == CODE32) != p67 ? 4 : 2;
}

unsigned memory_size(const struct oprow *row, unsigned osize) {
  struct operand ops[MAX_OPERANDS];
  int k = operand_find(row, "EMWQO");
  if (k < 0) return osize;
  (void)operands_of(row, ops);
  switch (ops[k].size) {
    case 'b': return 1;
    case 'w': return 2;
    case 'd': return 4;
    case 'q': return row->map == 1 && row->opcode == 0xc7 && osize == 8 ? 16 : 8; /* CMPXCHG8B and 16B */
    case 'x': return 16;
    case 't': case 's': return ops[k].size2 == 's' ? 4 : ops[k].size2 == 'd' ? 8 : 10;
    case 'p': return ops[k].size2 ? 16 : osize + 2;
    case 'a': return 2 * osize;
    case 'z': return osize == 8 ? 4 : osize;
    case 'y': return osize == 8 ? 8 : 4;
    case 'v': return osize;
    /* the images of XSAVE, FXSAVE and FNSAVE */
    default: return row->name[0] == 'X' ? 2688 : row->map ? 512 : 108;
  }
}

unsigned immediate_size(const struct oprow *row, unsigned which, unsigned osize, unsigned asize) {
  struct operand ops[MAX_OPERANDS];
  unsigned n = operands_of(row, ops), found = 0;
  for (unsigned k = 0; k < n; k++) {
    if (!strchr("IJOAL", ops[k].letter) || found++ != which) continue;
    if (ops[k].letter == 'L') return 1;
    if (ops[k].letter == 'O') return asize;
    if (ops[k].letter == 'A') return osize + 2;
    switch (ops[k].size) {
      case 'b': return 1;
      case 'w': return 2;
      case 'v': return osize;
      default: return osize == 2 ? 2 : 4;
    }
  }
  return 0;
}

bool row_takes_register(const struct oprow *row) {
  return (row->modrm & 1) && !(row->modrm & 4) && operand_find(row, "M") < 0;
}
bool row_takes_memory(const struct oprow *row) {
  return operand_find(row, "O") >= 0 || ((row->modrm & 1) && !(row->modrm & 2) &&
                                         (operand_find(row, "EWQM3") >= 0 || operand_find(row, "NUR") < 0));
}

void encode_put(struct encoding *e, u64 v, unsigned n) {
  for (unsigned k = 0; k < n && e->n < sizeof e->bytes; k++) e->bytes[e->n++] = (u8)(v >> 8 * k);
}

u8 encode_segment(const struct encoding *e) {
  static const u8 segment[SREG_COUNT] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
  return e->seg >= 0 ? segment[e->seg] : 0;
}

static void put_prefixes(const struct oprow *row, struct encoding *e) {
  if (e->idle[0]) encode_put(e, e->idle[0], 1);
  if (e->lock) encode_put(e, 0xf0, 1);
  if (e->p67) encode_put(e, 0x67, 1);
  if (e->seg >= 0) encode_put(e, encode_segment(e), 1);
  if (e->p66 || row->prefix == P_66) encode_put(e, 0x66, 1);
  if (e->idle[1]) encode_put(e, e->idle[1], 1);
  if (row->prefix == P_F3 || row->prefix == P_W3) encode_put(e, 0xf3, 1);
  else if (row->prefix == P_F2 || row->prefix == P_W2) encode_put(e, 0xf2, 1);
  else if (e->rep) encode_put(e, e->rep, 1);
}

/* Does the displacement fit into a byte? */
static bool disp8_does(const struct encoding *e) {
  s32 d = (s8)(e->disp >> e->disp8_shift);
  return (s32)((u32)d << e->disp8_shift) == e->disp;
}

/* Mod, and what follows ModRM, of a memory operand with 32- or 64-bit addressing. */
static void put_memory(struct encoding *e, unsigned reg) {
  unsigned base = e->base & 7, mod = 0, dispn = 0;
  bool sib = e->form == AT_SIB || e->form == AT_INDEX || base == 4;
  switch (e->form) {
    case AT_RIP:
      encode_put(e, reg << 3 | 5, 1);
      encode_put(e, (u32)e->disp, 4);
      return;
    case AT_ABSOLUTE:
      if (e->mode == CODE64) encode_put(e, reg << 3 | 4 | 0x25 << 8, 2);
      else encode_put(e, reg << 3 | 5, 1);
      encode_put(e, (u32)e->disp, 4);
      return;
    case AT_INDEX:
      encode_put(e, reg << 3 | 4 | (unsigned)(e->scale << 6 | (e->index & 7) << 3 | 5) << 8, 2);
      encode_put(e, (u32)e->disp, 4);
      return;
    default:
      if (e->form == AT_DISP || (e->form == AT_SIB && !disp8_does(e))) mod = 2, dispn = 4;
      else if (e->form == AT_DISP8 || (e->form == AT_SIB && e->disp) || base == 5) mod = 1, dispn = 1;
      unsigned index = e->form == AT_SIB ? e->index & 7u : 4u;
      encode_put(e, mod << 6 | reg << 3 | (sib ? 4 : base), 1);
      if (sib) encode_put(e, (unsigned)e->scale << 6 | index << 3 | base, 1);
      encode_put(e, (u32)(dispn == 1 ? e->disp >> e->disp8_shift : e->disp), dispn);
  }
}

static void put_memory16(struct encoding *e, unsigned reg) {
  unsigned rm = e->base & 7, mod = 0, dispn = 0;
  if (e->form == AT_ABSOLUTE) rm = 6, dispn = 2;
  else if (e->form == AT_DISP8 || (e->form != AT_DISP && rm == 6)) mod = 1, dispn = 1;
  else if (e->form == AT_DISP) mod = 2, dispn = 2;
  encode_put(e, mod << 6 | reg << 3 | rm, 1);
  encode_put(e, (u16)(dispn == 1 ? e->disp >> e->disp8_shift : e->disp), dispn);
}

void encode_modrm(const struct oprow *row, struct encoding *e, unsigned asize) {
  unsigned reg = row->modrm & 8 ? row->modrm >> 4 & 7u : e->reg & 7u;
  unsigned rm = row->modrm & 0x80 ? row->modrm >> 8 & 7u : e->rm & 7u;
  if (e->form == AT_REGISTER) encode_put(e, 0xc0 | reg << 3 | rm, 1);
  else if (asize == 2) put_memory16(e, reg);
  else put_memory(e, reg);
}

void encode_immediates(const struct oprow *row, struct encoding *e, unsigned osize, unsigned asize) {
  for (unsigned k = 0; k < ARRAY_SIZE(e->imm); k++)
    encode_put(e, e->imm[k], immediate_size(row, k, osize, asize));
}

static u8 rex_of(const struct oprow *row, const struct encoding *e) {
  if (e->mode != CODE64) return 0;
  bool modrm = row->modrm & 1, memory = e->form != AT_REGISTER && modrm;
  unsigned rex = e->rexw ? 8 : 0;
  if (modrm && e->reg > 7) rex |= 4;
  if (memory && (e->form == AT_SIB || e->form == AT_INDEX) && e->index > 7) rex |= 2;
  if (memory && e->form != AT_RIP && e->form != AT_ABSOLUTE && e->form != AT_INDEX && e->base > 7) rex |= 1;
  if (!memory && (modrm || (row->attrs & A_ZREG)) && e->rm > 7) rex |= 1;
  return (u8)(rex ? 0x40 | rex : e->empty_rex);
}

bool encode(const struct oprow *row, struct encoding *e) {
  if (row->enc) return encode_vex(row, e);
  unsigned osize = operand_size(row, e->mode, e->p66, e->rexw), asize = address_size(e->mode, e->p67);
  e->n = 0;
  put_prefixes(row, e);
  u8 rex = rex_of(row, e);
  if (rex) encode_put(e, rex, 1);
  if (row->map) encode_put(e, 0x0f, 1);
  if (row->map >= 2) encode_put(e, row->map == 2 ? 0x38 : 0x3a, 1);
  encode_put(e, row->opcode + (row->attrs & A_ZREG ? e->rm & 7u : 0), 1);
  if (row->modrm & 1) encode_modrm(row, e, asize);
  encode_immediates(row, e, osize, asize);
  return e->n <= 15;
}
