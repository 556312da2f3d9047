/* Test cases on this machine's own processor. sigaction(2), sigaltstack(2); Linux
 * arch/x86/include/uapi/asm/sigcontext.h.
 *
 * The state to start from is entered in enter.S; every case ends in an exception, which Linux makes a signal,
 * whose frame has the registers, the x87 and SSE state as FXSAVE64 writes it, the vector, error code and CR2.
 * Linux does not pass on every exception (an erratum's workaround returns from page faults of 32-bit code
 * above 4 GiB, an alignment check without EFLAGS.AC is taken for a split lock), and the instruction is tried
 * again for ever: a timer ends that. */
#define _GNU_SOURCE
#include "tests/native/native.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/bits.h"
#include "tests/native/enter.h"

_Static_assert(offsetof(struct state, rip) == STATE_RIP && offsetof(struct state, eflags) == STATE_EFLAGS,
               "enter.h");
_Static_assert(offsetof(struct state, fs_base) == STATE_FS_BASE &&
                   offsetof(struct state, gs_base) == STATE_GS_BASE,
               "");
_Static_assert(offsetof(struct state, sel) == STATE_SEL && offsetof(struct state, fx) == STATE_FX, "enter.h");
_Static_assert(offsetof(struct state, k) == STATE_K && offsetof(struct state, vec) == STATE_VEC, "enter.h");
_Static_assert(ENTRY_STACK_TOP == ENTRY_STACK, "enter.h");

enum { SIGNAL_STACK = 256 << 10, TICK_MICROSECONDS = 200000 };
/* In the frame: Linux arch/x86/include/uapi/asm/sigcontext.h (struct _fpx_sw_bytes); SDM 1 13.4.2 (XSAVE
 * Header). */
enum { FX_SW_RESERVED = 464, XSTATE_BV = 512 };

/* Shared with enter.S: a signal handler has no other way to its state. */
void native_enter(const struct state *in);
NORETURN void native_resume(void);
void native_signal(int sig, siginfo_t *info, void *context);
void native_on_signal(int sig, siginfo_t *info, void *context);
extern u8 native_inside, native_fsgsbase, native_vectors;
extern u16 native_selectors[SREG_COUNT];
extern u64 native_bases[2], native_own_fs;
u8 native_inside, native_fsgsbase, native_vectors;
u16 native_selectors[SREG_COUNT];
u64 native_bases[2], native_own_fs;
static struct outcome *result;

static const int gregs[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

/* ---- vector registers ---- */

/* Places in the standard form of the XSAVE area. SDM 1 13.4.3 (Extended Region of an XSAVE Area) */
enum { XSTATE_AVX = 2, XSTATE_OPMASK = 5, XSTATE_ZMM_HI256, XSTATE_HI16_ZMM, XSTATES };
static u32 xstate_at[XSTATES];

u64 native_xcr0(void) {
  u32 eax, ebx, ecx, edx;
  __cpuid(1, eax, ebx, ecx, edx);
  if (!(ecx >> 27 & 1)) return 0; /* OSXSAVE */
  __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
  return (u64)edx << 32 | eax;
}

static enum native_vectors vector_unit(void) {
  u64 xcr0 = native_xcr0();
  if ((xcr0 & XCR0_AVX512_ALL) == XCR0_AVX512_ALL && native_has(FEAT_AVX512BW)) return NATIVE_ZMM;
  return (xcr0 & XCR0_AVX_ALL) == XCR0_AVX_ALL && native_has(FEAT_AVX) ? NATIVE_YMM : NATIVE_XMM;
}

enum native_vectors native_vector_unit(void) {
  static int known = -1; /* CPUID is slow below a hypervisor */
  if (known < 0) known = vector_unit();
  return (enum native_vectors)known;
}

static void find_xstate(void) {
  u32 eax, ecx, edx;
  native_vectors = (u8)native_vector_unit();
  for (unsigned n = XSTATE_AVX; n < XSTATES && native_vectors; n++)
    __cpuid_count(0xd, n, eax, xstate_at[n], ecx, edx);
}

/* A component of the frame; NULL: it has its initial value. */
static const u8 *component(const u8 *frame, unsigned n) {
  return ld64(frame + XSTATE_BV) >> n & 1 ? frame + xstate_at[n] : NULL;
}

/* Registers first and on: n bytes of each, from byte `at` on. */
static void take_slices(struct state *s, const u8 *from, unsigned first, unsigned at, unsigned n) {
  for (unsigned k = 0; k < 16; k++) {
    if (from) memcpy(s->vec[first + k] + at, from + (size_t)k * n, n);
    else memset(s->vec[first + k] + at, 0, n);
  }
}

/* The frame is the XSAVE area, in its standard form, if Linux's mark says so. */
static void take_vectors(struct state *s, const u8 *frame) {
  if (native_vectors == NATIVE_XMM || ld32(frame + FX_SW_RESERVED) != FP_XSTATE_MAGIC1) return;
  take_slices(s, component(frame, XSTATE_AVX), 0, 16, 16);
  if (native_vectors == NATIVE_YMM) return;
  take_slices(s, component(frame, XSTATE_ZMM_HI256), 0, 32, 32);
  take_slices(s, component(frame, XSTATE_HI16_ZMM), 16, 0, 64);
  const u8 *k = component(frame, XSTATE_OPMASK);
  if (k) memcpy(s->k, k, sizeof s->k);
  else memset(s->k, 0, sizeof s->k);
}

void state_join(struct state *s) {
  for (unsigned n = 0; n < 16; n++) memcpy(s->vec[n], s->fx + FX_XMM + 16 * n, 16);
}

void native_on_signal(int sig, siginfo_t *info, void *context) {
  const ucontext_t *uc = context;
  const greg_t *g = uc->uc_mcontext.gregs;
  (void)info;
  if (!native_inside) {
    if (sig != SIGALRM) signal(sig, SIG_DFL); /* a bug of the tester's, or of the emulator: die of it */
    return;
  }
  struct outcome *o = result;
  for (unsigned k = 0; k < 16; k++) o->st.gpr[k] = (u64)g[gregs[k]];
  o->st.rip = (u64)g[REG_RIP];
  o->st.eflags = (u64)g[REG_EFL];
  memcpy(o->st.sel, native_selectors, sizeof native_selectors);
  o->st.sel[CS] = (u16)g[REG_CSGSFS];
  o->st.sel[SS] = (u16)((u64)g[REG_CSGSFS] >> 48);
  o->st.fs_base = native_bases[0];
  o->st.gs_base = native_bases[1];
  memcpy(o->st.fx, uc->uc_mcontext.fpregs, sizeof o->st.fx);
  take_vectors(&o->st, (const u8 *)uc->uc_mcontext.fpregs);
  state_join(&o->st);
  o->vector = (u8)g[REG_TRAPNO];
  o->error = (u32)g[REG_ERR];
  o->cr2 = (u64)g[REG_CR2];
  o->stuck = sig == SIGALRM;
  native_inside = 0;
  native_resume();
}

void native_run(const struct state *in, struct outcome *out) {
  result = out;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  native_enter(in); /* sets native_inside */
}

u8 *native_arena(void) { return (u8 *)ARENA; } /* NOLINT: the address is the point */

static int map_arena(void) {
  void *entry = (u8 *)ENTRY_STACK_TOP - ENTRY_STACK_BYTES;
  if (mmap(native_arena(), ARENA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
           0) != (void *)native_arena() ||
      mmap(entry, ENTRY_STACK_BYTES, PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != entry) {
    fprintf(stderr, "native: cannot map 64 KiB at %#llx\n", (unsigned long long)ARENA);
    return -1;
  }
  for (unsigned k = 0; k < ARENA_PARTS; k++) {
    const struct arena_part *p = &arena_parts[k];
    int prot = PROT_READ | (p->write ? PROT_WRITE : 0) | (p->exec ? PROT_EXEC : 0);
    void *at = native_arena() + p->at;
    if (mprotect(at, p->bytes, PROT_READ | PROT_WRITE)) return -1;
    memset(at, 0x5a, p->bytes); /* present, so that no fault on it is only Linux's own */
    if (mprotect(at, p->bytes, prot)) {
      fprintf(stderr, "native: memory cannot be both written and executed here\n");
      return -1;
    }
  }
  return 0;
}

int native_open(void) {
  static const int signals[] = {SIGILL, SIGSEGV, SIGFPE, SIGBUS, SIGTRAP, SIGALRM};
  const struct timeval tick = {.tv_usec = TICK_MICROSECONDS};
  void *stack = mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED || map_arena()) return -1;
  if (sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = SIGNAL_STACK}, NULL)) return -1;
  for (unsigned k = 0; k < ARRAY_SIZE(signals); k++) {
    struct sigaction sa = {.sa_sigaction = native_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    if (sigaction(signals[k], &sa, NULL)) return -1;
  }
  if (setitimer(ITIMER_REAL, &(struct itimerval){tick, tick}, NULL)) return -1;
  find_xstate();
  native_fsgsbase = getauxval(AT_HWCAP2) >> 1 & 1; /* HWCAP2_FSGSBASE */
  return (int)syscall(SYS_arch_prctl, ARCH_GET_FS, &native_own_fs);
}

enum { MAPPINGS = 1024 };
static struct {
  u64 lo, hi;
} mapping[MAPPINGS];
static unsigned mappings;

void native_note_mappings(void) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[512], perms[8];
  unsigned long lo, hi;
  mappings = 0;
  while (f && mappings < MAPPINGS && fgets(line, sizeof line, f)) {
    if (sscanf(line, "%lx-%lx %7s", &lo, &hi, perms) != 3 || !strncmp(perms, "---", 3)) continue;
    if (lo >= ARENA && hi <= ENTRY_STACK_TOP) continue;
    mapping[mappings].lo = lo;
    mapping[mappings++].hi = hi;
  }
  if (f) (void)fclose(f);
}

bool native_owns(u64 la, u64 n) {
  for (unsigned k = 0; k < mappings; k++)
    if (la + n > mapping[k].lo && la < mapping[k].hi) return true;
  return false;
}

bool native_has(enum feature f) {
  const struct feature_row *row = &feature_rows[f];
  u32 reg[4];
  if (!__get_cpuid_count(row->leaf, row->subleaf, &reg[CPUID_EAX], &reg[CPUID_EBX], &reg[CPUID_ECX],
                         &reg[CPUID_EDX]))
    return false;
  return reg[row->reg] >> row->bit & 1;
}

enum vendor native_vendor(void) {
  u32 eax, ebx, ecx, edx;
  __cpuid(0, eax, ebx, ecx, edx);
  return ebx == signature_INTEL_ebx ? VENDOR_INTEL : VENDOR_AMD;
}
