/* ioctl()'s requests and arguments as strace prints them. man 2 ioctl_tty, 3 termios; Linux
 * include/uapi/asm-generic/termbits.h. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "app/strace_names.h"
#include "app/strace_value.h"
#include "linux_abi/layout.h"
#include "linux_abi/uaccess.h"

enum kind { NOTHING, NUMBER, FLUSH, FLOW, POINTER, INT_AT, CHAR_AT, WINDOW, TERMIOS, TERMIOS2, TERMIO };

struct request {
  u32 nr;
  const char *name;
  enum kind kind;
  bool fills; /* the call stores what the argument points to */
};
#define R(nr, kind, fills) \
  { nr, #nr, kind, fills }

static const struct request requests[] = {
    R(TCGETS, TERMIOS, true),
    {TCSETS, "SNDCTL_TMR_START or TCSETS", TERMIOS, false},
    {TCSETSW, "SNDCTL_TMR_STOP or TCSETSW", TERMIOS, false},
    {TCSETSF, "SNDCTL_TMR_CONTINUE or TCSETSF", TERMIOS, false},
    {_IOR('T', 0x2A, struct lx_termios2), "TCGETS2", TERMIOS2, true},
    {_IOW('T', 0x2B, struct lx_termios2), "TCSETS2", TERMIOS2, false},
    {_IOW('T', 0x2C, struct lx_termios2), "TCSETSW2", TERMIOS2, false},
    {_IOW('T', 0x2D, struct lx_termios2), "TCSETSF2", TERMIOS2, false},
    R(TCGETA, TERMIO, true),
    R(TCSETA, TERMIO, false),
    R(TCSETAW, TERMIO, false),
    R(TCSETAF, TERMIO, false),
    R(TIOCGWINSZ, WINDOW, true),
    R(TIOCSWINSZ, WINDOW, false),
    R(TIOCGPGRP, INT_AT, true),
    R(TIOCSPGRP, INT_AT, false),
    R(TIOCGSID, INT_AT, true),
    R(TIOCSCTTY, NUMBER, false),
    R(TIOCNOTTY, NOTHING, false),
    R(TCSBRK, NUMBER, false),
    R(TCSBRKP, NUMBER, false),
    R(TIOCSBRK, NOTHING, false),
    R(TIOCCBRK, NOTHING, false),
    R(TCXONC, FLOW, false),
    R(TCFLSH, FLUSH, false),
    R(TIOCOUTQ, INT_AT, true),
    R(FIONREAD, INT_AT, true),
    R(TIOCSTI, CHAR_AT, false),
    R(TIOCEXCL, NOTHING, false),
    R(TIOCNXCL, NOTHING, false),
    R(TIOCGEXCL, INT_AT, true),
    R(TIOCMGET, POINTER, true),
    R(TIOCMBIS, POINTER, false),
    R(TIOCMBIC, POINTER, false),
    R(TIOCMSET, POINTER, false),
    R(TIOCPKT, INT_AT, false),
    R(TIOCGPKT, POINTER, true),
    R(TIOCGETD, INT_AT, true),
    R(TIOCSETD, INT_AT, false),
    R(TIOCGPTN, INT_AT, true),
    R(TIOCSPTLCK, INT_AT, false),
    R(TIOCGPTLCK, POINTER, true),
    R(TIOCGPTPEER, NUMBER, false),
    R(TIOCGDEV, POINTER, true),
    R(TIOCCONS, NOTHING, false),
    R(TIOCVHANGUP, NOTHING, false),
    R(FIONBIO, INT_AT, false),
    R(FIOASYNC, INT_AT, false),
    R(FIOCLEX, NOTHING, false),
    R(FIONCLEX, NOTHING, false),
    R(FIOQSIZE, POINTER, true),
    R(FIBMAP, POINTER, true),
    R(FIGETBSZ, POINTER, true),
    R(FICLONE, NUMBER, false),
    R(BLKGETSIZE64, POINTER, true),
    R(FS_IOC_GETFLAGS, POINTER, true),
    R(FS_IOC_SETFLAGS, POINTER, false),
    {FS_IOC32_GETFLAGS, "FS_IOC32_GETFLAGS", POINTER, true},
    {FS_IOC32_SETFLAGS, "FS_IOC32_SETFLAGS", POINTER, false},
};

static const struct request *find(u32 nr) {
  for (unsigned k = 0; k < ARRAY_SIZE(requests); k++)
    if (requests[k].nr == nr) return &requests[k];
  return NULL;
}

void strace_ioctl_request(FILE *f, u32 nr) {
  static const char *const directions[] = {"_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE"};
  const struct request *q = find(nr);
  if (q) fputs(q->name, f);
  else
    fprintf(f, "_IOC(%s, %#x, %#x, %#x)", directions[_IOC_DIR(nr) & 3], (unsigned)_IOC_TYPE(nr),
            (unsigned)_IOC_NR(nr), (unsigned)_IOC_SIZE(nr));
}

bool strace_ioctl_absent(u32 nr) {
  const struct request *q = find(nr);
  return q && q->kind == NOTHING;
}
bool strace_ioctl_fills(u32 nr) {
  const struct request *q = find(nr);
  return !q || q->fills;
}

#define N(x) \
  { x, #x }

/* Flags behind something else of the same word. */
static void put_more_flags(FILE *f, const struct strace_name *n, size_t count, u64 v) {
  fputc('|', f);
  strace_flags(f, n, count, v, "");
}

static void put_output(FILE *f, u32 v) {
  static const struct strace_name flags[] = {N(OPOST), N(OLCUC),  N(ONLCR), N(OCRNL),
                                             N(ONOCR), N(ONLRET), N(OFILL), N(OFDEL)};
  static const char *const tabs[] = {"TAB0", "TAB1", "TAB2", "XTABS"};
  fprintf(f, "NL%d|CR%u|%s|BS%d|VT%d|FF%d", !!(v & NLDLY), (v & CRDLY) >> 9 & 3, tabs[(v & TABDLY) >> 11 & 3],
          !!(v & BSDLY), !!(v & VTDLY), !!(v & FFDLY));
  put_more_flags(f, flags, ARRAY_SIZE(flags), v & ~(u32)(NLDLY | CRDLY | TABDLY | BSDLY | VTDLY | FFDLY));
}

static void put_control(FILE *f, u32 v) {
  static const struct strace_name speeds[] = {N(B0),
                                              N(B50),
                                              N(B75),
                                              N(B110),
                                              N(B134),
                                              N(B150),
                                              N(B200),
                                              N(B300),
                                              N(B600),
                                              N(B1200),
                                              N(B1800),
                                              N(B2400),
                                              N(B4800),
                                              N(B9600),
                                              N(B19200),
                                              N(B38400),
                                              {0x1000, "BOTHER"},
                                              N(B57600),
                                              N(B115200),
                                              N(B230400),
                                              N(B460800),
                                              N(B500000),
                                              N(B576000),
                                              N(B921600),
                                              N(B1000000),
                                              N(B1152000),
                                              N(B1500000),
                                              N(B2000000),
                                              N(B2500000),
                                              N(B3000000),
                                              N(B3500000),
                                              N(B4000000)};
  static const struct strace_name flags[] = {N(CSTOPB),
                                             N(CREAD),
                                             N(PARENB),
                                             N(PARODD),
                                             N(HUPCL),
                                             N(CLOCAL),
                                             {010000000000, "CMSPAR"},
                                             {020000000000, "CRTSCTS"}};
  enum { SPEED = 0x100f, INPUT_SHIFT = 16 };
  u32 input = v >> INPUT_SHIFT & SPEED;
  STRACE_VALUE(f, speeds, v & SPEED, NULL);
  if (input) {
    fputc('|', f);
    STRACE_VALUE(f, speeds, input, NULL);
    fputs("<<IBSHIFT", f);
  }
  fprintf(f, "|CS%u", 5 + ((v & CSIZE) >> 4));
  put_more_flags(f, flags, ARRAY_SIZE(flags), v & ~(u32)(SPEED | SPEED << INPUT_SHIFT | CSIZE));
}

static void put_modes(FILE *f, u32 input, u32 output, u32 control, u32 local) {
  static const struct strace_name inputs[] = {N(IGNBRK), N(BRKINT), N(IGNPAR), N(PARMRK),  N(INPCK),
                                              N(ISTRIP), N(INLCR),  N(IGNCR),  N(ICRNL),   N(IUCLC),
                                              N(IXON),   N(IXANY),  N(IXOFF),  N(IMAXBEL), N(IUTF8)};
  static const struct strace_name locals[] = {
      N(ISIG),   N(ICANON),  {4, "XCASE"}, N(ECHO),   N(ECHOE),  N(ECHOK),  N(ECHONL), N(NOFLSH),
      N(IEXTEN), N(ECHOCTL), N(ECHOPRT),   N(ECHOKE), N(FLUSHO), N(PENDIN), N(TOSTOP), {0200000, "EXTPROC"}};
  fputs("{c_iflag=", f);
  STRACE_FLAGS(f, inputs, input, "");
  fputs(", c_oflag=", f);
  put_output(f, output);
  fputs(", c_cflag=", f);
  put_control(f, control);
  fputs(", c_lflag=", f);
  STRACE_FLAGS(f, locals, local, "");
  fputs(", ...}", f);
}

/* struct termios and termios2 begin alike. */
static int put_termios(const struct strace_call *c, u64 addr) {
  u32 t[4];
  if (ua_read(c->t, t, addr, sizeof t)) return -1;
  put_modes(c->f, t[0], t[1], t[2], t[3]);
  return 0;
}
static int put_termio(const struct strace_call *c, u64 addr) {
  u16 t[4];
  if (ua_read(c->t, t, addr, sizeof t)) return -1;
  put_modes(c->f, t[0], t[1], t[2], t[3]);
  return 0;
}
static int put_window(const struct strace_call *c, u64 addr) {
  struct winsize w;
  if (ua_read(c->t, &w, addr, sizeof w)) return -1;
  fprintf(c->f, "{ws_row=%u, ws_col=%u, ws_xpixel=%u, ws_ypixel=%u}", w.ws_row, w.ws_col, w.ws_xpixel,
          w.ws_ypixel);
  return 0;
}
static int put_int(const struct strace_call *c, u64 addr) {
  u32 v;
  if (ua_read32(c->t, &v, addr)) return -1;
  fprintf(c->f, "[%d]", (s32)v);
  return 0;
}

void strace_ioctl_argument(const struct strace_call *c, u32 nr, u64 v) {
  static const struct strace_name flush[] = {N(TCIFLUSH), N(TCOFLUSH), N(TCIOFLUSH)},
                                  flow[] = {N(TCOOFF), N(TCOON), N(TCIOFF), N(TCION)};
  const struct request *q = find(nr);
  if (!q) {
    fprintf(c->f, "%#" PRIx64, v);
    return;
  }
  if (q->fills && c->ret < 0) {
    strace_pointer(c->f, v);
    return;
  }
  switch (q->kind) {
    case NUMBER: fprintf(c->f, "%d", (int)v); break;
    case FLUSH: STRACE_VALUE(c->f, flush, v, "TC"); break;
    case FLOW: STRACE_VALUE(c->f, flow, v, "TC"); break;
    case INT_AT: strace_or_pointer(c, v, put_int); break;
    case CHAR_AT: strace_string(c, v, 1); break;
    case WINDOW: strace_or_pointer(c, v, put_window); break;
    case TERMIOS:
    case TERMIOS2: strace_or_pointer(c, v, put_termios); break;
    case TERMIO: strace_or_pointer(c, v, put_termio); break;
    default: strace_pointer(c->f, v);
  }
}
