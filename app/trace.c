/* `ringwalk trace`: system calls as strace prints them; --transitions, one line a ring change; --insns. */
#include <capstone/capstone.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "app/strace.h"
#include "cpu/mem.h"
#include "cpu/transition.h"

struct trace {
  const struct app_options *options;
  FILE *out;
  struct strace calls;
  csh capstone[3]; /* 16-, 32- and 64-bit */
};

/* ---- transitions ---- */

static void put_point(FILE *f, const struct tr_point *p) {
  fprintf(f, "ring %u  %04x:%016" PRIx64 "  %04x:%016" PRIx64, p->cpl, p->cs, p->rip, p->ss, p->rsp);
}

static const char *cause(const struct transition *t, char *buf, size_t n) {
  switch (t->kind) {
    case TR_INT: snprintf(buf, n, "int %02Xh", t->vector); break;
    case TR_EXCEPTION: snprintf(buf, n, "exception %u", t->vector); break;
    case TR_INTERRUPT: snprintf(buf, n, "interrupt %02Xh", t->vector); break;
    default: snprintf(buf, n, "%s", transition_name(t->kind));
  }
  return buf;
}

static void json_point(FILE *f, const char *name, const struct tr_point *p) {
  fprintf(f, ",\"%s\":{\"cpl\":%u,\"cs\":%u,\"rip\":%" PRIu64 ",\"ss\":%u,\"rsp\":%" PRIu64 ",\"rflags\":%u,\"bits\":%u}",
          name, p->cpl, p->cs, p->rip, p->ss, p->rsp, p->rflags, p->code_bits);
}

static void on_transition(void *opaque, struct cpu *cpu, const struct transition *t) {
  struct trace *tr = opaque;
  char buf[32];
  (void)cpu;
  if (tr->options->json) {
    fprintf(tr->out, "{\"event\":\"transition\",\"kind\":\"%s\",\"vector\":%u", transition_name(t->kind), t->vector);
    if (t->has_error) fprintf(tr->out, ",\"error\":%u", t->error);
    json_point(tr->out, "from", &t->from);
    json_point(tr->out, "to", &t->to);
    fputs("}\n", tr->out);
    return;
  }
  fprintf(tr->out, "%-13s ", cause(t, buf, sizeof buf));
  put_point(tr->out, &t->from);
  fputs("  ->  ", tr->out);
  put_point(tr->out, &t->to);
  if (t->has_error) fprintf(tr->out, "  error %04xh", t->error);
  fputc('\n', tr->out);
}

/* ---- instructions ---- */

static void on_insn(void *opaque, struct cpu *cpu) {
  struct trace *tr = opaque;
  u8 bytes[15];
  u64 la = (cpu->mode & MODE_CODE_MASK) == MODE_CODE64 ? cpu->rip : cpu->seg[CS].base + cpu->rip;
  unsigned n = mem_peek(cpu, la, bytes, sizeof bytes);
  cs_insn *insn = NULL;
  size_t got = n ? cs_disasm(tr->capstone[cpu->mode & MODE_CODE_MASK], bytes, n, cpu->rip, 1, &insn) : 0;
  fprintf(tr->out, "ring %u  %04x:%016" PRIx64 "  %s %s\n", cpu->cpl, cpu->seg[CS].sel, cpu->rip,
          got ? insn->mnemonic : n ? "(bad)" : "(unmapped)", got ? insn->op_str : "");
  if (got) cs_free(insn, got);
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

static void ready(void *opaque, struct linux_vm *lvm) {
  struct trace *tr = opaque;
  struct vm *vm = lx_vm(lvm);
  vm->hooks.watcher = tr;
  if (tr->options->transitions) vm->hooks.transition = on_transition;
  if (!tr->options->insns) return;
  vm->hooks.insn = on_insn;
  lx_cpu(lvm)->step_request = true;
  cpu_update_mode(lx_cpu(lvm));
}

static void done(void *opaque, struct linux_vm *lvm, const struct lx_status *status) {
  struct trace *tr = opaque;
  (void)lvm;
  strace_end(&tr->calls, status);
  fflush(tr->out);
}

static int open_output(struct trace *tr) {
  tr->out = stderr;
  if (tr->options->output) {
    tr->out = fopen(tr->options->output, "we");
    if (!tr->out) {
      app_error("-o %s: %s", tr->options->output, strerror(errno));
      return -1;
    }
  }
  static const cs_mode bits[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
  for (unsigned k = 0; k < 3; k++)
    if (cs_open(CS_ARCH_X86, bits[k], &tr->capstone[k]) != CS_ERR_OK) {
      app_error("Capstone cannot disassemble x86 here");
      return -1;
    }
  return 0;
}

static int trace_program(const struct app_options *o, char **argv) {
  struct trace tr = {.options = o};
  if (strace_check_filter(o->filter)) return APP_CANNOT_RUN;
  if (open_output(&tr)) return APP_FAILED;
  tr.calls = (struct strace){.out = tr.out, .filter = o->filter, .json = o->json};
  struct app_listener l = {.hooks = {.opaque = &tr}, .ready = ready, .done = done};
  l.hooks.sys_enter = call_enter;
  l.hooks.sys_exit = call_exit;
  l.hooks.signal = call_signal;
  int status = app_run_program(o, argv, &l);
  for (unsigned k = 0; k < 3; k++) cs_close(&tr.capstone[k]);
  if (tr.out != stderr && fclose(tr.out)) {
    app_error("-o %s: %s", o->output, strerror(errno));
    return APP_FAILED;
  }
  return status;
}

int app_trace(int argc, char **argv) {
  struct app_options o;
  if (app_options_init(&o)) return APP_FAILED;
  int a = app_parse(&o, APP_TRACE, argc, argv), status = APP_CANNOT_RUN;
  if (a >= argc) app_error("trace: no program given; see ringwalk trace --help");
  else if (a > 0) status = trace_program(&o, argv + a);
  app_options_free(&o);
  return status;
}
