/* The transition record: keeping the steps of one instruction together, and of the fault that ended it. */
#include "cpu/record.h"

#include "cpu/check.h"
#include "cpu/event.h"
#include "cpu/insn.h"

/* Which instruction is in progress: how many retired before it. */
static u64 instruction_now(const struct cpu *cpu) {
  return cpu_icount(cpu) - (cpu->insn ? cpu->insn->left : 0u);
}

static void empty(struct rec_log *log, u64 icount) {
  log->n = log->lost = 0;
  log->icount = icount;
}

void rec_add(struct cpu *cpu, struct rec_step step) {
  struct rec_log *log = &cpu->recorder->now;
  u64 icount = instruction_now(cpu);
  if (cpu->insn && icount != log->icount) empty(log, icount);
  if (log->n < REC_STEPS) log->step[log->n++] = step;
  else log->lost++;
}

void rec_begin(struct cpu *cpu) {
  struct rec_log *log = &cpu->recorder->now;
  u64 icount = instruction_now(cpu);
  if (!cpu->insn || icount != log->icount) empty(log, icount);
}

void rec_fetch(struct cpu *cpu, bool over) {
  empty(&cpu->recorder->now, over ? ~UINT64_C(0) : instruction_now(cpu));
}

void rec_end(struct cpu *cpu) {
  empty(&cpu->recorder->now, ~UINT64_C(0));
  cpu->recorder->faulted = false;
}

void rec_pops_reversed(struct cpu *cpu, unsigned from) {
  struct rec_log *log = &cpu->recorder->now;
  for (unsigned lo = from, hi = log->n; lo < hi; lo++) {
    if (log->step[lo].kind != REC_POP) continue;
    while (--hi > lo && log->step[hi].kind != REC_POP) continue;
    struct rec_step swapped = log->step[lo];
    log->step[lo] = log->step[hi];
    log->step[hi] = swapped;
  }
}

static void copy_log(struct rec_log *to, const struct rec_log *from) {
  to->n = from->n;
  to->lost = from->lost;
  to->icount = from->icount;
  memcpy(to->step, from->step, from->n * sizeof from->step[0]);
}

void rec_copy(struct recorder *to, const struct recorder *from) {
  to->invert = -1;
  to->seen = NULL;
  copy_log(&to->now, &from->now);
  copy_log(&to->cause, &from->cause);
  to->fault = from->fault;
  to->walk = from->walk;
  to->refused.known = false;
  to->fault_rip = from->fault_rip;
  to->fault_cs = from->fault_cs;
  to->faulted = from->faulted;
  to->during = from->during;
  to->dr6 = from->dr6;
  to->chain = from->chain;
  for (unsigned k = 0; k < from->chain; k++) {
    struct rec_raised *a = &to->earlier[k];
    const struct rec_raised *b = &from->earlier[k];
    copy_log(&a->cause, &b->cause);
    a->fault = b->fault;
    a->walk = b->walk;
    a->rip = b->rip;
    a->dr6 = b->dr6;
    a->cs = b->cs;
    a->during = b->during;
  }
}

/* The fault before this one, when this one is of its delivery. */
static void keep_earlier(struct cpu *cpu) {
  struct recorder *r = cpu->recorder;
  if (!r->faulted || cpu->event_class == EVENT_NONE) {
    r->chain = 0;
    return;
  }
  if (r->chain == REC_CHAIN) memmove(&r->earlier[0], &r->earlier[1], --r->chain * sizeof r->earlier[0]);
  struct rec_raised *e = &r->earlier[r->chain++];
  copy_log(&e->cause, &r->cause);
  e->fault = r->fault;
  e->walk = r->walk;
  e->rip = r->fault_rip;
  e->cs = r->fault_cs;
  e->dr6 = r->dr6;
  e->during = r->during;
}

void rec_fault(struct cpu *cpu, const struct fault *f) {
  struct recorder *r = cpu->recorder;
  struct rec_log *log = &r->now;
  keep_earlier(cpu);
  copy_log(&r->cause, log);
  if (log->icount != instruction_now(cpu)) r->cause.n = 0;
  r->during = cpu->event_class;
  r->dr6 = cpu->dr6_pending;
  r->fault = *f;
  r->walk = r->refused;
  r->walk.known &= f->vector == VEC_PF;
  r->refused.known = false;
  r->fault_rip = cpu->rip;
  r->fault_cs = cpu->seg[CS].sel;
  r->faulted = true;
  empty(log, ~UINT64_C(0));
}

bool check_watched(struct cpu *cpu, enum check_id id, bool ok, u64 a, u64 b) {
  struct recorder *r = cpu->recorder;
  if ((int)id == r->invert) ok = !ok;
  if (r->seen) {
    if (ok) r->seen[id].passed++;
    else r->seen[id].failed++;
  }
  rec_add(cpu, (struct rec_step){.kind = REC_CHECK, .id = (u16)id, .ok = ok, .a = a, .b = b});
  return ok;
}
