/* The lines of strace: calls in two halves, signals, the end; the same as JSON. man 1 strace. */
#define _GNU_SOURCE
#include "app/strace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/strace_names.h"
#include "app/strace_value.h"

/* strace aligns results in this column; the longest tag is [syscall32]. */
enum { RESULT_COLUMN = 40, TAG_COLUMN = 12 };

static const char *entry_path(const struct task *t) {
  static const char *const names[] = {"syscall", "syscall32", "sysenter", "int80"};
  return t->kind < ARRAY_SIZE(names) ? names[t->kind] : "?";
}

static bool wanted(const struct strace *s, const struct sys_row *row) {
  bool known = row >= sys_rows && row < sys_rows + sys_row_count; /* the last place is for those without a row */
  return s->chosen[known ? row - sys_rows : sys_row_count];
}

/* ---- JSON ---- */

void strace_json_string(FILE *out, const char *s, size_t n) {
  fputc('"', out);
  for (size_t k = 0; k < n; k++) {
    u8 c = (u8)s[k];
    if (c == '"' || c == '\\') fprintf(out, "\\%c", c);
    else if (c < 32 || c > 126) fprintf(out, "\\u%04x", c);
    else fputc(c, out);
  }
  fputc('"', out);
}

static void json_call(struct strace *s, const struct strace_call *call, bool returned) {
  char *text = NULL;
  size_t n = 0;
  struct strace_call c = *call;
  const struct sys_row *row = c.row;
  c.f = open_memstream(&text, &n);
  if (!c.f) return;
  strace_arguments(&c, true);
  if (returned) strace_arguments(&c, false);
  fclose(c.f);
  fprintf(s->out, "{\"event\":\"syscall\",\"path\":\"%s\",\"name\":\"%s\",\"args\":[", entry_path(c.t),
          row->name);
  unsigned words = sys_arity(row, c.t->compat);
  for (unsigned k = 0; k < words && k < 6; k++) fprintf(s->out, "%s\"%#" PRIx64 "\"", k ? "," : "", c.a[k]);
  fputs("],\"text\":", s->out);
  strace_json_string(s->out, text, n);
  free(text);
  if (returned) {
    text = NULL;
    c.f = open_memstream(&text, &n);
    if (c.f) {
      strace_result(&c);
      fclose(c.f);
      fprintf(s->out, ",\"result\":%" PRId64 ",\"result_text\":", c.ret);
      strace_json_string(s->out, text, n);
      free(text);
    }
  }
  fputs("}\n", s->out);
}

/* ---- hooks ---- */

static bool never_returns(const char *name) { return !strcmp(name, "exit") || !strcmp(name, "exit_group"); }

/* Begins half a line in memory, whose length is needed for the column of the result. */
static FILE *begin_half(char **text, size_t *n) {
  *text = NULL;
  return open_memstream(text, n);
}
/* Closing may move the text, so only then is it looked at. */
static void end_half(struct strace *s, FILE *f, char **text, const size_t *n) {
  if (fclose(f) == 0) fwrite(*text, 1, *n, s->out);
  fflush(s->out);
  free(*text);
}
static void put_tag(FILE *f, const struct task *t) {
  int n = fprintf(f, "[%s]", entry_path(t));
  fprintf(f, "%*s", TAG_COLUMN - n, "");
}
/* Up to the "=" of the result, column being how far the line already is. */
static void close_arguments(FILE *f, size_t column) {
  fputs(") ", f);
  if (column + 2 < RESULT_COLUMN) fprintf(f, "%*s", (int)(RESULT_COLUMN - column - 2), "");
  fputs("= ", f);
}

void strace_enter(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6]) {
  struct strace *s = opaque;
  struct strace_call c = {.t = t, .row = row, .a = a};
  char *text;
  size_t n;
  if (!wanted(s, row)) return;
  if (s->json) {
    if (never_returns(row->name)) json_call(s, &c, false);
    return;
  }
  c.f = begin_half(&text, &n);
  if (!c.f) return;
  put_tag(c.f, t);
  fprintf(c.f, "%s(", row->name);
  strace_arguments(&c, true);
  fflush(c.f);
  s->column = n - TAG_COLUMN;
  s->open = !never_returns(row->name);
  if (!s->open) {
    close_arguments(c.f, s->column);
    fputs("?\n", c.f);
    fflush(c.f);
  }
  end_half(s, c.f, &text, &n);
}

void strace_exit(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6], s64 ret) {
  struct strace *s = opaque;
  struct strace_call c = {.t = t, .row = row, .a = a, .ret = ret};
  char *text;
  size_t n;
  if (!wanted(s, row)) return;
  if (s->json) {
    json_call(s, &c, true);
    return;
  }
  c.f = begin_half(&text, &n);
  if (!c.f) return;
  if (!s->open) {
    put_tag(c.f, t);
    fprintf(c.f, "<... %s resumed>", row->name);
    s->column = (size_t)-TAG_COLUMN;
  }
  strace_arguments(&c, false);
  fflush(c.f);
  close_arguments(c.f, s->column + n);
  strace_result(&c);
  fputc('\n', c.f);
  fflush(c.f);
  end_half(s, c.f, &text, &n);
  s->open = false;
}

void strace_interrupt(struct strace *s) {
  if (s->open) fputs(" <unfinished ...>\n", s->out);
  s->open = false;
}

void strace_signal(void *opaque, struct task *t, const siginfo_t *info) {
  struct strace *s = opaque;
  (void)t;
  if (s->json) {
    fputs("{\"event\":\"signal\",\"signal\":\"", s->out);
    strace_signo(s->out, info->si_signo);
    fputs("\",\"code\":\"", s->out);
    strace_si_code(s->out, info->si_signo, info->si_code);
    fprintf(s->out, "\",\"signo\":%d,\"text\":\"", info->si_signo);
    strace_siginfo(s->out, info);
    fputs("\"}\n", s->out);
    return;
  }
  strace_interrupt(s);
  fputs("--- ", s->out);
  strace_signo(s->out, info->si_signo);
  fputc(' ', s->out);
  strace_siginfo(s->out, info);
  fputs(" ---\n", s->out);
  fflush(s->out);
}

void strace_end(struct strace *s, const struct lx_status *st) {
  if (!s->json) strace_interrupt(s);
  if (st->how == LX_EXITED) {
    fprintf(s->out, s->json ? "{\"event\":\"exit\",\"status\":%d}\n" : "+++ exited with %d +++\n", st->code);
  } else if (st->how == LX_SIGNALED) {
    fputs(s->json ? "{\"event\":\"killed\",\"signal\":\"" : "+++ killed by ", s->out);
    strace_signo(s->out, st->code);
    if (s->json) fprintf(s->out, "\",\"signo\":%d}\n", st->code);
    else fputs(" +++\n", s->out);
  }
}
