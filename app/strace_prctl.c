/* prctl()'s options and arguments as strace prints them. man 2 prctl, 7 capabilities. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <sys/prctl.h>

#include "app/strace_names.h"
#include "app/strace_value.h"
#include "linux_abi/uaccess.h"

/* The second argument; the rest follow in hexadecimal as many as the option has. */
enum kind {
  NOTHING,
  ALL,
  NUMBER,
  STRING,
  SIGNAL,
  SIGNAL_AT,
  INT_AT,
  WORD_AT,
  DUMPABLE,
  TSC,
  TSC_AT,
  CAPABILITY,
  SECURE,
  TRACER,
  MACHINE_CHECK,
  AMBIENT
};

struct option {
  u32 nr;
  const char *name;
  enum kind kind;
  u8 more; /* arguments behind the second */
  bool fills;
};
#define O(nr, kind, more, fills) \
  { nr, #nr, kind, more, fills }

static const struct option options[] = {
    O(PR_SET_PDEATHSIG, SIGNAL, 0, false),
    O(PR_GET_PDEATHSIG, SIGNAL_AT, 0, true),
    O(PR_GET_DUMPABLE, NOTHING, 0, false),
    O(PR_SET_DUMPABLE, DUMPABLE, 0, false),
    O(PR_SET_UNALIGN, NUMBER, 0, false),
    O(PR_SET_FPEMU, NUMBER, 0, false),
    O(PR_SET_FPEXC, NUMBER, 0, false),
    O(PR_SET_ENDIAN, NUMBER, 0, false),
    O(PR_GET_UNALIGN, INT_AT, 0, true),
    O(PR_GET_KEEPCAPS, NOTHING, 0, false),
    O(PR_SET_KEEPCAPS, NUMBER, 0, false),
    O(PR_GET_FPEMU, INT_AT, 0, true),
    O(PR_GET_FPEXC, INT_AT, 0, true),
    O(PR_GET_TIMING, NOTHING, 0, false),
    O(PR_SET_TIMING, NUMBER, 0, false),
    O(PR_SET_NAME, STRING, 0, false),
    O(PR_GET_NAME, STRING, 0, true),
    O(PR_GET_ENDIAN, INT_AT, 0, true),
    O(PR_GET_SECCOMP, NOTHING, 0, false),
    O(PR_SET_SECCOMP, ALL, 3, false),
    O(PR_CAPBSET_READ, CAPABILITY, 0, false),
    O(PR_CAPBSET_DROP, CAPABILITY, 0, false),
    O(PR_GET_TSC, TSC_AT, 0, true),
    O(PR_SET_TSC, TSC, 0, false),
    O(PR_GET_SECUREBITS, NOTHING, 0, false),
    O(PR_SET_SECUREBITS, SECURE, 0, false),
    O(PR_SET_TIMERSLACK, NUMBER, 0, false),
    O(PR_GET_TIMERSLACK, NOTHING, 0, false),
    O(PR_MCE_KILL, MACHINE_CHECK, 3, false),
    O(PR_MCE_KILL_GET, ALL, 3, false),
    O(PR_SET_MM, ALL, 3, false),
    O(PR_SET_CHILD_SUBREAPER, NUMBER, 0, false),
    O(PR_GET_CHILD_SUBREAPER, INT_AT, 0, true),
    O(PR_SET_NO_NEW_PRIVS, NUMBER, 3, false),
    O(PR_GET_NO_NEW_PRIVS, ALL, 3, false),
    O(PR_GET_TID_ADDRESS, WORD_AT, 0, true),
    O(PR_SET_THP_DISABLE, NUMBER, 3, false),
    O(PR_GET_THP_DISABLE, ALL, 3, false),
    O(PR_CAP_AMBIENT, AMBIENT, 3, false),
    O(PR_SET_PTRACER, TRACER, 0, false),
    O(PR_TASK_PERF_EVENTS_DISABLE, NOTHING, 0, false),
    O(PR_TASK_PERF_EVENTS_ENABLE, NOTHING, 0, false),
    O(PR_MPX_ENABLE_MANAGEMENT, ALL, 3, false),
    O(PR_MPX_DISABLE_MANAGEMENT, ALL, 3, false),
    O(PR_SET_FP_MODE, ALL, 0, false),
    O(PR_GET_FP_MODE, NOTHING, 0, false),
    O(PR_GET_SPECULATION_CTRL, ALL, 0, false),
    O(PR_SET_SPECULATION_CTRL, ALL, 1, false),
    O(PR_SET_TAGGED_ADDR_CTRL, ALL, 3, false),
    O(PR_GET_TAGGED_ADDR_CTRL, ALL, 3, false),
    O(PR_SET_IO_FLUSHER, NUMBER, 3, false),
    O(PR_GET_IO_FLUSHER, ALL, 3, false),
};

static const struct option *find(u32 nr) {
  for (unsigned k = 0; k < ARRAY_SIZE(options); k++)
    if (options[k].nr == nr) return &options[k];
  return NULL;
}

void strace_prctl_option(FILE *f, u32 nr) {
  const struct option *o = find(nr);
  if (o) fputs(o->name, f);
  else fprintf(f, "%#x /* PR_??? */", nr);
}

bool strace_prctl_fills(u32 nr) {
  const struct option *o = find(nr);
  return o && o->fills;
}

#define N(x) \
  { x, #x }
static const struct strace_name capabilities[] = {N(CAP_CHOWN),
                                                  N(CAP_DAC_OVERRIDE),
                                                  N(CAP_DAC_READ_SEARCH),
                                                  N(CAP_FOWNER),
                                                  N(CAP_FSETID),
                                                  N(CAP_KILL),
                                                  N(CAP_SETGID),
                                                  N(CAP_SETUID),
                                                  N(CAP_SETPCAP),
                                                  N(CAP_LINUX_IMMUTABLE),
                                                  N(CAP_NET_BIND_SERVICE),
                                                  N(CAP_NET_BROADCAST),
                                                  N(CAP_NET_ADMIN),
                                                  N(CAP_NET_RAW),
                                                  N(CAP_IPC_LOCK),
                                                  N(CAP_IPC_OWNER),
                                                  N(CAP_SYS_MODULE),
                                                  N(CAP_SYS_RAWIO),
                                                  N(CAP_SYS_CHROOT),
                                                  N(CAP_SYS_PTRACE),
                                                  N(CAP_SYS_PACCT),
                                                  N(CAP_SYS_ADMIN),
                                                  N(CAP_SYS_BOOT),
                                                  N(CAP_SYS_NICE),
                                                  N(CAP_SYS_RESOURCE),
                                                  N(CAP_SYS_TIME),
                                                  N(CAP_SYS_TTY_CONFIG),
                                                  N(CAP_MKNOD),
                                                  N(CAP_LEASE),
                                                  N(CAP_AUDIT_WRITE),
                                                  N(CAP_AUDIT_CONTROL),
                                                  N(CAP_SETFCAP),
                                                  N(CAP_MAC_OVERRIDE),
                                                  N(CAP_MAC_ADMIN),
                                                  N(CAP_SYSLOG),
                                                  N(CAP_WAKE_ALARM),
                                                  N(CAP_BLOCK_SUSPEND),
                                                  N(CAP_AUDIT_READ),
                                                  N(CAP_PERFMON),
                                                  N(CAP_BPF),
                                                  N(CAP_CHECKPOINT_RESTORE)};
static const struct strace_name dumpables[] = {
    {0, "SUID_DUMP_DISABLE"}, {1, "SUID_DUMP_USER"}, {2, "SUID_DUMP_ROOT"}};
static const struct strace_name kills[] = {N(PR_MCE_KILL_LATE), N(PR_MCE_KILL_EARLY), N(PR_MCE_KILL_DEFAULT)};
static const struct strace_name securebits[] = {N(SECBIT_NOROOT),
                                                N(SECBIT_NOROOT_LOCKED),
                                                N(SECBIT_NO_SETUID_FIXUP),
                                                N(SECBIT_NO_SETUID_FIXUP_LOCKED),
                                                N(SECBIT_KEEP_CAPS),
                                                N(SECBIT_KEEP_CAPS_LOCKED),
                                                {64, "SECBIT_NO_CAP_AMBIENT_RAISE"},
                                                {128, "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED"}};
static const struct strace_name clocks[] = {N(PR_TSC_ENABLE), N(PR_TSC_SIGSEGV)};

static int put_signal_at(const struct strace_call *c, u64 addr) {
  u32 v;
  if (ua_read32(c->t, &v, addr)) return -1;
  fputc('[', c->f);
  strace_signo(c->f, (int)v);
  fputc(']', c->f);
  return 0;
}
static int put_int_at(const struct strace_call *c, u64 addr) {
  u32 v;
  if (ua_read32(c->t, &v, addr)) return -1;
  fprintf(c->f, "[%u]", v);
  return 0;
}
static int put_word_at(const struct strace_call *c, u64 addr) {
  u64 v;
  if (ua_read_word(c->t, &v, addr)) return -1;
  fputc('[', c->f);
  strace_pointer(c->f, v);
  fputc(']', c->f);
  return 0;
}
static int put_clock_at(const struct strace_call *c, u64 addr) {
  u32 v;
  if (ua_read32(c->t, &v, addr)) return -1;
  fputc('[', c->f);
  STRACE_VALUE(c->f, clocks, v, "PR_TSC");
  fputc(']', c->f);
  return 0;
}

/* Bits of which none has a name are followed by the kind of name. */
static void put_securebits(FILE *f, u64 v) {
  u64 known = 0;
  for (unsigned k = 0; k < ARRAY_SIZE(securebits); k++) known |= securebits[k].value;
  if (v && !(v & known)) fprintf(f, "%#" PRIx64 " /* SECBIT_??? */", v);
  else STRACE_FLAGS(f, securebits, v, "0");
}

/* How many words it took. */
static unsigned put_machine_check(const struct strace_call *c, u64 v) {
  static const struct strace_name what[] = {N(PR_MCE_KILL_CLEAR), N(PR_MCE_KILL_SET)};
  STRACE_VALUE(c->f, what, v, "PR_MCE_KILL");
  if (v != PR_MCE_KILL_SET) return 1;
  fputs(", ", c->f);
  STRACE_VALUE(c->f, kills, c->a[2], "PR_MCE_KILL");
  return 2;
}
static unsigned put_ambient(const struct strace_call *c, u64 v) {
  static const struct strace_name what[] = {N(PR_CAP_AMBIENT_IS_SET), N(PR_CAP_AMBIENT_RAISE),
                                            N(PR_CAP_AMBIENT_LOWER), N(PR_CAP_AMBIENT_CLEAR_ALL)};
  STRACE_VALUE(c->f, what, v, "PR_CAP_AMBIENT");
  if (v < PR_CAP_AMBIENT_IS_SET || v > PR_CAP_AMBIENT_LOWER) return 1;
  fputs(", ", c->f);
  STRACE_VALUE(c->f, capabilities, c->a[2], "CAP");
  return 2;
}

static unsigned put_second(const struct strace_call *c, enum kind kind, u64 v) {
  enum { NAME_BYTES = 15 };
  bool any_tracer = v == (c->t->compat ? UINT32_MAX : UINT64_MAX);
  switch (kind) {
    case NUMBER: fprintf(c->f, "%" PRIu64, v); break;
    case STRING: strace_string(c, v, NAME_BYTES); break;
    case SIGNAL: strace_signo(c->f, (int)v); break;
    case SIGNAL_AT: strace_or_pointer(c, v, put_signal_at); break;
    case INT_AT: strace_or_pointer(c, v, put_int_at); break;
    case WORD_AT: strace_or_pointer(c, v, put_word_at); break;
    case DUMPABLE: STRACE_VALUE(c->f, dumpables, v, "SUID_DUMP"); break;
    case TSC: STRACE_VALUE(c->f, clocks, v, "PR_TSC"); break;
    case TSC_AT: strace_or_pointer(c, v, put_clock_at); break;
    case CAPABILITY: STRACE_VALUE(c->f, capabilities, v, "CAP"); break;
    case SECURE: put_securebits(c->f, v); break;
    case TRACER: fprintf(c->f, any_tracer ? "PR_SET_PTRACER_ANY" : "%d", (int)v); break;
    case MACHINE_CHECK: return put_machine_check(c, v);
    case AMBIENT: return put_ambient(c, v);
    default: fprintf(c->f, "%#" PRIx64, v);
  }
  return 1;
}

void strace_prctl_arguments(const struct strace_call *c) {
  const struct option *o = find((u32)c->a[0]);
  enum { LAST = 4 };
  unsigned word = 1, last = o ? 1u + o->more : LAST;
  if (o && o->kind == NOTHING) return;
  fputs(", ", c->f);
  if (o && o->fills && c->ret < 0) {
    strace_pointer(c->f, c->a[1]);
    return;
  }
  for (word += put_second(c, o ? o->kind : ALL, c->a[1]); word <= last; word++)
    fprintf(c->f, ", %#" PRIx64, c->a[word]);
}

bool strace_prctl_bits(const struct strace_call *c) {
  return c->row->args[0] == 'J' && c->a[0] == PR_GET_SECUREBITS;
}

void strace_prctl_note(const struct strace_call *c) {
  u32 option = (u32)c->a[0];
  if (c->ret < 0 || (option == PR_GET_SECUREBITS && !c->ret)) return;
  if (option != PR_GET_DUMPABLE && option != PR_MCE_KILL_GET && option != PR_GET_SECUREBITS) return;
  fputs(" (", c->f);
  if (option == PR_GET_DUMPABLE) STRACE_VALUE(c->f, dumpables, (u64)c->ret, "SUID_DUMP");
  else if (option == PR_MCE_KILL_GET) STRACE_VALUE(c->f, kills, (u64)c->ret, "PR_MCE_KILL");
  else STRACE_FLAGS(c->f, securebits, (u64)c->ret, "0");
  fputc(')', c->f);
}
