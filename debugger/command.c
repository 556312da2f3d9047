/* Command lines: finding the command, collecting bodies, user commands, completion. */
#include "debugger/command.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/regname.h"

#define COMMAND(names, group, args, help, example, fn, complete, flags) {names, group, args, help, example, fn, complete, flags},
const struct command command_rows[] = {
#include "debugger/commands.def"
};
#undef COMMAND
const unsigned command_row_count = ARRAY_SIZE(command_rows);

#define INFO(name, args, help, fn) {name, args, help, fn},
const struct info_row info_rows[] = {
#include "debugger/info.def"
};
#undef INFO
const unsigned info_row_count = ARRAY_SIZE(info_rows);

enum { DEPTH = 32 };

/* ---- words ---- */

const char *command_skip(const char *s) {
  while (isspace((unsigned char)*s)) s++;
  return s;
}

bool command_word(const char **at, char *buf, size_t n) {
  const char *s = command_skip(*at);
  size_t len = strcspn(s, " \t");
  snprintf(buf, n, "%.*s", (int)len, s);
  *at = command_skip(s + len);
  return len;
}

bool command_value(struct dbg *d, const char *args, u64 *v) {
  char err[256];
  if (!dbg_eval(d, args, v, err, sizeof err)) return true;
  out_error(d->out, "%s", err);
  return false;
}

bool command_place(struct dbg *d, const char *args, bool prologue, u64 *addr) {
  char err[256];
  if (dbg_place(d, args, prologue, addr, 1, err, sizeof err) > 0) return true;
  out_error(d->out, "%s", err);
  return false;
}

bool command_count(struct dbg *d, const char *args, u64 *n) {
  *n = 1;
  if (!*args) return true;
  if (!command_value(d, args, n)) return false;
  if (*n >> 63) out_error(d->out, "'%s' is no count", args);
  return !(*n >> 63);
}

struct view command_view(struct dbg *d) { return (struct view){d->out, d->cpu, dbg_before(d), d->syms}; }

/* ---- finding ---- */

/* Does one of the names, or a beginning of one, match? 2: wholly. */
static int match(const char *names, const char *word, size_t n) {
  int best = 0;
  for (const char *s = names; *s; s += strcspn(s, " "), s += *s == ' ') {
    size_t len = strcspn(s, " ");
    if (len == n && !strncmp(s, word, n)) return 2;
    if (len > n && !strncmp(s, word, n)) best = 1;
  }
  return best;
}

const struct command *command_find(const char *name, size_t n, char *err, size_t size) {
  const struct command *found = NULL;
  unsigned many = 0;
  if (!n) {
    snprintf(err, size, "'%.80s' is no command; 'print %.40s' shows a value", name, name);
    return NULL;
  }
  for (unsigned k = 0; k < command_row_count; k++) {
    int m = match(command_rows[k].names, name, n);
    if (m == 2) return &command_rows[k];
    if (m == 1 && many++ == 0) found = &command_rows[k];
  }
  if (many == 1) return found;
  if (!n) many = 0, n = strcspn(name, " \t");
  snprintf(err, size, many ? "'%.*s' could be more than one command; see help" : "'%.*s' is no command; see help", (int)n, name);
  return NULL;
}

static struct user_command *user_command(struct dbg *d, const char *name, size_t n) {
  struct user_command *u = d->commands->user;
  while (u && (strlen(u->name) != n || strncmp(u->name, name, n))) u = u->next;
  return u;
}

/* ---- bodies ---- */

static void forget_lines(struct commands *c) {
  for (unsigned k = 0; k < c->lines; k++) free(c->line[k]);
  free(c->line);
  c->line = NULL;
  c->lines = 0;
}

static void body_ends(struct dbg *d) {
  struct commands *c = d->commands;
  struct point *p = c->collecting == COLLECT_POINT ? dbg_point(d, c->point) : NULL;
  if (p) {
    for (char **old = p->commands; old && *old; old++) free(*old);
    free(p->commands);
    p->commands = calloc(c->lines + 1, sizeof *p->commands);
    if (p->commands && c->lines) memcpy(p->commands, c->line, c->lines * sizeof *c->line);
    if (p->commands) c->lines = 0;
  } else if (c->collecting == COLLECT_DEFINE) {
    struct user_command *u = user_command(d, c->name, strlen(c->name));
    if (!u && (u = calloc(1, sizeof *u)) != NULL) {
      u->name = strdup(c->name);
      u->next = c->user;
      c->user = u;
    }
    if (u) {
      for (unsigned k = 0; k < u->lines; k++) free(u->line[k]);
      free(u->line);
      u->line = c->line;
      u->lines = c->lines;
      c->line = NULL;
      c->lines = 0;
    }
  }
  forget_lines(c);
  c->collecting = COLLECT_NOTHING;
}

/* gdb's commands with bodies that are not here: their lines are passed over, and not done. */
static bool has_body(const char *word) {
  static const char *const words[] = {"if", "while", "document", "python", "guile", "compile"};
  for (unsigned k = 0; k < ARRAY_SIZE(words); k++)
    if (!strcmp(word, words[k])) return true;
  return false;
}

static bool dropped(struct dbg *d, const char *line) {
  char word[16];
  const char *at = line;
  if (!command_word(&at, word, sizeof word) || !has_body(word)) return false;
  if (strcmp(word, "document")) {
    out_begin(d->out, "error");
    out_error(d->out, "'%s' is not known here; its lines up to 'end' are passed over", word);
    out_end(d->out);
    d->commands->failed = true;
  }
  d->commands->collecting = COLLECT_DROP;
  return true;
}

static void collect(struct dbg *d, const char *line) {
  struct commands *c = d->commands;
  char word[16];
  const char *at = line;
  (void)command_word(&at, word, sizeof word);
  if (!strcmp(word, "end") && !c->nested) {
    body_ends(d);
    return;
  }
  if (!strcmp(word, "commands") || !strcmp(word, "define") || has_body(word)) c->nested++;
  if (!strcmp(word, "end")) c->nested--;
  char **more = realloc(c->line, (c->lines + 1) * sizeof *more);
  if (!more) return;
  c->line = more;
  if ((more[c->lines] = strdup(command_skip(line))) != NULL) c->lines++;
}

/* $arg0, $arg1, ... and $argc, by their words. */
static void expand(const char *line, const char *args, char *out, size_t n) {
  size_t at = 0;
  unsigned argc = 0;
  char word[256];
  for (const char *a = args; command_word(&a, word, sizeof word);) argc++;
  while (*line && at + 1 < n) {
    if (!strncmp(line, "$argc", 5)) {
      at += (size_t)snprintf(out + at, n - at, "%u", argc);
      line += 5;
    } else if (!strncmp(line, "$arg", 4) && isdigit((unsigned char)line[4])) {
      unsigned want = (unsigned)(line[4] - '0'), k = 0;
      const char *a = args;
      bool have = false;
      while (k <= want && (have = command_word(&a, word, sizeof word))) k++;
      if (have) at += (size_t)snprintf(out + at, n - at, "%s", word);
      line += 5;
    } else {
      out[at++] = *line++;
    }
    if (at >= n) at = n - 1;
  }
  out[at] = 0;
}

static bool run_user(struct dbg *d, struct user_command *u, const char *args) {
  struct commands *c = d->commands;
  char line[1024];
  if (c->depth >= DEPTH) {
    out_error(d->out, "%s: commands call one another too deeply", u->name);
    return true;
  }
  c->depth++;
  bool go_on = true;
  c->failed = false;
  for (unsigned k = 0; k < u->lines && go_on && !c->failed; k++) {
    expand(u->line[k], args, line, sizeof line);
    go_on = dbg_command(d, line);
  }
  c->depth--;
  return go_on;
}

/* ---- one line ---- */

/* `x/4xg` and `p/x` have their format at the name. */
static size_t name_length(const char *s) {
  size_t n = 0;
  while (isalnum((unsigned char)s[n]) || s[n] == '-' || s[n] == '_') n++;
  return n;
}

/* What a stop does: a point's own commands, once the stop has been told. */
static void after_stop(struct dbg *d) {
  struct point *p = d->stop.why == STOP_POINT ? d->stop.point : NULL;
  if (!p || !p->commands || d->commands->depth >= DEPTH) return;
  unsigned number = p->number;
  d->commands->depth++;
  for (unsigned k = 0; (p = dbg_point(d, number)) != NULL && p->commands && p->commands[k]; k++) {
    bool resumes = false;
    if (!strcmp(p->commands[k], "silent")) continue;
    d->commands->resumed = false;
    if (!dbg_command(d, p->commands[k])) break;
    resumes = d->commands->resumed;
    if (resumes) break; /* another stop has had its say */
  }
  d->commands->depth--;
}

static bool is_silent(const struct dbg *d) {
  const struct point *p = d->stop.why == STOP_POINT ? d->stop.point : NULL;
  return p && p->commands && p->commands[0] && !strcmp(p->commands[0], "silent");
}

static void execute(struct dbg *d, const struct command *c, const char *args) {
  if ((c->flags & COMMAND_RESUMES) && !d->alive && c->run != cmd_run && c->run != cmd_start && c->run != cmd_starti) {
    out_begin(d->out, "error");
    out_error(d->out, "the target has ended; 'run' starts it over");
    out_end(d->out);
    d->commands->failed = true;
    return;
  }
  if (c->flags & COMMAND_RESUMES) {
    u64 before = d->runs;
    out_begin(d->out, "error");
    c->run(d, args);
    bool failed = out_failed(d->out);
    out_end(d->out);
    d->commands->resumed = true;
    d->commands->failed = failed;
    if (failed || before == d->runs) return;
    if (!is_silent(d)) dbg_tell_stop(d);
    after_stop(d);
    return;
  }
  char event[32];
  snprintf(event, sizeof event, "%.*s", (int)strcspn(c->names, " "), c->names);
  out_begin(d->out, event);
  c->run(d, args);
  d->commands->failed |= out_failed(d->out);
  out_end(d->out);
}

bool dbg_command(struct dbg *d, const char *line) {
  struct commands *c = d->commands;
  char err[160];
  if (c->collecting) {
    collect(d, line);
    return true;
  }
  line = command_skip(line);
  if (!*line || *line == '#') return true;
  c->failed = false;
  if (dropped(d, line)) return true;
  char *copy = strdup(line);
  if (!copy) return true;
  for (size_t n = strlen(copy); n && isspace((unsigned char)copy[n - 1]);) copy[--n] = 0;
  size_t n = name_length(copy);
  struct user_command *u = user_command(d, copy, n);
  const struct command *row = u ? NULL : command_find(copy, n, err, sizeof err);
  bool go_on = true;
  if (u) {
    go_on = run_user(d, u, command_skip(copy + n));
  } else if (row) {
    execute(d, row, command_skip(copy + n));
    go_on = !c->quit;
  } else {
    out_begin(d->out, "error");
    out_error(d->out, "%s", err);
    out_end(d->out);
    c->failed = true;
  }
  free(copy);
  return go_on;
}

void dbg_forbid_files(struct dbg *d, bool on) { d->commands->no_files = on; }
bool command_may_read_files(struct dbg *d) {
  if (d->commands->no_files) out_error(d->out, "a client of the stub may read no files: do this with -x or -ex");
  return !d->commands->no_files;
}

int dbg_status(const struct dbg *d) { return d->status; }
bool dbg_failed(const struct dbg *d) { return d->commands->failed; }
bool dbg_collecting(const struct dbg *d) { return d->commands->collecting; }
void dbg_drop_body(struct dbg *d) {
  forget_lines(d->commands);
  d->commands->collecting = COLLECT_NOTHING;
  d->commands->nested = 0;
}

bool dbg_repeats(const char *line) {
  char err[160];
  line = command_skip(line);
  const struct command *c = command_find(line, name_length(line), err, sizeof err);
  return c && (c->flags & COMMAND_REPEATS);
}

void dbg_repetition(const char *line, char *buf, size_t n) {
  char err[160];
  line = command_skip(line);
  size_t name = name_length(line), format = line[name] == '/' ? strcspn(line + name, " \t") : 0;
  const struct command *c = command_find(line, name, err, sizeof err);
  bool goes_on = c && (c->run == cmd_x || c->run == cmd_xp || c->run == cmd_xv || c->run == cmd_list || c->run == cmd_disassemble);
  if (!c || !(c->flags & COMMAND_REPEATS)) snprintf(buf, n, "%s", "");
  else snprintf(buf, n, "%.*s", goes_on ? (int)(name + format) : (int)strlen(line), line);
}

/* ---- completion ---- */

static const char *nth_word(const char *names, const char *start, size_t len, unsigned *n, char *buf, size_t size) {
  for (const char *s = names; *s; s += strcspn(s, " |[]."), s += strspn(s, " |[].")) {
    size_t k = strcspn(s, " |[].");
    if (k >= len && k > 1 && !strncmp(s, start, len) && islower((unsigned char)*s) && (*n)-- == 0) {
      snprintf(buf, size, "%.*s", (int)k, s);
      return buf;
    }
  }
  return NULL;
}

static const char *complete_command(struct dbg *d, const char *start, size_t len, unsigned n, char *buf, size_t size) {
  for (unsigned k = 0; k < command_row_count; k++) {
    const char *names = command_rows[k].names;
    char first[64];
    snprintf(first, sizeof first, "%.*s", (int)strcspn(names, " "), names);
    const char *w = nth_word(first, start, len, &n, buf, size);
    if (w) return w;
  }
  for (struct user_command *u = d->commands->user; u; u = u->next)
    if (!strncmp(u->name, start, len) && n-- == 0) return u->name;
  return NULL;
}

static const char *complete_info(const char *start, size_t len, unsigned n) {
  for (unsigned k = 0; k < info_row_count; k++)
    if (!strncmp(info_rows[k].name, start, len) && n-- == 0) return info_rows[k].name;
  return NULL;
}

static const char *complete_signal(struct dbg *d, const char *start, size_t len, unsigned n) {
  for (int k = 1; d->target.signal_name && k < SIGNALS; k++) {
    const char *s = d->target.signal_name(k);
    if (s && !strncmp(s, start, len) && n-- == 0) return s;
  }
  return NULL;
}

static const char *complete_symbol(struct dbg *d, const char *start, size_t len, unsigned n, char *buf, size_t size) {
  struct sym s;
  char prefix[128];
  snprintf(prefix, sizeof prefix, "%.*s", (int)len, start);
  if (!sym_prefix(d->syms, prefix, n, &s)) return NULL;
  snprintf(buf, size, "%s", s.name);
  return buf;
}

static const char *complete_register(const char *start, size_t len, unsigned n, char *buf, size_t size) {
  static const char *const also[] = {"pc", "sp", "fp", "ip", "eflags", "icount"};
  for (unsigned k = 0; k < ARRAY_SIZE(also); k++)
    if (!strncmp(also[k], start + 1, len - 1) && n-- == 0) {
      snprintf(buf, size, "$%s", also[k]);
      return buf;
    }
  for (unsigned k = 0; regname_at(k); k++)
    if (!strncmp(regname_at(k), start + 1, len - 1) && n-- == 0) {
      snprintf(buf, size, "$%s", regname_at(k));
      return buf;
    }
  return NULL;
}

const char *dbg_complete(struct dbg *d, const char *line, unsigned n) {
  static _Thread_local char buf[256];
  char err[160];
  line = command_skip(line);
  size_t name = name_length(line);
  const char *start = line + strlen(line);
  while (start > line && !strchr(" \t*+-(=[,", start[-1])) start--;
  size_t len = strlen(start);
  if (start == line) return complete_command(d, start, len, n, buf, sizeof buf);
  const struct command *c = command_find(line, name, err, sizeof err);
  if (!c) return NULL;
  if (*start == '$') return complete_register(start, len, n, buf, sizeof buf);
  switch (c->complete) {
    case COMPLETE_COMMAND: return complete_command(d, start, len, n, buf, sizeof buf);
    case COMPLETE_INFO: return complete_info(start, len, n);
    case COMPLETE_SIGNAL: return complete_signal(d, start, len, n);
    case COMPLETE_CATCH: return nth_word(c->args, start, len, &n, buf, sizeof buf);
    case COMPLETE_PLACE:
    case COMPLETE_EXPRESSION: return complete_symbol(d, start, len, n, buf, sizeof buf);
    default: return NULL;
  }
}

/* ---- making ---- */

int commands_create(struct dbg *d) {
  d->commands = calloc(1, sizeof *d->commands);
  if (!d->commands) return -1;
  d->commands->list_size = 10;
  d->commands->x_format = 'x';
  d->commands->x_size = 'w';
  /* Of the fault that `catch exception` looks at: known to conditions before there is one. */
  return variables_set(d, "_vector", 0) || variables_set(d, "_error", 0) || variables_set(d, "_address", 0) ? -1 : 0;
}

void commands_free(struct dbg *d) {
  struct commands *c = d->commands;
  if (!c) return;
  forget_lines(c);
  while (c->user) {
    struct user_command *u = c->user;
    c->user = u->next;
    for (unsigned k = 0; k < u->lines; k++) free(u->line[k]);
    free(u->line);
    free(u->name);
    free(u);
  }
  while (c->displays) {
    struct display *s = c->displays;
    c->displays = s->next;
    free(s->text);
    free(s);
  }
  free(c->list_file);
  free(c);
  d->commands = NULL;
}
