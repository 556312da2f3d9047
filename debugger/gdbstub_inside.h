/* The gdb stub's inside, for its own files. */
#ifndef DEBUGGER_GDBSTUB_INSIDE_H
#define DEBUGGER_GDBSTUB_INSIDE_H

#include <stdio.h>

#include "debugger/dbg.h"
#include "debugger/gdbstub.h"

enum {
  GDB_PACKET = 0x4000,             /* longest packet from the client, and in replies longest part of a larger object */
  GDB_REPLY = 2 * GDB_PACKET + 64,
  GDB_REGS = 256,
  GDB_WIDEST = 32, /* bytes of a register */
  GDB_FILES = 8,
  GDB_POINTS = 1 << 16,
  GDB_ARGS = 1024,
  GDB_INTERRUPT = 3, /* the client's Ctrl-C */
};
/* Error numbers, of errno(3) where there is one. */
enum { GDB_E_GONE = 3, GDB_E_MEMORY = 14, GDB_E_BAD = 22, GDB_E_LONG = 36 };

/* A part of a packet that is yet to be read. */
struct gdb_text {
  const u8 *at, *end;
};

struct gdb_reg {
  char name[16];
  const char *type;
  u8 bytes, how, feature;
  u16 which;
};

/* A breakpoint of the client's; `number` is the session's point. */
struct gdb_point {
  u8 type;
  u64 addr, len;
  unsigned number;
};

struct gdb_file {
  bool open;
  FILE *file;  /* or: */
  char *text;
  size_t size;
};

struct gdbstub {
  struct dbg *d;
  struct gdb_io io;
  enum gdb_end end;

  /* The stream. */
  enum { GDB_IDLE, GDB_BODY, GDB_SUM1, GDB_SUM2 } state;
  u8 packet[GDB_PACKET + 1];
  size_t packet_n; /* more than GDB_PACKET: too long */
  u8 sum, claimed;
  bool no_ack, reply_none; /* no acknowledgements; this packet has no reply */
  char reply[GDB_REPLY];
  size_t reply_n;
  bool reply_full;
  char frame[GDB_REPLY + 8]; /* the last one sent, for a '-' */
  size_t frame_n;

  /* What the client can. */
  bool multiprocess, swbreak, hwbreak;
  bool extended;   /* the end of the program is not that of the session */

  bool killed;     /* in an extended session, until it is run again */
  bool interrupt;  /* 03h came while nothing ran */

  bool wide;       /* the x86_64 layout */
  struct gdb_reg reg[GDB_REGS];
  unsigned regs, first_expedited[3];
  char *xml;
  size_t xml_n;

  struct gdb_point *point;
  unsigned points, points_room;
  unsigned *caught;  /* numbers of the points of `catch syscall` */
  unsigned caughts;

  char *path;        /* of the program; NULL: none */
  struct gdb_file file[GDB_FILES];
};

/* gdbstub.c: reading packets and writing replies */
bool gdb_hex(struct gdb_text *t, u64 *v);          /* at least one digit */
bool gdb_char(struct gdb_text *t, char c);         /* takes it if it is there */
bool gdb_word(struct gdb_text *t, const char *word); /* takes it if it is there */
size_t gdb_hex_bytes(struct gdb_text *t, u8 *to, size_t room); /* pairs of digits */
static inline size_t gdb_left(const struct gdb_text *t) { return (size_t)(t->end - t->at); }
void gdb_put(struct gdbstub *g, const char *fmt, ...) PRINTF_LIKE(2, 3);
void gdb_put_hex(struct gdbstub *g, const void *bytes, size_t n);
size_t gdb_put_binary(struct gdbstub *g, const void *bytes, size_t n); /* escaped: how many were done */
void gdb_error(struct gdbstub *g, unsigned number);
/* Text for the client's console: while it waits for a stop or for `monitor`. */
void gdb_console(struct gdbstub *g, const char *text, size_t n);
/* Runs what prints to the session's output, with that going to the client's console. */
void gdb_tell(struct gdbstub *g, void (*tell)(struct gdbstub *g, const void *what), const void *what);
/* The processor's linear address of an address that the client gave. */
u64 gdb_address(const struct gdbstub *g, u64 addr);
/* "p1.1", or "1" */
void gdb_put_thread(struct gdbstub *g);
/* A thread's name: is it ours, or any? */
bool gdb_thread(struct gdb_text *t, const struct gdbstub *g);

/* gdbstub_regs.c */
MUST_CHECK int gdb_regs_create(struct gdbstub *g);
void gdb_read_all(struct gdbstub *g);
void gdb_write_all(struct gdbstub *g, struct gdb_text *t);
void gdb_read_one(struct gdbstub *g, struct gdb_text *t);
void gdb_write_one(struct gdbstub *g, struct gdb_text *t);
void gdb_set_pc(struct gdbstub *g, u64 addr);
/* "06:value;" of the stack, frame and instruction pointers. */
void gdb_put_expedited(struct gdbstub *g);

/* gdbstub_run.c */
void gdb_resume(struct gdbstub *g, bool step, int signal);
bool gdb_restart(struct gdbstub *g);
void gdb_resume_packet(struct gdbstub *g, char how, struct gdb_text *t); /* c C s S */
void gdb_vcont(struct gdbstub *g, struct gdb_text *t);
void gdb_put_stop(struct gdbstub *g);
void gdb_point(struct gdbstub *g, struct gdb_text *t, bool insert);
void gdb_points_free(struct gdbstub *g);
void gdb_catch_syscalls(struct gdbstub *g, struct gdb_text *t);
void gdb_pass_signals(struct gdbstub *g, struct gdb_text *t);
bool gdb_gone(const struct gdbstub *g); /* there are no registers and no memory any more */
int gdb_signal(int linux_signal);

/* gdbstub_query.c, gdbstub_file.c */
void gdb_query(struct gdbstub *g, struct gdb_text *t);
void gdb_set(struct gdbstub *g, struct gdb_text *t);
void gdb_file_packet(struct gdbstub *g, struct gdb_text *t);
void gdb_files_close(struct gdbstub *g);

#endif
