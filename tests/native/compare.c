/* Whether both sides came to the same end: registers, flags that are defined, segments, the FXSAVE image,
 * memory, and the exception with its error code and CR2. SDM 3A 6.15 (Exception and Interrupt Reference); SDM
 * 2A FXSAVE. */
#include "tests/native/compare.h"

#include <capstone/capstone.h>
#include <inttypes.h>

#include "base/bits.h"
#include "tests/native/encoder.h"
#include "tests/native/native.h"
#include "tests/native/rows.h"
#include "tests/native/segments.h"
#include "tests/native/vex_cases.h"

static u32 letters_to_flags(const char *s) {
  static const char letters[] = "OSZAPC";
  static const u32 flag[] = {EF_OF, EF_SF, EF_ZF, EF_AF, EF_PF, EF_CF};
  u32 m = 0;
  for (; *s; s++) {
    const char *at = strchr(letters, *s);
    if (at) m |= flag[at - letters];
  }
  return m;
}

/* A fault at an instruction itself: it has not happened, and no flag may have changed, even to undefined. The
 * rule of that instruction, or NULL. */
static const struct row_rule *refused(const struct comparison *k) {
  const struct outcome *o = k->native;
  if (o->st.sel[CS] != k->c->in.sel[CS] || o->vector == VEC_DE) return NULL;
  for (unsigned n = 0; n < k->c->parts; n++)
    if (o->st.rip == k->c->in.rip + k->c->part[n].at) return k->c->part[n].rule;
  return NULL;
}

static u32 flags_compared(const struct comparison *k) {
  u32 undefined = letters_to_flags(k->c->row->undefined);
  const struct row_rule *rule = k->c->rule;
  if (k->strict || k->c->sequence || refused(k)) undefined = 0;
  else if (rule->undefined) undefined = rule->undefined(k->c, undefined);
  return EF_VALID & ~undefined;
}

/* ---- differences, each printed as it is found; f NULL: only counted ---- */

struct diff {
  FILE *f;
  unsigned n;
};
PRINTF_LIKE(2, 3) static void differ(struct diff *d, const char *fmt, ...) {
  va_list ap;
  d->n++;
  if (!d->f) return;
  va_start(ap, fmt);
  fprintf(d->f, "    ");
  vfprintf(d->f, fmt, ap);
  fprintf(d->f, "\n");
  va_end(ap);
}

static const char *const gpr_names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const sreg_names[SREG_COUNT] = {"es", "cs", "ss", "ds", "fs", "gs"};

static void gprs(const struct comparison *k, struct diff *d) {
  bool wide = k->native->st.sel[CS] == USER_CS;
  for (unsigned n = 0; n < (wide ? 16u : 8u); n++) {
    u64 a = k->native->st.gpr[n], b = k->emulated->st.gpr[n];
    u64 mask = wide ? ~UINT64_C(0) : 0xffffffff; /* SDM 1 3.4.1.1: behind 32-bit code the rest is undefined */
    if (k->c->rule->host_gprs >> n & 1) mask &= k->c->rule->host_wide ? 0 : ~UINT64_C(0xffffffff);
    if ((a ^ b) & mask) differ(d, "%-4s native %016" PRIx64 "  emulated %016" PRIx64, gpr_names[n], a, b);
  }
}

/* Linux reports every page fault at its own addresses as one of protection (arch/x86/mm/fault.c,
 * set_signal_archinfo()). */
static u32 error_code(const struct comparison *k, u32 error) {
  const struct outcome *a = k->native;
  return a->vector == VEC_PF && a->cr2 >= UINT64_C(0x7ffffffff000) ? error | PF_P : error;
}

/* The way to the signal handler is an IRET to ring 3, which makes every NULL selector 0. SDM 2A IRET
 * (Operation) */
static u16 normal_selector(const struct outcome *o, unsigned n) {
  return o->st.sel[n] < 4 ? 0 : o->st.sel[n];
}

static void control(const struct comparison *k, struct diff *d) {
  const struct outcome *a = k->native, *b = k->emulated;
  if (b->stuck) differ(d, "the emulated processor did not stop; rip %" PRIx64, b->st.rip);
  u32 error = error_code(k, b->error);
  if (a->vector != b->vector || a->error != error)
    differ(d, "exception: native %u error %x, emulated %u error %x", a->vector, a->error, b->vector, error);
  else if (a->vector == VEC_PF && a->cr2 != b->cr2)
    differ(d, "cr2 native %016" PRIx64 "  emulated %016" PRIx64, a->cr2, b->cr2);
  if (a->st.rip != b->st.rip)
    differ(d, "rip  native %016" PRIx64 "  emulated %016" PRIx64, a->st.rip, b->st.rip);
  u32 fa = (u32)a->st.eflags, fb = (u32)b->st.eflags;
  if ((fa ^ fb) & flags_compared(k))
    differ(d, "flags native %06x  emulated %06x  compared %06x", fa, fb, flags_compared(k));
  for (unsigned n = 0; n < SREG_COUNT; n++)
    if (normal_selector(a, n) != normal_selector(b, n))
      differ(d, "%s native %04x  emulated %04x", sreg_names[n], a->st.sel[n], b->st.sel[n]);
  if (a->st.fs_base != b->st.fs_base)
    differ(d, "fs base native %016" PRIx64 "  emulated %016" PRIx64, a->st.fs_base, b->st.fs_base);
  if (a->st.gs_base != b->st.gs_base)
    differ(d, "gs base native %016" PRIx64 "  emulated %016" PRIx64, a->st.gs_base, b->st.gs_base);
}

/* A field of the FXSAVE image, as one number. */
static void field(struct diff *d, const char *name, const u8 *a, const u8 *b, unsigned at, unsigned n) {
  char text[2][129];
  if (!memcmp(a + at, b + at, n)) return;
  for (unsigned side = 0; side < 2; side++)
    for (unsigned k = 0; k < n; k++)
      snprintf(text[side] + 2 * k, 3, "%02x", (side ? b : a)[at + n - 1 - k]);
  differ(d, "%-6s native %s  emulated %s", name, text[0], text[1]);
}

static void fx(const struct comparison *k, struct diff *d) {
  const u8 *a = k->native->st.fx, *b = k->emulated->st.fx;
  char name[16];
  field(d, "fcw", a, b, FX_FCW, 2);
  field(d, "fsw", a, b, FX_FSW, 2);
  field(d, "tags", a, b, FX_TAGS, 1);
  if (k->pointers) {
    field(d, "fop", a, b, FX_FOP, 2);
    field(d, "fip", a, b, FX_FIP, 8);
    field(d, "fdp", a, b, FX_FDP, 8);
  }
  field(d, "mxcsr", a, b, FX_MXCSR, 4);
  for (unsigned n = 0; n < 8; n++) {
    snprintf(name, sizeof name, "st%u", n);
    field(d, name, a, b, FX_ST + 16 * n, 10);
  }
}

/* Vector and opmask registers, as far as this machine has them. */
static void vectors(const struct comparison *k, struct diff *d) {
  static const u8 width[] = {[NATIVE_XMM] = 16, [NATIVE_YMM] = 32, [NATIVE_ZMM] = 64};
  static const char letter[] = {[NATIVE_XMM] = 'x', [NATIVE_YMM] = 'y', [NATIVE_ZMM] = 'z'};
  enum native_vectors unit = native_vector_unit();
  const struct state *a = &k->native->st, *b = &k->emulated->st;
  char name[16];
  for (unsigned n = 0; n < (unit == NATIVE_ZMM ? 32u : 16u); n++) {
    snprintf(name, sizeof name, "%cmm%u", letter[unit], n);
    field(d, name, a->vec[n], b->vec[n], 0, width[unit]);
  }
  for (unsigned n = 0; n < 8 && unit == NATIVE_ZMM; n++)
    if (a->k[n] != b->k[n]) differ(d, "k%u native %016" PRIx64 "  emulated %016" PRIx64, n, a->k[n], b->k[n]);
}

static void memory(const struct comparison *k, struct diff *d) {
  const u8 *a = k->native_arena, *b = k->emulated_arena;
  for (unsigned p = 0; p < ARENA_PARTS; p++) {
    unsigned at = arena_parts[p].at, end = at + arena_parts[p].bytes;
    if (!memcmp(a + at, b + at, end - at)) continue;
    for (; at < end; at += 8)
      if (memcmp(a + at, b + at, 8))
        differ(d, "memory %" PRIx64 " native %016" PRIx64 "  emulated %016" PRIx64, ARENA + at, ld64(a + at),
               ld64(b + at));
  }
}

static unsigned differences(const struct comparison *k, FILE *f) {
  struct diff d = {f, 0};
  const struct row_rule *rule = refused(k);
  control(k, &d);
  if (!rule || !rule->partial) {
    gprs(k, &d);
    memory(k, &d);
    vectors(k, &d);
  }
  if (!rule || !rule->partial_fx) fx(k, &d);
  return d.n;
}

bool compare(const struct comparison *k) { return !differences(k, NULL); }

/* ---- the report ---- */

static void disassemble(FILE *f, const struct test_case *c) {
  static const cs_mode modes[CODE_MODES] = {CS_MODE_64, CS_MODE_32, CS_MODE_16};
  csh h;
  cs_insn *insn = NULL;
  u8 code[SEQUENCE_BYTES + 15];
  unsigned from = c->part[0].at, n = c->before_n - from;
  memcpy(code, c->before + from, n);
  memcpy(code + n, c->enc.bytes, c->enc.n);
  if (cs_open(CS_ARCH_X86, modes[c->variant.mode], &h) != CS_ERR_OK) return;
  for (unsigned k = 0; k < c->parts; k++) {
    unsigned at = c->part[k].at - from;
    u64 rip = c->in.rip + c->part[k].at;
    if (k) fprintf(f, "; ");
    if (cs_disasm(h, code + at, n + c->enc.n - at, rip, 1, &insn)) {
      fprintf(f, "%s %s", insn[0].mnemonic, insn[0].op_str);
      cs_free(insn, 1);
    } else {
      fprintf(f, "(no disassembly)");
    }
  }
  cs_close(&h);
}

static bool readable(u64 at) {
  for (unsigned p = 0; p < ARENA_PARTS; p++)
    if (at - arena_parts[p].at < arena_parts[p].bytes) return true;
  return false;
}

/* The registers that the instruction names, and the operand in memory. */
static void report_vectors(FILE *f, const struct test_case *c) {
  const struct encoding *e = &c->enc;
  const u8 named[] = {e->reg, e->vvvv, e->rm, c->row->attrs & A_VSIB ? e->index : e->reg};
  for (unsigned k = 0; k < ARRAY_SIZE(named); k++) {
    bool again = false;
    for (unsigned j = 0; j < k; j++) again |= named[j] == named[k];
    if (again) continue;
    fprintf(f, "    zmm%-2u ", named[k]);
    for (unsigned n = 64; n-- > 0;) fprintf(f, "%02x%s", c->in.vec[named[k] & 31][n], n % 16 ? "" : " ");
    fputc('\n', f);
  }
  if (e->aaa) fprintf(f, "    k%u %016" PRIx64 "\n", e->aaa, c->in.k[e->aaa]);
  if (c->memory) {
    fprintf(f, "    memory ");
    for (unsigned n = c->size < 64 ? c->size : 64; n-- > 0;) {
      u64 at = c->target + n - ARENA;
      if (readable(at)) fprintf(f, "%02x%s", c->arena[at], n % 16 ? "" : " ");
      else fprintf(f, "--%s", n % 16 ? "" : " ");
    }
    fputc('\n', f);
  }
  fprintf(f, "    mxcsr %04x\n", ld32(c->in.fx + FX_MXCSR));
}

static void report_words(FILE *f, const char *name, const struct test_case *c, unsigned from, unsigned n) {
  fprintf(f, "    %s", name);
  for (unsigned k = 0; k < n; k += 8) {
    u64 at = c->target + from + k - ARENA;
    if (readable(at)) fprintf(f, " %016" PRIx64, ld64(c->arena + at));
    else fprintf(f, " -");
  }
  fputc('\n', f);
}

static void report_state(FILE *f, const struct test_case *c) {
  const struct state *s = &c->in;
  for (unsigned n = 0; n < (c->variant.mode == CODE64 ? 16u : 8u); n++)
    fprintf(f, "%s%-4s%016" PRIx64, n % 4 ? "  " : "\n    ", gpr_names[n], s->gpr[n]);
  fprintf(f, "\n    rip %" PRIx64 "  flags %06x", s->rip, (u32)s->eflags);
  for (unsigned n = 0; n < SREG_COUNT; n++) fprintf(f, "  %s %04x", sreg_names[n], s->sel[n]);
  fprintf(f, "  fs base %" PRIx64 "  gs base %" PRIx64 "\n", s->fs_base, s->gs_base);
  if (c->target) fprintf(f, "    operand at %" PRIx64 ", %u bytes\n", c->target, c->size);
  if (c->row->name[0] == 'X' && c->size > 576) report_words(f, "header", c, 512, 64);
  if (c->sequence || c->row->attrs & (A_X87 | A_MMX | A_WAIT))
    fprintf(f, "    fcw %04x  fsw %04x  tags %02x\n", ld16(s->fx + FX_FCW), ld16(s->fx + FX_FSW),
            s->fx[FX_TAGS]);
  if (c->row->enc) report_vectors(f, c);
  if (!c->sequence && !(c->row->attrs & (A_X87 | A_MMX | A_SSE))) return;
  for (unsigned n = 0; n < 8; n++)
    fprintf(f, "    st%u %04x:%016" PRIx64 "  xmm%u %016" PRIx64 "%016" PRIx64 "\n", n,
            ld16(s->fx + FX_ST + 16 * n + 8), ld64(s->fx + FX_ST + 16 * n), n,
            ld64(s->fx + FX_XMM + 16 * n + 8), ld64(s->fx + FX_XMM + 16 * n));
  fprintf(f, "    mxcsr %04x\n", ld32(s->fx + FX_MXCSR));
}

void compare_show(FILE *f, const struct test_case *c, u64 seed, unsigned long index) {
  if (c->sequence) fprintf(f, "sequence, %s code: ", mode_names[c->variant.mode]);
  else
    fprintf(f, "%s %s, %s code, %s: ", c->row->name, c->row->operands, mode_names[c->variant.mode],
            c->row->enc ? vex_variant_name(&c->variant, c->row) : form_names[c->variant.form]);
  disassemble(f, c);
  fprintf(f, "\n    bytes");
  for (unsigned n = 0; n < c->before_n; n++) fprintf(f, " %02x", c->before[n]);
  for (unsigned n = 0; n < c->enc.n; n++) fprintf(f, " %02x", c->enc.bytes[n]);
  fprintf(f, "; %s blocks%s%s; --seed %" PRIu64 " --case %lu", c->step ? "stepped" : "whole",
          c->warm ? ", warm" : "", c->flush ? ", flushed" : "", seed, index);
  report_state(f, c);
}

void compare_report(FILE *f, const struct comparison *k) {
  const struct outcome *a = k->native;
  fprintf(f, "    native ended in exception %u, error %x, at %04x:%" PRIx64 ", flags %06x\n", a->vector,
          a->error, a->st.sel[CS], a->st.rip, (u32)a->st.eflags);
  (void)differences(k, f);
}
