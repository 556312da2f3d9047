/* The steps of transitions of a program that ran at full speed, where the processor only noted that there were some: the state
 * before is put together from the note and from what nothing changes (descriptor tables, MSRs, the kernel's way out), and the
 * transition is done again as a dry run (cpu/whatif.h). Believed if it ends where the first did. */
#include <stdlib.h>
#include <string.h>

#include "cpu/mem.h"
#include "cpu/seg.h"
#include "cpu/whatif.h"
#include "debugger/dbg.h"

static bool has_bytes(struct dbg *d, u64 la, const char *bytes, unsigned n) {
  u8 buf[4];
  return n <= sizeof buf && dbg_peek(d, la, buf, n) == n && !memcmp(buf, bytes, n);
}

/* The instruction, where the note has what is behind it. False: it is no longer there. */
static bool instruction_of(struct dbg *d, const struct transition *t, u64 *rip) {
  *rip = t->from.rip;
  switch (t->kind) {
    case TR_IRET: case TR_SYSRET: case TR_SYSEXIT: return true;
    case TR_EXCEPTION: return t->vector != VEC_DB; /* a trap, mostly */
    case TR_SYSCALL: *rip -= 2; return has_bytes(d, *rip, "\x0f\x05", 2);
    case TR_SYSENTER: *rip -= 2; return has_bytes(d, *rip, "\x0f\x34", 2);
    case TR_INT:
      *rip -= 2;
      if (has_bytes(d, *rip, (const char[]){(char)0xcd, (char)t->vector}, 2)) return true;
      ++*rip;
      return (t->vector == VEC_BP && has_bytes(d, *rip, "\xcc", 1)) || (t->vector == VEC_OF && has_bytes(d, *rip, "\xce", 1));
    default: return false;
  }
}

/* What IRET pops: the words of `to`, at the top of ring 0's stack, where the TSS says it is. SDM 3A Figure 8-11 (64-Bit TSS
 * Format); 6.14.2 (64-Bit Mode Stack Frame). False: there is no such stack. */
enum { FRAME_WORDS = 5 };
static bool put_frame(struct cpu *cpu, const struct tr_point *to, u64 saved[FRAME_WORDS]) {
  const u64 words[FRAME_WORDS] = {to->rip, to->cs, to->rflags, to->rsp, to->ss};
  u64 top;
  if (mem_peek(cpu, cpu->tr.base + 4, &top, sizeof top) != sizeof top) return false;
  u64 at = top - sizeof words;
  if (mem_peek(cpu, at, saved, sizeof words) != sizeof words || mem_poke(cpu, at, words, sizeof words) != sizeof words) return false;
  cpu->gpr[RSP] = at;
  return true;
}

/* The processor as it was before: segments of programs and of the kernel are flat. */
static void go_back(struct cpu *cpu, const struct transition *t, u64 rip) {
  const struct tr_point *p = &t->from;
  cpu->rip = rip;
  cpu->cpl = p->cpl;
  cpu->seg[CS] = seg_flat_code(p->cs, p->cpl, p->code_bits == 64);
  if (p->cpl) {
    cpu->gpr[RSP] = p->rsp;
    cpu_set_eflags(cpu, p->rflags);
    cpu->seg[SS] = seg_flat_data(p->ss, p->cpl);
  } else {
    cpu->gpr[RSP] = t->to.rsp;
    cpu_set_eflags(cpu, 0);
    cpu->seg[SS] = seg_flat_data(0, 0);
    cpu->seg[SS].attr |= SEG_NULL;
  }
  if (t->kind == TR_SYSRET) {
    cpu->seg[SS] = seg_flat_data((u16)(p->cs + 8), 0);
    cpu->gpr[RCX] = t->to.rip;
    cpu->gpr[R11] = t->to.rflags;
  }
  cpu_update_mode(cpu);
}

/* As far as both are known. */
static bool same(const struct tr_point *a, const struct tr_point *b) {
  if (a->rip != b->rip || a->cpl != b->cpl || a->code_bits != b->code_bits) return false;
  return !b->cpl || (a->cs == b->cs && a->ss == b->ss && a->rsp == b->rsp && !((a->rflags ^ b->rflags) & ~(u32)EF_RF));
}

static void derive(struct dbg *d, struct past *p, void *saved, struct whatif *w) {
  struct cpu *cpu = d->cpu;
  const struct transition *t = &p->t;
  const struct fault f = {.vector = t->vector, .has_error = t->has_error, .error = t->error, .cr2 = p->cr2};
  u64 rip, frame[FRAME_WORDS];
  bool iret = t->kind == TR_IRET;
  if (t->from.code_bits == 16 || (t->from.cs & 4) || !instruction_of(d, t, &rip)) return;
  memcpy(saved, cpu, dbg_cpu_bytes());
  go_back(cpu, t, rip);
  if (!iret || put_frame(cpu, &t->to, frame)) {
    u64 rsp = cpu->gpr[RSP];
    int bad = t->kind == TR_EXCEPTION ? cpu_whatif_fault(cpu, &f, w) : cpu_whatif(cpu, NULL, 0, w);
    if (iret) (void)mem_poke(cpu, rsp, frame, sizeof frame);
    if (!bad && w->outcome == WHATIF_DONE && w->changed_ring && w->transition.kind == t->kind && same(&w->transition.to, &t->to))
      history_derived(d, p, &w->transition, &w->recorder);
  }
  memcpy(cpu, saved, dbg_cpu_bytes());
  cpu_update_mode(cpu);
  cpu_tlb_flush(cpu);
}

const struct past *dbg_past_steps(struct dbg *d, unsigned n) {
  const struct past *p = dbg_past(d, n);
  if (!p || p->recorded || d->target.machine) return p;
  struct whatif *w = malloc(sizeof *w);
  void *saved = malloc(dbg_cpu_bytes());
  if (w && saved) derive(d, &d->past[(p->number - 1) % HISTORY], saved, w);
  free(w);
  free(saved);
  return p;
}
