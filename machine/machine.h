/* A whole machine: memory, one processor from its reset state, and the few devices of an ISA board.
 *
 *   0 .. 9FFFFh              memory
 *   C0000h .. FFFFFh         the ROM at its upper end, seen again below 4 GiB
 *   100000h .. size of mem   memory
 *
 * Ports: 20h 21h A0h A1h interrupt controllers (IBM PC lines: 0 timer, 4 serial), 40h-43h timer, 61h its channel 2,
 * 92h A20 (always on) and reset, E9h debug console, F4h exit, 3F8h-3FFh 16550A serial port. Others read all ones.
 *
 * Time is counted, not measured: MACHINE_INSNS_PER_TICK instructions are one tick of the timer's 1.193182 MHz clock,
 * and a halted processor skips to the next event. So a run repeats exactly. */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include "cpu/vm.h"
#include "loader/boot.h"

enum { MACHINE_INSNS_PER_TICK = 84 }; /* about 100 million a second */
#define MACHINE_MIN_MEM (UINT64_C(1) << 20)
#define MACHINE_MAX_MEM (UINT64_C(0xe0000000))

/* Where the serial port and the debug console lead. */
struct machine_console {
  void *opaque;
  void (*put)(void *opaque, u8 byte);   /* the serial port sent a byte */
  void (*debug)(void *opaque, u8 byte); /* port E9h */
  /* The next byte for the serial port; -1: none yet; -2: none ever again. wait: may block for one. */
  int (*get)(void *opaque, bool wait);
};

struct machine_options {
  const struct cpu_model *model; /* must outlive the machine */
  u64 mem;                       /* bytes; rounded down to a page */
  u64 seed;                      /* RDRAND's and RDSEED's numbers follow from it */
  struct machine_console console; /* NULL functions: output vanishes, no input */
};

enum machine_end {
  MACHINE_EXITED,   /* the exit port was written: code = value << 1 | 1 */
  MACHINE_HALTED,   /* HLT, and nothing can wake the processor */
  MACHINE_SHUTDOWN, /* triple fault */
  MACHINE_LIMIT,    /* the instructions allowed are used up */
  MACHINE_STOPPED,  /* machine_stop() */
  MACHINE_RESET,    /* port 92h asked for a reset */
};

struct machine_status {
  enum machine_end how;
  u32 code;        /* of MACHINE_EXITED */
  char why[160];   /* of the others: one line */
};

struct machine;

/* A machine without a program. NULL and one line in err: out of memory, or a size out of range. */
MUST_CHECK struct machine *machine_create(const struct machine_options *o, char *err, size_t errsz);
void machine_destroy(struct machine *m);
struct vm *machine_vm(struct machine *m);
struct cpu *machine_cpu(struct machine *m);

/* Starts the machine over with an image in its memory, and the processor where that kind of image starts:
 * machine/boot.c. cmdline is a multiboot kernel's; NULL: empty. 0, or -1 and one line. */
MUST_CHECK int machine_boot(struct machine *m, const struct boot_image *img, const char *cmdline, char *err,
                            size_t errsz);

/* Runs until the guest ends, or for max_insns instructions (0: no limit). May be called again unless it exited. */
void machine_run(struct machine *m, u64 max_insns, struct machine_status *st);

/* One instruction, or the delivery of an event: then *st is MACHINE_LIMIT. A halted processor waits for what wakes it. */
void machine_step(struct machine *m, struct machine_status *st);

/* Asks machine_run(), from any thread, a hook or a signal handler, to return. */
void machine_stop(struct machine *m);

/* Line n of what the devices' state is, in words: for a debugger. False: there are no more. */
bool machine_describe(struct machine *m, unsigned n, char *buf, size_t size);

/* An edge on one of the sixteen interrupt lines; an NMI. Also from a test, between two machine_run(). */
void machine_raise_irq(struct machine *m, unsigned line);
void machine_raise_nmi(struct machine *m);

/* Adds a device at ports first..last. wide: it takes 2- and 4-byte accesses whole; else they come as bytes at
 * successive ports, as on an 8-bit bus. Earlier devices win. 0, or -1: the table is full. */
struct machine_device {
  u16 first, last;
  bool wide;
  u32 (*in)(void *opaque, u16 port, unsigned size);
  void (*out)(void *opaque, u16 port, unsigned size, u32 value);
  void *opaque;
};
MUST_CHECK int machine_add_device(struct machine *m, const struct machine_device *d);

#endif
