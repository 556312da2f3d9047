/* From a frame to its caller's: by call frame information where there is some; by the bytes of a signal trampoline, of
 * a prologue or of a RET; else along the frame pointers. System V ABI AMD64 3.2.2 (The Stack Frame). */
#include <string.h>

#include "base/bits.h"
#include "debugger/sym.h"

#define RIP 16
#define RSP 4
#define RBP 5
/* No frame is larger; a greater distance is no frame pointer. */
#define MAX_FRAME (UINT64_C(64) << 20)

struct step {
  struct symbols *s;
  struct frame_regs *r;
  frame_read_fn *read;
  void *opaque;
  unsigned word; /* bytes */
};

static bool has(const struct frame_regs *r, unsigned n) { return r->known >> n & 1; }

/* Of the stack: offsets, of 16 bits in 16-bit code. */
static u64 narrow(const struct step *t, u64 v) { return t->word == 8 ? v : t->word == 4 ? (u32)v : (u16)v; }

/* Of code: linear addresses. */
static u64 narrow_code(const struct step *t, u64 v) { return t->word == 8 ? v : (u32)v; }
static u64 code_linear(const struct step *t, u64 rip) { return narrow_code(t, t->r->cs_base + rip); }

static bool word_at(const struct step *t, u64 addr, u64 *v) {
  *v = 0;
  return t->read(t->opaque, narrow_code(t, t->r->ss_base + narrow(t, addr)), v, t->word) == t->word;
}

/* The n bytes at addr; false: they cannot all be read. */
static bool code_at(const struct step *t, u64 addr, void *buf, unsigned n) {
  return t->read(t->opaque, narrow_code(t, addr), buf, n) == n;
}

static bool is_code(const struct step *t, u64 addr, const char *bytes, unsigned n) {
  u8 buf[16];
  return n <= sizeof buf && code_at(t, addr, buf, n) && !memcmp(buf, bytes, n);
}

/* --- Signal trampolines without a table --- */

/* Where struct sigcontext has our registers, and then the instruction pointer: Linux arch/x86/include/uapi/asm/
 * sigcontext.h. */
static const u8 context64[17] = {13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7, 16};
static const u8 context32[17] = {11, 10, 9, 8, 7, 6, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0, 14};

static bool read_context(const struct step *t, u64 at) {
  unsigned count = t->word == 8 ? 16 : 8;
  const u8 *place = t->word == 8 ? context64 : context32;
  struct frame_regs out = {.bits = t->r->bits, .cs_base = t->r->cs_base, .ss_base = t->r->ss_base};
  for (unsigned i = 0; i <= 16; i++) {
    if (i >= count && i != RIP) continue;
    u64 v;
    if (!word_at(t, at + place[i] * t->word, &v)) return false;
    if (i == RIP) out.rip = v;
    else out.gpr[i] = v;
    out.known |= 1u << i;
  }
  if (!out.rip) return false;
  *t->r = out;
  return true;
}

/* What a handler returns to, at its first instruction: C libraries without tables have these very bytes. The stack
 * pointer is behind the return address; the rest is the layout of Linux's struct rt_sigframe and struct sigframe. */
static bool trampoline(const struct step *t) {
  u64 pc = code_linear(t, t->r->rip), sp = t->r->gpr[RSP];
  if (t->word == 2) return false;
  if (t->word == 8) {
    return (is_code(t, pc, "\x48\xc7\xc0\x0f\0\0\0\x0f\x05", 9) || is_code(t, pc, "\xb8\x0f\0\0\0\x0f\x05", 7)) &&
           read_context(t, sp + 40);
  }
  if (is_code(t, pc, "\x58\xb8\x77\0\0\0\xcd\x80", 8)) return read_context(t, sp + 4);
  if (is_code(t, pc, "\xb8\xad\0\0\0\xcd\x80", 7)) return read_context(t, sp + 12 + 128 + 20);
  return false;
}

/* --- Frame pointers --- */

/* Does code look as if it went on here after a CALL, or had been returned to by a trampoline? */
static bool return_address(const struct step *t, u64 addr) {
  static const u8 lengths[] = {2, 3, 4, 6, 7}; /* FF /2 and FF /3, by their addressing mode */
  u8 b[8];
  struct sym f;
  if (!code_at(t, addr, b, 1)) return false;
  if (sym_at(t->s, addr, &f) && f.function && f.addr == addr) return true;
  if (code_at(t, addr - (t->word == 2 ? 3 : 5), b, 1) && b[0] == 0xe8) return true;
  for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++)
    if (code_at(t, addr - lengths[i], b, 2) && b[0] == 0xff && (b[1] >> 4 & 3) == 1) return true;
  return false;
}

/* The caller whose return address is at `at`, its frame pointer saved at fp; 0: it is still in its register. */
static bool caller_at(const struct step *t, u64 at, u64 fp) {
  struct frame_regs out = *t->r;
  u64 ra, saved = 0;
  if (!word_at(t, at, &ra) || !ra || !return_address(t, code_linear(t, ra)) || (fp && !word_at(t, fp, &saved))) return false;
  out.rip = ra;
  out.gpr[RSP] = narrow(t, at + t->word);
  if (fp) out.gpr[RBP] = saved;
  /* Whether the frame has changed the others cannot be known. */
  out.known &= 1u << RSP | 1u << RBP | 1u << RIP;
  if (out.gpr[RSP] <= t->r->gpr[RSP]) return false;
  *t->r = out;
  return true;
}

/* Does a function begin at addr with a push of the frame pointer, after an ENDBR of *skip bytes? */
static bool prologue(const struct step *t, u64 addr, unsigned *skip) {
  u8 b[8];
  *skip = 0;
  if (!code_at(t, addr, b, 8)) return false;
  if (b[0] == 0xf3 && b[1] == 0x0f && b[2] == 0x1e && (b[3] == 0xfa || b[3] == 0xfb)) *skip = 4;
  if (*skip && !code_at(t, addr + *skip, b, 4)) return false;
  if (b[0] != 0x55) return false;
  const u8 *mov = b + 1 + (t->word == 8 && b[1] == 0x48);
  if (t->word == 8 && b[1] != 0x48) return false;
  return (mov[0] == 0x89 && mov[1] == 0xe5) || (mov[0] == 0x8b && mov[1] == 0xec);
}

/* Bytes of what a function that begins at addr has on the stack at pc, if it keeps no frame pointer: it may have pushed
 * registers and then made room. */
static u64 pushed(const struct step *t, u64 addr, u64 pc) {
  u8 b[7];
  u64 n = 0;
  for (unsigned i = 0; i < 16 && addr < pc && code_at(t, addr, b, sizeof b); i++) {
    unsigned rex = t->word == 8 && (b[0] & 0xf0) == 0x40;
    const u8 *op = b + rex;
    if (op[0] >= 0x50 && op[0] <= 0x57) n += t->word, addr += rex + 1;
    else if (op[0] == 0x83 && op[1] == 0xec) n += op[2], addr += rex + 3;
    else if (op[0] == 0x81 && op[1] == 0xec) n += t->word == 2 ? ld16(op + 2) : ld32(op + 2), addr += rex + (t->word == 2 ? 4 : 6);
    else if (b[0] == 0xf3 && b[1] == 0x0f && b[2] == 0x1e) addr += 4;
    else break;
  }
  return n;
}

/* A jump through the linkage table, which has no names: JMP *m, after ENDBR or with a prefix. */
static bool linkage(const struct step *t, u64 pc) {
  u8 b[8];
  if (!code_at(t, pc, b, sizeof b)) return false;
  unsigned i = b[0] == 0xf3 && b[1] == 0x0f && b[2] == 0x1e ? 4 : 0;
  i += b[i] == 0xf2;
  return b[i] == 0xff && (b[i + 1] == 0x25 || b[i + 1] == 0xa3);
}

/* At a RET, or at the POPs before it. */
static bool epilogue(const struct step *t, u64 pc, u64 sp) {
  u8 b[2];
  u64 fp = 0;
  for (unsigned i = 0; i <= 8 && code_at(t, pc, b, 2); i++, sp += t->word) {
    if (b[0] == 0xc3 || b[0] == 0xc2 || (b[0] == 0xf3 && b[1] == 0xc3)) return caller_at(t, sp, fp);
    unsigned rex = t->word == 8 && (b[0] & 0xf0) == 0x40;
    if ((b[rex] & 0xf8) != 0x58) return false;
    if (!rex && b[0] == 0x5d) fp = sp;
    pc += rex + 1;
  }
  return false;
}

/* In a function that begins without a frame pointer. */
static bool frameless(const struct step *t, bool call) {
  struct sym f;
  unsigned skip;
  u64 pc = code_linear(t, t->r->rip);
  if (!sym_at(t->s, pc - call, &f) || !f.function || prologue(t, f.addr, &skip)) return false;
  return caller_at(t, t->r->gpr[RSP] + pushed(t, f.addr, pc), 0);
}

/* Before the frame pointer is set up, or after it is gone. */
static bool without_frame(const struct step *t) {
  static const u8 done[] = {0, 4, 1, 5}; /* bytes of ENDBR and PUSH behind us */
  u64 pc = code_linear(t, t->r->rip), sp = t->r->gpr[RSP];
  struct sym f;
  unsigned skip;
  if (sym_at(t->s, pc, &f) && f.function && f.addr == pc) return caller_at(t, sp, 0);
  for (unsigned i = 0; i < ARRAY_SIZE(done); i++) {
    if (!prologue(t, pc - done[i], &skip)) continue;
    if (done[i] == skip || !done[i]) return caller_at(t, sp, 0);
    if (done[i] == skip + 1) return caller_at(t, sp + t->word, sp);
  }
  return t->word != 2 && linkage(t, pc) ? caller_at(t, sp, 0) : epilogue(t, pc, sp);
}

static bool frame_pointer(const struct step *t) {
  if (!has(t->r, RBP)) return false;
  u64 fp = t->r->gpr[RBP], sp = t->r->gpr[RSP];
  return fp >= sp && fp - sp <= MAX_FRAME && narrow(t, fp + 2 * t->word) > fp && caller_at(t, fp + t->word, fp);
}

/* Is this code known by labels alone? They are a kernel's entry points: nothing has called them, and the stack pointer
 * may still be the program's. */
static bool entry_point(const struct symbols *s, u64 pc) {
  for (u32 i = 0; i < s->modules; i++)
    if (!s->module[i]->bits && pc >= s->module[i]->lo && pc < s->module[i]->hi) return true;
  return false;
}

enum frame_how sym_unwind(struct symbols *s, struct frame_regs *r, bool call, bool *signal, frame_read_fn *read,
                          void *opaque) {
  struct step t = {.s = s, .r = r, .read = read, .opaque = opaque, .word = r->bits / 8};
  *signal = false;
  if ((r->bits != 16 && r->bits != 32 && r->bits != 64) || !has(r, RIP) || !has(r, RSP)) return FRAME_NONE;
  struct frame_regs whole = *r;
  if (r->bits == 16) r->gpr[RSP] = (u16)r->gpr[RSP], r->gpr[RBP] = (u16)r->gpr[RBP]; /* the upper halves may be anything */
  u64 sp = r->gpr[RSP], pc = code_linear(&t, r->rip) - call;
  struct sym_module *m = sym_module_at(s, pc);
  if (!m && entry_point(s, pc)) return FRAME_NONE;
  struct frame_regs old = *r;
  bool flat = !r->cs_base && !r->ss_base; /* the tables know no segments */
  switch (m && m->bits == r->bits && flat ? sym_cfi_unwind(m, pc, r, signal, read, opaque) : CFI_NONE) {
  case CFI_CALLER:
    if (call && !*signal) { /* a trampoline begins right behind the function whose table this is */
      struct frame_regs caller = *r;
      *r = old;
      *signal = trampoline(&t);
      if (*signal) return FRAME_POINTER;
      *r = caller;
    }
    /* A caller's frame lies above, except of a handler that has a stack of its own. */
    if (*signal || r->gpr[RSP] > sp) return FRAME_CFI;
    *r = old;
    return FRAME_NONE;
  case CFI_OUTERMOST:
  case CFI_BAD: *signal = false; return FRAME_NONE;
  case CFI_NONE: break;
  }
  *signal = trampoline(&t);
  if (*signal) return FRAME_POINTER;
  if (!call && without_frame(&t)) return FRAME_POINTER;
  if (frameless(&t, call)) return FRAME_POINTER;
  if (frame_pointer(&t)) return FRAME_POINTER;
  *r = whole;
  return FRAME_NONE;
}
