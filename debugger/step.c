/* Stepping: by instructions, over calls and ring changes, by source lines, out of frames. */
#include <string.h>

#include "debugger/dbg.h"

static void want(struct dbg *d, u64 addr, u64 rsp) {
  if (d->wants == WANTS) return;
  d->want[d->wants++] = (struct want){addr, rsp};
  d->points_dirty = true;
}

static void want_nothing(struct dbg *d) {
  d->points_dirty |= d->wants != 0;
  d->wants = 0;
  d->want_ring = false;
  d->want_cpl = -1;
}

void dbg_continue(struct dbg *d) {
  if (!dbg_begin(d)) return;
  while (!dbg_run(d, 0)) {}
  dbg_done(d, STOP_STEPPED);
}

void dbg_stepi(struct dbg *d, u64 n) {
  if (!dbg_begin(d)) return;
  for (u64 k = 0; k < n && !dbg_run(d, 1); k++) {}
  dbg_done(d, STOP_STEPPED);
}

void dbg_ring(struct dbg *d) {
  if (!dbg_begin(d)) return;
  d->want_ring = true;
  while (!dbg_run(d, 0) && !d->wanted) {}
  want_nothing(d);
  dbg_done(d, STOP_STEPPED);
}

void dbg_out_to(struct dbg *d, u8 cpl) {
  if (!dbg_begin(d)) return;
  d->want_cpl = cpl;
  while (!dbg_run(d, 0) && !d->wanted) {}
  want_nothing(d);
  dbg_done(d, STOP_STEPPED);
}

/* Runs until a want is met. True: stopped for something else. */
static bool run_to_want(struct dbg *d) {
  bool stopped = false;
  while (!(stopped = dbg_run(d, 0)) && !d->wanted) {}
  want_nothing(d);
  return stopped;
}

/* What the instruction before left: it went inward by a fault or a call of the kernel, or into a handler. Runs until
 * control is back where it was, at this CPL, with the stack not deeper. True: stopped for something else. */
static bool come_back(struct dbg *d, u64 pc, u64 next, u64 rsp, u8 cpl) {
  if (d->cpu->cpl < cpl) {
    d->want_cpl = cpl;
    if (run_to_want(d)) return true;
    u64 now = dbg_pc(d);
    if (now == pc || now == next || d->cpu->gpr[RSP] >= rsp) return false;
  }
  want(d, pc, rsp);
  want(d, next, rsp);
  return run_to_want(d);
}

/* An interrupt, or an exception, that came within the ring; NULL: none did. before: d->past_count then. */
static const struct transition *interruption(const struct dbg *d, u64 before) {
  const struct past *p = d->past_count != before ? dbg_past(d, 0) : NULL;
  if (!p || p->t.from.cpl != p->t.to.cpl) return NULL;
  enum transition_kind cause = p->t.kind == TR_TASK ? p->t.cause : p->t.kind;
  return cause == TR_INTERRUPT || cause == TR_EXCEPTION ? &p->t : NULL;
}

/* Through its handler, back to what it interrupted: the instruction at pc, whose RIP is rip, or what follows. True: stopped
 * for something else. */
static bool pass_handler(struct dbg *d, const struct transition *t, u64 pc, u64 rip, u64 rsp) {
  bool first = t->from.rip == rip;
  u64 back = first ? pc : tr_linear(&t->from), skipped = pc + 1; /* a handler may mend a fault by going on behind it */
  unsigned len;
  if (first && t->kind == TR_EXCEPTION && disasm_class(d->disasm, d->cpu, pc, rip, t->from.code_bits, &len) != INSN_RET)
    skipped = pc + len;
  want(d, back, first ? rsp : t->from.rsp);
  if (skipped != pc + 1) want(d, skipped, rsp);
  return run_to_want(d);
}

/* One `nexti`. True: stopped for something else. */
static bool next_one(struct dbg *d) {
  enum { TRIES = 1 << 20 };
  unsigned len, bits = dbg_bits(d);
  u64 pc = dbg_pc(d), rip = d->cpu->rip, rsp = d->cpu->gpr[RSP];
  u8 cpl = d->cpu->cpl;
  enum insn_class class_ = disasm_class(d->disasm, d->cpu, pc, rip, bits, &len);
  u64 next = pc + len;
  for (unsigned n = 0; n < TRIES; n++) {
    u64 deliveries = d->past_count;
    if (dbg_run(d, 1)) return true;
    const struct transition *came = interruption(d, deliveries);
    if (came && pass_handler(d, came, pc, rip, rsp)) return true;
    u64 now = dbg_pc(d);
    if (came && (now != pc || d->cpu->gpr[RSP] != rsp)) return false;
    if (came) continue;
    if (class_ == INSN_REP && now == pc) continue;
    bool called = (class_ == INSN_CALL || class_ == INSN_TRAP) && now != next && d->cpu->gpr[RSP] < rsp;
    if (d->cpu->cpl < cpl || (called && d->cpu->cpl == cpl) ||
        (d->past_count != deliveries && class_ != INSN_RET && d->cpu->cpl == cpl && now != next && now != pc)) {
      if (d->cpu->cpl == cpl && !called && class_ != INSN_TRAP) return false; /* a far transfer on purpose */
      if (come_back(d, pc, next, rsp, cpl)) return true;
      now = dbg_pc(d);
    }
    if (now != pc || class_ == INSN_OTHER || class_ == INSN_CALL || class_ == INSN_RET) {
      if (now == pc && d->cpu->gpr[RSP] == rsp && d->past_count != deliveries) continue; /* a fault was mended: again */
      return false;
    }
  }
  return false;
}

void dbg_nexti(struct dbg *d, u64 n) {
  if (!dbg_begin(d)) return;
  for (u64 k = 0; k < n && !next_one(d); k++) {}
  dbg_done(d, STOP_STEPPED);
}

/* ---- lines ---- */

/* Out of the function just entered, to behind its call. */
static bool return_from(struct dbg *d, u64 back, u64 rsp) {
  want(d, back, rsp);
  return run_to_want(d);
}

static bool same_line(const struct sym_line *a, const struct sym_line *b) {
  return a->line == b->line && !strcmp(a->file, b->file);
}

/* One source line. True: stopped for something else. */
static bool line_one(struct dbg *d, bool into) {
  enum { TRIES = 1 << 22 };
  struct sym_line from, now;
  struct sym function;
  u64 start_rsp = d->cpu->gpr[RSP];
  u8 cpl = d->cpu->cpl;
  bool lines = sym_line_at(d->syms, dbg_pc(d), &from), in_function = sym_at(d->syms, dbg_pc(d), &function);
  char file[512] = "";
  if (lines) { /* the table's strings may move */
    snprintf(file, sizeof file, "%s", from.file);
    from.file = file;
  }
  for (unsigned n = 0; n < TRIES; n++) {
    u64 pc = dbg_pc(d), rsp = d->cpu->gpr[RSP];
    unsigned len;
    enum insn_class class_ = disasm_class(d->disasm, d->cpu, pc, d->cpu->rip, dbg_bits(d), &len);
    if (class_ == INSN_CALL && into && cpl == d->cpu->cpl) {
      u64 deliveries = d->past_count, rip = d->cpu->rip;
      if (dbg_run(d, 1)) return true;
      const struct transition *came = interruption(d, deliveries);
      if (came && pass_handler(d, came, pc, rip, rsp)) return true;
      if (came) continue;
      struct sym callee;
      u64 at = dbg_pc(d);
      if (at != pc + len && sym_line_at(d->syms, at, &now) && sym_at(d->syms, at, &callee)) {
        u64 body = sym_after_prologue(d->syms, &callee);
        if (body == at || d->cpu->cpl != cpl) return false;
        want(d, body, 0);
        return run_to_want(d);
      }
      if (at != pc + len && at != pc && d->cpu->cpl == cpl && return_from(d, pc + len, rsp)) return true;
      if (d->cpu->cpl < cpl && come_back(d, pc, pc + len, rsp, cpl)) return true;
    } else if (next_one(d)) {
      return true;
    }
    if (d->interrupted) return false;
    pc = dbg_pc(d);
    bool known = sym_line_at(d->syms, pc, &now);
    if (!lines) { /* out of the function */
      struct sym here;
      if (!in_function || !sym_at(d->syms, pc, &here) || here.addr != function.addr) return false;
      continue;
    }
    if (known && (!same_line(&from, &now) ? now.addr == pc || d->cpu->gpr[RSP] > start_rsp : false)) return false;
    if (!known && d->cpu->gpr[RSP] > start_rsp) return false; /* returned to where there are no lines */
  }
  return false;
}

void dbg_step_line(struct dbg *d, u64 n, bool into) {
  if (!dbg_begin(d)) return;
  for (u64 k = 0; k < n && !line_one(d, into); k++) {}
  dbg_done(d, STOP_STEPPED);
}

/* ---- frames ---- */

int dbg_finish(struct dbg *d, unsigned frame) {
  struct frame f, out;
  if (!dbg_frame(d, frame, &f) || !dbg_frame(d, frame + 1, &out)) return -1;
  u64 pc = out.pc, rsp = out.regs.gpr[RSP];
  bool ring = out.in && out.cpl > f.cpl;
  u8 cpl = out.cpl;
  if (!dbg_begin(d)) return 0;
  if (ring) d->want_cpl = cpl;
  else want(d, pc, rsp);
  (void)run_to_want(d);
  dbg_done(d, STOP_STEPPED);
  return 0;
}

void dbg_until(struct dbg *d, u64 addr, bool frame) {
  struct frame out;
  bool has_out = frame && dbg_frame(d, d->selected + 1, &out) && out.call;
  if (!dbg_begin(d)) return;
  want(d, addr, 0);
  if (has_out) want(d, out.pc, out.regs.gpr[RSP]);
  (void)run_to_want(d);
  dbg_done(d, STOP_STEPPED);
}
