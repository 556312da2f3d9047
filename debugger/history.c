/* What was recorded: the last transitions and faults, each with the processor's registers; and the ways inward that are
 * still open. */
#include <stdlib.h>
#include <string.h>

#include "cpu/event.h"
#include "debugger/dbg.h"
#include "explain/explain.h"

static bool copy_cpu(struct past *p, const struct cpu *cpu) {
  if (!p->cpu) p->cpu = malloc(dbg_cpu_bytes());
  if (p->cpu) memcpy(p->cpu, cpu, dbg_cpu_bytes());
  return p->cpu;
}

/* ---- the ways inward ---- */

static bool goes_in(const struct transition *t) {
  switch (t->kind) {
    case TR_INT: case TR_EXCEPTION: case TR_INTERRUPT: case TR_SYSCALL: case TR_SYSENTER: return true;
    case TR_FAR_CALL: return t->to.cpl < t->from.cpl;
    case TR_TASK: return t->cause != TR_IRET && t->cause != TR_FAR_JMP;
    default: return false;
  }
}

static void push_crossing(struct dbg *d, const struct cpu *cpu, const struct transition *t) {
  if (d->crossings == CROSSINGS) { /* the outermost is forgotten */
    memmove(&d->crossing[0], &d->crossing[1], (CROSSINGS - 1) * sizeof d->crossing[0]);
    d->crossings--;
  }
  struct crossing *c = &d->crossing[d->crossings++];
  *c = (struct crossing){.number = d->past_count, .t = *t};
  memcpy(c->gpr, cpu->gpr, sizeof c->gpr);
  c->gpr[RSP] = t->from.rsp;
  if (t->kind == TR_SYSCALL) c->unknown = 1u << RCX | 1u << R11;
  if (t->kind == TR_TASK) c->unknown = (u16)~(1u << RSP);
}

/* Out of every ring further in; and of a delivery that changed no ring, when its stack is back. */
static void pop_crossings(struct dbg *d, const struct transition *t) {
  if (t->kind == TR_TASK) {
    if (t->cause == TR_IRET && d->crossings) d->crossings--;
    else if (t->cause == TR_FAR_JMP) d->crossings = 0;
    return;
  }
  bool outward = t->to.cpl > t->from.cpl;
  while (d->crossings) {
    const struct transition *in = &d->crossing[d->crossings - 1].t;
    bool same_level = !outward && t->kind == TR_IRET && in->to.cpl == t->to.cpl && in->from.cpl == t->to.cpl &&
                      in->from.rsp <= t->to.rsp;
    if (!(outward && in->to.cpl < t->to.cpl) && !same_level) return;
    d->crossings--;
    if (same_level) return;
  }
}

void history_transition(struct dbg *d, struct cpu *cpu, const struct transition *t) {
  struct past *p = &d->past[d->past_count++ % HISTORY];
  if (!copy_cpu(p, cpu)) return;
  p->number = d->past_count;
  p->icount = cpu_icount(cpu);
  p->t = *t;
  rec_copy(&p->r, cpu->recorder ? cpu->recorder : &d->recorder);
  if (goes_in(t)) push_crossing(d, cpu, t);
  else pop_crossings(d, t);
}

void history_fault(struct dbg *d, struct cpu *cpu, const struct recorder *r) {
  struct past *p = &d->fault[d->fault_count++ % FAULTS];
  if (!copy_cpu(p, cpu)) return;
  p->number = d->fault_count;
  p->icount = cpu_icount(cpu);
  rec_copy(&p->r, r);
  p->r.chain = 0; /* those before it are in the ring themselves */
}

void history_clear(struct dbg *d) {
  for (unsigned k = 0; k < HISTORY; k++) {
    free(d->past[k].cpu);
    d->past[k].cpu = NULL;
  }
  for (unsigned k = 0; k < FAULTS; k++) {
    free(d->fault[k].cpu);
    d->fault[k].cpu = NULL;
  }
  d->past_count = d->fault_count = 0;
  d->crossings = 0;
}

const struct past *dbg_past(const struct dbg *d, unsigned n) {
  if (n >= d->past_count || n >= HISTORY) return NULL;
  const struct past *p = &d->past[(d->past_count - 1 - n) % HISTORY];
  return p->cpu ? p : NULL;
}

u64 dbg_past_count(const struct dbg *d) { return d->past_count; }

/* ---- why ---- */

static const struct past *past_fault(const struct dbg *d, unsigned n) {
  if (n >= d->fault_count || n >= FAULTS) return NULL;
  const struct past *p = &d->fault[(d->fault_count - 1 - n) % FAULTS];
  return p->cpu ? p : NULL;
}

/* Faults while faults are delivered: of one instruction, and each but the first met in the midst of an event. */
unsigned dbg_why_count(const struct dbg *d) {
  const struct past *p = past_fault(d, 0), *last = p;
  unsigned n = 0;
  for (; p && p->icount == last->icount; p = past_fault(d, n)) {
    n++;
    if (p->cpu->event_class == EVENT_NONE) break;
  }
  return n;
}

static const char *why(const struct dbg *d, unsigned back, unsigned which,
                       void (*tell)(FILE *, const struct cpu *, const struct recorder *)) {
  struct dbg *m = (struct dbg *)(uintptr_t)d;
  const struct past *p = past_fault(d, back);
  size_t n;
  free(m->text[which]);
  m->text[which] = NULL;
  if (!p) return "";
  FILE *f = open_memstream(&m->text[which], &n);
  if (!f) return "";
  tell(f, p->cpu, &p->r);
  return fclose(f) || !m->text[which] ? "" : m->text[which];
}

const char *dbg_why_text(const struct dbg *d, unsigned n) { return why(d, n, 0, explain_why); }
const char *dbg_why_json(const struct dbg *d, unsigned n) { return why(d, n, 1, explain_why_json); }
