/* The FP state in signal frames, on a processor with FXSAVE and without XSAVE: Linux
 * arch/x86/kernel/fpu/signal.c, arch/x86/kernel/fpu/regset.c; SDM 1 10.5.1 (FXSAVE Area), 8.1.7 (x87 FPU
 * Tag Word). */
#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "cpu/simd_state.h"
#include "cpu/x87.h"
#include "linux_abi/sigframe.h"
#include "linux_abi/uaccess.h"

enum { FX_ST = 32, FX_ST_STEP = 16, FX_SOFTWARE = 464, XMMS = 16 };
enum { MAGIC1 = 0x46505853, MAGIC2_BYTES = 4 };

u64 sigfpu_place(u64 sp, bool ia32, u64 *fx) {
  *fx = (sp - SIGFPU_FX) & ~UINT64_C(63);
  return ia32 ? *fx - sizeof(struct fsave32) : *fx;
}

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

int sigfpu_save(struct task *t, u64 at, u64 fx) {
  u8 img[FXSAVE_WRITTEN];
  bool ia32 = at != fx;
  struct fx_software sw = {.magic1 = MAGIC1, .xstate_size = SIGFPU_FX};
  sw.extended_size = SIGFPU_FX + MAGIC2_BYTES + (ia32 ? (u32)sizeof(struct fsave32) : 0);
  x87_leave(t->cpu);
  unsigned n = fxsave_image(t->cpu, img, true, XMMS);
  if (ua_write(t, fx, img, n) || ua_write(t, fx + FX_SOFTWARE, &sw, sizeof sw)) return -EFAULT;
  return ia32 ? save_fsave(t, at, img) : 0;
}

void sigfpu_reset(struct cpu *cpu) {
  u8 img[FXSAVE_WRITTEN] = {0};
  st16(img, FCW_INIT);
  st32(img + 24, MXCSR_RESET);
  x87_leave(cpu);
  (void)!fxrstor_image(cpu, img, true, XMMS);
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

int sigfpu_restore(struct task *t, u64 at, bool ia32) {
  u8 img[FXSAVE_WRITTEN];
  u64 fx = ia32 ? at + sizeof(struct fsave32) : at;
  x87_leave(t->cpu);
  if (!at) {
    sigfpu_reset(t->cpu);
    return 0;
  }
  /* FXRSTOR's own condition: it faults on other addresses. An i386 frame is copied first. */
  bool ok = (ia32 || !(fx & 15)) && ua_ptr(t, fx, SIGFPU_FX) && !ua_read(t, img, fx, sizeof img);
  if (ok && ia32) ok = !fold_fsave(t, at, img);
  if (ok) ok = !fxrstor_image(t->cpu, img, true, XMMS);
  if (!ok) sigfpu_reset(t->cpu);
  return ok ? 0 : -1;
}
