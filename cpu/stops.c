/* Where a debugger wants a processor to stop. Nothing of this is architecture; cpu/debugreg.c has what is. */
#include "cpu/stops.h"

#include <stdlib.h>

#include "cpu/code.h"
#include "cpu/debugreg.h"
#include "cpu/seg.h"

static int by_address(const void *a, const void *b) {
  u64 x = *(const u64 *)a, y = *(const u64 *)b;
  return x < y ? -1 : x > y;
}

static unsigned without_doubles(u64 *v, unsigned n) {
  unsigned kept = 0;
  for (unsigned k = 0; k < n; k++)
    if (!kept || v[kept - 1] != v[k]) v[kept++] = v[k];
  return kept;
}

void stops_free(struct vm *vm) {
  if (!vm->stops) return;
  free(vm->stops->code);
  free(vm->stops->data);
  free(vm->stops);
  vm->stops = NULL;
}

/* Everything decoded is forgotten, and every translation: both have where to stop in them. */
static void forget(struct vm *vm) {
  code_forget(vm);
  for (unsigned n = 0; n < vm->cpus; n++) {
    cpu_update_mode(vm->cpu[n]);
    debug_update(vm->cpu[n]);
    cpu_tlb_flush(vm->cpu[n]);
  }
}

int stops_set(struct vm *vm, const u64 *code, unsigned codes, const struct stop_range *data, unsigned ranges) {
  if (!codes && !ranges && !vm->stops) return 0;
  struct stops *s = calloc(1, sizeof *s);
  u64 *c = calloc(codes + 1, sizeof *c);
  struct stop_range *d = calloc(ranges + 1, sizeof *d);
  if (!s || !c || !d) {
    free(s);
    free(c);
    free(d);
    return -1;
  }
  if (codes) memcpy(c, code, codes * sizeof *c);
  if (ranges) memcpy(d, data, ranges * sizeof *d);
  qsort(c, codes, sizeof *c, by_address);
  *s = (struct stops){.code = c, .codes = without_doubles(c, codes), .data = d, .ranges = ranges};
  stops_free(vm);
  vm->stops = s;
  if (!codes && !ranges) stops_free(vm);
  forget(vm);
  return 0;
}

/* ---- code ---- */

bool stops_at_code(const struct cpu *cpu, u64 la) {
  const struct stops *s = cpu->vm->stops;
  return s->codes && bsearch(&la, s->code, s->codes, sizeof la, by_address);
}

static u64 linear_rip(const struct cpu *cpu) {
  return cpu_code64(cpu) ? cpu->rip : (cpu->seg[CS].base + cpu->rip) & cpu->lamask;
}

static bool is_passed(const struct cpu *cpu, u64 la) {
  return cpu->pass.on && cpu->pass.la == la && cpu->pass.rsp == cpu->gpr[RSP];
}

/* A REP instruction with iterations done is not come to anew. */
bool stops_here(struct cpu *cpu) {
  u64 la = linear_rip(cpu);
  return !cpu->rep_partial && stops_at_code(cpu, la) && !is_passed(cpu, la);
}

void stops_pass(struct cpu *cpu) {
  cpu->pass.on = cpu->vm->stops && cpu->vm->stops->codes;
  cpu->pass.la = linear_rip(cpu);
  cpu->pass.rsp = cpu->gpr[RSP];
}

bool stops_passing(const struct cpu *cpu) { return is_passed(cpu, linear_rip(cpu)); }

void stops_passed(struct cpu *cpu) {
  if (!cpu->rep_partial) cpu->pass.on = false;
}

/* ---- memory ---- */

bool stops_watch_page(const struct cpu *cpu, u64 la) {
  const struct stops *s = cpu->vm->stops;
  for (unsigned k = 0; s && k < s->ranges; k++) {
    u64 first = s->data[k].la >> PAGE_SHIFT, last = (s->data[k].la + s->data[k].len - 1) >> PAGE_SHIFT;
    if ((la >> PAGE_SHIFT) - first <= last - first) return true;
  }
  return false;
}

void stops_data(struct cpu *cpu, u64 la, unsigned n, bool write) {
  const struct stops *s = cpu->vm->stops;
  for (unsigned k = 0; s && k < s->ranges; k++) {
    const struct stop_range *r = &s->data[k];
    bool overlap = la - r->la < r->len || r->la - la < n;
    if (!overlap || !(r->kinds & (write ? STOP_ON_WRITE : STOP_ON_READ))) continue;
    if (cpu->stopped == CPU_STOPPED_DATA && cpu->stop_access.write) return; /* a write counts more than the read before it */
    cpu->stopped = CPU_STOPPED_DATA;
    cpu->stop_access.la = la;
    cpu->stop_access.n = n;
    cpu->stop_access.write = write;
    cpu->leave = 1;
    return;
  }
}

/* ---- modes ---- */

void stops_on_mode(struct cpu *cpu, bool on) { cpu->debug.on_mode = on; }

void stops_mode_changed(struct cpu *cpu, u32 before) {
  const u32 kind = MODE_PE | MODE_VM | MODE_LMA | MODE_CODE_MASK;
  if (!((before ^ cpu->mode) & kind) || cpu->stopped) return;
  cpu->stopped = CPU_STOPPED_MODE;
  cpu->leave = 1;
}
