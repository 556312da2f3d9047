/* `info`, `explain`, `why`, `whatif`: the state and its changes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assemble.h"
#include "cpu/event.h"
#include "cpu/regname.h"
#include "cpu/stops.h"
#include "cpu/whatif.h"
#include "debugger/command.h"
#include "explain/explain.h"

void cmd_info(struct dbg *d, const char *args) {
  char word[64];
  const struct info_row *found = NULL;
  unsigned many = 0;
  if (!command_word(&args, word, sizeof word)) {
    out_error(d->out, "info on what? 'help info' lists the topics");
    return;
  }
  for (unsigned k = 0; k < info_row_count; k++) {
    if (strncmp(info_rows[k].name, word, strlen(word))) continue;
    if (!info_rows[k].name[strlen(word)]) {
      many = 1;
      found = &info_rows[k];
      break;
    }
    if (!many++) found = &info_rows[k];
  }
  /* gdb's short forms */
  static const struct { const char *brief, *name; } brief[] = {{"b", "breakpoints"}, {"r", "registers"}, {"f", "frame"}, {"s", "signals"}, {"t", "threads"}};
  for (unsigned j = 0; j < ARRAY_SIZE(brief) && many != 1; j++)
    for (unsigned k = 0; k < info_row_count; k++)
      if (!strcmp(word, brief[j].brief) && !strcmp(info_rows[k].name, brief[j].name)) found = &info_rows[k], many = 1;
  if (many == 1) found->run(d, args);
  else out_error(d->out, many ? "'%s' could be more than one topic; see help info" : "there is no topic '%s'; see help info", word);
}

/* ---- registers and tables ---- */

static void one_register(struct dbg *d, const char *name) {
  u64 v;
  char text[80];
  snprintf(text, sizeof text, *name == '$' ? "%s" : "$%s", name);
  if (!command_value(d, text, &v)) return;
  out_open(d->out, NULL);
  out_str(d->out, "name", text + 1, "%-14s ");
  out_hex(d->out, "value", v, "0x%llx");
  out_text(d->out, "  %" PRId64 "\n", (s64)v);
  out_close(d->out);
}

static void say_ended(struct dbg *d) {
  if (d->stop.why == STOP_EXITED || d->stop.why == STOP_KILLED)
    out_bool(d->out, "ended", true, "The program has ended; the last that is known of it:\n");
}

void topic_registers(struct dbg *d, const char *args) {
  struct view v = command_view(d);
  char word[64];
  bool all = !*args;
  say_ended(d);
  if (all && !d->selected) {
    view_registers(&v);
    return;
  }
  out_open_list(d->out, "registers");
  while (command_word(&args, word, sizeof word)) one_register(d, word);
  struct frame f;
  if (all && dbg_frame(d, d->selected, &f)) /* of an outer frame: what is known */
    for (unsigned k = 0; k < 17; k++)
      if (f.regs.known >> k & 1) one_register(d, k < 16 ? regname_at(k) : "rip");
  out_close(d->out);
}

void topic_all_registers(struct dbg *d, const char *args) {
  (void)args;
  say_ended(d);
  out_open_list(d->out, "registers");
  for (unsigned k = 0; regname_at(k); k++) {
    u64 v = regname_get(d->cpu, k);
    out_open(d->out, NULL);
    out_str(d->out, "name", regname_at(k), "%-22s ");
    out_hex(d->out, "value", v, "0x%llx\n");
    out_close(d->out);
  }
  out_close(d->out);
}

#define VIEW(name, call)                            \
  void name(struct dbg *d, const char *args) {      \
    struct view v = command_view(d);                \
    if (*args) out_error(d->out, "this takes no argument: '%s'", args); \
    else call;                                      \
  }
VIEW(topic_sreg, view_sreg(&v))
VIEW(topic_creg, view_creg(&v))
VIEW(topic_dreg, view_dreg(&v))
VIEW(topic_flags, view_flags(&v))
VIEW(topic_mode, view_mode(&v))
VIEW(topic_tss, view_tss(&v))
VIEW(topic_tlb, view_tlb(&v))
VIEW(topic_fpu, view_fpu(&v))
VIEW(topic_sse, view_sse(&v))
VIEW(topic_avx, view_avx(&v))

void topic_msr(struct dbg *d, const char *args) {
  struct view v = command_view(d);
  (void)view_msr(&v, *args ? args : NULL);
}

/* "[N [COUNT]]", N by `scale` to an index. */
static bool entries(struct dbg *d, const char *args, unsigned scale, int *first, int *n) {
  char word[128];
  u64 v;
  *first = -1;
  *n = 1;
  if (!command_word(&args, word, sizeof word)) return true;
  if (!command_value(d, word, &v)) return false;
  *first = (int)((v & 0xffff) / scale);
  if (!*args) return true;
  if (!command_value(d, args, &v)) return false;
  *n = (int)(v & 0x1fff);
  return true;
}

void topic_gdt(struct dbg *d, const char *args) {
  struct view v = command_view(d);
  int first, n;
  if (entries(d, args, 8, &first, &n)) view_gdt(&v, first, n);
}
void topic_ldt(struct dbg *d, const char *args) {
  struct view v = command_view(d);
  int first, n;
  if (entries(d, args, 8, &first, &n)) view_ldt(&v, first, n);
}
void topic_idt(struct dbg *d, const char *args) {
  struct view v = command_view(d);
  int first, n;
  if (entries(d, args, 1, &first, &n)) view_idt(&v, first, n);
}

void topic_selector(struct dbg *d, const char *args) {
  struct view v = command_view(d);
  u64 sel;
  if (command_value(d, args, &sel)) view_selector(&v, (u16)sel);
}
void topic_page(struct dbg *d, const char *args) {
  struct view v = command_view(d);
  u64 la = dbg_pc(d);
  if (!*args || command_value(d, args, &la)) view_page(&v, la);
}
void topic_cpuid(struct dbg *d, const char *args) {
  struct view v = command_view(d);
  u64 leaf;
  if (!*args) view_cpuid(&v, -1);
  else if (command_value(d, args, &leaf)) view_cpuid(&v, (s64)(leaf & 0xffffffff));
}

/* ---- the program ---- */

void topic_vmmap(struct dbg *d, const char *args) {
  struct dbg_mapping m;
  (void)args;
  if (!d->target.mapping) {
    out_error(d->out, "a machine has page tables, not mappings: 'info page ADDR', 'info tlb'");
    return;
  }
  out_open_list(d->out, "mappings");
  for (unsigned n = 0; d->target.mapping(d->target.opaque, n, &m); n++) {
    out_open(d->out, NULL);
    out_hex(d->out, "from", m.lo, "%016llx");
    out_hex(d->out, "to", m.hi, "-%016llx ");
    out_str(d->out, "protection", m.prot, "%-6s ");
    out_hex(d->out, "offset", m.offset, "%8llx ");
    out_str(d->out, "name", m.name, "%s\n");
    out_close(d->out);
  }
  out_close(d->out);
}

void topic_auxv(struct dbg *d, const char *args) {
  static const struct { unsigned key; const char *name; } names[] = {
      {3, "AT_PHDR"}, {4, "AT_PHENT"}, {5, "AT_PHNUM"}, {6, "AT_PAGESZ"}, {7, "AT_BASE"}, {8, "AT_FLAGS"}, {9, "AT_ENTRY"},
      {11, "AT_UID"}, {12, "AT_EUID"}, {13, "AT_GID"}, {14, "AT_EGID"}, {15, "AT_PLATFORM"}, {16, "AT_HWCAP"},
      {17, "AT_CLKTCK"}, {23, "AT_SECURE"}, {25, "AT_RANDOM"}, {26, "AT_HWCAP2"}, {31, "AT_EXECFN"}, {32, "AT_SYSINFO"},
      {33, "AT_SYSINFO_EHDR"}, {51, "AT_MINSIGSTKSZ"}, {0, "AT_NULL"}};
  u8 buf[1024];
  (void)args;
  unsigned n = d->target.auxv ? d->target.auxv(d->target.opaque, buf, sizeof buf) : 0;
  struct dbg_module m;
  unsigned w = d->target.module && d->target.module(d->target.opaque, 0, &m) && n % 16 == 0 && n && *(u32 *)(buf + 4) == 0 ? 8 : 4;
  if (!n) {
    out_error(d->out, "there is no auxiliary vector");
    return;
  }
  out_open_list(d->out, "auxv");
  for (unsigned at = 0; at + 2 * w <= n; at += 2 * w) {
    u64 key = 0, v = 0;
    const char *name = "?";
    memcpy(&key, buf + at, w);
    memcpy(&v, buf + at + w, w);
    for (unsigned k = 0; k < ARRAY_SIZE(names); k++)
      if (names[k].key == key) name = names[k].name;
    out_open(d->out, NULL);
    out_num(d->out, "key", key, "%-3llu ");
    out_str(d->out, "name", name, "%-16s ");
    out_hex(d->out, "value", v, "0x%llx\n");
    out_close(d->out);
  }
  out_close(d->out);
}

void topic_threads(struct dbg *d, const char *args) {
  (void)args;
  out_open_list(d->out, "threads");
  out_open(d->out, NULL);
  out_text(d->out, "* 1  ");
  if (d->target.machine) out_text(d->out, "processor 0  ");
  else out_num(d->out, "tid", (u64)d->target.tid, "thread %llu  ");
  out_num(d->out, "number", 1, NULL);
  out_num(d->out, "cpl", d->cpu->cpl, "ring %llu  ");
  command_address(d, dbg_pc(d), "at");
  out_text(d->out, "\n");
  out_close(d->out);
  out_close(d->out);
}

void topic_program(struct dbg *d, const char *args) {
  (void)args;
  out_str(d->out, "name", d->target.name ? d->target.name : "?", "%s");
  out_bool(d->out, "machine", d->target.machine, ", a machine");
  out_bool(d->out, "alive", d->alive, NULL);
  out_text(d->out, d->alive ? "" : ", ended");
  out_num(d->out, "icount", dbg_icount(d), ", %llu instructions\n");
}

void topic_files(struct dbg *d, const char *args) {
  struct dbg_module m;
  (void)args;
  out_open_list(d->out, "modules");
  for (unsigned n = 0; d->target.module && d->target.module(d->target.opaque, n, &m); n++) {
    out_open(d->out, NULL);
    if (m.lo >= m.hi) (void)sym_module_range(d->syms, m.name, &m.lo, &m.hi);
    out_hex(d->out, "from", m.lo, "%016llx");
    out_hex(d->out, "to", m.hi, "-%016llx ");
    out_str(d->out, "name", m.name, "%s\n");
    out_close(d->out);
  }
  out_close(d->out);
}

/* ---- frames and transitions ---- */

static void interrupt_frame(struct dbg *d, const struct past *p) {
  static const char *const words[] = {
      [WORD_SS] = "SS", [WORD_SP] = "SP", [WORD_FLAGS] = "FLAGS", [WORD_CS] = "CS", [WORD_IP] = "IP", [WORD_ERROR] = "error code",
      [WORD_ES] = "ES", [WORD_DS] = "DS", [WORD_FS] = "FS", [WORD_GS] = "GS", [WORD_PARAM] = "parameter"};
  char text[200];
  if (p->t.kind == TR_SYSCALL || p->t.kind == TR_SYSENTER) {
    out_text(d->out, p->t.kind == TR_SYSCALL ? "  SYSCALL pushes nothing: RIP is in RCX, RFLAGS in R11, RSP where it was\n"
                                             : "  SYSENTER saves nothing: the program's stub knows where it goes on\n");
    return;
  }
  out_text(d->out, "  interrupt frame of %s", transition_name(p->t.kind));
  if (p->t.kind <= TR_INTERRUPT) out_text(d->out, " %u", p->t.vector);
  out_text(d->out, p->recorded ? ":\n" : ", not recorded\n");
  out_open_list(d->out, "slots");
  for (unsigned k = 0; p->recorded && k < p->r.now.n; k++) {
    const struct rec_step *s = &p->r.now.step[k];
    u64 now = 0;
    if (s->kind != REC_PUSH) continue;
    out_open(d->out, NULL);
    out_hex(d->out, "address", s->at, "    0x%llx  ");
    out_str(d->out, "slot", s->word < ARRAY_SIZE(words) && words[s->word] ? words[s->word] : "word", "%-10s  ");
    out_hex(d->out, "pushed", s->a, "0x%llx");
    if (s->word == WORD_FLAGS) {
      explain_flags(text, sizeof text, (u32)s->a);
      out_str(d->out, "decoded", text, "  %s");
    } else if (s->word == WORD_CS || s->word == WORD_SS || (s->word >= WORD_ES && s->word <= WORD_GS)) {
      dbg_slot_selector(p, (u16)s->a, text, sizeof text);
      out_str(d->out, "decoded", text, "  %s");
    } else if (s->word == WORD_ERROR) {
      explain_error(text, sizeof text, p->t.vector, (u32)s->a);
      out_str(d->out, "decoded", text, "  %s");
    } else if (s->word == WORD_IP) {
      (tr_behind(&p->t) ? sym_name_behind : sym_name)(d->syms, p->t.from.cs_base + s->a, text, sizeof text);
      if (*text) out_str(d->out, "decoded", text, "  <%s>");
    }
    if (dbg_peek(d, s->at, &now, s->bytes) == s->bytes && now != s->a) out_hex(d->out, "now", now, "  (now 0x%llx)");
    out_text(d->out, "\n");
    out_close(d->out);
  }
  out_close(d->out);
}

void topic_frame(struct dbg *d, const char *args) {
  struct frame f, out;
  u64 n = d->selected;
  if (*args && !command_value(d, args, &n)) return;
  if (!dbg_frame(d, (unsigned)n, &f)) {
    out_error(d->out, "there is no frame %" PRIu64, n);
    return;
  }
  command_frame(d, (unsigned)n, &f);
  out_hex(d->out, "rsp", f.regs.gpr[RSP], "  rsp 0x%llx");
  out_hex(d->out, "rbp", f.regs.gpr[RBP], "  rbp 0x%llx");
  out_hex(d->out, "cs", f.cs, "  cs 0x%llx");
  out_num(d->out, "bits", f.regs.bits, "  %llu-bit\n");
  if (!dbg_frame(d, (unsigned)n + 1, &out)) {
    out_text(d->out, "  it is the outermost that is known\n");
    return;
  }
  out_text(d->out, "  called from ");
  command_address(d, out.pc, "caller");
  out_text(d->out, out.how == FRAME_CFI ? ", by call frame information\n" : out.how == FRAME_POINTER ? ", by the frame pointer\n" : "\n");
  if (out.in) interrupt_frame(d, out.in);
}

static void put_point(struct dbg *d, const char *name, const struct tr_point *p, bool behind) {
  char place[128] = "";
  (behind ? sym_name_behind : sym_name)(d->syms, tr_linear(p), place, sizeof place);
  out_open(d->out, name);
  out_num(d->out, "cpl", p->cpl, "%llu  ");
  out_hex(d->out, "cs", p->cs, "%04llx:");
  out_hex(d->out, "rip", p->rip, p->code_bits == 64 ? "%012llx" : "%08llx");
  if (*place) out_str(d->out, "name", place, " <%s>");
  out_close(d->out);
}

void topic_transitions(struct dbg *d, const char *args) {
  u64 n = 10;
  if (*args && !command_value(d, args, &n)) return;
  if (!dbg_past_count(d)) out_text(d->out, "There has been no transition.\n");
  out_open_list(d->out, "transitions");
  for (u64 k = n < HISTORY ? n : HISTORY; k-- > 0;) {
    const struct past *p = dbg_past(d, (unsigned)k);
    if (!p) continue;
    bool vector = p->t.kind <= TR_INTERRUPT;
    out_open(d->out, NULL);
    out_num(d->out, "age", k, "%4llu  ");
    out_num(d->out, "number", p->number, NULL);
    if (p->icount) out_num(d->out, "icount", p->icount, NULL);
    out_str(d->out, "kind", transition_name(p->t.kind), "%-10s");
    if (vector) out_num(d->out, "vector", p->t.vector, "%3llu  ");
    else out_text(d->out, "     ");
    put_point(d, "from", &p->t.from, tr_behind(&p->t));
    out_text(d->out, "  ->  ");
    put_point(d, "to", &p->t.to, false);
    out_text(d->out, "\n");
    out_close(d->out);
  }
  out_close(d->out);
}

/* ---- explaining ---- */

static char *told(void (*tell)(FILE *, const struct dbg *, const void *), const struct dbg *d, const void *what) {
  char *text = NULL;
  size_t n;
  FILE *f = open_memstream(&text, &n);
  if (!f) return NULL;
  tell(f, d, what);
  return fclose(f) ? NULL : text;
}

static void tell_past(FILE *f, const struct dbg *d, const void *what) {
  const struct past *p = what;
  explain_transition(f, p->recorded ? p->cpu : d->cpu, p->recorded ? &p->r : NULL, &p->t, d->names);
  if (!p->recorded) fprintf(f, "  its steps were not recorded, nor SS, RSP and RFLAGS in ring 0: 'record on' records them always\n");
  else if (p->derived) fprintf(f, "  its steps are those of a dry run, made now, but for ring 0's flags: 'record on' records them always\n");
}
static void tell_past_json(FILE *f, const struct dbg *d, const void *what) {
  const struct past *p = what;
  explain_json(f, p->recorded ? p->cpu : d->cpu, p->recorded ? &p->r : NULL, &p->t, d->names);
}

static void put_past(struct dbg *d, const struct past *p) {
  char *text = told(tell_past, d, p), *json = out_json(d->out) ? told(tell_past_json, d, p) : NULL;
  if (json) out_raw_json(d->out, "transition", json);
  if (text) out_block(d->out, "text", text);
  free(text);
  free(json);
}

void cmd_explain(struct dbg *d, const char *args) {
  u64 n = 0;
  if (*args && !command_value(d, args, &n)) return;
  const struct past *p = n < HISTORY ? dbg_past_steps(d, (unsigned)n) : NULL;
  if (!p) {
    out_error(d->out, dbg_past_count(d) ? "so far back nothing is kept; 'info transitions' lists what is"
                                        : "there has been no transition yet: step over one ('ring' runs to the next)");
    return;
  }
  put_past(d, p);
}

/* A #DB that is a trap is behind its instruction: no fault, but a transition that says why. NULL: the last was none. */
static const struct past *last_trap(struct dbg *d) {
  for (unsigned n = 0; dbg_past(d, n); n++) {
    const struct past *p = dbg_past(d, n);
    if ((p->t.kind == TR_TASK ? p->t.cause : p->t.kind) != TR_EXCEPTION) continue;
    bool later = !d->fault.number || p->icount >= d->fault.icount;
    return p->recorded && !p->r.faulted && p->t.vector == VEC_DB && later ? p : NULL;
  }
  return NULL;
}

void cmd_why(struct dbg *d, const char *args) {
  const struct past *trap = last_trap(d);
  const char *text = trap ? "" : dbg_why_text(d);
  if (*args) {
    out_error(d->out, "it is the last fault; 'explain %s' tells of a transition", args);
    return;
  }
  if (trap) {
    put_past(d, trap);
    return;
  }
  if (!*text) {
    out_error(d->out, "there has been no fault");
    return;
  }
  if (out_json(d->out)) out_raw_json(d->out, "fault", dbg_why_json(d));
  out_block(d->out, "text", text);
  if (d->stop.why == STOP_SHUTDOWN) out_text(d->out, "and the processor shuts down\n");
}

static void tell_whatif(FILE *f, const struct dbg *d, const void *what) {
  const struct whatif *w = what;
  if (w->outcome == WHATIF_FAULT || w->outcome == WHATIF_SHUTDOWN) explain_why(f, d->cpu, &w->recorder);
  else if (w->changed_ring) explain_transition(f, d->cpu, &w->recorder, &w->transition, d->names);
}

static int hex_bytes(struct dbg *d, const char *s, u8 *out, unsigned *n) {
  *n = 0;
  for (; *s; s = command_skip(s)) {
    char pair[3] = {s[0], s[0] ? s[1] : 0, 0}, *end;
    unsigned long v = strtoul(pair, &end, 16);
    if (end != pair + 2 || *n == INSN_MAX_BYTES) {
      out_error(d->out, *n == INSN_MAX_BYTES ? "an instruction has 15 bytes at most" : "'%s': bytes are two digits each", s);
      return -1;
    }
    out[(*n)++] = (u8)v;
    s += 2;
  }
  return 0;
}

static int assemble(struct dbg *d, const char *text, u8 *bytes, unsigned *n, char *err, size_t size) {
  u8 code[ASSEMBLE_MAX];
  if (strpbrk(text, ";\n") || *command_skip(text) == '.' || strchr(text, '"') || strstr(text, ".inc")) {
    snprintf(err, size, "one instruction, and no directive of the assembler");
    return -1;
  }
  if (!d->assembler) d->assembler = assembler_new(true);
  if (!d->assembler || !assembler_present(d->assembler)) {
    snprintf(err, size, "there is no GNU as here (package binutils); 'whatif hex 0f 05' needs none");
    return -1;
  }
  int len = assemble_text(d->assembler, text, dbg_bits(d), code, err, size);
  if (len > INSN_MAX_BYTES) snprintf(err, size, "'%s' is more than one instruction", text);
  if (len < 0 && strstr(err, "relocation")) snprintf(err, size, "'%s': symbols are not known here; write the address ('p SYMBOL' tells it)", text);
  if (len < 0 || len > INSN_MAX_BYTES) return -1;
  memcpy(bytes, code, (size_t)len);
  *n = (unsigned)len;
  return 0;
}

/* Of a halted processor, what it would do if it were not: HLT is behind it. */
static int awake(struct cpu *cpu, const u8 *bytes, unsigned n, struct whatif *w) {
  bool halted = cpu->halted, shutdown = cpu->shutdown;
  cpu->halted = cpu->shutdown = false;
  int bad = cpu_whatif(cpu, bytes, n, w);
  cpu->halted = halted;
  cpu->shutdown = shutdown;
  return bad;
}

/* A program's code is read-only on the host as well, so its owner puts the bytes there for a while. */
static int dry_run(struct dbg *d, const u8 *bytes, unsigned n, struct whatif *w) {
  u8 old[INSN_MAX_BYTES];
  u64 pc = dbg_pc(d);
  stops_pass(d->cpu); /* a breakpoint here is not what the instruction would do */
  if (!n || !d->target.write || d->target.read(d->target.opaque, pc, old, n) != n)
    return awake(d->cpu, n ? bytes : NULL, n, w);
  if (dbg_poke(d, pc, bytes, n) != n) return -1;
  int bad = awake(d->cpu, NULL, 0, w);
  return dbg_poke(d, pc, old, n) != n ? -1 : bad;
}

void cmd_whatif(struct dbg *d, const char *args) {
  static const char *const outcomes[] = {
      [WHATIF_DONE] = "it completes", [WHATIF_HALT] = "it completes, and the processor halts", [WHATIF_FAULT] = "it faults",
      [WHATIF_SHUTDOWN] = "it shuts the processor down"};
  u8 bytes[INSN_MAX_BYTES];
  unsigned n = 0;
  char err[256];
  if (!strncmp(args, "hex", 3)) {
    if (hex_bytes(d, command_skip(args + 3), bytes, &n)) return;
    unsigned len = disasm_length(d->cpu, dbg_bits(d), bytes, n);
    if (n && len != n) {
      out_error(d->out, len ? "the instruction has %u bytes; give one instruction" : "the instruction does not end with these %u bytes", len ? len : n);
      return;
    }
  } else if (*args && assemble(d, args, bytes, &n, err, sizeof err)) {
    out_error(d->out, "%s", err);
    return;
  }
  struct whatif *w = malloc(sizeof *w);
  if (!w || dry_run(d, bytes, n, w)) {
    out_error(d->out, w ? "the instruction cannot be put at CS:RIP: there is no memory" : "out of memory");
    free(w);
    return;
  }
  if (d->cpu->halted || d->cpu->shutdown)
    out_str(d->out, "now", d->cpu->shutdown ? "shut down" : "halted", "the processor is %s; if it were not: ");
  out_str(d->out, "outcome", outcomes[w->outcome], "%s");
  bool goes = w->outcome == WHATIF_DONE || w->outcome == WHATIF_HALT;
  if (goes) {
    out_text(d->out, ": on to ");
    put_point(d, "after", &w->after, false);
  }
  out_text(d->out, "\n");
  out_bool(d->out, "device", w->touched_device, "it would use a port or a device, which was left out\n");
  char *text = told(tell_whatif, d, w);
  if (text && *text) out_block(d->out, "text", text);
  free(text);
  free(w);
}

void cmd_record(struct dbg *d, const char *args) {
  if (strcmp(args, "on") && strcmp(args, "auto") && strcmp(args, "off")) {
    out_error(d->out, "record on, or record auto");
    return;
  }
  dbg_record(d, !strcmp(args, "on"));
}
