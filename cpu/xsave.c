/* The contents of an XSAVE area. SDM 1 13.4 (XSAVE Area), 13.5 (XSAVE-Managed State), 13.6 (Processor Tracking of
 * XSAVE-Managed State), 13.7 to 13.10 (Operation of XSAVE ... XSAVEC). */
#include "cpu/xsave.h"

#include "cpu/simd_state.h"
#include "cpu/x87.h"

enum { FX_MXCSR = 24, FX_MXCSR_MASK = 28, FX_ST = 32, FX_XMM = 160, FX_X87_HEAD = 24, FX_FOP = 6 };
enum { X87, SSE, AVX, OPMASK = 5, ZMM_HI256, HI16_ZMM, PKRU = 9, COMPONENTS };
enum { XMMS_LEGACY = 8, XMMS = 16 };

static bool zero(const void *p, size_t n) {
  const u8 *b = p;
  for (size_t k = 0; k < n; k++)
    if (b[k]) return false;
  return true;
}

/* A slice [from, from + n) of registers first..first + count - 1. */
struct slice {
  u8 from, n, first, count;
};
static struct slice slice_of(unsigned component, bool code64) {
  u8 count = code64 ? XMMS : XMMS_LEGACY;
  switch (component) {
    case SSE: return (struct slice){0, 16, 0, count};
    case AVX: return (struct slice){16, 16, 0, count};
    case ZMM_HI256: return (struct slice){32, 32, 0, count};
    default: return (struct slice){0, 64, 16, code64 ? 16 : 0}; /* HI16_ZMM */
  }
}

/* ---- in use ---- */

static bool x87_in_use(const struct cpu *cpu) {
  const struct x87 *x = &cpu->x87;
  bool usual = x->fcw == FCW_INIT && !x->fsw && !x->top && x->empty == 0xff && !x->fop && !x->fip && !x->fdp &&
               !x87_fcs(cpu) && !x87_fds(cpu);
  for (unsigned r = 0; r < 8; r++) usual = usual && !x->st[r].m && !x->st[r].se;
  return !usual;
}

static bool slice_in_use(const struct cpu *cpu, struct slice s) {
  for (unsigned r = 0; r < s.count; r++)
    if (!zero(cpu->vec[s.first + r].b + s.from, s.n)) return true;
  return false;
}

u64 xsave_in_use(const struct cpu *cpu, bool code64) {
  u64 used = x87_in_use(cpu) ? XCR0_X87 : 0;
  static const u8 vectors[] = {SSE, AVX, ZMM_HI256, HI16_ZMM};
  for (unsigned k = 0; k < ARRAY_SIZE(vectors); k++)
    if (slice_in_use(cpu, slice_of(vectors[k], code64))) used |= BIT(vectors[k]);
  if (!zero(cpu->k, sizeof cpu->k)) used |= XCR0_OPMASK;
  if (cpu->pkru) used |= XCR0_PKRU;
  return used;
}

/* ---- saving ---- */

static u8 *piece(struct xarea *a, unsigned at, unsigned n) {
  a->piece[a->pieces].at = (u16)at;
  a->piece[a->pieces++].n = (u16)n;
  return a->b + at;
}

static void save_slice(const struct cpu *cpu, struct xarea *a, unsigned at, struct slice s) {
  if (!s.count) return;
  u8 *p = piece(a, at, s.n * s.count);
  for (unsigned r = 0; r < s.count; r++) memcpy(p + r * s.n, cpu->vec[s.first + r].b + s.from, s.n);
}

/* Bytes 24 to 31 are MXCSR's. */
static void save_x87(struct cpu *cpu, struct xarea *a, bool wide) {
  u8 img[FXSAVE_X87];
  fxsave_x87(cpu, img, wide);
  st16(img + FX_FOP, x87_last_opcode(cpu));
  unsigned head = fx_pointers_left_out(cpu) ? FX_FOP : FX_X87_HEAD;
  memcpy(piece(a, 0, head), img, head);
  memcpy(piece(a, FX_ST, FX_XMM - FX_ST), img + FX_ST, FX_XMM - FX_ST);
}

static void save_mxcsr(struct cpu *cpu, struct xarea *a) {
  u8 *p = piece(a, FX_MXCSR, 8);
  st32(p, simd_mxcsr(cpu));
  st32(p + 4, simd_mxcsr_mask(cpu));
}

static void save_extended(struct cpu *cpu, struct xarea *a, unsigned c, unsigned at, bool code64) {
  if (c == OPMASK) memcpy(piece(a, at, sizeof cpu->k), cpu->k, sizeof cpu->k);
  else if (c == PKRU) st64(piece(a, at, 8), cpu->pkru);
  else save_slice(cpu, a, at, slice_of(c, code64));
}

void xsave_image(struct cpu *cpu, struct xarea *a, u64 rfbm, struct xsave_form f) {
  u64 used = xsave_in_use(cpu, f.code64), save = f.init ? rfbm & used : rfbm;
  a->pieces = 0;
  if (f.compact && (rfbm & XCR0_SSE) && simd_mxcsr(cpu) != MXCSR_RESET) save |= XCR0_SSE;
  if (save & XCR0_X87) save_x87(cpu, a, f.wide);
  if (f.compact ? save & XCR0_SSE : rfbm & XCR0_AVX_ALL) save_mxcsr(cpu, a);
  if (save & XCR0_SSE) save_slice(cpu, a, FX_XMM, slice_of(SSE, f.code64));
  u8 *header = piece(a, XAREA_HEADER, f.compact ? 16 : 8);
  st64(header, f.compact ? save : used & rfbm);
  if (f.compact) st64(header + 8, rfbm | XCOMP_COMPACT);
  for (unsigned c = AVX; c < COMPONENTS; c++)
    if (save >> c & 1) save_extended(cpu, a, c, xstate_offset(cpu->model, rfbm, f.compact, c), f.code64);
}

/* ---- restoring ---- */

unsigned xrstor_area_end(const struct cpu_model *m, u64 rfbm, u64 comp) {
  unsigned end = XAREA_EXTENDED;
  if (!(comp & XCOMP_COMPACT)) return xstate_size(m, rfbm, false);
  for (unsigned c = AVX; c < COMPONENTS; c++) {
    if (!(rfbm & comp & BIT(c))) continue;
    unsigned e = xstate_offset(m, comp, true, c) + xstate_component_size(c);
    if (e > end) end = e;
  }
  return end;
}

static void load_slice(struct cpu *cpu, const u8 *p, struct slice s) {
  for (unsigned r = 0; r < s.count; r++) {
    u8 *to = cpu->vec[s.first + r].b + s.from;
    if (p) memcpy(to, p + r * s.n, s.n);
    else memset(to, 0, s.n);
  }
}

static void load_x87(struct cpu *cpu, const u8 *p, bool wide) {
  u8 initial[FXSAVE_X87] = {0};
  struct x87 before = cpu->x87;
  st16(initial, FCW_INIT);
  fxrstor_x87(cpu, p ? p : initial, wide);
  if (p && fx_pointers_left_out(cpu)) fx_keep_pointers(&cpu->x87, &before);
}

static bool compacted(const struct xarea *a) { return ld64(a->b + XAREA_XCOMP) & XCOMP_COMPACT; }

bool xrstor_loads_mxcsr(const struct xarea *a, u64 rfbm) {
  return compacted(a) ? rfbm & ld64(a->b + XAREA_HEADER) & XCR0_SSE : rfbm & XCR0_AVX_ALL;
}

/* Packed, what XCOMP_BV has counts, whatever XSTATE_BV says (measured on Intel Xeon). */
unsigned xrstor_area_first(const struct xarea *a, u64 rfbm) {
  u64 there = rfbm & (compacted(a) ? ld64(a->b + XAREA_XCOMP) & (XCR0_X87 | XCR0_SSE) : ~UINT64_C(0));
  return there & XCR0_X87 ? 0 : there & XCR0_AVX_ALL ? FX_MXCSR : XAREA_HEADER;
}

void xrstor_image(struct cpu *cpu, const struct xarea *a, u64 rfbm, bool wide, bool code64, u32 *pkru) {
  u64 from = ld64(a->b + XAREA_HEADER) & rfbm, format = ld64(a->b + XAREA_XCOMP);
  bool packed = compacted(a);
  if (rfbm & XCR0_X87) load_x87(cpu, from & XCR0_X87 ? a->b : NULL, wide);
  if (xrstor_loads_mxcsr(a, rfbm)) simd_set_mxcsr(cpu, ld32(a->b + FX_MXCSR));
  else if (rfbm & XCR0_SSE) simd_set_mxcsr(cpu, MXCSR_RESET);
  if (rfbm & XCR0_SSE) load_slice(cpu, from & XCR0_SSE ? a->b + FX_XMM : NULL, slice_of(SSE, code64));
  for (unsigned c = AVX; c < COMPONENTS; c++) {
    if (!(rfbm >> c & 1)) continue;
    const u8 *p = from >> c & 1 ? a->b + xstate_offset(cpu->model, format, packed, c) : NULL;
    if (c == OPMASK && p) memcpy(cpu->k, p, sizeof cpu->k);
    else if (c == OPMASK) memset(cpu->k, 0, sizeof cpu->k);
    else if (c == PKRU) *pkru = p ? ld32(p) : 0;
    else load_slice(cpu, p, slice_of(c, code64));
  }
}
