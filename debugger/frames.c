/* Backtraces: by call frames within a ring (debugger/symbols.h), and across rings by the ways inward that history.c keeps. */
#include <stdlib.h>
#include <string.h>

#include "debugger/dbg.h"
#include "explain/explain.h"

enum { FRAMES = 8192 };

void frames_forget(struct dbg *d) {
  d->frames_known = 0;
  d->frames_end = false;
}

static unsigned read_memory(void *opaque, u64 addr, void *buf, unsigned n) { return dbg_peek(opaque, addr, buf, n); }

static u64 code_address(const struct frame *f) {
  return f->regs.bits == 64 ? f->regs.rip : (u32)(f->regs.cs_base + f->regs.rip);
}

static struct frame innermost(const struct dbg *d) {
  const struct cpu *cpu = d->cpu;
  struct frame f = {.cs = cpu->seg[CS].sel, .cpl = cpu->cpl, .pc = dbg_pc(d)};
  memcpy(f.regs.gpr, cpu->gpr, sizeof f.regs.gpr);
  f.regs.rip = cpu->rip;
  f.regs.known = 0x1ffff;
  f.regs.bits = (u8)dbg_bits(d);
  if (f.regs.bits != 64) f.regs.cs_base = cpu->seg[CS].base, f.regs.ss_base = cpu->seg[SS].base;
  return f;
}

/* The way by which frame f's ring was entered: of those that are open, the one behind `skip` others. */
static const struct crossing *crossing_of(const struct dbg *d, unsigned skip) {
  return skip < d->crossings ? &d->crossing[d->crossings - 1 - skip] : NULL;
}

static const struct past *past_of(const struct dbg *d, u64 number) {
  for (unsigned n = 0; dbg_past(d, n); n++)
    if (dbg_past(d, n)->number == number) return dbg_past(d, n);
  return NULL;
}

static struct frame from_crossing(const struct dbg *d, const struct crossing *c) {
  struct frame f = {.cs = c->t.from.cs, .cpl = c->t.from.cpl, .in = past_of(d, c->number)};
  memcpy(f.regs.gpr, c->gpr, sizeof f.regs.gpr);
  f.regs.rip = c->t.from.rip;
  f.regs.known = 0x1ffffu & ~(u32)c->unknown;
  f.regs.bits = c->t.from.code_bits;
  f.regs.cs_base = c->t.from.cs_base;
  f.regs.ss_base = c->t.from.ss_base;
  f.pc = code_address(&f);
  f.behind = tr_behind(&c->t);
  return f;
}

/* Nothing was recorded, but the kernel's stub keeps the program's registers. */
static bool from_under(struct dbg *d, struct frame *f) {
  u64 rip;
  if (!d->target.under || !d->target.under(d->target.opaque, f->regs.gpr, &rip, &f->cs)) return false;
  f->regs.rip = f->pc = rip;
  f->regs.known = 0x1ffff;
  f->regs.cs_base = f->regs.ss_base = 0;
  f->regs.bits = (f->cs & ~3u) == 0x20 ? 32 : 64; /* Linux's selectors: __USER32_CS */
  f->cpl = f->cs & 3;
  return true;
}

/* The frame above f. used: the ways inward already gone through. */
static bool above(struct dbg *d, const struct frame *f, unsigned *used, struct frame *out) {
  const struct crossing *c = crossing_of(d, *used);
  *out = *f;
  out->in = NULL;
  bool ours = c && c->t.to.cpl == f->cpl;
  bool entered = ours && f->pc == tr_linear(&c->t.to);
  out->behind = false;
  out->how = entered ? FRAME_NONE : sym_unwind(d->syms, &out->regs, f->call, &out->signal, read_memory, d);
  bool beyond = out->how == FRAME_NONE || (ours && out->regs.gpr[RSP] > c->t.to.rsp);
  if (beyond && ours) {
    *out = from_crossing(d, c);
    ++*used;
    return true;
  }
  if (out->how == FRAME_NONE) return f->cpl == 0 && !d->target.machine && from_under(d, out);
  out->call = !out->signal;
  out->pc = code_address(out);
  u8 byte;
  return d->target.machine || dbg_peek(d, out->pc, &byte, 1) == 1; /* what is no code is beyond the outermost */
}

bool dbg_frame(struct dbg *d, unsigned n, struct frame *f) {
  if (!d->frames && !(d->frames = calloc(FRAMES, sizeof *d->frames))) return false;
  if (!d->frames_known) {
    d->frames[0] = innermost(d);
    d->frames_known = 1;
  }
  while (d->frames_known <= n + 1 && d->frames_known < FRAMES && !d->frames_end) {
    struct frame *last = &d->frames[d->frames_known - 1];
    unsigned used = 0;
    for (unsigned k = 0; k < d->frames_known; k++) used += d->frames[k].in != NULL;
    if (above(d, last, &used, last + 1)) {
      d->frames_known++;
      if (last[1].signal) last->call = false; /* no call made the return address of a handler */
    }
    else d->frames_end = true;
  }
  if (n >= d->frames_known) return false;
  *f = d->frames[n];
  return true;
}

/* SDM 3B 20.1.1 (Address Translation in Real-Address Mode), 20.2 (Virtual-8086 Mode) */
void dbg_slot_selector(const struct past *in, u16 sel, char *buf, size_t n) {
  bool real = in->recorded && !(in->cpu->cr0 & CR0_PE), v86 = in->t.from.rflags & EF_VM;
  if (real || v86) snprintf(buf, n, "%s segment, base %Xh", v86 ? "virtual-8086" : "real-mode", sel << 4);
  else explain_selector(buf, n, sel);
}

unsigned dbg_program_bits(struct dbg *d) {
  struct frame f;
  if (d->target.machine || d->cpu->cpl == 3) return dbg_bits(d);
  for (unsigned n = 1; dbg_frame(d, n, &f); n++)
    if (f.cpl == 3) return f.regs.bits;
  return dbg_bits(d);
}

unsigned dbg_code_bits(struct dbg *d, u64 la) {
  struct frame f;
  if (d->target.machine) return d->selected && dbg_frame(d, d->selected, &f) ? f.regs.bits : dbg_bits(d);
  return la >> 47 ? 64 : dbg_program_bits(d); /* above: the kernel's half */
}

unsigned dbg_selected(const struct dbg *d) { return d->selected; }
void dbg_select(struct dbg *d, unsigned n) { d->selected = n; }
bool dbg_frames_cut(const struct dbg *d) { return d->frames_known == FRAMES && !d->frames_end; }
