/* What users of Bochs's debugger look for: running by count, the map of linear to physical addresses, physical memory,
 * devices. SDM 3A 4 (Paging). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpu/seg.h"
#include "debugger/command.h"
#include "mmu/physmem.h"

/* ---- running ---- */

static void run_count(struct dbg *d, u64 n) {
  if (!dbg_begin(d)) return;
  if (n) (void)dbg_run(d, n);
  dbg_done(d, STOP_STEPPED);
}

void cmd_sb(struct dbg *d, const char *args) {
  u64 n;
  if (command_count(d, args, &n)) run_count(d, n);
}

void cmd_sba(struct dbg *d, const char *args) {
  u64 n, now = dbg_icount(d);
  if (!*args) out_error(d->out, "up to which count? $icount is now %" PRIu64, now);
  else if (command_count(d, args, &n) && n < now) out_error(d->out, "%" PRIu64 " instructions are done already", now);
  else if (!out_failed(d->out)) run_count(d, n - now);
}

void cmd_trace(struct dbg *d, const char *args) {
  u64 n;
  if (!command_count(d, args, &n) || !dbg_begin(d)) return;
  for (u64 k = 0; k < n; k++) {
    out_text(d->out, "%u ", d->cpu->cpl);
    (void)command_instruction(d, dbg_pc(d), d->cpu->rip, dbg_bits(d), false);
    if (dbg_run(d, 1)) break;
  }
  dbg_done(d, STOP_STEPPED);
}

/* ---- points ---- */

void cmd_unwatch(struct dbg *d, const char *args) {
  u64 number = 0;
  unsigned n = 0;
  if (*args && !command_value(d, args, &number)) return;
  for (struct point *p = dbg_points(d), *next; p; p = next) {
    next = p->next;
    bool watch = p->kind >= POINT_WATCH && p->kind <= POINT_EXPRESSION;
    if (!watch || (number && p->number != number)) continue;
    dbg_delete_point(d, p);
    n++;
  }
  if (!n) out_error(d->out, number ? "there is no watchpoint %" PRIu64 : "there is no watchpoint", number);
}

/* ---- linear to physical ---- */

/* Bytes that the entry where a walk ended stands for. */
static u64 span_of(const struct mmu_env *env, const struct page_walk *w) {
  unsigned top = env->levels == 3 ? 2 : env->levels;
  if (w->end == WALK_PAGE) return UINT64_C(1) << w->shift;
  if (!w->entries) return UINT64_C(1) << 30; /* a PDPTE register */
  unsigned level = top - (w->entries - 1u);
  return UINT64_C(1) << (12 + (env->levels == 2 ? 10 : 9) * (level - 1));
}

struct run { u64 la, pa, n; bool user, writable, nx; };

static void show_run(struct dbg *d, const struct run *r) {
  int digits = cpu_long(d->cpu) ? 16 : 8;
  char text[120];
  if (!r->n) return;
  out_open(d->out, NULL);
  snprintf(text, sizeof text, "%0*" PRIx64 "-%0*" PRIx64, digits, r->la, digits, r->la + r->n - 1);
  out_str(d->out, "linear", text, "%s");
  snprintf(text, sizeof text, "%010" PRIx64 "-%010" PRIx64, r->pa, r->pa + r->n - 1);
  out_str(d->out, "physical", text, " -> %s");
  snprintf(text, sizeof text, "%s %s%s", r->user ? "user" : "supervisor", r->writable ? "rw" : "r", r->nx ? "" : "x");
  out_str(d->out, "rights", text, "  %s\n");
  out_close(d->out);
}

static bool continues(const struct run *r, u64 la, const struct page_walk *w) {
  return r->n && r->la + r->n == la && r->pa + r->n == w->gpa && r->user == w->user && r->writable == w->writable && r->nx == w->nx;
}

/* Each stretch of linear addresses that is mapped to one of physical ones. find: only what holds *find, whose linear
 * address it becomes; else all is shown. How many stretches. */
static unsigned walk_all(struct dbg *d, u64 *find) {
  enum { MOST = 2000, STEPS = 1 << 22 };
  const struct cpu *cpu = d->cpu;
  const struct mmu_env *env = &cpu->mmu;
  unsigned bits_ = env->levels == 5 ? 57 : env->levels == 4 ? 48 : 32, shown = 0;
  u64 low_end = env->levels > 3 ? UINT64_C(1) << (bits_ - 1) : UINT64_C(1) << 32, la = 0;
  struct run run = {.n = 0};
  d->interrupted = 0;
  for (unsigned k = 0; k < STEPS && shown < MOST && !d->interrupted; k++) {
    struct page_walk w;
    mmu_walk(&cpu->vm->mem, env, la, &w);
    u64 span = span_of(env, &w), step = span - (la & (span - 1));
    if (w.end == WALK_PAGE && find && *find - w.gpa < step) return *find = la + (*find - w.gpa), 1;
    if (w.end == WALK_PAGE && !find && !continues(&run, la, &w)) {
      shown += run.n != 0;
      show_run(d, &run);
      run = (struct run){la, w.gpa, 0, w.user, w.writable, w.nx};
    }
    if (w.end == WALK_PAGE) run.n += step;
    la += step;
    if (env->levels > 3 && la == low_end) la = -low_end; /* the canonical addresses of the upper half */
    else if (!la || (env->levels < 4 && la == low_end)) break;
  }
  if (!find) show_run(d, &run);
  return shown + (run.n && !find);
}

void topic_tab(struct dbg *d, const char *args) {
  (void)args;
  if (!d->cpu->mmu.levels) {
    out_text(d->out, "paging is off: linear addresses are physical ones\n");
    return;
  }
  out_hex(d->out, "cr3", d->cpu->cr3, "cr3 0x%llx\n");
  out_open_list(d->out, "map");
  unsigned n = walk_all(d, NULL);
  out_close(d->out);
  if (!n) out_text(d->out, "nothing is mapped\n");
}

void cmd_pb(struct dbg *d, const char *args) {
  u64 pa;
  char place[32];
  if (!*args) {
    out_error(d->out, "which physical address?");
    return;
  }
  if (!command_value(d, args, &pa)) return;
  u64 la = pa;
  if (d->cpu->mmu.levels && !walk_all(d, &la)) {
    out_error(d->out, "no linear address leads to physical 0x%" PRIx64 " now", pa);
    return;
  }
  snprintf(place, sizeof place, "*0x%" PRIx64, la);
  cmd_break(d, place);
}

/* ---- memory ---- */

void cmd_setpmem(struct dbg *d, const char *args) {
  char addr_text[64], bytes_text[16];
  u64 pa, bytes, v;
  if (!command_word(&args, addr_text, sizeof addr_text) || !command_word(&args, bytes_text, sizeof bytes_text) || !*args) {
    out_error(d->out, "it reads: setpmem ADDR BYTES VALUE");
    return;
  }
  if (!command_value(d, addr_text, &pa) || !command_value(d, bytes_text, &bytes) || !command_value(d, args, &v)) return;
  if (!d->target.machine || (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8)) {
    out_error(d->out, d->target.machine ? "bytes are 1, 2, 4 or 8" : "a program's physical memory is the kernel's; 'set u32[ADDR] = V'");
    return;
  }
  u8 *at = phys_host(&d->cpu->vm->mem, pa, bytes);
  if (!at) {
    out_error(d->out, "there is no memory at physical 0x%" PRIx64, pa);
    return;
  }
  memcpy(at, &v, bytes);
  vm_code_changed(d->cpu->vm, pa, bytes);
  dbg_state_changed(d);
}

/* Nothing of what is there already is written over. */
void cmd_writemem(struct dbg *d, const char *args) {
  enum { MOST = 1 << 28 };
  char path[512], addr_text[64];
  u64 la, n, done = 0;
  u8 buf[4096];
  if (!command_may_read_files(d)) return;
  if (!command_word(&args, path, sizeof path) || !command_word(&args, addr_text, sizeof addr_text) || !*args) {
    out_error(d->out, "it reads: writemem FILE ADDR LENGTH");
    return;
  }
  if (!command_value(d, addr_text, &la) || !command_value(d, args, &n)) return;
  FILE *f = n <= MOST ? fopen(path, "wbxe") : NULL;
  if (!f) {
    out_error(d->out, "%s: %s", path, n > MOST ? "at most 256 MiB" : strerror(errno));
    return;
  }
  while (done < n) {
    unsigned part = n - done < sizeof buf ? (unsigned)(n - done) : (unsigned)sizeof buf, got = dbg_peek(d, la + done, buf, part);
    if (fwrite(buf, 1, got, f) != got) break;
    done += got;
    if (got != part) break;
  }
  if (fclose(f) || done != n) out_error(d->out, "only %" PRIu64 " bytes could be written", done);
  else out_num(d->out, "bytes", done, "%llu bytes\n");
}

void cmd_print_stack(struct dbg *d, const char *args) {
  char line[64];
  u64 n = 16;
  unsigned bits_ = dbg_bits(d);
  if (*args && !command_count(d, args, &n)) return;
  bool wide = cpu_code64(d->cpu), dword = d->cpu->mode & MODE_STACK32;
  snprintf(line, sizeof line, "/%" PRIu64 "%c%c ss:%s", n < 4096 ? n : 4096, bits_ == 16 ? 'x' : 'a', wide ? 'g' : bits_ == 16 ? 'h' : 'w',
           wide ? "$rsp" : dword ? "$esp" : "($esp & 0xffff)");
  cmd_xv(d, line);
}

/* ---- devices ---- */

void topic_device(struct dbg *d, const char *args) {
  char text[256];
  (void)args;
  if (!d->target.device) {
    out_error(d->out, "a program has no devices");
    return;
  }
  out_open_list(d->out, "devices");
  for (unsigned n = 0; d->target.device(d->target.opaque, n, text, sizeof text); n++) out_str(d->out, NULL, text, "%s\n");
  out_close(d->out);
}
