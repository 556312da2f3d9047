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
  if (names) names->name(names->opaque, tr_linear(p), place, sizeof place);
  explain_flags(flags, sizeof flags, p->rflags);
  fprintf(out, "  %s  ring %u, %u-bit  %04X:%0*" PRIX64 "  %04X:%0*" PRIX64 "  %s%s%s\n", name, p->cpl, p->code_bits, p->cs,
          p->code_bits == 64 ? 16 : 8, p->rip, p->ss, p->code_bits == 64 ? 16 : 8, p->rsp, flags, *place ? "  " : "", place);
}

/* ---- page faults: the entries that the walk read ---- */

/* As they were; if that was not recorded, as they are, which another may have changed since. */
static void page_entries(FILE *out, const struct cpu *cpu, u64 la, const struct rec_walk *then) {
  static const char *const names[] = {"PTE", "PDE", "PDPTE", "PML4E", "PML5E"};
  struct page_walk w;
  if (!cpu->mmu.levels) return;
  if (then->known) w = then->w;
  else mmu_walk(&cpu->vm->mem, &cpu->mmu, la, &w);
  if (!then->known) fprintf(out, "    the page tables as they are now; what they said then was not recorded:\n");
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

unsigned explain_raised(const struct recorder *r, struct explain_raised raised[EXPLAIN_RAISED]) {
  unsigned n = r->chain < REC_CHAIN ? r->chain : REC_CHAIN;
  for (unsigned k = 0; k < n; k++) {
    const struct rec_raised *e = &r->earlier[k];
    raised[k] = (struct explain_raised){&e->cause, &e->fault, &e->walk, e->rip, e->dr6, e->cs, e->during};
  }
  raised[n] = (struct explain_raised){&r->cause, &r->fault, &r->walk, r->fault_rip, r->dr6, r->fault_cs, r->during};
  return n + 1;
}

/* The last check of the instruction that said no, which is the one that raised its fault. */
static const struct rec_step *failed_check(const struct rec_log *log) {
  for (unsigned k = log->n; k-- > 0;)
    if (log->step[k].kind == REC_CHECK && !log->step[k].ok && *check_rows[log->step[k].id].fault) return &log->step[k];
  return NULL;
}

static bool is_word(const struct rec_step *s, enum rec_word word) {
  return (s->kind == REC_POP || s->kind == REC_TSS || s->kind == REC_MEM) && s->word == word;
}

/* A gate of a descriptor table, or an entry of the real-mode vector table, is one too. */
static bool is_gate(const struct rec_step *s) {
  if (s->kind == REC_DESC) return !bits(s->a, 44, 44) && (bits(s->a, 43, 40) & 7) >= 4;
  return s->kind == REC_GATE || (s->kind == REC_MEM && s->word == WORD_IP);
}

static bool is_judged(const struct rec_step *s, enum check_from from) {
  static const u8 word[] = {[FROM_CS] = WORD_CS,   [FROM_SS] = WORD_SS,     [FROM_IP] = WORD_IP,   [FROM_FLAGS] = WORD_FLAGS,
                            [FROM_LDT] = WORD_LDT, [FROM_LINK] = WORD_LINK, [FROM_CR3] = WORD_CR3, [FROM_OTHER] = WORD_OTHER};
  switch (from) {
    case FROM_DESC: return s->kind == REC_DESC;
    case FROM_GATE: return is_gate(s);
    case FROM_SP: return s->kind == REC_TSS && (s->word == WORD_SP || s->word == WORD_IST);
    default: return is_word(s, (enum rec_word)word[from]);
  }
}

/* The new task's selector whose descriptor ends at `last` in its table: the first in the order of loading. */
static const struct rec_step *data_selector(const struct rec_log *log, const struct rec_step *check) {
  static const u8 order[] = {WORD_DS, WORD_ES, WORD_FS, WORD_GS};
  for (unsigned k = 0; k < ARRAY_SIZE(order); k++)
    for (const struct rec_step *s = check; s-- > log->step;)
      if (is_word(s, (enum rec_word)order[k]) && (s->a | 7) == check->a) return s;
  return NULL;
}

const struct rec_step *explain_judged(const struct rec_log *log, const struct rec_step *check) {
  enum check_from from = (enum check_from)check_rows[check->id].from;
  if (from == FROM_NOTHING) return NULL;
  if (from == FROM_DATA) return data_selector(log, check);
  for (const struct rec_step *s = check; s-- > log->step;)
    if (is_judged(s, from)) return s;
  return NULL;
}

static void needed(FILE *out, const struct cpu *cpu, const struct rec_log *log) {
  char text[LINE];
  const struct rec_step *check = failed_check(log);
  if (!check) return;
  const struct rec_step *read = explain_judged(log, check);
  explain_operands(text, sizeof text, cpu, check);
  fprintf(out, "    needed: %s", check_rows[check->id].rule);
  if (*text) fprintf(out, "; found: %s", text);
  if (read) fprintf(out, "; from %u bytes at %" PRIX64 "h", read->bytes, read->at);
  fputc('\n', out);
}

static void debug_conditions(FILE *out, const struct cpu *cpu, u64 dr6) {
  char text[LINE];
  explain_debug(text, sizeof text, cpu, dr6);
  if (*text) fprintf(out, "    DR6 += %" PRIX64 "h: %s\n", dr6, text);
}

static void error_code(FILE *out, const struct explain_raised *r) {
  char text[LINE];
  const struct fault *f = r->fault;
  explain_error(text, sizeof text, f->vector, f->error);
  fprintf(out, "    error code %04Xh: %s", f->error, text);
  explain_rights(text, sizeof text, r->cause);
  if (*text) fprintf(out, ": %s", text);
  fputc('\n', out);
}

/* before: the fault whose delivery this one ended, or NULL. */
static void why(FILE *out, const struct cpu *cpu, const struct explain_raised *r, const struct explain_raised *before) {
  char text[LINE];
  const struct fault *f = r->fault;
  bool error = f->has_error && (cpu->mode & MODE_PE); /* real mode has none */
  explain_fault_name(text, sizeof text, f->vector, error, f->error);
  fprintf(out, "  why   %s at %04X:%" PRIX64, text, r->cs, r->rip);
  if (f->vector < EXCEPTION_VECTORS && vector_rows[f->vector].name) fprintf(out, ", %s", vector_rows[f->vector].name);
  if (before) {
    u8 vector = r->during == EVENT_DOUBLE_FAULT ? (u8)VEC_DF : before->fault->vector;
    explain_fault_name(text, sizeof text, vector, false, 0);
    fprintf(out, ", while %s was delivered", text);
  }
  fputc('\n', out);
  if (error) error_code(out, r);
  if (f->vector == VEC_DB) debug_conditions(out, cpu, r->dr6);
  if (f->vector == VEC_PF) {
    fprintf(out, "    CR2 = %" PRIX64 "h\n", f->cr2);
    page_entries(out, cpu, f->cr2, r->walk);
  }
  steps(out, cpu, r->cause);
  needed(out, cpu, r->cause);
}

void explain_why(FILE *out, const struct cpu *cpu, const struct recorder *r) {
  struct explain_raised raised[EXPLAIN_RAISED];
  if (!r->faulted) return;
  unsigned n = explain_raised(r, raised);
  for (unsigned k = 0; k < n; k++) why(out, cpu, &raised[k], k ? &raised[k - 1] : NULL);
}

/* A trap was raised by no check: the conditions tell. */
static void why_trap(FILE *out, const struct cpu *cpu, const struct recorder *r, const struct transition *t) {
  if (t->vector != VEC_DB || !r->dr6) return;
  fprintf(out, "  why   #DB at %04X:%" PRIX64 ", %s\n", t->from.cs, t->from.rip, vector_rows[VEC_DB].name);
  debug_conditions(out, cpu, r->dr6);
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
  else if (r && cause == TR_EXCEPTION) why_trap(out, cpu, r, t);
  if (r && r->now.n) fprintf(out, "  how\n");
  if (r) steps(out, cpu, &r->now);
  side(out, "to  ", &t->to, names);
}
