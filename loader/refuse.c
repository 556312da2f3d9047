/* Says in one line why a file is not a program for this machine: System V gABI chapter 4 (ELF Header: machine
 * values), and the magic numbers of what people pass by mistake. */
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "loader/refuse.h"

static const struct { const char *magic; u8 len; const char *what; } magics[] = {
  {"MZ", 2, "a DOS or Windows program"},
  {"!<arch>\n", 8, "a library archive"},
  {"\xfe\xed\xfa\xce", 4, "a Mach-O program"},
  {"\xce\xfa\xed\xfe", 4, "a Mach-O program"},
  {"\xcf\xfa\xed\xfe", 4, "a Mach-O program"},
  {"\xca\xfe\xba\xbe", 4, "a Mach-O or Java class file"},
  {"\x1f\x8b", 2, "gzip-compressed data"},
  {"BZh", 3, "bzip2-compressed data"},
  {"\xfd" "7zXZ", 5, "xz-compressed data"},
  {"\x28\xb5\x2f\xfd", 4, "zstd-compressed data"},
  {"PK\x03\x04", 4, "a zip archive"},
  {"\0asm", 4, "a WebAssembly module"},
};

static const struct { u16 machine; const char *name; } machines[] = {
  {EM_NONE, "none"},
  {EM_SPARC, "sparc"},
  {EM_68K, "m68k"},
  {EM_MIPS, "mips"},
  {EM_PARISC, "hppa"},
  {EM_SPARC32PLUS, "sparc32plus"},
  {EM_PPC, "powerpc"},
  {EM_PPC64, "powerpc64"},
  {EM_S390, "s390"},
  {EM_ARM, "arm"},
  {EM_SH, "sh"},
  {EM_SPARCV9, "sparc64"},
  {EM_IA_64, "ia64"},
  {EM_AVR, "avr"},
  {EM_OPENRISC, "openrisc"},
  {EM_ARC_COMPACT, "arc"},
  {EM_XTENSA, "xtensa"},
  {EM_AARCH64, "aarch64"},
  {EM_MICROBLAZE, "microblaze"},
  {EM_RISCV, "riscv"},
  {EM_BPF, "bpf"},
  {EM_CSKY, "csky"},
  {258, "loongarch"},
  {EM_ALPHA, "alpha"},
};

int ldr_complain(const struct complaint *c, int code, const char *fmt, ...) {
  if (!c->err || !c->errsz) return -code;
  int saved = errno; /* for %m */
  int n = snprintf(c->err, c->errsz, "%s: ", c->name);
  if (n > 0 && (size_t)n < c->errsz) {
    va_list ap;
    va_start(ap, fmt);
    errno = saved;
    vsnprintf(c->err + n, c->errsz - (size_t)n, fmt, ap);
    va_end(ap);
  }
  /* The file's name is the user's and may hold anything: the message stays one line. */
  for (char *s = c->err; *s; s++)
    if ((u8)*s < 0x20 || *s == 0x7f) *s = '?';
  return -code;
}

/* Text out of the file, up to a zero byte, made printable. */
static void printable(char *to, size_t tosz, const char *from, size_t n) {
  size_t i = 0;
  for (; i < n && i + 1 < tosz && from[i]; i++) to[i] = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
  to[i] = 0;
}

/* The interpreter is what stands after "#!" and blanks, up to a blank or the line's end. */
static int refuse_script(const struct complaint *c, const char *head, size_t n) {
  char interp[64];
  size_t from = 2;
  while (from < n && (head[from] == ' ' || head[from] == '\t')) from++;
  size_t to = from;
  while (to < n && head[to] != ' ' && head[to] != '\t' && head[to] != '\r' && head[to] != '\n') to++;
  printable(interp, sizeof interp, head + from, to - from);
  return ldr_complain(c, ENOEXEC, "script (#!%s), not an ELF file; run its interpreter on it",
                      interp);
}

int ldr_refuse_not_elf(const struct complaint *c, const u8 *head, size_t n) {
  if (!n) return ldr_complain(c, ENOEXEC, "empty file, not an ELF file; name a static Linux program");
  if (n >= 2 && head[0] == '#' && head[1] == '!') return refuse_script(c, (const char *)head, n);
  for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
    if (n >= magics[i].len && !memcmp(head, magics[i].magic, magics[i].len))
      return ldr_complain(c, ENOEXEC, "not an ELF file but %s; name a static Linux program", magics[i].what);
  return ldr_complain(c, ENOEXEC, "not an ELF file; name a static Linux program");
}

int ldr_refuse_machine(const struct complaint *c, u16 machine, bool big) {
  const char *order = big ? ", big-endian" : "";
  if (big) machine = __builtin_bswap16(machine);
  for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
    if (machines[i].machine == machine)
      return ldr_complain(c, ENOEXEC, "foreign machine %s%s; build it for i386 or x86_64", machines[i].name,
                          order);
  return ldr_complain(c, ENOEXEC, "foreign machine number %u%s; build it for i386 or x86_64", machine, order);
}

int ldr_refuse_type(const struct complaint *c, u16 type) {
  switch (type) {
  case ET_REL:
    return ldr_complain(c, ENOEXEC, "relocatable object, not an executable; link it with -static");
  case ET_CORE:
    return ldr_complain(c, ENOEXEC, "core dump, not an executable; name the program that made it");
  default:
    return ldr_complain(c, ENOEXEC, "ELF type %u, not an executable; link it with -static", type);
  }
}

int ldr_refuse_dynamic(const struct complaint *c, const char *interp) {
  char name[80];
  printable(name, sizeof name, interp, strlen(interp));
  return ldr_complain(c, ENOEXEC, "dynamically linked (needs %s): not supported yet, link with -static",
                      name);
}
