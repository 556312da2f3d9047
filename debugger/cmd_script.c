/* Scripting, settings, help. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/command.h"

/* ---- settings ---- */

static const struct setting {
  const char *name, *values, *help;
} settings[] = {
    {"disassembly-flavor", "att|intel", "the syntax of instructions"},
    {"listsize", "N", "lines that 'list' shows"},
    {"json", "on|off", "answers as JSON, a line each"},
    {"record", "on|auto", "as the command 'record'"},
    {"confirm", "on|off", "accepted, for gdb's scripts: nothing asks"},
    {"pagination", "on|off", "accepted, for gdb's scripts: nothing pages"},
    {"width", "N", "accepted, for gdb's scripts"},
    {"height", "N", "accepted, for gdb's scripts"},
};

static const struct setting *setting(const char *name) {
  for (unsigned k = 0; k < ARRAY_SIZE(settings); k++)
    if (!strcmp(settings[k].name, name)) return &settings[k];
  return NULL;
}

static bool apply(struct dbg *d, const char *name, const char *value) {
  struct commands *c = d->commands;
  bool on = !strcmp(value, "on"), off = !strcmp(value, "off") || !strcmp(value, "auto");
  if (!strcmp(name, "disassembly-flavor")) {
    if (strcmp(value, "intel") && strcmp(value, "att")) return false;
    c->intel = !strcmp(value, "intel");
    disasm_set_intel(d->disasm, c->intel);
    return true;
  }
  if (!strcmp(name, "listsize")) {
    c->list_size = (unsigned)strtoul(value, NULL, 10);
    if (!c->list_size || c->list_size > 1000) c->list_size = 10;
    return true;
  }
  if (!strcmp(name, "width") || !strcmp(name, "height")) return true;
  if (!on && !off) return false;
  if (!strcmp(name, "json")) out_set_json(d->out, on);
  if (!strcmp(name, "record")) dbg_record(d, on);
  if (!strcmp(name, "confirm")) c->confirm = on;
  return true;
}

void cmd_set(struct dbg *d, const char *args) {
  char word[64];
  const char *at = args;
  u64 v;
  if (!command_word(&at, word, sizeof word)) {
    out_error(d->out, "set what? a setting ('help set'), or $rax = 1, u32[ADDR] = 5, $cs.base = 0, $STAR = ...");
    return;
  }
  const struct setting *s = setting(word);
  if (s) {
    if (!apply(d, word, at)) out_error(d->out, "%s is %s", s->name, s->values);
    return;
  }
  if (!strcmp(word, "var") || !strcmp(word, "variable")) args = at;
  if (!strchr(args, '=')) {
    out_error(d->out, "'%s' is no setting, and there is no '='; see help set", word);
    return;
  }
  if (!command_value(d, args, &v)) return;
}

static void show_all(struct dbg *d) {
  static const char *const shown[] = {"disassembly-flavor", "listsize", "json", "record"};
  for (unsigned k = 0; k < ARRAY_SIZE(shown); k++) {
    out_open(d->out, NULL);
    out_str(d->out, "setting", shown[k], "%s: ");
    cmd_show(d, shown[k]);
    out_close(d->out);
  }
}

void cmd_show(struct dbg *d, const char *args) {
  struct commands *c = d->commands;
  if (!*args) {
    out_open_list(d->out, "settings");
    show_all(d);
    out_close(d->out);
    return;
  }
  if (!strcmp(args, "disassembly-flavor")) out_str(d->out, "value", c->intel ? "intel" : "att", "%s\n");
  else if (!strcmp(args, "listsize")) out_num(d->out, "value", c->list_size, "%llu\n");
  else if (!strcmp(args, "json")) out_str(d->out, "value", out_json(d->out) ? "on" : "off", "%s\n");
  else if (!strcmp(args, "confirm") || !strcmp(args, "pagination")) out_str(d->out, "value", "off", "%s: nothing asks, nothing pages\n");
  else if (!strcmp(args, "width") || !strcmp(args, "height")) out_str(d->out, "value", "unlimited", "%s\n");
  else if (!strcmp(args, "record")) out_str(d->out, "value", d->record_always ? "on" : "auto", "%s\n");
  else if (!strcmp(args, "version")) out_str(d->out, "value", "ringwalk", "%s\n");
  else out_error(d->out, "'%s' is no setting; see help set", args);
}

/* ---- help ---- */

static void help_topics(struct dbg *d) {
  out_open_list(d->out, "topics");
  for (unsigned k = 0; k < info_row_count; k++) {
    out_open(d->out, NULL);
    char left[64];
    snprintf(left, sizeof left, "info %s %s", info_rows[k].name, info_rows[k].args);
    out_str(d->out, "topic", left, "%-28s ");
    out_str(d->out, "help", info_rows[k].help, "%s\n");
    out_close(d->out);
  }
  out_close(d->out);
}

static void help_settings(struct dbg *d) {
  for (unsigned k = 0; k < ARRAY_SIZE(settings); k++)
    out_text(d->out, "  set %-20s %-10s %s\n", settings[k].name, settings[k].values, settings[k].help);
}

static void help_all(struct dbg *d) {
  const char *group = "";
  out_open_list(d->out, "commands");
  for (unsigned k = 0; k < command_row_count; k++) {
    const struct command *c = &command_rows[k];
    char name[64];
    if (strcmp(group, c->group)) out_text(d->out, "%s%s\n", k ? "\n" : "", c->group);
    group = c->group;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(c->names, " "), c->names);
    out_open(d->out, NULL);
    out_str(d->out, "name", name, "  %-13s ");
    out_str(d->out, "help", c->help, "%s\n");
    out_close(d->out);
  }
  out_close(d->out);
  for (const struct user_command *u = d->commands->user; u; u = u->next) out_text(d->out, "  %-13s (defined here)\n", u->name);
}

void cmd_help(struct dbg *d, const char *args) {
  char err[160];
  if (!*args) {
    help_all(d);
    return;
  }
  const struct command *c = command_find(args, strcspn(args, " "), err, sizeof err);
  if (!c) {
    out_error(d->out, "%s", err);
    return;
  }
  size_t first = strcspn(c->names, " ");
  out_text(d->out, "%.*s %s\n", (int)first, c->names, c->args);
  out_str(d->out, "names", c->names, NULL);
  out_str(d->out, "arguments", c->args, NULL);
  out_str(d->out, "help", c->help, "%s\n");
  if (c->names[first]) out_text(d->out, "Also:%s\n", c->names + first);
  out_str(d->out, "example", c->example, "Example: %s\n");
  if (c->run == cmd_info) help_topics(d);
  if (c->run == cmd_set) help_settings(d);
}

/* ---- scripts ---- */

int dbg_source(struct dbg *d, const char *path, bool *go_on) {
  enum { DEPTH = 32 };
  FILE *f = d->commands->depth < DEPTH ? fopen(path, "re") : NULL;
  char *line = NULL;
  size_t room = 0;
  *go_on = true;
  if (!f) return -1;
  d->commands->depth++;
  d->commands->failed = false;
  while (*go_on && !d->commands->failed && getline(&line, &room, f) >= 0) {
    line[strcspn(line, "\r\n")] = 0;
    *go_on = dbg_command(d, line);
  }
  d->commands->depth--;
  free(line);
  fclose(f);
  return 0;
}

void cmd_source(struct dbg *d, const char *args) {
  bool go_on;
  if (!command_may_read_files(d)) return;
  if (!*args) out_error(d->out, "which file?");
  else if (dbg_source(d, args, &go_on)) out_error(d->out, "%s: %s", args, errno ? strerror(errno) : "too deep");
  else if (!go_on) d->commands->quit = true;
}

void cmd_define(struct dbg *d, const char *args) {
  struct commands *c = d->commands;
  size_t n = strcspn(args, " \t");
  if (!n || n >= sizeof c->name) {
    out_error(d->out, "which name?");
    return;
  }
  for (size_t k = 0; k < n; k++)
    if (!isalnum((unsigned char)args[k]) && args[k] != '-' && args[k] != '_') {
      out_error(d->out, "a name has letters, digits, - and _");
      return;
    }
  snprintf(c->name, sizeof c->name, "%.*s", (int)n, args);
  c->collecting = COLLECT_DEFINE;
}

/* The character behind a backslash. */
static char escaped(char c) {
  switch (c) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'e': return 27;
    default: return c;
  }
}

void cmd_echo(struct dbg *d, const char *args) {
  for (; *args; args++) {
    bool escape = *args == '\\' && args[1];
    char c = escape ? escaped(*++args) : *args;
    out_text(d->out, "%c", c);
  }
}

static void print_string(struct dbg *d, u64 addr) {
  char c;
  for (unsigned n = 0; n < 4096 && dbg_peek(d, addr + n, &c, 1) == 1 && c; n++) out_text(d->out, "%c", c);
}

void cmd_printf(struct dbg *d, const char *args) {
  const char *at = args, *end;
  char err[200];
  if (*at != '"' || !(end = strchr(at + 1, '"'))) {
    out_error(d->out, "a format in quotes comes first");
    return;
  }
  const char *values = command_skip(end + 1);
  for (at++; at < end; at++) {
    if (*at == '\\' && at + 1 < end) {
      out_text(d->out, "%c", escaped(*++at));
      continue;
    }
    if (*at != '%') {
      out_text(d->out, "%c", *at);
      continue;
    }
    size_t n = strspn(at + 1, "-+ #0123456789") + 1, k = n + strspn(at + n, "lhz");
    char how = at[k];
    if (how == '%') {
      out_text(d->out, "%%");
      at += k;
      continue;
    }
    struct value v;
    if (*values != ',' || dbg_eval_value(d, values + 1, &v, &values, err, sizeof err)) {
      out_error(d->out, "%s", *values == ',' ? err : "there are too few values");
      return;
    }
    if (strtoul(at + 1 + strspn(at + 1, "-+ #0"), NULL, 10) > 100) {
      out_error(d->out, "a field is at most 100 wide");
      return;
    }
    char format[64];
    snprintf(format, sizeof format, "%.*sll%c", (int)(n < 32 ? n : 32), at, how);
    if (how == 's') print_string(d, v.v);
    else if (how == 'c') out_text(d->out, "%c", (char)v.v);
    else if (strchr("dixXuo", how)) {
      char text[128];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
      snprintf(text, sizeof text, format, (unsigned long long)v.v);
#pragma GCC diagnostic pop
      out_text(d->out, "%s", text);
    } else {
      out_error(d->out, "%%%c is not known: d i u x X o c s", how);
      return;
    }
    at += k;
  }
}

/* ---- the rest ---- */

void cmd_symbol_file(struct dbg *d, const char *args) {
  char path[512], err[512];
  u64 bias = 0;
  if (!command_may_read_files(d)) return;
  if (!command_word(&args, path, sizeof path)) {
    out_error(d->out, "which file?");
    return;
  }
  if (*args && !command_value(d, args, &bias)) return;
  if (sym_add(d->syms, path, bias, err, sizeof err)) out_error(d->out, "%s", err);
}

void cmd_directory(struct dbg *d, const char *args) {
  if (!command_may_read_files(d)) return;
  if (*args) sym_add_directory(d->syms, args);
  else out_error(d->out, "which directory?");
}

void cmd_quit(struct dbg *d, const char *args) {
  u64 status = (u64)d->status;
  if (*args && !command_value(d, args, &status)) return;
  d->status = (int)(status & 0xff);
  d->commands->quit = true;
}
