/* Assembly text to bytes through GNU as, each text once. The object's .text is read from its ELF section
 * headers (System V ABI, Object Files). */
#include "base/assemble.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct assembled {
  struct assembled *next;
  unsigned bits;
  int len; /* -1: as refused it */
  u8 code[ASSEMBLE_MAX];
  char text[];
};

struct assembler {
  bool present, probed;
  bool only_where_needed;
  struct assembled *list;
  char dir[32];
};

/* Runs as on dir/a.s; its messages go to dir/a.err. Returns its exit status, -1 when it could not be run. */
static int run_as(const struct assembler *as, const char *width) {
  pid_t pid = fork();
  if (pid < 0) return -1;
  if (!pid) {
    if (!chdir(as->dir) && freopen("a.err", "w", stderr) && freopen("/dev/null", "r", stdin))
      execlp("as", "as", width, "-o", "a.o", "a.s", (char *)NULL);
    _exit(127);
  }
  int status;
  if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) == 127) return -1;
  return WEXITSTATUS(status);
}

static void in_dir(const struct assembler *as, const char *name, char *out, size_t n) {
  snprintf(out, n, "%s/%s", as->dir, name);
}

static int write_source(const struct assembler *as, const char *text, unsigned bits) {
  char path[64];
  in_dir(as, "a.s", path, sizeof path);
  FILE *f = fopen(path, "w");
  if (!f) return -1;
  fprintf(f, bits == 16 ? ".code16\n.text\n" : ".text\n");
  for (const char *p = text; *p; p++) fputc(*p == ';' ? '\n' : *p, f);
  fputc('\n', f);
  return fclose(f);
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
  static const char *const names[] = {"a.s", "a.o", "a.err"};
  char path[64];
  for (unsigned k = 0; k < ARRAY_SIZE(names) && *as->dir; k++) {
    in_dir(as, names[k], path, sizeof path);
    unlink(path);
  }
  if (*as->dir) rmdir(as->dir);
  free(as);
}

/* Looked for when it is first needed. */
bool assembler_present(struct assembler *as) {
  if (!as || as->probed) return as && as->present;
  as->probed = true;
  strcpy(as->dir, "/tmp/ringwalk-asXXXXXX");
  if (!mkdtemp(as->dir)) *as->dir = 0;
  else as->present = !write_source(as, "nop", 64) && run_as(as, "--64") == 0;
  return as->present;
}
bool assembler_compares(const struct assembler *as) { return as && !as->only_where_needed; }

static size_t slurp(const struct assembler *as, const char *name, u8 *buf, size_t n) {
  char path[64];
  in_dir(as, name, path, sizeof path);
  FILE *f = fopen(path, "rb");
  size_t got = f ? fread(buf, 1, n, f) : 0;
  if (f) fclose(f);
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

static struct assembled *assemble(struct assembler *as, const char *text, unsigned bits) {
  struct assembled *a = calloc(1, sizeof *a + strlen(text) + 1);
  enum { OBJECT = 65536 };
  u8 *object = malloc(OBJECT);
  if (a && object) {
    strcpy(a->text, text);
    a->bits = bits;
    a->len = -1;
    if (!write_source(as, text, bits) && run_as(as, bits == 64 ? "--64" : "--32") == 0) {
      size_t n = slurp(as, "a.o", object, OBJECT);
      a->len = n > EI_CLASS && object[EI_CLASS] == ELFCLASS64 ? find_text64(object, n, a->code)
                                                              : find_text32(object, n, a->code);
    }
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
  char said[200] = "";
  size_t n = slurp(as, "a.err", (u8 *)said, sizeof said - 1);
  while (n && said[n - 1] == '\n') n--;
  said[n] = 0;
  for (char *p = said; *p; p++)
    if (*p == '\n') *p = ' ';
  const char *first = strstr(said, "Error: "); /* behind the temporary file's name */
  snprintf(err, size, "as cannot assemble '%.80s': %s", text,
           first ? first + 7 : n ? said : "the text needs relocations, or is too long");
  return -1;
}
