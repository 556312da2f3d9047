/* The x87's state: between the host's unit and struct x87, exceptions that wait, tags, and the last
 * instruction's opcode. SDM 1 8.1 (x87 FPU Execution Environment), 8.7 (Handling x87 FPU Exceptions in
 * Software). */
#include "cpu/x87.h"

#include "cpu/check.h"
#include "cpu/rare.h"
#include "cpu/x87_insn.h"

/* What FNSAVE stores and FRSTOR loads in 64-bit mode. SDM 1 8.1.10 (Saving the x87 FPU's State with
 * FSTENV/FNSTENV and FSAVE/FNSAVE) */
struct host_image {
  u16 fcw, pad0, fsw, pad1, tags, pad2;
  u32 fip;
  u16 fcs, fop;
  u32 fdp;
  u16 fds, pad3;
  u8 st[8][10]; /* from the top */
};
_Static_assert(sizeof(struct host_image) == 108, "FSAVE, 32-bit protected-mode format");
_Static_assert(offsetof(struct x87, st[0].se) == 8, "significand, then sign and exponent, as in memory");

/* ---- to and from the host ---- */

/* Bit r -> bits 2r and 2r+1, and back from either. */
static u16 double_bits(u8 b) {
  unsigned x = b;
  x = (x | x << 4) & 0x0f0f;
  x = (x | x << 2) & 0x3333;
  x = (x | x << 1) & 0x5555;
  return (u16)(x * 3);
}
static u8 both_bits(u16 t) {
  unsigned x = t & t >> 1 & 0x5555;
  x = (x | x >> 1) & 0x3333;
  x = (x | x >> 2) & 0x0f0f;
  return (u8)(x | x >> 4);
}

static void unit_load(struct x87 *x, u16 fsw) {
  struct host_image img = {.fcw = x->fcw, .fsw = (u16)(fsw | (unsigned)x->top << FSW_TOP_SHIFT),
                           .tags = double_bits(x->empty)};
  for (unsigned n = 0; n < 8; n++) memcpy(img.st[n], &x->st[(x->top + n) & 7], 10);
  __asm__ volatile("fnstcw %0\n\tfrstor %1" : "=m"(x->host_fcw) : "m"(img));
}

/* FNSAVE also empties the host's x87, as the ABI wants it. */
static void unit_take(struct x87 *x) {
  struct host_image img;
  __asm__ volatile("fnsave %0\n\tfldcw %1" : "=m"(img) : "m"(x->host_fcw));
  x->fsw = img.fsw & (u16)~FSW_TOP;
  x->top = img.fsw >> FSW_TOP_SHIFT & 7;
  x->empty = both_bits(img.tags);
  for (unsigned n = 0; n < 8; n++) memcpy(&x->st[(x->top + n) & 7], img.st[n], 10);
}

/* FDP follows every operand in memory, or only those of instructions with an unmasked exception.
 * SDM 1 8.1.8 (x87 FPU Instruction and Data (Operand) Pointers) */
static void settle_fdp(struct cpu *cpu, bool raised) {
  struct x87 *x = &cpu->x87;
  if (!raised && model_has(cpu->model, FEAT_FDP_EXCPTN)) return;
  x->fdp = x->last_dp;
  x->fds = x->last_ds;
}

void x87_save(struct cpu *cpu) {
  unit_take(&cpu->x87);
  settle_fdp(cpu, false);
  cpu->x87.live = false;
}

/* ---- control, status and tags ---- */

void x87_settle(struct x87 *x) {
  x->fsw &= (u16)~(FSW_ES | FSW_B);
  if (x->fsw & ~x->fcw & FSW_FLAGS) x->fsw |= FSW_ES | FSW_B;
}

void x87_set_fcw(struct cpu *cpu, u16 fcw) {
  cpu->x87.fcw = (fcw & FCW_VALID) | FCW_FIXED;
  x87_settle(&cpu->x87);
}

void x87_set_fsw(struct cpu *cpu, u16 fsw) {
  cpu->x87.top = fsw >> FSW_TOP_SHIFT & 7;
  cpu->x87.fsw = fsw & (u16)~FSW_TOP;
  x87_settle(&cpu->x87);
}

void x87_init(struct cpu *cpu) {
  struct x87 *x = &cpu->x87;
  x->fcw = FCW_INIT;
  x->fsw = 0;
  x->top = 0;
  x->empty = 0xff;
  x->fop = x->fcs = x->fds = 0;
  x->fip = x->fdp = 0;
}

enum { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

u16 x87_tags(const struct cpu *cpu) {
  unsigned tags = 0;
  for (unsigned r = 0; r < 8; r++) {
    unsigned exponent = cpu->x87.st[r].se & 0x7fffu, tag = TAG_SPECIAL;
    u64 m = cpu->x87.st[r].m;
    if (cpu->x87.empty >> r & 1) tag = TAG_EMPTY;
    else if (!exponent && !m) tag = TAG_ZERO;
    else if (exponent && exponent != 0x7fff && m >> 63) tag = TAG_VALID;
    tags |= tag << (2 * r);
  }
  return (u16)tags;
}
void x87_set_tags(struct cpu *cpu, u16 tags) { cpu->x87.empty = both_bits(tags); }

/* ---- the X forms ---- */

void x87_wait(struct cpu *cpu, const struct insn *i) {
  cpu->insn = i;
  require_ab(cpu, CHK_X87_PENDING, !x87_waiting(cpu), 0, cpu->x87.fsw, !!(cpu->cr0 & CR0_NE));
}

void x87_begin(struct cpu *cpu) {
  struct x87 *x = &cpu->x87;
  if (x->live) return;
  u16 fsw = x->fsw;
  /* Ignored for want of CR0.NE: the host must not report it either. */
  if (fsw & FSW_ES) fsw &= (u16)~((~x->fcw & FSW_FLAGS) | FSW_ES | FSW_B);
  unit_load(x, fsw);
  x->last_dp = x->fdp;
  x->last_ds = x->fds;
  x->live = (x->fcw & FCW_MASKS) == FCW_MASKS;
}

int x87_opcode_at(struct cpu *cpu, u64 rip) {
  u8 code[15];
  bool code64 = (cpu->mode & MODE_CODE_MASK) == MODE_CODE64;
  unsigned n = mem_peek(cpu, (cpu->seg[CS].base + rip) & cpu->lamask, code, sizeof code);
  for (unsigned k = 0; k + 1 < n; k++) {
    if ((code[k] & 0xf8) == 0xd8) return (code[k] & 7) << 8 | code[k + 1];
    bool prefix = memchr("\x66\x67\xf2\xf3\xf0\x26\x2e\x36\x3e\x64\x65", code[k], 11) != NULL;
    if (!prefix && !(code64 && (code[k] & 0xf0) == 0x40)) break;
  }
  return -1;
}

bool x87_finish(struct cpu *cpu, const struct insn *i) {
  struct x87 *x = &cpu->x87;
  if (x->live) return true;
  u16 held = x->fsw & FSW_ES ? x->fsw & ~x->fcw & FSW_FLAGS : 0;
  unit_take(x);
  u16 raised = x->fsw & (u16)~x->fcw & FSW_FLAGS;
  /* FOP is that of the last instruction with an unmasked exception. SDM 1 8.1.9.1 (Fopcode Compatibility
   * Sub-mode) */
  int opcode = raised ? x87_opcode_at(cpu, insn_rip(i)) : -1;
  if (opcode >= 0) x->fop = (u16)opcode;
  settle_fdp(cpu, raised);
  x->fsw |= held;
  x87_settle(x);
  return !(raised & ~FSW_PE);
}

const struct insn *x87_end(struct cpu *restrict cpu, const struct insn *restrict i) {
  x87_note(cpu, i, FORM_X);
  (void)x87_finish(cpu, i);
  NEXT(cpu, i, FORM_X);
}

void x87_align(struct cpu *cpu, u64 la, unsigned align) {
  if ((cpu->mode & MODE_ALIGN) && cpu->cpl == 3) require_ab(cpu, CHK_ALIGNMENT, !(la & (align - 1)), 0, la, align);
}

/* Where the operand is. One of 80 bits is accessed as 8 bytes and 2: all of the first is judged before the limit for
 * the second, whose offset wraps at the address size (measured on Intel Xeon). */
static void operand(struct cpu *cpu, const struct insn *i, struct x87_operand *o, unsigned n, enum access acc) {
  unsigned first = n > 8 ? 8 : n;
  o->la = o->second = ea_linear(cpu, i, first, acc);
  x87_align(cpu, o->la, first);
  if (n <= 8) return;
  mem_probe(cpu, o->la, 8, acc);
  o->second = ea_linear_part(cpu, i, 8, n - 8, acc);
}

void x87_fetch(struct cpu *cpu, const struct insn *i, u8 *buf, unsigned n) {
  struct x87_operand o;
  unsigned first = n > 8 ? 8 : n;
  x87_wait(cpu, i);
  operand(cpu, i, &o, n, ACC_READ);
  mem_read_bytes(cpu, o.la, buf, first);
  if (n > 8) mem_read_bytes(cpu, o.second, buf + 8, n - 8);
  x87_begin(cpu);
}

static void store_operand(struct cpu *cpu, const struct insn *i, struct x87_operand *o, unsigned n) {
  operand(cpu, i, o, n, ACC_WRITE);
  mem_probe(cpu, n > 8 ? o->second : o->la, n > 8 ? n - 8 : n, ACC_WRITE);
}

void x87_store_begin(struct cpu *cpu, const struct insn *i, struct x87_store *s, unsigned n) {
  x87_wait(cpu, i);
  s->last = (cpu->x87.fcw & FCW_MASKS) != FCW_MASKS;
  if (s->last) s->before = cpu->x87;
  else store_operand(cpu, i, &s->at, n);
  x87_begin(cpu);
}

void x87_store_end(struct cpu *cpu, const struct insn *i, struct x87_store *s, const u8 *buf, unsigned n) {
  if (!x87_finish(cpu, i)) return;
  if (s->last) {
    struct x87 after = cpu->x87;
    cpu->x87 = s->before;
    store_operand(cpu, i, &s->at, n);
    cpu->x87 = after;
  }
  mem_write_bytes(cpu, s->at.la, buf, n > 8 ? 8 : n);
  if (n > 8) mem_write_bytes(cpu, s->at.second, buf + 8, n - 8);
}
