/* XGETBV, XSETBV, XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS. SDM 1 13 (Managing State Using the XSAVE Feature
 * Set); SDM 2C and 2D, the instructions' pages; APM 4 likewise. */
#include "cpu/check.h"
#include "cpu/handler.h"
#include "cpu/paging.h"
#include "cpu/seg.h"
#include "cpu/simd_state.h"
#include "cpu/x87.h"
#include "cpu/xsave.h"

enum { AREA_ALIGN = 64, FX_MXCSR = 24 };

static u64 edx_eax(const struct cpu *cpu) { return cpu->gpr[RDX] << 32 | (u32)cpu->gpr[RAX]; }

static void require_osxsave(struct cpu *cpu, const struct insn *i) {
  cpu->insn = i;
  require_ab(cpu, CHK_OSXSAVE, cpu->cr4 & CR4_OSXSAVE, 0, !!(cpu->cr4 & CR4_OSXSAVE), 0);
}

/* ---- XCR0 ---- */

static const struct insn *h_xgetbv(struct cpu *restrict cpu, const struct insn *restrict i) {
  require_osxsave(cpu, i);
  u32 n = (u32)cpu->gpr[RCX], last = model_has(cpu->model, FEAT_XGETBV1);
  require_ab(cpu, CHK_XGETBV_ECX, n <= last, 0, n, 0);
  x87_leave(cpu);
  u64 v = n ? cpu->xcr0 & xsave_in_use(cpu, cpu_code64(cpu)) : cpu->xcr0;
  cpu->gpr[RAX] = (u32)v;
  cpu->gpr[RDX] = v >> 32;
  NEXT(cpu, i, FORM_X);
}
BODY_1(xgetbv, h_xgetbv)

static void check_xcr0(struct cpu *cpu, u64 v) {
  u64 absent = v & ~xstate_supported(cpu->model), wide = v & (XCR0_AVX512_ALL & ~XCR0_AVX_ALL);
  require_ab(cpu, CHK_XCR0_X87, v & XCR0_X87, 0, v, 0);
  require_ab(cpu, CHK_XCR0_AVX, !(v & XCR0_AVX) || (v & XCR0_SSE), 0, v, 0);
  require_ab(cpu, CHK_XCR0_AVX512, !wide || wide == (XCR0_AVX512_ALL & ~XCR0_AVX_ALL), 0, v, 0);
  require_ab(cpu, CHK_XCR0_AVX512_AVX, !wide || (v & XCR0_AVX), 0, v, 0);
  require_ab(cpu, CHK_XCR0_SUPPORTED, !absent, 0, absent, v);
}

static const struct insn *h_xsetbv(struct cpu *restrict cpu, const struct insn *restrict i) {
  u64 next = insn_next_rip(cpu, i), v = edx_eax(cpu);
  require_osxsave(cpu, i);
  require_ab(cpu, CHK_CPL0, cpu->cpl == 0, 0, cpu->cpl, 0);
  require_ab(cpu, CHK_XSETBV_ECX, !(u32)cpu->gpr[RCX], 0, (u32)cpu->gpr[RCX], 0);
  check_xcr0(cpu, v);
  cpu->xcr0 = v;
  cpu_update_mode(cpu);
  return cpu_jump_mode(cpu, i, next);
}
BODY_1(xsetbv, h_xsetbv)

/* ---- the area ---- */

/* What comes before any access: CR4.OSXSAVE, CR0.TS, and of XSAVES and XRSTORS privilege. */
static void begin(struct cpu *cpu, const struct insn *i, bool supervisor) {
  require_osxsave(cpu, i);
  require_ab(cpu, CHK_UNIT_TS, !(cpu->cr0 & CR0_TS), 0, !!(cpu->cr0 & CR0_TS), 0);
  if (supervisor) require_ab(cpu, CHK_CPL0, cpu->cpl == 0, 0, cpu->cpl, 0);
}

/* The operand's linear address. Alignment comes behind what a read would raise and before what a write does, as with
 * FXSAVE (cpu/fxsave.c). */
static u64 area_operand(struct cpu *cpu, const struct insn *i, unsigned n, enum access acc) {
  u64 la = ea_linear(cpu, i, n, ACC_READ);
  if (cpu->mode & MODE_ALIGN) require_ab(cpu, CHK_ALIGNMENT, !(la & 3), 0, la, 4);
  require_ab(cpu, CHK_ALIGNED_64, !(la & (AREA_ALIGN - 1)), 0, la, 0);
  return acc == ACC_WRITE ? ea_linear(cpu, i, n, acc) : la;
}

/* What is accessed of the area, [first, n), is looked at, at the last byte first; below `first` pages may be absent
 * (measured on Intel Xeon). */
static void area_probe(struct cpu *cpu, u64 la, unsigned first, unsigned n, enum access acc) {
  mem_probe(cpu, (la + n - 1) & cpu->lamask, 1, acc);
  mem_probe(cpu, (la + first) & cpu->lamask, n - first, acc);
}

static NOINLINE void save(struct cpu *cpu, const struct insn *i, bool init, bool compact, bool supervisor) {
  struct xarea a;
  begin(cpu, i, supervisor);
  u64 rfbm = edx_eax(cpu) & (supervisor ? cpu->xcr0 | cpu->msr[MSR_XSS] : cpu->xcr0);
  unsigned n = xstate_size(cpu->model, rfbm, compact);
  u64 la = area_operand(cpu, i, n, ACC_WRITE);
  x87_leave(cpu);
  struct xsave_form form = {.wide = insn_osize(i) == W64, .code64 = cpu_code64(cpu), .init = init, .compact = compact};
  xsave_image(cpu, &a, rfbm, form);
  area_probe(cpu, la, a.piece[0].at, n, ACC_WRITE);
  if (!compact) { /* the bits of other components stay */
    u64 old_bv = mem_read64(cpu, (la + XAREA_HEADER) & cpu->lamask);
    st64(a.b + XAREA_HEADER, ld64(a.b + XAREA_HEADER) | (old_bv & ~rfbm));
  }
  for (unsigned k = 0; k < a.pieces; k++)
    mem_write_bytes(cpu, (la + a.piece[k].at) & cpu->lamask, a.b + a.piece[k].at, a.piece[k].n);
}

/* The header, in the order in which a processor looks: first XCOMP_BV where the area's size hangs on it, and the rest
 * when all of the area has been found to be there (measured on Intel Xeon). SDM 1 13.8 (Operation of XRSTOR), 13.12
 * (Operation of XRSTORS) */
static void check_size(struct cpu *cpu, u64 comp, u64 enabled) {
  bool compact = comp & XCOMP_COMPACT;
  if (compact) require_ab(cpu, CHK_XCOMP_ENABLED, !(comp & ~XCOMP_COMPACT & ~enabled), 0, comp, enabled);
}

static void check_header(struct cpu *cpu, const u8 *header, u64 enabled, bool supervisor) {
  u64 bv = ld64(header), comp = ld64(header + 8), rest = 0;
  bool compact = comp & XCOMP_COMPACT, known = compact && model_has(cpu->model, FEAT_XSAVEC);
  if (supervisor) require_ab(cpu, CHK_XRSTORS_COMPACT, compact, 0, comp, 0);
  else require_ab(cpu, CHK_XRSTOR_FORM, known || !comp, 0, comp, 0);
  require_ab(cpu, CHK_XSTATE_ENABLED, !(bv & ~enabled), 0, bv, enabled);
  if (compact) require_ab(cpu, CHK_XSTATE_IN_XCOMP, !(bv & ~comp), 0, bv, comp);
  for (unsigned k = 16; k < (compact ? 64u : 24u); k += 8) rest |= ld64(header + k);
  require_ab(cpu, CHK_XHEADER_ZERO, !rest, 0, rest, 0);
}

static NOINLINE void restore(struct cpu *cpu, const struct insn *i, bool supervisor) {
  struct xarea a;
  begin(cpu, i, supervisor);
  u64 enabled = supervisor ? cpu->xcr0 | cpu->msr[MSR_XSS] : cpu->xcr0, rfbm = edx_eax(cpu) & enabled;
  u64 la = area_operand(cpu, i, XAREA_EXTENDED, ACC_READ);
  mem_probe(cpu, (la + XAREA_XCOMP) & cpu->lamask, 8, ACC_READ);
  mem_read_bytes(cpu, (la + XAREA_HEADER) & cpu->lamask, a.b + XAREA_HEADER, XAREA_EXTENDED - XAREA_HEADER);
  u64 comp = ld64(a.b + XAREA_XCOMP);
  check_size(cpu, comp, enabled);
  unsigned n = xrstor_area_end(cpu->model, rfbm, comp);
  unsigned first = xrstor_area_first(&a, rfbm);
  area_probe(cpu, area_operand(cpu, i, n, ACC_READ), first, n, ACC_READ);
  mem_read_bytes(cpu, (la + first) & cpu->lamask, a.b + first, XAREA_HEADER - first);
  mem_read_bytes(cpu, (la + XAREA_EXTENDED) & cpu->lamask, a.b + XAREA_EXTENDED, n - XAREA_EXTENDED);
  check_header(cpu, a.b + XAREA_HEADER, enabled, supervisor);
  if (xrstor_loads_mxcsr(&a, rfbm)) {
    u32 mxcsr = ld32(a.b + FX_MXCSR);
    require_ab(cpu, CHK_MXCSR_RESERVED, !(mxcsr & ~simd_mxcsr_mask(cpu)), 0, mxcsr, 0);
  }
  u32 pkru = cpu->pkru;
  x87_leave(cpu);
  xrstor_image(cpu, &a, rfbm, insn_osize(i) == W64, cpu_code64(cpu), &pkru);
  if (pkru != cpu->pkru) paging_set_pkru(cpu, pkru);
}

#define AREA_INSN(name, call)                                                                              \
  static const struct insn *h_##name(struct cpu *restrict cpu, const struct insn *restrict i) {             \
    call;                                                                                                   \
    NEXT(cpu, i, FORM_X);                                                                                   \
  }                                                                                                         \
  BODY_1(name, h_##name)
AREA_INSN(xsave, save(cpu, i, false, false, false))
AREA_INSN(xsaveopt, save(cpu, i, true, false, false))
AREA_INSN(xsavec, save(cpu, i, true, true, false))
AREA_INSN(xsaves, save(cpu, i, true, true, true))
AREA_INSN(xrstor, restore(cpu, i, false))
AREA_INSN(xrstors, restore(cpu, i, true))
