/* The decoder: prefixes, opcode row, ModRM and SIB, immediates, and the choice of handler.
 * SDM 2A 2.1 (Instruction Format for Protected Mode, Real-Address Mode, and Virtual-8086 Mode), 2.2 (IA-32e Mode);
 * SDM 2D A (Opcode Map). */
#include "cpu/decode.h"

#include <stdlib.h>

#include "base/host_cpu.h"
#include "cpu/fetch.h"
#include "cpu/wide.h"

/* AL, rAX and the like; "L" alone is not one. */
static bool fixed_register(const char *s, size_t n, struct operand *out) {
  static const struct {
    char text[4], size;
    u8 reg;
  } fixed[] = {{"AL", 'b', RAX}, {"CL", 'b', RCX}, {"AX", 'w', RAX}, {"DX", 'w', RDX},
               {"eAX", 'z', RAX}, {"rAX", 'v', RAX}, {"EAX", 'd', RAX}, {"RAX", 'q', RAX}};
  if (n < 2 || n > 3 || (s[n - 1] != 'L' && s[n - 1] != 'X')) return false;
  for (unsigned k = 0; k < ARRAY_SIZE(fixed); k++) {
    if (strncmp(fixed[k].text, s, n) || fixed[k].text[n]) continue;
    *out = (struct operand){O_FIXED, fixed[k].size, fixed[k].reg};
    return true;
  }
  return false;
}

/* Runs for every row of the table when a machine is made: no searching here. */
static struct operand parse_operand(const char *s, size_t n) {
  static const u8 cls[128] = {['E'] = O_E, ['G'] = O_G, ['I'] = O_I, ['J'] = O_J, ['O'] = O_O, ['A'] = O_A,
                              ['Z'] = O_Z, ['S'] = O_S, ['C'] = O_C, ['D'] = O_D, ['V'] = O_V, ['W'] = O_W,
                              ['P'] = O_P, ['Q'] = O_Q, ['M'] = O_M, ['R'] = O_R, ['U'] = O_W, ['N'] = O_Q,
                              ['H'] = O_H, ['B'] = O_B, ['L'] = O_L};
  static const bool sizes[128] = {[0] = 1,   ['b'] = 1, ['w'] = 1, ['d'] = 1, ['q'] = 1, ['v'] = 1, ['z'] = 1,
                                  ['y'] = 1, ['x'] = 1, ['p'] = 1, ['s'] = 1, ['t'] = 1, ['a'] = 1, ['o'] = 1,
                                  ['h'] = 1, ['f'] = 1, ['e'] = 1, ['u'] = 1, ['m'] = 1};
  struct operand op = {O_TEXT, 0, 0};
  unsigned letter = (u8)s[0] & 127, size = n > 1 ? (u8)s[1] & 127 : 0;
  if (fixed_register(s, n, &op)) return op;
  if (letter == 'K' && n > 1)
    return (struct operand){size == 'G' ? O_KG : size == 'V' ? O_KV : O_KM, n > 2 ? s[2] : 0, 0};
  if ((letter == 'X' || letter == 'Y') && n > 1) return (struct operand){O_TEXT, (char)size, 0};
  return cls[letter] && sizes[size] ? (struct operand){cls[letter], (char)size, 0} : op;
}

static void parse_operands(const char *text, struct operand *out) {
  for (unsigned k = 0; k < MAX_OPERANDS && *text; k++) {
    size_t n = 0;
    while (text[n] && text[n] != ',') n++;
    if (n) out[k] = parse_operand(text, n);
    text += n + (text[n] == ',');
  }
}

struct decoder *decoder_create(void) {
  struct decoder *d = calloc(1, sizeof *d);
  if (!d) return NULL;
  d->next = calloc(opcode_row_count, sizeof *d->next);
  d->ops = calloc(opcode_row_count, sizeof *d->ops);
  if (!d->next || !d->ops) {
    decoder_destroy(d);
    return NULL;
  }
  d->wide = wide_linked_int && wide_linked_fp && wide_linked_mov && host_has_avx512_all();
  for (unsigned r = opcode_row_count; r-- > 0;) { /* backwards: each chain is in table order */
    const struct oprow *row = &opcode_rows[r];
    parse_operands(row->operands, d->ops[r]);
    unsigned span = row->attrs & A_ZREG ? 8 : 1;
    for (unsigned k = 0; k < span; k++) {
      unsigned opcode = (row->opcode + k) & 255;
      d->next[r][opcode & 7] = d->first[row->enc][row->map & 3][opcode];
      d->first[row->enc][row->map & 3][opcode] = (u16)(r + 1);
    }
  }
  return d;
}

void decoder_destroy(struct decoder *d) {
  if (!d) return;
  free(d->next);
  free(d->ops);
  free(d);
}

static void read_prefixes(struct fetch *f) {
  for (;;) {
    u8 b = get8(f);
    if (f->more) return;
    switch (b) {
      case 0x66: f->p66 = true; break;
      case 0x67: f->p67 = true; break;
      case 0xf0: f->lock = true; break;
      case 0xf2: case 0xf3: f->rep = b; break;
      case 0x26: case 0x2e: case 0x36: case 0x3e:
        /* SDM 1 3.3.4 (Segmented Memory in 64-Bit Mode): these four are ignored there, and do not undo FS or GS */
        if (f->code != 2) f->seg = b >> 3 & 3;
        break;
      case 0x64: f->seg = FS; break;
      case 0x65: f->seg = GS; break;
      default:
        if (f->code == 2 && (b & 0xf0) == 0x40) {
          f->rex = b;
          b = get8(f);
          if (f->more) return;
          if (b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || (b & 0xe7) == 0x26 || b == 0x64 ||
              b == 0x65 || (b & 0xf0) == 0x40) { /* a REX not right before the opcode does nothing */
            f->rex = 0;
            f->at--;
            break;
          }
        }
        f->opcode = b;
        return;
    }
  }
}

static void read_opcode(struct fetch *f) {
  read_prefixes(f);
  if (!f->more && f->opcode == 0x0f) {
    f->map = 1;
    f->opcode = get8(f);
    if (f->opcode == 0x38 || f->opcode == 0x3a) {
      f->map = f->opcode == 0x38 ? 2 : 3;
      f->opcode = get8(f);
    }
  }
  f->body = f->at;
}

bool modrm_matches(u16 want, u8 m) {
  bool reg_form = m >> 6 == 3;
  if ((want & 2) && !reg_form) return false;
  if ((want & 4) && reg_form) return false;
  if ((want & 8) && (want >> 4 & 7) != (m >> 3 & 7)) return false;
  return !(want & 0x80) || (want >> 8 & 7) == (m & 7);
}

bool prefix_matches(enum opc_prefix want, const struct fetch *f) {
  switch (want) {
    case P_ANY: return true;
    case P_NP: return !f->p66 && !f->rep;
    case P_66: return f->p66 && !f->rep;
    case P_F3: case P_W3: return f->rep == 0xf3;
    case P_F2: case P_W2: return f->rep == 0xf2;
    default: return !f->rep; /* P_NOREP */
  }
}

bool mode_matches(enum opc_modes want, u32 mode) {
  bool long_code = (mode & MODE_CODE_MASK) == MODE_CODE64;
  switch (want) {
    case NO64: return !long_code;
    case ONLY64: return long_code;
    case NOREAL: return (mode & (MODE_PE | MODE_VM)) == MODE_PE;
    default: return true;
  }
}

/* SDM 1 15.4 (AVX-512 ... Vector Length Orthogonality): shorter vectors than 512 bits are a feature of their own. */
static bool model_has_row(const struct cpu_model *model, const struct oprow *row, const struct fetch *f) {
  if (row->feature >= 0 && !model_has(model, (enum feature)row->feature)) return false;
  if ((row->attrs & A_P6) && !model_does(model, RULE_P6_OPCODES)) return false;
  return !needs_avx512vl(row, f) || model_has(model, FEAT_AVX512VL);
}

static int find_row(const struct decoder *d, const struct cpu_model *model, struct fetch *f) {
  for (unsigned r = d->first[f->enc][f->map][f->opcode]; r; r = d->next[r - 1][f->opcode & 7]) {
    const struct oprow *row = &opcode_rows[r - 1];
    if ((row->modrm & 1) && !f->has_modrm) {
      f->modrm = get8(f);
      if (f->more) return -1;
      f->has_modrm = true;
    }
    if (((row->modrm & 1) && !modrm_matches(row->modrm, f->modrm)) || !prefix_matches(row->prefix, f) ||
        !mode_matches(row->modes, f->mode) || !model_has_row(model, row, f) || (f->enc && !vex_matches(row, f)))
      continue;
    return (int)r - 1;
  }
  return -1;
}

enum decode_status refuse(struct fetch *f, enum refusal why) {
  f->why = why;
  return DECODE_INVALID;
}

void find_sizes(struct fetch *f, const struct oprow *row) {
  f->asize = address_size(f);
  bool p66 = f->p66 && row->prefix != P_66 && row->prefix != P_F3 && row->prefix != P_F2;
  if (f->code == 2) {
    bool near16 = f->near16 && p66; /* of A_F64 rows, which are the near branches */
    if ((f->rex & 8) || ((row->attrs & A_F64) && !near16)) f->osize = W64;
    else if (p66) f->osize = W16;
    else f->osize = row->attrs & A_D64 ? W64 : W32;
  } else {
    f->osize = (f->code == 1) != p66 ? W32 : W16;
  }
}

static enum width size_width(const struct fetch *f, char size) {
  switch (size) {
    case 'b': return W8;
    case 'w': return W16;
    case 'd': return W32;
    case 'q': return W64;
    case 'z': return f->osize == W64 ? W32 : f->osize;
    case 'y': return f->osize == W64 ? W64 : W32;
    default: return f->osize;
  }
}

/* Number of an 8-bit register as its byte offset in cpu->gpr. SDM 1 3.4.1.1 (General-Purpose Registers in 64-Bit
 * Mode): with any REX prefix 4..7 are SPL BPL SIL DIL, without they are AH CH DH BH. */
static u8 byte_reg(const struct fetch *f, unsigned r) {
  return (u8)(f->rex || r < 4 ? r * 8 : r < 8 ? (r - 4) * 8 + 1 : r * 8);
}
static u8 gpr_number(const struct fetch *f, unsigned r, char size) { return size == 'b' ? byte_reg(f, r) : (u8)r; }

/* SDM 2A Table 2-1 (16-Bit Addressing Forms) */
void read_mem16(struct fetch *f, struct insn *o) {
  static const u8 base[8] = {RBX, RBX, RBP, RBP, RSI, RDI, RBP, RBX};
  static const u8 index[8] = {RSI, RDI, RSI, RDI, REG_ZERO, REG_ZERO, REG_ZERO, REG_ZERO};
  unsigned mod = f->modrm >> 6, rm = f->modrm & 7;
  o->base = base[rm];
  o->index = index[rm];
  if (mod == 0 && rm == 6) {
    o->base = REG_ZERO;
    o->disp = (s32)get_signed(f, 2);
  } else if (mod) {
    o->disp = (s32)get_signed(f, mod);
  }
  o->seg = o->base == RBP ? SS : DS;
}

/* SDM 2A Tables 2-2, 2-3 (32-Bit Addressing Forms), 2.2.1.6 (RIP-Relative Addressing). Returns whether RIP-relative. */
bool read_mem32(struct fetch *f, struct insn *o, unsigned disp8_shift, bool vsib) {
  unsigned mod = f->modrm >> 6, rm = f->modrm & 7, rexb = (f->rex & 1u) << 3, rexx = (f->rex & 2u) << 2;
  bool rip = false;
  if (rm == 4) {
    u8 sib = get8(f);
    o->scale = sib >> 6;
    o->index = (u8)((sib >> 3 & 7) | rexx);
    if (o->index == RSP && !vsib) o->index = REG_ZERO, o->scale = 0;
    if (mod == 0 && (sib & 7) == 5) {
      o->disp = (s32)get_signed(f, 4);
    } else {
      o->base = (u8)((sib & 7) | rexb);
    }
  } else if (mod == 0 && rm == 5) {
    o->disp = (s32)get_signed(f, 4);
    rip = f->code == 2;
  } else {
    o->base = (u8)(rm | rexb);
  }
  if (mod == 1) o->disp = (s32)((u32)get_signed(f, 1) << disp8_shift);
  if (mod == 2) o->disp = (s32)get_signed(f, 4);
  o->seg = o->base == RSP || o->base == RBP ? SS : DS;
  return rip;
}

/* The memory form: cpu/insn.h. SDM 3A 3.2 (Using Segments) */
static enum form memory_form(const struct fetch *f, const struct oprow *row, struct insn *o) {
  bool deflt = f->asize == f->code, wide = f->code == 2;
  if (f->mode & MODE_ALIGN) return FORM_X;
  if (o->seg >= FS && !(row->attrs & A_NOSEG)) {
    u32 open = o->seg == FS ? MODE_FS_OPEN : MODE_GS_OPEN;
    return deflt && f->asize && !(o->flags & IF_ABS) && (wide || (f->mode & open)) ? FORM_S : FORM_X;
  }
  if (!f->asize) return FORM_X;
  if (!(row->attrs & A_NOSEG) && !wide && (!(f->mode & MODE_FLAT) || o->seg == CS)) return FORM_X;
  if (o->base == REG_ZERO && o->index == REG_ZERO) return FORM_P;
  if (f->asize == 2) return o->index == REG_ZERO ? FORM_B : FORM_M;
  return o->index == REG_ZERO ? FORM_C : FORM_N;
}

static void bind_reg(struct insn *o, unsigned place, u8 r) {
  if (place == 0) o->dst = r;
  else if (place == 1) o->src = r;
}

/* Registers, and whether there is a memory operand. */
static bool bind_registers(struct fetch *f, const struct operand *ops, struct insn *o, bool *rip) {
  bool mem = false;
  unsigned reg = (f->modrm >> 3 & 7), rexr = (f->rex & 4u) << 1, rexb = (f->rex & 1u) << 3;
  bool mod3 = f->modrm >> 6 == 3;
  for (unsigned k = 0; k < MAX_OPERANDS && ops[k].cls != O_NONE; k++) {
    const struct operand *op = &ops[k];
    switch (op->cls) {
      case O_E: case O_W: case O_Q:
        if (!mod3) mem = true;
        else if (op->cls == O_E) bind_reg(o, k, gpr_number(f, (f->modrm & 7u) | rexb, op->size));
        else bind_reg(o, k, (u8)((f->modrm & 7u) | (op->cls == O_W ? rexb : 0)));
        break;
      case O_M: mem = true; break;
      case O_R: bind_reg(o, k, gpr_number(f, (f->modrm & 7u) | rexb, op->size)); break;
      case O_G: bind_reg(o, k, gpr_number(f, reg | rexr, op->size)); break;
      case O_V: case O_C: case O_D: bind_reg(o, k, (u8)(reg | rexr)); break;
      case O_P: case O_S: bind_reg(o, k, (u8)reg); break;
      case O_Z: bind_reg(o, k, gpr_number(f, (f->opcode & 7u) | rexb, op->size)); break;
      case O_FIXED: bind_reg(o, k, gpr_number(f, op->reg, op->size)); break;
      default: break;
    }
  }
  if (mem && !mod3) {
    if (f->asize == 0) read_mem16(f, o);
    else *rip = read_mem32(f, o, 0, false);
    if (f->seg >= 0) o->seg = (u8)f->seg;
  }
  return mem;
}

u64 read_immediates(struct fetch *f, const struct operand *ops, struct insn *o, bool *mem) {
  u64 imm = 0;
  unsigned shift = 0;
  for (unsigned k = 0; k < MAX_OPERANDS; k++) {
    switch (ops[k].cls) {
      case O_NONE: return imm;
      case O_I:
        if (ops[k].size == 'w') imm |= get(f, 2) << shift, shift += 16; /* ENTER, RET: a count */
        else if (shift) imm |= get(f, 1) << shift;
        else imm = (u64)get_signed(f, WIDTH_BYTES(size_width(f, ops[k].size))), shift = 8;
        break;
      case O_J:
        o->disp = (s32)get_signed(f, ops[k].size == 'b' ? 1 : f->osize != W16 ? 4 : 2);
        break;
      case O_O:
        imm = get(f, 2u << f->asize);
        o->flags |= IF_ABS;
        o->seg = f->seg >= 0 ? (u8)f->seg : DS;
        *mem = true;
        break;
      case O_A: /* offset, then selector */
        imm = get(f, f->osize == W16 ? 2 : 4);
        imm |= get(f, 2) << 32;
        break;
      default: break;
    }
  }
  return imm;
}

handler_fn *body_handler(const struct body *b, unsigned w, enum form form) {
  if (!b->fn) return NULL;
  handler_fn *const *row = b->fn[b->widths == 1 ? 0 : w];
  for (;;) {
    if (row[form]) return row[form];
    switch (form) {
      case FORM_B: form = FORM_M; break;
      case FORM_C: form = FORM_N; break;
      case FORM_M: case FORM_N: case FORM_P: case FORM_S: form = FORM_X; break;
      default: return NULL;
    }
  }
}

/* CR0 and CR4 bits that refuse the x87, MMX or SSE. SDM 3A 2.5 (Control Registers), Tables 12-1 and 13-1 */
enum refusal unit_refusal(u32 mode, u32 attrs, bool fx_em_ud) {
  if ((attrs & A_FX) && (mode & MODE_EM) && fx_em_ud) return REFUSE_EM;
  if ((attrs & (A_SSE | A_MMX)) && (mode & MODE_EM)) return REFUSE_EM;
  if ((attrs & A_SSE) && (mode & MODE_SSE_OFF)) return REFUSE_OSFXSR;
  if ((attrs & A_AVX) && (mode & MODE_AVX_OFF)) return REFUSE_XCR0;
  if ((attrs & A_AVX512) && (mode & MODE_AVX512_OFF)) return REFUSE_XCR0;
  if ((attrs & (A_SSE | A_MMX | A_AVX | A_AVX512)) && (mode & MODE_TS)) return REFUSE_TS;
  if ((attrs & A_X87) && (mode & MODE_X87_NM)) return REFUSE_X87;
  return REFUSE_NOT;
}

static enum form register_form(const struct fetch *f, const struct oprow *row, const struct insn *o) {
  u32 flat_stack = f->code == 2 ? 0 : (u32)(MODE_FLAT | MODE_STACK32);
  if (row->attrs & (A_STACK | A_STR))
    if ((f->mode & flat_stack) != flat_stack || (f->mode & MODE_ALIGN)) return FORM_X;
  if ((row->attrs & A_STR) &&
      ((o->flags & (IF_REP | IF_REPNE)) || f->asize != f->code || !f->asize || (f->seg >= 0 && o->seg != DS)))
    return FORM_X;
  return FORM_R;
}

/* Moves the immediate where the form keeps it, and the address into imm. */
static void place_immediate(const struct fetch *f, struct insn *o, enum form form, u64 imm, bool rip, u64 next) {
  u64 amask = f->asize == 2 ? ~UINT64_C(0) : f->asize == 1 ? 0xffffffff : 0xffff;
  if (o->flags & IF_ABS) { /* moffs: the address is what was read */
    o->imm = imm;
    o->disp = 0;
  } else if (form == FORM_P || rip) {
    o->flags |= IF_ABS;
    o->imm = ((u64)(s64)o->disp + (rip ? next : 0)) & amask;
    o->disp = (s32)imm;
  } else {
    o->imm = imm;
  }
}

static enum width row_width(const struct fetch *f, const struct oprow *row, const struct operand *ops) {
  return row->attrs & A_WV || !ops[0].size ? f->osize : size_width(f, ops[0].size);
}

/* APM 3 MOV CRn: where CPUID says AltMovCr8, LOCK before a MOV of CR0 makes it one of CR8, in every mode. */
static bool lock_makes_cr8(const struct fetch *f, const struct oprow *row, struct insn *o) {
  u8 *cr = f->opcode & 2 ? &o->dst : &o->src;
  if (!(row->attrs & A_CRN) || !f->lock_cr8 || *cr != 0) return false;
  *cr = 8;
  return true;
}

static enum decode_status decode_row(struct fetch *f, const struct oprow *row, const struct operand *ops, u64 rip,
                                     struct insn *o) {
  bool rip_relative = false;
  find_sizes(f, row);
  o->flags = (u8)(f->asize | (f->rep == 0xf3 ? IF_REP : f->rep == 0xf2 ? IF_REPNE : 0) | (f->lock ? IF_LOCK : 0) |
                  (unsigned)(f->osize - 1) << IF_OSIZE_SHIFT);
  o->base = o->index = REG_ZERO;
  o->seg = f->seg >= 0 ? (u8)f->seg : DS;
  bool mem = bind_registers(f, ops, o, &rip_relative);
  if (mem && f->modrm >> 6 == 3) return refuse(f, REFUSE_MEMORY); /* M needs memory */
  u64 imm = read_immediates(f, ops, o, &mem);
  if (f->more) return DECODE_MORE;
  o->len = (u8)f->at;
  if (rip_relative) o->flags |= IF_ABS; /* keeps S away: its address is not base and disp */
  enum form form = mem ? memory_form(f, row, o) : register_form(f, row, o);
  if (rip_relative) o->flags &= (u8)~IF_ABS;
  if (mem && (row->attrs & A_STACK) && register_form(f, row, o) == FORM_X) form = FORM_X;
  /* SDM 2A LOCK: #UD unless the row allows it and the destination is memory */
  if (!mem && form == FORM_X) o->seg = row->attrs & A_STACK ? SEG_REG : o->seg;
  if (f->lock && !lock_makes_cr8(f, row, o)) {
    if (!(row->attrs & A_LOCK)) return refuse(f, REFUSE_LOCK);
    if (!mem) return refuse(f, REFUSE_LOCK_MEMORY);
    form = FORM_L;
  }
  if (mem || !(row->attrs & A_BRANCH)) place_immediate(f, o, mem ? form : FORM_R, imm, rip_relative, rip + f->at);
  if ((row->attrs & A_X87) && !(o->flags & IF_ABS)) o->imm = rip; /* FIP; no x87 instruction has an immediate */
  enum refusal unit = unit_refusal(f->mode, row->attrs, f->fx_em_ud);
  if (unit) {
    o->fn = raise_refused;
    refuse_note(o, unit, f->map, f->opcode, row->feature, row->attrs & A_SSE, false);
    return DECODE_OK;
  }
  unsigned w = row->body->widths == 8 ? f->modrm & 7u : row_width(f, row, ops);
  o->fn = body_handler(row->body, w, form);
  if (o->fn == raise_refused) refuse_note(o, REFUSE_UD, f->map, f->opcode, FEAT_NONE, false, false);
  return o->fn ? DECODE_OK : refuse(f, form == FORM_L ? REFUSE_LOCK : mem ? REFUSE_REGISTER : REFUSE_MEMORY);
}

enum decode_status decode_insn(const struct decoder *d, const struct cpu_model *model, u32 mode, u64 rip,
                               const u8 *bytes, unsigned n, struct insn *out, const struct oprow **row) {
  struct fetch f = {.wide = d->wide, .p = bytes, .n = n < INSN_MAX_BYTES ? n : INSN_MAX_BYTES, .mode = mode,
                    .code = mode & MODE_CODE_MASK, .seg = -1, .feature = FEAT_NONE,
                    .near16 = model_does(model, RULE_NEAR_BRANCH_66),
                    .fx_em_ud = model_does(model, RULE_FX_EM_UD),
                    .lock_cr8 = model_has(model, FEAT_CR8_LEGACY)};
  enum decode_status st = DECODE_OK;
  memset(out, 0, sizeof *out);
  *row = NULL;
  read_opcode(&f);
  if (!f.more && vex_begins(&f)) st = vex_prefix(&f);
  if (!f.more && st != DECODE_INVALID) {
    int r = find_row(d, model, &f);
    st = DECODE_INVALID;
    if (r >= 0) {
      *row = &opcode_rows[r];
      st = (f.enc ? vex_decode_row : decode_row)(&f, *row, d->ops[r], rip, out);
      f.feature = (*row)->feature;
    } else if (!f.more) {
      explain_no_row(d, model, &f);
    }
  }
  if (!f.more && st == DECODE_INVALID) {
    refuse_note(out, f.why, f.map, f.opcode, f.feature, false, f.enc != ENC_LEGACY);
    out->base = f.modrm;
    out->index = f.has_modrm;
    read_rest(d, model, &f);
  }
  out->len = (u8)f.at;
  if (f.more) return n < INSN_MAX_BYTES ? DECODE_MORE : DECODE_TOO_LONG;
  return st;
}
