/* Paging over several instructions: what is cached, and what makes the processor forget it; accessed and dirty bits
 * against others who change the tables. SDM 3A 4.8 (Accessed and Dirty Flags), 4.10 (Caching Translation
 * Information). What one instruction does is in tests/vec/paging_*.vec. */
#include <pthread.h>

#include "cpu/mem.h"
#include "tests/unit/machine.h"

enum { OK = -1, LARGE = 0x200000, OTHER = 0x40000000, TABLES = 0x80000 };
enum op { READ, WRITE, FETCH };

static bool on_fault(void *watcher, struct cpu *cpu, const struct fault *f) {
  *(struct fault *)watcher = *f;
  cpu_stop(cpu);
  return true;
}

/* Runs one instruction. The error code, if it faults as `vec` says. */
static int run(struct machine *m, u64 rip, u8 vec) {
  struct fault f = {.vector = 0xff};
  m->vm->hooks.fault = on_fault;
  m->vm->hooks.watcher = &f;
  m->cpu->rip = rip;
  (void)cpu_run(m->cpu, 1);
  m->vm->hooks.fault = NULL;
  if (f.vector == 0xff) return OK;
  ck_assert_uint_eq(f.vector, vec);
  return f.has_error ? (int)f.error : 0;
}

/* Code that tries, at CODE + 16 * op: MOV AL,[RDI]; MOV [RDI],AL. */
static void programs(struct machine *m) {
  m_code_at(m, CODE, "\x8a\x07", 2);
  m_code_at(m, CODE + 16, "\x88\x07", 2);
}

static int try(struct machine *m, enum op op, u64 la) {
  m->cpu->gpr[RDI] = la;
  if (op == FETCH) return run(m, la, VEC_PF);
  return run(m, CODE + 16u * op, VEC_PF);
}

/* One instruction at ring 0, with operands in RAX, RCX, RDX, RDI. */
#define DO(m, bytes) do_insn((m), (bytes), sizeof(bytes) - 1)
static void do_insn(struct machine *m, const char *bytes, size_t n) {
  m_code_at(m, CODE + 0x100, bytes, n);
  ck_assert_int_eq(run(m, CODE + 0x100, VEC_GP), OK);
}
static void ring(struct machine *m, unsigned cpl) {
  u32 ac = m->cpu->eflags & EF_AC;
  m_ring(m, cpl);
  m->cpu->eflags |= ac;
  cpu_update_mode(m->cpu);
}

static u64 pte(u64 la) { return PT + (la >> PAGE_SHIFT & 511) * 8; }
static void put_quietly(struct machine *m, u64 at, u64 v) { memcpy(m->ram + at, &v, 8); }

static struct machine begin(enum machine_mode mode) {
  struct machine m = m_new(VENDOR_INTEL, mode, 0);
  programs(&m);
  m.ram[DATA] = 0x90;
  return m;
}

/* ---- forgetting ---- */

static void invlpg(struct machine *m) {
  m->cpu->gpr[RDI] = DATA + 0x7f;
  DO(m, "\x0f\x01\x3f");
}
static void mov_cr3(struct machine *m) {
  m->cpu->gpr[RAX] = m->cpu->cr3;
  DO(m, "\x0f\x22\xd8");
}
static void mov_cr4_pge(struct machine *m) {
  m->cpu->gpr[RAX] = m->cpu->cr4 ^ CR4_PGE;
  DO(m, "\x0f\x22\xe0");
}
static void wrmsr_nxe(struct machine *m) {
  u64 v = m->cpu->msr[MSR_EFER] ^ EFER_NXE;
  m->cpu->gpr[RAX] = (u32)v;
  m->cpu->gpr[RDX] = v >> 32;
  m->cpu->gpr[RCX] = 0xc0000080;
  DO(m, "\x0f\x30");
}
static void invpcid(struct machine *m, u64 type) {
  m_put(m, CODE + 0x200, 0, 8);
  m_put(m, CODE + 0x208, DATA, 8);
  m->cpu->gpr[RAX] = type;
  m->cpu->gpr[RDI] = CODE + 0x200;
  DO(m, "\x66\x0f\x38\x82\x07");
}
static void invpcid0(struct machine *m) { invpcid(m, 0); }
static void invpcid1(struct machine *m) { invpcid(m, 1); }
static void invpcid2(struct machine *m) { invpcid(m, 2); }
static void invpcid3(struct machine *m) { invpcid(m, 3); }

static const struct {
  void (*run)(struct machine *m);
  bool global; /* forgets global translations, too */
} forgetters[] = {{invlpg, true},    {mov_cr3, false},  {mov_cr4_pge, true}, {wrmsr_nxe, false},
                  {invpcid0, false}, {invpcid1, false}, {invpcid2, true},    {invpcid3, false}};

/* SDM 3A 4.10.4.1 (Operations that Invalidate TLBs and Paging-Structure Caches): whatever was cached for whichever
 * access and privilege, the next one sees the table as it is now. */
START_TEST(no_stale_translation) {
  unsigned how = (unsigned)_i / 12, op = (unsigned)_i / 4 % 3, cpl = _i & 2 ? 3 : 0;
  struct machine m = begin(LONG64);
  m.cpu->cr4 |= CR4_PGE;
  cpu_update_mode(m.cpu);
  if ((_i & 1) && forgetters[how].global) put_quietly(&m, pte(DATA), m_get(&m, pte(DATA), 8) | PTE_G);
  ring(&m, cpl);
  ck_assert_int_eq(try(&m, op, DATA), OK);
  ck_assert_int_eq(try(&m, op, DATA), OK);
  put_quietly(&m, pte(DATA), m_get(&m, pte(DATA), 8) & ~PTE_P);
  ring(&m, 0);
  forgetters[how].run(&m);
  ring(&m, cpl);
  bool nxe = m.cpu->msr[MSR_EFER] & EFER_NXE;
  int want = (op == WRITE ? PF_W : 0) | (cpl == 3 ? PF_U : 0) | (op == FETCH && nxe ? PF_I : 0);
  ck_assert_int_eq(try(&m, op, DATA), want);
  m_free(&m);
}
END_TEST

/* SDM 3A 4.10.4.1: INVLPG of any address in a large page forgets all of it: 2 MiB, 1 GiB, 4 MiB. */
START_TEST(invlpg_forgets_a_large_page_whole) {
  struct machine m = begin(_i == 2 ? LEGACY32 : LONG64);
  u64 at = _i == 0 ? PD + 8 : _i == 1 ? PDPT + 8 : TABLES + 4, base = _i == 0 ? LARGE : _i == 1 ? OTHER : 0x400000;
  u64 entry = PTE_P | PTE_RW | PTE_US | PTE_PS;
  if (_i == 2) {
    m_put(&m, TABLES, entry, 4);
    m_put(&m, at, entry, 4);
    m.cpu->cr3 = TABLES;
    m.cpu->cr4 = (m.cpu->cr4 & ~CR4_PAE) | CR4_PSE;
    m.cpu->cr0 |= CR0_PG;
    cpu_update_mode(m.cpu);
  } else {
    m_put(&m, at, entry, 8);
  }
  for (unsigned op = READ; op <= FETCH; op++) {
    m_put(&m, at, entry, 4);
    ck_assert_int_eq(try(&m, op, base + DATA), OK);
    ck_assert_int_eq(try(&m, op, base + DATA + 0x1000), OK);
    m_put(&m, at, 0, 4);
    m.cpu->gpr[RDI] = base + 0x1fffff;
    DO(&m, "\x0f\x01\x3f");
    int want = (op == WRITE ? PF_W : 0) | (op == FETCH && _i < 2 ? PF_I : 0);
    ck_assert_int_eq(try(&m, op, base + DATA), want);
    ck_assert_int_eq(try(&m, op, base + DATA + 0x1000), want);
  }
  m_free(&m);
}
END_TEST

/* Another page of code under the same address is what runs after INVLPG, also behind a link from another page. */
START_TEST(invlpg_changes_the_code) {
  struct machine m = begin(LONG64);
  m_code_at(&m, DATA, "\xb0\x11\xf4", 3);          /* MOV AL,11h; HLT */
  m_code_at(&m, DATA + 0x1000, "\xb0\x22\xf4", 3); /* MOV AL,22h; HLT */
  m_code_at(&m, CODE + 0x300, "\xe9\xfb\xfc\x01\x00", 5); /* JMP to DATA: 60000h - 40305h */
  for (unsigned k = 0; k < 4; k++) {
    u64 page = DATA + (k & 1) * 0x1000;
    put_quietly(&m, pte(DATA), page | PTE_P | PTE_RW | PTE_US);
    invlpg(&m);
    m.cpu->rip = CODE + 0x300;
    ck_assert_int_eq(cpu_run(m.cpu, 100), CPU_EXIT_HALT);
    m.cpu->halted = false;
    ck_assert_uint_eq(m.cpu->gpr[RAX] & 0xff, k & 1 ? 0x22 : 0x11);
  }
  m_free(&m);
}
END_TEST

/* SDM 3A 4.10.4.1, 2.5: a change of CR0.WP, CR4.SMEP, CR4.SMAP or CR4.PKE counts from the next access on. */
START_TEST(control_bits_count_at_once) {
  struct machine m = begin(LONG64);
  struct cpu *cpu = m.cpu;
  for (unsigned k = 0; k < 4; k++) {
    bool on = k & 1;
    cpu->gpr[RAX] = on ? cpu->cr0 | CR0_WP : cpu->cr0 & ~CR0_WP;
    DO(&m, "\x0f\x22\xc0");
    ck_assert_int_eq(try(&m, WRITE, READONLY_PAGE), on ? PF_P | PF_W : OK);
  }
  put_quietly(&m, pte(CODE), CODE | PTE_P | PTE_RW);
  invlpg(&m);
  cpu->gpr[RDI] = CODE;
  DO(&m, "\x0f\x01\x3f");
  for (unsigned k = 0; k < 4; k++) {
    bool on = k & 1;
    cpu->gpr[RAX] = on ? cpu->cr4 | CR4_SMEP : cpu->cr4 & ~CR4_SMEP;
    DO(&m, "\x0f\x22\xe0");
    ck_assert_int_eq(try(&m, FETCH, DATA), on ? PF_P | PF_I : OK);
  }
  for (unsigned k = 0; k < 4; k++) {
    bool on = k & 1;
    cpu->gpr[RAX] = on ? cpu->cr4 | CR4_SMAP : cpu->cr4 & ~CR4_SMAP;
    DO(&m, "\x0f\x22\xe0");
    ck_assert_int_eq(try(&m, READ, DATA), on ? PF_P : OK);
  }
  m_free(&m);
}
END_TEST

/* SDM 3A 4.6.1: under SMAP EFLAGS.AC counts at once, however it came to be set, and no descriptor read profits from
 * what explicit accesses have cached. */
START_TEST(ac_counts_at_once) {
  struct machine m = begin(LONG64);
  struct cpu *cpu = m.cpu;
  put_quietly(&m, pte(CODE), CODE | PTE_P | PTE_RW); /* the stack at KSTACK - 800h needs no AC either */
  put_quietly(&m, pte(KSTACK - 0x800), ((KSTACK - 0x800) & PAGE_MASK) | PTE_P | PTE_RW);
  cpu->cr4 |= CR4_SMAP;
  cpu_update_mode(cpu);
  cpu_tlb_flush(cpu);
  for (unsigned k = 0; k < 8; k++) {
    bool on = k & 1;
    if (k < 4) {
      if (on) DO(&m, "\x0f\x01\xcb"); /* STAC */
      else DO(&m, "\x0f\x01\xca");    /* CLAC */
    } else {
      cpu->gpr[RAX] = on ? EF_AC | EF_1 : EF_1;
      DO(&m, "\x50");
      DO(&m, "\x9d"); /* POPFQ */
    }
    ck_assert_int_eq(!!(cpu->eflags & EF_AC), on);
    for (enum op op = READ; op <= WRITE; op++) {
      ck_assert_int_eq(try(&m, op, DATA), on ? OK : op == WRITE ? PF_P | PF_W : PF_P);
      ck_assert_int_eq(try(&m, op, SUPERVISOR_PAGE), OK);
    }
    ck_assert_int_eq(try(&m, READ, GDT), on ? OK : PF_P);
    m_code_at(&m, CODE + 0x100, "\x8e\xd8", 2); /* MOV DS,EAX */
    cpu->gpr[RAX] = U_DS;
    ck_assert_int_eq(run(&m, CODE + 0x100, VEC_PF), PF_P);
  }
  m_free(&m);
}
END_TEST

/* What a delivery from ring 3 with EFLAGS.AC has cached is forgotten like the rest. */
START_TEST(frames_pushed_under_ac_are_forgotten) {
  static const u64 supervisor[] = {GDT, IDT, IDT + 0x800, TSS};
  struct machine m = begin(LONG64);
  m.cpu->cr4 |= CR4_SMAP;
  cpu_update_mode(m.cpu);
  for (unsigned k = 0; k < ARRAY_SIZE(supervisor); k++)
    put_quietly(&m, pte(supervisor[k]), (supervisor[k] & PAGE_MASK) | PTE_P | PTE_RW);
  m_code_at(&m, CODE + 0x300, "\xcd\x80", 2); /* INT 80h */
  for (unsigned k = 0; k < 4; k++) {
    put_quietly(&m, pte(KSTACK - 8), ((KSTACK - 8) & PAGE_MASK) | PTE_US | PTE_RW | (k & 1 ? 0 : PTE_P));
    ring(&m, 0);
    mov_cr3(&m);
    ring(&m, 3);
    m.cpu->eflags |= EF_AC;
    cpu_update_mode(m.cpu);
    ck_assert_int_eq(run(&m, CODE + 0x300, VEC_PF), k & 1 ? PF_W : OK);
  }
  m_free(&m);
}
END_TEST

/* SDM 3A 4.6.2 (Protection Keys), SDM 2C WRPKRU: accesses behind WRPKRU see the new rights. */
START_TEST(wrpkru_counts_at_once) {
  struct machine m = begin(LONG64);
  struct cpu *cpu = m.cpu;
  unsigned cpl = _i ? 3 : 0;
  cpu->cr4 |= CR4_PKE;
  cpu_update_mode(cpu);
  put_quietly(&m, pte(DATA), DATA | PTE_P | PTE_RW | PTE_US | UINT64_C(9) << 59);
  ring(&m, cpl);
  for (unsigned k = 0; k < 12; k++) {
    u32 rights = k % 3;
    cpu->gpr[RAX] = rights << 18;
    cpu->gpr[RCX] = cpu->gpr[RDX] = 0;
    DO(&m, "\x0f\x01\xef");
    int u = cpl ? PF_U : 0;
    ck_assert_int_eq(try(&m, READ, DATA), rights == 1 ? PF_P | PF_PK | u : OK);
    ck_assert_int_eq(try(&m, WRITE, DATA), rights ? PF_P | PF_PK | PF_W | u : OK);
  }
  m_free(&m);
}
END_TEST

/* SDM 3A 4.4.1 (PDPTE Registers): a changed PDPT counts from the next MOV to CR3 on; before it does not. */
START_TEST(pdptes_change_with_cr3) {
  struct machine m = begin(LEGACY32);
  struct cpu *cpu = m.cpu;
  const u64 page = PTE_P | PTE_RW | PTE_US | PTE_PS;
  m_put(&m, TABLES, (TABLES + 0x1000) | PTE_P, 8);
  m_put(&m, TABLES + 0x1000, page, 8);
  m_put(&m, TABLES + 0x2000, (TABLES + 0x3000) | PTE_P | PTE_RW | PTE_US, 8);
  m_put(&m, TABLES + 0x3000, DATA | PTE_P | PTE_RW, 8);
  cpu->gpr[RAX] = TABLES;
  DO(&m, "\x0f\x22\xd8");
  cpu->gpr[RAX] = cpu->cr0 | CR0_PG;
  DO(&m, "\x0f\x22\xc0");
  ck_assert_int_eq(try(&m, READ, OTHER), 0);
  m_put(&m, TABLES + 8, (TABLES + 0x2000) | PTE_P, 8);
  cpu->gpr[RDI] = OTHER;
  DO(&m, "\x0f\x01\x3f"); /* INVLPG */
  ck_assert_int_eq(try(&m, READ, OTHER), 0);
  cpu->gpr[RAX] = TABLES;
  DO(&m, "\x0f\x22\xd8");
  ck_assert_int_eq(try(&m, READ, OTHER), OK);
  ck_assert_uint_eq(cpu->gpr[RAX] & 0xff, 0x90);
  m_free(&m);
}
END_TEST

/* ---- accessed and dirty bits ---- */

/* SDM 3A 4.8: a page that reads have cached gets D by its first write, and again after D is cleared and INVLPG. */
START_TEST(dirty_behind_a_cached_read) {
  struct machine m = begin(LONG64);
  for (unsigned k = 0; k < 3; k++) {
    put_quietly(&m, pte(DATA), DATA | PTE_P | PTE_RW | PTE_US);
    invlpg(&m);
    ck_assert_int_eq(try(&m, READ, DATA), OK);
    ck_assert_uint_eq(m_get(&m, pte(DATA), 8) & (PTE_A | PTE_D), PTE_A);
    ck_assert_int_eq(try(&m, WRITE, DATA), OK);
    ck_assert_uint_eq(m_get(&m, pte(DATA), 8) & (PTE_A | PTE_D), PTE_A | PTE_D);
  }
  m_free(&m);
}
END_TEST

/* An entry that somebody changes between the walk and its marking is left to them. */
START_TEST(marks_only_what_was_walked) {
  struct machine m = begin(LONG64);
  struct page_walk w;
  mmu_walk(&m.vm->mem, &m.cpu->mmu, DATA, &w);
  ck_assert_int_eq(w.end, WALK_PAGE);
  put_quietly(&m, pte(DATA), 0);
  ck_assert(!mmu_mark(&w, true));
  ck_assert_uint_eq(m_get(&m, pte(DATA), 8), 0);
  m_free(&m);
}
END_TEST

enum { RACES = 200000 };
static void *count_up(void *at) { /* in bits 40 and up; clears A and D */
  for (unsigned k = 0; k < RACES; k++) {
    u64 old = __atomic_load_n((u64 *)at, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n((u64 *)at, &old, (old & ~(PTE_A | PTE_D)) + BIT(40), true, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {}
  }
  return NULL;
}

/* SDM 3A 4.8: updates are atomic: another processor's changes to the entry are never lost. */
START_TEST(marks_are_atomic) {
  struct machine m = begin(LONG64);
  struct page_walk w;
  pthread_t other;
  u64 *entry = (u64 *)(void *)(m.ram + PML4 + 100 * 8);
  *entry = PTE_P | PTE_RW | PTE_US;
  ck_assert_int_eq(pthread_create(&other, NULL, count_up, entry), 0);
  for (unsigned k = 0; k < RACES; k++) {
    w = (struct page_walk){.entries = 1, .entry_size = 8, .entry = {{(u8 *)entry, 0}}};
    w.entry[0].value = __atomic_load_n(entry, __ATOMIC_RELAXED);
    (void)!mmu_mark(&w, k & 1);
  }
  ck_assert_int_eq(pthread_join(other, NULL), 0);
  ck_assert_uint_eq(*entry & ~(PTE_A | PTE_D), (PTE_P | PTE_RW | PTE_US) + RACES * BIT(40));
  m_free(&m);
}
END_TEST

/* Tables in ROM translate and keep their bits; tables where nothing answers read as ones, whose reserved bits fault. */
START_TEST(tables_outside_ram) {
  struct machine m = begin(LONG64);
  static const u64 rom_base = 0x10000000;
  u8 *rom = calloc(1, PAGE_SIZE);
  ck_assert_ptr_nonnull(rom);
  ck_assert_int_eq(
      phys_add(&m.vm->mem, &(struct phys_region){.base = rom_base, .size = PAGE_SIZE, .host = rom, .readonly = true}), 0);
  const u64 entry = DATA | PTE_P | PTE_RW | PTE_US;
  memcpy(rom, &entry, 8);
  m_put(&m, PD + 8, rom_base | PTE_P | PTE_RW | PTE_US, 8);
  m_put(&m, PD + 16, 0x20000000 | PTE_P | PTE_RW | PTE_US, 8);
  ck_assert_int_eq(try(&m, WRITE, LARGE), OK);
  ck_assert_uint_eq(ld64(rom), entry);
  ck_assert_uint_eq(m_get(&m, PD + 8, 8) & (PTE_A | PTE_D), PTE_A);
  ck_assert_int_eq(try(&m, READ, 2 * LARGE), PF_P | PF_RSVD);
  m_free(&m);
  free(rom);
}
END_TEST

/* The host's own look at memory leaves no trace, and needs no rights. */
START_TEST(peek_has_no_effect) {
  struct machine m = begin(LONG64);
  u8 b = 0;
  put_quietly(&m, pte(DATA), DATA | PTE_P | PTE_NX);
  ck_assert_uint_eq(mem_peek(m.cpu, DATA, &b, 1), 1);
  ck_assert_uint_eq(b, 0x90);
  ck_assert_uint_eq(m_get(&m, pte(DATA), 8), DATA | PTE_P | PTE_NX);
  ck_assert_uint_eq(mem_peek(m.cpu, ABSENT_PAGE, &b, 1), 0);
  m_free(&m);
}
END_TEST

/* SDM 1 3.3.7.1: a descriptor table whose base was canonical for 57 bits is #GP(0) in 4-level paging. */
START_TEST(table_base_beyond_48_bits) {
  struct machine m = begin(LONG64);
  m.cpu->gdtr.base = UINT64_C(0x0012000000000000);
  m_code_at(&m, CODE + 0x100, "\x8e\xd8", 2); /* MOV DS,EAX */
  m.cpu->gpr[RAX] = U_DS;
  ck_assert_int_eq(run(&m, CODE + 0x100, VEC_GP), 0);
  m_free(&m);
}
END_TEST

Suite *suite_paging(void) {
  Suite *s = suite_create("paging");
  TCase *c = tcase_create("caching");
  tcase_add_loop_test(c, no_stale_translation, 0, (int)ARRAY_SIZE(forgetters) * 12);
  tcase_add_loop_test(c, invlpg_forgets_a_large_page_whole, 0, 3);
  tcase_add_test(c, invlpg_changes_the_code);
  tcase_add_test(c, control_bits_count_at_once);
  tcase_add_test(c, ac_counts_at_once);
  tcase_add_test(c, frames_pushed_under_ac_are_forgotten);
  tcase_add_loop_test(c, wrpkru_counts_at_once, 0, 2);
  tcase_add_test(c, pdptes_change_with_cr3);
  suite_add_tcase(s, c);
  c = tcase_create("entries");
  tcase_add_test(c, dirty_behind_a_cached_read);
  tcase_add_test(c, marks_only_what_was_walked);
  tcase_add_test(c, marks_are_atomic);
  tcase_add_test(c, tables_outside_ram);
  tcase_add_test(c, peek_has_no_effect);
  tcase_add_test(c, table_base_beyond_48_bits);
  suite_add_tcase(s, c);
  return s;
}
