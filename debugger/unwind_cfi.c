/* A caller's registers by call frame information: libdw finds and runs the table's row, its location expressions are
 * evaluated here. DWARF 5, 6.4 (Call Frame Information), 2.5 (DWARF Expressions); register numbers: System V ABI
 * AMD64 3.7 (Stack Unwind Algorithm), i386 2.5 (table 2.14). */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <stdlib.h>

#include "debugger/sym.h"

#define STACK 64
/* Operations of one expression; branches may make it loop. */
#define MAX_STEPS 1024
#define RIP 16 /* in frame_regs.known */

/* Of a DWARF register number, ours. The instruction pointer is 16, and 8 for i386. */
static const u8 amd64_number[17] = {0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15, RIP};
static const u8 i386_number[9] = {0, 1, 2, 3, 4, 5, 6, 7, RIP};

struct eval {
  const struct frame_regs *r;
  frame_read_fn *read;
  void *opaque;
  unsigned bits;
  const u64 *cfa; /* NULL while it is being found */
  u64 stack[STACK];
  unsigned depth;
  bool is_value;  /* DW_OP_stack_value: not where it is, but what */
};

static u64 narrow(const struct eval *e, u64 v) { return e->bits == 32 ? (u32)v : v; }
static s64 sign(const struct eval *e, u64 v) { return e->bits == 32 ? (s32)v : (s64)v; }

static bool fetch(const struct eval *e, u64 addr, unsigned n, u64 *v) {
  *v = 0;
  return n <= 8 && e->read(e->opaque, narrow(e, addr), v, n) == n;
}

/* A register of the frame in hand, by its DWARF number. */
static bool reg(const struct eval *e, u64 number, u64 *v) {
  if (number >= (e->bits == 64 ? sizeof amd64_number : sizeof i386_number)) return false;
  unsigned n = e->bits == 64 ? amd64_number[number] : i386_number[number];
  *v = n == RIP ? e->r->rip : e->r->gpr[n];
  return e->r->known >> n & 1;
}

static bool push(struct eval *e, u64 v) {
  if (e->depth == STACK) return false;
  e->stack[e->depth++] = narrow(e, v);
  return true;
}

/* Operations on the two topmost values: a below b. */
static bool binary(struct eval *e, u8 atom, u64 a, u64 b, u64 *v) {
  s64 sa = sign(e, a), sb = sign(e, b);
  switch (atom) {
  case DW_OP_plus: *v = a + b; break;
  case DW_OP_minus: *v = a - b; break;
  case DW_OP_mul: *v = a * b; break;
  case DW_OP_div:
    if (!sb) return false;
    *v = sb == -1 ? 0 - a : (u64)(sa / sb);
    break;
  case DW_OP_mod:
    if (!b) return false;
    *v = a % b;
    break;
  case DW_OP_and: *v = a & b; break;
  case DW_OP_or: *v = a | b; break;
  case DW_OP_xor: *v = a ^ b; break;
  case DW_OP_shl: *v = b < e->bits ? a << b : 0; break;
  case DW_OP_shr: *v = b < e->bits ? a >> b : 0; break;
  case DW_OP_shra: *v = (u64)(sa >> (b < e->bits ? b : e->bits - 1)); break;
  case DW_OP_eq: *v = a == b; break;
  case DW_OP_ne: *v = a != b; break;
  case DW_OP_lt: *v = sa < sb; break;
  case DW_OP_le: *v = sa <= sb; break;
  case DW_OP_gt: *v = sa > sb; break;
  case DW_OP_ge: *v = sa >= sb; break;
  default: return false;
  }
  return true;
}

/* Operations that take nothing from the stack. 1 done, 0 not one of them, -1 impossible. */
static int operand(struct eval *e, const Dwarf_Op *op) {
  u64 v;
  if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31) return push(e, op->atom - DW_OP_lit0) ? 1 : -1;
  if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31)
    return reg(e, op->atom - DW_OP_breg0, &v) && push(e, v + op->number) ? 1 : -1;
  switch (op->atom) {
  case DW_OP_bregx: return reg(e, op->number, &v) && push(e, v + op->number2) ? 1 : -1;
  case DW_OP_call_frame_cfa: return e->cfa && push(e, *e->cfa) ? 1 : -1;
  case DW_OP_addr:
  case DW_OP_const1u:
  case DW_OP_const1s:
  case DW_OP_const2u:
  case DW_OP_const2s:
  case DW_OP_const4u:
  case DW_OP_const4s:
  case DW_OP_const8u:
  case DW_OP_const8s:
  case DW_OP_constu:
  case DW_OP_consts: return push(e, op->number) ? 1 : -1; /* libdw has extended the signs */
  case DW_OP_dup: return e->depth && push(e, e->stack[e->depth - 1]) ? 1 : -1;
  case DW_OP_over: return e->depth > 1 && push(e, e->stack[e->depth - 2]) ? 1 : -1;
  case DW_OP_pick: return op->number < e->depth && push(e, e->stack[e->depth - 1 - op->number]) ? 1 : -1;
  case DW_OP_nop: return 1;
  default: return 0;
  }
}

/* Operations on the stack. */
static bool operate(struct eval *e, const Dwarf_Op *op) {
  if (!e->depth) return false;
  u64 *top = &e->stack[e->depth - 1], v;
  switch (op->atom) {
  case DW_OP_drop: e->depth--; return true;
  case DW_OP_deref: return fetch(e, *top, e->bits / 8, top);
  case DW_OP_deref_size: return fetch(e, *top, (unsigned)(op->number <= 8 ? op->number : 9), top);
  case DW_OP_plus_uconst: *top = narrow(e, *top + op->number); return true;
  case DW_OP_neg: *top = narrow(e, 0 - *top); return true;
  case DW_OP_not: *top = narrow(e, ~*top); return true;
  case DW_OP_abs: *top = narrow(e, sign(e, *top) < 0 ? 0 - *top : *top); return true;
  case DW_OP_stack_value: e->is_value = true; return true;
  default: break;
  }
  if (e->depth < 2) return false;
  if (op->atom == DW_OP_swap) {
    v = *top, *top = top[-1], top[-1] = v;
    return true;
  }
  if (op->atom == DW_OP_rot && e->depth >= 3) {
    v = *top, *top = top[-1], top[-1] = top[-2], top[-2] = v;
    return true;
  }
  if (!binary(e, op->atom, top[-1], *top, &v)) return false;
  e->depth--;
  top[-1] = narrow(e, v);
  return true;
}

/* Where a branch goes: the operation at this offset; n: the end. False: into the middle of one. */
static bool branch(const Dwarf_Op *ops, size_t n, size_t *i) {
  u64 to = ops[*i].offset + 3 + (u64)(s16)ops[*i].number;
  for (size_t k = 0; k < n; k++)
    if (ops[k].offset == to) return *i = k, true;
  if (to < ops[n - 1].offset) return false;
  *i = n;
  return true;
}

static bool evaluate(struct eval *e, const Dwarf_Op *ops, size_t n, u64 *v) {
  e->depth = 0;
  e->is_value = false;
  unsigned steps = 0;
  for (size_t i = 0; i < n;) {
    const Dwarf_Op *op = &ops[i];
    if (++steps > MAX_STEPS) return false;
    if (op->atom == DW_OP_skip || op->atom == DW_OP_bra) {
      bool taken = op->atom == DW_OP_skip;
      if (!taken && !e->depth) return false;
      if (!taken) taken = e->stack[--e->depth] != 0;
      if (!taken) i++;
      else if (!branch(ops, n, &i)) return false;
      continue;
    }
    int done = operand(e, op);
    if (done < 0 || (!done && !operate(e, op))) return false;
    i++;
  }
  if (!e->depth) return false;
  *v = e->stack[e->depth - 1];
  return true;
}

enum rule { UNDEFINED, DEFINED, WRONG };

/* Tables say nothing of a register that is not saved; then the ABI says which are as they were: RBX, RBP, R12-R15; EBX,
 * EBP, ESI, EDI. (System V ABI AMD64 figure 3.4, i386 table 2.3. libdw 0.188 takes number 0, RAX, for RBX.) */
static bool preserved(const struct eval *e, unsigned number) {
  return number < 16 && (e->bits == 64 ? 0xf048u : 0xe8u) >> number & 1;
}

/* The caller's value of the register that DWARF numbers so. */
static enum rule caller_reg(struct eval *e, Dwarf_Frame *frame, unsigned number, u64 *v) {
  Dwarf_Op mem[3], *ops;
  size_t n;
  if (dwarf_frame_register(frame, (int)number, mem, &ops, &n)) return WRONG;
  if (!n) return preserved(e, number) && reg(e, number, v) ? DEFINED : UNDEFINED;
  u64 at = ops[0].number;
  if (n == 1 && ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31) at = ops[0].atom - DW_OP_reg0;
  else if (n != 1 || ops[0].atom != DW_OP_regx) {
    if (!evaluate(e, ops, n, v)) return WRONG;
    return e->is_value || fetch(e, *v, e->bits / 8, v) ? DEFINED : WRONG;
  }
  return reg(e, at, v) ? DEFINED : UNDEFINED;
}

/* Registers that cannot be had are not known; stack and instruction pointer must be. */
static enum cfi_result caller(struct eval *e, Dwarf_Frame *frame, int ra, struct frame_regs *out) {
  Dwarf_Op *ops;
  size_t n;
  u64 cfa, v;
  const u8 *ours = e->bits == 64 ? amd64_number : i386_number;
  unsigned count = e->bits == 64 ? 16 : 8, sp = e->bits == 64 ? 7 : 4;
  if (ra < 0 || dwarf_frame_cfa(frame, &ops, &n) || !n || !evaluate(e, ops, n, &cfa)) return CFI_BAD;
  e->cfa = &cfa;
  *out = (struct frame_regs){.bits = e->r->bits};
  for (unsigned i = 0; i < count; i++) {
    enum rule rule = caller_reg(e, frame, i, &v);
    if (i == sp && rule == UNDEFINED) v = cfa, rule = DEFINED;
    if (rule != DEFINED) continue;
    out->gpr[ours[i]] = narrow(e, v);
    out->known |= 1u << ours[i];
  }
  enum rule rule = caller_reg(e, frame, (unsigned)ra, &v);
  if (rule == UNDEFINED) return CFI_OUTERMOST;
  if (rule == WRONG || !(out->known >> 4 & 1)) return CFI_BAD;
  out->rip = narrow(e, v);
  out->known |= 1u << RIP;
  return out->rip ? CFI_CALLER : CFI_OUTERMOST;
}

static void read_tables(struct sym_module *m) {
  if (m->cfi_read) return;
  m->cfi_read = true;
  if (!m->elf) return;
  m->eh_frame = dwarf_getcfi_elf(m->elf);
  m->dwarf = dwarf_begin_elf(m->elf, DWARF_C_READ, NULL);
  m->debug_frame = m->dwarf ? dwarf_getcfi(m->dwarf) : NULL;
}

void sym_free_cfi(struct sym_module *m) {
  if (m->eh_frame) dwarf_cfi_end(m->eh_frame);
  if (m->dwarf) dwarf_end(m->dwarf); /* and debug_frame */
}

enum cfi_result sym_cfi_unwind(struct sym_module *m, u64 pc, struct frame_regs *r, bool *signal, frame_read_fn *read,
                               void *opaque) {
  Dwarf_Frame *frame = NULL;
  Dwarf_Addr at = m->bits == 32 ? (u32)(pc - m->bias) : pc - m->bias;
  read_tables(m);
  if ((!m->eh_frame || dwarf_cfi_addrframe(m->eh_frame, at, &frame)) &&
      (!m->debug_frame || dwarf_cfi_addrframe(m->debug_frame, at, &frame)))
    return CFI_NONE;
  struct eval e = {.r = r, .read = read, .opaque = opaque, .bits = m->bits};
  struct frame_regs out;
  bool is_signal = false;
  int ra = dwarf_frame_info(frame, NULL, NULL, &is_signal);
  enum cfi_result result = caller(&e, frame, ra, &out);
  free(frame);
  *signal = is_signal;
  if (result == CFI_CALLER) *r = out;
  return result;
}
