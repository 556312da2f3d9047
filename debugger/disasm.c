/* Instructions as text, by Capstone, with names for the addresses in them; their lengths and kinds are the processor's
 * own decoder's, which knows the model. SDM 2A 2 (Instruction Format). */
#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "cpu/mem.h"
#include "cpu/seg.h"
#include "debugger/views.h"

enum { WIDTH_16, WIDTH_32, WIDTH_64, CODE_WIDTHS };

struct disasm {
  csh handle[CODE_WIDTHS];
  unsigned open; /* handles */
  unsigned (*read)(void *opaque, u64 la, void *buf, unsigned n); /* NULL: by the page tables */
  void *opaque;
};

struct disasm *disasm_create(void) {
  static const cs_mode modes[CODE_WIDTHS] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
  struct disasm *d = calloc(1, sizeof *d);
  if (!d) return NULL;
  for (; d->open < CODE_WIDTHS; d->open++) {
    if (cs_open(CS_ARCH_X86, modes[d->open], &d->handle[d->open]) != CS_ERR_OK) break;
    cs_option(d->handle[d->open], CS_OPT_DETAIL, CS_OPT_ON);
  }
  disasm_set_intel(d, false);
  if (d->open == CODE_WIDTHS) return d;
  disasm_destroy(d);
  return NULL;
}

void disasm_destroy(struct disasm *d) {
  if (!d) return;
  for (unsigned k = 0; k < d->open; k++) cs_close(&d->handle[k]);
  free(d);
}

void disasm_set_intel(struct disasm *d, bool intel) {
  for (unsigned k = 0; k < d->open; k++)
    cs_option(d->handle[k], CS_OPT_SYNTAX, intel ? CS_OPT_SYNTAX_INTEL : CS_OPT_SYNTAX_ATT);
}

void disasm_set_reader(struct disasm *d, unsigned (*read)(void *opaque, u64 la, void *buf, unsigned n), void *opaque) {
  d->read = read;
  d->opaque = opaque;
}

static unsigned width_of(unsigned bits_) { return bits_ == 64 ? WIDTH_64 : bits_ == 32 ? WIDTH_32 : WIDTH_16; }

/* ---- the processor's decoder ---- */

struct code {
  u8 bytes[INSN_MAX_BYTES];
  unsigned n;                /* that can be read */
  unsigned len;              /* 0: the processor has no such instruction */
  struct insn insn;
  const struct oprow *row;
};

static void read_code(const struct disasm *d, struct code *c, struct cpu *cpu, u64 la, u64 rip, unsigned bits_) {
  static const u32 modes[CODE_WIDTHS] = {MODE_CODE16, MODE_CODE32, MODE_CODE64};
  u32 mode = (cpu->mode & ~(u32)MODE_CODE_MASK) | modes[width_of(bits_)];
  *c = (struct code){.n = 0};
  if (bits_ != 64) la = (u32)la;
  c->n = d->read ? d->read(d->opaque, la, c->bytes, sizeof c->bytes) : mem_peek(cpu, la, c->bytes, sizeof c->bytes);
  if (!c->n) return;
  if (decode_insn(cpu->vm->decoder, cpu->model, mode, rip, c->bytes, c->n, &c->insn, &c->row) == DECODE_OK)
    c->len = c->insn.len;
}

unsigned disasm_length(const struct cpu *cpu, unsigned bits_, const u8 *bytes, unsigned n) {
  static const u32 modes[CODE_WIDTHS] = {MODE_CODE16, MODE_CODE32, MODE_CODE64};
  struct insn insn;
  const struct oprow *row;
  enum decode_status how = decode_insn(cpu->vm->decoder, cpu->model, (cpu->mode & ~(u32)MODE_CODE_MASK) | modes[width_of(bits_)],
                                       cpu->rip, bytes, n, &insn, &row);
  return how == DECODE_OK ? insn.len : how == DECODE_MORE ? 0 : n;
}

/* ---- names ---- */

static void append_name(const struct symbols *syms, u64 la, char *text, size_t n, const char *format) {
  char name[160] = "";
  size_t len = strlen(text);
  if (syms) sym_name(syms, la, name, sizeof name);
  if (*name && len < n) snprintf(text + len, n - len, format, name);
}

/* A constant that is the very address of a symbol, where one is moved or pushed. */
static void name_constant(const struct symbols *syms, const cs_insn *i, u64 value, char *text, size_t n) {
  struct sym sym;
  bool moves = i->id == X86_INS_MOV || i->id == X86_INS_MOVABS || i->id == X86_INS_PUSH;
  if (syms && moves && value >= PAGE_SIZE && sym_at(syms, value, &sym) && sym.addr == value)
    append_name(syms, value, text, n, "  # <%s>");
}

static bool is_branch(const cs_detail *d) {
  for (unsigned k = 0; k < d->groups_count; k++)
    if (d->groups[k] == X86_GRP_JUMP || d->groups[k] == X86_GRP_CALL || d->groups[k] == X86_GRP_BRANCH_RELATIVE)
      return true;
  return false;
}

/* The linear address behind an operand that says it all: a direct branch's target, [RIP + n], [n]. base: of CS, which
 * 64-bit mode has not. An absolute address is in DS, whose base is that of the processor now. */
static void name_operands(const struct cpu *cpu, const struct symbols *syms, const cs_insn *i, u64 base, u64 next,
                          unsigned width, char *text, size_t n) {
  const cs_x86 *x = &i->detail->x86;
  bool far_pointer = x->op_count == 2 && x->operands[0].type == X86_OP_IMM && x->operands[1].type == X86_OP_IMM;
  for (unsigned k = 0; k < x->op_count; k++) {
    const cs_x86_op *op = &x->operands[k];
    if (op->type == X86_OP_IMM && is_branch(i->detail) && !far_pointer) {
      u64 target = (u64)op->imm;
      append_name(syms, width == WIDTH_64 ? target : (u32)(base + target), text, n, " <%s>");
    } else if (op->type == X86_OP_IMM && !far_pointer) {
      name_constant(syms, i, width == WIDTH_64 ? (u64)op->imm : (u32)op->imm, text, n);
    } else if (op->type == X86_OP_MEM && (op->mem.base == X86_REG_RIP || op->mem.base == X86_REG_EIP)) {
      u64 at = next + (u64)op->mem.disp;
      char number[32];
      if (op->mem.base == X86_REG_EIP) at = (u32)at;
      snprintf(number, sizeof number, "  # 0x%" PRIx64, at);
      if (strlen(text) + strlen(number) < n) strcat(text, number);
      append_name(syms, at, text, n, " <%s>");
    } else if (op->type == X86_OP_MEM && op->mem.base == X86_REG_INVALID && op->mem.index == X86_REG_INVALID &&
               op->mem.segment == X86_REG_INVALID) {
      u64 at = (u64)op->mem.disp;
      append_name(syms, width == WIDTH_64 ? at : (u32)(cpu->seg[DS].base + (width == WIDTH_16 ? (u16)at : at)), text, n,
                  "  # <%s>");
    }
  }
}

/* ---- text ---- */

/* Capstone lets a 66h shorten a near branch in 64-bit mode, as AMD's processors do. Where the model does not, the
 * branch is shown without it: takes the 66h prefixes out of the bytes, and says how many. */
static unsigned without_66(struct code *c) {
  unsigned out = 0, dropped = 0, k = 0;
  for (; k < c->len && memchr("\x66\x67\xf2\xf3\x2e\x36\x3e\x26\x64\x65", c->bytes[k], 10); k++) {
    if (c->bytes[k] == 0x66) dropped++;
    else c->bytes[out++] = c->bytes[k];
  }
  memmove(c->bytes + out, c->bytes + k, c->len - k);
  return dropped;
}

unsigned disasm_one(struct disasm *d, struct cpu *cpu, const struct symbols *syms, u64 la, u64 rip, unsigned bits_,
                    char *text, size_t n) {
  struct code c;
  unsigned width = width_of(bits_), dropped = 0;
  cs_insn *insn = NULL;
  if (!n) return 0;
  read_code(d, &c, cpu, la, rip, bits_);
  snprintf(text, n, "%s", c.n ? "(bad)" : "(unreadable)");
  if (!c.n) return 0;
  size_t got = cs_disasm(d->handle[width], c.bytes, c.n, rip, 1, &insn);
  if (got && c.len && insn->size != c.len && width == WIDTH_64 && (c.row->attrs & A_BRANCH)) {
    cs_free(insn, got);
    dropped = without_66(&c);
    got = cs_disasm(d->handle[width], c.bytes, c.len - dropped, rip + dropped, 1, &insn);
  }
  if (got && c.len && insn->size > c.len) { /* it has read bytes that are not the instruction's */
    cs_free(insn, got);
    got = 0;
  }
  if (!got) { /* what only the processor's decoder knows */
    if (c.len) snprintf(text, n, "(%s)", c.row->name);
    return c.len;
  }
  unsigned len = c.len ? c.len : insn->size; /* Capstone knows more instructions than the model has */
  snprintf(text, n, "%s%s%s%s", dropped ? "data16 " : "", insn->mnemonic, *insn->op_str ? " " : "", insn->op_str);
  u64 base = bits_ == 64 ? 0 : la - rip;
  name_operands(cpu, syms, insn, base, rip + len, width, text, n);
  cs_free(insn, got);
  return len;
}

/* ---- kinds ---- */

/* Opcodes by map; group: the reg field that makes it one, or ANY. SDM 2D appendix A (Opcode Map) */
enum { ANY = 8 };
static const struct {
  u8 map, opcode, group, class;
} classes[] = {
    {0, 0xe8, ANY, INSN_CALL}, {0, 0xff, 2, INSN_CALL}, {0, 0xff, 3, INSN_TRAP}, {0, 0x9a, ANY, INSN_TRAP},
    {0, 0xcc, ANY, INSN_TRAP}, {0, 0xcd, ANY, INSN_TRAP}, {0, 0xce, ANY, INSN_TRAP}, {0, 0xf1, ANY, INSN_TRAP},
    {1, 0x05, ANY, INSN_TRAP}, {1, 0x34, ANY, INSN_TRAP}, {0, 0xc2, ANY, INSN_RET}, {0, 0xc3, ANY, INSN_RET},
    {0, 0xca, ANY, INSN_RET}, {0, 0xcb, ANY, INSN_RET}, {0, 0xcf, ANY, INSN_RET}, {1, 0x07, ANY, INSN_RET},
    {1, 0x35, ANY, INSN_RET},
};

enum insn_class disasm_class(struct disasm *d, struct cpu *cpu, u64 la, u64 rip, unsigned bits_, unsigned *len) {
  struct code c;
  read_code(d, &c, cpu, la, rip, bits_);
  *len = c.len;
  if (!c.len) return INSN_OTHER; /* it faults */
  const struct oprow *row = c.row;
  if (row->attrs & A_REPOK) return c.insn.flags & (IF_REP | IF_REPNE) ? INSN_REP : INSN_OTHER;
  for (unsigned k = 0; k < ARRAY_SIZE(classes); k++) {
    if (classes[k].map != row->map || classes[k].opcode != row->opcode) continue;
    bool grouped = row->modrm & X_G(0) & ~X_ANY;
    if (classes[k].group == ANY || (grouped && (row->modrm >> 4 & 7u) == classes[k].group)) return classes[k].class;
  }
  return INSN_OTHER;
}
