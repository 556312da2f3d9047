/* Device control, by the requests that are known: man 2 ioctl, ioctl_tty, ioctl_list. Linux
 * asm-generic/ioctls.h, include/uapi/linux/fs.h, fs/ioctl.c.
 *
 * The host gets a pointer into the program's memory; what structures a request's argument has is the same
 * for both ABIs unless the table gives i386 its own request. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/kd.h>
#include <linux/random.h>
#include <linux/rtc.h>
#include <linux/vt.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

enum { TERMIO_BYTES = 18 };
/* With the kernel's structure, which the C library does not have. */
#define LX_TCGETS2 _IOR('T', 0x2A, struct lx_termios2)
#define LX_TCSETS2 _IOW('T', 0x2B, struct lx_termios2)
#define LX_TCSETSW2 _IOW('T', 0x2C, struct lx_termios2)
#define LX_TCSETSF2 _IOW('T', 0x2D, struct lx_termios2)

struct request {
  u32 nr;
  u32 size;   /* of what the argument points to; 0: a plain value, or nothing */
  u32 nr32;   /* i386's number where it differs; 0: the same */
};

static const struct request requests[] = {
    /* Terminals */
    {TCGETS, sizeof(struct lx_termios), 0}, {TCSETS, sizeof(struct lx_termios), 0},
    {TCSETSW, sizeof(struct lx_termios), 0}, {TCSETSF, sizeof(struct lx_termios), 0},
    {LX_TCGETS2, sizeof(struct lx_termios2), 0}, {LX_TCSETS2, sizeof(struct lx_termios2), 0},
    {LX_TCSETSW2, sizeof(struct lx_termios2), 0}, {LX_TCSETSF2, sizeof(struct lx_termios2), 0},
    {TCGETA, TERMIO_BYTES, 0}, {TCSETA, TERMIO_BYTES, 0}, {TCSETAW, TERMIO_BYTES, 0},
    {TCSETAF, TERMIO_BYTES, 0},
    {TIOCGWINSZ, sizeof(struct winsize), 0}, {TIOCSWINSZ, sizeof(struct winsize), 0},
    {TIOCGPGRP, 4, 0}, {TIOCSPGRP, 4, 0}, {TIOCGSID, 4, 0}, {TIOCSCTTY, 0, 0}, {TIOCNOTTY, 0, 0},
    {TCSBRK, 0, 0}, {TCSBRKP, 0, 0}, {TIOCSBRK, 0, 0}, {TIOCCBRK, 0, 0}, {TCXONC, 0, 0}, {TCFLSH, 0, 0},
    {TIOCOUTQ, 4, 0}, {FIONREAD, 4, 0}, {TIOCSTI, 1, 0}, {TIOCEXCL, 0, 0}, {TIOCNXCL, 0, 0},
    {TIOCGEXCL, 4, 0},
    {TIOCMGET, 4, 0}, {TIOCMBIS, 4, 0}, {TIOCMBIC, 4, 0}, {TIOCMSET, 4, 0}, {TIOCGSOFTCAR, 4, 0},
    {TIOCSSOFTCAR, 4, 0}, {TIOCPKT, 4, 0}, {TIOCGPKT, 4, 0}, {TIOCGETD, 4, 0}, {TIOCSETD, 4, 0},
    {TIOCGPTN, 4, 0}, {TIOCSPTLCK, 4, 0}, {TIOCGPTLCK, 4, 0}, {TIOCGPTPEER, 0, 0}, {TIOCGDEV, 4, 0},
    {TIOCCONS, 0, 0}, {TIOCVHANGUP, 0, 0},
    /* Consoles */
    {KDGKBTYPE, 1, 0}, {KDGETMODE, 4, 0}, {KDSETMODE, 0, 0}, {KDGKBMODE, 4, 0}, {KDSKBMODE, 0, 0},
    {VT_OPENQRY, 4, 0}, {VT_GETSTATE, sizeof(struct vt_stat), 0}, {VT_ACTIVATE, 0, 0}, {VT_WAITACTIVE, 0, 0},
    /* Descriptors and files */
    {FIONBIO, 4, 0}, {FIOASYNC, 4, 0}, {FIOCLEX, 0, 0}, {FIONCLEX, 0, 0}, {FIOQSIZE, 8, 0},
    {FIBMAP, 4, 0}, {FIGETBSZ, 4, 0}, {FICLONE, 0, 0}, {FICLONERANGE, sizeof(struct file_clone_range), 0},
    {FS_IOC_GETFLAGS, 4, FS_IOC32_GETFLAGS}, {FS_IOC_SETFLAGS, 4, FS_IOC32_SETFLAGS},
    {FS_IOC_GETVERSION, 4, FS_IOC32_GETVERSION}, {FS_IOC_SETVERSION, 4, FS_IOC32_SETVERSION},
    {FS_IOC_FSGETXATTR, sizeof(struct fsxattr), 0}, {FS_IOC_FSSETXATTR, sizeof(struct fsxattr), 0},
    {FS_IOC_GETFSLABEL, FSLABEL_MAX, 0},
    /* Devices */
    {BLKROGET, 4, 0}, {BLKSSZGET, 4, 0}, {BLKPBSZGET, 4, 0}, {BLKIOMIN, 4, 0}, {BLKIOOPT, 4, 0},
    {BLKALIGNOFF, 4, 0},
    {BLKFLSBUF, 0, 0}, {BLKRAGET, 8, 0}, {BLKGETSIZE, 8, 0}, {BLKGETSIZE64, 8, _IOR(0x12, 114, u32)},
    {BLKBSZGET, 4, _IOR(0x12, 112, u32)}, {RNDGETENTCNT, 4, 0}, {RTC_RD_TIME, sizeof(struct rtc_time), 0},
};

static const struct request *find(u32 nr, bool compat) {
  for (unsigned i = 0; i < ARRAY_SIZE(requests); i++) {
    const struct request *q = &requests[i];
    if (nr == (compat && q->nr32 ? q->nr32 : q->nr)) return q;
  }
  return NULL;
}

/* A long that the host stores, for a 32-bit program. */
static s64 narrow_long(struct task *t, int fd, u32 nr, u64 arg) {
  u64 v = 0;
  s64 r = HOST(SYS_ioctl, fd, nr, &v);
  if (r) return r;
  if (v > UINT32_MAX) return -EFBIG;
  return ua_write32(t, arg, (u32)v);
}

s64 sys_ioctl(struct task *t, const u64 a[6]) {
  int fd = fd_arg(t, a[0]);
  u32 nr = (u32)a[1];
  const struct request *q = find(nr, t->compat);
  if (!q) {
    s64 r = HOST(SYS_fcntl, fd, F_GETFD, 0);
    if (r < 0) return r;
    if (files_first_ioctl(t, nr)) lx_log(t, "unsupported ioctl request 0x%x on descriptor %d", nr, fd);
    return -ENOTTY;
  }
  if (t->compat && (q->nr == BLKGETSIZE || q->nr == BLKRAGET)) return narrow_long(t, fd, q->nr, a[2]);
  if (!q->size) return WAIT(t, SYS_ioctl, fd, q->nr, a[2]);
  s64 r = WAIT(t, SYS_ioctl, fd, q->nr, ua_host(t, a[2], q->size));
  if (r >= 0) ua_wrote(t, a[2], q->size);
  return r;
}
