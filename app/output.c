/* What the emulator itself prints, and what becomes of it: standard output at the end, traces and statistics on
 * descriptors beyond the program's. man 3 fclose: a full disk may show only there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"

int app_output_ready(void) {
  if (fcntl(STDOUT_FILENO, F_GETFD) >= 0) return 0;
  app_error("standard output: %s", strerror(errno));
  return -1;
}

int app_finish(int status) {
  bool lost = ferror(stdout);
  if (!lost && !__fpending(stdout)) return status;
  errno = 0;
  if (!fclose(stdout) && !lost) return status;
  app_error("standard output: %s", errno ? strerror(errno) : "not everything could be written");
  return APP_FAILED;
}

FILE *app_open_output(void) {
  int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), own = fd < 0 ? -errno : lx_fd_out_of_the_way(fd);
  FILE *f = own < 0 ? NULL : fdopen(own, "w");
  if (f) setvbuf(f, NULL, _IOLBF, BUFSIZ);
  else app_error("standard output: %s", strerror(own < 0 ? -own : errno));
  return f;
}

FILE *app_open(const char *path) {
  int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
                : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  int own = fd < 0 ? -errno : lx_fd_out_of_the_way(fd);
  FILE *f = own < 0 ? NULL : fdopen(own, "w");
  if (f) setvbuf(f, NULL, path ? _IOFBF : _IOLBF, BUFSIZ);
  else app_error("%s%s: %s", path ? "-o " : "", path ? path : "standard error", strerror(own < 0 ? -own : errno));
  return f;
}

int app_close(FILE *f, const char *path) {
  errno = 0;
  bool lost = ferror(f);
  if (!fclose(f) && !lost) return 0;
  app_error("%s%s: %s", path ? "-o " : "", path ? path : "standard error",
            errno && !lost ? strerror(errno) : "not everything could be written");
  return -1;
}
