/* Signal frames against what others say of them: the host's headers and the host's own frames for x86_64,
 * what gcc -m32 makes of the same headers (glibc 2.36, asm/sigcontext.h) for i386, and frames that a Linux
 * 6.18 made for a 32-bit program. */
#define _GNU_SOURCE
#include <check.h>
#include <cpuid.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "linux_abi/sigframe.h"

#include <sys/auxv.h> /* last: its <elf.h> has macros named like mmu/mmu.h's constants */

#define SAME(ours, member, theirs) _Static_assert(offsetof(ours, member) == (theirs), "offset of " #member)

/* --- x86_64, from sys/ucontext.h --- */

#define GREG(r) (offsetof(ucontext_t, uc_mcontext.gregs) + 8 * REG_##r)
SAME(struct ucontext64, flags, offsetof(ucontext_t, uc_flags));
SAME(struct ucontext64, link, offsetof(ucontext_t, uc_link));
SAME(struct ucontext64, stack.sp, offsetof(ucontext_t, uc_stack.ss_sp));
SAME(struct ucontext64, stack.flags, offsetof(ucontext_t, uc_stack.ss_flags));
SAME(struct ucontext64, stack.size, offsetof(ucontext_t, uc_stack.ss_size));
SAME(struct ucontext64, mc.r8, GREG(R8));
SAME(struct ucontext64, mc.r9, GREG(R9));
SAME(struct ucontext64, mc.r10, GREG(R10));
SAME(struct ucontext64, mc.r11, GREG(R11));
SAME(struct ucontext64, mc.r12, GREG(R12));
SAME(struct ucontext64, mc.r13, GREG(R13));
SAME(struct ucontext64, mc.r14, GREG(R14));
SAME(struct ucontext64, mc.r15, GREG(R15));
SAME(struct ucontext64, mc.di, GREG(RDI));
SAME(struct ucontext64, mc.si, GREG(RSI));
SAME(struct ucontext64, mc.bp, GREG(RBP));
SAME(struct ucontext64, mc.bx, GREG(RBX));
SAME(struct ucontext64, mc.dx, GREG(RDX));
SAME(struct ucontext64, mc.ax, GREG(RAX));
SAME(struct ucontext64, mc.cx, GREG(RCX));
SAME(struct ucontext64, mc.sp, GREG(RSP));
SAME(struct ucontext64, mc.ip, GREG(RIP));
SAME(struct ucontext64, mc.flags, GREG(EFL));
SAME(struct ucontext64, mc.cs, GREG(CSGSFS));
SAME(struct ucontext64, mc.err, GREG(ERR));
SAME(struct ucontext64, mc.trapno, GREG(TRAPNO));
SAME(struct ucontext64, mc.oldmask, GREG(OLDMASK));
SAME(struct ucontext64, mc.cr2, GREG(CR2));
SAME(struct ucontext64, mc.fpstate, offsetof(ucontext_t, uc_mcontext.fpregs));
SAME(struct ucontext64, sigmask, offsetof(ucontext_t, uc_sigmask));

/* --- i386, recorded from gcc -m32 --- */

SAME(struct ucontext32, flags, 0);
SAME(struct ucontext32, link, 4);
SAME(struct ucontext32, stack, 8);
SAME(struct ucontext32, mc, 20);
SAME(struct ucontext32, sigmask, 108);
SAME(struct stack32, flags, 4);
SAME(struct stack32, size, 8);
SAME(struct sigcontext32, gs, 4 * 0);
SAME(struct sigcontext32, fs, 4 * 1);
SAME(struct sigcontext32, es, 4 * 2);
SAME(struct sigcontext32, ds, 4 * 3);
SAME(struct sigcontext32, di, 4 * 4);
SAME(struct sigcontext32, si, 4 * 5);
SAME(struct sigcontext32, bp, 4 * 6);
SAME(struct sigcontext32, sp, 4 * 7);
SAME(struct sigcontext32, bx, 4 * 8);
SAME(struct sigcontext32, dx, 4 * 9);
SAME(struct sigcontext32, cx, 4 * 10);
SAME(struct sigcontext32, ax, 4 * 11);
SAME(struct sigcontext32, trapno, 4 * 12);
SAME(struct sigcontext32, err, 4 * 13);
SAME(struct sigcontext32, ip, 4 * 14);
SAME(struct sigcontext32, cs, 4 * 15);
SAME(struct sigcontext32, flags, 4 * 16);
SAME(struct sigcontext32, sp_at_signal, 4 * 17);
SAME(struct sigcontext32, ss, 4 * 18);
SAME(struct sigcontext32, fpstate, 76);
SAME(struct sigcontext32, oldmask, 80);
SAME(struct sigcontext32, cr2, 84);
_Static_assert(sizeof(struct sigcontext32) == 88, "mcontext_t");
SAME(struct siginfo32, code, 8);
SAME(struct siginfo32, rt.pid, 12);
SAME(struct siginfo32, rt.uid, 16);
SAME(struct siginfo32, rt.value, 20);
SAME(struct siginfo32, timer.id, 12);
SAME(struct siginfo32, timer.overrun, 16);
SAME(struct siginfo32, child.status, 20);
SAME(struct siginfo32, child.utime, 24);
SAME(struct siginfo32, child.stime, 28);
SAME(struct siginfo32, fault.addr, 12);
SAME(struct siginfo32, fault.lsb, 16);
SAME(struct siginfo32, fault.bound.lower, 20);
SAME(struct siginfo32, fault.bound.upper, 24);
SAME(struct siginfo32, fault.key.key, 20);
SAME(struct siginfo32, poll.band, 12);
SAME(struct siginfo32, poll.fd, 16);
SAME(struct siginfo32, sys.call_addr, 12);
SAME(struct siginfo32, sys.nr, 16);
SAME(struct siginfo32, sys.arch, 20);
_Static_assert(sizeof(struct siginfo32) == 128, "siginfo_t");
SAME(struct fsave32, tag, 8);
SAME(struct fsave32, cs, 16);
SAME(struct fsave32, ds, 24);
SAME(struct fsave32, st, 28);
SAME(struct fsave32, status, 108);
SAME(struct fsave32, magic, 110);
_Static_assert(sizeof(struct fsave32) == 112, "struct _libc_fpstate");
SAME(struct fx_software, extended_size, 4);
SAME(struct fx_software, xfeatures, 8);
SAME(struct fx_software, xstate_size, 16);
_Static_assert(sizeof(struct fx_software) == 48, "struct _fpx_sw_bytes");

/* A 32-bit program's frame, seen from its handler: uc - info 128, fpstate - info 260. */
SAME(struct rt_frame32, info, 16);
SAME(struct rt_frame32, uc, 16 + 128);
_Static_assert((offsetof(struct rt_frame32, retcode) + 8) == 16 + 128 + 116 + 8, "rt_frame32");

/* --- This host's frames --- */

static uintptr_t seen_info, seen_uc, seen_fp, seen_frame;
static u64 seen_flags;
static struct fx_software seen_sw;

static void look(int signo, siginfo_t *info, void *context) {
  (void)signo;
  ucontext_t *uc = context;
  seen_info = (uintptr_t)info;
  seen_uc = (uintptr_t)uc;
  seen_fp = (uintptr_t)uc->uc_mcontext.fpregs;
  seen_flags = uc->uc_flags;
  seen_frame = (uintptr_t)uc - offsetof(struct frame64, uc);
  memcpy(&seen_sw, (const u8 *)seen_fp + 464, sizeof seen_sw); /* while the frame is there */
}

START_TEST(host_frame) {
  struct sigaction a = {.sa_sigaction = look, .sa_flags = SA_SIGINFO}, old;
  ck_assert_int_eq(sigaction(SIGUSR1, &a, &old), 0);
  raise(SIGUSR1);
  sigaction(SIGUSR1, &old, NULL);
  ck_assert_uint_eq(seen_info - seen_frame, offsetof(struct frame64, info));
  ck_assert_uint_eq(seen_fp % 64, 0);
  ck_assert_uint_eq(seen_frame % 16, 8);
  ck_assert_uint_eq(seen_frame, ((seen_fp - sizeof(struct frame64)) & ~UINT64_C(15)) - 8);
  ck_assert_uint_eq(seen_flags & ~UINT64_C(1), UC_SIGCONTEXT_SS_ | UC_STRICT_RESTORE_SS_);
  ck_assert_uint_eq(seen_sw.magic1, 0x46505853);
  ck_assert_uint_eq(seen_sw.extended_size, seen_sw.xstate_size + 4);
}
END_TEST

/* AT_MINSIGSTKSZ of this host, whose area has c bytes and the second magic number; and with FXSAVE alone. */
START_TEST(frame_max) {
  const u64 minsigstksz = 51;
  u32 a, b, c, d, magic2 = 4;
  u64 host = getauxval(minsigstksz);
  ck_assert_uint_eq(sigframe_max(SIGFPU_FX), 1440);
  if (!host || !__get_cpuid_count(13, 0, &a, &b, &c, &d)) return;
  ck_assert_uint_eq(host, sigframe_max(c + magic2));
}
END_TEST

/* --- siginfo --- */

static void both_ways(const siginfo_t *info, struct siginfo32 *i32) {
  siginfo_t back;
  siginfo_to_32(i32, info);
  siginfo_from_32(&back, i32);
  ck_assert_mem_eq(&back, info, sizeof back);
}

START_TEST(siginfo_kinds) {
  struct siginfo32 w;
  siginfo_t i = {.si_signo = SIGUSR1, .si_code = SI_USER};
  i.si_pid = 1234;
  i.si_uid = 1000;
  both_ways(&i, &w);
  ck_assert_uint_eq(w.words[0], 1234);
  ck_assert_uint_eq(w.words[1], 1000);

  i.si_code = SI_QUEUE;
  i.si_value.sival_int = 77;
  both_ways(&i, &w);
  ck_assert_uint_eq(w.words[2], 77);

  i = (siginfo_t){.si_signo = SIGSEGV, .si_code = SEGV_ACCERR};
  i.si_addr = (void *)0x12345678;
  both_ways(&i, &w);
  ck_assert_uint_eq(w.words[0], 0x12345678);
  ck_assert_uint_eq(w.words[1], 0);

  i = (siginfo_t){.si_signo = SIGBUS, .si_code = BUS_MCEERR_AO};
  i.si_addr = (void *)0x1000;
  i.si_addr_lsb = 12;
  both_ways(&i, &w);
  ck_assert_uint_eq(w.words[1], 12);

  i = (siginfo_t){.si_signo = SIGCHLD, .si_code = CLD_EXITED};
  i.si_pid = 5;
  i.si_status = 7;
  i.si_utime = 100;
  i.si_stime = 200;
  both_ways(&i, &w);
  ck_assert_uint_eq(w.words[2], 7);
  ck_assert_uint_eq(w.words[3], 100);
  ck_assert_uint_eq(w.words[4], 200);

  i = (siginfo_t){.si_signo = SIGALRM, .si_code = SI_TIMER};
  i.si_timerid = 3;
  i.si_overrun = 2;
  i.si_value.sival_int = -1;
  siginfo_to_32(&w, &i);
  ck_assert_uint_eq(w.words[0], 3);
  ck_assert_uint_eq(w.words[1], 2);
  ck_assert_uint_eq(w.words[2], UINT32_MAX);

  i = (siginfo_t){.si_signo = SIGIO, .si_code = POLL_IN};
  i.si_band = 1;
  i.si_fd = 9;
  both_ways(&i, &w);
  ck_assert_uint_eq(w.words[1], 9);

  i = (siginfo_t){.si_signo = SIGFPE, .si_code = SI_KERNEL};
  both_ways(&i, &w);
}
END_TEST

Suite *suite_sigframe(void);
Suite *suite_sigframe(void) {
  Suite *s = suite_create("sigframe");
  TCase *t = tcase_create("sigframe");
  tcase_add_test(t, host_frame);
  tcase_add_test(t, frame_max);
  tcase_add_test(t, siginfo_kinds);
  suite_add_tcase(s, t);
  return s;
}
