/* A machine's serial port on standard input and output, its debug console on standard error. */
#include "app/console.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { PATIENCE = 8 };

static void put(void *opaque, u8 byte) {
  ((struct console *)opaque)->asked = 0;
  putchar(byte);
  if (byte == '\n') fflush(stdout);
}

static void put_debug(void *opaque, u8 byte) {
  (void)opaque;
  fputc(byte, stderr);
}

static int get(void *opaque, bool wait) {
  struct console *c = opaque;
  u8 byte;
  if (c->eof) return -2;
  if (wait || ++c->asked == PATIENCE) fflush(stdout);
  struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
  if (poll(&p, 1, wait ? -1 : 0) <= 0) return -1;
  ssize_t n = read(STDIN_FILENO, &byte, 1);
  if (n == 1) return byte;
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return -1;
  c->eof = true;
  return -2;
}

struct machine_console console_open(struct console *c) {
  *c = (struct console){0};
  return (struct machine_console){c, put, put_debug, get};
}
