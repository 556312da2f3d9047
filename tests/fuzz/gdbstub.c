/* Fuzzes the gdb stub: whatever a client sends, in pieces of any size and with the client gone at any point, the stub
 * goes on, and what it answers is well formed. The target is a small machine in memory.
 *
 *   byte 0      bit 0: each '$' begins a packet whose checksum is put right; bit 1: 64-bit code, else real mode; bits 2
 *               and 3: how the rest is cut into pieces; bit 4: a Linux program, as far as the stub sees
 *   the rest    what the client sends; FFh: it is gone, and another comes
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/vm.h"
#include "debugger/gdbstub.h"

enum { RAM = 1 << 16, CODE = 0x1000, PML4 = 0x8000, PDPT = 0x9000, PD = 0xa000, RUN = 50 };

static void must(bool ok) {
  if (!ok) abort();
}

struct bench {
  struct vm *vm;
  struct cpu *cpu;
  u8 *ram;
  struct dbg *d;
  struct gdbstub *g;
  FILE *out;
  unsigned steps;
  size_t sent;
  bool wide; /* 64-bit code */
};

/* ---- the target ---- */

static void run(void *opaque, u64 limit, struct dbg_ended *end) {
  struct bench *b = opaque;
  bool tired = b->steps++ > RUN;
  enum cpu_exit e = cpu_run(b->cpu, limit && limit < RUN ? limit : RUN);
  *end = (struct dbg_ended){.how = END_STOPPED};
  if (e == CPU_EXIT_SHUTDOWN) end->how = END_SHUTDOWN;
  else if (e == CPU_EXIT_HALT || (e == CPU_EXIT_BUDGET && !limit) || tired) end->how = END_HALTED;
}
static void stop(void *opaque) { cpu_stop(((struct bench *)opaque)->cpu); }
static void start(struct bench *b, bool wide);
static int restart(void *opaque, struct dbg_target *t, char *err, size_t n) {
  struct bench *b = opaque;
  (void)t, (void)err, (void)n;
  start(b, b->wide);
  b->steps = 0;
  return 0;
}
static bool module(void *opaque, unsigned n, struct dbg_module *m) {
  (void)opaque;
  if (n) return false;
  static const struct dbg_label start = {"start", CODE};
  *m = (struct dbg_module){.name = "[fuzz]", .label = &start, .labels = 1, .lo = CODE, .hi = CODE + 256};
  return true;
}
static bool mapping(void *opaque, unsigned n, struct dbg_mapping *m) {
  (void)opaque;
  *m = (struct dbg_mapping){0, RAM, "rwxp", 0, "fuzz"};
  return !n;
}
static unsigned auxv(void *opaque, void *buf, unsigned n) {
  (void)opaque;
  memset(buf, '*', n < 64 ? n : 64);
  return n < 64 ? n : 64;
}
static bool waiting(void *opaque, struct dbg_signal *s) {
  (void)opaque, (void)s;
  return false;
}
static void number(void *opaque, int signo) { (void)opaque, (void)signo; }
static void pass_fault(void *opaque) { (void)opaque; }
static bool fault_signal(void *opaque, const struct fault *f, struct dbg_signal *s) {
  (void)opaque;
  *s = (struct dbg_signal){.signo = 11, .code = 1, .addr = f->cr2};
  return f->vector != VEC_DB;
}
static bool site(void *opaque, unsigned n, u64 *at, u64 *behind) {
  (void)opaque;
  *at = CODE + 2;
  *behind = CODE + 4;
  return !n;
}
static bool call(void *opaque, bool behind, unsigned *nr, bool *i386, char *text, size_t n) {
  const struct bench *b = opaque;
  *nr = (unsigned)b->cpu->gpr[RAX] & 0xffff;
  *i386 = behind;
  snprintf(text, n, "call");
  return true;
}

/* ---- the client ---- */

/* Acknowledgements, and packets with their checksums. */
static void take_reply(void *opaque, const void *bytes, size_t n) {
  struct bench *b = opaque;
  const u8 *p = bytes;
  b->sent += n;
  must(n && (*p == '$' || (n == 1 && (*p == '+' || *p == '-'))));
  if (*p != '$') return;
  u8 sum = 0;
  char claimed[3];
  must(n >= 4 && p[n - 3] == '#');
  must(!memchr(p + 1, '$', n - 4) && !memchr(p + 1, '#', n - 4));
  for (size_t k = 1; k < n - 3; k++) sum = (u8)(sum + p[k]);
  snprintf(claimed, sizeof claimed, "%02x", sum);
  must(!memcmp(claimed, p + n - 2, 2));
}

/* Commands of `monitor` are another matter, and may read files: those that look are let through. */
static bool harmless(const u8 *p, size_t n) {
  static const char word[] = "Rcmd,";
  for (size_t k = 0; k + sizeof word - 1 <= n; k++)
    if (!memcmp(p + k, word, sizeof word - 1)) {
      const u8 *hex = p + k + sizeof word - 1;
      if (n - k < sizeof word + 3 || memcmp(hex, "69", 2) || memcmp(hex + 2, "6e", 2)) return false; /* "in" */
    }
  return true;
}

/* ---- making ---- */

static struct bench *bench_create(void) {
  struct bench *b = calloc(1, sizeof *b);
  must(b != NULL);
  b->vm = vm_create();
  b->cpu = b->vm ? cpu_create(b->vm, model_default(VENDOR_INTEL)) : NULL;
  b->ram = aligned_alloc(PAGE_SIZE, RAM);
  b->out = fopen("/dev/null", "w");
  must(b->cpu && b->ram && b->out);
  must(!phys_add(&b->vm->mem, &(struct phys_region){.size = RAM, .host = b->ram}));
  return b;
}

static void put64(u8 *ram, u64 at, u64 v) { memcpy(ram + at, &v, sizeof v); }

/* A loop that writes, calls and steps on itself; in long mode under one 2 MiB page. */
static void start(struct bench *b, bool wide) {
  static const u8 code[] = {0x89, 0x06, 0x40, 0x50, 0x58, 0xe8, 0x02, 0x00, 0xeb, 0xf6, 0x90, 0xc3, 0xcc, 0xf4};
  struct cpu *c = b->cpu;
  memset(b->ram, 0, RAM);
  memcpy(b->ram + CODE, code, sizeof code);
  vm_code_changed(b->vm, 0, RAM);
  cpu_reset(c);
  c->rip = CODE;
  c->gpr[RSP] = 0x7000;
  c->gpr[RSI] = 0x6000;
  const struct seg data = {.attr = SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED, .limit = 0xffff};
  for (unsigned r = 0; r < SREG_COUNT; r++) c->seg[r] = data;
  if (wide) {
    put64(b->ram, PML4, PDPT | 7);
    put64(b->ram, PDPT, PD | 7);
    put64(b->ram, PD, 0x87);
    c->cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_ET;
    c->cr4 = CR4_PAE | CR4_OSFXSR;
    c->cr3 = PML4;
    c->msr[MSR_EFER] = EFER_LME | EFER_LMA;
    c->seg[CS].attr = SEG_P | SEG_S | SEG_CODE | SEG_READABLE | SEG_ACCESSED | SEG_L;
  }
  cpu_update_mode(c);
  cpu_tlb_flush(c);
  c->recorder = NULL;
  c->stop = 0;
}

static struct dbg *session_of(struct bench *b, bool program) {
  char err[256];
  struct dbg_target t = {.opaque = b, .cpu = b->cpu, .machine = !program, .name = "fuzz", .run = run, .stop = stop,
                         .restart = restart, .module = module, .pid = 77, .tid = 77};
  if (program) {
    t.mapping = mapping;
    t.auxv = auxv;
    t.fault_signal = fault_signal;
    t.pass_fault = pass_fault;
    t.signal = waiting;
    t.set_signal = t.send_signal = number;
    t.syscall_site = site;
    t.syscall = call;
  }
  return dbg_create(&t, b->out, false, err, sizeof err);
}

/* One machine of each kind, with its session, for the fuzzer's life: making them costs more than a run. */
static struct bench *open_session(u8 choice) {
  static struct bench *made[2];
  bool program = choice & 0x10;
  char err[256];
  if (!made[program]) {
    made[program] = bench_create();
    made[program]->d = session_of(made[program], program);
    must(made[program]->d != NULL);
  }
  struct bench *b = made[program];
  struct gdb_io io = {.opaque = b, .send = take_reply};
  b->wide = choice & 2;
  must(!dbg_restart(b->d, err, sizeof err));
  b->g = gdbstub_create(b->d, &io);
  must(b->g != NULL);
  return b;
}

/* ---- one input ---- */

/* One piece, up to where the client goes. */
static enum gdb_end feed(struct bench *b, const u8 *p, size_t n, unsigned cut) {
  static const size_t sizes[4] = {1, 3, 100, 1 << 20};
  enum gdb_end end = GDB_GOES_ON;
  for (size_t part; n && end == GDB_GOES_ON; p += part, n -= part) {
    part = n < sizes[cut] ? n : sizes[cut];
    end = gdbstub_feed(b->g, p, part);
  }
  return end;
}

/* "$body#" with the right sum, for each "$body" in the input. */
static enum gdb_end feed_packets(struct bench *b, const u8 *p, size_t n, unsigned cut) {
  enum gdb_end end = GDB_GOES_ON;
  while (n && end == GDB_GOES_ON) {
    const u8 *next = memchr(p + 1, '$', n - 1);
    size_t part = next ? (size_t)(next - p) : n;
    u8 sum = 0;
    char tail[4];
    for (size_t k = *p == '$'; k < part; k++) sum = (u8)(sum + p[k]);
    snprintf(tail, sizeof tail, "#%02x", sum);
    if (*p != '$') end = feed(b, (const u8 *)"$", 1, cut);
    end = feed(b, p, part, cut);
    if (end == GDB_GOES_ON) end = feed(b, (const u8 *)tail, 3, cut);
    p += part;
    n -= part;
  }
  return end;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
  if (size < 2 || size > 1 << 15 || !harmless(data, size)) return 0;
  u8 choice = data[0];
  unsigned cut = choice >> 2 & 3;
  struct bench *b = open_session(choice);
  const u8 *p = data + 1, *end = data + size;
  enum gdb_end how = GDB_GOES_ON;
  while (p < end && how == GDB_GOES_ON) {
    const u8 *gone = memchr(p, 0xff, (size_t)(end - p));
    size_t n = (size_t)((gone ? gone : end) - p);
    how = choice & 1 ? feed_packets(b, p, n, cut) : feed(b, p, n, cut);
    p += n + 1;
    if (gone) {
      gdbstub_disconnected(b->g);
      gdbstub_connected(b->g);
    }
  }
  gdbstub_destroy(b->g);
  return 0;
}
