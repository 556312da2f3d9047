/* The FP state in signal frames: Linux arch/x86/kernel/fpu/signal.c, arch/x86/kernel/fpu/regset.c,
 * arch/x86/kernel/fpu/xstate.c; SDM 1 10.5.1 (FXSAVE Area), 8.1.7 (x87 FPU Tag Word), 13.4 (XSAVE Area).
 *
 * With XSAVE the FXSAVE image goes on: the header, the other components, and behind xstate_size bytes a second magic
 * number. */
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "cpu/simd_state.h"
#include "cpu/x87.h"
#include "cpu/xsave.h"
#include "linux_abi/kernel.h"
#include "linux_abi/sigframe.h"
#include "linux_abi/uaccess.h"

enum { FX_MXCSR = 24, FX_ST = 32, FX_ST_STEP = 16, FX_SOFTWARE = 464, XMMS = 16 };
enum { MAGIC1 = 0x46505853, MAGIC2 = 0x46505845, MAGIC2_BYTES = 4, HEADER_BYTES = XAREA_EXTENDED - XAREA_HEADER };
#define XFEATURE_FPSSE (XCR0_X87 | XCR0_SSE)

static bool uses_xsave(const struct cpu_model *m) { return model_has(m, FEAT_XSAVE); }
static u32 user_size(const struct cpu_model *m) {
  return uses_xsave(m) ? xstate_size(m, kernel_xcr0(m), false) : SIGFPU_FX;
}
u32 sigfpu_bytes(const struct cpu_model *m) { return user_size(m) + (uses_xsave(m) ? MAGIC2_BYTES : 0); }

u64 sigfpu_place(const struct cpu *cpu, u64 sp, bool ia32, u64 *fx) {
  *fx = (sp - sigfpu_bytes(cpu->model)) & ~UINT64_C(63);
  return ia32 ? *fx - sizeof(struct fsave32) : *fx;
}

/* --- Saving --- */

/* A 64-bit kernel saves by FXSAVE64 whatever the program's width, so only the pointers' offsets are known:
 * CS and DS are made up from those of now. */
static int save_fsave(struct task *t, u64 at, const u8 *img) {
  const u32 high = 0xffff0000;
  struct fsave32 f = {.cw = ld16(img) | high, .sw = ld16(img + 2) | high, .tag = x87_tags(t->cpu) | high,
                      .ip = ld32(img + 8), .cs = (u16)t->regs->cs, .dp = ld32(img + 16),
                      .ds = t->cpu->seg[DS].sel | high, .status = ld16(img + 2), .magic = 0};
  for (unsigned i = 0; i < 8; i++) memcpy(f.st[i], img + FX_ST + FX_ST_STEP * i, sizeof f.st[i]);
  return ua_write(t, at, &f, sizeof f);
}

/* A 64-bit kernel's XSAVE64; x87, SSE and PKRU are always said to be in use, the first two for programs that
 * change them there. From here on the kernel has access by all keys, so that a stack with one can take the
 * frame: sig_prepare_pkru(), update_pkru_in_sigframe(). */
static int save_xsave(struct task *t, u64 fx, struct xarea *a) {
  struct cpu *cpu = t->cpu;
  u64 in_use = XFEATURE_FPSSE | (cpu->xcr0 & XCR0_PKRU);
  xsave_image(cpu, a, cpu->xcr0, (struct xsave_form){.wide = true, .code64 = true});
  if (cpu->pkru) lx_set_pkru(t, 0);
  st64(a->b + XAREA_HEADER, ld64(a->b + XAREA_HEADER) | in_use);
  memset(a->b + XAREA_XCOMP, 0, HEADER_BYTES - 8);
  int bad = ua_write(t, fx + XAREA_HEADER, a->b + XAREA_HEADER, HEADER_BYTES);
  for (unsigned k = 0; k < a->pieces && !bad; k++)
    bad = ua_write(t, fx + a->piece[k].at, a->b + a->piece[k].at, a->piece[k].n);
  return bad || ua_write32(t, fx + user_size(cpu->model), MAGIC2) ? -EFAULT : 0;
}

static int save_fxsave(struct task *t, u64 fx, u8 img[FXSAVE_WRITTEN]) {
  return ua_write(t, fx, img, fxsave_image(t->cpu, img, true, XMMS));
}

static int save(struct task *t, u64 at, u64 fx) {
  struct xarea a;
  bool ia32 = at != fx, xsave = uses_xsave(t->cpu->model);
  struct fx_software sw = {.magic1 = MAGIC1, .xstate_size = user_size(t->cpu->model)};
  sw.extended_size = sw.xstate_size + MAGIC2_BYTES + (ia32 ? (u32)sizeof(struct fsave32) : 0);
  if (xsave) sw.xfeatures = t->cpu->xcr0;
  x87_leave(t->cpu);
  if (xsave ? save_xsave(t, fx, &a) : save_fxsave(t, fx, a.b)) return -EFAULT;
  if (ua_write(t, fx + FX_SOFTWARE, &sw, sizeof sw)) return -EFAULT;
  return ia32 ? save_fsave(t, at, a.b) : 0;
}

int sigfpu_save(struct task *t, u64 at, u64 fx) {
  u32 pkru = t->cpu->pkru;
  int r = save(t, at, fx);
  if (r && pkru) lx_set_pkru(t, pkru);
  return r;
}

/* --- Taking back; after x87_leave() --- */

/* Linux keeps its own areas in the compacted form if it can, which has no MXCSR without SSE. */
static bool compacts(const struct cpu *cpu) { return model_has(cpu->model, FEAT_XSAVEC); }

/* The components `of` are loaded from the area by its header; the others that are enabled become as after reset. */
static void load_components(struct task *t, struct xarea *a, u64 of) {
  struct cpu *cpu = t->cpu;
  u32 pkru = cpu->pkru;
  struct xarea initial = {.pieces = 0};
  st32(initial.b + FX_MXCSR, MXCSR_RESET);
  if (compacts(cpu)) st64(initial.b + XAREA_XCOMP, XCOMP_COMPACT | cpu->xcr0);
  if (a) xrstor_image(cpu, a, of, true, true, &pkru);
  xrstor_image(cpu, &initial, cpu->xcr0 & ~of, true, true, &pkru);
  if (pkru != cpu->pkru) lx_set_pkru(t, pkru);
}

/* PKRU, too, is not as after reset, but as Linux has it. */
void sigfpu_reset(struct task *t) {
  struct cpu *cpu = t->cpu;
  u8 img[FXSAVE_WRITTEN] = {0};
  st16(img, FCW_INIT);
  st32(img + FX_MXCSR, MXCSR_RESET);
  x87_leave(cpu);
  if (uses_xsave(cpu->model)) load_components(t, NULL, 0);
  else (void)!fxrstor_image(cpu, img, true, XMMS);
  if (lx_has_keys(t->cpu->model)) lx_set_pkru(t, PKRU_INITIAL);
}

/* Two bits a register become one: 11b is empty. */
static u8 abridged(u32 tags) {
  u8 used = 0;
  for (unsigned i = 0; i < 8; i++)
    if ((tags >> (2 * i) & 3) != 3) used |= (u8)(1u << i);
  return used;
}

/* The x87 part of an i386 frame is what its FSAVE image says, as it was before there were others. */
static int fold_fsave(struct task *t, u64 at, u8 *img) {
  struct fsave32 f;
  if (ua_read(t, &f, at, sizeof f)) return -1;
  st16(img, (u16)f.cw);
  st16(img + 2, (u16)f.sw);
  img[4] = abridged(f.tag);
  st16(img + 6, (u16)(f.cs >> 16));
  st64(img + 8, f.ip);
  st64(img + 16, f.dp);
  for (unsigned i = 0; i < 8; i++) memcpy(img + FX_ST + FX_ST_STEP * i, f.st[i], sizeof f.st[i]);
  return 0;
}

static bool mxcsr_valid(const struct cpu *cpu, const u8 *img) {
  return !(ld32(img + FX_MXCSR) & ~simd_mxcsr_mask(cpu));
}

/* The software's bytes of a frame: does it have more than an FXSAVE image, and then what of it is to be loaded.
 * check_xstate_in_sigframe(). -1: not readable. */
static int frame_kind(struct task *t, u64 fx, bool *extended, u64 *features) {
  struct fx_software sw;
  u32 magic2, least = XAREA_EXTENDED;
  *extended = false;
  *features = XFEATURE_FPSSE;
  if (ua_read(t, &sw, fx + FX_SOFTWARE, sizeof sw)) return -1;
  if (sw.magic1 != MAGIC1 || sw.xstate_size < least || sw.xstate_size > user_size(t->cpu->model) ||
      sw.xstate_size > sw.extended_size)
    return 0;
  if (ua_read32(t, &magic2, fx + sw.xstate_size)) return -1;
  *extended = magic2 == MAGIC2;
  if (*extended) *features = sw.xfeatures;
  return 0;
}

/* What XRSTOR wants of a header. */
static bool header_valid(const struct cpu *cpu, const u8 *h) {
  u64 bv = ld64(h), comp = ld64(h + 8), format = comp & ~XCOMP_COMPACT, rest = 0;
  bool compact = comp & XCOMP_COMPACT;
  if (compact ? !model_has(cpu->model, FEAT_XSAVEC) : comp != 0) return false;
  for (unsigned k = 16; k < (compact ? HEADER_BYTES : 24); k += 8) rest |= ld64(h + k);
  return !rest && !(bv & ~cpu->xcr0) && !(compact && ((format & ~cpu->xcr0) || (bv & ~format)));
}

/* A 64-bit frame is the operand of XRSTOR64 or FXRSTOR64 itself. */
static bool restore_direct(struct task *t, u64 fx, bool extended, u64 features) {
  struct cpu *cpu = t->cpu;
  struct xarea a = {.pieces = 0};
  u64 rfbm = features & cpu->xcr0;
  if (fx & (extended ? 63 : 15)) return false;
  if (!extended) {
    if (ua_read(t, a.b, fx, SIGFPU_FX) || !mxcsr_valid(t->cpu, a.b)) return false;
    st64(a.b + XAREA_HEADER, XFEATURE_FPSSE);
    load_components(t, &a, XFEATURE_FPSSE);
    return true;
  }
  if (ua_read(t, a.b, fx, XAREA_EXTENDED) || !header_valid(cpu, a.b + XAREA_HEADER)) return false;
  unsigned n = xrstor_area_end(cpu->model, rfbm, ld64(a.b + XAREA_XCOMP));
  if (ua_read(t, a.b + XAREA_EXTENDED, fx + XAREA_EXTENDED, n - XAREA_EXTENDED)) return false;
  if (xrstor_loads_mxcsr(&a, rfbm) && !mxcsr_valid(t->cpu, a.b)) return false;
  load_components(t, &a, rfbm);
  return true;
}

/* copy_uabi_to_xstate(): the standard format alone, all of the header's reserved bytes zero, and of the rest what the
 * header says is there. */
static bool copy_area(struct task *t, u64 fx, struct xarea *a) {
  const struct cpu *cpu = t->cpu;
  u8 *h = a->b + XAREA_HEADER;
  if (ua_read(t, h, fx + XAREA_HEADER, HEADER_BYTES)) return false;
  u64 bv = ld64(h), rest = 0;
  for (unsigned k = 8; k < HEADER_BYTES; k += 8) rest |= ld64(h + k);
  if ((bv & ~cpu->xcr0) || rest) return false;
  if ((bv & (XCR0_X87 | XCR0_AVX_ALL)) && (ua_read(t, a->b, fx, SIGFPU_FX) || !mxcsr_valid(t->cpu, a->b))) return false;
  for (unsigned c = 2; c < 63; c++) {
    unsigned at = xstate_offset(cpu->model, cpu->xcr0, false, c);
    if ((bv & BIT(c)) && ua_read(t, a->b + at, fx + at, xstate_component_size(c))) return false;
  }
  return true;
}

/* An i386 frame is copied first, and then all is loaded. */
static bool restore_ia32(struct task *t, u64 at, u64 fx, bool extended, u64 features) {
  struct xarea a = {.pieces = 0};
  if (extended) {
    if (!copy_area(t, fx, &a)) return false;
  } else {
    if (ua_read(t, a.b, fx, SIGFPU_FX) || !mxcsr_valid(t->cpu, a.b)) return false;
    st64(a.b + XAREA_HEADER, XFEATURE_FPSSE);
  }
  if (fold_fsave(t, at, a.b)) return false;
  u64 bv = ld64(a.b + XAREA_HEADER) & features;
  st64(a.b + XAREA_HEADER, bv);
  if (!(bv & XCR0_SSE) && compacts(t->cpu)) st32(a.b + FX_MXCSR, MXCSR_RESET);
  load_components(t, &a, t->cpu->xcr0);
  return true;
}

static bool restore_fxsave(struct task *t, u64 at, u64 fx, bool ia32) {
  u8 img[FXSAVE_WRITTEN];
  /* FXRSTOR's own condition: it faults on other addresses. */
  if ((!ia32 && (fx & 15)) || ua_read(t, img, fx, sizeof img)) return false;
  return !(ia32 && fold_fsave(t, at, img)) && !fxrstor_image(t->cpu, img, true, XMMS);
}

int sigfpu_restore(struct task *t, u64 at, bool ia32) {
  u64 fx = ia32 ? at + sizeof(struct fsave32) : at, features;
  bool extended, ok;
  x87_leave(t->cpu);
  if (!at) {
    sigfpu_reset(t);
    return 0;
  }
  if (!ua_ptr(t, fx, sigfpu_bytes(t->cpu->model))) ok = false;
  else if (!uses_xsave(t->cpu->model)) ok = restore_fxsave(t, at, fx, ia32);
  else if (frame_kind(t, fx, &extended, &features)) ok = false;
  else ok = ia32 ? restore_ia32(t, at, fx, extended, features) : restore_direct(t, fx, extended, features);
  if (!ok) sigfpu_reset(t);
  return ok ? 0 : -1;
}
