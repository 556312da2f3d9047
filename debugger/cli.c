/* The command line, by libedit. editline(3). */
#include "debugger/cli.h"

#include <errno.h>
#include <histedit.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debugger/command.h"

static const char *prompt_text(const struct dbg *d) { return dbg_collecting(d) ? ">" : "(ringwalk) "; }

static char *prompt(EditLine *el) {
  struct dbg *d = NULL;
  el_get(el, EL_CLIENTDATA, &d);
  return (char *)(uintptr_t)(d ? prompt_text(d) : "");
}

/* As much as all candidates have in common is inserted; with none, they are listed. */
static unsigned char complete(EditLine *el, int ch) {
  struct dbg *d = NULL;
  const LineInfo *info = el_line(el);
  char line[1024], common[256] = "";
  (void)ch;
  el_get(el, EL_CLIENTDATA, &d);
  size_t n = (size_t)(info->cursor - info->buffer);
  if (!d || n >= sizeof line) return CC_ERROR;
  memcpy(line, info->buffer, n);
  line[n] = 0;
  const char *start = line + n;
  while (start > line && !strchr(" \t*+-(=[,", start[-1])) start--;
  unsigned count = 0;
  const char *w;
  for (; count < 200 && (w = dbg_complete(d, line, count)) != NULL; count++) {
    if (!count) snprintf(common, sizeof common, "%s", w);
    size_t k = 0;
    while (common[k] && common[k] == w[k]) k++;
    common[k] = 0;
  }
  if (!count) return CC_ERROR;
  if (strlen(common) > strlen(start)) {
    if (el_insertstr(el, common + strlen(start))) return CC_ERROR;
    if (count == 1) (void)el_insertstr(el, " ");
    return CC_REFRESH;
  }
  if (count == 1) return el_insertstr(el, " ") ? CC_ERROR : CC_REFRESH;
  fputc('\n', stdout);
  for (unsigned k = 0; k < count && (w = dbg_complete(d, line, k)) != NULL; k++) printf("%s%s", w, k + 1 < count ? "  " : "\n");
  fflush(stdout);
  return CC_REDISPLAY;
}

static char *history_path(void) {
  const char *home = getenv("HOME");
  char *s = home ? malloc(strlen(home) + 32) : NULL;
  if (s) sprintf(s, "%s/.ringwalk_history", home);
  return s;
}

static void terminal(struct dbg *d, FILE *out) {
  EditLine *el = el_init("ringwalk", stdin, out, stderr);
  History *h = history_init();
  HistEvent ev;
  char *path = history_path(), last[1024] = "";
  bool go_on = el && h;
  if (go_on) {
    history(h, &ev, H_SETSIZE, 1000);
    history(h, &ev, H_SETUNIQUE, 1);
    if (path) history(h, &ev, H_LOAD, path);
    el_set(el, EL_CLIENTDATA, d);
    el_set(el, EL_PROMPT, prompt);
    el_set(el, EL_HIST, history, h);
    el_set(el, EL_EDITOR, "emacs");
    el_set(el, EL_ADDFN, "rw-complete", "complete", complete);
    el_set(el, EL_BIND, "^I", "rw-complete", NULL);
    el_set(el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(el, EL_SIGNAL, 1);
  }
  while (go_on) {
    int n;
    const char *got = el_gets(el, &n);
    if (!got) {
      bool body = dbg_collecting(d);
      dbg_drop_body(d); /* Ctrl-C and Ctrl-D leave it */
      if (body || (n < 0 && errno == EINTR)) continue;
      break;
    }
    char line[1024];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(got, "\n"), got);
    if (!*command_skip(line) && !dbg_collecting(d)) snprintf(line, sizeof line, "%s", last);
    else history(h, &ev, H_ENTER, line);
    dbg_repetition(line, last, sizeof last);
    go_on = dbg_command(d, line);
    fflush(out_file(dbg_out(d)));
  }
  if (h && path) history(h, &ev, H_SAVE, path);
  if (h) history_end(h);
  if (el) el_end(el);
  free(path);
}

static void lines(struct dbg *d) {
  char *line = NULL, last[1024] = "";
  size_t room = 0;
  while (getline(&line, &room, stdin) >= 0) {
    line[strcspn(line, "\r\n")] = 0;
    bool collecting = dbg_collecting(d), again = !collecting && !*command_skip(line);
    bool go_on = dbg_command(d, again ? last : line);
    if (!again) dbg_repetition(collecting ? "" : line, last, sizeof last);
    fflush(out_file(dbg_out(d)));
    if (!go_on) break;
  }
  free(line);
}

void cli_run(struct dbg *d, FILE *out) {
  if (isatty(STDIN_FILENO) && isatty(fileno(out))) terminal(d, out);
  else lines(d);
}

bool cli_source(struct dbg *d, const char *path, bool *failed) {
  bool go_on;
  errno = 0;
  *failed = dbg_source(d, path, &go_on) != 0;
  return go_on;
}
