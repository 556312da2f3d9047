/* The transition record as JSON Lines: one object a transition. Addresses and values are strings of hexadecimal digits,
 * since JSON's numbers lose the lower bits of 64. */
#include <inttypes.h>

#include "cpu/check.h"
#include "cpu/event.h"
#include "explain/explain.h"

static void string(FILE *out, const char *s) {
  fputc('"', out);
  for (; *s; s++) {
    if (*s == '"' || *s == '\\') fprintf(out, "\\%c", *s);
    else if ((unsigned char)*s < 32) fprintf(out, "\\u%04x", (unsigned)*s);
    else fputc(*s, out);
  }
  fputc('"', out);
}

static void step(FILE *out, const struct cpu *cpu, const struct rec_step *s) {
  char text[600];
  explain_step(text, sizeof text, cpu, s);
  fprintf(out, "{\"step\":\"%s\"", explain_kind(s));
  if (s->kind == REC_CHECK) {
    const struct check_row *row = &check_rows[s->id];
    char found[160], raised[40];
    explain_operands(found, sizeof found, cpu, s);
    fprintf(out, ",\"id\":\"%s\",\"ok\":%s,\"rule\":", row->id, s->ok ? "true" : "false");
    string(out, row->rule);
    fprintf(out, ",\"found\":");
    string(out, found);
    fprintf(out, ",\"cite\":");
    string(out, row->cite);
    explain_raises(raised, sizeof raised, s);
    if (!s->ok && *raised) fprintf(out, ",\"fault\":\"%s\"", raised);
    fputc('}', out);
    return;
  }
  if (s->kind == REC_NOTE) {
    fprintf(out, ",\"text\":");
    string(out, text);
    fputc('}', out);
    return;
  }
  if (s->kind == REC_MSR) fprintf(out, ",\"name\":\"%s\",\"index\":\"%#" PRIx32 "\"", msr_rows[s->id].name, msr_rows[s->id].index);
  if (s->kind == REC_DESC) fprintf(out, ",\"selector\":\"%#x\"", s->id);
  if (s->kind == REC_GATE) fprintf(out, ",\"vector\":%u", s->id);
  if (s->at) fprintf(out, ",\"address\":\"%#" PRIx64 "\",\"bytes\":%u", s->at, s->bytes);
  fprintf(out, ",\"value\":\"%#" PRIx64 "\"", s->a);
  if (s->bytes == 16) fprintf(out, ",\"high\":\"%#" PRIx64 "\"", s->b);
  fprintf(out, ",\"text\":");
  string(out, text);
  fputc('}', out);
}

static void steps(FILE *out, const struct cpu *cpu, const struct rec_log *log) {
  fputc('[', out);
  for (unsigned k = 0; k < log->n; k++) {
    if (k) fputc(',', out);
    step(out, cpu, &log->step[k]);
  }
  fputc(']', out);
}

static void one_raised(FILE *out, const struct cpu *cpu, const struct explain_raised *f) {
  fprintf(out, "\"vector\":%u", f->fault->vector);
  if (f->fault->has_error && (cpu->mode & MODE_PE)) fprintf(out, ",\"error\":%u", f->fault->error);
  fprintf(out, ",\"cs\":\"%#x\",\"rip\":\"%#" PRIx64 "\"", f->cs, f->rip);
  if (f->fault->vector == VEC_PF) fprintf(out, ",\"cr2\":\"%#" PRIx64 "\"", f->fault->cr2);
  if (f->fault->vector == VEC_DB) fprintf(out, ",\"dr6\":\"%#" PRIx64 "\"", f->dr6);
  fprintf(out, ",\"steps\":");
  steps(out, cpu, f->cause);
}

/* The fault's members, and those whose delivery it ended. */
static void raised_json(FILE *out, const struct cpu *cpu, const struct recorder *r) {
  struct explain_raised raised[EXPLAIN_RAISED];
  unsigned n = explain_raised(r, raised);
  one_raised(out, cpu, &raised[n - 1]);
  if (n == 1) return;
  for (unsigned k = 0; k + 1 < n; k++) {
    fputs(k ? ",{" : ",\"earlier\":[{", out);
    one_raised(out, cpu, &raised[k]);
    fputc('}', out);
  }
  fputc(']', out);
}

static void side(FILE *out, const char *name, const struct tr_point *p, const struct explain_names *names) {
  fprintf(out, ",\"%s\":{\"cpl\":%u,\"cs\":\"%#x\",\"rip\":\"%#" PRIx64 "\",\"ss\":\"%#x\",\"rsp\":\"%#" PRIx64
               "\",\"rflags\":\"%#x\",\"bits\":%u",
          name, p->cpl, p->cs, p->rip, p->ss, p->rsp, p->rflags, p->code_bits);
  if (names) {
    char place[128] = "";
    names->name(names->opaque, p->rip, place, sizeof place);
    fprintf(out, ",\"name\":");
    string(out, place);
  }
  fputc('}', out);
}

void explain_json(FILE *out, const struct cpu *cpu, const struct recorder *r, const struct transition *t,
                  const struct explain_names *names) {
  enum transition_kind cause = t->kind == TR_TASK ? t->cause : t->kind;
  fprintf(out, "{\"event\":\"transition\",\"kind\":\"%s\"", transition_name(t->kind));
  if (t->kind == TR_TASK) fprintf(out, ",\"by\":\"%s\"", transition_name(cause));
  if (cause <= TR_INTERRUPT) fprintf(out, ",\"vector\":%u", t->vector);
  if (t->has_error) fprintf(out, ",\"error\":%u", t->error);
  side(out, "from", &t->from, names);
  side(out, "to", &t->to, names);
  if (r && r->faulted && cause == TR_EXCEPTION) {
    fprintf(out, ",\"cause\":{");
    raised_json(out, cpu, r);
    fputc('}', out);
  } else if (r && cause == TR_EXCEPTION && t->vector == VEC_DB) {
    fprintf(out, ",\"dr6\":\"%#" PRIx64 "\"", r->dr6);
  }
  if (r) {
    fprintf(out, ",\"steps\":");
    steps(out, cpu, &r->now);
    if (r->now.lost) fprintf(out, ",\"lost\":%u", r->now.lost);
  }
  fputs("}\n", out);
}

void explain_why_json(FILE *out, const struct cpu *cpu, const struct recorder *r) {
  fputs("{\"event\":\"fault\",", out);
  raised_json(out, cpu, r);
  fputs("}\n", out);
}
