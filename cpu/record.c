/* The transition record: keeping the steps of one instruction together, and of the fault that ended it. */
#include "cpu/record.h"

#include "cpu/check.h"
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

void rec_end(struct cpu *cpu) {
  empty(&cpu->recorder->now, ~UINT64_C(0));
  cpu->recorder->faulted = false;
}

void rec_fault(struct cpu *cpu, const struct fault *f) {
  struct recorder *r = cpu->recorder;
  struct rec_log *log = &r->now;
  r->cause.n = log->icount == instruction_now(cpu) ? log->n : 0;
  r->cause.lost = log->lost;
  r->cause.icount = log->icount;
  memcpy(r->cause.step, log->step, r->cause.n * sizeof log->step[0]);
  r->fault = *f;
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
