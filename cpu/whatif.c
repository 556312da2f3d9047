/* The dry run: one instruction on the real processor and memory, with every write remembered and taken back. */
#include "cpu/whatif.h"

#include <stdlib.h>

#include "base/hostfault.h"
#include "cpu/event.h"
#include "cpu/mem.h"
#include "cpu/simd_state.h"

/* A change of at most 16 bytes. gpa: what the decoder must forget; ~0: not code (a page-table entry). */
struct change {
  u8 *at;
  u64 gpa;
  u8 n, old[16];
};

enum { CHANGES = 16384 };

struct undo {
  struct whatif *out;
  unsigned n;
  bool full;
  struct change change[CHANGES];
};

void undo_note(struct cpu *cpu, u8 *at, u64 gpa, unsigned n) {
  struct undo *u = cpu->undo;
  for (unsigned done = 0; done < n;) {
    unsigned part = n - done < 16 ? n - done : 16;
    if (u->n == CHANGES) { /* not to be taken back any more: so it is not made */
      u->full = true;
      cpu_raise(cpu, VEC_UD);
    }
    struct change *c = &u->change[u->n++];
    *c = (struct change){.at = at + done, .gpa = gpa == ~UINT64_C(0) ? gpa : gpa + done, .n = (u8)part};
    memcpy(c->old, at + done, part);
    done += part;
  }
}

void undo_device(struct cpu *cpu) { cpu->undo->out->touched_device = true; }

static void take_back(struct cpu *cpu, const struct undo *u) {
  for (unsigned k = u->n; k-- > 0;) {
    const struct change *c = &u->change[k];
    memcpy(c->at, c->old, c->n);
    if (c->gpa != ~UINT64_C(0)) vm_code_changed(cpu->vm, c->gpa, c->n);
  }
}

/* ---- the hooks meanwhile ---- */

static void on_transition(void *watcher, struct cpu *cpu, const struct transition *t) {
  struct whatif *out = watcher;
  out->transition = *t;
  out->changed_ring = true;
  out->recorder.cause = cpu->recorder->now; /* kept from rec_end() */
}
static bool on_fault(void *watcher, struct cpu *cpu, const struct fault *f) {
  struct whatif *out = watcher;
  (void)f;
  out->outcome = WHATIF_FAULT;
  cpu_stop(cpu);
  return true;
}
static u32 no_input(void *opaque, struct cpu *cpu, u16 port, unsigned size) {
  (void)opaque, (void)port, (void)size;
  undo_device(cpu);
  return ~UINT32_C(0);
}
static void no_output(void *opaque, struct cpu *cpu, u16 port, unsigned size, u32 value) {
  (void)opaque, (void)port, (void)size, (void)value;
  undo_device(cpu);
}
static void no_hypercall(void *opaque, struct cpu *cpu) {
  (void)opaque;
  undo_device(cpu);
}

/* ---- the run ---- */

/* Puts n bytes at CS:RIP. -1: not all of them are in memory. */
static int place(struct cpu *cpu, const u8 *bytes, unsigned n) {
  bool code64 = (cpu->mode & MODE_CODE_MASK) == MODE_CODE64;
  for (unsigned k = 0; k < n; k++) {
    struct page_walk w;
    u64 la = code64 ? cpu->rip + k : (u32)(cpu->seg[CS].base + cpu->rip + k);
    mmu_walk(&cpu->vm->mem, &cpu->mmu, la, &w);
    u8 *page = w.end == WALK_PAGE ? phys_host(&cpu->vm->mem, w.gpa, PAGE_SIZE) : NULL;
    if (!page || (phys_find(&cpu->vm->mem, w.gpa)->sparse && host_touch(page, true))) return -1;
    u64 gpa = w.gpa + (la & 0xfff);
    undo_note(cpu, page + (la & 0xfff), gpa, 1);
    page[la & 0xfff] = bytes[k];
    vm_code_changed(cpu->vm, gpa, 1);
  }
  return 0;
}

/* A fault in it ends it. */
static void deliver(struct cpu *cpu, const struct fault *f, struct whatif *out) {
  cpu->vm->hooks.fault = NULL;
  simd_enter(cpu);
  if (setjmp(cpu->unwind)) out->outcome = WHATIF_FAULT;
  else event_deliver_fault(cpu, f);
  simd_leave(cpu);
}

/* f: the fault to deliver, or NULL: the instruction. */
static void run_once(struct cpu *cpu, const struct fault *f, struct whatif *out) {
  struct vm_hooks hooks = cpu->vm->hooks;
  u64 icount = cpu_icount(cpu);
  cpu->vm->hooks = (struct vm_hooks){.opaque = hooks.opaque, .watcher = out, .hypercall = no_hypercall,
                                     .transition = on_transition, .fault = on_fault, .in = no_input, .out = no_output,
                                     .tsc = hooks.tsc};
  cpu->recorder = &out->recorder;
  cpu->trail = NULL;
  out->recorder.invert = -1;
  out->recorder.now.icount = ~UINT64_C(0);
  out->before = transition_point(cpu, cpu->rip, false);
  if (f) deliver(cpu, f, out);
  else (void)cpu_run(cpu, 1);
  if (out->outcome != WHATIF_FAULT) {
    if (cpu->shutdown) out->outcome = WHATIF_SHUTDOWN;
    else if (cpu->halted) out->outcome = WHATIF_HALT;
    if (out->changed_ring) out->recorder.now = out->recorder.cause;
    else if (out->recorder.now.icount != icount) out->recorder.now.n = 0;
    out->recorder.cause.n = 0;
    out->recorder.faulted = f != NULL;
  }
  out->after = transition_point(cpu, cpu->rip, false);
  cpu->vm->hooks = hooks;
}

static int dry_run(struct cpu *cpu, const u8 *bytes, unsigned n, const struct fault *f, struct whatif *out) {
  const size_t arch = offsetof(struct cpu, tlbs);
  struct undo *u = malloc(sizeof *u);
  void *saved = malloc(arch);
  int status = -1;
  memset(out, 0, sizeof *out);
  if (!u || !saved || n > INSN_MAX_BYTES) goto end;
  u8 stop = __atomic_exchange_n(&cpu->stop, 0, __ATOMIC_ACQ_REL);
  u8 pending = __atomic_exchange_n(&cpu->pending, 0, __ATOMIC_ACQ_REL);
  memcpy(saved, cpu, arch);
  u->out = out;
  u->n = 0;
  u->full = false;
  cpu->undo = u;
  if (!f) cpu->halted = false; /* the instruction, not what a HLT before it waits for */
  cpu_tlb_flush(cpu); /* every write takes the slow path from here on */
  if (!place(cpu, bytes, n)) {
    run_once(cpu, f, out);
    status = u->full ? -1 : 0;
  }
  take_back(cpu, u);
  memcpy(cpu, saved, arch);
  __atomic_fetch_or(&cpu->stop, stop, __ATOMIC_RELEASE);
  __atomic_fetch_or(&cpu->pending, pending, __ATOMIC_RELEASE);
  cpu_update_mode(cpu);
  cpu_tlb_flush(cpu);
end:
  free(u);
  free(saved);
  return status;
}

unsigned whatif_length(struct cpu *cpu, const u8 *bytes, unsigned n) {
  struct insn insn = {.len = 0};
  const struct oprow *row;
  enum decode_status st = decode_insn(cpu->vm->decoder, cpu->model, cpu->mode, cpu->rip, bytes, n, &insn, &row);
  return st == DECODE_OK ? insn.len : st == DECODE_MORE ? 0 : n;
}

int cpu_whatif(struct cpu *cpu, const u8 *bytes, unsigned n, struct whatif *out) { return dry_run(cpu, bytes, n, NULL, out); }

int cpu_whatif_fault(struct cpu *cpu, const struct fault *f, struct whatif *out) { return dry_run(cpu, NULL, 0, f, out); }
