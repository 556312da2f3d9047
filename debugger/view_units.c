/* The x87, SSE and AVX registers. SDM 1 8.1 (x87 FPU Execution Environment), 4.2.2 (Floating-Point Data Types), 8.2.2
 * (Unsupported Double Extended-Precision Floating-Point Encodings), 10.2 (SSE Programming Environment),
 * 14.1.1 (256-Bit Wide SIMD Register Support), 15.1.2 (32 SIMD Register Support). */
#include <inttypes.h>
#include <string.h>

#include "cpu/simd_state.h"
#include "cpu/x87.h"
#include "debugger/view_fields.h"

static const char *const roundings[] = {"nearest", "down", "up", "toward 0"};

/* ---- x87 ---- */

/* What 80 bits are, and their value as text. */
static const char *show_number(char *buf, size_t n, u64 m, u16 se) {
  unsigned exponent = se & 0x7fffu;
  const char *sign = se & 0x8000 ? "-" : "";
  if (exponent == 0x7fff && !(m << 1)) {
    snprintf(buf, n, m >> 63 ? "%sinf" : "?", sign);
    return m >> 63 ? "infinity" : "unsupported";
  }
  if (exponent && !(m >> 63)) {
    snprintf(buf, n, "?");
    return "unsupported"; /* pseudo-NaNs, unnormals */
  }
  if (exponent == 0x7fff) {
    snprintf(buf, n, "%snan", sign);
    return m >> 62 & 1 ? m == UINT64_C(3) << 62 && *sign ? "indefinite" : "quiet NaN" : "signaling NaN";
  }
  long double value = 0;
  memcpy(&value, &m, 8);
  memcpy((u8 *)&value + 8, &se, 2);
  snprintf(buf, n, "%.18Lg", value);
  if (exponent) return "normal";
  return !m ? "zero" : m >> 63 ? "pseudo-denormal" : "denormal";
}

static bool same_register(const struct cpu *a, const struct cpu *b, unsigned r) {
  return a->x87.st[r].m == b->x87.st[r].m && a->x87.st[r].se == b->x87.st[r].se &&
         (a->x87.empty >> r & 1) == (b->x87.empty >> r & 1);
}

/* ST(i) of the stack, which is the physical register (TOP + i) & 7; its significand is an MMX register. */
static void show_stack_register(const struct view *v, unsigned i) {
  const struct x87 *x = &v->cpu->x87;
  unsigned r = (x->top + i) & 7;
  bool empty = x->empty >> r & 1;
  char value[64], raw[24];
  const char *kind = show_number(value, sizeof value, x->st[r].m, x->st[r].se);
  out_open(v->out, NULL);
  out_changed(v->out, v->before && !same_register(v->cpu, v->before, r));
  out_num(v->out, "st", i, "ST(%llu)");
  out_num(v->out, "physical", r, " R%llu/mm");
  out_text(v->out, "%u", r);
  snprintf(raw, sizeof raw, "0x%04x%016" PRIx64, x->st[r].se, x->st[r].m);
  out_str(v->out, "raw", raw, " %s");
  out_hex(v->out, "mm", x->st[r].m, NULL);
  out_bool(v->out, "empty", empty, " empty");
  if (!empty) {
    out_str(v->out, "kind", kind, " %-15s");
    out_str(v->out, "value", value, " %s");
  }
  out_close(v->out);
  out_text(v->out, "\n");
}

static void show_word(const struct view *v, const char *name, enum field_set set, u16 value, u16 before) {
  out_open(v->out, name);
  out_changed(v->out, v->before && value != before);
  out_text(v->out, "%s ", name);
  out_hex(v->out, "value", value, "0x%04llx  ");
  fields_show(v->out, set, value, 13);
}

static void close_line(const struct view *v) {
  out_close(v->out);
  out_text(v->out, "\n");
}

void view_fpu(const struct view *v) {
  static const char *const precisions[] = {"single", "reserved", "double", "extended"};
  struct cpu *cpu = v->cpu;
  struct out *o = v->out;
  x87_leave(cpu);
  const struct x87 *x = &cpu->x87;
  u16 fsw = x87_fsw(cpu), old = v->before ? x87_fsw(v->before) : fsw;
  out_begin(o, "fpu");
  out_open_list(o, "stack");
  for (unsigned i = 0; i < 8; i++) show_stack_register(v, i);
  out_close(o);
  show_word(v, "FCW", F_FCW, x->fcw, v->before ? v->before->x87.fcw : 0);
  out_str(o, "rounding", roundings[x->fcw >> 10 & 3], " (to %s,");
  out_str(o, "precision", precisions[x->fcw >> 8 & 3], " %s precision)");
  close_line(v);
  show_word(v, "FSW", F_FSW, fsw, old);
  close_line(v);
  fields_explain(o, F_FSW, fsw & 0xff);
  out_hex(o, "FTW", x87_tags(cpu), " FTW 0x%04llx (");
  out_hex(o, "abridged", x87_abridged_tags(cpu), "abridged 0x%02llx)");
  out_hex(o, "FOP", x->fop, "  FOP 0x%03llx\n");
  out_hex(o, "FCS", x87_fcs(cpu), " FIP 0x%04llx");
  out_hex(o, "FIP", x->fip, ":0x%llx");
  view_name(v, x->fip);
  out_hex(o, "FDS", x87_fds(cpu), "  FDP 0x%04llx");
  out_hex(o, "FDP", x->fdp, ":0x%llx\n");
  if (cpu->cr0 & (CR0_EM | CR0_TS))
    out_text(o, " x87 instructions are #NM now: CR0.%s\n", cpu->cr0 & CR0_EM ? "EM" : "TS");
  out_end(o);
}

/* ---- SSE ---- */

/* The number as text; NaN and infinity have no JSON form. */
static void show_float(struct out *o, double value, int precision, bool comma) {
  char buf[40];
  snprintf(buf, sizeof buf, "%.*g", precision, value);
  out_str(o, NULL, buf, comma ? ", %s" : "%s");
}

static void show_xmm(const struct view *v, unsigned n) {
  const union vec *x = &v->cpu->vec[n];
  struct out *o = v->out;
  char name[8], raw[40];
  snprintf(name, sizeof name, "xmm%u", n);
  snprintf(raw, sizeof raw, "0x%016" PRIx64 "%016" PRIx64, x->q[1], x->q[0]);
  out_open(o, name);
  out_changed(o, v->before && memcmp(x->b, v->before->vec[n].b, 16) != 0);
  out_text(o, "%-5s ", name);
  bool zero = !x->q[0] && !x->q[1];
  out_str(o, "value", raw, zero ? NULL : "%s");
  if (zero) out_text(o, "0");
  if (!zero || out_json(o)) {
    out_text(o, "  f64 ");
    out_open_list(o, "f64");
    for (unsigned k = 0; k < 2; k++) show_float(o, x->lf[k], 17, k);
    out_close(o);
    out_text(o, "\n       f32 ");
    out_open_list(o, "f32");
    for (unsigned k = 0; k < 4; k++) show_float(o, (double)x->f[k], 9, k);
    out_close(o);
    out_text(o, "  s32 %d, %d, %d, %d", (s32)x->d[0], (s32)x->d[1], (s32)x->d[2], (s32)x->d[3]);
    out_open_list(o, "u32");
    for (unsigned k = 0; k < 4; k++) out_hex(o, NULL, x->d[k], NULL);
    out_close(o);
  }
  out_close(o);
  out_text(o, "\n");
}

void view_sse(const struct view *v) {
  struct cpu *cpu = v->cpu;
  struct out *o = v->out;
  u32 mxcsr = simd_mxcsr(cpu);
  out_begin(o, "sse");
  out_open(o, "registers");
  for (unsigned n = 0; n < (cpu_code64(cpu) || out_json(o) ? 16u : 8u); n++) show_xmm(v, n);
  out_close(o);
  out_open(o, "MXCSR");
  out_changed(o, v->before && v->before->mxcsr != mxcsr);
  out_hex(o, "value", mxcsr, "MXCSR 0x%04llx  ");
  fields_show(o, F_MXCSR, mxcsr, 15);
  out_str(o, "rounding", roundings[mxcsr >> MXCSR_RC_SHIFT & 3], " (to %s)");
  close_line(v);
  fields_explain(o, F_MXCSR, mxcsr & ~(u32)(MXCSR_MASKS | MXCSR_RC));
  if (cpu->mode & MODE_SSE_OFF)
    out_text(o, " SSE instructions are #UD now: %s\n", cpu->cr0 & CR0_EM ? "CR0.EM = 1" : "CR4.OSFXSR = 0");
  out_end(o);
}

/* ---- AVX, AVX-512 ---- */

/* As 64-bit words, the highest first, as the whole number is written; JSON has them lowest first. */
static void show_wide(const struct view *v, char letter, unsigned n, unsigned bytes) {
  const union vec *x = &v->cpu->vec[n];
  struct out *o = v->out;
  unsigned words = bytes / 8, top = words;
  char name[8];
  snprintf(name, sizeof name, "%cmm%u", letter, n);
  out_open(o, name);
  out_changed(o, v->before && memcmp(x->b, v->before->vec[n].b, bytes) != 0);
  out_text(o, "%-5s ", name);
  while (top && !x->q[top - 1]) top--;
  if (!top) out_text(o, "0");
  else out_text(o, "0x");
  for (unsigned k = top; k; k--) out_text(o, "%s%016" PRIx64, k < top ? "_" : "", x->q[k - 1]);
  out_open_list(o, "u64");
  for (unsigned k = 0; k < words; k++) out_hex(o, NULL, x->q[k], NULL);
  out_close(o);
  close_line(v);
}

static void show_opmask(const struct view *v, unsigned n) {
  char name[8];
  snprintf(name, sizeof name, "k%u", n);
  out_open(v->out, name);
  out_changed(v->out, v->before && v->cpu->k[n] != v->before->k[n]);
  out_text(v->out, "%-5s ", name);
  out_hex(v->out, "value", v->cpu->k[n], "0x%llx");
  close_line(v);
}

void view_avx(const struct view *v) {
  struct cpu *cpu = v->cpu;
  struct out *o = v->out;
  bool avx512 = model_has(cpu->model, FEAT_AVX512F), wide = cpu_code64(cpu) || out_json(o);
  unsigned registers = !wide ? 8 : avx512 ? 32 : 16;
  simd_leave(cpu);
  out_begin(o, "avx");
  if (!model_has(cpu->model, FEAT_AVX)) {
    out_text(o, " This processor has no AVX.\n");
    out_end(o);
    return;
  }
  out_open(o, "registers");
  for (unsigned n = 0; n < registers; n++) show_wide(v, avx512 ? 'z' : 'y', n, avx512 ? 64 : 32);
  for (unsigned n = 0; avx512 && n < 8; n++) show_opmask(v, n);
  out_close(o);
  if (!(cpu->cr4 & CR4_OSXSAVE)) out_text(o, " AVX instructions are #UD now: CR4.OSXSAVE = 0\n");
  else if ((cpu->xcr0 & XCR0_AVX_ALL) != XCR0_AVX_ALL)
    out_text(o, " AVX instructions are #UD now: XCR0 0x%" PRIx64 " has not both SSE and AVX\n", cpu->xcr0);
  out_end(o);
}
