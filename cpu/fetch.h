/* What the decoder's files share: the indexed table, the bytes of one instruction as they are taken apart, and the
 * steps that legacy and VEX encodings have in common. SDM 2A 2 (Instruction Format). */
#ifndef CPU_FETCH_H
#define CPU_FETCH_H

#include "base/bits.h"
#include "cpu/decode.h"
#include "cpu/refuse.h"

enum operand_class { O_NONE, O_E, O_G, O_I, O_J, O_O, O_A, O_Z, O_S, O_C, O_D, O_V, O_W, O_P, O_Q, O_M, O_R, O_FIXED, O_TEXT,
  O_H, O_B, O_L, O_KG, O_KV, O_KM };

struct operand {
  u8 cls;
  char size; /* b w d q v z y x, 0: text only */
  u8 reg;    /* O_FIXED */
};

enum { MAX_OPERANDS = 4 };

struct decoder {
  u16 first[ENCODINGS][4][256]; /* row number + 1 */
  u16 (*next)[8];       /* by row, by the opcode's low three bits (rows may span eight opcodes) */
  struct operand (*ops)[MAX_OPERANDS];
  bool wide;            /* rows' wide handlers run on this host */
};

/* What the bytes say before a row is chosen, and after. */
struct fetch {
  const u8 *p;
  unsigned n, at;
  unsigned body;    /* where what follows the opcode begins */
  u32 mode;
  u8 code;          /* 0, 1, 2: 16-, 32-, 64-bit code */
  bool p66, p67, lock;
  bool near16;      /* 66h makes a near branch 16-bit in 64-bit code: model data */
  bool fx_em_ud;    /* FXSAVE with CR0.EM is #UD: likewise */
  bool wide;        /* the decoder's */
  bool lock_cr8;    /* LOCK MOV CR0 is MOV CR8: likewise */
  u8 rep;           /* last of F2, F3, or 0 */
  int seg;          /* override, or -1 */
  u8 rex;
  u8 map, opcode;
  bool has_modrm;
  u8 modrm;
  u8 asize;         /* 0, 1, 2 */
  enum width osize;
  bool more;        /* ran out of bytes */
  enum refusal why; /* #UD: the reason, */
  int feature;      /* and the feature that the opcode belongs to */
  /* A VEX or EVEX prefix: its fields, not inverted. SDM 2A 2.3 (Intel Advanced Vector
   * Extensions), 2.7 (Intel AVX-512 Encoding) */
  u8 enc;           /* enum opc_encoding */
  u8 vl;            /* L'L: 0 128, 1 256, 2 512 bits */
  bool w, z, b;
  u8 vvvv;          /* with V' */
  u8 aaa;
  u8 reg4, rm4;     /* EVEX: bit 4 of ModRM.reg and, of a vector register, of ModRM.rm */
};

static inline u8 get8(struct fetch *f) {
  if (f->at >= f->n) {
    f->more = true;
    return 0;
  }
  return f->p[f->at++];
}
static inline u64 get(struct fetch *f, unsigned bytes) {
  u64 v = 0;
  for (unsigned k = 0; k < bytes; k++) v |= (u64)get8(f) << (8 * k);
  return v;
}
static inline s64 get_signed(struct fetch *f, unsigned bytes) { return sext(get(f, bytes), 8 * bytes); }

/* 0, 1, 2: the code's own, or with 67 the other one. SDM 1 3.6 (Operand-Size and Address-Size Attributes) */
static inline u8 address_size(const struct fetch *f) {
  return f->code == 2 ? (u8)(2 - f->p67) : (u8)(f->code ^ f->p67);
}

/* Does the ModRM byte fit the row's column? */
bool modrm_matches(u16 want, u8 m);
bool prefix_matches(enum opc_prefix want, const struct fetch *f);
/* SDM 2A Table 2-1 (16-Bit Addressing Forms) */
void read_mem16(struct fetch *f, struct insn *o);
/* SDM 2A Tables 2-2, 2-3 (32-Bit Addressing Forms), 2.2.1.6 (RIP-Relative Addressing). Returns whether RIP-relative.
 * disp8_shift: log2 of what an 8-bit displacement is multiplied by. vsib: the index is a vector register. */
bool read_mem32(struct fetch *f, struct insn *o, unsigned disp8_shift, bool vsib);
/* Immediates, branch distances, direct addresses. Returns the immediate. */
u64 read_immediates(struct fetch *f, const struct operand *ops, struct insn *o, bool *mem);
/* SDM 1 3.6 (Operand-Size and Address-Size Attributes) */
void find_sizes(struct fetch *f, const struct oprow *row);
bool mode_matches(enum opc_modes want, u32 mode);
/* Why no row fits: the nearest one does but for the feature, the mode, or the form of its operand. */
void explain_no_row(const struct decoder *d, const struct cpu_model *model, struct fetch *f);
/* All bytes of an instruction are fetched before it is #UD: a page fault of the last, or more than 15 bytes, come first
 * (measured on Intel Xeon). So the length of what is refused counts. VEX and EVEX have that of their own rows, or what
 * the legacy encoding has; of their maps that are not in use nothing is read here. */
void read_rest(const struct decoder *d, const struct cpu_model *model, struct fetch *f);
/* The instance for that width and form, or what it falls back to; NULL: none. */
handler_fn *body_handler(const struct body *b, unsigned w, enum form form);
/* Remembers why, and is DECODE_INVALID. */
enum decode_status refuse(struct fetch *f, enum refusal why);
enum refusal unit_refusal(u32 mode, u32 attrs, bool fx_em_ud);

/* Do the bytes after C4, C5 or 62, which is f->opcode, begin a VEX or EVEX prefix? SDM 2A 2.3.5 (The VEX Prefix), 2.7.1
 * (Instruction Format and EVEX): outside 64-bit mode LES, LDS and BOUND with a register as operand. */
bool vex_begins(const struct fetch *f);
/* Reads the rest of the prefix and the opcode. DECODE_INVALID: what no opcode allows. */
enum decode_status vex_prefix(struct fetch *f);
/* Does the row fit the prefix's L and W? */
bool vex_matches(const struct oprow *row, const struct fetch *f);
static inline bool needs_avx512vl(const struct oprow *row, const struct fetch *f) {
  return f->enc == ENC_EVEX && (row->vl & L_512) && row->vl != L_IG && f->vl < 2 && !(f->b && f->modrm >> 6 == 3);
}
enum decode_status vex_decode_row(struct fetch *f, const struct oprow *row, const struct operand *ops, u64 rip,
                                  struct insn *o);

#endif
