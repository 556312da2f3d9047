/* Breakpoints, watchpoints and catchpoints: what they match, and how they are given to the processor (cpu/stops.h). */
#include <stdlib.h>
#include <string.h>

#include "cpu/event.h"
#include "cpu/mem.h"
#include "cpu/stops.h"
#include "debugger/dbg.h"

/* ---- the list ---- */

static char *copy(const char *s) { return s ? strdup(s) : NULL; }

struct point *dbg_add_point(struct dbg *d, const struct point *like) {
  struct point *p = malloc(sizeof *p), **at = &d->points;
  if (!p) return NULL;
  *p = *like;
  p->next = NULL;
  p->text = copy(like->text);
  p->condition = copy(like->condition);
  p->commands = NULL;
  p->place = like->places ? calloc(like->places, sizeof *p->place) : NULL;
  if (p->place) memcpy(p->place, like->place, like->places * sizeof *p->place);
  if ((like->places && !p->place) || (like->text && !p->text) || (like->condition && !p->condition)) {
    free(p->text);
    free(p->condition);
    free(p->place);
    free(p);
    return NULL;
  }
  p->number = d->next_number++;
  while (*at) at = &(*at)->next;
  *at = p;
  d->points_dirty = true;
  return p;
}

struct point *dbg_points(struct dbg *d) { return d->points; }

struct point *dbg_point(struct dbg *d, unsigned number) {
  struct point *p = d->points;
  while (p && p->number != number) p = p->next;
  return p;
}

static void free_point(struct point *p) {
  for (char **c = p->commands; c && *c; c++) free(*c);
  free(p->commands);
  free(p->condition);
  free(p->text);
  free(p->place);
  free(p);
}

void dbg_delete_point(struct dbg *d, struct point *p) {
  struct point **at = &d->points;
  while (*at && *at != p) at = &(*at)->next;
  if (!*at) return;
  *at = p->next;
  if (d->stop.point == p) d->stop.point = NULL;
  if (d->done_temporary == p) d->done_temporary = NULL;
  free_point(p);
  d->points_dirty = true;
}

void points_free(struct dbg *d) {
  while (d->points) dbg_delete_point(d, d->points);
  if (d->cpu) (void)!stops_set(d->cpu->vm, NULL, 0, NULL, 0);
}

void dbg_points_changed(struct dbg *d) { d->points_dirty = true; }

int dbg_set_condition(struct dbg *d, struct point *p, const char *condition) {
  char *c = copy(condition);
  (void)d;
  if (condition && !c) return -1;
  free(p->condition);
  p->condition = c;
  return 0;
}

static bool watches_memory(const struct point *p) {
  return p->kind == POINT_WATCH || p->kind == POINT_RWATCH || p->kind == POINT_AWATCH;
}

bool dbg_point_is_at(const struct point *p, u64 addr) {
  if (p->kind != POINT_BREAK) return false;
  for (unsigned k = 0; k < p->places; k++)
    if (p->place[k].addr == addr) return !p->place[k].off;
  return !p->places && p->addr == addr;
}

/* ---- to the processor ---- */

static unsigned places_of(const struct point *p) { return p->places ? p->places : 1; }

/* Addresses of code: breakpoints, the ends of a step in progress, and the kernel's system calls. */
static unsigned gather_code(struct dbg *d, u64 *code, unsigned room) {
  unsigned n = 0;
  for (struct point *p = d->points; p; p = p->next) {
    if (p->kind != POINT_BREAK || !p->enabled) continue;
    if (!p->places && n < room) code[n++] = p->addr;
    for (unsigned k = 0; k < p->places; k++)
      if (!p->place[k].off && n < room) code[n++] = p->place[k].addr;
  }
  for (unsigned k = 0; k < d->wants && n < room; k++) code[n++] = d->want[k].addr;
  u64 at, behind;
  for (unsigned k = 0; points_of_kind(d, POINT_SYSCALL) && d->target.syscall_site && n + 2 <= room &&
                       d->target.syscall_site(d->target.opaque, k, &at, &behind);
       k++) {
    code[n++] = at;
    code[n++] = behind;
  }
  return n;
}

static unsigned gather_ranges(struct dbg *d, struct stop_range *range) {
  unsigned n = 0;
  for (struct point *p = d->points; p; p = p->next) {
    if (!watches_memory(p) || !p->enabled) continue;
    u8 kinds = (u8)((p->kind != POINT_RWATCH ? STOP_ON_WRITE : 0) | (p->kind != POINT_WATCH ? STOP_ON_READ : 0));
    range[n++] = (struct stop_range){p->addr, p->len ? p->len : 1, kinds};
  }
  return n;
}

static bool in_kernel(const struct point *p) {
  bool any = p->addr >> 63;
  for (unsigned k = 0; k < p->places; k++) any |= p->place[k].addr >> 63;
  return any;
}

/* What must be known of transitions for the sake of a point. A breakpoint in the kernel wants the way there. A fault is told
 * of in any case (vm->hooks.fault), but traps, and INT3 and its like, are transitions alone. */
static enum listening point_needs(const struct dbg *d, const struct point *p) {
  switch (p->kind) {
    case POINT_TRANSITION: return LISTEN_ALL;
    case POINT_BREAK: return !d->target.machine && in_kernel(p) ? LISTEN_ALL : LISTEN_NOT;
    case POINT_WATCH: return LISTEN_HEAR;
    case POINT_EXCEPTION: {
      bool untold = p->number_of < 0 || (p->number_of >= VEC_DB && p->number_of <= VEC_OF); /* #DB, NMI, #BP, #OF */
      return untold || p->number_of >= EXCEPTION_VECTORS ? LISTEN_HEAR : LISTEN_NOT;
    }
    default: return LISTEN_NOT;
  }
}

int points_apply(struct dbg *d) {
  if (!d->points_dirty) return 0;
  unsigned all = 0;
  for (struct point *p = d->points; p; p = p->next) all += places_of(p);
  enum { SITES = 16 };
  u64 *code = calloc(all + WANTS + SITES, sizeof *code);
  struct stop_range *range = calloc(all + 1, sizeof *range);
  int bad = -1;
  if (code && range) {
    unsigned n = gather_code(d, code, all + WANTS + SITES);
    bad = stops_set(d->cpu->vm, code, n, range, gather_ranges(d, range));
  }
  free(code);
  free(range);
  if (bad) return -1;
  d->kinds = 0;
  d->needed = LISTEN_NOT;
  for (const struct point *p = d->points; p; p = p->next) {
    if (!p->enabled) continue;
    enum listening needed = point_needs(d, p);
    d->kinds |= 1u << p->kind;
    if (needed > d->needed) d->needed = needed;
  }
  stops_on_mode(d->cpu, points_of_kind(d, POINT_MODE) != NULL);
  d->points_dirty = false;
  return 0;
}

/* ---- what is met ---- */

/* While the target runs nothing changes, and a thousand breakpoints shall not be looked through at each transition. */
static bool has_kind(const struct dbg *d, enum point_kind kind) { return d->points_dirty || (d->kinds >> kind & 1); }

struct point *points_of_kind(const struct dbg *d, enum point_kind kind) {
  if (!has_kind(d, kind)) return NULL;
  for (struct point *p = d->points; p; p = p->next)
    if (p->kind == kind && p->enabled) return p;
  return NULL;
}

bool points_need_steps(const struct dbg *d) { return points_of_kind(d, POINT_EXPRESSION) != NULL; }

/* A condition that cannot be evaluated stops, as gdb's does: better once too often. */
bool point_hit(struct dbg *d, struct point *p) {
  u64 v = 1;
  char err[160];
  if (p->condition && dbg_eval(d, p->condition, &v, err, sizeof err))
    out_text(d->out, "condition of %u: %s\n", p->number, err), v = 1;
  if (!v) return false;
  p->hits++;
  if (!p->ignore) return true;
  p->ignore--;
  return false;
}

/* A condition on a system call is about the program's registers: its arguments, and in RAX the call's number or what it
 * returns. Those of the processor are the kernel stub's. */
static void look_under(struct dbg *d, bool returns, unsigned number, bool i386) {
  u16 cs;
  d->under.regs = d->target.under && d->target.under(d->target.opaque, d->under.gpr, &d->under.rip, &cs);
  if (!returns) d->under.gpr[RAX] = number;
  for (unsigned k = 0; i386 && k < 16; k++) d->under.gpr[k] = (u32)d->under.gpr[k];
}

/* The system call that is about to be done here, or has been. */
static struct point *at_syscall(struct dbg *d, u64 pc, struct stop *s) {
  u64 at, behind;
  unsigned number;
  bool i386;
  if (!points_of_kind(d, POINT_SYSCALL) || !d->target.syscall_site) return NULL;
  for (unsigned k = 0; d->target.syscall_site(d->target.opaque, k, &at, &behind); k++) {
    if (pc != at && pc != behind) continue;
    s->syscall_return = pc == behind;
    if (!d->target.syscall(d->target.opaque, s->syscall_return, &number, &i386, s->syscall, sizeof s->syscall)) return NULL;
    look_under(d, s->syscall_return, number, i386);
    struct point *hit = NULL;
    for (struct point *p = d->points; p; p = p->next)
      if (p->kind == POINT_SYSCALL && p->enabled && (p->number_of < 0 || ((unsigned)p->number_of == number && p->i386 == i386)) &&
          point_hit(d, p)) {
        hit = p;
        break;
      }
    d->under.regs = false;
    return hit;
  }
  return NULL;
}

struct point *points_at_code(struct dbg *d, u64 pc, struct stop *s) {
  struct point *first = NULL;
  for (struct point *p = d->points; p; p = p->next)
    if (p->enabled && dbg_point_is_at(p, pc) && point_hit(d, p) && !first) first = p;
  return first ? first : at_syscall(d, pc, s);
}

static u64 first_word(const struct point *p, const u8 *bytes) {
  u64 v = 0;
  memcpy(&v, bytes, p->len < sizeof v ? p->len : sizeof v);
  return v;
}

/* The 8 bytes around `at` of what is watched; of 8 or less, all. */
static u64 word_at(const struct point *p, const u8 *bytes, unsigned at) {
  u64 v = 0;
  if (p->len <= sizeof v) return first_word(p, bytes);
  at -= at % sizeof v;
  memcpy(&v, bytes + at, p->len - at < sizeof v ? p->len - at : sizeof v);
  return v;
}

/* Bytes that a write watchpoint compares. */
static unsigned compared(const struct point *p) {
  return p->len < sizeof p->old_bytes ? (unsigned)p->len : (unsigned)sizeof p->old_bytes;
}

/* At each return from the kernel: so by the page tables first, which is fast. */
static bool memory_changed(struct dbg *d, struct point *p, struct stop *s) {
  u8 now[sizeof p->old_bytes] = {0};
  unsigned n = compared(p);
  if (mem_peek(d->cpu, p->addr, now, n) != n && dbg_peek(d, p->addr, now, n) != n) return false;
  if (!memcmp(now, p->old_bytes, compared(p))) return p->len > sizeof p->old_bytes;
  unsigned at = 0;
  while (now[at] == p->old_bytes[at]) at++;
  s->old_value = word_at(p, p->old_bytes, at);
  s->new_value = word_at(p, now, at);
  memcpy(p->old_bytes, now, compared(p));
  return true;
}

struct point *points_at_access(struct dbg *d, struct stop *s) {
  u64 la = d->cpu->stop_access.la, n = d->cpu->stop_access.n;
  s->access_addr = la;
  s->access_len = (unsigned)n;
  s->access_write = d->cpu->stop_access.write;
  struct point *first = NULL;
  for (struct point *p = d->points; p; p = p->next) {
    if (!watches_memory(p) || !p->enabled || !(la - p->addr < p->len || p->addr - la < n)) continue;
    if (p->kind == POINT_RWATCH && s->access_write) continue;
    if (p->kind == POINT_WATCH && (!s->access_write || !memory_changed(d, p, s))) continue;
    if (p->kind != POINT_WATCH) {
      u8 now[sizeof p->old_bytes] = {0};
      (void)dbg_peek(d, p->addr, now, compared(p));
      s->old_value = first_word(p, p->old_bytes);
      s->new_value = first_word(p, now);
      memcpy(p->old_bytes, now, compared(p));
    }
    if (point_hit(d, p) && !first) first = p;
  }
  return first;
}

struct point *points_changed_memory(struct dbg *d, struct stop *s) {
  if (!has_kind(d, POINT_WATCH)) return NULL;
  for (struct point *p = d->points; p; p = p->next)
    if (p->kind == POINT_WATCH && p->enabled && memory_changed(d, p, s) && p->len <= sizeof p->old_bytes && point_hit(d, p)) {
      s->access_addr = p->addr;
      s->access_len = (unsigned)p->len;
      s->access_write = true;
      return p;
    }
  return NULL;
}

struct point *points_changed_expression(struct dbg *d, struct stop *s) {
  char err[160];
  u64 v;
  for (struct point *p = d->points; p; p = p->next) {
    if (p->kind != POINT_EXPRESSION || !p->enabled || dbg_eval(d, p->text, &v, err, sizeof err) || v == p->old_value) continue;
    s->old_value = p->old_value;
    s->new_value = p->old_value = v;
    if (point_hit(d, p)) return p;
  }
  return NULL;
}

void points_remember(struct dbg *d) {
  char err[160];
  for (struct point *p = d->points; p; p = p->next) {
    if (watches_memory(p) && p->enabled) (void)dbg_peek(d, p->addr, p->old_bytes, compared(p));
    if (p->kind == POINT_EXPRESSION && p->enabled) (void)!dbg_eval(d, p->text, &p->old_value, err, sizeof err);
  }
}

/* The instruction before this point is one byte, not INT n: it stands for its exception. SDM 2A INT n/INTO/INT3/INT1 */
static bool by_its_own_instruction(struct dbg *d, const struct transition *t) {
  static const u8 opcode[] = {[VEC_DB] = 0xf1, [VEC_BP] = 0xcc, [VEC_OF] = 0xce};
  u8 byte = 0;
  if (t->vector >= ARRAY_SIZE(opcode) || !opcode[t->vector]) return false;
  return dbg_peek(d, tr_linear(&t->from) - 1, &byte, 1) == 1 && byte == opcode[t->vector];
}

/* An exception of which no fault has told: a trap, a NMI, INT3 and its like. INT n of an exception's number is none; from
 * 32 on the vector is all there is. SDM 3A 6.4 (Sources of Exceptions) */
static bool is_untold_exception(struct dbg *d, const struct transition *t) {
  switch (t->kind == TR_TASK ? t->cause : t->kind) {
    case TR_EXCEPTION: return t->vector == VEC_DB && !d->told_debug_fault;
    case TR_INTERRUPT: return t->vector == VEC_NMI || t->vector >= EXCEPTION_VECTORS;
    case TR_INT: return t->vector >= EXCEPTION_VECTORS || by_its_own_instruction(d, t);
    default: return false;
  }
}

static bool is_call_gate(const struct dbg *d) {
  const struct recorder *r = d->cpu->recorder;
  for (unsigned k = 0; r && k < r->now.n; k++)
    if (r->now.step[k].kind == REC_DESC && !(r->now.step[k].a >> 44 & 1) && (r->now.step[k].a >> 40 & 7) == 4) return true;
  return false;
}

struct point *points_at_transition(struct dbg *d, const struct transition *t) {
  if (!has_kind(d, POINT_TRANSITION) && !has_kind(d, POINT_EXCEPTION)) return NULL;
  for (struct point *p = d->points; p; p = p->next) {
    if (!p->enabled) continue;
    bool event = p->kind == POINT_EXCEPTION &&
                 (p->number_of < 0 ? t->vector < EXCEPTION_VECTORS : p->number_of == t->vector) && is_untold_exception(d, t);
    bool crossing = p->kind == POINT_TRANSITION && (p->from_cpl < 0 || p->from_cpl == t->from.cpl) &&
                    (p->to_cpl < 0 || p->to_cpl == t->to.cpl) && (!p->kinds || (p->kinds >> t->kind & 1)) && (p->number_of < 0 || p->number_of == t->vector) &&
                    (!p->call_gate || is_call_gate(d));
    if ((event || crossing) && point_hit(d, p)) return p;
  }
  return NULL;
}

/* Before delivery CR2 is still that of the fault before, and the error code nowhere. */
static bool fault_hit(struct dbg *d, struct point *p, const struct fault *f) {
  d->under.fault = f;
  (void)!variables_set(d, "_vector", f->vector);
  (void)!variables_set(d, "_error", f->has_error ? f->error : 0);
  (void)!variables_set(d, "_address", f->vector == VEC_PF ? f->cr2 : 0);
  bool hit = point_hit(d, p);
  d->under.fault = NULL;
  return hit;
}

struct point *points_at_exception(struct dbg *d, const struct fault *f) {
  if (!has_kind(d, POINT_EXCEPTION)) return NULL;
  for (struct point *p = d->points; p; p = p->next)
    if (p->kind == POINT_EXCEPTION && p->enabled && (p->number_of < 0 || p->number_of == f->vector) && fault_hit(d, p, f)) return p;
  return NULL;
}

struct point *points_at_signal(struct dbg *d, int signo) {
  for (struct point *p = d->points; p; p = p->next)
    if (p->kind == POINT_SIGNAL && p->enabled && (p->number_of < 0 || p->number_of == signo) && point_hit(d, p)) return p;
  return NULL;
}
