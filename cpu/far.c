/* Far JMP, CALL and RET: code segments and call gates. SDM 2A CALL, JMP; SDM 2B RET (Operation);
 * SDM 3A 5.8 (Privilege Level Checking When Transferring Program Control Between Code Segments).
 *
 * Call gate:
 *   63          48 47 46 45 44 43  40 39  37 36         32 31        16 15          0
 *   offset 31:16    P  DPL   0  type    0    param count   selector     offset 15:0
 *   long mode, second half:  127..109 reserved   108 .. 104 zero   95 .. 64 offset 63:32
 */
#include "cpu/check.h"
#include "cpu/event.h"
#include "cpu/gate.h"
#include "cpu/rare.h"
#include "cpu/ret.h"
#include "cpu/task.h"

static void check_ip(struct cpu *cpu, u64 ip, const struct desc *cs) {
  if (cpu_long(cpu) && seg_is_code64(&cs->s)) require_ab(cpu, CHK_FAR_RIP_CANONICAL, cpu_canonical(cpu, ip), 0, ip, 0);
  else require_ab(cpu, CHK_FAR_EIP_LIMIT, (u32)ip <= cs->s.limit, 0, (u32)ip, cs->s.limit);
}

/* A code segment named directly. SDM 3A 5.8.1 (Direct Calls or Jumps to Code Segments) */
static void check_direct(struct cpu *cpu, u16 sel, const struct desc *cs) {
  if (cpu_long(cpu)) require_ab(cpu, CHK_FAR_CS_LD, !seg_l_and_d(&cs->s), sel, seg_is_code64(&cs->s), seg_is_db(&cs->s));
  if (seg_is_conforming(&cs->s)) {
    require_ab(cpu, CHK_FAR_CS_CONFORMING, seg_dpl(&cs->s) <= cpu->cpl, sel, seg_dpl(&cs->s), cpu->cpl);
  } else {
    require_ab(cpu, CHK_FAR_CS_RPL, sel_rpl(sel) <= cpu->cpl, sel, sel_rpl(sel), cpu->cpl);
    require_ab(cpu, CHK_FAR_CS_DPL, seg_dpl(&cs->s) == cpu->cpl, sel, seg_dpl(&cs->s), cpu->cpl);
  }
  require_ab(cpu, CHK_FAR_CS_PRESENT, seg_present(&cs->s), sel, seg_present(&cs->s), 0);
}

/* A 16:64 pointer to 32-bit code: its upper half is dropped. */
static u64 direct_ip(const struct cpu *cpu, const struct far_ptr *p, const struct desc *cs) {
  return cpu_long(cpu) && seg_is_code64(&cs->s) ? p->off : (u32)p->off;
}

static void commit_cs(struct cpu *cpu, const struct desc *cs, u8 cpl) {
  cpu->seg[CS] = cs->s;
  cpu->seg[CS].sel = (u16)((cs->s.sel & ~SEL_RPL) | cpl);
  cpu->cpl = cpl;
}

/* Will the pushes of f succeed? One after the other, as their faults come: limit, alignment, page. */
static void probe_pushes(struct cpu *cpu, const struct stack *st, const struct frame *f) {
  const struct frame one = {.n = 1, .bytes = f->bytes};
  struct stack at = *st;
  for (unsigned k = 0; k < f->n; k++) {
    u64 la = frame_linear(&at, &one, 0);
    require_ab(cpu, CHK_FAR_ROOM, frame_fits(cpu, &at, &one), 0, at.sp, f->bytes);
    mem_probe_as(cpu, la, f->bytes, ACC_WRITE, at.user);
    at.sp = frame_sp(&at, &one);
  }
}

/* The frame of CS and the return address on the current stack, as the new code segment sees it: 64-bit code ignores the
 * base and limit of SS, other code obeys them; and its faults come before those of the target's offset (measured on
 * Intel Xeon). */
static void push_return(struct cpu *cpu, u64 next, unsigned bytes, bool code64, struct stack *st, struct frame *f) {
  *st = stack_current(cpu);
  if (code64) *st = (struct stack){.sp = st->sp, .mask = ~UINT64_C(0), .user = st->user};
  else if (!st->ss) *st = stack_in(&cpu->seg[SS], (u32)st->sp, st->user);
  frame_begin(f, bytes);
  frame_add(f, WORD_CS, cpu->seg[CS].sel);
  frame_add(f, WORD_IP, next);
  probe_pushes(cpu, st, f);
}

static void commit_push(struct cpu *cpu, const struct stack *st, const struct frame *f) {
  frame_push(cpu, st, f);
  cpu->gpr[RSP] = frame_sp(st, f);
}

static u64 call_direct(struct cpu *cpu, const struct far_ptr *p, struct desc *cs, u64 next, unsigned bytes) {
  struct stack st;
  struct frame f;
  check_direct(cpu, p->sel, cs);
  push_return(cpu, next, bytes, cpu_long(cpu) && seg_is_code64(&cs->s), &st, &f);
  check_ip(cpu, p->off, cs);
  desc_mark_accessed(cpu, cs);

  commit_push(cpu, &st, &f);
  commit_cs(cpu, cs, cpu->cpl);
  return direct_ip(cpu, p, cs);
}

/* ---- call gates. SDM 3A 5.8.3 (Call Gates), 5.8.4 (Accessing a Code Segment Through a Call Gate) ---- */

struct call_gate {
  struct far_ptr to;
  unsigned params, bytes; /* words or doublewords to copy; slot size */
};

/* The gate that sel names, and the code segment behind it. */
static struct call_gate read_call_gate(struct cpu *cpu, u16 sel, struct desc *gate, struct desc *cs) {
  u8 dpl = seg_dpl(&gate->s);
  struct call_gate g = {.bytes = seg_type(&gate->s) == SYS_CALL16 ? 2 : 4};
  require_ab(cpu, CHK_CALLGATE_DPL, dpl >= cpu->cpl, sel, dpl, cpu->cpl);
  require_ab(cpu, CHK_CALLGATE_RPL, dpl >= sel_rpl(sel), sel, dpl, sel_rpl(sel));
  require_ab(cpu, CHK_CALLGATE_PRESENT, seg_present(&gate->s), sel, seg_present(&gate->s), 0);
  if (cpu_long(cpu)) {
    g.bytes = 8;
    require_ab(cpu, CHK_CALLGATE_HIGH_LIMIT, desc_read_high(cpu, gate), sel, (sel & 0xfff8u) + 15, table_limit(cpu, sel));
    require_ab(cpu, CHK_CALLGATE_HIGH_TYPE, !bits(gate->hi, 44, 40), sel, bits(gate->hi, 44, 40), 0);
  }
  u64 lo = gate->lo;
  g.to.sel = (u16)bits(lo, 31, 16);
  g.to.off = bits(lo, 15, 0);
  if (g.bytes > 2) g.to.off |= bits(lo, 63, 48) << 16;
  if (g.bytes == 8) g.to.off |= gate->hi << 32;
  else g.params = (unsigned)bits(lo, 36, 32);

  require_ab(cpu, CHK_CALLGATE_CS_NULL, !sel_is_null(g.to.sel), 0, g.to.sel, 0);
  require_ab(cpu, CHK_CALLGATE_CS_LIMIT, desc_read(cpu, g.to.sel, cs), g.to.sel, g.to.sel | 7u,
             table_limit(cpu, g.to.sel));
  require_ab(cpu, CHK_CALLGATE_CS_TYPE, seg_is_code(&cs->s), g.to.sel, cs->s.attr, 0);
  require_ab(cpu, CHK_CALLGATE_CS_DPL, seg_dpl(&cs->s) <= cpu->cpl, g.to.sel, seg_dpl(&cs->s), cpu->cpl);
  if (cpu_long(cpu)) {
    bool l = seg_is_code64(&cs->s), d = seg_is_db(&cs->s);
    require_ab(cpu, CHK_CALLGATE_CS_LONG, l, g.to.sel, l, d);
    require_ab(cpu, CHK_CALLGATE_CS_LONG_D, !d, g.to.sel, l, d);
  }
  return g;
}

/*  Frame on the inner stack: old SS, old (E)SP, parameters in the caller's order, CS, (E)IP. */
static u64 call_inner(struct cpu *cpu, const struct call_gate *g, struct desc *cs, u64 next) {
  u8 cpl = seg_dpl(&cs->s);
  struct seg ss = seg_null_stack(cpl, cpl);
  struct stack st = {.ss = NULL, .mask = ~UINT64_C(0), .user = cpl == 3};
  struct frame f;
  frame_begin(&f, g->bytes);
  if (cpu_long(cpu)) st.sp = tss_rsp(cpu, cpl);
  else st = tss_stack(cpu, cpl, &ss);
  frame_add(&f, WORD_SS, cpu->seg[SS].sel);
  frame_add(&f, WORD_SP, cpu->gpr[RSP]);
  for (unsigned k = 0; k < g->params; k++) frame_add(&f, WORD_PARAM, 0);
  frame_add(&f, WORD_CS, cpu->seg[CS].sel);
  frame_add(&f, WORD_IP, next);
  require_ab(cpu, CHK_CALLGATE_ROOM, frame_fits(cpu, &st, &f), ss.sel, st.sp, frame_bytes(&f));
  check_ip(cpu, g->to.off, cs);
  for (unsigned k = g->params; k-- > 0;) /* the last one pushed first; read when all else is known to be right */
    f.slot[2 + g->params - 1 - k] = stack_peek(cpu, WORD_PARAM, (u64)k * g->bytes, g->bytes);
  desc_mark_accessed(cpu, cs);
  frame_probe(cpu, &st, &f);

  commit_push(cpu, &st, &f);
  cpu->seg[SS] = ss;
  commit_cs(cpu, cs, cpl);
  return g->to.off;
}

static u64 call_gate(struct cpu *cpu, u16 sel, struct desc *gate, u64 next) {
  struct desc cs;
  struct stack st;
  struct frame f;
  struct call_gate g = read_call_gate(cpu, sel, gate, &cs);
  require_ab(cpu, CHK_CALLGATE_CS_PRESENT, seg_present(&cs.s), g.to.sel, seg_present(&cs.s), 0);
  if (!seg_is_conforming(&cs.s) && seg_dpl(&cs.s) < cpu->cpl) return call_inner(cpu, &g, &cs, next);
  push_return(cpu, next, g.bytes, cpu_long(cpu), &st, &f);
  check_ip(cpu, g.to.off, &cs);
  desc_mark_accessed(cpu, &cs);

  commit_push(cpu, &st, &f);
  commit_cs(cpu, &cs, cpu->cpl);
  return g.to.off;
}

static u64 jmp_gate(struct cpu *cpu, u16 sel, struct desc *gate) {
  struct desc cs;
  struct call_gate g = read_call_gate(cpu, sel, gate, &cs);
  require_ab(cpu, CHK_CALLGATE_JMP_DPL, seg_is_conforming(&cs.s) || seg_dpl(&cs.s) == cpu->cpl, g.to.sel,
             seg_dpl(&cs.s), cpu->cpl);
  require_ab(cpu, CHK_CALLGATE_CS_PRESENT, seg_present(&cs.s), g.to.sel, seg_present(&cs.s), 0);
  check_ip(cpu, g.to.off, &cs);
  desc_mark_accessed(cpu, &cs);
  commit_cs(cpu, &cs, cpu->cpl);
  return g.to.off;
}

/* ---- JMP and CALL ---- */

/* A system descriptor that control may pass through, a busy TSS being judged later; in long mode 64-bit call gates
 * only. */
static bool system_ok(const struct cpu *cpu, unsigned type) {
  if (cpu_long(cpu)) return type == SYS_CALL32;
  return type == SYS_CALL16 || type == SYS_CALL32 || type == SYS_TASK_GATE || type == SYS_TSS16 ||
         type == SYS_TSS16_BUSY || type == SYS_TSS32 || type == SYS_TSS32_BUSY;
}

static u64 far_protected(struct cpu *cpu, struct transition *t, const struct far_ptr *p, bool call, u64 next,
                         unsigned bytes) {
  struct desc d;
  require_ab(cpu, CHK_FAR_CS_NULL, !sel_is_null(p->sel), 0, p->sel, 0);
  require_ab(cpu, CHK_FAR_CS_LIMIT, desc_read(cpu, p->sel, &d), p->sel, p->sel | 7u, table_limit(cpu, p->sel));
  unsigned type = seg_type(&d.s);
  bool system = !(d.s.attr & SEG_S);
  require_ab(cpu, CHK_FAR_CS_TYPE, system ? system_ok(cpu, type) : seg_is_code(&d.s), p->sel, d.s.attr, 0);
  if (system && type != SYS_CALL16 && type != SYS_CALL32) return task_far(cpu, t, &d, call, next);
  if (system) return call ? call_gate(cpu, p->sel, &d, next) : jmp_gate(cpu, p->sel, &d);
  if (call) return call_direct(cpu, p, &d, next, bytes);
  check_direct(cpu, p->sel, &d);
  check_ip(cpu, p->off, &d);
  desc_mark_accessed(cpu, &d);
  commit_cs(cpu, &d, cpu->cpl);
  return direct_ip(cpu, p, &d);
}

static u64 far_real(struct cpu *cpu, const struct far_ptr *p, bool call, u64 next, unsigned bytes) {
  struct stack st;
  struct frame f;
  if (call) push_return(cpu, next, bytes, false, &st, &f);
  require_ab(cpu, CHK_FAR_EIP_LIMIT, p->off <= cpu->seg[CS].limit, 0, p->off, cpu->seg[CS].limit);
  if (call) commit_push(cpu, &st, &f);
  seg_load_real(cpu, CS, p->sel);
  return p->off;
}

/* Returns where control goes. The three below are out of line: locals whose address escapes would cost the
 * handlers their tail calls. */
static u64 far_transfer(struct cpu *cpu, const struct insn *i, struct far_ptr p, bool call, unsigned bytes) {
  struct transition t;
  u64 next = insn_next_rip(cpu, i);
  transition_begin(cpu, &t, call ? TR_FAR_CALL : TR_FAR_JMP, call ? next : insn_rip(i));
  u64 rip =
      cpu_protected(cpu) ? far_protected(cpu, &t, &p, call, next, bytes) : far_real(cpu, &p, call, next, bytes);
  cpu_update_mode(cpu);
  transition_end(cpu, &t, rip);
  return rip;
}

NOINLINE static u64 far_direct(struct cpu *cpu, const struct insn *i, bool call) {
  cpu->insn = i;
  struct far_ptr p = {.sel = (u16)(i->imm >> 32), .off = (u32)i->imm};
  return far_transfer(cpu, i, p, call, WIDTH_BYTES(insn_osize(i)));
}

NOINLINE static u64 far_memory(struct cpu *cpu, const struct insn *i, bool call) {
  struct far_ptr p = far_ptr_read(cpu, i);
  return far_transfer(cpu, i, p, call, p.bytes);
}

static const struct insn *h_jmp_far_A(struct cpu *restrict cpu, const struct insn *restrict i) {
  return cpu_jump_mode(cpu, i, far_direct(cpu, i, false));
}
BODY_1(jmp_far_A, h_jmp_far_A)
static const struct insn *h_call_far_A(struct cpu *restrict cpu, const struct insn *restrict i) {
  return cpu_jump_mode(cpu, i, far_direct(cpu, i, true));
}
BODY_1(call_far_A, h_call_far_A)
static const struct insn *h_jmp_far_M(struct cpu *restrict cpu, const struct insn *restrict i) {
  return cpu_jump_mode(cpu, i, far_memory(cpu, i, false));
}
BODY_1(jmp_far_M, h_jmp_far_M)
static const struct insn *h_call_far_M(struct cpu *restrict cpu, const struct insn *restrict i) {
  return cpu_jump_mode(cpu, i, far_memory(cpu, i, true));
}
BODY_1(call_far_M, h_call_far_M)

/* ---- RET ---- */

/* The instruction's operand is added to both stack pointers. */
static void note_params(struct cpu *cpu, unsigned add, bool outer) {
  if (!add) return;
  rec_note(cpu, "stack pointer + {a:x} behind the popped CS: the parameters", add, 0);
  if (outer) rec_note(cpu, "stack pointer of the outer level = popped one + {a:x}: its parameters", add, 0);
}

static u64 retf_protected(struct cpu *cpu, unsigned n, unsigned add) {
  struct desc cs, ss = {.lo = 0};
  unsigned mark = rec_mark(cpu);
  u16 cs_sel = (u16)stack_peek(cpu, WORD_CS, n, 2); /* first, and no more of its slot, as on silicon */
  u64 ip = stack_peek(cpu, WORD_IP, 0, n), sp = 0;
  rec_reversed(cpu, mark);
  ret_check_cs(cpu, cs_sel, &cs);
  bool outer = sel_rpl(cs_sel) > cpu->cpl, code64 = cpu_long(cpu) && seg_is_code64(&cs.s);
  if (outer) {
    sp = stack_peek(cpu, WORD_SP, 2u * n + add, n);
    ret_check_ss(cpu, (u16)stack_peek(cpu, WORD_SS, 3u * n + add, n), &cs, &ss);
  }
  ret_check_ip(cpu, ip, &cs);
  desc_mark_accessed(cpu, &cs);
  if (outer && !(ss.s.attr & SEG_NULL)) desc_mark_accessed(cpu, &ss);

  /* The distance has the old stack's width, the sum the new mode's (measured on Intel Xeon). */
  u64 drop = (2u * n + add) & cpu->spmask;
  if (outer) ret_commit_ss(cpu, &ss, sp, add, code64);
  else if (code64) cpu->gpr[RSP] += drop;
  else stack_drop(cpu, drop);
  note_params(cpu, add, outer);
  ret_commit_cs(cpu, &cs);
  if (outer) ret_clear_data_segments(cpu);
  return code64 ? ip : (u32)ip;
}

static u64 retf_real(struct cpu *cpu, unsigned n, unsigned add) {
  unsigned mark = rec_mark(cpu);
  u16 cs = (u16)stack_peek(cpu, WORD_CS, n, n);
  u64 ip = stack_peek(cpu, WORD_IP, 0, n);
  rec_reversed(cpu, mark);
  require_ab(cpu, CHK_RET_EIP_LIMIT, ip <= cpu->seg[CS].limit, 0, ip, cpu->seg[CS].limit);
  stack_drop(cpu, 2u * n + add);
  note_params(cpu, add, false);
  seg_load_real(cpu, CS, cs);
  return ip;
}

NOINLINE static u64 retf(struct cpu *cpu, const struct insn *i, unsigned add) {
  unsigned n = WIDTH_BYTES(insn_osize(i));
  struct transition t;
  cpu->insn = i;
  transition_begin(cpu, &t, TR_FAR_RET, insn_rip(i));
  u64 ip = cpu_protected(cpu) ? retf_protected(cpu, n, add) : retf_real(cpu, n, add);
  cpu_update_mode(cpu);
  transition_end(cpu, &t, ip);
  return ip;
}

static const struct insn *h_retf(struct cpu *restrict cpu, const struct insn *restrict i) {
  return cpu_jump_mode(cpu, i, retf(cpu, i, 0));
}
BODY_1(retf, h_retf)
static const struct insn *h_retf_I(struct cpu *restrict cpu, const struct insn *restrict i) {
  return cpu_jump_mode(cpu, i, retf(cpu, i, (u16)i->imm));
}
BODY_1(retf_I, h_retf_I)
