/* The transition record as text. */
#include <inttypes.h>

#include "cpu/check.h"
#include "cpu/event.h"
#include "cpu/seg.h"
#include "explain/explain.h"

enum { LINE = 600 };

/* Checks that every access passes say nothing: of paging not even that a walk was made, since the TLB decides when they
 * are judged. */
static bool routine(const struct rec_step *s) {
  if (s->kind != REC_CHECK || !s->ok) return false;
  return (s->id >= CHK_SEG_NULL && s->id <= CHK_FETCH_CANONICAL) || (s->id >= CHK_PAGE_PRESENT && s->id <= CHK_PAGE_KEY);
}

static void steps(FILE *out, const struct cpu *cpu, const struct rec_log *log) {
  char line[LINE];
  for (unsigned k = 0; k < log->n; k++) {
    if (routine(&log->step[k])) continue;
    explain_step(line, sizeof line, cpu, &log->step[k]);
    fprintf(out, "    %s\n", line);
  }
  if (log->lost) fprintf(out, "    (%u more steps)\n", log->lost);
}

static void side(FILE *out, const char *name, const struct tr_point *p, const struct explain_names *names) {
  char flags[160], place[128] = "";
  if (names) names->name(names->opaque, p->rip, place, sizeof place);
  explain_flags(flags, sizeof flags, p->rflags);
  fprintf(out, "  %s  ring %u, %u-bit  %04X:%0*" PRIX64 "  %04X:%0*" PRIX64 "  %s%s%s\n", name, p->cpl, p->code_bits, p->cs,
          p->code_bits == 64 ? 16 : 8, p->rip, p->ss, p->code_bits == 64 ? 16 : 8, p->rsp, flags, *place ? "  " : "", place);
}

/* ---- page faults: the entries that the walk read ---- */

static void page_entries(FILE *out, const struct cpu *cpu, u64 la) {
  static const char *const names[] = {"PTE", "PDE", "PDPTE", "PML4E", "PML5E"};
  struct page_walk w;
  if (!cpu->mmu.levels) return;
  mmu_walk(&cpu->vm->mem, &cpu->mmu, la, &w);
  unsigned top = cpu->mmu.levels == 3 ? 2 : cpu->mmu.levels; /* PDPTE registers are not read in a walk */
  for (unsigned k = 0; k < w.entries; k++) {
    u64 e = w.entry[k].value;
    unsigned level = top - 1 - k;
    fprintf(out, "    %-5s %0*" PRIX64 "h: P=%u R/W=%u U/S=%u%s%s%s%s\n", level < ARRAY_SIZE(names) ? names[level] : "?",
            w.entry_size * 2, e, (unsigned)(e & 1), (unsigned)(e >> 1 & 1), (unsigned)(e >> 2 & 1),
            e & PTE_A ? " A" : "", e & PTE_D && k + 1 == w.entries ? " D" : "",
            w.entry_size == 8 && e >> 63 ? " XD" : "", k + 1 == w.entries && w.end == WALK_RESERVED ? " reserved bit" : "");
  }
  if (w.end == WALK_PAGE)
    fprintf(out, "    page %" PRIX64 "h, %u KiB: user %s, writable %s, executable %s\n", w.gpa, 1u << (w.shift - 10),
            w.user ? "yes" : "no", w.writable ? "yes" : "no", w.nx ? "no" : "yes");
  else fprintf(out, "    the walk ends there: %s\n", w.end == WALK_ABSENT ? "not present" : "a reserved bit is set");
}

/* ---- why ---- */

/* The last check of the instruction that said no, which is the one that raised its fault. */
static const struct rec_step *failed_check(const struct rec_log *log) {
  for (unsigned k = log->n; k-- > 0;)
    if (log->step[k].kind == REC_CHECK && !log->step[k].ok && *check_rows[log->step[k].id].fault) return &log->step[k];
  return NULL;
}

/* What it judged: the last thing read before it. */
static const struct rec_step *judged(const struct rec_log *log, const struct rec_step *check) {
  for (const struct rec_step *s = check; s-- > log->step;)
    if (s->kind != REC_CHECK && s->kind != REC_SUM) return s;
  return NULL;
}

void explain_why(FILE *out, const struct cpu *cpu, const struct recorder *r) {
  char text[LINE];
  const struct fault *f = &r->fault;
  const struct rec_step *check = failed_check(&r->cause);
  if (!r->faulted) return;
  explain_fault_name(text, sizeof text, f->vector, f->has_error, f->error);
  fprintf(out, "  why   %s at %04X:%" PRIX64, text, r->fault_cs, r->fault_rip);
  if (f->vector < EXCEPTION_VECTORS && vector_rows[f->vector].name) fprintf(out, ", %s", vector_rows[f->vector].name);
  fputc('\n', out);
  if (f->has_error && (cpu->mode & MODE_PE)) { /* real mode has none */
    explain_error(text, sizeof text, f->vector, f->error);
    fprintf(out, "    error code %04Xh: %s\n", f->error, text);
  }
  if (f->vector == VEC_PF) {
    fprintf(out, "    CR2 = %" PRIX64 "h\n", f->cr2);
    page_entries(out, cpu, f->cr2);
  }
  steps(out, cpu, &r->cause);
  if (!check) return;
  const struct rec_step *read = judged(&r->cause, check);
  explain_operands(text, sizeof text, cpu, check);
  fprintf(out, "    needed: %s", check_rows[check->id].rule);
  if (*text) fprintf(out, "; found: %s", text);
  if (read && read->at) fprintf(out, "; from %u bytes at %" PRIX64 "h", read->bytes, read->at);
  fputc('\n', out);
}

void explain_transition(FILE *out, const struct cpu *cpu, const struct recorder *r, const struct transition *t,
                        const struct explain_names *names) {
  char name[40] = "";
  enum transition_kind cause = t->kind == TR_TASK ? t->cause : t->kind;
  fprintf(out, "%s", transition_name(t->kind));
  if (t->kind == TR_TASK) fprintf(out, " by %s", transition_name(cause));
  if (cause == TR_EXCEPTION) {
    explain_fault_name(name, sizeof name, t->vector, t->has_error, t->error);
    fprintf(out, " %s", name);
  } else if (cause == TR_INT || cause == TR_INTERRUPT) {
    fprintf(out, " %02Xh", t->vector);
  }
  if (t->from.cpl == t->to.cpl) fprintf(out, " in ring %u\n", t->to.cpl);
  else fprintf(out, ": ring %u -> ring %u\n", t->from.cpl, t->to.cpl);
  side(out, "from", &t->from, names);
  if (r && r->faulted && cause == TR_EXCEPTION) explain_why(out, cpu, r);
  if (r && r->now.n) fprintf(out, "  how\n");
  if (r) steps(out, cpu, &r->now);
  side(out, "to  ", &t->to, names);
}
