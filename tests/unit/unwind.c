/* The debugger's frames: of each vDSO, at each instruction; of signal trampolines and frame pointers; and of
 * programs run natively, one instruction at a time: where each call in progress really returns to, and with which
 * registers. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
/* Of <sys/user.h>; mmu/mmu.h has its own. */
#undef PAGE_SHIFT
#undef PAGE_SIZE
#undef PAGE_MASK

#include "base/bits.h"
#include "roms/linux_entry.h"
#include "tests/unit/symbols.h"

/* --- Made frames --- */

/* Memory of two parts, of which each byte is known. */
struct memory {
  u64 code_at, stack_at;
  u8 code[64], stack[1024];
};

static unsigned memory_read(void *opaque, u64 addr, void *buf, unsigned n) {
  const struct memory *m = opaque;
  unsigned i = 0;
  for (; i < n; i++) {
    u64 c = addr + i - m->code_at, s = addr + i - m->stack_at;
    if (c < sizeof m->code) ((u8 *)buf)[i] = m->code[c];
    else if (s < sizeof m->stack) ((u8 *)buf)[i] = m->stack[s];
    else break;
  }
  return i;
}

static void put_word(struct memory *m, unsigned word, u64 at, u64 v) {
  ck_assert_uint_le(at - m->stack_at, sizeof m->stack - 8);
  memcpy(m->stack + (at - m->stack_at), &v, word);
}

static const struct rom_vdso *const vdso32[] = {&rom_vdso32_sysenter, &rom_vdso32_syscall, &rom_vdso32_int80};
#define VDSO_AT 0xf7fc4000u
enum { VDSO_STACK = 0xffffd000u, VDSO_RA = 0x0804a123 };

static struct symbols *open_vdso(const struct rom_vdso *rom, u64 at) {
  return open_module((struct dbg_module){.name = "[vdso]", .mem = rom->image, .size = rom->size, .bias = at, .lo = at,
                                         .hi = at + rom->size});
}

START_TEST(kernel_vsyscall_at_each_instruction) {
  const struct rom_vdso *rom = vdso32[_i];
  struct symbols *s = open_vdso(rom, VDSO_AT);
  struct memory m = {.stack_at = VDSO_STACK};
  u64 top = VDSO_STACK + 512; /* of the return address */
  put_word(&m, 4, top, VDSO_RA);
  put_word(&m, 4, top - 4, 0xecec);
  put_word(&m, 4, top - 8, 0xeded);
  put_word(&m, 4, top - 12, 0xebeb);
  unsigned pad = rom->landing_pad - rom->vsyscall;
  char text[60];
  sym_name(s, VDSO_AT + rom->vsyscall + 2, text, sizeof text);
  ck_assert_str_eq(text, "[vdso] __kernel_vsyscall+2");
  for (unsigned at = 0; at <= pad + 3; at++) {
    unsigned pushed = at < 3 ? at : at <= pad ? 3 : 3 - (at - pad);
    struct frame_regs r = marked(32, VDSO_AT + rom->vsyscall + at, top - 4 * pushed);
    bool signal;
    ck_assert_int_eq(sym_unwind(s, &r, false, &signal, memory_read, &m), FRAME_CFI);
    ck_assert_msg(r.rip == VDSO_RA && r.gpr[4] == top + 4 && !signal, "at +%u: %llx", at, (unsigned long long)r.rip);
    ck_assert_uint_eq(r.gpr[5], pushed == 3 ? 0xebeb : 0xc0de0005);
    ck_assert_uint_eq(r.gpr[3], 0xc0de0003);
    ck_assert((r.known & 0x10028) == 0x10028);
    if (pushed >= 1) ck_assert(r.known & 2 && r.gpr[1] == 0xecec);
    if (pushed >= 2) ck_assert(r.known & 4 && r.gpr[2] == 0xeded);
  }
  sym_close(s);
}
END_TEST

/* A struct sigcontext: Linux arch/x86/include/uapi/asm/sigcontext.h. */
static void put_context32(struct memory *m, u64 at) {
  static const u8 place[] = {11, 10, 9, 8, 7, 6, 5, 4}; /* of eax ecx edx ebx esp ebp esi edi */
  for (unsigned i = 0; i < 8; i++)
    put_word(m, 4, at + 4 * place[i], 0x1000 + i);
  put_word(m, 4, at + 4 * 14, 0x08041234);
}

static void expect_context(const struct frame_regs *r) {
  unsigned n = r->bits == 64 ? 16 : 8;
  for (unsigned i = 0; i < n; i++)
    ck_assert_msg(r->known >> i & 1 && r->gpr[i] == 0x1000 + i, "register %u is %llx", i,
                  (unsigned long long)r->gpr[i]);
  ck_assert_uint_eq(r->rip, 0x08041234);
}

START_TEST(signal_frames_of_the_vdso) {
  const struct rom_vdso *rom = vdso32[_i];
  struct symbols *s = open_vdso(rom, VDSO_AT);
  u64 top = VDSO_STACK + 256;
  /* After the handler's RET: __kernel_sigreturn has the signal number to pop, the other three words, siginfo and
   * the head of struct ucontext. */
  const struct { u64 at, esp, context; } rows[] = {
      {rom->sigreturn, top, top + 4},
      {rom->sigreturn + 1, top + 4, top + 4},
      {rom->sigreturn + 6, top + 4, top + 4},
      {rom->rt_sigreturn, top, top + 12 + 128 + 20},
      {rom->rt_sigreturn + 5, top, top + 12 + 128 + 20},
  };
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    struct memory m = {.stack_at = VDSO_STACK};
    put_context32(&m, rows[i].context);
    for (int call = 0; call < 2; call++) {
      if (call && rows[i].at != rom->sigreturn && rows[i].at != rom->rt_sigreturn) continue;
      struct frame_regs r = marked(32, VDSO_AT + rows[i].at, rows[i].esp);
      bool signal = false;
      ck_assert_int_eq(sym_unwind(s, &r, call, &signal, memory_read, &m), FRAME_CFI);
      ck_assert(signal);
      expect_context(&r);
    }
  }
  sym_close(s);
}
END_TEST

/* Both vDSOs' functions, where they begin. */
START_TEST(vdso_functions_where_they_begin) {
  const struct rom_vdso *rom = _i ? vdso32[_i - 1] : &rom_vdso64;
  u64 at = _i ? VDSO_AT : UINT64_C(0x7ffff7fc4000), stack = _i ? VDSO_STACK : UINT64_C(0x7fffffffd000);
  unsigned word = _i ? 4 : 8, n = 0;
  struct symbols *s = open_vdso(rom, at);
  struct memory m = {.stack_at = stack};
  struct sym f;
  put_word(&m, word, stack + 512, VDSO_RA);
  for (; sym_prefix(s, "", n, &f); n++) {
    struct frame_regs r = marked(word * 8, f.addr, stack + 512);
    bool signal;
    if (!f.function || strstr(f.name, "sigreturn")) continue;
    ck_assert_int_eq(sym_unwind(s, &r, false, &signal, memory_read, &m), FRAME_CFI);
    ck_assert_msg(r.rip == VDSO_RA && r.gpr[4] == stack + 512 + word && !signal, "%s", f.name);
    ck_assert_msg(r.gpr[5] == 0xc0de0005 && r.gpr[3] == 0xc0de0003, "%s: %x", f.name, r.known);
  }
  ck_assert_uint_gt(n, 5);
  sym_close(s);
}
END_TEST

/* Trampolines of C libraries without tables. */
START_TEST(signal_frames_by_their_trampoline) {
  static const struct { const char *code; unsigned n, bits, context; } rows[] = {
      {"\x48\xc7\xc0\x0f\0\0\0\x0f\x05", 9, 64, 40},
      {"\xb8\x0f\0\0\0\x0f\x05", 7, 64, 40},
      {"\x58\xb8\x77\0\0\0\xcd\x80", 8, 32, 4},
      {"\xb8\xad\0\0\0\xcd\x80", 7, 32, 12 + 128 + 20},
  };
  static const u8 place64[] = {13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7};
  struct symbols *s = open_file("/nonexistent");
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    struct memory m = {.code_at = 0x401000, .stack_at = 0x70000};
    memcpy(m.code, rows[i].code, rows[i].n);
    u64 rsp = 0x70100, context = rsp + rows[i].context;
    if (rows[i].bits == 32) put_context32(&m, context);
    else {
      for (unsigned k = 0; k < 16; k++)
        put_word(&m, 8, context + 8 * place64[k], 0x1000 + k);
      put_word(&m, 8, context + 8 * 16, 0x08041234);
    }
    struct frame_regs r = marked(rows[i].bits, 0x401000, rsp);
    bool signal;
    ck_assert_int_eq(sym_unwind(s, &r, true, &signal, memory_read, &m), FRAME_POINTER);
    ck_assert(signal);
    expect_context(&r);
    r = marked(rows[i].bits, 0x401000, 0x70000 + sizeof m.stack - 8); /* a context that cannot be read */
    ck_assert_int_eq(sym_unwind(s, &r, true, &signal, memory_read, &m), FRAME_NONE);
    ck_assert(!signal && r.rip == 0x401000);
  }
  sym_close(s);
}
END_TEST

/* push %rbp; mov %rsp,%rbp; nop; pop %rbp; ret, then call *%rax; nop and call, nop. */
#define RETURN_TO (0x401000 + 11)
static const u8 framed[] = {0x55, 0x48, 0x89, 0xe5, 0x90, 0x5d, 0xc3, 0x90, 0x90,
                            0xff, 0xd0, 0x90, 0xe8, 0,    0,    0,    0,    0x90};

START_TEST(frame_pointers_and_what_is_around_them) {
  struct symbols *s = open_file("/nonexistent");
  struct memory m = {.code_at = 0x401000, .stack_at = 0x70000};
  memcpy(m.code, framed, sizeof framed);
  put_word(&m, 8, 0x70108, RETURN_TO);
  put_word(&m, 8, 0x70100, 0x70180);
  /* where, the stack pointer, the frame pointer; before PUSH, after it, in the body, before POP, before RET */
  static const struct { u64 at, rsp, rbp; } rows[] = {
      {0, 0x70108, 0x70180}, {1, 0x70100, 0x70180}, {4, 0x70100, 0x70100}, {5, 0x70100, 0x70100},
      {6, 0x70108, 0x70180}};
  for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
    struct frame_regs r = marked(64, 0x401000 + rows[i].at, rows[i].rsp);
    bool signal;
    r.gpr[5] = rows[i].rbp;
    ck_assert_int_eq(sym_unwind(s, &r, false, &signal, memory_read, &m), FRAME_POINTER);
    ck_assert_msg(r.rip == RETURN_TO && r.gpr[4] == 0x70110 && r.gpr[5] == 0x70180 && !signal, "at +%u",
                  (unsigned)rows[i].at);
    ck_assert_uint_eq(r.known, 0x10030);
  }
  /* What is no frame. */
  static const struct { u64 rsp, rbp, saved, ra; } none[] = {
      {0x70100, 0x700f8, 0, RETURN_TO},           /* below the stack pointer */
      {0x70100, UINT64_MAX - 7, 0, RETURN_TO},    {0x70100, UINT64_MAX, 0, RETURN_TO},
      {0x70100, 0x80000, 0, RETURN_TO},           /* not readable */
      {0x70000, 0x70000 + 1024 - 8, 0, RETURN_TO},
      {0x70100, 0x70100, 0, 0},                   /* the end */
      {0x70100, 0x70100, 0x70180, 0x70108},       /* nothing has called from there */
      {0x70100, 0x70100, 0x70180, 0x500000},      /* not readable */
  };
  for (unsigned i = 0; i < ARRAY_SIZE(none); i++) {
    put_word(&m, 8, 0x70100, none[i].saved);
    put_word(&m, 8, 0x70108, none[i].ra);
    struct frame_regs r = marked(64, 0x401004, none[i].rsp);
    bool signal;
    r.gpr[5] = none[i].rbp;
    ck_assert_msg(sym_unwind(s, &r, true, &signal, memory_read, &m) == FRAME_NONE && r.rip == 0x401004, "row %u", i);
  }
  struct frame_regs r = marked(16, 0x401004, 0x70100);
  bool signal;
  put_word(&m, 8, 0x70108, RETURN_TO);
  ck_assert_int_eq(sym_unwind(s, &r, false, &signal, memory_read, &m), FRAME_NONE);
  r = marked(64, 0x401004, 0x70100);
  r.known &= ~(1u << 16);
  ck_assert_int_eq(sym_unwind(s, &r, false, &signal, memory_read, &m), FRAME_NONE);
  sym_close(s);
  /* A kernel's entry has no caller, whatever the program has on its stack. */
  static const struct dbg_label entry = {"entry", 0x401000};
  s = open_module((struct dbg_module){.name = "[kernel]", .label = &entry, .labels = 1, .lo = 0x401000, .hi = 0x402000});
  for (unsigned at = 0; at < 5; at++) {
    r = marked(64, 0x401000 + at, 0x70108);
    r.gpr[5] = 0x70108;
    ck_assert_int_eq(sym_unwind(s, &r, false, &signal, memory_read, &m), FRAME_NONE);
  }
  sym_close(s);
}
END_TEST

/* --- Frames of a running program --- */

#if defined(__x86_64__)
/* A traced child, run natively one instruction at a time, and where each call in progress returns to. */
struct child {
  const char *program;
  pid_t pid;
  int mem, signal;
  unsigned word;
  struct user_regs_struct now;
  struct call {
    u64 slot;    /* while the stack pointer is not above it, the call is in progress */
    u64 rip, rsp; /* the caller's, afterwards */
    bool signal;
    struct frame_regs before; /* its registers, of which a function preserves some */
  } call[4096];
  unsigned calls;
  u64 bias;
  u64 vdso_lo, vdso_hi;
  u8 vdso[4 * 4096];
};

static unsigned child_read(void *opaque, u64 addr, void *buf, unsigned n) {
  struct child *c = opaque;
  ssize_t got = addr > INT64_MAX ? -1 : pread(c->mem, buf, n, (off_t)addr);
  return got < 0 ? 0 : (unsigned)got;
}

static bool child_word(struct child *c, u64 addr, u64 *v) {
  *v = 0;
  return child_read(c, addr, v, c->word) == c->word;
}

/* Where the program and the kernel's vDSO are. */
static void child_maps(struct child *c, const char *program) {
  char name[64], line[PATH_MAX + 100], real[PATH_MAX];
  ck_assert_ptr_nonnull(realpath(program, real));
  snprintf(name, sizeof name, "/proc/%d/maps", c->pid);
  FILE *f = fopen(name, "r");
  ck_assert_ptr_nonnull(f);
  bool first = true;
  while (fgets(line, sizeof line, f)) {
    unsigned long long lo, hi, off;
    if (sscanf(line, "%llx-%llx %*s %llx", &lo, &hi, &off) != 3) continue;
    if (strstr(line, "[vdso]") && hi - lo <= sizeof c->vdso &&
        child_read(c, lo, c->vdso, (unsigned)(hi - lo)) == hi - lo)
      c->vdso_lo = lo, c->vdso_hi = hi;
    if (strstr(line, real) && first) c->bias = strstr(program, "-pie") ? lo - off : 0, first = false;
  }
  fclose(f);
}

static bool child_start(struct child *c, const char *program) {
  int st;
  memset(c, 0, sizeof *c);
  *c = (struct child){.program = program, .pid = fork(), .mem = -1, .word = strstr(program, "i386") ? 4 : 8};
  if (!c->pid) {
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0), dup2(null, 1);
    personality(ADDR_NO_RANDOMIZE);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) _exit(99);
    execl(program, program, (char *)NULL);
    _exit(98);
  }
  if (waitpid(c->pid, &st, 0) != c->pid || !WIFSTOPPED(st)) return false;
  char name[64];
  snprintf(name, sizeof name, "/proc/%d/mem", c->pid);
  c->mem = open(name, O_RDONLY | O_CLOEXEC);
  ck_assert_int_ge(c->mem, 0);
  child_maps(c, program);
  return !ptrace(PTRACE_GETREGS, c->pid, NULL, &c->now);
}

static void child_end(struct child *c) {
  kill(c->pid, SIGKILL);
  waitpid(c->pid, NULL, 0);
  close(c->mem);
}

static struct frame_regs regs_of(const struct child *c, const struct user_regs_struct *u) {
  return (struct frame_regs){.gpr = {u->rax, u->rcx, u->rdx, u->rbx, u->rsp, u->rbp, u->rsi, u->rdi, u->r8, u->r9,
                                     u->r10, u->r11, u->r12, u->r13, u->r14, u->r15},
                             .rip = u->rip, .known = c->word == 8 ? 0x1ffff : 0x100ff, .bits = (u8)(c->word * 8)};
}

static void child_called(struct child *c, const struct user_regs_struct *before, struct call call) {
  call.before = regs_of(c, before);
  if (c->calls < ARRAY_SIZE(c->call)) c->call[c->calls++] = call;
}

/* One instruction, or the delivery of a signal. What it called is added, what the stack pointer has passed is over. */
static bool child_step(struct child *c) {
  int st;
  struct user_regs_struct old = c->now;
  u64 top;
  if (ptrace(PTRACE_SINGLESTEP, c->pid, NULL, c->signal)) return false;
  if (waitpid(c->pid, &st, 0) != c->pid || !WIFSTOPPED(st)) return false;
  if (ptrace(PTRACE_GETREGS, c->pid, NULL, &c->now)) return false;
  bool delivered = c->signal && c->now.rsp < old.rsp - 128;
  c->signal = WSTOPSIG(st) == SIGTRAP ? 0 : WSTOPSIG(st);
  while (c->calls && c->call[c->calls - 1].slot < c->now.rsp)
    c->calls--;
  if (!child_word(c, c->now.rsp, &top)) return true;
  if (delivered) {
    child_called(c, &old, (struct call){.slot = old.rsp - 1, .rip = old.rip, .rsp = old.rsp, .signal = true});
    child_called(c, &c->now, (struct call){.slot = c->now.rsp, .rip = top, .rsp = c->now.rsp + c->word});
  } else if (c->now.rsp == old.rsp - c->word && top > old.rip && top <= old.rip + 8 && c->now.rip != top) {
    child_called(c, &old, (struct call){.slot = c->now.rsp, .rip = top, .rsp = c->now.rsp + c->word});
  }
  return true;
}

/* Registers that must be the caller's: after a signal all, otherwise those that the ABI has functions preserve, and
 * they must be known if tables alone led here. */
static bool preserved(const struct frame_regs *r, const struct call *c, bool table) {
  u32 kept = c->signal ? 0xffff : r->bits == 64 ? 0xf028 : 0xe8;
  for (unsigned i = 0; i < 16; i++)
    if (i != 4 && (kept & r->known) >> i & 1 && r->gpr[i] != c->before.gpr[i]) return false;
  if (table && (kept & r->known) != (r->bits == 64 ? kept : kept & 0xff)) return false;
  return !c->signal || (r->known & 0xffff) == (r->bits == 64 ? 0xffff : 0xff);
}

/* How many frames are as they were called, from the innermost; all when the outermost ends there. */
static unsigned right_frames(struct symbols *s, struct child *c, bool *whole) {
  struct frame_regs r = regs_of(c, &c->now);
  bool signal, call = false, table = true;
  unsigned n = 0;
  for (enum frame_how how; (how = sym_unwind(s, &r, call, &signal, child_read, c)) != FRAME_NONE;) {
    table &= how == FRAME_CFI;
    if (n == c->calls) return *whole = false, n;
    const struct call *want = &c->call[c->calls - 1 - n];
    if (r.rip != want->rip || r.gpr[4] != want->rsp || signal != want->signal || !preserved(&r, want, table)) break;
    n++;
    call = !signal;
  }
  *whole = n == c->calls;
  return n;
}

static const struct { const char *name; unsigned from, steps, every; } walks[] = {
    {"x86_64/hello", 0, 4000, 1},        {"i386/hello", 0, 4000, 1},        {"x86_64/sorting", 4000, 4000, 1},
    {"i386/sorting", 4000, 4000, 1},     {"x86_64/formats", 4000, 4000, 1}, {"i386/formats", 4000, 4000, 1},
    {"x86_64-pie/hello", 2000, 2000, 1}, {"i386-pie/hello", 2000, 2000, 1}, {"x86_64/signals", 2000, 30000, 3},
    {"i386/signals", 2000, 30000, 3},
};

static bool walk_modules(void *opaque, unsigned n, struct dbg_module *m) {
  const struct child *c = opaque;
  if (n == 0) *m = (struct dbg_module){.name = "program", .path = c->program, .bias = c->bias};
  if (n == 1) *m = (struct dbg_module){.name = "[vdso]", .mem = c->vdso, .size = c->vdso_hi - c->vdso_lo,
                                       .bias = c->vdso_lo, .lo = c->vdso_lo, .hi = c->vdso_hi};
  return n < 1u + (c->vdso_lo != 0);
}

/* Of glibc's for i386, memcpy pushes a register of which its table knows nothing, and _start, which has no caller,
 * has a function within it. frame_dummy of GCC's start files has no table, and pushes late. __longjmp's caller is
 * where it goes.
 * __x86.get_pc_thunk.bx gives its caller EBX. */
static bool untold(const char *name, unsigned word) {
  if (!strncmp(name, "frame_dummy+", 12) || !strncmp(name, "__longjmp+", 10)) return true;
  if (!strncmp(name, "__x86.get_pc_thunk.", 19) && strchr(name, '+')) return true;
  return word == 4 && (!strncmp(name, "memcpy+", 7) || !strncmp(name, "_start+", 7));
}

START_TEST(every_frame_of_a_running_program) {
  static struct child c;
  if (!child_start(&c, guest(walks[_i].name))) {
    child_end(&c);
    return; /* a host that does not let one trace, or has no 32-bit programs */
  }
  struct symbols *s = sym_open(&(struct dbg_target){.opaque = &c, .module = walk_modules});
  unsigned looked = 0, wrong = 0;
  char first[300] = "", name[200];
  for (unsigned i = 0; i < walks[_i].from + walks[_i].steps && child_step(&c); i++) {
    bool whole;
    if (i < walks[_i].from || i % walks[_i].every) continue;
    unsigned n = right_frames(s, &c, &whole);
    looked++;
    if (whole) continue;
    sym_name(s, c.now.rip, name, sizeof name);
    if (untold(name, c.word)) continue;
    if (wrong++) continue;
    snprintf(first, sizeof first, "at %llx %s: %u of %u", (unsigned long long)c.now.rip, name, n, c.calls);
  }
  child_end(&c);
  sym_close(s);
  ck_assert_msg(!wrong, "%s: %u of %u wrong, first %s", walks[_i].name, wrong, looked, first);
  ck_assert_uint_gt(looked, 100);
}
END_TEST
#endif

Suite *suite_unwind(void) {
  Suite *s = suite_create("unwind");
  TCase *frames = tcase_create("made");
  tcase_add_loop_test(frames, kernel_vsyscall_at_each_instruction, 0, ARRAY_SIZE(vdso32));
  tcase_add_loop_test(frames, signal_frames_of_the_vdso, 0, ARRAY_SIZE(vdso32));
  tcase_add_loop_test(frames, vdso_functions_where_they_begin, 0, ARRAY_SIZE(vdso32) + 1);
  tcase_add_test(frames, signal_frames_by_their_trampoline);
  tcase_add_test(frames, frame_pointers_and_what_is_around_them);
  suite_add_tcase(s, frames);
#if defined(__x86_64__)
  TCase *walk = tcase_create("running");
  tcase_set_timeout(walk, 120);
  tcase_add_loop_test(walk, every_frame_of_a_running_program, 0, ARRAY_SIZE(walks));
  suite_add_tcase(s, walk);
#endif
  return s;
}
