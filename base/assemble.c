/* Assembly text to bytes through GNU as, each text once. Its files are in memory: nothing is left behind however this
 * process ends. The object's .text is read from its ELF section headers (System V ABI, Object Files). */
#define _GNU_SOURCE /* memfd_create */
#include "base/assemble.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* What as may use: a text like `.rept 100000000` asks for more. */
enum { AS_SECONDS = 5, AS_FILE = 1 << 20, AS_MEMORY = 1 << 29 };

enum { SAID = 200 };
struct assembled {
  struct assembled *next;
  unsigned bits;
  int len; /* -1: as refused it */
  u8 code[ASSEMBLE_MAX];
  char said[SAID]; /* why */
  char text[];
};

struct assembler {
  bool present, probed;
  bool only_where_needed;
  struct assembled *list;
};

/* as's standard input, output and messages, and their places in its process. */
enum { AS_SOURCE, AS_OBJECT, AS_MESSAGES, AS_FILES };
struct as_files {
  int fd[AS_FILES];
};
static const int as_places[AS_FILES] = {[AS_SOURCE] = 0, [AS_OBJECT] = 1, [AS_MESSAGES] = 2};

static void limit(int what, rlim_t most) {
  struct rlimit r = {.rlim_cur = most, .rlim_max = most};
  (void)setrlimit(what, &r); /* a lower hard limit stands */
}

/* In the child. Its descriptors are moved out of the way first: any may be 0 to 2 already. */
static _Noreturn void exec_as(const struct as_files *f, const char *width, pid_t parent) {
  int fd[AS_FILES];
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent) _exit(127);
  for (unsigned k = 0; k < AS_FILES; k++)
    if ((fd[k] = fcntl(f->fd[k], F_DUPFD_CLOEXEC, 10)) < 0) _exit(127);
  for (unsigned k = 0; k < AS_FILES; k++)
    if (dup2(fd[k], as_places[k]) < 0) _exit(127);
  limit(RLIMIT_CPU, AS_SECONDS);
  limit(RLIMIT_FSIZE, AS_FILE);
  limit(RLIMIT_AS, AS_MEMORY);
  limit(RLIMIT_CORE, 0);
  execlp("as", "as", width, "-o", "/proc/self/fd/1", "-", (char *)NULL);
  _exit(127);
}

/* Its exit status; -1: it could not be run; 128 + the signal that ended it. */
static int run_as(const struct as_files *f, const char *width) {
  pid_t parent = getpid(), pid = fork();
  int status;
  if (pid < 0) return -1;
  if (!pid) exec_as(f, width, parent);
  while (waitpid(pid, &status, 0) != pid)
    if (errno != EINTR) return -1;
  if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
  return WEXITSTATUS(status) == 127 ? -1 : WEXITSTATUS(status);
}

static int write_source(const struct as_files *files, const char *text, unsigned bits) {
  int fd = dup(files->fd[AS_SOURCE]);
  FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
  if (!f) {
    if (fd >= 0) close(fd);
    return -1;
  }
  fprintf(f, bits == 16 ? ".code16\n.text\n" : ".text\n");
  for (const char *p = text; *p; p++) fputc(*p == ';' ? '\n' : *p, f);
  fputc('\n', f);
  if (fclose(f)) return -1;
  return lseek(files->fd[AS_SOURCE], 0, SEEK_SET) ? -1 : 0;
}

static void close_files(const struct as_files *f) {
  for (unsigned k = 0; k < AS_FILES; k++)
    if (f->fd[k] >= 0) close(f->fd[k]);
}

static int open_files(struct as_files *f) {
  for (unsigned k = 0; k < AS_FILES; k++) f->fd[k] = memfd_create("as", MFD_CLOEXEC);
  for (unsigned k = 0; k < AS_FILES; k++)
    if (f->fd[k] < 0) {
      close_files(f);
      return -1;
    }
  return 0;
}

struct assembler *assembler_new(bool only_where_needed) {
  struct assembler *as = calloc(1, sizeof *as);
  if (!as) return NULL;
  as->only_where_needed = only_where_needed;
  return as;
}

void assembler_free(struct assembler *as) {
  if (!as) return;
  while (as->list) {
    struct assembled *a = as->list;
    as->list = a->next;
    free(a);
  }
  free(as);
}

/* Looked for when it is first needed. */
bool assembler_present(struct assembler *as) {
  struct as_files f;
  if (!as || as->probed) return as && as->present;
  as->probed = true;
  if (open_files(&f)) return false;
  as->present = !write_source(&f, "nop", 64) && run_as(&f, "--64") == 0;
  close_files(&f);
  return as->present;
}
bool assembler_compares(const struct assembler *as) { return as && !as->only_where_needed; }

static size_t slurp(int fd, void *buf, size_t n) {
  size_t got = 0;
  for (ssize_t r; got < n && (r = pread(fd, (char *)buf + got, n - got, (off_t)got)) > 0;) got += (size_t)r;
  return got;
}

/* The first executable section's bytes. -1: none, too many, or relocations are needed. */
#define FIND_TEXT(W)                                                                                        \
  static int find_text##W(const u8 *o, size_t n, u8 code[ASSEMBLE_MAX]) {                                   \
    Elf##W##_Ehdr h;                                                                                        \
    int len = -1;                                                                                           \
    if (n < sizeof h) return -1;                                                                            \
    memcpy(&h, o, sizeof h);                                                                                \
    for (unsigned k = 0; k < h.e_shnum; k++) {                                                              \
      Elf##W##_Shdr s;                                                                                      \
      if (h.e_shoff > n || n - h.e_shoff < (k + 1) * sizeof s) return -1;                                   \
      memcpy(&s, o + h.e_shoff + k * sizeof s, sizeof s);                                                   \
      if ((s.sh_type == SHT_REL || s.sh_type == SHT_RELA) && s.sh_size) return -1;                          \
      if (len >= 0 || s.sh_type != SHT_PROGBITS || !(s.sh_flags & SHF_EXECINSTR)) continue;                 \
      if (s.sh_size > ASSEMBLE_MAX || s.sh_offset > n || n - s.sh_offset < s.sh_size) return -1;            \
      memcpy(code, o + s.sh_offset, s.sh_size);                                                             \
      len = (int)s.sh_size;                                                                                 \
    }                                                                                                       \
    return len;                                                                                             \
  }
FIND_TEXT(32)
FIND_TEXT(64)

/* What as said of the text that it refused, or what ended it. */
static void refusal(const struct as_files *f, int status, char said[SAID]) {
  if (status == 128 + SIGXCPU || status == 128 + SIGKILL) {
    snprintf(said, SAID, "it takes more than %d seconds", AS_SECONDS);
    return;
  }
  char text[4 * SAID];
  size_t n = slurp(f->fd[AS_MESSAGES], text, sizeof text - 1);
  while (n && text[n - 1] == '\n') n--;
  text[n] = 0;
  for (char *p = text; *p; p++)
    if (*p == '\n') *p = ' ';
  const char *first = strstr(text, "Error: "); /* behind the file's name */
  if (status == 128 + SIGXFSZ) first = "Error: the code is too long";
  snprintf(said, SAID, "%.*s", SAID - 1, first ? first + 7 : n ? text : "the text needs relocations, or is too long");
}

static int run_text(struct assembled *a, u8 *object, size_t room) {
  struct as_files f;
  if (open_files(&f)) return -1;
  int status = write_source(&f, a->text, a->bits) ? -1 : run_as(&f, a->bits == 64 ? "--64" : "--32");
  if (!status) {
    size_t n = slurp(f.fd[AS_OBJECT], object, room);
    a->len = n > EI_CLASS && object[EI_CLASS] == ELFCLASS64 ? find_text64(object, n, a->code)
                                                            : find_text32(object, n, a->code);
  }
  if (a->len < 0) refusal(&f, status, a->said);
  close_files(&f);
  return status;
}

static struct assembled *assemble(struct assembler *as, const char *text, unsigned bits) {
  struct assembled *a = calloc(1, sizeof *a + strlen(text) + 1);
  enum { OBJECT = 65536 };
  u8 *object = malloc(OBJECT);
  if (a && object) {
    strcpy(a->text, text);
    a->bits = bits;
    a->len = -1;
    if (run_text(a, object, OBJECT) < 0) strcpy(a->said, "as could not be run");
    a->next = as->list;
    as->list = a;
  } else {
    free(a);
    a = NULL;
  }
  free(object);
  return a;
}

int assemble_text(struct assembler *as, const char *text, unsigned bits, u8 code[ASSEMBLE_MAX], char *err, size_t size) {
  struct assembled *a = as->list;
  while (a && (a->bits != bits || strcmp(a->text, text))) a = a->next;
  if (!a) a = assemble(as, text, bits);
  if (a && a->len >= 0) {
    memcpy(code, a->code, (size_t)a->len);
    return a->len;
  }
  snprintf(err, size, "as cannot assemble '%.80s': %s", text, a ? a->said : "out of memory");
  return -1;
}
