/* Sockets: the host's own, their addresses passed through; the two ABIs lay them out alike. man 2 socketcall; Linux
 * net/socket.c, net/compat.c. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux_abi/sys_files.h"
#include "linux_abi/syscalls.h"

static s64 host(long r) { return r < 0 ? -errno : r; }

s64 sys_socket(struct task *t, const u64 a[6]) {
  files_ready(t);
  return host(syscall(SYS_socket, (int)a[0], (int)a[1], (int)a[2]));
}
s64 sys_socketpair(struct task *t, const u64 a[6]) {
  files_ready(t);
  s64 r = host(syscall(SYS_socketpair, (int)a[0], (int)a[1], (int)a[2], ua_host(t, a[3], 8)));
  if (!r) ua_wrote(t, a[3], 8);
  return r;
}
s64 sys_bind(struct task *t, const u64 a[6]) {
  return host(syscall(SYS_bind, fd_arg(t, a[0]), ua_host(t, a[1], (u32)a[2]), (int)a[2]));
}
s64 sys_listen(struct task *t, const u64 a[6]) { return host(syscall(SYS_listen, fd_arg(t, a[0]), (int)a[1])); }
s64 sys_shutdown(struct task *t, const u64 a[6]) { return host(syscall(SYS_shutdown, fd_arg(t, a[0]), (int)a[1])); }
s64 sys_connect(struct task *t, const u64 a[6]) {
  return WAIT(t, SYS_connect, fd_arg(t, a[0]), ua_host(t, a[1], (u32)a[2]), (int)a[2]);
}

/* The host has written an address of at most *len bytes, and *len itself. */
static void wrote_address(struct task *t, u64 addr, u64 len) {
  ua_wrote(t, len, 4);
  if (addr) ua_wrote(t, addr, sizeof(struct sockaddr_storage));
}
s64 sys_accept4(struct task *t, const u64 a[6]) {
  files_ready(t);
  s64 r = WAIT(t, SYS_accept4, fd_arg(t, a[0]), ua_opt(t, a[1], 1), ua_opt(t, a[2], 4), (int)a[3]);
  if (r >= 0 && a[1]) wrote_address(t, a[1], a[2]);
  return r;
}
s64 sys_accept(struct task *t, const u64 a[6]) { return sys_accept4(t, (const u64[6]){a[0], a[1], a[2]}); }

static s64 socket_name(struct task *t, long nr, const u64 a[6]) {
  s64 r = host(syscall(nr, fd_arg(t, a[0]), ua_host(t, a[1], 1), ua_host(t, a[2], 4)));
  if (!r) wrote_address(t, a[1], a[2]);
  return r;
}
s64 sys_getsockname(struct task *t, const u64 a[6]) { return socket_name(t, SYS_getsockname, a); }
s64 sys_getpeername(struct task *t, const u64 a[6]) { return socket_name(t, SYS_getpeername, a); }

s64 sys_sendto(struct task *t, const u64 a[6]) {
  return WAIT(t, SYS_sendto, fd_arg(t, a[0]), ua_host(t, a[1], a[2]), a[2], (int)a[3], ua_opt(t, a[4], (u32)a[5]), (int)a[5]);
}
s64 sys_recvfrom(struct task *t, const u64 a[6]) {
  s64 r = WAIT(t, SYS_recvfrom, fd_arg(t, a[0]), ua_host(t, a[1], a[2]), a[2], (int)a[3], ua_opt(t, a[4], 1), ua_opt(t, a[5], 4));
  if (r > 0) ua_wrote(t, a[1], (u64)r < a[2] ? (u64)r : a[2]);
  if (r >= 0 && a[4]) wrote_address(t, a[4], a[5]);
  return r;
}

/* i386's struct timeval is not the host's. */
static bool time_option(const struct task *t, int level, int name) {
  return t->compat && level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO);
}
s64 sys_setsockopt(struct task *t, const u64 a[6]) {
  if (time_option(t, (int)a[1], (int)a[2])) return -ENOPROTOOPT;
  return host(syscall(SYS_setsockopt, fd_arg(t, a[0]), (int)a[1], (int)a[2], ua_opt(t, a[3], (u32)a[4]), (int)a[4]));
}
s64 sys_getsockopt(struct task *t, const u64 a[6]) {
  u32 len;
  if (time_option(t, (int)a[1], (int)a[2])) return -ENOPROTOOPT;
  s64 r = host(syscall(SYS_getsockopt, fd_arg(t, a[0]), (int)a[1], (int)a[2], ua_host(t, a[3], 1), ua_host(t, a[4], 4)));
  if (r || ua_read32(t, &len, a[4])) return r;
  ua_wrote(t, a[4], 4);
  ua_wrote(t, a[3], len);
  return 0;
}

/* i386's one entry for all of them: a number, and the arguments in memory. include/uapi/linux/net.h */
s64 sys_socketcall(struct task *t, const u64 a[6]) {
  static const struct {
    u8 words;
    sys_fn *fn;
  } call[] = {{0, NULL}, {3, sys_socket}, {3, sys_bind}, {3, sys_connect}, {2, sys_listen}, {3, sys_accept},
              {3, sys_getsockname}, {3, sys_getpeername}, {4, sys_socketpair}, {4, sys_sendto}, {4, sys_recvfrom},
              {6, sys_sendto}, {6, sys_recvfrom}, {2, sys_shutdown}, {5, sys_setsockopt}, {5, sys_getsockopt},
              {0, NULL}, {0, NULL}, {4, sys_accept4}};
  u32 words[6] = {0};
  u64 args[6];
  if (a[0] < 1 || a[0] > 20) return -EINVAL;
  if (a[0] >= ARRAY_SIZE(call) || !call[a[0]].fn) return sys_none(t, a);
  if (ua_read(t, words, a[1], call[a[0]].words * 4u)) return -EFAULT;
  for (unsigned k = 0; k < 6; k++) args[k] = words[k];
  return call[a[0]].fn(t, args);
}
