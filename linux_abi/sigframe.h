/* The frames that signal handlers find on their stack, of both ABIs: Linux arch/x86/include/asm/sigframe.h,
 * arch/x86/include/uapi/asm/sigcontext.h, arch/x86/include/asm/ia32.h.
 *
 *   x86_64                 i386, SA_SIGINFO       i386, without
 *
 *   FXSAVE or XSAVE area, at a multiple of 64     the same
 *                          FSAVE image, directly below
 *   struct frame64         struct rt_frame32      struct frame32          16-byte aligned + 8 (i386: + 12)
 *   ^ RSP                  ^ ESP                  ^ ESP */
#ifndef LINUX_ABI_SIGFRAME_H
#define LINUX_ABI_SIGFRAME_H

#include "linux_abi/signal.h"

/* uc_flags: the processor has XSAVE; sigcontext64.ss is valid; and to be restored even if it is no segment for 64-bit
 * code. */
enum { UC_FP_XSTATE_ = 1, UC_SIGCONTEXT_SS_ = 2, UC_STRICT_RESTORE_SS_ = 4 };
/* The numbers of sigreturn and rt_sigreturn for i386: in the code that frames hold for debuggers' sake. */
enum { SIGRETURN_32 = 119, RT_SIGRETURN_32 = 173 };

struct sigcontext64 {
  u64 r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
  u16 cs, gs, fs, ss;
  u64 err, trapno, oldmask, cr2, fpstate, reserved[8];
};
struct stack64 {
  u64 sp;
  u32 flags, pad;
  u64 size;
};
struct ucontext64 {
  u64 flags, link;
  struct stack64 stack;
  struct sigcontext64 mc;
  u64 sigmask;
};
struct siginfo64 {
  u8 bytes[128];
};
struct frame64 {
  u64 pretcode;
  struct ucontext64 uc;
  struct siginfo64 info;
};

struct sigcontext32 {
  u32 gs, fs, es, ds, di, si, bp, sp, bx, dx, cx, ax, trapno, err, ip, cs, flags, sp_at_signal, ss;
  u32 fpstate, oldmask, cr2;
};
struct stack32 {
  u32 sp, flags, size;
};
struct ucontext32 {
  u32 flags, link;
  struct stack32 stack;
  struct sigcontext32 mc;
  u32 sigmask[2];
};
struct siginfo32 {
  s32 signo, error, code;
  union {
    struct { u32 pid, uid, value; } rt;
    struct { u32 id, overrun, value; } timer;
    struct { u32 pid, uid; s32 status, utime, stime; } child;
    struct {
      u32 addr;
      union {
        u16 lsb;
        struct { u32 pad, lower, upper; } bound;
        struct { u32 pad, key; } key;
      };
    } fault;
    struct { u32 band, fd; } poll;
    struct { u32 call_addr, nr, arch; } sys;
    u32 words[29];
  };
};
struct rt_frame32 {
  u32 pretcode, sig, pinfo, puc;
  struct siginfo32 info;
  struct ucontext32 uc;
  u8 retcode[8];
};
struct frame32 {
  u32 pretcode, sig;
  struct sigcontext32 mc;
  u8 unused[624]; /* where fpstate once was */
  u32 extramask;
  u8 retcode[8];
  u32 pad; /* a 64-bit kernel's alignment */
};

/* What FSAVE writes, in front of the FXSAVE image in i386 frames. */
struct fsave32 {
  u32 cw, sw, tag, ip, cs, dp, ds;
  u8 st[8][10];
  u16 status, magic;
};
/* Bytes 464 to 511 of a frame's FXSAVE image. */
struct fx_software {
  u32 magic1, extended_size;
  u64 xfeatures;
  u32 xstate_size, pad[7];
};

/* --- sigframe.c --- */

/* Pushes the frame and sets the registers for the handler; 0, or -EFAULT and nothing but memory is
 * changed. */
MUST_CHECK int sigframe_push(struct task *t, const struct sig_handled *h);
/* AT_MINSIGSTKSZ with an FP state of so many bytes: Linux tells both widths the same. */
u32 sigframe_max(u32 fpu_bytes);
/* sigaltstack()'s work. 0, or -EPERM, -EINVAL, -ENOMEM. */
int sigframe_set_altstack(struct task *t, u64 sp, u32 flags, u64 size);
/* ss_flags as sigaltstack() reports them with the stack pointer there. */
u32 sigframe_altstack_flags(const struct sig_state *s, u64 sp);

/* --- sigfpu.c --- */

/* Makes room for the FP state below sp: where it begins, and the FXSAVE image in it. */
u64 sigfpu_place(const struct cpu *cpu, u64 sp, bool ia32, u64 *fx);
MUST_CHECK int sigfpu_save(struct task *t, u64 at, u64 fx);
/* at 0: the state is reset. -1: a bad frame, and the state is reset. */
MUST_CHECK int sigfpu_restore(struct task *t, u64 at, bool ia32);
/* The state that handlers begin with. */
void sigfpu_reset(struct task *t);
/* Bytes that the FXSAVE or XSAVE area takes, without alignment and without the FSAVE image. */
enum { SIGFPU_FX = 512 };
u32 sigfpu_bytes(const struct cpu_model *m);

/* --- siginfo.c --- */

/* Between the host's siginfo_t, which is x86_64's, and the program's. */
void siginfo_to_64(struct siginfo64 *to, const siginfo_t *from);
void siginfo_to_32(struct siginfo32 *to, const siginfo_t *from);
void siginfo_from_32(siginfo_t *to, const struct siginfo32 *from);

#endif
