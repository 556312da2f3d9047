/* The public interface used as a stranger would: include/ringwalk.h alone. A 32-bit machine with two rings is built by hand;
 * the expected frames and sums are those of SDM 3A 6.12.1 (Exception- or Interrupt-Handler Procedures) and SDM 2B SYSENTER. */
#include <check.h>
#include <string.h>

#include "include/ringwalk.h"

enum { RAM = 0x100000, GDT = 0x1000, IDT = 0x2000, TSS = 0x3000, KSTACK = 0x5000, USTACK = 0x6000, CODE = 0x8000,
       HANDLER = 0x9000 };
enum { KCS = 0x08, KDS = 0x10, UCS = 0x1b, UDS = 0x23, TSS_SEL = 0x28 };

static struct rw *m;

static void put(uint64_t at, uint64_t v, size_t n) { ck_assert_int_eq(rw_write(m, at, &v, n), 0); }
static uint64_t memory(uint64_t at, size_t n) {
  uint64_t v = 0;
  ck_assert_int_eq(rw_read(m, at, &v, n), 0);
  return v;
}
static void set(const char *reg, uint64_t v) { ck_assert_msg(!rw_set(m, reg, v), "%s: %s", reg, rw_error(m)); }
static uint64_t get(const char *reg) {
  uint64_t v = 0;
  ck_assert_msg(!rw_get(m, reg, &v), "%s: %s", reg, rw_error(m));
  return v;
}
static void gate(unsigned vector, unsigned dpl) {
  uint64_t at = HANDLER + vector * 16;
  put(IDT + vector * 8, (at & 0xffff) | (uint64_t)KCS << 16 | (uint64_t)(0x8e | dpl << 5) << 40, 8);
  put(at, 0xf4, 1); /* HLT */
}
static void code(const char *bytes, size_t n) { ck_assert_int_eq(rw_write(m, CODE, bytes, n), 0); }

static void build_on(const char *cpu) {
  char err[200];
  m = rw_create(cpu, RAM, err, sizeof err);
  ck_assert_msg(m != NULL, "%s", err);
  put(GDT + KCS, UINT64_C(0x00cf9b000000ffff), 8);
  put(GDT + KDS, UINT64_C(0x00cf93000000ffff), 8);
  put(GDT + (UCS & ~7), UINT64_C(0x00cffb000000ffff), 8);
  put(GDT + (UDS & ~7), UINT64_C(0x00cff3000000ffff), 8);
  put(TSS + 4, KSTACK, 4);
  put(TSS + 8, KDS, 4);
  gate(0x80, 3);
  gate(0x21, 0);
  gate(13, 0);
  gate(2, 0);
  set("gdtr.base", GDT);
  set("gdtr.limit", 0x2f);
  set("idtr.base", IDT);
  set("idtr.limit", 0x7ff);
  set("tr", TSS_SEL);
  set("tr.base", TSS);
  set("tr.limit", 0x67);
  set("tr.attr", 0x8b);
  set("cr0", 0x11);
  ck_assert_int_eq(rw_load_segment(m, "cs", UCS), 0);
  ck_assert_int_eq(rw_load_segment(m, "ss", UDS), 0);
  ck_assert_int_eq(rw_load_segment(m, "ds", UDS), 0);
  set("esp", USTACK);
  set("eip", CODE);
  set("eflags", 0x202);
}
static void build(void) { build_on("intel"); }
static void destroy(void) { rw_destroy(m); }

static bool has_step(const char *kind, const char *id, bool ok, const char *text) {
  struct rw_record_step s;
  for (unsigned k = 0; !rw_step_at(m, k, &s); k++)
    if (!strcmp(s.kind, kind) && !strcmp(s.id, id) && (!*id || s.ok == ok) && strstr(s.text, text)) return true;
  return false;
}

START_TEST(a_ring_change_and_its_record) {
  code("\xcd\x80", 2);
  ck_assert_int_eq(get("cpl"), 3);
  ck_assert_ptr_null(rw_transition(m));
  ck_assert_int_eq(rw_step(m), RW_STOP_BUDGET);
  ck_assert_uint_eq(get("cs"), KCS);
  ck_assert_uint_eq(get("cpl"), 0);
  ck_assert_uint_eq(get("rip"), HANDLER + 0x800);
  ck_assert_uint_eq(get("rsp"), KSTACK - 20);
  ck_assert_uint_eq(get("rflags"), 0x2);
  ck_assert_uint_eq(memory(KSTACK - 4, 4), UDS);
  ck_assert_uint_eq(memory(KSTACK - 8, 4), USTACK);
  ck_assert_uint_eq(memory(KSTACK - 12, 4), 0x202);
  ck_assert_uint_eq(memory(KSTACK - 16, 4), UCS);
  ck_assert_uint_eq(memory(KSTACK - 20, 4), CODE + 2);
  const struct rw_transition *t = rw_transition(m);
  ck_assert_ptr_nonnull(t);
  ck_assert_str_eq(t->kind, "int");
  ck_assert_int_eq(t->vector, 0x80);
  ck_assert_uint_eq(t->from.cpl, 3);
  ck_assert_uint_eq(t->to.cpl, 0);
  ck_assert_uint_eq(t->to.rsp, KSTACK - 20);
  ck_assert(has_step("check", "IDT_DPL", true, "CPL 3, gate DPL 3"));
  ck_assert(has_step("push", "", true, "EFLAGS = 00000202h"));
  ck_assert(has_step("tss", "", true, "TSS+4h"));
  ck_assert_ptr_nonnull(strstr(rw_explain(m), "int 80h: ring 3 -> ring 0"));
  ck_assert_ptr_nonnull(strstr(rw_explain_json(m), "\"id\":\"IDT_DPL\",\"ok\":true"));
  uint64_t passed = 0, failed = 9;
  ck_assert_int_eq(rw_check_count(m, "IDT_DPL", &passed, &failed), 0);
  ck_assert_uint_eq(passed, 1);
  ck_assert_uint_eq(failed, 0);
}
END_TEST

START_TEST(a_refused_gate) {
  code("\xcd\x21", 2);
  ck_assert_int_eq(rw_step(m), RW_STOP_BUDGET);
  ck_assert_uint_eq(get("rip"), HANDLER + 13 * 16);
  ck_assert_uint_eq(memory(KSTACK - 24, 4), 0x21 * 8 + 2);
  ck_assert_uint_eq(rw_instructions(m), 0);
  const char *text = rw_explain(m);
  ck_assert_ptr_nonnull(strstr(text, "exception #GP(010Ah): ring 3 -> ring 0"));
  ck_assert_ptr_nonnull(strstr(text, "needed: INT n, INT3 and INTO need CPL <= the gate's DPL; found: CPL 3, gate DPL 0"));
  ck_assert_int_eq(rw_run(m, 0), RW_STOP_HALT);
  ck_assert_uint_eq(rw_instructions(m), 1);
}
END_TEST

/* A fetch fails after an instruction that has retired: the record says by which check. SDM 3A 5.3 (Limit Checking), 4.7
 * (Page-Fault Exceptions) */
START_TEST(a_refused_fetch) {
  enum { PAGES = 0xa000, ENTRIES = 0xb000, OVER = 0x404000 };
  code("\x90\xeb\x7e", 3); /* nop; jmp */
  set("cs.limit", CODE);
  ck_assert_int_eq(rw_run(m, 2), RW_STOP_BUDGET);
  ck_assert_ptr_nonnull(strstr(rw_explain(m), "needed: an instruction begins within CS's limit; found: offset 8001h, limit 8000h"));
  for (int steps = 0; steps < 2; steps++) {
    destroy();
    build();
    put(PAGES, ENTRIES | 7, 4);
    for (unsigned k = 0; k < 256; k++) put(ENTRIES + k * 4, k << 12 | 7, 4);
    put(ENTRIES + OVER / 4096 % 1024 * 4, 0xc003, 4); /* supervisor's */
    put(PAGES + 4, ENTRIES | 7, 4);                   /* once more at 4 MiB */
    set("cr3", PAGES);
    set("cr0", 0x80000011);
    gate(14, 0);
    code("\xe9\xfb\xbf\x3f\x00", 5); /* jmp 404000h */
    ck_assert_int_eq(steps ? rw_step(m) : rw_run(m, 2), RW_STOP_BUDGET);
    if (steps) ck_assert_int_eq(rw_step(m), RW_STOP_BUDGET);
    ck_assert_ptr_nonnull(strstr(rw_explain(m), "exception #PF(0005h): ring 3 -> ring 0"));
    ck_assert_ptr_nonnull(strstr(rw_explain(m), "needed: a user access needs U/S = 1 in every entry"));
    const char *limit = strstr(rw_explain_json(m), "\"id\":\"FETCH_LIMIT\",\"ok\":true"); /* what passed too */
    ck_assert_ptr_nonnull(limit);
    ck_assert_ptr_nonnull(strstr(limit, "\"id\":\"PAGE_USER\",\"ok\":false"));
  }
}
END_TEST

static uint64_t sum_of_everything(void) {
  static unsigned char ram[RAM];
  uint64_t h = 1469598103934665603u;
  ck_assert_int_eq(rw_read(m, 0, ram, sizeof ram), 0);
  for (size_t k = 0; k < sizeof ram; k++) h = (h ^ ram[k]) * 1099511628211u;
  for (unsigned k = 0; rw_register(k); k++) h = (h ^ get(rw_register(k))) * 1099511628211u;
  return (h ^ rw_instructions(m)) * 1099511628211u;
}

START_TEST(a_dry_run_commits_nothing) {
  enum rw_stop outcome;
  code("\x90\x90", 2);
  put(GDT + KCS, UINT64_C(0x00cf9a000000ffff), 8); /* not accessed: the delivery would set the bit */
  uint64_t before = sum_of_everything();
  ck_assert_int_eq(rw_whatif(m, "\xcd\x80", 2, &outcome), 0);
  ck_assert_int_eq(outcome, RW_STOP_BUDGET);
  ck_assert_uint_eq(rw_transition(m)->to.cpl, 0);
  ck_assert(has_step("write", "", true, "accessed bit"));
  ck_assert_uint_eq(sum_of_everything(), before);
  ck_assert_int_eq(rw_whatif(m, "\xcd\x21", 2, &outcome), 0);
  ck_assert_int_eq(outcome, RW_STOP_FAULT);
  ck_assert_ptr_null(rw_transition(m));
  ck_assert(has_step("check", "IDT_DPL", false, "gate DPL 0"));
  ck_assert_ptr_nonnull(strstr(rw_explain(m), "#GP(010Ah)"));
  ck_assert_int_eq(rw_whatif(m, "\xf4", 1, &outcome), 0); /* HLT: the check of CPL fails */
  ck_assert_int_eq(outcome, RW_STOP_FAULT);
  ck_assert(has_step("check", "CPL0", false, "CPL 3"));
  ck_assert_int_eq(rw_whatif(m, "\xf0\x83\x05\x00\x70\x00\x00\x01", 8, &outcome), 0); /* lock addl $1, 0x7000 */
  ck_assert_int_eq(outcome, RW_STOP_BUDGET);
  ck_assert_ptr_null(rw_transition(m));
  ck_assert_uint_eq(sum_of_everything(), before);
  ck_assert_int_eq(rw_whatif(m, NULL, 16, &outcome), -1);
  ck_assert_int_eq(rw_step(m), RW_STOP_BUDGET); /* the NOP is still there */
  ck_assert_uint_eq(get("rip"), CODE + 1);
}
END_TEST

START_TEST(a_dry_run_is_of_one_instruction) {
  enum rw_stop outcome;
  ck_assert_int_eq(rw_whatif(m, "\xf4", 1, &outcome), 0);
  ck_assert_ptr_nonnull(strstr(rw_explain(m), "CPL 3"));
  ck_assert_int_eq(rw_whatif(m, "\x0f", 1, &outcome), -1);
  ck_assert_str_eq(rw_error(m), "1 bytes are no whole instruction");
  ck_assert_str_eq(rw_explain(m), "");
  ck_assert_int_eq(rw_whatif(m, "\xc7\x05\x00", 3, &outcome), -1);
  ck_assert_int_eq(rw_whatif(m, "\x90\x90", 2, &outcome), -1);
  ck_assert_ptr_nonnull(strstr(rw_error(m), "more than one instruction: the first has 1"));
  ck_assert_int_eq(rw_whatif(m, "\x0f\x0b", 2, &outcome), 0); /* UD2 */
  ck_assert_int_eq(outcome, RW_STOP_FAULT);
  set("cr3", 0xa000); /* empty tables: nothing is mapped */
  set("cr0", 0x80000011);
  ck_assert_int_eq(rw_whatif(m, "\x90", 1, &outcome), 0);
  ck_assert_int_eq(outcome, RW_STOP_FAULT);
  ck_assert_ptr_nonnull(strstr(rw_explain(m), "needed: the address is mapped"));
  ck_assert_str_eq(rw_error(m), "the fetch at CS:RIP would fault: the bytes were not looked at");
}
END_TEST

/* HLT ends when its machine is told to go on elsewhere. */
START_TEST(halted) {
  enum rw_stop outcome;
  code("\xf4\x90", 2);
  ck_assert_int_eq(rw_load_segment(m, "cs", KCS), 0);
  ck_assert_int_eq(rw_load_segment(m, "ss", KDS), 0);
  ck_assert_int_eq(rw_step(m), RW_STOP_BUDGET);
  ck_assert_int_eq(rw_step(m), RW_STOP_HALT);
  ck_assert_int_eq(rw_whatif(m, "\x90", 1, &outcome), 0);
  ck_assert_int_eq(outcome, RW_STOP_BUDGET);
  ck_assert_int_eq(rw_step(m), RW_STOP_HALT); /* still */
  set("eip", CODE + 1);
  ck_assert_int_eq(rw_step(m), RW_STOP_BUDGET);
  ck_assert_uint_eq(get("rip"), CODE + 2);
}
END_TEST

START_TEST(sysenter_sums) {
  code("\x0f\x34", 2);
  set("IA32_SYSENTER_CS", KCS | 3);
  set("SYSENTER_ESP", 0x4444);
  set("IA32_SYSENTER_EIP", HANDLER);
  ck_assert_int_eq(rw_step(m), RW_STOP_BUDGET);
  ck_assert_uint_eq(get("cs"), KCS);
  ck_assert_uint_eq(get("ss"), KCS + 8);
  ck_assert_uint_eq(get("rsp"), 0x4444);
  ck_assert(has_step("set", "", true, "CS = SYSENTER_CS & FFFCh = 8h"));
  ck_assert(has_step("set", "", true, "SS = CS + 8 = 10h"));
}
END_TEST

static unsigned told;
static void count(void *opaque, struct rw *machine) {
  ck_assert_ptr_eq(opaque, &told);
  ck_assert_str_eq(rw_transition(machine)->kind, "interrupt");
  told++;
}

START_TEST(interrupts_from_outside) {
  code("\x90\xeb\xfd", 3); /* nop; jmp back */
  told = 0;
  rw_on_transition(m, count, &told);
  ck_assert_int_eq(rw_run(m, 1000), RW_STOP_BUDGET);
  ck_assert_int_eq(rw_interrupt(m, 0x21), 0);
  ck_assert_int_eq(rw_interrupt(m, 0x22), -1);
  ck_assert_int_eq(rw_run(m, 1000), RW_STOP_HALT); /* the gate's DPL does not count */
  ck_assert_uint_eq(told, 1);
  ck_assert_uint_eq(get("rip"), HANDLER + 0x210 + 1);
  ck_assert_uint_eq(memory(KSTACK - 12, 4), 0x202);
  rw_nmi(m);
  ck_assert_int_eq(rw_run(m, 1000), RW_STOP_HALT);
  ck_assert_uint_eq(told, 2);
  ck_assert_uint_eq(get("rip"), HANDLER + 0x20 + 1);
}
END_TEST

static uint32_t last_out;
static uint32_t in(void *opaque, uint16_t port, unsigned size) {
  (void)opaque;
  return port * 0x10u + size;
}
static void out(void *opaque, uint16_t port, unsigned size, uint32_t value) {
  (void)opaque;
  last_out = value << 16 | port << 4 | size;
}

START_TEST(ports) {
  code("\xe5\x40\xe6\x41", 4); /* in $0x40,%eax; out %al,$0x41 */
  set("rflags", 0x3202);
  rw_on_port(m, in, out, NULL);
  ck_assert_int_eq(rw_run(m, 2), RW_STOP_BUDGET);
  ck_assert_uint_eq(get("rax"), 0x404);
  ck_assert_uint_eq(last_out, 0x04u << 16 | 0x41 << 4 | 1);
  ck_assert_uint_eq(rw_instructions(m), 2);
}
END_TEST

/* Code is cached by RIP: another base or limit of CS must be another piece of code. */
START_TEST(two_segments_one_offset) {
  set("cr0", 0x10);
  rw_write(m, 0x8000, "\x43\xea\x00\x00\x00\x09", 6); /* inc bx; jmp 0900:0000 */
  rw_write(m, 0x9000, "\x41\xea\x00\x00\x00\x08", 6); /* inc cx; jmp 0800:0000 */
  set("cs.attr", 0x9b);
  set("cs.limit", 0xffff);
  ck_assert_int_eq(rw_load_segment(m, "cs", 0x800), 0);
  set("eip", 0);
  set("rcx", 0);
  set("rbx", 0);
  ck_assert_int_eq(rw_run(m, 4000), RW_STOP_BUDGET);
  ck_assert_uint_eq(get("rbx"), 1000);
  ck_assert_uint_eq(get("rcx"), 1000);
}
END_TEST

/* The same bytes through 2000 segments: mov ax,cs; inc ax; sub si,16; push ax; push si; retf */
START_TEST(more_segments_than_numbers) {
  set("cr0", 0x10);
  rw_write(m, 0x8000, "\x8c\xc8\x40\x83\xee\x10\x50\x56\xcb", 9);
  ck_assert_int_eq(rw_load_segment(m, "cs", 0), 0);
  ck_assert_int_eq(rw_load_segment(m, "ss", 0), 0);
  set("eip", 0x8000);
  set("esi", 0x8000);
  for (unsigned round = 0; round < 2; round++) {
    ck_assert_int_eq(rw_load_segment(m, "cs", 0), 0);
    set("eip", 0x8000);
    set("esi", 0x8000);
    ck_assert_int_eq(rw_run(m, 6 * 2000), RW_STOP_BUDGET);
    ck_assert_uint_eq(get("cs"), 2000);
    ck_assert_uint_eq(get("cs.base"), 32000);
    ck_assert_uint_eq(get("rip"), 0x8000 - 32000);
  }
}
END_TEST

/* A near branch that was followed under a wide limit is judged again under a narrow one. SDM 2A JMP: #GP(0) */
START_TEST(a_branch_under_another_limit) {
  put(GDT + KCS, UINT64_C(0x00409b000000ffff), 8);        /* limit FFFFh */
  put(GDT + (UCS & ~7), UINT64_C(0x00409b000000801f), 8); /* ring 0, limit 801Fh */
  code("\x43\xeb\x3d", 3);                               /* inc ebx; jmp 8040h */
  rw_write(m, 0x8040, "\x41\xeb\xbd", 3);                /* inc ecx; jmp 8000h */
  set("rcx", 0);
  ck_assert_int_eq(rw_load_segment(m, "cs", KCS), 0);
  ck_assert_int_eq(rw_load_segment(m, "ss", KDS), 0);
  set("esp", KSTACK);
  ck_assert_int_eq(rw_run(m, 4000), RW_STOP_BUDGET);
  ck_assert_uint_eq(get("rcx"), 1000);
  ck_assert_int_eq(rw_load_segment(m, "cs", UCS & ~7), 0);
  set("eip", CODE);
  ck_assert_int_eq(rw_step(m), RW_STOP_BUDGET);
  ck_assert_int_eq(rw_run(m, 100), RW_STOP_HALT);
  ck_assert_uint_eq(get("rip"), HANDLER + 13 * 16 + 1);
  ck_assert_uint_eq(memory(KSTACK - 12, 4), CODE + 1);
}
END_TEST

/* #UD's handler begins with UD2, in the ring it interrupts: nothing ever retires, but a limit is kept. */
START_TEST(faults_without_end) {
  uint64_t gate_to_self = (CODE & 0xffff) | (uint64_t)(UCS | 3) << 16 | UINT64_C(0x8e) << 40;
  put(IDT + 6 * 8, gate_to_self, 8);
  code("\x0f\x0b", 2);
  set("esp", 0x90000);
  ck_assert_int_eq(rw_run(m, 1000), RW_STOP_BUDGET);
  ck_assert_uint_eq(rw_instructions(m), 0);
}
END_TEST

/* SDM 2A HLT: a debug exception ends it. */
START_TEST(a_single_step_ends_hlt) {
  uint64_t v = 0;
  put(IDT + 8, ((HANDLER + 16) & 0xffff) | (uint64_t)KCS << 16 | UINT64_C(0x8e) << 40, 8);
  put(HANDLER + 16, 0xf490, 2); /* nop; hlt */
  code("\xf4\x90", 2);
  ck_assert_int_eq(rw_load_segment(m, "cs", KCS), 0);
  ck_assert_int_eq(rw_load_segment(m, "ss", KDS), 0);
  set("esp", KSTACK);
  set("eflags", 0x302);
  ck_assert_int_eq(rw_step(m), RW_STOP_BUDGET);
  ck_assert_uint_eq(get("rip"), HANDLER + 16);
  ck_assert_int_eq(rw_get(m, "dr6", &v), 0);
  ck_assert_uint_eq(v & 0x4000, 0x4000);
  ck_assert_int_eq(rw_step(m), RW_STOP_BUDGET);
  ck_assert_uint_eq(get("rip"), HANDLER + 17);
}
END_TEST

/* What a dry run said is not told of what runs after it; a shutdown has a reason of its own. */
START_TEST(reasons_are_of_the_last_thing) {
  enum rw_stop outcome;
  ck_assert_int_eq(rw_whatif(m, "\xf4", 1, NULL), 0);
  ck_assert_ptr_nonnull(strstr(rw_explain(m), "CPL 3"));
  ck_assert_int_eq(rw_explain_json(m)[0], '{');
  ck_assert_ptr_nonnull(strstr(rw_explain_json(m), "\"id\":\"CPL0\",\"ok\":false"));
  code("\x90\xcd\x80", 3);
  ck_assert_int_eq(rw_step(m), RW_STOP_BUDGET);
  ck_assert_str_eq(rw_explain(m), "");
  put(TSS + 102, 0x68, 2);
  ck_assert_int_eq(rw_whatif(m, "\xe4\x60", 2, &outcome), 0); /* IN: the I/O map lies beyond the TSS */
  ck_assert(has_step("check", "IO_MAP_LIMIT", false, "limit 67h"));
  ck_assert_int_eq(outcome, RW_STOP_FAULT);
  set("rflags", 0x3202);
  ck_assert_int_eq(rw_whatif(m, "\xe4\x60", 2, &outcome), 0);
  ck_assert_int_eq(outcome, RW_STOP_BUDGET);
  ck_assert_ptr_nonnull(strstr(rw_error(m), "port"));
  set("idtr.limit", 0);
  ck_assert_int_eq(rw_step(m), RW_STOP_SHUTDOWN);
  ck_assert_ptr_nonnull(strstr(rw_explain(m), "the gate lies within the IDT's limit"));
}
END_TEST

/* APM 5 FXSAVE: the pointers only while an exception is pending. */
START_TEST(fxsave_pointers_by_vendor) {
  static const char fx[] = "\xdb\xe3\xd9\xee\x0f\xae\x05\x00\x70\x00\x00"; /* fninit; fldz; fxsave [7000h] */
  for (int amd = 0; amd < 2; amd++) {
    destroy();
    build_on(amd ? "x86-64-amd" : "x86-64");
    set("cr0", 0x31);
    code(fx, sizeof fx - 1);
    for (unsigned k = 0; k < 512; k += 8) put(0x7000 + k, UINT64_C(0x5555555555555555), 8);
    ck_assert_int_eq(rw_run(m, 3), RW_STOP_BUDGET);
    ck_assert_uint_eq(memory(0x7008, 4), amd ? 0x55555555u : CODE + 2u);
    ck_assert_uint_eq(memory(0x7000, 2), 0x37f);
  }
}
END_TEST

START_TEST(mistakes_have_reasons) {
  char err[200];
  uint64_t v;
  ck_assert_ptr_null(rw_create("pentium9", RAM, err, sizeof err));
  ck_assert_ptr_nonnull(strstr(err, "pentium9"));
  ck_assert_ptr_null(rw_create("intel", 100, err, sizeof err));
  ck_assert_ptr_nonnull(strstr(err, "100 bytes"));
  ck_assert_ptr_null(rw_create("intel", (UINT64_C(1) << 40) + 4096, err, sizeof err));
  ck_assert_ptr_nonnull(strstr(err, "at most 2^40"));
  ck_assert_int_eq(rw_get(m, "rzz", &v), -1);
  ck_assert_str_eq(rw_error(m), "rzz: no such register");
  ck_assert_int_eq(rw_write(m, RAM - 2, "abc", 3), -1);
  ck_assert_int_eq(rw_read_linear(m, RAM + 0x1000, &v, 8), -1);
  ck_assert_int_eq(rw_load_segment(m, "ds", 0x100), -1);
  ck_assert_int_eq(rw_check_count(m, "NO_SUCH", &v, &v), -1);
  set("idtr.limit", 0);
  code("\xcd\x80", 2);
  ck_assert_int_eq(rw_run(m, 0), RW_STOP_SHUTDOWN);
  ck_assert_ptr_nonnull(strstr(rw_error(m), "triple fault"));
}
END_TEST

Suite *suite_api(void);
Suite *suite_api(void) {
  const TTest *const tests[] = {
      a_ring_change_and_its_record, a_refused_gate, a_refused_fetch, a_dry_run_commits_nothing, sysenter_sums, a_dry_run_is_of_one_instruction, halted,
      interrupts_from_outside,      ports,          mistakes_have_reasons,
      two_segments_one_offset,      more_segments_than_numbers, a_branch_under_another_limit,
      faults_without_end,           a_single_step_ends_hlt,     reasons_are_of_the_last_thing,
      fxsave_pointers_by_vendor,
  };
  Suite *s = suite_create("api");
  TCase *tc = tcase_create("api");
  tcase_add_checked_fixture(tc, build, destroy);
  for (unsigned k = 0; k < sizeof tests / sizeof *tests; k++) tcase_add_test(tc, tests[k]);
  suite_add_tcase(s, tc);
  return s;
}
