/* The segments that test cases run with. modify_ldt(2); SDM 3A 3.4.5 (Segment Descriptors). */
#define _GNU_SOURCE
#include "tests/native/segments.h"

#include <asm/ldt.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"

enum { DATA = 0, DOWN = 1, CODE = 2 }; /* the kernel's "contents" */

static const struct {
  u32 base, limit;
  u8 contents, wide, pages, readonly, absent;
} ldt[LDT_SEGMENTS] = {
  [LDT_CODE16] = {.base = ARENA, .limit = 0xffff, .contents = CODE},
  [LDT_DATA16] = {.base = ARENA + 0x10, .limit = 0xffff},
  [LDT_STACK16] = {.base = ARENA + 0x30, .limit = 0xffff},
  [LDT_EXTRA16] = {.base = ARENA - 0x1000, .limit = 0xffff},
  [LDT_CODE32] = {.base = ARENA, .limit = 0xffff, .contents = CODE, .wide = 1},
  [LDT_DATA32] = {.base = ARENA + 0x50, .limit = 0xfffff, .wide = 1, .pages = 1},
  [LDT_STACK32] = {.base = ARENA - 0x20, .limit = 0xfffff, .wide = 1, .pages = 1},
  [LDT_EXTRA32] = {.base = ARENA - 0x2000, .limit = 0xffff, .wide = 1},
  [LDT_OPEN] = {.base = 0xfffff000, .limit = 0xfffff, .wide = 1, .pages = 1},
  [LDT_ODD] = {.base = ARENA + DATA_AT + 0x808, .limit = 0xfffff, .wide = 1, .pages = 1},
  [LDT_SMALL] = {.base = ARENA + DATA_AT - 8, .limit = DATA_BYTES + 7, .wide = 1},
  [LDT_DOWN] = {.base = ARENA, .limit = DATA_AT + 0x7ff, .contents = DOWN, .wide = 1},
  [LDT_DOWN16] = {.base = ARENA, .limit = DATA_AT + 0x7ff, .contents = DOWN},
  [LDT_READONLY] = {.base = 0, .limit = 0xfffff, .wide = 1, .pages = 1, .readonly = 1},
  [LDT_EXECONLY] = {.base = 0, .limit = 0xfffff, .contents = CODE, .wide = 1, .pages = 1, .readonly = 1},
  [LDT_ABSENT] = {.base = 0, .limit = 0xfffff, .wide = 1, .pages = 1, .absent = 1},
  /* 64 KiB on is the middle of the data */
  [LDT_BACK] = {.base = ARENA + DATA_AT + 0x1000 - 0x10000, .limit = 0xfffff, .wide = 1, .pages = 1},
};

bool segments_install(void) {
  for (unsigned n = 0; n < LDT_SEGMENTS; n++) {
    struct user_desc d = {.entry_number = n, .base_addr = ldt[n].base, .limit = ldt[n].limit,
                          .seg_32bit = ldt[n].wide, .contents = ldt[n].contents,
                          .read_exec_only = ldt[n].readonly, .limit_in_pages = ldt[n].pages,
                          .seg_not_present = ldt[n].absent};
    if (syscall(SYS_modify_ldt, 1, &d, sizeof d)) return false;
  }
  return true;
}

static u64 descriptor(u32 base, u32 limit, unsigned access, unsigned flags) {
  return (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 | (u64)(limit >> 16 & 15) << 48 |
         (u64)flags << 52 | (u64)(base >> 24) << 56;
}

void segments_ldt(u8 *out) {
  for (unsigned n = 0; n < LDT_SEGMENTS; n++) {
    unsigned type = 1u | (ldt[n].readonly ? 0 : 2u) | (unsigned)ldt[n].contents << 2;
    unsigned access = type | 0x10 | 0x60 | (ldt[n].absent ? 0 : 0x80);
    st64(out + 8 * n, descriptor(ldt[n].base, ldt[n].limit, access, ldt[n].pages * 8u | ldt[n].wide * 4u));
  }
}

void segments_gdt(u8 *out) {
  memset(out, 0, GDT_BYTES);
  st64(out + 0x08, descriptor(0, 0xfffff, 0x9b, 0xc));
  st64(out + 0x10, descriptor(0, 0xfffff, 0x9b, 0xa));
  st64(out + 0x18, descriptor(0, 0xfffff, 0x93, 0xc));
  st64(out + 0x20, descriptor(0, 0xfffff, 0xfb, 0xc));
  st64(out + 0x28, descriptor(0, 0xfffff, 0xf3, 0xc));
  st64(out + 0x30, descriptor(0, 0xfffff, 0xfb, 0xa));
  u32 processor = 0;
  __asm__("lsl %1, %0" : "=r"(processor) : "r"(CPUNODE)); /* Linux tells processor and node by this limit */
  st64(out + (CPUNODE & ~7), descriptor(0, processor, 0xf5, 0x4));
}

u64 segment_base(u16 sel) { return (sel & 4) && sel >> 3 < LDT_SEGMENTS ? ldt[sel >> 3].base : 0; }

u16 segment_any(struct rng *r) {
  /* Not the TSS and the LDT (40h to 5fh): the kernel's own. */
  static const u16 linux_[] = {0,    1,    3,    8,    0x10, 0x18, 0x23, 0x2b,  0x33,
                               0x2a, 0x28, 0x20, 0x1b, 0x13, 0x63, 0x83, 0xfffb};
  switch (rn(r, 8)) {
    case 0: case 1: return linux_[rn(r, ARRAY_SIZE(linux_))];
    case 2: return USER_DS;
    case 3: return (u16)(rnd(r) | 0x8000); /* beyond both tables */
    default: return (u16)(LDT_SEL(rn(r, LDT_SEGMENTS)) & (one_in(r, 6) ? ~rn(r, 4) : ~0u));
  }
}

static u16 pick(struct rng *r, const u8 *from, unsigned n) { return LDT_SEL(from[rn(r, n)]); }

static void choose64(struct test_case *c, struct rng *r) {
  static const u64 bases[] = {
      0, ARENA, ARENA + 0x123, 0x00007fffffff0000, 0xffff800000000000, 0xfffffffffffff000};
  struct state *s = &c->in;
  s->sel[CS] = USER_CS;
  s->sel[SS] = s->sel[DS] = s->sel[ES] = USER_DS;
  s->sel[FS] = s->sel[GS] = 0;
  s->fs_base = bases[rn(r, ARRAY_SIZE(bases))];
  s->gs_base = bases[rn(r, ARRAY_SIZE(bases))];
}

static void choose32(struct test_case *c, struct rng *r, bool based) {
  static const u8 data[] = {LDT_DATA32, LDT_EXTRA32, LDT_STACK32, LDT_SMALL, LDT_DOWN};
  static const u8 open[] = {LDT_OPEN,     LDT_DATA32, LDT_EXTRA32, LDT_SMALL, LDT_DOWN,
                            LDT_READONLY, LDT_DATA16, LDT_OPEN,    LDT_ODD,   LDT_ODD,  LDT_BACK};
  struct state *s = &c->in;
  s->sel[CS] = based && one_in(r, 2) ? LDT_SEL(LDT_CODE32) : USER32_CS;
  s->sel[SS] = s->sel[DS] = s->sel[ES] = USER_DS;
  if (based) {
    s->sel[DS] = pick(r, data, ARRAY_SIZE(data));
    s->sel[ES] = pick(r, data, ARRAY_SIZE(data));
    s->sel[SS] = one_in(r, 4) ? LDT_SEL(LDT_STACK16) : LDT_SEL(LDT_STACK32);
  }
  s->sel[FS] = one_in(r, 12) ? 0 : pick(r, open, ARRAY_SIZE(open));
  s->sel[GS] = pick(r, open, ARRAY_SIZE(open));
}

static void choose16(struct test_case *c, struct rng *r) {
  static const u8 data[] = {LDT_DATA16, LDT_EXTRA16, LDT_STACK16, LDT_DOWN16, LDT_DATA16};
  static const u8 open[] = {LDT_DATA16, LDT_EXTRA16, LDT_STACK16, LDT_DOWN16, LDT_ODD, LDT_BACK};
  struct state *s = &c->in;
  s->sel[CS] = LDT_SEL(LDT_CODE16);
  s->sel[SS] = one_in(r, 6) ? LDT_SEL(LDT_STACK32) : LDT_SEL(LDT_STACK16);
  s->sel[DS] = pick(r, data, ARRAY_SIZE(data));
  s->sel[ES] = pick(r, data, ARRAY_SIZE(data));
  s->sel[FS] = pick(r, open, ARRAY_SIZE(open));
  s->sel[GS] = one_in(r, 12) ? 0 : pick(r, open, ARRAY_SIZE(open));
}

void segments_choose(struct test_case *c, struct rng *r, bool based) {
  c->in.fs_base = c->in.gs_base = 0;
  if (c->variant.mode == CODE64) {
    choose64(c, r);
  } else {
    if (c->variant.mode == CODE32) choose32(c, r, based);
    else choose16(c, r);
    c->in.fs_base = segment_base(c->in.sel[FS]);
    c->in.gs_base = segment_base(c->in.sel[GS]);
  }
}
