/* The public interface, include/ringwalk.h, on cpu/ and explain/. */
#include "include/ringwalk.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/check.h"
#include "cpu/mem.h"
#include "cpu/regname.h"
#include "cpu/whatif.h"
#include "explain/explain.h"

struct rw {
  struct vm *vm;
  struct cpu *cpu;
  struct cpu_model model;
  u8 *ram;
  u64 ram_bytes;
  struct recorder recorder; /* the processor's */
  struct rec_seen seen[CHECKS];
  struct recorder told;     /* of the transition told last */
  struct transition last;
  struct rw_transition shown;
  bool has_last, fault_only; /* fault_only: a dry run that faulted; there is no transition but a reason */
  char line[700], error[256];
  char *text;
  int waiting; /* vector of the external interrupt; -1: none */
  uint32_t (*in)(void *opaque, uint16_t port, unsigned size);
  void (*out)(void *opaque, uint16_t port, unsigned size, uint32_t value);
  void *port_opaque;
  void (*on_transition)(void *opaque, struct rw *m);
  void *transition_opaque;
};

static PRINTF_LIKE(2, 3) int fail(struct rw *m, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(m->error, sizeof m->error, fmt, ap);
  va_end(ap);
  return -1;
}

const char *rw_error(const struct rw *m) { return m->error; }

/* ---- the record ---- */

static struct rw_point point(const struct tr_point *p) {
  return (struct rw_point){.cs = p->cs, .ss = p->ss, .rip = p->rip, .rsp = p->rsp, .rflags = p->rflags, .cpl = p->cpl,
                           .bits = p->code_bits};
}

static void keep(struct rw *m, const struct transition *t, const struct recorder *r) {
  m->last = *t;
  if (r) m->told = *r;
  else m->told = (struct recorder){.invert = -1};
  m->has_last = true;
  m->fault_only = false;
  enum transition_kind cause = t->kind == TR_TASK ? t->cause : t->kind;
  m->shown = (struct rw_transition){
      .kind = transition_name(t->kind), .vector = cause <= TR_INTERRUPT ? t->vector : -1,
      .has_error = t->has_error, .error = t->error, .from = point(&t->from), .to = point(&t->to), .steps = m->told.now.n};
}

static void on_transition(void *watcher, struct cpu *cpu, const struct transition *t) {
  struct rw *m = watcher;
  keep(m, t, cpu->recorder);
  if (m->on_transition) m->on_transition(m->transition_opaque, m);
}

void rw_record(struct rw *m, bool on) { m->cpu->recorder = on ? &m->recorder : NULL; }

const struct rw_transition *rw_transition(struct rw *m) { return m->has_last ? &m->shown : NULL; }

/* After a dry run that faulted, the steps are those that led to the fault. */
static const struct rec_log *steps(const struct rw *m) { return m->fault_only ? &m->told.cause : &m->told.now; }

int rw_step_at(struct rw *m, unsigned n, struct rw_record_step *step) {
  const struct rec_log *log = steps(m);
  if (!(m->has_last || m->fault_only) || n >= log->n) return fail(m, "step %u is beyond the last", n);
  const struct rec_step *s = &log->step[n];
  explain_step(m->line, sizeof m->line, m->cpu, s);
  *step = (struct rw_record_step){.kind = explain_kind(s), .id = s->kind == REC_CHECK ? check_rows[s->id].id : "", .ok = s->ok,
                           .address = s->at, .value = s->a, .bytes = s->bytes, .text = m->line};
  return 0;
}

static const char *render(struct rw *m, bool json) {
  size_t n = 0;
  free(m->text);
  m->text = NULL;
  FILE *f = open_memstream(&m->text, &n);
  if (!f) return NULL;
  if (m->fault_only && json) explain_why_json(f, m->cpu, &m->told);
  else if (m->fault_only) explain_why(f, m->cpu, &m->told);
  else if (m->has_last && json) explain_json(f, m->cpu, &m->told, &m->last, NULL);
  else if (m->has_last) explain_transition(f, m->cpu, &m->told, &m->last, NULL);
  return fclose(f) ? NULL : m->text;
}
const char *rw_explain(struct rw *m) { return render(m, false); }
const char *rw_explain_json(struct rw *m) { return render(m, true); }

void rw_on_transition(struct rw *m, void (*fn)(void *opaque, struct rw *m), void *opaque) {
  m->on_transition = fn;
  m->transition_opaque = opaque;
}

int rw_check_count(struct rw *m, const char *id, uint64_t *passed, uint64_t *failed) {
  int k = check_find(id);
  if (k < 0) return fail(m, "%s: no such check", id);
  *passed = m->seen[k].passed;
  *failed = m->seen[k].failed;
  return 0;
}

/* ---- the bus ---- */

static u32 port_in(void *opaque, struct cpu *cpu, u16 port, unsigned size) {
  const struct rw *m = opaque;
  (void)cpu;
  return m->in ? m->in(m->port_opaque, port, size) : ~UINT32_C(0);
}
static void port_out(void *opaque, struct cpu *cpu, u16 port, unsigned size, u32 value) {
  const struct rw *m = opaque;
  (void)cpu;
  if (m->out) m->out(m->port_opaque, port, size, value);
}
static int acknowledge(void *opaque, struct cpu *cpu) {
  struct rw *m = opaque;
  int vector = m->waiting;
  m->waiting = -1;
  cpu_set_intr(cpu, false);
  return vector;
}

void rw_on_port(struct rw *m, uint32_t (*in)(void *opaque, uint16_t port, unsigned size),
                void (*out)(void *opaque, uint16_t port, unsigned size, uint32_t value), void *opaque) {
  m->in = in;
  m->out = out;
  m->port_opaque = opaque;
}

int rw_interrupt(struct rw *m, uint8_t vector) {
  if (m->waiting >= 0) return fail(m, "interrupt %02Xh is still waiting", (unsigned)m->waiting);
  m->waiting = vector;
  cpu_set_intr(m->cpu, true);
  return 0;
}
void rw_nmi(struct rw *m) { cpu_send_nmi(m->cpu); }

/* ---- making ---- */

struct rw *rw_create(const char *cpu, uint64_t ram_bytes, char *err, size_t err_size) {
  enum { RAM_MAX_BITS = 40 };
  struct rw *m = calloc(1, sizeof *m);
  char why[200] = "out of memory";
  if (!m) goto failed;
  m->recorder.invert = m->waiting = -1;
  m->recorder.seen = m->seen;
  if (!ram_bytes || ram_bytes % PAGE_SIZE || ram_bytes > UINT64_C(1) << RAM_MAX_BITS) {
    snprintf(why, sizeof why, "memory of %llu bytes: at least 4096, a multiple of it, at most 2^40",
             (unsigned long long)ram_bytes);
    goto failed;
  }
  if (model_parse(cpu ? cpu : "intel", &m->model, why, sizeof why)) goto failed;
  snprintf(why, sizeof why, "out of memory");
  m->ram_bytes = ram_bytes;
  void *ram = mmap(NULL, ram_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (ram == MAP_FAILED) goto failed;
  m->ram = ram;
  m->vm = vm_create();
  if (!m->vm || phys_add(&m->vm->mem, &(struct phys_region){.base = 0, .size = ram_bytes, .host = m->ram})) goto failed;
  m->cpu = cpu_create(m->vm, &m->model);
  if (!m->cpu) goto failed;
  m->vm->hooks = (struct vm_hooks){.opaque = m, .watcher = m, .transition = on_transition, .in = port_in, .out = port_out,
                                   .inta = acknowledge};
  m->cpu->recorder = &m->recorder;
  return m;
failed:
  if (err_size) snprintf(err, err_size, "%s", why);
  rw_destroy(m);
  return NULL;
}

void rw_destroy(struct rw *m) {
  if (!m) return;
  vm_destroy(m->vm);
  if (m->ram) munmap(m->ram, m->ram_bytes);
  free(m->text);
  free(m);
}

void rw_reset(struct rw *m) {
  cpu_reset(m->cpu);
  cpu_tlb_flush(m->cpu);
}

/* ---- state ---- */

const char *rw_register(unsigned n) { return regname_at(n); }

int rw_get(struct rw *m, const char *reg, uint64_t *value) {
  int id = regname_find(reg);
  if (id < 0) return fail(m, "%s: no such register", reg);
  *value = regname_get(m->cpu, (unsigned)id);
  return 0;
}
int rw_set(struct rw *m, const char *reg, uint64_t value) {
  int id = regname_find(reg);
  if (id < 0) return fail(m, "%s: no such register", reg);
  regname_set(m->cpu, (unsigned)id, value);
  if (!strcmp(regname_at((unsigned)id), "rip")) m->cpu->halted = false; /* it goes on there */
  return 0;
}

int rw_load_segment(struct rw *m, const char *reg, uint16_t selector) {
  static const char *const names[SREG_COUNT] = {"es", "cs", "ss", "ds", "fs", "gs"};
  for (unsigned r = 0; r < SREG_COUNT; r++) {
    if (strcmp(names[r], reg)) continue;
    if (!regname_load_segment(m->cpu, (enum sreg)r, selector)) return 0;
    return fail(m, "%s: selector %04Xh is beyond its table", reg, selector);
  }
  return fail(m, "%s: no such segment register", reg);
}

static int inside(struct rw *m, uint64_t address, size_t n) {
  if (address <= m->ram_bytes && n <= m->ram_bytes - address) return 0;
  return fail(m, "%zu bytes at %llXh: the memory ends at %llXh", n, (unsigned long long)address,
              (unsigned long long)m->ram_bytes);
}
int rw_read(struct rw *m, uint64_t address, void *buf, size_t n) {
  if (inside(m, address, n)) return -1;
  memcpy(buf, m->ram + address, n);
  return 0;
}
int rw_write(struct rw *m, uint64_t address, const void *buf, size_t n) {
  if (inside(m, address, n)) return -1;
  memcpy(m->ram + address, buf, n);
  vm_code_changed(m->vm, address, n);
  return 0;
}

/* mem_peek() and mem_poke() take 32-bit counts; nothing is written unless all can be. */
static int linear(struct rw *m, uint64_t address, void *buf, size_t n, bool write) {
  enum { PART = 4096 };
  u8 scratch[PART];
  for (size_t done = 0; done < n;) {
    unsigned part = n - done < PART ? (unsigned)(n - done) : (unsigned)PART;
    if (mem_peek(m->cpu, address + done, write ? scratch : (u8 *)buf + done, part) < part)
      return fail(m, "%zu bytes at linear address %llXh: not all are mapped", n, (unsigned long long)address);
    done += part;
  }
  for (size_t done = 0; write && done < n;) {
    unsigned part = n - done < PART ? (unsigned)(n - done) : (unsigned)PART;
    done += mem_poke(m->cpu, address + done, (u8 *)buf + done, part);
  }
  return 0;
}
int rw_read_linear(struct rw *m, uint64_t address, void *buf, size_t n) { return linear(m, address, buf, n, false); }
int rw_write_linear(struct rw *m, uint64_t address, const void *buf, size_t n) {
  return linear(m, address, (void *)(uintptr_t)buf, n, true);
}

/* ---- running ---- */

enum rw_stop rw_run(struct rw *m, uint64_t limit) {
  static const enum rw_stop why[] = {[CPU_EXIT_BUDGET] = RW_STOP_BUDGET, [CPU_EXIT_STOP] = RW_STOP_REQUEST,
                                     [CPU_EXIT_HALT] = RW_STOP_HALT, [CPU_EXIT_SHUTDOWN] = RW_STOP_SHUTDOWN};
  m->fault_only = false;
  enum cpu_exit e = cpu_run(m->cpu, limit);
  if (e == CPU_EXIT_SHUTDOWN) {
    fail(m, "%s", m->cpu->shutdown_reason ? m->cpu->shutdown_reason : "shutdown");
    if (m->recorder.faulted) m->told = m->recorder;
    m->fault_only = m->recorder.faulted;
  }
  return why[e];
}

/* The delivery of a fault ends a step, though no instruction is complete. */
static bool delivered(void *watcher, struct cpu *cpu, const struct fault *f) {
  (void)watcher, (void)f;
  cpu_stop(cpu);
  return false;
}
enum rw_stop rw_step(struct rw *m) {
  m->vm->hooks.fault = delivered;
  enum rw_stop why = rw_run(m, 1);
  m->vm->hooks.fault = NULL;
  return why == RW_STOP_REQUEST ? RW_STOP_BUDGET : why;
}

void rw_stop(struct rw *m) { cpu_stop(m->cpu); }
uint64_t rw_instructions(const struct rw *m) { return cpu_icount(m->cpu); }

/* Nothing can be put there; the fetch says why. */
static int whatif_unmapped(struct rw *m, struct whatif *w) {
  if (cpu_whatif(m->cpu, NULL, 0, w) || w->outcome != WHATIF_FAULT) return fail(m, "the bytes cannot be put at CS:RIP");
  (void)fail(m, "the fetch at CS:RIP would fault: the bytes were not looked at");
  return 0;
}

int rw_whatif(struct rw *m, const void *code, size_t n, enum rw_stop *outcome) {
  static const enum rw_stop why[] = {[WHATIF_DONE] = RW_STOP_BUDGET, [WHATIF_HALT] = RW_STOP_HALT, [WHATIF_FAULT] = RW_STOP_FAULT,
                                     [WHATIF_SHUTDOWN] = RW_STOP_SHUTDOWN};
  struct whatif w;
  m->told = (struct recorder){.invert = -1};
  m->has_last = m->fault_only = false;
  m->error[0] = 0;
  if (n > INSN_MAX_BYTES) return fail(m, "an instruction has at most %d bytes", INSN_MAX_BYTES);
  unsigned whole = n ? whatif_length(m->cpu, code, (unsigned)n) : 0;
  if (n && !whole) return fail(m, "%zu bytes are no whole instruction", n);
  if (whole != n) return fail(m, "%zu bytes are more than one instruction: the first has %u", n, whole);
  if (cpu_whatif(m->cpu, code, (unsigned)n, &w) && (!n || whatif_unmapped(m, &w)))
    return n ? -1 : fail(m, "the instruction cannot be dry-run: it changes too much, or memory ran out");
  if (outcome) *outcome = why[w.outcome];
  if (w.touched_device) (void)fail(m, "it would use a port or a device, which was left out");
  if (w.changed_ring) keep(m, &w.transition, &w.recorder);
  else m->told = w.recorder;
  m->fault_only = w.outcome == WHATIF_FAULT || (w.outcome == WHATIF_SHUTDOWN && w.recorder.faulted);
  return 0;
}
