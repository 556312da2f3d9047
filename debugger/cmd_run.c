/* Commands that run the target, and what they need: break, watch, catch, handle. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cpu/event.h"
#include "debugger/command.h"

/* ---- running ---- */

static bool restarted(struct dbg *d) {
  char err[512];
  if (!dbg_restart(d, err, sizeof err)) return d->commands->tell_mode = false, true; /* nothing has crossed a ring */
  out_error(d->out, "%s", err);
  return false;
}

/* A target that has not run yet need not be started over. */
static bool fresh(struct dbg *d) { return (d->alive && !d->runs) || restarted(d); }

void cmd_run(struct dbg *d, const char *args) {
  (void)args;
  if (fresh(d)) dbg_continue(d);
}

void cmd_start(struct dbg *d, const char *args) {
  struct sym s;
  (void)args;
  if (!fresh(d)) return;
  if (!sym_named(d->syms, "main", &s)) {
    out_error(d->out, "no function is called main; 'starti' stops at the first instruction");
    return;
  }
  dbg_until(d, sym_after_prologue(d->syms, &s), false);
}

void cmd_starti(struct dbg *d, const char *args) {
  (void)args;
  if (!restarted(d)) return;
  d->runs++;
  dbg_done(d, STOP_STEPPED);
}

void cmd_continue(struct dbg *d, const char *args) {
  u64 n;
  if (!command_count(d, args, &n)) return;
  if (d->stop.why == STOP_POINT && d->stop.point && n > 1) d->stop.point->ignore = n - 1;
  dbg_continue(d);
}

#define STEPPER(name, call)                                 \
  void name(struct dbg *d, const char *args) {              \
    u64 n;                                                  \
    if (command_count(d, args, &n)) call;                   \
  }
STEPPER(cmd_stepi, dbg_stepi(d, n))
STEPPER(cmd_nexti, dbg_nexti(d, n))
STEPPER(cmd_step, dbg_step_line(d, n, true))
STEPPER(cmd_next, dbg_step_line(d, n, false))

void cmd_ring(struct dbg *d, const char *args) {
  (void)args;
  dbg_ring(d);
}

void cmd_finish(struct dbg *d, const char *args) {
  (void)args;
  if (dbg_finish(d, d->selected)) out_error(d->out, "this is the outermost frame that is known");
}

static void run_to(struct dbg *d, const char *args, bool frame) {
  u64 addr;
  if (!*args) {
    out_error(d->out, "where to? a place: a function, FILE:LINE, or *ADDRESS");
    return;
  }
  if (command_place(d, args, true, &addr)) dbg_until(d, addr, frame);
}

/* As `next`, but where a loop jumps back on through it to the line behind. */
static void until_next(struct dbg *d) {
  struct sym f, now;
  u64 pc = dbg_pc(d), rsp = d->cpu->gpr[RSP];
  bool named = sym_at(d->syms, pc, &f);
  do dbg_step_line(d, 1, false);
  while (named && d->alive && d->stop.why == STOP_STEPPED && dbg_pc(d) <= pc && d->cpu->gpr[RSP] == rsp &&
         sym_at(d->syms, dbg_pc(d), &now) && now.addr == f.addr);
}

void cmd_until(struct dbg *d, const char *args) {
  if (*args) run_to(d, args, true);
  else until_next(d);
}
void cmd_advance(struct dbg *d, const char *args) { run_to(d, args, false); }

void cmd_signal(struct dbg *d, const char *args) {
  char word[32];
  if (!d->target.signal_number) {
    out_error(d->out, "a machine has no signals");
    return;
  }
  if (!command_word(&args, word, sizeof word)) {
    out_error(d->out, "which signal? a name, or 0 for none");
    return;
  }
  int n = strcmp(word, "0") ? d->target.signal_number(word) : 0;
  if (!n && strcmp(word, "0")) {
    out_error(d->out, "'%s' is no signal", word);
    return;
  }
  dbg_set_signal(d, n);
  dbg_continue(d);
}

/* ---- breakpoints ---- */

/* "PLACE if CONDITION": cuts args at " if ". */
static char *split_condition(const char *args, const char **condition) {
  char *s = strdup(args);
  if (!s) return NULL;
  *condition = NULL;
  char *at = !strncmp(s, "if ", 3) ? s : strstr(s, " if ");
  if (at) {
    *condition = command_skip(at + (*at == ' ' ? 4 : 3));
    *at = 0;
  }
  for (size_t n = strlen(s); n && (s[n - 1] == ' ' || s[n - 1] == '\t');) s[--n] = 0;
  return s;
}

/* A condition that means nothing is refused now, not at the stop. Names that do not exist yet count as that. */
static bool good_condition(struct dbg *d, const char *condition) {
  struct value v;
  char err[200];
  if (!condition || !dbg_eval_value(d, condition, &v, NULL, err, sizeof err)) return true;
  if (strstr(err, "no memory can be read")) return true; /* not now */
  out_error(d->out, "condition: %s", err);
  return false;
}

/* "0x401136 <main+4>: a.c:12" */
static void tell_code(struct dbg *d, u64 addr, const char *name) {
  struct sym_line line;
  command_address(d, addr, name);
  if (!sym_line_at(d->syms, addr, &line)) return;
  out_str(d->out, "file", line.file, ": %s");
  out_num(d->out, "line", line.line, ":%llu");
}

static void tell_places(struct dbg *d, const struct point *p) {
  out_open_list(d->out, "places");
  for (unsigned k = 0; k < p->places; k++) {
    char number[32];
    snprintf(number, sizeof number, "%u.%u", p->number, k + 1);
    out_open(d->out, NULL);
    out_str(d->out, "number", number, "%-23s");
    out_bool(d->out, "enabled", !p->place[k].off, NULL);
    out_text(d->out, "%-4s ", p->place[k].off ? "no" : "yes");
    tell_code(d, p->place[k].addr, "place");
    out_text(d->out, "\n");
    out_close(d->out);
  }
  out_close(d->out);
}

static void tell_point(struct dbg *d, const struct point *p, const char *what) {
  out_num(d->out, "number", p->number, NULL);
  out_text(d->out, "%s%c%s %u", p->temporary ? "Temporary " : "", p->temporary ? tolower(*what) : *what, what + 1, p->number);
  if (p->kind == POINT_BREAK) {
    out_text(d->out, " at ");
    tell_code(d, p->addr, "place");
    if (p->places) out_text(d->out, ", and %u more places", p->places - 1);
  } else {
    out_str(d->out, "what", p->text, ": %s");
  }
  out_text(d->out, "\n");
}

static void add(struct dbg *d, const struct point *like, const char *what) {
  const struct point *p = dbg_add_point(d, like);
  if (p) tell_point(d, p, what);
  else out_error(d->out, "out of memory");
}

static void set_break(struct dbg *d, const char *args, bool temporary) {
  u64 addr[SYM_PLACES];
  struct point_place at[SYM_PLACES] = {{0, false}};
  const char *condition;
  char err[256], *place = split_condition(args, &condition);
  if (!place || !good_condition(d, condition)) {
    free(place);
    return;
  }
  int n = dbg_place(d, place, true, addr, SYM_PLACES, err, sizeof err);
  if (n < 0) out_error(d->out, "%s", err);
  if (n > SYM_PLACES) n = SYM_PLACES;
  for (int k = 0; k < n; k++) at[k].addr = addr[k];
  if (n > 0)
    add(d, &(struct point){.kind = POINT_BREAK, .enabled = true, .temporary = temporary, .addr = addr[0],
                           .place = at, .places = n > 1 ? (unsigned)n : 0,
                           .text = *place ? place : (char[]){"here"}, .condition = (char *)(uintptr_t)condition}, "Breakpoint");
  free(place);
}
void cmd_break(struct dbg *d, const char *args) { set_break(d, args, false); }
void cmd_tbreak(struct dbg *d, const char *args) { set_break(d, args, true); }

/* What the expression names: memory, a variable by its symbol, or anything that has a value. */
static bool watched(struct dbg *d, const char *text, enum point_kind kind, struct point *p) {
  struct value v;
  struct sym s;
  char err[200];
  *p = (struct point){.kind = kind, .enabled = true, .text = (char *)(uintptr_t)text};
  if (sym_named(d->syms, text, &s) && !s.function) {
    p->addr = s.addr;
    p->len = s.size ? s.size : dbg_bits(d) / 8;
    return true;
  }
  if (dbg_eval_value(d, text, &v, NULL, err, sizeof err)) {
    out_error(d->out, "%s", err);
    return false;
  }
  if (v.kind == VALUE_MEMORY) {
    p->addr = v.addr;
    p->len = v.bytes;
    return true;
  }
  if (kind != POINT_WATCH) {
    out_error(d->out, "only memory can be watched for reads: u32[ADDR], *ADDR, or a variable");
    return false;
  }
  if (v.constant) return out_error(d->out, "%s is always %#" PRIx64 "; for memory there, u32[%s]", text, v.v, text), false;
  p->kind = POINT_EXPRESSION;
  p->old_value = v.v;
  return true;
}

static void set_watch(struct dbg *d, const char *args, enum point_kind kind, const char *what) {
  const char *condition;
  struct point p;
  char *text = split_condition(args, &condition);
  if (text && !*text) out_error(d->out, "what shall be watched?");
  else if (text && good_condition(d, condition) && watched(d, text, kind, &p)) {
    p.condition = (char *)(uintptr_t)condition;
    add(d, &p, what);
    points_remember(d);
  }
  free(text);
}
void cmd_watch(struct dbg *d, const char *args) { set_watch(d, args, POINT_WATCH, "Watchpoint"); }
void cmd_rwatch(struct dbg *d, const char *args) { set_watch(d, args, POINT_RWATCH, "Read watchpoint"); }
void cmd_awatch(struct dbg *d, const char *args) { set_watch(d, args, POINT_AWATCH, "Access watchpoint"); }

/* ---- catch ---- */

static bool catch_syscall(struct dbg *d, const char *args, struct point *p) {
  char word[64];
  bool program32 = dbg_program_bits(d) == 32;
  p->kind = POINT_SYSCALL;
  p->number_of = -1;
  if (!d->target.syscall_number) return out_error(d->out, "a machine has no system calls"), false;
  if (!command_word(&args, word, sizeof word)) return true;
  char *end;
  long n = strtol(word, &end, 0);
  p->i386 = program32;
  if (*end || n < 0) n = d->target.syscall_number(d->target.opaque, word, program32);
  if (n < 0) return out_error(d->out, "no system call is called '%s'", word), false;
  if (*args) return out_error(d->out, "one system call; catch '%s' by another command", args), false;
  p->number_of = (int)n;
  return true;
}

static bool catch_signal(struct dbg *d, const char *args, struct point *p) {
  char word[64];
  p->kind = POINT_SIGNAL;
  p->number_of = -1;
  if (!d->target.signal_number) return out_error(d->out, "a machine has no signals"), false;
  if (!command_word(&args, word, sizeof word) || !strcmp(word, "all")) return true;
  p->number_of = d->target.signal_number(word);
  if (!p->number_of) out_error(d->out, "'%s' is no signal", word);
  return p->number_of;
}

static bool catch_exception(struct dbg *d, const char *args, struct point *p) {
  char word[64];
  u64 v;
  p->kind = POINT_EXCEPTION;
  p->number_of = -1;
  if (!command_word(&args, word, sizeof word)) return true;
  for (unsigned k = 0; k < EXCEPTION_VECTORS; k++) {
    const char *m = vector_rows[k].mnemonic;
    if (m && (!strcasecmp(word, m) || !strcasecmp(word, m + 1))) return p->number_of = (int)k, true;
  }
  if (isalpha((unsigned char)*word)) return out_error(d->out, "no exception is called '%s'; a vector, or a name such as PF, UD, GP", word), false;
  if (!command_value(d, word, &v)) return false;
  if (v > 255) return out_error(d->out, "vectors are 0 to 255"), false;
  p->number_of = (int)v;
  return true;
}

static bool transition_kind(const char *word, struct point *p) {
  static const struct { const char *word; u32 kinds; } words[] = {
      {"call-gate", 1u << TR_FAR_CALL | 1u << TR_FAR_JMP}, {"task", 1u << TR_TASK}, {"far", 1u << TR_FAR_CALL | 1u << TR_FAR_JMP | 1u << TR_FAR_RET},
      {"retf", 1u << TR_FAR_RET}, {"irq", 1u << TR_INTERRUPT}};
  p->call_gate = !strcmp(word, "call-gate");
  for (unsigned k = 0; k < ARRAY_SIZE(words); k++)
    if (!strcmp(word, words[k].word)) return p->kinds |= words[k].kinds, true;
  for (unsigned k = 0; k < TR_KINDS; k++)
    if (!strcmp(word, transition_name((enum transition_kind)k))) return p->kinds |= 1u << k, true;
  return false;
}

static bool one_ring(char c, int *ring) {
  if (c != '*' && (c < '0' || c > '3')) return false;
  *ring = c == '*' ? -1 : c - '0';
  return true;
}

static bool catch_transition(struct dbg *d, const char *args, struct point *p) {
  char word[64];
  p->kind = POINT_TRANSITION;
  p->from_cpl = p->to_cpl = p->number_of = -1;
  while (command_word(&args, word, sizeof word)) {
    const char *arrow = strstr(word, "->");
    if (arrow) {
      if (arrow - word == 1 && strlen(arrow) == 3 && one_ring(word[0], &p->from_cpl) && one_ring(arrow[2], &p->to_cpl)) continue;
      out_error(d->out, "'%s': a ring, '->' and a ring: 3->0; rings are 0 to 3, or *", word);
      return false;
    }
    if (p->kinds && isdigit((unsigned char)*word)) {
      u64 vector;
      if (!command_value(d, word, &vector)) return false;
      if (vector > 255 || (p->kinds & ~(1u << TR_INT | 1u << TR_EXCEPTION | 1u << TR_INTERRUPT)))
        return out_error(d->out, vector > 255 ? "vectors are 0 to 255" : "only int, exception and interrupt have vectors"), false;
      p->number_of = (int)vector;
      continue;
    }
    if (p->kinds) return out_error(d->out, "'%s' is too much: kinds are separated by | without blanks", word), false;
    if (!strcmp(word, "via") && !command_word(&args, word, sizeof word)) return out_error(d->out, "via what?"), false;
    for (char *next, *one = word; one; one = next) {
      next = strpbrk(one, "|,");
      if (next) *next++ = 0;
      if (transition_kind(one, p)) continue;
      out_error(d->out, "'%s' is none of syscall, sysenter, int, exception, interrupt, iret, sysret, sysexit, call-gate, far, "
                        "retf, task", one);
      return false;
    }
  }
  return true;
}

static void set_catch(struct dbg *d, const char *args, bool temporary) {
  char word[32];
  const char *condition;
  char *text = split_condition(args, &condition);
  const char *rest = text;
  struct point p = {.enabled = true, .temporary = temporary, .text = text, .condition = (char *)(uintptr_t)condition};
  bool good = text && good_condition(d, condition);
  if (good && !command_word(&rest, word, sizeof word)) {
    out_error(d->out, "catch what? syscall, signal, exception, transition or mode");
    good = false;
  } else if (good) {
    if (!strcmp(word, "syscall")) good = catch_syscall(d, rest, &p);
    else if (!strcmp(word, "signal")) good = catch_signal(d, rest, &p);
    else if (!strcmp(word, "exception")) good = catch_exception(d, rest, &p);
    else if (!strcmp(word, "transition")) good = catch_transition(d, rest, &p);
    else if (!strcmp(word, "mode")) p.kind = POINT_MODE;
    else {
      out_error(d->out, "catch %s? only syscall, signal, exception, transition and mode are known", word);
      good = false;
    }
  }
  if (good) add(d, &p, "Catchpoint");
  free(text);
}
void cmd_catch(struct dbg *d, const char *args) { set_catch(d, args, false); }
void cmd_tcatch(struct dbg *d, const char *args) { set_catch(d, args, true); }

void cmd_modebp(struct dbg *d, const char *args) {
  struct point *p = dbg_points(d);
  (void)args;
  while (p && p->kind != POINT_MODE) p = p->next;
  if (!p) {
    add(d, &(struct point){.kind = POINT_MODE, .enabled = true, .text = (char[]){"mode"}}, "Catchpoint");
    return;
  }
  unsigned number = p->number;
  dbg_delete_point(d, p);
  out_num(d->out, "deleted", number, "Catchpoint %llu deleted\n");
}

/* ---- changing them ---- */

/* The point that args begin with; moves on. place: of "1.2", counted from 1, else 0; NULL: such is refused. */
static struct point *named_place(struct dbg *d, const char **args, unsigned *place) {
  char word[32], *end;
  if (!command_word(args, word, sizeof word)) return out_error(d->out, "which one? its number"), NULL;
  unsigned long n = strtoul(word, &end, 10), k = 0;
  if (place && *end == '.' && isdigit((unsigned char)end[1])) k = strtoul(end + 1, &end, 10);
  struct point *p = *end || n > UINT32_MAX ? NULL : dbg_point(d, (unsigned)n);
  if (!p || k > p->places) {
    out_error(d->out, "there is no breakpoint %s", word);
    return NULL;
  }
  if (place) *place = (unsigned)k;
  return p;
}
static struct point *named_point(struct dbg *d, const char **args) { return named_place(d, args, NULL); }

/* "3-6": moves on. False: args do not begin with a range. */
static bool number_range(const char **args, unsigned *first, unsigned *last) {
  char word[32], *end;
  const char *at = *args;
  if (!command_word(&at, word, sizeof word) || !isdigit((unsigned char)*word)) return false;
  *first = (unsigned)strtoul(word, &end, 10);
  if (*end != '-' || !isdigit((unsigned char)end[1])) return false;
  *last = (unsigned)strtoul(end + 1, &end, 10);
  if (*end) return false;
  *args = at;
  return true;
}

void cmd_condition(struct dbg *d, const char *args) {
  struct point *p = named_point(d, &args);
  if (!p || (*args && !good_condition(d, args))) return;
  if (dbg_set_condition(d, p, *args ? args : NULL)) out_error(d->out, "out of memory");
  else if (!*args) out_text(d->out, "Breakpoint %u has no condition now\n", p->number);
}

void cmd_ignore(struct dbg *d, const char *args) {
  struct point *p = named_point(d, &args);
  u64 n;
  if (!p) return;
  if (!*args) {
    out_error(d->out, "how often?");
    return;
  }
  if (!command_count(d, args, &n)) return;
  p->ignore = n;
  out_num(d->out, "ignore", n, "Passes it the next %llu times\n");
}

void cmd_commands(struct dbg *d, const char *args) {
  struct point *p = NULL;
  if (*args) {
    p = named_point(d, &args);
  } else {
    for (struct point *q = dbg_points(d); q; q = q->next) p = q;
    if (!p) out_error(d->out, "there is no breakpoint yet");
  }
  if (!p) return;
  d->commands->collecting = COLLECT_POINT;
  d->commands->point = p->number;
}

static void delete_display(struct dbg *d, const char *args);

void cmd_delete(struct dbg *d, const char *args) {
  if (!strncmp(args, "display", 7)) {
    delete_display(d, command_skip(args + 7));
    return;
  }
  if (!*args)
    while (dbg_points(d)) dbg_delete_point(d, dbg_points(d));
  while (*args) {
    unsigned first, last;
    if (number_range(&args, &first, &last)) {
      for (struct point *p = dbg_points(d), *next; p; p = next) {
        next = p->next;
        if (p->number >= first && p->number <= last) dbg_delete_point(d, p);
      }
      continue;
    }
    struct point *p = named_point(d, &args);
    if (!p) return;
    dbg_delete_point(d, p);
  }
}

void cmd_clear(struct dbg *d, const char *args) {
  u64 addr;
  unsigned n = 0;
  if (!command_place(d, args, true, &addr)) return;
  for (struct point *p = dbg_points(d), *next; p; p = next) {
    next = p->next;
    if (p->kind != POINT_BREAK || (p->addr != addr && !dbg_point_is_at(p, addr))) continue;
    out_text(d->out, n++ ? " %u" : "Deleted breakpoint %u", p->number);
    dbg_delete_point(d, p);
  }
  if (n) out_text(d->out, "\n");
  else out_error(d->out, "there is no breakpoint");
}

static struct display *display(struct dbg *d, unsigned number) {
  struct display *s = d->commands->displays;
  while (s && s->number != number) s = s->next;
  return s;
}

static void set_enabled(struct dbg *d, const char *args, bool on) {
  bool once = false, temporary = false;
  if (!strncmp(args, "display", 7)) {
    struct display *s;
    args = command_skip(args + 7);
    for (s = d->commands->displays; s; s = s->next)
      if (!*args || s == display(d, (unsigned)strtoul(args, NULL, 10))) s->enabled = on;
    return;
  }
  if (on && !strncmp(args, "once ", 5)) once = true, args = command_skip(args + 5);
  if (on && !strncmp(args, "delete ", 7)) temporary = true, args = command_skip(args + 7);
  if (!*args)
    for (struct point *p = dbg_points(d); p; p = p->next) p->enabled = on;
  while (*args) {
    unsigned first, last, place;
    if (number_range(&args, &first, &last)) {
      for (struct point *p = dbg_points(d); p; p = p->next)
        if (p->number >= first && p->number <= last) p->enabled = on;
      continue;
    }
    struct point *p = named_place(d, &args, &place);
    if (!p) break;
    if (place) {
      p->place[place - 1].off = !on;
      continue;
    }
    p->enabled = on;
    p->once = once;
    if (temporary) p->temporary = true;
  }
  points_remember(d);
  dbg_points_changed(d);
}
void cmd_enable(struct dbg *d, const char *args) { set_enabled(d, args, true); }
void cmd_disable(struct dbg *d, const char *args) { set_enabled(d, args, false); }

static void delete_display(struct dbg *d, const char *args) {
  struct display **at = &d->commands->displays;
  unsigned number = (unsigned)strtoul(args, NULL, 10);
  while (*at) {
    struct display *s = *at;
    if (*args && s->number != number) {
      at = &s->next;
      continue;
    }
    *at = s->next;
    free(s->text);
    free(s);
    if (*args) return;
  }
  if (*args) out_error(d->out, "there is no display %s", args);
}
void cmd_undisplay(struct dbg *d, const char *args) { delete_display(d, args); }

/* ---- signals ---- */

static void tell_policy(struct dbg *d, int n, const struct signal_policy *p) {
  out_open(d->out, NULL);
  out_str(d->out, "signal", d->target.signal_name(n), "%-10s");
  out_bool(d->out, "stop", p->stop, NULL);
  out_bool(d->out, "print", p->print, NULL);
  out_bool(d->out, "pass", p->pass, NULL);
  out_text(d->out, " %-8s %-8s %s\n", p->stop ? "stop" : "nostop", p->print ? "print" : "noprint", p->pass ? "pass" : "nopass");
  out_close(d->out);
}

static bool change_policy(struct signal_policy *p, const char *word) {
  if (!strcmp(word, "stop")) p->stop = p->print = true;
  else if (!strcmp(word, "nostop")) p->stop = false;
  else if (!strcmp(word, "print")) p->print = true;
  else if (!strcmp(word, "noprint")) p->print = p->stop = false;
  else if (!strcmp(word, "pass") || !strcmp(word, "noignore")) p->pass = true;
  else if (!strcmp(word, "nopass") || !strcmp(word, "ignore")) p->pass = false;
  else return false;
  return true;
}

void cmd_handle(struct dbg *d, const char *args) {
  char word[32];
  if (!d->target.signal_number || !command_word(&args, word, sizeof word)) {
    out_error(d->out, d->target.signal_number ? "which signal?" : "a machine has no signals");
    return;
  }
  bool all = !strcmp(word, "all");
  int n = all ? 1 : d->target.signal_number(word), last = all ? SIGNALS - 1 : n;
  if (!n) {
    out_error(d->out, "'%s' is no signal", word);
    return;
  }
  const char *changes = args;
  out_open_list(d->out, "signals");
  for (; n <= last; n++) {
    struct signal_policy *p = dbg_signal_policy(d, n);
    for (const char *at = changes; p && command_word(&at, word, sizeof word);)
      if (!change_policy(p, word)) {
        out_close(d->out);
        out_error(d->out, "'%s' is none of stop, nostop, print, noprint, pass, nopass", word);
        return;
      }
    if (p && d->target.signal_name(n) && !all) tell_policy(d, n, p);
  }
  out_close(d->out);
}

void topic_signals(struct dbg *d, const char *args) {
  (void)args;
  if (!d->target.signal_name) {
    out_error(d->out, "a machine has no signals");
    return;
  }
  out_text(d->out, "%-10s %-8s %-8s %-7s %s\n", "signal", "stop", "print", "pass", "in the program");
  out_open_list(d->out, "signals");
  for (int n = 1; n < SIGNALS; n++) {
    const char *name = d->target.signal_name(n), *disposition;
    const struct signal_policy *p = dbg_signal_policy(d, n);
    u64 handler;
    bool blocked, pending;
    if (!name || !d->target.signal_state(d->target.opaque, n, &disposition, &handler, &blocked, &pending)) continue;
    if (n > 31 && !handler && !blocked && !pending && !out_json(d->out)) continue;
    out_open(d->out, NULL);
    out_str(d->out, "signal", name, "%-10s ");
    out_text(d->out, "%-8s %-8s %-7s ", p->stop ? "stop" : "nostop", p->print ? "print" : "noprint", p->pass ? "pass" : "nopass");
    out_bool(d->out, "stop", p->stop, NULL);
    out_bool(d->out, "print", p->print, NULL);
    out_bool(d->out, "pass", p->pass, NULL);
    out_str(d->out, "disposition", disposition, "%s");
    if (handler) {
      out_text(d->out, " ");
      command_address(d, handler, "handler");
    }
    out_bool(d->out, "blocked", blocked, ", blocked");
    out_bool(d->out, "pending", pending, ", pending");
    out_text(d->out, "\n");
    out_close(d->out);
  }
  out_close(d->out);
}

void topic_breakpoints(struct dbg *d, const char *args) {
  static const char *const kinds[] = {
      [POINT_BREAK] = "breakpoint", [POINT_WATCH] = "watch", [POINT_RWATCH] = "rwatch", [POINT_AWATCH] = "awatch",
      [POINT_EXPRESSION] = "watch", [POINT_SYSCALL] = "catch", [POINT_SIGNAL] = "catch", [POINT_EXCEPTION] = "catch",
      [POINT_TRANSITION] = "catch", [POINT_MODE] = "catch"};
  (void)args;
  if (!dbg_points(d)) out_text(d->out, "There are no breakpoints, watchpoints or catchpoints.\n");
  else out_text(d->out, "%-4s %-11s %-5s %-4s %s\n", "num", "kind", "keep", "on", "what");
  out_open_list(d->out, "points");
  for (const struct point *p = dbg_points(d); p; p = p->next) {
    out_open(d->out, NULL);
    out_num(d->out, "number", p->number, "%-4llu ");
    out_str(d->out, "kind", kinds[p->kind], "%-11s ");
    out_text(d->out, "%-5s %-4s ", p->temporary ? "del" : p->once ? "once" : "yes", p->enabled ? "yes" : "no");
    out_bool(d->out, "temporary", p->temporary, NULL);
    out_bool(d->out, "enabled", p->enabled, NULL);
    out_str(d->out, "what", p->text ? p->text : "", p->kind == POINT_BREAK ? NULL : "%s");
    if (p->places) out_text(d->out, "%u places of %s", p->places, p->text);
    else if (p->kind == POINT_BREAK) tell_code(d, p->addr, "place");
    if (p->condition) out_str(d->out, "condition", p->condition, "  if %s");
    out_num(d->out, "hits", p->hits, !p->hits ? NULL : p->hits == 1 ? "  (%llu hit)" : "  (%llu hits)");
    if (p->ignore) out_num(d->out, "ignore", p->ignore, "  passes %llu more");
    out_text(d->out, "\n");
    if (p->places) tell_places(d, p);
    for (char **c = p->commands; c && *c; c++) out_text(d->out, "         %s\n", *c);
    out_close(d->out);
  }
  out_close(d->out);
}
