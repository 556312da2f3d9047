/* Commands: one table (commands.def), and what their bodies share. */
#ifndef DEBUGGER_COMMAND_H
#define DEBUGGER_COMMAND_H

#include "debugger/dbg.h"

/* What a word of a command can be completed to. */
enum complete { COMPLETE_NONE, COMPLETE_PLACE, COMPLETE_EXPRESSION, COMPLETE_COMMAND, COMPLETE_INFO, COMPLETE_SIGNAL, COMPLETE_CATCH };

enum { COMMAND_REPEATS = 1 /* an empty line does it again */, COMMAND_RESUMES = 2 };

struct command {
  const char *names;   /* separated by blanks; the first is the one that `help` shows */
  const char *group;
  const char *args;    /* as help shows them */
  const char *help;    /* one sentence */
  const char *example; /* a line to try */
  void (*run)(struct dbg *d, const char *args);
  enum complete complete;
  unsigned flags;
};
extern const struct command command_rows[];
extern const unsigned command_row_count;

struct info_row {
  const char *name, *args, *help;
  void (*run)(struct dbg *d, const char *args);
};
extern const struct info_row info_rows[];
extern const unsigned info_row_count;

/* Bodies that are being read, and what the user has defined. */
struct user_command {
  struct user_command *next;
  char *name;
  char **line;
  unsigned lines;
};
struct commands {
  struct user_command *user;
  enum { COLLECT_NOTHING, COLLECT_POINT, COLLECT_DEFINE, COLLECT_DROP } collecting;
  unsigned point;
  char name[64];
  char **line;
  unsigned lines, nested;
  unsigned depth;       /* of scripts and user commands */
  struct display { unsigned number; char *text; bool enabled; struct display *next; } *displays;
  unsigned displays_made;
  u64 next_x;           /* where `x` goes on, */
  char x_format;        /* in this format */
  char x_size;
  u64 next_disassemble;
  char *list_file;
  unsigned list_line;
  bool tell_mode;       /* the last stop was told at this CPL and mode: for the note when either changes */
  u8 told_cpl;
  struct { u64 function; unsigned line; } told; /* by the last stop */
  bool confirm, intel, quit, resumed, no_files;
  bool failed;          /* the last command */
  unsigned list_size;
};

/* Finds a command by its name, an alias, or an unambiguous beginning. NULL and one line. */
const struct command *command_find(const char *name, size_t n, char *err, size_t size);

/* Does the commands in a file. -1: it cannot be read. */
MUST_CHECK int dbg_source(struct dbg *d, const char *path, bool *go_on);
/* False: files are forbidden; said. */
MUST_CHECK bool command_may_read_files(struct dbg *d);
/* An expression in args, or an error said. */
MUST_CHECK bool command_value(struct dbg *d, const char *args, u64 *v);
/* One place in args. */
MUST_CHECK bool command_place(struct dbg *d, const char *args, bool prologue, u64 *addr);
/* A count: 1 without one. */
MUST_CHECK bool command_count(struct dbg *d, const char *args, u64 *n);
const char *command_skip(const char *s);
/* The next word of *at into buf; false: there is none. */
bool command_word(const char **at, char *buf, size_t n);
/* "0x401136 <main+4>" and its JSON. */
void command_address(struct dbg *d, u64 la, const char *name);
/* The instruction at a place, as a line. Its length. */
unsigned command_instruction(struct dbg *d, u64 la, u64 rip, unsigned bits, bool here);
void command_source_line(struct dbg *d, u64 pc);
void command_displays(struct dbg *d);
void command_frame(struct dbg *d, unsigned n, const struct frame *f);
/* The view of the target for the functions of views.h. */
struct view command_view(struct dbg *d);

#define COMMAND(names, group, args, help, example, fn, complete, flags) void fn(struct dbg *d, const char *args_);
#include "debugger/commands.def"
#undef COMMAND
#define INFO(name, args, help, fn) void fn(struct dbg *d, const char *args_);
#include "debugger/info.def"
#undef INFO

#endif
