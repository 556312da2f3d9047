/* `ringwalk trace`: system calls as strace prints them; --transitions, one line a ring change; --insns. */
#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/place.h"
#include "app/strace.h"
#include "cpu/check.h"
#include "cpu/event.h"
#include "cpu/mem.h"
#include "explain/explain.h"

struct trace {
  const struct app_options *options;
  FILE *out;
  struct strace calls;
  struct places places;
  bool heading;   /* of the ring changes: printed */
  bool hidden;    /* the last way into ring 0 was left out, and so is the way back */
  u8 last_cpl;    /* of --insns */
  csh capstone[3]; /* 16-, 32- and 64-bit */
  struct recorder recorder; /* of --transitions=explain */
  struct explain_names names;
  struct rec_seen seen[CHECKS]; /* of --coverage */
};

enum { NAME = 128, NAME_COLUMNS = 32, CAUSE_COLUMNS = 9 };

/* ---- transitions ----
 *
 * The less privileged side is on the left, with an arrow for the direction, so that a call and its return
 * stand in the same columns. */

/* Addresses of 32-bit code have 8 digits, those of 64-bit programs 12, the kernel's 16. */
static int digits(const struct tr_point *p, u64 v) {
  return p->code_bits < 64 ? 8 : v >> 48 || p->cpl == 0 ? 16 : 12;
}

static int put_point(FILE *f, const struct tr_point *p) {
  return fprintf(f, "%u  %04x:%0*" PRIx64 "  %04x:%0*" PRIx64, p->cpl, p->cs, digits(p, p->rip), p->rip,
                 p->ss, digits(p, p->rsp), p->rsp);
}

static const char *cause(const struct transition *t, char *buf, size_t n) {
  const char *mnemonic = t->vector < EXCEPTION_VECTORS ? vector_rows[t->vector].mnemonic : NULL;
  switch (t->kind) {
    case TR_INT: snprintf(buf, n, "int %02Xh", t->vector); break;
    case TR_INTERRUPT: snprintf(buf, n, "irq %02Xh", t->vector); break;
    case TR_EXCEPTION:
      if (mnemonic) snprintf(buf, n, "%s", mnemonic);
      else snprintf(buf, n, "fault %u", t->vector);
      break;
    default: snprintf(buf, n, "%s", transition_name(t->kind));
  }
  return buf;
}

/* SDM 3A 4.7 (Page-Fault Exceptions): the low bits of the error code. */
static void put_error(FILE *f, const struct transition *t, const struct cpu *cpu) {
  fprintf(f, "  error %04xh", t->error);
  if (t->kind != TR_EXCEPTION || t->vector != 14) return;
  fprintf(f, ": %s %" PRIx64 "h, %s",
          t->error & 16  ? "fetch from"
          : t->error & 2 ? "write to"
                         : "read from",
          cpu->cr2, t->error & 1 ? "not allowed" : "not present");
}

/* The names of -e transitions=, comma-separated: those of transition_name(), "exception" also by mnemonic. */
static bool transition_listed(const char *list, const struct transition *t) {
  const char *name = transition_name(t->kind), *mnemonic = "";
  if (t->kind == TR_EXCEPTION && t->vector < EXCEPTION_VECTORS && vector_rows[t->vector].mnemonic)
    mnemonic = vector_rows[t->vector].mnemonic;
  for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',') {
    size_t n = strcspn(p, ","), skip = *mnemonic && *p != '#'; /* "#PF" or "PF" */
    if (n == strlen(name) && !strncmp(p, name, n)) return true;
    if (n && n == strlen(mnemonic + skip) && !strncmp(p, mnemonic + skip, n)) return true;
  }
  return false;
}

/* A way into a more privileged ring is chosen by its name; the way back goes with it. */
static bool transition_wanted(struct trace *tr, const struct transition *t) {
  const char *list = tr->options->transition_filter;
  if (!list) return true;
  if (t->from.cpl < t->to.cpl) {
    bool hidden = tr->hidden;
    tr->hidden = false;
    return !hidden;
  }
  bool wanted = *list == '!' ? !transition_listed(list + 1, t) : transition_listed(list, t);
  if (t->from.cpl > t->to.cpl) tr->hidden = !wanted;
  return wanted;
}

static void put_heading(struct trace *tr, const struct tr_point *user) {
  int w = digits(user, user->rip), v = digits(user, user->rsp);
  if (tr->heading) return;
  tr->heading = true;
  fprintf(tr->out, "%-*s ring  %-*s  %-*s  %-*s    ring  %-21s  %s\n", CAUSE_COLUMNS, "by", w + 4, "cs:rip",
          v + 5, "ss:rsp", NAME_COLUMNS, "where", "cs:rip", "ss:rsp");
}

static void on_transition(void *opaque, struct cpu *cpu, const struct transition *t) {
  struct trace *tr = opaque;
  char buf[32], name[NAME];
  if (!transition_wanted(tr, t)) return;
  if (tr->options->json) {
    explain_json(tr->out, cpu, cpu->recorder, t, &tr->names);
    return;
  }
  if (tr->options->explain) {
    strace_interrupt(&tr->calls);
    explain_transition(tr->out, cpu, cpu->recorder, t, &tr->names);
    return;
  }
  bool outward = t->from.cpl < t->to.cpl;
  const struct tr_point *left = outward ? &t->to : &t->from, *right = outward ? &t->from : &t->to;
  strace_interrupt(&tr->calls);
  put_heading(tr, left);
  fprintf(tr->out, "%-*s ", CAUSE_COLUMNS, cause(t, buf, sizeof buf));
  put_point(tr->out, left);
  place_name(&tr->places, left->rip, name, sizeof name);
  fprintf(tr->out, "  %-*.*s %s ", NAME_COLUMNS, NAME_COLUMNS, name, outward ? "<-" : "->");
  put_point(tr->out, right);
  place_name(&tr->places, right->rip, name, sizeof name);
  if (*name) fprintf(tr->out, "  %s", name);
  if (t->has_error) put_error(tr->out, t, cpu);
  fputc('\n', tr->out);
}

/* ---- instructions ---- */

static void on_insn(void *opaque, struct cpu *cpu) {
  struct trace *tr = opaque;
  char name[NAME], text[256];
  u8 bytes[15];
  unsigned mode = cpu->mode & MODE_CODE_MASK;
  u64 la = mode == MODE_CODE64 ? cpu->rip : cpu->seg[CS].base + cpu->rip;
  unsigned n = mem_peek(cpu, la, bytes, sizeof bytes);
  cs_insn *insn = NULL;
  size_t got = n ? cs_disasm(tr->capstone[mode % 3], bytes, n, cpu->rip, 1, &insn) : 0;
  if (got) snprintf(text, sizeof text, *insn->op_str ? "%s %s" : "%s", insn->mnemonic, insn->op_str);
  else snprintf(text, sizeof text, "%s", n ? "(bad)" : "(page not mapped yet)");
  if (got) cs_free(insn, got);
  place_name(&tr->places, cpu->rip, name, sizeof name);
  if (tr->options->json) {
    fprintf(tr->out,
            "{\"event\":\"insn\",\"cpl\":%u,\"cs\":\"%#x\",\"rip\":\"%#" PRIx64 "\",\"text\":", cpu->cpl,
            cpu->seg[CS].sel, cpu->rip);
    strace_json_string(tr->out, text, strlen(text));
    fputs(",\"name\":", tr->out);
    strace_json_string(tr->out, name, strlen(name));
    fputs("}\n", tr->out);
    return;
  }
  strace_interrupt(&tr->calls);
  if (cpu->cpl != tr->last_cpl && !tr->options->transitions)
    fprintf(tr->out, "---- ring %u -> ring %u ----\n", tr->last_cpl, cpu->cpl);
  tr->last_cpl = cpu->cpl;
  fprintf(tr->out, "%u  %04x:%0*" PRIx64 "  %-*s %s\n", cpu->cpl, cpu->seg[CS].sel,
          mode != MODE_CODE64 ? 8 : cpu->rip >> 48 ? 16 : 12, cpu->rip, NAME_COLUMNS, name, text);
}

/* ---- system calls ---- */

static void call_enter(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6]) {
  strace_enter(&((struct trace *)opaque)->calls, t, row, a);
}
static void call_exit(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6], s64 ret) {
  strace_exit(&((struct trace *)opaque)->calls, t, row, a, ret);
}
static void call_signal(void *opaque, struct task *t, const siginfo_t *info) {
  strace_signal(&((struct trace *)opaque)->calls, t, info);
}

/* ---- the command ---- */

static void name_place(const void *opaque, u64 addr, char *buf, size_t n) { place_name(opaque, addr, buf, n); }

static void ready(void *opaque, struct linux_vm *lvm) {
  struct trace *tr = opaque;
  struct vm *vm = lx_vm(lvm);
  places_open(&tr->places, lvm);
  vm->hooks.watcher = tr;
  if (tr->options->transitions) vm->hooks.transition = on_transition;
  tr->names = (struct explain_names){&tr->places, name_place};
  tr->recorder.invert = -1;
  if (tr->options->coverage) tr->recorder.seen = tr->seen;
  if (tr->options->explain || tr->options->coverage) lx_cpu(lvm)->recorder = &tr->recorder;
  if (!tr->options->insns) return;
  vm->hooks.insn = on_insn;
  lx_cpu(lvm)->step_request = true;
  cpu_update_mode(lx_cpu(lvm));
}

/* Only where the recorder listens are checks counted, and those of paging and memory operands only where the software TLB
 * has no answer. */
static void put_coverage(const struct trace *tr) {
  if (tr->options->json) fputs("{\"event\":\"coverage\",\"checks\":{", tr->out);
  for (unsigned k = 0, n = 0; k < CHECKS; k++) {
    const struct rec_seen *s = &tr->seen[k];
    if (!s->passed && !s->failed) continue;
    if (tr->options->json)
      fprintf(tr->out, "%s\"%s\":{\"passed\":%" PRIu64 ",\"failed\":%" PRIu64 "}", n++ ? "," : "", check_rows[k].id,
              s->passed, s->failed);
    else
      fprintf(tr->out, "%-22s passed %8" PRIu64 "  failed %8" PRIu64 "  %s\n", check_rows[k].id, s->passed, s->failed,
              check_rows[k].rule);
  }
  if (tr->options->json) fputs("}}\n", tr->out);
}

/* A processor that shut down delivered nothing that on_transition() could have told. */
static void tell_shutdown(struct trace *tr, const struct cpu *cpu) {
  if (!cpu->shutdown || !tr->options->explain || !tr->recorder.faulted) return;
  if (tr->options->json) {
    explain_why_json(tr->out, cpu, &tr->recorder);
    return;
  }
  fprintf(tr->out, "shutdown: %s\n", cpu->shutdown_reason);
  explain_why(tr->out, cpu, &tr->recorder);
}

static void done(void *opaque, struct linux_vm *lvm, const struct lx_status *status) {
  struct trace *tr = opaque;
  strace_end(&tr->calls, status);
  tell_shutdown(tr, lx_cpu(lvm));
  if (tr->options->coverage) put_coverage(tr);
  places_close(&tr->places);
  fflush(tr->out);
}

static int open_output(struct trace *tr) {
  tr->out = app_open(tr->options->output);
  if (!tr->out) return -1;
  static const cs_mode bits[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
  for (unsigned k = 0; k < 3; k++)
    if (cs_open(CS_ARCH_X86, bits[k], &tr->capstone[k]) != CS_ERR_OK) {
      app_error("Capstone cannot disassemble x86 here");
      return -1;
    }
  return 0;
}

/* Only what transition_listed() can match. */
static int check_transition_filter(const char *filter) {
  if (!filter) return 0;
  for (const char *p = filter + (*filter == '!'); *p; p += strcspn(p, ","), p += *p == ',') {
    int n = (int)strcspn(p, ",");
    bool known = false;
    char one[32];
    snprintf(one, sizeof one, "%.*s", n, p);
    for (unsigned k = 0; k < TR_KINDS && !known; k++)
      known = transition_listed(one, &(struct transition){.kind = k, .vector = 255});
    for (unsigned k = 0; k < EXCEPTION_VECTORS && !known; k++)
      known = transition_listed(one, &(struct transition){.kind = TR_EXCEPTION, .vector = (u8)k});
    if (!known) {
      app_error(
          "-e transitions=%s: '%s' is none of int, exception, interrupt, iret, syscall, sysret, sysenter, "
          "sysexit, far call, far jmp, far ret, or an exception such as PF",
          filter, one);
      return -1;
    }
  }
  return 0;
}

static int trace_program(const struct app_options *o, char **argv) {
  struct trace tr = {.options = o};
  bool *chosen = calloc(sys_row_count + 1, sizeof *chosen);
  if (!chosen || strace_choose(o->filter, chosen) || check_transition_filter(o->transition_filter)) {
    free(chosen);
    return APP_CANNOT_RUN;
  }
  if (open_output(&tr)) {
    free(chosen);
    return APP_FAILED;
  }
  tr.calls = (struct strace){.out = tr.out, .chosen = chosen, .json = o->json};
  struct app_listener l = {.hooks = {.opaque = &tr}, .ready = ready, .done = done};
  l.hooks.sys_enter = call_enter;
  l.hooks.sys_exit = call_exit;
  l.hooks.signal = call_signal;
  int status = app_run_program(o, argv, &l);
  for (unsigned k = 0; k < 3; k++) cs_close(&tr.capstone[k]);
  free(chosen);
  return app_close(tr.out, o->output) ? APP_FAILED : status;
}

int app_trace(int argc, char **argv) {
  struct app_options o;
  if (app_options_init(&o)) return APP_FAILED;
  int a = app_parse(&o, APP_TRACE, argc, argv), status = a ? APP_CANNOT_RUN : 0;
  if (a >= argc) app_error("trace: no program given; see ringwalk trace --help");
  else if (a > 0) status = trace_program(&o, argv + a);
  app_options_free(&o);
  return status;
}
