/* System call arguments and results as strace prints them, by the letters of linux_abi/syscalls.def. man 1
 * strace. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "app/strace_names.h"
#include "app/strace_value.h"
#include "linux_abi/sigframe.h"
#include "linux_abi/uaccess.h"

enum { SHOWN_BYTES = 32, SHOWN_STRING = 4096, SHOWN_IOVEC = 8, WORDS = 6 };

void strace_pointer(FILE *f, u64 v) {
  if (v) fprintf(f, "0x%" PRIx64, v);
  else fputs("NULL", f);
}

/* Octal and C escapes, as strace does; a closing "..." when there was more. */
static void put_bytes(FILE *f, const u8 *b, size_t n, bool more) {
  static const char *const escape = "\t\n\v\f\r";
  fputc('"', f);
  for (size_t k = 0; k < n; k++) {
    const char *e = b[k] ? strchr(escape, b[k]) : NULL;
    if (b[k] == '"' || b[k] == '\\') fprintf(f, "\\%c", b[k]);
    else if (e) fprintf(f, "\\%c", "tnvfr"[e - escape]);
    else if (b[k] >= 32 && b[k] < 127) fputc(b[k], f);
    else if (k + 1 < n && b[k + 1] >= '0' && b[k + 1] <= '7') fprintf(f, "\\%03o", b[k]);
    else fprintf(f, "\\%o", b[k]);
  }
  fputs(more ? "\"..." : "\"", f);
}

static void put_memory(const struct strace_call *c, u64 addr, u64 n, bool hex) {
  u8 buf[SHOWN_BYTES];
  u64 shown = n < sizeof buf ? n : sizeof buf;
  if (!addr || ua_read(c->t, buf, addr, shown)) {
    strace_pointer(c->f, addr);
  } else if (hex) {
    fputc('"', c->f);
    for (u64 k = 0; k < shown; k++) fprintf(c->f, "\\x%02x", buf[k]);
    fputs(shown < n ? "\"..." : "\"", c->f);
  } else {
    put_bytes(c->f, buf, shown, shown < n);
  }
}

void strace_string(const struct strace_call *c, u64 addr, u64 most) {
  char *buf = malloc(SHOWN_STRING);
  s64 n = buf && addr ? ua_str(c->t, buf, addr, SHOWN_STRING) : -EFAULT;
  if (n == -ENAMETOOLONG && !ua_read(c->t, buf, addr, SHOWN_STRING)) n = SHOWN_STRING;
  if (n < 0) strace_pointer(c->f, addr);
  else put_bytes(c->f, (u8 *)buf, (size_t)((u64)n < most ? (u64)n : most), (u64)n > most);
  free(buf);
}
static void put_string(const struct strace_call *c, u64 addr) { strace_string(c, addr, SHOWN_STRING - 1); }

void strace_or_pointer(const struct strace_call *c, u64 addr, strace_put *fn) {
  char *text = NULL;
  size_t n = 0;
  struct strace_call inner = *c;
  inner.f = addr ? open_memstream(&text, &n) : NULL;
  bool good = inner.f && !fn(&inner, addr);
  if (inner.f) good &= !fclose(inner.f);
  if (good) fwrite(text, 1, n, c->f);
  else strace_pointer(c->f, addr);
  free(text);
}

/* limit: bytes that a read filled in, all buffers together; ~0: all that there is. */
static void put_iovec(const struct strace_call *c, u64 addr, u64 count, u64 limit) {
  unsigned size = c->t->compat ? 4 : 8;
  fputc('[', c->f);
  for (u64 k = 0; k < count && k < SHOWN_IOVEC; k++) {
    u64 base, len;
    if (ua_read_word(c->t, &base, addr + 2 * k * size) ||
        ua_read_word(c->t, &len, addr + (2 * k + 1) * size)) {
      strace_pointer(c->f, addr + 2 * k * size);
      break;
    }
    u64 used = len < limit ? len : limit;
    fputs(k ? ", {iov_base=" : "{iov_base=", c->f);
    put_memory(c, base, used, false);
    fprintf(c->f, ", iov_len=%" PRIu64 "}", len);
    limit -= used;
  }
  fputs(count > SHOWN_IOVEC ? ", ...]" : "]", c->f);
}

static u64 word_at(const struct strace_call *c, unsigned word) { return word < WORDS ? c->a[word] : 0; }
static s64 signed_word(const struct strace_call *c, u64 v) { return c->t->compat ? (s64)(s32)v : (s64)v; }

/* Has the call in fact no such argument? */
static bool absent(const struct strace_call *c, char letter, unsigned word) {
  u64 before = word ? c->a[word - 1] : 0;
  switch (letter) {
    case 'm': return strchr(c->row->args, 'o') && !(before & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)));
    case '<': return !S_ISCHR(before) && !S_ISBLK(before);
    case 'p': /* 4: MREMAP_DONTUNMAP */
      return word > 3 && c->row->args[3] == '3' && !(before & (MREMAP_FIXED | 4));
    case 'H': return strace_fcntl_absent(before);
    case 'G': return strace_ioctl_absent((u32)before);
    case '5': case 'x': return c->row->args[0] == 'J'; /* printed with the option */
    /* futex: WAKE and the PI unlocks have no timeout; WAIT has no second address. */
    case '9': {
      u64 op = c->a[1] & 127;
      bool wait = op == 0 || op == 6 || op == 9 || op == 11, two = (op >= 3 && op <= 5) || op >= 11;
      return word == 3 ? !wait && !two : word == 4 ? !two : !two && op != 9 && op != 10;
    }
    default: return false;
  }
}

/* Is the argument what the call fills in, so that it is printed when it has returned? */
static bool filled_in(const struct strace_call *c, char letter, unsigned word) {
  u64 before = word ? c->a[word - 1] : 0;
  switch (letter) {
    case 'B': case 'I': case '6': return true;
    case '5': return strace_prctl_fills((u32)c->a[0]);
    case 'H': return strace_fcntl_fills(before);
    case 'G': return strace_ioctl_fills((u32)before);
    default: return false;
  }
}

/* sendfile's offset, of the call's own width, and what it has become. */
static int put_word_offset(const struct strace_call *c, u64 addr) {
  u64 v;
  bool narrow = c->t->compat && strcmp(c->row->name, "sendfile64") != 0;
  if (narrow ? ua_read_word(c->t, &v, addr) : ua_read64(c->t, &v, addr)) return -1;
  fprintf(c->f, "[%" PRId64 "]", narrow ? (s64)(s32)v : (s64)v);
  return 0;
}

/* One argument; how many words it took. */
static unsigned put_argument(const struct strace_call *c, char letter, unsigned word, bool filled) {
  FILE *f = c->f;
  u64 v = c->a[word], next = word_at(c, word + 1);
  if (filled && c->ret < 0 && c->ret > -4096) {
    strace_pointer(f, v);
    return 1;
  }
  switch (letter) {
    case 'd': case 'f': fprintf(f, "%d", (int)v); break;
    case 'u': fprintf(f, "%u", (u32)v); break;
    case '$': fprintf(f, (u32)v == ~0u ? "-1" : "%u", (u32)v); break;
    case 'l': fprintf(f, "%" PRId64, signed_word(c, v)); break;
    case 'U': fprintf(f, "%" PRIu64, v); break;
    case 'x': fprintf(f, v ? "0x%" PRIx64 : "%" PRIx64, v); break;
    case '1': fprintf(f, v ? "0x%" PRIx64 : "%" PRIx64, v << 12); break;
    case '<': fprintf(f, "makedev(%#x, %#x)", major(v), minor(v)); break;
    case 's': put_string(c, v); break;
    case 'F': strace_dirfd(f, (int)v); break;
    case 'm': fprintf(f, "%#03o", (u32)v); break;
    case 'b': put_memory(c, v, next, false); break;
    case 'B': c->ret >= 0 ? put_memory(c, v, (u64)c->ret, false) : strace_pointer(f, v); break;
    case '6': c->ret >= 0 ? put_memory(c, v, (u64)c->ret, true) : strace_pointer(f, v); break;
    case 'i': put_iovec(c, v, next, ~UINT64_C(0)); break;
    case 'I': c->ret >= 0 ? put_iovec(c, v, next, (u64)c->ret) : strace_pointer(f, v); break;
    case 'Q':
      fprintf(f, "%" PRId64, (s64)(c->t->compat ? v | next << 32 : v));
      return c->t->compat ? 2 : 1;
    case '7': /* high half first */
      fprintf(f, "%" PRId64, (s64)(v << 32 | next));
      return 2;
    case 'H': strace_fcntl_argument(c, c->a[word - 1], v); break;
    case 'G': strace_ioctl_argument(c, (u32)c->a[word - 1], v); break;
    case ',': strace_or_pointer(c, v, put_word_offset); break;
    case '9':
      if (word == 3 && (c->a[1] & 127) - 3 > 2 && (c->a[1] & 127) != 12) strace_struct(c, 't', word);
      else if (word == 5) fprintf(f, "%#x", (u32)v);
      else strace_pointer(f, v);
      break;
    default:
      if (!strace_named(f, letter, v) && !strace_struct(c, letter, word)) strace_pointer(f, v);
  }
  return 1;
}

/* The mask that sigreturn() is about to restore. The handler's return has popped the frame's first word, and
 * i386's older trampoline the second. */
static void put_sigreturn(const struct strace_call *c) {
  u64 sp = c->t->regs->sp, mask;
  u32 low, high;
  bool good;
  if (!strcmp(c->row->name, "sigreturn")) {
    u64 frame = sp - offsetof(struct frame32, mc);
    good = !ua_read32(c->t, &low, frame + offsetof(struct frame32, mc.oldmask)) &&
           !ua_read32(c->t, &high, frame + offsetof(struct frame32, extramask));
    mask = good ? low | (u64)high << 32 : 0;
  } else {
    u64 at = c->t->compat ? sp - 4 + offsetof(struct rt_frame32, uc.sigmask)
                          : sp - 8 + offsetof(struct frame64, uc.sigmask);
    good = !ua_read64(c->t, &mask, at);
  }
  if (!good) return;
  fputs("{mask=", c->f);
  strace_sigset(c->f, mask);
  fputc('}', c->f);
}

void strace_arguments(const struct strace_call *c, bool first_half) {
  if (first_half && strstr(c->row->name, "sigreturn")) put_sigreturn(c);
  unsigned word = 0;
  bool held = false, any = false;
  for (const char *p = c->row->args; *p && *p != '=' && word < WORDS; p++) {
    bool filled = *p == '>';
    if (filled) p++;
    held |= filled || filled_in(c, *p, word);
    if (first_half && held) return;
    if (!first_half && !held) { /* printed already */
      if (*p == ',' && c->ret > 0 && c->a[word]) {
        fputs(" => ", c->f);
        strace_or_pointer(c, c->a[word], put_word_offset);
      }
      held = *p == ',';
      word += (c->t->compat && *p == 'Q') || *p == '7' ? 2 : 1;
      any = true;
      continue;
    }
    if (*p == '5') strace_prctl_arguments(c);
    if (absent(c, *p, word)) {
      word++;
      continue;
    }
    if (any) fputs(", ", c->f);
    any = true;
    word += put_argument(c, *p, word, filled);
    if (*p == ',' && first_half) return; /* what it becomes is printed next */
  }
}

void strace_result(const struct strace_call *c) {
  s64 ret = c->ret;
  const char *name = ret < 0 && ret > -4096 ? strerrorname_np((int)-ret) : NULL;
  const char *kind = strchr(c->row->args, '=');
  switch (-ret) {
    case ERESTARTSYS: fputs("? ERESTARTSYS (To be restarted if SA_RESTART is set)", c->f); return;
    case ERESTARTNOINTR: fputs("? ERESTARTNOINTR (To be restarted)", c->f); return;
    case ERESTARTNOHAND: fputs("? ERESTARTNOHAND (To be restarted if no handler)", c->f); return;
    case ERESTART_RESTARTBLOCK: fputs("? ERESTART_RESTARTBLOCK (Interrupted by signal)", c->f); return;
    default: break;
  }
  if (name) {
    fprintf(c->f, "-1 %s (%s)", name, strerrordesc_np((int)-ret));
    return;
  }
  u64 bits = c->t->compat ? (u32)ret : (u64)ret;
  if (strchr(c->row->args, 'H') && strace_fcntl_result(c, c->a[1], bits)) return;
  if (kind && kind[1] == 'm') fprintf(c->f, "%#03" PRIo64, bits);
  else if ((kind || strace_prctl_bits(c)) && ret) fprintf(c->f, "0x%" PRIx64, bits);
  else fprintf(c->f, "%" PRId64, ret);
  strace_result_note(c);
}
