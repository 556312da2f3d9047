/* What is debugged, as the debugger sees it: a processor that can be run, and what its owner knows of it. app/ fills this
 * for a Linux program (app/debug_program.c) and for a machine (app/debug_machine.c); the debugger knows neither. */
#ifndef DEBUGGER_TARGET_H
#define DEBUGGER_TARGET_H

#include "cpu/vm.h"

/* How a run ended. */
enum dbg_end {
  END_STOPPED,   /* its limit is reached, somebody asked, or cpu->stopped says why: the target can go on */
  END_SIGNAL,    /* a signal is about to be delivered; resuming delivers it */
  END_EXITED,    /* code: the status */
  END_KILLED,    /* code: the signal */
  END_HALTED,    /* HLT with nothing to wake it */
  END_SHUTDOWN,  /* triple fault */
  END_RESET,     /* the guest asked for a reset */
  END_FAILED,    /* the emulator cannot go on */
};

struct dbg_ended {
  enum dbg_end how;
  int code;
  char why[256]; /* of HALTED, SHUTDOWN, RESET, FAILED: one line */
};

/* Something with symbols in the guest's memory. */
struct dbg_module {
  const char *name;  /* as shown: a path, "[vdso]", "[kernel]" */
  const char *path;  /* an ELF file, or NULL: */
  const void *mem;   /* an ELF image in memory, or NULL: */
  size_t size;
  const struct dbg_label { const char *name; u64 addr; } *label; /* labels alone, sorted by address */
  unsigned labels;
  u64 bias;          /* added to the addresses in the file */
  u64 lo, hi;        /* linear addresses that it holds */
};

/* A mapping of the guest's address space. */
struct dbg_mapping {
  u64 lo, hi;
  char prot[8];      /* "rwxp", as in /proc/PID/maps */
  u64 offset;
  char name[256];
};

/* A signal on its way to the program. */
struct dbg_signal {
  int signo;
  int code;          /* si_code */
  u64 addr;          /* si_addr, of faults */
  u64 value;         /* si_pid in the low half otherwise */
};

struct dbg_target {
  void *opaque;
  struct cpu *cpu;
  bool machine;      /* a whole machine; else a Linux program */
  const char *name;  /* of the program or image */

  /* At most `limit` instructions (0: no limit). A delivery that no instruction asked for counts as a step. */
  void (*run)(void *opaque, u64 limit, struct dbg_ended *end);
  /* From a signal handler or a hook: run() shall return soon. */
  void (*stop)(void *opaque);
  /* Starts over. 0, or -1 and one line; then there is no processor any more. cpu may have changed. */
  int (*restart)(void *opaque, struct dbg_target *t, char *err, size_t n);
  /* The arguments behind the program's name, from the next start on. 0, or -1: out of memory. NULL: a machine. */
  int (*arguments)(void *opaque, unsigned argc, const char *const *argv);

  /* The program's own memory, at linear addresses, whether its pages have been touched yet or may be written: how many bytes
   * were done. NULL: a machine, whose memory is what the page tables show. */
  unsigned (*read)(void *opaque, u64 la, void *buf, unsigned n);
  unsigned (*write)(void *opaque, u64 la, const void *buf, unsigned n);

  /* Modules by number; false beyond the last. */
  bool (*module)(void *opaque, unsigned n, struct dbg_module *m);
  /* Mappings by number, by address. NULL: a machine. */
  bool (*mapping)(void *opaque, unsigned n, struct dbg_mapping *m);
  /* The auxiliary vector, as the program got it: pairs of words of its width. Bytes. NULL: a machine. */
  unsigned (*auxv)(void *opaque, void *buf, unsigned n);

  /* Line n of what its devices' state is; false beyond the last. NULL: a program. */
  bool (*device)(void *opaque, unsigned n, char *text, size_t size);

  /* NULL for a machine: */
  /* Would this fault of the program, about to be delivered, become a signal? False: the kernel serves it. */
  bool (*fault_signal)(void *opaque, const struct fault *f, struct dbg_signal *s);
  /* It is delivered now, and the signal that it becomes shall not be asked about again. */
  void (*pass_fault)(void *opaque);
  /* After END_SIGNAL: which. */
  bool (*signal)(void *opaque, struct dbg_signal *s);
  /* Resume with this signal instead; 0: none. */
  void (*set_signal)(void *opaque, int signo);
  /* Sends the program a signal, as kill() would. */
  void (*send_signal)(void *opaque, int signo);
  /* "SIGSEGV"; NULL: no such signal. And back, 0: none ("SEGV" as well). */
  const char *(*signal_name)(int signo);
  int (*signal_number)(const char *name);
  /* Dispositions and masks: what `info signals` shows of one. */
  bool (*signal_state)(void *opaque, int signo, const char **disposition, u64 *handler, bool *blocked, bool *pending);

  /* System calls: -1 when the ABI (i386 or not) has none of this name; NULL when there is none of this number. */
  int (*syscall_number)(void *opaque, const char *name, bool i386);
  const char *(*syscall_name)(void *opaque, unsigned number, bool i386);
  /* The kernel's instructions that do a system call, by number: stopping there is stopping at its entry, and at `behind` at
   * its return. False beyond the last. */
  bool (*syscall_site)(void *opaque, unsigned n, u64 *at, u64 *behind);
  /* At such a place: which call, and a line for people ("write(1, 0x4a0000, 6)", behind it with its result). */
  bool (*syscall)(void *opaque, bool behind, unsigned *number, bool *i386, char *text, size_t n);
  /* The program's registers, while the processor is in the kernel's entry stub with nothing recorded. False: unknown. */
  bool (*under)(void *opaque, u64 gpr[16], u64 *rip, u16 *cs);

  int pid, tid;
};

#endif
