/* What happened: the last transitions, each recorded with the processor's registers or only noted by it; the last fault; and
 * the ways inward that are still open. */
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
  if (cpu) memcpy(c->gpr, cpu->gpr, sizeof c->gpr);
  c->gpr[RSP] = t->from.rsp;
  if (t->kind == TR_SYSCALL) c->unknown = 1u << RCX | 1u << R11;
  if (t->kind == TR_TASK || !cpu) c->unknown = (u16)~(1u << RSP);
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

/* cpu: its registers behind it; NULL: they are not known. */
static struct past *add(struct dbg *d, const struct cpu *cpu, const struct transition *t, u64 icount) {
  struct past *p = &d->past[d->past_count++ % HISTORY];
  p->number = d->past_count;
  p->icount = icount;
  p->t = *t;
  p->recorded = p->derived = false;
  if (goes_in(t)) push_crossing(d, cpu, t);
  else pop_crossings(d, t);
  return p;
}

void history_transition(struct dbg *d, struct cpu *cpu, const struct transition *t) {
  struct past *p = add(d, cpu, t, cpu_icount(cpu));
  if (!cpu->recorder || !copy_cpu(p, cpu)) return;
  rec_copy(&p->r, cpu->recorder);
  p->recorded = true;
}

void history_derived(struct dbg *d, struct past *p, const struct transition *t, const struct recorder *r) {
  if (!copy_cpu(p, d->cpu)) return;
  p->t = *t;
  rec_copy(&p->r, r);
  p->recorded = p->derived = true;
}

void history_fault(struct dbg *d, struct cpu *cpu, const struct recorder *r) {
  struct past *p = &d->fault;
  if (!copy_cpu(p, cpu)) return;
  p->number = 1;
  p->icount = cpu_icount(cpu);
  rec_copy(&p->r, r);
}

/* ---- what was only noted ---- */

/* A fault that was delivered; not the one that stopped us before, of which more is known. */
static void noted_fault(struct dbg *d, u64 n) {
  struct past *p = &d->fault;
  const struct trail_event *e = &d->trail->event[n % TRAIL];
  const struct transition t = trail_transition(d->trail, n);
  if (p->number && p->icount == e->icount && p->r.fault.vector == t.vector && p->r.fault_rip == t.from.rip) return;
  if (!copy_cpu(p, d->cpu)) return;
  p->number = 1;
  p->icount = e->icount;
  p->r = (struct recorder){.invert = -1, .faulted = true, .fault_rip = t.from.rip, .fault_cs = t.from.cs,
                           .fault = {.vector = t.vector, .has_error = t.has_error, .error = t.error, .cr2 = e->cr2}};
}

void history_import(struct dbg *d) {
  struct trail *l = d->trail;
  bool fault = false;
  u64 last = 0;
  const u64 kept = TRAIL - 1; /* one may be begun */
  if (l->n - d->trail_seen > kept) {
    d->past_count += l->n - d->trail_seen - kept;
    d->trail_seen = l->n - kept;
    d->crossings = 0;
  }
  while (d->trail_seen < l->n) {
    u64 n = d->trail_seen++;
    const struct trail_event *e = &l->event[n % TRAIL];
    struct transition t = trail_transition(l, n);
    /* Linux's kernel has one code segment, that of SYSCALL. */
    if (!t.from.cpl) t.from.cs = (u16)bits(d->cpu->msr[MSR_STAR], 47, 32);
    if (!t.to.cpl) t.to.cs = (u16)bits(d->cpu->msr[MSR_STAR], 47, 32);
    add(d, NULL, &t, t.kind <= TR_INTERRUPT ? e->icount : 0)->cr2 = e->cr2;
    if (t.kind != TR_EXCEPTION) continue;
    fault = true;
    last = n;
  }
  if (fault) noted_fault(d, last);
  /* The kernel's stub keeps the program's registers. */
  struct crossing *c = d->crossings ? &d->crossing[d->crossings - 1] : NULL;
  u64 gpr[16], rip;
  u16 cs;
  if (!c || c->unknown != (u16)~(1u << RSP) || !d->target.under || !d->target.under(d->target.opaque, gpr, &rip, &cs) ||
      gpr[RSP] != c->t.from.rsp || (rip != c->t.from.rip && rip + 2 != c->t.from.rip)) /* a call that shall be made again */
    return;
  memcpy(c->gpr, gpr, sizeof c->gpr);
  c->unknown = c->t.kind == TR_SYSCALL ? 1u << RCX | 1u << R11 : 0;
}

void history_clear(struct dbg *d) {
  for (unsigned k = 0; k < HISTORY; k++) {
    free(d->past[k].cpu);
    d->past[k] = (struct past){0};
  }
  free(d->fault.cpu);
  d->fault.cpu = NULL;
  d->fault.number = 0;
  d->past_count = 0;
  d->crossings = 0;
  d->trail_seen = d->trail->n;
}

const struct past *dbg_past(const struct dbg *d, unsigned n) {
  if (n >= d->past_count || n >= HISTORY) return NULL;
  const struct past *p = &d->past[(d->past_count - 1 - n) % HISTORY];
  return p->number == d->past_count - n ? p : NULL;
}

u64 dbg_past_count(const struct dbg *d) { return d->past_count; }

/* ---- why ---- */

static const char *why(const struct dbg *d, unsigned which, void (*tell)(FILE *, const struct cpu *, const struct recorder *)) {
  struct dbg *m = (struct dbg *)(uintptr_t)d;
  size_t n;
  free(m->text[which]);
  m->text[which] = NULL;
  if (!d->fault.number) return "";
  FILE *f = open_memstream(&m->text[which], &n);
  if (!f) return "";
  tell(f, d->fault.cpu, &d->fault.r);
  return fclose(f) || !m->text[which] ? "" : m->text[which];
}

const char *dbg_why_text(const struct dbg *d) { return why(d, 0, explain_why); }
const char *dbg_why_json(const struct dbg *d) { return why(d, 1, explain_why_json); }
