/* How stops, places and frames are told. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "cpu/event.h"
#include "debugger/command.h"
#include "explain/explain.h"

void command_address(struct dbg *d, u64 la, const char *name) {
  char place[160] = "";
  sym_name(d->syms, la, place, sizeof place);
  out_open(d->out, name);
  out_hex(d->out, "address", la, "0x%llx");
  if (*place) out_str(d->out, "name", place, " <%s>");
  out_close(d->out);
}

unsigned command_instruction(struct dbg *d, u64 la, u64 rip, unsigned bits, bool here) {
  char text[256], place[160] = "";
  unsigned len = disasm_one(d->disasm, d->cpu, d->syms, la, rip, bits, text, sizeof text);
  sym_name(d->syms, la, place, sizeof place);
  out_text(d->out, here ? "=> " : "   ");
  out_hex(d->out, "address", la, bits == 64 ? "0x%012llx" : "0x%08llx");
  if (*place) out_str(d->out, "name", place, " <%s>");
  out_str(d->out, "text", text, ":\t%s\n");
  if (here) out_bool(d->out, "here", true, NULL);
  return len;
}

void command_source_line(struct dbg *d, u64 pc) {
  struct sym_line line;
  if (!sym_line_at(d->syms, pc, &line)) return;
  out_str(d->out, "file", line.file, NULL);
  out_num(d->out, "line", line.line, NULL);
  const char *text = sym_source(d->syms, line.file, line.line);
  if (!text) return;
  out_text(d->out, "%u\t", line.line);
  out_str(d->out, "source", text, "%s\n");
}

void command_frame(struct dbg *d, unsigned n, const struct frame *f) {
  char place[160] = "";
  struct sym s;
  struct sym_line line;
  u64 at = frame_at(f); /* a return address belongs to the call before it */
  sym_name(d->syms, f->pc, place, sizeof place);
  bool named = sym_at(d->syms, at, &s);
  out_text(d->out, "#%-2u ", n);
  out_num(d->out, "frame", n, NULL);
  out_num(d->out, "cpl", f->cpl, "ring %llu  ");
  out_hex(d->out, "pc", f->pc, f->regs.bits == 64 ? "0x%012llx " : "0x%08llx ");
  if (named) {
    if (strcmp(s.module, d->target.name ? d->target.name : "") && s.module[0] == '[') out_str(d->out, "module", s.module, "%s ");
    out_str(d->out, "function", s.name, "in %s");
    out_text(d->out, f->pc == s.addr ? "" : "+%" PRIu64, f->pc - s.addr);
  } else {
    out_text(d->out, "in ??");
  }
  if (sym_line_at(d->syms, at, &line)) {
    out_str(d->out, "file", line.file, " at %s");
    out_num(d->out, "line", line.line, ":%llu");
  }
  if (f->signal) out_bool(d->out, "signal", true, " <signal handler called>");
  if (f->in) {
    const struct transition *t = &f->in->t;
    bool vector = t->kind <= TR_INTERRUPT;
    out_str(d->out, "entered_by", transition_name(t->kind), "   (left by %s");
    if (vector) out_num(d->out, "vector", t->vector, " %llu");
    if (t->kind == TR_EXCEPTION && t->vector < EXCEPTION_VECTORS && vector_rows[t->vector].mnemonic)
      out_text(d->out, " %s", vector_rows[t->vector].mnemonic);
    out_text(d->out, ")");
  }
  out_text(d->out, "\n");
}

/* ---- stops ---- */

static const char *mode_name(const struct dbg *d) {
  u32 m = d->cpu->mode;
  bool lma = m & MODE_LMA;
  if (!(m & MODE_PE)) return "real mode";
  if (m & MODE_VM) return "virtual-8086 mode";
  switch (dbg_bits(d)) {
    case 64: return "64-bit mode";
    case 32: return lma ? "compatibility mode, 32-bit" : "protected mode, 32-bit";
    default: return lma ? "compatibility mode, 16-bit" : "protected mode, 16-bit";
  }
}

static void tell_watch(struct dbg *d, const struct stop *s, const struct point *p) {
  bool large = p->len > sizeof s->old_value && s->old_value == s->new_value; /* it changed further behind */
  if (p->kind == POINT_WATCH && large) {
    out_bool(d->out, "large", true, NULL);
  } else if (p->kind == POINT_EXPRESSION || p->kind == POINT_WATCH || s->old_value != s->new_value) {
    out_hex(d->out, "old", s->old_value, "  old 0x%llx");
    out_hex(d->out, "new", s->new_value, "  new 0x%llx");
  } else {
    out_hex(d->out, "value", s->new_value, "  value 0x%llx");
  }
  if (p->kind == POINT_EXPRESSION) return;
  out_str(d->out, "access", s->access_write ? "write" : "read", "  (%s");
  out_hex(d->out, "at", s->access_addr, " at 0x%llx");
  out_num(d->out, "bytes", s->access_len, ", %llu bytes)");
  if (s->by_kernel) out_bool(d->out, "by_kernel", true, " by the kernel, in a system call");
}

static void tell_transition(struct dbg *d, const struct transition *t) {
  out_open(d->out, "transition");
  out_num(d->out, "from", t->from.cpl, "  ring %llu ->");
  out_num(d->out, "to", t->to.cpl, " ring %llu");
  out_str(d->out, "kind", transition_name(t->kind), " by %s");
  if (t->kind <= TR_INTERRUPT) out_num(d->out, "vector", t->vector, " %llu");
  out_close(d->out);
}

static void tell_fault(struct dbg *d, const struct fault *f) {
  char name[64], error[200];
  explain_fault_name(name, sizeof name, f->vector, f->has_error, f->error);
  out_str(d->out, "fault", name, "  %s");
  if (f->has_error) {
    explain_error(error, sizeof error, f->vector, f->error);
    out_str(d->out, "error", error, ": %s");
  }
  if (f->vector == VEC_PF) out_hex(d->out, "cr2", f->cr2, ", address 0x%llx");
}

static void tell_point(struct dbg *d, const struct stop *s) {
  static const char *const words[] = {
      [POINT_BREAK] = "Breakpoint", [POINT_WATCH] = "Watchpoint", [POINT_RWATCH] = "Read watchpoint",
      [POINT_AWATCH] = "Access watchpoint", [POINT_EXPRESSION] = "Watchpoint", [POINT_SYSCALL] = "Catchpoint",
      [POINT_SIGNAL] = "Catchpoint", [POINT_EXCEPTION] = "Catchpoint", [POINT_TRANSITION] = "Catchpoint",
      [POINT_MODE] = "Catchpoint",
  };
  const struct point *p = s->point;
  if (!p) return;
  out_num(d->out, "number", p->number, NULL);
  out_str(d->out, "what", p->text ? p->text : "", NULL);
  const char *word = words[p->kind];
  out_text(d->out, "%s%c%s %u", p->temporary ? "Temporary " : "", p->temporary ? tolower(*word) : *word, word + 1, p->number);
  if (p->kind != POINT_BREAK) out_text(d->out, " (%s)", p->text ? p->text : "");
  if (p->kind == POINT_WATCH || p->kind == POINT_RWATCH || p->kind == POINT_AWATCH || p->kind == POINT_EXPRESSION)
    tell_watch(d, s, p);
  if (p->kind == POINT_SIGNAL && d->target.signal_name && d->target.signal_name(s->signal.signo))
    out_str(d->out, "signal", d->target.signal_name(s->signal.signo), ", %s");
  if (p->kind == POINT_SYSCALL) {
    out_bool(d->out, "returned", s->syscall_return, NULL);
    out_str(d->out, "call", s->syscall, s->syscall_return ? ", returned: %s" : ", call: %s");
  }
  if (s->has_transition && dbg_past(d, 0)) tell_transition(d, &dbg_past(d, 0)->t);
  if (s->has_fault) tell_fault(d, &s->fault);
  if (p->kind == POINT_MODE) out_str(d->out, "mode", mode_name(d), "  now %s");
  out_text(d->out, "\n");
}

static void tell_signal(struct dbg *d, const struct stop *s) {
  const char *name = d->target.signal_name ? d->target.signal_name(s->signal.signo) : NULL;
  out_str(d->out, "signal", name ? name : "?", "Program receives signal %s");
  if (s->has_fault) tell_fault(d, &s->fault);
  out_text(d->out, "\n");
}

static bool can_look(const struct dbg *d) { return d->stop.why != STOP_EXITED && d->stop.why != STOP_KILLED && d->stop.why != STOP_FAILED; }

static void tell_why(struct dbg *d, const struct stop *s) {
  const char *name;
  switch (s->why) {
    case STOP_POINT: tell_point(d, s); break;
    case STOP_SIGNAL: tell_signal(d, s); break;
    case STOP_INTERRUPTED: out_text(d->out, "Interrupted\n"); break;
    case STOP_EXITED:
      out_num(d->out, "status", (u64)s->code, "Program exited with status %llu\n");
      break;
    case STOP_KILLED:
      name = d->target.signal_name ? d->target.signal_name(s->code) : NULL;
      out_str(d->out, "signal", name ? name : "?", "Program ended by signal %s\n");
      break;
    case STOP_HALTED: out_str(d->out, "text", s->text, "Halted: %s\n"); break;
    case STOP_SHUTDOWN: out_str(d->out, "text", s->text, "Shutdown: %s; 'why' tells more\n"); break;
    case STOP_RESET: out_str(d->out, "text", s->text, "Reset: %s; 'run' starts the machine over\n"); break;
    case STOP_FAILED: out_str(d->out, "text", s->text, "The emulator cannot go on: %s\n"); break;
    default: break;
  }
}

static void tell_place(struct dbg *d) {
  u64 pc = dbg_pc(d);
  struct sym f;
  struct sym_line line;
  u8 cpl = d->cpu->cpl;
  struct commands *c = d->commands;
  if (c->tell_mode && cpl != c->told_cpl)
    out_text(d->out, "---- ring %u -> ring %u ----\n", c->told_cpl, cpl);
  c->tell_mode = true;
  c->told_cpl = cpl;
  out_num(d->out, "cpl", cpl, NULL);
  out_hex(d->out, "cs", d->cpu->seg[CS].sel, NULL);
  out_hex(d->out, "rip", d->cpu->rip, NULL);
  out_str(d->out, "mode", mode_name(d), NULL);
  out_num(d->out, "icount", dbg_icount(d), NULL);
  if (sym_line_at(d->syms, pc, &line)) {
    u64 function = sym_at(d->syms, pc, &f) ? f.addr : 0;
    bool moved = function != c->told.function || d->stop.why != STOP_STEPPED;
    if (function && moved) out_text(d->out, "%s at %s:%u\n", f.name, line.file, line.line);
    if (moved || line.line != c->told.line || line.addr == pc || out_json(d->out)) {
      if (line.addr != pc) out_text(d->out, "0x%" PRIx64 "\t", pc);
      command_source_line(d, pc);
    }
    c->told.function = function;
    c->told.line = line.line;
  } else {
    c->told.function = c->told.line = 0;
  }
  out_open(d->out, "instruction");
  out_text(d->out, "%u ", cpl);
  (void)command_instruction(d, pc, d->cpu->rip, dbg_bits(d), true);
  out_close(d->out);
}

void dbg_tell_stop(struct dbg *d) {
  static const char *const why[] = {
      [STOP_NOTHING] = "not run",   [STOP_STEPPED] = "stepped",   [STOP_POINT] = "breakpoint", [STOP_SIGNAL] = "signal",
      [STOP_INTERRUPTED] = "interrupted", [STOP_EXITED] = "exited", [STOP_KILLED] = "killed",  [STOP_HALTED] = "halted",
      [STOP_SHUTDOWN] = "shutdown", [STOP_RESET] = "reset", [STOP_FAILED] = "failed",
  };
  out_begin(d->out, "stopped");
  out_str(d->out, "why", why[d->stop.why], NULL);
  tell_why(d, &d->stop);
  if (can_look(d)) {
    tell_place(d);
    command_displays(d);
    d->commands->next_disassemble = 0;
    d->commands->list_line = 0;
  }
  out_end(d->out);
}
