/* `make check-native`: every row of the opcode table, on this machine's processor and on the emulated one,
 * from the same states.
 *
 * As many worker processes as there are processors take row after row, and pool after pool of sequences, and
 * keep count in memory shared with the parent; when one dies or hangs, its row has failed, and another takes
 * its place. The last line is "N passed, N failed", in rows and pools. */
#define _GNU_SOURCE
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "tests/native/cases.h"
#include "tests/native/compare.h"
#include "tests/native/emulated.h"
#include "tests/native/native.h"
#include "tests/native/report.h"
#include "tests/native/segments.h"
#include "tests/native/sequence.h"

enum {
  CASES_FULL = 2000, CASES_SHORT = 64, /* for each row x form x width */
  VARIANT_SHARE = 16,                 /* and for each variant at least the so manieth part */
  FAILURES_SHOWN = 3,                 /* of a row */
  SLOW_REFUSED = 8,                   /* LOCK where it is #UD: so many times fewer cases */
  SEQUENCES = 25,                     /* in each pool, times the cases */
  CASE_NUMBERS = 1000000,             /* for those of one variant */
  OPERAND_MAX = 512,                  /* bytes */
  HANG_SECONDS = 30,
  KILLS_FORGIVEN = 3,
  PATIENCE = 3,                       /* ticks of native_run()'s timer before this machine is taken to loop */
};

struct worker {
  const struct options *o;
  struct shared *shared;
  struct job *job;
  struct emulated *emulated;
  u8 *pattern; /* what the arena holds before each case */
  bool pointers; /* of struct comparison */
};

/* ---- the worker ---- */

static void fill_pattern(u8 *p, u64 seed) {
  struct rng r = {seed};
  for (unsigned k = 0; k < ARENA_BYTES; k += 8) st64(p + k, rnd(&r));
  memset(p + CODE_AT, ENDING, CODE_BYTES);
}

static void reset_arena(const struct worker *w, u8 *arena) {
  for (unsigned k = 1; k < ARENA_PARTS; k++)
    if (arena_parts[k].write)
      memcpy(arena + arena_parts[k].at, w->pattern + arena_parts[k].at, arena_parts[k].bytes);
}
static void copy_arena(u8 *to, const u8 *from) {
  for (unsigned k = 1; k < ARENA_PARTS; k++)
    if (arena_parts[k].write) memcpy(to + arena_parts[k].at, from + arena_parts[k].at, arena_parts[k].bytes);
}

/* The whole arena on both sides, first and after a failure. */
static void restart_arena(const struct worker *w) {
  const struct arena_part *readonly = &arena_parts[2];
  u8 *a = native_arena(), *b = emulated_arena(w->emulated);
  if (mprotect(a + readonly->at, readonly->bytes, PROT_READ | PROT_WRITE)) abort();
  for (unsigned k = 0; k < ARENA_PARTS; k++) {
    memcpy(a + arena_parts[k].at, w->pattern + arena_parts[k].at, arena_parts[k].bytes);
    memcpy(b + arena_parts[k].at, w->pattern + arena_parts[k].at, arena_parts[k].bytes);
  }
  if (mprotect(a + readonly->at, readonly->bytes, PROT_READ)) abort();
  emulated_code_changed(w->emulated, ARENA, ARENA_BYTES);
}

/* Runs the case once for what it leaves in the caches, then brings memory back. */
static void warm_up(const struct worker *w, const struct test_case *c, struct outcome *scratch) {
  u8 *a = native_arena(), *b = emulated_arena(w->emulated);
  emulated_run(w->emulated, c, scratch);
  copy_arena(b, a);
  if (!memcmp(a + CODE_AT, b + CODE_AT, CODE_BYTES)) return;
  memcpy(b + CODE_AT, a + CODE_AT, CODE_BYTES);
  emulated_code_changed(w->emulated, ARENA + CODE_AT, CODE_BYTES);
}

static bool code_is_clean(const struct worker *w, const u8 *arena) {
  return !memcmp(arena + CODE_AT, w->pattern + CODE_AT, CODE_BYTES);
}

static bool code_intact(const struct test_case *c, const u8 *arena) {
  const u8 *p = arena + (c->start - ARENA);
  return !memcmp(p, c->before, c->before_n) && !memcmp(p + c->before_n, c->enc.bytes, c->enc.n);
}

/* Returns false when the timer's tick came in between. */
static bool run_case(const struct worker *w, const struct test_case *c, struct row_result *result) {
  static struct outcome native, emulated;
  unsigned code = c->before_n + c->enc.n;
  u8 *a = native_arena(), *b = emulated_arena(w->emulated);
  case_write_code(c);
  if (w->o->only_case >= 0) { /* shown now: the run may be the last */
    compare_show(stdout, c, w->o->seed, w->job->index);
    fflush(stdout);
  }
  memcpy(b + (c->start - ARENA), a + (c->start - ARENA), code);
  copy_arena(b, a);
  emulated_code_changed(w->emulated, c->start, code);
  if (c->warm) warm_up(w, c, &emulated);
  emulated_run(w->emulated, c, &emulated);
  if (emulated.vector == VEC_PF && native_owns(emulated.cr2, OPERAND_MAX)) { /* not to be touched here */
    restart_arena(w);
    return true;
  }
  native_run(&c->in, &native);
  if (native.stuck || !code_intact(c, a)) {
    restart_arena(w);
    return !native.stuck; /* when a repetition sees that it has overwritten itself is nobody's rule */
  }
  struct comparison k = {c, &native, &emulated, a, b, w->o->strict, w->pointers};
  result->cases++;
  result->whole += native.vector == VEC_BP && native.st.rip == c->in.rip + code + 1;
  if (!compare(&k)) {
    if (result->failures++ < FAILURES_SHOWN) {
      if (w->o->only_case < 0) compare_show(stdout, c, w->o->seed, w->job->index);
      compare_report(stdout, &k);
      fflush(stdout);
    }
    restart_arena(w);
    return true;
  }
  case_erase_code(c);
  memset(b + (c->start - ARENA), ENDING, code);
  emulated_code_changed(w->emulated, c->start, code);
  if (!code_is_clean(w, a) || !code_is_clean(w, b)) restart_arena(w);
  return true;
}

static u64 case_seed(const struct worker *w, unsigned unit, unsigned long index) {
  struct rng r = {w->o->seed * UINT64_C(0x9e3779b97f4a7c15) + ((u64)unit << 40) + index};
  return rnd(&r);
}

static void run_variant(const struct worker *w, unsigned n, const struct variant *v, unsigned long first,
                        unsigned cases) {
  static struct test_case c;
  const struct oprow *row = &opcode_rows[n];
  unsigned slow = rule_of(row)->slow;
  if (v->form == AT_LOCK && !(row->attrs & A_LOCK)) slow = SLOW_REFUSED;
  if (slow && !w->o->list_rows) cases = (cases + slow - 1) / slow;
  unsigned from = 0;
  if (w->o->only_case >= 0) {
    from = (unsigned)((unsigned long)w->o->only_case - first);
    if (from >= CASE_NUMBERS) return;
    cases = from + 1;
  }
  /* Draws without an encoding, and what cannot be compared, are made up for. */
  const struct row_result *result = &w->shared->row[n];
  const u64 want = result->cases + cases;
  for (unsigned k = from; k < cases || (w->o->only_case < 0 && result->cases < want && k < 2 * cases); k++) {
    unsigned long index = first + k;
    u64 seed = case_seed(w, n, index);
    w->job->beat++;
    w->job->index = index;
    for (unsigned tries = 0; tries < PATIENCE; tries++) {
      reset_arena(w, native_arena());
      if (!case_make(&c, row, v, seed, native_arena()) || run_case(w, &c, &w->shared->row[n])) break;
    }
  }
}

static void run_row(const struct worker *w, unsigned n) {
  static struct variant variants[MAX_VARIANTS];
  const struct oprow *row = &opcode_rows[n];
  struct row_result *result = &w->shared->row[n];
  bool only64 = rule_of(row)->intel && native_vendor() != VENDOR_INTEL;
  unsigned count = variants_of(row, w->shared->ldt, variants);
  unsigned group[VARIANT_GROUPS] = {0};
  u64 done[VARIANT_GROUPS] = {0};
  native_note_mappings();
  for (unsigned v = 0; v < count; v++) {
    int mode = (int)variants[v].mode;
    variants[v].left_out = (w->o->mode >= 0 && mode != w->o->mode) || (only64 && mode != CODE64);
    if (!variants[v].left_out) group[variant_group(row, &variants[v])]++;
  }
  for (unsigned v = 0; v < count; v++) {
    u64 before = result->cases;
    unsigned g = variant_group(row, &variants[v]);
    if (variants[v].left_out) continue;
    unsigned cases = (w->o->cases + group[g] - 1) / group[g];
    if (cases < w->o->cases / VARIANT_SHARE) cases = w->o->cases / VARIANT_SHARE;
    run_variant(w, n, &variants[v], (unsigned long)v * CASE_NUMBERS, cases);
    done[g] += result->cases - before;
    result->variants++;
  }
  for (unsigned g = 0; g < VARIANT_GROUPS; g++) {
    if (!group[g]) continue;
    if (!result->groups++ || done[g] < result->least) result->least = done[g];
  }
}

static void run_pool(const struct worker *w, unsigned n) {
  static struct test_case c;
  static struct pool pool;
  unsigned cases = w->o->cases * SEQUENCES, from = 0, unit = opcode_row_count + n;
  pool_fill(&pool, n, emulated_model(w->emulated), w->shared->ldt);
  if (w->o->only_case >= 0) from = (unsigned)w->o->only_case, cases = from + 1;
  if ((w->o->mode >= 0 && (int)pool.mode != w->o->mode) || !pool.rows) return;
  native_note_mappings();
  for (unsigned k = from; k < cases; k++) {
    u64 seed = case_seed(w, unit, k);
    w->job->beat++;
    w->job->index = k;
    for (unsigned tries = 0; tries < PATIENCE; tries++) {
      reset_arena(w, native_arena());
      if (!case_make_sequence(&c, &pool, seed, native_arena())) break;
      if (run_case(w, &c, &w->shared->row[unit])) break;
    }
  }
}

static void run_unit(const struct worker *w, unsigned unit) {
  if (!unit_wanted(w->o, unit)) return;
  if (unit >= opcode_row_count) run_pool(w, unit - opcode_row_count);
  else if (!row_skipped(emulated_model(w->emulated), &opcode_rows[unit])) run_row(w, unit);
}

/* again: a unit to do first, or UNIT_NONE. */
NORETURN static void work(const struct options *o, struct shared *shared, unsigned job, int again) {
  struct worker w = {.o = o, .shared = shared, .job = &shared->job[job], .emulated = emulated_create(),
                     .pattern = malloc(ARENA_BYTES)};
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!w.emulated || !w.pattern || native_open()) _exit(2);
  shared->ldt = segments_install();
  /* APM 3 FXSAVE: the others keep them only while FSW.ES is set. */
  w.pointers = native_vendor() == VENDOR_INTEL;
  fill_pattern(w.pattern, o->seed);
  restart_arena(&w);
  w.job->beat++;
  for (;;) {
    unsigned n = again >= 0 ? (unsigned)again : __atomic_fetch_add(&shared->next, 1, __ATOMIC_RELAXED);
    again = UNIT_NONE;
    if (n >= unit_count()) break;
    w.job->unit = (int)n;
    run_unit(&w, n);
    w.job->unit = UNIT_NONE;
    fflush(stdout);
  }
  _exit(0);
}

/* ---- the parent ---- */

struct slot {
  pid_t pid; /* 0: nobody works */
  u64 beat;
  unsigned quiet, kills;
  bool hangs;
};

static int start(const struct options *o, struct shared *s, struct slot *slot, unsigned job, int again) {
  fflush(stdout);
  s->job[job] = (struct job){.unit = UNIT_NONE};
  slot->hangs = false;
  slot->quiet = 0;
  slot->pid = fork();
  if (slot->pid == 0) work(o, s, job, again);
  return slot->pid < 0 ? -1 : 0;
}

static void report_death(const struct options *o, struct shared *s, unsigned job, int sig) {
  unsigned n = (unsigned)s->job[job].unit;
  const char *name = n < opcode_row_count ? opcode_rows[n].name : pool_name(n - opcode_row_count);
  printf("%s: the tester died of signal %d (%s) in --row %s --seed %" PRIu64 " --case %lu\n", name, sig,
         strsignal(sig), name, o->seed, s->job[job].index);
  s->row[n].failures++;
}

/* A worker has ended. Returns -1 when this machine does not allow what it does. */
static int ended(const struct options *o, struct shared *s, struct slot *slot, unsigned job, int status) {
  int unit = s->job[job].unit;
  slot->pid = 0;
  if (WIFEXITED(status)) return WEXITSTATUS(status) ? -1 : 0;
  if (!s->job[job].beat) return -1;
  if (unit == UNIT_NONE) return start(o, s, slot, job, UNIT_NONE);
  if (WTERMSIG(status) == SIGKILL && !slot->hangs && slot->kills++ < KILLS_FORGIVEN) { /* out of memory */
    s->row[unit] = (struct row_result){0};
    return start(o, s, slot, job, unit);
  }
  report_death(o, s, job, WTERMSIG(status));
  return start(o, s, slot, job, UNIT_NONE);
}

/* A worker that hangs is killed. */
static void watch_over(struct slot *slot, const struct job *job) {
  u64 now = __atomic_load_n(&job->beat, __ATOMIC_RELAXED);
  slot->quiet = now == slot->beat ? slot->quiet + 1 : 0;
  slot->beat = now;
  if (slot->quiet < HANG_SECONDS * 50 || slot->hangs) return;
  slot->hangs = true;
  kill(slot->pid, SIGKILL);
}

/* Runs all units, with as many workers as it takes. Returns 0, or -1 when this machine does not allow it. */
static int run_all(const struct options *o, struct shared *s) {
  static struct slot slots[JOBS_MAX];
  const struct timespec tick = {.tv_nsec = 20000000};
  unsigned busy = o->jobs;
  int bad = 0;
  for (unsigned k = 0; k < o->jobs && !bad; k++) bad = start(o, s, &slots[k], k, UNIT_NONE);
  while (busy && !bad) {
    (void)nanosleep(&tick, NULL);
    busy = 0;
    for (unsigned k = 0; k < o->jobs && !bad; k++) {
      int status;
      if (!slots[k].pid) continue;
      busy++;
      if (waitpid(slots[k].pid, &status, WNOHANG) == 0) watch_over(&slots[k], &s->job[k]);
      else bad = ended(o, s, &slots[k], k, status);
    }
  }
  for (unsigned k = 0; k < o->jobs; k++)
    if (slots[k].pid > 0) kill(slots[k].pid, SIGKILL);
  return bad;
}

static const char usage[] =
  "usage: check-native [--short] [--row NAME[,...]] [--feature NAME] [--seed N] [--cases N] [--case N]\n"
  "                    [--mode 64|32|16] [--strict] [--jobs N] [--uncompared FILE]\n"
  "  --short       fewer cases, and no list of all rows\n"
  "  --row         only rows of these names; * and ? stand for others. sequence-*: the sequences\n"
  "  --feature     only rows of this CPUID feature\n"
  "  --cases       for each row x form x width\n"
  "  --case        only this one, as a failure names it\n"
  "  --strict      compare undefined flags too\n"
  "  --jobs        so many processes; as many as there are processors\n"
  "  --uncompared  the rows that may have no cases\n";

static int parse(int argc, char **argv, struct options *o) {
  static const struct option longs[] = {
      {"short", 0, NULL, 's'}, {"row", 1, NULL, 'r'},  {"seed", 1, NULL, 'S'},    {"cases", 1, NULL, 'n'},
      {"case", 1, NULL, 'c'},  {"mode", 1, NULL, 'm'}, {"strict", 0, NULL, 'x'},  {"feature", 1, NULL, 'f'},
      {"uncompared", 1, NULL, 'u'}, {"jobs", 1, NULL, 'j'}, {NULL, 0, NULL, 0}};
  int c;
  while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
    switch (c) {
      case 's': o->cases = CASES_SHORT, o->list_rows = false; break;
      case 'r': o->row = optarg; break;
      case 'S': o->seed = strtoull(optarg, NULL, 0); break;
      case 'n': o->cases = (unsigned)strtoul(optarg, NULL, 0); break;
      case 'c': o->only_case = strtol(optarg, NULL, 0); break;
      case 'm': o->mode = !strcmp(optarg, "64") ? CODE64 : !strcmp(optarg, "32") ? CODE32 : CODE16; break;
      case 'x': o->strict = true; break;
      case 'u': o->uncompared = optarg; break;
      case 'j': o->jobs = (unsigned)strtoul(optarg, NULL, 0); break;
      case 'f':
        if ((o->feature = model_feature(optarg)) >= 0) break;
        fprintf(stderr, "native: no feature %s\n", optarg);
        return -1;
      default: return -1;
    }
  }
  return optind == argc ? 0 : -1;
}

int main(int argc, char **argv) {
  struct options o = {.seed = 1, .cases = CASES_FULL, .only_case = -1, .mode = -1, .list_rows = true,
                      .feature = FEAT_NONE};
  if (parse(argc, argv, &o)) {
    fputs(usage, stderr);
    return 2;
  }
  static char buffer[1 << 16]; /* a failure is told in one piece */
  (void)setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  if (o.only_case >= 0) o.jobs = 1;
  if (!o.jobs) o.jobs = online > 0 ? (unsigned)online : 1;
  if (o.jobs > JOBS_MAX) o.jobs = JOBS_MAX;
  struct shared *s = mmap(NULL, sizeof *s + unit_count() * sizeof s->row[0], PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (s == MAP_FAILED || run_all(&o, s)) {
    fprintf(stderr, "native: cannot run here\n");
    return 2;
  }
  return summarise(&o, s);
}
