/* Signal frames, built and taken back: Linux arch/x86/kernel/{signal,signal_32,signal_64}.c; System V ABI
 * x86-64 3.2.2 (The Stack Frame: the red zone). */
#define _GNU_SOURCE
#include "linux_abi/sigframe.h"

#include <errno.h>
#include <string.h>

#include "base/bits.h"
#include "linux_abi/lvm.h"
#include "linux_abi/uaccess.h"

enum { RED_ZONE = 128, FRAME_ALIGN = 16, FX_ALIGN = 64 };
/* What a handler's context may change in EFLAGS. */
#define FIX_EFLAGS ((u64)(EF_AC | EF_OF | EF_DF | EF_TF | EF_SF | EF_ZF | EF_AF | EF_PF | EF_CF | EF_RF))

u32 sigframe_max(u32 fpu_bytes) {
  u32 most = sizeof(struct frame32) + FRAME_ALIGN - 1 + sizeof(struct fsave32) + fpu_bytes + FX_ALIGN - 1;
  return (most + FRAME_ALIGN - 1) & ~(u32)(FRAME_ALIGN - 1);
}
u32 sig_frame_max(const struct task *t) { return sigframe_max(sigfpu_bytes(t->cpu->model)); }

/* --- The alternate stack --- */

static bool within_altstack(const struct sig_state *s, u64 sp) {
  return sp > s->alt_sp && sp - s->alt_sp <= s->alt_size;
}

static bool on_altstack(const struct sig_state *s, u64 sp) {
  return !(s->alt_flags & LX_SS_AUTODISARM) && within_altstack(s, sp);
}

u32 sigframe_altstack_flags(const struct sig_state *s, u64 sp) {
  return !s->alt_size ? SS_DISABLE : on_altstack(s, sp) ? SS_ONSTACK : 0;
}

int sigframe_set_altstack(struct task *t, u64 sp, u32 flags, u64 size) {
  enum { LEAST = 2048 /* MINSIGSTKSZ, whatever AT_MINSIGSTKSZ says */ };
  struct sig_state *s = t->sig;
  u32 mode = flags & ~LX_SS_AUTODISARM;
  if (on_altstack(s, t->regs->sp)) return -EPERM;
  if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0) return -EINVAL;
  if (s->alt_sp == sp && s->alt_size == size && s->alt_flags == flags) return 0;
  if (mode == SS_DISABLE)
    sp = size = 0;
  else if (size < LEAST)
    return -ENOMEM;
  s->alt_sp = sp;
  s->alt_size = size;
  s->alt_flags = flags;
  return 0;
}

/* --- Building --- */

struct place {
  u64 sp, fp; /* the frame, and its FP state */
};

/* get_sigframe(): 0, or -EFAULT if the frame does not fit on the alternate stack or the FP state cannot be
 * written. */
static int place_frame(struct task *t, const struct sig_action *a, u64 size, struct place *p) {
  const struct sig_state *s = t->sig;
  const struct pt_regs *r = t->regs;
  bool nested = on_altstack(s, r->sp), entering = false;
  u64 sp = a->ia32 ? r->sp : r->sp - RED_ZONE, fx;
  if (a->flags & SA_ONSTACK) {
    entering = !sigframe_altstack_flags(s, sp);
    if (entering) sp = s->alt_sp + s->alt_size;
  } else if (a->ia32 && !nested && r->ss != SEL_USER_DS && !(a->flags & LX_SA_RESTORER) && a->restorer) {
    sp = a->restorer; /* the stack switch of programs older than sigaltstack() */
    entering = true;
  }
  p->fp = sigfpu_place(t->cpu, sp, a->ia32, &fx);
  sp = p->fp - size;
  sp = a->ia32 ? ((sp + 4) & ~(u64)(FRAME_ALIGN - 1)) - 4 : (sp & ~(u64)(FRAME_ALIGN - 1)) - 8;
  if ((nested || entering) && !within_altstack(s, sp)) return -EFAULT;
  p->sp = sp;
  return sigfpu_save(t, p->fp, fx);
}

/* The mask to return to. */
static u64 mask_to_save(const struct sig_state *s) { return s->restore ? s->saved : s->blocked; }

/* Is sel a writable data segment of ring 3? Without an LDT only the GDT's are. */
static bool valid_ss(const struct task *t, u16 sel);

static bool code64(const struct pt_regs *r) { return r->cs == SEL_USER_CS; }
static u32 xstate_flag(const struct task *t) { return t->cpu->cr4 & CR4_OSXSAVE ? UC_FP_XSTATE_ : 0; }

static void put_context64(const struct task *t, struct sigcontext64 *mc, u64 fpstate) {
  const struct pt_regs *r = t->regs;
  const struct sig_state *s = t->sig;
  *mc = (struct sigcontext64){
    .r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12, .r13 = r->r13, .r14 = r->r14,
    .r15 = r->r15, .di = r->di, .si = r->si, .bp = r->bp, .bx = r->bx, .dx = r->dx, .ax = r->ax, .cx = r->cx,
    .sp = r->sp, .ip = r->ip, .flags = r->flags, .cs = (u16)r->cs, .ss = (u16)r->ss, .err = s->error,
    .trapno = s->trapno, .oldmask = mask_to_save(s), .cr2 = s->cr2, .fpstate = fpstate,
  };
}

static int push64(struct task *t, const struct sig_handled *h) {
  const struct sig_state *s = t->sig;
  struct pt_regs *r = t->regs;
  struct frame64 f = {.pretcode = h->act.restorer};
  struct place p;
  bool info = h->act.flags & SA_SIGINFO;
  if (!(h->act.flags & LX_SA_RESTORER)) return -EFAULT;
  if (place_frame(t, &h->act, sizeof f, &p)) return -EFAULT;
  f.uc.flags = xstate_flag(t) | UC_SIGCONTEXT_SS_ | (code64(r) ? UC_STRICT_RESTORE_SS_ : 0);
  f.uc.stack = (struct stack64){.sp = s->alt_sp, .flags = s->alt_flags, .size = s->alt_size};
  put_context64(t, &f.uc.mc, p.fp);
  f.uc.sigmask = mask_to_save(s);
  if (info) siginfo_to_64(&f.info, &h->info);
  if (!ua_ptr(t, p.sp, sizeof f) || ua_write(t, p.sp, &f, info ? sizeof f : offsetof(struct frame64, info)))
    return -EFAULT;
  r->di = (u64)h->signo;
  r->si = p.sp + offsetof(struct frame64, info);
  r->dx = p.sp + offsetof(struct frame64, uc);
  r->ax = 0; /* for handlers without a prototype: no vector registers hold arguments */
  r->ip = h->act.handler;
  r->sp = p.sp;
  r->cs = SEL_USER_CS;
  if (!valid_ss(t, (u16)r->ss)) r->ss = SEL_USER_DS;
  return 0;
}

static void put_context32(const struct task *t, struct sigcontext32 *mc, u64 fpstate) {
  const struct pt_regs *r = t->regs;
  const struct seg *seg = t->cpu->seg;
  const struct sig_state *s = t->sig;
  *mc = (struct sigcontext32){
    .gs = seg[GS].sel, .fs = seg[FS].sel, .es = seg[ES].sel, .ds = seg[DS].sel,
    .di = (u32)r->di, .si = (u32)r->si, .bp = (u32)r->bp, .sp = (u32)r->sp,
    .bx = (u32)r->bx, .dx = (u32)r->dx, .cx = (u32)r->cx, .ax = (u32)r->ax,
    .trapno = s->trapno, .err = s->error, .ip = (u32)r->ip, .cs = (u16)r->cs, .flags = (u32)r->flags,
    .sp_at_signal = (u32)r->sp, .ss = (u16)r->ss, .fpstate = (u32)fpstate, .oldmask = (u32)mask_to_save(s),
    .cr2 = (u32)s->cr2,
  };
}

/* Where a handler returns to: its own stub, the vDSO's, or the code in the frame. */
static u32 return_address(const struct sig_action *a, u64 vdso, u64 retcode) {
  if (a->flags & LX_SA_RESTORER) return (u32)a->restorer;
  return (u32)(vdso ? vdso : retcode);
}

static void enter32(struct task *t, const struct sig_handled *h, u64 sp, u64 dx, u64 cx) {
  struct pt_regs *r = t->regs;
  r->sp = sp;
  r->ip = h->act.handler;
  r->ax = (u64)h->signo; /* handlers compiled with -mregparm=3 */
  r->dx = dx;
  r->cx = cx;
  r->cs = SEL_USER32_CS;
  r->ss = SEL_USER_DS;
  (void)lx_load_seg(t, DS, SEL_USER_DS);
  (void)lx_load_seg(t, ES, SEL_USER_DS);
}

/* pop %eax; mov $119, %eax; int $0x80 */
static int push32(struct task *t, const struct sig_handled *h) {
  static const u8 retcode[8] = {0x58, 0xb8, SIGRETURN_32, 0, 0, 0, 0xcd, 0x80};
  struct frame32 f = {.sig = (u32)h->signo, .extramask = (u32)(mask_to_save(t->sig) >> 32)};
  struct place p;
  if (place_frame(t, &h->act, sizeof f, &p)) return -EFAULT;
  f.pretcode = return_address(&h->act, t->sigreturn, p.sp + offsetof(struct frame32, retcode));
  put_context32(t, &f.mc, p.fp);
  memcpy(f.retcode, retcode, sizeof retcode);
  const size_t head = offsetof(struct frame32, unused), tail = offsetof(struct frame32, extramask);
  if (ua_write(t, p.sp, &f, head) || ua_write(t, p.sp + tail, &f.extramask, sizeof f - tail)) return -EFAULT;
  enter32(t, h, p.sp, 0, 0);
  return 0;
}

/* mov $173, %eax; int $0x80 */
static int push_rt32(struct task *t, const struct sig_handled *h) {
  static const u8 retcode[8] = {0xb8, RT_SIGRETURN_32, 0, 0, 0, 0xcd, 0x80, 0};
  const struct sig_state *s = t->sig;
  struct rt_frame32 f = {.sig = (u32)h->signo};
  struct place p;
  if (place_frame(t, &h->act, sizeof f, &p)) return -EFAULT;
  u64 info = p.sp + offsetof(struct rt_frame32, info), uc = p.sp + offsetof(struct rt_frame32, uc);
  f.pretcode = return_address(&h->act, t->rt_sigreturn, p.sp + offsetof(struct rt_frame32, retcode));
  f.pinfo = (u32)info;
  f.puc = (u32)uc;
  f.uc.flags = xstate_flag(t);
  f.uc.stack = (struct stack32){.sp = (u32)s->alt_sp, .flags = s->alt_flags, .size = (u32)s->alt_size};
  put_context32(t, &f.uc.mc, p.fp);
  f.uc.sigmask[0] = (u32)mask_to_save(s);
  f.uc.sigmask[1] = (u32)(mask_to_save(s) >> 32);
  memcpy(f.retcode, retcode, sizeof retcode);
  siginfo_to_32(&f.info, &h->info);
  if (ua_write(t, p.sp, &f, sizeof f)) return -EFAULT;
  enter32(t, h, p.sp, info, uc);
  return 0;
}

int sigframe_push(struct task *t, const struct sig_handled *h) {
  if (!h->act.ia32) return push64(t, h);
  return h->act.flags & SA_SIGINFO ? push_rt32(t, h) : push32(t, h);
}

/* --- Taking back --- */

static bool valid_ss(const struct task *t, u16 sel) {
  enum { TLS_ENTRIES = 3 };
  const u64 wanted = 0xf2, mask = 0xfa; /* P, DPL 3, S, writable data, either direction, accessed or not */
  unsigned tls = (unsigned)(sel >> 3) - (SEL_TLS_FIRST >> 3);
  if (sel == SEL_USER_DS) return true;
  if ((sel & 7) != 3 || tls >= TLS_ENTRIES) return false;
  return (kernel_tls(&t->lvm->kernel, tls) >> 40 & mask) == wanted;
}

static s64 bad_frame(struct task *t) {
  sig_force_segv(t);
  return 0;
}

/* What both ABIs do with CS, SS, the flags, and calls that a handler interrupted. */
static void common_context(struct task *t, u16 cs, u16 ss, u64 flags) {
  struct pt_regs *r = t->regs;
  r->cs = cs | 3;
  r->ss = ss | 3;
  r->flags = (r->flags & ~FIX_EFLAGS) | (flags & FIX_EFLAGS);
  r->orig_ax = ~UINT64_C(0);
  t->restart_fn = NULL;
}

s64 sys_rt_sigreturn(struct task *t, const u64 a[6]) {
  struct pt_regs *r = t->regs;
  struct frame64 f;
  (void)a;
  u64 at = r->sp - 8;
  if (!ua_ptr(t, at, sizeof f) || ua_read(t, &f, at, offsetof(struct frame64, info))) return bad_frame(t);
  const struct sigcontext64 *mc = &f.uc.mc;
  sig_set_blocked(t, f.uc.sigmask);
  (void)sigframe_set_altstack(t, f.uc.stack.sp, f.uc.stack.flags, f.uc.stack.size);
  *r = (struct pt_regs){
    .r15 = mc->r15, .r14 = mc->r14, .r13 = mc->r13, .r12 = mc->r12, .bp = mc->bp, .bx = mc->bx,
    .r11 = mc->r11, .r10 = mc->r10, .r9 = mc->r9, .r8 = mc->r8, .ax = mc->ax, .cx = mc->cx, .dx = mc->dx,
    .si = mc->si, .di = mc->di, .ip = mc->ip, .flags = r->flags, .sp = mc->sp,
  };
  common_context(t, mc->cs, mc->ss, mc->flags);
  if (!(f.uc.flags & UC_STRICT_RESTORE_SS_) && code64(r) && !valid_ss(t, (u16)r->ss)) r->ss = SEL_USER_DS;
  if (sigfpu_restore(t, mc->fpstate, false)) return bad_frame(t);
  return (s64)r->ax;
}

/* A register is loaded only when its selector changes, so that a base set without one stays. */
static void restore_seg(struct task *t, enum sreg reg, u32 saved) {
  u16 sel = (u16)saved;
  if (sel > 3) sel |= 3;
  if (sel != t->cpu->seg[reg].sel) (void)lx_load_seg(t, reg, sel);
}

static int restore_context32(struct task *t, const struct sigcontext32 *mc) {
  struct pt_regs *r = t->regs;
  r->bx = mc->bx;
  r->cx = mc->cx;
  r->dx = mc->dx;
  r->si = mc->si;
  r->di = mc->di;
  r->bp = mc->bp;
  r->ax = mc->ax;
  r->sp = mc->sp;
  r->ip = mc->ip;
  common_context(t, (u16)mc->cs, (u16)mc->ss, mc->flags);
  restore_seg(t, GS, mc->gs);
  restore_seg(t, FS, mc->fs);
  restore_seg(t, DS, mc->ds);
  restore_seg(t, ES, mc->es);
  return sigfpu_restore(t, mc->fpstate, true);
}

s64 sys_sigreturn_32(struct task *t, const u64 a[6]) {
  struct frame32 f;
  (void)a;
  u64 at = t->regs->sp - 8, extra = at + offsetof(struct frame32, extramask);
  if (ua_read(t, &f, at, offsetof(struct frame32, unused)) || ua_read32(t, &f.extramask, extra))
    return bad_frame(t);
  sig_set_blocked(t, f.mc.oldmask | (u64)f.extramask << 32);
  if (restore_context32(t, &f.mc)) return bad_frame(t);
  return (s64)t->regs->ax;
}

s64 sys_rt_sigreturn_32(struct task *t, const u64 a[6]) {
  struct rt_frame32 f;
  (void)a;
  if (ua_read(t, &f, t->regs->sp - 4, sizeof f)) return bad_frame(t);
  sig_set_blocked(t, f.uc.sigmask[0] | (u64)f.uc.sigmask[1] << 32);
  (void)sigframe_set_altstack(t, f.uc.stack.sp, f.uc.stack.flags, f.uc.stack.size);
  if (restore_context32(t, &f.uc.mc)) return bad_frame(t);
  return (s64)t->regs->ax;
}
