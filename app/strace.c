/* System calls as strace prints them: arguments by the letters of linux_abi/syscalls.def. man 1 strace. */
#define _GNU_SOURCE
#include "app/strace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "app/strace_names.h"
#include "linux_abi/uaccess.h"

enum { SHOWN_BYTES = 32, SHOWN_STRING = 4096, SHOWN_IOVEC = 8 };

static const char *entry_path(const struct task *t) {
  static const char *const names[] = {"syscall", "syscall32", "sysenter", "int80"};
  return t->kind < ARRAY_SIZE(names) ? names[t->kind] : "?";
}

/* Is name in the comma-separated list? */
static bool listed(const char *list, const char *name) {
  size_t n = strlen(name);
  for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
    if (!strncmp(p, name, n) && (p[n] == ',' || !p[n])) return true;
  return false;
}
static bool wanted(const struct strace *s, const char *name) {
  if (!s->filter) return true;
  return *s->filter == '!' ? !listed(s->filter + 1, name) : listed(s->filter, name);
}

int strace_check_filter(const char *filter) {
  if (!filter) return 0;
  char name[64];
  for (const char *p = filter + (*filter == '!'); *p;) {
    size_t n = strcspn(p, ",");
    bool known = false;
    snprintf(name, sizeof name, "%.*s", (int)n, p);
    for (unsigned k = 0; k < sys_row_count && !known; k++) known = !strcmp(sys_rows[k].name, name);
    if (!known) {
      app_error("-e trace=%s: no system call is called '%s'; see ringwalk info syscalls", filter, name);
      return -1;
    }
    p += n + (p[n] == ',');
  }
  return 0;
}

/* ---- values ---- */

/* Octal and C escapes, as strace does; a closing "..." when there was more. */
static void put_bytes(FILE *f, const u8 *b, size_t n, bool more) {
  static const char *const escape = "\a\b\t\n\v\f\r";
  fputc('"', f);
  for (size_t k = 0; k < n; k++) {
    const char *e = b[k] ? strchr(escape, b[k]) : NULL;
    if (b[k] == '"' || b[k] == '\\') fprintf(f, "\\%c", b[k]);
    else if (e && b[k] >= 9) fprintf(f, "\\%c", "abtnvfr"[e - escape]);
    else if (b[k] >= 32 && b[k] < 127) fputc(b[k], f);
    else if (k + 1 < n && b[k + 1] >= '0' && b[k + 1] <= '9') fprintf(f, "\\%03o", b[k]);
    else fprintf(f, "\\%o", b[k]);
  }
  fputs(more ? "\"..." : "\"", f);
}

static void put_pointer(FILE *f, u64 v) {
  if (v) fprintf(f, "0x%" PRIx64, v);
  else fputs("NULL", f);
}

static void put_memory(FILE *f, struct task *t, u64 addr, u64 n) {
  u8 buf[SHOWN_BYTES];
  u64 shown = n < sizeof buf ? n : sizeof buf;
  if (!addr || ua_read(t, buf, addr, shown)) put_pointer(f, addr);
  else put_bytes(f, buf, shown, shown < n);
}

static void put_string(FILE *f, struct task *t, u64 addr) {
  char *buf = malloc(SHOWN_STRING);
  s64 n = buf && addr ? ua_str(t, buf, addr, SHOWN_STRING) : -EFAULT;
  if (n == -ENAMETOOLONG) put_bytes(f, (u8 *)buf, SHOWN_STRING - 1, true);
  else if (n < 0) put_pointer(f, addr);
  else put_bytes(f, (u8 *)buf, (size_t)n, false);
  free(buf);
}

static void put_iovec(FILE *f, struct task *t, u64 addr, u64 count) {
  unsigned word = t->compat ? 4 : 8;
  fputc('[', f);
  for (u64 k = 0; k < count && k < SHOWN_IOVEC; k++) {
    u64 base, len;
    if (ua_read_word(t, &base, addr + 2 * k * word) || ua_read_word(t, &len, addr + (2 * k + 1) * word)) {
      put_pointer(f, addr + 2 * k * word);
      break;
    }
    fputs(k ? ", {iov_base=" : "{iov_base=", f);
    put_memory(f, t, base, len);
    fprintf(f, ", iov_len=%" PRIu64 "}", len);
  }
  fputs(count > SHOWN_IOVEC ? ", ...]" : "]", f);
}

/* struct timespec or timeval of the ABI. */
static void put_time(FILE *f, struct task *t, u64 addr, const char *fraction) {
  u64 sec, frac;
  unsigned word = t->compat ? 4 : 8;
  if (!addr || ua_read_word(t, &sec, addr) || ua_read_word(t, &frac, addr + word)) {
    put_pointer(f, addr);
    return;
  }
  fprintf(f, "{tv_sec=%" PRId64 ", tv_%s=%" PRId64 "}", t->compat ? (s64)(s32)sec : (s64)sec, fraction,
          t->compat ? (s64)(s32)frac : (s64)frac);
}

/* One argument; returns how many words of a[] it took. n: arguments left. */
static unsigned put_argument(FILE *f, struct task *t, char letter, const u64 *a, unsigned left, s64 ret) {
  u64 v = a[0];
  switch (letter) {
    case 'd': fprintf(f, "%d", (int)v); break;
    case 'u': fprintf(f, "%u", (u32)v); break;
    case 'l': fprintf(f, "%" PRId64, t->compat ? (s64)(s32)v : (s64)v); break;
    case 'U': fprintf(f, "%" PRIu64, v); break;
    case 'x': fprintf(f, v ? "0x%" PRIx64 : "%" PRIx64, v); break;
    case 's': put_string(f, t, v); break;
    case 'f': fprintf(f, "%d", (int)v); break;
    case 'F': strace_dirfd(f, (int)v); break;
    case 'm': fprintf(f, "%#o", (u32)v); break;
    case 'b': put_memory(f, t, v, left > 1 ? a[1] : 0); break;
    case 'B': ret >= 0 ? put_memory(f, t, v, (u64)ret) : put_pointer(f, v); break;
    case 'i': put_iovec(f, t, v, left > 1 ? a[1] : 0); break;
    case 'I': ret >= 0 ? put_iovec(f, t, v, left > 1 ? a[1] : 0) : put_pointer(f, v); break;
    case 'Q':
      fprintf(f, "%" PRId64, (s64)(t->compat && left > 1 ? v | a[1] << 32 : v));
      return t->compat ? 2 : 1;
    case 't': put_time(f, t, v, "nsec"); break;
    case 'T': put_time(f, t, v, "usec"); break;
    case 'p': put_pointer(f, v); break;
    default:
      if (!strace_named(f, letter, v)) put_pointer(f, v);
  }
  return 1;
}

/* Prints arguments from the one at *at on, until the end or (first half) one that the call fills in. */
static void put_arguments(FILE *f, struct task *t, const struct sys_row *row, const u64 a[6], bool first_half, s64 ret) {
  unsigned word = 0;
  bool held = false;
  for (const char *p = row->args; *p && *p != '=' && word < 6; p++) {
    if (*p == 'B' || *p == 'I') held = true;
    if (first_half && held) return;
    if (!first_half && !held) { /* printed already */
      word += t->compat && *p == 'Q' ? 2 : 1;
      continue;
    }
    if (word) fputs(", ", f);
    word += put_argument(f, t, *p, a + word, 6 - word, ret);
  }
}

static void put_result(FILE *f, const struct sys_row *row, s64 ret) {
  const char *name = ret < 0 && ret > -4096 ? strerrorname_np((int)-ret) : NULL;
  switch (-ret) {
    case ERESTARTSYS: fputs("? ERESTARTSYS (to be restarted if SA_RESTART is set)", f); return;
    case ERESTARTNOINTR: fputs("? ERESTARTNOINTR (to be restarted)", f); return;
    case ERESTARTNOHAND: fputs("? ERESTARTNOHAND (to be restarted if no handler)", f); return;
    case ERESTART_RESTARTBLOCK: fputs("? ERESTART_RESTARTBLOCK (interrupted by signal)", f); return;
    default: break;
  }
  if (name) fprintf(f, "-1 %s (%s)", name, strerrordesc_np((int)-ret));
  else fprintf(f, strchr(row->args, '=') && ret ? "0x%" PRIx64 : "%" PRId64, ret);
}

/* ---- JSON ---- */

static void json_string(FILE *out, const char *s, size_t n) {
  fputc('"', out);
  for (size_t k = 0; k < n; k++) {
    u8 c = (u8)s[k];
    if (c == '"' || c == '\\') fprintf(out, "\\%c", c);
    else if (c < 32 || c > 126) fprintf(out, "\\u%04x", c);
    else fputc(c, out);
  }
  fputc('"', out);
}

static void json_call(struct strace *s, struct task *t, const struct sys_row *row, const u64 a[6], const s64 *ret) {
  char *text = NULL;
  size_t n = 0;
  FILE *m = open_memstream(&text, &n);
  if (!m) return;
  put_arguments(m, t, row, a, true, 0);
  if (ret) put_arguments(m, t, row, a, false, *ret);
  fclose(m);
  fprintf(s->out, "{\"event\":\"syscall\",\"path\":\"%s\",\"name\":\"%s\",\"args\":[", entry_path(t), row->name);
  unsigned words = sys_arity(row, t->compat);
  for (unsigned k = 0; k < words && k < 6; k++) fprintf(s->out, "%s%" PRIu64, k ? "," : "", a[k]);
  fputs("],\"text\":", s->out);
  json_string(s->out, text, n);
  if (ret) fprintf(s->out, ",\"result\":%" PRId64, *ret);
  fputs("}\n", s->out);
  free(text);
}

/* ---- hooks ---- */

static bool never_returns(const char *name) { return !strcmp(name, "exit") || !strcmp(name, "exit_group"); }

void strace_enter(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6]) {
  struct strace *s = opaque;
  if (!wanted(s, row->name)) return;
  if (s->json) {
    if (never_returns(row->name)) json_call(s, t, row, a, NULL);
    return;
  }
  fprintf(s->out, "[%s] %s(", entry_path(t), row->name);
  put_arguments(s->out, t, row, a, true, 0);
  s->open = true;
  if (never_returns(row->name)) {
    fputs(") = ?\n", s->out);
    s->open = false;
  }
  fflush(s->out);
}

void strace_exit(void *opaque, struct task *t, const struct sys_row *row, const u64 a[6], s64 ret) {
  struct strace *s = opaque;
  if (!wanted(s, row->name)) return;
  if (s->json) {
    json_call(s, t, row, a, &ret);
    return;
  }
  if (!s->open) fprintf(s->out, "[%s] <... %s resumed>", entry_path(t), row->name);
  put_arguments(s->out, t, row, a, false, ret);
  fputs(") = ", s->out);
  put_result(s->out, row, ret);
  fputc('\n', s->out);
  fflush(s->out);
  s->open = false;
}

void strace_signal(void *opaque, struct task *t, const siginfo_t *info) {
  struct strace *s = opaque;
  (void)t;
  const char *abbrev = sigabbrev_np(info->si_signo);
  if (s->json) {
    fprintf(s->out, "{\"event\":\"signal\",\"signo\":%d,\"code\":%d}\n", info->si_signo, info->si_code);
    return;
  }
  if (s->open) fputs(" <unfinished ...>\n", s->out);
  s->open = false;
  fprintf(s->out, "--- SIG%s {si_signo=SIG%s, si_code=%d", abbrev ? abbrev : "RT", abbrev ? abbrev : "RT", info->si_code);
  if (info->si_code > 0 && info->si_code != SI_KERNEL)
    fprintf(s->out, ", si_addr=%p", info->si_addr);
  fputs("} ---\n", s->out);
  fflush(s->out);
}

void strace_end(struct strace *s, const struct lx_status *st) {
  if (st->how == LX_EXITED)
    fprintf(s->out, s->json ? "{\"event\":\"exit\",\"status\":%d}\n" : "+++ exited with %d +++\n", st->code);
  else if (st->how == LX_SIGNALED && s->json)
    fprintf(s->out, "{\"event\":\"killed\",\"signo\":%d}\n", st->code);
  else if (st->how == LX_SIGNALED)
    fprintf(s->out, "+++ killed by SIG%s +++\n", sigabbrev_np(st->code) ? sigabbrev_np(st->code) : "RT");
}
