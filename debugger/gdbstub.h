/* The gdb stub: gdb's remote serial protocol over a session. It knows no socket: bytes go in by gdbstub_feed(), and come
 * out by gdb_io.send. GDB manual, appendix E (Remote Serial Protocol) and G (Target Descriptions).
 *
 * What gdb sees
 * - One layout of registers for the session's life: i386's for an i386 program, x86_64's for everything else, machines
 *   in real mode too. gdb need never be told of a mode; `set architecture` would only break that.
 * - $rip ($eip) is the linear address of the next instruction, so that breakpoints and x/i agree with it where CS has a
 *   base; $ip is the offset in CS. $rsp is the register. Addresses of memory are linear.
 * - In ring 0 an i386 program is in 64-bit code above 4 GiB: gdb then sees the low halves of $eip and $esp, and finds
 *   that memory there.
 * - gdb disassembles by its architecture alone; `monitor x/i $pc` by the processor's mode.
 * - Breakpoints and watchpoints are the session's points: nothing is patched. What `monitor` resumes, gdb learns of by
 *   `maintenance flush register-cache`. */
#ifndef DEBUGGER_GDBSTUB_H
#define DEBUGGER_GDBSTUB_H

#include "debugger/session.h"

struct gdbstub;

struct gdb_io {
  void *opaque;
  /* All bytes to the client. A failure is the owner's to remember. */
  void (*send)(void *opaque, const void *bytes, size_t n);
  /* The target begins to run, and has stopped: between the two the owner listens for 03h, the client's interruption, and
   * for its end, and calls dbg_interrupt(). NULL: nobody interrupts. */
  void (*running)(void *opaque, bool on);
  /* Has somebody interrupted since running(true)? NULL: no. */
  bool (*interrupted)(void *opaque);
};

enum gdb_end {
  GDB_GOES_ON,
  GDB_DETACHED, /* the target goes on alone */
  GDB_KILLED,
};

/* NULL: out of memory. */
MUST_CHECK struct gdbstub *gdbstub_create(struct dbg *d, const struct gdb_io *io);
void gdbstub_destroy(struct gdbstub *g);
/* Another client: acknowledgements are on, nothing is agreed. */
void gdbstub_connected(struct gdbstub *g);
/* Its end: the breakpoints are gone. True: it has killed the target, and not run it again. */
bool gdbstub_disconnected(struct gdbstub *g);
/* Bytes from the client, as they come. Returns behind the bytes, or at once when the session with gdb is over. */
enum gdb_end gdbstub_feed(struct gdbstub *g, const void *bytes, size_t n);

#endif
