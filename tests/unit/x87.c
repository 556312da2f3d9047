/* The x87 against this machine's, instruction by instruction: every encoding that has a row, over edge
 * values, stack shapes, control words and status words. Compared are all registers, tags, FCW, FSW,
 * EFLAGS, AX, memory, and which instruction FIP names. SDM 1 8 (Programming with the x87 FPU). */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "cpu/opcodes.h"
#include "cpu/vm.h"
#include "cpu/x87.h"
#include "tests/unit/random.h"
#include "tests/unit/baseline.h"

enum {
  RAM_BYTES = 1 << 18,
  IDT_AT = 0x1000, GDT_AT = 0x2000, STACK_TOP = 0x4000, HANDLERS_AT = 0x5000,
  DATA_AT = 0x8000, DATA_BYTES = 112,
  CODE_AT = 0x10000, CODE_STEP = 16,
  ROUNDS = 150,
};

struct image { /* FNSAVE's, 32-bit protected-mode format */
  u16 fcw, pad0, fsw, pad1, tags, pad2;
  u32 fip;
  u16 fcs, fop;
  u32 fdp;
  u16 fds, pad3;
  u8 st[8][10];
};

/* ---- a machine: flat 32-bit protected mode without paging ---- */

struct rig {
  struct vm *vm;
  struct cpu *cpu;
  struct cpu_model model;
  u8 *ram;
  u8 *jit;
};

static void set_segment(struct seg *s, u16 sel, u32 attr) {
  *s = (struct seg){
      .sel = sel, .attr = attr | SEG_P | SEG_S | SEG_DB | SEG_G | SEG_ACCESSED, .limit = 0xffffffff};
}

static void place_tables(struct rig *r) {
  st64(r->ram + GDT_AT + 8, UINT64_C(0x00cf9b000000ffff));
  st64(r->ram + GDT_AT + 16, UINT64_C(0x00cf93000000ffff));
  for (unsigned v = 0; v < 32; v++) {
    u32 to = HANDLERS_AT + 16 * v;
    st64(r->ram + IDT_AT + 8 * v, (to & 0xffff) | (u64)8 << 16 | (u64)0x8e00 << 32 | (u64)(to >> 16) << 48);
    st16(r->ram + to, 0xfeeb); /* JMP to itself */
  }
}

static void rig_open(struct rig *r) {
  memset(r, 0, sizeof *r);
  r->model = *baseline(VENDOR_INTEL);
  r->model.has[FEAT_SSE3] = 1;
  r->ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  r->jit = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ck_assert(r->ram != MAP_FAILED && r->jit != MAP_FAILED);
  r->vm = vm_create();
  ck_assert_ptr_nonnull(r->vm);
  ck_assert_int_eq(phys_add(&r->vm->mem, &(struct phys_region){.base = 0, .size = RAM_BYTES, .host = r->ram}),
                   0);
  r->cpu = cpu_create(r->vm, &r->model);
  ck_assert_ptr_nonnull(r->cpu);
  place_tables(r);
  struct cpu *cpu = r->cpu;
  cpu->cr0 = CR0_PE | CR0_NE | CR0_ET;
  cpu->gdtr = (struct dtable){GDT_AT, 23};
  cpu->idtr = (struct dtable){IDT_AT, 255};
  set_segment(&cpu->seg[CS], 8, SEG_CODE | SEG_READABLE);
  for (unsigned s = 0; s < SREG_COUNT; s++)
    if (s != CS) set_segment(&cpu->seg[s], 16, SEG_WRITABLE);
  cpu_update_mode(cpu);
}

static void rig_close(struct rig *r) {
  vm_destroy(r->vm);
  munmap(r->ram, RAM_BYTES);
  munmap(r->jit, 4096);
}

/* ---- values ---- */

static const struct {
  u16 se;
  u64 m;
} edges80[] = {
  {0, 0}, {0x3fff, 0x8000000000000000}, {0x3fff, 0xc000000000000000}, {0x4000, 0xc90fdaa22168c235},
  {0x3ffe, 0x8000000000000000}, {0x3ffe, 0xffffffffffffffff}, {0x3ffd, 0xb504f333f9de6484},
  /* denormals, pseudo-denormals */
  {0, 1}, {0, 0x7fffffffffffffff}, {0, 0x8000000000000000}, {0, 0xffffffffffffffff},
  {1, 0x8000000000000000}, {1, 0x8000000000000001}, {0x7ffe, 0xffffffffffffffff},
  {0x7ffe, 0x8000000000000000},
  /* infinity, quiet and signalling NaNs */
  {0x7fff, 0x8000000000000000}, {0x7fff, 0xc000000000000000}, {0x7fff, 0xc000000000000123},
  {0x7fff, 0x8000000000000001}, {0x7fff, 0xa000000000000000},
  /* unsupported formats */
  {0x7fff, 0}, {0x7fff, 0x4000000000000000}, {0x4000, 0x4000000000000000}, {1, 0}, {0x3fff, 1},
  /* about the limits of integers, of FBSTP, of single and of double */
  {0x401d, 0xffffffff00000000}, {0x401e, 0x8000000000000000}, {0x400d, 0xfffe000000000000},
  {0x400e, 0x8000000000000000}, {0x403d, 0xffffffffffffffff}, {0x403e, 0x8000000000000000},
  {0x403e, 0x8000000000000001}, {0x403f, 0x8000000000000000}, {0x403a, 0xde0b6b3a763fffff},
  {0x403a, 0xde0b6b3a76400000}, {0x3f80, 0xffffff8000000000}, {0x3f81, 0x8000000000000000},
  {0x407e, 0xffffff8000000000}, {0x407e, 0xffffff0000000000}, {0x3c00, 0xfffffffffffffc00},
  {0x3c01, 0x8000000000000000}, {0x43fe, 0xfffffffffffffc00}, {0x43fe, 0xfffffffffffff800},
  {0x3f6a, 0x8000000000000000}, {0x3bcd, 0x8000000000000000}, {0x3fc0, 0x8000000000000001},
  {0x4005, 0xb400000000000000}, {0x5fff, 0x8000000000000000}, {0x1fff, 0x8000000000000000},
  {0x4009, 0x8000000000000fff}, {0x3fc5, 0xd3c21187e7c06e19},
};

static void random80(u8 *p) {
  u64 k = rnd();
  u16 sign = k >> 40 & 1 ? 0x8000 : 0;
  if (k % 4) {
    unsigned n = (unsigned)(k >> 8) % ARRAY_SIZE(edges80);
    st64(p, edges80[n].m);
    st16(p + 8, edges80[n].se | sign);
  } else {
    st64(p, rnd() | BIT(63));
    st16(p + 8, (u16)((k & 8 ? 0x3fff - 20 + (k >> 8) % 90 : (k >> 8) & 0x7fff) | sign));
  }
}

/* A memory operand of any kind; the widths overlap. */
static void random_operand(u8 *p) {
  static const u32 floats[] = {0,          0x3f800000, 0x80000000, 1,          0x007fffff,
                               0x00800000, 0x7f7fffff, 0x7f800000, 0x7fc00000, 0x7f800001,
                               0xffc12345, 0x40490fdb, 0xbf000000, 0x4b000001};
  static const u64 doubles[] = {
    0, 0x3ff0000000000000, 0x8000000000000000, 1, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff,
    0x7ff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 0xfff8123456789abc, 0x400921fb54442d18,
    0xbfe0000000000000, 0x4330000000000001};
  for (unsigned k = 0; k < DATA_BYTES; k += 8) st64(p + k, rnd());
  u64 k = rnd();
  switch (k % 6) {
    case 0: st32(p, floats[(k >> 8) % ARRAY_SIZE(floats)]); break;
    case 1: st64(p, doubles[(k >> 8) % ARRAY_SIZE(doubles)]); break;
    case 2: random80(p); break;
    case 3: st64(p, (u64)((s64)(k >> 8) % 5 - 2)); break;
    case 4:
      for (unsigned n = 0; n < 10; n++) p[n] = (u8)(rnd() % 10 * 16 + rnd() % 10);
      p[9] &= 0x80;
      break;
    default: break;
  }
}

/* Mostly full stacks; nothing waits. */
static void random_image(struct image *m, bool masked) {
  memset(m, 0, sizeof *m);
  u64 k = rnd();
  m->fcw = (u16)((k & 0x1f00) | 0x40 | (masked ? 0x3f : rnd() & 0x3f));
  m->fsw = (u16)(rnd() & 0x7f7f & ~(u64)(~m->fcw & 0x3f));
  for (unsigned r = 0; r < 8; r++)
    if (!(rnd() & (k & BIT(20) ? 1 : 7))) m->tags |= (u16)(3 << 2 * r);
  for (unsigned r = 0; r < 8; r++) random80(m->st[r]);
}

/* ---- the two executions ---- */

struct outcome {
  struct image x;
  u32 eflags;
  u16 ax;
  bool fip_here; /* FIP is the instruction's own address */
  u8 data[DATA_BYTES];
};

enum { STATUS_FLAGS = 0x8d5 };

/* void f(const struct image *in, struct image *out, void *data, u64 eflags, u64 out[2]) */
static void run_native(struct rig *r, const u8 *code, unsigned n, const struct image *in, u32 eflags,
                       struct outcome *o) {
  static const u8 head[] = {0x53, 0x48, 0x89, 0xd3, 0xdd,
                            0x27, 0x31, 0xc0, 0x51, 0x9d}; /* rbx = data; FRSTOR; flags */
  static const u8 tail[] = {0x9c, 0x59, 0xdd, 0x36, 0x49, 0x89, 0x08,
                            0x49, 0x89, 0x40, 0x08, 0x5b, 0xc3}; /* FNSAVE */
  u64 regs[2];
  void (*f)(const void *, void *, void *, u64, u64 *);
  memcpy(r->jit, head, sizeof head);
  memcpy(r->jit + sizeof head, code, n);
  memcpy(r->jit + sizeof head + n, tail, sizeof tail);
  memcpy(&f, &r->jit, sizeof f);
  f(in, &o->x, o->data, eflags | 2, regs);
  o->eflags = (u32)regs[0] & STATUS_FLAGS;
  o->ax = (u16)regs[1];
  o->fip_here = o->x.fip == (u32)(uintptr_t)(r->jit + sizeof head);
}

static void guest_load(struct cpu *cpu, const struct image *in) {
  x87_leave(cpu);
  x87_init(cpu);
  x87_set_fcw(cpu, in->fcw);
  x87_set_fsw(cpu, in->fsw);
  x87_set_tags(cpu, in->tags);
  for (unsigned n = 0; n < 8; n++) {
    unsigned reg = (cpu->x87.top + n) & 7;
    cpu->x87.st[reg].m = ld64(in->st[n]);
    cpu->x87.st[reg].se = ld16(in->st[n] + 8);
  }
}

/* Runs count instructions at `at`. */
static void run_guest(struct rig *r, u32 at, unsigned count, const struct image *in, u32 eflags) {
  struct cpu *cpu = r->cpu;
  guest_load(cpu, in);
  cpu_set_eflags(cpu, eflags);
  cpu->rip = at;
  cpu->gpr[RAX] = 0;
  cpu->gpr[RBX] = DATA_AT;
  cpu->gpr[RSP] = STACK_TOP;
  (void)cpu_run(cpu, count);
  x87_leave(cpu);
}

static void guest_outcome(struct rig *r, u32 insn_at, struct outcome *o) {
  struct cpu *cpu = r->cpu;
  memset(&o->x, 0xff, sizeof o->x);
  o->x.fcw = cpu->x87.fcw;
  o->x.fsw = x87_fsw(cpu);
  o->x.tags = x87_tags(cpu);
  for (unsigned n = 0; n < 8; n++) {
    unsigned reg = (cpu->x87.top + n) & 7;
    st64(o->x.st[n], cpu->x87.st[reg].m);
    st16(o->x.st[n] + 8, cpu->x87.st[reg].se);
  }
  o->x.fop = cpu->x87.fop;
  o->eflags = cpu_eflags(cpu) & STATUS_FLAGS;
  o->ax = (u16)cpu->gpr[RAX];
  o->fip_here = cpu->x87.fip == insn_at;
  memcpy(o->data, r->ram + DATA_AT, DATA_BYTES);
}

static void dump(const char *who, const struct outcome *o) {
  printf("%-7s fcw %04x fsw %04x tags %04x fop %03x flags %03x ax %04x fip %d data", who, o->x.fcw, o->x.fsw,
         o->x.tags, o->x.fop, o->eflags, o->ax, o->fip_here);
  for (unsigned k = 0; k < 28; k++) printf(" %02x", o->data[k]);
  printf("\n");
  for (unsigned n = 0; n < 8; n++)
    printf("    %04x:%016llx", ld16(o->x.st[n] + 8), (unsigned long long)ld64(o->x.st[n]));
  printf("\n");
}

/* Where the environment in memory holds pointers: those are each program's own. */
static void blank_pointers(u8 *data, unsigned op_size) {
  if (op_size == 4) memset(data + 12, 0, 14);
  else memset(data + 6, 0, 8);
}

static bool same(const struct outcome *a, const struct outcome *b) {
  return a->x.fcw == b->x.fcw && a->x.fsw == b->x.fsw && a->x.tags == b->x.tags && a->eflags == b->eflags &&
         a->ax == b->ax && a->fip_here == b->fip_here && !memcmp(a->x.st, b->x.st, sizeof a->x.st) &&
         !memcmp(a->data, b->data, DATA_BYTES);
}

/* ---- every encoding ---- */

static bool matches(const struct oprow *row, u8 b0, u8 modrm) {
  u16 want = row->modrm;
  bool reg_form = modrm >> 6 == 3;
  return row->map == 0 && row->opcode == b0 && (want & 1) && !((want & 2) && !reg_form) &&
         !((want & 4) && reg_form) && !((want & 8) && (want >> 4 & 7) != (modrm >> 3 & 7)) &&
         !((want & 0x80) && (want >> 8 & 7) != (modrm & 7));
}
static const struct oprow *row_of(u8 b0, u8 modrm) {
  for (unsigned k = 0; k < opcode_row_count; k++)
    if (matches(&opcode_rows[k], b0, modrm)) return &opcode_rows[k];
  return NULL;
}

enum { FNOP = 0xd0d9 };

/* Encodings: memory operands at [EBX], and all register forms. A 66 prefix: 14-byte environments. */
struct encoding {
  u8 bytes[4];
  unsigned n;
  const struct oprow *row;
};
static unsigned encodings(struct encoding *e, unsigned room) {
  unsigned n = 0;
  for (unsigned b0 = 0xd8; b0 <= 0xdf; b0++)
    for (unsigned k = 0; k < 72; k++) {
      u8 modrm = (u8)(k < 8 ? k << 3 | 3 : 0xc0 + k - 8);
      const struct oprow *row = row_of((u8)b0, modrm);
      if (!row) continue;
      for (unsigned p66 = 0; p66 < (k < 8 ? 2 : 1); p66++) {
        ck_assert_uint_lt(n, room);
        e[n] = (struct encoding){.bytes = {0x66, (u8)b0, modrm}, .n = 3, .row = row};
        if (!p66) memmove(e[n].bytes, e[n].bytes + 1, e[n].n = 2);
        n++;
      }
    }
  return n;
}

static bool is_env(const struct oprow *row) {
  return !strcmp(row->operands, "M") && (!strcmp(row->name, "FNSTENV") || !strcmp(row->name, "FNSAVE"));
}

/* From both sides: first with the state in struct x87 (the X form), then behind a FNOP that takes it up
 * (the fast form, if every exception is masked). */
static void compare(struct rig *r, const struct encoding *e, u32 at, bool masked) {
  static struct outcome want, got;
  struct image in;
  u8 data[DATA_BYTES];
  random_image(&in, masked);
  random_operand(data);
  u32 eflags = (u32)rnd() & STATUS_FLAGS;
  memcpy(want.data, data, DATA_BYTES);
  run_native(r, e->bytes, e->n, &in, eflags, &want);
  if (is_env(e->row)) blank_pointers(want.data, e->n == 2 ? 4 : 2);
  for (unsigned side = 0; side < 2; side++) {
    memcpy(r->ram + DATA_AT, data, DATA_BYTES);
    run_guest(r, side ? at : at + 2, side ? 2 : 1, &in, eflags);
    guest_outcome(r, at + 2, &got);
    if (is_env(e->row)) blank_pointers(got.data, e->n == 2 ? 4 : 2);
    if (!same(&want, &got)) {
      struct outcome before = {.x = in, .eflags = eflags};
      memcpy(before.data, data, DATA_BYTES);
      dump("before", &before);
      dump("native", &want);
      dump("guest", &got);
      ck_abort_msg("%s %s (%02x %02x %02x), %s form", e->row->name, e->row->operands, e->bytes[0],
                   e->bytes[1], e->bytes[2], side ? "fast" : "X");
    }
  }
}

static unsigned rounds(void) {
  const char *s = getenv("X87_ROUNDS");
  return s ? (unsigned)strtoul(s, NULL, 0) : ROUNDS;
}

static unsigned place_code(struct rig *r, struct encoding *e, unsigned room) {
  unsigned n = encodings(e, room);
  for (unsigned k = 0; k < n; k++) {
    u8 *p = r->ram + CODE_AT + CODE_STEP * k;
    st16(p, FNOP);
    memcpy(p + 2, e[k].bytes, e[k].n);
  }
  return n;
}

START_TEST(every_row_like_silicon) {
  static struct encoding e[1024];
  struct rig r;
  rig_open(&r);
  unsigned n = place_code(&r, e, ARRAY_SIZE(e)), seen = 0;
  for (unsigned k = 0; k < opcode_row_count; k++) {
    bool mine = opcode_rows[k].map == 0 && (opcode_rows[k].opcode & 0xf8) == 0xd8, found = false;
    for (unsigned m = 0; mine && m < n; m++) found |= e[m].row == &opcode_rows[k];
    if (mine && !found)
      ck_abort_msg("%s %s has no encoding here", opcode_rows[k].name, opcode_rows[k].operands);
    seen += mine;
  }
  ck_assert_uint_gt(seen, 0);
  for (unsigned k = 0; k < n; k++)
    for (unsigned round = 0; round < rounds(); round++)
      compare(&r, &e[k], CODE_AT + CODE_STEP * k, round & 1);
  rig_close(&r);
}
END_TEST

/* ---- exceptions that wait ---- */

static u32 put_code(struct rig *r, const void *bytes, unsigned n) {
  static u32 at;
  at =
      at < CODE_AT + 0x20000 ? CODE_AT + 0x20000 : at + 64; /* always fresh: nothing decoded is overwritten */
  memcpy(r->ram + at, bytes, n);
  return at;
}
#define CODE(r, ...) put_code((r), (const u8[]){__VA_ARGS__}, sizeof(u8[]){__VA_ARGS__})

static void empty_image(struct image *m, u16 fcw, u16 fsw) {
  *m = (struct image){.fcw = fcw, .fsw = fsw, .tags = 0xffff};
}

static bool at_handler(const struct rig *r, unsigned vector) {
  return r->cpu->rip == HANDLERS_AT + 16 * vector;
}

/* SDM 1 8.6 (x87 FPU Exception Synchronization); SDM 2A FSTSW/FNSTSW and the other FN forms: these do not
 * wait. */
START_TEST(waiting_instructions_report_an_exception) {
  static struct encoding e[1024];
  struct rig r;
  rig_open(&r);
  unsigned n = place_code(&r, e, ARRAY_SIZE(e));
  for (unsigned k = 0; k < n; k++) {
    struct image in;
    u32 at = CODE_AT + CODE_STEP * k + 2;
    empty_image(&in, 0x37e, 1);
    memset(r.ram + DATA_AT, 0, DATA_BYTES);
    run_guest(&r, at, 1, &in, 0);
    bool waits = strncmp(e[k].row->name, "FN", 2) || !strcmp(e[k].row->name, "FNOP");
    if (waits != at_handler(&r, VEC_MF)) ck_abort_msg("%s %s: #MF", e[k].row->name, e[k].row->operands);
    if (waits) {
      ck_assert_uint_eq(ld32(r.ram + r.cpu->gpr[RSP]),
                        at); /* a fault: at the waiting instruction, which did nothing */
      ck_assert_uint_eq(x87_fsw(r.cpu), 0x8081);
      ck_assert_uint_eq(r.cpu->x87.empty, 0xff);
    }
  }
  rig_close(&r);
}
END_TEST

START_TEST(wait_reports_an_exception_and_nothing_else) {
  struct rig r;
  struct image in;
  rig_open(&r);
  empty_image(&in, 0x37e, 1);
  u32 at = CODE(&r, 0x9b);
  run_guest(&r, at, 1, &in, 0);
  ck_assert(at_handler(&r, VEC_MF));
  empty_image(&in, 0x37e, 4);
  run_guest(&r, at, 1, &in, 0);
  ck_assert_uint_eq(r.cpu->rip, at + 1);
  /* SDM 2D WAIT/FWAIT: #NM with CR0.TS and CR0.MP, not with TS alone. */
  r.cpu->cr0 |= CR0_TS;
  cpu_update_mode(r.cpu);
  run_guest(&r, at, 1, &in, 0);
  ck_assert_uint_eq(r.cpu->rip, at + 1);
  r.cpu->cr0 |= CR0_MP;
  cpu_update_mode(r.cpu);
  run_guest(&r, at, 1, &in, 0);
  ck_assert(at_handler(&r, VEC_NM));
  rig_close(&r);
}
END_TEST

/* An unmasked exception is found by the instruction after: FLD1; FLDZ; FDIVP; FNOP. FCLEX takes it away. */
START_TEST(an_unmasked_exception_comes_one_instruction_late) {
  struct rig r;
  struct image in;
  rig_open(&r);
  empty_image(&in, 0x37b, 0);
  u32 at = CODE(&r, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xd9, 0xd0);
  run_guest(&r, at, 4, &in, 0);
  ck_assert(at_handler(&r, VEC_MF));
  ck_assert_uint_eq(ld32(r.ram + r.cpu->gpr[RSP]), at + 6);
  ck_assert_uint_eq(x87_fsw(r.cpu), 0xb084); /* ES, B, ZE; the stack as it was */
  ck_assert_uint_eq(r.cpu->x87.fip, at + 4);
  ck_assert_uint_eq(r.cpu->x87.fop, 0x6f9);
  at = CODE(&r, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xdb, 0xe2, 0xd9, 0xd0, 0xeb, 0xfe);
  run_guest(&r, at, 6, &in, 0);
  ck_assert_uint_eq(r.cpu->rip, at + 10);
  /* Without CR0.NE there is no #MF. */
  r.cpu->cr0 &= ~CR0_NE;
  cpu_update_mode(r.cpu);
  empty_image(&in, 0x37e, 1);
  at = CODE(&r, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xc1, 0xeb, 0xfe);
  run_guest(&r, at, 4, &in, 0);
  ck_assert_uint_eq(r.cpu->rip, at + 6);
  ck_assert_uint_eq(x87_fsw(r.cpu), 0xb881);
  ck_assert_uint_eq(r.cpu->x87.st[7].m, BIT(63));
  rig_close(&r);
}
END_TEST

/* ---- faults of the operand, and its place ---- */

/* Beyond the segment limit: #GP(0), and neither the stack nor the status word has changed, in both forms. */
START_TEST(a_faulting_operand_changes_nothing) {
  static const u8 ops[][2] = {{0xd9, 0x1b}, {0xdd, 0x1b}, {0xdb, 0x3b}, {0xd9, 0x13},
                              {0xdf, 0x33}, {0xdb, 0x1b}, {0xdd, 0x03}, {0xd8, 0x03},
                              {0xdf, 0x23}, {0xd9, 0x33}, {0xdd, 0x33}, {0xdd, 0x23}};
  struct rig r;
  rig_open(&r);
  set_segment(&r.cpu->seg[DS], 16, SEG_WRITABLE);
  r.cpu->seg[DS].limit = DATA_AT;
  cpu_update_mode(r.cpu);
  for (unsigned k = 0; k < ARRAY_SIZE(ops); k++)
    for (unsigned live = 0; live < 2; live++) {
      struct image in;
      random_image(&in, true);
      in.tags = 0;
      memset(r.ram + DATA_AT, 0x55, DATA_BYTES);
      u32 at = CODE(&r, 0xd9, 0xd0, ops[k][0], ops[k][1]);
      run_guest(&r, live ? at : at + 2, live ? 2 : 1, &in, 0);
      ck_assert(at_handler(&r, VEC_GP));
      ck_assert_uint_eq(x87_fsw(r.cpu), in.fsw);
      ck_assert_uint_eq(r.cpu->x87.empty, 0);
      ck_assert_uint_eq(r.ram[DATA_AT], 0x55);
    }
  rig_close(&r);
}
END_TEST

/* Through a register and a displacement, an index, an absolute address, FS, 16-bit addressing, and across
 * a page. */
START_TEST(operands_are_found_in_every_form) {
  static const struct {
    u8 code[8];
    u32 at;
  } loads[] = {
      {{0xdd, 0x43, 0x10}, DATA_AT + 16},    {{0xdd, 0x44, 0x8b, 4}, DATA_AT + 4 + 20},
      {{0xdd, 0x05, 0, 0x81, 0, 0}, 0x8100}, {{0x64, 0xdd, 0x43, 8}, DATA_AT + 8 + 0x100},
      {{0x67, 0xdd, 0x47, 8}, DATA_AT + 8},  {{0xdd, 0x83, 0xfb, 0x0f, 0, 0}, DATA_AT + 0xffb},
  };
  struct rig r;
  struct image in;
  rig_open(&r);
  r.cpu->seg[FS].base = 0x100;
  cpu_update_mode(r.cpu);
  for (unsigned k = 0; k < ARRAY_SIZE(loads); k++)
    for (unsigned pass = 0; pass < 3; pass++) { /* translations unknown, known; the state in struct x87 */
      u8 code[16] = {0xd9, 0xd0};
      double v = 1.25 + k;
      memcpy(code + 2, loads[k].code, 8);
      memcpy(r.ram + loads[k].at, &v, 8);
      u32 at = put_code(&r, code, sizeof code);
      empty_image(&in, 0x37f, 0);
      r.cpu->gpr[RCX] = 5;
      run_guest(&r, pass < 2 ? at : at + 2, pass < 2 ? 2 : 1, &in, 0);
      ck_assert_uint_eq(r.cpu->x87.st[7].m, (5 + 4 * (u64)k) << (k < 1 ? 61 : k < 3 ? 60 : 59) );
      ck_assert_uint_eq(r.cpu->x87.fdp, k == 3 ? loads[k].at - 0x100 : loads[k].at);
      ck_assert_uint_eq(r.cpu->x87.fip, at + 2);
    }
  rig_close(&r);
}
END_TEST

/* ---- the environment ---- */

/* Figures 8-9 to 8-12 of SDM 1. FLDS from FS: [EBX]; FNSTENV [EBX] with and without 66. */
START_TEST(environment_formats) {
  struct rig r;
  struct image in;
  const u8 *p;
  rig_open(&r);
  p = r.ram + DATA_AT;
  empty_image(&in, 0x37f, 0);
  u32 at = CODE(&r, 0xd9, 0x03, 0xd9, 0x33);
  run_guest(&r, at, 2, &in, 0);
  ck_assert_uint_eq(ld32(p), 0xffff037f);
  ck_assert_uint_eq(ld32(p + 4), 0xffff3800);
  ck_assert_uint_eq(ld32(p + 12), at);
  ck_assert_uint_eq(ld16(p + 16), 8);
  ck_assert_uint_eq(ld32(p + 20), DATA_AT);
  ck_assert_uint_eq(ld32(p + 24), 0xffff0010);
  at = CODE(&r, 0xd9, 0x03, 0x66, 0xd9, 0x33);
  run_guest(&r, at, 2, &in, 0);
  ck_assert_uint_eq(ld16(p + 6), (u16)at);
  ck_assert_uint_eq(ld16(p + 8), 8);
  ck_assert_uint_eq(ld16(p + 10), DATA_AT);
  ck_assert_uint_eq(ld16(p + 12), 16);
  /* Real-address mode: linear addresses, and the opcode. 32-bit operand size with 66 there. */
  r.cpu->cr0 &= ~CR0_PE;
  for (unsigned s = 0; s < SREG_COUNT; s++)
    r.cpu->seg[s] = (struct seg){.attr = SEG_P | SEG_S | SEG_WRITABLE | SEG_ACCESSED, .limit = 0xffff};
  r.cpu->seg[CS] = (struct seg){.sel = 0x2000, .base = 0x20000, .limit = 0xffff,
                                .attr = SEG_P | SEG_S | SEG_CODE | SEG_READABLE | SEG_ACCESSED};
  r.cpu->seg[DS].sel = 0x1000;
  r.cpu->seg[DS].base = 0x10000;
  cpu_update_mode(r.cpu);
  p = r.ram + 0x10000 + DATA_AT;
  empty_image(&in, 0x37b, 0);
  static const u8 real_code[] = {0xd9, 0xe8, 0xd8,
                                 0x37, 0xd9, 0x37}; /* FLD1; FDIV m32 [BX] (zero); FNSTENV [BX] */
  memcpy(r.ram + 0x2ff00, real_code, sizeof real_code);
  st32(r.ram + 0x18000, 0);
  run_guest(&r, 0xff00, 3, &in, 0);
  ck_assert_uint_eq(ld16(p), 0x37b);
  ck_assert_uint_eq(ld16(p + 2), 0xb884);
  ck_assert_uint_eq(ld16(p + 6), 0xff02);
  ck_assert_uint_eq(ld16(p + 8), 0x2037);
  ck_assert_uint_eq(ld16(p + 10), 0x8000);
  ck_assert_uint_eq(ld16(p + 12), 0x1000);
  static const u8 real_code32[] = {0xd9, 0xe8, 0xd8, 0x37, 0x66, 0xd9, 0x37};
  memcpy(r.ram + 0x2fe00, real_code32, sizeof real_code32);
  st32(r.ram + 0x18000, 0);
  run_guest(&r, 0xfe00, 3, &in, 0);
  ck_assert_uint_eq(ld16(p + 12), 0xfe02);
  ck_assert_uint_eq(ld32(p + 16), 0x2037);
  ck_assert_uint_eq(ld16(p + 20), 0x8000);
  ck_assert_uint_eq(ld32(p + 24), 0x1000);
  rig_close(&r);
}
END_TEST

/* APM 1 6.2.5: the opcode follows every instruction. */
START_TEST(amd_records_every_opcode) {
  struct rig r;
  struct image in;
  rig_open(&r);
  r.model = *baseline(VENDOR_AMD);
  empty_image(&in, 0x37f, 0);
  u32 at = CODE(&r, 0x26, 0xd9, 0x03, 0xd9, 0x33);
  run_guest(&r, at, 2, &in, 0);
  ck_assert_uint_eq(ld32(r.ram + DATA_AT + 16), 0x01030008);
  rig_close(&r);
}
END_TEST

/* ---- who holds the state ---- */

/* Outside cpu_run() the host has its own control word and an empty stack. */
START_TEST(the_host_gets_its_own_x87_back) {
  struct rig r;
  struct image in, host;
  u16 odd = 0x0f7f, before;
  rig_open(&r);
  empty_image(&in, 0x07f, 0);
  u32 at = CODE(&r, 0xd9, 0xe8, 0xd9, 0xe8, 0xeb, 0xfe);
  __asm__ volatile("fnstcw %0\n\tfldcw %1" : "=m"(before) : "m"(odd));
  guest_load(r.cpu, &in);
  r.cpu->rip = at;
  (void)cpu_run(r.cpu, 1000);
  __asm__ volatile("fnstenv %0\n\tfldcw %1" : "=m"(host) : "m"(before) : "memory");
  ck_assert(!r.cpu->x87.live);
  ck_assert_uint_eq(host.fcw, odd);
  ck_assert_uint_eq(host.tags, 0xffff);
  ck_assert_uint_eq(r.cpu->x87.top, 6);
  ck_assert_uint_eq(r.cpu->x87.fcw, 0x7f);
  rig_close(&r);
}
END_TEST

/* FLD1; MOVD MM1,EAX; MOVD ECX,MM1; EMMS; FLDZ: the MMX sees the x87's registers and the reverse. */
START_TEST(mmx_and_x87_share_the_registers) {
  struct rig r;
  struct image in;
  rig_open(&r);
  r.cpu->cr4 |= CR4_OSFXSR;
  cpu_update_mode(r.cpu);
  empty_image(&in, 0x37f, 0);
  u32 at = CODE(&r, 0xd9, 0xe8, 0xb8, 0x78, 0x56, 0x34, 0x12, 0x0f, 0x6e, 0xc8, 0x0f, 0x7e, 0xc9, 0x0f, 0x7f,
                0x3b, 0x0f, 0x77, 0xd9, 0xee, 0xeb, 0xfe);
  run_guest(&r, at, 7, &in, 0);
  ck_assert_uint_eq(r.cpu->gpr[RCX], 0x12345678);
  ck_assert_uint_eq(ld64(r.ram + DATA_AT), BIT(63)); /* MM7 was FLD1's */
  ck_assert_uint_eq(r.cpu->x87.st[1].m, 0x12345678);
  ck_assert_uint_eq(r.cpu->x87.st[1].se, 0xffff);
  ck_assert_uint_eq(r.cpu->x87.top, 7);
  ck_assert_uint_eq(r.cpu->x87.st[7].m, 0);
  ck_assert_uint_eq(r.cpu->x87.empty, 0x7f);
  /* FXSAVE [EBX] and FXRSTOR [EBX] behind an x87 instruction. */
  at = CODE(&r, 0xd9, 0xe8, 0x0f, 0xae, 0x03, 0xd9, 0xee, 0x0f, 0xae, 0x0b, 0xd9, 0xe8, 0xeb, 0xfe);
  run_guest(&r, at, 5, &in, 0);
  ck_assert_uint_eq(ld16(r.ram + DATA_AT + 2), 0x3800);
  ck_assert_uint_eq(r.ram[DATA_AT + 4], 0x80);
  ck_assert_uint_eq(ld64(r.ram + DATA_AT + 32), BIT(63));
  ck_assert_uint_eq(r.cpu->x87.top, 6);
  ck_assert_uint_eq(r.cpu->x87.st[6].m, BIT(63));
  rig_close(&r);
}
END_TEST

Suite *suite_x87(void);
Suite *suite_x87(void) {
  Suite *s = suite_create("x87");
  TCase *tc = tcase_create("x87");
  tcase_add_test(tc, every_row_like_silicon);
  tcase_add_test(tc, waiting_instructions_report_an_exception);
  tcase_add_test(tc, wait_reports_an_exception_and_nothing_else);
  tcase_add_test(tc, an_unmasked_exception_comes_one_instruction_late);
  tcase_add_test(tc, a_faulting_operand_changes_nothing);
  tcase_add_test(tc, operands_are_found_in_every_form);
  tcase_add_test(tc, environment_formats);
  tcase_add_test(tc, amd_records_every_opcode);
  tcase_add_test(tc, the_host_gets_its_own_x87_back);
  tcase_add_test(tc, mmx_and_x87_share_the_registers);
  suite_add_tcase(s, tc);
  return s;
}
